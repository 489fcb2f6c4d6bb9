"""The rows that were set aside, with the reason: as a query, and written to a file without loading them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from habitue.errors import DataError, SettingsError
from habitue.records.csv_cells import without_formulas
from habitue.records.customer_log import CustomerLog
from habitue.records.engine import literal

__all__ = ["write_quarantine"]

_FORMATS = {".parquet": "FORMAT parquet", ".csv": "FORMAT csv, HEADER"}


def write_quarantine(
    log: CustomerLog, path: str | Path, kinds: Sequence[str] | None = None, *, suffix: str | None = None
) -> None:
    """Write the rows that were set aside to a file, however many they are.

    The columns are those of `CustomerLog.quarantine`: kind, row, reason, and raw, the row as it came; in
    a CSV file with an apostrophe in front where a spreadsheet would run it.

    Parameters
    ----------
    log : CustomerLog
        The records.
    path : str or Path
        A ``.parquet`` or a ``.csv`` file; what is there is replaced.
    kinds : sequence of str, optional
        Kinds of record; all that the log has where None.
    suffix : str, optional
        Sort of the file where its name does not say so, as of one that is renamed when it is whole.

    Raises
    ------
    SettingsError
        Where the file is of another sort, or the log lacks a kind.
    DataError
        Where the file cannot be written.
    """
    target = Path(path)
    sort = _FORMATS.get((suffix or target.suffix).lower())
    if sort is None:
        raise SettingsError(f"Rows set aside are written to .parquet or .csv; got {target.name!r}.")
    query = log.quarantine_sql(kinds)
    if "csv" in sort:
        query = without_formulas(log.engine, query)
    try:
        log.engine.execute(f"COPY ({query}) TO {literal(str(target))} ({sort})")
    except duckdb.Error as error:
        raise DataError(f"{target} could not be written: {str(error).splitlines()[0]}") from error
