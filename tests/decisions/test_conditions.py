"""Conditions: what they may say, and that nothing else gets to the database."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from habitue.decisions.conditions import read_condition
from habitue.errors import SettingsError

COLUMNS = ("churn_probability", "clv", "segment", "gender", "n_tickets")

FINE = {
    "clv > 100": ("clv",),
    "churn_probability BETWEEN 0.2 AND 0.9 AND segment IN ('gold', 'silver')": (
        "churn_probability",
        "segment",
    ),
    "NOT (clv / n_tickets >= 2 OR segment IS NULL)": ("clv", "n_tickets", "segment"),
    "lower(segment) = 'gold' AND coalesce(n_tickets, 0) < 3": ("segment", "n_tickets"),
    "acquired_at < DATE '2024-01-31'": ("acquired_at",),
    "segment LIKE 'go%' OR abs(clv - 3) <> -1": ("segment", "clv"),
    "segment = 'it''s; DROP TABLE customers --'": ("segment",),
    '"odd ""name""" > 1': ('odd "name"',),
}
EVIL = [
    "1 = 1; DROP TABLE customers",
    "clv > (SELECT max(clv) FROM customers)",
    "clv IN (SELECT 1)",
    "EXISTS (SELECT 1)",
    "read_csv('/etc/passwd') IS NOT NULL",
    "getenv('HOME') = 'x'",
    "clv > 1 UNION SELECT 1",
    "customers.clv > 1",
    "SELECT 1",
    "DROP TABLE customers",
    "COPY customers TO 'x.csv'",
    "ATTACH 'x.db'",
    "clv > $secret",
    "clv > ?",
    "*",
    "COUNT(*) > 1",
    "clv > avg(clv) OVER ()",
    "CAST(segment AS INTEGER) > 1",
    "CAST('x' AS BLOB) = segment",
    "segment::JSON = '1'",
    "[x FOR x IN [1]] = [1]",
    "list_transform([1], x -> x) = [1]",
    "CASE WHEN clv > 1 THEN true END",
    "segment ~ '(a+)+$'",
    "repeat('x', 1000000000) = segment",
    "segment || 'x' = 'y'",
    "struct_pack(a := 1).a = 1",
    "{'a': 1}.a = 1",
    "clv > ALL (SELECT 1)",
    "clv = ANY([1])",
    "current_setting('x') = 'y'",
    "",
    "   ",
    "clv >",
    "(" * 100 + "clv" + ")" * 100,
    "clv > 1 OR " * 1000 + "clv > 1",
    "-- nothing",
]


@pytest.mark.parametrize(("text", "columns"), FINE.items())
def test_what_a_condition_may_say_is_read(text: str, columns: tuple[str, ...]) -> None:
    assert set(read_condition(text).columns) == set(columns)


@pytest.mark.parametrize("text", EVIL)
def test_whatever_says_more_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        read_condition(text)


WORDS = (
    "clv", "segment", '"a""b"', ">", "=", "(", ")", "AND", "OR", "NOT", "1", "'x'", "'", '"', ";", "--", "/*",
    "*/", "SELECT", "FROM", "customers", "IN", ",", "lower(", "read_text(", "CAST(",
    "AS", "::", "IS", "NULL", "$x", "*", ".",
)  # fmt: skip


@settings(max_examples=400)
@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=60))
def test_whatever_is_read_is_one_expression_over_columns(text: str) -> None:
    try:
        told = read_condition(text, columns=["clv", "segment", 'a"b'])
    except SettingsError:
        return
    again = sqlglot.parse(f"SELECT {told.sql} FROM customers", dialect="duckdb")
    assert len(again) == 1
    assert again[0] is not None
    assert len(list(again[0].find_all(exp.Query, exp.Command, exp.Table))) == 2  # the query itself, customers
    assert not list(again[0].find_all(exp.Anonymous, exp.Star, exp.Placeholder, exp.Parameter))


def test_unknown_columns_are_answered_with_near_ones() -> None:
    with pytest.raises(SettingsError, match="did you mean 'churn_probability'"):
        read_condition("churn_probabilty > 0.1", columns=COLUMNS)
    with pytest.raises(SettingsError, match="there are churn_probability, clv"):
        read_condition("zzz > 0.1", columns=COLUMNS)


@pytest.mark.parametrize("text", ["gender = 'f'", '"GENDER" = 1', "clv > 1 OR NOT (lower(gender) IN ('f'))"])
def test_protected_attributes_decide_on_nothing_unless_declared(text: str) -> None:
    with pytest.raises(SettingsError, match="protected attribute"):
        read_condition(text, protected=["gender"])
    with pytest.raises(SettingsError, match="protected attribute"):
        read_condition(text, protected=["gender"], declared_for={"gender": "  "})
    assert read_condition(text, protected=["gender"], declared_for={"gender": "a box for mothers"}).columns


def test_comments_do_not_reach_the_database() -> None:
    assert "x" not in read_condition("clv > 1 /* x */ -- x").sql
