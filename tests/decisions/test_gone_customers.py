"""Who is gone already is reached by no offer: a list of actions is for those who can still be kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from habitue.decisions import Offer, Share, draw_assumptions, expected_gains, value_at_stake
from habitue.errors import DataError

CALL = Offer("call", cost=1.0, acceptance=Share(0.4, worth=30), saves=Share(0.3, worth=20))


def scores(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"churn_probability": [0.2, 0.6, 0.99], "clv": [80.0, 40.0, 1.0], **columns})


def test_the_chance_of_being_lost_is_parted_into_gone_and_leaving() -> None:
    stakes = value_at_stake(scores(p_alive=[1.0, 0.7, 0.011]), margin=1.0)
    assert stakes.p_gone is not None
    np.testing.assert_allclose(stakes.p_gone, [0.0, 0.3, 0.989])
    np.testing.assert_allclose(stakes.p_reached, [0.2, 0.3, 0.001])
    np.testing.assert_allclose(stakes.p_gone + stakes.p_reached, stakes.p_leave)


def test_a_customer_long_gone_is_not_worth_a_call_and_without_p_alive_seemed_the_best() -> None:
    assumed = draw_assumptions([CALL])
    blind = expected_gains(value_at_stake(scores(), margin=1.0), assumed).expected["call"]
    seeing = expected_gains(value_at_stake(scores(p_alive=[1.0, 0.9, 0.011]), margin=1.0), assumed)
    gains = seeing.expected["call"]
    assert blind.idxmax() == 2
    assert gains.idxmax() == 1
    assert gains[2] == pytest.approx(-1.0, abs=0.05)  # the contact is paid for, and nobody answers
    assert gains[0] == pytest.approx(blind[0])


def test_what_cannot_be_is_cut_to_what_can() -> None:
    # Two models disagree: one says lost with .2, the other gone with .5.
    stakes = value_at_stake(scores(p_alive=[0.5, 1.0, float("nan")]), margin=1.0)
    assert stakes.p_gone is not None
    np.testing.assert_allclose(stakes.p_gone, [0.2, 0.0, 0.0])


def test_expected_margin_adds_up_again() -> None:
    draw = np.random.default_rng(1)
    p = draw.uniform(0.0, 0.5, 200)
    frame = pd.DataFrame(
        {
            "churn_probability": p,
            "clv": draw.gamma(2.0, 50.0, 200),
            "p_alive": 1.0 - p * draw.uniform(size=200),
        }
    )
    stakes = value_at_stake(frame, margin=1.0, leaver_share=0.4)
    back = (1.0 - p) * stakes.value + stakes.p_reached * 0.4 * stakes.value
    np.testing.assert_allclose(back, frame["clv"])


def test_a_chance_above_one_is_refused() -> None:
    with pytest.raises(DataError, match="p_alive must be a number from 0 to 1"):
        value_at_stake(scores(p_alive=[1.1, 0.5, 0.5]), margin=1.0)
