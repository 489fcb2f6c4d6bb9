"""Difference of two shares: a likelihood maximised by search, exact coverage, symmetries, ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom, chi2_contingency

from habitue.numerics.two_shares import score_statistic, two_shares_interval

COUNTS = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def searched(x1: int, n1: int, x2: int, n2: int, d: float) -> float:
    """Return the statistic with the likeliest shares found by search."""

    def surprise(q: float) -> float:
        shares = np.clip([q + d, 1.0 - q - d, q, 1.0 - q], 1e-300, 1.0)
        counts = np.array([x1, n1 - x1, x2, n2 - x2])
        return -float((counts * np.log(shares))[counts > 0].sum())

    ends = max(0.0, -d), min(1.0, 1.0 - d)
    q = float(minimize_scalar(surprise, bounds=ends, method="bounded", options={"xatol": 1e-13}).x)
    variance = (q + d) * (1.0 - q - d) / n1 + q * (1.0 - q) / n2
    return (x1 / n1 - x2 / n2 - d) / np.sqrt(variance * (n1 + n2) / (n1 + n2 - 1.0))


@given(COUNTS, COUNTS, st.floats(-0.9, 0.9))
def test_the_statistic_uses_the_likeliest_shares(
    one: tuple[int, int], other: tuple[int, int], d: float
) -> None:
    found = float(score_statistic(*one, *other, d))
    there = searched(*one, *other, d)
    if abs(there) < 30.0 and abs(one[0] / one[1] - other[0] / other[1] - d) > 1e-6:
        assert found == pytest.approx(there, rel=2e-3, abs=1e-4)


def test_where_nothing_is_supposed_it_is_the_chi_square_test() -> None:
    table = np.array([[30, 70], [20, 90]])
    z2 = float(score_statistic(30, 100, 20, 110)) ** 2
    assert z2 * 210 / 209 == pytest.approx(chi2_contingency(table, correction=False)[0])


@given(COUNTS, COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_estimate_is_inside_and_the_other_side_is_the_mirror(
    one: tuple[int, int], other: tuple[int, int], confidence: float
) -> None:
    lower, upper = map(float, two_shares_interval(*one, *other, confidence=confidence))
    assert -1.0 <= lower <= one[0] / one[1] - other[0] / other[1] <= upper <= 1.0
    mirrored = two_shares_interval(*other, *one, confidence=confidence)
    assert (-float(mirrored[1]), -float(mirrored[0])) == pytest.approx((lower, upper), abs=1e-9)


@pytest.mark.parametrize(("p1", "p2"), [(0.02, 0.02), (0.1, 0.3), (0.5, 0.5), (0.95, 0.9)])
def test_it_covers_as_often_as_it_says(p1: float, p2: float) -> None:
    n1, n2 = 60, 40
    x1, x2 = (one.ravel() for one in np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij"))
    lower, upper = two_shares_interval(x1, n1, x2, n2)
    chance = binom.pmf(x1, n1, p1) * binom.pmf(x2, n2, p2)
    assert 0.935 < chance[(lower <= p1 - p2) & (p1 - p2 <= upper)].sum() < 0.999
