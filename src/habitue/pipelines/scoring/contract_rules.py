"""The rules of a model's contract: what is a breach, what is a note, and how each is told.

The limits are chosen for few false alarms. A rule speaks only where what was found is beyond both chance, at
one in a million, and a size that matters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import SchemaError
from habitue.features import FEATURES
from habitue.numerics.quantile_bins import in_bins
from habitue.snapshots.column_profile import ColumnProfile, numbers_of
from habitue.snapshots.profile import Profile
from habitue.vocabulary import one_or_many, term_of

__all__ = ["HISTORY", "Finding", "Limits", "Seen", "column_findings", "limits_of", "table_findings"]

HISTORY: Final = ("frequency", "recency", "T")
"""Known of everybody, or nobody can be answered."""

_CALENDAR: Final = frozenset({"cutoff_day_of_year"})
"""The same for everybody and another at each cutoff: neither a range nor being constant means anything."""
_OURS: Final = frozenset(one.name for one in FEATURES if one.kind == "contacts")
"""What we did to customers, not what they did: a campaign moves it at once, and no source is broken."""
_CHANCE: Final = 1e-6
_FEWER_BREACH, _FEWER_NOTE = 0.5, 0.8
_MISSING_BREACH, _MISSING_NOTE = 0.3, 0.1
_OUTSIDE_BREACH, _OUTSIDE_NOTE = 0.05, 0.01
_PILED_BREACH, _PILED_BEFORE = 0.5, 0.2
_UNKNOWN_LEVELS = 0.05
_FEW: Final = 50
_MODE: Final = 0.5


@dataclass(frozen=True)
class Finding:
    """One thing in which a table differs from what a model learned from.

    Attributes
    ----------
    column : str
        Which; empty where it is about the table.
    what : str
        The rule, in a word or two.
    expected, found : str
        What the training saw, and what is there now.
    severity : {"breach", "note"}
        Whether the model must not be asked.
    told : str
        All of it as a sentence.
    """

    column: str
    what: str
    expected: str
    found: str
    severity: Literal["breach", "note"]
    told: str

    @classmethod
    def breach(cls, column: str, what: str, expected: str, found: str, told: str) -> Finding:
        """Return what forbids to ask the model.

        Parameters
        ----------
        column, what, expected, found, told : str
            See the attributes.
        """
        return cls(column, what, expected, found, "breach", told)

    @classmethod
    def note(cls, column: str, what: str, expected: str, found: str, told: str) -> Finding:
        """Return what is unusual.

        Parameters
        ----------
        column, what, expected, found, told : str
            See the attributes.
        """
        return cls(column, what, expected, found, "note", told)


@dataclass(frozen=True)
class Limits:
    """Between what the values of a column may lie now.

    Attributes
    ----------
    low, high : float
        Inclusive; infinite where there is no limit.
    """

    low: float
    high: float


class Seen:
    """What one column holds now, gathered in parts.

    Parameters
    ----------
    profile : ColumnProfile
        The bins of the training, without a row.
    """

    def __init__(self, profile: ColumnProfile) -> None:
        self.profile = profile
        self.n_outside = 0
        self.wrong_type = ""
        self.positive = np.zeros(len(profile.tally), dtype=np.int64)

    def add(self, column: pd.Series, limits: Limits) -> None:
        """Take rows in.

        Parameters
        ----------
        column : Series
            Whatever it holds.
        limits : Limits
            Outside of which values are counted.
        """
        # Parquet and pandas give a column without a value any type: nothing was read badly there.
        known = column if column.notna().any() else pd.Series(math.nan, index=column.index)
        try:
            if self.profile.levels is not None and known is not column:
                known = known.astype("category")
            self.profile = self.profile.and_also(self.profile.refilled(known))
        except SchemaError:
            self.wrong_type = str(column.dtype)
            return
        if self.profile.levels is None:
            values = numbers_of(known)
            self.n_outside += int(((values < limits.low) | (values > limits.high)).sum())
            above_0 = values[(values > 0.0) & np.isfinite(values)]
            self.positive += in_bins(above_0, np.array(self.profile.edges))

    def is_comparable(self, n: int) -> bool:
        """Say whether all rows were there and could be read.

        Parameters
        ----------
        n : int
            Rows of the table.
        """
        return not self.wrong_type and self.profile.n == n


def limits_of(profile: Profile, cutoff: date | None) -> dict[str, Limits]:
    """Return between what values may lie at a cutoff, as far as can be known from those of the training.

    Parameters
    ----------
    profile : Profile
        What the model learned from.
    cutoff : date or None
        As of which day customers are described now.

    Notes
    -----
    What is counted in days may have grown, or shrunk, by the days that passed; a number of things and money
    grow like the time that records reach back, and may besides be a tenth of the range off, as the largest
    of other customers are.
    """
    known = cutoff is not None and profile.cutoff is not None
    passed = max(0, (cutoff - profile.cutoff).days) if cutoff and profile.cutoff else 0
    longest = profile.columns["T"].maximum if "T" in profile.columns else math.nan
    growth = 1.0 + passed / longest if longest > 0 else 1.0
    found: dict[str, Limits] = {}
    for name, one in profile.columns.items():
        unit, low, high = term_of(name).unit, one.minimum, one.maximum
        if name in _CALENDAR or math.isnan(low) or (unit == "day" and not known):
            found[name] = Limits(-math.inf, math.inf)
        elif unit == "day":
            # Whoever is new, or has just been here, is at 0, though perhaps nobody was at training.
            found[name] = Limits(min(low - passed, 0.0), high + passed)
        elif unit in {"share", "probability"}:
            found[name] = Limits(min(low, 0.0), max(high, 1.0))
        else:
            room = 0.1 * (high - low)
            lowest = 0.0 if low >= 0.0 else low * growth - room  # an amount may shrink to nothing
            found[name] = Limits(lowest, max(high, high * growth) + room)
    return found


def table_findings(profile: Profile, n: int, n_twice: int, cutoff: date | None) -> Iterator[Finding]:
    """Tell what is wrong with the table as a whole.

    Parameters
    ----------
    profile : Profile
        What the model learned from.
    n : int
        Rows.
    n_twice : int
        Rows of customers that stand in another one.
    cutoff : date or None
        As of which day customers are described now; before the training there were fewer of them.

    Yields
    ------
    Finding
    """
    expected = f"{profile.n_customers:,}"
    if not n:
        yield Finding.breach("", "empty", expected, "0", "There is no customer to score.")
        return
    if n_twice:
        told = f"{one_or_many(n_twice, 'row')} of customers who stand in another row; each may be there once."
        yield Finding.breach("customer_id", "twice", "0", f"{n_twice:,}", told)
    share = n / profile.n_customers if profile.n_customers else math.inf
    told = f"There are {n:,} customers; at training there were {expected}."
    before = cutoff is not None and profile.cutoff is not None and cutoff < profile.cutoff
    if share < _FEWER_BREACH and not before:
        yield Finding.breach("", "fewer customers", expected, f"{n:,}", f"{told} Is the source complete?")
    elif share < _FEWER_NOTE:
        yield Finding.note("", "fewer customers", expected, f"{n:,}", told)


def column_findings(
    name: str, learned: ColumnProfile, seen: Seen, limits: Limits, n: int
) -> Iterator[Finding]:
    """Tell what is wrong with a column.

    Parameters
    ----------
    name : str
        Of the column.
    learned : ColumnProfile
        What the model learned from.
    seen : Seen
        What it holds now.
    limits : Limits
        Between what its values may lie.
    n : int
        Rows of the table.

    Yields
    ------
    Finding
    """
    if not n or not learned.n:
        return
    kind = "numbers" if learned.levels is None else "categories"
    if seen.wrong_type:
        told = f"{name} should hold {kind}; it holds {seen.wrong_type}."
        yield Finding.breach(name, "type", kind, seen.wrong_type, told)
    elif seen.profile.n < n:
        told = f"Column {name} is not there, and the model learned from it."
        yield Finding.breach(name, "no such column", kind, "nothing", told)
    else:
        yield from _missing(name, learned, seen.profile)
        rule = _levels if learned.levels is not None else _numbers
        for finding in rule(name, learned, seen, limits):
            moved = name in _OURS and finding.what in {"range", "constant"}
            yield replace(finding, severity="note") if moved else finding


def _missing(name: str, learned: ColumnProfile, now: ColumnProfile) -> Iterator[Finding]:
    """Tell of values that are gone; that more are known than were is no harm."""
    before, share, more = learned.missing, now.missing, now.missing - learned.missing
    expected, found = f"{_percent(before)} missing", f"{_percent(share)} missing"
    told = f"{name} is missing for {_percent(share)} of customers; at training for {_percent(before)}."
    if name in HISTORY and now.n_missing:
        yield Finding.breach(name, "missing", expected, found, told)
    elif now.n_missing == now.n and before < 1 and _is_rare(before, now.n):
        yield Finding.breach(name, "missing", expected, found, f"{told} Did a join fail?")
    elif more > _MISSING_NOTE and more > 5.0 * _error(before, learned.n, now.n):
        # From 50 to 81 % may be a wave of new customers; from 2 to 33 % is a source that stopped.
        is_breach = more > _MISSING_BREACH and share > 2.0 * before
        make = Finding.breach if is_breach else Finding.note
        yield make(name, "missing", expected, found, told)


def _levels(name: str, learned: ColumnProfile, seen: Seen, limits: Limits) -> Iterator[Finding]:
    """Tell of categories that the training did not see."""
    _ = limits
    before, now = float(learned.shares[-1]), float(seen.profile.shares[-1])
    if now - before > _UNKNOWN_LEVELS:
        told = f"{name} is none of the frequent values of the training for {_percent(now)} of customers."
        yield Finding.note(name, "new values", _percent(before), _percent(now), told)


def _numbers(name: str, learned: ColumnProfile, seen: Seen, limits: Limits) -> Iterator[Finding]:
    now = seen.profile
    if now.n_infinite:
        told = f"{name} is infinite for {one_or_many(now.n_infinite, 'customer')}."
        yield Finding.breach(name, "infinite", "finite numbers", f"{now.n_infinite:,} infinite", told)
    n_known, n_learned = sum(now.tally), sum(learned.tally)
    if not n_known or not n_learned or name in _CALENDAR:
        return
    if learned.integers and not now.integers:
        make = Finding.breach if name in HISTORY else Finding.note
        told = f"{name} held whole numbers at training, and now others too."
        yield make(name, "fractions", "whole numbers", "fractions", told)
    yield from _constant(name, learned, now, n_known)
    outside = seen.n_outside / n_known
    # Of n customers more as many as these lie beyond the largest of the training by chance.
    by_chance = math.log(_CHANCE) / math.log(n_known / (n_known + n_learned))
    if outside > _OUTSIDE_NOTE and seen.n_outside > by_chance:
        # A column that told nothing at training tells the model nothing now.
        is_breach = outside > _OUTSIDE_BREACH and learned.minimum < learned.maximum
        make = Finding.breach if is_breach else Finding.note
        expected = f"{limits.low:,.6g} to {limits.high:,.6g}"
        found = f"{now.minimum:,.6g} to {now.maximum:,.6g}"
        told = (
            f"{name} lies outside {expected}, what can be expected after the training, for "
            f"{_percent(outside)} of customers ({found})."
        )
        yield make(name, "range", expected, found, told)
    elif term_of(name).unit in {"money", ""}:
        yield from _piled(name, learned, seen.positive)


def _constant(name: str, learned: ColumnProfile, now: ColumnProfile, n_known: int) -> Iterator[Finding]:
    """Tell of a column that tells nothing any more; of one that says what most had before, only as a note."""
    if not learned.minimum < learned.maximum or now.minimum < now.maximum:
        return
    before = float(learned.shares[int(np.argmax(now.tally))])
    if not _is_rare(before, n_known):
        return
    make = Finding.note if before >= _MODE else Finding.breach
    expected, found = f"{learned.minimum:,.6g} to {learned.maximum:,.6g}", f"{now.minimum:,.6g}"
    yield make(name, "constant", expected, found, f"{name} is {found} for everybody; it was {expected}.")


def _piled(name: str, learned: ColumnProfile, positive: npt.NDArray[np.int64]) -> Iterator[Finding]:
    """Tell of amounts that nearly all went to one end: another unit, such as cents, or another currency.

    Only those above 0 are looked at: that fewer spent anything in a window of time is another matter.
    """
    above_0 = np.array(learned.edges) > 0.0
    before, now = np.array(learned.tally)[above_0], positive[above_0]
    if min(before.sum(), now.sum()) < _FEW:
        return
    for end, word in ((-1, "largest"), (0, "smallest")):
        was, share = float(before[end] / before.sum()), float(now[end] / now.sum())
        if was <= _PILED_BEFORE and share >= _PILED_BREACH:
            told = (
                f"{name} is among the {word} {_percent(was)} of the training for {_percent(share)} of those "
                "who have any. Is it another unit, or currency?"
            )
            yield Finding.breach(name, "unit", _percent(was), _percent(share), told)


def _is_rare(share: float, n: int) -> bool:
    """Whether n customers all having what a share of them has is beyond chance."""
    return n * math.log(max(share, 1e-300)) < math.log(_CHANCE)


def _error(share: float, n_learned: int, n: int) -> float:
    """Return the standard error of the difference of two shares, neither of them taken for surely 0 or 1."""
    near = min(max(share, 1.0 / (n_learned + 1)), 1.0 - 1.0 / (n_learned + 1))
    return math.sqrt(near * (1.0 - near) * (1.0 / n_learned + 1.0 / n))


def _percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"
