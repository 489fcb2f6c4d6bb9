"""Rows that say the same twice, and rows that are merely alike."""

from __future__ import annotations

import pandas as pd
import pytest

from habitue.records import CustomerLog

DUPLICATE = "duplicate of an earlier row"
CONTRADICTION = "contradicts another row of the same customer"
BUYS = pd.DataFrame({"customer_id": [1], "timestamp": ["2024-01-01"], "amount": [1.0]})


def orders(*rows, columns="customer_id timestamp amount order_id product_id quantity"):
    frame = pd.DataFrame(rows)
    return frame.set_axis(columns.split()[: frame.shape[1]], axis=1)


def test_an_order_told_twice_is_one_order(read):
    log = read(orders((1, "2024-01-01", 5, "a"), (2, "2024-01-01", 5, "b"), (1, "2024-01-01", 5, "a")))
    assert log.checks["transactions"].quarantined == {DUPLICATE: 1}
    assert list(log.quarantine()["row"]) == [3]


@pytest.mark.parametrize("column", ["customer_id", "timestamp", "amount", "quantity"])
def test_the_same_key_with_other_contents_stays(read, column):
    one, other = ((1, "2024-01-01", 5, "a", "p", 2), (1, "2024-01-01", 5, "a", "p", 2))
    frame = orders(one, other).astype(object)
    frame.loc[1, column] = {"timestamp": "2024-01-02"}.get(column, 7)
    check = read(frame).checks["transactions"]
    assert check.n_admitted == 2
    assert "1 pair of order_id and product_id has rows of different contents: all are kept." in check.notes


def test_equal_lines_of_an_order_stay_where_products_are_not_told(read):
    lines = [(1, "2024-01-01", 5, "a"), (1, "2024-01-01", 5, "a"), (1, "2024-01-01", 7, "a")]
    check = read(orders(*lines)).checks["transactions"]
    assert (check.n_admitted, check.n_quarantined) == (3, 0)
    assert any("of which a product_id would tell duplicates" in note for note in check.notes)
    told = [(*line, product) for line, product in zip(lines, "ppq", strict=True)]
    assert read(orders(*told)).checks["transactions"].quarantined == {DUPLICATE: 1}


@pytest.mark.parametrize("timestamp", ["2024-01-01", "2024-01-01 10:00:03"])
def test_two_equal_purchases_without_a_key_stay(read, timestamp):
    check = read(orders((1, timestamp, 5), (1, timestamp, 5), (1, timestamp, 6))).checks["transactions"]
    assert check.n_admitted == 3
    assert (
        "1 row equals an earlier row in every column: kept; an order_id would tell duplicates." in check.notes
    )


def test_an_empty_key_is_no_key(read):
    rows = [(1, "2024-01-01", 5, order, product) for order, product in [("", "p"), ("a", "")] * 2]
    assert read(orders(*rows)).checks["transactions"].n_admitted == 4


@pytest.mark.parametrize(("time", "admitted"), [("", 3), (" 00:00:00", 3), (" 10:00:03", 2)])
def test_an_event_at_one_instant_happened_once(time, admitted, recwarn):
    acts = pd.DataFrame(
        {"customer_id": [1, 1, 2], "timestamp": "2024-01-01" + time, "event": "visit", "value": [1, 1, 1]}
    )
    check = CustomerLog(transactions=BUYS, events=acts).checks["events"]
    assert check.n_admitted == admitted
    assert bool(check.notes) == (admitted == 3)


def test_customers_told_twice_are_one_and_contradictions_do_not_depend_on_order(recwarn):
    rows = pd.DataFrame(
        {
            "customer_id": [1, 1, 2, 2, 3, 3], "segment": ["a", "a", "b", "c", None, "d"],
            "city": ["x", "x", "y", "y", "z", "z"],
        }
    )  # fmt: skip
    logs = [CustomerLog(transactions=BUYS, customers=frame) for frame in (rows, rows[::-1])]
    for log in logs:
        assert log.checks["customers"].quarantined == {CONTRADICTION: 2, DUPLICATE: 1}
        found = log.engine.rows("SELECT customer_id, segment, city FROM customers ORDER BY 1")
        assert found == [(1, "a", "x"), (2, "b", "y"), (3, "d", "z")]
    assert logs[0].fingerprint() == logs[1].fingerprint()


def test_what_is_told_of_a_customer_later_is_no_contradiction(recwarn):
    rows = pd.DataFrame(
        {
            "customer_id": [1, 1, 1], "segment": ["a", "b", "c"],
            "recorded_at": ["2024-01-01", "2024-02-01", "2024-02-01"],
        }
    )  # fmt: skip
    check = CustomerLog(transactions=BUYS, customers=rows).checks["customers"]
    assert (check.n_admitted, dict(check.quarantined)) == (2, {CONTRADICTION: 1})
