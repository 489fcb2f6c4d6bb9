"""What is kept beside the tables of a log, so that a later process can open it and add to it.

Plain JSON in two small tables of the schema ``kept``: how each kind of record was read and what was found,
and the mark that the log is whole. The mark is written last: without it a log is one whose making was cut
off, and its tables are nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from habitue.errors import DataError, SettingsError
from habitue.records.currencies import Rates
from habitue.records.engine import DuckDBEngine
from habitue.records.reading import Reading
from habitue.records.schema import SCHEMAS
from habitue.records.staging import drop, told_table
from habitue.records.table_check import TableCheck

__all__ = ["KindState", "begin_store", "close_store", "has_store", "keep_kind", "kept_log"]

_VERSION = 1
_TABLE, _WHOLE = "kept.state", "the log"


@dataclass(frozen=True)
class KindState:
    """How one kind of record was read and what was found: all that a later batch needs but the rows.

    Attributes
    ----------
    given : Mapping[str, str]
        Canonical column to column of the source, as it was handed in.
    reading : Reading
        How values are read.
    check : TableCheck
        What was found in all batches.
    n_read : int
        Rows of all batches.
    alike : int
        Rows that equal an earlier one and stay.
    differing : int, optional
        Order keys whose rows differ; None where there is no key.
    all_text : bool
        Whether everything comes as text.
    numerics : tuple of str
        Columns whose numbers a database wrote as text.
    """

    given: Mapping[str, str]
    reading: Reading
    check: TableCheck
    n_read: int
    alike: int
    differing: int | None
    all_text: bool
    numerics: tuple[str, ...]


def begin_store(engine: DuckDBEngine) -> None:
    """Make place for a log; what is left of one whose making was cut off is cleared away.

    Parameters
    ----------
    engine : DuckDBEngine
        Where the log is to be held.

    Raises
    ------
    SettingsError
        Where the engine holds a log already.
    """
    if not has_store(engine, begun=True):
        if set(SCHEMAS) & set(engine.table_names()):
            raise _taken()
        engine.execute("CREATE SCHEMA IF NOT EXISTS kept")
        engine.execute(f"CREATE TABLE {_TABLE} (kind VARCHAR, state VARCHAR)")
    elif has_store(engine):
        raise _taken()
    for kind in SCHEMAS:
        drop(engine, kind, f"quarantine_{kind}", told_table(kind))
    engine.execute(f"DELETE FROM {_TABLE}")


def _taken() -> SettingsError:
    return SettingsError("This engine already holds a log; give each log an engine of its own.")


def has_store(engine: DuckDBEngine, *, begun: bool = False) -> bool:
    """Tell whether an engine holds a whole log.

    Parameters
    ----------
    engine : DuckDBEngine
        That may.
    begun : bool
        Whether one that was begun will do.
    """
    there = engine.rows(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() "
        "AND schema_name = 'kept' AND table_name = 'state'"
    )
    if begun or not there:
        return bool(there)
    return bool(engine.rows(f"SELECT 1 FROM {_TABLE} WHERE kind = $whole", {"whole": _WHOLE}))


def keep_kind(engine: DuckDBEngine, kind: str, state: KindState) -> None:
    """Keep how a kind of record was read and what was found.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the log.
    kind : str
        Kind of record.
    state : KindState
        What is kept.
    """
    _keep(engine, kind, asdict(state))


def close_store(engine: DuckDBEngine, observed_until: date | None) -> None:
    """Mark the log as whole.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the log.
    observed_until : date, optional
        The last day on which the log is complete; the day of the last record where None.
    """
    _keep(engine, _WHOLE, {"version": _VERSION, "observed_until": observed_until})


def _keep(engine: DuckDBEngine, kind: str, state: Mapping[str, Any]) -> None:
    # Days and decimals are written as they are read: as text.
    kept = {"kind": kind, "state": json.dumps(state, default=str)}
    if engine.rows(f"SELECT 1 FROM {_TABLE} WHERE kind = $kind AND state = $state", kept):
        return  # what is only opened is not written
    engine.execute(f"DELETE FROM {_TABLE} WHERE kind = $kind", {"kind": kind})
    engine.execute(f"INSERT INTO {_TABLE} VALUES ($kind, $state)", kept)


def kept_log(engine: DuckDBEngine) -> tuple[dict[str, KindState], date | None]:
    """Return what was kept of each kind of record, and the last day on which the log is complete.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the log.

    Raises
    ------
    DataError
        Where it holds none, one whose making was cut off, or one of another version of habitue.
    """
    if not has_store(engine):
        told = "one whose making was cut off" if has_store(engine, begun=True) else "none"
        raise DataError(f"Here should be a log, and there is {told}. Read it anew from its sources.")
    states = {kind: json.loads(state) for kind, state in engine.rows(f"SELECT kind, state FROM {_TABLE}")}
    whole = states.pop(_WHOLE)
    if whole["version"] != _VERSION:
        raise DataError("This log was kept by another version of habitue. Read it anew from its sources.")
    kinds = {kind: _kind_state(states[kind]) for kind in SCHEMAS if kind in states}
    return kinds, _day(whole["observed_until"])


def _kind_state(kept: Mapping[str, Any]) -> KindState:
    reading = kept["reading"]
    rates = reading["rates"]
    days = {name: _day(reading[name]) for name in ("observed_until", "not_after")}
    check: dict[str, Any] = {**kept["check"], "notes": tuple(kept["check"]["notes"])}
    settings: dict[str, Any] = {**reading, **days, "rates": None if rates is None else _rates(rates)}
    typed = {
        "reading": Reading(**settings),
        "check": TableCheck(**check),
        "numerics": tuple(kept["numerics"]),
    }
    state: dict[str, Any] = {**kept, **typed}
    return KindState(**state)


def _day(written: str | None) -> date | None:
    return None if written is None else date.fromisoformat(written)


def _rates(kept: Mapping[str, Any]) -> Rates:
    rates = ((name, date.fromisoformat(first), Decimal(rate)) for name, first, rate in kept["rates"])
    return Rates(kept["target"], tuple(rates))
