"""BG/NBD as an estimator: the published fit, its peers, the laws of fitting, and what it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from habitue.errors import ConvergenceError, DataError, FitError, SchemaError, SettingsError
from habitue.models.bgnbd import BGNBD
from habitue.models.persistence import load_model, save_model
from habitue.numerics import bgnbd
from habitue.numerics.bgnbd import BGNBDParams

ANSWERS = ("p_alive", "expected_purchases", "p_no_purchase")


@pytest.fixture(scope="module")
def cdnow(cdnow_sales: pd.DataFrame) -> pd.DataFrame:
    """The CDNOW sample to 1997-09-30, one visit per customer and day, from the file inside lifetimes."""
    lines = cdnow_sales.assign(day=pd.to_datetime(cdnow_sales["day"].astype(str)))
    end = pd.Timestamp("1997-09-30")
    days = lines[lines["day"] <= end].groupby("customer_id")["day"].agg(["min", "max", "nunique"])
    return pd.DataFrame(
        {
            "frequency": days["nunique"] - 1,
            "recency": (days["max"] - days["min"]).dt.days,
            "T": (end - days["min"]).dt.days,
        }
    )


@pytest.fixture(scope="module")
def fitted(cdnow: pd.DataFrame) -> BGNBD:
    return BGNBD().fit(cdnow)


def simulate(params: BGNBDParams, n: int, seed: int) -> pd.DataFrame:
    """Return customers of a BG/NBD base, event by event, T between 60 and 600 days."""
    rng = np.random.default_rng(seed)
    rate, leaves = rng.gamma(params.r, 1 / params.alpha, n), rng.beta(params.a, params.b, n)
    T = rng.integers(60, 600, n).astype(float)
    frequency, recency, now, alive = np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n, dtype=bool)
    while alive.any():
        now = now + rng.exponential(1 / rate)
        alive &= now <= T
        frequency, recency = frequency + alive, np.where(alive, now, recency)
        alive &= rng.random(n) > leaves
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": T})


def test_the_published_cdnow_fit_comes_out_of_days(cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    """Fader, Hardie & Lee (2005), table 2, in weeks: larger by log 7 for each purchase."""
    assert len(cdnow) == 2357
    r, alpha, a, b = fitted.params_
    assert (round(r, 4), round(alpha / 7, 4), round(a, 4), round(b, 4)) == (0.2426, 4.4136, 0.7929, 2.4259)
    in_weeks = fitted.loglik_ + math.log(7) * cdnow["frequency"].sum()
    assert in_weeks == pytest.approx(-9582.429206673929, abs=1e-8)
    assert fitted.n_histories_ == 1016
    assert fitted.gradient_norm_ < 1e-8


def test_the_same_table_in_weeks_gives_the_same_fit(cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    weeks = cdnow.assign(recency=cdnow["recency"] / 7, T=cdnow["T"] / 7)
    again = BGNBD(penalizer=0.01).fit(weeks)
    days = BGNBD(penalizer=0.01).fit(cdnow)
    scaled = again.params_._replace(alpha=7 * again.params_.alpha)
    np.testing.assert_allclose(scaled, days.params_, rtol=1e-9)
    assert BGNBD().fit(weeks).loglik_ == pytest.approx(-9582.429206673929, abs=1e-8)


def test_the_master_file_and_the_rounded_summary_too(shared_data: Path) -> None:
    summary = pd.read_csv(shared_data / "data" / "cdnow" / "cdnow_customers_summary.csv.gz")
    assert BGNBD().fit(summary).loglik_ == pytest.approx(-9582.4256, abs=1e-3)
    lines = pd.read_csv(shared_data / "data" / "cdnow" / "cdnow_master.csv.gz", parse_dates=["date"])
    end = pd.Timestamp("1997-09-30")
    days = lines[lines["date"] <= end].groupby("customer_id")["date"].agg(["min", "max", "nunique"])
    X = np.column_stack(
        [days["nunique"] - 1, (days["max"] - days["min"]).dt.days, (end - days["min"]).dt.days]
    )
    model = BGNBD().fit(X)
    expected = pd.read_csv(shared_data / "golden" / "holdout_accuracy.csv").set_index(["dataset", "model"])
    row = expected.loc[("cdnow_master(23570)", "BG/NBD")]
    assert model.loglik_ + math.log(7) * X[:, 0].sum() == pytest.approx(row["LL"], abs=1e-6)
    in_weeks = model.params_._replace(alpha=model.params_.alpha / 7)
    np.testing.assert_allclose(in_weeks, [float(p) for p in row["params"].split(";")], rtol=1e-4)


def test_expected_purchases_of_the_next_39_weeks_sum_to_the_published(
    cdnow: pd.DataFrame, fitted: BGNBD
) -> None:
    assert fitted.expected_purchases(cdnow, horizon=273.0).sum() == pytest.approx(1653.4087, abs=2e-3)


def test_it_equals_lifetimes(cdnow: pd.DataFrame, fitted: BGNBD, lifetimes: Any) -> None:
    peer = lifetimes.BetaGeoFitter().fit(cdnow["frequency"], cdnow["recency"], cdnow["T"])
    np.testing.assert_allclose(fitted.params_, peer.params_, rtol=1e-4)
    np.testing.assert_allclose(fitted.standard_errors_, peer.standard_errors_, rtol=1e-3)
    columns = [cdnow[name] for name in ("frequency", "recency", "T")]
    alive = peer.conditional_probability_alive(*columns)
    np.testing.assert_allclose(fitted.p_alive(cdnow), alive, rtol=1e-4)
    bought = peer.conditional_expected_number_of_purchases_up_to_time(180, *columns)
    np.testing.assert_allclose(fitted.expected_purchases(cdnow, horizon=180), bought, rtol=1e-4)


def test_the_formulas_equal_lifetimes_at_its_own_parameters(cdnow: pd.DataFrame, lifetimes: Any) -> None:
    peer = lifetimes.BetaGeoFitter().fit(cdnow["frequency"], cdnow["recency"], cdnow["T"])
    params = BGNBDParams(*peer.params_)
    columns = [cdnow[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")]
    alive = peer.conditional_probability_alive(*columns)
    np.testing.assert_allclose(bgnbd.p_alive(params, *columns), alive, rtol=1e-12)
    bought = peer.conditional_expected_number_of_purchases_up_to_time(180, *columns)
    np.testing.assert_allclose(bgnbd.expected_purchases(params, *columns, 180), bought, rtol=1e-9)
    new = peer.expected_number_of_purchases_up_to_time(np.array([7.0, 365.0]))
    np.testing.assert_allclose(bgnbd.expected_purchases_new(params, [7.0, 365.0]), new, rtol=1e-10)


def test_simulate_and_refit_recovers_the_truth() -> None:
    truth = BGNBDParams(0.6, 40.0, 0.8, 2.5)
    model = BGNBD().fit(simulate(truth, 40_000, seed=1))
    errors = (np.array(model.params_) - np.array(truth)) / np.array(model.standard_errors_)
    assert (np.abs(errors) < 4).all(), (model.params_, model.standard_errors_)
    assert max(np.array(model.standard_errors_) / np.array(truth)) < 0.1


def test_standard_errors_are_the_spread_over_repetitions() -> None:
    truth = BGNBDParams(0.6, 40.0, 0.8, 2.5)
    models = [BGNBD().fit(simulate(truth, 1000, seed=seed)) for seed in range(40)]
    spread = np.std([np.log(model.params_) for model in models], axis=0)
    claimed = np.median([np.array(m.standard_errors_) / np.array(m.params_) for m in models], axis=0)
    np.testing.assert_allclose(claimed, spread, rtol=0.4)


def test_the_covariance_is_the_inverse_of_the_likelihoods_curvature(
    cdnow: pd.DataFrame, fitted: BGNBD
) -> None:
    """In natural parameters this time, at the optimum, where the gradient is zero: no delta method."""
    columns = [cdnow[name] for name in ("frequency", "recency", "T")]
    steps = [1e-5 * value for value in fitted.params_]
    rows = []
    for name, step in zip(BGNBDParams._fields, steps, strict=True):
        up, down = (
            fitted.params_._replace(**{name: getattr(fitted.params_, name) + s * step}) for s in (1, -1)
        )
        slope = bgnbd.gradient(up, *columns).sum(axis=0) - bgnbd.gradient(down, *columns).sum(axis=0)
        rows.append(-slope / (2 * step))
    np.testing.assert_allclose(fitted.covariance_, np.linalg.inv(np.array(rows)), rtol=1e-5)
    np.testing.assert_allclose(np.square(fitted.standard_errors_), np.diag(fitted.covariance_), rtol=1e-12)


def test_no_parameters_nearby_explain_the_customers_better(cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    rng = np.random.default_rng(0)
    columns = [cdnow[name] for name in ("frequency", "recency", "T")]
    for size in (1e-3, 1e-2, 0.3):
        for _ in range(10):
            near = BGNBDParams(*np.array(fitted.params_) * np.exp(size * rng.normal(size=4)))
            assert bgnbd.log_likelihood(near, *columns).sum() < fitted.loglik_


def test_the_order_of_customers_changes_nothing(cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    shuffled = cdnow.sample(frac=1.0, random_state=4)
    again = BGNBD().fit(shuffled)
    assert again.params_ == fitted.params_
    assert again.loglik_ == fitted.loglik_
    for name in ANSWERS:
        pd.testing.assert_series_equal(
            getattr(again, name)(shuffled).sort_index(), getattr(fitted, name)(cdnow), check_exact=True
        )


def test_weights_are_repetition(cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    counted = cdnow.groupby(["frequency", "recency", "T"], as_index=False).size()
    by_weight = BGNBD().fit(counted, sample_weight=counted["size"])
    assert by_weight.params_ == fitted.params_
    assert by_weight.standard_errors_ == fitted.standard_errors_
    weights = np.arange(len(cdnow)) % 3
    repeated = BGNBD().fit(cdnow.loc[cdnow.index.repeat(weights)])
    weighted = BGNBD().fit(cdnow, sample_weight=weights)
    assert weighted.params_ == repeated.params_
    assert weighted.n_histories_ == repeated.n_histories_


def test_a_refit_forgets_the_old_fit_and_a_clone_knows_nothing(cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    model = BGNBD(horizon=30.0, penalizer=0.0, max_iter=400)
    model.fit(simulate(BGNBDParams(0.6, 40.0, 0.8, 2.5), 3000, seed=7))
    assert model.fit(cdnow) is model
    assert model.params_ == fitted.params_
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert (copy.horizon, copy.max_iter) == (30.0, 400)
    with pytest.raises(NotFittedError):
        copy.predict(cdnow)


def test_constructor_checks_nothing_and_fit_does(cdnow: pd.DataFrame) -> None:
    for wrong in (
        {"horizon": 0},
        {"horizon": math.nan},
        {"penalizer": -1.0},
        {"max_iter": 0},
        {"horizon": "year"},
    ):
        model = BGNBD(**wrong)  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match=f"expected {next(iter(wrong))} to be a finite number"):
            model.fit(cdnow)


@pytest.mark.parametrize("method", [*ANSWERS, "predict", "score"])
def test_not_fitted(method: str, cdnow: pd.DataFrame) -> None:
    with pytest.raises(NotFittedError):
        getattr(BGNBD(), method)(cdnow)


def test_answers_are_indexed_and_named_like_x(cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    X = (
        cdnow.head(5)
        .set_axis(list("vwxyz"), axis=0)
        .assign(city="Ulm")[["city", "T", "recency", "frequency"]]
    )
    for name in ANSWERS:
        got = getattr(fitted, name)(X)
        assert isinstance(got, pd.Series)
        assert got.name == name
        assert got.index.tolist() == list("vwxyz")
        array = getattr(fitted, name)(cdnow.head(5).to_numpy())
        assert isinstance(array, np.ndarray)
        np.testing.assert_array_equal(got, array)
    assert fitted.feature_names_in_.tolist() == ["frequency", "recency", "T"]
    assert fitted.n_features_in_ == 3


def test_the_horizon_is_the_constructors_unless_another_is_asked_for(cdnow: pd.DataFrame) -> None:
    model = BGNBD(horizon=90.0).fit(cdnow)
    np.testing.assert_array_equal(model.predict(cdnow), model.expected_purchases(cdnow, horizon=90.0))
    np.testing.assert_array_equal(model.p_no_purchase(cdnow), model.p_no_purchase(cdnow, horizon=90.0))
    assert (model.expected_purchases(cdnow, horizon=91.0) > model.predict(cdnow)).all()
    for horizon in (0.0, -1.0, math.inf):
        with pytest.raises(SettingsError, match="horizon"):
            model.expected_purchases(cdnow, horizon=horizon)


def test_score_is_the_mean_log_likelihood(cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    assert fitted.score(cdnow) == pytest.approx(fitted.loglik_ / 2357, rel=1e-12)


def test_a_penalty_draws_towards_ordinary_parameters_and_is_not_in_loglik(
    cdnow: pd.DataFrame, fitted: BGNBD
) -> None:
    unit = cdnow["T"].mean()

    def distance(model: BGNBD) -> float:
        return float(np.square(np.log(model.params_._replace(alpha=model.params_.alpha / unit))).sum())

    models = [fitted, *(BGNBD(penalizer=p).fit(cdnow) for p in (0.001, 0.01, 0.1, 1.0))]
    assert np.all(np.diff([distance(model) for model in models]) < 0)
    assert np.all(np.diff([model.loglik_ for model in models]) < 0)
    columns = [cdnow[name] for name in ("frequency", "recency", "T")]
    assert models[-1].loglik_ == pytest.approx(bgnbd.log_likelihood(models[-1].params_, *columns).sum())


def test_too_few_steps_are_an_error_that_says_where_it_stopped(cdnow: pd.DataFrame) -> None:
    with pytest.raises(ConvergenceError, match="Raise max_iter") as caught:
        BGNBD(max_iter=3).fit(cdnow)
    assert caught.value.iterations == 3
    assert caught.value.gradient_norm > 1e-8
    assert set(caught.value.params) == {"r", "alpha", "a", "b"}


def test_a_parameter_that_runs_away_is_an_error_and_a_penalty_the_way_out() -> None:
    """All buy at one rate and nobody leaves: r and alpha have no upper bound, a no lower one."""
    rng = np.random.default_rng(0)
    frequency = rng.poisson(3.0, 300)
    recency = np.where(frequency > 0, np.floor(300 * rng.beta(np.maximum(frequency, 1), 1)), 0)
    X = pd.DataFrame({"frequency": frequency, "recency": recency, "T": 300.0})
    with pytest.raises(ConvergenceError, match="ran to the boundary") as caught:
        BGNBD().fit(X)
    assert any(not 1e-4 < value < 1e4 for value in caught.value.params.values())
    assert BGNBD(penalizer=0.01).fit(X).gradient_norm_ < 1e-8


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"recency": 300.0}, r"expected recency <= T; 1 of 3 customers .* first is 'bo' with .*recency=300"),
        ({"frequency": 0.0}, "expected recency 0 where frequency is 0"),
        ({"frequency": 1.5}, "expected frequency to be a whole number"),
        ({"frequency": -1.0}, "expected frequency to be a whole number"),
        ({"frequency": math.nan}, "expected frequency to be a whole number"),
        ({"recency": math.nan}, "expected recency and T to be finite"),
        ({"recency": -1.0}, "expected recency and T to be finite"),
        ({"T": math.inf}, "expected recency and T to be finite"),
        ({"T": -5.0}, "expected recency and T to be finite"),
    ],
)
def test_what_cannot_be_a_history_is_refused(
    change: dict[str, float], sentence: str, cdnow: pd.DataFrame, fitted: BGNBD
) -> None:
    X = pd.DataFrame(
        {"frequency": [0.0, 2.0, 1.0], "recency": [0.0, 9.0, 5.0], "T": [100.0, 200.0, 50.0]},
        index=["al", "bo", "cy"],
    )
    X.loc["bo", list(change)] = list(change.values())
    for refuse in (
        BGNBD().fit,
        fitted.p_alive,
        fitted.expected_purchases,
        fitted.p_no_purchase,
        fitted.score,
    ):
        with pytest.raises(DataError, match=sentence):
            refuse(X)


def test_columns_are_named_where_they_are_wrong(cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    with pytest.raises(SchemaError, match="missing: recency, T; there are: frequency, tenure"):
        fitted.p_alive(cdnow[["frequency"]].assign(tenure=1))
    with pytest.raises(SchemaError, match="T is there more than once"):
        fitted.p_alive(pd.concat([cdnow, cdnow[["T"]]], axis=1))
    with pytest.raises(SchemaError, match="expected numbers in column T"):
        fitted.p_alive(cdnow.assign(T="long"))
    with pytest.raises(SchemaError, match=r"got an array of shape \(2357, 2\)"):
        fitted.p_alive(cdnow.to_numpy()[:, :2])
    with pytest.raises(SchemaError, match="in this order"):
        fitted.p_alive([["0", "0", "9"]])


def test_nullable_columns_are_read_and_their_gaps_refused(cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    nullable = cdnow.astype("Int64")
    pd.testing.assert_series_equal(fitted.p_alive(nullable), fitted.p_alive(cdnow))
    nullable.iloc[0, 1] = pd.NA
    with pytest.raises(DataError, match="finite"):
        fitted.p_alive(nullable)


def test_nothing_to_learn_from_is_said(cdnow: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no rows"):
        BGNBD().fit(cdnow.head(0))
    with pytest.raises(FitError, match="one distinct history"):
        BGNBD().fit(cdnow.head(1))
    with pytest.raises(FitError, match="one distinct history"):
        BGNBD().fit(cdnow.iloc[[0] * 5])
    with pytest.raises(FitError, match="every frequency is 0"):
        BGNBD().fit(cdnow[cdnow["frequency"] == 0])


@pytest.mark.parametrize("weights", [[1.0], [-1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [math.nan, 1.0, 1.0]])
def test_weights_that_count_nothing_are_refused(weights: list[float], cdnow: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="sample weights"):
        BGNBD().fit(cdnow.head(3), sample_weight=weights)


def test_it_comes_back_from_a_folder_of_text(tmp_path: Path, cdnow: pd.DataFrame, fitted: BGNBD) -> None:
    save_model(fitted, tmp_path / "model")
    json.loads((tmp_path / "model" / "model.json").read_text())
    again = load_model(tmp_path / "model")
    assert isinstance(again, BGNBD)
    assert again.params_ == fitted.params_
    pd.testing.assert_series_equal(again.predict(cdnow), fitted.predict(cdnow), check_exact=True)
