"""What `habitue train` leaves in MLflow: one run and one registered version per challenger.

It deliberately decides nothing: which model is champion was decided before, in `habitue.pipelines.train`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from habitue.decisions.stability import importance_by_pillar
from habitue.errors import HabitueError
from habitue.evaluation import SCORES, Backtest, decile_table, gains, reliability
from habitue.models import ChurnAnswers, ValueAnswers
from habitue.pipelines.recipes import Recipe
from habitue.report import charts
from habitue.report.curves import read_curves
from habitue.report.model_card import CardFacts, model_card
from habitue.report.rivals import read_leaderboard
from habitue.snapshots import Snapshot

if TYPE_CHECKING:
    from datetime import date

    from habitue.tracking import Store

__all__ = ["Training", "curves_of", "remember"]

_FOUND = ("n_trees", "calibration", "scale")
"""What a boosted model finds of itself, and a run tells."""

_ASKED_FOR_REASONS = 2_000
"""Customers whose reasons stand for all in the model card."""


@dataclass(frozen=True)
class Training:
    """What all challengers of one training share.

    Attributes
    ----------
    recipe, recipe_text : Recipe, str
        What was trained, and the file as it was written.
    tested : Backtest
        Predictions and outcomes of all models.
    scores : DataFrame
        target, model, score, value, lower, upper.
    curves : Mapping[str, DataFrame]
        Of `curves_of`.
    why : str
        Why the champion is champion.
    now_known : Snapshot
        The customer base at the last cutoff.
    learned_from : sequence of date
        Cutoffs of the snapshots whose outcomes were learned from.
    silent : Mapping[str, str]
        Features that were left out, as they were the same for everybody, and that value.
    probed : str
        What became of it when the training was given what it must not know.
    fingerprint, source : str
        The records: hash of their content, and how people name them.
    first_day, last_day : date
        Of the records.
    n_quarantined : int
        Records set aside at the door.
    by_segment : DataFrame or None
        Of `Backtest.scores_by_segment`; None where there are no segments.
    """

    recipe: Recipe
    recipe_text: str
    tested: Backtest
    scores: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    why: str
    now_known: Snapshot
    learned_from: Sequence[date]
    silent: Mapping[str, str]
    probed: str
    fingerprint: str
    source: str
    first_day: date
    last_day: date
    n_quarantined: int
    by_segment: pd.DataFrame | None


def remember(label: str, answers: ChurnAnswers | ValueAnswers, training: Training, store: Store) -> int:
    """Write one challenger's run, register its model and return the version.

    Parameters
    ----------
    label : str
        The challenger's name in the recipe.
    answers : ChurnAnswers or ValueAnswers
        What is registered.
    training : Training
        Everything that stands beside it.
    store : Store
        MLflow's home.
    """
    from habitue.tracking import log_training

    recipe, X = training.recipe, training.now_known.X
    logged = log_training(
        store,
        experiment=recipe.name,
        run_name=f"{label} {training.now_known.window.cutoff}",
        params=_params(label, answers, training),
        metrics=_metrics(training.scores, label),
        tags=_tags(label, training),
        tables={"scores": training.scores, **training.curves, **_trials(answers)},
        figures=_figures(training.scores, training.curves, label, recipe.target),
        texts={
            "recipe.toml": training.recipe_text,
            "leakage.txt": training.probed,
            "card.md": model_card(_card(label, answers, training)),
        },
        datasets={"evaluation": X, "records": training.fingerprint},
        model=answers,
        registered_name=recipe.name,
        input_example=_example(X, answers.input_columns_),
    )
    if logged.version is None:
        raise HabitueError(f"MLflow gave {recipe.name} no version.")
    return logged.version


def curves_of(tested: Backtest, target: str) -> dict[str, pd.DataFrame]:
    """Return the curves of every model at the last cutoff, for charts.

    Parameters
    ----------
    tested : Backtest
        Predictions and outcomes.
    target : str
        "churned" gets gains and reliability, "spend" gains and deciles.
    """
    last = (tested.frame["cutoff"] == max(tested.trained_until)) & (tested.frame["target"] == target)
    parts: dict[str, list[pd.DataFrame]] = {}
    for model, rows in tested.frame.loc[last].groupby("model", sort=False):
        pair = rows["outcome"].to_numpy(), rows["prediction"].to_numpy()
        made = {"gains": gains(*pair)}
        made |= (
            {"reliability": reliability(*pair)} if target == "churned" else {"deciles": decile_table(*pair)}
        )
        for name, frame in made.items():
            parts.setdefault(name, []).append(frame.assign(model=model))
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


def _model_of(answers: ChurnAnswers | ValueAnswers) -> Any:
    """Return the model that answers the recipe's question."""
    return answers.classifier if isinstance(answers, ChurnAnswers) else answers.regressor


def _trials(answers: ChurnAnswers | ValueAnswers) -> dict[str, pd.DataFrame]:
    """Return what a search of settings tried, where there was one."""
    model = _model_of(answers)
    return {"trials": model.trials_} if hasattr(model, "trials_") else {}


def _params(label: str, answers: ChurnAnswers | ValueAnswers, training: Training) -> dict[str, Any]:
    recipe, tested = training.recipe, training.tested
    cutoff, X = training.now_known.window.cutoff, training.now_known.X
    model = _model_of(answers)
    model = getattr(model, "best_estimator_", model)
    return {
        "model": next(one.model for one in recipe.challengers if one.name == label),
        "target": recipe.target,
        "churn": tested.churn,
        "horizon": tested.horizon,
        "cutoff": str(cutoff),
        "cutoffs_tested": [str(day) for day in tested.trained_until],
        "trained_until": str(tested.trained_until[cutoff]),
        "training_cutoffs": [str(day) for day in training.learned_from],
        "n_training": recipe.evaluation.n_training,
        "n_customers": len(X),
        "n_features": X.shape[1],
        "features": list(X.columns),
        "features_left_out": dict(training.silent),
        **{f"model.{key}": value for key, value in model.get_params(deep=False).items()},
        **{f"found.{name}": vars(model)[f"{name}_"] for name in _FOUND if f"{name}_" in vars(model)},
    }


def _card(label: str, answers: ChurnAnswers | ValueAnswers, training: Training) -> CardFacts:
    """Gather what the model card of one challenger tells."""
    recipe, tested, now = training.recipe, training.tested, training.now_known
    model = _model_of(answers)
    return CardFacts(
        name=recipe.name,
        label=label,
        model=next(one.model for one in recipe.challengers if one.name == label),
        target=recipe.target,
        horizon=tested.horizon,
        source=training.source,
        fingerprint=training.fingerprint,
        cutoff=now.window.cutoff,
        scores=training.scores,
        why=training.why,
        params=model.get_params(deep=False),
        calibration=getattr(model, "calibration_", None),
        leakage=[training.probed],
        first_day=training.first_day,
        last_day=training.last_day,
        n_customers=len(now.X),
        n_quarantined=training.n_quarantined,
        learned_from=training.learned_from,
        tested_at=list(tested.trained_until),
        features=answers.input_columns_,
        silent=training.silent,
        not_fitted=tested.left_out,
        by_segment=training.by_segment,
        importance=_importance(model, now.X),
    )


def _importance(model: Any, X: pd.DataFrame) -> pd.DataFrame | None:
    some = X.iloc[:: max(len(X) // _ASKED_FOR_REASONS, 1)]
    return importance_by_pillar(model.contributions(some)) if hasattr(model, "contributions") else None


def _metrics(scores: pd.DataFrame, label: str) -> dict[str, float]:
    """Values and ends of intervals; a score that is not defined is left out, as MLflow keeps numbers only."""
    own = scores[scores["model"] == label]
    metrics: dict[str, float] = {}
    for end in ("value", "lower", "upper"):
        suffix = "" if end == "value" else f"_{end}"
        metrics |= {
            f"{name}{suffix}": float(value) for name, value in zip(own["score"], own[end], strict=True)
        }
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _tags(label: str, training: Training) -> dict[str, str]:
    left_out = dict(training.tested.left_out)
    return {
        "habitue.data_source": training.source,
        "habitue.data_fingerprint": training.fingerprint,
        "habitue.label": label,
        "habitue.champion_rule": training.why,
        **({"habitue.not_fitted": json.dumps(left_out, ensure_ascii=False)} if left_out else {}),
    }


def _example(X: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rows that show what goes in: quartiles of each column, nobody's own row."""
    quartiles = pd.DataFrame(X.loc[:, list(columns)].quantile([0.25, 0.5, 0.75])).reset_index(drop=True)
    history = ["frequency", "recency", "T"]
    if set(history) <= set(columns):
        quartiles[history] = quartiles[history].round()
        end = quartiles[["recency", "T"]].min(axis=1)
        quartiles["recency"] = np.where(quartiles["frequency"] > 0, end, 0.0)
    return quartiles


def _figures(
    scores: pd.DataFrame, curves: Mapping[str, pd.DataFrame], label: str, target: str
) -> dict[str, str]:
    """Draw what the report draws, with this challenger in front."""
    churn, value = ([label], []) if target == "churned" else ([], [label])
    read = read_curves(curves, churn_champions=churn, value_champions=value)
    question = "churn" if target == "churned" else "value"
    headlines = scores["score"].isin([one.name for one in SCORES[target] if one.is_headline])
    board = read_leaderboard(scores.loc[headlines], question=question, champions=[label])
    figures = {f"score-{one.score}": charts.leaderboard(one, name=one.score) for one in board.boards}
    if read.gains:
        figures["gains"] = charts.gains(read.gains, captured="leavers" if target == "churned" else "spend")
    if read.calibration:
        figures["calibration"] = charts.calibration(read.calibration)
    if read.deciles:
        figures["deciles"] = charts.deciles(read.deciles[0], currency="")
    return figures
