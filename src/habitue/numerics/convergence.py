"""Whether Markov chains have forgotten where they began, and how many independent draws they are worth.

Both answers compare what happens within chains with what happens between them, after values were replaced
by normal scores of their ranks, so that heavy tails do not hide anything. They are necessary conditions:
chains that all missed the same mode agree with each other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from scipy.stats import rankdata

from habitue.numerics.arrays import FloatArray

__all__ = ["bulk_effective_sample_size", "r_hat"]


def r_hat(chains: npt.ArrayLike) -> float:
    """Return how much wider all chains together spread than one chain does.

    Parameters
    ----------
    chains : array_like of shape (n_steps, n_chains)
        Values of one quantity; at least 4 steps. A chain may be a group of walkers, its values joined step
        by step.

    Returns
    -------
    float
        1 where chains agree; above 1.01 they have not run long enough. 1 for a constant.

    Notes
    -----
    Each chain is cut into halves, so that a drift shows too. The larger of R-hat of the normal scores
    (centres that differ) and that of the normal scores of the distance from the median (spreads that
    differ).

    References
    ----------
    Vehtari, A., Gelman, A., Simpson, D., Carpenter, B. and Bürkner, P.-C. (2021). Rank-normalization,
    folding, and localization: an improved R-hat for assessing convergence of MCMC. Bayesian Analysis 16,
    667-718, equations (1) to (4) and (14).

    Examples
    --------
    >>> chains = np.random.default_rng(0).normal(size=(500, 4))
    >>> r_hat(chains) < 1.01, r_hat(chains + np.arange(4)) > 1.5
    (True, True)
    """
    halves = _halves(np.asarray(chains, dtype=np.float64))
    folded = np.abs(halves - np.median(halves))
    return max(_spread_ratio(_normal_scores(halves)), _spread_ratio(_normal_scores(folded)))


def bulk_effective_sample_size(chains: npt.ArrayLike) -> float:
    """Return how many independent draws tell as much about the centre as these chains.

    Parameters
    ----------
    chains : array_like of shape (n_steps, n_chains)
        Values of one quantity; at least 4 steps.

    Returns
    -------
    float
        Above 0; less than the number of draws where values stay alike from step to step.

    Notes
    -----
    Draws divided by 1 + 2 times the sum of autocorrelations of the normal scores of split chains, summed in
    pairs while those are positive, and made to fall (Geyer's initial monotone sequence).

    References
    ----------
    Vehtari et al. (2021), equations (10) to (13); Geyer, C. J. (1992). Practical Markov chain Monte Carlo.
    Statistical Science 7, 473-483.

    Examples
    --------
    >>> chains = np.random.default_rng(0).normal(size=(500, 4))
    >>> 1_700 < bulk_effective_sample_size(chains) < 2_400
    True
    """
    scores = _normal_scores(_halves(np.asarray(chains, dtype=np.float64)))
    n_steps, n_chains = scores.shape
    within, total = _variances(scores)
    if total <= 0.0:
        return float(scores.size)
    centred = scores - scores.mean(axis=0)
    spectrum = np.fft.rfft(centred, n=2 * n_steps, axis=0)
    covariances = np.fft.irfft(np.abs(spectrum) ** 2, n=2 * n_steps, axis=0)[:n_steps].mean(axis=1) / n_steps
    correlations = 1.0 - (within - covariances * n_steps / (n_steps - 1.0)) / total
    correlations[0] = 1.0
    pairs = correlations[: n_steps // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = int(np.argmax(pairs <= 0.0)) if (pairs <= 0.0).any() else pairs.size
    autocorrelation_time = -1.0 + 2.0 * float(np.minimum.accumulate(pairs[:ends]).sum())
    draws = n_steps * n_chains
    return draws / max(autocorrelation_time, 1.0 / np.log10(draws))  # chains that swing count a bit more


def _halves(chains: FloatArray) -> FloatArray:
    """Cut each chain into two."""
    half = chains.shape[0] // 2
    return np.concatenate([chains[:half], chains[-half:]], axis=1)


def _normal_scores(values: FloatArray) -> FloatArray:
    """Replace values by the normal quantiles of their ranks."""
    return ndtri((rankdata(values, axis=None).reshape(values.shape) - 0.375) / (values.size + 0.25))


def _variances(scores: FloatArray) -> tuple[float, float]:
    """Return the variance within chains, and the one that an endless run would have, from above."""
    n_steps = scores.shape[0]
    within = float(scores.var(axis=0, ddof=1).mean())
    return within, within * (n_steps - 1.0) / n_steps + float(scores.mean(axis=0).var(ddof=1))


def _spread_ratio(scores: FloatArray) -> float:
    """Return the root of total over within variance."""
    within, total = _variances(scores)
    if total <= 1e-12:  # a constant, but for rounding
        return 1.0
    return float(np.sqrt(total / within)) if within > 0.0 else np.inf
