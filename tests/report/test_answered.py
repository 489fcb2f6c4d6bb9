"""Who answered, how far ahead was asked, and days still to come: as counted, and as the page says it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.report import Champion, DataCheck, Facts, build_facts, render
from habitue.report.answered import count_answered, sentences_on
from habitue.report.scores import read_scores

BOTH, ALONE = "BG/NBD, LightGBM", "BG/NBD alone"


def facts(scores: pd.DataFrame, **more: Any) -> Facts:
    given: dict[str, Any] = {
        "title": "Customers",
        "source": "shop",
        "currency": "$",
        "cutoff": date(2026, 6, 30),
        "horizon": 90,
        "tables": {},
        "curves": {},
        "champions": [Champion("churn", "shop-churn", "4", "9f2c", "stack", "Best.")],
        "data_check": DataCheck(9, len(scores), None, None, 0),
        "generated_at": datetime(2026, 7, 1),
    }
    return build_facts(scores=scores, **given | more)


@pytest.fixture
def three() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "churn_probability": [0.9, 0.5, 0.1],
            "clv": [1.0, 2.0, 3.0],
            "clv_lower": 0.0,
            "clv_upper": 9.0,
            "expected_residual_lifetime_365d": [40.0, 200.0, 350.5],
        }
    )


def test_each_model_is_counted_for_its_own_answer(three: pd.DataFrame) -> None:
    frame = three.assign(answered_by=[BOTH, ALONE, BOTH], clv_answered_by=["A", None, "A"])
    counted = [(one.answer, one.by, one.n) for one in count_answered(read_scores(frame))]
    assert counted == [("churn_probability", BOTH, 2), ("churn_probability", ALONE, 1), ("clv", "A", 2)]


def test_of_a_value_model_alone_the_plain_column_is_its_own(three: pd.DataFrame) -> None:
    frame = three.drop(columns="churn_probability").assign(answered_by=ALONE)
    assert [(one.answer, one.n) for one in count_answered(read_scores(frame))] == [("clv", 3)]


@given(st.lists(st.sampled_from(["A", "B", "C alone", None]), min_size=1, max_size=30))
def test_counts_add_up_to_who_was_answered(told: list[str | None]) -> None:
    frame = pd.DataFrame({"customer_id": range(len(told)), "clv": 1.0, "answered_by": told})
    counted = count_answered(read_scores(frame))
    assert sum(one.n for one in counted) == sum(one is not None for one in told)
    assert [one.n for one in counted] == sorted((one.n for one in counted), reverse=True)
    said = sentences_on(counted)
    assert any("alone" in one for one in said[1:]) == ("C alone" in told)


def test_the_page_says_who_answered(three: pd.DataFrame) -> None:
    frame = three.assign(answered_by=[BOTH, ALONE, BOTH], clv_answered_by=BOTH)
    page = render(facts(frame))
    assert f"Who leaves was answered for 2 customers by {BOTH}, and for 1 customer by {ALONE}." in page
    assert f"What they spend was answered for 3 customers by {BOTH}." in page
    assert "A model answers alone where" in page
    assert 'id="answered"' not in render(facts(three))


def test_the_page_says_where_it_asks_for_more_days_than_were_learned(three: pd.DataFrame) -> None:
    far = render(facts(three.assign(clv_lower=np.nan, clv_upper=np.nan), trained_for=30))
    assert "The models learned, and were tested, 30 days ahead; this page asks them for 90 days" in far
    assert "Nor is there a range of a customer" in far
    assert 'id="trained-for"' not in render(facts(three, trained_for=90))
    assert 'id="trained-for"' not in render(facts(three))


def test_the_page_says_where_money_is_discounted(three: pd.DataFrame) -> None:
    less = render(facts(three, discount_rate=0.125))
    assert less.replace("&nbsp;", "\N{NO-BREAK SPACE}").count("by 12.5\N{NO-BREAK SPACE}% a year") == 4
    assert "tested on money in full" in less
    assert "discounted" not in render(facts(three))


def test_words_stand_there_with_their_numbers(three: pd.DataFrame) -> None:
    words = {term.word for term in facts(three).glossary}
    without = three.drop(columns=["clv_lower", "clv_upper", "expected_residual_lifetime_365d"])
    assert words - {term.word for term in facts(without).glossary} == {"Days still a customer", "Range"}


def test_days_still_to_come_are_in_the_list(three: pd.DataFrame) -> None:
    rows = facts(three).base.customers
    told = {row.customer_id: row.expected_residual_lifetime_365d for row in rows}
    assert told == {"a": 40.0, "b": 200.0, "c": 350.5}
    page = render(facts(three))
    assert 'data-name="expected_residual_lifetime_365d"' in page
    assert 'data-v="350.5"' in page
