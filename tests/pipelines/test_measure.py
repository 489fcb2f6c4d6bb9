"""`habitue measure` on a business of known truth: an oracle in pandas, effects, errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue.cli.commands_measure  # noqa: F401 - registers the commands
from habitue.pipelines.measuring.assignments import as_assignments, readable
from habitue.pipelines.measuring.measure import read_experiment
from habitue.pipelines.measuring.outcomes import metrics_of, observe
from habitue.pipelines.measuring.rounds import read_measured, rounds_together
from habitue.records import CustomerLog

Command = Callable[..., Any]
DAY = pd.Timestamp("2024-06-01")
HORIZON = 60
N = 1200


def draw_business(seed: int = 0) -> dict[str, pd.DataFrame]:
    """Customers who buy at their own rates, all of them before DAY for the first time."""
    draw = np.random.default_rng(seed)
    rate = draw.gamma(1.5, 0.015, N)
    count = draw.poisson(rate * 400) + 1
    who = np.repeat(np.arange(N), count)
    day = draw.integers(0, 400, who.size)
    day[np.cumsum(count) - 1] = draw.integers(0, 100, N)  # everybody began before DAY
    time = pd.Timestamp("2023-10-01") + pd.to_timedelta(day, unit="D")
    amount = draw.gamma(3.0, 10.0, who.size).round(2)
    orders = pd.DataFrame({"customer_id": who, "timestamp": time, "amount": amount, "margin": 0.4 * amount})
    rows = draw.uniform(size=who.size) < 0.05
    orders.loc[rows, ["amount", "margin"]] *= -0.5
    tickets = pd.DataFrame({"customer_id": draw.integers(0, N, 900), "opened_at": time[:900]})
    gone = pd.DataFrame(
        {"customer_id": [3, 4], "timestamp": DAY - pd.Timedelta(days=9), "event": "unsubscribe"}
    )
    return {"transactions": orders, "tickets": tickets, "events": gone}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    frames = draw_business()
    for kind, frame in frames.items():
        frame.to_csv(tmp_path / f"{kind}.csv", index=False)
    (tmp_path / "habitue.toml").write_text(
        'horizon = 60\n[data]\nsource = "transactions.csv"\nmargin = "margin"\n'
        'customer_id = "customer_id"\ntimestamp = "timestamp"\namount = "amount"\n'
        '[records.tickets]\nsource = "tickets.csv"\nopened_at = "opened_at"\n'
        '[records.events]\nsource = "events.csv"\ntimestamp = "timestamp"\nevent = "event"\n',
        encoding="utf-8",
    )
    return tmp_path


def treat(shop: Path, assigned: pd.DataFrame, bonus: float) -> None:
    """Let those with a voucher spend more on each order after DAY."""
    orders = pd.read_csv(shop / "transactions.csv", parse_dates=["timestamp"])
    voucher = assigned.loc[assigned["arm"] == "voucher", "customer_id"].astype(int)
    more = orders["customer_id"].isin(voucher) & (orders["timestamp"] > DAY) & (orders["amount"] > 0)
    orders.loc[more, "amount"] += bonus
    orders.to_csv(shop / "transactions.csv", index=False)


def test_outcomes_are_those_of_a_count_in_pandas_with_a_day_of_ones_own() -> None:
    frames = draw_business(1)
    log = CustomerLog(**frames)
    draw = np.random.default_rng(2)
    days = DAY + pd.to_timedelta(draw.integers(-40, 40, N), unit="D")
    seen = observe(log, pd.DataFrame({"id": [str(one) for one in range(N)], "day": days}), horizon=HORIZON)
    assert metrics_of(log) == tuple(seen.outcomes)
    orders = frames["transactions"].assign(day=lambda one: one["timestamp"].dt.normalize())
    for who in range(0, N, 97):
        own = orders.loc[orders["customer_id"] == who]
        end = days[who] + pd.Timedelta(days=HORIZON)
        after = own.loc[(own["day"] > days[who]) & (own["day"] <= end)]
        start = days[who] - pd.Timedelta(days=HORIZON)
        before = own.loc[(own["day"] > start) & (own["day"] <= days[who])]
        row, known = seen.outcomes.iloc[who], seen.baseline.iloc[who]
        assert row["spend"] == pytest.approx(after["amount"].sum())
        assert row["margin"] == pytest.approx(after["margin"].sum())
        assert row["n_purchases"] == after.loc[after["amount"] >= 0, "day"].nunique()
        assert row["retained"] == float(row["n_purchases"] > 0)
        assert row["n_returns"] == (after["amount"] < 0).sum()
        assert known["spend_before"] == pytest.approx(before["amount"].sum())
        assert seen.matured[who] == (end.date() <= log.observed_until)


def test_what_happens_later_changes_neither_outcomes_nor_what_was_known() -> None:
    frames = draw_business(3)
    customers = pd.DataFrame({"id": [str(one) for one in range(N)], "day": DAY})
    end = DAY + pd.Timedelta(days=HORIZON)
    orders = frames["transactions"]
    whole = observe(CustomerLog(transactions=orders), customers, horizon=HORIZON)
    cut = CustomerLog(transactions=orders.loc[orders["timestamp"] <= end], observed_until=end.date())
    assert observe(cut, customers, horizon=HORIZON).outcomes.equals(whole.outcomes)
    early = CustomerLog(transactions=orders.loc[orders["timestamp"] <= DAY], observed_until=end.date())
    assert observe(early, customers, horizon=HORIZON).baseline.equals(whole.baseline)


def test_the_loop_recovers_a_known_effect_and_keeps_it(command: Command, shop: Path) -> None:
    arms = ("--arm", "control=0.4", "--arm", "voucher=0.6")
    told = command(shop, "measure", "assign", "spring", *arms, "--day", "2024-06-01")
    assert told.code == 0, told.err
    assigned = pd.read_csv(shop / "assignments.csv")
    assert not set(assigned["customer_id"]) & {3, 4}  # who opted out is not assigned
    before = (shop / "assignments.csv").read_bytes()
    assert command(shop, "measure", "assign", "spring", *arms, "--day", "2024-06-01").code == 0
    assert (shop / "assignments.csv").read_bytes() == before
    treat(shop, assigned, bonus=12.0)
    told = command(shop, "measure", "readout", "assignments.csv", "--guard", "n_tickets=0.5", "--json")
    assert told.code == 0, told.err
    found = json.loads(told.out)["experiments"][0]
    spend = next(one for one in found["effects"] if one["metric"] == "spend")
    truth = 12.0 * next(one for one in found["effects"] if one["metric"] == "n_purchases")["mean"]
    assert spend["lower"] < truth < spend["upper"]
    assert spend["lower"] > 0.0
    assert spend["variance_kept"] < 1.0
    together = rounds_together(shop / "measure" / "measured.json", metric="spend")["voucher"]
    assert together.effect == pytest.approx(spend["effect"])
    assert (together.n_rounds, together.horizon) == (1, 60)
    # Read out again, it is still one round.
    assert command(shop, "measure", "readout", "assignments.csv", "--plain").code == 0
    assert {one.experiment for one in read_measured(shop / "measure" / "measured.json")} == {"spring"}
    assert json.loads((shop / "measure" / "readout.json").read_text())["experiments"][0]["is_sound"]


def test_plans_and_checks_use_the_log(command: Command, shop: Path) -> None:
    told = command(shop, "measure", "design", "--metric", "spend", "--relative", "0.1", "--json")
    plan = json.loads(told.out)
    assert told.code == 0, told.err
    assert 0.0 < plan["baseline"]["explained"] < 1.0
    assert plan["n"] < plan["n_unadjusted"]
    numbers = command(shop, "measure", "design", "--mean", "0.6", "--effect", "0.05")
    assert "2,941 customers" in numbers.out
    told = command(
        shop, "measure", "simulate", "--splits", "40", "--looks", "3", "--metric", "spend", "--json"
    )
    checks = json.loads(told.out)["checks"]
    assert told.code == 0, told.err
    assert checks[0]["is_honest"]
    assert checks[0]["sequential_error"] <= checks[0]["peeking_error"]


def test_lost_customers_raise_an_alarm(command: Command, shop: Path) -> None:
    arms = ("--arm", "control=0.5", "--arm", "voucher=0.5")
    command(shop, "measure", "assign", "spring", *arms, "--day", "2024-06-01")
    assigned = pd.read_csv(shop / "assignments.csv")
    lost = assigned.loc[(assigned["arm"] == "control") | (assigned["customer_id"] % 2 == 0)]
    lost.to_csv(shop / "assignments.csv", index=False)
    told = command(shop, "measure", "readout", "assignments.csv")
    assert told.code == 8
    assert "not as large as was meant" in told.out


@pytest.mark.parametrize(
    ("change", "arguments", "sentence"),
    [
        ({}, ["--horizon", "400"], "No outcome is known yet"),
        ({"propensity": 0.0}, [], "Who had no chance of an arm"),
        ({"arm": "voucher"}, [], "needs customers in the arm 'control'"),
        ({"timestamp": "soon"}, [], "needs a day"),
        ({"customer_id": [f"x{one}" for one in range(N)]}, [], "no records up to their day"),
        ({"customer_id": 7}, [], "in two arms"),
        ({}, ["--metric", "mood"], "cannot give mood"),
        ({}, ["--guard", "mood"], "NAME=NUMBER"),
    ],
)
def test_bad_input_is_one_sentence(
    command: Command, shop: Path, change: dict[str, Any], arguments: list[str], sentence: str
) -> None:
    arm = np.where(np.arange(N) % 2, "control", "voucher")
    table = pd.DataFrame(
        {"customer_id": range(N), "timestamp": "2024-06-01", "campaign": "spring", "arm": arm}
    )
    table.assign(**{"propensity": 0.5, **change}).to_csv(shop / "list.csv", index=False)
    told = command(shop, "measure", "readout", "list.csv", *arguments)
    assert told.code in {3, 4}
    assert sentence in " ".join(told.err.split())
    assert not (shop / "measure").exists()


def test_controls_that_name_their_offer_are_compared_within_it() -> None:
    table = pd.DataFrame(
        {"customer_id": range(8), "timestamp": "2024-06-01", "campaign": "r1", "offer": ["a", "b"] * 4,
         "arm": ["control"] * 4 + ["treated"] * 4, "propensity": 0.5}
    )  # fmt: skip
    found = as_assignments(table)
    assert [one.experiment for one in found] == ["r1 (a)", "r1 (b)"]
    assert found[0].offers == {"treated": "a"}
    assert set(found[0].frame["id"]) == {"0", "2", "4", "6"}


def test_an_offer_without_a_control_does_not_hide_the_others(command: Command, shop: Path) -> None:
    place = np.arange(N)
    offer = np.where(place < N // 2, "call", "gift")
    table = pd.DataFrame({"customer_id": place, "timestamp": "2024-06-01", "campaign": "r1", "offer": offer})
    table["arm"] = np.where((place % 2 == 0) & (offer == "call"), "control", "treated")
    table.assign(propensity=0.5).to_csv(shop / "list.csv", index=False)
    told = command(shop, "measure", "readout", "list.csv", "--metric", "spend")
    assert told.code == 0, told.err
    assert "r1 (call): 60 days after assignment" in told.out
    assert "left out: 'r1 (gift)' needs customers in the arm 'control'" in " ".join(told.out.split())
    parts, none = readable(table)
    assert ([one.experiment for one in parts], len(none)) == (["r1 (call)"], 1)


def test_strata_covariates_and_households_are_read_out_as_they_were_drawn(
    command: Command, shop: Path
) -> None:
    place = np.arange(N)
    people = pd.DataFrame({"customer_id": place, "region": place % 3, "home": place // 2})
    people["region"] = people["region"].map({0: "north", 1: "south", 2: "east"})
    people.to_csv(shop / "people.csv", index=False)
    with (shop / "habitue.toml").open("a", encoding="utf-8") as file:
        file.write('[records.customers]\nsource = "people.csv"\ncustomer_id = "customer_id"\n')
    arms = ("--arm", "control=0.5", "--arm", "voucher=0.5", "--day", "2024-06-01")
    told = command(shop, "measure", "assign", "spring", *arms, "--strata", "region")
    assert told.code == 0, told.err
    drawn = pd.read_csv(shop / "assignments.csv")
    assert (drawn.groupby("stratum")["arm"].value_counts().unstack().diff(axis=1).iloc[:, 1].abs() <= 1).all()
    rows = {}
    for name, more in {
        "plain": ("--plain",),
        "named": ("--plain", "--strata", "region"),
        "cluster": ("--plain", "--cluster", "home"),
        "more": ("--plain", "--covariate", "home"),
    }.items():
        told = command(shop, "measure", "readout", "assignments.csv", "--metric", "spend", *more, "--json")
        assert told.code == 0, told.err
        rows[name] = json.loads(told.out)["experiments"][0]["effects"][0]
    assert rows["plain"] == rows["named"]  # the list says within what it was drawn
    assert rows["cluster"]["se"] != rows["plain"]["se"]
    assert rows["more"]["effect"] != rows["plain"]["effect"]
    wrong = command(shop, "measure", "readout", "assignments.csv", "--strata", "nowhere")
    assert (wrong.code, "region" in wrong.err) == (4, True)


def test_opt_outs_are_those_of_the_offers(command: Command, shop: Path) -> None:
    (shop / "offers.toml").write_text(
        '[decide]\nmargin = 0.4\nopt_out_events = ["bye"]\n[[offers]]\nname = "call"\nkind = "other"\n'
        "acceptance = { share = 0.5, worth = 9 }\nsaves = { share = 0.5, worth = 9 }\n",
        encoding="utf-8",
    )
    events = pd.DataFrame(
        {"customer_id": [3, 5], "timestamp": "2024-05-01", "event": ["unsubscribe", " Bye"]}
    )
    events.to_csv(shop / "events.csv", index=False)
    arms = ("--arm", "control=0.5", "--arm", "voucher=0.5", "--day", "2024-06-01")
    assert command(shop, "measure", "assign", "spring", *arms).code == 0
    assert {3, 5} - set(pd.read_csv(shop / "assignments.csv")["customer_id"]) == {5}


def test_a_business_of_contracts_only_is_read_out_by_the_contracts_that_run() -> None:
    draw, n = np.random.default_rng(4), 3000
    is_control = np.arange(n) % 2 == 0
    stays = draw.uniform(size=n) < np.where(is_control, 0.7, 0.8)
    renews = draw.uniform(size=n) < 0.5  # who stays renews, or goes on
    ends = DAY + pd.to_timedelta(draw.integers(1, HORIZON, n), unit="D")
    who = np.arange(n)
    first = pd.DataFrame({"customer_id": who, "started_at": DAY - pd.Timedelta(days=90), "price": 9.0})
    first["ended_at"] = ends.where(~stays | renews)
    again = first.loc[stays & renews].assign(started_at=lambda one: one["ended_at"], ended_at=pd.NaT)
    gone = pd.DataFrame({"customer_id": np.repeat(who[:40], 2), "timestamp": DAY + pd.Timedelta(days=3)})
    log = CustomerLog(
        contracts=pd.concat([first, again]),
        events=gone.assign(
            event="opt_out", timestamp=gone["timestamp"] + pd.to_timedelta([0, 1] * 40, unit="D")
        ),
        observed_until=(DAY + pd.Timedelta(days=HORIZON)).date(),
    )
    assert metrics_of(log) == ("retained", "opted_out")
    arms = np.where(is_control, "control", "call")
    table = pd.DataFrame({"customer_id": who, "timestamp": str(DAY.date()), "campaign": "c", "arm": arms})
    read = read_experiment(log, as_assignments(table)[0], horizon=HORIZON, metrics=("retained", "opted_out"))
    kept, out = read.readout.effects.to_dict("records")
    assert kept["control_mean"] == pytest.approx(stays[is_control].mean())
    assert kept["effect"] == pytest.approx(stays[~is_control].mean() - stays[is_control].mean())
    assert kept["lower"] < 0.1 < kept["upper"]
    # Who opts out twice has opted out.
    assert (out["is_share"], out["control_mean"]) == (True, pytest.approx(20 / 1500))
