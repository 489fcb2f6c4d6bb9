"""Weights meet their margins; weighted means are as sure as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.numerics.raking import rake, weighted_mean


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=40), st.integers(0, 99))
def test_all_margins_are_met(rows: list[tuple[int, int]], seed: int) -> None:
    # Each pair of categories is there, so that any shares can be met.
    every = [(one, two) for one in range(3) for two in range(2)]
    first, second = np.array([*rows, *every]).T
    rng = np.random.default_rng(seed)
    shares = [rng.dirichlet(np.full(3, 5.0)), rng.dirichlet(np.full(2, 5.0))]
    weights = rake([first, second], shares)
    assert weights is not None
    assert weights.mean() == pytest.approx(1.0)
    assert (weights > 0.0).all()
    for margin, share in ((first, shares[0]), (second, shares[1])):
        assert np.bincount(margin, weights) / weights.sum() == pytest.approx(share, abs=1e-6)


def test_what_cannot_be_met_is_said() -> None:
    assert rake([np.array([0, 0])], [[0.5, 0.5]]) is None
    # Those of 0 are just those of 0: their shares cannot differ.
    assert rake([np.array([0, 1]), np.array([0, 1])], [[0.3, 0.7], [0.6, 0.4]]) is None


def test_one_margin_is_post_stratification() -> None:
    rng = np.random.default_rng(1)
    stratum, said = rng.integers(0, 3, 200), rng.normal(size=200)
    share = np.array([0.2, 0.5, 0.3])
    weights = rake([stratum], [share])
    assert weights is not None
    told = weighted_mean(said, weights, [stratum])
    means = np.array([said[stratum == one].mean() for one in range(3)])
    spread = np.array([said[stratum == one].var() / np.sum(stratum == one) for one in range(3)])
    assert told.value == pytest.approx(share @ means)
    assert told.variance == pytest.approx(share**2 @ spread * 200 / 197)


def test_equal_weights_are_a_plain_sample() -> None:
    said = np.random.default_rng(2).normal(size=50)
    told = weighted_mean(said, np.ones(50), [np.zeros(50, dtype=np.intp)])
    assert told.value == pytest.approx(said.mean())
    assert told.variance == pytest.approx(said.var(ddof=1) / 50)
    assert told.n_effective == pytest.approx(49.0)


@pytest.mark.parametrize("explains", [0.0, 2.0])
def test_variances_are_those_of_many_draws(explains: float) -> None:
    rng, shares = np.random.default_rng(3), np.array([0.6, 0.3, 0.1])
    values, variances = [], []
    for _ in range(600):
        stratum = rng.choice(3, 150, p=[0.2, 0.3, 0.5])
        said = explains * stratum + rng.normal(size=150)
        weights = rake([stratum], [shares])
        assert weights is not None
        told = weighted_mean(said, weights, [stratum])
        values.append(told.value)
        variances.append(told.variance)
    assert np.mean(variances) == pytest.approx(np.var(values), rel=0.15)
    assert np.mean(values) == pytest.approx(explains * (0.3 + 0.2), abs=0.03)
