"""Returns: matched to the purchase that they take back, by one rule that a few lines of Python can tell."""

from __future__ import annotations

import datetime as dt
import time

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.records import CustomerLog, DuckDBEngine

START = dt.date(2024, 1, 1)


def _log(frame):
    return CustomerLog(transactions=frame, observed_until="2024-12-31", engine=DuckDBEngine(threads=1))


def _found(log):
    sql = "SELECT customer_id, day, amount, return_of_day FROM transactions ORDER BY ALL"
    return [(*row[:2], float(row[2]), row[3]) for row in log.engine.rows(sql)]


def _expected(frame):
    """Tell the rule row by row: returns choose in the order in which they became known."""
    rows = frame.to_dict("records")
    for row in rows:
        row["known"] = max(row["timestamp"], row.get("recorded_at", row["timestamp"]))
        row["of"] = None
    free = [row for row in rows if row["amount"] > 0]
    returns = [row for row in rows if row["amount"] < 0]
    for one in sorted(returns, key=lambda row: (row["known"], row["timestamp"], row["amount"])):
        fitting = [
            row for row in free
            if row["customer_id"] == one["customer_id"] and row.get("product_id") == one.get("product_id")
            and row["timestamp"] <= one["timestamp"] and row["known"] <= one["known"]
            and row["amount"] >= -one["amount"]
        ]  # fmt: skip
        if fitting:
            best = max(fitting, key=lambda row: (row["timestamp"], -row["amount"], row["known"]))
            free.remove(best)
            one["of"] = best["timestamp"]
    found = [(row["customer_id"], row["timestamp"], float(row["amount"]), row["of"]) for row in rows]
    return sorted(found, key=lambda row: (*row[:3], row[3] or dt.date.max))


def _days(n):
    return START + dt.timedelta(days=n)


ROWS = st.lists(
    st.tuples(
        st.integers(1, 2), st.integers(0, 9).map(_days), st.integers(-4, 6), st.sampled_from(["p", "q"]),
        st.integers(0, 12).map(_days),
    ),
    min_size=1, max_size=25,
)  # fmt: skip
COLUMNS = ["customer_id", "timestamp", "amount", "product_id", "recorded_at"]


@settings(max_examples=25)
@given(rows=ROWS, width=st.sampled_from([3, 4, 5]), order=st.randoms(use_true_random=False))
def test_the_rule_is_kept_whatever_the_order_of_rows(rows, width, order):
    frame = pd.DataFrame([row[:width] for row in rows], columns=COLUMNS[:width])
    log = _log(frame)
    assert _found(log) == _expected(frame)
    shuffled = list(range(len(frame)))
    order.shuffle(shuffled)
    assert _log(frame.iloc[shuffled]).fingerprint() == log.fingerprint()


@settings(max_examples=10)
@given(rows=ROWS)
def test_later_records_change_no_match(rows):
    frame = pd.DataFrame(rows, columns=COLUMNS)
    cutoff = _days(5)
    early = frame[(frame["timestamp"] <= cutoff) & (frame["recorded_at"] <= cutoff)]
    if early.empty:
        return
    whole, part = _log(frame), _log(early)
    if part.first_day > cutoff:
        return
    sql = f"SELECT * FROM ({whole.until(cutoff).relation('transactions')}) AS known ORDER BY ALL"
    assert whole.engine.rows(sql, {"cutoff": cutoff}) == part.engine.rows(sql, {"cutoff": cutoff})


def test_without_products_the_order_says_what_is_returned(read):
    frame = pd.DataFrame(
        {"customer_id": 1, "timestamp": pd.date_range("2024-01-01", periods=4), "amount": [5, 6, -5, -5],
         "order_id": ["a", "b", "a", "c"]}
    )  # fmt: skip
    log = read(frame)
    assert [row[3] for row in _found(log)] == [None, None, START, None]
    told = "1 of 2 returns matched to the purchase taken back."
    assert told in log.checks["transactions"].notes


def test_one_customer_with_very_many_returns_takes_no_long_time():
    n = 40_000
    draw = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"customer_id": 1, "timestamp": pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(2 * n), "s"),
         "amount": np.r_[draw.integers(1, 50, n), -draw.integers(1, 100, n)]}
    )  # fmt: skip
    began = time.perf_counter()
    log = _log(frame)
    assert time.perf_counter() - began < 20
    assert log.engine.rows("SELECT count(return_of_day) > 10000 FROM transactions") == [(True,)]
