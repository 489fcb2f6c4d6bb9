"""The profit of a campaign: against all thresholds and a numerical integral over gamma, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from habitue.numerics.arrays import FloatArray
from habitue.numerics.churn_profit import Hull, expected_maximum_profit, maximum_profit, roc_hull

ECONOMICS = {"clv": 200.0, "cost": 10.0, "contact_cost": 1.0}
OTHERS = [
    ECONOMICS,
    {"clv": 200.0, "cost": 0.0, "contact_cost": 0.0},
    {"clv": 50.0, "cost": 30.0, "contact_cost": 5.0},
    {"clv": 1e4, "cost": 10.0, "contact_cost": 0.1},
]
groups = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25).filter(
    lambda rows: any(sum(row) for row in rows)
)


def counts(rows: list[tuple[int, int]]) -> tuple[FloatArray, FloatArray]:
    """Leavers and customers of each group, from leavers and stayers."""
    leavers, stayers = np.array(rows, dtype=float).T
    return leavers, leavers + stayers


def profits_at_all_thresholds(
    leavers: FloatArray, customers: FloatArray, acceptance: FloatArray, economics: dict[str, float]
) -> FloatArray:
    """Profit per customer of the base, as the paper has it: (thresholds, acceptances)."""
    clv, cost, contact_cost = economics.values()
    n = customers.sum()
    reached = np.r_[0.0, np.cumsum(leavers)][:, None] / n
    wasted = np.r_[0.0, np.cumsum(customers - leavers)][:, None] / n
    return reached * (acceptance * (clv - cost) - contact_cost) - wasted * (cost + contact_cost)


def ranked(n: int, *, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return groups of a noisy ranking, the likeliest to leave first."""
    rng = np.random.default_rng(seed)
    customers = rng.integers(1, 6, n).astype(float)
    return rng.binomial(customers.astype(int), np.linspace(0.7, 0.02, n)).astype(float), customers


@given(groups)
@settings(max_examples=60, deadline=None)
def test_the_hull_is_the_least_concave_curve_above_the_ranking(rows: list[tuple[int, int]]) -> None:
    leavers, customers = counts(rows)
    hull = roc_hull(leavers, customers)
    assert hull.share.sum() == pytest.approx(1.0)
    assert (np.diff(hull.rate) < 0.0).all()
    assert hull.rate.min() >= 0.0
    assert hull.rate.max() <= 1.0
    at = np.r_[0.0, np.cumsum(hull.share)]
    height = np.r_[0.0, np.cumsum(hull.share * hull.rate)]
    share = np.r_[0.0, np.cumsum(customers)] / customers.sum()
    captured = np.r_[0.0, np.cumsum(leavers)] / customers.sum()
    assert (np.interp(share, at, height) >= captured - 1e-12).all()
    for x, y in zip(at, height, strict=True):  # each corner is a threshold of the ranking itself
        assert np.min(np.abs(share - x) + np.abs(captured - y)) < 1e-12


@pytest.mark.parametrize("economics", OTHERS)
@pytest.mark.parametrize("acceptance", [0.0, 0.1, 0.3, 1.0])
def test_the_maximum_is_that_over_all_thresholds(economics: dict[str, float], acceptance: float) -> None:
    for seed in range(5):
        leavers, customers = ranked(40, seed=seed)
        profits = profits_at_all_thresholds(leavers, customers, np.array([acceptance]), economics)[:, 0]
        best = maximum_profit(roc_hull(leavers, customers), acceptance=acceptance, **economics)
        assert best.profit == pytest.approx(profits.max(), abs=1e-10)
        reached = np.r_[0.0, np.cumsum(customers)] / customers.sum()
        assert np.isclose(reached[np.isclose(profits, best.profit, atol=1e-9)], best.share).any()


@pytest.mark.parametrize("economics", OTHERS)
@pytest.mark.parametrize(("a", "b"), [(6.0, 14.0), (1.0, 1.0), (2.5, 40.0)])
def test_the_expectation_is_the_integral_over_the_best_thresholds(
    economics: dict[str, float], a: float, b: float
) -> None:
    gamma = (np.arange(40_000) + 0.5) / 40_000  # the midpoint rule
    density = beta(a, b).pdf(gamma) / gamma.size
    for seed in range(2):
        leavers, customers = ranked(30, seed=seed)
        profits = profits_at_all_thresholds(leavers, customers, gamma, economics)
        reached = np.r_[0.0, np.cumsum(customers)] / customers.sum()
        best = expected_maximum_profit(roc_hull(leavers, customers), alpha=a, beta=b, **economics)
        assert best.profit == pytest.approx(profits.max(axis=0) @ density, rel=1e-6, abs=1e-8)
        assert best.share == pytest.approx(reached[profits.argmax(axis=0)] @ density, abs=2e-4)


def test_an_acceptance_that_is_nearly_certain_gives_the_maximum() -> None:
    hull = roc_hull(*ranked(30, seed=0))
    expected = expected_maximum_profit(hull, alpha=3e6, beta=7e6, **ECONOMICS)
    assert expected.profit == pytest.approx(
        maximum_profit(hull, acceptance=0.3, **ECONOMICS).profit, rel=1e-4
    )


@given(groups)
@settings(max_examples=60, deadline=None)
def test_to_know_the_acceptance_is_worth_something_and_to_rank_at_random_nothing(
    rows: list[tuple[int, int]],
) -> None:
    leavers, customers = counts(rows)
    hull = roc_hull(leavers, customers)
    best = expected_maximum_profit(hull, alpha=6.0, beta=14.0, **ECONOMICS)
    known = maximum_profit(hull, acceptance=0.3, **ECONOMICS)
    at_random = Hull(np.array([leavers.sum() / customers.sum()]), np.ones(1))
    assert 0.0 <= best.share <= 1.0 + 1e-12
    assert best.profit >= known.profit - 1e-9  # the mean of a maximum
    assert best.profit >= expected_maximum_profit(at_random, alpha=6.0, beta=14.0, **ECONOMICS).profit - 1e-9


@pytest.mark.parametrize("economics", OTHERS)
def test_a_base_of_one_kind_is_contacted_whole_or_not_at_all(economics: dict[str, float]) -> None:
    nobody, everybody = Hull(np.zeros(1), np.ones(1)), Hull(np.ones(1), np.ones(1))
    assert expected_maximum_profit(nobody, alpha=6.0, beta=14.0, **economics) == (0.0, 0.0)
    clv, cost, contact_cost = economics.values()
    gamma = beta(6.0, 14.0)
    known = gamma.expect(
        lambda g: max(g * (clv - cost) - contact_cost, 0.0), points=[contact_cost / (clv - cost)]
    )
    best = expected_maximum_profit(everybody, alpha=6.0, beta=14.0, **economics)
    assert best.profit == pytest.approx(known, rel=1e-6)
    assert best.share == pytest.approx(gamma.sf(contact_cost / (clv - cost)), rel=1e-9)


def test_a_change_of_currency_scales_only_the_profit() -> None:
    hull = roc_hull(*ranked(30, seed=3))
    here = expected_maximum_profit(hull, alpha=6.0, beta=14.0, **ECONOMICS)
    there = expected_maximum_profit(
        hull, alpha=6.0, beta=14.0, **{name: 7.3 * value for name, value in ECONOMICS.items()}
    )
    assert there.profit == pytest.approx(7.3 * here.profit)
    assert there.share == pytest.approx(here.share)
