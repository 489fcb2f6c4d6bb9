"""Time to churn: hazards recovered, what was not seen left out, and one model whichever way it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_score

import habitue as hb
from habitue.errors import DataError, HabitueWarning, SchemaError, SettingsError
from habitue.models import load_model, save_model
from habitue.models.boosted_hazard import BoostedHazardModel
from habitue.models.hazard_boosting import Material, build_dataset
from habitue.models.hazard_material import fold_to_judge
from habitue.models.person_periods import PersonPeriods, Seen, labels_of, periods_seen, weights_of
from habitue.models.spells import read_spells
from habitue.numerics.censored_scores import concordance
from habitue.numerics.discrete_hazards import kaplan_meier, survival
from habitue.snapshots import stack

MONTH = 30.0


def small(**changes: Any) -> BoostedHazardModel:
    fixed = {"n_estimators": 30, "min_child_samples": 10, "early_stopping": False, "n_jobs": 1}
    return BoostedHazardModel(**(fixed | changes))


def exact(**changes: Any) -> BoostedHazardModel:
    """Return a model that holds nothing back: trees until each cell has its own rate."""
    free = {"n_estimators": 80, "learning_rate": 0.3, "reg_lambda": 0.0, "min_child_samples": 1}
    return small(**(free | {"max_depth": -1, "num_leaves": 31, "colsample_bytree": 1.0} | changes))


def hazard(X: pd.DataFrame, month: np.ndarray) -> np.ndarray:
    """Return the chance of leaving in a month: higher for the unhappy, lower with time; not proportional."""
    return 1.0 / (1.0 + np.exp(2.6 - 0.9 * X["unhappy"].to_numpy() + 0.15 * month))


def customers(n: int = 3_000, *, seed: int = 0, seen_for: int = 12) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return customers who leave as `hazard` says, in whole months, half of them not seen to the end."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"unhappy": rng.integers(0, 3, n) * 1.0, "noise": rng.normal(size=n)})
    months = np.full(n, 60)
    for month in reversed(range(60)):
        months[rng.uniform(size=n) < hazard(X, np.full(n, month))] = month + 1
    last = rng.integers(1, seen_for + 1, n)
    y = pd.DataFrame({"duration": np.minimum(months, last) * MONTH, "event": months <= last})
    return X, y.assign(
        cause=np.where(y["event"], np.where(rng.uniform(size=n) < 0.3, "failed", "chose"), None)
    )


def truth(X: pd.DataFrame, months: int, since: int = 0) -> np.ndarray:
    """Return the chance of staying for so many more months."""
    each = [hazard(X, np.full(len(X), since + month)) for month in range(months)]
    return survival(np.stack(each, axis=1))[:, -1]


def test_without_features_it_is_kaplan_meier() -> None:
    _, y = customers()
    X = pd.DataFrame({"nothing": np.zeros(len(y))})
    months = np.arange(1, 13)
    n_left = [(y["event"] & (y["duration"] == month * MONTH)).sum() for month in months]
    n_there = [(y["duration"] >= month * MONTH).sum() for month in months]
    told = exact().fit(X, y).survival_function(X.iloc[:1], months * MONTH, entry=0)
    np.testing.assert_allclose(told.to_numpy()[0], kaplan_meier(n_left, n_there).survival, atol=2e-4)


@pytest.mark.slow
def test_known_hazards_are_found_again_for_any_time_and_age() -> None:
    X, y = customers(6_000)
    fresh, _ = customers(2_000, seed=1)
    model = BoostedHazardModel(n_jobs=1, max_depth=3).fit(X, y)
    for months, since in ((1, 0), (6, 0), (3, 5)):
        told = model.predict_proba(fresh, horizon=months * MONTH, entry=since * MONTH)[:, 1]
        known = 1.0 - truth(fresh, months, since)
        assert told.mean() == pytest.approx(known.mean(), abs=0.015)
        assert np.corrcoef(told, known)[0, 1] > 0.95
        assert np.abs(told - known).mean() < 0.035


@pytest.mark.slow
def test_who_came_to_be_seen_late_counts_from_then_on() -> None:
    X, y = customers(5_000, seen_for=24)
    late = y.assign(entry=np.random.default_rng(5).integers(0, 9, len(y)) * MONTH)
    kept = (late["duration"] > late["entry"]).to_numpy()
    X, late = X[kept], late[kept]
    known = truth(X, 10).mean()
    ages = np.arange(1, 11) * MONTH
    told, ignored = (
        small(n_estimators=60).fit(X, one).survival_function(X, ages, entry=0).to_numpy()[:, -1].mean()
        for one in (late, late.drop(columns="entry"))
    )
    assert told == pytest.approx(known, abs=0.03)
    assert ignored > known + 0.08  # those who left before anybody looked are missing from it


def test_rows_in_batches_are_all_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = customers(800)
    y["duration"] -= np.random.default_rng(0).uniform(0, 20, len(y)).round()  # periods seen in part
    monkeypatch.setattr(PersonPeriods, "batch_size", 97)
    model = small(colsample_bytree=0.5).fit(X, y)
    seen, cause = periods_seen(read_spells(y, len(X)), MONTH), y["event"].to_numpy().astype(np.int64)
    rows = PersonPeriods(X.to_numpy(), seen)
    settings = {"verbosity": -1, "deterministic": True, "force_row_wise": True, "feature_pre_filter": False}
    settings |= {"objective": "binary", "learning_rate": 0.05, "num_leaves": 15, "max_depth": 5, "seed": 0}
    settings |= {"min_data_in_leaf": 10, "lambda_l2": 1.0, "feature_fraction": 0.5, "num_threads": 1}
    weights = weights_of(seen, cause)
    assert weights is not None
    exploded = lightgbm.Dataset(rows[0 : len(rows)], labels_of(seen, cause), weight=weights, params=settings)
    booster = lightgbm.train(settings, exploded, num_boost_round=30)
    now = np.column_stack([X, np.zeros(len(X))])
    told = model.predict_proba(X, horizon=MONTH, entry=0)[:, 1]
    assert told.tobytes() == (1.0 - (1.0 - np.asarray(booster.predict(now)))).tobytes()


def test_batches_are_all_that_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read = PersonPeriods.__getitem__

    def watched(self: PersonPeriods, rows: Any) -> Any:
        told = read(self, rows)
        asked.append(told.size)
        return told

    monkeypatch.setattr(PersonPeriods, "__getitem__", watched)
    X = np.zeros((3_000, 4))
    seen = Seen(np.zeros(3_000, np.int64), np.full(3_000, 30), np.zeros(3_000), np.zeros(3_000))
    cause = (np.arange(3_000) % 2).astype(np.int64)
    build_dataset(Material(X, seen, cause), {"verbosity": -1, "bin_construct_sample_cnt": 500}).construct()
    assert max(asked) == PersonPeriods.batch_size * 5
    assert sum(asked) <= (90_000 + 500) * 5


def test_periods_told_one_a_row_give_the_same_model() -> None:
    X, y = customers(500)
    seen = periods_seen(read_spells(y, len(X)), MONTH)
    rows = PersonPeriods(X.to_numpy(), seen)[0 : int(seen.n_periods.sum())]
    told = pd.DataFrame(rows, columns=[*X, "tenure"]).assign(tenure=lambda one: one["tenure"] * MONTH)
    left = labels_of(seen, y["event"].to_numpy().astype(np.int64)).astype(bool)
    one = small().fit(X, y)
    other = small(age="tenure", horizon=30).fit(told, left)
    now = X.assign(tenure=45.0)
    assert other.n_periods_ == one.n_periods_
    ahead = [7.0, 30.0, 100.0]
    pd.testing.assert_frame_equal(
        one.survival_function(X, ahead, entry=45.0), other.survival_function(now, ahead), check_exact=True
    )


def test_features_may_change_from_cutoff_to_cutoff() -> None:
    log = hb.datasets.cdnow(sample=True)
    cutoffs = ("1997-06-30", "1997-07-30", "1997-08-29")
    some = ["inactivity", "n_purchases_90d"]
    past = stack([hb.take_snapshot(log, hb.Window(one, horizon=30), some) for one in cutoffs])
    model = small(horizon=30, age="T").fit(past.X, past.outcomes["churned"])
    now = hb.take_snapshot(log, hb.Window("1997-09-28", horizon=30), some)
    with pytest.warns(HabitueWarning, match="beyond"):
        silent = model.predict_proba(now.X)[:, 1]
    assert silent.mean() == pytest.approx(now.outcomes["churned"].mean(), abs=0.05)
    assert "T" not in model.contributions(now.X)
    assert model.contributions(now.X).columns[-1] == "n_periods"


@pytest.mark.slow
def test_two_causes_together_are_one() -> None:
    X, y = customers(3_000)
    ahead = np.array([20.0, 90.0, 200.0])
    merged = small().fit(X, y)
    model = small().fit(X, y.assign(event=y["cause"]))
    assert model.causes_ == ["chose", "failed"]
    chose, failed = (model.cumulative_incidence(X, ahead, cause=one, entry=0) for one in model.causes_)
    stays = model.survival_function(X, ahead, entry=0)
    np.testing.assert_allclose(stays + chose + failed, 1.0, rtol=1e-13)
    assert np.abs(stays - merged.survival_function(X, ahead, entry=0)).to_numpy().mean() < 0.02
    np.testing.assert_allclose((failed / (chose + failed)).mean(), 0.3, atol=0.03)
    np.testing.assert_allclose(
        merged.cumulative_incidence(X, ahead, entry=0), 1.0 - merged.survival_function(X, ahead, entry=0)
    )
    with pytest.raises(SettingsError, match="cause must be one of 'chose', 'failed'; got None"):
        model.cumulative_incidence(X, ahead, entry=0)


def test_no_customer_teaches_and_judges() -> None:
    index = pd.Index(np.arange(4_000) // 4, name="customer_id")  # four spells each
    ones = np.ones(4_000, dtype=np.int64)
    seen = Seen(ones * 0, ones, np.zeros(4_000), np.zeros(4_000))
    fold = fold_to_judge(index, Material(np.zeros((4_000, 1)), seen, ones), MONTH)
    assert fold is not None
    learned, judged = set(index[fold.train]), set(index[fold.judged])
    assert not learned & judged
    assert 0.15 < len(judged) / 1_000 < 0.25


def test_trees_stop_where_others_are_served_no_better() -> None:
    X, y = customers(2_500)
    many = small(n_estimators=400, early_stopping=True, learning_rate=0.2).fit(X, y)
    assert many.n_trees_ == many.booster_.num_trees() < 100
    few = small(n_estimators=400, early_stopping=True, learning_rate=0.2).fit(X[:60], y[:60])
    assert few.n_trees_ == 100  # of too few customers their number cannot be learned


def test_beyond_what_was_seen_hazards_stay_and_that_is_said() -> None:
    X, y = customers(1_500)
    model = small().fit(X, y)
    last = 12 * MONTH
    with pytest.warns(HabitueWarning, match=r"1500 of 1500 customers .* beyond 360 days"):
        stays = model.survival_function(X, [MONTH, 2 * MONTH, 5.5 * MONTH], entry=last).to_numpy()
    np.testing.assert_allclose(stays, stays[:, [0]] ** [1.0, 2.0, 5.5], rtol=1e-10)
    within = model.predict_proba(X, horizon=last - 7.0, entry=7.0)
    assert np.isfinite(within).all()  # a warning would be an error here


def test_expected_lifetime_is_the_area_under_survival() -> None:
    X, y = customers(400)
    model = small().fit(X, y)
    at = np.linspace(0.0, 300.0, 3_001)
    curve = model.survival_function(X[:5], at, entry=10.0).to_numpy()
    area = ((curve[:, 1:] + curve[:, :-1]) / 2.0).sum(axis=1) * 0.1
    lived = model.expected_residual_lifetime(X[:5], horizon=300.0, entry=10.0)
    np.testing.assert_allclose(lived, area, rtol=1e-6)
    assert lived.name == "expected_residual_lifetime"


@pytest.mark.parametrize("cause", [None, "chose"])
def test_reasons_and_the_base_add_up_to_the_log_odds(cause: str | None) -> None:
    X, y = customers(1_200)
    model = small().fit(X, y if cause is None else y.assign(event=y["cause"]))
    parts = model.contributions(X, cause=cause, entry=95.0)
    assert list(parts) == ["unhappy", "noise", "n_periods"]
    ends = [MONTH - 5.0]  # of the period that all of them are in: what is left of it when 5 days have gone
    whole = model.cumulative_incidence(X, [MONTH], cause=cause, entry=90.0)[MONTH]
    stays = model.survival_function(X, [MONTH], entry=90.0)[MONTH]
    base = np.log(whole / stays) - parts.sum(axis=1)
    np.testing.assert_allclose(base, base.iloc[0], atol=1e-8)
    values = model.reason_values(X, entry=95.0)
    assert (values["n_periods"] == 3.0).all()
    assert (model.survival_function(X, ends, entry=95.0)[ends[0]] > stays).all()


def test_reasons_of_all_causes_follow_the_cause_that_threatens() -> None:
    X, y = customers(600)
    model = small().fit(X, y.assign(event=y["cause"]))
    together, chose, failed = (
        model.contributions(X, cause=one, entry=0) for one in (None, "chose", "failed")
    )
    low, high = np.minimum(chose, failed), np.maximum(chose, failed)
    assert ((together >= low - 1e-12) & (together <= high + 1e-12)).to_numpy().all()


def test_ages_are_asked_for_where_they_matter() -> None:
    X, y = customers(400)
    by_time, by_period = small().fit(X, y), small().fit(X, y["event"])
    with pytest.raises(DataError, match="hand entry in"):
        by_time.predict_proba(X)
    with pytest.raises(DataError, match="learned without ages"):
        by_period.predict_proba(X, entry=3.0)
    for wrong in (-1.0, np.nan, np.ones(3)):
        with pytest.raises(DataError, match="how many days each of 400 customers has been there"):
            by_time.predict_proba(X, entry=wrong)
    named = small(age="tenure").fit(X.assign(tenure=y["duration"]), y)  # known now, no feature of learning
    told = named.predict_proba(X.assign(tenure=30.0))
    assert told.tobytes() == by_time.predict_proba(X, entry=30.0).tobytes()


def test_what_cannot_be_learned_from_is_refused() -> None:
    X, y = customers(300)
    with pytest.raises(DataError, match="nobody churned"):
        small().fit(X, y.assign(event=False))
    with pytest.raises(DataError, match="all churned, in the first period"):
        small().fit(X, y.assign(event=True, duration=12.0))
    with pytest.raises(DataError, match="nobody churned"):
        small().fit(X, y, sample_weight=np.where(y["event"], 0.0, 1.0))
    with pytest.raises(SchemaError, match="n_periods"):
        small().fit(X.assign(n_periods=1.0), y)
    with pytest.raises(SchemaError, match="tenure, which age names"):
        small(age="tenure").fit(X, y)
    with pytest.raises(SettingsError, match="period"):
        small(period=0).fit(X, y)
    with pytest.raises(SettingsError, match="LightGBM cannot train"):
        small(num_leaves=1).fit(X, y)
    model = small().fit(X, y)
    for wrong in ([], [-1.0], [np.nan]):
        with pytest.raises(SettingsError, match="times"):
            model.survival_function(X, wrong, entry=0)


def test_several_causes_are_stored_and_come_back(tmp_path: Path) -> None:
    X, y = customers(600)
    model = small(age="tenure").fit(X.assign(tenure=0.0), y.assign(event=y["cause"]))
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    now = X.assign(tenure=40.0)
    assert loaded.causes_ == model.causes_
    pd.testing.assert_frame_equal(
        loaded.cumulative_incidence(now, [50.0], cause="failed"),
        model.cumulative_incidence(now, [50.0], cause="failed"),
        check_exact=True,
    )


def test_arrays_are_answered_with_arrays() -> None:
    X, y = customers(300)
    model = small().fit(X.to_numpy(), y)
    assert model.survival_function(X.to_numpy(), [30.0, 60.0], entry=0).shape == (300, 2)
    assert isinstance(model.expected_residual_lifetime(X.to_numpy(), entry=0), np.ndarray)


def test_its_score_is_concordance_and_it_can_be_cross_validated() -> None:
    X, y = customers(1_500)
    model = small().fit(X, y)
    assert (cross_val_score(small(), X, y[["duration", "event"]], cv=3, error_score="raise") > 0.6).all()
    by_truth = concordance(y["duration"], y["event"], X["unhappy"])
    assert by_truth - 0.02 < model.score(X, y) < by_truth + 0.05


@pytest.mark.slow
@pytest.mark.data
def test_on_telco_it_orders_customers_as_random_survival_forests_do(shared_data: Path) -> None:
    raw = pd.read_csv(shared_data / "data" / "telco_ibm" / "telco_customer_churn.csv.gz")
    y = pd.DataFrame({"duration": raw["tenure"] * MONTH, "event": raw["Churn"] == "Yes"})
    X = pd.get_dummies(raw.drop(columns=["customerID", "tenure", "TotalCharges", "Churn"]), dtype=float)
    learned = np.arange(len(X)) % 5 > 0
    model = small(n_estimators=60, max_depth=3, learning_rate=0.15, min_child_samples=50)
    assert model.fit(X[learned], y[learned]).score(X[~learned], y[~learned]) > 0.85
