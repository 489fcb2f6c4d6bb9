"""Calibrators: each puts a known distortion right, and the simplest that does is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss

from habitue.errors import DataError, SettingsError
from habitue.models.persistence import load_model, save_model
from habitue.models.probability_calibration import (
    CALIBRATORS,
    FEW,
    PlattCalibrator,
    VennAbersCalibrator,
    choose_calibrator,
)

NAMES = list(CALIBRATORS)
LEARNERS = NAMES[1:]


def simulated(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return true probabilities and what happened."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1.5, 3.0, n)
    return p, rng.uniform(size=n) < p


def by_platt(p: np.ndarray) -> np.ndarray:
    """Say it too surely, and too high."""
    return expit(1.8 * logit(p) + 1.0)


def by_beta(p: np.ndarray) -> np.ndarray:
    """Distort low and high probabilities differently."""
    return expit(0.4 * np.log(p) - 2.0 * np.log1p(-p) - 0.5)


def folds(n: int) -> np.ndarray:
    return np.arange(n) % 3


@pytest.mark.parametrize("name", LEARNERS)
def test_what_was_distorted_is_put_right(name: str) -> None:
    p, churned = simulated(8_000)
    later, came = simulated(20_000, seed=1)
    fitted = CALIBRATORS[name]().fit(by_platt(p), churned)
    told = fitted.calibrate(by_platt(later))
    before, after, truth = (log_loss(came, one) for one in (by_platt(later), told, later))
    assert before - truth > 0.05
    assert after - truth < 0.003
    assert np.corrcoef(told, later)[0, 1] > 0.99


def test_a_beta_distortion_needs_the_beta_map_at_least() -> None:
    p, churned = simulated(20_000)
    later, came = simulated(20_000, seed=1)
    chosen = choose_calibrator(by_beta(p), churned, folds(20_000))
    assert NAMES.index(chosen.name) >= NAMES.index("beta")
    beta = CALIBRATORS["beta"]().fit(by_beta(p), churned).calibrate(by_beta(later))
    platt = CALIBRATORS["platt"]().fit(by_beta(p), churned).calibrate(by_beta(later))
    truth = log_loss(came, later)
    assert log_loss(came, beta) - truth < 0.001 < log_loss(came, platt) - truth


@pytest.mark.parametrize("name", NAMES)
def test_calibrators_rise_answer_alike_and_are_stored_as_text(name: str, tmp_path: Path) -> None:
    p, churned = simulated(1_000)
    fitted = CALIBRATORS[name]().fit(p, churned)
    grid = np.linspace(0.0, 1.0, 301)
    told = fitted.calibrate(grid)
    assert (np.diff(told) >= 0.0).all()
    assert ((told >= 0.0) & (told <= 1.0)).all()
    np.testing.assert_array_equal(fitted.calibrate(grid[::-1]), told[::-1])
    np.testing.assert_array_equal(fitted.calibrate(grid[17:18]), told[17:18])
    save_model(fitted, tmp_path / "calibrator")
    assert load_model(tmp_path / "calibrator").calibrate(grid).tobytes() == told.tobytes()
    assert {file.suffix for file in (tmp_path / "calibrator").iterdir()} == {".json"}


@pytest.mark.parametrize("name", NAMES)
def test_calibrators_keep_scikit_learns_contract(name: str) -> None:
    p, churned = simulated(500)
    made: Any = CALIBRATORS[name]()
    assert made.fit(p, churned) is made
    assert all(key.endswith("_") for key in vars(made).keys() - made.get_params().keys())
    copy = clone(made)
    assert not vars(copy).keys() - copy.get_params().keys()
    if name != "none":
        with pytest.raises(NotFittedError):
            copy.calibrate(p)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_surprise_costs_no_infinity(name: str) -> None:
    p, churned = np.r_[np.full(200, 0.01), np.full(200, 0.99)], np.r_[np.zeros(200), np.ones(200)]
    told = CALIBRATORS[name]().fit(p, churned).calibrate(np.array([0.0, 0.01, 0.99, 1.0]))
    assert 0.0 < told[0] <= told[1] < 0.02
    assert 0.98 < told[2] <= told[3] < 1.0


@pytest.mark.parametrize("name", LEARNERS)
def test_a_weight_of_two_is_two_customers(name: str) -> None:
    p, churned = simulated(400)
    times = 1 + np.arange(400) % 2
    weighted = CALIBRATORS[name]().fit(p, churned, sample_weight=times)
    repeated = CALIBRATORS[name]().fit(np.repeat(p, times), np.repeat(churned, times))
    np.testing.assert_allclose(weighted.calibrate(p), repeated.calibrate(p), rtol=1e-7)


def test_the_right_one_of_two_venn_abers_probabilities_is_calibrated() -> None:
    """Over customers to learn from and to ask, drawn together, whatever the distortion."""
    right, came = [], []
    for seed in range(400):
        p, churned = simulated(80, seed)
        p0, p1 = VennAbersCalibrator().fit(by_platt(p[:60]), churned[:60]).bounds(by_platt(p[60:]))
        right.append(np.where(churned[60:], p1, p0))
        came.append(churned[60:])
    told, happened = np.array(right), np.array(came)
    for low in np.arange(0.0, 1.0, 0.2):
        excess = np.where((told >= low) & (told < low + 0.2), happened - told, 0.0).mean(axis=1)
        # Of 400 independent draws.
        assert abs(excess.mean()) < 4.0 * excess.std() / 20.0


def test_venn_abers_probabilities_lie_apart_where_few_are_known() -> None:
    p, churned = simulated(2_000)
    fitted = VennAbersCalibrator().fit(by_platt(p), churned)
    p0, p1 = fitted.bounds(by_platt(p))
    told = fitted.calibrate(by_platt(p))
    assert (p0 <= told).all()
    assert (told <= p1).all()
    few = VennAbersCalibrator().fit(by_platt(p[:100]), churned[:100]).bounds(by_platt(p))
    assert (few[1] - few[0]).mean() > 3.0 * (p1 - p0).mean()


def test_what_is_calibrated_already_is_left_alone() -> None:
    p, churned = simulated(5_000)
    chosen = choose_calibrator(p, churned, folds(5_000))
    assert chosen.name == "none"
    np.testing.assert_array_equal(chosen.calibrator.calibrate(p), p)
    assert list(chosen.losses.index) == NAMES
    assert (chosen.losses["behind"] >= 0.0).all()
    assert (chosen.losses["behind"] == 0.0).sum() == 1


def test_losses_are_of_customers_that_the_calibrator_had_not_seen() -> None:
    p, churned = simulated(900)
    chosen = choose_calibrator(by_platt(p), churned, folds(900), candidates=["platt"])
    told = np.empty(900)
    for fold in range(3):
        mine = folds(900) == fold
        told[mine] = PlattCalibrator().fit(by_platt(p)[~mine], churned[~mine]).calibrate(by_platt(p)[mine])
    row = chosen.losses.loc["platt"]
    assert row["log_loss"] == pytest.approx(log_loss(churned, told), rel=1e-12)
    assert row["brier"] == pytest.approx(((told - churned) ** 2).mean(), rel=1e-12)
    assert chosen.calibrator.slope_ == PlattCalibrator().fit(by_platt(p), churned).slope_


def test_the_order_of_rows_chooses_nothing() -> None:
    p, churned = simulated(1_500)
    order = np.random.default_rng(0).permutation(1_500)
    one = choose_calibrator(by_platt(p), churned, folds(1_500))
    other = choose_calibrator(by_platt(p)[order], churned[order], folds(1_500)[order])
    assert one.name == other.name
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-6, atol=1e-9)


def test_of_few_customers_nothing_is_learned_unless_it_was_asked_for() -> None:
    p, churned = simulated(3_000)
    few = np.flatnonzero(churned)[: FEW - 1]
    rows = np.r_[few, np.flatnonzero(~churned)[:300]]
    chosen = choose_calibrator(by_platt(p[rows]), churned[rows], folds(len(rows)))
    assert chosen.name == "none"
    assert chosen.losses.empty
    one_class = np.where(churned, 0, 1)
    assert choose_calibrator(by_platt(p), churned, one_class).name == "none"
    asked = choose_calibrator(by_platt(p[rows]), churned[rows], folds(len(rows)), candidates=["isotonic"])
    assert asked.name == "isotonic"
    assert len(asked.calibrator.knots_) > 1
    assert choose_calibrator([], [], [], candidates=["none"]).calibrator.calibrate([0.4]) == [0.4]


def test_what_is_no_probability_or_does_not_match_is_refused() -> None:
    p, churned = simulated(60)
    for bad in (p + 1.0, np.where(p > 0.3, np.nan, p), p[:, np.newaxis]):
        with pytest.raises(DataError, match=r"predict_proba"):
            PlattCalibrator().fit(bad, churned)
    with pytest.raises(DataError, match="one number from 0 to 1 a customer; could not convert"):
        PlattCalibrator().fit(["much"] * 60, churned)
    told = pd.Series(p).sort_values()
    with pytest.raises(DataError, match=r"outcome must be told of the rows of X .* outcome.loc\[X.index\]"):
        PlattCalibrator().fit(told, pd.Series(churned))
    in_order = PlattCalibrator().fit(told, pd.Series(churned)[told.index])
    assert in_order.slope_ == pytest.approx(PlattCalibrator().fit(p, churned).slope_, rel=1e-9)
    with pytest.raises(DataError, match="one number for each of 60"):
        PlattCalibrator().fit(p, churned[:50])
    with pytest.raises(DataError, match="got 60, 60 and 2"):
        choose_calibrator(p, churned, [0, 1])
    with pytest.raises(SettingsError, match=r"none, platt, beta, isotonic, venn-abers; got 'spline'"):
        choose_calibrator(p, churned, folds(60), candidates=["spline"])
    with pytest.raises(DataError):
        choose_calibrator([], [], [], candidates=["platt"])
