"""Calibration: the truth where it is known, scikit-learn and loops elsewhere, nan where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from habitue.evaluation.calibration import (
    PROBABILITY_FLOOR,
    brier_decomposition,
    calibration_intercept,
    calibration_slope,
    expected_calibration_error,
    logistic_recalibration,
)
from habitue.evaluation.curves import reliability
from habitue.evaluation.losses import brier
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
    line = logistic_recalibration(outcome, np.tile(expit(log_odds), 2), weights)
    np.testing.assert_allclose(line, [[shift, stretch]], rtol=1e-8, atol=1e-8)


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


# ---- the intercept ----


@pytest.mark.parametrize("shift", [0.0, 0.3, -2.0, 9.0, -12.0])
def test_the_calibration_intercept_recovers_how_far_log_odds_were_shifted(shift: float) -> None:
    log_odds = np.linspace(-4.0, 3.0, 41)
    truth = expit(shift + log_odds)
    outcome = np.r_[np.ones(41), np.zeros(41)]
    weights = np.stack([np.r_[truth, 1.0 - truth], 3.0 * np.r_[truth, 1.0 - truth]])
    intercept = calibration_intercept(outcome, np.tile(expit(log_odds), 2), weights)
    np.testing.assert_allclose(intercept, shift, rtol=1e-8, atol=1e-8)


def test_at_the_intercept_as_many_leave_as_are_predicted() -> None:
    rng = np.random.default_rng(4)
    prediction = np.r_[rng.uniform(size=300) ** 8, 0.0, 1.0]
    outcome = np.r_[rng.uniform(size=300) < 0.02, 1.0, 0.0].astype(float)
    weights = rng.integers(0, 4, (20, 302)).astype(float)
    log_odds = logit(np.clip(prediction, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR))
    raised = expit(calibration_intercept(outcome, prediction, weights)[:, None] + log_odds)
    np.testing.assert_allclose((weights * raised).sum(axis=1), weights @ outcome, rtol=1e-9)


def test_an_intercept_of_one_class_is_nan_and_leaves_the_others_alone() -> None:
    outcome, prediction = np.array([0.0, 0.0, 1.0]), np.array([0.1, 0.4, 0.8])
    weights = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 2.0]])
    intercepts = calibration_intercept(outcome, prediction, weights)
    assert np.isnan(intercepts[[0, 2]]).all()
    assert intercepts[1] == calibration_intercept(outcome, prediction, weights[1:2])[0]


# ---- bins ----


def churners(n: int, *, seed: int = 0, digits: int = 9) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    truth = rng.beta(0.5, 1.5, n)
    return (rng.uniform(size=n) < truth).astype(float), np.round(truth**0.6, digits)


@pytest.mark.parametrize("digits", [1, 9])
def test_the_calibration_error_is_the_mean_gap_of_the_reliability_curve(digits: int) -> None:
    outcome, prediction = churners(400, digits=digits)
    for n_bins in (1, 7, 10):
        curve = reliability(outcome, prediction, n_bins=n_bins)
        gap = (curve["mean_prediction"] - curve["observed_rate"]).abs().mean()
        error = expected_calibration_error(outcome, prediction, np.ones((1, 400)), n_bins=n_bins)
        assert error[0] == pytest.approx(gap, rel=1e-10)


def test_a_calibrated_prediction_errs_by_what_chance_alone_makes() -> None:
    rng = np.random.default_rng(1)
    prediction = np.tile(np.linspace(0.25, 0.75, 10), 200)
    outcome = (rng.uniform(size=(300, 2000)) < prediction).astype(float)
    errors = [expected_calibration_error(row, prediction, np.ones((1, 2000)))[0] for row in outcome]
    chance = np.sqrt(2.0 / np.pi) * np.sqrt(prediction * (1.0 - prediction) / 200.0).mean()
    assert np.mean(errors) == pytest.approx(chance, rel=0.02)


@pytest.mark.parametrize("digits", [1, 9])
@pytest.mark.parametrize("n_bins", [1, 3, 10])
def test_the_parts_add_up_to_the_brier_score(digits: int, n_bins: int) -> None:
    outcome, prediction = churners(97, digits=digits)
    weights = np.random.default_rng(3).integers(0, 4, (6, 97)).astype(float)
    parts = brier_decomposition(outcome, prediction, weights, n_bins=n_bins)
    scores = weights @ brier(outcome, prediction) / weights.sum(axis=1)
    np.testing.assert_allclose(parts.brier, scores, rtol=1e-12)
    base = weights @ outcome / weights.sum(axis=1)
    np.testing.assert_allclose(parts.uncertainty, base * (1.0 - base), rtol=1e-12)
    for part in (parts.reliability, parts.resolution, parts.within_variance):
        assert (part >= -1e-12).all()


def test_the_parts_are_those_of_a_loop_over_bins_and_murphys_where_predictions_are_few() -> None:
    outcome, prediction = churners(200)
    parts = brier_decomposition(outcome, prediction, np.ones((1, 200)), n_bins=4)
    bins = np.array_split(np.argsort(prediction), 4)
    means = [(prediction[one].mean(), outcome[one].mean()) for one in bins]
    assert parts.reliability[0] == pytest.approx(np.mean([(f - o) ** 2 for f, o in means]))
    assert parts.resolution[0] == pytest.approx(np.mean([(o - outcome.mean()) ** 2 for _, o in means]))
    assert parts.within_variance[0] == pytest.approx(np.mean([prediction[one].var() for one in bins]))
    covariances = [np.cov(prediction[one], outcome[one], bias=True)[0, 1] for one in bins]
    assert parts.within_covariance[0] == pytest.approx(2.0 * np.mean(covariances))
    levels = np.repeat([0.1, 0.4, 0.6, 0.9], 50)
    three = brier_decomposition(outcome, levels, np.ones((1, 200)), n_bins=4)
    np.testing.assert_allclose([three.within_variance, three.within_covariance], 0.0, atol=1e-12)
