"""Sums over a share of the ordered customers: what the top tenth holds, and how far tenths are off.

Every score takes outcome (n,), prediction (n,) and weights (B, n) and returns (B,) values, as in ``ranking``.
A tenth is exactly a tenth of the customers: the one at its edge counts in part, ties at the edge by
expectation over random orders. Input is trusted here; ``scores`` checks it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from habitue.evaluation.ranking import FloatArray, ratio, tied_sums

__all__ = ["capture_top_decile", "cumulative_sums", "decile_mape", "lift_top_decile"]

_N_DECILES: Final = 10
_ROUNDING: Final = 1e-12  # of the sum of absolute outcomes: below it a sum counts as zero


def cumulative_sums(
    key: FloatArray, weights: FloatArray, shares: FloatArray, *values: FloatArray
) -> tuple[FloatArray, ...]:
    """Sum values over the given share of customers with the lowest key, ties by expectation.

    Parameters
    ----------
    key : array of shape (n,)
        What customers are ordered by.
    weights : array of shape (B, n)
        How many customers each stands for.
    shares : array of shape (k,)
        Shares of all customers, in [0, 1].
    *values : array of shape (n,)
        What to sum.

    Returns
    -------
    tuple of arrays of shape (B, k)
        One per array of values.

    Notes
    -----
    Linear within a run of equal keys, and within the one customer at the edge: that is the expectation over
    random orders of equals. A share is one of the total weight, so that 0 gives 0 and 1 the sum over all.

    Examples
    --------
    >>> key, money = np.array([1.0, 2.0, 2.0]), np.array([5.0, 0.0, 2.0])
    >>> cumulative_sums(key, np.ones((1, 3)), np.array([0.5, 1.0]), money)
    (array([[5.5, 7. ]]),)
    """
    mass, *sums = (_cumulate(runs) for runs in tied_sums(key, weights, *values))
    at = mass[:, -1:] * shares
    return tuple(_interpolate(at, mass, total) for total in sums)


def _cumulate(runs: FloatArray) -> FloatArray:
    sums = np.zeros((runs.shape[0], runs.shape[1] + 1))
    np.cumsum(runs, axis=1, out=sums[:, 1:])
    return sums


def _interpolate(at: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    return np.stack([np.interp(*row) for row in zip(at, x, y, strict=True)])


def capture_top_decile(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the share of all ones that is found among the tenth with the highest predictions.

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
        In [0, 1]; 0.1 for a constant prediction, nan without a one.

    Notes
    -----
    The height of the gains curve at a tenth, and a tenth of ``lift_top_decile``. Where more than a tenth
    of the customers are ones, even a perfect order captures only 0.1 over their share.

    Examples
    --------
    >>> capture_top_decile(np.r_[1.0, np.zeros(8), 1.0], np.linspace(1, 0, 10), np.ones((1, 10))).round(4)
    array([0.5])
    """
    below_edge, total = cumulative_sums(prediction, weights, np.array([0.9, 1.0]), outcome)[0].T
    return ratio(total - below_edge, total)


def lift_top_decile(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the share of ones among the tenth with the highest predictions over their share among all.

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
        In [0, 10]; 1 for a constant prediction, nan without a one.

    Notes
    -----
    The tenth is exactly n / 10 customers: the customer at its edge counts in part, ties at the edge by
    expectation.

    Examples
    --------
    >>> lift_top_decile(np.r_[1.0, np.zeros(9)], np.linspace(1, 0, 10), np.ones((1, 10))).round(4)
    array([10.])
    """
    return 10.0 * capture_top_decile(outcome, prediction, weights)


def decile_mape(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Return how far mean prediction and mean outcome differ in tenths ranked by prediction.

    Parameters
    ----------
    outcome : array of shape (n,)
        What happened.
    prediction : array of shape (n,)
        What customers are ordered by, in the unit of the outcome.
    weights : array of shape (B, n)
        How many customers each stands for, not negative.

    Returns
    -------
    array of shape (B,)
        A share of the outcome, 0 or more; nan where no decile has a relative error.

    Notes
    -----
    mean over deciles of |mean prediction - mean outcome| / |mean outcome|. Each decile is exactly n / 10
    customers, the one at an edge counting in part, ties at an edge by expectation. A decile whose outcomes
    sum to zero (to 1e-12 of the sum of all absolute outcomes) has no relative error and is left out.

    Examples
    --------
    >>> outcome = np.arange(1.0, 21.0)
    >>> decile_mape(outcome, 1.1 * outcome, np.ones((1, 20))).round(4)
    array([0.1])
    """
    shares = np.linspace(0.0, 1.0, _N_DECILES + 1)
    predicted, actual = (
        np.diff(sums, axis=1) for sums in cumulative_sums(prediction, weights, shares, prediction, outcome)
    )
    size = np.abs(actual)
    size[size <= _ROUNDING * (weights @ np.abs(outcome))[:, np.newaxis]] = 0.0
    errors = ratio(np.abs(predicted - actual), size, otherwise=0.0)
    return ratio(errors.sum(axis=1), (size > 0.0).sum(axis=1, dtype=np.float64))
