"""Habit: cases worked out by hand, dense histories against the oracle, and what regularity promises."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest
from known import everybody
from oracle import habit as oracle
from scipy.optimize import brentq
from scipy.special import digamma

from habitue.features import build, features_for, habit
from habitue.records import CustomerLog, DuckDBEngine

CUTOFF = dt.date(2025, 3, 31)


def day(age):
    return pd.Timestamp(CUTOFF) - pd.Timedelta(days=age)


def purchases(ages_of):
    """Return transactions of 1 at the ages (days before the cutoff) of each customer."""
    rows = [(who, day(int(age)), 1) for who, ages in ages_of.items() for age in ages]
    return pd.DataFrame(rows, columns=["customer_id", "timestamp", "amount"])


def built(**frames):
    log = CustomerLog(**frames, observed_until="2026-01-01", engine=DuckDBEngine(threads=1))
    history = log.until(CUTOFF)
    there = set(features_for(history))
    return build(history, [one for one in habit.FEATURES if one in there], horizon=30)


def ages_from(gaps, silent=0):
    return silent + np.append(np.cumsum(gaps[::-1])[::-1], 0)


def random_ages(n_customers):
    """Return regular, chancy and clumped purchases of up to four years."""
    random = np.random.default_rng(11)
    ages_of = {}
    for who in range(n_customers):
        k, n = (0.3, 1, 5, 40)[who % 4], random.integers(0, 40)
        gaps = np.ceil(random.gamma(k, random.uniform(2, 60) / k, n)) if n else np.array([])
        ages_of[who] = ages_from(gaps, random.integers(0, 400))
    return ages_of


def test_dense_histories_equal_the_oracle():
    frame = purchases(random_ages(240))
    found = built(transactions=frame)
    told = pd.DataFrame(
        {
            who: oracle.features_of(known)
            for who, known in everybody({"transactions": frame}, CUTOFF, 30).items()
        }
    ).T
    assert (found[["regularity_ml", "regularity_wheat_morrison", "clumpiness"]].count() > 200).all()
    for name in found.columns:
        np.testing.assert_allclose(found[name], told[name], rtol=1e-9, atol=1e-9, err_msg=name)


CASES = {
    "one purchase": (
        [40],
        {
            "gap_median": math.nan,
            "regularity_ml": math.nan,
            "regularity_wheat_morrison": math.nan,
            "clumpiness": math.nan,
            "days_to_next_expected_purchase": math.nan,
            "streak_now": 0,
            "streak_longest": 1,
            "active_period_share": 1 / 2,
        },
    ),
    # Intervals of 10 and 30 + 1 days: both regularities ask for two gaps.
    "one gap": (
        [40, 30],
        {
            "gap_median": 10,
            "gap_p90": 10,
            "regularity_ml": math.nan,
            "regularity_wheat_morrison": math.nan,
            "clumpiness": 1 + (10 * math.log(10 / 41) + 31 * math.log(31 / 41)) / 41 / math.log(2),
            "days_to_next_expected_purchase": 10 - 30,
        },
    ),
    # The day after the cutoff ends the last interval: 10, 10, 10 and 9 + 1 days.
    "clockwork": (
        [39, 29, 19, 9],
        {
            "gap_median": 10,
            "gap_p90": 10,
            "regularity_ml": 100,
            "regularity_wheat_morrison": 100,
            "clumpiness": 0,
            "days_to_next_expected_purchase": 1,
            "streak_now": 2,
            "streak_longest": 2,
        },
    ),
    # Gaps 1, 3, 5, 7: medians and nine in ten are gaps that were.
    "lengthening gaps": (
        [16, 15, 12, 7, 0],
        {
            "gap_median": 3,
            "gap_p90": 7,
            # M is 1/4 and 5/12: the variance about 1/2 is (1/16 + 1/144) / 2 = 5/144.
            "regularity_wheat_morrison": (1 - 20 / 144) / (40 / 144),
            "days_to_next_expected_purchase": 4,
        },
    ),
    # The second pair lacks its second gap, and the first is (1, 1): none but that one counts.
    "an odd gap out": ([92, 91, 90, 0], {"regularity_wheat_morrison": 100}),
    # The mean is 2.5 and the logarithmic one ln 2, as of 1 and 4.
    "gaps of 1 and 4": (
        [5, 4, 0],
        {
            "regularity_ml": max(np.roots([6 * math.log(1.25), math.log(1.25) - 3, -1])),
            "regularity_wheat_morrison": (1 - 4 * 0.09) / (8 * 0.09),
        },
    ),
    "all on the last days": ([999, 1, 0], {"gap_median": 1, "gap_p90": 998}),
    "three periods in a row, then none": ([100, 70, 40], {"streak_now": 0, "streak_longest": 3}),
    "every period": ([119, 60, 30, 29], {"streak_now": 4, "streak_longest": 4, "active_period_share": 1}),
    "two streaks": (
        [300, 280, 250, 200, 35, 5],
        {"streak_now": 2, "streak_longest": 3, "active_period_share": 6 / 11},
    ),
    # 2025-03-31 is a Monday.
    "a weekend and a Monday": ([2, 1, 0], {"weekend_share": 2 / 3}),
}


@pytest.fixture(scope="module")
def worked_out():
    return built(transactions=purchases({name: ages for name, (ages, _) in CASES.items()}))


@pytest.mark.parametrize("name", CASES)
def test_cases_worked_out_by_hand(worked_out, name):
    wanted = CASES[name][1]
    found = worked_out.loc[name, list(wanted)].to_dict()
    assert found == pytest.approx(wanted, nan_ok=True, rel=1e-10, abs=1e-12)


def test_regularity_is_within_a_hundredth_and_a_half_of_the_likeliest():
    random = np.random.default_rng(3)
    shapes = 10 ** random.uniform(-0.7, 1.7, 150)
    gaps_of = {who: np.ceil(random.gamma(k, 60 / k, 30)) for who, k in enumerate(shapes)}
    found = built(transactions=purchases({who: ages_from(gaps) for who, gaps in gaps_of.items()}))
    for who, gaps in gaps_of.items():
        s = math.log(gaps.mean()) - np.log(gaps).mean()
        exact = brentq(lambda k, s=s: math.log(k) - digamma(k) - s, 1e-3, 1e4)
        assert found.loc[who, "regularity_ml"] == pytest.approx(min(exact, 100), rel=0.015)


@pytest.mark.parametrize("k", [1, 4, 20])
def test_regularity_is_found_again(k):
    random = np.random.default_rng(k)
    gaps = np.ceil(random.gamma(k, 30 / k, 1000))
    found = built(transactions=purchases({"long loyal": ages_from(gaps)})).iloc[0]
    assert found["regularity_ml"] == pytest.approx(k, rel=0.12)
    assert found["regularity_wheat_morrison"] == pytest.approx(k, rel=0.2)


def test_clumpiness_grows_from_even_to_all_at_once():
    ages_of = {
        "even": [99, 89, 79, 69, 59, 49, 39, 29, 19, 9],
        "by chance": [99, 91, 88, 70, 55, 50, 41, 22, 20, 3],
        "in two clumps": [99, 98, 97, 96, 95, 4, 3, 2, 1, 0],
        "at the start": range(99, 89, -1),
    }
    found = built(transactions=purchases(ages_of)).loc[list(ages_of), "clumpiness"]
    assert found.is_monotonic_increasing
    assert found["even"] == pytest.approx(0, abs=1e-12)
    assert 0.5 < found["at the start"] < 1


def test_contracts_that_overlap_count_once():
    """Days 100 to 50 and 80 to 40 before the cutoff, a gap of 20 days, and 20 days since then: 80 of 100."""
    contracts = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "b", "c", "d"],
            "started_at": [day(100), day(80), day(20), day(30), day(0), day(9)],
            "ended_at": [day(50), day(40), None, day(-5), None, day(4)],
            "price": 10.0,
            "auto_renew": pd.array([True, True, False, True, None, True], dtype="boolean"),
        }
    )
    found = built(transactions=purchases({who: [1] for who in "abcde"}), contracts=contracts)
    assert found["subscription_share"].to_dict() == pytest.approx(
        {"a": 0.8, "b": 1, "c": 1, "d": 5 / 9, "e": 0}
    )
    assert found["auto_renew_share"].to_dict() == pytest.approx(
        {"a": 0, "b": 1, "c": math.nan, "d": math.nan, "e": math.nan}, nan_ok=True
    )


def test_points_earned_and_redeemed():
    rewards = pd.DataFrame(
        {
            "customer_id": ["a"] * 6 + ["b"],
            "timestamp": [day(age) for age in (200, 200, 89, 90, 10, 3, 5)],
            "points": [100.0, 50, 50, -30, 0, -20, -10],
        }
    )
    found = built(transactions=purchases({who: [1] for who in "abc"}), rewards=rewards)
    names = [
        "n_points_earned_days",
        "points_earned_90d",
        "points_redeemed_90d",
        "redemption_share",
        "days_since_redemption",
    ]
    wanted = {"a": [2, 50, 20, 0.25, 3], "b": [0, 0, 10, math.nan, 5], "c": [0, 0, 0, math.nan, math.nan]}
    pd.testing.assert_frame_equal(
        found[names],
        pd.DataFrame(wanted, index=names, dtype=float).T.rename_axis("customer_id"),
        check_dtype=False,
    )
