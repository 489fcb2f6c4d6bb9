"""GGompertz/NBD's formulas against 30-digit arithmetic and the laws they must obey."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics import ggompertz_nbd, pareto_nbd
from habitue.numerics.ggompertz_nbd import Params
from habitue.numerics.purchases import histories

BASE = Params(0.8, 12.0, 0.02, 0.5, 0.6)

# Every function of histories, with what it wants besides: t, n, rate.
ANSWERS: list[tuple[Callable[..., np.ndarray], tuple[float, ...]]] = [
    (ggompertz_nbd.log_likelihood, ()),
    (ggompertz_nbd.gradient, ()),
    (ggompertz_nbd.hessian, ()),
    (ggompertz_nbd.p_alive, ()),
    (ggompertz_nbd.p_alive_at, (90.0,)),
    (ggompertz_nbd.p_no_purchase, (90.0,)),
    (ggompertz_nbd.expected_purchases, (90.0,)),
    (ggompertz_nbd.purchase_pmf, (90.0, 3.0)),
    (ggompertz_nbd.residual_transactions, (0.001,)),
    (ggompertz_nbd.discounted_purchases, (90.0, 0.001)),
]

params_strategy = st.builds(
    Params,
    st.floats(0.01, 20),
    st.floats(0.1, 500),
    st.floats(1e-7, 1),
    st.floats(1e-2, 30),
    st.floats(1e-6, 100),
)
histories_strategy = st.tuples(st.integers(0, 200), st.floats(0, 1), st.floats(0, 1000)).map(
    lambda h: (h[0], h[1] * h[2] if h[0] else 0.0, h[2])
)
laws = settings(deadline=None, max_examples=30)


def integral(function: Callable[[mp.mpf], mp.mpf], low: mp.mpf, high: mp.mpf, *scales: mp.mpf) -> mp.mpf:
    """Integrate what varies at the scales given, by quadrature between powers of them."""
    if high == low:
        return mp.mpf(0)
    inside = {low + c * mp.mpf(8) ** i for c in scales for i in range(-3, 5)}
    return mp.quad(function, [low, *sorted(p for p in inside if low < p < high), high], maxdegree=6)


def exact(params: Params, x: int, t_x: float, T: float, t: float) -> tuple[mp.mpf, mp.mpf, mp.mpf, mp.mpf]:
    """Return log-likelihood, P(alive), P(no purchase), expected purchases, by the story's integrals."""
    r, alpha, b, s, beta, t_x, T, t = map(mp.mpf, (*params, t_x, T, t))
    k = r + x

    def log_there(y: mp.mpf) -> mp.mpf:
        return -s * mp.log1p(mp.expm1(b * y) / beta)

    def seen(y: mp.mpf) -> mp.mpf:
        return -k * mp.log((alpha + y) / (alpha + t_x)) - log_there(t_x)

    def leaves(y: mp.mpf) -> mp.mpf:
        hazard = s * b * mp.exp(b * y) / (beta + mp.expm1(b * y))
        return hazard * mp.exp(log_there(y) + seen(y))

    life = mp.log1p(beta) / b
    scales = ((alpha + t_x) / (k + 1), 1 / b, life, min(beta, 1) / b / (s + 1))
    there, later = (mp.exp(log_there(y) + seen(y)) for y in (T, T + t))
    gone, going = integral(leaves, t_x, T, *scales), integral(leaves, T, T + t, *scales)
    counting = mp.loggamma(k) - mp.loggamma(r) + r * mp.log(alpha) - k * mp.log(alpha + t_x)
    value = counting + log_there(t_x) + mp.log(there + gone)
    time = integral(lambda u: mp.exp(log_there(T + u) - log_there(T)), mp.mpf(0), t, *scales, life / (s + 1))
    alive = there / (there + gone)
    return value, alive, (gone + going + later) / (there + gone), alive * k / (alpha + T) * time


def stress_grid() -> list[tuple[Params, int, float, float, float]]:
    """Return histories and parameters at the edges: b from 1e-7 to b T = 1e5, beta from 1e-6."""
    past = [
        (0, 0.0, 0.0), (0, 0.0, 1e-6), (0, 0.0, 1e5), (1, 2.0, 300.0), (7, 250.0, 272.0), (400, 9e4, 1e5),
        (10_000, 9.9e4, 1e5),
    ]  # fmt: skip
    rates = [(1e-6, 0.5), (0.25, 30.0), (40.0, 1000.0)]
    lives = [
        (1e-7, 0.6, 1.3e-5), (1e-7, 0.6, 1e-6), (1e-3, 1e-6, 1e-3), (0.02, 1.0, 1.0), (0.02, 3.0, 1e6),
        (1.0, 90.0, 2.0),
    ]  # fmt: skip
    everything = itertools.product(rates, lives, past, [1e-6, 1.0, 365.0, 1e5])
    return [(Params(r, al, *life), *history, t) for (r, al), life, history, t in everything]


STRESS = stress_grid()
SAMPLED = STRESS[:: len(STRESS) // 24]


@pytest.mark.slow
def test_everything_equals_thirty_digits_on_the_stress_grid() -> None:
    functions = (ggompertz_nbd.p_no_purchase, ggompertz_nbd.expected_purchases)
    with mp.workdps(30):
        for params, *history, t in SAMPLED[::3]:
            value, alive, *ahead = map(float, exact(params, *history, t))
            where = (params, history, t)
            got = float(ggompertz_nbd.log_likelihood(params, *history))
            assert got == pytest.approx(value, rel=1e-9, abs=1e-300), where
            got = float(ggompertz_nbd.p_alive(params, *history))
            assert got == pytest.approx(alive, rel=1e-9, abs=1e-290), where
            for function, want in zip(functions, ahead, strict=True):
                got = float(function(params, *history, t))
                assert got == pytest.approx(want, rel=1e-8, abs=1e-290), (function.__name__, where)


def test_everything_is_finite_on_the_whole_stress_grid() -> None:
    params = Params(*np.array([case[0] for case in STRESS]).T)
    x, t_x, T, t = np.array([case[1:] for case in STRESS]).T
    history = (params, x, t_x, T)
    for function in (ggompertz_nbd.log_likelihood, ggompertz_nbd.gradient, ggompertz_nbd.hessian):
        assert np.isfinite(function(*history)).all(), function.__name__
    probabilities = [
        ggompertz_nbd.p_alive(*history),
        ggompertz_nbd.p_alive_at(*history, t),
        ggompertz_nbd.p_no_purchase(*history, t),
        *(ggompertz_nbd.purchase_pmf(*history, t, n) for n in (0, 1, 100)),
    ]
    for got in probabilities:
        assert ((got >= 0.0) & (got <= 1.0 + 1e-12)).all()
    for got in (
        ggompertz_nbd.expected_purchases(*history, t),
        ggompertz_nbd.residual_transactions(*history, 0.0),
        ggompertz_nbd.residual_transactions(*history, 1e-6),
        ggompertz_nbd.discounted_purchases(*history, t, 10.0),
    ):
        assert (np.isfinite(got) & (got >= 0.0)).all()


@laws
@given(params=params_strategy, history=histories_strategy, t=st.floats(0.01, 1000))
def test_where_hazards_do_not_age_it_is_pareto_nbd(
    params: Params, history: tuple[int, float, float], t: float
) -> None:
    patient = params._replace(b=1e-13, beta=1e-13 * (scale := 1.0 + 100 * params.beta))
    other = pareto_nbd.Params(params.r, params.alpha, params.s, scale)
    for name, extra in [
        ("p_alive", ()), ("p_no_purchase", (t,)), ("expected_purchases", (t,)), ("purchase_pmf", (t, 2)),
    ]:  # fmt: skip
        want = float(getattr(pareto_nbd, name)(other, *history, *extra))
        got = float(getattr(ggompertz_nbd, name)(patient, *history, *extra))
        assert got == pytest.approx(want, rel=1e-7, abs=1e-290), name
    want = float(pareto_nbd.log_likelihood(other, *history))
    assert float(ggompertz_nbd.log_likelihood(patient, *history)) == pytest.approx(want, rel=1e-8, abs=1e-8)


def test_gradient_and_hessian_equal_difference_quotients() -> None:
    rng = np.random.default_rng(0)
    for _ in range(12):
        low, high = np.log([0.1, 5.0, 1e-3, 0.1, 0.01]), np.log([5.0, 50.0, 0.3, 5.0, 50.0])
        params, x, T = Params(*np.exp(rng.uniform(low, high))), int(rng.integers(0, 20)), rng.uniform(5, 100)
        history = (x, T * rng.random() if x else 0.0, T)
        found = ggompertz_nbd.value_gradient_hessian(params, *history)
        np.testing.assert_array_equal(found.hessian, found.hessian.T)
        want = ggompertz_nbd.log_likelihood(params, *history)
        np.testing.assert_allclose(found.value, want, rtol=1e-12)
        for i, value in enumerate(params):
            h = 1e-5 * value
            ahead, behind = (params._replace(**{params._fields[i]: value + d}) for d in (h, -h))
            slope = ggompertz_nbd.log_likelihood(ahead, *history) - ggompertz_nbd.log_likelihood(
                behind, *history
            )
            np.testing.assert_allclose(found.gradient[i], slope / (2 * h), rtol=1e-5, atol=1e-9 / value)
            bend = ggompertz_nbd.gradient(ahead, *history) - ggompertz_nbd.gradient(behind, *history)
            noise = 1e-8 / (value * np.array(params))
            assert (
                np.abs(found.hessian[i] - bend / (2 * h)) <= 1e-5 * np.abs(found.hessian[i]) + noise
            ).all()


@laws
@given(params=params_strategy, history=histories_strategy)
def test_time_ahead_only_adds_purchases_and_takes_silence_and_life_away(
    params: Params, history: tuple[int, float, float]
) -> None:
    t = np.array([0.0, 1e-6, 0.01, 1.0, 10.0, 100.0, 365.0, 1e4, 1e5])
    alive = ggompertz_nbd.p_alive(params, *history)
    bought = ggompertz_nbd.expected_purchases(params, *history, t)
    silent = ggompertz_nbd.p_no_purchase(params, *history, t)
    there = ggompertz_nbd.p_alive_at(params, *history, t)
    assert bought[0] == 0.0
    assert silent[0] == pytest.approx(1.0, abs=1e-15)
    assert there[0] == pytest.approx(float(alive), rel=1e-12)
    assert (np.diff(bought) >= -1e-12 * bought[1:]).all()
    assert (np.diff(silent) <= 1e-12).all()
    assert (np.diff(there) <= 0.0).all()
    assert (silent >= 1.0 - bought * (1 + 1e-9) - 1e-12).all()
    assert (silent >= 1.0 - alive - 1e-12).all()
    forever = float(ggompertz_nbd.residual_transactions(params, *history, 0.0))
    assert (bought <= forever * (1 + 1e-11)).all()
    pmf = ggompertz_nbd.purchase_pmf(params, *history, t, 0)
    np.testing.assert_allclose(pmf, silent, rtol=1e-10)


def test_probabilities_of_counts_sum_to_one_and_their_mean_is_expected() -> None:
    n = np.arange(1500)
    for params, history in [
        (BASE, (0, 0.0, 0.0)), (BASE, (7, 29.43, 38.86)), (Params(3.0, 5.0, 0.3, 2.0, 1e8), (4, 9.0, 10.0)),
    ]:  # fmt: skip
        pmf = ggompertz_nbd.purchase_pmf(params, *history, 60.0, n)
        assert pmf.sum() == pytest.approx(1.0, abs=1e-11)
        expected = float(ggompertz_nbd.expected_purchases(params, *history, 60.0))
        assert n @ pmf == pytest.approx(expected, rel=1e-10)


def test_simulated_customers_do_what_is_expected_of_them() -> None:
    n, T, t = 40_000, 39.0, 40.0
    rng, new = np.random.default_rng(5), np.zeros(40_000)
    drawn = ggompertz_nbd.simulate(BASE, new, new, new, T, random_state=rng)
    x, t_x = histories(drawn)
    want = float(ggompertz_nbd.expected_purchases_new(BASE, T))
    assert abs(x.mean() - want) < 4 * x.std() / math.sqrt(n)
    assert abs((x == 1).mean() - float(ggompertz_nbd.purchase_pmf_new(BASE, T, 1))) < 4 * 0.5 / math.sqrt(n)
    assert abs(ggompertz_nbd.p_alive(BASE, x, t_x, T).mean() - drawn.is_alive.mean()) < 4 * 0.5 / math.sqrt(n)
    later = ggompertz_nbd.simulate(BASE, x[:9000], t_x[:9000], T, t, random_state=rng)
    counts = np.bincount(later.customer, minlength=9000)
    expected = ggompertz_nbd.expected_purchases(BASE, x[:9000], t_x[:9000], T, t)
    assert abs(counts.mean() - expected.mean()) < 4 * counts.std() / math.sqrt(9000)
    there = ggompertz_nbd.p_alive_at(BASE, x[:9000], t_x[:9000], T, t)
    assert abs(later.is_alive.mean() - there.mean()) < 4 * 0.5 / math.sqrt(9000)


def test_one_customer_at_a_time_is_the_same_as_many_at_once_and_shapes_broadcast() -> None:
    draws = Params(*(np.array([[v], [1.1 * v]]) for v in BASE))
    x, t_x, T = np.array([0.0, 1.0, 7.0]), np.array([0.0, 3.0, 4.0]), 9.0
    for function, extra in ANSWERS:
        tail = {"gradient": (5,), "hessian": (5, 5)}.get(function.__name__, ())
        assert function(BASE, 2, 3.0, 5.0, *extra).shape == tail
        assert function(BASE, [], [], [], *extra).shape == (0, *tail)
        together = function(BASE, x, t_x, T, *extra)
        alone = [function(BASE, *row, T, *extra) for row in zip(x, t_x, strict=True)]
        np.testing.assert_allclose(together, alone, rtol=1e-11, atol=1e-13)
        both = function(draws, x, t_x, T, *extra)
        assert both.shape == (2, 3, *tail)
        np.testing.assert_allclose(both[0], together, rtol=1e-11, atol=1e-13)
