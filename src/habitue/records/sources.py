"""From what the user has (a path, a URL, a frame) to a relation that the door can read.

Nothing is checked here beyond what is needed to read at all: the door (`habitue.records.door`) does that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from habitue.errors import DataError, SettingsError
from habitue.records.csv_files import OPENERS, CsvFile, sniff_csv
from habitue.records.csv_repair import Unreadable
from habitue.records.engine import DuckDBEngine, literal, quoted
from habitue.records.frames import to_arrow
from habitue.records.staging import ROW
from habitue.vocabulary import one_or_many

__all__ = ["Relation", "open_source"]

_POSTGRES = ("postgresql://", "postgres://")
_DUCKDB_SUFFIXES = {".duckdb", ".ddb"}
_CSV_SUFFIXES = {".csv", ".tsv", ".txt"}


@dataclass
class Relation:
    """A readable relation inside an engine, and what has to be let go afterwards.

    Attributes
    ----------
    sql : str
        What may stand after FROM.
    described : str
        The source, as messages name it; never holds a password.
    release : callable
        Lets the source go once its rows were copied.
    csv : CsvFile, optional
        The file behind it, where it is a CSV file: lines may turn out to be no rows.
    numerics : frozenset of str
        Columns whose exact numbers came as text with a decimal point (Postgres NUMERIC).
    """

    sql: str
    described: str
    release: Callable[[], None] = lambda: None
    csv: CsvFile | None = None
    numerics: frozenset[str] = frozenset()

    def types(self, engine: DuckDBEngine) -> dict[str, str]:
        """Return the SQL type of each column: categories are text, ``NUMERIC TEXT`` is numbers as text.

        Parameters
        ----------
        engine : DuckDBEngine
            Where it can be read.
        """
        found = engine.columns(self.sql)
        plain = {name: "VARCHAR" if kind.startswith("ENUM") else kind for name, kind in found.items()}
        return plain | dict.fromkeys(self.numerics & plain.keys(), "NUMERIC TEXT")

    def sample(self, engine: DuckDBEngine, n_rows: int = 2000) -> dict[str, list[Any]]:
        """Return the first values of each column, missing ones left out.

        Parameters
        ----------
        engine : DuckDBEngine
            Where it can be read.
        n_rows : int
            At most so many.
        """
        if self.csv is not None:
            return dict(self.csv.sample(n_rows))
        names = list(self.types(engine))
        selected = ", ".join(quoted(name) for name in names)
        rows = engine.rows(f"SELECT {selected} FROM {self.sql} LIMIT {int(n_rows)}")
        return {name: [row[n] for row in rows if row[n] is not None] for n, name in enumerate(names)}

    def copy_rows(self, engine: DuckDBEngine, names: Sequence[str]) -> list[Unreadable]:
        """Copy the named columns to the table ``raw_rows``, numbered from 1.

        Parameters
        ----------
        engine : DuckDBEngine
            Where it can be read.
        names : sequence of str
            Columns wanted.

        Returns
        -------
        list of Unreadable
            Lines of a CSV file that are no rows; always empty for other sources.

        Raises
        ------
        DataError
            Where the source breaks off or is damaged.
        """
        kinds = engine.columns(self.sql)
        columns = [
            f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}"
            if kinds[name].startswith("ENUM")
            else quoted(name)
            for name in names
        ]
        selected = ", ".join([f"row_number() OVER () AS {ROW}", *columns])
        if self.csv is not None:
            return self.csv.copy_rows(engine, selected)
        try:
            engine.execute(f"CREATE OR REPLACE TEMP TABLE raw_rows AS SELECT {selected} FROM {self.sql}")
        except duckdb.Error as error:
            raise DataError(f"{self.described} could not be read: {_first_line(error)}") from error
        return []


def open_source(
    engine: DuckDBEngine,
    source: Any,
    *,
    table: str | None = None,
    query: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Relation:
    """Make a source readable by the engine.

    Parameters
    ----------
    engine : DuckDBEngine
        Where to read it.
    source : path, URL or frame
        A CSV or Parquet file, a folder of Parquet files, a DuckDB file, a ``postgresql://`` URL, or a pandas,
        Polars or Arrow table.
    table, query : str, optional
        What to read from a database: a table's name, or a query of your own.
    delimiter, encoding : str, optional
        Of a CSV file; found by looking where None.

    Raises
    ------
    DataError
        Where the source does not exist, is empty or is of no known sort.
    """
    if isinstance(source, str) and source.startswith(_POSTGRES):
        return _postgres(engine, source, table=table, query=query)
    if isinstance(source, str | Path):
        return _path(engine, Path(source), table, query, delimiter, encoding)
    arrow = to_arrow(source)
    name = f"handed_in_{id(arrow)}"
    engine.register(name, arrow)
    return Relation(
        quoted(name), f"a table of {one_or_many(arrow.num_rows, 'row')}", lambda: engine.unregister(name)
    )


def _path(
    engine: DuckDBEngine,
    path: Path,
    table: str | None,
    query: str | None,
    delimiter: str | None,
    encoding: str | None,
) -> Relation:
    if path.is_dir():
        if not any(path.rglob("*.parquet")):
            raise DataError(
                f"{path} is a folder without Parquet files; give a file, or a folder of *.parquet."
            )
        pattern = literal(str(path / "**" / "*.parquet"))
        return _parquet(engine, path, f"read_parquet({pattern}, hive_partitioning = true)")
    if not path.is_file():
        raise DataError(f"There is no file {path}. Check the spelling, or give the full path.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); a header and at least one row are needed.")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    last = suffixes[-1] if suffixes else ""
    if last in _DUCKDB_SUFFIXES:
        return _duckdb_file(engine, path, table=table, query=query)
    if last in {".parquet", ".pq"}:
        return _parquet(engine, path, f"read_parquet({literal(str(path))})")
    if last in _CSV_SUFFIXES or (last in OPENERS and len(suffixes) > 1 and suffixes[-2] in _CSV_SUFFIXES):
        file = CsvFile(path, sniff_csv(path, delimiter=delimiter, encoding=encoding))
        return Relation(file.reader(path), str(path), csv=file)
    raise DataError(
        f"{path.name} is of no sort that can be read. Known are .csv, .tsv and .txt (also .gz, .bz2, .xz), "
        ".parquet, .duckdb, a folder of Parquet files, and postgresql:// URLs. A spreadsheet can be "
        "saved as CSV."
    )


def _parquet(engine: DuckDBEngine, path: Path, sql: str) -> Relation:
    try:
        engine.columns(sql)
    except duckdb.Error as error:
        raise DataError(f"{path} could not be read as Parquet: {_first_line(error)}") from error
    return Relation(sql, str(path))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


# --- databases


def _duckdb_file(engine: DuckDBEngine, path: Path, *, table: str | None, query: str | None) -> Relation:
    home = engine.rows("SELECT current_database()")[0][0]
    try:
        engine.execute(f"ATTACH {literal(str(path))} AS source_file (READ_ONLY)")
    except duckdb.Error as error:
        raise DataError(f"{path} could not be opened as a DuckDB file: {_first_line(error)}") from error

    def release() -> None:
        engine.execute("DETACH source_file")

    try:
        if query is None:
            name = _duckdb_table(engine, path, table)
            return Relation(name, f"{name.removeprefix('source_file.')} of {path.name}", release)
        # The query's own names mean tables of that file, so it runs there, and its answer is copied.
        engine.execute("USE source_file")
        engine.execute(f"CREATE OR REPLACE TEMP TABLE duckdb_rows AS {_one_select(query, 'duckdb')}")
    except duckdb.Error as error:
        raise DataError(f"{path.name} could not be read: {_first_line(error)}") from error
    finally:
        engine.execute(f"USE {quoted(home)}")
        if query is not None:
            release()
    return Relation(
        "duckdb_rows", f"a query on {path.name}", lambda: engine.execute("DROP TABLE duckdb_rows")
    )


def _duckdb_table(engine: DuckDBEngine, path: Path, table: str | None) -> str:
    there = [
        f"{schema}.{name}"
        for schema, name in engine.rows(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'source_file' "
            "UNION ALL "
            "SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = 'source_file' "
            "AND NOT internal ORDER BY 1, 2"
        )
    ]
    wanted = table if table is None or "." in table else f"main.{table}"
    if wanted is None and len(there) == 1:
        wanted = there[0]
    if wanted not in there:
        names = ", ".join(name.removeprefix("main.") for name in there) or "none"
        asked = f"has no table {table!r}" if table else "holds several tables or none"
        raise DataError(f"{path.name} {asked}; its tables: {names}. Say which with table=.")
    schema, _, name = str(wanted).partition(".")
    return f"source_file.{quoted(schema)}.{quoted(name)}"


def _one_select(query: str, dialect: str) -> str:
    """Return the query, if it is one SELECT and nothing else."""
    try:
        statements = sqlglot.parse(query, dialect=dialect)
    except SqlglotError as error:
        raise SettingsError(f"query= could not be read as SQL: {_first_line(error)}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise SettingsError("query= must be one SELECT statement and nothing else.")
    return statements[0].sql(dialect)


def _postgres(engine: DuckDBEngine, url: str, *, table: str | None, query: str | None) -> Relation:
    if (table is None) == (query is None):
        raise SettingsError("A Postgres source needs either table= or query=, to say what to read.")
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError as error:
        raise SettingsError(
            "Reading from Postgres needs one more package: pip install 'habitue[postgres]'."
        ) from error
    if query is None:
        name = exp.to_table(str(table), dialect="postgres").sql("postgres", identify=True)
        statement = f"SELECT * FROM {name}"
    else:
        statement = _one_select(query, "postgres")
    try:
        with dbapi.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            reader = cursor.fetch_record_batch()
            numerics = frozenset(field.name for field in reader.schema if "numeric" in str(field.type))
            engine.register("postgres_stream", reader)
            engine.execute("CREATE OR REPLACE TEMP TABLE postgres_rows AS SELECT * FROM postgres_stream")
            engine.unregister("postgres_stream")
    except (dbapi.Error, pa.ArrowException, duckdb.Error) as error:
        # The driver's message may repeat the address it was given, password and all: so no chain of causes.
        raise DataError(f"Postgres could not be read: {_without_secrets(error, url)}") from None
    described = f"Postgres table {table}" if table else "a query on Postgres"
    return Relation(
        "postgres_rows", described, lambda: engine.execute("DROP TABLE postgres_rows"), numerics=numerics
    )


def _without_secrets(error: Exception, url: str) -> str:
    """First line of a message, without the address and what stands in it before the @."""
    told = _first_line(error).replace(url, "the database")
    credentials = url.partition("://")[2].rpartition("@")[0]
    secrets = [credentials, credentials.partition(":")[2], *parse_qs(urlsplit(url).query).get("password", [])]
    for secret in [*secrets, *map(unquote, secrets)]:
        if secret:
            told = told.replace(secret, "***")
    return told
