"""The tables through which rows pass at the door, and the names of the columns that tell rows apart there.

``raw_rows`` has the rows as they came, ``read_rows`` what was read, and why a row cannot be used. In the
schema ``kept`` lies what a later batch of the same source needs (`habitue.records.extending`).
"""

from __future__ import annotations

from collections.abc import Sequence

from habitue.records.engine import DuckDBEngine, literal, quoted

__all__ = ["FIT", "KEPT", "RAW", "RAW_KEY", "REASON", "ROW", "drop", "json_of", "set_aside", "told_table"]

ROW = '"row: number"'
"""Numbers the rows of a source from 1, through all batches; apart from all names that a source may have."""

REASON = '"row: reason"'
"""Says in ``read_rows`` why a row is set aside; NULL where it is not."""

FIT = '"row: fit"'
"""Tells in ``read_rows`` whether all that a row needs could be read, whatever its day and other rows say."""

RAW_KEY = '"row: raw key"'
"""A hash of what a row said at first, as it came; only where records are told again when they change."""

RAW = '"row: raw"'
"""The row as it came, as JSON, of rows that were set aside."""

KEPT = f"{REASON} IS NULL"
"""Tells whether a row of ``read_rows`` is (still) to be admitted."""


def told_table(kind: str) -> str:
    """Return the name of the table of rows that a later batch may judge again.

    Parameters
    ----------
    kind : str
        Kind of record.
    """
    return f"kept.told_{kind}"


def json_of(names: Sequence[str]) -> str:
    """Return SQL that writes a row of ``raw_rows`` as JSON.

    Parameters
    ----------
    names : sequence of str
        The source's columns.
    """
    raw = ", ".join(f"{quoted(name)} := raw_rows.{quoted(name)}" for name in names)
    return f"CAST(to_json(struct_pack({raw})) AS VARCHAR)"


def drop(engine: DuckDBEngine, *tables: str) -> None:
    """Drop tables, where they are there.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds them.
    *tables : str
        As SQL names them.
    """
    for table in tables:
        engine.execute(f"DROP TABLE IF EXISTS {table}")


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
