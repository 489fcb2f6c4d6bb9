"""Money later is worth less today: what a discount rate makes of clv and its interval."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import SettingsError
from habitue.models import (
    BGNBD,
    BoostedValueRegressor,
    BTYDValueRegressor,
    ParetoNBD,
    SeasonalPurchases,
    StackedValueRegressor,
    ValueAnswers,
    ValueInterval,
    YearlySeason,
    load_model,
    save_model,
)

HORIZON = 91


@pytest.fixture(scope="module")
def snapshot() -> hb.Snapshot:
    return hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-12-30", horizon=HORIZON))


def answers_of(snapshot: hb.Snapshot, regressor: Any) -> ValueAnswers:
    X, y = snapshot.X, snapshot.outcomes["spend"]
    model = regressor.fit(X, y)
    interval = ValueInterval().fit(model.predict(X), y)
    purchases = BGNBD(horizon=7).fit(X)
    return ValueAnswers(regressor=model, purchases=purchases, interval=interval, horizon=HORIZON)


@pytest.fixture(scope="module")
def story(snapshot: hb.Snapshot) -> ValueAnswers:
    return answers_of(snapshot, BTYDValueRegressor(horizon=HORIZON))


@pytest.fixture(scope="module")
def trees(snapshot: hb.Snapshot) -> ValueAnswers:
    return answers_of(snapshot, BoostedValueRegressor(n_estimators=5, n_jobs=1))


@pytest.mark.parametrize("days", [HORIZON, 730])
def test_of_a_probability_model_it_is_the_expected_discounted_spend(
    snapshot: hb.Snapshot, story: ValueAnswers, days: int
) -> None:
    X, model = snapshot.X, story.regressor
    told = story.answer(X, horizon=days, discount_rate=0.15)["clv"]
    residual = model.purchases_.residual_transactions(X, discount=hb.Discount(0.15), horizon=days)
    truth = residual * model.spend_.expected_spend(X) * model.net_share_
    np.testing.assert_allclose(told, truth, rtol=1e-11)


def test_the_model_that_answers_tells_when_and_not_the_one_beside_it(snapshot: hb.Snapshot) -> None:
    X = snapshot.X
    other = answers_of(snapshot, BTYDValueRegressor(horizon=HORIZON, purchases=ParetoNBD()))
    share = other.answer(X, horizon=365, discount_rate=0.3)["clv"] / other.answer(X, horizon=365)["clv"]
    own = other.regressor.purchases_
    truth = own.residual_transactions(X, discount=0.3, horizon=365) / own.expected_purchases(X, horizon=365)
    np.testing.assert_allclose(share, truth, rtol=1e-11)


def test_a_stacked_model_leaves_it_to_its_probability_model(snapshot: hb.Snapshot) -> None:
    members = {
        "story": BTYDValueRegressor(purchases=ParetoNBD()),
        "trees": BoostedValueRegressor(n_estimators=5, n_jobs=1),
    }
    model = answers_of(snapshot, StackedValueRegressor(models=members, horizon=HORIZON, n_folds=2))
    X = snapshot.X
    share = model.answer(X, discount_rate=0.3)["clv"] / model.answer(X)["clv"]
    own = model.regressor.models_["story"].purchases_
    truth = own.residual_transactions(X, discount=0.3, horizon=91) / own.expected_purchases(X, horizon=91)
    np.testing.assert_allclose(share, truth, rtol=1e-11)


@pytest.mark.parametrize("kind", ["story", "trees"])
def test_money_is_worth_less_the_higher_the_rate_and_never_less_than_at_the_end(
    snapshot: hb.Snapshot, kind: str, request: pytest.FixtureRequest
) -> None:
    X, model = snapshot.X, request.getfixturevalue(kind)
    full = model.answer(X)
    pd.testing.assert_frame_equal(model.answer(X, discount_rate=0.0), full, check_exact=True)
    before = full["clv"]
    for rate in (0.01, 0.1, 1.0, 50.0):
        told = model.answer(X, discount_rate=rate)
        least = math.exp(-hb.Discount(rate).per(HORIZON))
        assert (told["clv"] < before).all()
        assert (told["clv"] >= full["clv"] * least * (1 - 1e-12)).all()
        assert (told["clv_lower"] <= told["clv"]).all()
        assert (told["clv"] <= told["clv_upper"]).all()
        untouched = ["p_alive", "expected_purchases"]
        pd.testing.assert_frame_equal(told[untouched], full[untouched], check_exact=True)
        before = told["clv"]


def test_the_interval_holds_for_any_days_on_which_the_money_may_come(
    snapshot: hb.Snapshot, story: ValueAnswers
) -> None:
    X, spend = snapshot.X, snapshot.outcomes["spend"].to_numpy()
    full, told = story.answer(X), story.answer(X, discount_rate=0.5)
    inside = (full["clv_lower"] <= spend) & (spend <= full["clv_upper"])
    rng = np.random.default_rng(5)
    for day in (0.0, HORIZON, rng.uniform(0, HORIZON, len(X))):
        today = spend * np.exp(-hb.Discount(0.5).per_day * np.asarray(day))
        held = (told["clv_lower"] <= today * (1 + 1e-12)) & (today <= told["clv_upper"])
        assert held[inside].all()


def test_who_cannot_buy_any_more_has_a_share_too(snapshot: hb.Snapshot, trees: ValueAnswers) -> None:
    X = snapshot.X.head(1).assign(frequency=400.0, recency=1.0, T=4000.0)
    with np.errstate(all="ignore"):
        assert trees.purchases.expected_purchases(X, horizon=HORIZON).iloc[0] < 1e-12
        share = trees.answer(X, discount_rate=0.1)["clv"] / trees.answer(X)["clv"]
    assert 1.1 ** (-HORIZON / 365.25) <= share.iloc[0] <= 1.0


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf"), True, "0.1"])
def test_what_is_no_rate_is_refused(snapshot: hb.Snapshot, story: ValueAnswers, rate: Any) -> None:
    with pytest.raises(SettingsError, match="expected discount_rate to be a finite number >= 0"):
        story.answer(snapshot.X, discount_rate=rate)


def test_a_model_that_cannot_tell_says_so(snapshot: hb.Snapshot) -> None:
    season = SeasonalPurchases(season=YearlySeason(coefficients=(0.3, 0.0)))
    days = snapshot.X.assign(cutoff_day_of_year=364.0)
    model = BTYDValueRegressor(horizon=HORIZON, purchases=season).fit(days)
    answers = ValueAnswers(
        regressor=model,
        purchases=BGNBD().fit(days),
        interval=ValueInterval().fit(model.predict(days), snapshot.outcomes["spend"]),
        horizon=HORIZON,
    )
    assert len(answers.answer(days)) == len(days)
    with pytest.raises(SettingsError, match=r"SeasonalPurchases cannot tell .*; ask with discount_rate 0"):
        answers.answer(days, discount_rate=0.1)


def test_the_profile_is_carried_along_and_models_without_one_still_load(
    story: ValueAnswers, snapshot: hb.Snapshot, tmp_path: Path
) -> None:
    story.profile = '{"columns": {}}'
    save_model(story, tmp_path / "new")
    assert load_model(tmp_path / "new").profile == '{"columns": {}}'
    document = json.loads((tmp_path / "new" / "model.json").read_text(encoding="utf-8"))
    del document["model"]["params"]["profile"]
    (tmp_path / "new" / "model.json").write_text(json.dumps(document), encoding="utf-8")
    old = load_model(tmp_path / "new")
    assert old.profile == ""
    pd.testing.assert_frame_equal(old.answer(snapshot.X), story.answer(snapshot.X), check_exact=True)
