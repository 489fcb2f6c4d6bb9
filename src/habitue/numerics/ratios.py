"""Intervals for ratios of sums over customers, each of whom may bring several records: spend over orders.

Customers are the units that were drawn, not their orders: a customer's records are alike, and the interval
has to know it. Shares of one record a customer are simpler: `habitue.numerics.shares`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from habitue.numerics.arrays import FloatArray, floats
from habitue.numerics.shares import wilson_interval
from habitue.numerics.skewed_means import unskewed

__all__ = ["Ratio", "clustered_ratio", "clustered_share", "effective_size"]


class Ratio(NamedTuple):
    """A ratio of sums with its interval; ends are NaN where one customer, or none who differs, tells."""

    value: float
    lower: float
    upper: float


def clustered_ratio(
    numerator: npt.ArrayLike, denominator: npt.ArrayLike, *, confidence: float = 0.95
) -> Ratio:
    r"""Return a ratio of sums, such as spend over orders, with an interval that minds customers and skew.

    Parameters
    ----------
    numerator : array_like of shape (n_customers,)
        What each customer adds above the line, such as money spent.
    denominator : array_like of shape (n_customers,)
        What each adds below it, such as orders; 0 or more, not all 0.
    confidence : float
        In (0, 1).

    Returns
    -------
    Ratio
        NaN ends where fewer than two customers tell, or all have the same ratio.

    Notes
    -----
    Linearised: with R the ratio, a customer moves it by e = (y - R x) / mean(x), and its standard error is
    that of the mean of e, with whole customers as units. Spend is skewed, and the textbook's interval R +- t
    standard errors then ends too early above. So the ends are those of Hall's transformation, which takes out
    the skewness g of e: with n customers and u = +-t / sqrt(n),

    .. math:: R - s \frac{3}{g} \left( \left(1 + g (u - g / (6 n))\right)^{1/3} - 1 \right) .

    It costs one pass and no draws, unlike the bootstrap whose accuracy it matches to second order.

    References
    ----------
    Hall, P. (1992). On the removal of skewness by transformation. Journal of the Royal Statistical Society B
    54(1), 221-228.

    Examples
    --------
    >>> told = clustered_ratio([20.0, 30.0, 90.0, 25.0], [2.0, 3.0, 3.0, 2.0])
    >>> told.value, round(told.lower, 2), round(told.upper, 2)
    (16.5, 4.62, 75.76)
    """
    above, below = floats(numerator, denominator)
    value = _quotient(above, below)
    there = (above != 0.0) | (below != 0.0)
    n = int(there.sum())
    if n < 2 or not math.isfinite(value):
        return Ratio(value, math.nan, math.nan)
    moved = (above - value * below)[there] * (n / below.sum())
    spread = math.sqrt(float(np.mean(moved**2)) * n / (n - 1))
    if spread <= 1e-12 * max(abs(value), 1e-300):
        return Ratio(value, math.nan, math.nan)
    skew = float(np.mean(moved**3)) / float(np.mean(moved**2)) ** 1.5
    reach = float(t.ppf(0.5 + confidence / 2.0, n - 1)) / math.sqrt(n)
    lower, upper = (value - spread * float(unskewed(end, skew, n)) for end in (reach, -reach))
    return Ratio(value, lower, upper)


def clustered_share(part: npt.ArrayLike, whole: npt.ArrayLike, *, confidence: float = 0.95) -> Ratio:
    """Return a share of records or of money, of which customers hold several each, with its interval.

    Parameters
    ----------
    part : array_like of shape (n_customers,)
        What of each customer counts, such as contacts answered; from 0 to `whole`.
    whole : array_like of shape (n_customers,)
        What each customer has, such as contacts; 0 or more, not all 0.
    confidence : float
        In (0, 1).

    Returns
    -------
    Ratio
        In [0, 1].

    Notes
    -----
    Wilson's interval with the number of independent records that would tell as much (`effective_size`).

    References
    ----------
    Korn, E. L. and Graubard, B. I. (1998). Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data. Survey Methodology 24(2), 193-201.

    Examples
    --------
    >>> told = clustered_share([1.0, 0.0, 3.0, 0.0], [2.0, 1.0, 4.0, 3.0])
    >>> told.value, round(told.lower, 2), round(told.upper, 2)
    (0.4, 0.06, 0.87)
    """
    counted, held = floats(part, whole)
    value = _quotient(counted, held)
    if not math.isfinite(value):
        return Ratio(value, math.nan, math.nan)
    there = held > 0.0
    size = effective_size(counted[there], held[there])
    n = int(there.sum())
    # Few customers estimate their own spread badly: Student's quantile instead of the normal one.
    if n > 1:
        tail = 0.5 + confidence / 2.0
        size *= (float(norm.ppf(tail)) / float(t.ppf(tail, n - 1))) ** 2
    ends = wilson_interval([value], [size], confidence=confidence)
    return Ratio(value, *(float(end[0]) for end in ends))


def effective_size(part: FloatArray, whole: FloatArray) -> float:
    """Return how many independent records would tell a share as surely as these customers do.

    Parameters
    ----------
    part : ndarray of shape (n_customers,)
        What of each customer counts.
    whole : ndarray of shape (n_customers,)
        What each customer has, above 0.

    Returns
    -------
    float
        At least 1. Where all or nothing counts the spread is not known, and it is the number of customers,
        less where few of them hold most (Kish): a customer then counts as one record.

    Examples
    --------
    >>> effective_size(np.array([1.0, 0.0, 1.0, 0.0]), np.ones(4))
    3.0
    >>> effective_size(np.array([5.0, 0.0, 5.0, 0.0]), np.full(4, 5.0))
    3.0
    """
    n, total = len(whole), float(whole.sum())
    share = float(part.sum()) / total
    kish = total**2 / float(np.sum(whole**2))
    variance = float(np.sum((part - share * whole) ** 2)) / total**2
    if n < 2 or variance <= 1e-15:
        return max(kish, 1.0)
    return max(share * (1.0 - share) / (variance * n / (n - 1)), 1.0)


def _quotient(above: FloatArray, below: FloatArray) -> float:
    """Return the ratio of sums; exact sums do not depend on the order of customers."""
    total = math.fsum(below)
    return math.fsum(above) / total if total > 0.0 else math.nan
