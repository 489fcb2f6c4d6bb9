"""Several currencies: what each is worth in the one that amounts are converted to, day by day.

Amounts are multiplied exactly, as decimals, and rounded to the sixth decimal. A row whose currency has no
rate on its day is set aside. The currency of what was converted is the target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from habitue.errors import SchemaError, SettingsError
from habitue.records.days import as_day
from habitue.records.engine import DuckDBEngine, literal, quoted
from habitue.records.frames import to_arrow
from habitue.records.money import MONEY
from habitue.records.schema import Column
from habitue.records.staging import KEPT, REASON, ROW, set_aside
from habitue.vocabulary import one_or_many

__all__ = ["ON_DAY_RATES", "Rates", "as_rates", "converted", "look_up_rates"]

_STEP, _TOO_LARGE = Decimal("1e-12"), Decimal("1e8")
_ALWAYS = date(1900, 1, 1)
_CURRENCY, _DAY = "upper(read_rows.currency)", "CAST(read_rows.timestamp AS DATE)"
_NO_CURRENCY = "currency is missing"
_NO_RATE = "currency has no rate on that day"
_OVERFLOW = "amount is too large once converted"


ON_DAY_RATES = f"day_rates.currency = {_CURRENCY} AND day_rates.day = {_DAY}"
"""How ``read_rows`` is joined to ``day_rates``."""


@dataclass(frozen=True)
class Rates:
    """What one unit of each currency is worth in the target, from a day on.

    Attributes
    ----------
    target : str
        The currency that amounts are converted to.
    rates : tuple of (str, date, Decimal)
        Currency, first day, and rate; a rate holds up to the next of its currency.
    """

    target: str
    rates: tuple[tuple[str, date, Decimal], ...]


def as_rates(given: Any) -> Rates:
    """Read rates as users write them.

    Parameters
    ----------
    given : Mapping or frame
        Currency to rate; or a frame with columns ``currency`` and ``rate`` and, where rates change,
        ``valid_from``. Multiplied by its rate an amount is in the target: the first currency whose rate is
        always 1.

    Raises
    ------
    SchemaError
        Where a frame lacks a column.
    SettingsError
        Where a rate is no number above 0, stands twice, or no currency is the target.

    Examples
    --------
    >>> as_rates({"EUR": 1, "USD": "0.92"}).target
    'EUR'
    """
    if isinstance(given, Mapping):
        rows = [(name, _ALWAYS, rate) for name, rate in given.items()]
    else:
        table = to_arrow(given)
        if not {"currency", "rate"} <= set(table.column_names):
            raise SchemaError(
                f"rates= needs the columns currency and rate, and may have valid_from; it has "
                f"{', '.join(table.column_names)}."
            )
        rows = [
            (row["currency"], _first_day(row.get("valid_from")), row["rate"]) for row in table.to_pylist()
        ]
    rates = tuple((_name(currency), first, _rate(currency, rate)) for currency, first, rate in rows)
    starts = Counter((currency, first) for currency, first, _ in rates)
    if twice := next((start for start, count in starts.items() if count > 1), None):
        raise SettingsError(f"rates= says twice what {twice[0]} is worth from {twice[1]}; say it once.")
    return Rates(_target(rates), rates)


def _name(currency: Any) -> str:
    name = str(currency or "").strip().upper()
    if not name:
        raise SettingsError("rates= has a rate without a currency; name it, for example 'USD'.")
    return name


def _first_day(given: Any) -> date:
    return _ALWAYS if given is None or given == "" else as_day(given, "valid_from of rates=")


def _rate(currency: Any, given: Any) -> Decimal:
    try:
        rate = Decimal(str(given)).quantize(_STEP)
    except InvalidOperation:
        rate = Decimal(0)
    if not (rate.is_finite() and 0 < rate < _TOO_LARGE):
        raise SettingsError(f"The rate of {currency} must be a number from 1e-12 to 1e8; got {given!r}.")
    return rate


def _target(rates: tuple[tuple[str, date, Decimal], ...]) -> str:
    changing = {currency for currency, _, rate in rates if rate != 1}
    for currency, _, _ in rates:
        if currency not in changing:
            return currency
    raise SettingsError(
        "rates= must say which currency amounts are converted to, by a rate of 1, for example "
        "{'EUR': 1, 'USD': 0.92}."
    )


def look_up_rates(engine: DuckDBEngine, rates: Rates, columns: Sequence[Column]) -> tuple[str, ...]:
    """Make the table ``day_rates`` for the days in ``read_rows``; set rows without a rate aside.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``read_rows`` of transactions.
    rates : Rates
        What currencies are worth.
    columns : sequence of Column
        Those that ``read_rows`` has.

    Returns
    -------
    tuple of str
        What is worth knowing.

    Raises
    ------
    SettingsError
        Where there is no column that says the currency.
    """
    if not any(column.name == "currency" for column in columns):
        raise SettingsError("rates= needs a column that says each row's currency; name it with currency=.")
    names, starts, values = zip(*rates.rates, strict=True)
    decimals = pa.array(values, pa.decimal128(20, 12))
    engine.register("given_rates", pa.table({"currency": names, "since": starts, "rate": decimals}))
    try:
        # Few days and currencies: looking them up once is cheaper than once for every row.
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE day_rates AS SELECT asked.currency, asked.day, rate FROM "
            f"(SELECT DISTINCT {_CURRENCY} AS currency, {_DAY} AS day FROM read_rows WHERE {KEPT}) AS asked "
            "ASOF LEFT JOIN given_rates ON asked.currency = given_rates.currency AND asked.day >= since"
        )
    finally:
        engine.unregister("given_rates")
    rows = f"SELECT {ROW} FROM read_rows JOIN day_rates ON {ON_DAY_RATES} WHERE"
    set_aside(engine, f"SELECT {ROW} FROM read_rows WHERE currency IS NULL", _NO_CURRENCY)
    set_aside(engine, f"{rows} rate IS NULL", _NO_RATE)
    set_aside(engine, f"{rows} TRY_CAST(amount * rate AS {MONEY}) IS NULL", _OVERFLOW)
    return _notes(engine, rates.target)


def _notes(engine: DuckDBEngine, target: str) -> tuple[str, ...]:
    counted = f"SELECT {_CURRENCY}, count(*) FROM read_rows WHERE {{}} GROUP BY 1 ORDER BY 2 DESC, 1"
    notes: list[str] = []
    if found := engine.rows(counted.format(f"{KEPT} AND {_CURRENCY} <> {literal(target)}")):
        notes.append(f"Amounts are converted to {target}: {_listed(found)}.")
    if found := engine.rows(counted.format(f"{REASON} = {literal(_NO_RATE)}")):
        notes.append(f"Some days have no rate for {_listed(found[:5])}: add them to rates=.")
    return tuple(notes)


def _listed(found: list[tuple[Any, ...]]) -> str:
    return ", ".join(f"{currency} ({one_or_many(count, 'row')})" for currency, count in found)


def converted(column: Column, target: str) -> str:
    """Return SQL for a column of ``read_rows`` joined to ``day_rates``, in the target currency.

    Parameters
    ----------
    column : Column
        Money is converted, the currency is the target, anything else stays.
    target : str
        The currency that amounts are converted to.
    """
    name = f"read_rows.{quoted(column.name)}"
    if column.kind == "money":
        return f"TRY_CAST({name} * rate AS {MONEY}) AS {quoted(column.name)}"
    return f"{literal(target)} AS currency" if column.name == "currency" else name
