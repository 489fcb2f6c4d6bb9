"""Intervals for spend: they hold as often as they say, for customers nobody had seen."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from habitue.errors import DataError, HabitueWarning, SettingsError
from habitue.models import ValueInterval, load_model, save_model


def spenders(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted and actual spend: the less is expected, the more spend nothing; some send back."""
    rng = np.random.default_rng(seed)
    predicted = rng.gamma(1.2, 20.0, n)
    buys = rng.uniform(size=n) < predicted / (predicted + 20.0)
    spent = np.where(buys, rng.gamma(2.0, (predicted + 20.0) / 2.0), 0.0)
    return predicted, np.where(rng.uniform(size=n) < 0.02, -5.0, spent)


def held(interval: ValueInterval, predicted: np.ndarray, spent: np.ndarray) -> np.ndarray:
    lower, upper = interval.bounds(predicted)
    return (lower <= spent) & (spent <= upper)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_it_holds_the_stated_share_of_new_customers_at_every_level(confidence: float) -> None:
    interval = ValueInterval(confidence=confidence, n_levels=8).fit(*spenders(8_000, seed=1))
    predicted, spent = spenders(40_000, seed=2)
    inside = held(interval, predicted, spent)
    level = np.searchsorted(interval.edges_, predicted, side="right")
    assert len(interval.lower_) == len(interval.upper_) == len(interval.edges_) + 1 == 8
    # 1,000 customers learned from and 5,000 tested, a level: four standard errors of both.
    allowed = 4.0 * np.sqrt(confidence * (1.0 - confidence) * (1.0 / 1_000 + 1.0 / 5_000))
    for place in range(8):
        assert inside[level == place].mean() > confidence - allowed, place
    assert inside.mean() >= confidence - 0.01


@pytest.mark.parametrize("n", [9, 19, 49, 99])
def test_few_customers_are_enough_on_average(n: int) -> None:
    """Exchangeable customers of one law without ties: the share is held over many bases, however small."""
    shares = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        interval = ValueInterval(confidence=0.8).fit(np.full(n, 10.0), rng.gamma(2.0, 5.0, n))
        shares.append(held(interval, np.full(200, 10.0), rng.gamma(2.0, 5.0, 200)).mean())
    assert 0.79 < np.mean(shares) < 0.88


amounts = st.lists(st.tuples(st.floats(0.01, 1e4), st.floats(-100.0, 1e4)), min_size=9, max_size=300)


@settings(max_examples=60, deadline=None)
@given(amounts, st.sampled_from([0.5, 0.8]), st.lists(st.floats(0.0, 1e5), min_size=1, max_size=9))
def test_it_holds_the_prediction_and_the_stated_share_of_those_it_learned_from(
    seen: list[tuple[float, float]], confidence: float, asked: list[float]
) -> None:
    predicted, spent = np.array(seen).T
    interval = ValueInterval(confidence=confidence, n_levels=5).fit(predicted, spent)
    lower, upper = interval.bounds(asked)
    assert (lower <= asked).all()
    assert (asked <= upper).all()
    inside = held(interval, predicted, spent) | np.isclose(interval.bounds(predicted)[0], spent)
    inside |= np.isclose(interval.bounds(predicted)[1], spent)
    level = np.searchsorted(interval.edges_, predicted, side="right")
    for place in range(len(interval.lower_)):
        assert (level == place).sum() >= min(50, len(seen))
        assert inside[level == place].mean() >= confidence - 1e-9


@settings(max_examples=30, deadline=None)
@given(amounts, st.integers(-8, 8))
def test_a_change_of_currency_scales_both_ends(seen: list[tuple[float, float]], power: int) -> None:
    rate = 2.0**power
    predicted, spent = np.array(seen).T
    one = np.array(ValueInterval().fit(predicted, spent).bounds(predicted))
    other = np.array(ValueInterval().fit(predicted * rate, spent * rate).bounds(predicted * rate))
    np.testing.assert_allclose(other, one * rate, rtol=1e-12, atol=1e-300)


def test_the_order_of_customers_changes_nothing() -> None:
    predicted, spent = spenders(700, seed=3)
    order = np.random.default_rng(0).permutation(700)
    one = ValueInterval().fit(predicted, spent).bounds(predicted)
    other = ValueInterval().fit(predicted[order], spent[order]).bounds(predicted)
    np.testing.assert_array_equal(one, other)


def test_more_confidence_is_wider() -> None:
    predicted, spent = spenders(3_000, seed=4)
    narrow, wide = (
        ValueInterval(confidence=c, n_levels=4).fit(predicted, spent).bounds(predicted) for c in (0.5, 0.9)
    )
    assert (wide[0] <= narrow[0]).all()
    assert (wide[1] >= narrow[1]).all()


def test_equal_predictions_share_one_level() -> None:
    """A model that says the same of most customers must not make empty levels."""
    predicted = np.r_[np.full(900, 12.0), np.full(60, 30.0)]
    spent = np.random.default_rng(5).gamma(2.0, predicted / 2.0)
    interval = ValueInterval().fit(predicted, spent)
    assert interval.edges_.tolist() == [30.0]
    lower, upper = interval.bounds([3.0, 12.0, 30.0, 99.0])
    assert (lower < upper).all()


def test_where_most_spend_nothing_the_interval_starts_at_nothing() -> None:
    rng = np.random.default_rng(6)
    spent = np.where(rng.uniform(size=500) < 0.95, 0.0, 40.0)
    lower, upper = ValueInterval().fit(np.full(500, 2.0), spent).bounds([2.0])
    assert (lower[0], upper[0]) == (0.0, 2.0)


def test_a_high_confidence_takes_larger_levels() -> None:
    predicted, spent = spenders(2_000, seed=7)
    interval = ValueInterval(confidence=0.99).fit(predicted, spent)
    level = np.searchsorted(interval.edges_, predicted, side="right")
    assert np.bincount(level).min() >= 199


@pytest.mark.parametrize(("n", "confidence", "enough"), [(8, 0.8, 9), (1, 0.8, 9), (100, 0.99, 199)])
def test_too_few_customers_are_told(n: int, confidence: float, enough: int) -> None:
    predicted, spent = spenders(n, seed=8)
    with pytest.warns(HabitueWarning, match=rf"takes {enough} or more .* there are {n} "):
        interval = ValueInterval(confidence=confidence).fit(predicted, spent)
    lower, upper = interval.bounds(predicted)
    np.testing.assert_allclose(np.minimum(spent, predicted) >= lower - 1e-9, True)
    np.testing.assert_allclose(np.maximum(spent, predicted) <= upper + 1e-9, True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ValueInterval(confidence=confidence).fit(*spenders(enough, seed=9))


def test_who_is_expected_to_spend_nothing_is_not_multiplied() -> None:
    predicted, spent = spenders(200, seed=10)
    interval = ValueInterval().fit(np.r_[predicted, 0.0, 0.0], np.r_[spent, 5.0, 0.0])
    np.testing.assert_array_equal(interval.bounds([0.0, -3.0]), np.zeros((2, 2)))
    np.testing.assert_array_equal(interval.edges_, ValueInterval().fit(predicted, spent).edges_)


@pytest.mark.parametrize("wrong", [{"confidence": 0.0}, {"confidence": 1.0}, {"n_levels": 0}], ids=str)
def test_settings_out_of_range_are_refused_by_fit(wrong: dict[str, float]) -> None:
    model = ValueInterval(**wrong)
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        model.fit(*spenders(20, seed=11))


def test_what_is_no_pair_of_amounts_is_refused() -> None:
    predicted, spent = spenders(20, seed=12)
    for one, other in (
        (predicted, spent[1:]),
        (predicted[:0], spent[:0]),
        (np.where(spent > 0, np.nan, predicted), spent),
        (predicted, np.full(20, np.nan)),
        (predicted[:, None], spent),
        (np.zeros(20), spent),
    ):
        with pytest.raises(DataError):
            ValueInterval().fit(one, other)
    with pytest.raises(DataError, match="missing"):
        ValueInterval().fit(predicted, spent).bounds([1.0, np.nan])


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        ValueInterval().bounds([1.0])
    predicted, spent = spenders(500, seed=13)
    model = ValueInterval(confidence=0.7, n_levels=3)
    assert model.fit(predicted, spent) is model
    assert clone(model).get_params() == {"confidence": 0.7, "n_levels": 3}
    assert not hasattr(clone(model), "edges_")
    save_model(model, tmp_path / "interval")
    np.testing.assert_array_equal(
        load_model(tmp_path / "interval").bounds(predicted), model.bounds(predicted)
    )
    assert model.fit(predicted[:60], spent[:60]).edges_.size == 0  # a refit forgets
