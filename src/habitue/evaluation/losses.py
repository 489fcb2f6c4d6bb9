"""How far one prediction is from what happened: one number per customer, never an average.

Averages, their weights and the table of scores are in ``scores``, and so are checks of the input, which is
trusted here.
"""

from __future__ import annotations

import numpy as np

from habitue.evaluation.calibration import PROBABILITY_FLOOR
from habitue.evaluation.ranking import FloatArray

__all__ = ["absolute_error", "brier", "log_loss", "pinball", "squared_error", "squared_log_error"]


def squared_error(outcome: FloatArray, prediction: FloatArray) -> FloatArray:
    """Return the squared distance between prediction and outcome, per customer (unit squared).

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        What happened.
    prediction : ndarray of shape (n,)
        What was predicted.

    Returns
    -------
    ndarray of shape (n,)
        (prediction - outcome)^2.

    Examples
    --------
    >>> squared_error(np.array([1.0, 0.0]), np.array([3.0, 0.0]))
    array([4., 0.])
    """
    return (prediction - outcome) ** 2


def absolute_error(outcome: FloatArray, prediction: FloatArray) -> FloatArray:
    """Return the distance between prediction and outcome, per customer (unit of the outcome).

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        What happened.
    prediction : ndarray of shape (n,)
        What was predicted.

    Returns
    -------
    ndarray of shape (n,)
        |prediction - outcome|.

    Examples
    --------
    >>> absolute_error(np.array([1.0, 5.0]), np.array([3.0, 4.0]))
    array([2., 1.])
    """
    return np.abs(prediction - outcome)


def squared_log_error(outcome: FloatArray, prediction: FloatArray) -> FloatArray:
    """Return the squared distance on a logarithmic scale, per customer; its mean is the MSLE.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        What happened.
    prediction : ndarray of shape (n,)
        What was predicted, in the unit of the outcome.

    Returns
    -------
    ndarray of shape (n,)
        (log(1 + prediction) - log(1 + outcome))^2, 0 or more.

    Notes
    -----
    What is below 0, outcomes as well as predictions, counts as 0: a logarithm knows no customer who returned
    more than was bought, and this loss cannot tell one from a customer who bought nothing. It punishes too
    little more than too much, and depends on the currency: it says nothing across currencies.

    Examples
    --------
    >>> squared_log_error(np.array([0.0, 99.0, -5.0]), np.array([np.e - 1.0, 99.0, 0.0])).round(6)
    array([1., 0., 0.])
    """
    return (np.log1p(np.maximum(prediction, 0.0)) - np.log1p(np.maximum(outcome, 0.0))) ** 2


def pinball(outcome: FloatArray, prediction: FloatArray, *, level: float) -> FloatArray:
    """Return the loss that a predicted quantile minimises, per customer (unit of the outcome).

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        What happened.
    prediction : ndarray of shape (n,)
        The predicted quantile.
    level : float
        Share of outcomes that should lie below it, in (0, 1).

    Returns
    -------
    ndarray of shape (n,)
        level times what the outcome lies above the quantile, or (1 - level) times what it lies below.

    References
    ----------
    Koenker and Bassett (1978), Regression quantiles, Econometrica 46.

    Examples
    --------
    >>> pinball(np.array([10.0, 0.0]), np.array([4.0, 4.0]), level=0.9).round(6)
    array([5.4, 0.4])
    """
    above = outcome - prediction
    return np.maximum(level * above, (level - 1.0) * above)


def brier(outcome: FloatArray, prediction: FloatArray) -> FloatArray:
    """Return the squared distance between probability and fact, per customer, in [0, 1].

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        What happened, 1 or 0.
    prediction : ndarray of shape (n,)
        What was predicted, in [0, 1].

    Returns
    -------
    ndarray of shape (n,)
        0 where it was certain and right, 0.25 for one half, 1 where it was certain and wrong.

    References
    ----------
    Brier (1950), Verification of forecasts expressed in terms of probability, Monthly Weather Review 78.

    Examples
    --------
    >>> brier(np.array([1.0, 0.0]), np.array([0.5, 0.0]))
    array([0.25, 0.  ])
    """
    return squared_error(outcome, prediction)


def log_loss(outcome: FloatArray, prediction: FloatArray) -> FloatArray:
    """Return how surprised the prediction is by the fact, per customer, in nats.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        What happened, 1 or 0.
    prediction : ndarray of shape (n,)
        What was predicted, in [0, 1].

    Returns
    -------
    ndarray of shape (n,)
        Between 1e-6 and 13.8; 0.693 for one half.

    Notes
    -----
    -log p for a churner and -log(1 - p) for one who stays, with p moved into [1e-6, 1 - 1e-6]: one certain
    and wrong prediction costs 13.8 nats, not infinity.

    Examples
    --------
    >>> log_loss(np.array([1.0, 0.0]), np.array([0.5, 0.2])).round(6)
    array([0.693147, 0.223144])
    """
    p = np.clip(prediction, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    return -(outcome * np.log(p) + (1.0 - outcome) * np.log1p(-p))
