"""BG/BB's formulas against the story enumerated, a published fit, and laws."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics import bgbb
from habitue.numerics.bgbb import Params
from habitue.numerics.purchases import histories

DONORS = Params(1.204, 0.750, 0.657, 2.783)

laws = settings(deadline=None, max_examples=40)
few = settings(deadline=None, max_examples=12)  # a hundred likelihoods of sixty digits each
size = st.floats(-6, 3).map(lambda e: 10.0**e)
params_strategy = st.builds(Params, size, size, size, size)


@st.composite
def histories_up_to(draw: st.DrawFn, longest: int) -> tuple[int, int, int]:
    """Draw x, t_x, T."""
    T = draw(st.integers(0, longest))
    t_x = draw(st.integers(0, T))
    return (draw(st.integers(1, t_x)) if t_x else 0), t_x, T


def exact(params: Params, x: int, t_x: int, T: int) -> tuple[mp.mpf, mp.mpf]:
    """Return the likelihood and the chance to have this history and be there at T + 1, term by term."""
    alpha, beta, gamma, delta = map(mp.mpf, params)

    def both(unused: int, left: int, stayed: int) -> mp.mpf:
        purchases = mp.beta(alpha + x, beta + unused) / mp.beta(alpha, beta)
        return purchases * mp.beta(gamma + left, delta + stayed) / mp.beta(gamma, delta)

    gone = sum((both(j - x, 1, j) for j in range(t_x, T)), mp.mpf(0))
    return gone + both(T - x, 0, T), both(T - x, 0, T + 1)


def test_the_published_fit_of_the_donors_is_an_optimum_of_the_likelihood(shared_data: Path) -> None:
    with (shared_data / "data" / "donations" / "rf_matrix.csv").open() as file:
        cells = np.array(
            [[float(value) for value in row] for row in itertools.islice(csv.reader(file), 1, None)]
        )
    x, t_x, n, count = cells.T[:4]
    assert round(float(count @ bgbb.log_likelihood(DONORS, x, t_x, n)), 1) == -33225.6
    slope = count @ bgbb.gradient(DONORS, x, t_x, n)
    bend = np.einsum("i,ijk->jk", count, bgbb.hessian(DONORS, x, t_x, n))
    step = np.linalg.solve(bend, -slope)
    assert (np.abs(step) < 6e-4).all()  # the paper prints three decimals
    assert (np.linalg.eigvalsh(bend) < 0).all()


def test_the_likelihood_is_the_story_integrated() -> None:
    """p ~ Beta, theta ~ Beta; bought at 1 and 3 of 5, then silence because of theta or of chance."""
    alpha, beta, gamma, delta = DONORS

    def story(p: mp.mpf, theta: mp.mpf) -> mp.mpf:
        stays = 1 - theta
        silence = theta + stays * (1 - p) * (theta + stays * (1 - p))
        prior = p ** (alpha - 1) * (1 - p) ** (beta - 1) / mp.beta(alpha, beta)
        prior *= theta ** (gamma - 1) * stays ** (delta - 1) / mp.beta(gamma, delta)
        return prior * stays**3 * p**2 * (1 - p) * silence

    with mp.workdps(15):
        want = mp.quad(lambda p: mp.quad(lambda theta: story(p, theta), [0, 1]), [0, 1])
    assert float(bgbb.log_likelihood(DONORS, 2, 3, 5)) == pytest.approx(float(mp.log(want)), abs=1e-9)


@laws
@given(params=params_strategy, history=histories_up_to(80), t=st.integers(0, 60))
def test_everything_known_equals_many_digits(params: Params, history: tuple[int, int, int], t: int) -> None:
    x, t_x, T = history
    alpha, beta, gamma, delta = map(mp.mpf, params)
    with mp.workdps(40):
        likelihood, alive = exact(params, *history)
        later = exact(params, x, t_x, T + t)[0]
        stays = [mp.beta(gamma, delta + T + 1 + k) for k in range(t)]
        mean = sum(stays, mp.mpf(0)) / mp.beta(gamma, delta + T + 1)
        mean *= (alpha + x) / (alpha + beta + T) * alive / likelihood
        want = [float(v) for v in (mp.log(likelihood), alive / likelihood, later / likelihood, mean)]
    got = [
        bgbb.log_likelihood(params, *history),
        bgbb.p_alive(params, *history),
        bgbb.p_no_purchase(params, *history, t),
        bgbb.expected_purchases(params, *history, t),
    ]
    # The logarithm of a likelihood close to 1 keeps digits of the likelihood, not of itself.
    assert float(got[0]) == pytest.approx(want[0], rel=1e-10, abs=1e-13)
    for value, wanted in zip(got[1:], want[1:], strict=True):
        assert float(value) == pytest.approx(wanted, rel=1e-10, abs=1e-290)


@pytest.mark.parametrize("T", [2000, 10_000])
@pytest.mark.parametrize("shape", [(1e-3, 1e-6), (0.657, 2.783), (1.0, 1000.0)])
def test_long_silences_equal_many_digits(shape: tuple[float, float], T: int) -> None:
    for alpha, beta, x, t_x in [(1.204, 0.75, 0, 0), (1e-6, 500.0, 3, 40), (30.0, 1e4, 7, T - 1100)]:
        params = Params(alpha, beta, *shape)
        a, b, g, d = map(mp.mpf, params)
        with mp.workdps(25):
            term = mp.beta(a + x, b + t_x - x) / mp.beta(a, b) * mp.beta(g, d + t_x) / mp.beta(g, d)
            total = mp.mpf(0)
            for j in range(t_x, T):
                total += term * g / (g + d + j)
                term *= (b + j - x) / (a + b + j) * (d + j) / (g + d + j)
            want, alive = float(mp.log(total + term)), term * (d + T) / (g + d + T) / (total + term)
        assert float(bgbb.log_likelihood(params, x, t_x, T)) == pytest.approx(want, rel=1e-11)
        assert float(bgbb.p_alive(params, x, t_x, T)) == pytest.approx(float(alive), rel=1e-9, abs=1e-290)


@few
@given(params=params_strategy, history=histories_up_to(12))
def test_gradient_and_hessian_are_derivatives(params: Params, history: tuple[int, int, int]) -> None:
    """Compared in the scale of log-parameters, in which models are fitted."""
    gradient, hessian = bgbb.gradient(params, *history), bgbb.hessian(params, *history)
    h = mp.mpf(10) ** -12

    def moved(*signs: int) -> mp.mpf:
        return mp.log(
            exact(Params(*(mp.mpf(v) * (1 + s * h) for v, s in zip(params, signs, strict=True))), *history)[0]
        )

    with mp.workdps(60):
        for i in range(4):
            one = [int(i == k) for k in range(4)]
            want = float((moved(*one) - moved(*(-s for s in one))) / (2 * h))
            assert float(gradient[i]) * params[i] == pytest.approx(want, rel=1e-9, abs=1e-9)
            for j in range(i, 4):
                two = [[s * a + int(j == k) * b for k, s in enumerate(one)] for a in (1, -1) for b in (1, -1)]
                up, across, back, down = (moved(*signs) for signs in two)
                want = float((up - across - back + down) / (4 * h * h))
                assert float(hessian[i, j]) * params[i] * params[j] == pytest.approx(want, rel=1e-7, abs=1e-9)


def test_derivatives_of_long_silences_are_difference_quotients() -> None:
    x, t_x, T = np.array([0.0, 5.0, 40.0]), np.array([0.0, 30.0, 900.0]), np.array([5000.0, 1500.0, 3000.0])
    params = Params(0.8, 90.0, 0.3, 25.0)
    gradient, hessian = bgbb.gradient(params, x, t_x, T), bgbb.hessian(params, x, t_x, T)
    for i, value in enumerate(params):
        h = 1e-5 * value
        up, down = (params._replace(**{params._fields[i]: value + s * h}) for s in (1, -1))
        for function, want in ((bgbb.log_likelihood, gradient[:, i]), (bgbb.gradient, hessian[:, i])):
            quotient = (function(up, x, t_x, T) - function(down, x, t_x, T)) / (2 * h)
            np.testing.assert_allclose(want, quotient, rtol=1e-6, atol=1e-8)


@laws
@given(params=params_strategy, history=histories_up_to(60), t=st.integers(0, 150))
def test_the_numbers_of_purchases_are_a_distribution(
    params: Params, history: tuple[int, int, int], t: int
) -> None:
    n = np.arange(t + 3)
    pmf = bgbb.purchase_pmf(params, *history, t, n)
    assert ((pmf >= 0) & (pmf <= 1 + 1e-12)).all()
    assert (pmf[t + 1 :] == 0.0).all()
    assert pmf.sum() == pytest.approx(1.0, abs=1e-11)
    mean = float(bgbb.expected_purchases(params, *history, t))
    assert float(n @ pmf) == pytest.approx(mean, rel=1e-9, abs=1e-290)
    assert pmf[0] == pytest.approx(float(bgbb.p_no_purchase(params, *history, t)), rel=1e-14)


@laws
@given(params=params_strategy, history=histories_up_to(300), rate=st.floats(-8, 1))
def test_discounting_takes_away_and_the_future_splits_in_two(
    params: Params, history: tuple[int, int, int], rate: float
) -> None:
    rate, t = 10.0**rate, np.array([0.0, 1.0, 10.0, 100.0, 3000.0])
    for_ever = float(bgbb.residual_transactions(params, *history, rate))
    within = bgbb.discounted_purchases(params, *history, t, rate)
    assert within[0] == 0.0
    assert (np.diff(within) >= 0).all()
    assert (within <= for_ever * (1 + 1e-10)).all()
    assert (within <= bgbb.expected_purchases(params, *history, t) * (1 + 1e-12)).all()
    one = float(within[1]) * math.exp(rate)
    assert one == pytest.approx(float(bgbb.expected_purchases(params, *history, 1)), rel=1e-12, abs=1e-300)


def test_undiscounted_purchases_exist_for_gamma_above_one() -> None:
    assert np.isinf(bgbb.residual_transactions(DONORS, 3, 4, 6, 0.0))
    params = DONORS._replace(gamma=3.5)
    got = float(bgbb.residual_transactions(params, 3, 4, 6, 0.0))
    assert got == pytest.approx(float(bgbb.expected_purchases(params, 3, 4, 6, 1e7)), rel=1e-10)


def test_the_simulation_continues_histories_as_the_formulas_say() -> None:
    rng, n = np.random.default_rng(4), 40_000
    zeros = np.zeros(n)
    x, t_x = histories(bgbb.simulate(DONORS, zeros, zeros, zeros, 6, random_state=rng))
    drawn = bgbb.simulate(DONORS, x, t_x, 6, 5, random_state=rng)
    future = np.bincount(drawn.customer, minlength=n)
    assert drawn.time.min() == 7.0
    assert drawn.time.max() == 11.0
    for group in (x == 0, (x == 3) & (t_x == 5), x == 6):
        expected = bgbb.expected_purchases(DONORS, x[group], t_x[group], 6, 5)
        assert abs(future[group].mean() - expected.mean()) < 4 * future[group].std() / math.sqrt(group.sum())
    at_once = bgbb.simulate(DONORS, x, t_x, 6, 0, random_state=rng)
    p = bgbb.p_alive(DONORS, x, t_x, 6)
    assert at_once.time.size == 0
    assert abs(at_once.is_alive.mean() - p.mean()) < 4 * 0.5 / math.sqrt(n)
    both = bgbb.expected_purchases_new(DONORS, 11)
    assert abs((x + future).mean() - both) < 4 * (x + future).std() / math.sqrt(n)


def test_everything_is_finite_at_the_edges() -> None:
    shapes = [1e-6, 1.0, 300.0]
    x, t_x, T = np.array([(0, 0, 0), (0, 0, 100_000), (1, 1, 5), (10_000, 50_000, 50_000), (7, 9, 9000)]).T
    every = list(itertools.starmap(Params, itertools.product(shapes, repeat=4)))
    for params in every[::5]:
        for function in (bgbb.log_likelihood, bgbb.p_alive, bgbb.gradient):
            assert np.isfinite(function(params, x, t_x, T)).all(), (function.__name__, params)
        for t in (1, 100_000):
            assert np.isfinite(bgbb.expected_purchases(params, x, t_x, T, t)).all(), params
            silent = bgbb.p_no_purchase(params, x, t_x, T, t)
            assert ((silent >= 0) & (silent <= 1)).all(), params


def test_parameters_broadcast_like_customers() -> None:
    draws = Params(*(np.array([[value], [1.3 * value]]) for value in DONORS))
    x, t_x, T = np.array([0.0, 2.0, 5.0]), np.array([0.0, 4.0, 6.0]), np.array([4.0, 7.0, 6.0])
    other = Params(*(1.3 * value for value in DONORS))
    for function, extra, tail in [
        (bgbb.log_likelihood, (), ()), (bgbb.gradient, (), (4,)), (bgbb.hessian, (), (4, 4)),
        (bgbb.p_alive, (), ()), (bgbb.p_no_purchase, (5,), ()), (bgbb.expected_purchases, (5,), ()),
        (bgbb.purchase_pmf, (5, 2), ()), (bgbb.residual_transactions, (0.1,), ()),
        (bgbb.discounted_purchases, (5, 0.1), ()),
    ]:  # fmt: skip
        together = function(draws, x, t_x, T, *extra)
        assert together.shape == (2, 3, *tail)
        alone = function(other, x[1], t_x[1], T[1], *extra)
        np.testing.assert_allclose(together[1, 1], alone, rtol=1e-12)
        assert function(DONORS, [], [], [], *extra).shape == (0, *tail)
    nobody = bgbb.simulate(DONORS, [], [], [], 5, random_state=np.random.default_rng(0))
    assert (nobody.time.size, nobody.is_alive.size) == (0, 0)
