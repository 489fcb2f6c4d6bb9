"""Batches of scores as files: a hive folder of Parquet with every batch, or one file with the newest.

A file is written under a hidden name beside and renamed when it is on disk, so a reader sees a whole batch or
none. Its manifest stands in the Parquet file itself, which therefore tells alone what it is; the sidecar
beside adds the checksum, and is made again from the file where a run was killed between the two.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from habitue.errors import SettingsError, UnavailableError
from habitue.files import DISK_FULL, is_running, sha256_of, write_whole
from habitue.pipelines.files import writable_folder
from habitue.pipelines.scoring.batches import BATCH, BatchKey, another_wrote, key_of, no_such_batch
from habitue.pipelines.scoring.files import (
    json_in,
    manifest_in,
    read_scores,
    sidecar_of,
    write_scores_file,
)

__all__ = ["FileTarget", "HiveTarget"]


@dataclass(frozen=True)
class HiveTarget:
    """A folder with a subfolder for each cutoff and a Parquet file for each batch.

    The cutoff stands in the path (``cutoff=2024-12-31/``) and in no file, as is the custom: readers add it.

    Attributes
    ----------
    folder : Path
        Made where there is none.
    """

    folder: Path

    @property
    def label(self) -> str:
        """Where, in words."""
        return str(self.folder)

    def check(self) -> None:
        """See `Target.check`."""
        if self.folder.exists() and not self.folder.is_dir():
            raise SettingsError(f"{self.folder} is a file; name a folder, or end it in .parquet.")
        writable_folder(self.folder)

    def finished(self, key: BatchKey) -> dict[str, Any] | None:
        """See `Target.finished`.

        Parameters
        ----------
        key : BatchKey
            Which one.
        """
        path = self.path_of(key)
        return _whole(path, sidecar_of(path), key)

    def write(
        self,
        key: BatchKey,
        tables: Iterator[pa.RecordBatch],
        schema: pa.Schema,
        manifest: Mapping[str, Any],
        *,
        replace: bool,
    ) -> dict[str, Any]:
        """See `Target.write`.

        Parameters
        ----------
        key : BatchKey
            Which one.
        tables : iterator of pyarrow.RecordBatch
            Its rows.
        schema : pyarrow.Schema
            Of all parts.
        manifest : Mapping[str, object]
            What it was made of.
        replace : bool
            Whether a finished batch of the same key may be replaced.
        """
        path = self.path_of(key)
        writable_folder(path.parent)
        refuse = None if replace else lambda: self.finished(key)
        there = [name for name in schema.names if name != "cutoff"]
        parts = (part.select(there) for part in tables)
        told = {**manifest, BATCH: key.to_plain()}
        kept = pa.schema([schema.field(name) for name in there])
        _written(path, partial(write_scores_file, parts, kept, told, ".parquet"), key, refuse)
        return _with_sidecar(path, sidecar_of(path), told)

    def batches(self) -> list[BatchKey]:
        """See `Target.batches`."""
        found = [manifest_in(path) for path in self.folder.glob("cutoff=*/*.parquet")]
        keys = [key_of(told) for told in found if told is not None and BATCH in told]
        return sorted(keys, key=lambda one: (one.cutoff, one.name))

    def read(self, key: BatchKey, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """See `Target.read`.

        Parameters
        ----------
        key : BatchKey
            Which one.
        columns : sequence of str, optional
            Those wanted.
        """
        path = self.path_of(key)
        if not path.is_file():
            raise no_such_batch(key, self.label)
        frame = read_scores(path, columns)
        if columns is None or "cutoff" in columns:
            frame["cutoff"] = key.cutoff
        return frame

    def path_of(self, key: BatchKey) -> Path:
        """Return the file of a batch.

        Parameters
        ----------
        key : BatchKey
            Which one.
        """
        return self.folder / f"cutoff={key.cutoff.isoformat()}" / f"{key.name}.parquet"


@dataclass(frozen=True)
class FileTarget:
    """One file that holds the newest batch, whatever it held before.

    Attributes
    ----------
    path : Path
        Ends in .parquet or .csv.
    """

    path: Path

    @property
    def label(self) -> str:
        """Where, in words."""
        return str(self.path)

    def check(self) -> None:
        """See `Target.check`."""
        if self.path.suffix not in {".parquet", ".csv"} or self.path.is_dir():
            raise SettingsError(f"Scores are written to a .parquet or .csv file; got {self.path.name!r}.")
        writable_folder(self.path.parent)

    def finished(self, key: BatchKey) -> dict[str, Any] | None:
        """See `Target.finished`.

        Parameters
        ----------
        key : BatchKey
            Which one.
        """
        return _whole(self.path, sidecar_of(self.path), key)

    def write(
        self,
        key: BatchKey,
        tables: Iterator[pa.RecordBatch],
        schema: pa.Schema,
        manifest: Mapping[str, Any],
        *,
        replace: bool,
    ) -> dict[str, Any]:
        """See `Target.write`; a batch of another key is replaced, as the file is the newest one.

        Parameters
        ----------
        key : BatchKey
            Which one.
        tables : iterator of pyarrow.RecordBatch
            Its rows.
        schema : pyarrow.Schema
            Of all parts.
        manifest : Mapping[str, object]
            What it was made of.
        replace : bool
            Whether a finished batch of the same key may be replaced.
        """
        self.check()
        refuse = None if replace else lambda: self.finished(key)
        told = {**manifest, BATCH: key.to_plain()}
        _written(self.path, partial(write_scores_file, tables, schema, told, self.path.suffix), key, refuse)
        return _with_sidecar(self.path, sidecar_of(self.path), told)

    def batches(self) -> list[BatchKey]:
        """See `Target.batches`: one at most."""
        told = manifest_in(self.path)
        return [] if told is None or BATCH not in told else [key_of(told)]

    def read(self, key: BatchKey, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """See `Target.read`.

        Parameters
        ----------
        key : BatchKey
            Which one.
        columns : sequence of str, optional
            Those wanted.
        """
        if self.batches() != [key]:
            raise no_such_batch(key, self.label)
        return read_scores(self.path, columns)


def _written(
    path: Path, write: Callable[[Path], object], key: BatchKey, there: Callable[[], object] | None
) -> None:
    """Write a file whole; refuse where another job wrote the batch first, and say so of a full disk."""

    def written(to: Path) -> None:
        write(to)
        _refuse_second(there, key)

    _refuse_second(there, key)
    try:
        _sweep(path)
        write_whole(path, written)
    except OSError as error:
        raise _not_written(path, error) from error


def _refuse_second(there: Callable[[], object] | None, key: BatchKey) -> None:
    if there is not None and there() is not None:
        raise another_wrote(key)


def _not_written(path: Path, error: OSError) -> UnavailableError | SettingsError:
    if error.errno in DISK_FULL:
        return UnavailableError(
            f"{path} could not be written: the disk is full. Nothing of the batch is there; make room and "
            "run it again."
        )
    return SettingsError(f"{path} could not be written: {error.strerror or error}.")


def _sweep(path: Path) -> None:
    """Remove what runs that were killed left of this file."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        pid = left.name.split(".")[-2]
        if pid.isdigit() and not is_running(int(pid)):
            left.unlink(missing_ok=True)


def _with_sidecar(path: Path, sidecar: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a manifest by its file and checksum, and write it beside."""
    told = {**json.loads(json.dumps(manifest)), "file": path.name, "sha256": sha256_of(path)}
    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    try:
        write_whole(sidecar, lambda to: to.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise _not_written(sidecar, error) from error
    return told


def _whole(path: Path, sidecar: Path, key: BatchKey) -> dict[str, Any] | None:
    """Return the manifest of a file that holds this batch, undamaged."""
    told = manifest_in(path)
    if told is None or told.get(BATCH) != key.to_plain():
        return None
    if path.suffix == ".csv":
        return told
    beside = json_in(sidecar)
    if beside is None or {name: beside[name] for name in beside if name not in {"file", "sha256"}} != told:
        return _with_sidecar(path, sidecar, told)  # a run was killed before it wrote this one
    return beside if beside.get("sha256") == sha256_of(path) else None
