"""Profiles: what a training saw, in few numbers, however the table came."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import DataError, SchemaError
from habitue.numerics.quantile_bins import compressed, in_bins, quantile_bins
from habitue.records.datasets import cdnow
from habitue.snapshots import Window, stack, take_snapshot
from habitue.snapshots.profile import Profile

values = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-1e12, 1e12, allow_subnormal=False)),
    min_size=1,
    max_size=400,
)


def unique(one: list[float]) -> tuple[Any, Any]:
    return np.unique(np.array(one) + 0.0, return_counts=True)


@given(values)
def test_bins_hold_everything_once_and_are_few(one: list[float]) -> None:
    distinct, counts = unique(one)
    edges = quantile_bins(distinct, counts)
    tally = in_bins(np.array(one), edges)
    assert 1 <= len(edges) <= 20
    assert (np.diff(edges) > 0).all()
    assert edges[-1] == max(one)
    assert tally.sum() == len(one)
    assert (tally > 0).all()


@given(values)
def test_what_a_tenth_shares_has_its_own_bin(one: list[float]) -> None:
    distinct, counts = unique(one)
    tally = in_bins(np.array(one), quantile_bins(distinct, counts))
    for n in counts[counts * 10 >= len(one)]:
        assert n in tally


def test_bins_of_a_smooth_law_are_equally_full() -> None:
    drawn = np.random.default_rng(1).normal(size=100_000)
    tally = in_bins(drawn, quantile_bins(*unique(list(drawn))))
    assert len(tally) == 20
    np.testing.assert_allclose(tally, 5_000, atol=1)


@given(values, st.integers(8, 50))
def test_compression_keeps_the_count_and_moves_quantiles_little(one: list[float], most: int) -> None:
    distinct, counts = unique(one)
    kept, weights = compressed(distinct, counts, most)
    assert len(kept) <= max(most, 4)
    assert weights.sum() == len(one)
    for value in kept:
        exact, found = counts[distinct <= value].sum(), weights[kept <= value].sum()
        assert exact == found
    heavy = distinct[counts * most > 4 * len(one)]
    assert set(heavy) <= set(kept)


def table(n: int = 3_000, seed: int = 0) -> pd.DataFrame:
    """Make a table with every kind of column that a model may learn from."""
    rng = np.random.default_rng(seed)
    spend = rng.gamma(2.0, 30.0, n)
    spend[rng.uniform(size=n) < 0.3] = np.nan
    return pd.DataFrame(
        {
            "frequency": rng.poisson(0.8, n).astype(float),
            "spend_mean": spend,
            "is_member": pd.array(rng.uniform(size=n) < 0.2, dtype="boolean"),
            "nothing": np.nan,
            "always": 7.0,
            "plan": pd.Categorical(rng.choice([f"p{i}" for i in range(25)], n)),
        },
        index=[f"c{i}" for i in range(n)],
    )


def test_a_profile_says_what_pandas_says() -> None:
    X = table()
    profile = Profile.of(X, cutoff=date(2024, 12, 31))
    assert (profile.n, profile.n_customers, list(profile.columns)) == (3_000, 3_000, list(X.columns))
    for name, one in profile.columns.items():
        assert one.missing == pytest.approx(X[name].isna().mean())
        assert sum(one.tally) == X[name].notna().sum()
    spend, plan = profile.columns["spend_mean"], profile.columns["plan"]
    assert (spend.minimum, spend.maximum) == (X["spend_mean"].min(), X["spend_mean"].max())
    assert (spend.integers, profile.columns["frequency"].integers) == (False, True)
    assert plan.levels is not None
    assert len(plan.levels) == 19
    assert plan.tally[0] == (X["plan"] == plan.levels[0]).sum()
    assert plan.tally[-1] == (~X["plan"].isin(plan.levels)).sum()
    assert profile.columns["nothing"].tally == ()
    assert math.isnan(profile.columns["nothing"].maximum)
    assert profile.columns["always"].tally == (3_000,)
    np.testing.assert_array_equal(spend.counts(X["spend_mean"]), spend.tally)


@pytest.mark.parametrize("size", [1, 700, 5_000])
def test_parts_do_not_show(size: int) -> None:
    X = table()
    parts = [X.iloc[i : i + size] for i in range(0, len(X), size)] if size > 1 else [X, X.iloc[:0]]
    assert Profile.of_batches(lambda: parts) == Profile.of(X)


def test_many_distinct_values_in_parts_have_nearly_the_same_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("habitue.snapshots.column_profile._EXACT", 2_000)
    X = pd.DataFrame({"spend": np.random.default_rng(2).gamma(0.5, 50.0, 60_000)})
    parts = [X.iloc[i : i + 6_000] for i in range(0, 60_000, 6_000)]
    exact, near = Profile.of(X).columns["spend"], Profile.of_batches(lambda: parts).columns["spend"]
    assert (near.minimum, near.maximum, sum(near.tally)) == (exact.minimum, exact.maximum, 60_000)
    np.testing.assert_allclose(near.shares[:-1], 0.05, atol=0.02)
    np.testing.assert_array_equal(near.counts(X["spend"]), near.tally)


def test_another_table_in_the_same_bins() -> None:
    X, other = table(), table(500, seed=3)
    profile = Profile.of(X)
    now = profile.refilled([other.iloc[:100], other.iloc[100:]], cutoff=date(2025, 1, 31))
    assert (now.n, now.cutoff) == (500, date(2025, 1, 31))
    for name, one in now.columns.items():
        assert one.edges == profile.columns[name].edges
        np.testing.assert_array_equal(profile.columns[name].counts(other[name]), one.tally)
    assert profile.refilled([X]).columns == profile.columns
    assert "always" not in profile.refilled([X, X.drop(columns="always")]).columns


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60))
@settings(max_examples=40)
def test_text_holds_all_of_it(one: list[float]) -> None:
    profile = Profile.of(pd.DataFrame({"a": one}, dtype="float64"), cutoff=date(2024, 2, 29))
    text = profile.to_json()
    again = Profile.from_json(text)
    assert again.to_json() == text
    assert json.loads(text)["columns"]["a"]["n_infinite"] == sum(math.isinf(value) for value in one)
    assert "NaN" not in text
    assert "Infinity" not in text
    assert (again.n, again.cutoff) == (len(one), date(2024, 2, 29))
    assert again.columns["a"].tally == profile.columns["a"].tally


def test_a_stack_says_its_last_cutoff_and_base() -> None:
    log = cdnow(sample=True)
    cutoffs = [date(1997, 3, 1), date(1997, 3, 31)]
    snapshots = [take_snapshot(log, Window(one, 60), ["inactivity"]) for one in cutoffs]
    profile = Profile.of(stack(snapshots).X)
    assert profile.cutoff == cutoffs[1]
    assert profile.n_customers == len(snapshots[1].X)
    assert profile.n == sum(len(one.X) for one in snapshots)


@pytest.mark.parametrize(
    "column",
    [["1.5", "2"], pd.to_datetime(["2024-01-01", None]), pd.to_timedelta([1, 2]), [1j, 2.0], [{}, 1]],
)
def test_what_is_no_number_is_refused(column: Any) -> None:
    with pytest.raises(SchemaError, match="should hold numbers"):
        Profile.of(pd.DataFrame({"a": column}))
    with pytest.raises(SchemaError, match="should hold"):
        Profile.of(pd.DataFrame({"a": [1.0, 2.0]})).refilled([pd.DataFrame({"a": column})])


def test_numbers_are_no_categories_and_text_is() -> None:
    profile = Profile.of(pd.DataFrame({"plan": pd.Categorical(["a", "b", None])}))
    with pytest.raises(SchemaError, match="categories"):
        profile.columns["plan"].counts(np.array([1.0]))
    assert profile.columns["plan"].counts(pd.Series(["b", "c", None])).tolist() == [0, 1, 1]


def test_columns_are_there_once() -> None:
    with pytest.raises(SchemaError, match="twice: a"):
        Profile.of(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "no", '{"n":1,"n_customers":1,"cutoff":null,"columns":{"a":{}}}']
)
def test_other_text_is_no_profile(text: str) -> None:
    with pytest.raises(DataError, match=r"Profile\.of"):
        Profile.from_json(text)
    whole = Profile.of(pd.DataFrame({"a": [1.0, 2.0]})).to_json()
    with pytest.raises(DataError, match="count for each bin"):
        Profile.from_json(whole.replace('"tally":[1,1]', '"tally":[1]'))
