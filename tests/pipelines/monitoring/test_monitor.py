"""`habitue monitor` from the command line, on a real MLflow home: quiet and loud, remembered, and a page."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from habitue.errors import DataError, SettingsError
from habitue.pipelines.monitoring.monitor import monitor
from habitue.pipelines.monitoring.monitored import Alarm, Monitored, last_monitored
from habitue.pipelines.monitoring.records import records_found
from habitue.pipelines.monitoring.seen import Learned
from habitue.records import CustomerLog, read_log
from habitue.tracking import open_store
from tests.conftest import Told, make_shop

ASKED = ["monitor", "--model", "habitue-churn@champion"]


@pytest.fixture(scope="module")
def watched(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the shop: monitoring writes to its MLflow home."""
    folder = tmp_path_factory.mktemp("watched") / "shop"
    shutil.copytree(shop, folder)
    return folder


@pytest.fixture(scope="module")
def quiet(watched: Path, command: Callable[..., Told]) -> Told:
    return command(watched, "monitor", "--log", "jobs.log", "--json")


def test_a_shop_that_goes_on_as_it_did_is_quiet(watched: Path, quiet: Told) -> None:
    assert quiet.code == 0, quiet.out + quiet.err
    told = json.loads(quiet.out)
    assert told["alarms"] == 0
    assert {one["name"] for one in told["models"]} == {"habitue-churn", "habitue-clv"}
    page = (watched / "monitor.html").read_text(encoding="utf-8")
    assert "All quiet" in page
    assert "<script" not in page
    lines = [json.loads(line) for line in (watched / "jobs.log").read_text(encoding="utf-8").splitlines()]
    assert {"step", "answer"} <= {line["event"] for line in lines}


def test_what_was_found_is_remembered_in_mlflow_with_its_tables_and_page(watched: Path, quiet: Told) -> None:
    store = open_store(watched / "mlruns")
    found = last_monitored(store, "habitue-churn")
    assert found == Monitored(date.fromisoformat(json.loads(quiet.out)["cutoff"]), 1, ())
    assert last_monitored(store, "nobody") is None
    client = store.client()
    run = client.get_run(json.loads(quiet.out)["models"][0]["run_id"])
    assert run.data.metrics["n_alarms"] == 0.0
    assert client.get_experiment(run.info.experiment_id).name == "habitue-churn monitoring"
    kept = {one.path for one in client.list_artifacts(run.info.run_id, "tables")}
    assert {"tables/checks.csv", "tables/frequencies.csv", "tables/records.csv"} <= kept
    texts = {one.path for one in client.list_artifacts(run.info.run_id, "texts")}
    assert {"texts/monitor.json", "texts/monitor.html"} <= texts


@pytest.mark.slow
def test_a_past_that_was_rewritten_and_a_source_in_cents_end_with_exit_code_8(
    shop: Path, tmp_path: Path, command: Callable[..., Told]
) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(shop, folder)
    orders = pd.read_csv(folder / "transactions.csv")
    orders.assign(amount=(orders["amount"] * 100.0)).to_csv(folder / "transactions.csv", index=False)
    told = command(folder, *ASKED, "--output", "pages/now.html")
    assert told.code == 8, told.err
    assert "records of the past were changed" in told.out
    assert "alarm" in (folder / "pages" / "now.html").read_text(encoding="utf-8")
    found = last_monitored(open_store(folder / "mlruns"), "habitue-churn")
    assert found is not None
    assert "data" in {alarm.kind for alarm in found.alarms}


@pytest.mark.slow
def test_batches_whose_outcomes_are_known_are_held_against_the_promise(
    shop: Path, tmp_path: Path, command: Callable[..., Told]
) -> None:
    """Scores of a past day are read from their target; without one the model is asked anew."""
    folder = tmp_path / "shop"
    shutil.copytree(shop, folder)
    log = CustomerLog(transactions=_canonical(folder))
    ripe = str(log.observed_until - timedelta(days=60))
    done = command(folder, "score", "--output", "batches", "--cutoff", ripe, "--model", "habitue-churn")
    assert done.code == 0, done.err
    told = command(folder, *ASKED, "--scores", "batches", "--json")
    assert told.code in {0, 8}, told.err
    run_id = json.loads(told.out)["models"][0]["run_id"]
    client = open_store(folder / "mlruns").client()
    kept = {one.path for one in client.list_artifacts(run_id, "tables")}
    assert "tables/matured.csv" in kept
    scores = pd.read_csv(client.download_artifacts(run_id, "tables/matured.csv", str(tmp_path)))
    assert set(scores["source"]) == {"batch of version 1"}
    assert set(scores["cutoff"]) == {ripe}
    assert scores["promised"].notna().all()


def _canonical(folder: Path) -> pd.DataFrame:
    orders = pd.read_csv(folder / "transactions.csv")
    return orders.rename(columns={"order_date": "timestamp"})


def test_wrong_settings_are_answered_in_a_sentence(watched: Path, command: Callable[..., Told]) -> None:
    for arguments, code in (
        (["--rate", "2"], 4),
        (["--floor", "0"], 4),
        (["--output", "page.txt"], 4),
        (["--model", "nobody@champion"], 6),
        (["--cutoff", "1999-01-01"], 3),
    ):
        told = command(watched, *ASKED, *arguments)
        assert told.code == code, (arguments, told.err)
        assert "Error: " in told.err
        assert "Traceback" not in told.err


def test_no_model_is_no_monitoring(watched: Path) -> None:
    log = CustomerLog(transactions=_canonical(watched))
    with pytest.raises(SettingsError, match="no model"):
        monitor(
            log, [], store=open_store(watched / "mlruns"), now=datetime(2025, 1, 1, tzinfo=UTC), source=""
        )


def test_what_was_monitored_goes_through_json_and_what_is_none_is_refused() -> None:
    alarm = Alarm("input", "spend_mean", "It rose by “half”.")
    found = Monitored(date(2024, 6, 30), 3, (alarm,))
    assert Monitored.from_json(found.to_json()) == found
    for text in ("{}", "[", '{"cutoff": "2024-06-30", "version": 1, "alarms": [{"kind": "fire"}]}'):
        with pytest.raises(DataError, match="habitue monitor"):
            Monitored.from_json(text)


def test_a_version_that_habitue_did_not_train_is_refused() -> None:
    with pytest.raises(DataError, match="habitue train"):
        Learned.of_run({"cutoff": "soon"}, {}, 1)


def test_a_log_that_begins_after_the_training_is_compared_with_last_year(watched: Path) -> None:
    """Who keeps two years of records loses the day of training in time."""
    years = pd.DateOffset(years=3)
    orders = make_shop(300, days=1_000, seed=4).assign(order_date=lambda frame: frame["order_date"] + years)
    log, store = read_log(orders, timestamp="order_date"), open_store(watched / "mlruns")
    asked = {"store": store, "now": datetime(2027, 1, 1, tzinfo=UTC), "source": "orders"}
    (found,) = monitor(log, ["habitue-churn/1"], **asked).models
    facts, year_ago = found.facts, log.observed_until - timedelta(weeks=52)
    assert (facts.compared_with, facts.then, facts.last_year) == (year_ago, "last year", year_ago)
    assert facts.n_compared > 50
    assert facts.of_kind("input", "score")
    assert any(f"compared with those of {year_ago} instead" in note for note in facts.notes)
    assert not facts.seasonal
    # A log that does not reach back a year has nothing to compare with, and says so.
    young = read_log(orders.loc[orders["order_date"] < "2026-06-01"], timestamp="order_date")
    (found,) = monitor(young, ["habitue-churn/1"], **asked).models
    assert (found.facts.compared_with, found.facts.n_compared) == (None, 0)
    assert any("they were not compared" in note for note in found.facts.notes)


def test_hostile_levels_and_columns_are_counted_and_never_run() -> None:
    days = pd.date_range("2023-01-02", periods=200).repeat(5)
    orders = pd.DataFrame(
        {"customer_id": np.arange(1000) % 50, "timestamp": days, "amount": 5.0, "category": "tea"}
    )
    orders.loc[orders.index[-60:], "category"] = "'; DROP TABLE transactions; --"
    log = CustomerLog(transactions=orders)
    found = records_found(log, log.observed_until)
    new = [check for check in found.checks if check.test == "new level"]
    assert any("DROP TABLE" in check.told and check.effect > 0.3 for check in new)
    assert log.engine.rows("SELECT COUNT(*) FROM transactions") == [(1000,)]
    assert found.weekly["n"].sum() == 7 * 5 * (200 // 7)


def test_records_after_the_cutoff_change_nothing() -> None:
    days = pd.date_range("2023-01-02", periods=200).repeat(5)
    orders = pd.DataFrame({"customer_id": np.arange(1000) % 50, "timestamp": days, "amount": 5.0})
    early = records_found(CustomerLog(transactions=orders[:750]), date(2023, 5, 31))
    late = records_found(CustomerLog(transactions=orders), date(2023, 5, 31))
    assert early.checks == late.checks


@pytest.fixture(scope="module")
def study() -> ModuleType:
    """Load the study from the benchmarks that lie beside the tests, or skip where they do not."""
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "monitoring.py"
    if not path.is_file():
        pytest.skip("the benchmarks are not here")
    spec = importlib.util.spec_from_file_location("monitoring_study", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::habitue.errors.HabitueWarning")
def test_a_business_that_does_not_change_is_quiet_and_known_changes_are_found(study: ModuleType) -> None:
    """One business, and changed in four ways; the whole study is ``python -m benchmarks.monitoring``."""
    expected = {
        "prices up by 40 %": "input",
        "churn doubled": "law",
        "a source silent for three weeks": "data",
        "a column empty for four weeks": "data",
    }
    draw = np.random.default_rng(1)
    usual = study.business(study.LAWS[0], 400, draw)
    answers, learned = study.train(usual)
    assert not study.watch(usual, answers, learned)["alarm"].any()
    for name, change in study.CHANGES.items():
        table = study.watch(change(usual, draw), answers, learned)
        assert expected[name] in set(table.loc[table["alarm"], "kind"]), name
