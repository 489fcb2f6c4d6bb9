"""What `habitue train` and `habitue retrain` share: one training, told; and who did it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from habitue.cli.app import now
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.pipelines.settings import Settings
    from habitue.pipelines.train import Trained
    from habitue.records import CustomerLog
    from habitue.terminal import Terminal
    from habitue.tracking import Store

__all__ = ["Who", "tell_trained", "trained", "who_of"]

Who = Annotated[
    str | None, typer.Option("--who", help="Who does it, for the trail; else the name of the user.")
]


def who_of(given: str | None) -> str:
    """Return who does it: the name that was given, or that of the user.

    Parameters
    ----------
    given : str or None
        Of the option.
    """
    if given:
        return given
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run as a number without a name
        return ""


def trained(
    log: CustomerLog, recipe: Path, known: Settings, store: Store, terminal: Terminal, who: str
) -> Trained:
    """Train one recipe.

    Parameters
    ----------
    log : CustomerLog
        The records.
    recipe : Path
        Its file.
    known : Settings
        What the settings file says.
    store : Store
        MLflow's home.
    terminal : Terminal
        Where progress is told.
    who : str
        For the trail.
    """
    from habitue.pipelines.recipes import read_recipe
    from habitue.pipelines.train import train
    from habitue.records.history import MAIN_KINDS

    with terminal.working(n_stages=1):
        return train(
            log,
            read_recipe(recipe),
            horizon=known.horizon,
            store=store,
            source=next(check.source for kind, check in log.checks.items() if kind in MAIN_KINDS),
            recipe_text=recipe.read_text(encoding="utf-8"),
            now=now(),
            who=who,
            progress=terminal.step,
        )


def tell_trained(terminal: Terminal, done: Trained) -> dict[str, Any]:
    """Print what came of a training and what to do next; return it as plain data.

    Parameters
    ----------
    terminal : Terminal
        Where to.
    done : Trained
        What it left behind.
    """
    name, number = done.recipe.name, done.version.version
    crowned = done.alias == "champion"
    when = f"{max(done.tested.trained_until)}, {one_or_many(done.horizon, 'day')} ahead"
    champion = done.choice.label if crowned else ""
    terminal.scores(done.scores, when, champion=champion, left_out=done.not_fitted)
    terminal.say(f"{name}: version {number} is {done.alias}. {done.choice.why}")
    if done.refused:
        terminal.say(done.refused)
    terminal.say(f"Its card: habitue card {name}@{done.alias}")
    if not crowned:
        terminal.say(f"Next: habitue promote {name}@challenger")
    return {
        "name": name,
        "version": number,
        "alias": done.alias,
        "chosen": done.choice.label,
        "champion": done.choice.label if crowned else None,
        "why": done.choice.why,
        "refused": done.refused,
        "versions": done.versions,
        "not_fitted": done.not_fitted,
        "scores": done.scores,
    }
