"""Purchases of many customers in a Parquet file, and what is done with them: by us, by hand, by lifetimes.

Every piece of work begins at the file or at what was read of it before, as its name says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from habitue.features import LITERATURE, build, features_for
from habitue.pipelines.features import write_features
from habitue.records import CustomerLog, DuckDBEngine, read_log

CUTOFF, HORIZON = date(2023, 9, 30), 91
MEMORY = "2500MB"
"""What DuckDB may hold; the process adds Python, pandas and, at the end, the answer."""

_PER_CUSTOMER = 13.3
_MAKE = """
COPY (
    SELECT CAST(floor({n_customers} * pow(random(), 1.7)) AS BIGINT) AS customer_id,
        TIMESTAMP '2022-01-01' + to_seconds(CAST(random() * 730 * 86400 AS BIGINT)) AS timestamp,
        CAST(round(exp(3 + random() * 1.5), 2) AS DECIMAL(18, 2)) AS amount
    FROM range({n_rows})
) TO '{path}' (FORMAT parquet)
"""

BY_HAND = """
WITH visits AS (
    SELECT customer_id, CAST(timestamp AS DATE) AS day, SUM(amount) AS amount
    FROM '{path}' WHERE amount >= 0 AND timestamp < DATE '2023-10-01' GROUP BY 1, 2
)
SELECT customer_id, COUNT(*) - 1 AS frequency, date_diff('day', MIN(day), MAX(day)) AS recency,
    date_diff('day', MIN(day), DATE '2023-09-30') AS T,
    coalesce((SUM(amount) - arg_min(amount, day)) / nullif(COUNT(*) - 1, 0), 0) AS monetary_value
FROM visits GROUP BY 1 ORDER BY 1
"""


def stored_purchases(folder: Path, n_rows: int) -> Path:
    """Write purchases of two years: a few customers with many, many with few."""
    path = folder / f"purchases_{n_rows}.parquet"
    n_customers = max(int(n_rows / _PER_CUSTOMER), 10)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")  # so that random() draws the same on every machine
        connection.execute("SELECT setseed(0.5)")
        connection.execute(_MAKE.format(path=path, n_rows=n_rows, n_customers=n_customers))
    return path


def read(path: Path, *, on_disk: bool = False) -> CustomerLog:
    """Pass purchases through the door; records in memory, or in a file beside the source."""
    place = path.with_suffix(".duckdb") if on_disk else None
    if place is not None:
        place.unlink(missing_ok=True)
    return read_log(path, engine=DuckDBEngine(memory_limit=MEMORY, path=place))


def literature(log: CustomerLog) -> pd.DataFrame:
    """Return frequency, recency, T and monetary_value."""
    return build(log.until(CUTOFF), LITERATURE, horizon=HORIZON)


def by_hand(path: Path) -> Callable[[], Any]:
    """Return the four columns by SQL written for nothing else, straight from the file."""
    return lambda: duckdb.connect().execute(BY_HAND.format(path=path)).df()


def from_file(path: Path) -> Callable[[], Any]:
    """Return the four columns from the file, every row checked at the door."""
    return lambda: literature(read(path))


def from_log(path: Path) -> Callable[[], Any]:
    """Return the four columns of a log that was read before."""
    log = read(path)
    return lambda: literature(log)


def by_lifetimes(path: Path) -> Callable[[], Any]:
    """Return the four columns by lifetimes, of a frame that was read before."""
    from lifetimes.utils import summary_data_from_transaction_data

    frame = pd.read_parquet(path).astype({"amount": float})
    return lambda: summary_data_from_transaction_data(
        frame, "customer_id", "timestamp", "amount", observation_period_end=str(CUTOFF)
    )


def literature_to_file(path: Path, *, on_disk: bool = False) -> Callable[[], Any]:
    """Return the four columns of a log that was read before, written to a file."""
    log = read(path, on_disk=on_disk)
    return lambda: _write(log, LITERATURE, path)


def everything_to_file(path: Path, *, on_disk: bool = False) -> Callable[[], Any]:
    """Return all features of a log that was read before, written to a file."""
    log = read(path, on_disk=on_disk)
    return lambda: _write(log, features_for(log.until(CUTOFF)), path)


def door(path: Path, *, on_disk: bool = False) -> Callable[[], Any]:
    """Return the passage through the door."""
    return lambda: read(path, on_disk=on_disk)


def _write(log: CustomerLog, features: Any, path: Path) -> Any:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        return write_features(log, CUTOFF, features, Path(folder) / "features.parquet", horizon=HORIZON)
