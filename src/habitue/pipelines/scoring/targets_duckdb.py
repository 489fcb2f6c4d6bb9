"""Batches of scores in a DuckDB file: the rows in one table, their manifests in another, one transaction."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from habitue.errors import SettingsError, UnavailableError
from habitue.pipelines.files import writable_folder
from habitue.pipelines.scoring.batches import BATCH, BatchKey, another_wrote, key_of, no_such_batch
from habitue.pipelines.scoring.rows import SQL_TYPES, Content, quoted_name, rows_of, table_schema

__all__ = ["DuckDBTarget", "duckdb_target"]

_TABLE, _BATCHES = "scores", "score_batches"
_EVERY = 0.25  # seconds between two tries to open a file that another process holds

_MENDABLE = (
    duckdb.IOException,
    duckdb.TransactionException,  # a commit that could not be written
    duckdb.FatalException,
    duckdb.OutOfMemoryException,
)

# No primary key: DuckDB takes a row that was deleted and inserted in one transaction for a double.
_MADE = f"CREATE TABLE IF NOT EXISTS {_BATCHES} (batch TEXT, cutoff DATE, manifest TEXT)"
_COLUMNS = f"SELECT column_name FROM information_schema.columns WHERE table_name = '{_TABLE}'"


def duckdb_target(text: str) -> DuckDBTarget:
    """Return the target that ``duckdb:///path`` or a path means.

    Parameters
    ----------
    text : str
        The address; three slashes before a relative path, four before an absolute one.

    Raises
    ------
    SettingsError
        Where no file is named.

    Examples
    --------
    >>> duckdb_target("duckdb:///data/scores.duckdb").path.as_posix()
    'data/scores.duckdb'
    """
    path = text.removeprefix("duckdb:///") if text.startswith("duckdb://") else text
    if not path or path.startswith("duckdb://"):
        raise SettingsError(f"{text!r} names no DuckDB file; expected duckdb:///path/to/file.duckdb.")
    return DuckDBTarget(Path(path))


@dataclass(frozen=True)
class DuckDBTarget:
    """The tables ``scores`` and ``score_batches`` of a DuckDB file.

    Attributes
    ----------
    path : Path
        The file; made where there is none.
    patience : float
        Seconds for which a file that another process holds is tried again.
    """

    path: Path
    patience: float = 10.0

    @property
    def label(self) -> str:
        """Where, in words."""
        return str(self.path)

    def check(self) -> None:
        """See `Target.check`."""
        if self.path.is_dir():
            raise SettingsError(f"{self.path} is a folder; name a DuckDB file in it.")
        writable_folder(self.path.parent)
        if self.path.exists():
            with self._opened() as database:
                _refuse_foreign(database, self.label)

    def finished(self, key: BatchKey) -> dict[str, Any] | None:
        """See `Target.finished`.

        Parameters
        ----------
        key : BatchKey
            Which one.
        """
        if not self.path.exists():
            return None
        with self._opened(read_only=True) as database:
            return _manifest(database, key)

    def write(
        self,
        key: BatchKey,
        tables: Iterator[pa.RecordBatch],
        schema: pa.Schema,
        manifest: Mapping[str, Any],
        *,
        replace: bool,
    ) -> dict[str, Any]:
        """See `Target.write`.

        Parameters
        ----------
        key : BatchKey
            Which one.
        tables : iterator of pyarrow.RecordBatch
            Its rows.
        schema : pyarrow.Schema
            Of all parts.
        manifest : Mapping[str, object]
            What it was made of.
        replace : bool
            Whether a finished batch of the same key may be replaced.
        """
        columns = table_schema(schema)
        with self._opened() as database, _one_transaction(database):
            _refuse_foreign(database, self.label)
            database.execute(_MADE)
            if not replace and _manifest(database, key) is not None:
                raise another_wrote(key)
            _make_room(database, columns)
            for table in (_TABLE, _BATCHES):
                database.execute(
                    f"DELETE FROM {table} WHERE batch = $1 AND cutoff = $2", [key.name, key.cutoff]
                )
            content = _insert(database, tables, columns, key)
            told = {
                **json.loads(json.dumps(manifest)),
                BATCH: key.to_plain(),
                "table": f"{_TABLE} in {self.path.name}",
                "columns": schema.names,
                **content.told(),
            }
            row = [key.name, key.cutoff, json.dumps(told, ensure_ascii=False)]
            database.execute(f"INSERT INTO {_BATCHES} VALUES ($1, $2, $3)", row)
        return told

    def batches(self) -> list[BatchKey]:
        """See `Target.batches`."""
        if not self.path.exists():
            return []
        with self._opened(read_only=True) as database:
            if not _there(database, _BATCHES):
                return []
            rows = database.execute(f"SELECT manifest FROM {_BATCHES}").fetchall()
        return sorted((key_of(json.loads(one)) for (one,) in rows), key=lambda key: (key.cutoff, key.name))

    def read(self, key: BatchKey, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """See `Target.read`.

        Parameters
        ----------
        key : BatchKey
            Which one.
        columns : sequence of str, optional
            Those wanted.
        """
        if not self.path.exists():
            raise no_such_batch(key, self.label)
        with self._opened(read_only=True) as database:
            manifest = _manifest(database, key)
            if manifest is None:
                raise no_such_batch(key, self.label)
            there: list[str] = manifest["columns"]
            wanted = there if columns is None else [name for name in columns if name in there]
            if not wanted:
                return pd.DataFrame(index=range(manifest["rows"]))
            names = ", ".join(map(quoted_name, wanted))
            asked = f"SELECT {names} FROM {_TABLE} WHERE batch = $1 AND cutoff = $2"
            rows: pa.Table = database.sql(asked, params=[key.name, key.cutoff]).to_arrow_table()
            return rows.to_pandas()

    @contextmanager
    def _opened(self, *, read_only: bool = False) -> Generator[duckdb.DuckDBPyConnection]:
        """Open the file, waiting a little for whoever has it open; tell what goes wrong in a sentence."""
        try:
            database = self._connected(read_only)
            try:
                yield database
            finally:
                database.close()
        except _MENDABLE as error:
            raise UnavailableError(
                f"DuckDB could not finish its work on {self.path} ({_first_line(error)}); nothing of the "
                "batch is there. Run it again when that is mended."
            ) from error
        except duckdb.Error as error:
            raise SettingsError(f"{self.path} could not be used by DuckDB: {_first_line(error)}") from error

    def _connected(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        for _ in range(max(1, round(self.patience / _EVERY))):
            try:
                return duckdb.connect(str(self.path), read_only=read_only)
            except duckdb.ConnectionException:  # this very process has it open for writing
                return duckdb.connect(str(self.path))
            except duckdb.IOException as error:
                if "lock" not in str(error):
                    raise SettingsError(
                        f"{self.path} could not be opened by DuckDB: {_first_line(error)}"
                    ) from error
                time.sleep(_EVERY)
        raise UnavailableError(
            f"{self.path} is held open by another process; close it there (DuckDB lets one process write), "
            "or run this again later."
        )


@contextmanager
def _one_transaction(database: duckdb.DuckDBPyConnection) -> Generator[None]:
    database.execute("BEGIN TRANSACTION")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # a database that failed altogether has rolled back already
            database.execute("ROLLBACK")
        raise


def _insert(
    database: duckdb.DuckDBPyConnection, tables: Iterator[pa.RecordBatch], columns: pa.Schema, key: BatchKey
) -> Content:
    """Insert the rows as they come."""
    content = Content()
    names = ", ".join(map(quoted_name, columns.names))
    for part in tables:
        rows = rows_of(part, columns, key.name)
        content.add(rows)
        database.register("incoming_scores", pa.Table.from_batches([rows]))
        database.execute(f"INSERT INTO {_TABLE} ({names}) SELECT {names} FROM incoming_scores")
        database.unregister("incoming_scores")
    return content


def _make_room(database: duckdb.DuckDBPyConnection, columns: pa.Schema) -> None:
    """Make the table, or the columns that earlier batches did not have."""
    typed = {one.name: f"{quoted_name(one.name)} {SQL_TYPES[one.type]}" for one in columns}
    database.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE} ({', '.join(typed.values())})")
    there = {name for (name,) in database.execute(_COLUMNS).fetchall()}
    for name in columns.names:
        if name not in there:
            database.execute(f"ALTER TABLE {_TABLE} ADD COLUMN {typed[name]}")


def _refuse_foreign(database: duckdb.DuckDBPyConnection, where: str) -> None:
    there = {name for (name,) in database.execute(_COLUMNS).fetchall()}
    if there and not {BATCH, "cutoff"} <= there:
        raise SettingsError(
            f"{where} has a table {_TABLE} that was not made by `habitue score`; name another file."
        )


def _there(database: duckdb.DuckDBPyConnection, table: str) -> bool:
    asked = "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = $1"
    return database.execute(asked, [table]).fetchall()[0][0] > 0


def _manifest(database: duckdb.DuckDBPyConnection, key: BatchKey) -> dict[str, Any] | None:
    if not _there(database, _BATCHES):
        return None
    asked = f"SELECT manifest FROM {_BATCHES} WHERE batch = $1 AND cutoff = $2"
    rows = database.execute(asked, [key.name, key.cutoff]).fetchall()
    return json.loads(rows[0][0]) if rows else None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
