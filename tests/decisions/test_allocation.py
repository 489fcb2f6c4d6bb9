"""Allocation: equal to enumeration and to the plain solver, within every limit, and bounded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, coo_array, csr_array

from habitue.decisions.allocating.allocation import Allocation, allocate
from habitue.decisions.fairness_limits import FairnessLimit, parity
from habitue.errors import DataError, SettingsError

FloatArray = npt.NDArray[np.float64]


def question(seed: int, n: int, m: int, *, rounded: bool = False) -> dict[str, Any]:
    """Return a problem with all kinds of limits."""
    rng = np.random.default_rng(seed)
    gain = rng.lognormal(1.0, 1.0, (n, m)) - rng.uniform(0.0, 4.0, (n, m))
    gain[rng.random((n, m)) < 0.15] = np.nan
    cost = rng.uniform(0.0, 3.0, (n, m))
    if rounded:  # equal customers, and costs that fill the budget to the cent
        gain, cost = np.round(gain), np.round(cost)
    capacity = np.where(rng.random(m) < 0.5, rng.integers(0, max(2, n // 2), m), np.nan)
    return {
        "gain": gain,
        "cost": cost,
        "budget": float(rng.choice([0.2, 0.6, 1.0]) * n),
        "capacity": capacity,
        "channels": ["post" if j % 2 else "mail" for j in range(m)],
        "channel_capacity": {"mail": float(rng.integers(1, n + 1))},
        "max_per_customer": int(rng.integers(1, 3)),
        "groups": {"sex": np.where(np.arange(n) % 3 == 0, "f", "m")},
        "fairness": parity("sex", ["f", "m"], ratio=0.7) if rng.random() < 0.6 else (),
    }


def is_within(asked: Mapping[str, Any], taken: npt.NDArray[np.bool_]) -> bool:
    """Say whether a plan keeps every limit, looked at one by one."""
    gain, cost = asked["gain"], asked["cost"]
    if (taken & np.isnan(gain)).any() or taken.sum(axis=1).max(initial=0) > asked["max_per_customer"]:
        return False
    if (cost * taken).sum() > asked["budget"] * (1.0 + 1e-9) + 1e-9:
        return False
    made = taken.sum(axis=0)
    if any(
        count > limit for count, limit in zip(made, asked["capacity"], strict=True) if not np.isnan(limit)
    ):
        return False
    through = np.array([channel == "mail" for channel in asked["channels"]])
    if made[through].sum() > asked["channel_capacity"]["mail"]:
        return False
    return all(_is_fair(limit, asked, taken) for limit in asked["fairness"])


def _is_fair(limit: FairnessLimit, asked: Mapping[str, Any], taken: npt.NDArray[np.bool_]) -> bool:
    may = ~np.isnan(asked["gain"]).all(axis=1)
    sex = asked["groups"]["sex"]
    own, other = may & (sex == limit.group), may & (sex == limit.of)
    if not own.any() or not other.any() or limit.ratio is None:
        return True
    share, others = taken[own].sum() / own.sum(), taken[other].sum() / other.sum()
    return bool(share >= limit.ratio * others - 1e-9)


def enumerated(asked: Mapping[str, Any]) -> float:
    """Return the best objective of all plans."""
    gain = asked["gain"]
    n, m = gain.shape
    choices = [one for one in product([False, True], repeat=m) if sum(one) <= asked["max_per_customer"]]
    best = 0.0
    for plan in product(choices, repeat=n):
        taken = np.array(plan)
        value = float(np.where(taken, np.nan_to_num(gain, nan=-1e9), 0.0).sum())
        if value > best and is_within(asked, taken):
            best = value
    return best


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), rounded=st.booleans())
def test_it_is_the_best_of_all_plans(seed: int, rounded: bool) -> None:
    asked = question(seed, 4, 3, rounded=rounded)
    plan = allocate(**asked, tolerance=1e-9)
    assert plan.objective == pytest.approx(enumerated(asked), abs=1e-6)
    assert plan.bound == pytest.approx(plan.objective, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 120), rounded=st.booleans())
def test_every_limit_is_kept_and_the_bound_holds(seed: int, n: int, rounded: bool) -> None:
    asked = question(seed, n, 3, rounded=rounded)
    plan = allocate(**asked)
    assert is_within(asked, plan.taken)
    assert plan.objective <= plan.bound * (1.0 + 1e-9) + 1e-9
    assert plan.objective >= 0.0
    assert plan.objective == pytest.approx(float(np.nansum(asked["gain"][plan.taken])), abs=1e-9)
    assert ((plan.chosen >= 0) == plan.taken.any(axis=1)).all()
    used = plan.limits["used"].to_numpy()
    bound = plan.limits["bound"].to_numpy()
    at_most = plan.limits["kind"].isin(["budget", "capacity", "channel"]).to_numpy()
    assert (used[at_most] <= bound[at_most] * (1.0 + 1e-9) + 1e-9).all()


def plain_milp(gain: FloatArray, cost: FloatArray, budget: float, capacity: FloatArray) -> Any:
    """Hand everything to the solver, as one would without thinking."""
    n, m = gain.shape
    columns = np.arange(n * m)
    one = coo_array((np.ones(n * m), (columns // m, columns)))
    per_offer = coo_array((np.ones(n * m), (columns % m, columns)))
    table = csr_array(block_array([[csr_array(cost.reshape(1, -1))], [one], [per_offer]]))
    return milp(
        -gain.ravel(),
        integrality=np.ones(n * m),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(table, -np.inf, np.concatenate([[budget], np.ones(n), capacity])),
        options={"mip_rel_gap": 1e-6, "time_limit": 60.0},
    )


@pytest.mark.parametrize("n", [300, 1_000])
def test_it_equals_the_plain_solver(n: int) -> None:
    rng = np.random.default_rng(n)
    gain = rng.lognormal(1.0, 1.0, (n, 4)) - 2.0
    cost = rng.uniform(0.2, 3.0, (n, 4))
    capacity = np.array([0.05, 0.1, 0.02, 1.0]) * n
    plan = allocate(gain, cost, budget=0.15 * n, capacity=capacity, tolerance=1e-6)
    plain = plain_milp(gain, cost, 0.15 * n, capacity)
    assert plan.objective == pytest.approx(-plain.fun, rel=3e-6)
    assert plan.bound >= -plain.fun * (1.0 - 1e-9)
    assert plan.gap <= 1e-6


def test_the_order_of_rows_changes_nothing() -> None:
    asked = question(5, 80, 3, rounded=True)
    names = pd.Index([f"c{place}" for place in range(80)])
    gain = pd.DataFrame(asked.pop("gain"), index=names, columns=["a", "b", "c"])
    asked["capacity"] = dict(zip("abc", asked["capacity"], strict=True))
    first = allocate(gain, **asked)
    turned = np.random.default_rng(0).permutation(80)
    asked["cost"] = asked["cost"][turned]
    asked["groups"] = {"sex": asked["groups"]["sex"][turned]}
    second = allocate(gain.iloc[turned], **asked)
    assert (second.chosen == first.chosen[turned]).all()


def test_without_names_the_order_leaves_the_objective() -> None:
    asked = question(6, 200, 3)
    turned = np.random.default_rng(0).permutation(200)
    moved = asked | {
        "gain": asked["gain"][turned],
        "cost": asked["cost"][turned],
        "groups": {"sex": asked["groups"]["sex"][turned]},
    }
    here, there = allocate(**asked, tolerance=1e-9), allocate(**moved, tolerance=1e-9)
    assert here.objective == pytest.approx(there.objective, rel=1e-6)


def test_more_of_anything_never_gains_less() -> None:
    asked = question(9, 150, 3)
    asked |= {"fairness": ()}
    values = [allocate(**(asked | {"budget": budget}), tolerance=1e-8) for budget in (0, 10, 20, 40, 80, 1e6)]
    gained = [plan.objective for plan in values]
    assert all(after >= before - 1e-6 for before, after in pairwise(gained))
    assert gained[-1] > gained[1] > 0.0


def test_the_price_is_what_another_unit_gains() -> None:
    rng = np.random.default_rng(2)
    gain, cost = rng.lognormal(1.0, 1.0, (4_000, 2)), rng.uniform(0.5, 2.0, (4_000, 2))
    plans = [allocate(gain, cost, budget=budget, tolerance=1e-7) for budget in (800.0, 810.0)]
    by_price = plans[0].prices["budget"] * 10.0
    assert plans[1].bound - plans[0].bound == pytest.approx(by_price, rel=0.02)
    places = [allocate(gain, cost, capacity=[500, limit], tolerance=1e-7) for limit in (300, 310)]
    by_price = places[0].prices["capacity of offer 1"] * 10.0
    assert places[1].bound - places[0].bound == pytest.approx(by_price, rel=0.02)


def test_a_lot_decides_among_equals_and_is_reproducible() -> None:
    names = pd.Index(range(1_000))
    gain = pd.DataFrame({"gift": np.ones(1_000)}, index=names)

    def drawn(seed: int, order: Any = slice(None)) -> set[Any]:
        plan = allocate(gain.iloc[order], {"gift": 1.0}, budget=300.0, random_state=seed)
        assert plan.n_treated == 300
        assert plan.n_tied == 1_000
        assert "a lot decided" in plan.sentences[-1]
        return set(plan.frame()["customer_id"])

    assert drawn(1) == drawn(1, slice(None, None, -1))
    assert drawn(1) != drawn(2)
    assert 50 < len(drawn(1) & set(range(300))) < 130  # and not the first rows


def test_a_large_base_of_equals_is_one_variable() -> None:
    gain = np.tile([[5.0, 4.0, 1.0]], (200_000, 1))
    plan = allocate(gain, [2.0, 1.0, 0.5], budget=150_000.0, capacity=[50_000, np.nan, np.nan])
    # 150,000 at 4 each for 1; a place of the first gains 1 more for 1 more, less than what 1 buys elsewhere.
    assert plan.objective == pytest.approx(600_000.0)
    assert plan.gap == 0.0


@pytest.mark.parametrize("n", [40_000])
def test_a_large_base_within_all_limits(n: int) -> None:
    asked = question(3, n, 5)
    asked |= {"fairness": parity("sex", ["f", "m"], ratio=0.95), "max_per_customer": 1}
    asked["gain"][::3] *= 0.5
    plan = allocate(**asked)
    assert is_within(asked, plan.taken)
    assert plan.gap < 1e-4
    assert plan.status == "optimal"


def test_fairness_moves_offers_and_tells_its_price() -> None:
    rng = np.random.default_rng(0)
    n = 600
    sex = np.where(np.arange(n) < 200, "f", "m")
    gain = rng.uniform(1.0, 3.0, (n, 1)) + 2.0 * (sex == "m")[:, np.newaxis]
    free = allocate(gain, [1.0], budget=200.0, groups={"sex": sex})
    held = allocate(gain, [1.0], budget=200.0, groups={"sex": sex}, fairness=parity("sex", ["f", "m"]))
    shares = [held.taken[sex == one].mean() for one in ("f", "m")]
    assert free.taken[sex == "f"].mean() < 0.2 * free.taken[sex == "m"].mean()
    assert shares[0] >= 0.8 * shares[1]
    assert held.objective < free.objective
    assert any("costs" in sentence for sentence in held.sentences)
    at_least = FairnessLimit("sex", "f", at_least=0.5, at_most=0.6)
    half = allocate(gain, [1.0], budget=200.0, groups={"sex": sex}, fairness=[at_least])
    assert half.taken[sex == "f"].sum() == 100


def test_who_is_kept_out_is_never_treated() -> None:
    gain = pd.DataFrame(np.ones((4, 2)), index=list("abcd"), columns=["x", "y"])
    plan = allocate(gain, [0.0, 0.0], eligible=np.array([True, False, True, False]))
    assert set(plan.frame()["customer_id"]) == {"a", "c"}
    by_offer = pd.DataFrame({"y": [True], "x": [False]}, index=["d"])
    assert allocate(gain, [0.0, 0.0], eligible=by_offer).frame().to_numpy().tolist() == [["d", "y"]]


def said(plan: Allocation) -> str:
    return " ".join(plan.sentences)


def test_nobody_is_treated_and_the_plan_says_why() -> None:
    gain = np.array([[3.0, 2.0], [1.0, -1.0]])
    assert "budget of 0.00" in said(allocate(gain, [1.0, 1.0], budget=0.0))
    assert "no place left" in said(allocate(gain, [1.0, 1.0], capacity=[0, 0]))
    assert "cost more than it brings" in said(allocate(-np.abs(gain), [1.0, 1.0]))
    assert "no customer to whom" in said(allocate(gain * np.nan, [1.0, 1.0]))
    assert "no customer to whom" in said(allocate(np.zeros((0, 2)), [1.0, 1.0]))
    none = allocate(gain, [1.0, 1.0], budget=0.0)
    assert none.chosen.tolist() == [-1, -1]
    assert none.gap == 0.0


def test_a_budget_of_nothing_still_pays_for_what_is_free() -> None:
    plan = allocate(np.array([[3.0, 2.0]]), [1.0, 0.0], budget=0.0)
    assert plan.chosen.tolist() == [1]


def test_limits_that_cannot_be_met_are_told_with_the_least_change() -> None:
    gain, sex = np.ones((10, 1)), np.array(["f"] * 4 + ["m"] * 6)
    limit = FairnessLimit("sex", "f", at_least=0.75)
    with pytest.raises(SettingsError, match=r"Raise the budget to at least 6\.00"):
        allocate(gain, [2.0], budget=5.0, groups={"sex": sex}, fairness=[limit])
    assert allocate(gain, [2.0], budget=6.0, groups={"sex": sex}, fairness=[limit]).objective == 3.0
    with pytest.raises(SettingsError, match=r"share of sex f at least 0\.75"):
        allocate(gain, [2.0], capacity=[2], groups={"sex": sex}, fairness=[limit])


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"cost": [-1.0, 0.0]}, DataError, "0 or more"),
        ({"cost": [1.0, np.nan]}, DataError, "0 or more"),
        ({"cost": {"offer 0": 1.0}}, DataError, "no"),
        ({"cost": [1.0, 2.0, 3.0]}, DataError, "one an offer"),
        ({"budget": -1.0}, SettingsError, "budget must be 0 or more"),
        ({"budget": np.nan}, SettingsError, "budget must be 0 or more"),
        ({"capacity": {"gift": 3}}, SettingsError, "the offers are offer 0"),
        ({"capacity": [1]}, SettingsError, "one capacity an offer"),
        ({"channel_capacity": {"mail": 3}}, SettingsError, "name the channel"),
        ({"channels": ["a", "b"], "channel_capacity": {"c": 3}}, SettingsError, "channel c"),
        ({"max_per_customer": 0}, SettingsError, "1 or more"),
        ({"eligible": [True]}, DataError, "eligible"),
        ({"fairness": [FairnessLimit("sex", "f", at_least=2.0)]}, SettingsError, "between 0 and 1"),
        ({"fairness": [FairnessLimit("sex", "f")]}, SettingsError, "limits nothing"),
        ({"fairness": [FairnessLimit("age", "f", at_least=0.1)]}, SettingsError, "groups handed in are: sex"),
        ({"fairness": [FairnessLimit("sex", "x", at_least=0.1)]}, SettingsError, "there are: f, m"),
        ({"gain": np.ones(3)}, DataError, "row a customer"),
        ({"gain": np.full((3, 2), np.inf)}, DataError, "infinite"),
        ({"gain": pd.DataFrame(np.ones((2, 2)), index=["a", "a"])}, DataError, "customer a"),
    ],
)
def test_bad_input_is_refused(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    asked: dict[str, Any] = {
        "gain": np.ones((3, 2)),
        "cost": [1.0, 1.0],
        "groups": {"sex": ["f", "m", None]},
    }
    with pytest.raises(error, match=re.escape(message)):
        allocate(**(asked | changed))
