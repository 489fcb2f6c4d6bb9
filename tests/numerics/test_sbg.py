"""sBG's formulas against sums taken term by term and the laws they must obey."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics import sbg
from habitue.numerics.sbg import Params

HIGH_END = Params(0.668, 3.806)

laws = settings(deadline=None, max_examples=60)
size = st.floats(-6, 4).map(lambda e: 10.0**e)
params_strategy = st.builds(Params, size, size)
renewals = st.floats(0, 4).map(lambda e: int(10.0**e) - 1)


def exact_value(params: Params, n: int, rate: float) -> mp.mpf:
    """Return the value before a renewal as a sum, or by the connection formula of 2F1 at its singularity."""
    alpha, beta, r = map(mp.mpf, (*params, rate))
    beta += n
    if rate > 0.03:
        with mp.workdps(25):
            total, term, k = mp.mpf(0), beta / (alpha + beta), 1
            while term > total * mp.mpf(10) ** -18:
                total += term
                term *= mp.exp(-r) * (beta + k) / (alpha + beta + k)
                k += 1
            return total
    with mp.workdps(int(130 + float(beta) * rate + float(alpha))):
        q, w, b, a = mp.exp(-r), -mp.expm1(-r), beta + 1, alpha
        a += mp.mpf(10) ** -25 if a == mp.nint(a) else 0
        value = (a + b - 1) / (a - 1) * mp.hyp2f1(1, b, 2 - a, w)
        value += w ** (a - 1) * mp.gammaprod([a + b, 1 - a], [b]) * q ** (1 - a - b)
        return beta / (alpha + beta) * value


@pytest.mark.parametrize("alpha", [1e-6, 0.3, 1.0, 1.7, 2.0, 40.0])
@pytest.mark.parametrize("rate", [1e-8, 1e-3, 0.1, 10.0])
def test_the_value_for_ever_equals_many_digits(alpha: float, rate: float) -> None:
    for beta, n in [(1e-6, 0), (0.5, 3), (3.8, 400), (50.0, 9999)]:
        want = float(exact_value(Params(alpha, beta), n, rate))
        got = float(sbg.residual_lifetime_value(Params(alpha, beta), n, rate))
        assert got == pytest.approx(want, rel=1e-10), (alpha, beta, n, rate)


@laws
@given(params=params_strategy, n=renewals, rate=st.floats(-8, 1), t=st.integers(0, 6000))
def test_the_value_within_a_horizon_is_a_sum(params: Params, n: int, rate: float, t: int) -> None:
    rate = 10.0**rate
    k = np.arange(1.0, t + 1)
    terms = sbg.survival_ahead(params, n, k) * np.exp(-rate * (k - 1))
    got = float(sbg.residual_lifetime_value(params, n, rate, t))
    assert got == pytest.approx(math.fsum(terms), rel=1e-10)
    assert got <= float(sbg.residual_lifetime_value(params, n, rate)) * (1 + 1e-10)


@laws
@given(params=params_strategy, n=renewals, rate=st.floats(-8, 1))
def test_a_customers_value_is_the_next_renewal_and_what_follows(params: Params, n: int, rate: float) -> None:
    rate = 10.0**rate
    now, later = (float(sbg.residual_lifetime_value(params, m, rate)) for m in (n, n + 1))
    want = float(sbg.retention_rate(params, n + 1)) * (1 + math.exp(-rate) * later)
    assert now == pytest.approx(want, rel=1e-10)
    new = 1 + math.exp(-rate) * float(sbg.residual_lifetime_value(params, 0, rate))
    assert float(sbg.lifetime_value(params, rate)) == pytest.approx(new, rel=1e-10)


@laws
@given(params=params_strategy, n=renewals, t=st.integers(0, 100_000))
def test_survival_and_churn_equal_many_digits(params: Params, n: int, t: int) -> None:
    with mp.workdps(60):
        a, b = map(mp.mpf, params)
        survival = mp.gammaprod([b + n + t, a + b + n], [b + n, a + b + n + t])
        churn = float(1 - survival)
        survival = float(survival)
    assert float(sbg.survival_ahead(params, n, t)) == pytest.approx(survival, rel=1e-8, abs=1e-300)
    assert float(sbg.churn_probability(params, n, t)) == pytest.approx(churn, rel=1e-12)


@laws
@given(params=params_strategy)
def test_every_new_customer_cancels_once_or_stays(params: Params) -> None:
    n = np.arange(50)
    ends = np.exp(sbg.log_likelihood(params, n, True)).sum()
    assert ends + float(sbg.survival(params, 50)) == pytest.approx(1.0, abs=1e-13)
    rates = sbg.retention_rate(params, n + 1)
    assert (np.diff(rates) >= 0).all()
    np.testing.assert_allclose(np.cumprod(rates), sbg.survival(params, n + 1), rtol=1e-10)


@laws
@given(params=params_strategy, n=renewals, churned=st.booleans())
def test_gradient_and_hessian_are_derivatives(params: Params, n: int, churned: bool) -> None:
    with mp.workdps(50):

        def exact(a: mp.mpf, b: mp.mpf) -> mp.mpf:
            both = mp.loggamma(b + n) + mp.loggamma(a + b) - mp.loggamma(b) - mp.loggamma(a + b + n)
            return both + (mp.log(a / (a + b + n)) if churned else 0)

        at = tuple(map(mp.mpf, params))
        for i in range(2):
            order = tuple(int(i == j) for j in range(2))
            scale = 1e-9 / params[i]
            want = float(mp.diff(exact, at, order))
            assert float(sbg.gradient(params, n, churned)[i]) == pytest.approx(want, rel=1e-9, abs=scale)
            for j in range(2):
                twice = tuple(o + int(j == k) for k, o in enumerate(order))
                want = float(mp.diff(exact, at, twice))
                got = float(sbg.hessian(params, n, churned)[i, j])
                assert got == pytest.approx(want, rel=1e-8, abs=1e-6 * scale / params[j])


def test_the_expected_lifetime_is_the_value_of_undiscounted_payments() -> None:
    params = Params(1.3, 5.0)
    got = sbg.expected_residual_lifetime(params, [0, 7])
    np.testing.assert_allclose(got, sbg.residual_lifetime_value(params, [0, 7], 0.0), rtol=1e-13)
    np.testing.assert_allclose(got, [5.0 / 0.3, 12.0 / 0.3], rtol=1e-13)
    for function in (sbg.expected_residual_lifetime, lambda p, n: sbg.residual_lifetime_value(p, n, 0.0)):
        assert np.isinf(function(Params(1.0, 5.0), 3))


def test_the_simulation_cancels_as_the_formulas_say() -> None:
    rng, n = np.random.default_rng(1), 40_000
    when = sbg.simulate(HIGH_END, np.full(n, 3.0), 6, random_state=rng)
    assert when.min() == 4.0
    assert when[np.isfinite(when)].max() == 9.0
    for t in (1, 3, 6):
        p = float(sbg.churn_probability(HIGH_END, 3, t))
        assert abs((when <= 3 + t).mean() - p) < 4 * math.sqrt(p * (1 - p) / n)
    assert np.isinf(sbg.simulate(Params(1e-6, 1e6), np.zeros(9), 5, random_state=rng)).all()


def test_parameters_broadcast_like_customers() -> None:
    draws = Params(np.array([[0.5], [0.7]]), np.array([[2.0], [4.0]]))
    n = np.array([0.0, 3.0, 9.0])
    for function, extra, tail in [
        (sbg.log_likelihood, (True,), ()), (sbg.gradient, (False,), (2,)), (sbg.hessian, (True,), (2, 2)),
        (sbg.survival_ahead, (3,), ()), (sbg.residual_lifetime_value, (0.1,), ()),
    ]:  # fmt: skip
        together = function(draws, n, *extra)
        assert together.shape == (2, 3, *tail)
        alone = function(Params(0.7, 4.0), 9.0, *extra)
        np.testing.assert_allclose(together[1, 2], alone, rtol=1e-12)
        assert function(HIGH_END, [], *extra).shape == (0, *tail)
