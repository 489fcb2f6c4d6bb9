"""What every training tries before its models are trusted: that they do not know what they cannot know."""

from __future__ import annotations

import warnings

from habitue.errors import HabitueWarning
from habitue.evaluation.future_records import future_changes_nothing
from habitue.evaluation.leakage_probe import leakage_probe
from habitue.evaluation.learning import Known
from habitue.evaluation.rivals import needs_outcomes
from habitue.pipelines.recipes import Recipe
from habitue.records import CustomerLog

__all__ = ["probed"]


def probed(log: CustomerLog, recipe: Recipe, known: Known) -> str:
    """Put in a future, an outcome and false outcomes, and tell what became of them.

    Parameters
    ----------
    log : CustomerLog
        The records.
    recipe : Recipe
        The first of its challengers that learns from outcomes is tried.
    known : Known
        What they learn from.

    Returns
    -------
    str
        A few sentences, for the run and the model card.

    Raises
    ------
    LeakageError
        Where records after the cutoff changed a feature, a feature made of the outcome was not noticed, or a
        model that learned from shuffled outcomes still ranks customers.

    Warns
    -----
    HabitueWarning
        Where a feature alone tells the outcome.
    """
    horizon, window = known.now.window.horizon, known.past[-1].window
    future = future_changes_nothing(log, window, recipe.features, population=known.population)
    told = [future.told]
    learners = [one for one in recipe.challengers if needs_outcomes(one.untuned())]
    if learners:
        probe = leakage_probe(learners[0].untuned(), known, recipe.target, horizon)
        told.append(probe.told)
        if len(probe.suspects):
            warnings.warn(probe.told, HabitueWarning, stacklevel=3)
    return " ".join(told)
