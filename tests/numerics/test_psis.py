"""Pareto-smoothed weights against tails of known shape, an independent implementation, and their laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics.psis import fit_generalised_pareto, smooth


def pareto_quantiles(shape: float, n: int) -> np.ndarray:
    """Return n values spread like a generalised Pareto distribution of scale 1."""
    p = (np.arange(n) + 0.5) / n
    return -np.log1p(-p) if shape == 0.0 else np.expm1(-shape * np.log1p(-p)) / shape


@pytest.mark.parametrize("shape", [-0.5, -0.2, 0.0, 0.3, 0.7, 1.0, 1.5])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_the_fit_recovers_shape_and_scale(shape: float, scale: float) -> None:
    fitted = fit_generalised_pareto(scale * pareto_quantiles(shape, 5_000))
    assert fitted.shape == pytest.approx(shape, abs=0.02)
    assert fitted.scale / scale == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("tail_index", [0.2, 0.5, 0.7, 1.0, 1.4])
def test_k_hat_is_the_reciprocal_of_how_many_moments_weights_have(tail_index: float) -> None:
    # A Pareto distribution with exponent 1 / k has exceedances with shape k. The prior pulls a little to 0.5.
    estimates = [
        smooth(np.random.default_rng(seed).standard_exponential(20_000) * tail_index).k_hat
        for seed in range(20)
    ]
    error = (1.0 + tail_index) / math.sqrt(424 * 20)  # asymptotic standard error of the mean
    assert np.mean(estimates) == pytest.approx(tail_index, abs=4.0 * error + 0.03)


@pytest.mark.parametrize(
    ("log_weights", "k_hat", "largest", "tenth", "fourth"),
    [
        (
            np.random.default_rng(20240).standard_t(4, size=500) * 1.5,
            1.8517923271671937, -0.2801183972435447, -5.708849818378891, -10.965747071001212,
        ),
        (
            np.log(np.random.default_rng(7).pareto(1.6, size=2000) + 1.0),
            0.6131465192850988, -3.9978467601743617, -5.2210820691101665, -7.968114887262223,
        ),
        (
            -0.5 * np.sqrt(np.arange(400.0)),
            0.5896711475902308, -2.1287219857138724, -3.7526211248216503, -3.0191503436930196,
        ),
    ],
)  # fmt: skip
def test_another_implementation_gives_the_same_numbers(
    log_weights: np.ndarray, k_hat: float, largest: float, tenth: float, fourth: float
) -> None:
    # arviz-stats 0.8.0, array_stats.psislw(-log_weights).
    smoothed = smooth(log_weights)
    got = smoothed.log_weights
    assert smoothed.k_hat == pytest.approx(k_hat, rel=1e-9)
    assert [got.max(), np.sort(got)[-10], got[3]] == pytest.approx([largest, tenth, fourth], rel=1e-9)


@given(
    st.lists(st.floats(-3_000.0, 3_000.0), min_size=1, max_size=300),
    st.integers(0, 20),
    st.floats(-1e3, 1e3),
)
@settings(max_examples=80, deadline=None)
def test_weights_are_shares_in_the_old_order_whatever_they_were(
    finite: list[float], n_impossible: int, shift: float
) -> None:
    logs = np.array([*finite, *[-np.inf] * n_impossible])
    smoothed = smooth(logs)
    weights = np.exp(smoothed.log_weights)
    assert weights.sum() == pytest.approx(1.0)
    assert not np.isnan(smoothed.log_weights).any()
    assert not np.isnan(smoothed.k_hat)
    assert np.isneginf(smoothed.log_weights[len(finite) :]).all()
    assert 1.0 - 1e-9 <= smoothed.effective_sample_size <= logs.size * (1.0 + 1e-9)
    again = smooth(logs + shift)
    # Sorted: what differs by less than rounding may change places.
    np.testing.assert_allclose(np.sort(np.exp(again.log_weights)), np.sort(weights), rtol=1e-6, atol=1e-9)


@given(st.integers(30, 400), st.floats(0.1, 5.0), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_smoothing_keeps_the_order_and_moves_only_the_tail(n: int, spread: float, seed: int) -> None:
    logs = np.random.default_rng(seed).normal(0.0, spread, n)
    smoothed = smooth(logs).log_weights
    order = np.argsort(logs)
    assert (np.diff(smoothed[order]) >= -1e-12).all()
    n_tail = int(min(n / 5.0, 3.0 * math.sqrt(n)))
    body = order[: n - n_tail]
    assert np.ptp(smoothed[body] - logs[body]) < 1e-9
    assert smoothed.max() - smoothed[body[-1]] <= logs.max() - logs[body[-1]] + 1e-9


@pytest.mark.parametrize("noise", [0.0, 1e-14])
def test_equal_weights_are_trusted_and_left_alone(noise: float) -> None:
    smoothed = smooth(5.0 + noise * np.random.default_rng(0).normal(size=1_000))
    assert smoothed.k_hat == -math.inf
    assert smoothed.effective_sample_size == pytest.approx(1_000.0)


def test_a_single_draw_that_counts_is_not_trusted() -> None:
    smoothed = smooth(np.concatenate([[0.0], np.full(999, -2_000.0)]))
    assert smoothed.k_hat == math.inf
    assert smoothed.effective_sample_size == pytest.approx(1.0)


def test_too_few_draws_are_not_trusted() -> None:
    assert smooth(np.zeros(3)).k_hat == math.inf


def test_smoothing_makes_means_better_where_weights_are_heavy() -> None:
    # E[1] under weights with infinite variance: proposals exp(-x), target exp(-x / 1.6) / 1.6 on x > 0.
    raw, smooth_errors = [], []
    for seed in range(200):
        x = np.random.default_rng(seed).standard_exponential(400)
        logs = x * (1.0 - 1.0 / 1.6)
        weights = np.exp(logs) / np.exp(logs).sum()
        raw.append(weights @ x - 1.6)
        smooth_errors.append(np.exp(smooth(logs).log_weights) @ x - 1.6)
    assert np.std(smooth_errors) < 1.02 * np.std(raw)
