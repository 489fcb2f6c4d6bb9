"""Boosted value: money in, money out, returns taken off, and reasons that add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import DataError, SettingsError
from habitue.models import BoostedValueRegressor
from habitue.models.value_laws import LAWS


def customers(n: int = 800, *, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Return customers of whom half spend nothing, and the others what they are used to."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"spend_mean": rng.gamma(3.0, 10.0, n), "inactivity": rng.uniform(0, 400, n).round()})
    bought = rng.uniform(size=n) < np.exp(-X["inactivity"] / 200.0)
    return X, pd.Series(np.where(bought, X["spend_mean"] * rng.gamma(4.0, 0.25, n), 0.0))


def small(**changes: Any) -> BoostedValueRegressor:
    settings: dict[str, Any] = {"n_estimators": 30, "min_child_samples": 10, "n_jobs": 1}
    return BoostedValueRegressor(**(settings | changes))


def test_it_learns_what_customers_spend() -> None:
    X, y = customers()
    fresh, happened = customers(seed=1)
    value = small(n_estimators=80).fit(X, y).predict(fresh)
    assert np.mean((value - happened) ** 2) < 0.92 * np.mean((y.mean() - happened) ** 2)


def test_predictions_add_up_to_what_was_spent() -> None:
    X, y = customers()
    assert small(early_stopping=False).fit(X, y).predict(X).sum() == pytest.approx(y.sum(), rel=1e-12)
    assert small().fit(X, y).predict(X).sum() == pytest.approx(y.sum(), rel=0.05)


def at_two_cutoffs(grown: float) -> tuple[pd.DataFrame, pd.Series]:
    """Return the same customers a quarter apart, who spend a factor more in the second."""
    X, y = customers()
    keys = pd.to_datetime(["2024-01-01", "2024-04-01"])
    return pd.concat([X, X], keys=keys, names=["cutoff"]), pd.concat([y, y * grown], keys=keys)


def test_totals_follow_what_became_of_the_business() -> None:
    same, shrunk = (small().fit(*at_two_cutoffs(grown)) for grown in (1.0, 0.5))
    X, y = customers()
    assert same.predict(X).sum() == pytest.approx(y.sum(), rel=0.05)
    # Learned from 1 and one half, as 0.75; what was expected of the second quarter came in at one half of it.
    assert shrunk.predict(X).sum() == pytest.approx(0.375 * y.sum(), rel=0.05)


@pytest.mark.parametrize("law", LAWS)
def test_early_stopping_is_as_good_out_of_sample_as_many_trees(law: str) -> None:
    X, y = customers()
    fresh, happened = customers(seed=1)
    few, many = (small(law=law, n_estimators=300, early_stopping=one).fit(X, y) for one in (True, False))
    assert all(booster.num_trees() < 300 for booster in few.boosters_.values())
    errors = [np.mean((model.predict(fresh) - happened) ** 2) for model in (few, many)]
    assert errors[0] < errors[1]


def test_few_buyers_are_not_parted() -> None:
    X, y = customers(100)
    model = small(n_estimators=400).fit(X, y)
    assert model.boosters_["spend"].num_trees() == 100
    assert model.predict(X).sum() == pytest.approx(y.sum(), rel=1e-12)


def test_features_act_as_the_vocabulary_expects_where_that_is_asked() -> None:
    X, y = customers()
    noisy = X.assign(frequency=X["spend_mean"] // 10)
    model = small(monotone=True).fit(noisy, y)
    longer = noisy.assign(inactivity=noisy["inactivity"] + 30.0)
    assert (model.predict(longer) <= model.predict(noisy)).all()
    free = small().fit(noisy, y)
    assert not (free.predict(longer) <= free.predict(noisy)).all()


def test_returns_are_taken_off_the_total_and_no_prediction_is_negative() -> None:
    X, y = customers()
    net = y - np.where(np.arange(len(y)) % 4 == 0, 5.0, 0.0)
    assert (net < 0).any()
    model = small(early_stopping=False).fit(X, net)
    assert model.predict(X).sum() == pytest.approx(net.sum(), rel=1e-12)
    assert (model.predict(X) > 0).all()
    assert model.scale_ < small(early_stopping=False).fit(X, y).scale_


def test_weights_count_customers() -> None:
    X, y = customers()
    weights = np.where(X["inactivity"] > 200, 3.0, 1.0)
    value = small(early_stopping=False).fit(X, y, sample_weight=weights).predict(X)
    assert np.average(value, weights=weights) == pytest.approx(np.average(y, weights=weights), rel=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_reasons_and_the_base_add_up_to_the_log_of_value(law: str) -> None:
    X, y = customers()
    model = small(law=law).fit(X, y)
    parts = model.contributions(X)
    assert list(parts) == list(X.columns)
    np.testing.assert_allclose(parts.sum(axis=1) + model.base_value_, np.log(model.predict(X)), atol=1e-8)


def test_where_nobody_spent_there_is_nothing_to_learn() -> None:
    X, y = customers(50)
    for nothing in (y * 0.0, -y - 1.0):
        with pytest.raises(DataError, match="Nobody spent anything"):
            small().fit(X, nothing)
    with pytest.raises(DataError, match="Nobody spent anything"):
        small().fit(X, y, sample_weight=(y == 0).astype(float))


def test_where_returns_outweigh_purchases_no_value_can_be_learned() -> None:
    X, y = customers(50)
    with pytest.raises(DataError, match="Returns outweigh purchases"):
        small().fit(X, y - 2.0 * y.mean())


@pytest.mark.parametrize("power", [0.5, 2.0, 3.0])
def test_a_tweedie_power_lies_between_one_and_two(power: float) -> None:
    with pytest.raises(SettingsError, match="tweedie_variance_power"):
        small(tweedie_variance_power=power).fit(*customers(60))


def test_infinity_is_refused() -> None:
    X, y = customers(60)
    with pytest.raises(DataError, match="inf"):
        small().fit(X.assign(inactivity=np.inf), y)
    with pytest.raises(DataError, match="y must be finite"):
        small().fit(X, y.where(y.index > 0, np.inf))


def test_a_feature_that_nobody_has_is_learned_around() -> None:
    X, y = customers()
    model = small(colsample_bytree=1.0).fit(X.assign(gap_mean=np.nan), y)
    np.testing.assert_array_equal(
        model.predict(X.assign(gap_mean=np.nan)), small(colsample_bytree=1.0).fit(X, y).predict(X)
    )
