"""What is known of a training, and what was seen of a model since: data between the parts of monitoring."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import pandas as pd

from habitue.errors import DataError
from habitue.evaluation.drift import Check

__all__ = ["Learned", "Seen", "answer_column", "target_of_answers"]

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Learned:
    """What is known of a training.

    Attributes
    ----------
    cutoff : date
        The last day that the model knew, and was tested from.
    cutoffs : tuple of date
        Of the snapshots that its profile is of.
    promised : Mapping[str, float]
        Scores of its backtest.
    version : int
        The registered version.
    """

    cutoff: date
    cutoffs: tuple[date, ...] = ()
    promised: Mapping[str, float] = field(default_factory=dict[str, float])
    version: int = 1

    @classmethod
    def of_run(cls, params: Mapping[str, str], metrics: Mapping[str, float], version: int) -> Learned:
        """Read it from a run of `habitue train`.

        Parameters
        ----------
        params, metrics : Mapping
            As MLflow keeps them.
        version : int
            The registered version.

        Raises
        ------
        DataError
            Where the run does not say when the model was trained.

        Examples
        --------
        >>> params = {"cutoff": "2024-06-30", "training_cutoffs": "['2024-03-31']"}
        >>> Learned.of_run(params, {}, 3).cutoffs
        (datetime.date(2024, 3, 31),)
        """
        found = _DAY.fullmatch(params.get("cutoff", ""))
        if found is None:
            raise DataError(
                "The run of this version does not say at which cutoff it was trained; only versions that "
                "`habitue train` registered can be monitored."
            )
        earlier = tuple(map(date.fromisoformat, _DAY.findall(params.get("training_cutoffs", ""))))
        return cls(date.fromisoformat(found.group()), earlier, dict(metrics), version)


@dataclass(frozen=True)
class Seen:
    """What was found of one model.

    Attributes
    ----------
    checks : tuple of Check
        All comparisons.
    matured : DataFrame
        Of `habitue.evaluation.matured.matured_scores`.
    law : DataFrame
        Parameters held and fitted now.
    frequencies : DataFrame
        Customers by repeat purchases: actual, and those that the held law expects.
    answers : DataFrame
        answer, lower, upper, now, reference: customers of the same age by what was predicted, as shares.
    n_customers, n_compared : int
        Customers now, and those of an age that the training knew.
    compared_with : date or None
        The day whose customers those of today are held against: that of training; one of last year where the
        log begins after it; None where it does not reach back so far either.
    last_year : date or None
        The day of last year that stands for the season; None where the log does not reach back.
    notes : tuple of str
        What could not be done, and why.
    """

    checks: tuple[Check, ...]
    matured: pd.DataFrame
    law: pd.DataFrame
    frequencies: pd.DataFrame
    answers: pd.DataFrame
    n_customers: int
    n_compared: int
    compared_with: date | None
    last_year: date | None
    notes: tuple[str, ...]


def target_of_answers(answers: Any) -> str:
    """Return what an answer object predicts: "churned" or "spend".

    Parameters
    ----------
    answers : ChurnAnswers or ValueAnswers
        What is registered.
    """
    return "churned" if hasattr(answers, "classifier") else "spend"


def answer_column(answers: Any) -> str:
    """Return the column of its main answer.

    Parameters
    ----------
    answers : ChurnAnswers or ValueAnswers
        What is registered.
    """
    return "churn_probability" if target_of_answers(answers) == "churned" else "clv"
