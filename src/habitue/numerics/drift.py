r"""Whether two samples come from one distribution, and by how much they differ.

Shares are compared by the population stability index, numbers by Kolmogorov and Smirnov's distance, counts
and categories by chi-squared, vectors by Hotelling's statistic. One of the samples may be weighted, so that a
group of it counts as often as in the other (`matching_weights`); it then weighs no more than
`effective_size` customers. Many tests at once are taken together in :mod:`habitue.numerics.many_tests`.

What a sample is of, and which difference would matter, is for the caller to know.

References
----------
Kish, L. (1965). Survey Sampling. Wiley, section 11.7.

Siddiqi, N. (2006). Credit Risk Scorecards. Wiley, chapter 11 (the population stability index).

Yurdakul, B. and Naranjo, J. (2020). Statistical properties of the population stability index. Journal of Risk
Model Validation 14(4), 89-100.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2, kstwo, t

from habitue.numerics.arrays import FloatArray

__all__ = [
    "Discrepancy",
    "chi_squared_test",
    "effective_size",
    "ks_test",
    "matching_weights",
    "mean_vector_test",
    "p_silence",
    "population_stability_index",
    "welch_test",
]

_LEAST_EXPECTED: Final = 5.0
"""Counts below which the chi-squared distribution is none too near; rarer categories are put together."""


class Discrepancy(NamedTuple):
    """What a test found."""

    statistic: float
    """How far the samples lie apart, in the test's own unit."""
    p_value: float
    """Probability of a statistic as large if both samples came from one distribution."""


def population_stability_index(reference: npt.ArrayLike, counts: npt.ArrayLike) -> float:
    r"""Return by how much shares of bins differ: 0 if they are the same, above 0.25 a great change.

    Parameters
    ----------
    reference, counts : array_like of shape (n_bins,)
        Customers, or weights, in each bin.

    Returns
    -------
    float
        At least 0.

    Notes
    -----
    .. math:: \sum_k (p_k - q_k) \log(p_k / q_k),

    the divergence of Jeffreys, with half a customer added to each bin so that an empty one has a logarithm.
    Of two samples of n and m customers of one distribution it is about (1/n + 1/m) times a chi-squared with a
    degree of freedom less than bins (Yurdakul and Naranjo 2020): of few customers it is large by chance.

    References
    ----------
    Siddiqi, N. (2006). Credit Risk Scorecards. Wiley, chapter 11.

    Examples
    --------
    >>> population_stability_index([50, 50], [100, 100])
    0.0
    >>> round(population_stability_index([5000, 5000], [7000, 3000]), 3)
    0.169
    """
    p, q = (_shares(np.asarray(one, dtype=np.float64)) for one in (reference, counts))
    return max(float((p - q) @ np.log(p / q)), 0.0) if p.size > 1 else 0.0


def _shares(counts: FloatArray) -> FloatArray:
    # A sample without anybody says nothing about shares; half a customer a bin makes them equal.
    return (counts + 0.5) / (counts.sum() + 0.5 * counts.size)


def effective_size(weights: npt.ArrayLike) -> float:
    r"""Return how many equally weighted customers tell as much as these.

    Parameters
    ----------
    weights : array_like of shape (n,)
        Not negative.

    Returns
    -------
    float
        :math:`(\sum w)^2 / \sum w^2`, Kish's; 0 where no weight is above 0.

    Examples
    --------
    >>> effective_size([1, 1, 1, 1]), effective_size([3, 1])
    (4.0, 1.6)
    """
    w = np.asarray(weights, dtype=np.float64)
    squares = float(w @ w)
    return float(w.sum()) ** 2 / squares if squares > 0.0 else 0.0


def matching_weights(groups: npt.ArrayLike, reference: npt.ArrayLike, *, n_groups: int) -> FloatArray:
    """Return weights that let each group count in the reference as often as in the other sample.

    Parameters
    ----------
    groups, reference : array_like of int, shapes (n,) and (m,)
        Group of each customer, from 0.
    n_groups : int
        How many there are.

    Returns
    -------
    ndarray of shape (m,)
        Share of the group in the first sample over its share in the reference: 1 on average where each group
        is in both.

    Notes
    -----
    Post-stratification: a group that the first sample lacks gets the weight 0, and customers of a group that
    the reference lacks have nobody to be compared with.

    Examples
    --------
    >>> matching_weights([0, 0, 0, 1], [0, 1, 1, 1], n_groups=2).round(3).tolist()
    [3.0, 0.333, 0.333, 0.333]
    """
    now, before = (np.bincount(np.asarray(one), minlength=n_groups) for one in (groups, reference))
    per_group = np.divide(
        now / max(now.sum(), 1), before / max(before.sum(), 1), out=np.zeros(n_groups), where=before > 0
    )
    return per_group[np.asarray(reference)]


def ks_test(
    values: npt.ArrayLike, reference: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> Discrepancy:
    """Return the largest distance of two samples' distribution functions, and how likely chance makes it.

    Parameters
    ----------
    values, reference : array_like of shapes (n,) and (m,)
        Numbers, at least one each.
    weights : array_like of shape (m,), optional
        Of the reference; all 1 where None.

    Returns
    -------
    Discrepancy
        The distance, in [0, 1].

    Notes
    -----
    p is that of a sample of n m / (n + m) customers against a known continuous distribution, as
    ``scipy.stats.ks_2samp(method="asymp")``; of a weighted reference m is its effective size. Where values
    are tied it is too large, never too small: the distance is taken after each tie, where it can only be
    smaller than within it.

    References
    ----------
    Hodges, J. L. (1958). The significance probability of the Smirnov two-sample test. Arkiv för Matematik 3,
    469-486.

    Examples
    --------
    >>> ks_test([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]).statistic
    1.0
    """
    a, b = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    w = np.ones(b.size) if weights is None else np.asarray(weights, dtype=np.float64)
    order = np.argsort(b, kind="stable")
    b, w = b[order], w[order]
    places = np.unique(np.concatenate([a, b]))
    mine = np.searchsorted(np.sort(a), places, side="right") / a.size
    summed = np.concatenate([[0.0], np.cumsum(w)]) / w.sum()
    theirs = summed[np.searchsorted(b, places, side="right")]
    distance = min(float(np.abs(mine - theirs).max()), 1.0)
    n, m = float(a.size), effective_size(w)
    return Discrepancy(distance, float(kstwo.sf(distance, max(round(n * m / (n + m)), 1))))


def chi_squared_test(
    counts: npt.ArrayLike, reference: npt.ArrayLike, *, size: float | None = None
) -> Discrepancy:
    r"""Return by how much counts of two samples differ, and how likely chance makes it.

    Parameters
    ----------
    counts, reference : array_like of shape (n_bins,)
        Customers of each bin; of the reference they may be weights.
    size : float, optional
        How many customers the reference's weights are worth (`effective_size`); their sum where None.

    Returns
    -------
    Discrepancy
        Pearson's statistic; p is 1 where there is one bin.

    Notes
    -----
    :math:`\sum (o - e)^2 / e` over both rows of the table, where e is what the margins imply, against
    chi-squared with a degree of freedom less than bins. Bins of fewer than 5 expected customers are put
    together.

    References
    ----------
    Pearson, K. (1900). On the criterion that a given system of deviations... Philosophical Magazine 50,
    157-175.

    Examples
    --------
    >>> chi_squared_test([50, 50], [60, 40]).statistic.__round__(4)
    2.0202
    """
    table = np.array([np.asarray(counts, dtype=np.float64), np.asarray(reference, dtype=np.float64)])
    if size is not None and table[1].sum() > 0.0:
        table[1] *= size / table[1].sum()
    table = _common(table)
    rows, columns, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    if table.shape[1] < 2 or not rows.all():
        return Discrepancy(0.0, 1.0)
    expected = np.outer(rows, columns) / total
    statistic = float(((table - expected) ** 2 / expected).sum())
    return Discrepancy(statistic, float(chi2.sf(statistic, table.shape[1] - 1)))


def _common(table: FloatArray) -> FloatArray:
    """Put bins together of which too few are expected in either row."""
    rows, columns, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    if total == 0.0:
        return table[:, :0]
    rare = rows.min() * columns / total < _LEAST_EXPECTED
    rest = table[:, rare].sum(axis=1, keepdims=True)
    kept = table[:, ~rare]
    return np.hstack([kept, rest]) if rest.sum() > 0.0 else kept


def mean_vector_test(
    vectors: FloatArray, reference: FloatArray, weights: npt.ArrayLike | None = None
) -> Discrepancy:
    r"""Return by how much mean vectors of two samples differ, and how likely chance makes it.

    Parameters
    ----------
    vectors, reference : ndarray of shapes (n, k) and (m, k)
        One row a customer.
    weights : array_like of shape (m,), optional
        Of the reference; all 1 where None.

    Returns
    -------
    Discrepancy
        Hotelling's statistic, each sample with a covariance of its own; p from chi-squared with k degrees of
        freedom, which takes many more customers than k.

    Notes
    -----
    :math:`d' (S_1 / n + S_2 / m)^{-1} d`. Directions in which nobody differs are left out. Of the gradients
    of a log-likelihood, at parameters that are near those of the reference, this is the generalised score
    test of equal parameters: the covariances are of what was seen, so that it holds whether the law is true
    or only near.

    References
    ----------
    Boos, D. D. (1992). On generalized score tests. The American Statistician 46, 327-333.

    White, H. (1982). Maximum likelihood estimation of misspecified models. Econometrica 50, 1-25.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before, now = rng.normal(size=(500, 2)), rng.normal(size=(500, 2)) + [0.0, 0.5]
    >>> mean_vector_test(now, before).p_value < 1e-6
    True
    """
    w = np.ones(len(reference)) if weights is None else np.asarray(weights, dtype=np.float64)
    w = w / w.sum()
    there = w @ reference
    spread = (reference - there) * w[:, None]  # of a weighted mean: the sum of squared weighted deviations
    here = vectors.mean(axis=0)
    own = (vectors - here) / len(vectors)
    covariance = spread.T @ spread + own.T @ own
    scale = np.sqrt(np.diag(covariance))
    told = scale > 1e-12 * (np.abs(here) + np.abs(there))  # else all of it is rounding
    if not told.any():
        return Discrepancy(0.0, 1.0)
    z = (here - there)[told] / scale[told]
    correlation = covariance[np.ix_(told, told)] / np.outer(scale[told], scale[told])
    values, directions = np.linalg.eigh(correlation)
    kept = values > 1e-10 * values.max()
    statistic = float((((directions.T @ z)[kept]) ** 2 / values[kept]).sum())
    return Discrepancy(statistic, float(chi2.sf(statistic, int(kept.sum()))))


def welch_test(values: npt.ArrayLike, reference: npt.ArrayLike) -> Discrepancy:
    """Return by how many standard errors two means differ, and how likely chance makes it.

    Parameters
    ----------
    values, reference : array_like of shapes (n,) and (m,)
        At least two each.

    Returns
    -------
    Discrepancy
        Welch's statistic. Where neither varies: p is 1 if they are equal, else 0.

    References
    ----------
    Welch, B. L. (1947). The generalization of "Student's" problem when several different population variances
    are involved. Biometrika 34, 28-35.

    Examples
    --------
    >>> welch_test([5.0, 5.0], [7.0, 7.0])
    Discrepancy(statistic=-inf, p_value=0.0)
    """
    a, b = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    difference = float(a.mean() - b.mean())
    u, v = float(a.var(ddof=1)) / a.size, float(b.var(ddof=1)) / b.size
    if u + v == 0.0:
        return (
            Discrepancy(float(np.copysign(np.inf, difference)), 0.0) if difference else Discrepancy(0.0, 1.0)
        )
    freedom = (u + v) ** 2 / (u**2 / (a.size - 1) + v**2 / (b.size - 1))
    statistic = difference / np.sqrt(u + v)
    return Discrepancy(float(statistic), float(2.0 * t.sf(abs(statistic), freedom)))


def p_silence(empty: npt.ArrayLike, days: npt.ArrayLike, silent: npt.ArrayLike) -> float:
    r"""Return how likely nothing is heard on days like these, from how often nothing was heard before.

    Parameters
    ----------
    empty, days : array_like of shape (7,)
        For each day of the week: days without a record, and all days, before the silence.
    silent : array_like of shape (7,)
        For each day of the week: how many days of the silence.

    Returns
    -------
    float
        In (0, 1]; 1 where there is no silence.

    Notes
    -----
    The product over days of the chance that such a day is empty, (empty + 1) / (days + 2): Laplace's rule of
    succession. Empty days come together (holidays), which this does not know: let a silence matter only where
    it is longer than every one before.

    Examples
    --------
    >>> every_day, shut_on_sundays = [0] * 7, [0] * 6 + [52]
    >>> p_silence(shut_on_sundays, [52] * 7, [0] * 6 + [1]) > 0.9  # a Sunday more
    True
    >>> p_silence(every_day, [52] * 7, [1] * 7) < 1e-11
    True
    """
    chance = (np.asarray(empty, dtype=np.float64) + 1.0) / (np.asarray(days, dtype=np.float64) + 2.0)
    return float(np.prod(chance ** np.asarray(silent, dtype=np.float64)))
