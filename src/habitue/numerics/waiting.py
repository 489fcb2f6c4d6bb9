"""Waiting times of which some are not over yet: their median, with an interval that minds customers.

Tickets still open have waited, and nobody knows how long they will. Leaving them out makes every service look
faster than it is; Kaplan and Meier's curve counts them as long as they were seen.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from habitue.numerics.arrays import FloatArray
from habitue.numerics.discrete_hazards import kaplan_meier

__all__ = ["MedianWait", "median_wait"]

_HALF = 0.5 + 1e-12
"""Rounding must not hide that half of them are over."""


class MedianWait(NamedTuple):
    """The time by which half are over; NaN where it was not seen."""

    value: float
    lower: float
    upper: float


class _Curve(NamedTuple):
    """Kaplan and Meier's curve at the times at which something ended."""

    time: FloatArray
    survival: FloatArray
    standard_error: FloatArray
    n_events: FloatArray
    n_at_risk: FloatArray


def median_wait(
    waited: npt.ArrayLike, is_over: npt.ArrayLike, customer: npt.ArrayLike, *, confidence: float = 0.95
) -> MedianWait:
    """Return the median of waiting times, where some are still going on.

    Parameters
    ----------
    waited : array_like of shape (n_records,)
        How long each was seen to take, 0 or more, in any unit.
    is_over : array_like of bool of shape (n_records,)
        False for those still waiting when they were last seen.
    customer : array_like of int of shape (n_records,)
        Whose record it is.
    confidence : float
        In (0, 1).

    Returns
    -------
    MedianWait
        In the unit of `waited`. The upper end, or the median itself, is NaN where too few are over to tell.

    Notes
    -----
    The interval holds the times at which a test on the logarithm of minus the logarithm of the curve does not
    refuse one half (Brookmeyer and Crowley). The variance is Greenwood's times the design effect at the
    median: that of the sum of influences by customer over that by record (Ying and Wei), at least 1.

    References
    ----------
    Brookmeyer, R. and Crowley, J. (1982). A confidence interval for the median survival time. Biometrics 38,
    29-41. Ying, Z. and Wei, L. J. (1994). The Kaplan-Meier estimate for dependent failure time observations.
    Journal of Multivariate Analysis 50, 17-29.

    Examples
    --------
    >>> told = median_wait([1, 2, 3, 4, 5, 6, 7, 8], [1, 1, 1, 1, 1, 1, 0, 0], range(8))
    >>> told
    MedianWait(value=4.0, lower=1.0, upper=nan)
    """
    time = np.asarray(waited, dtype=np.float64)
    over = np.asarray(is_over, dtype=np.bool_)
    if not over.any():
        return MedianWait(math.nan, math.nan, math.nan)
    curve = _curve(time, over)
    place = _first(curve.survival <= _HALF)
    at = len(curve.time) - 1 if place is None else place
    effect = _design_effect(curve, at, time, over, np.asarray(customer))
    lower, upper = _band(curve, float(norm.ppf(0.5 + confidence / 2.0)) * math.sqrt(effect))
    return MedianWait(_time(curve, place), _time(curve, _first(lower <= _HALF)), _upper(curve, upper))


def _curve(time: FloatArray, over: npt.NDArray[np.bool_]) -> _Curve:
    ends, n_events = np.unique(time[over], return_counts=True)
    n_at_risk = time.size - np.searchsorted(np.sort(time), ends, side="left")
    told = kaplan_meier(n_events, n_at_risk)
    return _Curve(
        ends, told.survival, told.standard_error, n_events.astype(np.float64), n_at_risk.astype(np.float64)
    )


def _band(curve: _Curve, reach: float) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the curve's interval at each time, on the scale of log(-log)."""
    inside = (curve.survival > 0.0) & (curve.survival < 1.0)
    share = np.where(inside, curve.survival, 0.5)
    slope = reach * curve.standard_error / np.abs(share * np.log(share))
    # A curve beyond all doubt would need an exponent beyond a double; 50 is as good.
    power = np.exp(np.minimum(slope, 50.0))
    lower = np.where(inside, share**power, curve.survival)
    return lower, np.where(inside, share ** (1.0 / power), curve.survival)


def _design_effect(
    curve: _Curve, at: int, time: FloatArray, over: npt.NDArray[np.bool_], customer: npt.NDArray[np.generic]
) -> float:
    """Return by how much customers with several records blow up the variance of the curve at a time."""
    names, who = np.unique(customer, return_inverse=True)
    if len(names) == len(customer) or len(names) < 2:
        return 1.0
    seen_to = np.searchsorted(curve.time[: at + 1], time, side="right")
    summed = np.concatenate([[0.0], np.cumsum(curve.n_events / curve.n_at_risk**2)])
    place = np.minimum(np.searchsorted(curve.time, time), len(curve.time) - 1)
    ended = over & (time <= curve.time[at])
    influence = np.where(ended, 1.0 / curve.n_at_risk[place], 0.0) - summed[seen_to]
    alone = float(np.sum(influence**2))
    if alone <= 0.0:
        return 1.0
    together = float(np.sum(np.bincount(who, weights=influence) ** 2)) * len(names) / (len(names) - 1)
    return max(together / alone, 1.0)


def _first(is_so: npt.NDArray[np.bool_]) -> int | None:
    return int(is_so.argmax()) if is_so.any() else None


def _time(curve: _Curve, place: int | None) -> float:
    return math.nan if place is None else float(curve.time[place])


def _upper(curve: _Curve, upper: FloatArray) -> float:
    return _time(curve, _first(upper <= _HALF))
