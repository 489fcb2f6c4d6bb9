"""The command line as its users meet it: examples that work, errors in sentences, documented exit codes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer

from habitue.cli import EXIT_CODES, app
from habitue.errors import DataError, FitError, RegistryError, SettingsError, UnavailableError
from habitue.pipelines.offers import built_in_offers

COMMANDS = {one.name or one.callback.__name__: one for one in app.registered_commands if one.callback}
INNER = {
    f"{group.typer_instance.info.name} {one.name or one.callback.__name__}": one
    for group in app.registered_groups
    if group.typer_instance is not None
    for one in group.typer_instance.registered_commands
    if one.callback
}
"""Commands of commands, such as `habitue measure design`."""
EXAMPLES = {
    name: re.search(r"Example: (.*)", str(one.epilog))[1]  # pyright: ignore[reportOptionalSubscript]
    for name, one in (COMMANDS | INNER).items()
}
PRIVACY = ("pseudonymise", "forget")
JOURNEY = (
    "init", "check", "features", "train", "versions", "retrain", "card", "backtest", "score", "report",
    "scorecard", "decide",
)  # fmt: skip
Command = Callable[..., Any]
DATA, SETTINGS, FIT, REGISTRY = (
    EXIT_CODES[one] for one in (DataError, SettingsError, FitError, RegistryError)
)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


_LEVEL = "level = 0.5\nby = 2030-12-31"


def add(path: Path, *lines: str) -> None:
    path.write_text("\n".join((path.read_text(encoding="utf-8"), *lines, "")), encoding="utf-8")


def offers(folder: Path) -> Path:
    """Write the offers that `init` writes."""
    path = folder / "offers.toml"
    path.write_text(built_in_offers()[1], encoding="utf-8")
    return path


@pytest.fixture
def trained(shop: Path, tmp_path: Path) -> Path:
    """Settings of one's own over the trained shop, which stays as it is."""
    for name in ("transactions.csv", "habitue.toml"):
        shutil.copy(shop / name, tmp_path / name)
    shutil.copytree(shop / "models", tmp_path / "models")
    change(tmp_path / "habitue.toml", 'mlruns = "mlruns"', f"mlruns = {json.dumps(str(shop / 'mlruns'))}")
    return tmp_path


def one_or_two_sentences(err: str) -> bool:
    lines = [line for line in err.splitlines() if not line.startswith("Note: ")]
    return len(lines) == 1 and lines[0].startswith("Error: ") and "Traceback" not in err


# --- help


@pytest.mark.parametrize("name", COMMANDS | INNER)
def test_every_command_has_help_an_example_and_exit_codes(
    name: str, command: Command, tmp_path: Path
) -> None:
    told = command(tmp_path, *name.split(), "--help")
    words = " ".join(told.out.split())
    assert told.code == 0
    assert f"Example: {EXAMPLES[name]}" in words
    for code in (0, 1, 2, *EXIT_CODES.values()):
        assert re.search(rf"\b{code} [a-z]", words.partition("Exit codes:")[2])
    assert f"{EXAMPLES[name]} ".startswith(f"habitue {name} ")


def test_help_version_and_wrong_use(command: Command, tmp_path: Path) -> None:
    assert all(name in command(tmp_path, "--help").out for name in COMMANDS)
    assert INNER
    for name in INNER:
        group, inner = name.split()
        assert inner in command(tmp_path, group, "--help").out
    assert command(tmp_path, "--version").out.startswith("habitue 0.")
    for wrong in (
        ["trian"],
        ["train"],
        ["check", "--quarantin", "x"],
        ["backtest", "--cutoffs", "0"],
        ["report", "a"],
    ):
        told = command(tmp_path, *wrong)
        assert (told.code, told.out) == (2, "")
        assert "Traceback" not in told.err
        assert told.err


# --- the journey, by the examples


@pytest.fixture(scope="module")
def journey(
    shop: Path, mlflow_home: Path, command: Command, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What each example of the help says, run in the order of the journey; and --json after each."""
    folder = tmp_path_factory.mktemp("journey")
    (folder / "mlruns").mkdir()
    shutil.copy(mlflow_home, folder / "mlruns")
    shutil.copytree(shop / "models", folder / "models")  # `init` leaves recipes that are there as they are
    shutil.copy(shop / "transactions.csv", folder)
    with (folder / "transactions.csv").open("a") as more:  # rows that are set aside, so that warnings occur
        more.write("c000001,no day,3\nc000002,2023-05-05,many\n")
    told: dict[str, Any] = {}
    (folder / "habitue.key").write_text("a key of sixteen letters or more")
    (folder / "orders.csv").write_text("customer_id,email,amount\n1,a@example.org,5\n2,b@example.org,6\n")
    for name in (*JOURNEY, *PRIVACY):
        arguments = shlex.split(EXAMPLES[name])[1:]
        if name == "backtest":
            assert command(folder, "train", "models/clv.toml").code == 0
        if name == "report":
            assert command(folder, "score").code == 0
        told[name] = command(folder, *arguments)
        again = [*arguments, "--json", *(["--force"] if name == "init" else [])]
        told[f"{name} --json"] = command(folder, *again)
    return told | {"folder": folder}


@pytest.mark.parametrize("name", [*JOURNEY, *PRIVACY])
def test_examples_work(journey: dict[str, Any], name: str) -> None:
    assert journey[name].code == 0, journey[name].err
    assert journey[name].out
    assert "\x1b" not in journey[name].out + journey[name].err


@pytest.mark.parametrize("name", [*JOURNEY, *PRIVACY])
def test_json_is_one_document_also_with_warnings(journey: dict[str, Any], name: str) -> None:
    told = journey[f"{name} --json"]

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert told.code == 0, told.err
    assert isinstance(json.loads(told.out, parse_constant=refuse), dict)
    if name not in {"card", "report", "versions", *PRIVACY}:
        assert "set aside" in told.err


def test_examples_leave_what_they_say(journey: dict[str, Any]) -> None:
    folder = journey["folder"]
    scores = pd.read_parquet(folder / "batches")
    assert len(scores) == 300
    assert (folder / "report.html").stat().st_size > 50_000
    assert len(pd.read_csv(folder / "set-aside.csv")) == 2
    assert "version 1 is champion" in journey["train"].out
    assert set(json.loads(journey["train --json"].out)["versions"].values()) == {4, 5, 6}
    assert list(folder.rglob("*.part")) == []


def test_backtest_tests_at_three_cutoffs_and_keeps_what_was_said(trained: Path, command: Command) -> None:
    told = command(trained, "backtest", "models/churn.toml", "--cutoffs", 3, "--output", "said.parquet")
    assert told.code == 0, told.err
    said = pd.read_parquet(trained / "said.parquet")
    assert said["cutoff"].nunique() == 3
    assert set(said["target"]) == {"churned"}


def test_scores_as_csv_and_report_of_them(trained: Path, command: Command) -> None:
    assert command(trained, "score", "--output", "s.csv", "--no-reasons").code == 0
    assert command(trained, "report", "--scores", "s.csv", "--output", "page.html").code == 0
    assert "reason_1" not in pd.read_csv(trained / "s.csv")
    assert "c000001" in (trained / "page.html").read_text(encoding="utf-8")


def test_score_as_of_an_earlier_day_knows_fewer_customers(trained: Path, command: Command) -> None:
    told = command(trained, "score", "--cutoff", "2023-06-30", "--json")
    assert told.code == 0, told.err
    facts = json.loads(told.out)
    assert facts["cutoff"] == "2023-06-30"
    assert facts["n_customers"] < 300


# --- errors


def broken(name: str) -> Callable[[Path], None]:
    """Return what breaks a shop in the way that a case needs."""
    settings = "habitue.toml"
    ways: dict[str, Callable[[Path], None]] = {
        "file is gone": lambda f: (f / "transactions.csv").unlink(),
        "file is empty": lambda f: (f / "transactions.csv").write_bytes(b"") and None,
        "only a header": lambda f: (
            (f / "transactions.csv").write_text("customer_id,order_date,amount\n") and None
        ),
        "broken TOML": lambda f: (f / settings).write_text("horizon = = 3") and None,
        "no UTF-8": lambda f: (f / settings).write_bytes(b"money = '\xff'") and None,
        "misspelt key": lambda f: change(f / settings, "horizon =", "horizont ="),
        "misspelt column key": lambda f: change(f / settings, "customer_id =", "custmer_id ="),
        "wrong column": lambda f: change(f / settings, '"order_date"', '"orderdate"'),
        "endless horizon": lambda f: change(f / settings, "horizon =", "horizon = 99999999999 #"),
        "long horizon": lambda f: change(f / settings, "horizon =", "horizon = 400 #"),
        "cutoff too late": lambda f: change(f / settings, "# cutoff", "cutoff = 2031-01-01 #"),
        "cutoff too early": lambda f: change(f / settings, "# cutoff", "cutoff = 2011-01-01 #"),
        "misspelt recipe key": lambda f: change(f / "models/churn.toml", "confidence", "confidense"),
        "misspelt param": lambda f: change(f / "models/churn.toml", "num_leaves", "num_leafs"),
        "misspelt model": lambda f: change(f / "models/churn.toml", "BoostedChurnClassifier", "BoostedChurn"),
        "misspelt metric": lambda f: change(f / "models/churn.toml", '"log_loss"', '"logloss"'),
        "name no registry takes": lambda f: change(f / "models/churn.toml", '"habitue-churn"', '"a/b"'),
        "unknown feature": lambda f: change(
            f / "models/churn.toml", "# features = [", "features = ['nonsense', "
        ),
        "unknown target": lambda f: add(f / settings, "[[targets]]\nmetric = 'retension_rate'", _LEVEL),
        "target without a day": lambda f: add(f / settings, "[[targets]]\nmetric = 'nps'\nlevel = 20"),
        "misspelt scorecard key": lambda f: add(f / settings, "[scorecard]\nmin_cuont = 3"),
        "offers": lambda f: offers(f) and None,
        "misspelt offer key": lambda f: change(offers(f), "capacity =", "capasity ="),
        "a share that nobody is sure of": lambda f: change(
            offers(f), "saves = { share = 0.2, worth = 10 }", "saves = 0.2"
        ),
        "mlruns under a file": lambda f: change(f / settings, "mlruns = ", 'mlruns = "transactions.csv/x" #'),
        "": lambda _: None,
    }
    return ways[name]


CASES = [
    ("file is gone", ["check"], DATA, "There is no file .*transactions.csv"),
    ("file is empty", ["check"], DATA, "is empty"),
    ("only a header", ["check"], DATA, "transactions.csv"),
    ("broken TOML", ["check"], SETTINGS, "habitue.toml is no valid TOML.*line 1"),
    ("no UTF-8", ["check"], SETTINGS, "could not be read"),
    ("misspelt key", ["check"], SETTINGS, "no setting 'horizont'; did you mean 'horizon'"),
    ("misspelt column key", ["check"], SETTINGS, "'data.custmer_id'; did you mean 'customer_id'"),
    ("wrong column", ["check"], DATA, "orderdate.*order_date"),
    ("endless horizon", ["train", "models/churn.toml"], SETTINGS, "'horizon'.*36525"),
    ("long horizon", ["train", "models/churn.toml"], DATA, "horizon of at most 2[0-9][0-9] days"),
    ("long horizon", ["backtest"], DATA, "horizon of at most"),
    ("cutoff too late", ["score"], DATA, "2031-01-01 is after the last day"),
    ("cutoff too early", ["score"], DATA, "2011-01-01 is before the first record"),
    (
        "misspelt recipe key",
        ["train", "models/churn.toml"],
        SETTINGS,
        "confidense'; did you mean 'confidence'",
    ),
    ("misspelt param", ["train", "models/churn.toml"], SETTINGS, "'num_leafs'; did you mean 'num_leaves'"),
    ("misspelt model", ["train", "models/churn.toml"], SETTINGS, "did you mean 'BoostedChurnClassifier'"),
    ("misspelt metric", ["train", "models/churn.toml"], SETTINGS, "did you mean 'log_loss'"),
    ("name no registry takes", ["train", "models/churn.toml"], SETTINGS, "'name'.*'a/b'"),
    ("unknown feature", ["train", "models/churn.toml"], SETTINGS, "no feature nonsense.*inactivity"),
    ("mlruns under a file", ["score"], SETTINGS, "transactions.csv/x can't be written to"),
    ("", ["train", "models/chrun.toml"], SETTINGS, "There is no recipe models/chrun.toml"),
    ("", ["check", "--settings", "other.toml"], SETTINGS, "There is no other.toml.*habitue init"),
    ("", ["init", "transactions.csv"], SETTINGS, "habitue.toml is there already.*--force"),
    ("", ["init", "nothing.csv"], DATA, "There is no file nothing.csv"),
    ("", ["score", "--model", "habitue-clw@champion"], REGISTRY, "did you mean 'habitue-clv'.*habitue-churn"),
    ("", ["score", "--model", "habitue-clv@chmpion"], REGISTRY, "did you mean 'champion'"),
    ("", ["score", "--model", "habitue-clv/99"], REGISTRY, "its versions are: 1, 2"),
    ("", ["score", "--model", "@@"], REGISTRY, "names no model"),
    ("", ["score", "--model", "habitue-clv/1", "--model", "habitue-clv/2"], SETTINGS, "one at a time"),
    ("", ["score", "--cutoff", "yesterday"], SETTINGS, "yesterday"),
    ("", ["score", "--output", "scores.xlsx"], SETTINGS, "scores.xlsx.*[.]parquet, [.]csv or [.]duckdb"),
    ("", ["score", "--output", "transactions.csv/scores.parquet"], SETTINGS, "Nothing can be written to"),
    ("", ["check", "--quarantine", "/proc/none/aside.csv"], SETTINGS, "Nothing can be written to /proc/none"),
    ("", ["check", "--quarantine", "models"], SETTINGS, "models is a folder"),
    ("", ["report"], DATA, "There are no scores.*habitue score"),
    ("", ["report", "--scores", "transactions.csv"], DATA, "no readable manifest.*score again"),
    ("unknown target", ["scorecard"], SETTINGS, "retension_rate.*did you mean.*retention_rate"),
    ("target without a day", ["scorecard"], SETTINGS, "'targets.*by' is missing"),
    ("misspelt scorecard key", ["scorecard"], SETTINGS, "min_cuont'; did you mean 'min_count'"),
    ("", ["scorecard", "--by", "planet"], SETTINGS, "planet"),
    ("", ["scorecard", "--end", "2031-01-31"], DATA, "2031-01-31"),
    ("", ["scorecard", "--output", "card.xlsx"], SETTINGS, "card.xlsx"),
    ("", ["decide"], SETTINGS, "There is no offers.toml"),
    ("offers", ["decide"], DATA, "There are no whole scores.*habitue score"),
    ("offers", ["decide", "--day", "soon"], SETTINGS, "soon"),
    ("misspelt offer key", ["decide"], SETTINGS, "capasity'; did you mean 'capacity'"),
    ("a share that nobody is sure of", ["decide"], SETTINGS, "how sure it is"),
    ("", ["measure", "design", "--metric", "mood"], SETTINGS, "cannot give mood; it gives retained"),
    ("", ["measure", "design", "--effect", "0"], SETTINGS, "effect"),
    ("", ["measure", "design", "--mean", "0.3", "--arm", "a=1"], SETTINGS, "control"),
    ("", ["measure", "assign", "spring", "--arm", "voucher=1"], SETTINGS, "control"),
    ("", ["measure", "assign", "spring", "--arm", "control=0", "--arm", "a=1"], SETTINGS, "control"),
    ("", ["measure", "assign", "spring", "--arm", "control"], SETTINGS, "NAME=NUMBER"),
    ("", ["measure", "readout"], DATA, "no contacts that say their arm.*list of assignments"),
    ("", ["measure", "readout", "nothing.csv"], SETTINGS, "nothing.csv"),
    ("", ["measure", "readout", "transactions.csv"], DATA, "timestamp, campaign, arm missing"),
    ("", ["measure", "simulate", "--share", "1.5"], SETTINGS, "1.5"),
    ("", ["demo", "--folder", "transactions.csv/demo"], SETTINGS, "Nothing can be written to"),
    ("", ["demo", "--mlruns", "/proc/none"], SETTINGS, "/proc/none"),
]


@pytest.mark.parametrize(
    ("way", "arguments", "code", "told"), CASES, ids=[f"{c[0]}: {' '.join(c[1])}" for c in CASES]
)
def test_errors_are_sentences(
    way: str, arguments: list[str], code: int, told: str, trained: Path, command: Command
) -> None:
    broken(way)(trained)
    said = command(trained, *arguments)
    assert said.code == code, said.err
    assert re.search(told, said.err)
    assert one_or_two_sentences(said.err)
    assert said.out == ""
    assert list(trained.rglob("*.part")) == []


def test_debug_shows_where_with_the_same_exit_code(tmp_path: Path, command: Command) -> None:
    for arguments in (["--debug", "check"], ["check", "--debug"]):
        told = command(tmp_path, *arguments)
        assert told.code == SETTINGS
        assert "Traceback" in told.err
        assert "read_settings" in told.err


def test_server_that_went_away_is_told_in_a_sentence(
    trained: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = trained / "habitue.toml"
    settings.write_text(
        re.sub(r'mlruns = "[^"]*"', 'mlruns = "http://127.0.0.1:1"', settings.read_text("utf-8"))
    )
    told = command(trained, "score")
    assert told.code == EXIT_CODES[UnavailableError]
    assert "http://127.0.0.1:1 does not answer" in told.err
    assert one_or_two_sentences(told.err)


def test_old_scores_stay_when_the_disk_is_full(trained: Path, command: Command) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    assert command(trained, "score", "--output", "s.parquet").code == 0
    before = (trained / "s.parquet").read_bytes()
    (trained / f".s.parquet.{os.getpid()}.part").symlink_to(full)
    told = command(trained, "score", "--output", "s.parquet", "--no-reasons", "--replace")
    assert told.code == EXIT_CODES[UnavailableError]
    assert "s.parquet could not be written" in told.err
    assert (trained / "s.parquet").read_bytes() == before
    assert list(trained.rglob("*.part")) == []


def test_scores_changed_since_are_not_reported(trained: Path, command: Command) -> None:
    assert command(trained, "score", "--output", "s.csv").code == 0
    change(trained / "s.csv", "c000001", "c999999")
    told = command(trained, "report", "--scores", "s.csv")
    assert (told.code, "does not belong" in told.err) == (DATA, True)


def test_password_is_asked_of_the_environment_not_written_down(tmp_path: Path, command: Command) -> None:
    told = command(tmp_path, "init", "postgresql://me:geheim@127.0.0.1:1/shop", "--table", "orders")
    assert told.code in {DATA, SETTINGS}
    assert "geheim" not in told.out + told.err
    assert one_or_two_sentences(told.err)


def test_wrong_use_is_known_by_its_class() -> None:
    from habitue.cli.run import _WRONG_USE  # pyright: ignore[reportPrivateUsage]

    assert _WRONG_USE.__name__ == "UsageError"
    assert issubclass(typer.BadParameter, _WRONG_USE)
