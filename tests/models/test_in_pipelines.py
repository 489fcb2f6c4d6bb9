"""Models inside scikit-learn's tools: on prepared columns, searched, cross-validated, weighted, stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from habitue.models import (
    BoostedChurnClassifier,
    BoostedHazardModel,
    BoostedValueRegressor,
    LogisticChurnClassifier,
    TunedModel,
    load_model,
    save_model,
)
from habitue.models.value_laws import LAWS

TREES: dict[str, Any] = {"n_estimators": 8, "min_child_samples": 10, "n_jobs": 1}
MODELS: dict[str, Any] = {
    "boosted churn": BoostedChurnClassifier(**TREES),
    "hazard": BoostedHazardModel(**TREES),
    "tuned churn": TunedModel(BoostedChurnClassifier(**TREES), n_trials=1),
    **{f"boosted value, {law}": BoostedValueRegressor(law=law, **TREES) for law in LAWS},
    "tuned value": TunedModel(BoostedValueRegressor(**TREES), n_trials=1),
    "logistic": LogisticChurnClassifier(),
}
SEARCHED: dict[str, dict[str, list[Any]]] = {
    "boosted churn": {"num_leaves": [2, 7], "calibration": ["none", "platt"]},
    "hazard": {"num_leaves": [2, 7]},
    "tuned churn": {"estimator__num_leaves": [2, 7]},
    **{f"boosted value, {law}": {"law": list(LAWS)} for law in LAWS[:1]},
    "tuned value": {"estimator__law": ["hurdle", "squared"]},
    "logistic": {"C": [0.01, 1.0]},
}
RAISE: Any = "raise"  # scikit-learn's own types know numbers only
every_model = pytest.mark.parametrize("name", MODELS)


def customers(n: int = 300) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return customers with a plan and a gap, what they did next, and how much each counts."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"T": rng.uniform(50.0, 90.0, n), "n_tickets": rng.poisson(1.0, n).astype(float)})
    X.loc[::9, "T"] = np.nan
    X["plan"] = rng.choice(["basic", "gold"], n)
    X.index = pd.Index([f"c{row}" for row in range(n)], name="customer_id")
    churned = rng.uniform(size=n) < 0.2 + 0.2 * np.minimum(X["n_tickets"], 2) + 0.2 * (X["plan"] == "gold")
    spend = np.where(churned, 0.0, rng.gamma(2.0, 10.0, n))
    y = pd.DataFrame({"churned": churned, "spend": spend}, index=X.index)
    return X, y, np.where(np.arange(n) % 2 == 0, 3.0, 1.0)


X, Y, WEIGHTS = customers()


def target(model: Any) -> Any:
    return Y["churned"] if is_classifier(model) else Y["spend"]


def fresh(model: Any) -> Any:
    return clone(model)


def answer(model: Any, rows: Any) -> np.ndarray:
    return model.predict_proba(rows)[:, 1] if is_classifier(model) else np.asarray(model.predict(rows))


def pipeline(name: str) -> Any:
    """Return the model behind columns that are filled and spread to indicators, as a named frame."""
    prepared = ColumnTransformer(
        [
            ("numbers", SimpleImputer(), ["T", "n_tickets"]),
            ("plan", OneHotEncoder(sparse_output=False), ["plan"]),
        ]
    )
    return Pipeline([("prepare", prepared.set_output(transform="pandas")), ("model", fresh(MODELS[name]))])


def categories() -> Any:
    """Return a step that makes text a category, before a model that learns from it."""
    return Pipeline([("as categories", FunctionTransformer(lambda rows: rows.astype({"plan": "category"})))])


@every_model
def test_behind_prepared_columns(name: str, tmp_path: Path) -> None:
    whole = pipeline(name).fit(X, target(MODELS[name]))
    names = ["numbers__T", "numbers__n_tickets", "plan__plan_basic", "plan__plan_gold"]
    assert list(whole["model"].feature_names_in_) == names
    prepared = whole[:-1].transform(X)
    alone = fresh(MODELS[name]).fit(prepared, target(MODELS[name]))
    np.testing.assert_array_equal(answer(whole, X), answer(alone, prepared))
    again = fresh(whole).set_params(prepare__numbers__strategy="median").fit(X, target(MODELS[name]))
    assert again["prepare"].named_transformers_["numbers"].strategy == "median"
    save_model(whole["model"], tmp_path / "model")
    np.testing.assert_array_equal(answer(load_model(tmp_path / "model"), prepared), answer(whole, X))


@every_model
def test_behind_a_step_that_makes_categories(name: str) -> None:
    whole = Pipeline([*categories().steps, ("model", fresh(MODELS[name]))]).fit(X, target(MODELS[name]))
    assert list(whole["model"].feature_names_in_) == ["T", "n_tickets", "plan"]
    gold, basic = (answer(whole, X.assign(plan=plan)) for plan in ("gold", "basic"))
    assert (gold.mean() > basic.mean()) == is_classifier(MODELS[name])


@pytest.mark.parametrize("name", SEARCHED)
def test_searched(name: str, tmp_path: Path) -> None:
    space = {f"model__{key}": values for key, values in SEARCHED[name].items()}
    scoring = "neg_log_loss" if is_classifier(MODELS[name]) else "neg_mean_absolute_error"
    search = GridSearchCV(pipeline(name), space, cv=KFold(2), scoring=scoring, error_score=RAISE)
    search.fit(X, target(MODELS[name]))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    best = search.best_estimator_["model"]
    assert (
        best.get_params().items()
        >= {key.removeprefix("model__"): value for key, value in search.best_params_.items()}.items()
    )
    save_model(best, tmp_path / "model")
    prepared = search.best_estimator_[:-1].transform(X)
    np.testing.assert_array_equal(answer(load_model(tmp_path / "model"), prepared), answer(search, X))


@every_model
def test_cross_validated(name: str) -> None:
    y, folds = target(MODELS[name]), KFold(2)
    method = "predict_proba" if is_classifier(MODELS[name]) else "predict"
    told = np.asarray(cross_val_predict(pipeline(name), X, y, cv=folds, method=method))
    told = told[:, 1] if told.ndim == 2 else told
    for learned, judged in folds.split(X):
        model = pipeline(name).fit(X.iloc[learned], y.iloc[learned])
        np.testing.assert_array_equal(told[judged], answer(model, X.iloc[judged]))


@every_model
def test_weights_reach_it(name: str, tmp_path: Path) -> None:
    y = target(MODELS[name])
    prepared = pipeline(name)[:-1].fit_transform(X)
    plain, weighted = fresh(MODELS[name]).fit(prepared, y), fresh(MODELS[name])
    expected = answer(weighted.fit(prepared, y, sample_weight=WEIGHTS), prepared)
    assert (expected != answer(plain, prepared)).any()
    named = pipeline(name).fit(X, y, model__sample_weight=WEIGHTS)
    np.testing.assert_array_equal(answer(named, X), expected)
    save_model(weighted, tmp_path / "model")
    np.testing.assert_array_equal(answer(load_model(tmp_path / "model"), prepared), expected)


@every_model
def test_weights_are_routed_to_it(name: str) -> None:
    y = target(MODELS[name])
    prepared = pipeline(name)[:-1].fit_transform(X)
    expected = answer(fresh(MODELS[name]).fit(prepared, y, sample_weight=WEIGHTS), prepared)
    loss = "neg_log_loss" if is_classifier(MODELS[name]) else "neg_mean_absolute_error"
    with sklearn.config_context(enable_metadata_routing=True):
        whole = pipeline(name)
        whole["model"].set_fit_request(sample_weight=True)
        routed = fresh(whole).fit(X, y, sample_weight=WEIGHTS)
        np.testing.assert_array_equal(answer(routed, X), expected)
        found = cross_validate(
            whole,
            X,
            y,
            cv=KFold(2),
            params={"sample_weight": WEIGHTS},
            return_estimator=True,
            scoring=get_scorer(loss).set_score_request(sample_weight=True),
            error_score=RAISE,
        )
        learned, _ = next(KFold(2).split(X))
        by_hand = fresh(whole).fit(X.iloc[learned], y.iloc[learned], sample_weight=WEIGHTS[learned])
        np.testing.assert_array_equal(answer(found["estimator"][0], X), answer(by_hand, X))


def test_a_tuned_pipeline_passes_weights_on_to_its_model() -> None:
    y = Y["churned"]
    whole = pipeline("boosted churn")
    tuned = TunedModel(whole, space={"model__num_leaves": [3, 7]}, n_trials=2)
    tuned.fit(X, y, sample_weight=WEIGHTS)
    by_hand = fresh(tuned.best_estimator_).fit(X, y, model__sample_weight=WEIGHTS)
    np.testing.assert_array_equal(answer(tuned, X), answer(by_hand, X))
    assert (answer(tuned, X) != answer(fresh(tuned.best_estimator_).fit(X, y), X)).any()
    assert tuned.score(X, y, sample_weight=WEIGHTS) == by_hand.score(X, y, sample_weight=WEIGHTS)
