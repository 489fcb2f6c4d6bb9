"""Champion and challenger are asked on the same days: the registered models themselves, nothing is refitted.

The days are the latest whose outcomes the records know, and neither of the two may have learned from what
came after them. The baselines of every backtest stand beside. It deliberately decides nothing: see
`habitue.pipelines.promotion_rule`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from habitue.errors import DataError, HabitueWarning, RegistryError, SettingsError
from habitue.evaluation.learning import Known, what_is_known
from habitue.evaluation.paired import judge, score_table
from habitue.evaluation.rivals import (
    BASELINES_TOLD_BY,
    fit_before,
    needs_examples,
    needs_outcomes,
    predict_target,
)
from habitue.evaluation.segments import segment_of
from habitue.features import features_for
from habitue.pipelines.backtests import Progress
from habitue.pipelines.promotion_rule import Pair, Verdict, judge_challenger
from habitue.pipelines.recipes import Recipe
from habitue.records import CustomerLog
from habitue.snapshots import Population, Window, stack, take_snapshot, training_cutoffs
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.tracking import LoadedModel, ModelVersion, Store

__all__ = ["Comparison", "compare_versions", "comparison_cutoffs"]


@dataclass(frozen=True)
class Comparison:
    """How a challenger did beside the champion.

    Attributes
    ----------
    champion, challenger : ModelVersion
        Who was asked.
    cutoffs : tuple of date
        When.
    horizon : int
        Days ahead.
    scores : DataFrame
        target, model, score, value, lower, upper of both, named as ``name/number``, and of the baselines.
    verdict : Verdict
        What the recipe's rule says.
    """

    champion: ModelVersion
    challenger: ModelVersion
    cutoffs: tuple[date, ...]
    horizon: int
    scores: pd.DataFrame
    verdict: Verdict

    @property
    def when(self) -> str:
        """What was predicted from when."""
        return f"{', '.join(map(str, self.cutoffs))}, {one_or_many(self.horizon, 'day')} ahead"


def comparison_cutoffs(
    log: CustomerLog, horizon: int, learned: date, *, n_cutoffs: int = 1
) -> tuple[date, ...]:
    """Return the latest days with known outcomes, one horizon apart, none before what was learned.

    Parameters
    ----------
    log : CustomerLog
        Says how far outcomes are known.
    horizon : int
        Days ahead.
    learned : date
        The last day that one of the two learned from.
    n_cutoffs : int
        So many at most.

    Raises
    ------
    DataError
        Where there is none; says how many days of records are missing.
    """
    latest = log.observed_until - timedelta(days=horizon)
    if missing := max(0, (learned - latest).days):
        raise DataError(
            f"The models learned until {learned}, and what happened within {one_or_many(horizon, 'day')} of "
            f"that is known only once the records reach {learned + timedelta(days=horizon)}: "
            f"{one_or_many(missing, 'day')} more than the {log.observed_until} that they reach. Wait for "
            "them, or promote with --force and say why."
        )
    days = [latest - timedelta(days=horizon * place) for place in range(n_cutoffs)]
    return tuple(sorted(day for day in days if day >= learned))


def compare_versions(
    log: CustomerLog,
    recipe: Recipe,
    champion: ModelVersion,
    challenger: ModelVersion,
    *,
    store: Store,
    progress: Progress | None = None,
) -> Comparison:
    """Ask two registered versions about the same customers on the same days, and judge them by the recipe.

    Parameters
    ----------
    log : CustomerLog
        The records.
    recipe : Recipe
        Says by what, on how many days, and beside which features baselines learn.
    champion, challenger : ModelVersion
        Who is asked; both are verified before they are loaded.
    store : Store
        MLflow's home.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Comparison

    Raises
    ------
    RegistryError
        Where they do not answer the same question, one of them is not what was registered, or does not say
        until when it learned.
    DataError
        Where no outcome is known after both trainings.
    """
    from habitue.tracking import load

    tell = progress or (lambda _: None)
    tell(f"loading {champion.label} and {challenger.label}")
    learned = max(_learned(store, one) for one in (champion, challenger))
    asked = [load(store, one) for one in (champion, challenger)]
    horizon = _one_question(asked, recipe)
    cutoffs = comparison_cutoffs(log, horizon, learned, n_cutoffs=recipe.evaluation.n_cutoffs)
    parts = [_asked_at(log, Window(day, horizon), asked, recipe, tell) for day in cutoffs]
    frame = pd.concat([part for part, _ in parts], ignore_index=True)
    segments = _together([kinds for _, kinds in parts], cutoffs)
    tell("scores with bootstrap intervals")
    judged = judge(frame, recipe.target, n_replicates=recipe.evaluation.n_replicates)
    pair = Pair(champion.label, challenger.label, _is_simpler(recipe, champion, challenger))
    verdict = judge_challenger(frame, segments, judged, pair, recipe)
    return Comparison(champion, challenger, cutoffs, horizon, score_table(judged), verdict)


def _learned(store: Store, version: ModelVersion) -> date:
    from habitue.tracking.registry import learned_until

    day = learned_until(store, version)
    if day is None:
        raise RegistryError(
            f"{version.label} does not say until which day it learned, so no days can be named that it has "
            "not seen. Train a challenger anew, or promote with --force and say why."
        )
    return day


def _one_question(asked: Sequence[LoadedModel], recipe: Recipe) -> int:
    """Return the days ahead that both answer for; refuse two that cannot be compared."""
    champion, challenger = asked
    kinds = [(_target(one), _told_by(one)) for one in asked]
    if kinds[0] != kinds[1] or kinds[0][0] != recipe.target:
        raise RegistryError(
            f"{challenger.version.label} and {champion.version.label} do not answer the same question, or "
            f"not that of the recipe ({recipe.target}): a comparison would say nothing. Promote with "
            "--force, and say why."
        )
    horizon = int(challenger.answers.horizon)
    try:
        champion.answers.check_horizon(horizon)
    except SettingsError as error:
        raise RegistryError(
            f"{challenger.version.label} looks {one_or_many(horizon, 'day')} ahead, and the champion cannot: "
            f"{error} Or promote with --force, and say why."
        ) from error
    return horizon


def _target(one: LoadedModel) -> str:
    return "churned" if hasattr(one.answers, "classifier") else "spend"


def _told_by(one: LoadedModel) -> str:
    return getattr(one.answers, "churn", "transactions")


def _is_simpler(recipe: Recipe, champion: ModelVersion, challenger: ModelVersion) -> bool:
    """Tell whether the challenger stands before the champion in the recipe, where both are in it."""
    places = {one.name: place for place, one in enumerate(recipe.challengers)}
    theirs, mine = (places.get(one.tags.get("habitue.label", "")) for one in (champion, challenger))
    return theirs is not None and mine is not None and mine < theirs


def _asked_at(
    log: CustomerLog, window: Window, asked: Sequence[LoadedModel], recipe: Recipe, tell: Progress
) -> tuple[pd.DataFrame, pd.Series | None]:
    """Return what all said at one cutoff and what came to be, and what kind of customer each was."""
    tell(f"{window.cutoff}: snapshots")
    known = _known(log, window, recipe, _told_by(asked[0]))
    said = {one.version.label: _said(log, window, one, known.now.X.index) for one in asked}
    tell(f"{window.cutoff}: baselines")
    said |= _baselines(known, recipe.target, _told_by(asked[0]))
    outcome = known.now.outcomes[recipe.target].to_numpy(dtype="float64")
    frames = [
        pd.DataFrame(
            {"cutoff": window.cutoff, "customer_id": known.now.X.index, "target": recipe.target,
             "model": name, "prediction": prediction, "outcome": outcome}
        )
        for name, prediction in said.items()
    ]  # fmt: skip
    try:
        kinds = segment_of(known.now.X, horizon=window.horizon)
    except DataError:  # the features that were chosen tell of none
        kinds = None
    return pd.concat(frames, ignore_index=True), kinds


def _known(log: CustomerLog, window: Window, recipe: Recipe, told_by: str) -> Known:
    """Return the base at the cutoff, and what baselines learn from; nothing where the past is too short."""
    plan, keep = recipe.evaluation, BASELINES_TOLD_BY[told_by].columns
    try:
        days = training_cutoffs(log, window, n_cutoffs=plan.n_training, step=plan.step)
    except DataError:
        days = []
    possible = {one.name for one in features_for(log.until(window.cutoff))}
    columns = (
        None if recipe.features is None else [*recipe.features, *(one for one in keep if one in possible)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)  # the training gave them
        earlier = [Window(day, window.horizon) for day in days]
        return what_is_known(log, window, earlier, columns, keep=keep, churn=told_by)


def _said(log: CustomerLog, window: Window, one: LoadedModel, customers: pd.Index) -> Any:
    """Ask a registered model, with the features as it learned them."""
    answers: Any = one.answers
    population = Population.from_json(answers.population) if answers.population else None
    # Some features look as far back as the horizon looks ahead: that is the one learned.
    learned = Window(window.cutoff, int(answers.horizon))
    X = take_snapshot(
        log, learned, list(answers.input_columns_), population=population, churn=_told_by(one)
    ).X
    told = one.predict(X, horizon=window.horizon)
    return told["churn_probability" if _target(one) == "churned" else "clv"].reindex(customers).to_numpy()


def _baselines(known: Known, target: str, told_by: str) -> dict[str, Any]:
    """Fit and ask the baselines; none that needs examples where there are none."""
    past = stack(known.past) if known.past else None
    horizon = known.now.window.horizon
    said: dict[str, Any] = {}
    for name, model in BASELINES_TOLD_BY[told_by].by_target[target].items():
        if past is not None or not needs_examples(model):
            learned = past if needs_outcomes(model) else None
            ready = fit_before(model, target, known.now, learned, horizon)
            said[name] = predict_target(ready, target, known.now.X, horizon)
    return said


def _together(kinds: Sequence[pd.Series | None], cutoffs: Sequence[date]) -> pd.Series | None:
    told = [one for one in kinds if one is not None]
    return pd.concat(told, keys=list(cutoffs), names=["cutoff"]) if len(told) == len(kinds) else None
