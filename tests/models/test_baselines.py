"""What every baseline keeps to, and what each of them predicts, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.models.baseline_churn import (
    BaseRateClassifier,
    ContractEndClassifier,
    HiatusClassifier,
    LastPeriodRepeatClassifier,
    RateClassifier,
    TenureClassifier,
)
from habitue.models.baseline_value import (
    LastPeriodRepeatRegressor,
    MeanRegressor,
    RateRegressor,
    ZeroRegressor,
)
from habitue.models.persistence import load_model, save_model

CHURN = [
    BaseRateClassifier(),
    HiatusClassifier(),
    LastPeriodRepeatClassifier(),
    RateClassifier(horizon=90.0),
    TenureClassifier(),
    ContractEndClassifier(horizon=90.0),
]
VALUE = [ZeroRegressor(), MeanRegressor(), LastPeriodRepeatRegressor(), RateRegressor(horizon=90.0)]
NEEDS_NO_Y = {"RateClassifier", "ZeroRegressor", "LastPeriodRepeatRegressor", "RateRegressor"}
USES = {
    "BaseRateClassifier": [],
    "HiatusClassifier": ["inactivity"],
    "LastPeriodRepeatClassifier": ["n_purchases_last_period"],
    "RateClassifier": ["frequency", "T"],
    "TenureClassifier": ["contract_tenure"],
    "ContractEndClassifier": ["contract_days_left_max", "auto_renew_share"],
    "ZeroRegressor": [],
    "MeanRegressor": [],
    "LastPeriodRepeatRegressor": ["spend_last_period"],
    "RateRegressor": ["frequency", "T", "monetary_value"],
}


def name_of(model: object) -> str:
    return type(model).__name__


every_model = pytest.mark.parametrize("model", CHURN + VALUE, ids=name_of)
every_churn_model = pytest.mark.parametrize("model", CHURN, ids=name_of)


def customers(n: int = 200, *, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return X and the outcomes: the longer the silence the likelier the churn."""
    rng = np.random.default_rng(seed)
    T = rng.uniform(100.0, 400.0, n).round()
    inactivity = (T * rng.uniform(size=n)).round()
    frequency = np.where(inactivity < T, rng.poisson(2.0, n) + 1, 0)
    amount = rng.gamma(2.0, 20.0, n)
    bought = np.where(inactivity < 90.0, rng.poisson(1.5, n), 0)
    X = pd.DataFrame(
        {
            "frequency": frequency,
            "recency": T - inactivity,
            "T": T,
            "monetary_value": np.where(frequency > 0, amount, np.nan),
            "inactivity": inactivity,
            "n_purchases_last_period": bought,
            "spend_last_period": bought * amount,
            "contract_tenure": T,
            "contract_days_left_max": np.where(rng.uniform(size=n) < 0.2, np.nan, 400.0 - T),
            "auto_renew_share": rng.choice([0.0, 0.5, 1.0, np.nan], n),
        },
        index=[f"c{i}" for i in range(n)],
    )
    churned = rng.uniform(size=n) < 0.1 + 0.8 * inactivity / 400.0
    spend = np.where(churned, 0.0, amount)
    return X, pd.DataFrame({"churned": churned, "spend": spend}, index=X.index)


def outcome_for(model: object, y: pd.DataFrame) -> pd.Series:
    return y["churned"] if is_classifier(model) else y["spend"]


def predicted(model, X: pd.DataFrame) -> np.ndarray:
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


# ---- laws ----


@every_model
def test_it_follows_scikit_learns_contract(model) -> None:
    X, y = customers()
    unfitted = clone(model)
    assert unfitted.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        unfitted.predict(X)
    assert unfitted.fit(X, outcome_for(model, y)) is unfitted
    assert list(unfitted.feature_names_in_) == USES[name_of(model)]
    assert is_classifier(model) != is_regressor(model)
    assert predicted(unfitted, X).shape == ((len(X), 2) if is_classifier(model) else (len(X),))
    assert unfitted.predict(X).shape == (len(X),)
    assert np.isfinite(unfitted.score(X, outcome_for(model, y)))
    for name, value in vars(unfitted).items():
        assert not name.endswith("_") or isinstance(value, float | int | str | np.ndarray)
        assert not isinstance(value, np.ndarray) or value.dtype != object


@every_model
def test_it_looks_at_the_columns_it_names_and_no_other(model) -> None:
    X, y = customers()
    fitted = clone(model).fit(X, outcome_for(model, y))
    narrow = clone(model).fit(X[USES[name_of(model)]], outcome_for(model, y))
    np.testing.assert_array_equal(predicted(fitted, X), predicted(narrow, X[USES[name_of(model)]]))
    if USES[name_of(model)]:
        lacking = X.drop(columns=USES[name_of(model)][-1])
        with pytest.raises(SchemaError, match=f"missing: {USES[name_of(model)][-1]}.*there are: "):
            fitted.predict(lacking)
        with pytest.raises(SchemaError, match="missing"):
            clone(model).fit(lacking, outcome_for(model, y))


@every_model
def test_it_says_whether_it_needs_an_outcome(model) -> None:
    X, y = customers()
    needs_no_y = name_of(model) in NEEDS_NO_Y
    assert get_tags(model).target_tags.required != needs_no_y
    assert get_tags(model).estimator_type == ("classifier" if is_classifier(model) else "regressor")
    if needs_no_y:
        without, with_y = clone(model).fit(X), clone(model).fit(X, outcome_for(model, y))
        np.testing.assert_array_equal(predicted(without, X), predicted(with_y, X))


@every_model
def test_a_stored_model_predicts_the_same(model, tmp_path: Path) -> None:
    X, y = customers()
    fitted = clone(model).fit(X, outcome_for(model, y))
    save_model(fitted, tmp_path / "model")
    np.testing.assert_array_equal(predicted(load_model(tmp_path / "model"), X), predicted(fitted, X))


@every_model
def test_a_customer_is_judged_alone(model) -> None:
    X, y = customers()
    fitted = clone(model).fit(X, outcome_for(model, y))
    np.testing.assert_array_equal(predicted(fitted, X)[::-3], predicted(fitted, X.iloc[::-3]))


@every_churn_model
def test_probabilities_are_probabilities_and_the_class_is_the_likelier(model) -> None:
    X, y = customers()
    fitted = clone(model).fit(X, y["churned"])
    p = fitted.predict_proba(X)
    assert ((p >= 0.0) & (p <= 1.0)).all()
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert list(fitted.classes_) == [False, True]
    np.testing.assert_array_equal(fitted.predict(X), p[:, 1] > 0.5)


@every_churn_model
@pytest.mark.parametrize("kind", [bool, int, float])
def test_classes_are_of_the_type_of_y_even_if_one_is_absent(model, kind: type) -> None:
    X, _ = customers(20)
    fitted = clone(model).fit(X, np.zeros(20).astype(kind))
    assert list(fitted.classes_) == [0, 1]
    assert fitted.classes_.dtype == np.dtype(kind)
    assert fitted.predict_proba(X).shape == (20, 2)


@pytest.mark.parametrize("model", [m for m in CHURN if name_of(m) not in NEEDS_NO_Y], ids=name_of)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_what_was_learned_is_calibrated_where_it_was_learned(model, seed: int, n: int) -> None:
    X, y = customers(n, seed=seed)
    p = clone(model).fit(X, y["churned"]).predict_proba(X)[:, 1]
    for value in np.unique(p):
        assert y["churned"][p == value].mean() == pytest.approx(value)


# ---- each by hand ----


@given(
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=25),
)
@settings(max_examples=100, deadline=None)
def test_no_threshold_makes_fewer_errors_than_the_one_learned(rows: list[tuple[int, bool]]) -> None:
    silence, churned = (np.array(column) for column in zip(*rows, strict=True))
    model = HiatusClassifier().fit(pd.DataFrame({"inactivity": silence}), churned)

    def errors(threshold: float) -> int:
        return int(((silence > threshold) != churned).sum())

    cuts = np.arange(-1.0, 9.0)
    fewest = min(errors(cut) for cut in cuts)
    assert errors(model.threshold_) == fewest
    observed = [cut for cut in np.unique(silence) if errors(cut) == fewest]
    assert model.threshold_ == (observed[-1] if observed else silence.min() - 1.0)
    wrong = (model.predict(pd.DataFrame({"inactivity": silence})) != churned).sum()
    assert wrong <= fewest


def test_the_hiatus_that_made_the_data_is_found() -> None:
    silence = np.arange(0.0, 300.0)
    model = HiatusClassifier().fit(pd.DataFrame({"inactivity": silence}), silence > 120.0)
    assert (model.threshold_, model.churn_rate_active_, model.churn_rate_silent_) == (120.0, 0.0, 1.0)


def test_where_silence_says_nothing_the_hiatus_predicts_the_base_rate() -> None:
    X = pd.DataFrame({"inactivity": [10.0, 20.0, 30.0, 40.0, 50.0]})
    mostly_lost = HiatusClassifier().fit(X, [True, True, False, True, True])
    assert mostly_lost.threshold_ == 9.0
    np.testing.assert_allclose(mostly_lost.predict_proba(X)[:, 1], 0.8)
    np.testing.assert_allclose(mostly_lost.predict_proba(pd.DataFrame({"inactivity": [0.0]}))[:, 1], 0.8)
    mostly_there = HiatusClassifier().fit(X, [False, False, True, False, False])
    assert mostly_there.threshold_ == 50.0
    np.testing.assert_allclose(mostly_there.predict_proba(X)[:, 1], 0.2)


def test_the_rate_is_purchases_per_day_so_far() -> None:
    X = pd.DataFrame(
        {
            "frequency": [3, 0, 0, 2],
            "T": [60.0, 60.0, 0.0, 0.0],
            "monetary_value": [20.0, np.nan, 0.0, 5.0],
        }
    )
    churn = RateClassifier(horizon=30.0).fit(X).predict_proba(X)[:, 1]
    np.testing.assert_allclose(churn, [np.exp(-1.5), 1.0, 1.0, 1.0])
    np.testing.assert_allclose(RateRegressor(horizon=30.0).fit(X).predict(X), [30.0, 0.0, 0.0, 0.0])


def test_the_others_are_what_their_names_say() -> None:
    X, y = customers()
    assert (ZeroRegressor().fit(X).predict(X) == 0.0).all()
    np.testing.assert_allclose(MeanRegressor().fit(X, y["spend"]).predict(X), y["spend"].mean())
    np.testing.assert_allclose(LastPeriodRepeatRegressor().fit(X).predict(X), X["spend_last_period"])
    np.testing.assert_allclose(
        BaseRateClassifier().fit(X, y["churned"]).predict_proba(X)[:, 1], y["churned"].mean()
    )
    repeat = LastPeriodRepeatClassifier().fit(X, y["churned"])
    rates = y["churned"].groupby(X["n_purchases_last_period"] == 0).mean()
    assert (repeat.churn_rate_active_, repeat.churn_rate_silent_) == pytest.approx(
        (rates[False], rates[True])
    )


def test_groups_of_one_tenure_have_their_own_rate_and_the_oldest_that_of_the_last() -> None:
    tenure = np.repeat([30.0, 60.0, 90.0], 50)
    churned = np.arange(150) % 50 < np.repeat([25, 10, 5], 50)
    model = TenureClassifier().fit(pd.DataFrame({"contract_tenure": tenure}), churned)
    asked = pd.DataFrame({"contract_tenure": [0.0, 30.0, 31.0, 60.0, 89.0, 900.0]})
    np.testing.assert_allclose(model.predict_proba(asked)[:, 1], [0.5, 0.5, 0.2, 0.2, 0.1, 0.1])


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=700))
@settings(max_examples=50, deadline=None)
def test_groups_of_tenure_are_few_and_not_small(tenure: list[int]) -> None:
    model = TenureClassifier().fit(pd.DataFrame({"contract_tenure": tenure}), np.zeros(len(tenure)))
    assert len(model.churn_rates_) == len(model.edges_) + 1 <= min(10, max(1, len(tenure) // 50))
    assert (np.diff(model.edges_) > 0.0).all()
    group = np.searchsorted(model.edges_, tenure)
    assert (np.bincount(group, minlength=len(model.churn_rates_)) > 0).all()


def test_lost_is_who_may_go_soon_and_has_nothing_that_renews() -> None:
    days_left = [10.0, 30.0, 31.0, 10.0, np.nan, 10.0, np.nan]
    renewing = [0.0, 0.0, 0.0, 0.5, 0.0, np.nan, np.nan]
    X = pd.DataFrame({"contract_days_left_max": days_left, "auto_renew_share": renewing})
    lost = np.array([True, True, False, False, True, True, True])
    model = ContractEndClassifier(horizon=30.0).fit(X, lost)
    np.testing.assert_array_equal(model.predict(X), lost)
    assert (model.churn_rate_ending_, model.churn_rate_bound_) == (1.0, 0.0)
    unknown = X.assign(contract_days_left_max=np.nan, auto_renew_share=np.nan)
    rates = ContractEndClassifier(horizon=30.0).fit(unknown, lost).predict_proba(unknown)[:, 1]
    np.testing.assert_allclose(rates, lost.mean())


# ---- the door ----


@pytest.mark.parametrize("horizon", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("kind", [RateClassifier, RateRegressor, ContractEndClassifier])
def test_an_impossible_horizon_is_refused_at_fit_not_before(kind, horizon: float) -> None:
    model = kind(horizon=horizon)
    with pytest.raises(SettingsError, match="expected horizon to be a finite number > 0"):
        model.fit(customers(5)[0], np.ones(5))


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([True, False], "one number for each of 3 rows"),
        ([0, 1, 2], "True or False"),
        ([0, 1, np.nan], "1 missing"),
        (["yes", "no", "no"], "must hold numbers"),
        (pd.Series([True, None, False], dtype="boolean"), "y must"),
    ],
)
def test_an_impossible_outcome_is_refused(y: object, words: str) -> None:
    X = customers(3)[0]
    for model in CHURN:
        with pytest.raises(DataError, match=words):
            clone(model).fit(X, y)


def test_gaps_in_a_column_are_refused_where_they_matter() -> None:
    X, y = customers(30)
    X.loc["c3", "inactivity"] = np.nan
    with pytest.raises(DataError, match="'c3' with inactivity=nan"):
        HiatusClassifier().fit(X, y["churned"])
    X["frequency"], X["monetary_value"] = 1, np.nan
    with pytest.raises(DataError, match="finite numbers"):
        RateRegressor(horizon=30.0).fit(X)
    with pytest.raises(DataError, match="one number for each of 0 rows"):
        MeanRegressor().fit(X.iloc[:0], [])
