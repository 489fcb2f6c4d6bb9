"""Intervals that may be looked at every day: they hold the truth at all looks at once.

An interval of 95 % holds at the one look that was planned. Who looks daily and stops at the first success
finds one sooner or later where nothing is. These are wider, and hold whenever somebody looks and stops.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray, floats

__all__ = ["always_valid_p", "sequential_half_width"]


def _tuned(n: FloatArray, planned: FloatArray, level: float) -> FloatArray:
    """Return the time that has passed, in the unit in which the interval is tightest at the planned one."""
    inner = -2.0 * np.log(level)
    return n / planned * (inner + np.log(inner + 1.0))


def sequential_half_width(
    n: npt.ArrayLike, planned: npt.ArrayLike, *, confidence: float = 0.95
) -> FloatArray:
    """Return half the width of an interval that may be looked at any time, in standard errors.

    Parameters
    ----------
    n : array_like
        Customers (or clusters) whose outcomes are known now, above 0.
    planned : array_like
        How many are known at the look at which the interval is to be tightest, above 0; it must not be chosen
        by what was seen.
    confidence : float
        Chance that the truth is inside at every look, in (0, 1).

    Returns
    -------
    ndarray
        Above the normal quantile, 1.96 at 95 %: 3.03 where n is what was planned.

    Notes
    -----
    sqrt(2 (v + 1) / v log(sqrt(v + 1) / level)), with level = 1 - confidence, v = n rho^2 and rho^2 =
    (-2 log level + log(1 - 2 log level)) / planned. It holds as the number of customers grows, for whatever
    distribution has a variance: with few, or with spend of which most comes from few, it may not yet.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), Time-uniform central limit theory and asymptotic
    confidence sequences, Annals of Statistics 52, theorem 2.2 and appendix B.2.
    Robbins (1970), Statistical methods related to the law of the iterated logarithm, Annals of Mathematical
    Statistics 41.

    Examples
    --------
    >>> sequential_half_width([1000, 5000, 20000], 5000).round(3)
    array([3.364, 3.035, 3.127])
    """
    now, then = floats(n, planned)
    v = _tuned(now, then, 1.0 - confidence)
    return np.sqrt(2.0 * (v + 1.0) / v * (0.5 * np.log1p(v) - np.log(1.0 - confidence)))


def always_valid_p(
    z: npt.ArrayLike, n: npt.ArrayLike, planned: npt.ArrayLike, *, confidence: float = 0.95
) -> FloatArray:
    """Return a p-value that may be looked at any time.

    Parameters
    ----------
    z : array_like
        The effect in standard errors, as it stands now.
    n, planned : array_like
        As `sequential_half_width`.
    confidence : float
        The one that the sequence is tuned for, in (0, 1).

    Returns
    -------
    ndarray
        In (0, 1]. If nothing is there, the chance that it ever falls to a rate is at most that rate.

    Notes
    -----
    min(1, sqrt(v + 1) exp(-z^2 v / (2 (v + 1)))): one over the mixture likelihood ratio. It is at most
    1 - confidence exactly where the interval leaves out 0.

    References
    ----------
    Johari, Koomen, Pekelis and Walsh (2022), Always valid inference: Continuous monitoring of A/B tests,
    Operations Research 70.

    Examples
    --------
    >>> always_valid_p([1.96, 3.035, 4.0], 5000, 5000).round(4)
    array([0.5429, 0.05  , 0.0025])
    """
    far, now, then = floats(z, n, planned)
    v = _tuned(now, then, 1.0 - confidence)
    return np.minimum(np.exp(0.5 * np.log1p(v) - far**2 * v / (2.0 * (v + 1.0))), 1.0)
