"""Sources: the same rows give the same log, wherever they lie."""

from __future__ import annotations

import decimal
import traceback

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from habitue.errors import DataError, SchemaError, SettingsError


def _sources(frame, folder):
    """Yield the same rows in every sort of source that needs no server."""
    yield "pandas", frame, {}
    yield "objects", frame.astype(object), {}
    yield "texts", frame.astype(str), {}
    yield "categories", frame.astype("category"), {}
    yield "arrow types", frame.convert_dtypes(dtype_backend="pyarrow"), {}
    yield "tz-aware", frame.assign(timestamp=frame["timestamp"].dt.tz_localize("UTC")), {}
    for unit in ("s", "ms", "us", "ns"):
        yield unit, frame.astype({"timestamp": f"datetime64[{unit}]"}), {}
    decimals = [decimal.Decimal(repr(value)) for value in frame["amount"]]
    yield "decimal objects", frame.assign(amount=pd.Series(decimals, dtype=object)), {}
    yield "polars", pl.from_pandas(frame), {}
    table = pa.Table.from_pandas(frame, preserve_index=False)
    yield "arrow", table, {}
    money = table["amount"].cast(pa.decimal128(30, 10), safe=False)
    yield "arrow decimals", table.set_column(2, "amount", money), {}
    yield "batches", table.to_reader(max_chunksize=5), {}
    yield "shuffled", frame.sample(frac=1, random_state=3), {}
    yield "shuffled polars", pl.from_pandas(frame).sample(fraction=1, shuffle=True, seed=1), {}
    frame.to_csv(folder / "rows.csv", index=False)
    yield "csv", folder / "rows.csv", {}
    frame.to_csv(folder / "indexed.csv.gz", sep=";")
    yield "csv with an index", str(folder / "indexed.csv.gz"), {}
    frame.to_parquet(folder / "rows.parquet")
    yield "parquet", folder / "rows.parquet", {}
    (folder / "parts").mkdir()
    pq.write_to_dataset(
        table.append_column("half", pa.array(np.arange(len(frame)) % 2)), folder / "parts", ["half"]
    )
    yield "hive", folder / "parts", {}
    with duckdb.connect(folder / "shop.duckdb") as base:
        base.execute("CREATE TABLE orders AS SELECT * FROM frame")
        base.execute("CREATE SCHEMA old; CREATE TABLE old.orders AS SELECT * FROM frame LIMIT 1")
        base.execute("CREATE VIEW seen AS SELECT * FROM orders")
    yield "duckdb", folder / "shop.duckdb", {"table": "orders"}
    yield "duckdb view", folder / "shop.duckdb", {"table": "seen"}
    yield "duckdb query", folder / "shop.duckdb", {"query": "SELECT * FROM orders WHERE amount > -1e9"}


def test_the_same_rows_give_the_same_log_wherever_they_lie(read, orders, tmp_path):
    prints = {
        name: read(source, **settings).fingerprint() for name, source, settings in _sources(orders, tmp_path)
    }
    assert prints == dict.fromkeys(prints, prints["pandas"])
    assert read(orders.assign(amount=orders["amount"] + 0.01)).fingerprint() != prints["pandas"]
    assert read(pd.concat([orders, orders.head(2)])).fingerprint() != prints["pandas"]
    assert read(orders.iloc[1:]).fingerprint() != prints["pandas"]


def test_frames_are_not_changed(read, orders):
    before = orders.copy(deep=True)
    read(orders)
    pd.testing.assert_frame_equal(orders, before)


def test_columns_that_are_not_needed_may_be_of_any_sort(read, orders):
    odd = orders.assign(
        z=1j, span=pd.timedelta_range("1D", periods=12), month=orders["timestamp"].dt.to_period("M"),
        lists=[[1, "a"]] * 12,
        data=[b"\xff"] * 12,
    )  # fmt: skip
    assert read(odd).fingerprint() == read(orders).fingerprint()


def test_duplicate_names_in_frames_are_refused(read, orders):
    twice = pd.concat([orders, orders[["amount"]]], axis=1)
    with pytest.raises(SchemaError, match="The table has columns of the same name: 'amount'"):
        read(twice)
    with pytest.raises(SchemaError, match="same name"):
        read(pa.table([[1], [2]], names=["a", "a"]))


@pytest.mark.parametrize("make", [lambda f: f, pl.from_pandas, pa.Table.from_pandas])
def test_empty_frames_are_refused(read, orders, make):
    with pytest.raises(DataError, match="The table is empty; at least one row is needed"):
        read(make(orders.iloc[:0]))


@pytest.mark.parametrize("source", [None, 5, [1, 2], {"customer_id": [1]}, np.zeros((2, 3)), b"x.csv"])
def test_what_is_no_source_is_named(read, source):
    with pytest.raises(DataError, match=rf"A source must be a path, a URL, or .*got {type(source).__name__}"):
        read(source)


def test_a_float_in_a_mixed_column_is_not_taken_for_thousands(read):
    amounts = pd.Series([1.234, "5,50"], dtype=object)
    frame = pd.DataFrame({"customer_id": [1, 2], "timestamp": ["2020-01-01"] * 2, "amount": amounts})
    assert read(frame, decimal=",").checks["transactions"].n_quarantined == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none.csv", "There is no file"),
        ("a.xlsx", "of no sort that can be read.*saved as CSV"),
        ("empty", "without Parquet"),
    ],
)
def test_paths_that_lead_nowhere(read, tmp_path, name, told):
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=told):
        read(tmp_path / name)


def test_broken_files_are_one_sentence(read, tmp_path):
    for name, told in [
        ("x.parquet", "could not be read as Parquet"),
        ("x.duckdb", "could not be opened as a DuckDB file"),
    ]:
        (tmp_path / name).write_bytes(b"nothing of the sort")
        with pytest.raises(DataError, match=told) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.parquet").write_bytes(b"nothing of the sort")
    with pytest.raises(DataError, match="could not be read as Parquet"):
        read(tmp_path / "parts")


def test_duckdb_tables_are_named(read, orders, tmp_path):
    *_, (_, path, _) = _sources(orders, tmp_path)
    with pytest.raises(
        DataError, match=r"several tables.*: orders, seen, old\.orders. Say which with table="
    ):
        read(path)
    with pytest.raises(DataError, match=r"has no table 'carts'; its tables: orders"):
        read(path, table="carts")
    with pytest.raises(DataError, match=r"shop.duckdb could not be read: .*nowhere"):
        read(path, query="SELECT * FROM nowhere")
    for query in ("DROP TABLE orders", "SELECT 1; SELECT 2", "", "SELEC"):
        with pytest.raises(SettingsError, match="query="):
            read(path, query=query)
    assert read(path, table="old.orders").checks["transactions"].n_rows == 1


# --- PostgreSQL


@pytest.fixture
def shop(postgres, orders):
    """Write the orders to the server."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(postgres.url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS orders")
        cursor.execute("CREATE TABLE orders (customer_id int, timestamp timestamptz, amount numeric)")
        for row in orders.itertuples(index=False):
            cursor.execute(
                f"INSERT INTO orders VALUES ({row.customer_id}, '{row.timestamp}+00', {row.amount})"
            )
        cursor.execute('CREATE TABLE IF NOT EXISTS "odd ""name" AS SELECT * FROM orders')
        connection.commit()
    return postgres


@pytest.mark.parametrize(
    "settings",
    [{"table": "orders"}, {"query": "SELECT * FROM orders"}, {"table": "public.orders", "decimal": ","}],
)
def test_postgres_holds_the_same_rows(read, orders, shop, settings):
    log = read(shop.url, **settings)
    assert log.fingerprint() == read(orders).fingerprint()
    assert "Postgres" in log.checks["transactions"].source


def test_a_postgres_table_may_have_any_name(read, orders, shop):
    assert read(shop.url, table='"odd ""name"').fingerprint() == read(orders).fingerprint()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "either table= or query="), ({"table": "a", "query": "SELECT 1"}, "either table= or query="),
        ({"table": "nowhere"}, "nowhere"), ({"query": "SELECT nothing FROM orders"}, "nothing"),
        ({"query": "DELETE FROM orders"}, "one SELECT"),
    ],
)  # fmt: skip
def test_postgres_errors_say_what_is_wrong_and_no_password(read, shop, settings, told):
    with pytest.raises((DataError, SettingsError), match=told) as caught:
        read(shop.url, **settings)
    _refuse_secrets(caught.value)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("s3cr3t", "wr0ng-s3cr3t"),
        ("habitue:", "nobody:"),
        ("port=54329", "port=1"),
        ("port=54329", "port=s3cr3t"),
    ],
)
def test_a_failed_connection_tells_no_password(read, shop, good, bad):
    with pytest.raises(DataError, match="Postgres could not be read") as caught:
        read(shop.url.replace(good, bad), table="orders")
    if "port=s3cr3t" not in bad:
        _refuse_secrets(caught.value)


def test_no_password_is_kept_in_the_log(read, shop):
    log = read(shop.url, table="orders")
    assert "s3cr3t" not in repr(log) + repr(log.checks)


def _refuse_secrets(error):
    told = "".join(traceback.format_exception(error, chain=True)[-1:])
    chained = [str(one) for one in (error, error.__cause__) if one is not None]
    assert "s3cr3t" not in told + "".join(chained)
