"""The vocabulary: every line can be read aloud, and used as a reason where it is one."""

from __future__ import annotations

import pandas as pd
import pytest

import habitue as hb
from habitue.records import CustomerLog
from habitue.vocabulary import VOCABULARY, WINDOW_DAYS, Pillar, describe

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


def test_windows_have_a_line_for_each_count():
    for days in WINDOW_DAYS:
        assert {f"n_purchases_{days}d", f"spend_{days}d", f"n_events_{days}d"} <= set(VOCABULARY)


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
