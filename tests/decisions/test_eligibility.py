"""Who may have what: against pandas, and with what is not known speaking against contact."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from habitue.decisions.beliefs import Share
from habitue.decisions.conditions import read_condition
from habitue.decisions.eligibility import eligible_for, holds, not_tired
from habitue.decisions.offers import Fatigue, Offer
from habitue.errors import DataError, SchemaError, SettingsError


def offer(name: str = "x", **given: object) -> Offer:
    return Offer(name, saves=Share(0.5), **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 5000
    frame = pd.DataFrame(
        {
            "clv": rng.gamma(1, 100, n),
            "n_tickets": rng.poisson(1.0, n).astype(float),
            "segment": rng.choice(["gold", "silver", None], n),
            "agreed": rng.choice([True, False], n),
        },
        index=pd.Index(rng.permutation(n), name="customer_id"),
    )
    frame.loc[frame.index[::7], "n_tickets"] = np.nan
    return frame


def test_conditions_say_what_pandas_says(people: pd.DataFrame) -> None:
    offers = [
        offer("rich", eligible="clv > 100 AND segment = 'gold'"),
        offer("calm", excluded="n_tickets >= 2"),
        offer("busy", eligible="n_tickets > 0", excluded="segment in ('silver')"),
        offer("all"),
    ]
    may = eligible_for(people, offers)
    assert may.index.equals(people.index)
    clv, tickets, segment = people["clv"], people["n_tickets"], people["segment"]
    np.testing.assert_array_equal(may["rich"], (clv > 100) & (segment == "gold"))
    np.testing.assert_array_equal(may["calm"], tickets.notna() & (tickets < 2))
    np.testing.assert_array_equal(may["busy"], (tickets > 0) & segment.notna() & (segment != "silver"))
    assert may["all"].all()


@pytest.mark.parametrize("step", [-1, -3, 2])
def test_a_frame_turned_round_or_cut_says_the_same_of_each_customer(people: pd.DataFrame, step: int) -> None:
    """Such a frame holds its numbers and days backwards in memory, which DuckDB cannot read in place."""
    people = people.assign(since=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(people)), "D"))
    condition = read_condition("clv > 80 AND n_tickets >= 1 AND since > '2024-02-01' AND segment = 'gold'")
    told = pd.Series(holds(condition, people), index=people.index)
    assert 0 < told.sum() < len(told)
    turned = people.iloc[::step]
    np.testing.assert_array_equal(holds(condition, turned), told[turned.index])


def test_a_condition_is_true_or_false(people: pd.DataFrame) -> None:
    with pytest.raises(SettingsError, match="neither true nor false"):
        eligible_for(people, [offer(eligible="clv + 1")])
    with pytest.raises(SettingsError, match="cannot be told"):
        eligible_for(people, [offer(eligible="segment > 3")])
    assert holds(read_condition("1 < 2"), people).all()


def test_columns_are_those_of_the_customers(people: pd.DataFrame) -> None:
    with pytest.raises(SettingsError, match=r"offer 'x' names 'segmnt'.*'segment'"):
        eligible_for(people, [offer(eligible="segmnt = 'gold'")])
    with pytest.raises(SchemaError, match="needs clw"):
        holds(read_condition("clw > 1"), people)
    with pytest.raises(SchemaError, match="capitals"):
        holds(read_condition("a > A"), pd.DataFrame({"a": [1], "A": [2]}))


def test_protected_attributes_are_refused_here_too(people: pd.DataFrame) -> None:
    with pytest.raises(SettingsError, match="protected"):
        eligible_for(people, [offer(eligible="segment = 'gold'")], protected=["segment"])


def test_only_who_consented_may_have_what_needs_consent(people: pd.DataFrame) -> None:
    shy = offer(needs_consent=True)
    np.testing.assert_array_equal(eligible_for(people, [shy], consent="agreed")["x"], people["agreed"])
    said = people.assign(agreed=people["agreed"].map({True: " Yes", False: None}))
    np.testing.assert_array_equal(eligible_for(said, [shy], consent="agreed")["x"], people["agreed"])
    numbers = people.assign(agreed=people["agreed"].map({True: 1.0, False: np.nan}))
    np.testing.assert_array_equal(eligible_for(numbers, [shy], consent="agreed")["x"], people["agreed"])
    with pytest.raises(SettingsError, match="consent"):
        eligible_for(people, [shy])
    with pytest.raises(SchemaError, match="no column"):
        eligible_for(people, [shy], consent="agreeed")


def test_an_offer_is_for_nobody_on_other_days(people: pd.DataFrame) -> None:
    past = offer(ends=date(2024, 12, 31))
    assert eligible_for(people, [past], on=date(2024, 12, 31))["x"].all()
    assert not eligible_for(people, [past], on=date(2025, 1, 1))["x"].any()


@pytest.mark.parametrize("over", ["all", "channel", "offer"])
def test_contacts_are_counted_as_by_hand(over: str) -> None:
    rng = np.random.default_rng(1)
    contacts = pd.DataFrame(
        {
            "customer_id": rng.integers(0, 40, 300),
            "timestamp": pd.Timestamp("2025-01-01")
            + pd.to_timedelta(rng.integers(0, 60 * 24, 300), unit="h"),
            "channel": rng.choice(["phone", "email"], 300),
            "offer": rng.choice(["x", "y"], 300),
        }
    )
    on = date(2025, 2, 10)
    one = offer(channel="phone", fatigue=(Fatigue(2, 20, over),))  # type: ignore[arg-type]
    who = pd.Index(range(50))
    expected = []
    for customer in who:
        n = 0
        for row in contacts.itertuples():
            days = (on - row.timestamp.date()).days
            same = {"all": True, "channel": row.channel == "phone", "offer": row.offer == "x"}[over]
            n += row.customer_id == customer and 0 <= days < 20 and same
        expected.append(n < 2)
    assert not_tired(who, [one], contacts, on=on)["x"].tolist() == expected
    assert not_tired(who, [offer()], contacts, on=on)["x"].all()


def test_records_of_contacts_need_what_is_counted() -> None:
    contacts = pd.DataFrame({"customer_id": [1], "timestamp": ["2025-01-01"]})
    tired = offer(fatigue=(Fatigue(1, 10, "offer"),))
    with pytest.raises(SchemaError, match="need offer"):
        not_tired(pd.Index([1]), [tired], contacts, on=date(2025, 1, 2))
    with pytest.raises(DataError, match="cannot be read"):
        not_tired(
            pd.Index([1]), [offer(fatigue=(Fatigue(1, 10),))], contacts.assign(timestamp="soon"),
            on=date(2025, 1, 2),
        )  # fmt: skip
