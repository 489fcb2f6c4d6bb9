"""X as models with many features read it: named columns of numbers, missing values welcome.

The counterpart of ``purchase_history``, which reads the four columns of the probability models.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_array

from habitue.errors import DataError
from habitue.models.purchase_history import CustomerTable, read_columns

__all__ = ["known_table", "learn_table", "needed"]

FloatArray = npt.NDArray[np.float64]


def learn_table(X: CustomerTable) -> tuple[pd.DataFrame, FloatArray]:
    """Read X for fitting.

    Parameters
    ----------
    X : DataFrame or array_like of shape (n_customers, n_features)
        Numbers; missing values are allowed, infinite ones are not.

    Returns
    -------
    frame : DataFrame of shape (n_customers, n_features)
        X; columns have text for names, those of an array are x0, x1 and so on.
    values : ndarray of shape (n_customers, n_features)
        The same as numbers; NaN is missing.

    Raises
    ------
    SchemaError
        Where a column is there twice or is not numeric.
    DataError
        Where a value is infinite, or there is no row or column.

    Examples
    --------
    >>> learn_table(np.array([[1.0, np.nan]]))[0].columns.tolist()
    ['x0', 'x1']
    """
    frame = _named(X)
    if not len(frame.columns):
        raise DataError(
            f"0 feature(s) (shape={frame.shape}) while a minimum of 1 is required: X has no columns."
        )
    return frame, _finite(frame, list(frame.columns))


def known_table(X: CustomerTable, names: Sequence[str], *, asked: str) -> tuple[pd.DataFrame, FloatArray]:
    """Read X for predicting: the columns of fitting, by name, in whatever order they come.

    Parameters
    ----------
    X : DataFrame or array_like of shape (n_customers, n_features)
        A frame with at least these columns, or an array of exactly these, in their order.
    names : sequence of str
        Columns of fitting.
    asked : str
        The model's name, for messages.

    Returns
    -------
    frame : DataFrame
        X, with all the columns it has.
    values : ndarray of shape (n_customers, n_names)
        In the order of the names; NaN is missing.

    Raises
    ------
    SchemaError
        Where a column is missing; names it and those there.
    DataError
        Where a value is infinite, there is no row, or an array has another number of columns.

    Examples
    --------
    >>> known_table(pd.DataFrame({"b": [2.0], "a": [1.0]}), ["a", "b"], asked="Model")[1].tolist()
    [[1.0, 2.0]]
    """
    frame = _named(X)
    if not isinstance(X, pd.DataFrame):
        if frame.shape[1] != len(names):
            raise DataError(
                f"X has {frame.shape[1]} features, but {asked} is expecting {len(names)} features as input."
            )
        frame = frame.set_axis(list(names), axis=1)
    return frame, _finite(frame, names)


def needed(y: npt.ArrayLike | None, *, asked: str) -> npt.ArrayLike:
    """Return y, or say that it was left out.

    Parameters
    ----------
    y : array_like of shape (n_customers,) or None
        Outcomes.
    asked : str
        The model's name, for the message.

    Raises
    ------
    DataError
        Where there is none.

    Examples
    --------
    >>> needed([1.0, 0.0], asked="Model")
    [1.0, 0.0]
    """
    if y is None:
        raise DataError(
            f"{asked} requires y to be passed, but the target y is None: it learns from outcomes."
        )
    return y


def _named(X: CustomerTable) -> pd.DataFrame:
    """Return X as a frame whose columns have text for names."""
    if isinstance(X, pd.DataFrame):
        return X.set_axis([str(name) for name in X.columns], axis=1)
    try:
        array = check_array(
            X,
            dtype="numeric",
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name="X",
        )
    except (TypeError, ValueError) as error:
        raise DataError(f"X must be a table of numbers, one row a customer: {error}") from error
    return pd.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])


def _finite(frame: pd.DataFrame, names: Sequence[str]) -> FloatArray:
    columns = read_columns(frame, names)
    infinite = np.asarray(np.isinf(columns.values).any(axis=1))
    columns.refuse(
        infinite, "no infinity (missing is fine)", advice="Replace infinite values by missing ones."
    )
    return columns.values
