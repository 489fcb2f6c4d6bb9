"""What a batch of scores is, whatever it is written to: a cutoff, a horizon, pinned versions of models."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from habitue.errors import DataError, UnavailableError

__all__ = ["BATCH", "BatchKey", "Target", "another_wrote", "key_of", "no_such_batch"]

BATCH = "batch"
"""Where a manifest says which batch it is about."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class BatchKey:
    """Which batch: the same cutoff, horizon and versions are one batch, however often it is made.

    Attributes
    ----------
    cutoff : date
        The day as of which customers are scored.
    horizon : int
        Days ahead.
    models : tuple of (str, int)
        Registered names and versions; in the order of the alphabet, whatever order they came in.

    Examples
    --------
    >>> key = BatchKey(date(2024, 12, 31), 91, (("habitue-clv", 2), ("habitue-churn", 3)))
    >>> key.name
    'habitue-churn-3+habitue-clv-2+91d'
    >>> BatchKey(date(2024, 12, 31), 91, (("../../etc/passwd", 1),)).name
    '_etc_passwd~3754d6cb3a-1+91d'
    """

    cutoff: date
    horizon: int
    models: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        """Put models in order, so that two keys of the same ones are equal."""
        object.__setattr__(self, "models", tuple(sorted((str(name), int(v)) for name, v in self.models)))

    @property
    def name(self) -> str:
        """A name that is safe as that of a file, whatever a model is called; without the cutoff."""
        versions = [f"{_slug(name)}-{version}" for name, version in self.models]
        return "+".join([*versions, f"{self.horizon}d"])

    @property
    def label(self) -> str:
        """The batch in words, for messages."""
        versions = " and ".join(f"{name}/{version}" for name, version in self.models)
        return f"{versions} as of {self.cutoff}, {self.horizon} days ahead"

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        models = [{"name": name, "version": version} for name, version in self.models]
        return {"cutoff": self.cutoff.isoformat(), "horizon": self.horizon, "models": models}


def key_of(manifest: Mapping[str, Any]) -> BatchKey:
    """Return which batch a manifest is about.

    Parameters
    ----------
    manifest : Mapping[str, object]
        As a target completed it.

    Raises
    ------
    DataError
        Where it does not say.

    Examples
    --------
    >>> key = BatchKey(date(2024, 12, 31), 91, (("habitue-churn", 3),))
    >>> key_of({"batch": key.to_plain()}) == key
    True
    """
    try:
        told = manifest[BATCH]
        models = tuple((str(one["name"]), int(one["version"])) for one in told["models"])
        return BatchKey(date.fromisoformat(told["cutoff"]), int(told["horizon"]), models)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "A manifest does not say which batch it is about, as a target of `habitue score` writes it."
        ) from error


class Target(Protocol):
    """Where batches of scores go. A reader sees a whole batch there, or nothing of it."""

    @property
    def label(self) -> str:
        """Where, in words; never with credentials."""
        ...

    def check(self) -> None:
        """Make sure, before any work, that batches can be written there; nothing is written yet.

        Raises
        ------
        SettingsError
            Where they cannot: no such place, not allowed, a wrong address.
        UnavailableError
            Where they cannot just now.
        """
        ...

    def finished(self, key: BatchKey) -> dict[str, Any] | None:
        """Return the manifest of a batch that is there, whole and undamaged; else None.

        Parameters
        ----------
        key : BatchKey
            Which one.
        """
        ...

    def write(
        self,
        key: BatchKey,
        tables: Iterator[pa.RecordBatch],
        schema: pa.Schema,
        manifest: Mapping[str, Any],
        *,
        replace: bool,
    ) -> dict[str, Any]:
        """Write a batch, whole or not at all.

        Parameters
        ----------
        key : BatchKey
            Which one.
        tables : iterator of pyarrow.RecordBatch
            Its rows, in parts; read once.
        schema : pyarrow.Schema
            Of all parts.
        manifest : Mapping[str, object]
            What the batch was made of, as JSON can hold it.
        replace : bool
            Whether a finished batch of the same key may be replaced.

        Returns
        -------
        dict
            The manifest, completed by which batch it is, where it lies, and a checksum.

        Raises
        ------
        UnavailableError
            Where another job wrote this batch meanwhile, the disk is full, the database does not answer.
        SettingsError
            Where nothing can be written there.
        """
        ...

    def batches(self) -> list[BatchKey]:
        """Return which finished batches are there, by cutoff."""
        ...

    def read(self, key: BatchKey, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows of a finished batch.

        Parameters
        ----------
        key : BatchKey
            Which one.
        columns : sequence of str, optional
            Those wanted; all where None. Those that this batch does not have are left out.

        Raises
        ------
        DataError
            Where there is no such batch.
        """
        ...


def another_wrote(key: BatchKey) -> UnavailableError:
    """Return what is raised where a batch appeared that was not there before.

    Parameters
    ----------
    key : BatchKey
        Which one.
    """
    return UnavailableError(
        f"The scores of {key.label} were written by another job meanwhile; nothing of this one was kept. Run "
        "it again to see them, or replace them."
    )


def no_such_batch(key: BatchKey, where: str) -> DataError:
    """Return what is raised where a batch is asked for that is not there.

    Parameters
    ----------
    key : BatchKey
        Which one.
    where : str
        The target.
    """
    return DataError(f"There are no scores of {key.label} in {where}; make them with `habitue score`.")


def _slug(name: str) -> str:
    """Return a plain name as it is; of another what is plain, and a digest that tells it apart."""
    if _PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{re.sub('[^A-Za-z0-9_-]+', '_', name)[:48]}~{digest[:10]}"
