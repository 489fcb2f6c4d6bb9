"""Contributions for very many customers: LightGBM's own, whatever trees ask and whoever they ask."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest

from habitue.models import BoostedChurnClassifier, BoostedValueRegressor, tree_contributions
from habitue.models.boosted_hazard import BoostedHazardModel
from habitue.models.tree_contributions import exact_contributions

N = 3_000
USUAL = {
    "verbosity": -1,
    "num_threads": 1,
    "num_leaves": 15,
    "max_depth": 5,
    "min_data_in_leaf": 20,
    "seed": 1,
}


def customers(seed: int, *, missing: float = 0.1) -> np.ndarray[Any, Any]:
    """Return counts, amounts, levels from 0 to 11, and what is missing of them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 7))
    X[:, 0], X[:, 1], X[:, 2] = rng.poisson(2.0, N), rng.exponential(50.0, N), rng.integers(0, 12, N)
    X[rng.uniform(size=X.shape) < missing] = np.nan
    return X


def scores(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    known = np.nan_to_num(X)
    return known[:, 0] * (known[:, 3] > 0) - known[:, 1] / 50.0 + np.sin(known[:, 2]) + np.isnan(X[:, 4])


def target(X: np.ndarray[Any, Any], kind: str) -> np.ndarray[Any, Any]:
    noisy = scores(X) + np.random.default_rng(0).normal(size=N)
    if kind == "multiclass":
        return np.digitize(noisy, [-1.0, 1.0]).astype(float)
    return (noisy > 0).astype(float) if kind == "binary" else np.exp(noisy / 4.0) * (noisy > -0.5)


def trained(
    X: np.ndarray[Any, Any], kind: str = "binary", *, rounds: int = 25, **settings: Any
) -> lightgbm.Booster:
    params = USUAL | {"objective": kind} | ({"num_class": 3} if kind == "multiclass" else {}) | settings
    weight = np.random.default_rng(2).uniform(0.5, 2.0, N)
    return lightgbm.train(params, lightgbm.Dataset(X, target(X, kind), weight=weight, params=params), rounds)


def check(booster: lightgbm.Booster, X: np.ndarray[Any, Any]) -> None:
    wanted = np.asarray(booster.predict(X, pred_contrib=True))
    told = exact_contributions(booster, X)
    assert told.shape == wanted.shape
    np.testing.assert_allclose(told, wanted, atol=1e-11 * np.abs(wanted).max())


SETTINGS = {
    "usual": {},
    "tweedie": {"kind": "tweedie"},
    "classes": {"kind": "multiclass"},
    "levels": {"categorical_column": [2], "min_data_per_group": 10, "cat_smooth": 1.0},
    "stumps": {"num_leaves": 2},
    "many leaves": {"num_leaves": 60, "max_depth": 7, "min_data_in_leaf": 5, "rounds": 5},
    "one feature": {"feature_fraction": 0.15},
    "nothing to learn": {"min_data_in_leaf": N},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_they_are_those_of_lightgbm(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    booster = trained(customers(3), **settings)
    fresh = customers(4, missing=0.2)
    fresh[:5, 2] = [-1.0, 40.0, 11.0, np.nan, 0.0]
    monkeypatch.setattr(tree_contributions, "_ROWS", 1_100)  # blocks of customers, the last one smaller
    monkeypatch.setattr(tree_contributions, "_SETS", 100)
    assert tree_contributions._read(booster) is not None  # pyright: ignore[reportPrivateUsage]
    check(booster, fresh)


def test_what_was_never_missing_in_training_may_be_missing_later() -> None:
    check(trained(customers(5, missing=0.0)), customers(6, missing=0.3))


def test_contributions_and_base_add_up_to_the_score() -> None:
    X = customers(7)
    booster = trained(X)
    told = exact_contributions(booster, X).sum(axis=1)
    np.testing.assert_allclose(told, np.asarray(booster.predict(X, raw_score=True)), atol=1e-12)


@pytest.mark.parametrize(
    "settings", [{"num_leaves": 200, "max_depth": -1}, {"zero_as_missing": True}], ids=str
)
def test_what_is_too_large_or_strange_is_left_to_lightgbm(settings: Any) -> None:
    X = customers(8)
    settings = {"min_data_in_leaf": 3, "rounds": 2} | settings
    booster = trained(X, **settings)
    assert tree_contributions._read(booster) is None  # pyright: ignore[reportPrivateUsage]
    np.testing.assert_array_equal(exact_contributions(booster, X), booster.predict(X, pred_contrib=True))


def test_a_customer_is_told_the_same_alone_and_among_many() -> None:
    X = customers(9)
    booster = trained(X)
    np.testing.assert_allclose(
        exact_contributions(booster, X[:10]), exact_contributions(booster, X)[:10], atol=1e-13
    )


def hazards() -> tuple[BoostedHazardModel, pd.DataFrame]:
    X = pd.DataFrame(customers(10)).add_prefix("f")
    y = pd.DataFrame(
        {"duration": np.arange(N) % 90 + 1.0, "event": target(customers(10), "multiclass").astype(int)}
    )
    return BoostedHazardModel(n_estimators=10, early_stopping=False, n_jobs=1).fit(X, y), X


@pytest.mark.parametrize("law", ["tweedie", "hurdle", "zero_inflated_lognormal"])
def test_value_models_tell_what_they_told(law: str) -> None:
    X = pd.DataFrame(customers(11)).add_prefix("f")
    model = BoostedValueRegressor(law=law, n_estimators=15, early_stopping=False, n_jobs=1)
    model.fit(X, target(X.to_numpy(), "tweedie"))
    parts = {name: one.predict(X.to_numpy(), pred_contrib=True) for name, one in model.boosters_.items()}
    wanted = model.law_.contributions({name: np.asarray(one) for name, one in parts.items()})
    np.testing.assert_allclose(model.contributions(X), wanted[:, :-1], atol=1e-11)


def test_churn_models_tell_contributions_that_add_up_to_the_prediction() -> None:
    X = pd.DataFrame(customers(12)).add_prefix("f")
    model = BoostedChurnClassifier(n_estimators=15, n_jobs=1).fit(X, target(X.to_numpy(), "binary"))
    p = model.predict_proba(X)[:, 1]
    told = model.contributions(X).sum(axis=1) + model.base_value_
    np.testing.assert_allclose(told, np.log(p / (1.0 - p)), atol=1e-9)


def test_hazard_models_tell_what_they_told_cause_by_cause() -> None:
    model, X = hazards()
    for cause in model.causes_:
        many = model.contributions(X, cause=cause, entry=10.0)
        few = pd.concat(
            [
                model.contributions(X.iloc[rows : rows + 500], cause=cause, entry=10.0)
                for rows in range(0, N, 500)
            ]
        )
        np.testing.assert_allclose(many, few, atol=1e-12)
