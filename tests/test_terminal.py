"""What is seen at a terminal, in a pipe, and after Ctrl-C: real processes, real pseudo-terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from habitue.errors import AssumptionWarning, HabitueWarning, ManySetAsideWarning
from habitue.terminal import Terminal, plain

HABITUE = [sys.executable, "-m", "habitue"]


@pytest.fixture
def trained(shop: Path, tmp_path: Path) -> Path:
    """A whole copy of the shop: its MLflow home is at the old address, for reading."""
    for name in ("transactions.csv", "habitue.toml"):
        shutil.copy(shop / name, tmp_path / name)
    shutil.copytree(shop / "models", tmp_path / "models")
    text = (tmp_path / "habitue.toml").read_text(encoding="utf-8")
    text = text.replace('mlruns = "mlruns"', f"mlruns = {json.dumps(str(shop / 'mlruns'))}")
    (tmp_path / "habitue.toml").write_text(text, encoding="utf-8")
    return tmp_path


class AtTerminal:
    """A command whose stderr, and on demand stdout, is a pseudo-terminal."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
        self.process = subprocess.Popen(
            [*HABITUE, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=slave, env=environment
        )
        os.close(slave)
        self.seen = b""

    def read(self, until: str | None = None, *, seconds: float = 120.0) -> str:
        """Read until a text was seen, or to the end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until and until.encode() in self.seen):
            if not select.select([self.master], [], [], 0.1)[0]:
                continue
            try:
                more = os.read(self.master, 65536)
            except OSError:  # how Linux says that the other end was closed
                break
            if not more:
                break
            self.seen += more
        return self.seen.decode()

    def end(self) -> tuple[int, str, str]:
        """Return exit code, stdout and all of the terminal."""
        seen = self.read()
        out = self.process.communicate(timeout=60)[0].decode()
        os.close(self.master)
        return self.process.returncode, out, seen


# --- progress


def test_progress_at_a_terminal_and_none_in_a_pipe(trained: Path) -> None:
    code, out, seen = AtTerminal(trained, "score").end()
    assert code == 0, seen
    assert re.search(r"\d:\d\d:\d\d.*loading the models", seen)
    assert "\x1b[" in seen
    assert "Scored 300 customers" in out
    assert "\x1b" not in out
    piped = subprocess.run(
        [*HABITUE, "score"], cwd=trained, capture_output=True, text=True, check=False, timeout=120
    )
    assert (piped.returncode, piped.stderr) == (0, "")
    assert "Scored 300 customers" in piped.stdout


def test_json_at_a_terminal_is_still_one_document(trained: Path) -> None:
    code, out, seen = AtTerminal(trained, "score", "--json").end()
    assert (code, seen) == (0, "")
    assert json.loads(out)["n_customers"] == 300


def test_reader_that_goes_away_meets_no_traceback(trained: Path) -> None:
    process = subprocess.Popen(
        [*HABITUE, "check"], cwd=trained, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    err = process.communicate(timeout=60)[1]
    assert process.returncode in {0, 1}
    assert err == b""


# --- Ctrl-C


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_score_leaves_the_old_file(trained: Path, number: signal.Signals) -> None:
    old = trained / "scores" / "scores.parquet"
    old.parent.mkdir()
    old.write_bytes(b"old")
    command = AtTerminal(trained, "score")
    command.read("loading the models")
    command.process.send_signal(number)
    code, out, seen = command.end()
    assert (code, out) == (130, ""), seen
    assert re.search(r"Error: (\x1b\[0m)?Interrupted; nothing half-written was left\.", seen)
    assert "Traceback" not in seen, seen
    assert [path.name for path in old.parent.iterdir()] == ["scores.parquet"]
    assert old.read_bytes() == b"old"


def test_interrupted_training_leaves_no_run_behind_as_running(
    shop: Path, mlflow_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(shop, folder, ignore=shutil.ignore_patterns("mlruns", "scores"))
    (folder / "mlruns").mkdir()
    shutil.copy(mlflow_home, folder / "mlruns")
    command = AtTerminal(folder, "train", "models/churn.toml")
    command.read("logging and registering")
    database = sqlite3.connect(f"file:{folder}/mlruns/mlflow.db?mode=ro", uri=True)
    for _ in range(600):
        if database.execute("SELECT count(*) FROM runs").fetchone()[0]:
            break
        time.sleep(0.05)
    command.process.send_signal(signal.SIGINT)
    code, out, seen = command.end()
    assert (code, out) == (130, ""), seen
    assert "Traceback" not in seen
    states = [state for (state,) in database.execute("SELECT status FROM runs")]
    assert states
    assert set(states) <= {"KILLED", "FAILED", "FINISHED"}
    assert database.execute("SELECT count(*) FROM registered_model_aliases").fetchone() == (0,)
    database.close()


# --- notes and answers, in this process


def test_notes_are_said_once_and_others_not(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    for _ in range(2):
        with terminal.working(n_stages=1):
            warnings.warn("few customers", AssumptionWarning, stacklevel=1)
            warnings.warn("few customers", HabitueWarning, stacklevel=1)
    assert capsys.readouterr() == ("", "Note: few customers\n")


def test_many_rows_set_aside_are_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(as_json=True).working(n_stages=1):
        warnings.warn("7 of 9 rows", ManySetAsideWarning, stacklevel=1)
    assert capsys.readouterr() == ("", "Warning: 7 of 9 rows\n")


def test_scores_name_who_could_not_be_fitted(capsys: pytest.CaptureFixture[str]) -> None:
    scores = pd.DataFrame(
        {"target": "churned", "model": ["BG/NBD", "LightGBM", "the mean"], "score": "auc",
         "value": [0.7512, np.nan, 0.5], "lower": [0.74, np.nan, 0.5], "upper": [0.76, np.nan, 0.5]}
    )  # fmt: skip
    Terminal().scores(scores, "2024-01-01", champion="BG/NBD", left_out={"LightGBM": "one class only"})
    said = capsys.readouterr().out
    assert re.search(r"BG/NBD \* +0.751 ±0.010", said)
    assert re.search(r"LightGBM \(not fitted\) +–", said)
    assert "LightGBM could not be fitted: one class only" in said


def test_nothing_is_cut_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().say("word " * 100)
    assert capsys.readouterr().out == "word " * 100 + "\n"


def test_plain_knows_what_pandas_and_numpy_make() -> None:
    facts = {
        "table": pd.DataFrame({"day": [pd.Timestamp("2024-01-31")], "value": [np.nan], "n": [3]}),
        "share": np.float64(0.5),
        "infinite": np.float64("inf"),
        "counts": np.array([1, 2]),
        "day": date(2024, 1, 31),
        "where": Path("a/b"),
        "yes": True,
        "none": None,
    }
    assert plain(facts) == {
        "table": [{"day": "2024-01-31T00:00:00", "value": None, "n": 3}],
        "share": 0.5,
        "infinite": None,
        "counts": [1, 2],
        "day": "2024-01-31",
        "where": "a/b",
        "yes": True,
        "none": None,
    }
