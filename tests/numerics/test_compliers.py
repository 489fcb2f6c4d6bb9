"""Effect on compliers: coverage where uptake is strong and weak, and the inverted test itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.numerics.compliers import complier_effect


@given(st.floats(-5.0, 5.0), st.floats(0.2, 1.0), st.floats(0.01, 1.0), st.floats(-0.9, 0.9))
def test_ends_are_where_the_test_begins_to_refuse(
    effect: float, uptake: float, variance: float, correlation: float
) -> None:
    spread = 0.0004
    covariance = correlation * np.sqrt(variance * spread)
    found = complier_effect(effect, uptake, variance, covariance, spread)
    for end in (found.lower, found.upper):
        z2 = (effect - end * uptake) ** 2 / (variance - 2.0 * end * covariance + end**2 * spread)
        assert z2 == pytest.approx(1.96**2, rel=1e-3)
    assert found.lower <= found.effect <= found.upper


@pytest.mark.parametrize("uptake", [0.03, 0.5])
def test_it_covers_the_truth_however_few_comply(uptake: float) -> None:
    draw = np.random.default_rng(0)
    reps, truth = 4000, 3.0
    se_y, se_d = 0.5, 0.02
    d = uptake + se_d * draw.normal(size=reps)
    y = truth * uptake + se_y * draw.normal(size=reps)
    found = [complier_effect(a, b, se_y**2, 0.0, se_d**2) for a, b in zip(y, d, strict=True)]
    held = np.mean([one.lower <= truth <= one.upper for one in found])
    # Where the set is a line without a gap in the middle, the whole line is told: it holds no less often.
    assert held >= 0.94
    assert np.mean([one.is_bounded for one in found]) == pytest.approx(
        1.0 if uptake > 0.1 else 0.32, abs=0.05
    )


def test_full_uptake_is_the_effect_itself() -> None:
    found = complier_effect(2.0, 1.0, 0.25, 0.0, 0.0)
    assert (found.effect, found.lower, found.upper) == pytest.approx((2.0, 2.0 - 0.98, 2.0 + 0.98), abs=1e-3)
    assert not complier_effect(2.0, 0.0, 0.25, 0.0, 0.0).is_bounded
