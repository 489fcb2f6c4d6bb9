"""Intervals at any time: their error over whole paths, and what the fixed one does there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from habitue.numerics.confidence_sequences import always_valid_p, sequential_half_width


@given(st.floats(1.0, 1e6), st.floats(1.0, 1e6), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_interval_and_p_value_agree(n: float, planned: float, confidence: float) -> None:
    edge = float(sequential_half_width(n, planned, confidence=confidence))
    assert edge > norm.ppf(0.5 + confidence / 2.0)
    assert float(always_valid_p(edge, n, planned, confidence=confidence)) == pytest.approx(1.0 - confidence)


def test_it_is_tightest_about_when_planned() -> None:
    found = minimize_scalar(
        lambda log_n: float(sequential_half_width(np.exp(log_n), 5000.0)) / np.exp(log_n / 2.0),
        bounds=(np.log(10.0), np.log(1e7)), method="bounded",
    )  # fmt: skip
    # In its own unit of time: among all tunings, that for n is nearly the narrowest at n.
    widths = [float(sequential_half_width(5000.0, planned)) for planned in (500.0, 5000.0, 50_000.0)]
    assert widths[1] == min(widths)
    assert found.success
    best = minimize_scalar(
        lambda log_planned: float(sequential_half_width(5000.0, np.exp(log_planned))),
        bounds=(np.log(50.0), np.log(5e5)), method="bounded",
    )  # fmt: skip
    assert widths[1] < 1.001 * best.fun


def test_peeking_is_safe_with_it_and_not_without() -> None:
    draw = np.random.default_rng(0)
    reps, n, planned = 4000, 4000, 2000.0
    at = np.arange(100, n + 1, 20)
    z = np.cumsum(draw.normal(size=(reps, n)), axis=1)[:, at - 1] / np.sqrt(at)
    wrong = (np.abs(z) > sequential_half_width(at, planned)).any(axis=1).mean()
    naive = (np.abs(z) > 1.96).any(axis=1).mean()
    assert wrong <= 0.05
    assert naive > 0.2
    p = always_valid_p(z, at, planned).min(axis=1)
    assert (p <= 0.2).mean() <= 0.2
