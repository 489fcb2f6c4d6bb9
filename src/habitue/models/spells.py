"""How long customers were under observation and what ended it: the y of time to churn, read and checked.

The counterpart of ``outcomes``, which reads a single number a customer. It knows no model and no period.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SchemaError
from habitue.models.outcomes import FloatArray, read_amounts

__all__ = ["Causes", "Spells", "read_causes", "read_spells"]

IntArray = npt.NDArray[np.int64]


class Causes(NamedTuple):
    """By what each customer left.

    Attributes
    ----------
    number : ndarray of int64, shape (n_customers,)
        0 for who did not leave, else the place of the cause in `names`, from 1.
    names : list of int or str
        The causes as y has them.
    """

    number: IntArray
    names: list[int] | list[str]


class Spells(NamedTuple):
    """Time under observation, and what ended it.

    Attributes
    ----------
    entry, duration : ndarray of shape (n_customers,)
        Age in days when observation of each customer began and when it ended.
    causes : Causes
        What it ended with.
    """

    entry: FloatArray
    duration: FloatArray
    causes: Causes


def read_causes(event: npt.ArrayLike, n_customers: int) -> Causes:
    """Return by what each customer left.

    Parameters
    ----------
    event : array_like of shape (n_customers,)
        0 or False for who did not leave, 1 or True for who did, or the number of the cause, from 1. Or the
        cause in words, missing for who did not leave.
    n_customers : int
        Rows of X.

    Returns
    -------
    Causes

    Raises
    ------
    DataError
        Where it is none of these for each customer.

    Examples
    --------
    >>> read_causes([True, False], 2)
    Causes(number=array([1, 0]), names=[1])
    >>> read_causes(["voluntary", None, "involuntary"], 3)
    Causes(number=array([2, 0, 1]), names=['involuntary', 'voluntary'])
    """
    told = event if isinstance(event, pd.Series) else pd.Series(np.asarray(event).ravel())
    if told.shape == (n_customers,) and _in_words(told):
        words = told.astype("object")
        place, names = pd.factorize(words, sort=True)
        return Causes(place.astype(np.int64) + 1, [str(name) for name in names])
    numbers = read_amounts(event, n_customers)
    if (numbers < 0).any() or (numbers != np.floor(numbers)).any():
        raise DataError(
            "y must be 0 (or False) for a customer who did not leave and 1 (or True, or the number of the "
            "cause, from 1) for one who did, got other numbers. Name causes in words or number them"
        )
    causes = np.unique(numbers[numbers > 0]).astype(np.int64)
    place = np.where(numbers > 0, np.searchsorted(causes, numbers) + 1, 0)
    return Causes(place.astype(np.int64), causes.tolist())


def _in_words(event: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(event.dtype):
        return False
    return pd.api.types.infer_dtype(event.astype("object"), skipna=True) in ("string", "empty")


def read_spells(y: pd.DataFrame, n_customers: int) -> Spells:
    """Return how long customers were under observation, and what ended it.

    Parameters
    ----------
    y : DataFrame of shape (n_customers, 2 or more)
        Columns duration (age in days when observation ended), event (as `read_causes` takes it) and, where
        some were first observed later than they came, entry (age in days then; 0 where left out).
    n_customers : int
        Rows of X.

    Returns
    -------
    Spells

    Raises
    ------
    SchemaError
        Where a column is missing or there twice.
    DataError
        Where a number is missing, negative or infinite, an end comes before its entry, or somebody left
        without having been observed for any time.

    Examples
    --------
    >>> read_spells(pd.DataFrame({"duration": [90, 30], "event": [True, False]}), 2).duration
    array([90., 30.])
    """
    there = [str(name) for name in y.columns]
    if absent := [name for name in ("duration", "event") if there.count(name) != 1]:
        raise SchemaError(
            f"y must have the columns duration and event once each, and may have entry; not so: "
            f"{', '.join(absent)}; there are: {', '.join(there) or 'none'}. Where each row of X is one "
            "period, y is a single column"
        )
    duration = read_amounts(y["duration"], n_customers)
    entry = read_amounts(y["entry"], n_customers) if "entry" in there else np.zeros(n_customers)
    causes = read_causes(y["event"], n_customers)
    _refuse((entry < 0) | (duration < entry), "0 <= entry <= duration", "Ages are days since somebody came")
    _refuse(
        (causes.number > 0) & (duration == entry),
        "duration above entry where somebody left",
        "Count the day of leaving: who left on the first day was there for one day, or a part of it",
    )
    return Spells(entry, duration, causes)


def _refuse(bad: npt.NDArray[np.bool_], expected: str, advice: str) -> None:
    if bad.any():
        raise DataError(
            f"y must have {expected}; {int(bad.sum())} of {bad.size} rows have it otherwise. {advice}"
        )
