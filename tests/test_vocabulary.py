"""The vocabulary: every line can be read aloud, and used as a reason where it is one."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import habitue as hb
from habitue.records import CustomerLog
from habitue.vocabulary import VOCABULARY, WINDOW_DAYS, Pillar, describe, one_or_many, term_of
from habitue.vocabulary.learned import attribute_term, learned_name, return_reason_term

UNITS = {"day", "hour", "money", "count", "share", "ratio", "probability", "points", "score", "flag", ""}


@pytest.mark.parametrize("name", VOCABULARY)
def test_every_line_is_a_sentence_with_a_known_unit(name):
    term = VOCABULARY[name]
    assert term.meaning[0].isupper() or term.meaning[0].isdigit()
    assert term.meaning.endswith(".")
    assert term.unit in UNITS
    assert describe(name).startswith(term.meaning)


@pytest.mark.parametrize("name", [name for name, term in VOCABULARY.items() if term.pillar is not None])
def test_every_feature_can_be_told_as_a_reason(name):
    term = VOCABULARY[name]
    assert term.pillar in Pillar
    assert term.phrase.count("{value}") == 1
    assert term.phrase.format(value=3)
    for other in (term.missing, term.zero):
        assert "{" not in other
    assert term.negative.count("{value}") == bool(term.negative)


def test_windows_have_a_line_for_each_count():
    for days in WINDOW_DAYS:
        assert {f"n_purchases_{days}d", f"spend_{days}d", f"n_events_{days}d"} <= set(VOCABULARY)


WORDS = st.lists(st.sampled_from(["is", "plan", "gold", "a2", "Größe", "of", "true"]), min_size=1, max_size=4)


@given(WORDS, WORDS, st.sampled_from(["_", " ", "-", " & "]))
def test_a_learned_name_can_be_read_back(column, level, between):
    """But for its signs, and an "is" inside a column's name, which is told in capitals."""
    what, which = " ".join(column), " ".join(level)
    name = learned_name(between.join(column), between.join(level))
    assert re.fullmatch(r"\w+", name)
    told, term = term_of(name), attribute_term(what, which)
    assert (told.phrase.lower(), told.zero.lower()) == (term.phrase.lower(), term.zero.lower())
    again = learned_name(between.join(column), between.join(level), taken={name, f"{name}_"})
    assert (again, term_of(again)) == (f"{name}__", told)
    assert term_of(learned_name("return_reason", between.join(level))) == return_reason_term(which)
    number = learned_name(between.join(column))
    if number not in VOCABULARY:
        assert term_of(number).phrase.lower() == f"{what}: {{value}}".lower()


def test_names_without_letters_are_names_all_the_same():
    assert learned_name("$$", "€") == "attribute_is_sign"
    assert learned_name("$$") == "attribute"


def test_no_word_of_the_vocabulary_reads_as_a_level():
    assert [name for name in VOCABULARY if "_is_" in name] == []
    assert term_of("tier_rank") is VOCABULARY["tier_rank"]


@pytest.mark.parametrize("name", ["", "_is_", "_is_gold", "gold_is_", "shoe size", "a_b"])
def test_a_name_of_no_rule_is_told_as_it_stands(name):
    term = term_of(name)
    assert term.pillar is None
    assert term.phrase == f"{name.replace('_', ' ').strip()}: {{value}}"


@pytest.mark.parametrize(
    ("n", "told"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12345, "12,345 rows"), (1.5, "1.5 rows")]
)
def test_counts_have_their_nouns(n, told):
    assert one_or_many(n, "row") == told
    assert one_or_many(n, "row was", plural="rows were") == f"{told} {'was' if n == 1 else 'were'}"


def test_it_cannot_be_changed():
    with pytest.raises(TypeError):
        VOCABULARY["new"] = VOCABULARY["T"]


def test_describe():
    assert describe("T") == "Days from the first purchase to the cutoff. [day]"
    assert describe("churned") == VOCABULARY["churned"].meaning
    assert describe("no such word") == "no such word"


def test_what_can_be_missing_says_so_in_words():
    """One free purchase and no interaction: every feature that needs more than that is missing here."""
    purchase = {"customer_id": ["ann"], "timestamp": ["2025-01-01"], "amount": [0.0]}
    event = {"customer_id": ["bea"], "timestamp": ["2025-01-02"], "event": ["visit"]}
    log = CustomerLog(transactions=pd.DataFrame(purchase), events=pd.DataFrame(event))
    X = hb.take_snapshot(log, hb.Window("2025-01-02", horizon=7)).X
    missing = {name for name in X.columns if X[name].isna().all()}
    assert missing == {name for name in X.columns if VOCABULARY[name].missing}
