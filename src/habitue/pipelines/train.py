"""`habitue train`: challengers are tested on held-out days and registered; the best one is crowned.

Where there is a champion already, the best one is named challenger, and has to beat it
(`habitue.pipelines.promote`). One that cannot be fitted to these data is told of and left out; the others
compete without it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from habitue.errors import DataError, HabitueWarning, RegistryError
from habitue.evaluation import Backtest
from habitue.evaluation.learning import Known, what_is_known
from habitue.evaluation.paired import Judged, comparison_table
from habitue.evaluation.rivals import BASELINES_TOLD_BY
from habitue.evaluation.seasons import reads_day_of_year
from habitue.pipelines.answering import answers_of
from habitue.pipelines.auditing import audited, check_declared, features_made_of, read_attributes
from habitue.pipelines.backtests import Progress, backtest_recipe, judged_of, scores_of
from habitue.pipelines.choosing import Choice, choose_champion
from habitue.pipelines.probing import probed
from habitue.pipelines.promote import promote
from habitue.pipelines.recipes import Recipe
from habitue.pipelines.remember import curves_of, remember
from habitue.pipelines.training import Training
from habitue.records import CustomerLog
from habitue.snapshots import Window, training_cutoffs

if TYPE_CHECKING:
    from habitue.tracking import ModelVersion, Store

__all__ = ["Trained", "train"]


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
    alias : str
        ``champion``, or ``challenger`` where another one is champion.
    versions : Mapping[str, int]
        Registered version of every challenger that could be fitted.
    not_fitted : Mapping[str, str]
        Challengers that could not, and why.
    refused : str
        Where the recipe lets a training promote: why the choice did not become champion.
    """

    recipe: Recipe
    horizon: int
    tested: Backtest
    scores: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    choice: Choice
    version: ModelVersion
    alias: str
    versions: Mapping[str, int]
    not_fitted: Mapping[str, str]
    refused: str = ""


def train(
    log: CustomerLog,
    recipe: Recipe,
    *,
    horizon: int,
    store: Store,
    source: str,
    recipe_text: str,
    now: datetime,
    who: str = "",
    progress: Progress | None = None,
) -> Trained:
    """Test, log and register every challenger of a recipe, and name the best one champion or challenger.

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
        When; noted in the trail of the model's aliases.
    who : str
        Who trains; noted there, too.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Trained
        Where the model has no champion yet, the best one is champion. Else it is challenger, and becomes
        champion only if the recipe says so and it beats the present one by its rule.

    Raises
    ------
    FitError
        Where no challenger could be fitted.
    SettingsError
        Where an audit is declared that cannot be made; this is told before anything is trained.
    """
    from habitue.tracking import resolve

    tell = progress or (lambda _: None)
    check_declared(log, recipe)
    tested = backtest_recipe(log, recipe, horizon=recipe.horizon or horizon, progress=tell)
    tell("scores with bootstrap intervals")
    judged = judged_of(tested, recipe)
    scores = scores_of(tested, recipe, judged)
    choice = choose_champion(tested, scores, recipe)
    known = _known(log, recipe, Window(max(tested.trained_until), tested.horizon), tested.churn)
    tell("probing for leaks")
    training = Training(
        recipe=recipe,
        recipe_text=recipe_text,
        tested=tested,
        scores=scores,
        comparisons=_comparisons(judged, recipe, tested),
        curves=curves_of(tested, recipe.target),
        why=choice.why,
        known=known,
        probed=probed(log, recipe, known),
        fingerprint=log.fingerprint(),
        source=source,
        first_day=log.first_day,
        last_day=log.observed_until,
        n_quarantined=sum(check.n_quarantined for check in log.checks.values()),
        by_segment=_by_segment(tested, recipe, tell),
        **_declared(log, recipe, tested, known),
    )
    versions: dict[str, int] = {}
    # All that may fail is done for each of them before any is registered: no half of them is left behind.
    ready = answers_of(training, tell)
    found = {label: audited(label, answers, training, tell) for label, answers in ready.items()}
    for label, answers in ready.items():
        tell(f"{label}: logging and registering")
        versions[label] = remember(label, answers, training, found[label], store)
    alias, refused = _name(versions[choice.label], choice.why, log, recipe, store, now, who, tell)
    version = resolve(store, f"{recipe.name}/{versions[choice.label]}")
    return Trained(
        recipe, tested.horizon, tested, scores, training.curves, choice, version, alias, versions,
        dict(tested.left_out), refused,
    )  # fmt: skip


def _name(
    number: int,
    why: str,
    log: CustomerLog,
    recipe: Recipe,
    store: Store,
    now: datetime,
    who: str,
    tell: Progress,
) -> tuple[str, str]:
    """Make the choice champion where there is none, else challenger; return which, and why not champion."""
    from habitue.tracking import champion, resolve, set_champion
    from habitue.tracking.registry import CHALLENGER, CHAMPION, set_challenger

    if champion(store, recipe.name) is None:
        try:
            set_champion(store, recipe.name, number, why=why, when=now, who=who, how="trained", expected=None)
        except RegistryError:  # another training was first
            if champion(store, recipe.name) is None:
                raise
        else:
            return CHAMPION, ""
    set_challenger(store, recipe.name, number, why=why, when=now, who=who)
    if recipe.champion.promote == "by hand":
        return CHALLENGER, ""
    version = resolve(store, f"{recipe.name}/{number}")
    try:
        promote(log, version, recipe, store=store, now=now, who=who, progress=tell)
    except (RegistryError, DataError) as error:  # what was trained stays, whatever speaks against it
        return CHALLENGER, str(error)
    return CHAMPION, ""


def _comparisons(judged: list[Judged], recipe: Recipe, tested: Backtest) -> pd.DataFrame:
    """Set every challenger against every other model, on the draws that scores were judged on."""
    own = next(one for one in judged if one.target == recipe.target)
    labels = [one.name for one in recipe.challengers if one.name not in tested.left_out]
    return comparison_table(own, labels)


def _by_segment(tested: Backtest, recipe: Recipe, tell: Progress) -> pd.DataFrame | None:
    if tested.segments is None:
        return None
    tell("scores by segment")
    return tested.scores_by_segment(
        recipe.target,
        models=[one.name for one in recipe.challengers],
        n_replicates=recipe.evaluation.n_replicates,
    )


def _declared(log: CustomerLog, recipe: Recipe, tested: Backtest, known: Known) -> dict[str, Any]:
    """Read the attributes that the recipe declares, where it does, and say what is made of them."""
    if recipe.fairness is None:
        return {}
    names = recipe.fairness.attributes
    history = log.until(known.now.window.cutoff)
    return {
        "attributes": read_attributes(log, list(tested.trained_until), names),
        "read_as": features_made_of(history, known.population, names),
    }


def _known(log: CustomerLog, recipe: Recipe, window: Window, churn: str) -> Known:
    """Return what the models of this window learned from."""
    asked = recipe.evaluation
    cutoffs = training_cutoffs(log, window, n_cutoffs=asked.n_training, step=asked.step)
    earlier = [Window(cutoff, window.horizon) for cutoff in cutoffs]
    calendar = any(reads_day_of_year(one) for one in recipe.estimators().values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)  # the backtest gave them
        keep = BASELINES_TOLD_BY[churn].columns
        return what_is_known(log, window, earlier, recipe.features, keep=keep, churn=churn, calendar=calendar)
