"""What each factor did to a product: parts that sum to the change, in whatever order they are named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.numerics.product_changes import product_contributions

FACTORS = st.lists(st.tuples(st.floats(-50.0, 50.0), st.floats(-50.0, 50.0)), min_size=2, max_size=4)


@given(FACTORS)
def test_the_parts_sum_to_the_change(factors: list[tuple[float, float]]) -> None:
    before, after = np.array(factors).T
    parts = product_contributions(before, after)
    size = np.prod(np.maximum(np.abs(before), np.abs(after)) + 1.0)
    assert parts.sum() == pytest.approx(np.prod(after) - np.prod(before), abs=1e-12 * size)
    # A factor that stayed did nothing; named in another order, each did the same; back again, the opposite.
    assert not parts[before == after].any()
    assert product_contributions(before[::-1], after[::-1])[::-1] == pytest.approx(parts, abs=1e-12 * size)
    assert product_contributions(after, before) == pytest.approx(-parts, abs=1e-12 * size)


@given(st.floats(0.1, 9.0), st.floats(0.1, 9.0), st.floats(0.1, 9.0), st.floats(0.1, 9.0))
def test_of_two_factors_each_is_changed_at_the_mean_of_the_other(
    a: float, b: float, c: float, d: float
) -> None:
    parts = product_contributions([a, b], [c, d])
    assert parts == pytest.approx([(c - a) * (b + d) / 2.0, (d - b) * (a + c) / 2.0])
