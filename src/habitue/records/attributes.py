"""Attributes of customers: whatever columns the source has beyond those that have a meaning here.

They keep their names. Numbers are DOUBLE, statements BOOLEAN, text VARCHAR, days and instants DATE. A CSV
file has text only: there a column is numbers, or days, where all its values are written so. Digits behind a
leading zero are a code, not a number. Which attributes are personal is for the user to say, and to leave out.
"""

from __future__ import annotations

from collections.abc import Mapping

from habitue.records.customer_ids import NO_VALUE
from habitue.records.engine import DuckDBEngine, literal, quoted
from habitue.records.instants import iso_sql
from habitue.records.schema import Column, ColumnKind

__all__ = ["attribute_columns"]

_NUMBERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "UHUGEINT", "FLOAT", "DOUBLE", "NUMERIC TEXT",
}  # fmt: skip


def attribute_columns(
    engine: DuckDBEngine, types: Mapping[str, str], decimal: str, *, all_text: bool
) -> list[Column]:
    """Return how each attribute of ``raw_rows`` is read; what has no place in a table is left out.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``raw_rows``.
    types : Mapping[str, str]
        Attribute to its SQL type.
    decimal : str
        Decimal sign of numbers that come as text.
    all_text : bool
        Whether everything came as text, so that numbers and days have to be found by looking.
    """
    texts = [name for name, sql_type in types.items() if sql_type == "VARCHAR"]
    found = _look(engine, texts, decimal, all_text=all_text)
    columns: list[Column] = []
    for name, sql_type in types.items():
        kind = found.get(name) or _kind(sql_type)
        if kind is not None:
            columns.append(Column(name, kind))
    return columns


def _kind(sql_type: str) -> ColumnKind | None:
    if sql_type in _NUMBERS or sql_type.startswith("DECIMAL"):
        return "number"
    if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
        return "day"
    kinds: dict[str, ColumnKind] = {"BOOLEAN": "flag", "VARCHAR": "text", "UUID": "text"}
    return kinds.get(sql_type)


def _look(
    engine: DuckDBEngine, names: list[str], decimal: str, *, all_text: bool
) -> dict[str, ColumnKind | None]:
    """Find the columns of text whose values are all of one other kind."""
    if not names:
        return {}
    words = ", ".join(literal(word) for word in NO_VALUE)
    point = rf"\{decimal}"
    number = literal(rf"[+-]?(0|[1-9]\d*)?({point}\d*)?([eE][+-]?\d+)?")
    counts: list[str] = []
    for name in names:
        text = f"trim(CAST({quoted(name)} AS VARCHAR))"
        filled = f"{text} <> '' AND lower({text}) NOT IN ({words})"
        said = f"lower({text}) IN ('true', 'false')"
        shaped = rf"regexp_full_match({text}, {number}) AND regexp_matches({text}, '\d')"
        counts += [
            f"count(*) FILTER ({filled})",
            f"count(*) FILTER ({said})",
            f"count(*) FILTER ({shaped})" if all_text else "-1",
            f"count({iso_sql(text)})" if all_text else "-1",
        ]
    row = engine.rows(f"SELECT {', '.join(counts)} FROM raw_rows")[0]
    kinds: dict[str, ColumnKind | None] = {}
    for place, name in enumerate(names):
        filled, flags, numbers, days = row[4 * place : 4 * place + 4]
        if filled:
            matching: dict[ColumnKind, int] = {"flag": flags, "number": numbers, "day": days}
            kinds[name] = next((kind for kind, count in matching.items() if count == filled), None)
    return kinds
