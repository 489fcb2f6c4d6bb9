"""The whole journey at once: demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from habitue.cli.app import AsJson, app, epilog, now, store_at
from habitue.cli.telling import tell_demo
from habitue.terminal import Terminal

__all__ = ["demo"]


@app.command(epilog=epilog("habitue demo"))
def demo(
    folder: Annotated[Path, typer.Option(help="Where scores and report go.")] = Path("demo"),
    mlruns: Annotated[str, typer.Option(help="MLflow's home: a folder or an address.")] = "mlruns",
    as_json: AsJson = False,
) -> None:
    """Run the whole journey on CDNOW: read, learn, test, register, score, report."""
    from habitue.pipelines.demo import demo as run

    terminal = Terminal(as_json=as_json)
    with terminal.working(n_stages=7):
        terminal.step("starting")
        done = run(folder, store=store_at(mlruns), now=now(), stage=terminal.stage, step=terminal.step)
    champions = {one["role"]: f"{one['name']}/{one['version']}" for one in done.scored.manifest["models"]}
    tell_demo(terminal, done, ", ".join(champions.values()), mlruns)
    terminal.answer(
        {
            "scores": done.scores_path,
            "report": done.report_path,
            "champions": champions,
            "seconds": done.seconds,
            "published": done.published,
            "tables": {name: one.scores for name, one in done.trained.items()},
        }
    )
