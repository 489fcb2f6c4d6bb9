"""Files that are there whole or not at all.

What goes wrong is told as the machine tells it, by an OSError: who writes a file knows what it was for, and
makes a sentence of that.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["make_writable", "write_whole"]


def make_writable(folder: Path) -> Path:
    """Make a folder if need be and make sure that files can be written there.

    Parameters
    ----------
    folder : Path
        Where files are to go.

    Raises
    ------
    OSError
        Where it cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return folder


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file under another name and give it its own when it is whole.

    A reader sees the old file or the new one, and an interrupted run leaves the old one.

    Parameters
    ----------
    path : Path
        Where it belongs; its folder exists.
    write : callable
        Gets the temporary path and writes there.

    Raises
    ------
    OSError
        Where it cannot be written, or a folder has that name.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        # On disk before it takes its name: a machine that stops leaves no empty file under it.
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path
