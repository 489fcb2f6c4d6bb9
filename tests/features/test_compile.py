"""Features: equal to an independent oracle, and true to the laws that any feature has to obey."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from habitue.errors import DataError, SettingsError
from habitue.features import FEATURES, Feature, build, feature, features_for, statement
from habitue.records import CustomerLog, DuckDBEngine, datasets, read_log

START = dt.datetime(2023, 11, 1)
INSTANTS = st.integers(0, 500 * 24).map(lambda hours: START + dt.timedelta(hours=hours))
AMOUNTS = st.one_of(st.just(0), st.integers(-5000, 500000)).map(lambda cents: Decimal(cents) / 100)
PURCHASES = st.lists(st.tuples(st.integers(1, 5), INSTANTS, AMOUNTS), min_size=1, max_size=40)
EVENTS = st.lists(
    st.tuples(st.integers(1, 6), INSTANTS, st.sampled_from(["visit", "call", "share"])),
    min_size=1,
    max_size=20,
)
CUTOFF, HORIZON = dt.date(2024, 9, 30), 45
RELAXED = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
MONEY = [one.name for one in FEATURES if one.unit == "money"]


def _frames(purchases, events):
    buys = pd.DataFrame(purchases, columns=["customer_id", "timestamp", "amount"])
    acts = pd.DataFrame(events, columns=["customer_id", "timestamp", "event"])
    return buys, acts


def _build(buys, acts=None, *, cutoff=CUTOFF, horizon=HORIZON):
    log = CustomerLog(
        transactions=buys, events=acts, observed_until="2030-01-01", engine=DuckDBEngine(threads=1)
    )
    return build(log.until(cutoff), features_for(log.kinds), horizon=horizon)


def _known(buys):
    """Whether somebody bought by the cutoff."""
    return ((buys["timestamp"] < "2024-10-01") & (buys["amount"] >= 0)).any()


def _assert_equal(found, expected):
    assert list(found.index) == list(expected.index)
    np.testing.assert_allclose(found, expected[found.columns], rtol=1e-12, atol=1e-12)


@RELAXED
@given(PURCHASES, EVENTS)
def test_features_equal_the_oracle(oracle, purchases, events):
    buys, acts = _frames(purchases, events)
    assume(_known(buys))
    _assert_equal(_build(buys, acts), oracle(buys, acts, CUTOFF, HORIZON))


def test_features_of_cdnow_equal_the_oracle(oracle):
    log = datasets.cdnow(sample=True)
    frame = log.engine.frame(
        "SELECT customer_id, timestamp, CAST(amount AS VARCHAR) AS amount FROM transactions"
    )
    found = build(log.until("1997-09-30"), features_for(log.kinds), horizon=273)
    _assert_equal(found, oracle(frame, None, "1997-09-30", 273))


@pytest.mark.data
def test_features_of_online_retail_equal_the_oracle(oracle, shared_data):
    path = shared_data / "data" / "online_retail" / "online_retail.parquet"
    if not path.is_file():
        pytest.skip("the Online Retail data are not here")
    with pytest.warns(
        UserWarning, match="135,080 of 541,909 rows of transactions were set aside: customer_id is missing"
    ):
        log = read_log(path, customer_id="CustomerID", timestamp="InvoiceDate", amount="Quantity * UnitPrice")
    assert log.n_customers == 4372
    found = build(log.until("2011-09-09"), features_for(log.kinds), horizon=91)
    frame = log.engine.frame(
        "SELECT customer_id, timestamp, CAST(amount AS VARCHAR) AS amount FROM transactions WHERE customer_id % 10 = 0"  # noqa: E501
    )
    expected = oracle(frame, None, "2011-09-09", 91)
    _assert_equal(found[found.index % 10 == 0], expected)


@RELAXED
@given(PURCHASES, EVENTS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(purchases, events, random):
    buys, acts = _frames(purchases, events)
    assume(_known(buys))
    before = _build(buys, acts)
    random.shuffle(purchases)
    random.shuffle(events)
    pd.testing.assert_frame_equal(_build(*_frames(purchases, events)), before, check_exact=True)


@RELAXED
@given(PURCHASES, EVENTS, PURCHASES)
def test_the_future_changes_nothing(purchases, events, later):
    buys, acts = _frames(purchases, events)
    assume(_known(buys))
    after = [(who, dt.datetime(2024, 10, 1) + (when - START), amount) for who, when, amount in later]
    calls = [(who, when, "call") for who, when, _ in after]
    pd.testing.assert_frame_equal(
        _build(*_frames(purchases + after, events + calls)), _build(buys, acts), check_exact=True
    )


@RELAXED
@given(PURCHASES, EVENTS)
def test_a_row_depends_on_nobody_else(purchases, events):
    buys, acts = _frames(purchases, events)
    assume(_known(buys))
    everybody = _build(buys, acts)
    for customer in everybody.index:
        mine = buys[buys["customer_id"] == customer]
        alone = _build(mine, acts)
        pd.testing.assert_frame_equal(alone, everybody.loc[[customer]], check_exact=True)


@RELAXED
@given(PURCHASES, EVENTS, st.sampled_from([2, 100, Decimal("0.5")]))
def test_another_currency_scales_money_alone(purchases, events, rate):
    buys, acts = _frames(purchases, events)
    assume(_known(buys))
    before, after = _build(buys, acts), _build(buys.assign(amount=buys["amount"] * rate), acts)
    np.testing.assert_allclose(after[MONEY], before[MONEY] * float(rate), rtol=1e-12)
    others = [name for name in before.columns if name not in MONEY]
    np.testing.assert_allclose(after[others], before[others], rtol=1e-12)


@RELAXED
@given(PURCHASES, EVENTS, st.integers(-400, 400))
def test_another_calendar_changes_weekends_alone(purchases, events, shift):
    buys, acts = _frames(purchases, events)
    assume(_known(buys))
    moved = dt.timedelta(days=shift)
    after = _build(
        buys.assign(timestamp=buys["timestamp"] + moved), acts.assign(timestamp=acts["timestamp"] + moved),
        cutoff=CUTOFF + moved,
    )  # fmt: skip
    pd.testing.assert_frame_equal(
        after.drop(columns="weekend_share"),
        _build(buys, acts).drop(columns="weekend_share"),
        check_exact=True,
    )


def test_counts_of_nothing_are_zero_and_all_else_is_missing():
    buys, acts = _frames([(1, dt.datetime(2024, 9, 1), 5)], [(2, dt.datetime(2024, 9, 1), "call")])
    row = _build(buys, acts).loc[1]
    missing = {
        "inactivity_ratio",
        "gap_mean",
        "gap_max",
        "gap_last",
        "gap_cv",
        "gap_geometric_mean",
        "days_since_event",
    }
    assert set(row.index[row.isna()]) == missing
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


def test_what_the_log_lacks_is_refused(cdnow_log):
    history = cdnow_log.until("1997-09-30")
    with pytest.raises(
        SettingsError, match=r"days_since_event, n_event_kinds.* need events, which the log lacks"
    ):
        build(history, FEATURES, horizon=30)
    with pytest.raises(SettingsError, match="No feature was asked for"):
        build(history, (), horizon=30)
    by_channel = Feature("returns_share", "transactions", "COUNT(DISTINCT channel)")
    with pytest.raises(
        SettingsError, match=r"'returns_share' needs channel of transactions, which the log lacks"
    ):
        build(history, [by_channel], horizon=30)


def test_a_log_of_contracts_has_no_purchases_to_describe():
    log = CustomerLog(
        contracts=pd.DataFrame({"customer_id": [1], "started_at": ["2024-01-01"], "price": [5]})
    )
    with pytest.raises(SettingsError, match="the log has no transactions; it has contracts"):
        build(log.until("2024-01-01"), FEATURES[:4], horizon=30)


def test_returns_alone_make_nobody_a_customer():
    log = CustomerLog(
        transactions=pd.DataFrame({"customer_id": [1], "timestamp": ["2024-01-01"], "amount": [-5]})
    )
    with pytest.raises(DataError, match="Nobody had bought anything by 2024-01-01; choose a later cutoff"):
        build(log.until("2024-01-01"), FEATURES[:4], horizon=30)


def test_a_single_feature_of_another_relation_is_built_alone(cdnow_log):
    share = next(one for one in FEATURES if one.name == "returns_share")
    assert list(build(cdnow_log.until("1997-09-30"), [share], horizon=30).columns) == ["returns_share"]


def test_the_statement_reads_each_kind_of_record_once(cdnow_log):
    sql = statement(cdnow_log.until("1997-09-30"), features_for(("transactions",)))
    assert sql.count("FROM transactions WHERE day <= $cutoff") == 1


def test_a_feature_of_ones_own_is_one_function(cdnow_log):
    @feature("visits")
    def spend_max() -> str:
        """Largest purchase, and at least 1."""
        return "GREATEST(MAX(amount), 1)"

    found = build(cdnow_log.until("1997-09-30"), [spend_max], horizon=30)
    assert found["spend_max"].min() == 1.0
