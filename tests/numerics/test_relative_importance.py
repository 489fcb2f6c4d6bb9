"""Shares of R squared: their laws, and a brute-force answer over all orders."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.numerics.arrays import FloatArray
from habitue.numerics.relative_importance import partial_slopes, shares_of_r_squared


def rows(seed: int, n_columns: int, n_rows: int = 60) -> FloatArray:
    draw = np.random.default_rng(seed)
    mixing = np.eye(n_columns) + 0.4 * draw.uniform(-1.0, 1.0, size=(n_columns, n_columns))
    mixed = draw.normal(size=(n_rows, n_columns)) @ mixing
    explained = mixed @ draw.normal(size=n_columns) + 2.0 * draw.normal(size=n_rows)
    return np.column_stack([mixed, explained])


def r_squared(table: FloatArray, columns: tuple[int, ...]) -> float:
    y = table[:, -1] - table[:, -1].mean()
    if not columns:
        return 0.0
    x = table[:, list(columns)] - table[:, list(columns)].mean(axis=0)
    left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return 1.0 - float(left @ left) / float(y @ y)


@given(seed=st.integers(0, 2**16), n_columns=st.integers(1, 4))
def test_each_share_is_what_a_column_adds_averaged_over_all_orders(seed: int, n_columns: int) -> None:
    table = rows(seed, n_columns)
    orders = list(permutations(range(n_columns)))
    by_hand = np.zeros(n_columns)
    for order in orders:
        for place, j in enumerate(order):
            by_hand[j] += r_squared(table, order[: place + 1]) - r_squared(table, order[:place])
    np.testing.assert_allclose(
        shares_of_r_squared(np.cov(table.T)), by_hand / len(orders), atol=1e-5, rtol=1e-4
    )


@given(seed=st.integers(0, 2**16), n_columns=st.integers(1, 5))
def test_shares_are_never_negative_sum_to_r_squared_and_know_no_unit(seed: int, n_columns: int) -> None:
    table = rows(seed, n_columns)
    shares = shares_of_r_squared(np.cov(table.T))
    assert (shares >= -1e-9).all()
    assert shares.sum() == pytest.approx(r_squared(table, tuple(range(n_columns))), abs=1e-5)
    units = np.random.default_rng(seed).uniform(0.1, 10.0, n_columns + 1)
    np.testing.assert_allclose(shares_of_r_squared(np.cov((table * units).T)), shares, atol=1e-9)


def test_copies_share_alike_and_a_constant_adds_nothing() -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(size=200)
    table = np.column_stack([x, x, np.full(200, 3.0), x + draw.normal(size=200)])
    shares = shares_of_r_squared(np.cov(table.T))
    assert shares[0] == pytest.approx(shares[1], abs=1e-6)
    assert shares[2] == pytest.approx(0.0, abs=1e-12)
    assert np.isfinite(partial_slopes(np.cov(table.T))).all()


@given(seed=st.integers(0, 2**16), n_columns=st.integers(1, 5))
def test_slopes_are_those_of_least_squares(seed: int, n_columns: int) -> None:
    table = rows(seed, n_columns)
    x = table[:, :-1] - table[:, :-1].mean(axis=0)
    y = table[:, -1] - table[:, -1].mean()
    expected = np.linalg.lstsq(x, y, rcond=None)[0] * x.std(axis=0, ddof=1)
    np.testing.assert_allclose(partial_slopes(np.cov(table.T)), expected, rtol=1e-3, atol=1e-4)


def test_many_at_once_are_as_each_alone() -> None:
    several = np.stack([np.cov(rows(seed, 3).T) for seed in range(5)])
    np.testing.assert_allclose(shares_of_r_squared(several), [shares_of_r_squared(one) for one in several])
    np.testing.assert_allclose(partial_slopes(several), [partial_slopes(one) for one in several])
