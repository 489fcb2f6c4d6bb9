"""New rows of a log's sources: read by the choices made before, judged together with those they concern.

What is there afterwards is what reading all rows at once leads to. Rows that were read before are not read
again; they are judged again where new rows could change the verdict.

Notes
-----
- What a decision over many values rests on is counts, which add up (`habitue.records.looks`); a decision that
  new rows turn is refused.
- What rows say about each other stays within a customer, or is a count over orders. So it is enough to take
  the customers with new rows again (`habitue.records.rejudging`).
- Of customers themselves, who have few rows, all are read again.
- Everything is written in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from habitue.errors import SettingsError
from habitue.records.assembling import ends_come
from habitue.records.batches import Batch, copy_batch, read_batch
from habitue.records.days import as_day
from habitue.records.door import STAGES, settle
from habitue.records.engine import DuckDBEngine, Engine, quoted
from habitue.records.looks import begin_looks, keep_looks
from habitue.records.reading import Reading
from habitue.records.rejudging import as_id_type, judge_again, judge_customers_again, merged_customers
from habitue.records.schema import SCHEMAS, Column
from habitue.records.sources import Relation, open_source
from habitue.records.staging import KEPT, ROW, drop
from habitue.records.store import KindState, keep_kind, kept_log
from habitue.records.table_check import TableCheck

__all__ = ["add_batches", "extendable", "refuse_earlier_end", "staged_batches"]

_READ, _RAW = "read_rows", "raw_rows"


@dataclass(frozen=True)
class _Read:
    """New rows of one kind, read: the batch, its columns, and how it was read."""

    batch: Batch
    columns: list[Column]
    reading: Reading
    given: Mapping[str, str]
    n_new: int


def extendable(engine: Engine, checks: Mapping[str, TableCheck]) -> DuckDBEngine:
    """Return the engine of a log, if new rows can be added to what it holds.

    Parameters
    ----------
    engine : Engine
        Holds the log.
    checks : Mapping[str, TableCheck]
        Of the log, by kind of record.

    Raises
    ------
    SettingsError
        Where it lies on Spark, or was extended since the log was made.
    """
    if not isinstance(engine, DuckDBEngine):
        raise SettingsError(
            "A log on Spark cannot be extended. Read it anew from the cluster's tables: they are not copied."
        )
    if {kind: state.check for kind, state in kept_log(engine)[0].items()} != dict(checks):
        raise SettingsError("This log was extended already; go on with the log that extend() returned.")
    return engine


def refuse_earlier_end(given: date | str | None, before: date) -> date | None:
    """Return the day on which a log is to end; refuse to move that back.

    Parameters
    ----------
    given : date or str, optional
        The last day on which the log is to be complete.
    before : date
        The last day on which it was.

    Raises
    ------
    SettingsError
        Where it is no day, or lies back.
    """
    if given is None:
        return None
    until = as_day(given, "observed_until")
    if until < before:
        raise SettingsError(
            f"observed_until={str(until)!r} is before {before}, up to which the log was complete already; it "
            "only moves forward."
        )
    return until


@contextmanager
def staged_batches(engine: DuckDBEngine, sources: Mapping[str, Any]) -> Generator[dict[str, Batch]]:
    """Copy new rows as they came, each kind to a table of its own; yield what was copied.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the log.
    sources : Mapping[str, source]
        Kind of record to its new rows; a frame without rows is none.

    Raises
    ------
    SchemaError
        Where a needed column is missing.
    DataError
        Where a source does not exist or is damaged.
    """
    states, _ = kept_log(engine)
    batches: dict[str, Batch] = {}
    try:
        for kind, source in sources.items():
            if source is None or getattr(source, "shape", (1,))[0] == 0:
                continue
            relation = source if isinstance(source, Relation) else open_source(engine, source)
            try:
                batches[kind] = copy_batch(
                    engine, kind, relation, _mapping(engine, states.get(kind), relation)
                )
            finally:
                relation.release()
            _put_by(engine, _RAW, kind)
        yield batches
    finally:
        drop(engine, *(_of(table, kind) for table in (_READ, _RAW) for kind in SCHEMAS), *STAGES)


def _mapping(engine: DuckDBEngine, state: KindState | None, relation: Relation) -> Mapping[str, str]:
    """Return the names with which the log was first read; none where the columns are canonical already."""
    if state is None:
        return {}
    there = relation.types(engine).keys()
    schema = SCHEMAS[state.check.kind]
    canonical = set(schema.required) <= there
    old_names = all(given in there for name, given in state.given.items() if name in schema.required)
    return {} if canonical and not old_names else state.given


def _of(table: str, kind: str) -> str:
    return quoted(f"{table} of {kind}")


def _put_by(engine: DuckDBEngine, table: str, kind: str) -> None:
    drop(engine, _of(table, kind))
    engine.execute(f"ALTER TABLE {table} RENAME TO {_of(table, kind)}")


def _take_up(engine: DuckDBEngine, table: str, kind: str) -> None:
    drop(engine, table)
    engine.execute(f"ALTER TABLE {_of(table, kind)} RENAME TO {table}")


def add_batches(
    engine: DuckDBEngine, batches: Mapping[str, Batch], observed_until: date | None, not_after: date | None
) -> tuple[dict[str, TableCheck], date | None]:
    """Add new rows to the log, inside a transaction.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the log.
    batches : Mapping[str, Batch]
        Of `staged_batches`.
    observed_until : date, optional
        The last day on which the log is complete; the later of the day so far and of the last new row where
        None.
    not_after : date, optional
        Today.

    Returns
    -------
    checks : dict
        What was found in all rows, by kind of record.
    until : date, optional
        The last day on which the log is complete, where it was ever stated.

    Raises
    ------
    SettingsError
        Where not_after is missing or lies back.
    SchemaError
        Where new rows turn a decision on how values are read.
    DataError
        Where it cannot be told which records new rows take the place of, or none of a kind can be used.
    """
    states, until = kept_log(engine)
    _refuse_missing_today(states, not_after)
    found = {
        kind: _read(engine, kind, batch, states, observed_until, not_after) for kind, batch in batches.items()
    }
    if until is not None or observed_until is not None:
        until = observed_until or max(
            [until or date.min, *_last_days(engine, found, {*states, *found}, not_after)]
        )
    id_type = _id_type(engine, states, found)
    for kind in (kind for kind in SCHEMAS if kind in states or kind in found):
        _add(engine, kind, states.get(kind), found.get(kind), until, not_after, id_type)
    return {kind: state.check for kind, state in kept_log(engine)[0].items()}, until


def _refuse_missing_today(states: Mapping[str, KindState], not_after: date | None) -> None:
    before = [state.reading.not_after for state in states.values() if state.reading.not_after]
    if before and (not_after is None or not_after < max(before)):
        raise SettingsError(
            f"This log was read with not_after={str(max(before))!r}, after which rows are typing errors. Say "
            "with not_after= which day is today now; it cannot lie back."
        )


def _read(
    engine: DuckDBEngine,
    kind: str,
    batch: Batch,
    states: Mapping[str, KindState],
    observed_until: date | None,
    not_after: date | None,
) -> _Read:
    """Read the new rows of one kind."""
    state = states.get(kind)
    _take_up(engine, _RAW, kind)
    n_new = int(engine.rows(f"SELECT count(*) FROM {_RAW}")[0][0])
    if state is None:
        # A kind that the log lacks so far: what is said of all sources holds for it too.
        first = next(iter(states.values())).reading
        reading, given = Reading(timezone=first.timezone, rates=first.rates), {}
    else:
        reading, given = state.reading, state.given
        if batch.schema.instant:
            engine.execute(f"UPDATE {_RAW} SET {ROW} = {ROW} + {state.n_read}")
        else:
            batch = merged_customers(engine, batch, state)
    reading = replace(reading, observed_until=observed_until, not_after=not_after)
    begin_looks(engine, kind, anew=state is None or not batch.schema.instant)
    columns = read_batch(engine, batch, reading)
    keep_looks(engine, kind)
    _put_by(engine, _RAW, kind)
    _put_by(engine, _READ, kind)
    return _Read(batch, columns, reading, given, n_new)


def _last_days(
    engine: DuckDBEngine, found: Mapping[str, _Read], kinds: Collection[str], today: date | None
) -> list[date]:
    """Return the last day of the new rows of each kind, and of ends of contracts that have come."""
    days = [
        engine.rows(
            f"SELECT max(CAST({one.batch.schema.instant} AS DATE)) FROM {_of(_READ, kind)} WHERE {KEPT}"
        )[0][0]
        for kind, one in found.items()
        if one.batch.schema.instant
    ]
    if "contracts" in found and "transactions" not in kinds:
        days += ends_come(engine, _of(_READ, "contracts"), condition=KEPT, today=today)
    return [day for day in days if day is not None]


def _id_type(engine: DuckDBEngine, states: Mapping[str, KindState], found: Mapping[str, _Read]) -> str:
    """Return the type of ids: text everywhere where they are text somewhere."""
    tables = [*states, *(_of(_READ, kind) for kind in found)]
    types = {engine.columns(table)["customer_id"] for table in tables}
    return "VARCHAR" if "VARCHAR" in types else "BIGINT"


def _add(
    engine: DuckDBEngine,
    kind: str,
    state: KindState | None,
    found: _Read | None,
    until: date | None,
    not_after: date | None,
    id_type: str,
) -> None:
    """Judge one kind again with its new rows, if any, and keep what was found."""
    for table in (_RAW, _READ) if found is not None else ():
        _take_up(engine, table, kind)
    if found is not None and state is None:
        reading = replace(found.reading, observed_until=until)
        settle(engine, found.batch, found.columns, found.given, reading)
    elif state is not None and SCHEMAS[kind].instant:
        reading = replace(state.reading, observed_until=until, not_after=not_after)
        batch = None if found is None else found.batch
        n_new = 0 if found is None else found.n_new
        keep_kind(engine, kind, judge_again(engine, state, batch, reading, id_type, n_new))
    elif state is not None and found is not None:
        keep_kind(engine, kind, judge_customers_again(engine, state, found.batch, found.columns, found.n_new))
    as_id_type(engine, kind, id_type)
    drop(engine, *STAGES)
