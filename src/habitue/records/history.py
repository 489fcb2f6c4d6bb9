"""What was known at a cutoff: the only thing that feature builders receive.

A record counts from the day on which it became known, and what it only came to say later is empty up to then.
`History` is one cutoff; `Histories` are several, read in one pass: there each record stands once for every
cutoff at which it was known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any, ClassVar

from habitue.records.engine import Engine, quoted
from habitue.records.schema import CONSENT, RECORDED_AT, SCHEMAS, Schema

__all__ = ["MAIN_KINDS", "Histories", "History", "consenting", "main_kind"]

MAIN_KINDS = ("transactions", "contracts")
"""Kinds of record that make somebody a customer; the first that a history names says who is one."""


def main_kind(kinds: Sequence[str]) -> str:
    """Return the kind of record that says who is a customer.

    Parameters
    ----------
    kinds : sequence of str
        Of a history: the first of `MAIN_KINDS` there.

    Examples
    --------
    >>> main_kind(("contracts", "transactions", "tickets"))
    'contracts'
    """
    return next(kind for kind in kinds if kind in MAIN_KINDS)


_CUSTOMER = "customer_id"
_CUTOFF_COLUMN = "the cutoff"  # a name that no attribute of customers is likely to have
_CUTOFF = quoted(_CUTOFF_COLUMN)
_SAMPLE = 100_000
"""Records from which the bounds of parts are taken; parts need not be equal."""


def consenting(engine: Engine, kinds: Sequence[str], column: str = CONSENT) -> str:
    """Return the SQL condition under which records of a customer may be used; empty where all may.

    Parameters
    ----------
    engine : Engine
        Holds the records.
    kinds : sequence of str
        Of the log.
    column : str, default "consent"
        What customers were asked; ``contactable`` for whether they may be contacted.

    Notes
    -----
    Where customers have the column, only who said yes counts, and of several statements the last one,
    whatever the cutoff: who takes it back, takes it back for the past as well.
    """
    there = engine.columns("customers") if "customers" in kinds else {}
    if column not in there:
        return ""
    said = _told_last(there, "customers", [_CUSTOMER]) if RECORDED_AT in there else "SELECT * FROM customers"
    return f"{_CUSTOMER} IN (SELECT {_CUSTOMER} FROM ({said}) AS said WHERE {column})"


@dataclass(frozen=True)
class History:
    """What was known at the end of the cutoff day.

    Attributes
    ----------
    engine : Engine
        Holds the records.
    cutoff : datetime.date
        The last day whose records may be read.
    kinds : tuple of str
        Kinds of record that the log has; the first of `MAIN_KINDS` among them says who is a customer.
    first, end : customer_id, optional
        Only customers from `first` up to and without `end`, in the order of ids; no bound where None.
    """

    engine: Engine
    cutoff: date
    kinds: tuple[str, ...]
    first: Any = None
    end: Any = None

    keys: ClassVar[tuple[str, ...]] = (_CUSTOMER,)
    """Columns that tell rows of X apart."""
    day: ClassVar[str] = "$cutoff"
    """The cutoff, as SQL names it."""

    @property
    def values(self) -> dict[str, Any]:
        """What the names in queries are bound to."""
        bounds = {"first": self.first, "end": self.end}
        return {"cutoff": self.cutoff} | {name: one for name, one in bounds.items() if one is not None}

    def parts(self, n_records: int) -> list[History]:
        """Cut the customers into ranges of ids of about so many records each, to be described one by one.

        Parameters
        ----------
        n_records : int
            Of all kinds, in one part.

        Returns
        -------
        list of History
            In the order of ids: together they hold every customer once. Only itself where it is no larger.
        """
        total = sum(int(self.engine.rows(f"SELECT count(*) FROM {kind}")[0][0]) for kind in self.kinds)
        n_parts = -(-total // n_records)
        if n_parts < 2:
            return [self]
        main = main_kind(self.kinds)
        shares = [place / n_parts for place in range(1, n_parts)]
        # The bounds decide only how the work is cut, so that a sample will do.
        sql = (
            f"SELECT quantile_disc({_CUSTOMER}, {shares}) FROM "
            f"(SELECT {_CUSTOMER} FROM {main} USING SAMPLE reservoir({_SAMPLE} ROWS) REPEATABLE (1))"
        )
        bounds = [None, *dict.fromkeys(self.engine.rows(sql)[0][0]), None]
        return [replace(self, first=first, end=end) for first, end in pairwise(bounds)]

    def columns(self, kind: str) -> dict[str, str]:
        """Return names and SQL types of the columns of `relation`.

        Parameters
        ----------
        kind : str
            A kind of record that the log has.
        """
        return self.engine.columns(kind)

    def relation(self, kind: str) -> str:
        """Return a query for what was known of a kind; the names in it are to be bound to `values`.

        Parameters
        ----------
        kind : str
            A kind of record that the log has.

        Notes
        -----
        - A record dated up to the cutoff counts, unless its `recorded_at` is a later day: it had happened,
          and nobody knew.
        - What a record only came to say later (when a contract ended and why, whether a ticket was
          reopened) is empty up to then, and always where the log does not say when it became known.
        - Customers have one row each: what was recorded last, once they were acquired.
        - Of customers without consent there is nothing, where consent is on record (`consenting`).
        """
        bounds = [one for one in (consenting(self.engine, self.kinds),) if one]
        bounds += [f"{_CUSTOMER} >= $first"] * (self.first is not None)
        bounds += [f"{_CUSTOMER} < $end"] * (self.end is not None)
        return _relation(kind, self.columns(kind), source=kind, keys=self.keys, day=self.day, bounds=bounds)


@dataclass(frozen=True)
class Histories:
    """What was known at each of several cutoffs, to be read in one pass: cheaper where records are few.

    Attributes
    ----------
    engine : Engine
        Holds the records.
    cutoffs : tuple of datetime.date
        Each once.
    kinds : tuple of str
        Kinds of record that the log has; the first of `MAIN_KINDS` among them says who is a customer.
    """

    engine: Engine
    cutoffs: tuple[date, ...]
    kinds: tuple[str, ...]

    keys: ClassVar[tuple[str, ...]] = (_CUTOFF, _CUSTOMER)
    """Columns that tell rows of X apart."""
    day: ClassVar[str] = _CUTOFF
    """The cutoff, as SQL names it."""

    @property
    def values(self) -> dict[str, Any]:
        """What the names in queries are bound to."""
        return {f"cutoff_{place}": cutoff for place, cutoff in enumerate(self.cutoffs)}

    def columns(self, kind: str) -> dict[str, str]:
        """Return names and SQL types of the columns of `relation`.

        Parameters
        ----------
        kind : str
            A kind of record that the log has.
        """
        return {_CUTOFF_COLUMN: "DATE", **self.engine.columns(kind)}

    def relation(self, kind: str) -> str:
        """Return a query for what was known of a kind at each cutoff, with a column that tells the cutoff.

        Parameters
        ----------
        kind : str
            A kind of record that the log has.
        """
        days = " UNION ALL ".join(f"SELECT ${name} AS {_CUTOFF}" for name in self.values)
        source = f"{kind} CROSS JOIN ({days}) AS cutoffs"
        agreed = [one for one in (consenting(self.engine, self.kinds),) if one]
        return _relation(kind, self.columns(kind), source=source, keys=self.keys, day=self.day, bounds=agreed)


def _relation(
    kind: str,
    there: Mapping[str, str],
    *,
    source: str,
    keys: Sequence[str],
    day: str,
    bounds: Sequence[str] = (),
) -> str:
    """Select what was known of a kind: those records, and what they said by then."""
    schema = SCHEMAS[kind]
    conditions = [*_known(schema, there, day), *bounds]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    if not schema.instant and RECORDED_AT in there:
        return _told_last(there, f"{source}{where}", keys)
    later = {name: _once_known(schema, name, there, day) for name in schema.known_later if name in there}
    selected = ", ".join(later.get(name, quoted(name)) for name in there) if later else "*"
    return f"SELECT {selected} FROM {source}{where}"


def _known(schema: Schema, there: Mapping[str, str], day: str) -> list[str]:
    """List the conditions under which a record was known at the cutoff; none where all always were."""
    days = [f"CAST({name} AS DATE)" for name in (RECORDED_AT, "acquired_at") if name in there]
    conditions = [f"({known} IS NULL OR {known} <= {day})" for known in days]
    return [f"day <= {day}"] * bool(schema.instant) + conditions


def _once_known(schema: Schema, name: str, there: Mapping[str, str], day: str) -> str:
    since = schema.known_later[name]
    if since not in there:
        return f"CAST(NULL AS {there[name]}) AS {quoted(name)}"
    return f"CASE WHEN CAST({quoted(since)} AS DATE) <= {day} THEN {quoted(name)} END AS {quoted(name)}"


def _told_last(there: Mapping[str, str], records: str, keys: Sequence[str]) -> str:
    """Return the customers' query; the door saw to it that no two rows of one were recorded at once."""
    latest = (
        f"ROW_NUMBER() OVER (PARTITION BY {', '.join(keys)} ORDER BY {RECORDED_AT} DESC NULLS LAST) "
        "AS nth_latest"
    )
    selected = ", ".join(map(quoted, there))
    return f"SELECT {selected} FROM (SELECT {selected}, {latest} FROM {records}) AS told WHERE nth_latest = 1"
