"""Totals corrected by those of a year before: what carries over, what is doubted, what no copy may know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import habitue as hb
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.models import (
    BoostedValueRegressor,
    BTYDValueRegressor,
    MeanRegressor,
    load_model,
    save_model,
)
from habitue.models.season_correction import SeasonCorrected

HORIZON = 91
FIRST = pd.Timestamp("2021-03-01")


def stacked(n_cutoffs: int, *, peak: float = 2.0, n: int = 400, seed: int = 0) -> tuple[Any, pd.Series]:
    """Return cutoffs 91 days apart, their customers, and spend that is multiplied every fourth time."""
    rng = np.random.default_rng(seed)
    cutoffs = [FIRST + pd.Timedelta(days=HORIZON * place) for place in range(n_cutoffs)]
    index = pd.MultiIndex.from_product([cutoffs, range(n)], names=["cutoff", "customer_id"])
    days = index.get_level_values("cutoff")
    worth = rng.gamma(2.0, 5.0, len(index))
    season = np.where(np.asarray((days - FIRST).days // HORIZON % 4 == 3), peak, 1.0)
    X = pd.DataFrame({"worth": worth, "cutoff_day_of_year": days.day_of_year.astype(float)}, index=index)
    spend = worth * season * rng.gamma(2.0, 0.5, len(index))
    return X, pd.Series(spend, index=index)


@pytest.fixture(scope="module")
def cdnow() -> tuple[pd.DataFrame, pd.Series]:
    windows = [hb.Window(day, horizon=HORIZON) for day in ("1997-06-30", "1997-09-29", "1997-12-29")]
    past = hb.stack(hb.take_snapshots(hb.datasets.cdnow(sample=True), windows))
    days = pd.DatetimeIndex(past.X.index.get_level_values("cutoff")).day_of_year
    return past.X.assign(cutoff_day_of_year=days.astype(float)), past.outcomes["spend"]


def asked(X: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    return X.xs(cutoff, level="cutoff")


def test_the_peak_of_a_year_ago_corrects_this_ones():
    """The last cutoff is before a peak, of which only those of whole years before tell."""
    X, spend = stacked(16)
    cutoffs = X.index.get_level_values("cutoff").unique()
    past = X.index.get_level_values("cutoff") < cutoffs[15]
    model = SeasonCorrected(model=MeanRegressor()).fit(X[past], spend[past])
    now, came = asked(X, cutoffs[15]), spend.xs(cutoffs[15], level="cutoff").sum()
    plain = MeanRegressor().fit(X[past], spend[past]).predict(now).sum()
    told = model.total_interval(now, confidence=0.9)
    assert plain / came < 0.72
    assert 0.85 < told.expected / came < 1.15
    assert told.lower < came < told.upper
    assert model.predict(now).sum() == pytest.approx(told.expected, rel=1e-12)


def test_before_a_peak_was_ever_seen_the_interval_is_wide_and_the_factor_near_one():
    X, spend = stacked(4)
    cutoffs = X.index.get_level_values("cutoff").unique()
    past = X.index.get_level_values("cutoff") < cutoffs[3]
    model = SeasonCorrected(model=MeanRegressor()).fit(X[past], spend[past])
    now, came = asked(X, cutoffs[3]), spend.xs(cutoffs[3], level="cutoff").sum()
    told = model.total_interval(now, confidence=0.95)
    plain = model.model_.predict(now.drop(columns="cutoff_day_of_year")).sum()
    assert told.expected / plain == pytest.approx(1.0, abs=0.1)
    assert told.lower < came < told.upper
    assert told.upper / told.lower > 2.5


def test_copies_know_no_outcome_that_was_not_known_by_then():
    X, spend = stacked(6)
    last = X.index.get_level_values("cutoff") == X.index.get_level_values("cutoff").max()
    changed = spend.where(~last, spend * 7.0)
    one = SeasonCorrected(model=MeanRegressor()).fit(X, spend)
    other = SeasonCorrected(model=MeanRegressor()).fit(X, changed)
    np.testing.assert_array_equal(one.log_ratio_[:-1], other.log_ratio_[:-1])
    assert other.log_ratio_[-1] == pytest.approx(one.log_ratio_[-1] + np.log(7.0), rel=1e-12)
    assert len(one.log_ratio_) == 5  # at the first cutoff nothing was known


def test_the_ratios_are_those_of_models_fitted_by_hand(cdnow):
    X, spend = cdnow
    model = SeasonCorrected(model=BTYDValueRegressor()).fit(X, spend)
    assert len(model.log_ratio_) == 3  # needs no outcomes: it can be judged at the first cutoff too
    for place, cutoff in enumerate(X.index.get_level_values("cutoff").unique()):
        here = asked(X, cutoff)
        said = BTYDValueRegressor(horizon=HORIZON).fit(here).predict(here).sum()
        assert np.exp(model.log_ratio_[place]) == pytest.approx(spend.xs(cutoff, level="cutoff").sum() / said)


def test_trees_never_see_the_day_of_the_year(cdnow):
    X, spend = cdnow
    trees = BoostedValueRegressor(n_estimators=5, min_child_samples=20, n_jobs=1)
    model = SeasonCorrected(model=trees).fit(X, spend)
    assert "cutoff_day_of_year" not in model.model_.feature_names_in_
    assert list(model.feature_names_in_) == list(X.columns)
    here = asked(X, X.index.get_level_values("cutoff").max())
    assert set(model.contributions(here)) == set(model.model_.contributions(here))
    assert not hasattr(SeasonCorrected(model=MeanRegressor()), "contributions")


def test_a_model_without_outcomes_knows_the_customers_of_today(cdnow):
    X, spend = cdnow
    now = asked(X, X.index.get_level_values("cutoff").max()).assign(T=lambda one: one["T"] + 91.0)
    model = SeasonCorrected(model=BTYDValueRegressor()).fit(X, spend, now=now)
    by_hand = BTYDValueRegressor(horizon=HORIZON).fit(now)
    assert model.model_.purchases_.params_ == by_hand.purchases_.params_


def test_another_currency_changes_amounts_alone():
    X, spend = stacked(6)
    one, other = (SeasonCorrected(model=MeanRegressor()).fit(X, spend * rate) for rate in (1.0, 100.0))
    np.testing.assert_allclose(other.log_ratio_, one.log_ratio_, atol=1e-12)
    now = asked(X, X.index.get_level_values("cutoff").max())
    np.testing.assert_allclose(other.predict(now), 100.0 * one.predict(now), rtol=1e-10)
    np.testing.assert_allclose(
        other.total_interval(now), 100.0 * np.array(one.total_interval(now)), rtol=1e-6
    )


def test_fewer_customers_mean_more_chance():
    X, spend = stacked(6)
    model = SeasonCorrected(model=MeanRegressor()).fit(X, spend)
    now = asked(X, X.index.get_level_values("cutoff").max())
    widths = []
    for n in (400, 20, 1):
        told = model.total_interval(now.iloc[:n])
        widths.append(np.log(told.upper / told.lower))
    assert widths == sorted(widths)
    assert widths[2] > 2.0 * widths[0]


def test_one_cutoff_leaves_nothing_to_judge_at():
    X, spend = stacked(1)
    model = SeasonCorrected(model=MeanRegressor()).fit(X.droplevel("cutoff"), spend)
    assert len(model.log_ratio_) == 0
    now = X.droplevel("cutoff")
    np.testing.assert_array_equal(model.predict(now), model.model_.predict(now))
    told = model.total_interval(now)
    assert told.lower < 0.6 * told.expected < told.expected < told.upper


def test_it_comes_back_from_text_as_it_was(tmp_path: Path):
    X, spend = stacked(6)
    model = SeasonCorrected(model=MeanRegressor()).fit(X, spend)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    now = asked(X, X.index.get_level_values("cutoff").max())
    assert loaded.predict(now).tobytes() == model.predict(now).tobytes()
    assert loaded.total_interval(now) == model.total_interval(now)
    assert not [name for name in vars(clone(model)) if name.endswith("_")]


def test_what_cannot_be_done_is_said():
    X, spend = stacked(3)
    with pytest.raises(SchemaError, match="cutoff_day_of_year"):
        SeasonCorrected(model=MeanRegressor()).fit(X.drop(columns="cutoff_day_of_year"), spend)
    with pytest.raises(DataError, match="learns from outcomes"):
        SeasonCorrected(model=MeanRegressor()).fit(X, None)
    with pytest.raises(SettingsError, match="horizon"):
        SeasonCorrected(model=MeanRegressor(), horizon=0).fit(X, spend)
    model = SeasonCorrected(model=MeanRegressor()).fit(X, spend)
    with pytest.raises(SchemaError, match="cutoff_day_of_year"):
        model.predict(X.drop(columns="cutoff_day_of_year"))
    with pytest.raises(DataError, match="one cutoff"):
        model.total_interval(X)
    with pytest.raises(SettingsError, match="confidence"):
        model.total_interval(X, confidence=0.0)
