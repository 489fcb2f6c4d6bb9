"""Check before a model is loaded that every file is what was registered, and that the code is ours.

What it is for: loading never executes foreign bytes. MLflow runs the code file that lies with a model, and
reads from its ``MLmodel`` which modules and folders to import; both are checked first, on the very copy that
is then loaded, so that nothing can be exchanged in between.

What it deliberately is not: trust in the registry alone. Even where someone has changed files and their
checksums, only the loader that ships with this package is ever run.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from habitue.errors import RegistryError
from habitue.files import sha256_of
from habitue.tracking.fingerprints import checksums
from habitue.tracking.packing import LOADER
from habitue.tracking.served_model import MODEL_ARTIFACT

__all__ = ["only_plain_files", "verify"]

_WRITTEN_ON_DOWNLOAD = "registered_model_meta"
_LARGEST_DESCRIPTION = 1 << 20
"""Bytes of an MLmodel that are read; one of ours has some thousands."""
_DEEPEST_DESCRIPTION = 20
_FLAVOR: Mapping[str, Any] = {
    "loader_module": "mlflow.pyfunc.loaders.code_model",
    "code": None,
    "data": None,
    "config": None,
    "python_model": None,
}


def verify(folder: Path, expected: Mapping[str, str], *, name: str) -> None:
    """Refuse a downloaded model unless each of its files is what was registered, and its code is ours.

    Parameters
    ----------
    folder : Path
        A copy of the model that nobody else writes to. Compiled code in it is deleted, since Python would run
        that in place of the source.
    expected : Mapping[str, str]
        SHA-256 by relative path, as registered.
    name : str
        What to call the model in a message.

    Raises
    ------
    RegistryError
        If a file is missing, changed or was added, or the model asks for other code than our loader.
    """
    only_plain_files(folder.as_uri(), name=name)
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache)
    found = checksums(folder)
    found.pop(_WRITTEN_ON_DOWNLOAD, None)
    for verb, files in (
        ("are missing", sorted(set(expected) - set(found))),
        ("were added", sorted(set(found) - set(expected))),
        ("were changed", sorted(path for path in expected if found.get(path) not in (None, expected[path]))),
    ):
        if files:
            raise _refused(name, f"files {verb} since it was registered: {', '.join(files)}")
    _verify_code(folder, name)


def only_plain_files(address: str, *, name: str) -> None:
    """Refuse a folder of this machine that holds anything but files and folders; looks at names only.

    A link could bring in any file that the reader may read, and a device be read without end. Places on other
    machines hand out plain files alone.

    Parameters
    ----------
    address : str
        Where a model lies; ``file://...`` or a path are looked at.
    name : str
        What to call the model in a message.

    Raises
    ------
    RegistryError
        If there is such a thing.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("", "file"):
        return
    root = Path(unquote(parts.path) if parts.scheme else address)
    for folder, folders, files in os.walk(root):
        for one in (*folders, *files):
            mode = os.lstat(Path(folder, one)).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise _refused(name, f"{os.path.relpath(Path(folder, one), root)} is no plain file")


def _verify_description(path: Path, name: str) -> None:
    """Refuse a description that takes long to read, or whose aliases would unfold to something huge."""
    try:
        if path.stat().st_size > _LARGEST_DESCRIPTION:
            raise _refused(name, f"its {path.name} is larger than {_LARGEST_DESCRIPTION} bytes")
        depth = 0
        with path.open("rb") as file:
            for event in yaml.parse(file):
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(
                    event, yaml.CollectionEndEvent
                )
                if depth > _DEEPEST_DESCRIPTION or isinstance(event, yaml.AliasEvent):
                    raise _refused(
                        name, f"its {path.name} is deep or has YAML aliases, as habitue writes none"
                    )
    except (OSError, yaml.YAMLError) as error:
        raise _refused(name, f"its {path.name} can't be read ({' '.join(str(error).split())})") from error


def _verify_code(folder: Path, name: str) -> None:
    code = folder / LOADER.name
    if not code.is_file() or sha256_of(code) != sha256_of(LOADER):
        raise _refused(name, f"its {LOADER.name} is not the one that habitue ships")
    _verify_description(folder / "MLmodel", name)
    try:
        ours = _asks_for_our_loader(Model.load(str(folder)).flavors)
    except (
        MlflowException,
        yaml.YAMLError,
        OSError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        RecursionError,
    ) as error:
        raise _refused(name, f"its MLmodel can't be read ({' '.join(str(error).split())})") from error
    if not ours:
        raise _refused(name, "its MLmodel asks for other code than habitue's loader")


def _asks_for_our_loader(flavors: Mapping[str, Any]) -> bool:
    flavor: Mapping[str, Any] = flavors["python_function"]
    artifacts = {key: item["path"] for key, item in flavor["artifacts"].items()}
    return (
        set(flavors) == {"python_function"}
        and all(flavor.get(key) == value for key, value in _FLAVOR.items())
        and Path(flavor["model_code_path"]).name == LOADER.name
        and artifacts == {MODEL_ARTIFACT: f"artifacts/{MODEL_ARTIFACT}"}
    )


def _refused(name: str, reason: str) -> RegistryError:
    return RegistryError(f"{name} is not loaded: {reason}; find out who changed it, and register it anew")
