"""The tables through which rows pass at the door, and the names of the columns that tell rows apart there.

``raw_rows`` has the rows as they came, ``read_rows`` what was read, and why a row cannot be used.
"""

from __future__ import annotations

from habitue.records.engine import DuckDBEngine, literal

__all__ = ["KEPT", "REASON", "ROW", "set_aside"]

ROW = '"row: number"'
"""Numbers the rows of a source from 1; apart from all names that a source may have."""

REASON = '"row: reason"'
"""Says in ``read_rows`` why a row is set aside; NULL where it is not."""

KEPT = f"{REASON} IS NULL"
"""Tells whether a row of ``read_rows`` is (still) to be admitted."""


def set_aside(engine: DuckDBEngine, rows: str, reason: str) -> None:
    """Say of rows of ``read_rows`` why they cannot be used.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``read_rows``.
    rows : str
        A query for their numbers.
    reason : str
        A few words.
    """
    engine.execute(f"UPDATE read_rows SET {REASON} = {literal(reason)} WHERE {KEPT} AND {ROW} IN ({rows})")
