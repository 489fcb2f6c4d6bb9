"""NBD's formulas against the story they integrate, published numbers, and the laws they must obey."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from habitue.numerics import nbd
from habitue.numerics.nbd import Params
from habitue.numerics.purchases import histories

BASE = Params(0.384766, 12.072)

ANSWERS: list[tuple[Callable[..., np.ndarray], tuple[float, ...]]] = [
    (nbd.log_likelihood, ()),
    (nbd.gradient, ()),
    (nbd.hessian, ()),
    (nbd.p_alive, ()),
    (nbd.p_no_purchase, (90.0,)),
    (nbd.expected_purchases, (90.0,)),
    (nbd.purchase_pmf, (90.0, 3.0)),
    (nbd.residual_transactions, (0.001,)),
    (nbd.discounted_purchases, (90.0, 0.001)),
]

params_strategy = st.builds(Params, st.floats(1e-6, 1e3), st.floats(1e-3, 1e4))
histories_strategy = st.tuples(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1e5)).map(
    lambda h: (h[0], h[1] * h[2] if h[0] else 0.0, h[2])
)
laws = settings(deadline=None, max_examples=60)


def exact(params: Params, x: int, T: float) -> mp.mpf:
    """Return the log-likelihood at 40 digits."""
    r, alpha, T = map(mp.mpf, (*params, T))
    return mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha) - (r + x) * mp.log(alpha + T)


def test_the_likelihood_is_the_story_integrated() -> None:
    """lambda ~ Gamma; three purchases at given times within 40."""
    r, alpha = map(mp.mpf, BASE)

    def story(rate: mp.mpf) -> mp.mpf:
        prior = alpha**r / mp.gamma(r) * rate ** (r - 1) * mp.exp(-alpha * rate)
        return prior * rate**3 * mp.exp(-rate * 40)

    want = float(mp.log(mp.quad(story, [0, 0.01, 0.1, 1, 5])))
    assert float(nbd.log_likelihood(BASE, 3, 17.0, 40.0)) == pytest.approx(want, rel=1e-12)


def test_the_likelihood_of_counts_is_scipys_negative_binomial() -> None:
    x, T = np.arange(9.0), 39.0
    r, alpha = BASE
    counted = nbd.log_likelihood(BASE, x, 0.0, T) + x * np.log(T) - np.array([math.lgamma(v + 1) for v in x])
    np.testing.assert_allclose(np.exp(counted), nbd.purchase_pmf_new(BASE, T, x), rtol=1e-13)
    first = r * math.log(alpha / (alpha + T))
    assert counted[0] == pytest.approx(first, rel=1e-13)


def test_the_likelihood_of_cdnows_counts_is_the_published_one(shared_data: Path) -> None:
    with gzip.open(shared_data / "data" / "cdnow" / "cdnow_customers_summary.csv.gz", "rt") as file:
        next(file)
        _, x, t_x, T = np.loadtxt(file, delimiter=",").T
    T = np.round(7 * T) / 7  # weeks were rounded to two decimals, the number was found from days
    counted = nbd.log_likelihood(BASE, x, t_x, T) + x * np.log(T) - special.gammaln(x + 1.0)
    assert counted.sum() == pytest.approx(-3193.0586751599, abs=1e-8)


@laws
@given(params=params_strategy, history=histories_strategy)
def test_log_likelihood_equals_forty_digits(params: Params, history: tuple[int, float, float]) -> None:
    with mp.workdps(40):
        want = float(exact(params, history[0], history[2]))
    assert float(nbd.log_likelihood(params, *history)) == pytest.approx(want, rel=1e-10, abs=1e-10)


@settings(laws, max_examples=20)
@given(params=params_strategy, history=histories_strategy)
def test_gradient_and_hessian_equal_forty_digits(params: Params, history: tuple[int, float, float]) -> None:
    x, _, T = history
    gradient, hessian = nbd.gradient(params, *history), nbd.hessian(params, *history)
    np.testing.assert_array_equal(hessian, hessian.T)
    with mp.workdps(60):
        for i, j in [(0, None), (1, None), (0, 0), (0, 1), (1, 1)]:
            orders = tuple((i == field) + (j == field) for field in (0, 1))
            want = float(
                mp.diff(lambda r, alpha: exact(Params(r, alpha), x, T), tuple(map(mp.mpf, params)), orders)
            )
            got = float(gradient[i] if j is None else hessian[i, j])
            r, alpha = params
            # what may cancel: one over r and (r + x) / alpha, to the order of the derivative
            scale = {0: 1 / r + math.log1p(T / alpha), 1: (r + x) / alpha}[i]
            scale *= 1.0 if j is None else {0: 1 / r, 1: 1 / alpha}[j]
            assert got == pytest.approx(want, rel=1e-9, abs=1e-12 * scale), (i, j)


@laws
@given(params=params_strategy, history=histories_strategy, t=st.floats(1e-6, 1e5))
def test_probabilities_lie_in_their_range_and_silence_is_zero_purchases(
    params: Params, history: tuple[int, float, float], t: float
) -> None:
    silent = float(nbd.p_no_purchase(params, *history, t))
    pmf = nbd.purchase_pmf(params, *history, t, [0, 1, 2, 50, 10_000])
    assert ((pmf >= 0) & (pmf <= 1 + 1e-10)).all()
    assert pmf[0] == pytest.approx(silent, rel=1e-12, abs=1e-300)
    later = nbd.log_likelihood(params, history[0], history[1], history[2] + t)
    ratio = math.exp(float(later - nbd.log_likelihood(params, *history)))
    assert silent == pytest.approx(ratio, rel=1e-7, abs=1e-300)
    assert float(nbd.p_alive(params, *history)) == 1.0


def test_probabilities_of_counts_sum_to_one_and_their_mean_is_expected() -> None:
    n = np.arange(3000)
    for history in [(0, 0.0, 0.0), (3, 20.0, 38.86), (400, 80.0, 90.0)]:
        pmf = nbd.purchase_pmf(BASE, *history, 50.0, n)
        assert pmf.sum() == pytest.approx(1.0, abs=1e-11)
        assert n @ pmf == pytest.approx(float(nbd.expected_purchases(BASE, *history, 50.0)), rel=1e-10)
    assert nbd.purchase_pmf_new(BASE, 0.0, [0, 1, 5]).tolist() == [1.0, 0.0, 0.0]


@laws
@given(params=params_strategy, history=histories_strategy, t=st.floats(1e-3, 1e4))
def test_discounting_takes_away_and_ends_at_the_extremes(
    params: Params, history: tuple[int, float, float], t: float
) -> None:
    rates = np.array([0.0, 1e-12, 1e-6, 0.001, 0.1, 10.0])
    within = nbd.discounted_purchases(params, *history, t, rates)
    forever = nbd.residual_transactions(params, *history, rates)
    assert within[0] == pytest.approx(float(nbd.expected_purchases(params, *history, t)), rel=1e-13)
    assert (np.diff(within) <= 1e-12 * within[:-1]).all()
    assert (within <= forever * (1 + 1e-12)).all()
    assert forever[0] == math.inf


def test_simulated_customers_do_what_is_expected_of_them() -> None:
    n, T, t = 60_000, 39.0, 40.0
    rng, new = np.random.default_rng(5), np.zeros(60_000)
    drawn = nbd.simulate(BASE, new, new, new, T, random_state=rng)
    x, t_x = histories(drawn)
    assert drawn.is_alive.all()
    for k in range(4):
        want = float(nbd.purchase_pmf_new(BASE, T, k))
        assert abs((x == k).mean() - want) < 4 * math.sqrt(want / n)
    gradient = nbd.gradient(BASE, x, t_x, T)  # zero on average at the truth
    assert (np.abs(gradient.mean(axis=0)) < 4 * gradient.std(axis=0) / math.sqrt(n)).all()
    later = nbd.simulate(BASE, x, t_x, T, t, random_state=rng)
    assert ((later.time > T) & (later.time <= T + t)).all()
    counts = np.bincount(later.customer, minlength=n)
    assert abs(counts.mean() - nbd.expected_purchases(BASE, x, t_x, T, t).mean()) < 4 * counts.std() / n**0.5


def test_one_customer_at_a_time_is_the_same_as_many_at_once_and_shapes_broadcast() -> None:
    draws = Params(*(np.array([[v], [1.1 * v]]) for v in BASE))
    x, t_x, T = np.array([0.0, 1.0, 7.0]), np.array([0.0, 3.0, 4.0]), 9.0
    for function, extra in ANSWERS:
        tail = {"gradient": (2,), "hessian": (2, 2)}.get(function.__name__, ())
        assert function(BASE, 2, 3.0, 5.0, *extra).shape == tail
        assert function(BASE, [], [], [], *extra).shape == (0, *tail)
        together = function(BASE, x, t_x, T, *extra)
        alone = [function(BASE, *row, T, *extra) for row in zip(x, t_x, strict=True)]
        np.testing.assert_allclose(together, alone, rtol=1e-13)
        both = function(draws, x, t_x, T, *extra)
        assert both.shape == (2, 3, *tail)
        np.testing.assert_allclose(both[0], together, rtol=1e-13)
