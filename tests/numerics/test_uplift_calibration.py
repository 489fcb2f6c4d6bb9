"""Calibration of effects: against statsmodels, brute force, and as laws."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from habitue.numerics.uplift import Estimate
from habitue.numerics.uplift_calibration import best_line, fit_steps, shrunk_slope, steps


@pytest.mark.parametrize("clustered", [False, True])
def test_the_line_is_that_of_statsmodels(clustered: bool) -> None:
    rng = np.random.default_rng(0)
    effect, noise, weights = rng.normal(0.1, 0.3, 500), rng.normal(size=500), rng.uniform(0.5, 2.0, 500)
    scores = 0.2 + 0.7 * effect + noise * (1.0 + np.abs(effect))
    clusters = np.arange(500) // 5 if clustered else None
    line = best_line(effect, scores, weights=weights, clusters=clusters)
    design = sm.add_constant(effect - np.average(effect, weights=weights))
    fit = sm.WLS(scores, design, weights=weights)
    if clustered:
        other = fit.fit(cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False})
        correction = np.sqrt(100 / 99)
    else:
        other, correction = fit.fit(cov_type="HC0"), np.sqrt(500 / 499)
    assert line.slope == pytest.approx((other.params[1], other.bse[1] * correction), rel=1e-9)
    assert line.average.value == pytest.approx(other.params[0], rel=1e-9)


def test_the_slope_covers_1_where_predictions_are_right() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        effect = rng.gamma(2.0, 0.1, 300)
        lower, upper = best_line(effect, effect + rng.normal(0.0, 1.0, 300)).slope.interval(0.9)
        held += lower <= 1.0 <= upper
    assert 0.85 <= held / 400 <= 0.94


def test_one_prediction_for_all_has_no_slope() -> None:
    line = best_line(np.full(4, 0.3), np.array([1.0, 2.0, 3.0, 4.0]))
    assert line.slope == (0.0, np.inf)
    assert shrunk_slope(line.slope) == 0.0
    assert line.average.value == 2.5


@given(st.floats(-3, 3), st.floats(0.01, 3))
def test_a_slope_is_never_turned_round_nor_stretched(value: float, error: float) -> None:
    kept = shrunk_slope(Estimate(value, error))
    assert 0.0 <= kept <= max(value, 0.0)
    assert (kept > 0.0) == (value > error)


@given(st.lists(st.tuples(st.integers(0, 6), st.floats(-5, 5)), min_size=1, max_size=30))
def test_steps_rise_and_average_to_the_scores_of_each(rows: list[tuple[int, float]]) -> None:
    effect, scores = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    told = steps(fit_steps(effect, scores), effect)
    assert (np.diff(told[np.argsort(effect, kind="stable")]) >= -1e-12).all()
    for value in np.unique(told):
        assert scores[told == value].mean() == pytest.approx(value, abs=1e-9)
