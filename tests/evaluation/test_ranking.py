"""Sums within ties; the rank statistics themselves are tested with the whole family in test_scores."""

from __future__ import annotations

import numpy as np

from habitue.evaluation.ranking import ratio, tied_sums


def test_sums_within_ties_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    key, value = rng.integers(0, 4, 30).astype(float), rng.normal(size=30)
    weights = rng.integers(0, 3, (2, 30)).astype(float)
    customers, sums = tied_sums(key, weights, value)
    for place, level in enumerate(np.unique(key)):
        tied = key == level
        np.testing.assert_allclose(customers[:, place], weights[:, tied].sum(axis=1))
        np.testing.assert_allclose(sums[:, place], weights[:, tied] @ value[tied])


def test_a_ratio_over_nothing_is_what_was_asked_for() -> None:
    ones, halves = np.ones(2), np.array([2.0, 0.0])
    np.testing.assert_array_equal(ratio(ones, halves), [0.5, np.nan])
    np.testing.assert_array_equal(ratio(ones, halves, otherwise=0.0), [0.5, 0.0])
