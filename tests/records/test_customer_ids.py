"""Customer ids: one customer, one name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest


def _ids(log):
    return [row[0] for row in log.engine.rows("SELECT customer_id FROM transactions ORDER BY timestamp")]


def _table(ids, **settings):
    frame = pd.DataFrame({"customer_id": ids, **settings})
    frame["timestamp"] = pd.to_datetime("2020-01-01") + pd.to_timedelta(range(len(frame)), "D")
    return frame.assign(amount=1.0)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (["1", " 1", "1\t", "1.0", "1.00"], [1] * 5),
        (["-1", "0", "12"], [-1, 0, 12]),
        (["01", "1"], ["01", "1"]),
        (["A", "1.0", "1"], ["A", "1", "1"]),
        (["1.5", "1"], ["1.5", "1"]),
        (["True", "1"], ["True", "1"]),
        (["1e20", "1"], ["1e20", "1"]),
        (["+1", "1"], ["+1", "1"]),
        (["99999999999999999999", "1"], ["99999999999999999999", "1"]),
        (["9" * 18, "1"], [10**18 - 1, 1]),
        (["né\u00a0", "né"], ["né", "né"]),
        # Long enough to be told at one look, or nearly so.
        (["anne-01", " anne-01", "anne-01\t", "anne 01", "année"], [*["anne-01"] * 3, "anne 01", "année"]),
        (["12345x", "12345.00", "-1234.0", "-0.00", "00012"], ["12345x", "12345", "-1234", "0", "00012"]),
        (["nulls", "n/a/n", "<na>."], ["nulls", "n/a/n", "<na>."]),
        (["a'; DROP TABLE transactions; --"], ["a'; DROP TABLE transactions; --"]),
    ],
)
def test_text(read, csv_file, written, read_as):
    text = "customer_id,timestamp,amount\n" + "".join(
        f'"{one}",2020-01-0{n + 1},1\n' for n, one in enumerate(written)
    )
    assert _ids(read(csv_file(text))) == read_as


@pytest.mark.parametrize(
    "nothing", ["", " ", "nan", "NaN", "None", "NULL", "null", "NA", "N/A", "<NA>", "NaT"]
)
@pytest.mark.parametrize("other", ["7", "B7"])
def test_what_programs_write_for_no_value_is_no_customer(read, csv_file, nothing, other):
    log = read(csv_file(f'customer_id,timestamp,amount\n"{nothing}",2020-01-01,1\n"{other}",2020-01-02,1\n'))
    assert log.checks["transactions"].quarantined == {"customer_id is missing": 1}
    assert log.n_customers == 1


@pytest.mark.parametrize(
    ("ids", "read_as"),
    [
        ([1, 2], [1, 2]),
        (np.array([1, 2], dtype="uint8"), [1, 2]),
        (np.array([2**64 - 1, 2], dtype="uint64"), ["18446744073709551615", "2"]),
        ([1.0, 2.0], [1, 2]),
        ([1.5, 2.0], ["1.5", "2"]),
        (["a", "b"], ["a", "b"]),
        (pd.Categorical(["b", "a"]), ["b", "a"]),
        (pd.Categorical([20, 10]), [20, 10]),
        (pd.array([1, 2], dtype="Int64"), [1, 2]),
        (pd.Series([1, 1.0, "1", "x"], dtype=object), ["1", "1", "1", "x"]),
        (pd.Series([1, 1.0, "1"], dtype=object), [1, 1, 1]),
        (pd.Series([1e20, "x"], dtype=object), ["100000000000000000000", "x"]),
    ],
)
def test_frames(read, ids, read_as):
    assert _ids(read(_table(ids))) == read_as


@pytest.mark.parametrize(
    "ids",
    [
        pd.array([1, None], dtype="Int64"), [1.0, np.nan], pd.Series([1, None], dtype=object),
        pd.Series(["1", pd.NA], dtype="string"), pd.Series([1, pd.NaT], dtype=object),
    ],
)  # fmt: skip
def test_null_ids_are_set_aside_and_the_others_stay_whole(read, ids):
    log = read(_table(ids))
    assert _ids(log) == [1]
    assert log.checks["transactions"].quarantined == {"customer_id is missing": 1}


def test_nan_in_arrow_and_polars_floats_is_no_customer(read):
    frame = pl.from_pandas(_table([1.0, 2.0])).with_columns(customer_id=pl.Series([1.0, float("nan")]))
    assert _ids(read(frame)) == [1]
    assert _ids(read(frame.to_arrow())) == [1]


def test_dictionaries_are_text(read):
    table = pa.table(
        {
            "customer_id": pa.array(["1", "2"]).dictionary_encode(),
            "timestamp": ["2020-01-01"] * 2,
            "amount": [1, 2],
        }
    )
    assert sorted(_ids(read(table))) == [1, 2]
