"""How records came in up to a cutoff: counted in the engine, a row a day and kind; judged in `evaluation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from habitue.evaluation.drift import Check
from habitue.evaluation.record_drift import (
    RECENT_WEEKS,
    level_checks,
    missing_checks,
    set_aside_check,
    silence_check,
    volume_check,
)
from habitue.records import CustomerLog
from habitue.records.engine import quoted
from habitue.records.history import History
from habitue.records.schema import RECORDED_AT, SCHEMAS

__all__ = ["RecordsFound", "records_found"]

_NO_LEVELS = frozenset({"order_id", "text", "currency"})
"""Columns of text whose values are hardly ever met twice, or are the same by necessity."""

_LEVELS = """
SELECT level, n_recent AS n_level,
    CAST(SUM(n_recent) OVER () AS BIGINT) AS n_recent, CAST(SUM(n_before) OVER () AS BIGINT) AS n_before,
    n_before AS n_own
FROM (
    SELECT CAST({column} AS VARCHAR) AS level,
        COUNT(*) FILTER (WHERE day > $recent) AS n_recent, COUNT(*) FILTER (WHERE day <= $recent) AS n_before
    FROM ({records}) AS records
    WHERE {column} IS NOT NULL
    GROUP BY 1
) AS counted
ORDER BY n_own, n_level DESC, level
LIMIT 1
"""


@dataclass(frozen=True)
class RecordsFound:
    """What was found about the records.

    Attributes
    ----------
    checks : tuple of Check
        All of kind "data".
    weekly : DataFrame
        kind, week (its last day), n: records in whole weeks up to the cutoff, of the last year.
    kinds : Mapping[str, Mapping[str, Any]]
        For each kind: rows read, rows set aside, the day of the last record.
    """

    checks: tuple[Check, ...]
    weekly: pd.DataFrame
    kinds: Mapping[str, Mapping[str, Any]]


def records_found(
    log: CustomerLog, cutoff: date, *, before: tuple[date, Mapping[str, Any]] | None = None
) -> RecordsFound:
    """Count the records of every kind up to a cutoff, and judge them.

    Parameters
    ----------
    log : CustomerLog
        The records.
    cutoff : date
        The last day that counts.
    before : tuple of date and Mapping, optional
        Cutoff and `RecordsFound.kinds` of the last monitoring: rows set aside are compared with them.

    Returns
    -------
    RecordsFound

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> found = records_found(cdnow(sample=True), date(1998, 6, 30))
    >>> [check.test for check in found.checks], found.kinds["transactions"]["n_set_aside"]
    (['Welch, weeks', 'silence', 'Welch, weeks'], 0)
    """
    history = log.until(cutoff)
    checks: list[Check] = []
    weekly: list[pd.DataFrame] = []
    kinds: dict[str, dict[str, Any]] = {}
    for kind, check in log.checks.items():
        told: dict[str, Any] = {"n_rows": check.n_rows, "n_set_aside": check.n_quarantined}
        if before is not None and kind in before[1]:
            old = before[1][kind]
            now = (check.n_rows, check.n_quarantined)
            aside = set_aside_check(kind, now, (int(old["n_rows"]), int(old["n_set_aside"])), before[0])
            checks += [aside] if aside is not None else []
        if SCHEMAS[kind].instant:
            daily = _daily(history, kind)
            told["last_day"] = _last_day(daily)
            checks += _judged(history, kind, daily)
            weekly.append(_weekly(kind, daily))
        kinds[kind] = told
    return RecordsFound(tuple(checks), pd.concat(weekly, ignore_index=True), kinds)


def _daily(history: History, kind: str) -> pd.DataFrame:
    """Return a row for each day from the first record to the cutoff: records, and those a column lacks."""
    schema = SCHEMAS[kind]
    there = history.engine.columns(kind)
    # What a record only says later is missing while it is new, and one that is always there is never missing.
    asked = [
        column.name
        for column in schema.columns
        if column.name in there
        and column.name not in {*schema.required, *schema.known_later, *schema.not_before, RECORDED_AT}
    ]
    lacking = "".join(
        f", COUNT(*) FILTER (WHERE {quoted(name)} IS NULL) AS {quoted(f'missing_{name}')}" for name in asked
    )
    sql = f"SELECT day, COUNT(*) AS n{lacking} FROM ({history.relation(kind)}) AS records GROUP BY day"
    counted = history.engine.frame(sql, history.values)
    if counted.empty:
        return counted.set_index("day")
    found = counted.set_index(pd.DatetimeIndex(counted.pop("day"))).sort_index()
    days = pd.date_range(found.index[0], pd.Timestamp(history.cutoff))
    return found.reindex(days, fill_value=0).astype("int64")


def _judged(history: History, kind: str, daily: pd.DataFrame) -> list[Check]:
    if daily.empty:
        return []
    n = pd.Series(daily["n"])
    missing = daily.drop(columns="n").rename(columns=lambda name: str(name).removeprefix("missing_"))
    first = [one for one in (volume_check(kind, n), silence_check(kind, n)) if one is not None]
    return [*first, *missing_checks(kind, n, missing), *level_checks(kind, _new_levels(history, kind))]


def _last_day(daily: pd.DataFrame) -> str | None:
    if daily.empty:
        return None
    heard = daily.index[daily["n"].to_numpy() > 0]
    return str(pd.Timestamp(max(heard)).date())


def _new_levels(history: History, kind: str) -> pd.DataFrame:
    """Return for each column of text its commonest level that is new in the last weeks."""
    schema, there = SCHEMAS[kind], history.engine.columns(kind)
    later = {*schema.known_later, *_NO_LEVELS}
    columns = [one.name for one in schema.columns if one.kind == "text" and one.name in there]
    recent = history.cutoff - timedelta(weeks=RECENT_WEEKS)
    rows: list[dict[str, Any]] = []
    for name in columns:
        if name in later:
            continue
        sql = _LEVELS.format(column=quoted(name), records=history.relation(kind))
        for level, n_level, n_recent, n_before, n_own in history.engine.rows(
            sql, {**history.values, "recent": recent}
        ):
            is_new = not n_own
            rows.append(
                {"column": name, "level": level if is_new else None, "n_level": n_level if is_new else 0,
                 "n_recent": n_recent, "n_before": n_before}
            )  # fmt: skip
    return pd.DataFrame(rows, columns=["column", "level", "n_level", "n_recent", "n_before"])


def _weekly(kind: str, daily: pd.DataFrame) -> pd.DataFrame:
    """Sum whole weeks of the last year, counted back from the cutoff."""
    if len(daily) < 7:
        return pd.DataFrame({"kind": [], "week": [], "n": []})
    kept = daily["n"].iloc[-min(len(daily) // 7, 52) * 7 :]
    totals = kept.to_numpy().reshape(-1, 7).sum(axis=1)
    return pd.DataFrame({"kind": kind, "week": [str(day.date()) for day in kept.index[6::7]], "n": totals})
