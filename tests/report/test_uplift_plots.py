"""Pictures of effects say what their intervals allow, draw what the frames hold, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from habitue.evaluation.effect_calibration import effect_calibration
from habitue.evaluation.policies import by_effect, rival_policies
from habitue.evaluation.policy_value import compare_policies, value_by_budget
from habitue.evaluation.uplift_curves import uplift_curve
from habitue.report import uplift_plots


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    with mpl.rc_context({"backend": "Agg"}):
        plt.switch_backend("Agg")
        yield
        plt.close("all")


@pytest.fixture(scope="module")
def shop() -> tuple[np.ndarray, np.ndarray, np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(0)
    x, treated = rng.uniform(size=6000), rng.integers(0, 2, 6000)
    y = treated * (2.0 * x - 0.6) + rng.normal(size=6000)
    arm = np.array(["control", "mail"])[treated]
    return y, arm, np.full(6000, 0.5), pd.DataFrame({"mail": 2.0 * x - 0.6})


def test_a_ranking_that_works_and_one_that_does_not(shop: tuple) -> None:
    y, arm, chance, effects = shop
    facts = uplift_curve(y, arm, chance, effects, n_points=10, n_replicates=60)
    axes = uplift_plots.gain_curve(facts, unit="EUR")
    assert axes.get_title(loc="left").startswith("The first ")
    assert "times as much each as all do" in axes.get_title(loc="left")
    assert axes.get_ylabel().endswith("EUR")
    line = axes.lines[0].get_xydata()
    np.testing.assert_allclose(line[1:], np.column_stack([100.0 * facts["share"], facts["gain"]]))
    assert line[0].tolist() == [0.0, 0.0]
    noise = np.random.default_rng(1).normal(size=6000)
    nothing = uplift_curve(y, arm, chance, noise, n_points=10, n_replicates=60)
    assert uplift_plots.gain_curve(nothing).get_title(loc="left") == "Not told apart from a random order"


def test_the_best_share_is_named_where_something_is_earned(shop: tuple) -> None:
    facts = value_by_budget(*shop, costs={"mail": 0.4}, shares=[0.25, 0.5, 1.0])
    assert (
        uplift_plots.budget_curve(facts).get_title(loc="left") == "Most is earned where 50\xa0% are treated"
    )
    dear = value_by_budget(*shop, costs={"mail": 9.0}, shares=[0.25, 0.5, 1.0])
    assert uplift_plots.budget_curve(dear).get_title(loc="left").startswith("No share is told apart")
    free = value_by_budget(*shop[:3], shop[3] + 9.0, shares=[0.5, 1.0])
    free[["gain", "lower", "upper"]] = [[0.1, 0.05, 0.2], [0.4, 0.3, 0.5]]
    assert uplift_plots.budget_curve(free).get_title(loc="left") == "Most is earned where all are treated"


def test_rivals_are_told_by_what_the_intervals_say(shop: tuple) -> None:
    y, arm, chance, effects = shop
    policy = by_effect(effects, costs={"mail": 0.4})
    policies = {"by effect": policy, **rival_policies(policy), "the same": policy}
    facts = compare_policies(y, arm, chance, policies, costs={"mail": 0.4})
    axes = uplift_plots.policy_advantages(facts)
    title = axes.get_title(loc="left")
    assert title == "by effect: ahead of 3 of 4, not told apart from the same"
    assert [one.get_text() for one in axes.get_yticklabels()][-1] == "random, same budget"
    every = uplift_plots.policy_advantages(facts.iloc[:-1])
    assert every.get_title(loc="left") == "by effect: ahead of all 3"
    behind = facts.iloc[[2, 0]].assign(advantage_lower=-2.0, advantage_upper=-1.0)
    assert uplift_plots.policy_advantages(behind).get_title(loc="left") == "nobody: behind by effect"


def test_effects_that_mean_what_they_say_and_effects_that_do_not(shop: tuple) -> None:
    y, arm, chance, effects = shop
    right = effect_calibration(y, arm, chance, effects, confidence=0.999)
    axes = uplift_plots.predicted_effects(right, unit="EUR")
    assert axes.get_title(loc="left") == "In no group is the effect off by more than chance"
    wrong = effect_calibration(y, arm, chance, effects + 5.0)
    assert uplift_plots.predicted_effects(wrong).get_title(loc="left").endswith("in 5 of 5 groups")


def test_they_draw_where_they_are_told_and_change_nothing(shop: tuple) -> None:
    before, (_, ax) = dict(mpl.rcParams), plt.subplots()
    facts = uplift_curve(*shop, n_points=5, n_replicates=10)
    assert uplift_plots.gain_curve(facts, ax=ax) is ax
    assert dict(mpl.rcParams) == before
    assert len(plt.get_fignums()) == 1
