"""Habit: the rhythm of buying, and what has become routine.

One customer's gaps tell a regularity only roughly: that of two or three is mostly noise, and with all gaps
equal it has no bound, so it is told up to `MOST_REGULAR`.
"""

from __future__ import annotations

from habitue.features.feature import Feature, feature

__all__ = ["FEATURES", "MOST_REGULAR", "POINTS_DAYS"]

MOST_REGULAR = 100
"""Largest regularity told; its gaps vary by a tenth of their mean."""

POINTS_DAYS = 90
"""The last days, cutoff included, in which points are summed."""


@feature("gaps")
def gap_mean() -> str:
    """Mean days between purchases."""
    return "SUM(gap) / COUNT(*)"


@feature("gaps")
def gap_max() -> str:
    """Longest wait between two purchases."""
    return "MAX(gap)"


@feature("gaps")
def gap_last() -> str:
    """Days between the last two purchases."""
    return "ARG_MAX(gap, day)"


@feature("gaps")
def gap_cv() -> str:
    """Return the gaps' standard deviation over their mean, from exact sums: n·Σg²/(Σg)² − 1."""
    return (
        "SQRT(GREATEST(COUNT(*) * SUM(gap * gap) - SUM(gap) * SUM(gap), 0) * COUNT(*) / (COUNT(*) - 1)) "
        "/ SUM(gap)"
    )


@feature("gaps")
def gap_geometric_mean() -> str:
    """Geometric mean of the gaps; logarithms are summed as decimals, so that their order does not matter."""
    return "EXP(SUM(CAST(LN(gap) AS DECIMAL(18, 12))) / COUNT(*))"


@feature("gaps")
def gap_median() -> str:
    """Median days between purchases; with an even number of gaps the smaller of the middle two."""
    return "QUANTILE_DISC(gap, 0.5)"


@feature("gaps")
def gap_p90() -> str:
    """Return the days between purchases that nine in ten of the gaps do not exceed."""
    return "QUANTILE_DISC(gap, 0.9)"


@feature("gaps")
def days_to_next_expected_purchase() -> str:
    """Mean gap less the days since the last purchase; negative for who is overdue."""
    return "SUM(gap) / COUNT(*) - DATE_DIFF('day', MAX(day), $cutoff)"


@feature("gaps")
def regularity_ml() -> str:
    """Likeliest shape k of gamma distributed gaps: 1 is chance, the larger the more regular.

    The closed form (3 - s + sqrt((s - 3)^2 + 24 s)) / (12 s) with s = ln(mean) - mean(ln) is within 1.5 % of
    the maximum of the likelihood (where Minka, 2002, "Estimating a gamma distribution", lets Newton's steps
    lead); s is kept off 0, where all gaps are equal.
    """
    logs = "SUM(CAST(LN(gap) AS DECIMAL(18, 12)))"
    s = f"GREATEST(LN(SUM(gap) / COUNT(*)) - {logs} / COUNT(*), 0.001)"
    k = f"(3 - {s} + SQRT(({s} - 3) * ({s} - 3) + 24 * {s})) / (12 * {s})"
    return f"CASE WHEN COUNT(*) > 1 THEN LEAST({k}, {MOST_REGULAR}) END"


@feature("gaps")
def regularity_wheat_morrison() -> str:
    """Shape k of gamma distributed gaps from pairs of them (Wheat & Morrison, 1990).

    Of two gaps in a row the share M of the first is beta distributed with both parameters k, whatever the
    pace: its variance v about 1/2 is 1 / (4 (2 k + 1)), hence k = (1 - 4 v) / (8 v). Pairs do not overlap:
    the gaps before the 3rd, 5th, 7th ... purchase, each with the one before it.
    """
    away = "(gap_before / (gap_before + gap) - 0.5)"
    pairs = "FILTER (WHERE nth % 2 = 1)"
    v = f"(SUM(CAST({away} * {away} AS DECIMAL(18, 12))) {pairs} / COUNT(*) {pairs})"
    k = f"COALESCE((1 - 4 * {v}) / (8 * {v}), {MOST_REGULAR})"
    return f"CASE WHEN COUNT(*) > 1 THEN LEAST({k}, {MOST_REGULAR}) END"


@feature("gaps")
def clumpiness() -> str:
    """How far the repeat purchases are from evenly spaced, 0 to 1 (Zhang, Bradlow & Small, 2015).

    H = 1 + sum(x ln x) / ln(n + 1) over the n gaps and, as the last interval, the days from the last purchase
    to the day after the cutoff, each as a share x of all T + 1 days. With g in days that is
    1 + (sum(g ln g) / (T + 1) - ln(T + 1)) / ln(n + 1).
    """
    silent = "(DATE_DIFF('day', MAX(day), $cutoff) + 1)"
    span = f"(SUM(gap) + {silent})"
    terms = f"SUM(CAST(gap * LN(gap) AS DECIMAL(24, 12))) + {silent} * LN({silent})"
    return f"GREATEST(1 + (({terms}) / {span} - LN({span})) / LN(COUNT(*) + 1), 0)"


@feature("streaks")
def streak_now() -> str:
    """Periods of 30 days in a row with a purchase, up to the cutoff; 0 where the last has none."""
    return "COALESCE(MAX(length) FILTER (WHERE last_period = 0), 0)"


@feature("streaks")
def streak_longest() -> str:
    """Most periods of 30 days in a row with a purchase."""
    return "MAX(length)"


@feature("periods")
def active_period_share() -> str:
    """Share of the periods of 30 days with a purchase, from that of the first purchase on."""
    return "COUNT(*) / (MAX(period) + 1)"


@feature("visits")
def weekend_share() -> str:
    """Share of purchase days on a Saturday or Sunday; 1900-01-01 was a Monday."""
    weekday = "DATE_DIFF('day', CAST('1900-01-01' AS DATE), day) % 7"
    return f"COUNT(*) FILTER (WHERE {weekday} >= 5) / COUNT(*)"


@feature("successions", absent=0)
def subscription_share() -> str:
    """Share of the days since the first contract that a contract covered; 1 where it began on the last."""
    return "COALESCE(SUM(days_added) / DATE_DIFF('day', MIN(day), $cutoff), 1)"


@feature("terms")
def auto_renew_share() -> str:
    """Share of the contracts held now that renew by themselves, of those of which it is known."""
    held = "is_active = 1 AND auto_renew"
    return f"COUNT(*) FILTER (WHERE {held}) / COUNT(auto_renew) FILTER (WHERE is_active = 1)"


_EARNED, _REDEEMED = "FILTER (WHERE points > 0)", "FILTER (WHERE points < 0)"
_LATELY = f"DATE_DIFF('day', day, $cutoff) < {POINTS_DAYS}"


@feature("points")
def n_points_earned_days() -> str:
    """Days on which points were earned."""
    return f"COUNT(DISTINCT day) {_EARNED}"


@feature("points", absent=0)
def points_earned_90d() -> str:
    """Points earned in the last 90 days."""
    return f"COALESCE(SUM(points) FILTER (WHERE points > 0 AND {_LATELY}), 0)"


@feature("points", absent=0)
def points_redeemed_90d() -> str:
    """Points redeemed in the last 90 days."""
    return f"COALESCE(-SUM(points) FILTER (WHERE points < 0 AND {_LATELY}), 0)"


@feature("points")
def redemption_share() -> str:
    """Points redeemed over points earned."""
    return f"COALESCE(-SUM(points) {_REDEEMED}, 0) / SUM(points) {_EARNED}"


@feature("points")
def days_since_redemption() -> str:
    """Days since points were last redeemed."""
    return f"DATE_DIFF('day', MAX(day) {_REDEEMED}, $cutoff)"


FEATURES: tuple[Feature, ...] = (
    gap_mean,
    gap_median,
    gap_p90,
    gap_max,
    gap_last,
    gap_cv,
    gap_geometric_mean,
    regularity_ml,
    regularity_wheat_morrison,
    clumpiness,
    days_to_next_expected_purchase,
    streak_now,
    streak_longest,
    active_period_share,
    weekend_share,
    subscription_share,
    auto_renew_share,
    n_points_earned_days,
    points_earned_90d,
    points_redeemed_90d,
    redemption_share,
    days_since_redemption,
)
