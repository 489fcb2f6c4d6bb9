"""Activity: how often, how recently, how much, and whether it changes. The literature's four columns lead.

Trends speak of repeat purchases: everybody has made a first one, so that it would make every newcomer look
like somebody who had slowed down.
"""

from __future__ import annotations

from habitue.features.feature import Feature, feature
from habitue.features.relations import PERIOD_DAYS
from habitue.vocabulary import WINDOW_DAYS

__all__ = ["FEATURES", "LITERATURE", "SEASON_DAYS", "TREND_DAYS"]

TREND_DAYS = 90
"""The last days, cutoff included, that are compared with as many before."""

SEASON_DAYS = 45
"""How far around the cutoff's day of the year its season reaches."""


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
    return "COALESCE((SUM(amount) - ARG_MIN(amount, day)) / (COUNT(*) - 1), 0)"


@feature("visits")
def inactivity() -> str:
    """Days since the last purchase."""
    return "DATE_DIFF('day', MAX(day), $cutoff)"


@feature("visits")
def inactivity_ratio() -> str:
    """Days since the last purchase over the mean gap."""
    return "DATE_DIFF('day', MAX(day), $cutoff) * (COUNT(*) - 1) / DATE_DIFF('day', MIN(day), MAX(day))"


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


@feature("visits")
def spend_last_over_mean() -> str:
    """Amount of the last purchase over the mean of all."""
    return "ARG_MAX(amount, day) * COUNT(*) / SUM(amount)"


@feature("visits")
def spend_cv() -> str:
    """Return the purchases' standard deviation over their mean, from exact sums.

    Purchases of one day above 10 to the 11 count as that: squares must fit into decimals. Widths of 18 and 19
    digits are those of which DuckDB and Spark both keep the product exact. A variance below 1e-14 of the
    squared mean is what rounding leaves of none.
    """
    amount = "LEAST(amount, 99999999999)"
    square = f"CAST({amount} AS DECIMAL(18, 6)) * CAST({amount} AS DECIMAL(19, 6))"
    total = f"CAST(SUM(CAST({amount} AS DECIMAL(18, 6))) AS DOUBLE)"
    ratio = f"(COUNT(*) * CAST(SUM({square}) AS DOUBLE) / ({total} * {total}) - 1)"
    return f"SQRT(CASE WHEN {ratio} <= 1e-14 THEN 0 ELSE {ratio} END * COUNT(*) / (COUNT(*) - 1))"


@feature("gaps")
def inactivity_over_gap_median() -> str:
    """Days since the last purchase over the median gap."""
    return "DATE_DIFF('day', MAX(day), $cutoff) / QUANTILE_DISC(gap, 0.5)"


@feature("gaps")
def inactivity_over_gap_p90() -> str:
    """Days since the last purchase over the gap that nine in ten do not exceed."""
    return "DATE_DIFF('day', MAX(day), $cutoff) / QUANTILE_DISC(gap, 0.9)"


_T = "DATE_DIFF('day', MIN(day), $cutoff)"
_AGE = "DATE_DIFF('day', day, $cutoff)"
_LATE = f"FILTER (WHERE {_AGE} < {TREND_DAYS})"
_EARLY = f"FILTER (WHERE {_AGE} >= {TREND_DAYS} AND {_AGE} < {2 * TREND_DAYS})"


def _ratio_of_windows(late: str, early: str, first: str, one: str) -> str:
    """Compare the last `TREND_DAYS` with those before; `one` purchase more in each keeps few from shouting.

    Who came during the earlier days has been there for a part of them only, and the later sum is brought down
    to as many days; the first purchase is taken off.
    """
    there = f"LEAST({_T} - {TREND_DAYS}, {TREND_DAYS})"
    first = f"CASE WHEN {_T} < {2 * TREND_DAYS} THEN {first} ELSE 0 END"
    return (
        f"CASE WHEN {_T} > {TREND_DAYS} THEN ({late} * {there} / {TREND_DAYS} + {one}) "
        f"/ ({early} - {first} + {one}) END"
    )


@feature("visits")
def purchases_trend_ratio() -> str:
    """Repeat purchases of the last 90 days over those of the 90 days before, one added to each."""
    return _ratio_of_windows(f"COUNT(*) {_LATE}", f"COUNT(*) {_EARLY}", "1", "1")


@feature("visits")
def spend_trend_ratio() -> str:
    """Spend on repeat purchases of the last 90 days over the 90 before, one usual purchase added to each."""
    late, early = f"COALESCE(SUM(amount) {_LATE}, 0)", f"COALESCE(SUM(amount) {_EARLY}, 0)"
    return _ratio_of_windows(late, early, "ARG_MIN(amount, day)", "SUM(amount) / COUNT(*)")


@feature("visits")
def spend_trend_slope() -> str:
    """Least-squares slope of the spend of the last six periods of 30 days, those without a purchase included.

    With periods counted 0 to 5 back from the cutoff it is the sum of (5 - 2 period) / 35 times the amount.
    Missing for who is a customer for less long, so that the first purchase is never among them.
    """
    weight = f"(5 - 2 * ({_AGE} // {PERIOD_DAYS}))"
    inside = f"FILTER (WHERE {_AGE} < {6 * PERIOD_DAYS})"
    return f"CASE WHEN {_T} >= {6 * PERIOD_DAYS} THEN COALESCE(SUM(amount * {weight}) {inside}, 0) / 35 END"


@feature("visits")
def purchases_trend_score() -> str:
    """Laplace's test of a trend in the days of the repeat purchases.

    At a steady pace they are spread evenly over the days 1 to T since the first, whose mean is (T + 1) / 2:
    the sum of what they differ from it, over its standard deviation T sqrt(n / 12), is about standard normal.
    It asks for no amounts and no windows, and a few purchases cannot make it large: n of them sqrt(3 n).
    """
    days = f"(COUNT(*) * {_T} - SUM({_AGE}))"
    return f"(2 * {days} - (COUNT(*) - 1) * ({_T} + 1)) * SQRT(3 / (COUNT(*) - 1)) / {_T}"


@feature("visits")
def season_share() -> str:
    """Share of the earlier purchases that were made at this time of the year.

    Within 45 days of the cutoff's anniversaries, which are 365.25 days apart (1461 quarters of a day), among
    the purchases that are older than 45 days. Missing before one such season has passed in full.
    """
    quarters = f"(4 * {_AGE})"
    season = 4 * SEASON_DAYS
    here = f"({quarters} % 1461 <= {season} OR {quarters} % 1461 >= {1461 - season})"
    older = f"{quarters} > {season}"
    return (
        f"CASE WHEN 4 * {_T} >= {1461 + season} THEN COUNT(*) FILTER (WHERE {older} AND {here}) "
        f"/ COUNT(*) FILTER (WHERE {older}) END"
    )


@feature("gaps")
def days_to_second_purchase() -> str:
    """Days from the first to the second purchase."""
    return "MIN(gap) FILTER (WHERE nth = 2)"


@feature("baskets")
def n_products_first() -> str:
    """Different products in the first purchase."""
    return "ARG_MIN(n_products, day)"


@feature("baskets")
def discount_share_first() -> str:
    """Discounts of the first purchase over what it would have cost without them."""
    return "ARG_MIN(discount, day) / ARG_MIN(amount + discount, day)"


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
    spend_last_over_mean,
    spend_cv,
    days_to_second_purchase,
    n_products_first,
    discount_share_first,
    inactivity_over_gap_median,
    inactivity_over_gap_p90,
    purchases_trend_ratio,
    purchases_trend_score,
    spend_trend_ratio,
    spend_trend_slope,
    season_share,
    *(member for days in WINDOW_DAYS for member in _in_window(days)),
)
