"""The calibration slope: the truth where it is known, scikit-learn elsewhere, nan where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from habitue.evaluation.calibration import PROBABILITY_FLOOR, calibration_slope
from habitue.evaluation.ranking import FloatArray


def reference(log_odds: FloatArray, outcome: FloatArray, weights: FloatArray) -> float:
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    return float(model.fit(log_odds[:, None], outcome, sample_weight=weights).coef_[0, 0])


@pytest.mark.parametrize(("stretch", "shift"), [(1.0, 0.0), (0.5, 1.0), (3.0, -2.0), (-1.0, 0.5)])
def test_the_calibration_slope_recovers_how_log_odds_were_bent(stretch: float, shift: float) -> None:
    # Expected counts as weights: the maximum of the likelihood is then the truth itself, to the last digit.
    log_odds = np.linspace(-3.0, 3.0, 41)
    truth = expit(shift + stretch * log_odds)
    outcome = np.r_[np.ones(41), np.zeros(41)]
    weights = np.r_[truth, 1.0 - truth][np.newaxis]
    slope = calibration_slope(outcome, np.tile(expit(log_odds), 2), weights)
    np.testing.assert_allclose(slope, stretch, rtol=1e-8)


def test_the_calibration_slope_survives_certain_predictions_that_fail() -> None:
    rng = np.random.default_rng(0)
    prediction = rng.uniform(size=500)
    outcome = (rng.uniform(size=500) < prediction).astype(float)
    prediction[:5], outcome[:5] = 0.0, 1.0
    prediction[5:9], outcome[5:9] = 1.0, 0.0
    log_odds = logit(np.clip(prediction, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR))
    slope = calibration_slope(outcome, prediction, np.ones((1, 500)))
    np.testing.assert_allclose(slope, reference(log_odds, outcome, np.ones(500)), rtol=1e-5)


@pytest.mark.parametrize("seed", [0, 7, 8, 11])
def test_the_calibration_slope_of_wild_log_odds_is_where_the_gradient_vanishes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_odds = np.clip(3.0 * rng.standard_t(1.2, 57), -13.0, 13.0)
    outcome = (rng.uniform(size=57) < expit(2.0 * log_odds + rng.normal())).astype(float)
    slope = calibration_slope(outcome, expit(log_odds), np.ones((1, 57)))[0]

    def profile(b: float) -> float:
        def shifted(a: float) -> float:
            return float((outcome - expit(a + b * log_odds)).sum())

        a = brentq(shifted, -500.0, 500.0, xtol=1e-12)
        return float(log_odds @ (outcome - expit(a + b * log_odds)))

    assert slope == pytest.approx(brentq(profile, 1e-3, 50.0, xtol=1e-12), rel=1e-6)


def test_a_row_of_weights_unlike_the_others_is_fitted_all_the_same() -> None:
    # The second row starts where the first ended, from where full Newton steps would diverge.
    log_odds = np.linspace(-4.0, 4.0, 20)
    outcome = (log_odds > 0.0).astype(float)
    outcome[[8, 10]] = 1.0, 0.0
    odd = np.where(np.arange(20) % 5 == 0, 1.0, 0.0)
    odd[[8, 10]] = 5.0
    weights = np.stack([np.full(20, 1000.0), odd])
    expected = [reference(log_odds, outcome, row) for row in weights]
    np.testing.assert_allclose(calibration_slope(outcome, expit(log_odds), weights), expected, rtol=1e-5)


def test_a_separable_replicate_is_nan_and_leaves_the_others_alone() -> None:
    outcome = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    prediction = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
    weights = np.array(
        [[1.0] * 6, [1.0, 1.0, 0.0, 0.0, 1.0, 1.0], [1.0, 0, 0, 0, 0, 0], [0, 0, 1.0, 1, 1, 1]]
    )
    slopes = calibration_slope(outcome, prediction, weights)
    assert np.isfinite(slopes[0])
    assert np.isnan(slopes[1:3]).all()
    assert slopes[0] == pytest.approx(calibration_slope(outcome, prediction, weights[:1])[0])
