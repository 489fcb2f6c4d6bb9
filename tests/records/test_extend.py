"""A log that grows by the new rows only is the log that reading all rows at once makes."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import warnings
from itertools import pairwise

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logs import logs

from habitue.errors import DataError, HabitueWarning, SchemaError, SettingsError
from habitue.records import SCHEMAS, CustomerLog, DuckDBEngine, read_log
from habitue.records.extending import extendable
from habitue.records.sources import open_source
from habitue.snapshots import Window, take_snapshot

RELAXED = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
LATER_KINDS = sorted(kind for kind, schema in SCHEMAS.items() if schema.known_later)
BUYS = pd.DataFrame({"customer_id": [1], "timestamp": ["2024-01-01"], "amount": [1.0]})


def quiet(make, *args, **settings_):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)
        return make(*args, **settings_)


def grown(make, batches, **settings_):
    """Read the first batch and extend the log by the others."""
    log = quiet(make, batches[0], engine=DuckDBEngine(threads=1), **settings_)
    for batch in batches[1:]:
        given_batch = batch if isinstance(batch, dict) else {"transactions": batch}
        log = quiet(log.extend, **given_batch)
    return log


def of_kinds(frames, **settings_):
    return CustomerLog(**frames, **settings_)


def assert_same(log, other):
    assert log.checks.keys() == other.checks.keys()
    for kind, check in log.checks.items():
        same = other.checks[kind]
        assert log.engine.columns(kind) == other.engine.columns(kind)
        assert log.engine.digest(kind) == other.engine.digest(kind), kind
        assert (check.n_rows, check.n_admitted) == (same.n_rows, same.n_admitted)
        assert dict(check.quarantined) == dict(same.quarantined)
        assert check.notes == same.notes
        assert dict(check.unread) == dict(same.unread)
        assert check.mapping == same.mapping
        aside, others = (one.quarantine(kind)["reason"] for one in (log, other))
        assert sorted(aside) == sorted(others)
    assert log.fingerprint() == other.fingerprint()
    assert (log.first_day, log.observed_until, log.n_customers) == (
        other.first_day, other.observed_until, other.n_customers,
    )  # fmt: skip


def cut(draw, frame, instant, least=0):
    """Cut rows into consecutive batches: as they lie, or by day."""
    if instant and draw(st.booleans()):
        frame = frame.sort_values(instant, kind="stable", ignore_index=True)
    n_batches = draw(st.integers(1, 3))
    places = sorted(draw(st.integers(least, len(frame))) for _ in range(n_batches))
    starts, ends = [0, *places], [*places, len(frame)]
    return [frame.iloc[start:end] for start, end in zip(starts, ends, strict=True)]


def told_apart(kind, frame):
    """Leave one record of those that say the same but for what they say later."""
    first = [name for name in frame.columns if name not in SCHEMAS[kind].known_later]
    return frame.drop_duplicates(first, ignore_index=True)


@st.composite
def in_batches(draw):
    """Draw a log of all kinds, and a way to read it batch by batch."""
    frames = draw(logs())
    # What is told again in another state is a matter of its own: here every record is told once.
    frames |= {kind: told_apart(kind, frames[kind]) for kind in LATER_KINDS if kind in frames}
    parts = {
        kind: cut(draw, frame, SCHEMAS[kind].instant, least=kind == "transactions")
        for kind, frame in frames.items()
    }
    n_batches = max(len(found) for found in parts.values())
    batches = [
        {kind: found[n] for kind, found in parts.items() if n < len(found) and len(found[n])}
        for n in range(n_batches)
    ]
    return frames, batches


@pytest.mark.slow
@RELAXED
@given(in_batches())
def test_batches_of_all_kinds_lead_to_the_log_of_all_rows(drawn):
    frames, batches = drawn
    log, whole = grown(of_kinds, batches), quiet(of_kinds, frames)
    assert_same(log, whole)
    window = Window("2024-06-30", horizon=45)
    if whole.first_day <= dt.date(2024, 6, 30) <= whole.observed_until:
        found, told = (quiet(take_snapshot, one, window) for one in (log, whole))
        pd.testing.assert_frame_equal(found.X, told.X, check_exact=True)


CELLS = {
    "who": ["1", "2", "2.0", " 1 ", "nan", "", "-0", "3"],
    "when": ["2024-01-05", "2024-02-01 10:00", "2024-02-01", "31/02/2024", "", "2300-01-01", "2024-03-01"],
    "paid": ["5", "5.0", "7.25", "-5", "-7.25", "0", "1,000", "€ 5", "abc", ""],
    "bill": ["a", "b", "", "a"],
    "thing": ["p", "q", ""],
    "number": ["1", "2.5", "x", ""],
}


@st.composite
def dirty_batches(draw):
    columns = [name for name in CELLS if name in {"who", "when", "paid"} or draw(st.booleans())]
    ids = CELLS["who"] + (["007", "x"] if draw(st.booleans()) else [])
    cells = CELLS | {"who": ids}
    row = st.fixed_dictionaries({name: st.sampled_from(cells[name]) for name in columns})
    sound = {"who": "1", "when": "2024-01-02", "paid": "3", "bill": "c", "thing": "p", "number": "1"}
    rows = draw(st.lists(row, min_size=1, max_size=25))
    rows = [{name: sound[name] for name in columns}] * 8 + rows + rows[:3]
    frame = pd.DataFrame(rows, columns=columns).replace("", None).astype(object)
    # The first rows are sound: a first batch is not refused where the whole is not.
    return frame, cut(draw, frame, "", least=8)


def read_dirty(frame, **settings_):
    names = {"order_id": "bill", "product_id": "thing", "quantity": "number"}
    there = {name: column for name, column in names.items() if column in frame}
    return read_log(frame, customer_id="who", timestamp="when", amount="paid", **there, **settings_)


@pytest.mark.slow
@settings(RELAXED, max_examples=12)
@given(dirty_batches())
def test_batches_of_dirty_rows_lead_to_the_log_of_all_rows(drawn):
    frame, batches = drawn
    assert_same(grown(read_dirty, [batch for batch in batches if len(batch)]), quiet(read_dirty, frame))


def state_at(kind, frame, day):
    """Return what a source shows on a day: records that are there by then, as they are told by then."""
    frame = frame[frame[SCHEMAS[kind].instant] < day].copy()
    later = SCHEMAS[kind].known_later
    hidden = {name: frame[since] >= day for name, since in later.items()}
    for name, unknown in hidden.items():
        frame[name] = frame[name].mask(unknown)
    return frame


def changed(before, after):
    """Return the rows of a state that are new, or that are told otherwise than before."""
    known = before.reindex(after.index)
    same = (known.isna() & after.isna()) | (known == after).fillna(False).astype(bool)
    return after[~same.all(axis=1)]


@pytest.mark.slow
@RELAXED
@given(logs(), st.lists(st.integers(0, 550), min_size=2, max_size=4, unique=True))
def test_records_that_changed_are_told_again(frames, ages):
    days = [pd.Timestamp("2023-11-01") + pd.Timedelta(days=age) for age in sorted(ages)]
    for kind in set(LATER_KINDS) & frames.keys():
        # Of records that were the same at first nobody can tell which one has changed.
        frames[kind] = told_apart(kind, frames[kind])
        states = [state_at(kind, frames[kind], day) for day in days]
        states = [state for state in states if len(state)]
        if not states:
            continue
        log = quiet(of_kinds, {"transactions": BUYS, kind: states[0]}, engine=DuckDBEngine(threads=1))
        for before, after in pairwise(states):
            log = quiet(log.extend, **{kind: changed(before, after)})
        assert_same(log, quiet(of_kinds, {"transactions": BUYS, kind: states[-1]}))


def test_a_ticket_answered_and_then_closed_is_one_ticket():
    opened = {"customer_id": 1, "opened_at": pd.Timestamp("2024-01-05 10:00"), "topic": "delivery"}
    answered = opened | {"first_response_at": pd.Timestamp("2024-01-06 09:00"), "escalated": False}
    closed = answered | {"closed_at": pd.Timestamp("2024-01-07 12:00"), "escalated": True}
    log = CustomerLog(transactions=BUYS, tickets=pd.DataFrame([opened]))
    for state in (answered, closed):
        log = log.extend(tickets=pd.DataFrame([state]))
        assert_same(log, CustomerLog(transactions=BUYS, tickets=pd.DataFrame([state])))


def test_what_cannot_be_told_apart_is_refused():
    rows = pd.DataFrame(
        {"customer_id": 1, "opened_at": "2024-01-05 10:00", "first_response_at": [None, "2024-01-06"]}
    )
    log = CustomerLog(transactions=BUYS, tickets=rows)
    before = log.fingerprint()
    closed = rows[1:].assign(closed_at="2024-01-07")
    with pytest.raises(DataError, match=r"1 new rows of tickets could be .* Read the log anew"):
        log.extend(tickets=closed)
    assert CustomerLog.open(log.engine).fingerprint() == before == log.fingerprint()


def test_customers_told_again_are_replaced_or_add_up():
    rows = pd.DataFrame({"customer_id": ["1", "2", "x"], "city": ["5", "6", "n/a"], "tier": ["a", "b", "c"]})
    new = pd.DataFrame({"customer_id": ["2", "3"], "city": ["Rome", None], "age": [30, 40]})
    log = CustomerLog(transactions=BUYS, customers=rows).extend(customers=new)
    now = pd.concat([rows[rows["customer_id"] != "2"], new], ignore_index=True)
    assert_same(log, CustomerLog(transactions=BUYS, customers=now))
    dated = [rows.assign(recorded_at="2024-01-01"), new.assign(recorded_at="2024-02-01")]
    log = CustomerLog(transactions=BUYS, customers=dated[0]).extend(customers=dated[1])
    assert_same(log, CustomerLog(transactions=BUYS, customers=pd.concat(dated, ignore_index=True)))
    assert log.checks["customers"].n_admitted == 5


def orders(*rows, columns="customer_id timestamp amount order_id"):
    return pd.DataFrame(rows, columns=columns.split()[: len(rows[0])])


@pytest.mark.parametrize(
    "batches",
    [
        # Equal lines are duplicates, until a row shows that orders have several lines.
        [orders((1, "2024-01-01", 5, "a"), (1, "2024-01-01", 5, "a")), orders((2, "2024-01-02", 7, "a"))],
        # A product_id appears, and lines without one are no duplicates for sure.
        [orders((1, "2024-01-01", 5, "a"), (1, "2024-01-01", 5, "a")),
         orders((1, "2024-01-02", 7, "b")).assign(product_id="p")],
        # The better purchase for a return comes later, and was known earlier.
        [orders((1, "2024-01-01", 5), (1, "2024-01-09", -5)), orders((1, "2024-01-05", 6))],
        # Ids become text: 7 and 007 are two customers.
        [orders((7, "2024-01-01", 5)), orders(("007", "2024-01-01", 5), ("7", "2024-01-01", 5))],
        # A column is empty first, and then is written in a way of its own.
        [orders((1, "2024-01-01", 5)).assign(recorded_at=None).astype(object),
         orders((1, "2024-01-01", 5)).assign(recorded_at="31/01/2024").astype(object)],
    ],
)  # fmt: skip
def test_later_rows_turn_the_verdict_on_earlier_ones(batches):
    log, whole = grown(read_log, batches), quiet(read_log, pd.concat(batches, ignore_index=True))
    assert_same(log, whole)


def test_ids_that_become_text_are_text_in_every_kind(recwarn):
    tickets = pd.DataFrame({"customer_id": [1, 1], "opened_at": ["2024-01-02", "2024-01-03"]})
    log = CustomerLog(transactions=BUYS, tickets=tickets[:1], customers=pd.DataFrame({"customer_id": [1]}))
    log = log.extend(transactions=BUYS.assign(customer_id="x")).extend(tickets=tickets[1:])
    both = pd.concat([BUYS, BUYS.assign(customer_id="x")])
    whole = CustomerLog(transactions=both, tickets=tickets, customers=pd.DataFrame({"customer_id": [1]}))
    assert_same(log, whole)


def test_rows_after_the_last_day_wait_for_it():
    rows = orders((1, "2024-01-01", 5), (2, "2024-01-05", 6), (3, "2024-01-09", 7), (1, "2024-01-09", 7))
    log = quiet(read_log, rows, observed_until="2024-01-03")
    assert log.checks["transactions"].n_quarantined == 3
    for day in ("2024-01-04", "2024-01-06", "2024-01-09"):
        log = quiet(log.extend, observed_until=day)
        assert_same(log, quiet(read_log, rows, observed_until=day))


def test_amounts_are_converted_at_the_rates_of_the_log():
    rates = {"EUR": 1, "USD": "0.9"}
    rows = orders((1, "2024-01-01", 10), (1, "2024-01-03", -10), (2, "2024-01-04", 3), (2, "2024-01-04", 3))
    rows["currency"] = ["USD", "USD", "CHF", "eur"]
    log = grown(read_log, [rows[:1], rows[1:2], rows[2:]], rates=rates)
    assert_same(log, quiet(read_log, rows, rates=rates))


def test_dates_that_most_rows_now_write_otherwise_are_refused():
    days = ["13/01/2024", "14/01/2024"]
    first, other = orders(*((1, day, 5) for day in days)), orders(*((1, "2024-01-20", 5) for _ in range(3)))
    log = read_log(first)
    with pytest.raises(SchemaError, match=r"most values of 'timestamp'.* written in another way than before"):
        log.extend(transactions=other)
    # One such row is a dirty one, as it is among all rows.
    assert_same(quiet(log.extend, transactions=other[:1]), quiet(read_log, pd.concat([first, other[:1]])))


def test_a_second_currency_is_refused_whenever_it_comes():
    log = read_log(orders((1, "2024-01-01", "€ 5")))
    with pytest.raises(DataError, match="several currencies"):
        log.extend(transactions=orders((1, "2024-01-02", "$ 5")))
    assert log.extend(transactions=orders((1, "2024-01-02", "€ 6"))).checks["transactions"].n_admitted == 2


def test_columns_bear_the_names_of_the_first_source_or_canonical_ones():
    frame = pd.DataFrame({"who": ["a"], "when": ["2024-01-01"], "n": [2], "price": [2.5]})
    names = {"customer_id": "who", "timestamp": "when", "amount": "n * price"}
    log = read_log(frame, **names).extend(transactions=frame)
    log = log.extend(
        transactions=pd.DataFrame({"customer_id": ["a"], "timestamp": ["2024-01-01"], "amount": [5]})
    )
    assert log.engine.rows("SELECT sum(amount), count(*) FROM transactions") == [(15, 3)]
    with pytest.raises(SchemaError, match=r"missing n \* price \(for amount\)"):
        log.extend(transactions=frame.drop(columns="n"))


def test_a_kind_may_come_later():
    tickets = pd.DataFrame({"customer_id": [1], "opened_at": ["2024-01-02 10:00"]})
    assert_same(
        CustomerLog(transactions=BUYS).extend(tickets=tickets),
        CustomerLog(transactions=BUYS, tickets=tickets),
    )


def test_lines_that_are_no_rows_are_set_aside_in_every_batch(csv_file):
    text = "customer_id,timestamp,amount,order_id\n1,2024-01-01,5,a\n1,2024\n1,2024-01-01,5,a\n"
    files = [csv_file(text, "first.csv"), csv_file(text, "second.csv")]
    log = quiet(read_log, files[0])
    log = quiet(log.extend, transactions=files[1])
    assert sorted(log.checks["transactions"].quarantined.values()) == [2, 3]
    assert log.checks["transactions"].n_admitted == 1


def test_a_log_in_a_file_is_opened_by_a_later_process(tmp_path):
    path = tmp_path / "log.duckdb"
    rows = orders((1, "2024-01-01", 5, "a"), (1, "2024-01-01", 5, "a"), (2, "2024-01-03", -4, "b"))
    settings_ = {"timezone": "Europe/Paris", "observed_until": "2024-01-31", "rates": {"EUR": 1, "USD": 2}}
    rows["currency"] = "EUR"
    made = quiet(read_log, rows, engine=DuckDBEngine(path=path), **settings_)
    told = made.fingerprint(), dict(made.checks), made.observed_until, repr(made)
    made.engine.close()
    log = CustomerLog.open(path)
    assert (log.fingerprint(), dict(log.checks), log.observed_until, repr(log)) == told
    assert len(log.quarantine()) == 1
    log = log.extend(transactions=rows[2:].assign(timestamp="2024-02-02"), observed_until="2024-02-03")
    log.engine.close()
    assert str(CustomerLog.open(path).observed_until) == "2024-02-03"


_CUT_OFF = """
import os, sys, warnings
import pandas as pd
from habitue.records import CustomerLog, DuckDBEngine
warnings.simplefilter("ignore")
rows = pd.DataFrame({"customer_id": [1, 2], "timestamp": ["2024-01-01", "2024-01-02"], "amount": [5.0, 6.0]})
path, when = sys.argv[1:]

class Stops(DuckDBEngine):
    def execute(self, sql, values=None):
        super().execute(sql, values)
        if when in sql:
            os._exit(9)

if os.path.exists(path):
    CustomerLog.open(Stops(path=path)).extend(transactions=rows[1:])
else:
    CustomerLog(transactions=rows[:1], engine=Stops(path=path))
"""


def _cut_off(path, when):
    done = subprocess.run([sys.executable, "-c", _CUT_OFF, str(path), when], check=False, capture_output=True)
    assert done.returncode == 9, done.stderr


def test_what_is_cut_off_is_done_again_without_harm(tmp_path):
    rows = orders((1, "2024-01-01", 5.0), (2, "2024-01-02", 6.0))
    path = tmp_path / "log.duckdb"
    _cut_off(path, "CREATE OR REPLACE TABLE transactions")
    with pytest.raises(DataError, match=r"one whose making was cut off.* Read it anew"):
        CustomerLog.open(path)
    log = CustomerLog(transactions=rows[:1], engine=DuckDBEngine(path=path))
    log.engine.close()
    _cut_off(path, "INSERT INTO transactions")
    log = CustomerLog.open(path)
    assert log.checks["transactions"].n_rows == 1
    assert_same(log.extend(transactions=rows[1:]), CustomerLog(transactions=rows))


def test_what_cannot_be_opened_or_extended_is_told(tmp_path):
    with pytest.raises(DataError, match="There is no file"):
        CustomerLog.open(tmp_path / "none.duckdb")
    with pytest.raises(DataError, match="Here should be a log, and there is none"):
        CustomerLog.open(DuckDBEngine())
    log = read_log(BUYS, not_after="2024-01-10")
    with pytest.raises(SettingsError, match=r"not_after='2024-01-10'.* which day is today"):
        log.extend(transactions=BUYS)
    with pytest.raises(SettingsError, match="is before 2024-01-01, up to which the log was complete"):
        log.extend(observed_until="2023-12-31")
    longer = log.extend(transactions=BUYS, not_after="2024-01-11")
    with pytest.raises(SettingsError, match="extended already; go on with the log that"):
        log.extend(transactions=BUYS, not_after="2024-01-12")
    assert longer.extend(tickets=pd.DataFrame(), not_after="2024-01-12").fingerprint() == longer.fingerprint()


def test_a_log_on_spark_is_read_anew():
    with pytest.raises(SettingsError, match="on Spark cannot be extended"):
        extendable(object(), {})


def test_new_rows_may_lie_in_a_database(tmp_path):
    rows = orders((1, "2024-01-01", 5.0), (2, "2024-01-02", 6.0))
    with duckdb.connect(tmp_path / "shop.duckdb") as shop:
        shop.register("handed_in", rows[1:])
        shop.execute("CREATE TABLE orders AS SELECT * FROM handed_in")
        shop.execute("CREATE TABLE others AS SELECT 1 AS n")
    log = CustomerLog(transactions=rows[:1], engine=DuckDBEngine(path=tmp_path / "log.duckdb"))
    source = open_source(log.engine, tmp_path / "shop.duckdb", query="SELECT * FROM orders")
    assert_same(log.extend(transactions=source), CustomerLog(transactions=rows))
