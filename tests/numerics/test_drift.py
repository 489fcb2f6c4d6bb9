"""Tests of two samples against scipy's, and the laws that weights and Holm must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from habitue.numerics.drift import (
    chi_squared_test,
    effective_size,
    ks_test,
    matching_weights,
    mean_vector_test,
    p_silence,
    population_stability_index,
    welch_test,
)
from habitue.numerics.many_tests import holm

P_VALUES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12)
COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=8)


@pytest.mark.parametrize("seed", range(4))
def test_ks_is_that_of_scipy_with_and_without_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=80), rng.normal(0.3, size=130)
    for one, other in ((a, b), (a.round(1), b.round(1)), (rng.poisson(2.0, 70), rng.poisson(2.4, 90))):
        theirs = stats.ks_2samp(one, other, method="asymp")
        ours = ks_test(one, other)
        assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
        assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


def test_whole_weights_are_that_many_customers_in_the_distance() -> None:
    rng = np.random.default_rng(0)
    a, b, w = rng.normal(size=50), rng.normal(size=60), rng.integers(0, 4, 60)
    assert ks_test(a, b, w).statistic == pytest.approx(ks_test(a, np.repeat(b, w)).statistic)


def test_unequal_weights_are_worth_fewer_customers() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=200), rng.normal(0.3, size=200)
    uneven = np.where(np.arange(200) % 4 == 0, 10.0, 1.0)
    assert effective_size(uneven) < 100
    assert effective_size(3.0 * uneven) == pytest.approx(effective_size(uneven))
    same = ks_test(a, b, np.full(200, 7.0))
    assert same.p_value == pytest.approx(ks_test(a, b).p_value)


@pytest.mark.parametrize("seed", range(4))
def test_chi_squared_is_that_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(20, 90, (2, 5))
    theirs = stats.chi2_contingency(table, correction=False)
    ours = chi_squared_test(*table)
    assert ours == pytest.approx((theirs.statistic, theirs.pvalue))


def test_rare_categories_count_together() -> None:
    now, before = [100, 2, 1, 2], [100, 1, 2, 0]
    assert chi_squared_test(now, before) == pytest.approx(chi_squared_test([100, 5], [100, 3]))
    assert chi_squared_test([10], [5]) == (0.0, 1.0)
    assert chi_squared_test([0, 0], [0, 0]) == (0.0, 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_welch_is_that_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=4), rng.normal(1.0, 3.0, size=12)
    theirs = stats.ttest_ind(a, b, equal_var=False)
    assert welch_test(a, b) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert welch_test([1.0, 1.0], [1.0, 1.0]) == (0.0, 1.0)


@settings(max_examples=40)
@given(COUNTS, st.integers(1, 50))
def test_psi_is_none_of_equal_shares_and_does_not_care_who_is_first(counts: list[int], times: int) -> None:
    other = counts[::-1]
    assert population_stability_index(counts, counts) == 0.0
    assert population_stability_index(counts, other) == pytest.approx(
        population_stability_index(other, counts)
    )
    far = population_stability_index(np.array(counts) * times, np.array(other) * times)
    assert far >= 0.0


def test_psi_by_chance_is_chi_squared_over_the_sizes() -> None:
    """Yurdakul and Naranjo (2020): its mean is (1/n + 1/m) (bins - 1)."""
    rng = np.random.default_rng(0)
    n, m, bins = 4000, 2000, 10
    drawn = [
        population_stability_index(
            rng.multinomial(n, np.full(bins, 1 / bins)), rng.multinomial(m, np.full(bins, 1 / bins))
        )
        for _ in range(600)
    ]
    assert np.mean(drawn) == pytest.approx((1 / n + 1 / m) * (bins - 1), rel=0.08)


@settings(max_examples=40)
@given(P_VALUES)
def test_holm_keeps_the_order_and_lies_between_each_p_and_bonferroni(p_values: list[float]) -> None:
    p, adjusted = np.array(p_values), holm(p_values)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(p * p.size, 1.0) + 1e-12).all() or p.size == 1
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0.0).all()


def test_holm_is_the_procedure_of_1979() -> None:
    """Step down: reject the smallest while p <= rate / (tests left)."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        p, rate = rng.uniform(size=8) ** 3, 0.1
        rejected = np.zeros(8, dtype=bool)
        for left, place in zip(range(8, 0, -1), np.argsort(p), strict=True):
            if p[place] > rate / left:
                break
            rejected[place] = True
        assert ((holm(p) <= rate) == rejected).all()


def test_matching_weights_give_groups_the_shares_of_the_other_sample() -> None:
    rng = np.random.default_rng(0)
    now, before = rng.integers(0, 4, 300), rng.choice(4, 500, p=[0.7, 0.1, 0.1, 0.1])
    weights = matching_weights(now, before, n_groups=4)
    weighted = np.bincount(before, weights=weights) / weights.sum()
    assert weighted == pytest.approx(np.bincount(now) / now.size)
    assert weights.mean() == pytest.approx(1.0)


def test_mean_vectors_do_not_care_in_which_units_they_are() -> None:
    rng = np.random.default_rng(0)
    a, b, mix = rng.normal(size=(200, 3)), rng.normal(0.1, size=(300, 3)), rng.normal(size=(3, 3))
    plain = mean_vector_test(a, b)
    assert mean_vector_test(a @ mix, b @ mix) == pytest.approx(plain, rel=1e-6)
    doubled = np.hstack([a, a[:, :1]]), np.hstack([b, b[:, :1]])  # a direction that says nothing new
    assert mean_vector_test(*doubled).p_value == pytest.approx(plain.p_value, rel=1e-6)
    assert mean_vector_test(np.ones((5, 2)), np.ones((6, 2))) == (0.0, 1.0)


def test_p_of_mean_vectors_is_uniform_where_nothing_has_changed() -> None:
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2.0, 300)
    p = [
        mean_vector_test(rng.gamma(2.0, size=(250, 3)), rng.gamma(2.0, size=(300, 3)), weights).p_value
        for _ in range(400)
    ]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_a_longer_silence_is_less_likely_and_a_shut_day_says_nothing() -> None:
    days, every_day = [52] * 7, [0] * 7
    chances = [p_silence(every_day, days, [n] * 7) for n in range(4)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] == 1.0
    assert p_silence([0] * 6 + [52], days, [0] * 6 + [3]) > 0.9
