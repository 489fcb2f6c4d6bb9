"""Summaries over draws: equal to having everything in memory, in whatever blocks, in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.models.posterior_summary import rows_at_once, summarise, totals


def everything(n_draws: int, n_rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(0.5, 3.0, (n_draws, n_rows))


@given(st.integers(1, 60), st.integers(0, 40), st.integers(1, 50), st.sampled_from([0.5, 0.8, 0.95]))
@settings(max_examples=60, deadline=None)
def test_blocks_equal_brute_force(n_draws: int, n_rows: int, block: int, confidence: float) -> None:
    values = everything(n_draws, n_rows, n_draws)
    told = summarise(
        lambda rows: values[:, rows], n_rows, n_draws=n_draws, confidence=confidence, block=block
    )
    ends = [0.5 - confidence / 2.0, 0.5 + confidence / 2.0]
    want = [values.mean(axis=0), values.std(axis=0), *np.quantile(values, ends, axis=0)]
    assert list(told) == ["mean", "sd", "lower", "upper"]
    np.testing.assert_allclose(told.to_numpy().T, want, rtol=1e-12, atol=1e-13)
    weights = np.random.default_rng(0).uniform(size=n_rows)
    sums = totals(lambda rows: values[:, rows], n_rows, n_draws=n_draws, weights=weights, block=block)
    np.testing.assert_allclose(sums, values @ weights, rtol=1e-12)


@pytest.mark.parametrize("block", [1, 3, 8, 100])
def test_a_customers_numbers_do_not_depend_on_the_block(block: int) -> None:
    values = everything(37, 23, 1)
    whole = summarise(lambda rows: values[:, rows], 23, n_draws=37)
    parts = summarise(lambda rows: values[:, rows], 23, n_draws=37, block=block)
    np.testing.assert_array_equal(whole.to_numpy(), parts.to_numpy())


def test_an_interval_of_the_total_is_wide_because_customers_share_parameters() -> None:
    shared = np.random.default_rng(2).normal(10.0, 1.0, 2_000)
    sums = totals(lambda rows: np.repeat(shared[:, None], rows.stop - rows.start, axis=1), 400, n_draws=2_000)
    assert sums.std() == pytest.approx(400.0 * shared.std())  # 20 times what independence would give


def test_what_is_left_after_summarising_is_not_the_callers_array_changed() -> None:
    values = everything(5, 1, 3)
    before = values.copy()
    summarise(lambda rows: values[:, rows], 1, n_draws=5)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize(("n_draws", "n_rows"), [(4_000, 3_000), (200, 60_000), (20_000, 600)])
def test_memory_does_not_grow_with_the_customer_base(n_draws: int, n_rows: int) -> None:
    rates, horizons = np.linspace(0.5, 1.5, n_draws), np.linspace(1.0, 90.0, n_rows)

    def predict(rows: slice) -> np.ndarray:
        return np.exp(-rates[:, None] * horizons[rows] / 50.0) + 1.0

    tracemalloc.start()
    summarise(predict, n_rows, n_draws=n_draws)
    totals(predict, n_rows, n_draws=n_draws)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20
    assert 8 * n_draws * n_rows > 64 * 2**20  # all at once would not have fitted


def test_at_least_one_customer_at_a_time() -> None:
    assert rows_at_once(10**9) == 1
