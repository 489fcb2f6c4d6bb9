"""The log: everything a business recorded about its customers, and what of it was known at a cutoff.

`CustomerLog` is validated once, when it is made. `CustomerLog.until` returns a `History`, which holds no
record after the cutoff: feature builders receive only that, so they cannot see the future.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import pandas as pd

from habitue.errors import DataError, HabitueWarning, SchemaError, SettingsError
from habitue.records.days import as_day
from habitue.records.door import Reading, TableCheck, admit
from habitue.records.engine import DuckDBEngine
from habitue.records.schema import SCHEMAS
from habitue.records.sources import Relation, open_source

__all__ = ["CustomerLog", "History"]


@dataclass(frozen=True)
class History:
    """What was known at the end of the cutoff day.

    Attributes
    ----------
    engine : DuckDBEngine
        Holds the records.
    cutoff : datetime.date
        The last day whose records may be read.
    kinds : tuple of str
        Kinds of record that the log has.
    """

    engine: DuckDBEngine
    cutoff: date
    kinds: tuple[str, ...]

    def relation(self, kind: str) -> str:
        """Return a query for the records of a kind up to the cutoff; ``$cutoff`` has to be bound.

        What a record only came to say later (when a contract ended and why, when a ticket was closed) is
        empty up to then.

        Parameters
        ----------
        kind : str
            A kind of record that the log has.
        """
        schema = SCHEMAS[kind]
        if not schema.instant:
            return f"SELECT * FROM {kind}"
        there = self.engine.columns(kind)
        later = [
            f"CASE WHEN CAST({known} AS DATE) <= $cutoff THEN {column} END AS {column}"
            for column, known in schema.known_later.items()
            if column in there and known in there
        ]
        replaced = f" REPLACE ({', '.join(later)})" if later else ""
        return f"SELECT *{replaced} FROM {kind} WHERE day <= $cutoff"


class CustomerLog:
    """A frozen bundle of records, one table per kind, checked at the door.

    Parameters
    ----------
    transactions, contracts, events, feedback, tickets, rewards, contacts, customers : source, optional
        Frames (pandas, Polars, Arrow), paths or URLs with the canonical columns of `habitue.records.SCHEMAS`.
        Either transactions or contracts is needed.
    timezone : str, optional
        IANA zone whose days count; instants without an offset are taken to be in it. UTC where None.
    observed_until : date or str, optional
        The last day on which the log is complete; the day of the last record where None. Days after it are
        unknown, not days without purchases.
    engine : DuckDBEngine, optional
        A fresh in-memory one where None.

    Raises
    ------
    SchemaError
        Columns are missing or duplicated, or a date could be read in two ways.
    DataError
        A source is empty, or none of its rows can be used.

    Warns
    -----
    HabitueWarning
        Where rows were set aside; `quarantine` shows them.

    Examples
    --------
    >>> import pandas as pd
    >>> log = CustomerLog(transactions=pd.DataFrame(
    ...     {"customer_id": [1, 1, 2], "timestamp": ["2024-01-01", "2024-02-01", "2024-01-15"],
    ...      "amount": [10.0, 12.5, 8.0]}))
    >>> log.n_customers, str(log.observed_until)
    (2, '2024-02-01')
    """

    def __init__(
        self,
        *,
        transactions: Any = None,
        contracts: Any = None,
        events: Any = None,
        feedback: Any = None,
        tickets: Any = None,
        rewards: Any = None,
        contacts: Any = None,
        customers: Any = None,
        timezone: str | None = None,
        observed_until: date | str | None = None,
        engine: DuckDBEngine | None = None,
    ) -> None:
        engine = _free(engine)
        until = as_day(observed_until, "observed_until") if observed_until is not None else None
        sources = {
            "transactions": transactions,
            "contracts": contracts,
            "events": events,
            "feedback": feedback,
            "tickets": tickets,
            "rewards": rewards,
            "contacts": contacts,
            "customers": customers,
        }
        reading = Reading(timezone=timezone, observed_until=until)
        checks = {
            kind: _admit(engine, kind, open_source(engine, source), {}, reading)
            for kind, source in sources.items()
            if source is not None
        }
        self._finish(engine, checks, until)

    @classmethod
    def from_relation(
        cls, engine: DuckDBEngine, relation: Relation, mapping: Mapping[str, str], reading: Reading
    ) -> CustomerLog:
        """Make a log of transactions from an opened source whose columns have other names (`read_log`).

        Parameters
        ----------
        engine : DuckDBEngine
            Where to hold the records.
        relation : Relation
            The source.
        mapping : Mapping[str, str]
            Canonical column to column of the source.
        reading : Reading
            How values are to be read.
        """
        log = cls.__new__(cls)
        _free(engine)
        checks = {"transactions": _admit(engine, "transactions", relation, mapping, reading)}
        log._finish(engine, checks, reading.observed_until)
        return log

    def _finish(self, engine: DuckDBEngine, checks: Mapping[str, TableCheck], until: date | None) -> None:
        if "transactions" not in checks and "contracts" not in checks:
            raise SchemaError("A log needs transactions or contracts; neither was given.")
        _refuse_currencies(engine, checks)
        _unify_ids(engine, list(checks))
        self.engine = engine
        self.checks = MappingProxyType(dict(checks))
        last = [_days(engine, kind)[1] for kind in checks if SCHEMAS[kind].instant]
        main = "transactions" if "transactions" in checks else "contracts"
        self.first_day: date = _days(engine, main)[0]
        self.observed_until: date = until or max(last)
        self.n_customers = int(engine.rows(f"SELECT count(DISTINCT customer_id) FROM {main}")[0][0])

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of record that the log has."""
        return tuple(self.checks)

    def until(self, cutoff: date | str) -> History:
        """Return what was known at the end of the cutoff day.

        Parameters
        ----------
        cutoff : date or str
            The last day whose records may be read.

        Raises
        ------
        DataError
            Where the cutoff is before the first record or after `observed_until`.
        """
        day = as_day(cutoff, "cutoff")
        if day < self.first_day:
            raise DataError(
                f"The cutoff {day} is before the first record ({self.first_day}): nobody was a customer yet. "
                f"Choose a day from {self.first_day} to {self.observed_until}."
            )
        if day > self.observed_until:
            raise DataError(
                f"The cutoff {day} is after the last day of the log ({self.observed_until}): days without "
                "records would be read as days without purchases. Choose an earlier cutoff or, if the log is "
                f"complete up to a later day, say so with observed_until={str(day)!r}."
            )
        return History(self.engine, day, self.kinds)

    def quarantine(self, kind: str = "transactions") -> pd.DataFrame:
        """Return the rows that were set aside: row, reason, and the row as it came (JSON).

        Parameters
        ----------
        kind : str
            Kind of record.

        Returns
        -------
        DataFrame
            ``row`` counts the rows of data from 1; where the reason says "line is no row" it is the line of
            the file.
        """
        return self.engine.frame(f"SELECT * FROM quarantine_{kind} ORDER BY row")

    def fingerprint(self) -> str:
        """Return a hash of all admitted records that does not depend on their order."""
        parts = [
            str(
                self.engine.rows(
                    f"SELECT count(*), coalesce(sum(hash(t)::UBIGINT % 4294967296), 0), "
                    f"coalesce(bit_xor(hash(t)), 0) FROM {kind} AS t"
                )[0]
            )
            for kind in sorted(self.checks)
        ]
        return hashlib.sha256("|".join([*sorted(self.checks), *parts]).encode()).hexdigest()

    def __repr__(self) -> str:
        """Say in a few lines what the log holds."""
        lines = [f"CustomerLog of {self.n_customers:,} customers, {self.first_day} to {self.observed_until}"]
        for kind, check in self.checks.items():
            aside = f", {check.n_quarantined:,} quarantined" if check.n_quarantined else ""
            lines.append(f"  {kind}: {check.n_admitted:,} records{aside}")
        return "\n".join(lines)


def _admit(
    engine: DuckDBEngine, kind: str, relation: Relation, mapping: Mapping[str, str], reading: Reading
) -> TableCheck:
    try:
        check = admit(engine, kind, relation, mapping, reading)
    finally:
        relation.release()
    if check.unread:
        told = ", ".join(f"{name} ({count:,})" for name, count in check.unread.items())
        warnings.warn(
            f"Some values of {kind} could not be read and are empty: {told}.", HabitueWarning, stacklevel=4
        )
    if check.quarantined:
        told = "; ".join(f"{reason} ({count:,})" for reason, count in list(check.quarantined.items())[:3])
        warnings.warn(
            f"{check.n_quarantined:,} of {check.n_rows:,} rows of {kind} were set aside: {told}. "
            f"See log.quarantine({kind!r}).",
            HabitueWarning,
            stacklevel=4,
        )
    return check


def _free(engine: DuckDBEngine | None) -> DuckDBEngine:
    """Return an engine that holds no log yet: a second one would take the place of the first in silence."""
    engine = engine or DuckDBEngine()
    if set(SCHEMAS) & set(engine.table_names()):
        raise SettingsError("This engine already holds a log; give each log an engine of its own.")
    return engine


def _unify_ids(engine: DuckDBEngine, kinds: list[str]) -> None:
    """Make ids text everywhere where they are text somewhere, so that tables can be joined."""
    types = {kind: engine.columns(kind)["customer_id"] for kind in kinds}
    if len(set(types.values())) > 1:
        for kind in kinds:
            engine.execute(f"ALTER TABLE {kind} ALTER customer_id TYPE VARCHAR")


def _days(engine: DuckDBEngine, kind: str) -> tuple[date, date]:
    first, last = engine.rows(f"SELECT min(day), max(day) FROM {kind}")[0]
    return first, last


def _refuse_currencies(engine: DuckDBEngine, checks: Mapping[str, TableCheck]) -> None:
    if "currency" not in getattr(checks.get("transactions"), "mapping", {}):
        return
    found = engine.rows("SELECT currency, count(*) FROM transactions GROUP BY 1 ORDER BY 2 DESC")
    if len(found) > 1:
        told = ", ".join(f"{currency or 'none'} ({count:,} rows)" for currency, count in found)
        raise DataError(
            f"Amounts come in several currencies: {told}. Convert them to one, or read one currency "
            "at a time."
        )
