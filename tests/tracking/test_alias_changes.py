"""The trail of aliases: one chain, whoever writes at the same time and whoever dies halfway."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from habitue.errors import RegistryError
from habitue.tracking import Store, alias_changes, champion, open_store, set_champion
from habitue.tracking.alias_changes import Change, change_alias, changes
from habitue.tracking.registry import registered_versions, set_challenger

NAME = "habitue-churn"
WHEN = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)

# Processes are forked before any of them opens the store: none shares a connection with another.
AT_ONCE = """
import os, signal, sys
from habitue.tracking import Store, set_champion
from mlflow import MlflowClient

uri, artifacts, killed, *versions = sys.argv[1:]
children = []
for place, version in enumerate(versions):
    child = os.fork()
    if child == 0:
        if killed == "killed":
            def die(*_):
                os.kill(os.getpid(), signal.SIGKILL)
            MlflowClient.set_registered_model_alias = die
        try:
            set_champion(Store(uri, artifacts), "habitue-churn", int(version), why=f"process {place}")
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def at_once(store: Store, *versions: int, killed: bool = False) -> int:
    """Let processes promote at the same time; return how many of them failed."""
    arguments = [store.tracking_uri, str(store.artifact_location), "killed" if killed else "-"]
    command = [sys.executable, "-W", "ignore", "-c", AT_ONCE, *arguments, *map(str, versions)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if told.returncode and not killed:
        print(told.stderr)
    return told.returncode


@contextmanager
def served(store: Store, log: Path) -> Iterator[str]:
    """Run an mlflow server over a store as long as the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store.tracking_uri]
    command += [
        "--artifacts-destination",
        str(store.artifact_location),
        "--workers",
        "1",
        "--port",
        str(port),
    ]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with log.open("w") as told:
        server = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=told, stderr=told, start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(480):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.25)
    pytest.fail(f"no answer from the server: {log.read_text()}")


def make_versions(store: Store, n: int = 8) -> Store:
    client = store.client()
    client.create_registered_model(NAME)
    for _ in range(n):
        client.create_model_version(NAME, source="s3://nowhere/m", run_id=None)
    return store


def is_one_chain(trail: tuple[Change, ...]) -> bool:
    of_champion = [one for one in trail if one.alias == "champion"]
    follows = all(later.before == earlier.to for earlier, later in pairwise(of_champion))
    return follows and [one.number for one in trail] == list(range(1, len(trail) + 1))


def tags_of(store: Store) -> list[dict[str, Any]]:
    tags = store.client().get_registered_model(NAME).tags
    return [json.loads(tags[key]) for key in sorted(tags) if key.startswith("habitue.change-")]


@pytest.fixture
def registered(store: Store) -> Store:
    return make_versions(store)


def test_every_change_is_told_on_the_model(registered: Store) -> None:
    set_champion(registered, NAME, 1, why="the first", who="ann", when=WHEN, how="trained")
    set_challenger(registered, NAME, 2, why="newer", who="bob")
    set_champion(registered, NAME, 2, why='better, "by far"', who="bob", when=WHEN)
    assert changes(registered, NAME) == (
        Change(1, "champion", None, 1, "trained", "the first", "ann", WHEN.isoformat()),
        Change(2, "challenger", None, 2, "trained", "newer", "bob", ""),
        Change(3, "champion", 1, 2, "promoted", 'better, "by far"', "bob", WHEN.isoformat()),
    )
    assert tags_of(registered)[2] == {
        "alias": "champion", "from": 1, "to": 2, "how": "promoted",
        "why": 'better, "by far"', "who": "bob", "when": WHEN.isoformat(),
    }  # fmt: skip
    aliases = {one.version.version: one.aliases for one in registered_versions(registered, NAME)}
    assert (aliases[2], aliases[1]) == (("challenger", "champion"), ())


def test_an_alias_is_taken_away(registered: Store) -> None:
    set_challenger(registered, NAME, 2, why="-")
    set_challenger(registered, NAME, None, why="promoted")
    assert registered.client().get_registered_model(NAME).aliases == {}
    assert [one.to for one in changes(registered, NAME)] == [2, None]


def test_what_is_not_as_expected_is_left(registered: Store) -> None:
    set_champion(registered, NAME, 1, why="-", expected=None)
    with pytest.raises(RegistryError, match=r"champion means version 1 by now, not version 7: somebody"):
        set_champion(registered, NAME, 2, why="-", expected=7)
    with pytest.raises(RegistryError, match="version 1 by now, not no version"):
        set_champion(registered, NAME, 2, why="-", expected=None)
    assert len(changes(registered, NAME)) == 1
    assert set_champion(registered, NAME, 2, why="-", expected=1).version == 2


def test_a_champion_from_before_there_was_a_trail_begins_it(registered: Store) -> None:
    registered.client().set_registered_model_alias(NAME, "champion", "3")
    assert changes(registered, NAME) == ()
    set_champion(registered, NAME, 5, why="-")
    assert [(one.before, one.to) for one in changes(registered, NAME)] == [(3, 5)]


def test_what_others_moved_is_found_and_not_moved_back(registered: Store) -> None:
    set_champion(registered, NAME, 3, why="-")
    registered.client().set_registered_model_alias(NAME, "champion", "1")
    set_challenger(registered, NAME, 4, why="-")
    assert champion(registered, NAME).version == 1  # pyright: ignore[reportOptionalMemberAccess]
    set_champion(registered, NAME, 4, why="-")
    told = [(one.before, one.to, one.how) for one in changes(registered, NAME) if one.alias == "champion"]
    assert told == [(None, 3, "promoted"), (3, 1, "found"), (1, 4, "promoted")]


def test_a_version_that_is_deleted_meanwhile_stops_nobody_else(
    registered: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_champion(registered, NAME, 1, why="-")
    with pytest.raises(RegistryError, match="no version 99: it was deleted meanwhile"):
        change_alias(registered, NAME, "champion", 99, how="promoted", why="-")
    assert champion(registered, NAME).version == 1  # pyright: ignore[reportOptionalMemberAccess]
    set_champion(registered, NAME, 2, why="-")
    trail = changes(registered, NAME)
    assert is_one_chain(trail)
    assert trail[-2].how == "found"


def test_long_reasons_and_odd_ones_are_kept_as_far_as_there_is_room(registered: Store) -> None:
    why = '"quoted" \\ new\nline, 9 € ' * 400
    set_champion(registered, NAME, 1, why=why, who="w" * 500)
    (one,) = changes(registered, NAME)
    assert one.why == why[:2000]
    assert one.who == "w" * 100


def test_a_deleted_trail_says_how_it_comes_back(registered: Store) -> None:
    set_champion(registered, NAME, 1, why="-")
    client = registered.client()
    run_id = client.get_registered_model(NAME).tags["habitue.changes_run"]
    client.delete_run(run_id)
    with pytest.raises(RegistryError, match=f"mlflow runs restore --run-id {run_id}"):
        set_champion(registered, NAME, 2, why="-")
    client.restore_run(run_id)
    assert set_champion(registered, NAME, 2, why="-").version == 2
    client.delete_registered_model_tag(NAME, "habitue.changes_run")  # the experiment's name knows it, too
    assert [one.to for one in changes(registered, NAME)] == [1, 2]


def test_no_such_model(store: Store) -> None:
    with pytest.raises(RegistryError, match="no model 'absent'"):
        changes(store, "absent")
    with pytest.raises(RegistryError, match="no model 'absent'"):
        registered_versions(store, "absent")


def test_what_a_killed_process_began_is_done_by_the_next(
    registered: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_champion(registered, NAME, 1, why="-")
    assert at_once(registered, 2, killed=True) == 1
    assert champion(registered, NAME).version == 1  # pyright: ignore[reportOptionalMemberAccess]
    assert [one.to for one in changes(registered, NAME)] == [1, 2]  # it counts: it was written
    monkeypatch.setattr(alias_changes, "_PATIENCE", 2)
    set_challenger(registered, NAME, 3, why="something else")
    assert champion(registered, NAME).version == 2  # pyright: ignore[reportOptionalMemberAccess]
    assert champion(registered, NAME).tags["habitue.champion_why"] == "process 0"  # pyright: ignore[reportOptionalMemberAccess]
    assert [one["to"] for one in tags_of(registered)] == [1, 2, 3]


def test_who_lags_behind_sets_what_the_trail_says_last(
    registered: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_champion(registered, NAME, 1, why="-")
    monkeypatch.setattr(alias_changes, "_PATIENCE", 2)
    set_alias, asked = MlflowClient.set_registered_model_alias, []

    def late(self: MlflowClient, name: str, alias: str, version: str) -> None:
        asked.append(version)
        if asked == ["2"]:  # its owner falls asleep here; another one does it, and goes on
            set_champion(registered, NAME, 3, why="meanwhile")
        set_alias(self, name, alias, version)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", late)
    set_champion(registered, NAME, 2, why="slow")
    assert asked == ["2", "2", "3", "3"]
    assert champion(registered, NAME).version == 3  # pyright: ignore[reportOptionalMemberAccess]
    assert [(one.before, one.to) for one in changes(registered, NAME)] == [(None, 1), (1, 2), (2, 3)]


def check_at_once(store: Store, n: int) -> None:
    assert at_once(store, *range(1, n + 1)) == 0
    trail = changes(store, NAME)
    assert is_one_chain(trail)
    assert sorted(one.why for one in trail) == [f"process {place}" for place in range(n)]
    assert trail[-1].to == champion(store, NAME).version  # pyright: ignore[reportOptionalMemberAccess]
    assert [one["to"] for one in tags_of(store)] == [one.to for one in trail]
    runs = store.client().search_runs([store.experiment_id(NAME)])
    assert [run.info.run_name for run in runs] == ["changes of aliases"]  # those of losers are gone


@pytest.mark.slow
def test_eight_at_once_make_one_chain(registered: Store) -> None:
    check_at_once(registered, 8)


@pytest.mark.slow
def test_several_at_once_make_one_chain_in_postgres(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg", reason="MLflow needs psycopg for PostgreSQL")
    monkeypatch.setenv("PGPASSWORD", postgres.password.replace("%25", "%"))
    address = f"postgresql+psycopg://habitue@/postgres?host={postgres.socket}&port=54329"
    check_at_once(make_versions(open_store(address, artifacts=tmp_path)), 4)


@pytest.mark.slow
def test_several_at_once_make_one_chain_through_a_server(store: Store, tmp_path: Path) -> None:
    with served(store, tmp_path / "log") as address:
        check_at_once(make_versions(open_store(address)), 3)
