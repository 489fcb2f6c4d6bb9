"""The page: facts in, one self-contained HTML file out.

Everything the page needs is inside it: style, script, drawings and data. It asks the network for nothing, and
its Content-Security-Policy forbids that it could. Text that came from data is escaped by the template; the
page's own script is the only one that may run, because the policy names its hash. No number is worked out
here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from habitue.errors import DataError
from habitue.files import write_whole
from habitue.report.customers import Bin
from habitue.report.facts import Facts
from habitue.report.in_short import round_in_words
from habitue.report.missing import Missing, missing
from habitue.report.round_facts import n_newest
from habitue.report.scorecard_facts import Point
from habitue.report.scorecard_page import scorecard_context
from habitue.report.wording import band, count, day, figure, money, percent, score
from habitue.report.words_of_measures import STATUS, cleaned, difference, label_of, quantity
from habitue.vocabulary import one_or_many

__all__ = ["render", "write_report"]

_HERE = files("habitue.report")


@dataclass(frozen=True)
class Column:
    """A column of the customer list: its field, its heading and how it is written."""

    name: str
    heading: str
    kind: str


_COLUMNS = (
    Column("churn_probability", "Churn probability", "percent"),
    Column("clv", "Expected spend", "money"),
    Column("p_alive", "Still a customer", "percent"),
    Column("expected_purchases", "Expected purchases", "decimal"),
    Column("decile", "Decile", "count"),
    Column("expected_residual_lifetime_365d", "Days still a customer, of 365", "count"),
    Column("inactivity", "Days since last purchase", "count"),
    Column("frequency", "Repeat purchases", "count"),
    Column("spend_total", "Spent so far", "money"),
)


def render(facts: Facts) -> str:
    """Turn facts into one HTML page that needs nothing but itself.

    Parameters
    ----------
    facts : Facts
        What the report says.

    Returns
    -------
    str
        A complete HTML document. The same facts give the same text.

    Examples
    --------
    >>> from datetime import date, datetime
    >>> import pandas as pd
    >>> from habitue.report.facts import DataCheck, build_facts
    >>> facts = build_facts(
    ...     title="Customers", source="shop", currency="$", cutoff=date(2026, 6, 30), horizon=90,
    ...     scores=pd.DataFrame({"customer_id": ["<b>"], "churn_probability": [0.9]}), tables={}, curves={},
    ...     champions=[], data_check=DataCheck(9, 1, None, None, 0), generated_at=datetime(2026, 7, 1))
    >>> page = render(facts)
    >>> page[:15], "<b>" in page, "&lt;b&gt;" in page
    ('<!doctype html>', False, True)
    """
    script = _read("page.js")
    template = _environment(facts.currency).get_template("template.html.j2")
    return template.render(
        facts=facts,
        base=facts.base,
        head=facts.base.headline,
        columns=_columns(facts),
        one_or_many=one_or_many,
        charts=defaultdict(str, {name: Markup(svg) for name, svg in _draw(facts).items()}),
        captured=_captured(facts),
        policy=_policy(script),
        style=Markup(_read("page.css")),
        script=Markup(script),
        data=Markup(_json(facts)),
        sections=_sections(facts),
        has_trust=_has_trust(facts),
        missing=_missing(facts),
        round_in_words=round_in_words(facts.loop.together, facts.currency),
        n_newest=n_newest(facts.loop.proof.experiments if facts.loop.proof is not None else ()),
        **scorecard_context(facts),
    )


def _has_trust(facts: Facts) -> bool:
    curves, loop = facts.curves, facts.loop
    tested = facts.leaderboards or facts.champions or curves.calibration or curves.gains or curves.deciles
    return bool(tested or facts.looked or loop.checks or loop.scorecard)


def _sections(facts: Facts) -> list[tuple[str, str]]:
    """Return the sections that are on the page, in their order."""
    every = [
        ("short", "In short"),
        ("scorecard", "Scorecard"),
        ("base", "The base"),
        ("risk", "Who is at risk, and why"),
        ("list", "Customers to look at"),
        ("week", "This week"),
        ("proof", "What it achieved"),
        ("trust", "How far to trust it"),
        ("data", "The data"),
        ("missing", "Not here yet"),
        ("words", "Definitions"),
    ]
    there = {
        "scorecard": facts.loop.scorecard is not None,
        "week": facts.loop.plan is not None,
        "proof": facts.loop.proof is not None,
        "trust": _has_trust(facts),
        "missing": bool(_missing(facts)),
    }
    return [one for one in every if there.get(one[0], True)]


def _missing(facts: Facts) -> tuple[Missing, ...]:
    return missing(facts.loop, has_value=bool(facts.base.value))


def write_report(facts: Facts, path: Path) -> Path:
    """Write the page to disk, all of it or nothing.

    Parameters
    ----------
    facts : Facts
        What the report says.
    path : pathlib.Path
        The file to write; its folder must exist. A file of that name is replaced.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    DataError
        If the folder does not exist or cannot be written to.

    Notes
    -----
    The page is written beside its place and then renamed, so that nobody ever opens half a report.
    """
    page, path = render(facts), Path(path)
    if not path.parent.is_dir():
        raise DataError(
            f"A report is written into a folder that exists; {path.parent} is none. Create it first."
        )
    try:
        return write_whole(path, lambda to: to.write_text(page, encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"The report could not be written to {path}: {error.strerror or error}. "
            "Name a file in a folder that you may write to."
        ) from error


def _read(name: str) -> str:
    return _HERE.joinpath(name).read_text(encoding="utf-8")


def _environment(currency: str) -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_read),
    )
    filters: dict[str, Any] = {
        "band": _band,
        "clean": cleaned,
        "day_after": _day_after,
        "difference": partial(difference, currency=currency),
        "quantity": partial(quantity, currency=currency),
        "capitalised": _capitalised,
        "said": _said,
        "spaced": label_of,
        "by_group": _by_group,
        "status_class": _status_class,
        "status_shape": _status_shape,
        "count": count,
        "day": day,
        "figure": figure,
        "money": partial(money, currency=currency),
        "percent": percent,
        "score": score,
    }
    environment.filters.update(filters)
    return environment


def _band(b: Bin) -> str:
    return band(b.lower, b.upper)


def _said(text: object) -> Markup:
    """Set apart what came from data: no sign in it turns or breaks the text around it."""
    return Markup("<bdi>{}</bdi>").format(cleaned(text))


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _day_after(value: date | None) -> str:
    return day(None if value is None else value + timedelta(days=1))


def _by_group(points: Iterable[Point]) -> dict[str, Point]:
    return {one.group: one for one in points}


def _status_shape(word: str) -> str:
    return STATUS.get(word, ("○", "none"))[0]


def _status_class(word: str) -> str:
    return STATUS.get(word, ("○", "none"))[1]


def _columns(facts: Facts) -> list[Column]:
    """Show a column only if somebody on the list has a number in it."""
    return [c for c in _COLUMNS if any(getattr(row, c.name) is not None for row in facts.base.customers)]


def _captured(facts: Facts) -> str:
    """Name what the gains curve captures: leavers, unless only value was predicted."""
    return "leavers" if facts.base.risk or not facts.base.value else "what was spent"


def _draw(facts: Facts) -> Mapping[str, str]:
    # matplotlib takes half a second to import, which whoever only gathers facts need not wait for.
    from habitue.report import charts

    base, curves, drawn = facts.base, facts.curves, dict[str, str]()
    if base.risk:
        drawn["risk"] = charts.risk_distribution(base.risk)
    if base.value:
        drawn["value"] = charts.value_distribution(base.value, currency=facts.currency)
    if base.concentration is not None:
        drawn["lorenz"] = charts.lorenz(base.concentration)
    if curves.calibration:
        drawn["calibration"] = charts.calibration(curves.calibration)
    if curves.gains:
        drawn["gains"] = charts.gains(curves.gains, captured=_captured(facts))
    if curves.deciles:
        drawn["deciles"] = charts.deciles(curves.deciles[0], currency=facts.currency)
    for table in facts.leaderboards:
        for place, board in enumerate(table.boards):
            name = f"{table.question}-{place}"
            drawn[name] = charts.leaderboard(board, name=name)
    return drawn | _draw_loop(facts)


def _draw_loop(facts: Facts) -> dict[str, str]:
    from habitue.report import loop_charts as charts

    loop, currency, drawn = facts.loop, facts.currency, dict[str, str]()
    if loop.audit is not None and loop.audit.bands is not None:
        drawn["cohort-bands"] = charts.bands(loop.audit.bands, currency=currency)
    if loop.audit is not None and loop.audit.bridge is not None:
        drawn["bridge"] = charts.bridge(loop.audit.bridge, currency=currency)
    if loop.drivers is not None and loop.drivers.rows:
        drawn["quadrant"] = charts.quadrant(loop.drivers)
    if loop.plan is not None and loop.plan.n_planned:
        if loop.plan.policies:
            drawn["policies"] = charts.policies(loop.plan.policies, currency=currency)
        if loop.plan.swings:
            drawn["swings"] = charts.swings(loop.plan.swings, currency=currency)
        for place, curve in enumerate(loop.plan.curves):
            name = f"curve-{place}"
            drawn[name] = charts.offer_curve(curve, currency=currency, name=name)
    for place, one in enumerate(loop.proof.experiments if loop.proof is not None else ()):
        drawn[f"effects-{place}"] = charts.effects(one.effects, name=f"effects-{place}")
    return drawn


def _policy(script: str) -> str:
    """Allow the page its own style and this very script, and nothing else in the world."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


def _json(facts: Facts) -> str:
    """Write the facts as JSON that cannot end the element it stands in."""
    text = json.dumps(facts.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
