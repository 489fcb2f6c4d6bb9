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
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from habitue.errors import DataError, SchemaError
from habitue.records.attributes import attribute_columns
from habitue.records.csv_repair import Unreadable
from habitue.records.currencies import ON_DAY_RATES, converted, look_up_rates
from habitue.records.duplicates import set_aside_duplicates
from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.money import refuse_currency_signs
from habitue.records.reading import (
    Reading,
    admitted_sql,
    read_name,
    reason_sql,
    said_nothing,
    sources_of,
    value_sql,
)
from habitue.records.remarks import remarks
from habitue.records.returns import match_returns
from habitue.records.schema import SCHEMAS, Column, Schema
from habitue.records.sources import Relation
from habitue.records.staging import KEPT, REASON, ROW

__all__ = ["Reading", "TableCheck", "admit"]

_LENIENT = {"money", "number", "flag"}
_STAGES = ("raw_rows", "read_rows", "returned", "day_rates")


@dataclass(frozen=True)
class TableCheck:
    """What the door found in one source.

    Attributes
    ----------
    kind : str
        Kind of record.
    source : str
        The source, as messages name it.
    mapping : Mapping[str, str]
        Canonical column to the source's column or expression.
    n_rows, n_admitted : int
        Rows read, rows admitted.
    quarantined : Mapping[str, int]
        Reason to number of rows set aside.
    notes : tuple of str
        What is worth knowing and was not a reason to set a row aside.
    unread : Mapping[str, int]
        Optional column to number of values, in rows admitted, that could not be read and were left empty.
    """

    kind: str
    source: str
    mapping: Mapping[str, str]
    n_rows: int
    n_admitted: int
    quarantined: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[str, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def n_quarantined(self) -> int:
        """Rows set aside, whatever the reason."""
        return sum(self.quarantined.values())


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
    schema = SCHEMAS[kind]
    types = relation.types(engine)
    mapping = _complete(schema, mapping, types, relation.described)
    used = {name for column, given in mapping.items() for name in sources_of(schema, column, given, types)}
    attributes = [] if schema.instant else [name for name in types if name not in used]
    names = [*sorted(used), *attributes]
    unreadable = relation.copy_rows(engine, names)
    try:
        columns = [column for column in schema.columns if column.name in mapping]
        extra = attribute_columns(
            engine,
            {name: types[name] for name in attributes},
            reading.decimal,
            all_text=relation.csv is not None,
        )
        mapping |= {column.name: column.name for column in extra}
        unread = _read_rows(engine, schema, columns, extra, mapping, types, reading)
        notes = _settle(engine, schema, [*columns, *extra], names, reading)
        _keep_unreadable(engine, kind, unreadable)
    finally:
        for table in _STAGES:
            engine.execute(f"DROP TABLE IF EXISTS {table}")
    left_out = set(attributes) - {column.name for column in extra}
    if left_out:
        notes = (*notes, f"Left out, as no number, text, day or statement: {_listed(sorted(left_out))}.")
    return _summarise(engine, schema, mapping, relation.described, unread, notes)


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
            f"{described}: missing {_listed(missing)}. The columns there are: {_listed(list(types))}. "
            f"Say which is which, for example customer_id={next(iter(types), 'id')!r}."
        )
    return full


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def _read_rows(
    engine: DuckDBEngine,
    schema: Schema,
    columns: Sequence[Column],
    extra: Sequence[Column],
    mapping: Mapping[str, str],
    types: Mapping[str, str],
    reading: Reading,
) -> dict[str, int]:
    """Make ``read_rows``: values, and what is wrong with a row; count optional values that cannot be read."""
    if reading.rates is None:
        refuse_currency_signs(engine, mapping.get("amount", ""), types, reading.decimal)
    every = [*columns, *extra]
    values = ", ".join(
        f"{value_sql(engine, column, mapping[column.name], types, reading)} AS {read_name(column)}"
        for column in every
    )
    empty = {
        column.name: said_nothing(sources_of(schema, column.name, mapping[column.name], types))
        for column in columns
    }
    selected = ", ".join(f"{admitted_sql(column)} AS {quoted(column.name)}" for column in every)
    reason = reason_sql(schema, columns, empty, reading)
    limits = {"observed_until": reading.observed_until, "not_after": reading.not_after}
    given = {name: day for name, day in limits.items() if day is not None and schema.instant}
    lenient = [column for column in columns if not column.required and column.kind in _LENIENT]
    flags = "".join(
        f", CASE WHEN {read_name(column)} IS NULL THEN NOT {empty[column.name]} ELSE false END "
        f"AS {_unread(column)}"
        for column in lenient
    )
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE read_rows AS SELECT {ROW}, {selected}{flags}, {reason} AS {REASON} "
        f"FROM (SELECT *, {values} FROM raw_rows)",
        given,
    )
    counts = [f"count(*) FILTER ({_unread(column)} AND {KEPT})" for column in lenient]
    found = engine.rows(f"SELECT {', '.join(counts)} FROM read_rows")[0] if counts else ()
    return {column.name: count for column, count in zip(lenient, found, strict=True) if count}


def _unread(column: Column) -> str:
    return quoted(f"unread: {column.name}")


def _settle(
    engine: DuckDBEngine, schema: Schema, columns: Sequence[Column], names: Sequence[str], reading: Reading
) -> tuple[str, ...]:
    """Judge rows by what other rows say, part them into table and quarantine, and tell what was found."""
    notes = list(set_aside_duplicates(engine, schema, columns))
    selected, joined = [f"read_rows.{quoted(column.name)}" for column in columns], ["read_rows"]
    if schema.kind == "transactions":
        if reading.rates is not None:
            notes += look_up_rates(engine, reading.rates, columns)
            selected = [converted(column, reading.rates.target) for column in columns]
            joined.append(f"LEFT JOIN day_rates ON {ON_DAY_RATES}")
        # Before amounts are converted: what was bought for 10 dollars is given back for 10 dollars.
        told = match_returns(engine, columns)
        if told:
            joined.append(f"LEFT JOIN returned ON returned.row = read_rows.{ROW}")
        selected.append("return_of_day" if told else "CAST(NULL AS DATE) AS return_of_day")
        notes += [told] if told else []
    _quarantine(engine, schema, names)
    engine.execute("DROP TABLE raw_rows")
    if schema.instant:
        selected.insert(0, f"CAST(read_rows.{quoted(schema.instant)} AS DATE) AS day")
    engine.execute(
        f"CREATE OR REPLACE TABLE {schema.kind} AS SELECT {', '.join(selected)} FROM {' '.join(joined)} "
        f"WHERE {KEPT}"
    )
    return (*remarks(engine, schema), *notes)


def _quarantine(engine: DuckDBEngine, schema: Schema, names: Sequence[str]) -> None:
    """Keep the rows that cannot be used as they came."""
    raw = ", ".join(f"{quoted(name)} := raw_rows.{quoted(name)}" for name in names)
    engine.execute(
        f"CREATE OR REPLACE TABLE quarantine_{schema.kind} AS SELECT {ROW} AS row, {REASON} AS reason, "
        f"CAST(to_json(struct_pack({raw})) AS VARCHAR) AS raw "
        f"FROM read_rows JOIN raw_rows USING ({ROW}) WHERE NOT ({KEPT}) ORDER BY row"
    )


def _keep_unreadable(engine: DuckDBEngine, kind: str, unreadable: Sequence[Unreadable]) -> None:
    if unreadable:
        engine.execute(
            f"INSERT INTO quarantine_{kind} SELECT unnest($lines), unnest($reasons), unnest($texts)",
            dict(zip(("lines", "reasons", "texts"), map(list, zip(*unreadable, strict=True)), strict=True)),
        )


def _summarise(
    engine: DuckDBEngine,
    schema: Schema,
    mapping: Mapping[str, str],
    described: str,
    unread: Mapping[str, int],
    found: Sequence[str],
) -> TableCheck:
    reasons = dict(
        engine.rows(f"SELECT reason, count(*) FROM quarantine_{schema.kind} GROUP BY 1 ORDER BY 2 DESC, 1")
    )
    admitted = int(engine.rows(f"SELECT count(*) FROM {schema.kind}")[0][0])
    total = admitted + sum(reasons.values())
    if total == 0:
        raise DataError(f"{described} has a header but no rows; at least one row is needed.")
    if admitted == 0:
        told = "; ".join(f"{reason} ({count:,})" for reason, count in list(reasons.items())[:3])
        raise DataError(f"{described}: none of its {total:,} rows can be used: {told}.{_way_out(reasons)}")
    notes = tuple(
        f"{count:,} values of {name} could not be read and are empty." for name, count in unread.items()
    )
    return TableCheck(
        schema.kind, described, dict(mapping), total, admitted, reasons, (*notes, *found), dict(unread)
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
