"""What a treatment does to each customer: learners of effects, cross-fitted, calibrated, with intervals."""
