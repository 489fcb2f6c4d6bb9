"""Frames handed in (pandas, Polars, Arrow), as Arrow tables that the engine reads in place."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from habitue.errors import DataError
from habitue.records.csv_files import refuse_bad_names

__all__ = ["to_arrow"]


def to_arrow(source: Any) -> pa.Table:
    """Return a frame as an Arrow table.

    Parameters
    ----------
    source : frame
        A pandas, Polars or Arrow table, or anything with an Arrow stream.

    Raises
    ------
    SchemaError
        Where a column name stands twice.
    DataError
        Where it is no table, or an empty one.
    """
    if isinstance(source, pd.DataFrame):
        return _pandas_to_arrow(source)
    if isinstance(source, pa.Table):
        table = source
    elif hasattr(source, "__arrow_c_stream__"):
        table = pa.table(source)
    else:
        raise DataError(
            f"A source must be a path, a URL, or a pandas, Polars or Arrow table; got "
            f"{type(source).__name__}."
        )
    refuse_bad_names(table.column_names, "The table")
    if table.num_rows == 0:
        raise DataError("The table is empty; at least one row is needed.")
    return table


def _pandas_to_arrow(frame: pd.DataFrame) -> pa.Table:
    names = [str(name) for name in frame.columns]
    refuse_bad_names(names, "The table")
    if len(frame) == 0:
        raise DataError("The table is empty; at least one row is needed.")
    columns = {name: _pandas_column(frame.iloc[:, place]) for place, name in enumerate(names)}
    return pa.table(columns)


def _pandas_column(column: pd.Series) -> pa.Array:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if column.dtype == object:
        column = column.map(_as_text, na_action="ignore").astype("str")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        utc = pa.array(column.dt.tz_convert("UTC").dt.tz_localize(None), from_pandas=True)
        return utc.cast(pa.timestamp("us"), safe=False).cast(pa.timestamp("us", "UTC"))
    try:
        return pa.array(column, from_pandas=True)
    except pa.ArrowException:
        # What Arrow has no type for (complex numbers, lists of all sorts) may stand beside what is needed.
        return pa.array(column.astype("str"), from_pandas=True)


def _as_text(value: Any) -> str:
    """Write one value of a mixed column so that 1, 1.0 and "1" are the same."""
    if isinstance(value, float):
        if value.is_integer():
            return str(int(value))
        # Three decimals could be taken for thousands where the decimal sign is a comma.
        told = repr(float(value))
        return f"{told}0" if len(told.partition(".")[2]) == 3 else told
    return str(value)
