"""A round as a whole: sums with honest intervals, promises of as many, nothing against itself."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.report.audit_facts import SMALL_COHORTS, Bands
from habitue.report.in_short import round_in_words
from habitue.report.loop_charts import bands
from habitue.report.loop_facts import read_loop
from habitue.report.missing import missing
from habitue.report.plan_facts import read_plan
from habitue.report.proof_facts import Effect, Experiment
from habitue.report.round_facts import together

Files = Callable[..., dict[str, Any]]
SIZE = st.integers(20, 5_000)


def effect(arm: str, value: float, se: float, n: int, n_control: int, metric: str = "spend") -> Effect:
    ends = (value - 1.96 * se, value + 1.96 * se)
    unit = "share" if metric == "retained" else "money"
    return Effect(metric, metric, unit, arm, n, n_control, 0.0, value, se, *ends, None, None, None, False)


def experiment(name: str, *effects: Effect, is_sound: bool = True) -> Experiment:
    return Experiment(name, None, None, 42, 100, 0, 0.95, is_sound, effects, (), (), ())


def decision(name: str, n: int, gain: float, cost: float) -> dict[str, Any]:
    told = {"offer": "call", "n": n, "gain": gain, "cost": cost}
    return {
        "round": {"name": name},
        "horizon": 42,
        "settings": {"margin": 0.4},
        "contacted": {"by_offer": [told]},
    }


@given(st.lists(SIZE, min_size=1, max_size=4), SIZE, st.floats(0.1, 100.0))
def test_interval_of_arms_with_one_control_is_that_of_the_sum(sizes: list[int], m: int, sd: float) -> None:
    arms = [effect(str(at), 1.0, sd * (1 / n + 1 / m) ** 0.5, n, m) for at, n in enumerate(sizes)]
    found = together([experiment("a", *arms)])
    assert found is not None
    assert found.total == pytest.approx(sum(sizes))
    # Sums of everybody in the arms, less so many times the mean of the control.
    variance = sd**2 * (sum(sizes) + sum(sizes) ** 2 / m)
    assert (found.upper - found.lower) / 2.0 == pytest.approx(1.959964 * variance**0.5, rel=1e-6)


@given(st.lists(st.tuples(SIZE, SIZE), min_size=2, max_size=4), st.floats(0.1, 100.0))
def test_experiments_of_their_own_controls_add_their_variances(
    sizes: list[tuple[int, int]], se: float
) -> None:
    every = [experiment(f"a: {at}", effect(str(at), 2.0, se, n, m)) for at, (n, m) in enumerate(sizes)]
    found = together(every)
    assert found is not None
    assert found.n == sum(n for n, _ in sizes)
    half = 1.959964 * se * sum(n * n for n, _ in sizes) ** 0.5
    assert found.upper - found.total == pytest.approx(half, rel=1e-6)


def test_only_the_newest_round_counts_and_only_what_is_sound() -> None:
    call, box = effect("call", 5.0, 1.0, 100, 50), effect("box", -3.0, 1.0, 10, 5)
    every = [
        experiment("may: call", call),
        experiment("may: box", box),
        experiment("may: gift", replace(box, arm="gift"), is_sound=False),
        experiment("april: call", effect("call", 900.0, 1.0, 100, 50)),
    ]
    found = together(every)
    assert found is not None
    assert (found.total, found.n, found.unsound) == (470.0, 110, ("may: gift",))
    said = round_in_words(found, "€").replace("\xa0", " ")
    assert "What the round may did: +€470 of spend from 110 customers contacted" in said
    assert "Best was call (+€5.00 per customer, not beyond chance), worst box (−€3.00" in said
    assert "Left out, as the arms are not as large as was meant: may: gift." in said
    assert together([replace(one, is_sound=False) for one in every[:3]]) is None
    assert together([]) is None


def test_a_promise_is_that_of_as_many_before_costs() -> None:
    trial = experiment("may: call", effect("call", 5.0, 1.0, 50, 50))
    rounds = [decision("april", 100, 9.0, 9.0), decision("may", 100, 300.0, 100.0)]
    found = together([trial], rounds)
    assert found is not None
    assert (found.margin, found.promised) == (pytest.approx(100.0), pytest.approx(200.0))
    for other in ({"horizon": 90}, {"contacted": {"by_offer": []}}, {"round": {"name": "june"}}):
        alone = together([trial], [decision("may", 100, 300.0, 100.0) | other])
        assert alone is not None
        assert (alone.margin, alone.promised) == (None, None)
    stayed = together([experiment("may: call", effect("call", 0.1, 0.01, 50, 50, "retained"))], rounds)
    assert stayed is not None
    assert "+5 of customers who stayed" in round_in_words(stayed, "€")


def test_what_was_learned_is_said_and_not_what_is_assumed(loop_files: Files) -> None:
    told = copy.deepcopy(loop_files()["decision"])
    told["learned"] = ["care call"]
    told["experiments"] = [{"offer": "care call", "decision": "leave the offer"}]
    plan = read_plan(told)
    assert not any("leave the offer" in one for one in plan.experiments)
    assert plan.assumed[0].is_learned
    told["learned"] = []
    assert read_plan(told).experiments == ("care call: leave the offer",)


def test_older_decisions_tell_what_a_lot_leaves(loop_files: Files) -> None:
    told = copy.deepcopy(loop_files()["decision"])
    del told["contacted"]
    plan = read_plan(told)
    assert plan.gain == pytest.approx(1234.0 * 0.9)
    assert (plan.cost, plan.gain_lower) == (pytest.approx(456.0 * 0.9), None)
    told["settings"]["budget"], told["policies"][0]["cost"] = 10.0, 11.0
    assert read_plan(told).policies[0].is_beyond
    told["policies"][0]["within_limits"] = True
    assert not read_plan(told).policies[0].is_beyond


def test_what_is_missing_is_said_once(loop_files: Files) -> None:
    assert missing(read_loop(**loop_files()), has_value=True) == ()
    commands = [one.command for one in missing(read_loop(cutoff=loop_files()["cutoff"]), has_value=False)]
    assert len(commands) == len(set(commands)) == 5


def test_small_cohorts_have_a_colour_of_their_own() -> None:
    names = (*map(str, range(6)), SMALL_COHORTS)
    drawn = bands(Bands(("a", "b"), names, tuple((1.0, 1.0) for _ in names)), currency="€")
    fills = set(re.findall(r"fill: var\((--[\w-]+)\)", drawn)) - {"--ink", "--sans"}
    assert len(fills) == 7
    assert "--rival-3" not in fills
