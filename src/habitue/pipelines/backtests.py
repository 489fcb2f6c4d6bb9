"""When a recipe's challengers are tested, on what, and how they are scored: what train and backtest share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from habitue.errors import DataError, HabitueWarning
from habitue.evaluation import SCORES, Backtest, backtest
from habitue.evaluation.paired import Judged, judge, score_table
from habitue.pipelines.recipes import Recipe
from habitue.records import CustomerLog
from habitue.vocabulary import one_or_many

__all__ = ["Progress", "backtest_recipe", "evaluation_cutoffs", "judged_of", "scores_of"]

Progress = Callable[[str], None]
"""Called with one line before each step."""


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
        recipe.estimators(),
        cutoffs=evaluation_cutoffs(log, days, n_cutoffs or recipe.evaluation.n_cutoffs),
        horizon=days,
        n_training=recipe.evaluation.n_training,
        step=recipe.evaluation.step,
        features=recipe.features,
        churn=recipe.churn,
        leave_out=True,
        progress=progress,
    )


def judged_of(tested: Backtest, recipe: Recipe) -> list[Judged]:
    """Judge all models, each target on one set of draws.

    Parameters
    ----------
    tested : Backtest
        Of `backtest_recipe`.
    recipe : Recipe
        Says how many bootstrap draws stand behind each interval.
    """
    draws = recipe.evaluation.n_replicates
    return [
        judge(tested.frame, target, n_replicates=draws) for target in dict.fromkeys(tested.frame["target"])
    ]


def scores_of(tested: Backtest, recipe: Recipe, judged: Sequence[Judged] | None = None) -> pd.DataFrame:
    """Score all models; challengers that could not be fitted are in the table, without values.

    Parameters
    ----------
    tested : Backtest
        Of `backtest_recipe`.
    recipe : Recipe
        Says how many bootstrap draws stand behind each interval.
    judged : sequence of Judged, optional
        Of `judged_of`, where it was asked already.

    Returns
    -------
    DataFrame
        target, model, score, value, lower, upper.
    """
    tables = [score_table(one) for one in (judged_of(tested, recipe) if judged is None else judged)]
    nothing = {"value": np.nan, "lower": np.nan, "upper": np.nan}
    empty = [
        {"target": recipe.target, "model": name, "score": score.name, **nothing}
        for name in tested.left_out
        for score in SCORES[recipe.target]
    ]
    return pd.concat([*tables, *([pd.DataFrame(empty)] if empty else [])], ignore_index=True)
