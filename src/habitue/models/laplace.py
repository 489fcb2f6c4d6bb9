"""The Normal that a posterior looks like, from nothing but values of its log density.

Good enough to propose draws from (:mod:`habitue.models.posterior`), not to read standard errors off:
differences are taken over a tenth of a standard deviation, where rounding is no matter. A search that starts
far away belongs to :mod:`habitue.models.maximum_likelihood`; this one starts at its result and moves on to
where prior and data together are highest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from habitue.numerics.arrays import FloatArray
from habitue.numerics.log_density import LogDensity, in_blocks

__all__ = ["Laplace", "laplace"]

_MOST_STEPS = 25
_DIFFERENCE = 0.1
"""Of the standard deviations of the last approximation."""

_CLIFF = 50.0
"""Where there is no density, the log density counts as that much below the lowest around."""

_NEAR = 0.05
"""A step of so many standard deviations is the last."""

_CURVATURES = (0.25, 100.0)
"""Of the last approximation: the next may be twice as wide, or a tenth."""

_FARTHEST_STEP = 3.0
"""In standard deviations of the last approximation."""

_LENGTHS = np.array([1.0, 0.5, 0.25, 0.1, 0.03, 0.0])


class Laplace(NamedTuple):
    """The Normal that a posterior looks like near its mode.

    Attributes
    ----------
    mode : ndarray of shape (k,)
        Where the posterior is highest.
    covariance : ndarray of shape (k, k)
        Inverse of minus its Hessian there.
    """

    mode: FloatArray
    covariance: FloatArray


def laplace(
    log_density: LogDensity, start: FloatArray, covariance: FloatArray, *, at_once: int = 64
) -> Laplace:
    """Return the Laplace approximation of a posterior, found from a first guess.

    Parameters
    ----------
    log_density : callable
        Points of shape (m, k) in, log densities of shape (m,) out, up to a constant.
    start : ndarray of shape (k,)
        Where to begin, of density above zero, such as the maximum of the likelihood.
    covariance : ndarray of shape (k, k)
        About its covariance, positive definite; a diagonal guess will do.
    at_once : int, default 64
        Points handed to log_density together, at most; bounds its memory.

    Returns
    -------
    Laplace
        Mode and covariance: exact for a Normal, to a few hundredths of a standard deviation otherwise.

    Notes
    -----
    Newton steps on central differences, in directions in which the last approximation has variance 1, each
    the best of six lengths; at most 25 of them, of 2 k^2 + 7 evaluations each. From one step to the next the
    approximation moves by at most 3 of its standard deviations, and at most doubles its width.

    Examples
    --------
    >>> found = laplace(lambda theta: -0.5 * ((theta - 3.0) ** 2).sum(axis=1), np.zeros(2), 0.3 * np.eye(2))
    >>> found.mode.round(6).tolist(), found.covariance.round(6).tolist()
    ([3.0, 3.0], [[1.0, 0.0], [0.0, 1.0]])
    """
    evaluate = in_blocks(log_density, at_once)
    mode, root = start, np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    for _ in range(_MOST_STEPS):
        slope, curvature = _differences(evaluate, mode, root)
        values, directions = np.linalg.eigh(curvature)
        values = np.clip(np.abs(values), *_CURVATURES)
        whole = directions @ ((directions.T @ slope) / values)
        whole *= min(1.0, _FARTHEST_STEP / (float(np.linalg.norm(whole)) or 1.0))
        tried = mode + np.outer(_LENGTHS, root @ whole)
        best = int(np.argmax(evaluate(tried)))
        is_near = float(np.abs(np.sqrt(values) * (directions.T @ whole)).max()) < _NEAR
        mode, root = tried[best], root @ (directions / np.sqrt(values))
        if is_near:
            break
    return Laplace(mode, root @ root.T)


def _differences(evaluate: LogDensity, mode: FloatArray, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return slope and minus the Hessian along the columns of a root, by central differences."""
    k = mode.size
    own = np.eye(k)
    i, j = np.triu_indices(k, 1)
    pairs = [own[i] + own[j], own[i] - own[j]]
    points = _DIFFERENCE * np.concatenate([np.zeros((1, k)), own, -own, *pairs, *(-pair for pair in pairs)])
    values = evaluate(mode + points @ root.T)
    possible = np.isfinite(values)
    values = np.where(possible, values, values[possible].min() - _CLIFF) - values[0]
    up, down = values[1 : k + 1], values[k + 1 : 2 * k + 1]
    same, opposite = values[2 * k + 1 :].reshape(2, 2, -1).sum(axis=0)
    curvature = np.diag(-(up + down)).astype(np.float64)
    curvature[i, j] = curvature[j, i] = (opposite - same) / 4.0
    return (up - down) / (2.0 * _DIFFERENCE), curvature / _DIFFERENCE**2
