"""What was known at the cutoff: features as SQL aggregates, one file per pillar.

A new feature is one function here and one line in `habitue.vocabulary`. Features never learn: what has to be
fitted belongs to `habitue.models`.
"""

from __future__ import annotations

from habitue.features import activity, habit, perceived_value, relationship
from habitue.features.activity import LITERATURE
from habitue.features.compile import build, statement
from habitue.features.feature import Feature, feature

__all__ = ["FEATURES", "LITERATURE", "Feature", "build", "feature", "features_for", "statement"]

FEATURES: tuple[Feature, ...] = (
    *activity.FEATURES,
    *habit.FEATURES,
    *perceived_value.FEATURES,
    *relationship.FEATURES,
)
"""All features, in the order of the columns."""


def features_for(kinds: tuple[str, ...]) -> tuple[Feature, ...]:
    """Return the features that can be built from these kinds of record.

    Parameters
    ----------
    kinds : tuple of str
        Kinds of record that a log has.

    Examples
    --------
    >>> [chosen.name for chosen in features_for(("transactions",))][:4]
    ['frequency', 'recency', 'T', 'monetary_value']
    """
    return tuple(chosen for chosen in FEATURES if chosen.kind in kinds)
