"""Several currencies: converted exactly at the rate of the day, or set aside, or refused."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records import CustomerLog, DuckDBEngine
from habitue.records.currencies import as_rates

DAYS = ["2024-01-01", "2024-01-02", "2024-01-03"]
STEPS = {
    "currency": ["EUR", "USD", "usd"],
    "rate": [1, 0.9, "0.85"],
    "valid_from": [None, "2023-01-01", "2024-01-03"],
}


def _frame(amounts, currencies, **more):
    days = [DAYS[place % 3] for place in range(len(amounts))]
    return pd.DataFrame(
        {"customer_id": 1, "timestamp": days, "amount": amounts, "currency": currencies, **more}
    )


def _rows(log, columns="amount"):
    return log.engine.rows(f"SELECT {columns} FROM transactions ORDER BY timestamp")


def test_all_money_is_converted_exactly(read):
    frame = _frame(["10", "0.1", "3"], ["EUR", " usd", "USD"], list_price="11", discount="1", margin="0.3")
    log = read(frame, rates={"EUR": 1, "USD": "0.1234567"})
    assert _rows(log, "amount, list_price, discount, margin, currency") == [
        (Decimal(10), Decimal(11), Decimal(1), Decimal("0.3"), "EUR"),
        (Decimal("0.012346"), Decimal("1.358024"), Decimal("0.123457"), Decimal("0.037037"), "EUR"),
        (Decimal("0.370370"), Decimal("1.358024"), Decimal("0.123457"), Decimal("0.037037"), "EUR"),
    ]
    assert "Amounts are converted to EUR: USD (2 rows)." in log.checks["transactions"].notes


@pytest.mark.parametrize(
    "make", [pd.DataFrame, lambda d: pl.DataFrame(pd.DataFrame(d).astype(str).replace("None", ""))]
)
def test_a_rate_holds_from_its_day_to_the_next(make):
    log = CustomerLog(transactions=_frame([1, 1, 1], "USD"), rates=make(STEPS))
    assert _rows(log) == [(Decimal("0.9"),), (Decimal("0.9"),), (Decimal("0.85"),)]


@settings(max_examples=8)
@given(
    amounts=st.lists(st.decimals(-(10**6), 10**6, places=6), min_size=1, max_size=6),
    rate=st.decimals("1e-6", "1000", places=12),
)
def test_conversion_is_multiplication_rounded_to_a_millionth(amounts, rate):
    frame = _frame([str(one) for one in amounts], "USD")
    log = CustomerLog(transactions=frame, rates={"EUR": 1, "USD": rate}, engine=DuckDBEngine(threads=1))
    found = sorted(row[0] for row in _rows(log))
    expected = sorted((one * rate).quantize(Decimal("1e-6"), "ROUND_HALF_UP") for one in amounts)
    assert found == expected


def test_a_row_without_a_rate_is_set_aside(read):
    steps = {"currency": ["EUR", "USD"], "rate": [1, 2], "valid_from": ["2020-01-01", "2024-01-02"]}
    frame = _frame([1, 2, 3, 4, 5, 9e11], ["USD", "USD", "GBP", None, "EUR", "USD"])
    log = read(frame, rates=pd.DataFrame(steps))
    assert dict(log.checks["transactions"].quarantined) == {
        "currency has no rate on that day": 2,
        "amount is too large once converted": 1,
        "currency is missing": 1,
    }
    assert any("no rate for GBP (1 row), USD (1 row)" in note for note in log.checks["transactions"].notes)


def test_equal_amounts_in_two_currencies_are_no_duplicates(read):
    frame = _frame([1, 1], ["EUR", "USD"], order_id="a", product_id="p").assign(timestamp=DAYS[0])
    assert read(frame, rates={"EUR": 1, "USD": 1}).checks["transactions"].n_admitted == 2


def test_a_return_is_matched_in_its_own_currency(read):
    steps = {
        "currency": ["EUR", "USD", "USD"],
        "rate": [1, 0.8, 0.9],
        "valid_from": [DAYS[0], DAYS[0], DAYS[1]],
    }
    log = read(_frame([10, -10], "USD"), rates=pd.DataFrame(steps))
    assert _rows(log, "amount, CAST(return_of_day AS VARCHAR)") == [(8, None), (-9, DAYS[0])]


@pytest.mark.parametrize(
    ("rates", "error", "told"),
    [
        ({"USD": 0.9}, SettingsError, "by a rate of 1, for example"),
        ({"EUR": 1, "USD": 0}, SettingsError, "rate of USD must be a number"),
        ({"EUR": 1, "USD": -1}, SettingsError, "rate of USD"),
        ({"EUR": 1, "USD": "much"}, SettingsError, "rate of USD.*'much'"),
        ({"EUR": 1, "USD": float("nan")}, SettingsError, "rate of USD"),
        ({"EUR": 1, "USD": 1e30}, SettingsError, "rate of USD"),
        ({"EUR": 1, "eur": 1}, SettingsError, "says twice what EUR is worth from 1900-01-01"),
        ({"": 1}, SettingsError, "without a currency"),
        (pd.DataFrame({"currency": ["EUR"], "value": [1]}), SchemaError, "columns currency and rate"),
        (pd.DataFrame({"currency": ["EUR"], "rate": [1], "valid_from": ["x"]}), SettingsError, "valid_from"),
        (3, DataError, "A source must be"),
    ],
)  # fmt: skip
def test_impossible_rates_are_refused(rates, error, told):
    with pytest.raises(error, match=told):
        as_rates(rates)


def test_rates_need_currencies_and_currencies_rates(orders):
    with pytest.raises(SettingsError, match="rates= needs a column that says each row's currency"):
        CustomerLog(transactions=orders, rates={"EUR": 1})
    with pytest.raises(DataError, match=r"several currencies: .*say what each is worth with rates="):
        CustomerLog(transactions=_frame([1, 2], ["EUR", "USD"]))
