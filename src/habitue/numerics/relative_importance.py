"""How much of what is explained each of a few correlated causes may claim: shares of R squared.

Causes that go together cannot be told apart by one regression: what two of them explain alike goes to
whichever entered first. So each is given what it adds, averaged over all orders in which they may enter.
What is explained by what, and that none of it needs to be an effect, is for the caller to know.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from habitue.numerics.arrays import FloatArray

__all__ = ["partial_slopes", "shares_of_r_squared"]

_RIDGE = 1e-9
"""Added to correlations of 1 on the diagonal: columns that are copies of one another share alike."""


def shares_of_r_squared(covariance: FloatArray) -> FloatArray:
    r"""Return what each of p columns adds to R squared, averaged over all orders of entering.

    Parameters
    ----------
    covariance : ndarray of shape (..., p + 1, p + 1)
        Of p columns and, last, of what is explained. A column that does not vary adds nothing.

    Returns
    -------
    ndarray of shape (..., p)
        In [0, 1]; they sum to R squared of all columns together.

    Notes
    -----
    The Shapley value of the game in which a set S of columns earns its R squared,

    .. math:: \phi_j = \sum_{S \not\ni j} \frac{|S|! \, (p - |S| - 1)!}{p!}
              \left( R^2(S \cup \{j\}) - R^2(S) \right).

    All 2^p regressions are solved: p is to be small.

    References
    ----------
    Lindeman, R., Merenda, P. and Gold, R. (1980). Introduction to bivariate and multivariate analysis,
    p. 119. Grömping, U. (2007). Estimators of relative importance in linear regression based on variance
    decomposition. The American Statistician 61(2), 139-147.

    Examples
    --------
    Two columns that are uncorrelated may claim their own squared correlations, .6 ** 2 and .5 ** 2:

    >>> cov = np.array([[1.0, 0.0, 0.6], [0.0, 1.0, 0.5], [0.6, 0.5, 1.0]])
    >>> shares_of_r_squared(cov).round(6)
    array([0.36, 0.25])
    """
    between, towards = _correlations(covariance)
    p = towards.shape[-1]
    explained: dict[tuple[int, ...], FloatArray] = {(): np.zeros(towards.shape[:-1])}
    for size in range(1, p + 1):
        for columns in combinations(range(p), size):
            at = np.array(columns)
            inside = between[..., at[:, np.newaxis], at] + _RIDGE * np.eye(size)
            r = towards[..., at]
            explained[columns] = (r * np.linalg.solve(inside, r[..., np.newaxis])[..., 0]).sum(axis=-1)
    shares = np.zeros_like(towards)
    for columns, with_it in explained.items():
        for j in columns:
            others = tuple(k for k in columns if k != j)
            weight = math.factorial(len(others)) * math.factorial(p - len(columns)) / math.factorial(p)
            shares[..., j] += weight * (with_it - explained[others])
    return shares


def partial_slopes(covariance: FloatArray) -> FloatArray:
    """Return how much the last column differs per standard deviation of each other, the rest held.

    Parameters
    ----------
    covariance : ndarray of shape (..., p + 1, p + 1)
        Of p columns and, last, of what is explained.

    Returns
    -------
    ndarray of shape (..., p)
        In the unit of what is explained; 0 for a column that does not vary.

    Notes
    -----
    Ordinary least squares, ``solve(R, r)`` times the standard deviation of the last column, with R the
    correlations of the p columns and r theirs with it.

    Examples
    --------
    >>> cov = np.array([[4.0, 0.0, 2.0], [0.0, 1.0, 0.0], [2.0, 0.0, 9.0]])
    >>> partial_slopes(cov).round(6)
    array([1., 0.])
    """
    between, towards = _correlations(covariance)
    inside = between + _RIDGE * np.eye(towards.shape[-1])
    slopes = np.asarray(np.linalg.solve(inside, towards[..., np.newaxis])[..., 0], dtype=np.float64)
    spread: FloatArray = np.sqrt(covariance[..., -1:, -1])
    return slopes * spread


def _correlations(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return correlations between the columns, and theirs with what is explained; 0 where one is constant."""
    spread = np.sqrt(np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 0.0))
    scale = spread[..., :, np.newaxis] * spread[..., np.newaxis, :]
    correlation = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0.0)
    n = correlation.shape[-1]
    correlation[..., np.arange(n), np.arange(n)] = 1.0
    return correlation[..., :-1, :-1], correlation[..., :-1, -1]
