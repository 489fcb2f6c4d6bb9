"""Weights that make those who answered look like those who were meant, and what they cost.

Raking fits one weight a respondent so that the weighted shares of each margin (segment, band) are those of
the base. With a single margin it is post-stratification, and exact after one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray, Rows

__all__ = ["Weighted", "rake", "weighted_mean"]

_SWEEPS = 500
_NEAR = 1e-9
"""A share that is off by less is met."""


class Weighted(NamedTuple):
    """A weighted mean, the variance of it, and how many answers of a plain sample it is worth."""

    value: float
    variance: float
    n_effective: float


def rake(margins: Sequence[Rows], shares: Sequence[npt.ArrayLike]) -> FloatArray | None:
    """Return weights with which respondents have given shares in each margin.

    Parameters
    ----------
    margins : sequence of int arrays of shape (n_respondents,)
        The category of each respondent, numbered from 0, in each margin.
    shares : sequence of array_like of shape (n_categories,)
        Share of the base in each category of the margin; where above 0 somebody has to have answered.

    Returns
    -------
    ndarray of shape (n_respondents,) or None
        Weights with mean 1; None where no weights meet all margins.

    Notes
    -----
    Iterative proportional fitting: the margins are met in turn until all hold.

    References
    ----------
    Deming, W. E. and Stephan, F. F. (1940). On a least squares adjustment of a sampled frequency table when
    the expected marginal totals are known. Annals of Mathematical Statistics 11, 427-444.

    Examples
    --------
    >>> rake([np.array([0, 0, 0, 1])], [[0.5, 0.5]]).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    wanted = [np.asarray(share, dtype=np.float64) / np.sum(share) for share in shares]
    n = len(margins[0])
    weights = np.ones(n)
    for _ in range(_SWEEPS):
        off = 0.0
        for margin, share in zip(margins, wanted, strict=True):
            have = np.bincount(margin, weights=weights, minlength=len(share)) / weights.sum()
            if np.any((share > 0.0) & (have <= 0.0)):
                return None
            off = max(off, float(np.abs(have - share).max()))
            weights = weights * np.divide(share, have, out=np.zeros_like(share), where=have > 0.0)[margin]
        weights *= n / weights.sum()
        if off < _NEAR:
            return weights
    return None


def weighted_mean(values: FloatArray, weights: FloatArray, margins: Sequence[Rows]) -> Weighted:
    r"""Return the weighted mean of answers and how sure it is, given that weights were fitted to margins.

    Parameters
    ----------
    values : ndarray of shape (n_respondents,)
        What they said.
    weights : ndarray of shape (n_respondents,)
        From `rake`.
    margins : sequence of int arrays of shape (n_respondents,)
        As given to `rake`.

    Returns
    -------
    Weighted
        n_effective is at most the number of respondents, and Kish's where all say the same.

    Notes
    -----
    Weights that meet margins take away what the margins explain. So the variance is that of the residuals e
    of a weighted regression on the p categories,

    .. math:: \frac{n}{n - p} \frac{\sum (w e)^2}{(\sum w)^2} ,

    and n_effective the variance of one answer over it. Kish's is (sum w)^2 / sum w^2.

    References
    ----------
    Deville, J.-C. and Sarndal, C.-E. (1992). Calibration estimators in survey sampling. JASA 87, 376-382.
    Kish, L. (1965). Survey Sampling. Wiley, section 11.7.

    Examples
    --------
    >>> said, segment = np.array([1.0, 0.0, 1.0, 0.0, 0.0]), np.array([0, 0, 0, 1, 1])
    >>> told = weighted_mean(said, rake([segment], [[0.5, 0.5]]), [segment])
    >>> round(told.value, 3), round(told.n_effective, 2)
    (0.333, 5.0)
    """
    n, total = len(values), float(weights.sum())
    value = float(weights @ values) / total
    kish = total**2 / float(np.sum(weights**2))
    residual, n_terms = _residuals(values, weights, margins)
    if n <= n_terms:
        return Weighted(value, np.nan, min(kish, n))
    variance = float(np.sum((weights * residual) ** 2)) / total**2 * n / (n - n_terms)
    one = float(weights @ (values - value) ** 2) / total
    if variance <= 1e-15:
        return Weighted(value, variance, min(kish, n))
    return Weighted(value, variance, float(np.clip(one / variance, 1.0, n)))


def _residuals(values: FloatArray, weights: FloatArray, margins: Sequence[Rows]) -> tuple[FloatArray, int]:
    """Return what categories leave unexplained, and how many terms explain."""
    design = np.column_stack([np.eye(int(margin.max()) + 1)[margin] for margin in margins])
    root = np.sqrt(weights)
    slopes, _, rank, _ = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)
    return values - design @ slopes, int(rank)
