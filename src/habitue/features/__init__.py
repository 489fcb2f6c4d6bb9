"""What was known at the cutoff: features as SQL aggregates, one file per pillar.

A new feature is one function here and one line in `habitue.vocabulary`. Features never learn: what has to be
fitted belongs to `habitue.models`.
"""

from __future__ import annotations

from collections.abc import Collection

from habitue.features import (
    activity,
    context,
    emotional_connection,
    habit,
    perceived_value,
    relationship,
    satisfaction,
    switching_costs,
)
from habitue.features.activity import LITERATURE
from habitue.features.compile import build, build_each, matrix, statement
from habitue.features.feature import Feature, feature
from habitue.records import History

__all__ = [
    "FEATURES",
    "LITERATURE",
    "ON_REQUEST",
    "Feature",
    "build",
    "build_each",
    "feature",
    "features_for",
    "matrix",
    "statement",
]

FEATURES: tuple[Feature, ...] = (
    *activity.FEATURES,
    *habit.FEATURES,
    *perceived_value.FEATURES,
    *satisfaction.FEATURES,
    *relationship.FEATURES,
    *emotional_connection.FEATURES,
    *switching_costs.FEATURES,
    *context.FEATURES,
)
"""All features, in the order of the columns."""


ON_REQUEST = frozenset({"cutoff_day_of_year"})
"""Features that have one value at a cutoff: it takes cutoffs of several years to learn anything from them."""


def features_for(history: History, learned: Collection[str] = ()) -> tuple[Feature, ...]:
    """Return the features that can be built from the records of a log, but for those `ON_REQUEST`.

    Parameters
    ----------
    history : History
        Says which kinds of record there are, and which optional columns they have.
    learned : collection of str
        Tables that were learned from a population and are at hand.

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> [chosen.name for chosen in features_for(cdnow(sample=True).until("1997-09-30"))][:4]
    ['frequency', 'recency', 'T', 'monetary_value']
    """
    there = {kind: frozenset(history.engine.columns(kind)) for kind in history.kinds}
    return tuple(
        chosen
        for chosen in FEATURES
        if chosen.kind in there
        and there[chosen.kind].issuperset(chosen.needs)
        and chosen.relation.learned in {"", *learned}
        and chosen.name not in ON_REQUEST
    )
