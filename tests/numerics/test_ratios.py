"""Ratios and shares over customers: what they are, what they do not depend on, how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm, t

from habitue.numerics.ratios import clustered_ratio, clustered_share, effective_size
from habitue.numerics.shares import wilson_interval

CUSTOMERS = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 9)), min_size=2, max_size=60)


@given(CUSTOMERS, st.floats(0.01, 100.0), st.randoms(use_true_random=False))
def test_a_ratio_follows_its_unit_and_not_the_order(
    customers: list[tuple[int, int]], worth: float, chance: object
) -> None:
    spend, orders = np.array(customers, dtype=float).T
    told = clustered_ratio(spend, orders)
    assert told.value == pytest.approx(spend.sum() / orders.sum())
    assert clustered_ratio(worth * spend, orders) == pytest.approx(
        tuple(worth * one for one in told), rel=1e-6, nan_ok=True
    )
    mixed = list(customers)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert clustered_ratio(*np.array(mixed, dtype=float).T) == pytest.approx(told, rel=1e-6, nan_ok=True)
    if np.isfinite(told.lower):
        assert told.lower < told.upper


@given(CUSTOMERS)
def test_who_has_nothing_changes_nothing(customers: list[tuple[int, int]]) -> None:
    spend, orders = np.array(customers, dtype=float).T
    more = clustered_ratio([*spend, 0.0, 0.0], [*orders, 0.0, 0.0])
    assert more == pytest.approx(clustered_ratio(spend, orders), rel=1e-9, nan_ok=True)


def test_without_skew_it_is_the_textbooks_interval() -> None:
    values = np.concatenate([norm.ppf((np.arange(40) + 0.5) / 40)]) + 10.0
    told = clustered_ratio(values, np.ones(40))
    half = t.ppf(0.975, 39) * values.std(ddof=1) / np.sqrt(40)
    assert (told.lower, told.upper) == pytest.approx((10.0 - half, 10.0 + half), rel=1e-9)


def test_the_linearised_variance_is_that_of_statsmodels() -> None:
    # A ratio is the slope of a weighted regression through the origin; its cluster-robust error is known.
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(80), rng.integers(1, 6, 80))
    value = norm.ppf((rng.permutation(who.size) + 0.5) / who.size) + rng.normal(0.0, 1.0, 80)[who] + 5.0
    fit = sm.WLS(value, np.ones(who.size)).fit(
        cov_type="cluster", cov_kwds={"groups": who, "df_correction": False}
    )
    told = clustered_ratio(np.bincount(who, value), np.bincount(who))
    assert told.value == pytest.approx(fit.params[0])
    error = (told.upper - told.lower) / (2.0 * t.ppf(0.975, 79))
    # Statsmodels leaves out the factor 80 / 79; Hall's ends are as wide up to the square of a small skewness.
    assert error == pytest.approx(fit.bse[0] * np.sqrt(80 / 79), rel=0.02)


# Shares held over 12,000 draws of each size; the textbook's interval holds .869, .911 and .934.
@pytest.mark.parametrize(
    ("n", "share", "draws"), [(60, 0.896, 2_000), (200, 0.929, 2_000), (1000, 0.936, 500)]
)
def test_it_holds_for_skewed_spend_and_more_often_than_the_textbooks(
    n: int, share: float, draws: int
) -> None:
    """A sound interval fails here for fewer than one seed in 1,000: bounds are four standard errors wide."""
    rng, held, plain = np.random.default_rng(n), 0, 0
    true = np.exp(3.0 + 0.5)
    for _ in range(draws):
        orders = 1 + rng.poisson(rng.gamma(1.0, 2.0, n))
        spend = rng.lognormal(3.0, 1.0, n) * rng.gamma(4.0 * orders, 0.25)
        told = clustered_ratio(spend, orders)
        held += told.lower <= true <= told.upper
        error = np.std(spend - told.value * orders, ddof=1) / orders.mean() / np.sqrt(n)
        plain += abs(told.value - true) <= t.ppf(0.975, n - 1) * error
    assert abs(held / draws - share) < 4.0 * np.sqrt(share * (1.0 - share) / draws)
    # With many customers both are nearly the same; with few the difference is more than four standard errors.
    assert held > plain or n == 1000


def test_one_customer_or_one_mind_has_no_interval() -> None:
    for spend, orders in (([10.0], [2.0]), ([10.0, 20.0], [2.0, 4.0]), ([0.0, 0.0], [1.0, 3.0])):
        told = clustered_ratio(spend, orders)
        assert told.value == pytest.approx(sum(spend) / sum(orders))
        assert np.isnan([told.lower, told.upper]).all()
    assert np.isnan(clustered_ratio([], []).value)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=2, max_size=40))
def test_a_share_lies_within_its_ends_and_they_within_one(customers: list[tuple[int, int]]) -> None:
    part, whole = np.array([(min(one, of), of) for one, of in customers], dtype=float).T
    told = clustered_share(part, whole)
    assert 0.0 <= told.lower <= told.value + 1e-12
    assert told.value - 1e-12 <= told.upper <= 1.0
    assert told.lower < told.upper


def test_records_of_one_customer_that_all_agree_count_once() -> None:
    rng = np.random.default_rng(0)
    says = (rng.uniform(size=200) < 0.3).astype(float)
    assert effective_size(5.0 * says, np.full(200, 5.0)) == pytest.approx(effective_size(says, np.ones(200)))
    lower, upper = (float(end[0]) for end in wilson_interval([says.mean()], [199.0]))
    told = clustered_share(says, np.ones(200))
    assert (told.lower, told.upper) == pytest.approx((lower, upper), abs=2e-3)


@given(st.integers(2, 30))
def test_where_all_or_nothing_counts_it_is_not_certain(n: int) -> None:
    for part in (0.0, 4.0):
        told = clustered_share(np.full(n, part), np.full(n, 4.0))
        assert told.upper - told.lower > 0.1
    assume(n > 2)
    many, few = (clustered_share(np.zeros(size), np.ones(size)) for size in (10 * n, n))
    assert many.upper < few.upper


def test_a_share_holds_where_customers_differ() -> None:
    """The interval holds .945 of the time; bounds are four standard errors of 1,500 draws from that."""
    rng, held, draws = np.random.default_rng(5), 0, 1_500
    for _ in range(draws):
        whole = 1 + rng.poisson(rng.gamma(1.0, 3.0, 100))
        part = rng.binomial(whole, rng.beta(0.6, 1.4, 100))
        told = clustered_share(part, whole)
        held += told.lower <= 0.3 <= told.upper
    assert held / draws == pytest.approx(0.945, abs=0.0235)
