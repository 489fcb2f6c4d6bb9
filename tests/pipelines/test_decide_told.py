"""What `decision.json` tells of single offers: curves that agree with the plan, and what was assumed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from habitue.decisions import Amount, Offer, Share, draw_assumptions, expected_gains, value_at_stake
from habitue.decisions.assumptions import Assumptions
from habitue.decisions.gains import Gains
from habitue.decisions.measured_effects import measured_effects
from habitue.decisions.plans import plan_profits
from habitue.decisions.profit_curves import best_shares, profit_curve
from habitue.decisions.value_at_stake import Stakes
from habitue.pipelines.deciding.assumed import assumed_of
from habitue.pipelines.deciding.curves import curves_of
from habitue.pipelines.deciding.telling import plain

N = 600
CALL = Offer("call", cost=3.0, acceptance=Share(0.4, worth=50), saves=Share(0.3, worth=20))
BOX = Offer("box", cost=1.0, uplift=Amount(2.0, 1.0))


def base() -> Stakes:
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(
        {
            "churn_probability": rng.beta(2.0, 2.0, N),
            "p_alive": rng.beta(8.0, 2.0, N),
            "clv": rng.gamma(2.0, 60.0, N),
        },
        index=[f"c{number}" for number in range(N)],
    )
    return value_at_stake(scores, margin=0.5)


def eligible(stakes: Stakes, share: float) -> pd.DataFrame:
    drawn = np.random.default_rng(1).random((N, 2)) < share
    return pd.DataFrame(drawn, index=stakes.customers, columns=["call", "box"])


def told(
    stakes: Stakes, assumptions: Assumptions, may: pd.DataFrame, **more: Any
) -> tuple[Gains, dict[str, Any]]:
    gains = expected_gains(stakes, assumptions, eligible=may, interval=0.9, **more)
    known = measured_effects(
        more.get("effects"), more.get("effect_errors"), stakes=stakes, names=["call", "box"]
    )
    curves = curves_of(stakes, assumptions, gains, measured=known)
    assert json.loads(json.dumps(plain(curves), allow_nan=False)) == curves
    return gains, {one["offer"]: one for one in curves}


@pytest.mark.parametrize("share", [0.01, 0.4, 1.0])
def test_curves_are_those_of_the_library(share: float) -> None:
    stakes, assumptions = base(), draw_assumptions([CALL, BOX])
    may = eligible(stakes, share)
    best = {one.offer: one for one in best_shares(stakes, assumptions, eligible=may)}
    for name, curve in told(stakes, assumptions, may)[1].items():
        how: dict[str, Any] = {"eligible": may[name], "n_points": 21, "interval": 0.9}
        whole = profit_curve(stakes, assumptions, name, **how).drop_duplicates("n")
        risky = profit_curve(stakes, assumptions, name, by=stakes.p_leave, **how).drop_duplicates("n")
        top, found = best[name], pd.DataFrame(curve["points"])
        assert top.n in set(found["n"])
        found = found.loc[found["n"].isin(whole["n"])]
        for column in ("share", "n", "profit", "lower", "upper"):
            np.testing.assert_allclose(found[column], whole[column], rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(found["by_churn_risk"], risky["profit"], rtol=1e-9, atol=1e-6)
        assert (curve["best"]["n"], curve["best"]["share"]) == (top.n, pytest.approx(top.share))
        assert curve["best"]["profit"] == pytest.approx(top.profit)


def test_effects_that_were_learned_count_as_in_the_plan() -> None:
    stakes, assumptions, rng = base(), draw_assumptions([CALL, BOX]), np.random.default_rng(2)
    may = eligible(stakes, 0.7)
    effects = pd.DataFrame({"box": rng.normal(1.0, 2.0, N)}, index=stakes.customers)
    effects.iloc[:40] = np.nan
    errors = effects * 0.0 + 0.5
    gains, curves = told(stakes, assumptions, may, effects=effects, effect_errors=errors)
    gain = gains.expected["box"].dropna().sort_values(ascending=False)
    curve = curves["box"]
    for point in curve["points"]:
        assert point["profit"] == pytest.approx(gain.head(point["n"]).sum(), abs=1e-6)
        assert point["profit"] >= point["by_churn_risk"] - 1e-6
        assert point["lower"] <= point["profit"] <= point["upper"]
    assert curve["best"]["profit"] == pytest.approx(gain.clip(lower=0.0).sum())
    everybody = np.where(may["box"], 1, -1)
    known = measured_effects(effects, errors, stakes=stakes, names=["call", "box"])
    drawn = plan_profits(stakes, assumptions, everybody, measured=known)
    last = curve["points"][-1]
    assert last["profit"] == pytest.approx(drawn.mean())
    assert last["upper"] - last["lower"] == pytest.approx(np.ptp(np.quantile(drawn, [0.05, 0.95])), rel=0.15)


def test_an_offer_that_nobody_may_have_has_no_curve() -> None:
    stakes = base()
    may = eligible(stakes, 1.0).assign(box=False)
    assert list(told(stakes, draw_assumptions([CALL, BOX]), may)[1]) == ["call"]


def test_what_was_assumed_stands_beside_what_is_believed() -> None:
    stated = (Offer("tea", acceptance=Share.beta(6, 14), saves=Share.beta(5, 5)), BOX, CALL)
    # What 80 customers did, and what a trial of two rounds found of the box.
    learned = (stated[0].updated_acceptance(12, 80), BOX.updated(0.0, 1.0), CALL)
    trials = {"tea": {"rounds": 1}, "box": {"rounds": 2}}
    rows = assumed_of(stated, draw_assumptions(learned, n_draws=4_000), trials, interval=0.8)
    found = {(row["offer"], row["what"]): row for row in rows}
    assert list(found) == [
        ("tea", "acceptance"), ("tea", "saves"), ("box", "acceptance"), ("box", "uplift"),
        ("call", "acceptance"), ("call", "saves"),
    ]  # fmt: skip
    worlds: dict[tuple[str, str], tuple[Any, Any]] = {
        ("tea", "acceptance"): (stats.beta(6, 14), stats.beta(18, 82)),
        ("tea", "saves"): (stats.beta(5, 5), stats.beta(5, 5)),
        ("box", "uplift"): (stats.norm(2.0, 1.0), stats.norm(1.0, 0.5**0.5)),
    }
    for key, (before, after) in worlds.items():
        for name, world in (("stated", before), ("learned", after)):
            ends = [found[key][name], found[key][f"{name}_lower"], found[key][f"{name}_upper"]]
            expected = [world.mean(), *world.ppf([0.1, 0.9])]
            np.testing.assert_allclose(ends, expected, rtol=0.02, atol=0.01)
    for key in (("call", "saves"), ("box", "acceptance")):
        assert (found[key]["learned"], found[key]["rounds"], found[key]["said"]) == (None, 0, "")
    assert found["tea", "acceptance"]["said"] == (
        "tea: assumed 30 % accept, after 1 round 18 % (13.2 to 23 %)."
    )
    assert found["box", "uplift"]["said"].startswith(
        "box: assumed to add 2.00 of margin, after 2 rounds 1.00"
    )
    assert assumed_of((), draw_assumptions(learned), trials, interval=0.8) == []
