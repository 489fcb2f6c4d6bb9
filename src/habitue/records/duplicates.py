"""Rows that say the same thing twice: told from rows that are merely alike.

Notes
-----
Rows are equal where all their canonical columns are. Of equal rows the first stays and the others are set
aside where something says that there can be only one:

- a transaction: its order_id, together with its product_id where the source has that. Where the source has no
  product_id and some order has rows of different contents, rows are lines of orders, two of which may well be
  equal, and all stay;
- any other record: an instant with a time of day. On one day the same may happen twice;
- a customer: always. Of rows that contradict each other (about the same recorded_at, where there is one) the
  one stays that says most; among those it is the first in the order of their values, not of the rows, because
  databases return rows in any order.

Everything else stays and is counted in a note.
"""

from __future__ import annotations

from collections.abc import Sequence

from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.schema import RECORDED_AT, Column, Schema
from habitue.records.staging import KEPT, ROW, set_aside
from habitue.vocabulary import one_or_many

__all__ = ["ORDER_KEY", "are_lines", "differing_keys", "duplicate_notes", "set_aside_duplicates"]

_DUPLICATE = "duplicate of an earlier row"
_CONTRADICTION = "contradicts another row of the same customer"
_ORDER, _PRODUCT = "order_id", "product_id"
ORDER_KEY = (_ORDER, _PRODUCT)
"""Columns that together say which purchase a row of transactions is."""


def set_aside_duplicates(
    engine: DuckDBEngine, schema: Schema, columns: Sequence[Column], differing: int | None, *, counted: str
) -> int:
    """Set aside the rows of ``read_rows`` that repeat an earlier one; return how many are merely alike.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``read_rows``.
    schema : Schema
        Of the kind of record.
    columns : sequence of Column
        Those that ``read_rows`` has.
    differing : int, optional
        Of `differing_keys`.
    counted : str
        SQL that tells of a row's number ``row`` whether it counts among those alike.
    """
    names = [quoted(column.name) for column in columns]
    _find_equal_rows(engine, names, _surely_one(schema, names, are_lines=are_lines(columns, differing)))
    set_aside(engine, "SELECT row FROM equal_rows WHERE surely", _DUPLICATE)
    alike = engine.rows(f"SELECT count(*) FROM equal_rows WHERE NOT surely AND {counted}")
    engine.execute("DROP TABLE equal_rows")
    if not schema.instant:
        _set_contradictions_aside(engine, names)
    return int(alike[0][0])


def differing_keys(
    engine: DuckDBEngine, schema: Schema, columns: Sequence[Column], rows: str = f"read_rows WHERE {KEPT}"
) -> int | None:
    """Count the keys of transactions whose rows differ; None where there is no key.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the rows.
    schema : Schema
        Of the kind of record.
    columns : sequence of Column
        Those that the rows have.
    rows : str
        What stands after FROM, with a condition.
    """
    names = [column.name for column in columns]
    if schema.kind != "transactions" or _ORDER not in names:
        return None
    key = [quoted(name) for name in ORDER_KEY if name in names]
    filled = " AND ".join(f"{name} IS NOT NULL" for name in key)
    row = f"hash({', '.join(map(quoted, names))})"
    # Grouped by a hash, not by text: the count is for a note, and takes a third of the memory.
    return engine.rows(
        f"SELECT count(*) FROM (SELECT 1 FROM {rows} AND {filled} "
        f"GROUP BY hash({', '.join(key)}) HAVING min({row}) <> max({row}))"
    )[0][0]


def are_lines(columns: Sequence[Column], differing: int | None) -> bool:
    """Tell whether rows of transactions are lines of orders, two of which may well be equal.

    Parameters
    ----------
    columns : sequence of Column
        Those that the rows have.
    differing : int, optional
        Of `differing_keys`.
    """
    return bool(differing) and all(column.name != _PRODUCT for column in columns)


def duplicate_notes(
    schema: Schema, columns: Sequence[Column], alike: int, differing: int | None
) -> tuple[str, ...]:
    """Tell what is worth knowing of rows that are alike.

    Parameters
    ----------
    schema : Schema
        Of the kind of record.
    columns : sequence of Column
        Those that the rows have.
    alike : int
        Rows that equal an earlier one and stay.
    differing : int, optional
        Of `differing_keys`.
    """
    lines = are_lines(columns, differing)
    notes = [_alike_note(schema, alike, are_lines=lines)] if alike else []
    if differing and not lines:
        notes.append(
            f"{one_or_many(differing, 'pair', plural='pairs')} of order_id and product_id "
            f"{'has' if differing == 1 else 'have'} rows of different contents: all are kept."
        )
    return tuple(notes)


def _surely_one(schema: Schema, names: list[str], *, are_lines: bool) -> str:
    """Return SQL that tells whether equal rows can only be one record."""
    if not schema.instant:
        return "true"
    if schema.kind == "transactions":
        key = [quoted(name) for name in ORDER_KEY if quoted(name) in names]
        if are_lines or quoted(_ORDER) not in key:
            return "false"
        return " AND ".join(f"{name} IS NOT NULL" for name in key)
    instant = quoted(schema.instant)
    return f"{instant} <> date_trunc('day', {instant})"


def _find_equal_rows(engine: DuckDBEngine, names: list[str], surely: str) -> None:
    """Make a table of the rows that equal an earlier one."""
    identity = ", ".join(names)
    # Few rows share a hash: only they are compared column by column.
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE equal_rows AS SELECT row, surely FROM (SELECT {ROW} AS row, "
        f"{surely} AS surely, row_number() OVER (PARTITION BY {identity} ORDER BY {ROW}) AS nth "
        f"FROM read_rows WHERE {KEPT} AND hash({identity}) IN (SELECT hash({identity}) "
        f"FROM read_rows WHERE {KEPT} GROUP BY 1 HAVING count(*) > 1)) WHERE nth > 1"
    )


def _set_contradictions_aside(engine: DuckDBEngine, names: list[str]) -> None:
    """Keep one row for each customer and instant of recording."""
    about = [name for name in ('"customer_id"', quoted(RECORDED_AT)) if name in names]
    said = [name for name in names if name not in about]
    told = " + ".join(["0", *(f"CAST({name} IS NOT NULL AS INTEGER)" for name in said)])
    order = ", ".join([f"{told} DESC", *said, ROW])
    set_aside(
        engine,
        f"SELECT row FROM (SELECT {ROW} AS row, row_number() OVER (PARTITION BY {', '.join(about)} "
        f"ORDER BY {order}) AS nth FROM read_rows WHERE {KEPT}) WHERE nth > 1",
        _CONTRADICTION,
    )


def _alike_note(schema: Schema, count: int, *, are_lines: bool) -> str:
    told = f"{one_or_many(count, 'row equals', plural='rows equal')} an earlier row in every column: kept; "
    if are_lines:
        return f"{told}orders have several lines, of which a product_id would tell duplicates."
    if schema.kind == "transactions":
        return f"{told}an order_id would tell duplicates."
    return f"{told}an instant with a time of day would tell duplicates."
