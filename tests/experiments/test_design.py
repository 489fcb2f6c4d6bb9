"""Designs: published sizes, simulation of what was planned, sentences for what is impossible."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import DataError, SettingsError
from habitue.experiments import Baseline, design, read_out

HALVES = {"control": 0.5, "call": 0.5}
THREE = {"control": 0.4, "call": 0.3, "voucher": 0.3}


@settings(max_examples=30)
@given(st.floats(0.05, 0.9), st.floats(0.01, 0.09), st.sampled_from([0.8, 0.9]))
def test_n_gives_the_power_that_was_asked_for_and_effect_is_its_inverse(
    share: float, effect: float, power: float
) -> None:
    baseline = Baseline.of_share("retained", share)
    plan = design(baseline, arms=HALVES, effect=effect, power=power)
    assert power <= plan.power < power + 0.05
    back = design(baseline, arms=HALVES, n=plan.n, power=plan.power)
    assert back.effect == pytest.approx(effect, rel=1e-6)
    assert plan.n_sequential > plan.n


def test_more_arms_and_unequal_ones_cost_customers() -> None:
    baseline = Baseline("spend", 50.0, 120.0)
    sizes = {
        one: design(baseline, arms=THREE, effect=5.0, correction=one).n
        for one in ("none", "dunnett", "bonferroni")
    }
    assert sizes["none"] < sizes["dunnett"] < sizes["bonferroni"]
    unequal = {"control": 0.1, "call": 0.9}
    assert design(baseline, arms=unequal, effect=5.0).n > 2.5 * design(baseline, arms=HALVES, effect=5.0).n


def test_what_is_known_beforehand_saves_its_share_of_customers() -> None:
    known = design(Baseline("spend", 50.0, 120.0, explained=0.6), arms=HALVES, effect=5.0)
    assert known.n == pytest.approx(0.4 * known.n_unadjusted, rel=1e-3)
    homes = design(
        Baseline("spend", 50.0, 120.0), arms=HALVES, effect=5.0, cluster_size=3.0, cluster_correlation=0.5
    )
    assert homes.n == pytest.approx(2.0 * known.n_unadjusted, rel=1e-3)


def test_history_tells_skewed_spend_and_what_the_past_explains() -> None:
    draw = np.random.default_rng(0)
    rate = draw.gamma(0.5, 1.0, 20_000)
    last, now = (draw.poisson(rate) * 20.0 for _ in range(2))
    found = Baseline.of_history("spend", now, before=last[:, None])
    assert found.explained == pytest.approx(np.corrcoef(last, now)[0, 1] ** 2, abs=0.002)
    assert found.sd == pytest.approx(now.std(ddof=1))
    capped = Baseline.of_history("spend", now, cap=60.0)
    assert capped.sd < found.sd
    assert any("cut off at 60" in one for one in design(capped, arms=HALVES, n=1000).sentences)


@pytest.mark.slow
def test_a_planned_experiment_finds_its_effect_as_often_as_planned() -> None:
    draw = np.random.default_rng(1)
    pool = draw.gamma(0.5, 1.0, 50_000)
    before, after = draw.poisson(pool) * 20.0, draw.poisson(pool) * draw.gamma(2.0, 10.0, 50_000)
    baseline = Baseline.of_history("spend", after, before=before[:, None])
    plan = design(baseline, arms=HALVES, effect=3.0)
    found, reps = 0, 300
    for _ in range(reps):
        rows = draw.integers(0, 50_000, plan.n)
        arm = np.where(draw.uniform(size=plan.n) < 0.5, "call", "control")
        told = read_out(
            pd.DataFrame({"spend": after[rows] + 3.0 * (arm == "call")}), arm,
            baseline=pd.DataFrame({"before": before[rows]}), sequential=False,
        )  # fmt: skip
        found += told.effects["p_value"].iloc[0] < 0.05
    assert found / reps == pytest.approx(0.8, abs=0.07)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "Say which effect matters"),
        ({"effect": 0.0}, "effect of 0"),
        ({"effect": 0.6}, "stay between 0 and 1"),
        ({"effect": 0.01, "power": 1.0}, "power must lie"),
        ({"n": 10}, "take more customers"),
    ],
)
def test_the_impossible_is_told(asked: dict[str, float], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        design(Baseline.of_share("retained", 0.6), arms=HALVES, **asked)  # pyright: ignore[reportArgumentType]


def test_a_metric_that_does_not_vary_is_refused() -> None:
    with pytest.raises(DataError, match="must vary"):
        Baseline.of_history("spend", np.zeros(100))
