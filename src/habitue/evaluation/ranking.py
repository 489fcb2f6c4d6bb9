"""How well an ordering of customers agrees with what happened: weighted rank statistics.

Every score takes outcome (n,), prediction (n,) and weights (B, n) and returns (B,) values: it sorts once
and sums along the order for all rows of weights together. A weight of two is two customers. Ties are never
broken by the order of the rows: a value is its expectation over random orders within ties. Where a value is
not defined it is nan.

Input is trusted here; ``scores`` checks it. Nothing here measures the size of an error; sums over the first
tenth, or any share, of an order are in ``deciles``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "FloatArray",
    "auc",
    "average_precision",
    "normalised_gini",
    "ratio",
    "spearman",
    "tied_sums",
]

FloatArray = npt.NDArray[np.float64]


def ratio(numerator: FloatArray, denominator: FloatArray, *, otherwise: float = np.nan) -> FloatArray:
    """Divide, giving `otherwise` where the denominator is zero.

    Parameters
    ----------
    numerator, denominator : array
        Broadcast against each other.
    otherwise : float
        What stands where nothing can be divided; nan if not given.

    Returns
    -------
    array
        Of the common shape.

    Examples
    --------
    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    array([0.5, nan])
    """
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), otherwise)
    return np.divide(numerator, denominator, out=result, where=denominator != 0.0)


class _Ties(NamedTuple):
    """Ascending order of a key and where each run of equal keys starts; None: nothing to do."""

    order: npt.NDArray[np.intp] | None
    starts: npt.NDArray[np.intp] | None

    def sums(self, columns: FloatArray) -> FloatArray:
        """Sum (B, n) columns within runs of equal keys, lowest key first: (B, runs)."""
        ordered = columns if self.order is None else np.take(columns, self.order, axis=1)
        return ordered if self.starts is None else np.add.reduceat(ordered, self.starts, axis=1)


def _ties(key: FloatArray) -> _Ties:
    # Bootstrap comes in chunks with customers sorted beforehand: then nothing is sorted or gathered again.
    steps = np.diff(key)
    order = None if (steps >= 0.0).all() else np.argsort(key, kind="stable")
    if order is not None:
        steps = np.diff(key[order])
    starts = np.flatnonzero(np.r_[True, steps > 0.0])
    return _Ties(order, None if starts.size == key.size else starts)


def tied_sums(key: FloatArray, weights: FloatArray, *values: FloatArray) -> tuple[FloatArray, ...]:
    """Count customers and sum their values within runs of equal keys, lowest key first.

    Parameters
    ----------
    key : array of shape (n,)
        What customers are ordered by.
    weights : array of shape (B, n)
        How many customers each stands for.
    *values : array of shape (n,)
        What to sum.

    Returns
    -------
    tuple of arrays of shape (B, k)
        Customers in each of the k runs, then one array per array of values.

    Examples
    --------
    >>> tied_sums(np.array([2.0, 1.0, 2.0]), np.ones((1, 3)), np.array([1.0, 0.0, 5.0]))
    (array([[1., 2.]]), array([[0., 6.]]))
    """
    ties = _ties(key)
    return (ties.sums(weights), *(ties.sums(weights * value) for value in values))


def _centred_ranks(mass: FloatArray) -> FloatArray:
    """Return the mid-ranks of runs holding `mass` customers each, minus their mean: (B, runs)."""
    ranks = np.cumsum(mass, axis=1)
    half = ranks[:, -1:] / 2.0
    ranks -= mass / 2.0
    ranks -= half
    return ranks


def _rank_covariance(values: FloatArray, key: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum weight * value * (rank by key - mean rank) over customers: (B,). `values` is (n,) or (B, n)."""
    ties = _ties(key)
    ranks = _centred_ranks(ties.sums(weights))
    return np.einsum("bg,bg->b", ranks, ties.sums(weights * values))


def auc(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Return how often one with outcome 1 is ranked above one with outcome 0; a tie is half.

    Parameters
    ----------
    outcome : array of shape (n,)
        What happened, 1 or 0.
    prediction : array of shape (n,)
        What customers are ordered by.
    weights : array of shape (B, n)
        How many customers each stands for, not negative.

    Returns
    -------
    array of shape (B,)
        In [0, 1]; 1/2 for a constant prediction, nan with one class only.

    Notes
    -----
    The Mann-Whitney statistic over the number of pairs, from the covariance of outcome and mid-rank:
    1/2 + sum w y (rank - mean rank) / (W1 W0), with W1 and W0 the weights of the two classes.

    Examples
    --------
    >>> auc(np.array([0.0, 0.0, 1.0]), np.array([0.1, 0.5, 0.5]), np.ones((1, 3)))
    array([0.75])
    """
    positive = weights @ outcome
    pairs = positive * (weights @ (1.0 - outcome))
    return 0.5 + ratio(_rank_covariance(outcome, prediction, weights), pairs)


def average_precision(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the share of ones among those ranked at the top, averaged on the way down the list.

    Parameters
    ----------
    outcome : array of shape (n,)
        What happened, 1 or 0.
    prediction : array of shape (n,)
        What customers are ordered by, the highest first.
    weights : array of shape (B, n)
        How many customers each stands for, not negative.

    Returns
    -------
    array of shape (B,)
        In [0, 1]; the share of ones for a constant prediction, nan without a one.

    Notes
    -----
    sum over thresholds of (recall_k - recall_(k-1)) precision_k, without interpolation; everybody tied at a
    threshold is taken together, as in scikit-learn.

    Examples
    --------
    >>> average_precision(np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.5, 0.1]), np.ones((1, 3))).round(4)
    array([0.8333])
    """
    ties = _ties(prediction)
    hits = ties.sums(weights * outcome)[:, ::-1]
    reached = np.cumsum(ties.sums(weights)[:, ::-1], axis=1)
    precision = ratio(np.cumsum(hits, axis=1), reached, otherwise=0.0)
    return ratio(np.einsum("bg,bg->b", hits, precision), hits.sum(axis=1))


def spearman(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the correlation of the ranks of outcome and prediction; nan if one is constant.

    Parameters
    ----------
    outcome : array of shape (n,)
        What happened.
    prediction : array of shape (n,)
        What customers are ordered by.
    weights : array of shape (B, n)
        How many customers each stands for, not negative.

    Returns
    -------
    array of shape (B,)
        In [-1, 1].

    Notes
    -----
    Pearson's correlation of weighted mid-ranks: the rank of a run of equal values is the number of customers
    below it plus half of its own.

    Examples
    --------
    >>> spearman(np.array([1.0, 2.0, 9.0]), np.array([0.1, 0.5, 0.9]), np.ones((1, 3)))
    array([1.])
    """
    ranks, spread_of_outcome = _ranks(outcome, weights)
    ties = _ties(prediction)
    mass = ties.sums(weights)
    by_prediction = _centred_ranks(mass)
    ranks *= weights
    covariance = np.einsum("bg,bg->b", by_prediction, ties.sums(ranks))
    spread = np.einsum("bg,bg,bg->b", by_prediction, by_prediction, mass)
    return ratio(covariance, np.sqrt(spread * spread_of_outcome))


def _ranks(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return everybody's centred mid-rank (B, n) and the weighted sum of its square (B,)."""
    mass = _ties(values).sums(weights)
    ranks = _centred_ranks(mass)
    spread = np.einsum("bg,bg,bg->b", ranks, ranks, mass)
    run_of = np.unique(values, return_inverse=True)[1]
    return np.take(ranks, run_of, axis=1), spread


def normalised_gini(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the gain of this ranking over a random one, as a share of the gain of the perfect ranking.

    Parameters
    ----------
    outcome : array of shape (n,)
        What happened.
    prediction : array of shape (n,)
        What customers are ordered by.
    weights : array of shape (B, n)
        How many customers each stands for, not negative.

    Returns
    -------
    array of shape (B,)
        In [-1, 1]; 0 for a constant prediction, nan for a constant outcome.

    Notes
    -----
    The Gini coefficient of the outcome ordered by prediction over that of the outcome ordered by itself. Both
    are 2 cov(outcome, rank) / (W total), so that the total cancels and what is computed is cov(outcome, rank
    by prediction) / cov(outcome, rank by outcome). Negative outcomes (net returns) and a total of zero or
    less therefore need no special treatment: the value stays in [-1, 1]. For outcomes of 0 and 1 it is 2 AUC
    - 1.

    References
    ----------
    Lerman and Yitzhaki (1984), A note on the calculation and interpretation of the Gini index, Economics
    Letters 15.

    Examples
    --------
    >>> normalised_gini(np.array([0.0, 10.0, 30.0]), np.array([1.0, 3.0, 2.0]), np.ones((1, 3))).round(4)
    array([0.3333])
    """
    achieved = _rank_covariance(outcome, prediction, weights)
    return ratio(achieved, _rank_covariance(outcome, outcome, weights))
