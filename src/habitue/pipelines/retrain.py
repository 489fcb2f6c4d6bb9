"""`habitue retrain`: whether it is time for a challenger, by the recipe's own rule.

Two things can call for one: so many more days whose outcomes are known, and alarms of the last monitoring. It
deliberately decides about training alone; whether the challenger becomes champion is decided as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from habitue.pipelines.monitoring.monitored import last_monitored
from habitue.pipelines.recipes import Recipe
from habitue.records import CustomerLog
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.tracking import ModelVersion, Store

__all__ = ["Due", "what_is_due"]


@dataclass(frozen=True)
class Due:
    """Whether a recipe is to be trained, and why or why not.

    Attributes
    ----------
    name : str
        The registered model.
    reasons : tuple of str
        Sentences that call for it; none where nothing does.
    against : tuple of str
        Sentences about what was looked at and does not.
    """

    name: str
    reasons: tuple[str, ...]
    against: tuple[str, ...]

    @property
    def is_due(self) -> bool:
        """Whether a challenger is to be trained."""
        return bool(self.reasons)


def what_is_due(log: CustomerLog, recipe: Recipe, *, horizon: int, store: Store) -> Due:
    """Tell whether a recipe's rule calls for a new challenger.

    Parameters
    ----------
    log : CustomerLog
        The records.
    recipe : Recipe
        Its table [retrain] is the rule; where it has none, nothing calls for a training but that there is no
        champion yet.
    horizon : int
        Days ahead, where the recipe names none.
    store : Store
        MLflow's home.

    Returns
    -------
    Due

    Notes
    -----
    Days are counted from the last day that the newest of champion and challenger learned from to the last day
    that a training could learn from now, one horizon before the records end: so many days of outcomes are
    new. An alarm counts if it is about the present champion, and no challenger was trained since on records
    that reach as far.
    """
    from habitue.tracking import champion
    from habitue.tracking.registry import CHALLENGER, version_at

    present = champion(store, recipe.name)
    if present is None:
        return Due(recipe.name, ("There is no champion yet.",), ())
    rule, challenger = recipe.retrain, version_at(store, recipe.name, CHALLENGER)
    if rule.every is None and not rule.when:
        return Due(recipe.name, (), ("The recipe has no rule: write a table [retrain] into it.",))
    told: list[tuple[bool, str]] = []
    if rule.every is not None:
        there = [one for one in (present, challenger) if one is not None]
        latest = log.observed_until - timedelta(days=recipe.horizon or horizon)
        told.append(_new_days(store, there, latest, rule.every))
    if rule.when:
        told.append(_alarms(store, recipe, present, challenger))
    return Due(
        recipe.name,
        tuple(sentence for calls, sentence in told if calls),
        tuple(sentence for calls, sentence in told if not calls),
    )


def _new_days(store: Store, versions: list[ModelVersion], latest: date, every: int) -> tuple[bool, str]:
    """Tell whether enough days of outcomes are new, in a sentence."""
    from habitue.tracking.registry import learned_until

    days = [learned_until(store, one) for one in versions]
    known = max((day for day in days if day is not None), default=None)
    if known is None:
        return True, "Nothing says until which day the champion learned."
    new = max(0, (latest - known).days)
    newest = versions[days.index(known)].label
    return (
        new >= every,
        f"A training could learn until {latest} now, {one_or_many(new, 'day')} more than {newest} did; the "
        f"recipe asks for one every {one_or_many(every, 'day')}.",
    )


def _alarms(
    store: Store, recipe: Recipe, present: ModelVersion, challenger: ModelVersion | None
) -> tuple[bool, str]:
    """Tell whether the last monitoring calls for a training, in a sentence."""
    monitored, kinds = last_monitored(store, recipe.name), recipe.retrain.when
    if monitored is None:
        return False, "The model was never monitored: `habitue monitor` looks for alarms."
    looked = f"The monitoring as of {monitored.cutoff}"
    if monitored.version != present.version:
        return False, f"{looked} was about version {monitored.version}, which is not the champion."
    heard = [alarm for alarm in monitored.alarms if alarm.kind in kinds]
    if not heard:
        return False, f"{looked} found no alarm of {', '.join(kinds)}."
    told = " ".join(alarm.told for alarm in heard[:3])
    several = f" (and {len(heard) - 3} more)" if len(heard) > 3 else ""
    sentence = f"{looked} found {one_or_many(len(heard), 'alarm')}: {told}{several}"
    reached = "" if challenger is None else challenger.tags.get("habitue.observed_until", "")
    if challenger is not None and reached >= str(monitored.cutoff):
        return False, f"{sentence} {challenger.label} was trained since, and waits for `habitue promote`."
    return True, sentence
