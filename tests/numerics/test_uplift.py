"""Pseudo-outcomes: by hand, as means over all draws, and right where either nuisance is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.numerics import uplift
from habitue.numerics.uplift import Estimate

CHANCES = np.array([[0.5, 0.2, 0.3], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
OUTCOMES = np.array([[1.0, 4.0, 0.0], [2.0, 2.0, 5.0], [0.0, -3.0, 7.0]])
"""What each of three customers would do under each of three arms."""


def over_all_draws(score: np.ndarray) -> np.ndarray:
    """Return the exact mean of arm scores over every way the arms could have been drawn."""
    total = np.zeros(OUTCOMES.shape)
    for drawn in product(range(3), repeat=3):
        chosen = np.array(drawn, dtype=np.intp)
        rows = np.arange(3)
        chance = CHANCES[rows, chosen]
        total += chance.prod() * uplift.arm_scores(OUTCOMES[rows, chosen], chosen, chance, score)
    return total


@pytest.mark.parametrize("seed", range(5))
def test_with_right_chances_scores_are_unbiased_whatever_is_expected(seed: int) -> None:
    wrong = np.random.default_rng(seed).normal(0.0, 10.0, (3, 3))
    np.testing.assert_allclose(over_all_draws(wrong), OUTCOMES, atol=1e-12)


@given(st.integers(0, 2**31), st.floats(0.01, 0.99))
def test_with_right_expectations_scores_are_right_whatever_the_chance(seed: int, chance: float) -> None:
    rng = np.random.default_rng(seed)
    expected = rng.normal(size=(50, 3))
    drawn = rng.integers(0, 3, 50)
    y = expected[np.arange(50), drawn]  # outcomes without noise, so that no average is needed
    scores = uplift.effect_scores(y, drawn, np.full(50, chance), expected)
    np.testing.assert_allclose(scores, expected[:, 1:] - expected[:, :1], atol=1e-12)


def test_the_mean_of_effect_scores_is_the_aipw_estimate() -> None:
    rng = np.random.default_rng(1)
    n = 400
    drawn, chance, y = rng.integers(0, 2, n), rng.uniform(0.2, 0.8, n), rng.normal(size=n)
    mu0, mu1 = rng.normal(size=(2, n))
    e = np.where(drawn == 1, chance, 1.0 - chance)
    by_hand = np.mean(mu1 - mu0 + drawn * (y - mu1) / e - (1 - drawn) * (y - mu0) / (1.0 - e))
    scores = uplift.effect_scores(y, drawn, chance, np.column_stack([mu0, mu1]))[:, 0]
    assert uplift.mean_of_scores(scores).value == pytest.approx(by_hand, abs=1e-12)
    # Kennedy's equation 2 is the same number written otherwise.
    mu = np.where(drawn == 1, mu1, mu0)
    np.testing.assert_allclose(scores, (drawn - e) / (e * (1 - e)) * (y - mu) + mu1 - mu0, atol=1e-12)


@pytest.mark.parametrize("wrong", ["chance", "expected", "both"])
def test_double_robustness_by_simulation(wrong: str) -> None:
    rng = np.random.default_rng(2)
    n = 200_000
    x = rng.uniform(-1.0, 1.0, n)
    e = 1.0 / (1.0 + np.exp(-1.5 * x))
    drawn = (rng.uniform(size=n) < e).astype(np.intp)
    mu = np.column_stack([2.0 * x, 2.0 * x + 1.0 + x])
    y = mu[np.arange(n), drawn] + rng.normal(size=n)
    said_e = np.full(n, 0.5) if wrong in ("chance", "both") else e
    said_mu = np.zeros((n, 2)) if wrong in ("expected", "both") else mu
    chance = np.where(drawn == 1, said_e, 1.0 - said_e)
    scores = uplift.effect_scores(y, drawn, chance, said_mu)[:, 0]
    told = [uplift.mean_of_scores(scores[rows]) for rows in (x < 0.0, x >= 0.0)]
    pairs = zip(told, (0.5, 1.5), strict=True)
    misses = [abs(one.value - truth) / one.standard_error for one, truth in pairs]
    if wrong == "both":
        assert max(misses) > 10.0  # so that the others are no accident
    else:
        assert max(misses) < 3.5


@given(st.integers(0, 2**31), st.floats(0.05, 0.95))
def test_the_weighted_regression_has_the_r_loss(seed: int, e: float) -> None:
    rng = np.random.default_rng(seed)
    y, mean, effect = rng.normal(size=(3, 40))
    treated, counts = rng.uniform(size=40) < 0.5, rng.uniform(0.1, 2.0, 40)
    values, weights = uplift.r_targets(y, treated, mean, e)
    direct = uplift.r_loss(y, treated, mean, effect, chance=e, weights=counts)
    assert np.average(weights * (values - effect) ** 2, weights=counts) == pytest.approx(direct, rel=1e-9)


def test_the_r_loss_is_least_at_the_effect() -> None:
    """By Robinson's transformation: among constant effects the minimum is the residual regression's slope."""
    rng = np.random.default_rng(3)
    x, treated = rng.normal(size=5_000), rng.uniform(size=5_000) < 0.5
    y = x + 0.7 * treated + rng.normal(size=5_000)
    mean = x + 0.35
    losses = [uplift.r_loss(y, treated, mean, np.full(5_000, tau)) for tau in np.linspace(0.0, 1.4, 141)]
    slope = np.polyfit(treated - 0.5, y - mean, 1)[0]
    assert np.linspace(0.0, 1.4, 141)[int(np.argmin(losses))] == pytest.approx(0.7, abs=0.06)
    assert slope == pytest.approx(0.7, abs=0.06)


def test_imputed_effects_by_hand() -> None:
    told = uplift.x_targets(np.array([5.0, 2.0]), np.array([True, False]), np.array([3.0, 6.0]))
    assert told.tolist() == [2.0, 4.0]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5)), min_size=2, max_size=12))
def test_gain_is_the_area_over_the_random_line_also_with_ties(rows: list[tuple[int, float]]) -> None:
    """Brute force: treat customers one by one; of tied ones, all at once in equal parts."""
    effect, scores = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    n, area, before = len(rows), 0.0, 0.0
    for level in sorted(set(effect.tolist()), reverse=True):
        share, gain = np.mean(effect == level), scores[effect == level].sum() / n
        area += share * (before + gain / 2.0)
        before += gain
    told = uplift.gain_scores(effect, scores).mean()
    assert told == pytest.approx(area - scores.mean() / 2.0, abs=1e-9)


def test_gain_is_none_where_all_are_predicted_alike_and_turns_with_the_ranking() -> None:
    rng = np.random.default_rng(4)
    effect, scores = rng.normal(size=(2, 99))
    assert uplift.gain_scores(np.ones(99), scores).tolist() == [0.0] * 99
    np.testing.assert_allclose(uplift.gain_scores(-effect, scores), -uplift.gain_scores(effect, scores))


def test_whole_weights_are_repeated_rows() -> None:
    rng = np.random.default_rng(5)
    effect, scores = rng.integers(0, 4, 30).astype(float), rng.normal(size=30)
    times = rng.integers(1, 4, 30)
    weighted = np.average(uplift.gain_scores(effect, scores, times.astype(float)), weights=times)
    repeated = uplift.gain_scores(np.repeat(effect, times), np.repeat(scores, times)).mean()
    assert weighted == pytest.approx(repeated, abs=1e-12)


def test_the_standard_error_is_the_textbook_one_and_clusters_widen_it() -> None:
    scores = np.random.default_rng(6).normal(size=200)
    plain = uplift.mean_of_scores(scores)
    assert plain.standard_error == pytest.approx(scores.std(ddof=1) / np.sqrt(200))
    twice = uplift.mean_of_scores(np.tile(scores, 2), clusters=np.tile(np.arange(200), 2))
    assert twice == (pytest.approx(plain.value), pytest.approx(plain.standard_error))
    assert uplift.mean_of_scores(scores[:1]).standard_error == np.inf


def test_intervals_are_normal() -> None:
    assert Estimate(0.0, 1.0).interval(0.95) == pytest.approx((-1.959964, 1.959964))
