"""From models to what is told of them: train, card, backtest and report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    recipes_beside,
    scores_of,
    settings_of,
    store_at,
)
from habitue.cli.training import Who, tell_trained, trained, who_of
from habitue.errors import SettingsError
from habitue.terminal import Terminal
from habitue.vocabulary import one_or_many

__all__ = ["backtest", "card", "report", "train"]

_TITLE = "Who is about to leave, and what they are worth"


@app.command(epilog=epilog("habitue train models/churn.toml"))
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as models/churn.toml.")],
    who: Who = None,
    settings: SettingsFile = Path("habitue.toml"),
    log_file: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Train a recipe's challengers, test them on held-out days and register them.

    The best one becomes champion where the model has none. Where it has one, the best one becomes challenger,
    and `habitue promote` decides; a recipe with promote = "automatic" lets the training decide by the same
    comparison. Each version gets a card: `habitue card` shows it. The tables [fairness] and [card] of a
    recipe say what is measured for it that takes a declaration or time.
    """
    from habitue.pipelines.recipes import read_recipe

    read_recipe(recipe)  # what is wrong with it is told before the log is read
    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    log, known = opened(settings, terminal)
    done = trained(log, recipe, known, store_at(home_of(known, settings)), terminal, who_of(who))
    terminal.answer(tell_trained(terminal, done))


@app.command(epilog=epilog("habitue card habitue-churn@champion"))
def card(
    model: Annotated[
        str,
        typer.Argument(help="name@alias or name/version, such as habitue-churn@champion or habitue-clv/2."),
    ],
    to: Annotated[
        Path | None, typer.Option(help="A .md or .html file to write it to; else it is printed as Markdown.")
    ] = None,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """Show the card of a registered version: what it is for, how good it is, for whom, and its limits.

    What was found in training is told: scores beside every baseline, segments, how often intervals held,
    what the model goes by, leaks, fairness. What was not measured is said to be so. With --json the facts
    themselves are printed, tables included.
    """
    import json

    from habitue.pipelines.cards import card_of_version, write_card
    from habitue.report.model_card import facts_to_json, model_card

    terminal = Terminal(as_json=as_json)
    facts = card_of_version(store_at(home_of(settings_of(settings), settings)), model)
    if to is not None:
        terminal.say(f"Model card of {facts.name}/{facts.version}: {write_card(facts, to)}")
    else:
        terminal.say(model_card(facts).rstrip())
    terminal.answer({"card": to, "facts": json.loads(facts_to_json(facts))})


@app.command(epilog=epilog("habitue backtest models/clv.toml --cutoffs 3"))
def backtest(
    recipes: Annotated[list[Path] | None, typer.Argument(help="Recipes; all of models/ if none.")] = None,
    settings: SettingsFile = Path("habitue.toml"),
    cutoffs: Annotated[int | None, typer.Option(min=1, help="Past cutoffs to test at.")] = None,
    output: Annotated[Path | None, typer.Option(help="A Parquet file of predictions and outcomes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Test recipes at past cutoffs against honest baselines; nothing is registered."""
    import pandas as pd

    from habitue.pipelines.backtests import backtest_recipe, scores_of
    from habitue.pipelines.files import write_beside
    from habitue.pipelines.recipes import read_recipe

    found = recipes or recipes_beside(settings)
    if not found:
        raise SettingsError("There are no recipes in models/; `habitue init` writes some.")
    chosen = [read_recipe(path) for path in found]
    terminal = Terminal(as_json=as_json)
    log, known = opened(settings, terminal)
    answers: dict[str, Any] = {}
    frames: list[Any] = []
    for recipe in chosen:
        with terminal.working(n_stages=1):
            tested = backtest_recipe(
                log, recipe, horizon=known.horizon, n_cutoffs=cutoffs, progress=terminal.step
            )
            terminal.step("scores with bootstrap intervals")
            scores = scores_of(tested, recipe)
        days = ", ".join(map(str, tested.trained_until))
        terminal.scores(
            scores, f"{days}, {one_or_many(tested.horizon, 'day')} ahead", left_out=tested.left_out
        )
        answers[recipe.name] = {"scores": scores, "not_fitted": tested.left_out}
        frames.append(tested.frame)
    if output is not None:
        everything = pd.concat(frames, ignore_index=True)
        write_beside(output, lambda to: everything.to_parquet(to, index=False))
        terminal.say(f"Predictions and outcomes: {output}")
    terminal.answer(answers)


@app.command(epilog=epilog("habitue report --output report.html"))
def report(
    scores: Annotated[
        str | None,
        typer.Option(help="Where the scores are, a file, folder or database; else the settings'."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The HTML page; else the settings'.")] = None,
    title: Annotated[str, typer.Option(help="Its heading.")] = _TITLE,
    customers: Annotated[int, typer.Option(min=1, help="Customers listed.")] = 500,
    scorecard: Annotated[
        Path | None, typer.Option(help="Of `habitue scorecard`; else the settings', where it is there.")
    ] = None,
    decision: Annotated[
        Path | None,
        typer.Option(
            help="Of `habitue decide`, a round or all of them; actions/ beside the settings if not said."
        ),
    ] = None,
    readout: Annotated[
        Path | None,
        typer.Option(
            help="Of `habitue measure readout`; measure/readout.json beside the settings if not said."
        ),
    ] = None,
    settings: SettingsFile = Path("habitue.toml"),
    log: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell it all on one self-contained page that opens without a network.

    The newest scores; and, where they are there, the scorecard with its targets, the newest plan, and what
    past actions achieved. What is not there is said on the page, with the command that makes it.
    """
    from habitue.pipelines.tell import tell
    from habitue.pipelines.tell_loop import LoopFiles

    terminal = Terminal(as_json=as_json, log=log, clock=now)
    known = settings_of(settings)
    asked = {"scorecard": scorecard, "decision": decision, "readout": readout}
    with terminal.working(n_stages=1):
        terminal.step("writing the report")
        page = tell(
            scores or scores_of(known, settings),
            output or settings.parent / known.report,
            store=store_at(home_of(known, settings)),
            money=known.money,
            title=title,
            now=now(),
            n_customers=customers,
            loop=LoopFiles(
                scorecard or settings.parent / known.scorecard.output,
                decision or settings.parent / "actions",
                readout or settings.parent / "measure" / "readout.json",
                frozenset(name for name, given in asked.items() if given is not None),
            ),
        )
    terminal.say(f"Report: {page}")
    terminal.answer({"report": page})
