"""Which customer gets which offer, under budget, capacity, fatigue and fairness: a program and its solver."""
