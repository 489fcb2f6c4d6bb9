"""Whether models still speak of the customers they learned from: monitor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from habitue.cli.app import (
    ALARMS,
    AsJson,
    LogFile,
    SettingsFile,
    app,
    champions,
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

__all__ = ["monitor"]


@app.command(epilog=epilog("habitue monitor --scores batches --output monitor.html"))
def monitor(
    model: Annotated[
        list[str] | None,
        typer.Option(help="name@alias or name/version; both champions if none is named. May be given twice."),
    ] = None,
    cutoff: Annotated[str | None, typer.Option(help="The last day that counts, such as 2024-12-31.")] = None,
    scores: Annotated[
        str | None,
        typer.Option(
            help="Where `habitue score` wrote its batches; else the settings'. Outcomes judge them."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The HTML page; monitor.html beside the settings.")
    ] = None,
    rate: Annotated[
        float, typer.Option(help="Chance of any false alarm of this call, if nothing has changed.")
    ] = 0.01,
    floor: Annotated[
        float, typer.Option(help="Population stability index from which on a difference matters.")
    ] = 0.1,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
    log: LogFile = None,
) -> None:
    """Tell whether customers, records and results still are as the models learned them.

    Features, the law of buying, predictions and records are compared with those of training and of last year,
    and predictions whose outcomes are known with what the backtest promised. Ends with exit code 8 where
    there is an alarm. All is kept in MLflow, experiment "<name> monitoring".
    """
    from habitue.pipelines.monitoring.monitor import monitor as run
    from habitue.pipelines.monitoring.monitor import write_page
    from habitue.pipelines.scoring.targets import target_of
    from habitue.records.days import as_day

    terminal = Terminal(as_json=as_json, log=log, clock=now)
    known = settings_of(settings)
    target = target_of(scores or scores_of(known, settings))
    day = as_day(cutoff, "--cutoff") if cutoff else known.cutoff
    records, _ = opened(settings, terminal)
    with terminal.working(n_stages=1):
        found = run(
            records,
            model or champions(settings),
            store=store_at(home_of(known, settings)),
            now=now(),
            source=", ".join(Path(check.source).name for check in records.checks.values()),
            cutoff=day,
            target=target,
            rate=rate,
            floor=floor,
            progress=terminal.step,
        )
        page = write_page(found, output or settings.parent / "monitor.html")
    for one in found.models:
        n = len(one.monitored.alarms)
        terminal.say(f"{one.version.label}: {one_or_many(n, 'alarm') if n else 'quiet'} as of {found.cutoff}")
        for alarm in one.monitored.alarms:
            terminal.say(f"  {alarm.kind}: {alarm.told}")
        for note in one.facts.notes:
            terminal.say(f"  note: {note}")
    terminal.say(f"Page: {page}")
    terminal.answer(
        {
            "cutoff": found.cutoff,
            "page": page,
            "rate": rate,
            "alarms": len(found.alarms),
            "models": [
                {
                    "name": one.version.name,
                    "version": one.version.version,
                    "run_id": one.run_id,
                    "alarms": [vars(alarm) for alarm in one.monitored.alarms],
                    "notes": one.facts.notes,
                }
                for one in found.models
            ],
        }
    )
    if found.alarms:
        raise typer.Exit(ALARMS)
