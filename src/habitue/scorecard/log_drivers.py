"""The drivers of a log: which customers are asked about, at which past day, and how far ahead."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError
from habitue.records import CustomerLog
from habitue.records.days import as_day
from habitue.records.engine import quoted
from habitue.scorecard.drivers import LEVERS, Drivers, drivers
from habitue.snapshots import Snapshot, Window, take_snapshot
from habitue.vocabulary import one_or_many

__all__ = ["drivers_of"]


def drivers_of(
    log: CustomerLog,
    *,
    horizon: int,
    cutoff: date | str | None = None,
    segment: str | None = "segment",
    pillars: tuple[str, ...] = LEVERS,
    confidence: float = 0.95,
    n_replicates: int = 200,
    random_state: int = 0,
) -> Drivers:
    """Tell which pillars go with staying in a log, of customers who could still be lost.

    Parameters
    ----------
    log : CustomerLog
        The records.
    horizon : int
        Days in which a customer stays or is lost.
    cutoff : date or str, optional
        The day at which customers are looked at; the last whose horizon has passed where None.
    segment : str or None
        Attribute of the records of customers by which drivers are told as well, where the log has it.
    pillars : tuple of str
        Pillars to look at.
    confidence : float
        Of all intervals, in (0, 1).
    n_replicates : int
        Bootstrap draws behind every interval.
    random_state : int
        Source of chance.

    Raises
    ------
    DataError
        As `drivers`; where the log is too short for the horizon; where no customer can still be lost.

    Notes
    -----
    With contracts, only customers whose contract runs at the cutoff are asked about. Without, only those who
    bought within the last horizon: who has been silent for longer may be gone, and who is gone is silent in
    all pillars at once. Some of those asked about are gone as well, unseen: what is not done any more
    (visits, points, opened campaigns) then goes with leaving because it follows from it.

    Examples
    --------
    >>> import habitue as hb
    >>> business = hb.simulate_business(n_customers=600)
    >>> found = drivers_of(business.log, horizon=180, n_replicates=20)
    >>> found.notes[0]
    'of customers on 2024-07-03 whose contract ran: did they stay for 180 days?'
    """
    day = log.observed_until - timedelta(days=horizon) if cutoff is None else as_day(cutoff, "cutoff")
    if day <= log.first_day:
        raise DataError(
            f"The records go from {log.first_day} to {log.observed_until}: too short for a horizon of "
            f"{one_or_many(horizon, 'day')}. Take a shorter one."
        )
    snapshot = take_snapshot(log, Window(day, horizon=horizon))
    here, who = _still_here(snapshot, horizon)
    X, y = snapshot.X.loc[here], snapshot.y
    if y is None or X.empty:
        raise DataError(f"No customer could still be lost on {day}: take another cutoff.")
    found = drivers(
        X,
        y.loc[here, "churned"].to_numpy(),
        segment=_segments(log, day, segment, X.index),
        pillars=pillars,
        confidence=confidence,
        n_replicates=n_replicates,
        random_state=random_state,
    )
    question = f"of customers on {day} {who}: did they stay for {one_or_many(horizon, 'day')}?"
    return replace(found, notes=(question, *found.notes))


def _still_here(snapshot: Snapshot, horizon: int) -> tuple[npt.NDArray[np.bool_], str]:
    """Return who could still be lost, and who that is in words."""
    X = snapshot.X
    if "n_contracts_active" in X:
        return X["n_contracts_active"].to_numpy() > 0, "whose contract ran"
    return X["inactivity"].to_numpy() <= horizon, f"who had bought within {one_or_many(horizon, 'day')}"


def _segments(
    log: CustomerLog, day: date, segment: str | None, customers: pd.Index
) -> npt.NDArray[np.object_] | None:
    """Return each customer's segment as the log has it; None where it has none."""
    if segment is None or "customers" not in log.kinds:
        return None
    history = log.until(day)
    if segment not in history.columns("customers"):
        return None

    column, customers_known = quoted(segment), history.relation("customers")
    sql = f"SELECT customer_id, CAST({column} AS VARCHAR) AS segment FROM ({customers_known})"
    # Customers without days are all known at every cutoff: then nothing in the query is bound to it.
    told = log.engine.frame(sql, {name: one for name, one in history.values.items() if f"${name}" in sql})
    return told.set_index("customer_id")["segment"].reindex(customers).to_numpy(dtype=object)
