"""The door: every row of a source is admitted, or set aside with the reason.

A source's columns are mapped onto the canonical ones, values are read as what they must be, and what cannot
be read is quarantined with its row number and reason. Nothing is dropped in silence, nothing is guessed where
two readings are possible: then the way out is a sentence.

Notes
-----
- customer_id: see `habitue.records.customer_ids`.
- instants become days in one stated time zone (`habitue.records.instants`), from 1900 to 2199: days outside
  are how systems write "unknown". In an optional instant (when a contract ended) a later one means "not yet".
- money is exact, DECIMAL(18, 6); see `habitue.records.money`.
- An optional number or flag that cannot be read is left empty and counted; the row stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records.customer_ids import customer_id_sql
from habitue.records.engine import DuckDBEngine, literal, quoted
from habitue.records.instants import instant_sql
from habitue.records.money import columns_of, money_sql, number_sql, refuse_currency_signs
from habitue.records.schema import SCHEMAS, Column, Schema
from habitue.records.sources import Relation

__all__ = ["Reading", "TableCheck", "admit"]

_FIRST, _LAST = "TIMESTAMP '1900-01-01'", "TIMESTAMP '2199-12-31 23:59:59.999999'"
_LENIENT = {"money", "number", "flag"}


@dataclass(frozen=True)
class Reading:
    """How values of a source are to be read.

    Attributes
    ----------
    timestamp_format : str, optional
        ``strptime`` format of the instants, such as ``"%d/%m/%Y"``; found by looking where None.
    timezone : str, optional
        IANA name of the zone whose days count, such as ``"Europe/Paris"``.
    decimal : str
        ``"."`` or ``","``.
    observed_until : date, optional
        The last day on which the source is complete; later rows are quarantined.
    not_after : date, optional
        Today, where it is known; later rows are typing errors: quarantined, they do not move the end.
    """

    timestamp_format: str | None = None
    timezone: str | None = None
    decimal: str = "."
    observed_until: date | None = None
    not_after: date | None = None

    def check(self) -> None:
        """Refuse impossible settings.

        Raises
        ------
        SettingsError
            Where the zone does not exist or the decimal sign is neither of the two.
        """
        if self.decimal not in {".", ","}:
            raise SettingsError(f"decimal must be '.' or ','; got {self.decimal!r}.")
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise SettingsError(
                    f"timezone {self.timezone!r} is unknown; give an IANA name such as "
                    "'Europe/Paris' or 'UTC'."
                ) from error


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
    used = sorted(
        {name for column, given in mapping.items() for name in _sources_of(schema, column, given, types)}
    )
    unreadable = relation.copy_rows(engine, used)
    try:
        unread = _stage(engine, schema, mapping, reading, {name: types[name] for name in used})
    finally:
        engine.execute("DROP TABLE IF EXISTS raw_rows")
    if unreadable:
        engine.execute(
            f"INSERT INTO quarantine_{kind} SELECT unnest($lines), unnest($reasons), unnest($texts)",
            dict(zip(("lines", "reasons", "texts"), map(list, zip(*unreadable, strict=True)), strict=True)),
        )
    return _summarise(engine, schema, mapping, relation.described, unread)


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
        if not set(_sources_of(schema, name, given, types)) <= set(types) or not given
    ]
    if missing:
        raise SchemaError(
            f"{described}: missing {_listed(missing)}. The columns there are: {_listed(list(types))}. "
            f"Say which is which, for example customer_id={next(iter(types), 'id')!r}."
        )
    return full


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def _sources_of(schema: Schema, name: str, given: str, types: Mapping[str, str]) -> list[str]:
    """Columns of the source that a mapping reads: itself, or those of an arithmetic expression."""
    is_money = any(column.name == name and column.kind == "money" for column in schema.columns)
    if given in types or not is_money:
        return [given]
    return columns_of(given)


def _stage(
    engine: DuckDBEngine,
    schema: Schema,
    mapping: Mapping[str, str],
    reading: Reading,
    types: Mapping[str, str],
) -> dict[str, int]:
    """Part the rows that can be used from those that cannot; count optional values that could not be read."""
    columns = [column for column in schema.columns if column.name in mapping]
    refuse_currency_signs(engine, mapping.get("amount", ""), types, reading.decimal)
    values = ", ".join(
        f"{_value_sql(engine, column, mapping[column.name], types, reading)} AS {_read(column)}"
        for column in columns
    )
    empty = {
        column.name: _empty(_sources_of(schema, column.name, mapping[column.name], types))
        for column in columns
    }
    selected = ", ".join(f"{_bounded(column)} AS {quoted(column.name)}" for column in columns)
    lenient = [column for column in columns if not column.required and column.kind in _LENIENT]
    flags = "".join(
        f", CASE WHEN {_read(column)} IS NULL THEN NOT {empty[column.name]} ELSE false END "
        f"AS {quoted('unread ' + column.name)}"
        for column in lenient
    )
    limits = {"observed_until": reading.observed_until, "not_after": reading.not_after}
    limit = {name: day for name, day in limits.items() if day is not None and schema.instant}
    engine.execute(
        f"CREATE OR REPLACE TABLE read_rows AS SELECT raw_row, {selected}{flags}, "
        f"{_reason_sql(schema, columns, empty, reading)} AS reason FROM (SELECT *, {values} FROM raw_rows)",
        limit,
    )
    _part(engine, schema, columns, list(types))
    counts = [f"count(*) FILTER ({quoted('unread ' + column.name)} AND reason IS NULL)" for column in lenient]
    found = engine.rows(f"SELECT {', '.join(counts)} FROM read_rows")[0] if counts else ()
    engine.execute("DROP TABLE read_rows")
    return {column.name: count for column, count in zip(lenient, found, strict=True) if count}


def _part(engine: DuckDBEngine, schema: Schema, columns: list[Column], sources: list[str]) -> None:
    """Make the table of the kind and its quarantine from the rows read."""
    raw = ", ".join(f"{quoted(name)} := raw_rows.{quoted(name)}" for name in sources)
    engine.execute(
        f"CREATE OR REPLACE TABLE quarantine_{schema.kind} AS SELECT raw_row AS row, reason, "
        f"CAST(to_json(struct_pack({raw})) AS VARCHAR) AS raw "
        "FROM read_rows JOIN raw_rows USING (raw_row) WHERE reason IS NOT NULL ORDER BY raw_row"
    )
    engine.execute("DROP TABLE raw_rows")
    day = f"CAST({quoted(schema.instant)} AS DATE) AS day, " if schema.instant else ""
    names = ", ".join(quoted(column.name) for column in columns)
    engine.execute(
        f"CREATE OR REPLACE TABLE {schema.kind} AS SELECT {day}{names} FROM read_rows WHERE reason IS NULL"
    )


def _read(column: Column) -> str:
    """Name of a value once read, apart from all names that a source may have."""
    return quoted(f"read: {column.name}")


def _bounded(column: Column) -> str:
    if column.kind == "instant" and not column.required:
        return f"CASE WHEN {_read(column)} <= {_LAST} THEN {_read(column)} END"
    return _read(column)


def _empty(sources: list[str]) -> str:
    """Tell whether there was nothing to read."""
    told = " OR ".join(f"coalesce(trim(CAST({quoted(source)} AS VARCHAR)), '') = ''" for source in sources)
    return f"({told})"


def _reason_sql(schema: Schema, columns: list[Column], empty: Mapping[str, str], reading: Reading) -> str:
    """Name the first thing wrong with a row; NULL where nothing is."""
    cases = [case for column in columns for case in _cases(column, empty[column.name], reading)]
    if schema.instant and reading.not_after is not None:
        future = literal(f"{schema.instant} is in the future (after {reading.not_after})")
        cases.append(f"WHEN CAST({quoted('read: ' + schema.instant)} AS DATE) > $not_after THEN {future}")
    if schema.instant and reading.observed_until is not None:
        late = literal(f"{schema.instant} is after {reading.observed_until}, up to which the log is complete")
        cases.append(f"WHEN CAST({quoted('read: ' + schema.instant)} AS DATE) > $observed_until THEN {late}")
    return f"CASE {' '.join(cases)} END"


def _cases(column: Column, empty: str, reading: Reading) -> list[str]:
    """List what may be wrong with one column's value."""
    value, name = _read(column), column.name
    cannot = literal(
        {
            "id": f"{name} is missing",
            "money": f"{name} is no number below 1e12 with the decimal sign {reading.decimal!r}",
            "number": f"{name} is no finite number with the decimal sign {reading.decimal!r}",
            "instant": f"{name} cannot be read as a date",
        }.get(column.kind, f"{name} cannot be read")
    )
    missing = literal(f"{name} is missing")
    if column.required:
        cases = [f"WHEN {value} IS NULL THEN CASE WHEN {empty} THEN {missing} ELSE {cannot} END"]
        if column.kind == "instant":
            outside = literal(f"{name} is not a day from 1900 to 2199")
            cases.append(f"WHEN {value} < {_FIRST} OR {value} > {_LAST} THEN {outside}")
        return cases
    if column.kind == "instant":
        early = literal(f"{name} is a day before 1900")
        return [
            f"WHEN CASE WHEN {value} IS NULL THEN NOT {empty} ELSE false END THEN {cannot}",
            f"WHEN {value} < {_FIRST} THEN {early}",
        ]
    return []


def _value_sql(
    engine: DuckDBEngine, column: Column, given: str, types: Mapping[str, str], reading: Reading
) -> str:
    """Read one canonical column from the source's columns."""
    if column.kind == "money":
        return money_sql(given, types, reading.decimal)
    name, sql_type = quoted(given), types[given]
    if column.kind == "id":
        return customer_id_sql(engine, given, sql_type)
    if column.kind == "instant":
        return instant_sql(
            engine,
            given,
            sql_type,
            column=column.name,
            timezone=reading.timezone,
            given=reading.timestamp_format,
        )
    if column.kind == "number":
        number = number_sql(given, sql_type, reading.decimal, "DOUBLE")
        return f"(SELECT CASE WHEN isfinite(n) THEN n END FROM (SELECT {number} AS n))"
    if column.kind == "flag":
        return f"TRY_CAST({name} AS BOOLEAN)"
    return f"nullif(trim(CAST({name} AS VARCHAR)), '')"


def _summarise(
    engine: DuckDBEngine,
    schema: Schema,
    mapping: Mapping[str, str],
    described: str,
    unread: Mapping[str, int],
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
    if schema.kind == "transactions":
        notes += _notes(engine)
    return TableCheck(schema.kind, described, dict(mapping), total, admitted, reasons, notes, dict(unread))


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


def _notes(engine: DuckDBEngine) -> tuple[str, ...]:
    """Tell what was kept and might surprise."""
    zero, negative, returns_only = engine.rows(
        "SELECT (SELECT count(*) FROM transactions WHERE amount = 0), "
        "(SELECT count(*) FROM transactions WHERE amount < 0), "
        "(SELECT count(*) FROM (SELECT 1 FROM transactions GROUP BY customer_id HAVING max(amount) < 0))"
    )[0]
    notes: list[str] = []
    if zero:
        notes.append(f"{zero:,} rows have the amount 0: kept, they are visits.")
    if negative:
        notes.append(f"{negative:,} rows have a negative amount: kept as returns.")
    if returns_only:
        notes.append(f"{returns_only:,} customers have returns only and no purchase: they are not scored.")
    return tuple(notes)
