"""Where loyalty stands, against its targets: scorecard."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from habitue.cli.app import (
    AsJson,
    LogFile,
    SettingsFile,
    app,
    epilog,
    home_of,
    now,
    opened,
    scores_of,
    settings_of,
    store_at,
)
from habitue.terminal import Terminal
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.pipelines.scorecard import ScorecardRun
    from habitue.pipelines.scorecard_settings import ScorecardSettings
    from habitue.pipelines.settings import Settings

__all__ = ["scorecard"]


@app.command(epilog=epilog("habitue scorecard --by month --by segment --output scorecard.json"))
def scorecard(
    start: Annotated[
        str | None, typer.Option(help="The day before the first one, such as 2023-12-31.")
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="The last day that counts; by default that of the last whole month.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="month, cohort, channel or an attribute of customers; may be given several times."),
    ] = None,
    min_count: Annotated[
        int | None, typer.Option(min=1, help="Customers that a number needs to be shown; else the settings'.")
    ] = None,
    confidence: Annotated[
        float | None, typer.Option(help="Of the intervals, such as 0.95; else the settings'.")
    ] = None,
    off_scale: Annotated[
        Literal["refuse", "leave_out"] | None,
        typer.Option(help="What to do with answers off the scale of their survey; else the settings'."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="A .json file with everything, or a .csv or .parquet table; else the settings'."),
    ] = None,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
    log: LogFile = None,
) -> None:
    """Measure where loyalty stands, and how probable it is that each target will be met.

    NPS, satisfaction, retention, repeat purchases, churn, value, waits and more, each with its interval; then
    the targets of the settings, and the audit of the customer base. Without days it is of the last twelve
    whole months.
    """
    from habitue.pipelines.scorecard import make_scorecard, write_scorecard
    from habitue.pipelines.scoring.targets import target_of
    from habitue.records.days import as_day
    from habitue.scorecard.targets import check_target

    terminal = Terminal(as_json=as_json, log=log, clock=now)
    known = settings_of(settings)
    asked = {"by": by or None, "min_count": min_count, "confidence": confidence, "off_scale": off_scale}
    how = _asked(known.scorecard, asked)
    days = [as_day(day, name) if day else None for day, name in ((start, "--start"), (end, "--end"))]
    targets = [one.to_target() for one in known.targets]
    for target in targets:
        check_target(target)  # before the records are read, which takes longer
    records, _ = opened(settings, terminal)
    with terminal.working(n_stages=1):
        found = make_scorecard(
            records,
            how,
            targets,
            now=now(),
            source=", ".join(Path(check.source).name for check in records.checks.values()),
            start=days[0],
            end=days[1],
            horizon=known.horizon,
            scores=target_of(scores_of(known, settings)),
            store=lambda: store_at(home_of(known, settings)),
            progress=terminal.step,
        )
        path = write_scorecard(found, output or settings.parent / how.output)
    _tell(terminal, found, known)
    terminal.say(f"Scorecard: {path}, with {_more(found)}")
    terminal.answer({"output": path, **found.to_dict()})


def _asked(known: ScorecardSettings, asked: dict[str, Any]) -> ScorecardSettings:
    """Let the command line have the last word."""
    from habitue.pipelines.scorecard_settings import ScorecardSettings
    from habitue.pipelines.settings import as_settings

    given = {name: one for name, one in asked.items() if one is not None}
    return as_settings({**known.model_dump(), **given}, ScorecardSettings, described="the command line")


def _tell(terminal: Terminal, found: ScorecardRun, known: Settings) -> None:
    """Print the measures of everybody, the targets, and what has to be known to read them."""
    from habitue.scorecard.estimates import FULL_COUNT

    card = found.card
    everybody = card.frame.loc[card.frame["by"] == "all"].to_dict("records")
    rows = [
        [
            str(row["measure"]),
            _figure(row["value"], row["unit"], known.money),
            _interval(row["lower"], row["upper"], row["unit"], known.money),
            f"{row['n']:,}",
        ]
        for row in everybody
    ]
    first = card.start + timedelta(days=1)  # (start, end]: the start itself does not count
    title = f"{first} to {card.end} ({card.confidence:.0%} intervals)"
    terminal.table(title, ["measure", "value", "interval", "customers"], rows)
    if found.targets:
        terminal.table(
            "Targets", ["target", "now", "expected", "probability", "status"], _targets(found, known)
        )
    noted = [(row["measure"], row["note"]) for row in everybody if row["note"] != FULL_COUNT]
    said = _grouped([*((str(one.target), one.note) for one in found.targets), *noted])
    for note, names in said.items():
        terminal.say(f"  {', '.join(names)}: {note}")
    for note in dict.fromkeys((*found.notes, *found.audit["notes"], *found.movers["notes"])):
        if note not in said:
            terminal.say(f"  note: {note}")


def _grouped(told: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Say once what holds for several."""
    found: dict[str, list[str]] = {}
    for name, note in told:
        if note:
            found.setdefault(note, []).append(name)
    return found


def _targets(found: ScorecardRun, known: Settings) -> list[list[str]]:
    return [
        [
            str(one.target),
            _figure(one.value, one.unit, known.money),
            _figure(one.expected, one.unit, known.money),
            "–" if math.isnan(one.probability) else f"{one.probability:.0%}",
            one.status,
        ]
        for one in found.targets
    ]


def _more(found: ScorecardRun) -> str:
    """Say what the file holds beside what was printed."""
    by = [str(one) for one in found.card.frame["by"] if one != "all"]
    numbers = f"{one_or_many(len(by), 'more number')} by {', '.join(dict.fromkeys(by))}, " if by else ""
    return f"{numbers}definitions and the audit of the base"


def _interval(lower: float, upper: float, unit: str, money: str) -> str:
    if math.isnan(lower) or math.isnan(upper):
        return "–"
    return f"{_figure(lower, unit, money)} to {_figure(upper, unit, money)}"


def _figure(value: float, unit: str, money: str) -> str:
    """Write a number in its unit."""
    if math.isnan(value):
        return "–"
    if unit == "share":
        return f"{value:.1%}"
    if unit == "money":
        return f"{money}{value:,.2f}" if len(money) < 2 else f"{value:,.2f} {money}"
    if unit in ("days", "hours"):
        return f"{value:,.1f} {unit}"
    return f"{value:,.0f}" if unit == "count" else f"{value:,.1f}" if unit == "points" else f"{value:,.2f}"
