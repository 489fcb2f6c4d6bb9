"""Rates per year become rates per day, one way only."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.errors import SettingsError
from habitue.numerics.discounting import DAYS_PER_YEAR, Discount

COMPOUNDINGS = ["annual", "monthly", "daily", "continuous"]


@given(rate=st.floats(-0.99, 5))
def test_a_year_of_compounding_by_hand(rate: float) -> None:
    times = {"annual": 1, "monthly": 12, "daily": DAYS_PER_YEAR}
    for compounding, n in times.items():
        want = n * math.log1p(rate / n)
        assert Discount(rate, compounding).per_year == pytest.approx(want, rel=1e-14)
    assert Discount(rate, "continuous").per_year == rate
    rates = [Discount(rate, compounding).per_year for compounding in COMPOUNDINGS]
    assert all(a <= b + 1e-15 for a, b in itertools.pairwise(rates))  # more often is more


@pytest.mark.parametrize("compounding", COMPOUNDINGS)
def test_periods_are_counted_in_days(compounding: str) -> None:
    discount = Discount(0.1, compounding)
    assert discount.per(1) == pytest.approx(discount.per_day, rel=1e-15)
    assert discount.per(7) == pytest.approx(7 * discount.per_day, rel=1e-15)
    assert discount.per(DAYS_PER_YEAR) == pytest.approx(discount.per_year, rel=1e-15)
    assert Discount(0.0, compounding).per_day == 0.0


def test_ten_percent_a_year_is_the_default_reading() -> None:
    assert math.exp(-Discount(0.1).per_year) == pytest.approx(1 / 1.1, rel=1e-15)


@pytest.mark.parametrize("rate", [-1.0, -3.0, math.nan, math.inf])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(SettingsError, match="above -1"):
        Discount(rate)


def test_an_unknown_compounding_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"'monthly'.*got 'weekly'"):
        Discount(0.1, "weekly")
