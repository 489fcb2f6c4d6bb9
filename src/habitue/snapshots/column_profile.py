"""What a training saw in one column: how much was missing, what it lay between, how full its bins were."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import SchemaError
from habitue.numerics.arrays import FloatArray
from habitue.numerics.quantile_bins import compressed, in_bins, quantile_bins

__all__ = ["ColumnProfile", "SeekEdges", "SeekLevels", "is_category", "numbers_of"]

IntArray = npt.NDArray[np.int64]

_EXACT = 32_768
"""So many distinct values of a column are told apart while its edges are sought in parts of a table."""
_MOST_LEVELS = 19
_NUMBERS = frozenset({"integer", "floating", "mixed-integer-float", "boolean", "decimal", "empty"})
"""What pandas calls the numbers that a column of Python objects may hold."""


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """What one column held; equal to another that tells the same, where nothing is known too.

    Attributes
    ----------
    n : int
        Rows.
    n_missing, n_infinite : int
        How many of them hold nothing, and how many no finite number.
    minimum, maximum : float
        Of the finite values; NaN where there is none, and of categories.
    integers : bool
        Whether all finite values are whole numbers.
    edges : tuple of float
        Upper edges of the bins: each holds what is greater than the edge before and not greater than its own.
        Empty of categories.
    levels : tuple of str or None
        Of categories: the most frequent ones, in the order of the alphabet; None of numbers.
    tally : tuple of int
        Rows in each bin. Of categories: rows of each level, and one more for all the others.
    """

    n: int
    n_missing: int
    n_infinite: int
    minimum: float
    maximum: float
    integers: bool
    edges: tuple[float, ...]
    levels: tuple[str, ...] | None
    tally: tuple[int, ...]

    def __eq__(self, other: object) -> bool:
        # NaN is no number's equal, so that of the fields would not do.
        return isinstance(other, ColumnProfile) and self.to_plain() == other.to_plain()

    def __hash__(self) -> int:
        return hash((self.n, self.edges, self.levels, self.tally))

    @property
    def missing(self) -> float:
        """Share of rows that hold nothing; NaN where there is no row."""
        return self.n_missing / self.n if self.n else math.nan

    @property
    def shares(self) -> FloatArray:
        """Share of each bin in what is known, together 1; NaN where nothing is known."""
        known = float(sum(self.tally))
        return np.array(self.tally, dtype=np.float64) / (known or math.nan)

    def counts(self, values: pd.Series | npt.ArrayLike) -> IntArray:
        """Count other values in the same bins.

        Parameters
        ----------
        values : Series or array_like of shape (n_rows,)
            Numbers or categories, as the column held them.

        Returns
        -------
        ndarray of int, shape (n_bins,)
            What lies beyond the outer edges counts in the outer bins; missing and infinite values nowhere.

        Raises
        ------
        SchemaError
            Where numbers were expected and others came, or the other way round.

        Examples
        --------
        >>> from habitue.snapshots.profile import Profile
        >>> seen = Profile.of(pd.DataFrame({"frequency": [0.0, 0.0, 1.0, 4.0]})).columns["frequency"]
        >>> seen.edges, seen.tally, seen.counts([0, 9, np.nan]).tolist()
        ((0.0, 1.0, 4.0), (2, 1, 1), [1, 0, 1])
        """
        return np.array(self.refilled(pd.Series(values)).tally, dtype=np.int64)

    def refilled(self, column: pd.Series) -> ColumnProfile:
        """Return the profile of another column in the same bins.

        Parameters
        ----------
        column : Series
            Numbers or categories, as the column held them.

        Raises
        ------
        SchemaError
            Where numbers were expected and others came, or the other way round.
        """
        if self.levels is not None:
            return _categories(column, self.levels)
        values = numbers_of(column)
        finite = values[np.isfinite(values)]
        n_missing = int(np.isnan(values).sum())
        return ColumnProfile(
            n=len(values),
            n_missing=n_missing,
            n_infinite=len(values) - n_missing - len(finite),
            minimum=float(finite.min()) if len(finite) else math.nan,
            maximum=float(finite.max()) if len(finite) else math.nan,
            integers=bool((finite == np.floor(finite)).all()),
            edges=self.edges,
            levels=None,
            tally=tuple(in_bins(finite, np.array(self.edges)).tolist()),
        )

    def emptied(self) -> ColumnProfile:
        """Return the same bins without a row."""
        return replace(
            self,
            n=0,
            n_missing=0,
            n_infinite=0,
            minimum=math.nan,
            maximum=math.nan,
            integers=self.levels is None,
            tally=(0,) * len(self.tally),
        )

    def and_also(self, other: ColumnProfile) -> ColumnProfile:
        """Return the profile of the rows of both.

        Parameters
        ----------
        other : ColumnProfile
            Of other rows, in the same bins.
        """
        return replace(
            self,
            n=self.n + other.n,
            n_missing=self.n_missing + other.n_missing,
            n_infinite=self.n_infinite + other.n_infinite,
            minimum=float(np.fmin(self.minimum, other.minimum)),
            maximum=float(np.fmax(self.maximum, other.maximum)),
            integers=self.integers and other.integers,
            tally=tuple(mine + its for mine, its in zip(self.tally, other.tally, strict=True)),
        )

    def to_plain(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        told = asdict(self)
        return told | {end: None if math.isnan(told[end]) else told[end] for end in ("minimum", "maximum")}

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> ColumnProfile:
        """Read what `to_plain` returned.

        Parameters
        ----------
        told : Mapping[str, object]
            Read from JSON.

        Raises
        ------
        ValueError, TypeError, KeyError
            Where it is something else.
        """
        levels = None if told["levels"] is None else tuple(map(str, told["levels"]))
        edges, tally = tuple(map(float, told["edges"])), tuple(map(int, told["tally"]))
        if len(tally) != (len(edges) if levels is None else len(levels) + 1):
            raise ValueError("there is not one count for each bin")
        return cls(
            n=int(told["n"]),
            n_missing=int(told["n_missing"]),
            n_infinite=int(told["n_infinite"]),
            minimum=math.nan if told["minimum"] is None else float(told["minimum"]),
            maximum=math.nan if told["maximum"] is None else float(told["maximum"]),
            integers=bool(told["integers"]),
            edges=edges,
            levels=levels,
            tally=tally,
        )


def numbers_of(column: pd.Series) -> FloatArray:
    """Return a column of numbers or statements as floats, NaN where it holds nothing.

    Parameters
    ----------
    column : Series
        Of any type that holds numbers; text is none, even where digits stand in it.

    Raises
    ------
    SchemaError
        Where it holds anything else.

    Examples
    --------
    >>> numbers_of(pd.Series([True, None], dtype="boolean")).tolist()
    [1.0, nan]
    """
    is_number = pd.api.types.is_numeric_dtype(column.dtype)  # bool is one
    if not is_number and column.dtype == object:
        is_number = pd.api.types.infer_dtype(column, skipna=True) in _NUMBERS
    if not is_number or pd.api.types.is_complex_dtype(column.dtype):
        raise SchemaError(f"Column {column.name!r} should hold numbers; it holds {column.dtype}.")
    return column.to_numpy(dtype=np.float64, na_value=math.nan)


class SeekEdges:
    """Seeks the edges of a column of numbers that comes in parts.

    Parameters
    ----------
    exact : bool
        Whether all distinct values are kept; else neighbours are taken together where there are many.
    """

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._values: FloatArray = np.zeros(0)
        self._counts: IntArray = np.zeros(0, dtype=np.int64)

    def add(self, column: pd.Series) -> None:
        """Take note of a part.

        Parameters
        ----------
        column : Series
            Its rows.
        """
        part = numbers_of(column)
        values, counts = np.unique(part[np.isfinite(part)], return_counts=True)
        if len(self._values):
            values, place = np.unique(np.concatenate([self._values, values]), return_inverse=True)
            both = np.concatenate([self._counts, counts])
            counts = np.bincount(place, weights=both, minlength=len(values)).astype(np.int64)
        self._values, self._counts = (values, counts) if self._exact else compressed(values, counts, _EXACT)

    def column(self) -> ColumnProfile:
        """Return a profile without a row."""
        edges = tuple(quantile_bins(self._values, self._counts).tolist())
        return ColumnProfile(0, 0, 0, math.nan, math.nan, True, edges, None, (0,) * len(edges))


class SeekLevels:
    """Seeks the most frequent categories of a column that comes in parts."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def add(self, column: pd.Series) -> None:
        """Take note of a part.

        Parameters
        ----------
        column : Series
            Its rows.
        """
        self._seen.update(_level_counts(column))

    def column(self) -> ColumnProfile:
        """Return a profile without a row."""
        by_count = sorted((-n, name) for name, n in self._seen.items() if n)
        levels = tuple(sorted(name for _, name in by_count[:_MOST_LEVELS]))
        return ColumnProfile(0, 0, 0, math.nan, math.nan, False, (), levels, (0,) * (len(levels) + 1))


def is_category(column: pd.Series) -> bool:
    """Say whether a column holds categories.

    Parameters
    ----------
    column : Series
        Of any type.
    """
    return isinstance(column.dtype, pd.CategoricalDtype)


def _level_counts(column: pd.Series) -> dict[str, int]:
    """Count categories by name; text is taken for them where they are expected, as files know no other."""
    if not is_category(column) and not pd.api.types.is_string_dtype(column.dtype):
        raise SchemaError(f"Column {column.name!r} should hold categories; it holds {column.dtype}.")
    counted = column.value_counts()
    return {str(name): int(n) for name, n in zip(counted.index, counted.to_numpy(), strict=True)}


def _categories(column: pd.Series, levels: tuple[str, ...]) -> ColumnProfile:
    found = _level_counts(column)
    known = [found.pop(level, 0) for level in levels]
    n_missing = int(column.isna().sum())
    tally = (*known, sum(found.values()))
    return ColumnProfile(len(column), n_missing, 0, math.nan, math.nan, False, (), levels, tally)
