"""What `habitue train` leaves in MLflow: one run and one registered version per challenger.

It deliberately decides nothing: which model is champion was decided before, in `habitue.pipelines.choosing`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from habitue.errors import HabitueError
from habitue.evaluation import Backtest, decile_table, gains, reliability
from habitue.models import ChurnAnswers, ValueAnswers
from habitue.pipelines.auditing import Findings
from habitue.pipelines.cards import CARD, card_of
from habitue.pipelines.training import Training, asked_model
from habitue.report import charts
from habitue.report.curves import read_curves
from habitue.report.model_card import facts_to_json, model_card
from habitue.report.rivals import read_leaderboard

if TYPE_CHECKING:
    from habitue.tracking import Store

__all__ = ["curves_of", "remember"]

_FOUND = ("n_trees", "calibration", "scale")
"""What a boosted model finds of itself, and a run tells."""


def remember(
    label: str,
    answers: ChurnAnswers | ValueAnswers,
    training: Training,
    found: Findings,
    store: Store,
) -> int:
    """Write one challenger's run, register its model and return the version.

    Parameters
    ----------
    label : str
        The challenger's name in the recipe.
    answers : ChurnAnswers or ValueAnswers
        What is registered.
    training : Training
        Everything that stands beside it.
    found : Findings
        What was found out about it beyond its scores.
    store : Store
        MLflow's home.

    Raises
    ------
    HabitueError
        Where MLflow gives no version.
    """
    from habitue.tracking import log_training

    recipe, X = training.recipe, training.known.now.X
    card = card_of(label, answers, training, found)
    logged = log_training(
        store,
        experiment=recipe.name,
        run_name=f"{label} {training.cutoff}",
        params=_params(label, answers, training),
        metrics=_metrics(training.scores, label),
        tags=_tags(label, training),
        tables=_tables(label, answers, training) | found.tables,
        figures=_figures(training, label)
        | {f"dependence-{name}": svg for name, svg in found.pictures.items()},
        texts={
            "recipe.toml": training.recipe_text,
            "leakage.txt": training.probed,
            "card.md": model_card(card),
            CARD: facts_to_json(card),
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


def _tables(label: str, answers: ChurnAnswers | ValueAnswers, training: Training) -> dict[str, pd.DataFrame]:
    """Scores, also by segment, curves, this challenger against all others, and what a search tried."""
    model, against = asked_model(answers), training.comparisons
    trials = {"trials": model.trials_} if hasattr(model, "trials_") else {}
    own = against.loc[against["model"] == label]
    segments = {} if training.by_segment is None else {"segments": training.by_segment}
    return {"scores": training.scores, **segments, **training.curves, "comparisons": own, **trials}


def _params(label: str, answers: ChurnAnswers | ValueAnswers, training: Training) -> dict[str, Any]:
    recipe, tested = training.recipe, training.tested
    cutoff, X = training.cutoff, training.known.now.X
    model = asked_model(answers)
    model = getattr(model, "best_estimator_", model)
    return {
        "model": next(one.model for one in recipe.challengers if one.name == label),
        "target": recipe.target,
        "churn": tested.churn,
        "horizon": tested.horizon,
        "cutoff": str(cutoff),
        "cutoffs_tested": [str(day) for day in tested.trained_until],
        "trained_until": str(tested.trained_until[cutoff]),
        "training_cutoffs": [str(one.window.cutoff) for one in training.known.past],
        "n_training": recipe.evaluation.n_training,
        "n_customers": len(X),
        "n_features": X.shape[1],
        "features": list(X.columns),
        "features_left_out": dict(training.known.silent),
        **{f"model.{key}": value for key, value in model.get_params(deep=False).items()},
        **{f"found.{name}": vars(model)[f"{name}_"] for name in _FOUND if f"{name}_" in vars(model)},
    }


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
    """Say on the version what is asked of it without its run: what it is, until when it learned, how good."""
    tested, metric = training.tested, training.recipe.champion.metric
    left_out = dict(tested.left_out)
    headline = _metrics(training.scores, label).get(metric)
    return {
        "habitue.cutoff": str(training.cutoff),
        "habitue.trained_until": str(tested.trained_until[training.cutoff]),
        "habitue.observed_until": str(training.last_day),
        **({} if headline is None else {"habitue.score": f"{metric} {headline:.4f}"}),
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


def _figures(training: Training, label: str) -> dict[str, str]:
    """Draw what the report draws, with this challenger in front; of scores the one that makes champions."""
    scores, curves, target = training.scores, training.curves, training.recipe.target
    churn, value = ([label], []) if target == "churned" else ([], [label])
    read = read_curves(curves, churn_champions=churn, value_champions=value)
    question = "churn" if target == "churned" else "value"
    chosen_by = scores.loc[scores["score"] == training.recipe.champion.metric]
    board = read_leaderboard(chosen_by, question=question, champions=[label])
    figures = {f"score-{one.score}": charts.leaderboard(one, name=one.score) for one in board.boards}
    if read.gains:
        figures["gains"] = charts.gains(read.gains, captured="leavers" if target == "churned" else "spend")
    if read.calibration:
        figures["calibration"] = charts.calibration(read.calibration)
    if read.deciles:
        figures["deciles"] = charts.deciles(read.deciles[0], currency="")
    return figures
