"""The season that was known at a day, learned from records and handed to models by a backtest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import DataError, SettingsError
from habitue.evaluation.learning import what_is_known
from habitue.evaluation.seasons import (
    _expected,
    reads_day_of_year,
    season_of,
    with_day_of_year,
    with_season,
)
from habitue.evaluation.tracking_curves import tracking
from habitue.models import (
    BGNBD,
    BoostedValueRegressor,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    MeanRegressor,
    StackedChurnClassifier,
)
from habitue.models.season import YearlySeason
from habitue.models.season_correction import SeasonCorrected
from habitue.models.seasonal_purchases import SeasonalPurchases
from habitue.numerics import bgnbd
from habitue.numerics.seasons import exposure, fourier

TRUTH = bgnbd.Params(0.9, 40.0, 0.8, 2.8)
SEASON = YearlySeason(coefficients=(0.45, -0.25, 0.2, -0.15))
N_DAYS = 3 * 365 + 92


def purchases(n: int = 1_500, seed: int = 3) -> pd.DataFrame:
    """Return three years, and a quarter, of customers who buy by BG/NBD in a business with seasons."""
    rng = np.random.default_rng(seed)
    first = rng.uniform(0.0, 900.0, n)
    days = np.arange(0.0, N_DAYS + 1.0)
    clock, began = exposure(SEASON.coefficients, days), exposure(SEASON.coefficients, first)
    zero = np.zeros(n)
    drawn = bgnbd.simulate(TRUTH, zero, zero, zero, clock[-1] - began, random_state=rng)
    when = np.concatenate([first, np.interp(began[drawn.customer] + drawn.time, clock, days)])
    return pd.DataFrame(
        {
            "customer_id": np.concatenate([np.arange(n), drawn.customer]) + 1,
            "timestamp": pd.Timestamp("2021-01-01") + pd.to_timedelta(np.minimum(when, N_DAYS - 0.01), "D"),
            "amount": 10.0,
        }
    )


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return purchases()


@pytest.fixture(scope="module")
def log(records: pd.DataFrame) -> hb.CustomerLog:
    return hb.CustomerLog(transactions=records, observed_until="2024-04-01")


def log_profile(season: YearlySeason) -> np.ndarray:
    day = np.arange(0.5, 365.0)
    log = fourier(day, len(season.coefficients) // 2) @ np.array(season.coefficients)
    return log - np.log(np.exp(log).mean())


def test_nothing_after_the_day_counts(records: pd.DataFrame, log: hb.CustomerLog) -> None:
    until = "2022-12-31"
    late = records["timestamp"] >= "2023-01-01"
    burst = pd.DataFrame(
        {"customer_id": np.arange(1, 901), "timestamp": pd.Timestamp("2023-01-01 12:00"), "amount": 5.0}
    )
    changed = hb.CustomerLog(transactions=pd.concat([records[~late], burst]), observed_until="2024-04-01")
    assert season_of(changed, until) == season_of(log, until)


def test_by_a_clock_without_seasons_as_much_is_expected_as_by_the_calendar(log: hb.CustomerLog) -> None:
    window = hb.Window("2022-12-31", horizon=1)
    X = with_day_of_year(hb.take_snapshot(log, window, [])).X
    weeks = tracking(log, BGNBD().fit(X), window)
    ends = (weeks["end"] - pd.Timestamp(window.cutoff)).dt.days.to_numpy(dtype=float)
    flat = SeasonalPurchases(season=YearlySeason()).fit(X)
    told = _expected(flat, X, ends, weeks["n_days"].to_numpy(dtype=float))
    np.testing.assert_allclose(told, weeks["expected"], rtol=1e-9, atol=1e-9)
    high = SeasonalPurchases(season=SEASON).fit(X)
    told = _expected(high, X, ends, weeks["n_days"].to_numpy(dtype=float))
    came = weeks["actual"].to_numpy()
    profile = SEASON.exposure(365.0, ends) - SEASON.exposure(365.0, ends - weeks["n_days"].to_numpy())
    seasonal = told * profile / weeks["n_days"].to_numpy()
    assert np.corrcoef(seasonal, came)[0, 1] > 0.9 > np.corrcoef(told, came)[0, 1]


def test_three_years_tell_the_profile(log: hb.CustomerLog) -> None:
    found = season_of(log, "2023-12-31")
    assert np.abs(log_profile(found) - log_profile(SEASON)).max() < 0.35
    assert np.corrcoef(log_profile(found), log_profile(SEASON))[0, 1] > 0.97
    assert found.n_days == 3 * 365


def test_one_year_is_doubted_more_than_three(log: hb.CustomerLog) -> None:
    one, three = (season_of(log, f"{year}-09-30").factor(273, 91) for year in (2021, 2023))
    truth = SEASON.factor(273, 91).value
    assert three.log_sd < 0.12
    assert one.log_sd > 2.0 * three.log_sd
    for told in (one, three):
        assert abs(np.log(told.value / truth)) < 2.5 * told.log_sd


def test_a_season_is_put_in_wherever_it_is_asked_for(log: hb.CustomerLog) -> None:
    nested = BTYDValueRegressor(purchases=SeasonalPurchases(model=BGNBD()))
    ready: Any = with_season(nested, log, "2022-06-30")
    assert ready.purchases.season == season_of(log, "2022-06-30")
    assert nested.purchases is not None
    assert nested.get_params()["purchases__season"] == "yearly"
    plain = BTYDValueRegressor()
    assert with_season(plain, log, "2022-06-30") is plain
    known = SeasonalPurchases(season=SEASON)
    assert with_season(known, log, "2022-06-30") is known


def test_a_stack_has_its_members_told_the_season(log: hb.CustomerLog) -> None:
    until = log.observed_until
    plain = BTYDChurnClassifier()
    members = {"in season": BTYDChurnClassifier(purchases=SeasonalPurchases()), "plain": plain}
    asked = StackedChurnClassifier(models=members)
    told = with_season(asked, log, until)
    assert asked.models is members
    assert told.models is not None
    seasonal = told.models["in season"]
    assert isinstance(seasonal, BTYDChurnClassifier)
    assert isinstance(seasonal.purchases, SeasonalPurchases)
    assert isinstance(seasonal.purchases.season, YearlySeason)
    assert told.models["plain"] is plain
    assert reads_day_of_year(told)
    bare = StackedChurnClassifier(models={"one": plain, "two": plain})
    assert with_season(bare, log, until) is bare


def test_the_day_of_the_year_is_that_of_each_cutoff(log: hb.CustomerLog) -> None:
    windows = [hb.Window(day, horizon=30) for day in ("2021-03-01", "2022-12-31")]
    snapshots = hb.take_snapshots(log, windows, [])
    one = with_day_of_year(snapshots[0])
    assert set(one.X["cutoff_day_of_year"]) == {60.0}
    assert one.features[-1].name == "cutoff_day_of_year"
    both = with_day_of_year(hb.stack(snapshots)).X["cutoff_day_of_year"]
    assert both.groupby(level="cutoff", sort=False).agg(["min", "max"]).to_numpy().tolist() == [
        [60, 60],
        [365, 365],
    ]
    assert with_day_of_year(one) is one
    asked = hb.take_snapshot(log, windows[1], ["cutoff_day_of_year"]).X["cutoff_day_of_year"]
    pd.testing.assert_series_equal(
        with_day_of_year(snapshots[1]).X["cutoff_day_of_year"], asked, check_dtype=False
    )
    known = what_is_known(log, windows[1], windows[:1], ["inactivity"], calendar=True)
    assert all("cutoff_day_of_year" in snapshot.X for snapshot in (known.now, *known.past))


def test_trees_that_learn_from_a_year_before_may_be_told_the_day(log: hb.CustomerLog) -> None:
    window = hb.Window("2023-09-30", horizon=91)
    asked = ["inactivity", "cutoff_day_of_year"]
    year_ago, lately = ([hb.Window(day, horizon=91)] for day in ("2022-10-01", "2023-06-30"))
    assert "cutoff_day_of_year" in what_is_known(log, window, year_ago, asked).now.X
    assert "cutoff_day_of_year" not in what_is_known(log, window, year_ago, asked[:1]).now.X
    with pytest.warns(hb.errors.HabitueWarning, match="cutoff_day_of_year"):
        known = what_is_known(log, window, lately, asked)
    assert "cutoff_day_of_year" in known.silent


@pytest.mark.slow
def test_a_backtest_gives_each_cutoff_the_season_known_then(
    records: pd.DataFrame, log: hb.CustomerLog
) -> None:
    """Before the peak of the third autumn: the plain model is far too low, the seasonal one is not."""
    cutoffs = ["2022-03-31", "2023-09-30"]
    trees = BoostedValueRegressor(n_estimators=5, min_child_samples=20, n_jobs=1)
    models = {
        "plain": BGNBD(),
        "seasonal": SeasonalPurchases(),
        "trees": trees,
        "corrected": SeasonCorrected(model=MeanRegressor()),
    }
    tested = hb.backtest(
        log, models, cutoffs=cutoffs, horizon=91, n_training=6, step=91, features=["inactivity"]
    )
    totals = tested.frame.groupby(["cutoff", "target", "model"])[["prediction", "outcome"]].sum()
    bias = (totals["prediction"] / totals["outcome"] - 1.0).unstack("cutoff").loc["n_purchases"]
    late = pd.Timestamp(cutoffs[1]).date()
    assert bias.loc["plain", late] < -0.25
    assert abs(bias.loc["seasonal", late]) < 0.08
    seasons = [tested.models[pd.Timestamp(day).date(), "churned", "seasonal"].season for day in cutoffs]
    assert seasons == [season_of(log, day) for day in cutoffs]
    booster: Any = tested.models[late, "spend", "trees"]
    assert "cutoff_day_of_year" not in booster.feature_names_in_
    corrected: Any = tested.models[late, "spend", "corrected"]
    assert len(corrected.log_ratio_) == 5


def test_no_seasonal_model_sees_its_own_test(records: pd.DataFrame, log: hb.CustomerLog) -> None:
    cutoff = "2022-09-30"
    late = pd.to_datetime(records["timestamp"]) >= "2022-10-01"
    kept = records[~late | (np.random.default_rng(0).uniform(size=len(records)) < 0.3)]
    other = hb.CustomerLog(transactions=kept, observed_until="2024-04-01")
    one, again = (
        hb.backtest(each, [SeasonalPurchases()], cutoffs=[cutoff], horizon=91, features=["inactivity"]).of(
            "n_purchases", "SeasonalPurchases"
        )
        for each in (log, other)
    )
    np.testing.assert_array_equal(one["prediction"], again["prediction"])
    assert one["outcome"].sum() > 2.0 * again["outcome"].sum()


def test_where_nothing_can_be_learned_it_says_so(log: hb.CustomerLog) -> None:
    with pytest.raises(DataError):
        season_of(log, "2020-01-01")
    with pytest.raises(SettingsError, match="step"):
        season_of(log, "2022-01-01", step=0)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.filterwarnings("ignore:These customers do not determine")
def test_the_honest_interval_covers_an_autumn_never_seen(shared_data) -> None:
    lines = pd.read_parquet(shared_data / "data/online_retail/online_retail.parquet").dropna(
        subset=["CustomerID"]
    )
    lines["amount"] = lines["Quantity"] * lines["UnitPrice"]
    retail = hb.read_log(
        lines[["CustomerID", "InvoiceDate", "amount"]], customer_id="CustomerID", timestamp="InvoiceDate"
    )
    window = hb.Window("2011-09-09", horizon=91)
    now = with_day_of_year(hb.take_snapshot(retail, window, []))
    plain = BTYDValueRegressor(horizon=91)
    seasonal = with_season(SeasonalPurchases(), retail, window.cutoff).fit(now.X)
    said = plain.fit(now.X).purchases_.expected_purchases(now.X, horizon=91).sum()
    came = now.outcomes["n_purchases"].sum()
    lower, upper = seasonal.season_interval(now.X, horizon=91, confidence=0.8)
    assert said / came < 0.8
    assert lower < came < upper
    assert upper / lower > 1.4
