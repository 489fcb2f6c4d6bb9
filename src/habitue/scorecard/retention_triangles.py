"""Who of each cohort is still there, period by period: the cohort retention triangle."""

from __future__ import annotations

import numpy as np
import pandas as pd

from habitue.numerics.arrays import FloatArray
from habitue.numerics.shares import wilson_interval
from habitue.numerics.skewed_means import mean_interval, ratio_interval
from habitue.records import History
from habitue.scorecard.audit_records import PRODUCTS, Period, cohort_periods
from habitue.scorecard.measures import check_confidence

__all__ = ["retention_triangle", "triangle_of"]

_COLUMNS = (
    "cohort", "age", "n_customers", "n_active", "share_active", "lower", "upper", "revenue", "revenue_lower",
    "revenue_upper", "revenue_share", "revenue_share_lower", "revenue_share_upper",
)  # fmt: skip


def retention_triangle(
    history: History, *, period: Period = "month", confidence: float = 0.95
) -> pd.DataFrame:
    """Return which share of each cohort was active, and what it spent, in each period of its life.

    Parameters
    ----------
    history : History
        What was known.
    period : {"week", "month", "quarter", "year"}
        Of the calendar.
    confidence : float
        Of the intervals, in (0, 1).

    Returns
    -------
    DataFrame
        A row for every cohort and every age that any cohort has: ``cohort`` (its first day), ``age`` (periods
        since then, from 0), ``n_customers`` (of the cohort), ``n_active``, ``share_active`` in [0, 1] with
        ``lower`` and ``upper`` (Wilson's), ``revenue`` (money, returns taken off) and ``revenue_share`` (of
        that of age 0), each with ``_lower`` and ``_upper``. Cells whose period had not ended at the cutoff
        are NaN.

    Raises
    ------
    SettingsError
        Where there is no such period, or the confidence is none.

    Notes
    -----
    Active is who bought in the period; under contract, who had one running when it ended. Intervals treat
    the cohort as a sample of customers like them; they say nothing of the next cohort. Those of revenue take
    each customer as one draw, whatever the number of orders, and its skewness out: a few large customers make
    them wide (`habitue.numerics.skewed_means`). The first period of a cohort is cut: who came on its last day
    had one day in it. Age 0 is compared with itself: its share has no interval.

    References
    ----------
    Fader, Hardie, and Ross (2022), The Customer-Base Audit, Wharton School Press.

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> triangle = retention_triangle(cdnow(sample=True).until("1997-12-31"), period="quarter")
    >>> triangle[["age", "n_active", "share_active"]].round(3).to_numpy().tolist()
    [[0.0, 2357.0, 1.0], [1.0, 524.0, 0.222], [2.0, 418.0, 0.177], [3.0, 404.0, 0.171]]
    """
    check_confidence(confidence)
    return triangle_of(cohort_periods(history, period=period, products=True), confidence=confidence)


def triangle_of(cells: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Return the triangle of what `habitue.scorecard.audit_records.cohort_periods` counted.

    Parameters
    ----------
    cells : DataFrame
        Of `cohort_periods`, with products.
    confidence : float
        Of the intervals, in (0, 1).

    Returns
    -------
    DataFrame
        As `retention_triangle`.
    """
    sizes = cells.groupby("cohort")["n_customers"].first()
    every = pd.MultiIndex.from_product([sizes.index, range(int(cells["age"].to_numpy(np.int64).max()) + 1)])
    ended = cells.loc[cells["complete"]].set_index(["cohort", "age"])[["n_active", "spend", *PRODUCTS]]
    table = (
        ended.astype(float).reindex(every.set_names(["cohort", "age"])).rename(columns={"spend": "revenue"})
    )
    table = table.reset_index()
    table.insert(2, "n_customers", table["cohort"].map(sizes).astype("int64"))
    share = (table["n_active"] / table["n_customers"]).to_numpy(np.float64)
    lower, upper = wilson_interval(share, table["n_customers"].to_numpy(np.float64), confidence=confidence)
    table = table.assign(share_active=share, lower=lower, upper=upper)
    return table.assign(**_revenue(table, confidence))[list(_COLUMNS)]


def _revenue(table: pd.DataFrame, confidence: float) -> dict[str, FloatArray]:
    """Return the ends of the cohorts' revenue, and its share of that at age 0 with its ends."""
    n, y, yy, yx, yyy, yyx, yxx = (
        table[name].to_numpy(np.float64) for name in ("n_customers", "revenue", *PRODUCTS)
    )
    x, xx, xxx = (_at_first(table, name) for name in ("revenue", "yy", "yyy"))
    # What began with nothing, or with more returned than bought, has no share.
    x = np.where(x > 0.0, x, np.nan)
    means = mean_interval(y, yy, yyy, n, confidence=confidence)
    shares = ratio_interval(y, x, (yy, yx, xx, yyy, yyx, yxx, xxx), n, confidence=confidence)
    return {
        "revenue_lower": n * means[0],
        "revenue_upper": n * means[1],
        "revenue_share": y / x,
        "revenue_share_lower": shares[0],
        "revenue_share_upper": shares[1],
    }


def _at_first(table: pd.DataFrame, name: str) -> FloatArray:
    first = table[name].where(table["age"] == 0).groupby(table["cohort"]).transform("first")
    return first.to_numpy(np.float64)
