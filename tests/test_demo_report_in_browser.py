"""The demo's report in a real browser: drawn, sorted by click, and silent on the network."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def opened(demo_run: Any, open_page: Any) -> Any:
    assert demo_run.code == 0, demo_run.err
    return open_page(
        (demo_run.home / "demo" / "report.html").as_uri(), viewport={"width": 1280, "height": 900}
    )


def test_charts_are_drawn(opened: Any) -> None:
    charts = opened.page.evaluate(
        """() => [...document.querySelectorAll("svg.chart")].map(svg => {
          const seen = svg.getBoundingClientRect();
          return [seen.width, seen.height, svg.querySelectorAll("path").length];
        })"""
    )
    assert len(charts) >= 8
    assert all(width > 80 and height > 80 and paths > 5 for width, height, paths in charts)


@pytest.mark.parametrize("name", ["clv", "churn_probability"])
def test_table_sorts_by_click(opened: Any, name: str) -> None:
    heading = opened.page.locator(f'#customers th[data-name="{name}"]')
    directions = {}
    for _ in range(2):
        heading.locator("button").click()
        values = opened.page.evaluate(
            """name => {
              const at = document.querySelector(`#customers th[data-name="${name}"]`).cellIndex;
              const rows = [...document.querySelectorAll("#customers tbody tr:not([hidden])")];
              return rows.map(row => Number(row.cells[at].dataset.v));
            }""",
            name,
        )
        directions[heading.get_attribute("aria-sort")] = values
    assert len(set(directions["ascending"])) > 50
    assert directions["ascending"] == sorted(directions["ascending"])
    assert directions["descending"] == sorted(directions["descending"], reverse=True)


def test_it_says_what_it_is_about(opened: Any) -> None:
    text = opened.page.inner_text("body")
    for words in ("CDNOW", "23,570", "BG/NBD", "LightGBM", "habitue-churn", "habitue-clv"):
        assert words in text


def test_no_request_leaves_the_machine(opened: Any) -> None:
    opened.page.mouse.wheel(0, 30_000)
    opened.page.wait_for_timeout(200)
    assert opened.asked == [opened.address]
    assert opened.said == []
