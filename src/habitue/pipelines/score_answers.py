"""Registered models are asked about many customers, some at a time: memory is bounded, progress told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.numerics.many_rows import blocks

if TYPE_CHECKING:
    from habitue.tracking import LoadedModel

__all__ = ["answer_of", "reasons_of"]

Progress = Callable[[str], None]

_CHUNK = 100_000
"""Customers answered at a time: memory stays bounded, and progress can be told."""


def answer_of(
    X: pd.DataFrame, one: LoadedModel, horizon: int, *, reasons: bool, tell: Progress
) -> pd.DataFrame:
    """Let one model answer, some customers at a time.

    Parameters
    ----------
    X : DataFrame of shape (n_customers, n_features)
        What the model reads.
    one : LoadedModel
        Fitted.
    horizon : int
        Days ahead.
    reasons : bool
        Whether it tells why, too.
    tell : callable
        Called with one line before each part.
    """
    parts: list[pd.DataFrame] = []
    for rows in blocks(len(X), _CHUNK):
        tell(f"customers {rows.start + 1:,} to {rows.stop:,} of {len(X):,}")
        parts.append(one.predict(X.iloc[rows], reasons=reasons, horizon=horizon))
    return pd.concat(parts)


def reasons_of(
    X: pd.DataFrame, who: npt.NDArray[np.bool_], one: LoadedModel, horizon: int, *, tell: Progress
) -> pd.DataFrame:
    """Let one model say why of those picked; the others get empty text.

    Parameters
    ----------
    X : DataFrame of shape (n_customers, n_features)
        What the model reads.
    who : ndarray of bool, shape (n_customers,)
        Those picked.
    one : LoadedModel
        Fitted.
    horizon : int
        Days ahead.
    tell : callable
        Called with one line before each part.
    """
    picked = X.loc[who]
    words = (
        [answer_of(picked, one, horizon, reasons=True, tell=tell).filter(like="reason_")]
        if len(picked)
        else []
    )
    empty = pd.DataFrame("", index=X.index[~who], columns=["reason_1", "reason_2", "reason_3"])
    return pd.concat([*words, empty]).loc[X.index]
