from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.models import Model

from habitue.errors import DataError, SettingsError
from habitue.files import sha256_of
from habitue.tracking import Store, log_training, open_store
from habitue.tracking.fingerprints import content_hash
from habitue.tracking.origin import git_tags
from habitue.tracking.packing import LOADER, serving_requirements

LOADER_HASH = "7484ba0b8d938bda284aa544162d20b5d8040f47b192cdc353ea7cd06f81a461"


def told(store: Store, run_id: str) -> Any:
    return store.client().get_run(run_id)


def all_runs(store: Store) -> list[Any]:
    client = store.client()
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()]))


def minimal(store: Store, **more: Any) -> Any:
    return log_training(store, experiment="churn", run_name="try", **({"params": {}, "metrics": {}} | more))


def test_a_run_holds_what_it_was_given(store: Store) -> None:
    logged = minimal(
        store,
        params={"rounds": 60, "columns": "x," * 5_000, "none": None} | {f"p{i}": i for i in range(150)},
        metrics={"auc": 0.75, "lift": np.float64(2.5)} | {f"m{i}": float(i) for i in range(1_100)},
        tags={"habitue.dataset": "0f3a"},
        tables={"scores": pd.DataFrame({"auc": [0.75]}, index=["2024-01-01"])},
        figures={"calibration": "<svg xmlns='http://www.w3.org/2000/svg'/>"},
        texts={"recipe.toml": "kind = 'churn'\n", "deep/er.txt": "ñ"},
    )
    run = told(store, logged.run_id)
    assert (logged.name, logged.version) == (None, None)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "try"
    assert run.data.params["rounds"] == "60"
    assert run.data.params["none"] == "None"
    assert run.data.params["columns"] == "see the file params/columns.txt"
    assert len(run.data.params) == 153
    assert run.data.metrics["lift"] == 2.5
    assert len(run.data.metrics) == 1_102
    assert run.data.tags["habitue.dataset"] == "0f3a"
    assert run.data.tags["habitue.version"] == metadata.version("habitue")

    def text(path: str) -> str:
        return mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{path}")

    assert text("params/columns.txt") == "x," * 5_000
    assert text("tables/scores.csv") == "auc\n0.75\n"
    assert text("figures/calibration.svg").startswith("<svg")
    assert text("texts/recipe.toml") == "kind = 'churn'\n"
    assert text("texts/deep/er.txt") == "ñ"


def test_datasets_are_known_by_their_whole_content_and_no_row_is_kept(
    store: Store, customers: Any, tmp_path: Path
) -> None:
    X = customers[0]
    logged = minimal(store, datasets={"train": X, "holdout": "f" * 64})
    inputs = {item.dataset.name: item for item in told(store, logged.run_id).inputs.dataset_inputs}
    train = inputs["train"]
    assert train.dataset.digest == content_hash(X)[:32]
    assert {tag.key: tag.value for tag in train.tags} == {
        "mlflow.data.context": "train",
        "habitue.content": content_hash(X),
    }
    assert json.loads(train.dataset.profile) == {"num_rows": 200, "num_elements": 600}
    assert [c["name"] for c in json.loads(train.dataset.schema)["mlflow_colspec"]] == list(X.columns)
    assert inputs["holdout"].dataset.digest == "f" * 32
    assert not list((tmp_path / "mlruns" / "artifacts").rglob("*.csv"))


def test_a_file_cannot_leave_its_run(store: Store) -> None:
    with pytest.raises(SettingsError, match=r"leave out '\.\.'"):
        minimal(store, texts={"../../escaped": "!"})
    assert [run.info.status for run in all_runs(store)] == ["FAILED"]


def test_a_model_is_registered_with_its_signature_and_requirements(trained: Any) -> None:
    client = trained.store.client()
    run = told(trained.store, trained.logged.run_id)
    version = client.get_model_version("habitue-churn", "1")
    assert (trained.logged.name, trained.logged.version) == ("habitue-churn", 1)
    assert version.run_id == run.info.run_id
    assert run.info.status == "FINISHED"
    meta = Model.load(str(trained.folder))
    assert meta.run_id == run.info.run_id
    assert meta.signature.inputs.to_dict() == [
        {"type": "double", "name": name, "required": True} for name in ("frequency", "recency", "T")
    ]
    assert meta.signature.outputs.input_names() == ["p_alive", "churn_probability"]
    assert [(p.name, p.dtype.name, p.default) for p in meta.signature.params] == [
        ("reasons", "boolean", False),
        ("reasons_from", "double", 0.0),
    ]
    assert (trained.folder / "requirements.txt").read_text().split("\n") == serving_requirements()
    assert yaml.safe_load((trained.folder / "conda.yaml").read_text())["dependencies"][-1] == {
        "pip": serving_requirements()
    }
    assert json.loads((trained.folder / "input_example.json").read_text())["columns"] == [
        "frequency",
        "recency",
        "T",
    ]


def test_run_model_and_version_are_linked(trained: Any) -> None:
    client = trained.store.client()
    (output,) = told(trained.store, trained.logged.run_id).outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert model.source_run_id == trained.logged.run_id
    assert model.status == "READY"
    assert [(m.key, m.value) for m in model.metrics] == [("auc", 0.75)]
    assert model.params == {"rounds": "15"}
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "habitue-churn", "version": 1}]


def test_requirements_pin_what_is_installed() -> None:
    pins = dict(requirement.split("==") for requirement in serving_requirements())
    assert {"habitue", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy", "mlflow"} <= set(pins)
    assert all(metadata.version(name) == version for name, version in pins.items())


def test_text_answers_are_in_the_signature(store: Store, line: Any, customers: Any, tmp_path: Path) -> None:
    minimal(store, model=line, input_example=customers[0].head(2), requirements=["numpy==2.4.6"])
    (folder,) = [path.parent for path in (tmp_path / "mlruns").rglob("MLmodel")]
    outputs = Model.load(str(folder)).signature.outputs
    assert [(c.name, c.type.name) for c in outputs] == [("clv", "double"), ("tier", "string")]
    assert "habitue" not in (folder / "requirements.txt").read_text()
    assert store.client().search_registered_models() == []


PICKLE_NAMES = (".pkl", ".pickle", ".dill", ".joblib", ".cloudpickle", ".npy", ".npz", ".pt")


def test_no_logged_file_is_a_pickle(trained: Any) -> None:
    files = [p for p in trained.folder.parents[3].rglob("*") if p.is_file() and "artifacts" in p.parts]
    assert {"model.json", "booster-0.txt", "loader.py", "MLmodel"} <= {p.name for p in files}
    for path in files:
        content = path.read_bytes()
        assert not path.name.endswith(PICKLE_NAMES), path
        # A pickle starts with its protocol (0x80, 2-5) or, in protocol 0, ends with the opcode STOP;
        # compressed ones start with the marks of zip, gzip, bz2 or xz.
        assert not content.startswith((b"\x80", b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")), path
        assert not content.rstrip(b"\n").endswith(b"\n."), path
        content.decode("utf-8")  # every file is text


def test_the_loader_is_the_one_that_all_registered_models_carry() -> None:
    # Changing a byte of it makes every version that is registered anywhere unloadable.
    assert sha256_of(LOADER) == LOADER_HASH


def test_an_interruption_while_the_run_is_made_leaves_none_running(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    minimal(store)
    make = MlflowClient.create_run

    def torn(*args: Any, **more: Any) -> Any:
        make(*args, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "create_run", torn)
    with pytest.raises(KeyboardInterrupt):
        minimal(store)
    assert sorted(run.info.status for run in all_runs(store)) == ["FINISHED", "KILLED"]


@pytest.mark.parametrize(("stop", "status"), [(ValueError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
@pytest.mark.parametrize(
    "where", ["log_artifacts", "log_model_artifacts", "log_batch", "create_model_version"]
)
def test_an_interrupted_run_registers_nothing(
    where: str, stop: BaseException, status: str, store: Store, train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise stop

    monkeypatch.setattr(MlflowClient, where, interrupted)
    if where == "log_artifacts":
        with pytest.raises(type(stop)):
            minimal(store, texts={"a": "b"})
    else:
        with pytest.raises(type(stop)):
            train(store)
    (run,) = all_runs(store)
    assert run.info.status == status
    assert store.client().search_model_versions() == []
    models = store.client().search_logged_models([run.info.experiment_id])
    assert {model.status.value for model in models} <= {"FAILED", "READY"}


def test_a_model_that_cannot_be_stored_fails_the_run(
    store: Store, trees: Any, customers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "extra_", object(), raising=False)
    with pytest.raises(DataError, match=r"TreesForTracking\.extra_ is a builtins\.object"):
        minimal(store, model=trees, input_example=customers[0].head(2), registered_name="m")
    (run,) = all_runs(store)
    assert run.info.status == "FAILED"
    (model,) = store.client().search_logged_models([run.info.experiment_id])
    assert model.status == "FAILED"
    assert store.client().search_registered_models() == []


def test_answers_must_keep_the_customers(
    store: Store, line: Any, customers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(line), "answer", lambda self, X: pd.DataFrame({"clv": [1.0]}))
    with pytest.raises(DataError, match=r"LineForTracking\.answer returned 1 rows for 2"):
        minimal(store, model=line, input_example=customers[0].head(2))


def test_what_belongs_together_is_asked_for_together(store: Store, trees: Any) -> None:
    with pytest.raises(SettingsError, match="an input_example"):
        minimal(store, model=trees)
    with pytest.raises(SettingsError, match="nothing to register as m"):
        minimal(store, registered_name="m")
    assert all_runs(store) == []


@pytest.fixture
def spoken() -> Iterator[list[str]]:
    """What MLflow says meanwhile; its logger does not hand on to the root."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("mlflow").addHandler(handler)
    yield said
    logging.getLogger("mlflow").removeHandler(handler)


def test_logging_and_registering_say_nothing(
    store: Store, train: Any, spoken: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert [train(store).version, train(store).version] == [1, 2]
    assert spoken == []
    assert capfd.readouterr() == ("", "")


def test_nothing_depends_on_or_touches_the_working_directory(
    store: Store, train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "uv.lock").write_text("version = 1\n")
    (tmp_path / "elsewhere" / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://192.0.2.1:1")  # an address nobody answers at
    assert train(store).version == 1
    assert sorted(p.name for p in (tmp_path / "elsewhere").iterdir()) == ["pyproject.toml", "uv.lock"]
    assert not list((tmp_path / "mlruns").rglob("uv.lock"))
    assert mlflow.active_run() is None


def test_two_homes_do_not_mix(store: Store, train: Any, template: Path, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "mlflow.db").write_bytes(template.read_bytes())
    second = open_store(tmp_path / "second")
    train(store)
    train(second, name="other")
    assert [m.name for m in store.client().search_registered_models()] == ["habitue-churn"]
    assert [m.name for m in second.client().search_registered_models()] == ["other"]
    assert len(list((tmp_path / "second").rglob("MLmodel"))) == 1


def git(folder: Path, *arguments: str) -> str:
    name = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_commit_is_noted_and_whether_the_code_was_changed(tmp_path: Path) -> None:
    assert git_tags(tmp_path) == {}
    assert git_tags(tmp_path / "absent") == {}
    git(tmp_path, "init", "-q")
    assert git_tags(tmp_path) == {}
    (tmp_path / "code.py").write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "untracked").write_text("")
    assert git_tags(tmp_path) == {"mlflow.source.git.commit": commit, "habitue.git_dirty": "false"}
    (tmp_path / "code.py").write_text("2\n")
    assert git_tags(tmp_path)["habitue.git_dirty"] == "true"


def test_without_git_there_are_no_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_tags(tmp_path) == {}
