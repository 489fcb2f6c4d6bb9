"""Snapshots of customers with contracts: who is in the base, who cancels, and which records tell it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

import habitue as hb
from habitue.errors import DataError, SettingsError
from habitue.models import BGNBD, BoostedChurnClassifier, BTYDValueRegressor
from habitue.snapshots import Snapshot, Window, take_snapshot, take_snapshots
from habitue.snapshots.snapshot import churn_told_by

FIRST = dt.date(2024, 1, 1)
LAST = FIRST + dt.timedelta(100)
WINDOW = Window(FIRST + dt.timedelta(50), 30)


def day(number: int | None) -> pd.Timestamp:
    return pd.NaT if number is None else pd.Timestamp(FIRST) + pd.Timedelta(days=number)


def contracts_of(rows: list[tuple[int, int, int | None]]) -> pd.DataFrame:
    """Return a table of contracts: customer, days to its start, days that it ran (None: still does)."""
    spans = [(who, start, None if held is None else start + held) for who, start, held in rows]
    return pd.DataFrame(
        {
            "customer_id": [who for who, *_ in spans],
            "started_at": [day(start) for _, start, _ in spans],
            "ended_at": pd.to_datetime([day(end) for *_, end in spans]),
            "price": 10.0,
        }
    )


def running(rows: list[tuple[int, int, int | None]], at: int) -> set[int]:
    """Customers with a contract that runs at the end of a day."""
    return {who for who, start, held in rows if start <= at and (held is None or start + held > at)}


contract = st.tuples(st.integers(1, 6), st.integers(1, 99), st.none() | st.integers(0, 80))


@given(st.lists(contract, max_size=14))
@settings(max_examples=20, deadline=None)
def test_the_base_is_who_has_a_contract_and_lost_is_who_has_none_left(
    rows: list[tuple[int, int, int | None]],
) -> None:
    rows = [(9, 0, None), *rows]
    log = hb.CustomerLog(contracts=contracts_of(rows), observed_until=LAST)
    snapshot = take_snapshot(log, WINDOW, ["n_contracts"])
    assert set(snapshot.X.index) == running(rows, 50)
    y = snapshot.outcomes
    assert set(y.index[~y["churned"]]) == running(rows, 50) & running(rows, 80)
    assert y["churned"].dtype == bool


def test_without_a_day_on_which_contracts_end_nobody_is_told_apart() -> None:
    endless = contracts_of([(1, 0, 5), (2, 60, None)]).drop(columns="ended_at")
    y = take_snapshot(hb.CustomerLog(contracts=endless, observed_until=LAST), WINDOW).outcomes
    assert y["churned"].to_dict() == {1: False}


def test_the_reason_is_that_of_the_last_contract_and_only_of_who_is_lost() -> None:
    rows = [(1, 0, 60), (1, 0, 70), (2, 0, 60), (2, 0, None), (3, 0, 55), (4, 0, 20), (4, 10, 60)]
    reasons = ["voluntary", "involuntary", "voluntary", None, None, "involuntary", "voluntary"]
    log = hb.CustomerLog(contracts=contracts_of(rows).assign(ended_reason=reasons), observed_until=LAST)
    y = take_snapshot(log, WINDOW).outcomes
    assert y["churned"].to_dict() == {1: True, 2: False, 3: True, 4: True}
    told = y["churn_reason"]
    assert (told[1], told[4]) == ("involuntary", "voluntary")
    assert told[[2, 3]].isna().all()


def test_nobody_has_a_contract_yet() -> None:
    log = hb.CustomerLog(contracts=contracts_of([(1, 0, 5), (2, 60, None)]), observed_until=LAST)
    with pytest.raises(DataError, match="Nobody had a contract by 2024-02-20"):
        take_snapshot(log, WINDOW)


# --- both kinds


@pytest.fixture(scope="module")
def business() -> Any:
    return hb.simulate_business(n_customers=300, days_observed=500)


@pytest.fixture(scope="module")
def both(business: Any) -> hb.CustomerLog:
    """A log of contracts, some purchases and tickets: the first hundred customers never bought."""
    frames = {kind: business.frames[kind] for kind in ("transactions", "contracts", "tickets")}
    bought = frames["transactions"]
    frames["transactions"] = bought[bought["customer_id"] > 100]
    return hb.CustomerLog(**frames, observed_until=business.log.observed_until)


@pytest.fixture(scope="module")
def alone(business: Any) -> hb.CustomerLog:
    frames = {kind: business.frames[kind] for kind in ("contracts", "tickets")}
    return hb.CustomerLog(**frames, observed_until=business.log.observed_until)


SOON = Window("2024-01-15", 91)
BEFORE = Window("2023-10-15", 91)


def same(one: Snapshot, other: Snapshot) -> None:
    pd.testing.assert_frame_equal(one.X, other.X, check_exact=True)
    pd.testing.assert_frame_equal(one.outcomes, other.outcomes, check_exact=True)


def test_of_both_kinds_either_tells_churn(both: hb.CustomerLog, alone: hb.CustomerLog) -> None:
    by_contracts, only = take_snapshot(both, SOON, churn="contracts"), take_snapshot(alone, SOON)
    pd.testing.assert_frame_equal(by_contracts.outcomes, only.outcomes)
    pd.testing.assert_frame_equal(by_contracts.X[list(only.X)], only.X, check_exact=True)
    never_bought = by_contracts.X.loc[:100]
    assert len(never_bought)
    assert never_bought["T"].isna().all()
    assert (never_bought["frequency"].fillna(0) <= 0).all()
    same(take_snapshot(both, SOON), take_snapshot(both, SOON, churn="transactions"))
    assert "n_purchases" in take_snapshot(both, SOON).outcomes
    assert take_snapshot(both, SOON).X.index.min() > 100


def test_several_snapshots_at_once_are_each_alone(both: hb.CustomerLog) -> None:
    together = take_snapshots(both, [BEFORE, SOON], churn="contracts")
    for snapshot, window in zip(together, (BEFORE, SOON), strict=True):
        same(snapshot, take_snapshot(both, window, churn="contracts"))


def test_the_literatures_four_are_there_where_there_are_purchases(
    both: hb.CustomerLog, alone: hb.CustomerLog
) -> None:
    assert list(take_snapshot(alone, SOON, ["n_contracts"]).X) == ["n_contracts"]
    four = ["frequency", "recency", "T", "monetary_value"]
    assert list(take_snapshot(both, SOON, ["n_contracts"], churn="contracts").X) == [*four, "n_contracts"]


def test_what_tells_churn_has_to_be_there(both: hb.CustomerLog, alone: hb.CustomerLog) -> None:
    assert (churn_told_by(both), churn_told_by(alone)) == ("transactions", "contracts")
    with pytest.raises(SettingsError, match=r"contracts in this log; got 'transactions'"):
        take_snapshot(alone, SOON, churn="transactions")
    with pytest.raises(SettingsError, match=r"transactions or contracts in this log; got 'tickets'"):
        take_snapshot(both, SOON, churn="tickets")


# --- backtests


BOOSTED = BoostedChurnClassifier(n_estimators=10, n_jobs=1)
BASELINES = {"contract end", "rate by tenure", "logistic regression", "the mean"}


@pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")
@pytest.mark.parametrize("features", [None, ["n_tickets"]])
def test_a_backtest_asks_who_cancels_and_has_baselines_that_read_no_purchases(
    alone: hb.CustomerLog, features: list[str] | None
) -> None:
    tested = hb.backtest(
        alone, [BOOSTED], cutoffs=["2024-01-15"], horizon=91, n_training=2, features=features
    )
    assert set(tested.frame["model"]) == {"BoostedChurnClassifier", *BASELINES}
    assert tested.churn == "contracts"
    for _, rows in tested.frame.groupby("model"):
        outcome = rows.set_index("customer_id")["outcome"].astype(bool)
        expected = take_snapshot(alone, SOON).outcomes["churned"]
        pd.testing.assert_series_equal(outcome, expected, check_names=False)
        assert rows["prediction"].between(0, 1).all()
    seen = tested.models[SOON.cutoff, "churned", "BoostedChurnClassifier"].feature_names_in_
    assert features is None or list(seen) == features


@pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")
def test_a_column_that_the_records_lack_is_unknown_to_the_rule(business: Any) -> None:
    bare = business.frames["contracts"][["customer_id", "started_at", "ended_at", "price"]]
    log = hb.CustomerLog(contracts=bare, observed_until=business.log.observed_until)
    tested = hb.backtest(log, [BOOSTED], cutoffs=["2024-01-15"], horizon=91, n_training=1)
    rule, mean = (tested.of("churned", name)["prediction"] for name in ("contract end", "the mean"))
    np.testing.assert_allclose(rule, np.asarray(mean))


@pytest.mark.parametrize("model", [BTYDValueRegressor(), LinearRegression(), BGNBD()])
def test_what_takes_purchases_is_refused_with_what_is_missing(alone: hb.CustomerLog, model: Any) -> None:
    with pytest.raises(SettingsError, match=r"mine cannot be trained without transactions: what customers"):
        hb.backtest(alone, {"mine": model}, cutoffs=["2024-01-15"], horizon=91)
