"""Profit curves: brute force, the published EMPC where customers are alike, and offers that never pay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from habitue.decisions.assumptions import draw_assumptions
from habitue.decisions.beliefs import Amount, Share
from habitue.decisions.offers import Offer
from habitue.decisions.profit_curves import best_shares, profit_curve
from habitue.decisions.sensitivity import value_of_information
from habitue.decisions.value_at_stake import value_at_stake
from habitue.errors import DataError, SettingsError
from habitue.evaluation.profit import RetentionOffer, maximum_profit
from habitue.numerics import churn_profit

RNG = np.random.default_rng(0)
SCORES = pd.DataFrame({"churn_probability": RNG.beta(1, 2, 500), "clv": RNG.gamma(0.7, 150.0, 500)})
STAKES = value_at_stake(SCORES, margin=0.4)
CALL = Offer("call", cost=6.0, acceptance=Share(0.4, worth=30), saves=Share(0.3, worth=20))


def test_the_curve_is_the_sum_of_the_best_and_tops_where_gains_end() -> None:
    assumed = draw_assumptions([CALL])
    curve = profit_curve(STAKES, assumed, "call", n_points=501)
    gain = np.sort(STAKES.terms() @ assumed.net("call", leaver_share=0.0).mean(axis=1))[::-1]
    np.testing.assert_allclose(curve["profit"], np.r_[0.0, np.cumsum(gain)], atol=1e-9)
    best = best_shares(STAKES, assumed)[0]
    assert best.profit == pytest.approx(curve["profit"].max())
    assert best.n == int((gain > 0).sum())
    assert best.flat_from <= best.share <= best.flat_to
    assert (curve["lower"] <= curve["profit"] + 1e-9).all()
    assert (curve["upper"] >= curve["profit"] - 1e-9).all()
    by_risk = profit_curve(STAKES, assumed, "call", by=STAKES.p_leave, n_points=501)
    assert (by_risk["profit"] <= curve["profit"] + 1e-9).all()
    assert by_risk["profit"].iloc[-1] == pytest.approx(curve["profit"].iloc[-1])


def test_known_outcomes_give_the_published_maximum_profit() -> None:
    rng = np.random.default_rng(3)
    left, score = (rng.random(300) < 0.3).astype(float), rng.random(300)
    # Leavers' value cannot be told of a clv of nought: it is handed in as it is.
    stakes = value_at_stake(
        pd.DataFrame({"churn_probability": left * 0.5, "clv": 200.0 - left * 100}), margin=1.0
    )
    object.__setattr__(stakes, "p_leave", left)
    offer = Offer(
        "x", kind="discount", cost=1.0, cost_if_accepted=10.0, acceptance=Share(0.3), saves=Share(1.0)
    )
    assumed = draw_assumptions([offer], value_error=0.0, n_draws=2)
    curve = profit_curve(stakes, assumed, "x", by=score, n_points=301)
    published = maximum_profit(left, score, RetentionOffer())
    # The hull may contact part of a step; with all predictions different each step's ends are on the curve.
    assert curve["profit"].max() / 300 == pytest.approx(published.profit, rel=1e-9)
    at = curve["profit"].idxmax()
    assert curve["share"][at] == pytest.approx(published.share)
    assert curve["threshold"][at] == pytest.approx(published.threshold)


@pytest.mark.parametrize("worth", [5.0, 20.0])
def test_knowing_the_acceptance_first_gives_the_published_expected_maximum_profit(worth: float) -> None:
    p = np.sort(np.random.default_rng(1).beta(1, 6, 200))[::-1]
    stakes = value_at_stake(pd.DataFrame({"churn_probability": p, "clv": 200.0 * (1 - p)}), margin=1.0)
    offer = Offer(
        "x", cost=1.0, cost_if_accepted=10.0, kind="discount", acceptance=Share(0.3, worth), saves=Share(1.0)
    )
    assumed = draw_assumptions([offer], n_draws=20_000, value_error=0.0)
    gain = stakes.terms() @ assumed.net("x", leaver_share=0.0).mean(axis=1)
    told = (np.maximum(gain, 0).sum() + value_of_information(stakes, assumed, "x")) / 200
    # The published offer costs nothing extra to leavers who stay away; its worth is net of it alike.
    published = churn_profit.expected_maximum_profit(
        churn_profit.Hull(p, np.full(200, 1 / 200)),
        clv=200.0, cost=10.0, contact_cost=1.0, alpha=0.3 * worth, beta=0.7 * worth,
    )  # fmt: skip
    assert told == pytest.approx(published.profit, rel=2e-3)


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (Offer("x", cost=1.0, acceptance=Share(0.0), saves=Share(0.5)), "nobody accepts"),
        (Offer("x", cost=1.0, acceptance=Share(0.5), saves=Share(0.0)), "nobody stays because of it"),
        (Offer("x", cost=1e6, acceptance=Share(0.5), saves=Share(0.5)), "even with the best customer"),
        (Offer("x", uplift=Amount(-1.0, 1.0)), "believed to add -1.00"),
        (Offer("x", cost=5.0, uplift=Amount(2.0, 1.0)), "gains 2.00 and costs 5.00"),
    ],
)
def test_offers_that_lose_money_with_all_say_why(offer: Offer, reason: str) -> None:
    best = best_shares(STAKES, draw_assumptions([offer]))[0]
    assert best.n == 0
    assert best.profit == 0.0
    assert reason in best.reason


def test_an_offer_nobody_may_have_says_so() -> None:
    none = pd.DataFrame({"call": np.zeros(500, dtype=bool)})
    assert best_shares(STAKES, draw_assumptions([CALL]), eligible=none)[0].reason == "nobody is eligible"
    with pytest.raises(DataError, match="Nobody is eligible"):
        profit_curve(STAKES, draw_assumptions([CALL]), "call", eligible=none["call"])


def test_break_even_acceptance_is_where_the_best_customer_pays() -> None:
    best = best_shares(STAKES, draw_assumptions([CALL], value_error=0.0))[0]
    for share, pays in ((best.acceptance * 1.01, True), (best.acceptance * 0.99, False)):
        offer = Offer("call", cost=6.0, acceptance=Share(share), saves=Share(0.3))
        assert (best_shares(STAKES, draw_assumptions([offer]))[0].n > 0) is pays


def test_bad_requests_are_refused() -> None:
    assumed = draw_assumptions([CALL])
    with pytest.raises(SettingsError):
        profit_curve(STAKES, assumed, "call", n_points=1)
    with pytest.raises(DataError, match="value for each of 500"):
        profit_curve(STAKES, assumed, "call", by=[1.0])
    with pytest.raises(DataError, match="missing"):
        profit_curve(STAKES, assumed, "call", by=np.full(500, np.nan))
