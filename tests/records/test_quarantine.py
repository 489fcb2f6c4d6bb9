"""The rows set aside: asked for by kind or together, and written without being loaded."""

from __future__ import annotations

import pandas as pd
import pytest

from habitue.errors import DataError, SettingsError
from habitue.records import CustomerLog
from habitue.records.quarantine import write_quarantine


@pytest.fixture
def log(recwarn):
    """Return a log of two kinds with rows set aside in both."""
    return CustomerLog(
        transactions=pd.DataFrame(
            {"customer_id": [1, 1, 2], "timestamp": "2024-01-01", "amount": [1, "x", "y"]}
        ),
        tickets=pd.DataFrame(
            {"customer_id": [None, 1], "opened_at": "2024-01-01", "topic": ['a,"b"\n', "c"]}
        ),
    )


def test_all_kinds_come_in_one_frame(log):
    every = log.quarantine()
    assert list(every.columns) == ["kind", "row", "reason", "raw"]
    assert list(zip(every["kind"], every["row"], strict=True)) == [
        ("transactions", 2), ("transactions", 3), ("tickets", 1),
    ]  # fmt: skip
    for kind in log.kinds:
        part = every[every["kind"] == kind].drop(columns="kind").reset_index(drop=True)
        pd.testing.assert_frame_equal(log.quarantine(kind), part)
    with pytest.raises(SettingsError, match=r"has no events; its kinds of record are transactions, tickets"):
        log.quarantine("events")


@pytest.mark.parametrize(("name", "read"), [("a b's.csv", pd.read_csv), ("aside.parquet", pd.read_parquet)])
def test_a_file_says_the_same(log, tmp_path, name, read):
    write_quarantine(log, tmp_path / name)
    pd.testing.assert_frame_equal(read(tmp_path / name), log.quarantine(), check_dtype=False)
    write_quarantine(log, tmp_path / name, ["tickets"])
    assert list(read(tmp_path / name)["kind"]) == ["tickets"]


def test_impossible_files_are_refused(log, tmp_path):
    with pytest.raises(SettingsError, match=r"written to \.parquet or \.csv; got 'x\.xlsx'"):
        write_quarantine(log, tmp_path / "x.xlsx")
    with pytest.raises(DataError, match="could not be written"):
        write_quarantine(log, tmp_path / "nowhere" / "x.csv")
    with pytest.raises(SettingsError, match="asked for no kind"):
        write_quarantine(log, tmp_path / "x.csv", [])
