"""Stacking: weights that are earned, totals that add up, and a word on who answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

import habitue as hb
from habitue.errors import SettingsError
from habitue.models import (
    BoostedValueRegressor,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    LogisticChurnClassifier,
    MeanRegressor,
    StackedChurnClassifier,
    StackedValueRegressor,
    load_model,
    save_model,
)
from habitue.models.stacking import Reach, chance_weights, money_weights

SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.integers(2, 4))
def test_weights_of_amounts_are_shares(seed: int, n_models: int) -> None:
    rng = np.random.default_rng(seed)
    said = rng.gamma(2.0, 10.0, (400, n_models))
    spend = np.where(rng.uniform(size=400) < 0.5, 0.0, rng.gamma(2.0, 20.0, 400))
    weights = money_weights(said, spend)
    assert (weights >= 0.0).all()
    assert weights.sum() == pytest.approx(1.0)


@given(SEEDS, st.floats(0.01, 1000.0))
def test_another_currency_changes_no_weight(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    said, spend = rng.gamma(2.0, 10.0, (400, 2)), rng.gamma(0.5, 40.0, 400)
    np.testing.assert_allclose(
        money_weights(said * rate, spend * rate), money_weights(said, spend), atol=1e-6
    )


@given(SEEDS)
def test_no_other_weights_have_less_deviance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    said, spend = rng.gamma(2.0, 10.0, (400, 2)), rng.gamma(0.5, 40.0, 400)

    def deviance(weights: Any) -> float:
        expected = said @ weights
        return float(np.mean(expected - spend * np.log(expected)))

    found = money_weights(said, spend)
    for other in rng.dirichlet(np.ones(2), 20):
        assert deviance(found) <= deviance(other) + 1e-9


@given(SEEDS)
@settings(max_examples=10)
def test_no_other_pool_has_less_log_loss(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=2000)
    said = np.column_stack([truth + rng.normal(0.0, off, 2000) for off in (0.5, 1.0, 2.0)])
    happened = rng.uniform(size=2000) < expit(truth)

    def loss(weights: Any) -> float:
        score = said @ weights
        return float(np.mean(np.logaddexp(0.0, score) - happened * score))

    found = chance_weights(said, happened)
    assert (found >= 0.0).all()
    assert found.sum() == pytest.approx(1.0)
    for other in rng.dirichlet(np.ones(3), 30):
        assert loss(found) <= loss(other) + 1.0 / 2000


@pytest.fixture(scope="module")
def snapshots() -> tuple[hb.Snapshot, hb.Snapshot]:
    """Return CDNOW's sample at two cutoffs, stacked, and at one later."""
    log = hb.datasets.cdnow(sample=True)
    windows = [hb.Window(day, horizon=91) for day in ("1997-09-30", "1997-12-30", "1998-03-31")]
    *past, now = hb.take_snapshots(log, windows)
    return hb.stack(past), now


@pytest.fixture(scope="module")
def stacked(snapshots: tuple[hb.Snapshot, hb.Snapshot]) -> StackedValueRegressor:
    past, _ = snapshots
    boosted = BoostedValueRegressor(n_estimators=40, n_jobs=1)
    models = {"story": BTYDValueRegressor(), "examples": boosted}
    return StackedValueRegressor(models=models).fit(past.X, past.outcomes["spend"])


def test_together_they_are_no_worse_than_the_worse(
    stacked: StackedValueRegressor, snapshots: tuple[hb.Snapshot, hb.Snapshot]
) -> None:
    _, now = snapshots
    spend = now.outcomes["spend"]
    errors = [np.mean((model.predict(now.X) - spend) ** 2) for model in stacked.models_.values()]
    assert np.mean((stacked.predict(now.X) - spend) ** 2) < max(errors)
    assert set(stacked.answered_by(now.X)) == {"story, examples"}


def test_histories_beyond_all_examples_are_answered_by_the_story_alone(
    stacked: StackedValueRegressor, snapshots: tuple[hb.Snapshot, hb.Snapshot]
) -> None:
    _, now = snapshots
    longest = stacked.reach_.longest
    older = now.X.assign(T=np.where(np.arange(len(now.X)) % 2, now.X["T"], 2.0 * longest + 1.0))
    told = stacked.answered_by(older)
    assert (told == np.where(np.arange(len(older)) % 2, "story, examples", "story alone")).all()
    alone = (told == "story alone").to_numpy()
    story = stacked.models_["story"].predict(older)
    np.testing.assert_allclose(stacked.predict(older)[alone], story[alone], atol=1e-6)


def test_reasons_tell_how_two_customers_differ(
    stacked: StackedValueRegressor, snapshots: tuple[hb.Snapshot, hb.Snapshot]
) -> None:
    _, now = snapshots
    told = stacked.contributions(now.X).sum(axis=1).to_numpy()
    base = np.log(stacked.predict(now.X)) - told
    np.testing.assert_allclose(base, base[0], atol=1e-9)


@given(st.integers(1, 90), st.integers(92, 2000))
@settings(max_examples=5)
def test_a_longer_horizon_holds_more_money(
    stacked: StackedValueRegressor, snapshots: tuple[hb.Snapshot, hb.Snapshot], near: int, far: int
) -> None:
    X = snapshots[1].X.iloc[:200]
    soon, learned, late = (stacked.predict(X, horizon=days) for days in (near, stacked.horizon, far))
    assert ((soon <= learned) & (learned <= late)).all()
    story = stacked.models_["story"]
    growth = story.predict(X, horizon=far) / story.predict(X, horizon=stacked.horizon)
    np.testing.assert_allclose(late / learned, growth, rtol=1e-9)
    assert (stacked.answered_by(X, horizon=far) == "story, examples; story beyond 91 days").all()


@pytest.fixture(scope="module")
def churning(snapshots: tuple[hb.Snapshot, hb.Snapshot]) -> StackedChurnClassifier:
    past, _ = snapshots
    models = {"story": BTYDChurnClassifier(), "sum": LogisticChurnClassifier()}
    return StackedChurnClassifier(models=models).fit(past.X, past.outcomes["churned"])


def test_reasons_for_churn_tell_how_two_customers_differ(
    churning: StackedChurnClassifier, snapshots: tuple[hb.Snapshot, hb.Snapshot]
) -> None:
    _, now = snapshots
    told = churning.contributions(now.X).sum(axis=1).to_numpy()
    base = logit(churning.predict_proba(now.X)[:, 1]) - told
    np.testing.assert_allclose(base, base[0], atol=1e-8)


@given(st.integers(1, 90), st.integers(92, 2000))
@settings(max_examples=5)
def test_who_buys_nothing_for_long_buys_nothing_for_short(
    churning: StackedChurnClassifier, snapshots: tuple[hb.Snapshot, hb.Snapshot], near: int, far: int
) -> None:
    X = snapshots[1].X.iloc[:200]
    soon, learned, late = (churning.predict_proba(X, horizon=days)[:, 1] for days in (near, 91, far))
    assert ((soon >= learned) & (learned >= late) & (soon <= 1.0) & (late >= 0.0)).all()


def test_churners_of_old_histories_are_told_by_the_story(
    churning: StackedChurnClassifier, snapshots: tuple[hb.Snapshot, hb.Snapshot]
) -> None:
    older = snapshots[1].X.assign(T=2.0 * churning.reach_.longest + 1.0)
    assert set(churning.answered_by(older)) == {"story alone"}
    story = churning.models_["story"]
    np.testing.assert_allclose(churning.predict_proba(older), story.predict_proba(older), atol=1e-8)
    told, own = churning.contributions(older), story.contributions(older)
    np.testing.assert_allclose(told[own.columns], own, atol=1e-12)
    assert not told.drop(columns=own.columns).to_numpy().any()


def test_without_a_story_no_other_horizon_is_answered(snapshots: tuple[hb.Snapshot, hb.Snapshot]) -> None:
    past, now = snapshots
    some = past.X.iloc[:, :5], past.outcomes["churned"]
    models = {"stiff": LogisticChurnClassifier(C=0.01), "free": LogisticChurnClassifier()}
    model = StackedChurnClassifier(models=models).fit(*some)
    with pytest.raises(SettingsError, match="learned 91 days ahead and cannot answer for 30"):
        model.predict_proba(now.X, horizon=30)


def test_who_counts_for_nothing_changes_nothing(snapshots: tuple[hb.Snapshot, hb.Snapshot]) -> None:
    past, now = snapshots
    X, y = past.X.iloc[:, :5], past.outcomes["churned"]
    counts = (np.arange(len(X)) % 3 > 0).astype(float)
    models = {"stiff": LogisticChurnClassifier(C=0.01), "free": LogisticChurnClassifier()}
    weighted = StackedChurnClassifier(models=models).fit(X, y, sample_weight=counts)
    fewer = StackedChurnClassifier(models=models).fit(X[counts > 0], y[counts > 0])
    # The optimum of the weights is flat; the probabilities are what has to agree.
    np.testing.assert_allclose(weighted.predict_proba(now.X), fewer.predict_proba(now.X), atol=1e-5)


def test_too_few_to_judge_all_weigh_the_same(snapshots: tuple[hb.Snapshot, hb.Snapshot]) -> None:
    past, _ = snapshots
    few = past.X.iloc[:100], past.outcomes["churned"].iloc[:100]
    models = {"stiff": LogisticChurnClassifier(C=0.01), "free": LogisticChurnClassifier()}
    model = StackedChurnClassifier(models=models).fit(*few)
    assert model.weights_.tolist() == [0.5, 0.5]


def test_models_of_no_outcomes_learn_from_today(snapshots: tuple[hb.Snapshot, hb.Snapshot]) -> None:
    past, now = snapshots
    models = {"story": BTYDChurnClassifier(), "sum": LogisticChurnClassifier()}
    model = StackedChurnClassifier(models=models).fit(past.X, past.outcomes["churned"], now=now.X)
    alone = BTYDChurnClassifier().fit(now.X)
    np.testing.assert_array_equal(model.models_["story"].predict_proba(now.X), alone.predict_proba(now.X))
    yesterday = StackedChurnClassifier(models=models).fit(past.X, past.outcomes["churned"])
    cutoffs = past.X.index.get_level_values("cutoff")
    last = past.X.loc[cutoffs == cutoffs.max()]
    np.testing.assert_array_equal(
        yesterday.models_["story"].predict_proba(now.X), BTYDChurnClassifier().fit(last).predict_proba(now.X)
    )


def test_it_can_be_stored(
    stacked: StackedValueRegressor, snapshots: tuple[hb.Snapshot, hb.Snapshot], tmp_path: Path
) -> None:
    _, now = snapshots
    save_model(stacked, tmp_path / "model")
    assert load_model(tmp_path / "model").predict(now.X).tobytes() == stacked.predict(now.X).tobytes()


def test_one_model_is_no_stack() -> None:
    X = pd.DataFrame({"a": np.arange(90.0)})
    with pytest.raises(SettingsError, match="two models or more; got one"):
        StackedValueRegressor(models={"one": MeanRegressor()}).fit(X, X["a"])


def test_a_base_without_history_is_within_reach() -> None:
    assert Reach(1.0).holds(pd.DataFrame({"a": [1.0]})).tolist() == [True]
