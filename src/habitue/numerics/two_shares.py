"""The difference of two shares of different customers, such as those kept in two arms of an experiment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from habitue.numerics.arrays import FloatArray, floats

__all__ = ["score_statistic", "two_shares_interval"]

_HALVINGS = 60
"""Of an interval of length 2: beyond what a double tells apart."""


def score_statistic(
    n_first: npt.ArrayLike,
    of_first: npt.ArrayLike,
    n_second: npt.ArrayLike,
    of_second: npt.ArrayLike,
    difference: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Return by how many standard errors the shares differ from a difference that is supposed.

    Parameters
    ----------
    n_first, of_first : array_like
        How many of how many in the first group; the latter above 0.
    n_second, of_second : array_like
        The same in the second.
    difference : array_like
        First share less second, supposed to be true, in [-1, 1].

    Returns
    -------
    ndarray
        About standard normal where it is true; 0 where the shares differ by exactly that.

    Notes
    -----
    (p1 - p2 - d) / sqrt((q1 (1 - q1) / n1 + q2 (1 - q2) / n2) N / (N - 1)), where q1 and q2 are the likeliest
    shares that differ by d: the root of a cubic, in closed form.

    References
    ----------
    Miettinen and Nurminen (1985), Comparative analysis of two rates, Statistics in Medicine 4.
    Farrington and Manning (1990), Test statistics and sample size formulae for comparative binomial trials
    with null hypothesis of non-zero risk difference or non-unity relative risk, Statistics in Medicine 9.

    Examples
    --------
    >>> float(score_statistic(30, 100, 20, 100).round(4))
    1.6289
    """
    plus1, n1, plus2, n2, d = floats(n_first, of_first, n_second, of_second, difference)
    p1, p2, theta = plus1 / n1, plus2 / n2, n2 / n1
    a = 1.0 + theta
    b = -(1.0 + theta + p1 + theta * p2 + d * (theta + 2.0))
    c = d**2 + d * (2.0 * p1 + theta + 1.0) + p1 + theta * p2
    e = -p1 * d * (1.0 + d)
    v = b**3 / (3.0 * a) ** 3 - b * c / (6.0 * a**2) + e / (2.0 * a)
    u = np.where(v < 0.0, -1.0, 1.0) * np.sqrt(np.maximum(b**2 / (3.0 * a) ** 2 - c / (3.0 * a), 0.0))
    cubed = np.where(u == 0.0, 1.0, u**3)
    w = (np.pi + np.arccos(np.clip(np.where(u == 0.0, 0.0, v / cubed), -1.0, 1.0))) / 3.0
    q1 = np.clip(2.0 * u * np.cos(w) - b / (3.0 * a), np.maximum(0.0, d), np.minimum(1.0, 1.0 + d))
    q2 = np.clip(q1 - d, 0.0, 1.0)
    total = n1 + n2
    variance = (q1 * (1.0 - q1) / n1 + q2 * (1.0 - q2) / n2) * total / np.maximum(total - 1.0, 1.0)
    gap = p1 - p2 - d
    far = np.where(gap == 0.0, 0.0, np.copysign(np.inf, gap))
    return np.where(variance > 1e-300, gap / np.sqrt(np.maximum(variance, 1e-300)), far)


def two_shares_interval(
    n_first: npt.ArrayLike,
    of_first: npt.ArrayLike,
    n_second: npt.ArrayLike,
    of_second: npt.ArrayLike,
    *,
    confidence: float = 0.95,
) -> tuple[FloatArray, FloatArray]:
    """Return the score interval for the difference of two shares of different customers.

    Parameters
    ----------
    n_first, of_first : array_like
        How many of how many in the first group; the latter above 0.
    n_second, of_second : array_like
        The same in the second.
    confidence : float
        In (0, 1).

    Returns
    -------
    tuple of two arrays
        Lower and upper ends of the first share less the second, in [-1, 1].

    Notes
    -----
    It holds the differences that :func:`score_statistic` does not refuse, and keeps its width where all or
    nobody were kept, which estimate +- z standard errors does not.

    References
    ----------
    Miettinen and Nurminen (1985), Comparative analysis of two rates, Statistics in Medicine 4.

    Examples
    --------
    >>> [float(end.round(4)) for end in two_shares_interval(30, 100, 20, 100)]
    [-0.0206, 0.219]
    """
    plus1, n1, plus2, n2 = floats(n_first, of_first, n_second, of_second)
    z = float(norm.ppf(0.5 + confidence / 2.0))
    estimate = plus1 / n1 - plus2 / n2
    ends: list[FloatArray] = []
    for side in (-1.0, 1.0):
        kept, refused = estimate, np.full_like(estimate, side)
        for _ in range(_HALVINGS):
            middle = (kept + refused) / 2.0
            holds = np.abs(score_statistic(plus1, n1, plus2, n2, middle)) <= z
            kept, refused = np.where(holds, middle, kept), np.where(holds, refused, middle)
        ends.append(kept)
    return ends[0], ends[1]
