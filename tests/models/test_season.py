"""Purchases in a business with seasons: the plain model where there are none, the truth where there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import habitue as hb
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.models import (
    BGNBD,
    MBGNBD,
    NBD,
    BGCNBDk,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    ParetoNBD,
    load_model,
    save_model,
)
from habitue.models.season import YearlySeason, reads_day_of_year
from habitue.models.seasonal_purchases import SeasonalPurchases
from habitue.numerics import bgnbd
from habitue.numerics.seasons import exposure

TRUTH = bgnbd.Params(0.9, 50.0, 0.8, 2.8)
# High in the weeks before Christmas, three times the summer.
SEASON = YearlySeason(coefficients=(0.45, -0.25, 0.2, -0.15))
CUTOFF = 1000  # days since January 1 of the first year; the 270th day of the third
PEAK = 91


class Business(NamedTuple):
    X: pd.DataFrame
    n_purchases: np.ndarray


@pytest.fixture(scope="module")
def business() -> Business:
    """Return 4,000 customers of a seasonal business, and how often each bought in the peak that followed."""
    rng, n = np.random.default_rng(8), 4_000
    first = np.floor(rng.uniform(0.0, 900.0, n))
    days = np.arange(0.0, CUTOFF + PEAK + 1.0)
    clock = exposure(SEASON.coefficients, days)
    began = exposure(SEASON.coefficients, first)
    zero = np.zeros(n)
    drawn = bgnbd.simulate(TRUTH, zero, zero, zero, clock[-1] - began, random_state=rng)
    when = np.interp(began[drawn.customer] + drawn.time, clock, days)
    past = when <= CUTOFF
    frequency = np.bincount(drawn.customer[past], minlength=n).astype(float)
    recency = np.zeros(n)
    np.maximum.at(recency, drawn.customer[past], when[past] - first[drawn.customer[past]])
    X = pd.DataFrame(
        {
            "frequency": frequency,
            "recency": recency,
            "T": CUTOFF - first,
            "cutoff_day_of_year": CUTOFF % 365.25,
        },
        index=pd.RangeIndex(1, n + 1, name="customer_id"),
    )
    return Business(X, np.bincount(drawn.customer[~past], minlength=n))


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-12-30", horizon=91)).X
    return X.iloc[:700].assign(cutoff_day_of_year=364.0)


def answers(model: Any, X: pd.DataFrame) -> dict[str, np.ndarray]:
    told = {"p_alive": model.p_alive(X)}
    for days in (30.0, 400.0):
        for name in ("expected_purchases", "p_no_purchase"):
            told[f"{name} {days}"] = getattr(model, name)(X, horizon=days)
        told[f"purchase_pmf {days}"] = model.purchase_pmf(X, 2, horizon=days)
    return {name: np.asarray(values) for name, values in told.items()}


@pytest.mark.parametrize("inner", [BGNBD(), MBGNBD(), NBD(), ParetoNBD()], ids=lambda one: type(one).__name__)
@pytest.mark.parametrize(
    "flat", [YearlySeason(), YearlySeason(coefficients=(0.0,) * 6)], ids=["none", "zero"]
)
def test_a_year_without_seasons_changes_nothing(cdnow, inner, flat):
    bare, seasonal = clone(inner).fit(cdnow), SeasonalPurchases(model=inner, season=flat).fit(cdnow)
    np.testing.assert_allclose(seasonal.params_, bare.params_, rtol=1e-12)
    for name, values in answers(seasonal, cdnow).items():
        np.testing.assert_allclose(values, answers(bare, cdnow)[name], rtol=1e-12, atol=1e-15, err_msg=name)


def test_parameters_are_those_of_an_average_season(business):
    seasonal = SeasonalPurchases(season=SEASON).fit(business.X)
    errors = (np.array(seasonal.params_) - np.array(TRUTH)) / np.array(seasonal.purchases_.standard_errors_)
    assert (np.abs(errors) < 3.0).all()


def test_the_peak_is_foretold_within_chance_where_the_plain_model_is_far_off(business):
    came = business.n_purchases.sum()
    noise = 2.0 * business.n_purchases.std() * np.sqrt(len(business.X)) / came
    seasonal, plain = (
        float(model.fit(business.X).expected_purchases(business.X, horizon=PEAK).sum()) / came
        for model in (SeasonalPurchases(season=SEASON), BGNBD())
    )
    assert abs(seasonal - 1.0) < noise
    assert plain - 1.0 < -4.0 * noise


def test_answers_of_stacked_cutoffs_are_those_of_each(cdnow):
    model = SeasonalPurchases(season=SEASON).fit(cdnow)
    other = cdnow.assign(cutoff_day_of_year=90.0)
    both = answers(model, pd.concat([cdnow, other], keys=["one", "other"]))
    for name, values in both.items():
        apart = np.concatenate([answers(model, X)[name] for X in (cdnow, other)])
        np.testing.assert_allclose(values, apart, rtol=1e-12, err_msg=name)
    ahead = both["expected_purchases 30.0"]
    assert ahead[: len(cdnow)].sum() > ahead[len(cdnow) :].sum()


def test_it_stands_in_for_a_model_of_purchases(cdnow):
    seasonal = SeasonalPurchases(season=SEASON)
    alone = clone(seasonal).fit(cdnow)
    churn = BTYDChurnClassifier(horizon=91, purchases=seasonal).fit(cdnow)
    value = BTYDValueRegressor(horizon=91, purchases=seasonal).fit(cdnow)
    np.testing.assert_array_equal(churn.predict_proba(cdnow)[:, 1], alone.p_no_purchase(cdnow, horizon=91))
    expected = alone.expected_purchases(cdnow, horizon=91) * value.spend_.expected_spend(cdnow)
    np.testing.assert_allclose(value.predict(cdnow), expected * value.net_share_, rtol=1e-12)


def test_gaps_of_regular_buyers_run_by_the_same_clock(cdnow):
    flat, high = (SeasonalPurchases(model=BGCNBDk(k=2), season=one) for one in (YearlySeason(), SEASON))
    bare = BGCNBDk(k=2).fit(cdnow)
    np.testing.assert_allclose(flat.fit(cdnow).params_, bare.params_, rtol=1e-12)
    assert high.fit(cdnow).params_.alpha != pytest.approx(bare.params_.alpha, rel=1e-3)


def test_an_array_is_read_like_a_frame(cdnow):
    names = ["frequency", "recency", "T", "cutoff_day_of_year"]
    model = SeasonalPurchases(season=SEASON).fit(cdnow[names].to_numpy())
    told = model.expected_purchases(cdnow[names].to_numpy(), horizon=91)
    assert isinstance(told, np.ndarray)
    framed = clone(model).fit(cdnow).expected_purchases(cdnow, horizon=91)
    np.testing.assert_array_equal(told, framed)
    pd.testing.assert_index_equal(framed.index, cdnow.index)


def test_what_is_missing_or_impossible_is_said(cdnow):
    with pytest.raises(SettingsError, match="season_of"):
        SeasonalPurchases().fit(cdnow)
    with pytest.raises(NotFittedError):
        SeasonalPurchases(season=SEASON).p_alive(cdnow)
    with pytest.raises(SchemaError, match="cutoff_day_of_year"):
        SeasonalPurchases(season=SEASON).fit(cdnow.drop(columns="cutoff_day_of_year"))
    with pytest.raises(DataError, match="1 to 366"):
        SeasonalPurchases(season=SEASON).fit(cdnow.assign(cutoff_day_of_year=0.0))
    model = SeasonalPurchases(season=SEASON).fit(cdnow)
    with pytest.raises(SettingsError, match="horizon"):
        model.expected_purchases(cdnow, horizon=0.0)
    with pytest.raises(SettingsError, match="confidence"):
        model.season_interval(cdnow, confidence=1.0)
    half = cdnow.assign(cutoff_day_of_year=np.arange(len(cdnow)) % 2 + 1.0)
    with pytest.raises(DataError, match="one cutoff"):
        model.season_interval(half)


def test_it_comes_back_from_text_as_it_was(cdnow, tmp_path: Path):
    season = YearlySeason((0.3, -0.2), ((0.01, 0.002), (0.002, 0.02)), 400, 0.1)
    model = SeasonalPurchases(season=season).fit(cdnow)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.season == season
    for name, values in answers(model, cdnow).items():
        assert values.tobytes() == answers(loaded, cdnow)[name].tobytes(), name


def test_a_clone_keeps_its_season(cdnow):
    """A season is known, not learned in fit: scikit-learn must not take it for an unfitted part."""
    nested = clone(BTYDValueRegressor(purchases=SeasonalPurchases(season=SEASON)))
    assert nested.purchases.season == SEASON
    assert reads_day_of_year(nested)
    assert reads_day_of_year({"a": [nested]})
    assert not reads_day_of_year(BTYDValueRegressor(purchases=BGNBD()))


def test_factors_of_all_quarters_make_a_year():
    quarters = [SEASON.factor(91.3125 * place, 91.3125).value for place in range(4)]
    assert np.mean(quarters) == pytest.approx(1.0, rel=1e-9)
    assert max(quarters) / min(quarters) > 2.0
    assert SEASON.factor(100.0, 365.25).value == pytest.approx(1.0, rel=1e-9)


def test_a_factors_deviation_is_that_of_draws():
    covariance = ((0.01, 0.004), (0.004, 0.02))
    season = YearlySeason((0.3, -0.2), covariance)
    T = np.array([100.0, 250.0, 60.0])
    draws = np.random.default_rng(0).multivariate_normal(season.coefficients, covariance, 300)
    for history in (None, T):
        told = season.factor(250.0, 91.0, history=history)
        each = [YearlySeason(tuple(one)).factor(250.0, 91.0, history=history).value for one in draws]
        assert np.std(np.log(each)) == pytest.approx(told.log_sd, rel=0.15)
        assert np.mean(np.log(each)) == pytest.approx(np.log(told.value), abs=0.2 * told.log_sd)


def test_what_a_year_has_of_its_own_widens_each_window_but_not_the_year():
    sure, wayward = SEASON, YearlySeason(SEASON.coefficients, year_scale=0.1)
    assert sure.factor(250.0, 91.0).log_sd == 0.0
    assert 0.02 < wayward.factor(250.0, 91.0).log_sd < 0.2
    assert wayward.factor(250.0, 365.25).log_sd == pytest.approx(0.0, abs=1e-9)
    draws = np.random.default_rng(1).normal(size=(600, 4)) * 0.1 / np.array([1.0, 1.0, 2.0, 2.0])
    each = [YearlySeason(tuple(SEASON.coefficients + one)).factor(250.0, 91.0).value for one in draws]
    assert np.std(np.log(each)) == pytest.approx(wayward.factor(250.0, 91.0).log_sd, rel=0.15)


def test_the_interval_of_a_total_is_as_wide_as_the_season_is_in_doubt(cdnow):
    sure = SeasonalPurchases(season=SEASON).fit(cdnow)
    total = float(sure.expected_purchases(cdnow, horizon=91).sum())
    assert sure.season_interval(cdnow, horizon=91) == pytest.approx((total, total))
    doubt = YearlySeason(SEASON.coefficients, tuple(map(tuple, (0.02 * np.eye(4)).tolist())))
    unsure = SeasonalPurchases(season=doubt).fit(cdnow)
    lower, upper = unsure.season_interval(cdnow, horizon=91, confidence=0.8)
    sd = doubt.factor(364.0, 91.0, history=cdnow["T"]).log_sd
    assert np.log(upper / total) == pytest.approx(1.2815515655 * sd, rel=1e-6)
    assert lower * upper == pytest.approx(total**2, rel=1e-9)


def test_a_season_needs_weeks_in_which_somebody_was_to_come():
    end = pd.date_range("2024-01-07", periods=8, freq="7D")
    with pytest.raises(DataError, match="were expected"):
        YearlySeason.learned(end, np.full(8, 7.0), np.zeros(8), np.ones(8))
