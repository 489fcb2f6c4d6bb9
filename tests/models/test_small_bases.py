"""Where customers are few, churn and value are still answered, and it is said how."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from habitue.errors import AssumptionWarning, ConvergenceError, FitError, HabitueWarning
from habitue.models import BGNBD, BTYDChurnClassifier, BTYDValueRegressor, GammaGamma
from habitue.models.small_bases import PENALIZERS, fit_steadily

CROWD = [BGNBD(), GammaGamma()]


def customers(n: int, *, seed: int) -> pd.DataFrame:
    """Simulate customers as BG/NBD and gamma-gamma see them, with CDNOW's parameters, within half a year."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.25, 1.0 / 30.0, n)
    leaves = rng.beta(0.8, 2.4, n)
    T = rng.uniform(60.0, 200.0, n).round()
    frequency, recency, clock = np.zeros(n), np.zeros(n), np.zeros(n)
    active = np.ones(n, dtype=bool)
    while active.any():
        clock[active] += rng.exponential(1.0 / rate[active])
        active &= clock <= T
        frequency[active] += 1
        recency[active] = np.floor(clock[active])
        active &= rng.uniform(size=n) >= leaves
    scale = 20.0 / rng.gamma(3.0, 1.0, n)
    mean = np.where(
        frequency > 0, rng.gamma(6.0 * np.maximum(frequency, 1)) * scale / np.maximum(frequency, 1), 0.0
    )
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": T, "monetary_value": mean})


def refused(model: BaseEstimator, X: pd.DataFrame) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        try:
            model.fit(X)
        except ConvergenceError:
            return True
        return False


@pytest.mark.parametrize("model", CROWD, ids=lambda model: type(model).__name__)
def test_a_small_base_is_fitted_with_the_first_penalty_that_helps(model: BaseEstimator) -> None:
    n_steadied = 0
    for seed in range(12):
        X = customers(40, seed=seed)
        if not refused(type(model)(), X):
            continue
        n_steadied += 1
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            steady = fit_steadily(model, X)
        assert steady.penalizer == PENALIZERS[0]
        (said,) = {str(one.message) for one in told if one.category is HabitueWarning}
        assert f"fitted with penalizer={steady.penalizer}" in said
        assert "Use more customers or a longer observation" in said
        assert np.isfinite(steady.predict(X)).all()
        assert model.penalizer == 0.0
    assert n_steadied >= 3  # else this test tells nothing


def test_where_no_penalty_is_needed_none_is_taken() -> None:
    X = customers(600, seed=1)
    steady = fit_steadily(BGNBD(), X)
    assert steady.penalizer == 0.0
    assert steady.params_ == BGNBD().fit(X).params_


def test_a_penalty_that_was_set_is_not_changed() -> None:
    with pytest.raises(ConvergenceError):
        fit_steadily(BGNBD(penalizer=1e-12), few_but_repeating())


def test_where_no_penalty_helps_the_first_error_is_told() -> None:
    X = customers(60, seed=2)
    with pytest.raises(ConvergenceError) as alone:
        BGNBD(max_iter=1).fit(X)
    with pytest.raises(ConvergenceError) as steadied:
        fit_steadily(BGNBD(max_iter=1), X)
    assert str(steadied.value) == str(alone.value)


def few_but_repeating() -> pd.DataFrame:
    """Four customers who do not determine BG/NBD."""
    return pd.DataFrame(
        {
            "frequency": [0.0, 1.0, 0.0, 2.0],
            "recency": [0.0, 9.0, 0.0, 80.0],
            "T": [90.0, 90.0, 80.0, 85.0],
            "monetary_value": [0.0, 12.0, 0.0, 30.0],
        }
    )


def test_churn_of_four_customers() -> None:
    X = few_but_repeating()
    assert refused(BGNBD(), X)
    with pytest.warns(HabitueWarning, match="BGNBD by themselves"):
        model = BTYDChurnClassifier(horizon=30).fit(X)
    churn = model.predict_proba(X)[:, 1]
    assert ((churn > 0) & (churn < 1)).all()
    assert churn[1] > churn[3]


@pytest.mark.parametrize("n", [20, 60])
@pytest.mark.parametrize("seed", range(3))
def test_value_of_a_small_base(n: int, seed: int) -> None:
    X = customers(n, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)
        model = BTYDValueRegressor(horizon=90).fit(X)
    value = model.predict(X)
    assert np.isfinite(value).all()
    assert (value >= 0).all()
    parts = model.contributions(X)
    assert np.isfinite(parts.to_numpy()).all()


@pytest.mark.parametrize(
    "model", [BTYDChurnClassifier(), BTYDValueRegressor()], ids=lambda model: type(model).__name__
)
def test_nobody_who_bought_twice_teaches_nothing(model: BaseEstimator) -> None:
    X = few_but_repeating().assign(frequency=0.0, recency=0.0, monetary_value=0.0)
    with pytest.raises(FitError, match="repeat purchases"):
        model.fit(X)


@pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")
def test_one_repeat_buyer_does_not_tell_how_spend_is_spread() -> None:
    X = few_but_repeating()
    X.loc[1, ["frequency", "recency", "monetary_value"]] = 0.0
    with pytest.raises(FitError, match="different positive amounts"):
        BTYDValueRegressor(horizon=30).fit(X)
