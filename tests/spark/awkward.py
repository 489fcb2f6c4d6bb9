"""Awkward values, and every construct that features and their relations use, to be run on two engines.

Groups of `AWKWARD`: 1 has ties, nulls, leap days, Sundays and midnights; 2 one row; 3 one row without values;
4 big decimals and negative numbers; 5 a hundred rows for percentiles; 6 text that collations order otherwise.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa

CUTOFF = dt.date(2024, 9, 30)
VALUES = {"cutoff": CUTOFF, "horizon": 45}

_SCHEMA = pa.schema(
    [
        ("k", pa.int64()),
        ("nth", pa.int64()),
        ("day", pa.date32()),
        ("opened", pa.timestamp("us")),
        ("closed", pa.timestamp("us")),
        ("n", pa.int64()),
        ("amount", pa.decimal128(18, 6)),
        ("wide", pa.decimal128(38, 6)),
        ("x", pa.float64()),
        ("plan", pa.string()),
        ("flag", pa.bool_()),
        ("other", pa.bool_()),
    ]
)


def _row(k: int, nth: int, **given: Any) -> dict[str, Any]:
    return {**dict.fromkeys(_SCHEMA.names), "k": k, "nth": nth, **given}


def _rows() -> list[dict[str, Any]]:
    at = dt.datetime
    amounts = ["0.1", "0.2", "0.2", "-7.75", "0", "12.345678", None, "0.3"]
    numbers = [3, 3, 1, None, 0, -7, 8, 3]
    days = [
        (2024, 2, 28),
        (2024, 2, 29),
        (2024, 3, 1),
        (2023, 12, 31),
        (2024, 1, 7),
        (2024, 9, 29),
        None,
        (2024, 9, 30),
    ]
    reals = [0.1, 2.5e-6, -1.5e-6, math.pi, 1e13, -0.0, None, 123456.7890125]
    opened = at(2024, 2, 28, 23, 59, 59, 999999)
    # Twice a day on which clocks change somewhere, once a leap second's neighbour.
    closed = [
        at(2024, 2, 29),
        at(2024, 3, 31, 2, 30),
        at(2023, 12, 31),
        None,
        at(2024, 10, 27, 2, 30, 0, 500000),
    ]
    plans = ["basic", None, "pro", "", "it's \\ odd", "PRO", "Zebra", "émile"]
    states = [True, False, None]
    rows = [
        _row(
            1,
            place,
            day=None if days[place] is None else dt.date(*days[place]),
            opened=opened + dt.timedelta(hours=place),
            closed=closed[place % 5],
            n=numbers[place],
            amount=None if amounts[place] is None else Decimal(amounts[place]),
            wide=None if amounts[place] is None else Decimal(amounts[place]),
            x=reals[place],
            plan=plans[place],
            flag=states[place % 3],
            other=states[place // 3],
        )
        for place in range(8)
    ]
    one = {"day": dt.date(2000, 2, 29), "opened": at(1999, 12, 31, 23, 59, 59), "closed": at(2000, 1, 1)}
    rows.append(
        _row(
            2,
            0,
            **one,
            n=5,
            amount=Decimal("19.99"),
            wide=Decimal(1),
            x=2.0,
            plan="b",
            flag=True,
            other=False,
        )
    )
    rows.append(_row(3, 0))
    big = ["999999999999.999999", "-999999999999.999999", "123456789012.345678", "-0.000001"]
    rows += [
        _row(
            4,
            place,
            day=dt.date(1900, 1, 1 + place),
            n=-(10**place),
            amount=Decimal(one),
            wide=Decimal(one) * 10**9,
        )
        for place, one in enumerate(big)
    ]
    rows += [
        _row(5, place, day=dt.date(2199, 12, 31), n=place * place % 101, x=place / 7) for place in range(100)
    ]
    words = ["a", "B", "Z", "z", "é", "_", "aa", "A", "-a", None]
    rows += [_row(6, place, n=place, plan=word, flag=place % 2 == 0) for place, word in enumerate(words)]
    return rows


AWKWARD = pa.Table.from_pylist(_rows(), schema=_SCHEMA)
"""The table that all constructs read, as ``awkward``."""

_AGE = "DATE_DIFF('day', day, $cutoff)"
_FLAGGED, _NONE = "FILTER (WHERE flag)", "FILTER (WHERE n > 1000000)"

AGGREGATES = {
    "count": "COUNT(*)",
    "count values": "COUNT(amount)",
    "count distinct": "COUNT(DISTINCT plan)",
    "count distinct filtered": f"COUNT(DISTINCT day) {_FLAGGED}",
    "count distinct in small": "COUNT(DISTINCT LOWER(TRIM(plan)))",
    "count flags": f"COUNT(*) {_FLAGGED}",
    "count not flags": "COUNT(*) FILTER (WHERE NOT flag)",
    "sum": "SUM(n)",
    "sum of decimals": "SUM(amount)",
    "sum filtered": f"SUM(amount) {_FLAGGED}",
    "sum of no row": f"SUM(amount) {_NONE}",
    "sum of no row, filled": f"COALESCE(SUM(amount) {_NONE}, 0)",
    "sum of products": "SUM(n * n)",
    "sum of weighted decimals": "SUM(amount * n)",
    "sum of wide decimals": "SUM(wide)",
    "sum of squares": "CAST(SUM(CAST(amount AS DECIMAL(18, 6)) * CAST(amount AS DECIMAL(19, 6))) AS DOUBLE)",
    "negative sum": "-SUM(amount) FILTER (WHERE amount < 0)",
    "min": "MIN(amount)",
    "max": "MAX(n)",
    "max of doubles": "MAX(x)",
    "max filtered": "MAX(amount) FILTER (WHERE nth = 1)",
    "max of days": "DATE_DIFF('day', MAX(day), $cutoff)",
    "min of days filtered": f"DATE_DIFF('day', MIN(day) {_FLAGGED}, $cutoff)",
    "arg max": "ARG_MAX(amount, nth)",
    "arg min": "ARG_MIN(n, nth)",
    "arg max of nulls": "ARG_MAX(n, CASE WHEN nth % 2 = 0 THEN nth END)",
    "arg max filtered": "ARG_MAX(amount, nth) FILTER (WHERE NOT flag)",
    "arg min filtered": "ARG_MIN(n, nth) FILTER (WHERE n IS NOT NULL AND n < 3)",
    "arg max of no row": f"ARG_MAX(amount, nth) {_NONE}",
    "arg min of a sum": "ARG_MIN(amount + n, nth)",
    "percentile of ties": "QUANTILE_DISC(n, 0.5)",
    **{
        f"percentile {share}": f"QUANTILE_DISC(n, {share})"
        for share in (0.05, 0.1, 0.25, 0.3, 0.7, 0.9, 0.95, 0.99)
    },
    "percentile of decimals": "QUANTILE_DISC(amount, 0.5)",
    "percentile filtered": f"QUANTILE_DISC(n, 0.9) {_FLAGGED}",
    "percentile of no row": f"QUANTILE_DISC(amount, 0.5) {_NONE}",
    "coalesce": "COALESCE(MAX(n), MIN(nth), 7)",
    "nullif": "NULLIF(COUNT(amount), 0)",
    "nullif of another number": "SUM(n) / NULLIF(COUNT(*), 8)",
    "nullif above": "NULLIF(COUNT(*), 8) / COUNT(*)",
    "greatest": "GREATEST(MAX(n), MIN(amount), 0)",
    "greatest of nulls": f"GREATEST(SUM(amount) {_NONE}, MAX(n))",
    "least": "LEAST(MAX(n), MIN(amount), 0.5)",
    "least of nulls": f"LEAST(SUM(amount) {_NONE}, SUM(n) {_NONE})",
    "abs": "ABS(MIN(amount))",
    "sqrt": "SQRT(SUM(n))",
    "sqrt of a decimal": "SQRT(ABS(SUM(amount)))",
    "sqrt below 0": "SQRT(MIN(n) - 1000)",
    "sqrt in a quotient": "SQRT(COUNT(*) / (COUNT(*) - 1))",
    "nested sqrt": "SQRT(1 + SQRT(ABS(SUM(n) / 3)) / 7)",
    "exp": "EXP(MIN(n) / 100000)",
    "exp of a decimal": "EXP(MAX(amount) / 1000000000000)",
    "ln": "LN(MAX(n))",
    "ln of a decimal": "LN(MAX(amount))",
    "ln of 0": "LN(COUNT(*) - COUNT(k))",
    "ln below 0": "LN(MIN(n))",
    "sum of logarithms": "SUM(CAST(LN(n) AS DECIMAL(18, 12)))",
    "sum of wide logarithms": "SUM(CAST(n * LN(n) AS DECIMAL(24, 12)))",
    "entropy": "EXP(SUM(CAST(LN(n + 1) AS DECIMAL(18, 12))) / COUNT(*))",
    "sum of rounded shares": "SUM(CAST((n - 1) / (n + 3) AS DECIMAL(18, 12)))",
    "sum of wide shares": "SUM(CAST(CAST(amount AS DOUBLE) * 30 / n AS DECIMAL(38, 12)))",
    "division": "SUM(n) / COUNT(*)",
    "division of decimals": "SUM(amount) / COUNT(amount)",
    "division by 0": "SUM(n) / (COUNT(*) - COUNT(*))",
    "division by a constant": "SUM(n) / 7",
    "division by the constant 0": "COUNT(*) / 0",
    "division by NULL": f"SUM(n) / SUM(n) {_NONE}",
    "nested divisions": "SUM(n) / COUNT(*) / 3",
    "quotient of quotients": "(SUM(n) / COUNT(*)) / (SUM(amount) / COUNT(amount))",
    "division in arithmetic": "1 - SUM(n) / COUNT(*) * 2 + SUM(amount) / 3",
    "negative division": "-SUM(n) / (COUNT(*) + 1)",
    "remainder": "MAX(n) % 7",
    "remainder of a negative": "MIN(n) % 3",
    "remainder by 0": "COUNT(*) % (COUNT(*) - COUNT(*))",
    "whole division": "MAX(n) // 2",
    "whole division of a negative": "MIN(n) // 2",
    "whole division by 0": "COUNT(*) // (COUNT(*) - COUNT(*))",
    "whole division of days": f"MAX({_AGE} // 30)",
    "weekends": "COUNT(*) FILTER (WHERE DATE_DIFF('day', CAST('1900-01-01' AS DATE), day) % 7 >= 5)",
    "leap years": "MAX(DATE_DIFF('year', CAST('1900-01-01' AS DATE), day) // 4)",
    "months": "MAX(DATE_DIFF('month', CAST('1900-01-01' AS DATE), day) % 12 + 1)",
    "months back": "MIN(DATE_DIFF('month', $cutoff, day))",
    "years back": "MAX(DATE_DIFF('year', $cutoff, day))",
    "days back": "MIN(DATE_DIFF('day', $cutoff, day))",
    "days between instants": "MAX(DATE_DIFF('day', opened, closed))",
    "days of instants": "MAX(DATE_DIFF('day', CAST(opened AS DATE), CAST(closed AS DATE)))",
    "seconds": "MAX(DATE_DIFF('second', DATE_TRUNC('second', opened), DATE_TRUNC('second', closed)))",
    "fewest seconds": "MIN(DATE_DIFF('second', DATE_TRUNC('second', opened), DATE_TRUNC('second', closed)))",
    "seconds begun": "SUM(DATE_DIFF('second', opened, closed))",
    "window": f"COUNT(*) FILTER (WHERE {_AGE} < 7)",
    "window up to the horizon": f"COUNT(*) FILTER (WHERE {_AGE} < $horizon)",
    "weighted by age": f"SUM(amount * (5 - 2 * ({_AGE} // 30))) FILTER (WHERE {_AGE} < 180)",
    "and": "COUNT(*) FILTER (WHERE flag AND other)",
    "or": "COUNT(*) FILTER (WHERE flag OR other)",
    "not and": "COUNT(*) FILTER (WHERE NOT (flag AND other))",
    "not or": "COUNT(*) FILTER (WHERE NOT (flag OR other) OR n IS NULL)",
    "is null": "COUNT(*) FILTER (WHERE flag IS NULL)",
    "in": "COUNT(*) FILTER (WHERE plan IN ('basic', 'it''s \\ odd', 'émile'))",
    "not in": "COUNT(*) FILTER (WHERE plan NOT IN ('basic', ''))",
    "between": "COUNT(*) FILTER (WHERE amount BETWEEN 0.1 AND 0.2)",
    "case": "CASE WHEN COUNT(amount) > 1 THEN SUM(amount) WHEN COUNT(*) > 1 THEN 0 END",
    "case of a value": "MAX(CASE plan WHEN 'pro' THEN 1 WHEN 'PRO' THEN 2 ELSE 0 END)",
    "case of flags": "MAX(CASE WHEN flag IS NULL THEN NULL WHEN flag THEN 1 ELSE 0 END)",
    "flags in a comparison": "SUM(CASE WHEN amount < 0 THEN -amount ELSE 0 END)",
    "equal": "COUNT(*) FILTER (WHERE plan = 'pro')",
    "unequal": "COUNT(*) FILTER (WHERE plan <> 'pro')",
    "up to": "COUNT(*) FILTER (WHERE amount <= 0.2)",
    "try cast": "SUM(TRY_CAST(x AS DECIMAL(18, 6)))",
    "count of try cast": "COUNT(TRY_CAST(x AS DECIMAL(18, 6)))",
    "cast to whole": "SUM(CAST(nth AS INTEGER))",
    "null column": "MAX(CAST(NULL AS DECIMAL(18, 6)))",
    "null text": "COUNT(DISTINCT CAST(NULL AS VARCHAR))",
}
"""Aggregates over one group each: what a feature may call."""

_BY = "PARTITION BY k ORDER BY"
WINDOWS = {
    "row number": f"ROW_NUMBER() OVER ({_BY} nth)",
    "row number back, with ties": f"ROW_NUMBER() OVER ({_BY} n DESC, amount DESC, plan, nth)",
    "row number, nulls in days": f"ROW_NUMBER() OVER ({_BY} day, flag, nth DESC)",
    "row number by text": f"ROW_NUMBER() OVER ({_BY} plan, nth)",
    "row number by text back": f"ROW_NUMBER() OVER ({_BY} plan DESC, nth)",
    "row number by case": f"ROW_NUMBER() OVER ({_BY} CASE WHEN plan IS NULL THEN 1 ELSE 0 END, n DESC, nth)",
    "lag": f"LAG(n) OVER ({_BY} nth)",
    "lag of two": f"LAG(n, 2) OVER ({_BY} nth)",
    "lag of days": f"DATE_DIFF('day', LAG(day) OVER ({_BY} nth), day)",
    "running sum": f"SUM(amount) OVER ({_BY} nth ROWS UNBOUNDED PRECEDING)",
    "running maximum before": f"MAX(n) OVER ({_BY} n, nth ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)",
    "running maximum of days": (
        f"DATE_DIFF('day', MAX(day) OVER ({_BY} day, nth ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), "
        "$cutoff)"
    ),
    "runs": f"n - ROW_NUMBER() OVER ({_BY} n, nth)",
    "greatest of days": "DATE_DIFF('day', GREATEST(day, CAST(closed AS DATE)), $cutoff)",
    "coalesce of days": "DATE_DIFF('day', day, COALESCE(CAST(closed AS DATE), $cutoff))",
    "days left": "n - DATE_DIFF('day', day, $cutoff) % NULLIF(n, 0)",
    "share of a scale": "(n - COALESCE(nth, 0)) / (COALESCE(CAST(NULL AS DECIMAL(18, 6)), 10) - nth)",
    "negative": "CASE WHEN n < 0 THEN -n ELSE 0 END",
    "try cast": "TRY_CAST(x AS DECIMAL(18, 6))",
    "double of a wide decimal": "CAST(wide AS DOUBLE)",
    "double of a decimal": "CAST(amount AS DOUBLE)",
}
"""Values of one row: what relations compute."""

INEXACT = frozenset(name for name, sql in AGGREGATES.items() if "LN(" in sql or "EXP(" in sql)
"""Constructs that agree to 12 digits, but not in every bit."""


def aggregates_sql() -> str:
    """Return one statement with all aggregates, a row a group."""
    columns = ", ".join(f'CAST({sql} AS DOUBLE) AS "{name}"' for name, sql in AGGREGATES.items())
    return f"SELECT k, {columns} FROM awkward GROUP BY k ORDER BY k"


def windows_sql() -> str:
    """Return one statement with all values of single rows."""
    columns = ", ".join(f'CAST({sql} AS DOUBLE) AS "{name}"' for name, sql in WINDOWS.items())
    return f"SELECT k, nth, {columns} FROM awkward ORDER BY k, nth"


def nothing_sql() -> str:
    """Return one statement with all aggregates over no row at all."""
    return aggregates_sql().replace("SELECT k,", "SELECT").replace("GROUP BY k ORDER BY k", "WHERE k > 1000")
