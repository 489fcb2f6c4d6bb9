"""Who is in the table, what each predicts, and that nobody learns from its own test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, is_classifier
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import habitue as hb
from habitue.errors import DataError, SettingsError
from habitue.evaluation.rivals import (
    BASELINE_COLUMNS,
    BASELINES,
    TARGETS,
    fit_before,
    named_models,
    needs_outcomes,
    predict_target,
    targets_of,
)
from habitue.models import (
    BGNBD,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    LogisticChurnClassifier,
    MeanRegressor,
)

HORIZON = 91


@pytest.fixture(scope="module")
def now() -> hb.Snapshot:
    return hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1998-03-31", horizon=HORIZON))


@pytest.fixture(scope="module")
def past() -> hb.Snapshot:
    return hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-12-30", horizon=HORIZON))


def test_models_without_a_name_are_named_after_their_class() -> None:
    assert list(named_models([BTYDValueRegressor(), BGNBD()])) == ["BTYDValueRegressor", "BGNBD"]
    assert list(named_models({"mine": BGNBD(), "yours": BGNBD()})) == ["mine", "yours"]


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ([BGNBD(), BGNBD(penalizer=0.1)], "of one class: give them as a mapping"),
        ([], "no model to test"),
        ({}, "no model to test"),
        (BGNBD(), "come as a list, or a mapping"),
        ("BGNBD", "come as a list, or a mapping"),
        ([BGNBD], "not a model: give an estimator"),
        ({"mine": "BGNBD"}, "mine is 'BGNBD', not a model"),
        ([KMeans()], r"KMeans \(KMeans\) cannot be tested: it must be a classifier"),
        ({"the mean": MeanRegressor()}, "the mean is the name of a baseline"),
        ({"hiatus heuristic": BGNBD()}, "hiatus heuristic is the name of a baseline"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_tested_is_told(models: Any, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        named_models(models)


def test_a_baselines_name_is_free_where_that_baseline_is_not_tested() -> None:
    assert list(named_models({"hiatus heuristic": BTYDValueRegressor()})) == ["hiatus heuristic"]


def test_targets_follow_from_what_a_model_is() -> None:
    assert targets_of("", LogisticRegression()) == ("churned",)
    assert targets_of("", BTYDValueRegressor()) == ("spend",)
    assert targets_of("", BGNBD()) == ("n_purchases", "churned")
    assert set(BASELINES) == set(TARGETS)


def test_who_learns_from_outcomes() -> None:
    assert needs_outcomes(LinearRegression())
    assert not needs_outcomes(BTYDChurnClassifier())
    assert not needs_outcomes(BGNBD())


def test_a_wrapped_model_needs_what_it_needs_alone() -> None:
    """Pipelines and searches do not pass this tag on: without care they would be fitted without outcomes."""
    for alone in (LogisticRegression(), LinearRegression(), BTYDValueRegressor()):
        pipeline = make_pipeline("passthrough", make_pipeline("passthrough", alone))
        assert needs_outcomes(pipeline) == needs_outcomes(alone)
        assert needs_outcomes(GridSearchCV(alone, {})) == needs_outcomes(alone)


@pytest.mark.parametrize(
    ("target", "name"), [(target, name) for target in TARGETS for name in BASELINES[target]]
)
def test_every_baseline_can_be_fitted_and_reads_what_it_says(
    target: str, name: str, now: hb.Snapshot, past: hb.Snapshot
) -> None:
    model = BASELINES[target][name]
    ready = fit_before(model, target, now, past, HORIZON)
    predicted = predict_target(ready, target, now.X, HORIZON)
    assert predicted.shape == (len(now.X),)
    assert np.isfinite(predicted).all()
    literature = {"frequency", "recency", "T", "monetary_value"}
    reads_all = isinstance(ready, LogisticChurnClassifier)
    assert reads_all or set(ready.feature_names_in_) <= literature | set(BASELINE_COLUMNS)
    assert not [
        attribute for attribute in vars(model) if attribute.endswith("_")
    ]  # the constant stays unfitted


def test_value_baselines_count_purchases_where_those_are_asked_for(
    now: hb.Snapshot, past: hb.Snapshot
) -> None:
    X = now.X
    by_name = {
        name: predict_target(fit_before(model, "n_purchases", now, past, HORIZON), "n_purchases", X, HORIZON)
        for name, model in BASELINES["n_purchases"].items()
    }
    np.testing.assert_array_equal(by_name["zero"], 0.0)
    np.testing.assert_array_equal(by_name["last-period repeat"], X["n_purchases_last_period"])
    np.testing.assert_allclose(by_name["x/T*t"], (X["frequency"] / X["T"] * HORIZON).fillna(0.0))
    np.testing.assert_allclose(by_name["the mean"], past.outcomes["n_purchases"].mean())


def test_the_horizon_is_set_wherever_a_model_has_one(now: hb.Snapshot) -> None:
    pipeline = make_pipeline("passthrough", BTYDValueRegressor(horizon=1))
    alone = fit_before(BTYDValueRegressor(horizon=1), "spend", now, now, HORIZON)
    inside = fit_before(pipeline, "spend", now, now, HORIZON)
    assert alone.get_params()["horizon"] == HORIZON
    np.testing.assert_array_equal(
        predict_target(inside, "spend", now.X, HORIZON), predict_target(alone, "spend", now.X, HORIZON)
    )
    assert pipeline.get_params()["btydvalueregressor__horizon"] == 1


def test_a_purchase_model_answers_both_questions(now: hb.Snapshot) -> None:
    model: Any = fit_before(BGNBD(), "n_purchases", now, None, HORIZON)
    churn, purchases = (predict_target(model, target, now.X, 30) for target in ("churned", "n_purchases"))
    np.testing.assert_array_equal(churn, model.p_no_purchase(now.X, horizon=30))
    np.testing.assert_array_equal(purchases, model.expected_purchases(now.X, horizon=30))


class Recorder(BaseEstimator):
    """Base of the two models below: keeps what it was shown."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Any:
        self.X_, self.y_ = X, y
        return self


@pytest.mark.parametrize("target", ["churned", "spend"])
def test_models_with_outcomes_are_shown_the_past_and_others_the_present(
    target: str, now: hb.Snapshot, past: hb.Snapshot
) -> None:
    from sklearn.base import ClassifierMixin, RegressorMixin

    kind = ClassifierMixin if target == "churned" else RegressorMixin
    learner = type("Learner", (kind, Recorder), {})()
    shown: Any = fit_before(learner, target, now, past, HORIZON)
    assert is_classifier(learner) == (target == "churned")
    pd.testing.assert_frame_equal(shown.X_, past.X)
    np.testing.assert_array_equal(shown.y_, past.outcomes[target])
    assert shown.y_.dtype == past.outcomes[target].dtype
    knower = type("Knower", (Recorder,), {})()
    assert fit_before(knower, target, now, past, HORIZON).X_ is now.X
    with pytest.raises(SettingsError, match="Learner learns from outcomes"):
        fit_before(learner, target, now, None, HORIZON)


def test_a_classifier_that_saw_one_class_is_told(now: hb.Snapshot) -> None:
    single = DummyClassifier().fit(now.X, np.ones(len(now.X)))
    with pytest.raises(DataError, match=r"two classes, stays and churns; it gave shape \(\d+, 1\)"):
        predict_target(single, "churned", now.X, HORIZON)
