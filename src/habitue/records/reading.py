"""How the values of a source are read: the settings, and the SQL that reads one canonical column.

Nothing runs here but the looks at ``raw_rows`` that ids and instants need; the door
(`habitue.records.door`) puts the pieces together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from habitue.errors import SettingsError
from habitue.records.currencies import Rates
from habitue.records.customer_ids import customer_id_sql
from habitue.records.engine import DuckDBEngine, literal, quoted
from habitue.records.instants import instant_sql, iso_sql
from habitue.records.money import columns_of, money_sql, number_sql
from habitue.records.schema import RECORDED_AT, Column, Schema
from habitue.records.yes_or_no import answer_sql

__all__ = [
    "AFTER_THE_END",
    "Reading",
    "admitted_sql",
    "read_name",
    "reason_sql",
    "said_nothing",
    "sources_of",
    "value_sql",
]

AFTER_THE_END: Final = "up to which the log is complete"
"""How the reason ends for which a row is set aside that is later than the user said that rows count."""

_FIRST, _LAST = "TIMESTAMP '1900-01-01'", "TIMESTAMP '2199-12-31 23:59:59.999999'"


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
    rates : Rates, optional
        What other currencies are worth in the one that amounts are converted to.
    """

    timestamp_format: str | None = None
    timezone: str | None = None
    decimal: str = "."
    observed_until: date | None = None
    not_after: date | None = None
    rates: Rates | None = None

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


def sources_of(schema: Schema, name: str, given: str, types: Mapping[str, str]) -> list[str]:
    """Return the columns of the source that a mapping reads: itself, or those of an arithmetic expression.

    Parameters
    ----------
    schema : Schema
        Of the kind of record.
    name, given : str
        Canonical column, and the source's column or expression.
    types : Mapping[str, str]
        SQL type of each column of the source.
    """
    is_money = any(column.name == name and column.kind == "money" for column in schema.columns)
    if given in types or not is_money:
        return [given]
    return columns_of(given)


def read_name(column: Column) -> str:
    """Return the name of a value once read, apart from all names that a source may have.

    Parameters
    ----------
    column : Column
        A canonical column.
    """
    return quoted(f"read: {column.name}")


def value_sql(
    engine: DuckDBEngine, column: Column, given: str, types: Mapping[str, str], reading: Reading
) -> str:
    """Return SQL that reads one canonical column from the source's; NULL where it cannot be read.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``raw_rows``.
    column : Column
        A canonical column.
    given : str
        The source's column or, for money, arithmetic.
    types : Mapping[str, str]
        SQL type of each column of the source.
    reading : Reading
        How values are to be read.
    """
    if column.kind == "money":
        return money_sql(given, types, reading.decimal)
    name, sql_type = quoted(given), types[given]
    if column.kind == "id":
        return customer_id_sql(engine, given, sql_type)
    if column.kind == "day" and sql_type == "VARCHAR":
        return f"CAST({iso_sql(f'trim({name})')} AS DATE)"
    if column.kind in {"instant", "day"}:
        zone, written = reading.timezone, reading.timestamp_format
        sql = instant_sql(engine, given, sql_type, column=column.name, timezone=zone, given=written)
        return sql if column.kind == "instant" else f"CAST({sql} AS DATE)"
    if column.kind == "number":
        number = number_sql(given, sql_type, reading.decimal, "DOUBLE")
        return f"(SELECT CASE WHEN isfinite(n) THEN n END FROM (SELECT {number} AS n))"
    if column.kind == "flag":
        return answer_sql(given, sql_type)
    return f"nullif(trim(CAST({name} AS VARCHAR)), '')"


def admitted_sql(column: Column) -> str:
    """Return SQL for a value once read as it is admitted: a far end of something is no end.

    Parameters
    ----------
    column : Column
        A canonical column.
    """
    if column.kind == "instant" and not column.required and column.name != RECORDED_AT:
        return f"CASE WHEN {read_name(column)} <= {_LAST} THEN {read_name(column)} END"
    return read_name(column)


def said_nothing(sources: Sequence[str]) -> str:
    """Return SQL that tells whether there was nothing to read.

    Parameters
    ----------
    sources : sequence of str
        The source's columns that a value is read from.
    """
    told = " OR ".join(f"coalesce(trim(CAST({quoted(source)} AS VARCHAR)), '') = ''" for source in sources)
    return f"({told})"


def reason_sql(schema: Schema, columns: Sequence[Column], empty: Mapping[str, str], reading: Reading) -> str:
    """Return SQL that names the first thing wrong with a row; NULL where nothing is.

    Parameters
    ----------
    schema : Schema
        Of the kind of record.
    columns : sequence of Column
        Those that the source has.
    empty : Mapping[str, str]
        Canonical column to SQL that tells whether there was nothing to read.
    reading : Reading
        How values are to be read.
    """
    cases = [case for column in columns for case in _cases(column, empty[column.name], reading)]
    there = {column.name: f"CAST({read_name(column)} AS DATE)" for column in columns}
    for name, first in schema.not_before.items():
        if {name, first} <= there.keys():
            cases.append(f"WHEN {there[name]} < {there[first]} THEN {literal(f'{name} is before {first}')}")
    if schema.instant and reading.not_after is not None:
        future = literal(f"{schema.instant} is in the future (after {reading.not_after})")
        cases.append(f"WHEN {there[schema.instant]} > $not_after THEN {future}")
    if schema.instant and reading.observed_until is not None:
        late = literal(f"{schema.instant} is after {reading.observed_until}, {AFTER_THE_END}")
        cases.append(f"WHEN {there[schema.instant]} > $observed_until THEN {late}")
    return f"CASE {' '.join(cases)} END"


def _cases(column: Column, empty: str, reading: Reading) -> list[str]:
    """List what may be wrong with one column's value."""
    value, name = read_name(column), column.name
    cannot = literal(
        {
            "id": f"{name} is missing",
            "money": f"{name} is no number below 1e12 with the decimal sign {reading.decimal!r}",
            "number": f"{name} is no finite number with the decimal sign {reading.decimal!r}",
            "instant": f"{name} cannot be read as a date",
        }.get(column.kind, f"{name} cannot be read")
    )
    outside = literal(f"{name} is not a day from 1900 to 2199")
    beyond = f"WHEN {value} < {_FIRST} OR {value} > {_LAST} THEN {outside}"
    if column.required:
        missing = literal(f"{name} is missing")
        cases = [f"WHEN {value} IS NULL THEN CASE WHEN {empty} THEN {missing} ELSE {cannot} END"]
        return [*cases, beyond] if column.kind == "instant" else cases
    if column.kind != "instant":
        return []
    early = f"WHEN {value} < {_FIRST} THEN {literal(f'{name} is a day before 1900')}"
    return [
        f"WHEN CASE WHEN {value} IS NULL THEN NOT {empty} ELSE false END THEN {cannot}",
        # Recorded in the year 9999 would mean known at once if it were taken for none.
        beyond if name == RECORDED_AT else early,
    ]
