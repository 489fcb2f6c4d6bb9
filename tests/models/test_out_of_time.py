"""Folds: no customer on both sides, nothing learned that was not known, the same whoever else is there."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.models.out_of_time import Fold, out_of_time_folds

FIRST = date(2024, 1, 1)


def rows_of(days: list[int], customers: list[str]) -> pd.MultiIndex:
    cutoffs = [FIRST + timedelta(days=day) for day in days]
    return pd.MultiIndex.from_product([cutoffs, customers], names=["cutoff", "customer_id"])


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=5, unique=True),
    st.integers(1, 60),
    st.integers(1, 120),
    st.integers(2, 5),
)
def test_no_customer_and_no_day_is_on_both_sides(days: list[int], n: int, horizon: int, n_folds: int) -> None:
    index = rows_of(sorted(days), [f"c{number}" for number in range(n)])
    cutoffs = pd.to_datetime(index.get_level_values("cutoff"))
    known = cutoffs + pd.Timedelta(days=horizon) <= cutoffs.max()
    judged: list[int] = []
    for fold in out_of_time_folds(index, horizon=horizon, n_folds=n_folds):
        train, asked = (index.get_level_values("customer_id")[rows] for rows in fold)
        assert not set(train) & set(asked)
        assert (cutoffs[fold.judged] == cutoffs.max()).all()
        assert known[fold.train].all() or not known.any()
        judged += fold.judged.tolist()
    assert len(set(judged)) == len(judged)


def test_everybody_is_judged_once_where_customers_are_many() -> None:
    index = rows_of([0, 45, 91], [f"c{number}" for number in range(300)])
    folds = out_of_time_folds(index, horizon=91)
    assert sorted(np.concatenate([fold.judged for fold in folds])) == list(range(600, 900))
    assert all(fold.train.max() < 300 for fold in folds)
    assert all(60 < len(fold.judged) < 140 for fold in folds)


def test_neither_order_nor_others_move_a_customer() -> None:
    index = rows_of([0, 91], [f"c{number}" for number in range(200)])
    shuffled = index.take(np.random.default_rng(0).permutation(len(index)))
    some = rows_of([0, 91], [f"c{number}" for number in range(0, 200, 2)])

    def by_name(folds: list[Fold], rows: pd.Index) -> list[set[object]]:
        return [set(rows.take(fold.judged)) for fold in folds]

    whole = by_name(out_of_time_folds(index, horizon=91), index)
    assert by_name(out_of_time_folds(shuffled, horizon=91), shuffled) == whole
    fewer = by_name(out_of_time_folds(some, horizon=91), some)
    assert all(few <= many for few, many in zip(fewer, whole, strict=True))


@pytest.mark.parametrize("index", [pd.RangeIndex(900), pd.Index([f"c{n // 3}" for n in range(900)])])
def test_without_cutoffs_the_index_says_who_is_who(index: pd.Index) -> None:
    folds = out_of_time_folds(index, horizon=91)
    assert len(folds) == 3
    assert all(not set(index[fold.train]) & set(index[fold.judged]) for fold in folds)
    assert sum(len(fold.judged) for fold in folds) == 900
    assert all(200 < len(fold.judged) < 400 for fold in folds)


def test_one_customer_cannot_be_judged_by_another() -> None:
    assert out_of_time_folds(pd.Index(["a", "a"]), horizon=91) == []
