"""Features: equal to an independent oracle, and true to the laws that any feature has to obey."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from oracle import expected

from habitue.errors import DataError, SettingsError
from habitue.features import FEATURES, Feature, build, feature, features_for, statement
from habitue.records import CustomerLog, DuckDBEngine, datasets, read_log

START = dt.datetime(2023, 11, 1)
CUTOFF, HORIZON = dt.date(2024, 9, 30), 45


def _frames(purchases, events):
    buys = pd.DataFrame(purchases, columns=["customer_id", "timestamp", "amount"])
    acts = pd.DataFrame(events, columns=["customer_id", "timestamp", "event"])
    return buys, acts


def _build(buys, acts=None, *, cutoff=CUTOFF, horizon=HORIZON):
    log = CustomerLog(
        transactions=buys, events=acts, observed_until="2030-01-01", engine=DuckDBEngine(threads=1)
    )
    history = log.until(cutoff)
    return build(history, features_for(history), horizon=horizon)


def _assert_equal(found, log, cutoff, horizon, chosen="TRUE"):
    frame = log.engine.frame(
        f"SELECT * EXCLUDE (day, amount), CAST(amount AS VARCHAR) AS amount FROM transactions WHERE {chosen}"
    )
    told = expected(
        {"transactions": frame.assign(amount=frame["amount"].map(Decimal))},
        dt.date.fromisoformat(cutoff),
        horizon,
    )
    assert list(found.index) == list(told.index)
    for name in found.columns:
        np.testing.assert_allclose(found[name], told[name], rtol=1e-9, atol=1e-9, err_msg=name)


def test_features_of_cdnow_equal_the_oracle():
    log = datasets.cdnow(sample=True)
    history = log.until("1997-09-30")
    _assert_equal(build(history, features_for(history), horizon=273), log, "1997-09-30", 273)


@pytest.mark.data
def test_features_of_online_retail_equal_the_oracle(shared_data):
    path = shared_data / "data" / "online_retail" / "online_retail.parquet"
    if not path.is_file():
        pytest.skip("the Online Retail data are not here")
    with pytest.warns(
        UserWarning, match="135,080 of 541,909 rows of transactions were set aside: customer_id is missing"
    ):
        log = read_log(path, customer_id="CustomerID", timestamp="InvoiceDate", amount="Quantity * UnitPrice")
    assert log.n_customers == 4372
    history = log.until("2011-09-09")
    found = build(history, features_for(history), horizon=91)
    _assert_equal(found[found.index % 10 == 0], log, "2011-09-09", 91, "customer_id % 10 = 0")


def test_counts_of_nothing_are_zero_and_all_else_is_missing():
    buys, acts = _frames([(1, dt.datetime(2024, 9, 1), 5)], [(2, dt.datetime(2024, 9, 1), "call")])
    row = _build(buys, acts).loc[1]
    missing = set(row.index[row.isna()])
    assert {"inactivity_ratio", "gap_mean", "gap_max", "gap_last", "gap_cv", "days_since_event"} <= missing
    assert not {one.name for one in FEATURES if one.unit == "count"} & missing
    assert row["n_event_kinds"] == row["n_events_365d"] == 0


def test_ids_of_events_are_matched_where_only_one_side_is_text():
    buys, acts = _frames(
        [(1, dt.datetime(2024, 9, 1), 5)], [("1", dt.datetime(2024, 9, 1), "a"), ("x", START, "b")]
    )
    assert _build(buys, acts).loc["1", "n_event_kinds"] == 1


def test_x_is_float_and_in_order_of_the_customer(cdnow_log):
    found = build(cdnow_log.until("1997-09-30"), FEATURES[:5], horizon=30)
    assert set(found.dtypes) == {np.dtype("float64")}
    assert found.index.is_monotonic_increasing
    assert found.index.is_unique
    assert list(found.columns) == [one.name for one in FEATURES[:5]]


@pytest.fixture(scope="module")
def cdnow_log():
    return datasets.cdnow(sample=True)


def test_of_no_features_there_are_the_customers_alone(cdnow_log):
    history = cdnow_log.until("1997-09-30")
    customers = build(history, (), horizon=30)
    assert customers.shape == (2357, 0)
    assert customers.index.equals(build(history, FEATURES[:1], horizon=30).index)


def test_what_the_log_lacks_is_refused(cdnow_log):
    history = cdnow_log.until("1997-09-30")
    with pytest.raises(
        SettingsError,
        match=r"days_since_event, n_event_kinds.* need .*events.*, which the log lacks; it has transactions",
    ):
        build(history, FEATURES, horizon=30)
    by_channel = Feature("returns_share", "transactions", "COUNT(DISTINCT channel)")
    with pytest.raises(
        SettingsError, match=r"'returns_share' needs channel of transactions, which the log lacks"
    ):
        build(history, [by_channel], horizon=30)


def test_a_log_of_contracts_describes_who_has_one():
    frame = pd.DataFrame(
        {
            "customer_id": [1, 2, 3],
            "started_at": ["2024-01-01", "2024-01-01", "2024-03-02"],
            "ended_at": [None, "2024-02-01", None],
            "price": [5, 5, 5],
        }
    )
    log = CustomerLog(contracts=frame)
    history = log.until("2024-03-01")
    found = build(history, features_for(history), horizon=30)
    assert list(found.index) == [1]
    assert found.loc[1, "n_contracts_active"] == 1
    with pytest.raises(
        SettingsError, match=r"frequency.* need transactions, which the log lacks; it has contracts"
    ):
        build(history, FEATURES[:4], horizon=30)
    with pytest.raises(DataError, match="Nobody had a contract by 2024-02-01; choose another cutoff"):
        build(
            CustomerLog(contracts=frame[1:2], observed_until="2024-03-01").until("2024-02-01"),
            features_for(history),
            horizon=30,
        )


def test_returns_alone_make_nobody_a_customer():
    log = CustomerLog(
        transactions=pd.DataFrame({"customer_id": [1], "timestamp": ["2024-01-01"], "amount": [-5]})
    )
    with pytest.raises(DataError, match="Nobody had bought anything by 2024-01-01; choose another cutoff"):
        build(log.until("2024-01-01"), FEATURES[:4], horizon=30)


def test_a_single_feature_of_another_relation_is_built_alone(cdnow_log):
    share = next(one for one in FEATURES if one.name == "returns_share")
    assert list(build(cdnow_log.until("1997-09-30"), [share], horizon=30).columns) == ["returns_share"]


def test_the_statement_reads_each_kind_of_record_once(cdnow_log):
    history = cdnow_log.until("1997-09-30")
    sql = statement(history, features_for(history))
    assert sql.count("FROM transactions WHERE day <= $cutoff") == 1


def test_a_feature_of_ones_own_is_one_function(cdnow_log):
    @feature("visits")
    def spend_max() -> str:
        """Largest purchase, and at least 1."""
        return "GREATEST(MAX(amount), 1)"

    found = build(cdnow_log.until("1997-09-30"), [spend_max], horizon=30)
    assert found["spend_max"].min() == 1.0
