"""Where scores go: a hive folder of Parquet, one file, DuckDB, Postgres; and how they are read back.

Whatever it is, a reader sees a batch whole or not at all, and the same batch written twice is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from habitue.errors import SettingsError
from habitue.files import without_password
from habitue.pipelines.scoring.batches import BatchKey, Target, key_of
from habitue.pipelines.scoring.targets_files import FileTarget, HiveTarget

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BatchKey", "Target", "key_of", "read_batches", "target_of"]


def target_of(text: str) -> Target:
    """Return where scores go, from how people name it.

    Parameters
    ----------
    text : str
        A folder; a file that ends in .parquet, .csv, .duckdb or .db; ``duckdb:///path``; or
        ``postgresql://host/database``, with ``?schema=...&table=...`` where it shall not be ``public`` and
        ``scores``.

    Raises
    ------
    SettingsError
        Where it is another address, or one with a password in it.

    Examples
    --------
    >>> target_of("scores").label, target_of("scores.csv").label
    ('scores', 'scores.csv')
    """
    if text.startswith(("postgresql://", "postgres://")):
        from habitue.pipelines.scoring.targets_postgres import postgres_target

        return postgres_target(text)
    if text.startswith("duckdb://") or Path(text).suffix in {".duckdb", ".db"}:
        from habitue.pipelines.scoring.targets_duckdb import duckdb_target

        return duckdb_target(text)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", text):
        raise SettingsError(
            f"Scores cannot be written to {without_password(text)!r}; expected a folder, a file that ends in "
            ".parquet, .csv or .duckdb, duckdb:///path, or postgresql://host/database."
        )
    path = Path(text)
    if path.suffix in {".parquet", ".csv"}:
        return FileTarget(path)
    if not text or (path.suffix and not path.is_dir() and re.fullmatch(r"\.[A-Za-z]+[0-9]*", path.suffix)):
        raise SettingsError(
            f"Scores cannot be written to {text!r}; expected a folder, or a file that ends in .parquet, .csv "
            "or .duckdb."
        )
    return HiveTarget(path)


def read_batches(
    target: Target, *, model: str, columns: Sequence[str] | None = None
) -> Iterator[tuple[BatchKey, pd.DataFrame]]:
    """Read back the finished batches that a model had a part in, one at a time, by cutoff.

    Parameters
    ----------
    target : Target
        Where they are.
    model : str
        Its registered name, whatever the version.
    columns : sequence of str, optional
        Those wanted; all where None. Those that a batch does not have are left out.

    Yields
    ------
    key : BatchKey
        Which batch.
    frame : DataFrame
        Its rows.
    """
    for key in target.batches():
        if any(name == model for name, _ in key.models):
            yield key, target.read(key, columns)
