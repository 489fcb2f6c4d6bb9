"""What sqlglot translates wrongly, or not at all, by dialect.

A rule takes a node of DuckDB's SQL, in canonical form, and returns what is to stand in its place.

Notes
-----
- Days, months and years between two dates are counted by the calendar, seconds by the clock on the wall.
  Spark's own ``DATEDIFF(unit, a, b)`` counts whole spans, in the session's time zone.
- The exact percentile is ``PERCENTILE_DISC ... WITHIN GROUP``; ``ARG_MAX`` and ``ARG_MIN`` pass over rows
  without a value, as DuckDB's do; in Postgres they are the first of an ordered array.
- Postgres orders text by its bytes here, whatever collation the database has, and makes decimals of doubles
  by way of text, which keeps all digits.
- Snowflake and BigQuery are translated with care, but run by no test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import sqlglot
from sqlglot import exp

from habitue.records.schema import SCHEMAS

__all__ = ["OF_DIALECT", "Rules"]

Rules = Mapping[type[exp.Expr], Callable[[Any], exp.Expr]]

_TEXTS = frozenset(
    column.name for schema in SCHEMAS.values() for column in schema.columns if column.kind == "text"
)


# --- Where ARG_MAX and ARG_MIN do not pass over rows without a value, as DuckDB's do


def _over_rows_with_a_value(node: exp.Expr) -> exp.Expr:
    """Keep rows without a value, or without what they are ordered by, out of ARG_MAX and ARG_MIN."""
    inner = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(inner, exp.ArgMax | exp.ArgMin) or isinstance(node.parent, exp.Filter):
        return node
    wanted = [exp.Not(this=exp.Is(this=part.copy(), expression=exp.Null())) for part in _parts(inner)]
    if isinstance(node, exp.Filter):
        wanted.append(node.expression.this)
    return exp.Filter(this=inner, expression=exp.Where(this=exp.and_(*wanted)))


def _parts(chosen: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """Return what is chosen, and what by."""
    return chosen.this, chosen.expression


# --- Spark


def _by_calendar_and_clock(difference: exp.DateDiff) -> exp.Expr:
    """Count days, months and years by the calendar and seconds by the clock, so that no time zone matters."""
    after, before = difference.this, difference.expression
    unit = difference.text("unit").upper()
    if unit == "YEAR":
        return exp.paren(_call("YEAR", after) - _call("YEAR", before))
    if unit == "MONTH":
        return exp.paren(_months(after) - _months(before))
    if unit == "SECOND":
        after, before = _untruncated(after), _untruncated(before)
        days = exp.cast(_call("DATEDIFF", after, before), "BIGINT")
        return exp.paren(days * 86400 + (_seconds(after) - _seconds(before)))
    return _call("DATEDIFF", after, before)


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Call a function by its name in the engine, unknown to sqlglot so that it changes nothing."""
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _months(day: exp.Expr) -> exp.Expr:
    return _call("YEAR", day) * 12 + _call("MONTH", day)


def _seconds(instant: exp.Expr) -> exp.Expr:
    return _call("HOUR", instant) * 3600 + _call("MINUTE", instant) * 60 + _call("SECOND", instant)


def _untruncated(instant: exp.Expr) -> exp.Expr:
    """Take off the truncation to seconds: SECOND does it anyway, Spark's own in the session's time zone."""
    ours = isinstance(instant, exp.TimestampTrunc | exp.DateTrunc) and instant.text("unit") == "SECOND"
    return instant.this if ours else instant


def _percentile_within_group(percentile: exp.PercentileDisc) -> exp.Expr:
    if percentile.args.get("expression") is None:
        return percentile
    order = exp.Order(expressions=[exp.Ordered(this=percentile.this)])
    # As a function that sqlglot does not know: of the one it knows it makes PERCENTILE_APPROX.
    return exp.WithinGroup(this=_call("PERCENTILE_DISC", percentile.expression), expression=order)


# --- Postgres


def _first_of_ordered_array(node: exp.Expr) -> exp.Expr:
    """ARG_MAX(x, y) FILTER (WHERE c) is the first of x in the order of y."""
    filtered = _over_rows_with_a_value(node)
    if filtered is node:
        return node
    chosen = filtered.this
    value, by = _parts(chosen)
    ordered = exp.Ordered(this=by, desc=isinstance(chosen, exp.ArgMax) or None, nulls_first=False)
    array = exp.ArrayAgg(this=exp.Order(this=value, expressions=[ordered]))
    filtered.set("this", array)
    return exp.Bracket(this=exp.Paren(this=filtered), expressions=[exp.Literal.number(1)], offset=1)


def _decimal_of_all_digits(cast: exp.Cast) -> exp.Expr:
    """Cast to a decimal by way of text, because Postgres takes only 15 digits over from a double."""
    if cast.to.is_type("decimal") and not isinstance(cast.this, exp.Null | exp.Literal):
        cast.set("this", exp.cast(cast.this, "TEXT"))
    return cast


def _decimal_or_nothing(cast: exp.TryCast) -> exp.Expr:
    """Give no value where a number has too many digits; Postgres stops with an error, and has no TRY_CAST."""
    width, scale = _digits(cast)
    number = exp.cast(exp.cast(cast.this, "TEXT"), "DECIMAL")
    rounded = _call("ROUND", number, exp.Literal.number(scale))
    return _where_small(rounded, width - scale, exp.Cast(this=number, to=cast.to))


def _digits(cast: exp.Cast) -> tuple[int, int]:
    """Return how many digits a decimal has, and how many of them after the point."""
    width, scale = (int(part.name) for part in cast.to.expressions)
    return width, scale


def _where_small(number: exp.Expr, digits: int, value: exp.Expr) -> exp.Expr:
    """Give a value only where a number has no more than so many digits before the point."""
    small = exp.Abs(this=number) < exp.Literal.number(10**digits)
    return exp.Case(ifs=[exp.If(this=small, true=value)])


def _ordered_by_bytes(ordered: exp.Ordered) -> exp.Expr:
    if isinstance(ordered.this, exp.Column) and ordered.this.name in _TEXTS:
        collation = exp.to_identifier("C", quoted=True)
        ordered.set("this", exp.Collate(this=ordered.this, expression=collation))
    return ordered


# --- Snowflake and BigQuery


def _by_what_is_there(node: exp.Expr) -> exp.Expr:
    """Write ARG_MAX(x, y) FILTER (WHERE c) as one by y where c holds; sqlglot would empty x, not y."""
    filtered = _over_rows_with_a_value(node)
    if filtered is node:
        return node
    value, by = _parts(filtered.this)
    there = exp.Case(ifs=[exp.If(this=filtered.expression.this, true=by)])
    return type(filtered.this)(this=value, expression=there)


def _small_number(cast: exp.TryCast) -> exp.Expr:
    """Give no value where a number has too many digits; Snowflake's TRY_CAST is for text only."""
    width, scale = _digits(cast)
    rounded = _call("ROUND", cast.this, exp.Literal.number(scale))
    return _where_small(rounded, width - scale, exp.Cast(this=cast.this, to=cast.to))


# --- BigQuery


def _element_of_ordered_array(node: exp.Expr) -> exp.Expr:
    """Return the exact percentile as an element of an ordered array; BigQuery has it over windows only."""
    inner = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(inner, exp.PercentileDisc) or isinstance(node.parent, exp.Filter):
        return node
    value, share = inner.this.sql("bigquery", identify=True), inner.expression.sql("bigquery")
    if isinstance(node, exp.Filter):
        value = f"IF({node.expression.this.sql('bigquery', identify=True)}, {value}, NULL)"
    place = f"CAST(CEIL({share} * COUNT({value})) AS INT64) - 1"
    return sqlglot.parse_one(
        f"ARRAY_AGG({value} IGNORE NULLS ORDER BY {value})[SAFE_OFFSET({place})]", dialect="bigquery"
    )


def _rounded_number(cast: exp.Cast) -> exp.Expr:
    """Round to so many places; BigQuery's casts know no width."""
    if not cast.to.is_type("decimal"):
        return cast
    number = type(cast)(this=cast.this, to=exp.DataType.build("BIGDECIMAL"))
    return (
        number
        if isinstance(cast.this, exp.Null)
        else _call("ROUND", number, exp.Literal.number(_digits(cast)[1]))
    )


def _passing_over_nothing(chosen: exp.Greatest | exp.Least) -> exp.Expr:
    """GREATEST and LEAST of what has a value; BigQuery's have none where one of theirs has none."""
    values = [chosen.this, *chosen.expressions]
    filled = [
        value
        if isinstance(value, exp.Literal)
        else exp.Coalesce(this=value, expressions=_without(values, place))
        for place, value in enumerate(values)
    ]
    return type(chosen)(this=filled[0], expressions=filled[1:])


def _without(values: list[exp.Expr], place: int) -> list[exp.Expr]:
    return [value.copy() for other, value in enumerate(values) if other != place]


def _between_datetimes(difference: exp.DateDiff) -> exp.Expr:
    """Count seconds between two instants without a zone; DATE_DIFF is for days."""
    if difference.text("unit").upper() != "SECOND":
        return difference
    return _call("DATETIME_DIFF", difference.this, difference.expression, exp.var("SECOND"))


def _nothing_last(order: exp.Order) -> exp.Expr:
    """Put what has no value last where a window is ordered; BigQuery has no NULLS LAST there."""
    if not isinstance(order.parent, exp.Window):
        return order
    keys: list[exp.Expr] = []
    for ordered in order.expressions:
        descending = bool(ordered.args.get("desc"))
        if not descending:
            missing = exp.Is(this=ordered.this.copy(), expression=exp.Null())
            keys.append(exp.Ordered(this=missing, nulls_first=True))
        keys.append(exp.Ordered(this=ordered.this, desc=descending or None, nulls_first=not descending))
    return exp.Order(expressions=keys)


OF_DIALECT: Mapping[str, Rules] = MappingProxyType(
    {
        "spark": {
            exp.DateDiff: _by_calendar_and_clock,
            exp.PercentileDisc: _percentile_within_group,
            **dict.fromkeys((exp.ArgMax, exp.ArgMin, exp.Filter), _over_rows_with_a_value),
        },
        "postgres": {
            **dict.fromkeys((exp.ArgMax, exp.ArgMin, exp.Filter), _first_of_ordered_array),
            exp.Cast: _decimal_of_all_digits,
            exp.TryCast: _decimal_or_nothing,
            exp.Ordered: _ordered_by_bytes,
        },
        "snowflake": {
            **dict.fromkeys((exp.ArgMax, exp.ArgMin, exp.Filter), _by_what_is_there),
            exp.TryCast: _small_number,
        },
        "bigquery": {
            exp.PercentileDisc: _element_of_ordered_array,
            **dict.fromkeys((exp.ArgMax, exp.ArgMin), _by_what_is_there),
            exp.Filter: lambda node: _element_of_ordered_array(_by_what_is_there(node)),
            **dict.fromkeys((exp.Cast, exp.TryCast), _rounded_number),
            **dict.fromkeys((exp.Greatest, exp.Least), _passing_over_nothing),
            exp.DateDiff: _between_datetimes,
            exp.Order: _nothing_last,
        },
    }
)
"""By dialect, what to do with each kind of node; the dialects that are not here need nothing."""
