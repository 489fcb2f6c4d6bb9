"""`read_records` and `read_log`: sources of any names and places become one log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import DataError, HabitueError, HabitueWarning, SchemaError
from habitue.records import SCHEMAS, CustomerLog, DuckDBEngine, Source, read_log, read_records

ORDERS = pd.DataFrame(
    {"customer_id": [1, 2], "timestamp": ["2024-01-01", "2024-03-01"], "amount": [5.0, 6.0]}
)


@pytest.fixture(scope="module")
def frames() -> dict[str, Any]:
    return dict(hb.simulate_business(n_customers=30).frames)


def test_named_columns_are_the_canonical_ones(frames: dict[str, Any]) -> None:
    names = {kind: {name: f"its {name}" for name in frame.columns} for kind, frame in frames.items()}
    known = {kind: {column.name for column in SCHEMAS[kind].columns} for kind in frames}
    sources = {
        kind: Source(
            frame.rename(columns={name: new for name, new in names[kind].items() if name in known[kind]}),
            {name: new for name, new in names[kind].items() if name in known[kind]},
        )
        for kind, frame in reversed(frames.items())
    }
    found, expected = read_records(sources), CustomerLog(**frames)
    assert found.kinds == expected.kinds
    assert found.fingerprint() == expected.fingerprint()


def test_two_tables_of_one_database_and_a_query(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as database:
        database.sql("CREATE TABLE o AS SELECT 1 AS who, DATE '2024-01-01' AS d, 5.5 AS paid")
        database.sql("CREATE TABLE t AS SELECT 1 AS who, DATE '2024-02-01' AS opened_at, 'x' AS topic")
    log = read_records(
        {
            "transactions": Source(
                path, {"customer_id": "who", "timestamp": "d", "amount": "paid"}, table="o"
            ),
            "tickets": Source(path, {"customer_id": "who"}, query="SELECT * FROM t WHERE topic = 'x'"),
        }
    )
    assert {kind: check.n_admitted for kind, check in log.checks.items()} == {"transactions": 1, "tickets": 1}
    assert str(log.observed_until) == "2024-02-01"


def test_each_source_is_read_in_its_own_way_and_the_log_in_one(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text(
        "customer_id|timestamp|amount\n1|31/12/2023 23:30|5,5\n1|15/06/2024 00:00|1,0\n"
    )
    (tmp_path / "c.csv").write_text("customer_id,started_at,price\n1,2024-01-01T06:30:00Z,5.5\n")
    log = read_records(
        {
            "contracts": Source(str(tmp_path / "c.csv")),
            "transactions": Source(
                tmp_path / "o.csv", timestamp_format="%d/%m/%Y %H:%M", decimal=",", delimiter="|"
            ),
        },
        timezone="America/Los_Angeles",
        observed_until="2024-12-31",
    )
    assert log.kinds == ("transactions", "contracts")
    assert str(log.engine.rows("SELECT day FROM contracts")[0][0]) == "2023-12-31"
    assert (str(log.first_day), str(log.observed_until)) == ("2023-12-31", "2024-12-31")


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ({}, "A log needs transactions or contracts"),
        ({"tickets": Source(ORDERS)}, "A log needs transactions or contracts"),
        ({"tranactions": Source(ORDERS)}, "no kind of record 'tranactions'; did you mean 'transactions'"),
        (
            {"transactions": Source(ORDERS, {"ammount": "x"})},
            "transactions have no column 'ammount'; did you mean",
        ),
        ({"transactions": Source(ORDERS, {"amount": "x"})}, r"missing x \(for amount\)"),
        ({"transactions": Source(ORDERS), "tickets": Source("no.csv")}, "There is no file no.csv"),
    ],
)
def test_what_cannot_be_read_is_told(sources: dict[str, Source], told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_records(sources)


def test_an_error_names_the_source_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("customer_id,opened_at\n1,01/02/2024\n2,03/02/2024\n")
    with pytest.raises(
        SchemaError, match=r"t\.csv: 'opened_at' \(for opened_at\) can be read in more than one way"
    ):
        read_records({"transactions": Source(ORDERS), "tickets": Source(tmp_path / "t.csv")})


def test_rows_set_aside_are_warned_of_where_the_reader_is_called() -> None:
    bad = pd.concat([ORDERS, pd.DataFrame({"customer_id": [3], "timestamp": ["no day"], "amount": [1.0]})])
    for read in (lambda: read_log(bad), lambda: read_records({"transactions": Source(bad)})):
        with pytest.warns(HabitueWarning, match="1 of 3 rows of transactions") as caught:
            read()
        assert caught[0].filename == __file__


def test_days_after_today_are_set_aside_in_every_kind() -> None:
    tickets = pd.DataFrame({"customer_id": [1, 1], "opened_at": ["2024-02-01", "2204-02-01"]})
    with pytest.warns(HabitueWarning, match="1 of 2 rows of tickets"):
        log = read_records(
            {"transactions": Source(ORDERS), "tickets": Source(tickets)}, not_after="2024-12-31"
        )
    assert str(log.observed_until) == "2024-03-01"


def test_recorded_at_may_have_another_name() -> None:
    late = ORDERS.assign(loaded=["2024-01-01", "2024-06-01"])
    log = read_log(late, recorded_at="loaded", observed_until="2024-12-31")
    query = log.until("2024-04-01").relation("transactions")
    assert log.engine.rows(f"SELECT count(*) FROM ({query})", {"cutoff": "2024-04-01"})[0][0] == 1


def test_rates_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("currency,rate,valid_from\nEUR,1,\nUSD,0.92,2024-01-01\n")
    orders = ORDERS.assign(currency=["EUR", "USD"], amount=["5", "100"])
    log = read_log(orders, rates=tmp_path / "rates.csv", engine=DuckDBEngine(memory_limit="500MB"))
    assert [float(row[0]) for row in log.engine.rows("SELECT amount FROM transactions ORDER BY day")] == [
        5.0,
        92.0,
    ]
    for content in ("currency\nEUR\n", "currency,rate\nEUR,none\n"):
        (tmp_path / "rates.csv").write_text(content)
        with pytest.raises(HabitueError, match="rate"):
            read_log(orders, rates=str(tmp_path / "rates.csv"))
