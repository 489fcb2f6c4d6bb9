"""Who must be left alone: the one place that says so, for `habitue decide` and `habitue measure` alike.

Left alone is who opted out, by an event or in a column, who is not contactable, and who did not consent
where consent is on record. An answer that is neither yes nor no is never taken for leave to contact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pandas as pd

from habitue.errors import SettingsError
from habitue.records import CustomerLog
from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.history import History
from habitue.records.schema import CONSENT, CONTACTABLE
from habitue.records.unread_answers import unread_words
from habitue.records.yes_or_no import as_answers, unknown_words
from habitue.vocabulary import one_or_many

__all__ = ["OPT_OUTS", "ContactRules", "LeftAlone", "asked_of", "customers_at", "left_alone", "opted_out_sql"]

OPT_OUTS: Final = ("unsubscribe", "unsubscribed", "opt_out", "opted_out", "optout")
"""Events that say that somebody wants to hear no more, where [decide] names no others."""

_WAY_OUT: Final = "Write yes or no there, or true and false, or 1 and 0"


@dataclass(frozen=True)
class ContactRules:
    """Where it stands who must be left alone.

    Attributes
    ----------
    consent : str or None
        Column of the customers' attributes that says who may be contacted.
    opt_out : str or None
        Column of the customers' attributes that says who must not be.
    opt_out_events : tuple of str
        Events after which nobody is contacted any more.
    """

    consent: str | None = None
    opt_out: str | None = None
    opt_out_events: tuple[str, ...] = OPT_OUTS


@dataclass(frozen=True)
class LeftAlone:
    """Who must be left alone.

    Attributes
    ----------
    customers : Index
        Of those who were asked about.
    notes : tuple of str
        Answers that could not be read.
    """

    customers: pd.Index
    notes: tuple[str, ...] = ()


def left_alone(
    log: CustomerLog, customers: pd.Index, rules: ContactRules, *, until: date | None = None
) -> LeftAlone:
    """Return who must not be contacted, whatever they are worth.

    Parameters
    ----------
    log : CustomerLog
        The records. Of what customers said the last word counts, whenever it was.
    customers : Index
        Whom to look at, ids as the records have them.
    rules : ContactRules
        Columns and events.
    until : date, optional
        Events of opting out count up to then; all where None.

    Raises
    ------
    SettingsError
        Where a column that is named is not there, or none of its answers can be read.
    """
    said = customers_at(log, customers, log.observed_until)
    off = pd.Series(False, index=customers)
    notes: list[str] = []
    named = ((rules.opt_out, False), (rules.consent, True), (CONSENT, True), (CONTACTABLE, True))
    for column, yes_is_leave in dict.fromkeys(named):
        if column is None or (column in {CONSENT, CONTACTABLE} and column not in said):
            continue
        if column not in said:
            raise SettingsError(
                f"[decide] names the column {column!r} of the customers' records, which is not there; there "
                f"are: {', '.join(map(str, said.columns)) or 'none'}."
            )
        given: Any = said[column]
        answers: Any = as_answers(given)
        count, words = _unread_at_the_door(log, column)
        count, words = (count, words) if count else unknown_words(given)
        if count:
            notes.append(_unread(column, count, words, any_read=bool(answers.notna().any())))
        off |= ~answers.fillna(False) if yes_is_leave else answers.fillna(given.notna())
    if "events" in log.kinds and rules.opt_out_events:
        off |= customers.isin(_opted_out(log, rules, until))
    return LeftAlone(customers[off.to_numpy(dtype=bool)], tuple(notes))


def _unread_at_the_door(log: CustomerLog, column: str) -> tuple[int, tuple[str, ...]]:
    """Return how many answers of a canonical column were empty for saying nothing known, and some of them."""
    check = log.checks.get("customers")
    count = 0 if check is None or column not in {CONSENT, CONTACTABLE} else check.unread.get(column, 0)
    engine = log.engine
    return count, unread_words(engine, "customers", column) if isinstance(engine, DuckDBEngine) else ()


def _unread(column: str, count: int, words: tuple[str, ...], *, any_read: bool) -> str:
    """Say that answers could not be read; refuse a column of which none could be."""
    shown = f", such as {', '.join(map(repr, words))}" if words else ""
    if not any_read:
        raise SettingsError(
            f"No answer in {column!r} of the customers' records says yes or no{shown}: who may be contacted "
            f"cannot be told. {_WAY_OUT}, or name another column."
        )
    told = one_or_many(count, "answer says", plural="answers say")
    return (
        f"{told} neither yes nor no in {column!r} of the customers' records{shown}: without a clear answer "
        f"nobody is contacted. {_WAY_OUT}."
    )


def opted_out_sql(names: tuple[str, ...], column: str = "event") -> tuple[str, dict[str, str]]:
    """Return the SQL condition that an event says that somebody opted out, and what it is bound to.

    Parameters
    ----------
    names : tuple of str
        Of such events; case and white space around them do not matter.
    column : str, default "event"
        As the query calls it.
    """
    values = {f"event_{place}": name.strip().lower() for place, name in enumerate(names)}
    return f"lower(trim({column})) IN ({', '.join(f'${key}' for key in values)})", values


def _opted_out(log: CustomerLog, rules: ContactRules, until: date | None) -> Any:
    condition, values = opted_out_sql(rules.opt_out_events)
    last = {} if until is None else {"until": until}
    upto = "" if until is None else " AND day <= $until"
    sql = f"SELECT DISTINCT customer_id FROM events WHERE {condition}{upto}"
    return log.engine.frame(sql, {**values, **last})["customer_id"]


def customers_at(log: CustomerLog, customers: pd.Index, until: date) -> pd.DataFrame:
    """Return what was known of customers at the end of a day; nothing of whom there are no records.

    Parameters
    ----------
    log : CustomerLog
        The records.
    customers : Index
        Ids as the records have them.
    until : date
        The day.

    Returns
    -------
    DataFrame
        A column an attribute, indexed by `customers`; without columns where there are no such records.
    """
    if "customers" not in log.kinds:
        return pd.DataFrame(index=customers)
    history = log.until(until)
    names = ", ".join(quoted(name) for name in history.columns("customers"))
    found = asked_of(history, f"SELECT {names} FROM ({history.relation('customers')}) AS customers")
    return found.set_index("customer_id").reindex(customers)


def asked_of(history: History, sql: str) -> pd.DataFrame:
    """Ask for rows; a relation need not name the cutoff, and what is not named must not be bound.

    Parameters
    ----------
    history : History
        What was known.
    sql : str
        On its relations.
    """
    named = {name: value for name, value in history.values.items() if f"${name}" in sql}
    return history.engine.frame(sql, named)
