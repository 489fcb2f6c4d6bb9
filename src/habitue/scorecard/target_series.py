"""The months of a measure as a target sees them: on a scale without ends, with the error of each.

Shares and points are taken as log odds, amounts as logarithms, so that a forecast cannot leave the range of
its measure. A table of a scorecard comes in; nothing is computed from records here.
"""

from __future__ import annotations

import math
import re
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from habitue.numerics.arrays import FloatArray

__all__ = ["Range", "Series", "last_month_by", "month_number", "range_of", "series_of"]

_LEAST_SHARE = 1e-4
_SCALE = re.compile(r"_(\d+)_(\d+)$")


class Range(NamedTuple):
    """Between which ends a measure lies; `high` is infinite for amounts."""

    low: float
    high: float

    def straight(self, value: FloatArray, n: npt.ArrayLike, least: float) -> FloatArray:
        """Return values on a scale without ends.

        Parameters
        ----------
        value : ndarray of shape (k,)
            In the range.
        n : array_like of shape (k,)
            Of how many they are: nearer to an end than half a customer no value is put.
        least : float
            What an amount is taken to be at least, above 0.
        """
        if math.isinf(self.high):
            return np.log(np.maximum(value - self.low, least))
        edge = np.clip(0.5 / (np.asarray(n, dtype=np.float64) + 1.0), _LEAST_SHARE, 0.25)
        share = np.clip((value - self.low) / (self.high - self.low), edge, 1.0 - edge)
        return np.log(share / (1.0 - share))

    def bent(self, value: float) -> float:
        """Return a value of that scale in the unit of the measure.

        Parameters
        ----------
        value : float
            On the scale without ends.
        """
        if math.isinf(self.high):
            return self.low + math.exp(value)
        return self.low + (self.high - self.low) / (1.0 + math.exp(-value))


class Series(NamedTuple):
    """Full months of a measure, from the first one measured to the last, gaps NaN.

    Attributes
    ----------
    months : ndarray of int
        As `month_number` counts them, one after the other.
    value, lower, upper : ndarray of shape (n_months,)
        In the unit of the measure.
    n : ndarray of shape (n_months,)
        Of how many.
    is_monthly : bool
        False where there is only one number, of a period that is no month.
    note : str
        Why nothing is there, where nothing is.
    """

    months: npt.NDArray[np.int64]
    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    n: FloatArray
    is_monthly: bool
    note: str = ""

    def straight(self, ends: Range, confidence: float) -> tuple[FloatArray, FloatArray]:
        """Return values and standard errors on a scale without ends; NaN where they are not known.

        Parameters
        ----------
        ends : Range
            Of the measure.
        confidence : float
            Of the intervals.
        """
        n = np.where(np.isfinite(self.n), self.n, 0.0)
        value, lower, upper = (
            ends.straight(one, n, self._least) for one in (self.value, self.lower, self.upper)
        )
        return value, (upper - lower) / (2.0 * float(norm.ppf(0.5 + confidence / 2.0)))

    def level(self, ends: Range, level: float) -> float:
        """Return a level on the scale of `straight`; an end is reached by who is just short of it.

        Parameters
        ----------
        ends : Range
            Of the measure.
        level : float
            In its unit.
        """
        n = float(np.nanmedian(self.n)) if np.isfinite(self.n).any() else 0.0
        return float(ends.straight(np.array([level]), max(n - 1.0, 0.0) / 2.0, 2.0 * self._least)[0])

    @property
    def _least(self) -> float:
        above = self.value[np.isfinite(self.value) & (self.value > 0.0)]
        return float(above.min()) / 10.0 if above.size else 1.0


def month_number(day: date) -> int:
    """Return which month a day is in, counted without gaps.

    Parameters
    ----------
    day : datetime.date
        Any.

    Examples
    --------
    >>> month_number(date(2025, 1, 1)) - month_number(date(2024, 12, 31))
    1
    """
    return 12 * day.year + day.month - 1


def last_month_by(day: date) -> int:
    """Return the last month that has ended by a day.

    Parameters
    ----------
    day : datetime.date
        Counts in full.

    Examples
    --------
    >>> last_month_by(date(2025, 1, 31)) - last_month_by(date(2025, 1, 30))
    1
    """
    return month_number(day + timedelta(days=1)) - 1


def range_of(metric: str, unit: str) -> Range:
    """Return between which ends a measure lies.

    Parameters
    ----------
    metric : str
        Its name; a scale stands at the end of the name, such as ``csat_mean_1_7``, and is 1 to 5 otherwise.
    unit : str
        Of a row of the scorecard.

    Examples
    --------
    >>> range_of("nps", "points"), range_of("csat_mean_1_7", "score").high
    (Range(low=-100.0, high=100.0), 7.0)
    """
    if unit == "share":
        return Range(0.0, 1.0)
    if unit == "points":
        return Range(-100.0, 100.0)
    if unit != "score":
        return Range(0.0, math.inf)
    if "sentiment" in metric:
        return Range(-1.0, 1.0)
    named = _SCALE.search(metric)
    return Range(float(named[1]), float(named[2])) if named else Range(1.0, 5.0)


def series_of(frame: pd.DataFrame, metric: str, by: str, group: str) -> Series:
    """Pick the months of a measure out of a scorecard's table.

    Parameters
    ----------
    frame : DataFrame
        Columns measure, by, group, start, end, value, lower, upper, n, note.
    metric : str
        The measure.
    by, group : str
        Of which group, such as "segment" and "business"; "all" and "all" for everybody.

    Returns
    -------
    Series
        Of the whole months among the rows; where there are none, the one number of the latest period.
    """
    mine = frame.loc[frame["measure"] == metric]
    everybody = by == "all"
    chosen = mine["by"].isin(["month"]) if everybody else (mine["by"] == by) & (mine["group"] == group)
    rows = mine.loc[chosen & _are_months(mine)]
    is_monthly = bool(rows["value"].notna().any())
    if not is_monthly:
        # Of what is only told once, the latest; of what was held back every month, the whole period.
        whole = mine.loc[mine["by"] == "all"] if everybody else mine.loc[chosen & ~_are_months(mine)]
        rows = (whole if len(whole) else mine.loc[chosen]).sort_values("end").tail(1)
    if not rows["value"].notna().any():
        return _nothing(_why(mine, rows, by, group))
    return _laid_out(rows, is_monthly=is_monthly)


def _are_months(rows: pd.DataFrame) -> pd.Series:
    """Tell which rows are of whole months of the calendar."""
    told = [
        month_number(end) - month_number(start) == 1 and last_month_by(end) == month_number(end)
        and last_month_by(start) == month_number(start)
        for start, end in zip(rows["start"], rows["end"], strict=True)
    ]  # fmt: skip
    return pd.Series(told, index=rows.index, dtype=bool)


def _laid_out(rows: pd.DataFrame, *, is_monthly: bool) -> Series:
    rows = rows.loc[rows["value"].notna()]
    at = np.array([last_month_by(end) for end in rows["end"]], dtype=np.int64)
    months = np.arange(at.min(), at.max() + 1, dtype=np.int64)
    columns: list[FloatArray] = []
    for name in ("value", "lower", "upper", "n"):
        column = np.full(len(months), np.nan)
        column[at - months[0]] = rows[name].to_numpy(np.float64)
        columns.append(column)
    return Series(months, columns[0], columns[1], columns[2], columns[3], is_monthly)


def _nothing(note: str) -> Series:
    empty = np.empty(0)
    return Series(np.empty(0, dtype=np.int64), empty, empty, empty, empty, False, note)


def _why(mine: pd.DataFrame, rows: pd.DataFrame, by: str, group: str) -> str:
    """Say why a measure is not told."""
    if mine.empty:
        return "the records do not tell this measure"
    if len(rows):
        return str(rows["note"].iloc[-1]) or "the measure has no value"
    there = dict.fromkeys(str(one) for one in mine.loc[mine["by"] == by, "group"])
    if not there:
        return f"the scorecard does not tell it by {by}"
    return f"there is no {by} {group!r}; there are {', '.join(list(there)[:12])}"
