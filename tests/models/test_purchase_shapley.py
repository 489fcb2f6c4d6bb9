"""Shapley's axioms, for any answer and for the models that use it."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import habitue as hb
from habitue.errors import SchemaError
from habitue.models import BTYDChurnClassifier, BTYDValueRegressor
from habitue.models.purchase_shapley import known_things, shapley, typical_customer

THINGS = ["frequency", "inactivity", "T"]

days = st.integers(0, 400).map(float)
weights = st.lists(st.floats(-2.0, 2.0), min_size=3, max_size=3)


@st.composite
def things(draw: st.DrawFn) -> pd.DataFrame:
    """Customers as they can be: silent no longer than they are customers."""
    rows = draw(st.lists(st.tuples(st.integers(0, 9).map(float), days, days), min_size=1, max_size=6))
    frame = pd.DataFrame(rows, columns=THINGS)
    silent = np.where(frame["frequency"] > 0, np.minimum(frame["inactivity"], frame["T"]), frame["T"])
    return frame.assign(inactivity=silent)


def curved(by: list[float]):
    """Return an answer in which everything depends on everything."""

    def answer(X: pd.DataFrame) -> np.ndarray:
        x, r, T = (X[name].to_numpy() for name in ("frequency", "recency", "T"))
        return by[0] * np.log1p(x) * np.sqrt(T) + by[1] * np.tanh((T - r) / 90.0) + by[2] * x * r / (1.0 + T)

    return answer


def as_history(things: pd.DataFrame) -> pd.DataFrame:
    recency = np.where(things["frequency"] > 0, things["T"] - things["inactivity"], 0.0)
    return things.assign(recency=recency)


@settings(max_examples=25, deadline=None)
@given(things(), weights)
def test_the_parts_add_up(things: pd.DataFrame, by: list[float]) -> None:
    typical = things.iloc[0]
    answer = curved(by)
    parts = shapley(answer, things, typical)
    difference = answer(as_history(things)) - answer(as_history(things.iloc[[0]]))
    np.testing.assert_allclose(parts.sum(axis=1), difference, atol=1e-9)
    np.testing.assert_allclose(parts.iloc[0], 0.0, atol=1e-12)  # nothing sets the typical customer apart
    pd.testing.assert_index_equal(parts.index, things.index)


@settings(max_examples=12, deadline=None)
@given(things(), weights)
def test_it_is_the_mean_over_all_orders_of_getting_to_know_a_customer(
    things: pd.DataFrame, by: list[float]
) -> None:
    """The other definition of Shapley's value, computed as it reads."""
    typical, answer = things.iloc[0], curved(by)
    expected = pd.DataFrame(0.0, index=things.index, columns=THINGS)
    for order in permutations(THINGS):
        known = things.copy()
        known[:] = typical.to_numpy()
        for name in order:
            before = answer(possible(known))
            known[name] = things[name]
            expected[name] += (answer(possible(known)) - before) / 6.0
    np.testing.assert_allclose(shapley(answer, things, typical), expected, atol=1e-9)


def possible(things: pd.DataFrame) -> pd.DataFrame:
    recency = (things["T"] - things["inactivity"]).clip(lower=0.0)
    return things.assign(recency=recency.where(things["frequency"] > 0, 0.0))


@settings(max_examples=12, deadline=None)
@given(things(), st.floats(-2.0, 2.0))
def test_what_the_answer_does_not_read_moves_nothing(things: pd.DataFrame, weight: float) -> None:
    parts = shapley(lambda X: weight * X["frequency"].to_numpy(), things, things.iloc[0])
    assert (parts[["inactivity", "T"]] == 0.0).all(axis=None)


def test_two_things_that_do_the_same_share_alike() -> None:
    things = pd.DataFrame({"frequency": [5.0], "inactivity": [0.0], "T": [5.0]})
    typical = pd.Series({"frequency": 1.0, "inactivity": 0.0, "T": 1.0})
    parts = shapley(lambda X: (X["frequency"] * X["T"]).to_numpy(), things, typical)
    assert parts.loc[0, "frequency"] == parts.loc[0, "T"] == 12.0


@settings(max_examples=12, deadline=None)
@given(things(), weights, st.permutations(THINGS))
def test_the_order_of_columns_changes_nothing(
    things: pd.DataFrame, by: list[float], order: list[str]
) -> None:
    parts = shapley(curved(by), things, things.iloc[0])
    moved = shapley(curved(by), things[order], things.iloc[0])
    np.testing.assert_allclose(moved[THINGS], parts, atol=1e-9)


def test_inactivity_is_always_counted_anew() -> None:
    X = pd.DataFrame({"frequency": [1], "recency": [30], "T": [90], "inactivity": [7]}, index=["ann"])
    assert known_things(X, THINGS).loc["ann"].to_list() == [1.0, 60.0, 90.0]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(SchemaError, match="recency"):
        known_things(pd.DataFrame({"frequency": [1], "T": [90]}), THINGS)


def test_the_typical_customer_makes_whole_purchases() -> None:
    """A median of 0 and 1 is no half purchase: probability models refuse those."""
    assert typical_customer(pd.DataFrame({"frequency": [0.0, 1.0, 3.0, 0.0]}))["frequency"] == 0.0
    assert typical_customer(pd.DataFrame({"frequency": [1.0, 1.0, 2.0, 2.0]}))["frequency"] == 1.0


@pytest.fixture(scope="module")
def X() -> pd.DataFrame:
    log = hb.datasets.cdnow(sample=True)
    return hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91)).X.iloc[:600]


def one_customer(typical: dict[str, float]) -> pd.DataFrame:
    return possible(pd.DataFrame([typical]))


def test_reasons_for_churn_add_up_to_the_log_odds(X: pd.DataFrame) -> None:
    model = BTYDChurnClassifier(horizon=91).fit(X)
    chance, usual = model.predict_proba(X)[:, 1], model.predict_proba(one_customer(model.typical_))[0, 1]
    difference = np.log(chance / (1 - chance)) - np.log(usual / (1 - usual))
    parts = model.contributions(X)
    assert list(parts) == THINGS
    np.testing.assert_allclose(parts.sum(axis=1), difference, atol=1e-9)


def test_reasons_for_value_add_up_to_its_log(X: pd.DataFrame) -> None:
    model = BTYDValueRegressor(horizon=91).fit(X)
    difference = np.log(model.predict(X)) - np.log(model.predict(one_customer(model.typical_)))
    parts = model.contributions(X)
    assert list(parts) == [*THINGS, "monetary_value"]
    np.testing.assert_allclose(parts.sum(axis=1), difference, atol=1e-9)


def test_an_amount_that_a_one_time_buyer_lacks_is_no_obstacle(X: pd.DataFrame) -> None:
    model = BTYDValueRegressor(horizon=91).fit(X)
    gaps = X.assign(monetary_value=X["monetary_value"].where(X["frequency"] > 0))
    assert gaps["monetary_value"].isna().any()
    np.testing.assert_array_equal(model.predict(gaps), model.predict(X))
    np.testing.assert_array_equal(model.contributions(gaps), model.contributions(X))
    assert model.fit(gaps).typical_ == BTYDValueRegressor(horizon=91).fit(X).typical_
