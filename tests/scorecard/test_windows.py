"""Periods: months cover the whole of it once, and the period before ends where it begins."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.errors import SettingsError
from habitue.scorecard.windows import months_of, whole_period

DAYS = st.dates(date(2019, 1, 1), date(2025, 1, 1))


@given(DAYS, st.integers(1, 800))
def test_months_cover_each_day_once(start: date, n_days: int) -> None:
    whole = whole_period(start, start + timedelta(days=n_days))
    months = months_of(whole)
    assert (months[0].start, months[-1].end) == (whole.start, whole.end)
    for before, after in itertools.pairwise(months):
        assert before.end == after.start
    for month in months:
        first = month.start + timedelta(days=1)
        assert f"{first:%Y-%m}" == f"{month.end:%Y-%m}" == month.group
        is_whole = first.day == 1 and (month.end + timedelta(days=1)).day == 1
        assert bool(month.note) != is_whole
        length = (month.start - month.before).days
        # The month before a whole one is whole; others are as long.
        assert length == (month.start.day if is_whole else (month.end - month.start).days)
    assert (whole.start - whole.before).days == n_days


def test_a_period_needs_a_day() -> None:
    with pytest.raises(SettingsError, match="start must be before end"):
        whole_period(date(2024, 1, 1), date(2024, 1, 1))
