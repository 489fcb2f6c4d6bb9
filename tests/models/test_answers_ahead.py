"""Answers for other horizons than a model learned, and who gave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import SettingsError
from habitue.models import (
    BGNBD,
    BoostedChurnClassifier,
    BoostedHazardModel,
    BoostedValueRegressor,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    ChurnAnswers,
    StackedChurnClassifier,
    StackedValueRegressor,
    TunedModel,
    ValueAnswers,
    ValueInterval,
    load_model,
    save_model,
)

HORIZON, FAR = 91, 182
SEEN = ["inactivity", "spend_mean", "frequency", "recency", "T", "monetary_value"]
TREES = {"n_estimators": 8, "early_stopping": False, "n_jobs": 1}
OF_TIMES = ["churn_probability_30d", "churn_probability_365d", "expected_residual_lifetime_365d"]


@pytest.fixture(scope="module")
def snapshot() -> hb.Snapshot:
    return hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-12-30", horizon=HORIZON))


def churn_answers(snapshot: hb.Snapshot, model: Any) -> ChurnAnswers:
    fitted = model.fit(snapshot.X[SEEN], snapshot.outcomes["churned"])
    return ChurnAnswers(classifier=fitted, purchases=BGNBD().fit(snapshot.X), horizon=HORIZON)


def value_answers(snapshot: hb.Snapshot, model: Any) -> ValueAnswers:
    spend = snapshot.outcomes["spend"]
    fitted = model.fit(snapshot.X[SEEN], spend)
    interval = ValueInterval().fit(fitted.predict(snapshot.X), spend)
    purchases = BGNBD().fit(snapshot.X)
    return ValueAnswers(regressor=fitted, purchases=purchases, interval=interval, horizon=HORIZON)


def stack_of(kind: str) -> Any:
    if kind == "churn":
        boosted: Any = BoostedChurnClassifier(calibration="none", **TREES)
        return StackedChurnClassifier(models={"story": BTYDChurnClassifier(), "trees": boosted}, n_folds=2)
    boosted = BoostedValueRegressor(**TREES)
    return StackedValueRegressor(models={"story": BTYDValueRegressor(), "trees": boosted}, n_folds=2)


CHURN = {
    "btyd": lambda: BTYDChurnClassifier(horizon=HORIZON),
    "hazards": lambda: BoostedHazardModel(horizon=HORIZON, **TREES),
    "stacked": lambda: stack_of("churn"),
}
VALUE = {"btyd": lambda: BTYDValueRegressor(horizon=HORIZON), "stacked": lambda: stack_of("value")}
ABLE = pytest.mark.parametrize(
    ("make", "model"),
    [(churn_answers, one) for one in CHURN.values()] + [(value_answers, one) for one in VALUE.values()],
    ids=[*(f"churn {name}" for name in CHURN), *(f"value {name}" for name in VALUE)],
)


@ABLE
def test_the_horizon_learned_is_what_is_answered_without_one(
    snapshot: hb.Snapshot, make: Any, model: Any
) -> None:
    answers = make(snapshot, model())
    X = snapshot.X.head(300)
    pd.testing.assert_frame_equal(answers.answer(X, horizon=HORIZON), answers.answer(X), check_exact=True)
    pd.testing.assert_frame_equal(
        answers.contributions(X, horizon=HORIZON), answers.contributions(X), check_exact=True
    )
    assert list(answers.answer(X, horizon=FAR)) == list(answers.answer(X))


@ABLE
def test_further_ahead_fewer_buy_nothing_and_more_is_spent(
    snapshot: hb.Snapshot, make: Any, model: Any
) -> None:
    """But by hazards, of which leaving is the end: there more leave."""
    answers, X = make(snapshot, model()), snapshot.X
    near, far = answers.answer(X), answers.answer(X, horizon=FAR)
    if "clv" in near:
        assert (far["clv"] >= near["clv"]).all()
        assert (far["expected_purchases"] > near["expected_purchases"]).all()
    else:
        sign = 1 if "churn_probability_365d" in near else -1
        assert (sign * (far["churn_probability"] - near["churn_probability"]) >= 0).all()
        assert far["churn_probability"].between(0, 1).all()
    pd.testing.assert_series_equal(far["p_alive"], near["p_alive"])


def test_a_probability_model_answers_as_if_it_had_been_made_for_that_horizon(snapshot: hb.Snapshot) -> None:
    """It learns nothing of a horizon; so its reasons are those of that horizon too."""
    X = snapshot.X
    churn = churn_answers(snapshot, BTYDChurnClassifier(horizon=HORIZON))
    made = BTYDChurnClassifier(horizon=FAR).fit(X)
    np.testing.assert_array_equal(
        churn.answer(X, horizon=FAR)["churn_probability"], made.predict_proba(X)[:, 1]
    )
    pd.testing.assert_frame_equal(churn.contributions(X, horizon=FAR), made.contributions(X))
    value = value_answers(snapshot, BTYDValueRegressor(horizon=HORIZON))
    spends = BTYDValueRegressor(horizon=FAR).fit(X)
    np.testing.assert_array_equal(value.answer(X, horizon=FAR)["clv"], spends.predict(X))
    pd.testing.assert_frame_equal(value.contributions(X, horizon=FAR), spends.contributions(X))
    assert not np.allclose(value.contributions(X), spends.contributions(X))


def test_an_interval_says_nothing_of_another_horizon(snapshot: hb.Snapshot) -> None:
    answers, X = value_answers(snapshot, BTYDValueRegressor(horizon=HORIZON)), snapshot.X
    assert answers.why_no_interval(None) == answers.why_no_interval(HORIZON) == ""
    assert answers.answer(X)[["clv_lower", "clv_upper"]].notna().all(axis=None)
    assert answers.answer(X, horizon=FAR)[["clv_lower", "clv_upper"]].isna().all(axis=None)
    assert answers.why_no_interval(FAR) == (
        "The interval was learned 91 days ahead and says nothing of 182 days; train for that horizon to have "
        "one."
    )


@pytest.mark.parametrize(
    ("make", "model"),
    [
        (churn_answers, BoostedChurnClassifier(calibration="none", **TREES)),
        (value_answers, BoostedValueRegressor(**TREES)),
    ],
)
def test_who_learned_one_horizon_says_which_and_who_answers_others(
    snapshot: hb.Snapshot, make: Any, model: Any
) -> None:
    answers = make(snapshot, model)
    told = (
        rf"{type(model).__name__} learned 91 days ahead and cannot answer for 182\. Train it for that "
        "horizon, or ask a model that answers any: BoostedHazardModel, BTYDChurnClassifier"
    )
    for ask in (answers.answer, answers.contributions):
        with pytest.raises(SettingsError, match=told):
            ask(snapshot.X, horizon=FAR)
    with pytest.raises(SettingsError, match=told):
        answers.check_horizon(FAR)
    assert answers.check_horizon(None) == answers.check_horizon(HORIZON) == HORIZON


@ABLE
@pytest.mark.parametrize("horizon", [0, -7, 30.5, True])
def test_a_horizon_is_whole_days_ahead(snapshot: hb.Snapshot, make: Any, model: Any, horizon: Any) -> None:
    with pytest.raises(SettingsError, match="horizon"):
        make(snapshot, model()).check_horizon(horizon)


@pytest.mark.parametrize("kind", ["churn", "value"])
def test_a_stacked_model_says_who_answered(snapshot: hb.Snapshot, kind: str, tmp_path: Path) -> None:
    make = churn_answers if kind == "churn" else value_answers
    answers = make(snapshot, stack_of(kind))
    long_ago = snapshot.X.head(40).copy()
    long_ago.loc[long_ago.index[::2], "T"] *= 5
    table = answers.answer(long_ago)
    model = answers.classifier if kind == "churn" else answers.regressor
    pd.testing.assert_series_equal(table["answered_by"], model.answered_by(long_ago))
    assert (table["answered_by"].iloc[::2] == "story alone").all()
    assert not (table["answered_by"].iloc[1::2] == "story alone").any()
    assert answers.answer(long_ago, horizon=FAR)["answered_by"].str.endswith("story beyond 91 days").all()
    save_model(answers, tmp_path / "answers")
    pd.testing.assert_frame_equal(load_model(tmp_path / "answers").answer(long_ago), table, check_exact=True)


def test_hazards_tell_of_times(snapshot: hb.Snapshot, tmp_path: Path) -> None:
    answers, X = churn_answers(snapshot, BoostedHazardModel(horizon=HORIZON, **TREES)), snapshot.X
    table = answers.answer(X)
    assert list(table) == ["p_alive", "churn_probability", *OF_TIMES]
    pd.testing.assert_frame_equal(table[OF_TIMES], answers.classifier.time_to_churn(X))
    save_model(answers, tmp_path / "answers")
    pd.testing.assert_frame_equal(load_model(tmp_path / "answers").answer(X), table, check_exact=True)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_tuned_model_tells_what_the_one_inside_does(snapshot: hb.Snapshot) -> None:
    pytest.importorskip("optuna")
    search = TunedModel(BoostedHazardModel(horizon=HORIZON, **TREES), n_trials=1, n_folds=2)
    answers, X = churn_answers(snapshot, search), snapshot.X
    inside = answers.classifier.best_estimator_
    table = answers.answer(X, horizon=FAR)
    np.testing.assert_array_equal(table["churn_probability"], inside.predict_proba(X, horizon=FAR)[:, 1])
    pd.testing.assert_frame_equal(table[OF_TIMES], inside.time_to_churn(X, horizon=FAR))
