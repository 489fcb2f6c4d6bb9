"""Context: the calendar against Python's own, and attributes of customers under whatever name they have."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.features import build
from habitue.features.context import FEATURES, attribute_features, attributes
from habitue.records import CustomerLog, DuckDBEngine
from habitue.vocabulary import Pillar, term_of

CUTOFF = dt.date(2024, 6, 30)


def history_of(customers, cutoff=CUTOFF):
    buys = pd.DataFrame({"customer_id": [1, 2, 3], "timestamp": "1950-01-01", "amount": 5})
    log = CustomerLog(
        transactions=buys, customers=customers, observed_until="2199-12-31", engine=DuckDBEngine(threads=1)
    )
    return log.until(cutoff)


def build_attributes(customers, **levels):
    history = history_of(customers)
    return build(history, attribute_features(history, levels), horizon=30)


def test_when_customers_were_won():
    won = ["2024-06-01 23:59", "2020-02-29", "2024-07-01"]
    found = build(
        history_of(pd.DataFrame({"customer_id": [1, 2, 3], "acquired_at": won})), FEATURES[:2], horizon=30
    )
    assert list(found["days_since_acquisition"])[:2] == [29, 1583]
    assert list(found["acquired_month"])[:2] == [6, 2]
    assert found.loc[3].isna().all()


@pytest.fixture(scope="module")
def long_log():
    return history_of(pd.DataFrame({"customer_id": [1]})).engine


@settings(max_examples=60)
@given(st.dates(dt.date(1950, 1, 1), dt.date(2199, 12, 31)))
def test_the_day_of_the_year_is_pythons(long_log, day):
    sql = f"SELECT {FEATURES[2].sql} FROM (SELECT 1) AS one"
    assert long_log.rows(sql, {"cutoff": day}) == [(day.timetuple().tm_yday,)]


@pytest.mark.parametrize("year", [1900, 1999, 2000, 2023, 2024, 2100, 2101, 2199])
def test_years_begin_and_end_where_they_do(long_log, year):
    sql = f"SELECT {FEATURES[2].sql} FROM (SELECT 1) AS one"
    for day in (dt.date(year, 1, 1), dt.date(year, 2, 28), dt.date(year, 3, 1), dt.date(year, 12, 31)):
        assert long_log.rows(sql, {"cutoff": day}) == [(day.timetuple().tm_yday,)]


def test_the_position_of_the_cutoff_is_everybodys():
    found = build(history_of(pd.DataFrame({"customer_id": [1]})), FEATURES[2:], horizon=30)
    assert list(found["cutoff_day_of_year"]) == [182] * 3


def test_numbers_and_flags_are_features_as_they_are():
    found = build_attributes(
        pd.DataFrame(
            {
                "customer_id": [1, 2],
                "age": [41, None],
                "is_member": pd.array([True, None], dtype="boolean"),
                "has_app": [False, True],
                "born": pd.to_datetime(["1980-01-01", "1990-01-01"]),
                "name": ["Ann", "Bea"],
            }
        )
    )
    assert list(found.columns) == ["age", "is_member_is_true", "has_app_is_true"]
    assert list(found.loc[1]) == [41, 1, 0]
    assert list(found.loc[2].isna()) == [True, True, False]
    assert found.loc[3].isna().all()


def test_each_level_of_text_is_a_feature():
    customers = pd.DataFrame({"customer_id": [1, 2, 3], "segment": ["gold", "new one", None]})
    found = build_attributes(customers, segment=["gold", "silver"])
    assert list(found.columns) == ["segment_is_gold", "segment_is_silver"]
    assert list(found.loc[1]) == [1, 0]
    assert list(found.loc[2]) == [0, 0]
    assert found.loc[3].isna().all()


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("monthly fee (EUR)", "monthly_fee_EUR"),
        ('odd "name"', "odd_name"),
        ("größe", "größe"),
        ("$$", "attribute"),
        ("frequency", "frequency_attribute"),
        ("churned", "churned_attribute"),
        ("return reason", "return_reason_attribute"),
        ("what is this", "what_IS_this"),
        ("is_is_is", "is_IS_IS"),
    ],
)
def test_names_are_words_and_those_of_the_vocabulary_stay_its_own(column, name):
    history = history_of(pd.DataFrame({"customer_id": [1], column: [2.5]}))
    (one,) = attribute_features(history)
    assert (one.name, one.columns, one.pillar) == (name, (column,), Pillar.CONTEXT)
    assert one.term.phrase.count("{value}") == 1
    assert build(history, [one], horizon=30).loc[1, name] == 2.5


def test_names_that_come_to_the_same_are_told_apart():
    customers = pd.DataFrame({"customer_id": [1], "a b": [1.0], "a-b": [2.0], "a": ["x!"], "a?": ["x"]})
    found = build_attributes(customers, **{"a": ["x", "x!"], "a?": ["x"]})
    assert found.loc[1].to_dict() == {"a_b": 1, "a_b_": 2, "a_is_x": 0, "a_is_x_": 1, "a_is_x__": 1}


def test_an_attribute_is_never_taken_for_the_reason_of_a_return():
    customers = pd.DataFrame({"customer_id": [1, 2], "return_reason": ["too small", "other"]})
    found = build_attributes(customers, return_reason=["too small"])
    assert found["return_reason_attribute_is_too_small"].to_list()[:2] == [1, 0]


def test_what_a_feature_says_can_be_told_from_its_name_alone():
    """All but the signs that no name has; what is missing is said alike."""
    customers = pd.DataFrame(
        {"customer_id": [1], "shoe size": [41], "has_app": [True], "plan": ["gold"], "who is it": ["ann"]}
    )
    levels = {"plan": ["gold", "pay as you go"], "who is it": ["ann"]}
    for one in attribute_features(history_of(customers), levels):
        told, term = term_of(one.name), one.term
        assert (told.phrase.lower(), told.zero.lower()) == (
            term.phrase.replace("_", " "),
            term.zero.replace("_", " "),
        )
        assert told.missing.lower() == term.missing.replace("_", " ")
        assert (told.unit, told.pillar or Pillar.CONTEXT) == (term.unit, term.pillar)


@pytest.mark.parametrize("level", ["it's", 'a "b"', "$cutoff", "a; DROP TABLE customers", "\\", "50%", "{x}"])
def test_any_text_may_be_a_level(level):
    found = build_attributes(pd.DataFrame({"customer_id": [1, 2], "plan": [level, "other"]}), plan=[level])
    assert list(found.iloc[:2, 0]) == [1, 0]


def test_a_log_without_customers_has_no_attributes():
    buys = pd.DataFrame({"customer_id": [1], "timestamp": ["2024-01-01"], "amount": [5]})
    history = CustomerLog(transactions=buys).until("2024-01-01")
    assert dict(attributes(history)) == {}
    assert attribute_features(history, {"segment": ["gold"]}) == ()
