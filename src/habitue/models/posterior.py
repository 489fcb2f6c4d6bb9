"""Draws of parameters from their posterior: what data and prior leave open, as equally likely possibilities.

Near its mode a posterior looks like a Normal. Draws from a heavy-tailed relative of that Normal, each
counted with how much too rarely or too often it was proposed, are an exact answer at the price of a few
thousand evaluations, and Pareto-smoothed weights say whether that went well. Where it did not (a posterior
with a bend, or hardly any data), Markov chains are run instead.

It knows no model: it sees a log density of unconstrained parameters.
"""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
from scipy.special import gammaincinv, ndtri
from scipy.stats import qmc

from habitue.errors import ConvergenceError, FitError, HabitueWarning
from habitue.models.persistence import persistent
from habitue.numerics.arrays import FloatArray
from habitue.numerics.convergence import bulk_effective_sample_size, r_hat
from habitue.numerics.ensemble import walk
from habitue.numerics.log_density import LogDensity, in_blocks
from habitue.numerics.psis import Smoothed, smooth

__all__ = ["Draws", "sample_posterior"]

_DF, _INFLATION = 6.0, 1.1
"""Of the proposal: its tails, and how much wider than the Laplace approximation it is."""

_K_HAT_AT_MOST = 0.7
_MOST_ROUNDS = 3
"""Of proposals; the second and third are made where the weights of the last say the posterior is."""
_SHARE_THAT_COUNTS = 0.25
"""Effective sample size per proposal that a later round must reach to be believed."""
_ENOUGH_FOR_MOMENTS = 100.0
"""Effective sample size from which weights tell a mean and a covariance."""

_N_GROUPS, _N_WALKERS, _FIRST_STEPS, _MOST_STEPS = 4, 64, 256, 4096
_R_HAT_WANTED, _R_HAT_AT_MOST = 1.01, 1.05
_LEAST_SIZE = 400.0
_LEAST_POINTS = 32
"""Of the proposals, those with any density; fewer say nothing."""


@persistent
class Draws(NamedTuple):
    """Equally weighted draws from a posterior, and how they were made.

    Attributes
    ----------
    theta : ndarray of shape (n_draws, k)
        Unconstrained parameters, in no particular order. A draw may occur more than once.
    method : str
        ``"importance sampling"`` or ``"mcmc"``.
    k_hat : float
        Shape of the tail of the importance weights: above 0.7 (less for few proposals) they were not used.
    effective_sample_size : float
        How many independent draws tell as much about the centre of each parameter; that of the worst one
        for MCMC. Not above n_draws.
    r_hat : float
        Largest R-hat of any parameter for MCMC; 1 for importance sampling, where nothing has to converge.
    n_evaluations : int
        Evaluations of the log density.
    """

    theta: FloatArray
    method: str
    k_hat: float
    effective_sample_size: float
    r_hat: float
    n_evaluations: int


def sample_posterior(
    log_density: LogDensity,
    mode: FloatArray,
    covariance: FloatArray,
    *,
    n_draws: int,
    random_state: np.random.Generator,
    at_once: int = 64,
) -> Draws:
    """Return draws from the distribution whose log density is given.

    Parameters
    ----------
    log_density : callable
        Points of shape (m, k) in, log densities of shape (m,) out, up to a constant. -inf where there is
        none; what is not finite counts as -inf.
    mode : ndarray of shape (k,)
        About where it is highest.
    covariance : ndarray of shape (k, k)
        Of its Laplace approximation, positive definite.
    n_draws : int
        Draws wanted, >= 1.
    random_state : numpy.random.Generator
        Source of chance: the same state gives the same draws.
    at_once : int, default 64
        Points handed to log_density together, at most; bounds its memory.

    Returns
    -------
    Draws
        By importance sampling, or by MCMC (with a warning) where its weights cannot be trusted.

    Raises
    ------
    FitError
        If no proposed point has any density.
    ConvergenceError
        If Markov chains were needed and after 4,096 steps R-hat is above 1.05, or the effective sample size
        below 100.

    Warns
    -----
    HabitueWarning
        If Markov chains were needed.

    Notes
    -----
    Proposals are multivariate t with 6 degrees of freedom around the mode, on 1.1 times the covariance,
    made of scrambled Sobol points; there are 1 to 2 of them a draw, a power of two, at least 1,024. Their
    Pareto-smoothed weights are turned into equal ones by systematic resampling along the direction in which
    the proposal is widest, which adds least chance. The weights are trusted where k-hat is at most
    min(0.7, 1 - 1 / log10(n_proposals)). Where they are not, up to two further rounds propose around the
    weighted mean, on the weighted covariance, of the last; they are trusted where besides a quarter of
    the proposals count.

    Otherwise 4 groups of walkers (:func:`habitue.numerics.ensemble.walk`) start at proposals with tempered
    weights. The first half of their way is dropped, and they walk on, twice as far each time, until R-hat is
    below 1.01 and the effective sample size at least 400 and n_draws / 4.

    References
    ----------
    Vehtari, A., Simpson, D., Gelman, A., Yao, Y. and Gabry, J. (2024). Pareto smoothed importance sampling.
    Journal of Machine Learning Research 25(72), 1-58, section 2 and equation (13).

    Examples
    --------
    >>> drawn = sample_posterior(
    ...     lambda theta: -0.5 * (theta**2).sum(axis=1), np.zeros(2), np.eye(2),
    ...     n_draws=1000, random_state=np.random.default_rng(0),
    ... )
    >>> drawn.theta.shape, drawn.method, drawn.k_hat < 0.5
    ((1000, 2), 'importance sampling', True)
    """
    evaluate = in_blocks(log_density, at_once)
    n_proposals = max(1024, 2 ** math.ceil(math.log2(n_draws)))
    trusted = min(_K_HAT_AT_MOST, 1.0 - 1.0 / math.log10(n_proposals))
    proposals, smoothed = _weigh(evaluate, mode, covariance, n_proposals, random_state)
    n_evaluations = n_proposals
    while smoothed.k_hat > trusted and n_evaluations < _MOST_ROUNDS * n_proposals:
        if smoothed.effective_sample_size < _ENOUGH_FOR_MOMENTS:
            break
        centre, spread = _moments(proposals, np.exp(smoothed.log_weights))
        again = _weigh(evaluate, centre, spread, n_proposals, random_state)
        n_evaluations += n_proposals
        if again[1].effective_sample_size > smoothed.effective_sample_size:
            proposals, smoothed = again
    # One lucky round among several is no evidence: a later one must besides make many of its points count.
    counts = n_evaluations == n_proposals or (
        smoothed.effective_sample_size >= _SHARE_THAT_COUNTS * n_proposals
    )
    if smoothed.k_hat > trusted or not counts:
        start = _starts(proposals, smoothed.log_weights, random_state)
        drawn = _run_chains(evaluate, start, n_draws, random_state)
        return drawn._replace(k_hat=smoothed.k_hat, n_evaluations=drawn.n_evaluations + n_evaluations)
    chosen = _resample(proposals, np.exp(smoothed.log_weights), n_draws, random_state)
    size = min(float(n_draws), smoothed.effective_sample_size)
    return Draws(chosen, "importance sampling", smoothed.k_hat, size, 1.0, n_evaluations)


def _weigh(
    evaluate: LogDensity,
    centre: FloatArray,
    covariance: FloatArray,
    n_proposals: int,
    random_state: np.random.Generator,
) -> tuple[FloatArray, Smoothed]:
    """Return proposals around a centre, and their smoothed weights."""
    proposals, log_proposal = _propose(centre, covariance, n_proposals, random_state)
    heights = evaluate(proposals)
    if (n_possible := int(np.isfinite(heights).sum())) < _LEAST_POINTS:
        raise FitError(
            f"expected a posterior with its mode near {np.array2string(centre, precision=3)}; only "
            f"{n_possible} of {n_proposals} points around there are possible. Check that the prior "
            "allows what the customers show"
        )
    return proposals, smooth(heights - log_proposal)


def _moments(points: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the weighted mean and covariance: where the next proposals are made."""
    mean = weights @ points / weights.sum()
    return mean, np.cov(points.T, aweights=weights).reshape(mean.size, mean.size)


def _propose(
    mode: FloatArray, covariance: FloatArray, n: int, random_state: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return points of a multivariate t along its widest direction first, and their log densities."""
    k = mode.size
    points = qmc.Sobol(k + 1, rng=random_state).random_base2(round(math.log2(n)))
    points += 2.0**-31  # they are multiples of 2^-30, and at 0 the quantile is infinite
    stretch = np.sqrt(0.5 * _DF / gammaincinv(0.5 * _DF, points[:, k]))
    standard = ndtri(points[:, :k]) * stretch[:, None]
    variances, directions = np.linalg.eigh(covariance)
    root = (directions * np.sqrt(_INFLATION * variances))[:, ::-1]
    order = np.argsort(standard[:, 0])
    standard = standard[order]
    log_proposal = -0.5 * (_DF + k) * np.log1p((standard**2).sum(axis=1) / _DF)
    return mode + standard @ root.T, log_proposal


def _resample(
    points: FloatArray, weights: FloatArray, n: int, random_state: np.random.Generator
) -> FloatArray:
    """Return n points, each as often as its weight says, give or take one, in random order."""
    heights = np.cumsum(weights)
    levels = (np.arange(n) + random_state.uniform()) / n * heights[-1]
    chosen = np.minimum(np.searchsorted(heights, levels, side="right"), len(points) - 1)
    return points[random_state.permutation(chosen)]


def _starts(points: FloatArray, log_weights: FloatArray, random_state: np.random.Generator) -> FloatArray:
    """Return where walkers begin: points with weights tempered until enough of them count."""
    n = _N_GROUPS * _n_walkers(points.shape[1])
    enough = min(2 * n, np.isfinite(log_weights).sum() / 2)
    logs = log_weights - log_weights.max()
    while (weights := np.exp(logs)).sum() ** 2 / (weights**2).sum() < enough:
        logs /= 2.0
    return _resample(points, weights, n, random_state).reshape(_N_GROUPS, -1, points.shape[1])


def _n_walkers(k: int) -> int:
    """Return how many walkers a group needs."""
    return max(_N_WALKERS, 16 * k)


def _run_chains(
    evaluate: LogDensity, start: FloatArray, n_draws: int, random_state: np.random.Generator
) -> Draws:
    """Return draws by Markov chains that run until they agree; k_hat is left open."""
    enough = max(_LEAST_SIZE, n_draws / 4.0)
    ways = walk(evaluate, start, _FIRST_STEPS, random_state)
    while True:
        kept = ways[len(ways) // 2 :]
        spread, size = _diagnose(kept)
        if (spread < _R_HAT_WANTED and size >= enough) or len(ways) >= _MOST_STEPS:
            break
        ways = np.concatenate([ways, walk(evaluate, ways[-1], len(ways), random_state)])
    points = kept.reshape(-1, start.shape[-1])
    _judge(spread, size, len(ways), points)
    chosen = _resample(points, np.ones(len(points)), n_draws, random_state)
    n_evaluations = (len(ways) + 1) * start.shape[0] * start.shape[1]
    return Draws(chosen, "mcmc", math.nan, min(float(n_draws), size), spread, n_evaluations)


def _diagnose(ways: FloatArray) -> tuple[float, float]:
    """Return the largest R-hat between groups, and the smallest effective sample size, of any parameter."""
    n_steps, n_groups, _, k = ways.shape
    by_group = np.swapaxes(ways, 1, 2).reshape(-1, n_groups, k)
    by_walker = ways.reshape(n_steps, -1, k)
    return (
        max(r_hat(by_group[..., i]) for i in range(k)),
        min(bulk_effective_sample_size(by_walker[..., i]) for i in range(k)),
    )


def _judge(spread: float, size: float, n_steps: int, points: FloatArray) -> None:
    """Tell that chains were run, and how they ended."""
    ended = f"R-hat {spread:.3f}, effective sample size {size:,.0f} after {n_steps:,} steps"
    if spread > _R_HAT_AT_MOST or size < _LEAST_SIZE / 4.0:
        means = {f"theta[{i}]": float(mean) for i, mean in enumerate(points.mean(axis=0))}
        raise ConvergenceError(
            f"expected Markov chains to agree on the posterior; they do not ({ended}). Use a prior that says "
            "more, more customers, or a family with fewer parameters",
            iterations=n_steps,
            gradient_norm=math.nan,
            params=means,
        )
    doubt = f"; intervals are rough where R-hat exceeds {_R_HAT_WANTED}" if spread >= _R_HAT_WANTED else ""
    warnings.warn(
        "the posterior is not shaped like its Laplace approximation, so it was drawn from by Markov chains "
        f"instead of importance sampling ({ended}{doubt}); a prior that says more, or more customers, "
        "give it an ordinary shape",
        HabitueWarning,
        stacklevel=4,
    )
