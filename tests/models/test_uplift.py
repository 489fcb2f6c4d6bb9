"""Learners of effects: they find what is there, nothing where there is nothing, and their reasons add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from habitue.errors import SchemaError, SettingsError
from habitue.models.persistence import load_model, save_model
from habitue.models.uplift.gathering import gather
from habitue.models.uplift.inputs import deal_folds, read_experiment
from habitue.models.uplift.learners import LEARNERS
from habitue.models.uplift.model import UpliftModel

learners = pytest.mark.parametrize("learner", LEARNERS)
able = pytest.mark.parametrize("learner", ["T", "X", "DR", "R"])


class Trial(NamedTuple):
    X: pd.DataFrame
    y: np.ndarray
    arm: np.ndarray
    chance: np.ndarray
    truth: pd.DataFrame


def trial(n: int = 3_000, *, seed: int = 0, kind: str = "binary", effect: float = 1.0) -> Trial:
    """Draw arms by chances; the call helps the inactive, the gift those with the premium plan."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"inactivity": rng.uniform(size=n), "frequency": rng.poisson(3.0, n) * 1.0})
    X["plan"] = pd.Categorical(rng.choice(["basic", "premium"], n))
    X.loc[rng.uniform(size=n) < 0.1, "frequency"] = np.nan
    premium = (X["plan"] == "premium").to_numpy()
    chances = np.where(premium[:, None], [0.4, 0.3, 0.3], [0.2, 0.4, 0.4])
    drawn = (rng.uniform(size=(n, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    truth = pd.DataFrame({"call": 0.4 * X["inactivity"], "gift": 0.3 * premium}) * effect
    lift = np.column_stack([np.zeros(n), truth])[np.arange(n), drawn]
    mean = 0.15 + 0.2 * premium + lift
    y = (rng.uniform(size=n) < mean).astype(float)
    if kind == "spend":
        y, truth = y * rng.lognormal(3.0, 0.7, n), truth * np.exp(3.0 + 0.7**2 / 2.0)
    elif kind == "continuous":
        y = mean + rng.normal(0.0, 0.4, n)
    names = np.array(["control", "call", "gift"])
    return Trial(X, y, names[drawn], chances[np.arange(n), drawn], truth)


def small(**changes: Any) -> UpliftModel:
    settings: dict[str, Any] = {"n_estimators": 60, "n_replicates": 0, "n_jobs": 1, "n_folds": 3}
    return UpliftModel(**(settings | changes))


@able
@pytest.mark.parametrize("kind", ["binary", "continuous", "spend"])
def test_it_finds_who_gains_from_what(learner: str, kind: str) -> None:
    one = trial(4_000, kind=kind)
    model = small(learner=learner).fit(one.X, one.y, one.arm, one.chance)
    assert model.kind_ == kind
    fresh = trial(2_000, seed=1, kind=kind)
    told = model.predict(fresh.X)
    assert list(told) == model.arms_ == ["call", "gift"]
    assert told.index.equals(fresh.X.index)
    for arm in model.arms_:
        assert np.corrcoef(told[arm], fresh.truth[arm])[0, 1] > 0.55, arm
        error = ((told[arm] - fresh.truth[arm]) ** 2).mean()
        assert error < 0.9 * fresh.truth[arm].var(), arm


@learners
def test_the_mean_of_predictions_is_the_average_effect_and_that_is_right(learner: str) -> None:
    one = trial()
    model = small(learner=learner).fit(one.X, one.y, one.arm, one.chance)
    effects = model.effects_
    np.testing.assert_allclose(model.predict(one.X).mean(), effects["effect"], atol=1e-9)
    wide = 1.5 * (effects["upper"] - effects["lower"])
    assert ((effects["effect"] - one.truth.mean()).abs() < wide / 2.0).all()
    assert effects["n"].tolist() == [(one.arm == arm).sum() for arm in model.arms_]


@able
def test_without_heterogeneity_everybody_gets_nearly_the_average(learner: str) -> None:
    one = trial(effect=0.0)
    model = small(learner=learner).fit(one.X, one.y, one.arm, one.chance)
    assert (model.predict(one.X).std() < 0.05).all()


@pytest.mark.parametrize("learner", ["T", "DR"])
def test_differences_are_seldom_found_where_there_are_none(learner: str) -> None:
    """Cross-fitting done wrongly, or trees picked to fit those who judge them, finds them all the time."""
    found = 0
    for seed in range(8):
        one = trial(800, seed=seed, effect=0.0, kind="continuous")
        model = small(learner=learner, n_estimators=30, num_leaves=(2,))
        found += model.fit(one.X, one.y, one.arm, one.chance).calibration_["found"].sum()
    assert found <= 2  # of 16


@pytest.mark.parametrize("learner", ["T", "DR"])
def test_isotonic_effects_agree_with_scores_on_every_step(learner: str) -> None:
    one = trial()
    model = small(learner=learner, calibration="isotonic")
    material = gather(model, one.X, one.y, one.arm, one.chance)
    model.learn(material)
    for place, arm in enumerate(model.arms_, start=1):
        values = model.calibrated_[arm].values
        assert (np.diff(values) > 0.0).all()
        assert set(model.predict(one.X)[arm]) <= set(values)
        assert values[0] <= material.effect_scores(place).mean() <= values[-1]


def test_chances_given_set_right_what_shares_get_wrong() -> None:
    """Premium customers do better and drew the control more often: shares call that an effect."""
    one = trial(10_000, effect=0.0)
    model = small(learner="average", n_estimators=20)
    with_chances = model.fit(one.X, one.y, one.arm, one.chance).effects_
    by_strata = clone(model).fit(one.X, one.y, one.arm, strata=one.X["plan"]).effects_
    asked = clone(model).fit(one.X, one.y, one.arm, "estimate").effects_
    for told in (with_chances, by_strata, asked):
        # Within four standard errors of 0: the width of an interval.
        assert (told["effect"].abs() < told["upper"] - told["lower"]).all()
    # The outcome models know the plan; without them shares alone are wrong.
    blind = clone(model).fit(one.X[["inactivity"]], one.y, one.arm).effects_
    assert (blind["upper"] < 0.0).all()


@learners
@pytest.mark.parametrize("calibration", ["linear", "isotonic", "none"])
def test_reasons_and_the_base_add_up_to_the_effect(learner: str, calibration: str) -> None:
    one = trial(1_500)
    model = small(learner=learner, calibration=calibration).fit(one.X, one.y, one.arm, one.chance)
    told = model.predict(one.X[:200])
    for arm in model.arms_:
        parts = model.contributions(one.X[:200], arm=arm)
        assert list(parts) == list(one.X)
        np.testing.assert_allclose(parts.sum(axis=1) + model.base_values_[arm], told[arm], atol=1e-7)


@learners
def test_a_stored_model_says_the_same_bit_for_bit(learner: str, tmp_path: Path) -> None:
    one = trial(1_500)
    model = small(learner=learner, n_replicates=3).fit(one.X, one.y, one.arm, one.chance)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.predict(one.X).to_numpy().tobytes() == model.predict(one.X).to_numpy().tobytes()
    for end, other in zip(again.predict_interval(one.X), model.predict_interval(one.X), strict=True):
        assert end.to_numpy().tobytes() == other.to_numpy().tobytes()
    pd.testing.assert_frame_equal(again.calibration_, model.calibration_)
    pd.testing.assert_frame_equal(again.effects_, model.effects_)


def test_the_same_seed_gives_the_same_effects_and_replicates_move_none() -> None:
    one = trial(1_500)
    told = [
        small(n_replicates=replicates).fit(one.X, one.y, one.arm, one.chance).predict(one.X).to_numpy()
        for replicates in (0, 2, 0)
    ]
    assert told[0].tobytes() == told[1].tobytes() == told[2].tobytes()


def test_the_order_of_rows_of_columns_and_the_unit_of_money_change_nothing_else() -> None:
    one = trial(2_000, kind="spend")
    model = small(learner="DR").fit(one.X, one.y, one.arm, one.chance)
    cents = small(learner="DR").fit(one.X, one.y * 128.0, one.arm, one.chance)
    told = model.predict(one.X)
    np.testing.assert_allclose(cents.predict(one.X) / 128.0, told, rtol=1e-4, atol=1e-3)
    turned = one.X.iloc[::-1, ::-1]
    pd.testing.assert_frame_equal(model.predict(turned), told.iloc[::-1])
    np.testing.assert_allclose(cents.calibration_["slope"], model.calibration_["slope"], rtol=1e-2)


def test_rows_of_one_customer_are_never_on_both_sides() -> None:
    one = trial(600)
    groups = np.arange(600) % 200
    experiment = read_experiment(one.X, one.y, one.arm, control="control", groups=groups)
    fold = deal_folds(experiment, 4, 0)
    assert pd.Series(fold).groupby(groups).nunique().max() == 1
    assert np.bincount(fold).tolist() == [150] * 4


def test_rows_without_weight_are_as_if_not_there() -> None:
    one = trial(1_200)
    weights = np.repeat([1.0, 0.0], [1_000, 200])
    spoilt = one.y.copy()
    spoilt[1_000:] = 1.0 - spoilt[1_000:]
    models = [small().fit(one.X, y, one.arm, one.chance, sample_weight=weights) for y in (one.y, spoilt)]
    pd.testing.assert_frame_equal(models[0].predict(one.X), models[1].predict(one.X))


def test_intervals_nest_and_hold_the_prediction() -> None:
    one = trial(1_500)
    model = small(n_replicates=4).fit(one.X, one.y, one.arm, one.chance)
    told = model.predict(one.X).to_numpy()
    (low, high), (lower, higher) = (model.predict_interval(one.X, share) for share in (0.5, 0.9))
    for ends in zip(lower.to_numpy(), low.to_numpy(), told, high.to_numpy(), higher.to_numpy(), strict=True):
        assert (np.diff(np.array(ends), axis=0) >= 0.0).all()


def test_what_it_cannot_answer() -> None:
    one = trial(900)
    with pytest.raises(NotFittedError):
        small().predict(one.X)
    model = small(learner="average").fit(one.X, one.y, one.arm, one.chance)
    with pytest.raises(SchemaError, match="inactivity"):
        model.predict(one.X.drop(columns="inactivity"))
    with pytest.raises(SettingsError, match="n_replicates"):
        model.predict_interval(one.X)
    with pytest.raises(SettingsError, match="confidence"):
        model.predict_interval(one.X, 1.0)
    with pytest.raises(SettingsError, match="call, gift"):
        model.contributions(one.X)
    assert model.predict(one.X[:0]).shape == (0, 2)
