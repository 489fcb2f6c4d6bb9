"""The page of the whole loop in a real browser: keyboard, contrast, phone, print, dark; silent throughout."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from habitue.report import Facts, build_facts, write_report
from habitue.report.loop_facts import read_loop

pytestmark = pytest.mark.browser

SECTIONS = ("short", "scorecard", "base", "risk", "week", "proof", "trust", "words")

TEXTS = """() => {
  // Every text that is seen, with its colour and what lies behind it, as numbers from 0 to 1 in sRGB.
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  paint.canvas.width = paint.canvas.height = 1;
  const over = (layers) => {
    paint.clearRect(0, 0, 1, 1);
    for (const layer of layers) { paint.fillStyle = layer; paint.fillRect(0, 0, 1, 1); }
    return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
  };
  const seen = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), e = walker.currentNode.parentElement;
    if (!text || ["SCRIPT", "STYLE", "TITLE", "DESC", "title", "desc"].includes(e.tagName)) continue;
    if (e.closest(".skip") || !e.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(e);
    const ink = e.closest("svg") ? style.fill : style.color;
    const layers = [];
    for (let up = e; up; up = up.parentElement) layers.unshift(getComputedStyle(up).backgroundColor);
    const key = layers.join() + ink;
    if (seen.has(key)) continue;
    seen.set(key, [over(layers), over([...layers, ink]), text.slice(0, 40), style.fontSize]);
  }
  return [...seen.values()];
}"""


@pytest.fixture(scope="module")
def address(loop_facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(loop_facts, tmp_path_factory.mktemp("loop") / "report.html").as_uri()


@pytest.fixture
def opened(open_page: Any, address: str) -> Iterator[Any]:
    shown = open_page(address, viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield shown
    shown.page.close()


def unfold(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")


def luminance(color: list[float]) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_enough(opened: Any, scheme: Any) -> None:
    opened.page.emulate_media(color_scheme=scheme)
    unfold(opened.page)
    found = opened.page.evaluate(TEXTS)
    assert len(found) > 15
    for behind, ink, text, size in found:
        low, high = sorted((luminance(behind), luminance(ink)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, size, behind, ink)


def test_silent_on_the_network_and_in_the_console(opened: Any, address: str) -> None:
    unfold(opened.page)
    opened.page.mouse.wheel(0, 60_000)
    opened.page.wait_for_timeout(200)
    assert opened.said == []
    assert opened.asked == [address]


def test_keyboard_reaches_everything_in_order_and_is_seen(opened: Any) -> None:
    page = opened.page
    page.evaluate("document.querySelectorAll('.fold').forEach(d => { d.open = true; })")
    stops: list[tuple[str, float]] = []
    for _ in range(400):
        page.keyboard.press("Tab")
        tag, text, top, outline = page.evaluate(
            """() => { const e = document.activeElement, box = e.getBoundingClientRect();
              return [e.tagName, (e.getAttribute("href") || e.textContent).trim().slice(0, 40),
                      box.top + scrollY, getComputedStyle(e).outlineStyle]; }"""
        )
        if tag == "BODY":
            break
        assert outline != "none", (tag, text)
        stops.append((f"{tag} {text}", top))
    names = [name for name, _ in stops]
    assert names[0] == "A #main"
    assert names[1:11] == [
        f"A #{one}"
        for one in ("short", "scorecard", "base", "risk", "list", "week", "proof", "trust", "data", "words")
    ]
    assert {
        "SUMMARY By Segment",
        "BUTTON Expected gain",
        "BUTTON Churn probability",
        "SUMMARY The numbers by month",
    } <= set(names)
    places = [top for _, top in stops[11:]]
    assert sum(after < before - 400 for before, after in pairwise(places)) == 0


def test_folded_numbers_open_by_keyboard(opened: Any) -> None:
    fold = opened.page.locator("#scorecard details").first
    fold.locator("summary").first.focus()
    opened.page.keyboard.press("Enter")
    assert fold.locator("#measures").is_visible()


def test_list_of_actions_sorts_by_keyboard(opened: Any) -> None:
    page = opened.page
    heading = page.locator("#actions th", has_text="Expected gain")
    heading.locator("button").focus()
    rows = """[...document.querySelectorAll("#actions tbody tr")]"""
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    gains = page.evaluate(f"{rows}.map((row) => Number(row.cells[4].dataset.v))")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert gains == sorted(gains)
    assert len(gains) == 200


def test_status_is_told_in_words_and_shape(opened: Any) -> None:
    told = opened.page.locator("#targets .status").all_inner_texts()
    assert [" ".join(one.split()) for one in told] == ["▲ at risk", "● on track"]


@pytest.mark.parametrize("width", [360, 768])
def test_narrow_screens_need_no_sideways_scrolling(open_page: Any, address: str, width: int) -> None:
    opened = open_page(address, viewport={"width": width, "height": 780})
    unfold(opened.page)
    sizes = opened.page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]")
    assert max(sizes) <= width
    inside = opened.page.evaluate(
        """() => [...document.querySelectorAll(".scroll")]
          .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).length"""
    )
    assert inside == 0
    opened.page.close()


def test_print_opens_what_is_folded_and_cuts_nothing(open_page: Any, address: str, tmp_path: Path) -> None:
    opened = open_page(address, viewport={"width": 760, "height": 1000})
    page = opened.page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator("#by-month").is_visible()
    assert page.locator("nav a").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 760
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 5
    paper = tmp_path / "report.pdf"
    page.pdf(path=paper, format="A4")
    assert paper.stat().st_size > 50_000
    page.close()


def test_hostile_and_endless_names_neither_run_nor_widen_a_phone(
    open_page: Any, simulated: dict[str, Any], loop_files: Any, tmp_path: Path
) -> None:
    evil = '"><img src=x onerror="window.hit=1"><script>window.hit=1</script>{{7*7}}\u202e\x00' + "x" * 300
    loop = read_loop(**loop_files(lambda name: f"{evil} {name}"))
    facts = build_facts(**simulated | {"scores": simulated["scores"].head(50)}, loop=loop)
    opened = open_page(
        write_report(facts, tmp_path / "evil.html").as_uri(), viewport={"width": 360, "height": 780}
    )
    unfold(opened.page)
    assert opened.page.evaluate("window.hit") is None
    assert opened.said == []
    assert opened.asked == [opened.address]
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    opened.page.close()


def test_motion_is_reduced_where_that_is_wanted(open_page: Any, address: str) -> None:
    opened = open_page(address, reduced_motion="reduce")
    assert opened.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    opened.page.close()


OVERLAPS = """() => [...document.querySelectorAll("svg.chart")].flatMap((svg) => {
  // Names of rows and ticks that touch each other cannot be read; those that lean have boxes that say little.
  const level = [...svg.querySelectorAll("g[id*='tick'] text")].filter((e) =>
    !/rotate\\((?!-?0\\))/.test(e.getAttribute("transform") || ""));
  const boxes = level.map((e) => [e.textContent, e.getBoundingClientRect()]);
  const touch = (p, q) => Math.min(p.right, q.right) - Math.max(p.left, q.left) > 2
    && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 4;
  return boxes.flatMap(([a, p], i) =>
    boxes.slice(i + 1).filter(([, q]) => touch(p, q)).map(([b]) => `${a} / ${b}`));
})"""


def test_sections_are_drawn_and_no_labels_touch(opened: Any, tmp_path: Path) -> None:
    opened.page.evaluate("document.querySelectorAll('.fold').forEach(d => { d.open = true; })")
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        for section in SECTIONS:
            picture = tmp_path / f"{scheme}-{section}.png"
            opened.page.locator(f"#{section}").screenshot(path=picture)
            assert picture.stat().st_size > 3_000
    assert opened.page.evaluate(OVERLAPS) == []
