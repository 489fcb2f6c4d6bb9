"""Trials: what an experiment in a log has to tell, against plain pandas and against known truth."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.errors import AssumptionWarning, DataError, SchemaError, SettingsError
from habitue.records import CustomerLog
from habitue.records.business import BusinessParams, Leaning, OfferTruth, SimulatedBusiness, simulate_business
from habitue.snapshots import Trials, Window, take_snapshot, take_trials

DAY = pd.Timedelta(days=1)
ARMS = {"control": 0.3, "help": 0.5, "10% off": 0.2}
OFFERS = (
    OfferTruth("help", acceptance=Leaning(1.0), order_rate=Leaning(0.9), lasts=60),
    OfferTruth("10% off", acceptance=Leaning(2.0, habit=2.0), discount=0.1, lasts=60),
)


def drawn(business: SimulatedBusiness, campaign: str, seed: int, share: float = 1.0) -> pd.DataFrame:
    """Randomise customers on the two days after the log, with the chances of `ARMS`."""
    rng, ids = np.random.default_rng(seed), business.truth.index.to_numpy()
    ids = np.sort(rng.choice(ids, int(share * len(ids)), replace=False))
    place = rng.choice(3, len(ids), p=list(ARMS.values()))
    arm = pd.Series(np.array(list(ARMS))[place], dtype="str")
    now = pd.Timestamp(business.observed_until) + DAY
    return pd.DataFrame(
        {
            "customer_id": ids,
            "timestamp": now + pd.to_timedelta(rng.uniform(8.0, 40.0, len(ids)), unit="h"),
            "offer": arm.mask(arm == "control"),
            "arm": arm,
            "campaign": campaign,
            "propensity": np.array(list(ARMS.values()))[place],
        }
    )


@pytest.fixture(scope="module")
def business() -> SimulatedBusiness:
    """Two experiments, 70 days apart, with 70 days after each."""
    params = BusinessParams(contacts_per_day=0.004, events_per_day=0.02)
    first = simulate_business(n_customers=750, params=params, offers=OFFERS, random_state=6)
    second = first.carry_on(days=70, treatments=drawn(first, "winter", 1))
    return second.carry_on(days=70, treatments=drawn(second, "spring", 2, 0.6))


@pytest.fixture(scope="module")
def frames(business: SimulatedBusiness) -> dict[str, pd.DataFrame]:
    """Only what a trial needs, and only the two experiments."""
    contacts = business.frames["contacts"]
    kept = contacts[contacts["campaign"].isin(["winter", "spring"])].reset_index(drop=True)
    return {"transactions": business.frames["transactions"], "contacts": kept}


def log_of(frames: Mapping[str, pd.DataFrame]) -> CustomerLog:
    return CustomerLog(**frames, observed_until="2025-05-19")


@pytest.fixture(scope="module")
def trials(frames: dict[str, pd.DataFrame]) -> Trials:
    return take_trials(log_of(frames), horizon=60)


def same(one: Trials, other: Trials) -> None:
    pd.testing.assert_frame_equal(one.X, other.X)
    pd.testing.assert_frame_equal(one.y, other.y)
    for name in ("arm", "propensity", "offer", "cutoff", "contaminated", "campaign", "customer_id"):
        pd.testing.assert_series_equal(getattr(one, name), getattr(other, name))


def test_they_are_what_plain_pandas_says(frames: dict[str, pd.DataFrame], trials: Trials) -> None:
    lines, rows = frames["transactions"].assign(day=lambda frame: frame["timestamp"].dt.normalize()), []
    for campaign, contacts in frames["contacts"].groupby("campaign"):
        cutoff = contacts["timestamp"].min().normalize() - DAY
        known = set(lines.loc[lines["day"] <= cutoff, "customer_id"])
        inside = lines[(lines["day"] > cutoff) & (lines["day"] <= cutoff + 60 * DAY)]
        for one in contacts.itertuples():
            mine = inside[inside["customer_id"] == one.customer_id]
            bought = mine.loc[mine["amount"] > 0, "day"].nunique()
            if one.customer_id in known:
                told = (bought, mine["amount"].sum(), bought == 0, mine["margin"].sum())
                rows.append((cutoff, campaign, one.customer_id, one.arm, one.propensity, *told))
    names = [
        "cutoff",
        "campaign",
        "customer_id",
        "arm",
        "propensity",
        "n_purchases",
        "spend",
        "churned",
        "margin",
    ]
    expected = pd.DataFrame(rows, columns=names).sort_values(["cutoff", "campaign", "customer_id"])
    expected = expected.set_index(["campaign", "customer_id"])
    pd.testing.assert_frame_equal(trials.y, expected[names[5:]], rtol=1e-9, check_index_type=False)
    assert (trials.arm == expected["arm"]).all()
    assert (trials.propensity == expected["propensity"]).all()
    assert (pd.to_datetime(trials.cutoff) == expected["cutoff"]).all()
    assert trials.offer.isna().equals(trials.arm == "control")
    assert (trials.offer.dropna() == trials.arm[trials.arm != "control"]).all()
    assert trials.X.index.equals(trials.y.index)
    assert trials.X.index.is_unique


def test_they_are_the_rows_of_snapshots(frames: dict[str, pd.DataFrame], trials: Trials) -> None:
    log = log_of(frames)
    for campaign, rows in trials.X.groupby(level=0):
        snapshot = take_snapshot(log, Window(trials.cutoff[campaign].iloc[0], 60))
        who = rows.index.get_level_values(1)
        pd.testing.assert_frame_equal(rows.droplevel(0), snapshot.X.loc[who])
        outcomes = trials.y.loc[campaign].drop(columns="margin")
        pd.testing.assert_frame_equal(outcomes, snapshot.outcomes.loc[who])
        assert trials.features == snapshot.features


def test_the_order_of_rows_means_nothing(frames: dict[str, pd.DataFrame], trials: Trials) -> None:
    shuffled = {kind: frame.sample(frac=1.0, random_state=3) for kind, frame in frames.items()}
    same(take_trials(log_of(shuffled), horizon=60), trials)


def test_the_future_changes_nothing(frames: dict[str, pd.DataFrame], trials: Trials) -> None:
    """Records after the cutoff change no X; records after the window change nothing at all."""
    cutoff = pd.Timestamp(trials.cutoff["winter"].iloc[0])
    winter = {**frames, "contacts": frames["contacts"].query("campaign == 'winter'")}
    lines = frames["transactions"]
    before = take_trials(log_of(winter), horizon=60)
    tripled = lines.assign(
        amount=lines["amount"].where(lines["timestamp"] < cutoff + DAY, lines["amount"] * 3)
    )
    after = take_trials(log_of({**winter, "transactions": tripled}), horizon=60)
    pd.testing.assert_frame_equal(before.X, after.X)
    assert (after.y["spend"] - 3 * before.y["spend"]).abs().max() < 1e-6
    early = lines[lines["timestamp"] < cutoff + 61 * DAY]
    same(take_trials(log_of({**winter, "transactions": early}), horizon=60), before)
    # nor does what is known only after `until`
    same(take_trials(log_of(frames), horizon=60, until=cutoff + 65 * DAY), before)


def test_the_experiment_finds_the_truth() -> None:
    """Customers weighted by one over their chance: the mean effect within four standard errors."""
    first = simulate_business(
        n_customers=3_000,
        params=BusinessParams(contacts_per_day=0.0, events_per_day=0.001, surveys_per_day=0.0001),
        offers=OFFERS,
        with_contracts=False,
        random_state=7,
    )
    effects = first.true_effects(horizon=60)
    treatments = drawn(first, "winter", 5).assign(timestamp=pd.Timestamp("2024-12-31"))
    later = first.carry_on(days=60, treatments=treatments)
    trials = take_trials(later.log, horizon=60, features=[])
    margin, p = trials.y["margin"].to_numpy(), trials.propensity.to_numpy()
    is_control = (trials.arm == "control").to_numpy()
    for offer in effects.margin:
        treated = (trials.arm == offer).to_numpy()
        scores = margin * (treated / p - is_control / p)
        expected = effects.margin[offer].loc[trials.customer_id].mean()
        assert abs(scores.mean() - expected) < 4.0 * scores.std() / np.sqrt(len(scores))
    helped = margin[(trials.arm == "help").to_numpy()].mean() - margin[is_control].mean()
    assert helped > 5.0


def test_what_was_not_drawn_by_chance_is_never_used(business: SimulatedBusiness) -> None:
    contacts = business.frames["contacts"]
    trials = take_trials(business.log, horizon=60, features=[])
    chosen = contacts[~contacts["randomised"]]
    assert any(f"{len(chosen):,} contacts were not drawn by chance" in note for note in trials.notes)
    keys = contacts[contacts["randomised"]].set_index(["campaign", "customer_id"]).index
    assert trials.X.index.isin(keys).all()
    # rows that were drawn are the same if those that were chosen are moved between arms
    moved = contacts.assign(arm=contacts["arm"].where(contacts["randomised"], "elsewhere"))
    log = CustomerLog(
        transactions=business.frames["transactions"], contacts=moved, observed_until="2025-05-19"
    )
    again = take_trials(log, horizon=60, features=[])
    for name in ("arm", "propensity", "cutoff"):
        pd.testing.assert_series_equal(getattr(trials, name), getattr(again, name))


def test_one_treated_arm_with_several_offers_is_told_apart(business: SimulatedBusiness) -> None:
    """Contacts of the first log know only "treated", and draw one of three offers evenly."""
    trials = take_trials(business.log, horizon=60, features=[])
    rows = trials.propensity[~trials.campaign.isin(["winter", "spring"])]
    arm = trials.arm[rows.index]
    assert set(arm) == {"control", "10% off", "free shipping", "double points"}
    assert (rows[arm == "control"] == 0.5).all()
    by_campaign = rows[arm != "control"].groupby([trials.campaign[rows.index], arm]).first().groupby(level=0)
    np.testing.assert_allclose(by_campaign.sum()[by_campaign.size() == 3], 0.5)
    assert any("shared out" in note for note in trials.notes)


def small(**changes: object) -> dict[str, pd.DataFrame]:
    """Forty customers who buy every ten days, and one campaign on 1 March; columns can be changed."""
    days, n = pd.date_range("2024-01-01", "2024-06-29", freq="10D"), 40
    lines = pd.DataFrame(
        {
            "customer_id": np.repeat(np.arange(1, n + 1), len(days)),
            "timestamp": np.tile(days, n),
            "amount": 5.0,
        }
    )
    arm = np.tile(["control", "gift"], n // 2)
    contacts = pd.DataFrame(
        {
            "customer_id": np.arange(1, n + 1),
            "timestamp": pd.Timestamp("2024-03-01 10:00"),
            "campaign": "one",
            "arm": arm,
            "offer": np.where(arm == "control", None, arm),
            "propensity": 0.5,
            "randomised": True,
        }
    ).assign(**changes)
    return {"transactions": lines, "contacts": contacts}


def taken(frames: Mapping[str, pd.DataFrame], **settings: object) -> Trials:
    log = CustomerLog(**frames, observed_until="2024-06-30")
    return take_trials(log, **{"horizon": 60, "features": [], **settings})  # type: ignore[arg-type]


def test_left_out_is_told_with_the_reason() -> None:
    frames = small()
    whole = taken(frames)
    assert (len(whole.X), whole.notes, list(whole.y)) == (40, (), ["n_purchases", "spend", "churned"])
    more = frames["contacts"].assign(campaign="two")
    for contacts, reason in (
        (more.assign(timestamp="2024-05-10"), r"'two'\).*had not run for 60 days by 2024-06-30"),
        (more.assign(timestamp="2023-12-31"), r"'two'\).*nothing was known"),
        (more.assign(arm="gift", propensity=1.0), r"'two'\).*no controls"),
        (more.assign(arm="control", propensity=1.0), r"'two'\).*no controls, or nobody but controls"),
        (more[:8], r"'two'\): too few controls or treated \(fewer than 10\)"),
    ):
        both = pd.concat([frames["contacts"], contacts.astype({"timestamp": "datetime64[us]"})])
        some = taken({**frames, "contacts": both.reset_index(drop=True)})
        assert set(some.campaign) == {"one"}
        pd.testing.assert_frame_equal(some.X, whole.X)
        assert any(pd.Series(some.notes).str.contains(reason)), some.notes


def test_who_came_after_the_cutoff_is_left_out() -> None:
    frames = small()
    lines = frames["transactions"]
    lines = lines[(lines["customer_id"] > 3) | (lines["timestamp"] >= "2024-03-01")]
    trials = taken({**frames, "transactions": lines})
    assert set(trials.customer_id) == set(range(4, 41))
    assert "3 customers left out for not being a customer at the cutoff." in trials.notes


def test_who_was_reached_after_the_window_is_left_out() -> None:
    late = np.where(np.arange(40) < 4, "2024-05-01 00:00", "2024-03-01 10:00")
    trials = taken(small(timestamp=pd.to_datetime(late)))
    assert set(trials.customer_id) == set(range(5, 41))
    assert any("4 customers left out first contacted after the window" in note for note in trials.notes)


def test_the_first_contact_counts_and_other_causes_are_flagged() -> None:
    frames = small()
    contacts = frames["contacts"]
    again = contacts[:2].assign(timestamp=pd.Timestamp("2024-03-05"), arm="gift", offer="gift")
    other = contacts[4:7].assign(campaign="other", timestamp=pd.Timestamp("2024-04-29"), randomised=False)
    later = contacts[7:9].assign(campaign="later", timestamp=pd.Timestamp("2024-05-03"), randomised=False)
    trials = taken({**frames, "contacts": pd.concat([contacts, again, other, later], ignore_index=True)})
    assert (trials.arm.to_numpy() == contacts["arm"].to_numpy()).all()
    # a control of another campaign is contacted by nobody; who got the same gift twice is in one arm
    assert set(trials.customer_id[trials.contaminated]) == {1, 6}
    assert any("2 rows are contaminated: 1 in two arms" in note for note in trials.notes)


def test_missing_propensities_are_shares_and_wrong_ones_are_refused() -> None:
    trials = taken(small(arm=["control"] * 10 + ["gift"] * 30, offer=None, propensity=np.nan))
    np.testing.assert_allclose(trials.propensity, np.where(trials.arm == "control", 0.25, 0.75))
    assert any("no propensity is on record" in note for note in trials.notes)
    without = small()
    without["contacts"] = without["contacts"].drop(columns=["propensity", "offer"])
    assert (taken(without).propensity == 0.5).all()
    for wrong in (0.0, 1.5, -0.2):
        with pytest.raises(DataError, match=f"above 0 and up to 1; got {wrong:g}"):
            taken(small(propensity=wrong))


def test_propensities_of_the_wrong_arm_are_noticed(frames: dict[str, pd.DataFrame]) -> None:
    """The chance of treatment on record for everybody, controls too."""
    contacts = frames["contacts"]
    wrong = contacts.assign(propensity=contacts["propensity"].mask(contacts["arm"] == "control", 0.7))
    with pytest.warns(AssumptionWarning, match="'control' stands for"):
        take_trials(log_of({**frames, "contacts": wrong}), horizon=60, features=[])


def test_offers_can_be_chosen(frames: dict[str, pd.DataFrame], trials: Trials) -> None:
    some = take_trials(log_of(frames), horizon=60, offers=["help"])
    kept = trials.arm.isin(["control", "help"])
    pd.testing.assert_frame_equal(some.X, trials.X[kept])
    pd.testing.assert_series_equal(some.propensity, trials.propensity[kept])
    with pytest.raises(DataError, match=r"offer gift; known: 10% off, help"):
        take_trials(log_of(frames), horizon=60, offers=["gift"])


def test_logs_that_cannot_tell_are_refused() -> None:
    frames = small()
    with pytest.raises(SchemaError, match="Trials need contacts; this log has transactions"):
        taken({"transactions": frames["transactions"]})
    with pytest.raises(SchemaError, match="Contacts lack randomised; they have"):
        taken({**frames, "contacts": frames["contacts"].drop(columns="randomised")})
    with pytest.raises(DataError, match=r"No randomised contacts can be used\. 40 contacts were not drawn"):
        taken(small(randomised=False))
    with pytest.raises(DataError, match=r"can be used\. 1 campaign left out \('one'\): no controls"):
        taken(small(arm="gift", propensity=1.0))
    with pytest.raises(DataError, match="too few controls or treated"):
        taken(frames, min_customers=21)
    with pytest.raises(SettingsError, match="min_customers must be 1 or more"):
        taken(frames, min_customers=0)
    with pytest.raises(SettingsError, match="horizon"):
        taken(frames, horizon=0)


def test_holdout_is_another_word_for_control_and_contracts_tell_churn_too(
    business: SimulatedBusiness,
) -> None:
    contacts = business.frames["contacts"].query("campaign == 'winter'")
    held = contacts.assign(arm=contacts["arm"].replace("control", "holdout"))
    log = CustomerLog(contracts=business.frames["contracts"], contacts=held, observed_until="2025-05-19")
    trials = take_trials(log, horizon=60, features=["n_contacts_90d"])
    assert take_trials(log, horizon=60, features=[]).X.shape == (len(trials.X), 0)
    assert set(trials.arm) == {"control", "help", "10% off"}
    assert list(trials.y) == ["churned", "churn_reason"]
    left = business.truth["left_at"].loc[trials.customer_id]
    assert (trials.y["churned"].to_numpy() == (left < "2025-03-01").to_numpy()).all()


@settings(max_examples=8)
@given(st.data())
def test_nothing_is_lost_without_a_note(data: st.DataObject) -> None:
    """Rows kept and rows told to be left out are all that were drawn, whatever the arms and chances."""
    n = 40
    arm = data.draw(st.lists(st.sampled_from(["control", "gift", "call"]), min_size=n, max_size=n))
    campaign = data.draw(st.lists(st.sampled_from(["one", "two"]), min_size=n, max_size=n))
    p = data.draw(st.lists(st.sampled_from([0.2, 0.5, 1.0, np.nan]), min_size=n, max_size=n))
    least = data.draw(st.integers(1, 6))
    frames = small(arm=arm, campaign=campaign, propensity=p, offer=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        try:
            trials = taken(frames, min_customers=least)
        except DataError as error:
            assert "No randomised contacts can be used." in str(error)  # noqa: PT017
            return
    sizes = trials.arm.groupby([trials.campaign, trials.arm]).size()
    assert sizes.min() >= least
    assert all(
        "control" in arms.index for _, arms in sizes.droplevel(0).groupby(sizes.index.get_level_values(0))
    )
    told = frames["contacts"].groupby(["campaign", "arm"]).size()
    assert (sizes == told.loc[sizes.index]).all()
    gone = told.drop(sizes.index)
    assert not len(gone) or trials.notes
    assert trials.propensity.between(0.0, 1.0, inclusive="right").all()
