"""Up to which day a log of contracts is complete, on Spark as in the embedded database."""

from __future__ import annotations

import pandas as pd
import pytest

from habitue.records import CustomerLog
from habitue.records.spark import read_spark_log

pytestmark = [pytest.mark.slow, pytest.mark.spark]

CONTRACTS = pd.DataFrame(
    {
        "customer_id": [1, 2, 3, 4],
        "started_at": pd.to_datetime(["2024-01-01", "2024-01-05", "2024-01-07", "2024-01-08"]),
        "price": 10.0,
        "ended_at": pd.to_datetime(["2024-03-01 22:00", "2024-04-01 00:00", "2024-05-01 23:00", None]),
        "ended_reason": ["voluntary", None, "voluntary", None],
        "recorded_at": pd.to_datetime([None, "2024-04-02", "2024-01-07", None]),
    }
)


@pytest.mark.parametrize(
    ("left_out", "last"),
    [
        ([], "2024-04-01"),
        (["recorded_at"], "2024-05-01"),
        (["ended_reason"], "2024-04-01"),
        (["recorded_at", "ended_reason"], "2024-01-08"),
        (["recorded_at", "ended_reason", "ended_at"], "2024-01-08"),
    ],
)
def test_ends_that_have_come_count_on_both_engines(spark, tmp_path, left_out, last):
    frame = CONTRACTS.drop(columns=left_out)
    frame.to_parquet(tmp_path / "contracts.parquet", coerce_timestamps="us")
    table = spark.read.parquet(str(tmp_path / "contracts.parquet"))
    assert str(CustomerLog(contracts=frame).observed_until) == last
    assert str(read_spark_log(spark, contracts=table).observed_until) == last
