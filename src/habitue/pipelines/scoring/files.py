"""Files of scores in their two formats, with what they say of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from habitue.errors import DataError
from habitue.files import plain_cells, safe_cells, sha256_of

__all__ = [
    "json_in",
    "manifest_in",
    "read_scores",
    "sidecar_of",
    "with_manifest",
    "write_scores_file",
]

_MANIFEST = b"habitue.manifest"
_ROWS_TOGETHER = 100_000
"""Rows of a group in a Parquet file: what a reader holds at least, and can skip at once."""


def sidecar_of(path: Path) -> Path:
    """Return where the manifest of a scores file lies; in a hive folder readers pass over names with _.

    Parameters
    ----------
    path : Path
        The scores file.
    """
    hidden = "_" if path.parent.name.startswith("cutoff=") else ""
    return path.with_name(f"{hidden}{path.stem}.manifest.json")


def write_scores_file(
    tables: Iterator[pa.RecordBatch], schema: pa.Schema, manifest: Mapping[str, Any], suffix: str, path: Path
) -> None:
    """Write rows as they come; a Parquet file also holds the manifest.

    Parameters
    ----------
    tables : iterator of pyarrow.RecordBatch
        The rows.
    schema : pyarrow.Schema
        Of all parts.
    manifest : Mapping[str, object]
        As JSON can hold it.
    suffix : {".parquet", ".csv"}
        The format.
    path : Path
        Where.
    """
    if suffix == ".csv":
        _to_csv(tables, schema, path)
    else:
        _to_parquet(tables, schema, manifest, path)


def read_scores(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    """Read rows back.

    Parameters
    ----------
    path : Path
        Ends in .parquet or .csv.
    columns : sequence of str or None
        Those wanted, as far as they are there; all where None.

    Raises
    ------
    DataError
        Where it cannot be read.
    """
    try:
        return _read_csv(path, columns) if path.suffix == ".csv" else _read_parquet(path, columns)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"The scores in {path} could not be read ({error}); write them again.") from error


def _to_parquet(
    tables: Iterator[pa.RecordBatch], schema: pa.Schema, manifest: Mapping[str, Any], path: Path
) -> None:
    with pq.ParquetWriter(path, with_manifest(schema, manifest), compression="zstd") as writer:
        for part in _gathered(tables, schema):
            writer.write_table(part, row_group_size=_ROWS_TOGETHER)


def with_manifest(schema: pa.Schema, manifest: Mapping[str, Any]) -> pa.Schema:
    """Return a schema that carries a manifest into the file that is written with it.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the rows.
    manifest : Mapping[str, object]
        As JSON can hold it.
    """
    text = json.dumps(manifest, ensure_ascii=False).encode("utf-8")
    return schema.with_metadata({**(schema.metadata or {}), _MANIFEST: text})


def _gathered(tables: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Put small parts together, so that groups of rows are neither tiny nor many."""
    held: list[pa.RecordBatch] = []
    n = 0
    for part in tables:
        held.append(part)
        n += part.num_rows
        if n >= _ROWS_TOGETHER:
            yield pa.Table.from_batches(held, schema)
            held, n = [], 0
    if held:
        yield pa.Table.from_batches(held, schema)


def _to_csv(tables: Iterator[pa.RecordBatch], schema: pa.Schema, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        safe_cells(schema.empty_table().to_pandas()).to_csv(file, index=False)
        for part in tables:
            safe_cells(part.to_pandas(integer_object_nulls=True)).to_csv(file, index=False, header=False)


def manifest_in(path: Path) -> dict[str, Any] | None:
    """Return what a Parquet file says of itself, and of a CSV file its sidecar, if they belong together.

    Parameters
    ----------
    path : Path
        The scores file.

    Returns
    -------
    dict or None
        None where nothing is said.
    """
    if path.suffix == ".csv":
        told = json_in(sidecar_of(path))
        return told if told is not None and path.is_file() and told.get("sha256") == sha256_of(path) else None
    try:
        metadata = pq.read_metadata(path).metadata or {}
        told = json.loads(metadata[_MANIFEST])
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def json_in(path: Path) -> dict[str, Any] | None:
    """Return what a file of JSON holds; None where there is none that can be read.

    Parameters
    ----------
    path : Path
        The file.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def _read_parquet(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    with pq.ParquetFile(path) as file:
        there = file.schema_arrow.names
        wanted = there if columns is None else [name for name in columns if name in there]
        return file.read(columns=wanted).to_pandas()


def _read_csv(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    # Without pandas' own list of what is missing: a customer may be called NA.
    frame = pd.read_csv(path, dtype={"customer_id": str}, keep_default_na=False, na_values=[""])
    frame = plain_cells(frame)
    return frame if columns is None else frame.loc[:, [name for name in columns if name in frame]]
