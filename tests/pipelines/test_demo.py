"""The real demo, run once: what it says, what it leaves in demo/ and MLflow, and that models answer again."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from habitue.records import datasets
from habitue.snapshots import Window, take_snapshot
from habitue.tracking import Store, load, open_store, resolve

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]

COLUMNS = [
    "customer_id", "cutoff", "horizon", "p_alive", "churn_probability", "expected_purchases", "clv",
    "clv_lower", "clv_upper", "decile", "reason_1", "reason_2", "reason_3", "model_name", "model_version",
    "run_id",
    "scored_at",
]  # fmt: skip


@dataclass(frozen=True)
class Left:
    """What the demo left behind, opened."""

    said: Any
    scores: pd.DataFrame
    manifest: dict[str, Any]
    store: Store

    def run(self, role: str) -> Any:
        model = next(one for one in self.manifest["models"] if one["role"] == role)
        return self.store.client().get_run(model["run_id"])

    def version(self, role: str) -> Any:
        model = next(one for one in self.manifest["models"] if one["role"] == role)
        return self.store.client().get_model_version(model["name"], str(model["version"]))


@pytest.fixture(scope="module")
def left(demo_run: Any) -> Left:
    assert demo_run.code == 0, demo_run.err
    folder = demo_run.home / "demo"
    manifest = json.loads((folder / "scores.manifest.json").read_text(encoding="utf-8"))
    return Left(
        demo_run, pd.read_parquet(folder / "scores.parquet"), manifest, open_store(demo_run.home / "mlruns")
    )


def test_it_tells_its_stages_and_results(left: Left) -> None:
    stages = [line for line in left.said.err.splitlines() if line.startswith("- ")]
    assert len(stages) == 7
    for words, line in zip(
        ["69,659 transactions of 23,570 customers", "1998-03-31 to be tested on",
         "all 8 published figures recovered",
         "habitue-churn: version . is champion", "habitue-clv: version . is champion", "Scored all 23,570",
         "report.html"],
        stages, strict=True,
    ):  # fmt: skip
        assert re.search(words, line)
    for table in ("churned (1998-03-31, 91 days ahead", "spend (1998-03-31", "CDNOW sample, 39 weeks"):
        assert table in left.said.out
    assert re.search(
        r"(LightGBM|stacked) \* +0\.\d{3} ±0\.\d{3}", left.said.out
    )  # an interval beside each estimate
    assert all(len(line) <= 116 for line in left.said.out.split("Scores:")[0].splitlines())


def test_next_commands_work_as_they_are_printed(left: Left) -> None:
    out = left.said.out
    assert "Scores:  demo/scores.parquet  (23,570 customers)" in out
    lines = dict(
        re.findall(r"^  (open the report|open the MLflow UI|score your own file) +(.*)$", out, re.MULTILINE)
    )
    page = shlex.split(lines["open the report"])[-1]
    assert (left.said.home / page).is_file()
    *_, option, address = shlex.split(lines["open the MLflow UI"])
    assert option == "--backend-store-uri"
    assert Path(address.removeprefix("sqlite:///")) == left.said.home / "mlruns" / "mlflow.db"
    assert shlex.split(lines["score your own file"])[-2:] == ["init", "transactions.csv"]


def test_scores_of_every_customer_make_sense(left: Left) -> None:
    scores = left.scores
    assert len(scores) == 23_570
    assert scores["customer_id"].is_unique
    assert set(COLUMNS) <= set(scores.columns)
    assert not scores[COLUMNS].drop(columns=["reason_1", "reason_2", "reason_3"]).isna().any().any()
    assert scores[["p_alive", "churn_probability"]].stack().between(0.0, 1.0).all()
    assert (scores["clv_lower"] <= scores["clv"]).all()
    assert (scores["clv"] <= scores["clv_upper"]).all()
    assert (scores[["expected_purchases", "clv_lower"]] >= 0.0).all().all()
    assert scores["reason_1"].str.len().gt(5).all()
    assert set(map(str, scores["cutoff"])) == {"1998-06-30"}
    assert set(scores["horizon"]) == {91}
    assert scores["scored_at"].nunique() == 1
    assert scores["clv"].sum() > 10_000


def test_deciles_are_tenths_in_the_order_of_value(left: Left) -> None:
    groups = left.scores.groupby("decile")["clv"]
    assert groups.size().between(2357, 2357).all()
    assert (groups.min().to_numpy()[:-1] >= groups.max().to_numpy()[1:]).all()


@pytest.mark.parametrize("role", ["churn", "clv"])
def test_registry_holds_champions_and_why(left: Left, role: str) -> None:
    version = left.version(role)
    name = f"habitue-{role}"
    assert version.name == name
    assert len(version.tags["habitue.champion_why"]) > 20
    current = left.store.client().get_model_version_by_alias(name, "champion")
    assert int(current.version) >= int(version.version)
    prefix = "clv_" if role == "clv" else ""
    assert set(left.scores[f"{prefix}model_name"]) == {name}
    assert set(left.scores[f"{prefix}model_version"]) == {int(version.version)}
    assert set(left.scores[f"{prefix}run_id"]) == {version.run_id}


@pytest.mark.parametrize("role", ["churn", "clv"])
def test_run_remembers_what_it_was_made_of(left: Left, role: str) -> None:
    run = left.run(role)
    params, tags = run.data.params, run.data.tags
    assert run.info.status == "FINISHED"
    assert (params["cutoff"], params["horizon"]) == ("1998-03-31", "91")
    assert len(tags["habitue.data_fingerprint"]) == 64
    assert tags["habitue.data_fingerprint"] == datasets.cdnow().fingerprint()
    assert {one.dataset.name for one in run.inputs.dataset_inputs} >= {"evaluation", "records"}
    assert any(key.startswith("model.") for key in params)
    metric = "log_loss" if role == "churn" else "normalised_gini"
    assert (
        run.data.metrics[f"{metric}_lower"] < run.data.metrics[metric] < run.data.metrics[f"{metric}_upper"]
    )
    files = {one.path for place in ("figures", "tables", "texts") for one in
             left.store.client().list_artifacts(run.info.run_id, place)}  # fmt: skip
    texts = {"texts/recipe.toml", "texts/leakage.txt", "texts/card.md"}
    assert {"figures/gains.svg", "tables/scores.csv", *texts} <= files
    assert f"figures/{'calibration' if role == 'churn' else 'deciles'}.svg" in files


@pytest.mark.parametrize("role", ["churn", "clv"])
def test_nothing_was_learned_from_the_days_it_was_tested_on(left: Left, role: str) -> None:
    params = left.run(role).data.params
    assert params["trained_until"] <= "1998-03-31"
    windows = [
        Window(day, int(params["horizon"]))
        for day in re.findall(r"\d{4}-\d\d-\d\d", params["training_cutoffs"])
    ]
    assert len(windows) == 4
    assert max(str(window.end) for window in windows) <= "1998-03-31"


@pytest.mark.parametrize("role", ["churn", "clv"])
def test_model_is_packed_with_signature_example_and_requirements(
    left: Left, role: str, tmp_path: Path
) -> None:
    from habitue.tracking import download

    folder = download(
        left.store, resolve(left.store, f"habitue-{role}/{left.version(role).version}"), tmp_path / "m"
    )
    described = (folder / "MLmodel").read_text(encoding="utf-8")
    assert "signature:" in described
    assert "saved_input_example_info:" in described
    needed = (folder / "requirements.txt").read_text(encoding="utf-8").split()
    assert {"numpy", "pandas", "mlflow"} <= {one.partition("==")[0] for one in needed if "==" in one}
    assert not [one for one in folder.rglob("*") if one.suffix in {".pkl", ".pickle", ".joblib"}]


def test_git_commit_is_noted_where_there_is_one(left: Left, tmp_path: Path) -> None:
    tags = left.run("churn").data.tags
    assert "habitue.version" in tags or any("version" in name for name in tags)
    inside = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=left.said.home, capture_output=True, text=True, check=False
    )
    assert tags.get("mlflow.source.git.commit", "") == (
        inside.stdout.strip() if inside.returncode == 0 else ""
    )


@pytest.mark.parametrize("role", ["churn", "clv"])
def test_loaded_champion_answers_what_the_file_says(
    left: Left, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    model = load(left.store, resolve(left.store, f"habitue-{role}/{left.version(role).version}"))
    X = take_snapshot(datasets.cdnow(), Window("1998-06-30", 91)).X
    answers = model.predict(X)
    told = left.scores.set_index("customer_id")
    pd.testing.assert_frame_equal(
        answers, told.loc[answers.index, list(answers)], check_dtype=False, check_names=False, rtol=1e-12
    )


def test_second_demo_makes_new_versions_and_speaks_json(left: Left, command: Callable[..., Any]) -> None:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "habitue", "demo", "--folder", "again", "--json"],
        cwd=left.said.home, capture_output=True, text=True, check=False, timeout=600, env=environment,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    facts = json.loads(ran.stdout)
    for role, label in facts["champions"].items():
        name, _, version = label.partition("/")
        assert name == f"habitue-{role}"
        assert int(version) >= int(left.version(role).version)
    assert all(row["agrees"] for row in facts["published"])
    again = pd.read_parquet(left.said.home / facts["scores"])
    same = [name for name in COLUMNS if name not in {"model_version", "run_id", "scored_at"}]
    pd.testing.assert_frame_equal(again[same], left.scores[same])
