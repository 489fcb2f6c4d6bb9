"""The audit of the customer base as plain data: five lenses, triangle, Lorenz curve, transitions.

Tables of a bounded size, whatever the number of customers: columns and rows, with no customer in them.
Cohorts of fewer customers than a number of the scorecard needs are not told of on their own.
"""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from habitue.records import CustomerLog, History
from habitue.scorecard.audit import (
    base_changes,
    decile_table,
    growth_drivers,
    order_distribution,
    profit_bridge,
    value_quantiles,
)
from habitue.scorecard.audit_cohorts import cohorts_compared, one_cohort, whole_base
from habitue.scorecard.audit_records import (
    PERIODS,
    PRODUCTS,
    Period,
    cohort_periods,
    customer_values,
    two_periods,
)
from habitue.scorecard.decile_transitions import decile_transitions
from habitue.scorecard.retention_triangles import triangle_of
from habitue.scorecard.value_concentration import lorenz_curve, value_concentration
from habitue.vocabulary import one_or_many

__all__ = ["as_table", "audit_of"]

_MOST_PERIODS = 24
_DIGITS = 8

Table = dict[str, Any]


def audit_of(
    log: CustomerLog, start: date, end: date, *, confidence: float, min_count: int
) -> dict[str, Any]:
    """Return the customer-base audit of the days in (start, end], with as many days before to compare.

    Parameters
    ----------
    log : CustomerLog
        The records; none after `end` is read.
    start, end : datetime.date
        The day before the period, and its last day.
    confidence : float
        Of the intervals, in (0, 1).
    min_count : int
        Customers that a cohort needs to be told of on its own.

    Returns
    -------
    dict
        ``one_period``, ``two_periods``, ``one_cohort``, ``cohorts_compared``, ``whole_base``,
        ``retention_triangle``, ``value`` and ``notes``: each table has ``columns`` and ``rows``. What cannot
        be told is left out, and a note says why.
    """
    history, notes = log.until(end), list[str]()
    told: dict[str, Any] = {"notes": notes, "period": [start.isoformat(), end.isoformat()]}
    values = customer_values(history, start=start, end=end)
    if len(values):
        told |= _one_period(values, confidence, notes)
    else:
        notes.append("nobody has a record in the period")
    before = start - (end - start)
    if before >= log.first_day or (log.first_day - before).days == 1:
        both = two_periods(history, first=(before, start), second=(start, end))
        told |= _two_periods(both, confidence, notes)
        told["period_before"] = [before.isoformat(), start.isoformat()]
    else:
        notes.append(f"the period before is not in the log, which begins on {log.first_day}")
    period, cells = _cells(history, log.first_day, end, min_count)
    notes.append(f"the log begins on {log.first_day}: its first cohort may hold older customers, too")
    return told | _cohorts(cells, period, confidence, min_count, notes)


def as_table(frame: pd.DataFrame) -> Table:
    """Return a table as JSON can hold it, numbers cut to eight digits.

    Parameters
    ----------
    frame : DataFrame
        Any small table.

    Examples
    --------
    >>> as_table(pd.DataFrame({"share": [1 / 3, float("nan")], "n": [1, 0]}))
    {'columns': ['share', 'n'], 'rows': [[0.33333333, 1], [None, 0]]}
    """
    rows = [[_cut(one) for one in row] for row in frame.itertuples(index=False, name=None)]
    return {"columns": [str(name) for name in frame.columns], "rows": rows}


def _cut(value: Any) -> Any:
    """Return a cell as JSON knows it."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, date) else value


def _one_period(values: pd.DataFrame, confidence: float, notes: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "one_period": {
            "deciles": as_table(decile_table(values)),
            "orders": as_table(order_distribution(values)),
            "quantiles": as_table(value_quantiles(values)),
        }
    }
    spend = values["spend"].to_numpy(float)
    if spend.sum() > 0.0:
        told["value"] = {
            "lorenz": as_table(lorenz_curve(spend)),
            "concentration": as_table(value_concentration(spend, confidence=confidence)),
        }
    else:
        notes.append("the period has no spend above 0 whose concentration could be told")
    return told


def _two_periods(both: pd.DataFrame, confidence: float, notes: list[str]) -> dict[str, Any]:
    if not both[["n_orders_1", "n_orders_2"]].to_numpy().any():
        notes.append("nobody ordered in the period or in the one before")
        return {}
    return {
        "two_periods": {
            "changes": as_table(base_changes(both)),
            "bridge": as_table(profit_bridge(both)),
            "drivers": as_table(growth_drivers(both)),
            "transitions": as_table(decile_transitions(both, confidence=confidence)),
        }
    }


def _cells(history: History, first: date, end: date, min_count: int) -> tuple[Period, pd.DataFrame]:
    """Count by the shortest periods that are not too many, and of which most customers' cohorts are told."""
    lengths: tuple[Period, ...] = ("month", "quarter", "year")
    n_periods = {one: len(pd.period_range(first, end, freq=PERIODS[one])) for one in lengths}
    # Of fewer periods than three there is nothing to be seen.
    longer: list[Period] = [one for one in lengths[1:] if 2 < n_periods[one] <= _MOST_PERIODS]
    period: Period = "month" if n_periods["month"] <= _MOST_PERIODS else longer.pop(0) if longer else "year"
    cells = cohort_periods(history, period=period, products=True)
    while longer and not _mostly_told(cells, min_count):
        period = longer.pop(0)
        cells = cohort_periods(history, period=period, products=True)
    return period, cells


def _mostly_told(cells: pd.DataFrame, min_count: int) -> bool:
    sizes = cells.groupby("cohort")["n_customers"].first().to_numpy(np.int64)
    return 2 * int(sizes[sizes >= min_count].sum()) >= int(sizes.sum())


def _cohorts(
    cells: pd.DataFrame, period: Period, confidence: float, min_count: int, notes: list[str]
) -> dict[str, Any]:
    sizes = dict(zip(cells["cohort"], cells["n_customers"], strict=True))
    small = [cohort for cohort, n in sizes.items() if n < min_count]
    if small:
        few = one_or_many(len(small), "cohort has", plural="cohorts have")
        notes.append(f"{few} fewer than {min_count} customers: not shown by themselves")
    base = {"cohort_period": period, "whole_base": as_table(_pooled(cells, small))}
    told = cells.loc[~cells["cohort"].isin(small)]
    if told.empty:
        return base
    large = told.drop(columns=list(PRODUCTS))
    biggest = max(sizes, key=lambda cohort: sizes[cohort])
    return base | {
        "retention_triangle": as_table(triangle_of(told, confidence=confidence).dropna(subset="n_active")),
        "one_cohort": {"cohort": biggest.isoformat(), **as_table(one_cohort(large, biggest))},
        "cohorts_compared": as_table(cohorts_compared(large)),
    }


def _pooled(cells: pd.DataFrame, small: list[date]) -> pd.DataFrame:
    """Return the whole base with small cohorts as one, whose cohort is empty: periods still sum."""
    base = whole_base(cells)
    if not small:
        return base
    few = base["cohort"].isin(small)
    sums = [name for name in base.columns if name not in ("period", "cohort", "complete", "is_new")]
    rest = base.loc[few].groupby(["period", "complete"], as_index=False)[sums].sum()
    pooled = pd.concat([base.loc[~few], rest.assign(cohort=None, is_new=False)], ignore_index=True)
    return pooled.sort_values("period", kind="stable", ignore_index=True).reindex(columns=base.columns)
