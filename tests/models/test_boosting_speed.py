"""What makes boosted models quick: trees are LightGBM's own, and one copy judges as well as three."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest

from habitue.models import BoostedChurnClassifier, BoostedValueRegressor, boosting
from habitue.models.tree_growing import grow

N = 3_000
FIXED = {"verbosity": -1, "deterministic": True, "force_row_wise": True, "feature_pre_filter": False}
SHAPE = {"learning_rate": 0.05, "num_leaves": 15, "max_depth": 5, "min_data_in_leaf": 50, "lambda_l2": 1.0}
OWN: dict[str, Any] = FIXED | SHAPE | {"feature_fraction": 0.8, "seed": 0, "num_threads": 1}


def customers(seed: int = 0, n: int = N) -> tuple[pd.DataFrame, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return features, who churned, and spend."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 6))
    values[:, 0] = rng.poisson(2.0, n)
    churned = rng.uniform(size=n) < 1.0 / (1.0 + np.exp(values[:, 0] - 2.0 + values[:, 1]))
    values[rng.uniform(size=values.shape) < 0.05] = np.nan
    X = pd.DataFrame(values).add_prefix("f")
    return X, churned, np.where(churned, 0.0, rng.gamma(2.0, 20.0, n))


def own(X: pd.DataFrame, target: np.ndarray[Any, Any], n_trees: int, **settings: Any) -> lightgbm.Booster:
    params = OWN | settings
    return lightgbm.train(params, lightgbm.Dataset(X.to_numpy(), target, params=params), n_trees)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_churn_is_told_by_the_trees_that_lightgbm_grows_itself(early_stopping: bool) -> None:
    X, churned, _ = customers()
    model = BoostedChurnClassifier(
        n_estimators=60, early_stopping=early_stopping, calibration="none", n_jobs=1
    ).fit(X, churned)
    booster = own(X, churned.astype(float), model.n_trees_, objective="binary")
    np.testing.assert_array_equal(model.predict_proba(X)[:, 1], np.asarray(booster.predict(X.to_numpy())))


def test_value_is_told_by_the_trees_that_lightgbm_grows_itself() -> None:
    X, _, spend = customers()
    model = BoostedValueRegressor(n_estimators=40, early_stopping=False, n_jobs=1).fit(X, spend)
    booster = own(X, spend / spend.mean(), 40, objective="tweedie", tweedie_variance_power=1.5)
    told = np.asarray(booster.predict(X.to_numpy()))
    np.testing.assert_allclose(model.predict(X), told * spend.sum() / told.sum(), rtol=1e-9)


def fitted_with(n_folds: int, monkeypatch: pytest.MonkeyPatch, kind: Any, y: Any) -> tuple[Any, pd.DataFrame]:
    X = customers()[0]
    monkeypatch.setattr(boosting, "PLENTY_JUDGED", N if n_folds > 1 else 500)
    model = kind(n_estimators=120, horizon=91, n_jobs=1)
    assert len(boosting.folds_of(model, X, None)) == n_folds
    return model.fit(X, y), X


def test_one_copy_serves_churn_as_well_as_three(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, happened, _ = customers(seed=1, n=20_000)
    losses, means = [], []
    for n_folds in (3, 1):
        model, _ = fitted_with(n_folds, monkeypatch, BoostedChurnClassifier, customers()[1])
        p = model.predict_proba(fresh)[:, 1]
        losses.append(-np.log(np.where(happened, p, 1.0 - p)).mean())
        means.append(p.mean())
    assert losses[1] < losses[0] + 0.01
    assert abs(means[1] - happened.mean()) < 0.03


def test_one_copy_serves_value_as_well_as_three(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, _, spend = customers(seed=1, n=20_000)
    for n_folds in (3, 1):
        model, _ = fitted_with(n_folds, monkeypatch, BoostedValueRegressor, customers()[2])
        assert 0.9 < model.predict(fresh).sum() / spend.sum() < 1.1


def test_whoever_a_single_copy_judges_is_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    X, churned, _ = customers()
    monkeypatch.setattr(boosting, "PLENTY_JUDGED", 500)
    model = BoostedChurnClassifier(n_estimators=30, n_jobs=1)
    folds = boosting.folds_of(model, X, None)
    grown = grow(
        X.to_numpy(), churned.astype(float), None, OWN | {"objective": "binary"}, n_estimators=30, folds=folds
    )
    assert len(grown.rows) == len(grown.judged) == len(grown.folds) == len(folds[0].judged)
    assert np.bincount(grown.folds).min() > len(grown.rows) // 3 - 2
    assert not set(grown.rows) & set(folds[0].train)
    weights = np.where(np.arange(N) % 5 == 0, 0.0, 1.0)
    some = boosting.folds_of(model, X, weights)
    assert (weights[np.concatenate(list(some[0]))] > 0).all()
