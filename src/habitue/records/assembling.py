"""Tables of several kinds made one log: each passes the door, and they agree on ids and currency."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from datetime import date

from habitue.errors import DataError, HabitueWarning, ManySetAsideWarning
from habitue.records.door import Reading, TableCheck, admit
from habitue.records.engine import DuckDBEngine, Engine
from habitue.records.reading import AFTER_THE_END
from habitue.records.schema import RECORDED_AT, SCHEMAS
from habitue.records.sources import Relation
from habitue.records.store import begin_store
from habitue.records.unread_answers import answer_notes
from habitue.vocabulary import one_or_many

__all__ = [
    "admit_source",
    "days_of",
    "ends_come",
    "free_engine",
    "last_day",
    "refuse_currencies",
    "unify_ids",
    "warn_of_more",
]


def admit_source(
    engine: DuckDBEngine, kind: str, relation: Relation, mapping: Mapping[str, str], reading: Reading
) -> TableCheck:
    """Read a source at the door and let it go; warn of what was set aside.

    Parameters
    ----------
    engine : DuckDBEngine
        Where to.
    kind : str
        Kind of record.
    relation : Relation
        The source.
    mapping : Mapping[str, str]
        Canonical column to column of the source.
    reading : Reading
        How values are to be read.

    Raises
    ------
    DataError
        Where it cannot be used; says which source it is.
    """
    try:
        check = admit(engine, kind, relation, mapping, reading)
    except DataError as error:
        # Of several sources, which one is meant.
        if relation.described in str(error):
            raise
        raise type(error)(f"{relation.described}: {error}") from error
    finally:
        relation.release()
    if check.unread:
        told = ", ".join(f"{name} ({count:,})" for name, count in check.unread.items())
        warnings.warn(
            f"Some values of {kind} could not be read and are empty: {told}."
            f"{''.join(answer_notes(engine, kind, check.unread).values())}",
            HabitueWarning,
            stacklevel=4,
        )
    if check.quarantined:
        told = "; ".join(f"{reason} ({count:,})" for reason, count in list(check.quarantined.items())[:3])
        warnings.warn(
            f"{check.n_quarantined:,} of {one_or_many(check.n_rows, 'row')} of {kind} "
            f"{'was' if check.n_quarantined == 1 else 'were'} set aside: {told}. "
            f"See log.quarantine({kind!r}).",
            ManySetAsideWarning if _loses_many(check) else HabitueWarning,
            stacklevel=4,
        )
    return check


def _loses_many(check: TableCheck) -> bool:
    """Tell whether more than one row in twenty was set aside; those after a stated end are meant to be."""
    lost = sum(count for reason, count in check.quarantined.items() if not reason.endswith(AFTER_THE_END))
    return 20 * lost > check.n_rows


def warn_of_more(check: TableCheck, before: TableCheck | None) -> None:
    """Warn of rows that were set aside since.

    Parameters
    ----------
    check, before : TableCheck
        What was found in all, and before, where the kind was there.
    """
    earlier = {} if before is None else before.quarantined
    more = {reason: count - earlier.get(reason, 0) for reason, count in check.quarantined.items()}
    told = "; ".join(f"{reason} ({count:,})" for reason, count in more.items() if count > 0)
    if told:
        warnings.warn(
            f"New rows of {check.kind} were set aside: {told}. See log.quarantine({check.kind!r}).",
            HabitueWarning,
            stacklevel=3,
        )


def free_engine(engine: DuckDBEngine | None) -> DuckDBEngine:
    """Return an engine that holds no log yet: a second one would take the place of the first in silence.

    Parameters
    ----------
    engine : DuckDBEngine, optional
        A fresh one where None.

    Raises
    ------
    SettingsError
        Where it holds a log.
    """
    engine = engine or DuckDBEngine()
    begin_store(engine)
    return engine


def unify_ids(engine: Engine, kinds: list[str]) -> None:
    """Make ids text everywhere where they are text somewhere, so that tables can be joined.

    Parameters
    ----------
    engine : Engine
        Holds the log.
    kinds : list of str
        Kinds of record that it has.
    """
    types = {kind: engine.columns(kind)["customer_id"] for kind in kinds}
    if len(set(types.values())) > 1:
        for kind in kinds:
            engine.execute(f"ALTER TABLE {kind} ALTER customer_id TYPE VARCHAR")


def days_of(engine: Engine, kind: str) -> tuple[date, date]:
    """Return the first and the last day of a kind of record.

    Parameters
    ----------
    engine : Engine
        Holds the log.
    kind : str
        Kind of record.
    """
    first, last = engine.rows(f"SELECT min(day), max(day) FROM {kind}")[0]
    return first, last


def last_day(engine: Engine, kinds: Collection[str], *, today: date | None = None) -> date:
    """Return the last day on which anything is known to have happened.

    Parameters
    ----------
    engine : Engine
        Holds the log.
    kinds : collection of str
        Kinds of record that it has; transactions or contracts among them.
    today : date, optional
        Ends of contracts after it lie ahead, whatever is told of them.

    Notes
    -----
    The day of the last record; and where contracts alone tell who is a customer, the last end of one that is
    known to have come (`ends_come`), if that is later.
    """
    days = [days_of(engine, kind)[1] for kind in kinds if SCHEMAS[kind].instant]
    if "transactions" not in kinds:
        days += ends_come(engine, "contracts", today=today)
    return max(days)


def ends_come(
    engine: Engine, contracts: str, *, condition: str = "TRUE", today: date | None = None
) -> list[date]:
    """Return the last day on which a contract is known to have ended; none where that is known of none.

    Parameters
    ----------
    engine : Engine
        Holds the contracts.
    contracts : str
        The table, as SQL names it.
    condition : str
        Which of them count, as SQL.
    today : date, optional
        Ends after it lie ahead.

    Notes
    -----
    An end may have been agreed on beforehand, as that of a contract for a year. It has come where the record
    was made on that day or later (``recorded_at``), or, where nobody says when, where a reason is told.
    """
    there = engine.columns(contracts)
    if "ended_at" not in there:
        return []
    day = "CAST(ended_at AS DATE)"
    with_reason = "ended_reason IS NOT NULL" if "ended_reason" in there else "FALSE"
    come = (
        f"CASE WHEN {RECORDED_AT} IS NULL THEN {with_reason} ELSE {day} <= CAST({RECORDED_AT} AS DATE) END"
        if RECORDED_AT in there
        else with_reason
    )
    until, values = ("", None) if today is None else (f" AND {day} <= $today", {"today": today})
    found = engine.rows(f"SELECT max({day}) FROM {contracts} WHERE {condition} AND {come}{until}", values)[0][
        0
    ]
    return [] if found is None else [found]


def refuse_currencies(engine: Engine, checks: Mapping[str, TableCheck]) -> None:
    """Refuse amounts in several currencies.

    Parameters
    ----------
    engine : Engine
        Holds the log.
    checks : Mapping[str, TableCheck]
        By kind of record.

    Raises
    ------
    DataError
        Where there are; names them and how many rows each has.
    """
    if "currency" not in getattr(checks.get("transactions"), "mapping", {}):
        return
    found = engine.rows("SELECT currency, count(*) FROM transactions GROUP BY 1 ORDER BY 2 DESC")
    if len(found) > 1:
        told = ", ".join(f"{currency or 'none'} ({one_or_many(count, 'row')})" for currency, count in found)
        raise DataError(
            f"Amounts come in several currencies: {told}. Convert them to one, say what each is "
            "worth with rates=, or read one currency at a time."
        )
