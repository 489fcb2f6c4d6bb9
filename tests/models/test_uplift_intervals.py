"""Intervals of effects hold as often as they say, and differences are found as seldom as they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from habitue.models.uplift.calibration import Calibrated, learn_calibration, recentred
from habitue.models.uplift.model import UpliftModel

FloatArray = npt.NDArray[np.float64]

CONFIDENCE = 0.95


def learned_from_folds(rng: np.random.Generator, n: int, *, slope: float, n_features: int = 30) -> Calibrated:
    """Calibrate a learner that is linear in the scores: it tells what it saw of each feature."""
    X = rng.normal(size=(n, n_features))
    scores = 1.0 + slope * X[:, 0] + rng.normal(0.0, 1.0, n)
    fold = np.arange(n) % 5
    unseen = np.empty(n)
    for k in range(5):
        seen = fold != k
        unseen[~seen] = X[~seen] @ (X[seen].T @ (scores[seen] - scores[seen].mean())) / seen.sum()
    told = recentred(unseen, fold, np.ones(n))
    return learn_calibration("linear", told, scores, np.ones(n), None)


def test_folds_that_teach_each_other_make_a_slope_twice_as_variable() -> None:
    """Where nobody gains more than others, errors that take folds for independent find somebody too often."""
    rng = np.random.default_rng(0)
    learned = [learned_from_folds(rng, 300, slope=0.0) for _ in range(800)]
    z = np.array([one.slope / one.slope_error for one in learned])
    assert np.mean(z**2) == pytest.approx(2.0, rel=0.15)
    naive = np.mean(z > 1.96)
    found = np.mean([one.slope_interval(CONFIDENCE)[0] > 0.0 for one in learned])
    # One in forty is due to chance.
    assert naive > 0.05
    assert found <= 0.03


def test_a_real_difference_is_found_and_its_slope_held() -> None:
    rng = np.random.default_rng(1)
    ends = np.array(
        [learned_from_folds(rng, 600, slope=1.0, n_features=3).slope_interval(CONFIDENCE) for _ in range(100)]
    )
    assert (ends[:, 0] > 0.5).all()
    assert ((ends[:, 0] < 1.0) & (ends[:, 1] > 1.0)).mean() >= 0.95


def calibrated(**changes: Any) -> Calibrated:
    told: dict[str, Any] = {"method": "linear", "average": 1.0, "average_error": 0.3, "slope": 0.8}
    told |= {"slope_error": 0.2, "kept": 0.75, "centre": 0.5, "starts": np.zeros(0), "values": np.zeros(0)}
    return Calibrated(**(told | changes))


def test_errors_grow_from_the_centre_and_with_what_was_drawn_away() -> None:
    effect = np.linspace(-2.0, 3.0, 11)
    errors = calibrated().errors(effect)
    assert errors[5] == pytest.approx(0.3)
    np.testing.assert_allclose(errors, errors[::-1])
    assert (np.diff(errors[5:]) > 0.0).all()
    # 2.5 from the centre: the slope's error twice in its square, and (0.8 - 0.75) * 2.5 of shrinkage.
    assert errors[-1] == pytest.approx(np.sqrt(0.3**2 + 2.0 * (0.2 * 2.5) ** 2 + (0.05 * 2.5) ** 2))
    # All are told the average, and those at the ends are not known as well as those in the middle.
    assert (calibrated(slope=0.1, kept=0.0).errors(effect)[[0, -1]] > 0.7).all()
    assert calibrated(slope_error=np.inf, slope=0.0, kept=0.0).errors(effect) == pytest.approx(0.3)
    # What was not calibrated may lie beside the line altogether.
    assert calibrated(method="none").errors(np.array([0.5])) == pytest.approx(np.hypot(0.3, 0.5))


def drawn(
    n: int, rng: np.random.Generator, strength: float
) -> tuple[pd.DataFrame, FloatArray, Any, FloatArray]:
    X = pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde"))
    effect = 0.3 + strength * (np.tanh(X["a"]) + 0.6 * (X["b"] > 0.0) * X["c"].clip(-2.0, 2.0)).to_numpy()
    arm = rng.choice(["control", "call"], n)
    y = (0.5 * X["a"] + 0.3 * X["b"] ** 2).to_numpy() + effect * (arm == "call") + rng.normal(size=n)
    return X, y, arm, effect


@pytest.mark.slow
@pytest.mark.parametrize(("learner", "strength"), [("DR", 0.0), ("DR", 0.12), ("X", 0.5)])
def test_intervals_hold_the_mean_effect_of_customers_predicted_alike(learner: str, strength: float) -> None:
    """Without, with faint and with clear differences, in fifths by what the learner told."""
    fresh, _, _, truth = drawn(4_000, np.random.default_rng(99), strength)
    held: list[bool] = []
    for seed in range(8):
        X, y, arm, _ = drawn(2_000, np.random.default_rng([seed, 1]), strength)
        model = UpliftModel(learner=learner, n_replicates=10, n_estimators=100, n_jobs=1, random_state=seed)
        model.fit(X, y, arm, np.full(len(y), 0.5))
        lower, upper = (end["call"].to_numpy() for end in model.predict_interval(fresh, 0.9))
        told = model.learned_["call"].predict(fresh.to_numpy())
        fifths = np.array_split(np.argsort(told, kind="stable"), 5)
        held += [bool(lower[one].mean() <= truth[one].mean() <= upper[one].mean()) for one in fifths]
    # 40 fifths, those of one sample alike.
    assert np.mean(held) >= 0.85
