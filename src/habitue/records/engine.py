"""Where tables live and SQL runs.

`Engine` is what the rest of the package may ask of a database; `DuckDBEngine` is the embedded one. Statements
are written in DuckDB's dialect, names are quoted by `quoted`, values are bound: no text from outside is
pasted into SQL.
"""

# What an engine's methods do is told by `Engine`.
# ruff: noqa: D102

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
from sqlglot import exp

from habitue.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["DuckDBEngine", "Engine", "literal", "quoted"]


def quoted(name: str) -> str:
    """Return a column or table name quoted for SQL.

    Parameters
    ----------
    name : str
        As it is, with whatever characters.

    Examples
    --------
    >>> quoted('odd "name" here')
    '"odd ""name"" here"'
    """
    return exp.to_identifier(name, quoted=True).sql("duckdb")


def literal(text: str) -> str:
    """Return a text constant for places where SQL allows no bound value (formats, file options).

    Parameters
    ----------
    text : str
        As it is.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return exp.Literal.string(text).sql("duckdb")


class Engine(Protocol):
    """What a database must offer to hold a `CustomerLog`."""

    dialect: str
    rows_at_once: int | None
    """Records that are described in one statement; more are described in parts. All where None."""

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> None:
        """Run a statement for its effect.

        Parameters
        ----------
        sql : str
            In DuckDB's dialect.
        values : Mapping[str, Any], optional
            What its ``$names`` are bound to.
        """
        ...

    def rows(self, sql: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a query and return its rows; for small answers.

        Parameters
        ----------
        sql : str
            In DuckDB's dialect.
        values : Mapping[str, Any], optional
            What its ``$names`` are bound to.
        """
        ...

    def frame(self, sql: str, values: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run a query and return its rows as a frame.

        Parameters
        ----------
        sql : str
            In DuckDB's dialect.
        values : Mapping[str, Any], optional
            What its ``$names`` are bound to.
        """
        ...

    def table_names(self) -> Sequence[str]:
        """Names of the tables held."""
        ...

    def has(self, relation: str) -> bool:
        """Tell whether a relation can be read.

        Parameters
        ----------
        relation : str
            A plain name.
        """
        ...

    def digest(self, relation: str) -> tuple[Any, ...]:
        """Return numbers that tell whether two tables hold the same rows, in whatever order.

        Parameters
        ----------
        relation : str
            A plain name.
        """
        ...

    def register(self, name: str, table: Any) -> None:
        """Make a table readable under a name.

        Parameters
        ----------
        name : str
            How SQL names it.
        table : object
            What this engine can read in place.
        """
        ...

    def unregister(self, name: str) -> None:
        """Forget what `register` made readable.

        Parameters
        ----------
        name : str
            As it was registered.
        """
        ...

    def columns(self, relation: str) -> dict[str, str]:
        """Return names and SQL types of a relation's columns, in order.

        Parameters
        ----------
        relation : str
            What may stand after FROM.
        """
        ...


class DuckDBEngine(Engine):
    """An embedded DuckDB database that spills to a temporary folder when memory runs out.

    Parameters
    ----------
    path : str or Path, optional
        A file that holds the records, so that they need no memory; made where there is none. In memory where
        None.
    memory_limit : str, optional
        For example ``"2GB"``; DuckDB's own default (80 % of the machine) where None.
    threads : int, optional
        All cores where None.

    Raises
    ------
    SettingsError
        Where the file cannot be opened or made.

    Examples
    --------
    >>> DuckDBEngine().rows("SELECT 1 + 1")
    [(2,)]
    """

    dialect = "duckdb"
    rows_at_once: int | None = 5_000_000

    def __init__(
        self,
        *,
        path: str | Path | None = None,
        memory_limit: str | None = None,
        threads: int | None = None,
    ) -> None:
        try:
            self._connection = duckdb.connect(":memory:" if path is None else path)
        except duckdb.Error as error:
            raise SettingsError(
                f"path={str(path)!r} cannot be opened as a DuckDB file: {str(error).splitlines()[0]}. Give a "
                "file that no other program has open, or a new one in a folder that exists."
            ) from error
        self.execute(
            "SET temp_directory = "
            + literal(str(Path(tempfile.gettempdir()) / f"habitue-{os.getpid()}-{id(self)}"))
        )
        # Sources are read as UTC unless their time zone is stated: the machine's own must not matter.
        self.execute("SET TimeZone = 'UTC'")
        # In a notebook DuckDB refuses to be told what is so already, unless ipywidgets is there.
        if self.rows("SELECT current_setting('enable_progress_bar')")[0][0]:
            self.execute("SET enable_progress_bar = false")
        if memory_limit is not None:
            self.execute("SET memory_limit = " + literal(memory_limit))
        if threads is not None:
            self.execute(f"SET threads = {int(threads)}")

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> None:
        self._connection.execute(sql, dict(values or {}))

    def rows(self, sql: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, dict(values or {})).fetchall()

    def frame(self, sql: str, values: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run a query and return its rows as a pandas frame.

        Parameters
        ----------
        sql : str
            In DuckDB's dialect.
        values : Mapping[str, Any], optional
            What its ``$names`` are bound to.
        """
        return self._connection.execute(sql, dict(values or {})).df()

    def table_names(self) -> list[str]:
        return [
            row[0]
            for row in self.rows(
                "SELECT table_name FROM duckdb_tables() WHERE schema_name <> 'kept' ORDER BY 1"
            )
        ]

    def close(self) -> None:
        """Let the file go, so that another process can open it; nothing can be asked of the engine after."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Generator[None]:
        """Run the statements of a block wholly or not at all."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def columns(self, relation: str) -> dict[str, str]:
        return {row[0]: row[1] for row in self.rows(f"DESCRIBE SELECT * FROM {relation}")}

    def has(self, relation: str) -> bool:
        """Tell whether a table, or what was registered under that name, can be read.

        Parameters
        ----------
        relation : str
            A plain name.
        """
        try:
            self.columns(quoted(relation))
        except duckdb.CatalogException:
            return False
        return True

    def digest(self, relation: str) -> tuple[Any, ...]:
        return self.rows(
            f"SELECT count(*), coalesce(sum(hash(t)::UBIGINT % 4294967296), 0), "
            f"coalesce(bit_xor(hash(t)), 0) FROM {relation} AS t"
        )[0]

    def register(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """Make an Arrow table or stream readable under a name, without copying it.

        Parameters
        ----------
        name : str
            How SQL names it.
        table : pyarrow.Table or pyarrow.RecordBatchReader
            A stream can be read once.
        """
        self._connection.register(name, table)

    def unregister(self, name: str) -> None:
        self._connection.unregister(name)
