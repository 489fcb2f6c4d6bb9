"""What was known at a cutoff: late records, late values, customers as they were told of then."""

from __future__ import annotations

import pandas as pd
import pytest

from habitue.records import SCHEMAS, CustomerLog

DAY, LATER = "2024-01-05", "2024-02-10"
REQUIRED = {
    "transactions": {"timestamp": DAY, "amount": 5}, "contracts": {"started_at": DAY, "price": 5},
    "events": {"timestamp": DAY, "event": "visit"},
    "feedback": {"timestamp": DAY, "survey": "nps", "score": 9}, "tickets": {"opened_at": DAY},
    "rewards": {"timestamp": DAY, "points": -3}, "contacts": {"timestamp": DAY, "campaign": "spring"},
    "customers": {},
}  # fmt: skip


def known(log, kind, cutoff, columns="customer_id"):
    history = log.until(cutoff)
    sql = f"SELECT {columns} FROM ({history.relation(kind)}) AS known ORDER BY ALL"
    values = {"cutoff": history.cutoff} if "$cutoff" in sql else {}
    return history.engine.rows(sql, values)


def log_of(kind, rows, **tables):
    buys = pd.DataFrame({"customer_id": [9, 9], "timestamp": [DAY, "2024-12-01"], "amount": 1.0})
    frames = {"transactions": buys, kind: pd.DataFrame(rows), **tables}
    return CustomerLog(observed_until="2024-12-31", **frames)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_late_record_counts_once_it_was_known(kind):
    rows = [
        {"customer_id": customer, **REQUIRED[kind], "recorded_at": recorded}
        for customer, recorded in [(1, LATER + " 23:59:59"), (2, None), (3, DAY)]
    ]
    log = log_of(kind, rows)
    assert known(log, kind, "2024-02-09") == [(2,), (3,)]
    assert known(log, kind, LATER) == [(1,), (2,), (3,)]
    if kind != "customers":
        assert "1 row has no recorded_at: taken as known on the day itself." in log.checks[kind].notes


@pytest.mark.parametrize("recorded", ["soon", "9999-12-31", "0001-01-01"])
def test_what_was_recorded_at_no_day_is_set_aside(read, recorded):
    frame = pd.DataFrame(
        {"customer_id": [1, 2], "timestamp": DAY, "amount": 1, "recorded_at": [recorded, LATER]}
    )
    check = read(frame).checks["transactions"]
    assert check.n_quarantined == 1
    assert "recorded_at" in next(iter(check.quarantined))


def test_a_record_older_than_its_own_day_stays_and_is_told_of(read):
    frame = pd.DataFrame(
        {"customer_id": [1, 2], "timestamp": LATER, "amount": 1, "recorded_at": [DAY, LATER]}
    )
    log = read(frame, observed_until="2024-12-31")
    assert log.checks["transactions"].n_admitted == 2
    assert any(
        "1 row was recorded before the day of its timestamp" in note
        for note in log.checks["transactions"].notes
    )
    assert known(log, "transactions", "2024-02-10") == [(1,), (2,)]


def test_what_a_ticket_came_to_is_known_once_it_is_closed():
    rows = [
        {"customer_id": 1, "opened_at": DAY, "closed_at": LATER, "escalated": True, "reopened": "false"},
        {"customer_id": 2, "opened_at": DAY, "closed_at": None, "escalated": True, "reopened": True},
    ]
    log, columns = log_of("tickets", rows), "customer_id, escalated, reopened"
    assert known(log, "tickets", "2024-02-09", columns) == [(1, None, None), (2, None, None)]
    assert known(log, "tickets", LATER, columns) == [(1, True, False), (2, None, None)]


@pytest.mark.parametrize(
    ("kind", "since", "values"),
    [
        (kind, since, [name for name, at in schema.known_later.items() if at == since != name])
        for kind, schema in SCHEMAS.items()
        for since in dict.fromkeys(schema.known_later.values())
        if any(at == since != name for name, at in schema.known_later.items())
    ],
)
def test_what_nobody_can_date_is_never_told(kind, since, values):
    rows = [{"customer_id": 1, **REQUIRED[kind], **dict.fromkeys(values, "true")}]
    log = log_of(kind, rows)
    assert known(log, kind, "2024-12-31", ", ".join(values)) == [(None,) * len(values)]
    told = f"{' and '.join(values)} of {kind} stay empty: they are known only from {since} on"
    assert any(
        note.startswith(told) and f"Say which column is {since}." in note for note in log.checks[kind].notes
    )
    types = log.engine.columns(kind)
    sql = log.until("2024-12-31").relation(kind)
    assert log.engine.columns(f"({sql.replace('$cutoff', 'current_date')})") == types


def test_customers_have_the_row_that_was_told_last():
    rows = [
        {"customer_id": 1, "segment": "new", "recorded_at": DAY},
        {"customer_id": 1, "segment": "gold", "recorded_at": "2024-03-01 10:00"},
        {"customer_id": 1, "segment": "silver", "recorded_at": "2024-03-01 09:00"},
        {"customer_id": 2, "segment": "always", "recorded_at": None},
        {"customer_id": 2, "segment": "lately", "recorded_at": LATER},
    ]
    log, columns = log_of("customers", rows), "customer_id, segment"
    assert known(log, "customers", DAY, columns) == [(1, "new"), (2, "always")]
    assert known(log, "customers", LATER, columns) == [(1, "new"), (2, "lately")]
    assert known(log, "customers", "2024-03-01", columns) == [(1, "gold"), (2, "lately")]


def test_customers_are_not_known_before_they_were_acquired():
    rows = [{"customer_id": 1, "acquired_at": LATER}, {"customer_id": 2, "acquired_at": None}]
    log = log_of("customers", rows)
    assert known(log, "customers", "2024-02-09") == [(2,)]
    assert known(log, "customers", LATER) == [(1,), (2,)]
