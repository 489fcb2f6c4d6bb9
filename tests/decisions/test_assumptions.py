"""Draws of assumptions: exact means, streams that leave each other alone, and Bayes by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from habitue.decisions.assumptions import draw_assumptions
from habitue.decisions.beliefs import Amount, Share
from habitue.decisions.offers import Offer
from habitue.errors import SettingsError

CALL = Offer("call", cost=4.0, acceptance=Share(0.4, worth=30), saves=Share(0.3, worth=20))
OFF = Offer("off", kind="discount", cost=0.1, margin_effect=-0.25, saves=Share(0.4, worth=10))
BOX = Offer("box", cost=1.0, cost_if_accepted=2.0, uplift=Amount(5.0, 2.0), acceptance=Share(0.2, worth=9))
EVERY = [CALL, OFF, BOX, CALL.updated(0.05, 0.02, p_leave=0.25), BOX.updated(1.0, 1.0)]


@pytest.mark.parametrize("offer", EVERY)
def test_weights_have_exact_means(offer: Offer) -> None:
    assumed = draw_assumptions([offer], n_draws=50, value_error=0.3)
    expected = assumed.expected[offer.name]
    mean = assumed.net(offer.name, leaver_share=0.3).mean(axis=1)
    p, v = 0.35, 120.0
    if offer.uplift is None:
        kept, gone = expected.kept.item(), expected.acceptance.item() - expected.kept.item()
        m = offer.margin_effect
        gross = p * v * (kept * (1 + m - 0.3) + gone * 0.3 * m) + (1 - p) * v * expected.staying.item() * m
    else:
        gross = expected.uplift.item()
    accept = p * expected.acceptance.item() + (1 - p) * expected.staying.item()
    told = mean @ [p * v, (1 - p) * v, p, 1 - p, 1.0]
    assert told == pytest.approx(gross - offer.cost - offer.cost_if_accepted * accept, rel=1e-9)


@pytest.mark.parametrize("offer", EVERY)
def test_another_offer_moves_no_draw(offer: Offer) -> None:
    alone = draw_assumptions([offer], n_draws=64)
    other = Offer("another", saves=Share(0.2, worth=3))
    beside = draw_assumptions([other, offer], n_draws=64)
    for one, two in zip(alone.draws[offer.name], beside.draws[offer.name], strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(alone.level, beside.level)


def test_draws_are_those_of_a_beta_and_a_normal() -> None:
    drawn = draw_assumptions([CALL, BOX], n_draws=4000).draws
    assert stats.kstest(drawn["call"].acceptance, stats.beta(12, 18).cdf).pvalue > 0.05
    assert stats.kstest(drawn["call"].kept / drawn["call"].acceptance, stats.beta(6, 14).cdf).pvalue > 0.05
    assert stats.kstest(drawn["box"].uplift, stats.norm(5, 2).cdf).pvalue > 0.05
    assert abs(np.corrcoef(drawn["call"].acceptance, drawn["box"].uplift)[0, 1]) < 0.05


@pytest.mark.parametrize(("effect", "se"), [(0.05, 0.02), (0.01, 0.004), (-0.02, 0.02), (0.2, 0.1)])
def test_a_measured_share_kept_is_what_bayes_makes_of_it(effect: float, se: float) -> None:
    after = draw_assumptions([CALL.updated(effect, se, p_leave=0.25)], n_draws=4000)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    at, weights = (nodes + 1) / 2, weights / 2
    x, y = at[:, None], at[None, :]
    likely = np.exp(-0.5 * ((0.25 * x * y - effect) / se) ** 2)
    density = stats.beta(12, 18).pdf(x) * stats.beta(6, 14).pdf(y) * likely * np.outer(weights, weights)
    density /= density.sum()
    kept, square, accepted = (float((density * what).sum()) for what in (x * y, (x * y) ** 2, x))
    assert after.expected["call"].kept.item() == pytest.approx(kept, rel=2e-3)
    assert after.expected["call"].acceptance.item() == pytest.approx(accepted, rel=2e-3)
    assert after.draws["call"].kept.mean() == pytest.approx(kept, rel=0.02)
    assert after.draws["call"].kept.std() == pytest.approx(np.sqrt(square - kept**2), rel=0.05)


def test_many_trials_end_at_the_truth() -> None:
    rng, offer = np.random.default_rng(0), CALL
    widths = []
    for _ in range(4):
        for _ in range(10):
            offer = offer.updated(0.25 * 0.2 + rng.normal(0.0, 0.01), 0.01, p_leave=0.25)
        offer = offer.updated_acceptance(int(rng.binomial(500, 0.6)), 500)
        widths.append(draw_assumptions([offer]).draws["call"].kept.std())
    assert draw_assumptions([offer]).expected["call"].kept.item() == pytest.approx(0.2, abs=0.02)
    assert widths == sorted(widths, reverse=True)


def test_bad_numbers_are_refused() -> None:
    for wrong in ({"n_draws": 1}, {"value_error": -0.1}, {"random_state": -1}):
        with pytest.raises(SettingsError):
            draw_assumptions([CALL], **wrong)
    with pytest.raises(SettingsError, match="known are call"):
        draw_assumptions([CALL]).net("cal", leaver_share=0.0)
