"""The log: everything a business recorded about its customers, and what of it was known at a cutoff.

`CustomerLog` is validated once, when it is made. `CustomerLog.until` returns a `History`, which holds no
record after the cutoff: feature builders receive only that, so they cannot see the future.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records.assembling import (
    admit_source,
    days_of,
    free_engine,
    last_day,
    refuse_currencies,
    unify_ids,
    warn_of_more,
)
from habitue.records.currencies import as_rates
from habitue.records.days import as_day
from habitue.records.door import Reading, TableCheck
from habitue.records.engine import DuckDBEngine, Engine, literal
from habitue.records.extending import add_batches, extendable, refuse_earlier_end, staged_batches
from habitue.records.history import History, consenting
from habitue.records.sources import Relation, open_source
from habitue.records.store import close_store, kept_log
from habitue.vocabulary import one_or_many

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
        The last day on which the log is complete; the day of the last record where None (without
        transactions, of the last end of a contract that is known to have come, where that is later). Days
        after it are unknown, not days without purchases.
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
        engine = free_engine(engine)
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
            kind: admit_source(engine, kind, open_source(engine, source), {}, reading)
            for kind, source in sources.items()
            if source is not None
        }
        self._finish(engine, checks, until)

    @classmethod
    def from_relations(
        cls,
        engine: DuckDBEngine,
        relations: Iterable[tuple[str, Relation, Mapping[str, str], Reading]],
    ) -> CustomerLog:
        """Make a log from sources whose columns have other names (`habitue.records.read_records`).

        Parameters
        ----------
        engine : DuckDBEngine
            Where to hold the records.
        relations : iterable of (str, Relation, Mapping[str, str], Reading)
            Kind of record, source, canonical column to column of the source, and how values are to be read.
            Each source is let go before the next one is asked for.
        """
        free_engine(engine)
        checks: dict[str, TableCheck] = {}
        until, today = None, None
        for kind, relation, mapping, reading in relations:
            checks[kind] = admit_source(engine, kind, relation, mapping, reading)
            until, today = reading.observed_until, reading.not_after
        return cls.from_checked(engine, checks, until, today=today)

    @classmethod
    def from_checked(
        cls,
        engine: Engine,
        checks: Mapping[str, TableCheck],
        observed_until: date | None,
        *,
        today: date | None = None,
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
        today : date, optional
            Ends of contracts after it lie ahead.
        """
        log = cls.__new__(cls)
        log._finish(engine, checks, observed_until, today)
        return log

    @classmethod
    def open(cls, source: str | Path | DuckDBEngine) -> CustomerLog:
        """Open a log that an earlier process made in a file.

        Parameters
        ----------
        source : path or DuckDBEngine
            The file, as it was given to ``DuckDBEngine(path=...)``; or an engine on it.

        Raises
        ------
        DataError
            Where there is no file, no log in it, or one whose making was cut off.

        Examples
        --------
        >>> import tempfile, pandas as pd
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "log.duckdb"
        >>> orders = pd.DataFrame({"customer_id": [1], "timestamp": ["2024-01-01"], "amount": [10.0]})
        >>> log = CustomerLog(transactions=orders, engine=DuckDBEngine(path=path))
        >>> del log  # the process ends; another one goes on
        >>> CustomerLog.open(path)
        CustomerLog of 1 customer, 2024-01-01 to 2024-01-01
          transactions: 1 record
        """
        if not isinstance(source, DuckDBEngine) and not Path(source).is_file():
            raise DataError(f"There is no file {source}. Check the spelling, or make the log first.")
        engine = source if isinstance(source, DuckDBEngine) else DuckDBEngine(path=source)
        states, until = kept_log(engine)
        days = [state.reading.not_after for state in states.values() if state.reading.not_after is not None]
        checks = {kind: state.check for kind, state in states.items()}
        return cls.from_checked(engine, checks, until, today=max(days, default=None))

    def extend(
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
        observed_until: date | str | None = None,
        not_after: date | str | None = None,
    ) -> CustomerLog:
        """Add new rows and return the log that reading all rows at once would have made.

        New rows pass the door with the log's settings and are written wholly or not at all; no old row is
        read again. This log is of no use afterwards: go on with the one returned.

        Parameters
        ----------
        transactions, contracts, events, feedback, tickets, rewards, contacts, customers : source, optional
            New rows, each handed in once: frames, paths or URLs, or what
            `habitue.records.sources.open_source` returns. Their columns are canonical, or have the names
            with which the log was read. Contracts, tickets and contacts that have changed (ended, closed,
            responded to) are handed in again and take the place of what was known of them; so are customers
            where they do not say when they were recorded.
        observed_until : date or str, optional
            The last day on which the log is complete; the later of the day so far and of the last new record
            where None.
        not_after : date or str, optional
            Today, needed where the log was read with it: rows of later days are set aside.

        Raises
        ------
        SchemaError
            Columns are missing, or the new rows turn how dates of a column are read: read the log anew.
        DataError
            A source does not exist; amounts come in another currency; or it cannot be told which of several
            records a new row takes the place of: read the log anew.
        SettingsError
            The log lies on Spark or was extended already, or a day lies back.

        Warns
        -----
        HabitueWarning
            Where rows were set aside.

        Examples
        --------
        >>> import pandas as pd
        >>> days = pd.DataFrame({"customer_id": [1, 2], "timestamp": ["2024-01-01", "2024-01-02"],
        ...                      "amount": [10.0, 8.0]})
        >>> log = CustomerLog(transactions=days[:1])
        >>> log.extend(transactions=days[1:])
        CustomerLog of 2 customers, 2024-01-01 to 2024-01-02
          transactions: 2 records
        """
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
        engine = extendable(self.engine, self.checks)
        until = refuse_earlier_end(observed_until, self.observed_until)
        today = None if not_after is None else as_day(not_after, "not_after")
        with staged_batches(engine, sources) as batches, engine.transaction():
            checks, last = add_batches(engine, batches, until, today)
            log = CustomerLog.from_checked(engine, checks, last, today=today)
        for kind in batches:
            warn_of_more(checks[kind], self.checks.get(kind))
        return log

    def _finish(
        self,
        engine: Engine,
        checks: Mapping[str, TableCheck],
        until: date | None,
        today: date | None = None,
    ) -> None:
        if "transactions" not in checks and "contracts" not in checks:
            raise SchemaError("A log needs transactions or contracts; neither was given.")
        refuse_currencies(engine, checks)
        unify_ids(engine, list(checks))
        self.engine = engine
        self.checks = MappingProxyType(dict(checks))
        main = "transactions" if "transactions" in checks else "contracts"
        self.first_day: date = days_of(engine, main)[0]
        self.observed_until: date = until or last_day(engine, checks, today=today)
        agreed = consenting(engine, list(checks))
        of_whom = f" WHERE {agreed}" if agreed else ""
        self.n_customers = int(engine.rows(f"SELECT count(DISTINCT customer_id) FROM {main}{of_whom}")[0][0])
        if agreed and not self.n_customers:
            raise DataError(
                "No customer has consented, so there is nobody whose records may be used. Only yes (true, 1) "
                "in the column consent counts; leave it out where their use rests on other grounds."
            )
        if isinstance(engine, DuckDBEngine):
            close_store(engine, until)

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
        everybody = one_or_many(self.n_customers, "customer")
        lines = [f"CustomerLog of {everybody}, {self.first_day} to {self.observed_until}"]
        for kind, check in self.checks.items():
            aside = f", {check.n_quarantined:,} quarantined" if check.n_quarantined else ""
            lines.append(f"  {kind}: {one_or_many(check.n_admitted, 'record')}{aside}")
        return "\n".join(lines)
