"""Convergence of Markov chains against an independent implementation and chains of known memory."""

from __future__ import annotations

import numpy as np
import pytest

from habitue.numerics.convergence import bulk_effective_sample_size, r_hat


def autoregressive(rho: float, n_steps: int, n_chains: int, seed: int) -> np.ndarray:
    """Return stationary chains, each value rho times the one before plus chance."""
    noise = np.random.default_rng(seed).normal(size=(n_steps, n_chains))
    chains = np.empty_like(noise)
    chains[0] = noise[0]
    for step in range(1, n_steps):
        chains[step] = rho * chains[step - 1] + np.sqrt(1.0 - rho**2) * noise[step]
    return chains


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5, 0.9])
def test_size_of_chains_with_known_memory(rho: float) -> None:
    sizes = [bulk_effective_sample_size(autoregressive(rho, 2_000, 4, seed)) for seed in range(10)]
    assert np.mean(sizes) == pytest.approx(8_000 * (1.0 - rho) / (1.0 + rho), rel=0.1)


@pytest.mark.parametrize(("rho", "at_most"), [(0.0, 1.005), (0.5, 1.01), (0.9, 1.02)])
def test_chains_that_agree(rho: float, at_most: float) -> None:
    assert 1.0 - 1e-3 < r_hat(autoregressive(rho, 2_000, 4, 1)) < at_most


def test_another_implementation_gives_the_same_numbers() -> None:
    # arviz-stats 0.8.0: rhat(method="rank") and ess(method="bulk"), whose sum ends with half a pair.
    chains = np.exp(autoregressive(0.7, 400, 4, 2)) + 0.1 * np.arange(4)
    assert r_hat(chains) == pytest.approx(1.0148662412873555, rel=1e-9)
    assert bulk_effective_sample_size(chains) == pytest.approx(386.41397006688425, rel=5e-3)


@pytest.mark.parametrize("transform", [np.exp, np.arctan, lambda x: x**3])
def test_nothing_changes_under_a_rising_transformation(transform: np.ufunc) -> None:
    chains = autoregressive(0.7, 400, 4, 2)
    assert bulk_effective_sample_size(transform(chains)) == bulk_effective_sample_size(chains)


def test_chains_apart_in_centre_spread_or_time_do_not_agree() -> None:
    chains = np.random.default_rng(0).normal(size=(1_000, 4))
    assert r_hat(chains + 0.5 * np.arange(4)) > 1.1
    assert r_hat(chains * (1.0 + np.arange(4))) > 1.1
    assert r_hat(chains + np.linspace(0.0, 3.0, 1_000)[:, None]) > 1.1


def test_a_constant_has_converged() -> None:
    assert r_hat(np.ones((10, 2))) == 1.0
    assert bulk_effective_sample_size(np.ones((10, 2))) == 20.0
