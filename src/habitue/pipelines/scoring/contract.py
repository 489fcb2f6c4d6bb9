"""The contract of a model: what it is asked about must look like what it learned from.

A table is gone through once, in parts, and compared with the profile that the model carries. What a model
must not be asked is a breach: a column that is not there or holds text, customers twice, a broken join, money
in cents. What is merely unusual is a note. Time passes between training and scoring, customers grow older
and totals with them: limits grow along, and no limit is so narrow that chance alone would cross it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.util import hash_array

from habitue.errors import SchemaError
from habitue.pipelines.scoring.contract_rules import (
    HISTORY,
    Finding,
    Limits,
    Seen,
    column_findings,
    limits_of,
    table_findings,
)
from habitue.snapshots.column_profile import numbers_of
from habitue.snapshots.profile import Profile

__all__ = ["Contract", "Finding", "check_contract"]

Digests = npt.NDArray[np.uint64]
_hashes = cast("Callable[..., Digests]", hash_array)  # pandas leaves its type open


@dataclass(frozen=True)
class Contract:
    """What was found when a table was compared with what a model learned from.

    Attributes
    ----------
    findings : tuple of Finding
        Breaches first, then notes.
    observed : Profile
        The table in the profile's bins; columns that could not be compared are left out.
    """

    findings: tuple[Finding, ...]
    observed: Profile = field(repr=False)

    @property
    def breaches(self) -> list[str]:
        """Sentences that say why the model must not be asked."""
        return [one.told for one in self.findings if one.severity == "breach"]

    @property
    def notes(self) -> list[str]:
        """Sentences that say what is unusual."""
        return [one.told for one in self.findings if one.severity == "note"]

    def to_plain(self) -> list[dict[str, Any]]:
        """Return the findings as JSON can hold them."""
        return [asdict(one) for one in self.findings]


def check_contract(
    profile: Profile, tables: Callable[[], Iterable[pd.DataFrame]], *, cutoff: date | None = None
) -> Contract:
    """Compare a table with what a model learned from, before it is asked.

    Parameters
    ----------
    profile : Profile
        What the model learned from.
    tables : callable
        Returns the table in parts, indexed by customer_id; it is gone through once.
    cutoff : date, optional
        As of which day customers are described now. Where this or the profile's is not known, what is counted
        in days is not held to a range.

    Returns
    -------
    Contract

    Examples
    --------
    >>> learned = Profile.of(pd.DataFrame({"T": [30.0, 60.0, 90.0]}), cutoff=date(2024, 12, 31))
    >>> now = pd.DataFrame({"T": [61.0, 91.0, -1.0]}, index=["a", "b", "c"])
    >>> check_contract(learned, lambda: [now], cutoff=date(2025, 1, 31)).breaches
    ['T is below 0 for 1 customer, which cannot be.']
    """
    base = _Base(profile, limits_of(profile, cutoff))
    for table in tables():
        base.add(table)
    found = [
        *table_findings(profile, base.n, base.n_twice(), cutoff),
        *base.impossible(),
        *(
            finding
            for name, learned in profile.columns.items()
            for finding in column_findings(name, learned, base.columns[name], base.limits[name], base.n)
        ),
    ]
    there = {name: one.profile for name, one in base.columns.items() if one.is_comparable(base.n)}
    observed = Profile(base.n, base.n, cutoff, MappingProxyType(there))
    return Contract(tuple(sorted(found, key=lambda one: one.severity)), observed)


class _Base:
    """What is gathered of a table that comes in parts."""

    def __init__(self, profile: Profile, limits: dict[str, Limits]) -> None:
        self.limits = limits
        self.columns = {name: Seen(one.emptied()) for name, one in profile.columns.items()}
        self.n = 0
        self._ids: list[Digests] = []
        self._impossible: dict[str, int] = {}

    def add(self, table: pd.DataFrame) -> None:
        """Take a part in."""
        self.n += len(table)
        self._ids.append(_digests(table.index))
        for name, column in table.items():
            if (known := str(name)) in self.columns:
                self.columns[known].add(column, self.limits[known])
        for told, who in _cannot_be(table).items():
            self._impossible[told] = self._impossible.get(told, 0) + int(who.sum())

    def n_twice(self) -> int:
        """Return how many rows are of customers that stand in another one."""
        ids = np.concatenate(self._ids) if self._ids else np.zeros(0, dtype=np.uint64)
        return len(ids) - len(np.unique(ids))

    def impossible(self) -> list[Finding]:
        """Return what no customer can have."""
        customers = {told: n for told, n in self._impossible.items() if n}
        return [
            Finding.breach(
                told.partition(" ")[0], "impossible", "never", f"{n:,}",
                f"{told} for {n:,} customer{'s' if n > 1 else ''}, which cannot be.",
            )
            for told, n in customers.items()
        ]  # fmt: skip


def _digests(index: pd.Index) -> Digests:
    """Return a number for each customer, the same for the same one; ten million of them take 80 MB."""
    values = np.asarray(index.to_numpy(dtype=object, na_value=None), dtype=object)
    return _hashes(values, categorize=False)


def _cannot_be(table: pd.DataFrame) -> dict[str, Any]:
    """Return for whom the literature's three say what cannot be; who holds nothing is told of elsewhere."""
    there: dict[str, Any] = {}
    for name in HISTORY:
        if name in table:
            try:
                there[name] = numbers_of(pd.Series(table[name]))
            except SchemaError:  # told of as a column of the wrong type
                continue
    found = {f"{name} is below 0": values < 0 for name, values in there.items()}
    if {"recency", "T"} <= there.keys():
        found["recency is longer than T"] = there["recency"] > there["T"]
    return found
