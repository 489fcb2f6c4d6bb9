"""From models to scores: train, backtest, score and report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from habitue.cli.app import (
    AsJson,
    SettingsFile,
    app,
    champions,
    epilog,
    home_of,
    now,
    opened,
    recipes_beside,
    settings_of,
    store_at,
)
from habitue.errors import SettingsError
from habitue.terminal import Terminal
from habitue.vocabulary import one_or_many

__all__ = ["backtest", "card", "report", "score", "train"]

_TITLE = "Who is about to leave, and what they are worth"


@app.command(epilog=epilog("habitue train models/churn.toml"))
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as models/churn.toml.")],
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """Train a recipe's challengers, test them on held-out days, register them and crown the better one.

    Each version gets a card: `habitue card` shows it. The tables [fairness] and [card] of a recipe say what
    is measured for it that takes a declaration or time.
    """
    from habitue.pipelines.recipes import read_recipe
    from habitue.pipelines.train import train as run
    from habitue.records.history import MAIN_KINDS

    chosen = read_recipe(recipe)
    terminal = Terminal(as_json=as_json)
    log, known = opened(settings, terminal)
    with terminal.working(n_stages=1):
        done = run(
            log,
            chosen,
            horizon=known.horizon,
            store=store_at(home_of(known, settings)),
            source=next(check.source for kind, check in log.checks.items() if kind in MAIN_KINDS),
            recipe_text=recipe.read_text(encoding="utf-8"),
            now=now(),
            progress=terminal.step,
        )
    when = f"{max(done.tested.trained_until)}, {one_or_many(done.horizon, 'day')} ahead"
    terminal.scores(done.scores, when, champion=done.choice.label, left_out=done.not_fitted)
    terminal.say(f"{chosen.name}: version {done.version.version} is champion. {done.choice.why}")
    terminal.say(f"Its card: habitue card {chosen.name}@champion")
    terminal.answer(
        {
            "name": chosen.name,
            "version": done.version.version,
            "champion": done.choice.label,
            "why": done.choice.why,
            "versions": done.versions,
            "not_fitted": done.not_fitted,
            "scores": done.scores,
        }
    )


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


@app.command(epilog=epilog("habitue score --model habitue-clv@champion --output out.parquet"))
def score(
    model: Annotated[
        list[str] | None,
        typer.Option(help="name@alias or name/version; both champions if none is named. May be given twice."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="A .parquet or .csv file; else the settings'.")] = None,
    cutoff: Annotated[str | None, typer.Option(help="The last day that counts, such as 2024-12-31.")] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Days ahead; those that the models learned if left out.")
    ] = None,
    reasons: Annotated[bool, typer.Option(help="Whether to add the three main reasons.")] = True,
    reasons_from: Annotated[
        float | None,
        typer.Option(help="Reasons from this chance of leaving on (money without a churn model)."),
    ] = None,
    reasons_top: Annotated[
        float | None, typer.Option(help="Reasons for this share of customers, those of the highest answers.")
    ] = None,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """Score every customer with registered models."""
    from habitue.pipelines.score import check_target, score_customers, write_scores
    from habitue.records.days import as_day

    terminal = Terminal(as_json=as_json)
    known = settings_of(settings)
    target = check_target(output or settings.parent / known.scores)
    day = as_day(cutoff, "--cutoff") if cutoff else known.cutoff
    log, _ = opened(settings, terminal)
    with terminal.working(n_stages=1):
        scored = score_customers(
            log,
            model or champions(settings),
            store=store_at(home_of(known, settings)),
            now=now(),
            cutoff=day,
            horizon=horizon,
            reasons=reasons,
            reasons_from=reasons_from,
            reasons_top=reasons_top,
            progress=terminal.step,
        )
        manifest = write_scores(scored, target)
    names = ", ".join(f"{one['name']}/{one['version']}" for one in scored.manifest["models"])
    customers = one_or_many(len(scored.frame), "customer")
    terminal.say(f"Scored {customers} as of {scored.manifest['cutoff']} with {names}: {target}")
    terminal.answer({"output": target, "manifest": manifest, **scored.manifest})


@app.command(epilog=epilog("habitue report --output report.html"))
def report(
    scores: Annotated[Path | None, typer.Option(help="A scores file; else the settings'.")] = None,
    output: Annotated[Path | None, typer.Option(help="The HTML page; else the settings'.")] = None,
    title: Annotated[str, typer.Option(help="Its heading.")] = _TITLE,
    customers: Annotated[int, typer.Option(min=1, help="Customers listed.")] = 500,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """Tell the scores on one self-contained page that opens without a network."""
    from habitue.pipelines.tell import tell

    terminal = Terminal(as_json=as_json)
    known = settings_of(settings)
    with terminal.working(n_stages=1):
        terminal.step("writing the report")
        page = tell(
            scores or settings.parent / known.scores,
            output or settings.parent / known.report,
            store=store_at(home_of(known, settings)),
            money=known.money,
            title=title,
            now=now(),
            n_customers=customers,
        )
    terminal.say(f"Report: {page}")
    terminal.answer({"report": page})
