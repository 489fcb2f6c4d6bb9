"""A business of known truth: all eight kinds of record, left by customers whose reasons to stay are known.

Each customer has three latent traits that nobody records, satisfaction, habit and switching cost. They drive
when the customer leaves, and each shows in the records of its pillar. So a feature can be tried on what it is
meant to measure, and a model on what it is meant to find.

Not here: purchases exactly as a family of models says; that is `habitue.records.simulators`.
"""

from habitue.records.business.simulation import (
    OFFERS,
    BusinessParams,
    Leaning,
    OfferTruth,
    SimulatedBusiness,
    TrueEffects,
    simulate_business,
)

__all__ = [
    "OFFERS",
    "BusinessParams",
    "Leaning",
    "OfferTruth",
    "SimulatedBusiness",
    "TrueEffects",
    "simulate_business",
]
