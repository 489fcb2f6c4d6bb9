from __future__ import annotations

import logging
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import mlflow
import pytest
from sqlalchemy.exc import OperationalError

from habitue.errors import SettingsError, UnavailableError
from habitue.tracking import Store, open_store
from habitue.tracking.answering import answering
from habitue.tracking.environment import quiet


def test_a_folder_gets_an_absolute_home(store: Store, tmp_path: Path) -> None:
    home = tmp_path / "mlruns"
    assert store == Store(f"sqlite:///{home}/mlflow.db", (home / "artifacts").as_uri())


def test_a_relative_folder_is_fixed_at_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for home in ("mlruns", Path("mlruns"), "sqlite:///mlruns/mlflow.db"):
        assert open_store(home) == store
    assert open_store() == store


def test_the_global_state_of_mlflow_is_neither_read_nor_changed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://192.0.2.1:1")  # an address nobody answers at
    monkeypatch.chdir(tmp_path)
    assert store.experiment_id("churn") == store.experiment_id("churn")
    assert mlflow.get_tracking_uri() == mlflow.get_registry_uri() == "http://192.0.2.1:1"
    assert [path.name for path in tmp_path.iterdir()] == ["mlruns"]


def test_an_experiment_keeps_its_files_in_the_home(store: Store, tmp_path: Path) -> None:
    experiment = store.client().get_experiment(store.experiment_id("churn"))
    assert experiment.artifact_location == (tmp_path / "mlruns" / "artifacts").as_uri()


def test_a_deleted_experiment_is_told(store: Store) -> None:
    store.client().delete_experiment(store.experiment_id("churn"))
    with pytest.raises(SettingsError, match="'churn' was deleted; restore it"):
        store.experiment_id("churn")


def test_an_experiment_made_meanwhile_is_taken(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = store.experiment_id("churn")
    client = type(store.client())
    find = client.get_experiment_by_name
    calls: list[str] = []
    monkeypatch.setattr(
        client,
        "get_experiment_by_name",
        lambda self, name: find(self, name) if calls else calls.append(name),
    )
    assert store.experiment_id("churn") == made
    assert calls == ["churn"]


def test_a_server_that_does_not_answer_is_a_matter_of_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UnavailableError, match=r"http://127\.0\.0\.1:9 does not answer .*try again later"):
        open_store("http://127.0.0.1:9")


def test_what_is_no_mlflow_server_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:  # it answers 501 to everything
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            with pytest.raises(SettingsError, match=f"MLflow can't use {address}: .* 501"):
                open_store(address)
        finally:
            server.shutdown()


def test_databricks_without_credentials_is_told() -> None:
    with pytest.raises(SettingsError, match="MLflow can't use databricks"):
        open_store("databricks")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:s3cret@host/mlflow",
        "postgresql://ann:s3/cr@et@host/mlflow",
        "postgresql+psycopg://ann@host/mlflow?password=s3cret",
        "https://ann:s3cret@mlflow.example.org",
        "mysql+pymysql://ann:s3cret@host/mlflow",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(
        SettingsError, match=r"holds a password.*PGPASSWORD.*MLFLOW_TRACKING_PASSWORD"
    ) as told:
        open_store(address, artifacts="files")
    assert "s3c" not in str(told.value)
    assert "cr@et" not in str(told.value)


def test_a_database_without_its_driver_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"needs one more package|can't use mssql"):
        open_store("mssql+pymssql://ann@host/mlflow", artifacts=tmp_path)


def test_a_locked_database_is_a_matter_of_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    address = store.tracking_uri
    with pytest.raises(UnavailableError, match=r"sqlite:.* does not answer .*locked"), answering(address):
        raise OperationalError("SELECT 1", {}, sqlite3.OperationalError("database is locked"))
    with pytest.raises(OperationalError), answering(address):
        raise OperationalError("SELECT 1", {}, sqlite3.OperationalError("no such table: x"))


@pytest.mark.parametrize("address", ["file:///tmp/mlruns", "ftp://example.org", "s3://bucket/mlruns"])
def test_an_address_that_is_no_home_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="is no home for MLflow; expected a folder"):
        open_store(address)


def test_a_database_elsewhere_needs_a_place_for_files() -> None:
    with pytest.raises(SettingsError, match="a postgresql home does not say where files go"):
        open_store("postgresql://user@host/mlflow")


def test_files_may_lie_elsewhere(store: Store, tmp_path: Path) -> None:
    assert open_store(tmp_path / "mlruns", artifacts="s3://bucket/x").artifact_location == "s3://bucket/x"
    local = open_store(tmp_path / "mlruns", artifacts=tmp_path / "files").artifact_location
    assert local == (tmp_path / "files").as_uri()


def test_a_home_beneath_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="can't be written to"):
        open_store(tmp_path / "file" / "mlruns")


def test_a_home_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "mlruns"
    home.mkdir(mode=0o500)
    if os.access(home, os.W_OK):  # the superuser may write anywhere but into the kernel's own folders
        home = Path("/proc")
    if not home.is_dir():
        pytest.skip("no folder here that the superuser can't write to")
    with pytest.raises(SettingsError, match=f"home {home} can't be written to"):
        open_store(home)


def test_a_database_of_another_mlflow_is_told(template: Path, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(template.read_bytes())
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    connection.close()
    with pytest.raises(SettingsError, match="MLflow can't use sqlite"):
        open_store(tmp_path)


def test_quiet_puts_everything_back() -> None:
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    with quiet():
        assert {logger.level for logger in loggers} == {logging.WARNING}
    assert [logger.level for logger in loggers] == levels
    with pytest.raises(KeyError), quiet():
        raise KeyError
    assert [logger.level for logger in loggers] == levels
