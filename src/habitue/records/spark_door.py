"""The door for tables of a Spark cluster: rows are admitted or set aside where they are, as they are read.

Less than `habitue.records.door` does for files: the tables of a cluster have types, so nothing is guessed,
and rows are not compared with each other, which would move all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from habitue.errors import DataError, SchemaError
from habitue.records.door import TableCheck
from habitue.records.engine import literal
from habitue.records.reading import Reading
from habitue.records.schema import RECORDED_AT, Column, Schema
from habitue.records.yes_or_no import word_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession  # pyright: ignore[reportMissingImports]

__all__ = ["admit_spark_table", "id_type"]

_WHOLE = {"tinyint", "smallint", "int", "bigint"}
_NUMBERS = {*_WHOLE, "float", "double"}
_INSTANTS = {"timestamp", "timestamp_ntz", "date"}
_FIRST, _LAST = "TIMESTAMP_NTZ '1900-01-01'", "TIMESTAMP_NTZ '2199-12-31 23:59:59.999999'"


def id_type(tables: Sequence[DataFrame]) -> str:
    """Return the type of customer ids in all tables: whole numbers where all are, text otherwise.

    Parameters
    ----------
    tables : sequence of Spark DataFrame
        As they came.

    Raises
    ------
    SchemaError
        Where ids are numbers with a fraction, which have no one way to be written.
    """
    types = {dict(table.dtypes).get("customer_id", "bigint") for table in tables}
    odd = sorted(types - _WHOLE - {"string"})
    if odd:
        raise SchemaError(f"customer_id is of type {', '.join(odd)}; cast it to BIGINT or STRING first.")
    return "BIGINT" if types <= _WHOLE else "STRING"


def admit_spark_table(spark: SparkSession, schema: Schema, reading: Reading, ids: str) -> TableCheck:
    """Make the views of the rows that can be used, and of those that cannot, from the view ``raw_<kind>``.

    Parameters
    ----------
    spark : SparkSession
        Holds the views.
    schema : Schema
        Of the kind of record.
    reading : Reading
        Whose days count, and up to which the log is complete.
    ids : str
        Type of customer ids.

    Raises
    ------
    SchemaError
        Where a needed column is missing, or a column has another type than its values.
    DataError
        Where no row can be used, or customers have several rows each.
    """
    kind = schema.kind
    raw = spark.table(f"raw_{kind}")
    types = dict(raw.dtypes)
    columns = _columns_there(schema, types)
    values = {column.name: _value(column, types[column.name], reading, ids) for column in columns}
    if not schema.instant:
        values |= {
            name: sql for name in types if name not in values and (sql := _attribute(name, types[name]))
        }
    # Read first, judged next, and only then relieved of what "not yet" may mean.
    read = raw.selectExpr(
        "TO_JSON(STRUCT(*)) AS raw", *(f"{sql} AS `{name}`" for name, sql in values.items())
    )
    judged = read.selectExpr("*", f"{_reason(schema, columns, types, reading)} AS reason")
    kept = judged.filter("reason IS NULL").selectExpr(*_admitted(schema, columns, list(values)))
    kept.createOrReplaceTempView(kind)
    aside = judged.filter("reason IS NOT NULL").selectExpr("CAST(NULL AS BIGINT) AS row", "reason", "raw")
    aside.createOrReplaceTempView(f"quarantine_{kind}")
    if not schema.instant:
        _refuse_several_rows(kept)
    return _summarise(kind, judged, {name: name for name in values})


def _columns_there(schema: Schema, types: Mapping[str, str]) -> list[Column]:
    """Return the schema's columns that a table has; refuse types that would have to be guessed at."""
    missing = [name for name in schema.required if name not in types]
    if missing:
        raise SchemaError(
            f"The table of {schema.kind} lacks {', '.join(missing)}. The columns there are: "
            f"{', '.join(types)}."
        )
    columns = [column for column in schema.columns if column.name in types]
    odd = [
        column.name for column in columns if column.kind == "instant" and types[column.name] not in _INSTANTS
    ]
    if odd:
        told = ", ".join(f"{name} ({types[name]})" for name in odd)
        raise SchemaError(f"In the table of {schema.kind} cast to TIMESTAMP or DATE first: {told}.")
    return columns


def _value(column: Column, sql_type: str, reading: Reading, ids: str) -> str:
    """Return Spark SQL that reads a column; NULL where it cannot be read."""
    name = f"`{column.name}`"
    if column.kind == "id":
        return f"NULLIF(TRIM(CAST({name} AS STRING)), '')" if ids == "STRING" else f"CAST({name} AS BIGINT)"
    if column.kind == "instant":
        local = f"CAST({name} AS TIMESTAMP_NTZ)"
        if sql_type != "timestamp":
            return local
        # The session's zone is UTC, so that an instant with a zone becomes what clocks show there.
        return f"CONVERT_TIMEZONE('UTC', {literal(reading.timezone or 'UTC')}, {local})"
    if column.kind == "text":
        return f"NULLIF(TRIM(CAST({name} AS STRING)), '')"
    if column.kind == "number":
        number = f"TRY_CAST({name} AS DOUBLE)"
        return f"CASE WHEN ABS({number}) < DOUBLE('Infinity') THEN {number} END"
    if column.kind == "flag" and sql_type == "string":
        return word_sql(f"LOWER(TRIM({name}))")
    if column.kind == "flag" and sql_type != "boolean":
        return f"CASE WHEN {name} = 1 THEN TRUE WHEN {name} = 0 THEN FALSE END"
    return name if column.kind == "flag" else f"TRY_CAST({name} AS DECIMAL(18, 6))"


def _attribute(name: str, sql_type: str) -> str:
    """Return Spark SQL for an attribute of customers; empty where it is nothing that a feature can read."""
    if sql_type in _NUMBERS or sql_type.startswith("decimal"):
        return f"CAST(`{name}` AS DOUBLE)"
    if sql_type == "string":
        return f"NULLIF(TRIM(`{name}`), '')"
    return f"`{name}`" if sql_type == "boolean" else ""


def _reason(schema: Schema, columns: Sequence[Column], types: Mapping[str, str], reading: Reading) -> str:
    """Return Spark SQL that names the first thing wrong with a row; NULL where nothing is."""
    cases = [f"WHEN `{name}` IS NULL THEN '{name} is missing or cannot be read'" for name in schema.required]
    for column in columns:
        if column.kind != "instant":
            continue
        name = column.name
        cases.append(f"WHEN `{name}` < {_FIRST} THEN '{name} is a day before 1900'")
        if column.required or name == RECORDED_AT:
            cases.append(f"WHEN `{name}` > {_LAST} THEN '{name} is a day after 2199'")
    for name, first in schema.not_before.items():
        if name in types:
            cases.append(
                f"WHEN CAST(`{name}` AS DATE) < CAST(`{first}` AS DATE) THEN '{name} is before {first}'"
            )
    if schema.instant and reading.observed_until is not None:
        cases.append(
            f"WHEN CAST(`{schema.instant}` AS DATE) > DATE '{reading.observed_until}' THEN '{schema.instant} "
            f"is after {reading.observed_until}, up to which the log is complete'"
        )
    return f"CASE {' '.join(cases)} END"


def _admitted(schema: Schema, columns: Sequence[Column], names: Sequence[str]) -> list[str]:
    """Return what a row becomes: its day first, and a far end of something is no end."""
    open_ended = {
        column.name
        for column in columns
        if column.kind == "instant" and not column.required and column.name != RECORDED_AT
    }
    selected = [
        f"CASE WHEN `{name}` <= {_LAST} THEN `{name}` END AS `{name}`" if name in open_ended else f"`{name}`"
        for name in names
    ]
    selected += [f"CAST(NULL AS {sql_type}) AS `{name}`" for name, sql_type in schema.derived.items()]
    return [f"CAST(`{schema.instant}` AS DATE) AS day", *selected] if schema.instant else selected


def _refuse_several_rows(customers: DataFrame) -> None:
    about = [name for name in ("customer_id", RECORDED_AT) if name in customers.columns]
    if customers.groupBy(*about).count().filter("count > 1").limit(1).collect():
        raise DataError(
            f"Some customers have several rows of one {' and '.join(about)} in the table of customers: which "
            "one counts nobody can tell. Leave one of each."
        )


def _summarise(kind: str, judged: DataFrame, mapping: Mapping[str, str]) -> TableCheck:
    counted = {row["reason"]: int(row["count"]) for row in judged.groupBy("reason").count().collect()}
    admitted = counted.pop(None, 0)
    reasons = dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))
    if admitted == 0:
        told = "; ".join(f"{reason} ({count:,})" for reason, count in reasons.items()) or "it is empty"
        raise DataError(f"The table of {kind}: none of its rows can be used: {told}.")
    total = admitted + sum(reasons.values())
    return TableCheck(kind, f"Spark table of {kind}", dict(mapping), total, admitted, reasons)
