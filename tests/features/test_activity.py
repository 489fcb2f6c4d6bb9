"""Activity: cases worked out by hand, dense histories against the oracle, and what the trends promise."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from known import everybody
from oracle import activity as oracle

from habitue.features import activity, build, features_for
from habitue.records import CustomerLog, DuckDBEngine
from habitue.vocabulary import VOCABULARY, WINDOW_DAYS

CUTOFF = dt.date(2025, 3, 31)


def day(age):
    return pd.Timestamp(CUTOFF) - pd.Timedelta(days=age)


def frame_of(histories):
    """Return transactions of histories by customer: lists of (age at the cutoff, amount)."""
    rows = [(who, day(age), Decimal(amount)) for who, own in histories.items() for age, amount in own]
    return pd.DataFrame(rows, columns=["customer_id", "timestamp", "amount"])


def built(transactions, horizon=30):
    log = CustomerLog(transactions=transactions, observed_until="2026-01-01", engine=DuckDBEngine(threads=1))
    history = log.until(CUTOFF)
    there = set(features_for(history))
    return build(history, [one for one in activity.FEATURES if one in there], horizon=horizon)


def random_histories(n_customers):
    """Return sparse, dense, regular, clumped, growing and fading histories of up to four years."""
    random = np.random.default_rng(5)
    histories = {}
    for who in range(n_customers):
        T, n = random.integers(0, 1500), random.integers(0, 60)
        if who % 3 == 0:
            ages = np.arange(T, -1, -max(T // (n + 1), 1))
        elif who % 3 == 1:
            ages = np.append(T, random.integers(0, T + 1, n))
        else:
            ages = np.append(T, (T * random.random(n) ** 3).astype(int))
        cents = np.exp(random.normal(7, 2, len(ages))).astype(int) if who % 5 else np.full(len(ages), 999)
        own = [(int(age), Decimal(int(amount)) / 100) for age, amount in zip(ages, cents, strict=True)]
        histories[who] = own[:-1] if who % 7 == 0 and len(own) > 1 else own
    return histories


def test_dense_histories_equal_the_oracle():
    frame = frame_of(random_histories(240))
    found = built(frame)
    told = pd.DataFrame(
        {
            who: oracle.features_of(known)
            for who, known in everybody({"transactions": frame}, CUTOFF, 30).items()
        }
    ).T
    assert found["season_share"].count() > 100
    for name in found.columns:
        np.testing.assert_allclose(found[name], told[name], rtol=1e-9, atol=1e-9, err_msg=name)


def once_a_day(oldest):
    return [(age, "1") for age in range(oldest, -1, -1)]


VAST = "999999999999.999999"
RISING = [(179 - 30 * place, str(10 * place)) for place in range(6)]
CASES = {
    "gaps 10, 9, ..., 1, then 20 days of silence": (
        [(20 + sum(range(1, place)), "1") for place in range(11, 0, -1)],
        {
            "inactivity": 20,
            "inactivity_over_gap_median": 20 / 5,
            "inactivity_over_gap_p90": 20 / 9,
            "days_to_second_purchase": 10,
        },
    ),
    "amounts 1, 2, 3": ([(9, "1"), (5, "2"), (1, "3")], {"spend_cv": 1 / 2}),
    "equal amounts": ([(9, "0.1"), (5, "0.1"), (1, "0.1")], {"spend_cv": 0, "spend_last_over_mean": 1}),
    "tiny amounts": ([(9, "0.000001"), (5, "0.000003")], {"spend_cv": math.sqrt(1 / 2)}),
    "free purchases": (
        [(99, "0"), (5, "0")],
        {
            "spend_cv": math.nan,
            "spend_last_over_mean": math.nan,
            "spend_trend_ratio": math.nan,
            "purchases_trend_ratio": 1 * 9 / 90 + 1,
        },
    ),
    "vast amounts, all above the cap": (
        [(300, VAST), (300, VAST), *((age, VAST) for age in range(200, -1, -1))],
        {"spend_max": 2e12, "spend_cv": 0, "spend_trend_slope": 0},
    ),
    "a large last purchase": ([(9, "10"), (5, "20"), (1, "60")], {"spend_last_over_mean": 2}),
    "a free last purchase": ([(9, "10"), (5, "20"), (1, "0")], {"spend_last_over_mean": 0}),
    "three of 10 lately, one of 20 before, at a mean of 20": (
        [(400, "50"), (150, "20"), (89, "10"), (5, "10"), (0, "10")],
        {"purchases_trend_ratio": (3 + 1) / (1 + 1), "spend_trend_ratio": (30 + 20) / (20 + 20)},
    ),
    "a newcomer, there for 30 days before the last 90": (
        [(120, "10"), (80, "10"), (40, "10"), (10, "10")],
        {"purchases_trend_ratio": 3 * 30 / 90 + 1, "spend_trend_ratio": (30 * 30 / 90 + 10) / (0 + 10)},
    ),
    **{
        f"one purchase {age} days ago": (
            [(age, "10")],
            {
                "purchases_trend_ratio": ratio,
                "spend_trend_ratio": ratio,
                "purchases_trend_score": math.nan,
                "spend_cv": math.nan,
                "spend_trend_slope": slope,
                "season_share": season,
            },
        )
        for age, ratio, slope, season in (
            (90, math.nan, math.nan, math.nan),
            (91, 1, math.nan, math.nan),
            (179, 1, math.nan, math.nan),
            (180, 1, 0, math.nan),
            (410, 1, 0, math.nan),
            (411, 1, 0, 0),
        )
    },
    "10 more in each period": ([(180, "999"), *RISING], {"spend_trend_slope": 10}),
    "a day too short for a slope": ([(179, "999"), *RISING], {"spend_trend_slope": math.nan}),
    "spend in the last period alone": ([(500, "1"), (0, "35")], {"spend_trend_slope": 5}),
    "spend in the first of six alone": ([(500, "1"), (150, "35")], {"spend_trend_slope": -5}),
    # 4.5 days from the mean of 1 ... 10, over the standard deviation 10 / sqrt(12)
    "back on the last of 10 days": ([(10, "1"), (0, "1")], {"purchases_trend_score": 0.45 * math.sqrt(12)}),
    "back on the first of 10 days": ([(10, "1"), (9, "1")], {"purchases_trend_score": -0.45 * math.sqrt(12)}),
    "back on the first and last": ([(9, "1"), (8, "1"), (0, "1")], {"purchases_trend_score": 0}),
    # 365.25 - 45 = 320.25: 320 days ago was another season, as 100 days ago; 20 days ago is this year's own
    "four of old, one in season": (
        [(411, "1"), (321, "1"), (320, "1"), (100, "1"), (20, "1")],
        {"season_share": 1 / 4},
    ),
    "three anniversaries": ([(1461, "1"), (730, "1"), (365, "1"), (200, "1")], {"season_share": 3 / 4}),
    "every day for four years": (once_a_day(45 + 1461), {"season_share": 361 / 1461}),
}


@pytest.fixture(scope="module")
def worked_out():
    return built(frame_of({name: history for name, (history, _) in CASES.items()}))


@pytest.mark.parametrize("name", CASES)
def test_cases_worked_out_by_hand(worked_out, name):
    wanted = CASES[name][1]
    found = worked_out.loc[name, list(wanted)].to_dict()
    assert found == pytest.approx(wanted, nan_ok=True, rel=1e-12)


def test_one_free_purchase_on_the_last_day():
    found = built(frame_of({1: [(0, "0")]})).loc[1]
    assert set(found.index[found.isna()]) == {name for name in found.index if VOCABULARY[name].missing}
    assert set(found.dropna().index[found.dropna() != 0]) == {
        "n_purchases_last_period",
        *(f"n_purchases_{days}d" for days in WINDOW_DAYS),
    }


def test_trend_score_is_standard_normal_where_nothing_changes():
    random = np.random.default_rng(8)
    steady = {
        who: [(700, "1"), *((int(age), "1") for age in random.integers(0, 700, 12))] for who in range(1500)
    }
    scores = built(frame_of(steady))["purchases_trend_score"]
    assert scores.mean() == pytest.approx(0, abs=4 / math.sqrt(1500))
    assert scores.std() == pytest.approx(1, abs=0.07)


def test_first_purchase():
    """Two products in two lines of the first day, one of them discounted; a return of that day is none."""
    frame = frame_of({1: [(30, "8"), (30, "10"), (30, "-10"), (3, "5")]}).assign(
        product_id=["tea", "cup", "cup", "pot"], discount=[Decimal(2), None, None, Decimal(5)]
    )
    found = built(frame).loc[1]
    assert found["n_products_first"] == 2
    assert found["discount_share_first"] == 2 / 20
    assert found["spend_first"] == 18
    free = frame.assign(amount=[Decimal(0), Decimal(0), Decimal(-10), Decimal(5)], discount=Decimal(0))
    assert math.isnan(built(free).loc[1, "discount_share_first"])
