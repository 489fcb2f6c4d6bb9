"""What a feature may be, and that all are so."""

from __future__ import annotations

from datetime import date

import pytest
import sqlglot

from habitue.errors import SettingsError
from habitue.features import FEATURES, Feature, features_for
from habitue.features.relations import RELATIONS, with_what_they_read
from habitue.features.switching_costs import tier_features
from habitue.records import datasets
from habitue.records.dialects import DIALECTS, translated
from habitue.vocabulary import VOCABULARY, Pillar


@pytest.mark.parametrize("one", FEATURES, ids=lambda one: one.name)
def test_every_feature_parses_is_explained_and_names_its_columns(one):
    assert one.pillar in Pillar
    assert one.unit == VOCABULARY[one.name].unit
    assert set(one.columns) <= set(RELATIONS[one.reads].columns)
    assert one.kind == RELATIONS[one.reads].kind
    for dialect in DIALECTS:
        written = translated(f"SELECT {one.sql}", dialect, {"cutoff": date(2024, 1, 1), "horizon": 30})
        assert sqlglot.parse_one(written, dialect=dialect)


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=lambda one: one.name)
def test_every_relation_comes_after_what_it_reads(relation):
    names = list(RELATIONS)
    assert all(names.index(read) < names.index(relation.name) for read in relation.reads if relation.sql)
    assert [one.name for one in with_what_they_read([relation.name])][-1] == relation.name


def test_names_are_unique_and_every_pillar_line_is_built():
    names = [one.name for one in FEATURES]
    assert len(set(names)) == len(names)
    names += [one.name for one in tier_features({"silver": 250})]  # made once somebody names the tiers
    names += ["p_alive", "expected_purchases", "p_no_purchase", "expected_spend"]  # answered by models
    assert set(names) == {name for name, term in VOCABULARY.items() if term.pillar is not None}


def test_features_for_the_records_that_there_are():
    log = datasets.cdnow(sample=True)
    chosen = features_for(log.until("1997-09-30"))
    assert {one.kind for one in chosen} == {"transactions"}
    assert all(set(one.needs) <= set(log.engine.columns("transactions")) for one in chosen)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("AVG(amount)", "calls Avg"),
        ("MEDIAN(gap)", "calls Median"),
        ("ISODOW(MAX(day))", "which is not known to mean the same"),
        ("my_own(amount)", "calls my_own"),
        ("read_csv('x')", "calls"),
        ("CURRENT_DATE", "calls CurrentDate"),
        ("STRFTIME(MAX(day), '%Y')", "calls"),
        ("(SELECT MAX(amount) FROM transactions)", "must be one aggregate"),
        ("SELECT 1", "must be one aggregate"),
        ("SUM(amount) OVER (PARTITION BY customer_id)", "must be one aggregate"),
        ("SUM(price)", "reads price, which visits lacks; it has customer_id, day, amount"),
        ("SUM(transactions.amount)", "reads transactions.amount"),
        ("SUM(amount) * $rate", r"needs a value for rate; bound are \$cutoff, \$horizon"),
        ("SUM(amount) * ?", "needs a value for"),
        ("SUM(amount", "is no SQL expression"),
        ("", "is no SQL expression"),
        ("DROP TABLE transactions", "Feature 'spend_max'"),
        ("SUM(amount); SELECT 1", "Feature 'spend_max'"),
    ],
)
def test_what_could_not_be_translated_is_refused_when_defined(sql, told):
    with pytest.raises(SettingsError, match=told) as caught:
        Feature("spend_max", "visits", sql)
    assert "\x1b" not in str(caught.value)


def test_an_unknown_name_or_relation_is_refused():
    with pytest.raises(SettingsError, match=r"'lucky_number' needs a line with a pillar"):
        Feature("lucky_number", "visits", "COUNT(*)")
    with pytest.raises(SettingsError, match=r"'clv' needs a line with a pillar"):
        Feature("clv", "visits", "COUNT(*)")
    with pytest.raises(SettingsError, match=r"reads 'carts'; it may read transactions, contracts"):
        Feature("spend_max", "carts", "COUNT(*)")
