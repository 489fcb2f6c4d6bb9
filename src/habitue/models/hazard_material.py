"""What a hazard model learns from: y of either kind, told as periods that customers were seen in.

Durations are cut into periods; a single column is one period a row. What comes out is the same, so that there
is one model inside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError
from habitue.models.hazard_boosting import Material, Point
from habitue.models.out_of_time import Fold, out_of_time_folds
from habitue.models.outcomes import FloatArray
from habitue.models.person_periods import DIGITS, Seen, labels_of, periods_seen
from habitue.models.spells import Causes, read_causes, read_spells
from habitue.models.tree_growing import FEWEST_JUDGED

__all__ = ["Told", "fold_to_judge", "read_ages", "refuse_one_class", "standing", "told_in_periods"]


class Told(NamedTuple):
    """What y says.

    Attributes
    ----------
    seen : Seen
        Periods of each row.
    causes : Causes
        What happened in the last of them.
    period : float
        Days of a period.
    n_periods : int or None
        Periods since coming that somebody was seen in; None where ages are not known.
    classes : ndarray of shape (2,)
        Stays, churns, in the type of y.
    """

    seen: Seen
    causes: Causes
    period: float
    n_periods: int | None
    classes: npt.NDArray[np.generic]


def told_in_periods(
    y: pd.DataFrame | npt.ArrayLike, ages: FloatArray | None, n_rows: int, *, period: float, horizon: float
) -> Told:
    """Return what y says, by period.

    Parameters
    ----------
    y : DataFrame or array_like of shape (n_rows,)
        A frame of durations and events, or the event in one period a row.
    ages : ndarray of shape (n_rows,) or None
        Days since each customer came, where y is a single column and X knows them.
    n_rows : int
        Rows of X.
    period, horizon : float
        Days of a period for durations, and for a single column.

    Returns
    -------
    Told

    Raises
    ------
    SchemaError, DataError
        As `read_spells` and `read_causes`.
    """
    if isinstance(y, pd.DataFrame):
        spells = read_spells(y, n_rows)
        seen = periods_seen(spells, period)
        last = int(np.max(seen.first + seen.n_periods, initial=1, where=seen.n_periods > 0))
        return Told(seen, spells.causes, float(period), last, np.array([False, True]))
    causes = read_causes(y, n_rows)
    first = np.zeros(n_rows, dtype=np.int64) if ages is None else standing(ages, horizon).gone_by
    seen = Seen(first, np.ones_like(first), np.zeros(n_rows), np.zeros(n_rows))
    kind = np.asarray(y).dtype
    classes = np.array([0, 1], dtype=kind if kind.kind in "iuf" else np.bool_)
    return Told(seen, causes, float(horizon), None if ages is None else int(first.max()) + 1, classes)


def read_ages(days: npt.ArrayLike, n_rows: int) -> FloatArray:
    """Return how many days ago each customer came.

    Parameters
    ----------
    days : array_like of shape (n_rows,) or ()
        Days.
    n_rows : int
        Rows of X.

    Raises
    ------
    DataError
        Where one is missing, infinite or below 0, or they are not as many as the rows of X.

    Examples
    --------
    >>> read_ages(30, 2)
    array([30., 30.])
    """
    ages = np.asarray(days, dtype=np.float64)
    if ages.shape not in ((), (n_rows,)) or not (np.isfinite(ages).all() and (ages >= 0).all()):
        raise DataError(
            f"expected how many days each of {n_rows} customers has been there, finite and >= 0; got shape "
            f"{ages.shape} with {int((~(ages >= 0)).sum())} missing or below 0. Leave those customers out"
        )
    return np.broadcast_to(ages, (n_rows,))


def standing(ages: FloatArray, period: float) -> Point:
    """Return in which period each customer is, and how far.

    Parameters
    ----------
    ages : ndarray of shape (n_customers,)
        Days since he came.
    period : float
        Days of a period.

    Examples
    --------
    >>> standing(np.array([75.0]), 30)
    Point(gone_by=array([2]), elapsed=array([0.5]))
    """
    periods = np.round(ages / period, DIGITS)
    gone_by = np.floor(periods)
    return Point(gone_by.astype(np.int64), periods - gone_by)


def refuse_one_class(material: Material) -> None:
    """Say so where there is nothing to tell apart.

    Parameters
    ----------
    material : Material
        Customers and their periods.

    Raises
    ------
    DataError
        Where nobody left, or everybody in the first period that he was seen in.
    """
    counted = material.seen if material.weights is None else material.seen.only(material.weights > 0)
    left = labels_of(counted, material.cause) > 0
    if left.all() or not left.any():
        told = "nobody churned" if not left.any() else "all churned, in the first period seen"
        raise DataError(
            f"y has only one class ({told}): there is nothing to tell apart. Observe longer, or in shorter "
            "periods."
        )


def fold_to_judge(index: pd.Index, material: Material, period: float) -> Fold | None:
    """Return customers to find the number of trees with, or None where too few of them left.

    Parameters
    ----------
    index : Index
        Of X: a customer's rows stay together, and those judged are of the last cutoff where there are
        cutoffs.
    material : Material
        Their periods.
    period : float
        Days of one.
    """
    n_classes = int(material.cause.max()) + 1
    for fold in out_of_time_folds(index, horizon=int(np.ceil(period)), n_folds=5):
        learned, judged = (np.bincount(material.cause[rows], minlength=n_classes)[1:] for rows in fold)
        if learned.all() and judged.sum() >= FEWEST_JUDGED:
            return fold
    return None
