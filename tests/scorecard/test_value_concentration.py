"""How unequal customers are: the curve, the index and the top shares against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from habitue.errors import DataError, SettingsError
from habitue.scorecard.value_concentration import lorenz_curve, value_concentration

VALUES = st.lists(st.floats(0.0, 1e4), min_size=1, max_size=40).filter(lambda one: sum(one) > 1e-3)


@settings(max_examples=60)
@given(VALUES, st.floats(0.1, 50.0))
def test_gini_is_half_the_mean_difference(values: list[float], rate: float) -> None:
    x = np.array(values)
    found = value_concentration(x, n_replicates=20).set_index("measure").value
    assert found["gini"] == pytest.approx(np.abs(x[:, None] - x).mean() / (2.0 * x.mean()), abs=1e-9)
    assert found[1:].is_monotonic_increasing
    # Another currency changes nothing, nor does every customer twice.
    for same in (x * rate, np.repeat(x, 2)):
        assert value_concentration(same, n_replicates=20).value.to_numpy() == pytest.approx(
            found.to_numpy(), abs=1e-9
        )


@settings(max_examples=40)
@given(VALUES)
def test_the_curve_is_convex_below_the_diagonal_and_tells_the_same(values: list[float]) -> None:
    curve = lorenz_curve(values, n_points=len(values) * 20 + 1)
    at, held = curve.share_customers.to_numpy(), curve.share_value.to_numpy()
    assert (held[0], held[-1]) == (0.0, pytest.approx(1.0))
    assert (np.diff(held, 2) > -1e-9).all()
    assert (held <= at + 1e-9).all()
    found = value_concentration(values, n_replicates=20).set_index("measure").value
    assert 1.0 - 2.0 * np.trapezoid(held, at) == pytest.approx(found["gini"], abs=1e-9)
    assert 1.0 - np.interp(0.8, at, held) == pytest.approx(found["top 20 %"], abs=1e-9)


def test_the_interval_holds_the_truth_of_skewed_spend() -> None:
    s = 1.0
    truth = np.array([2.0 * norm.cdf(s / np.sqrt(2.0)) - 1.0, norm.cdf(s - norm.ppf(0.8))])
    rng, held = np.random.default_rng(5), np.zeros(2)
    for _ in range(150):
        drawn = np.exp(rng.normal(0.0, s, 800))
        found = value_concentration(drawn, tops=[0.2], n_replicates=100, random_state=rng)
        held += (found.lower <= truth) & (truth <= found.upper)
    assert ((held / 150 > 0.88) & (held / 150 < 0.99)).all()


def test_chance_has_a_seed_and_one_customer_no_interval() -> None:
    values = np.random.default_rng(0).gamma(0.5, 10.0, 300)
    one, two, other = (value_concentration(values, random_state=seed) for seed in (1, 1, 2))
    assert one.equals(two)
    assert not one.lower.equals(other.lower)
    assert one.value.equals(other.value)
    assert value_concentration([3.0])[["lower", "upper"]].isna().all(axis=None)
    # More was returned than bought by some: the index may pass 1, and is not cut off.
    owed = value_concentration([-9.0, -9.0, 1.0, 19.0])
    assert owed.value[0] > 1.0


def test_what_cannot_be_shared_is_refused() -> None:
    for nothing in ([], [0.0, 0.0], [-1.0, 0.5]):
        with pytest.raises(DataError, match="nothing to share"):
            lorenz_curve(nothing)
    with pytest.raises(DataError, match="finite"):
        value_concentration([1.0, np.nan])
    for wrong in ({"tops": [1.0]}, {"confidence": 0.0}, {"n_replicates": 5}):
        with pytest.raises(SettingsError, match="got"):
            value_concentration([1.0, 2.0], **wrong)
    with pytest.raises(SettingsError, match="2 points"):
        lorenz_curve([1.0], n_points=1)
