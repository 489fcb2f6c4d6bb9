"""Stability of reasons: 1 where the model cannot change, low where it can, and sums that are exact."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator

from habitue.decisions.stability import LEVELS, importance_by_pillar, reason_stability
from habitue.errors import DataError, SettingsError
from habitue.models import BoostedChurnClassifier

NAMES = ["inactivity", "frequency", "gap_mean", "returns_share"]


def customers(n: int = 300, *, seed: int = 0) -> tuple[pd.DataFrame, npt.NDArray[np.float64]]:
    """Return customers whose silence tells whether they leave."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.uniform(0.0, 400.0, (n, 4)).round(1), columns=NAMES)
    X.index = pd.MultiIndex.from_arrays(
        [np.arange(n) % 2, np.arange(n) // 2], names=["cutoff", "customer_id"]
    )
    return X, (rng.uniform(0.0, 400.0, n) < X["inactivity"]).to_numpy(dtype=np.float64)


class Weighing(BaseEstimator):
    """A linear model; with `fixed` its weights are given, else they are noise that its rows decide."""

    def __init__(self, *, fixed: bool = True) -> None:
        self.fixed = fixed

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike | None = None) -> Self:
        seed = int(np.asarray(X.to_numpy().sum() * 10.0).round()) % 2**32
        self.weights_ = (
            np.arange(1.0, 5.0) if self.fixed else np.random.default_rng(seed).permutation(4) ** 8.0
        )
        self.seen_ = X.index
        return self

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        return X * self.weights_


def test_a_model_that_cannot_change_gives_the_same_reasons() -> None:
    X, y = customers()
    found = reason_stability(Weighing(), X, y, n_resamples=3)
    assert (found.overall[["jaccard", "lower", "upper", "shared"]] == 1.0).all(axis=None)
    assert (found.customers == 1.0).all(axis=None)
    assert found.customers.index.equals(X.index)
    assert list(found.customers) == [(level, k) for level in LEVELS for k in (1, 2, 3)]
    of_features = found.overall[found.overall["level"] == "feature"]
    assert (of_features["of_another"] < 1.0).all()


def test_reasons_that_depend_on_who_was_drawn_do_not_stay() -> None:
    X, y = customers()
    found = reason_stability(Weighing(fixed=False), X, y, n_resamples=30)
    first = found.overall[(found.overall["level"] == "feature") & (found.overall["top"] == 1)].iloc[0]
    # One of four features is drawn to weigh all, and one in four draws repeats it.
    assert first["jaccard"] == pytest.approx(0.25, abs=0.2)
    assert first["lower"] < first["jaccard"] < first["upper"]
    assert first["shared"] == pytest.approx(first["jaccard"])


def test_customers_are_drawn_whole() -> None:
    drawn: list[pd.Index] = []

    class Watching(Weighing):
        def fit(self, X: pd.DataFrame, y: npt.ArrayLike | None = None) -> Self:
            drawn.append(X.index)
            return super().fit(X, y)

    X, y = customers()
    reason_stability(Watching(), X, y, n_resamples=3)
    assert drawn[0].equals(X.index)
    for index in drawn[1:]:
        counts = index.value_counts()
        per_customer = counts.groupby(counts.index.get_level_values("customer_id")).agg(
            ["min", "max", "size"]
        )
        assert (per_customer["min"] == per_customer["max"]).all()
        assert (per_customer["size"] == 2).all()
        assert len(index) == len(X)


def test_strong_reasons_of_trees_stay_and_weak_ones_do_not() -> None:
    X, y = customers(600)
    model = BoostedChurnClassifier(n_estimators=20, min_child_samples=20, n_jobs=1)
    told = X.iloc[:100]
    found = reason_stability(model, X, y, told=told, n_resamples=4)
    jaccard = found.overall.set_index(["level", "top"])["jaccard"]
    assert jaccard["feature", 1] > 0.7  # silence is all there is
    assert jaccard["feature", 2] < jaccard["feature", 1]  # the second is noise
    assert jaccard["sentence", 1] <= jaccard["feature", 1] + 1e-12
    assert found.customers.index.equals(told.index)
    again = reason_stability(model, X, y, told=told, n_resamples=4)
    pd.testing.assert_frame_equal(again.overall, found.overall)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top": (0,)}, "from 1 to 3"),
        ({"top": (4,)}, "from 1 to 3"),
        ({"n_resamples": 1}, "2 or more"),
        ({"confidence": 1.0}, "between 0 and 1"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    X, y = customers()
    with pytest.raises(SettingsError, match=message):
        reason_stability(Weighing(), X, y, **changes)


def test_what_does_not_fit_is_said() -> None:
    X, y = customers()
    with pytest.raises(SettingsError, match="gives no reasons"):
        reason_stability(BaseEstimator(), X, y)
    with pytest.raises(DataError, match="one outcome for each of 300 rows"):
        reason_stability(Weighing(), X, y[:-1])
    with pytest.raises(DataError, match="no customer"):
        reason_stability(Weighing(), X, y, told=X.iloc[:0])


# ---- pillars ----


@given(seed=st.integers(0, 2**32), n=st.integers(1, 30))
@settings(max_examples=20)
def test_importance_is_the_mean_size_of_the_signed_sums(seed: int, n: int) -> None:
    moved = pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 4)), columns=NAMES)
    table = importance_by_pillar(moved, n_replicates=20).set_index("pillar")
    activity = (moved["inactivity"] + moved["frequency"]).abs().mean()
    assert table.loc["activity", "importance"] == pytest.approx(activity)
    assert table.loc["habit", "importance"] == pytest.approx(moved["gap_mean"].abs().mean())
    assert table["share"].sum() == pytest.approx(1.0)
    assert table["n_features"].sum() == 4
    assert table["importance"].is_monotonic_decreasing
    assert (table["lower"] <= table["upper"]).all()


def test_intervals_of_importance_shrink_with_customers_and_not_with_copies() -> None:
    rng = np.random.default_rng(0)
    few, many = (pd.DataFrame(rng.normal(size=(n, 4)), columns=NAMES) for n in (100, 10_000))
    width = [
        (found["upper"] - found["lower"]).sum()
        for found in (
            importance_by_pillar(few),
            importance_by_pillar(many),
            importance_by_pillar(pd.concat([few] * 9), customers=np.tile(np.arange(100), 9)),
        )
    ]
    assert width[1] < 0.2 * width[0]
    assert width[2] == pytest.approx(width[0], rel=1e-6)


def test_where_nothing_moves_the_prediction_no_pillar_has_a_share() -> None:
    table = importance_by_pillar(pd.DataFrame(0.0, index=range(5), columns=NAMES))
    assert (table[["importance", "share", "share_upper"]] == 0.0).all(axis=None)
    with pytest.raises(SettingsError, match="confidence"):
        importance_by_pillar(pd.DataFrame(0.0, index=range(5), columns=NAMES), confidence=0.0)
