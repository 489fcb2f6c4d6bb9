"""`habitue score` at the command line: what is said, logged and returned."""

from __future__ import annotations

import json
import multiprocessing
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from habitue.cli import main
from habitue.errors import SettingsError
from habitue.terminal import EventLog, Terminal

# Processes of their own, to be killed, that need not import everything anew.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["habitue.cli", "habitue.pipelines.scoring.batch", "lightgbm", "mlflow.pyfunc"])
CHURN = ("--model", "habitue-churn/1", "--no-reasons")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_written_found_tried_and_logged(shop: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    log, hive = tmp_path / "habitue.log", tmp_path / "hive"
    tried = command(shop, "score", *CHURN, "--output", hive, "--dry-run", "--log", log)
    assert tried.code == 0, tried.err
    assert tried.out.startswith("Would score 300 customers")
    assert list(hive.rglob("*.parquet")) == []
    written = command(shop, "score", *CHURN, "--output", hive, "--json", "--log", log)
    assert written.code == 0, written.err
    answer = json.loads(written.out)
    assert (answer["outcome"], answer["n_customers"]) == ("written", 300)
    found = command(shop, "score", *CHURN, "--output", hive)
    assert found.code == 0
    assert "was there already, whole; nothing was written" in found.out
    told = lines(log)
    assert {one["event"] for one in told} == {"step", "said", "answer"}
    assert [one["at"] for one in told] == sorted(one["at"] for one in told)
    (last,) = [one for one in told if one["event"] == "answer" and one["fields"]["outcome"] == "written"]
    assert last["fields"]["sha256"] == answer["sha256"]


def test_what_ends_a_command_is_in_its_log(shop: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    log = tmp_path / "habitue.log"
    told = command(shop, "score", "--model", "nobody/9", "--output", tmp_path / "s.csv", "--log", log)
    assert told.code == 6
    last = lines(log)[-1]
    assert (last["event"], last["fields"]) == ("error", {"kind": "RegistryError"})
    assert last["text"] in told.err.replace("\n", " ")
    assert command(shop, "score", "--log", tmp_path / "no" / "folder").code == 4


@pytest.mark.slow
def test_a_duckdb_file_and_a_table_of_features(
    shop: Path, command: Callable[..., Any], tmp_path: Path
) -> None:
    table, database = tmp_path / "features.parquet", tmp_path / "scores.duckdb"
    assert command(shop, "features", "--output", table).code == 0
    told = command(shop, "score", *CHURN, "--features", table, "--output", database)
    assert told.code == 4
    assert "--cutoff" in told.err
    day = ("--cutoff", "2024-05-13")
    told = command(shop, "score", *CHURN, "--features", table, *day, "--output", database)
    assert told.code == 0, told.err
    other = ("--model", "habitue-churn/1", *day, "--output", database)
    told = command(shop, "score", *other)
    assert told.code == 4
    assert "--replace" in told.err
    told = command(shop, "score", *other, "--replace", "--json", "--work", tmp_path / "work")
    assert told.code == 0, told.err
    assert list((tmp_path / "work").iterdir()) == []


def test_a_log_is_of_whole_lines_in_the_order_of_the_clock(tmp_path: Path) -> None:
    moments = (datetime(2024, 6, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(9))
    log = tmp_path / "log"
    terminal = Terminal(as_json=True, log=log, clock=lambda: next(moments))
    terminal.step("reading")
    terminal.stage("read")
    terminal.say("café\n1 < 2")
    terminal.say()
    terminal.answer({"table": pd.DataFrame({"a": [float("nan")]}), "where": tmp_path})
    EventLog(log, lambda: next(moments)).add("error", "no")
    told = lines(log)
    assert [one["event"] for one in told] == ["step", "step", "said", "answer", "error"]
    assert told[2]["text"] == "café\n1 < 2"
    assert told[3]["fields"] == {"table": [{"a": None}], "where": str(tmp_path)}
    seconds = [datetime.fromisoformat(one["at"]).second for one in told]
    assert seconds == [0, 1, 2, 3, 4]


def test_a_log_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written to"):
        EventLog(tmp_path / "none" / "log", lambda: datetime(2024, 6, 1, tzinfo=UTC))


@pytest.mark.slow
def test_killed_at_each_step_from_records_on_it_goes_on(
    shop: Path, command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    log, hive, work = tmp_path / "habitue.log", tmp_path / "hive", tmp_path / "work"
    ask = ["score", *CHURN, "--output", str(hive), "--work", str(work), "--log", str(log)]
    assert command(shop, "score", *CHURN, "--output", tmp_path / "alone", "--log", log).code == 0
    steps = [one["text"] for one in lines(log) if one["event"] == "step"]
    assert len(steps) > 5
    (expected,) = (pd.read_parquet(path) for path in (tmp_path / "alone").rglob("*.parquet"))
    # Each run dies at a later step; on a busy machine one may be done before the signal comes.
    n_killed = 0
    for n_steps in range(1, len(steps) + 1):
        log.write_text("", encoding="utf-8")
        n_killed += _killed_after(n_steps, ask, log)
        for path in hive.rglob("*.parquet"):  # hidden ones, too
            assert len(pd.read_parquet(path)) == len(expected)
    assert n_killed > len(steps) // 2
    told = command(shop, *ask, "--json")
    assert told.code == 0, told.err
    (path,) = hive.rglob("*.parquet")
    drop = ["scored_at"]
    pd.testing.assert_frame_equal(
        pd.read_parquet(path).drop(columns=drop), expected.drop(columns=drop), check_exact=True
    )
    assert list(work.iterdir()) == []


def _killed_after(n_steps: int, arguments: list[str], log: Path) -> bool:
    """Run a command until its log has so many steps, kill it that moment, and tell whether that ended it."""
    process = FORKS.Process(target=main, args=(arguments,))
    process.start()
    while process.is_alive() and log.read_text(encoding="utf-8").count('"step"') < n_steps:
        time.sleep(0.001)
    process.kill()
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0
