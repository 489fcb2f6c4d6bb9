"""Laws of the quadrature rules: they are probability measures with a Beta distribution's moments."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, poch, roots_jacobi

from habitue.numerics.quadrature import beta_rule, legendre_rule, log_odds_window, long_tail

positive = st.floats(1e-6, 1e4)


@settings(deadline=None, max_examples=60)
@given(a=positive, b=positive)
def test_moments_are_those_of_the_beta_distribution(a: float, b: float) -> None:
    rule = beta_rule(a, b)
    for k in range(5):
        moment = poch(a, k) / poch(a + b, k)
        assert (rule.weights * rule.nodes**k).sum() == pytest.approx(moment, rel=1e-9, abs=1e-15)


def test_it_is_exact_up_to_degree_2n_minus_1_and_not_beyond() -> None:
    rule = beta_rule(0.8, 2.4, n_nodes=3)
    moments = [poch(0.8, k) / poch(3.2, k) for k in range(7)]
    got = [(rule.weights * rule.nodes**k).sum() for k in range(7)]
    np.testing.assert_allclose(got[:6], moments[:6], rtol=1e-13)
    assert abs(got[6] / moments[6] - 1) > 1e-6


@pytest.mark.parametrize(("a", "b"), [(0.3, 0.8), (1.0, 1.0), (1.0, 2.5), (0.25, 0.5), (12.0, 3.0)])
def test_nodes_and_weights_equal_scipys_where_scipy_works(a: float, b: float) -> None:
    rule = beta_rule(a, b)
    nodes, weights = roots_jacobi(32, b - 1.0, a - 1.0)
    np.testing.assert_allclose(rule.nodes[0], (1.0 + nodes) / 2.0, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(rule.weights[0], weights / weights.sum(), rtol=1e-10)


@pytest.mark.parametrize(
    ("a", "b"), [(1e-6, 1e-6), (1e-6, 1e4), (1.0, 1e-3), (1.0, 1e6), (0.4, 0.6), (1.0, 1.0)]
)
def test_stressed_rules_are_probability_measures_inside_the_interval(a: float, b: float) -> None:
    rule = beta_rule(a, b)
    assert np.isfinite(rule.nodes).all()
    assert ((rule.nodes >= 0) & (rule.nodes <= 1)).all()
    assert (rule.weights >= 0).all()
    assert rule.weights.sum() == pytest.approx(1.0, abs=1e-14)


def test_many_rules_at_once_equal_one_at_a_time() -> None:
    b = np.array([0.5, 2.4, 3000.0])
    together = beta_rule(0.79, b)
    for row, value in enumerate(b):
        alone = beta_rule(0.79, value)
        np.testing.assert_array_equal(together.nodes[row], alone.nodes[0])
        np.testing.assert_array_equal(together.weights[row], alone.weights[0])


@pytest.mark.parametrize("n_nodes", [1, 2])
def test_the_smallest_rules_hold_the_mean(n_nodes: int) -> None:
    rule = beta_rule(2.0, 6.0, n_nodes=n_nodes)
    assert rule.nodes.shape == (1, n_nodes)
    assert (rule.weights * rule.nodes).sum() == pytest.approx(0.25, abs=1e-15)


def test_a_mean_beyond_polynomials_equals_mpmath() -> None:
    rule = beta_rule(0.793, 4.426)
    got = (rule.weights * np.exp(-3.0 * rule.nodes)).sum()
    assert got == pytest.approx(float(mp.hyp1f1(0.793, 0.793 + 4.426, -3)), rel=1e-14)


@pytest.mark.parametrize("n", [1, 8, 24])
def test_legendre_is_exact_up_to_degree_2n_minus_1_and_cannot_be_changed(n: int) -> None:
    nodes, weights = legendre_rule(n)
    for k in range(2 * n):
        assert weights @ nodes**k == pytest.approx(1.0 / (k + 1), rel=1e-13)
    with pytest.raises(ValueError, match="read-only"):
        nodes[0] = 0.0


@settings(deadline=None, max_examples=60)
@given(a=st.floats(1.0, 200.0), b=st.floats(1.0, 200.0), k=st.floats(0.0, 1e4))
def test_trapezoids_in_the_window_give_the_whole_beta_function(a: float, b: float, k: float) -> None:
    start, step, n = (
        array.item() for array in log_odds_window(np.array([a]), np.array([b]), np.array([k]), 28.0)
    )
    v = start + step * np.arange(np.ceil(n))
    for fallen in (0.0, k):
        log_density = -a * np.logaddexp(0.0, -v) - (b + fallen) * np.logaddexp(0.0, v)
        assert step * np.exp(log_density - betaln(a, b + fallen)).sum() == pytest.approx(1.0, rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(shape=positive)
def test_beyond_the_long_tail_a_gamma_density_has_fallen_far_enough(shape: float) -> None:
    u = long_tail(np.array([shape]), 26.0)
    assert (shape * (u + np.expm1(-u)) >= 26.0 * (1.0 - 1e-9)).all()
