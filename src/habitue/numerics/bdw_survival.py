"""How BdW customers survive, with derivatives, at any tenure: powers neither cancel nor overflow.

Given theta, surviving from n to n + t renewals has probability (1 - theta)^((n + t)^c - n^c); over customers
that is a ratio of Beta functions. The family itself is told in :mod:`habitue.numerics.bdw`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import zeta

from habitue.numerics.arrays import FloatArray
from habitue.numerics.beta_ratio import (
    digamma_difference,
    digamma_mixed_difference,
    log_beta_ratio,
    trigamma_difference,
    trigamma_mixed_difference,
)

__all__ = ["HIGHEST", "added_exposure", "curvature", "log_survival_ahead", "score"]

HIGHEST = 400.0
"""Log of t^c from which on a power law is exact, long before it overflows."""

_STEEPEST = 150.0  # log of t^c from which on it is taken for one: then t^2c does not overflow either


def added_exposure(c: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """Return (n + t)^c - n^c without subtracting close numbers, at most e^400.

    Parameters
    ----------
    c : ndarray
        How tenure counts, > 0.
    n : ndarray
        Renewals made so far, >= 0.
    t : ndarray
        Renewal opportunities ahead, >= 0.

    Returns
    -------
    ndarray
        What the logarithm of survival of each theta is multiplied with.
    """
    start = np.maximum(n, 1.0)
    grown = np.expm1(np.minimum(c * np.log1p(t / start), HIGHEST)) * start**c
    return np.where(
        n > 0.0, grown, np.exp(np.minimum(c * np.log(np.maximum(t, 1e-300)), HIGHEST)) * (t > 0.0)
    )


def log_survival_ahead(
    gamma: FloatArray, delta: FloatArray, c: FloatArray, n: FloatArray, t: FloatArray
) -> FloatArray:
    """Return log(S(n + t) / S(n)); where powers would overflow, by the power law that S has become.

    Parameters
    ----------
    gamma, delta, c : ndarray
        The customer base.
    n : ndarray
        Renewals made so far, >= 0.
    t : ndarray
        Renewal opportunities ahead, >= 0.

    Returns
    -------
    ndarray
        <= 0.
    """
    near = np.where(n > 1.0, np.minimum(c, _STEEPEST / np.log(np.maximum(n, 2.0))), c)
    growth = np.where(n > 0.0, np.log1p(t / np.maximum(n, 1.0)), np.log(np.maximum(t, 1.0)))
    beyond = c * growth - np.minimum(near * growth, HIGHEST)
    return log_beta_ratio(gamma, delta + n**near, added_exposure(near, n, t)) - gamma * beyond


def _not_too_steep(c: FloatArray, end: FloatArray) -> FloatArray:
    """Return c, or where S has become a power law at the end, as much of it as makes it one."""
    return np.minimum(c, _STEEPEST / np.log(np.maximum(end, 2.0)))


class _Exposure(NamedTuple):
    """y = (n + t)^c - n^c and b = delta + n^c, with their first and second derivatives by c."""

    y: FloatArray
    y_c: FloatArray
    y_cc: FloatArray
    b: FloatArray
    b_c: FloatArray
    b_cc: FloatArray


def _exposure(delta: FloatArray, c: FloatArray, n: FloatArray, t: FloatArray) -> _Exposure:
    """Return exposures and their derivatives, none of them a difference of close numbers."""
    y, power = added_exposure(c, n, t), n**c
    log_n, log_end = np.log(np.maximum(n, 1.0)), np.log(np.maximum(n + t, 1.0))
    longer = power * np.log1p(t / np.maximum(n, 1.0))
    y_c = y * log_end + longer
    y_cc = y * log_end**2 + longer * (log_end + log_n)
    return _Exposure(y, y_c, y_cc, delta + power, power * log_n, power * log_n**2)


def score(gamma: FloatArray, delta: FloatArray, c: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """Return derivatives of log(S(n + t) / S(n)) by gamma, delta, c, for n = 0 or t = 1.

    Parameters
    ----------
    gamma, delta, c : ndarray
        The customer base.
    n : ndarray
        Renewals made so far, >= 0.
    t : ndarray
        Renewal opportunities ahead, >= 0.

    Returns
    -------
    ndarray of shape (..., 3)
        One row a customer.
    """
    near = _not_too_steep(c, n + t)
    e = _exposure(delta, near, n, t)
    growth = np.log(np.maximum(n + t, 1.0)) - np.log(np.maximum(n, 1.0))
    by_gamma = -digamma_difference(gamma + e.b, e.y) - (c - near) * growth
    by_delta = digamma_mixed_difference(e.b, gamma, e.y)
    by_c = by_delta * e.b_c - digamma_difference(e.b + e.y, gamma) * e.y_c
    return np.stack([by_gamma, by_delta, by_c], axis=-1)


def curvature(
    gamma: FloatArray, delta: FloatArray, c: FloatArray, n: FloatArray, t: FloatArray
) -> FloatArray:
    """Return second derivatives of log(S(n + t) / S(n)) by gamma, delta, c, for n = 0 or t = 1.

    Parameters
    ----------
    gamma, delta, c : ndarray
        The customer base.
    n : ndarray
        Renewals made so far, >= 0.
    t : ndarray
        Renewal opportunities ahead, >= 0.

    Returns
    -------
    ndarray of shape (..., 3, 3)
        One symmetric matrix a customer.
    """
    e = _exposure(delta, _not_too_steep(c, n + t), n, t)
    both, twice = trigamma_difference(gamma + e.b, e.y), trigamma_mixed_difference(e.b, gamma, e.y)
    fall = trigamma_difference(e.b + e.y, gamma)
    gamma_c = both * e.b_c - zeta(2.0, gamma + e.b + e.y) * e.y_c  # zeta(2, z) is psi'(z)
    delta_c = twice * e.b_c + fall * e.y_c
    c_twice = twice * e.b_c**2 + fall * e.y_c * (2.0 * e.b_c + e.y_c)
    c_twice += digamma_mixed_difference(e.b, gamma, e.y) * e.b_cc
    c_twice -= digamma_difference(e.b + e.y, gamma) * e.y_cc
    rows = [[both, both, gamma_c], [both, twice, delta_c], [gamma_c, delta_c, c_twice]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
