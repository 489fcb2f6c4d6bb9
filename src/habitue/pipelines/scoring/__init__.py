"""`habitue score`: batches of scores of any size, whole or not there; in a notebook, scores in memory."""
