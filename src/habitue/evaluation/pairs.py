"""What was handed in to be judged: outcomes, predictions and weights that fit each other, or why they do not.

The door of every score and table of this package; behind it, input is trusted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError
from habitue.evaluation.ranking import FloatArray
from habitue.vocabulary import one_or_many

__all__ = ["check_labels", "check_numbers", "check_pair", "check_weights"]


def check_pair(
    outcome: npt.ArrayLike,
    prediction: npt.ArrayLike,
    *,
    target: str | None = None,
    order_only: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Return outcome and prediction as arrays that belong together, or say what is wrong with them.

    Parameters
    ----------
    outcome, prediction : array_like of shape (n,)
        What happened and what was predicted. Two pandas objects must carry the same index in the same order.
    target : str, optional
        ``"churned"`` also asks for outcomes of 0 and 1 and predictions in [0, 1].
    order_only : bool
        Whether predictions only put customers in order: then any finite numbers will do for churn, too.

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
    actual, predicted = check_numbers(outcome, "outcome"), check_numbers(prediction, "prediction")
    if actual.size != predicted.size:
        raise DataError(
            f"outcome and prediction must be of the same length, got {actual.size} and {predicted.size}"
        )
    if target == "churned":
        if not np.isin(actual, (0.0, 1.0)).all():
            raise DataError("outcome of churn must be 0 or 1 (or True and False), got other numbers")
        if not order_only and (predicted.min() < 0.0 or predicted.max() > 1.0):
            raise DataError(
                "prediction of churn must be a probability in [0, 1],"
                f" got values from {predicted.min():.6g} to {predicted.max():.6g}"
            )
    return actual, predicted


def check_numbers(values: npt.ArrayLike, name: str) -> FloatArray:
    """Return the values as one finite number per customer, or say what is wrong with them.

    Parameters
    ----------
    values : array_like of shape (n,)
        Whatever was handed in.
    name : str
        What they are called in the message.

    Returns
    -------
    array of shape (n,)

    Raises
    ------
    DataError
        No numbers, none at all, not one per customer, missing or infinite.

    Examples
    --------
    >>> check_numbers([1, True], "outcome")
    array([1., 1.])
    """
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


def check_labels(values: npt.ArrayLike, n: int, name: str) -> pd.Series:
    """Return what each row is labelled with, or say what is wrong with the labels.

    Parameters
    ----------
    values : array_like of shape (n,)
        Dates, numbers or words.
    n : int
        Number of rows.
    name : str
        What they are called in the message.

    Returns
    -------
    Series of shape (n,)
        Numbered from 0.

    Raises
    ------
    DataError
        Another number of labels, or missing ones.

    Examples
    --------
    >>> check_labels(["a", "b"], 2, "groups").tolist()
    ['a', 'b']
    """
    labels = pd.Series(values).reset_index(drop=True)
    if len(labels) != n or labels.isna().any():
        raise DataError(
            f"{name} must label each of {one_or_many(n, 'row')}, got {one_or_many(len(labels), 'label')},"
            f" {int(labels.isna().sum())} of them missing; give rows without one a label of their own"
        )
    return labels


def check_weights(sample_weight: npt.ArrayLike | None, n: int) -> FloatArray:
    """Return how many customers each row stands for; one each if nothing was given.

    Parameters
    ----------
    sample_weight : array_like of shape (n,), optional
        Not negative, not all zero.
    n : int
        Number of rows.

    Returns
    -------
    array of shape (1, n)
        As scores take weights: one way of counting.

    Raises
    ------
    DataError
        Another number of weights, or impossible ones.

    Examples
    --------
    >>> check_weights(None, 2)
    array([[1., 1.]])
    """
    if sample_weight is None:
        return np.ones((1, n))
    weights = check_numbers(sample_weight, "sample_weight")
    if weights.size != n or weights.min() < 0.0 or weights.sum() == 0.0:
        raise DataError(
            f"sample_weight must be {n} weights, none negative and not all zero, got {weights.size}"
            f" with minimum {weights.min():.6g} and sum {weights.sum():.6g}"
        )
    return weights[np.newaxis]
