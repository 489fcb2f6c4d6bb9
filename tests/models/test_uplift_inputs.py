"""Experiments that cannot be learned from get a sentence with the way out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import AssumptionWarning, DataError, HabitueError, SettingsError
from habitue.models.uplift.model import UpliftModel

N = 400


def base() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "X": pd.DataFrame({"recency": rng.uniform(size=N)}),
        "y": rng.integers(0, 2, N).astype(float),
        "arm": np.array(["control", "call"] * (N // 2), dtype=object),
    }


def fit(settings: dict[str, Any] | None = None, **changes: Any) -> UpliftModel:
    model = UpliftModel(n_estimators=2, n_replicates=0, n_jobs=1, n_folds=3).set_params(**(settings or {}))
    return model.fit(**(base() | changes))


def with_one(values: Any, value: Any, place: int = 7) -> Any:
    changed = np.array(values, dtype=object if isinstance(value, str | None) else float)
    changed[place] = value
    return changed


ARM = base()["arm"]

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no control": ({"arm": np.repeat(["a", "b"], N // 2)}, "rows of the arm 'control'.*'a', 'b'"),
    "only the control": ({"arm": ["control"] * N}, "an arm beside 'control'"),
    "a missing label": ({"arm": with_one(ARM, None)}, "1 of 400 labels are missing"),
    "a tiny arm": ({"arm": with_one(ARM, "gift")}, "'gift' has 1"),
    "too few labels": ({"arm": ARM[:-1]}, "one label for each of 400"),
    "a missing outcome": ({"y": with_one(base()["y"], np.nan)}, "y must be finite, got 1"),
    "a chance of 0": ({"propensity": with_one(np.full(N, 0.5), 0.0)}, "first 0 in row 7"),
    "a chance of 1": ({"propensity": with_one(np.full(N, 0.5), 1.0)}, "1 of 400 are not"),
    "a chance beyond 1": ({"propensity": np.full(N, 50.0)}, "above 0 and below 1"),
    "a missing chance": ({"propensity": with_one(np.full(N, 0.5), np.nan)}, "nan in row 7"),
    "chances of all arms": ({"propensity": np.full((N, 2), 0.5)}, "of the arm that was drawn"),
    "words for chances": ({"propensity": ["half"] * N}, "numbers between 0 and 1"),
    "a stratum without an arm": ({"strata": np.where(ARM == "call", "a", "b")}, "every arm in each stratum"),
    "too few groups": ({"groups": np.where(ARM == "call", 1, 2)}, "in each of 3 folds"),
    "other rows": ({"y": pd.Series(np.ones(N), index=range(N)[::-1])}, "rows of X in their order"),
    "text in X": ({"X": pd.DataFrame({"zip": ["urban"] * N})}, "astype"),
}

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "learner": ({"learner": "magic"}, "average, risk, T, X, DR, R; got 'magic'"),
    "calibration": ({"calibration": "beta"}, "linear, isotonic, none"),
    "outcome": ({"outcome": "money"}, "auto, binary, spend, continuous"),
    "n_folds": ({"n_folds": 2}, "n_folds"),
    "num_leaves": ({"num_leaves": ()}, r"such as \(2, 4\)"),
    "num_leaves of 1": ({"num_leaves": (1,)}, "num_leaves"),
    "learning_rate": ({"learning_rate": -1.0}, "learning_rate=-1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data(name: str) -> None:
    changes, told = BAD[name]
    with pytest.raises(DataError, match=told):
        fit(**changes)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings(name: str) -> None:
    settings, told = WRONG[name]
    with pytest.raises(SettingsError, match=told):
        fit(settings)


def test_a_word_that_is_not_estimate() -> None:
    with pytest.raises(SettingsError, match="'estimate' or None; got 'guess'"):
        fit(propensity="guess")


@pytest.mark.parametrize(
    ("kind", "y"), [("binary", np.arange(N) * 1.0), ("spend", np.arange(N) - 3.0)], ids=["binary", "spend"]
)
def test_outcomes_of_another_kind(kind: str, y: np.ndarray) -> None:
    with pytest.raises(DataError, match=kind):
        fit({"outcome": kind}, y=y)


def test_chances_of_being_treated_are_told_from_those_of_the_arm_that_was_drawn() -> None:
    arm = np.where(np.arange(N) % 5 == 0, "control", "call")
    with pytest.warns(AssumptionWarning, match="stand for"):
        fit(arm=arm, propensity=np.full(N, 0.8))
    fit(arm=arm, propensity=np.where(arm == "call", 0.8, 0.2))  # no warning


def test_hardly_ever_drawn() -> None:
    chance = np.full(N, 0.5)
    chance[0] = 0.001
    with pytest.warns(AssumptionWarning) as told:
        fit(propensity=chance)
    assert any("as low as 0.001" in str(one.message) for one in told)


def test_another_name_for_the_control() -> None:
    arm = np.where(base()["arm"] == "control", "none", "call")
    assert fit({"control": "none"}, arm=arm).arms_ == ["call"]


def test_every_refusal_is_one_of_ours() -> None:
    with pytest.raises(HabitueError):
        fit(X=np.full((N, 1), np.inf))
