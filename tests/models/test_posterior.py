"""Draws from posteriors that are known: Normal, skewed, bent, funnel-shaped, and that of CDNOW."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import habitue as hb
from habitue.errors import ConvergenceError, FitError, HabitueWarning
from habitue.models.distributions import InUnit, Pareto, Uniform, Weibull
from habitue.models.laplace import laplace
from habitue.models.persistence import load_model, save_model
from habitue.models.posterior import Draws, sample_posterior
from habitue.models.priors import log_prior
from habitue.numerics import bgnbd

COVARIANCE = np.array([[1.0, 1.2, 0.0], [1.2, 4.0, -0.3], [0.0, -0.3, 0.25]])
MEAN = np.array([1.0, -3.0, 0.5])


def normal(theta: np.ndarray) -> np.ndarray:
    off = theta - MEAN
    return -0.5 * np.einsum("mi,ij,mj->m", off, np.linalg.inv(COVARIANCE), off)


def log_gamma(theta: np.ndarray) -> np.ndarray:
    """Return the log density of logarithms of Gamma(3) variables."""
    return (3.0 * theta - np.exp(theta)).sum(axis=1)


def banana(theta: np.ndarray) -> np.ndarray:
    x, y = theta.T
    return -0.5 * (x / 3.0) ** 2 - 0.5 * (y - 0.5 * (x**2 - 9.0)) ** 2


def funnel(theta: np.ndarray) -> np.ndarray:
    v, x = theta[:, 0], theta[:, 1:]
    return -0.5 * (v / 3.0) ** 2 - 0.5 * (x**2).sum(axis=1) * np.exp(-v) - 0.5 * x.shape[1] * v


def draw(
    log_density: Callable[[np.ndarray], np.ndarray], k: int, n_draws: int = 4_000, seed: int = 0
) -> Draws:
    found = laplace(log_density, np.zeros(k), np.eye(k))
    rng = np.random.default_rng(seed)
    return sample_posterior(log_density, *found, n_draws=n_draws, random_state=rng)


@pytest.mark.parametrize("n_draws", [200, 1_000, 4_000])
def test_a_correlated_normal(n_draws: int) -> None:
    drawn = draw(normal, 3, n_draws)
    sd = np.sqrt(np.diag(COVARIANCE))
    assert drawn.method == "importance sampling"
    assert drawn.k_hat < 0.3
    assert drawn.theta.shape == (n_draws, 3)
    assert drawn.effective_sample_size > 0.8 * n_draws
    np.testing.assert_allclose((drawn.theta.mean(axis=0) - MEAN) / sd, 0.0, atol=3.0 / math.sqrt(n_draws))
    got = np.cov(drawn.theta.T)
    np.testing.assert_allclose(got / np.outer(sd, sd), COVARIANCE / np.outer(sd, sd), atol=5 / n_draws**0.5)


def test_a_skewed_posterior_has_its_quantiles() -> None:
    drawn = draw(log_gamma, 2)
    assert drawn.method == "importance sampling"
    levels = np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    for column in np.exp(drawn.theta).T:
        got = stats.gamma(3.0).cdf(np.quantile(column, levels))
        np.testing.assert_allclose(got, levels, atol=4.0 * np.sqrt(levels * (1 - levels) / 4_000).max())


def test_a_bent_posterior_is_drawn_from_by_chains_with_a_warning() -> None:
    with pytest.warns(HabitueWarning, match=r"Markov chains .* \(R-hat 1\.0"):
        drawn = draw(banana, 2)
    assert drawn.method == "mcmc"
    assert drawn.k_hat > 0.7
    assert drawn.r_hat < 1.01
    assert drawn.theta.shape == (4_000, 2)
    x, y = drawn.theta.T
    assert [x.mean(), x.std()] == pytest.approx([0.0, 3.0], abs=0.25)
    assert stats.norm(0.0, 3.0).cdf(np.quantile(x, 0.9)) == pytest.approx(0.9, abs=0.02)
    assert np.std(y - 0.5 * (x**2 - 9.0)) == pytest.approx(1.0, abs=0.06)


@pytest.mark.slow
def test_a_funnel_is_drawn_from_by_chains() -> None:
    start = np.array([0.0, 0.0, 0.0, 0.0])
    with pytest.warns(HabitueWarning, match="Markov chains"):
        drawn = sample_posterior(
            funnel, start, np.eye(4), n_draws=4_000, random_state=np.random.default_rng(1)
        )
    v = drawn.theta[:, 0]
    assert [v.mean(), v.std()] == pytest.approx([0.0, 3.0], abs=0.35)
    assert drawn.effective_sample_size >= 400.0


def test_a_bad_first_guess_costs_time_but_not_the_answer() -> None:
    with pytest.warns(HabitueWarning, match="Markov chains"):
        drawn = sample_posterior(
            normal, MEAN + 3.0, 0.05 * np.eye(3), n_draws=2_000, random_state=np.random.default_rng(2)
        )
    sd = np.sqrt(np.diag(COVARIANCE))
    np.testing.assert_allclose((drawn.theta.mean(axis=0) - MEAN) / sd, 0.0, atol=0.1)
    np.testing.assert_allclose(drawn.theta.std(axis=0) / sd, 1.0, atol=0.08)


def test_an_edge_and_missing_values_count_as_impossible() -> None:
    def half(theta: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.where(
                theta[:, 0] < -3.0, np.nan, np.where(theta[:, 0] > 0.0, -(theta[:, 0] ** 2), -np.inf)
            )

    drawn = sample_posterior(
        half, np.array([0.2]), np.array([[0.5]]), n_draws=4_000, random_state=np.random.default_rng(3)
    )
    assert drawn.theta.min() > 0.0
    assert drawn.theta.mean() == pytest.approx(math.sqrt(1.0 / math.pi), abs=0.02)


def test_the_same_chance_gives_the_same_draws_whatever_the_block() -> None:
    found = laplace(normal, np.zeros(3), np.eye(3))
    same = [
        sample_posterior(normal, *found, n_draws=300, random_state=np.random.default_rng(4), at_once=at_once)
        for at_once in (1, 64, 10_000)
    ]
    np.testing.assert_allclose(same[0].theta, same[1].theta, rtol=1e-12)
    np.testing.assert_allclose(same[0].theta, same[2].theta, rtol=1e-12)
    assert max(len(block) for block in blocks_asked(50)) <= 50


def blocks_asked(at_once: int) -> list[np.ndarray]:
    """Return the blocks in which the log density was asked for."""
    asked: list[np.ndarray] = []

    def spy(theta: np.ndarray) -> np.ndarray:
        asked.append(theta)
        return normal(theta)

    sample_posterior(
        spy, MEAN, COVARIANCE, n_draws=300, random_state=np.random.default_rng(5), at_once=at_once
    )
    return asked


def test_no_posterior_at_all_is_an_error_with_the_way_out() -> None:
    with pytest.raises(FitError, match="prior allows"):
        sample_posterior(
            lambda theta: np.full(len(theta), -np.inf),
            np.zeros(2), np.eye(2), n_draws=100, random_state=np.random.default_rng(6),
        )  # fmt: skip


def test_chains_that_do_not_agree_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("habitue.models.posterior._MOST_STEPS", 256)
    monkeypatch.setattr("habitue.models.posterior._R_HAT_AT_MOST", 1.0)  # no chains agree that well
    with pytest.raises(
        ConvergenceError, match=r"expected Markov chains to agree .* after 256 steps"
    ) as caught:
        draw(banana, 2)
    assert caught.value.iterations == 256
    assert set(caught.value.params) == {"theta[0]", "theta[1]"}


def test_walkers_start_even_where_almost_no_proposal_counts() -> None:
    narrow = 1e-6 * np.eye(3)
    with pytest.warns(HabitueWarning, match="Markov chains"):
        drawn = sample_posterior(
            lambda theta: -0.5 * (theta**2).sum(axis=1) / 1e-6,
            np.zeros(3), 1e4 * np.eye(3), n_draws=500, random_state=np.random.default_rng(7),
        )  # fmt: skip
    np.testing.assert_allclose(np.cov(drawn.theta.T), narrow, atol=3e-7)


def test_draws_persist(tmp_path: Path) -> None:
    drawn = draw(normal, 3, 50)
    save_model(drawn, tmp_path / "draws")
    back = load_model(tmp_path / "draws")
    np.testing.assert_array_equal(back.theta, drawn.theta)
    assert back[1:] == drawn[1:]


@pytest.mark.parametrize("start", [[0.0, 0.0, 0.0], [5.0, 5.0, -5.0]])
def test_laplace_of_a_normal_is_exact(start: list[float]) -> None:
    found = laplace(normal, np.array(start), 0.1 * np.eye(3))
    np.testing.assert_allclose(found.mode, MEAN, atol=1e-6)
    np.testing.assert_allclose(found.covariance, COVARIANCE, atol=1e-6)


def test_laplace_of_a_skewed_posterior_is_at_its_mode() -> None:
    found = laplace(log_gamma, np.zeros(2), np.eye(2))
    np.testing.assert_allclose(found.mode, math.log(3.0), atol=0.01)
    np.testing.assert_allclose(np.diag(found.covariance), 1.0 / 3.0, rtol=0.02)


def cdnow_posterior() -> Callable[[np.ndarray], np.ndarray]:
    """Return the log posterior of BG/NBD for CDNOW's sample, in days, under pymc-marketing's priors."""
    base = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=30)).X
    rows, counts = np.unique(
        base[["frequency", "recency", "T"]].to_numpy(dtype=np.float64), axis=0, return_counts=True
    )
    names = ("r", "alpha", "a", "b")
    prior = {
        "r": Weibull(2.0, 1.0),
        "alpha": InUnit(Weibull(2.0, 10.0), 7.0),
        "a/(a+b)": Uniform(),
        "a+b": Pareto(1.0, 1.0),
    }

    def log_density(theta: np.ndarray) -> np.ndarray:
        natural = np.exp(theta)
        params = bgnbd.Params(*np.moveaxis(natural[:, None, :], -1, 0))
        return bgnbd.log_likelihood(params, *rows.T) @ counts + log_prior(prior, natural, names)

    return log_density


@pytest.mark.slow
def test_cdnow_equals_a_published_run_of_hamiltonian_monte_carlo() -> None:
    # NUTS in pymc-marketing: r .2458 +- .0128, alpha 4.52 +- .38 weeks, a .776 +- .19, b 2.39 +- .74.
    log_density = cdnow_posterior()
    found = laplace(log_density, np.log([0.24, 31.0, 0.8, 2.4]), 0.01 * np.eye(4))
    drawn = sample_posterior(log_density, *found, n_draws=4_000, random_state=np.random.default_rng(8))
    natural = np.exp(drawn.theta) / [1.0, 7.0, 1.0, 1.0]
    means, sds = np.array([0.2458, 4.52, 0.776, 2.39]), np.array([0.0128, 0.38, 0.19, 0.74])
    assert drawn.method == "importance sampling"
    assert drawn.k_hat < 0.5
    assert drawn.effective_sample_size > 3_400.0
    np.testing.assert_allclose((natural.mean(axis=0) - means) / sds, 0.0, atol=0.08)
    np.testing.assert_allclose(natural.std(axis=0) / sds, 1.0, atol=0.08)
