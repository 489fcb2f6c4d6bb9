"""Gamma-gamma's formulas against integrals and the laws they must obey."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics import gamma_gamma
from habitue.numerics.gamma_gamma import Params

CDNOW = Params(6.25, 3.74, 15.44)

params_strategy = st.builds(Params, st.floats(0.05, 100), st.floats(1.05, 100), st.floats(0.01, 1e4))
customers_strategy = st.tuples(st.integers(1, 500), st.floats(0.01, 1e5))
laws = settings(deadline=None, max_examples=80)


@pytest.mark.parametrize(("x", "m"), [(1, 11.77), (2, 22.35), (7, 73.74)])
def test_the_likelihood_is_the_story_integrated(x: int, m: float) -> None:
    """The mean of x amounts Gamma(p, nu) is Gamma(p x, nu x); nu ~ Gamma(q, v) is not known."""
    p, q, v = CDNOW

    def story(rate: mp.mpf) -> mp.mpf:
        prior = v**q * rate ** (q - 1) * mp.exp(-v * rate) / mp.gamma(q)
        return prior * (rate * x) ** (p * x) * m ** (p * x - 1) * mp.exp(-rate * x * m) / mp.gamma(p * x)

    density = mp.quad(story, [0, 0.1, 0.3, 1, 5])
    assert float(gamma_gamma.log_likelihood(CDNOW, x, m)) == pytest.approx(float(mp.log(density)), abs=1e-10)


@laws
@given(params=params_strategy, customer=customers_strategy)
def test_the_likelihood_equals_forty_digits(params: Params, customer: tuple[int, float]) -> None:
    with mp.workdps(40):
        p, q, v, x, m = map(mp.mpf, (*params, *customer))
        want = mp.loggamma(p * x + q) - mp.loggamma(p * x) - mp.loggamma(q) + q * mp.log(v)
        want += (p * x - 1) * mp.log(m) + p * x * mp.log(x) - (p * x + q) * mp.log(x * m + v)
    # lgamma of up to 5e4 * log is known to 1e-16 of itself
    assert float(gamma_gamma.log_likelihood(params, *customer)) == pytest.approx(
        float(want), rel=1e-8, abs=1e-8
    )


@laws
@given(params=params_strategy, customer=customers_strategy)
def test_gradient_equals_the_difference_quotient(params: Params, customer: tuple[int, float]) -> None:
    gradient = gamma_gamma.gradient(params, *customer)
    for i, value in enumerate(params):
        h = 1e-5 * value
        up, down = (params._replace(**{params._fields[i]: value + s * h}) for s in (1, -1))
        ahead, behind = (gamma_gamma.log_likelihood(p, *customer) for p in (up, down))
        noise = 1e-15 * (abs(float(ahead)) + 5e5) / h
        assert float(gradient[i]) == pytest.approx(
            float((ahead - behind) / (2 * h)), rel=1e-5, abs=noise + 1e-7
        )


@laws
@given(params=params_strategy, customer=customers_strategy)
def test_expected_spend_lies_between_the_own_mean_and_that_of_all(
    params: Params, customer: tuple[int, float]
) -> None:
    of_all = params.p * params.v / (params.q - 1)
    ends = sorted([of_all, customer[1]])
    got = float(gamma_gamma.expected_spend(params, *customer))
    assert ends[0] * (1 - 1e-12) <= got <= ends[1] * (1 + 1e-12)
    assert float(gamma_gamma.expected_spend(params, 0, math.nan)) == pytest.approx(of_all, rel=1e-12)


@laws
@given(params=params_strategy, customer=customers_strategy, c=st.floats(0.01, 1000))
def test_a_change_of_currency_scales_only_money(
    params: Params, customer: tuple[int, float], c: float
) -> None:
    x, m = customer
    other = params._replace(v=c * params.v)
    want = c * float(gamma_gamma.expected_spend(params, x, m))
    assert float(gamma_gamma.expected_spend(other, x, c * m)) == pytest.approx(want, rel=1e-10)
    want = float(gamma_gamma.log_likelihood(params, x, m)) - math.log(c)
    assert float(gamma_gamma.log_likelihood(other, x, c * m)) == pytest.approx(want, rel=1e-8, abs=1e-8)


def test_the_mean_over_customers_is_the_mean_of_their_expectations() -> None:
    rng = np.random.default_rng(5)
    n, (p, q, v) = 40_000, CDNOW
    x = rng.integers(1, 6, n)
    m = rng.gamma(p * x) / (x * rng.gamma(q, 1 / v, n))
    spend = gamma_gamma.expected_spend(CDNOW, x, m)
    assert abs(spend.mean() - p * v / (q - 1)) < 4 * spend.std() / math.sqrt(n)


def test_the_mean_over_customers_is_infinite_from_q_1_down() -> None:
    heavy = Params(2.0, 1.0, 10.0)
    assert gamma_gamma.expected_spend(heavy, [0, 1], [math.nan, 5.0]).tolist() == [math.inf, 15.0]
    assert gamma_gamma.expected_spend(Params(0.2, 0.5, 10.0), [0, 1], [0.0, 5.0]).tolist() == [math.inf] * 2


def amounts_of(params: Params, x: int, seed: int) -> np.ndarray:
    """Return amounts of one customer drawn from the story."""
    rng = np.random.default_rng(seed)
    return np.maximum(rng.gamma(params.p, size=x), 1e-200) * params.v / max(rng.gamma(params.q), 1e-3)


@settings(deadline=None, max_examples=20)
@given(params=params_strategy, x=st.integers(1, 300), seed=st.integers(0, 99))
def test_the_likelihood_of_amounts_equals_forty_digits(params: Params, x: int, seed: int) -> None:
    z = amounts_of(params, x, seed)
    mean, mean_log = float(z.mean()), float(np.log(z).mean())
    with mp.workdps(40):

        def exact(p: mp.mpf, q: mp.mpf, v: mp.mpf) -> mp.mpf:
            density = mp.loggamma(p * x + q) - x * mp.loggamma(p) - mp.loggamma(q) + q * mp.log(v)
            return density + (p - 1) * x * mp.mpf(mean_log) - (p * x + q) * mp.log(v + x * mp.mpf(mean))

        at = tuple(map(mp.mpf, params))
        want = float(exact(*at))
        orders = [tuple(int(i == j) for j in range(3)) for i in range(3)]
        slopes = [float(mp.diff(exact, at, order)) for order in orders]
        bends = [
            float(mp.diff(exact, at, tuple(a + b for a, b in zip(i, j, strict=True))))
            for i in orders
            for j in orders
        ]
    noise = 1e-15 * (params.p + 1) * x * (abs(mean_log) + 10)
    customer = (x, mean, mean_log)
    got = float(gamma_gamma.log_likelihood_of_amounts(params, *customer))
    assert got == pytest.approx(want, rel=1e-10, abs=1e-10 + noise)
    scale = np.array(params)
    gradient = gamma_gamma.gradient_of_amounts(params, *customer) * scale
    np.testing.assert_allclose(gradient, slopes * scale, rtol=1e-9, atol=1e-9 + noise)
    hessian = gamma_gamma.hessian_of_amounts(params, *customer) * np.outer(scale, scale)
    wanted = np.reshape(bends, (3, 3)) * np.outer(scale, scale)
    np.testing.assert_allclose(hessian, wanted, rtol=1e-9, atol=1e-8 + noise)


@settings(deadline=None, max_examples=20)
@given(params=params_strategy, customer=customers_strategy)
def test_the_hessian_is_the_derivative_of_the_gradient(params: Params, customer: tuple[int, float]) -> None:
    scale, (x, m) = np.array(params), customer
    with mp.workdps(40):

        def exact(p: mp.mpf, q: mp.mpf, v: mp.mpf) -> mp.mpf:
            total = x * mp.mpf(m)
            density = mp.loggamma(p * x + q) - mp.loggamma(p * x) - mp.loggamma(q) + q * mp.log(v)
            return density + p * x * mp.log(total) - (p * x + q) * mp.log(total + v) - mp.log(m)

        at = tuple(map(mp.mpf, params))
        orders = [[int(i == j) + int(i == k) for i in range(3)] for j in range(3) for k in range(3)]
        want = np.reshape([float(mp.diff(exact, at, tuple(order))) for order in orders], (3, 3))
    got = gamma_gamma.hessian(params, x, m)
    np.testing.assert_allclose(
        got * np.outer(scale, scale), want * np.outer(scale, scale), rtol=1e-9, atol=1e-8
    )


def test_the_amounts_say_what_their_mean_says_and_how_it_is_shared() -> None:
    """With one visit there is nothing to share; with two, sharing integrates to one."""
    one = gamma_gamma.log_likelihood_of_amounts(CDNOW, 1, 20.0, math.log(20.0))
    assert float(one) == pytest.approx(float(gamma_gamma.log_likelihood(CDNOW, 1, 20.0)), abs=1e-13)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    first = 20.0 * (nodes + 1.0)  # of two amounts with mean 20
    logs = 0.5 * (np.log(first) + np.log(40.0 - first))
    density = np.exp(gamma_gamma.log_likelihood_of_amounts(CDNOW, 2, 20.0, logs))
    of_mean = float(np.exp(gamma_gamma.log_likelihood(CDNOW, 2, 20.0)))
    assert 2.0 * 20.0 * float(weights @ density) == pytest.approx(of_mean, rel=1e-10)


@laws
@given(params=params_strategy, customer=customers_strategy, probability=st.floats(1e-6, 1 - 1e-6))
def test_quantiles_undo_the_distribution(
    params: Params, customer: tuple[int, float], probability: float
) -> None:
    spend = gamma_gamma.spend_quantile(params, *customer, probability)
    assert float(gamma_gamma.spend_cdf(params, *customer, spend)) == pytest.approx(probability, rel=1e-8)


def test_the_mean_of_the_distribution_is_expected_spend() -> None:
    probability = (np.arange(200_000) + 0.5) / 200_000
    spend = gamma_gamma.spend_quantile(CDNOW, 7, 73.74, probability)
    want = float(gamma_gamma.expected_spend(CDNOW, 7, 73.74))
    assert float(spend.mean()) == pytest.approx(want, rel=1e-5)
    assert np.isinf(gamma_gamma.spend_quantile(Params(1.0, 1e-6, 1.0), 0, math.nan, 0.5))


def test_simulated_amounts_follow_what_is_known_of_each_customer() -> None:
    rng, n = np.random.default_rng(6), 20_000
    x, m = np.tile([0.0, 7.0], n), np.tile([math.nan, 73.74], n)
    customer = np.repeat(np.arange(2 * n), 2)
    pairs = gamma_gamma.simulate_amounts(CDNOW, x, m, customer, random_state=rng).reshape(n, 2, 2)
    want = gamma_gamma.expected_spend(CDNOW, [0, 7], 73.74)
    error = pairs.mean(axis=2).std(axis=0) / math.sqrt(n)
    assert (np.abs(pairs.mean(axis=(0, 2)) - want) < 4 * error).all()
    assert np.corrcoef(np.log(pairs[:, 0]).T)[0, 1] > 0.3  # visits of one customer resemble each other
    assert gamma_gamma.simulate_amounts(CDNOW, x, m, [], random_state=rng).shape == (0,)


def test_everything_is_finite_over_wide_ranges() -> None:
    x, m = np.array([1.0, 3.0, 10_000.0])[:, None], np.array([1e-6, 1.0, 1e9])
    for p in (1e-3, 1.0, 1e3):
        for q in (1e-3, 1.0, 1e3):
            for v in (1e-6, 1.0, 1e9):
                params = Params(p, q, v)
                for function in (gamma_gamma.log_likelihood, gamma_gamma.gradient, gamma_gamma.hessian):
                    assert np.isfinite(function(params, x, m)).all(), (function.__name__, params)
                with_logs = gamma_gamma.log_likelihood_of_amounts(params, x, m, np.log(m) - 0.1)
                assert np.isfinite(with_logs).all(), params
                shares = gamma_gamma.spend_cdf(params, x, m, m)
                assert ((shares >= 0) & (shares <= 1)).all(), params


def test_parameters_broadcast_like_customers() -> None:
    draws = Params(*(np.array([[value], [1.3 * value]]) for value in CDNOW))
    other, x, m = (
        Params(*(1.3 * value for value in CDNOW)),
        np.array([1.0, 2.0, 9.0]),
        np.array([3.0, 9.0, 40.0]),
    )
    for function, extra, tail in [
        (gamma_gamma.log_likelihood, (), ()), (gamma_gamma.gradient, (), (3,)),
        (gamma_gamma.hessian, (), (3, 3)), (gamma_gamma.expected_spend, (), ()),
        (gamma_gamma.log_likelihood_of_amounts, (0.9,), ()), (gamma_gamma.gradient_of_amounts, (0.9,), (3,)),
        (gamma_gamma.hessian_of_amounts, (0.9,), (3, 3)), (gamma_gamma.spend_quantile, (0.9,), ()),
    ]:  # fmt: skip
        together = function(draws, x, m, *extra)
        assert together.shape == (2, 3, *tail)
        np.testing.assert_allclose(together[1, 1], function(other, 2.0, 9.0, *extra), rtol=1e-12)
        assert function(CDNOW, [], [], *extra).shape == (0, *tail)
