"""`habitue decide`: from scores and offers to a list of actions."""
