"""A registered model on a machine that has nothing but what the model itself asks for.

The wheel that is to be tried is named by HABITUE_WHEEL, as `make clean-machine` does; nothing is tried where
none is. A fresh environment gets exactly the requirements that lie with the model, by uv, and answers there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

import habitue as hb
from habitue.models import ChurnAnswers, ValueAnswers, ValueInterval
from habitue.tracking import Answers, LoadedModel, Store, download, load, log_training, resolve

pytestmark = pytest.mark.slow

HORIZON = 91
OFFERED = "HABITUE_WHEEL"

THERE = """
import json
import sys
from importlib import metadata
from pathlib import Path
import pandas as pd
from mlflow import pyfunc
from mlflow.environment_variables import MLFLOW_ALLOW_PICKLE_DESERIALIZATION as pickled

assert not pickled.get()
model = pyfunc.load_model(sys.argv[1])
model.predict(pd.read_parquet("X.parquet"), params=json.loads(sys.argv[2])).to_parquet("told.parquet")
print(Path(sys.modules["habitue"].__file__).parent)
print(*(f"{one.metadata['Name']}=={one.version}" for one in metadata.distributions()))
"""
"""What runs on the clean machine: MLflow and a folder, no line of habitue's."""


class Machine(NamedTuple):
    """An environment with a model's requirements, and an empty home."""

    python: Path
    home: Path

    def answer(
        self, folder: Path, X: pd.DataFrame, params: dict[str, Any]
    ) -> tuple[pd.DataFrame, Path, set[str]]:
        """Return what the model says there, where habitue was imported from, and what is installed."""
        X.to_parquet(self.home / "X.parquet")
        command = [self.python, "-I", "-c", THERE, folder, json.dumps(params)]
        # Nothing of this process's environment: no paths, no settings, no other home.
        clean = {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        }
        ran = subprocess.run(command, cwd=self.home, env=clean, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        where, installed = ran.stdout.splitlines()[-2:]
        return pd.read_parquet(self.home / "told.parquet"), Path(where), set(installed.split())


@pytest.fixture(scope="module")
def wheel() -> Path:
    if OFFERED not in os.environ:
        pytest.skip(f"{OFFERED} names no wheel; `make clean-machine` builds one and names it")
    return Path(os.environ[OFFERED]).resolve()


@pytest.fixture(scope="module")
def past() -> hb.Snapshot:
    """Return the customers of a real shop, and what became of them."""
    return hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-12-30", horizon=HORIZON))


@pytest.fixture
def models(past: hb.Snapshot) -> dict[str, Answers]:
    """One model of trees and one of formulas, as the templates bundle them."""
    assert past.y is not None
    trees = hb.BoostedChurnClassifier(n_estimators=40, n_jobs=1).fit(past.X, past.y["churned"])
    story = hb.BTYDValueRegressor(horizon=HORIZON).fit(past.X)
    interval = ValueInterval(confidence=0.8).fit(story.predict(past.X), past.y["spend"])
    beside: dict[str, Any] = {"purchases": hb.BGNBD().fit(past.X), "horizon": HORIZON}
    return {
        "habitue-churn": ChurnAnswers(classifier=trees, **beside),
        "habitue-clv": ValueAnswers(regressor=story, interval=interval, **beside),
    }


def clean_machine(wheel: Path, requirements: Path, folder: Path) -> Machine:
    """Make an environment of a model's requirements alone; habitue itself comes from the wheel."""
    environment, home = folder / "environment", folder / "elsewhere"
    home.mkdir(parents=True)
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    install = [*uv, "pip", "install", "--quiet", "--python", python, f"habitue @ {wheel.as_uri()}"]
    subprocess.run([*install, "--requirement", requirements], check=True)
    return Machine(python, home)


def registered(store: Store, models: dict[str, Answers], X: pd.DataFrame) -> dict[str, LoadedModel]:
    for name, model in models.items():
        log_training(
            store,
            experiment="clean",
            run_name=name,
            params={},
            metrics={},
            model=model,
            registered_name=name,
            input_example=X.head(3),
        )
    return {name: load(store, resolve(store, f"{name}/1")) for name in models}


def test_a_registered_model_needs_nothing_but_its_requirements(
    wheel: Path, models: dict[str, Answers], past: hb.Snapshot, store: Store, tmp_path: Path
) -> None:
    X = past.X
    loaded = registered(store, models, X)
    asked = [("habitue-churn", {}), ("habitue-churn", {"reasons": True}), ("habitue-clv", {"horizon": 180})]
    here = [loaded[name].predict(X, **params) for name, params in asked]
    folders = {name: download(store, one.version, tmp_path / name) for name, one in loaded.items()}
    pinned = {name: (folder / "requirements.txt").read_text().split() for name, folder in folders.items()}
    assert all(re.fullmatch(r"[\w-]+==[\w.+-]+", one) for needed in pinned.values() for one in needed)

    machine = clean_machine(wheel, folders["habitue-churn"] / "requirements.txt", tmp_path)
    # From now on the registry is out of reach: all that there is lies in the folders.
    (tmp_path / "mlruns").rename(tmp_path / "gone")
    for (name, params), expected in zip(asked, here, strict=True):
        told, where, installed = machine.answer(folders[name], X, params)
        pd.testing.assert_frame_equal(told, expected, check_exact=True)
        assert where.is_relative_to(tmp_path / "environment")
        assert set(pinned[name]) <= installed
        assert not any(one.startswith(("pytest==", "pyspark==")) for one in installed)
