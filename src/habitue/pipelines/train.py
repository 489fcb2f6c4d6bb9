"""`habitue train`: challengers are tested on held-out days, registered, and the better one crowned.

A challenger that cannot be fitted to these data is told of and left out; the others compete without it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from habitue.errors import DataError, FitError, HabitueError, HabitueWarning
from habitue.evaluation import SCORES, Backtest, backtest
from habitue.evaluation.learning import Known, what_is_known
from habitue.evaluation.rivals import BASELINES_TOLD_BY, fit_before, predict_target
from habitue.models import BGNBD, ChurnAnswers, ValueAnswers, ValueInterval
from habitue.models.small_bases import fit_steadily
from habitue.pipelines.probing import probed
from habitue.pipelines.recipes import Recipe
from habitue.pipelines.remember import Training, curves_of, remember
from habitue.records import CustomerLog
from habitue.snapshots import Snapshot, Window, stack, training_cutoffs
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.tracking import ModelVersion, Store

__all__ = [
    "Choice",
    "Trained",
    "backtest_recipe",
    "choose_champion",
    "evaluation_cutoffs",
    "scores_of",
    "train",
]

Progress = Callable[[str], None]

_EVERY = 5
"""One customer in so many is kept from a model to learn its interval from."""


@dataclass(frozen=True)
class Choice:
    """Which challenger won, and why, in one sentence."""

    label: str
    why: str


@dataclass(frozen=True)
class Trained:
    """What a training left behind.

    Attributes
    ----------
    recipe : Recipe
        What was trained.
    horizon : int
        Days ahead.
    tested : Backtest
        Predictions and outcomes of all models.
    scores : DataFrame
        target, model, score, value, lower, upper; a challenger that could not be fitted has no values.
    curves : Mapping[str, DataFrame]
        reliability, gains and deciles of the challengers and baselines.
    choice : Choice
        The champion's label and why.
    version : ModelVersion
        Its registered version.
    versions : Mapping[str, int]
        Registered version of every challenger that could be fitted.
    not_fitted : Mapping[str, str]
        Challengers that could not, and why.
    """

    recipe: Recipe
    horizon: int
    tested: Backtest
    scores: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    choice: Choice
    version: ModelVersion
    versions: Mapping[str, int]
    not_fitted: Mapping[str, str]


def evaluation_cutoffs(log: CustomerLog, horizon: int, n_cutoffs: int = 1) -> list[date]:
    """Return the latest cutoffs whose horizon lies inside the log, one horizon apart, in order of time.

    Parameters
    ----------
    log : CustomerLog
        Says where records begin and end.
    horizon : int
        Days ahead.
    n_cutoffs : int
        So many, or as many as the log has room for.

    Raises
    ------
    DataError
        Where the log is shorter than two horizons: one to learn from and one to be tested on.

    Warns
    -----
    HabitueWarning
        Where the log has room for fewer.
    """
    # Counted in days: whatever the horizon, no date before the calendar begins is ever made.
    span = (log.observed_until - log.first_day).days
    room = (span - 1) // horizon - 1
    if room < 1:
        raise DataError(
            f"The log spans {one_or_many(span, 'day')} ({log.first_day} to {log.observed_until}); a horizon "
            f"of {one_or_many(horizon, 'day')} needs more than twice that many: one to learn from, one to "
            f"be tested on. {_way_out(span)}"
        )
    if room < n_cutoffs:
        warnings.warn(
            f"The log has room for {room} of {n_cutoffs} cutoffs {one_or_many(horizon, 'day')} apart: only "
            "so many are tested.",
            HabitueWarning,
            stacklevel=2,
        )
    latest = log.observed_until - timedelta(days=horizon)
    return [latest - timedelta(days=horizon * place) for place in reversed(range(min(room, n_cutoffs)))]


def _way_out(span: int) -> str:
    longest = (span - 1) // 2
    return (
        f"Choose a horizon of at most {one_or_many(longest, 'day')}."
        if longest > 0
        else "More days of records are needed."
    )


def backtest_recipe(
    log: CustomerLog,
    recipe: Recipe,
    *,
    horizon: int,
    n_cutoffs: int | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Test a recipe's challengers and the baselines at past cutoffs.

    Parameters
    ----------
    log : CustomerLog
        The records.
    recipe : Recipe
        Challengers and when to test them.
    horizon : int
        Days ahead, where the recipe names none.
    n_cutoffs : int, optional
        Past cutoffs; the recipe's number where None.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Backtest
        Without the challengers that could not be fitted; ``left_out`` says why.

    Raises
    ------
    FitError
        Where none could be fitted.
    """
    days = recipe.horizon or horizon
    return backtest(
        log,
        {challenger.name: challenger.build() for challenger in recipe.challengers},
        cutoffs=evaluation_cutoffs(log, days, n_cutoffs or recipe.evaluation.n_cutoffs),
        horizon=days,
        n_training=recipe.evaluation.n_training,
        step=recipe.evaluation.step,
        features=recipe.features,
        churn=recipe.churn,
        leave_out=True,
        progress=progress,
    )


def scores_of(tested: Backtest, recipe: Recipe) -> pd.DataFrame:
    """Score all models; challengers that could not be fitted are in the table, without values.

    Parameters
    ----------
    tested : Backtest
        Of `backtest_recipe`.
    recipe : Recipe
        Says how many bootstrap draws stand behind each interval.

    Returns
    -------
    DataFrame
        target, model, score, value, lower, upper.
    """
    scores = tested.scores(n_replicates=recipe.evaluation.n_replicates)
    empty = [
        {
            "target": recipe.target,
            "model": name,
            "score": score.name,
            "value": np.nan,
            "lower": np.nan,
            "upper": np.nan,
        }
        for name in tested.left_out
        for score in SCORES[recipe.target]
    ]
    return pd.concat([scores, pd.DataFrame(empty)], ignore_index=True) if empty else scores


def train(
    log: CustomerLog,
    recipe: Recipe,
    *,
    horizon: int,
    store: Store,
    source: str,
    recipe_text: str,
    now: datetime,
    progress: Progress | None = None,
) -> Trained:
    """Test, log and register every challenger of a recipe, and set the alias champion to the better one.

    Parameters
    ----------
    log : CustomerLog
        The records.
    recipe : Recipe
        What to train.
    horizon : int
        Days ahead, where the recipe names none.
    store : Store
        MLflow's home.
    source : str
        The data, as people name them.
    recipe_text : str
        The recipe as it was written; kept with every run.
    now : datetime
        When; noted on the champion.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Trained
    """
    from habitue.tracking import set_champion

    tell = progress or (lambda _: None)
    days = recipe.horizon or horizon
    tested = backtest_recipe(log, recipe, horizon=days, progress=tell)
    tell("scores with bootstrap intervals")
    scores = scores_of(tested, recipe)
    choice = choose_champion(tested, scores, recipe)
    known = _known(log, recipe, Window(max(tested.trained_until), days), tested.churn)
    tell("scores by segment")
    draws = recipe.evaluation.n_replicates
    labels = [one.name for one in recipe.challengers]
    told = tested.segments is not None
    by_segment = tested.scores_by_segment(recipe.target, models=labels, n_replicates=draws) if told else None
    tell("probing for leaks")
    training = Training(
        recipe=recipe,
        recipe_text=recipe_text,
        tested=tested,
        scores=scores,
        curves=curves_of(tested, recipe.target),
        why=choice.why,
        now_known=known.now,
        learned_from=[snapshot.window.cutoff for snapshot in known.past],
        silent=known.silent,
        probed=probed(log, recipe, known),
        fingerprint=log.fingerprint(),
        source=source,
        first_day=log.first_day,
        last_day=log.observed_until,
        n_quarantined=sum(check.n_quarantined for check in log.checks.values()),
        by_segment=by_segment,
    )
    ready = _answers(training, known, tell)
    versions: dict[str, int] = {}
    for label, answers in ready.items():
        tell(f"{label}: logging and registering")
        versions[label] = remember(label, answers, training, store)
    version = set_champion(store, recipe.name, versions[choice.label], why=choice.why, when=now)
    return Trained(
        recipe, days, tested, scores, training.curves, choice, version, versions, dict(tested.left_out)
    )


def _known(log: CustomerLog, recipe: Recipe, window: Window, churn: str) -> Known:
    """Return what the models of this window learned from."""
    asked = recipe.evaluation
    cutoffs = training_cutoffs(log, window, n_cutoffs=asked.n_training, step=asked.step)
    earlier = [Window(cutoff, window.horizon) for cutoff in cutoffs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)  # the backtest gave them
        keep = BASELINES_TOLD_BY[churn].columns
        return what_is_known(log, window, earlier, recipe.features, keep=keep, churn=churn)


def choose_champion(tested: Backtest, scores: pd.DataFrame, recipe: Recipe) -> Choice:
    """Choose by the recipe's rule: the best by one score, or the simplest that the data cannot tell from it.

    Parameters
    ----------
    tested : Backtest
        For the paired comparison.
    scores : DataFrame
        Of `Backtest.scores`.
    recipe : Recipe
        Challengers from simple to complex, and the rule.

    Returns
    -------
    Choice
        Its sentence also names the challengers that could not be fitted. Where the score is not defined, as
        AUC where nobody left, the simplest challenger is chosen.
    """
    labels = [one.name for one in recipe.challengers if one.name not in tested.left_out]
    told = "".join(f" {name} could not be fitted: {why}" for name, why in tested.left_out.items())
    asked = (scores["target"] == recipe.target) & (scores["score"] == recipe.champion.metric)
    found = dict(zip(scores.loc[asked, "model"], scores.loc[asked, "value"], strict=True))
    values = {label: float(found[label]) for label in labels}
    chosen = _best(tested, values, recipe)
    return Choice(chosen.label, chosen.why + told)


def _best(tested: Backtest, values: Mapping[str, float], recipe: Recipe) -> Choice:
    """Apply the rule to the values of those that were fitted, from simple to complex."""
    metric, labels = recipe.champion.metric, list(values)
    ranked = sorted(
        (label for label in labels if np.isfinite(values[label])), key=lambda one: _loss(values[one], recipe)
    )
    if not ranked:
        why = f"{labels[0]}: {metric} is not defined on these held-out days; it is the simplest."
        return Choice(labels[0], why)
    told = ", ".join(f"{label} {values[label]:.4f}" for label in ranked)
    if len(labels) == 1:
        return Choice(labels[0], f"{labels[0]}: the only challenger ({metric} on held-out days {told}).")
    best, confidence = ranked[0], recipe.champion.confidence
    for simpler in labels[: labels.index(best)]:
        difference = tested.compare(best, simpler, metric, target=recipe.target, confidence=confidence)
        if not (difference.lower > 0.0 or difference.upper < 0.0):
            return Choice(
                simpler,
                f"{simpler}: by {metric} ({told}) {best} is not better beyond chance "
                f"({difference.value:+.4f}, {confidence:.0%} interval {difference.lower:+.4f} to "
                f"{difference.upper:+.4f}), and {simpler} is the simpler of the two.",
            )
    return Choice(best, f"{best}: best by {metric} on held-out days ({told}).")


def _loss(value: float, recipe: Recipe) -> float:
    """Turn a score so that less is better."""
    score = next(one for one in SCORES[recipe.target] if one.name == recipe.champion.metric)
    if score.greater_is_better is None:
        return abs(value - (score.ideal or 0.0))
    return -value if score.greater_is_better else value


def _purchases(now_known: Snapshot) -> BGNBD:
    """Fit what stands behind p_alive and expected_purchases, whichever model answers the question itself."""
    try:
        return fit_steadily(BGNBD(), now_known.X)
    except FitError as error:
        raise FitError(
            f"p_alive and expected purchases come from BG/NBD, which could not be fitted: {error}"
        ) from error


def _answers(training: Training, known: Known, tell: Progress) -> dict[str, ChurnAnswers | ValueAnswers]:
    """Bundle what is registered: each model of the last cutoff, and what stands beside its answer.

    All are made before any is registered, so that a failure leaves no half of them behind.
    """
    tested, window, recipe = training.tested, training.now_known.window, training.recipe
    # Who has a contract may never have bought: nothing is known of the rhythm of all of them.
    purchases: Any = None if tested.churn == "contracts" else _purchases(training.now_known)
    beside: dict[str, Any] = {
        "purchases": purchases,
        "horizon": tested.horizon,
        "population": known.population.to_json(),
    }
    answers: dict[str, ChurnAnswers | ValueAnswers] = {}
    for label in (one.name for one in recipe.challengers if one.name not in tested.left_out):
        model: Any = tested.models[window.cutoff, recipe.target, label]
        if recipe.target == "churned":
            answers[label] = ChurnAnswers(classifier=model, churn=tested.churn, **beside)
        else:
            tell(f"{label}: intervals")
            interval = _interval(model, known, recipe)
            answers[label] = ValueAnswers(regressor=model, interval=interval, **beside)
    return answers


def _interval(model: BaseEstimator, known: Known, recipe: Recipe) -> ValueInterval:
    """Learn the interval from customers kept from a copy of the model, all before the cutoff."""
    snapshots, horizon = known.past, known.now.window.horizon
    everybody = snapshots[-1].X.index
    kept = everybody[np.arange(len(everybody)) % _EVERY == 0]
    learned = [_only(snapshot, ~snapshot.X.index.isin(kept)) for snapshot in snapshots]
    try:
        found = getattr(model, "best_estimator_", model)  # a tuned model is not tuned again
        copy = fit_before(found, recipe.target, learned[-1], stack(learned), horizon)
    except HabitueError:
        # Too few customers to part: learned from those it was fitted on, an interval is too narrow.
        copy, kept = model, everybody
    judged = _only(snapshots[-1], snapshots[-1].X.index.isin(kept))
    predicted = predict_target(copy, recipe.target, judged.X, horizon)
    return ValueInterval(confidence=recipe.interval).fit(predicted, judged.outcomes["spend"])


def _only(snapshot: Snapshot, chosen: Any) -> Snapshot:
    return Snapshot(snapshot.window, snapshot.X.loc[chosen], snapshot.outcomes.loc[chosen])
