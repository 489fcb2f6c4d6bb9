"""How good a prediction is: one number per customer first (see ``losses``), the average last.

Every score is a function of what happened (``outcome``), what was predicted (``prediction``) and a matrix of
``weights``, one row per way of counting the customers. A single row of ones gives the plain score; rows of
bootstrap counts give its sampling distribution in one pass, a segment's indicator gives the score of the
segment. A weight of two is two customers, in every score, rank statistics (see ``ranking``) included.

This module knows arrays only. It deliberately does not fit models, split, resample (see ``bootstrap``) or
draw (see ``curves``), and where a score is not defined (one class only, nothing spent) it says nan instead of
guessing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError
from habitue.evaluation.calibration import calibration_slope
from habitue.evaluation.losses import absolute_error, brier, log_loss, squared_error
from habitue.evaluation.ranking import (
    FloatArray,
    auc,
    average_precision,
    decile_mape,
    lift_top_decile,
    normalised_gini,
    ratio,
    spearman,
)

__all__ = [
    "SCORES",
    "Score",
    "check_pair",
]

ScoreFunction = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Score:
    """One way of judging predictions, with what a reader must know about it.

    Attributes
    ----------
    name : str
        As in tables and settings, e.g. ``"auc"``.
    target : str
        What is predicted: ``"churned"``, ``"spend"`` or ``"n_purchases"``.
    greater_is_better : bool or None
        None where neither direction is better and only the distance to `ideal` counts.
    meaning : str
        One sentence that a marketer understands.
    unit : str
        Unit of the value: ``"money"``, ``"purchases"``, ``"share"``, ``"ratio"``, ``"nats"``.
    function : callable
        ``function(outcome, prediction, weights)``: outcome (n,), prediction (n,) and weights (B, n), not
        negative, to values (B,). It trusts its input; calling the score checks first.
    ideal : float, optional
        The value to come close to, where `greater_is_better` is None.

    Examples
    --------
    >>> auc = SCORES["churned"][0]
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """

    name: str
    target: str
    greater_is_better: bool | None
    meaning: str
    unit: str
    function: ScoreFunction
    ideal: float | None = None

    def __call__(
        self, outcome: npt.ArrayLike, prediction: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Judge the predictions of all customers at once.

        Parameters
        ----------
        outcome, prediction : array_like of shape (n,)
            What happened and what was predicted.
        sample_weight : array_like of shape (n,), optional
            How many customers each row stands for; one each if not given.

        Returns
        -------
        float
            The score; nan where it is not defined.

        Raises
        ------
        DataError
            Lengths differ, values are missing, or churn predictions are no probabilities.
        """
        actual, predicted = check_pair(outcome, prediction, target=self.target)
        if sample_weight is None:
            weights = np.ones(actual.size)
        else:
            weights = _check_weights(sample_weight, actual.size)
        return float(self.function(actual, predicted, weights[np.newaxis])[0])


def check_pair(
    outcome: npt.ArrayLike, prediction: npt.ArrayLike, *, target: str | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return outcome and prediction as arrays that belong together, or say what is wrong with them.

    Parameters
    ----------
    outcome, prediction : array_like of shape (n,)
        What happened and what was predicted. Two pandas objects must carry the same index in the same order.
    target : str, optional
        ``"churned"`` also asks for outcomes of 0 and 1 and predictions in [0, 1].

    Returns
    -------
    tuple of two arrays of shape (n,)

    Raises
    ------
    DataError
        Lengths or indices differ, nothing is there, or values are missing or out of range.

    Examples
    --------
    >>> check_pair([True, False], [0.9, 0.2], target="churned")
    (array([1., 0.]), array([0.9, 0.2]))
    """
    indices = [values.index for values in (outcome, prediction) if isinstance(values, pd.Series)]
    if len(indices) == 2 and not indices[0].equals(indices[1]):
        raise DataError(
            "outcome and prediction must have the same index in the same order; reindex one to the other"
        )
    actual, predicted = _check_numbers(outcome, "outcome"), _check_numbers(prediction, "prediction")
    if actual.size != predicted.size:
        raise DataError(
            f"outcome and prediction must be of the same length, got {actual.size} and {predicted.size}"
        )
    if target == "churned":
        if not np.isin(actual, (0.0, 1.0)).all():
            raise DataError("outcome of churn must be 0 or 1 (or True and False), got other numbers")
        if predicted.min() < 0.0 or predicted.max() > 1.0:
            raise DataError(
                "prediction of churn must be a probability in [0, 1],"
                f" got values from {predicted.min():.6g} to {predicted.max():.6g}"
            )
    return actual, predicted


def _check_numbers(values: npt.ArrayLike, name: str) -> FloatArray:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers without gaps: {error}") from error
    if numbers.ndim != 1 or numbers.size == 0:
        raise DataError(f"{name} must be one number per customer, got an array of shape {numbers.shape}")
    n_bad = int(numbers.size - np.isfinite(numbers).sum())
    if n_bad:
        raise DataError(f"{name} must be finite, got {n_bad} missing or infinite values of {numbers.size}")
    return numbers


def _check_weights(sample_weight: npt.ArrayLike, n: int) -> FloatArray:
    weights = _check_numbers(sample_weight, "sample_weight")
    if weights.size != n or weights.min() < 0.0 or weights.sum() == 0.0:
        raise DataError(
            f"sample_weight must be {n} weights, none negative and not all zero, got {weights.size}"
            f" with minimum {weights.min():.6g} and sum {weights.sum():.6g}"
        )
    return weights


# ---- the average last ----------------------------------------------------------------------------


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    return weights @ values / weights.sum(axis=1)


def _mean_absolute_error(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    return _mean(absolute_error(outcome, prediction), weights)


def _root_mean_squared_error(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    return np.sqrt(_mean(squared_error(outcome, prediction), weights))


def _mean_brier(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    return _mean(brier(outcome, prediction), weights)


def _mean_log_loss(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    return _mean(log_loss(outcome, prediction), weights)


def _bias(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    # Over |total|: where returns outweigh purchases, more than predicted must still come out positive.
    total = weights @ outcome
    return ratio(weights @ prediction - total, np.abs(total))


# ---- the table -----------------------------------------------------------------------------------

_CHURN: Final = (
    Score(
        "auc",
        "churned",
        True,
        "How often a customer who leaves is ranked above one who stays; 0.5 is guessing.",
        "share",
        auc,
    ),
    Score(
        "average_precision",
        "churned",
        True,
        "Share of leavers among those ranked at the top, averaged over how far down the list one goes.",
        "share",
        average_precision,
    ),
    Score(
        "brier",
        "churned",
        False,
        "Mean squared distance between the predicted probability and what happened.",
        "share",
        _mean_brier,
    ),
    Score(
        "log_loss",
        "churned",
        False,
        "How surprising what happened was to the prediction, on average; certainty that fails costs most.",
        "nats",
        _mean_log_loss,
    ),
    Score(
        "calibration_slope",
        "churned",
        None,
        "1 when the probabilities spread as they should; below 1 they are too extreme, above 1 too timid.",
        "ratio",
        calibration_slope,
        ideal=1.0,
    ),
    Score(
        "lift_top_decile",
        "churned",
        True,
        "How many times more leavers a campaign to the riskiest tenth reaches than one to a random tenth.",
        "ratio",
        lift_top_decile,
    ),
)
_SPEND: Final = (
    Score(
        "mae",
        "spend",
        False,
        "How far the prediction for a customer is off, on average.",
        "money",
        _mean_absolute_error,
    ),
    Score(
        "rmse",
        "spend",
        False,
        "How far the prediction for a customer is off, large misses counting most.",
        "money",
        _root_mean_squared_error,
    ),
    Score(
        "bias",
        "spend",
        None,
        "How far the predicted total is above (+) or below (-) the actual total, as a share of it.",
        "ratio",
        _bias,
        ideal=0.0,
    ),
    Score(
        "spearman",
        "spend",
        True,
        "How well the order of the predictions matches the order of the outcomes; 1 is the same order.",
        "share",
        spearman,
    ),
    Score(
        "normalised_gini",
        "spend",
        True,
        "Share of what a perfect ranking would gain over a random one that this ranking gains.",
        "share",
        normalised_gini,
    ),
    Score(
        "decile_mape",
        "spend",
        False,
        "How far the mean prediction is off within a tenth of the customers ranked by it, as a share.",
        "ratio",
        decile_mape,
    ),
)


def _of_purchases(score: Score) -> Score:
    unit = "purchases" if score.unit == "money" else score.unit
    return replace(score, target="n_purchases", unit=unit)


SCORES: Final[Mapping[str, tuple[Score, ...]]] = MappingProxyType(
    {
        "churned": _CHURN,
        "spend": _SPEND,
        "n_purchases": tuple(_of_purchases(score) for score in _SPEND),
    }
)
"""Scores of each target, in the order of tables."""
