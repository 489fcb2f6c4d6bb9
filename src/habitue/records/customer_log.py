"""The log: everything a business recorded about its customers, and what of it was known at a cutoff.

`CustomerLog` is validated once, when it is made. `CustomerLog.until` returns a `History`, which holds no
record after the cutoff: feature builders receive only that, so they cannot see the future.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any

import pandas as pd

from habitue.errors import DataError, HabitueWarning, SchemaError, SettingsError
from habitue.records.currencies import as_rates
from habitue.records.days import as_day
from habitue.records.door import Reading, TableCheck, admit
from habitue.records.engine import DuckDBEngine, Engine, literal
from habitue.records.history import History
from habitue.records.schema import SCHEMAS
from habitue.records.sources import Relation, open_source

__all__ = ["CustomerLog", "History"]


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
    rates : Mapping or frame, optional
        What other currencies are worth in the one that amounts of transactions are converted to: currency to
        rate, ``{"EUR": 1, "USD": 0.92}``, or a frame with ``currency``, ``rate`` and ``valid_from``, the
        first day of a rate.
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
        rates: Any = None,
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
        worth = None if rates is None else as_rates(rates)
        reading = Reading(timezone=timezone, observed_until=until, rates=worth)
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
        _free(engine)
        checks = {"transactions": _admit(engine, "transactions", relation, mapping, reading)}
        return cls.from_checked(engine, checks, reading.observed_until)

    @classmethod
    def from_checked(
        cls, engine: Engine, checks: Mapping[str, TableCheck], observed_until: date | None
    ) -> CustomerLog:
        """Make a log of tables that an engine holds already, one for each check.

        Parameters
        ----------
        engine : Engine
            Holds the records.
        checks : Mapping[str, TableCheck]
            What the door found, by kind of record.
        observed_until : date, optional
            The last day on which the log is complete; the day of the last record where None.
        """
        log = cls.__new__(cls)
        log._finish(engine, checks, observed_until)
        return log

    def _finish(self, engine: Engine, checks: Mapping[str, TableCheck], until: date | None) -> None:
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

    def quarantine(self, kind: str | None = None) -> pd.DataFrame:
        """Return the rows that were set aside: row, reason, and the row as it came (JSON).

        Parameters
        ----------
        kind : str, optional
            Kind of record; all that the log has where None.

        Returns
        -------
        DataFrame
            ``row`` counts the rows of data from 1; where the reason says "line is no row" it is the line of
            the file. A first column ``kind`` where no kind was named.

        Raises
        ------
        SettingsError
            Where the log lacks the kind.

        See Also
        --------
        habitue.records.quarantine.write_quarantine : Write them to a file instead.
        """
        query = self.quarantine_sql(None if kind is None else [kind])
        return self.engine.frame(query if kind is None else f"SELECT row, reason, raw FROM ({query})")

    def quarantine_sql(self, kinds: Sequence[str] | None = None) -> str:
        """Return a query for the rows that were set aside: kind, row, reason and raw.

        Parameters
        ----------
        kinds : sequence of str, optional
            Kinds of record; all that the log has where None.

        Raises
        ------
        SettingsError
            Where the log lacks a kind, or none is named.
        """
        wanted = list(self.kinds) if kinds is None else list(kinds)
        lacking = sorted(set(wanted) - set(self.kinds))
        if lacking or not wanted:
            told = f"has no {', '.join(lacking)}" if lacking else "was asked for no kind"
            raise SettingsError(f"This log {told}; its kinds of record are {', '.join(self.kinds)}.")
        tables = (
            f"SELECT {place} AS place, {literal(kind)} AS kind, * FROM quarantine_{kind}"
            for place, kind in enumerate(wanted)
        )
        return f"SELECT kind, row, reason, raw FROM ({' UNION ALL '.join(tables)}) ORDER BY place, row"

    def fingerprint(self) -> str:
        """Return a hash of all admitted records that does not depend on their order."""
        parts = [str(self.engine.digest(kind)) for kind in sorted(self.checks)]
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


def _unify_ids(engine: Engine, kinds: list[str]) -> None:
    """Make ids text everywhere where they are text somewhere, so that tables can be joined."""
    types = {kind: engine.columns(kind)["customer_id"] for kind in kinds}
    if len(set(types.values())) > 1:
        for kind in kinds:
            engine.execute(f"ALTER TABLE {kind} ALTER customer_id TYPE VARCHAR")


def _days(engine: Engine, kind: str) -> tuple[date, date]:
    first, last = engine.rows(f"SELECT min(day), max(day) FROM {kind}")[0]
    return first, last


def _refuse_currencies(engine: Engine, checks: Mapping[str, TableCheck]) -> None:
    if "currency" not in getattr(checks.get("transactions"), "mapping", {}):
        return
    found = engine.rows("SELECT currency, count(*) FROM transactions GROUP BY 1 ORDER BY 2 DESC")
    if len(found) > 1:
        told = ", ".join(f"{currency or 'none'} ({count:,} rows)" for currency, count in found)
        raise DataError(
            f"Amounts come in several currencies: {told}. Convert them to one, say what each is "
            "worth with rates=, or read one currency at a time."
        )
