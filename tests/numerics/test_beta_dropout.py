"""Laws that BG/NBD and MBG/NBD share, against the story they tell and against 30-digit arithmetic."""

from __future__ import annotations

import math
from types import ModuleType

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics import bgnbd, many_rows, mbgnbd, purchases_ahead
from habitue.numerics.purchases import histories

FAMILIES = [pytest.param(bgnbd, 0, id="BG/NBD"), pytest.param(mbgnbd, 1, id="MBG/NBD")]
families = pytest.mark.parametrize(("family", "m"), FAMILIES)
CDNOW = (0.243, 4.414, 0.793, 2.426)
KNOWN = (2, 30.43, 38.86)

Params = tuple[float, float, float, float]
History = tuple[int, float, float]

params_strategy = st.tuples(
    st.floats(0.01, 20), st.floats(0.1, 500), st.floats(1e-3, 30), st.floats(1e-3, 200)
)
histories_strategy = st.tuples(st.integers(0, 300), st.floats(0, 1), st.floats(0, 3000)).map(
    lambda h: (h[0], h[1] * h[2] if h[0] else 0.0, h[2])
)
laws = settings(deadline=None, max_examples=50)


def exact(m: int, params: Params, history: History) -> tuple[mp.mpf, mp.mpf]:
    """Return log-likelihood and P(alive): both ways to fall silent, averaged over p and lambda."""
    r, alpha, a, b = map(mp.mpf, params)
    x, t_x, T = history[0], mp.mpf(history[1]), mp.mpf(history[2])
    chances = x + m

    def mean(left: int, stayed: int) -> mp.mpf:
        return mp.beta(a + left, b + stayed) / mp.beta(a, b)

    def buying(until: mp.mpf) -> mp.mpf:
        return mp.rf(r, x) * (alpha / (alpha + until)) ** r * (alpha + until) ** -x

    alive = mean(0, chances) * buying(T)
    gone = mean(1, chances - 1) * buying(t_x) if chances else mp.mpf(0)
    return mp.log(alive + gone), alive / (alive + gone)


def exact_pmf(m: int, params: Params, history: History, t: float, n: int) -> mp.mpf:
    """Return P(n purchases): stayed through n and wanted n, or left after the n-th of at least n."""
    r, alpha, a, b = map(mp.mpf, params)
    x, _, T = history
    s, chances, y = r + x, b + x + m, mp.mpf(t) / (alpha + T + t)
    alive = exact(m, params, history)[1]
    wanted = mp.gammaprod([s + n], [s, n + 1]) * (1 - y) ** s * y**n
    if n == 0:
        return 1 - alive + alive * wanted
    at_least = mp.betainc(n, s, 0, y, regularized=True)
    stayed, left = mp.beta(a, chances + n), mp.beta(a + 1, chances + n - 1)
    return alive * (stayed * wanted + left * at_least) / mp.beta(a, chances)


def exact_discounted(s: float, a: float, b: float, d: float, end: float = math.inf) -> mp.mpf:
    """Return the integral over time of purchases then, s 2F1(s + 1, a; a + b; -w), discounted."""
    with mp.workdps(22):
        scale, top = mp.mpf(1) / (s + 1 + d), min(mp.mpf(end), mp.mpf(60) / d)

        def flow(w: mp.mpf) -> mp.mpf:
            return mp.exp(-d * w) * s * mp.hyp2f1(s + 1, a, mp.mpf(a) + b, -w)

        cuts = [mp.log(min(scale, top))]
        total = mp.quad(flow, [0, mp.exp(cuts[0])], maxdegree=5)
        while cuts[-1] < mp.log(top):
            cuts.append(min(cuts[-1] + 3, mp.log(top)))
        if len(cuts) > 1:
            total += mp.quad(lambda q: flow(mp.exp(q)) * mp.exp(q), cuts, maxdegree=5)
        return total


def extreme_cases(n_cases: int, seed: int) -> list[tuple[Params, History, float, int]]:
    """Return parameters from 1e-6, x and n to 1e4, T and t to 1e5."""
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(n_cases):
        r, a, b = (
            10 ** rng.uniform(-6, 2) if rng.random() < 0.8 else rng.choice([1.0, 0.5, 0.3]) for _ in range(3)
        )
        x, n = (int(10 ** rng.uniform(0, 4)) if rng.random() < 0.6 else int(rng.integers(0, 3)) for _ in "xn")
        T = 10 ** rng.uniform(-3, 5)
        t_x = T * rng.choice([1.0, rng.random()]) if x else 0.0
        params = (float(r), 10 ** rng.uniform(-3, 3), float(a), float(b))
        cases.append((params, (x, float(t_x), T), 10 ** rng.uniform(-6, 5), n))
    return cases


EXTREME = extreme_cases(120, 11)


@families
def test_likelihood_p_alive_and_pmf_equal_forty_digits_at_the_extremes(family: ModuleType, m: int) -> None:
    for params, history, t, n in EXTREME:
        with mp.workdps(40):
            log_likelihood, alive = exact(m, params, history)
            probability = exact_pmf(m, params, history, t, n)
        where = (params, history, t, n)
        p = family.Params(*params)
        got = float(family.log_likelihood(p, *history))
        assert got == pytest.approx(float(log_likelihood), rel=1e-10), where
        assert float(family.p_alive(p, *history)) == pytest.approx(float(alive), rel=1e-9, abs=1e-300), where
        got = float(family.purchase_pmf(p, *history, t, n))
        assert got == pytest.approx(float(probability), rel=1e-9, abs=1e-300), where


@families
def test_everything_is_finite_and_positive_at_the_extremes(family: ModuleType, m: int) -> None:
    for params, history, t, n in EXTREME:
        p = family.Params(*params)
        answers = [
            family.p_alive(p, *history), family.p_no_purchase(p, *history, t),
            family.purchase_pmf(p, *history, t, n), family.purchase_pmf_new(p, t, n),
            family.expected_purchases(p, *history, t), family.expected_purchases_new(p, t),
            family.discounted_purchases(p, *history, t, 1e-3),
            family.residual_transactions(p, *history, 1e-9), family.residual_transactions(p, *history, 10.0),
        ]  # fmt: skip
        assert all(np.isfinite(answer) and answer >= 0.0 for answer in answers), (params, history, t, n)
        assert np.isfinite(family.gradient(p, *history)).all()
        assert np.isfinite(family.hessian(p, *history)).all()


@families
def test_the_hessian_is_the_derivative_of_the_gradient_and_both_of_the_likelihood(
    family: ModuleType, m: int
) -> None:
    """Derivatives by mpmath of the likelihood of the story, at the edges too."""
    cases = [(CDNOW, KNOWN), (CDNOW, (0, 0.0, 38.86)), ((0.5, 6.0, 1.0, 1e-3), (1, 0.0, 50.0))]
    cases += [(params, history) for params, history, _, _ in EXTREME if history[0] < 400][:5]
    for params, history in cases:
        p = family.Params(*params)
        gradient, hessian = family.gradient(p, *history), family.hessian(p, *history)
        np.testing.assert_array_equal(hessian, hessian.T)
        with mp.workdps(60):

            def value(*q: mp.mpf, history: History = history) -> mp.mpf:
                return exact(m, q, history)[0]  # type: ignore[arg-type]

            for i in range(4):
                order = tuple(int(k == i) for k in range(4))
                slope = mp.diff(value, params, order)
                assert float(gradient[i]) == pytest.approx(
                    float(slope), rel=1e-8, abs=1e-13 + 1e-15 / params[i]
                ), (
                    params,
                    history,
                )
                for j in range(i, 4):
                    order = tuple(int(k == i) + int(k == j) for k in range(4))
                    bend = float(mp.diff(value, params, order))
                    noise = 1e-13 + 1e-15 / (params[i] * params[j])  # in the size of log-parameters
                    got = float(hessian[i, j])
                    assert got == pytest.approx(bend, rel=1e-8, abs=noise), (params, history, i, j)


@families
@laws
@given(params=params_strategy, history=histories_strategy)
def test_gradient_and_hessian_equal_difference_quotients(
    family: ModuleType, m: int, params: Params, history: History
) -> None:
    p = family.Params(*params)
    hessian = family.hessian(p, *history)
    for i, value in enumerate(p):
        h = 1e-4 * value
        up, down = (p._replace(**{p._fields[i]: value + sign * h}) for sign in (1, -1))
        slope = (family.gradient(up, *history) - family.gradient(down, *history)) / (2 * h)
        size = np.abs(family.gradient(p, *history)).max() + 1.0 / np.min(params)
        np.testing.assert_allclose(hessian[i], slope, rtol=1e-5, atol=1e-11 * size / h + 1e-7 * size / value)


@families
@laws
@given(params=params_strategy, history=histories_strategy, t=st.floats(1e-3, 1e3))
def test_silence_is_the_ratio_of_likelihoods_and_the_probability_of_no_purchase(
    family: ModuleType, m: int, params: Params, history: History, t: float
) -> None:
    p, (x, t_x, T) = family.Params(*params), history
    ratio = math.exp(family.log_likelihood(p, x, t_x, T + t) - family.log_likelihood(p, *history))
    assert float(family.p_no_purchase(p, *history, t)) == pytest.approx(ratio, rel=1e-9)
    assert family.purchase_pmf(p, *history, t, 0) == family.p_no_purchase(p, *history, t)


@families
@pytest.mark.parametrize("params", [CDNOW, (0.5, 6.0, 1.0, 1.6), (3.0, 40.0, 0.02, 0.3)])
@pytest.mark.parametrize("history", [(0, 0.0, 38.86), KNOWN, (26, 30.86, 31.0)])
def test_probabilities_sum_to_one_and_their_mean_is_the_expectation(
    family: ModuleType, m: int, params: Params, history: History
) -> None:
    n, p = np.arange(5000), family.Params(*params)
    probabilities = family.purchase_pmf(p, *history, 39.0, n)
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    want = float(family.expected_purchases(p, *history, 39.0))
    assert (n * probabilities).sum() == pytest.approx(want, rel=1e-10)


@families
def test_nobody_buys_in_no_time(family: ModuleType, m: int) -> None:
    p = family.Params(*CDNOW)
    assert family.purchase_pmf(p, *KNOWN, 0.0, [0, 1, 7]).tolist() == [1.0, 0.0, 0.0]
    assert float(family.expected_purchases(p, *KNOWN, 0.0)) == 0.0
    assert float(family.discounted_purchases(p, *KNOWN, 0.0, 0.1)) == 0.0


def test_purchases_ahead_equal_fifty_digits_at_the_extremes() -> None:
    """Against equation (10) of Fader, Hardie and Lee (2005) after Euler's transform."""
    rng = np.random.default_rng(5)
    for _ in range(60):
        s, b = 10 ** rng.uniform(-6, 4), 10 ** rng.uniform(-6, 4)
        a = rng.choice([10 ** rng.uniform(-6, 4), 0.3, 1.0003, 12.0])
        z = 10 ** rng.uniform(-6, 9)
        with mp.workdps(50):
            c, share = mp.mpf(a) + b - 1, mp.mpf(z) / (1 + mp.mpf(z))
            euler = (1 - share) ** (mp.mpf(a) - 1) * mp.hyp2f1(c - s, mp.mpf(a) - 1, c, share)
            want = float(c / (mp.mpf(a) - 1) * (1 - euler))
        for first in (float(a), [float(a)]):  # shared by all, and each its own
            got = float(purchases_ahead.purchases([s], first, [b], [z])[0])
            assert got == pytest.approx(want, rel=1e-10), (s, first, b, z)


@pytest.mark.parametrize(
    ("s", "a", "b", "d", "end"),
    [
        (2.2, 0.8, 4.4, 0.1, 1.0), (0.3, 1.0, 2.5, 1e-4, 1e3), (1e-4, 1e-5, 0.01, 3.0, 0.1),
        (73.0, 2e-3, 0.2, 1e-6, 300.0), (1500.0, 5.0, 900.0, 200.0, 1e-3),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_discounted_purchases_are_the_integral_over_time(
    s: float, a: float, b: float, d: float, end: float
) -> None:
    whole, part = float(exact_discounted(s, a, b, d)), float(exact_discounted(s, a, b, d, end))
    for first in (a, [a]):
        assert purchases_ahead.residual([s], first, [b], [d])[0] == pytest.approx(whole, rel=1e-9)
        assert purchases_ahead.discounted([s], first, [b], [end], [d])[0] == pytest.approx(part, rel=1e-9)


@families
@laws
@given(params=params_strategy, history=histories_strategy, rate=st.floats(1e-6, 10.0))
def test_discounted_purchases_lie_between_none_and_all(
    family: ModuleType, m: int, params: Params, history: History, rate: float
) -> None:
    p, t = family.Params(*params), np.array([0.0, 1e-3, 1.0, 50.0, 1e3, 1e5, 1e8])
    bought, some = (
        family.expected_purchases(p, *history, t),
        family.discounted_purchases(p, *history, t, rate),
    )
    everything = float(family.residual_transactions(p, *history, rate))
    np.testing.assert_allclose(family.discounted_purchases(p, *history, t, 0.0), bought, rtol=1e-12)
    assert (np.diff(some) >= -1e-9 * some[1:]).all()
    assert (some <= bought * (1 + 1e-9)).all()
    assert (some >= np.exp(-rate * t) * bought * (1 - 1e-9)).all()
    assert some[-1] == pytest.approx(everything, rel=1e-9)


@families
def test_without_discount_all_purchases_to_come_exist_where_the_mean_of_1_over_p_does(
    family: ModuleType, m: int
) -> None:
    r, alpha, _, b = CDNOW
    first = np.array([0.8, 1.0, 1.5, 4.0])
    got = family.residual_transactions(family.Params(r, alpha, first, b), *KNOWN, 0.0)
    assert np.isinf(got[:2]).all()
    alive = family.p_alive(family.Params(r, alpha, first, b), *KNOWN)
    np.testing.assert_allclose(got[2:], (alive * (first + b + 1 + m))[2:] / (first[2:] - 1), rtol=1e-14)
    slowly = family.residual_transactions(family.Params(r, alpha, 4.0, b), *KNOWN, [0.0, 1e-12])
    assert slowly[1] == pytest.approx(slowly[0], rel=1e-8)


@families
def test_parameters_broadcast_like_histories_do(family: ModuleType, m: int) -> None:
    draws = np.array([CDNOW, (0.5, 6.0, 1.0, 1.6), (2.0, 90.0, 13.0, 0.2)])
    many = family.Params(*draws.T[:, :, None])
    x, t_x, T = np.array([0.0, 1.0, 40.0]), np.array([0.0, 0.0, 30.0]), np.array([9.0, 30.0, 31.0])
    for name, extra in [
        ("log_likelihood", ()), ("gradient", ()), ("hessian", ()), ("p_alive", ()), ("p_no_purchase", (7.0,)),
        ("expected_purchases", (7.0,)), ("purchase_pmf", (7.0, 2)), ("residual_transactions", (0.01,)),
        ("discounted_purchases", (7.0, 0.01)),
    ]:  # fmt: skip
        function = getattr(family, name)
        together = function(many, x, t_x, T, *extra)
        alone = [function(family.Params(*draw), x, t_x, T, *extra) for draw in draws]
        np.testing.assert_allclose(together, np.stack(alone), rtol=1e-9, atol=1e-15, err_msg=name)
    assert family.expected_purchases_new(many, 7.0).shape == (3, 1)
    assert family.purchase_pmf_new(many, 7.0, [0, 1]).shape == (3, 2)


@families
@pytest.mark.parametrize("step", [1.0, 1 / 7, 0.37])
def test_no_answer_depends_on_which_customers_are_asked_together(
    family: ModuleType, m: int, step: float
) -> None:
    rng = np.random.default_rng(0)
    T = step * rng.integers(1, 50, 3000)
    x = rng.integers(0, 12, T.size).astype(float)
    t_x = np.where(x > 0, T * rng.random(T.size), 0.0)
    p, some = family.Params(*CDNOW), np.arange(0, T.size, 150)
    for name, extra in [
        ("log_likelihood", ()), ("hessian", ()), ("expected_purchases", (20.0,)),
        ("residual_transactions", (0.01,)), ("discounted_purchases", (20.0, 0.01)),
    ]:  # fmt: skip
        function = getattr(family, name)
        together = function(p, x, t_x, T, *extra)[some]
        alone = [function(p, x[i], t_x[i], T[i], *extra) for i in some]
        np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-300, err_msg=name)


@pytest.mark.parametrize(
    "times",
    [np.full(500, 3.0), np.arange(500.0) % 7, np.arange(500) % 90 / 7,
     np.array([1.0, 1.0 + 1e-12, 5.0] * 150), np.random.default_rng(0).random(500)],
    ids=["one", "days", "weeks", "nearly equal", "all different"],
)  # fmt: skip
def test_pairs_are_told_apart(times: np.ndarray) -> None:
    x = np.arange(times.size) % 3.0
    np.testing.assert_array_equal(many_rows.over_pairs(lambda x, T: 10 * x + T, x, times), 10 * x + times)


@families
def test_shapes_follow_broadcasting(family: ModuleType, m: int) -> None:
    p = family.Params(*CDNOW)
    for answer in (
        family.p_alive(p, *KNOWN), family.log_likelihood(p, *KNOWN),
        family.expected_purchases(p, *KNOWN, 7.0),
        family.purchase_pmf(p, *KNOWN, 7.0, 1), family.residual_transactions(p, *KNOWN, 0.1),
    ):  # fmt: skip
        assert isinstance(answer, np.ndarray)
        assert answer.shape == ()
    assert family.purchase_pmf(p, [[1], [2]], 3.0, 4.0, 39.0, [0, 1, 2]).shape == (2, 3)
    assert family.hessian(p, [], [], []).shape == (0, 4, 4)
    assert family.residual_transactions(p, [], [], [], 0.1).shape == (0,)
    assert family.discounted_purchases(p, [], [], [], 7.0, 0.1).shape == (0,)
    nobody = family.simulate(p, [], [], [], 7.0, random_state=np.random.default_rng(0))
    assert nobody.customer.size == nobody.is_alive.size == 0


@families
@pytest.mark.parametrize("history", [(0, 0.0, 0.0), (0, 0.0, 38.86), KNOWN, (26, 30.86, 31.0)])
def test_simulated_futures_have_the_probabilities_of_the_formulas(
    family: ModuleType, m: int, history: History
) -> None:
    rng, p, n, t = np.random.default_rng(8), family.Params(*CDNOW), 100_000, 39.0
    x, t_x, T = (np.full(n, value) for value in history)
    future = family.simulate(p, x, t_x, T, t, random_state=rng)
    counts = np.bincount(future.customer, minlength=n)
    for k in range(6):
        want = float(family.purchase_pmf(p, *history, t, k))
        assert abs((counts == k).mean() - want) < 4.5 * math.sqrt(want / n), k
    assert abs(counts.mean() - family.expected_purchases(p, *history, t)) < 4.5 * counts.std() / math.sqrt(n)
    early = future.time <= history[2] + 10.0
    want = float(family.expected_purchases(p, *history, 10.0))
    assert abs(early.sum() / n - want) < 4.5 * counts.std() / math.sqrt(n)
    # Alive at the end: what p_alive says of those who bought nothing, whose history is then known.
    silent = counts == 0
    want = float(family.p_alive(p, history[0], history[1], history[2] + t))
    assert abs(future.is_alive[silent].mean() - want) < 4.5 * 0.5 / math.sqrt(silent.sum())


@families
def test_simulated_purchases_are_in_order_and_in_time(family: ModuleType, m: int) -> None:
    p = family.Params(np.array([[1e-6], [0.3], [400.0]]), 4.0, np.array([1e-6, 0.8]), 1e-3)
    future = family.simulate(p, 3, 5.0, 8.0, 1000.0, random_state=np.random.default_rng(2))
    assert future.is_alive.shape == (6,)
    assert (np.diff(future.customer) >= 0).all()
    assert (np.diff(future.time)[np.diff(future.customer) == 0] >= 0).all()
    assert ((future.time >= 8.0) & (future.time <= 1008.0)).all()


@families
def test_the_likelihood_of_simulated_newcomers_is_highest_near_the_truth(family: ModuleType, m: int) -> None:
    truth, n, T = family.Params(0.6, 20.0, 0.8, 2.5), 40_000, 200.0
    nobody = np.zeros(n)
    x, t_x = histories(family.simulate(truth, nobody, 0.0, 0.0, T, random_state=np.random.default_rng(4)))
    gradient = family.gradient(truth, x, t_x, T)
    score = gradient.sum(axis=0)
    information = -family.hessian(truth, x, t_x, T).sum(axis=0)
    # the score statistic is chi-squared with four degrees of freedom: 23.5 has a chance of 1e-4
    assert score @ np.linalg.solve(information, score) < 23.5
    predicted = family.expected_purchases(truth, x, t_x, T, 80.0)
    want = family.expected_purchases_new(truth, T + 80.0) - family.expected_purchases_new(truth, T)
    assert abs(predicted.mean() - want) < 4 * predicted.std() / math.sqrt(n)
