"""The scorecard against plain pandas on real and simulated records, and the laws that it keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records import CustomerLog
from habitue.scorecard import Scorecard, nps, scorecard
from habitue.scorecard.definitions import DEFINITIONS, definition_of
from habitue.vocabulary import Pillar

START, END = "2024-02-10", "2024-06-30"
FIRST, LAST = pd.Timestamp("2024-02-11"), pd.Timestamp("2024-07-01")
UNITS = {"points", "share", "money", "days", "hours", "score", "count"}
Frames = Mapping[str, pd.DataFrame]


@pytest.fixture(scope="module")
def frames() -> Frames:
    """Return the tables of a business with reviews that have a sentiment."""
    made = dict(hb.simulate_business(n_customers=700, random_state=3).frames)
    feedback = made["feedback"]
    made["feedback"] = feedback.assign(sentiment=np.where(feedback["text"].notna(), 0.1, np.nan))
    return MappingProxyType(made)


def make_log(frames: Frames, **more: object) -> CustomerLog:
    return CustomerLog(**{**frames, **more}, observed_until="2024-12-30")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def log(frames: Frames) -> CustomerLog:
    return make_log(frames)


@pytest.fixture(scope="module")
def card(log: CustomerLog) -> Scorecard:
    cuts = ("month", "segment", "region", "cohort", "channel")
    return scorecard(log, start=START, end=END, by=cuts, point_value=0.01)


def in_window(frame: pd.DataFrame, column: str = "timestamp") -> pd.DataFrame:
    return frame[(frame[column] >= FIRST) & (frame[column] < LAST)]


def oracle_of_purchases(orders: pd.DataFrame, start: str, end: str, before: str) -> dict[str, float]:
    """Say what purchases of (start, end] amount to, visit by visit."""
    orders = orders[orders["amount"] >= 0].assign(day=orders["timestamp"].dt.normalize())
    orders = orders[orders["day"] <= pd.Timestamp(end)]
    now = orders[orders["day"] > pd.Timestamp(start)]
    prior = orders[(orders["day"] > pd.Timestamp(before)) & (orders["day"] <= pd.Timestamp(start))]
    active, earlier = set(now["customer_id"]), set(prior["customer_id"])
    visits = orders.drop_duplicates(["customer_id", "day"]).sort_values(["customer_id", "day"])
    gap = visits.groupby("customer_id")["day"].diff().dt.days
    n_orders = (
        now["order_id"].nunique() if "order_id" in now else len(visits[visits["day"] > pd.Timestamp(start)])
    )
    lost = ~prior["customer_id"].isin(active)
    times = visits[visits["day"] > pd.Timestamp(start)].groupby("customer_id").size()
    return {
        "active_customers": len(active),
        "retention_rate": len(active & earlier) / len(earlier),
        "churn_rate": len(earlier - active) / len(earlier),
        "revenue_churn": prior.loc[lost, "amount"].sum() / prior["amount"].sum(),
        "repeat_purchase_rate": (times[list(active)] > 1).mean(),
        "average_order_value": now["amount"].sum() / n_orders,
        "purchase_interval": gap[visits["day"] > pd.Timestamp(start)].mean(),
    }


def check(card: Scorecard, expected: Mapping[str, float], **where: str) -> None:
    for name, value in expected.items():
        assert card.measure(name, **where).value == pytest.approx(value, rel=1e-9), name


def test_purchases_are_those_of_plain_pandas(card: Scorecard, frames: Frames) -> None:
    orders = frames["transactions"]
    check(card, oracle_of_purchases(orders, START, END, "2023-09-22"))
    of_segment = frames["customers"].set_index("customer_id")["segment"]
    for segment in of_segment.unique():
        own = orders[orders["customer_id"].map(of_segment) == segment]
        check(card, oracle_of_purchases(own, START, END, "2023-09-22"), by="segment", group=segment)
    april = oracle_of_purchases(orders, "2024-03-31", "2024-04-30", "2024-02-29")
    check(card, april, by="month", group="2024-04")


def test_cdnow_is_that_of_plain_pandas() -> None:
    log = hb.datasets.cdnow(sample=True)
    orders = log.engine.frame("SELECT customer_id, timestamp, amount FROM transactions")
    told = scorecard(log, start="1997-06-30", end="1997-12-28", by=("month", "cohort"), cohort="month")
    check(told, oracle_of_purchases(orders, "1997-06-30", "1997-12-28", "1996-12-31"))
    check(
        told,
        oracle_of_purchases(orders, "1997-10-31", "1997-11-30", "1997-09-30"),
        by="month",
        group="1997-11",
    )
    first = orders.groupby("customer_id")["timestamp"].min().dt.strftime("%Y-%m")
    for cohort in ("1997-01", "1997-02", "1997-03"):
        own = orders[orders["customer_id"].map(first) == cohort]
        check(
            told,
            oracle_of_purchases(own, "1997-06-30", "1997-12-28", "1996-12-31"),
            by="cohort",
            group=cohort,
        )


def test_contracts_are_those_of_plain_pandas(card: Scorecard, frames: Frames) -> None:
    held = frames["contracts"].assign(price_day=lambda one: one["price"] / one["billing_period_days"])
    started = held["started_at"].dt.normalize() <= START
    at_start = held[started & ~(held["ended_at"].dt.normalize() <= START)]
    gone = at_start["ended_at"].dt.normalize() <= END
    check(
        card,
        {
            "contract_churn_rate": gone.mean(),
            "contract_retention_rate": 1.0 - gone.mean(),
            "contract_revenue_churn": at_start.loc[gone, "price_day"].sum() / at_start["price_day"].sum(),
        },
    )


def test_surveys_are_those_of_plain_pandas(card: Scorecard, frames: Frames) -> None:
    said = in_window(frames["feedback"])
    last = (
        said.sort_values(["timestamp", "score"], ascending=[True, False])
        .groupby(["survey", "customer_id"])
        .tail(1)
    )
    told, expected = card.measure("nps"), nps(last.loc[last["survey"] == "nps", "score"])
    assert [told.value, told.lower, told.upper, told.n] == [
        expected.value,
        expected.lower,
        expected.upper,
        expected.n,
    ]
    csat = last.loc[last["survey"] == "csat", "score"]
    review = said.loc[said["survey"] == "review", "score"]
    bought = in_window(frames["transactions"])
    active = set(bought.loc[bought["amount"] >= 0, "customer_id"])
    respondents = set(last.loc[last["survey"] == "nps", "customer_id"])
    check(
        card,
        {
            "csat_mean": csat.mean(),
            "csat_top_two": (csat >= 4).mean(),
            "review_net": 100.0 * ((review >= 4).mean() - (review <= 2).mean()),
            "review_sentiment": 0.1,
            "nps_response_rate": len(respondents & active) / len(active),
        },
    )


def test_service_is_that_of_plain_pandas(card: Scorecard, frames: Frames) -> None:
    opened, contacts, rewards = (
        in_window(frames["tickets"], "opened_at"),
        in_window(frames["contacts"]),
        frames["rewards"],
    )
    closed = opened[opened["closed_at"] < LAST]
    treated = contacts[contacts["arm"] != "control"]
    # All but a few were answered at once, so that the median is that of those who were.
    wait = (opened["first_response_at"] - opened["opened_at"]).dt.total_seconds() / 3600.0
    check(
        card,
        {
            "ticket_reopened_share": closed["reopened"].mean(),
            "ticket_escalated_share": closed["escalated"].mean(),
            "contacts_answered": (treated["responded_at"] < LAST).mean(),
        },
    )
    assert card.measure("first_response_hours").value == pytest.approx(wait.median(), abs=0.3)
    # Nothing older than a year is left of points, nothing spent comes back.
    held = rewards[rewards["timestamp"] < LAST]
    alive = held["points"].where(~(held["expires_at"] < LAST) | (held["points"] < 0), 0.0)
    owed = card.measure("reward_liability")
    assert alive.clip(lower=0.0).sum() * 0.01 >= owed.value >= 0.0
    assert owed.unit == "money"


def test_every_row_says_what_it_is(card: Scorecard) -> None:
    frame = card.frame
    assert list(frame.columns) == [
        "measure", "by", "group", "start", "end", "value", "lower", "upper", "n", "unit", "pillar", "note",
    ]  # fmt: skip
    assert set(frame["unit"]) <= UNITS
    assert set(frame["pillar"]) <= set(map(str, Pillar))
    assert set(frame["by"]) == {"all", "month", "segment", "region", "cohort", "channel"}
    assert not frame.duplicated(["measure", "by", "group"]).any()
    assert set(card.definitions) == set(frame["measure"])
    shown = frame["value"].notna()
    assert (frame.loc[~shown, "note"] != "").all()
    bounded = frame[shown & frame["lower"].notna()]
    assert (bounded["lower"] <= bounded["value"] + 1e-9).all()
    assert (bounded["value"] <= bounded["upper"] + 1e-9).all()
    shares = frame[shown & (frame["unit"] == "share")]
    assert shares["value"].between(0.0, 1.0).all()
    assert frame[frame["group"] == "2024-02"]["note"].str.startswith("partial month: 2024-02-11").all()
    assert (frame["start"].map(type) == date).all()


def test_groups_add_up_to_all(card: Scorecard) -> None:
    frame = card.frame
    for by in ("segment", "region", "cohort"):
        for measure, rows in frame[frame["by"] == by].groupby("measure"):
            assert rows["n"].sum() == card.measure(str(measure)).n, (by, measure)


def test_it_goes_through_json(card: Scorecard) -> None:
    back = Scorecard.from_dict(json.loads(json.dumps(card.to_dict(), allow_nan=False)))
    pd.testing.assert_frame_equal(back.frame, card.frame)
    assert (back.start, back.end, back.definitions) == (card.start, card.end, card.definitions)
    with pytest.raises(SchemaError, match="lacks end"):
        Scorecard.from_dict({name: one for name, one in card.to_dict().items() if name != "end"})


def test_the_future_changes_nothing(log: CustomerLog, frames: Frames, card: Scorecard) -> None:
    ends = {"contracts": "started_at", "tickets": "opened_at"}
    past = {
        kind: frame if kind == "customers" else frame[frame[ends.get(kind, "timestamp")] < LAST]
        for kind, frame in frames.items()
    }
    short = CustomerLog(**past, observed_until=END)
    told = scorecard(
        short, start=START, end=END, by=("month", "segment", "region", "cohort", "channel"), point_value=0.01
    )
    # Customers who come later stand in the table of customers, and nowhere else.
    pd.testing.assert_frame_equal(told.frame, card.frame)


def test_order_of_rows_and_currency(frames: Frames, card: Scorecard) -> None:
    mixed = {kind: frame.sample(frac=1.0, random_state=1) for kind, frame in frames.items()}
    money = {
        "transactions": ["amount", "list_price", "discount", "margin"],
        "contracts": ["price", "termination_fee"],
    }
    for kind, columns in money.items():
        mixed[kind] = mixed[kind].assign(**{name: mixed[kind][name] * 4 for name in columns})
    cuts = ("month", "segment", "region", "cohort", "channel")
    told = scorecard(make_log(mixed), start=START, end=END, by=cuts, point_value=0.04)
    factor = np.where(card.frame["unit"] == "money", 4.0, 1.0)
    plain = card.frame.assign(**{name: card.frame[name] * factor for name in ("value", "lower", "upper")})
    pd.testing.assert_frame_equal(told.frame, plain, rtol=1e-9)


def test_small_groups_are_pooled_and_small_months_held_back(log: CustomerLog) -> None:
    told = scorecard(log, start=START, end=END, by=("month", "cohort"), min_count=150).frame
    shown = told[told["value"].notna() & ~told["measure"].str.contains("active_customers")]
    assert (shown["n"] >= 150).all()
    hidden = told[told["note"].str.contains("suppressed")]
    assert len(hidden)
    for _, rows in hidden[hidden["by"] == "month"].groupby("measure"):
        assert len(rows) > 1
    assert hidden["note"].str.contains(r"suppressed: \d+ of 150 needed|with it another month").all()
    assert "other" in set(told["group"])


def test_what_no_channel_has_is_said(log: CustomerLog, card: Scorecard) -> None:
    assert card.notes == (
        "by channel there are active_customers, average_order_value, contacts_answered only; contracts, "
        "feedback, tickets, rewards have no channel on record",
    )
    cut = set(card.frame.loc[card.frame["by"] == "channel", "measure"])
    assert cut == {"active_customers", "average_order_value", "contacts_answered"}
    assert scorecard(log, start=START, end=END, by=()).notes == ()


def test_without_a_period_before_it_is_said(log: CustomerLog) -> None:
    told = scorecard(log, start="2023-03-31", end="2023-12-31", by=("segment",))
    # Nor is it known then who had bought before the log.
    assert "earlier purchases" in told.measure("purchase_interval").note
    kept = told.measure("retention_rate")
    assert np.isnan(kept.value)
    assert f"begins on {log.first_day}" in kept.note
    assert told.measure("contract_retention_rate").value > 0.0


def test_a_log_of_contracts_alone_has_plain_names(frames: Frames, card: Scorecard) -> None:
    log = CustomerLog(
        contracts=frames["contracts"],
        feedback=in_window(frames["feedback"]),
        customers=frames["customers"],
        observed_until=END,
    )
    told = scorecard(log, start=START, end=END, by=("segment", "cohort"))
    assert told.measure("churn_rate").value == card.measure("contract_churn_rate").value
    assert "contract" in told.definitions["churn_rate"]
    assert not any(name.startswith("contract_") for name in told.definitions)
    assert 0.0 < told.measure("nps_response_rate").value < 1.0
    assert "nps_reweighted" in told.definitions


def test_a_renewed_contract_is_not_lost() -> None:
    contracts = pd.DataFrame(
        {
            "customer_id": [1, 1, 2, 3, 3],
            "started_at": ["2024-01-01", "2024-03-01", "2024-01-01", "2024-01-01", "2024-02-15"],
            "ended_at": ["2024-03-01", None, "2024-02-20", "2024-03-05", None],
            "price": [30.0, 36.0, 30.0, 60.0, 15.0],
            "billing_period_days": [30] * 5,
        }
    )
    told = scorecard(
        CustomerLog(contracts=contracts, observed_until="2024-04-01"),
        start="2024-01-31",
        end="2024-03-31",
        by=(),
        min_count=1,
    )
    assert told.measure("churn_rate").value == pytest.approx(1 / 3)
    # Of 4 a day the first's grew, the second's 1 is gone, and of the third's 2 there is 0.5 left.
    assert told.measure("revenue_churn").value == pytest.approx((1.0 + 1.5) / 4.0)


def small_log(feedback: pd.DataFrame, **more: pd.DataFrame) -> CustomerLog:
    """Return a log of forty customers who all bought, with feedback."""
    who = np.arange(1, 41)
    orders = pd.DataFrame({"customer_id": who, "timestamp": "2024-03-05", "amount": 10.0})
    return CustomerLog(transactions=orders, feedback=feedback, **more, observed_until="2024-03-31")


def answers(scores: list[float], survey: str = "nps", **more: object) -> pd.DataFrame:
    who = np.arange(1, len(scores) + 1)
    told = {"customer_id": who, "timestamp": "2024-03-10", "survey": survey, "score": scores}
    return pd.DataFrame({**told, **more})


PERIOD = {"start": "2024-02-29", "end": "2024-03-31"}


def test_the_latest_answer_of_a_customer_counts() -> None:
    later = pd.DataFrame({"customer_id": [1], "timestamp": ["2024-03-20"], "survey": ["nps"], "score": [0]})
    told = scorecard(small_log(pd.concat([answers([10.0] * 40), later])), **PERIOD, by=())  # type: ignore[arg-type]
    assert told.measure("nps").n == 40
    assert told.measure("nps").value == pytest.approx(100.0 * (39 - 1) / 40)


@pytest.mark.parametrize(
    ("feedback", "sentence"),
    [
        (
            answers([11.0] + [9.0] * 39),
            "1 answer is off the scale of the survey, such as 11 to nps from 0 to 10",
        ),
        (answers([4.5] + [4.0] * 39, "csat"), "such as 4.5 to csat from 1 to 5"),
        (answers([9.0] * 40, scale_min=1, scale_max=10), "40 answers are off the scale"),
        (answers([6.0] + [4.0] * 39, "review"), "1 review is off the scale"),
    ],
)
def test_answers_off_the_scale_are_told_or_left_out(feedback: pd.DataFrame, sentence: str) -> None:
    log = small_log(feedback)
    with pytest.raises(DataError, match=sentence):
        scorecard(log, **PERIOD, by=())  # type: ignore[arg-type]
    told = scorecard(log, **PERIOD, by=(), off_scale="leave_out")  # type: ignore[arg-type]
    for name in ("nps", "csat_mean", "review_net"):
        if name in told.definitions:
            assert told.measure(name).n == 39
            assert "1 answer off the scale left out" in told.measure(name).note


def test_scales_have_names_of_their_own_and_may_be_told_backwards() -> None:
    to_seven = answers([7.0] * 20 + [1.0] * 20, "csat", scale_min=1, scale_max=7)
    turned = answers([1.0] * 20 + [7.0] * 20, "csat", scale_min=7, scale_max=1)
    for feedback in (to_seven, turned):
        told = scorecard(small_log(feedback), **PERIOD, by=(), reweight_by=("band",))  # type: ignore[arg-type]
        assert told.measure("csat_mean_1_7").value == 4.0
        assert told.measure("csat_top_two_1_7").value == 0.5
        assert "from 1 to 7" in told.definitions["csat_top_two_reweighted_1_7"]
        assert "csat_mean" not in told.definitions
    # All bought alike: unasked, nothing is reweighted.
    plain = scorecard(small_log(to_seven), **PERIOD, by=())  # type: ignore[arg-type]
    assert not any("reweighted" in name for name in plain.definitions)


def test_who_was_asked_is_taken_from_events() -> None:
    sent = pd.DataFrame({"customer_id": np.arange(1, 36), "timestamp": "2024-03-08", "event": "nps sent"})
    log = small_log(answers([9.0] * 30), events=sent)
    told = scorecard(log, **PERIOD, by=(), asked={"nps": "nps sent"}).measure("nps_response_rate")  # type: ignore[arg-type]
    assert (told.n, told.value) == (35, pytest.approx(30 / 35))
    everybody = scorecard(log, **PERIOD, by=()).measure("nps_response_rate")  # type: ignore[arg-type]
    assert (everybody.n, everybody.value) == (40, pytest.approx(0.75))


@pytest.mark.parametrize(("seed", "min_count"), [(0, 1), (1, 3), (2, 6), (3, 12), (4, 25)])
def test_pooled_groups_keep_everybody(seed: int, min_count: int) -> None:
    rng = np.random.default_rng(seed)
    day = pd.to_timedelta(np.append(0, rng.integers(0, 150, 90)), unit="D")
    orders = pd.DataFrame(
        {"customer_id": rng.integers(1, 60, 91), "timestamp": pd.Timestamp("2024-01-01") + day}
    )
    orders["amount"] = rng.integers(1, 60, 91)
    segment = rng.choice([*"abcdefg"], 60, p=[0.4, 0.3, 0.1, 0.08, 0.06, 0.04, 0.02])
    people = pd.DataFrame({"customer_id": np.arange(60), "segment": segment})
    log = CustomerLog(transactions=orders, customers=people, observed_until="2024-06-01")
    told = scorecard(log, start="2024-03-15", end="2024-05-30", by=("segment",), min_count=min_count)
    for measure, rows in told.frame[told.frame["by"] == "segment"].groupby("measure"):
        assert rows["n"].sum() == told.measure(str(measure)).n
        if "active" not in str(measure):
            assert (rows.loc[rows["value"].notna(), "n"] >= min_count).all()
            # Where one alone is held back, it is everybody.
            assert rows["value"].isna().sum() != 1 or len(rows) == 1


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"start": END}, "start must be before end"),
        ({"by": ("colour",)}, "no attribute colour"),
        ({"by": (), "reweight_by": ("colour",)}, "no attribute colour"),
        ({"confidence": 95.0}, "between 0 and 1"),
        ({"min_count": 0}, "1 or more"),
        ({"cohort": "year"}, "'month' or 'quarter'"),
        ({"point_value": -1.0}, "0 or more"),
        ({"off_scale": "ignore"}, "'refuse' or 'leave_out'"),
        ({"asked": {"review": "sent"}}, "for the surveys nps and csat"),
    ],
)
def test_impossible_settings_are_told(log: CustomerLog, settings_: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        scorecard(log, **{"start": START, "end": END, **settings_})  # type: ignore[arg-type]


def test_an_attribute_with_a_name_of_the_scorecards_own_is_told() -> None:
    people = pd.DataFrame({"customer_id": np.arange(1, 41), "visits": "many"})
    log = small_log(answers([9.0] * 40), customers=people)
    with pytest.raises(SettingsError, match=r"cannot be cut by visits: .* Rename the attribute"):
        scorecard(log, **PERIOD, by=("visits",))  # type: ignore[arg-type]
    assert set(scorecard(log, **PERIOD, by=("all", "segment")).frame["by"]) == {"all"}  # type: ignore[arg-type]


def test_definitions_are_sentences_with_pillars(card: Scorecard) -> None:
    for name, told in DEFINITIONS.items():
        assert definition_of(name).sentence.endswith("."), name
        assert told.pillar in set(Pillar)
        assert told.unit in UNITS
    with pytest.raises(SettingsError, match="no measure 'csat_median'"):
        definition_of("csat_median")
    with pytest.raises(DataError, match="has no nps by moon"):
        card.measure("nps", by="moon")
