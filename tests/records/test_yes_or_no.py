"""Flags: one list of words, which the door and whatever reads answers elsewhere read alike."""

from __future__ import annotations

import pandas as pd
import pytest

from habitue.errors import HabitueWarning
from habitue.records import CustomerLog, DuckDBEngine
from habitue.records.yes_or_no import NO, YES, answer_sql, as_answers

BUYS = pd.DataFrame({"customer_id": ["a"], "timestamp": ["2024-01-01"], "amount": [1.0]})
NEITHER = ["x", "perhaps", "2", "-1", "", "nan", "ye s", "yes!", "jain"]


def written(words):
    """Return words as people write them."""
    return [form for word in words for form in (word, word.upper(), f" {word.title()} ", f"{word}\xa0")]


def test_no_word_says_both():
    assert not YES & NO


def test_the_door_reads_what_is_read_elsewhere():
    words = pd.Series([*written(sorted(YES)), *written(sorted(NO)), *NEITHER], dtype=object)
    values = {"words": list(words)}
    sql = f"SELECT {answer_sql('w', 'VARCHAR')} FROM (SELECT unnest($words) AS w)"
    expected = [True] * 4 * len(YES) + [False] * 4 * len(NO) + [None] * len(NEITHER)
    assert [row[0] for row in DuckDBEngine().rows(sql, values)] == expected
    assert [None if one is pd.NA else one for one in as_answers(words)] == expected


@pytest.mark.parametrize("values", [[1, 0, 2], [1.0, 0.0, -1.0], [True, False, None]])
def test_numbers_and_statements_too(values):
    customers = pd.DataFrame({"customer_id": ["a", "b", "c"], "contactable": values})
    if values[2] is None:
        log = CustomerLog(transactions=BUYS, customers=customers)
    else:
        with pytest.warns(HabitueWarning, match=r"contactable \(1\)"):
            log = CustomerLog(transactions=BUYS, customers=customers)
    found = log.engine.rows("SELECT contactable FROM customers ORDER BY customer_id")
    assert found == [(True,), (False,), (None,)]


def test_what_is_neither_is_shown_with_what_is_read():
    words = ["ja", "nein", *["vielleicht"] * 3, *["x"] * 2, "c", "d", "e", "g"]
    customers = pd.DataFrame({"customer_id": map(str, range(len(words))), "contactable": words})
    with pytest.warns(HabitueWarning, match="contactable says 'vielleicht', 'x', 'c', 'd', 'e', which is"):
        log = CustomerLog(transactions=BUYS, customers=customers)
    note = log.checks["customers"].notes[0]
    assert note.startswith("9 values of contactable could not be read and are empty. contactable says 'v")
    assert all(word in note for word in YES | NO)
    more = pd.DataFrame({"customer_id": ["z"], "contactable": ["oui"]})
    assert log.extend(customers=more).checks["customers"].notes[0] == note
