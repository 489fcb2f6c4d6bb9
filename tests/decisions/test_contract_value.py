"""What contracts bring, against a base that is drawn and followed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.decisions.contract_value import value_of_contracts
from habitue.decisions.value_at_stake import value_at_stake
from habitue.errors import DataError, SettingsError


@given(st.floats(0.0, 0.99), st.floats(0.0, 100.0), st.integers(1, 90), st.integers(0, 700))
def test_who_stays_brings_the_price_of_the_days_that_he_pays(
    p: float, price: float, horizon: int, more: int
) -> None:
    told = value_of_contracts([p], [price], horizon=horizon, value_days=horizon + more)
    assert horizon <= told.days <= horizon + more + 1e-9
    scores = pd.DataFrame({"churn_probability": [p], "clv": told.clv}, index=["a"])
    stakes = value_at_stake(scores, margin=0.5, leaver_share=told.leaver_share)
    assert stakes.value[0] == pytest.approx(0.5 * price * told.days)
    assert stakes.value[0] * told.leaver_share == pytest.approx(0.5 * price * horizon / 2)


def test_a_base_that_is_drawn_and_followed_pays_as_much() -> None:
    rng, horizon, value_days, p = np.random.default_rng(3), 30, 365, 0.1
    rate = -np.log1p(-p) / horizon
    left_after = rng.exponential(1.0 / rate, 400_000)
    paid = np.minimum(left_after, value_days)
    stays = left_after > horizon
    told = value_of_contracts([p], [1.0], horizon=horizon, value_days=value_days)
    assert told.days == pytest.approx(paid[stays].mean(), rel=0.005)
    # Who leaves does so a little before the middle of the horizon: at its middle where few leave.
    assert told.leaver_share * told.days == pytest.approx(paid[~stays].mean(), rel=0.03)
    assert told.clv[0] == pytest.approx(paid.mean(), rel=0.005)


def test_ends_of_the_range() -> None:
    assert value_of_contracts([0.0], [2.0], horizon=30, value_days=365).clv.tolist() == [730.0]
    assert value_of_contracts([1.0], [2.0], horizon=30, value_days=365).clv.tolist() == [30.0]
    assert value_of_contracts([], [], horizon=30, value_days=30).clv.size == 0


@pytest.mark.parametrize(
    ("p", "price", "value_days", "error", "match"),
    [
        ([0.1], [1.0, 2.0], 60, DataError, "Each customer"),
        ([1.1], [1.0], 60, DataError, "from 0 to 1"),
        ([np.nan], [1.0], 60, DataError, "from 0 to 1"),
        ([0.1], [-1.0], 60, DataError, "0 or more"),
        ([0.1], [1.0], 29, SettingsError, "value_days"),
    ],
)
def test_what_cannot_be_is_refused(
    p: list[float], price: list[float], value_days: int, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        value_of_contracts(p, price, horizon=30, value_days=value_days)
