"""Amounts: what is read, and what is set aside instead of being guessed at."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.errors import DataError, SchemaError
from habitue.records.engine import DuckDBEngine
from habitue.records.money import MONEY, columns_of, number_sql


@pytest.mark.parametrize(
    ("written", "decimal", "expected"),
    [
        ("5.50", ".", 5.5), ("1,234.50", ".", 1234.5), ("12,345", ".", 12345), ("1,234,567", ".", 1234567),
        ("1 234.5", ".", 1234.5), ("1\u00a0234,50", ",", 1234.5), ("1\u202f234,50", ",", 1234.5),
        ("1'234.50", ".", 1234.5), ("1\u2019234.50", ".", 1234.5), ("5,50", ",", 5.5), ("1.234,50", ",",
        1234.5),
        ("1.234", ",", 1234), ("1.234", ".", 1.234), ("€ 12", ".", 12), ("12 EUR", ".", 12), ("USD12",
        ".", 12),
        ("12€", ".", 12), ("-$5", ".", -5), ("$-5", ".", -5), ("- 5", ".", -5), ("\u22125.5", ".", -5.5),
        ("+5", ".", 5), ("5.", ".", 5), (".5", ".", 0.5), ("1e3", ".", 1000), ("1E-3", ".", 0.001),
        (" 7 ", ".", 7),
        ("0", ".", 0), ("-0.00", ".", 0), ("999999999999", ".", 999999999999),
    ],
)  # fmt: skip
def test_numbers_are_read_as_a_person_would(cell, written, decimal, expected):
    assert cell(amount=written, decimal=decimal)[2] == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("written", "decimal"),
    [
        ("5,50", "."), ("0,500", "."), ("0,123", "."), ("1,2345", "."), ("1,234,56", "."), ("1.234,50", "."),
        ("1,234 567", "."), ("12.50", ","), ("1.5", ","), ("1,234.50", ","), ("(12.50)", "."), ("5-", "."),
        ("--5", "."), ("NaN", "."), ("nan", "."), ("inf", "."), ("-Infinity", "."), ("1e400", "."),
        ("1e12", "."),
        ("1e15", "."), ("0x10", "."), (".", "."), ("-", "."), ("n/a", "."), ("NULL", "."), ("12 kg", "."),
        ("5%", "."), ("true", "."), ("١٢", "."), ("1.2.3", "."), ("2020-01-01", "."), ("€", "."),
    ],
)  # fmt: skip
def test_what_is_no_plain_number_is_set_aside_with_the_way_out(cell, written, decimal):
    told = cell(amount=written, decimal=decimal)
    assert told == ("aside", f"amount is no number below 1e12 with the decimal sign {decimal!r}")


def test_an_empty_amount_is_missing_not_unreadable(cell):
    assert cell(amount="") == ("aside", "amount is missing")
    assert cell(amount="   ") == ("aside", "amount is missing")


@given(st.decimals(min_value=-(10**11), max_value=10**11, places=6), st.sampled_from([".", ","]))
def test_text_is_read_exactly(value, decimal):
    engine = DuckDBEngine(threads=1)
    engine.execute("CREATE TABLE raw_rows (a VARCHAR)")
    engine.execute("INSERT INTO raw_rows VALUES ($a)", {"a": str(value).replace(".", decimal)})
    assert engine.rows(f"SELECT {number_sql('a', 'VARCHAR', decimal, MONEY)} FROM raw_rows") == [(value,)]


@pytest.mark.parametrize(
    ("value", "sql_type"), [("12345678901.23", "DOUBLE"), ("1234.56", "FLOAT"), ("0.1", "DOUBLE")]
)
def test_floats_become_the_digits_they_are_written_with(value, sql_type):
    engine = DuckDBEngine(threads=1)
    engine.execute(f"CREATE TABLE raw_rows AS SELECT CAST({value} AS {sql_type}) AS a")
    assert engine.rows(f"SELECT {number_sql('a', sql_type, '.', MONEY)} FROM raw_rows") == [(Decimal(value),)]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 1e12, -1e300])
def test_infinite_and_huge_floats_are_set_aside(read, value):
    log = read(pd.DataFrame({"customer_id": [1, 2], "timestamp": ["2020-01-01"] * 2, "amount": [value, 1.0]}))
    assert log.checks["transactions"].n_quarantined == 1
    assert "below 1e12" in log.quarantine()["reason"][0]


def test_two_currencies_in_one_column_are_refused(read, csv_file):
    path = csv_file(
        "customer_id,timestamp,amount\n1,2020-01-01,€ 12\n1,2020-01-02,12 USD\n1,2020-01-03,€ 1\n"
    )
    with pytest.raises(DataError, match=r"several currencies: € \(2 rows\), USD \(1 row\). Convert"):
        read(path)


def test_arithmetic_is_rounded_to_a_millionth(read, rows_of):
    frame = pd.DataFrame(
        {"customer_id": [1], "timestamp": ["2020-01-01"], "Unit Price": [2.55], "Quantity": [3]}
    )
    assert rows_of(read(frame, amount='Quantity * "Unit Price"'))[0][2] == 7.65
    assert rows_of(read(frame, amount='-(Quantity + 1) * "Unit Price" / 2'))[0][2] == -5.1


def test_arithmetic_on_text_columns_knows_the_decimal_sign(read, rows_of, csv_file):
    path = csv_file("customer_id;timestamp;n;p\n1;2020-01-01;2;1.000,50\n1;2020-01-02;x;1\n1;2020-01-03;;1\n")
    log = read(path, amount="n * p", decimal=",")
    assert rows_of(log) == [(1, "2020-01-01", 2001.0)]
    assert sorted(log.quarantine()["reason"]) == [
        "amount is missing", "amount is no number below 1e12 with the decimal sign ','",
    ]  # fmt: skip


def test_division_by_zero_is_no_number(read):
    frame = pd.DataFrame(
        {"customer_id": [1, 1], "timestamp": ["2020-01-01"] * 2, "a": [1.0, 1.0], "b": [0, 2]}
    )
    log = read(frame, amount="a / b")
    assert log.checks["transactions"].n_quarantined == 1


@pytest.mark.parametrize(
    "expression", ["sum(amount)", "amount; DROP TABLE x", "(SELECT 1)", "a || b", "a * 'x'"]
)
def test_anything_but_arithmetic_is_refused(read, orders, expression):
    with pytest.raises(SchemaError):
        read(orders, amount=expression)


def test_columns_of_a_plain_name_with_blanks():
    assert columns_of("Unit Price") == ["Unit Price"]
