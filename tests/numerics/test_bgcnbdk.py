"""BG/CNBD-k and MBG/CNBD-k against the story told in mpmath and the laws they must obey."""

from __future__ import annotations

import itertools
import math
from types import ModuleType

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics import bgcnbdk, bgnbd, erlang_ahead, mbgcnbdk, mbgnbd
from habitue.numerics.bgcnbdk import Params
from habitue.numerics.purchases import histories

FAMILIES = [bgcnbdk, mbgcnbdk]
POISSON = {bgcnbdk: bgnbd, mbgcnbdk: mbgnbd}
CHANCES = {bgcnbdk: 0, mbgcnbdk: 1}
GROCERY = Params(2, 0.8, 2.3, 0.52, 1.9)

Case = tuple[Params, tuple[int, float, float], float]
both = pytest.mark.parametrize("family", FAMILIES, ids=["BG", "MBG"])
laws = settings(deadline=None, max_examples=40)
params_strategy = st.builds(
    Params,
    st.sampled_from([1, 2, 3, 5, 10]),
    st.floats(0.01, 20),
    st.floats(0.1, 500),
    st.floats(1e-3, 30),
    st.floats(1e-3, 200),
)
histories_strategy = st.tuples(st.integers(0, 300), st.floats(0, 1), st.floats(0, 3000)).map(
    lambda h: (h[0], h[1] * h[2] if h[0] else 0.0, h[2])
)


def likelihood_parts(
    family: ModuleType, params: Params, x: int, t_x: mp.mpf, T: mp.mpf
) -> tuple[mp.mpf, mp.mpf]:
    """Return the likelihood of being there and of having left, gaps of 1: moments of lambda and of p."""
    k, (r, alpha, a, b) = params.k, map(mp.mpf, params[1:])
    n, x_, t_x, T = x + CHANCES[family], mp.mpf(x), mp.mpf(t_x), mp.mpf(T)

    def moment(power: int, time: mp.mpf) -> mp.mpf:  # E[lambda^power e^(-lambda time)]
        return mp.rf(r, power) * alpha**r / (alpha + time) ** (r + power)

    events = sum(moment(k * x + j, T) * (T - t_x) ** j / mp.factorial(j) for j in range(k))
    factor = mp.factorial(k - 1) ** -x_
    left = mp.beta(a + 1, b + n - 1) / mp.beta(a, b) * moment(k * x, t_x) if n else mp.mpf(0)
    return factor * mp.beta(a, b + n) / mp.beta(a, b) * events, factor * left


def exact_pmf(
    family: ModuleType, params: Params, history: tuple[int, float, float], t: float, n_top: int
) -> list[mp.mpf]:
    """Return P(n purchases in t), n = 0 ... n_top, by walking from event to event at high precision."""
    k, (r, alpha, a, b), (x, t_x, T) = params.k, map(mp.mpf, params[1:]), map(mp.mpf, history)
    here, left = likelihood_parts(family, params, *history)
    s, b_now, z = r + k * x, b + x + CHANCES[family], mp.mpf(t) / (alpha + T)
    weights = [mp.rf(s, j) * ((T - t_x) / (alpha + T)) ** j / mp.factorial(j) for j in range(k)]
    would = [mp.mpf(0)] * (n_top + 1)  # P(exactly n, were he never to leave)
    for j, weight in enumerate(weights):
        chance = (1 + z) ** -(s + j) * weight / sum(weights)
        for events in range((n_top + 1) * k - j):
            would[(j + events) // k] += chance
            chance *= (s + j + events) / (events + 1) * z / (1 + z)
    answer, more, stay = [would[0]], 1 - would[0], mp.mpf(1)
    for n in range(1, n_top + 1):  # more = P(N >= n), stay = E[q^(n-1)]
        leave = stay * a / (a + b_now + n - 1)
        stay -= leave
        answer.append(leave * more + stay * would[n])
        more -= would[n]
    alive = here / (here + left)
    return [alive * p + (1 - alive if n == 0 else 0) for n, p in enumerate(answer)]


def exact_expectation(params: Params, s: float, b: float, z: float, j: int) -> mp.mpf:
    """Return expected purchases in stage j: roots of unity under integrals over p^a and (1 - p)^b."""
    k = params.k
    with mp.workdps(60):
        a, s, b, z = map(mp.mpf, (params.a, s, b, z))
        nearly_zero, half = mp.mpf(10) ** -25 / (1 + s * z), mp.mpf(1) / 2

        def bought(p: mp.mpf, q: mp.mpf) -> mp.mpf:
            total = mp.mpf(0)
            for turn in range(k):
                w = mp.root(q, k) * mp.expjpi(mp.mpf(2 * turn) / k)
                total += mp.re(w ** (j + 1) / (1 - w) * (1 - (1 + z * (1 - w)) ** -(s + j))) / (k * q)
            return total

        def low(u: mp.mpf) -> mp.mpf:
            p = max(u ** (1 / a), nearly_zero)
            return bought(p, 1 - p) * (1 - p) ** (b - 1) / a

        def high(u: mp.mpf) -> mp.mpf:
            q = max(u ** (1 / b), nearly_zero)
            return bought(1 - q, q) * (1 - q) ** (a - 1) / b

        edges = [mp.exp(v) for v in range(-48, 0, 4)]
        lower = mp.quad(low, [0, *(edge**a for edge in edges), half**a], maxdegree=4)
        upper = mp.quad(high, [0, *(edge**b for edge in edges[-6:]), half**b], maxdegree=4)
        return (lower + upper) / mp.beta(a, b)


def stress_grid() -> list[Case]:
    """Return histories and parameters at the edges: x to 1e4, T to 1e5, shapes from 1e-6, t to 1e5."""
    dropouts = [(1e-6, 2.4), (1e-6, 1e-3), (0.3, 0.5), (0.4, 0.6), (1.0, 2.5), (1.0, 1e-6), (60.0, 300.0)]
    seen = [
        (0, 0.0, 0.0), (0, 0.0, 1e5), (0, 0.0, 1e-3), (1, 0.0, 3.0), (1, 2.0, 300.0), (7, 250.0, 272.0),
        (60, 30.0, 39.0), (400, 9e4, 1e5), (3000, 999.0, 1000.0), (10_000, 1e5, 1e5), (10_000, 9.9e4, 1e5),
    ]  # fmt: skip
    rates = [(1e-6, 1.0), (0.05, 0.5), (0.4, 0.4), (40.0, 1000.0)]
    everything = itertools.product([1, 2, 3, 10], rates, dropouts, seen, [1e-6, 1.0, 365.0, 1e5])
    return [(Params(k, r, al, a, b), history, t) for k, (r, al), (a, b), history, t in everything]


STRESS = stress_grid()
SAMPLED = STRESS[:: len(STRESS) // 120]


@both
def test_likelihood_and_probabilities_equal_forty_digits_on_the_stress_grid(family: ModuleType) -> None:
    with mp.workdps(40):
        for params, (x, t_x, T), t in SAMPLED:
            where = (params, x, t_x, T, t)
            here, left = likelihood_parts(family, params, x, t_x, T)
            got = float(family.log_likelihood(params, x, t_x, T))
            assert got == pytest.approx(float(mp.log(here + left)), rel=1e-9), where
            got = float(family.p_alive(params, x, t_x, T))
            assert got == pytest.approx(float(here / (here + left)), rel=1e-8, abs=1e-290), where
            # T + t in 53 bits would lose digits of t
            later = sum(likelihood_parts(family, params, x, t_x, mp.mpf(T) + mp.mpf(t)))
            got = float(family.p_no_purchase(params, x, t_x, T, t))
            assert got == pytest.approx(float(later / (here + left)), rel=1e-8, abs=1e-290), where


@both
def test_everything_is_finite_on_the_stress_grid(family: ModuleType) -> None:
    for params, group in itertools.groupby(STRESS[::3], key=lambda case: case[0]):
        history, t = zip(*(case[1:] for case in group), strict=True)
        x, t_x, T = np.array(history).T
        for name in ("log_likelihood", "gradient", "hessian", "p_alive"):
            assert np.isfinite(getattr(family, name)(params, x, t_x, T)).all(), (name, params)
        for name in ("expected_purchases", "p_no_purchase"):
            answer = getattr(family, name)(params, x, t_x, T, np.array(t))
            assert (np.isfinite(answer) & (answer >= 0.0)).all(), (name, params)


@both
def test_discounts_and_counts_are_finite_on_a_part_of_the_stress_grid(family: ModuleType) -> None:
    for params, history, t in SAMPLED[::3]:
        chances = family.purchase_pmf(params, *history, t, [0, 1, 2, 10, 1000, 10**7])
        assert (np.isfinite(chances) & (chances >= 0.0)).all()
        assert chances.sum() <= 1.0 + 1e-12
        all_time = float(family.residual_transactions(params, *history, 1e-3))
        some = float(family.discounted_purchases(params, *history, t, 1e-3))
        assert (
            0.0 <= some <= min(all_time, float(family.expected_purchases(params, *history, t))) * (1 + 1e-7)
        )


@both
@pytest.mark.parametrize(
    "case",
    [
        (GROCERY, (0, 0.0, 30.0), 52.0),
        (GROCERY._replace(k=3), (4, 20.0, 30.0), 60.0),
        (GROCERY._replace(k=10), (2, 20.0, 26.0), 50.0),
        (Params(2, 1e-6, 1.0, 1e-6, 1e-3), (0, 0.0, 5.0), 20.0),
        (Params(1, 0.3, 0.3, 1.0, 1e-6), (1, 0.5, 5.0), 9.0),
        (Params(2, 1e-6, 1.0, 0.4, 0.6), (300, 40.0, 41.0), 20.0),
        (Params(3, 5.0, 9.0, 60.0, 3.0), (7, 40.0, 41.0), 1e-6),
    ],
)
def test_counts_and_their_mean_equal_a_walk_from_event_to_event(family: ModuleType, case: Case) -> None:
    params, history, t = case
    n_top = 320 if params.k == 1 or params.r < 0.01 else 150
    with mp.workdps(450):  # one minus a sum near one, for tails down to 1e-290
        want = exact_pmf(family, params, history, t, n_top)
        mean = sum(n * p for n, p in enumerate(want))
        rest = 1 - sum(want)
    got = family.purchase_pmf(params, *history, t, np.arange(n_top + 1))
    np.testing.assert_allclose(got, [float(p) for p in want], rtol=1e-9, atol=1e-290)
    assert rest < 1e-11
    assert float(family.expected_purchases(params, *history, t)) == pytest.approx(float(mean), rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "s", "b", "z"),
    [
        (GROCERY, 0.8, 1.9, 5000.0),
        (GROCERY._replace(k=3), 2.8, 0.01, 1e6),
        (GROCERY._replace(a=1.0), 20000.8, 1e4, 2.0),
        (GROCERY._replace(k=4, a=20.0), 30.0, 40.0, 900.0),
        (GROCERY._replace(a=0.01), 1e-6, 1e-2, 1e5),
    ],
)
def test_expectations_over_very_many_events_equal_an_adaptive_integral(
    params: Params, s: float, b: float, z: float
) -> None:
    one = np.ones(1)
    got = erlang_ahead.purchases(params.k, s * one, params.a * one, b * one, z * one)[:, 0]
    for j in {0, params.k - 1}:
        assert got[j] == pytest.approx(float(exact_expectation(params, s, b, z, j)), rel=1e-8), j


def test_many_events_are_summed_as_few_are() -> None:
    """Where both ways of taking the mean will do they agree, for every stage."""
    rng = np.random.default_rng(1)
    n = 300
    s, a, b, z = (10 ** rng.uniform(*bounds, n) for bounds in [(-6, 4), (-6, 2.5), (-6, 4), (-2, 2)])
    for k in (1, 2, 3, 10):
        n_events = erlang_ahead._most_events(s + k, z)
        rows = (n_events > 200) & (n_events < 2000)
        columns = [column[rows] for column in (s, a, b, z)]
        want = erlang_ahead._one_by_one(k, *columns, 2000)
        np.testing.assert_allclose(erlang_ahead._by_roots(k, *columns), want, rtol=1e-9)


@both
def test_with_one_event_a_purchase_they_are_the_families_for_irregular_buyers(family: ModuleType) -> None:
    params = Params(1, 0.243, 4.414, 0.793, 2.426)
    simpler, plain = POISSON[family], POISSON[family].Params(*params[1:])
    x, t_x, T = np.array([0.0, 1.0, 2.0, 40.0]), np.array([0.0, 30.0, 30.43, 10.0]), 38.86
    for name, more in [
        ("log_likelihood", ()), ("gradient", ()), ("hessian", ()), ("p_alive", ()),
        ("p_no_purchase", (52.0,)), ("expected_purchases", (52.0,)), ("purchase_pmf", (52.0, 3)),
        ("purchase_pmf", (52.0, 0)),
        ("residual_transactions", (0.01,)), ("discounted_purchases", (52.0, 0.01)),
    ]:  # fmt: skip
        want = getattr(simpler, name)(plain, x, t_x, T, *more)
        got = getattr(family, name)(params, x, t_x, T, *more)
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-13, err_msg=name)
    np.testing.assert_allclose(
        family.expected_purchases_new(params, 52.0), simpler.expected_purchases_new(plain, 52.0), rtol=1e-9
    )


@both
@laws
@given(params=params_strategy, history=histories_strategy)
def test_derivatives_equal_difference_quotients_at_forty_digits(
    family: ModuleType, params: Params, history: tuple[int, float, float]
) -> None:
    gradient, hessian = family.gradient(params, *history), family.hessian(params, *history)
    assert (hessian == hessian.T).all()
    with mp.workdps(50):
        h = mp.mpf(10) ** -15

        def value(*shifts: int) -> mp.mpf:
            moved = [mp.mpf(v) * (1 + h * shifts.count(i)) for i, v in enumerate(params[1:])]
            return mp.log(sum(likelihood_parts(family, Params(params.k, *moved), *history)))

        origin = value()
        ones = [value(i) for i in range(4)]
        for i in range(4):
            first = (ones[i] - value(i, i) / 4 - origin * mp.mpf(3) / 4) * 2 / (h * params[1 + i])
            assert gradient[i] == pytest.approx(float(first), rel=1e-7, abs=1e-9), i
            for j in range(i + 1):
                second = (value(i, j) - ones[i] - ones[j] + origin) / (h * h * params[1 + i] * params[1 + j])
                scale = 1e-9 * (1.0 + 1.0 / (params[1 + i] * params[1 + j]))
                assert hessian[i, j] == pytest.approx(float(second), rel=1e-7, abs=scale), (i, j)


@both
@laws
@given(params=params_strategy, history=histories_strategy, t=st.floats(1e-3, 1e4))
def test_silence_is_the_ratio_of_likelihoods_and_no_purchase(
    family: ModuleType, params: Params, history: tuple[int, float, float], t: float
) -> None:
    x, t_x, T = history
    later = float(family.log_likelihood(params, x, t_x, T + t) - family.log_likelihood(params, *history))
    silent = float(family.p_no_purchase(params, *history, t))
    assert silent == pytest.approx(math.exp(later), rel=1e-8)
    assert float(family.purchase_pmf(params, *history, t, 0)) == silent


@both
@settings(deadline=None, max_examples=25)
@given(params=params_strategy, history=histories_strategy)
def test_time_ahead_only_adds_purchases_and_takes_silence_away(
    family: ModuleType, params: Params, history: tuple[int, float, float]
) -> None:
    t = np.array([0.0, 1e-6, 0.01, 1.0, 10.0, 100.0, 365.0, 1e4, 1e5])
    bought = family.expected_purchases(params, *history, t)
    silent = family.p_no_purchase(params, *history, t)
    assert bought[0] == 0.0
    assert silent[0] == pytest.approx(1.0, abs=1e-14)
    assert (np.diff(bought) >= -1e-9 * bought[1:]).all()
    assert (np.diff(silent) <= 1e-14).all()
    assert ((silent >= 0) & (silent <= 1 + 1e-14)).all()
    assert (silent >= 1.0 - bought * (1 + 1e-9) - 1e-13).all()
    assert (silent >= 1.0 - family.p_alive(params, *history) - 1e-13).all()


@both
@laws
@given(params=params_strategy, history=histories_strategy, c=st.floats(0.01, 100), t=st.floats(0.1, 1000))
def test_a_change_of_the_unit_of_time_changes_no_answer(
    family: ModuleType, params: Params, history: tuple[int, float, float], c: float, t: float
) -> None:
    x, t_x, T = history
    other, times = params._replace(alpha=c * params.alpha), (x, min(c * t_x, c * T), c * T)
    for function in (family.expected_purchases, family.p_no_purchase):
        want = float(function(params, *history, t))
        assert float(function(other, *times, c * t)) == pytest.approx(want, rel=1e-7, abs=1e-250)
    want = float(family.log_likelihood(params, *history)) - params.k * x * math.log(c)
    assert float(family.log_likelihood(other, *times)) == pytest.approx(want, rel=1e-9, abs=1e-9)


@both
@settings(deadline=None, max_examples=20)
@given(params=params_strategy, history=histories_strategy, delta=st.floats(1e-4, 2.0))
def test_discount_takes_away_and_more_time_gives(
    family: ModuleType, params: Params, history: tuple[int, float, float], delta: float
) -> None:
    t = np.array([0.0, 0.1, 10.0, 300.0])
    some = family.discounted_purchases(params, *history, t, delta)
    every = float(family.residual_transactions(params, *history, delta))
    far = float(family.discounted_purchases(params, *history, 60.0 / delta, delta))
    assert far == pytest.approx(every, rel=1e-8, abs=1e-280)
    assert (np.diff(some) >= -1e-9 * some[1:]).all()
    assert (some <= every * (1 + 1e-8)).all()
    bought = family.expected_purchases(params, *history, t)
    assert (some <= bought * (1 + 1e-9)).all()
    assert (some >= bought * np.exp(-delta * t) * (1 - 1e-9)).all()
    np.testing.assert_array_equal(family.discounted_purchases(params, *history, t, 0.0), bought)


@both
def test_residual_transactions_are_the_mean_of_a_geometric_series(family: ModuleType) -> None:
    """Given lambda, p and the stage: f^(k-j) / (1 - q f^k), f = lambda / (lambda + delta)."""
    params, delta, (x, t_x, T) = GROCERY._replace(k=3), 0.02, (4, 20.0, 26.0)
    k, r, alpha, a, b = params
    s, b_now, n = r + k * x, b + x + CHANCES[family], 80
    stage = [mp.rf(s, j) * ((T - t_x) / (alpha + T)) ** j / mp.factorial(j) for j in range(k)]
    points, weights = np.polynomial.legendre.leggauss(n)
    grid, want = 0.5 * (points + 1.0), 0.0
    p, rates = grid**6, 3.0 * grid**2  # lambda above 3 has a probability below 1e-20
    of_p = 0.5 * weights * 6 * grid**5 * p ** (a - 1) * (1 - p) ** (b_now - 1) / float(mp.beta(a, b_now))
    f = rates / (rates + delta)
    for j in range(k):
        log_density = (s + j - 1) * np.log(rates) - (alpha + T) * rates + (s + j) * math.log(alpha + T)
        of_rate = 0.5 * weights * 6.0 * grid * np.exp(log_density - math.lgamma(s + j))
        mean = of_rate @ (f[:, None] ** (k - j) / (1 - np.outer(f**k, 1 - p))) @ of_p
        want += float(stage[j] / sum(stage)) * mean
    want *= float(family.p_alive(params, x, t_x, T))
    got = float(family.residual_transactions(params, x, t_x, T, delta))
    assert got == pytest.approx(want, rel=1e-8)


@both
def test_without_discount_purchases_to_come_may_be_without_end(family: ModuleType) -> None:
    few = GROCERY._replace(a=3.0)
    want = (3.0 + 1.9 + 2 + CHANCES[family] - 1.0) / 2.0 * family.p_alive(few, 2, 5.0, 9.0)
    assert float(family.residual_transactions(few, 2, 5.0, 9.0, 0.0)) == pytest.approx(float(want), rel=1e-12)
    assert float(family.residual_transactions(few, 2, 5.0, 9.0, 1e-12)) == pytest.approx(
        float(want), rel=1e-6
    )
    assert math.isinf(family.residual_transactions(GROCERY, 2, 5.0, 9.0, 0.0))


@both
@pytest.mark.parametrize("history", [(0, 0.0, 0.0), (3, 20.0, 26.0)])
def test_possible_futures_agree_with_the_formulas(
    family: ModuleType, history: tuple[int, float, float]
) -> None:
    params, t, n, delta = GROCERY._replace(k=3, r=1.5), 60.0, 40_000, 0.03
    rng = np.random.default_rng(5)
    drawn = family.simulate(params, np.full(n, history[0]), *history[1:], t, random_state=rng)
    counts = np.bincount(drawn.customer, minlength=n)
    assert (np.diff(drawn.customer) >= 0).all()
    assert (np.diff(drawn.time)[np.diff(drawn.customer) == 0] >= 0).all()
    assert ((drawn.time >= history[2]) & (drawn.time <= history[2] + t)).all()
    for until in (4.0, 20.0, t):
        made = np.bincount(drawn.customer[drawn.time <= history[2] + until], minlength=n)
        want = float(family.expected_purchases(params, *history, until))
        assert abs(made.mean() - want) < 4.5 * made.std() / math.sqrt(n), until
    for count in range(5):
        want = float(family.purchase_pmf(params, *history, t, count))
        assert abs((counts == count).mean() - want) < 4.5 * math.sqrt(want * (1 - want) / n), count
    worth = np.bincount(drawn.customer, weights=np.exp(-delta * (drawn.time - history[2])), minlength=n)
    want = float(family.discounted_purchases(params, *history, t, delta))
    assert abs(worth.mean() - want) < 4.5 * worth.std() / math.sqrt(n)


@both
def test_belief_in_being_there_is_right_on_average(family: ModuleType) -> None:
    n, T = 60_000, 80.0
    drawn = family.simulate(GROCERY, np.zeros(n), 0.0, 0.0, T, random_state=np.random.default_rng(8))
    frequency, recency = histories(drawn)
    belief = family.p_alive(GROCERY, frequency, recency, T)
    for low, high in itertools.pairwise([0.0, 0.2, 0.5, 0.8, 1.01]):
        rows = (belief >= low) & (belief < high)
        error = np.sqrt((belief[rows] * (1 - belief[rows])).sum()) + 1.0
        assert abs(drawn.is_alive[rows].sum() - belief[rows].sum()) < 4.5 * error


@both
def test_the_true_regularity_is_the_likeliest_once_gaps_are_known(family: ModuleType) -> None:
    n, T, truth = 3000, 200.0, GROCERY._replace(k=3)
    drawn = family.simulate(truth, np.zeros(n), 0.0, 0.0, T, random_state=np.random.default_rng(2))
    frequency, recency = histories(drawn)
    first = np.concatenate([[True], np.diff(drawn.customer) > 0])
    gaps = drawn.time - np.where(first, 0.0, np.concatenate([[0.0], drawn.time[:-1]]))
    log_gaps = np.bincount(drawn.customer, weights=np.log(gaps), minlength=n)
    likelihood = [
        family.log_likelihood(truth._replace(k=k, alpha=truth.alpha * 3 / k), frequency, recency, T, log_gaps)
        for k in (1, 2, 3, 4, 5)
    ]
    assert int(np.sum(likelihood, axis=1).argmax()) == 2
    slope = family.gradient(truth, frequency, recency, T)
    assert (np.abs(slope.mean(axis=0)) < 4.5 * slope.std(axis=0) / math.sqrt(n)).all()


@both
def test_one_customer_at_a_time_is_the_same_as_many_at_once(family: ModuleType) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 12, 40).astype(float)
    T = rng.uniform(5, 400, 40)
    t_x = np.where(x > 0, T * rng.random(40), 0.0)
    draws = Params(2, *(np.array(GROCERY[1:])[:, None, None] * [[1.0], [1.3]]))
    for name, extra in [
        ("log_likelihood", ()), ("gradient", ()), ("hessian", ()), ("p_alive", ()),
        ("p_no_purchase", (200.0,)), ("expected_purchases", (200.0,)), ("purchase_pmf", (200.0, 2)),
        ("residual_transactions", (0.01,)),
        ("discounted_purchases", (200.0, 0.01)),
    ]:  # fmt: skip
        function = getattr(family, name)
        together = function(GROCERY, x, t_x, T, *extra)
        alone = [function(GROCERY, *row, *extra) for row in zip(x, t_x, T, strict=True)]
        np.testing.assert_allclose(together, alone, rtol=1e-11, atol=1e-14, err_msg=name)
        np.testing.assert_allclose(function(draws, x, t_x, T, *extra)[0], together, rtol=1e-9, atol=1e-13)


@both
def test_shapes_follow_broadcasting(family: ModuleType) -> None:
    many = family.expected_purchases(GROCERY, [[1], [2]], [[3.0], [4.0]], 39.0, [1.0, 2.0, 3.0])
    assert many.shape == (2, 3)
    assert np.shape(family.log_likelihood(GROCERY, 1, 3.0, 4.0)) == ()
    assert family.gradient(GROCERY, [], [], []).shape == (0, 4)
    assert family.hessian(GROCERY, 0, 0.0, [3.0, 4.0]).shape == (2, 4, 4)
    assert family.expected_purchases(GROCERY, [], [], [], 7.0).shape == (0,)
    assert family.purchase_pmf_new(GROCERY, 7.0, [0, 1]).shape == (2,)
    nobody = family.simulate(GROCERY, [], [], [], 7.0, random_state=np.random.default_rng(0))
    assert nobody.is_alive.size == nobody.time.size == 0
