"""From sums of powers come the intervals that rows of customers give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics.ratios import clustered_ratio
from habitue.numerics.skewed_means import mean_interval, ratio_interval

POWERS = ((2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(2, 300), st.floats(0.3, 1.8), st.sampled_from([0.8, 0.95]))
def test_sums_of_powers_tell_what_rows_tell(seed: int, n: int, spread: float, confidence: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.lognormal(2.0, spread, n)
    y = np.where(rng.random(n) < 0.5, rng.lognormal(2.0, spread, n), -0.1 * x)
    products = [[(y**i * x**j).sum()] for i, j in POWERS]
    found = ratio_interval(y.sum(), x.sum(), products, n, confidence=confidence)
    told = clustered_ratio(y, x, confidence=confidence)
    assert [float(end[0]) for end in found] == pytest.approx([told.lower, told.upper], rel=1e-6, nan_ok=True)
    found = mean_interval(y.sum(), (y**2).sum(), (y**3).sum(), n, confidence=confidence)
    told = clustered_ratio(y, np.ones(n), confidence=confidence)
    assert [float(end[0]) for end in found] == pytest.approx([told.lower, told.upper], rel=1e-6, nan_ok=True)


def test_where_nothing_differs_there_is_no_interval() -> None:
    one = np.array([3.0])
    alike = mean_interval([9.0, 3.0], [27.0, 9.0], [81.0, 27.0], [3, 1], confidence=0.95)
    assert np.isnan(alike).all()
    same = ratio_interval([6.0, 2.0], [3.0, 0.0], [one.repeat(2)] * 7, [3, 3], confidence=0.95)
    assert np.isnan(same[0][1])


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 300])
def test_intervals_of_skewed_spend_hold_more_often_than_students(n: int) -> None:
    rng = np.random.default_rng(n)
    y = np.where(rng.random((4_000, n)) < 0.3, rng.lognormal(0.0, 1.0, (4_000, n)), 0.0)
    true = 0.3 * np.exp(0.5)
    lower, upper = mean_interval(
        y.sum(axis=1), (y**2).sum(axis=1), (y**3).sum(axis=1), np.full(4_000, n), confidence=0.95
    )
    plain = 1.98 * y.std(axis=1, ddof=1) / np.sqrt(n)
    held = float(np.mean((lower < true) & (true < upper)))
    assert held > np.mean(np.abs(y.mean(axis=1) - true) < plain)
    assert held == pytest.approx(0.95, abs=0.03)
