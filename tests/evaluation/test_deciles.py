"""Sums along an order; the scores of tenths are tested with the whole family in test_scores."""

from __future__ import annotations

import numpy as np
import pytest

from habitue.evaluation.deciles import capture_top_decile, cumulative_sums, lift_top_decile


def test_cumulative_sums_are_those_of_a_loop() -> None:
    key = np.array([3.0, 1.0, 3.0, 2.0])
    value = np.array([10.0, 1.0, 0.0, 5.0])
    shares = np.array([0.0, 0.125, 0.25, 0.5, 0.75, 1.0])
    (sums,) = cumulative_sums(key, np.ones((1, 4)), shares, value)
    np.testing.assert_allclose(sums[0], [0.0, 0.5, 1.0, 6.0, 11.0, 16.0])


def test_sums_along_an_order_count_by_weight() -> None:
    rng = np.random.default_rng(0)
    key, value = rng.integers(0, 4, 30).astype(float), rng.normal(size=30)
    weights = rng.integers(0, 3, 30)
    shares = np.linspace(0.0, 1.0, 7)
    weighted = cumulative_sums(key, weights[np.newaxis].astype(float), shares, value)[0]
    key, value = np.repeat(key, weights), np.repeat(value, weights)
    repeated = cumulative_sums(key, np.ones((1, key.size)), shares, value)[0]
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)
    assert repeated[0, -1] == pytest.approx(value.sum())


def test_a_tenth_captures_a_tenth_of_its_lift() -> None:
    rng = np.random.default_rng(1)
    outcome = (rng.uniform(size=83) < 0.2).astype(float)
    prediction = np.round(rng.uniform(size=83) + 0.3 * outcome, 1)
    weights = rng.integers(0, 3, (5, 83)).astype(float)
    captured = capture_top_decile(outcome, prediction, weights)
    np.testing.assert_allclose(lift_top_decile(outcome, prediction, weights), 10.0 * captured)
    best = capture_top_decile(outcome, outcome, np.ones((1, 83)))
    assert best[0] == pytest.approx(0.1 / outcome.mean())
