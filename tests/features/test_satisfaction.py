"""Satisfaction by hand: typed-in answers and tickets, and the few numbers they must give."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from known import everybody
from logs import CUTOFF, HORIZON, records
from oracle.satisfaction import features_of

from habitue.features import build
from habitue.features.satisfaction import FEATURES, SEVERE
from habitue.records import CustomerLog, DuckDBEngine

SCORE_COLUMNS = ["day", "survey", "score", "scale_min", "scale_max", "sentiment"]


def of_one(feedback=None, tickets=None, cutoff="2024-03-31"):
    """Return the features of a customer who bought once."""
    buys = pd.DataFrame({"customer_id": [1], "timestamp": ["2024-01-01"], "amount": [5]})
    frames = {"feedback": feedback, "tickets": tickets}
    frames = {kind: frame.assign(customer_id=1) for kind, frame in frames.items() if frame is not None}
    log = CustomerLog(
        transactions=buys, **frames, observed_until="2025-12-31", engine=DuckDBEngine(threads=1)
    )
    history = log.until(cutoff)
    there = {kind: set(history.engine.columns(kind)) for kind in history.kinds}
    chosen = [one for one in FEATURES if one.kind in there and there[one.kind] >= set(one.needs)]
    return build(history, chosen, horizon=30).loc[1]


def answers(*rows):
    frame = pd.DataFrame(rows, columns=SCORE_COLUMNS).rename(columns={"day": "timestamp"})
    numbers = ["score", "scale_min", "scale_max", "sentiment"]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def test_answers_to_surveys():
    told = of_one(
        answers(
            ("2024-01-01", "nps", 9, None, None, None),
            ("2024-02-01", "nps", 6, None, None, None),
            ("2024-03-01", "nps", 3, None, None, None),
            ("2024-04-01", "nps", 10, None, None, None),
            ("2024-03-30", "csat", 4, None, None, None),
        )
    )
    assert told["nps_last"] == told["nps_worst"] == 3
    assert told["nps_mean"] == pytest.approx(6)
    assert told["nps_change"] == pytest.approx(3 - 7.5)
    assert (told["n_nps"], told["days_since_nps"], told["nps_never_answered"]) == (3, 30, 0)
    assert told["csat_last"] == told["csat_mean"] == told["csat_worst"] == 0.75
    assert math.isnan(told["csat_change"])
    assert (told["n_csat"], told["days_since_csat"]) == (1, 1)
    assert math.isnan(told["review_last"])


def test_silence_is_told():
    told = of_one(answers(("2024-01-01", "review", 5, None, None, None)))
    assert (told["nps_never_answered"], told["csat_never_answered"], told["n_nps"]) == (1, 1, 0)
    assert told[["nps_last", "nps_mean", "nps_worst", "days_since_nps", "csat_change"]].isna().all()
    assert told["review_last"] == told["review_mean"] == 1
    other = answers(("2024-01-01", "nps", 5, None, None, None)).assign(customer_id=2)
    buys = pd.DataFrame({"customer_id": [1, 2], "timestamp": ["2024-01-01"] * 2, "amount": [5, 5]})
    log = CustomerLog(transactions=buys, feedback=other)
    flags = [one for one in FEATURES if one.name in {"nps_never_answered", "csat_never_answered", "n_nps"}]
    assert build(log.until("2024-01-01"), flags, horizon=30).to_numpy().tolist() == [[0, 1, 1], [1, 0, 1]]


def test_scales_are_read():
    """Another scale, one that counts down, and one without length."""
    told = of_one(
        answers(
            ("2024-01-01", "csat", 70, 0, 100, None),
            ("2024-01-02", "csat", 2, 5, 1, None),
            ("2024-01-03", "review", 3, 3, 3, None),
            ("2024-01-04", "nps", 80, None, 100, None),
        )
    )
    assert told["csat_worst"] == pytest.approx(0.7)
    assert told["csat_last"] == 0.75
    assert told["nps_last"] == 8
    assert told[["review_last", "review_mean"]].isna().all()


def test_a_score_off_its_scale_is_an_answer_without_a_score():
    told = of_one(
        answers(
            ("2024-01-01", "nps", 4, None, None, None),
            ("2024-01-02", "nps", 8, None, None, None),
            ("2024-01-03", "nps", 50, None, None, None),
            ("2024-01-04", "csat", 0, None, None, None),
            ("2024-01-05", "csat", 5.000001, None, None, None),
            ("2024-01-06", "csat", 5, None, None, None),
            ("2024-01-07", "review", 6, 5, 1, None),  # a scale that counts down
        )
    )
    assert (told["nps_mean"], told["nps_worst"], told["n_nps"]) == (6, 4, 3)
    assert (told["nps_never_answered"], told["days_since_nps"]) == (0, 88)
    assert told[["nps_last", "nps_change", "csat_change", "review_last", "review_mean"]].isna().all()
    assert (told["csat_last"], told["csat_mean"], told["csat_worst"], told["n_csat"]) == (1, 1, 1, 3)


def test_of_answers_at_once_the_worst_is_the_last():
    rows = [("2024-01-01", "nps", score, None, None, mood) for score, mood in ((8, 0.5), (2, -0.5), (5, 0.1))]
    for turned in (rows, rows[::-1]):
        told = of_one(answers(*turned))
        assert (told["nps_last"], told["sentiment_last"]) == (2, -0.5)
        assert told["nps_change"] == pytest.approx(2 - 6.5)
        assert told["sentiment_mean"] == pytest.approx(0.1 / 3)


def test_sentiment_of_the_texts_that_have_one():
    told = of_one(
        answers(
            ("2024-01-01", "nps", 1, None, None, -0.8),
            ("2024-01-02", "csat", 5, None, None, 0.6),
            ("2024-01-03", "review", 5, None, None, None),
        )
    )
    assert (told["sentiment_last"], told["sentiment_worst"]) == (0.6, -0.8)
    assert told["sentiment_mean"] == pytest.approx(-0.1)
    assert "sentiment_last" not in of_one(
        answers(("2024-01-01", "nps", 1, None, None, 0)).drop(columns="sentiment")
    )


def tickets():
    return pd.DataFrame(
        {
            "opened_at": ["2024-01-01 08:00", "2024-03-01 00:00", "2024-03-02 12:00", "2024-03-31 23:59"],
            "first_response_at": ["2024-01-01 10:00", "2024-03-01 00:30", "2024-03-01 12:00", None],
            "closed_at": ["2024-01-02 08:00", "2024-04-01 00:00", "2024-03-02 18:00", None],
            "topic": ["billing", "billing", None, "delivery"],
            "severity": ["low", "Critical", "HIGH", None],
            "escalated": [True, True, False, None],
            "reopened": [True, True, None, None],
        }
    )


def test_tickets():
    """The second closes after the cutoff; the third was answered before it was opened."""
    told = of_one(tickets=tickets())
    assert told[["n_tickets", "n_tickets_30d", "n_tickets_90d", "n_tickets_365d"]].tolist() == [4, 2, 3, 4]
    assert (told["n_tickets_open"], told["days_since_ticket"], told["n_ticket_topics"]) == (2, 0, 2)
    assert told["first_response_hours_mean"] == pytest.approx(1.25)
    assert told["first_response_hours_worst"] == 2
    assert told["resolution_hours_mean"] == 15
    assert (told["n_escalations"], told["n_reopenings"], told["reopened_share"]) == (1, 1, 1)
    assert told["severe_ticket_share"] == pytest.approx(2 / 3)
    assert of_one(tickets=tickets(), cutoff="2024-04-01")[["n_escalations", "n_tickets_open"]].tolist() == [
        2,
        1,
    ]


def test_one_ticket_of_which_little_is_known():
    told = of_one(tickets=tickets()[["opened_at"]].head(1))
    assert told.to_dict() == {
        "n_tickets": 1, "n_tickets_30d": 0, "n_tickets_90d": 0, "n_tickets_365d": 1, "days_since_ticket": 90,
    }  # fmt: skip


def test_severities_are_plain_lower_case_words():
    assert all(word.isalpha() and word == word.lower() for word in SEVERE)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(records("feedback", 1, 25), records("tickets", 1, 15))
def test_many_records_of_one_customer_equal_the_oracle(feedback, asked):
    frames = {"feedback": feedback.assign(customer_id=1), "tickets": asked.assign(customer_id=1)}
    expected = (
        features_of(everybody(frames, CUTOFF, HORIZON)[1]) if everybody(frames, CUTOFF, HORIZON) else {}
    )
    found = of_one(feedback, asked, cutoff=CUTOFF)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), name
