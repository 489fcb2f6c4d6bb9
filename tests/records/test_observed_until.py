"""Up to which day a log of contracts is complete: what has come counts, what is only agreed on does not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import habitue as hb
from habitue.records import CustomerLog, DuckDBEngine, Source, read_records

START = dt.date(2024, 1, 1)
pytestmark = pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")


def day(number: int | None) -> pd.Timestamp:
    return pd.NaT if number is None else pd.Timestamp(START) + pd.Timedelta(days=number)


def contracts(rows: list[tuple[int, int | None, str | None, int | None]], *told: str) -> pd.DataFrame:
    """Return a table of start, end, reason and the day on which it was recorded; the last two where told."""
    frame = pd.DataFrame(
        {
            "customer_id": range(len(rows)),
            "started_at": [day(start) for start, *_ in rows],
            "ended_at": pd.to_datetime([day(end) for _, end, *_ in rows]),
            "price": 10.0,
            "ended_reason": pd.array([reason for *_, reason, _ in rows], dtype="string"),
            "recorded_at": pd.to_datetime([day(recorded) for *_, recorded in rows]),
        }
    )
    return frame.drop(columns={"ended_reason", "recorded_at"} - set(told))


def until(*args: Any, **options: Any) -> int:
    """Return the last day of a log, counted from its first."""
    return (CustomerLog(*args, **options).observed_until - START).days


def test_an_end_with_a_reason_has_come() -> None:
    rows = [(0, 90, "voluntary", None), (5, 400, None, None), (7, None, None, None)]
    assert until(contracts=contracts(rows, "ended_reason")) == 90


def test_an_end_that_nobody_explains_may_only_be_agreed_on() -> None:
    rows = [(0, 365, None, None), (7, 372, None, None)]
    assert until(contracts=contracts(rows)) == 7
    assert until(contracts=contracts(rows, "ended_reason")) == 7


def test_the_day_of_recording_decides_where_it_is_told() -> None:
    rows = [(0, 365, "voluntary", 3), (5, 60, None, 61), (6, 70, None, 70), (7, 90, "voluntary", None)]
    assert until(contracts=contracts(rows, "recorded_at")) == 70
    assert until(contracts=contracts(rows, "recorded_at", "ended_reason")) == 90


def test_what_the_business_says_holds() -> None:
    rows = [(0, 90, "voluntary", None), (7, None, None, None)]
    frame = contracts(rows, "ended_reason")
    assert until(contracts=frame, observed_until=day(20)) == 20
    assert until(contracts=frame, observed_until=day(200)) == 200


def test_where_purchases_tell_who_is_a_customer_ends_of_contracts_do_not_move_the_day() -> None:
    bought = pd.DataFrame({"customer_id": [0, 0], "timestamp": [day(1), day(30)], "amount": 5.0})
    frame = contracts([(0, 90, "voluntary", None)], "ended_reason")
    assert until(contracts=frame, transactions=bought) == 30


def test_cancelled_for_a_day_ahead_is_not_yet_observed(tmp_path: Path) -> None:
    frame = contracts([(0, 20, "voluntary", None), (7, 60, "voluntary", None)], "ended_reason")
    path = tmp_path / "log.duckdb"
    today = START + dt.timedelta(30)
    log = read_records({"contracts": Source(frame)}, not_after=today, engine=DuckDBEngine(path=path))
    assert (log.observed_until - START).days == 20
    assert log.n_customers == 2
    log.engine.close()
    assert CustomerLog.open(path).observed_until == log.observed_until


ends = st.none() | st.integers(0, 300)
rows = st.lists(
    st.tuples(
        st.integers(0, 99), ends, st.none() | st.just("voluntary"), st.none() | st.integers(0, 300)
    ).map(lambda row: (row[0], None if row[1] is None else max(row[:2]), *row[2:])),
    min_size=1,
    max_size=8,
)
TOLD = st.sampled_from([(), ("ended_reason",), ("recorded_at",), ("ended_reason", "recorded_at")])


@given(rows, TOLD)
@settings(max_examples=20, deadline=None)
def test_the_day_is_the_last_of_starts_and_of_ends_that_have_come(
    rows: list[tuple[int, int | None, str | None, int | None]], told: tuple[str, ...]
) -> None:
    def has_come(end: int, reason: str | None, recorded: int | None) -> bool:
        if "recorded_at" in told and recorded is not None:
            return end <= recorded
        return "ended_reason" in told and reason is not None

    expected = [start for start, *_ in rows]
    expected += [end for _, end, *rest in rows if end is not None and has_come(end, *rest)]
    assert until(contracts=contracts(rows, *told)) == max(expected)


@given(rows, rows, TOLD)
@settings(max_examples=8, deadline=None)
def test_a_log_that_grew_ends_where_the_whole_one_does(first: Any, more: Any, told: tuple[str, ...]) -> None:
    whole = contracts([*first, *more], *told)
    grown = CustomerLog(contracts=whole[: len(first)]).extend(contracts=whole[len(first) :])
    assert grown.observed_until == CustomerLog(contracts=whole).observed_until


def test_a_log_whose_end_was_stated_moves_on_with_ends_that_have_come() -> None:
    rows = [(0, None, None, None), (1, None, None, None), (2, 90, "voluntary", None), (3, 300, None, None)]
    whole = contracts(rows, "ended_reason")
    log = CustomerLog(contracts=whole[:2], observed_until=day(10)).extend(contracts=whole[2:])
    assert (log.observed_until - START).days == 90


def test_outcomes_are_known_as_far_as_ends_are() -> None:
    """A cohort that was won in January alone can be learned from all year."""
    rows = [(0, 10 * number, "voluntary", None) for number in range(4, 30)]
    log = CustomerLog(contracts=contracts(rows, "ended_reason"))
    snapshot = hb.take_snapshot(log, hb.Window(START + dt.timedelta(100), 91), ["n_contracts"])
    assert snapshot.outcomes["churned"].sum() == sum(100 < end <= 191 for _, end, *_ in rows)
