"""Relationship: contacts, answers and dealings with service, worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from habitue.features import build
from habitue.features.relationship import FEATURES
from habitue.records import CustomerLog

CUTOFF = "2024-06-30"
BUYS = pd.DataFrame(
    {
        "customer_id": ["ann", "ann", "ann", "bea", "cid"],
        "timestamp": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-01", "2024-01-01"],
        "amount": [5, 5, -5, 5, 5],
        "channel": ["web", "shop", "phone", None, "web"],
    }
)


def table(columns, *rows):
    return pd.DataFrame(rows, columns=columns.split())


def built(**tables):
    history = CustomerLog(transactions=BUYS, **tables, observed_until="2024-12-31").until(CUTOFF)
    there = {kind: set(history.engine.columns(kind)) for kind in history.kinds}
    chosen = [one for one in FEATURES if one.kind in there and set(one.needs) <= there[one.kind]]
    return build(history, chosen, horizon=30)


CONTACTS = table(
    "customer_id timestamp campaign channel offer cost arm responded_at",
    ("ann", "2023-05-01 08:00", "old", "phone", "gift", "3.00", "treated", "2023-05-02"),
    ("ann", "2024-06-01 08:00", "a", "email", "gift", "0.50", "treated", "2024-06-03 09:00"),
    ("ann", "2024-06-01 08:00", "b", "email", None, "0.50", "treated", "2024-07-03 09:00"),
    ("ann", "2024-06-25 08:00", "c", "sms", "gift", None, None, None),
    ("ann", "2024-06-26 08:00", "c", None, None, "9.00", "control", None),
    ("ann", "2024-07-01 08:00", "d", "email", "gift", "0.50", "treated", "2024-07-01"),
    ("bea", "2024-06-26 08:00", "c", None, "gift", "9.00", "holdout", None),
)


@pytest.fixture(scope="module")
def contacted():
    return built(contacts=CONTACTS)


@pytest.mark.parametrize(
    ("name", "of_ann", "of_bea"),
    [
        ("days_since_contact", 5, None),
        ("response_share", 2 / 4, None),
        ("days_since_response", 27, None),
        ("offer_response_share", 2 / 3, None),
        ("n_answered_channels", 2, 0),
        ("n_purchase_channels", 2, 0),
        ("contact_cost_total", 4.0, 0),
        ("contact_cost_365d", 1.0, 0),
        ("n_contacts_7d", 1, 0),
        # 1 June is the 30th day counted back from the cutoff.
        ("n_contacts_30d", 3, 0),
        ("n_contacts_365d", 3, 0),
        ("contact_fatigue_30d", 3 / 2, 0),
        ("contact_fatigue_365d", 3 / 2, 0),
    ],
)
def test_contacts_worked_out_by_hand(contacted, name, of_ann, of_bea):
    """Controls were not contacted, and an answer counts once it came."""
    found = contacted[name]
    assert found["ann"] == pytest.approx(of_ann)
    assert pd.isna(found["bea"]) if of_bea is None else found["bea"] == of_bea
    assert found["cid"] == found["bea"] or name == "n_purchase_channels" or pd.isna(found["cid"])


def test_unanswered_contacts_tire_the_more_the_more_there_are():
    unanswered = table(
        "customer_id timestamp campaign responded_at",
        *[("ann", f"2024-06-{day:02d}", "a", None) for day in range(1, 10)],
        ("bea", "2024-06-01", "a", None),
    )
    fatigue = built(contacts=unanswered)["contact_fatigue_90d"]
    assert list(fatigue) == [9, 1, 0]


def test_what_needs_answers_is_not_built_without_them():
    unknown = CONTACTS.drop(columns="responded_at")
    names = {"response_share", "days_since_response", "n_answered_channels", "contact_fatigue_90d"}
    found = built(contacts=unknown)
    assert not names & set(found.columns)
    assert found.loc["ann", "n_contacts_30d"] == 3


def test_events_that_mean_an_opening_or_a_click():
    found = built(
        events=table(
            "customer_id timestamp event",
            ("ann", "2024-06-30", "email_open"),
            ("ann", "2024-06-01", "push_opened"),
            ("ann", "2024-05-31", "email_click"),
            ("ann", "2024-07-01", "email_click"),
            ("ann", "2024-06-30", "opened the door"),
            ("bea", "2024-06-30", "visit"),
        )
    )
    ann, bea = found.loc["ann"], found.loc["bea"]
    assert (ann["n_opened_30d"], ann["n_clicked_30d"], ann["n_clicked_90d"]) == (2, 0, 1)
    assert ann["clicks_per_opening"] == 0.5
    assert bea["n_opened_365d"] == bea["n_clicked_365d"] == 0
    assert pd.isna(bea["clicks_per_opening"])


def test_dealings_with_service_are_opening_first_answer_and_closing():
    found = built(
        tickets=table(
            "customer_id opened_at first_response_at closed_at",
            ("ann", "2024-06-30 08:00", "2024-06-30 09:00", "2024-07-01 09:00"),
            ("ann", "2024-01-01 08:00", "2024-05-31 09:00", "2024-06-01 09:00"),
            ("bea", "2024-07-01 08:00", None, None),
        )
    )
    assert list(found["n_service_touches_30d"]) == [3, 0, 0]
    assert list(found["n_service_touches_90d"]) == [4, 0, 0]
    assert list(found["n_service_touches_365d"]) == [5, 0, 0]
