"""Quantile intervals: they hold as often as they say, and are narrow where the customer is known."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from habitue.errors import DataError, HabitueWarning, SchemaError, SettingsError
from habitue.models import ValueInterval, load_model, save_model
from habitue.models.quantile_interval import QuantileValueInterval


class Base(NamedTuple):
    X: pd.DataFrame
    spent: np.ndarray
    predicted: np.ndarray


def spenders(n: int, seed: int, *, n_nothing: float = 1.0) -> Base:
    """Return customers with a good prediction whose spread is a feature of theirs; some send back."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"usual": rng.gamma(1.5, 20.0, n), "steady": rng.integers(0, 2, n)})
    X["noise"] = np.where(rng.uniform(size=n) < 0.1, np.nan, rng.normal(size=n))
    usual, shape = X["usual"].to_numpy(), 1.0 + 30.0 * X["steady"].to_numpy()
    buys = rng.uniform(size=n) < 1.0 - n_nothing * 0.5 * np.exp(-usual / 20.0)
    spent = np.where(buys, usual * rng.gamma(shape, 1.0 / shape), 0.0)
    return Base(X, np.where(rng.uniform(size=n) < 0.005, -5.0, spent), usual)


def small(**changes: Any) -> QuantileValueInterval:
    return QuantileValueInterval(**({"n_estimators": 25, "n_levels": 4, "n_jobs": 1} | changes))


def held(model: QuantileValueInterval, base: Base) -> np.ndarray:
    lower, upper = model.bounds(base.X, base.predicted)
    return (lower <= base.spent) & (base.spent <= upper)


@pytest.fixture(scope="module")
def base() -> Base:
    return spenders(4_000, seed=1)


@pytest.fixture(scope="module")
def fitted(base: Base) -> QuantileValueInterval:
    return small().fit(*base)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_it_holds_the_stated_share_of_new_customers_at_every_level(confidence: float) -> None:
    model = small(confidence=confidence).fit(*spenders(8_000, seed=2))
    fresh = spenders(20_000, seed=3)
    inside = held(model, fresh)
    level = np.searchsorted(model.edges_, fresh.predicted, side="right")
    assert len(model.lower_shift_) == len(model.upper_shift_) == len(model.edges_) + 1 == 4
    # Four standard errors of 1,000 customers learned from and 5,000 tested, and those who send back.
    allowed = 4.0 * np.sqrt(confidence * (1.0 - confidence) * (1.0 / 1_000 + 1.0 / 5_000)) + 0.005
    for place in range(4):
        assert inside[level == place].mean() > confidence - allowed, place


def test_each_end_is_missed_as_often_as_it_may_be_where_all_buy() -> None:
    base, fresh = spenders(8_000, seed=4, n_nothing=0.0), spenders(20_000, seed=5, n_nothing=0.0)
    lower, upper = small().fit(*base).bounds(fresh.X, fresh.predicted)
    assert np.mean(fresh.spent < lower) == pytest.approx(0.1, abs=0.02)
    assert np.mean(fresh.spent > upper) == pytest.approx(0.1, abs=0.02)


def test_it_is_narrower_where_spend_is_steady_and_better_than_one_ratio_for_all(base: Base) -> None:
    fresh = spenders(10_000, seed=6)
    ratio = ValueInterval(n_levels=4).fit(base.predicted, base.spent)
    steady = fresh.X["steady"].to_numpy() == 1

    def interval_score(lower: np.ndarray, upper: np.ndarray) -> float:
        beyond = np.maximum(lower - fresh.spent, 0.0) + np.maximum(fresh.spent - upper, 0.0)
        return float(np.mean(upper - lower + 10.0 * beyond))

    own = small(n_estimators=60).fit(*base).bounds(fresh.X, fresh.predicted)
    other = ratio.bounds(fresh.predicted)
    assert interval_score(*own) < 0.95 * interval_score(*other)
    assert (own[1] - own[0])[steady].mean() < 0.6 * (own[1] - own[0])[~steady].mean()


def test_ends_never_cross_and_hold_the_prediction(fitted: QuantileValueInterval) -> None:
    fresh = spenders(3_000, seed=7)
    asked = np.random.default_rng(8).permutation(np.r_[fresh.predicted[:-2], -3.0, 1e6])
    lower, upper = fitted.bounds(fresh.X, asked)
    assert (lower >= 0).all()
    assert (lower <= np.maximum(asked, 0.0)).all()
    assert (upper >= np.maximum(asked, 0.0)).all()


def test_where_most_spend_nothing_the_interval_starts_at_nothing() -> None:
    rng = np.random.default_rng(9)
    X = pd.DataFrame({"usual": rng.gamma(2.0, 10.0, 2_000)})
    spent = np.where(rng.uniform(size=2_000) < 0.9, 0.0, X["usual"])
    lower, _ = small().fit(X, spent, 0.1 * X["usual"]).bounds(X, 0.1 * X["usual"])
    assert (lower == 0).mean() > 0.95


@pytest.mark.parametrize("rate", [2.0**-6, 2.0**9])
def test_a_change_of_currency_scales_both_ends(
    rate: float, base: Base, fitted: QuantileValueInterval
) -> None:
    other = small().fit(base.X, base.spent * rate, base.predicted * rate)
    one = np.array(fitted.bounds(base.X, base.predicted))
    np.testing.assert_allclose(np.array(other.bounds(base.X, base.predicted * rate)), one * rate, rtol=1e-9)


def test_the_trees_do_not_see_who_is_held_out(base: Base) -> None:
    held_out = np.arange(4_000) % 2 == 0
    one = small().fit(*base, held_out=held_out)
    changed = np.where(held_out, base.spent * 3.0, base.spent)
    other = small().fit(base.X, changed, base.predicted, held_out=held_out)
    for name in ("lower_booster_", "upper_booster_"):
        assert getattr(one, name).model_to_string() == getattr(other, name).model_to_string()
    assert (other.upper_shift_ > one.upper_shift_).all()


def test_a_customer_of_several_cutoffs_is_held_out_with_all_rows(base: Base) -> None:
    """The unit is the mean of those whom the trees see: it moves with a row's spend where they see it."""
    names = [f"c{row}" for row in range(100)]
    keys = pd.MultiIndex.from_product([["early", "late"], names], names=["cutoff", "customer_id"])
    X = base.X[:200].set_axis(keys, axis=0)
    spent, predicted = base.spent[:200], base.predicted[:200]

    def unit(richer: int | None = None) -> float:
        changed = spent + np.where(np.arange(200) == richer, 1e3, 0.0)
        return small(n_estimators=1).fit(X, changed, predicted).unit_

    before = unit()
    seen = [[unit(customer) > before, unit(customer + 100) > before] for customer in range(8)]
    assert all(early == late for early, late in seen)
    assert len({early for early, _ in seen}) == 2


def test_columns_are_known_by_name(base: Base, fitted: QuantileValueInterval) -> None:
    assert list(fitted.feature_names_in_) == ["usual", "steady", "noise"]
    shuffled = base.X.assign(city="Ulm")[["noise", "city", "steady", "usual"]]
    np.testing.assert_array_equal(
        fitted.bounds(shuffled, base.predicted), fitted.bounds(base.X, base.predicted)
    )
    array = small().fit(base.X.to_numpy(), base.spent, base.predicted)
    np.testing.assert_array_equal(
        array.bounds(base.X.to_numpy(), base.predicted), fitted.bounds(base.X, base.predicted)
    )
    with pytest.raises(SchemaError, match="steady"):
        fitted.bounds(base.X.drop(columns="steady"), base.predicted)


@pytest.mark.parametrize(
    "wrong", [{"confidence": 0.0}, {"confidence": 1.0}, {"n_levels": 0}, {"held_out_share": 1.0}], ids=str
)
def test_settings_out_of_range_are_refused_by_fit(wrong: dict[str, float], base: Base) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        small(**wrong).fit(*base)


def test_what_does_not_belong_together_is_refused(base: Base, fitted: QuantileValueInterval) -> None:
    X, spent, predicted = base
    odd: list[tuple[Any, Any, Any, Any]] = [
        (X, spent[1:], predicted, None),
        (X, spent, predicted[1:], None),
        (X, np.zeros(len(X)), predicted, None),
        (X, spent, np.where(spent > 0, np.nan, predicted), None),
        (X.replace(0, np.inf), spent, predicted, None),
        (X.to_numpy()[:, 0], spent, predicted, None),
        (X, spent, predicted, np.ones(len(X), dtype=bool)),
        (X, spent, predicted, np.arange(len(X))),
    ]
    for one in odd:
        with pytest.raises(DataError):
            small().fit(*one[:3], held_out=one[3])
    with pytest.raises(DataError, match="missing"):
        fitted.bounds(X[:2], [1.0, np.nan])


def test_too_few_customers_are_told(base: Base) -> None:
    few = [part[:16] for part in base]
    with pytest.warns(HabitueWarning, match="takes 9 or more held out; there are 8"):
        small(min_child_samples=2).fit(*few)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(min_child_samples=2).fit(*(part[:18] for part in base))


def test_it_keeps_the_contract(base: Base, fitted: QuantileValueInterval, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        small().bounds(base.X, base.predicted)
    params: dict[str, Any] = {name: object() for name in small().get_params()}
    assert all(getattr(QuantileValueInterval(**params), name) is one for name, one in params.items())
    copy: Any = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    save_model(fitted, tmp_path / "interval")
    loaded: Any = load_model(tmp_path / "interval")
    np.testing.assert_array_equal(
        loaded.bounds(base.X, base.predicted), fitted.bounds(base.X, base.predicted)
    )
