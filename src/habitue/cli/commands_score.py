"""Scores: score."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from habitue.cli.app import (
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

if TYPE_CHECKING:
    from habitue.pipelines.scoring.batch import Batch
    from habitue.pipelines.scoring.batches import Target
    from habitue.pipelines.scoring.features import Source
    from habitue.pipelines.settings import Settings

__all__ = ["score"]

_MEMORY = "2GB"
"""What records may take of memory where the settings do not say: a batch shares its machine with others."""
_CACHE = ".habitue-models"
"""Folder of verified copies of models, beside the settings."""


@app.command(epilog=epilog("habitue score --model habitue-clv@champion --output batches --log habitue.log"))
def score(
    model: Annotated[
        list[str] | None,
        typer.Option(help="name@alias or name/version; both champions if none is named. May be given twice."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            help="A folder (one file a batch, by cutoff), a .parquet or .csv file (the newest batch), a "
            ".duckdb file, or postgresql://host/database; else the settings' file."
        ),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Score this table of features (.parquet, .csv, a folder) instead of the records."),
    ] = None,
    cutoff: Annotated[str | None, typer.Option(help="The last day that counts, such as 2024-12-31.")] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Days ahead; those that the models learned if left out.")
    ] = None,
    discount_rate: Annotated[
        float,
        typer.Option(min=0.0, help="What a year takes off money that comes later: 0.1 for ten percent."),
    ] = 0.0,
    reasons: Annotated[bool, typer.Option(help="Whether to add the three main reasons.")] = True,
    reasons_from: Annotated[
        float | None,
        typer.Option(help="Reasons from this chance of leaving on (money without a churn model)."),
    ] = None,
    reasons_top: Annotated[
        float | None, typer.Option(help="Reasons for this share of customers, those of the highest answers.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a finished batch that was made of other records.")
    ] = False,
    allow_breaches: Annotated[
        bool, typer.Option("--allow-breaches", help="Score even where the features are not as in training.")
    ] = False,
    allow_cached: Annotated[
        bool, typer.Option("--allow-cached", help="Use a verified copy of a model if the registry is down.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would be written, write nothing.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0.0, help="Seconds to wait for another job at the same batch.")
    ] = 0.0,
    work: Annotated[
        Path | None, typer.Option(help="Folder for work in progress; else where the scores go.")
    ] = None,
    settings: SettingsFile = Path("habitue.toml"),
    log: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Score every customer with registered models: a whole batch, or none.

    A run that was killed goes on where it stopped when the same command is given again, and a batch that is
    there already is not made twice.
    """
    from habitue.pipelines.scoring.answers import AskedReasons
    from habitue.pipelines.scoring.batch import load_models, score_batch
    from habitue.pipelines.scoring.targets import target_of
    from habitue.records.days import as_day

    terminal = Terminal(as_json=as_json, log=log, clock=now)
    known = settings_of(settings)
    target = target_of(output or scores_of(known, settings))
    target.check()
    asked = as_day(cutoff, "--cutoff") if cutoff else None
    source = _source(features, asked, known, settings, terminal)
    with terminal.working(n_stages=1):
        terminal.step("loading the models")
        models = load_models(
            lambda: store_at(home_of(known, settings)),
            model or champions(settings),
            horizon=horizon,
            discount_rate=discount_rate,
            cache=settings.parent / _CACHE if allow_cached else None,
            allow_cached=allow_cached,
        )
        done = score_batch(
            source,
            models,
            target,
            work=work or _beside(target, settings.parent),
            now=now(),
            reasons=AskedReasons(reasons, reasons_from, reasons_top),
            replace=replace,
            allow_breaches=allow_breaches,
            dry_run=dry_run,
            wait=wait,
            progress=terminal.step,
        )
    _tell(terminal, done, target)


def _source(
    features: Path | None, cutoff: date | None, known: Settings, settings: Path, terminal: Terminal
) -> Source:
    """Return what is scored: a table of features where one is named, else the records of the settings."""
    from habitue.pipelines.scoring.features import Prepared, Records

    if features is not None:
        return Prepared.at(features, cutoff, memory_limit=known.data.memory_limit)
    read, _ = opened(settings, terminal, memory_limit=_MEMORY)
    return Records(read, cutoff or known.cutoff or read.observed_until)


def _beside(target: Target, settings: Path) -> Path:
    """Return where work in progress lies: in a folder of batches, beside a file, else beside the settings."""
    from habitue.pipelines.scoring.targets_files import FileTarget, HiveTarget

    if isinstance(target, HiveTarget):
        return target.folder
    return target.path.parent if isinstance(target, FileTarget) else settings


def _tell(terminal: Terminal, done: Batch, target: Target) -> None:
    """Say what came of it, and what there is to know of it."""
    from habitue.pipelines.scoring.files import sidecar_of
    from habitue.pipelines.scoring.targets_files import FileTarget

    told = done.manifest
    names = ", ".join(f"{one['name']}/{one['version']}" for one in told["models"])
    verb = "Would score" if done.outcome == "tried" else "Scored"
    customers = one_or_many(told["n_customers"], "customer")
    after = ". That batch was there already, whole; nothing was written." if done.outcome == "found" else ""
    terminal.say(f"{verb} {customers} as of {told['cutoff']} with {names}: {target.label}{after}")
    for sentence in _remarks(told, tried=done.outcome == "tried"):
        terminal.say(f"  note: {sentence}")
    beside = sidecar_of(target.path) if isinstance(target, FileTarget) else None
    terminal.answer({"output": target.label, "outcome": done.outcome, "manifest": beside, **told})


def _remarks(told: Mapping[str, Any], *, tried: bool) -> list[str]:
    """Say what a reader of the scores should know of how they were made."""
    kept = [f"{one['name']}/{one['version']}" for one in told["models"] if one["from_cache"]]
    said = [f"the registry did not answer; {', '.join(kept)} came from the copies kept here"] if kept else []
    said += [f"let pass: {sentence}" for sentence in told["contract"]["breaches"]]
    if tried:
        said += [
            f"{label} carries no profile of what it learned from; its features were not checked"
            for label in told["contract"]["unchecked"]
        ]
    return said
