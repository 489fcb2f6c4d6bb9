"""What the records are and say: check and features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from habitue.cli.app import AsJson, SettingsFile, app, epilog, opened
from habitue.terminal import Terminal
from habitue.vocabulary import one_or_many

__all__ = ["check", "features"]


@app.command(epilog=epilog("habitue check --quarantine set-aside.csv"))
def check(
    settings: SettingsFile = Path("habitue.toml"),
    quarantine: Annotated[Path | None, typer.Option(help="Write the rows set aside to this CSV.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read the log and say what is in it, what was set aside and why."""
    from habitue.cli.telling import tell_check
    from habitue.pipelines.examine import examine, write_quarantine

    terminal = Terminal(as_json=as_json)
    log, _ = opened(settings, terminal)
    facts = examine(log)
    if quarantine is not None:
        facts["quarantine"] = write_quarantine(log, quarantine)
    tell_check(terminal, facts)
    if quarantine is not None:
        terminal.say(f"Rows set aside: {quarantine}")
    terminal.answer(facts)


@app.command(epilog=epilog("habitue features --output features.parquet"))
def features(
    output: Annotated[Path, typer.Option(help="A .parquet or .csv file.")] = Path("features.parquet"),
    cutoff: Annotated[
        str | None, typer.Option(help="Last day known; else the settings', else the log's.")
    ] = None,
    feature: Annotated[list[str] | None, typer.Option(help="Only this one (may be repeated).")] = None,
    pillar: Annotated[list[str] | None, typer.Option(help="Only this pillar (may be repeated).")] = None,
    learn: Annotated[
        str | None,
        typer.Option(help="Learn usual prices, levels and reasons from what was known on this day."),
    ] = None,
    population: Annotated[
        Path | None, typer.Option(help="Use what was learned before: a .population.json.")
    ] = None,
    shown: Annotated[bool, typer.Option("--list", help="List what the log allows; write nothing.")] = False,
    sql: Annotated[
        str | None,
        typer.Option(help="Print the statement for duckdb, spark, postgres, snowflake or bigquery instead."),
    ] = None,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """Write what was known of each customer at a cutoff, and a dictionary of the columns."""
    from habitue.pipelines import features as pipeline
    from habitue.records.days import as_day

    terminal = Terminal(as_json=as_json)
    log, known = opened(settings, terminal)
    day = as_day(cutoff, "--cutoff") if cutoff else known.cutoff or log.observed_until
    history = log.until(day)
    since = as_day(learn, "--learn") if learn else None
    learned = pipeline.find_population(log, learn=since, learned=population)
    chosen = pipeline.choose_features(history, names=feature or (), pillars=pillar or (), population=learned)
    if shown:
        rows = pipeline.data_dictionary(chosen).drop(columns="sql")
        for name, meaning, unit, about in rows[["name", "meaning", "unit", "pillar"]].itertuples(index=False):
            terminal.say(f"{name:<32} {about:<20} {meaning}{f' [{unit}]' if unit else ''}")
        terminal.answer({"features": rows.to_dict("records")})
        return
    if sql is not None:
        text = pipeline.feature_sql(history, chosen, sql, horizon=known.horizon)
        if not as_json:
            typer.echo(text)
        terminal.answer({"sql": text})
        return
    with terminal.working(n_stages=1):
        terminal.step(f"computing {one_or_many(len(chosen), 'feature')}")
        written = pipeline.write_features(log, day, chosen, output, horizon=known.horizon, population=learned)
    terminal.say(
        f"Wrote {one_or_many(written.n_features, 'feature')} of "
        f"{one_or_many(written.n_customers, 'customer')} as of {day}: "
        f"{written.path}"
    )
    terminal.say(f"What they mean: {written.dictionary}")
    terminal.answer({"cutoff": day, **written._asdict()})
