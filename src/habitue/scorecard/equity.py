"""Measures of predicted value: of a customer, and of the whole base.

The base is known in full; what is not known is the future. So the interval is that of the prediction: each
customer's own chance; where draws of the total are given, what all customers share because the model's
parameters are not known exactly; and, where that is known, how far off the model's totals were before.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.numerics.arrays import FloatArray
from habitue.scorecard.estimates import Estimate, Evidence, column
from habitue.scorecard.plan import Plan
from habitue.vocabulary import one_or_many

__all__ = ["of_scores", "read_scores"]

_OWN = "the interval holds the customers' own chance alone, not the error that all predictions share"
_SHARED = "the interval has the posterior's draws of the total in it"
_NO_SPREAD = "no interval: the scores have no clv_lower and clv_upper"
_FEWEST_DRAWS = 100


def read_scores(scores: pd.DataFrame, people: pd.DataFrame, plan: Plan, *, level: float) -> pd.DataFrame:
    """Return scores with the columns to cut by, or say what is wrong with them.

    Parameters
    ----------
    scores : DataFrame
        customer_id (index or column), clv, and optionally clv_lower, clv_upper, cutoff and horizon (days).
    people : DataFrame
        `tallies.labels`.
    plan : Plan
        What was asked for.
    level : float
        Probability that clv_lower and clv_upper hold.

    Returns
    -------
    DataFrame
        Indexed as `people`: clv, sd and horizon (NaN where unknown), and the columns of `people`.

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
    horizon = frame["horizon"].to_numpy(dtype=np.float64) if "horizon" in frame else math.nan
    told = people.iloc[place].assign(clv=clv, sd=_spread(frame, level), horizon=horizon)
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


def of_scores(
    scored: pd.DataFrame, plan: Plan, *, draws: npt.ArrayLike | None, bias: tuple[float, float] | None = None
) -> list[Evidence]:
    """Return mean value and customer equity.

    Parameters
    ----------
    scored : DataFrame
        From `read_scores`.
    plan : Plan
        What was asked for.
    draws : array_like of shape (n_draws,), optional
        Possible values of all scored customers together, such as ``CLVDistribution.total``.
    bias : tuple of float, optional
        Ends of the interval for the predicted total over the actual one, less 1, on held-out days.

    Raises
    ------
    DataError
        Where draws are too few, or not of these customers.
    SettingsError
        Where bias is none.

    Notes
    -----
    Customers on their own give the variance sum(sd^2). What the draws vary by beyond it is shared by all; a
    group bears it by its share of the equity. The interval of all customers is that of the draws themselves,
    moved to the equity of the scores.

    Where a bias from b to c is given the interval is widened until it holds E / (1 + c) to E / (1 + b), what
    the equity E comes to should the model be off again as it was. It then holds whether that was the model's
    fault or chance. A season that the held-out days did not have is in no interval.
    """
    total = math.fsum(column(scored, "clv"))
    drawn = None if draws is None else _read_draws(draws, total)
    off = _read_bias(bias)

    def equity(rows: pd.DataFrame) -> Estimate:
        told = (
            _independent(rows, plan.confidence)
            if drawn is None
            else _with_draws(rows, scored, drawn, plan.confidence)
        )
        return told if off is None else _as_off_as_before(told, *off)

    days = np.unique(column(scored, "horizon"))
    note = f"within {days[0]:g} days" if len(days) == 1 and math.isfinite(days[0]) else ""
    return [
        Evidence("clv", scored, _mean_of(equity), note=note),
        Evidence("customer_equity", scored, equity, note=note),
    ]


def _independent(rows: pd.DataFrame, confidence: float) -> Estimate:
    """Return the equity of customers who have nothing but their own chance."""
    value = math.fsum(column(rows, "clv"))
    half = _half(math.fsum(column(rows, "sd") ** 2), confidence)
    return Estimate(value, value - half, value + half, len(rows), _OWN if half == half else _NO_SPREAD)


def _with_draws(rows: pd.DataFrame, scored: pd.DataFrame, drawn: FloatArray, confidence: float) -> Estimate:
    """Return the equity of customers who share the draws' error, too."""
    value, tail = math.fsum(column(rows, "clv")), 0.5 + confidence / 2.0
    if len(rows) == len(scored):
        ends = np.quantile(drawn - drawn.mean(), [1.0 - tail, tail], method="weibull")
        return Estimate(value, value + float(ends[0]), value + float(ends[1]), len(rows), _SHARED)
    total, everybody = math.fsum(column(scored, "clv")), float(np.nansum(column(scored, "sd") ** 2))
    share = value / total if total else 0.0
    shared = max(float(np.var(drawn, ddof=1)) - everybody, 0.0) * share**2
    half = _half(shared + float(np.nansum(column(rows, "sd") ** 2)), confidence)
    return Estimate(value, value - half, value + half, len(rows), _SHARED)


def _as_off_as_before(told: Estimate, least: float, most: float) -> Estimate:
    """Widen an interval until it holds what comes if the model is off as it was on held-out days."""
    if not math.isfinite(told.lower):
        return told
    others = (told.value / (1.0 + most), told.value / (1.0 + least))
    off = (
        f"the interval holds that the model's totals were off by {least:+.0%} to {most:+.0%} on held-out days"
    )
    note = "" if told.note == _OWN else told.note
    return told._replace(
        lower=min(told.lower, *others),
        upper=max(told.upper, *others),
        note="; ".join(filter(None, (note, off))),
    )


def _half(variance: float, confidence: float) -> float:
    return float(norm.ppf(0.5 + confidence / 2.0)) * math.sqrt(variance)


def _read_bias(bias: tuple[float, float] | None) -> tuple[float, float] | None:
    if bias is not None and not -1.0 < bias[0] <= bias[1] < math.inf:
        raise SettingsError(
            "equity_bias is how far the predicted total was off, as ends of an interval above -1, such as "
            f"(-0.2, 0.05); got {bias}."
        )
    return bias


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
