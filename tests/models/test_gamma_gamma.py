"""Gamma-gamma as an estimator: the published fit, its peer, the laws of fitting, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from habitue.errors import (
    AssumptionWarning,
    ConvergenceError,
    DataError,
    FitError,
    SchemaError,
    SettingsError,
)
from habitue.models.gamma_gamma import GammaGamma
from habitue.models.persistence import load_model, save_model
from habitue.numerics import gamma_gamma
from habitue.numerics.gamma_gamma import GammaGammaParams


@pytest.fixture(scope="module")
def cdnow(cdnow_sales: pd.DataFrame) -> pd.DataFrame:
    """The CDNOW sample to 1997-09-30: repeat days, and the mean amount of those."""
    lines = cdnow_sales[cdnow_sales["day"] <= 19970930]
    visits = lines.groupby(["customer_id", "day"], as_index=False)["amount"].sum()
    repeat = visits[visits["day"] > visits.groupby("customer_id")["day"].transform("min")]
    table = repeat.groupby("customer_id")["amount"].agg(frequency="size", monetary_value="mean")
    return table.reindex(visits["customer_id"].unique(), fill_value=0)


@pytest.fixture(scope="module")
def fitted(cdnow: pd.DataFrame) -> GammaGamma:
    return GammaGamma().fit(cdnow)


def simulate(params: GammaGammaParams, n: int, seed: int) -> pd.DataFrame:
    """Return customers with 0 to 7 repeat visits whose amounts are Gamma(p, nu), nu ~ Gamma(q, v)."""
    rng = np.random.default_rng(seed)
    frequency = rng.integers(0, 8, n)
    rate = rng.gamma(params.q, 1 / params.v, n)
    amounts = rng.gamma(params.p, 1.0, (n, 7)) / rate[:, None]
    made = np.arange(7) < frequency[:, None]
    mean = np.where(frequency > 0, (amounts * made).sum(axis=1) / np.maximum(frequency, 1), 0.0)
    return pd.DataFrame({"frequency": frequency, "monetary_value": mean})


def test_the_published_cdnow_fit(cdnow: pd.DataFrame, fitted: GammaGamma) -> None:
    """Fader & Hardie, note 025: p 6.25, q 3.74, v 15.44 on the 946 customers with repeat purchases."""
    assert len(cdnow) - fitted.n_left_out_ == 946
    assert [round(value, 2) for value in fitted.params_] == [6.25, 3.74, 15.44]
    assert fitted.gradient_norm_ < 1e-8


def test_it_equals_lifetimes(cdnow: pd.DataFrame, fitted: GammaGamma, lifetimes: Any) -> None:
    spenders = cdnow[cdnow["frequency"] > 0]
    columns = spenders["frequency"], spenders["monetary_value"]
    peer = lifetimes.GammaGammaFitter().fit(*columns)
    np.testing.assert_allclose(fitted.params_, peer.params_, rtol=1e-3)
    # our end of the search is at least as good
    theirs = gamma_gamma.log_likelihood(GammaGammaParams(*peer.params_), *columns).sum()
    assert theirs <= fitted.loglik_ + 1e-9
    assert theirs == pytest.approx(fitted.loglik_, abs=1e-3)
    want = peer.conditional_expected_average_profit(*columns)
    got = gamma_gamma.expected_spend(GammaGammaParams(*peer.params_), *columns)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    np.testing.assert_allclose(fitted.expected_spend(spenders), want, rtol=1e-3)
    np.testing.assert_allclose(fitted.standard_errors_, peer.standard_errors_, rtol=1e-2)


def test_simulate_and_refit_recovers_the_truth() -> None:
    truth = GammaGammaParams(6.0, 3.5, 16.0)
    model = GammaGamma().fit(simulate(truth, 20_000, seed=2))
    errors = (np.array(model.params_) - np.array(truth)) / np.array(model.standard_errors_)
    assert (np.abs(errors) < 4).all(), (model.params_, model.standard_errors_)
    assert max(np.array(model.standard_errors_) / np.array(truth)) < 0.1


def test_the_covariance_is_the_inverse_of_the_likelihoods_curvature(
    cdnow: pd.DataFrame, fitted: GammaGamma
) -> None:
    spenders = cdnow[cdnow["frequency"] > 0]
    rows = []
    for name, value in fitted.params_._asdict().items():
        slopes = [
            gamma_gamma.gradient(
                fitted.params_._replace(**{name: value * factor}),
                spenders["frequency"],
                spenders["monetary_value"],
            ).sum(axis=0)
            for factor in (1 + 1e-5, 1 - 1e-5)
        ]
        rows.append((slopes[1] - slopes[0]) / (2e-5 * value))
    np.testing.assert_allclose(fitted.covariance_, np.linalg.inv(np.array(rows)), rtol=1e-4)


def test_currency_scales_only_money(cdnow: pd.DataFrame, fitted: GammaGamma) -> None:
    for penalizer in (0.0, 0.01):
        here = GammaGamma(penalizer=penalizer).fit(cdnow)
        cents = cdnow.assign(monetary_value=100 * cdnow["monetary_value"])
        there = GammaGamma(penalizer=penalizer).fit(cents)
        np.testing.assert_allclose(there.params_, here.params_._replace(v=100 * here.params_.v), rtol=1e-8)
        np.testing.assert_allclose(there.expected_spend(cents), 100 * here.expected_spend(cdnow), rtol=1e-8)


def test_the_order_of_customers_changes_nothing(cdnow: pd.DataFrame, fitted: GammaGamma) -> None:
    again = GammaGamma().fit(cdnow.sample(frac=1.0, random_state=4))
    assert again.params_ == fitted.params_
    assert again.loglik_ == fitted.loglik_
    assert again.correlation_ == fitted.correlation_


def test_weights_are_repetition(cdnow: pd.DataFrame) -> None:
    weights = np.arange(len(cdnow)) % 3
    weighted = GammaGamma().fit(cdnow, sample_weight=weights)
    repeated = GammaGamma().fit(cdnow.loc[cdnow.index.repeat(weights)])
    assert weighted.params_ == repeated.params_
    assert weighted.standard_errors_ == repeated.standard_errors_
    assert weighted.correlation_ == pytest.approx(repeated.correlation_, rel=1e-12)


def test_a_refit_forgets_the_old_fit_and_a_clone_knows_nothing(
    cdnow: pd.DataFrame, fitted: GammaGamma
) -> None:
    model = GammaGamma(max_iter=300).fit(simulate(GammaGammaParams(2.0, 4.0, 60.0), 2000, seed=1))
    assert model.fit(cdnow) is model
    assert model.params_ == fitted.params_
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    for method in (copy.predict, copy.expected_spend, copy.score):
        with pytest.raises(NotFittedError):
            method(cdnow)


def test_gifts_returns_and_single_visits_get_the_mean_of_all(fitted: GammaGamma) -> None:
    X = pd.DataFrame(
        {"frequency": [0, 0, 2, 3, 1], "monetary_value": [math.nan, 50.0, 0.0, -4.0, 80.0]},
        index=list("vwxyz"),
    )
    p, q, v = fitted.params_
    got = fitted.expected_spend(X)
    np.testing.assert_allclose(got[:4], p * v / (q - 1), rtol=1e-12)
    assert got["z"] == pytest.approx(p * (v + 80.0) / (p + q - 1), rel=1e-12)
    assert (got.name, got.index.tolist()) == ("expected_spend", list("vwxyz"))
    pd.testing.assert_series_equal(fitted.predict(X), got)
    np.testing.assert_array_equal(fitted.expected_spend(X.to_numpy()), got)


def test_gifts_and_returns_are_counted_and_not_learned_from(cdnow: pd.DataFrame, fitted: GammaGamma) -> None:
    odd = pd.DataFrame({"frequency": [3, 1], "monetary_value": [0.0, -12.0]}, index=[-1, -2])
    model = GammaGamma().fit(pd.concat([cdnow, odd]))
    assert model.params_ == fitted.params_
    assert model.n_left_out_ == fitted.n_left_out_ + 2
    assert model.score(pd.concat([cdnow, odd])) == pytest.approx(fitted.loglik_ / 946, rel=1e-12)


def test_q_stays_above_one_where_the_data_would_have_it_below() -> None:
    """Amounts with no mean: the likelihood rises towards q = 1; that is said, a penalty helps."""
    X = simulate(GammaGammaParams(3.0, 0.5, 5.0), 2000, seed=3)
    with pytest.raises(ConvergenceError, match="q ran to the boundary"):
        GammaGamma().fit(X)
    assert GammaGamma(penalizer=0.01).fit(X).params_.q > 1.0


def test_spend_that_goes_with_frequency_is_warned_of(cdnow: pd.DataFrame, fitted: GammaGamma) -> None:
    spenders = cdnow[cdnow["frequency"] > 0]
    logs = np.log(spenders[["frequency", "monetary_value"]])
    assert fitted.correlation_ == pytest.approx(logs.corr().iloc[0, 1], rel=1e-12)
    for power, sign in ((0.3, "0.[34]"), (-0.8, "-0.5")):
        dependent = spenders.assign(
            monetary_value=spenders["monetary_value"] * spenders["frequency"] ** power
        )
        with pytest.warns(AssumptionWarning, match=f"logarithms is {sign}"):
            GammaGamma(penalizer=0.01).fit(dependent)


def test_constructor_checks_nothing_and_fit_does(cdnow: pd.DataFrame) -> None:
    for model in (GammaGamma(penalizer=-1.0), GammaGamma(max_iter=0)):
        with pytest.raises(SettingsError, match="to be a finite number"):
            model.fit(cdnow)


def test_too_few_steps_are_an_error_that_says_where_it_stopped(cdnow: pd.DataFrame) -> None:
    with pytest.raises(ConvergenceError, match="Raise max_iter") as caught:
        GammaGamma(max_iter=2).fit(cdnow)
    assert set(caught.value.params) == {"p", "q", "v"}


def test_what_cannot_be_spend_is_refused(cdnow: pd.DataFrame, fitted: GammaGamma) -> None:
    for use in (GammaGamma().fit, fitted.expected_spend):
        for amount in (math.nan, math.inf):
            with pytest.raises(DataError, match="expected monetary_value to be a finite amount"):
                use(pd.DataFrame({"frequency": [1, 2], "monetary_value": [3.0, amount]}))
        with pytest.raises(DataError, match="whole number"):
            use(pd.DataFrame({"frequency": [0.5], "monetary_value": [3.0]}))
        with pytest.raises(SchemaError, match="missing: monetary_value; there are: frequency"):
            use(cdnow[["frequency"]])
        with pytest.raises(DataError, match="no rows"):
            use(cdnow.head(0))


def test_nothing_to_learn_from_is_said(cdnow: pd.DataFrame, fitted: GammaGamma) -> None:
    silent = cdnow[cdnow["frequency"] == 0]
    spender = cdnow[cdnow["frequency"] > 0].head(1)
    for X in (silent, spender, spender.iloc[[0] * 4]):
        with pytest.raises(FitError, match="different positive amounts"):
            GammaGamma().fit(X)
    with pytest.raises(DataError, match="to score; got none"):
        fitted.score(silent)


def test_it_comes_back_from_a_folder_of_text(tmp_path: Path, cdnow: pd.DataFrame, fitted: GammaGamma) -> None:
    save_model(fitted, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert isinstance(again, GammaGamma)
    assert again.params_ == fitted.params_
    pd.testing.assert_series_equal(again.predict(cdnow), fitted.predict(cdnow), check_exact=True)


def test_a_covariate_of_spend_moves_the_mean_amount() -> None:
    """Half the customers spend twice as much per visit; the effect is its logarithm."""
    rng = np.random.default_rng(4)
    n = 6_000
    rich = (np.arange(n) % 2).astype(float)
    x = rng.integers(1, 8, n).astype(float)
    rate = rng.gamma(3.7, 1.0 / 15.0, n) / np.exp(0.7 * rich)
    X = pd.DataFrame({"frequency": x, "monetary_value": rng.gamma(6.2 * x, 1.0 / rate) / x, "rich": rich})
    model = GammaGamma(spend_covariates=["rich"]).fit(X)
    error = model.spend_effect_errors_["rich"]
    assert error < 0.05
    assert abs(model.spend_effects_["rich"] - 0.7) < 4 * error
    assert model.loglik_ > GammaGamma().fit(X).loglik_ + 100
    silent = pd.DataFrame({"frequency": 0.0, "monetary_value": 0.0, "rich": [0.0, 1.0]})
    poor, well_off = model.expected_spend(silent)
    assert well_off / poor == pytest.approx(np.exp(model.spend_effects_["rich"]))
    with pytest.raises(SchemaError, match="rich"):
        model.expected_spend(X.drop(columns="rich"))


def test_draws_of_the_posterior_surround_the_fit(cdnow: pd.DataFrame) -> None:
    model = GammaGamma().fit(cdnow, posterior_draws=1000, random_state=0)
    told = model.posterior_.summary()
    assert list(told.index) == ["p", "q", "v"]
    assert (np.abs(told["mean"] - np.array(model.params_)) < 1.0 * np.array(model.standard_errors_)).all()
    np.testing.assert_allclose(told["sd"], model.standard_errors_, rtol=0.4)
    assert (model.posterior_.draws[:, 1] > 1.0).all()
