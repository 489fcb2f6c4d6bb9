"""Zero-inflated log-normal: derivatives, expectations by quadrature, and the parts that stand beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from habitue.numerics import zero_inflated_lognormal as ziln
from habitue.numerics.conformal import conformal_quantile, enough_for, level_edges
from habitue.numerics.rescaling import rescale, to_log_chance
from habitue.numerics.spend_losses import balance, hurdle_loss, tweedie_deviance

scores = st.tuples(st.floats(-6.0, 6.0), st.floats(-4.0, 4.0), st.floats(-5.0, 5.0))
amounts = st.one_of(st.just(0.0), st.floats(1e-3, 1e3))
some = settings(max_examples=40, deadline=None)


@some
@given(scores, amounts)
def test_the_gradient_is_the_difference_quotient_of_the_loss(
    score: tuple[float, float, float], money: float
) -> None:
    step, at = 1e-5, np.array([score])
    for place in range(3):
        move = np.zeros((1, 3))
        move[0, place] = step
        slope = (ziln.loss(at + move, [money]) - ziln.loss(at - move, [money])) / (2.0 * step)
        size = 1.0 + abs(slope[0])
        assert ziln.gradient(at, [money])[0, place] == pytest.approx(slope[0], abs=1e-5 * size)


@some
@given(scores)
def test_information_is_the_expected_second_derivative_given_who_buys(
    score: tuple[float, float, float],
) -> None:
    """Exactly so by Gauss and Hermite: the second derivative is a quadratic of the standardised logarithm."""
    z, weight = np.polynomial.hermite_e.hermegauss(12)
    weight /= weight.sum()
    at = np.tile(score, (len(z), 1))
    money = np.exp(at[:, 1] + z * ziln.sigma(at[:, 2]))
    curved = ziln.information(at, money)[0]
    for place in range(3):
        move = np.zeros(3)
        move[place] = 1e-5
        apart = ziln.gradient(at + move, money) - ziln.gradient(at - move, money)
        assert weight @ apart[:, place] / 2e-5 == pytest.approx(curved[place], rel=1e-5, abs=1e-7)


@some
@given(scores, amounts)
def test_information_is_never_negative_and_silent_about_amounts_of_who_buys_nothing(
    score: tuple[float, float, float], money: float
) -> None:
    curved = ziln.information([score], [money])[0]
    assert (curved >= 0).all()
    assert (curved[1:] > 0).all() == (money > 0)
    if money == 0:
        assert (ziln.gradient([score], [money])[0, 1:] == 0).all()


def test_the_density_holds_all_chance_and_its_mean_is_the_expectation() -> None:
    for score in ((0.5, -0.3, -1.0), (-2.0, 1.0, 0.4)):

        def density(log_money: float, score: tuple[float, float, float] = score) -> float:
            money = np.exp(log_money)
            return float(np.exp(-ziln.loss([score], [money])[0]) * money)

        nothing = float(np.exp(-ziln.loss([score], [0.0])[0]))
        above = integrate.quad(density, -40.0, 40.0, points=[score[1]], limit=200)[0]
        mean = integrate.quad(lambda at: density(at) * np.exp(at), -40.0, 40.0, points=[score[1]], limit=200)
        assert nothing + above == pytest.approx(1.0, abs=1e-9)
        assert mean[0] == pytest.approx(np.exp(ziln.log_mean([score])[0]), rel=1e-8)


def test_the_loss_of_a_buyer_is_scipys_lognormal() -> None:
    score, money = (0.7, 0.4, 0.2), 3.0
    chance, sd = 1.0 / (1.0 + np.exp(-0.7)), float(ziln.sigma(0.2))
    told = -np.log(chance) - stats.lognorm.logpdf(money, s=sd, scale=np.exp(0.4))
    assert ziln.loss([score], [money])[0] == pytest.approx(told, rel=1e-12)


def test_the_start_is_where_the_whole_base_is_explained_best() -> None:
    rng = np.random.default_rng(0)
    money = np.where(rng.uniform(size=4_000) < 0.3, rng.lognormal(0.5, 0.8, 4_000), 0.0)
    weights = rng.integers(1, 4, 4_000).astype(float)
    eta, mu, zeta = ziln.start(money, weights)
    slopes = ziln.gradient(np.tile((eta, mu, zeta), (len(money), 1)), money)
    np.testing.assert_allclose(weights @ slopes / weights.sum(), 0.0, atol=1e-3)
    assert (eta, mu, zeta) == pytest.approx(ziln.start(np.repeat(money, weights.astype(int))), abs=1e-3)


@pytest.mark.parametrize("money", [[1.0], [2.0, 2.0], [0.0, 0.0, 5.0], [1e-9, 1e9]], ids=str)
def test_the_start_is_finite_however_odd_the_base(money: list[float]) -> None:
    found = ziln.start(money)
    assert np.isfinite(found).all()
    assert all(type(one) is float for one in found)
    assert np.isfinite(ziln.loss(np.tile(found, (len(money), 1)), money)).all()


def test_a_change_of_currency_moves_mu_alone() -> None:
    money = np.array([0.0, 1.0, 4.0, 0.0, 9.0])
    one, other = ziln.start(money), ziln.start(7.0 * money)
    assert (other[0], other[1] - np.log(7.0), other[2]) == pytest.approx(one, abs=1e-12)


@pytest.mark.parametrize("power", [1.1, 1.5, 1.9])
def test_tweedie_deviance_is_least_at_the_mean(power: float) -> None:
    money = np.array([0.0, 0.0, 0.5, 7.0, 30.0])
    at = np.linspace(0.5, 20.0, 4_000)
    total = tweedie_deviance(money[:, None], at[None, :], power).sum(axis=0)
    assert at[np.argmin(total)] == pytest.approx(money.mean(), abs=0.01)
    np.testing.assert_allclose(tweedie_deviance(money[2:], money[2:], power), 0.0, atol=1e-12)
    assert (tweedie_deviance(money, 3.0, power) >= 0).all()


def test_the_hurdle_loss_is_least_at_the_share_of_buyers_and_their_mean() -> None:
    money = np.array([0.0, 0.0, 0.0, 2.0, 6.0])
    at = np.linspace(-3.0, 3.0, 6_001)
    odds = hurdle_loss(money[:, None], at, np.log(4.0)).sum(axis=0)
    amount = hurdle_loss(money[:, None], 0.0, at).sum(axis=0)
    assert at[np.argmin(odds)] == pytest.approx(np.log(2.0 / 3.0), abs=2e-3)
    assert at[np.argmin(amount)] == pytest.approx(np.log(4.0), abs=2e-3)


def test_balanced_predictions_add_up_and_a_weight_of_two_is_two_customers() -> None:
    rng = np.random.default_rng(1)
    expected, spend, weights = rng.gamma(1.0, 1.0, 50), rng.gamma(0.3, 5.0, 50), rng.integers(1, 4, 50)
    factor = balance(expected, spend, weights)
    assert weights @ (factor * expected) == pytest.approx(weights @ spend)
    assert factor == pytest.approx(balance(np.repeat(expected, weights), np.repeat(spend, weights)))


contributions = st.lists(st.floats(-3.0, 3.0), min_size=4, max_size=4)


@some
@given(contributions)
def test_rescaled_contributions_add_up_and_keep_their_signs_and_their_silence(parts: list[float]) -> None:
    row = np.array([[*parts, 0.0, -0.5]])
    told = to_log_chance(row)[0]
    assert told.sum() == pytest.approx(-np.log1p(np.exp(-row.sum())), abs=1e-9)
    assert told[-1] == pytest.approx(-np.log1p(np.exp(0.5)), rel=1e-12)
    assert (np.sign(told[:-1]) == np.sign(row[0, :-1])).all()


def test_rescaling_is_smooth_where_contributions_cancel() -> None:
    for tiny in (0.0, 1e-12, 9e-6, 1.1e-5):
        told = rescale([[1.0, tiny - 1.0, 0.3]], np.exp, np.exp)[0]
        assert told[0] == pytest.approx(np.exp(0.3), rel=1e-4)
        assert told.sum() == pytest.approx(np.exp(0.3 + tiny), rel=1e-11)


@some
@given(st.integers(1, 60), st.sampled_from([0.5, 0.8, 0.9]))
def test_the_conformal_quantile_holds_the_share_of_a_further_customer(n: int, share: float) -> None:
    """Each of n + 1 distinct scores is left out in turn and held against the quantile of the others."""
    ranks = np.arange(n + 1.0)
    held = [conformal_quantile(np.delete(ranks, one), share) >= ranks[one] for one in range(n + 1)]
    assert (np.mean(held) >= share - 1e-9) == (n >= enough_for(share))


def test_levels_are_large_enough_and_keep_equal_predictions_together() -> None:
    predicted = np.r_[np.zeros(70), np.linspace(1.0, 2.0, 130)]
    edges = level_edges(predicted, 5, at_least=30)
    sizes = np.bincount(np.searchsorted(edges, predicted, side="right"))
    assert sizes.min() >= 30
    assert sizes[0] == 80
    assert sizes.sum() == 200
