"""What all challengers of one training share: what was tested, what was known, and what was found of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd

from habitue.evaluation import Backtest
from habitue.evaluation.learning import Known
from habitue.evaluation.rivals import needs_outcomes
from habitue.pipelines.recipes import Recipe

__all__ = ["Training", "asked_model", "seen_by"]


@dataclass(frozen=True)
class Training:
    """What all challengers of one training share.

    Attributes
    ----------
    recipe, recipe_text : Recipe, str
        What was trained, and the file as it was written.
    tested : Backtest
        Predictions and outcomes of all models.
    scores, comparisons : DataFrame
        target, model, score, value, lower, upper of all; and challengers against every other model.
    curves : Mapping[str, DataFrame]
        For charts: of `habitue.pipelines.remember.curves_of`.
    why : str
        Why the champion is champion.
    known : Known
        The customer base at the last cutoff, and those before that it was learned from.
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
    attributes : DataFrame or None
        What the recipe declared for the audit, by cutoff and customer_id; None where nothing.
    read_as : Mapping[str, sequence of str]
        For each of these the features that are made of it, whether or not a model reads them.
    """

    recipe: Recipe
    recipe_text: str
    tested: Backtest
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    why: str
    known: Known
    probed: str
    fingerprint: str
    source: str
    first_day: date
    last_day: date
    n_quarantined: int
    by_segment: pd.DataFrame | None
    attributes: pd.DataFrame | None = None
    read_as: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    @property
    def cutoff(self) -> date:
        """The last cutoff: models know nothing after it."""
        return self.known.now.window.cutoff


def asked_model(answers: Any) -> Any:
    """Return the model that answers a recipe's question.

    Parameters
    ----------
    answers : ChurnAnswers or ValueAnswers
        What is registered.
    """
    return answers.classifier if hasattr(answers, "classifier") else answers.regressor


def seen_by(model: Any, X: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that a fitted model was shown: a copy of it is to be shown no others.

    Parameters
    ----------
    model : estimator
        Fitted. One that needs no outcomes takes what it reads by itself, and may be shown all.
    X : DataFrame of shape (n_customers, n_features)
        With these columns and perhaps others.
    """
    if not needs_outcomes(model):
        return X
    shown = set(map(str, getattr(model, "feature_names_in_", X.columns)))
    return X.loc[:, [name for name in X.columns if name in shown]]
