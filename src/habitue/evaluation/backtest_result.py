"""What models said at past cutoffs, what came to be, and every way of asking that of one tidy frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from habitue.errors import DataError, SettingsError
from habitue.evaluation.bootstrap import Difference, compare, evaluate
from habitue.evaluation.calibration import brier_decomposition
from habitue.evaluation.curves import totals, tracking_error
from habitue.evaluation.scores import SCORES
from habitue.evaluation.segments import scores_by_segment

__all__ = ["Backtest"]


@dataclass(frozen=True)
class Backtest:
    """What models said at cutoffs, and what came to be.

    Attributes
    ----------
    frame : DataFrame
        Tidy: cutoff, customer_id, target ("churned", "spend" or "n_purchases"), model, prediction, outcome.
    horizon : int
        Days ahead.
    models : Mapping[(date, str, str), estimator]
        The fitted models by cutoff, target and name.
    trained_until : Mapping[date, date]
        For each cutoff the last day of what was learned from, outcomes included: never after the cutoff.
    left_out : Mapping[str, str]
        Models that could not be fitted, and why; they are nowhere in the frame.
    silent : Mapping[date, Mapping[str, str]]
        For each cutoff the features that were left out, as they were the same for everybody, and that value.
    churn : {"transactions", "contracts"}
        The records that told churn.
    segments : Series or None
        The segment of each customer at each cutoff (see `segment_of`), by cutoff and customer_id; None
        where the features tell of none.
    """

    frame: pd.DataFrame
    horizon: int
    models: Mapping[tuple[date, str, str], BaseEstimator] = field(repr=False)
    trained_until: Mapping[date, date]
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    silent: Mapping[date, Mapping[str, str]] = field(default_factory=dict[date, Mapping[str, str]])
    churn: str = "transactions"
    segments: pd.Series | None = field(default=None, repr=False)

    def scores(
        self, *, confidence: float = 0.95, n_replicates: int = 200, random_state: int = 0
    ) -> pd.DataFrame:
        """Score every model, baselines included.

        Parameters
        ----------
        confidence : float
            Of the bootstrap intervals, in (0, 1); customers are drawn, with all their cutoffs.
        n_replicates : int
            Draws.
        random_state : int
            Seed.

        Returns
        -------
        DataFrame
            target, model, score, value, lower, upper: per-customer scores first, then averaged.
        """
        parts: list[pd.DataFrame] = []
        for key, rows in self.frame.groupby(["target", "model"], sort=False, observed=True):
            target, model = key if isinstance(key, tuple) else (key, "")
            table = evaluate(
                rows["outcome"].to_numpy(),
                rows["prediction"].to_numpy(),
                SCORES[str(target)],
                groups=self._groups(rows),
                confidence=confidence,
                n_replicates=n_replicates,
                random_state=random_state,
            )
            parts.append(table.assign(target=target, model=model))
        columns = ["target", "model", "score", "value", "lower", "upper"]
        return pd.concat(parts, ignore_index=True).reindex(columns=columns)

    def scores_by_segment(
        self,
        target: str,
        *,
        models: Sequence[str] | None = None,
        confidence: float = 0.95,
        n_replicates: int = 200,
        random_state: int = 0,
    ) -> pd.DataFrame:
        """Score models within each segment of customers.

        Parameters
        ----------
        target : str
            "churned", "spend" or "n_purchases".
        models : sequence of str, optional
            Their names; all, baselines included, where None.
        confidence : float
            Of the bootstrap intervals, in (0, 1); customers are drawn, with all their cutoffs.
        n_replicates : int
            Draws.
        random_state : int
            Seed.

        Returns
        -------
        DataFrame
            As `habitue.evaluation.scores_by_segment` returns it.

        Raises
        ------
        DataError
            Where the features tell of no segments.
        SettingsError
            Where there is no such target.
        """
        if self.segments is None:
            raise DataError(
                "There are no segments: they are told by frequency, recency, T and monetary_value, or by "
                "contract_tenure. Let the features hold these."
            )
        return scores_by_segment(
            self.frame if models is None else self.frame.loc[self.frame["model"].isin(list(models))],
            self.segments,
            target=target,
            confidence=confidence,
            n_replicates=n_replicates,
            random_state=random_state,
        )

    def compare(
        self,
        first: str,
        second: str,
        score: str,
        *,
        target: str,
        confidence: float = 0.95,
        n_replicates: int = 400,
        random_state: int = 0,
    ) -> Difference:
        """Say by how much one model's score exceeds another's, on the same customers.

        Parameters
        ----------
        first, second : str
            Names of models.
        score : str
            Name of a score of the target.
        target : str
            "churned", "spend" or "n_purchases".
        confidence : float
            Of the interval, in (0, 1).
        n_replicates : int
            Draws.
        random_state : int
            Seed.

        Returns
        -------
        Difference
            value, lower, upper: first less second, with a paired bootstrap interval.

        Raises
        ------
        SettingsError
            Where there is no such target, model or score.
        """
        one, other = (self.of(target, name) for name in (first, second))
        known = {one.name: one for one in SCORES[target]}
        if score not in known:
            raise SettingsError(f"There is no score {score!r} for {target}; known are {', '.join(known)}.")
        return compare(
            one["outcome"].to_numpy(),
            one["prediction"].to_numpy(),
            other["prediction"].to_numpy(),
            known[score],
            groups=self._groups(one),
            confidence=confidence,
            n_replicates=n_replicates,
            random_state=random_state,
        )

    def totals(self, target: str) -> pd.DataFrame:
        """Set what each model predicted of all customers together against what came to be, cutoff by cutoff.

        Parameters
        ----------
        target : str
            "churned", "spend" or "n_purchases".

        Returns
        -------
        DataFrame
            model, cutoff, n, predicted, actual, error as `habitue.evaluation.totals`, and tracking_error: the
            mean of the model's absolute errors over cutoffs.

        Raises
        ------
        SettingsError
            Where there is no such target.
        """
        parts = [
            totals(rows["outcome"], rows["prediction"], rows["cutoff"]).assign(
                tracking_error=tracking_error(rows["outcome"], rows["prediction"], rows["cutoff"])
            )
            for rows in self._by_model(target).values()
        ]
        table = pd.concat(parts, keys=list(self._by_model(target)), names=["model", None])
        return table.reset_index(level="model").reset_index(drop=True)

    def brier_parts(self) -> pd.DataFrame:
        """Take each churn model's Brier score apart (see `habitue.evaluation.brier_decomposition`).

        Returns
        -------
        DataFrame
            model, brier, reliability, resolution, uncertainty, within_variance, within_covariance.

        Raises
        ------
        SettingsError
            Where churn was not predicted.
        """
        told: list[dict[str, float | str]] = []
        for model, rows in self._by_model("churned").items():
            outcome, said = (rows[name].to_numpy(dtype=np.float64) for name in ("outcome", "prediction"))
            parts = brier_decomposition(outcome, said, np.ones((1, len(rows))))
            named = {name: float(part[0]) for name, part in parts._asdict().items()}
            told.append({"model": model, "brier": float(parts.brier[0]), **named})
        return pd.DataFrame(told)

    def _by_model(self, target: str) -> dict[str, pd.DataFrame]:
        """Return each model's rows, in the order of the frame."""
        named = self.frame.loc[self.frame["target"] == target, "model"].unique()
        if not len(named):
            raise SettingsError(
                f"There is no target {target!r}; there are {', '.join(self.frame['target'].unique())}."
            )
        return {str(model): self.of(target, model) for model in named}

    def _groups(self, rows: pd.DataFrame) -> Any:
        """Return the customer of each row, or None where nobody appears at more than one cutoff."""
        return rows["customer_id"].to_numpy() if len(set(self.frame["cutoff"])) > 1 else None

    def of(self, target: str, model: str) -> pd.DataFrame:
        """Return one model's rows.

        Parameters
        ----------
        target : str
            "churned", "spend" or "n_purchases".
        model : str
            Name of a model or baseline.

        Returns
        -------
        DataFrame
            The columns of `frame`, at least one row.

        Raises
        ------
        SettingsError
            Where there is no such target or model.
        """
        targets = self.frame["target"].unique()
        if target not in targets:
            raise SettingsError(f"There is no target {target!r}; there are {', '.join(targets)}.")
        rows = self.frame.loc[(self.frame["target"] == target) & (self.frame["model"] == model)]
        if rows.empty:
            there = self.frame.loc[self.frame["target"] == target, "model"].unique()
            raise SettingsError(f"There is no model {model!r} for {target}; there are {', '.join(there)}.")
        return rows
