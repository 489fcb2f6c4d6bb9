"""A business that goes on: the past stays, luck is each customer's own, and offers do what they truly do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records.business import (
    BusinessParams,
    Leaning,
    OfferTruth,
    SimulatedBusiness,
    simulate_business,
)
from habitue.records.business.chance import KeyedDraw, arrivals
from habitue.records.business.effects import Changes, Effects

DAY = pd.Timedelta(days=1)
END = pd.Timestamp("2024-12-31")
N = 500
LATER_KNOWN = {
    "contracts": ["ended_at", "ended_reason"],
    "tickets": ["closed_at", "first_response_at"],
}
STRONG = (
    OfferTruth(
        "help",
        contact_cost=2.0,
        accepted_cost=5.0,
        acceptance=Leaning(0.5, habit=2.0),
        hazard=Leaning(-2.0, satisfaction=1.0),
        order_rate=Leaning(0.6),
        lasts=40,
    ),
    OfferTruth("10% off", acceptance=Leaning(30.0), discount=0.1, lasts=30),
    OfferTruth("call", contact_hazard=Leaning(1.5, switching_cost=-1.0), lasts=60),
    OfferTruth("nothing", acceptance=Leaning(1.0)),
)


@pytest.fixture(scope="module")
def business() -> SimulatedBusiness:
    return simulate_business(n_customers=N, offers=STRONG, random_state=4)


@pytest.fixture(scope="module")
def untreated(business: SimulatedBusiness) -> SimulatedBusiness:
    return business.carry_on(days=91)


def everybody(business: SimulatedBusiness, offer: str, at: str = "2024-12-31") -> pd.DataFrame:
    ids = business.truth.index.to_numpy()
    return pd.DataFrame({"customer_id": ids, "timestamp": pd.Timestamp(at), "offer": offer, "arm": offer})


def there(business: SimulatedBusiness) -> np.ndarray:
    return business.truth["left_at"].isna().to_numpy()


def test_what_happened_stays_bit_for_bit(business: SimulatedBusiness, untreated: SimulatedBusiness) -> None:
    later = untreated.carry_on(days=30, treatments=everybody(business, "help", "2025-04-05"))
    for before, after, end in (
        (business, untreated, END),
        (untreated, later, END + 91 * DAY),
    ):
        for kind, frame in before.frames.items():
            same = after.frames[kind].iloc[: len(frame)]
            told_later = LATER_KNOWN.get(kind, [])
            pd.testing.assert_frame_equal(frame.drop(columns=told_later), same.drop(columns=told_later))
            for name in told_later:
                known = frame[name].notna()
                assert (frame.loc[known, name] == same.loc[known, name]).all()
                if name.endswith("_at"):
                    assert (same.loc[~known, name].dropna() >= end).all()
    assert before.log.observed_until == (END + 90 * DAY).date()


def test_everything_goes_on(business: SimulatedBusiness, untreated: SimulatedBusiness) -> None:
    """What there is of each kind a day and a customer still there hardly changes."""
    for kind in ("transactions", "events", "feedback", "tickets", "rewards"):
        instant = "opened_at" if kind == "tickets" else "timestamp"
        when = untreated.frames[kind][instant]
        last = ((when >= END - 91 * DAY) & (when < END)).sum()
        following = ((when >= END) & (when < END + 91 * DAY)).sum()
        expected = last * 0.93  # some have left
        assert abs(following - expected) < 4.0 * np.sqrt(expected * 3.0) + 0.03 * expected, kind
    assert (untreated.frames["tickets"]["opened_at"].max() - END) / DAY > 80
    assert len(untreated.frames["contacts"]) == len(business.frames["contacts"])


def test_the_door_finds_nothing_to_say(business: SimulatedBusiness) -> None:
    later = business.carry_on(days=60, treatments=everybody(business, "help", "2025-01-03 09:30"))
    for kind, check in later.log.checks.items():
        assert (check.n_quarantined, dict(check.unread)) == (0, {})
        assert check.n_admitted == len(later.frames[kind])


def test_two_steps_make_one(business: SimulatedBusiness) -> None:
    first, second = everybody(business, "help"), everybody(business, "10% off", "2025-02-20 12:00")
    steps = business.carry_on(days=40, treatments=first).carry_on(days=51, treatments=second)
    once = business.carry_on(days=91, treatments=pd.concat([first, second], ignore_index=True))
    assert set(steps.frames) == set(once.frames)
    for kind, frame in steps.frames.items():
        pd.testing.assert_frame_equal(frame, once.frames[kind])
    pd.testing.assert_frame_equal(steps.truth, once.truth)
    assert steps.log.fingerprint() == once.log.fingerprint()


def test_who_is_not_treated_lives_the_same_days(
    business: SimulatedBusiness, untreated: SimulatedBusiness
) -> None:
    treatments = everybody(business, "help")[::2]
    treated = business.carry_on(days=91, treatments=treatments)
    others = set(business.truth.index) - set(treatments["customer_id"])
    for kind, frame in untreated.frames.items():
        mine, same = (
            told[told["customer_id"].isin(others)].reset_index(drop=True)
            for told in (frame, treated.frames[kind])
        )
        pd.testing.assert_frame_equal(mine, same)
    pd.testing.assert_frame_equal(treated.truth.loc[sorted(others)], untreated.truth.loc[sorted(others)])
    assert len(treated.frames["transactions"]) > len(untreated.frames["transactions"])


def test_controls_and_offers_of_no_effect_change_nothing(
    business: SimulatedBusiness, untreated: SimulatedBusiness
) -> None:
    controls = everybody(business, "help").assign(arm="control", propensity=0.3, campaign="one")
    for treatments in (controls, everybody(business, "nothing")):
        later = business.carry_on(days=91, treatments=treatments)
        for kind in set(untreated.frames) - {"contacts"}:
            pd.testing.assert_frame_equal(later.frames[kind], untreated.frames[kind])
        assert len(later.frames["contacts"]) == len(business.frames["contacts"]) + len(treatments)
    told = business.carry_on(days=91, treatments=controls).frames["contacts"].tail(len(controls))
    assert told[["offer", "channel", "responded_at"]].isna().all(axis=None)
    assert (told["cost"] == 0.0).all()
    assert told["randomised"].all()
    assert (told["propensity"] == 0.3).all()


def test_nobody_treated_leaves_as_in_a_longer_log(
    business: SimulatedBusiness, untreated: SimulatedBusiness
) -> None:
    longer = simulate_business(n_customers=N, days_observed=730 + 91, random_state=4).truth
    pd.testing.assert_frame_equal(untreated.truth, longer)


def test_luck_is_shared_so_effects_have_one_sign(
    business: SimulatedBusiness, untreated: SimulatedBusiness
) -> None:
    never = END + 999 * DAY
    left = untreated.truth["left_at"].fillna(never)
    helped = business.carry_on(days=91, treatments=everybody(business, "help"))
    called = business.carry_on(days=91, treatments=everybody(business, "call"))
    assert (helped.truth["left_at"].fillna(never) >= left).all()
    assert (called.truth["left_at"].fillna(never) <= left).all()
    assert (called.truth["left_at"].fillna(never) < left).sum() > 10
    orders, more = (
        told.frames["transactions"].query("amount > 0").groupby("customer_id")["order_id"].nunique()
        for told in (untreated, helped)
    )
    assert (more >= orders).all()
    accepted = helped.frames["contacts"].tail(N).set_index("customer_id")["responded_at"].notna()
    assert (more[~accepted[more.index].to_numpy()] == orders[~accepted[orders.index].to_numpy()]).all()


def test_a_discount_is_taken_off_for_its_days(
    business: SimulatedBusiness, untreated: SimulatedBusiness
) -> None:
    treated = business.carry_on(days=91, treatments=everybody(business, "10% off"))
    keys = ["customer_id", "order_id", "product_id"]
    plain, cheaper = (
        told.frames["transactions"].query("amount > 0 and timestamp >= @END").sort_values(keys)
        for told in (untreated, treated)
    )
    assert (plain[keys].to_numpy() == cheaper[keys].to_numpy()).all()
    inside = (plain["timestamp"] < END + 30 * DAY).to_numpy()
    assert 0.2 < inside.mean() < 0.5
    off = 0.1 * plain["list_price"] * plain["quantity"]
    difference = (cheaper["discount"].to_numpy() - plain["discount"].to_numpy()).round(6)
    np.testing.assert_allclose(difference[inside], off[inside], atol=0.0101)
    assert (difference[~inside] == 0.0).all()
    lost = plain["margin"].to_numpy() - cheaper["margin"].to_numpy()
    np.testing.assert_allclose(lost, difference, atol=0.0101)


def test_who_accepts_answers_and_costs_more(business: SimulatedBusiness) -> None:
    treated = business.carry_on(days=5, treatments=everybody(business, "help", "2025-01-01 10:00"))
    contacts = treated.frames["contacts"].tail(N).set_index("customer_id").sort_index()
    gone = business.truth["left_at"].notna()
    answered = contacts["responded_at"].notna()
    assert not answered[gone].any()
    chance = business.true_effects(horizon=5, offers=["help"]).acceptance["help"]
    assert (chance[gone] == 0.0).all()
    spread = np.sqrt((chance * (1.0 - chance)).sum())
    assert abs(answered.sum() - chance.sum()) < 4.0 * spread
    slope = stats.pointbiserialr(answered[~gone], business.truth["habit"][~gone])
    assert slope.statistic > 0.1
    wait = (contacts["responded_at"] - contacts["timestamp"]).dropna() / DAY
    assert wait.between(0.0, 1.0 / 24.0).all()
    assert (contacts["cost"] == np.where(answered, 7.0, 2.0)).all()


def test_nobody_acts_after_leaving(business: SimulatedBusiness) -> None:
    later = business.carry_on(days=91, treatments=everybody(business, "call", "2025-01-10"))
    left = later.truth["left_at"].fillna(END + 91 * DAY)
    assert left.max() <= END + 91 * DAY
    for kind, name in (
        ("transactions", "timestamp"), ("events", "timestamp"), ("feedback", "timestamp"),
        ("tickets", "opened_at"), ("rewards", "timestamp"), ("contracts", "ended_at"),
        ("contacts", "responded_at"),
    ):  # fmt: skip
        frame = later.frames[kind].dropna(subset=[name])
        assert (frame[name].to_numpy() <= left.loc[frame["customer_id"]].to_numpy()).all(), kind
    ended = later.frames["contracts"].set_index("customer_id").sort_index()
    pd.testing.assert_series_equal(ended["ended_at"], later.truth["left_at"], check_names=False)


def test_points_stay_whole(untreated: SimulatedBusiness) -> None:
    rewards = untreated.frames["rewards"]
    by_time = rewards.sort_values(["customer_id", "timestamp"], kind="stable")
    assert by_time.groupby("customer_id")["points"].cumsum().min() >= 0
    assert (rewards[rewards["timestamp"] >= END]["points"] < 0).any()


def test_the_shortest_future_of_the_smallest_business() -> None:
    small = simulate_business(n_customers=1, days_observed=1, days_of_acquisition=1)
    later = small.carry_on(days=1).carry_on(days=1)
    assert str(later.observed_until) == "2023-01-03"
    immortal = BusinessParams(base_hazard=0.0, involuntary_hazard=0.0)
    ever = simulate_business(n_customers=20, params=immortal, with_contracts=False)
    later = ever.carry_on(days=50, treatments=everybody(ever, "bonus points"))
    assert "contracts" not in later.frames
    assert later.truth["left_at"].isna().all()


def test_treatments_that_cannot_be_given_are_refused(business: SimulatedBusiness) -> None:
    one = everybody(business, "help")[:1]
    for wrong, error, message in (
        (one.assign(offer="gift"), DataError, "offers help, 10% off, call, nothing; got gift"),
        (one.assign(customer_id=9_999), DataError, "numbers 1 to 500"),
        (one.assign(timestamp="2024-12-30"), DataError, "2024-12-31 to 2025-01-09"),
        (one.assign(timestamp="2025-01-10"), DataError, "2024-12-31 to 2025-01-09"),
        (one.drop(columns="arm"), SchemaError, "missing: arm"),
        (one.assign(colour="red"), SchemaError, "unknown: colour"),
    ):
        with pytest.raises(error, match=message):
            business.carry_on(days=10, treatments=wrong)
    with pytest.raises(SettingsError, match="days to be 1 or more"):
        business.carry_on(days=0)
    for setting, message in (
        ({"name": "control"}, "not 'control'"),
        ({"name": "a", "discount": 0.5}, "discount of 'a'"),
        ({"name": "a", "contact_cost": -1.0}, "costs of 'a'"),
        ({"name": "a", "lasts": 0}, "lasts of 'a'"),
        ({"name": "a", "hazard": Leaning(float("nan"))}, "leanings of 'a'"),
    ):
        with pytest.raises(SettingsError, match=message):
            OfferTruth(**setting)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="same name"):
        simulate_business(n_customers=5, offers=(STRONG[0], STRONG[0]))


def test_keyed_numbers_follow_their_laws() -> None:
    n = 40_000
    draw = KeyedDraw(11).each(np.arange(n), np.zeros(n))
    u, v = draw.uniform(size=n), draw.uniform(size=n)
    w = KeyedDraw(12).each(np.arange(n), np.zeros(n)).uniform()
    next_door = KeyedDraw(11).each(np.arange(n), np.ones(n)).uniform()
    for numbers in (u, v, w, next_door):
        assert stats.kstest(numbers, stats.uniform.cdf).pvalue > 1e-4
    for other in (v, w, next_door, np.roll(u, 1)):
        assert abs(np.corrcoef(u, other)[0, 1]) < 4.0 / np.sqrt(n)
    assert stats.kstest(draw.exponential(3.0, n), stats.expon(0.0, 3.0).cdf).pvalue > 1e-4
    assert stats.kstest(draw.normal(1.0, 2.0, n), stats.norm(1.0, 2.0).cdf).pvalue > 1e-4
    assert stats.kstest(draw.standard_gamma(np.full(n, 3.0)), stats.gamma(3.0).cdf).pvalue > 1e-4
    shares = [0.5, 0.3, 0.2]
    assert stats.chisquare(np.bincount(draw.choice(3, n, shares)), np.array(shares) * n).pvalue > 1e-4
    assert stats.chisquare(np.bincount(draw.integers(2, 7, n))[2:]).pvalue > 1e-4
    counts = np.bincount(draw.poisson(1.5, n), minlength=12)[:6]
    expected = stats.poisson.pmf(np.arange(6), 1.5) * n
    assert (np.abs(counts - expected) < 5.0 * np.sqrt(expected)).all()


def test_arrivals_are_a_poisson_process_that_a_later_end_only_lengthens() -> None:
    n, rate = 5_000, np.full(5_000, 0.4)
    who, nth, time = arrivals(KeyedDraw(3), rate, np.zeros(n), np.full(n, 10.0))
    counts = np.bincount(who, minlength=n)
    assert counts.var() == pytest.approx(counts.mean(), rel=0.1)
    assert abs(who.size - 4.0 * n) < 4.0 * np.sqrt(4.0 * n)
    assert stats.kstest(time, stats.uniform(0.0, 10.0).cdf).pvalue > 1e-4
    longer = arrivals(KeyedDraw(3), rate, np.zeros(n), np.full(n, 15.0))
    early = longer[2] < 10.0
    for column, more in zip((who, nth, time), longer, strict=True):
        np.testing.assert_array_equal(column, more[early])


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(5.0, 40.0), st.floats(0.5, 30.0), st.floats(-2.0, 2.0))),
    st.lists(st.floats(5.0, 100.0), min_size=1, max_size=5),
)
def test_clocks_run_forwards_and_back(
    told: list[tuple[int, float, float, float]], times: list[float]
) -> None:
    """Reading and its inverse, and the integral of the speed taken by brute force."""
    who, begin, lasts, rise = (np.array(column) for column in zip(*told, strict=True)) if told else [[]] * 4
    begin, zero = np.asarray(begin, dtype=float), np.zeros(len(told))
    end, log_rate = begin + np.asarray(lasts, dtype=float), np.asarray(rise, dtype=float)
    changes = Changes(np.asarray(who, dtype=np.int64), begin, end, zero, log_rate, zero)
    clock = Effects(3, 5.0, changes).order_clock
    for customer in range(3):
        people, when = np.full(len(times), customer), np.array(times)
        shown = clock.reading(people, when)
        np.testing.assert_allclose(clock.when(people, shown), when, rtol=1e-9)
        mine = np.asarray(who) == customer
        if not mine.any():
            assert (clock.when(people, when) == when).all()
        cuts = np.unique(np.concatenate([[5.0], begin[mine], end[mine], when]))
        middle, width = (cuts[1:] + cuts[:-1]) / 2.0, np.diff(cuts)
        works = (begin[mine] <= middle[:, None]) & (middle[:, None] < end[mine])
        run = np.concatenate([[5.0], 5.0 + np.cumsum(width * np.exp((works * log_rate[mine]).sum(axis=1)))])
        np.testing.assert_allclose(shown, run[np.searchsorted(cuts, when)], rtol=1e-9)
