"""Registered models are asked about many customers, some at a time: memory is bounded, progress told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.decisions.reasons import N_REASONS, whom_to_tell
from habitue.numerics.many_rows import blocks
from habitue.pipelines.scoring.models import BESIDE, Models, is_churn

if TYPE_CHECKING:
    from habitue.tracking import LoadedModel

__all__ = [
    "CHUNK",
    "REASONS",
    "AskedReasons",
    "Chunk",
    "answers_of",
    "chunks_of",
    "deciles",
    "joined",
    "reasons_for_chunk",
    "reasons_of",
]

CHUNK = 100_000
"""Customers answered at a time: memory stays bounded, and progress can be told."""

REASONS = [f"reason_{place + 1}" for place in range(N_REASONS)]

FloatArray = npt.NDArray[np.float64]


class Chunk(NamedTuple):
    """Some customers: their ids, and what is known of them, a table for each base, indexed by customer_id."""

    ids: pd.Index
    tables: list[pd.DataFrame]


@dataclass(frozen=True)
class AskedReasons:
    """Whether reasons are told, and of whom.

    Attributes
    ----------
    wanted : bool
        Whether at all.
    at_least : float or None
        Of those whose answer is at least this: a chance of leaving, or money without a churn model.
    top_share : float or None
        Of this share of customers, in (0, 1], whose answers are the highest.
    """

    wanted: bool = True
    at_least: float | None = None
    top_share: float | None = None

    @property
    def at_once(self) -> bool:
        """Whether a customer's answer alone says if reasons are told, so that they are told along with it."""
        return self.wanted and self.top_share is None

    @property
    def afterwards(self) -> bool:
        """Whether all answers have to be known before anybody is told why."""
        return self.wanted and self.top_share is not None

    def who(self, values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return who is told.

        Parameters
        ----------
        values : array_like of shape (n_customers,)
            The answers that reasons are about.
        """
        return whom_to_tell(values, at_least=self.at_least, top_share=self.top_share)


def chunks_of(tables: Sequence[pd.DataFrame]) -> list[Chunk]:
    """Cut tables in memory into chunks of customers, in the order of their ids.

    Parameters
    ----------
    tables : sequence of DataFrame
        What models read, one for each base; each customer once, some perhaps in one of them alone.
    """
    first, *others = tables
    ids = first.index
    for table in others:
        ids = ids.union(table.index)
    return [
        Chunk(
            ids[rows],
            [table.loc[table.index.isin(ids[rows])] for table in tables] if others else [first.iloc[rows]],
        )
        for rows in blocks(len(ids), CHUNK)
    ]


def answers_of(chunk: Chunk, models: Models, asked: AskedReasons) -> pd.DataFrame:
    """Let all models answer for one chunk of customers.

    Parameters
    ----------
    chunk : Chunk
        Who, with one table for each of ``models.bases``.
    models : Models
        Who answers.
    asked : AskedReasons
        Reasons that need all answers are left to `reasons_of`.

    Returns
    -------
    DataFrame
        Indexed by customer_id, in its order: answers, and the features that stand beside them. Of whom a
        model does not speak, its answers are missing.
    """
    told: list[pd.DataFrame] = []
    for one in models.loaded:
        X = chunk.tables[models.place(one)]
        if X.empty:
            continue
        answers = _answers(X, one, models, asked)
        other = one is not models.first
        told.append(answers.rename(columns={"answered_by": "clv_answered_by"}) if other else answers)
    told += [_beside(X, base.churn) for X, base in zip(chunk.tables, models.bases, strict=True)]
    return joined(told).rename_axis("customer_id")


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tables of the same customers, or of some of them each, side by side; the first has precedence.

    Parameters
    ----------
    tables : sequence of DataFrame
        Indexed by customer_id, in its order.
    """
    whole, *others = tables
    for table in others:
        more = table.drop(columns=[name for name in table if name in whole])
        if whole.index.equals(more.index):
            whole = pd.concat([whole, more], axis=1)
        else:
            whole = whole.join(more, how="outer")
    return whole


def _answers(X: pd.DataFrame, one: LoadedModel, models: Models, asked: AskedReasons) -> pd.DataFrame:
    """Let one model answer, and say why where that is asked for."""
    why = asked.at_once and one is models.first
    everybody = why and asked.at_least is None
    rate = 0.0 if is_churn(one) else models.discount_rate
    answers = one.predict(X, reasons=everybody, horizon=models.horizon, discount_rate=rate)
    if why and not everybody:
        who = asked.who(answers[models.explained])
        answers = answers.join(reasons_of(X, who, models))
    return answers


def _beside(X: pd.DataFrame, churn: str) -> pd.DataFrame:
    """Return what stands beside the answers; a table that was prepared elsewhere may lack it."""
    return X.loc[:, [name for name in BESIDE[churn] if name in X]]


def reasons_of(X: pd.DataFrame, who: npt.NDArray[np.bool_], models: Models) -> pd.DataFrame:
    """Say why of those picked; the others get empty text.

    Parameters
    ----------
    X : DataFrame of shape (n_customers, n_features)
        What the model reads whose reasons are told.
    who : ndarray of bool, shape (n_customers,)
        Those picked.
    models : Models
        Who answers.

    Returns
    -------
    DataFrame of str, columns reason_1, reason_2, reason_3
        Indexed like X.
    """
    told = pd.DataFrame("", index=X.index, columns=REASONS)
    if who.any():
        picked = models.first.predict(X.loc[who], reasons=True, horizon=models.horizon)
        told.loc[who] = picked[REASONS].to_numpy(dtype=object)
    return told


def reasons_for_chunk(chunk: Chunk, who: npt.NDArray[np.bool_], models: Models) -> pd.DataFrame:
    """Say why of those picked of a chunk, as far as the model speaks of them whose reasons are told.

    Parameters
    ----------
    chunk : Chunk
        Some customers.
    who : ndarray of bool, shape (n_customers,)
        Those picked.
    models : Models
        Who answers.
    """
    X = chunk.tables[models.place(models.first)]
    theirs = who if len(X) == len(chunk.ids) else who[chunk.ids.isin(X.index)]
    return reasons_of(X, theirs, models)


def deciles(values: FloatArray) -> npt.NDArray[np.int8]:
    """Return tenths of those who have a value, 1 the highest; equal values stay in their order.

    Parameters
    ----------
    values : ndarray of shape (n_customers,)
        In order of customer_id; NaN for who has none.

    Returns
    -------
    ndarray of int8, shape (n_customers,)
        1 to 10; 0 for who has no value.

    Examples
    --------
    >>> deciles(np.array([5.0, np.nan, 7.0])).tolist()
    [6, 0, 1]
    """
    n_known = int(np.count_nonzero(~np.isnan(values)))
    tenths = np.zeros(len(values), dtype=np.int8)
    highest = np.argsort(-values, kind="stable")[:n_known]  # NaN comes last
    tenths[highest] = np.arange(n_known) * 10 // n_known + 1 if n_known else 0
    return tenths
