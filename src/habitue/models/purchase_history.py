"""The columns of customers that a probability model reads: found and checked.

Every probability model of this package goes through this door, so that a customer who bought after the
cutoff, a misspelt column or a missing value is answered with a sentence and never with a number. It
deliberately computes no feature: frequency, recency and T come from a snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, FitError, SchemaError
from habitue.models.distinct_rows import Distinct, distinct_rows

__all__ = [
    "Answer",
    "Columns",
    "CustomerTable",
    "answer",
    "check_covariates",
    "check_frequency",
    "check_times",
    "read_columns",
    "read_weights",
    "worth_fitting",
]

FloatArray = npt.NDArray[np.float64]

CustomerTable: TypeAlias = pd.DataFrame | npt.ArrayLike
"""What an estimator accepts as X: a frame with named columns, or an array of exactly its columns."""

Answer: TypeAlias = "pd.Series | FloatArray"
"""What it gives back: a Series indexed like X where X is a frame, else an array."""


class Columns(NamedTuple):
    """Columns read from X.

    Attributes
    ----------
    names : tuple of str
        Their names.
    values : ndarray of shape (n_customers, n_columns)
        Their values.
    labels : pandas.Index or None
        The customers' labels, None where X was an array.
    """

    names: tuple[str, ...]
    values: FloatArray
    labels: pd.Index | None

    def refuse(self, bad: npt.NDArray[np.bool_], expected: str, *, advice: str) -> None:
        """Raise with the first bad customer's numbers, if there is one.

        Parameters
        ----------
        bad : ndarray of bool
            One flag a customer.
        expected : str
            What was expected, e.g. ``"recency <= T"``.
        advice : str
            What to do, a sentence.

        Raises
        ------
        DataError
            If any flag is set.
        """
        if not bad.any():
            return
        row = int(np.argmax(bad))
        label = row if self.labels is None else self.labels[row]
        pairs = zip(self.names, self.values[row], strict=True)
        numbers = ", ".join(f"{name}={value:g}" for name, value in pairs)
        raise DataError(
            f"expected {expected}; {int(bad.sum())} of {bad.size} customers have it otherwise, "
            f"the first is {label!r} with {numbers}. {advice}"
        )


def read_columns(X: CustomerTable, names: Sequence[str]) -> Columns:
    """Return the named columns of X as numbers.

    Parameters
    ----------
    X : DataFrame or array_like of shape (n_customers, len(names))
        A frame with at least these columns, any others are passed over; or an array of exactly these, in
        this order.
    names : sequence of str
        Columns wanted.

    Returns
    -------
    Columns
        Numbers, not yet checked for their meaning; missing values are NaN.

    Raises
    ------
    SchemaError
        If a column is missing, there twice or not numeric, or an array has another shape.
    DataError
        If there is no customer.

    Examples
    --------
    >>> read_columns(pd.DataFrame({"T": [9], "city": ["Ulm"]}, index=["ann"]), ["T"]).values
    array([[9.]])
    """
    if isinstance(X, pd.DataFrame):
        values, index = _read_frame(X, names), X.index
    else:
        values, index = _read_array(X, names), None
    if not len(values):
        raise DataError(f"expected at least one customer with {', '.join(names)}; X has no rows")
    return Columns(tuple(names), values, index)


def _read_frame(X: pd.DataFrame, names: Sequence[str]) -> FloatArray:
    """Return columns of a frame, side by side."""
    there = list(X.columns)
    if missing := [name for name in names if name not in there]:
        raise SchemaError(
            f"expected the columns {', '.join(names)}; missing: {', '.join(missing)}; "
            f"there are: {', '.join(map(str, there)) or 'none'}. Rename or add the missing ones"
        )
    if twice := [name for name in dict.fromkeys(names) if there.count(name) > 1]:
        raise SchemaError(f"expected each column once; {', '.join(twice)} is there more than once. Drop one")
    for name in names:
        if not pd.api.types.is_numeric_dtype(X[name].dtype):
            raise SchemaError(
                f"expected numbers in column {name}; its type is {X[name].dtype}. Convert it (days as float)"
            )
    values = np.empty((len(X), len(names)), order="F")  # formulas run over columns
    for at, name in enumerate(names):
        values[:, at] = X[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def _read_array(X: npt.ArrayLike, names: Sequence[str]) -> FloatArray:
    """Return an array of exactly the columns wanted."""
    values = np.asarray(X)
    if values.ndim != 2 or values.shape[1] != len(names) or values.dtype.kind not in "iuf":
        raise SchemaError(
            f"expected a data frame or an array of numbers with the {len(names)} columns {', '.join(names)}, "
            f"in this order; got an array of shape {values.shape} and type {values.dtype}"
        )
    return np.asarray(values, dtype=np.float64, order="F")


def check_frequency(columns: Columns) -> None:
    """Refuse frequencies that count nothing.

    Parameters
    ----------
    columns : Columns
        Its first column is frequency.

    Raises
    ------
    DataError
        If one is missing, negative or not whole.
    """
    frequency = columns.values[:, 0]
    whole = np.isfinite(frequency) & (frequency >= 0) & (frequency == np.floor(frequency))
    columns.refuse(
        ~whole,
        "frequency to be a whole number >= 0",
        advice="It counts repeat purchases, the first not among them.",
    )


def check_times(columns: Columns) -> None:
    """Refuse times that cannot be a customer's.

    Parameters
    ----------
    columns : Columns
        frequency, recency, T.

    Raises
    ------
    DataError
        If recency or T is missing, infinite or negative, recency > T, or recency > 0 at frequency 0.
    """
    frequency, recency, T = columns.values.T[:3]
    columns.refuse(
        ~(np.isfinite(recency) & np.isfinite(T) & (recency >= 0) & (T >= 0)),
        "recency and T to be finite numbers of days >= 0",
        advice="Leave out customers whose first purchase lies after the cutoff.",
    )
    columns.refuse(
        recency > T,
        "recency <= T",
        advice="recency runs from the first to the last purchase, T from the first to the cutoff.",
    )
    columns.refuse(
        (frequency == 0) & (recency > 0),
        "recency 0 where frequency is 0",
        advice="recency is not the days since the last purchase: that is inactivity = T - recency.",
    )


def check_covariates(columns: Columns, *, after: int) -> None:
    """Refuse covariates that are no numbers.

    Parameters
    ----------
    columns : Columns
        A customer's columns, covariates last.
    after : int
        Columns before the first covariate.

    Raises
    ------
    DataError
        If one is missing or infinite.
    """
    if columns.values.shape[1] > after:
        columns.refuse(
            np.isnan(columns.values[:, after:].sum(axis=1) * 0.0),  # infinite or missing
            f"finite numbers in {', '.join(dict.fromkeys(columns.names[after:]))}",
            advice="Fill what is missing, or leave the customers out.",
        )


def read_weights(sample_weight: npt.ArrayLike | None, n_customers: int) -> FloatArray:
    """Return how many customers each row stands for.

    Parameters
    ----------
    sample_weight : array_like of shape (n_customers,) or None
        Weights >= 0; None means one each.
    n_customers : int
        Rows of X.

    Returns
    -------
    ndarray of shape (n_customers,)
        Weights.

    Raises
    ------
    DataError
        If there are too few or too many, one is negative, missing or infinite, or all are zero.

    Examples
    --------
    >>> read_weights(None, 2)
    array([1., 1.])
    """
    if sample_weight is None:
        return np.ones(n_customers)
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"expected sample weights that are numbers; {error}. Use the number of customers per row"
        ) from error
    if weights.shape != (n_customers,):
        raise DataError(f"expected {n_customers} sample weights, one a row of X; got shape {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise DataError(
            "expected sample weights that are finite, >= 0 and not all 0; "
            f"got values from {weights.min():g} to {weights.max():g}. Use the number of customers per row"
        )
    return weights


def worth_fitting(values: FloatArray, weights: FloatArray) -> Distinct:
    """Return distinct histories, or say why there is nothing to learn from them.

    Parameters
    ----------
    values : ndarray of shape (n_customers, n_columns)
        Checked histories, frequency first.
    weights : ndarray of shape (n_customers,)
        Customers that each row stands for.

    Returns
    -------
    Distinct
        Those with a weight.

    Raises
    ------
    FitError
        If all customers are alike, or nobody bought twice.
    """
    used = weights > 0
    everyone = bool(used.all())
    rows = values if everyone else values[used]
    alike = bool((weights == 1.0).all())
    histories = distinct_rows(rows, None if alike else weights[used])
    if len(histories.rows) < 2:
        raise FitError(
            "expected customers that differ; there is one distinct history only. A family's parameters need "
            "the histories of hundreds of customers"
        )
    if not histories.rows[:, 0].any():
        raise FitError(
            "expected some customers with repeat purchases; every frequency is 0, so neither rates nor "
            "leaving can be learned. Observe longer, or check that all visits of "
            "a customer share one customer_id"
        )
    return histories


def answer(values: FloatArray, columns: Columns, name: str) -> Answer:
    """Return one number a customer in the form X came in.

    Parameters
    ----------
    values : ndarray of shape (n_customers,)
        The numbers.
    columns : Columns
        What was read from X.
    name : str
        What the numbers are.

    Returns
    -------
    Series or ndarray
        A Series of that name, indexed like X, where X was a frame; else the array.
    """
    return values if columns.labels is None else pd.Series(values, index=columns.labels, name=name)
