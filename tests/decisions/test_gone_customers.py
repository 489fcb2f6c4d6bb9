"""Who is gone already is reached by no offer: a list of actions is for those who can still be kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from habitue.decisions import Offer, Share, draw_assumptions, expected_gains, value_at_stake
from habitue.decisions.value_at_stake import reached_share
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


def test_who_bought_once_is_no_more_alive_than_others_as_likely_lost() -> None:
    """BG/NBD says of all who bought once that they are alive for certain, however long ago that was."""
    draw = np.random.default_rng(2)
    p = draw.uniform(0.05, 0.99, 2_000)
    truth = p**3  # the likelier one is lost, the likelier one is gone already
    once = draw.uniform(size=2_000) < 0.5
    frame = pd.DataFrame(
        {"churn_probability": p, "clv": 60.0 * (1 - p), "p_alive": np.where(once, 1.0, 1.0 - truth)}
    )
    gone = value_at_stake(frame, margin=1.0).p_gone
    assert gone is not None
    np.testing.assert_allclose(gone[~once], truth[~once])
    np.testing.assert_allclose(gone[once], truth[once], atol=0.02)
    unknown = value_at_stake(frame.assign(p_alive=frame["p_alive"].mask(once)), margin=1.0).p_gone
    np.testing.assert_array_equal(gone, unknown)
    assert reached_share(frame) == pytest.approx(1.0 - truth.sum() / p.sum(), abs=0.01)


def test_the_long_gone_are_not_worth_their_weight_in_gold() -> None:
    """One model gives one-time buyers a clv, another nearly no chance to come back: 7.6 is not worth 422."""
    n = 500
    active = pd.DataFrame(
        {"churn_probability": np.linspace(0.05, 0.97, n), "p_alive": np.linspace(0.99, 0.06, n)}
    ).assign(clv=lambda frame: 60.0 * (1.0 - frame["churn_probability"]))
    once = pd.DataFrame({"churn_probability": [0.982], "p_alive": [1.0], "clv": [7.6]})
    stakes = value_at_stake(pd.concat([active, once], ignore_index=True), margin=0.4)
    found = expected_gains(stakes, draw_assumptions([CALL]))
    gains = found.expected["call"] + found.cost["call"]
    assert stakes.value[-1] == pytest.approx(0.4 * 60.0)
    assert stakes.p_reached[-1] < 0.05
    assert gains.iloc[-1] < 0.1 * 7.6


def test_what_was_worked_out_from_the_same_chance_is_believed() -> None:
    frame = pd.DataFrame({"churn_probability": [0.1, 0.9], "clv": [0.9 * 40.0, 0.1 * 500.0]})
    assert value_at_stake(frame, margin=1.0).value.tolist() == pytest.approx([40.0, 200.0])
    assert value_at_stake(frame, margin=1.0, consistent=True).value.tolist() == pytest.approx([40.0, 500.0])


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
