"""One model looked at as of a day: what it reads, says and holds now, against its training and last year.

It needs no MLflow: a fitted answer object and a log are enough, so that simulations can try it a thousand
times (``benchmarks/monitoring.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from habitue.evaluation.drift import AGES, Check, alike, columns_drift
from habitue.evaluation.fit_curves import frequencies
from habitue.evaluation.law_drift import law_drift, law_table
from habitue.evaluation.matured import matured_checks, matured_scores
from habitue.numerics.drift import population_stability_index
from habitue.pipelines.monitoring.matured import Batch, asked_later, matured_of
from habitue.pipelines.monitoring.seen import Learned, Seen, answer_column, target_of_answers
from habitue.records import CustomerLog
from habitue.snapshots import Population, Snapshot, Window, take_snapshots
from habitue.snapshots.profile import Profile

__all__ = ["look"]

_YEAR: Final = timedelta(weeks=52)
_CHANGED: Final = 0.1
"""PSI of the same days, seen twice, from which on the past was rewritten."""
_SAME: Final = 0.01
"""p above which a difference from last year's day is taken for chance, each by itself."""


def look(
    log: CustomerLog,
    answers: Any,
    learned: Learned,
    cutoff: date,
    *,
    floor: float = 0.1,
    batches: Sequence[Batch] = (),
    ask: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> Seen:
    """Look at a model as of a day.

    Parameters
    ----------
    log : CustomerLog
        The records.
    answers : ChurnAnswers or ValueAnswers
        The model.
    learned : Learned
        What is known of its training.
    cutoff : date
        The last day that counts.
    floor : float
        Population stability index, and relative change of the law, from which on a difference matters.
    batches : sequence of Batch
        What it predicted before; it is asked anew where there is none.
    ask : callable, optional
        Asks the model, where that is not to be done all at once.

    Returns
    -------
    Seen

    Raises
    ------
    DataError
        Where the cutoff is not a day of the log.
    """
    return _Look(log, answers, learned, cutoff, floor, batches, ask or answers.answer).seen()


@dataclass(frozen=True)
class _Look:
    """What stands still while one model is looked at."""

    log: CustomerLog
    answers: Any
    learned: Learned
    cutoff: date
    floor: float
    batches: Sequence[Batch]
    ask: Callable[[pd.DataFrame], pd.DataFrame]

    @property
    def horizon(self) -> int:
        return int(self.answers.horizon)

    @property
    def churn(self) -> str:
        return getattr(self.answers, "churn", "transactions")

    def seen(self) -> Seen:
        notes: list[str] = []
        reference, last_year = self._earlier_days(notes)
        days = list(dict.fromkeys([self.cutoff, *filter(None, (reference, last_year)), *self._taught()]))
        by_day = dict(zip(days, self._snapshots(days), strict=True))
        now = by_day[self.cutoff].X
        checks: list[Check] = []
        shares, n_compared = pd.DataFrame(), 0
        if reference is not None:
            checks, shares, n_compared = self._against(now, by_day[reference].X, reference, notes)
            if last_year is not None and last_year < reference:
                usual, _, _ = self._against(now, by_day[last_year].X, last_year, [])
                checks = [_excused(one, usual) for one in checks]
        checks += self._past_changed(by_day, notes)
        matured, of_matured = self._matured(notes)
        purchases = self.answers.purchases
        knows = {"frequency", "recency", "T"} <= set(now.columns) and purchases is not None
        return Seen(
            (*checks, *self._since_last_batch(now), *of_matured),
            matured,
            law_table(purchases, now) if knows else law_table(None, now),
            frequencies(purchases, now) if knows else pd.DataFrame(),
            shares,
            len(now),
            n_compared,
            reference,
            last_year,
            tuple(notes),
        )

    def _earlier_days(self, notes: list[str]) -> tuple[date | None, date | None]:
        """Return the day to compare customers with, and that of last year, where the log knows them."""
        first, trained = self.log.first_day, self.learned.cutoff
        year_ago = self.cutoff - _YEAR
        last_year = year_ago if year_ago >= first + timedelta(days=self.horizon) else None
        reference = trained if first <= trained <= self.cutoff else last_year
        if reference != trained:
            why = f"the log begins on {first}" if trained < first else f"{self.cutoff} lies before"
            instead = "not compared" if reference is None else f"compared with those of {reference} instead"
            notes.append(
                f"The model was trained as of {trained}, and {why}: what customers were like then cannot be "
                f"told again, and they were {instead}."
            )
        if last_year is None:
            notes.append(
                "The log does not reach back a year and a horizon: what the season does cannot be told from "
                "what has changed."
            )
        return reference, last_year

    def _taught(self) -> tuple[date, ...]:
        """Return the days that the profile is of, where it can be made again."""
        known = [day for day in self.learned.cutoffs if self.log.first_day <= day <= self.cutoff]
        return tuple(known) if self.answers.profile and len(known) == len(self.learned.cutoffs) else ()

    def _snapshots(self, days: Sequence[date]) -> list[Snapshot]:
        text = self.answers.population
        return take_snapshots(
            self.log,
            [Window(day, self.horizon) for day in days],
            self.answers.input_columns_,
            population=Population.from_json(text) if text else None,
            churn=self.churn,
        )

    def _against(
        self, now: pd.DataFrame, before: pd.DataFrame, day: date, notes: list[str]
    ) -> tuple[list[Check], pd.DataFrame, int]:
        """Compare features, law and answers with those of an earlier day."""
        known = (day - self.log.first_day).days
        pair = alike(now, before, oldest=known - min(self.horizon, known // 4))
        if not pair.enough:
            notes.append(
                f"Hardly a customer of today is as old as one of {day} was: features, answers and the law of "
                "buying were not compared."
            )
            return [], pd.DataFrame(), 0
        when = f"on {day}"
        name = answer_column(self.answers)
        said, told = (self.ask(X).loc[:, [name]] for X in (now, before))
        ages = [age for age in AGES if age in now]
        checks = columns_drift(now, before, pair, floor=self.floor, when=when)
        checks += columns_drift(
            said.join(now[ages]), told.join(before[ages]), pair, kind="score", floor=self.floor, when=when
        )
        if "frequency" in now and self.answers.purchases is not None:
            checks += law_drift(
                self.answers.purchases, now, before, pair, horizon=self.horizon, floor=self.floor, when=when
            )
        a, b = (
            said.to_numpy(dtype=np.float64)[pair.now, 0],
            told.to_numpy(dtype=np.float64)[pair.reference, 0],
        )
        return checks, _shares(name, a, b, pair.weights), int(pair.now.sum())

    def _past_changed(self, by_day: Mapping[date, Snapshot], notes: list[str]) -> list[Check]:
        """Tell whether the days that the model learned from still look as they did to it."""
        taught = self._taught()
        if not self.answers.profile:
            notes.append(
                "This version carries no profile of its training: whether the past was rewritten since "
                "cannot be told."
            )
        if not taught:
            return []
        profile = Profile.from_json(self.answers.profile)
        X = pd.concat([by_day[day].X for day in taught], ignore_index=True)
        moved: dict[str, float] = {}
        for name, column in profile.columns.items():
            if name in X:
                again = column.refilled(pd.Series(X[name]))
                counted = [[*one.tally, one.n_missing] for one in (column, again)]
                moved[name] = population_stability_index(*counted)
        worst = sorted(moved, key=lambda name: -moved[name])[:3]
        effect = moved[worst[0]] if worst else 0.0
        told = (
            f"The days that the model learned from ({', '.join(map(str, taught))}) are not what they were "
            f"then, {', '.join(f'{name} (PSI {moved[name]:.2f})' for name in worst)} most of all: records "
            "of the past were changed."
        )
        p = 0.0 if effect >= _CHANGED else 1.0  # nothing is left to chance here: the same days, twice
        return [Check("data", "the past", "same days again", p, effect, "PSI", _CHANGED, told)]

    def _since_last_batch(self, now: pd.DataFrame) -> list[Check]:
        """Compare what is predicted now with the last batch, customers of the same age."""
        earlier = [one for one in self.batches if self.log.first_day <= one.cutoff < self.cutoff]
        if not earlier or earlier[-1].version != self.learned.version:
            return []
        last, name = earlier[-1], answer_column(self.answers)
        before = self._snapshots([last.cutoff])[0].X
        before.index = before.index.astype(str)
        before = before.assign(**{name: last.predictions.reindex(before.index)}).dropna(subset=[name])
        known = (last.cutoff - self.log.first_day).days
        pair = alike(now, before, oldest=known - min(self.horizon, known // 4))
        ages = [age for age in AGES if age in now]
        said = self.ask(now).loc[:, [name]].join(now[ages])
        when = f"in the batch of {last.cutoff}"
        found = columns_drift(
            said, before.loc[:, [name, *ages]], pair, kind="score", floor=self.floor, when=when
        )
        return [replace(one, what=f"{one.what} since the last batch") for one in found]

    def _matured(self, notes: list[str]) -> tuple[pd.DataFrame, list[Check]]:
        """Score predictions whose outcomes are known, and hold those of this version against its promise."""
        target, version = target_of_answers(self.answers), self.learned.version
        rows = matured_of(self.log, self.batches, target, until=self.cutoff, churn=self.churn)
        if version not in set(rows["version"]):
            later = asked_later(
                self.log, self._ask_past, version=version, trained_at=self.learned.cutoff,
                until=self.cutoff, horizon=self.horizon,
            )  # fmt: skip
            rows = pd.concat([one for one in (rows, later) if len(one)] or [rows], ignore_index=True)
        if version not in set(rows["version"]):
            notes.append(
                f"No outcome of a prediction made after the training of {self.learned.cutoff} is known yet: "
                f"the first will be {self.horizon} days after it."
            )
        own = rows.loc[rows["version"] == version]
        mine = matured_scores(own, target, self.learned.promised)
        others = matured_scores(rows.loc[rows["version"] != version], target, {})
        both = [one for one in (others, mine) if len(one)]
        return (pd.concat(both, ignore_index=True) if both else mine), matured_checks(mine, target)

    def _ask_past(self, day: date) -> tuple[pd.Series, pd.Series] | None:
        if day < self.log.first_day:
            return None
        snapshot = self._snapshots([day])[0]
        said = self.ask(snapshot.X)[answer_column(self.answers)]
        outcome = snapshot.outcomes[target_of_answers(self.answers)].astype("float64")
        return pd.Series(said), pd.Series(outcome)


def _excused(check: Check, usual: Sequence[Check]) -> Check:
    """Say of a difference that the same days of last year were as today: chance explains what is left."""
    if check.p_value > _SAME or check.effect < check.floor:
        return check
    same = [one for one in usual if (one.kind, one.what) == (check.kind, check.what)]
    return replace(check, seasonal=any(one.p_value > _SAME or one.effect < one.floor for one in same))


def _shares(name: str, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], w: Any) -> pd.DataFrame:
    """Return shares of customers by what was predicted, in bins of the reference's tenths or twentieths."""
    edges = (
        np.linspace(0.0, 1.0, 11)
        if name == "churn_probability"
        else np.unique(np.quantile(b, np.linspace(0, 1, 11)))
    )
    edges = edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])
    a, b = (np.clip(one, edges[0], edges[-1]) for one in (a, b))
    now, before = np.histogram(a, edges)[0] / len(a), np.histogram(b, edges, weights=w)[0] / w.sum()
    return pd.DataFrame(
        {"answer": name, "lower": edges[:-1], "upper": edges[1:], "now": now, "reference": before}
    )
