"""Files are written beside and renamed, so that none is ever half there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from habitue.errors import SettingsError

__all__ = ["writable_folder", "write_beside", "write_text"]


def writable_folder(folder: Path) -> Path:
    """Make a folder if need be and make sure that files can be written there.

    Parameters
    ----------
    folder : Path
        Where files are to go.

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
            f"Nothing can be written to {folder} ({error.strerror}); choose another folder, or make "
            "it writable."
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
        Where the folder cannot be written to, the disk is full, or a folder has that name.
    """
    if path.is_dir():
        raise SettingsError(f"{path} is a folder; name a file in it.")
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


def write_text(path: Path, text: str) -> Path:
    """Write a text as UTF-8, beside and renamed.

    Parameters
    ----------
    path : Path
        Where it belongs.
    text : str
        All of it.
    """

    def write(to: Path) -> None:
        to.write_text(text, encoding="utf-8")

    return write_beside(path, write)
