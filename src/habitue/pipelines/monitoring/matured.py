"""Predictions whose outcomes are known by now: of finished batches, or of the model asked about the past.

What a batch said is what people acted on. Where there is none, the model is asked about a day after its
training as it would have been then; that says how good it is, and nothing of what was done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import pandas as pd

from habitue.records import CustomerLog
from habitue.snapshots import Window, take_snapshot

if TYPE_CHECKING:
    from habitue.pipelines.scoring.targets import Target

__all__ = ["ASKED_LATER", "Batch", "asked_later", "batches_of", "matured_of"]

ASKED_LATER: Final = "asked later"
"""Source of predictions that were not made at their time."""

_MOST: Final = 6


@dataclass(frozen=True)
class Batch:
    """Predictions of one cutoff.

    Attributes
    ----------
    cutoff : date
        As of which day.
    horizon : int
        Days ahead.
    version : int
        Of the model.
    predictions : Series
        By customer_id, as text.
    """

    cutoff: date
    horizon: int
    version: int
    predictions: pd.Series


def batches_of(target: Target, name: str, answer: str, *, until: date) -> list[Batch]:
    """Read back the predictions of a model, whatever its version.

    Parameters
    ----------
    target : Target
        Where batches are.
    name : str
        The registered name.
    answer : str
        The column of the predictions.
    until : date
        The last cutoff that counts.

    Returns
    -------
    list of Batch
        By cutoff; at most the last twelve.
    """
    from habitue.pipelines.scoring.targets import read_batches

    found: list[Batch] = []
    for key, frame in read_batches(target, model=name, columns=["customer_id", answer]):
        if key.cutoff > until or answer not in frame:
            continue
        values = frame[answer].to_numpy(dtype="float64", na_value=float("nan"))
        predictions = pd.Series(values, index=frame["customer_id"].astype(str).to_numpy()).dropna()
        found.append(Batch(key.cutoff, key.horizon, dict(key.models)[name], predictions))
    return sorted(found, key=lambda one: (one.cutoff, one.version))[-2 * _MOST :]


def matured_of(
    log: CustomerLog, batches: Sequence[Batch], target: str, *, until: date, churn: str
) -> pd.DataFrame:
    """Return predictions of batches beside what came to be, where that was known by a day.

    Parameters
    ----------
    log : CustomerLog
        The records.
    batches : sequence of Batch
        Of `batches_of`.
    target : {"churned", "spend"}
        What was predicted.
    until : date
        Outcomes must be known by then.
    churn : {"transactions", "contracts"}
        The records that tell churn.

    Returns
    -------
    DataFrame
        cutoff, source, version, prediction, outcome; of at most the last six cutoffs.
    """
    ripe = [
        one
        for one in batches
        if one.cutoff >= log.first_day and one.cutoff + timedelta(days=one.horizon) <= until
    ][-_MOST:]
    parts: list[pd.DataFrame] = []
    for one in ripe:
        snapshot = take_snapshot(log, Window(one.cutoff, one.horizon), [], churn=churn)
        outcome = pd.Series(snapshot.outcomes[target].astype("float64"))
        outcome.index = outcome.index.astype(str)
        both = pd.DataFrame({"prediction": one.predictions, "outcome": outcome}).dropna()
        parts.append(
            both.assign(cutoff=one.cutoff, source=f"batch of version {one.version}", version=one.version)
        )
    return pd.concat(parts, ignore_index=True) if parts else _nothing()


def asked_later(
    log: CustomerLog,
    ask: Callable[[date], tuple[pd.Series, pd.Series] | None],
    *,
    version: int,
    trained_at: date,
    until: date,
    horizon: int,
) -> pd.DataFrame:
    """Return what a model says of days after its training, beside what came to be.

    Parameters
    ----------
    log : CustomerLog
        The records.
    ask : callable
        Takes a cutoff; returns predictions and outcomes, aligned, or None where there are none.
    version : int
        Of the model.
    trained_at : date
        The last cutoff at which the backtest tested it: days up to it say nothing new.
    until : date
        Outcomes must be known by then.
    horizon : int
        Days ahead.

    Returns
    -------
    DataFrame
        As `matured_of`: the latest such cutoff, and at most five earlier ones a horizon apart.
    """
    latest = min(until, log.observed_until) - timedelta(days=horizon)
    parts: list[pd.DataFrame] = []
    for place in range(_MOST):
        cutoff = latest - timedelta(days=place * horizon)
        if cutoff <= trained_at or (told := ask(cutoff)) is None:
            break
        rows = {"cutoff": cutoff, "source": ASKED_LATER, "version": version}
        parts.append(pd.DataFrame({"prediction": told[0], "outcome": told[1]}).assign(**rows))
    return pd.concat(parts[::-1], ignore_index=True) if parts else _nothing()


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=["cutoff", "source", "version", "prediction", "outcome"])
