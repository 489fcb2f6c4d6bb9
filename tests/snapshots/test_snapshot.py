"""Snapshots: published numbers, the rival's numbers, and outcomes that are facts."""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import pytest

from habitue.errors import DataError, SettingsError
from habitue.features import FEATURES
from habitue.records import CustomerLog, datasets
from habitue.snapshots import Window, stack, take_snapshot, training_cutoffs


@pytest.fixture(scope="module")
def log():
    return datasets.cdnow(sample=True)


@pytest.fixture
def summary():
    """Import the rival's summary without what its import does to others (it sets a pandas option)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = pd.options.mode.chained_assignment
        from lifetimes.utils import summary_data_from_transaction_data

        yield summary_data_from_transaction_data
        pd.options.mode.chained_assignment = before


@pytest.mark.parametrize("sample", [True, False])
def test_the_four_equal_those_of_lifetimes_on_cdnow(summary, sample):
    log = datasets.cdnow(sample=sample)
    frame = log.engine.frame(
        "SELECT customer_id, timestamp, CAST(amount AS DOUBLE) AS amount FROM transactions"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = summary(
            frame, "customer_id", "timestamp", "amount", observation_period_end="1997-09-30", freq="D"
        ).sort_index()
    ours = take_snapshot(log, Window("1997-09-30", 273), features=()).X
    assert list(ours.index) == list(theirs.index)
    for name in ("frequency", "recency", "T"):
        np.testing.assert_array_equal(ours[name], theirs[name])
    np.testing.assert_allclose(ours["monetary_value"], theirs["monetary_value"], rtol=1e-12)


@pytest.mark.data
def test_the_published_summary_of_cdnow_matches_exactly(shared_data, log):
    path = shared_data / "data" / "cdnow" / "cdnow_customers_summary.csv.gz"
    if not path.is_file():
        pytest.skip("the published summary of CDNOW is not here")
    published = pd.read_csv(path).sort_values("ID")
    ours = take_snapshot(log, Window("1997-09-30", 273)).X
    assert len(ours) == len(published) == 2357
    np.testing.assert_array_equal(ours.index, published["ID"])
    np.testing.assert_array_equal(ours["frequency"], published["frequency"])
    np.testing.assert_array_equal((ours["recency"] / 7).round(2), published["recency"])
    np.testing.assert_array_equal((ours["T"] / 7).round(2), published["T"])


def test_outcomes_are_facts_about_the_interval(log):
    snapshot = take_snapshot(log, Window("1997-09-30", 273))
    y = snapshot.y
    assert y is snapshot.outcomes
    assert list(y.columns) == ["n_purchases", "spend", "churned"]
    assert int(y["n_purchases"].sum()) == 1882
    assert (y["churned"] == (y["n_purchases"] == 0)).all()
    assert y["churned"].dtype == bool
    assert y["n_purchases"].dtype == np.dtype("int64")
    pd.testing.assert_index_equal(y.index, snapshot.X.index)
    frame = log.engine.frame(
        "SELECT customer_id, timestamp, CAST(amount AS DOUBLE) AS amount FROM transactions"
    )
    after = frame[frame["timestamp"] > "1997-09-30"]
    np.testing.assert_allclose(
        y["spend"], after.groupby("customer_id")["amount"].sum().reindex(y.index).fillna(0)
    )


def _log(days, amounts=None, **settings):
    frame = pd.DataFrame({"customer_id": 1, "timestamp": days, "amount": amounts or [1.0] * len(days)})
    return CustomerLog(transactions=frame, **settings)


def test_the_interval_is_open_at_the_cutoff_and_closed_at_the_end():
    log = _log(["2024-01-01", "2024-01-10", "2024-01-11", "2024-01-20", "2024-01-21"])
    snapshot = take_snapshot(log, Window("2024-01-10", 10))
    assert snapshot.X.loc[1, "frequency"] == 1
    assert snapshot.y.loc[1, "n_purchases"] == 2


def test_a_return_is_no_purchase_but_takes_its_money_back():
    log = _log(["2024-01-01", "2024-01-05", "2024-01-06", "2024-01-07"], [10, -4, 0, 7])
    y = take_snapshot(log, Window("2024-01-01", 5)).y
    assert tuple(y.loc[1]) == (1, -4.0, False)
    y = take_snapshot(log, Window("2024-01-01", 4)).y
    assert tuple(y.loc[1]) == (0, -4.0, True)


def test_y_is_unknown_where_the_window_passes_the_log():
    days = ["2024-01-01", "2024-01-31"]
    assert take_snapshot(_log(days), Window("2024-01-01", 30)).y is not None
    snapshot = take_snapshot(_log(days), Window("2024-01-01", 31))
    assert snapshot.y is None
    with pytest.raises(
        DataError, match=r"What happens in \(2024-01-01, 2024-02-01\] is not known yet.*earlier cutoff"
    ):
        _ = snapshot.outcomes
    assert take_snapshot(_log(days, observed_until="2024-02-01"), Window("2024-01-01", 31)).y is not None


@pytest.mark.parametrize(
    ("cutoff", "told"),
    [
        ("1996-12-31", r"before the first record \(1997-01-01\).*from 1997-01-01 to 1998-06-30"),
        ("1998-07-01", r"after the last day of the log \(1998-06-30\).*observed_until='1998-07-01'"),
    ],
)
def test_a_cutoff_outside_the_log_is_told_with_the_way_out(log, cutoff, told):
    with pytest.raises(DataError, match=told):
        take_snapshot(log, Window(cutoff, 30))


def test_one_customer_and_one_purchase_are_enough():
    snapshot = take_snapshot(_log(["2024-01-01"]), Window("2024-01-01", 30))
    assert snapshot.X.shape == (
        1,
        len(take_snapshot(_log(["2024-01-01"]), Window("2024-01-01", 3)).X.columns),
    )
    assert snapshot.X.loc[1, ["frequency", "recency", "T", "monetary_value"]].tolist() == [0, 0, 0, 0]


def test_features_are_chosen_by_name_and_the_four_are_always_there(log):
    X = take_snapshot(log, Window("1997-09-30", 30), features=["gap_cv", FEATURES[4], "T"]).X
    assert list(X.columns) == ["frequency", "recency", "T", "monetary_value", "gap_cv", "inactivity"]
    with pytest.raises(SettingsError, match=r"There is no feature luck. Known are: frequency, recency"):
        take_snapshot(log, Window("1997-09-30", 30), features=["luck"])


def test_records_after_the_cutoff_leave_x_bit_for_bit():
    log = datasets.cdnow(sample=True)
    frame = log.engine.frame(
        "SELECT customer_id, timestamp, CAST(amount AS DOUBLE) AS amount FROM transactions"
    )
    early = CustomerLog(transactions=frame[frame["timestamp"] <= "1997-09-30"])
    window = Window("1997-09-30", 30)
    pd.testing.assert_frame_equal(
        take_snapshot(early, window).X, take_snapshot(log, window).X, check_exact=True
    )


def test_stacked_snapshots_keep_their_cutoffs(log):
    parts = [take_snapshot(log, Window(day, 90), features=()) for day in ("1997-06-30", "1997-09-30")]
    whole = stack(parts)
    assert whole.window == parts[1].window
    assert whole.X.index.names == ["cutoff", "customer_id"]
    assert whole.X.index.is_unique
    pd.testing.assert_index_equal(whole.X.index, whole.y.index)
    pd.testing.assert_frame_equal(whole.X.loc[dt.date(1997, 6, 30)], parts[0].X)
    with pytest.raises(SettingsError, match="nothing to stack"):
        stack([])
    with pytest.raises(DataError, match="not known yet"):
        stack([parts[0], take_snapshot(log, Window("1998-06-30", 90))])


@pytest.mark.parametrize(("n_cutoffs", "step"), [(1, None), (4, None), (3, 30), (50, 7)])
def test_training_cutoffs_end_before_the_window_begins(log, n_cutoffs, step):
    window = Window("1998-03-31", 90)
    cutoffs = training_cutoffs(log, window, n_cutoffs=n_cutoffs, step=step)
    assert cutoffs == sorted(set(cutoffs))
    assert 1 <= len(cutoffs) <= n_cutoffs
    assert cutoffs[-1] == dt.date(1997, 12, 31)
    assert all(Window(day, 90).end <= window.cutoff for day in cutoffs)
    assert all(take_snapshot(log, Window(day, 90), features=()).y is not None for day in cutoffs[:3])


def test_a_log_too_short_to_learn_from(log):
    assert training_cutoffs(log, Window("1997-06-30", 170)) == [dt.date(1997, 1, 11)]
    with pytest.raises(
        DataError, match=r"begins on 1997-01-01: too late to learn .* Choose a shorter horizon"
    ):
        training_cutoffs(log, Window("1997-06-30", 273))
    with pytest.raises(SettingsError, match="n_cutoffs and step must be 1 or more"):
        training_cutoffs(log, Window("1997-06-30", 30), n_cutoffs=0)
