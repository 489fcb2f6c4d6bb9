"""Boosted churn: what it learns, what it refuses, and that its reasons add up."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.models import BoostedChurnClassifier
from habitue.models.probability_calibration import CALIBRATORS


def customers(n: int = 800, *, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Return customers who leave the likelier the longer they are silent."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"inactivity": rng.uniform(0, 400, n).round(), "frequency": rng.poisson(2.0, n) * 1.0})
    X["returns_share"] = np.where(rng.uniform(size=n) < 0.3, np.nan, rng.uniform(size=n))
    chance = 1.0 / (1.0 + np.exp(-(X["inactivity"] - 200.0) / 40.0))
    return X, pd.Series(rng.uniform(size=n) < chance, index=X.index)


def small(**changes: Any) -> BoostedChurnClassifier:
    settings: dict[str, Any] = {"n_estimators": 30, "min_child_samples": 10, "n_jobs": 1}
    return BoostedChurnClassifier(**(settings | changes))


def test_it_learns_who_leaves() -> None:
    X, y = customers()
    fresh, happened = customers(seed=1)
    churn = small().fit(X, y).predict_proba(fresh)[:, 1]
    assert np.mean((churn - happened) ** 2) < 0.75 * np.mean((y.mean() - happened) ** 2)
    assert churn.mean() == pytest.approx(happened.mean(), abs=0.05)


@pytest.mark.parametrize("calibration", CALIBRATORS)
def test_reasons_and_the_base_add_up_to_the_log_odds(calibration: str) -> None:
    X, y = customers()
    model = small(calibration=calibration).fit(X, y)
    assert model.calibration_ == calibration
    churn = model.predict_proba(X)[:, 1]
    parts = model.contributions(X)
    assert list(parts) == list(X.columns)
    np.testing.assert_allclose(
        parts.sum(axis=1) + model.base_value_, np.log(churn / (1.0 - churn)), atol=1e-6
    )


def at_two_cutoffs(n: int = 2_000) -> tuple[pd.DataFrame, pd.Series]:
    """Return customers a quarter apart, who leave more often after the second, whatever is known of them."""
    (X, y), (later, left) = customers(n), customers(n, seed=1)
    left |= np.random.default_rng(2).uniform(size=n) < 0.3
    keys = pd.to_datetime(["2024-01-01", "2024-04-01"])
    return pd.concat([X, later], keys=keys, names=["cutoff"]), pd.concat([y, left], keys=keys)


def test_calibration_learns_what_changed_from_one_cutoff_to_the_next() -> None:
    X, y = at_two_cutoffs()
    fresh, happened = customers(4_000, seed=3)
    happened |= np.random.default_rng(4).uniform(size=4_000) < 0.3
    plain, calibrated = (small(calibration=one).fit(X, y) for one in ("none", "auto"))
    assert calibrated.calibration_ != "none"
    loss = [log_loss(happened, model.predict_proba(fresh)) for model in (plain, calibrated)]
    assert loss[1] < loss[0] - 0.005


def test_well_calibrated_trees_are_left_as_they_are() -> None:
    X, y = customers(3_000)
    model = small(learning_rate=0.1).fit(X, y)
    assert model.calibration_ == "none"
    assert (
        model.predict_proba(X)[:, 1].tobytes() == np.asarray(model.booster_.predict(X.to_numpy())).tobytes()
    )


def test_as_many_trees_as_serve_unseen_customers() -> None:
    X, y = customers()
    fresh, happened = customers(seed=1)
    few, many = (
        small(n_estimators=400, early_stopping=one, calibration="none").fit(X, y) for one in (True, False)
    )
    assert (many.n_trees_, few.n_trees_ < 200) == (400, True)
    assert few.booster_.num_trees() == few.n_trees_
    assert log_loss(happened, few.predict_proba(fresh)) < log_loss(happened, many.predict_proba(fresh))


def test_few_customers_are_not_parted() -> None:
    model = small(n_estimators=400).fit(*customers(100))
    assert (model.n_trees_, model.calibration_) == (100, "none")


def test_features_act_as_the_vocabulary_expects_where_that_is_asked() -> None:
    X, y = customers()
    free, bound = (small(monotone=one, calibration="none").fit(X, y) for one in (False, True))
    longer = X.assign(inactivity=X["inactivity"] + 20.0)
    moved = [model.predict_proba(longer)[:, 1] - model.predict_proba(X)[:, 1] for model in (free, bound)]
    assert moved[0].min() < 0.0
    assert moved[1].min() >= 0.0


def test_an_unknown_calibration_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"auto, none, platt.*got 'sigmoid'"):
        small(calibration="sigmoid").fit(*customers(60))


def test_one_seed_gives_one_model_and_another_gives_another() -> None:
    X, y = customers()
    one, same, other = (small(colsample_bytree=0.5, random_state=seed).fit(X, y) for seed in (1, 1, 2))
    assert one.predict_proba(X).tobytes() == same.predict_proba(X).tobytes()
    assert one.predict_proba(X).tobytes() != other.predict_proba(X).tobytes()


@pytest.mark.parametrize(("churned", "told"), [(True, "all churned"), (False, "nobody churned")])
def test_one_class_is_nothing_to_learn_from(churned: bool, told: str) -> None:
    X, y = customers(50)
    with pytest.raises(DataError, match=rf"only one class \({told}\).*another cutoff or horizon"):
        small().fit(X, np.full(len(y), churned))


def test_one_class_among_those_that_count_is_one_class() -> None:
    X, y = customers()
    with pytest.raises(DataError, match="nobody churned"):
        small().fit(X, y, sample_weight=np.where(y, 0.0, 1.0))


def test_a_weight_of_zero_is_as_good_as_absent() -> None:
    X, y = customers()
    counted = np.arange(len(X)) % 3 > 0
    settings: dict[str, Any] = {
        "min_child_samples": 1,
        "colsample_bytree": 1.0,
        "num_leaves": 4,
        "n_estimators": 5,
    }
    settings |= {"early_stopping": False, "calibration": "none"}
    some = small(**settings).fit(X, np.where(counted, y, ~y), sample_weight=counted * 1.0)
    none = small(**settings).fit(X[counted], y[counted])
    assert np.abs(some.predict_proba(X) - none.predict_proba(X)).max() < 0.1
    assert np.corrcoef(some.predict_proba(X)[:, 1], none.predict_proba(X)[:, 1])[0, 1] > 0.98


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_refused_and_named(value: float) -> None:
    X, y = customers(60)
    X.loc[7, "frequency"] = value
    with pytest.raises(DataError, match=r"1 of 60 customers .* frequency=-?inf"):
        small().fit(X, y)
    model = small().fit(*customers(60))
    with pytest.raises(DataError, match="missing"):
        model.predict_proba(X)


def test_a_feature_that_nobody_has_is_learned_around() -> None:
    X, y = customers()
    empty = X.assign(days_since_event=np.nan)
    model = small(colsample_bytree=1.0).fit(empty, y)
    assert (model.contributions(empty)["days_since_event"] == 0.0).all()
    np.testing.assert_array_equal(
        model.predict_proba(empty), small(colsample_bytree=1.0).fit(X, y).predict_proba(X)
    )


def test_a_value_never_seen_missing_may_be_missing_later() -> None:
    X, y = customers()
    churn = small().fit(X, y).predict_proba(X.assign(frequency=np.nan))
    assert np.isfinite(churn).all()


def test_few_customers_get_the_base_rate() -> None:
    X, y = customers(40)
    churn = BoostedChurnClassifier(n_jobs=1).fit(X, y).predict_proba(X)[:, 1]
    np.testing.assert_allclose(churn, y.mean(), rtol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_estimators": 0},
        {"learning_rate": -0.1},
        {"num_leaves": 1},
        {"colsample_bytree": 2.0},
        {"reg_lambda": -1.0},
        {"max_depth": "deep"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_setting_out_of_range_is_refused_by_fit(wrong: dict[str, Any]) -> None:
    model = small(**wrong)
    with pytest.raises(SettingsError, match="LightGBM cannot train"):
        model.fit(*customers(60))


def test_what_is_no_table_is_refused() -> None:
    X, y = customers(60)
    for wrong in (X.to_numpy()[:, 0], pd.DataFrame(index=X.index), X.iloc[:0]):
        with pytest.raises(DataError):
            small().fit(wrong, y[: len(wrong)])
    with pytest.raises(SchemaError, match="frequency is there more than once"):
        small().fit(pd.concat([X, X[["frequency"]]], axis=1), y)
    with pytest.raises(DataError, match="requires y"):
        small().fit(X, cast("Any", None))


def test_columns_may_have_numbers_for_names() -> None:
    X, y = customers()
    numbered = X.set_axis([0, 1, 2], axis=1)
    model = small().fit(numbered, y)
    np.testing.assert_array_equal(model.predict_proba(numbered), small().fit(X, y).predict_proba(X))


@pytest.mark.parametrize("factor", [2.0**-8, 0.5, 2.0**10])
def test_another_unit_of_a_feature_changes_nothing(factor: float) -> None:
    X, y = customers(300)
    moved = X.assign(inactivity=X["inactivity"] * factor)
    np.testing.assert_allclose(
        small().fit(moved, y).predict_proba(moved), small().fit(X, y).predict_proba(X), rtol=1e-12
    )
