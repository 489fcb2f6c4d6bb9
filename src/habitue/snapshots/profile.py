"""What a training saw, in few numbers: so that whoever scores can tell whether the world is still that one.

A profile goes along with a model. It holds of each column how often it was missing, between what its values
lay, and how full each of at most twenty bins was; it holds no customer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

import pandas as pd

from habitue.errors import DataError, SchemaError
from habitue.snapshots.column_profile import ColumnProfile, SeekEdges, SeekLevels, is_category

__all__ = ["ColumnProfile", "Profile"]


@dataclass(frozen=True)
class Profile:
    """What a table of features held.

    Attributes
    ----------
    n : int
        Rows. Where snapshots of several cutoffs were stacked, a customer has one of each.
    n_customers : int
        Rows of the last cutoff.
    cutoff : date or None
        The last one, where it is known.
    columns : Mapping[str, ColumnProfile]
        By name, in the order of the table.
    """

    n: int
    n_customers: int
    cutoff: date | None
    columns: Mapping[str, ColumnProfile] = field(repr=False)

    @classmethod
    def of(cls, X: pd.DataFrame, *, cutoff: date | None = None) -> Profile:
        """Return the profile of a table, exactly.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            Numbers and categories; missing values are welcome.
        cutoff : date, optional
            The day as of which customers were described; where None the last one of an index that says it, as
            `stack` makes it.

        Raises
        ------
        SchemaError
            Where a column is there twice or holds neither numbers nor categories.

        Examples
        --------
        >>> profile = Profile.of(pd.DataFrame({"T": [30.0, 60.0, None]}), cutoff=date(2024, 12, 31))
        >>> profile.columns["T"].minimum, profile.columns["T"].n_missing, profile.n_customers
        (30.0, 1, 3)
        """
        stacked = X.index.names[0] == "cutoff" and X.index.nlevels > 1
        if not stacked or not len(X):
            return cls.of_batches(lambda: [X], cutoff=cutoff, exact=True)
        days: Any = X.index.get_level_values(0)
        last = days.max()
        profile = cls.of_batches(
            lambda: [X], cutoff=cutoff or date(last.year, last.month, last.day), exact=True
        )
        return replace(profile, n_customers=int((days == last).sum()))

    @classmethod
    def of_batches(
        cls,
        tables: Callable[[], Iterable[pd.DataFrame]],
        *,
        cutoff: date | None = None,
        exact: bool = False,
    ) -> Profile:
        """Return the profile of a table that comes in parts, which are gone through twice.

        Parameters
        ----------
        tables : callable
            Returns the parts, the same each time.
        cutoff : date, optional
            The day as of which customers were described.
        exact : bool, default False
            Whether all distinct values are kept while edges are sought. Else, of a column with more than
            32,768 of them, the bins may be fuller or emptier than asked for, by about a hundredth of all
            rows in a table of ten million; how full they are, and all else, is exact either way.

        Raises
        ------
        SchemaError
            Where a column is there twice or holds neither numbers nor categories.
        """
        found: dict[str, SeekEdges | SeekLevels] = {}
        for table in tables():
            _refuse_twice(table)
            for name, column in table.items():
                if name not in found:
                    found[str(name)] = SeekLevels() if is_category(column) else SeekEdges(exact=exact)
                found[str(name)].add(column)
        empty = {name: one.column() for name, one in found.items()}
        return cls(0, 0, cutoff, MappingProxyType(empty)).refilled(tables(), cutoff=cutoff)

    def refilled(self, tables: Iterable[pd.DataFrame], *, cutoff: date | None = None) -> Profile:
        """Return the profile of another table in the same bins, to compare the two; the table comes in parts.

        Parameters
        ----------
        tables : iterable of DataFrame
            Its parts. Columns that this profile does not know are passed over; it has those alone that all
            parts have.
        cutoff : date, optional
            The day as of which the other table's customers were described.

        Raises
        ------
        SchemaError
            Where a column holds numbers and held categories, or the other way round.
        """
        n, there, columns = 0, set(self.columns), {name: one.emptied() for name, one in self.columns.items()}
        for table in tables:
            n += len(table)
            there &= set(map(str, table.columns))
            for name, column in table.items():
                if (known := str(name)) in there:
                    columns[known] = columns[known].and_also(self.columns[known].refilled(column))
        kept = {name: columns[name] for name in self.columns if name in there}
        return Profile(n, n, cutoff, MappingProxyType(kept))

    def to_json(self) -> str:
        """Return all of it as text, numbers exact."""
        told = {
            "n": self.n,
            "n_customers": self.n_customers,
            "cutoff": None if self.cutoff is None else self.cutoff.isoformat(),
            "columns": {name: one.to_plain() for name, one in self.columns.items()},
        }
        return json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str
            JSON.

        Raises
        ------
        DataError
            Where it is no profile.

        Examples
        --------
        >>> seen = Profile.of(pd.DataFrame({"T": [30.0, 60.0]}))
        >>> Profile.from_json(seen.to_json()) == seen
        True
        """
        try:
            told = json.loads(text)
            columns = {str(name): ColumnProfile.from_plain(one) for name, one in told["columns"].items()}
            cutoff = None if told["cutoff"] is None else date.fromisoformat(told["cutoff"])
            return cls(int(told["n"]), int(told["n_customers"]), cutoff, MappingProxyType(columns))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"This is no profile as Profile.to_json writes it ({type(error).__name__}: {error}); make it "
                "again with Profile.of, from what the model learned from."
            ) from error


def _refuse_twice(table: pd.DataFrame) -> None:
    if not table.columns.is_unique:
        twice = sorted({str(name) for name in table.columns[table.columns.duplicated()]})
        raise SchemaError(f"Columns are there twice: {', '.join(twice)}; name each once.")
