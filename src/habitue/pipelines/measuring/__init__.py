"""`habitue measure`: an experiment designed, assigned, read out, and handed to the next round."""
