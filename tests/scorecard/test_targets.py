"""Targets: what is judged, what is foretold, what is refused, and what cannot be told."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import SettingsError
from habitue.numerics.shares import wilson_interval
from habitue.scorecard.definitions import DEFINITIONS
from habitue.scorecard.target_series import last_month_by, range_of, series_of
from habitue.scorecard.targets import AT_RISK, ON_TRACK, Target, assess_targets, check_target

DUE = date(2025, 3, 31)


def rows(
    values: list[float], *, measure: str = "retention_rate", unit: str = "share", n: int = 400,
    by: str = "month", group: str = "", half: float | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Make the rows of a scorecard whose last month is December 2024."""
    ends = pd.date_range(end="2024-12-31", periods=len(values), freq="ME")
    value = np.array(values, dtype=float)
    if half is None:
        lower, upper = wilson_interval(value, np.full(len(value), float(n)))
    else:
        lower, upper = value - half, value + half
    return pd.DataFrame(
        {
            "measure": measure, "by": by, "group": group, "start": (ends - pd.offsets.MonthEnd()).date,
            "end": ends.date, "value": value, "lower": lower, "upper": upper, "n": n, "unit": unit,
            "pillar": "activity", "note": "",
        }
    )  # fmt: skip


STEADY = rows([0.62, 0.6, 0.61, 0.63, 0.6, 0.62, 0.61, 0.6, 0.62, 0.63, 0.61, 0.62])


def test_what_is_probable_has_a_name() -> None:
    levels = (0.5, 0.6, 0.615, 0.7, 0.8)
    told = assess_targets(STEADY, [Target("retention_rate", level, DUE) for level in levels])
    chances = [one.probability for one in told]
    assert chances == sorted(chances, reverse=True)
    assert told[0].status == "on track"
    assert told[2].status == "at risk"
    assert told[-1].status == "off track"
    for one in told:
        expected = (
            "on track"
            if one.probability >= ON_TRACK
            else "at risk"
            if one.probability >= AT_RISK
            else "off track"
        )
        assert one.status == expected
        assert one.expected_lower < one.expected < one.expected_upper
        assert (one.value, one.n_months, one.unit) == (0.62, 12, "share")


def test_down_is_better_for_what_is_lost() -> None:
    for measure in ("churn_rate", "revenue_churn", "resolution_hours", "ticket_escalated_share"):
        assert Target(measure, 0.1, DUE).wanted == "down"
    assert Target("nps", 10, DUE).wanted == "up"
    lost = STEADY.assign(
        measure="churn_rate", value=1.0 - STEADY.value, lower=1.0 - STEADY.upper, upper=1.0 - STEADY.lower
    )
    kept, gone, turned = (
        assess_targets(*one)[0]
        for one in (
            (STEADY, [Target("retention_rate", 0.6, DUE)]),
            (lost, [Target("churn_rate", 0.4, DUE)]),
            (lost, [Target("churn_rate", 0.4, DUE, "up")]),
        )
    )
    # Sixty in a hundred kept is forty in a hundred lost.
    assert kept.probability == pytest.approx(gone.probability, abs=1e-6)
    assert turned.probability == pytest.approx(1.0 - gone.probability, abs=1e-6)


@settings(max_examples=15)
@given(st.floats(0.01, 500.0), st.integers(0, 1000))
def test_another_currency_changes_no_probability(rate: float, seed: int) -> None:
    values = list(50.0 + np.cumsum(np.random.default_rng(seed).normal(0.0, 2.0, 9)))
    here = rows(values, measure="average_order_value", unit="money", half=3.0)
    there = here.assign(**{name: here[name] * rate for name in ("value", "lower", "upper")})
    one = assess_targets(here, [Target("average_order_value", 52.0, DUE)])[0]
    other = assess_targets(there, [Target("average_order_value", 52.0 * rate, DUE)])[0]
    assert other.probability == pytest.approx(one.probability, abs=1e-6)
    assert other.expected == pytest.approx(one.expected * rate)


def test_what_has_ended_is_judged_by_its_month() -> None:
    frame = rows([0.5, 0.7, 0.4])
    told = assess_targets(
        frame,
        [
            Target("retention_rate", 0.6, date(2024, 11, 30)),
            Target("retention_rate", 0.6, date(2024, 12, 30)),  # December has not ended by then
            Target("retention_rate", 0.6, date(2024, 12, 31)),
            Target("retention_rate", 0.6, date(2025, 1, 30)),  # nor January: December is judged
        ],
    )
    assert [one.status for one in told] == ["met", "met", "missed", "missed"]
    assert [one.probability for one in told] == [1.0, 1.0, 0.0, 0.0]
    assert told[0].note == "judged by 2024-11"
    assert (told[0].value, told[0].lower < 0.7 < told[0].upper) == (0.7, True)


def test_a_group_has_a_target_of_its_own() -> None:
    frame = pd.concat(
        [STEADY, *(rows([level] * 8, by="segment", group=name) for name, level in (("a", 0.3), ("b", 0.8)))]
    )
    told = assess_targets(
        frame,
        [Target("retention_rate", 0.6, DUE, None, "segment", name) for name in ("a", "b", "c")]
        + [Target("retention_rate", 0.6, DUE, None, "channel", "web")],
    )
    assert [one.status for one in told] == ["off track", "on track", "not measured", "not measured"]
    assert told[2].note == "there is no segment 'c'; there are a, b"
    assert told[3].note == "the scorecard does not tell it by channel"


def test_with_few_months_it_is_less_sure_and_says_so() -> None:
    short, long = (
        assess_targets(frame, [Target("retention_rate", 0.55, DUE)])[0] for frame in (STEADY.tail(2), STEADY)
    )
    assert 0.5 < short.probability < long.probability
    assert "fewer than 4 months" in short.note
    assert not long.note
    whole = STEADY.tail(1).assign(by="all", start=date(2023, 12, 31))
    once = assess_targets(whole, [Target("retention_rate", 0.55, DUE)])[0]
    assert once.note.startswith("measured once, of the whole period; fewer than 4")


def test_held_back_months_are_passed_over() -> None:
    gaps = STEADY.copy()
    gaps.loc[[3, 4, 11], ["value", "lower", "upper"]] = np.nan
    gaps.loc[[3, 4, 11], "note"] = "suppressed: 12 of 30 needed"
    told = assess_targets(gaps, [Target("retention_rate", 0.5, DUE)])[0]
    assert (told.n_months, told.status) == (9, "on track")
    ended = assess_targets(gaps, [Target("retention_rate", 0.5, date(2024, 4, 30))])[0]
    assert (ended.status, ended.note) == ("not measured", "2024-04 has no value")
    nothing = STEADY.assign(value=np.nan, lower=np.nan, upper=np.nan, note="suppressed: 12 of 30 needed")
    assert (
        assess_targets(nothing, [Target("retention_rate", 0.5, DUE)])[0].note == "suppressed: 12 of 30 needed"
    )


def test_partial_months_do_not_count() -> None:
    partial = pd.concat(
        [STEADY, STEADY.tail(1).assign(start=date(2024, 12, 31), end=date(2025, 1, 20), value=0.1)]
    )
    assert series_of(partial, "retention_rate", "all", "all").value.tolist() == STEADY.value.tolist()


@pytest.mark.parametrize(
    ("values", "unit", "measure", "level"),
    [
        ([1.0] * 8, "share", "retention_rate", 1.0),
        ([0.0] * 8, "share", "ticket_escalated_share", 0.0),
        ([0.0] * 8, "count", "reward_liability", 0.0),
    ],
)
def test_who_is_always_at_the_end_of_the_range_will_be_there(
    values: list[float], unit: str, measure: str, level: float
) -> None:
    frame = rows(values, unit=unit, measure=measure, half=None if unit == "share" else 0.0)
    told = assess_targets(frame, [Target(measure, level, DUE)])[0]
    assert told.probability > 0.5


def test_every_measure_has_a_range_that_its_unit_allows() -> None:
    for name, told in DEFINITIONS.items():
        ends = range_of(name, told.unit)
        inside = np.array([ends.low + 0.4, min(ends.low + 0.9, ends.high)])
        straight = ends.straight(inside, np.full(2, 1e6), 1e-3)
        assert straight[0] < straight[1]
        assert [ends.bent(one) for one in straight] == pytest.approx(inside.tolist(), abs=1e-3)
        check_target(Target(name, float(inside[0]), DUE))
    assert last_month_by(date(2024, 2, 29)) - last_month_by(date(2024, 2, 28)) == 1


def test_what_is_no_target_is_refused() -> None:
    for target, told in (
        (Target("retention_rat", 0.5, DUE), "did you mean 'retention_rate'"),
        (Target("happiness of all", 0.5, DUE), "there are nps"),
        (Target("retention_rate", 60, DUE), r"write 0.6 for 60 %"),
        (Target("nps", -140, DUE), "from -100 to 100"),
        (Target("average_order_value", -1, DUE), "at 0 or above"),
        (Target("csat_mean_1_7", 8, DUE), "from 1 to 7"),
        (Target("nps", float("nan"), DUE), "got nan"),
        (Target("retention_rate", 0.5, date(2023, 1, 1)), "before the first month measured"),
    ):
        with pytest.raises(SettingsError, match=told):
            assess_targets(STEADY, [target])


def test_a_source_that_stopped_is_not_judged_by_what_it_said_last() -> None:
    """Retention is measured up to December, contacts to October: November cannot be judged."""
    stopped = rows([0.7] * 12, measure="contacts_answered").iloc[:-2]
    frame = pd.concat([STEADY, stopped], ignore_index=True)
    november, march = (
        assess_targets(frame, [Target("contacts_answered", 0.6, day)])[0] for day in (date(2024, 11, 30), DUE)
    )
    assert (november.status, november.note) == (
        "not measured", "nothing was measured in 2024-11, last in 2024-10",
    )  # fmt: skip
    assert march.status == "on track"
    assert "measured last in 2024-10" in march.note
    assert assess_targets(frame, [Target("retention_rate", 0.5, date(2024, 11, 30))])[0].status == "met"


def test_what_the_records_do_not_tell_is_said() -> None:
    told = assess_targets(STEADY, [Target("nps", 30, DUE)])[0]
    assert (told.status, told.unit) == ("not measured", "points")
    assert np.isnan(told.probability)
    plain = told.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["probability"] is None
    assert plain["target"] == "nps ≥ 30 by 2025-03-31"


@pytest.mark.slow
def test_probabilities_of_measured_shares_hold() -> None:
    rng = np.random.default_rng(8)
    said, came = [], []
    for place in range(240):
        n, months, ahead = int(rng.integers(40, 800)), int(rng.integers(5, 20)), int(rng.integers(1, 7))
        drift = (0.0, 0.05, 0.15)[place % 3]
        odds = rng.normal(0.0, 1.0) + np.cumsum(rng.normal(0.0, drift, months + ahead))
        share = rng.binomial(n, 1.0 / (1.0 + np.exp(-odds))) / n
        level = float(np.clip(share[months - 1] + rng.normal(0.0, 0.07), 0.02, 0.98))
        due = (pd.Timestamp("2024-12-31") + pd.offsets.MonthEnd(ahead)).date()
        told = assess_targets(rows(list(share[:months]), n=n), [Target("retention_rate", level, due)])[0]
        said.append(told.probability)
        came.append(share[-1] >= level)
    chance, true = np.array(said), np.array(came, dtype=float)
    assert np.mean((chance - true) ** 2) < 0.18
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        inside = (chance >= low) & (chance < high)
        assert true[inside].mean() == pytest.approx(chance[inside].mean(), abs=0.12)
