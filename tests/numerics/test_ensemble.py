"""Walkers visit each place as often as its density says: Normal, banana, funnel, two modes, an edge."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from habitue.numerics.ensemble import walk
from habitue.numerics.log_density import in_blocks


def walked(log_density, k: int, n_steps: int = 1_000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ways = walk(in_blocks(log_density, 10_000), rng.normal(size=(4, 64, k)), n_steps, rng)
    return ways[n_steps // 4 :].reshape(-1, k)


def test_a_correlated_normal_whatever_its_scale() -> None:
    covariance = np.array([[1e-4, 9e-3, 0.0], [9e-3, 1.0, 0.0], [0.0, 0.0, 100.0]])
    precision = np.linalg.inv(covariance)
    points = walked(lambda x: -0.5 * np.einsum("mi,ij,mj->m", x, precision, x), 3)
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(points.mean(axis=0) / sd, 0.0, atol=0.06)
    np.testing.assert_allclose(np.cov(points.T) / np.outer(sd, sd), covariance / np.outer(sd, sd), atol=0.08)


def test_two_modes_are_visited_alike() -> None:
    points = walked(lambda x: np.logaddexp(-0.5 * (x[:, 0] - 4.0) ** 2, -0.5 * (x[:, 0] + 4.0) ** 2), 1)
    assert np.mean(points > 0.0) == pytest.approx(0.5, abs=0.05)


def test_an_edge_is_not_crossed() -> None:
    rng = np.random.default_rng(3)
    inside = in_blocks(lambda x: np.where(x[:, 0] > 0.0, -x[:, 0], -np.inf), 1_000)
    points = walk(inside, rng.exponential(size=(4, 64, 1)), 800, rng)[100:]
    assert points.min() > 0.0
    levels = np.quantile(points, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(stats.expon.cdf(levels), [0.1, 0.5, 0.9], atol=0.015)


def test_the_same_chance_gives_the_same_way() -> None:
    np.testing.assert_array_equal(
        *(walked(lambda x: -0.5 * (x**2).sum(axis=1), 2, 20, seed=5) for _ in range(2))
    )
