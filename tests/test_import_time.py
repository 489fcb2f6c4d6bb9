"""`import habitue` is quick: MLflow, LightGBM, Matplotlib and all else that is heavy wait to be used."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

HEAVY = ("mlflow", "lightgbm", "matplotlib", "pandas", "sklearn", "scipy", "duckdb")


def loaded_by(code: str) -> list[str]:
    """Return the heavy packages that a fresh Python has loaded after some code."""
    program = f"{code}\nimport sys, json\nsys.stderr.write(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return [name for name in HEAVY if name in json.loads(ran.stderr)]


@pytest.mark.parametrize(
    "code",
    [
        "import habitue",
        "import habitue.cli",
        "import habitue.cli; habitue.cli.main(['--help'])",
        "import habitue.cli; habitue.cli.main(['train', '--help'])",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded_by(code) == []


def test_names_are_loaded_when_used_and_without_mlflow() -> None:
    loaded = loaded_by("import habitue as hb; hb.BGNBD, hb.read_log, hb.take_snapshot, hb.backtest")
    assert {"pandas", "duckdb"} <= set(loaded)
    assert not {"mlflow", "lightgbm", "matplotlib"} & set(loaded)


def seconds(code: str) -> float:
    """Return the best of three wall times of a fresh Python."""
    times: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
        times.append(time.perf_counter() - began)
    return min(times)


def test_import_is_a_fraction_of_that_of_pandas() -> None:
    assert seconds("import habitue") - seconds("pass") < 0.5 * (seconds("import pandas") - seconds("pass"))
