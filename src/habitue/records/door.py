"""The door: every row of a source is admitted, or set aside with the reason.

A source's columns are mapped onto the canonical ones, values are read as what they must be, and what cannot
be read is quarantined with its row number and reason. Nothing is dropped in silence, nothing is guessed where
two readings are possible: then the way out is a sentence.

Notes
-----
- customer_id: see `habitue.records.customer_ids`.
- instants become days in one stated time zone (`habitue.records.instants`), from 1900 to 2199: days outside
  are how systems write "unknown". In an optional instant (when a contract ended) a later one means "not yet".
- money is exact, DECIMAL(18, 6); see `habitue.records.money`, and `habitue.records.currencies` for several.
- An optional number or flag that cannot be read is left empty and counted; the row stays.
- Rows that repeat another one: see `habitue.records.duplicates`. Returns: `habitue.records.returns`.
- The source is copied once as it came and once as read; either table goes to disk where memory runs out.
- What a later batch of rows may judge again is kept: see `habitue.records.extending`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from habitue.errors import DataError
from habitue.records.batches import Batch, copy_batch, count_unread, listed, read_batch
from habitue.records.csv_repair import Unreadable
from habitue.records.duplicates import differing_keys
from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.instants import date_notes
from habitue.records.judging import judge, notes_of, set_apart
from habitue.records.looks import begin_looks, keep_looks
from habitue.records.reading import Reading
from habitue.records.schema import Column, Schema
from habitue.records.sources import Relation
from habitue.records.staging import FIT, KEPT, RAW, REASON, ROW, drop, told_table
from habitue.records.store import KindState, keep_kind
from habitue.records.table_check import TableCheck
from habitue.records.unread_answers import answer_notes
from habitue.vocabulary import one_or_many

__all__ = [
    "STAGES",
    "Reading",
    "TableCheck",
    "admit",
    "keep_told",
    "keep_unreadable",
    "settle",
    "summarise",
    "tells_all_again",
]

STAGES = ("raw_rows", "read_rows", "returned", "day_rates", "looks")
"""Tables that are of no use once a source was judged."""


def admit(
    engine: DuckDBEngine, kind: str, relation: Relation, mapping: Mapping[str, str], reading: Reading
) -> TableCheck:
    """Read a source into the engine's table of its kind, and say what was found.

    The table ``<kind>`` holds the rows admitted, ``quarantine_<kind>`` the others with ``row`` (or file
    line), ``reason`` and ``raw`` (the row as it came, JSON).

    Parameters
    ----------
    engine : DuckDBEngine
        Where to.
    kind : str
        Kind of record, a key of `SCHEMAS`.
    relation : Relation
        The source.
    mapping : Mapping[str, str]
        Canonical column to column (or, for money, arithmetic expression) of the source; canonical names that
        are not named are taken where the source has them.
    reading : Reading
        How values are to be read.

    Raises
    ------
    SchemaError
        Where a needed column is missing, or a date could be read in two ways.
    DataError
        Where no row can be used.
    """
    reading.check()
    batch = copy_batch(engine, kind, relation, mapping)
    try:
        begin_looks(engine, kind, anew=True)
        columns = read_batch(engine, batch, reading)
        keep_looks(engine, kind)
        return settle(engine, batch, columns, mapping, reading)
    finally:
        drop(engine, *STAGES)


def settle(
    engine: DuckDBEngine, batch: Batch, columns: Sequence[Column], given: Mapping[str, str], reading: Reading
) -> TableCheck:
    """Part the rows of a source into table and quarantine, and say what was found.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``read_rows`` and ``raw_rows``.
    batch : Batch
        All rows of the source.
    columns : sequence of Column
        Those that ``read_rows`` has.
    given : Mapping[str, str]
        As the mapping was handed in.
    reading : Reading
        How values were read.

    Raises
    ------
    DataError
        Where no row can be used.
    """
    schema, kind = batch.schema, batch.schema.kind
    unread = count_unread(engine, columns)
    n_read = engine.rows("SELECT count(*) FROM raw_rows")[0][0]
    verdict = judge(engine, schema, columns, reading.rates, differing_keys(engine, schema, columns))
    engine.execute(f"CREATE OR REPLACE TABLE quarantine_{kind} (row BIGINT, reason VARCHAR, raw VARCHAR)")
    set_apart(engine, kind, batch.names)
    keep_told(engine, batch, reading)
    keep_unreadable(engine, kind, batch.unreadable)
    engine.execute("DROP TABLE raw_rows")
    engine.execute(f"CREATE OR REPLACE TABLE {kind} AS {verdict.admitted}")
    check = summarise(engine, batch, columns, unread, notes_of(engine, schema, columns, verdict))
    numerics = tuple(name for name, sql_type in batch.types.items() if sql_type == "NUMERIC TEXT")
    found = (n_read, verdict.alike, verdict.differing, batch.all_text, numerics)
    keep_kind(engine, kind, KindState(given, reading, check, *found))
    return check


def tells_all_again(schema: Schema, reading: Reading) -> bool:
    """Tell whether all rows that were read are kept as they were read: some change, or were converted.

    Parameters
    ----------
    schema : Schema
        Of the kind of record.
    reading : Reading
        How values are read.
    """
    converts = schema.kind == "transactions" and reading.rates is not None
    return bool(schema.known_later) or converts or not schema.instant


def keep_told(engine: DuckDBEngine, batch: Batch, reading: Reading) -> None:
    """Keep the rows that a later batch may judge again; of customers all, as they came.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``read_rows``, ``raw_rows`` and the quarantine.
    batch : Batch
        The rows.
    reading : Reading
        How values are read.
    """
    kind = batch.schema.kind
    if not batch.schema.instant:
        to_canonical = {given: name for name, given in batch.mapping.items()}
        names = [f"raw_rows.{quoted(name)} AS {quoted(to_canonical.get(name, name))}" for name in batch.names]
        query = f"SELECT {', '.join([ROW, *names, REASON])} FROM raw_rows JOIN read_rows USING ({ROW})"
    else:
        query = (
            f"SELECT read_rows.*, raw AS {RAW} FROM read_rows LEFT JOIN quarantine_{kind} AS aside "
            f"ON aside.row = {ROW} AND aside.reason = {REASON}"
        )
        if not tells_all_again(batch.schema, reading):
            query += f" WHERE {FIT} AND NOT ({KEPT})"
    engine.execute(f"CREATE OR REPLACE TABLE {told_table(kind)} AS {query}")


def keep_unreadable(engine: DuckDBEngine, kind: str, unreadable: Sequence[Unreadable]) -> None:
    """Add lines that are no rows to the quarantine.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds it.
    kind : str
        Kind of record.
    unreadable : sequence of Unreadable
        The lines.
    """
    if unreadable:
        engine.execute(
            f"INSERT INTO quarantine_{kind} SELECT unnest($lines), unnest($reasons), unnest($texts)",
            dict(zip(("lines", "reasons", "texts"), map(list, zip(*unreadable, strict=True)), strict=True)),
        )


def summarise(
    engine: DuckDBEngine,
    batch: Batch,
    columns: Sequence[Column],
    unread: Mapping[str, int],
    found: Sequence[str],
) -> TableCheck:
    """Say what the table and the quarantine of a kind hold.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds them.
    batch : Batch
        The source.
    columns : sequence of Column
        Those that were read.
    unread : Mapping[str, int]
        Of `count_unread`.
    found : sequence of str
        What is worth knowing.

    Raises
    ------
    DataError
        Where there are no rows, or none that can be used.
    """
    kind, described = batch.schema.kind, batch.described
    reasons = dict(
        engine.rows(f"SELECT reason, count(*) FROM quarantine_{kind} GROUP BY 1 ORDER BY 2 DESC, 1")
    )
    admitted = int(engine.rows(f"SELECT count(*) FROM {kind}")[0][0])
    total = admitted + sum(reasons.values())
    if total == 0:
        raise DataError(f"{described} has a header but no rows; at least one row is needed.")
    if admitted == 0:
        told = "; ".join(f"{reason} ({count:,})" for reason, count in list(reasons.items())[:3])
        raise DataError(
            f"{described}: none of its {one_or_many(total, 'row')} can be used: {told}.{_way_out(reasons)}"
        )
    words = answer_notes(engine, kind, unread)
    notes = [
        f"{one_or_many(count, f'value of {name}', plural=f'values of {name}')} could not be read and "
        f"{'is' if count == 1 else 'are'} empty.{words.get(name, '')}"
        for name, count in unread.items()
    ]
    notes += [*date_notes(engine, kind), *found]
    names = {column.name for column in columns}
    if left_out := sorted(set(batch.attributes) - names):
        notes.append(f"Left out, as no number, text, day or statement: {listed(left_out)}.")
    mapping = {name: name for name in batch.attributes if name in names}
    return TableCheck(
        kind, described, {**batch.mapping, **mapping}, total, admitted, reasons, tuple(notes), dict(unread)
    )


def _way_out(reasons: Mapping[str, int]) -> str:
    """Say what to do where a whole column could not be read."""
    told = " ".join(reasons)
    if "cannot be read as a date" in told:
        return " Say how dates are written with timestamp_format=, for example timestamp_format='%d/%m/%Y'."
    if "decimal sign" in told:
        return " Say how amounts are written with decimal=',' or decimal='.'."
    if "line is no row" in told:
        return " Say what separates the values with delimiter=, for example delimiter=';'."
    return ""
