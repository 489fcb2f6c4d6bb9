"""Leaks that are put in are found, real ones are named, and what is sound is let pass."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import habitue as hb
from habitue.errors import DataError, LeakageError
from habitue.evaluation.future_records import future_changes_nothing
from habitue.evaluation.leakage import leakage_suspects
from habitue.evaluation.leakage_probe import leakage_probe
from habitue.evaluation.learning import Known, what_is_known
from habitue.models import BoostedChurnClassifier, BoostedValueRegressor, BTYDChurnClassifier
from habitue.records import history
from habitue.records.business import simulate_business
from habitue.snapshots import learn_population

HORIZON = 91
TREES = {"n_estimators": 10, "n_jobs": 1}


@pytest.fixture(scope="module")
def log() -> hb.CustomerLog:
    return hb.datasets.cdnow(sample=True)


@pytest.fixture(scope="module")
def known(log: hb.CustomerLog) -> Known:
    """Return two earlier cutoffs with known outcomes."""
    past = [hb.Window(day, horizon=HORIZON) for day in ("1997-06-30", "1997-09-30")]
    return what_is_known(log, hb.Window("1997-12-30", horizon=HORIZON), past)


def coded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return text as codes in the order of the alphabet, missing values as such."""
    return frame.apply(
        lambda column: (
            column.astype(float)
            if column.dtype.kind in "iuf"
            else pd.Series(pd.factorize(column, sort=True)[0], column.index, dtype=float).replace(
                -1.0, np.nan
            )
        )
    )


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.booleans())
def test_a_feature_of_many_values_is_judged_by_its_auc(seed: int, gaps: bool) -> None:
    rng = np.random.default_rng(seed)
    happened = rng.uniform(size=300) < 0.4
    value = np.round(rng.normal(size=300) + (2.5 - 5.0 * (seed % 2)) * happened, 2)
    filled = [value]
    if gaps:
        value[rng.uniform(size=300) < 0.3 * happened] = np.nan
        filled = [np.nan_to_num(value, nan=end) for end in (-99.0, 99.0)]
    expected = max(max(area, 1.0 - area) for area in (roc_auc_score(happened, one) for one in filled))
    (found,) = leakage_suspects(pd.DataFrame({"value": value}), happened, auc=0.5).to_dict("records")
    assert found["auc"] == pytest.approx(expected, rel=1e-12)
    assert found["n"] == np.isfinite(value).sum()


def test_codes_are_ordered_by_what_happened() -> None:
    rng = np.random.default_rng(0)
    reason = rng.integers(0, 6, 2_000).astype(float)
    found = leakage_suspects(pd.DataFrame({"reason": reason}), np.isin(reason, (1, 4)))
    assert found.loc[0, "auc"] == 1.0
    assert abs(roc_auc_score(np.isin(reason, (1, 4)), reason) - 0.5) < 0.1


def test_what_chance_can_do_is_not_suspected() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 400)))
    few = np.arange(200) < 1
    assert (X.apply(lambda column: roc_auc_score(few, column)) > 0.98).any()
    assert leakage_suspects(X, few).empty
    assert leakage_suspects(X, np.zeros(200)).empty
    levels = pd.DataFrame(rng.integers(0, 50, (1_000, 50)).astype(float))
    assert leakage_suspects(levels, np.arange(1_000) < 12, auc=0.9).empty


def test_amounts_are_judged_by_their_ranks_and_by_who_spends_at_all() -> None:
    rng = np.random.default_rng(0)
    spend = np.where(rng.uniform(size=1_000) < 0.3, rng.gamma(2.0, 20.0, 1_000), 0.0)
    X = pd.DataFrame(
        {
            "bill": -(spend**2),
            "estimate": spend + rng.normal(0.0, 0.1, 1_000),
            "fair": spend + rng.normal(0.0, 40.0, 1_000),
            "paid": np.where(spend > 0.0, spend, np.nan),
        }
    )
    found = leakage_suspects(X, spend).set_index("feature")
    assert set(found.index) == {"bill", "estimate", "paid"}
    assert found.loc["bill", "rank_correlation"] == pytest.approx(1.0)
    assert found.loc["paid", ["auc", "n"]].tolist() == [1.0, (spend > 0).sum()]
    everybody = leakage_suspects(X[["fair"]], spend, auc=0.5, rank_correlation=0.0)
    assert everybody.loc[0, "rank_correlation"] == pytest.approx(abs(spearmanr(X["fair"], spend)[0]))


def test_the_order_of_rows_and_a_monotone_change_name_the_same() -> None:
    rng = np.random.default_rng(0)
    happened = rng.uniform(size=500) < 0.3
    X = pd.DataFrame({"told": happened + rng.normal(0.0, 0.2, 500), "said": rng.normal(size=500)})
    found = leakage_suspects(X, happened, auc=0.5)
    order = rng.permutation(500)
    for other in (
        leakage_suspects(X.iloc[order], happened[order], auc=0.5),
        leakage_suspects(-np.exp(X), happened, auc=0.5),
    ):
        pd.testing.assert_frame_equal(other, found)


def test_outcomes_that_do_not_match_are_refused() -> None:
    X = pd.DataFrame({"x": [1.0, 2.0]})
    for y in ([1, 0, 1], [1.0, np.nan]):
        with pytest.raises(DataError, match="each of 2 rows"):
            leakage_suspects(X, y)


@pytest.mark.slow
def test_a_million_rows_take_seconds() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.gamma(1.0, 30.0, (1_000_000, 3)))
    began = time.process_time()
    assert leakage_suspects(X, rng.uniform(size=1_000_000) < 0.25).empty
    assert (time.process_time() - began) / 3.0 < 0.6


@pytest.mark.data
def test_the_extended_telco_leaks_by_its_churn_category_and_nearly_by_satisfaction(shared_data: Path) -> None:
    folder = shared_data / "data" / "telco_ibm_extended"
    told = pd.read_csv(folder / "telco_extended_with_id_31cols.csv.gz")
    X = coded(told.drop(columns=["ChurnLabel", "Customerid"]))
    y = told["ChurnLabel"] == "Yes"
    assert list(leakage_suspects(X, y)["feature"]) == ["ChurnCategory"]  # known of churners alone
    nearly = leakage_suspects(X, y, auc=0.94).set_index("feature")["auc"]
    assert nearly["SatisfactionScore"] == pytest.approx(0.950, abs=1e-3)
    assert nearly["ChurnScore"] == pytest.approx(0.943, abs=1e-3)
    wide = pd.read_csv(folder / "telco_extended_49cols.csv.gz")
    found = leakage_suspects(coded(wide.drop(columns="Churn Label")), wide["Churn Label"] == 1)
    assert set(found["feature"]) == {"Customer Status", "Churn Category", "Churn Reason"}


@pytest.mark.data
def test_the_duration_of_a_call_is_a_leak_that_its_auc_does_not_give_away(shared_data: Path) -> None:
    told = pd.read_csv(shared_data / "data" / "bank_marketing" / "bank_marketing.csv.gz")
    X, y = coded(told.drop(columns="y")), told["y"] == "yes"
    assert leakage_suspects(X, y).empty
    ranked = leakage_suspects(X, y, auc=0.5)
    assert ranked.loc[0, "feature"] == "duration"
    assert ranked.loc[0, "auc"] == pytest.approx(0.808, abs=1e-3)


def test_a_sound_training_passes_and_says_what_was_probed(known: Known) -> None:
    probe = leakage_probe(BoostedChurnClassifier(**TREES), known, "churned", HORIZON)
    assert probe.n_rows == sum(len(snapshot.X) for snapshot in known.past)
    assert probe.shuffled_auc <= probe.bound < 0.6
    assert probe.suspects.empty
    assert "no other feature alone tells the outcome" in probe.told.lower()
    assert f"{probe.shuffled_auc:.3f}, as chance does (at most {probe.bound:.3f}" in probe.told
    again = leakage_probe(BoostedChurnClassifier(**TREES), known, "churned", HORIZON)
    assert again.told == probe.told


def test_few_rows_are_drawn_where_few_are_asked_for(known: Known) -> None:
    probe = leakage_probe(BoostedChurnClassifier(**TREES), known, "churned", HORIZON, n_rows=1_000)
    assert 900 <= probe.n_rows <= 1_000


def test_expected_directions_are_no_leak(known: Known) -> None:
    model = BoostedChurnClassifier(**TREES, monotone=True)
    assert leakage_probe(model, known, "churned", HORIZON).shuffled_auc < 0.55


def test_value_is_probed_too(known: Known) -> None:
    probe = leakage_probe(BoostedValueRegressor(**TREES), known, "spend", HORIZON)
    assert probe.shuffled_auc <= probe.bound
    assert "was found" in probe.told


@pytest.mark.parametrize("seed", range(2))
def test_a_feature_that_ranks_well_whichever_way_it_is_turned_is_no_leak(known: Known, seed: int) -> None:
    """One strong feature and shuffled labels: its AUC is far from 1/2, up or down as chance will."""
    model = make_pipeline(FunctionTransformer(_only_inactivity), LogisticRegression())
    assert leakage_probe(model, known, "churned", HORIZON, random_state=seed).shuffled_auc == pytest.approx(
        0.5, abs=0.03
    )


def _only_inactivity(X: pd.DataFrame) -> pd.DataFrame:
    return X[["inactivity"]]


class Remembers(ClassifierMixin, BaseEstimator):
    """A classifier whose first step was fitted on all outcomes before."""

    def __init__(self, told: pd.Series) -> None:
        self.told = told

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        self.classes_ = np.array([False, True])
        self.share_ = float(np.mean(y))
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        known = self.told.loc[X.index].to_numpy(dtype=float)
        p = 0.5 * self.share_ + 0.3 * known
        return np.column_stack([1.0 - p, p])


def test_a_model_that_knows_outcomes_from_elsewhere_is_stopped(known: Known) -> None:
    told = hb.snapshots.stack(known.past).outcomes["churned"]
    with pytest.raises(LeakageError, match=r"Remembers still ranks other customers: AUC 1\.000"):
        leakage_probe(Remembers(told), known, "churned", HORIZON)
    half = told.where(np.random.default_rng(0).uniform(size=len(told)) < 0.3, False)
    with pytest.raises(LeakageError, match="fitted before"):
        leakage_probe(Remembers(half), known, "churned", HORIZON)


def test_a_suspect_in_the_training_data_is_named_and_does_not_stop_it(known: Known) -> None:
    leaking = [
        hb.snapshots.Snapshot(one.window, one.X.assign(farewell_letters=one.outcomes["churned"] * 3.0), one.y)
        for one in known.past
    ]
    model = BoostedChurnClassifier(**TREES)
    probe = leakage_probe(model, known._replace(past=tuple(leaking)), "churned", HORIZON)
    assert list(probe.suspects["feature"]) == ["farewell_letters"]
    assert "farewell_letters (AUC 1.000)" in probe.told


def test_outcomes_that_tell_nothing_apart_leave_the_guard_blind_and_few_leave_it_out(known: Known) -> None:
    few = known._replace(
        past=tuple(
            hb.snapshots.Snapshot(one.window, one.X.iloc[:40], one.outcomes.iloc[:40]) for one in known.past
        )
    )
    probe = leakage_probe(BoostedChurnClassifier(**TREES), few, "churned", HORIZON)
    assert probe.n_rows == 0
    assert "30 customers" in probe.told
    nobody = leakage_probe(BoostedChurnClassifier(**TREES), known._replace(past=()), "churned", HORIZON)
    assert nobody.n_rows == 0


def test_a_model_that_ranks_without_outcomes_is_not_shuffled(known: Known) -> None:
    probe = leakage_probe(BTYDChurnClassifier(horizon=HORIZON), known, "churned", HORIZON)
    assert np.isnan(probe.shuffled_auc)
    assert "none were shuffled" in probe.told


def test_the_future_of_a_shop_changes_nothing(log: hb.CustomerLog) -> None:
    probe = future_changes_nothing(log, hb.Window("1997-09-30", horizon=HORIZON), n_customers=40)
    assert probe.n_customers == 40
    assert probe.n_records > 40
    assert probe.n_features > 20
    assert probe.told.endswith("features of 40 customers.")


@pytest.mark.slow
def test_the_future_of_a_business_changes_nothing() -> None:
    log = simulate_business(n_customers=60, random_state=1).log
    population = learn_population(log.until("2024-01-01"))
    window = hb.Window("2024-03-31", horizon=HORIZON)
    probe = future_changes_nothing(log, window, population=population, n_customers=30)
    assert probe.n_features > 150


def test_where_histories_forget_their_cutoff_the_features_are_named(
    log: hb.CustomerLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_known", lambda *_: [])
    with pytest.raises(LeakageError, match=r"after 1997-09-30 changed .*frequency.*inactivity"):
        future_changes_nothing(log, hb.Window("1997-09-30", horizon=HORIZON), ["inactivity"], n_customers=40)
