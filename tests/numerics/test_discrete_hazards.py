"""Hazards: what must hold whatever they are, and what statsmodels counts of the same customers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.integrate import quad
from statsmodels.duration.survfunc import SurvfuncRight

from habitue.numerics.discrete_hazards import (
    aalen_johansen,
    cumulative_incidence,
    incidence_ahead,
    kaplan_meier,
    log_likelihood,
    restricted_mean,
    survival,
    survival_ahead,
)

laws = settings(deadline=None, max_examples=40)
by_cause = arrays.arrays(np.float64, (3, 5, 2), elements=st.floats(0.0, 0.5))
shares = arrays.arrays(np.float64, 3, elements=st.floats(0.0, 0.99))
times = arrays.arrays(np.float64, 4, elements=st.floats(0.0, 9.0))


@pytest.mark.parametrize("hazard", [0.0, 1e-9, 0.03, 0.4, 1.0])
@pytest.mark.parametrize("elapsed", [0.0, 0.3])
def test_a_constant_hazard_gives_geometric_times(hazard: float, elapsed: float) -> None:
    hazards, at = np.full((1, 6), hazard), np.array([0.0, 0.25, 1.0, 3.7, 6.0, 11.5])
    np.testing.assert_allclose(survival(hazards)[0], (1.0 - hazard) ** np.arange(1, 7), rtol=1e-13)
    np.testing.assert_allclose(survival_ahead(hazards, at, elapsed)[0], (1.0 - hazard) ** at, rtol=1e-12)
    force = -np.log1p(-hazard) if hazard < 1 else np.inf
    mean = 8.2 if force == 0 else -np.expm1(-force * 8.2) / force
    assert restricted_mean(hazards, 8.2, elapsed)[0] == pytest.approx(mean, rel=1e-12)


@laws
@given(hazards=by_cause, elapsed=shares, at=times)
def test_who_stays_and_who_left_by_each_cause_are_all(
    hazards: np.ndarray, elapsed: np.ndarray, at: np.ndarray
) -> None:
    total = hazards.sum(axis=2)
    np.testing.assert_allclose(
        survival(total) + cumulative_incidence(hazards).sum(axis=2), 1.0, rtol=0, atol=1e-14
    )
    left = incidence_ahead(hazards, at, elapsed)
    assert (left >= 0.0).all()
    np.testing.assert_allclose(survival_ahead(total, at, elapsed) + left.sum(axis=2), 1.0, atol=1e-14)


@laws
@given(hazards=by_cause, at=times)
def test_at_the_ends_of_periods_both_ways_of_reckoning_agree(hazards: np.ndarray, at: np.ndarray) -> None:
    ends = np.arange(1.0, 6.0)
    np.testing.assert_allclose(
        survival_ahead(hazards.sum(axis=2), ends), survival(hazards.sum(axis=2)), atol=1e-14
    )
    np.testing.assert_allclose(incidence_ahead(hazards, ends), cumulative_incidence(hazards), atol=1e-14)
    ordered = np.sort(at)
    assert (np.diff(survival_ahead(hazards.sum(axis=2), ordered), axis=1) <= 1e-15).all()


@laws
@given(hazards=by_cause, elapsed=shares, at=times)
def test_who_is_there_now_goes_on_as_if_seen_from_the_start(
    hazards: np.ndarray, elapsed: np.ndarray, at: np.ndarray
) -> None:
    total = hazards.sum(axis=2) * 0.9
    later = survival_ahead(total, elapsed[:, None] + at)
    until = survival_ahead(total, elapsed[:, None])
    np.testing.assert_allclose(survival_ahead(total, at, elapsed), later / until, rtol=1e-10)


@laws
@given(hazards=by_cause, elapsed=shares, horizon=st.floats(0.0, 9.0))
def test_causes_merged_are_one_cause(hazards: np.ndarray, elapsed: np.ndarray, horizon: float) -> None:
    merged = hazards.sum(axis=2, keepdims=True)
    both = incidence_ahead(hazards, [horizon], elapsed).sum(axis=2)
    np.testing.assert_allclose(incidence_ahead(merged, [horizon], elapsed)[..., 0], both, atol=1e-14)


@pytest.mark.parametrize("elapsed", [0.0, 0.4])
def test_the_restricted_mean_is_the_area_under_survival(elapsed: float) -> None:
    hazards = np.array([[0.3, 0.0, 1e-10, 0.6], [0.05, 0.2, 0.9, 0.0]])
    for row in (0, 1):
        for horizon in (0.0, 0.5, 2.3, 4.0, 7.5):
            breaks = [one for one in np.arange(1, 8) - elapsed if one < horizon]
            area = quad(
                lambda t, row=row: float(survival_ahead(hazards[[row]], [t], elapsed)[0, 0]),
                0.0,
                horizon,
                points=breaks or None,
            )[0]
            assert restricted_mean(hazards, horizon, elapsed)[row] == pytest.approx(area, rel=1e-9, abs=1e-12)


def test_the_share_of_those_who_left_is_the_likeliest_hazard() -> None:
    cause = np.array([0] * 6 + [1] * 3 + [2])
    best = log_likelihood(np.tile([0.3, 0.1], (10, 1)), cause).sum()
    for other in ([0.31, 0.1], [0.29, 0.1], [0.3, 0.11], [0.3, 0.09]):
        assert log_likelihood(np.tile(other, (10, 1)), cause).sum() < best


def test_the_likelihood_of_a_time_is_the_product_of_its_periods() -> None:
    hazards = np.array([[0.2, 0.1], [0.3, 0.05], [0.1, 0.4]])
    left_by_second = np.exp(log_likelihood(hazards, [0, 0, 2]).sum())
    incidence = cumulative_incidence(hazards)
    assert left_by_second == pytest.approx(incidence[2, 1] - incidence[1, 1], rel=1e-12)
    assert np.exp(log_likelihood(hazards, [0, 0, 0]).sum()) == pytest.approx(
        survival(hazards.sum(axis=1))[-1], rel=1e-12
    )


@pytest.mark.parametrize("late", [False, True])
def test_counts_give_what_statsmodels_gives(late: bool) -> None:
    rng = np.random.default_rng(3)
    entry = rng.integers(0, 4, 400) * late
    time = entry + rng.integers(1, 9, 400)
    left = rng.uniform(size=400) < 0.6
    at = np.arange(1, 12)
    n_left = np.array([(left & (time == one)).sum() for one in at])
    n_there = np.array([((entry < one) & (time >= one)).sum() for one in at])
    told = kaplan_meier(n_left, n_there)
    peer = SurvfuncRight(time, left, entry=entry if late else None)
    there = np.isin(at, peer.surv_times)
    np.testing.assert_allclose(told.survival[there], peer.surv_prob, rtol=1e-12)
    alive = peer.surv_prob > 0
    np.testing.assert_allclose(told.standard_error[there][alive], peer.surv_prob_se[alive], rtol=1e-10)


def test_nobody_left_and_nobody_at_risk_are_told() -> None:
    told = kaplan_meier([2, 3, 0], [5, 3, 0])
    np.testing.assert_allclose(told.survival, [0.6, 0.0, 0.0])
    assert told.standard_error[1:].tolist() == [0.0, 0.0]


@laws
@given(data=st.data())
def test_aalen_johansen_adds_up_and_is_kaplan_meier_for_one_cause(data: st.DataObject) -> None:
    left = data.draw(arrays.arrays(np.int64, (6, 3), elements=st.integers(0, 4)))
    there = left.sum(axis=1) + data.draw(arrays.arrays(np.int64, 6, elements=st.integers(0, 9)))
    told = aalen_johansen(left, there)
    np.testing.assert_allclose(told.survival + told.incidence.sum(axis=1), 1.0, atol=1e-14)
    merged = aalen_johansen(left.sum(axis=1, keepdims=True), there)
    np.testing.assert_allclose(merged.survival, kaplan_meier(left.sum(axis=1), there).survival, atol=1e-15)
    np.testing.assert_allclose(merged.incidence[:, 0], told.incidence.sum(axis=1), atol=1e-14)
