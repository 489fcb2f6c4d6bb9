"""Records on a Spark cluster, where one machine is outgrown.

`SparkEngine` runs the same statements as `DuckDBEngine`, translated by `habitue.records.dialects`;
`read_spark_log` admits tables of a cluster to a `CustomerLog` without moving them. Only what has one row a
customer comes back to this machine.

pyspark is needed for it and imported by nothing else: ``pip install 'habitue[spark]'``, or the cluster's own.
"""

# What an engine's methods do is told by `Engine`.
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlglot import exp

from habitue.errors import SchemaError, SettingsError
from habitue.records.customer_log import CustomerLog
from habitue.records.days import as_day
from habitue.records.dialects import translated
from habitue.records.engine import Engine
from habitue.records.reading import Reading
from habitue.records.schema import SCHEMAS
from habitue.records.spark_door import admit_spark_table, id_type

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession  # pyright: ignore[reportMissingImports]

__all__ = ["SparkEngine", "read_spark_log"]

_SETTINGS = {
    # Instants are made local before anything is computed; from there on no zone may matter.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    # Names and constants are quoted as standard Spark SQL reads them.
    "spark.sql.ansi.doubleQuotedIdentifiers": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.caseSensitive": "false",
}


class SparkEngine(Engine):
    """A Spark session of its own beside the one handed in: what is named here is not seen there.

    Values of statements are days and whole numbers. A statement that writes a file is refused with a
    SettingsError: on a cluster that is done with what `query` returns.

    Parameters
    ----------
    spark : SparkSession
        A session of the cluster; classic or Connect.
    """

    dialect = "spark"
    rows_at_once: int | None = None  # Spark cuts the work itself

    def __init__(self, spark: SparkSession) -> None:
        self.session: SparkSession = spark.newSession()
        for name, value in _SETTINGS.items():
            self.session.conf.set(name, value)

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> None:
        self.query(sql, values)

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> DataFrame:
        """Return a query as a frame of the cluster, not computed yet.

        Parameters
        ----------
        sql : str
            In DuckDB's dialect.
        values : Mapping[str, Any], optional
            What its ``$names`` stand for: days and whole numbers.

        Raises
        ------
        SettingsError
            Where it writes a file, which on a cluster is done with what this returns.
        """
        if sql.lstrip()[:5].upper() == "COPY ":
            raise SettingsError(
                "A log on Spark writes no files of this machine. Write what log.engine.query(...) returns, "
                "for example log.engine.query(log.quarantine_sql()).write.parquet(path)."
            )
        return self.session.sql(translated(sql, "spark", values or {}))

    def rows(self, sql: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.query(sql, values).collect()]

    def frame(self, sql: str, values: Mapping[str, Any] | None = None) -> pd.DataFrame:
        return _as_the_embedded_engine_returns(self.query(sql, values).toArrow()).to_pandas()

    def table_names(self) -> list[str]:
        return sorted(table.name for table in self.session.catalog.listTables() if table.isTemporary)

    def columns(self, relation: str) -> dict[str, str]:
        """Return names and SQL types of a relation's columns, in order; types by their names in DuckDB.

        Parameters
        ----------
        relation : str
            A name that is registered here.
        """
        return {name: _duckdb_type(spark_type) for name, spark_type in self.session.table(relation).dtypes}

    def digest(self, relation: str) -> tuple[Any, ...]:
        # As JSON each value has its name: hashes alone pass over what is missing, wherever it is.
        row = "XXHASH64(TO_JSON(STRUCT(*)))"
        found = (
            self.session.table(relation)
            .selectExpr(f"{row} AS row_hash")
            .selectExpr(
                "COUNT(*)",
                "COALESCE(SUM(CAST(row_hash % 4294967296 AS DECIMAL(20, 0))), 0)",
                "COALESCE(BIT_XOR(row_hash), 0)",
            )
        )
        return tuple(map(int, found.collect()[0]))

    def has(self, relation: str) -> bool:
        return self.session.catalog.tableExists(relation)

    def register(self, name: str, table: Any) -> None:
        """Make a table readable under a name.

        Parameters
        ----------
        name : str
            How SQL names it.
        table : str, Spark DataFrame, or pandas or Arrow table
            A table of the catalog, a frame of the session handed in, or something small to send there.
        """
        if isinstance(table, str):
            self.session.table(table).createOrReplaceTempView(name)
        elif hasattr(table, "createOrReplaceGlobalTempView"):
            # A frame of another session can be read here through a name that both know.
            passage = f"habitue_{uuid4().hex}"
            table.createOrReplaceGlobalTempView(passage)
            self.session.table(f"global_temp.{passage}").createOrReplaceTempView(name)
        else:
            self.session.createDataFrame(table).createOrReplaceTempView(name)

    def unregister(self, name: str) -> None:
        self.session.catalog.dropTempView(name)


def _duckdb_type(spark_type: str) -> str:
    """Return a type's name in DuckDB; what it has no name for stays as it is."""
    if spark_type == "string":
        return "VARCHAR"
    if spark_type.startswith(("array", "map", "struct", "interval", "void", "variant")):
        return spark_type
    return exp.DataType.build(spark_type, dialect="spark").sql("duckdb")


def _as_the_embedded_engine_returns(table: pa.Table) -> pa.Table:
    """Cast to the types that pandas frames have from DuckDB: decimals are doubles, days instants."""
    import pyarrow as pa

    def plain(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_decimal(kind):
            return pa.float64()
        return pa.timestamp("us") if pa.types.is_date(kind) else kind

    return table.cast(pa.schema([(field.name, plain(field.type)) for field in table.schema]))


def read_spark_log(
    spark: SparkSession,
    *,
    timezone: str | None = None,
    observed_until: date | str | None = None,
    **tables: Any,
) -> CustomerLog:
    """Read a log from tables of a Spark cluster, where they stay.

    Parameters
    ----------
    spark : SparkSession
        A session of the cluster.
    timezone : str, optional
        IANA zone whose days count; UTC where None. Instants without a zone are taken to be in it.
    observed_until : date or str, optional
        The last day on which the log is complete; the day of the last record where None.
    **tables : str or Spark DataFrame
        One per kind of record, with the canonical columns: ``transactions="sales.transactions"``.

    Returns
    -------
    CustomerLog
        Computed by Spark whenever it is asked; rows without a needed value are set aside.

    Raises
    ------
    SchemaError
        Where a needed column or kind of record is missing, or a column has another type than its values.
    DataError
        Where no row can be used, or customers have several rows each.

    Notes
    -----
    Types have to be right: instants TIMESTAMP, TIMESTAMP_NTZ or DATE, not text. Rows that repeat each other
    all stay, and returns are not matched to purchases; both would need everything in one place.
    """
    unknown = sorted(set(tables) - set(SCHEMAS))
    if unknown or not tables:
        told = f"There is no kind of record {', '.join(unknown)}" if unknown else "No table was named"
        raise SchemaError(f"{told}; kinds of record are {', '.join(SCHEMAS)}.")
    engine = SparkEngine(spark)
    until = as_day(observed_until, "observed_until") if observed_until is not None else None
    reading = Reading(timezone=timezone, observed_until=until)
    reading.check()
    for kind, table in tables.items():
        engine.register(f"raw_{kind}", table)
    ids = id_type([engine.session.table(f"raw_{kind}") for kind in tables])
    checks = {
        kind: admit_spark_table(engine.session, SCHEMAS[kind], reading, ids)
        for kind in SCHEMAS
        if kind in tables
    }
    # Of its engine a log asks only what both have.
    return CustomerLog.from_checked(engine, checks, until)  # pyright: ignore[reportArgumentType]
