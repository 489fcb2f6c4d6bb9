"""Attributes of customers: whatever else the source says of them, under its own names."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import polars as pl
import pytest

from habitue.records import CustomerLog

BUYS = pd.DataFrame({"customer_id": [1], "timestamp": ["2024-01-01"], "amount": [1.0]})
PEOPLE = pd.DataFrame(
    {
        "customer_id": [1, 2, 3],
        "Monthly Charges": [10.5, None, 3.0],
        "visits": [1, 2, 3],
        "member": [True, False, True],
        "reason": [" price ", "", None],
        "born": pd.to_datetime(["1980-02-29", None, "2001-01-01"]),
        'odd "name"': ["a", "b", "c"],
        "day": [3, 1, 2],
    }
)
TYPES = {
    "customer_id": "BIGINT", "Monthly Charges": "DOUBLE", "visits": "DOUBLE", "member": "BOOLEAN",
    "reason": "VARCHAR", "born": "DATE", 'odd "name"': "VARCHAR", "day": "DOUBLE",
}  # fmt: skip


def customers(source):
    log = CustomerLog(transactions=BUYS, customers=source)
    return log, log.engine.rows("SELECT * FROM customers ORDER BY customer_id")


def _sources(folder):
    yield PEOPLE
    yield PEOPLE.astype({"member": object, "reason": "category"})
    yield pl.from_pandas(PEOPLE)
    PEOPLE.to_parquet(folder / "people.parquet")
    yield folder / "people.parquet"
    PEOPLE.to_csv(folder / "people.csv", index=False)
    yield folder / "people.csv"


def test_attributes_keep_their_names_and_have_one_type_wherever_they_lie(tmp_path):
    for source in _sources(tmp_path):
        log, rows = customers(source)
        assert log.engine.columns("customers") == TYPES
        assert rows == [
            (1, 10.5, 1.0, True, "price", dt.date(1980, 2, 29), "a", 3.0),
            (2, None, 2.0, False, None, None, "b", 1.0),
            (3, 3.0, 3.0, True, None, dt.date(2001, 1, 1), "c", 2.0),
        ]
        assert log.checks["customers"].unread == {}
        assert log.checks["customers"].notes == ()


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (["007", "12"], ["007", "12"]), (["1", "NA"], [1.0, None]), (["1", "two"], ["1", "two"]),
        (["1e3", "-.5"], [1000.0, -0.5]), (["A12", "B7"], ["A12", "B7"]), (["true", "FALSE"], [True, False]),
        (["yes", "no"], ["yes", "no"]), (["2024-01-31", ""], [dt.date(2024, 1, 31), None]),
        (["2024-01-31 10:00", "n/a"], [dt.date(2024, 1, 31), None]),
        (["2024-02-31", "x"], ["2024-02-31", "x"]),
        (["", ""], [None, None]), (["31/01/2024", "01/02/2024"], ["31/01/2024", "01/02/2024"]),
    ],
)  # fmt: skip
def test_a_csv_column_is_what_all_its_values_are(csv_file, written, read_as):
    text = "customer_id,it\n" + "".join(f"{n},{value}\n" for n, value in enumerate(written, 1))
    assert [row[1] for row in customers(csv_file(text))[1]] == read_as


def test_text_in_a_frame_stays_text():
    frame = pd.DataFrame({"customer_id": [1, 2], "zip": ["75001", "10115"]})
    assert customers(frame)[1] == [(1, "75001"), (2, "10115")]


def test_what_fits_in_no_column_is_left_out_and_told():
    log, rows = customers(pl.DataFrame({"customer_id": [1], "tags": [["a", "b"]], "name": ["x"]}))
    assert rows == [(1, "x")]
    assert log.checks["customers"].notes == ("Left out, as no number, text, day or statement: tags.",)


def test_attributes_reach_the_history_and_the_quarantine():
    frame = PEOPLE.assign(recorded_at="2024-01-01").astype({"customer_id": object})
    frame.loc[1, "customer_id"] = None
    with pytest.warns(UserWarning, match="customer_id is missing"):
        log, _ = customers(frame)
    sql = log.until("2024-01-01").relation("customers")
    found = log.engine.frame(sql, {"cutoff": log.observed_until})
    assert list(found.columns) == list(log.engine.columns("customers"))
    assert '"Monthly Charges":null' in log.quarantine("customers")["raw"][0]
