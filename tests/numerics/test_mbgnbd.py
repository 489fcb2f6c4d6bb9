"""MBG/NBD's formulas against their own story; the laws it shares are in test_beta_dropout."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from scipy.integrate import dblquad

from habitue.numerics import bgnbd, mbgnbd
from habitue.numerics.mbgnbd import Params

CDNOW = Params(0.525, 6.183, 0.891, 1.614)

params_strategy = st.builds(
    Params, st.floats(0.01, 20), st.floats(0.1, 500), st.floats(1e-3, 30), st.floats(1e-3, 200)
)
laws = settings(deadline=None, max_examples=60)


def test_the_likelihood_is_the_story_integrated() -> None:
    """lambda ~ Gamma, p ~ Beta; he stayed after two purchases of three; then silence by p or chance."""
    r, alpha, a, b = CDNOW

    def story(rate: float, p: float) -> float:
        prior = math.exp(-alpha * rate) * alpha**r * rate ** (r - 1) / special.gamma(r)
        prior *= p ** (a - 1) * (1 - p) ** (b - 1) / special.beta(a, b)
        silence = (1 - p) * math.exp(-rate * 38.86) + p * math.exp(-rate * 30.43)
        return prior * rate**2 * (1 - p) ** 2 * silence

    # p = u^5 takes the singularity of p^(a - 1) at zero away
    got, _ = dblquad(lambda rate, u: story(rate, u**5) * 5 * u**4, 0, 1, 0, 4, epsabs=0, epsrel=1e-9)
    want = float(mbgnbd.log_likelihood(CDNOW, 2, 30.43, 38.86))
    assert want == pytest.approx(math.log(got), abs=1e-8)


@laws
@given(params=params_strategy, T=st.floats(1e-9, 1e5), t=st.floats(1e-3, 1e4))
def test_one_who_never_came_back_may_have_left_at_once(params: Params, T: float, t: float) -> None:
    r, alpha, a, b = params
    silent = math.exp(-r * math.log1p(T / alpha))
    want = b * silent / (a + b * silent)
    assert float(mbgnbd.p_alive(params, 0, 0.0, T)) == pytest.approx(want, rel=1e-11)
    # The likelihood is a probability next to one for short T: its log must keep its digits there.
    lost = b / (a + b) * -math.expm1(-r * math.log1p(T / alpha))
    if lost < 0.4:
        got = float(mbgnbd.log_likelihood(params, 0, 0.0, T))
        assert got == pytest.approx(math.log1p(-lost), rel=1e-12)
    alive_now = b / (a + b)
    assert float(mbgnbd.p_alive(params, 0, 0.0, 0.0)) == pytest.approx(alive_now, rel=1e-13)
    assert float(mbgnbd.purchase_pmf_new(params, t, 0)) >= a / (a + b) * (1 - 1e-13)


@laws
@given(
    params=params_strategy,
    x=st.integers(0, 300),
    share=st.floats(0, 1),
    T=st.floats(0, 3000),
    t=st.floats(0, 1e4),
)
def test_given_the_first_purchase_was_survived_it_is_bgnbd_with_one_stay_more(
    params: Params, x: int, share: float, T: float, t: float
) -> None:
    """From the second purchase on both tell one story, BG/NBD's with p ~ Beta(a, b + 1)."""
    t_x = share * T if x else 0.0
    wiser = bgnbd.Params(*params)._replace(b=params.b + 1.0)
    if x:
        for name, extra in [("p_alive", ()), ("p_no_purchase", (t,)), ("expected_purchases", (t,))]:
            want = float(getattr(bgnbd, name)(wiser, x, t_x, T, *extra))
            got = float(getattr(mbgnbd, name)(params, x, t_x, T, *extra))
            assert got == pytest.approx(want, rel=1e-9, abs=1e-300), name
    survived = params.b / (params.a + params.b)
    want = survived * float(bgnbd.expected_purchases_new(wiser, t))
    assert float(mbgnbd.expected_purchases_new(params, t)) == pytest.approx(want, rel=1e-9, abs=1e-300)


def test_simulated_newcomers_are_gone_at_once_as_often_as_the_model_says() -> None:
    n = 100_000
    future = mbgnbd.simulate(CDNOW, np.zeros(n), 0.0, 0.0, 1e-9, random_state=np.random.default_rng(1))
    want = CDNOW.b / (CDNOW.a + CDNOW.b)
    assert abs(future.is_alive.mean() - want) < 4 * 0.5 / math.sqrt(n)
