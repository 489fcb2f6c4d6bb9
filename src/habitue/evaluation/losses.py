"""How far one prediction is from what happened: one number per customer, never an average.

Averages, their weights and the table of scores are in ``scores``, and so are checks of the input, which is
trusted here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from habitue.evaluation.calibration import PROBABILITY_FLOOR

__all__ = ["absolute_error", "brier", "log_loss", "squared_error"]

FloatArray = npt.NDArray[np.float64]


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
