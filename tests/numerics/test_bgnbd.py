"""BG/NBD's formulas against 40-digit arithmetic and the laws they must obey."""

from __future__ import annotations

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from scipy.integrate import dblquad

from habitue.numerics import bgnbd, purchases_ahead
from habitue.numerics.bgnbd import Params

CDNOW = Params(0.243, 4.414, 0.793, 2.426)


def exact(params: Params, x: int, t_x: float, T: float) -> tuple[mp.mpf, mp.mpf]:
    """Return log-likelihood and log-odds of having left, from the paper's formula."""
    r, alpha, a, b, t_x, T = map(mp.mpf, (*params, t_x, T))
    alive = mp.beta(a, b + x) / mp.beta(a, b) * (alpha + T) ** -(r + x)
    gone = mp.beta(a + 1, b + x - 1) / mp.beta(a, b) * (alpha + t_x) ** -(r + x) if x else mp.mpf(0)
    factor = mp.gammaprod([r + x], [r]) * alpha**r
    return mp.log(factor * (alive + gone)), gone / alive


def exact_expectation(params: Params, x: int, t_x: float, T: float, t: float) -> mp.mpf:
    """Return equation (10) after Euler's transform, at 60 digits; a = 1 as a limit."""
    with mp.workdps(60):
        r, alpha, a, b, T_, t_ = map(mp.mpf, (*params, T, t))
        if a == 1:
            a += mp.mpf(10) ** -30
        c = a + b + x - 1
        if c == 0:
            c += mp.mpf(10) ** -30
        z = t_ / (alpha + T_ + t_)
        bought = c / (a - 1) * (1 - (1 - z) ** (a - 1) * mp.hyp2f1(c - r - x, a - 1, c, z))
        return bought / (1 + exact(params, x, t_x, T)[1])


def stress_grid() -> list[tuple[Params, int, float, float, float]]:
    """Return histories and parameters at the edges: x to 1e4, T to 1e5, a from 1e-6, t from 1e-6 to 1e5."""
    shapes = [
        (1e-6, 2.4),
        (1e-6, 1e-3),
        (0.3, 0.5),
        (0.4, 0.6),
        (1.0, 2.5),
        (1.0, 1e-3),
        (1.0003, 7.0),
        (11.9, 0.3),
    ]
    histories = [
        (0, 0.0, 0.0), (0, 0.0, 1e5), (1, 0.0, 3.0), (1, 2.0, 300.0), (7, 250.0, 272.0), (60, 30.0, 39.0),
        (400, 9e4, 1e5), (3000, 999.0, 1000.0), (10_000, 1e5, 1e5), (10_000, 9.9e4, 1e5),
    ]  # fmt: skip
    rates = [(0.05, 0.5), (0.25, 30.0), (40.0, 1000.0)]
    aheads = [1e-6, 1.0, 365.0, 1e5]
    everything = itertools.product(rates, shapes, histories, aheads)
    return [(Params(r, al, a, b), *history, t) for (r, al), (a, b), history, t in everything]


STRESS = stress_grid()
SAMPLED = STRESS[:: len(STRESS) // 160]  # every seventh or so, across all the lists


def test_expected_purchases_equals_forty_digits_on_the_stress_grid() -> None:
    for params, x, t_x, T, t in SAMPLED:
        want = exact_expectation(params, x, t_x, T, t)
        got = float(bgnbd.expected_purchases(params, x, t_x, T, t))
        assert got == pytest.approx(float(want), rel=1e-8, abs=1e-290), (params, x, t_x, T, t)


def test_both_ways_of_integrating_are_used_by_the_stress_grid() -> None:
    smooth = {
        bool(
            purchases_ahead._is_smooth(np.array(p.r + x), p.a, np.array(p.b + x), np.array(t / (p.alpha + T)))
        )
        for p, x, _, T, t in SAMPLED
    }
    assert smooth == {True, False}


def test_likelihood_and_probabilities_equal_forty_digits_on_the_stress_grid() -> None:
    with mp.workdps(40):
        for params, x, t_x, T, t in SAMPLED:
            now, odds = exact(params, x, t_x, T)
            where = (params, x, t_x, T, t)
            assert float(bgnbd.log_likelihood(params, x, t_x, T)) == pytest.approx(
                float(now), rel=1e-9, abs=1e-9
            ), where
            alive = float(1 / (1 + odds))
            assert float(bgnbd.p_alive(params, x, t_x, T)) == pytest.approx(alive, rel=1e-8, abs=1e-290), (
                where
            )
            # T + t in 53 bits would lose digits of t
            later, _ = exact(params, x, t_x, mp.mpf(T) + mp.mpf(t))
            silent = float(mp.exp(later - now))
            assert float(bgnbd.p_no_purchase(params, x, t_x, T, t)) == pytest.approx(
                silent, rel=1e-8, abs=1e-290
            ), where


def test_everything_is_finite_on_the_whole_stress_grid() -> None:
    for params, group in itertools.groupby(STRESS, key=lambda case: case[0]):
        x, t_x, T, t = np.array([case[1:] for case in group]).T
        for function in (bgnbd.log_likelihood, bgnbd.gradient, bgnbd.p_alive):
            assert np.isfinite(function(params, x, t_x, T)).all(), (function.__name__, params)
        for function in (bgnbd.expected_purchases, bgnbd.p_no_purchase):
            assert np.isfinite(function(params, x, t_x, T, t)).all(), (function.__name__, params)


def test_the_likelihood_is_the_story_integrated() -> None:
    """lambda ~ Gamma, p ~ Beta; two purchases, then silence because of p or of chance."""
    r, alpha, a, b = CDNOW

    def story(rate: float, p: float) -> float:
        prior = math.exp(-alpha * rate) * alpha**r * rate ** (r - 1) / special.gamma(r)
        prior *= p ** (a - 1) * (1 - p) ** (b - 1) / special.beta(a, b)
        silence = (1 - p) * math.exp(-rate * 38.86) + p * math.exp(-rate * 30.43)
        return prior * rate**2 * (1 - p) * silence

    # p = u^5 takes the singularity of p^(a - 1) at zero away
    got, _ = dblquad(lambda rate, u: story(rate, u**5) * 5 * u**4, 0, 1, 0, 4, epsabs=0, epsrel=1e-9)
    assert float(bgnbd.log_likelihood(CDNOW, 2, 30.43, 38.86)) == pytest.approx(math.log(got), abs=1e-8)


@pytest.mark.parametrize("t", [1.0, 39.0, 1000.0])
def test_expected_purchases_is_the_mean_over_what_is_not_known(t: float) -> None:
    """Given lambda, p and alive the mean is (1 - e^(-lambda p t)) / p; integrate over their posterior."""
    r, alpha, a, b = CDNOW
    x, t_x, T = 2, 30.43, 38.86
    scale = (alpha + T) ** (r + x) / special.gamma(r + x) / special.beta(a, b + x)

    def mean(rate: float, p: float) -> float:
        density = scale * rate ** (r + x - 1) * math.exp(-rate * (alpha + T)) * (1 - p) ** (b + x - 1)
        return density * p ** (a - 2) * -math.expm1(-rate * p * t)

    want, _ = dblquad(lambda rate, u: mean(rate, u**5) * 5 * u**4, 0, 1, 0, 1.5, epsabs=0, epsrel=1e-9)
    got = bgnbd.expected_purchases(CDNOW, x, t_x, T, t) / bgnbd.p_alive(CDNOW, x, t_x, T)
    assert float(got) == pytest.approx(want, rel=1e-8)


params_strategy = st.builds(
    Params, st.floats(0.01, 20), st.floats(0.1, 500), st.floats(1e-3, 30), st.floats(1e-3, 200)
)
histories_strategy = st.tuples(st.integers(0, 400), st.floats(0, 1), st.floats(0, 3000)).map(
    lambda h: (h[0], h[1] * h[2] if h[0] else 0.0, h[2])
)
laws = settings(deadline=None, max_examples=80)


@laws
@given(params=params_strategy, history=histories_strategy)
def test_gradient_equals_the_difference_quotient(params: Params, history: tuple[int, float, float]) -> None:
    gradient = bgnbd.gradient(params, *history)
    for i, value in enumerate(params):
        h = 1e-5 * value
        up, down = (params._replace(**{params._fields[i]: value + s * h}) for s in (1, -1))
        ahead, behind = (bgnbd.log_likelihood(p, *history) for p in (up, down))
        noise = 1e-15 * (abs(float(ahead)) + 3000.0) / h
        assert float(gradient[i]) == pytest.approx(
            float((ahead - behind) / (2 * h)), rel=1e-5, abs=noise + 1e-7
        )


@laws
@given(params=params_strategy, history=histories_strategy)
def test_p_alive_is_a_probability_and_certain_without_repeat(
    params: Params, history: tuple[int, float, float]
) -> None:
    assert 0.0 <= float(bgnbd.p_alive(params, *history)) <= 1.0
    assert float(bgnbd.p_alive(params, 0, 0.0, history[2])) == 1.0


@laws
@given(params=params_strategy, history=histories_strategy)
def test_time_ahead_only_adds_purchases_and_takes_silence_away(
    params: Params, history: tuple[int, float, float]
) -> None:
    t = np.array([0.0, 1e-6, 0.01, 1.0, 10.0, 100.0, 365.0, 1e4, 1e5])
    bought = bgnbd.expected_purchases(params, *history, t)
    silent = bgnbd.p_no_purchase(params, *history, t)
    assert bought[0] == 0.0
    assert silent[0] == pytest.approx(1.0, abs=1e-15)
    assert (np.diff(bought) >= -1e-9 * bought[1:]).all()
    assert (np.diff(silent) <= 1e-15).all()
    assert ((silent >= 0) & (silent <= 1 + 1e-15)).all()
    assert (silent >= 1.0 - bought * (1 + 1e-9) - 1e-14).all()
    assert (silent >= 1.0 - bgnbd.p_alive(params, *history) - 1e-14).all()


@laws
@given(params=params_strategy, history=histories_strategy, t=st.floats(1e-3, 1e4))
def test_silence_is_the_ratio_of_likelihoods(
    params: Params, history: tuple[int, float, float], t: float
) -> None:
    x, t_x, T = history
    later = bgnbd.log_likelihood(params, x, t_x, T + t)
    ratio = math.exp(float(later - bgnbd.log_likelihood(params, *history)))
    assert float(bgnbd.p_no_purchase(params, *history, t)) == pytest.approx(ratio, rel=1e-9)


@laws
@given(params=params_strategy, history=histories_strategy, c=st.floats(0.01, 100), t=st.floats(0.1, 1000))
def test_a_change_of_the_unit_of_time_changes_no_answer(
    params: Params, history: tuple[int, float, float], c: float, t: float
) -> None:
    x, t_x, T = history
    other, times = params._replace(alpha=c * params.alpha), (x, min(c * t_x, c * T), c * T)
    for function in (bgnbd.expected_purchases, bgnbd.p_no_purchase):
        want = float(function(params, *history, t))
        assert float(function(other, *times, c * t)) == pytest.approx(want, rel=1e-7, abs=1e-250)
    want = float(bgnbd.log_likelihood(params, *history)) - x * math.log(c)
    assert float(bgnbd.log_likelihood(other, *times)) == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_a_new_customer_is_one_just_seen_for_the_first_time() -> None:
    t = np.array([0.1, 10.0, 1000.0])
    r, alpha, a, b = CDNOW
    # equation (9), by 2F1
    want = [
        float(
            (a + b - 1)
            / (a - 1)
            * (1 - (alpha / (alpha + s)) ** r * mp.hyp2f1(r, b, a + b - 1, s / (alpha + s)))
        )
        for s in t
    ]
    np.testing.assert_allclose(bgnbd.expected_purchases_new(CDNOW, t), want, rtol=1e-10)


def test_the_mean_purchases_of_the_posterior_continue_those_of_the_prior() -> None:
    """E over histories to T of what comes in (T, T + t] is what new customers make in T + t less in T."""
    rng = np.random.default_rng(3)
    params, T, t, n = Params(0.6, 20.0, 0.8, 2.5), 100.0, 80.0, 40_000
    rate, p = rng.gamma(params.r, 1 / params.alpha, n), rng.beta(params.a, params.b, n)
    x, t_x, now, alive = np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n, dtype=bool)
    while alive.any():
        now = now + rng.exponential(1 / rate)
        alive &= now <= T
        x, t_x = x + alive, np.where(alive, now, t_x)
        alive &= rng.random(n) > p
    predicted = bgnbd.expected_purchases(params, x, t_x, T, t)
    want = bgnbd.expected_purchases_new(params, T + t) - bgnbd.expected_purchases_new(params, T)
    assert abs(predicted.mean() - want) < 4 * predicted.std() / math.sqrt(n)


def test_one_customer_at_a_time_is_the_same_as_many_at_once() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 12, 40).astype(float)
    T = rng.uniform(5, 400, 40)
    t_x = np.where(x > 0, T * rng.random(40), 0.0)
    for function, extra in [
        (bgnbd.log_likelihood, ()), (bgnbd.gradient, ()), (bgnbd.p_alive, ()),
        (bgnbd.expected_purchases, (200.0,)), (bgnbd.p_no_purchase, (200.0,)),
    ]:  # fmt: skip
        together = function(CDNOW, x, t_x, T, *extra)
        alone = [function(CDNOW, *row, *extra) for row in zip(x, t_x, T, strict=True)]
        np.testing.assert_allclose(together, alone, rtol=1e-13, atol=1e-300)


def test_shapes_follow_broadcasting() -> None:
    assert bgnbd.expected_purchases(CDNOW, [[1], [2]], [[3.0], [4.0]], 39.0, [1.0, 2.0, 3.0]).shape == (2, 3)
    assert bgnbd.gradient(CDNOW, [], [], []).shape == (0, 4)
    assert bgnbd.expected_purchases(CDNOW, [], [], [], 7.0).shape == (0,)
