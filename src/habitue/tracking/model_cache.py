"""Verified copies of models, for the night on which the registry does not answer.

What it is for: a batch job that may answer with the version that a reference last meant, where it says so
itself. The copy is verified before it is kept and again each time it is used.

What it deliberately is not: a way around the registry. Where that answers, what it says counts: a version
that it does not know, or whose files were changed, is refused, whatever copies there are. Nor does a copy
make a job faster; it is only read where there is no other way.

Notes
-----
The folder holds for each version ``<model>/<version>/`` with its files in ``files`` and ``version.json``
(name, version, run, tags, and among these the SHA-256 of each file), and for each reference
``references/<reference>.json``, which says what it meant. Each is written beside and renamed. Who may write
to the folder may make an older version answer, but no code run: only the loader that ships with this package
ever is.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from habitue.errors import HabitueError, RegistryError, SettingsError, UnavailableError
from habitue.files import DISK_FULL, make_writable, write_whole
from habitue.tracking.answering import answering
from habitue.tracking.loading import LoadedModel, expected_files, fetch, open_copy
from habitue.tracking.registry import ModelVersion, resolve
from habitue.tracking.store import Store
from habitue.tracking.verification import verify

__all__ = ["load_reference"]


def load_reference(
    open_store: Callable[[], Store], reference: str, *, cache: Path | None = None, allow_cached: bool = False
) -> LoadedModel:
    """Load the version that a reference means; where the registry does not answer, the one it last meant.

    Parameters
    ----------
    open_store : callable
        Opens MLflow's home, such as ``lambda: open_store("https://mlflow.example.org")``.
    reference : str
        ``name@alias``, ``name/number``, or ``name`` alone for its champion.
    cache : Path, optional
        A folder of our own for copies; none are kept where None.
    allow_cached : bool
        Whether a copy may answer where the registry does not.

    Returns
    -------
    LoadedModel
        Its ``from_cache`` says whether a copy answers.

    Raises
    ------
    UnavailableError
        If the registry does not answer and no copy may, or there is none; or the disk of the cache is full.
    RegistryError
        If there is no such version, or it is not what was registered, or the copy is not.
    SettingsError
        If the cache can't be written to.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            version, copy = _asked(open_store, reference, Path(scratch))
        except UnavailableError as error:
            if cache is None or not allow_cached:
                raise
            return _cached(cache, reference, error)
        if cache is not None:
            _keep(cache, reference, version, copy)
        return open_copy(version, copy)


def _asked(open_store: Callable[[], Store], reference: str, scratch: Path) -> tuple[ModelVersion, Path]:
    """Ask the registry what a reference means, and fetch and verify that version's files."""
    store = open_store()
    # An alias is resolved once: what is fetched, kept and loaded is one and the same version.
    with answering(store.tracking_uri):
        version = resolve(store, reference)
    return version, fetch(store, version, scratch)


def _cached(cache: Path, reference: str, silence: UnavailableError) -> LoadedModel:
    """Load what a reference last meant, from a copy of the copy: verified is what is then loaded."""
    if not _place(cache, reference).is_file():
        told = f"{silence}. {cache} holds no copy of {reference} to answer instead."
        raise UnavailableError(told) from silence
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "files"
        with _one_at_a_time(cache):
            version = _remembered(cache, reference)
            kept = _home(cache, version)
            try:
                shutil.copytree(kept / "files", copy, symlinks=True)
            except OSError as error:
                raise _damaged(kept, "its files can't be read") from error
        verify(copy, expected_files(version), name=f"{version.label} (the copy in {kept})")
        return open_copy(version, copy, from_cache=True)


def _remembered(cache: Path, reference: str) -> ModelVersion:
    place = _place(cache, reference)
    try:
        meant = json.loads(place.read_text(encoding="utf-8"))
        home = _home_of(cache, str(meant["name"]), int(meant["version"]))
        version = ModelVersion(**json.loads((home / "version.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(place, "it can't be read") from error
    if (version.name, version.version) != (meant["name"], meant["version"]):
        raise _damaged(place, "it holds another version")
    return version


def _keep(cache: Path, reference: str, version: ModelVersion, copy: Path) -> None:
    """Put a verified copy into the cache, and note that the reference means it."""
    home, place = _home(cache, version), _place(cache, reference)
    meant = {"reference": reference, "name": version.name, "version": version.version}
    try:
        for folder in (home.parent, place.parent):
            make_writable(folder)
        with _one_at_a_time(cache):
            if not _is_whole(home, version):
                _replace(home, copy)
            _write(home / "version.json", asdict(version))
            _write(place, meant)
    except OSError as error:
        told = f"no copy of {version.label} can be kept in {cache} ({error.strerror or error})"
        if error.errno in DISK_FULL:
            raise UnavailableError(f"{told}; make room, and run this again") from error
        raise SettingsError(f"{told}; name a folder that can be written to, or none") from error


def _is_whole(home: Path, version: ModelVersion) -> bool:
    """Say whether a version's files are there already, as the registry describes them now."""
    try:
        verify(home / "files", expected_files(version), name=version.label)
    except (OSError, HabitueError):
        return False
    return True


def _replace(home: Path, copy: Path) -> None:
    """Write a version's files beside their place; what lies there, damaged or of another registry, goes."""
    beside = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        shutil.copytree(copy, beside / "new" / "files")
        if home.exists():
            home.rename(beside / "old")
        (beside / "new").rename(home)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(path: Path, content: Mapping[str, object]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1)
    write_whole(path, lambda to: to.write_text(text, encoding="utf-8"))


@contextmanager
def _one_at_a_time(cache: Path) -> Generator[None]:
    """Let one job at a time at the cache; the lock lies on the folder itself, and ends with its holder."""
    folder = os.open(cache, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _home(cache: Path, version: ModelVersion) -> Path:
    return _home_of(cache, version.name, version.version)


def _home_of(cache: Path, name: str, version: int) -> Path:
    return cache / _slug(name) / str(version)


def _place(cache: Path, reference: str) -> Path:
    return cache / "references" / f"{_slug(reference)}.json"


def _slug(text: str) -> str:
    """Return a name for a file or folder: readable, of no two texts the same, and never a path."""
    readable = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40]
    return f"{readable}-{hashlib.sha256(os.fsencode(text)).hexdigest()[:12]}"


def _damaged(place: Path, why: str) -> RegistryError:
    return RegistryError(
        f"the cached model {place} is not loaded: {why}; delete it, and run this again once the registry "
        "answers"
    )
