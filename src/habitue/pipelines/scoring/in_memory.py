"""Scores in memory: registered models answer for every customer of a log, in one frame.

For a notebook, and wherever the frame fits in memory. `habitue score` makes a batch of any size
(`habitue.pipelines.scoring.batch`) from the same parts, and of the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from habitue.pipelines.scoring.answers import (
    AskedReasons,
    Chunk,
    answers_of,
    chunks_of,
    deciles,
    joined,
    reasons_for_chunk,
)
from habitue.pipelines.scoring.batches import BatchKey
from habitue.pipelines.scoring.columns import SCORE_COLUMNS, as_table, completed, schema_of
from habitue.pipelines.scoring.features import frames_of, recorded
from habitue.pipelines.scoring.files import sidecar_of
from habitue.pipelines.scoring.models import Models, models_of
from habitue.pipelines.scoring.plan import model_of
from habitue.pipelines.scoring.targets_files import FileTarget
from habitue.records import CustomerLog

if TYPE_CHECKING:
    from habitue.tracking import LoadedModel, Store

__all__ = ["SCORE_COLUMNS", "Scored", "score_customers", "write_scores"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Scored:
    """Scores of every customer, and what they were made of.

    Attributes
    ----------
    frame : DataFrame
        One row a customer, columns of `SCORE_COLUMNS`.
    manifest : dict
        Plain data: cutoff, horizon, whether there are reasons, rows, data check, models.
    """

    frame: pd.DataFrame
    manifest: dict[str, Any]


def score_customers(
    log: CustomerLog,
    references: Sequence[str],
    *,
    store: Store,
    now: datetime,
    cutoff: date | None = None,
    horizon: int | None = None,
    discount_rate: float = 0.0,
    reasons: bool = True,
    reasons_from: float | None = None,
    reasons_top: float | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Let registered models answer for every customer as known at a cutoff.

    Where one model speaks of those who bought and another of those who have contracts, what one of them does
    not answer of a customer is missing.

    Parameters
    ----------
    log : CustomerLog
        The records.
    references : sequence of str
        One or two models, such as ``habitue-churn@champion``; a churn model and a value model may stand
        together.
    store : Store
        MLflow's home.
    now : datetime
        Written to scored_at.
    cutoff : date, optional
        The last day of the log where None.
    horizon : int, optional
        Days ahead; those that the models learned where None.
    discount_rate : float
        What a year takes off money, 0 or above: 0.10 for ten percent.
    reasons : bool
        Whether to add the three main reasons: why a customer may leave, or without a churn model why they are
        worth that much.
    reasons_from : float, optional
        Reasons are told from this answer on: a chance of leaving, or money without a churn model.
    reasons_top : float, optional
        Reasons are told for this share of customers, in (0, 1], whose answers are the highest.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    Scored

    Raises
    ------
    RegistryError
        There is no such model, version or alias.
    SettingsError
        Models that answer the same question, or learned different horizons and none is named, stand together;
        or one of them cannot answer for the horizon that is named, or none has money to discount.
    """
    tell = progress or (lambda _: None)
    tell("loading the models")
    models = models_of(_loaded(store, references), horizon, discount_rate)
    day = cutoff or log.observed_until
    tell(f"features as of {day}")
    chunks = chunks_of(frames_of(log, day, models))
    asked = AskedReasons(reasons, reasons_from, reasons_top)
    answers = _answers(chunks, models, asked, tell)
    frame = completed(
        answers,
        deciles(answers[models.ranked_by].to_numpy(dtype=np.float64)),
        cutoff=day,
        horizon=models.horizon,
        lineage=models.lineage,
        scored_at=now,
    )
    manifest: dict[str, Any] = {
        "cutoff": str(day),
        "horizon": models.horizon,
        "discount_rate": models.discount_rate,
        "reasons": reasons,
        "scored_at": now.isoformat(),
        "n_customers": len(frame),
        **recorded(log),
        "models": [model_of(one, models.horizon) for one in models.loaded],
    }
    manifest["data"]["fingerprint"] = log.fingerprint()
    return Scored(frame, manifest)


def _loaded(store: Store, references: Sequence[str]) -> list[LoadedModel]:
    """Load what references mean now: that version answers, whatever becomes of an alias meanwhile."""
    from habitue.tracking import load, resolve

    versions = [resolve(store, reference) for reference in references]
    return [load(store, version) for version in versions]


def _answers(chunks: Sequence[Chunk], models: Models, asked: AskedReasons, tell: Progress) -> pd.DataFrame:
    """Answer all chunks; reasons that need all answers come after them."""
    n, done = sum(len(chunk.ids) for chunk in chunks), 0
    parts: list[pd.DataFrame] = []
    for chunk in chunks:
        tell(f"customers {done + 1:,} to {done + len(chunk.ids):,} of {n:,}")
        done += len(chunk.ids)
        parts.append(answers_of(chunk, models, asked))
    answers = pd.concat(parts)
    if not asked.afterwards:
        return answers
    who, ends = asked.who(answers[models.explained]), np.cumsum([len(chunk.ids) for chunk in chunks])
    words = [
        reasons_for_chunk(chunk, of, models)
        for chunk, of in zip(chunks, np.split(who, ends[:-1]), strict=True)
    ]
    return joined([answers, pd.concat(words)])


def write_scores(scored: Scored, path: Path) -> Path:
    """Write the scores and their manifest, each beside and renamed; the manifest last.

    Parameters
    ----------
    scored : Scored
        What to write.
    path : Path
        Ends in .parquet or .csv.

    Returns
    -------
    Path
        Where the manifest lies.

    Raises
    ------
    SettingsError
        Where the ending is another, or the folder cannot be written to.
    """
    target, told = FileTarget(path), scored.manifest
    models = tuple((one["name"], one["version"]) for one in told["models"])
    key = BatchKey(date.fromisoformat(told["cutoff"]), told["horizon"], models)
    ids = pa.Array.from_pandas(scored.frame["customer_id"]).type
    schema = schema_of(scored.frame.columns, ids)
    table = as_table(scored.frame, schema)
    target.check()
    target.write(key, iter(table.to_batches()), schema, told, replace=True)
    return sidecar_of(path)
