"""Personal data: pseudonymise and forget."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from habitue.cli.app import AsJson, SettingsFile, app, epilog
from habitue.terminal import Terminal
from habitue.vocabulary import one_or_many

__all__ = ["forget", "pseudonymise"]


@app.command(
    epilog=epilog("habitue pseudonymise orders.csv --drop email --key-file habitue.key --output safe.csv")
)
def pseudonymise(
    sources: Annotated[list[Path], typer.Argument(help="CSV or Parquet files, or folders of Parquet files.")],
    output: Annotated[Path, typer.Option(help="A .csv or .parquet file; a folder for several sources.")],
    id_column: Annotated[
        list[str] | None, typer.Option(help="Column that holds customer ids; customer_id if none is named.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="A personal column to leave out.")] = None,
    key_file: Annotated[Path | None, typer.Option(help="File that holds the key; else HABITUE_KEY.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Of a CSV, where it is an unusual one.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV, such as cp1252.")] = None,
    as_json: AsJson = False,
) -> None:
    """Copy your files with pseudonyms for customer ids and without personal columns."""
    from habitue.pipelines.pseudonymise import looks_personal, read_key
    from habitue.pipelines.pseudonymise import pseudonymise as run

    terminal = Terminal(as_json=as_json)
    with terminal.working(n_stages=1):
        done = run(
            sources,
            output,
            key=read_key(key_file, os.environ),
            ids=id_column or ["customer_id"],
            drop=drop or [],
            delimiter=delimiter,
            encoding=encoding,
            progress=terminal.step,
        )
    for written, one in done.items():
        terminal.say(f"{written}: {one_or_many(one.n_rows, 'row')}")
        for column, count in one.replaced.items():
            without = one_or_many(one.missing[column], "row")
            missing = f", {without} without an id" if one.missing[column] else ""
            terminal.say(f"  {column}: {one_or_many(count, 'id')} replaced{missing}")
        if one.dropped:
            terminal.say(f"  left out: {', '.join(one.dropped)}")
        for reason, count in one.left_out.items():
            terminal.say(f"  not copied: {one_or_many(count, 'line')}, {reason}")
        personal = looks_personal(one.kept)
        if personal:
            terminal.say(f"  kept, and sounds personal: {', '.join(personal)}. Leave out with --drop.")
    terminal.answer({"written": {str(path): vars(one) for path, one in done.items()}})


@app.command(epilog=epilog("habitue forget 10042 10077 --dry-run"))
def forget(
    ids: Annotated[list[str], typer.Argument(help="Customers, as your data name them, or pseudonyms.")],
    file: Annotated[
        list[Path] | None, typer.Option(help="A further table, report or folder to look through.")
    ] = None,
    id_column: Annotated[
        list[str] | None, typer.Option(help="A further column that holds customer ids.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Key of `habitue pseudonymise`; pseudonyms are removed too.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """Remove customers from everything stored: scores, rows set aside, reports, tables of runs."""
    from habitue.pipelines.forget import forget as run
    from habitue.pipelines.pseudonymise import KEY_VARIABLE, read_key

    terminal = Terminal(as_json=as_json)
    with_key = key_file is not None or bool(os.environ.get(KEY_VARIABLE))
    with terminal.working(n_stages=1):
        done = run(
            ids,
            settings=settings,
            files=file or [],
            id_columns=id_column or [],
            key=read_key(key_file, os.environ) if with_key else None,
            dry_run=dry_run,
            progress=terminal.step,
        )
    verb = "would be " if dry_run else ""
    for one in done.found:
        told = f"{one_or_many(one.n_rows, 'row')} {verb}removed" if one.n_rows else f"{verb}deleted"
        terminal.say(f"{one.path} ({one.what}): {told}")
    if not done.found:
        terminal.say(f"Nothing found in {one_or_many(done.n_files, 'file')}.")
    for sentence in done.remains:
        terminal.say(f"  note: {sentence}")
    terminal.answer({"dry_run": dry_run, "found": [vars(one) for one in done.found], "remains": done.remains})
