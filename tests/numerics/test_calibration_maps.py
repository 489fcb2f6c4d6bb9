"""Maps of probabilities: their fits against scikit-learn and brute force, and the laws of all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from habitue.numerics import calibration_maps as maps
from habitue.numerics import venn_abers

BOTH_WAYS = {
    "platt": (maps.fit_platt, maps.platt),
    "beta": (maps.fit_beta, maps.beta),
    "isotonic": (maps.fit_isotonic, maps.isotonic),
}
rows = st.lists(
    st.tuples(st.integers(0, 12), st.booleans(), st.sampled_from([1.0, 2.0, 0.5])), min_size=1, max_size=25
)


def arrays(drawn: list[tuple[int, bool, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, y, w = (np.array(column, dtype=np.float64) for column in zip(*drawn, strict=True))
    return p / 12.0, y, w


def simulated(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1.5, 3.0, n)
    return p, (rng.uniform(size=n) < p).astype(np.float64)


@pytest.mark.parametrize("name", BOTH_WAYS)
@settings(max_examples=40)
@given(rows)
def test_maps_rise_and_stay_inside(name: str, drawn: list[tuple[int, bool, float]]) -> None:
    fit, apply = BOTH_WAYS[name]
    p, y, w = arrays(drawn)
    told = apply(fit(p, y, w), np.linspace(0.0, 1.0, 201))
    assert (np.diff(told) >= -1e-15).all()
    assert told[0] > 0.0
    assert told[-1] < 1.0


@pytest.mark.parametrize("name", BOTH_WAYS)
@settings(max_examples=20)
@given(rows)
def test_a_weight_of_two_is_two_rows_and_of_none_no_row(
    name: str, drawn: list[tuple[int, bool, float]]
) -> None:
    fit, apply = BOTH_WAYS[name]
    p, y, _ = arrays(drawn)
    times = np.arange(len(p)) % 3
    times[0] = 2
    grid = np.linspace(0.0, 1.0, 25)
    weighted = apply(fit(p, y, times.astype(np.float64)), grid)
    repeated = [np.repeat(one, times) for one in (p, y)]
    np.testing.assert_allclose(
        weighted, apply(fit(*repeated, np.ones(times.sum())), grid), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_the_average_is_what_happened(name: str) -> None:
    fit, apply = BOTH_WAYS[name]
    p, y = simulated(3_000)
    told = apply(fit(p**2, y, np.ones(3_000)), p**2)
    # The pseudo-customers that keep maps from 0 and 1 count as much as one of the 3,000.
    assert abs(told.mean() - y.mean()) < 1.0 / 3_000


def test_the_platt_map_is_that_of_scikit_learn() -> None:
    p, y = simulated(2_000)
    given = maps.log_odds(p**2)[:, np.newaxis]
    identity = LogisticRegression().fit(given, y)
    identity.coef_, identity.intercept_ = np.ones((1, 1)), np.zeros(1)
    theirs = CalibratedClassifierCV(FrozenEstimator(identity), method="sigmoid").fit(given, y)
    mine = maps.platt(maps.fit_platt(p**2, y, np.ones(2_000)), p**2)
    np.testing.assert_allclose(mine, theirs.predict_proba(given)[:, 1], atol=1e-5)


def test_the_beta_map_maximises_the_likelihood() -> None:
    p, y = simulated(800)
    n = y.sum()
    target = np.where(y > 0, (n + 1) / (n + 2), 1 / (800 - n + 2))

    def loss(theta: np.ndarray) -> float:
        raw = theta[0] * np.log(p) - theta[1] * np.log1p(-p) + theta[2]
        return float((np.logaddexp(0.0, raw) - target * raw).sum())

    found = minimize(loss, [1.0, 1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
    np.testing.assert_allclose(maps.fit_beta(p, y, np.ones(800)), found.x, atol=1e-4)


def test_coefficients_are_never_below_zero_and_then_the_loss_is_least_on_the_edge() -> None:
    p, y = simulated(500)
    turned = maps.fit_platt(1.0 - p, y, np.ones(500))
    assert turned.slope == 0.0
    np.testing.assert_allclose(expit(turned.intercept), y.mean(), atol=1e-3)
    assert maps.fit_beta(1.0 - p, y, np.ones(500))[:2] == (0.0, 0.0)
    rng = np.random.default_rng(2)
    humped = (rng.uniform(size=500) < 0.2 + 0.6 * (np.abs(p - 0.35) < 0.15)).astype(np.float64)
    a, b, _ = maps.fit_beta(p, humped, np.ones(500))
    assert min(a, b) == 0.0 < max(a, b)


def test_classes_that_a_threshold_parts_and_a_constant_prediction_have_a_map() -> None:
    p, y = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0.0, 1.0, 1.0])
    for fit, apply in BOTH_WAYS.values():
        apart = apply(fit(p, y, np.ones(4)), p)
        assert apart[1] < 0.5 < apart[2]
        constant = apply(fit(np.full(4, 0.3), np.array([0.0, 0.0, 0.0, 1.0]), np.ones(4)), np.array([0.3]))
        np.testing.assert_allclose(constant, 0.25, atol=0.1)


def test_isotonic_blocks_are_pooled_violators_with_one_more_customer_at_each_end() -> None:
    p, y = simulated(400)
    order = np.argsort(p)
    theirs = isotonic_regression(np.concatenate([[1.0], y[order], [0.0]])).x[1:-1]
    fitted = maps.fit_isotonic(p, y, np.ones(400))
    np.testing.assert_allclose(maps.isotonic(fitted, p[order]), theirs, rtol=1e-12)
    assert len(fitted.knots) < 100


def brute_venn_abers(
    score: np.ndarray, outcome: np.ndarray, weights: np.ndarray, asked: float, label: float
) -> float:
    """Fit anew with one more customer."""
    scores = np.append(score, asked)
    distinct, mass, ones = maps.counts_by_score(scores, np.append(outcome, label), np.append(weights, 1.0))
    fitted = isotonic_regression(ones / mass, weights=mass).x
    return float(fitted[np.searchsorted(distinct, asked)])


@settings(max_examples=60)
@given(rows, st.integers(-1, 25))
def test_venn_abers_is_what_fitting_anew_with_each_label_says(
    drawn: list[tuple[int, bool, float]], asked: int
) -> None:
    p, y, w = arrays(drawn)
    score, place = np.round(p * 12.0), asked / 2.0
    p0, p1 = venn_abers.bounds(venn_abers.fit(score, y, w), np.array([place]))
    assert p0[0] == pytest.approx(brute_venn_abers(score, y, w, place, 0.0), abs=1e-12)
    assert p1[0] == pytest.approx(brute_venn_abers(score, y, w, place, 1.0), abs=1e-12)


@settings(max_examples=40)
@given(rows)
def test_venn_abers_probabilities_rise_and_the_merged_one_lies_between(
    drawn: list[tuple[int, bool, float]],
) -> None:
    fitted = venn_abers.fit(*arrays(drawn))
    p0, p1 = venn_abers.bounds(fitted, np.linspace(-0.1, 1.1, 121))
    p = venn_abers.merged(p0, p1)
    assert (p0 <= p).all()
    assert (p <= p1).all()
    assert p.min() > 0.0
    assert p.max() < 1.0
    for one in (p0, p1, p):
        assert (np.diff(one) >= -1e-15).all()


@pytest.mark.parametrize("fit", [maps.fit_platt, maps.fit_beta, maps.fit_isotonic, venn_abers.fit])
def test_the_order_of_rows_does_not_matter(fit: Callable[..., tuple[object, ...]]) -> None:
    p, y = simulated(500)
    order = np.random.default_rng(1).permutation(500)
    for one, other in zip(fit(p, y, np.ones(500)), fit(p[order], y[order], np.ones(500)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
