"""Integrals over a Beta distribution, exact to the last digits and batched over its parameters.

The families with a Beta-distributed dropout probability all need means of smooth functions of that
probability. The rules here give them for many Beta distributions at once. This is not a general
integrator: it has no error estimate and never adapts, so whoever calls it must know that the integrand is
smooth (or say where it is not, as :mod:`habitue.numerics.bgnbd` does).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Rule", "beta_rule"]

FloatArray = npt.NDArray[np.float64]


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
