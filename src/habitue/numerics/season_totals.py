"""What totals at earlier cutoffs tell of a later one: how far off they were, and how far it may be.

A total that was predicted is wrong together: all customers met the same autumn. The ratios of outcome to
prediction at earlier cutoffs say how wrong totals tend to be, and that of about a year before says more.
There is no model of weeks here; that is :mod:`habitue.numerics.seasons`.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr

from habitue.numerics.arrays import FloatArray
from habitue.numerics.discounting import DAYS_PER_YEAR
from habitue.numerics.seasons import averaging_weights, log_scale_prior

__all__ = ["Ratio", "next_ratio", "season_overlap"]

_SCALES: Final = np.geomspace(0.03, 0.6, 4)
_SEASON_SCALES: Final = np.geomspace(0.2, 1.5, 6)
_LEAST_VARIANCE = 1e-12  # of logs; none is left of a window asked about twice
_MEAN_SCALES: Final = np.array([0.15, 0.4, 0.15])  # a priori: bias, season, circumstance


class Ratio(NamedTuple):
    """What is believed of the log of a ratio: a mixture of Gaussians.

    Attributes
    ----------
    weight, mean, sd : ndarray of shape (n,)
        Of each.
    """

    weight: FloatArray
    mean: FloatArray
    sd: FloatArray

    @property
    def expected(self) -> float:
        """Mean of the mixture."""
        return float(self.weight @ self.mean)

    def quantile(self, share: float, *, also: float = 0.0) -> float:
        """Return the log ratio that is not exceeded with a given probability.

        Parameters
        ----------
        share : float
            In (0, 1).
        also : float
            Variance of further, independent chance.
        """
        sd = np.sqrt(self.sd**2 + also)
        ends = float((self.mean - 9.0 * sd).min()), float((self.mean + 9.0 * sd).max())
        root: Any = brentq(lambda at: float(self.weight @ ndtr((at - self.mean) / sd)) - share, *ends)
        return float(root)


def season_overlap(apart: npt.ArrayLike, horizon: float) -> FloatArray:
    """Return the share of their days of the year that two windows of one length have in common.

    Parameters
    ----------
    apart : array_like
        Days from the start of one to the start of the other.
    horizon : float
        Their length in days.

    Returns
    -------
    ndarray
        1 for windows that are whole years apart, in [0, 1]; of windows longer than a year a correlation of
        how often each day is in them.

    Examples
    --------
    >>> season_overlap([0.0, 365.25, 91.0, 320.25], 90.0).tolist()
    [1.0, 1.0, 0.0, 0.5]
    """
    shift = np.asarray(apart, dtype=np.float64) % DAYS_PER_YEAR
    reach = np.arange(-np.ceil(horizon / DAYS_PER_YEAR) - 1, np.ceil(horizon / DAYS_PER_YEAR) + 2)
    years = reach * DAYS_PER_YEAR
    shared = np.maximum(horizon - np.abs(shift[..., None] + years), 0.0).sum(axis=-1)
    return np.minimum(shared / np.maximum(horizon - np.abs(years), 0.0).sum(), 1.0)


def next_ratio(
    log_ratio: npt.ArrayLike, variance: npt.ArrayLike, start: npt.ArrayLike, asked: float, *, horizon: float
) -> Ratio:
    r"""Return what ratios of totals, outcome over prediction, in earlier windows tell of a later one.

    Parameters
    ----------
    log_ratio : array_like of shape (n,)
        Logs of the ratios, none or more.
    variance : array_like of shape (n,)
        What chance in the customers behind each adds, above 0.
    start : array_like of shape (n,)
        Day on which each window begins.
    asked : float
        Day on which the later one begins, no window of the n reaching beyond it.
    horizon : float
        Days of each window.

    Returns
    -------
    Ratio

    Notes
    -----
    A random-effects model: log ratio = bias + season + circumstance + chance, all Gaussian with mean 0. Bias
    is the model's and the same at all times. The season returns every year: two windows share it as far as
    they share days of the year. Circumstances are shared by windows that overlap in time, so never with one
    to come. A ratio of about a year before therefore carries over, shrunk by its noise and by what may have
    been circumstance; others carry over only what all of them have in common; and without any the mean is 0.

    The three scales are exponential a priori with means 0.15, 0.4 and 0.15, on grids bounded by 0.03 and 0.6,
    for the season by 0.2 and 1.5, and averaged over by their likelihood: few ratios make wide tails. The
    season's lower bound is there because nine calm months say nothing of the other three.

    References
    ----------
    .. [1] DerSimonian, R. & Laird, N. (1986). Meta-analysis in clinical trials. Controlled Clinical Trials 7,
       177-188.
    .. [2] Higgins, J. P. T., Thompson, S. G. & Spiegelhalter, D. J. (2009). A re-evaluation of random-effects
       meta-analysis. JRSS A 172, 137-159, sec. 4 (the next study).

    Examples
    --------
    >>> none = next_ratio([], [], [], 0.0, horizon=91)
    >>> none.expected, round(none.quantile(0.9), 2)
    (0.0, 0.79)
    >>> sure = next_ratio([0.5, 0.45], [1e-4, 1e-4], [0.0, 365.0], 730.0, horizon=91)
    >>> bool(0.35 < sure.expected < 0.5)
    True
    """
    d, v, t = (np.asarray(one, dtype=np.float64) for one in (log_ratio, variance, start))
    apart = t[:, None] - t
    same_days = season_overlap(apart, horizon)
    same_time = np.maximum(1.0 - np.abs(apart) / horizon, 0.0)
    asked_days = season_overlap(asked - t, horizon)
    logs: list[float] = []
    means: list[float] = []
    variances: list[float] = []
    for scales in product(_SCALES, _SEASON_SCALES, _SCALES):
        bias, season, circumstance = np.square(scales)
        total = bias + season * same_days + circumstance * same_time + np.diag(v)
        shared = bias + season * asked_days
        solved = np.linalg.solve(total, np.column_stack([d, shared]))
        density = -0.5 * (np.linalg.slogdet(total)[1] + d @ solved[:, 0])
        logs.append(float(density + log_scale_prior(scales, _MEAN_SCALES).sum()))
        means.append(float(shared @ solved[:, 0]))
        variances.append(float(bias + season + circumstance - shared @ solved[:, 1]))
    return Ratio(
        averaging_weights(np.array(logs)), np.array(means), np.sqrt(np.maximum(variances, _LEAST_VARIANCE))
    )
