"""Texts that go to a CSV file straight from the database, where no spreadsheet shall run them."""

from __future__ import annotations

from habitue.files import FORMULA, HARMLESS, safe_cell
from habitue.records.engine import Engine, literal, quoted

__all__ = ["as_it_was", "without_formulas"]

_FORMULA, _HARMLESS, _MARK = literal(f"^(?:{FORMULA})"), literal(HARMLESS), literal("'")


def without_formulas(engine: Engine, query: str) -> str:
    """Return a query whose texts are what `habitue.files.safe_cell` makes of them, names of columns too.

    Parameters
    ----------
    engine : Engine
        Where it runs.
    query : str
        In DuckDB's dialect, nothing left to bind.

    Returns
    -------
    str
        With the same columns in the same order.
    """
    columns = [
        f"{_cell(quoted(name)) if kind == 'VARCHAR' else quoted(name)} AS {quoted(safe_cell(name))}"
        for name, kind in engine.columns(f"({query})").items()
    ]
    return f"SELECT {', '.join(columns)} FROM ({query})"


def as_it_was(column: str) -> str:
    """Return a column of text as `habitue.files.plain_cell` reads it back, as an expression of DuckDB's SQL.

    Parameters
    ----------
    column : str
        The column of a CSV file that `without_formulas` wrote, quoted where it needs to be.

    Examples
    --------
    >>> from habitue.records import DuckDBEngine
    >>> DuckDBEngine().rows(f"SELECT {as_it_was('id')} FROM (SELECT chr(39) || '=1+1' AS id)")
    [('=1+1',)]
    """
    marked = f"starts_with({column}, {_MARK}) AND regexp_matches({column}, {_FORMULA})"
    return f"CASE WHEN {marked} THEN substr({column}, 2) ELSE {column} END"


def _cell(column: str) -> str:
    runs = f"regexp_matches({column}, {_FORMULA}) AND NOT regexp_full_match({column}, {_HARMLESS})"
    return f"CASE WHEN {runs} THEN {_MARK} || {column} ELSE {column} END"
