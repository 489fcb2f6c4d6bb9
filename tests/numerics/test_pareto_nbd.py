"""Pareto/NBD's formulas against 30-digit arithmetic and the laws they must obey."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special
from scipy.integrate import quad

from habitue.numerics import nbd, pareto_nbd
from habitue.numerics.panels import on_panels, resolve
from habitue.numerics.pareto_nbd import Params
from habitue.numerics.purchases import histories
from habitue.numerics.silent_futures import FALLS
from habitue.numerics.silent_leaving import silent_integral

CDNOW = Params(0.553, 10.578, 0.606, 11.669)

# Every function of histories, with what it wants besides: t, n, rate.
ANSWERS: list[tuple[Callable[..., np.ndarray], tuple[float, ...]]] = [
    (pareto_nbd.log_likelihood, ()),
    (pareto_nbd.gradient, ()),
    (pareto_nbd.hessian, ()),
    (pareto_nbd.p_alive, ()),
    (pareto_nbd.p_alive_at, (90.0,)),
    (pareto_nbd.p_no_purchase, (90.0,)),
    (pareto_nbd.expected_purchases, (90.0,)),
    (pareto_nbd.purchase_pmf, (90.0, 3.0)),
    (pareto_nbd.residual_transactions, (0.001,)),
    (pareto_nbd.discounted_purchases, (90.0, 0.001)),
]


def integral(function: Callable[[mp.mpf], mp.mpf], low: mp.mpf, high: mp.mpf, *scales: mp.mpf) -> mp.mpf:
    """Integrate what varies at the scales given, by 30-digit quadrature between powers of them."""
    if high == low:
        return mp.mpf(0)
    inside = {low + c * mp.mpf(8) ** i for c in scales for i in range(-4, 16)}
    return mp.quad(function, [low, *sorted(p for p in inside if low < p < high), high], maxdegree=5)


def exact(params: Params, x: int, t_x: float, T: mp.mpf | float) -> tuple[mp.mpf, mp.mpf]:
    """Return log-likelihood and P(alive) from the integral over the moment of leaving."""
    r, alpha, s, beta, t_x, T = map(mp.mpf, (*params, t_x, T))
    k, base = r + x, -(r + x) * mp.log(alpha + t_x) - s * mp.log(beta + t_x)
    alive = mp.exp(-k * mp.log(alpha + T) - s * mp.log(beta + T) - base)
    scales = ((alpha + t_x) / (k + 1), (beta + t_x) / (s + 1))
    gone = s * integral(
        lambda y: mp.exp(-k * mp.log(alpha + y) - (s + 1) * mp.log(beta + y) - base), t_x, T, *scales
    )
    counting = mp.loggamma(k) - mp.loggamma(r) + r * mp.log(alpha) + s * mp.log(beta)
    return counting + base + mp.log(alive + gone), alive / (alive + gone)


def exact_future(params: Params, x: int, T: float, t: float, rate: float) -> tuple[mp.mpf, mp.mpf, mp.mpf]:
    """Return expected purchases, discounted to infinity, and discounted within t; of one still there.

    All are integrals over the survival function.
    """
    r, alpha, s, beta, T, t, rate = map(mp.mpf, (*params, T, t, rate))
    B, pace = beta + T, (r + x) / (alpha + T)
    scales = (B / (s + 1), 1 / rate)
    expected = integral(lambda u: mp.exp(-s * mp.log1p(u / B)), mp.mpf(0), t, *scales)
    within = integral(lambda u: mp.exp(-rate * u - s * mp.log1p(u / B)), mp.mpf(0), t, *scales)
    forever = integral(lambda u: mp.exp(-rate * u - s * mp.log1p(u / B)), mp.mpf(0), 70 / rate, *scales)
    return pace * expected, pace * forever, pace * within


def exact_pmf(params: Params, x: int, T: float, t: float, n: int) -> mp.mpf:
    """Return P(n purchases within t) of a customer still there: lambda and the moment of leaving out."""
    r, alpha, s, beta, T, t = map(mp.mpf, (*params, T, t))
    k, A, B = r + x, alpha + T, beta + T
    ways = mp.loggamma(k + n) - mp.loggamma(k) - mp.loggamma(n + 1)

    def count(u: mp.mpf) -> mp.mpf:
        return ways - k * mp.log1p(u / A) + (n * mp.log(u / (A + u)) if n else 0)

    def left(u: mp.mpf) -> mp.mpf:
        return count(u) - (s + 1) * mp.log1p(u / B) + mp.log(s / B)

    peaks = [A * (n + 1) / (k + 1), B * (n + 1) / (s + 1), A, B]
    near = [p * mp.exp(mp.mpf(j) / mp.sqrt(n + 1)) for p in peaks for j in (-8, -3, -1, 0, 1, 3, 8)]
    inside = {p * mp.mpf(8) ** i for p in (A, B) for i in range(-4, 14)} | set(near)
    points = [*sorted(p for p in inside if 0 < p < t), t]
    top = max(left(u) + mp.log(u) for u in points)  # mpmath's quadrature stops at an absolute error
    area = mp.quad(lambda u: mp.exp(left(u) - top), [0, *points], maxdegree=6)
    return area * mp.exp(top) + mp.exp(count(t) - s * mp.log1p(t / B))


def stress_grid() -> list[tuple[Params, int, float, float, float]]:
    """Return histories and parameters at the edges: x to 1e4, T to 1e5, s from 1e-6, t from 1e-6 to 1e5."""
    past = [
        (0, 0.0, 0.0), (0, 0.0, 1e-6), (0, 0.0, 1e5), (1, 0.0, 3.0), (1, 2.0, 300.0), (7, 250.0, 272.0),
        (60, 30.0, 39.0), (400, 9e4, 1e5), (3000, 999.0, 1000.0), (10_000, 1e5, 1e5), (10_000, 9.9e4, 1e5),
    ]  # fmt: skip
    rates = [(1e-6, 0.5), (0.25, 30.0), (40.0, 1000.0)]
    lives = [(1e-6, 2.4), (1e-3, 1e-3), (0.6, 30.0), (1.0, 30.0), (1.0 + 1e-9, 5e3), (900.0, 7.0)]
    everything = itertools.product(rates, lives, past, [1e-6, 1.0, 365.0, 1e5])
    return [(Params(r, al, s, be), *history, t) for (r, al), (s, be), history, t in everything]


STRESS = stress_grid()
SAMPLED = STRESS[:: len(STRESS) // 30]


@pytest.mark.slow
def test_the_past_equals_thirty_digits_on_the_stress_grid() -> None:
    with mp.workdps(30):
        for params, x, t_x, T, t in SAMPLED[::2]:
            where = (params, x, t_x, T, t)
            now, alive = exact(params, x, t_x, T)
            got = float(pareto_nbd.log_likelihood(params, x, t_x, T))
            assert got == pytest.approx(float(now), rel=1e-10), where
            got = float(pareto_nbd.p_alive(params, x, t_x, T))
            assert got == pytest.approx(float(alive), rel=1e-10, abs=1e-300), where
            later, _ = exact(params, x, t_x, mp.mpf(T) + mp.mpf(t))
            got = float(pareto_nbd.p_no_purchase(params, x, t_x, T, t))
            assert got == pytest.approx(float(mp.exp(later - now)), rel=1e-10, abs=1e-300), where


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1e-8, 0.003, 2.0])
def test_the_future_equals_thirty_digits_on_the_stress_grid(rate: float) -> None:
    with mp.workdps(30):
        for params, x, t_x, T, t in SAMPLED[::10]:
            where = (params, x, t_x, T, t)
            alive = float(pareto_nbd.p_alive(params, x, t_x, T))
            expected, forever, within = (alive * float(v) for v in exact_future(params, x, T, t, rate))
            history = (params, x, t_x, T)
            got = float(pareto_nbd.expected_purchases(*history, t))
            assert got == pytest.approx(expected, rel=1e-10, abs=1e-300), where
            got = float(pareto_nbd.residual_transactions(*history, rate))
            assert got == pytest.approx(forever, rel=1e-10, abs=1e-300), where
            got = float(pareto_nbd.discounted_purchases(*history, t, rate))
            assert got == pytest.approx(within, rel=1e-10, abs=1e-300), where


@pytest.mark.slow
@pytest.mark.parametrize("n", [0, 1, 40, 3000])
def test_counts_equal_thirty_digits_on_the_stress_grid(n: int) -> None:
    with mp.workdps(30):
        for params, x, t_x, T, t in SAMPLED[1::12]:
            alive = pareto_nbd.p_alive(params, x, t_x, T)
            gone = special.expit(special.logit(1.0 - alive)) if n == 0 else 0.0
            want = float(alive) * float(exact_pmf(params, x, T, t, n)) + float(gone)
            got = float(pareto_nbd.purchase_pmf(params, x, t_x, T, t, n))
            assert got == pytest.approx(want, rel=1e-9, abs=1e-300), (params, x, t_x, T, t)


def test_everything_is_finite_on_the_whole_stress_grid() -> None:
    r, alpha, s, beta = np.array([case[0] for case in STRESS]).T
    x, t_x, T, t = np.array([case[1:] for case in STRESS]).T
    history = (Params(r, alpha, s, beta), x, t_x, T)
    for function in (pareto_nbd.log_likelihood, pareto_nbd.gradient, pareto_nbd.hessian):
        assert np.isfinite(function(*history)).all(), function.__name__
    probabilities = [
        pareto_nbd.p_alive(*history),
        pareto_nbd.p_alive_at(*history, t),
        pareto_nbd.p_no_purchase(*history, t),
        *(pareto_nbd.purchase_pmf(*history, t, n) for n in (0, 1, 7, 100, 10_000)),
    ]
    for got in probabilities:
        assert ((got >= 0.0) & (got <= 1.0 + 1e-12)).all()
    for got in (
        pareto_nbd.expected_purchases(*history, t),
        pareto_nbd.residual_transactions(*history, 1e-8),
        pareto_nbd.discounted_purchases(*history, t, 10.0),
    ):
        assert (np.isfinite(got) & (got >= 0.0)).all()


def test_the_likelihood_is_the_story_integrated() -> None:
    """lambda and mu Gamma; two purchases, then silence to 38.86 because of leaving or of chance."""
    r, alpha, s, beta = CDNOW

    def given_mu(mu: float) -> float:
        # over lambda in closed form at each moment of leaving, then over that moment
        buys = math.gamma(r + 2) / math.gamma(r) * alpha**r
        leaves = quad(lambda y: mu * math.exp(-mu * y) * (alpha + y) ** -(r + 2), 30.43, 38.86, epsabs=0)[0]
        return buys * (leaves + math.exp(-mu * 38.86) * (alpha + 38.86) ** -(r + 2))

    def over_mu(u: float) -> float:
        mu = u**3  # takes the singularity of mu^(s - 1) at zero away
        density = beta**s / math.gamma(s) * mu ** (s - 1) * math.exp(-beta * mu)
        return density * given_mu(mu) * 3 * u**2

    want = math.log(quad(over_mu, 0, 1.6, epsabs=0, epsrel=1e-11)[0])
    assert float(pareto_nbd.log_likelihood(CDNOW, 2, 30.43, 38.86)) == pytest.approx(want, abs=1e-9)


params_strategy = st.builds(
    Params, st.floats(0.01, 20), st.floats(0.1, 500), st.floats(1e-3, 30), st.floats(0.1, 500)
)
histories_strategy = st.tuples(st.integers(0, 400), st.floats(0, 1), st.floats(0, 3000)).map(
    lambda h: (h[0], h[1] * h[2] if h[0] else 0.0, h[2])
)
laws = settings(deadline=None, max_examples=40)


def moved(params: Params, field: int, by: float) -> Params:
    """Return the parameters with one moved."""
    return params._replace(**{params._fields[field]: params[field] + by})


@laws
@given(params=params_strategy, history=histories_strategy)
def test_gradient_and_hessian_equal_difference_quotients(
    params: Params, history: tuple[int, float, float]
) -> None:
    gradient, hessian = pareto_nbd.gradient(params, *history), pareto_nbd.hessian(params, *history)
    np.testing.assert_array_equal(hessian, hessian.T)
    for i, value in enumerate(params):
        h = 1e-5 * value
        ahead, behind = (moved(params, i, side * h) for side in (1, -1))
        slope = (pareto_nbd.log_likelihood(ahead, *history) - pareto_nbd.log_likelihood(behind, *history)) / (
            2 * h
        )
        noise = 1e-15 * (abs(float(pareto_nbd.log_likelihood(params, *history))) + 3000.0) / h
        assert float(gradient[i]) == pytest.approx(float(slope), rel=1e-5, abs=noise + 1e-8)
        bend = (pareto_nbd.gradient(ahead, *history) - pareto_nbd.gradient(behind, *history)) / (2 * h)
        scale = (np.abs(gradient) + (np.array([3000.0, history[0] + 1, 3000.0, 1.0]) / np.array(params))) / h
        np.testing.assert_array_less(
            np.abs(hessian[i] - bend), 1e-5 * np.abs(bend) + 1e-14 * scale + 1e-9, err_msg=str(i)
        )


def test_value_gradient_and_hessian_are_what_the_parts_say() -> None:
    history = (CDNOW, [0, 2, 26], [0.0, 30.43, 30.86], [38.86, 38.86, 31.0])
    found = pareto_nbd.value_gradient_hessian(*history)
    np.testing.assert_allclose(found.value, pareto_nbd.log_likelihood(*history), rtol=1e-13)
    np.testing.assert_array_equal(found.gradient, pareto_nbd.gradient(*history))
    np.testing.assert_array_equal(found.hessian, pareto_nbd.hessian(*history))


@laws
@given(params=params_strategy, history=histories_strategy, t=st.floats(0.01, 1000))
def test_probabilities_of_counts_sum_to_one_and_their_mean_is_expected(
    params: Params, history: tuple[int, float, float], t: float
) -> None:
    expected = float(pareto_nbd.expected_purchases(params, *history, t))
    pace = (params.r + history[0]) / (params.alpha + history[2]) * t
    many = min(int(pace + 60 * math.sqrt(pace * (1 + t / (params.alpha + history[2]))) + 60), 4000)
    n = np.arange(many)
    pmf = pareto_nbd.purchase_pmf(params, *history, t, n)
    assert (pmf >= 0.0).all()
    assert pmf.sum() <= 1.0 + 1e-10
    assert n @ pmf <= expected * (1 + 1e-9)
    if many < 4000 and pmf[-1] < 1e-16:
        assert pmf.sum() == pytest.approx(1.0, abs=1e-10)
        assert n @ pmf == pytest.approx(expected, rel=1e-8, abs=1e-10)
    silent = float(pareto_nbd.p_no_purchase(params, *history, t))
    assert pmf[0] == pytest.approx(silent, rel=1e-12)


@laws
@given(params=params_strategy, history=histories_strategy)
def test_time_ahead_only_adds_purchases_and_takes_silence_and_life_away(
    params: Params, history: tuple[int, float, float]
) -> None:
    t = np.array([0.0, 1e-6, 0.01, 1.0, 10.0, 100.0, 365.0, 1e4, 1e5])
    alive = pareto_nbd.p_alive(params, *history)
    bought = pareto_nbd.expected_purchases(params, *history, t)
    silent = pareto_nbd.p_no_purchase(params, *history, t)
    there = pareto_nbd.p_alive_at(params, *history, t)
    assert bought[0] == 0.0
    assert silent[0] == pytest.approx(1.0, abs=1e-15)
    assert there[0] == pytest.approx(float(alive), rel=1e-12)
    assert (np.diff(bought) >= -1e-13 * bought[1:]).all()
    assert (np.diff(silent) <= 1e-15).all()
    assert (np.diff(there) <= 0.0).all()
    assert ((silent >= 0) & (silent <= 1 + 1e-15)).all()
    assert (silent >= 1.0 - bought * (1 + 1e-9) - 1e-14).all()
    assert (silent >= 1.0 - alive - 1e-14).all()


@laws
@given(params=params_strategy, history=histories_strategy, t=st.floats(1e-3, 1e4))
def test_silence_is_the_ratio_of_likelihoods(
    params: Params, history: tuple[int, float, float], t: float
) -> None:
    x, t_x, T = history
    later = pareto_nbd.log_likelihood(params, x, t_x, T + t)
    ratio = math.exp(float(later - pareto_nbd.log_likelihood(params, *history)))
    assert float(pareto_nbd.p_no_purchase(params, *history, t)) == pytest.approx(ratio, rel=1e-9)


@laws
@given(params=params_strategy, history=histories_strategy, t=st.floats(0.1, 1000))
def test_discounting_takes_away_and_ends_at_the_extremes(
    params: Params, history: tuple[int, float, float], t: float
) -> None:
    rates = np.array([0.0, 1e-12, 1e-6, 0.001, 0.1, 10.0])
    within = pareto_nbd.discounted_purchases(params, *history, t, rates)
    forever = pareto_nbd.residual_transactions(params, *history, rates)
    expected = float(pareto_nbd.expected_purchases(params, *history, t))
    assert within[0] == pytest.approx(expected, rel=1e-13)
    assert within[1] == pytest.approx(expected, rel=1e-8, abs=1e-300)
    assert (np.diff(within) <= 1e-12 * within[:-1]).all()
    assert (np.diff(forever[1:]) <= 1e-12 * forever[1:-1]).all()
    assert (within <= forever * (1 + 1e-12)).all()
    assert np.isfinite(forever[0]) == (params.s > 1.0)
    if params.s > 1.2:  # nearer to one the last purchases come too late for any t
        far = float(pareto_nbd.expected_purchases(params, *history, 1e250))
        assert forever[0] == pytest.approx(far, rel=1e-9)


@laws
@given(params=params_strategy, history=histories_strategy, c=st.floats(0.01, 100), t=st.floats(0.1, 1000))
def test_a_change_of_the_unit_of_time_changes_no_answer(
    params: Params, history: tuple[int, float, float], c: float, t: float
) -> None:
    x, t_x, T = history
    other = params._replace(alpha=c * params.alpha, beta=c * params.beta)
    times = (x, min(c * t_x, c * T), c * T)
    for function, extra in [
        (pareto_nbd.expected_purchases, ()), (pareto_nbd.p_no_purchase, ()), (pareto_nbd.purchase_pmf, (2,)),
    ]:  # fmt: skip
        want = float(function(params, *history, t, *extra))
        assert float(function(other, *times, c * t, *extra)) == pytest.approx(want, rel=1e-7, abs=1e-250)
    want = float(pareto_nbd.residual_transactions(params, *history, 0.01))
    got = float(pareto_nbd.residual_transactions(other, *times, 0.01 / c))
    assert got == pytest.approx(want, rel=1e-7, abs=1e-250)
    want = float(pareto_nbd.log_likelihood(params, *history)) - x * math.log(c)
    assert float(pareto_nbd.log_likelihood(other, *times)) == pytest.approx(want, rel=1e-9, abs=1e-9)


@laws
@given(params=params_strategy, history=histories_strategy, t=st.floats(0.1, 1000))
def test_where_nobody_leaves_it_is_the_nbd(
    params: Params, history: tuple[int, float, float], t: float
) -> None:
    patient, simple = params._replace(s=1e-200), nbd.Params(params.r, params.alpha)
    assume(float(pareto_nbd.p_alive(patient, *history)) > 1.0 - 1e-12)
    got = float(pareto_nbd.log_likelihood(patient, *history))
    assert got == pytest.approx(float(nbd.log_likelihood(simple, *history)), rel=1e-9, abs=1e-9)
    got = float(
        pareto_nbd.expected_purchases(patient._replace(beta=1e9), history[0], history[2], history[2], t)
    )
    want = float(nbd.expected_purchases(simple, history[0], history[2], history[2], t))
    assert got == pytest.approx(want, rel=1e-9)


def test_a_customer_seen_buying_just_now_is_there() -> None:
    assert pareto_nbd.p_alive(CDNOW, [0, 3], [0.0, 7.0], [0.0, 7.0]).tolist() == [1.0, 1.0]


def test_simulated_customers_do_what_is_expected_of_them() -> None:
    n, t = 60_000, 40.0
    rng = np.random.default_rng(5)
    for history in [(0, 0.0, 0.0), (3, 20.0, 38.86)]:
        drawn = pareto_nbd.simulate(CDNOW, *history, np.full(n, t), random_state=rng)
        counts = np.bincount(drawn.customer, minlength=n)
        assert drawn.is_alive.shape == (n,)
        assert (np.diff(drawn.customer) >= 0).all()
        same = np.diff(drawn.customer) == 0
        assert (np.diff(drawn.time)[same] >= 0.0).all()
        assert ((drawn.time > history[2]) & (drawn.time <= history[2] + t)).all()
        expected = float(pareto_nbd.expected_purchases(CDNOW, *history, t))
        assert abs(counts.mean() - expected) < 4 * counts.std() / math.sqrt(n)
        for k in range(4):
            want = float(pareto_nbd.purchase_pmf(CDNOW, *history, t, k))
            assert abs((counts == k).mean() - want) < 4 * math.sqrt(want / n)
        there = float(pareto_nbd.p_alive_at(CDNOW, *history, t))
        assert abs(drawn.is_alive.mean() - there) < 4 * math.sqrt(there * (1 - there) / n)


def test_expectations_of_simulated_histories_continue_those_of_new_customers() -> None:
    """E over histories to T of what comes in (T, T + t] is what new customers make in T + t less in T."""
    T, t, n = 100.0, 80.0, 40_000
    new = np.zeros(n)
    drawn = pareto_nbd.simulate(CDNOW, new, new, new, T, random_state=np.random.default_rng(3))
    x, t_x = histories(drawn)
    predicted = pareto_nbd.expected_purchases(CDNOW, x, t_x, T, t)
    want = pareto_nbd.expected_purchases_new(CDNOW, T + t) - pareto_nbd.expected_purchases_new(CDNOW, T)
    assert abs(predicted.mean() - want) < 4 * predicted.std() / math.sqrt(n)
    alive = pareto_nbd.p_alive(CDNOW, x, t_x, T)
    assert abs(alive.mean() - drawn.is_alive.mean()) < 4 * 0.5 / math.sqrt(n)
    gradient = pareto_nbd.gradient(CDNOW, x, t_x, T)  # zero on average at the truth
    assert (np.abs(gradient.mean(axis=0)) < 4 * gradient.std(axis=0) / math.sqrt(n)).all()


def test_simulation_stands_rare_leaving_and_heavy_buyers() -> None:
    rng = np.random.default_rng(0)
    drawn = pareto_nbd.simulate(Params(1e-6, 10.0, 1e-6, 1e-6), [0] * 500, 0, 0.0, 1e5, random_state=rng)
    assert drawn.is_alive.size == 500
    drawn = pareto_nbd.simulate(Params(50.0, 0.05, 1e-6, 100.0), [0] * 20, 0, 0.0, 100.0, random_state=rng)
    assert drawn.customer.size > 1e6


def test_one_customer_at_a_time_is_the_same_as_many_at_once() -> None:
    rng = np.random.default_rng(0)
    n = 20_000  # more than one block
    x = rng.integers(0, 12, n).astype(float)
    T = rng.uniform(5, 400, n)
    t_x = np.where(x > 0, T * rng.random(n), 0.0)
    some = [0, 1, 2, 17_000, n - 1]
    for function, extra in ANSWERS:
        together = function(CDNOW, x, t_x, T, *extra)
        alone = [function(CDNOW, *row, *extra) for row in zip(x[some], t_x[some], T[some], strict=True)]
        np.testing.assert_allclose(together[some], alone, rtol=1e-10, atol=1e-13, err_msg=function.__name__)


def test_shapes_follow_broadcasting() -> None:
    draws = Params(*(np.array([[v], [1.1 * v]]) for v in CDNOW))
    for function, extra in ANSWERS:
        tail = {"gradient": (4,), "hessian": (4, 4)}.get(function.__name__, ())
        assert function(CDNOW, 2, 3.0, 5.0, *extra).shape == tail
        assert function(CDNOW, [], [], [], *extra).shape == (0, *tail)
        assert function(CDNOW, [[1], [2]], [[3.0], [4.0]], [5.0, 6.0, 7.0], *extra).shape == (2, 3, *tail)
        both = function(draws, [0, 1, 2], [0.0, 3.0, 4.0], 9.0, *extra)
        assert both.shape == (2, 3, *tail)
        first = function(CDNOW, [0, 1, 2], [0.0, 3.0, 4.0], 9.0, *extra)
        np.testing.assert_allclose(both[0], first, rtol=1e-11, atol=1e-13)
    assert pareto_nbd.purchase_pmf_new(draws, 9.0, [0, 1, 2]).shape == (2, 3)
    assert pareto_nbd.expected_purchases_new(draws, [1.0, 2.0, 3.0]).shape == (2, 3)


@pytest.mark.parametrize("m", [0.4, 3.0, 3000.0])
def test_the_integral_of_silence_is_resolved_whatever_the_scales(m: float) -> None:
    """The fast rule with its nodes chosen beforehand, against one that halves until it sees no more."""
    B, n, t = (grid.ravel() for grid in np.meshgrid([1e-3, 0.9, 1e5], [1e-6, 1.6, 2e3], [1e-6, 2.0, 1e5]))
    A, m_ = np.ones_like(t), np.full_like(t, m)
    c = np.minimum(A, B)

    def density(row: np.ndarray, v: np.ndarray) -> np.ndarray:
        w = c[row] * np.expm1(v)
        return np.exp(-m_[row] * np.log1p(w) - n[row] * np.log1p(w / B[row])) * (c[row] + w)

    fallen = np.vstack([np.expm1(FALLS / m_), B * np.expm1(np.minimum(FALLS / n, 500.0))])
    edges = np.log1p(np.sort(np.vstack([0 * t, np.minimum(fallen, t), t]), axis=0) / c)
    panels = resolve(density, edges)
    np.testing.assert_allclose(silent_integral(m_, A, n, B, t), panels.integral, rtol=1e-11)
    np.testing.assert_allclose(on_panels(density, panels), panels.integral, rtol=1e-13)
