"""The records of customers with a contract: how often each renewed and who left, found, checked and counted.

What :mod:`habitue.models.purchase_history` is to purchases. It computes nothing of a model: it answers with a
sentence where a record cannot be a customer's, or where there is nothing to learn from all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import FitError
from habitue.models.distinct_rows import Distinct, distinct_rows
from habitue.models.outcomes import read_churned
from habitue.models.purchase_history import Columns, CustomerTable, read_columns

__all__ = ["TENURE", "read_records", "read_tenure", "worth_fitting"]

FloatArray = npt.NDArray[np.float64]

TENURE = ("n_renewals",)
"""The column that is known of every customer."""

_RECORD = (*TENURE, "churned")


def read_tenure(X: CustomerTable) -> Columns:
    """Return how often each customer renewed.

    Parameters
    ----------
    X : DataFrame or array_like of shape (n_customers, 1)
        Column n_renewals; a frame may have others.

    Returns
    -------
    Columns
        Whole numbers >= 0.

    Raises
    ------
    SchemaError
        If the column is missing, there twice or not numeric.
    DataError
        If there is no customer, or a number is missing, negative or not whole.

    Examples
    --------
    >>> read_tenure(pd.DataFrame({"n_renewals": [3], "plan": ["gold"]})).values
    array([[3.]])
    """
    columns = read_columns(X, TENURE)
    _check_tenure(columns)
    return columns


def read_records(X: CustomerTable, y: npt.ArrayLike | None = None) -> Columns:
    """Return how often each customer renewed, and who churned: from X, or from y where X does not tell.

    Parameters
    ----------
    X : DataFrame or array_like of shape (n_customers, 2)
        Columns n_renewals and churned; or n_renewals alone where y is the other.
    y : array_like of shape (n_customers,), optional
        The column churned; passed over where X has it.

    Returns
    -------
    Columns
        n_renewals, churned.

    Raises
    ------
    SchemaError
        If a column is missing, there twice or not numeric.
    DataError
        If there is no customer, or a record cannot be one's.

    Examples
    --------
    >>> read_records(pd.DataFrame({"n_renewals": [3, 0]}), y=[False, True]).values
    array([[3., 0.],
           [0., 1.]])
    """
    if y is None or _tells_who_churned(X):
        columns = read_columns(X, _RECORD)
    else:
        tenure = read_columns(X, TENURE)
        outcome, _ = read_churned(y, len(tenure.values))
        columns = Columns(_RECORD, np.column_stack([tenure.values, outcome]), tenure.labels)
    _check_tenure(columns)
    churned = columns.values[:, 1]
    columns.refuse(
        (churned != 0.0) & (churned != 1.0),
        "churned to be 0 or 1",
        advice="It is 1 where the renewal after n_renewals was refused, 0 where it is still to come.",
    )
    return columns


def worth_fitting(columns: Columns, weights: FloatArray, *, to_learn: Sequence[str]) -> Distinct:
    """Return distinct records, or say why there is nothing to learn from them.

    Parameters
    ----------
    columns : Columns
        Checked n_renewals, churned.
    weights : ndarray of shape (n_customers,)
        Customers that each row stands for.
    to_learn : sequence of str
        Parameters that the records alone must determine.

    Returns
    -------
    Distinct
        Those with a weight.

    Raises
    ------
    FitError
        If all customers did the same, or there were fewer renewal opportunities than parameters: each tells
        one retention rate and no more.
    """
    used = weights > 0
    records = distinct_rows(columns.values[used], weights[used])
    _refuse_records_alike(records)
    n_seen = int(records.rows.sum(axis=1).max())  # a refused renewal was an opportunity, too
    if n_seen < len(to_learn):
        raise FitError(
            f"expected customers with {len(to_learn)} renewal opportunities or more, to tell "
            f"{', '.join(to_learn)} apart; the longest record has {n_seen}. Observe longer, use a family "
            "with fewer parameters, or penalizer=0.001"
        )
    return records


def _tells_who_churned(X: CustomerTable) -> bool:
    """Tell whether X has a column churned."""
    if isinstance(X, pd.DataFrame):
        return _RECORD[1] in X.columns
    shape = np.shape(X)
    return len(shape) == 2 and shape[1] == len(_RECORD)


def _check_tenure(columns: Columns) -> None:
    """Refuse numbers of renewals that count nothing."""
    n = columns.values[:, 0]
    columns.refuse(
        ~(np.isfinite(n) & (n >= 0) & (n == np.floor(n))),
        "n_renewals to be a whole number >= 0",
        advice="It counts the renewals made so far, the start of the contract not among them; it is no "
        "number of days.",
    )


def _refuse_records_alike(records: Distinct) -> None:
    """Raise where all customers did the same."""
    n_renewals, churned = records.rows.T
    n_customers = f"{records.counts.sum():g}"
    if not churned.any():
        raise FitError(
            f"expected some customers who cancelled; of {n_customers} nobody did, so nothing can be learned "
            "about leaving. Observe longer, or add the customers who left before"
        )
    if churned.all() and not n_renewals.any():
        raise FitError(
            f"expected some customers who renewed; all of {n_customers} cancelled at their first "
            "opportunity, so how customers differ cannot be learned. Add those who stayed, with churned = 0, "
            "or check that n_renewals counts the renewals made"
        )
    if len(records.rows) < 2:
        raise FitError(
            "expected customers that differ; there is one distinct record only, "
            f"n_renewals={n_renewals[0]:g} and churned=1. A family's parameters need the records of hundreds "
            "of customers: add those who left earlier, and those who stayed"
        )
