"""Habit: the rhythm of buying."""

from __future__ import annotations

from habitue.features.feature import Feature, feature

__all__ = ["FEATURES"]


@feature("visits")
def gap_mean() -> str:
    """Mean days between purchases."""
    return "SUM(gap) / CAST(NULLIF(COUNT(gap), 0) AS DOUBLE)"


@feature("visits")
def gap_max() -> str:
    """Longest wait between two purchases."""
    return "MAX(gap)"


@feature("visits")
def gap_last() -> str:
    """Days between the last two purchases."""
    return "ARG_MAX(gap, day)"


@feature("visits")
def gap_cv() -> str:
    """Return the gaps' standard deviation over their mean, from exact sums: n·Σg²/(Σg)² − 1."""
    return (
        "SQRT(GREATEST(COUNT(gap) * SUM(gap * gap) - SUM(gap) * SUM(gap), 0) * COUNT(gap) "
        "/ CAST(NULLIF(COUNT(gap) - 1, 0) AS DOUBLE)) / SUM(gap)"
    )


@feature("visits")
def gap_geometric_mean() -> str:
    """Geometric mean of the gaps; logarithms are summed as decimals, so that their order does not matter."""
    return "EXP(SUM(CAST(LN(gap) AS DECIMAL(18, 12))) / CAST(NULLIF(COUNT(gap), 0) AS DOUBLE))"


@feature("visits")
def weekend_share() -> str:
    """Share of purchase days on a Saturday or Sunday; 1900-01-01 was a Monday."""
    weekday = "DATE_DIFF('day', CAST('1900-01-01' AS DATE), day) % 7"
    return f"COUNT(*) FILTER (WHERE {weekday} >= 5) / CAST(COUNT(*) AS DOUBLE)"


FEATURES: tuple[Feature, ...] = (gap_mean, gap_max, gap_last, gap_cv, gap_geometric_mean, weekend_share)
