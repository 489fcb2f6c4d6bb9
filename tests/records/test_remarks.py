"""What was kept and might surprise is told, with counts and an example."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from habitue.errors import HabitueWarning
from habitue.records import CustomerLog


def _buys(amounts):
    return pd.DataFrame(
        {"customer_id": np.arange(len(amounts)), "timestamp": "2024-01-01", "amount": amounts}
    )


def _told(log, kind="transactions", word="unusual"):
    return [note for note in log.checks[kind].notes if word in note]


@pytest.mark.parametrize("factor", [1, 0.01, 1000])
def test_amounts_far_off_are_flagged_and_kept(factor):
    usual = np.random.default_rng(3).lognormal(3, 0.4, 500)
    amounts = np.round(np.r_[usual, 60_000, 1_000_000, 0.05, -5, 0] * factor, 6)
    log = CustomerLog(transactions=_buys(amounts))
    assert log.checks["transactions"].n_admitted == 505
    (note,) = _told(log)
    assert note.startswith("3 values of amount are unusual")
    assert f"{1_000_000 * factor:,.0f} of customer 501, {60_000 * factor:,.0f} of customer 500, " in note
    assert _told(CustomerLog(transactions=_buys(amounts[::-1]).assign(customer_id=np.arange(505)[::-1]))) == [
        note
    ]


@pytest.mark.parametrize("amounts", [[9.99] * 50 + [99.9], list(range(1, 30)), [1] * 10 + [1e6], [5] * 40])
def test_what_is_merely_large_is_not_flagged(amounts):
    assert _told(CustomerLog(transactions=_buys(amounts))) == []


def test_equal_prices_but_one_are_flagged():
    contracts = _buys([9.99] * 50 + [9990]).rename(columns={"timestamp": "started_at", "amount": "price"})
    assert _told(CustomerLog(contracts=contracts), "contracts") == [
        "1 value of price is unusual, more than 20 times above or below the median and 6 robust standard "
        "deviations of its logarithm: kept. Farthest off: 9,990 of customer 50."
    ]


def _contracts(*terms):
    rows = [(customer, start, end, 5) for customer, start, end in terms]
    return pd.DataFrame(rows, columns=["customer_id", "started_at", "ended_at", "price"])


def test_contracts_that_overlap_are_told_and_kept():
    terms = [
        (7, "2024-01-01", None), (7, "2024-02-01", "2024-03-01"), (7, "2024-04-01", None),
        (8, "2024-01-01", "2024-02-01"), (8, "2024-02-01", "2024-03-01"),
        (9, "2024-01-01", "2024-12-01"), (9, "2024-02-01", "2024-03-01"), (9, "2024-10-01", None),
    ]  # fmt: skip
    for given in (terms, terms[::-1]):
        log = CustomerLog(contracts=_contracts(*given))
        assert log.checks["contracts"].n_admitted == len(terms)
        assert _told(log, "contracts", "before an earlier") == [
            "4 contracts of 2 customers begin before an earlier one has ended (customer 7 on 2024-02-01, for "
            "one): kept."
        ]


def test_a_contract_that_ended_before_it_began_is_set_aside():
    terms = _contracts((1, "2024-02-01", "2024-01-31"), (2, "2024-02-01 10:00", "2024-02-01"))
    with pytest.warns(HabitueWarning, match=r"ended_at is before started_at \(1\)"):
        log = CustomerLog(contracts=terms)
    assert log.engine.rows("SELECT customer_id FROM contracts") == [(2,)]


def _told_of_scores(*rows, **scale):
    frame = pd.DataFrame(rows, columns=["customer_id", "survey", "score"]).assign(
        timestamp="2024-01-01", **scale
    )
    log = CustomerLog(transactions=_buys([1] * 9), feedback=frame)
    assert log.checks["feedback"].n_admitted == len(rows)
    assert log.engine.frame("SELECT score FROM feedback")["score"].notna().all()
    return _told(log, "feedback", "scale")


_USUAL = (
    "Scales go from 0 to 10 for nps and from 1 to 5 for other surveys, unless scale_min and scale_max say "
    "otherwise."
)


def test_scores_off_their_scale_are_told_and_kept():
    assert (
        _told_of_scores((1, "nps", 0), (1, "nps", 10), (2, "csat", 1), (2, "csat", 5), (3, "review", 3)) == []
    )
    rows = [(1, "nps", 11), (2, "nps", -1), (3, "csat", 0), (4, "review", 6), (5, "nps", 9), (6, "csat", 4)]
    for given in (rows, rows[::-1]):
        assert _told_of_scores(*given) == [
            "4 scores are not on the scale of the survey (csat 0 of customer 3, for one): kept as answers "
            f"without a score. {_USUAL}"
        ]
    assert _told_of_scores((7, "nps", 10.5)) == [
        "1 score is not on the scale of the survey (nps 10.5 of customer 7, for one): kept as answers "
        f"without a score. {_USUAL}"
    ]


@pytest.mark.parametrize(
    ("scale", "n_off"),
    [
        ({"scale_min": 0, "scale_max": 100}, 0),
        ({"scale_max": 100}, 1),
        ({"scale_min": [5, None, 1], "scale_max": [1, None, 100]}, 1),
    ],
)
def test_scales_that_feedback_tells_itself_count(scale, n_off):
    told = _told_of_scores((1, "csat", 5), (2, "csat", 0), (3, "csat", 90), **scale)
    assert len(told) == n_off


def test_one_of_a_thing_is_told_as_one():
    amounts = [*[9.99] * 50, 9990, 0, -5]
    notes = CustomerLog(transactions=_buys(amounts)).checks["transactions"].notes
    assert [note.split(":")[0].split(",")[0] for note in notes] == [
        "1 row has the amount 0", "1 row has a negative amount",
        "1 customer has returns only and no purchase", "1 value of amount is unusual",
    ]  # fmt: skip
    terms = _contracts((7, "2024-01-01", None), (7, "2024-02-01", None))
    assert _told(CustomerLog(contracts=terms), "contracts", "before an earlier")[0].startswith(
        "1 contract of 1 customer begins before"
    )
