"""From tables, wherever they lie and whatever their columns are called, to a log.

`read_records` reads all kinds of record, `read_log` only purchases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from habitue.errors import SchemaError
from habitue.records.currencies import Rates, as_rates
from habitue.records.customer_log import CustomerLog
from habitue.records.days import as_day
from habitue.records.door import Reading
from habitue.records.engine import DuckDBEngine
from habitue.records.schema import SCHEMAS
from habitue.records.sources import Relation, open_source

__all__ = ["Source", "read_log", "read_records"]


@dataclass(frozen=True)
class Source:
    """Where one kind of record lies, what its columns are called and how its values are written.

    Attributes
    ----------
    source : path, URL or frame
        As `read_log` takes it.
    mapping : Mapping[str, str]
        Canonical column (see `habitue.records.SCHEMAS`) to the source's own name for it; for money also
        arithmetic on columns. Columns that already bear the canonical name are found.
    table, query : str, optional
        What to read from a database.
    timestamp_format : str, optional
        ``strptime`` format, where the dates can be read in more than one way.
    decimal : {".", ","}
        Decimal sign of amounts and numbers that come as text.
    delimiter, encoding : str, optional
        Of a CSV file; found by looking where None.
    """

    source: Any
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])
    table: str | None = None
    query: str | None = None
    timestamp_format: str | None = None
    decimal: str = "."
    delimiter: str | None = None
    encoding: str | None = None


def read_records(
    sources: Mapping[str, Source],
    *,
    timezone: str | None = None,
    observed_until: date | str | None = None,
    not_after: date | str | None = None,
    rates: Any = None,
    engine: DuckDBEngine | None = None,
) -> CustomerLog:
    """Read a log of several kinds of record from files, databases or frames.

    Parameters
    ----------
    sources : Mapping[str, Source]
        Source by kind of record: transactions, contracts, events, feedback, tickets, rewards, contacts or
        customers. Either transactions or contracts is needed.
    timezone : str, optional
        IANA zone whose days count; UTC where None. Instants without an offset are taken to be in it.
    observed_until : date or str, optional
        The last day on which the log is complete; the day of the last record where None.
    not_after : date or str, optional
        Today: rows of later days are typing errors and set aside.
    rates : Mapping, frame or path, optional
        What other currencies are worth in the one that amounts of transactions are converted to, as
        `CustomerLog` takes it, or a file with the columns ``currency``, ``rate`` and ``valid_from``.
    engine : DuckDBEngine, optional
        Where to hold the records; a fresh in-memory engine where None.

    Returns
    -------
    CustomerLog

    Raises
    ------
    SchemaError
        There is no such kind, a canonical column does not exist, or as `read_log`.
    DataError
        There is no such source, it is empty, or none of its rows can be used.
    SettingsError
        A setting is impossible.

    Warns
    -----
    HabitueWarning
        Where rows were set aside.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"who": ["a", "b"], "when": ["2024-01-03", "2024-02-01"], "paid": [5.0, 7.5]})
    >>> tickets = pd.DataFrame({"account": ["b"], "submitted": ["2024-01-20 10:31"], "area": ["delivery"]})
    >>> read_records({
    ...     "transactions": Source(orders, {"customer_id": "who", "timestamp": "when", "amount": "paid"}),
    ...     "tickets": Source(tickets, {"customer_id": "account", "opened_at": "submitted", "topic": "area"}),
    ... })
    CustomerLog of 2 customers, 2024-01-03 to 2024-02-01
      transactions: 2 records
      tickets: 1 record
    """
    _check(sources)
    engine = engine or DuckDBEngine()
    every = _Whole(
        timezone, _day(observed_until, "observed_until"), _day(not_after, "not_after"), _rates(rates)
    )
    return CustomerLog.from_relations(engine, _opened(engine, sources, every))


def read_log(
    source: Any,
    *,
    customer_id: str = "customer_id",
    timestamp: str = "timestamp",
    amount: str = "amount",
    order_id: str | None = None,
    product_id: str | None = None,
    category: str | None = None,
    quantity: str | None = None,
    list_price: str | None = None,
    discount: str | None = None,
    margin: str | None = None,
    channel: str | None = None,
    currency: str | None = None,
    return_reason: str | None = None,
    recorded_at: str | None = None,
    table: str | None = None,
    query: str | None = None,
    timestamp_format: str | None = None,
    timezone: str | None = None,
    decimal: str = ".",
    delimiter: str | None = None,
    encoding: str | None = None,
    observed_until: date | str | None = None,
    not_after: date | str | None = None,
    rates: Any = None,
    engine: DuckDBEngine | None = None,
) -> CustomerLog:
    """Read a transaction log from a file, a database or a frame.

    Parameters
    ----------
    source : path, URL or frame
        A CSV (plain or .gz, .bz2, .xz) or Parquet file, a folder of Parquet files, a DuckDB file, a
        ``postgresql://`` URL, or a pandas, Polars or Arrow table.
    customer_id, timestamp, amount : str
        The source's names for these. `amount` may also be arithmetic on columns: ``"Quantity * UnitPrice"``.
        A negative amount is a return; an amount of 0 is a visit.
    order_id, product_id, category, quantity, list_price, discount, margin, channel, currency : str, optional
        The source's names for these, where it has them; columns that already bear the name are found.
    return_reason : str, optional
        The source's name for why something came back; read where the amount is negative.
    recorded_at : str, optional
        The source's name for the instant at which a row became known, where that is not its own day.
    table, query : str, optional
        What to read from a database.
    timestamp_format : str, optional
        ``strptime`` format, where the dates can be read in more than one way.
    timezone : str, optional
        IANA zone whose days count; UTC where None. Instants without an offset are taken to be in it.
    decimal : {".", ","}
        Decimal sign of amounts that come as text.
    delimiter, encoding : str, optional
        Of a CSV file; found by looking where None.
    observed_until : date or str, optional
        The last day on which the log is complete; the day of the last record where None.
    not_after : date or str, optional
        Today: rows of later days are typing errors and set aside. One of them would move the end of the log.
    rates : Mapping, frame or path, optional
        What other currencies are worth in the one that amounts are converted to, as `CustomerLog` takes it,
        or a file with the columns ``currency``, ``rate`` and ``valid_from``; `currency` names the column that
        says which a row is in.
    engine : DuckDBEngine, optional
        Where to hold the records; a fresh in-memory engine where None.

    Returns
    -------
    CustomerLog

    Raises
    ------
    SchemaError
        Columns are missing or duplicated (names those there), or dates can be read in two ways.
    DataError
        There is no such source, it is empty, or none of its rows can be used.
    SettingsError
        A setting is impossible.

    Warns
    -----
    HabitueWarning
        Where rows were set aside.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame({"who": ["a", "b", "a"], "when": ["2024-01-03", "2024-01-04", "2024-02-01"],
    ...                        "items": [1, 2, 3], "price": [5.0, 4.0, 2.55]})
    >>> read_log(orders, customer_id="who", timestamp="when", amount="items * price")
    CustomerLog of 2 customers, 2024-01-03 to 2024-02-01
      transactions: 3 records
    """
    engine = engine or DuckDBEngine()
    named = {
        "customer_id": customer_id,
        "timestamp": timestamp,
        "amount": amount,
        "order_id": order_id,
        "product_id": product_id,
        "category": category,
        "quantity": quantity,
        "list_price": list_price,
        "discount": discount,
        "margin": margin,
        "channel": channel,
        "currency": currency,
        "return_reason": return_reason,
        "recorded_at": recorded_at,
    }
    given = Source(
        source,
        {name: column for name, column in named.items() if column is not None},
        table=table,
        query=query,
        timestamp_format=timestamp_format,
        decimal=decimal,
        delimiter=delimiter,
        encoding=encoding,
    )
    every = _Whole(
        timezone, _day(observed_until, "observed_until"), _day(not_after, "not_after"), _rates(rates)
    )
    return CustomerLog.from_relations(engine, _opened(engine, {"transactions": given}, every))


@dataclass(frozen=True)
class _Whole:
    """What is one for all sources of a log."""

    timezone: str | None
    observed_until: date | None
    not_after: date | None
    rates: Rates | None


def _check(sources: Mapping[str, Source]) -> None:
    """Refuse before anything is read what is known to be in vain."""
    for kind, source in sources.items():
        if kind not in SCHEMAS:
            raise SchemaError(f"There is no kind of record {kind!r}; {_nearest(kind, list(SCHEMAS))}.")
        columns = [column.name for column in SCHEMAS[kind].columns]
        for name in source.mapping:
            if name not in columns:
                raise SchemaError(f"{kind} have no column {name!r}; {_nearest(name, columns)}.")
    if not {"transactions", "contracts"} & sources.keys():
        raise SchemaError("A log needs transactions or contracts; neither was given.")


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def _opened(
    engine: DuckDBEngine, sources: Mapping[str, Source], every: _Whole
) -> Iterator[tuple[str, Relation, Mapping[str, str], Reading]]:
    """Open one source after the other, in the order of `SCHEMAS`, however they were given."""
    for kind in (kind for kind in SCHEMAS if kind in sources):
        one = sources[kind]
        reading = Reading(
            timestamp_format=one.timestamp_format,
            timezone=every.timezone,
            decimal=one.decimal,
            observed_until=every.observed_until,
            not_after=every.not_after,
            rates=every.rates,
        )
        relation = open_source(
            engine,
            one.source,
            table=one.table,
            query=one.query,
            delimiter=one.delimiter,
            encoding=one.encoding,
        )
        yield kind, relation, one.mapping, reading


def _day(given: date | str | None, name: str) -> date | None:
    return None if given is None else as_day(given, name)


def _rates(given: Any) -> Rates | None:
    """Read rates as users write them, or from the file that they name."""
    if not isinstance(given, str | Path):
        return None if given is None else as_rates(given)
    engine = DuckDBEngine()
    return as_rates(engine.frame(f"SELECT * FROM {open_source(engine, Path(given)).sql}"))
