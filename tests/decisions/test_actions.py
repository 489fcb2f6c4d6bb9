"""Action lists and wording: what is handed to people says no more than it may."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from habitue.decisions.actions import ACTION_COLUMNS, action_list, assignments
from habitue.decisions.beliefs import Share
from habitue.decisions.offers import KINDS, Offer
from habitue.decisions.wording import reasons_to_act, what_not_to_say
from habitue.errors import DataError

DAY = date(2024, 7, 1)
OFFERS = [
    Offer("call", kind="proactive_support", channel="phone", saves=Share(0.5), ends=date(2024, 7, 5)),
    Offer("gift", kind="surprise_gift", channel="post", saves=Share(0.5), said="A present."),
]
WHO = ["ann", "bob", "eve"]


def gains(value: float) -> pd.DataFrame:
    """Return gains that rise from customer to customer."""
    return pd.DataFrame({"call": [value, value + 1, value + 2], "gift": [value] * 3}, index=WHO)


def assigned() -> pd.DataFrame:
    """Return assignments of three customers, one of them left alone."""
    drawn = pd.DataFrame(
        {
            "customer_id": WHO,
            "planned": ["call", "call", "gift"],
            "or_else": ["", "", ""],
            "arm": ["call", "control", "gift"],
            "propensity": [0.9, 0.1, 0.9],
        }
    )
    return assignments(drawn, OFFERS, gains(2.0), name="july", day=DAY)


def listed(**changed: object) -> pd.DataFrame:
    """Return the list of what to do."""
    scores = pd.DataFrame({"reason_1": "2 open tickets (raises it)"}, index=WHO)
    told = {"valid_until": date(2024, 7, 14), "protected": ["sex"]} | changed
    return action_list(assigned(), OFFERS, gains(10.0), gains(5.0), gains(20.0), scores, **told)  # pyright: ignore[reportArgumentType]


def test_a_list_has_its_columns_and_nobody_who_is_left_alone() -> None:
    actions = listed()
    assert tuple(actions.columns) == ACTION_COLUMNS
    assert actions["customer_id"].tolist() == ["ann", "eve"]
    assert actions["valid_until"].tolist() == [date(2024, 7, 5), date(2024, 7, 14)]
    assert actions["channel"].tolist() == ["phone", "post"]
    assert actions["say"].tolist() == ["", "A present."]
    assert actions["reason"][0] == "2 open tickets: expected to gain 10.00"
    assert "the words of their tickets" in actions["what_not_to_say"][0]


def test_where_nothing_speaks_for_leaving_it_is_said_what_is_at_stake() -> None:
    scores = pd.DataFrame({"reason_1": "bought today (lowers it)", "churn_probability": 0.2}, index=WHO)
    for told, stake in (
        (scores.assign(clv=1234.5), "20% likely to leave, 1,234.50 expected of them"),
        (scores, "20% likely to leave"),
        (scores[["reason_1"]], "worth it"),
    ):
        made = action_list(
            assigned(), OFFERS, gains(10.0), gains(5.0), gains(20.0), told, valid_until=date(2024, 7, 14)
        )
        assert made["reason"][0] == f"{stake}: expected to gain 10.00"


def test_who_must_not_be_contacted_stops_the_list() -> None:
    with pytest.raises(DataError, match="the first is ann; no list is written"):
        listed(never=["ann"])
    assert len(listed(never=["bob"])) == 2


def test_costs_and_channels_of_assignments_are_those_of_what_was_done() -> None:
    made = assigned()
    assert made["cost"].tolist() == [2.0, 0.0, 2.0]
    assert made["channel"].fillna("").tolist() == ["phone", "", "post"]
    assert made["campaign"].tolist() == ["july: call", "july: call", "july: gift"]
    assert made["randomised"].all()


@pytest.mark.parametrize("kind", KINDS)
def test_no_offer_lets_people_speak_of_leaving_or_of_protected_attributes(kind: str) -> None:
    offer = Offer("x", kind=kind, saves=Share(0.5))
    said = what_not_to_say(offer, protected=["age_band", "sex"])
    assert said.startswith("Do not mention that they may leave")
    assert said.endswith("Do not refer to age band, sex.")


def test_reasons_that_tell_a_protected_attribute_are_left_out() -> None:
    reasons = ["Age Band is 60+ (raises it)", "bought once (lowers it)", "silent for 9 days (raises it)", ""]
    assert reasons_to_act(reasons, protected=["age_band"]) == ("silent for 9 days",)
    assert reasons_to_act([None, float("nan")]) == ()
