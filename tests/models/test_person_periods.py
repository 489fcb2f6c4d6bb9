"""Durations taken apart into periods: row by row what a loop makes of them, and what is refused of y."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import DataError, SchemaError
from habitue.models.person_periods import PersonPeriods, Seen, labels_of, periods_seen, weights_of
from habitue.models.spells import Causes, Spells, read_causes, read_spells

PERIOD = 10.0
laws = settings(deadline=None, max_examples=40)
spell = st.tuples(st.integers(0, 45), st.integers(0, 60), st.integers(0, 2))


def spells_of(drawn: list[tuple[int, int, int]]) -> Spells:
    entry, stayed, cause = (np.array(column) for column in zip(*drawn, strict=True))
    number = np.where(stayed > 0, cause, 0)
    return Spells(entry * 1.0, (entry + stayed) * 1.0, Causes(number, [1, 2]))


def one_by_one(spells: Spells) -> list[tuple[int, int, int, float]]:
    """Return customer, periods gone by, what happened and the part that counts, by a loop."""
    rows = []
    for who, (entry, end) in enumerate(zip(spells.entry, spells.duration, strict=True)):
        cause = int(spells.causes.number[who])
        for gone_by in range(12):
            opens, closes = gone_by * PERIOD, (gone_by + 1) * PERIOD
            part = (min(end, closes) - max(entry, opens)) / PERIOD
            if part > 0:
                leaves = cause > 0 and opens < end <= closes
                rows.append((who, gone_by, cause if leaves else 0, 1.0 if leaves else part))
    return rows


@laws
@given(
    drawn=st.lists(spell, min_size=1, max_size=8).filter(lambda rows: any(stayed for _, stayed, _ in rows))
)
def test_rows_are_those_of_a_loop(drawn: list[tuple[int, int, int]]) -> None:
    spells = spells_of(drawn)
    seen = periods_seen(spells, PERIOD)
    rows = PersonPeriods(np.arange(len(drawn) * 1.0)[:, None], seen)
    wanted = one_by_one(spells)
    assert len(rows) == len(wanted)
    assert rows[0 : len(rows)].tolist() == [[who, gone_by] for who, gone_by, *_ in wanted]
    assert labels_of(seen, spells.causes.number).tolist() == [cause for *_, cause, _ in wanted]
    counted = weights_of(seen, spells.causes.number)
    parts = np.ones(len(rows)) if counted is None else counted
    np.testing.assert_allclose(parts, [part for *_, part in wanted], rtol=1e-6)


def test_rows_come_alone_in_slices_and_by_number() -> None:
    seen = Seen(np.array([0, 2, 5]), np.array([2, 0, 3]), np.zeros(3), np.zeros(3))
    rows = PersonPeriods(np.array([[1.0, np.nan], [2.0, 0.0], [3.0, 0.5]]), seen)
    everything = rows[0:5]
    assert everything.shape == (5, 3)
    assert rows[3].shape == (3,)
    np.testing.assert_array_equal(rows[3], everything[3])
    np.testing.assert_array_equal(rows[[4, 0]], everything[[4, 0]])
    np.testing.assert_array_equal(rows[3:99], everything[3:])


def test_a_month_is_a_month_whatever_its_length_in_binary() -> None:
    month = 30.4375
    stayed = np.arange(1, 200) * month / 3.0 * 3.0
    causes = Causes(np.zeros(199, dtype=np.int64), [])
    seen = periods_seen(Spells(np.zeros(199), stayed, causes), month)
    assert seen.n_periods.tolist() == list(range(1, 200))
    assert weights_of(seen, causes.number) is None


def test_customers_count_as_often_as_they_are_said_to() -> None:
    seen = Seen(np.array([0, 0]), np.array([2, 1]), np.zeros(2), np.array([0.5, 0.0]))
    counted = weights_of(seen, np.array([0, 1]), np.array([2.0, 3.0]))
    assert counted is not None
    assert counted.tolist() == [2.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("event", "number", "names"),
    [
        ([True, False, True], [1, 0, 1], [1]),
        ([0, 3, 1], [0, 2, 1], [1, 3]),
        (pd.array([True, False, False], dtype="boolean"), [1, 0, 0], [1]),
        (pd.Series(["paid", None, "free"]), [2, 0, 1], ["free", "paid"]),
        (np.array(["paid", None, np.nan], dtype=object), [1, 0, 0], ["paid"]),
        (pd.Series(["a", "b", None], dtype="category"), [1, 2, 0], ["a", "b"]),
        ([0.0, 0.0, 0.0], [0, 0, 0], []),
    ],
)
def test_causes_are_read_in_numbers_and_in_words(event: Any, number: list[int], names: list[Any]) -> None:
    told = read_causes(event, 3)
    assert told.number.tolist() == number
    assert told.names == names


@pytest.mark.parametrize("event", [[0.5, 1, 0], [-1, 0, 1], [0, 1], [0, np.nan, 1], [["a", "b", None]] * 3])
def test_an_event_that_is_none_is_refused(event: Any) -> None:
    with pytest.raises(DataError, match="y must"):
        read_causes(event, 3)


def test_what_is_no_time_is_refused() -> None:
    y = pd.DataFrame({"duration": [10.0, 20.0], "event": [True, False]})
    with pytest.raises(SchemaError, match=r"not so: event; there are: duration"):
        read_spells(y[["duration"]], 2)
    with pytest.raises(DataError, match="missing or infinite"):
        read_spells(y.assign(duration=[np.nan, 1.0]), 2)
    with pytest.raises(DataError, match=r"0 <= entry <= duration; 1 of 2"):
        read_spells(y.assign(entry=[0.0, 21.0]), 2)
    with pytest.raises(DataError, match=r"there for one day"):
        read_spells(y.assign(entry=[10.0, 20.0]), 2)
    with pytest.raises(DataError, match="each of 3 rows"):
        read_spells(y, 3)
