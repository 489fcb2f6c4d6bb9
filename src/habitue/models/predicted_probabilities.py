"""What a calibrator learns from: predicted probabilities and what happened, read as numbers and checked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from habitue.errors import DataError
from habitue.models.outcomes import read_churned
from habitue.models.purchase_history import read_weights

__all__ = ["read_predictions", "read_probabilities"]

FloatArray = npt.NDArray[np.float64]


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
    predicted = np.asarray(probability, dtype=np.float64)
    bad = ~((predicted >= 0.0) & (predicted <= 1.0))
    if predicted.ndim != 1 or bad.any():
        raise DataError(
            f"Probabilities must be one number from 0 to 1 a customer; got shape {predicted.shape} with "
            f"{int(bad.sum())} missing or outside. Hand in column 1 of predict_proba."
        )
    return predicted
