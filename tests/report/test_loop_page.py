"""The page of the whole loop: sections in order, hostile names harmless, absences told, small at scale."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import date
from html import unescape
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.report import Facts, build_facts, render
from habitue.report.facts import DataCheck
from habitue.report.looked import Looked
from habitue.report.loop_facts import read_loop

Files = Callable[..., dict[str, Any]]
VOID = {"meta", "input", "br", "link", "img", "hr"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}{{7191*7919}}",
    "{% raw %}",
    "</script><b>",
    "\u202egnp.exe",
    "a\x00b\x07c\x1b[31m",
    "'; drop table",
    "</style><style>*{display:none}",
    "$\\frac{1}{2}$",
    "_leading",
    "日本\nعربى",
)


class Outline(HTMLParser):
    """Collect ids, headings, tags and the drawings' names; count what is opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.levels: list[int] = []
        self.open: list[str] = []
        self.drawings: list[dict[str, str | None]] = []
        self.children: list[list[str]] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.append(tag)
        self.ids += [told["id"]] if told.get("id") else []
        self.links += [told["href"] or ""] if tag == "a" else []
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "svg":
            self.drawings.append(told)
            self.children.append([])
        elif "svg" in self.open:
            self.children[-1].append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    reader = Outline()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def text_of(page: str) -> str:
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).replace("\xa0", " ").split())


def small(**more: Any) -> Facts:
    given: dict[str, Any] = {
        "title": "Customers",
        "source": "shop",
        "currency": "€",
        "cutoff": date(2026, 6, 30),
        "horizon": 90,
        "scores": pd.DataFrame({"customer_id": ["a", "b"], "churn_probability": [0.9, 0.1], "clv": [3.0, 9]}),
        "tables": {},
        "curves": {},
        "champions": [],
        "data_check": DataCheck(9, 2, None, None, 0),
        "generated_at": pd.Timestamp("2026-07-01"),
    }
    return build_facts(**given | more)


def test_sections_stand_in_the_order_of_a_monday(loop_page: str) -> None:
    found = re.findall(r'<section id="(\w+)"', loop_page)
    assert found == ["short", "scorecard", "base", "risk", "week", "proof", "trust", "data", "words"]
    reader = outline(loop_page)
    assert len(reader.ids) == len(set(reader.ids))
    assert {link[1:] for link in reader.links} <= set(reader.ids)
    assert reader.levels[:2] == [1, 2]
    assert all(after <= before + 1 for before, after in zip(reader.levels, reader.levels[1:], strict=False))


def test_every_drawing_says_what_it_shows(loop_page: str) -> None:
    reader = outline(loop_page)
    assert len(reader.drawings) > 20
    for told, inside in zip(reader.drawings, reader.children, strict=True):
        assert told["role"] == "img"
        assert {"title", "desc"} <= set(inside)
        described = told.get("aria-describedby") or (told["aria-labelledby"] or "").split()[-1]
        assert described in reader.ids


def test_what_the_files_say_is_on_the_page(loop_page: str) -> None:
    text = text_of(loop_page)
    for told in (
        "Net Promoter Score at least 40.0 31 December 2026 ▲ at risk a note 40 % 33.0 30.0 to 36.0 34.0",
        "▲ +12.0 +7.8 to +16.2",
        "no change beyond chance",
        "Association, not effect.",
        "late, delivery",
        "“It came late.”" if "“It came late.”" in text else "It came late.",
        "Another 100 of budget would earn about 150 net of itself.",
        "The first 200 of 230 lines",
        "Left alone by lot to learn 30 10 % of 300 planned",
        "With them the plan would cost €456 and gain €1,234.",
        "not worth it: it costs more",
        "2 rounds: Share who stay +2.0 points +0.0 points to +4.0 points",
        "care call 22.0 % 18.0 % to 26.0 % assumed 30.0 %",
        "care call : best with 45 % of those who may have it",
        "896 customers would bring €583 ; as many by churn risk €224 .",
        "Share who opt out care call ✓ holds",
        "Promoters less detractors.",
        "fewer than 30 customers",
    ):
        assert told in text, told


def test_what_is_not_there_is_told_with_the_command_that_makes_it() -> None:
    text = text_of(render(small()))
    for command in (
        "habitue scorecard",
        "habitue decide offers.toml",
        "habitue measure readout",
    ):
        assert text.count(command) == 1
    outline(render(small()))


@pytest.mark.parametrize("part", ["scorecard", "decision", "readout", "checks"])
def test_each_part_stands_alone(loop_files: Files, part: str) -> None:
    files = loop_files()
    kept = {part: files[part], "cutoff": files["cutoff"]}
    outline(render(small(loop=read_loop(**kept))))
    files.pop(part)
    outline(render(small(loop=read_loop(**files))))


def test_what_a_monitoring_found_is_said_in_a_line_a_model() -> None:
    day = date(2026, 6, 30)
    alarms = tuple(f"Feature {number} is not as it was." for number in range(7))
    looked = [
        Looked("habitue-churn", day, "3", "4", alarms),
        Looked("habitue-clv", day, "2", "2"),
        Looked("habitue-other", None, "", "1", problem="Its files are gone."),
    ]
    text = text_of(render(small(looked=looked)))
    for told in (
        "habitue-churn , looked at as of 30 June 2026: ▲ 7 alarms . That was version 3; these scores are of "
        "version 4.",
        "Feature 4 is not as it was. And 2 more",
        "habitue-clv , looked at as of 30 June 2026: ✓ quiet , customers",
        "habitue-other : what was last found cannot be read. Its files are gone.",
    ):
        assert told in text, told
    assert "still know these customers" not in text_of(render(small()))


def test_decision_without_curves_and_assumptions_is_told_as_far_as_it_goes(loop_files: Files) -> None:
    files = copy.deepcopy(loop_files())
    for name in ("curves", "assumed"):
        del files["decision"][name]
    page = render(small(loop=read_loop(**files)))
    assert 'id="curves"' not in page
    assert "care call 40.0 % 20.0 %" in text_of(page)


def test_files_of_another_day_are_shown_with_a_warning(loop_files: Files) -> None:
    files = loop_files() | {"cutoff": date(2026, 7, 31)}
    page = render(small(loop=read_loop(**files)))
    assert page.count('class="warning"') == 3
    assert "decide again before anybody is contacted" in text_of(page).lower()


def test_hostile_names_do_nothing(loop_files: Files) -> None:
    turn = iter(range(10**9))
    names: dict[str, str] = {}

    def hostile(name: str) -> str:
        return names.setdefault(name, f"{HOSTILE[next(turn) % len(HOSTILE)]} {name}")

    plain = outline(render(small(loop=read_loop(**loop_files()))))
    page = render(small(loop=read_loop(**loop_files(hostile))))
    assert len(names) > len(HOSTILE)
    reader = outline(page)
    for tag in ("script", "style", "img", "b"):
        assert reader.tags.count(tag) == plain.tags.count(tag)
    assert "56945529" not in page
    assert "{{7*7}}{{7191*7919}}" in page
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", _shown(page))
    assert "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;" in page


def _shown(page: str) -> str:
    """Return the page without its data, which keeps names as they were (as JSON escapes them)."""
    return re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)


def test_page_stays_small_whatever_the_scale(loop_files: Files) -> None:
    files, n, rng = copy.deepcopy(loop_files()), 300_000, np.random.default_rng(0)
    card = files["scorecard"]
    one = card["rows"][0]
    measures = [f"measure_{number}" for number in range(30)]
    card["rows"] += [
        {**one, "measure": measure, "by": by, "group": f"{by} {group}", "n": group}
        for measure in measures
        for by in ("all", "segment", "cohort", "channel", "city")
        for group in range(1 if by == "all" else 40)
    ]
    card["rows"] += [
        {
            **one,
            "measure": measure,
            "by": "month",
            "group": f"20{24 + at // 12}-{at % 12 + 1:02d}",
            "end": f"{at:04d}",
        }
        for measure in measures
        for at in range(30)
    ]
    card["targets"] *= 100
    files["actions"] = [
        row | {"reason": "a long reason " * 12, "what_not_to_say": "not this " * 40}
        for row in files["actions"]
    ]
    files["readout"]["experiments"] *= 50
    scores = pd.DataFrame(
        {
            "customer_id": np.arange(n).astype(str),
            "churn_probability": rng.random(n),
            "clv": rng.gamma(0.5, 40.0, n),
            "reason_1": [f"last bought {day} days ago (raises it)" for day in rng.integers(0, 900, n)],
        }
    )
    page = render(small(scores=scores, loop=read_loop(**files)))
    assert len(page.encode()) < 5_000_000
    assert page.count("<tr data-rank=") == 500
    assert "28 smaller groups not shown" in text_of(page)
