"""What the tests of records share: files to read, a way to read one cell."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from habitue.errors import HabitueWarning
from habitue.records import CustomerLog, read_log


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
