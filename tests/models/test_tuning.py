"""Tuning: the budget is kept, the given settings come first, and what is chosen was judged fairly."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

import habitue as hb
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.evaluation.rivals import needs_outcomes, targets_of
from habitue.models import BoostedChurnClassifier, BoostedValueRegressor, load_model, save_model
from habitue.models.out_of_time import out_of_time_folds
from habitue.models.tuning import TunedModel
from habitue.models.tuning_judge import churn_loss, make_judge, value_loss
from habitue.models.tuning_space import BOOSTED_SPACE, Between, TuningTrial
from habitue.snapshots import stack

HORIZON = 91
RIDGE = {"C": Between(1e-4, 1e2, log=True)}


def customers(n: int = 300, *, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Return customers of whom one column of eight tells who leaves."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 8)), columns=[f"x{place}" for place in range(8)])
    chance = 1.0 / (1.0 + np.exp(-X["x0"]))
    return X, pd.Series(rng.uniform(size=n) < chance, index=X.index)


def logistic(**changes: Any) -> TunedModel:
    """Return a cheap model to tune: the search is the same for all."""
    return TunedModel(LogisticRegression(), **({"space": RIDGE, "n_trials": 12} | changes))


def small(**changes: Any) -> TunedModel:
    forest = BoostedChurnClassifier(n_estimators=10, min_child_samples=20, n_jobs=1)
    return TunedModel(forest, **({"n_trials": 3} | changes))


@pytest.fixture(scope="module")
def past() -> hb.Snapshot:
    """Return CDNOW customers at three cutoffs, the first of which was over by the last."""
    log = hb.datasets.cdnow(sample=True)
    cutoffs = ["1997-09-30", "1997-11-15", "1997-12-30"]
    whole = stack([hb.take_snapshot(log, hb.Window(cutoff, horizon=HORIZON)) for cutoff in cutoffs])
    few = whole.X.index.get_level_values("customer_id") % 4 == 0
    return hb.Snapshot(whole.window, whole.X.loc[few], whole.outcomes.loc[few], whole.features)


def settings_tried(model: TunedModel) -> pd.DataFrame:
    return model.trials_.drop(columns="seconds")


def test_one_seed_gives_one_answer_and_another_tries_others() -> None:
    X, y = customers()
    one, same, other = (logistic(random_state=seed, n_trials=8).fit(X, y) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(settings_tried(one), settings_tried(same), check_exact=True)
    assert one.best_params_ == same.best_params_
    assert one.predict_proba(X).tobytes() == same.predict_proba(X).tobytes()
    assert (one.trials_["C"] != other.trials_["C"]).any()


def test_the_first_trial_is_the_model_as_it_was_given() -> None:
    X, y = customers()
    model = TunedModel(LogisticRegression(C=0.25), space=RIDGE, n_trials=1).fit(X, y)
    assert model.best_params_ == {"C": 0.25}
    alone = LogisticRegression(C=0.25).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(X))


@pytest.mark.parametrize(
    ("space", "given"),
    [({"C": Between(1e-3, 1e-2)}, 1.0), ({"C": [0.1, 0.2]}, 1.0), ({"max_iter": Between(50, 60)}, 100)],
)
def test_settings_outside_the_space_are_tried_first_all_the_same(
    space: dict[str, Any], given: object
) -> None:
    model = logistic(space=space, n_trials=4).fit(*customers())
    name = next(iter(space))
    tried = model.trials_[name].tolist()
    assert tried[0] == given
    low, high = (space[name].low, space[name].high) if isinstance(space[name], Between) else (0.1, 0.2)
    assert all(low <= value <= high for value in tried[1:])
    assert len(tried) == 4


def test_what_is_tried_lies_in_the_space_of_boosted_models() -> None:
    X, y = customers(150)
    model = small(n_trials=8).fit(X, y)
    assert list(model.best_params_) == list(BOOSTED_SPACE)
    for name, one in BOOSTED_SPACE.items():
        assert isinstance(one, Between)
        assert model.trials_[name].between(one.low, one.high).all()
        assert one.low <= BoostedChurnClassifier().get_params()[name] <= one.high
        assert isinstance(model.best_params_[name], int if isinstance(one.low, int) else float)


@pytest.mark.parametrize("n_trials", [1, 7])
def test_no_more_trials_than_allowed(n_trials: int) -> None:
    told: list[str] = []
    model = logistic(n_trials=n_trials).fit(*customers(), progress=told.append)
    assert model.n_trials_ == len(model.trials_) == len(told) == n_trials
    for place, (value, line) in enumerate(zip(model.trials_["value"], told, strict=True)):
        so_far = model.trials_["value"][: place + 1]
        outcome = "given up after 1 of 3 folds" if np.isnan(value) else f"loss {value:.6f}"
        assert line.startswith(
            f"trial {place} ({place + 1} of {n_trials}): {outcome}; best {so_far.min():.6f} ("
        )
    assert model.trials_["number"].tolist() == list(range(n_trials))


def test_no_trial_begins_after_the_seconds_are_over() -> None:
    model = logistic(n_trials=100_000, seconds=0.5).fit(*customers())
    took = model.trials_["seconds"]
    assert model.n_trials_ < 100_000
    assert took[:-1].sum() < 0.5 <= took.sum()


def test_the_first_trial_is_judged_to_its_end_whatever_the_budget() -> None:
    model = logistic(seconds=1e-9).fit(*customers())
    assert model.trials_[["number", "state", "n_folds"]].to_numpy().tolist() == [[0, "complete", 3]]


def test_a_hopeless_trial_is_given_up_and_marked() -> None:
    model = logistic(n_trials=30).fit(*customers())
    trials = model.trials_
    pruned = trials["state"] == "pruned"
    assert 0 < pruned.sum() < 25
    assert not pruned[:5].any()
    assert (trials.loc[pruned, "n_folds"] < 3).all()
    assert (trials.loc[~pruned, "n_folds"] == 3).all()
    assert trials["value"].isna().equals(pruned)
    assert model.best_params_ == {"C": trials.loc[trials["value"].idxmin(), "C"]}


def test_the_best_is_no_worse_than_what_was_given_on_its_own_folds() -> None:
    X, y = customers()
    model = logistic().fit(X, y)
    judge = make_judge(model.estimator, X, y, None, n_folds=3)
    *_, before = judge.losses({"C": 1.0})
    *_, after = judge.losses(model.best_params_)
    assert after < before
    assert model.trials_["value"].min() == pytest.approx(after, abs=1e-9)
    assert model.trials_["value"][0] == pytest.approx(before, abs=1e-9)


def test_of_equals_the_first_is_best() -> None:
    X, y = customers()
    same = {"max_iter": Between(200, 300)}
    model = logistic(space=same, n_trials=5).fit(X, y)
    assert model.trials_["value"].nunique() == 1
    assert model.best_params_ == {"max_iter": 100}


def test_a_loss_is_the_mean_over_customers_who_were_not_learned_from() -> None:
    X, y = customers()
    model = logistic(n_trials=1).fit(X, y)
    chance = pd.Series(np.nan, index=X.index)
    for fold in out_of_time_folds(X.index, horizon=HORIZON):
        learned = LogisticRegression().fit(X.iloc[fold.train], y.iloc[fold.train])
        chance.iloc[fold.judged] = learned.predict_proba(X.iloc[fold.judged])[:, 1]
    assert model.trials_["value"][0] == pytest.approx(log_loss(y, chance), abs=1e-9)


def test_stacked_customers_are_judged_later_than_they_are_learned_from(past: hb.Snapshot) -> None:
    index = past.X.index
    forest = BoostedChurnClassifier(horizon=HORIZON)
    judge = make_judge(make_pipeline(forest), past.X, past.outcomes["churned"], None, n_folds=3)
    days, who = (index.get_level_values(level) for level in ("cutoff", "customer_id"))
    for fold in judge.folds:
        assert not set(who[fold.train]) & set(who[fold.judged])
        ends = pd.to_datetime(days[fold.train]) + pd.Timedelta(days=HORIZON)
        assert ends.max() <= pd.to_datetime(days[fold.judged]).min()
    assert sum(len(fold.judged) for fold in judge.folds) == len(set(who))
    unknowing = make_judge(LogisticRegression(), past.X, past.outcomes["churned"], None, n_folds=3)
    assert {len(set(days[fold.train])) for fold in unknowing.folds} == {3}
    assert not any(set(who[fold.train]) & set(who[fold.judged]) for fold in unknowing.folds)


def test_a_row_that_does_not_count_is_as_good_as_absent() -> None:
    X, y = customers(400)
    counts = np.arange(len(X)) % 4 > 0
    some = make_judge(Ridge(), X, np.where(counts, y, 7.0), counts * 1.0, n_folds=3)
    none = make_judge(Ridge(), X[counts], y[counts].astype(float), None, n_folds=3)
    np.testing.assert_allclose(
        list(some.losses({"alpha": 3.0})), list(none.losses({"alpha": 3.0})), rtol=1e-9
    )


@pytest.mark.parametrize("kind", [pd.DataFrame, np.asarray])
def test_frames_and_arrays_are_tuned_alike(kind: Any) -> None:
    X, y = customers(150)
    model = small().fit(kind(X), y.to_numpy())
    pd.testing.assert_frame_equal(settings_tried(model), settings_tried(small().fit(X, y)), check_exact=True)
    assert model.predict_proba(kind(X)).shape == (150, 2)


def test_it_answers_as_the_model_inside() -> None:
    X, y = customers(150)
    model = small().fit(X, y)
    inside = model.best_estimator_
    assert inside.get_params() == model.estimator.get_params() | model.best_params_
    again = clone(inside).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    np.testing.assert_array_equal(model.predict(X), again.predict(X))
    pd.testing.assert_frame_equal(model.contributions(X), again.contributions(X), check_exact=True)
    pd.testing.assert_frame_equal(model.reason_values(X), X)
    assert model.score(X, y) == again.score(X, y)
    assert list(model.feature_names_in_) == list(X.columns)
    assert model.n_features_in_ == 8
    assert list(model.classes_) == [False, True]


def test_it_is_what_the_model_inside_is() -> None:
    churn, value = small(), TunedModel(BoostedValueRegressor())
    assert is_classifier(churn)
    assert is_regressor(value)
    assert (targets_of("churn", churn), targets_of("value", value)) == (("churned",), ("spend",))
    assert needs_outcomes(churn)
    assert get_tags(value).target_tags.positive_only
    assert get_tags(churn).input_tags.allow_nan
    assert hasattr(churn, "predict_proba")
    assert not hasattr(value, "predict_proba")
    assert not hasattr(TunedModel(Ridge()), "contributions")
    for unknown in ("classes_", "feature_names_in_", "trials_"):
        assert not hasattr(churn, unknown)
    with pytest.raises(NotFittedError):
        churn.predict_proba(customers()[0])


def test_a_clone_has_the_same_settings_and_nothing_learned() -> None:
    model = small(space={"num_leaves": [2, 5]}, seconds=9.0).fit(*customers(150))
    copy = clone(model)
    assert repr(copy) == repr(clone(copy))
    assert copy.get_params(deep=False).keys() == vars(copy).keys()
    assert copy.set_params(estimator__horizon=30).estimator.horizon == 30
    assert model.estimator.horizon == HORIZON


@pytest.mark.parametrize("space", [None, {"num_leaves": Between(2, 9), "btyd_features": [False]}])
def test_stored_and_loaded_it_says_the_same(space: Any, past: hb.Snapshot, tmp_path: Path) -> None:
    X, y = past.X.astype(float), past.outcomes["churned"]
    model = small(space=space, n_trials=2).fit(X, y)
    save_model(model, tmp_path / "model")
    back = load_model(tmp_path / "model")
    assert back.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    pd.testing.assert_frame_equal(back.trials_, model.trials_, check_exact=True)
    assert isinstance(back.history_[0], TuningTrial)
    assert back.best_params_ == model.best_params_
    assert back.space == model.space
    assert {path.suffix for path in (tmp_path / "model").iterdir()} <= {".json", ".txt"}


def test_value_is_tuned_on_stacked_customers(past: hb.Snapshot) -> None:
    forest = BoostedValueRegressor(n_estimators=10, min_child_samples=20, n_jobs=1)
    model = TunedModel(forest, n_trials=4).fit(past.X, past.outcomes["spend"])
    assert model.trials_["value"].min() <= model.trials_["value"][0]
    spent = past.outcomes["spend"].sum()
    assert model.predict(past.X).sum() == pytest.approx(spent, rel=0.5)


def test_a_backtest_takes_it_like_any_other() -> None:
    log = hb.datasets.cdnow(sample=True)
    tested = hb.backtest(log, {"tuned": small(n_trials=2)}, cutoffs=["1998-03-31"], horizon=60, n_training=2)
    model: Any = next(one for key, one in tested.models.items() if key[2] == "tuned")
    assert model.estimator.horizon == model.best_estimator_.horizon == 60
    assert tested.of("churned", "tuned")["prediction"].between(0.0, 1.0).all()


def test_another_score_may_judge() -> None:
    X, y = customers()
    model = logistic(scoring="average_precision", n_trials=6).fit(X, y)
    assert model.trials_["value"].dropna().between(-1.0, -y.mean()).all()
    assert model.trials_["value"].nunique() > 1


def test_a_loss_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match=r"The loss of trial 0 is nan.*another scoring"):
        logistic(scoring=lambda model, X, y: np.nan).fit(*customers())


def test_optuna_is_quiet_and_keeps_its_own_settings(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        logistic(n_trials=2).fit(*customers())
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    finally:
        optuna.logging.set_verbosity(before)
    assert capfd.readouterr() == ("", "")


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingsError, match=r"pip install 'habitue\[tune\]'"):
        logistic().fit(*customers())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"n_trials": 0}, "n_trials"),
        ({"n_trials": 2.5}, "n_trials"),
        ({"n_folds": 1}, "n_folds"),
        ({"seconds": 0.0}, "seconds"),
        ({"space": {"tols": [1.0]}}, "no parameter 'tols' to search over; did you mean"),
        ({"space": {"leaves_of_a_tree": [2]}}, "no parameter 'leaves_of_a_tree'.*known are"),
        ({"space": {}}, "nothing to search over: give LogisticRegression a space"),
        ({"space": None}, "nothing to search over"),
        ({"space": {"C": Between(2.0, 1.0)}}, r"C cannot be searched in Between\(low=2.0"),
        ({"space": {"C": Between(0.0, 1.0, log=True)}}, "C cannot be searched"),
        ({"space": {"C": []}}, "a list of choices"),
        ({"estimator": StandardScaler()}, "StandardScaler cannot be tuned"),
        ({"estimator": BoostedChurnClassifier(horizon=0), "space": None}, "horizon"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        logistic().set_params(**changes).fit(*customers())


def test_customers_have_to_be_enough_to_be_parted() -> None:
    X, y = customers(40)
    with pytest.raises(DataError, match="n_samples=1, which do not part into customers"):
        logistic().fit(X[:1], y[:1])
    one = np.zeros(len(X), dtype=bool)
    one[3] = True
    with pytest.raises(DataError, match=r"in 1 of 3 folds .* is of one class only.* untuned"):
        logistic().fit(X, one)
    with pytest.raises(DataError, match=r"in 1 of 3 folds .* is 0 for everybody"):
        TunedModel(BoostedValueRegressor()).fit(X, one * 5.0)
    with pytest.raises(DataError, match="only one class"):
        small().fit(X, ~one | one)


@pytest.mark.parametrize(
    ("X", "y", "told"),
    [
        ([[1.0], [2.0]], [0, 2], "y must"),
        ([[1.0], [2.0]], [0], "y must"),
        ([[1.0], [2.0]], None, "requires y"),
        (["one", "two"], [0, 1], "X must be a table"),
        (3.0, [0], "X must be a table"),
    ],
)
def test_what_does_not_match_is_refused(X: Any, y: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        logistic().fit(X, y)


def test_what_the_model_inside_refuses_is_refused() -> None:
    X, y = customers(150)
    with pytest.raises(SchemaError, match="x3"):
        small().fit(X.assign(x3="many"), y)


MONEY = arrays(np.float64, 12, elements=st.floats(0.0, 1e4).map(lambda one: round(one, 2)))


@settings(max_examples=15)
@given(spend=MONEY, value=MONEY, rate=st.sampled_from([0.01, 7.5, 1e4]))
def test_the_loss_of_values_has_no_unit_and_is_least_for_the_truth(
    spend: np.ndarray, value: np.ndarray, rate: float
) -> None:
    loss = value_loss(spend, value)
    assert np.isfinite(loss)
    assert loss >= -1e-12
    assert value_loss(spend, 3.0 * spend) <= loss + 1e-2  # of the floor under values of 0
    np.testing.assert_allclose(value_loss(spend * rate, value * rate), loss, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(value_loss(spend, value * rate), loss, rtol=1e-6, atol=1e-9)
    twice = value_loss(np.tile(spend, 2), np.tile(value, 2))
    np.testing.assert_allclose(value_loss(spend, value, np.full(12, 2.0)), twice, rtol=1e-9, atol=1e-12)


def test_losses_are_proper() -> None:
    """Of all shares and chances those that customers were drawn with lose least."""
    rng = np.random.default_rng(0)
    mean = rng.gamma(1.0, 20.0, 20_000)
    spend = mean * rng.gamma(0.5, 2.0, 20_000) * (rng.uniform(size=20_000) < 0.5) * 2.0
    chance = rng.beta(2.0, 5.0, 20_000)
    happened = rng.uniform(size=20_000) < chance
    for bent in (0.7, 0.85, 1.2, 1.5):
        assert value_loss(spend, mean) < value_loss(spend, mean**bent)
        assert churn_loss(happened, chance) < churn_loss(happened, chance**bent)
