"""Who is judged by whom: folds in which no customer, and no day, is on both sides.

What is learned of a model itself (how many trees, how its probabilities are off) is learned from customers
that it had not seen, at the last cutoff, when it knew only outcomes that were known by then. It deliberately
tests no model for a reader: that is a backtest, on days after all of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.util import hash_pandas_object

__all__ = ["Fold", "Judged", "out_of_time_folds"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_hashes = cast("Callable[..., pd.Series]", hash_pandas_object)  # pandas leaves its type open


class Fold(NamedTuple):
    """Row numbers of one fold.

    Attributes
    ----------
    train : ndarray of int64
        Rows to learn from, ascending.
    judged : ndarray of int64
        Rows of other customers to be judged on, ascending.
    """

    train: IntArray
    judged: IntArray


class Judged(NamedTuple):
    """What copies of models said of rows that they had not seen.

    Attributes
    ----------
    rows : ndarray of int64, shape (n_judged,)
        Row numbers.
    said : ndarray of shape (n_judged,) or (n_judged, n_models)
        Predictions.
    """

    rows: IntArray
    said: npt.NDArray[np.float64]


def out_of_time_folds(index: pd.Index, *, horizon: int, n_folds: int = 3) -> list[Fold]:
    """Part customers into folds, and each fold from the past that may be learned from for it.

    Parameters
    ----------
    index : Index
        Of X. Where a level is called cutoff, it says when each row was known; what other levels say, or the
        whole index, is the customer.
    horizon : int
        Days ahead that outcomes speak of.
    n_folds : int
        Groups of customers; the customer's name alone decides, not the order of rows nor who else is there.

    Returns
    -------
    list of Fold
        Judged are one group's rows of the last cutoff; learned from are the other groups' rows of cutoffs
        whose outcomes were known by then, or of any cutoff where there is no such. Folds without rows on one
        of the sides are left out.

    Examples
    --------
    >>> index = pd.MultiIndex.from_product([pd.to_datetime(["2024-01-01", "2024-04-01"]), ["a", "b", "c"]],
    ...                                    names=["cutoff", "customer_id"])
    >>> [(fold.train.tolist(), fold.judged.tolist()) for fold in out_of_time_folds(index, horizon=91)]
    [([0], [4, 5]), ([1, 2], [3])]
    """
    group = _groups(index, n_folds)
    early, last = _times(index, horizon)
    folds: list[Fold] = []
    for one in range(n_folds):
        mine = group == one
        fold = Fold(np.flatnonzero(early & ~mine), np.flatnonzero(last & mine))
        if len(fold.train) and len(fold.judged):
            folds.append(fold)
    return folds


def _groups(index: pd.Index, n_folds: int) -> npt.NDArray[np.uint64]:
    """Return each row's group, from what names the customer."""
    customers = index.droplevel("cutoff") if _has_cutoffs(index) else index
    hashes = _hashes(customers, index=False).to_numpy()
    # The last bits of neighbouring numbers' hashes are less alike than the numbers.
    return (hashes >> np.uint64(7)) % np.uint64(n_folds)


def _times(index: pd.Index, horizon: int) -> tuple[BoolArray, BoolArray]:
    """Return the rows whose outcomes were known by the last cutoff, and those of the last cutoff."""
    everybody = np.ones(len(index), dtype=np.bool_)
    if not _has_cutoffs(index):
        return everybody, everybody
    cutoffs = pd.to_datetime(index.get_level_values("cutoff"))
    ends = cutoffs + pd.Timedelta(days=horizon)
    early = np.asarray(ends <= cutoffs.max())
    return (early if early.any() else everybody), np.asarray(cutoffs == cutoffs.max())


def _has_cutoffs(index: pd.Index) -> bool:
    return isinstance(index, pd.MultiIndex) and "cutoff" in index.names
