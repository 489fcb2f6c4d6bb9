"""The calendar side of covariates: visits and rows of covariates read from frames, as whole days.

What is missing, doubled or interrupted is answered with a sentence, since a week without covariates has no
likelihood. What becomes of the rows is :mod:`habitue.models.covariate_paths`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SchemaError
from habitue.numerics.covariate_paths import IntArray

__all__ = [
    "FOR_EVER",
    "CovariateRows",
    "Days",
    "Visits",
    "covariate_names",
    "date_of",
    "day_number",
    "read_rows",
    "read_visits",
    "refuse_gaps",
]

FloatArray = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]

FOR_EVER = int(np.iinfo(np.int64).max)
"""The end of what holds for ever."""


class CovariateRows(NamedTuple):
    """Covariate rows of known customers, sorted by customer and start; days are whole, since 1970."""

    owner: IntArray
    start: Days
    end: Days
    values: FloatArray

    def at(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> CovariateRows:
        """Return some rows, or all in another order.

        Parameters
        ----------
        rows : ndarray of bool or int
            Which.
        """
        return CovariateRows(self.owner[rows], self.start[rows], self.end[rows], self.values[rows])


class Visits(NamedTuple):
    """Days on which customers bought, sorted by customer and day."""

    customers: pd.Index
    owner: IntArray
    days: Days
    first_days: Days


def _require(frame: pd.DataFrame, names: Sequence[str], what: str) -> None:
    """Refuse a frame without columns it must have."""
    if missing := [name for name in names if name not in frame.columns]:
        raise SchemaError(
            f"expected {what} with the columns {', '.join(names)}; missing: {', '.join(missing)}; "
            f"there are: {', '.join(map(str, frame.columns)) or 'none'}. Rename or add the missing ones"
        )


def covariate_names(frame: pd.DataFrame, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the covariates.

    Parameters
    ----------
    frame : DataFrame
        A frame of covariates.
    columns : sequence of str or None
        Those wanted; None for all columns that are neither customer nor time.
    """
    if columns is not None:
        return tuple(columns)
    return tuple(str(name) for name in frame.columns if name not in {"customer_id", "starts_at", "ends_at"})


def _days(column: pd.Series, what: str) -> Days:
    """Return whole days since 1970; missing ones are refused."""
    try:
        times = pd.to_datetime(column)
    except (ValueError, TypeError) as error:
        raise SchemaError(f"expected times in {what}; its type is {column.dtype} ({error})") from error
    if times.isna().any():
        raise DataError(
            f"expected a time in every row of {what}; {int(times.isna().sum())} of {len(times)} have none. "
            "Fill them, or leave the rows out"
        )
    if times.dt.tz is not None:
        times = times.dt.tz_localize(None)
    return times.to_numpy(dtype="datetime64[D]").astype(np.int64)


def read_visits(purchases: pd.DataFrame, cutoff: date) -> Visits:
    """Return the days on which customers bought, until the cutoff.

    Parameters
    ----------
    purchases : DataFrame
        Columns customer_id and timestamp.
    cutoff : date
        Last day that counts.

    Raises
    ------
    SchemaError
        If a column is missing or holds no times.
    DataError
        If a value is missing, or there is no purchase.
    """
    _require(purchases, ("customer_id", "timestamp"), "purchases")
    days = _days(pd.Series(purchases["timestamp"]), "timestamp")
    seen = days <= day_number(cutoff)
    codes, customers = pd.factorize(purchases["customer_id"][seen], sort=True)
    if (codes < 0).any():
        raise DataError("expected a customer_id in every row of purchases; some have none. Leave them out")
    if not len(customers):
        raise DataError(f"expected purchases until {cutoff}; there are none. Check the cutoff")
    order = np.lexsort((days[seen], codes))
    owner, days = codes[order], days[seen][order]
    is_new = np.ones(len(owner), dtype=np.bool_)
    is_new[1:] = (owner[1:] != owner[:-1]) | (days[1:] != days[:-1])
    owner, days = owner[is_new], days[is_new]
    first_days = days[np.searchsorted(owner, np.arange(len(customers)))]
    return Visits(pd.Index(customers, name="customer_id"), owner, days, first_days)


def read_rows(
    frame: pd.DataFrame, names: tuple[str, ...], customers: pd.Index, *, period: int
) -> tuple[CovariateRows, int]:
    """Return the covariate rows of the customers, checked and sorted, and the calendar's usual period.

    Parameters
    ----------
    frame : DataFrame
        Columns customer_id, starts_at, perhaps ends_at, and the covariates.
    names : tuple of str
        Covariates.
    customers : Index
        Customers; rows of others are passed over.
    period : int
        Days that the last row of a calendar holds if the frame does not tell; 0 where not known.

    Raises
    ------
    SchemaError
        If a column is missing or not numeric.
    DataError
        If a value is missing, or rows of a customer leave a gap or overlap.
    """
    _require(frame, ("customer_id", "starts_at", *names), "covariates")
    for name in names:
        if not pd.api.types.is_numeric_dtype(frame[name].dtype):
            raise SchemaError(
                f"expected numbers in column {name}; its type is {frame[name].dtype}. "
                "Code categories as 0 and 1"
            )
    values = np.column_stack(
        [np.empty((len(frame), 0)), *(frame[name].to_numpy(np.float64) for name in names)]
    )
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise DataError(
            f"expected finite numbers in {', '.join(names)}; {names[column]} of customer "
            f"{frame['customer_id'].iloc[row]!r} at {frame['starts_at'].iloc[row]} is {values[row, column]}. "
            "Fill it with what held then"
        )
    start = _days(pd.Series(frame["starts_at"]), "starts_at")
    end, period = _ends(frame, start, period)
    owner = customers.get_indexer(pd.Index(frame["customer_id"]))
    kept = np.flatnonzero(owner >= 0)
    kept = kept[np.lexsort((start[kept], owner[kept]))]
    rows = CovariateRows(owner[kept], start[kept], end[kept], values[kept])
    refuse_gaps(rows, customers)
    return rows, period


def _ends(frame: pd.DataFrame, start: Days, period: int) -> tuple[Days, int]:
    """Return the day on which each row holds no more, and the calendar's usual period."""
    if "ends_at" in frame.columns:
        times = pd.to_datetime(frame["ends_at"])
        ends = np.full(len(frame), FOR_EVER)
        given = times.notna().to_numpy()
        ends[given] = _days(pd.Series(times[given]), "ends_at")
        if (ends <= start).any():
            raise DataError("expected ends_at after starts_at in every row of covariates; some are not")
        return ends, period
    calendar = np.unique(start)
    if len(calendar) > 1:
        period = int(np.median(np.diff(calendar)))
    if period == 0:
        raise DataError(
            "expected covariates that start on two days at least, so that it can be told how long a row "
            "holds; they all start on one. Add a column ends_at, or use CovariatePaths.constant"
        )
    following = np.append(calendar[1:], calendar[-1:] + period)
    return following[np.searchsorted(calendar, start)], period


def refuse_gaps(rows: CovariateRows, customers: pd.Index) -> None:
    """Refuse rows of one customer that do not follow each other.

    Parameters
    ----------
    rows : CovariateRows
        Sorted by customer and start.
    customers : Index
        Customers.

    Raises
    ------
    DataError
        If there is a gap or an overlap.
    """
    same = rows.owner[1:] == rows.owner[:-1]
    for bad, what, advice in (
        (same & (rows.end[:-1] < rows.start[1:]), "a gap", "Add the missing rows, or a column ends_at"),
        (same & (rows.end[:-1] > rows.start[1:]), "an overlap", "Keep one row for each customer and time"),
    ):
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"expected covariates without {what}; customer {customers[rows.owner[row]]!r} has {what} at "
                f"{date_of(min(rows.end[row], rows.start[row + 1]))}. {advice}"
            )


def date_of(day: int) -> str:
    """Return a day as text.

    Parameters
    ----------
    day : int
        Days since 1970.

    Examples
    --------
    >>> date_of(19_725)
    '2024-01-03'
    """
    return str(np.datetime64(int(day), "D"))


def day_number(day: date) -> int:
    """Return a day as a number.

    Parameters
    ----------
    day : date
        Any.

    Returns
    -------
    int
        Days since 1970.

    Examples
    --------
    >>> day_number(date(2024, 1, 3))
    19725
    """
    return int(np.datetime64(day, "D").astype(np.int64))
