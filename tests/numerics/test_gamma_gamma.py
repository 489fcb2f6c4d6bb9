"""Gamma-gamma's formulas against golden values, integrals, and the laws they must obey."""

from __future__ import annotations

import csv
import math
from pathlib import Path

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


def test_golden_values_hold_to_nine_digits(shared_data: Path) -> None:
    with (shared_data / "golden" / "btyd_values.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == "Gamma-Gamma"]
    functions = {"loglik": gamma_gamma.log_likelihood, "cond_mean": gamma_gamma.expected_spend}
    assert {row["quantity"] for row in rows} == set(functions)
    for row in rows:
        inputs = [float(pair.split("=")[1].replace("any", "nan")) for pair in row["inputs"].split(",")]
        got = functions[row["quantity"]](Params(*map(float, row["params"].split(";"))), *inputs)
        assert float(got) == pytest.approx(float(row["value"]), rel=1e-9), row


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
