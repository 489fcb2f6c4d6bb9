"""Expected gains: a simulated campaign with known truth, plain quantiles, measured effects, bad scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from habitue.decisions.assumptions import draw_assumptions
from habitue.decisions.beliefs import Amount, Share
from habitue.decisions.gains import expected_gains
from habitue.decisions.offers import Offer
from habitue.decisions.plans import plan_profits
from habitue.decisions.value_at_stake import value_at_stake
from habitue.errors import DataError, SchemaError, SettingsError

CALL = Offer("call", cost=4.0, acceptance=Share(0.4, worth=30), saves=Share(0.3, worth=20))
OFF = Offer("off", kind="discount", cost=0.1, margin_effect=-0.25, saves=Share(0.4, worth=10))
BOX = Offer("box", cost=1.0, cost_if_accepted=2.0, uplift=Amount(5.0, 2.0), acceptance=Share(0.2, worth=9))
OFFERS = [CALL, OFF, BOX]


def make_scores(n: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    clv = rng.gamma(1.0, 100.0, n)
    return pd.DataFrame(
        {
            "churn_probability": rng.beta(1, 2, n),
            "clv": clv,
            "clv_lower": clv * 0.5,
            "clv_upper": clv * 1.9,
        },
        index=pd.Index([f"c{one}" for one in range(n)], name="customer_id"),
    )


STAKES = value_at_stake(make_scores(), margin=0.4)


def test_a_simulated_campaign_earns_what_was_expected() -> None:
    """Customers buy by a Poisson process; whom the offer keeps buys as one who was never going to leave."""
    rng, n = np.random.default_rng(1), 400_000
    rate, amount = rng.gamma(2.0, 0.7, n), rng.gamma(4.0, 10.0, n)
    scores = pd.DataFrame({"churn_probability": np.exp(-rate), "clv": rate * amount})
    stakes = value_at_stake(scores, margin=0.4)
    offer = Offer(
        "x", cost=0.5, cost_if_accepted=1.0, margin_effect=-0.1, acceptance=Share(0.4), saves=Share(0.5),
        acceptance_if_staying=Share(0.7),
    )  # fmt: skip
    bought = rng.poisson(rate)
    leaves = bought == 0
    accepts = rng.random(n) < np.where(leaves, 0.4, 0.7)
    kept = leaves & accepts & (rng.random(n) < 0.5)
    again = bought.copy()
    todo = np.flatnonzero(kept)
    while todo.size:
        again[todo] = rng.poisson(rate[todo])
        todo = todo[again[todo] == 0]
    treated = 0.4 * amount * again * (1 - 0.1 * accepts) - 0.5 - 1.0 * accepts
    actual = treated - 0.4 * amount * bought
    gains = expected_gains(stakes, draw_assumptions([offer], n_draws=10, value_error=0.0)).expected["x"]
    sure = scores["churn_probability"].to_numpy() <= 0.5  # beyond it values are cut to what is plausible
    for part in (sure, sure & (amount > 40), sure & (rate > 1.5)):
        off = actual[part].mean() - gains.to_numpy()[part].mean()
        assert abs(off) < 4 * actual[part].std() / np.sqrt(part.sum())


@pytest.mark.parametrize("interval", [0.5, 0.8, 0.95])
def test_ends_are_quantiles_over_draws(interval: float) -> None:
    assumed = draw_assumptions(OFFERS, n_draws=200)
    gains = expected_gains(STAKES, assumed, interval=interval, random_state=5)
    z = ndtri((np.random.default_rng(5).permutation(200) + 0.5) / 200)
    own = np.exp(STAKES.spread[:, None] * z - STAKES.spread[:, None] ** 2 / 2)
    for name in gains.expected.columns:
        w = assumed.net(name, leaver_share=0.0)
        p, v = STAKES.p_leave[:, None], STAKES.value[:, None] * own
        drawn = np.sort(p * v * w[0] + (1 - p) * v * w[1] + p * w[2] + (1 - p) * w[3] + w[4], axis=1)
        first = int(np.floor(200 * (0.5 - interval / 2)))
        np.testing.assert_allclose(
            gains.lower[name], np.minimum(drawn[:, first], gains.expected[name]), rtol=1e-3, atol=1e-3
        )
        np.testing.assert_allclose(
            gains.upper[name], np.maximum(drawn[:, 199 - first], gains.expected[name]), rtol=1e-3, atol=1e-3
        )


def test_sum_of_expected_gains_is_the_profit_of_the_plan() -> None:
    assumed = draw_assumptions(OFFERS)
    gains = expected_gains(STAKES, assumed)
    chosen = np.random.default_rng(0).integers(-1, 3, len(STAKES))
    rows = np.flatnonzero(chosen >= 0)
    told = plan_profits(STAKES, assumed, chosen).mean()
    assert told == pytest.approx(gains.expected.to_numpy()[rows, chosen[rows]].sum(), rel=1e-9)


def test_money_in_another_currency_scales_every_gain() -> None:
    times = 7.0
    scores = make_scores()
    scores[["clv", "clv_lower", "clv_upper"]] *= times
    more = [
        Offer("call", cost=28.0, acceptance=Share(0.4, worth=30), saves=Share(0.3, worth=20)),
        Offer("off", kind="discount", cost=0.7, margin_effect=-0.25, saves=Share(0.4, worth=10)),
    ]
    one = expected_gains(STAKES, draw_assumptions([CALL, OFF]))
    other = expected_gains(value_at_stake(scores, margin=0.4), draw_assumptions(more))
    for name in ("expected", "lower", "upper", "cost"):
        np.testing.assert_allclose(getattr(one, name) * times, getattr(other, name), rtol=1e-3, atol=1e-2)


def test_order_of_customers_does_not_matter() -> None:
    scores = make_scores()
    shuffled = scores.sample(frac=1.0, random_state=3)
    assumed = draw_assumptions(OFFERS)
    one = expected_gains(value_at_stake(scores, margin=0.4), assumed)
    other = expected_gains(value_at_stake(shuffled, margin=0.4), assumed)
    pd.testing.assert_frame_equal(one.lower, other.lower.loc[scores.index], rtol=1e-5)
    pd.testing.assert_frame_equal(one.expected, other.expected.loc[scores.index])


def test_who_may_not_have_an_offer_has_no_gain() -> None:
    may = pd.DataFrame(True, index=STAKES.customers[::-1], columns=["off", "call", "box"])
    may.loc["c7"] = False
    may.loc["c3", "off"] = False
    gains = expected_gains(STAKES, draw_assumptions(OFFERS), eligible=may)
    for table in (gains.expected, gains.lower, gains.upper, gains.cost):
        np.testing.assert_array_equal(table.notna(), may.loc[table.index, table.columns])
    best = pd.Series(gains.best(), gains.expected.index)
    assert best["c7"] == -1
    assert best["c3"] != 1
    with pytest.raises(SchemaError, match="lacks box"):
        expected_gains(STAKES, draw_assumptions(OFFERS), eligible=may[["call", "off"]])
    with pytest.raises(DataError, match="one row for each"):
        expected_gains(STAKES, draw_assumptions(OFFERS), eligible=may.iloc[1:])


def test_measured_effects_take_the_place_of_assumptions_and_costs_stay() -> None:
    assumed = draw_assumptions(OFFERS)
    effects = pd.DataFrame({"call": np.linspace(-3, 9, 300)}, index=STAKES.customers)
    effects.iloc[10] = np.nan
    errors = pd.DataFrame({"call": np.full(300, 1.5)}, index=STAKES.customers)
    plain = expected_gains(STAKES, assumed)
    gains = expected_gains(STAKES, assumed, effects=effects, effect_errors=errors)
    known = effects["call"].notna()
    np.testing.assert_allclose(gains.expected["call"][known], effects["call"][known] - 4.0)
    np.testing.assert_allclose((gains.upper - gains.expected)["call"][known], ndtri(0.9) * 1.5)
    assert gains.expected["call"].iloc[10] == plain.expected["call"].iloc[10]
    pd.testing.assert_frame_equal(gains.expected[["off", "box"]], plain.expected[["off", "box"]])


def test_blending_goes_from_the_assumption_to_the_measurement() -> None:
    assumed = draw_assumptions(OFFERS)
    plain = expected_gains(STAKES, assumed).expected["call"]
    effects = pd.DataFrame({"call": np.full(300, 2.0)}, index=STAKES.customers)

    def blended(error: float) -> pd.Series[Any]:
        errors = pd.DataFrame({"call": np.full(300, error)}, index=STAKES.customers)
        return expected_gains(STAKES, assumed, effects=effects, effect_errors=errors, blend=True).expected[
            "call"
        ]

    np.testing.assert_allclose(blended(1e9), plain, atol=1e-6)
    np.testing.assert_allclose(blended(1e-6), -2.0, atol=1e-3)
    low, high = np.minimum(plain, -2.0), np.maximum(plain, -2.0)
    assert blended(2.0).between(low - 1e-9, high + 1e-9).all()


def test_measured_effects_of_nothing_known_are_refused() -> None:
    assumed = draw_assumptions(OFFERS)
    one = pd.DataFrame({"call": [1.0]}, index=["c0"])
    with pytest.raises(SchemaError, match="no offer"):
        expected_gains(STAKES, assumed, effects=one.rename(columns={"call": "cal"}))
    with pytest.raises(SettingsError, match="without the effects"):
        expected_gains(STAKES, assumed, effect_errors=one)
    with pytest.raises(DataError, match="0 or more"):
        expected_gains(STAKES, assumed, effects=one, effect_errors=-one)
    with pytest.raises(DataError, match="several"):
        expected_gains(STAKES, assumed, effects=pd.concat([one, one]))


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (lambda s: s.drop(columns="clv"), SchemaError, "score with a model of value"),
        (lambda s: s.drop(columns="churn_probability"), SchemaError, "score with a model of churn"),
        (lambda s: s.assign(clv=np.nan), DataError, "Leave them out"),
        (lambda s: s.assign(churn_probability=1.2), DataError, "from 0 to 1"),
        (lambda s: s.assign(clv="a lot"), DataError, "must be numbers"),
        (lambda s: pd.concat([s, s]), DataError, "one row"),
        (lambda s: s.assign(clv_lower=s["clv_upper"] + 1), DataError, "above clv_upper"),
    ],
)
def test_scores_that_cannot_be_used_are_refused(change: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        value_at_stake(change(make_scores(5)), margin=0.4)


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in ({"margin": 0.0}, {"margin": 40}, {"leaver_share": 1.0}, {"interval": 1.0}):
        with pytest.raises(SettingsError):
            value_at_stake(make_scores(5), **({"margin": 0.4} | wrong))


def test_values_of_who_is_sure_to_leave_stay_within_reason() -> None:
    scores = make_scores(1000)
    scores.loc["c0", ["churn_probability", "clv"]] = 1.0, 50.0
    scores.loc["c1", ["churn_probability", "clv"]] = 0.9999, 50.0
    scores.loc["c2", "clv"] = -20.0
    stakes = value_at_stake(scores.drop(columns=["clv_lower", "clv_upper"]), margin=1.0)
    sure = stakes.p_leave <= 0.5
    assert np.isfinite(stakes.value).all()
    most, far = np.maximum(4.0 * stakes.clv, np.median(stakes.value[sure])), stakes.p_leave > 0.75
    assert (stakes.value[far] <= most[far] * (1 + 1e-12)).all()
    assert stakes.value[2] == 0.0
    assert stakes.n_capped >= 2
    np.testing.assert_allclose(stakes.value[sure] * (1 - stakes.p_leave[sure]), stakes.clv[sure])
