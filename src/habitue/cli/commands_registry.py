"""Who is champion: promote, rollback, versions, retrain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    settings_of,
    store_at,
)
from habitue.cli.training import Who, tell_trained, trained, who_of
from habitue.errors import SettingsError
from habitue.terminal import Terminal

if TYPE_CHECKING:
    from habitue.pipelines.comparing import Comparison
    from habitue.pipelines.promote import Moved
    from habitue.tracking import ModelVersion, Store

__all__ = ["promote", "retrain", "rollback", "versions"]

Name = Annotated[str, typer.Argument(help="The registered model, such as habitue-churn.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for those who ask later.")]


@app.command(epilog=epilog("habitue promote habitue-churn@challenger"))
def promote(
    model: Annotated[
        str, typer.Argument(help="name@challenger or name/version; a name alone means its challenger.")
    ],
    why: Why = "",
    who: Who = None,
    force: Annotated[
        bool, typer.Option("--force", help="Without a comparison; needs --why, and is noted as forced.")
    ] = False,
    settings: SettingsFile = Path("habitue.toml"),
    log_file: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a challenger take the champion's place, if it is better on the same days by the recipe's rule.

    Both registered models are asked about the same customers at the latest days whose outcomes are known and
    that neither has learned from, beside the baselines. A challenger that is not better, or that breaks a
    floor of the recipe, is refused with the table and each condition that it broke (exit code 6).
    """
    from habitue.pipelines.promote import promote_by_force
    from habitue.tracking import resolve

    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    store = store_at(home_of(settings_of(settings), settings))
    version = resolve(store, model if "@" in model or "/" in model else f"{model}@challenger")
    if force:
        moved = promote_by_force(store, version, why=why, who=who_of(who), now=now())
    else:
        moved = _compared(version, store, settings, terminal, why=why, who=who_of(who))
    _say_moved(terminal, moved)
    terminal.answer(_facts(moved) | {"promoted": True, "forced": force} | _told(moved.comparison))


def _compared(
    version: ModelVersion, store: Store, settings: Path, terminal: Terminal, *, why: str, who: str
) -> Moved:
    """Compare and promote; where it is refused, tell the table before the error is."""
    from habitue.pipelines.promote import RefusedError, recipe_of
    from habitue.pipelines.promote import promote as run

    recipe = recipe_of(store, version, recipes_beside(settings))
    log, _ = opened(settings, terminal)
    try:
        with terminal.working(n_stages=1):
            moved = run(
                log, version, recipe, store=store, now=now(), who=who, why=why, progress=terminal.step
            )
    except RefusedError as refused:
        _say_scores(terminal, refused.comparison)
        facts = {"name": version.name, "version": version.version, "promoted": False, "forced": False}
        terminal.answer(facts | _told(refused.comparison))
        raise
    if moved.comparison is not None:
        _say_scores(terminal, moved.comparison)
    return moved


def _say_scores(terminal: Terminal, comparison: Comparison) -> None:
    terminal.scores(comparison.scores, comparison.when, champion=comparison.champion.label)


def _say_moved(terminal: Terminal, moved: Moved) -> None:
    before = "" if moved.before is None else f" in place of version {moved.before}"
    terminal.say(f"{moved.version.name}: version {moved.version.version} is champion{before}. {moved.why}")


def _facts(moved: Moved) -> dict[str, Any]:
    return {
        "name": moved.version.name,
        "version": moved.version.version,
        "before": moved.before,
        "why": moved.why,
    }


def _told(comparison: Comparison | None) -> dict[str, Any]:
    if comparison is None:
        return {"comparison": None}
    told = {
        "champion": comparison.champion.version,
        "challenger": comparison.challenger.version,
        "cutoffs": comparison.cutoffs,
        "horizon": comparison.horizon,
        "why": comparison.verdict.why,
        "failed": comparison.verdict.failed,
        "scores": comparison.scores,
    }
    return {"comparison": told}


@app.command(epilog=epilog('habitue rollback habitue-churn --why "complaints about the list"'))
def rollback(
    name: Name,
    to: Annotated[
        int | None, typer.Option(min=1, help="A version; else the champion before, by the trail.")
    ] = None,
    why: Why = "",
    who: Who = None,
    settings: SettingsFile = Path("habitue.toml"),
    log_file: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Put the champion before back in its place; again, and the one before that comes back."""
    from habitue.pipelines.promote import roll_back

    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    store = store_at(home_of(settings_of(settings), settings))
    moved = roll_back(store, name, now=now(), to=to, why=why, who=who_of(who))
    _say_moved(terminal, moved)
    terminal.answer(_facts(moved))


@app.command(epilog=epilog("habitue versions habitue-churn"))
def versions(
    name: Name,
    settings: SettingsFile = Path("habitue.toml"),
    as_json: AsJson = False,
) -> None:
    """List the versions of a model, and who moved its aliases when and why."""
    from habitue.pipelines.versions import listed_changes, listed_versions

    terminal = Terminal(as_json=as_json)
    store = store_at(home_of(settings_of(settings), settings))
    found, moved = listed_versions(store, name), listed_changes(store, name)
    columns = ["version", "label", "aliases", "learned until", "score", "registered"]
    terminal.table(f"Versions of {name}", columns, [[str(one[key]) for key in columns] for one in found])
    columns = ["no.", "when", "alias", "from", "to", "how", "who"]
    rows = [[str(one[key]) for key in columns] for one in moved]
    if rows:
        terminal.table("Changes of aliases, the last one first", columns, rows)
    for one in moved:
        terminal.say(f"{one['no.']}: {one['why']}")
    terminal.answer({"name": name, "versions": found, "changes": moved})


@app.command(epilog=epilog("habitue retrain models/churn.toml --dry-run"))
def retrain(
    recipes: Annotated[list[Path] | None, typer.Argument(help="Recipes; all of models/ if none.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be trained.")] = False,
    who: Who = None,
    settings: SettingsFile = Path("habitue.toml"),
    log_file: LogFile = None,
    as_json: AsJson = False,
) -> None:
    """Train a challenger where the table [retrain] of a recipe calls for one; else say why not.

    every = 30 asks for one whenever so many more days of outcomes are known, when = ["performance"] whenever
    the last `habitue monitor` found such an alarm. The champion stays champion, unless the recipe says
    promote = "automatic" and the challenger beats it. The exit code is 0 both ways.
    """
    from habitue.pipelines.recipes import read_recipe
    from habitue.pipelines.retrain import what_is_due

    found = recipes or recipes_beside(settings)
    if not found:
        raise SettingsError("There are no recipes in models/; `habitue init` writes some.")
    chosen = {path: read_recipe(path) for path in found}
    terminal = Terminal(as_json=as_json, log=log_file, clock=now)
    log, known = opened(settings, terminal)
    store = store_at(home_of(known, settings))
    answers: dict[str, Any] = {}
    for path, recipe in chosen.items():
        due = what_is_due(log, recipe, horizon=known.horizon, store=store)
        verb = "would be trained" if dry_run else "is trained"
        terminal.say(f"{due.name} {verb if due.is_due else 'stays as it is'}.")
        for sentence in (*due.reasons, *due.against):
            terminal.say(f"  {sentence}")
        facts: dict[str, Any] = {"due": due.is_due, "reasons": due.reasons, "against": due.against}
        if due.is_due and not dry_run:
            done = trained(log, path, known, store, terminal, who_of(who))
            facts["trained"] = tell_trained(terminal, done)
        answers[due.name] = facts
    terminal.answer(answers)
