"""Where a batch is worked on: a hidden folder that survives a kill, and a lock that does not.

The folder holds the plan, the features of everybody and the chunks of answers that are finished, each written
beside and renamed. Nothing in it ends in .parquet: no reader takes it for a batch. A run with the same plan
goes on where another stopped; a run with another plan begins anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from habitue import __version__
from habitue.errors import SettingsError, UnavailableError
from habitue.files import DISK_FULL, write_whole
from habitue.pipelines.scoring.batches import BatchKey

__all__ = ["Work", "is_left", "lock_of", "locked", "place_of", "sweep"]

_SIGN = ".habitue-"
_OF_TARGET = len(_SIGN) + 8
"""Characters of a folder's name that say for which target it is."""
_PLAN, _FEATURES, _CONTRACT = "plan.json", "features", "contract.json"
_ASKED_AGAIN = 0.1
"""Seconds after which a lock is asked for again."""


def place_of(folder: Path, label: str, key: BatchKey) -> Path:
    """Return the folder in which a batch is worked on; its lock lies beside.

    Parameters
    ----------
    folder : Path
        Where.
    label : str
        The target: two targets may be worked for in one folder.
    key : BatchKey
        Which batch.
    """
    target = hashlib.sha256(label.encode()).hexdigest()[:8]
    return folder / f"{_SIGN}{target}-{key.cutoff}-{key.name}"


@contextmanager
def locked(path: Path, *, wait: float = 0.0, what: str) -> Generator[None]:
    """Be the only one at something on this machine; the kernel frees the lock, however a run ends.

    Parameters
    ----------
    path : Path
        The file of the lock; it is removed at the end.
    wait : float, default 0
        Seconds to wait for another one.
    what : str
        What it is about, for the message.

    Raises
    ------
    UnavailableError
        Where another job is at it.
    """
    with _telling(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        held = _take(path, wait)
    if held is None:
        raise UnavailableError(
            f"Another job is at {what} just now; try again when it is done, or wait with --wait SECONDS."
        )
    try:
        yield
    finally:
        # Removed while it is held: whoever opened it before finds that it is no longer the one of that name.
        with suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(held)


def _take(path: Path, wait: float) -> int | None:
    """Return the open file of a lock that is held now; None where another job holds it all the time."""
    for _ in range(1 + int(wait / _ASKED_AGAIN)):
        held = _try(path)
        if held is not None:
            return held
        if wait >= _ASKED_AGAIN:
            time.sleep(_ASKED_AGAIN)
    return None


def _try(path: Path) -> int | None:
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(held).st_ino == path.stat().st_ino:
            return held
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(held)
    return None


@dataclass(frozen=True)
class Work:
    """What was made of a batch so far.

    Attributes
    ----------
    folder : Path
        Where it lies.
    scored_at : datetime
        When it was begun.
    """

    folder: Path
    scored_at: datetime

    @classmethod
    def begun(cls, folder: Path, identity: Mapping[str, Any], scored_at: datetime, *, chunk: int) -> Work:
        """Go on with what a run with the same plan left, or begin anew.

        Parameters
        ----------
        folder : Path
            Where.
        identity : Mapping
            What the batch is made of.
        scored_at : datetime
            When, where it begins now.
        chunk : int
            Customers answered at a time.
        """
        # Another version of the program may answer otherwise; other chunks do not fit those there are.
        plan = {"plan": dict(identity), "habitue": __version__, "chunk": chunk}
        with _telling(folder):
            left = _read(folder / _PLAN)
            if {name: left.get(name) for name in plan} == json.loads(json.dumps(plan)):
                return cls(folder, datetime.fromisoformat(left["scored_at"]))
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
            _write(folder / _PLAN, plan | {"scored_at": scored_at.isoformat()})
        return cls(folder, scored_at)

    def features(self, write: Callable[[Path], object]) -> Path:
        """Return the file of features; it is made where it is not there yet.

        Parameters
        ----------
        write : callable
            Writes it, given where.
        """
        path = self.folder / _FEATURES
        if not path.exists():
            with _telling(path):
                write_whole(path, write)
        return path

    def contract(self, check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what the contract check found; it is made where it was not yet.

        Parameters
        ----------
        check : callable
            Makes it.
        """
        path = self.folder / _CONTRACT
        if not path.exists():
            found = check()
            with _telling(path):
                _write(path, found)
        return _read(path)

    def has(self, kind: str, number: int) -> bool:
        """Tell whether a chunk is finished.

        Parameters
        ----------
        kind : str
            "answers" or "reasons".
        number : int
            Which chunk.
        """
        return self._chunk(kind, number).exists()

    def keep(self, kind: str, number: int, frame: pd.DataFrame) -> None:
        """Keep a chunk.

        Parameters
        ----------
        kind : str
            "answers" or "reasons".
        number : int
            Which chunk.
        frame : DataFrame
            Its rows, with their index.
        """
        path = self._chunk(kind, number)
        table = pa.Table.from_pandas(frame)
        with _telling(path):
            write_whole(path, lambda to: pq.write_table(table, to, compression="zstd"))

    def chunk(self, kind: str, number: int) -> pd.DataFrame:
        """Return a chunk.

        Parameters
        ----------
        kind : str
            "answers" or "reasons".
        number : int
            Which chunk.
        """
        with pq.ParquetFile(self._chunk(kind, number)) as file:
            return file.read().to_pandas()

    def column(self, name: str, number: int) -> npt.NDArray[np.float64]:
        """Return one column of a chunk of answers.

        Parameters
        ----------
        name : str
            Which column; missing values where the chunk does not have it.
        number : int
            Which chunk.
        """
        with pq.ParquetFile(self._chunk("answers", number)) as file:
            if name not in file.schema_arrow.names:
                return np.full(file.metadata.num_rows, np.nan)
            return file.read(columns=[name], use_pandas_metadata=False)[name].to_numpy().astype(np.float64)

    def columns(self, kind: str, number: int) -> list[str]:
        """Return the columns of a chunk.

        Parameters
        ----------
        kind : str
            "answers" or "reasons".
        number : int
            Which chunk.
        """
        return pq.read_schema(self._chunk(kind, number)).names

    def remove(self) -> None:
        """Remove all of it; what is left of a removal that was killed is removed by the next run."""
        # The plan goes first: without it nobody goes on with the rest.
        (self.folder / _PLAN).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _chunk(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:06}"


def sweep(place: Path, key: BatchKey) -> None:
    """Remove what killed runs for the same target left of earlier cutoffs, unless a job is at it.

    Parameters
    ----------
    place : Path
        Where this batch is worked on.
    key : BatchKey
        This batch.
    """
    of_target = place.name[:_OF_TARGET]
    left = {path.with_name(path.name.removesuffix(".lock")) for path in place.parent.glob(f"{of_target}-*")}
    for folder in left:
        if folder.name[len(of_target) + 1 :][:10] < key.cutoff.isoformat():
            with suppress(UnavailableError, SettingsError), locked(lock_of(folder), what=folder.name):
                shutil.rmtree(folder, ignore_errors=True)


def is_left(folder: Path) -> bool:
    """Tell whether no job is at a folder of work: it was left by a run that was killed.

    Parameters
    ----------
    folder : Path
        Of `place_of`.
    """
    try:
        with (
            locked(lock_of(folder), what=folder.name),
            locked(lock_of(folder, any_batch=True), what=folder.name),
        ):
            return True
    except (UnavailableError, SettingsError):
        return False


def lock_of(place: Path, *, any_batch: bool = False) -> Path:
    """Return where the lock of a folder of work lies.

    Parameters
    ----------
    place : Path
        Of `place_of`.
    any_batch : bool, default False
        Whether the target takes one batch at a time, whichever it is.
    """
    return place.with_name(f"{place.name[:_OF_TARGET] if any_batch else place.name}.lock")


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _write(path: Path, told: Mapping[str, Any]) -> None:
    write_whole(path, lambda to: to.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8"))


@contextmanager
def _telling(path: Path) -> Generator[None]:
    """Make a sentence of what the machine says of a file."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise _full(path) from error
        raise SettingsError(
            f"Nothing can be written to {path.parent} ({error.strerror}); make it writable, or name another "
            "folder with --work."
        ) from error
    except duckdb.Error as error:
        told = str(error).lower()
        if "no space" in told or "too large" in told or "disk quota" in told or "max_temp_directory" in told:
            raise _full(path) from error
        raise


def _full(path: Path) -> UnavailableError:
    return UnavailableError(
        f"There is no room left for {path.parent}: free some and run it again, it goes on where it stopped. "
        "Or name a folder on another disk with --work."
    )
