from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from habitue.errors import RegistryError, SettingsError, UnavailableError
from habitue.tracking import Store, open_store, set_champion
from habitue.tracking.fingerprints import checksums
from habitue.tracking.model_cache import load_reference

CHAMPION = "habitue-churn@champion"


def silent() -> Store:
    raise UnavailableError("the registry does not answer")


@pytest.fixture(scope="module")
def home(template: Path, train: Any, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home with two versions."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(template, folder / "mlflow.db")
    store = open_store(folder)
    for rounds in (3, 5):
        train(store, rounds=rounds)
    return store


@pytest.fixture
def registry(home: Store) -> Iterator[Store]:
    """The same, the first version champion; tests change the champion and nothing else."""
    set_champion(home, "habitue-churn", 1, why="the first")
    yield home
    set_champion(home, "habitue-churn", 1, why="the first")


@pytest.fixture(scope="module")
def filled(home: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    set_champion(home, "habitue-churn", 1, why="the first")
    load_reference(lambda: home, CHAMPION, cache=folder)
    return folder


@pytest.fixture
def cache(filled: Path, tmp_path: Path) -> Path:
    """A cache that was filled while the registry answered."""
    return Path(shutil.copytree(filled, tmp_path / "cache"))


def from_cache(cache: Path, reference: str = CHAMPION) -> Any:
    return load_reference(silent, reference, cache=cache, allow_cached=True)


def kept_file(cache: Path, name: str) -> Path:
    (found,) = cache.rglob(name)
    return found


def test_the_registry_answers_wherever_it_can(registry: Store, cache: Path) -> None:
    set_champion(registry, "habitue-churn", 2, why="better")
    loaded = load_reference(lambda: registry, CHAMPION, cache=cache, allow_cached=True)
    assert (loaded.version.version, loaded.from_cache) == (2, False)


def test_a_silent_registry_is_answered_for_by_what_the_reference_last_meant(
    registry: Store, cache: Path, customers: Any
) -> None:
    set_champion(registry, "habitue-churn", 2, why="better")
    fresh = load_reference(lambda: registry, CHAMPION, cache=cache)
    kept = from_cache(cache)
    assert kept.from_cache
    assert kept.version == fresh.version
    X = customers[0]
    pd.testing.assert_frame_equal(kept.predict(X), fresh.predict(X), check_exact=True)


def test_no_copy_answers_unasked(cache: Path) -> None:
    with pytest.raises(UnavailableError, match=r"^the registry does not answer$"):
        load_reference(silent, CHAMPION, cache=cache)
    with pytest.raises(UnavailableError, match=r"^the registry does not answer$"):
        load_reference(silent, CHAMPION, allow_cached=True)
    with pytest.raises(UnavailableError, match="holds no copy of habitue-churn/2 to answer instead"):
        from_cache(cache, "habitue-churn/2")


def test_a_version_that_does_not_exist_is_no_matter_for_the_cache(registry: Store, cache: Path) -> None:
    registry.client().delete_registered_model_alias("habitue-churn", "champion")
    with pytest.raises(RegistryError, match="has no alias 'champion'"):
        load_reference(lambda: registry, CHAMPION, cache=cache, allow_cached=True)


def test_a_version_that_was_changed_is_no_matter_for_the_cache(registry: Store, cache: Path) -> None:
    source = registry.client().get_model_version_download_uri("habitue-churn", "1")
    trees = Path(source.removeprefix("file://")) / "artifacts" / "model" / "booster-0.txt"
    before = trees.read_bytes()
    trees.write_bytes(before + b"\n")
    try:
        with pytest.raises(RegistryError, match="files were changed since it was registered"):
            load_reference(lambda: registry, CHAMPION, cache=cache, allow_cached=True)
    finally:
        trees.write_bytes(before)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("booster-0.txt", lambda path: path.write_text(path.read_text() + "\n")),
        ("model.json", lambda path: path.unlink()),
        ("loader.py", lambda path: path.with_name("more.py").write_text("")),
        ("model.json", lambda path: (path.unlink(), path.symlink_to("/etc/hostname"))),
    ],
)
def test_a_changed_copy_is_refused(name: str, change: Callable[[Path], object], cache: Path) -> None:
    change(kept_file(cache, name))
    with pytest.raises(RegistryError, match=r"habitue-churn/1 \(the copy in .*\) is not loaded: "):
        from_cache(cache)


@pytest.mark.parametrize("content", ["", "{}", "[1]", "[" * 100_000, '{"name": "other", "version": 1}'])
@pytest.mark.parametrize("name", ["version.json", "habitue-churn-champion-*.json"])
def test_a_damaged_note_is_refused(name: str, content: str, cache: Path) -> None:
    kept_file(cache, name).write_text(content)
    with pytest.raises(RegistryError, match=r"is not loaded: .*; delete it, and run this again"):
        from_cache(cache)


def test_a_damaged_copy_is_mended_once_the_registry_answers(registry: Store, cache: Path) -> None:
    shutil.rmtree(kept_file(cache, "loader.py").parent / "artifacts")
    load_reference(lambda: registry, CHAMPION, cache=cache)
    assert from_cache(cache).version.version == 1


def test_a_copy_of_another_registry_gives_way(
    registry: Store, cache: Path, template: Path, train: Any
) -> None:
    other = cache.parent / "other"
    other.mkdir()
    shutil.copy(template, other / "mlflow.db")
    second = open_store(other)
    train(second, rounds=9)
    loaded = load_reference(lambda: second, "habitue-churn/1", cache=cache)
    assert from_cache(cache, "habitue-churn/1").answers.rounds == loaded.answers.rounds == 9


def test_a_copy_stays_as_it_is_where_nothing_changed(registry: Store, cache: Path) -> None:
    files = kept_file(cache, "loader.py").parent
    before = checksums(files), files.stat().st_ino
    load_reference(lambda: registry, CHAMPION, cache=cache)
    assert (checksums(files), files.stat().st_ino) == before
    assert sorted(path.name for path in files.parents[1].iterdir()) == ["1"]


def test_jobs_that_keep_copies_at_once_leave_a_whole_one(registry: Store, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    with ThreadPoolExecutor(4) as pool:
        loaded = list(
            pool.map(
                lambda n: load_reference(lambda: registry, f"habitue-churn/{n}", cache=folder), [1, 2] * 4
            )
        )
    assert [one.answers.rounds for one in loaded] == [3, 5] * 4
    for number, rounds in ((1, 3), (2, 5)):
        assert from_cache(folder, f"habitue-churn/{number}").answers.rounds == rounds
    assert not list(folder.rglob(".*"))


@pytest.mark.parametrize(
    "reference", ["../../evil", "..", "/etc/passwd", "a/../b", "habitue-churn/../1", "x\0y"]
)
def test_references_are_never_paths(reference: str, tmp_path: Path, registry: Store) -> None:
    folder = tmp_path / "deep" / "cache"
    with pytest.raises(RegistryError):
        load_reference(lambda: registry, reference, cache=folder)
    (tmp_path / "evil.json").write_text("{}")
    with pytest.raises(UnavailableError, match="holds no copy"):
        from_cache(folder, reference)


def test_a_note_that_names_a_path_leads_nowhere(cache: Path) -> None:
    note = kept_file(cache, "habitue-churn-champion-*.json")
    note.write_text(json.dumps({"name": "../../elsewhere", "version": 1}))
    with pytest.raises(RegistryError, match="it can't be read"):
        from_cache(cache)
    note.write_text(json.dumps({"name": "habitue-churn", "version": "../1"}))
    with pytest.raises(RegistryError, match="it can't be read"):
        from_cache(cache)


def test_a_cache_that_cannot_be_written_to_is_told(registry: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"no copy of habitue-churn/1 can be kept in .*; name a folder"):
        load_reference(lambda: registry, CHAMPION, cache=tmp_path / "file" / "cache")


def test_a_full_disk_is_a_matter_of_later(
    registry: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("habitue.tracking.model_cache.write_whole", full)
    with pytest.raises(UnavailableError, match=r"No space left on device.*make room"):
        load_reference(lambda: registry, CHAMPION, cache=tmp_path / "cache")


def test_a_note_tells_everything_that_lineage_needs(registry: Store, cache: Path) -> None:
    note = json.loads(kept_file(cache, "version.json").read_text())
    assert (note["name"], note["version"]) == ("habitue-churn", 1)
    assert set(note) == {"name", "version", "run_id", "uri", "tags"}
    assert "MLmodel" in note["tags"]["habitue.sha256"]
