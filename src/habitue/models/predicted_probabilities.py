"""What all calibrators do: read what was predicted and what happened, learn from it, put probabilities right.

Which map it is that they learn is said in ``logistic_calibration`` and ``isotonic_calibration``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import DataError
from habitue.models.outcomes import read_churned, refuse_other_rows
from habitue.models.purchase_history import read_weights

__all__ = ["Calibrator", "FloatArray", "read_predictions", "read_probabilities"]

FloatArray = npt.NDArray[np.float64]


class Calibrator(BaseEstimator, ABC):
    """What learns how far off probabilities are, and puts them right; those who inherit say by which map."""

    def fit(
        self, probability: npt.ArrayLike, outcome: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Learn from customers that the model had not seen.

        Parameters
        ----------
        probability : array_like of shape (n_customers,)
            Predicted, in [0, 1].
        outcome : array_like of shape (n_customers,)
            True or 1 for those who churned.
        sample_weight : array_like of shape (n_customers,), optional
            How many customers each row stands for.

        Raises
        ------
        DataError
            Where there is nobody, they do not match, or something is no probability.
        """
        self._learn(*read_predictions(probability, outcome, sample_weight))
        return self

    def calibrate(self, probability: npt.ArrayLike) -> FloatArray:
        """Return probabilities put right.

        Parameters
        ----------
        probability : array_like of shape (n_customers,)
            Predicted, in [0, 1].

        Returns
        -------
        ndarray of shape (n_customers,)
            Inside (0, 1) wherever something was learned: no surprise costs an infinite log loss.

        Raises
        ------
        NotFittedError
            Before fit.
        DataError
            Where something is no probability.
        """
        check_is_fitted(self)
        return self._put_right(read_probabilities(probability))

    @abstractmethod
    def _learn(self, predicted: FloatArray, churned: FloatArray, weights: FloatArray) -> None:
        """Learn the map."""

    @abstractmethod
    def _put_right(self, predicted: FloatArray) -> FloatArray:
        """Apply it."""


def read_predictions(
    probability: npt.ArrayLike, outcome: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what was predicted, what happened, and how many customers each row stands for.

    Parameters
    ----------
    probability : array_like of shape (n_customers,)
        In [0, 1].
    outcome : array_like of shape (n_customers,)
        True or 1 for those who churned.
    sample_weight : array_like of shape (n_customers,) or None
        Weights >= 0; None means one each.

    Returns
    -------
    tuple of ndarray of shape (n_customers,)

    Raises
    ------
    DataError
        Where there is nobody, they do not match, or something is no probability.

    Examples
    --------
    >>> read_predictions([0.3], [True], None)
    (array([0.3]), array([1.]), array([1.]))
    """
    predicted = read_probabilities(probability)
    refuse_other_rows(probability, outcome, called="outcome")
    churned, _ = read_churned(outcome, len(predicted))
    return predicted, churned, read_weights(sample_weight, len(predicted))


def read_probabilities(probability: npt.ArrayLike) -> FloatArray:
    """Return probabilities as numbers.

    Parameters
    ----------
    probability : array_like of shape (n_customers,)
        In [0, 1].

    Returns
    -------
    ndarray of shape (n_customers,)

    Raises
    ------
    DataError
        Where one is missing or outside, or they are no single column.

    Examples
    --------
    >>> read_probabilities([0, 1])
    array([0., 1.])
    """
    try:
        predicted = np.asarray(probability, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"Probabilities must be one number from 0 to 1 a customer; {error}.") from error
    bad = ~((predicted >= 0.0) & (predicted <= 1.0))
    if predicted.ndim != 1 or bad.any():
        raise DataError(
            f"Probabilities must be one number from 0 to 1 a customer; got shape {predicted.shape} with "
            f"{int(bad.sum())} missing or outside. Hand in column 1 of predict_proba."
        )
    return predicted
