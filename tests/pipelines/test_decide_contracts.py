"""Offers for customers with contracts alone: what they are worth stands in the contracts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from habitue.decisions import Offer, Share
from habitue.pipelines.deciding.contract_prices import worth_of_contracts
from habitue.pipelines.deciding.decide import Round, decide
from habitue.pipelines.deciding.inputs import Scores
from habitue.pipelines.offers import DecideSettings, Offers
from habitue.records import CustomerLog

DAY = date(2024, 6, 30)
DECIDE = DecideSettings(margin=0.5, holdout=0.0)


def contracts() -> pd.DataFrame:
    """Four customers: one pays 30 a month, one 365 a year and 30 a month, one changed, one pays nothing."""
    return pd.DataFrame(
        [
            ("a", "2024-01-01", None, 30.0, 30),
            ("b", "2024-01-01", None, 365.0, 365),
            ("b", "2024-02-01", "2024-12-31", 30.0, 30),
            ("c", "2024-01-01", None, 60.0, 30),
            ("c", "2023-01-01", "2024-05-31", 900.0, 30),
            ("d", "2024-01-01", None, 0.0, 30),
        ],
        columns=["customer_id", "started_at", "ended_at", "price", "billing_period_days"],
    ).astype({"started_at": "datetime64[us]", "ended_at": "datetime64[us]"})


def scored(**columns: list[float]) -> Scores:
    index = pd.Index(["a", "b", "c", "d"], name="customer_id")
    frame = pd.DataFrame({"churn_probability": [0.2, 0.2, 0.2, 0.2], **columns}, index)
    return Scores(frame, DAY, 30, {}, "scores")


def log(frame: pd.DataFrame) -> CustomerLog:
    return CustomerLog(contracts=frame, observed_until=DAY)


def test_what_runs_now_is_worth_its_price_for_as_long_as_it_is_likely_to_run() -> None:
    found, settings = worth_of_contracts(log(contracts()), scored(), DECIDE)
    clv = found.frame["clv"]
    assert found.value_days == 365
    # A fifth of the base leaves a month: whoever stays this one pays for 30 days and some more.
    assert clv["b"] == pytest.approx(2.0 * clv["a"])
    assert clv["c"] == pytest.approx(2.0 * clv["a"])
    assert clv["d"] == 0.0
    assert 100.0 < clv["a"] < 365.0
    assert 0.0 < settings.leaver_share < 0.2


def test_scores_that_have_a_value_keep_it() -> None:
    given = scored(clv=[1.0, 2.0, 3.0, 4.0])
    assert worth_of_contracts(log(contracts()), given, DECIDE) == (given, DECIDE)


def test_who_pays_enough_gets_the_call() -> None:
    call = Offer("call", cost=4.0, acceptance=Share(0.4, worth=50), saves=Share(0.5, worth=50))
    offers = Offers((call,), DECIDE)
    made = decide(log(contracts()), scored(), offers, Round("r", date(2024, 7, 1)))
    gains = made.gains.expected["call"]
    _, settings = worth_of_contracts(log(contracts()), scored(), DECIDE)
    stayer = 0.5 * 1.0 * 30 / (2 * settings.leaver_share)  # half the price of the days that a stayer pays
    assert gains["a"] == pytest.approx(0.2 * 0.4 * 0.5 * stayer * (1 - settings.leaver_share) - 4.0)
    assert gains["b"] == pytest.approx(2.0 * (gains["a"] + 4.0) - 4.0)
    assert gains["d"] == -4.0
    assert set(made.actions["customer_id"]) == set(gains.index[gains > 0.0])
    assert made.facts["value_days"] == 365
    assert "price of their contracts" in " ".join(made.facts["sentences"])
    # The other way to count: within the horizon alone, nothing pays.
    short = Offers(offers.offers, DECIDE.model_copy(update={"value_days": 30}))
    none = decide(log(contracts()), scored(), short, replace(made.round, name="short"))
    assert none.actions.empty
