"""The scorecard and the audit of a log that stays on a cluster are those of the embedded database."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pandas as pd
import pytest
from many_logs import OBSERVED_UNTIL

from habitue.records.spark import read_spark_log
from habitue.scorecard import audit_records, scorecard

pytestmark = [pytest.mark.slow, pytest.mark.spark]


@pytest.fixture(scope="module")
def spark_log(spark, whole):
    frames = {kind: spark.read.parquet(str(whole.folder / f"{kind}.parquet")) for kind in whole.log.kinds}
    return read_spark_log(spark, observed_until=OBSERVED_UNTIL, **frames)


def test_the_scorecard_is_the_same_on_spark(spark_log, whole):
    end = whole.history.cutoff
    asked = {
        "start": end - dt.timedelta(days=300), "end": end, "by": ("cohort", "segment", "channel"),
        "min_count": 5, "off_scale": "leave_out", "point_value": 0.01,
    }  # fmt: skip
    there, here = scorecard(spark_log, **asked), scorecard(whole.log, **asked)
    assert {"nps", "retention_rate", "contract_churn_rate", "resolution_hours"} <= set(here.definitions)
    pd.testing.assert_frame_equal(there.frame, here.frame)


@pytest.mark.parametrize("main", ["transactions", "contracts"])
def test_the_audit_is_the_same_on_spark(spark_log, whole, main):
    end = whole.history.cutoff
    middle, start = end - dt.timedelta(days=200), end - dt.timedelta(days=400)

    def of_main(log):
        history = log.until(end)
        other = {"transactions", "contracts"} - {main}
        return replace(history, kinds=tuple(kind for kind in history.kinds if kind not in other))

    there, here = of_main(spark_log), of_main(whole.log)
    for told in (
        lambda history: audit_records.two_periods(history, first=(start, middle), second=(middle, end)),
        lambda history: audit_records.cohort_periods(history, period="quarter"),
    ):
        assert len(told(here)) > 10
        pd.testing.assert_frame_equal(told(there), told(here))
