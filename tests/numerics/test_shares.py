"""Intervals for shares: inverted tests, exact coverage over whole grids, symmetries, ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom, multinomial, norm

from habitue.numerics.shares import share_difference_interval, wilson_interval

Z = float(norm.ppf(0.975))


def tables(n_most: int = 60) -> st.SearchStrategy[tuple[int, int, int]]:
    """Answers for, against, and all of them."""
    return st.integers(1, n_most).flatmap(
        lambda n: st.integers(0, n).flatmap(
            lambda plus: st.tuples(st.just(plus), st.integers(0, n - plus), st.just(n))
        )
    )


def likeliest_against(plus: int, minus: int, n: int, d: float) -> float:
    """Return the share against that makes the answers likeliest, by search."""

    def surprise(q: float) -> float:
        shares = np.array([q + d, q, 1.0 - 2.0 * q - d])
        counts = np.array([plus, minus, n - plus - minus])
        return -float(np.sum(counts[counts > 0] * np.log(np.maximum(shares[counts > 0], 1e-300))))

    found = minimize_scalar(
        surprise, bounds=(max(0.0, -d), (1.0 - d) / 2.0), method="bounded", options={"xatol": 1e-13}
    )
    return float(found.x)


@given(tables())
def test_ends_are_where_the_score_test_begins_to_refuse(table: tuple[int, int, int]) -> None:
    plus, minus, n = table
    for end in map(float, share_difference_interval(plus, minus, n)):
        if abs(end) < 1.0 - 1e-9:
            q = likeliest_against(plus, minus, n, end)
            spread = np.sqrt(n * (2.0 * q + end * (1.0 - end)))
            assert abs(plus - minus - n * end) == pytest.approx(Z * spread, rel=1e-4)


@given(tables(), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_estimate_is_inside_and_the_other_side_is_the_mirror(
    table: tuple[int, int, int], confidence: float
) -> None:
    plus, minus, n = table
    lower, upper = map(float, share_difference_interval(plus, minus, n, confidence=confidence))
    assert -1.0 <= lower <= (plus - minus) / n <= upper <= 1.0
    assert lower < upper
    mirrored = share_difference_interval(minus, plus, n, confidence=confidence)
    assert (-float(mirrored[1]), -float(mirrored[0])) == pytest.approx((lower, upper), abs=1e-12)
    wider = share_difference_interval(plus, minus, n, confidence=(1.0 + confidence) / 2.0)
    assert float(wider[0]) <= lower
    assert upper <= float(wider[1])


def test_more_answers_say_more() -> None:
    scale = np.array([1, 2, 5, 20, 1000])
    lower, upper = share_difference_interval(6 * scale, 3 * scale, 15 * scale)
    assert (np.diff(upper - lower) < 0.0).all()
    # With many it is the textbook's.
    p, q = 6 / 15, 3 / 15
    half = Z * np.sqrt((p + q - (p - q) ** 2) / (15 * scale[-1]))
    assert (lower[-1], upper[-1]) == pytest.approx((p - q - half, p - q + half), abs=1e-4)


@pytest.mark.parametrize("n", [10, 30])
def test_it_covers_as_often_as_it_says_whatever_the_truth(n: int) -> None:
    plus, minus = (one.ravel() for one in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    there = plus + minus <= n
    plus, minus = plus[there], minus[there]
    lower, upper = share_difference_interval(plus, minus, n)
    rest, found = n - plus - minus, []
    for p in np.arange(0.05, 0.95, 0.05):
        for q in np.arange(0.05, 1.0 - p - 0.04, 0.05):
            chance = multinomial.pmf(np.column_stack([plus, minus, rest]), n, [p, q, 1.0 - p - q])
            found.append(chance[(lower <= p - q) & (p - q <= upper)].sum())
    # The textbook's falls to 0.65 with ten answers, and to 0.88 with thirty.
    assert np.min(found) > 0.9
    assert 0.945 < np.mean(found) < 0.97


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson_covers_as_often_as_it_says(confidence: float) -> None:
    n, x = 40, np.arange(41)
    lower, upper = wilson_interval(x / n, np.full(41, n), confidence=confidence)
    found = [binom.pmf(x[(lower <= p) & (p <= upper)], n, p).sum() for p in np.linspace(0.03, 0.97, 95)]
    assert np.mean(found) == pytest.approx(confidence, abs=0.015)
    assert np.min(found) > confidence - 0.1
