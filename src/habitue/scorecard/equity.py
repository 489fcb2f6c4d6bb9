"""Measures of predicted value: of a customer, and of the whole base.

The base is known in full; what is not known is the future. So the interval is that of the prediction: each
customer's own chance, and, where draws of the total are given, what all customers share because the model's
parameters are not known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from habitue.errors import DataError, SchemaError
from habitue.numerics.arrays import FloatArray
from habitue.scorecard.estimates import Estimate, Evidence, column
from habitue.scorecard.plan import Plan
from habitue.vocabulary import one_or_many

__all__ = ["of_scores", "read_scores"]

_OWN = "the interval takes customers as independent: hand in draws of the total for what they share"
_SHARED = "the interval has the posterior's draws of the total in it"
_NO_SPREAD = "no interval: the scores have no clv_lower and clv_upper"
_FEWEST_DRAWS = 100


def read_scores(scores: pd.DataFrame, people: pd.DataFrame, plan: Plan, *, level: float) -> pd.DataFrame:
    """Return scores with the columns to cut by, or say what is wrong with them.

    Parameters
    ----------
    scores : DataFrame
        customer_id (index or column), clv, and optionally clv_lower, clv_upper and cutoff.
    people : DataFrame
        `tallies.labels`.
    plan : Plan
        What was asked for.
    level : float
        Probability that clv_lower and clv_upper hold.

    Returns
    -------
    DataFrame
        Indexed as `people`: clv, sd (NaN where unknown), and the columns of `people`.

    Raises
    ------
    SchemaError
        Where a column is missing.
    DataError
        Where a customer stands there twice, is not known, or has no value; or the scores are of another day.
    """
    frame = scores if scores.index.name == "customer_id" else _by_customer(scores)
    if "clv" not in frame:
        raise SchemaError(
            f"Scores must have the column clv; there are {', '.join(map(str, frame.columns))}. Leave scores "
            "out for a scorecard without customer equity."
        )
    _refuse_other_day(frame, plan)
    place = pd.Index(people.index.astype(str)).get_indexer(pd.Index(frame.index.astype(str)))
    clv = frame["clv"].to_numpy(dtype=np.float64)
    _refuse_rows(frame, place, clv)
    told = people.iloc[place].assign(clv=clv, sd=_spread(frame, level))
    return told.sort_index()


def _by_customer(scores: pd.DataFrame) -> pd.DataFrame:
    if "customer_id" not in scores:
        raise SchemaError(
            f"Scores must name the customer in customer_id; there are {', '.join(map(str, scores.columns))}."
        )
    return scores.set_index("customer_id")


def _refuse_other_day(frame: pd.DataFrame, plan: Plan) -> None:
    if "cutoff" not in frame:
        return
    days = pd.to_datetime(frame["cutoff"]).dt.date.unique()
    if len(days) != 1 or days[0] != plan.history.cutoff:
        told = ", ".join(map(str, sorted(days)[:3]))
        raise DataError(
            f"Scores and records must be of one day: the scores are of {told}, the scorecard ends on "
            f"{plan.history.cutoff}. Score the base at that day, or end the scorecard on that of the scores."
        )


def _refuse_rows(frame: pd.DataFrame, place: npt.NDArray[np.intp], clv: FloatArray) -> None:
    for bad, what in (
        (frame.index.duplicated(), "stand there more than once"),
        (place < 0, "are not in the log by its end"),
        (~np.isfinite(clv), "have no clv"),
    ):
        if bad.any():
            raise DataError(
                f"{one_or_many(int(bad.sum()), 'row')} of the scores {what}, such as customer "
                f"{frame.index[bad][0]}: hand in one row for each customer of the log."
            )


def _spread(frame: pd.DataFrame, level: float) -> FloatArray:
    """Return standard deviations from the widths of intervals, as of a normal distribution."""
    if not {"clv_lower", "clv_upper"} <= set(frame.columns):
        return np.full(len(frame), np.nan)
    width = frame["clv_upper"].to_numpy(dtype=np.float64) - frame["clv_lower"].to_numpy(dtype=np.float64)
    if (width < 0).any():
        raise DataError(
            f"clv_lower must not be above clv_upper; it is in {one_or_many(int((width < 0).sum()), 'row')}."
        )
    return width / (2.0 * float(norm.ppf(0.5 + level / 2.0)))


def of_scores(scored: pd.DataFrame, plan: Plan, *, draws: npt.ArrayLike | None) -> list[Evidence]:
    """Return mean value and customer equity.

    Parameters
    ----------
    scored : DataFrame
        From `read_scores`.
    plan : Plan
        What was asked for.
    draws : array_like of shape (n_draws,), optional
        Possible values of all scored customers together, such as ``CLVDistribution.total``.

    Raises
    ------
    DataError
        Where draws are too few, or not of these customers.

    Notes
    -----
    Customers on their own give the variance sum(sd^2). What the draws vary by beyond it is shared by all; a
    group bears it by its share of the equity. The interval of all customers is that of the draws themselves,
    moved to the equity of the scores.
    """
    total = math.fsum(column(scored, "clv"))
    drawn = None if draws is None else _read_draws(draws, total)
    tail = 0.5 + plan.confidence / 2.0

    def equity(rows: pd.DataFrame) -> Estimate:
        value = math.fsum(column(rows, "clv"))
        own = math.fsum(column(rows, "sd") ** 2)
        if drawn is None:
            half, note = float(norm.ppf(tail)) * math.sqrt(own), _OWN if own == own else _NO_SPREAD
            return Estimate(value, value - half, value + half, len(rows), note)
        if len(rows) == len(scored):
            ends = np.quantile(drawn - drawn.mean(), [1.0 - tail, tail], method="weibull")
            return Estimate(value, value + float(ends[0]), value + float(ends[1]), len(rows), _SHARED)
        everybody = np.nansum(column(scored, "sd") ** 2)
        shared = (
            max(float(np.var(drawn, ddof=1)) - float(everybody), 0.0) * (value / total if total else 0.0) ** 2
        )
        half = float(norm.ppf(tail)) * math.sqrt(shared + (own if own == own else 0.0))
        return Estimate(value, value - half, value + half, len(rows), _SHARED)

    return [Evidence("clv", scored, _mean_of(equity)), Evidence("customer_equity", scored, equity)]


def _mean_of(equity: Callable[[pd.DataFrame], Estimate]) -> Callable[[pd.DataFrame], Estimate]:
    def estimate(rows: pd.DataFrame) -> Estimate:
        told, n = equity(rows), len(rows)
        return Estimate(told.value / n, told.lower / n, told.upper / n, n, told.note)

    return estimate


def _read_draws(draws: npt.ArrayLike, total: float) -> FloatArray:
    drawn = np.asarray(draws, dtype=np.float64).ravel()
    if len(drawn) < _FEWEST_DRAWS or not np.isfinite(drawn).all():
        raise DataError(
            f"equity_draws must be {_FEWEST_DRAWS} or more possible values of the whole base, finite; got "
            f"{one_or_many(len(drawn), 'value')}."
        )
    spread = float(np.std(drawn, ddof=1))
    if abs(float(drawn.mean()) - total) > max(0.1 * abs(total), 3.0 * spread):
        raise DataError(
            f"equity_draws average {drawn.mean():,.2f}, the scores add up to {total:,.2f}: draw the total of "
            "the same customers, horizon and day."
        )
    return drawn
