from __future__ import annotations

import json
import os
import py_compile
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import yaml

from habitue.errors import DataError, RegistryError, SchemaError
from habitue.models import ChurnAnswers
from habitue.tracking import LoadedModel, ModelVersion, download, load, log_training, resolve
from habitue.tracking.environment import SETTINGS
from habitue.tracking.fingerprints import checksums
from habitue.tracking.registry import CHECKSUMS_TAG


@pytest.fixture
def version(trained: Any) -> ModelVersion:
    return resolve(trained.store, "habitue-churn/1")


@pytest.fixture(scope="module")
def loaded(trained: Any) -> LoadedModel:
    return load(trained.store, resolve(trained.store, "habitue-churn/1"))


@contextmanager
def changed(path: Path, change: Callable[[bytes], bytes] | None) -> Iterator[None]:
    """Change, add or (with None) remove a file of the registered model, and put it back."""
    before = path.read_bytes() if path.exists() else None
    try:
        if change is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(change(before or b""))
        yield
    finally:
        if before is None:
            path.unlink()
            for folder in [folder for folder in path.parents if not any(folder.iterdir())]:
                folder.rmdir()
        else:
            path.write_bytes(before)


def flipped(content: bytes) -> bytes:
    """The same but for the last digit or letter."""
    i = max(i for i, byte in enumerate(content) if chr(byte).isalnum())
    return content[:i] + (b"1" if content[i : i + 1] != b"1" else b"2") + content[i + 1 :]


def forged(version: ModelVersion, folder: Path) -> ModelVersion:
    """The version as one who can also write to the registry would leave it: checksums that fit the files."""
    return replace(version, tags={CHECKSUMS_TAG: json.dumps(checksums(folder))})


def test_a_loaded_model_predicts_the_same_bits_as_the_trained(
    loaded: LoadedModel, trees: Any, customers: Any
) -> None:
    X = customers[0]
    pd.testing.assert_frame_equal(loaded.predict(X), trees.answer(X), check_exact=True)
    assert loaded.input_columns == ["frequency", "recency", "T"]
    assert loaded.version.label == "habitue-churn/1"


def test_pickle_is_not_needed(
    trained: Any, version: ModelVersion, trees: Any, customers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    X = customers[0]
    pd.testing.assert_frame_equal(load(trained.store, version).predict(X), trees.answer(X), check_exact=True)


def test_whole_numbers_and_other_columns_are_welcome(loaded: LoadedModel, customers: Any) -> None:
    X = customers[0].round().assign(note="-")
    whole = X.astype({"frequency": "int64", "recency": "int32", "T": "Int64"})[
        ["note", "T", "recency", "frequency"]
    ]
    pd.testing.assert_frame_equal(loaded.predict(whole), loaded.predict(X), check_exact=True)


def test_missing_columns_are_named(loaded: LoadedModel, customers: Any) -> None:
    with pytest.raises(SchemaError, match="missing columns: recency, T"):
        loaded.predict(customers[0][["frequency"]])


def test_reasons_pass_through_mlflow(loaded: LoadedModel, customers: Any) -> None:
    told = loaded.predict(customers[0].head(5), reasons=True)
    assert list(told.columns[-3:]) == ["reason_1", "reason_2", "reason_3"]


def test_another_horizon_passes_through_mlflow_where_the_model_answers_it(
    store: Any, story: ChurnAnswers, buyers: pd.DataFrame
) -> None:
    log_training(
        store,
        experiment="churn",
        run_name="story",
        params={},
        metrics={},
        model=story,
        input_example=buyers.head(2),
        registered_name="habitue-churn",
    )
    model = load(store, resolve(store, "habitue-churn/1"))
    for days in (None, 91, 180):
        told = model.predict(buyers, horizon=days)
        pd.testing.assert_frame_equal(told, story.answer(buyers, horizon=days), check_exact=True)


def test_a_horizon_that_the_signature_does_not_know_is_not_dropped_in_silence(
    loaded: LoadedModel, customers: Any
) -> None:
    with pytest.raises(RegistryError, match="habitue-churn/1 can only be asked for the horizon that it lear"):
        loaded.predict(customers[0], horizon=30)


def test_no_reasons_are_told_where_the_model_has_none(store: Any, line: Any, customers: Any) -> None:
    log_training(
        store,
        experiment="clv",
        run_name="line",
        params={},
        metrics={},
        model=line,
        input_example=customers[0].head(2),
        registered_name="habitue-clv",
    )
    model = load(store, resolve(store, "habitue-clv/1"))
    assert model.predict(customers[0])["tier"].isin(["gold", "silver"]).all()
    with pytest.raises(DataError, match="gives no reasons"):
        model.predict(customers[0], reasons=True)


def test_nothing_global_is_used(
    trained: Any, version: ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://192.0.2.1:1")  # an address nobody answers at
    load(trained.store, version)
    assert mlflow.get_tracking_uri() == "http://192.0.2.1:1"
    assert list(tmp_path.iterdir()) == []


def test_the_registered_files_are_left_as_they_are(trained: Any, version: ModelVersion) -> None:
    before = checksums(trained.folder)
    load(trained.store, version)
    assert checksums(trained.folder) == before


def test_models_loaded_at_once_are_not_mixed_up(store: Any, train: Any, customers: Any) -> None:
    train(store, rounds=1)
    train(store, rounds=30)
    versions = [resolve(store, f"habitue-churn/{n}") for n in (1, 2)] * 4
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda version: load(store, version), versions))
    rounds = [model.pyfunc.unwrap_python_model().model.rounds for model in models]
    assert rounds == [1, 30] * 4


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("artifacts/model/booster-0.txt", flipped, "files were changed .*: artifacts/model/booster-0.txt;"),
        ("artifacts/model/model.json", flipped, "files were changed .*: artifacts/model/model.json;"),
        ("loader.py", flipped, "files were changed .*: loader.py;"),
        ("MLmodel", flipped, "files were changed .*: MLmodel;"),
        ("requirements.txt", flipped, "files were changed .*: requirements.txt;"),
        ("artifacts/model/booster-0.txt", None, "files are missing .*: artifacts/model/booster-0.txt;"),
        ("artifacts/model/extra.txt", lambda _: b"?", "files were added .*: artifacts/model/extra.txt;"),
        ("code/habitue/__init__.py", lambda _: b"", "files were added .*: code/habitue/__init__.py;"),
    ],
)
def test_a_changed_file_is_refused(
    file: str,
    change: Any,
    sentence: str,
    trained: Any,
    version: ModelVersion,
    tmp_path: Path,
) -> None:
    with changed(trained.folder / file, change):
        with pytest.raises(RegistryError, match=f"habitue-churn/1 is not loaded: {sentence}"):
            load(trained.store, version)
        with pytest.raises(RegistryError, match=sentence):
            download(trained.store, version, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert load(trained.store, version).version == version


def test_foreign_code_is_not_run_even_with_checksums_that_fit(
    trained: Any, version: ModelVersion, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    evil = f"open({str(ran)!r}, 'w').close()\n".encode()
    with changed(trained.folder / "loader.py", lambda code: evil + code):
        # The attack is real: MLflow itself runs it.
        mlflow.pyfunc.load_model(str(trained.folder))
        assert ran.exists()
        ran.unlink()
        with pytest.raises(RegistryError, match=r"its loader\.py is not the one that habitue ships"):
            load(trained.store, forged(version, trained.folder))
    assert not ran.exists()
    for cache in trained.folder.rglob("__pycache__"):
        for file in cache.iterdir():
            file.unlink()
        cache.rmdir()


@pytest.mark.parametrize(
    "change",
    [
        lambda flavor: flavor | {"loader_module": "antigravity"},
        lambda flavor: flavor | {"model_code_path": "artifacts/evil.py"},
        lambda flavor: flavor | {"code": "code"},
        lambda flavor: flavor | {"python_model": "python_model.pkl"},
        lambda flavor: flavor | {"data": "data"},
        lambda flavor: flavor | {"artifacts": {"model": {"path": "../../elsewhere", "uri": ""}}},
        lambda flavor: {k: v for k, v in flavor.items() if k != "model_code_path"},
    ],
)
def test_an_mlmodel_that_asks_for_other_code_is_refused_even_with_checksums_that_fit(
    change: Any, trained: Any, version: ModelVersion
) -> None:
    def other(content: bytes) -> bytes:
        meta = yaml.safe_load(content)
        meta["flavors"]["python_function"] = change(meta["flavors"]["python_function"])
        return yaml.safe_dump(meta).encode()

    with (
        changed(trained.folder / "MLmodel", other),
        pytest.raises(
            RegistryError,
            match=r"MLmodel asks for other code than habitue's loader|its MLmodel can't be read",
        ),
    ):
        load(trained.store, forged(version, trained.folder))


@pytest.mark.parametrize("content", [b"", b"[]", b"flavors: [1]", b": : :", b"\xff", b"flavors:\n  a: {}\n"])
def test_a_damaged_mlmodel_is_refused(content: bytes, trained: Any, version: ModelVersion) -> None:
    with (
        changed(trained.folder / "MLmodel", lambda _: content),
        pytest.raises(RegistryError, match="its MLmodel"),
    ):
        load(trained.store, forged(version, trained.folder))


def test_compiled_code_beside_the_loader_is_not_run(
    trained: Any, version: ModelVersion, tmp_path: Path
) -> None:
    """Python prefers a compiled file whose time and size fit the source; MLflow leaves such files about."""
    ran = tmp_path / "ran"
    loader = trained.folder / "loader.py"
    code = loader.read_bytes()
    evil = f"open({str(ran)!r}, 'w').close()\n".encode()
    compiled = Path(cache_from_source(str(loader)))
    loader.write_bytes(evil)
    py_compile.compile(
        str(loader), cfile=str(compiled), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    loader.write_bytes(code)
    try:
        mlflow.models.model.__mlflow_model__ = None
        with pytest.raises(mlflow.MlflowException):  # the attack is real: MLflow runs it and finds no model
            mlflow.pyfunc.load_model(str(trained.folder))
        assert ran.exists()
        ran.unlink()
        assert load(trained.store, version).version == version
        assert not ran.exists()
    finally:
        compiled.unlink()
        compiled.parent.rmdir()


def test_a_version_without_checksums_is_refused(trained: Any, version: ModelVersion) -> None:
    for tags in ({}, {CHECKSUMS_TAG: "?"}, {CHECKSUMS_TAG: "3"}):
        with pytest.raises(RegistryError, match=r"its tag habitue\.sha256 is missing or damaged"):
            load(trained.store, replace(version, tags=tags))


def test_a_home_whose_files_are_gone_is_told(trained: Any, version: ModelVersion) -> None:
    away = trained.folder.with_name("moved")
    trained.folder.rename(away)
    try:
        with pytest.raises(
            RegistryError, match=r"files of habitue-churn/1 can't be fetched .* may have been moved"
        ):
            load(trained.store, version)
    finally:
        away.rename(trained.folder)


def test_a_download_is_complete_and_goes_nowhere_else(
    trained: Any, version: ModelVersion, tmp_path: Path
) -> None:
    folder = download(trained.store, version, tmp_path / "copy")
    assert checksums(folder) == checksums(trained.folder)
    with pytest.raises(RegistryError, match="is not empty"):
        download(trained.store, version, tmp_path / "copy")


CHILD = """
import json, os, runpy, sys
runpy.run_path({conftest!r}, run_name="conftest")  # puts the model on the list, as habitue.models does
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model({folder!r})
X = pd.DataFrame({{"frequency": [2.0], "recency": [30.5], "T": [250.0]}})
told = model.predict(X, params={{"reasons": False}})
print(json.dumps([told.to_numpy().tolist(), [os.environ[name] for name in {names!r}]]))
"""


def test_a_fresh_process_needs_no_pickle_no_store_and_says_nothing(
    trained: Any, version: ModelVersion, loaded: LoadedModel, tmp_path: Path
) -> None:
    folder = download(trained.store, version, tmp_path / "copy")
    conftest = str(Path(__file__).with_name("conftest.py"))
    code = CHILD.format(conftest=conftest, folder=str(folder), names=list(SETTINGS))
    bare = {key: value for key, value in os.environ.items() if key not in SETTINGS}
    # What the starter of a process has set stays; the rest is set for it.
    chosen = bare | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_UV_AUTO_DETECT": "true"}
    child = subprocess.run(
        [sys.executable, "-c", code], env=chosen, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    answers, settings = json.loads(child.stdout)
    X = pd.DataFrame({"frequency": [2.0], "recency": [30.5], "T": [250.0]})
    assert answers == loaded.predict(X).to_numpy().tolist()
    assert settings == ["true", "true", "false", "3", "true"]
    assert child.stderr == ""
