"""What was known at a cutoff: the only thing that feature builders receive.

A record counts from the day on which it became known, and what it only came to say later is empty up to then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from habitue.records.engine import Engine, quoted
from habitue.records.schema import RECORDED_AT, SCHEMAS, Schema

__all__ = ["History"]


@dataclass(frozen=True)
class History:
    """What was known at the end of the cutoff day.

    Attributes
    ----------
    engine : Engine
        Holds the records.
    cutoff : datetime.date
        The last day whose records may be read.
    kinds : tuple of str
        Kinds of record that the log has.
    """

    engine: Engine
    cutoff: date
    kinds: tuple[str, ...]

    def relation(self, kind: str) -> str:
        """Return a query for what was known of a kind; where it names ``$cutoff``, that is to be bound.

        Parameters
        ----------
        kind : str
            A kind of record that the log has.

        Notes
        -----
        - A record dated up to the cutoff counts, unless its `recorded_at` is a later day: it had happened,
          and nobody knew.
        - What a record only came to say later (when a contract ended and why, whether a ticket was
          reopened) is empty up to then, and always where the log does not say when it became known.
        - Customers have one row each: what was recorded last, once they were acquired.
        """
        schema, there = SCHEMAS[kind], self.engine.columns(kind)
        known = _known(schema, there)
        if not schema.instant:
            return _one_row_each(kind, there, known)
        later = {name: _once_known(schema, name, there) for name in schema.known_later if name in there}
        selected = ", ".join(later.get(name, quoted(name)) for name in there) if later else "*"
        return f"SELECT {selected} FROM {kind} WHERE {known}"


def _known(schema: Schema, there: Mapping[str, str]) -> str:
    """Tell whether a record was known at the cutoff; empty where all always were."""
    days = [f"CAST({name} AS DATE)" for name in (RECORDED_AT, "acquired_at") if name in there]
    conditions = [f"({day} IS NULL OR {day} <= $cutoff)" for day in days]
    return " AND ".join(["day <= $cutoff"] * bool(schema.instant) + conditions)


def _once_known(schema: Schema, name: str, there: Mapping[str, str]) -> str:
    since = schema.known_later[name]
    if since not in there:
        return f"CAST(NULL AS {there[name]}) AS {quoted(name)}"
    return f"CASE WHEN CAST({quoted(since)} AS DATE) <= $cutoff THEN {quoted(name)} END AS {quoted(name)}"


def _one_row_each(kind: str, there: Mapping[str, str], known: str) -> str:
    """Return the customers' query; the door saw to it that no two rows of one were recorded at once."""
    records = f"{kind} WHERE {known}" if known else kind
    if RECORDED_AT not in there:
        return f"SELECT * FROM {records}"
    latest = (
        f"ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY {RECORDED_AT} DESC NULLS LAST) AS nth_latest"
    )
    selected = ", ".join(map(quoted, there))
    return f"SELECT {selected} FROM (SELECT {selected}, {latest} FROM {records}) AS told WHERE nth_latest = 1"
