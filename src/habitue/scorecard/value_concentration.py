"""How unequal customers are: the Lorenz curve of value, Gini's index, and the share of the best few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from habitue.errors import DataError, SettingsError
from habitue.numerics.arrays import FloatArray
from habitue.scorecard.measures import check_confidence

__all__ = ["lorenz_curve", "value_concentration"]

_TOPS = (0.01, 0.05, 0.1, 0.2)
_LEAST = 1e-12


def lorenz_curve(values: npt.ArrayLike, *, n_points: int = 101) -> pd.DataFrame:
    """Return which share of all value the least valuable customers hold together.

    Parameters
    ----------
    values : array_like of shape (n_customers,)
        Money of each customer, such as spend; the sum above 0. Below 0 where more was returned than bought.
    n_points : int
        Places on the curve, at least 2, evenly spaced.

    Returns
    -------
    DataFrame
        ``share_customers``, from 0 to 1, least valuable first, and ``share_value``, from 0 to 1. Between two
        customers the curve is straight.

    Raises
    ------
    DataError
        Where there is no value, or a value is no finite number.
    SettingsError
        Where `n_points` is below 2.

    References
    ----------
    Lorenz (1905), Methods of measuring the concentration of wealth, Publications of the American Statistical
    Association 9.

    Examples
    --------
    >>> lorenz_curve([1.0, 1.0, 2.0, 6.0], n_points=5)["share_value"].tolist()
    [0.0, 0.1, 0.2, 0.4, 1.0]
    """
    if n_points < 2:
        raise SettingsError(f"A curve needs 2 points or more; got {n_points}.")
    ordered = _ordered(values)
    at = np.linspace(0.0, 1.0, n_points)
    held = np.concatenate([[0.0], np.cumsum(ordered)])
    share = np.interp(at, np.linspace(0.0, 1.0, len(held)), held / held[-1])
    return pd.DataFrame({"share_customers": at, "share_value": share})


def value_concentration(
    values: npt.ArrayLike,
    *,
    tops: Sequence[float] = _TOPS,
    confidence: float = 0.95,
    n_replicates: int = 200,
    random_state: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Return Gini's index and the share of value that the best few per cent of customers hold.

    Parameters
    ----------
    values : array_like of shape (n_customers,)
        As `lorenz_curve`.
    tops : sequence of float
        Shares of customers, in (0, 1).
    confidence : float
        Of the intervals, in (0, 1).
    n_replicates : int
        Bootstrap draws of customers, at least 20.
    random_state : int or numpy.random.Generator
        Source of chance.

    Returns
    -------
    DataFrame
        ``measure`` ("gini", "top 1 %", ...), ``value``, ``lower``, ``upper`` and ``n`` customers. One
        customer has no interval.

    Raises
    ------
    DataError
        Where there is no value, or a value is no finite number.
    SettingsError
        Where a share, the confidence or the number of draws is none.

    Notes
    -----
    Gini is twice the area between the Lorenz curve and the diagonal: 0 where all are alike, 1 - 1/n where one
    of n has everything, and above that only where values below 0 are among them. Where a top share is no
    whole number of customers, the last one counts in part.

    Intervals are basic bootstrap intervals (the estimate less the errors that the draws make), since the
    replicates lie too low, and on log odds where no value is below 0. They treat the customers as a sample of
    customers like them. Where spend is very skewed they are a little short: of lognormal values with a
    standard deviation of 1.2 on the log scale, 95 % intervals held the truth in 83 to 91 % of samples of 200
    customers and in 91 to 94 % of samples of 1,000.

    References
    ----------
    Davison and Hinkley (1997), Bootstrap Methods and their Application, section 5.2.

    Examples
    --------
    >>> found = value_concentration([1.0] * 90 + [10.0] * 10, tops=[0.1])
    >>> found[["measure", "value"]].round(3).to_numpy().tolist()
    [['gini', 0.426], ['top 10 %', 0.526]]
    """
    _check(tops, confidence, n_replicates)
    ordered = _ordered(values)
    n, shares = len(ordered), np.asarray(tops, dtype=np.float64)
    found = _measured(ordered, np.ones(n), shares)
    rng = np.random.default_rng(random_state)
    ends = np.full((2, len(found)), np.nan)
    if n > 1:
        drawn = np.array(
            [
                _measured(ordered, np.bincount(rng.integers(n, size=n), minlength=n).astype(float), shares)
                for _ in range(n_replicates)
            ]
        )
        tail = (1.0 - confidence) / 2.0
        odds = ordered[0] >= 0.0
        errors = np.quantile(_straightened(drawn, odds=odds), [1.0 - tail, tail], axis=0)
        ends = 2.0 * _straightened(found, odds=odds) - errors
        ends = expit(ends) if odds else ends
    return pd.DataFrame(
        {
            "measure": ["gini", *(f"top {100.0 * one:g} %" for one in tops)],
            "value": found,
            "lower": ends[0],
            "upper": ends[1],
            "n": n,
        }
    )


def _measured(ordered: FloatArray, weight: FloatArray, shares: FloatArray) -> FloatArray:
    """Return Gini's index and the top shares of customers who each count as often as their weight."""
    held = np.concatenate([[0.0], np.cumsum(ordered * weight)])
    people = np.concatenate([[0.0], np.cumsum(weight)])
    if held[-1] <= 0.0:
        return np.full(1 + len(shares), np.nan)
    curve, at = held / held[-1], people / people[-1]
    gini = 1.0 - float(np.sum(np.diff(at) * (curve[1:] + curve[:-1])))
    return np.concatenate([[gini], 1.0 - np.interp(1.0 - shares, at, curve)])


def _straightened(shares: FloatArray, *, odds: bool) -> FloatArray:
    """Return log odds, which no interval can pass; what may lie outside of 0 and 1 as it is."""
    return logit(np.clip(shares, _LEAST, 1.0 - _LEAST)) if odds else shares


def _ordered(values: npt.ArrayLike) -> FloatArray:
    given = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if not np.isfinite(given).all():
        raise DataError("Values must be finite numbers; leave out customers whose value is not known.")
    if not given.sum() > 0.0:
        raise DataError(
            f"The values of {len(given):,} customers sum to {given.sum():g}: there is nothing to share."
        )
    return given


def _check(tops: Sequence[float], confidence: float, n_replicates: int) -> None:
    if not all(0.0 < one < 1.0 for one in tops):
        raise SettingsError(f"Top shares must lie between 0 and 1, e.g. 0.2; got {list(tops)}.")
    check_confidence(confidence)
    if n_replicates < 20:
        raise SettingsError(f"n_replicates must be at least 20; got {n_replicates}.")
