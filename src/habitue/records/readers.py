"""`read_log`: from a table of purchases, wherever it lies and whatever its columns are called, to a log."""

from __future__ import annotations

from datetime import date
from typing import Any

from habitue.records.currencies import as_rates
from habitue.records.customer_log import CustomerLog
from habitue.records.days import as_day
from habitue.records.door import Reading
from habitue.records.engine import DuckDBEngine
from habitue.records.sources import open_source

__all__ = ["read_log"]


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
    rates : Mapping or frame, optional
        What other currencies are worth in the one that amounts are converted to, as `CustomerLog` takes it;
        `currency` names the column that says which a row is in.
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
    }
    mapping = {name: given for name, given in named.items() if given is not None}
    reading = Reading(
        timestamp_format=timestamp_format,
        timezone=timezone,
        decimal=decimal,
        observed_until=None if observed_until is None else as_day(observed_until, "observed_until"),
        not_after=None if not_after is None else as_day(not_after, "not_after"),
        rates=None if rates is None else as_rates(rates),
    )
    relation = open_source(engine, source, table=table, query=query, delimiter=delimiter, encoding=encoding)
    return CustomerLog.from_relation(engine, relation, mapping, reading)
