"""Flags that the door could not read: how many, and what stood there instead of yes or no."""

from __future__ import annotations

from collections.abc import Mapping

from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.looks import kept_looks, look
from habitue.records.yes_or_no import ACCEPTED, answer_sql

__all__ = ["answer_notes", "look_at_answers", "unread_words"]

_NEITHER = "neither yes nor no: "
_MOST, _LONGEST = 5, 40


def look_at_answers(engine: DuckDBEngine, column: str, source: str, sql_type: str) -> None:
    """Look at what says neither yes nor no in a column of ``raw_rows``: the most frequent five.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``raw_rows`` and ``looks``.
    column : str
        Canonical name.
    source, sql_type : str
        The source's column and its SQL type.
    """
    if sql_type == "BOOLEAN":
        return
    rows = engine.rows(
        f"SELECT left(trim(CAST({quoted(source)} AS VARCHAR)), {_LONGEST}) AS word, count(*) FROM raw_rows "
        f"WHERE {answer_sql(source, sql_type)} IS NULL AND word <> '' GROUP BY 1 ORDER BY 2 DESC, 1 "
        f"LIMIT {_MOST}"
    )
    if rows:
        look(engine, column, {f"{_NEITHER}{word}": count for word, count in rows})


def answer_notes(engine: DuckDBEngine, kind: str, unread: Mapping[str, int]) -> dict[str, str]:
    """Return, for flags that could not be read, a sentence on what stands there and on which words are read.

    Parameters
    ----------
    engine : DuckDBEngine
        Has kept the looks at the values.
    kind : str
        Kind of record.
    unread : Mapping[str, int]
        Canonical column to number of values that could not be read.
    """
    told = {name: unread_words(engine, kind, name) for name in unread}
    return {
        name: f" {name} says {', '.join(map(repr, words))}, which is neither yes nor no: {ACCEPTED}."
        for name, words in told.items()
        if words
    }


def unread_words(engine: DuckDBEngine, kind: str, column: str) -> tuple[str, ...]:
    """Return up to five of what stands in a column and says neither yes nor no.

    Parameters
    ----------
    engine : DuckDBEngine
        Has kept the looks at the values.
    kind : str
        Kind of record.
    column : str
        Canonical name, such as ``contactable``.
    """
    return tuple(word for name, word, _ in kept_looks(engine, kind, _NEITHER) if name == column)[:_MOST]
