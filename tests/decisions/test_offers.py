"""Offers and beliefs: what is refused, and how what was measured is added to what was assumed."""

from __future__ import annotations

import math
from datetime import date
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.decisions.assumptions import draw_assumptions, posterior_uplift
from habitue.decisions.beliefs import Amount, Evidence, Share
from habitue.decisions.offers import KINDS, Fatigue, Offer, check_offers
from habitue.errors import SettingsError

CALL = Offer("call", cost=4.0, acceptance=Share(0.4, worth=30), saves=Share(0.3, worth=20))
BOX = Offer("box", cost=1.0, uplift=Amount(5.0, 2.0))
TRIALS = ((0.02, 0.01), (0.05, 0.02), (-0.01, 0.03))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"cost": -1.0}, "0 or more"),
        ({"cost_if_accepted": math.nan}, "0 or more"),
        ({"kind": "bribe"}, "must be one of"),
        ({"name": " x"}, "name"),
        ({"saves": None}, "needs either"),
        ({"uplift": Amount(1.0, 1.0)}, "needs either"),
        ({"margin_effect": -11.0}, "share of the margin"),
        ({"capacity": -1}, "capacity"),
        ({"starts": date(2025, 2, 1), "ends": date(2025, 1, 1)}, "before it starts"),
    ],
)
def test_what_cannot_be_an_offer_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        Offer(**({"name": "x", "saves": Share(0.5)} | wrong))


def test_an_uplift_holds_the_margin_effect_already() -> None:
    with pytest.raises(SettingsError, match="already"):
        Offer("x", uplift=Amount(1.0, 1.0), margin_effect=-0.1)


@pytest.mark.parametrize("make", [lambda: Share(1.2), lambda: Share(0.5, worth=0), lambda: Share.beta(0, 1)])
def test_what_is_no_share_is_refused(make: Any) -> None:
    with pytest.raises(SettingsError):
        make()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_as_good_as_money_is_taken_by_all_who_stay(kind: str) -> None:
    staying = Offer("x", kind=kind, saves=Share(0.5)).staying
    assert (staying == Share(1.0)) is (kind in {"discount", "points", "surprise_gift"})


def test_names_are_needed_and_differ() -> None:
    with pytest.raises(SettingsError, match="twice or more: call"):
        check_offers([CALL, BOX, CALL])
    with pytest.raises(SettingsError, match="at least one"):
        check_offers([])


@given(
    st.floats(0.01, 0.99), st.floats(1.0, 500.0), st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)))
)
def test_acceptance_is_updated_as_a_beta_is_whatever_the_order(
    mean: float, worth: float, rounds: list[tuple[int, int]]
) -> None:
    prior = Share(mean, worth)
    one, other = prior, prior
    for yes, no in rounds:
        one = one.with_observed(yes, yes + no)
    for yes, no in reversed(rounds):
        other = other.with_observed(yes, yes + no)
    n_yes, n = sum(yes for yes, _ in rounds), sum(yes + no for yes, no in rounds)
    assert one.mean == pytest.approx(other.mean, rel=1e-9)
    assert one.mean == pytest.approx((mean * worth + n_yes) / (worth + n), rel=1e-9)
    assert one.worth == pytest.approx(worth + n, rel=1e-12)


@pytest.mark.parametrize("offer", [CALL, BOX], ids=["saves", "uplift"])
def test_effects_may_come_in_any_order(offer: Offer) -> None:
    p = {"p_leave": 0.2} if offer.saves else {}
    found = []
    for order in permutations(TRIALS):
        now = offer
        for effect, se in order:
            now = now.updated(effect, se, **p)
        expected = draw_assumptions([now]).expected[offer.name]
        found.append([expected.acceptance.item(), expected.kept.item(), expected.uplift.item()])
    np.testing.assert_allclose(found, np.broadcast_to(found[0], np.shape(found)), rtol=1e-9)


@pytest.mark.parametrize("offer", [CALL, BOX], ids=["saves", "uplift"])
def test_an_effect_measured_without_any_certainty_changes_nothing(offer: Offer) -> None:
    p = {"p_leave": 0.2} if offer.saves else {}
    assert offer.updated(0.5, math.inf, **p) == offer


def test_rounds_of_acceptance_and_effect_do_not_mind_which_came_first() -> None:
    one = CALL.updated(0.03, 0.01, p_leave=0.25).updated_acceptance(30, 50)
    assert one == CALL.updated_acceptance(30, 50).updated(0.03, 0.01, p_leave=0.25)


@given(st.floats(-50, 50), st.floats(0.1, 20), st.floats(-50, 50), st.floats(0.1, 20))
def test_an_uplift_is_updated_as_a_normal_is(mean: float, sd: float, effect: float, se: float) -> None:
    after = posterior_uplift(Amount(mean, sd), Evidence().and_also(effect, se))
    weight = sd**2 / (sd**2 + se**2)
    assert after.mean == pytest.approx(mean + weight * (effect - mean), rel=1e-9, abs=1e-9)
    assert after.sd == pytest.approx(math.sqrt(weight) * se, rel=1e-9)


def test_updates_say_what_they_need() -> None:
    with pytest.raises(SettingsError, match="p_leave"):
        CALL.updated(0.1, 0.1)
    with pytest.raises(SettingsError, match="leave p_leave out"):
        BOX.updated(1.0, 1.0, p_leave=0.2)
    with pytest.raises(SettingsError, match="above 0"):
        BOX.updated(1.0, 0.0)
    with pytest.raises(SettingsError, match="not more than all"):
        CALL.updated_acceptance(6, 5)


def test_stayers_of_a_discount_are_counted_apart() -> None:
    off = Offer("off", kind="discount", saves=Share(0.5), acceptance_if_staying=Share(0.5, worth=10))
    after = off.updated_acceptance(10, 10, staying=True)
    assert after.acceptance == off.acceptance
    assert after.staying == Share(0.75, worth=20)


def test_days_and_limits() -> None:
    offer = Offer("x", saves=Share(0.5), starts=date(2025, 1, 1), ends=date(2025, 1, 31))
    days = [date(2024, 12, 31), date(2025, 1, 1), date(2025, 1, 31), date(2025, 2, 1)]
    assert [offer.runs_on(day) for day in days] == [False, True, True, False]
    with pytest.raises(SettingsError, match="fatigue"):
        Fatigue(0, 30)
    with pytest.raises(SettingsError, match="margin in"):
        Offer.of_discount(0.1, margin=0.0)


def test_no_offer_bears_the_name_of_those_left_alone() -> None:
    with pytest.raises(SettingsError, match="those who get nothing"):
        check_offers([Offer("Control", saves=Share(0.5))])
