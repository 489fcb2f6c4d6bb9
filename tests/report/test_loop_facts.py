"""Files of other commands become facts: changes only beyond chance, bounded tables, no day mixed."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.errors import DataError
from habitue.numerics.shares import wilson_interval
from habitue.report import build_facts
from habitue.report.facts import DataCheck
from habitue.report.in_short import in_short
from habitue.report.loop_facts import Loop, read_loop
from habitue.report.reason_pillars import pillar_behind
from habitue.report.reasons import count_reasons
from habitue.report.scorecard_facts import Point, change_of
from habitue.report.scores import read_scores
from habitue.report.words_of_measures import cleaned, difference, quantity
from habitue.vocabulary import VOCABULARY

Files = Callable[..., dict[str, Any]]
HALF = st.floats(0.01, 50.0)
VALUE = st.floats(-100.0, 100.0)


def month(group: str, value: float | None, lower: float | None, upper: float | None, note: str = "") -> Point:
    return Point(group, value, lower, upper, 100, note, not note.startswith("partial month"))


@given(VALUE, HALF, VALUE, HALF)
def test_change_of_even_intervals_is_that_of_independent_errors(
    a: float, p: float, b: float, q: float
) -> None:
    found = change_of([month("1", a, a - p, a + p), month("2", b, b - q, b + q)])
    assert found is not None
    assert found.lower is not None
    assert found.upper is not None
    assert found.difference == b - a
    assert (found.upper - found.lower) / 2.0 == pytest.approx((p * p + q * q) ** 0.5)
    assert found.is_change is (abs(b - a) > (p * p + q * q) ** 0.5 or found.lower > 0 or found.upper < 0)


def test_what_stands_still_is_seldom_called_changed_and_what_halves_often() -> None:
    rng = np.random.default_rng(0)

    def called(p: float, q: float) -> float:
        n, found = 400.0, 0
        for before, after in zip(rng.binomial(400, p, 1000) / n, rng.binomial(400, q, 1000) / n, strict=True):
            ends = [wilson_interval(np.array([x]), np.array([n]), confidence=0.95) for x in (before, after)]
            points = [
                month(str(i), x, float(e[0][0]), float(e[1][0]))
                for i, (x, e) in enumerate(zip((before, after), ends, strict=True))
            ]
            found += bool((change := change_of(points)) and change.is_change)
        return found / 1000.0

    assert 0.03 < called(0.2, 0.2) < 0.07
    assert 0.03 < called(0.02, 0.02) < 0.07
    assert called(0.2, 0.1) > 0.95


def test_partial_and_empty_months_are_not_compared() -> None:
    whole = [month("1", 1.0, 0.0, 2.0), month("2", 9.0, 8.0, 10.0)]
    late = [*whole, month("3", 50.0, 49.0, 51.0, "partial month: 2 days")]
    assert change_of(late) == change_of(whole)
    assert change_of([*whole, month("3", None, None, None, "too few")]) is None
    assert change_of(whole[:1]) is None
    counts = change_of([month("1", 10.0, None, None), month("2", 12.0, None, None)])
    assert counts is not None
    assert (counts.difference, counts.is_change) == (2.0, None)


def test_everything_there_is_told(loop_files: Files) -> None:
    loop = read_loop(**loop_files())
    assert None not in (loop.scorecard, loop.audit, loop.drivers, loop.themes, loop.plan, loop.proof)
    assert loop.checks
    assert loop.topics
    assert loop.on_staying[0].is_effect
    said = " ".join(in_short(loop, "€")).replace("\xa0", " ")
    for words in (
        "In June 2026 against the month before: Net Promoter Score +12.0 to 33.0.",
        "Of 2 targets 1 is not on track: Net Promoter Score (at risk).",
        "contact 270 customers for €410, expected to gain €1,110 of margin",
        "(80 % interval €100 to €2,000)",
        "30 more (10 % of those planned) are left alone by lot",
        "What the round june did: +€1,200 of margin from 300 customers contacted",
        "(95 % interval €600 to €1,800).",
    ):
        assert words in said


def test_nothing_there_is_nothing_told() -> None:
    assert read_loop(cutoff=date(2026, 6, 30)) == Loop()
    assert in_short(Loop(), "€") == []


def test_more_of_a_limit_is_told_in_steps_that_people_take(loop_files: Files) -> None:
    plan = read_loop(**loop_files()).plan
    assert plan is not None
    assert plan.worth_more == (
        "Another 100 of budget would earn about 150 net of itself.",
        "Ten places more within the channel phone would earn about 20.",
    )
    assert plan.sentences == ("Sixteen were cut.",)


def test_days_are_never_mixed_in_silence(loop_files: Files) -> None:
    files = loop_files()
    same = read_loop(**files)
    assert same.scorecard is not None
    assert same.plan is not None
    assert same.scorecard.warning == same.plan.warning == ""
    later = read_loop(**files | {"cutoff": date(2026, 7, 31)})
    assert later.scorecard is not None
    assert later.plan is not None
    for warning in (later.scorecard.warning, later.plan.warning):
        assert "30 June 2026" in warning
        assert "31 July 2026" in warning
    others = read_loop(**files | {"scores_sha256": "b" * 64})
    assert others.plan is not None
    assert "other scores" in others.plan.warning


NEEDED = {
    "scorecard": (["rows", "definitions", "start", "end", "confidence"], "habitue scorecard"),
    "decision": (
        ["round", "policies", "customers", "limits", "by_offer", "settings", "spent"],
        "habitue decide",
    ),
    "readout": (["experiments"], "habitue measure readout"),
    "checks": (["checks"], "habitue measure simulate"),
}


@pytest.mark.parametrize(("what", "key"), [(what, key) for what, (keys, _) in NEEDED.items() for key in keys])
def test_file_of_another_version_says_what_makes_it_again(loop_files: Files, what: str, key: str) -> None:
    for change in ("gone", "text"):
        files = copy.deepcopy(loop_files())
        if change == "gone":
            del files[what][key]
        elif key == "definitions":
            continue  # a measure may have none
        else:
            files[what][key] = {"nonsense": 1}
        with pytest.raises(DataError, match=NEEDED[what][1]):
            read_loop(**files)


def test_tables_do_not_grow_with_the_data(loop_files: Files) -> None:
    files = copy.deepcopy(loop_files())
    card, one = files["scorecard"], files["scorecard"]["rows"][0]
    card["rows"] += [{**one, "by": "city", "group": f"city {n}", "n": n} for n in range(5_000)]
    card["targets"] *= 500
    card["movers"]["themes"]["rows"] *= 100
    files["readout"]["experiments"] *= 100
    files["actions"] *= 10
    loop = read_loop(**files)
    assert loop.scorecard is not None
    city = next(cut for cut in loop.scorecard.cuts if cut.by == "city")
    assert len(city.groups) == 12
    assert city.n_left_out == 4_988
    assert "city 4999" in city.groups
    assert loop.themes is not None
    assert loop.plan is not None
    assert loop.proof is not None
    assert (len(loop.themes.themes), len(loop.plan.actions), len(loop.proof.experiments)) == (12, 200, 12)
    assert loop.proof.n_left_out == 88
    assert len(loop.scorecard.targets) == 50


def test_bands_of_cohorts_lose_no_money(loop_files: Files) -> None:
    files = loop_files()
    audit = read_loop(**files).audit
    assert audit is not None
    assert audit.bands is not None
    assert audit.bands.bands == ("2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4", "small cohorts")
    rows = files["scorecard"]["audit"]["whole_base"]["rows"]
    told = {
        period: sum(band[at] for band in audit.bands.amounts) for at, period in enumerate(audit.bands.periods)
    }
    for period, total in told.items():
        assert total == pytest.approx(sum(row[2] for row in rows if row[0].startswith(period)))


def test_every_phrase_of_the_vocabulary_finds_its_pillar() -> None:
    shared: dict[str, set[str]] = {}
    phrases = [
        (re.sub(r"\s+", " ", phrase), term.pillar.value)
        for term in VOCABULARY.values()
        if term.pillar is not None
        for phrase in (term.phrase, term.missing, term.zero, term.negative)
        if phrase
    ]
    for phrase, pillar in phrases:
        shared.setdefault(phrase, set()).add(pillar)
    for phrase, pillars in shared.items():
        for value in ("94", "1,234.5", "1 day", "31 days", "12%", "0.50"):
            for way in ("raises", "lowers"):
                found = pillar_behind(f"{phrase.replace('{value}', value)} ({way} it)")
                assert found, (phrase, value)
                if len(pillars) == 1 and value == "94":
                    assert found in {p for q, p in phrases if _alike(q) == _alike(phrase)}


def _alike(phrase: str) -> str:
    return re.sub(r"\d+|\{value\}| days?\b|%|(?:ies|y|s)\b", "", phrase)


def test_pillars_count_each_customer_once() -> None:
    activity, habit = "last bought 94 days ago (raises it)", "longest gap so far 30 days (raises it)"
    frame = pd.DataFrame(
        {
            "customer_id": list("abcd"),
            "churn_probability": 0.9,
            "reason_1": [activity, activity, habit, "odd"],
            "reason_2": ["last bought 2 days ago (raises it)", habit, "odd", None],
        }
    )
    told = {one.pillar: (one.n_main, one.n_any) for one in count_reasons(read_scores(frame)).pillars}
    assert told == {"Activity": (2, 2), "Habit": (1, 2), "Other": (1, 2)}


def test_numbers_are_said_in_their_units() -> None:
    said = [
        quantity(0.256, "share", "€"),
        quantity(-3.25, "points", "€"),
        quantity(1.0, "days", "€"),
        difference(-0.031, "share", "€"),
        difference(0.0, "points", "€"),
        difference(None, "money", "€"),
    ]
    assert [one.replace("\xa0", " ") for one in said] == [
        "25.6 %",
        "−3.2",
        "1 day",
        "−3.1 points",
        "0.0",
        "–",
    ]


@given(st.text())
def test_no_sign_that_steers_is_left(text: str) -> None:
    found = cleaned(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", found)
    assert len(found) == len(text)


def test_facts_of_all_are_plain_data(loop_facts: Any) -> None:
    import json

    told = json.loads(json.dumps(loop_facts.to_dict(), allow_nan=False))
    assert told["loop"]["plan"]["n_held_out"] == 30
    assert told["loop"]["scorecard"]["end"] == "2026-06-30"


def test_in_short_is_three_to_six_sentences_and_speaks_of_money(loop_files: Files) -> None:
    scores = pd.DataFrame({"customer_id": ["a", "b"], "churn_probability": [0.9, 0.1], "clv": [30.0, 90.0]})
    facts = build_facts(
        title="t",
        source="s",
        currency="€",
        cutoff=date(2026, 6, 30),
        horizon=90,
        scores=scores,
        tables={},
        curves={},
        champions=[],
        data_check=DataCheck(9, 2, None, None, 0),
        generated_at=pd.Timestamp("2026-07-01"),
        loop=read_loop(**loop_files()),
    )
    assert 3 <= len(facts.finding) + len(facts.in_short) <= 6
    assert "€30.00 of the €120 expected of all" in " ".join(facts.finding)
