"""Plans and policies: sums by hand, paired differences, and the mistakes they are to show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from habitue.decisions.assumptions import draw_assumptions
from habitue.decisions.beliefs import Amount, Share
from habitue.decisions.gains import expected_gains
from habitue.decisions.measured_effects import measured_effects
from habitue.decisions.offers import Offer
from habitue.decisions.plans import as_plan, offer_profits, plan_profits, profit_of
from habitue.decisions.policies import POLICIES, compare_policies
from habitue.decisions.value_at_stake import value_at_stake
from habitue.errors import DataError, SettingsError

CALL = Offer("call", cost=6.0, acceptance=Share(0.4, worth=30), saves=Share(0.3, worth=20))
BOX = Offer("box", cost=3.0, uplift=Amount(2.0, 2.0))


def scores(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"churn_probability": rng.beta(1, 2, n), "clv": rng.gamma(0.7, 150.0, n)})


STAKES = value_at_stake(scores(), margin=0.4)
ASSUMED = draw_assumptions([CALL, BOX])
GAINS = expected_gains(STAKES, ASSUMED)
BEST = np.where(GAINS.expected.max(axis=1).to_numpy() > 0, GAINS.best(), -1)


def test_profit_of_a_plan_is_the_sum_over_customers_in_each_draw() -> None:
    by_hand = np.zeros(ASSUMED.n_draws)
    for place, name in enumerate(["call", "box"]):
        w = ASSUMED.net(name, leaver_share=0.0)
        for i in np.flatnonzero(place == BEST):
            p, v = STAKES.p_leave[i], STAKES.value[i]
            by_hand += p * v * w[0] + (1 - p) * v * w[1] + p * w[2] + (1 - p) * w[3] + w[4]
    np.testing.assert_allclose(plan_profits(STAKES, ASSUMED, BEST), by_hand)
    assert offer_profits(STAKES, ASSUMED, BEST).shape == (2, ASSUMED.n_draws)


def test_best_offers_that_pay_beat_every_other_choice() -> None:
    table = compare_policies(STAKES, ASSUMED, GAINS, BEST).set_index("policy")
    assert list(table.index) == list(POLICIES)
    assert table.loc["chosen", "profit"] == pytest.approx(GAINS.expected.max(axis=1).clip(lower=0).sum())
    assert (table["behind"] >= -1e-9).all()
    assert table.loc["chosen", ["behind", "behind_lower", "behind_upper"]].tolist() == [0, 0, 0]
    assert table.loc["by expected gain", "behind"] == pytest.approx(0.0, abs=1e-6)
    assert table.loc["by expected gain", "profit"] > table.loc["by churn risk", "profit"]
    np.testing.assert_allclose(table.loc["none", ["n", "cost", "profit", "lower", "upper", "p_loss"]], 0.0)
    # Draws are shared: a difference is surer than its two profits.
    width = table["upper"] - table["lower"]
    paired = table["behind_upper"] - table["behind_lower"]
    assert paired["by churn risk"] < 0.9 * (width["chosen"] + width["by churn risk"])


def test_random_is_the_mean_over_random_choices() -> None:
    n = 60
    plan = np.full(400, -1)
    plan[np.argsort(-GAINS.expected.max(axis=1).to_numpy())[:n]] = 0
    told = compare_policies(STAKES, ASSUMED, GAINS, plan).set_index("policy").loc["random"]
    rng, found = np.random.default_rng(0), []
    for _ in range(3000):
        rows = rng.choice(400, n, replace=False)
        found.append(GAINS.expected.to_numpy()[rows, 0].sum())
    assert told["n"] == n
    assert told["profit"] == pytest.approx(np.mean(found), abs=4 * np.std(found) / np.sqrt(3000))


def test_measured_effects_count_in_plans_as_in_gains() -> None:
    effects = pd.DataFrame({"box": np.linspace(-2, 8, 400)}, index=STAKES.customers)
    errors = pd.DataFrame({"box": np.full(400, 1.0)}, index=STAKES.customers)
    known = measured_effects(effects, errors, stakes=STAKES, names=["call", "box"])
    gains = expected_gains(STAKES, ASSUMED, effects=effects, effect_errors=errors)
    plan = gains.best()
    told = plan_profits(STAKES, ASSUMED, plan, measured=known)
    assert told.mean() == pytest.approx(gains.expected.max(axis=1).sum(), rel=1e-9)


def test_nobody_chosen_and_nobody_eligible() -> None:
    nobody = np.full(400, -1)
    table = compare_policies(STAKES, ASSUMED, GAINS, nobody).set_index("policy")
    np.testing.assert_allclose(table.loc[["chosen", "random", "by value"], "profit"], 0.0)
    none = pd.DataFrame(False, index=STAKES.customers, columns=["call", "box"])
    closed = expected_gains(STAKES, ASSUMED, eligible=none)
    assert (compare_policies(STAKES, ASSUMED, closed, nobody)["profit"] == 0.0).all()


def test_plans_that_cannot_be_are_refused() -> None:
    for wrong in (np.zeros(3, int), np.zeros(400), np.full(400, 2), np.full(400, -2)):
        with pytest.raises(DataError):
            as_plan(wrong, n_customers=400, n_offers=2)
    may = pd.DataFrame(True, index=STAKES.customers, columns=["call", "box"])
    may.loc[5, "call"] = False
    with pytest.raises(SettingsError, match="may not have them, the first 'call' to 5"):
        compare_policies(
            STAKES, ASSUMED, expected_gains(STAKES, ASSUMED, eligible=may), np.zeros(400, dtype=int)
        )
    with pytest.raises(SettingsError, match="interval"):
        profit_of(np.zeros(3), interval=0.0)


def test_a_plan_of_several_offers_to_a_customer_is_the_sum_of_its_plans() -> None:
    first, second = np.where(np.arange(400) < 300, 0, -1), np.where(np.arange(400) >= 200, 1, -1)
    both = as_plan(first, n_customers=400, n_offers=2) | as_plan(second, n_customers=400, n_offers=2)
    apart = plan_profits(STAKES, ASSUMED, first) + plan_profits(STAKES, ASSUMED, second)
    np.testing.assert_allclose(plan_profits(STAKES, ASSUMED, both), apart)
    told = compare_policies(STAKES, ASSUMED, GAINS, both & GAINS.expected.notna().to_numpy())
    chosen = told.set_index("policy").loc["chosen"]
    assert chosen["n"] <= 400
    assert chosen["lower"] < chosen["profit"] < chosen["upper"]


def test_rivals_make_every_offer_as_often_as_the_plan() -> None:
    """Two of the first 100 that may have each offer, and one customer has both."""
    plan = np.zeros(GAINS.expected.shape, dtype=bool)
    plan[[3, 5], 0] = plan[[5, 8, 9], 1] = True
    told = compare_policies(STAKES, ASSUMED, GAINS, plan).set_index("policy")
    riskiest = np.argsort(-STAKES.p_leave, kind="stable")
    may = GAINS.expected.notna().to_numpy()
    expected = 0.0
    for offer in (0, 1):
        rows = [row for row in riskiest if may[row, offer]][: int(plan[:, offer].sum())]
        expected += GAINS.expected.to_numpy()[rows, offer].sum()
    assert told.loc["by churn risk", "profit"] == pytest.approx(expected)
    assert told.index[~told["within_limits"]].tolist() == ["all", "by expected gain"]
    assert told.loc["random", "cost"] == pytest.approx(
        sum(GAINS.cost.to_numpy()[may[:, o], o].mean() * plan[:, o].sum() for o in (0, 1))
    )
