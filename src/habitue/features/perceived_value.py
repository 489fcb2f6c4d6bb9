"""Perceived value: whether it was worth the money."""

from __future__ import annotations

from habitue.features.feature import Feature, feature

__all__ = ["FEATURES"]


@feature("transactions")
def returns_share() -> str:
    """Amount returned over amount purchased."""
    return (
        "COALESCE(-SUM(amount) FILTER (WHERE amount < 0), 0) "
        "/ NULLIF(CAST(SUM(amount) FILTER (WHERE amount >= 0) AS DOUBLE), 0)"
    )


FEATURES: tuple[Feature, ...] = (returns_share,)
