r"""The year's profile of a business: how much more or less is bought in a week than was to be expected.

Counts of a week are taken to have the mean ``expected * exp(level + trend * years + season(day of year))``,
where ``expected`` comes from a model that knows no calendar and the season is a sum of harmonics of the year.
Everything has a Gaussian prior, so that the answer is a posterior: after three years the season is known,
after one it cannot be told from a trend, and its deviation says so.

Days lie on one axis: 365.25 a year, the end of January 1 being 1 of every year. From the profile follows the
clock by which a seasonal business runs (:func:`exposure`): a day in the high season counts for more than one.

References
----------
.. [1] McCullagh, P. & Nelder, J. A. (1989). Generalized Linear Models, 2nd ed., ch. 6 and 9 (over-dispersed
   counts, quasi-likelihood).
.. [2] Harvey, A. C. (1989). Forecasting, Structural Time Series Models and the Kalman Filter, sec. 2.3.4
   (trigonometric seasons).
.. [3] Tierney, L. & Kadane, J. B. (1986). Accurate approximations for posterior moments and marginal
   densities. JASA 81, 82-86.
.. [4] Rue, H., Martino, S. & Chopin, N. (2009). Approximate Bayesian inference for latent Gaussian models by
   using integrated nested Laplace approximations. JRSS B 71, 319-392, sec. 3 (averaging over scales).
.. [5] Simpson, D. et al. (2017). Penalising model component complexity. Statistical Science 32, 1-28.
"""

from __future__ import annotations

from itertools import product
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray
from habitue.numerics.discounting import DAYS_PER_YEAR

__all__ = [
    "SeasonPosterior",
    "averaging_weights",
    "exposure",
    "exposure_slopes",
    "fit_season",
    "fourier",
    "log_factor",
    "log_scale_prior",
]

_CELLS = 1461  # of a quarter of a day: a year's profile is constant within each
_YEAR_SCALES: Final = np.geomspace(0.03, 0.6, 4)
_SEASON_SCALES: Final = np.geomspace(0.2, 1.5, 5)
_TREND_SCALES: Final = np.geomspace(0.03, 1.5, 4)
_MEAN_SCALES: Final = np.array([0.4, 0.4, 0.15])  # of logs, a priori: season, trend, one year's own
_WIDEST: Final = np.array([_SEASON_SCALES[-1], _TREND_SCALES[-1], _YEAR_SCALES[-1]])
_LEVEL_SCALE = 2.0
_MOST_STEPS, _CONVERGED = 60, 1e-10


class SeasonPosterior(NamedTuple):
    """What weekly counts tell of level, trend and season.

    Attributes
    ----------
    mean : ndarray of shape (2 + 2 n_harmonics,)
        Of level, trend a year, and the season's coefficients as :func:`fourier` orders them; in logs.
    covariance : ndarray of shape (2 + 2 n_harmonics, 2 + 2 n_harmonics)
        Of the same.
    origin : float
        Day at which the trend is 0.
    dispersion : float
        Variance of a count over its mean, at least 1.
    season_scale, trend_scale, year_scale : float
        Prior scales of season, trend and what a single year has of its own, averaged over the posterior.
    """

    mean: FloatArray
    covariance: FloatArray
    origin: float
    dispersion: float
    season_scale: float
    trend_scale: float
    year_scale: float


def fourier(day: npt.ArrayLike, n_harmonics: int) -> FloatArray:
    """Return the harmonics of the year.

    Parameters
    ----------
    day : array_like
        Days.
    n_harmonics : int
        How many, 0 or more.

    Returns
    -------
    ndarray of shape (..., 2 n_harmonics)
        Cosine and sine of the first, of the second, and so on.

    Examples
    --------
    >>> fourier([0.0, 365.25 / 4], 1).round(12).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    at = np.asarray(day, dtype=np.float64)
    angle = 2.0 * np.pi / DAYS_PER_YEAR * at[..., None] * np.arange(1, n_harmonics + 1)
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(*at.shape, 2 * n_harmonics)


def fit_season(
    day: npt.ArrayLike, expected: npt.ArrayLike, actual: npt.ArrayLike, *, n_harmonics: int = 6
) -> SeasonPosterior:
    r"""Return what counts tell of the year's profile, beside a level and a trend.

    Parameters
    ----------
    day : array_like of shape (n,)
        The middle of each period.
    expected : array_like of shape (n,)
        What a model without seasons expects in it, above 0.
    actual : array_like of shape (n,)
        What came, 0 or more.
    n_harmonics : int
        Harmonics of the year.

    Returns
    -------
    SeasonPosterior

    Notes
    -----
    log mean = log expected + level + trend (day - origin) / 365.25 + season(day) + own_y(day). The season is
    sum_k c_k cos + s_k sin, and own_y the same with coefficients of year y alone, years being counted back
    from the last day. A priori level ~ N(0, 2^2), trend ~ N(0, b^2), the season's c_k and s_k ~
    N(0, (a / k)^2) and each year's own ~ N(0, (e / k)^2), so that profiles are smooth. In one year season
    and own are one and cannot be told apart; what returns in three is season.

    The scales a, b and e are exponential with means 0.4, 0.4 and 0.15 [5]_ on grids bounded by 0.2 (0.03) and
    1.5 (0.6), and averaged over by their marginal likelihood (Laplace's [3]_, [4]_): where data cannot tell
    them, the deviation is that of not knowing them. The lower bound of a is there because nine calm months
    say nothing of the other three. Counts vary more than Poisson's; their log-likelihood is divided by the
    dispersion, which is Pearson's statistic over its degrees of freedom with the widest priors [1]_.

    Examples
    --------
    >>> day = np.arange(3.5, 3 * 365.25, 7.0)
    >>> season = 0.4 * np.cos(2 * np.pi * (day - 330.0) / 365.25)
    >>> counts = np.random.default_rng(0).poisson(500.0 * np.exp(season))
    >>> found = fit_season(day, np.full(day.size, 500.0), counts)
    >>> bool(abs(np.hypot(*found.mean[2:4]) - 0.4) < 0.02)
    True
    """
    t, offset, count = (np.asarray(one, dtype=np.float64) for one in (day, expected, actual))
    origin = float(np.average(t, weights=offset))
    design = np.column_stack([_design(t, origin, n_harmonics), _own(t, n_harmonics)])
    dispersion = _dispersion(design, offset, count, _precision(design.shape[1], n_harmonics, _WIDEST))
    scales = np.array(list(product(_SEASON_SCALES, _TREND_SCALES, _YEAR_SCALES)))
    found = [
        _mode(design, offset, count, _precision(design.shape[1], n_harmonics, one), dispersion)
        for one in scales
    ]
    weight = averaging_weights(
        np.array([one.evidence for one in found]) + log_scale_prior(scales, _MEAN_SCALES).sum(axis=1)
    )
    kept = 2 + 2 * n_harmonics
    modes = np.array([one.at[:kept] for one in found])
    mean = weight @ modes
    apart = modes - mean
    covariance = np.einsum("k,kij->ij", weight, np.array([one.covariance[:kept, :kept] for one in found]))
    covariance += np.einsum("k,ki,kj->ij", weight, apart, apart)
    return SeasonPosterior(mean, covariance, origin, dispersion, *(weight @ scales).tolist())


def log_factor(posterior: SeasonPosterior, start: float, end: float) -> tuple[float, float]:
    """Return the log of actual over expected in a window ahead, level and trend included.

    Parameters
    ----------
    posterior : SeasonPosterior
        Of :func:`fit_season`.
    start, end : float
        The window (start, end] on the axis of days.

    Returns
    -------
    mean, sd : float
        Of the log of the window's mean factor, by the delta method; what the year to come has of its own is
        in sd.

    Examples
    --------
    >>> day = np.arange(3.5, 365.25, 7.0)
    >>> found = fit_season(day, np.full(day.size, 500.0), np.full(day.size, 600.0))
    >>> round(float(np.exp(log_factor(found, 200.0, 290.0)[0])), 2)
    1.2
    """
    days = np.arange(start + 0.5, end)
    design = _design(days, posterior.origin, (posterior.mean.size - 2) // 2)
    factor = np.exp(design @ posterior.mean)
    slope = factor @ design / factor.sum()
    own = slope[2:] * _falling(slope.size - 2) * posterior.year_scale
    return float(np.log(factor.mean())), float(np.sqrt(slope @ posterior.covariance @ slope + own @ own))


def exposure(coefficients: npt.ArrayLike, day: npt.ArrayLike) -> FloatArray:
    r"""Return how far the clock of a seasonal business has run: the integral of its profile.

    Parameters
    ----------
    coefficients : array_like of shape (2 n_harmonics,)
        Of the log profile; none for a year without seasons.
    day : array_like
        Days.

    Returns
    -------
    ndarray
        Days of an average season, of the shape of day; 365.25 a year.

    Notes
    -----
    Lambda(d) = integral of s over (0, d], s proportional to exp(season) with mean 1 over the year. A Poisson
    process of rate lambda s(d) is one of rate lambda by the clock Lambda (Cox & Isham 1980, Point Processes,
    sec. 4.2). The profile is held constant within quarters of a day, which changes Lambda by less than 1e-6.

    Examples
    --------
    >>> exposure([], [10.0, 400.0]).tolist()
    [10.0, 400.0]
    >>> late = exposure([0.5, 0.0], [91.3125, 365.25])  # high around New Year
    >>> late.round(1).tolist()
    [119.4, 365.2]
    """
    at = np.asarray(day, dtype=np.float64)
    years = np.floor(at / DAYS_PER_YEAR)
    edges, profile = _profile(np.asarray(coefficients, dtype=np.float64))
    run = np.concatenate([[0.0], np.cumsum(profile) * (DAYS_PER_YEAR / _CELLS)])
    return years * DAYS_PER_YEAR + np.interp(at - years * DAYS_PER_YEAR, edges, run)


def exposure_slopes(coefficients: npt.ArrayLike, day: npt.ArrayLike) -> FloatArray:
    """Return the derivatives of :func:`exposure` with respect to the coefficients.

    Parameters
    ----------
    coefficients : array_like of shape (2 n_harmonics,)
        Of the log profile.
    day : array_like
        Days.

    Returns
    -------
    ndarray of shape (..., 2 n_harmonics)

    Examples
    --------
    >>> up, down = (exposure([0.5 + e, 0.1], 80.0) for e in (1e-6, -1e-6))
    >>> bool(abs((up - down) / 2e-6 - exposure_slopes([0.5, 0.1], 80.0)[0]) < 1e-6)
    True
    """
    at, known = np.asarray(day, dtype=np.float64), np.asarray(coefficients, dtype=np.float64)
    edges, profile = _profile(known)
    waves = fourier(0.5 * (edges[1:] + edges[:-1]), known.size // 2)
    slopes = profile[:, None] * (waves - profile @ waves / _CELLS)  # the profile's mean stays 1
    run = np.vstack([np.zeros(known.size), np.cumsum(slopes, axis=0)]) * (DAYS_PER_YEAR / _CELLS)
    phase = at - np.floor(at / DAYS_PER_YEAR) * DAYS_PER_YEAR
    return np.stack(
        [np.interp(phase, edges, one) for one in run.T] or [np.empty((*at.shape, 0))], axis=-1
    ).reshape(*at.shape, known.size)


def _profile(coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the edges of a year's cells, and its profile in each: 1 on average."""
    edges = np.linspace(0.0, DAYS_PER_YEAR, _CELLS + 1, dtype=np.float64)
    log = fourier(0.5 * (edges[1:] + edges[:-1]), coefficients.size // 2) @ coefficients
    profile: FloatArray = np.exp(log - log.max(initial=-np.inf))
    return edges, np.asarray(profile / profile.mean(), dtype=np.float64)


def _design(day: FloatArray, origin: float, n_harmonics: int) -> FloatArray:
    """Return level, trend and season of each day as columns."""
    years = (day - origin) / DAYS_PER_YEAR
    return np.column_stack([np.ones(day.size), years, fourier(day, n_harmonics)])


def _own(day: FloatArray, n_harmonics: int) -> FloatArray:
    """Return the harmonics of each year by themselves, years being counted back from the last day."""
    year = np.floor((day.max() - day) / DAYS_PER_YEAR)
    waves = fourier(day, n_harmonics)
    return np.hstack([waves * (year == one)[:, None] for one in range(int(year.max()) + 1)])


def _falling(n_coefficients: int) -> FloatArray:
    """Return 1 / k for both coefficients of the k-th harmonic."""
    return np.repeat(1.0 / np.arange(1, n_coefficients // 2 + 1), 2)


def _precision(n_parameters: int, n_harmonics: int, scales: FloatArray) -> FloatArray:
    """Return the prior precision of level, trend, season, and each year's own."""
    season, trend, own = scales
    falling = _falling(2 * n_harmonics)
    n_years = (n_parameters - 2 - falling.size) // max(falling.size, 1)
    wide = np.concatenate([[_LEVEL_SCALE, trend], season * falling, np.tile(own * falling, n_years)])
    return wide**-2.0


class _Mode(NamedTuple):
    """Where a posterior is highest, its covariance there, and the log evidence up to a constant."""

    at: FloatArray
    covariance: FloatArray
    evidence: float


def _mode(
    design: FloatArray, offset: FloatArray, count: FloatArray, precision: FloatArray, dispersion: float
) -> _Mode:
    """Climb to the mode by Newton's steps, halved where they lead down."""

    def height(at: FloatArray) -> float:
        log = design @ at
        return float((count @ log - offset @ np.exp(log)) / dispersion - 0.5 * precision @ at**2)

    theta = np.zeros(design.shape[1])
    theta[0] = np.log(max(count.sum(), 0.5) / offset.sum())
    here, hessian = height(theta), np.diag(precision)
    for _ in range(_MOST_STEPS):
        mean = offset * np.exp(design @ theta)
        hessian = (design.T * mean) @ design / dispersion + np.diag(precision)
        slope = design.T @ (count - mean) / dispersion - precision * theta
        step = np.asarray(np.linalg.solve(hessian, slope), dtype=np.float64)
        if slope @ step < _CONVERGED:
            break
        while (there := height(theta + step)) < here and np.abs(step).max() > _CONVERGED:
            step = 0.5 * step
        theta, here = theta + step, there
    evidence = here + 0.5 * (np.log(precision).sum() - np.linalg.slogdet(hessian)[1])
    return _Mode(theta, np.asarray(np.linalg.inv(hessian), dtype=np.float64), float(evidence))


def _dispersion(design: FloatArray, offset: FloatArray, count: FloatArray, precision: FloatArray) -> float:
    """Return Pearson's statistic over its degrees of freedom, at least 1."""
    found = _mode(design, offset, count, precision, 1.0)
    mean = offset * np.exp(design @ found.at)
    spent = float(np.einsum("ni,ij,nj,n->", design, found.covariance, design, mean))
    return max(float(((count - mean) ** 2 / mean).sum()) / max(count.size - spent, 1.0), 1.0)


def log_scale_prior(scale: npt.ArrayLike, mean: npt.ArrayLike) -> FloatArray:
    """Return the log density of exponential scales on grids that are even in its logarithm.

    Parameters
    ----------
    scale : array_like
        Grid.
    mean : array_like
        Of the exponentials.

    Examples
    --------
    >>> log_scale_prior([1.0], 0.5).tolist()
    [-2.0]
    """
    at = np.asarray(scale, dtype=np.float64)
    return np.log(at) - at / np.asarray(mean, dtype=np.float64)


def averaging_weights(log: FloatArray) -> FloatArray:
    """Return weights that sum to 1, from logarithms.

    Parameters
    ----------
    log : ndarray of shape (n,)
        Logs of evidence times prior.

    Examples
    --------
    >>> averaging_weights(np.array([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    likely: FloatArray = np.exp(log - log.max())
    return likely / likely.sum()
