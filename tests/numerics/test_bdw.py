"""BdW's formulas against many digits, against sBG where c = 1, and the laws they must obey."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics import bdw, sbg
from habitue.numerics.bdw import Params

RESTLESS = Params(0.259, 1.722, 1.584)

laws = settings(deadline=None, max_examples=25)
size = st.floats(-5, 3).map(lambda e: 10.0**e)
powers = st.floats(-1.5, 0.6).map(lambda e: 10.0**e)
params_strategy = st.builds(Params, size, size, powers)
renewals = st.floats(0, 4).map(lambda e: int(10.0**e) - 1)


def exact_log_survival(g: mp.mpf, d: mp.mpf, c: mp.mpf, t: int) -> mp.mpf:
    """Return log S(t) from its definition."""
    y = mp.mpf(t) ** c if t else mp.mpf(0)
    return mp.loggamma(d + y) + mp.loggamma(g + d) - mp.loggamma(d) - mp.loggamma(g + d + y)


@laws
@given(params=params_strategy, n=renewals, t=st.integers(0, 100_000))
def test_survival_and_churn_equal_many_digits(params: Params, n: int, t: int) -> None:
    with mp.workdps(60):
        shape = tuple(map(mp.mpf, params))
        ahead = exact_log_survival(*shape, n + t) - exact_log_survival(*shape, n)
        survival, churn = float(mp.exp(ahead)), float(-mp.expm1(ahead))
    assert float(bdw.survival_ahead(params, n, t)) == pytest.approx(survival, rel=1e-10, abs=1e-300)
    assert float(bdw.churn_probability(params, n, t)) == pytest.approx(churn, rel=1e-12)


@laws
@given(params=params_strategy, n=renewals, churned=st.booleans())
def test_likelihood_gradient_and_hessian_equal_many_digits(params: Params, n: int, churned: bool) -> None:
    with mp.workdps(60):

        def exact(g: mp.mpf, d: mp.mpf, c: mp.mpf) -> mp.mpf:
            now = exact_log_survival(g, d, c, n)
            return mp.log(mp.exp(now) - mp.exp(exact_log_survival(g, d, c, n + 1))) if churned else now

        at = tuple(map(mp.mpf, params))
        got = float(bdw.log_likelihood(params, n, churned))
        assert got == pytest.approx(float(exact(*at)), rel=1e-10)
        gradient, hessian = bdw.gradient(params, n, churned), bdw.hessian(params, n, churned)
        for i in range(3):
            order = [int(i == j) for j in range(3)]
            want = float(mp.diff(exact, at, tuple(order)))
            assert float(gradient[i]) == pytest.approx(want, rel=1e-8, abs=1e-10 / params[i])
            for j in range(i, 3):
                twice = tuple(o + int(j == k) for k, o in enumerate(order))
                want, scale = float(mp.diff(exact, at, twice)), 1e-8 / (params[i] * params[j])
                assert float(hessian[i, j]) == pytest.approx(want, rel=1e-7, abs=scale)
                assert hessian[i, j] == hessian[j, i]


@laws
@given(g=size, d=size, n=renewals, rate=st.floats(-8, 1), t=st.integers(0, 100_000), churned=st.booleans())
def test_with_c_one_it_is_sbg(g: float, d: float, n: int, rate: float, t: int, churned: bool) -> None:
    one, other, rate = Params(g, d, 1.0), sbg.Params(g, d), 10.0**rate
    for name, arguments in [
        ("survival", (t,)), ("retention_rate", (n + 1,)), ("survival_ahead", (n, t)),
        ("churn_probability", (n, t)), ("log_likelihood", (n, churned)), ("lifetime_value", (rate,)),
        ("residual_lifetime_value", (n, rate)), ("residual_lifetime_value", (n, rate, t)),
    ]:  # fmt: skip
        got, want = float(getattr(bdw, name)(one, *arguments)), float(getattr(sbg, name)(other, *arguments))
        assert got == pytest.approx(want, rel=1e-10, abs=1e-300), (name, arguments)
    got, want = (float(f.expected_residual_lifetime(p, n)) for f, p in ((bdw, one), (sbg, other)))
    assert got == pytest.approx(want, rel=1e-9)


@laws
@given(params=params_strategy, n=renewals, rate=st.floats(-8, 1), t=st.integers(0, 6000))
def test_the_value_within_a_horizon_is_a_sum(params: Params, n: int, rate: float, t: int) -> None:
    rate, k = 10.0**rate, np.arange(1.0, t + 1)
    terms = bdw.survival_ahead(params, n, k) * np.exp(-rate * (k - 1))
    got = float(bdw.residual_lifetime_value(params, n, rate, t))
    assert got == pytest.approx(math.fsum(terms), rel=1e-10)
    new = float(bdw.lifetime_value(params, rate, t))
    later = float(bdw.residual_lifetime_value(params, 0, rate, max(t - 1, 0)))
    assert new == pytest.approx(1 + math.exp(-rate) * later if t else 0.0, rel=1e-12)


@pytest.mark.parametrize(
    ("params", "n"), [(Params(1.5, 2.0, 0.8), 0), (Params(3.0, 0.5, 0.5), 3), (Params(0.6, 1.2, 2.0), 0)]
)
def test_the_expected_lifetime_is_the_sum_of_survivors(params: Params, n: int) -> None:
    """Term by term to 2,000, then Euler and Maclaurin, the integral over log k and its power law."""
    with mp.workdps(60):
        shape = tuple(map(mp.mpf, params))
        start = exact_log_survival(*shape, n)

        def survivor(k: mp.mpf) -> mp.mpf:
            return mp.exp(exact_log_survival(*shape, n + k) - start)

        last = mp.mpf(2000)
        ends = [mp.log(last) + step for step in (0, 2, 4, 8, 16, 24, 32)]
        # beyond it a power law
        far, slope = mp.exp(ends[-1]), shape[0] * shape[2] - 1
        want = sum(survivor(k) for k in range(1, 2000)) + survivor(last) / 2 - mp.diff(survivor, last) / 12
        want += mp.quad(lambda u: mp.exp(u) * survivor(mp.exp(u)), ends) + far * survivor(far) / slope
    got = float(bdw.expected_residual_lifetime(params, n))
    assert got == pytest.approx(float(want), rel=1e-9)
    nearly_free = float(bdw.residual_lifetime_value(params, n, 1e-12))
    assert nearly_free == pytest.approx(got, rel=1e-2)


def test_the_expected_lifetime_exists_where_survival_falls_fast_enough() -> None:
    assert np.isinf(bdw.expected_residual_lifetime(Params(0.5, 1.0, 2.0), 3))
    assert np.isinf(bdw.expected_residual_lifetime(Params(2.0, 1.0, 0.4), 0))
    assert np.isfinite(bdw.expected_residual_lifetime(Params(0.5, 1.0, 2.001), 3))


def test_the_simulation_cancels_as_the_formulas_say() -> None:
    rng, n = np.random.default_rng(2), 40_000
    when = bdw.simulate(RESTLESS, np.full(n, 3.0), 6, random_state=rng)
    assert when.min() == 4.0
    assert when[np.isfinite(when)].max() == 9.0
    for t in (1, 3, 6):
        p = float(bdw.churn_probability(RESTLESS, 3, t))
        assert abs((when <= 3 + t).mean() - p) < 4 * math.sqrt(p * (1 - p) / n)


def test_parameters_broadcast_like_customers() -> None:
    draws = Params(np.array([[0.5], [2.7]]), np.array([[2.0], [4.0]]), np.array([[1.1], [0.8]]))
    n = np.array([0.0, 3.0, 9.0])
    for function, extra, tail in [
        (bdw.log_likelihood, (True,), ()), (bdw.gradient, (False,), (3,)), (bdw.hessian, (True,), (3, 3)),
        (bdw.survival_ahead, (3,), ()), (bdw.residual_lifetime_value, (0.1,), ()),
        (bdw.residual_lifetime_value, (0.0,), ()),
    ]:  # fmt: skip
        together = function(draws, n, *extra)
        assert together.shape == (2, 3, *tail)
        np.testing.assert_allclose(together[1, 2], function(Params(2.7, 4.0, 0.8), 9.0, *extra), rtol=1e-12)
        assert function(RESTLESS, [], *extra).shape == (0, *tail)
