"""The page in a real browser: drawn, sorted, filtered, dark, narrow, and silent on the network."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from habitue.report import Facts, write_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(facts, tmp_path_factory.mktemp("report") / "report.html").as_uri()


@pytest.fixture
def opened(open_page: Any, address: str) -> Iterator[Any]:
    shown = open_page(address, viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield shown
    shown.page.close()


def column(page: Page, name: str) -> list[float]:
    script = """name => {
      const at = document.querySelector(`#customers th[data-name="${name}"]`).cellIndex;
      const rows = [...document.querySelectorAll("#customers tbody tr:not([hidden])")];
      return rows.map(row => Number(row.cells[at].dataset.v));
    }"""
    return page.evaluate(script, name)


def test_nothing_is_complained_of_and_nothing_asked_for(opened: Any, address: str) -> None:
    opened.page.mouse.wheel(0, 20_000)
    opened.page.wait_for_timeout(200)
    assert opened.said == []
    assert opened.asked == [address]


def test_script_that_is_not_ours_does_not_run(opened: Any) -> None:
    opened.page.evaluate(
        """() => { const stranger = document.createElement("script");
          stranger.textContent = "window.stranger = 1"; document.body.append(stranger); }"""
    )
    assert opened.page.evaluate("window.stranger") is None
    assert any("Content Security Policy" in text for text in opened.said)


def test_every_chart_is_drawn(opened: Any) -> None:
    charts = opened.page.evaluate(
        """() => [...document.querySelectorAll("svg.chart")].map(svg => {
          const box = svg.getBBox(), seen = svg.getBoundingClientRect();
          return [box.width, box.height, seen.width, seen.height, svg.querySelectorAll("path").length,
                  svg.getAttribute("aria-label").length];
        })"""
    )
    assert len(charts) == 12
    assert all(min(sizes[:4]) > 80 and sizes[4] > 5 and sizes[5] > 10 for sizes in charts)


def test_table_sorts_by_click(opened: Any) -> None:
    heading = opened.page.locator('#customers th[data-name="churn_probability"]')
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    risks = column(opened.page, "churn_probability")
    assert risks == sorted(risks, reverse=True)
    assert len(set(risks)) > 100
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(opened.page, "churn_probability") == sorted(risks)
    assert (
        opened.page.locator(
            '#customers th[aria-sort="ascending"], #customers th[aria-sort="descending"]'
        ).count()
        == 1
    )


def test_table_sorts_by_keyboard(opened: Any) -> None:
    heading = opened.page.locator('#customers th[data-name="inactivity"]')
    heading.locator("button").focus()
    opened.page.keyboard.press("Enter")
    days = column(opened.page, "inactivity")
    assert days == sorted(days, reverse=True)
    assert days != sorted(days)
    opened.page.keyboard.press("Space")
    assert column(opened.page, "inactivity") == sorted(days)


def test_first_tab_is_the_way_past_the_menu(opened: Any) -> None:
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.getAttribute('href')") == "#main"


def test_filters(opened: Any) -> None:
    page = opened.page
    everybody = column(page, "churn_probability")
    page.locator("#risk-above").select_option("0.75")
    above = column(page, "churn_probability")
    assert sorted(above) == sorted(p for p in everybody if p > 0.75)
    page.locator("#risk-above").select_option("0")
    first = page.locator("#customers tbody tr th").first.inner_text()
    page.locator("#search").fill(first.lower())
    assert page.locator("#customers tbody tr:visible").count() == 1
    assert page.locator("#told").inner_text() == "1 of 500 shown"
    page.locator("#search").fill("no such customer")
    assert page.locator("#customers tbody tr:visible").count() == 0


def test_list_can_be_taken_along(opened: Any, tmp_path: Path) -> None:
    opened.page.locator("#risk-above").select_option("0.75")
    shown = column(opened.page, "clv")
    with opened.page.expect_download() as download:
        opened.page.locator("#save").click()
    download.value.save_as(tmp_path / "customers.csv")
    with (tmp_path / "customers.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["clv"]) for row in rows] == shown
    assert all(row["reasons"] for row in rows)


def _background_and_bar(page: Page) -> tuple[str, str, str]:
    script = """() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
      getComputedStyle(document.querySelector("#risk-patch_3 path")).fill]"""
    background, ink, bar = page.evaluate(script)
    return background, ink, bar


def test_dark_mode_reaches_the_charts(opened: Any) -> None:
    light = _background_and_bar(opened.page)
    opened.page.emulate_media(color_scheme="dark")
    dark = _background_and_bar(opened.page)
    assert all(a != b for a, b in zip(light, dark, strict=True))


def _luminance(color: str) -> float:
    parts = [int(part) / 255 for part in color[4:-1].split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_enough(opened: Any, scheme: Any) -> None:
    opened.page.emulate_media(color_scheme=scheme)
    script = """selector => { const e = document.querySelector(selector); let up = e;
      while (getComputedStyle(up).backgroundColor === "rgba(0, 0, 0, 0)") up = up.parentElement;
      return [getComputedStyle(e).color, getComputedStyle(up).backgroundColor]; }"""
    for selector in (
        ".finding",
        ".meta",
        ".tile .sub",
        ".tile.warm .big",
        "summary",
        ".pill.high",
        "nav a",
        "dl.words dd",
    ):
        lights = sorted(map(_luminance, opened.page.evaluate(script, selector)))
        assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5, selector


def test_phone_needs_no_sideways_scrolling(open_page: Any, address: str) -> None:
    opened = open_page(address, viewport={"width": 390, "height": 844}, device_scale_factor=2)
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.body.scrollWidth") <= 390
    assert opened.said == []
    smallest = page.evaluate(
        """() => Math.min(...[...document.querySelectorAll("svg.chart text")].map(
          text => text.getBoundingClientRect().height))"""
    )
    assert smallest > 8
    page.close()
