"""Proposals: the simulated worth of a trial, and no trial where nothing can change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from habitue.decisions.assumptions import draw_assumptions
from habitue.decisions.beliefs import Amount, Share
from habitue.decisions.offers import Offer
from habitue.decisions.proposals import propose_experiments
from habitue.decisions.value_at_stake import value_at_stake
from habitue.errors import SettingsError

RNG = np.random.default_rng(0)
SCORES = pd.DataFrame({"churn_probability": RNG.beta(2, 4, 20_000), "clv": RNG.gamma(2.0, 60.0, 20_000)})
STAKES = value_at_stake(SCORES, margin=0.4)
CALL = Offer("call", cost=3.0, acceptance=Share(0.4, worth=20), saves=Share(0.4, worth=8))
BOX = Offer("box", cost=3.0, uplift=Amount(2.5, 2.0))
SURE = Offer("sure", cost=0.01, uplift=Amount(5.0, 0.1))
BAD = Offer("bad", cost=1e5, uplift=Amount(1.0, 1.0))


def test_what_is_uncertain_is_tried_and_what_is_sure_is_not() -> None:
    told = propose_experiments(
        STAKES, draw_assumptions([SURE, CALL, BAD, BOX], n_draws=200), horizon=91, per_week=2000
    )
    by_name = {one.offer: one for one in told}
    assert {one.offer for one in told[:2]} == {"call", "box"}
    for name in ("call", "box"):
        one = by_name[name]
        assert one.is_worth_it
        assert 200 <= one.n <= 20_000
        assert one.days == 91 + int(np.ceil(one.n / 2000 * 7))
        assert 0.0 < one.worth <= one.perfect
        assert one.net == pytest.approx(one.worth - one.cost)
        assert one.arms == {"control": 0.5, name: 0.5}
        assert 0.0 < one.p_pays < 1.0
        assert "if the effect is found" in one.decision
    assert not by_name["sure"].is_worth_it
    # Whether nobody or hardly anybody might be treated otherwise hangs on the draws.
    assert "keep a holdout" in by_name["sure"].decision
    assert "pays with nobody" in by_name["bad"].decision


def test_the_break_even_effect_is_what_the_offer_costs() -> None:
    told = {one.offer: one for one in propose_experiments(STAKES, draw_assumptions([CALL, BOX]), horizon=91)}
    assert told["box"].break_even_effect == pytest.approx(3.0)
    assert told["box"].expected_effect == pytest.approx(2.5, rel=1e-3)
    # As many kept as the break-even says of those in the trial: the gain is nought on average.
    expected = told["call"]
    assert expected.metric == "retained"
    flat = value_at_stake(SCORES.assign(churn_probability=0.25, clv=100.0), margin=0.4)
    one = propose_experiments(flat, draw_assumptions([CALL]), horizon=91)[0]
    at = one.break_even_effect / 0.25
    assert at * 0.25 * (40.0 / 0.75) - 3.0 == pytest.approx(0.0, abs=1e-9)


def test_worth_of_a_trial_is_what_simulated_trials_bring() -> None:
    """Draw the truth, run the trial, update by Bayes, decide again, and count the true gain."""
    offers = [BOX]
    sd = 30.0
    one = propose_experiments(STAKES, draw_assumptions(offers), horizon=91, margin_sd=sd)[0]
    rng = np.random.default_rng(2)
    truth = rng.normal(2.5, 2.0, 200_000)
    se = sd * np.sqrt(4.0 / one.n)
    seen = truth + se * rng.standard_normal(truth.size)
    after = (2.5 / 4.0 + seen / se**2) / (1 / 4.0 + 1 / se**2)
    others = len(STAKES) - one.n
    brought = others * (np.where(after > 3.0, truth - 3.0, 0.0).mean() - 0.0)
    assert one.worth == pytest.approx(brought, rel=0.03)
    # Nobody would be treated as it is assumed; the trial treats half of its customers at a loss of .5 each.
    assert one.cost == pytest.approx(one.n * 0.5 * 0.5, rel=1e-2)


def test_more_rounds_are_worth_more() -> None:
    assumed = draw_assumptions([CALL])
    one, four = (propose_experiments(STAKES, assumed, horizon=91, rounds=r)[0] for r in (1, 4))
    assert four.worth > one.worth
    assert four.n >= one.n


def test_many_customers_are_told_from_an_even_part() -> None:
    many = value_at_stake(pd.concat([SCORES] * 4, ignore_index=True), margin=0.4)
    assumed = draw_assumptions([CALL], n_draws=100)
    few, all_of_them = (propose_experiments(one, assumed, horizon=91)[0] for one in (STAKES, many))
    assert all_of_them.perfect == pytest.approx(4 * few.perfect, rel=0.02)
    none = Offer(**{**vars(CALL), "capacity": 0})
    assert "no capacity" in propose_experiments(STAKES, draw_assumptions([none]), horizon=91)[0].decision


def test_too_few_customers_keep_a_holdout() -> None:
    few = value_at_stake(SCORES.head(150), margin=0.4)
    told = propose_experiments(few, draw_assumptions([CALL]), horizon=91)[0]
    assert told.n == 0
    assert "too few" in told.decision
    may = pd.DataFrame({"call": np.zeros(20_000, dtype=bool)})
    assert propose_experiments(STAKES, draw_assumptions([CALL]), horizon=91, eligible=may)[0].n == 0


def test_bad_numbers_are_refused() -> None:
    assumed = draw_assumptions([CALL])
    for wrong in ({"horizon": 0}, {"rounds": 0}, {"margin_sd": 0.0}, {"per_week": 0.0}):
        with pytest.raises(SettingsError):
            propose_experiments(STAKES, assumed, **({"horizon": 91} | wrong))
