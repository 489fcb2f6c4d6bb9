"""A real `mlflow server` that asks for a name and a password, started and stopped here."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from habitue.errors import RegistryError, UnavailableError
from habitue.tracking import champion, open_store, resolve, set_champion
from habitue.tracking.model_cache import load_reference

pytestmark = pytest.mark.slow
pytest.importorskip("flask_wtf", reason="the extra mlflow[auth] is not installed")

NAME, PASSWORD = "keeper", "s3cr3t-of-the-server"
SECRETS = {
    "MLFLOW_TRACKING_USERNAME": NAME,
    "MLFLOW_TRACKING_PASSWORD": PASSWORD,
    "PGPASSWORD": "s3cr3t-of-the-database",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-cloud",
}
REGISTRY_CODE = 6
ORDERS = [
    {
        "customer_id": f"c{who:03d}",
        "order_date": date(2023, 1, 1) + timedelta(days=who % 60 + 9 * order * (1 + who % 5)),
        "amount": 10.0 + (who * 7 + order) % 30,
    }
    for who in range(120)
    for order in range(1 + who % 9)
]
PATIENCE = 180  # seconds; a busy machine starts a server in half a minute


@dataclass(frozen=True)
class Server:
    """A running server."""

    address: str
    folder: Path
    process: subprocess.Popen[bytes]

    def stop(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
            self.process.wait(30)


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def begin_server(folder: Path, template: Path, port: int) -> subprocess.Popen[bytes]:
    (folder / "mlflow.db").write_bytes(template.read_bytes())
    (folder / "auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\n"
        f"database_uri = sqlite:///{folder}/auth.db\nadmin_username = {NAME}\n"
        # Else each request pays for the slow hash of a password anew.
        "auth_cache_ttl_seconds = 600\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    program = Path(sys.executable).with_name("mlflow")
    places = [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        folder / "files",
    ]
    where = ["--host", "127.0.0.1", "--port", port, "--workers", 1]
    environment = os.environ | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "for-tests",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [program, "server", "--app-name", "basic-auth", *map(str, [*places, *where])],
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    port = free_port()
    process = begin_server(folder, template, port)
    started = Server(f"http://127.0.0.1:{port}", folder, process)
    try:
        wait_for(started.address, process, folder / "log")
        yield started
    finally:
        started.stop(signal.SIGTERM)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def test_without_credentials_the_way_out_is_told(server: Server) -> None:
    with pytest.raises(RegistryError, match=r"asks for a name and a password.*MLFLOW_TRACKING_USERNAME"):
        open_store(server.address)


def test_with_wrong_credentials_too_and_they_are_not_repeated(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", NAME)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wr0ng-word")
    with pytest.raises(RegistryError, match="or does not know those it was given") as told:
        open_store(server.address)
    assert "wr0ng" not in str(told.value)


def test_a_refused_job_is_not_answered_for_by_a_copy(
    server: Server, train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may no longer ask the registry may no longer have its models."""
    with monkeypatch.context() as known:
        for name, value in SECRETS.items():
            known.setenv(name, value)
        store = open_store(server.address)
        train(store, name="habitue-refused", rounds=2)
        load_reference(lambda: store, "habitue-refused/1", cache=tmp_path)
    with pytest.raises(RegistryError, match="asks for a name and a password"):
        load_reference(
            lambda: open_store(server.address), "habitue-refused/1", cache=tmp_path, allow_cached=True
        )


@pytest.mark.usefixtures("credentials")
def test_a_model_is_trained_registered_promoted_and_loaded(
    server: Server, train: Any, trees: Any, customers: Any, tmp_path: Path
) -> None:
    store = open_store(server.address)
    assert store.artifact_location is None
    assert train(store, name="habitue-trees").version == 1
    assert champion(store, "habitue-trees") is None
    set_champion(store, "habitue-trees", 1, why="better AUC")
    X = customers[0]
    loaded = load_reference(lambda: store, "habitue-trees@champion", cache=tmp_path)
    pd.testing.assert_frame_equal(loaded.predict(X), trees.answer(X), check_exact=True)
    with pytest.raises(RegistryError, match="there is no model 'habitue-tree'; did you mean 'habitue-trees'"):
        resolve(store, "habitue-tree")

    # What is gone or changed on the server is no matter for the cache.
    source = store.client().get_model_version_download_uri("habitue-trees", "1")
    (server.folder / "files" / source.removeprefix("mlflow-artifacts:/") / "loader.py").unlink()
    with pytest.raises(RegistryError, match=r"files are missing since it was registered: loader\.py"):
        load_reference(lambda: store, "habitue-trees/1", cache=tmp_path, allow_cached=True)


def test_no_secret_of_the_environment_is_written_anywhere(
    server: Server,
    new_shop: Callable[[pd.DataFrame], Path],
    command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Train and score through the server; then read every file that either of them left."""
    shop = new_shop(pd.DataFrame(ORDERS))
    settings = shop / "habitue.toml"
    settings.write_text(
        re.sub(r'mlruns = "[^"]*"', f'mlruns = "{server.address}"', settings.read_text("utf-8"))
    )
    told = command(shop, "train", "models/churn.toml")
    assert told.code == REGISTRY_CODE
    assert "MLFLOW_TRACKING_PASSWORD in the environment" in told.err
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    said = [told.out, told.err]
    for arguments in (
        ["train", "models/churn.toml", "--json"],
        ["score", "--model", "habitue-churn@champion", "--allow-breaches", "--log", "log.jsonl"],
    ):
        told = command(shop, *arguments)
        assert told.code == 0, told.err
        said += [told.out, told.err]
    registered = open_store(server.address).client()
    for run in registered.search_runs(registered.search_experiments()[0].experiment_id):
        said.append(str(run.to_dictionary()))
    said += [record.getMessage() for record in caplog.records]
    hidden = [value for name, value in SECRETS.items() if name != "MLFLOW_TRACKING_USERNAME"]
    assert not [text for text in said for secret in hidden if secret in text]
    files = [path for folder in (shop, server.folder) for path in folder.rglob("*") if path.is_file()]
    assert {".parquet", ".json", ".jsonl", ".db", ".txt"} <= {path.suffix for path in files}
    assert not [path for path in files for secret in hidden if secret.encode() in path.read_bytes()]


@pytest.mark.usefixtures("credentials")
def test_a_server_that_went_away_is_a_matter_of_later(server: Server, train: Any, tmp_path: Path) -> None:
    """The last test here: it stops the server."""
    store = open_store(server.address)
    train(store, name="habitue-away", rounds=2)
    load_reference(lambda: store, "habitue-away/1", cache=tmp_path)
    server.stop(signal.SIGKILL)
    with pytest.raises(UnavailableError, match="does not answer"):
        load_reference(lambda: store, "habitue-away/1", cache=tmp_path)
    kept = load_reference(
        lambda: open_store(server.address), "habitue-away/1", cache=tmp_path, allow_cached=True
    )
    assert kept.from_cache
