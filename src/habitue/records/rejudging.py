"""Rows judged again with new ones, so that the verdict on all is what it would be had they come at once.

Only what new rows concern is looked at: of purchases, the customers who have new rows. All rows of a kind are
taken again where they were kept as they were read (`habitue.records.door.tells_all_again`), where a column
appears, ids become text, or rows turn out to be lines of orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from habitue.records.batches import Batch, count_unread, late_sql, limits
from habitue.records.door import keep_told, keep_unreadable, summarise, tells_all_again
from habitue.records.duplicates import ORDER_KEY, are_lines, differing_keys
from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.judging import Verdict, judge, notes_of, set_apart
from habitue.records.reading import Reading, read_name
from habitue.records.replacing import replace_customers, replace_records
from habitue.records.schema import SCHEMAS, Column, Schema
from habitue.records.staging import FIT, KEPT, RAW, REASON, ROW, drop, told_table
from habitue.records.store import KindState

__all__ = ["as_id_type", "judge_again", "judge_customers_again", "merged_customers"]

_TABLES = ("new_rows", "waiting", "rejudged", "touched")


@dataclass(frozen=True)
class _Task:
    """A kind of record with new rows: what was, what came, and how all is judged now."""

    engine: DuckDBEngine
    schema: Schema
    state: KindState
    batch: Batch | None
    reading: Reading
    columns: list[Column]
    id_type: str

    @property
    def kind(self) -> str:
        return self.schema.kind

    @property
    def told(self) -> str:
        return told_table(self.schema.kind)

    @property
    def has_all_told(self) -> bool:
        return tells_all_again(self.schema, self.reading)


def judge_again(
    engine: DuckDBEngine,
    state: KindState,
    batch: Batch | None,
    reading: Reading,
    id_type: str,
    n_new: int,
) -> KindState:
    """Add the rows of ``read_rows`` to a kind of record; return what was found in all.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the log, and ``read_rows`` and ``raw_rows`` where there is a batch.
    state : KindState
        What was found before.
    batch : Batch, optional
        The new rows; None where only days have moved.
    reading : Reading
        With the days up to which rows count now.
    id_type : str
        SQL type of customer ids.
    n_new : int
        How many rows are new.
    """
    schema = SCHEMAS[state.check.kind]
    mapping = {**(batch.mapping if batch else {}), **state.check.mapping}
    columns = [column for column in schema.columns if column.name in mapping]
    task = _Task(engine, schema, state, batch, reading, columns, id_type)
    try:
        if not _gather_new(task) and batch is None:
            return replace(state, reading=reading)
        return _judge(task, mapping, n_new)
    finally:
        drop(engine, *_TABLES)


def _judge(task: _Task, mapping: Mapping[str, str], n_new: int) -> KindState:
    engine, state = task.engine, task.state
    everything, differing = _concerns_all(task), state.differing
    if not everything and differing is not None:
        differing += _newly_differing(task)
        everything = are_lines(task.columns, differing) != are_lines(task.columns, state.differing)
    _gather_old(task, everything=everything)
    if task.has_all_told:
        replace_records(engine, task.schema, task.columns, state.n_read)
        unread = count_unread(engine, task.columns)
    else:
        unread = _sum_in_order(
            task.columns, state.check.unread, count_unread(engine, task.columns, "new_rows")
        )
    if everything:
        differing = differing_keys(engine, task.schema, task.columns)
    counted = "true" if everything else "row > 0"
    verdict = judge(engine, task.schema, task.columns, task.reading.rates, differing, counted=counted)
    _write_aside(task, everything=everything)
    _write_admitted(task, verdict, everything=everything)
    if not everything:
        verdict = replace(verdict, alike=state.alike + verdict.alike, **_returns(task))
    known = task.batch or Batch(task.schema, "", {}, {})
    whole = replace(known, described=state.check.source, mapping=mapping)
    notes = notes_of(engine, task.schema, task.columns, verdict)
    check = summarise(engine, whole, task.columns, unread, notes)
    return replace(
        state,
        reading=task.reading,
        check=check,
        n_read=state.n_read + n_new,
        alike=verdict.alike,
        differing=verdict.differing,
    )


def _sum_in_order(
    columns: Sequence[Column], before: Mapping[str, int], new: Mapping[str, int]
) -> dict[str, int]:
    counts = {column.name: before.get(column.name, 0) + new.get(column.name, 0) for column in columns}
    return {name: count for name, count in counts.items() if count}


def _gather_new(task: _Task) -> bool:
    """Make ``new_rows``: those of the batch, and those that were too late before; tell if there are such."""
    engine, instant = task.engine, task.schema.instant
    read = f"SELECT *, {quoted(instant)} AS {read_name(_instant(task.schema))} FROM"
    before = limits(task.schema, task.state.reading)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE waiting AS SELECT * EXCLUDE ({read_name(_instant(task.schema))}) FROM "
        f"({read} {task.told}) WHERE {FIT} AND ({late_sql(task.schema, task.state.reading)}) IS NOT NULL",
        before,
    )
    parts = ["SELECT * FROM read_rows"] if task.batch else []
    parts.append(
        f"SELECT * EXCLUDE ({REASON}, {read_name(_instant(task.schema))}), "
        f"{late_sql(task.schema, task.reading)} AS {REASON} FROM ({read} waiting)"
    )
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE new_rows AS {_with_ids(task, ' UNION ALL BY NAME '.join(parts))}",
        limits(task.schema, task.reading),
    )
    return bool(engine.rows("SELECT 1 FROM waiting LIMIT 1"))


def _instant(schema: Schema) -> Column:
    return next(column for column in schema.columns if column.name == schema.instant)


def _with_ids(task: _Task, query: str) -> str:
    return f"SELECT * REPLACE (CAST(customer_id AS {task.id_type}) AS customer_id) FROM ({query})"


def _concerns_all(task: _Task) -> bool:
    """Tell whether all rows are to be judged again."""
    appeared = any(column.name not in task.state.check.mapping for column in task.columns)
    types = {task.engine.columns(table)["customer_id"] for table in (task.kind, task.told)}
    return task.has_all_told or appeared or types != {task.id_type}


def _newly_differing(task: _Task) -> int:
    """Count the order keys whose rows differ with the new rows and did not before."""
    names = [column.name for column in task.columns]
    selected = ", ".join(map(quoted, names))
    key = f"hash({', '.join(quoted(name) for name in ORDER_KEY if name in names)})"
    task.engine.execute(
        f"CREATE OR REPLACE TEMP TABLE touched AS SELECT {selected} FROM {task.kind} "
        f"WHERE {key} IN (SELECT {key} FROM new_rows WHERE {KEPT})"
    )
    both = f"(SELECT * FROM touched UNION ALL SELECT {selected} FROM new_rows WHERE {KEPT}) WHERE true"
    after = differing_keys(task.engine, task.schema, task.columns, both) or 0
    return after - (differing_keys(task.engine, task.schema, task.columns, "touched WHERE true") or 0)


def _gather_old(task: _Task, *, everything: bool) -> None:
    """Make ``read_rows`` of the new rows and of the old ones that they concern; note which were aside."""
    engine = task.engine
    concerned = "true" if everything else "customer_id IN (SELECT customer_id FROM new_rows)"
    settled = f"{concerned} AND {ROW} NOT IN (SELECT {ROW} FROM waiting)"
    unfit = f"CASE WHEN NOT {FIT} THEN {REASON} END AS {REASON}"
    aside = f"SELECT * REPLACE ({unfit}) FROM {task.told} WHERE {settled}"
    parts = [_with_ids(task, aside)]
    if not task.has_all_told:
        there = engine.columns(task.kind)
        names = ", ".join(quoted(column.name) for column in task.columns if column.name in there)
        # Admitted rows came before all others that equal them: so their numbers are negative. They also say
        # where a row lies.
        admitted = (
            f"SELECT -1 - rowid AS {ROW}, {names}, CAST(NULL AS VARCHAR) AS {REASON}, "
            f"true AS {FIT} FROM {task.kind} WHERE {concerned}"
        )
        parts.append(_with_ids(task, admitted))
    parts.append("SELECT * FROM new_rows")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE read_rows AS {' UNION ALL BY NAME '.join(parts)}")
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE rejudged AS SELECT {ROW} AS row, {REASON} AS reason FROM {task.told} "
        f"WHERE {ROW} IN (SELECT {ROW} FROM read_rows)"
    )


def _write_aside(task: _Task, *, everything: bool) -> None:
    """Bring the quarantine, and the rows that may be judged again, up to what is so now."""
    engine, kind = task.engine, task.kind
    engine.execute(
        f"DELETE FROM quarantine_{kind} WHERE (row, reason) IN (SELECT (row, reason) FROM rejudged "
        "WHERE reason IS NOT NULL)"
    )
    if task.batch:
        set_apart(engine, kind, task.batch.names)
    engine.execute(
        f"INSERT INTO quarantine_{kind} SELECT {ROW}, {REASON}, {RAW} FROM read_rows "
        f"WHERE NOT ({KEPT}) AND {RAW} IS NOT NULL"
    )
    told = (
        f"SELECT read_rows.* REPLACE (coalesce({RAW}, aside.raw) AS {RAW}) FROM read_rows LEFT JOIN "
        f"quarantine_{kind} AS aside ON aside.row = {ROW} AND aside.reason = {REASON}"
    )
    if not task.has_all_told:
        told += f" WHERE {FIT} AND NOT ({KEPT})"
    if everything:
        engine.execute(f"CREATE OR REPLACE TABLE {task.told} AS {told}")
    else:
        engine.execute(f"DELETE FROM {task.told} WHERE {ROW} IN (SELECT row FROM rejudged)")
        engine.execute(f"INSERT INTO {task.told} BY NAME {told}")
    if task.batch:
        keep_unreadable(engine, kind, task.batch.unreadable)


def _write_admitted(task: _Task, verdict: Verdict, *, everything: bool) -> None:
    engine, kind = task.engine, task.kind
    if everything:
        engine.execute(f"CREATE OR REPLACE TABLE {kind} AS {verdict.admitted}")
        return
    if kind == "transactions":
        # Of old rows only the day of the purchase that they take back may have changed.
        day, joined = "CAST(NULL AS DATE)", ""
        if verdict.matched:
            day, joined = "returned.return_of_day", f"LEFT JOIN returned ON returned.row = {ROW}"
        engine.execute(
            f"UPDATE {kind} SET return_of_day = now.day FROM (SELECT -1 - {ROW} AS place, {day} AS day "
            f"FROM read_rows {joined} WHERE {KEPT} AND amount < 0 AND {ROW} < 0) AS now "
            f"WHERE {kind}.rowid = place AND {kind}.return_of_day IS DISTINCT FROM now.day"
        )
    engine.execute(f"INSERT INTO {kind} BY NAME {verdict.admitted} AND read_rows.{ROW} > 0")


def _returns(task: _Task) -> dict[str, int]:
    """Count the returns of all customers, and those that have a purchase."""
    if task.kind != "transactions":
        return {}
    matched, all_returns = task.engine.rows(
        "SELECT count(return_of_day), count(*) FILTER (amount < 0) FROM transactions"
    )[0]
    return {"matched": matched, "n_returns": all_returns}


def merged_customers(engine: DuckDBEngine, batch: Batch, state: KindState) -> Batch:
    """Put the customers told before and the new ones together in ``raw_rows``, under canonical names.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the log, and the new rows in ``raw_rows``.
    batch : Batch
        The new rows.
    state : KindState
        What was found before.
    """
    to_canonical = {given: name for name, given in batch.mapping.items()}
    names = (f"{quoted(name)} AS {quoted(to_canonical.get(name, name))}" for name in batch.names)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE merged AS SELECT * EXCLUDE ({REASON}) FROM {told_table('customers')} "
        f"UNION ALL BY NAME SELECT {ROW} + {state.n_read} AS {ROW}, {', '.join(names)} FROM raw_rows"
    )
    drop(engine, "raw_rows")
    engine.execute("ALTER TABLE merged RENAME TO raw_rows")
    # A database's numbers that came as text are numbers only as long as all of them are such.
    types = {name: kind for name, kind in engine.columns("raw_rows").items() if quoted(name) != ROW}
    types |= {name: "NUMERIC TEXT" for name in state.numerics if types.get(name) == "VARCHAR"}
    mapping = {column.name: column.name for column in batch.schema.columns if column.name in types}
    if "recorded_at" not in mapping:
        replace_customers(engine, types["customer_id"], state.n_read)
    return replace(batch, described=state.check.source, types=types, mapping=mapping, all_text=state.all_text)


def judge_customers_again(
    engine: DuckDBEngine, state: KindState, batch: Batch, columns: Sequence[Column], n_new: int
) -> KindState:
    """Judge all customers, old and new; return what was found.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the log, ``raw_rows`` and ``read_rows``.
    state : KindState
        What was found before.
    batch : Batch
        Of `merged_customers`.
    columns : sequence of Column
        Those that ``read_rows`` has.
    n_new : int
        How many rows are new.
    """
    unread = count_unread(engine, columns)
    engine.execute(
        f"DELETE FROM quarantine_customers WHERE (row, reason) IN (SELECT ({ROW}, {REASON}) "
        f"FROM {told_table('customers')} WHERE {REASON} IS NOT NULL)"
    )
    verdict = judge(engine, batch.schema, columns, None, None)
    set_apart(engine, "customers", batch.names)
    keep_told(engine, batch, state.reading)
    keep_unreadable(engine, "customers", batch.unreadable)
    engine.execute(f"CREATE OR REPLACE TABLE customers AS {verdict.admitted}")
    check = summarise(engine, batch, columns, unread, notes_of(engine, batch.schema, columns, verdict))
    mapping = {**check.mapping, **state.check.mapping}
    return replace(
        state, check=replace(check, mapping=mapping), n_read=state.n_read + n_new, alike=verdict.alike
    )


def as_id_type(engine: DuckDBEngine, kind: str, id_type: str) -> None:
    """Make the ids of a kind text where those of another kind are.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the log.
    kind : str
        Kind of record.
    id_type : str
        SQL type of customer ids.
    """
    if engine.columns(kind)["customer_id"] != id_type:
        replaced = f"CAST(customer_id AS {id_type}) AS customer_id"
        engine.execute(f"CREATE OR REPLACE TABLE {kind} AS SELECT * REPLACE ({replaced}) FROM {kind}")
