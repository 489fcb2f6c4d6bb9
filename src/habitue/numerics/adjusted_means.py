"""Means of the arms of an experiment, sharpened by what was known of the customers before it began.

One regression within each arm, asked about everybody: chance imbalance between the arms in what was known
before is taken out, and the means stay unbiased however wrong the regression is, since the arms were drawn.
Which customers belong in it, and whether their outcomes have come, is for the caller to know.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = ["ArmMeans", "Contrast", "adjusted_means", "contrast"]


class ArmMeans(NamedTuple):
    """The mean of each arm, and what each customer contributes to it.

    Examples
    --------
    >>> found = adjusted_means([1.0, 3.0, 6.0, 8.0], [0, 0, 1, 1], 2)
    >>> found.mean
    array([2., 7.])
    """

    mean: FloatArray
    """Of shape (k,): what all customers would show on average, were all in that arm."""
    influence: FloatArray
    """Of shape (g, k), a row a customer or cluster: the mean's error is their mean."""
    within: FloatArray
    """Of shape (k,): the part of each mean's variance that comes of its own arm."""
    freedom: FloatArray
    """Of shape (k,): degrees of freedom of that part."""


class Contrast(NamedTuple):
    """One arm against another.

    Examples
    --------
    >>> found = contrast(adjusted_means([1.0, 3.0, 6.0, 8.0], [0, 0, 1, 1], 2), 1, 0)
    >>> round(found.difference, 4), round(found.se, 4), round(found.freedom, 4)
    (5.0, 1.4142, 2.0)
    """

    difference: float
    """First arm less second, in the unit of the outcome."""
    se: float
    """Its standard error."""
    freedom: float
    """Degrees of freedom of the t that it is held against."""
    log_ratio: float
    """Logarithm of first over second; NaN unless both are above 0."""
    log_ratio_se: float
    """Its standard error."""


def adjusted_means(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    n_arms: int,
    *,
    covariates: npt.ArrayLike | None = None,
    propensity: npt.ArrayLike | None = None,
    clusters: npt.ArrayLike | None = None,
) -> ArmMeans:
    """Return the mean of each arm, adjusted for covariates from before the experiment.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcomes.
    arm : array_like of int of shape (n,)
        Numbers of the arms, from 0.
    n_arms : int
        How many there are, k.
    covariates : array_like of shape (n, p), optional
        What was known before the arms were drawn; none where None.
    propensity : array_like of shape (n,), optional
        Chance of the arm that was drawn, in (0, 1]; equal within arms where None.
    clusters : array_like of int of shape (n,), optional
        Number of each customer's household, from 0; customers are independent where None.

    Returns
    -------
    ArmMeans

    Notes
    -----
    Within arm a, y is regressed on (1, x - mean(x)) with weights 1 / propensity; its intercept is the mean.
    The influence of a customer is n w / sum_a(w) r / sqrt(1 - h), in the own arm, plus (x - mean(x)) beta_a,
    in every arm, where r is the residual and h the leverage (HC2). Without covariates, propensities equal,
    this is the difference of means with Welch's standard error. With one covariate, the same metric before
    the experiment, it takes off the share rho^2 of the variance (CUPED); it never adds any in large samples.

    References
    ----------
    Lin (2013), Agnostic notes on regression adjustments to experimental data: Reexamining Freedman's
    critique, Annals of Applied Statistics 7.
    Deng, Xu, Kohavi and Walker (2013), Improving the sensitivity of online controlled experiments by
    utilizing pre-experiment data, WSDM.
    MacKinnon and White (1985), Some heteroskedasticity-consistent covariance matrix estimators with improved
    finite sample properties, Journal of Econometrics 29.

    Examples
    --------
    Spend doubles from its level before, and the offer adds 5; the arms were not quite alike before:

    >>> before = np.array([1.0, 2.0, 3.0, 2.0, 3.0, 4.0])
    >>> drawn = [0, 0, 0, 1, 1, 1]
    >>> spent = 2.0 * before + 5.0 * np.array(drawn)
    >>> adjusted_means(spent, drawn, 2, covariates=before[:, None]).mean.round(6)
    array([ 5., 10.])
    """
    outcome, drawn = np.asarray(y, dtype=np.float64), np.asarray(arm, dtype=np.intp)
    n = outcome.size
    weights = np.ones(n) if propensity is None else 1.0 / np.asarray(propensity, dtype=np.float64)
    x = np.ones((n, 1)) if covariates is None else _design(np.asarray(covariates, dtype=np.float64))
    groups = np.arange(n) if clusters is None else np.asarray(clusters, dtype=np.intp)
    n_groups = int(groups.max(initial=-1)) + 1
    mean, within, freedom = np.full(n_arms, np.nan), np.full(n_arms, np.nan), np.full(n_arms, np.nan)
    influence = np.zeros((n_groups, n_arms))
    for number in range(n_arms):
        own = np.flatnonzero(drawn == number)
        if own.size == 0:
            influence[:, number] = np.nan
            continue
        beta, residual, rank = _regression(x[own], outcome[own], weights[own])
        mean[number] = beta[0]
        part = n * weights[own] / weights[own].sum() * residual
        sums = np.bincount(groups[own], part, n_groups)
        # A sum over few clusters is small by the mean that was fitted to it, as one over customers is.
        n_own = np.unique(groups[own]).size
        sums *= np.sqrt(n_own / max(n_own - 1, 1)) if clusters is not None else 1.0
        within[number], freedom[number] = float(sums @ sums) / n**2, n_own - rank
        of_all = (x[:, 1:] @ beta[1:]) if x.shape[1] > 1 else np.zeros(n)
        influence[:, number] = (sums + np.bincount(groups, of_all, n_groups)) * (n_groups / n)
    return ArmMeans(mean, influence, within, freedom)


def _design(covariates: FloatArray) -> FloatArray:
    """Return a column of ones and the covariates, centred and scaled so that none drowns the others."""
    centred = covariates - covariates.mean(axis=0)
    scale = centred.std(axis=0)
    return np.column_stack([np.ones(len(centred)), centred / np.where(scale > 0.0, scale, 1.0)])


def _regression(x: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, int]:
    """Return coefficients, residuals over the root of 1 - leverage, and the rank."""
    weighed = x * weights[:, None]
    # Columns are of one scale, so that the small matrix tells which directions there are.
    values, vectors = np.linalg.eigh(x.T @ weighed)
    kept = values > values[-1] * 1e-10
    directions = vectors[:, kept] / np.sqrt(values[kept])
    beta = directions @ (directions.T @ (weighed.T @ y))
    room = 1.0 - ((x @ directions) ** 2).sum(axis=1) * weights
    residual = y - x @ beta
    # One customer alone in a direction fits itself: nothing is known of its spread.
    return beta, np.where(room > 1e-9, residual / np.sqrt(np.maximum(room, 1e-9)), 0.0), int(kept.sum())


def contrast(means: ArmMeans, first: int, second: int) -> Contrast:
    """Compare two arms.

    Parameters
    ----------
    means : ArmMeans
        Of `adjusted_means`.
    first, second : int
        Numbers of the arms.

    Returns
    -------
    Contrast

    Notes
    -----
    Degrees of freedom are Welch's. The ratio's error is that of its logarithm, by the delta method.

    Examples
    --------
    >>> found = contrast(adjusted_means([1.0, 3.0, 6.0, 8.0], [0, 0, 1, 1], 2), 1, 0)
    >>> round(float(np.exp(found.log_ratio)), 6)
    3.5
    """
    one, other = float(means.mean[first]), float(means.mean[second])
    moved = means.influence[:, first] - means.influence[:, second]
    n = len(moved)
    se = float(np.sqrt(moved @ moved)) / n
    parts = means.within[[first, second]]
    spread = float((parts**2 / np.maximum(means.freedom[[first, second]], 1.0)).sum())
    freedom = float(parts.sum() ** 2 / spread) if spread > 0.0 else np.inf
    if not (one > 0.0 and other > 0.0):
        return Contrast(one - other, se, freedom, np.nan, np.nan)
    logs = means.influence[:, first] / one - means.influence[:, second] / other
    return Contrast(one - other, se, freedom, float(np.log(one / other)), float(np.sqrt(logs @ logs)) / n)
