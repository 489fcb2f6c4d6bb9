"""Rounds together: the equation that they solve, another library's squares, order, recovery."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from statsmodels.stats.meta_analysis import combine_effects

from habitue.numerics.random_effects import pool

ROUNDS = st.lists(st.tuples(st.floats(-5.0, 5.0), st.floats(0.1, 3.0)), min_size=2, max_size=8)


def pooled_squares(y: np.ndarray, se: np.ndarray) -> float:
    mean = np.average(y, weights=se**-2.0)
    return float((((y - mean) / se) ** 2).sum())


def test_two_rounds_have_an_answer_in_closed_form() -> None:
    found = pool([0.0, 4.0], [1.0, 0.6875])
    assert 2.0 * found.between**2 == pytest.approx(16.0 - 1.0 - 0.6875**2)


@settings(max_examples=50)
@given(ROUNDS)
def test_the_spread_solves_its_equation_and_order_does_not_count(rounds: list[tuple[float, float]]) -> None:
    y, se = map(np.array, zip(*rounds, strict=True))
    found = pool(y, se)
    assert pool(y[::-1], se[::-1]) == found
    same = combine_effects(np.r_[y, 99.0], np.r_[se, 1.0] ** 2)  # it cannot do without a difference
    q = float(same.q) - float(pooled_squares(np.r_[y, 99.0], np.r_[se, 1.0]) - pooled_squares(y, se))
    assert pooled_squares(y, se) == pytest.approx(q, rel=1e-6, abs=1e-6)
    assert found.p_same == pytest.approx(float(chi2.sf(pooled_squares(y, se), y.size - 1)), abs=1e-9)
    # With the spread found, the squares are what they should be; or there is none and they fall short.
    left = pooled_squares(y, np.hypot(se, found.between)) - (y.size - 1)
    assert left == pytest.approx(0.0, abs=1e-6) if found.between > 0.0 else left <= 1e-9


def test_one_round_is_itself_and_rounds_alike_are_weighed_by_precision() -> None:
    assert pool([2.0], [0.5])[:4] == (2.0, 0.5, 0.0, 1.0)
    found = pool([1.0, 1.6], [0.5, 1.0])
    assert (found.between, found.effect) == pytest.approx((0.0, (4.0 * 1.0 + 1.6) / 5.0))


def test_the_spread_between_rounds_is_recovered() -> None:
    draw = np.random.default_rng(0)
    se = draw.uniform(0.2, 0.6, 400)
    found = pool(3.0 + draw.normal(0.0, 1.5, 400) + se * draw.normal(size=400), se)
    assert found.between == pytest.approx(1.5, abs=0.12)
    assert found.effect == pytest.approx(3.0, abs=0.25)
