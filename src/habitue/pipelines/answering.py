"""What is registered: each tested model, with the interval of its answers and what is answered beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from sklearn.base import BaseEstimator

from habitue.errors import FitError, HabitueError
from habitue.evaluation.learning import Known
from habitue.evaluation.rivals import fit_before, predict_target
from habitue.models import BGNBD, ChurnAnswers, ValueAnswers, ValueInterval
from habitue.models.small_bases import fit_steadily
from habitue.pipelines.backtests import Progress
from habitue.pipelines.recipes import Recipe
from habitue.pipelines.training import Training, seen_by
from habitue.snapshots import Snapshot, stack
from habitue.snapshots.profile import Profile

__all__ = ["answers_of"]

_EVERY: Final = 5
"""One customer in so many is kept from a model to learn its interval from."""


def _purchases(now_known: Snapshot) -> BGNBD:
    """Fit what stands behind p_alive and expected_purchases, whichever model answers the question itself."""
    try:
        return fit_steadily(BGNBD(), now_known.X)
    except FitError as error:
        raise FitError(
            f"p_alive and expected purchases come from BG/NBD, which could not be fitted: {error}"
        ) from error


def answers_of(training: Training, tell: Progress) -> dict[str, ChurnAnswers | ValueAnswers]:
    """Bundle what is registered: each model of the last cutoff, and what stands beside its answer.

    All are made before any is registered, so that a failure leaves no half of them behind.

    Parameters
    ----------
    training : Training
        What was tested, and what it learned from.
    tell : callable
        Called with one line before each step.

    Returns
    -------
    dict of ChurnAnswers or ValueAnswers
        By label.

    Raises
    ------
    FitError
        Where BG/NBD, which answers beside all others, cannot be fitted.
    """
    tested, known, recipe = training.tested, training.known, training.recipe
    # Who has a contract may never have bought: nothing is known of the rhythm of all of them.
    purchases: Any = None if tested.churn == "contracts" else _purchases(known.now)
    beside: dict[str, Any] = {
        "purchases": purchases,
        "horizon": tested.horizon,
        "population": known.population.to_json(),
        "profile": Profile.of(stack(known.past).X).to_json(),
    }
    answers: dict[str, ChurnAnswers | ValueAnswers] = {}
    for label in (one.name for one in recipe.challengers if one.name not in tested.left_out):
        model: Any = tested.models[known.now.window.cutoff, recipe.target, label]
        if recipe.target == "churned":
            answers[label] = ChurnAnswers(classifier=model, churn=tested.churn, **beside)
        else:
            tell(f"{label}: intervals")
            interval = _interval(model, known, recipe)
            answers[label] = ValueAnswers(regressor=model, interval=interval, **beside)
    return answers


def _interval(model: BaseEstimator, known: Known, recipe: Recipe) -> ValueInterval:
    """Learn the interval from customers kept from a copy of the model, all before the cutoff."""
    found = getattr(model, "best_estimator_", model)  # a tuned model is not tuned again
    snapshots = [replace(one, X=seen_by(found, one.X)) for one in known.past]
    horizon = known.now.window.horizon
    everybody = snapshots[-1].X.index
    kept = everybody[np.arange(len(everybody)) % _EVERY == 0]
    learned = [_only(snapshot, ~snapshot.X.index.isin(kept)) for snapshot in snapshots]
    try:
        copy = fit_before(found, recipe.target, learned[-1], stack(learned), horizon)
    except HabitueError:
        # Too few customers to part: learned from those it was fitted on, an interval is too narrow.
        copy, kept = model, everybody
    judged = _only(snapshots[-1], snapshots[-1].X.index.isin(kept))
    predicted = predict_target(copy, recipe.target, judged.X, horizon)
    return ValueInterval(confidence=recipe.interval).fit(predicted, judged.outcomes["spend"])


def _only(snapshot: Snapshot, chosen: Any) -> Snapshot:
    return Snapshot(snapshot.window, snapshot.X.loc[chosen], snapshot.outcomes.loc[chosen])
