from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from habitue.errors import RegistryError
from habitue.tracking import ModelVersion, Store, champion, open_store, resolve, set_champion
from habitue.tracking.registry import CHECKSUMS_TAG


@pytest.fixture
def registered(store: Store) -> Store:
    """Two versions of habitue-churn and no files: the registry needs none."""
    client = store.client()
    client.create_registered_model("habitue-churn")
    client.create_registered_model("habitue-clv")
    for run_id in ("first", "second"):
        client.create_model_version("habitue-churn", source="s3://nowhere/m", run_id=run_id)
    return store


def test_a_number_a_name_and_an_alias_are_resolved(trained: Any) -> None:
    version = resolve(trained.store, "habitue-churn/1")
    assert version.run_id == trained.logged.run_id
    assert version.uri == "models:/habitue-churn/1"
    assert "MLmodel" in version.tags[CHECKSUMS_TAG]
    assert resolve(trained.store, "models:/habitue-churn/1") == version


def test_a_name_alone_means_its_champion(registered: Store) -> None:
    set_champion(registered, "habitue-churn", 1, why="the first")
    assert resolve(registered, "habitue-churn").version == 1
    assert resolve(registered, "habitue-churn@champion").version == 1
    registered.client().set_registered_model_alias("habitue-churn", "shadow", "2")
    assert resolve(registered, "habitue-churn@shadow").run_id == "second"


def test_the_champion_changes_and_says_why(registered: Store) -> None:
    assert champion(registered, "habitue-churn") is None
    assert champion(registered, "absent") is None
    first = set_champion(registered, "habitue-churn", 1, why="the first")
    assert first.tags == {"habitue.champion_why": "the first", "habitue.champion_from": "none"}
    when = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
    second = set_champion(registered, "habitue-churn", 2, why="better AUC", when=when)
    assert champion(registered, "habitue-churn") == second
    assert second.tags == {
        "habitue.champion_why": "better AUC",
        "habitue.champion_from": "1",
        "habitue.champion_when": "2026-11-21T09:30:00+00:00",
    }


def test_a_pinned_version_stays_when_the_alias_moves(registered: Store) -> None:
    set_champion(registered, "habitue-churn", 1, why="-")
    pinned = resolve(registered, "habitue-churn@champion")
    set_champion(registered, "habitue-churn", 2, why="-")
    assert pinned.version == 1
    assert pinned.uri.endswith("/1")


def test_an_alias_is_looked_up_once(registered: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    set_champion(registered, "habitue-churn", 1, why="-")
    asked: list[str] = []
    look_up = MlflowClient.get_model_version_by_alias

    def counted(self: MlflowClient, name: str, alias: str) -> Any:
        asked.append(alias)
        return look_up(self, name, alias)

    monkeypatch.setattr(MlflowClient, "get_model_version_by_alias", counted)
    resolve(registered, "habitue-churn")
    assert asked == ["champion"]


def test_where_nothing_is_registered_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"no model 'habitue-churn', nor any other; `habitue train`"):
        resolve(open_store(tmp_path / "mlruns"), "habitue-churn")


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        (
            "habitue-chrun",
            r"no model 'habitue-chrun'; did you mean 'habitue-churn'\? registered are: "
            "habitue-churn, habitue-clv$",
        ),
        ("zzz/1", "no model 'zzz'; registered are: habitue-churn, habitue-clv$"),
        ("habitue-churn/9", "habitue-churn has no version 9; its versions are: 1, 2$"),
        ("habitue-clv/1", "habitue-clv has no version 1; its versions are: none$"),
        ("habitue-clv", "has no alias 'champion'; its aliases are: none; its versions are: none$"),
        (
            "habitue-churn@shadwo",
            r"no alias 'shadwo'; did you mean 'shadow'\? its aliases are: shadow \(version 2\); "
            "its versions are: 1, 2; name one, such as habitue-churn/2$",
        ),
        ("", "names no model; expected a form like habitue-clv@champion"),
        ("habitue-churn/latest", "names no model"),
        ("habitue-churn/0", "names no model"),
        ("a@b@c", "names no model"),
        ("it's", "names no model"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_does(
    reference: str, sentence: str, registered: Store
) -> None:
    registered.client().set_registered_model_alias("habitue-churn", "shadow", "2")
    with pytest.raises(RegistryError, match=sentence):
        resolve(registered, reference)


def test_only_a_version_that_exists_becomes_champion(registered: Store) -> None:
    with pytest.raises(RegistryError, match="no version 3"):
        set_champion(registered, "habitue-churn", 3, why="-")
    assert champion(registered, "habitue-churn") is None


def test_a_change_that_breaks_off_leaves_the_champion(
    registered: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_champion(registered, "habitue-churn", 1, why="-")

    def broken(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "set_model_version_tag", broken)
    with pytest.raises(KeyboardInterrupt):
        set_champion(registered, "habitue-churn", 2, why="-")
    now = champion(registered, "habitue-churn")
    assert isinstance(now, ModelVersion)
    assert now.label == "habitue-churn/1"
