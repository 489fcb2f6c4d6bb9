"""The holdout: propensities are frequencies, lots know nothing but the customer and the round."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from habitue.decisions.actions import assignments
from habitue.decisions.allocating.allocation import Allocation, allocate
from habitue.decisions.holdout import Explore, draw_round, holdout_shares
from habitue.decisions.offers import Amount, Offer
from habitue.errors import SettingsError

OFFERS = ["call", "gift", "points"]


def plan_of(n: int = 400, *, seed: int = 0) -> tuple[Allocation, pd.DataFrame, pd.DataFrame]:
    """Return a plan with its gains and costs; the gift's places are few."""
    rng = np.random.default_rng(seed)
    names = pd.Index([f"c{place}" for place in range(n)])
    gain = pd.DataFrame(rng.uniform(4.0, 6.0, (n, 3)), index=names, columns=OFFERS)
    cost = pd.DataFrame(np.tile([2.0, 1.0, 1.0], (n, 1)), index=names, columns=OFFERS)
    return allocate(gain, cost, budget=float(n), capacity={"gift": n // 4}), gain, cost


def free_places(plan: Allocation) -> pd.DataFrame:
    """Return a few places for each offer beside the plan's."""
    return pd.DataFrame(
        {"capacity": [20.0, 0.0, np.inf], "channel": ["a", "a", "b"], "channel_capacity": [50.0, 50.0, 30.0]},
        index=list(plan.offers),
    )


def test_the_propensity_is_the_frequency_of_what_was_done() -> None:
    plan, gain, cost = plan_of(60)
    rounds = 500
    done = pd.concat(
        draw_round(
            plan, name=f"round {n}", share=0.2, at_least=0, explore=Explore(0.3, 0.3), gain=gain, cost=cost
        )
        for n in range(rounds)
    )
    counted = done.groupby(["customer_id", "planned", "arm"])["propensity"].agg(["size", "nunique", "first"])
    assert (counted["nunique"] == 1).all()
    p = counted["first"].to_numpy()
    z = (counted["size"].to_numpy() - rounds * p) / np.sqrt(rounds * p * (1.0 - p))
    assert np.abs(z).max() < 4.5
    assert abs(np.sqrt((z**2).mean()) - 1.0) < 0.2
    # The probabilities of all that may be done with a customer sum to one.
    sums = counted["first"].groupby("customer_id").sum()
    assert np.allclose(sums, 1.0)


def test_a_round_is_drawn_again_the_same_and_another_one_is_not() -> None:
    plan, _, _ = plan_of()
    first, again = (draw_round(plan, name="spring") for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    other = draw_round(plan, name="summer")
    both = ((first["arm"] == "control") & (other["arm"] == "control")).mean()
    assert both < 0.8 * (first["arm"] == "control").mean()


def test_other_customers_move_nobody_where_shares_stay() -> None:
    gain = pd.DataFrame({"call": np.ones(2_000)}, index=range(2_000))
    whole = draw_round(allocate(gain, [0.0]), name="r").set_index("customer_id")
    half = draw_round(allocate(gain.iloc[:1_000], [0.0]), name="r").set_index("customer_id")
    assert (half["arm"] == whole["arm"].loc[half.index]).all()


@pytest.mark.parametrize("seed", range(4))
def test_exploring_breaks_no_limit(seed: int) -> None:
    plan, gain, cost = plan_of(seed=seed)
    free = free_places(plan)
    drawn = draw_round(
        plan, name="r", at_least=0, explore=Explore(0.9, 0.5), gain=gain, cost=cost, alternatives=free
    )
    planned, made = drawn["planned"].value_counts(), drawn["arm"].value_counts()
    for offer in OFFERS:
        assert made.get(offer, 0) <= planned.get(offer, 0) + free.loc[offer, "capacity"]
    through = {"a": ["call", "gift"], "b": ["points"]}
    for channel, places in (("a", 50.0), ("b", 30.0)):
        now, before = (sum(int(of.get(one, 0)) for one in through[channel]) for of in (made, planned))
        assert now <= before + places
    treated = drawn[drawn["arm"] != "control"]
    spent = sum(cost.loc[row.customer_id, row.arm] for row in treated.itertuples())
    assert spent <= plan.limits.loc["budget", "used"]
    assert ((drawn["arm"] != drawn["planned"]) & (drawn["arm"] != "control")).any()


def test_an_exploring_round_never_makes_an_offer_that_loses() -> None:
    gain = pd.DataFrame({"call": [1.0], "gift": [np.nan], "points": [-0.1]}, index=["a"])
    plan = allocate(gain, [1.0, 1.0, 1.0])
    costs = pd.DataFrame(1.0, index=["a"], columns=OFFERS)
    arms = {
        draw_round(plan, name=str(n), explore=Explore(0.9, 1.0), gain=gain, cost=costs)["arm"][0]
        for n in range(50)
    }
    assert arms == {"call", "control"}


def test_small_plans_hold_out_more() -> None:
    assert holdout_shares([1_000_000, 100, 1, 0]).tolist() == [0.1, 0.5, 0.5, 0.5]
    assert holdout_shares([10], share=0.0).tolist() == [0.0]
    plan, _, _ = plan_of()
    none = draw_round(plan, name="r", share=0.0)
    assert (none["arm"] == none["planned"]).all()
    assert (none["propensity"] == 1.0).all()


def test_several_offers_are_held_out_together() -> None:
    gain = pd.DataFrame(np.ones((500, 2)), columns=["x", "y"])
    drawn = draw_round(allocate(gain, [0.0, 0.0], max_per_customer=2), name="r", share=0.3)
    per_customer = drawn.groupby("customer_id")["arm"].agg(lambda arms: (arms == "control").mean())
    assert set(per_customer) == {0.0, 1.0}


def test_a_plan_for_nobody_draws_nobody() -> None:
    plan = allocate(pd.DataFrame({"x": [-1.0]}, index=["a"]), [1.0])
    assert list(draw_round(plan, name="r").columns) == [
        "customer_id",
        "planned",
        "or_else",
        "arm",
        "propensity",
    ]
    assert draw_round(plan, name="r").empty


def test_impossible_shares_are_refused() -> None:
    plan, gain, cost = plan_of(10)
    with pytest.raises(SettingsError, match=r"share in \[0, 1\)"):
        draw_round(plan, name="r", share=1.0)
    with pytest.raises(SettingsError, match="epsilon in"):
        draw_round(plan, name="r", explore=Explore(1.5), gain=gain, cost=cost)
    with pytest.raises(SettingsError, match="gains and costs"):
        draw_round(plan, name="r", explore=Explore(0.5))


def test_in_a_campaign_everybody_can_get_the_same() -> None:
    plan, gain, cost = plan_of(3_000)
    offers = [Offer(name, cost=1.0, uplift=Amount(1.0, 1.0)) for name in OFFERS]
    drawn = draw_round(plan, name="r", share=0.2, explore=Explore(0.4, 0.3), gain=gain, cost=cost)
    assert drawn["or_else"].nunique() > 2
    made = assignments(drawn, offers, cost, name="r", day=date(2026, 1, 5))
    for campaign, rows in made.groupby("campaign"):
        possible = {"control", *campaign.removeprefix("r: ").split(" or ")}
        assert set(rows["arm"]) <= possible
        # One over the chance, summed over those who drew an arm, is everybody of the campaign.
        for arm in possible:
            weight = 1.0 / rows.loc[rows["arm"] == arm, "propensity"].to_numpy()
            spread = np.sqrt((weight * (weight - 1.0)).sum()) + 1.0
            assert len(rows) < 100 or abs(weight.sum() - len(rows)) < 5.0 * spread
