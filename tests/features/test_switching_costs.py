"""Switching costs by hand: typed-in contracts, points and tiers, and the few numbers they must give."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from known import everybody
from logs import CUTOFF, HORIZON, records
from oracle.switching_costs import features_of

from habitue.errors import SettingsError
from habitue.features import build
from habitue.features.switching_costs import FEATURES, tier_features
from habitue.records import CustomerLog, DuckDBEngine

CONTRACT = [
    "started_at",
    "ended_at",
    "price",
    "billing_period_days",
    "plan",
    "termination_fee",
    "ended_reason",
]
TIERS = {"silver": 250, "gold": 750, "it's all": 2000}


def of_one(*, cutoff="2024-12-31", among=FEATURES, **frames):
    """Return the features of a customer who bought once."""
    buys = pd.DataFrame({"customer_id": [1], "timestamp": ["2023-01-01"], "amount": [5]})
    frames = {"transactions": buys} | {kind: frame.assign(customer_id=1) for kind, frame in frames.items()}
    log = CustomerLog(**frames, observed_until="2030-12-31", engine=DuckDBEngine(threads=1))
    history = log.until(cutoff)
    there = {kind: set(history.engine.columns(kind)) for kind in history.kinds}
    chosen = [one for one in among if one.kind in there and there[one.kind] >= set(one.needs)]
    return build(history, chosen, horizon=30).loc[1]


def contracts(*rows):
    frame = pd.DataFrame(rows, columns=CONTRACT)
    return frame.astype({"billing_period_days": "float64", "termination_fee": "float64"})


def rewards(*rows):
    frame = pd.DataFrame(rows, columns=["timestamp", "points", "expires_at", "tier"])
    return frame.astype({"expires_at": "object", "tier": "object"})


def test_active_contracts():
    """One in its second year, one that renews on the cutoff, one without a term, one that ends later."""
    told = of_one(
        contracts=contracts(
            ("2023-12-01", None, 365, 365, "home", 50, None),
            ("2024-12-01", None, 10, 30, "phone", None, None),
            ("2024-12-31", None, 7, None, "phone", 0, None),
            ("2024-07-01", "2025-01-01", 20, 60, None, 5, "voluntary"),
        )
    )
    assert told["contract_tenure"] == 396
    assert (told["contract_days_left_min"], told["contract_days_left_max"]) == (30, 334)
    assert told["termination_fees"] == 55
    assert told["contract_price_per_30_days"] == pytest.approx(30 + 10 + 10)
    assert told[["n_contracts", "n_contracts_active", "n_plans_active", "n_plans"]].tolist() == [4, 4, 2, 2]
    assert told[["n_contracts_ended_voluntarily", "n_contracts_ended_involuntarily"]].tolist() == [0, 0]


def test_contracts_that_followed_each_other():
    """Up; then the same price for another period; then down, after a pause; then one on top."""
    told = of_one(
        contracts=contracts(
            ("2024-01-01", "2024-02-01", 9.99, 30, "a", None, "voluntary"),
            ("2024-02-01", "2024-03-02", 19.98, 30, "b", None, "involuntary"),
            ("2024-03-02", "2024-08-29", 239.76, 360, "c", None, "voluntary"),
            ("2024-10-31", "2024-11-30", 5, 30, "a", None, None),
            ("2024-11-01", "2024-11-21", 50, 30, "d", None, "involuntary"),
        )
    )
    assert told[["n_contract_upgrades", "n_contract_downgrades"]].tolist() == [1, 1]
    assert told[["n_contracts_ended_voluntarily", "n_contracts_ended_involuntarily"]].tolist() == [2, 2]
    assert told[["contract_days_left_min", "termination_fees", "contract_price_per_30_days"]].isna().all()
    assert told["n_contracts_active"] == 0


def test_a_contract_of_the_cutoff_day_has_no_past():
    told = of_one(contracts=contracts(("2024-12-31", "2024-12-31", 5, 30, None, None, None)))
    assert (told["contract_tenure"], told["n_plans"], told["n_contracts_active"]) == (0, 0, 0)


def test_points_are_spent_in_the_order_in_which_they_expire():
    """Of the first hundred 30 were redeemed in time and 70 lost; 20 of the next came from what is left."""
    told = of_one(
        rewards=rewards(
            ("2024-01-01", 100, "2024-06-01", None),
            ("2024-03-01", -30, None, None),
            ("2024-07-01", 50, "2025-01-30", None),
            ("2024-08-01", 40, "2025-01-31", None),
            ("2024-09-01", 10, None, None),
            ("2024-10-01", -20, None, None),
        )
    )
    assert told["points_balance"] == 80
    assert (told["points_expiring_30d"], told["points_expiring_90d"]) == (30, 70)


@pytest.mark.parametrize(("cutoff", "balance"), [("2024-05-31", 100), ("2024-06-01", 0), ("2024-06-02", 0)])
def test_points_are_gone_on_the_day_on_which_they_expire(cutoff, balance):
    told = of_one(rewards=rewards(("2024-01-01", 100, "2024-06-01", None)), cutoff=cutoff)
    assert (told["points_balance"], told["points_expiring_30d"]) == (balance, balance)


def test_no_balance_below_zero_and_none_of_those_without_points():
    told = of_one(rewards=rewards(("2024-01-01", -50, None, None), ("2024-01-02", 20, None, None)))
    assert (told["points_balance"], told["points_expiring_90d"]) == (0, 0)
    plain = of_one(rewards=rewards(("2024-01-01", 20, None, None))[["timestamp", "points"]])
    assert plain["points_balance"] == 20
    assert "has_tier" not in plain


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 700), st.integers(-80, 100)), min_size=1, max_size=25))
def test_points_of_one_lifetime_equal_a_purse(moves):
    """Points last 200 days, in a purse from which the oldest are taken; nobody spends what is not there."""
    start, last = dt.date(2023, 1, 1), 730  # the cutoff, 2024-12-31
    rows, purse = [], []
    for day, points in sorted(moves, key=lambda move: move[0]):
        purse = [(born, left) for born, left in purse if born + 200 > day]
        if points >= 0:
            purse.append((day, points))
        else:
            wanted = spent = min(-points, sum(left for _, left in purse))
            points = -spent
            for place, (born, left) in enumerate(purse):
                taken = min(left, wanted)
                purse[place], wanted = (born, left - taken), wanted - taken
        expires = str(start + dt.timedelta(days=day + 200)) if points > 0 else None
        rows.append((str(start + dt.timedelta(days=day)), points, expires, None))
    told = of_one(rewards=rewards(*rows))
    there = [(born, left) for born, left in purse if born + 200 > last]
    assert told["points_balance"] == sum(left for _, left in there)
    for days in (30, 90):
        due = sum(left for born, left in there if born + 200 <= last + days)
        assert told[f"points_expiring_{days}d"] == due


def test_tiers_on_record():
    told = of_one(
        rewards=rewards(
            ("2024-01-01", 10, None, "silver"),
            ("2024-02-01", 10, None, "silver"),
            ("2024-03-01", 10, None, "gold"),
            ("2024-04-01", 10, None, None),
            ("2024-12-01", 10, None, "silver"),
            ("2024-12-11", 10, None, "silver"),
        )
    )
    assert (told["has_tier"], told["days_at_tier"], told["n_tier_changes"]) == (1, 30, 2)
    none = of_one(rewards=rewards(("2024-01-01", 10, None, None)))
    assert (none["has_tier"], none["n_tier_changes"]) == (0, 0)
    assert math.isnan(none["days_at_tier"])


@pytest.mark.parametrize(
    ("tier", "points", "within", "expected"),
    [
        (None, 100, None, (0, 150)),
        ("silver", 300, None, (1, 450)),
        ("silver", 300, 30, (1, 750)),
        ("silver", 900, None, (1, 0)),
        ("gold", 900, None, (2, 1100)),
        ("it's all", 3000, None, (3, math.nan)),
        ("bronze", 10, None, (0, math.nan)),
    ],
)
def test_tiers_with_thresholds(tier, points, within, expected):
    made = tier_features(TIERS, earned_within=within)
    given_points = rewards(("2024-06-01", points, None, tier), ("2024-06-02", -5, None, None))
    told = of_one(rewards=given_points, among=made)
    np.testing.assert_array_equal(told[["tier_rank", "points_to_next_tier"]], expected)
    nobody = given_points.assign(customer_id=2)
    buys = pd.DataFrame({"customer_id": [1, 2], "timestamp": ["2023-01-01"] * 2, "amount": [5, 5]})
    log = CustomerLog(transactions=buys, rewards=nobody)
    assert build(log.until("2024-06-01"), made, horizon=30).loc[1].isna().tolist() == [False, True]


def test_one_tier_has_none_above():
    told = of_one(rewards=rewards(("2024-06-01", 5, None, "club")), among=tier_features({"club": 0}))
    assert told["tier_rank"] == 1
    assert math.isnan(told["points_to_next_tier"])


@pytest.mark.parametrize("thresholds", [{}, {"a": -1}, {"a": 5, "b": 5}])
def test_impossible_thresholds_are_refused(thresholds):
    with pytest.raises(SettingsError, match="thresholds must name at least one tier"):
        tier_features(thresholds)


def test_a_window_of_no_days_is_refused():
    with pytest.raises(SettingsError, match=r"earned_within must be at least 1 day, or None; got 0\."):
        tier_features(TIERS, earned_within=0)


def test_breadth_counts_what_was_bought():
    """A return is no purchase; a log without products has no breadth."""
    buys = pd.DataFrame(
        {
            "timestamp": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
            "amount": [5, 0, -5, 3],
            "product_id": ["a", "b", "c", None],
            "category": ["tea", "tea", "cups", "pots"],
        }
    )
    assert of_one(transactions=buys)[["n_categories_bought", "n_products_bought"]].tolist() == [2, 2]


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(records("contracts", 1, 15), records("rewards", 1, 25))
def test_many_records_of_one_customer_equal_the_oracle(signed, earned):
    frames = {"contracts": signed.assign(customer_id=1), "rewards": earned.assign(customer_id=1)}
    known = everybody(frames, CUTOFF, HORIZON)
    expected = features_of(known[1]) if known else {}
    found = of_one(contracts=signed, rewards=earned, cutoff=CUTOFF)
    for name, value in expected.items():
        if name in found:
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), name
