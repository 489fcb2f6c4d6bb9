"""Where a run came from: the code's commit, Python, habitue.

What it is for: tags that let somebody find the code again that made a model.

What it deliberately is not: a reason to fail. Where there is no git, or no work tree, the tags are left out.
"""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

__all__ = ["git_tags", "origin_tags"]

_PATIENCE = 10  # seconds; a work tree on a sleeping network drive must not hold up a training


def git_tags(folder: Path) -> dict[str, str]:
    """Return the commit checked out in a folder, and whether tracked files differ from it.

    Parameters
    ----------
    folder : Path
        Any folder of a git work tree.

    Returns
    -------
    dict of str to str
        ``mlflow.source.git.commit`` and ``habitue.git_dirty`` (``true`` or ``false``); empty outside a work
        tree, before the first commit, or without git.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return {}
    return {"mlflow.source.git.commit": commit, "habitue.git_dirty": "true" if changes else "false"}


def origin_tags(folder: Path) -> dict[str, str]:
    """Return the tags that every run carries.

    Parameters
    ----------
    folder : Path
        Where the code that is run lies.

    Returns
    -------
    dict of str to str
        Versions of Python and habitue, and what `git_tags` finds.

    Examples
    --------
    >>> origin_tags(Path("/"))["habitue.version"] == metadata.version("habitue")
    True
    """
    return {
        "habitue.version": metadata.version("habitue"),
        "habitue.python": platform.python_version(),
        **git_tags(folder),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
