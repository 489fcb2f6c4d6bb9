"""A connection to Postgres whose troubles are told in sentences, without a secret in them."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa

from habitue.errors import HabitueError, SettingsError, UnavailableError
from habitue.files import without_password

__all__ = ["Session", "connected"]

_MENDABLE = ("08", "40", "53", "55", "57", "58", "XX")
"""Classes of SQLSTATE that say that the server, not what was asked, is in trouble: gone, full, locked."""
_WRONG = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "pg_hba.conf",
    "permission denied",
    "invalid connection option",
    "invalid URI",
    "invalid port",
)
"""What libpq says where trying again would not help; it gives no SQLSTATE."""


class Session:
    """What a target asks of one connection; nothing is kept unless it is committed.

    Parameters
    ----------
    connection : adbc_driver_manager.dbapi.Connection
        Open.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def run(self, statement: str, *values: object) -> None:
        """Run a statement that answers nothing.

        Parameters
        ----------
        statement : str
            SQL.
        *values : object
            What stands for $1, $2 and so on.
        """
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement and return what it answers.

        Parameters
        ----------
        statement : str
            SQL.
        *values : object
            What stands for $1, $2 and so on.
        """
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall()

    def table(self, statement: str, *values: object) -> pa.Table:
        """Run a statement and return what it answers as a table.

        Parameters
        ----------
        statement : str
            SQL.
        *values : object
            What stands for $1, $2 and so on.
        """
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetch_arrow_table()

    def copy(self, rows: pa.RecordBatch, *, schema: str, table: str) -> None:
        """Append rows by COPY.

        Parameters
        ----------
        rows : pyarrow.RecordBatch
            Some rows.
        schema, table : str
            Where; names as they are.
        """
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows, mode="append", db_schema_name=schema)

    def commit(self) -> None:
        """Keep what was done."""
        self._connection.commit()


@contextmanager
def connected(address: str, where: str) -> Generator[Session]:
    """Connect to a database; what was not committed in the block is rolled back.

    Parameters
    ----------
    address : str
        As libpq takes it.
    where : str
        What to call it in messages.

    Yields
    ------
    Session
        Open.

    Raises
    ------
    UnavailableError
        Where the server does not answer, or not any more.
    SettingsError
        Where it refuses.
    """
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError as error:
        raise SettingsError(
            "Writing to Postgres needs one more package: pip install 'habitue[postgres]'."
        ) from error
    connection = None
    try:
        connection = dbapi.connect(address)
        yield Session(connection)
    except dbapi.Error as error:
        # A driver's message may repeat what it was given: so no chain of causes.
        raise _told(error, where) from None
    finally:
        if connection is not None:
            with suppress(dbapi.Error):
                connection.close()


def _told(error: Any, where: str) -> HabitueError:
    """Return a driver's error as a sentence."""
    text = _without_secrets(str(error))
    state = getattr(error, "sqlstate", None) or ""
    settled = not state.startswith(_MENDABLE) if state.strip("\0") else any(one in text for one in _WRONG)
    if settled:
        return SettingsError(f"{where} refused: {text}")
    return UnavailableError(
        f"{where} does not answer, or not any more ({text}); nothing of the batch is there. Run it again "
        "when the database is back."
    )


def _without_secrets(message: str) -> str:
    """Return a message on one line, without the password of the environment or of an address."""
    text = without_password(" ".join(message.split()))
    secret = os.environ.get("PGPASSWORD", "")
    return text.replace(secret, "***") if secret else text
