"""The page escapes what came from data, stands on its own, and is written whole or not at all."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import DataError
from habitue.report import Champion, DataCheck, Facts, KindCheck, build_facts, render, write_report
from habitue.report.curves import Curves

EVIL = "<script>alert(1)</script>"
VOID = {"meta", "input", "br", "link", "img", "hr"}


class Reader(HTMLParser):
    """Collect ids, tags and the texts of scripts; count what is opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.addresses += [value for name, value in attrs if name in {"src", "href", "xlink:href"} and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def small(scores: pd.DataFrame, **more: Any) -> Facts:
    given: dict[str, Any] = {
        "title": "Customers", "source": "shop", "currency": "$", "cutoff": date(2026, 6, 30), "horizon": 90,
        "scores": scores, "tables": {}, "curves": {}, "champions": [],
        "data_check": DataCheck(9, 2, None, None, 0), "generated_at": datetime(2026, 7, 1),
    }  # fmt: skip
    return build_facts(**given | more)


def test_whole_page_is_well_formed_and_stands_alone(page: str) -> None:
    reader = read(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert all(address.startswith("#") for address in reader.addresses)
    assert {address[1:] for address in reader.addresses} <= set(reader.ids)
    assert not {"link", "img", "iframe", "object", "base"} & set(reader.tags)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert len(page.encode()) < 5_000_000
    assert "default-src 'none'; script-src 'sha256-" in unescape(page)
    assert page.count('role="img"') == reader.tags.count("svg") == 12


def test_same_facts_same_page(page: str, simulated: dict[str, Any]) -> None:
    assert render(build_facts(**simulated)) == page


def test_facts_in_the_page_are_the_facts(page: str, facts: Facts) -> None:
    data = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    assert json.loads(data.group(1)) == facts.to_dict()


def test_each_kind_of_record_says_what_was_set_aside(page: str) -> None:
    data = page.partition('<section id="data"')[2].partition("</section>")[0]
    text = " ".join(unescape(re.sub(r"<[^>]*>", " ", data)).replace("\xa0", " ").split())
    for told in (
        "Transactions 184,223 records of 20,000 customers",
        "Contracts 31,002 records of subscriptions.csv. No record had to be set aside. Seven contracts",
        "Tickets 9,071 records of tickets.csv. 1 record was set aside and not used (< 0.1 %).",
        "Set aside, and why Reason Records opened_at is missing 1",
    ):
        assert told in text
    alone = small(pd.DataFrame({"customer_id": ["a"], "clv": [1.0]}))
    assert "<h3>Transactions</h3>" not in render(alone)


def test_everything_that_came_from_data_is_escaped() -> None:
    scores = pd.DataFrame(
        {"customer_id": [EVIL, "</script>", '"><b>'], "churn_probability": 0.9, "clv": 1.0, "reason_1": EVIL}
    )
    table = pd.DataFrame(
        {
            "model": [EVIL, "a$b$_c", "_x 日本"],
            "score": f"auc {EVIL}",
            "value": 0.5,
            "lower": 0.4,
            "upper": 0.6,
        }
    )
    gains = pd.DataFrame({"model": EVIL, "share_contacted": [0.0, 1.0], "share_captured": [0.0, 1.0]})
    facts = small(
        scores, title=EVIL, source=EVIL, currency=EVIL, tables={"churn": table, "value": table},
        curves={"gains": gains}, champions=[Champion("churn", EVIL, EVIL, EVIL, EVIL, EVIL)],
        data_check=DataCheck(
            1, 1, None, None, 1, {EVIL: 1}, [EVIL], [KindCheck("tickets", EVIL, 1, 1, {EVIL: 1}, [EVIL])]
        ),
        published=pd.DataFrame({EVIL: [EVIL, None]}),
    )  # fmt: skip
    html = render(facts)
    reader = read(html)
    assert reader.tags.count("script") == 2
    assert "alert(1)</script>" not in html
    assert html.count("</script>") == 2
    assert reader.tags.count("b") == 12
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize(
    ("column", "there", "absent"),
    [
        ("churn_probability", "Who may leave", "What they are worth"),
        ("clv", "What they are worth", "Who may leave"),
    ],
)
def test_report_of_one_model_only(column: str, there: str, absent: str) -> None:
    html = render(small(pd.DataFrame({"customer_id": ["a", "b"], column: [0.9, 0.2]})))
    read(html)
    assert there in html
    assert absent not in html
    assert 'Value at risk</dt><dd class="big">' not in html


def test_one_customer_and_columns_of_nothing() -> None:
    frame = pd.DataFrame({"customer_id": ["only"], "churn_probability": [0.4], "clv": [0.0]})
    frame = frame.assign(p_alive=np.nan, clv_lower=np.nan, clv_upper=np.nan, reason_1=None, decile=np.nan)
    html = render(small(frame))
    read(html)
    assert ">nan<" not in html.lower()
    assert 'data-name="decile"' not in html


def test_many_customers_still_make_a_small_page() -> None:
    n, rng = 200_000, np.random.default_rng(3)
    scores = pd.DataFrame(
        {
            "customer_id": np.arange(n).astype(str),
            "churn_probability": rng.random(n),
            "clv": rng.gamma(0.5, 40.0, n),
            "reason_1": [f"silent for {day} days" for day in rng.integers(0, 900, n)],
        }
    )
    html = render(small(scores))
    assert len(html.encode()) < 5_000_000
    assert html.count("<tr data-rank=") == 500
    assert "silent for … days" in html


def test_written_whole_and_replaced(tmp_path: Path) -> None:
    facts = small(pd.DataFrame({"customer_id": ["a"], "clv": [1.0]}))
    path = tmp_path / "report.html"
    path.write_text("old")
    assert write_report(facts, path) == path
    assert path.read_text(encoding="utf-8") == render(facts)
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_if_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = small(pd.DataFrame({"customer_id": ["a"], "clv": [1.0]}))
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        write_report(facts, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_is_not_there_or_not_writable_is_said(tmp_path: Path) -> None:
    facts = small(pd.DataFrame({"customer_id": ["a"], "clv": [1.0]}))
    with pytest.raises(DataError, match="Create it first"):
        write_report(facts, tmp_path / "nowhere" / "report.html")
    (tmp_path / "taken").mkdir()
    with pytest.raises(DataError, match="may write to"):
        write_report(facts, tmp_path / "taken")


def test_missing_scores_are_owned_up_to() -> None:
    frame = pd.DataFrame(
        {"customer_id": ["a", "b"], "churn_probability": [0.4, np.nan], "clv": [np.nan, 3.0]}
    )
    html = render(small(frame))
    assert "1 customer has no churn probability" in html
    assert "1 customer has no expected spend" in html


def test_bias_of_the_backtest_is_told(facts: Facts) -> None:
    curve = replace(facts.curves.deciles[0], bias=0.25)
    html = render(replace(facts, leaderboards=(), curves=Curves((), (), (curve,))))
    assert "25\N{NO-BREAK SPACE}% too high" in html
