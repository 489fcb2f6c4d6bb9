"""What a feature or relation may use says on Spark what it says in DuckDB, on awkward values."""

from __future__ import annotations

import pytest
from awkward import AGGREGATES, AWKWARD, INEXACT, VALUES, WINDOWS, aggregates_sql, nothing_sql, windows_sql
from equality import assert_same, embedded

from habitue.records.spark import SparkEngine

pytestmark = [pytest.mark.slow, pytest.mark.spark]


@pytest.fixture(scope="module")
def engine(spark):
    engine = SparkEngine(spark)
    engine.register("awkward", AWKWARD)
    return engine


@pytest.mark.parametrize(
    ("sql", "names"),
    [(aggregates_sql(), AGGREGATES), (windows_sql(), WINDOWS), (nothing_sql(), AGGREGATES)],
    ids=["aggregates", "single rows", "no row"],
)
def test_spark_says_what_duckdb_says(engine, sql, names):
    expected, found = embedded(sql), engine.frame(sql, VALUES)
    assert len(found) == len(expected) > 0
    for name in names:
        assert_same(found[name], expected[name], exactly=name not in INEXACT, name=name)


def test_columns_have_the_types_that_duckdb_names(engine):
    assert engine.columns("awkward") == {
        "k": "BIGINT",
        "nth": "BIGINT",
        "day": "DATE",
        "opened": "TIMESTAMP",
        "closed": "TIMESTAMP",
        "n": "BIGINT",
        "amount": "DECIMAL(18, 6)",
        "wide": "DECIMAL(38, 6)",
        "x": "DOUBLE",
        "plan": "VARCHAR",
        "flag": "BOOLEAN",
        "other": "BOOLEAN",
    }


def test_a_frame_has_the_types_that_duckdb_returns(engine):
    sql = "SELECT day, amount, n, x FROM awkward WHERE k = 2"
    assert engine.frame(sql).to_dict("list") == embedded(sql).to_dict("list")


def test_what_is_registered_is_seen_there_alone_and_forgotten(spark, engine):
    engine.register("fleeting", spark.range(3))
    assert "fleeting" in engine.table_names()
    assert engine.rows("SELECT COUNT(*) FROM fleeting") == [(3,)]
    assert not spark.catalog.tableExists("fleeting")
    engine.unregister("fleeting")
    assert "fleeting" not in engine.table_names()
