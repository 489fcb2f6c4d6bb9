"""Pareto-smoothed importance sampling: weights that one lucky draw cannot spoil, and whether to trust them.

Draws from a convenient distribution stand for draws from a difficult one when each counts with the ratio of
the densities. A few large ratios make such averages unreliable, so the largest are replaced by what a
generalised Pareto distribution fitted to them expects. Its shape, k-hat, says how heavy their tail is: below
0.7 averages over some thousands of draws can be trusted, above it they cannot.

It knows no posterior and draws nothing; :mod:`habitue.models.posterior` does.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = ["ParetoTail", "Smoothed", "fit_generalised_pareto", "smooth"]

_TAIL_AT_LEAST = 5
"""Large weights without which no tail can be judged."""

_PRIOR_SHAPE, _PRIOR_WEIGHT = 0.5, 10.0
"""The shape is drawn to 0.5 as if ten more weights had said so; it steadies fits to short tails."""

_NO_SPREAD = 1e-10
"""Log weights that differ by less are equal but for rounding."""

_LOG_NOTHING = -650.0
"""A weight that is e^650 times smaller than the largest counts as none: doubles go no further."""


class ParetoTail(NamedTuple):
    """A generalised Pareto distribution with its origin at 0.

    Attributes
    ----------
    shape : float
        k: above 0 a heavy tail with moments of order below 1 / k, below 0 a tail that ends.
    scale : float
        sigma, in the unit of the values.
    """

    shape: float
    scale: float


class Smoothed(NamedTuple):
    """Weights after smoothing, and how far to trust them.

    Attributes
    ----------
    log_weights : ndarray of shape (n_draws,)
        In the order handed in; the weights sum to one.
    k_hat : float
        Shape of their tail; above 0.7 averages are not reliable. -inf where the largest weights are all
        equal; inf where so few count that nothing can be said.
    effective_sample_size : float
        1 over the sum of squared weights: how many equally weighted draws know as much, if k_hat is small.
    """

    log_weights: FloatArray
    k_hat: float
    effective_sample_size: float


def smooth(log_weights: npt.ArrayLike) -> Smoothed:
    """Return importance weights whose largest ones are smoothed, normalised to sum to one.

    Parameters
    ----------
    log_weights : array_like of shape (n_draws,)
        Log of target density over proposal density, each up to a constant. -inf where the target has no
        density; at least one is finite, none is inf or NaN.

    Returns
    -------
    Smoothed
        Smoothed weights, k-hat and the effective sample size.

    Notes
    -----
    The largest M = min(S / 5, 3 sqrt(S)) of S weights are replaced, in their order, by the quantiles
    (i - 1/2) / M of the generalised Pareto distribution fitted to what they exceed the next smaller weight
    by, and cut at the largest weight there was. Nothing is replaced where k-hat is infinite.

    References
    ----------
    Vehtari, A., Simpson, D., Gelman, A., Yao, Y. and Gabry, J. (2024). Pareto smoothed importance sampling.
    Journal of Machine Learning Research 25(72), 1-58, algorithm 1.

    Examples
    --------
    >>> smoothed = smooth(np.log(np.arange(1.0, 101.0)))
    >>> round(float(np.exp(smoothed.log_weights).sum()), 12), smoothed.k_hat < 0.5
    (1.0, True)
    """
    logs = np.array(log_weights, dtype=np.float64)
    logs -= logs.max()
    k_hat, order, tail = _smoothed_tail(logs)
    logs[order] = tail
    logs -= math.log(float(np.exp(logs).sum()))
    return Smoothed(logs, k_hat, 1.0 / float(np.exp(2.0 * logs).sum()))


def fit_generalised_pareto(exceedances: npt.ArrayLike) -> ParetoTail:
    """Return the generalised Pareto distribution that values above a threshold come from.

    Parameters
    ----------
    exceedances : array_like of shape (n,)
        What each value exceeds the threshold by, > 0 and not all of vanishing size.

    Returns
    -------
    ParetoTail
        Shape and scale; the shape without the prior that `smooth` adds.

    Notes
    -----
    The density is (1 + k x / sigma)^-(1 + 1 / k) / sigma. With theta = -k / sigma the likelihood is highest
    at k(theta) = mean log(1 - theta x), which leaves a profile likelihood of theta alone; theta is its mean
    over a grid that reaches from far below zero to just under 1 / max x. No iteration, no boundary, as
    efficient as maximum likelihood.

    References
    ----------
    Zhang, J. and Stephens, M. A. (2009). A new and efficient estimation method for the generalized Pareto
    distribution. Technometrics 51, 316-325, equations (6) to (8); the grid of 30 + sqrt(n) points is that
    of Vehtari et al. (2024), appendix.

    Examples
    --------
    >>> quantiles = (np.arange(4_000) + 0.5) / 4_000
    >>> tail = fit_generalised_pareto(2.0 * np.expm1(-0.5 * np.log1p(-quantiles)) / 0.5)
    >>> abs(tail.shape - 0.5) < 0.01, abs(tail.scale - 2.0) < 0.02
    (True, True)
    """
    values = np.sort(np.asarray(exceedances, dtype=np.float64))
    largest = float(values[-1])
    values /= largest
    n_points = 30 + math.isqrt(values.size)
    quartile = values[int(values.size / 4.0 + 0.5) - 1]
    spread = (np.sqrt(n_points / (np.arange(n_points) + 0.5)) - 1.0) / (3.0 * quartile)
    theta = _not_zero(1.0 - spread)
    shapes = np.log1p(-theta[:, None] * values).mean(axis=1)
    profile = values.size * (np.log(-theta / shapes) - shapes - 1.0)
    likelihood = np.exp(profile - profile.max())
    mean = _not_zero(theta @ likelihood / likelihood.sum())
    shape = float(np.log1p(-mean * values).mean())
    return ParetoTail(shape, -shape / float(mean) * largest)


def _smoothed_tail(logs: FloatArray) -> tuple[float, npt.NDArray[np.intp], FloatArray]:
    """Return k-hat, which log weights are replaced, and by what; the largest log weight is zero."""
    unchanged = np.empty(0, dtype=np.intp), np.empty(0)
    n_tail = int(min(logs.size / 5.0, 3.0 * math.sqrt(logs.size)))
    if n_tail < _TAIL_AT_LEAST:
        return math.inf, *unchanged
    order = np.argsort(logs, kind="stable")[-n_tail - 1 :]
    threshold = max(float(logs[order[0]]), _LOG_NOTHING)
    if threshold > -_NO_SPREAD:
        return -math.inf, *unchanged
    order = order[logs[order] > threshold]
    if order.size < _TAIL_AT_LEAST:
        return math.inf, *unchanged
    fitted = fit_generalised_pareto(math.exp(threshold) * np.expm1(logs[order] - threshold))
    k_hat = (order.size * fitted.shape + _PRIOR_WEIGHT * _PRIOR_SHAPE) / (order.size + _PRIOR_WEIGHT)
    quantiles = _log_quantiles(ParetoTail(k_hat, fitted.scale), order.size)
    return k_hat, order, np.minimum(np.logaddexp(threshold, quantiles), 0.0)


def _log_quantiles(tail: ParetoTail, n: int) -> FloatArray:
    """Return log(sigma / k ((1 - p)^-k - 1)) at p = (i - 1/2) / n; as logs, for k may be large."""
    shape = _not_zero(np.float64(tail.shape))
    power = -shape * np.log1p(-(np.arange(n) + 0.5) / n)
    return math.log(tail.scale / abs(shape)) + np.maximum(power, 0.0) + np.log(-np.expm1(-np.abs(power)))


def _not_zero(values: npt.ArrayLike) -> FloatArray:
    """Move zeros to where limits at zero are reached without dividing by it."""
    return np.where(np.equal(values, 0.0), 1e-200, values)
