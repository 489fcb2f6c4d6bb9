"""Why customers are expected to leave: how often each reason is named, first or among the first three.

Reasons arrive in words, up to three a customer, made by the models; here they are only counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from habitue.report.reason_pillars import pillar_behind
from habitue.report.scores import Scores
from habitue.report.words_of_measures import pillar_label

__all__ = ["PillarReasons", "Reason", "Reasons", "count_reasons"]

MOST_REASONS = 12
MOST_DISTINCT = 40


@dataclass(frozen=True)
class Reason:
    """How often a reason is the main one, and how often among the first three."""

    reason: str
    n_main: int
    n_any: int
    share_any: float
    pillar: str = ""


@dataclass(frozen=True)
class PillarReasons:
    """How often a pillar is behind the main reason, and behind any of the first three."""

    pillar: str
    n_main: int
    n_any: int
    share_any: float


@dataclass(frozen=True)
class Reasons:
    """The commonest reasons.

    Attributes
    ----------
    of_at_risk : bool
        Whether only customers at risk were counted; everybody was if nobody is at risk.
    n_customers : int
        Customers counted: those with at least one reason.
    reasons : tuple of Reason
        The commonest first, at most twelve.
    pillars : tuple of PillarReasons
        Pillars of loyalty that all reasons belong to, the commonest first.
    """

    of_at_risk: bool
    n_customers: int
    reasons: tuple[Reason, ...]
    pillars: tuple[PillarReasons, ...] = ()


def count_reasons(scores: Scores) -> Reasons:
    """Count the reasons of the customers at risk; of everybody where nobody is.

    Parameters
    ----------
    scores : Scores
        The scores, checked.

    Returns
    -------
    Reasons

    Notes
    -----
    A customer counts once for a reason, wherever it stands. Where there are more than 40 different reasons,
    those that differ only in a number ("silent for 61 days") are counted as one.

    Examples
    --------
    >>> from habitue.report.scores import read_scores
    >>> frame = pd.DataFrame({"customer_id": [1, 2], "clv": [9, 8], "reason_1": ["silent"] * 2})
    >>> count_reasons(read_scores(frame)).reasons
    (Reason(reason='silent', n_main=2, n_any=2, share_any=1.0, pillar='Other'),)
    """
    at_risk = scores.at_risk
    of_at_risk = at_risk is not None and bool(at_risk.any())
    columns = [c[at_risk] if at_risk is not None and of_at_risk else c for c in scores.reasons]
    names, codes = _encode(columns)
    n = int((codes >= 0).any(axis=0).sum())
    if n == 0:
        return Reasons(of_at_risk, 0, ())
    main, anywhere = _tally(codes, len(names))
    common = sorted(range(len(names)), key=lambda i: (-anywhere[i], names[i]))[:MOST_REASONS]
    behind = [pillar_label(pillar_behind(name)) for name in names]
    told = (
        Reason(names[i], int(main[i]), int(anywhere[i]), float(anywhere[i] / n), behind[i]) for i in common
    )
    return Reasons(of_at_risk, n, tuple(told), _pillars(codes, behind, n))


def _pillars(codes: NDArray[np.intp], behind: list[str], n: int) -> tuple[PillarReasons, ...]:
    """Count pillars as reasons are counted: each once per customer."""
    names = sorted(set(behind))
    place = np.array([*(names.index(one) for one in behind), -1], dtype=np.intp)
    main, anywhere = _tally(place[codes], len(names))
    common = sorted(range(len(names)), key=lambda i: (-anywhere[i], names[i]))
    return tuple(
        PillarReasons(names[i], int(main[i]), int(anywhere[i]), float(anywhere[i] / n)) for i in common
    )


def _encode(columns: list[NDArray[np.object_]]) -> tuple[list[str], NDArray[np.intp]]:
    """Return the reasons' names and, for each customer, the places of their names, -1 for none."""
    if not columns:
        return [], np.empty((0, 0), dtype=np.intp)
    found, distinct = pd.factorize(np.concatenate(columns))
    words = [str(reason) for reason in distinct]
    said = [_without_numbers(word) for word in words] if len(words) > MOST_DISTINCT else words
    names = sorted(set(said))
    place = {name: i for i, name in enumerate(names)}
    # The last place is where factorize's -1, no reason, looks itself up.
    merged = np.array([*(place[name] for name in said), -1], dtype=np.intp)
    return names, merged[found].reshape(len(columns), -1)


def _tally(codes: NDArray[np.intp], n_names: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Count the first reason, and each reason once per customer."""
    anywhere = np.zeros(n_names, dtype=np.intp)
    for place, column in enumerate(codes):
        new = (column >= 0) & (codes[:place] != column).all(axis=0)
        anywhere += np.bincount(column[new], minlength=n_names)
    return np.bincount(codes[0][codes[0] >= 0], minlength=n_names), anywhere


def _without_numbers(reason: str) -> str:
    return re.sub(r"\d+(?:[.,]\d+)*", "…", reason)
