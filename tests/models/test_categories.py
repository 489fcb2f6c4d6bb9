"""Categories: learned whatever their order, told by what they say, and counted where they are new."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.base import clone, is_classifier

from habitue.errors import DataError, HabitueWarning, SchemaError
from habitue.models import (
    BoostedChurnClassifier,
    BoostedHazardModel,
    BoostedValueRegressor,
    LogisticChurnClassifier,
    QuantileValueInterval,
    TunedModel,
    load_model,
    save_model,
)
from habitue.models.value_laws import LAWS

TREES: dict[str, Any] = {"n_estimators": 8, "min_child_samples": 10, "n_jobs": 1}
MODELS: dict[str, Any] = {
    "boosted churn": BoostedChurnClassifier(**TREES),
    "hazard": BoostedHazardModel(**TREES),
    "tuned churn": TunedModel(BoostedChurnClassifier(**TREES), n_trials=1),
    **{f"boosted value, {law}": BoostedValueRegressor(law=law, **TREES) for law in LAWS},
    "tuned value": TunedModel(BoostedValueRegressor(**TREES), n_trials=1),
    "logistic": LogisticChurnClassifier(),
}
every_model = pytest.mark.parametrize("name", MODELS)

LEAVE = ("basic", "gold", "green", "silver")
PLANS = (*LEAVE, "black", "blue", "red", "white")


def on_plans(n: int = 800) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return customers of whom half of the plans leave and others spend: no order of plans tells which."""
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, len(PLANS), n)  # -1 is missing
    plan = pd.Categorical.from_codes(codes, [*sorted(PLANS), "planned for next year"])
    leaves = np.isin(codes, [at for at, one in enumerate(sorted(PLANS)) if one in LEAVE])
    churned = rng.uniform(size=n) < np.where(leaves, 0.9, 0.1)
    rows = pd.DataFrame({"plan": plan, "T": rng.uniform(50.0, 90.0, n)})
    return rows, pd.DataFrame({"churned": churned, "spend": np.where(churned, 0.0, rng.gamma(9.0, 2.0, n))})


PLANNED, DONE = on_plans()


def target(model: object) -> Any:
    return DONE["churned"] if is_classifier(model) else DONE["spend"]


def answer(model: Any, rows: pd.DataFrame) -> np.ndarray:
    return model.predict_proba(rows)[:, 1] if is_classifier(model) else np.asarray(model.predict(rows))


def fresh(name: str) -> Any:
    return clone(MODELS[name])


@cache
def fitted(name: str) -> Any:
    return fresh(name).fit(PLANNED, target(MODELS[name]))


def of_plans(*plans: Any) -> pd.DataFrame:
    return pd.DataFrame({"plan": list(plans), "T": 70.0})


@every_model
def test_categories_are_learned_whatever_their_order(name: str) -> None:
    of = dict(zip(PLANS, answer(fitted(name), of_plans(*PLANS)), strict=True))
    leave, stay = ([of[plan] for plan in PLANS if (plan in LEAVE) == one] for one in (True, False))
    assert min(leave) > max(stay) if is_classifier(MODELS[name]) else max(leave) < min(stay)


@every_model
def test_categories_are_told_by_what_they_say(name: str) -> None:
    model = fitted(name)
    expected = answer(model, PLANNED)
    said = PLANNED["plan"].astype(object)
    for one in (
        said,
        said.where(said.notna(), None),
        said.astype("str"),
        said.astype("string[pyarrow]"),
        said.astype("category"),
        PLANNED["plan"].cat.reorder_categories(PLANNED["plan"].cat.categories[::-1]),
    ):
        np.testing.assert_array_equal(answer(model, PLANNED.assign(plan=one)), expected)


@every_model
def test_categories_not_seen_in_fitting_count_as_missing_and_are_counted(name: str) -> None:
    model = fitted(name)
    strange = of_plans("platinum", "gold", "platinum", "planned for next year", None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        told = answer(model, strange)
    assert [one.category for one in caught] == [HabitueWarning]
    assert "plan of 3 of 5 customers, such as 'platinum'" in str(caught[0].message)
    np.testing.assert_array_equal(told, answer(model, of_plans(None, "gold", None, None, None)))


@every_model
def test_categories_keep_their_kind(name: str) -> None:
    with pytest.raises(SchemaError, match=r"categories such as 'basic' in column plan.* such as 1\b.* alike"):
        answer(fitted(name), of_plans(1, 2))
    numbers = PLANNED.assign(plan=PLANNED["plan"].cat.codes.astype("category"))
    model = fresh(name).fit(numbers, target(MODELS[name]))
    expected = answer(model, numbers)
    for kind in ("int64", "float64", "Int64", "object"):
        np.testing.assert_array_equal(answer(model, numbers.astype({"plan": kind})), expected)
    with pytest.raises(SchemaError, match=r"such as 'gold'. Write them alike"):
        answer(model, of_plans("gold"))
    assert np.isfinite(answer(model, of_plans(None, np.nan))).all()


@every_model
def test_reasons_are_one_a_column_of_categories(name: str) -> None:
    model = fitted(name)
    reasons = model.contributions(PLANNED)
    assert list(reasons.columns[:2]) == ["plan", "T"]
    told = answer(model, PLANNED)
    score = logit(told) if is_classifier(MODELS[name]) else np.log(told)
    apart = score - reasons.sum(axis=1)
    np.testing.assert_allclose(apart, apart.iloc[0], atol=1e-6)
    assert reasons["plan"].abs().mean() > 3.0 * reasons["T"].abs().mean()


@every_model
def test_categories_are_stored_as_text(name: str, tmp_path: Path) -> None:
    model = fitted(name)
    save_model(model, tmp_path / "model")
    back = load_model(tmp_path / "model")
    assert {path.suffix for path in (tmp_path / "model").iterdir()} <= {".json", ".txt"}
    assert answer(back, PLANNED).tobytes() == answer(model, PLANNED).tobytes()
    with pytest.warns(HabitueWarning, match="such as 'platinum'"):
        answer(back, of_plans("platinum"))


def test_a_rare_category_does_not_trouble_those_who_judge_settings() -> None:
    rare = PLANNED.assign(plan=PLANNED["plan"].cat.add_categories("rare"))
    rare.loc[rare.index[:2], "plan"] = "rare"
    for name in ("tuned churn", "tuned value"):
        assert fresh(name).fit(rare, target(MODELS[name])).best_estimator_.levels_["plan"][-1] == "rare"


def test_categories_act_in_no_direction() -> None:
    model = BoostedChurnClassifier(monotone=True, **TREES)
    rows = PLANNED.rename(columns={"plan": "inactivity"})
    told = answer(model.fit(rows, DONE["churned"]), rows)
    assert told.std() > 0.1


def test_hazards_of_durations_know_categories_but_none_of_age() -> None:
    y = pd.DataFrame({"duration": np.where(DONE["churned"], 40.0, 100.0), "event": DONE["churned"]})
    model = BoostedHazardModel(**TREES).fit(PLANNED.assign(age=5.0), y)
    leave, stay = model.predict_proba(of_plans("gold", "red").assign(age=5.0), horizon=60, entry=0)[:, 1]
    assert leave > 1.5 * stay
    with pytest.raises(SchemaError, match="days in column plan, which age names"):
        BoostedHazardModel(age="plan", **TREES).fit(PLANNED, y)


def test_intervals_know_categories() -> None:
    interval = QuantileValueInterval(**TREES).fit(PLANNED, DONE["spend"], np.full(len(DONE), 9.0))
    lower, upper = interval.bounds(of_plans("gold", "red"), [9.0, 9.0])
    assert upper[0] < upper[1]
    assert [len(end) for end in interval.bounds(PLANNED.iloc[:0], [])] == [0, 0]
    assert (lower >= 0.0).all()
    with pytest.warns(HabitueWarning, match="plan of 1 of 1 customers"):
        interval.bounds(of_plans("platinum"), [9.0])
    with pytest.raises(DataError, match="prediction must be told of the rows of X"):
        interval.fit(PLANNED, DONE["spend"], pd.Series(9.0, index=PLANNED.index[::-1]))
