"""The package lifetimes as a search engine, and its fitted models taken over; nothing of it leaks out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import habitue as hb
from habitue.errors import ConvergenceError, DataError, SettingsError
from habitue.models import BGBB, BGNBD, MBGNBD, GammaGamma, ParetoNBD, load_model, save_model
from habitue.models.lifetimes_models import from_lifetimes
from habitue.numerics import bgbb, gamma_gamma

HISTORY = ("frequency", "recency", "T")
HORIZON = 182.0


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    snapshot = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273))
    return snapshot.X[[*HISTORY, "monetary_value"]].astype(float)


@pytest.fixture(scope="module")
def donors() -> pd.DataFrame:
    """Customers of BG/BB: six opportunities, each taken or not."""
    params = bgbb.Params(1.2, 0.75, 0.66, 2.8)
    drawn = bgbb.simulate(params, *np.zeros((3, 500)), 6.0, random_state=np.random.default_rng(1))
    rows = pd.DataFrame({"customer": drawn.customer, "time": drawn.time}).groupby("customer")["time"]
    told = rows.agg(frequency="size", recency="max").reindex(range(500), fill_value=0)
    return told.astype(int).assign(T=6)


def fit_by_lifetimes(fitter: Any, X: pd.DataFrame, unit_days: float) -> Any:
    """Fit a fitter of lifetimes in its own unit of time."""
    if "n_periods" in fitter.fit.__code__.co_varnames:
        return fitter.fit(X["frequency"], X["recency"], X["T"])
    return fitter.fit(X["frequency"], X["recency"] / unit_days, X["T"] / unit_days)


@pytest.fixture(scope="module", params=[1.0, 7.0], ids=["days", "weeks"])
def unit_days(request: pytest.FixtureRequest) -> float:
    return request.param


@pytest.fixture(scope="module", params=["BetaGeoFitter", "ModifiedBetaGeoFitter", "ParetoNBDFitter"])
def fitter(request: pytest.FixtureRequest, lifetimes: Any, cdnow: pd.DataFrame, unit_days: float) -> Any:
    np.random.seed(0)  # noqa: NPY002  # its Pareto/NBD starts anywhere
    return fit_by_lifetimes(getattr(lifetimes, request.param)(), cdnow, unit_days)


def test_the_engine_finds_what_ours_finds_and_says_how_early_it_stopped(cdnow: pd.DataFrame) -> None:
    ours, theirs = BGNBD().fit(cdnow), BGNBD(engine="lifetimes").fit(cdnow)
    np.testing.assert_allclose(theirs.params_, ours.params_, rtol=1e-3)
    np.testing.assert_allclose(theirs.standard_errors_, ours.standard_errors_, rtol=1e-2)
    np.testing.assert_allclose(theirs.covariance_, ours.covariance_, rtol=2e-2)
    assert ours.loglik_ - 1e-3 < theirs.loglik_ <= ours.loglik_
    assert ours.gradient_norm_ < 1e-10 < theirs.gradient_norm_ < 1e-4
    assert (theirs.n_iter_, theirs.n_histories_, theirs.posterior_) == (0, ours.n_histories_, None)
    assert theirs.condition_number_ == pytest.approx(ours.condition_number_, rel=1e-2)
    assert theirs.score(cdnow) == pytest.approx(theirs.loglik_ / len(cdnow))
    np.testing.assert_allclose(theirs.predict(cdnow), ours.predict(cdnow), rtol=1e-3)


def test_the_parameters_of_the_engine_are_those_of_lifetimes(lifetimes: Any, cdnow: pd.DataFrame) -> None:
    alone = lifetimes.BetaGeoFitter().fit(*(cdnow[name] for name in HISTORY))
    np.testing.assert_allclose(BGNBD(engine="lifetimes").fit(cdnow).params_, alone.params_, rtol=1e-4)


def test_weights_are_repetition_with_the_engine_too(cdnow: pd.DataFrame) -> None:
    counted = cdnow.groupby(list(HISTORY), as_index=False).size()
    by_weight = BGNBD(engine="lifetimes").fit(counted, sample_weight=counted["size"])
    assert by_weight.params_ == BGNBD(engine="lifetimes").fit(cdnow).params_


@pytest.mark.parametrize(
    ("model", "posterior_draws", "sentence"),
    [
        (BGNBD(engine="pymc"), 0, "expected engine to be one of habitue, lifetimes; got 'pymc'"),  # type: ignore[arg-type]
        (BGNBD(engine="lifetimes", penalizer=0.1), 0, "expected penalizer 0 with engine='lifetimes'"),
        (BGNBD(engine="lifetimes", rate_covariates=["channel"]), 0, "expected no covariates .* got channel"),
        (BGNBD(engine="lifetimes"), 100, "expected posterior_draws 0 with engine='lifetimes', got 100"),
    ],
)
def test_what_the_engine_cannot_do_is_refused(
    model: BGNBD, posterior_draws: int, sentence: str, cdnow: pd.DataFrame
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        model.fit(cdnow.assign(channel=1.0), posterior_draws=posterior_draws)
    assert not hasattr(model, "params_")


def test_a_search_that_ends_nowhere_is_an_error(
    cdnow: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConvergenceError, match=r"search of lifetimes .* within 2 steps") as caught:
        BGNBD(engine="lifetimes", max_iter=2).fit(cdnow)
    assert caught.value.iterations == 2
    assert capsys.readouterr().out == ""


def test_the_engine_is_cloned_and_stored(cdnow: pd.DataFrame, tmp_path: Path) -> None:
    model = BGNBD(engine="lifetimes").fit(cdnow)
    assert clone(model).engine == "lifetimes"
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert (again.engine, again.params_, again.covariance_.tolist()) == (
        "lifetimes",
        model.params_,
        model.covariance_.tolist(),
    )


def test_nothing_of_lifetimes_leaks_out() -> None:
    """In a fresh Python: not imported until asked for, and then no filter, option or word is left behind."""
    program = """
import sys, warnings
import numpy as np, pandas as pd
from habitue.models import BGNBD
from habitue.models.lifetimes_models import from_lifetimes
warnings.simplefilter("error")
rows = [[0, 0, 90], [1, 40, 80], [3, 60, 90], [2, 30, 70], [0, 0, 60], [6, 50, 88]]
X = pd.DataFrame(np.repeat(rows, 40, 0), columns=["frequency", "recency", "T"])
BGNBD(penalizer=0.1).fit(X)
assert "lifetimes" not in sys.modules
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    option = pd.get_option("mode.chained_assignment")
filters = list(warnings.filters)
try:
    BGNBD(engine="lifetimes").fit(X)
except RuntimeError:
    pass
assert "lifetimes" in sys.modules
assert warnings.filters == filters
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    assert pd.get_option("mode.chained_assignment") == option
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_a_model_of_lifetimes_answers_the_same_here(
    fitter: Any, cdnow: pd.DataFrame, unit_days: float
) -> None:
    model = from_lifetimes(fitter, unit_days=unit_days)
    expected = {
        "BetaGeoFitter": BGNBD,
        "ModifiedBetaGeoFitter": MBGNBD,
        "ParetoNBDFitter": ParetoNBD,
    }
    assert type(model) is expected[type(fitter).__name__]
    columns = [cdnow["frequency"], cdnow["recency"] / unit_days, cdnow["T"] / unit_days]
    alive = fitter.conditional_probability_alive(*columns)
    np.testing.assert_allclose(model.p_alive(cdnow), alive, rtol=1e-9)
    bought = fitter.conditional_expected_number_of_purchases_up_to_time(HORIZON / unit_days, *columns)
    np.testing.assert_allclose(model.expected_purchases(cdnow, horizon=HORIZON), bought, rtol=1e-8)


def test_with_its_customers_all_else_is_known_exactly(
    fitter: Any, cdnow: pd.DataFrame, unit_days: float
) -> None:
    model = from_lifetimes(fitter, unit_days=unit_days)
    ours = type(model)().fit(cdnow)
    assert model.loglik_ <= ours.loglik_
    assert model.loglik_ == pytest.approx(ours.loglik_, abs=0.1)
    assert model.score(cdnow) == pytest.approx(model.loglik_ / len(cdnow))
    assert ours.gradient_norm_ < model.gradient_norm_ < 1e-2
    assert model.n_histories_ == ours.n_histories_
    np.testing.assert_allclose(model.standard_errors_, ours.standard_errors_, rtol=0.1)
    np.testing.assert_allclose(np.sqrt(np.diag(model.covariance_)), model.standard_errors_)


def test_without_its_customers_its_own_errors_are_taken_over(
    fitter: Any, cdnow: pd.DataFrame, unit_days: float, tmp_path: Path
) -> None:
    bare = object.__new__(type(fitter))
    bare.__dict__.update({name: value for name, value in vars(fitter).items() if name != "data"})
    model, full = (from_lifetimes(one, unit_days=unit_days) for one in (bare, fitter))
    assert model.params_ == full.params_
    if type(fitter).__name__ == "ParetoNBDFitter":
        assert np.isnan(model.standard_errors_).all()
    else:
        np.testing.assert_allclose(model.standard_errors_, full.standard_errors_, rtol=1e-3)
    assert np.isnan(model.loglik_)
    assert np.isnan(model.covariance_[0, 1])
    assert np.isnan(model.gradient_norm_)
    assert np.isinf(model.condition_number_)
    assert (model.n_histories_, model.n_iter_, model.advice_) == (0, 0, "")
    pd.testing.assert_series_equal(model.p_alive(cdnow), full.p_alive(cdnow))
    save_model(model, tmp_path / "model")
    pd.testing.assert_series_equal(load_model(tmp_path / "model").p_alive(cdnow), model.p_alive(cdnow))


def test_it_is_stored_and_comes_back(
    fitter: Any, cdnow: pd.DataFrame, unit_days: float, tmp_path: Path
) -> None:
    model = from_lifetimes(fitter, unit_days=unit_days)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.params_ == model.params_
    pd.testing.assert_series_equal(again.predict(cdnow), model.predict(cdnow), check_exact=True)


def test_gamma_gamma_is_taken_over(lifetimes: Any, cdnow: pd.DataFrame, tmp_path: Path) -> None:
    spenders = cdnow[(cdnow["frequency"] > 0) & (cdnow["monetary_value"] > 0)]
    peer = lifetimes.GammaGammaFitter().fit(spenders["frequency"], spenders["monetary_value"])
    model, ours = from_lifetimes(peer, unit_days=7.0), GammaGamma().fit(cdnow)
    assert isinstance(model, GammaGamma)
    spend = peer.conditional_expected_average_profit(spenders["frequency"], spenders["monetary_value"])
    np.testing.assert_allclose(model.expected_spend(spenders), spend, rtol=1e-12)
    np.testing.assert_allclose(model.params_, peer.params_, rtol=1e-15)
    columns = spenders[["frequency", "monetary_value"]].to_numpy().T
    assert model.loglik_ == pytest.approx(gamma_gamma.log_likelihood(model.params_, *columns).sum())
    np.testing.assert_allclose(model.standard_errors_, ours.standard_errors_, rtol=1e-2)
    assert set(vars(model)) == set(vars(ours))  # whoever asks for posterior_ finds None
    assert model.posterior_ is None
    save_model(model, tmp_path / "model")
    pd.testing.assert_series_equal(
        load_model(tmp_path / "model").predict(cdnow), model.predict(cdnow), check_exact=True
    )
    del peer.data
    np.testing.assert_allclose(from_lifetimes(peer).standard_errors_, ours.standard_errors_, rtol=1e-2)


def test_bgbb_is_taken_over(lifetimes: Any, donors: pd.DataFrame, tmp_path: Path) -> None:
    peer = fit_by_lifetimes(lifetimes.BetaGeoBetaBinomFitter(), donors, 1.0)
    model, ours = from_lifetimes(peer), BGBB().fit(donors)
    assert isinstance(model, BGBB)
    columns = [donors[name].to_numpy() for name in HISTORY]
    bought = peer.conditional_expected_number_of_purchases_up_to_time(5, *columns)
    np.testing.assert_allclose(model.expected_purchases(donors, horizon=5.0), bought, rtol=1e-7)
    alive = peer.conditional_probability_alive(1, *columns)
    np.testing.assert_allclose(model.p_alive(donors), alive, rtol=1e-7)
    assert ours.loglik_ - 1e-2 < model.loglik_ <= ours.loglik_
    save_model(model, tmp_path / "model")
    pd.testing.assert_series_equal(load_model(tmp_path / "model").predict(donors), model.predict(donors))


def test_the_weights_of_its_customers_count(lifetimes: Any, cdnow: pd.DataFrame) -> None:
    counted = cdnow.groupby(list(HISTORY), as_index=False).size()
    columns = [counted[name] for name in HISTORY]
    by_weight = from_lifetimes(lifetimes.BetaGeoFitter().fit(*columns, weights=counted["size"]))
    one_each = from_lifetimes(lifetimes.BetaGeoFitter().fit(*(cdnow[name] for name in HISTORY)))
    assert by_weight.loglik_ == pytest.approx(one_each.loglik_)
    assert by_weight.n_histories_ == one_each.n_histories_ == len(counted)
    np.testing.assert_allclose(by_weight.standard_errors_, one_each.standard_errors_, rtol=1e-3)


def test_a_fitter_derived_from_one_is_known_by_it(lifetimes: Any, cdnow: pd.DataFrame) -> None:
    class Ours(lifetimes.ModifiedBetaGeoFitter):  # type: ignore[misc]
        """Somebody's own."""

    assert type(from_lifetimes(fit_by_lifetimes(Ours(), cdnow, 1.0))) is MBGNBD


def test_a_penalizer_shows_as_a_slope_left(lifetimes: Any, cdnow: pd.DataFrame) -> None:
    free, held = (fit_by_lifetimes(lifetimes.BetaGeoFitter(p), cdnow, 1.0) for p in (0.0, 0.01))
    assert from_lifetimes(held).gradient_norm_ > 100 * from_lifetimes(free).gradient_norm_


def test_what_is_no_fitted_model_of_lifetimes_is_refused(lifetimes: Any, cdnow: pd.DataFrame) -> None:
    known = "BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter, GammaGammaFitter, BetaGeoBetaBinomFitter"
    for other in (
        BGNBD().fit(cdnow),
        "BetaGeoFitter",
        None,
        lifetimes.BetaGeoFitter,
        lifetimes.fitters.BaseFitter(),
    ):
        with pytest.raises(DataError, match=f"expected a fitter of lifetimes, one of {known}; got "):
            from_lifetimes(other)
    with pytest.raises(DataError, match=r"expected a fitted ParetoNBDFitter; .* fit ParetoNBD directly"):
        from_lifetimes(lifetimes.ParetoNBDFitter())
    with pytest.raises(SettingsError, match="unit_days"):
        from_lifetimes(lifetimes.BetaGeoFitter(), unit_days=0.0)


def test_parameters_that_mean_nothing_are_refused(lifetimes: Any) -> None:
    peer = lifetimes.GammaGammaFitter()
    peer.params_ = pd.Series({"p": 4.0, "q": 0.8, "v": 20.0})
    with pytest.raises(DataError, match=r"expected p > 0, q > 1, v > 0 of the GammaGammaFitter; .* q=0.8"):
        from_lifetimes(peer)
    peer = lifetimes.ParetoNBDFitter()
    peer.params_ = pd.Series({"r": 1.0, "alpha": np.nan, "s": 1.0, "beta": 1.0})
    with pytest.raises(DataError, match="alpha=nan"):
        from_lifetimes(peer)
