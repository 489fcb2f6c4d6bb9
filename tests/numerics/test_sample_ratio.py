"""Sizes of arms: scipy's test, and error at every look."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare, dirichlet_multinomial, multinomial

from habitue.numerics.sample_ratio import sample_ratio_p, sequential_sample_ratio_p


def test_it_is_the_chi_square_test() -> None:
    counts, shares = np.array([480, 330, 190]), np.array([0.5, 0.3, 0.2])
    assert sample_ratio_p(counts, shares) == pytest.approx(chisquare(counts, counts.sum() * shares).pvalue)


def test_the_sequential_one_is_one_over_a_bayes_factor() -> None:
    counts, shares = np.array([60, 25, 15]), np.array([0.5, 0.3, 0.2])
    factor = dirichlet_multinomial(50.0 * shares, 100).pmf(counts) / multinomial(100, shares).pmf(counts)
    assert sequential_sample_ratio_p(counts, shares, concentration=50.0) == pytest.approx(
        min(1.0, 1.0 / factor)
    )


def test_looking_after_every_customer_is_safe_and_finds_a_fault() -> None:
    draw = np.random.default_rng(0)
    shares, wrong, naive = [0.3, 0.7], 0, 0
    for _ in range(100):
        control = np.cumsum(draw.uniform(size=2000) < 0.3)
        looks = [(int(control[n - 1]), n - int(control[n - 1])) for n in range(50, 1001, 10)]
        wrong += min(sequential_sample_ratio_p(one, shares) for one in looks) <= 0.05
        naive += min(sample_ratio_p(one, shares) for one in looks) <= 0.05
    assert wrong / 100 <= 0.08
    assert naive / 100 > 0.25
    assert sequential_sample_ratio_p([2600, 7400], shares) < 0.001
