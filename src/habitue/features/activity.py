"""Activity: how often, how recently, how much. The literature's four columns lead."""

from __future__ import annotations

from habitue.features.feature import Feature, feature
from habitue.vocabulary import WINDOW_DAYS

__all__ = ["FEATURES", "LITERATURE"]


@feature("visits")
def frequency() -> str:
    """Repeat purchases: days with a purchase, less the first."""
    return "COUNT(*) - 1"


@feature("visits")
def recency() -> str:
    """Days from the first to the last purchase (the literature's t_x)."""
    return "DATE_DIFF('day', MIN(day), MAX(day))"


@feature("visits")
def T() -> str:  # noqa: N802
    """Days from the first purchase to the cutoff."""
    return "DATE_DIFF('day', MIN(day), $cutoff)"


@feature("visits")
def monetary_value() -> str:
    """Mean amount of the repeat purchases, 0 where there is none (the literature's)."""
    return "COALESCE(SUM(amount) FILTER (WHERE nth > 1) / NULLIF(COUNT(*) - 1, 0), 0)"


@feature("visits")
def inactivity() -> str:
    """Days since the last purchase."""
    return "DATE_DIFF('day', MAX(day), $cutoff)"


@feature("visits")
def inactivity_ratio() -> str:
    """Days since the last purchase over the mean gap."""
    return (
        "DATE_DIFF('day', MAX(day), $cutoff) * (COUNT(*) - 1) "
        "/ CAST(NULLIF(DATE_DIFF('day', MIN(day), MAX(day)), 0) AS DOUBLE)"
    )


@feature("visits")
def n_purchases_last_period() -> str:
    """Purchases in the period before the cutoff that is as long as the horizon."""
    return "COUNT(*) FILTER (WHERE DATE_DIFF('day', day, $cutoff) < $horizon)"


@feature("visits")
def spend_last_period() -> str:
    """Amount purchased in the period before the cutoff that is as long as the horizon."""
    return "COALESCE(SUM(amount) FILTER (WHERE DATE_DIFF('day', day, $cutoff) < $horizon), 0)"


@feature("visits")
def spend_total() -> str:
    """Amount of all purchases so far."""
    return "SUM(amount)"


@feature("visits")
def spend_mean() -> str:
    """Mean amount of a purchase."""
    return "SUM(amount) / COUNT(*)"


@feature("visits")
def spend_max() -> str:
    """Largest purchase of one day."""
    return "MAX(amount)"


@feature("visits")
def spend_first() -> str:
    """Amount of the first purchase."""
    return "ARG_MIN(amount, day)"


@feature("visits")
def spend_last() -> str:
    """Amount of the last purchase."""
    return "ARG_MAX(amount, day)"


def _in_window(days: int) -> tuple[Feature, Feature]:
    """Purchases and amount in the last `days` days."""
    inside = f"FILTER (WHERE DATE_DIFF('day', day, $cutoff) < {days})"
    return (
        Feature(f"n_purchases_{days}d", "visits", f"COUNT(*) {inside}"),
        Feature(f"spend_{days}d", "visits", f"COALESCE(SUM(amount) {inside}, 0)"),
    )


LITERATURE: tuple[Feature, ...] = (frequency, recency, T, monetary_value)
"""The four columns that the probability models read."""

FEATURES: tuple[Feature, ...] = (
    *LITERATURE,
    inactivity,
    inactivity_ratio,
    n_purchases_last_period,
    spend_last_period,
    spend_total,
    spend_mean,
    spend_max,
    spend_first,
    spend_last,
    *(member for days in WINDOW_DAYS for member in _in_window(days)),
)
