"""Rows of scores as every database holds them: few types, the batch in front, a checksum of the content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_pandas_object

from habitue.errors import DataError
from habitue.pipelines.scoring.batches import BATCH

__all__ = ["SQL_TYPES", "Content", "quoted_name", "rows_of", "table_schema"]

_hashes = cast("Callable[..., pd.Series]", hash_pandas_object)  # pandas leaves its type open

_MOMENT, _TIMED = pa.timestamp("us", tz="UTC"), pa.timestamp("us")

SQL_TYPES: Mapping[pa.DataType, str] = MappingProxyType(
    {
        pa.int64(): "BIGINT",
        pa.float64(): "FLOAT8",
        pa.string(): "TEXT",
        pa.bool_(): "BOOLEAN",
        pa.date32(): "DATE",
        _MOMENT: "TIMESTAMPTZ",
        _TIMED: "TIMESTAMP",
    }
)
"""The types of columns, as both DuckDB and Postgres call them."""

_KINDS: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (pa.types.is_integer, pa.int64()),
    (pa.types.is_floating, pa.float64()),
    (pa.types.is_decimal, pa.float64()),
    (pa.types.is_boolean, pa.bool_()),
    (pa.types.is_date, pa.date32()),
    (pa.types.is_null, pa.string()),
    (pa.types.is_string, pa.string()),
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
)


def table_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns of a table that holds such rows: the batch in front, each of a type of `SQL_TYPES`.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the rows.

    Raises
    ------
    DataError
        Where a column is of a type that a table of scores has no place for.

    Examples
    --------
    >>> table_schema(pa.schema({"decile": pa.int8()})).names
    ['batch', 'decile']
    """
    fields = [pa.field(one.name, _plain(one.type, one.name)) for one in schema]
    return pa.schema([pa.field(BATCH, pa.string()), *fields])


def _plain(kind: pa.DataType, name: str) -> pa.DataType:
    if isinstance(kind, pa.DictionaryType):
        return _plain(kind.value_type, name)
    if isinstance(kind, pa.TimestampType):
        return _MOMENT if kind.tz else _TIMED
    for is_such, plain in _KINDS:
        if is_such(kind):
            return plain
    raise DataError(f"Column {name!r} of the scores holds {kind}; a table has no place for that.")


def rows_of(part: pa.RecordBatch, schema: pa.Schema, batch: str) -> pa.RecordBatch:
    """Return rows as a table holds them.

    Parameters
    ----------
    part : pyarrow.RecordBatch
        Some rows.
    schema : pyarrow.Schema
        As `table_schema` returns it.
    batch : str
        What stands in front.
    """
    columns: list[Any] = [pa.repeat(pa.scalar(batch), part.num_rows)]
    columns += [pc.cast(part.column(one.name), one.type, safe=False) for one in list(schema)[1:]]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def quoted_name(*names: str) -> str:
    """Return a name as SQL takes it, whatever stands in it.

    Parameters
    ----------
    *names : str
        From the outside to the inside.

    Examples
    --------
    >>> quoted_name("public", 'sco"res')
    '"public"."sco""res"'
    """
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


class Content:
    """A checksum of rows that does not depend on their order or on the parts they come in.

    Examples
    --------
    >>> rows = pa.RecordBatch.from_pydict({"clv": [1.5, None]})
    >>> whole, parts = Content(), Content()
    >>> whole.add(rows), parts.add(rows.slice(1)), parts.add(rows.slice(0, 1))
    (None, None, None)
    >>> whole.told() == parts.told()
    True
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self._sum = 0

    def add(self, part: pa.RecordBatch) -> None:
        """Take rows in.

        Parameters
        ----------
        part : pyarrow.RecordBatch
            Some rows.
        """
        frame = pd.DataFrame({name: _comparable(part.column(name)) for name in part.schema.names})
        hashes = _hashes(frame, index=False)
        self.n_rows += part.num_rows
        self._sum = (self._sum + int(hashes.to_numpy().sum(dtype=np.uint64))) % 2**64

    def told(self) -> dict[str, Any]:
        """Return the number of rows and 16 hexadecimal digits."""
        return {"rows": self.n_rows, "content": f"{self._sum:016x}"}


def _comparable(column: pa.Array) -> Any:
    """Return numbers and days as floats and text as it is, whatever is missing beside them."""
    if pa.types.is_string(column.type):
        return pd.Series(column.to_pylist(), dtype=object)
    whole = column.cast(pa.int32()) if pa.types.is_date(column.type) else column
    if pa.types.is_timestamp(whole.type):
        whole = whole.cast(pa.int64())
    return whole.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
