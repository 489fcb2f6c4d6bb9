"""The log: checked once, whole, and blind to what came after a cutoff."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest

from habitue.errors import DataError, HabitueWarning, ManySetAsideWarning, SchemaError, SettingsError
from habitue.records import SCHEMAS, CustomerLog, DuckDBEngine, datasets, read_log

DAY = "2024-01-05"
SAMPLES = {
    "transactions": {"timestamp": DAY, "amount": 5},
    "contracts": {"started_at": DAY, "price": 5},
    "events": {"timestamp": DAY, "event": "visit"},
    "feedback": {"timestamp": DAY, "survey": "nps", "score": 9},
    "tickets": {"opened_at": DAY},
    "rewards": {"timestamp": DAY, "points": -3},
    "contacts": {"timestamp": DAY, "campaign": "spring"},
    "customers": {},
}
BUYS = pd.DataFrame(
    {"customer_id": [1], **{name: [value] for name, value in SAMPLES["transactions"].items()}}
)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_each_kind_needs_its_columns_and_names_those_there(kind):
    whole = pd.DataFrame([{"customer_id": 1, **SAMPLES[kind], "other": 0}])
    tables = {"transactions": BUYS, kind: whole}
    assert CustomerLog(**tables).checks[kind].n_admitted == 1
    for name in SCHEMAS[kind].required:
        with pytest.raises(
            SchemaError, match=rf"missing {name}\. The columns there are: .*other.*Say which is which"
        ):
            CustomerLog(**{"transactions": BUYS, kind: whole.drop(columns=name)})


@pytest.mark.parametrize("kind", SCHEMAS)
def test_each_required_value_is_needed_in_every_row(kind):
    whole = pd.DataFrame([{"customer_id": 1, **SAMPLES[kind]}] * 2).astype(object)
    for name in SCHEMAS[kind].required:
        broken = whole.copy()
        broken.loc[0, name] = None
        with pytest.warns(
            HabitueWarning, match=rf"1 of 2 rows of {kind} was set aside: {name} is missing \(1\)"
        ):
            log = CustomerLog(**{"transactions": BUYS, kind: broken})
        assert log.checks[kind].quarantined == {f"{name} is missing": 1}
        assert list(log.quarantine(kind)["row"]) == [1]


@pytest.mark.parametrize(("n_bad", "kind"), [(5, HabitueWarning), (6, ManySetAsideWarning)])
def test_more_than_one_row_in_twenty_set_aside_is_a_warning_of_its_own(n_bad, kind):
    days = ["unknown"] * n_bad + [DAY] * (100 - n_bad)
    table = pd.DataFrame({"customer_id": range(100), "timestamp": days, "amount": range(100)})
    with pytest.warns(HabitueWarning, match=f"{n_bad} of 100 rows") as told:
        CustomerLog(transactions=table)
    assert [one.category for one in told] == [kind]


def test_rows_after_a_stated_end_are_meant_to_be_left_out():
    table = pd.DataFrame({"customer_id": [1, 2], "timestamp": [DAY, "2024-03-01"], "amount": 1})
    with pytest.warns(HabitueWarning) as told:
        CustomerLog(transactions=table, observed_until="2024-02-01")
    assert [one.category for one in told] == [HabitueWarning]


def test_a_log_needs_purchases_or_contracts():
    with pytest.raises(SchemaError, match="needs transactions or contracts; neither was given"):
        CustomerLog(events=pd.DataFrame([{"customer_id": 1, **SAMPLES["events"]}]))


def test_optional_values_that_cannot_be_read_are_counted_and_the_row_stays():
    frame = BUYS.assign(quantity="many", margin="3%", discount="", currency="EUR")
    with pytest.warns(HabitueWarning, match=r"could not be read and are empty: quantity \(1\), margin \(1\)"):
        log = CustomerLog(transactions=frame)
    check = log.checks["transactions"]
    assert (check.n_admitted, dict(check.unread)) == (1, {"quantity": 1, "margin": 1})
    assert check.notes[0] == "1 value of quantity could not be read and is empty."


@pytest.mark.parametrize(
    ("ended", "admitted", "value"),
    [
        ("", 1, None),
        ("9999-12-31", 1, None),
        ("2024-03-01", 1, "2024-03-01"),
        ("31/02/2024", 0, None),
        ("0001-01-01", 0, None),
    ],
)
def test_an_end_that_cannot_be_read_is_not_taken_for_none(ended, admitted, value):
    frame = pd.DataFrame(
        {
            "customer_id": [1, 2, 3],
            "started_at": DAY,
            "price": 5,
            "ended_at": [ended, "2024-02-01", "2024-02-02"],
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)
        log = CustomerLog(contracts=frame)
    found = log.engine.rows(
        "SELECT CAST(CAST(ended_at AS DATE) AS VARCHAR) FROM contracts WHERE customer_id = 1"
    )
    assert found == [(value,)] * admitted


def test_what_became_known_later_is_empty_up_to_then():
    contracts = pd.DataFrame(
        {
            "customer_id": [1, 2],
            "started_at": DAY,
            "price": 5,
            "ended_at": ["2024-02-01", "2024-03-01"],
            "ended_reason": ["a", "b"],
        }
    )
    tickets = pd.DataFrame({"customer_id": [1], "opened_at": [DAY], "closed_at": ["2024-03-01"]})
    log = CustomerLog(contracts=contracts, tickets=tickets, observed_until="2024-12-31")
    history = log.until("2024-02-01")
    known = history.engine.rows(
        f"SELECT customer_id, ended_at IS NULL, ended_reason FROM ({history.relation('contracts')}) ORDER BY 1",  # noqa: E501
        {"cutoff": history.cutoff},
    )
    assert known == [(1, False, "a"), (2, True, None)]
    closed = history.engine.rows(
        f"SELECT closed_at FROM ({history.relation('tickets')})", {"cutoff": history.cutoff}
    )
    assert closed == [(None,)]


def test_rows_after_the_stated_end_are_set_aside():
    frame = pd.concat([BUYS, BUYS.assign(timestamp="2024-02-01")])
    with pytest.warns(HabitueWarning, match="timestamp is after 2024-01-31, up to which the log is complete"):
        log = CustomerLog(transactions=frame, observed_until="2024-01-31")
    assert str(log.observed_until) == "2024-01-31"


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (
            {"timestamp": "soon"},
            r"none of its 1 row can be used: timestamp cannot be read as a date \(1\).*timestamp_format=",
        ),
        ({"amount": "a lot"}, r"amount is no number below 1e12 with the decimal sign '.' \(1\).*decimal=','"),
        ({"customer_id": None}, r"customer_id is missing \(1\)\."),
    ],
)
def test_a_source_of_which_nothing_can_be_used_is_refused(column, told):
    with pytest.raises(DataError, match=told):
        CustomerLog(transactions=BUYS.astype(object).assign(**column))


def test_currencies_are_not_added_up():
    frame = pd.concat([BUYS.assign(currency="EUR"), BUYS.assign(currency="USD"), BUYS.assign(currency="EUR")])
    with pytest.raises(DataError, match=r"several currencies: EUR \(2 rows\), USD \(1 row\)"):
        CustomerLog(transactions=frame)


def test_notes_tell_what_was_kept_and_might_surprise():
    frame = pd.DataFrame({"customer_id": [1, 1, 2], "timestamp": DAY, "amount": [0, -2, -5]})
    assert CustomerLog(transactions=frame).checks["transactions"].notes == (
        "1 row has the amount 0: kept, it is a visit.",
        "2 rows have a negative amount: kept as returns.",
        "1 customer has returns only and no purchase: this one is not scored.",
    )


def test_an_engine_holds_one_log():
    engine = DuckDBEngine()
    first = CustomerLog(transactions=BUYS, engine=engine)
    with pytest.raises(SettingsError, match=r"already holds a log.*an engine of its own"):
        CustomerLog(transactions=pd.concat([BUYS, BUYS]), engine=engine)
    assert first.engine.rows("SELECT count(*) FROM transactions") == [(1,)]


def test_cdnow_is_what_the_papers_describe():
    whole, sample = datasets.cdnow(), datasets.cdnow(sample=True)
    assert (whole.n_customers, whole.checks["transactions"].n_admitted) == (23570, 69659)
    assert float(whole.engine.rows("SELECT sum(amount) FROM transactions")[0][0]) == 2500315.63
    assert (sample.n_customers, sample.checks["transactions"].n_admitted) == (2357, 6919)
    assert whole.fingerprint() != sample.fingerprint() == datasets.cdnow(sample=True).fingerprint()
    assert repr(sample).startswith("CustomerLog of 2,357 customers, 1997-01-01 to 1998-06-30")


def test_a_day_in_the_future_is_set_aside_and_does_not_move_the_end():
    frame = pd.DataFrame(
        {"customer_id": [1, 2, 3], "timestamp": ["2024-01-01", "2024-02-01", "2099-01-01"], "amount": 5.0}
    )
    with pytest.warns(HabitueWarning, match="in the future"):
        log = read_log(frame, not_after="2026-01-01")
    assert str(log.observed_until) == "2024-02-01"
    assert list(log.quarantine()["row"]) == [3]
