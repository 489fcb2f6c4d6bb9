"""What trials say of offers before a decision, and the loop through files: decide, measure, decide again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue.cli.commands_decide
import habitue.cli.commands_measure  # noqa: F401 - registers the commands
from habitue.decisions import Amount, Offer, Share
from habitue.errors import AssumptionWarning
from habitue.experiments import MeasuredEffect, assign, combine_rounds
from habitue.pipelines.deciding.choosing import fit_chosen
from habitue.pipelines.deciding.inputs import Scores
from habitue.pipelines.deciding.measured import Uplift, learned_offers, spread_by_worth, uplift_of
from habitue.pipelines.measuring.rounds import write_measured
from habitue.pipelines.offers import DecideSettings
from habitue.records import CustomerLog
from habitue.records.business import BusinessParams, SimulatedBusiness, simulate_business

DAY = date(2024, 3, 1)


def effect(experiment: str, metric: str, value: float, se: float, **changed: Any) -> MeasuredEffect:
    """Return what one round measured of the box."""
    told: dict[str, Any] = {"control_mean": 0.75, "n": 900, "n_control": 300, "n_accepted": 360}
    told |= {"start": DAY, "end": DAY, "horizon": 91, "p_value": 0.01} | changed
    return MeasuredEffect(experiment, "box", metric, value, se, **told)


BOX = Offer("box", acceptance=Share(0.5, worth=100), uplift=Amount(5.0, 2.0))


def test_an_offer_learns_what_all_rounds_say_together(tmp_path: Path) -> None:
    rounds = [effect("spring", "margin", 1.0, 0.5), effect("summer", "margin", 1.6, 0.4, n_accepted=None)]
    write_measured(tmp_path / "measured.json", rounds)
    other = replace(BOX, name="other")
    (box, same), told = learned_offers([BOX, other], tmp_path / "measured.json", horizon=91)
    both = combine_rounds(rounds)[0]
    assert box == BOX.updated(both.effect, both.se).updated_acceptance(360, 900)
    assert same == other
    assert told == {"box": {"metric": "margin", "effect": both.effect, "se": both.se, "rounds": 2}}


def test_who_is_saved_is_learned_from_who_stayed(tmp_path: Path) -> None:
    write_measured(
        tmp_path / "m.json", [effect("a", "retained", 0.05, 0.01), effect("a", "margin", 9.0, 1.0)]
    )
    saver = Offer("box", kind="surprise_gift", acceptance=Share(0.5, worth=100), saves=Share(0.3, worth=20))
    (learned,), told = learned_offers([saver], tmp_path / "m.json", horizon=91)
    # A quarter of the control arm left. Who would stay takes a gift anyway: acceptance cannot be told apart.
    assert learned == saver.updated(0.05, 0.01, p_leave=0.25)
    assert told["box"]["metric"] == "retained"
    # Half of those who were lost were gone before: of the other half twice as many were kept.
    (halved,), _ = learned_offers([saver], tmp_path / "m.json", horizon=91, reached=0.5)
    assert halved == saver.updated(0.05, 0.01, p_leave=0.125)


def test_without_margins_on_record_spend_is_turned_into_margin(tmp_path: Path) -> None:
    write_measured(tmp_path / "m.json", [effect("a", "spend", 10.0, 2.0, n_accepted=None)])
    assert learned_offers([BOX], tmp_path / "m.json", horizon=91) == ((BOX,), {})
    (learned,), _ = learned_offers([BOX], tmp_path / "m.json", horizon=91, margin=0.4)
    assert learned.measured.effect == pytest.approx(4.0)
    assert learned.measured.se == pytest.approx(0.8)
    both = [effect("a", "spend", 10.0, 2.0), effect("a", "margin", 3.0, 0.5)]
    write_measured(tmp_path / "both.json", both)
    (learned,), _ = learned_offers([BOX], tmp_path / "both.json", horizon=91, margin=0.4)
    assert learned.measured.effect == pytest.approx(3.0)


@pytest.mark.parametrize(
    "useless",
    [
        effect("a", "margin", 1.0, 0.5, is_sound=False),
        effect("a", "n_purchases", 1.0, 0.5),
    ],
    ids=["arms not sound", "other metric"],
)
def test_what_does_not_fit_changes_nothing(tmp_path: Path, useless: MeasuredEffect) -> None:
    write_measured(tmp_path / "m.json", [useless])
    for path in (None, tmp_path / "none.json", tmp_path / "m.json"):
        assert learned_offers([BOX], path, horizon=91, margin=0.4) == ((BOX,), {})


def test_effects_within_another_horizon_do_not_count_and_that_is_told(tmp_path: Path) -> None:
    write_measured(tmp_path / "m.json", [effect("a", "margin", 1.0, 0.5, horizon=30)])
    with pytest.warns(AssumptionWarning, match="within 30 days, the scores look 91 days ahead"):
        assert learned_offers([BOX], tmp_path / "m.json", horizon=91) == ((BOX,), {})


def test_an_arm_of_several_offers_counts_for_none_and_that_is_told(tmp_path: Path) -> None:
    treated = replace(effect("a", "margin", 1.0, 0.5), offer="treated")
    write_measured(tmp_path / "m.json", [treated])
    with pytest.warns(AssumptionWarning, match=r"of 'treated', which no offer here.* of 'box' nothing was"):
        assert learned_offers([BOX], tmp_path / "m.json", horizon=91) == ((BOX,), {})
    # An offer that is not made any more is nothing to speak of where all that are were measured.
    write_measured(tmp_path / "m.json", [treated, effect("a", "margin", 1.0, 0.5)])
    assert list(learned_offers([BOX], tmp_path / "m.json", horizon=91)[1]) == ["box"]


def test_a_control_arm_that_nobody_left_says_nothing_of_who_is_saved(tmp_path: Path) -> None:
    write_measured(tmp_path / "m.json", [effect("a", "retained", 0.0, 0.01, control_mean=1.0)])
    saver = Offer("box", acceptance=Share(0.5, worth=100), saves=Share(0.3, worth=20))
    assert learned_offers([saver], tmp_path / "m.json", horizon=91) == ((saver,), {})


HORIZON = 30
CALL, GIFT = 12.0, 4.0
N = 1_500


def trial_log(*, odd: bool = False) -> tuple[CustomerLog, pd.Index]:
    """Return records of two campaigns: all arms by lot, then a call for some."""
    rng = np.random.default_rng(5)
    who = np.arange(N)
    starts = np.array([pd.Timestamp("2024-04-01"), pd.Timestamp("2024-06-01")])
    first = rng.choice(["control", "call", "gift"], N, p=[0.4, 0.3, 0.3])
    planned = who % 3 == 0
    second = np.where(rng.uniform(size=N) < 0.5, "control", "call")
    tables: list[pd.DataFrame] = []
    for name, arm, day, rows in (
        ("one", first, starts[0], who),
        ("two: call", second, starts[1], who[planned]),
    ):
        mine = arm[rows]
        chance = np.where(mine == "control", 0.4, 0.3) if name == "one" else np.full(len(rows), 0.5)
        if odd and name == "one":  # half of them had other chances
            chance = np.where(rows % 2 == 0, chance, np.where(mine == "control", 0.4000001, chance))
        tables.append(
            pd.DataFrame(
                {"customer_id": rows, "timestamp": day, "campaign": name, "arm": mine, "propensity": chance,
                 "randomised": True, "offer": np.where(mine == "control", None, mine)}
            )
        )  # fmt: skip
    bought = [
        pd.DataFrame(
            {"customer_id": who, "day": starts[0] - pd.Timedelta(days=n), "margin": rng.gamma(4.0, 5.0, N)}
        )
        for n in range(10, 90, 10)
    ]
    extra = np.select([first == "call", first == "gift"], [CALL, GIFT], 0.0)
    more = np.where(planned & (second == "call"), CALL, 0.0)
    for day, gained in zip(starts, (extra, more), strict=True):
        margin = rng.gamma(4.0, 5.0, N) + gained
        bought.append(
            pd.DataFrame({"customer_id": who, "day": day + pd.Timedelta(days=10), "margin": margin})
        )
    orders = pd.concat(bought, ignore_index=True)
    orders = orders.assign(timestamp=orders["day"], amount=orders["margin"] / 0.4).drop(columns="day")
    log = CustomerLog(transactions=orders, contacts=pd.concat(tables), observed_until=date(2024, 7, 15))
    return log, pd.Index(who, name="customer_id")


def learned(log: CustomerLog, customers: pd.Index, offers: list[Offer]) -> Uplift:
    """Learn effects of the customers as of the last day."""
    scores = Scores(pd.DataFrame(index=customers), date(2024, 7, 15), HORIZON, {}, "scores")
    worth = pd.Series(10.0, customers)
    return uplift_of(log, scores, offers, DecideSettings(margin=0.4), worth, seed=0, tell=lambda _: None)


def test_an_average_is_spread_by_what_customers_are_expected_to_bring() -> None:
    """Nothing told who gains more; but who is gone gains nothing, and nobody carries the average alone."""
    worth = pd.Series([0.0, 5.0, 10.0, 20.0] * 5 + [9_000.0])
    effects = pd.DataFrame({"flat": 2.0, "learned": np.linspace(0.0, 4.0, 21)})
    found = spread_by_worth(Uplift(effects, effects * 0.0 + 0.5, ("learned.",)), worth)
    assert found.effects is not None
    assert found.errors is not None
    flat = found.effects["flat"]
    assert flat.mean() == pytest.approx(2.0)
    assert flat[0] == 0.0
    assert flat[20] == flat[3] == pytest.approx(2.0 * flat[2])
    np.testing.assert_allclose(found.errors["flat"], 0.25 * flat)
    pd.testing.assert_series_equal(found.effects["learned"], effects["learned"])
    assert "average effect of flat is spread" in found.told[-1]


def test_each_offer_is_learned_from_its_own_campaigns() -> None:
    """In a campaign of one offer nobody could have had another: it must tell nothing of that."""
    log, customers = trial_log()
    offers = [Offer(name, uplift=Amount(1.0, 1.0)) for name in ("new", "call", "gift")]
    found = learned(log, customers, offers)
    assert found.effects is not None
    assert found.errors is not None
    # An offer that was never made does not keep others from being learned.
    assert list(found.effects) == ["call", "gift"]
    assert found.effects["gift"].mean() == pytest.approx(GIFT, abs=3.0 * found.errors["gift"].mean())
    assert found.effects["call"].mean() == pytest.approx(CALL, abs=3.0 * found.errors["call"].mean())
    assert (found.errors > 0.0).all(axis=None)
    told = " ".join(found.told)
    # Nobody gains more by either than others do.
    assert "all are told the average effect (risk, DR, X were tried)" in told
    assert "customers who are predicted alike" in told
    assert (
        f"effect of gift was learned from {int((contacts(log, 'one')['arm'] != 'call').sum()):,} contacts"
        in told
    )


def contacts(log: CustomerLog, campaign: str) -> pd.DataFrame:
    """Return the contacts of a campaign."""
    return log.engine.frame("SELECT * FROM contacts WHERE campaign = $name", {"name": campaign})


def test_where_chances_differ_all_arms_are_kept() -> None:
    log, customers = trial_log(odd=True)
    found = learned(log, customers, [Offer("gift", uplift=Amount(1.0, 1.0))])
    assert found.effects is not None
    assert found.effects.index.equals(customers)
    assert f"learned from {N:,} contacts" in " ".join(found.told)
    assert found.effects["gift"].mean() == pytest.approx(GIFT, abs=1.5)


def test_too_few_customers_teach_nothing_and_that_is_said() -> None:
    log, customers = trial_log()
    few = CustomerLog(
        transactions=log.engine.frame("SELECT customer_id, timestamp, amount, margin FROM transactions"),
        contacts=contacts(log, "one").drop(columns="day").iloc[:300],
        observed_until=date(2024, 7, 15),
    )
    found = learned(few, customers, [Offer("gift", uplift=Amount(1.0, 1.0))])
    assert found.effects is None
    assert found.told[0].startswith("No offer has 200 customers")


def test_the_learner_is_chosen_and_beyond_some_rows_taken_unasked() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"inactivity": rng.uniform(size=1_000)})
    arm = rng.choice(["control", "call"], 1_000)
    margin = rng.gamma(4.0, 1.0, 1_000) + 8.0 * X["inactivity"].to_numpy() * (arm == "call")
    asked = (X, margin, arm, np.full(1_000, 0.5), np.arange(1_000))
    chosen, taken = (fit_chosen(*asked, random_state=0, n_most=most) for most in (1_000, 999))
    assert f"The {chosen.model.learner} learner was chosen among average, risk, DR, X" in chosen.told
    assert chosen.model.learner != "average"
    assert chosen.model.predict(X)["call"].corr(X["inactivity"]) > 0.8
    assert taken.model.learner == "DR"
    assert "up to 999 rows" in taken.told


OFFERS = """
[decide]
margin = 0.4
budget = 700.0
holdout = 0.4
opt_out_events = ["unsubscribe"]

[[offers]]
name = "proactive support"
kind = "proactive_support"
channel = "phone"
cost = 1.5
cost_if_accepted = 2.0
acceptance = { share = 0.5, worth = 50 }
uplift = { mean = 4.0, sd = 3.0 }
capacity = 300

[[offers]]
name = "bonus points"
kind = "points"
channel = "app"
cost = 0.1
cost_if_accepted = 2.5
acceptance = { share = 0.5, worth = 50 }
uplift = { mean = 2.5, sd = 3.0 }
"""


def recorded(business: SimulatedBusiness, folder: Path) -> None:
    """Write what the shop records, and who does not want to hear from it."""
    (folder / "data").mkdir(exist_ok=True)
    for kind in ("transactions", "contacts"):
        if kind in business.frames:
            business.frames[kind].to_csv(folder / "data" / f"{kind}.csv", index=False)
    customers = business.frames["customers"].copy()
    customers["contactable"] = customers["customer_id"] % 10 != 0
    customers.to_csv(folder / "data" / "customers.csv", index=False)


@pytest.mark.slow
def test_the_loop_through_files(tmp_path: Path, command: Callable[..., Any], mlflow_home: Path) -> None:
    """Decide, contact, measure, decide again: what was measured is what the second round begins with."""
    params = BusinessParams(contacts_per_day=0.0)
    business = simulate_business(
        n_customers=1_500, days_observed=380, with_contracts=False, params=params, random_state=3
    )
    business = business.carry_on(days=61, treatments=first_contacts(business))
    recorded(business, tmp_path)
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").write_bytes(mlflow_home.read_bytes())
    run(command, tmp_path, "init", "data")
    horizon = 60
    settings = tmp_path / "habitue.toml"
    lines = settings.read_text(encoding="utf-8").splitlines()
    settings.write_text(
        "\n".join(f"horizon = {horizon}" if line.startswith("horizon = ") else line for line in lines) + "\n",
        encoding="utf-8",
    )
    for recipe in (tmp_path / "models" / "churn.toml", tmp_path / "models" / "clv.toml"):
        text = recipe.read_text(encoding="utf-8").replace(
            "n_estimators = 500", "n_estimators = 20, n_jobs = 1"
        )
        recipe.write_text(text.replace("200", "20"), encoding="utf-8")
        run(command, tmp_path, "train", recipe)
    (tmp_path / "offers.toml").write_text(OFFERS, encoding="utf-8")
    run(command, tmp_path, "score")
    run(command, tmp_path, "decide", "--round", "one", "--seed", "1")
    first = told(tmp_path, "one")
    assert first["measured"] == {}
    assert sum("was learned from" in sentence for sentence in first["uplift"]) == 2
    drawn = pd.read_parquet(tmp_path / "actions" / "one" / "assignments.parquet")
    assert not (drawn["customer_id"].astype(int) % 10 == 0).any()
    control = drawn["arm"] == "control"
    assert control.mean() == pytest.approx(drawn.loc[control, "propensity"].mean(), abs=0.08)

    # What was drawn is done, and a horizon later it is on record.
    made = drawn.drop(columns=["responded_at", "cost"]).assign(customer_id=drawn["customer_id"].astype(int))
    business = business.carry_on(days=horizon + 1, treatments=made)
    recorded(business, tmp_path)
    run(command, tmp_path, "score")
    run(command, tmp_path, "measure", "readout", "actions/one/assignments.parquet")
    measured = tmp_path / "measure" / "measured.json"
    run(command, tmp_path, "decide", "--round", "two", "--seed", "1")
    second = told(tmp_path, "two")

    effects = [MeasuredEffect.from_dict(one) for one in json.loads(measured.read_text())["effects"]]
    together = {one.offer: one for one in combine_rounds(effects) if one.metric == "margin"}
    assert set(together) == {*drawn["offer"].dropna()}
    begun = {one["name"]: one for one in first["offers"]}
    for one in second["offers"]:
        round_one = together.get(one["name"])
        if round_one is None:
            assert one == begun[one["name"]]
            continue
        assert one["measured"]["weighted"] == pytest.approx(round_one.effect / round_one.se**2)
        assert one["measured"]["precision"] == pytest.approx(round_one.se**-2)
        assert second["measured"][one["name"]]["rounds"] == 1
        assert round_one.n_offered == (drawn["arm"] == one["name"]).sum()


def first_contacts(business: SimulatedBusiness) -> pd.DataFrame:
    """Return contacts that were drawn for everybody, before anything was known."""
    arms = {"control": 0.4, "proactive support": 0.3, "bonus points": 0.3}
    drawn = assign(business.truth.index.tolist(), experiment="start", arms=arms)
    day = pd.Timestamp(business.observed_until + timedelta(days=1))
    return drawn.assign(timestamp=day, campaign="start", offer=drawn["arm"].where(drawn["arm"] != "control"))


def run(command: Callable[..., Any], folder: Path, *arguments: object) -> None:
    """Run a command that has to succeed."""
    done = command(folder, *arguments)
    assert done.code == 0, f"{arguments}: {done.out} {done.err}"


def told(folder: Path, name: str) -> dict[str, Any]:
    """Return what a round says of itself."""
    return json.loads((folder / "actions" / name / "decision.json").read_text(encoding="utf-8"))
