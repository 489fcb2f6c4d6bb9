"""Whether records after the cutoff change what was known at it: they are put there, and X must stay.

Features are built from a `History`, which holds no later record; this tries whether it does so for this log
and these features. Some customers are described twice, from logs of their own: as they were, and with a
future. What models do with features is ``leakage_probe``'s matter.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from habitue.errors import HabitueWarning, LeakageError
from habitue.features import Feature
from habitue.records import CustomerLog, DuckDBEngine
from habitue.records.engine import literal
from habitue.records.history import MAIN_KINDS
from habitue.records.schema import SCHEMAS
from habitue.snapshots import Population, Window, take_snapshot
from habitue.vocabulary import one_or_many

__all__ = ["FutureProbe", "future_changes_nothing"]

_OTHER_AMOUNTS = 7
"""By how much amounts of the future differ."""


@dataclass(frozen=True)
class FutureProbe:
    """How many customers were given a future that changed nothing.

    Attributes
    ----------
    cutoff : date
        The last day whose records may count.
    n_customers, n_features : int
        What was compared, bit by bit.
    n_records : int
        Records after the cutoff that were there the second time.
    """

    cutoff: date
    n_customers: int
    n_features: int
    n_records: int

    @property
    def told(self) -> str:
        """All of it in words, for a model card."""
        return (
            f"{one_or_many(self.n_records, 'record')} after {self.cutoff} changed none of "
            f"{one_or_many(self.n_features, 'feature')} of {one_or_many(self.n_customers, 'customer')}."
        )


def future_changes_nothing(
    log: CustomerLog,
    window: Window,
    features: Sequence[str | Feature] | None = None,
    *,
    population: Population | None = None,
    n_customers: int = 200,
    random_state: int = 0,
) -> FutureProbe:
    """Give some customers a future, and refuse features that change by it.

    Parameters
    ----------
    log : CustomerLog
        The records; left as they are.
    window : Window
        Its cutoff is the last day that may count.
    features : sequence of str or Feature, optional
        As `take_snapshot`; those of records that none of these customers has are left out.
    population : Population, optional
        As `take_snapshot`.
    n_customers : int
        So many are drawn.
    random_state : int
        Seed.

    Returns
    -------
    FutureProbe

    Raises
    ------
    LeakageError
        Where a feature changed; names all that did.
    DataError
        Where nobody was a customer by the cutoff.

    Notes
    -----
    The future is what the log knows of it, and all that these customers did before, once more after the
    cutoff with other amounts, some of them returned. Contracts end, tickets close and contacts are answered
    on the next day. It takes as long as reading and describing so few customers twice: a second or two,
    whatever the size of the log.

    Examples
    --------
    >>> import habitue as hb
    >>> log = hb.datasets.cdnow(sample=True)
    >>> future_changes_nothing(log, hb.Window("1997-09-30", horizon=91), n_customers=50).told
    '... records after 1997-09-30 changed none of ... features of 50 customers.'
    """
    log.until(window.cutoff)
    rows = _rows_of_some(log, window.cutoff, n_customers, np.random.default_rng(random_state))
    past = {kind: _up_to(frame, window.cutoff) for kind, frame in rows.items()}
    past = {kind: frame for kind, frame in past.items() if len(frame)}
    future = {kind: _with_future(rows[kind], frame, kind, window.cutoff) for kind, frame in past.items()}
    last = max([window.end, *(frame["day"].max().date() for frame in future.values() if "day" in frame)])
    known, later = (_described(of, window, features, population, last) for of in (past, future))
    _refuse_changes(known, later.reindex(known.index), window.cutoff)
    n_records = sum(len(future[kind]) - len(past[kind]) for kind in past)
    return FutureProbe(window.cutoff, len(known), known.shape[1], n_records)


def _rows_of_some(
    log: CustomerLog, cutoff: date, n_customers: int, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """Return all records of some who were customers by the cutoff, and on which day each counts."""
    main = next(kind for kind in MAIN_KINDS if kind in log.kinds)
    sql = f"SELECT DISTINCT customer_id FROM {main} WHERE day <= $cutoff ORDER BY customer_id"
    everybody = [row[0] for row in log.engine.rows(sql, {"cutoff": cutoff})]
    drawn = rng.choice(len(everybody), size=min(n_customers, len(everybody)), replace=False)
    named = [everybody[place] for place in sorted(drawn)]
    ids = ", ".join(literal(one) if isinstance(one, str) else str(int(one)) for one in named)
    return {
        kind: log.engine.frame(f"SELECT * FROM {kind} WHERE customer_id IN ({ids})") for kind in log.kinds
    }


def _up_to(frame: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Return records of days up to the cutoff; customers have no day of their own."""
    return frame.loc[pd.to_datetime(frame["day"]) <= pd.Timestamp(cutoff)] if "day" in frame else frame


def _with_future(rows: pd.DataFrame, past: pd.DataFrame, kind: str, cutoff: date) -> pd.DataFrame:
    """Return records as they are known now, with more of them, and with ends that came later."""
    if "day" not in rows:
        return rows
    day = pd.to_datetime(past["day"])
    shift = pd.Timestamp(cutoff) - day.min() + timedelta(days=1)
    again = past.assign(**{name: past[name] + shift for name in past if past[name].dtype.kind == "M"})
    for column in SCHEMAS[kind].columns:
        if column.kind == "money" and column.name in again:
            again[column.name] = again[column.name].astype("float64") * _OTHER_AMOUNTS
    if "amount" in again:
        again.loc[np.arange(len(again)) % 5 == 4, "amount"] *= -1
    return pd.concat([_ended_later(rows, kind, cutoff), again], ignore_index=True)


def _ended_later(rows: pd.DataFrame, kind: str, cutoff: date) -> pd.DataFrame:
    """Let what was open at the cutoff come to its end on the next day."""
    then, frame = pd.Timestamp(cutoff) + timedelta(days=1), rows.copy()
    for name in dict.fromkeys(SCHEMAS[kind].known_later.values()):
        if name in frame:
            is_open = frame[name].isna() & (pd.to_datetime(frame["day"]) < then)
            frame[name] = pd.to_datetime(frame[name]).mask(is_open, then)
    return frame


def _described(
    records: Mapping[str, pd.DataFrame],
    window: Window,
    features: Sequence[str | Feature] | None,
    population: Population | None,
    last: date,
) -> pd.DataFrame:
    """Return X of a log of its own."""
    frames: dict[str, Any] = {kind: _canonical(frame, kind) for kind, frame in records.items()}
    with warnings.catch_warnings():
        # What the door has to say of a future that never was is no matter.
        warnings.simplefilter("ignore", HabitueWarning)
        log = CustomerLog(**frames, observed_until=last, engine=DuckDBEngine(threads=1))
    possible = {one.name for one in (population or Population()).features(log.until(window.cutoff))}
    chosen = features and [
        one for one in features if (one in possible if isinstance(one, str) else one.kind in log.kinds)
    ]
    return take_snapshot(log, window, chosen, population=population).X


def _canonical(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Leave out what the door adds itself, and the currency: amounts are in one already."""
    added = ["day", "currency", *SCHEMAS[kind].derived]
    return frame.drop(columns=[name for name in added if name in frame])


def _refuse_changes(known: pd.DataFrame, later: pd.DataFrame, cutoff: date) -> None:
    names = [name for name in known if name in later]
    before, after = known[names].to_numpy(), later[names].to_numpy()
    same = (before == after) | (np.isnan(before) & np.isnan(after))
    changed = [str(name) for name, is_same in zip(names, same.all(axis=0), strict=True) if not is_same]
    changed += [str(name) for name in known if name not in later]
    if changed:
        raise LeakageError(
            f"Records after {cutoff} changed what was known then: {', '.join(changed)}. Whoever is scored "
            "has no such records yet. Leave these features out."
        )
