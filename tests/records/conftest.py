"""What the tests of records share: files to read, a way to read one cell, a real PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from habitue.errors import HabitueWarning
from habitue.records import CustomerLog, read_log

POSTGRES = Path("/usr/lib/postgresql/15/bin")


def quiet_log(source: Any, **settings: Any) -> CustomerLog:
    """Read a log whose rows are expected to be set aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)
        return read_log(source, **settings)


def records(log: CustomerLog, kind: str = "transactions") -> list[tuple[Any, ...]]:
    """Return id, day and amount of all records, in order of rows."""
    return [
        (row[0], str(row[1]), float(row[2]))
        for row in log.engine.rows(f"SELECT customer_id, day, amount FROM {kind}")
    ]


@pytest.fixture
def read() -> Callable[..., CustomerLog]:
    """Read a source, whatever is set aside."""
    return quiet_log


@pytest.fixture
def rows_of() -> Callable[..., list[tuple[Any, ...]]]:
    """List the admitted records of a log."""
    return records


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a CSV file from text or bytes."""

    def write(content: str | bytes, name: str = "orders.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def cell(csv_file: Callable[..., Path]) -> Callable[..., tuple[Any, ...]]:
    """Read one dirty row between two sound ones; return its record, or its reason to be set aside."""

    def read_cell(
        *, customer_id: str = "1", timestamp: str = "2020-01-05", amount: str = "7", **settings: Any
    ) -> tuple[Any, ...]:
        text = (
            "customer_id,timestamp,amount\n1,2020-01-01,1\n"
            f'"{customer_id}","{timestamp}","{amount}"\n1,2020-01-09,1\n'
        )
        log = quiet_log(csv_file(text), **settings)
        check = log.checks["transactions"]
        assert check.n_admitted + check.n_quarantined == check.n_rows == 3
        if check.n_quarantined:
            aside = log.quarantine()
            assert list(aside["row"]) == [2]
            return ("aside", aside["reason"][0])
        return records(log)[1]

    return read_cell


@pytest.fixture
def orders() -> pd.DataFrame:
    """Return twelve sound purchases of three customers."""
    return pd.DataFrame(
        {
            "customer_id": [1, 2, 1, 3, 2, 1, 1, 3, 2, 1, 3, 2],
            "timestamp": pd.to_datetime("2024-01-01")
            + pd.to_timedelta([0, 1, 9, 9, 20, 31, 31, 40, 55, 60, 80, 89], "D"),
            "amount": [10.0, 12.5, -3.25, 0.0, 8.1, 7.77, 1.01, 99.99, 5.5, 0.1, 0.2, 1234.56],
        }
    )


class Postgres(NamedTuple):
    """A running server."""

    socket: Path
    password: str

    @property
    def url(self) -> str:
        return f"postgresql://habitue:{self.password}@/postgres?host={self.socket}&port=54329"


def _as_postgres(*command: str | Path) -> None:
    runner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*runner, *map(str, command)], check=True, stdout=subprocess.DEVNULL, timeout=60)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Start a PostgreSQL server on a socket of its own; stop it at the end."""
    pytest.importorskip("adbc_driver_postgresql", reason="the extra habitue[postgres] is not installed")
    if not (POSTGRES / "initdb").is_file():
        pytest.skip("the binaries of a PostgreSQL 15 server are not here")
    # A socket's path must be short, and another user must reach it.
    folder = Path("/tmp") / f"habitue-pg-{os.getpid()}"
    folder.mkdir(mode=0o755)
    secret = folder / "secret"
    secret.write_text("s3cr3t%word\n")
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        shutil.chown(secret, "postgres")
    data = folder / "data"
    options = f"-k {folder} -c listen_addresses='' -p 54329 -c fsync=off"
    try:
        _as_postgres(
            POSTGRES / "initdb",
            "-D",
            data,
            "-U",
            "habitue",
            "-A",
            "scram-sha-256",
            f"--pwfile={secret}",
            "-N",
        )
        _as_postgres(POSTGRES / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield Postgres(folder, "s3cr3t%25word")
        finally:
            _as_postgres(POSTGRES / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
