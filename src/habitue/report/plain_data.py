"""Facts as what JSON can hold, and what JSON holds as facts.

The files of other commands were written by some version of them: what is missing, or is something else, is
answered here, once, with the command that makes the file anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any, TypeVar

from habitue.errors import DataError
from habitue.report.glossary import Term

__all__ = ["day_of", "number", "plain", "read_or_refuse", "records", "text"]

T = TypeVar("T")


def number(value: Any) -> float | None:
    """Return a finite number, or None.

    Parameters
    ----------
    value : object
        A cell of a file.

    Examples
    --------
    >>> number(3), number(None), number(float("nan")), number("3")
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def text(value: Any) -> str:
    """Return a text; nothing is the empty one.

    Parameters
    ----------
    value : object
        A cell of a file.
    """
    return "" if value is None else str(value)


def day_of(value: Any) -> date | None:
    """Return the day of an ISO string, or None where there is none.

    Parameters
    ----------
    value : object
        A cell of a file.

    Examples
    --------
    >>> day_of("2026-06-30"), day_of(None)
    (datetime.date(2026, 6, 30), None)
    """
    return None if not value else date.fromisoformat(str(value)[:10])


def records(table: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the rows of a table of columns and rows, each by its columns' names.

    Parameters
    ----------
    table : mapping or None
        With "columns" and "rows".

    Examples
    --------
    >>> records({"columns": ["step", "amount"], "rows": [["left", -3.0]]})
    [{'step': 'left', 'amount': -3.0}]
    """
    if table is None:
        return []
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def read_or_refuse(
    read: Callable[[Mapping[str, Any]], T], told: Mapping[str, Any] | None, *, what: str, command: str
) -> T | None:
    """Read what another command told, or say how to make it anew.

    Parameters
    ----------
    read : callable
        From the file's content to facts.
    told : mapping or None
        The content; None where there is no such file.
    what, command : str
        What the file is, and what makes it.

    Returns
    -------
    object or None
        None where there is nothing to read.

    Raises
    ------
    DataError
        Where something that must be there is not, or is something else.
    """
    if told is None:
        return None
    try:
        return read(told)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(
            f"The {what} cannot be read ({type(error).__name__}: {error}); it may be of another version. "
            f"Make it again: {command}"
        ) from error


def plain(value: object) -> object:
    """Turn any fact into what JSON can hold.

    Parameters
    ----------
    value : object
        Facts, or a part of them.

    Returns
    -------
    object
        Dictionaries, lists, strings, numbers and None: dates become ISO strings, what is not finite None.
    """
    if is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Term):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value
