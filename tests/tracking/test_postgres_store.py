"""A real PostgreSQL server as MLflow's home. A fresh schema takes seconds: one for all tests here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from habitue.errors import RegistryError, SettingsError, UnavailableError
from habitue.tracking import Store, champion, load, open_store, resolve, set_champion
from habitue.tracking.model_cache import load_reference

pytestmark = pytest.mark.slow
psycopg = pytest.importorskip("psycopg", reason="the extra habitue[postgres] is not installed")

PASSWORD = "s3cr3t%word"


@pytest.fixture(scope="module")
def address(postgres: Any) -> Iterator[str]:
    """A database of its own; the password is in the environment and nowhere else."""
    host = f"host={postgres.socket}&port=54329"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PGPASSWORD", PASSWORD)
        with psycopg.connect(f"postgresql://habitue@/postgres?{host}", autocommit=True) as connection:
            connection.execute("CREATE DATABASE mlflow")
        yield f"postgresql://habitue@/mlflow?{host}"


@pytest.fixture(scope="module")
def store(address: str, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(address, artifacts=tmp_path_factory.mktemp("artifacts"))


def test_a_model_is_trained_registered_promoted_and_loaded(
    store: Store, train: Any, trees: Any, customers: Any
) -> None:
    assert [train(store).version, train(store, rounds=3).version] == [1, 2]
    assert champion(store, "habitue-churn") is None
    set_champion(store, "habitue-churn", 2, why="quicker")
    set_champion(store, "habitue-churn", 1, why="better AUC")
    assert resolve(store, "habitue-churn").tags["habitue.champion_from"] == "2"
    X = customers[0]
    loaded = load(store, resolve(store, "habitue-churn@champion"))
    pd.testing.assert_frame_equal(loaded.predict(X), trees.answer(X), check_exact=True)
    with pytest.raises(RegistryError, match="has no version 9; its versions are: 1, 2"):
        resolve(store, "habitue-churn/9")


def test_the_password_is_nowhere_in_the_database_or_the_files(store: Store, train: Any, address: str) -> None:
    train(store, name="habitue-secret", rounds=2)
    with psycopg.connect(address) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        assert len(tables) > 10
        for (table,) in tables:
            query = psycopg.sql.SQL("SELECT t::text FROM {} t").format(psycopg.sql.Identifier(table))
            assert not [row for (row,) in connection.execute(query) if PASSWORD in row]
    files = list(Path(str(store.artifact_location).removeprefix("file://")).rglob("*"))
    assert len(files) > 5
    assert not [path for path in files if path.is_file() and PASSWORD.encode() in path.read_bytes()]


def test_a_wrong_password_is_told_without_it(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "wr0ng-word")
    with pytest.raises(SettingsError, match=r"does not let us in.*PGPASSWORD or ~/\.pgpass") as told:
        open_store(address, artifacts=tmp_path)
    assert "wr0ng" not in str(told.value)


def test_a_database_that_does_not_exist_is_told(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r'does not let us in.*"absent" does not exist'):
        open_store(address.replace("/mlflow?", "/absent?"), artifacts=tmp_path)


def test_a_server_that_does_not_answer_is_a_matter_of_later_and_told_at_once(
    store: Store, train: Any, tmp_path: Path
) -> None:
    if champion(store, "habitue-later") is None:
        set_champion(store, "habitue-later", train(store, name="habitue-later", rounds=2).version, why="-")
    load_reference(lambda: store, "habitue-later", cache=tmp_path)
    nobody = "postgresql://habitue@/mlflow?host=/nowhere&port=1"
    before = time.monotonic()
    with pytest.raises(UnavailableError, match=r"does not answer.*try again later"):
        open_store(nobody, artifacts=tmp_path)
    kept = load_reference(
        lambda: open_store(nobody, artifacts=tmp_path), "habitue-later", cache=tmp_path, allow_cached=True
    )
    assert kept.from_cache
    assert time.monotonic() - before < 10


def test_a_connection_that_is_lost_is_a_matter_of_later(store: Store, address: str, train: Any) -> None:
    """Every connection is cut, as by a server that starts anew; the call after that works again."""
    if champion(store, "habitue-cut") is None:
        set_champion(store, "habitue-cut", train(store, name="habitue-cut", rounds=2).version, why="-")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'mlflow' AND pid <> pg_backend_pid()"
        )
    with contextlib.suppress(UnavailableError):
        load_reference(lambda: store, "habitue-cut")
    assert load_reference(lambda: store, "habitue-cut").version.version == 1
