"""Readouts: error where nothing is, coverage where something is, and what must be told beside."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from habitue.errors import DataError, SettingsError
from habitue.experiments import Guardrail, read_out, simulate_aa

N = 1500


def spenders(draw: np.random.Generator, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Spend before and after: most spend nothing, few spend most."""
    rate = draw.gamma(0.6, 1.5, n)
    return draw.poisson(rate) * 20.0, draw.poisson(rate) * draw.lognormal(3.0, 0.7, n)


def one_row(told: pd.DataFrame) -> dict[str, float]:
    return told.iloc[0].to_dict()


@pytest.mark.parametrize("adjusted", [False, True])
def test_a_known_effect_on_skewed_spend_is_covered_as_often_as_promised(adjusted: bool) -> None:
    draw = np.random.default_rng(int(adjusted))
    held, anytime, kept, reps = 0, 0, [], 150
    for _ in range(reps):
        before, after = spenders(draw)
        arm = np.where(draw.uniform(size=N) < 0.4, "control", "voucher")
        given = pd.DataFrame({"before": before}) if adjusted else None
        spend = after + draw.exponential(6.0, N) * (arm == "voucher")
        row = one_row(read_out(pd.DataFrame({"spend": spend}), arm, baseline=given).effects)
        held += row["lower"] <= 6.0 <= row["upper"]
        anytime += row["sequential_lower"] <= 6.0 <= row["sequential_upper"]
        kept.append(row["variance_kept"])
    assert held / reps == pytest.approx(0.95, abs=0.045)
    assert anytime / reps > 0.98
    before, after = spenders(np.random.default_rng(9), 200_000)
    rho2 = np.corrcoef(before, after)[0, 1] ** 2
    assert np.mean(kept) == pytest.approx(1.0 - rho2 if adjusted else 1.0, abs=0.03)


def test_nothing_is_found_where_nothing_is_and_peeking_is_safe() -> None:
    _, after = spenders(np.random.default_rng(3), 1200)
    found = simulate_aa("spend", after, n_splits=150, n_looks=12, random_state=1)
    assert found.is_honest
    assert found.error == pytest.approx(0.05, abs=0.07)  # four standard errors
    assert found.p_uniform > 0.001
    assert found.sequential_error <= 0.05
    # Over seeds 0.16 with a standard deviation of 0.03; without peeking it is 0.05.
    assert found.peeking_error > 0.08


def test_shares_have_the_score_interval_and_the_ratio_its_own() -> None:
    kept = np.r_[np.repeat([1, 0], [80, 20]), np.repeat([1, 0], [120, 80])]
    arm = np.repeat(["call", "control"], [100, 200])
    row = one_row(read_out(pd.DataFrame({"retained": kept}), arm).effects)
    assert row["effect"] == pytest.approx(0.2)
    assert 0.0 < row["lower"] < 0.2 < row["upper"] < 0.32
    assert row["ratio"] == pytest.approx(0.8 / 0.6 - 1.0)
    nobody = one_row(read_out(pd.DataFrame({"retained": np.zeros(300)}), arm).effects)
    assert nobody["lower"] < 0.0 < nobody["upper"]


def test_unequal_chances_are_weighed() -> None:
    draw = np.random.default_rng(4)
    n = 40_000
    rich = draw.uniform(size=n) < 0.3
    chance = np.where(rich, 0.9, 0.3)
    treated = draw.uniform(size=n) < chance
    spend = 10.0 + 50.0 * rich + draw.normal(0.0, 5.0, n) + 2.0 * treated
    arm = np.where(treated, "voucher", "control")
    told = read_out(pd.DataFrame({"spend": spend}), arm, propensity=np.where(treated, chance, 1.0 - chance))
    row = one_row(told.effects)
    assert row["lower"] < 2.0 < row["upper"]
    assert told.is_sound
    naive = one_row(read_out(pd.DataFrame({"spend": spend}), arm).effects)
    assert naive["lower"] > 10.0


def test_compliers_effect_is_recovered() -> None:
    draw = np.random.default_rng(5)
    n = 20_000
    taker = draw.uniform(size=n) < 0.25
    arm = np.where(draw.uniform(size=n) < 0.5, "voucher", "control")
    took = taker & (arm == "voucher")
    spend = draw.gamma(1.0, 10.0, n) + 20.0 * taker + 8.0 * took
    told = read_out(pd.DataFrame({"spend": spend}), arm, complied=took)
    row = one_row(told.compliers)
    assert row["lower"] < 8.0 < row["upper"]
    assert row["uptake"] == pytest.approx(0.25, abs=0.02)
    assert row["n_complied"] == int(took.sum())


def test_guardrails_hold_break_or_stay_open() -> None:
    draw = np.random.default_rng(6)
    n = 4000
    arm = np.where(draw.uniform(size=n) < 0.5, "call", "control")
    left = draw.uniform(size=n) < 0.02 + 0.06 * (arm == "call")
    same = draw.uniform(size=n) < 0.05
    table = pd.DataFrame({"spend": draw.gamma(1.0, 10.0, n), "opted_out": left, "complained": same})
    guards = [Guardrail("opted_out", 0.01), Guardrail("complained", 0.03), Guardrail("spend", 0.01, "fall")]
    told = read_out(table, arm, guardrails=guards)
    verdicts = dict(zip(told.guardrails["metric"], told.guardrails["verdict"], strict=True))
    assert verdicts == {"opted_out": "broken", "complained": "holds", "spend": "open"}
    assert told.broken == ("opted_out, call",)
    assert told.effects["p_holm"].isna().all()  # all are guarded: there is nothing to decide


def test_decisions_on_many_metrics_are_corrected() -> None:
    draw = np.random.default_rng(7)
    table = pd.DataFrame(draw.normal(size=(400, 6))).add_prefix("m")
    arm = draw.choice(["control", "a", "b"], 400)
    told = read_out(table, arm).effects
    assert len(told) == 12
    assert (told["p_holm"] >= told["p_value"]).all()
    smallest = told["p_value"].min()
    assert told["p_holm"].min() == pytest.approx(min(1.0, 12 * smallest))


def test_lost_customers_missing_outcomes_and_late_ones_are_told() -> None:
    draw = np.random.default_rng(8)
    n = 3000
    arm = np.where(np.arange(n) < 1650, "call", "control")
    spend = draw.gamma(1.0, 10.0, n)
    spend[(arm == "call") & (draw.uniform(size=n) < 0.1)] = np.nan
    told = read_out(
        pd.DataFrame({"spend": spend}),
        arm,
        shares={"control": 0.5, "call": 0.5},
        matured=np.arange(n) % 10 > 0,
    )
    assert not told.is_sound
    assert (told.n, told.n_immature) == (2700, 300)
    assert any("not as large as was meant" in one for one in told.notes)
    assert any("missing more often" in one for one in told.notes)
    assert any("300 customers left out" in one for one in told.notes)


def test_outcomes_that_are_not_known_yet_change_nothing() -> None:
    draw = np.random.default_rng(9)
    arm = np.where(draw.uniform(size=800) < 0.5, "call", "control")
    known = draw.uniform(size=800) < 0.7
    table = pd.DataFrame({"spend": draw.gamma(1.0, 10.0, 800)})
    other = table.mask(~pd.DataFrame({"spend": known}), 1e6)
    assert read_out(table, arm, matured=known).effects.equals(read_out(other, arm, matured=known).effects)


def test_one_customer_who_decides_is_seen() -> None:
    draw = np.random.default_rng(10)
    arm = np.repeat(["control", "call"], 500)
    spend = draw.gamma(1.0, 10.0, 1000)
    spend[-1] = 50_000.0
    row = one_row(read_out(pd.DataFrame({"spend": spend}), arm).outliers)
    assert row["top_share"] > 0.8
    assert abs(row["effect_capped"]) < 5.0


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"arm": ["call"] * 40}, DataError, "told against an arm 'control'"),
        ({"arm": ["call"] * 39 + [None]}, DataError, "without an arm"),
        ({"propensity": [0.0] + [0.5] * 39}, DataError, "above 0"),
        ({"matured": [False] * 40}, DataError, "not known yet"),
        ({"guardrails": [Guardrail("mood", 0.1)]}, SettingsError, "no metric mood"),
        ({"confidence": 95}, SettingsError, "between 0.5 and 1"),
        ({"shares": {"control": 1.0}}, SettingsError, "shares must name"),
    ],
)
def test_bad_input_is_answered(change: dict[str, object], error: type[Exception], sentence: str) -> None:
    given = {"arm": ["call", "control"] * 20} | change
    with pytest.raises(error, match=sentence):
        read_out(pd.DataFrame({"spend": range(40)}), **given)  # pyright: ignore[reportArgumentType]


def test_a_customer_twice_is_refused() -> None:
    table = pd.DataFrame({"spend": [1.0, 2.0, 3.0, 4.0]}, index=[1, 1, 2, 3])
    with pytest.raises(DataError, match="has several"):
        read_out(table, ["call", "control"] * 2)
