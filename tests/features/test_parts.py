"""However the work is cut, by customers or by cutoffs, the features are the same, bit for bit."""

from __future__ import annotations

import datetime as dt
import warnings

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logs import CUTOFF, HORIZON, logs

from habitue.errors import DataError
from habitue.features import FEATURES, ON_REQUEST, build, build_each, features_for, matrix
from habitue.records import CustomerLog, DuckDBEngine
from habitue.records.history import Histories
from habitue.snapshots import Population, learn_population

RELAXED = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


def log_of(frames):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what the door has to say is not the matter here
        return CustomerLog(**frames, observed_until="2030-01-01", engine=DuckDBEngine(threads=1))


def everything(log, population=None):
    """Return all features of a log, those on request and of a population too."""
    history = log.until(CUTOFF)
    on_request = [one for one in FEATURES if one.name in ON_REQUEST]
    return (*(population or Population()).features(history), *on_request)


@RELAXED
@given(logs(), st.integers(1, 12))
def test_parts_of_the_customers_add_up(frames, n_records):
    log = log_of(frames)
    features, history = everything(log), log.until(CUTOFF)
    whole = build(history, features, horizon=HORIZON)
    log.engine.rows_at_once = n_records
    pd.testing.assert_frame_equal(build(history, features, horizon=HORIZON), whole, check_exact=True)


@pytest.mark.parametrize("name", [int, lambda number: f"Ärger's “{number % 7}” {number}"])
def test_parts_hold_every_customer_once(name):
    ids = [name(number) for number in range(200)]
    frame = pd.DataFrame({"customer_id": ids * 3, "timestamp": ["2024-01-01"] * 600, "amount": 1.0})
    history = CustomerLog(transactions=frame, observed_until=CUTOFF).until(CUTOFF)
    parts = history.parts(100)
    assert len(parts) == 6
    held = [
        row[0]
        for part in parts
        for row in part.engine.rows(
            f"SELECT DISTINCT customer_id FROM ({part.relation('transactions')}) ORDER BY 1", part.values
        )
    ]
    assert held == sorted(ids)
    assert history.parts(600) == [history]


def test_a_customer_with_most_of_the_records_makes_fewer_parts():
    frame = pd.DataFrame(
        {"customer_id": [1] * 90 + [2] * 10, "timestamp": ["2024-01-01"] * 100, "amount": 1.0}
    )
    history = CustomerLog(transactions=frame).until("2024-01-01")
    assert 1 <= len(history.parts(10)) <= 3


def test_what_was_built_in_parts_is_dropped_afterwards():
    frame = pd.DataFrame({"customer_id": range(50), "timestamp": ["2024-01-01"] * 50, "amount": 1.0})
    log = CustomerLog(transactions=frame)
    log.engine.rows_at_once = 10
    history, before = log.until("2024-01-01"), log.engine.table_names()
    with matrix(history, features_for(history), horizon=9) as (sql, values):
        assert len(log.engine.rows(sql, values)) == 50
        assert log.engine.table_names() != before
    assert log.engine.table_names() == before


@RELAXED
@given(logs(), st.sets(st.integers(0, 300), min_size=1, max_size=4))
def test_several_cutoffs_at_once_equal_one_each(frames, ages):
    log = log_of(frames)
    bought = frames["transactions"].loc[frames["transactions"]["amount"] >= 0, "timestamp"]
    first = max(log.first_day, bought.min().date()) if len(bought) else log.first_day
    cutoffs = tuple(sorted({max(first, CUTOFF - dt.timedelta(days=age)) for age in ages}, reverse=True))
    population = learn_population(log.until(max(first, CUTOFF)))
    features = everything(log, population)
    with population.readable_in(log.engine):
        try:
            each = [build(log.until(cutoff), features, horizon=HORIZON) for cutoff in cutoffs]
        except DataError:
            with pytest.raises(DataError, match="choose another cutoff"):
                build_each(Histories(log.engine, cutoffs, log.kinds), features, horizon=HORIZON)
            return
        found = build_each(Histories(log.engine, cutoffs, log.kinds), features, horizon=HORIZON)
    for together, alone in zip(found, each, strict=True):
        pd.testing.assert_frame_equal(together, alone, check_exact=True)
