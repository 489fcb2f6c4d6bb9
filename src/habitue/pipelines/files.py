"""Files: read with a sentence when they are wrong, written beside and renamed so that none is ever half there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from habitue.errors import SettingsError

__all__ = ["write_beside", "writable_folder"]


def writable_folder(folder: Path) -> Path:
    """Make a folder if need be and make sure that files can be written there.

    Raises
    ------
    SettingsError
        Where it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise SettingsError(
            f"Nothing can be written to {folder} ({error.strerror}); choose another folder, or make it writable."
        ) from error


def write_beside(path: Path, write: Callable[[Path], None]) -> Path:
    """Write a file under another name and give it its own when it is whole.

    A reader sees the old file or the new one, and an interrupted run leaves the old one.

    Parameters
    ----------
    path : Path
        Where it belongs.
    write : callable
        Gets the temporary path and writes there.

    Raises
    ------
    SettingsError
        Where the folder cannot be written to, or the disk is full.
    """
    writable_folder(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        beside.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        beside.unlink(missing_ok=True)
    return path
