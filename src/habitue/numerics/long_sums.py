r"""Sums over very many periods, in a few dozen terms each.

How long customers stay is told period by period, so the discrete families sum over periods: tens of them, or
a hundred thousand. The first thousand are added one by one. Beyond, the terms change slowly with the period,
and a stretch of N of them is summed by 24: the Gauss rule of the counting measure on 0, ..., N - 1, which
does for sums what Gauss-Legendre does for integrals, with no remainder to estimate at the ends.

The stretches double in length. The summands of this package are means of e^(-c i) over some positive c, so
one that falls by e^-s within a stretch has fallen by e^-s before it: where 24 nodes would not do, nothing is
left to sum. This is not a summation routine for other sequences: it has no error estimate.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray, Rows
from habitue.numerics.many_rows import cut

__all__ = ["ONE_BY_ONE", "counting_rule", "long_stretches", "short_stretches"]

ONE_BY_ONE = 1024
"""How many terms are added one by one before stretches begin."""

_N_NODES = 24
_WIDTH = 128
_ROWS_AT_ONCE = 2048  # bounds the memory of (rows x terms) work arrays to some megabytes each


def counting_rule(n_terms: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return points and weights that stand in for 0, 1, ..., N - 1 when a sum is taken.

    Parameters
    ----------
    n_terms : array_like of shape (n_rules,)
        The numbers N, whole, > 0.

    Returns
    -------
    points, weights : ndarray of shape (n_rules, 24)
        ``(weights * f(points)).sum(axis=1)`` is the sum of f(i), i < N: exactly so for any f where N <= 24
        and for polynomials up to degree 47 elsewhere.

    Notes
    -----
    Golub-Welsch with the recurrence of the discrete Chebyshev (Gram) polynomials, whose off-diagonal is
    N/2 k sqrt((1 - k^2 / N^2) / (4 k^2 - 1)).

    References
    ----------
    Gautschi, W. (2004). Orthogonal Polynomials: Computation and Approximation. Oxford, section 1.5.2.

    Examples
    --------
    >>> points, weights = counting_rule([1000.0])
    >>> round(float((weights * points**2).sum())) == sum(i**2 for i in range(1000))
    True
    """
    n = np.asarray(n_terms, dtype=np.float64).reshape(-1, 1)
    k = np.arange(1.0, _N_NODES)
    matrices = np.zeros((n.size, _N_NODES, _N_NODES))
    inside = np.maximum(1.0 - (k / n) ** 2, 0.0)
    matrices[:, np.arange(1, _N_NODES), np.arange(_N_NODES - 1)] = k * np.sqrt(inside / (4.0 * k**2 - 1.0))
    nodes, vectors = np.linalg.eigh(matrices)  # reads the lower triangle only
    few, index = n <= _N_NODES, np.arange(float(_N_NODES))
    points = np.where(few, np.minimum(index, n - 1.0), 0.5 * (n - 1.0 + n * nodes))
    return points, np.where(few, index < n, n * vectors[:, 0, :] ** 2)


def short_stretches(
    n_terms: FloatArray, until: int = ONE_BY_ONE
) -> Iterator[tuple[Rows, FloatArray, npt.NDArray[np.bool_]]]:
    """Yield the periods that are added one by one, at most 128 of at most 2,048 customers at once.

    Parameters
    ----------
    n_terms : ndarray of shape (n_customers,)
        How many terms each customer's sum has.
    until : int, default 1024
        The first period that is left to long_stretches.

    Yields
    ------
    rows : ndarray of int of shape (n_rows,)
        Customers whose sums go on; those of one customer come in ascending order of period.
    periods : ndarray of shape (n_periods,)
        Whole numbers from 0.
    counts : ndarray of bool of shape (n_rows, n_periods)
        Whether the period belongs to the customer's sum.

    Examples
    --------
    >>> [(rows.tolist(), periods.tolist()) for rows, periods, _ in short_stretches(np.array([0.0, 2.0, 3.0]))]
    [([1, 2], [0.0, 1.0, 2.0])]
    """
    for start in range(0, until, _WIDTH):
        going_on = np.flatnonzero(n_terms > start)
        if not going_on.size:
            return
        for rows in cut(going_on, _ROWS_AT_ONCE):
            stop = min(start + _WIDTH, float(n_terms[rows].max()), until)
            periods = np.arange(float(start), stop)
            yield rows, periods, periods < n_terms[rows, None]


def long_stretches(
    n_terms: FloatArray, start: float = ONE_BY_ONE, growth: float = 2.0
) -> Iterator[tuple[Rows, FloatArray, FloatArray]]:
    """Yield the periods from start on, as points and weights of a Gauss rule per stretch.

    Parameters
    ----------
    n_terms : ndarray of shape (n_customers,)
        How many terms each customer's sum has, counted from period 0.
    start : float, default 1024
        The first period, whole.
    growth : float, default 2.0
        Each stretch ends where it began times this.

    Yields
    ------
    rows : ndarray of int of shape (n_rows,)
        Customers whose sums go on.
    periods : ndarray of shape (n_rows, 24)
        Points, not whole in general.
    weights : ndarray of shape (n_rows, 24)
        How many periods each of them stands for.

    Examples
    --------
    The sum of 1 / (i + 1)^2 over i = 1,024 ... 99,999:

    >>> stretches = long_stretches(np.array([1e5]))
    >>> round(float(sum((weights / (i + 1.0) ** 2).sum() for _, i, weights in stretches)), 12)
    0.000966085868
    """
    while (going_on := np.flatnonzero(n_terms > start)).size:
        stop = max(float(np.floor(start * growth)), start + 1.0)
        for rows in cut(going_on, _ROWS_AT_ONCE):
            lengths, which = np.unique(np.minimum(n_terms[rows], stop) - start, return_inverse=True)
            points, weights = counting_rule(lengths)
            yield rows, start + points[which], weights[which]
        start = stop
