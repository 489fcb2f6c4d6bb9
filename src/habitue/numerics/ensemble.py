"""Markov chains for a density of which only values are known: groups of walkers that learn its shape.

Walkers come in groups, and each group in two halves. A half moves to where the other half suggests, which
needs no tuning and follows bends and ridges: by turns a walker proposes to move by the difference of two
walkers of the other half, and to jump to a draw from a kernel estimate of where that half is. All groups
are evaluated in one call. Groups never exchange anything, so whether they agree shows whether they have
converged (:func:`habitue.numerics.convergence.r_hat`).

For some handful of parameters; a density with dozens wants gradients.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from habitue.numerics.arrays import FloatArray
from habitue.numerics.log_density import LogDensity

__all__ = ["walk"]

_KERNEL_DF = 5.0
"""Kernels with heavy tails: else a walker far out would hardly ever be allowed back."""

_LEAPS = 0.1
"""Share of difference moves of full length, which jump from one mode to another."""

_JITTER = 1e-6
"""Of the length of a difference: keeps walkers off the subspace that they span."""


def walk(
    log_density: LogDensity, start: FloatArray, n_steps: int, random_state: np.random.Generator
) -> FloatArray:
    """Return the ways of walkers that visit each place as often as its density says.

    Parameters
    ----------
    log_density : callable
        Log of the density at points of shape (m, k), up to a constant.
    start : ndarray of shape (n_groups, n_walkers, k)
        Where each walker begins, of density above zero; the number of walkers in a group is even and at
        least 2 (k + 2). The walkers of a group do not all stand in one hyperplane.
    n_steps : int
        Steps of each walker.
    random_state : numpy.random.Generator
        Source of chance.

    Returns
    -------
    ndarray of shape (n_steps, n_groups, n_walkers, k)
        Where each walker stood after each step. The first part, until the start is forgotten, is to be
        dropped.

    Notes
    -----
    Difference moves: x + g (y - z), y and z of the other half, g = 2.38 / sqrt(2 k) times a random factor,
    or 1 for a tenth of them. Kernel moves: an independent draw from a mixture of t_5 around the other
    half, with its covariance times (4 / ((k + 2) n))^(2 / (k + 4)), accepted with the ratio that makes up
    for the mixture. Both leave the density unchanged because a half stands still while the other moves.

    References
    ----------
    ter Braak, C. J. F. (2006). A Markov chain Monte Carlo version of the genetic algorithm differential
    evolution. Statistics and Computing 16, 239-249. Goodman, J. and Weare, J. (2010). Ensemble samplers
    with affine invariance. Communications in Applied Mathematics and Computational Science 5, 65-80.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> steps = walk(lambda x: -0.5 * (x**2).sum(axis=1), rng.normal(size=(2, 32, 2)), 200, rng)
    >>> abs(float(steps[50:].std()) - 1.0) < 0.05
    True
    """
    n_groups, n_walkers, k = start.shape
    positions = start.copy()
    heights = log_density(positions.reshape(-1, k)).reshape(n_groups, n_walkers)
    first, second = slice(0, n_walkers // 2), slice(n_walkers // 2, n_walkers)
    ways = np.empty((n_steps, *start.shape))
    for step in range(n_steps):
        propose = _kernel_moves if step % 2 else _difference_moves
        for moving, standing in ((first, second), (second, first)):
            proposed, allowance = propose(positions[:, moving], positions[:, standing], random_state)
            there = log_density(proposed.reshape(-1, k)).reshape(allowance.shape)
            gain = there - heights[:, moving] + allowance
            accepted = -random_state.standard_exponential(gain.shape) < gain
            positions[:, moving] = np.where(accepted[..., None], proposed, positions[:, moving])
            heights[:, moving] = np.where(accepted, there, heights[:, moving])
        ways[step] = positions
    return ways


def _difference_moves(
    moving: FloatArray, standing: FloatArray, random_state: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Propose to move by the difference of two walkers that stand."""
    n_groups, n, k = moving.shape
    one = random_state.integers(0, n, (n_groups, n))
    other = (one + random_state.integers(1, n, (n_groups, n))) % n
    difference = _take(standing, one) - _take(standing, other)
    usual = 2.38 / np.sqrt(2.0 * k) * np.exp(random_state.normal(0.0, 0.3, (n_groups, n)))
    length = np.where(random_state.uniform(size=(n_groups, n)) < _LEAPS, 1.0, usual)
    jitter = _JITTER * standing.std(axis=1, keepdims=True) * random_state.normal(size=moving.shape)
    return moving + length[..., None] * difference + jitter, np.zeros((n_groups, n))


def _kernel_moves(
    moving: FloatArray, standing: FloatArray, random_state: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Propose a draw from the kernel estimate of the walkers that stand."""
    n_groups, n, k = moving.shape
    width = (4.0 / ((k + 2.0) * n)) ** (1.0 / (k + 4.0))
    centred = standing - standing.mean(axis=1, keepdims=True)
    covariance = np.swapaxes(centred, 1, 2) @ centred / (n - 1.0)
    covariance += _JITTER**2 * np.trace(covariance, axis1=1, axis2=2)[:, None, None] * np.eye(k)
    root = width * np.linalg.cholesky(covariance)
    stretch = np.sqrt(_KERNEL_DF / random_state.chisquare(_KERNEL_DF, (n_groups, n, 1)))
    leaps = random_state.normal(size=moving.shape) * stretch
    centres = _take(standing, random_state.integers(0, n, (n_groups, n)))
    proposed = centres + leaps @ np.swapaxes(root, 1, 2)
    at = np.linalg.solve(root, np.swapaxes(np.concatenate([standing, moving, proposed], axis=1), 1, 2))
    stand, was, goes = np.split(np.swapaxes(at, 1, 2), 3, axis=1)
    return proposed, _kernel_log_density(was, stand) - _kernel_log_density(goes, stand)


def _kernel_log_density(points: FloatArray, centres: FloatArray) -> FloatArray:
    """Return the log of the mixture of standard t at whitened points, up to a constant."""
    k = points.shape[-1]
    distance = ((points[:, :, None, :] - centres[:, None, :, :]) ** 2).sum(axis=-1)
    heights = -0.5 * (_KERNEL_DF + k) * np.log1p(distance / _KERNEL_DF)
    return np.asarray(logsumexp(heights, axis=-1), dtype=np.float64)


def _take(walkers: FloatArray, which: npt.NDArray[np.int64]) -> FloatArray:
    """Return the chosen walkers of each group."""
    return np.take_along_axis(walkers, which[..., None], axis=1)
