"""Scores under censoring: against counting pair by pair, and the same customers never lost from sight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics.censored_scores import (
    CensoredWeights,
    censored_weights,
    concordance,
    integrated_brier,
    weighted_log_loss,
)

laws = settings(deadline=None, max_examples=60)
customer = st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 5))


def pair_by_pair(time: np.ndarray, left: np.ndarray, risk: np.ndarray) -> float:
    agreed = pairs = 0.0
    for i in range(len(time)):
        for j in range(len(time)):
            if left[i] and (time[i] < time[j] or (time[i] == time[j] and not left[j])):
                pairs += 1.0
                agreed += 1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0
    return agreed / pairs if pairs else float("nan")


@laws
@given(customers=st.lists(customer, min_size=1, max_size=14))
def test_concordance_is_what_counting_pairs_gives(customers: list[tuple[int, bool, int]]) -> None:
    time, left, risk = (np.array(column) for column in zip(*customers, strict=True))
    assert concordance(time, left, risk) == pytest.approx(pair_by_pair(time, left, risk), nan_ok=True)


def test_concordance_of_many_is_that_of_their_pairs_and_depends_on_order_alone() -> None:
    rng = np.random.default_rng(0)
    time, left = rng.integers(1, 40, 700), rng.uniform(size=700) < 0.5
    risk = rng.integers(-9, 10, 700) - time // 3
    found = concordance(time, left, risk)
    assert found == pytest.approx(pair_by_pair(time, left, risk), rel=1e-13)
    assert found == concordance(time, left, risk**3)
    assert concordance(time, left, -risk) == pytest.approx(1.0 - found, rel=1e-13)
    assert concordance(time, left, np.zeros(700)) == 0.5


def test_without_censoring_everybody_counts_once() -> None:
    time = np.array([1.0, 2.0, 2.0, 5.0])
    known = censored_weights(time, np.ones(4, bool), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(known.weight, np.ones((4, 3)))
    chance = np.linspace(0.1, 0.9, 12).reshape(4, 3)
    errors = ((known.left - chance) ** 2).mean(axis=0)
    assert integrated_brier(known, chance, [1.0, 2.0, 3.0]) == pytest.approx(
        (errors[:-1] + errors[1:]).mean() / 2.0
    )
    losses = -(known.left * np.log(chance) + (1 - known.left) * np.log(1 - chance)).mean(axis=0)
    np.testing.assert_allclose(weighted_log_loss(known, chance), losses)


def test_those_lost_from_sight_are_stood_for_by_others() -> None:
    rng = np.random.default_rng(1)
    n = 40_000
    rate = np.exp(rng.normal(0.0, 0.5, n)) / 10.0
    left, lost = rng.exponential(1.0 / rate), rng.uniform(2.0, 30.0, n)
    at = np.array([2.0, 4.0, 8.0])
    chance = -np.expm1(-rate[:, None] * at)
    complete = censored_weights(left, np.ones(n, bool), at)
    seen = censored_weights(np.minimum(left, lost), left <= lost, at)
    assert integrated_brier(seen, chance, at) == pytest.approx(
        integrated_brier(complete, chance, at), abs=2e-3
    )
    np.testing.assert_allclose(
        weighted_log_loss(seen, chance), weighted_log_loss(complete, chance), atol=6e-3
    )
    blind = CensoredWeights(seen.left, (seen.weight > 0) * 1.0)
    kept = blind.weight[:, 2].sum() / n
    assert abs(weighted_log_loss(blind, chance)[2] / kept - weighted_log_loss(complete, chance)[2]) > 6e-3


def test_one_lost_at_the_very_time_was_still_there() -> None:
    known = censored_weights([3.0, 3.0, 1.0], [False, True, False], [3.0])
    assert known.left.ravel().tolist() == [0.0, 1.0, 0.0]
    np.testing.assert_allclose(known.weight.ravel(), [1.5, 1.5, 0.0], rtol=1e-15)
