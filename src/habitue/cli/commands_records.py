"""From records to features: init, check and features."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from habitue.cli.app import AsJson, SettingsFile, app, epilog, opened
from habitue.terminal import Terminal

__all__ = ["check", "features", "init"]


@app.command(epilog=epilog("habitue init transactions.csv"))
def init(
    source: Annotated[str, typer.Argument(help="A CSV, Parquet or DuckDB file, or a postgresql:// address.")],
    customer_id: Annotated[str | None, typer.Option(help="Column that says who.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="Column that says when.")] = None,
    amount: Annotated[str | None, typer.Option(help="Column that says how much, or 'Qty * Price'.")] = None,
    table: Annotated[str | None, typer.Option(help="Table of a database.")] = None,
    query: Annotated[str | None, typer.Option(help="A SELECT of your own on a database.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Of a CSV, where it is an unusual one.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV, such as cp1252.")] = None,
    timestamp_format: Annotated[str | None, typer.Option(help="Such as %d/%m/%Y, in case of doubt.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone whose days count, such as Europe/Paris.")] = None,
    decimal: Annotated[str | None, typer.Option(help="Decimal sign of amounts: '.' or ','.")] = None,
    folder: Annotated[Path, typer.Option(help="Where to write habitue.toml and models/.")] = Path(),
    force: Annotated[bool, typer.Option(help="Replace a habitue.toml that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at your transactions and write settings for them: columns, cutoff and horizon."""
    from habitue.pipelines.propose import propose, write_settings

    named = {
        "customer_id": customer_id, "timestamp": timestamp, "amount": amount, "table": table,
        "query": query, "delimiter": delimiter, "encoding": encoding,
        "timestamp_format": timestamp_format, "timezone": timezone, "decimal": decimal,
    }  # fmt: skip
    terminal = Terminal(as_json=as_json)
    with terminal.working(n_stages=1):
        terminal.step(f"looking at {Path(source).name}")
        shown = source if "://" in source else os.path.relpath(source, folder)
        known = {name: value for name, value in named.items() if value is not None}
        proposal = propose(source, known, today=date.today())
    written = write_settings(proposal, folder, shown=shown, force=force)
    log = proposal.log
    terminal.say(f"Found {log.n_customers:,} customers, {log.first_day} to {log.observed_until}.")
    for name in ("customer_id", "timestamp", "amount"):
        terminal.say(f"  {name:<12} {proposal.reading[name]}")
    terminal.say(f"  {'horizon':<12} {proposal.horizon} days: {proposal.why_horizon}")
    terminal.say(f"Wrote {', '.join(map(str, written))}. Read it, edit it, then: habitue check")
    terminal.answer({"written": written, "reading": proposal.reading, "horizon": proposal.horizon})


@app.command(epilog=epilog("habitue check --quarantine set-aside.csv"))
def check(
    settings: SettingsFile = Path("habitue.toml"),
    quarantine: Annotated[Path | None, typer.Option(help="Write the rows set aside to this CSV.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read the log and say what is in it, what was set aside and why."""
    from habitue.pipelines.examine import examine, write_quarantine

    terminal = Terminal(as_json=as_json)
    log, _ = opened(settings, terminal)
    facts = examine(log)
    if quarantine is not None:
        facts["quarantine"] = write_quarantine(log, quarantine)
    terminal.log(facts)
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
    chosen = pipeline.choose_features(history, names=feature or (), pillars=pillar or ())
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
        terminal.step(f"computing {len(chosen)} features")
        written = pipeline.write_features(log, day, chosen, output, horizon=known.horizon)
    terminal.say(
        f"Wrote {written.n_features} features of {written.n_customers:,} customers as of {day}: "
        f"{written.path}"
    )
    terminal.say(f"What they mean: {written.dictionary}")
    terminal.answer({"cutoff": day, **written._asdict()})
