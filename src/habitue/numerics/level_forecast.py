"""Where a level that is measured month by month will stand: a local level with a shrunken, damped slope.

What is not known of it (how far the level drifts, how noisy months are, how steep and how lasting its trend
is, whether it has jumped) is not estimated and then believed: a grid of answers is weighed by how well each
foretold the months so far, and all of them are asked. Seasons are not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp, ndtr

from habitue.numerics.arrays import FloatArray, floats

__all__ = ["LEAST_MONTHS", "LevelForecast", "forecast_level"]

LEAST_MONTHS = 4
"""From so many measured months on the series itself says how far its level moves."""

_DRIFTS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
_NOISES = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
_SLOPES = ((0.0, 0.4), (0.25, 0.25), (0.75, 0.2), (2.0, 0.15))
_DAMPINGS = (1.0, 0.85)
_JUMPED, _JUMP, _MONTHS_OF_JUMP = 0.3, 8.0, 24
"""Chance that the level has jumped once, how far in units, and in how many months that chance is spent."""
_UNKNOWN_DRIFT = 2.0
"""Units a month that a level is taken to move where too few months tell."""
_LONGEST = 48
_HALVINGS = 80


@dataclass(frozen=True)
class LevelForecast:
    """What a series may be measured as in a month to come: a mixture of normal distributions.

    Attributes
    ----------
    mean, variance : ndarray of shape (k,)
        Of each part, on the scale of the series.
    weight : ndarray of shape (k,)
        Above 0, summing to 1.
    n_months : int
        Measured months that it was learned from.
    """

    mean: FloatArray
    variance: FloatArray
    weight: FloatArray
    n_months: int

    def chance_below(self, level: float) -> float:
        """Return the probability that the month is measured at or below a level.

        Parameters
        ----------
        level : float
            On the scale of the series.
        """
        spread = np.sqrt(np.maximum(self.variance, 1e-300))
        return float(np.clip(self.weight @ ndtr((level - self.mean) / spread), 0.0, 1.0))

    def quantile(self, share: float) -> float:
        """Return the level that the month is measured below with a given probability.

        Parameters
        ----------
        share : float
            In (0, 1).
        """
        spread = 40.0 * np.sqrt(np.maximum(self.variance, 1e-300))
        low, high = float((self.mean - spread).min()), float((self.mean + spread).max())
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            low, high = (middle, high) if self.chance_below(middle) < share else (low, middle)
        return (low + high) / 2.0


class _Grid(NamedTuple):
    """Answers to what is not known, one a place: variances, damping, the month of a jump, log prior."""

    drift: FloatArray
    noise: FloatArray
    slope: FloatArray
    damping: FloatArray
    jump: FloatArray
    prior: FloatArray


class _State(NamedTuple):
    """Level and slope as known after a month, for every place of the grid."""

    level: FloatArray
    slope: FloatArray
    level_variance: FloatArray
    covariance: FloatArray
    slope_variance: FloatArray


def forecast_level(
    values: npt.ArrayLike, errors: npt.ArrayLike, *, steps: int, unit: float = 0.05
) -> LevelForecast:
    """Foretell what a monthly series will be measured as, so many months after its last one.

    Parameters
    ----------
    values : array_like of shape (n_months,)
        The series on a scale without ends, such as log odds or logarithms; NaN where nothing was measured.
    errors : array_like of shape (n_months,)
        Standard error of each; 0 where everybody was counted. Where one is not known (NaN) it is taken to be
        the median of the others.
    steps : int
        Months from the last of `values`, measured or not, at least 1.
    unit : float
        How far a level moves in an ordinary month, on the scale of the series: what priors are told in.

    Returns
    -------
    LevelForecast
        Of the measured value: it holds the error with which that month will be measured.

    Raises
    ------
    ValueError
        Where no month was measured or `steps` is below 1.

    Notes
    -----
    y_t = l_t + e_t with e_t ~ N(0, s_t^2 + tau^2), l_t = l_{t-1} + b_t + N(0, sigma^2), b_t = phi b_{t-1}
    and b_0 ~ N(0, beta^2). The level begins diffuse. Half-Cauchy priors of one unit on sigma and of one unit
    on tau, both on a grid; beta is 0, 1/4, 3/4 or 2 units, mostly small, which shrinks the slope; phi is 1 or
    0.85. The level has jumped once, in one of the months, with prior probability 0.3 in two years, by
    N(0, (8 units)^2), and may do so again at the same rate. The month foretold is measured with the median
    error of the last six. With fewer than `LEAST_MONTHS` measured months sigma is set to two units.

    References
    ----------
    Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter, sections 2.3 and 3.2.
    Gardner and McKenzie (1985), Forecasting trends in time series, Management Science 31 (the damping).

    Examples
    --------
    >>> flat = forecast_level([0.0, 0.02, -0.01, 0.0, 0.01, -0.02, 0.0, 0.01], [0.02] * 8, steps=3)
    >>> round(flat.chance_below(0.0), 1), flat.chance_below(0.5) > 0.95
    (0.5, True)
    >>> rising = forecast_level(np.arange(8) * 0.1, [0.02] * 8, steps=3)
    >>> 0.85 < rising.quantile(0.5) < 1.0
    True
    """
    y, s = (np.asarray(one[-_LONGEST:], dtype=np.float64) for one in floats(values, errors))
    seen = np.isfinite(y)
    if steps < 1 or not seen.any():
        raise ValueError(f"expected a measured month and 1 step or more; got {int(seen.sum())} and {steps}")
    first = int(np.flatnonzero(seen)[0])
    y, s, seen = y[first:] / unit, _known(s[first:]) / unit, seen[first:]
    n_seen = int(seen.sum())
    grid = _grid(len(y), few=n_seen < LEAST_MONTHS)
    state, fit = _filtered(grid, y, s, seen)
    error = float(np.median(s[seen][-6:]))
    mean, variance = _ahead(grid, state, steps, error)
    weight = np.exp(fit - float(logsumexp(fit)))  # pyright: ignore[reportArgumentType]
    again = 1.0 - (1.0 - _JUMPED / _MONTHS_OF_JUMP) ** steps
    return LevelForecast(
        np.tile(mean, 2) * unit,
        np.concatenate([variance, variance + _JUMP**2]) * unit**2,
        np.concatenate([weight * (1.0 - again), weight * again]),
        n_seen,
    )


def _known(errors: FloatArray) -> FloatArray:
    """Fill in the errors that are not known."""
    known = np.isfinite(errors)
    return np.where(known, errors, np.median(errors[known]) if known.any() else 0.0)


def _grid(n: int, *, few: bool) -> _Grid:
    """Lay out every answer to what is not known; where a month of a jump is 0 there was none."""
    chance = min(_JUMPED * n / _MONTHS_OF_JUMP, 0.5)
    jumps = [(0, 1.0 - chance), *((month, chance / max(n - 1, 1)) for month in range(1, n))]
    drifts = [(_UNKNOWN_DRIFT, 1.0)] if few else _half_cauchy(_DRIFTS)
    rows = [
        (drift**2, noise**2, slope**2, damping, jump, p * q * r * w / len(_DAMPINGS))
        for (drift, p), (noise, q), (slope, r), damping, (jump, w) in product(
            drifts, _half_cauchy(_NOISES), _SLOPES, _DAMPINGS, jumps
        )
    ]
    drift, noise, slope, damping, jump, prior = np.array(rows, dtype=np.float64).T
    return _Grid(drift, noise, slope, damping, jump, np.log(prior))


def _half_cauchy(places: tuple[float, ...]) -> list[tuple[float, float]]:
    """Weigh places of a grid by the mass of a half-Cauchy distribution of one unit around each."""
    at = np.asarray(places)
    ends = np.concatenate([[0.0], (at[1:] + at[:-1]) / 2.0, [np.inf]])
    mass = np.diff(2.0 / np.pi * np.arctan(ends))
    return [(float(place), float(share)) for place, share in zip(at, mass, strict=True)]


def _filtered(
    grid: _Grid, y: FloatArray, s: FloatArray, seen: npt.NDArray[np.bool_]
) -> tuple[_State, FloatArray]:
    """Run the Kalman filter at every place of the grid; return the last state and the log posterior."""
    zeros = np.zeros_like(grid.drift)
    # A diffuse level after its first month is that month, as uncertain as it was measured.
    state = _State(zeros + y[0], zeros, s[0] ** 2 + grid.noise, zeros, grid.slope)
    fit = grid.prior.copy()
    for month in range(1, len(y)):
        state = _moved(grid, state, np.where(grid.jump == month, _JUMP**2, 0.0))
        if seen[month]:
            state, fit = _updated(state, fit, y[month], s[month] ** 2 + grid.noise)
    return state, fit


def _moved(grid: _Grid, state: _State, jump: FloatArray) -> _State:
    """Let a month pass."""
    phi = grid.damping
    slope, slope_variance = phi * state.slope, phi**2 * state.slope_variance
    level_variance = state.level_variance + 2.0 * phi * state.covariance + slope_variance + grid.drift + jump
    return _State(
        state.level + slope,
        slope,
        level_variance,
        phi * state.covariance + slope_variance,
        slope_variance,
    )


def _updated(state: _State, fit: FloatArray, value: float, noise: FloatArray) -> tuple[_State, FloatArray]:
    """Learn from a measured month."""
    # Where neither the level nor its measurement can vary, a millionth of a unit keeps the ratio defined.
    total = np.maximum(state.level_variance + noise, 1e-6)
    surprise = value - state.level
    gain, slope_gain = state.level_variance / total, state.covariance / total
    learned = _State(
        state.level + gain * surprise,
        state.slope + slope_gain * surprise,
        state.level_variance * (1.0 - gain),
        state.covariance * (1.0 - gain),
        state.slope_variance - slope_gain * state.covariance,
    )
    return learned, fit - 0.5 * (np.log(2.0 * np.pi * total) + surprise**2 / total)


def _ahead(grid: _Grid, state: _State, steps: int, error: float) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of what is measured after so many more months."""
    for _ in range(steps):
        state = _moved(grid, state, np.zeros_like(grid.drift))
    return state.level, state.level_variance + grid.noise + error**2
