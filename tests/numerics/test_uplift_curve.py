"""Curves down a ranking: against counting by hand, over all orders of the tied, under every weighting."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.numerics.arrays import FloatArray
from habitue.numerics.uplift_curve import (
    DownTheRanking,
    area,
    area_over_random,
    down_the_ranking,
    gain,
    qini,
    uplift,
    uplift_at,
)


def customers(n: int, seed: int = 0, *, digits: int = 9) -> tuple[FloatArray, np.ndarray, FloatArray]:
    rng = np.random.default_rng(seed)
    score, treated = np.round(rng.normal(size=n), digits), rng.uniform(size=n) < 0.4
    treated[:2] = [True, False]
    return rng.poisson(1.0 + treated * (score > 0.0)).astype(float), treated, score


def ranked(
    y: FloatArray,
    treated: np.ndarray,
    score: FloatArray,
    weight: FloatArray | None = None,
    counts: FloatArray | None = None,
) -> DownTheRanking:
    return down_the_ranking(
        y,
        treated,
        score,
        weight=np.ones(y.size) if weight is None else weight,
        counts=np.ones((1, y.size)) if counts is None else counts,
    )


@given(st.integers(4, 30), st.integers(0, 1000))
def test_curves_are_what_counting_by_hand_gives(n: int, seed: int) -> None:
    y, treated, score = customers(n, seed)
    order = np.argsort(-score)
    y, treated = y[order], treated[order]
    for k in range(1, n + 1):
        mine, theirs = y[:k][treated[:k]], y[:k][~treated[:k]]
        there = ranked(y, treated, -np.arange(n, dtype=float))
        if not mine.size or not theirs.size:
            assert np.isnan(uplift(there)[0, k])
            assert gain(there)[0, k] == qini(there)[0, k] == 0.0
            continue
        apart = mine.mean() - theirs.mean()
        assert uplift(there)[0, k] == pytest.approx(apart)
        assert gain(there)[0, k] == pytest.approx(apart * k / n)
        incremental = mine.sum() - theirs.sum() * mine.size / theirs.size
        assert qini(there)[0, k] == pytest.approx(incremental / treated.sum())
        assert uplift_at(there, k / n)[0] == pytest.approx(apart)


@pytest.mark.parametrize("curve", [gain, qini])
def test_a_constant_prediction_is_the_random_line(curve: object) -> None:
    y, treated, _ = customers(300)
    there = ranked(y, treated, np.zeros(300))
    assert area_over_random(there, curve(there))[0] == pytest.approx(0.0, abs=1e-15)
    assert area(there, curve(there))[0] == pytest.approx((y[treated].mean() - y[~treated].mean()) / 2.0)


@given(st.integers(0, 200), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing_ties_or_not(seed: int, shuffle: object) -> None:
    y, treated, score = customers(40, seed, digits=0)
    order = list(range(40))
    shuffle.shuffle(order)
    one, other = ranked(y, treated, score), ranked(y[order], treated[order], score[order])
    for curve in (gain, qini):
        np.testing.assert_allclose(area(one, curve(one)), area(other, curve(other)), rtol=1e-12)
    np.testing.assert_allclose(uplift_at(one, 0.3), uplift_at(other, 0.3), rtol=1e-12)


def test_ties_get_about_the_average_over_all_orders() -> None:
    """Exact for sums, to first order for means: here the tied are one in eight of those above them."""
    y, treated, score = customers(48, 3)
    score = np.argsort(np.argsort(-score)).astype(float)
    tied = (score >= 30) & (score < 36)
    together = ranked(y, treated, -np.where(tied, 30.0, score))
    broken: list[float] = []
    for places in permutations(np.arange(30.0, 36.0)):
        own = score.copy()
        own[tied] = places
        one = ranked(y, treated, -own)
        broken.append(float(area(one, gain(one))[0]))
    assert area(together, gain(together))[0] == pytest.approx(np.mean(broken), rel=2e-3)
    assert np.ptp(broken) > 20.0 * abs(area(together, gain(together))[0] - np.mean(broken))


def test_a_count_of_two_is_two_customers_and_rows_of_counts_do_not_meet() -> None:
    y, treated, score = customers(80, digits=1)
    counts = np.random.default_rng(1).integers(0, 4, (3, 80)).astype(float)
    together = ranked(y, treated, score, counts=counts)
    for row, one in enumerate(counts.astype(int)):
        alone = ranked(np.repeat(y, one), np.repeat(treated, one), np.repeat(score, one))
        for curve in (gain, qini):
            assert area(together, curve(together))[row] == pytest.approx(area(alone, curve(alone))[0])
        assert uplift_at(together, 0.4)[row] == pytest.approx(uplift_at(alone, 0.4)[0])


def test_an_arm_that_nobody_has_leaves_nothing_defined() -> None:
    y, _, score = customers(10)
    treated = np.argsort(np.argsort(score)) % 2 == 0  # so that both arms are among the best half
    counts = np.stack([treated, ~treated, np.ones(10)]).astype(float)
    there = ranked(y, treated, score, counts=counts)
    for found in (area(there, gain(there)), area(there, qini(there)), uplift_at(there, 0.5)):
        assert np.isnan(found[:2]).all()
        assert np.isfinite(found[2])


def test_weights_of_one_over_the_chance_undo_unequal_chances() -> None:
    """The whole population is known: with and without treatment, each customer once."""
    rng = np.random.default_rng(0)
    n = 60_000
    x = rng.uniform(size=n)
    chance = np.where(x > 0.5, 0.8, 0.2)
    treated = rng.uniform(size=n) < chance
    y = x + treated * x
    there = ranked(y, treated, x, 1.0 / np.where(treated, chance, 1.0 - chance))
    naive = ranked(y, treated, x)
    assert uplift(there)[0, -1] == pytest.approx(0.5, abs=0.01)
    assert uplift(naive)[0, -1] > 0.7
    # gain(k) = integral of x over the best share: s - s^2 / 2, its mean is 1/3, the random line's 1/4
    assert area_over_random(there, gain(there))[0] == pytest.approx(1.0 / 12.0, abs=0.005)


@given(st.floats(0.1, 100.0), st.integers(0, 50))
def test_currency_scales_curves_and_monotone_maps_of_predictions_do_not(unit: float, seed: int) -> None:
    y, treated, score = customers(50, seed)
    one, other = ranked(y, treated, score), ranked(unit * y, treated, np.exp(score / 3.0))
    np.testing.assert_allclose(unit * gain(one), gain(other), atol=1e-9)
    np.testing.assert_allclose(unit * qini(one), qini(other), atol=1e-9)
