r"""What a BG/BB customer may still do: how many opportunities he uses, and which.

Given that a customer is there, he stays for i more opportunities and uses n of them: a beta-binomial number,
mixed over how long he stays. The mixture has no closed form, so it is summed and drawn here, for
:mod:`habitue.numerics.bgbb`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray
from habitue.numerics.beta_ratio import log_beta_ratio
from habitue.numerics.long_sums import short_stretches

__all__ = ["Standing", "chance_of_uses", "draw_uses"]

_OPPORTUNITIES_AT_ONCE = 2**22


class Standing(NamedTuple):
    """What is known of each customer who is there at T.

    Attributes
    ----------
    log_is_there : ndarray of shape (n_customers,)
        Log of the probability that he is.
    a, b : ndarray of shape (n_customers,)
        Beta distribution of his probability to buy at an opportunity.
    gamma, d : ndarray of shape (n_customers,)
        Beta distribution of his probability to leave before one.
    """

    log_is_there: FloatArray
    a: FloatArray
    b: FloatArray
    gamma: FloatArray
    d: FloatArray


def chance_of_uses(standing: Standing, t: FloatArray, n: FloatArray) -> FloatArray:
    """Return the probability to use exactly n of the next t opportunities.

    Parameters
    ----------
    standing : Standing
        What is known.
    t : ndarray of shape (n_customers,)
        Opportunities ahead, whole.
    n : ndarray of shape (n_customers,)
        Numbers of purchases, whole, 0 < n <= t.

    Returns
    -------
    ndarray of shape (n_customers,)
        Probabilities.

    Notes
    -----
    The chance of the first term of each stretch of 128 is a closed form, from which its other terms follow by
    recurrence: so errors do not grow with t. Logarithms, because the terms rise before they fall.

    Examples
    --------
    >>> one = np.ones(1)
    >>> chance_of_uses(Standing(0.0 * one, one, one, one, one), one, one).round(12).tolist()
    [0.25]
    """
    log_is_there, a, b, gamma, d = standing
    start = log_is_there + log_beta_ratio(b, a, n)  # to use each of n opportunities
    total = np.exp(start + _log_use_of(a, b, gamma, d, n, t - n))
    for rows, k, counts in short_stretches(t - n, until=int((t - n).max(initial=0.0))):
        a_, b_, gamma_, d_, n_ = (array[rows, None] for array in (a, b, gamma, d, n))
        first = start[rows, None] + _log_use_of(a_, b_, gamma_, d_, n_, k[:1])
        i = n_ + k
        bought = np.log((i + 1.0) / (k + 1.0)) - np.log1p((a_ + n_) / (b_ + k))
        steps = bought - np.log1p(gamma_ / (d_ + i))
        used = first + np.concatenate([np.zeros((rows.size, 1)), np.cumsum(steps, axis=1)[:, :-1]], axis=1)
        total[rows] += np.where(counts, np.exp(used) * (gamma_ / (gamma_ + d_ + i)), 0.0).sum(axis=1)
    return total


def draw_uses(
    n_opportunities: npt.NDArray[np.int64], p: FloatArray, random_state: np.random.Generator
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Draw which opportunities are used.

    Parameters
    ----------
    n_opportunities : ndarray of int of shape (n_customers,)
        How many each customer stays for.
    p : ndarray of shape (n_customers,)
        His probability to use each of them.
    random_state : Generator
        Where chance comes from.

    Returns
    -------
    customer : ndarray of int of shape (n_purchases,)
        Position of the customer, ascending.
    number : ndarray of shape (n_purchases,)
        Number of the opportunity, from 1, ascending within a customer.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> [array.tolist() for array in draw_uses(np.array([2, 0, 1]), np.ones(3), rng)]
    [[0, 0, 2], [1.0, 2.0, 1.0]]
    """
    block = np.cumsum(n_opportunities) // _OPPORTUNITIES_AT_ONCE
    customers: list[npt.NDArray[np.intp]] = [np.empty(0, dtype=np.intp)]
    numbers: list[FloatArray] = [np.empty(0)]
    for which in np.split(np.arange(p.size), np.flatnonzero(np.diff(block)) + 1):
        count = n_opportunities[which]
        customer = np.repeat(which, count)
        is_used = random_state.random(customer.size) < np.repeat(p[which], count)
        before = np.cumsum(count) - count
        number = np.arange(1.0, customer.size + 1.0) - np.repeat(before, count)
        customers.append(customer[is_used])
        numbers.append(number[is_used])
    return np.concatenate(customers), np.concatenate(numbers)


def _log_use_of(
    a: FloatArray, b: FloatArray, gamma: FloatArray, d: FloatArray, n: FloatArray, k: FloatArray
) -> FloatArray:
    """Return the log of the chance to stay for n + k and use n, over that to use the first n.

    The number of ways, (n + k)! / (n! k!), is itself a ratio of Beta functions.
    """
    ways = -log_beta_ratio(n, 1.0, k)
    return ways + log_beta_ratio(a + n, b, k) + log_beta_ratio(gamma, d, n + k)
