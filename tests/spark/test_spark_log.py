"""Logs that stay on a cluster: the same features as in DuckDB, local days, what is set aside or refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from equality import assert_same
from many_logs import OBSERVED_UNTIL

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.features import FEATURES, LITERATURE, build, statement
from habitue.records import CustomerLog
from habitue.records.dialects import translated
from habitue.records.quarantine import write_quarantine
from habitue.records.spark import read_spark_log
from habitue.snapshots import Window, take_snapshot
from habitue.snapshots.population import learn_population

pytestmark = [pytest.mark.slow, pytest.mark.spark]


@pytest.fixture(scope="module")
def spark_log(spark, whole):
    frames = {kind: spark.read.parquet(str(whole.folder / f"{kind}.parquet")) for kind in whole.log.kinds}
    return read_spark_log(spark, observed_until=OBSERVED_UNTIL, **frames)


def test_all_features_are_the_same_on_spark(spark_log, whole):
    history = spark_log.until(whole.history.cutoff)
    with whole.population.readable_in(history.engine):
        found = build(history, whole.features, horizon=whole.values["horizon"])
    assert list(found.index) == list(whole.built.index)
    assert list(found.columns) == list(whole.built.columns)
    for chosen in whole.features:
        exactly = "LN(" not in chosen.sql and "EXP(" not in chosen.sql
        assert_same(found[chosen.name], whole.built[chosen.name], exactly=exactly, name=chosen.name)


def test_a_log_on_spark_tells_what_the_embedded_one_tells(spark_log, whole):
    assert spark_log.kinds == tuple(kind for kind in spark_log.kinds if kind in whole.log.kinds)
    assert set(spark_log.kinds) == set(whole.log.kinds)
    assert (spark_log.first_day, spark_log.observed_until) == (whole.log.first_day, whole.log.observed_until)
    assert spark_log.n_customers == whole.log.n_customers
    for kind, check in spark_log.checks.items():
        assert check.n_admitted == whole.log.checks[kind].n_admitted
        assert check.n_quarantined == 0


def test_what_is_learned_of_the_population_is_the_same(spark_log, whole):
    assert learn_population(spark_log.until(whole.history.cutoff)).to_json() == whole.population.to_json()


def test_the_printed_statement_runs_in_a_session_of_any_time_zone(spark, whole):
    """As ``habitue features --sql spark`` prints it, in a session that nobody prepared."""
    frames = {kind: spark.read.parquet(str(whole.folder / f"{kind}.parquet")) for kind in whole.log.kinds}
    for kind, frame in frames.items():
        frame.createOrReplaceTempView(kind)
    timed = ("first_response_hours_mean", "days_since_ticket", "days_since_acquisition", "acquired_month")
    chosen = [*LITERATURE, *(one for one in FEATURES if one.name in timed)]
    sql = translated(statement(whole.history, chosen), "spark", whole.values)
    assert spark.conf.get("spark.sql.session.timeZone") == "America/New_York"
    found = spark.sql(sql).toArrow().to_pandas().set_index("customer_id")
    pd.testing.assert_frame_equal(found, whole.built[[one.name for one in chosen]], check_exact=True)
    for kind in frames:
        spark.catalog.dropTempView(kind)


def test_the_matrix_is_written_where_the_records_are(spark, spark_log, whole, tmp_path):
    history = spark_log.until(whole.history.cutoff)
    matrix = history.engine.query(statement(history, LITERATURE), {"cutoff": history.cutoff})
    matrix.write.parquet(str(tmp_path / "matrix"))
    found = pd.read_parquet(tmp_path / "matrix").set_index("customer_id").sort_index()
    pd.testing.assert_frame_equal(found, whole.built[[one.name for one in LITERATURE]], check_exact=True)


def transactions(rows, *, of=None):
    """Return a small table of purchases: customer, instant, amount."""
    instants = of or pa.timestamp("us")
    schema = pa.schema(
        [("customer_id", pa.int64()), ("timestamp", instants), ("amount", pa.decimal128(18, 2))]
    )
    names = schema.names
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=schema)


def in_utc(*told):
    return dt.datetime(*told, tzinfo=ZoneInfo("UTC"))


def test_instants_with_a_zone_become_local_days(spark):
    """Around midnight in Paris, in winter and summer, and through both changes of the clock."""
    instants = [
        in_utc(2024, 1, 31, 22, 59, 59),
        in_utc(2024, 1, 31, 23, 0),
        in_utc(2024, 2, 29, 23, 30),
        in_utc(2024, 3, 30, 22, 59),
        in_utc(2024, 3, 30, 23, 0),
        in_utc(2024, 3, 31, 0, 59, 59),
        in_utc(2024, 3, 31, 1, 0),
        in_utc(2024, 3, 31, 21, 59),
        in_utc(2024, 3, 31, 22, 0),
        in_utc(2024, 10, 26, 21, 59),
        in_utc(2024, 10, 26, 22, 0),
        in_utc(2024, 10, 27, 0, 30),
        in_utc(2024, 10, 27, 1, 30),
        in_utc(2024, 10, 27, 22, 59),
        in_utc(2024, 10, 27, 23, 0),
    ]
    table = transactions(
        [(place, instant, Decimal(5)) for place, instant in enumerate(instants)], of=pa.timestamp("us", "UTC")
    )
    log = read_spark_log(spark, timezone="Europe/Paris", transactions=spark.createDataFrame(table))
    found = log.engine.rows("SELECT customer_id, day, timestamp FROM transactions ORDER BY customer_id")
    paris = [instant.astimezone(ZoneInfo("Europe/Paris")) for instant in instants]
    assert [row[1] for row in found] == [local.date() for local in paris]
    assert [row[2] for row in found] == [local.replace(tzinfo=None) for local in paris]
    beside = CustomerLog(transactions=table, timezone="Europe/Paris")
    assert beside.engine.rows("SELECT customer_id, day FROM transactions ORDER BY 1") == [
        row[:2] for row in found
    ]


def test_instants_without_a_zone_and_days_stay(spark):
    """Also those that no clock in the stated zone ever showed."""
    clocks = ["2024-01-01 00:00:00", "2024-03-10 02:30:00", "2024-03-31 02:30:00"]
    for read in ("TIMESTAMP_NTZ", "DATE"):
        rows = [
            f"SELECT 1 AS customer_id, CAST('{clock}' AS {read}) AS timestamp, 1 AS amount"
            for clock in clocks
        ]
        table = spark.sql(" UNION ALL ".join(rows))
        log = read_spark_log(spark, timezone="America/New_York", transactions=table)
        found = log.engine.rows("SELECT day FROM transactions ORDER BY day")
        assert [str(day) for (day,) in found] == [clock[:10] for clock in clocks]


@pytest.fixture(scope="module")
def odd_log(spark):
    sound = [(1, dt.datetime(2024, 1, 1), Decimal(5)), (1, dt.datetime(2024, 3, 1), Decimal(7))]
    rows = [
        *sound,
        (None, dt.datetime(2024, 1, 1), Decimal(5)),
        (2, None, Decimal(5)),
        (2, dt.datetime(2024, 1, 1), None),
        (2, dt.datetime(1800, 1, 1), Decimal(5)),
        (2, dt.datetime(2025, 1, 1), Decimal(5)),
    ]
    return read_spark_log(
        spark, observed_until="2024-06-30", transactions=spark.createDataFrame(transactions(rows))
    )


def test_rows_that_cannot_be_used_are_set_aside_with_the_reason(odd_log):
    check = odd_log.checks["transactions"]
    assert (check.n_rows, check.n_admitted, odd_log.n_customers) == (7, 2, 1)
    assert check.quarantined == {
        "customer_id is missing or cannot be read": 1,
        "timestamp is missing or cannot be read": 1,
        "amount is missing or cannot be read": 1,
        "timestamp is a day before 1900": 1,
        "timestamp is after 2024-06-30, up to which the log is complete": 1,
    }
    aside = odd_log.quarantine()
    assert sorted(aside["reason"]) == sorted(check.quarantined)
    assert any('"amount":5.00' in raw and "1800" in raw for raw in aside["raw"])


def test_files_are_written_by_the_cluster(odd_log, tmp_path):
    with pytest.raises(SettingsError, match=r"log\.engine\.query\(log\.quarantine_sql\(\)\)\.write"):
        write_quarantine(odd_log, tmp_path / "aside.parquet")


def test_a_fingerprint_depends_on_the_records_and_not_on_their_order(spark):
    rows = [(place % 3, dt.datetime(2024, 1, 1 + place), Decimal(place)) for place in range(9)]

    def fingerprint(some):
        return read_spark_log(spark, transactions=spark.createDataFrame(transactions(some))).fingerprint()

    assert fingerprint(rows) == fingerprint(rows[::-1])
    assert fingerprint(rows) != fingerprint([*rows[:-1], (*rows[-1][:2], Decimal(99))])
    assert fingerprint(rows) != fingerprint([*rows, rows[-1]])


def test_ids_are_text_everywhere_where_they_are_somewhere(spark):
    buys = spark.createDataFrame(transactions([(1, dt.datetime(2024, 1, 1), Decimal(5))]))
    calls = spark.sql("SELECT ' 1 ' AS customer_id, DATE '2024-01-01' AS timestamp, 'call' AS event")
    log = read_spark_log(spark, transactions=buys, events=calls)
    assert log.engine.rows("SELECT customer_id FROM transactions JOIN events USING (customer_id)") == [("1",)]


def test_outcomes_of_a_snapshot_are_the_same(spark):
    rows = [
        (place % 5, dt.datetime(2024, 1, 1) + dt.timedelta(days=7 * place), Decimal(place))
        for place in range(40)
    ]
    table = transactions(rows)
    window = Window("2024-06-30", horizon=60)
    names = [chosen.name for chosen in LITERATURE]
    beside = take_snapshot(CustomerLog(transactions=table), window, names)
    found = take_snapshot(read_spark_log(spark, transactions=spark.createDataFrame(table)), window, names)
    pd.testing.assert_frame_equal(found.X, beside.X, check_exact=True)
    pd.testing.assert_frame_equal(found.outcomes, beside.outcomes, check_exact=True)


SOUND = "SELECT 1 AS customer_id, DATE '2024-01-01' AS timestamp, 5 AS amount"


@pytest.mark.parametrize(
    ("tables", "error", "message"),
    [
        ({}, SchemaError, "No table was named; kinds of record are transactions"),
        ({"orders": SOUND}, SchemaError, "There is no kind of record orders"),
        (
            {"transactions": "SELECT 1 AS customer_id, 5 AS amount"},
            SchemaError,
            "lacks timestamp. The columns there",
        ),
        (
            {"transactions": "SELECT 1 AS customer_id, '2024-01-01' AS timestamp, 5 AS amount"},
            SchemaError,
            r"cast to TIMESTAMP or DATE first: timestamp \(string\)",
        ),
        (
            {"transactions": "SELECT 1.5D AS customer_id, DATE '2024-01-01' AS timestamp, 5 AS amount"},
            SchemaError,
            "customer_id is of type double; cast it to BIGINT or STRING",
        ),
        (
            {"transactions": "SELECT 1 AS customer_id, DATE '2024-01-01' AS timestamp, 'x' AS amount"},
            DataError,
            r"none of its rows can be used: amount is missing or cannot be read \(1\)",
        ),
        (
            {
                "transactions": SOUND,
                "customers": "SELECT EXPLODE(ARRAY(1, 1)) AS customer_id, 'a' AS segment",
            },
            DataError,
            "Some customers have several rows of one customer_id",
        ),
        (
            {"events": "SELECT 1 AS customer_id, DATE '2024-01-01' AS timestamp, 'call' AS event"},
            SchemaError,
            "A log needs transactions or contracts",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_out(spark, tables, error, message):
    with pytest.raises(error, match=message):
        read_spark_log(spark, **{kind: spark.sql(sql) for kind, sql in tables.items()})
