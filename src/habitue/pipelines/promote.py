"""`habitue promote` and `habitue rollback`: who is champion, and how it comes to be another.

A challenger takes the champion's place where it is better by the recipe's rule on the same days
(`habitue.pipelines.comparing`), or where somebody forces it and says why. Every change stands in the trail of
the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from habitue.errors import RegistryError, SettingsError
from habitue.pipelines.backtests import Progress
from habitue.pipelines.comparing import Comparison, compare_versions
from habitue.pipelines.recipes import Recipe, read_recipe, recipe_from
from habitue.records import CustomerLog

if TYPE_CHECKING:
    from habitue.tracking import ModelVersion, Store
    from habitue.tracking.alias_changes import Change, How

__all__ = ["Moved", "RefusedError", "promote", "promote_by_force", "recipe_of", "roll_back"]


class RefusedError(RegistryError):
    """A challenger does not take the champion's place: the sentence names each condition that it broke.

    Parameters
    ----------
    comparison : Comparison
        How it did.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        told = " ".join(comparison.verdict.failed)
        super().__init__(
            f"{comparison.challenger.label} does not take the place of {comparison.champion.label}: {told}"
        )


@dataclass(frozen=True)
class Moved:
    """A new champion.

    Attributes
    ----------
    version : ModelVersion
        The champion now.
    before : int or None
        The number of the champion before.
    why : str
        As it stands in the trail.
    comparison : Comparison or None
        How it did beside the champion before; None where none was made.
    """

    version: ModelVersion
    before: int | None
    why: str
    comparison: Comparison | None = None


def recipe_of(store: Store, version: ModelVersion, beside: Sequence[Path]) -> Recipe:
    """Return the recipe whose rule a version is judged by.

    Parameters
    ----------
    store : Store
        MLflow's home.
    version : ModelVersion
        Which.
    beside : sequence of Path
        Recipes that lie beside the settings: the one of the model's name counts as it is now. Where there is
        none, the one that was kept with the version's run does.

    Raises
    ------
    SettingsError
        Where there is neither, or it says something impossible.
    """
    from habitue.tracking import logged_text

    for path in beside:
        recipe = read_recipe(path)
        if recipe.name == version.name:
            return recipe
    text = logged_text(store, version.run_id, "recipe.toml") if version.run_id else None
    if text is None:
        raise SettingsError(
            f"There is no recipe of {version.name} beside the settings, and none was kept with "
            f"{version.label}: its rule is needed. Write one into models/, or promote with --force and say "
            "why."
        )
    return recipe_from(text, name=f"kept with {version.label}")


def promote(
    log: CustomerLog,
    version: ModelVersion,
    recipe: Recipe,
    *,
    store: Store,
    now: datetime,
    who: str = "",
    why: str = "",
    progress: Progress | None = None,
) -> Moved:
    """Compare a version with the champion on the same days, and let it take its place if it passes.

    Parameters
    ----------
    log : CustomerLog
        The records.
    version : ModelVersion
        The challenger.
    recipe : Recipe
        The rule.
    store : Store
        MLflow's home.
    now : datetime
        When; noted in the trail.
    who, why : str
        For the trail; what the comparison found is added.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Moved
        Where the model has no champion, the version becomes it without a comparison.

    Raises
    ------
    RefusedError
        Where it does not pass. It is a `RegistryError` that carries the comparison.
    RegistryError
        Where it is champion already, the two cannot be compared, or the champion changed meanwhile.
    DataError
        Where no outcome is known after both trainings.
    """
    from habitue.tracking import champion

    before = champion(store, version.name)
    if before is None:
        told = " ".join(filter(None, [why, f"{version.label} is the first champion."]))
        return _move(store, version, None, how="promoted", who=who, why=told, now=now)
    _refuse_itself(version, before)
    comparison = compare_versions(log, recipe, before, version, store=store, progress=progress)
    if not comparison.verdict.passed:
        raise RefusedError(comparison)
    told = " ".join(filter(None, [why, comparison.verdict.why]))
    return _move(store, version, before, how="promoted", who=who, why=told, now=now, comparison=comparison)


def promote_by_force(store: Store, version: ModelVersion, *, why: str, now: datetime, who: str = "") -> Moved:
    """Make a version champion without a comparison; the trail says that it was forced.

    Parameters
    ----------
    store : Store
        MLflow's home.
    version : ModelVersion
        Which.
    why, who : str
        For the trail; why has to be said.
    now : datetime
        When.

    Raises
    ------
    SettingsError
        Where no reason is given.
    RegistryError
        Where it is champion already, or the champion changed meanwhile.
    """
    from habitue.tracking import champion

    if not why.strip():
        raise SettingsError("Who forces a promotion says why: add --why and a sentence.")
    before = champion(store, version.name)
    if before is not None:
        _refuse_itself(version, before)
    return _move(store, version, before, how="forced", who=who, why=why, now=now)


def roll_back(
    store: Store, name: str, *, now: datetime, to: int | None = None, why: str = "", who: str = ""
) -> Moved:
    """Put the champion before back, or a version that is named.

    Parameters
    ----------
    store : Store
        MLflow's home.
    name : str
        The registered name.
    now : datetime
        When.
    to : int, optional
        The number of the version; the champion before, by the trail, where None.
    why, who : str
        For the trail.

    Raises
    ------
    RegistryError
        Where there is no champion, none before it, or no such version.
    """
    from habitue.tracking import resolve

    present = resolve(store, name)
    number = _before(store, present) if to is None else to
    version = resolve(store, f"{name}/{number}")
    _refuse_itself(version, present)
    told = why or f"Rolled back from {present.label}."
    return _move(store, version, present, how="rolled back", who=who, why=told, now=now)


def _before(store: Store, present: ModelVersion) -> int:
    """Return the champion before the present one: each rollback takes away what was put on last."""
    from habitue.tracking.alias_changes import CHAMPION, changes

    stack = _stacked([one for one in changes(store, present.name) if one.alias == CHAMPION])
    if present.version in stack:
        stack = stack[: stack.index(present.version)]
    elif (noted := present.tags.get("habitue.champion_from", "none")).isdecimal():
        stack = [int(noted)]  # a champion from before there was a trail
    if not stack:
        raise RegistryError(
            f"There was no champion of {present.name} before {present.label}: name a version with --to "
            f"(`habitue versions {present.name}` lists them)."
        )
    return stack[-1]


def _stacked(trail: Sequence[Change]) -> list[int]:
    """Return the champions that lie under each other, without those that were taken back."""
    stack: list[int] = []
    for one in trail:
        if one.before is not None and not stack:
            stack.append(one.before)
        if one.to is None:
            continue
        if one.to in stack:
            del stack[stack.index(one.to) :]
        stack.append(one.to)
    return stack


def _refuse_itself(version: ModelVersion, present: ModelVersion) -> None:
    if version.version == present.version:
        raise RegistryError(
            f"{version.label} is the champion already; `habitue versions {version.name}` lists the others."
        )


def _move(
    store: Store,
    version: ModelVersion,
    before: ModelVersion | None,
    *,
    how: How,
    who: str,
    why: str,
    now: datetime,
    comparison: Comparison | None = None,
) -> Moved:
    """Move the alias, if the champion is still the one compared with; a challenger no longer is one."""
    from habitue.tracking import set_champion
    from habitue.tracking.registry import CHALLENGER, set_challenger, version_at

    number = None if before is None else before.version
    moved = set_champion(
        store, version.name, version.version, why=why, when=now, who=who, how=how, expected=number
    )
    challenger = version_at(store, version.name, CHALLENGER)
    if challenger is not None and challenger.version == version.version:
        set_challenger(store, version.name, None, why="It is the champion.", when=now, who=who, how=how)
    return Moved(moved, number, why, comparison)
