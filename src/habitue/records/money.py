"""Amounts: read exactly, from numbers, from text with signs and separators, or from simple arithmetic.

Notes
-----
Text is read by these rules.

- ``1,234.50``, ``1 234.50`` and ``1'234.50`` are 1234.5: a thousands separator counts only where it stands
  like one, behind one to three digits of which the first is not 0. ``5,50`` and ``0,500`` with
  ``decimal="."`` are refused, not read as 550 and 500. With ``decimal=","`` point and comma change places.
- A currency before or behind the number (``€ 12``, ``12 EUR``, ``-$5``) is left off; two currencies in one
  column are refused, since their amounts cannot be added.
- What is no number (``NaN``, ``inf``, ``(12.50)``, ``5-``, ``n/a``) or too large (1e12 and more) is not read
  at all.
- Digits behind the sixth decimal are rounded.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from habitue.errors import SchemaError
from habitue.records.engine import literal, quoted

__all__ = ["MONEY", "columns_of", "money_sql", "number_sql"]

MONEY = "DECIMAL(18, 6)"
"""SQL type of money: exact sums in any order, amounts below 1e12."""

_ARITHMETIC = (
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.Paren,
    exp.Neg,
    exp.Column,
    exp.Identifier,
    exp.Literal,
)


def columns_of(expression: str) -> list[str]:
    """Return the columns that an arithmetic expression reads.

    Parameters
    ----------
    expression : str
        A column name, or ``+ - * /`` over column names and numbers; names with spaces in double quotes.

    Raises
    ------
    SchemaError
        Where it is anything else.

    Examples
    --------
    >>> columns_of('Quantity * UnitPrice')
    ['Quantity', 'UnitPrice']
    """
    tree = _parse(expression)
    return sorted({column.name for column in tree.find_all(exp.Column)}) if tree else [expression]


def _parse(expression: str) -> exp.Expr | None:
    """Parse arithmetic; None for what is a plain name, however odd."""
    try:
        tree = sqlglot.parse_one(expression, dialect="duckdb")
    except SqlglotError:
        return None
    strange = [node for node in tree.walk() if not isinstance(node, _ARITHMETIC)]
    if isinstance(tree, exp.Column) or isinstance(strange[0] if strange else None, exp.Alias):
        return None
    if strange or any(node.is_string for node in tree.find_all(exp.Literal)):
        raise SchemaError(
            f"{expression!r} is neither a column nor plain arithmetic on columns (+ - * / and numbers)."
        )
    return tree


def money_sql(given: str, types: Mapping[str, str], decimal: str) -> str:
    """Return SQL that reads a column, or arithmetic on columns, as money; NULL where it cannot be.

    Parameters
    ----------
    given : str
        A column's name or an arithmetic expression.
    types : Mapping[str, str]
        SQL type of each column of the source.
    decimal : str
        ``"."`` or ``","``, for text.
    """
    if given in types:
        return number_sql(given, types[given], decimal, MONEY)
    tree = _parse(given)
    if tree is None:
        raise SchemaError(f"There is no column {given!r}.")

    numbers: list[str] = []

    def read(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            place = len(numbers)
            numbers.append(number_sql(node.name, types[node.name], decimal, "DOUBLE"))
            return exp.Placeholder(this=f"number_{place}")
        return node

    written = tree.transform(read).sql("duckdb")
    for place in reversed(range(len(numbers))):
        written = written.replace(f"$number_{place}", f"({numbers[place]})")
    # Rounding to a millionth turns 3 * 2.55 back into exactly 7.65.
    return f"TRY_CAST({written} AS {MONEY})"


def number_sql(source: str, sql_type: str, decimal: str, target: str) -> str:
    """Return SQL that reads a column as a number of SQL type `target`; NULL where it cannot be.

    Parameters
    ----------
    source, sql_type : str
        The source's column and its SQL type; ``NUMERIC TEXT`` for numbers that a database wrote as text,
        which have a decimal point whatever the user's own sign is.
    decimal : str
        ``"."`` or ``","``, for text.
    target : str
        ``DOUBLE``, or `MONEY`.
    """
    column = quoted(source)
    if sql_type == "NUMERIC TEXT":
        return f"TRY_CAST({column} AS {target})"
    if sql_type != "VARCHAR":
        return _from_number(column, sql_type, target)
    # Most text is a plain number, and a cast is ten times as fast as a pattern.
    quick = (
        column
        if decimal == "."
        else f"CASE WHEN NOT contains({column}, '.') THEN replace({column}, ',', '.') END"
    )
    plain = f"regexp_replace({_bare(column)}, {literal(_separators(decimal))}, '', 'g')"
    if decimal == ",":
        plain = f"replace({plain}, ',', '.')"
    shaped = f"regexp_full_match({_bare(column)}, {literal(_shape(decimal))})"
    # CASE and not COALESCE: out of that, DuckDB takes the patterns and computes them for every row.
    return (
        f"CASE WHEN TRY_CAST({quick} AS {target}) IS NOT NULL THEN TRY_CAST({quick} AS {target}) "
        f"WHEN {shaped} THEN TRY_CAST({plain} AS {target}) END"
    )


def _from_number(column: str, sql_type: str, target: str) -> str:
    if target == MONEY and sql_type in {"FLOAT", "DOUBLE"}:
        # Large ones and single precision go by way of the digits they are written with: 1234.56 as FLOAT is
        # 1234.560059 in exact numbers.
        exact = f"TRY_CAST(CAST({column} AS VARCHAR) AS {target})"
        if sql_type == "FLOAT":
            return exact
        return f"CASE WHEN abs({column}) < 1e9 THEN TRY_CAST({column} AS {target}) ELSE {exact} END"
    return f"TRY_CAST({column} AS {target})"


def _bare(column: str) -> str:
    """Strip the currency; signs of currencies and blanks around a number say nothing about its size."""
    around = r"^([+-]?)[\s\p{Zs}]*[A-Z]*\p{Sc}*[\s\p{Zs}]*([+-]?)|[\s\p{Zs}]*(\p{Sc}|[A-Z]{3})?[\s\p{Zs}]*$"
    return f"regexp_replace(trim(replace({column}, '−', '-')), {literal(around)}, '\\1\\2', 'g')"


def _separators(decimal: str) -> str:
    return rf"[{',' if decimal == '.' else '.'}'’\p{{Zs}}]"


def _shape(decimal: str) -> str:
    """Return the pattern of a number: thousands all parted by the same sign, or by none."""
    point = rf"\{decimal}"
    groups = "|".join(
        rf"[1-9]\d{{0,2}}({sign}\d{{3}})+" for sign in (r"," if decimal == "." else r"\.", "['’]", r"\p{Zs}")
    )
    return rf"[+-]?((\d+|{groups})({point}\d*)?|{point}\d+)([eE][+-]?\d+)?"
