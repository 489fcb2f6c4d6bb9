"""What baselines read: columns without gaps, and the rate at which a customer has bought so far."""

from __future__ import annotations

import numpy as np
import pandas as pd

from habitue.models.outcomes import FloatArray
from habitue.models.purchase_history import Columns, read_columns

__all__ = ["finite_columns", "purchase_rate", "refuse_gaps"]


def finite_columns(X: pd.DataFrame, *names: str) -> FloatArray:
    """Return columns as rows of finite numbers, or say what is wrong with them.

    Parameters
    ----------
    X : DataFrame of shape (n_customers, n_features)
        With at least the named columns.
    *names : str
        Columns wanted.

    Returns
    -------
    ndarray of shape (len(names), n_customers)
        One row a column, so that they can be unpacked.

    Raises
    ------
    SchemaError
        Where a column is missing, there twice or not numeric.
    DataError
        Where a value is missing or infinite, or there is no customer.

    Examples
    --------
    >>> frequency, T = finite_columns(pd.DataFrame({"T": [90, 30], "frequency": [2, 0]}), "frequency", "T")
    >>> T
    array([90., 30.])
    """
    columns = read_columns(X, names)
    refuse_gaps(columns, columns.values)
    return columns.values.T


def refuse_gaps(columns: Columns, needed: FloatArray) -> None:
    """Raise with the first customer of whom a number is not known.

    Parameters
    ----------
    columns : Columns
        What was read; the message quotes it.
    needed : ndarray of shape (n_customers, n_needed)
        The numbers that are needed of each customer.

    Raises
    ------
    DataError
        Where one of them is missing or infinite.
    """
    gaps = np.array(~np.isfinite(needed).all(axis=1))
    columns.refuse(gaps, "finite numbers", advice="Fill the gaps or leave those customers out.")


def purchase_rate(frequency: FloatArray, T: FloatArray) -> FloatArray:
    """Return each customer's repeat purchases per day so far.

    Parameters
    ----------
    frequency : ndarray of shape (n_customers,)
        Repeat purchases.
    T : ndarray of shape (n_customers,)
        Days from the first purchase to the cutoff.

    Returns
    -------
    ndarray of shape (n_customers,)
        frequency / T; 0 where T = 0, for who was seen for no time shows no rate.

    Examples
    --------
    >>> purchase_rate(np.array([2.0, 0.0]), np.array([100.0, 0.0]))
    array([0.02, 0.  ])
    """
    return np.divide(frequency, T, out=np.zeros_like(T), where=T > 0.0)
