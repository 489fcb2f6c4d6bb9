"""Facts are plain data, and right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import SchemaError, SettingsError
from habitue.report import DataCheck, Facts, build_facts
from habitue.report.charts import risk_distribution


def test_facts_are_json_all_the_way_down(facts: Facts) -> None:
    plain = facts.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["cutoff"] == "2026-06-30"
    assert plain["end"] == "2026-09-28"


def test_headline_is_what_plain_pandas_says(facts: Facts, simulated: dict[str, Any]) -> None:
    scores, head = simulated["scores"], facts.base.headline
    at_risk = scores[scores.churn_probability > 0.5]
    assert head.n_at_risk == len(at_risk)
    assert head.value_at_risk == pytest.approx(at_risk.clv.sum())
    assert head.expected_spend == pytest.approx(scores.clv.sum())
    top = scores.clv.nlargest(len(scores) // 10).sum() / scores.clv.sum()
    assert facts.base.concentration is not None
    assert facts.base.concentration.top_tenth_share == pytest.approx(top)
    expected = at_risk.nlargest(500, "clv").customer_id
    assert [row.customer_id for row in facts.base.customers] == list(expected)


def test_finding_says_the_numbers(facts: Facts) -> None:
    told = " ".join(facts.finding).replace("\N{NO-BREAK SPACE}", " ")
    head = facts.base.headline
    assert f"{head.n_at_risk:,} are more likely to leave than to stay" in told
    assert f"€{head.expected_spend:,.0f}" in told
    assert "clearly beats" in told


def test_curves_start_with_the_champion_and_are_thinned(facts: Facts, simulated: dict[str, Any]) -> None:
    curves = facts.curves
    for group in (curves.calibration, curves.gains, curves.deciles):
        assert [curve.is_champion for curve in group] == [True] + [False] * (len(group) - 1)
    assert len(curves.gains[0].share_contacted) == 101
    raw = simulated["curves"]["gains"].query("model == 'BG/NBD + gamma-gamma'")
    assert curves.gains[0].captured_at_20 == pytest.approx(
        np.interp(0.2, raw.share_contacted, raw.share_captured)
    )
    deciles = simulated["curves"]["deciles"].query("model == 'BG/NBD + gamma-gamma'")
    ratio = (deciles.n * deciles.mean_prediction).sum() / (deciles.n * deciles.mean_actual).sum()
    assert curves.deciles[0].bias == pytest.approx(ratio - 1.0)


def test_currency_scales_nothing_but_money(simulated: dict[str, Any], facts: Facts) -> None:
    scores = simulated["scores"].assign(clv=simulated["scores"].clv * 7.0)
    other = build_facts(**simulated | {"scores": scores})
    assert other.base.headline.value_at_risk == pytest.approx(
        7.0 * (facts.base.headline.value_at_risk or 0.0)
    )
    assert other.base.headline.value_at_risk_share == pytest.approx(facts.base.headline.value_at_risk_share)
    assert other.base.risk == tuple(
        replace(b, spend=s.spend) for b, s in zip(facts.base.risk, other.base.risk, strict=True)
    )


def test_nan_columns_count_as_absent(simulated: dict[str, Any]) -> None:
    scores = simulated["scores"].head(100).assign(clv=np.nan, p_alive=np.nan)
    read = build_facts(**simulated | {"scores": scores}).base
    assert read.headline.expected_spend is None
    assert read.headline.value_at_risk is None
    assert read.value == ()
    assert read.concentration is None


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"horizon": 0}, SettingsError, "horizon must be at least 1"),
        ({"n_customers_shown": -1}, SettingsError, "n_customers_shown"),
        ({"interval_level": 95.0}, SettingsError, "interval_level"),
        ({"tables": {"churm": pd.DataFrame()}}, SchemaError, "churm.*churn, value"),
        ({"curves": {"roc": pd.DataFrame()}}, SchemaError, "roc.*reliability, gains, deciles"),
        ({"curves": {"gains": pd.DataFrame({"model": ["a"]})}}, SchemaError, "lacks share_contacted"),
    ],
)
def test_what_cannot_be_is_refused(
    simulated: dict[str, Any], change: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        build_facts(**simulated | change)


def test_quarantine_is_told(facts: Facts) -> None:
    check: DataCheck = facts.data_check
    assert check.n_quarantined == sum(check.quarantined.values())
    assert [one.kind for one in check.others] == ["contracts", "tickets"]
    assert all(one.n_quarantined == sum(one.quarantined.values()) for one in check.others)


def test_charts_are_the_same_each_time_and_leave_no_trace(facts: Facts) -> None:
    first, again = (risk_distribution(facts.base.risk) for _ in range(2))
    assert first == again
    assert "<style" not in first
    assert "<metadata" not in first
    assert "#0" not in first.replace('"#risk', "")
