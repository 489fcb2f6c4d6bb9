"""Every feature of every kind of record at once: equal to an oracle without SQL, and true to the laws.

The future changes nothing, nor does the order of rows, nor other people's records; another currency scales
money alone, another calendar changes what speaks of the calendar alone, and what was recorded late counts
from then on.
"""

from __future__ import annotations

import datetime as dt
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from known import WHEN
from logs import CUTOFF, HORIZON, logs
from oracle import expected

from habitue.features import FEATURES, ON_REQUEST, build, features_for
from habitue.features.perceived_value import return_reason_features
from habitue.records import CustomerLog, DuckDBEngine

RELAXED = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
CALENDAR = {"weekend_share", "season_share", "cutoff_day_of_year", "acquired_month"}
MONEY = {one.name for one in FEATURES if one.unit == "money"}


def build_all(frames, cutoff=CUTOFF):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what the door has to say is not the matter here
        log = CustomerLog(**frames, observed_until="2030-01-01", engine=DuckDBEngine(threads=1))
    history = log.until(cutoff)
    on_request = [one for one in FEATURES if one.name in ON_REQUEST]
    reasons = return_reason_features(history, ["damaged", "too small"])
    return build(history, [*features_for(history), *reasons, *on_request], horizon=HORIZON)


def shuffled(frames, random):
    return {
        kind: frame.iloc[random.sample(range(len(frame)), len(frame))].reset_index(drop=True)
        for kind, frame in frames.items()
    }


def moved(frames, days):
    shift = dt.timedelta(days=days)
    return {
        kind: frame.assign(**{name: frame[name] + shift for name in frame if frame[name].dtype.kind == "M"})
        for kind, frame in frames.items()
    }


@RELAXED
@given(logs())
def test_features_equal_the_oracle(frames):
    found, told = build_all(frames), expected(frames, CUTOFF, HORIZON)
    assert list(found.index) == list(told.index)
    assert set(found.columns) <= set(told.columns)
    for name in found.columns:
        np.testing.assert_allclose(found[name], told[name], rtol=1e-9, atol=1e-9, err_msg=name)


@RELAXED
@given(logs(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(frames, random):
    pd.testing.assert_frame_equal(build_all(shuffled(frames, random)), build_all(frames), check_exact=True)


@RELAXED
@given(logs(), logs())
def test_the_future_changes_nothing(frames, later):
    """Later records of the same customers, in the kinds that the log has."""
    future = moved(later, (CUTOFF - dt.date(2023, 11, 1)).days + 1)
    both = {
        kind: pd.concat([frame, future[kind]], ignore_index=True) if kind in future else frame
        for kind, frame in frames.items()
    }
    pd.testing.assert_frame_equal(build_all(both), build_all(frames), check_exact=True)


@RELAXED
@given(logs())
def test_what_records_only_came_to_say_later_changes_nothing(frames):
    """Contracts that end, tickets that close and contacts answered after the cutoff were open then."""
    after = pd.Timestamp(CUTOFF) + pd.Timedelta(days=1)
    open_then = {}
    for kind, frame in frames.items():
        frame = frame.copy()
        for end in ("ended_at", "closed_at", "first_response_at", "responded_at"):
            if end in frame:
                frame[end] = frame[end].where(frame[end] < after)
                if kind == "contracts":
                    frame["ended_reason"] = frame["ended_reason"].where(frame["ended_at"].notna(), None)
                if end == "closed_at":
                    for flag in ("escalated", "reopened"):
                        frame[flag] = frame[flag].where(frame[end].notna(), pd.NA)
        open_then[kind] = frame
    pd.testing.assert_frame_equal(build_all(open_then), build_all(frames), check_exact=True)


@RELAXED
@given(logs())
def test_a_row_depends_on_nobody_else(frames):
    everybody_there = build_all(frames)
    for customer in everybody_there.index:
        # Kinds of which the customer has no record stay in the log, as somebody else's.
        alone = {
            kind: frame.assign(customer_id=frame["customer_id"].where(frame["customer_id"] == customer, 99))
            for kind, frame in frames.items()
        }
        pd.testing.assert_frame_equal(
            build_all(alone).loc[[customer]], everybody_there.loc[[customer]], check_exact=True
        )


@RELAXED
@given(logs(), st.sampled_from([Decimal(2), Decimal(100), Decimal("0.5")]))
def test_another_currency_scales_money_alone(frames, rate):
    names = {"amount", "list_price", "discount", "margin", "price", "termination_fee", "cost"}
    dearer = {
        kind: frame.assign(
            **{
                name: frame[name].map(lambda value: value * rate, na_action="ignore")
                for name in names & set(frame)
            }
        )
        for kind, frame in frames.items()
    }
    before, after = build_all(frames), build_all(dearer)
    for name in before.columns:
        factor = float(rate) if name in MONEY else 1.0
        np.testing.assert_allclose(after[name], before[name] * factor, rtol=1e-9, atol=1e-9, err_msg=name)


@RELAXED
@given(logs(), st.integers(-400, 400))
def test_another_calendar_changes_what_speaks_of_it_alone(frames, days):
    before = build_all(frames)
    after = build_all(moved(frames, days), CUTOFF + dt.timedelta(days=days))
    same = [name for name in before.columns if name not in CALENDAR]
    pd.testing.assert_frame_equal(after[same], before[same], check_exact=True)


@RELAXED
@given(logs(), st.randoms(use_true_random=False))
def test_a_late_record_counts_once_it_was_known(frames, random):
    """Half of the records were known only after the cutoff: as if they were not there."""
    late, kept = {}, {}
    for kind, frame in frames.items():
        is_late = pd.Series([random.random() < 0.5 and place > 0 for place in range(len(frame))])
        when = WHEN.get(kind, "timestamp")
        if when is None:
            late[kind] = kept[kind] = frame
            continue
        known_at = frame[when]
        late[kind] = frame.assign(
            recorded_at=known_at.where(~is_late, pd.Timestamp(CUTOFF) + pd.Timedelta("1D"))
        )
        kept[kind] = late[kind][~is_late].reset_index(drop=True)
    kept = {kind: frame for kind, frame in kept.items() if len(frame)}
    found, wanted = build_all(late), build_all(kept)
    shared = [name for name in wanted.columns if name in found.columns]
    pd.testing.assert_frame_equal(found[shared], wanted[shared], check_exact=True)
