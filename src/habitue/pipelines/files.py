"""Files are written beside and renamed, so that none is ever half there; what stands in the way is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from habitue.errors import SettingsError
from habitue.files import make_writable, write_whole

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
        return make_writable(folder)
    except OSError as error:
        raise SettingsError(
            f"Nothing can be written to {folder} ({error.strerror}); choose another folder, or make "
            "it writable."
        ) from error


def write_beside(path: Path, write: Callable[[Path], object]) -> Path:
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
    try:
        return write_whole(path, write)
    except OSError as error:
        raise SettingsError(f"{path} could not be written: {error.strerror or error}.") from error


def write_text(path: Path, text: str) -> Path:
    """Write a text as UTF-8, beside and renamed.

    Parameters
    ----------
    path : Path
        Where it belongs.
    text : str
        All of it.
    """
    return write_beside(path, lambda to: to.write_text(text, encoding="utf-8"))
