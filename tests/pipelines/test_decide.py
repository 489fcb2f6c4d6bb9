"""`habitue decide`: plans within limits, nobody who opted out, and rounds that are whole or not there."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue.cli.commands_decide  # noqa: F401 - registers the command
import habitue.pipelines.deciding.files as files
from habitue.errors import DataError, HabitueWarning, SchemaError, SettingsError
from habitue.pipelines.deciding.decide import Decision, decide
from habitue.pipelines.deciding.files import there_already, write_decision, write_table
from habitue.pipelines.deciding.inputs import Scores
from habitue.pipelines.deciding.parts import Round
from habitue.pipelines.offers import Offers, read_offers
from habitue.records import CustomerLog

CUTOFF = date(2024, 6, 30)
N = 1_500

OFFERS = """
[decide]
margin = 0.4
budget = 900.0
protected = ["sex"]
consent = "agrees"
opt_out = "do_not_contact"
fatigue = [{ at_most = 1, days = 30 }]
channels = { phone = 120 }

[[decide.fairness]]
attribute = "sex"
at_least_ratio = 0.8

[[offers]]
name = "care call"
kind = "proactive_support"
channel = "phone"
cost = 4.0
acceptance = { share = 0.5, worth = 40 }
saves = { share = 0.5, worth = 20 }
eligible = "churn_probability > 0.2 and frequency >= 0"
said = "We ask what went wrong."

[[offers]]
name = "surprise"
kind = "surprise_gift"
channel = "post"
cost = 2.0
acceptance = { share = 0.9, worth = 40 }
saves = { share = 0.2, worth = 20 }
capacity = 150
"""


def ids(numbers: Any) -> list[str]:
    """Return names of customers, some of them with hostile signs."""
    hostile = {3: "=HYPERLINK(0)", 4: "+43 1", 5: "-cmd|calc", 6: "@SUM", 7: 'Zoë, "Żółć"', 8: "日本\n語"}
    return [hostile.get(int(number), f"c{int(number):05d}") for number in numbers]


@pytest.fixture(scope="module")
def log() -> CustomerLog:
    """Return records of customers of whom some opted out, some refused and some were contacted lately."""
    rng = np.random.default_rng(0)
    who = np.arange(N)
    names = ids(who)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 180, N), unit="D")
    return CustomerLog(
        transactions=pd.DataFrame({"customer_id": names, "timestamp": days, "amount": 20.0}),
        events=pd.DataFrame(
            {
                "customer_id": ids(range(100, 160)),
                "timestamp": pd.Timestamp("2024-03-01"),
                "event": ["Unsubscribe"] * 30 + ["visit"] * 30,
            }
        ),
        contacts=pd.DataFrame(
            {
                "customer_id": ids(range(200, 260)),
                "timestamp": [pd.Timestamp("2024-06-20")] * 60,
                "campaign": "june",
                "arm": ["call"] * 30 + ["control"] * 30,
            }
        ),
        customers=pd.DataFrame(
            {
                "customer_id": names,
                "sex": np.where(who % 3 == 0, "f", "m"),
                "agrees": [None if n == 301 else n != 300 for n in who],
                "do_not_contact": np.isin(who, [302, 303]),
                "contactable": [n != 304 for n in who],
            }
        ),
        observed_until=CUTOFF,
    )


@pytest.fixture(scope="module")
def scores() -> Scores:
    """Return scores of all of them; those who must not be contacted would gain most."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"churn_probability": rng.beta(2.0, 3.0, N), "clv": rng.lognormal(5.0, 0.7, N)},
        index=pd.Index(ids(range(N)), name="customer_id"),
    )
    frame["clv_lower"], frame["clv_upper"] = frame["clv"] * 0.5, frame["clv"] * 1.6
    frame["reason_1"] = "last bought 94 days ago (raises it)"
    frame["reason_2"] = "sex is f (raises it)"
    frame["reason_3"] = "rated 2 on average (lowers it)"
    frame.iloc[[*range(100, 130), *range(200, 230), *range(300, 305)], :2] = [0.6, 5_000.0]
    return Scores(frame, CUTOFF, 91, {}, "scores")


@pytest.fixture(scope="module")
def offers(tmp_path_factory: pytest.TempPathFactory) -> Offers:
    """Return two offers with all kinds of limits."""
    path = tmp_path_factory.mktemp("offers") / "offers.toml"
    path.write_text(OFFERS, encoding="utf-8")
    return read_offers(path)


def asked(**changed: Any) -> Round:
    """Return a round."""
    return Round(**({"name": "july", "day": CUTOFF + timedelta(days=1)} | changed))


@pytest.fixture(scope="module")
def decision(log: CustomerLog, scores: Scores, offers: Offers) -> Decision:
    """Return the round decided."""
    return decide(log, scores, offers, asked())


NEVER = {*ids(range(100, 130)), *ids(range(300, 305))}
TIRED = set(ids(range(200, 230)))


def test_who_opted_out_is_on_no_list(decision: Decision) -> None:
    for table in (decision.actions, decision.assignments, decision.plan.frame()):
        assert not NEVER & set(table["customer_id"])
        assert not TIRED & set(table["customer_id"])
    assert decision.facts["customers"]["never_contacted"] == len(NEVER)
    # Of the control arm of june nobody was contacted: they may be on it.
    assert decision.facts["customers"]["eligible"] == N - len(NEVER) - len(TIRED)


def test_the_plan_keeps_the_limits_and_beats_other_ways_to_choose(decision: Decision) -> None:
    limits = decision.plan.limits
    assert limits.loc["budget", "used"] <= 900.0
    assert (decision.plan.frame()["offer"] == "care call").sum() <= 120
    assert (decision.plan.frame()["offer"] == "surprise").sum() <= 150
    profit = {one["policy"]: one["profit"] for one in decision.facts["policies"]}
    assert profit["chosen"] > max(profit["random"], profit["none"], profit["by churn risk"])
    assert decision.facts["sensitivity"][0]["swing"] > 0
    assert {one["offer"] for one in decision.facts["experiments"]} == {"care call", "surprise"}


def test_the_action_list_says_what_a_person_needs_and_no_more(decision: Decision) -> None:
    actions = decision.actions
    assert list(actions["expected_gain"]) == sorted(actions["expected_gain"], reverse=True)
    assert (actions["gain_lower"] <= actions["expected_gain"]).all()
    assert (actions["gain_upper"] >= actions["expected_gain"]).all()
    assert actions["reason"].str.startswith("last bought 94 days ago: expected to gain").all()
    assert not actions["reason"].str.contains("sex|rated").any()
    assert actions["what_not_to_say"].str.contains("Do not refer to sex.", regex=False).all()
    assert (actions["arm"] == actions["offer"]).all()
    assert (actions["valid_until"] == CUTOFF + timedelta(days=15)).all()


def test_assignments_are_records_of_contacts(decision: Decision, log: CustomerLog, scores: Scores) -> None:
    drawn = decision.assignments
    control = drawn["arm"] == "control"
    assert 0.05 < control.mean() < 0.6
    assert drawn["propensity"].between(0.0, 1.0, inclusive="right").all()
    assert (drawn.loc[control, "cost"] == 0.0).all()
    assert drawn.loc[control, "offer"].isna().all()
    assert set(drawn["campaign"]) == {"july: care call", "july: surprise"}
    again = CustomerLog(
        transactions=pd.DataFrame(
            {"customer_id": scores.frame.index, "timestamp": pd.Timestamp("2024-01-01"), "amount": 1.0}
        ),
        contacts=drawn,
    )
    assert again.checks["contacts"].n_quarantined == 0
    assert again.checks["contacts"].n_rows == len(drawn)


def test_the_same_round_is_the_same_and_another_one_is_not(
    decision: Decision, log: CustomerLog, scores: Scores, offers: Offers
) -> None:
    turned = Scores(scores.frame.iloc[::-1], CUTOFF, 91, {}, "scores")
    again = decide(log, turned, offers, asked())
    pd.testing.assert_frame_equal(again.actions, decision.actions)
    other = decide(log, scores, offers, asked(name="august"))
    assert set(other.actions["customer_id"]) != set(decision.actions["customer_id"])
    assert set(other.assignments["customer_id"]) == set(decision.assignments["customer_id"])


def test_a_budget_of_nothing_treats_nobody_and_says_so(
    log: CustomerLog, scores: Scores, offers: Offers, tmp_path: Path
) -> None:
    none = decide(log, scores, offers, asked(budget=0.0))
    assert none.actions.empty
    assert none.assignments.empty
    assert "budget of 0.00" in " ".join(none.facts["sentences"])
    write_decision(none, tmp_path / "july", inputs={})
    assert (tmp_path / "july" / "actions.csv").read_text(encoding="utf-8").count("\n") == 1


def test_no_holdout_is_told(log: CustomerLog, scores: Scores, offers: Offers) -> None:
    whole = decide(log, scores, offers, asked(holdout=0.0))
    assert (whole.assignments["arm"] != "control").all()
    assert any("Nobody is held out" in sentence for sentence in whole.facts["sentences"])


def test_a_csv_file_holds_no_formula_and_reads_back(tmp_path: Path) -> None:
    hostile = [
        "=1+1",
        "+1 a",
        "-1 a",
        "@x",
        "\t=1",
        "\r=1",
        "＝1",
        "a\nb",
        'say "hi", then',
        "Zoë",
        "\x1b[31mred",
    ]
    frame = pd.DataFrame({"customer_id": hostile, "gain": np.linspace(-1.0, 1.0, len(hostile))})
    path = write_table(frame, tmp_path / "actions.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["customer_id", "gain"]
    assert len(rows) == len(hostile) + 1
    for text, (cell, gain) in zip(hostile, rows[1:], strict=True):
        assert cell[:1] not in "=+-@\t\r＝＋－＠" or not cell
        assert "\x1b" not in cell
        assert cell.lstrip("'").replace("\x1b", "") == text.replace("\x1b", "")
        assert float(gain) == pytest.approx(float(frame["gain"][hostile.index(text)]))


def test_a_round_is_written_whole_once(
    decision: Decision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "july"
    (tmp_path / ".july.999999999.part").mkdir()
    told = write_decision(decision, folder, inputs={"a": 1})
    assert sorted(path.name for path in tmp_path.iterdir() if "july" in path.name) == ["july"]
    assert there_already(folder, {"a": 1}) == told
    assert there_already(folder, {"a": 2}) is None
    with pytest.raises(SettingsError, match="name another round"):
        write_decision(decision, folder, inputs={"a": 2})
    replaced = write_decision(decision, folder, inputs={"a": 2}, replace=True, format="parquet")
    assert set(replaced["files"]) == {"actions.parquet", "assignments.parquet"}
    assert sorted(path.name for path in folder.iterdir()) == [
        "actions.parquet", "assignments.parquet", "decision.json",
    ]  # fmt: skip
    (folder / "actions.parquet").write_bytes(b"")
    assert there_already(folder, {"a": 2}) is None

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_take_place", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_decision(decision, tmp_path / "august", inputs={})
    assert [path.name for path in tmp_path.iterdir() if "august" in path.name] == []


def test_a_run_killed_while_it_replaced_a_round_leaves_the_old_one(
    decision: Decision, tmp_path: Path
) -> None:
    folder = tmp_path / "july"
    write_decision(decision, folder, inputs={"a": 1})
    folder.rename(tmp_path / ".july.999999999.old")
    with pytest.raises(SettingsError, match="name another round"):
        write_decision(decision, folder, inputs={"a": 2})
    assert there_already(folder, {"a": 1}) is not None


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "x" * 200])
def test_names_that_are_no_folder_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="A round is named"):
        files.folder_of(Path(), name)


def test_what_does_not_fit_together_is_refused(
    log: CustomerLog, scores: Scores, offers: Offers, tmp_path: Path
) -> None:
    strange = Scores(scores.frame.rename(index={"c00010": "nobody"}), CUTOFF, 91, {}, "scores")
    with pytest.raises(SchemaError, match="not in the records, the first is nobody"):
        decide(log, strange, offers, asked())
    for old, new, message in (
        ('consent = "agrees"', 'consent = "consents"', "column 'consents'"),
        ('attribute = "sex"', 'attribute = "gender"', "attribute 'gender'"),
    ):
        path = tmp_path / "wrong.toml"
        path.write_text(OFFERS.replace(old, new), encoding="utf-8")
        with pytest.raises(SettingsError, match=message):
            decide(log, scores, read_offers(path), asked())
    frame = scores.frame
    twice = pd.concat([frame, frame.iloc[[3]]])
    for wrong, message in (
        (frame.drop(columns="clv"), "clv"),
        (frame.assign(churn_probability=frame["churn_probability"].where(frame["clv"] > 60)), "have none"),
        (twice, "has several"),
    ):
        with pytest.raises(DataError, match=message):
            decide(log, Scores(wrong, CUTOFF, 91, {}, "scores"), offers, asked())
    with pytest.raises(SettingsError, match="after the cutoff"):
        decide(log, scores, offers, asked(day=CUTOFF - timedelta(days=1)))


def test_who_refused_after_the_cutoff_is_on_no_list(offers: Offers, scores: Scores) -> None:
    names = ids(range(N))
    early = date(2024, 5, 31)
    customers = pd.DataFrame({"customer_id": names, "recorded_at": pd.Timestamp("2024-01-01")})
    customers = customers.assign(sex="f", agrees=True, do_not_contact=False, contactable=True)
    later = customers.iloc[200:210].assign(recorded_at=pd.Timestamp("2024-06-15"), contactable=False)
    log = CustomerLog(
        transactions=pd.DataFrame(
            {"customer_id": names, "timestamp": pd.Timestamp("2024-02-01"), "amount": 20.0}
        ),
        events=pd.DataFrame(
            {"customer_id": names[210:220], "timestamp": pd.Timestamp("2024-06-20"), "event": "opt_out"}
        ),
        customers=pd.concat([customers, later]),
        observed_until=CUTOFF,
    )
    done = decide(log, Scores(scores.frame, early, 91, {}, "scores"), offers, asked())
    assert done.facts["customers"]["never_contacted"] == 20
    assert not set(names[200:220]) & set(done.assignments["customer_id"])


def log_of(scores: Scores, **said: Any) -> CustomerLog:
    """Return records of the scored customers, and what they said."""
    names = scores.frame.index
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)  # of answers that cannot be read, which is the point
        return CustomerLog(
            transactions=pd.DataFrame({"customer_id": names, "timestamp": CUTOFF, "amount": 20.0}),
            customers=pd.DataFrame({"customer_id": names, **said}),
        )


@pytest.mark.parametrize(
    ("column", "setting", "left"),
    [("agrees", 'consent = "agrees"', 900), ("off", 'opt_out = "off"', 900), ("contactable", "", 900)],
)
def test_an_answer_that_is_neither_yes_nor_no_is_no_leave_to_contact(
    scores: Scores, tmp_path: Path, column: str, setting: str, left: int
) -> None:
    path = tmp_path / "offers.toml"
    path.write_text(SIMPLE.replace("margin = 0.4", f"margin = 0.4\n{setting}"), encoding="utf-8")
    words = ("no", "perhaps", "yes") if column == "off" else ("yes", "perhaps", "no")
    place = np.arange(N)
    said = np.select([place % 5 < 2, place % 5 == 2], [words[0], words[1]], words[2])
    done = decide(log_of(scores, **{column: said}), scores, read_offers(path), asked())
    assert done.facts["customers"]["never_contacted"] == left
    assert f"300 answers say neither yes nor no in '{column}'" in done.facts["sentences"][0]
    assert "'perhaps'" in done.facts["sentences"][0]
    nothing = log_of(scores, **{column: np.where(place % 2, "einverstanden", "abgelehnt")})
    with pytest.raises(SettingsError, match=r"such as '(einverstanden|abgelehnt)', '"):
        decide(nothing, scores, read_offers(path), asked())


def test_several_offers_to_a_customer_are_told(scores: Scores, tmp_path: Path) -> None:
    path = tmp_path / "offers.toml"
    offer = SIMPLE[SIMPLE.index("[[offers]]") :]
    text = SIMPLE.replace("budget = 60.0", "max_per_customer = 2") + offer.replace("care call", "gift")
    path.write_text(text, encoding="utf-8")
    done = decide(log_of(scores, sex="f"), scores, read_offers(path), asked())
    n = int((done.plan.taken.sum(axis=1) > 1).sum())
    assert n > N / 2
    assert f"{n:,} customers get several offers" in " ".join(done.facts["sentences"])


SIMPLE = """
[decide]
margin = 0.4
budget = 60.0

[[offers]]
name = "care call"
kind = "proactive_support"
channel = "phone"
cost = 0.5
acceptance = { share = 0.5, worth = 40 }
saves = { share = 0.5, worth = 20 }
"""


def test_the_command_decides_once_and_tells(shop: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "offers.toml").write_text(SIMPLE, encoding="utf-8")
    asked_for = ("decide", tmp_path / "offers.toml", "--output", tmp_path / "actions", "--round", "one")
    tried = command(shop, *asked_for, "--dry-run")
    assert tried.code == 0, tried.err
    assert "Would write" in tried.out
    assert not (tmp_path / "actions").exists()
    written = command(shop, *asked_for, "--json")
    assert written.code == 0, written.err
    answer = json.loads(written.out)
    assert answer["outcome"] == "written"
    before = {path.name: path.read_bytes() for path in (tmp_path / "actions" / "one").iterdir()}
    found = command(shop, *asked_for)
    assert found.code == 0, found.err
    assert "nothing was written" in found.out
    assert {path.name: path.read_bytes() for path in (tmp_path / "actions" / "one").iterdir()} == before
    other = command(shop, *asked_for, "--budget", "10")
    assert other.code == 4
    assert "name another round" in other.err
    replaced = command(shop, *asked_for, "--budget", "10", "--replace")
    assert replaced.code == 0, replaced.err
    assert json.loads((tmp_path / "actions" / "one" / "decision.json").read_text())["spent"] <= 10.0


def test_scores_and_records_of_different_days_are_refused(
    shop: Path, command: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "offers.toml").write_text(SIMPLE, encoding="utf-8")
    told = command(
        shop, "decide", tmp_path / "offers.toml", "--cutoff", "2024-01-31", "--output", tmp_path / "a"
    )
    assert told.code == 3
    assert "--cutoff names 2024-01-31, the newest scores" in told.err
    nothing = command(shop, "decide", tmp_path / "offers.toml", "--scores", tmp_path / "none")
    assert nothing.code == 3
    assert "habitue score" in nothing.err
    assert command(shop, "decide", tmp_path / "missing.toml").code == 4
