"""All rivals on all data sets: leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from habitue.cli.app import AsJson, app, epilog
from habitue.terminal import Terminal

__all__ = ["leaderboard"]


@app.command(epilog=epilog("habitue leaderboard benchmarks/leaderboard.toml --only telco"))
def leaderboard(
    file: Annotated[Path, typer.Argument(help="A TOML file of data sets.")] = Path(
        "benchmarks/leaderboard.toml"
    ),
    data: Annotated[Path | None, typer.Option(help="Folder of the data; else the file says it.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this data set (may be repeated).")] = None,
    out: Annotated[Path, typer.Option(help="The Markdown page; a CSV lies beside it.")] = Path(
        "docs/reference/leaderboard.md"
    ),
    as_json: AsJson = False,
) -> None:
    """Run every model and rival on every data set of a file, and write one page of who wins."""
    from habitue.evaluation.leaderboard import mean_ranks
    from habitue.pipelines.leaderboard import leaderboard as run
    from habitue.pipelines.leaderboard_page import sentences

    terminal = Terminal(as_json=as_json)
    with terminal.working(n_stages=1):
        done = run(file, out, folder=data, only=only or (), stage=terminal.stage, step=terminal.step)
    ours = [one.name for one in done.settings.ours]
    told = {name: sentences(one, ours) for name, one in done.results.items()}
    for name, every in told.items():
        for sentence in every:
            terminal.say(f"{name}, {sentence.replace('**', '')}")
    for name, why in done.skipped.items():
        terminal.say(f"{name} was not run: {why}.")
    terminal.say(f"Page: {done.page}; all figures: {done.table}")
    ranks = mean_ranks(one.standings.scores for one in done.results.values())
    found = {name: one.plain() | {"sentences": told[name]} for name, one in done.results.items()}
    terminal.answer(
        {"page": done.page, "table": done.table, "data": found, "skipped": done.skipped, "ranks": ranks}
    )
