"""The page of a monitoring: facts in, one self-contained HTML file out, in the look of the report.

It asks the network for nothing, has no script, and its Content-Security-Policy allows none; all text that
came from data is escaped by the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from habitue.evaluation import SCORES
from habitue.report.monitor_facts import KINDS, ModelFacts, MonitorFacts, named, rows_of
from habitue.report.wording import count, day, percent
from habitue.vocabulary import one_or_many

__all__ = ["render_monitor"]

_MEANINGS = {score.name: score.meaning for known in SCORES.values() for score in known}

_HERE = files("habitue.report")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render_monitor(facts: MonitorFacts) -> str:
    """Turn facts into one HTML page that needs nothing but itself.

    Parameters
    ----------
    facts : MonitorFacts
        What was found.

    Returns
    -------
    str
        A complete HTML document. The same facts give the same text.

    Examples
    --------
    >>> from datetime import date, datetime
    >>> import pandas as pd
    >>> facts = MonitorFacts("<shop>", date(2026, 6, 30), 0.01, 0.1, (), pd.DataFrame(), {},
    ...                      datetime(2026, 7, 1))
    >>> page = render_monitor(facts)
    >>> "<shop>" in page, "&lt;shop&gt;" in page
    (False, True)
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        count=count, day=day, percent=percent, number=_number, p=_p, meaning=_meaning, named=named
    )
    template = environment.from_string(_read("monitor.html.j2"))
    charts = {name: Markup(svg) for name, svg in _draw(facts).items()}
    return template.render(
        facts=facts,
        kinds=KINDS,
        charts=charts,
        rows_of=rows_of,
        one_or_many=one_or_many,
        policy=_POLICY,
        style=Markup(_read("page.css")),
    )


def _read(name: str) -> str:
    return _HERE.joinpath(name).read_text(encoding="utf-8")


def _meaning(score: str) -> str:
    return _MEANINGS.get(score, "")


def _number(value: float | None, digits: int = 3) -> str:
    if value is None or np.isnan(value):
        return "–"
    return "no bound" if np.isinf(value) else f"{value:,.{digits}f}".replace("-", "−")


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def _draw(facts: MonitorFacts) -> dict[str, str]:
    from habitue.report import monitor_charts as charts

    drawn: dict[str, str] = {}
    for place, one in enumerate(facts.models):
        drawn |= _draw_model(one, place, facts.floor)
    if len(facts.weekly):
        for place, (kind, weeks) in enumerate(facts.weekly.groupby("kind", sort=False)):
            drawn[f"weeks-{kind}"] = charts.records_a_week(weeks, kind=str(kind), name=f"weeks-{place}")
    return drawn


def _draw_model(one: ModelFacts, place: int, floor: float) -> Mapping[str, str]:
    from habitue.report import monitor_charts as charts

    drawn: dict[str, str] = {}
    if inputs := one.of_kind("input"):
        drawn[f"inputs-{place}"] = charts.drift_bars(
            inputs, floor=floor, name=f"inputs-{place}", then=one.then
        )
    if len(one.answers):
        drawn[f"answers-{place}"] = charts.answers_moved(one.answers, name=f"answers-{place}", then=one.then)
    if len(one.frequencies):
        drawn[f"buying-{place}"] = charts.buying(one.frequencies, name=f"buying-{place}")
    for score in dict.fromkeys(map(str, one.matured["score"])) if len(one.matured) else ():
        rows = one.matured.loc[one.matured["score"] == score].dropna(subset=["value"])
        if len(rows):
            drawn[f"matured-{place}-{score}"] = charts.matured(
                rows, score=score, name=f"matured-{place}-{score}"
            )
    return drawn
