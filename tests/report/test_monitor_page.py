"""The page of a monitoring: complete, escaped, in the report's look, and it fits narrow and wide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from habitue.evaluation.drift import Check, judged
from habitue.report.monitor_facts import ModelFacts, MonitorFacts
from habitue.report.monitor_page import render_monitor

HOSTILE = "<script>alert('x')</script>"


def model(name: str, *, loud: bool) -> ModelFacts:
    p = 1e-9 if loud else 0.5
    checks = [
        Check("input", HOSTILE, "chi-squared", p, 0.4, "PSI", 0.1, f"{HOSTILE} is 3 on average now."),
        Check("input", "recency", "Kolmogorov-Smirnov", 1e-9, 0.4, "PSI", 0.1, "Christmas.", seasonal=True),
        Check("score", "churn_probability", "Kolmogorov-Smirnov", 0.4, 0.02, "PSI", 0.1, ""),
        Check("law", "purchases", "generalised score", 0.3, 0.05, "relative", 0.1, ""),
        Check("data", "transactions", "silence", 0.9, 0.0, "times", 1.5, ""),
        Check("performance", "auc", "bootstrap", 0.7, 0.0, "score", 0.03, ""),
    ]
    matured = pd.DataFrame(
        {
            "cutoff": [date(2024, 1, 1), date(2024, 4, 1)],
            "source": "asked later",
            "n": 300,
            "score": "auc",
            "value": [0.8, 0.78],
            "lower": 0.75,
            "upper": 0.85,
            "promised": [np.nan, 0.8],
            "promised_lower": [np.nan, 0.77],
            "promised_upper": [np.nan, 0.83],
        }
    )
    edges = np.linspace(0.0, 1.0, 11)
    answers = pd.DataFrame(
        {"answer": "churn_probability", "lower": edges[:-1], "upper": edges[1:], "now": 0.1, "reference": 0.1}
    )
    counts = pd.DataFrame(
        {"label": ["0", "1+"], "actual": [60, 40], "expected": [58.0, 42.0], "lower": 40.0, "upper": 60.0}
    )
    law = pd.DataFrame({"parameter": ["r"], "held": 0.8, "held_error": 0.1, "now": 0.7, "now_error": np.nan})
    return ModelFacts(
        name, 3, "boosted", date(2023, 12, 31), date(2023, 12, 31), date(2023, 6, 30), 1000, 800,
        judged(checks, rate=0.01), matured, law, counts, answers, ("A note.",),
    )  # fmt: skip


def facts(*, loud: bool = True, name: str = HOSTILE) -> MonitorFacts:
    weeks = pd.DataFrame({"kind": "transactions", "week": ["2024-06-02", "2024-06-09"], "n": [10, 0]})
    kinds = {"transactions": {"n_rows": 90, "n_set_aside": 2, "last_day": "2024-06-05"}}
    models = (model(name, loud=loud), model("habitue-clv", loud=False))
    return MonitorFacts(
        HOSTILE, date(2024, 6, 30), 0.01, 0.1, models, weeks, kinds, datetime(2024, 7, 1, tzinfo=UTC)
    )


def test_nothing_from_data_is_markup_and_no_script_may_run() -> None:
    page = render_monitor(facts())
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "default-src &#39;none&#39;" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_same_facts_give_the_same_page_and_a_quiet_one_says_so() -> None:
    assert render_monitor(facts()) == render_monitor(facts())
    quiet = facts(loud=False, name="habitue-churn")
    assert quiet.n_alarms == 0
    assert "All quiet" in render_monitor(quiet)
    assert facts().n_alarms == 1


def test_every_number_of_a_chart_stands_in_a_table_and_seasons_are_told_apart() -> None:
    page = render_monitor(facts(name="habitue-churn"))
    for words in ("as last year", "Christmas.", "A note.", "AUC, once it was known", "58.0", "2024-06-09"):
        assert words in page
    assert page.count('role="img"') == page.count("aria-label=") - page.count('role="region"') - 1


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_in_a_browser_says_nothing_asks_nothing_and_fits(
    open_page: Callable[..., object], tmp_path: Path, width: int, scheme: str
) -> None:
    path = tmp_path / "monitor.html"
    path.write_text(render_monitor(facts()), encoding="utf-8")
    opened = open_page(path.as_uri(), viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = opened.page
    assert opened.said == []
    assert opened.asked == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator("h1").inner_text() == "1 alarm"
