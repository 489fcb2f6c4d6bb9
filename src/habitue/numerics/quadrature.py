"""Where integrands are looked at: over Beta distributions, batched over their parameters, and over (0, 1).

The families with a Beta-distributed dropout probability all need means of functions of that probability. The
rules here give them for many Beta distributions at once: Gauss-Jacobi where the function is smooth, the
trapezoidal rule over log-odds where it is not. Other integrals are taken on Gauss-Legendre nodes. This is not
a general integrator: it has no error estimate and never adapts, so whoever calls it must know that the
integrand is smooth (or say where it is not, as :mod:`habitue.numerics.purchases_ahead` does).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = ["Rule", "beta_rule", "legendre_rule", "log_odds_window", "long_tail"]


class Rule(NamedTuple):
    """Nodes and weights of quadrature rules, one rule a row.

    Attributes
    ----------
    nodes : ndarray of shape (n_rules, n_nodes)
        Points in [0, 1], ascending.
    weights : ndarray of shape (n_rules, n_nodes)
        Probabilities of the points; every row sums to one.
    """

    nodes: FloatArray
    weights: FloatArray


def beta_rule(a: npt.ArrayLike, b: npt.ArrayLike, n_nodes: int = 32) -> Rule:
    """Return points and probabilities that stand in for Beta(a, b) when a mean is taken.

    ``(rule.weights * f(rule.nodes)).sum(axis=1)`` is the mean of f(p), p ~ Beta(a, b), exactly so for
    polynomials up to degree ``2 * n_nodes - 1``.

    Parameters
    ----------
    a, b : array_like
        Parameters of the Beta distributions, positive, broadcast against each other and flattened.
    n_nodes : int, default 32
        Points of each rule.

    Returns
    -------
    Rule
        One row for each pair (a, b).

    Notes
    -----
    Golub-Welsch: the nodes are the eigenvalues of the symmetric tridiagonal matrix of the recurrence of
    the Jacobi polynomials on (0, 1); the weights are one over the sum of squares of the orthonormal
    polynomials there, four times cheaper than the eigenvectors that tell them too. The
    recurrence is written without differences of close numbers, so that b may be in the millions, where
    ``scipy.special.roots_jacobi`` overflows from b = 3,000. Nodes are right to about 1e-16 in absolute
    terms: a node far below that is known as "nearly zero", no better.

    References
    ----------
    Golub, G. H. and Welsch, J. H. (1969). Calculation of Gauss quadrature rules. Mathematics of
    Computation 23, 221-230.

    Examples
    --------
    The mean of Beta(0.8, 2.4) is a quarter:

    >>> rule = beta_rule(0.8, 2.4)
    >>> round(float((rule.weights * rule.nodes).sum()), 12)
    0.25
    """
    first, second = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    diagonal, off_diagonal = _recurrence(first.reshape(-1, 1), second.reshape(-1, 1), n_nodes)
    matrices = np.zeros((diagonal.shape[0], n_nodes, n_nodes))
    steps = np.arange(n_nodes)
    matrices[:, steps, steps] = diagonal
    matrices[:, steps[1:], steps[:-1]] = off_diagonal  # eigvalsh reads the lower triangle only
    nodes = np.asarray(np.linalg.eigvalsh(matrices), dtype=np.float64)
    weights = 1.0 / _sums_of_squares(nodes, diagonal, off_diagonal)
    return Rule(np.clip(nodes, 0.0, 1.0), weights / weights.sum(axis=1, keepdims=True))


@lru_cache(maxsize=64)
def legendre_rule(n_nodes: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights of the Gauss-Legendre rule on (0, 1).

    Parameters
    ----------
    n_nodes : int
        Points of the rule.

    Returns
    -------
    nodes, weights : ndarray of shape (n_nodes,)
        ``weights @ f(nodes)`` is the integral of f over (0, 1), exactly so for polynomials up to degree
        ``2 * n_nodes - 1``. Read-only: whoever asks again is handed the same arrays.

    Examples
    --------
    >>> nodes, weights = legendre_rule(2)
    >>> round(float(weights @ nodes**3), 12)
    0.25
    """
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    nodes, weights = 0.5 * (nodes + 1.0), 0.5 * weights
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights


def log_odds_window(
    a: FloatArray, b: FloatArray, k: FloatArray, negligible: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return points for the trapezoidal rule over the log-odds of p, row by row.

    Parameters
    ----------
    a, b : ndarray of shape (n,)
        Parameters of Beta distributions of p, >= 1.
    k : ndarray of shape (n,)
        The integrand falls, at most, like the density times (1 - p)^k.
    negligible : float
        Minus the log of what may be left out of an integral, relative to it.

    Returns
    -------
    start : ndarray of shape (n,)
        Where the log-odds begin.
    step : ndarray of shape (n,)
        How far apart they are.
    n_nodes : ndarray of shape (n,)
        How many there are, at least; not whole.

    Notes
    -----
    The integrand lies between the modes of Beta(a, b + k) and Beta(a, b). In log-odds a Beta density falls
    from its mode like that of the log of a Gamma variable: exponentially on its own side, and on the other
    like the exponential of an exponential.

    Examples
    --------
    The mean of Beta(1.2, 3.6), whose density in log-odds is p^1.2 (1 - p)^3.6 / B(1.2, 3.6):

    >>> a, b = np.array([1.2]), np.array([3.6])
    >>> start, step, n_nodes = log_odds_window(a, b, np.zeros(1), 28.0)
    >>> p = 1.0 / (1.0 + np.exp(-(start + step * np.arange(n_nodes.item()))))
    >>> density = p**a * (1.0 - p) ** b
    >>> round(float((p * density).sum() / density.sum()), 12)
    0.25
    """
    start = np.log(a / (b + k)) - long_tail(a, negligible) - np.log1p(long_tail(b + k, negligible))
    end = np.log(a / b) + long_tail(b, negligible) + np.log1p(long_tail(a, negligible))
    narrow = a / (1.0 + a / (b + k))
    step = np.minimum(0.35 * narrow**-0.25, 0.85 * narrow**-0.5)
    return start, step, (end - start) / step + 1.0


def long_tail(shape: FloatArray, negligible: float) -> FloatArray:
    """Return how far below its mode the log of a Gamma variable may lie.

    Parameters
    ----------
    shape : ndarray
        Shape of the Gamma distribution.
    negligible : float
        Minus the log of the density, relative to the mode, from which on nothing counts.

    Returns
    -------
    ndarray
        Distances u at which shape (u - 1 + e^-u), the fall of the log of the density, exceeds that.

    Examples
    --------
    >>> u = long_tail(np.array([0.5]), 28.0)
    >>> bool((0.5 * (u - 1.0 + np.exp(-u)) >= 28.0).all())
    True
    """
    return negligible / shape + np.sqrt(2.0 * negligible / shape)


def _sums_of_squares(nodes: FloatArray, diagonal: FloatArray, off_diagonal: FloatArray) -> FloatArray:
    """Return the sum of squares of the orthonormal polynomials at the nodes, by their recurrence."""
    before, here = np.zeros_like(nodes), np.ones_like(nodes)
    total = np.ones_like(nodes)
    for k in range(off_diagonal.shape[1]):
        back = off_diagonal[:, k - 1 : k] * before if k else 0.0
        before, here = here, ((nodes - diagonal[:, k : k + 1]) * here - back) / off_diagonal[:, k : k + 1]
        total += here * here
    return total


def _recurrence(a: FloatArray, b: FloatArray, n_nodes: int) -> tuple[FloatArray, FloatArray]:
    """Return diagonal and off-diagonal of the Jacobi matrices for weight p^(a-1) (1-p)^(b-1) on (0, 1)."""
    total = a + b
    n = np.arange(1, n_nodes, dtype=np.float64)
    m = 2.0 * n + total - 2.0
    later = (2.0 * n * (n + total - 1.0) + a * (total - 2.0)) / (m * (m + 2.0))
    # At n = 0 and n = 1 factors cancel that vanish for a + b = 2 and a + b = 1: mean and variance instead.
    diagonal = np.concatenate([a / total, later], axis=1)
    first = a * b / (total**2 * (total + 1.0))
    k, m = n[1:], m[:, 1:]
    squares = k * (k + a - 1.0) * (k + b - 1.0) * (k + total - 2.0) / (m**2 * (m + 1.0) * (m - 1.0))
    return diagonal, np.sqrt(np.concatenate([first, squares], axis=1)[:, : n_nodes - 1])
