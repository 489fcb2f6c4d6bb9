"""The door, for every kind of record at once: nothing is lost, and the order of rows decides nothing."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import HabitueWarning, SettingsError
from habitue.records import SCHEMAS, CustomerLog, DuckDBEngine, read_log

VALUES = {
    "id": ["1", " 1", "1.0", "2", "nan", "", None],
    "instant": ["2024-01-05", "2024-01-05 10:00:01", "2024-03-01", "31/02/2024", "", None, "9999-12-31"],
    "money": ["5", "5.50", "-5", "0", "a lot", "", None],
    "number": ["1", "2.5", "inf", "many", "", None],
    "text": ["a", " a ", "b", "", None],
    "flag": ["true", "False", "maybe", "", None],
}
BUYS = pd.DataFrame(
    {"customer_id": ["1", "2"], "timestamp": ["2024-01-01", "2024-06-30"], "amount": ["1", "2"]}
)


def quiet(**tables):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)
        return CustomerLog(engine=DuckDBEngine(threads=1), **tables)


def sound(kind):
    """Return a row that can be used, so that the table is never refused as a whole."""
    good = {"id": "2", "instant": "2024-02-02", "money": "3", "number": "3", "text": "c", "flag": "true"}
    return {column.name: good[column.kind] for column in SCHEMAS[kind].columns}


@st.composite
def dirty(draw):
    """Draw a dirty table of some kind: of its columns those that it needs and some others."""
    kind = draw(st.sampled_from(sorted(SCHEMAS)))
    columns = [
        one
        for one in SCHEMAS[kind].columns
        if one.required or (one.name != "currency" and draw(st.booleans()))
    ]
    row = st.fixed_dictionaries({one.name: st.sampled_from(VALUES[one.kind]) for one in columns})
    rows = draw(st.lists(row, min_size=1, max_size=12))
    names = [one.name for one in columns]
    # So many sound rows that the others never decide how the column's dates are written.
    sound_rows = [sound(kind) | {"customer_id": str(number)} for number in range(2, 32)]
    good = [{name: row[name] for name in names} for row in sound_rows]
    frame = pd.DataFrame([*good, *rows, *rows[:2]], columns=names)
    return kind, frame.astype(object)


@settings(max_examples=25)
@given(table=dirty(), order=st.randoms(use_true_random=False))
def test_no_row_is_lost_and_their_order_decides_nothing(table, order):
    kind, frame = table
    shuffled = list(range(len(frame)))
    order.shuffle(shuffled)
    logs = [quiet(**{"transactions": BUYS, kind: one}) for one in (frame, frame.iloc[shuffled])]
    for log in logs:
        check = log.checks[kind]
        aside = log.quarantine(kind)
        assert check.n_rows == len(frame) == check.n_admitted + check.n_quarantined
        assert log.engine.rows(f"SELECT count(*) FROM {kind}") == [(check.n_admitted,)]
        assert aside["row"].is_unique
        assert aside["row"].between(1, len(frame)).all()
        assert dict(aside["reason"].value_counts()) == dict(check.quarantined)
    assert logs[0].fingerprint() == logs[1].fingerprint()
    assert logs[0].checks[kind].quarantined == logs[1].checks[kind].quarantined
    assert logs[0].checks[kind].notes == logs[1].checks[kind].notes
    for row, raw in zip(logs[0].quarantine(kind)["row"], logs[0].quarantine(kind)["raw"], strict=True):
        given_row = {name: None if pd.isna(value) else value for name, value in frame.iloc[row - 1].items()}
        assert json.loads(raw) == given_row


def _one(kind, **values):
    row = {name: value for name, value in sound(kind).items() if name in SCHEMAS[kind].required}
    return row | values


@pytest.mark.parametrize("kind", SCHEMAS)
def test_ids_of_any_type_are_one_customer(kind):
    ids = pd.Series([1, "1", 1.0, " 1", np.int64(1), None, "nan"], dtype=object)
    log = quiet(
        **{"transactions": BUYS, kind: pd.DataFrame([_one(kind)] * 7).astype(object).assign(customer_id=ids)}
    )
    assert log.checks[kind].quarantined["customer_id is missing"] == 2
    assert log.engine.rows(f"SELECT DISTINCT customer_id FROM {kind}") == [(1,)]
    tables = {
        "transactions": BUYS.assign(customer_id=["1", "x"]),
        kind: pd.DataFrame([_one(kind, customer_id=1)]),
    }
    if kind != "transactions":
        log = quiet(**tables)
        joined = f"SELECT count(*) FROM transactions JOIN {kind} USING (customer_id)"
        assert log.engine.rows(joined) == [(1,)]


INSTANTS = [
    (kind, one.name) for kind, schema in SCHEMAS.items() for one in schema.columns if one.kind == "instant"
]


@pytest.mark.parametrize(("kind", "column"), INSTANTS)
def test_every_instant_is_one_of_the_stated_zone(kind, column):
    values = {"zoned": "2024-03-01T23:30:00Z", "written": "2024-03-01 23:30:00", "no day": "31/02/2024"}
    frame = pd.DataFrame(
        [_one(kind, customer_id=n, **{column: value}) for n, value in enumerate(values.values())]
    )
    other = {"transactions": BUYS} if kind != "transactions" else {}
    log = quiet(**other, **{kind: frame}, timezone="Asia/Tokyo")
    found = log.engine.rows(f"SELECT CAST({column} AS VARCHAR) FROM {kind} ORDER BY customer_id")
    assert found == [("2024-03-02 08:30:00",), ("2024-03-01 23:30:00",)]
    assert log.checks[kind].quarantined == {f"{column} cannot be read as a date": 1}


def test_columns_of_a_source_may_have_the_names_that_the_door_uses(read, orders):
    odd = orders.assign(raw_row="a", reason="b", row="c", day="d")
    log = read(odd, category="raw_row", channel="reason", product_id="row", order_id="day")
    assert log.engine.rows("SELECT DISTINCT category, channel, product_id, order_id FROM transactions") == [
        ("a", "b", "c", "d")
    ]


@pytest.mark.parametrize("names", [["customer_id"], ["shop"], ["timestamp"], ["shop", "timestamp"]])
def test_folders_may_say_a_column(read, orders, tmp_path, names):
    frame = orders.assign(timestamp=orders["timestamp"].dt.date.astype(str), shop=["n", "s"] * 6)
    pq.write_to_dataset(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "parts", names)
    log = read(tmp_path / "parts", channel="shop")
    assert log.fingerprint() == read(frame, channel="shop").fingerprint()


def test_a_folder_of_no_value_is_no_value(read, orders, tmp_path):
    frame = orders.astype({"customer_id": object})
    frame.loc[0, "customer_id"] = None
    pq.write_to_dataset(
        pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "parts", ["customer_id"]
    )
    log = read(tmp_path / "parts")
    assert log.checks["transactions"].quarantined == {"customer_id is missing": 1}
    assert log.n_customers == 3


def test_records_may_lie_in_a_file(read, orders, tmp_path):
    for n, (source, settings_) in enumerate(_every_sort_of_source(orders, tmp_path)):
        path = tmp_path / f"log {n}.duckdb"
        log = read(source, engine=DuckDBEngine(path=path, memory_limit="500MB"), **settings_)
        assert log.fingerprint() == read(orders).fingerprint()
        assert set(log.engine.table_names()) - {"csv_rejects", "csv_scans"} == {
            "transactions", "quarantine_transactions",
        }  # fmt: skip
        assert path.stat().st_size > 0
    with pytest.raises(SettingsError, match="already holds a log"):
        read_log(orders, engine=log.engine)


def _every_sort_of_source(orders, folder):
    orders.to_csv(folder / "o.csv", index=False)
    orders.to_parquet(folder / "o.parquet")
    engine = DuckDBEngine(path=folder / "shop.duckdb")
    engine.register("frame", pa.Table.from_pandas(orders, preserve_index=False))
    engine.execute("CREATE TABLE orders AS SELECT * FROM frame")
    engine.execute("CHECKPOINT")
    del engine
    yield orders, {}
    yield folder / "o.csv", {}
    yield folder / "o.parquet", {}
    yield folder / "shop.duckdb", {}
    yield folder / "shop.duckdb", {"query": "SELECT * FROM orders"}


def test_a_file_that_cannot_hold_records_is_refused(tmp_path):
    (tmp_path / "x.duckdb").write_text("nothing of the sort" * 1000)
    for path in (tmp_path / "x.duckdb", tmp_path / "nowhere" / "y.duckdb"):
        with pytest.raises(
            SettingsError, match=r"cannot be opened as a DuckDB file: .*Give a file"
        ) as caught:
            DuckDBEngine(path=path)
        assert "\n" not in str(caught.value)
