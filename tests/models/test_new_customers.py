"""New customers, of whom one purchase is known and no more: what models answer, and why."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import habitue as hb
from habitue.models import (
    BGNBD,
    MBGNBD,
    NBD,
    BaseRateClassifier,
    BGCNBDk,
    BoostedChurnClassifier,
    BoostedHazardModel,
    BoostedValueRegressor,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    ChurnAnswers,
    GammaGamma,
    GGompertzNBD,
    HiatusClassifier,
    LastPeriodRepeatClassifier,
    LastPeriodRepeatRegressor,
    LogisticChurnClassifier,
    MBGCNBDk,
    MeanRegressor,
    ParetoNBD,
    RateClassifier,
    RateRegressor,
    StackedChurnClassifier,
    StackedValueRegressor,
    ValueAnswers,
    ValueInterval,
    ZeroRegressor,
)

HORIZON = 91
TREES = {"n_estimators": 30, "early_stopping": False, "n_jobs": 1, "min_child_samples": 20}
NOBODY_YET = pd.DataFrame({"frequency": [0.0], "recency": [0.0], "T": [0.0], "monetary_value": [0.0]})

FAMILIES = {
    "nbd": NBD(horizon=HORIZON),
    "bgnbd": BGNBD(horizon=HORIZON),
    "mbgnbd": MBGNBD(horizon=HORIZON),
    "bgcnbdk": BGCNBDk(k=2, horizon=HORIZON),
    "mbgcnbdk": MBGCNBDk(k=2, horizon=HORIZON),
    "pareto_nbd": ParetoNBD(horizon=HORIZON),
    "ggompertz_nbd": GGompertzNBD(horizon=HORIZON, penalizer=1e-3),
}
CHURN = {
    "BG/NBD": BTYDChurnClassifier(horizon=HORIZON),
    "Pareto/NBD": BTYDChurnClassifier(horizon=HORIZON, purchases=ParetoNBD(penalizer=0.01)),
    "logistic": LogisticChurnClassifier(),
    "boosted": BoostedChurnClassifier(calibration="none", **TREES),
    "boosted with answers": BoostedChurnClassifier(calibration="none", btyd_features=True, **TREES),
    "hazards": BoostedHazardModel(horizon=HORIZON, **TREES),
    "hazards by age": BoostedHazardModel(horizon=HORIZON, age="T", **TREES),
    "stacked": StackedChurnClassifier(
        models={
            "BG/NBD": BTYDChurnClassifier(purchases=BGNBD(penalizer=0.01)),
            "LightGBM": BoostedChurnClassifier(calibration="none", **TREES),
        },
        n_folds=2,
    ),
    "rate": RateClassifier(horizon=HORIZON),
    "last period": LastPeriodRepeatClassifier(),
    "hiatus": HiatusClassifier(),
    "base rate": BaseRateClassifier(),
}
VALUE = {
    "BG/NBD + gamma-gamma": BTYDValueRegressor(horizon=HORIZON),
    "tweedie": BoostedValueRegressor(**TREES),
    "hurdle": BoostedValueRegressor(law="hurdle", **TREES),
    "zero-inflated": BoostedValueRegressor(law="zero_inflated_lognormal", **TREES),
    "squared": BoostedValueRegressor(law="squared", **TREES),
    "stacked": StackedValueRegressor(
        models={
            "BG/NBD + gamma-gamma": BTYDValueRegressor(
                purchases=BGNBD(penalizer=0.01), spend=GammaGamma(penalizer=0.01)
            ),
            "LightGBM": BoostedValueRegressor(**TREES),
        },
        n_folds=2,
    ),
    "rate": RateRegressor(horizon=HORIZON),
    "last period": LastPeriodRepeatRegressor(),
    "mean": MeanRegressor(),
    "zero": ZeroRegressor(),
}
TREES_ONLY = ("boosted", "hazards", "tweedie", "hurdle", "zero-inflated", "squared")


def fitted(model: Any, X: pd.DataFrame, y: pd.DataFrame) -> Any:
    from sklearn.base import clone

    target = "churned" if hasattr(model, "predict_proba") else "spend"
    return clone(model).fit(X, y[target])


def asked(model: Any, X: pd.DataFrame) -> np.ndarray:
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)[:, 1]
    return np.asarray(model.predict(X), dtype=np.float64)


@pytest.fixture(scope="module")
def late() -> hb.Snapshot:
    """A base in which nobody is new: all came in the first quarter, nine months ago or longer."""
    return hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-12-30", horizon=HORIZON))


@pytest.fixture(scope="module")
def early() -> hb.Snapshot:
    """The same customers while they came, some of them on the very day of the cutoff."""
    return hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-03-20", horizon=HORIZON))


@pytest.fixture(scope="module")
def others(early: hb.Snapshot) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every second customer, to learn from."""
    return early.X.iloc[::2], early.outcomes.iloc[::2]


@pytest.fixture(scope="module")
def newcomers(early: hb.Snapshot) -> pd.DataFrame:
    """Those of the rest whose first purchase is of the day of the cutoff."""
    X = early.X.iloc[1::2]
    return X[X["T"] == 0]


# --- probability models answer with the law of the population


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, late: hb.Snapshot) -> tuple[Any, Any]:
    """A fitted model, and its formulas."""
    name = request.param
    return FAMILIES[name].fit(late.X), import_module(f"habitue.numerics.{name}")


@pytest.mark.parametrize("horizon", [1.0, HORIZON, 1_000.0])
def test_a_newcomer_is_a_draw_from_the_population(family: tuple[Any, Any], horizon: float) -> None:
    model, formulas = family
    expected = formulas.expected_purchases_new(model.params_, horizon)
    none = formulas.purchase_pmf_new(model.params_, horizon, 0)
    answered = model.expected_purchases(NOBODY_YET, horizon=horizon)
    np.testing.assert_allclose(answered, expected, rtol=1e-9)
    np.testing.assert_allclose(model.p_no_purchase(NOBODY_YET, horizon=horizon), none, rtol=1e-9)


def test_every_day_without_a_second_purchase_lowers_what_is_expected(family: tuple[Any, Any]) -> None:
    model, _ = family
    silent = pd.DataFrame({"frequency": 0.0, "recency": 0.0, "T": np.arange(0.0, 700.0, 7.0)})
    assert (np.diff(model.expected_purchases(silent, horizon=HORIZON)) < 0).all()
    assert (np.diff(model.p_no_purchase(silent, horizon=HORIZON)) > 0).all()
    assert (np.diff(model.p_alive(silent)) <= 1e-12).all()


@given(st.floats(0.0, 2_000.0), st.floats(0.5, 1_000.0))
@settings(max_examples=15, deadline=None)
def test_what_is_said_of_one_time_customers_agrees_with_itself(
    family: tuple[Any, Any], T: float, horizon: float
) -> None:
    """Chances are chances; and by Markov's inequality P(none) >= 1 - E[purchases]."""
    model, _ = family
    X = pd.DataFrame({"frequency": [0.0], "recency": [0.0], "T": [T]})
    alive, none = float(model.p_alive(X)[0]), float(model.p_no_purchase(X, horizon=horizon)[0])
    expected = float(model.expected_purchases(X, horizon=horizon)[0])
    assert 0.0 <= alive <= 1.0
    assert 1.0 - alive - 1e-9 <= none <= 1.0
    assert none >= 1.0 - expected - 1e-9


@pytest.mark.parametrize("name", FAMILIES)
def test_who_may_leave_after_the_first_purchase_may_have_left_today(name: str, late: hb.Snapshot) -> None:
    alive = float(FAMILIES[name].fit(late.X).p_alive(NOBODY_YET)[0])
    assert (alive < 0.9) if name.startswith("mbg") else (alive == 1.0)


def test_money_of_one_time_customers_is_that_of_the_population(late: hb.Snapshot) -> None:
    """What they paid once is not read: monetary_value is the mean of repeat purchases."""
    model = BTYDValueRegressor(horizon=HORIZON).fit(late.X)
    p, q, v = model.spend_.params_
    purchases = float(model.purchases_.expected_purchases(NOBODY_YET, horizon=HORIZON)[0])
    expected = purchases * p * v / (q - 1.0)
    assert model.predict(NOBODY_YET)[0] == pytest.approx(expected, rel=1e-9)
    dear = NOBODY_YET.assign(spend_first=1e6, spend_total=1e6)
    np.testing.assert_array_equal(model.predict(dear), model.predict(NOBODY_YET))


# --- boosted models answer with the leaves of one-time customers


@pytest.mark.parametrize("name", TREES_ONLY)
def test_trees_know_nothing_beyond_who_they_learned_from(
    name: str, late: hb.Snapshot, newcomers: pd.DataFrame
) -> None:
    """Somebody new is answered like the newest they have seen, here one who has been silent for months."""
    model = fitted((CHURN | VALUE)[name], late.X, late.outcomes)
    within = newcomers.clip(late.X.min(), late.X.max(), axis=1)
    assert not within.equals(newcomers)
    np.testing.assert_array_equal(asked(model, newcomers), asked(model, within))


@pytest.mark.parametrize("name", ["boosted", "tweedie"])
def test_where_newcomers_were_learned_from_their_leaves_are_those_of_one_time_customers(
    name: str, others: tuple[pd.DataFrame, pd.DataFrame], newcomers: pd.DataFrame
) -> None:
    X, y = others
    model = fitted((CHURN | VALUE)[name], X, y)
    booster = model.booster_ if name == "boosted" else model.boosters_["spend"]
    once = X[X["frequency"] == 0]
    known, new = (np.asarray(booster.predict(rows.to_numpy(), pred_leaf=True)) for rows in (once, newcomers))
    for tree in range(known.shape[1]):
        assert set(new[:, tree]) <= set(known[:, tree])


# --- all models answer, and sensibly


@pytest.mark.parametrize("name", CHURN)
def test_a_newcomer_has_a_chance_of_leaving(
    name: str, others: tuple[pd.DataFrame, pd.DataFrame], newcomers: pd.DataFrame
) -> None:
    chances = fitted(CHURN[name], *others).predict_proba(newcomers)
    assert len(newcomers) > 5
    assert ((chances >= 0.0) & (chances <= 1.0)).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)


@pytest.mark.parametrize("name", VALUE)
def test_a_newcomer_has_a_value(
    name: str, others: tuple[pd.DataFrame, pd.DataFrame], newcomers: pd.DataFrame
) -> None:
    value = asked(fitted(VALUE[name], *others), newcomers)
    assert np.isfinite(value).all()
    assert (value >= 0.0).all()


@pytest.mark.parametrize("name", ["BG/NBD", "logistic", "boosted", "hazards", "stacked"])
def test_all_that_is_served_of_a_newcomer_is_there(
    name: str, others: tuple[pd.DataFrame, pd.DataFrame], newcomers: pd.DataFrame
) -> None:
    purchases = BGNBD().fit(others[0])
    answers = ChurnAnswers(classifier=fitted(CHURN[name], *others), purchases=purchases, horizon=HORIZON)
    table = answers.answer(newcomers)
    assert table.notna().all(axis=None)
    chances = table.filter(regex="probability|p_alive")
    assert ((chances >= 0.0) & (chances <= 1.0)).all(axis=None)
    assert np.isfinite(answers.contributions(newcomers)).all(axis=None)


@pytest.mark.parametrize("name", ["BG/NBD + gamma-gamma", "tweedie", "stacked"])
def test_the_interval_of_a_newcomer_is_no_narrower_than_that_of_others_worth_as_much(
    name: str, early: hb.Snapshot, others: tuple[pd.DataFrame, pd.DataFrame], newcomers: pd.DataFrame
) -> None:
    """It rests on the prediction alone, as if histories were alike; and it reaches down to nothing."""
    model = fitted(VALUE[name], *others)
    judged = early.X.iloc[1::2]
    interval = ValueInterval().fit(asked(model, judged), early.outcomes["spend"].iloc[1::2])
    purchases = BGNBD().fit(others[0])
    answers = ValueAnswers(regressor=model, purchases=purchases, interval=interval, horizon=HORIZON)
    of_new, of_all = answers.answer(newcomers), answers.answer(judged)
    assert of_new.select_dtypes("number").notna().all(axis=None)
    assert (of_new["clv_lower"] == 0.0).all()
    assert (of_new["clv"] <= of_new["clv_upper"]).all()
    level = np.searchsorted(interval.edges_, of_new["clv"], side="right")
    levels = np.searchsorted(interval.edges_, of_all["clv"], side="right")
    ratio = (of_all["clv_upper"] - of_all["clv_lower"]) / of_all["clv"]
    for place, (_, one) in zip(level, of_new.iterrows(), strict=True):
        width = (one["clv_upper"] - one["clv_lower"]) / one["clv"]
        assert width == pytest.approx(ratio[levels == place].max(), rel=1e-9)
