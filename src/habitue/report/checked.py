"""What a report is told of its models and records: who predicted, and what was set aside at the door.

Plain data that whoever makes a report hands in; nothing is worked out here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

__all__ = ["Champion", "DataCheck", "KindCheck", "Published"]


@dataclass(frozen=True)
class Champion:
    """The registered model that made the predictions, and why it was chosen.

    Attributes
    ----------
    role : str
        "churn" or "clv".
    name, version, run_id : str
        The registered model, its version and the run that trained it.
    model : str
        What the model is called in the leaderboards and curves.
    why : str
        One sentence: why this one.

    Examples
    --------
    >>> Champion("churn", "demo-churn", "3", "0a1b", "BG/NBD", "Best AUC over four cutoffs.").role
    'churn'
    """

    role: Literal["churn", "clv"]
    name: str
    version: str
    run_id: str
    model: str
    why: str


@dataclass(frozen=True)
class KindCheck:
    """What the records of one further kind looked like at the door.

    Attributes
    ----------
    kind : str
        Kind of record, as habitue.toml names it.
    source : str
        Where they come from.
    n_rows, n_quarantined : int
        Records read, and those of them set aside.
    quarantined : mapping of str to int
        How many for which reason.
    notes : sequence of str
        Whatever else a reader should know.

    Examples
    --------
    >>> KindCheck("tickets", "tickets.csv", 61, 1, {"opened_at is missing": 1}).n_quarantined
    1
    """

    kind: str
    source: str
    n_rows: int
    n_quarantined: int
    quarantined: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class DataCheck:
    """What the records looked like at the door.

    Attributes
    ----------
    n_rows, n_customers : int
        Purchases read and customers they belong to.
    first_day, last_day : datetime.date or None
        First and last day of the records; None where there are none.
    n_quarantined : int
        Purchases set aside.
    quarantined : mapping of str to int
        How many for which reason.
    notes : sequence of str
        Whatever else a reader should know.
    others : sequence of KindCheck
        The further kinds of record that were read.

    Examples
    --------
    >>> DataCheck(100, 20, date(2025, 1, 1), date(2026, 6, 30), 2, {"amount is missing": 2}).n_quarantined
    2
    """

    n_rows: int
    n_customers: int
    first_day: date | None
    last_day: date | None
    n_quarantined: int
    quarantined: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: Sequence[str] = ()
    others: Sequence[KindCheck] = ()


@dataclass(frozen=True)
class Published:
    """A table of published figures beside ours, as it came."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
