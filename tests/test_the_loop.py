"""The loop on a simulated shop whose truth is known: chance, measure, learn, decide, and once more."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.decisions import (
    Amount,
    Offer,
    Share,
    allocate,
    assignments,
    draw_assumptions,
    draw_round,
    expected_gains,
    value_at_stake,
)
from habitue.experiments import assign
from habitue.pipelines.deciding.measured import Uplift, learn_effects
from habitue.pipelines.measuring.assignments import as_assignments, contacts_of
from habitue.pipelines.measuring.measure import read_experiment
from habitue.records.business import BusinessParams, SimulatedBusiness, TrueEffects, simulate_business

HORIZON, DAYS, BUDGET = 60, 61, 2_500.0
FEATURES = (
    "frequency", "recency", "T", "monetary_value", "inactivity", "spend_total", "spend_90d", "gap_cv",
    "discount_share", "nps_mean", "csat_mean", "n_tickets_365d", "points_balance",
)  # fmt: skip
ARMS = {"control": 0.4, "proactive support": 0.2, "loyalty discount": 0.2, "bonus points": 0.2}
NAMES = list(ARMS)[1:]
LEARNER = hb.UpliftModel(learner="X", n_replicates=4, n_estimators=100, n_jobs=1)


class Known(NamedTuple):
    """What is known of customers on a day, and what trials taught."""

    scores: pd.DataFrame
    learned: Uplift


def by_chance(business: SimulatedBusiness, name: str) -> pd.DataFrame:
    """Draw every customer into an arm."""
    drawn = assign(business.truth.index.tolist(), experiment=name, arms=ARMS)
    day = pd.Timestamp(business.observed_until + timedelta(days=1))
    return drawn.assign(timestamp=day, campaign=name, offer=drawn["arm"].where(drawn["arm"] != "control"))


def known(business: SimulatedBusiness) -> Known:
    """Score customers, and learn from all trials on record."""
    window = hb.Window(business.observed_until, HORIZON)
    X = hb.take_snapshot(business.log, window, list(FEATURES)).X
    model = hb.MBGNBD().fit(X)
    worth = model.expected_purchases(X, horizon=HORIZON) * X["spend_total"] / (X["frequency"] + 1.0)
    scores = pd.DataFrame(
        {"churn_probability": model.p_no_purchase(X, horizon=HORIZON), "clv": 0.4 * worth}, index=X.index
    )
    trials = hb.take_trials(business.log, horizon=HORIZON, features=list(FEATURES))
    return Known(scores, learn_effects(trials, X, NAMES, model=LEARNER))


def decided(business: SimulatedBusiness, now: Known, name: str, opted_out: pd.Index) -> pd.DataFrame:
    """Decide a round, and draw its holdout."""
    offers = [
        Offer(
            one.name,
            channel=one.channel,
            cost=one.contact_cost,
            cost_if_accepted=one.accepted_cost,
            acceptance=Share(0.5, worth=50),
            uplift=Amount(2.0, 4.0),
        )
        for one in business.offers.values()
    ]
    may = pd.DataFrame(True, index=now.scores.index, columns=NAMES)
    may.loc[opted_out] = False
    gains = expected_gains(
        value_at_stake(now.scores, margin=1.0),
        draw_assumptions(offers),
        eligible=may,
        effects=now.learned.effects,
        effect_errors=now.learned.errors,
    )
    plan = allocate(gains.expected, gains.cost, budget=BUDGET)
    drawn = draw_round(plan, name=name, share=0.3)
    day = business.observed_until + timedelta(days=1)
    return assignments(drawn, offers, gains.cost, name=name, day=day)


class Loop(NamedTuple):
    """The shop at each decision, what was true and known there, and what was drawn."""

    shops: list[SimulatedBusiness]
    truths: list[TrueEffects]
    known: list[Known]
    drawn: list[pd.DataFrame]
    opted_out: pd.Index


@pytest.fixture(scope="module")
def loop() -> Loop:
    """Run a round by chance and two by decision."""
    start = simulate_business(
        n_customers=8_000, with_contracts=False, params=BusinessParams(contacts_per_day=0.0), random_state=1
    )
    shop = start.carry_on(days=DAYS, treatments=by_chance(start, "round 0"))
    opted_out = shop.truth.index[::15]
    shops, seen, drawn = [shop], [known(shop)], list[pd.DataFrame]()
    for number in (1, 2):
        drawn.append(decided(shop, seen[-1], f"round {number}", opted_out))
        shop = shop.carry_on(days=DAYS, treatments=drawn[-1].drop(columns=["responded_at", "cost"]))
        shops.append(shop)
        seen.append(known(shop))
    return Loop(shops, [one.true_effects(horizon=HORIZON) for one in shops], seen, drawn, opted_out)


def true_gain(truth: TrueEffects, chosen: pd.DataFrame) -> float:
    """Return what contacts truly gain together, on average over luck."""
    gain = truth.gain
    rows, columns = gain.index.get_indexer(chosen["customer_id"]), gain.columns.get_indexer(chosen["arm"])
    return float(gain.to_numpy()[rows, columns].sum())


@pytest.mark.slow
def test_the_plan_gains_more_than_chance_risk_and_nobody(loop: Loop) -> None:
    rng = np.random.default_rng(0)
    for truth, now, drawn in zip(loop.truths, loop.known, loop.drawn, strict=False):
        real = drawn.loc[drawn["arm"] != "control", ["customer_id", "arm"]]
        gained, n = true_gain(truth, real), len(real)
        likeliest = now.scores["churn_probability"].sort_values(ascending=False).index[:n]
        anybody = rng.permutation(now.scores.index)[:n]
        arms = rng.permutation(real["arm"].to_numpy())
        for rival in (likeliest, anybody):
            assert gained > true_gain(truth, pd.DataFrame({"customer_id": rival, "arm": arms})) + 1_000.0
        assert gained > 0.0


@pytest.mark.slow
def test_effects_are_nearer_the_truth_after_more_rounds(loop: Loop) -> None:
    errors: list[float] = []
    for effects, now in zip(loop.truths, loop.known, strict=True):
        truth = effects.margin[NAMES]
        told = now.learned.effects.loc[truth.index]
        errors.append(float(np.sqrt(((told - truth) ** 2).mean()).mean()))
    assert errors[-1] < errors[0], errors


@pytest.mark.slow
def test_chances_on_record_are_the_shares_that_were_drawn(loop: Loop) -> None:
    for drawn in loop.drawn:
        assert not drawn["customer_id"].isin(loop.opted_out).any()
        for _, rows in drawn.groupby("campaign"):
            control = rows["arm"] == "control"
            chance = float(rows.loc[control, "propensity"].iloc[0])
            assert np.allclose(rows["propensity"], np.where(control, chance, 1.0 - chance))
            assert abs(control.mean() - chance) < 4.0 * np.sqrt(chance * (1.0 - chance) / len(rows))
    # Those who opted out are on no record after the round that was by chance alone.
    later = loop.shops[-1].frames["contacts"].query("campaign != 'round 0'")
    assert len(later) == sum(map(len, loop.drawn))
    assert not later["customer_id"].isin(loop.opted_out).any()


@pytest.mark.slow
def test_intervals_of_readouts_hold_the_truth_about_as_often_as_they_say() -> None:
    start = simulate_business(
        n_customers=1_000, with_contracts=False, params=BusinessParams(contacts_per_day=0.0), random_state=4
    )
    truth = start.true_effects(horizon=HORIZON).margin.mean()
    held: list[bool] = []
    for number in range(8):
        shop = start.carry_on(days=DAYS, treatments=by_chance(start, f"draw {number}"))
        (trial,) = as_assignments(contacts_of(shop.log))
        told = read_experiment(shop.log, trial, horizon=HORIZON, metrics=("margin",)).readout.effects
        held += [row["lower"] <= truth[row["arm"]] <= row["upper"] for row in told.to_dict("records")]
    # 24 intervals of 95 %, on one base and with one luck, which ties those of one draw together.
    assert np.mean(held) >= 0.8
