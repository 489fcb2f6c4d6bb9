"""What hazards alone can tell in one table: further horizons, causes, and days still to come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import SettingsError
from habitue.models import BoostedHazardModel
from habitue.models.hazard_answers import FURTHER, LIMIT

HORIZON = 91


def customers(n: int = 800, *, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return customers who leave by either of two causes, and how long each was seen."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {"unhappy": rng.integers(0, 3, n) * 1.0, "noise": rng.normal(size=n)},
        index=pd.Index([f"c{number:04d}" for number in range(n)], name="customer_id"),
    )
    chose, failed = rng.exponential(700.0 / (1.0 + X["unhappy"])), rng.exponential(1_500.0, n)
    seen_for = rng.uniform(30.0, 900.0, n)
    first = np.minimum(np.minimum(chose, failed), seen_for)
    event = np.where(first == seen_for, None, np.where(chose < failed, "voluntary", "involuntary"))
    return X, pd.DataFrame({"duration": first, "event": event}, index=X.index)


def small(X: pd.DataFrame, y: Any, **changes: Any) -> BoostedHazardModel:
    fixed = {"n_estimators": 15, "min_child_samples": 10, "early_stopping": False, "n_jobs": 1}
    return BoostedHazardModel(**(fixed | {"horizon": HORIZON} | changes)).fit(X, y)


@pytest.fixture(scope="module")
def base() -> tuple[pd.DataFrame, pd.DataFrame]:
    return customers()


@pytest.fixture(scope="module")
def competing(base: tuple[pd.DataFrame, pd.DataFrame]) -> BoostedHazardModel:
    return small(*base)


@pytest.fixture(scope="module")
def single(base: tuple[pd.DataFrame, pd.DataFrame]) -> BoostedHazardModel:
    X, y = base
    return small(X, y.assign(event=y["event"].notna()))


def test_it_tells_what_the_methods_tell_one_by_one(
    competing: BoostedHazardModel, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    X = base[0].head(200)
    told = competing.time_to_churn(X, entry=40.0)
    pd.testing.assert_index_equal(told.index, X.index)
    for days in FURTHER:
        expected = competing.predict_proba(X, horizon=days, entry=40.0)[:, 1]
        np.testing.assert_allclose(told[f"churn_probability_{days}d"], expected, rtol=0, atol=1e-12)
    for cause in ("voluntary", "involuntary"):
        expected = competing.cumulative_incidence(X, [HORIZON], cause=cause, entry=40.0)
        np.testing.assert_allclose(
            told[f"churn_probability_{cause}"], np.asarray(expected)[:, 0], rtol=0, atol=1e-12
        )
    lived = competing.expected_residual_lifetime(X, horizon=LIMIT, entry=40.0)
    np.testing.assert_allclose(told["expected_residual_lifetime_365d"], lived, rtol=1e-12)


@pytest.mark.parametrize("horizon", [None, 14, 200])
def test_causes_add_up_to_leaving_at_all(
    competing: BoostedHazardModel, base: tuple[pd.DataFrame, pd.DataFrame], horizon: int | None
) -> None:
    X = base[0].head(200)
    told = competing.time_to_churn(X, horizon=horizon, entry=0.0)
    by_cause = told[["churn_probability_voluntary", "churn_probability_involuntary"]].sum(axis=1)
    leaves = competing.predict_proba(X, horizon=horizon, entry=0.0)[:, 1]
    np.testing.assert_allclose(by_cause, leaves, rtol=0, atol=1e-12)


def test_of_one_cause_nothing_is_told_twice(
    single: BoostedHazardModel, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    told = single.time_to_churn(base[0].head(5), entry=0.0)
    assert list(told) == [
        "churn_probability_30d", "churn_probability_365d", "expected_residual_lifetime_365d",
    ]  # fmt: skip


def test_chances_and_days_agree(single: BoostedHazardModel, base: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Chances rise with time; the days lie between those of who leaves as late and as early as they allow."""
    X = base[0]
    told = single.time_to_churn(X, entry=100.0)
    soon, late = told["churn_probability_30d"], told["churn_probability_365d"]
    leaves = single.predict_proba(X, entry=100.0)[:, 1]
    assert ((soon > 0) & (soon <= leaves) & (leaves <= late) & (late < 1)).all()
    days = told["expected_residual_lifetime_365d"]
    assert (days >= 365.0 * (1.0 - late) + 30.0 * (late - soon)).all()
    assert (days <= 365.0 - (365.0 - 30.0) * soon).all()


def test_the_less_content_stay_for_fewer_days(
    single: BoostedHazardModel,
) -> None:
    told = single.time_to_churn(pd.DataFrame({"unhappy": [0.0, 2.0], "noise": 0.0}), entry=0.0)
    assert told["expected_residual_lifetime_365d"].is_monotonic_decreasing
    assert told["churn_probability_365d"].is_monotonic_increasing


def test_causes_keep_their_own_column_whatever_they_are_called(
    base: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    X, y = base
    names = {"voluntary": "too dear!", "involuntary": "too dear?"}
    told = small(X, y.assign(event=y["event"].map(names))).time_to_churn(X, entry=0.0)
    assert list(told)[2:4] == ["churn_probability_too_dear", "churn_probability_too_dear_"]
    numbers = small(X, y.assign(event=y["event"].map({"voluntary": 1, "involuntary": 2}).fillna(0)))
    assert "churn_probability_cause_2" in numbers.time_to_churn(X, entry=0.0)


def test_an_impossible_horizon_is_refused(
    single: BoostedHazardModel, base: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(SettingsError, match="horizon"):
        single.time_to_churn(base[0], horizon=0, entry=0.0)
