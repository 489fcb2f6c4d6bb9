"""NPS, Nps and nps are one survey, to features and to the scorecard."""

from __future__ import annotations

import numpy as np
import pandas as pd

import habitue as hb
from habitue.records import CustomerLog
from habitue.scorecard import scorecard


def log_of(feedback: pd.DataFrame) -> CustomerLog:
    days = pd.date_range("2024-01-01", periods=120, freq="D")
    buys = pd.DataFrame({"customer_id": np.arange(240) % 80, "timestamp": days.repeat(2), "amount": 5.0})
    return CustomerLog(transactions=buys, feedback=feedback, observed_until="2024-04-30")


def test_how_a_survey_is_written_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    plain = pd.DataFrame(
        {
            "customer_id": np.arange(240) % 80,
            "timestamp": pd.date_range("2024-01-02", periods=240, freq="12h"),
            "survey": np.repeat(["nps", "csat", "review"], 80),
            "score": np.concatenate([rng.integers(0, 11, 80), rng.integers(1, 6, 160)]).astype(float),
        }
    )
    written = {"nps": [" NPS", "Nps "], "csat": ["CSAT", "CSat"], "review": ["Review", "REVIEW  "]}
    loud = plain.assign(survey=[written[one][at % 2] for at, one in enumerate(plain["survey"])])
    here, there = log_of(plain), log_of(loud)
    assert there.checks["feedback"].notes == here.checks["feedback"].notes == ()
    window = hb.Window("2024-04-30", horizon=30)
    pd.testing.assert_frame_equal(hb.take_snapshot(there, window).X, hb.take_snapshot(here, window).X)
    told, expected = (scorecard(one, start="2023-12-31", end="2024-04-30", by=()) for one in (there, here))
    assert {"nps", "csat_mean", "review_net"} <= set(expected.definitions)
    pd.testing.assert_frame_equal(told.frame, expected.frame)
    assert told.notes == ()


def test_other_surveys_are_named() -> None:
    frame = pd.DataFrame({"customer_id": [1, 2, 3], "timestamp": "2024-02-01", "score": [1.0, 2.0, 3.0]})
    told = scorecard(
        log_of(frame.assign(survey=["CES", "nps", "effort"])), start="2023-12-31", end="2024-04-30", by=()
    )
    assert told.notes == (
        "answers to ces, effort are not measured: the surveys known here are nps, csat and review",
    )
