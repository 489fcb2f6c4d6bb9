"""What a contact earns: against all that can happen, the published profit, and simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from habitue.numerics import churn_profit
from habitue.numerics.offer_gain import (
    break_even_acceptance,
    break_even_churn,
    cost_weights,
    gain_terms,
    gross_weights,
    margin_if_staying,
)

shares = st.floats(0.0, 1.0)
money = st.floats(0.0, 1e4)


def by_listing(
    p: float, gone: float, v: float, gamma: float, s: float, psi: float, m: float, lam: float
) -> float:
    """Return the gain before costs, of every way it can go: leaves or not, accepts or not, is kept or not.

    Who is gone already answers nothing, so that nothing comes of it.
    """
    total = 0.0
    for leaves, accepts, kept in product((True, False), repeat=3):
        a = gamma if leaves else psi
        chance = (p * (1.0 - gone) if leaves else 1 - p) * (a if accepts else 1 - a) * (s if kept else 1 - s)
        alone = v * (lam if leaves else 1.0)
        stays = not leaves or (accepts and kept)
        total += chance * (v * (1.0 if stays else lam) * (1 + m * accepts) - alone)
    return total


@given(shares, shares, money, shares, shares, shares, st.floats(-1.0, 1.0), st.floats(0.0, 0.9))
def test_gain_is_the_mean_over_all_that_can_happen(
    p: float, gone: float, v: float, gamma: float, s: float, psi: float, m: float, lam: float
) -> None:
    weights = gross_weights(gamma, gamma * s, psi, margin_effect=m, leaver_share=lam)
    told = (gain_terms([p], [v], [p * gone]) @ weights).item()
    assert told == pytest.approx(by_listing(p, gone, v, gamma, s, psi, m, lam), rel=1e-9, abs=1e-7)


@given(shares, shares, shares, shares, money, money)
def test_costs_are_those_of_the_contact_and_of_who_accepts(
    p: float, gone: float, gamma: float, psi: float, c: float, d: float
) -> None:
    weights = cost_weights(gamma, psi, cost=c, cost_if_accepted=d)
    told = (gain_terms([p], [7.0], [p * gone]) @ weights).item()
    assert told == pytest.approx(c + d * (p * (1 - gone) * gamma + (1 - p) * psi), rel=1e-9, abs=1e-7)


@given(
    st.lists(shares, min_size=1, max_size=20),
    st.floats(11.0, 500.0),
    st.floats(0.0, 10.0),
    st.floats(0.0, 5.0),
    shares,
)
def test_customers_who_are_alike_but_for_leaving_earn_the_published_profit(
    p: list[float], clv: float, cost: float, contact: float, gamma: float
) -> None:
    rate = np.sort(np.array(p))[::-1]
    hull = churn_profit.Hull(rate, np.full(rate.size, 1.0 / rate.size))
    published = churn_profit.maximum_profit(
        hull, clv=clv, cost=cost, contact_cost=contact, acceptance=gamma
    ).profit
    weights = gross_weights(gamma, gamma, 1.0)
    weights = weights - cost_weights(gamma, 1.0, cost=contact, cost_if_accepted=cost)
    each = gain_terms(rate, np.full(rate.size, clv)) @ weights[:, 0]
    assert np.maximum(each, 0.0).mean() == pytest.approx(published, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("rate", [0.2, 1.0, 3.0])
def test_who_stays_brings_what_buyers_of_the_horizon_bring(rate: float) -> None:
    rng = np.random.default_rng(0)
    bought = rng.poisson(rate, 400_000)
    margin = rng.gamma(np.maximum(bought, 1), 10.0) * (bought > 0)
    told = margin_if_staying(rate * 10.0, np.exp(-rate))
    assert float(told) == pytest.approx(margin[bought > 0].mean(), rel=0.01)


def test_contracts_that_end_evenly_leave_half_a_margin_behind() -> None:
    rng = np.random.default_rng(1)
    leaves, when = rng.random(200_000) < 0.4, rng.random(200_000)
    margin = np.where(leaves, when, 1.0) * 120.0
    assert float(margin_if_staying(margin.mean(), 0.4, leaver_share=0.5)) == pytest.approx(120.0, rel=0.01)


@given(shares, money, st.floats(0.0, 0.99))
def test_value_of_a_stayer_gives_back_the_expected_margin(p: float, expected: float, lam: float) -> None:
    v = float(margin_if_staying(expected, p, leaver_share=lam))
    if np.isfinite(v):
        assert (1 - p) * v + p * lam * v == pytest.approx(expected, rel=1e-6, abs=1e-9)
    else:
        assert p == 1.0
        assert lam == 0.0


@given(st.floats(1.0, 1e3), shares, st.floats(-0.5, 0.5), st.floats(0.0, 50.0), st.floats(0.0, 50.0))
def test_at_the_break_even_churn_a_contact_earns_nothing(
    v: float, gamma: float, m: float, c: float, d: float
) -> None:
    weights = (
        gross_weights(gamma, gamma * 0.5, gamma, margin_effect=m)
        - cost_weights(gamma, gamma, cost=c, cost_if_accepted=d)
    )[:, 0]
    at = break_even_churn(weights, v).item()
    gain = gain_terms([0.0, 1.0], [v, v]) @ weights
    if np.isnan(at):
        assert gain[1] <= max(gain[0], 0.0) + 1e-9
    elif at > 0.0:
        assert (gain_terms([at], [v]) @ weights).item() == pytest.approx(
            0.0, abs=1e-7 * (1 + abs(gain).max())
        )
    else:
        assert gain[0] >= -1e-9


@given(st.floats(-100.0, 100.0), st.floats(-100.0, 100.0))
def test_at_the_break_even_acceptance_the_line_crosses_nought(low: float, high: float) -> None:
    at = break_even_acceptance(low, high).item()
    if np.isnan(at):
        assert high <= low or high < 0.0
    elif at > 0.0:
        assert low + at * (high - low) == pytest.approx(0.0, abs=1e-9)
    else:
        assert low >= -1e-12
