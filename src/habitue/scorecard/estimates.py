"""Numbers with their intervals from rows of customers, whatever they are cut by.

An `Estimate` is made from the rows of a group: one a customer, with the columns that the measure asks for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.numerics.arrays import FloatArray
from habitue.numerics.ratios import clustered_ratio, clustered_share
from habitue.numerics.shares import wilson_interval

__all__ = [
    "FULL_COUNT",
    "TOO_YOUNG",
    "Estimate",
    "Evidence",
    "by_customer",
    "column",
    "counted",
    "ratio_of",
    "share_of",
    "shares_of",
    "where",
]

FULL_COUNT = "a full count, without sampling error"
"""Note of numbers that are of the whole base: there is nobody else whom chance could have drawn."""

TOO_YOUNG = "earlier purchases than the log's are not known: too low in its first year if there were any"
"""Note of numbers that look back at all purchases, where the log has not been there for long."""


class Estimate(NamedTuple):
    """A number, its interval, of how many customers it is, and what has to be known."""

    value: float
    lower: float
    upper: float
    n: int
    note: str = ""


@dataclass(frozen=True)
class Evidence:
    """What a measure is made from, before it is cut.

    Attributes
    ----------
    measure : str
        Its name.
    rows : DataFrame
        One a customer (one a record where the measure needs it), with columns to cut by.
    estimate : callable
        From rows to the number.
    size : callable
        From rows to the number of customers behind it: too few of them are not shown.
    is_count : bool
        The number is that of customers itself, which every row shows anyway: never held back.
    note : str
        What has to be known of the evidence, whatever the group.
    """

    measure: str
    rows: pd.DataFrame
    estimate: Callable[[pd.DataFrame], Estimate]
    size: Callable[[pd.DataFrame], int] = len
    is_count: bool = False
    note: str = ""


def column(rows: pd.DataFrame, name: str) -> FloatArray:
    """Return a column as numbers.

    Parameters
    ----------
    rows : DataFrame
        With the column.
    name : str
        Its name.
    """
    return rows[name].to_numpy(dtype=np.float64)


def where(rows: pd.DataFrame, is_so: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Return the rows of which something is so.

    Parameters
    ----------
    rows : DataFrame
        Any.
    is_so : ndarray of bool of shape (n_rows,)
        Whether to keep each.
    """
    return rows.loc[is_so]


def by_customer(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return sums by customer, in the order in which customers first come.

    Parameters
    ----------
    rows : DataFrame
        Indexed by customer.
    names : sequence of str
        Columns of numbers.
    """
    codes, customers = pd.factorize(rows.index)
    sums = {name: np.bincount(codes, weights=column(rows, name), minlength=len(customers)) for name in names}
    return pd.DataFrame(sums, index=pd.Index(customers))


def counted(rows: pd.DataFrame) -> Estimate:
    """Return how many rows there are.

    Parameters
    ----------
    rows : DataFrame
        One a customer.
    """
    return Estimate(float(len(rows)), math.nan, math.nan, len(rows), FULL_COUNT)


def share_of(name: str, *, confidence: float) -> Callable[[pd.DataFrame], Estimate]:
    """Return what tells the share of customers of whom something is so, with Wilson's interval.

    Parameters
    ----------
    name : str
        Column of 0 and 1.
    confidence : float
        In (0, 1).
    """

    def estimate(rows: pd.DataFrame) -> Estimate:
        n = len(rows)
        share = float(column(rows, name).mean())
        lower, upper = (float(end[0]) for end in wilson_interval([share], [n], confidence=confidence))
        return Estimate(share, lower, upper, n)

    return estimate


def shares_of(part: str, whole: str, *, confidence: float) -> Callable[[pd.DataFrame], Estimate]:
    """Return what tells the share of records or money, customers holding several each.

    Parameters
    ----------
    part, whole : str
        Columns: what of a customer counts, and what the customer has.
    confidence : float
        In (0, 1).
    """

    def estimate(rows: pd.DataFrame) -> Estimate:
        told = clustered_share(column(rows, part), column(rows, whole), confidence=confidence)
        return Estimate(*told, len(rows))

    return estimate


def ratio_of(
    above: str,
    below: str,
    *,
    confidence: float,
    ends: tuple[float, float] = (0.0, math.inf),
    times: float = 1.0,
) -> Callable[[pd.DataFrame], Estimate]:
    """Return what tells a ratio of sums over customers, such as spend over orders.

    Parameters
    ----------
    above, below : str
        Columns to sum.
    confidence : float
        In (0, 1).
    ends : tuple of float
        Between which the ratio has to lie; its interval is cut off there.
    times : float
        What the ratio is multiplied with in the end, such as 100 for points.
    """

    def estimate(rows: pd.DataFrame) -> Estimate:
        told = clustered_ratio(column(rows, above), column(rows, below), confidence=confidence)
        lower, upper = (times * float(np.clip(end, *ends)) for end in (told.lower, told.upper))
        return Estimate(times * told.value, lower, upper, len(rows))

    return estimate
