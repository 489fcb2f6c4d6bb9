"""What `habitue scorecard`, `decide` and `measure` say of records that are not as they should be."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.cli import ALARMS, EXIT_CODES
from habitue.errors import DataError, SettingsError
from habitue.pipelines.settings import read_settings

DATA, SETTINGS = EXIT_CODES[DataError], EXIT_CODES[SettingsError]
Command = Callable[..., Any]

OFFER = """
[decide]
margin = 0.4
holdout = 0.1

[[offers]]
name = "call"
kind = "feedback_call"
channel = "phone"
cost = {cost}
acceptance = {{ share = 0.5, worth = 40 }}
saves = {{ share = 0.5, worth = 20 }}
"""


@pytest.fixture
def scored(shop: Path, tmp_path: Path) -> Path:
    """A folder of one's own with records, settings and the scores of both champions."""
    for name in ("transactions.csv", "habitue.toml"):
        shutil.copy(shop / name, tmp_path / name)
    shutil.copytree(shop / "scores", tmp_path / "scores")
    (tmp_path / "offers.toml").write_text(OFFER.format(cost=0.01), encoding="utf-8")
    return tmp_path


def customers_of(folder: Path) -> pd.Series:
    return pd.read_csv(folder / "transactions.csv")["customer_id"].drop_duplicates().reset_index(drop=True)


def also(folder: Path, kind: str, table: pd.DataFrame) -> None:
    """Add records of a kind, all columns by their own names."""
    table.to_csv(folder / f"{kind}.csv", index=False)
    named = "".join(f'{name} = "{name}"\n' for name in table.columns)
    settings = folder / "habitue.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f'{text}\n[records.{kind}]\nsource = "{kind}.csv"\n{named}', encoding="utf-8")


def drawn(folder: Path, **changed: Any) -> pd.DataFrame:
    """Contacts by lot on a day whose horizon is known."""
    who = customers_of(folder)
    is_control = np.arange(len(who)) % 2 == 0
    table = pd.DataFrame(
        {
            "customer_id": who,
            "timestamp": "2023-10-01",
            "campaign": "autumn",
            "offer": np.where(is_control, "", "call"),
            "arm": np.where(is_control, "control", "call"),
            "propensity": 0.5,
            "randomised": True,
        }
    )
    return table.assign(**changed)


# --- decide


def test_a_plan_is_told_with_what_comes_next(scored: Path, command: Command) -> None:
    told = command(scored, "decide", "--round", "one")
    assert told.code == 0, told.err
    assert "The contacts are expected to gain" in told.out
    (path,) = re.findall(r"habitue measure readout (\S+)", told.out)
    early = command(scored, "measure", "readout", path)
    assert early.code == DATA
    assert "No outcome is known yet" in early.err


def test_offers_that_lose_money_are_made_to_nobody(scored: Path, command: Command) -> None:
    (scored / "offers.toml").write_text(OFFER.format(cost=1e6), encoding="utf-8")
    told = command(scored, "decide")
    assert told.code == 0, told.err
    assert "Nobody is planned to get an offer" in told.out
    assert "Once the records reach" not in told.out
    facts = json.loads(next(scored.rglob("decision.json")).read_text(encoding="utf-8"))
    assert (facts["customers"]["treated"], facts["spent"], facts["expected_gain"]) == (0, 0.0, 0.0)
    actions = pd.read_csv(next(scored.rglob("actions.csv")))
    assert (len(actions), actions.columns[0]) == (0, "customer_id")
    nothing = command(scored, "measure", "readout", str(next(scored.rglob("assignments.parquet"))))
    assert (nothing.code, "is empty" in nothing.err) == (DATA, True)


def test_a_budget_of_nothing_is_told(scored: Path, command: Command) -> None:
    told = command(scored, "decide", "--budget", "0")
    assert told.code == 0, told.err
    assert "the budget of 0.00" in told.out


def test_what_was_measured_is_read_where_it_is_written(scored: Path, command: Command) -> None:
    also(scored, "contacts", drawn(scored))
    read = command(scored, "measure", "readout", "--metric", "retained")
    assert read.code in {0, ALARMS}, read.err
    assert (scored / "measure" / "measured.json").is_file()
    decided = command(scored, "decide", "--no-uplift", "--json")
    assert decided.code == 0, decided.err
    assert json.loads(decided.out)["measured"]["call"]["rounds"] == 1


def test_scores_without_a_value_are_not_enough(scored: Path, command: Command) -> None:
    (scored / "scores" / "scores.parquet").unlink()
    for left in (scored / "scores").iterdir():
        left.unlink()
    told = command(scored, "decide")
    assert told.code == DATA
    assert "habitue score" in told.err


def test_contracts_alone_need_no_clv(tmp_path: Path, command: Command) -> None:
    (tmp_path / "offers.toml").write_text(OFFER.format(cost=1.0), encoding="utf-8")
    begun = pd.DataFrame(
        {"customer_id": range(50), "started_at": "2024-01-01", "ended_at": "", "price": 9.0}
    ).assign(ended_at=lambda table: np.where(table["customer_id"] % 5 == 0, "2024-06-01", ""))
    begun.to_csv(tmp_path / "subscriptions.csv", index=False)
    assert command(tmp_path, "init", "--contracts", "subscriptions.csv").code == 0
    told = command(tmp_path, "decide")
    assert told.code == DATA
    assert "no whole scores in scores/scores.parquet with churn_probability; make them" in told.err


# --- consent


def test_nobody_consented(scored: Path, command: Command) -> None:
    also(scored, "customers", pd.DataFrame({"customer_id": customers_of(scored), "consent": "no"}))
    drawing = ["measure", "assign", "x", "--arm", "control=0.5", "--arm", "a=0.5"]
    for arguments in (["scorecard"], ["decide"], ["measure", "design"], drawing):
        told = command(scored, *arguments)
        assert told.code == DATA, (arguments, told.out)
        assert "has consented" in told.err


def test_nobody_may_be_contacted(scored: Path, command: Command) -> None:
    also(scored, "customers", pd.DataFrame({"customer_id": customers_of(scored), "contactable": "no"}))
    decided = command(scored, "decide")
    assert decided.code == 0, decided.err
    assert "Nobody is planned to get an offer" in decided.out
    assert "300 are never contacted" in decided.out
    drawn_by = command(scored, "measure", "assign", "x", "--arm", "control=0.5", "--arm", "a=0.5")
    assert drawn_by.code == DATA
    assert "must not be contacted" in drawn_by.err


def test_experiments_know_only_who_consented_and_may_be_contacted(scored: Path, command: Command) -> None:
    who = customers_of(scored)
    place = np.arange(len(who))
    said = pd.DataFrame({"customer_id": who})
    said["consent"] = np.where(place % 3 == 0, "no", "yes")
    said["contactable"] = np.where(place % 5 == 0, "no", "yes")
    also(scored, "customers", said)
    shares = ("--arm", "control=0.5", "--arm", "call=0.5")
    told = command(scored, "measure", "assign", "spring", *shares, "--day", "2023-10-01")
    assert told.code == 0, told.err
    assigned = set(pd.read_csv(scored / "assignments.csv")["customer_id"])
    first = pd.read_csv(scored / "transactions.csv").groupby("customer_id")["order_date"].min()
    known = said.set_index("customer_id").loc[first.index[first <= "2023-10-01"]]
    assert assigned == set(known.index[(known["consent"] == "yes") & (known["contactable"] == "yes")])
    everybody = drawn(scored)
    everybody.to_csv(scored / "list.csv", index=False)
    read = command(scored, "measure", "readout", "list.csv", "--json")
    assert read.code in {0, ALARMS}, read.err
    n = {row["n"] + row["n_control"] for row in json.loads(read.out)["experiments"][0]["effects"]}
    assert n == {int((known["consent"] == "yes").sum())}


# --- trials that are none


@pytest.mark.parametrize(
    ("changed", "code", "sentence"),
    [
        ({"arm": "call"}, DATA, "needs customers in the arm 'control'"),
        ({"randomised": False}, DATA, "no contacts drawn at random"),
        ({"propensity": 0.0}, DATA, "above 0 and up to 1"),
        ({"timestamp": "2024-05-01"}, DATA, "autumn: No outcome is known yet"),
    ],
)
def test_contacts_that_are_no_trial(
    scored: Path, command: Command, changed: dict[str, Any], code: int, sentence: str
) -> None:
    also(scored, "contacts", drawn(scored, **changed))
    told = command(scored, "measure", "readout")
    assert told.code == code, told.out
    assert sentence in " ".join(told.err.split())
    decided = command(scored, "decide")  # goes on with what is assumed, and says why
    assert decided.code == 0, decided.err
    assert "learned" in decided.out or "No offer has 200" in decided.out


def test_a_campaign_that_runs_still_does_not_hide_those_that_are_over(scored: Path, command: Command) -> None:
    late = drawn(scored, timestamp="2024-05-01", campaign="spring")
    also(scored, "contacts", pd.concat([drawn(scored), late]))
    told = command(scored, "measure", "readout", "--metric", "retained")
    assert told.code in {0, ALARMS}, told.err
    assert "left out: spring: No outcome is known yet" in told.out
    assert command(scored, "measure", "readout", "--campaign", "spring").code == DATA


# --- scorecard


def test_answers_off_the_scale(scored: Path, command: Command) -> None:
    who = customers_of(scored)
    answers = pd.DataFrame({"customer_id": who, "timestamp": "2024-02-01", "survey": "nps", "score": 9})
    answers.loc[0, "score"] = 99
    also(scored, "feedback", answers)
    told = command(scored, "scorecard")
    assert told.code == DATA
    assert "99" in told.err
    assert "leave_out" in told.err
    kept = command(scored, "scorecard", "--off-scale", "leave_out")
    assert kept.code == 0, kept.err
    assert re.search(r"nps +100\.0 ", kept.out)


# --- init


def test_init_writes_offers_once_and_the_currency(tmp_path: Path, command: Command) -> None:
    days = pd.date_range("2024-01-01", periods=60).astype(str)
    orders = pd.DataFrame({"customer_id": [1, 2, 3] * 20, "date": days, "amount": 5.0, "currency": "EUR"})
    orders.to_csv(tmp_path / "orders.csv", index=False)
    told = command(tmp_path, "init", "orders.csv")
    assert told.code == 0, told.err
    assert "offers.toml" in told.out
    assert read_settings(tmp_path / "habitue.toml").money == "EUR"
    (tmp_path / "offers.toml").write_text("mine", encoding="utf-8")
    assert command(tmp_path, "init", "orders.csv", "--force").code == 0
    assert (tmp_path / "offers.toml").read_text(encoding="utf-8") == "mine"
    orders.assign(currency=["EUR", "USD"] * 30).to_csv(tmp_path / "orders.csv", index=False)
    both = command(tmp_path, "init", "orders.csv", "--force")
    if both.code == 0:
        assert read_settings(tmp_path / "habitue.toml").money == ""


@pytest.mark.parametrize("kind", ["orders", "subscriptions"])
def test_commented_tables_of_the_settings_are_real(tmp_path: Path, command: Command, kind: str) -> None:
    days = pd.date_range("2024-01-01", periods=60).astype(str)
    table = pd.DataFrame({"customer_id": range(60), "started_at": days, "ended_at": "", "price": 5.0})
    if kind == "orders":
        table = pd.DataFrame({"customer_id": range(60), "date": days, "amount": 5.0})
    table.to_csv(tmp_path / f"{kind}.csv", index=False)
    assert command(tmp_path, "init", f"{kind}.csv").code == 0
    path = tmp_path / "habitue.toml"
    text = path.read_text(encoding="utf-8")
    begin = text.index("# [scorecard]")
    shown = re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", text[begin:])
    path.write_text(text[:begin] + shown, encoding="utf-8")
    found = read_settings(path)
    assert found.scorecard.off_scale == "leave_out"
    assert len(found.targets) == 1
