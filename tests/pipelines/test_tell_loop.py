"""The page reads what the commands of the loop write today; a file that is wrong is said, none is guessed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import DataError
from habitue.pipelines.deciding.decide import decide
from habitue.pipelines.deciding.files import write_decision
from habitue.pipelines.deciding.inputs import Scores
from habitue.pipelines.deciding.parts import Round
from habitue.pipelines.measuring.assignments import as_assignments, contacts_of
from habitue.pipelines.measuring.measure import read_experiment, write_readouts
from habitue.pipelines.monitoring.monitored import Alarm, Monitored
from habitue.pipelines.offers import read_offers
from habitue.pipelines.scorecard import make_scorecard, write_scorecard
from habitue.pipelines.scorecard_settings import ScorecardSettings
from habitue.pipelines.tell_loop import LoopFiles, gather_loop, newest_decision
from habitue.records.business import simulate_business
from habitue.report import build_facts, render
from habitue.report.facts import DataCheck
from habitue.scorecard.targets import Target
from habitue.tracking import open_store, resolve
from habitue.tracking.monitoring import log_monitoring

CUTOFF = date(2024, 11, 30)

OFFERS = """
[decide]
margin = 0.4
budget = 40.0

[[offers]]
name = "care call"
kind = "proactive_support"
channel = "phone"
cost = 1.0
acceptance = { share = 0.5, worth = 40 }
saves = { share = 0.5, worth = 20 }
said = "We ask what went wrong."
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which a scorecard, a round and a readout were written by what writes them."""
    folder = tmp_path_factory.mktemp("loop")
    log = simulate_business(n_customers=400, random_state=3).log
    known = ScorecardSettings(by=["segment"], min_count=30)
    card = make_scorecard(
        log,
        known,
        [Target("nps", 20.0, date(2025, 3, 31))],
        now=datetime(2025, 1, 2, tzinfo=UTC),
        source="shop",
        start=date(2023, 11, 30),
        end=CUTOFF,
    )
    (folder / "scores").mkdir()
    write_scorecard(card, folder / "scores" / "scorecard.json")
    _decide(log, folder)
    [assigned] = as_assignments(contacts_of(log, ("campaign 2024-06",)), first_counts=True)
    write_readouts([read_experiment(log, assigned, horizon=60)], folder / "measure")
    return folder


def _decide(log: Any, folder: Path) -> None:
    rng = np.random.default_rng(0)
    ids = log.engine.frame("SELECT DISTINCT customer_id FROM customers ORDER BY 1")["customer_id"]
    frame = pd.DataFrame(
        {"churn_probability": rng.beta(2.0, 3.0, len(ids)), "clv": rng.lognormal(4.0, 0.7, len(ids))},
        index=pd.Index(ids, name="customer_id"),
    ).assign(reason_1="last bought 94 days ago (raises it)")
    frame["clv_lower"], frame["clv_upper"] = frame["clv"] * 0.5, frame["clv"] * 1.6
    (folder / "offers.toml").write_text(OFFERS, encoding="utf-8")
    offers = read_offers(folder / "offers.toml")
    for name, later, suffix in (("older", 1, "csv"), ("newest", 8, "csv"), ("other", 2, "parquet")):
        asked = Round(name=name, day=CUTOFF + timedelta(days=later), uplift=False)
        decided = decide(log, Scores(frame, CUTOFF, 42, {}, "scores"), offers, asked)
        given: Any = {"scores": {"batch": "one", "sha256": "a" * 64}}
        (folder / "actions").mkdir(exist_ok=True)
        write_decision(decided, folder / "actions" / name, inputs=given, format=suffix)


def places(folder: Path) -> LoopFiles:
    return LoopFiles(folder / "scores/scorecard.json", folder / "actions", folder / "measure/readout.json")


def test_page_holds_what_the_commands_wrote(written: Path) -> None:
    loop = gather_loop(places(written), cutoff=CUTOFF, scores_sha256="a" * 64)
    card = json.loads((written / "scores/scorecard.json").read_text(encoding="utf-8"))
    everybody = {row["measure"]: row["value"] for row in card["rows"] if row["by"] == "all"}
    assert loop.scorecard is not None
    assert {one.name: one.whole.value for one in loop.scorecard.measures} == everybody
    assert (loop.scorecard.warning, len(loop.scorecard.targets)) == ("", 1)
    assert loop.audit is not None
    assert loop.audit.triangle is not None
    decision = json.loads((written / "actions/newest/decision.json").read_text(encoding="utf-8"))
    assert loop.plan is not None
    assert (loop.plan.name, loop.plan.warning, loop.plan.n_planned) == (
        "newest",
        "",
        decision["customers"]["planned"],
    )
    assert (loop.plan.gain, loop.plan.planned_gain) == (
        decision["contacted"]["gain"],
        decision["expected_gain"],
    )
    listed = pd.read_csv(written / "actions/newest/actions.csv")
    assert len(listed) == decision["contacted"]["n"] == decision["customers"]["treated"]
    assert listed["expected_gain"].sum() == pytest.approx(loop.plan.gain, abs=0.01 * len(listed))
    contacts = pd.read_parquet(written / "actions/newest/assignments.parquet")
    assert contacts["cost"].sum() == pytest.approx(loop.plan.cost)
    assert len(loop.plan.actions) == min(loop.plan.n_actions, 200) > 0
    [curve] = loop.plan.curves
    [best] = decision["best_shares"]
    assert (curve.offer, curve.n, curve.share) == ("care call", best["n"], pytest.approx(best["share"]))
    assert curve.points[-1].n == decision["by_offer"][0]["eligible"]
    [assumed] = loop.plan.assumed
    assert assumed.acceptance is not None
    assert assumed.acceptance.stated == pytest.approx(0.5)
    assert loop.plan.worth_more[0].startswith("Another 100 of budget would earn about")
    readout = json.loads((written / "measure/readout.json").read_text(encoding="utf-8"))["experiments"][0]
    assert loop.proof is not None
    assert [one.effect for one in loop.proof.experiments[0].effects] == [
        row["effect"] for row in readout["effects"]
    ]
    facts = build_facts(
        title="t",
        source="s",
        currency="€",
        cutoff=CUTOFF,
        horizon=42,
        scores=pd.DataFrame({"customer_id": ["a"], "churn_probability": [0.4], "clv": [3.0]}),
        tables={},
        curves={},
        champions=[],
        data_check=DataCheck(1, 1, None, None, 0),
        generated_at=datetime(2025, 1, 2, tzinfo=UTC),
        loop=loop,
    )
    page = render(facts)
    assert "We ask what went wrong." in page
    assert ">nan<" not in page.lower()
    assert "None" not in page.partition('<script type="application/json"')[0]


def test_action_lists_of_both_kinds_are_the_same(written: Path) -> None:
    def actions(name: str) -> Any:
        loop = gather_loop(LoopFiles(decision=written / "actions" / name), cutoff=CUTOFF)
        assert loop.plan is not None
        return {one.customer_id: (one.offer, one.gain, one.reason) for one in loop.plan.actions}

    older, other = actions("older"), actions("other")
    # A lot leaves others alone in each round; who is contacted in both is so for the same.
    both = sorted(older.keys() & other.keys())
    assert len(both) > 5
    assert [older[one] for one in both] == [other[one] for one in both]
    assert {one[0] for one in other.values()} == {"care call"}


def test_newest_round_is_that_of_the_latest_day(written: Path, tmp_path: Path) -> None:
    newest = written / "actions" / "newest" / "decision.json"
    assert newest_decision(written / "actions") == newest
    assert newest_decision(written / "actions" / "newest") == newest
    assert newest_decision(newest) == newest
    assert newest_decision(tmp_path) is None
    assert newest_decision(tmp_path / "nowhere") is None


@pytest.mark.parametrize("folders", [("march", "april"), ("april", "march")])
def test_of_rounds_of_one_day_the_one_decided_last_is_the_newest(
    tmp_path: Path, folders: tuple[str, str]
) -> None:
    for when, folder in enumerate(folders):
        path = tmp_path / folder / "decision.json"
        path.parent.mkdir()
        told = {"round": {"name": folder, "day": "2024-07-01"}, "cutoff": "2024-06-30"}
        path.write_text(json.dumps(told), encoding="utf-8")
        os.utime(path, (when, when))
    assert newest_decision(tmp_path) == tmp_path / folders[1] / "decision.json"


@pytest.mark.parametrize(
    ("named", "command"),
    [
        ("scorecard", "habitue scorecard"),
        ("decision", "habitue decide"),
        ("readout", "habitue measure readout"),
    ],
)
def test_file_that_was_named_must_be_there(tmp_path: Path, named: str, command: str) -> None:
    files: dict[str, Any] = {named: tmp_path / "nowhere.json"}
    assert gather_loop(LoopFiles(**files), cutoff=CUTOFF) == gather_loop(LoopFiles(), cutoff=CUTOFF)
    with pytest.raises(DataError, match=command):
        gather_loop(LoopFiles(**files, named=frozenset({named})), cutoff=CUTOFF)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "\x00"])
def test_file_that_is_no_json_says_what_makes_it_again(tmp_path: Path, text: str) -> None:
    path = tmp_path / "readout.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="habitue measure readout"):
        gather_loop(LoopFiles(readout=path), cutoff=CUTOFF)


def test_list_that_was_changed_is_not_shown(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written / "actions" / "newest", tmp_path / "round")
    path = tmp_path / "round" / "actions.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("phone", "email"), encoding="utf-8")
    with pytest.raises(DataError, match="was changed since it was decided"):
        gather_loop(LoopFiles(decision=tmp_path / "round"), cutoff=CUTOFF)


def test_options_name_files_that_must_be_there(command: Callable[..., Any], tmp_path: Path) -> None:
    told = command(tmp_path, "report", "--help")
    assert told.code == 0
    for option in ("--scorecard", "--decision", "--readout"):
        assert option in told.out


def test_page_says_what_the_last_monitoring_found(
    shop: Path, command: Callable[..., Any], tmp_path: Path
) -> None:
    shutil.copy(shop / "habitue.toml", tmp_path / "habitue.toml")
    shutil.copytree(shop / "scores", tmp_path / "scores")
    (tmp_path / "mlruns").mkdir()
    shutil.copy(shop / "mlruns" / "mlflow.db", tmp_path / "mlruns" / "mlflow.db")

    store = open_store(tmp_path / "mlruns")
    alarm = Alarm("input", "inactivity", "Customers are silent <b>longer</b> than they were.")
    nothing: dict[str, Any] = {"metrics": {}, "tables": {}, "params": {}, "page": ""}
    quiet, loud = (Monitored(date(2024, 3, 31), 1, alarms).to_json() for alarms in ((), (alarm,)))
    for name, found in (("churn", quiet), ("churn", loud), ("clv", "{")):
        version = resolve(store, f"habitue-{name}@champion")
        log_monitoring(store, version, "2024-03-31", found=found, **nothing)
    told = command(tmp_path, "report")
    assert told.code == 0, told.err
    page = next(tmp_path.rglob("report.html")).read_text(encoding="utf-8")
    assert "<strong>habitue-churn</strong>, looked at as of 31 March 2024" in page
    assert "Customers are silent &lt;b&gt;longer&lt;/b&gt; than they were." in page
    assert "<strong>habitue-clv</strong>: what was last found cannot be read" in page
