"""What customers did in the days after a day of their own, and before it: what experiments are measured by.

Each customer's horizon begins on the day after the one on which it was assigned.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from habitue.errors import DataError, SettingsError
from habitue.pipelines.contact_rules import OPT_OUTS, opted_out_sql
from habitue.records import CustomerLog
from habitue.records.history import consenting
from habitue.vocabulary import one_or_many

__all__ = ["FALLING_HARMS", "Observed", "metrics_of", "observe"]

FALLING_HARMS: Final = frozenset({"spend", "margin", "retained", "n_purchases", "has_contract"})
"""Metrics that get worse by falling; all others by rising."""

_TABLE: Final = "measured_customers"

_PURCHASES: Final = """
SELECT a.row,
    COUNT(DISTINCT t.day) FILTER (WHERE t.amount >= 0 AND t.day > a.day) AS n_purchases,
    COUNT(DISTINCT t.day) FILTER (WHERE t.amount >= 0 AND t.day <= a.day) AS n_purchases_before,
    CAST(SUM(t.amount) FILTER (WHERE t.day > a.day) AS DOUBLE) AS spend,
    CAST(SUM(t.amount) FILTER (WHERE t.day <= a.day) AS DOUBLE) AS spend_before,
    COUNT(*) FILTER (WHERE t.amount < 0 AND t.day > a.day) AS n_returns,
    COUNT(*) FILTER (WHERE t.amount < 0 AND t.day <= a.day) AS n_returns_before{margin}
FROM measured_customers a JOIN transactions t ON CAST(t.customer_id AS VARCHAR) = a.id
WHERE t.day > a.day - $horizon AND t.day <= a.day + $horizon
GROUP BY a.row
"""
_MARGIN: Final = """,
    CAST(SUM(t.margin) FILTER (WHERE t.day > a.day) AS DOUBLE) AS margin,
    CAST(SUM(t.margin) FILTER (WHERE t.day <= a.day) AS DOUBLE) AS margin_before"""
_COUNTS: Final = """
SELECT a.row, COUNT(*) FILTER (WHERE t.day > a.day) AS {name},
    COUNT(*) FILTER (WHERE t.day <= a.day) AS {name}_before
FROM measured_customers a JOIN {kind} t ON CAST(t.customer_id AS VARCHAR) = a.id
WHERE t.day > a.day - $horizon AND t.day <= a.day + $horizon{which}
GROUP BY a.row
"""
_CONTRACTS: Final = """
SELECT a.row,
    COUNT(*) FILTER (WHERE {ended} > a.day + $horizon AND c.day <= a.day + $horizon) > 0 AS has_contract,
    COUNT(*) FILTER (WHERE {ended} > a.day AND c.day <= a.day) > 0 AS has_contract_before
FROM measured_customers a JOIN contracts c ON CAST(c.customer_id AS VARCHAR) = a.id
GROUP BY a.row
"""
_KNOWN: Final = """
SELECT a.row, date_diff('day', MIN(t.day), a.day) AS days_known,
    date_diff('day', MAX(t.day), a.day) AS days_since
FROM measured_customers a JOIN {kind} t ON CAST(t.customer_id AS VARCHAR) = a.id
WHERE t.day <= a.day{agreed} GROUP BY a.row, a.day
"""


@dataclass(frozen=True)
class Observed:
    """What customers did.

    Attributes
    ----------
    outcomes : DataFrame
        A column a metric, within the horizon after each customer's day; 0 where nothing was recorded.
    baseline : DataFrame
        The same within as many days up to that day, days_known and days_since (of the first and of the last
        record before).
    matured : ndarray of bool
        Whose horizon lies within the log.
    rows : ndarray of int
        Positions of those customers who were known on their day, in the order of all tables here.
    notes : tuple of str
        Who was left out.
    """

    outcomes: pd.DataFrame
    baseline: pd.DataFrame
    matured: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.intp]
    notes: tuple[str, ...]


def metrics_of(log: CustomerLog) -> tuple[str, ...]:
    """Name the metrics that a log can give.

    Parameters
    ----------
    log : CustomerLog
        The records.

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> metrics_of(cdnow(sample=True))
    ('retained', 'spend', 'n_purchases', 'n_returns')
    """
    found = ["retained"]
    if "transactions" in log.kinds:
        found += ["margin"] * _has_margin(log) + ["spend", "n_purchases", "n_returns"]
        found += ["has_contract"] * ("contracts" in log.kinds)
    found += ["n_tickets"] * ("tickets" in log.kinds)
    return (*found, *["opted_out"] * ("events" in log.kinds))


def _has_margin(log: CustomerLog) -> bool:
    return "margin" in log.engine.columns("transactions") and bool(
        log.engine.rows("SELECT 1 FROM transactions WHERE margin IS NOT NULL LIMIT 1")
    )


def observe(
    log: CustomerLog,
    customers: pd.DataFrame,
    *,
    horizon: int,
    metrics: tuple[str, ...] = (),
    opt_outs: tuple[str, ...] = OPT_OUTS,
) -> Observed:
    """Tell what customers did in the days after a day of their own, and before it.

    Parameters
    ----------
    log : CustomerLog
        The records.
    customers : DataFrame of shape (n, 2 or more)
        ``id`` (as text) and ``day``.
    horizon : int
        Days.
    metrics : tuple of str, default ()
        Only these; all that the log gives where empty.
    opt_outs : tuple of str, optional
        Events that say that somebody opted out.

    Returns
    -------
    Observed

    Raises
    ------
    DataError
        Where half of the customers or more are not known to the log.
    SettingsError
        Where the log cannot give a metric.

    Notes
    -----
    `retained` is a purchase within the horizon, or, without transactions, a contract that runs at its end.
    Customers without any purchase (or contract) up to their day are left out: that was so before anything was
    done, and cannot favour an arm. So are customers without consent, where consent is on record.
    """
    possible = metrics_of(log)
    lacking = [name for name in metrics if name not in possible]
    if lacking:
        raise SettingsError(f"This log cannot give {', '.join(lacking)}; it gives {', '.join(possible)}.")
    with _registered(log, customers):
        table = _joined(log, len(customers), horizon, opt_outs)
    known = table["days_known"].notna().to_numpy()
    notes = _unknown(customers, known)
    table = table.loc[known].fillna({name: 0.0 for name in table if not name.startswith("days_")})
    last = pd.Timestamp(log.observed_until)
    days = pd.DatetimeIndex(customers["day"])[known]
    before = [name for name in table if name.endswith("_before") or name.startswith("days_")]
    return Observed(
        table.loc[:, list(metrics or possible)].astype("float64"),
        table.loc[:, before].astype("float64"),
        np.asarray(days + pd.Timedelta(days=horizon) <= last, dtype=np.bool_),
        np.flatnonzero(known),
        notes,
    )


@contextmanager
def _registered(log: CustomerLog, customers: pd.DataFrame) -> Generator[None]:
    """Make the customers readable for the engine, as long as the block lasts."""
    table = pa.table(
        {
            "row": pa.array(np.arange(len(customers))),
            "id": pa.array(customers["id"].tolist(), pa.string()),
            "day": pa.array(pd.DatetimeIndex(customers["day"]).date, pa.date32()),
        }
    )
    log.engine.register(_TABLE, table)
    try:
        yield
    finally:
        log.engine.unregister(_TABLE)


def _joined(log: CustomerLog, n: int, horizon: int, opt_outs: tuple[str, ...]) -> pd.DataFrame:
    """Return one row a customer, missing where nothing was recorded."""
    days = {"horizon": horizon}
    main = "transactions" if "transactions" in log.kinds else "contracts"
    agreed = consenting(log.engine, log.kinds)
    # Who is not known on their day is left out of everything, so that it is enough to ask for consent here.
    parts = [log.engine.frame(_KNOWN.format(kind=main, agreed=f" AND {agreed}" if agreed else ""))]
    if "transactions" in log.kinds:
        margin = _MARGIN if _has_margin(log) else ""
        parts.append(log.engine.frame(_PURCHASES.format(margin=margin), days))
    if "contracts" in log.kinds:
        there = "ended_at" in log.engine.columns("contracts")
        ended = "coalesce(CAST(c.ended_at AS DATE), DATE '9999-12-31')" if there else "DATE '9999-12-31'"
        parts.append(log.engine.frame(_CONTRACTS.format(ended=ended), days))
    if "tickets" in log.kinds:
        parts.append(log.engine.frame(_COUNTS.format(name="n_tickets", kind="tickets", which=""), days))
    if "events" in log.kinds:
        condition, words = opted_out_sql(opt_outs, "t.event")
        sql = _COUNTS.format(name="opted_out", kind="events", which=f" AND {condition}")
        parts.append(log.engine.frame(sql, {**days, **words}))
    table = pd.DataFrame(index=pd.RangeIndex(n, name="row"))
    for part in parts:
        table = table.join(part.set_index("row").astype("float64"))
    if "opted_out" in table:
        table = table.assign(opted_out=(table["opted_out"] > 0).astype("float64"))
    if main == "contracts":
        return table.rename(columns={"has_contract": "retained", "has_contract_before": "retained_before"})
    return table.assign(retained=(table["n_purchases"] > 0).astype("float64"))


def _unknown(customers: pd.DataFrame, known: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """Say who was left out since the log did not know them on their day."""
    n_out = int((~known).sum())
    if not n_out:
        return ()
    some = ", ".join(map(repr, customers["id"].to_numpy()[~known][:3].tolist()))
    if 2 * n_out >= len(known):
        raise DataError(
            f"{n_out:,} of {len(known):,} customers have no records up to their day of assignment, such as "
            f"{some}. Check that ids are those of the log, and that the days are right."
        )
    return (
        f"{one_or_many(n_out, 'customer')} without records up to the day of assignment left out ({some}).",
    )
