"""Facts behind pictures: what is counted adds up, and what is expected is the model's own answer."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from habitue.errors import DataError, SettingsError
from habitue.evaluation.fit_curves import (
    conditional_expectations,
    frequencies,
    recency_frequency,
    tracking,
)
from habitue.models.bgcnbdk import BGCNBDk
from habitue.models.bgnbd import BGNBD
from habitue.models.mbgnbd import MBGNBD
from habitue.models.nbd import NBD
from habitue.models.pareto_nbd import ParetoNBD
from habitue.records import CustomerLog, datasets
from habitue.snapshots import Snapshot, Window, take_snapshot

FAMILIES = (NBD, BGNBD, MBGNBD, ParetoNBD, BGCNBDk)


@pytest.fixture(scope="module")
def log() -> CustomerLog:
    return datasets.cdnow(sample=True)


@pytest.fixture(scope="module")
def window() -> Window:
    return Window("1997-09-30", horizon=273)


@pytest.fixture(scope="module")
def cdnow(log: CustomerLog, window: Window) -> Snapshot:
    return take_snapshot(log, window)


@pytest.fixture(scope="module")
def bgnbd(cdnow: Snapshot) -> BGNBD:
    return BGNBD().fit(cdnow.X)


# ---- tracking ----


@pytest.mark.parametrize("step", [1, 7, 30])
def test_purchases_of_all_periods_are_those_of_the_snapshot(
    log: CustomerLog, window: Window, cdnow: Snapshot, bgnbd: BGNBD, step: int
) -> None:
    facts = tracking(log, bgnbd, window, step=step)
    before, after = facts.loc[~facts["is_holdout"]], facts.loc[facts["is_holdout"]]
    assert before["actual"].sum() == cdnow.X["frequency"].sum()
    assert after["actual"].sum() == cdnow.outcomes["n_purchases"].sum()
    assert facts["n_days"].sum() == cdnow.X["T"].max() + 1 + window.horizon
    assert before["end"].max() == pd.Timestamp(window.cutoff)
    assert facts["end"].max() == pd.Timestamp(window.end)
    for name in ("actual", "expected"):
        np.testing.assert_allclose(facts[name].cumsum(), facts[f"{name}_cumulative"])
    assert (facts["n_days"].iloc[1:-1] == step).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_expected_is_the_sum_over_customers_just_acquired(
    log: CustomerLog, window: Window, cdnow: Snapshot, family: type[BGNBD]
) -> None:
    model = family().fit(cdnow.X)
    some = cdnow.X.iloc[::100]
    facts = tracking(log, model, window, X=some, step=91).set_index("end")
    for ahead in (0, 91):
        new = pd.DataFrame({"frequency": 0.0, "recency": 0.0, "T": 0.0}, index=["new"])
        counts = some["T"].value_counts()
        by_hand = sum(
            n * model.expected_purchases(new, horizon=T + ahead).iloc[0]
            for T, n in counts.items()
            if T + ahead
        )
        at = pd.Timestamp(window.cutoff + timedelta(days=ahead))
        assert facts.loc[at, "expected_cumulative"] == pytest.approx(by_hand, rel=1e-8)


def test_following_all_customers_of_the_snapshot_changes_nothing(
    log: CustomerLog, window: Window, cdnow: Snapshot, bgnbd: BGNBD
) -> None:
    pd.testing.assert_frame_equal(
        tracking(log, bgnbd, window), tracking(log, bgnbd, window, X=cdnow.X), rtol=1e-12
    )


def test_some_customers_may_be_followed(
    log: CustomerLog, window: Window, cdnow: Snapshot, bgnbd: BGNBD
) -> None:
    some = cdnow.X.iloc[::3]
    facts = tracking(log, bgnbd, window, X=some)
    assert facts.loc[~facts["is_holdout"], "actual"].sum() == some["frequency"].sum()
    rest = tracking(log, bgnbd, window, X=cdnow.X.drop(some.index))
    whole = tracking(log, bgnbd, window)
    np.testing.assert_allclose(facts["expected"].sum() + rest["expected"].sum(), whole["expected"].sum())
    assert log.engine.rows("SELECT count(*) FROM duckdb_views() WHERE view_name = 'tracked_customers'") == [
        (0,)
    ]
    with pytest.raises(DataError, match="customer_id"):
        tracking(log, bgnbd, window, X=some.set_axis(range(-len(some), 0)))


def test_covariates_move_what_is_expected_of_each(log: CustomerLog, window: Window, cdnow: Snapshot) -> None:
    moved = BGNBD(rate_covariates=["spend_first"]).fit(cdnow.X)
    with pytest.raises(DataError, match="spend_first"):
        tracking(log, moved, window)
    X = cdnow.X.iloc[:50]
    facts = tracking(log, moved, window, X=X)
    new = X.assign(frequency=0.0, recency=0.0, T=0.0)
    by_hand = sum(
        moved.expected_purchases(new.loc[[one]], horizon=X.loc[one, "T"] + 273.0).iloc[0] for one in X.index
    )
    assert facts["expected_cumulative"].iloc[-1] == pytest.approx(by_hand, rel=1e-8)
    assert frequencies(moved, X)["expected"].sum() == pytest.approx(50.0)


def test_days_after_the_log_are_unknown_not_empty(log: CustomerLog, bgnbd: BGNBD) -> None:
    facts = tracking(log, bgnbd, Window("1998-05-31", horizon=60))
    unknown = facts["end"] > pd.Timestamp(log.observed_until)
    assert unknown.any()
    assert facts.loc[unknown, "actual"].isna().all()
    assert facts.loc[~unknown, "actual"].notna().all()
    assert facts["expected"].notna().all()


def test_those_acquired_later_are_not_followed(bgnbd: BGNBD) -> None:
    days = {"early": ["2024-01-01", "2024-01-05", "2024-01-20"], "late": ["2024-01-11", "2024-01-25"]}
    rows = [(who, day, 1.0) for who, of_who in days.items() for day in of_who]
    rows.append(("early", "2024-01-21", -1.0))  # a return is no purchase
    log = CustomerLog(transactions=pd.DataFrame(rows, columns=["customer_id", "timestamp", "amount"]))
    facts = tracking(log, bgnbd, Window("2024-01-10", horizon=15), step=5)
    assert facts["actual"].tolist() == [1.0, 0.0, 0.0, 1.0, 0.0]
    assert facts["n_days"].tolist() == [5, 5, 5, 5, 5]
    with pytest.raises(SettingsError, match="step"):
        tracking(log, bgnbd, Window("2024-01-10", horizon=15), step=0)


# ---- frequencies ----


@pytest.mark.parametrize("family", FAMILIES)
def test_all_customers_are_counted_once(cdnow: Snapshot, family: type[BGNBD]) -> None:
    model = family().fit(cdnow.X)
    facts = frequencies(model, cdnow.X)
    assert facts["actual"].sum() == len(cdnow.X)
    assert facts["expected"].sum() == pytest.approx(len(cdnow.X))
    assert facts["label"].iloc[[0, -1]].tolist() == ["0", "10+"]
    assert (facts["lower"] <= facts["expected"]).all()
    assert (facts["expected"] <= facts["upper"]).all()
    new = cdnow.X.iloc[::200].assign(frequency=0.0, recency=0.0)
    by_hand = [
        model.purchase_pmf(new.iloc[[at]].assign(T=0.0), 2, horizon=new["T"].iloc[at]).iloc[0]
        for at in range(len(new))
    ]
    some = frequencies(model, cdnow.X.iloc[::200])
    assert some.loc[2, "expected"] == pytest.approx(sum(by_hand), rel=1e-8)


def test_nobody_repeats_on_the_day_of_acquisition(bgnbd: BGNBD) -> None:
    X = pd.DataFrame({"frequency": [0.0, 0.0], "recency": [0.0, 0.0], "T": [0.0, 0.0]})
    facts = frequencies(bgnbd, X, last=2)
    assert facts["expected"].tolist() == [2.0, 0.0, 0.0]
    assert facts["lower"].tolist() == facts["upper"].tolist() == [2.0, 0.0, 0.0]
    with pytest.raises(SettingsError, match="last"):
        frequencies(bgnbd, X, last=0)


def test_the_band_is_where_simulated_counts_fall(bgnbd: BGNBD) -> None:
    from habitue.numerics import bgnbd as formulas

    T = np.tile([90.0, 200.0], 200)
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"frequency": 0.0, "recency": 0.0, "T": T})
    facts = frequencies(bgnbd, X, last=3)
    shares = [formulas.purchase_pmf_new(bgnbd.params_, T, float(n)) for n in range(3)]
    edges = np.cumsum(shares, axis=0)
    drawn = (rng.uniform(size=(400, 1, T.size)) > edges).sum(axis=1)
    counts = np.stack([(drawn == n).sum(axis=1) for n in range(4)], axis=1)
    inside = (facts["lower"].to_numpy() <= counts) & (counts <= facts["upper"].to_numpy())
    assert inside.mean() == pytest.approx(0.95, abs=0.03)


# ---- conditional expectations ----


@pytest.mark.parametrize("by", ["frequency", "recency"])
def test_groups_hold_all_customers_and_all_purchases(cdnow: Snapshot, bgnbd: BGNBD, by: str) -> None:
    facts = conditional_expectations(bgnbd, cdnow, by=by, n_replicates=100)  # pyright: ignore
    n = facts["n"]
    assert n.sum() == len(cdnow.X)
    assert n @ facts["mean_actual"] == pytest.approx(cdnow.outcomes["n_purchases"].sum())
    total = bgnbd.expected_purchases(cdnow.X, horizon=273).sum()
    assert n @ facts["mean_expected"] == pytest.approx(total)
    assert (facts["lower"] <= facts["mean_actual"]).all()
    assert (facts["mean_actual"] <= facts["upper"]).all()
    assert facts["label"].is_unique


def test_groups_by_recency_are_of_about_equal_size(cdnow: Snapshot, bgnbd: BGNBD) -> None:
    facts = conditional_expectations(bgnbd, cdnow, by="recency", last=5, n_replicates=10)
    assert facts["label"].iloc[0] == "none"
    repeaters = facts["n"].iloc[1:]
    assert len(repeaters) == 5
    assert repeaters.max() < 1.2 * repeaters.min()
    low, high = (int(day) for day in facts["label"].iloc[2].split("–"))
    assert cdnow.X["recency"].between(low, high).sum() == facts["n"].iloc[2]


def test_few_customers_make_fewer_groups(cdnow: Snapshot, bgnbd: BGNBD) -> None:
    some = cdnow.X.loc[cdnow.X["frequency"] == 0].iloc[:5]
    few = Snapshot(cdnow.window, some, cdnow.outcomes.loc[some.index])
    assert conditional_expectations(bgnbd, few, by="recency")["label"].tolist() == ["none"]
    assert conditional_expectations(bgnbd, few, by="frequency")["label"].tolist() == ["0"]


def test_impossible_groupings_are_refused(cdnow: Snapshot, bgnbd: BGNBD) -> None:
    with pytest.raises(SettingsError, match="by must be"):
        conditional_expectations(bgnbd, cdnow, by="colour")  # pyright: ignore
    with pytest.raises(SettingsError, match="last"):
        conditional_expectations(bgnbd, cdnow, last=0)
    with pytest.raises(DataError, match="not known"):
        conditional_expectations(bgnbd, Snapshot(cdnow.window, cdnow.X, None))


# ---- recency and frequency ----


@pytest.mark.parametrize("family", FAMILIES)
def test_the_map_is_blank_only_where_nobody_can_be(cdnow: Snapshot, family: type[BGNBD]) -> None:
    model = family().fit(cdnow.X)
    facts = recency_frequency(model, T=100.0, horizon=50.0, most=5, n_recencies=11)
    assert len(facts) == 6 * 11
    possible = np.where(
        facts["frequency"] == 0, facts["recency"] == 0, facts["recency"] >= facts["frequency"].clip(lower=1)
    )
    assert (facts["p_alive"].notna() == possible).all()
    assert (facts["expected_purchases"].notna() == possible).all()
    there = facts.dropna()
    np.testing.assert_allclose(there["p_alive"], model.p_alive(there))
    np.testing.assert_allclose(there["expected_purchases"], model.expected_purchases(there, horizon=50.0))


def test_a_map_takes_covariates_as_zero_and_days_as_whole(cdnow: Snapshot) -> None:
    moved = BGNBD(rate_covariates=["spend_first"]).fit(cdnow.X)
    facts = recency_frequency(moved, T=5.0, horizon=5.0, most=2)
    assert sorted(facts["recency"].unique()) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    with pytest.raises(SettingsError, match="horizon"):
        recency_frequency(moved, T=5.0, horizon=0.0)
