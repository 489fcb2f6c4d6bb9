"""What is known of one customer at a cutoff, in plain Python: what the oracle of the features works on.

Nothing here is shared with the package: schemas are read off the frames, days are Python's, and what a record
only came to say later is blanked by the two lines of `LATER`.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pandas as pd

Row = dict[str, Any]
Frames = dict[str, pd.DataFrame]

WHEN = {"contracts": "started_at", "tickets": "opened_at", "customers": None}
LATER = {
    "contracts": {"ended_at": "ended_at", "ended_reason": "ended_at"},
    "tickets": {
        "closed_at": "closed_at",
        "escalated": "closed_at",
        "reopened": "closed_at",
        "first_response_at": "first_response_at",
    },
    "contacts": {"responded_at": "responded_at"},
}


@dataclass
class Known:
    """One customer's records up to the end of the cutoff day."""

    cutoff: dt.date
    horizon: int
    records: dict[str, list[Row]] = field(default_factory=dict)

    def rows(self, kind: str) -> list[Row]:
        """Return the records of a kind; each has its ``day`` (customers have none)."""
        return self.records.get(kind, [])

    def age(self, day: dt.date) -> int:
        """Return days from a day to the cutoff."""
        return (self.cutoff - day).days

    def visits(self) -> list[tuple[dt.date, Decimal]]:
        """Return days with a purchase and what was bought on each, in order."""
        bought: dict[dt.date, Decimal] = {}
        for row in self.rows("transactions"):
            if row["amount"] >= 0:
                bought[row["day"]] = bought.get(row["day"], Decimal(0)) + row["amount"]
        return sorted(bought.items())


def everybody(frames: Frames, cutoff: dt.date, horizon: int) -> dict[Any, Known]:
    """Part frames of canonical columns into what is known of each customer."""
    people: dict[Any, Known] = {}
    for kind, frame in frames.items():
        for row in frame.to_dict("records"):
            known = _as_known(kind, {name: _plain(value) for name, value in row.items()}, cutoff)
            if known is not None:
                customer = people.setdefault(known["customer_id"], Known(cutoff, horizon))
                customer.records.setdefault(kind, []).append(known)
    return people


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    if isinstance(value, float):
        return Decimal(repr(value))
    return value.item() if hasattr(value, "item") else value


def _as_known(kind: str, row: Row, cutoff: dt.date) -> Row | None:
    """Return a record as it was known at the cutoff; None where it was not."""
    recorded = row.get("recorded_at")
    if recorded is not None and recorded.date() > cutoff:
        return None
    when = WHEN.get(kind, "timestamp")
    if when is not None:
        row["day"] = row[when].date()
        if row["day"] > cutoff:
            return None
    known_at = {name: row.get(instant) for name, instant in LATER.get(kind, {}).items()}
    for name, instant in known_at.items():
        if name in row and (instant is None or instant.date() > cutoff):
            row[name] = None
    return row
