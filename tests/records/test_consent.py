"""Who did not consent is not there: a log with them answers as the log without their rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import DataError, HabitueWarning
from habitue.records.business import SimulatedBusiness

CUTOFFS = ["2024-03-31", "2024-06-30"]


@pytest.fixture(scope="module")
def business() -> SimulatedBusiness:
    return hb.simulate_business(n_customers=150, random_state=4)


def consents(business: SimulatedBusiness, seed: int = 0) -> pd.DataFrame:
    customers = business.frames["customers"].copy()
    draw = np.random.default_rng(seed)
    customers["consent"] = draw.choice(["yes", "no", ""], len(customers), p=[0.6, 0.3, 0.1])
    return customers


def log_of(frames: dict[str, Any], business: SimulatedBusiness) -> hb.CustomerLog:
    return hb.CustomerLog(**frames, observed_until=business.log.observed_until)


@pytest.fixture(scope="module")
def both(business: SimulatedBusiness) -> tuple[hb.CustomerLog, hb.CustomerLog]:
    customers = consents(business)
    frames = {**business.frames, "customers": customers}
    agreed = set(customers.loc[customers["consent"] == "yes", "customer_id"])
    of_them = {kind: frame[frame["customer_id"].isin(agreed)] for kind, frame in frames.items()}
    of_them["customers"] = of_them["customers"].drop(columns="consent")
    return log_of(frames, business), log_of(of_them, business)


def test_features_and_outcomes_are_those_of_a_log_without_them(
    both: tuple[hb.CustomerLog, hb.CustomerLog],
) -> None:
    window = hb.Window("2024-06-30", horizon=91)
    asked, without = (hb.take_snapshot(log, window) for log in both)
    pd.testing.assert_frame_equal(asked.X, without.X)
    assert asked.y is not None
    pd.testing.assert_frame_equal(asked.y, without.y)
    assert both[0].n_customers == both[1].n_customers


def test_several_cutoffs_in_one_pass_know_it_as_well(both: tuple[hb.CustomerLog, hb.CustomerLog]) -> None:
    windows = [hb.Window(cutoff, horizon=91) for cutoff in CUTOFFS]
    for asked, without in zip(*(hb.take_snapshots(log, windows) for log in both), strict=True):
        pd.testing.assert_frame_equal(asked.X, without.X)


def test_the_door_tells_how_many(both: tuple[hb.CustomerLog, hb.CustomerLog]) -> None:
    n = 150 - both[1].n_customers
    assert any(f"{n} customers have not consented" in note for note in both[0].checks["customers"].notes)


def test_consent_is_no_feature(both: tuple[hb.CustomerLog, hb.CustomerLog]) -> None:
    X = hb.take_snapshot(both[0], hb.Window("2024-06-30", horizon=91)).X
    assert not [name for name in X.columns if "consent" in name]


def test_who_takes_it_back_takes_it_back_for_the_past(business: SimulatedBusiness) -> None:
    first = business.frames["customers"].assign(consent=True, recorded_at="2023-01-01")
    later = first[:40].assign(consent=False, recorded_at="2024-09-01")
    log = log_of({**business.frames, "customers": pd.concat([first, later])}, business)
    X = hb.take_snapshot(log, hb.Window("2024-06-30", horizon=91)).X
    assert not set(later["customer_id"]) & set(X.index)
    assert len(X) == log.n_customers == 110


def test_new_rows_may_take_it_back(business: SimulatedBusiness) -> None:
    customers = business.frames["customers"].assign(consent=True)
    log = log_of({**business.frames, "customers": customers}, business)
    gone = customers[:10].assign(consent=False)
    later = log.extend(customers=gone)
    assert later.n_customers == 140
    X = hb.take_snapshot(later, hb.Window("2024-06-30", horizon=91)).X
    assert not set(gone["customer_id"]) & set(X.index)


def test_where_nobody_consents_nothing_is_used(business: SimulatedBusiness) -> None:
    customers = business.frames["customers"].assign(consent="no")
    with pytest.raises(DataError, match="No customer has consented"):
        log_of({**business.frames, "customers": customers}, business)


def test_what_is_no_yes_is_none(business: SimulatedBusiness) -> None:
    customers = consents(business)
    customers.loc[:4, "consent"] = "perhaps"
    with pytest.warns(HabitueWarning, match="consent"):
        log = log_of({**business.frames, "customers": customers}, business)
    assert log.n_customers == (customers["consent"] == "yes").sum()
