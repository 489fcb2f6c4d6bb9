"""What the page of a monitoring says: plain data, checked by tests before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from habitue.vocabulary import one_or_many

__all__ = ["KINDS", "ModelFacts", "MonitorFacts", "named", "rows_of"]

KINDS: Final[Mapping[str, str]] = {
    "input": "Customers",
    "law": "Law of buying",
    "score": "Predictions",
    "data": "Records",
    "performance": "Performance",
}
"""What an alarm is about, as a reader names it."""


@dataclass(frozen=True)
class ModelFacts:
    """What was found of one model.

    Attributes
    ----------
    name, version, label : str, int, str
        Registered name, number, and the challenger's name in the recipe.
    trained_at : date
        The last day that it knew.
    compared_with : date or None
        The day whose customers those of today are held against: that of training, else one of last year.
    last_year : date or None
        The day of last year that stands for the season.
    n_customers, n_compared : int
        Customers now, and those of an age that the training knew.
    checks : DataFrame
        Of `habitue.evaluation.drift.judged`.
    matured : DataFrame
        Of `habitue.evaluation.matured.matured_scores`.
    law : DataFrame
        Of `habitue.evaluation.law_drift.law_table`.
    frequencies : DataFrame
        Of `habitue.evaluation.fit_curves.frequencies`.
    answers : DataFrame
        answer, lower, upper, now, reference.
    notes : tuple of str
        What could not be done, and why.
    """

    name: str
    version: int
    label: str
    trained_at: date
    compared_with: date | None
    last_year: date | None
    n_customers: int
    n_compared: int
    checks: pd.DataFrame
    matured: pd.DataFrame
    law: pd.DataFrame
    frequencies: pd.DataFrame
    answers: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def then(self) -> str:
        """When customers were as they are compared with, in words."""
        return "in training" if self.compared_with == self.trained_at else "last year"

    @property
    def alarms(self) -> list[dict[str, Any]]:
        """Checks that are alarms, most certain first."""
        return rows_of(self.checks.loc[self.checks["alarm"].astype("bool")])

    @property
    def seasonal(self) -> list[dict[str, Any]]:
        """Differences that last year's day had too."""
        return rows_of(self.checks.loc[self.checks["seasonal"].astype("bool")])

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the checks of some kinds, largest effect over its floor first.

        Parameters
        ----------
        *kinds : str
            Of `KINDS`.
        """
        chosen = self.checks.loc[self.checks["kind"].isin(kinds)]
        order = (chosen["effect"] / chosen["floor"]).sort_values(ascending=False, kind="stable").index
        return rows_of(chosen.loc[order])


@dataclass(frozen=True)
class MonitorFacts:
    """What the page says.

    Attributes
    ----------
    source : str
        The records, as people name them.
    cutoff : date
        As of which day.
    rate : float
        Probability of any false alarm, of all models together, if nothing has changed.
    floor : float
        Population stability index from which on a difference matters.
    models : tuple of ModelFacts
        In the order in which they were named.
    weekly : DataFrame
        kind, week, n.
    kinds : Mapping[str, Mapping[str, Any]]
        For each kind of record: rows read, rows set aside, the day of the last record.
    generated_at : datetime
        When the page was made.
    """

    source: str
    cutoff: date
    rate: float
    floor: float
    models: tuple[ModelFacts, ...]
    weekly: pd.DataFrame
    kinds: Mapping[str, Mapping[str, Any]]
    generated_at: datetime

    @property
    def n_alarms(self) -> int:
        """Of all models."""
        return sum(len(one.alarms) for one in self.models)

    @property
    def finding(self) -> str:
        """The page in a sentence."""
        names = " and ".join(f"{one.name}/{one.version}" for one in self.models)
        if not self.n_alarms:
            return (
                f"All quiet: as of {self.cutoff} nothing has changed that chance does not explain and that "
                f"would matter to {names}."
            )
        loud = [one for one in self.models if one.alarms]
        return " ".join(
            f"{one.name}/{one.version}: {one_or_many(len(one.alarms), 'alarm')}, first of all: "
            f"{one.alarms[0]['told']}"
            for one in loud
        )


def named(score: str) -> str:
    """Write the name of a score as people do.

    Parameters
    ----------
    score : str
        As in tables.

    Examples
    --------
    >>> named("auc"), named("log_loss")
    ('AUC', 'log loss')
    """
    return score.upper() if score == "auc" else score.replace("_", " ")


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as rows, what is no number as None.

    Parameters
    ----------
    table : DataFrame
        Any.

    Examples
    --------
    >>> rows_of(pd.DataFrame({"a": [1.5, np.nan]}))
    [{'a': 1.5}, {'a': None}]
    """
    return [
        {
            str(name): None if isinstance(value, float) and np.isnan(value) else value
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]
