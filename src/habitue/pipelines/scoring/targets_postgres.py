"""Batches of scores in Postgres: the rows in one table, their manifests in another, one transaction.

Rows are streamed by COPY. An advisory lock, which the server frees when a connection breaks, keeps two jobs
from writing one batch, on whatever machines they run. A password comes from the environment or a passfile,
as libpq reads them, and never from the address.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import pandas as pd
import pyarrow as pa

from habitue.errors import SettingsError, UnavailableError
from habitue.files import has_password
from habitue.pipelines.scoring.batches import BATCH, BatchKey, another_wrote, key_of, no_such_batch
from habitue.pipelines.scoring.postgres import Session, connected
from habitue.pipelines.scoring.rows import SQL_TYPES, Content, quoted_name, rows_of, table_schema

__all__ = ["PostgresTarget", "postgres_target"]

_LONGEST = 63 - len("_batches")  # bytes of a name in Postgres, which cuts off the rest without a word
_CALLED: Mapping[str, str] = {
    "BIGINT": "bigint",
    "FLOAT8": "double precision",
    "TEXT": "text",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMPTZ": "timestamp with time zone",
    "TIMESTAMP": "timestamp without time zone",
}
"""What Postgres tells as the type of a column, by the name it was made with."""


def postgres_target(address: str) -> PostgresTarget:
    """Return the target that an address means.

    Parameters
    ----------
    address : str
        ``postgresql://host:port/database``, with what libpq takes after a ``?``, and with ``schema`` and
        ``table``.

    Raises
    ------
    SettingsError
        Where a password stands in it, or names are too long.

    Examples
    --------
    >>> postgres_target("postgresql://ann@db.example/shop?table=churn").label
    'postgresql://db.example/shop, table public.churn'
    """
    if has_password(address):
        raise SettingsError(
            "A password in the address of a database ends up in logs and histories; set PGPASSWORD in the "
            "environment, or name a passfile with PGPASSFILE, and leave it out of the address."
        )
    try:
        parts = urlsplit(address)
        settings = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        where = _place(parts, dict(settings))
    except ValueError as error:
        raise SettingsError(
            f"The address of the database cannot be read ({error}); expected postgresql://host:port/database."
        ) from error
    own = dict(settings)
    kept = [(name, value) for name, value in settings if name not in {"table", "schema"}]
    names = own.get("schema", "public"), own.get("table", "scores")
    for name in names:
        if not 0 < len(name.encode()) <= _LONGEST or "\0" in name:
            raise SettingsError(
                f"{name!r} cannot be the name of a table or schema: 1 to {_LONGEST} bytes, please."
            )
    return PostgresTarget(parts._replace(query=urlencode(kept)).geturl(), *names, where=where)


def _place(parts: SplitResult, settings: Mapping[str, str]) -> str:
    """Return host, port and database, without who asks."""
    host, port = parts.hostname or settings.get("host", ""), parts.port or settings.get("port", "")
    return f"postgresql://{host}{f':{port}' if port else ''}{parts.path}"


@dataclass(frozen=True)
class PostgresTarget:
    """A table of a Postgres database, and one more beside it for manifests.

    Attributes
    ----------
    address : str
        As libpq takes it; without a password.
    schema, table : str
        Names as they are; the manifests stand in ``<table>_batches``.
    where : str
        Host and database, for messages.
    """

    address: str
    schema: str
    table: str
    where: str

    @property
    def label(self) -> str:
        """Where, in words."""
        return f"{self.where}, table {self.schema}.{self.table}"

    def check(self) -> None:
        """See `Target.check`."""
        with connected(self.address, self.where) as session:
            if not session.rows("SELECT 1 FROM pg_namespace WHERE nspname = $1", self.schema):
                raise SettingsError(f"{self.where} has no schema {self.schema!r}; make it, or name another.")
            if not self._there(session):
                may = session.rows("SELECT has_schema_privilege($1, 'CREATE')", self.schema)
            else:
                self._refuse_foreign(session, pa.schema([]))
                may = session.rows("SELECT has_table_privilege($1, 'INSERT, DELETE')", self._name)
            if not may[0][0]:
                raise SettingsError(
                    f"This user may not write to {self.label}; ask who owns it for the right."
                )

    def finished(self, key: BatchKey) -> dict[str, Any] | None:
        """See `Target.finished`.

        Parameters
        ----------
        key : BatchKey
            Which one.
        """
        with connected(self.address, self.where) as session:
            return self._manifest(session, key)

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
        with connected(self.address, self.where) as session:
            self._make_room(session, columns)
            self._lock_batch(session, key)
            if self._manifest(session, key) is not None:
                if not replace:
                    raise another_wrote(key)
                for table in (self._name, self._batches):
                    self._delete(session, table, key)
            content = Content()
            for part in tables:
                rows = rows_of(part, columns, key.name)
                content.add(rows)
                session.copy(rows, schema=self.schema, table=self.table)
            told = {
                **json.loads(json.dumps(manifest)),
                BATCH: key.to_plain(),
                "table": f"{self.schema}.{self.table}",
                "columns": schema.names,
                **content.told(),
            }
            session.run(
                f"INSERT INTO {self._batches} VALUES ($1, CAST($2 AS DATE), $3)",
                key.name, key.cutoff.isoformat(), json.dumps(told, ensure_ascii=False),
            )  # fmt: skip
            session.commit()
        return told

    def batches(self) -> list[BatchKey]:
        """See `Target.batches`."""
        with connected(self.address, self.where) as session:
            there = self._there(session)
            rows = session.rows(f"SELECT manifest FROM {self._batches}") if there else []
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
        with connected(self.address, self.where) as session:
            manifest = self._manifest(session, key)
            if manifest is None:
                raise no_such_batch(key, self.label)
            there: list[str] = manifest["columns"]
            wanted = there if columns is None else [name for name in columns if name in there]
            if not wanted:
                return pd.DataFrame(index=range(manifest["rows"]))
            return session.table(
                f"SELECT {', '.join(map(quoted_name, wanted))} FROM {self._name} "
                "WHERE batch = $1 AND cutoff = CAST($2 AS DATE)",
                key.name, key.cutoff.isoformat(),
            ).to_pandas()  # fmt: skip

    @property
    def _name(self) -> str:
        return quoted_name(self.schema, self.table)

    @property
    def _batches(self) -> str:
        return quoted_name(self.schema, f"{self.table}_batches")

    def _there(self, session: Session) -> bool:
        return session.rows("SELECT to_regclass($1) IS NOT NULL", self._batches)[0][0]

    def _manifest(self, session: Session, key: BatchKey) -> dict[str, Any] | None:
        if not self._there(session):
            return None
        rows = session.rows(
            f"SELECT manifest FROM {self._batches} WHERE batch = $1 AND cutoff = CAST($2 AS DATE)",
            key.name, key.cutoff.isoformat(),
        )  # fmt: skip
        return json.loads(rows[0][0]) if rows else None

    def _delete(self, session: Session, table: str, key: BatchKey) -> None:
        session.run(
            f"DELETE FROM {table} WHERE batch = $1 AND cutoff = CAST($2 AS DATE)",
            key.name, key.cutoff.isoformat(),
        )  # fmt: skip

    def _lock_batch(self, session: Session, key: BatchKey) -> None:
        """Keep others from this batch until the transaction ends, or refuse where they keep it."""
        number = _number(self._name, key.cutoff.isoformat(), key.name)
        if not session.rows("SELECT pg_try_advisory_xact_lock($1)", number)[0][0]:
            raise UnavailableError(
                f"Another job is writing the scores of {key.label} to {self.label}; wait until it is done."
            )

    def _make_room(self, session: Session, columns: pa.Schema) -> None:
        """Make the tables, and the columns that earlier batches lack, in a transaction of their own."""
        session.run("SET lock_timeout = '30s'")
        session.run("SELECT pg_advisory_xact_lock($1)", _number(self._name))  # one maker at a time
        typed = {one.name: f"{quoted_name(one.name)} {SQL_TYPES[one.type]}" for one in columns}
        there = self._refuse_foreign(session, columns)
        if not there:
            session.run(f"CREATE TABLE {self._name} ({', '.join(typed.values())})")
            session.run(f"CREATE INDEX ON {self._name} (cutoff, batch)")
        if not self._there(session):
            session.run(
                f"CREATE TABLE {self._batches} (batch TEXT, cutoff DATE, manifest TEXT NOT NULL, "
                "PRIMARY KEY (cutoff, batch))"
            )
        for name in columns.names if there else []:
            if name not in there:
                session.run(f"ALTER TABLE {self._name} ADD COLUMN {typed[name]}")
        session.commit()

    def _refuse_foreign(self, session: Session, columns: pa.Schema) -> set[str]:
        """Return the columns of the table, if rows of these can be put there."""
        found: dict[str, str] = dict(
            session.rows(
                "SELECT column_name::text, data_type::text FROM information_schema.columns "
                "WHERE table_schema = $1 AND table_name = $2",
                self.schema,
                self.table,
            )
        )
        if found and not {BATCH, "cutoff"} <= found.keys():
            raise SettingsError(
                f"{self.label} was not made by `habitue score`; name another table with ?table=."
            )
        for one in columns:
            wanted = _CALLED[SQL_TYPES[one.type]]
            if found.get(one.name, wanted) != wanted:
                raise SettingsError(
                    f"Column {one.name!r} of {self.label} is {found[one.name]}, and scores hold {wanted}; "
                    "name another table with ?table=."
                )
        return set(found)


def _number(*names: str) -> int:
    """Return the number of a lock for something of that name."""
    digest = hashlib.sha256("\n".join(("habitue", *names)).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
