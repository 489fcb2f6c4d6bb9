"""Sensitivity: profits recomputed with other offers, and the worth of knowing more."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from habitue.decisions.assumptions import draw_assumptions
from habitue.decisions.beliefs import Amount, Share
from habitue.decisions.offers import Offer
from habitue.decisions.plans import plan_profits
from habitue.decisions.sensitivity import profit_grid, tornado, value_of_information
from habitue.decisions.value_at_stake import value_at_stake
from habitue.errors import SettingsError

RNG = np.random.default_rng(0)
SCORES = pd.DataFrame({"churn_probability": RNG.beta(1, 2, 300), "clv": RNG.gamma(0.7, 150.0, 300)})
STAKES = value_at_stake(SCORES, margin=0.4)
CALL = Offer(
    "call", cost=6.0, cost_if_accepted=1.0, acceptance=Share(0.4, worth=30), saves=Share(0.3, worth=20)
)
OFF = Offer(
    "off", kind="discount", margin_effect=-0.1, acceptance=Share(0.3, worth=20), saves=Share(0.4, worth=9)
)
BOX = Offer("box", cost=3.0, uplift=Amount(2.0, 2.0))
OFFERS = [CALL, OFF, BOX]
PLAN = RNG.integers(-1, 3, 300)


def profit(offers: list[Offer]) -> float:
    return float(plan_profits(STAKES, draw_assumptions(offers), PLAN).mean())


def test_each_bar_is_the_profit_with_that_assumption_set() -> None:
    table = tornado(STAKES, draw_assumptions(OFFERS, n_draws=2000), PLAN).set_index(["offer", "assumption"])
    assert (table["profit"].round(6) == round(profit(OFFERS), 6)).all()
    sets = {
        ("call", "acceptance"): lambda x: [Offer(**{**vars(CALL), "acceptance": Share(x)}), OFF, BOX],
        ("call", "saves"): lambda x: [Offer(**{**vars(CALL), "saves": Share(x)}), OFF, BOX],
        ("off", "saves"): lambda x: [CALL, Offer(**{**vars(OFF), "saves": Share(x)}), BOX],
        ("box", "uplift"): lambda x: [CALL, OFF, Offer("box", cost=3.0, uplift=Amount(x))],
    }
    for key, changed in sets.items():
        for end in ("low", "high"):
            told = table.loc[key, f"profit_{end}"]
            assert told == pytest.approx(profit(changed(float(table.loc[key, end]))), rel=1e-9)
    assert table.loc[("call", "acceptance"), "low"] == pytest.approx(stats.beta(12, 18).ppf(0.1), abs=0.003)
    assert table["swing"].is_monotonic_decreasing
    # A discount's stayers all accept, for certain: nothing to vary.
    assert ("off", "acceptance_if_staying") not in table.index


def test_the_level_of_values_moves_gains_and_no_costs() -> None:
    table = (
        tornado(STAKES, draw_assumptions(OFFERS, value_error=0.2), PLAN).set_index("assumption").loc["value"]
    )
    scores = SCORES.assign(clv=SCORES["clv"] * table["high"])
    other = value_at_stake(scores, margin=0.4)
    told = plan_profits(other, draw_assumptions(OFFERS), PLAN).mean()
    assert table["profit_high"] == pytest.approx(told, rel=1e-9)


def test_what_was_measured_is_varied_as_a_whole() -> None:
    measured = [CALL.updated(0.02, 0.01, p_leave=0.3), OFF, BOX]
    table = tornado(STAKES, draw_assumptions(measured), PLAN)
    assert {"kept", "acceptance"} <= set(table.loc[table["offer"] == "call", "assumption"])
    assert "saves" not in set(table.loc[table["offer"] == "call", "assumption"])


def test_plans_of_nobody_and_of_certain_offers_have_nothing_to_vary() -> None:
    assert tornado(STAKES, draw_assumptions(OFFERS), np.full(300, -1)).empty
    sure = Offer("x", acceptance=Share(0.5), saves=Share(0.5))
    assert tornado(STAKES, draw_assumptions([sure], value_error=0.0), np.zeros(300, dtype=int)).empty


def test_a_grid_is_profits_of_other_offers() -> None:
    assumed = draw_assumptions([CALL])
    plan = np.where(PLAN == 0, 0, -1)
    grid = profit_grid(STAKES, assumed, plan, "call", acceptance=[0.0, 0.3, 1.0], effect=[0.1, 0.5])
    for a in grid.index:
        for s in grid.columns:
            other = Offer(**{**vars(CALL), "acceptance": Share(a), "saves": Share(s)})
            told = plan_profits(STAKES, draw_assumptions([other]), plan).mean()
            assert grid.loc[a, s] == pytest.approx(told, rel=1e-9)
    with pytest.raises(SettingsError, match="shares"):
        profit_grid(STAKES, assumed, plan, "call", acceptance=[1.2], effect=[0.1])


def test_worth_of_knowing_is_brute_force_and_grows_with_what_is_learned() -> None:
    assumed = draw_assumptions([CALL], n_draws=300)
    gains = STAKES.terms() @ assumed.net("call", leaver_share=0.0)
    brute = np.maximum(gains, 0).mean(axis=1).sum() - np.maximum(gains.mean(axis=1), 0).sum()
    worth = [value_of_information(STAKES, assumed, "call", learned=one) for one in np.linspace(0, 1, 11)]
    assert worth[-1] == pytest.approx(brute, rel=1e-9)
    assert worth[0] == pytest.approx(0.0, abs=1e-9)
    assert all(one <= more + 1e-9 for one, more in pairwise(worth))


def test_worth_of_knowing_a_normal_gain_is_the_unit_normal_loss() -> None:
    assumed = draw_assumptions([BOX], n_draws=20_000, value_error=0.0)
    for learned in (0.3, 1.0):
        sd, mean = 2.0 * learned, -1.0
        loss = sd * stats.norm.pdf(mean / sd) + mean * stats.norm.cdf(mean / sd)
        told = value_of_information(STAKES, assumed, "box", learned=learned) / 300
        assert told == pytest.approx(loss, rel=5e-3)


def test_a_capacity_bounds_the_worth_of_knowing() -> None:
    few = Offer(**{**vars(BOX), "capacity": 30})
    whole, part = (value_of_information(STAKES, draw_assumptions([one]), "box") for one in (BOX, few))
    assert part == pytest.approx(whole / 10)
    none = Offer(**{**vars(BOX), "capacity": 0})
    assert value_of_information(STAKES, draw_assumptions([none]), "box") == 0.0


def test_bad_requests_are_refused() -> None:
    assumed = draw_assumptions(OFFERS)
    with pytest.raises(SettingsError, match="quantiles"):
        tornado(STAKES, assumed, PLAN, at=(0.9, 0.1))
    with pytest.raises(SettingsError, match="learned"):
        value_of_information(STAKES, assumed, "call", learned=1.5)
