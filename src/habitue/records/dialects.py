"""One SQL text for every engine: DuckDB's dialect, translated where it would mean something else.

sqlglot translates; what it translates wrongly, or not at all, is mended here, and only here. What features
may use is kept to what is tested to mean the same on every engine that runs them (see `habitue.features`).

Notes
-----
- ``/`` divides doubles and has no value where the divisor is 0. Left alone, DuckDB gives infinity, Spark and
  Postgres stop with an error, and both would divide decimals and integers in their own way.
- ``//`` and ``%`` have no value where the divisor is 0 either. They are for whole numbers: of decimals DuckDB
  keeps the fraction.
- LN, SQRT and EXP take doubles; LN and SQRT have no value where mathematics has none. Left alone, that is an
  infinity, "not a number", no value or an error, depending on the engine. EXP of more than 709 is one still.
- What one engine alone reads differently: see `habitue.records.dialect_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import sqlglot
from sqlglot import exp

from habitue.errors import SettingsError
from habitue.records.dialect_rules import OF_DIALECT, Rules

__all__ = ["DIALECTS", "canonical", "translated"]

DIALECTS = ("duckdb", "spark", "postgres", "snowflake", "bigquery")
"""Dialects that a statement can be written in; DuckDB, Spark and Postgres are run by the tests."""

_UNITS = ("DAY", "MONTH", "YEAR", "SECOND")
_DOUBLE = exp.DataType.build("DOUBLE")


def canonical(sql: str) -> exp.Expr:
    """Parse DuckDB's SQL and make explicit what engines read differently.

    Parameters
    ----------
    sql : str
        A statement or an expression.

    Raises
    ------
    SettingsError
        Where it counts the spans between two dates in a unit that engines count differently.

    Examples
    --------
    >>> canonical("SUM(amount) / COUNT(*)").sql("duckdb")
    'CAST(SUM(amount) AS DOUBLE) / NULLIF(CAST(COUNT(*) AS DOUBLE), 0)'
    """
    return _mended(sqlglot.parse_one(sql, dialect="duckdb"), _CANONICAL)


def translated(
    sql: str, dialect: str, values: Mapping[str, object] | None = None, *, pretty: bool = False
) -> str:
    """Write DuckDB's SQL in another dialect.

    Parameters
    ----------
    sql : str
        One statement in DuckDB's dialect.
    dialect : str
        One of `DIALECTS`.
    values : Mapping[str, date or int], optional
        What its ``$names`` stand for, written out as constants; left as they are where None.
    pretty : bool
        On many lines, for people.

    Raises
    ------
    SettingsError
        Where the dialect is not known.

    Examples
    --------
    >>> print(translated("SELECT QUANTILE_DISC(gap, 0.9) FROM gaps", "spark"))
    SELECT PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY `gap` NULLS LAST) FROM `gaps`
    """
    if dialect not in DIALECTS:
        raise SettingsError(f"There is no dialect {dialect!r}; known are {', '.join(DIALECTS)}.")
    tree = canonical(sql)
    if values is not None:
        tree = tree.transform(_with_constants, values)
    return _mended(tree, OF_DIALECT.get(dialect, {})).sql(dialect, pretty=pretty, identify=True)


def _mended(tree: exp.Expr, rules: Rules) -> exp.Expr:
    """Put what a rule returns in the place of each node of its kind, the innermost first."""
    for node in reversed(list(tree.find_all(*rules))):
        parent, key, index = node.parent, node.arg_key, node.index
        told = rules[type(node)](node)
        if parent is None:
            tree = told
        elif told is not node:
            parent.set(str(key), told, index)
    return tree


def _with_constants(node: exp.Expr, values: Mapping[str, object]) -> exp.Expr:
    if not isinstance(node, exp.Placeholder | exp.Parameter):
        return node
    value = values[str(node.name)]
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
    return exp.Literal.number(str(value))


# --- On every engine. What these make they leave alone when they see it again.


def _divide_doubles(division: exp.Div) -> exp.Expr:
    """Make a division one of doubles, without a value where the divisor is 0."""
    division.set("this", _double(division.this))
    division.set("expression", _not_zero(_double(_without_nullif(division.expression))))
    return division


def _divide_whole_numbers(division: exp.Expr) -> exp.Expr:
    """Leave a quotient or remainder without a value where the divisor is 0."""
    division.set("expression", _not_zero(_without_nullif(division.expression)))
    return division


def _of_a_double(function: exp.Expr) -> exp.Expr:
    function.set("this", _double(function.this))
    return function


def _logarithm(function: exp.Ln) -> exp.Expr:
    """Take the logarithm of what is above 0 only; written so that the argument stands there once."""
    above = exp.Greatest(
        this=_double(_without_greatest(function.this)), expressions=[_zero()], ignore_nulls=True
    )
    function.set("this", exp.Nullif(this=above, expression=_zero()))
    return function


def _square_root(function: exp.Sqrt) -> exp.Expr:
    """Take the root of what is not below 0 only."""
    if not isinstance(function.this, exp.Case) or function.this.args.get("default"):
        value = _double(function.this)
        known = exp.GTE(this=value.copy(), expression=_zero())
        function.set("this", exp.Case(ifs=[exp.If(this=known, true=value)]))
    return function


def _in_a_known_unit(difference: exp.DateDiff) -> exp.Expr:
    unit = difference.text("unit").upper()
    if unit not in _UNITS:
        raise SettingsError(
            f"DATE_DIFF in units of {unit.lower() or '?'} does not mean the same on every engine; use one of "
            f"{', '.join(known.lower() for known in _UNITS)}."
        )
    return difference


def _zero() -> exp.Expr:
    return exp.Literal.number(0)


def _double(node: exp.Expr) -> exp.Expr:
    inner = node.unnest()
    return inner if inner.is_type("double") else exp.Cast(this=inner, to=_DOUBLE.copy())


def _not_zero(divisor: exp.Expr) -> exp.Expr:
    """Leave a divisor without a value where it is 0; a constant other than 0 stays as it is."""
    constant = (divisor.this if isinstance(divisor, exp.Cast) else divisor).unnest()
    if isinstance(constant, exp.Literal) and float(constant.this) != 0:
        return divisor
    return exp.Nullif(this=divisor, expression=_zero())


def _without_nullif(node: exp.Expr) -> exp.Expr:
    """Take off what `_not_zero` puts on."""
    inner = node.unnest()
    return inner.this if isinstance(inner, exp.Nullif) and inner.expression == _zero() else node


def _without_greatest(node: exp.Expr) -> exp.Expr:
    """Take off what `_logarithm` puts on."""
    inner = _without_nullif(node)
    ours = isinstance(inner, exp.Greatest) and inner is not node and inner.expressions == [_zero()]
    return inner.this if ours else node


_CANONICAL: Rules = MappingProxyType(
    {
        exp.Div: _divide_doubles,
        exp.IntDiv: _divide_whole_numbers,
        exp.Mod: _divide_whole_numbers,
        exp.Exp: _of_a_double,
        exp.Ln: _logarithm,
        exp.Sqrt: _square_root,
        exp.DateDiff: _in_a_known_unit,
    }
)
