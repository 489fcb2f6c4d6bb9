"""Rows of a source, copied as they came and read value by value; no row is compared with another here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from habitue.errors import SchemaError
from habitue.records.attributes import attribute_columns
from habitue.records.csv_repair import Unreadable
from habitue.records.currency_signs import refuse_currency_signs
from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.reading import (
    Reading,
    admitted_sql,
    read_name,
    reason_sql,
    said_nothing,
    sources_of,
    value_sql,
)
from habitue.records.schema import SCHEMAS, Column, Schema
from habitue.records.sources import Relation
from habitue.records.staging import FIT, KEPT, RAW_KEY, REASON, ROW
from habitue.records.unread_answers import look_at_answers

__all__ = ["Batch", "copy_batch", "count_unread", "late_sql", "limits", "listed", "read_batch"]

_LENIENT = {"money", "number", "flag"}
_UNFIT = '"row: unfit"'


@dataclass(frozen=True)
class Batch:
    """Rows of a source as they came, in ``raw_rows``.

    Attributes
    ----------
    schema : Schema
        Of the kind of record.
    described : str
        The source, as messages name it.
    types : Mapping[str, str]
        SQL type of each of its columns.
    mapping : Mapping[str, str]
        Canonical column to column, or arithmetic on columns, of the source; those that it has.
    all_text : bool
        Whether everything came as text.
    unreadable : tuple of Unreadable
        Lines that are no rows.
    """

    schema: Schema
    described: str
    types: Mapping[str, str]
    mapping: Mapping[str, str]
    all_text: bool = False
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def used(self) -> list[str]:
        """Columns of the source that canonical ones are read from."""
        sources = (sources_of(self.schema, name, given, self.types) for name, given in self.mapping.items())
        return sorted({name for names in sources for name in names})

    @property
    def attributes(self) -> list[str]:
        """Columns of customers that have no other meaning."""
        return [] if self.schema.instant else [name for name in self.types if name not in self.used]

    @property
    def names(self) -> list[str]:
        """Columns of ``raw_rows``."""
        return [*self.used, *self.attributes]


def copy_batch(engine: DuckDBEngine, kind: str, relation: Relation, mapping: Mapping[str, str]) -> Batch:
    """Copy a source to ``raw_rows``.

    Parameters
    ----------
    engine : DuckDBEngine
        Where to.
    kind : str
        Kind of record.
    relation : Relation
        The source.
    mapping : Mapping[str, str]
        As in `admit`.

    Raises
    ------
    SchemaError
        Where a needed column is missing.
    """
    schema, types = SCHEMAS[kind], relation.types(engine)
    full = _complete(schema, mapping, types, relation.described)
    batch = Batch(schema, relation.described, types, full, all_text=relation.csv is not None)
    return replace(batch, unreadable=tuple(relation.copy_rows(engine, batch.names)))


def _complete(
    schema: Schema, mapping: Mapping[str, str], types: Mapping[str, str], described: str
) -> dict[str, str]:
    """Check the mapping against the source's columns and add the canonical names that it has."""
    known = {column.name for column in schema.columns}
    full = {name: name for name in schema.required} | {
        name: name for name in schema.optional if name in types
    }
    full |= {name: given for name, given in mapping.items() if name in known}
    missing = [
        given if given == name else f"{given} (for {name})"
        for name, given in full.items()
        if not set(sources_of(schema, name, given, types)) <= set(types) or not given
    ]
    if missing:
        raise SchemaError(
            f"{described}: missing {listed(missing)}. The columns there are: {listed(list(types))}. "
            f"Say which is which, for example customer_id={next(iter(types), 'id')!r}."
        )
    return full


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them.

    Parameters
    ----------
    names : sequence of str
        Columns.
    """
    return ", ".join(names) if names else "none"


def read_batch(engine: DuckDBEngine, batch: Batch, reading: Reading) -> list[Column]:
    """Make ``read_rows`` of ``raw_rows``: values, and what is wrong with a row; return its columns.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``raw_rows``.
    batch : Batch
        The rows.
    reading : Reading
        How values are to be read.

    Raises
    ------
    SchemaError
        Where a date could be read in two ways.
    DataError
        Where amounts come with several currencies.
    """
    schema, mapping, types = batch.schema, batch.mapping, batch.types
    if reading.rates is None and "amount" in mapping:
        refuse_currency_signs(engine, "amount", mapping["amount"], types, reading.decimal)
    columns = [column for column in schema.columns if column.name in mapping]
    open_types = {name: types[name] for name in batch.attributes}
    extra = attribute_columns(engine, open_types, reading.decimal, all_text=batch.all_text)
    every = [*columns, *extra]
    values = ", ".join(
        f"{value_sql(engine, column, mapping.get(column.name, column.name), types, reading)} "
        f"AS {read_name(column)}"
        for column in every
    )
    empty = {
        column.name: said_nothing(sources_of(schema, column.name, mapping[column.name], types))
        for column in columns
    }
    flags = [
        f"CASE WHEN {read_name(column)} IS NULL THEN NOT {empty[column.name]} ELSE false END "
        f"AS {_unread(column)}"
        for column in columns
        if _is_lenient(column)
    ]
    selected = [ROW, *(f"{admitted_sql(column)} AS {quoted(column.name)}" for column in every), *flags]
    if schema.known_later:
        selected.append(f"{_raw_key(batch)} AS {RAW_KEY}")
    unfit, late = reason_sql(schema, columns, empty, _without_limits(reading)), late_sql(schema, reading)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE read_rows AS SELECT {', '.join(selected)}, "
        f"coalesce({_UNFIT}, {late}) AS {REASON}, {_UNFIT} IS NULL AS {FIT} "
        f"FROM (SELECT *, {unfit} AS {_UNFIT} FROM (SELECT *, {values} FROM raw_rows))",
        limits(schema, reading),
    )
    for column in columns:
        if column.kind == "flag":
            look_at_answers(engine, column.name, mapping[column.name], types[mapping[column.name]])
    return every


def _without_limits(reading: Reading) -> Reading:
    return replace(reading, observed_until=None, not_after=None)


def _raw_key(batch: Batch) -> str:
    """Return SQL for a hash of what a record that changes says from the first."""
    later = batch.schema.known_later
    changing = {batch.mapping[name] for name in later if name in batch.mapping}
    first = [f"CAST({quoted(name)} AS VARCHAR)" for name in batch.used if name not in changing]
    return f"hash({', '.join(first)})"


def late_sql(schema: Schema, reading: Reading) -> str:
    """Return SQL that says of a row that was read why its day is too late; NULL where it is not.

    Parameters
    ----------
    schema : Schema
        Of the kind of record.
    reading : Reading
        Has the last days, to which names in the SQL are to be bound (`limits`).
    """
    if not limits(schema, reading):
        return "CAST(NULL AS VARCHAR)"
    instant = [column for column in schema.columns if column.name == schema.instant]
    return reason_sql(schema, instant, {schema.instant: "false"}, reading)


def limits(schema: Schema, reading: Reading) -> dict[str, date]:
    """Return the last days by the names that they have in SQL.

    Parameters
    ----------
    schema : Schema
        Of the kind of record; customers have no day.
    reading : Reading
        Has them.
    """
    days = {"observed_until": reading.observed_until, "not_after": reading.not_after}
    return {name: day for name, day in days.items() if day is not None and schema.instant}


def count_unread(engine: DuckDBEngine, columns: Sequence[Column], rows: str = "read_rows") -> dict[str, int]:
    """Count the optional values that could not be read, in rows that can be used.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the rows.
    columns : sequence of Column
        Canonical columns.
    rows : str
        A table like ``read_rows``.
    """
    there = engine.columns(rows)
    lenient = [column for column in columns if _unread(column)[1:-1] in there]
    if not lenient:
        return {}
    counts = ", ".join(f"count(*) FILTER ({_unread(column)} AND {KEPT})" for column in lenient)
    found = engine.rows(f"SELECT {counts} FROM {rows}")[0]
    return {column.name: count for column, count in zip(lenient, found, strict=True) if count}


def _is_lenient(column: Column) -> bool:
    return not column.required and column.kind in _LENIENT


def _unread(column: Column) -> str:
    return quoted(f"unread: {column.name}")
