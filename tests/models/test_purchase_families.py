"""The laws of buy-till-you-die estimators, each written once and tried on every family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import habitue as hb
from habitue.errors import ConvergenceError, DataError, FitError, SettingsError
from habitue.models import load_model, save_model
from habitue.models.distributions import InUnit, LogNormal, Pareto, Uniform, Weibull
from habitue.numerics import bgnbd
from habitue.numerics.purchases import histories

FAMILIES: list[Any] = [
    hb.NBD(),
    hb.BGNBD(),
    hb.MBGNBD(),
    hb.BGCNBDk(k=2),
    hb.MBGCNBDk(k=2),
    hb.ParetoNBD(),
    hb.GGompertzNBD(penalizer=1e-3),
]
# Where importance weights cannot be trusted chains are run instead, rightly, and a warning says so.
chains_may_run = pytest.mark.filterwarnings("ignore:the posterior is not shaped")
every = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
with_covariates = pytest.mark.parametrize(
    "family", [hb.BGNBD(), hb.MBGNBD(), hb.ParetoNBD()], ids=lambda family: type(family).__name__
)

PYMC_MARKETING = {
    "r": Weibull(2.0, 1.0),
    "alpha": InUnit(Weibull(2.0, 10.0), unit=7.0),
    "a/(a+b)": Uniform(),
    "a+b": Pareto(1.0, 1.0),
}


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    return hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)).X


def simulated(
    model: Any, params: Any, n: int, seed: int, until: tuple[int, int] = (100, 700)
) -> pd.DataFrame:
    """Return customers of a family's own story."""
    rng = np.random.default_rng(seed)
    T = rng.uniform(*until, n)
    zeros = np.zeros(n)
    formulas = model._family().formulas if hasattr(model, "params_") else type(model)._FAMILY.formulas
    frequency, recency = histories(formulas.simulate(params, zeros, zeros, zeros, T, random_state=rng))
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": T})


@every
def test_probabilities_of_each_number_sum_to_one_and_their_mean_is_expected(
    family: Any, cdnow: pd.DataFrame
) -> None:
    X = cdnow.iloc[:40]
    model = clone(family).fit(cdnow)
    chances = np.array([model.purchase_pmf(X, n, horizon=60) for n in range(60)])
    np.testing.assert_allclose(chances.sum(axis=0), 1.0, atol=1e-6)
    np.testing.assert_allclose(np.arange(60) @ chances, model.expected_purchases(X, horizon=60), rtol=1e-3)
    np.testing.assert_allclose(chances[0], model.p_no_purchase(X, horizon=60), rtol=1e-9)


@every
def test_a_quantile_is_the_first_number_that_reaches_the_level(family: Any, cdnow: pd.DataFrame) -> None:
    X = cdnow.iloc[:60]
    model = clone(family).fit(cdnow)
    chances = np.array([model.purchase_pmf(X, n, horizon=200) for n in range(80)])
    for level in (0.1, 0.5, 0.9, 0.975):
        want = (np.cumsum(chances, axis=0) < level).sum(axis=0)
        np.testing.assert_array_equal(model.purchase_quantile(X, level, horizon=200), want)
    for level in (0.0, 1.0, float("nan")):
        with pytest.raises(SettingsError, match="level"):
            model.purchase_quantile(X, level)


@every
def test_discounting_only_takes_away_and_without_it_the_expectation_stays(
    family: Any, cdnow: pd.DataFrame
) -> None:
    X = cdnow.iloc[:30]
    model = clone(family).fit(cdnow)
    plain = np.asarray(model.expected_purchases(X, horizon=365))
    np.testing.assert_allclose(model.residual_transactions(X, discount=0.0, horizon=365), plain, rtol=1e-8)
    within = np.asarray(model.residual_transactions(X, discount=0.1, horizon=365))
    for_ever = np.asarray(model.residual_transactions(X, discount=0.1))
    dearer = np.asarray(model.residual_transactions(X, discount=0.2))
    assert (within < plain).all()
    assert (within > plain / 1.1).all()  # the latest purchase of the year counts 1 / 1.1
    assert (within < for_ever).all()
    assert (dearer < for_ever).all()
    monthly = hb.Discount(12 * (1.1 ** (1 / 12) - 1), "monthly")  # the same in other words
    np.testing.assert_allclose(model.residual_transactions(X, discount=monthly), for_ever, rtol=1e-9)


@every
def test_simulated_customers_give_the_parameters_back(family: Any) -> None:
    truths = {
        "NBD": (0.8, 60.0),
        "BGNBD": (0.6, 40.0, 0.8, 2.5),
        "MBGNBD": (0.6, 40.0, 0.8, 2.5),
        "BGCNBDk": (2, 0.9, 30.0, 0.8, 2.5),
        "MBGCNBDk": (2, 0.9, 30.0, 0.8, 2.5),
        "ParetoNBD": (0.7, 40.0, 0.9, 250.0),
        "GGompertzNBD": (0.7, 40.0, 0.006, 0.8, 2.0),
    }
    model = clone(family).set_params(penalizer=0.0)
    if "CNBDk" in type(model).__name__:
        formulas, make = model._REGULAR
        truth = make(*truths[type(model).__name__])
        rng = np.random.default_rng(5)
        T, zeros = rng.uniform(100, 700, 12_000), np.zeros(12_000)
        x, t_x = histories(formulas.simulate(truth, zeros, zeros, zeros, T, random_state=rng))
        X = pd.DataFrame({"frequency": x, "recency": t_x, "T": T})
    else:
        truth = type(model)._FAMILY.make(*truths[type(model).__name__])
        X = simulated(model, truth, 12_000, seed=5)
    model.fit(X)
    histories_ = X[["frequency", "recency", "T"]].to_numpy().T
    log_likelihood = model._family().formulas.log_likelihood
    ahead = log_likelihood(model.params_, *histories_).sum() - log_likelihood(truth, *histories_).sum()
    # Twice the difference is chi-squared with as many degrees of freedom as there are parameters.
    assert 0 <= ahead < 12, (model.params_, model.standard_errors_)


@pytest.mark.parametrize("family", FAMILIES[:-1], ids=lambda family: type(family).__name__)
@chains_may_run
def test_the_posterior_is_centred_on_the_fit_and_as_wide_as_its_errors(
    family: Any, cdnow: pd.DataFrame
) -> None:
    model = clone(family).fit(cdnow, posterior_draws=1000, random_state=1)
    told = model.posterior_
    estimated = [name for name in model.params_._fields if name != "k"]
    assert told.names == tuple(estimated)
    assert told.draws.shape == (1000, len(estimated))
    assert (told.method == "importance sampling") == (told.k_hat <= 0.7)
    assert told.effective_sample_size > 300
    middle = np.median(np.log(told.draws), axis=0)
    fitted = np.log([getattr(model.params_, name) for name in estimated])
    errors = np.sqrt(np.diag(model.covariance_)) / np.exp(fitted)
    assert (np.abs(middle - fitted) < 1.0 * errors).all()
    np.testing.assert_allclose(np.log(told.draws).std(axis=0), errors, rtol=0.5)
    again = clone(family).fit(cdnow, posterior_draws=1000, random_state=1)
    np.testing.assert_array_equal(again.posterior_.draws, told.draws)


def test_the_posterior_on_cdnow_is_the_one_of_markov_chains(cdnow: pd.DataFrame) -> None:
    """pymc-marketing's NUTS under its default priors, alpha in weeks: .2458, 4.52, .776, 2.39."""
    model = hb.BGNBD().fit(cdnow, posterior_draws=4000, prior=PYMC_MARKETING, random_state=0)
    told = model.posterior_.summary()
    told.loc["alpha"] /= 7.0
    want = {"r": (0.2458, 0.0128), "alpha": (4.52, 0.38), "a": (0.776, 0.19), "b": (2.39, 0.74)}
    for name, (mean, sd) in want.items():
        assert told.loc[name, "mean"] == pytest.approx(mean, abs=0.12 * sd), name
        assert told.loc[name, "sd"] == pytest.approx(sd, rel=0.1), name
    assert model.posterior_.effective_sample_size > 3000
    assert model.posterior_.k_hat < 0.5


def test_the_posterior_is_free_of_the_unit_of_time(cdnow: pd.DataFrame) -> None:
    weeks = cdnow.assign(recency=cdnow["recency"] / 7, T=cdnow["T"] / 7)
    days = hb.BGNBD().fit(cdnow, posterior_draws=500, random_state=3).posterior_.draws
    other = hb.BGNBD().fit(weeks, posterior_draws=500, random_state=3).posterior_.draws
    np.testing.assert_allclose(np.median(days, axis=0) / [1, 7, 1, 1], np.median(other, axis=0), rtol=0.02)


@every
@chains_may_run
def test_predictions_over_draws_hold_the_prediction_and_add_up(family: Any, cdnow: pd.DataFrame) -> None:
    model = clone(family).fit(cdnow, posterior_draws=200, random_state=0)
    X = cdnow.iloc[[5, 3, 5, 80, 41]]
    told = model.posterior_summary(X, "expected_purchases", horizon=90, confidence=0.95)
    assert list(told.columns) == ["mean", "sd", "lower", "upper"]
    pd.testing.assert_index_equal(told.index, X.index)
    pd.testing.assert_series_equal(told.iloc[0], told.iloc[2], check_names=False)
    plain = model.expected_purchases(X, horizon=90)
    assert ((told["lower"] < plain) & (plain < told["upper"])).all()
    sums = model.posterior_totals(X, "expected_purchases", horizon=90)
    assert sums.shape == (200,)
    assert sums.mean() == pytest.approx(told["mean"].sum(), rel=1e-9)
    assert sums.std() > np.sqrt((told["sd"] ** 2).sum())  # customers share the parameters
    one = model.posterior_.draws[7]
    params = model._family().make(*one.tolist())
    direct = model._family().formulas.p_no_purchase(
        params, *X[["frequency", "recency", "T"]].to_numpy().T, 30.0
    )
    assert model.posterior_totals(X, "p_no_purchase", horizon=30)[7] == pytest.approx(direct.sum(), rel=1e-9)


def test_residual_transactions_over_draws_hold_the_plain_answer(cdnow: pd.DataFrame) -> None:
    model = hb.BGNBD().fit(cdnow, posterior_draws=200, random_state=0)
    X = cdnow.iloc[:5]
    for horizon in (None, 365.0):
        plain = np.asarray(model.residual_transactions(X, discount=0.1, horizon=horizon))
        told = model.posterior_summary(
            X, "residual_transactions", discount=0.1, horizon=horizon, confidence=0.98
        )
        assert ((told["lower"] < plain) & (plain < told["upper"])).all()
        total = model.posterior_totals(X, "residual_transactions", discount=0.1, horizon=horizon)
        assert total.mean() == pytest.approx(told["mean"].sum(), rel=1e-9)


def test_without_draws_and_with_wrong_requests_it_is_said(cdnow: pd.DataFrame) -> None:
    model = hb.BGNBD().fit(cdnow)
    with pytest.raises(SettingsError, match="posterior_draws=1000"):
        model.posterior_summary(cdnow)
    model.fit(cdnow, posterior_draws=50, random_state=0)
    with pytest.raises(SettingsError, match="expected answer to be one of"):
        model.posterior_totals(cdnow, "spend")
    with pytest.raises(SettingsError, match="posterior_draws"):
        hb.BGNBD().fit(cdnow, posterior_draws=-1)
    with pytest.raises(SettingsError, match="expected coordinates made of r, alpha, a, b"):
        hb.BGNBD().fit(cdnow, posterior_draws=10, prior={"s": LogNormal(1.0, 1.0)})


@chains_may_run
def test_draws_are_stored_with_the_model(tmp_path: Any, cdnow: pd.DataFrame) -> None:
    model = hb.BGNBD().fit(cdnow, posterior_draws=100, random_state=0)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.posterior_.draws, model.posterior_.draws)
    X = cdnow.head(3)
    pd.testing.assert_frame_equal(again.posterior_summary(X), model.posterior_summary(X), check_exact=True)


@with_covariates
def test_effects_of_covariates_are_recovered(family: Any) -> None:
    """Half the customers buy twice as often and leave sooner; both are told apart."""
    truth = {"rate": 0.7, "dropout": 0.6}
    model = clone(family).set_params(rate_covariates=["loud"], dropout_covariates=["loud"])
    base = {"ParetoNBD": (0.9, 40.0, 0.9, 200.0)}.get(type(model).__name__, (0.9, 40.0, 0.8, 2.5))
    make = type(model)._FAMILY.make
    if type(model).__name__ == "ParetoNBD":
        loud = make(base[0], base[1] * np.exp(-truth["rate"]), base[2], base[3] * np.exp(-truth["dropout"]))
    else:
        odds, both = base[2] / base[3] * np.exp(truth["dropout"]), base[2] + base[3]
        loud = make(base[0], base[1] * np.exp(-truth["rate"]), both * odds / (1 + odds), both / (1 + odds))
    quiet = make(*base)
    X = pd.concat(
        [
            simulated(model, quiet, 9_000, 1).assign(loud=0.0),
            simulated(model, loud, 9_000, 2).assign(loud=1.0),
        ],
        ignore_index=True,
    )
    model.fit(X)
    for kind, effect in truth.items():
        found, error = (
            getattr(model, f"{kind}_effects_")["loud"],
            getattr(model, f"{kind}_effect_errors_")["loud"],
        )
        assert error < 0.2
        assert abs(found - effect) < 4 * error, (kind, found, error)
    apart = clone(family).fit(X[X["loud"] == 1.0])
    at_loud = X[X["loud"] == 1.0].head(50)
    np.testing.assert_allclose(
        model.expected_purchases(at_loud, horizon=100),
        apart.expected_purchases(at_loud, horizon=100),
        rtol=0.15,
    )
    ridged = clone(model).set_params(covariate_penalizer=10.0).fit(X)
    assert abs(ridged.rate_effects_["loud"]) < 0.1 * abs(model.rate_effects_["loud"])


@with_covariates
def test_covariates_that_say_nothing_change_nothing(family: Any, cdnow: pd.DataFrame) -> None:
    X = cdnow.assign(constant=3.0, noise=np.random.default_rng(0).normal(size=len(cdnow)))
    plain = clone(family).fit(X)
    model = clone(family).set_params(rate_covariates=["noise"], covariate_penalizer=1e6).fit(X)
    assert model.loglik_ == pytest.approx(plain.loglik_, abs=1e-3)
    np.testing.assert_allclose(model.p_alive(X), plain.p_alive(X), rtol=1e-4)
    free = clone(family).set_params(rate_covariates=["noise"]).fit(X)
    assert plain.loglik_ <= free.loglik_ < plain.loglik_ + 10
    told = free.fit(X, posterior_draws=100, random_state=0)
    assert told.posterior_.names[-1] == "rate:noise"
    summary = told.posterior_summary(X.head(4), horizon=30)
    plain_answer = told.expected_purchases(X.head(4), horizon=30)
    assert ((summary["lower"] < 1.2 * plain_answer) & (summary["upper"] > 0.8 * plain_answer)).all()
    with pytest.raises(DataError, match="finite numbers in noise"):
        free.p_alive(X.assign(noise=np.nan))


def test_a_million_customers_are_rehearsed_on_some(cdnow: pd.DataFrame) -> None:
    """Many distinct histories take the way over a sample, and end at the same maximum."""
    X = simulated(hb.BGNBD(), bgnbd.Params(0.5, 30.0, 0.8, 2.5), 60_000, seed=2)
    model = hb.BGNBD().fit(X)
    assert model.n_histories_ > 30_000
    assert model.gradient_norm_ < 1e-10
    rng = np.random.default_rng(0)
    columns = X.to_numpy().T
    for _ in range(5):
        near = type(model.params_)(*np.array(model.params_) * np.exp(0.01 * rng.normal(size=4)))
        assert bgnbd.log_likelihood(near, *columns).sum() < model.loglik_


@every
def test_bad_bases_are_answered_with_a_sentence(family: Any, cdnow: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="one distinct history"):
        clone(family).fit(cdnow.head(1))
    with pytest.raises(FitError, match="every frequency is 0"):
        clone(family).fit(cdnow[cdnow["frequency"] == 0])
    with pytest.raises(DataError, match="recency <= T"):
        clone(family).fit(cdnow.assign(recency=1e6 * cdnow["frequency"]))


def test_a_family_that_needs_less_says_which_parameter_ran_away(cdnow: pd.DataFrame) -> None:
    with pytest.raises(
        ConvergenceError, match=r"b, beta ran to the boundary|beta, b|b ran to the boundary|beta ran"
    ):
        hb.GGompertzNBD().fit(simulated(hb.NBD(), hb.NBD._FAMILY.make(0.8, 60.0), 800, seed=1))


def test_regularity_is_chosen_by_the_gaps() -> None:
    """Gaps of Erlang(3): k = 3 wins; a given k needs no gaps, and then has no likelihood to compare."""
    rng = np.random.default_rng(8)
    n, params = 3_000, hb.BGCNBDk._REGULAR[1](3, 2.0, 30.0, 0.4, 4.0)
    zeros = np.zeros(n)
    drawn = hb.BGCNBDk._REGULAR[0].simulate(params, zeros, zeros, zeros, np.full(n, 900.0), random_state=rng)
    x, t_x = histories(drawn)
    first = np.concatenate([[True], drawn.customer[1:] != drawn.customer[:-1]])
    gaps = np.where(first, drawn.time, np.diff(drawn.time, prepend=0.0))
    sums = np.bincount(drawn.customer, weights=np.log(gaps), minlength=n)
    X = pd.DataFrame({"frequency": x, "recency": t_x, "T": 900.0})
    X["gap_geometric_mean"] = np.exp(np.divide(sums, x, out=np.zeros(n), where=x > 0))
    model = hb.BGCNBDk().fit(X)
    assert model.k_ == model.params_.k == 3
    assert model.loglik_ > max(hb.BGCNBDk(k=k).fit(X).loglik_ for k in (1, 2, 4))
    blind = hb.BGCNBDk(k=3).fit(X[["frequency", "recency", "T"]])
    assert blind.params_ == model.params_
    assert np.isnan(blind.loglik_)
    with pytest.raises(
        hb.errors.SchemaError if hasattr(hb, "errors") else DataError, match="gap_geometric_mean"
    ):
        hb.BGCNBDk().fit(X[["frequency", "recency", "T"]])
