"""Ratios of Beta functions and sums over periods against many-digit arithmetic."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics import beta_ratio
from habitue.numerics.long_sums import ONE_BY_ONE, counting_rule, long_stretches, short_stretches

laws = settings(deadline=None, max_examples=60)
size = st.floats(-7, 7).map(lambda e: 10.0**e)
long_size = st.floats(-7, 12).map(lambda e: 10.0**e)


@laws
@given(a=size, b=long_size, y=long_size)
def test_everything_holds_to_thirteen_digits(a: float, b: float, y: float) -> None:
    with mp.workdps(70):
        A, B, Y = map(mp.mpf, (a, b, y))
        ratio = mp.loggamma(B + Y) + mp.loggamma(A + B) - mp.loggamma(B) - mp.loggamma(A + B + Y)
        psi = [mp.psi(order, B + Y) - mp.psi(order, B) for order in (0, 1)]
        want = [ratio, psi[0], -psi[1]]
    got = [
        beta_ratio.log_beta_ratio(a, b, y),
        beta_ratio.digamma_difference(b, y),
        beta_ratio.trigamma_difference(b, y),
    ]
    for value, exact in zip(got, want, strict=True):
        assert float(value) == pytest.approx(float(exact), rel=1e-13, abs=0.0)


@laws
@given(z=size, a=size, y=size)
def test_mixed_differences_hold_relative_to_the_longer_step(z: float, a: float, y: float) -> None:
    with mp.workdps(70):
        Z, A, Y = map(mp.mpf, (z, a, y))
        want = [
            float(mp.psi(i, Z + A) + mp.psi(i, Z + Y) - mp.psi(i, Z) - mp.psi(i, Z + A + Y)) for i in (0, 1)
        ]
    lost = 1e-14 * max(1.0, z / max(a, y))
    assert float(beta_ratio.digamma_mixed_difference(z, a, y)) == pytest.approx(want[0], rel=lost)
    assert float(beta_ratio.trigamma_mixed_difference(z, a, y)) == pytest.approx(want[1], rel=lost)


@laws
@given(a=size, b=long_size)
def test_the_beta_function_and_stirlings_remainder(a: float, b: float) -> None:
    with mp.workdps(50):
        log_beta = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(mp.mpf(a) + mp.mpf(b))
        z = mp.mpf(a)
        left = mp.loggamma(z) - (z - mp.mpf(1) / 2) * mp.log(z) + z - mp.log(2 * mp.pi) / 2
    assert float(beta_ratio.log_beta(a, b)) == pytest.approx(float(log_beta), rel=1e-13, abs=1e-14)
    assert float(beta_ratio.stirling_remainder(a)) == pytest.approx(float(left), rel=1e-11)


def test_a_ratio_is_symmetric_and_one_after_no_time() -> None:
    a, b, y = np.random.default_rng(0).gamma(0.3, 100.0, (3, 50)) + 1e-9
    np.testing.assert_allclose(
        beta_ratio.log_beta_ratio(a, b, y), beta_ratio.log_beta_ratio(y, b, a), rtol=1e-13
    )
    assert (beta_ratio.log_beta_ratio(a, b, 0.0) == 0.0).all()


@pytest.mark.parametrize("n", [1, 7, 24, 25, 26, 100, 1000])
def test_the_counting_rule_sums_polynomials_exactly(n: int) -> None:
    points, weights = counting_rule([float(n)])
    i = np.arange(n)
    for degree in (0, 1, 10, 47):
        want = ((i / n) ** degree).sum()
        assert (weights * (points / n) ** degree).sum() == pytest.approx(want, rel=1e-12)
    assert ((weights >= 0) & (points >= 0) & (points <= n - 1)).all()


@pytest.mark.parametrize("fall", [0.0, 1e-6, 1e-3, 0.02, 5.0])
def test_all_periods_are_summed_once(fall: float) -> None:
    n_terms = np.array([0.0, 1.0, 128.0, 129.0, 1024.0, 1025.0, 5000.0, 1e5])
    total = np.zeros(n_terms.size)
    for rows, i, counts in short_stretches(n_terms):
        total[rows] += np.where(counts, np.exp(-fall * i), 0.0).sum(axis=1)
    for rows, i, weights in long_stretches(n_terms):
        assert (i >= ONE_BY_ONE).all()
        total[rows] += (weights * np.exp(-fall * i)).sum(axis=1)
    want = n_terms if fall == 0.0 else np.expm1(-fall * n_terms) / np.expm1(-fall)
    np.testing.assert_allclose(total, want, rtol=1e-12)
