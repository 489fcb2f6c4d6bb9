"""The scorecard and the audit of a large base, of a log that was read before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from benchmarks.measuring import Row, alone
from habitue.records import CustomerLog, DuckDBEngine
from habitue.scorecard import scorecard
from habitue.scorecard.audit_records import cohort_periods, two_periods

START, END = date(2023, 12, 31), date(2024, 12, 30)
MEMORY = "2500MB"
"""What DuckDB may hold; the process adds Python, pandas and the rows of a period, one a customer."""

_PER_CUSTOMER = 20
_MAKE = {
    "transactions": """
        SELECT CAST(floor({n_customers} * pow(random(), 1.7)) AS BIGINT) AS customer_id,
            DATE '2023-01-01' + CAST(floor(random() * 730) AS INTEGER) AS timestamp,
            CAST(round(exp(3 + random() * 1.5), 2) AS DECIMAL(18, 2)) AS amount,
            ['web', 'app', 'store'][1 + CAST(floor(random() * 3) AS INTEGER)] AS channel
        FROM range({n_rows})
    """,
    "customers": """
        SELECT range AS customer_id, ['a', 'b', 'c', 'd'][1 + CAST(floor(random() * 4) AS INTEGER)] AS segment
        FROM range({n_customers})
    """,
    "feedback": """
        SELECT CAST(floor({n_customers} * random()) AS BIGINT) AS customer_id, 'nps' AS survey,
            TIMESTAMP '2024-01-01' + to_seconds(CAST(random() * 365 * 86400 AS BIGINT)) AS timestamp,
            CAST(floor(random() * 11) AS INTEGER) AS score
        FROM range({n_customers} // 4)
    """,
}


def stored_business(folder: Path, n_rows: int) -> Path:
    """Write purchases of two years, segments, and answers of the second year; return their folder."""
    home = folder / f"business_{n_rows}"
    home.mkdir(exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")  # so that random() draws the same on every machine
        connection.execute("SELECT setseed(0.5)")
        for kind, query in _MAKE.items():
            sql = query.format(n_rows=n_rows, n_customers=n_rows // _PER_CUSTOMER)
            connection.execute(f"COPY ({sql}) TO '{home / kind}.parquet' (FORMAT parquet)")
    return home


def read(home: Path) -> CustomerLog:
    """Pass the business through the door."""
    tables: dict[str, Any] = {kind: pq.read_table(home / f"{kind}.parquet") for kind in _MAKE}
    engine = DuckDBEngine(memory_limit=MEMORY)
    return CustomerLog(**tables, observed_until=END, engine=engine)


def whole_card(home: Path) -> Callable[[], Any]:
    """Return the scorecard of a year over all, by segment and by cohort."""
    log = read(home)
    return lambda: scorecard(log, start=START, end=END, by=("segment", "cohort"))


def monthly_card(home: Path) -> Callable[[], Any]:
    """Return the scorecard of a year by month, segment, cohort and channel."""
    log = read(home)
    return lambda: scorecard(log, start=START, end=END, by=("month", "segment", "cohort", "channel"))


def audit(home: Path) -> Callable[[], Any]:
    """Return the records of the audit: both years for each customer, and the cells of cohorts by month."""
    history = read(home).until(END)
    years = (date(2022, 12, 31), START), (START, END)
    return lambda: (two_periods(history, first=years[0], second=years[1]), cohort_periods(history))


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Yield what each takes; nobody else does the same."""
    n_rows = 2_000_000 if quick else 20_000_000
    home = stored_business(folder, n_rows)
    size = f"{n_rows:,} purchases of {n_rows // _PER_CUSTOMER:,} customers"
    for work, what in (
        ("whole_card", "scorecard of a year, by segment and cohort"),
        ("monthly_card", "the same by month and channel too"),
        ("audit", "two years of each customer, and cohorts by month"),
    ):
        done = alone(work, home, repeats=1)
        limit = (
            f"Log read before, DuckDB held to {MEMORY}; the process peaked at {done.facts['peak']:,.0f} MB."
        )
        yield Row(f"{what}: {size}", done, "", None, None, limit)
