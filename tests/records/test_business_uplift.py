"""True effects: closed forms where there are any, and what happens to thousands of customers where not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from habitue.errors import SettingsError
from habitue.records.business import (
    OFFERS,
    BusinessParams,
    Leaning,
    OfferTruth,
    SimulatedBusiness,
    TrueEffects,
    simulate_business,
)
from habitue.records.business.uplift import renewal_density

DAYS, DAY = 300, pd.Timedelta(days=1)
PARAMS = BusinessParams(base_hazard=0.003, events_per_day=0.001, contacts_per_day=0.0, surveys_per_day=0.0001)
FEW_EVENTS = BusinessParams(events_per_day=0.001, contacts_per_day=0.0, surveys_per_day=0.0001)
STRONG = OfferTruth(
    "strong",
    acceptance=Leaning(0.3, habit=2.0),
    contact_hazard=Leaning(1.4, switching_cost=-2.0),
    hazard=Leaning(-1.5, satisfaction=2.0),
    order_rate=Leaning(0.7, habit=-0.5),
    discount=0.15,
    lasts=45,
)


def simulated(n: int, params: BusinessParams, *offers: OfferTruth) -> SimulatedBusiness:
    return simulate_business(
        n_customers=n,
        params=params,
        offers=offers,
        with_contracts=False,
        random_state=8,
        days_observed=DAYS,
        days_of_acquisition=200,
    )


@pytest.fixture(scope="module")
def business() -> SimulatedBusiness:
    return simulated(3_500, PARAMS, STRONG)


def treated(business: SimulatedBusiness, offer: str) -> pd.DataFrame:
    now = pd.Timestamp(business.observed_until) + DAY
    ids = business.truth.index.to_numpy()
    return pd.DataFrame({"customer_id": ids, "timestamp": now, "offer": offer, "arm": offer})


def came_to_be(business: SimulatedBusiness, later: SimulatedBusiness) -> pd.DataFrame:
    """Margin and leaving after the end of the shorter log, of those who were there."""
    there = business.truth.index[business.truth["left_at"].isna()]
    now = pd.Timestamp(business.observed_until) + DAY
    lines = later.frames["transactions"]
    margin = lines[lines["timestamp"] >= now].groupby("customer_id")["margin"].sum()
    left = later.truth["left_at"].notna().astype(float)
    return pd.DataFrame({"margin": margin.reindex(there).fillna(0.0), "leaving": left[there]})


def z(found: pd.Series, expected: pd.Series) -> float:
    difference = found - expected.loc[found.index]
    return float(difference.mean() / (difference.std() / np.sqrt(len(difference))))


def agree(effects: TrueEffects, plain: pd.DataFrame, told: pd.DataFrame, offer: str) -> None:
    for name in ("margin", "leaving"):
        expected = getattr(effects, name)[offer]
        assert abs(z(plain[name], effects.untreated[name])) < 4.0, name
        assert abs(z(told[name] - plain[name], expected)) < 4.0, name
        # the test has power: the effect on average, and whom it helps more, show beyond chance
        there = expected.loc[plain.index]
        assert abs(z(told[name] - plain[name], 0.0 * there)) > 4.0, name
        assert stats.spearmanr(told[name] - plain[name], there).pvalue < 1e-6, name


def test_what_is_expected_is_what_happens_on_average(business: SimulatedBusiness) -> None:
    effects = business.true_effects(horizon=91)
    plain = came_to_be(business, business.carry_on(days=91))
    told = came_to_be(business, business.carry_on(days=91, treatments=treated(business, "strong")))
    agree(effects, plain, told, "strong")


def test_what_still_works_from_before_is_counted(business: SimulatedBusiness) -> None:
    """Half of the customers were treated 20 days ago, and it works on for 25 days."""
    some = treated(business, "strong")[::2]
    now = business.carry_on(days=20, treatments=some)
    effects = now.true_effects(horizon=60)
    plain = came_to_be(now, now.carry_on(days=60))
    told = came_to_be(now, now.carry_on(days=60, treatments=treated(now, "strong")))
    agree(effects, plain, told, "strong")
    before = plain.index.isin(some["customer_id"])
    for mine in (before, ~before):
        assert abs(z(plain["margin"][mine], effects.untreated["margin"])) < 4.0


@pytest.mark.slow
def test_the_standard_offers_do_what_is_expected() -> None:
    business = simulated(6_000, FEW_EVENTS, *OFFERS)
    effects = business.true_effects(horizon=91)
    plain = came_to_be(business, business.carry_on(days=91))
    for offer in effects.margin:
        told = came_to_be(business, business.carry_on(days=91, treatments=treated(business, offer)))
        for name in ("margin", "leaving"):
            assert abs(z(told[name] - plain[name], getattr(effects, name)[offer])) < 4.0


def test_leaving_has_a_closed_form(business: SimulatedBusiness) -> None:
    effects, truth = business.true_effects(horizon=60), business.truth
    w, s = truth["switching_cost"] - 0.5, truth["satisfaction"] - 0.5
    put_off, kept = 1.4 - 2.0 * w, 1.4 - 2.0 * w - 1.5 + 2.0 * s
    p = 1.0 / (1.0 + np.exp(-(0.3 + 2.0 * (truth["habit"] - 0.5))))

    def leaving(rise: pd.Series) -> pd.Series:
        hazard = truth["hazard"] * (45.0 * np.exp(rise) + 15.0)
        return (1.0 - np.exp(-hazard - 60.0 * PARAMS.involuntary_hazard)).where(truth["left_at"].isna(), 0.0)

    nothing = leaving(0.0 * w)
    np.testing.assert_allclose(effects.untreated["leaving"], nothing, rtol=1e-9, atol=1e-12)
    expected = p * leaving(kept) + (1.0 - p) * leaving(put_off) - nothing
    np.testing.assert_allclose(effects.leaving["strong"], expected, rtol=1e-9, atol=1e-12)
    gone = truth["left_at"].notna()
    assert (effects.margin.loc[gone] == 0.0).all(axis=None)
    np.testing.assert_allclose(effects.acceptance["strong"][~gone], p[~gone], rtol=1e-12)


def test_margin_has_a_closed_form_where_nothing_comes_back_and_all_is_chance() -> None:
    """Gaps of pure chance at an unknown rate: the ratio of treated to untreated margin is known."""
    only_rate = OfferTruth("more", acceptance=Leaning(40.0), order_rate=Leaning(0.5, habit=1.0), lasts=30)
    params = BusinessParams(base_hazard=0.002, most_regular=1, events_per_day=0.001, contacts_per_day=0.0)
    business = simulated(300, params, only_rate)
    truth, one = business.truth, business.true_effects(horizon=1)  # what is bought stays for a day
    there = truth["left_at"].isna()
    ratio = np.exp(0.5 + truth["habit"] - 0.5)[there]
    new = one.untreated["margin"][there] + one.margin["more"][there]
    owed = business._future.past.purchases.back_at - DAYS
    who = business._future.past.purchases.orders.customer[business._future.past.purchases.lines.order]
    due = set(who[(owed >= 0.0) & (owed < 1.0)] + 1)
    clear = ~new.index.isin(due)
    np.testing.assert_allclose((new / one.untreated["margin"][there])[clear], ratio[clear], rtol=1e-9)


@given(
    k=st.integers(1, 8),
    ago=st.floats(0.0, 30.0),
    ahead=st.lists(st.floats(0.0, 40.0), min_size=1, max_size=4),
)
def test_the_renewal_density_is_that_of_counted_stages(k: int, ago: float, ahead: list[float]) -> None:
    """Poisson stages one by one: the customer orders when the count reaches a multiple of k."""
    found = renewal_density(k, np.array([ago]), np.array([ahead]))[0]
    stage = np.arange(k)
    share = stats.poisson.pmf(stage, ago) if ago else (stage == 0).astype(float)
    share = share / share.sum()
    for tau, density in zip(ahead, found, strict=True):
        n = np.arange(400)[:, None]
        orders = stats.poisson.pmf(n, tau) * ((stage + n) % k == k - 1)
        assert density == pytest.approx(float((orders * share).sum()), abs=1e-10)
    far = renewal_density(k, np.array([ago]), np.array([[4_000.0]]))[0, 0]
    assert far == pytest.approx(1.0 / k)


def test_costs_and_gains_add_up_and_names_are_known(business: SimulatedBusiness) -> None:
    effects = simulated(50, FEW_EVENTS, *OFFERS).true_effects(horizon=30, offers=["bonus points"])
    assert list(effects.margin) == ["bonus points"]
    points = OFFERS[2]
    expected = points.contact_cost + effects.acceptance["bonus points"] * points.accepted_cost
    np.testing.assert_allclose(effects.cost["bonus points"], expected)
    pd.testing.assert_frame_equal(effects.gain, effects.margin - effects.cost)
    with pytest.raises(SettingsError, match="offers strong; got gift"):
        business.true_effects(horizon=30, offers=["gift"])
    with pytest.raises(SettingsError, match="horizon to be 1 or more"):
        business.true_effects(horizon=0)


def test_risk_says_little_about_whom_to_treat() -> None:
    """The standard offers: some help, some put off, and the riskiest are not those who gain most."""
    business = simulated(3_000, FEW_EVENTS, *OFFERS)
    effects = business.true_effects(horizon=91)
    there = business.truth["left_at"].isna()
    gain, risk = effects.gain[there], effects.untreated["leaving"][there]
    assert abs(stats.spearmanr(gain["proactive support"], risk).statistic) < 0.25
    riskiest = risk.nlargest(len(risk) * 3 // 10).index
    for offer in ("proactive support", "bonus points"):
        by_gain = gain[offer].nlargest(len(riskiest)).mean()
        assert by_gain > 2.0 * max(0.0, float(gain.loc[riskiest, offer].mean()))
        assert 0.1 < (effects.leaving.loc[there, offer] > 0.0).mean() < 0.4
    assert gain["loyalty discount"].mean() < 0.0
    assert gain.clip(lower=0.0).max(axis=1).mean() > 1.5 * gain.mean().max()
