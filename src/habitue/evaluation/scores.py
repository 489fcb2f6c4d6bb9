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
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from habitue.evaluation.calibration import (
    calibration_intercept,
    calibration_slope,
    expected_calibration_error,
)
from habitue.evaluation.deciles import capture_top_decile, decile_mape, lift_top_decile
from habitue.evaluation.losses import absolute_error, brier, log_loss, squared_error, squared_log_error
from habitue.evaluation.pairs import check_pair, check_weights
from habitue.evaluation.profit import PUBLISHED_OFFER, RetentionOffer, expected_profits
from habitue.evaluation.ranking import FloatArray, auc, average_precision, normalised_gini, ratio, spearman

__all__ = ["SCORES", "Score", "check_pair", "profit_score"]

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
    order_only : bool
        Whether only the order of the predictions counts, so that any finite numbers can be judged, also where
        the target asks for probabilities.
    is_headline : bool
        Whether it stands in tables that have room for a few scores only.

    Examples
    --------
    >>> auc = SCORES["churned"][0]
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    >>> auc([0, 1], [3.2, 7.1])
    1.0
    """

    name: str
    target: str
    greater_is_better: bool | None
    meaning: str
    unit: str
    function: ScoreFunction
    ideal: float | None = None
    order_only: bool = False
    is_headline: bool = True

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
            Lengths differ, values are missing, or churn predictions are no probabilities where the score is
            not of their order only.
        """
        actual, predicted = check_pair(outcome, prediction, target=self.target, order_only=self.order_only)
        weights = check_weights(sample_weight, actual.size)
        return float(self.function(actual, predicted, weights)[0])

    def loss(self, values: npt.ArrayLike) -> FloatArray:
        """Turn values of the score so that less is better: 0 at the ideal, where there is one.

        Parameters
        ----------
        values : array_like
            Of this score, in any shape.

        Returns
        -------
        ndarray
            In the shape of the values.

        Examples
        --------
        >>> SCORES["churned"][0].loss([0.5, 0.75]).tolist()
        [-0.5, -0.75]
        """
        told = np.asarray(values, dtype=np.float64)
        if self.greater_is_better is None:
            return np.abs(told - (self.ideal or 0.0))
        return -told if self.greater_is_better else told


# ---- the average last ----------------------------------------------------------------------------


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    return weights @ values / weights.sum(axis=1)


def _mean_absolute_error(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    return _mean(absolute_error(outcome, prediction), weights)


def _root_mean_squared_error(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    return np.sqrt(_mean(squared_error(outcome, prediction), weights))


def _mean_squared_log_error(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    return _mean(squared_log_error(outcome, prediction), weights)


def _mean_brier(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    return _mean(brier(outcome, prediction), weights)


def _mean_log_loss(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    return _mean(log_loss(outcome, prediction), weights)


def _bias(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    # Over |total|: where returns outweigh purchases, more than predicted must still come out positive.
    total = weights @ outcome
    return ratio(weights @ prediction - total, np.abs(total))


# ---- money ---------------------------------------------------------------------------------------


def profit_score(offer: RetentionOffer) -> Score:
    """Return the score that says what a ranking earns with an offer: the expected maximum profit.

    Parameters
    ----------
    offer : RetentionOffer
        Its economics; those of ``SCORES`` are what published figures are computed with, not anybody's own.

    Returns
    -------
    Score
        ``"expected_maximum_profit"`` of the target ``"churned"``, in money per customer of the base.

    Examples
    --------
    >>> score = profit_score(RetentionOffer(clv=500.0, cost=20.0))
    >>> round(score([1, 0, 0, 0], [0.9, 0.4, 0.3, 0.2]), 2)
    35.75
    """
    return Score(
        "expected_maximum_profit",
        "churned",
        True,
        "Money per customer of the base that a campaign to the best share of the list earns, if a customer "
        f"kept is worth {offer.clv:g}, the offer costs {offer.cost:g}, a contact {offer.contact_cost:g}, "
        f"and about {offer.mean_acceptance:.0%} of leavers accept.",
        "money",
        partial(expected_profits, offer=offer),
        order_only=True,
        is_headline=False,
    )


# ---- the table -----------------------------------------------------------------------------------

_CHURN: Final = (
    Score(
        "auc",
        "churned",
        True,
        "How often a customer who leaves is ranked above one who stays; 0.5 is guessing.",
        "share",
        auc,
        order_only=True,
    ),
    Score(
        "average_precision",
        "churned",
        True,
        "Share of leavers among those ranked at the top, averaged over how far down the list one goes.",
        "share",
        average_precision,
        order_only=True,
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
        "calibration_intercept",
        "churned",
        None,
        "0 when as many leave as predicted; above 0 more leave (in log-odds), below 0 fewer.",
        "nats",
        calibration_intercept,
        ideal=0.0,
        is_headline=False,
    ),
    Score(
        "ece",
        "churned",
        False,
        "How far predicted and observed shares of leavers differ within tenths of customers, on average.",
        "share",
        expected_calibration_error,
        is_headline=False,
    ),
    Score(
        "lift_top_decile",
        "churned",
        True,
        "How many times more leavers a campaign to the riskiest tenth reaches than one to a random tenth.",
        "ratio",
        lift_top_decile,
        order_only=True,
    ),
    Score(
        "capture_top_decile",
        "churned",
        True,
        "Share of all leavers whom a campaign to the riskiest tenth reaches.",
        "share",
        capture_top_decile,
        order_only=True,
        is_headline=False,
    ),
    profit_score(PUBLISHED_OFFER),
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
        "msle",
        "spend",
        False,
        "How far the prediction for a customer is off on a logarithmic scale; too little costs most.",
        "ratio",
        _mean_squared_log_error,
        is_headline=False,
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
        order_only=True,
    ),
    Score(
        "normalised_gini",
        "spend",
        True,
        "Share of what a perfect ranking would gain over a random one that this ranking gains.",
        "share",
        normalised_gini,
        order_only=True,
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
