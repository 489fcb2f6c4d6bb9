"""Backtests: no model sees its own test, every baseline is in the table, and every number is in the frame."""

from __future__ import annotations

from datetime import date, timedelta
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

import habitue as hb
from habitue.errors import DataError, SettingsError
from habitue.evaluation.backtest import Backtest, backtest
from habitue.evaluation.learning import Known, what_is_known
from habitue.evaluation.rivals import BASELINES
from habitue.evaluation.scores import SCORES
from habitue.models import (
    BGNBD,
    BoostedChurnClassifier,
    BoostedValueRegressor,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    LogisticChurnClassifier,
    StackedChurnClassifier,
)

CUTOFFS = [date(1998, 1, 31), date(1998, 3, 31)]
HORIZON = 60
SMALL = {"n_estimators": 10, "min_child_samples": 20, "n_jobs": 1}
MODELS = {
    "BG/NBD": BGNBD(penalizer=0.01),
    "BG/NBD churn": BTYDChurnClassifier(purchases=BGNBD(penalizer=0.01)),
    "trees churn": BoostedChurnClassifier(**SMALL),
    "BG/NBD value": BTYDValueRegressor(purchases=BGNBD(penalizer=0.01)),
    "trees value": BoostedValueRegressor(**SMALL),
}
ASKED = {
    "churned": ["BG/NBD", "BG/NBD churn", "trees churn"],
    "spend": ["BG/NBD value", "trees value"],
    "n_purchases": ["BG/NBD"],
}


def purchases() -> pd.DataFrame:
    """Return every fourth customer of the CDNOW sample, and all their records."""
    engine = hb.datasets.cdnow(sample=True).engine
    frame = engine.frame("SELECT customer_id, day AS timestamp, amount FROM transactions ORDER BY ALL", {})
    return frame[frame["customer_id"] % 4 == 0].reset_index(drop=True)


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return purchases()


@pytest.fixture(scope="module")
def log(records: pd.DataFrame) -> hb.CustomerLog:
    return hb.CustomerLog(transactions=records, observed_until="1998-06-30")


@pytest.fixture(scope="module")
def tested(log: hb.CustomerLog) -> Backtest:
    return backtest(log, MODELS, cutoffs=CUTOFFS, horizon=HORIZON)


def test_the_frame_is_tidy_and_complete(tested: Backtest, log: hb.CustomerLog) -> None:
    frame = tested.frame
    assert list(frame) == ["cutoff", "customer_id", "target", "model", "prediction", "outcome"]
    assert not frame.isna().any(axis=None)
    assert not frame.duplicated(["cutoff", "customer_id", "target", "model"]).any()
    for cutoff in CUTOFFS:
        now = hb.take_snapshot(log, hb.Window(cutoff, horizon=HORIZON))
        for target, names in ASKED.items():
            there = frame[(frame["cutoff"] == cutoff) & (frame["target"] == target)]
            assert list(there["model"].unique()) == [*names, *BASELINES[target]]
            for _, rows in there.groupby("model"):
                assert list(rows["customer_id"]) == list(now.X.index)
                np.testing.assert_array_equal(rows["outcome"], now.outcomes[target].astype(float))


def test_each_prediction_is_the_fitted_models_own(tested: Backtest, log: hb.CustomerLog) -> None:
    now = hb.take_snapshot(log, hb.Window(CUTOFFS[-1], horizon=HORIZON))
    model: Any = tested.models[CUTOFFS[-1], "spend", "trees value"]
    rows = tested.of("spend", "trees value")
    np.testing.assert_array_equal(rows[rows["cutoff"] == CUTOFFS[-1]]["prediction"], model.predict(now.X))
    asked = {(cutoff, target, name) for cutoff in CUTOFFS for target in ASKED for name in ASKED[target]}
    assert asked <= set(tested.models)
    assert len(tested.models) == tested.frame.groupby(["cutoff", "target", "model"]).ngroups


def test_purchase_models_are_asked_for_purchases_and_for_churn(tested: Backtest) -> None:
    churn, number = tested.of("churned", "BG/NBD"), tested.of("n_purchases", "BG/NBD")
    assert churn["prediction"].between(0.0, 1.0).all()
    np.testing.assert_array_equal(churn["prediction"], tested.of("churned", "BG/NBD churn")["prediction"])
    np.testing.assert_array_equal(churn["outcome"], number["outcome"] == 0)


def after(records: pd.DataFrame, cutoff: date, seed: int) -> pd.DataFrame:
    """Return the records with another future: some gone, other amounts, new customers, a burst."""
    rng = np.random.default_rng(seed)
    future = pd.to_datetime(records["timestamp"]).dt.date > cutoff
    kept = records[~future | (rng.uniform(size=len(records)) < 0.5)].copy()
    later = pd.to_datetime(kept["timestamp"]).dt.date > cutoff
    kept["amount"] = np.where(later, rng.gamma(2.0, 500.0, len(kept)), kept["amount"])
    days = pd.Timestamp(cutoff) + pd.to_timedelta(rng.integers(1, 90, 300), unit="D")
    who = np.r_[rng.choice(records["customer_id"].unique(), 200), np.arange(10**6, 10**6 + 100)]
    burst = pd.DataFrame({"customer_id": who, "timestamp": days, "amount": rng.gamma(2.0, 50.0, 300)})
    kept["timestamp"] = pd.to_datetime(kept["timestamp"])
    return pd.concat([kept, burst], ignore_index=True)


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31))
def test_no_model_sees_its_own_test(records: pd.DataFrame, tested: Backtest, seed: int) -> None:
    """The law of the whole package: another future changes outcomes and not one bit of any prediction."""
    cutoff = CUTOFFS[-1]
    changed = hb.CustomerLog(transactions=after(records, cutoff, seed), observed_until="1998-06-30")
    other = backtest(changed, MODELS, cutoffs=[cutoff], horizon=HORIZON).frame
    one = tested.frame[tested.frame["cutoff"] == cutoff]
    keys = ["customer_id", "target", "model"]
    pd.testing.assert_frame_equal(
        one[[*keys, "prediction"]].reset_index(drop=True), other[[*keys, "prediction"]], check_exact=True
    )
    assert (one["outcome"].to_numpy() != other["outcome"].to_numpy()).any()


def test_what_is_learned_from_ends_on_or_before_the_cutoff(
    log: hb.CustomerLog, tested: Backtest, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("habitue.evaluation.backtest")  # the package has a function of that name
    taken: list[hb.Window] = []

    def spy(log: hb.CustomerLog, window: hb.Window, earlier: Any, features: Any = None, **more: Any) -> Known:
        taken.extend([window, *earlier])
        return what_is_known(log, window, earlier, features, **more)

    monkeypatch.setattr(module, "what_is_known", spy)
    again = backtest(
        log, [BTYDChurnClassifier()], cutoffs=CUTOFFS[-1:], horizon=HORIZON, n_training=3, step=20
    )
    now, *training = taken
    assert now.cutoff == CUTOFFS[-1]
    assert len(training) == 3
    assert all(window.end <= now.cutoff and window.horizon == HORIZON for window in training)
    assert [b.cutoff - a.cutoff for a, b in pairwise(training)] == [timedelta(20)] * 2
    assert again.trained_until == {now.cutoff: max(window.end for window in training)}
    assert all(until <= cutoff for cutoff, until in tested.trained_until.items())
    assert list(tested.trained_until) == CUTOFFS


def test_scores_are_those_of_the_frame(tested: Backtest) -> None:
    table = tested.scores(n_replicates=20)
    assert list(table) == ["target", "model", "score", "value", "lower", "upper"]
    expected = {
        (target, model, score.name)
        for target, names in ASKED.items()
        for model in [*names, *BASELINES[target]]
        for score in SCORES[target]
    }
    assert {tuple(row) for row in table[["target", "model", "score"]].itertuples(index=False)} == expected
    rows = tested.of("spend", "trees value")
    mae = (rows["prediction"] - rows["outcome"]).abs().mean()
    found = table.set_index(["target", "model", "score"]).loc["spend", "trees value", "mae"]
    assert found["value"] == pytest.approx(mae, rel=1e-12)
    assert found["lower"] < mae < found["upper"]
    pd.testing.assert_frame_equal(tested.scores(n_replicates=20), table)


def test_a_model_does_not_differ_from_itself(tested: Backtest) -> None:
    same = tested.compare("trees churn", "trees churn", "brier", target="churned", n_replicates=20)
    assert same == (0.0, 0.0, 0.0)


def test_a_comparison_is_the_difference_of_the_scores_and_changes_sign(tested: Backtest) -> None:
    table = tested.scores(n_replicates=5).set_index(["target", "model", "score"])["value"]
    one = tested.compare("trees churn", "the mean", "brier", target="churned", n_replicates=50)
    other = tested.compare("the mean", "trees churn", "brier", target="churned", n_replicates=50)
    gap = table["churned", "trees churn", "brier"] - table["churned", "the mean", "brier"]
    assert one.value == pytest.approx(gap, abs=1e-12)
    assert one.lower <= one.value <= one.upper
    np.testing.assert_allclose((one.value, one.lower, one.upper), (-other.value, -other.upper, -other.lower))
    assert one.upper < 0  # who is silent is no secret to trees


def test_of_several_cutoffs_whole_customers_are_drawn(tested: Backtest) -> None:
    """A customer asked about twice is one customer: the interval must not shrink as if they were two."""
    once = tested.frame[tested.frame["cutoff"] == CUTOFFS[0]]
    copied = pd.concat([once, once.assign(cutoff=CUTOFFS[1])], ignore_index=True)
    keep = copied["target"] == "spend"
    alone = Backtest(once[once["target"] == "spend"], HORIZON, tested.models, tested.trained_until)
    doubled = Backtest(copied[keep], HORIZON, tested.models, tested.trained_until)
    one, two = (each.scores(n_replicates=400).set_index(["model", "score"]) for each in (alone, doubled))
    rows = one.loc["trees value", "mae"], two.loc["trees value", "mae"]
    assert rows[0]["value"] == pytest.approx(rows[1]["value"], rel=1e-12)
    widths = [row["upper"] - row["lower"] for row in rows]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)  # 0.71 of it if rows were drawn


def test_totals_stand_cutoff_by_cutoff(tested: Backtest) -> None:
    for target in tested.frame["target"].unique():
        table = tested.totals(target)
        rows = tested.frame.loc[tested.frame["target"] == target]
        sums = rows.groupby(["model", "cutoff"], sort=False)[["prediction", "outcome"]].sum()
        own = table.set_index(["model", "cutoff"])
        np.testing.assert_allclose(own.loc[sums.index, "predicted"], sums["prediction"])
        np.testing.assert_allclose(own.loc[sums.index, "actual"], sums["outcome"])
        off = own["error"].abs().groupby("model").mean()
        np.testing.assert_allclose(own["tracking_error"].groupby("model").first(), off)


def test_the_parts_of_the_brier_score_add_up(tested: Backtest) -> None:
    parts, scores = tested.brier_parts().set_index("model"), tested.scores(n_replicates=2)
    brier = scores.loc[scores["score"] == "brier"].set_index("model")["value"]
    np.testing.assert_allclose(parts["brier"], brier.loc[parts.index], rtol=1e-12)
    within = parts["within_variance"] - parts["within_covariance"]
    told = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + within
    np.testing.assert_allclose(told, parts["brier"], rtol=1e-9)


def test_what_is_not_there_is_named(tested: Backtest) -> None:
    with pytest.raises(SettingsError, match=r"no model 'trees' for churned; there are BG/NBD, .*the mean"):
        tested.of("churned", "trees")
    with pytest.raises(SettingsError, match=r"no target 'clv'; there are churned, spend, n_purchases"):
        tested.of("clv", "trees value")
    with pytest.raises(SettingsError, match=r"no score 'accuracy' for churned; known are auc"):
        tested.compare("trees churn", "the mean", "accuracy", target="churned")
    with pytest.raises(SettingsError, match=r"no target 'clv'"):
        tested.compare("trees churn", "the mean", "auc", target="clv")


def test_a_future_that_is_not_known_cannot_be_tested(log: hb.CustomerLog) -> None:
    with pytest.raises(
        DataError, match=r"ends on 1998-06-30.*latest cutoff that can be tested is 1998-05-01"
    ):
        backtest(log, [BGNBD()], cutoffs=["1998-05-02"], horizon=HORIZON)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"cutoffs": []}, "at least one day"),
        ({"cutoffs": "1998-03-31"}, "must be a list"),
        ({"cutoffs": ["1998-03-31", date(1998, 3, 31)]}, "may be there once"),
        ({"n_training": 0}, "n_training and step must be 1 or more"),
        ({"step": 0}, "n_training and step must be 1 or more"),
        ({"horizon": 0}, "horizon"),
        ({"features": ["shoe_size"]}, "shoe_size"),
    ],
    ids=str,
)
def test_impossible_settings_are_refused(log: hb.CustomerLog, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        backtest(log, [BGNBD()], **({"cutoffs": ["1998-03-31"], "horizon": HORIZON} | settings))


def test_two_of_one_class_need_names(log: hb.CustomerLog) -> None:
    with pytest.raises(SettingsError, match="mapping from name to model"):
        backtest(log, [BGNBD(), BGNBD(penalizer=0.1)], cutoffs=CUTOFFS, horizon=HORIZON)


def test_models_see_the_chosen_features_and_baselines_what_they_need(log: hb.CustomerLog) -> None:
    model = BoostedValueRegressor(**SMALL)
    shown = backtest(log, [model], cutoffs=CUTOFFS[-1:], horizon=HORIZON, features=["spend_mean"])
    trees: Any = shown.models[CUTOFFS[-1], "spend", "BoostedValueRegressor"]
    assert list(trees.feature_names_in_) == ["frequency", "recency", "T", "monetary_value", "spend_mean"]
    everything = backtest(log, [model], cutoffs=CUTOFFS[-1:], horizon=HORIZON)
    for name in BASELINES["spend"]:
        pd.testing.assert_frame_equal(
            shown.of("spend", name).reset_index(drop=True),
            everything.of("spend", name).reset_index(drop=True),
        )


def test_models_that_were_handed_in_stay_unfitted(tested: Backtest) -> None:
    for model in MODELS.values():
        assert not [name for name in vars(model) if name.endswith("_")]
    assert MODELS["BG/NBD churn"].horizon == 91


def test_progress_is_told_step_by_step(log: hb.CustomerLog) -> None:
    lines: list[str] = []
    backtest(log, [BTYDValueRegressor()], cutoffs=CUTOFFS[-1:], horizon=HORIZON, progress=lines.append)
    assert lines[0] == "1998-03-31: snapshots"
    assert lines[1] == "1998-03-31: BTYDValueRegressor (spend)"
    assert len(lines) == 2 + len(BASELINES["spend"])


def test_without_a_past_only_those_are_asked_who_need_none(log: hb.CustomerLog) -> None:
    early = backtest(log, [BGNBD()], cutoffs=["1997-03-31", *CUTOFFS], horizon=120 - HORIZON // 2)
    asked = {
        target: set(early.frame.query("target == @target")["model"]) for target in ("churned", "n_purchases")
    }
    assert asked == {
        "churned": {"BGNBD", "x/T*t"},
        "n_purchases": {"BGNBD", "last-period repeat", "x/T*t", "zero"},
    }
    sizes = early.frame.groupby(["target", "model"])["cutoff"].nunique()
    assert (sizes == 3).all()  # whoever is in the table was asked every time
    assert early.trained_until[date(1997, 3, 31)] == date(1997, 3, 31)
    with pytest.raises(DataError, match="too late to learn"):
        backtest(log, [LinearRegression()], cutoffs=["1997-03-31"], horizon=90)


def test_a_stack_answers_further_ahead_than_the_past_can_teach(log: hb.CustomerLog) -> None:
    models = {"story": BTYDChurnClassifier(), "sum": LogisticChurnClassifier()}
    stacked = StackedChurnClassifier(models=models)
    cutoff, far = date(1997, 9, 30), 273
    with pytest.raises(DataError, match="too late to learn"):
        backtest(log, [LogisticChurnClassifier()], cutoffs=[cutoff], horizon=far)
    tested = backtest(log, {"stacked": stacked, "story": models["story"]}, cutoffs=[cutoff], horizon=far)
    learned = tested.models[cutoff, "churned", "stacked"]
    assert isinstance(learned, StackedChurnClassifier)
    assert learned.horizon == (cutoff - log.first_day).days // 3
    assert tested.trained_until[cutoff] <= cutoff
    X = hb.take_snapshot(log, hb.Window(cutoff, learned.horizon)).X
    further = learned.predict_proba(X, horizon=far)[:, 1]
    np.testing.assert_allclose(tested.of("churned", "stacked")["prediction"], further, rtol=1e-9)
    assert "logistic regression" not in set(tested.frame["model"])


def test_the_published_forecast_of_cdnow(shared_data: Path) -> None:
    golden = pd.read_csv(shared_data / "golden" / "holdout_accuracy.csv").set_index(["dataset", "model"])
    log = hb.datasets.cdnow(sample=True)
    tested = backtest(log, {"BG/NBD": BGNBD()}, cutoffs=["1997-09-30"], horizon=273)
    names = {"BG/NBD": "BG/NBD", "x/T*t": "heuristic x/T*t", "zero": "zero"}
    for name, published in names.items():
        rows, row = tested.of("n_purchases", name), golden.loc["cdnow_sample(2357)", published]
        error = rows["prediction"] - rows["outcome"]
        assert rows["outcome"].sum() == row["sum_actual"] == 1882
        assert rows["prediction"].sum() == pytest.approx(row["sum_pred"], rel=1e-5, abs=1e-9)
        assert error.abs().mean() == pytest.approx(row["MAE"], rel=1e-5)
        assert np.sqrt((error**2).mean()) == pytest.approx(row["RMSE"], rel=1e-5)
