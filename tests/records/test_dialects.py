"""One SQL text means the same on every engine: DuckDB beside a real PostgreSQL, on awkward values.

Spark is tried on the same values in ``tests/spark``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sqlglot
from awkward import AGGREGATES, AWKWARD, INEXACT, VALUES, WINDOWS, aggregates_sql, nothing_sql, windows_sql
from equality import assert_same, embedded
from many_logs import Everything, everything
from sqlglot import exp

from habitue.errors import SettingsError
from habitue.features import FEATURES
from habitue.features.feature import ALLOWED
from habitue.features.relations import RELATIONS
from habitue.records import DuckDBEngine
from habitue.records.dialects import DIALECTS, canonical, translated

# Text is ordered as people do in an English dictionary, not by bytes, unless the statement says so.
AWKWARD_TABLE = """
CREATE TABLE awkward (
    k BIGINT, nth BIGINT, day DATE, opened TIMESTAMP, closed TIMESTAMP, n BIGINT, amount NUMERIC(18, 6),
    wide NUMERIC(38, 6), x DOUBLE PRECISION, plan TEXT COLLATE "en-x-icu", flag BOOLEAN, other BOOLEAN)
"""

# Names that are no function there: what a translation would have left as it was in DuckDB.
UNKNOWN = {
    "snowflake": ("QUANTILE", "ARG_M", "DATE_DIFF", "TRY_CAST", "FILTER(", "//", " DIV "),
    "bigquery": ("QUANTILE", "PERCENTILE_DISC", "ARG_M", "TRY_CAST", "FILTER(", "//", "DOUBLE", "DATEDIFF"),
}  # fmt: skip


@pytest.fixture(scope="module")
def cursor(postgres: Any) -> Iterator[Any]:
    """Connect to the server, on which the awkward table is."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(postgres.url, autocommit=True) as connection, connection.cursor() as opened:
        opened.execute(AWKWARD_TABLE)
        opened.adbc_ingest("awkward", AWKWARD, mode="append")
        yield opened


def frame_of(cursor: Any, sql: str) -> Any:
    cursor.execute(sql)
    return cursor.fetch_arrow_table().to_pandas()


@pytest.mark.parametrize(
    ("sql", "names"),
    [(aggregates_sql(), AGGREGATES), (windows_sql(), WINDOWS), (nothing_sql(), AGGREGATES)],
    ids=["aggregates", "single rows", "no row"],
)
def test_postgres_says_what_duckdb_says(cursor, sql, names):
    expected, found = embedded(sql), frame_of(cursor, translated(sql, "postgres", VALUES))
    assert len(found) == len(expected) > 0
    for name in names:
        assert_same(found[name], expected[name], exactly=name not in INEXACT, name=name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    """Return a log of all kinds of record with all features, built by the embedded database."""
    return everything(tmp_path_factory.mktemp("everything"))


@pytest.mark.slow
def test_all_features_are_the_same_on_postgres(cursor, whole):
    for name, table in whole.tables.items():
        cursor.adbc_ingest(name, table)
    sql = translated(whole.sql, "postgres", whole.values)
    found = frame_of(cursor, sql).set_index("customer_id")
    assert list(found.index) == list(whole.built.index)
    assert list(found.columns) == list(whole.built.columns)
    for chosen in whole.features:
        assert_same(
            found[chosen.name],
            whole.built[chosen.name],
            exactly="LN(" not in chosen.sql and "EXP(" not in chosen.sql,
            name=chosen.name,
        )


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["snowflake", "bigquery"])
def test_other_warehouses_get_text_that_can_be_read_back(whole, dialect, caplog):
    """No more is claimed: these two are not run. What sqlglot cannot translate it says to its logger."""
    text = translated(whole.sql, dialect, whole.values)
    assert caplog.records == []
    assert sqlglot.parse_one(text, dialect=dialect).find(exp.With)
    assert [name for name in UNKNOWN[dialect] if name in text] == []
    assert "$" not in text


def kinds_in(sql: str) -> set[type[exp.Expr]]:
    return {type(node) for node in sqlglot.parse_one(sql, dialect="duckdb").walk()}


def test_whatever_a_feature_may_call_is_among_the_awkward_constructs():
    tried = {kind for sql in AGGREGATES.values() for kind in kinds_in(sql)}
    assert [kind.__name__ for kind in ALLOWED if kind not in tried] == []


def test_whatever_features_and_relations_use_is_among_the_awkward_constructs():
    plumbing = {
        exp.With,
        exp.CTE,
        exp.Join,
        exp.Union,
        exp.Star,
        exp.Group,
        exp.Order,
        exp.Table,
        exp.TableAlias,
    }
    plumbing |= {exp.Select, exp.From, exp.Where, exp.Subquery, exp.Alias, exp.Identifier, exp.Distinct}
    tried = {kind for sql in [*AGGREGATES.values(), *WINDOWS.values()] for kind in kinds_in(sql)}
    texts = {chosen.name: chosen.sql for chosen in FEATURES}
    texts |= {
        name: relation.sql.format(key="customer_id") for name, relation in RELATIONS.items() if relation.sql
    }
    untried = {
        name: [kind.__name__ for kind in kinds_in(sql) - tried - plumbing] for name, sql in texts.items()
    }
    assert {name: kinds for name, kinds in untried.items() if kinds} == {}


@pytest.mark.parametrize("name", AGGREGATES)
def test_a_canonical_text_stays_as_it_is(name):
    once = canonical(AGGREGATES[name]).sql("duckdb")
    assert canonical(once).sql("duckdb") == once


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SUM(n) / COUNT(*)", 2.75),
        ("COUNT(*) / 0", np.nan),
        ("SUM(n) / (COUNT(*) - 4)", np.nan),
        ("COUNT(*) // (COUNT(*) - 4)", np.nan),
        ("COUNT(*) % (COUNT(*) - 4)", np.nan),
        ("SUM(n) / COUNT(*) / 2", 1.375),
        ("SUM(n) / (COUNT(*) / 2)", 5.5),
        ("SUM(n) / NULLIF(COUNT(*), 4)", np.nan),
        ("NULLIF(COUNT(*), 4) / 2", np.nan),
        ("LN(COUNT(*) - 4)", np.nan),
        ("SQRT(MIN(n))", np.nan),
        ("SQRT(COUNT(*) - 4)", 0.0),
        ("QUANTILE_DISC(n, 0.5)", 2.0),
        ("ARG_MAX(n, k)", 10.0),
    ],
)
def test_what_mathematics_leaves_open_has_no_value(sql, expected):
    engine = DuckDBEngine(threads=1)
    engine.register("t", pa.table({"k": [1, 2, 3, 4, 5], "n": [-3, 2, 2, 10, None]}))
    query = f"SELECT CAST({sql} AS DOUBLE) AS v FROM t WHERE k < 5"
    assert_same(engine.frame(canonical(query).sql("duckdb"))["v"], [expected], exactly=True, name=sql)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_days_and_numbers_are_written_as_constants(dialect):
    text = translated("SELECT day FROM t WHERE DATE_DIFF('day', day, $cutoff) < $horizon", dialect, VALUES)
    assert "2024-09-30" in text
    assert "45" in text
    assert "$" not in text


def test_constructs_inside_each_other_are_all_mended():
    sql = "DATE_DIFF('day', ARG_MAX(a, DATE_DIFF('second', b, c)) FILTER (WHERE d), ARG_MIN(e, f))"
    spark = translated(f"SELECT {sql} FROM t", "spark", {})
    assert spark.count("MAX_BY") == spark.count("MIN_BY") == 1
    assert spark.count("FILTER") == 2
    assert "DATEDIFF(SECOND" not in spark
    assert "ARRAY_AGG" in translated(f"SELECT {sql} FROM t", "postgres", {})


def test_units_that_engines_count_differently_are_refused():
    with pytest.raises(
        SettingsError, match=r"DATE_DIFF in units of week .* use one of day, month, year, second"
    ):
        canonical("DATE_DIFF('week', a, b)")


def test_an_unknown_dialect_is_refused():
    with pytest.raises(
        SettingsError, match="There is no dialect 'oracle'; known are duckdb, spark, postgres"
    ):
        translated("SELECT 1", "oracle")
