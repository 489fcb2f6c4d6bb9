"""Conditions on a customer: a small language that can say who, and nothing else.

A condition is a boolean expression in SQL over columns of one table: ``churn_probability > 0.3 AND segment IN
('gold', 'silver')``. It is parsed, each part of it must be on a short list, and what is run is written anew
from the parts: no text from outside reaches the database. There are no statements, no subqueries, no other
tables, and no functions but a few that only look at their arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from habitue.errors import SettingsError
from habitue.records.dialects import canonical

__all__ = ["Condition", "read_condition"]

_LONGEST: Final = 4_000  # characters
_DEEPEST: Final = 60  # parts within parts: far below where any parser runs out of stack

_LOGIC = (exp.And, exp.Or, exp.Not, exp.Paren)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.Is, exp.Like)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg)
_VALUES = (exp.Literal, exp.Boolean, exp.Null, exp.Column, exp.Identifier)
_FUNCTIONS = (exp.Abs, exp.Coalesce, exp.Greatest, exp.Least, exp.Length, exp.Lower, exp.Upper)
_KNOWN: Final = frozenset({*_LOGIC, *_COMPARISONS, *_ARITHMETIC, *_VALUES, *_FUNCTIONS})
_TOLD: Final = (
    "comparisons, AND, OR, NOT, IN (...), BETWEEN, LIKE, IS NULL, + - * /, numbers, 'texts', DATE "
    "'2025-01-31', columns, and ABS, COALESCE, GREATEST, LEAST, LENGTH, LOWER, UPPER"
)


@dataclass(frozen=True)
class Condition:
    """A condition that was read.

    Attributes
    ----------
    sql : str
        Written anew, names quoted, in DuckDB's dialect.
    columns : tuple of str
        Columns that it reads, each once.
    """

    sql: str
    columns: tuple[str, ...]


def read_condition(
    text: str,
    *,
    columns: Collection[str] | None = None,
    protected: Collection[str] = (),
    declared_for: Mapping[str, str] | None = None,
    of: str = "a condition",
) -> Condition:
    r"""Read a condition, and refuse what it must not say.

    Parameters
    ----------
    text : str
        The condition.
    columns : collection of str, optional
        Columns that there are; not checked where None.
    protected : collection of str
        Protected attributes: conditions may use them only where a reason is declared.
    declared_for : mapping of str to str, optional
        The reason for each protected attribute that the condition may use.
    of : str
        What messages call it.

    Returns
    -------
    Condition

    Raises
    ------
    SettingsError
        Where it is no expression, says more than a condition may, names an unknown column, or uses a
        protected attribute without a declared reason.

    Notes
    -----
    Names count as protected whatever their capitals, as the database makes no difference.

    Examples
    --------
    >>> read_condition("clv > 100 and segment in ('gold')").sql
    '"clv" > 100 AND "segment" IN (\'gold\')'
    """
    tree = _parsed(text, of)
    _refuse_other_parts(tree, of)
    named = tuple(dict.fromkeys(str(column.name) for column in tree.find_all(exp.Column)))
    if columns is not None:
        _refuse_unknown(named, columns, of)
    _refuse_protected(named, protected, declared_for or {}, of)
    written = tree.sql("duckdb", identify=True, comments=False)
    # Divisions are made explicit as in features: no value where the divisor is 0.
    return Condition(canonical(written).sql("duckdb", identify=True), named)


def _parsed(text: str, of: str) -> exp.Expr:
    if len(text) > _LONGEST:
        raise SettingsError(f"{of} has {len(text):,} characters; conditions have {_LONGEST:,} at most.")
    if _depth(text) > _DEEPEST:
        raise SettingsError(f"{of} nests deeper than {_DEEPEST} brackets; write it flatter.")
    try:
        parsed = sqlglot.parse(text, dialect="duckdb")
    except (SqlglotError, RecursionError, ValueError) as error:
        raise SettingsError(f"{of} is no condition: {text!r} cannot be read. It may hold {_TOLD}.") from error
    if len(parsed) != 1 or parsed[0] is None:
        raise SettingsError(f"{of} must be one condition, such as clv > 100; got {text!r}.")
    return parsed[0]


def _depth(text: str) -> int:
    """Return how deep brackets nest, those within texts included."""
    deepest = now = 0
    for sign in text:
        now += (sign == "(") - (sign == ")")
        deepest = max(deepest, now)
    return deepest


def _refuse_other_parts(tree: exp.Expr, of: str) -> None:
    for node in tree.walk():
        if type(node) in _KNOWN and not _says_more(node):
            continue
        if _is_day(node) or (isinstance(node, exp.DataType) and _is_day(node.parent)):
            continue
        raise SettingsError(f"{of} says {node.sql('duckdb')!r}, which no condition may; it may hold {_TOLD}.")


def _says_more(node: exp.Expr) -> bool:
    """Return whether a node of a known kind has something that only other SQL has."""
    if isinstance(node, exp.Column):
        return any(node.args.get(part) for part in ("table", "db", "catalog", "join_mark"))
    if isinstance(node, exp.In):
        return not node.expressions or any(
            node.args.get(part) for part in ("query", "unnest", "field", "is_global")
        )
    return False


def _is_day(node: exp.Expr | None) -> bool:
    """Return whether a node is a date written out, which is parsed as a cast of a text."""
    return (
        isinstance(node, exp.Cast)
        and isinstance(node.this, exp.Literal)
        and node.this.is_string
        and node.to.this in (exp.DType.DATE, exp.DType.TIMESTAMP)
    )


def _refuse_unknown(named: tuple[str, ...], columns: Collection[str], of: str) -> None:
    for name in named:
        if name not in columns:
            near = get_close_matches(name, list(columns), n=3)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else _listed(columns)
            raise SettingsError(f"{of} names {name!r}, which no customer has; {hint}")


def _listed(columns: Collection[str]) -> str:
    shown = list(columns)[:20]
    return f"there are {', '.join(shown)}{' and others' if len(columns) > len(shown) else ''}."


def _refuse_protected(
    named: tuple[str, ...], protected: Collection[str], declared_for: Mapping[str, str], of: str
) -> None:
    kept = {name.casefold() for name in protected}
    declared = {name.casefold() for name, reason in declared_for.items() if reason.strip()}
    for name in named:
        if name.casefold() in kept - declared:
            raise SettingsError(
                f"{of} uses {name!r}, a protected attribute, which decides on no offer. Leave it out, or "
                f'declare why it may: declared_for = {{ {name} = "reason" }}.'
            )
