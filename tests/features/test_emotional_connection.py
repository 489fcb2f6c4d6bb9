"""Emotional connection: what was done for the business, and who is a promoter on which scale."""

from __future__ import annotations

import pandas as pd

from habitue.features import build
from habitue.features.emotional_connection import FEATURES
from habitue.records import CustomerLog

CUTOFF = "2024-06-30"
BUYS = pd.DataFrame({"customer_id": ["ann", "bea"], "timestamp": "2024-01-01", "amount": 5})
EVENTS = pd.DataFrame(
    [
        ("ann", "2024-06-20", "referral"),
        ("ann", "2024-06-20", "refer_a_friend"),
        ("ann", "2023-07-02", "share"),
        ("ann", "2023-07-01", "share"),  # the 366th day counted back
        ("ann", "2024-06-30", "forum_post"),
        ("ann", "2024-07-01", "community_post"),
        ("bea", "2024-06-30", "Referral"),  # names are taken as they are written
    ],
    columns=["customer_id", "timestamp", "event"],
)


def built(transactions=BUYS, **tables):
    history = CustomerLog(transactions=transactions, **tables, observed_until="2024-12-31").until(CUTOFF)
    return build(history, [one for one in FEATURES if one.kind in history.kinds], horizon=30)


def test_referrals_shares_and_posts():
    found = built(events=EVENTS)
    expected = {
        "n_referrals": 2,
        "n_shares": 2,
        "n_community_posts": 1,
        "n_advocacy_365d": 4,
        "days_since_advocacy": 0,
        "days_since_referral": 10,
    }
    assert dict(found.loc["ann"]) == expected
    assert dict(found.loc["bea"].dropna()) == dict.fromkeys(list(expected)[:4], 0)


def answers(*rows):
    return pd.DataFrame(
        rows, columns=["customer_id", "timestamp", "survey", "score", "scale_min", "scale_max"]
    )


def test_reviews():
    found = built(
        feedback=answers(
            ("ann", "2024-06-29", "review", 1, None, None),
            ("ann", "2022-06-29", "review", 5, None, None),
            ("bea", "2024-06-29", "csat", 5, None, None),
        )
    )
    assert list(found["n_reviews"]) == [2, 0]
    assert list(found["n_reviews_365d"]) == [1, 0]
    assert found["days_since_review"]["ann"] == 1
    assert found[["is_promoter_now", "is_promoter_always", "days_since_promoting"]].isna().all(axis=None)


def test_a_promoter_on_any_scale():
    scales = [
        (None, None, 9, 1), (None, None, 8, 0), (0, 10, 10, 1), (1, 10, 9, 1), (1, 10, 8, 0), (0, 100, 80, 0),
        (0, 100, 90, 1), (1, 5, 5, 1), (1, 5, 4, 0),
    ]  # fmt: skip
    buys = BUYS.iloc[[0] * len(scales)].assign(customer_id=range(len(scales)))
    asked = [(who, "2024-06-29", "nps", score, *scale) for who, (*scale, score, _) in enumerate(scales)]
    found = built(transactions=buys, feedback=answers(*asked))
    expected = [is_promoter for *_, is_promoter in scales]
    assert list(found["is_promoter_now"]) == list(found["is_promoter_always"]) == expected
    assert list(found["days_since_promoting"].notna()) == expected


def test_a_score_off_its_scale_is_no_promoters():
    asked = [
        ("ann", "2024-06-01", "nps", 9, None, None), ("ann", "2024-06-02", "nps", 90, None, None),
        ("bea", "2024-06-01", "nps", -1, None, None), ("bea", "2024-06-02", "nps", 10, None, None),
    ]  # fmt: skip
    found = built(feedback=answers(*asked))
    assert found.loc["ann", ["is_promoter_now", "is_promoter_always"]].isna().to_list() == [True, False]
    assert found.loc["ann", ["is_promoter_always", "days_since_promoting"]].to_list() == [1, 29]
    assert found.loc["bea", ["is_promoter_now", "is_promoter_always"]].to_list() == [1, 1]


def test_a_promoter_now_and_always():
    found = built(
        feedback=answers(
            ("ann", "2024-06-01", "nps", 3, None, None),
            ("ann", "2024-06-20", "nps", 9, None, None),
            ("ann", "2024-07-01", "nps", 0, None, None),  # not known yet
            ("bea", "2024-06-20", "nps", 10, None, None),
            ("bea", "2024-06-21", "nps", 6, None, None),
        )
    )
    assert list(found["is_promoter_now"]) == [1, 0]
    assert list(found["is_promoter_always"]) == [0, 0]
    assert list(found["days_since_promoting"]) == [10, 10]


def test_of_two_answers_at_once_the_lower_is_the_last():
    both = [("ann", "2024-06-20 10:00", "nps", score, None, None) for score in (9, 2)]
    for rows in (both, both[::-1]):
        assert built(feedback=answers(*rows)).loc["ann", "is_promoter_now"] == 0
