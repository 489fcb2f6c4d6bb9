"""The simulated business: its records obey its truth, and its truth can be found again in its records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from habitue.errors import SettingsError
from habitue.records import SCHEMAS
from habitue.records.business import BusinessParams, SimulatedBusiness, simulate_business

Frames: TypeAlias = Mapping[str, pd.DataFrame]
Measure: TypeAlias = Callable[[Frames, pd.Series], pd.Series]
"""What shows of each customer, from the frames and the days that each was there."""

START, END = pd.Timestamp("2023-01-01"), pd.Timestamp("2024-12-31")
DAY = pd.Timedelta(days=1)
TRAITS = ("satisfaction", "habit", "switching_cost")
PARAMS = BusinessParams()
EFFECTS = np.array([PARAMS.satisfaction_effect, PARAMS.habit_effect, PARAMS.switching_cost_effect])


@pytest.fixture(scope="module")
def business() -> SimulatedBusiness:
    return simulate_business(n_customers=6_000, random_state=5)


@pytest.fixture(scope="module")
def lives(business: SimulatedBusiness) -> pd.DataFrame:
    """Traits, hazard, days seen, and whether and how each stay ended."""
    truth = business.truth
    arrived = business.frames["customers"].set_index("customer_id")["acquired_at"]
    stay = (truth["left_at"].fillna(END) - arrived) / DAY
    return truth.assign(stay=stay, left=truth["left_at"].notna(), chosen=truth["left_reason"] == "voluntary")


def test_all_kinds_have_all_columns_filled(business: SimulatedBusiness) -> None:
    attributes = {"region", "acquisition_channel", "age"}
    # All is recorded as it happens, the mood of a text is for its reader to tell, and nobody was asked.
    untold = {"recorded_at", "sentiment", "consent", "contactable"}
    assert set(business.frames) == set(SCHEMAS) == set(business.log.kinds)
    for kind, frame in business.frames.items():
        canonical = {column.name for column in SCHEMAS[kind].columns}
        assert canonical - set(frame.columns) <= untold
        assert set(frame.columns) - canonical <= attributes
        assert frame.notna().any().all(), kind


def test_the_door_finds_nothing_to_say(business: SimulatedBusiness) -> None:
    """Warnings are errors here, so nothing was set aside or left unread without these counts saying so."""
    for kind, check in business.log.checks.items():
        assert (check.n_quarantined, dict(check.unread)) == (0, {})
        assert check.n_admitted == check.n_rows == len(business.frames[kind])
        for name in business.frames[kind].columns.intersection(list(check.mapping)):
            filled = business.log.engine.rows(f'SELECT count("{name}") FROM {kind}')[0][0]
            assert filled == business.frames[kind][name].notna().sum(), (kind, name)
    assert (business.log.n_customers, str(business.log.observed_until)) == (6_000, "2024-12-30")


def test_sizes_are_moderate(business: SimulatedBusiness) -> None:
    a_customer = {kind: len(frame) / 6_000 for kind, frame in business.frames.items()}
    low = {"transactions": 15, "events": 30, "feedback": 1.5, "tickets": 0.7, "rewards": 8, "contacts": 8}
    for kind, least in low.items():
        assert least <= a_customer[kind] <= 2 * least
    assert a_customer["contracts"] == a_customer["customers"] == 1
    assert business.truth["left_at"].notna().mean() == pytest.approx(0.43, abs=0.05)
    assert set(business.truth["left_reason"].dropna()) == {"voluntary", "involuntary"}


def test_the_same_number_gives_the_same_frames() -> None:
    one, again, other = (simulate_business(n_customers=80, random_state=seed) for seed in (3, 3, 4))
    generated = simulate_business(n_customers=80, random_state=np.random.default_rng(3))
    for same in (again, generated):
        pd.testing.assert_frame_equal(one.truth, same.truth)
        for kind, frame in one.frames.items():
            pd.testing.assert_frame_equal(frame, same.frames[kind])
    assert one.log.fingerprint() == again.log.fingerprint() != other.log.fingerprint()


def test_without_contracts_all_else_is_the_same() -> None:
    whole = simulate_business(n_customers=80)
    without = simulate_business(n_customers=80, with_contracts=False)
    assert (
        set(whole.frames) - set(without.frames)
        == {"contracts"}
        == set(whole.log.kinds) - set(without.log.kinds)
    )
    pd.testing.assert_frame_equal(whole.truth, without.truth)
    for kind, frame in without.frames.items():
        pd.testing.assert_frame_equal(frame, whole.frames[kind])


@pytest.mark.parametrize(
    ("n_customers", "days", "acquisition"), [(1, 1, 1), (1, 730, 365), (3, 2, 2), (40, 9, 1)]
)
def test_small_businesses_are_whole_too(n_customers: int, days: int, acquisition: int) -> None:
    small = simulate_business(
        n_customers=n_customers, days_observed=days, days_of_acquisition=acquisition, start="2020-02-28"
    )
    assert small.log.n_customers == len(small.truth) == n_customers
    assert small.log.observed_until == (pd.Timestamp("2020-02-27") + days * DAY).date()
    assert all(len(frame) for frame in small.frames.values())
    assert small.frames["customers"]["acquired_at"].max() < pd.Timestamp("2020-02-28") + acquisition * DAY


def acts(frames: Frames) -> Iterator[tuple[str, pd.Series]]:
    """Yield everything that a customer does: its name, and instants by customer_id."""
    for kind, names in {
        "transactions": ["timestamp"],
        "contracts": ["started_at", "ended_at"],
        "events": ["timestamp"],
        "feedback": ["timestamp"],
        "tickets": ["opened_at"],
        "rewards": ["timestamp"],
        "contacts": ["responded_at"],
        "customers": ["acquired_at"],
    }.items():
        for name in names:
            yield f"{kind}.{name}", frames[kind].set_index("customer_id")[name].dropna()


def test_nobody_acts_before_arriving_or_after_leaving(business: SimulatedBusiness) -> None:
    arrived = business.frames["customers"].set_index("customer_id")["acquired_at"]
    for name, when in acts(business.frames):
        customers = when.index
        assert (when.to_numpy() >= arrived.loc[customers].to_numpy()).all(), name
        left = business.truth["left_at"].fillna(END).loc[customers].to_numpy()
        assert (when.to_numpy() <= left).all(), name
    contacts = business.frames["contacts"]
    assert (contacts["timestamp"] > contacts["customer_id"].map(business.truth["left_at"])).any()


def test_no_record_is_later_than_the_log(business: SimulatedBusiness) -> None:
    for kind, frame in business.frames.items():
        for name in frame.select_dtypes("datetime"):
            if name != "expires_at":
                assert frame[name].min() >= START, (kind, name)
                assert frame[name].max() < END, (kind, name)
        if SCHEMAS[kind].instant:
            assert frame[SCHEMAS[kind].instant].is_monotonic_increasing


def test_what_follows_comes_after(business: SimulatedBusiness) -> None:
    tickets, contacts = business.frames["tickets"], business.frames["contacts"]
    for earlier, later in (
        (tickets["opened_at"], tickets["first_response_at"]),
        (tickets["first_response_at"], tickets["closed_at"]),
        (contacts["timestamp"], contacts["responded_at"]),
    ):
        assert (later.dropna() >= earlier[later.notna()]).all()
    assert tickets.loc[tickets["closed_at"].notna(), "first_response_at"].notna().all()


def test_a_contract_ends_as_its_customer_leaves(business: SimulatedBusiness) -> None:
    contracts = business.frames["contracts"].set_index("customer_id").sort_index()
    pd.testing.assert_series_equal(contracts["ended_at"], business.truth["left_at"], check_names=False)
    pd.testing.assert_series_equal(
        contracts["ended_reason"], business.truth["left_reason"], check_names=False
    )


def test_order_lines_add_up(business: SimulatedBusiness) -> None:
    lines = business.frames["transactions"]
    assert lines["currency"].eq("EUR").all()
    np.testing.assert_allclose(
        lines["amount"], lines["quantity"] * lines["list_price"] - lines["discount"], atol=0.0051
    )
    assert (np.sign(lines["amount"]) == np.sign(lines["quantity"])).all()
    assert (lines["margin"].abs() < lines["amount"].abs()).all()
    assert lines.groupby("product_id")["list_price"].nunique().eq(1).all()
    orders = lines[lines["amount"] > 0].groupby("order_id")
    assert orders["timestamp"].nunique().eq(1).all()
    assert orders["customer_id"].nunique().eq(1).all()


def test_what_is_sent_back_was_bought(business: SimulatedBusiness) -> None:
    lines = business.frames["transactions"]
    keys = ["customer_id", "order_id", "product_id"]
    bought = lines[lines["amount"] > 0].groupby(keys).agg(paid=("amount", "sum"), at=("timestamp", "min"))
    back = lines[lines["amount"] < 0].groupby(keys).agg(back=("amount", "sum"), at=("timestamp", "min"))
    both = back.join(bought.add_suffix("_bought"))
    assert (both["at"] > both["at_bought"]).all()
    assert (both["paid_bought"] + both["back"] > -0.005).all()


def test_a_review_is_of_something_bought_before(business: SimulatedBusiness) -> None:
    reviews = business.frames["feedback"].query("survey == 'review'")
    lines = business.frames["transactions"].query("amount > 0")[["customer_id", "product_id", "timestamp"]]
    seen = reviews.merge(lines, on=["customer_id", "product_id"], how="left", suffixes=("", "_bought"))
    before = (seen["timestamp_bought"] <= seen["timestamp"]).groupby([seen["customer_id"], seen["timestamp"]])
    assert before.any().all()
    assert business.frames["feedback"]["product_id"].notna().sum() == len(reviews)


def test_points_are_earned_before_they_are_spent(business: SimulatedBusiness) -> None:
    rewards = business.frames["rewards"]
    assert rewards.groupby("customer_id")["points"].cumsum().min() >= 0
    assert (rewards["points"] < 0).any()
    assert (rewards["expires_at"].isna() == (rewards["points"] < 0)).all()
    rank = rewards["tier"].map({"bronze": 0, "silver": 1, "gold": 2})
    assert rank.groupby(rewards["customer_id"]).diff().fillna(0).min() >= 0


def test_scores_lie_on_their_scales_and_words_agree(business: SimulatedBusiness) -> None:
    feedback = business.frames["feedback"]
    assert feedback["score"].between(feedback["scale_min"], feedback["scale_max"]).all()
    reviews = feedback[feedback["survey"] == "review"]
    assert reviews["text"].notna().all()
    is_good = reviews["text"].str.contains("Great quality|happy|excellent|love|gladly|perfectly")
    share = is_good.groupby(reviews["score"]).mean()
    assert share.is_monotonic_increasing
    assert share.iloc[0] < 0.4 < 0.95 < share.iloc[-1]


def test_arms_are_drawn_with_their_propensity(business: SimulatedBusiness) -> None:
    contacts = business.frames["contacts"]
    treated, of_arm = (contacts["arm"] == "treated").to_numpy(), contacts["propensity"].to_numpy()
    p = np.where(treated, of_arm, 1.0 - of_arm)  # the chance of the arm on record is that of the control
    for some in (contacts["randomised"].to_numpy(), p < 0.4, p > 0.6):
        assert abs((treated - p)[some].sum()) < 4.0 * np.sqrt((p * (1.0 - p))[some].sum())
    assert (contacts["propensity"][contacts["randomised"]] == 0.5).all()
    controls = contacts[~treated]
    assert controls[["channel", "offer", "responded_at"]].isna().all(axis=None)
    assert (controls["cost"] == 0.0).all()
    assert contacts["offer"][treated].notna().all()


def test_hazards_are_as_the_parameters_say(lives: pd.DataFrame) -> None:
    centred = lives[list(TRAITS)].to_numpy() - 0.5
    np.testing.assert_allclose(lives["hazard"], PARAMS.base_hazard * np.exp(-centred @ EFFECTS))
    assert ((lives[list(TRAITS)] > 0.0) & (lives[list(TRAITS)] < 1.0)).all(axis=None)
    # equal correlation of normals, in ranks
    expected = 6.0 / np.pi * np.arcsin(PARAMS.latent_correlation / 2.0)
    found = lives[list(TRAITS)].corr("spearman").to_numpy()[np.triu_indices(3, 1)]
    np.testing.assert_allclose(found, expected, atol=4.0 / np.sqrt(len(lives)))


def test_a_hazard_regression_recovers_the_coefficients(lives: pd.DataFrame) -> None:
    """Maximum likelihood of exponential stays, within four standard errors of the truth."""
    X = np.column_stack([np.ones(len(lives)), 0.5 - lives[list(TRAITS)].to_numpy()])
    stay, chosen = lives["stay"].to_numpy(), lives["chosen"].to_numpy(dtype=float)

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        expected = stay * np.exp(X @ beta)
        return float((expected - chosen * (X @ beta)).sum()), X.T @ (expected - chosen)

    beta = optimize.minimize(loss, [-7.0, 0.0, 0.0, 0.0], jac=True, method="BFGS").x
    error = np.sqrt(np.diag(np.linalg.inv(X.T @ (X * (stay * np.exp(X @ beta))[:, None]))))
    z = (beta - np.append(np.log(PARAMS.base_hazard), EFFECTS)) / error
    assert (np.abs(z) < 4.0).all()
    assert (error[1:] < 0.2).all()
    assert (beta[1:] > 4.0 * error[1:]).all()


def test_kaplan_meier_matches_the_hazards(lives: pd.DataFrame) -> None:
    """Those who stay t days, estimated without the truth, against the mean of exp(-hazard t)."""
    total = lives["hazard"].to_numpy() + PARAMS.involuntary_hazard
    ordered = lives.sort_values("stay")
    left, at_risk = ordered["left"].to_numpy(), np.arange(len(ordered), 0, -1)
    surviving = np.cumprod(1.0 - left / at_risk)
    greenwood = np.cumsum(left / (at_risk * np.maximum(at_risk - left, 1)))
    for t in (30, 90, 180, 365, 540):
        last = np.searchsorted(ordered["stay"].to_numpy(), t, side="right") - 1
        error = surviving[last] * np.sqrt(greenwood[last])
        assert abs(surviving[last] - np.exp(-total * t).mean()) < 4.0 * error


def test_losses_without_a_choice_are_the_same_for_all(lives: pd.DataFrame) -> None:
    lost = lives["left"] & ~lives["chosen"]
    for happy in (lives["satisfaction"] > 0.5, lives["satisfaction"] <= 0.5):
        expected = PARAMS.involuntary_hazard * lives["stay"][happy].sum()
        assert abs(lost[happy].sum() - expected) < 4.0 * np.sqrt(expected)


def test_effects_of_nothing_are_nothing() -> None:
    flat = BusinessParams(
        satisfaction_effect=0.0, habit_effect=0.0, switching_cost_effect=0.0, involuntary_hazard=0.0
    )
    truth = simulate_business(n_customers=2_000, params=flat).truth
    np.testing.assert_allclose(truth["hazard"], flat.base_hazard)
    assert (truth["left_reason"].dropna() == "voluntary").all()
    for trait in TRAITS:
        assert abs(stats.spearmanr(truth[trait], truth["left_at"].notna()).statistic) < 4.0 / np.sqrt(2_000)
    immortal = simulate_business(
        n_customers=50, params=BusinessParams(base_hazard=0.0, involuntary_hazard=0.0)
    )
    assert immortal.truth["left_at"].isna().all()


@pytest.fixture(scope="module")
def told(business: SimulatedBusiness) -> Frames:
    """The frames, and what a line of arithmetic tells from each record."""
    names = ("transactions", "tickets", "contacts", "rewards")
    lines, tickets, contacts, rewards = (business.frames[kind] for kind in names)
    return {
        **business.frames,
        "transactions": lines.assign(sent_back=lines["amount"] < 0),
        "rewards": rewards.assign(earned=rewards["points"].clip(lower=0)),
        "tickets": tickets.assign(
            wait=(tickets["first_response_at"] - tickets["opened_at"]) / DAY,
            open_for=(tickets["closed_at"] - tickets["opened_at"]) / DAY,
        ),
        "contacts": contacts.assign(answered=contacts["responded_at"].notna()),
    }


def by(frame: pd.DataFrame) -> Any:
    return frame.groupby("customer_id")


def total(told: Frames, name: str) -> pd.Series:
    return by(told["rewards"])[name].sum()


def mean_of(kind: str, name: str, query: str = "customer_id > 0") -> Measure:
    return lambda frames, _: by(frames[kind].query(query))[name].mean().dropna()


def a_day(kind: str, query: str = "customer_id > 0") -> Measure:
    def measure(frames: Frames, stay: pd.Series) -> pd.Series:
        count = by(frames[kind].query(query)).size()
        return (count.reindex(stay.index).fillna(0) / stay)[stay > 90]

    return measure


def gap_cv(frames: Frames, _: pd.Series) -> pd.Series:
    lines = frames["transactions"].query("amount > 0")
    orders = lines.groupby(["customer_id", "order_id"], sort=False)["timestamp"].min().reset_index()
    gap = by(orders)["timestamp"].diff() / DAY
    gaps = gap.groupby(orders["customer_id"]).agg(["count", "mean", "std"])
    return (gaps["std"] / gaps["mean"])[gaps["count"] >= 6]


def points_earning(frames: Frames, _: pd.Series) -> pd.Series:
    orders = by(frames["transactions"].query("amount > 0"))["order_id"].nunique()
    earned = by(frames["rewards"].query("points > 0")).size()
    return earned.reindex(orders.index).fillna(0) / orders


SHOWS: dict[str, tuple[str, int, Measure]] = {
    "nps": ("satisfaction", 1, mean_of("feedback", "score", "survey == 'nps'")),
    "csat": ("satisfaction", 1, mean_of("feedback", "score", "survey == 'csat'")),
    "review": ("satisfaction", 1, mean_of("feedback", "score", "survey == 'review'")),
    "tickets": ("satisfaction", -1, a_day("tickets")),
    "first response": ("satisfaction", -1, mean_of("tickets", "wait")),
    "resolution": ("satisfaction", -1, mean_of("tickets", "open_for")),
    "escalated": ("satisfaction", -1, mean_of("tickets", "escalated")),
    "reopened": ("satisfaction", -1, mean_of("tickets", "reopened")),
    "returns": ("satisfaction", -1, mean_of("transactions", "sent_back")),
    "referrals": ("satisfaction", 1, a_day("events", "event == 'referral'")),
    "shares": ("satisfaction", 1, a_day("events", "event == 'share'")),
    "answers": ("satisfaction", 1, mean_of("contacts", "answered", "arm == 'treated'")),
    "gap cv": ("habit", -1, gap_cv),
    "order lines": ("habit", 1, a_day("transactions")),
    "app opens": ("habit", 1, a_day("events", "event == 'app_open'")),
    "auto-renew": ("habit", 1, mean_of("contracts", "auto_renew")),
    "points earned": ("habit", 1, points_earning),
    "contract length": ("switching_cost", 1, mean_of("contracts", "billing_period_days")),
    "fee": ("switching_cost", 1, mean_of("contracts", "termination_fee")),
    "points kept": ("switching_cost", 1, lambda told, _: total(told, "points") / total(told, "earned")),
    "categories": ("switching_cost", 1, lambda told, _: by(told["transactions"])["category"].nunique()),
}


@pytest.mark.parametrize("name", SHOWS)
def test_each_trait_shows_where_it_should(name: str, told: Frames, lives: pd.DataFrame) -> None:
    """In ranks, the other traits held fixed: of the right sign beyond chance, and more than any other."""
    trait, sign, measure = SHOWS[name]
    shown = measure(told, lives["stay"]).astype(float).rename("shown")
    known = lives.loc[shown.index]
    ranks = pd.concat([shown, known[list(TRAITS)]], axis=1).rank()
    X = np.column_stack([np.ones(len(ranks)), ranks[list(TRAITS)]])
    (beta, *_), y = np.linalg.lstsq(X, ranks["shown"]), ranks["shown"].to_numpy()
    variance = ((y - X @ beta) ** 2).sum() / (len(y) - 4)
    z = beta / np.sqrt(variance * np.diag(np.linalg.inv(X.T @ X)))
    place = 1 + TRAITS.index(trait)
    assert sign * z[place] > 4.0, z
    assert abs(z[place]) == np.abs(z[1:]).max()


def test_what_describes_no_business_is_refused() -> None:
    with pytest.raises(SettingsError, match="n_customers to be 1 or more; got 0"):
        simulate_business(n_customers=0)
    with pytest.raises(SettingsError, match=r"days_of_acquisition.*got 9 and 8"):
        simulate_business(n_customers=5, days_of_acquisition=9, days_observed=8)
    for setting, message in (
        ({"base_hazard": -1.0}, "base_hazard to be a number, 0 or more; got -1"),
        ({"habit_effect": float("nan")}, "habit_effect to be a number, 0 or more; got nan"),
        ({"latent_correlation": 1.0}, "latent_correlation below 1"),
        ({"days_between_orders": 0.0}, "days_between_orders above 0"),
        ({"most_regular": 2.5}, "most_regular to be a whole number"),
    ):
        with pytest.raises(SettingsError, match=message):
            BusinessParams(**setting)  # type: ignore[arg-type]
