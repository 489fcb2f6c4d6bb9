"""Intervals for shares of customers: one share, and the difference of two shares of the same customers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from habitue.numerics.arrays import FloatArray

__all__ = ["share_difference_interval", "wilson_interval"]

_HALVINGS = 60
"""Of an interval of length 1: beyond what a double tells apart."""


def wilson_interval(
    rate: npt.ArrayLike, count: npt.ArrayLike, *, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's score interval for a share.

    Parameters
    ----------
    rate : array_like of shape (k,)
        Shares that were observed, in [0, 1].
    count : array_like of shape (k,)
        In how many customers, above 0; need not be whole.
    confidence : float
        In (0, 1).

    Returns
    -------
    tuple of two arrays of shape (k,)
        Lower and upper ends, in [0, 1].

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22.

    Examples
    --------
    >>> [end.round(4) for end in wilson_interval([0.0, 0.5], [10.0, 10.0])]
    [array([0.    , 0.2366]), array([0.2775, 0.7634])]
    """
    rate, count = np.asarray(rate, dtype=np.float64), np.asarray(count, dtype=np.float64)
    z2 = norm.ppf(0.5 + confidence / 2.0) ** 2
    centre = (rate + z2 / (2.0 * count)) / (1.0 + z2 / count)
    half = np.sqrt(z2 * (rate * (1.0 - rate) / count + z2 / (4.0 * count**2))) / (1.0 + z2 / count)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def share_difference_interval(
    n_plus: npt.ArrayLike, n_minus: npt.ArrayLike, count: npt.ArrayLike, *, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Return the score interval for the difference of two shares that exclude each other.

    Such as promoters minus detractors among those asked: a customer is one, the other, or neither.

    Parameters
    ----------
    n_plus, n_minus : array_like of shape (k,)
        How many count for and against; together at most `count`.
    count : array_like of shape (k,)
        Customers asked, above 0.
    confidence : float
        In (0, 1).

    Returns
    -------
    tuple of two arrays of shape (k,)
        Lower and upper ends of the share of the one less that of the other, in [-1, 1].

    Notes
    -----
    It holds the differences d that a score test would not refuse: those with
    (n_plus - n_minus - count d)^2 <= z^2 count (2 q + d (1 - d)), where q is the likeliest share against,
    given d. Where all or nobody are for, it keeps its width, which the textbook's interval, estimate +- z
    standard errors, does not.

    References
    ----------
    Tango (1998), Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design, Statistics in Medicine 17.

    Examples
    --------
    >>> lower, upper = share_difference_interval(12, 2, 50)
    >>> float(lower.round(4)), float(upper.round(4))
    (0.0611, 0.3447)
    """
    plus, minus, n = np.broadcast_arrays(
        *(np.asarray(one, dtype=np.float64) for one in (n_plus, n_minus, count))
    )
    z = float(norm.ppf(0.5 + confidence / 2.0))
    estimate = (plus - minus) / n
    return (
        _last_kept(plus, minus, n, z, estimate, np.full_like(estimate, -1.0)),
        _last_kept(plus, minus, n, z, estimate, np.full_like(estimate, 1.0)),
    )


def _last_kept(
    plus: FloatArray, minus: FloatArray, n: FloatArray, z: float, kept: FloatArray, refused: FloatArray
) -> FloatArray:
    """Return the difference furthest from the estimate, towards an end, that the test does not refuse."""
    for _ in range(_HALVINGS):
        middle = (kept + refused) / 2.0
        holds = np.abs(plus - minus - n * middle) <= z * np.sqrt(n * _variance(plus, minus, n, middle))
        kept, refused = np.where(holds, middle, kept), np.where(holds, refused, middle)
    return kept


def _variance(plus: FloatArray, minus: FloatArray, n: FloatArray, d: FloatArray) -> FloatArray:
    """Return the variance of one answer of +1, 0 or -1 at its likeliest, where the difference is d."""
    b = -plus - minus + (2.0 * n - plus + minus) * d
    c = -minus * d * (1.0 - d)
    q = (np.sqrt(np.maximum(b**2 - 8.0 * n * c, 0.0)) - b) / (4.0 * n)
    return np.maximum(2.0 * q + d * (1.0 - d), 0.0)
