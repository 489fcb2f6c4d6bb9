"""X as models with many features read it: named columns of numbers and categories, missing values welcome.

The counterpart of ``purchase_history``, which reads the columns of probability models. Categories are
learned from columns of pandas' type ``category``; text is never taken for them unasked, as it may be numbers
that were read badly. What each column held in fitting it has to hold later: else it is refused, not guessed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import check_array

from habitue.errors import DataError, HabitueWarning, SchemaError
from habitue.models.purchase_history import CustomerTable

__all__ = ["Levels", "as_array", "known_frame", "known_table", "learn_table", "levels_of", "needed"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Levels: TypeAlias = Mapping[str, Sequence[Any]]
"""Of each column of categories, those that there were in fitting, in the order of their codes."""

_NO_LEVELS: Levels = MappingProxyType({})
_LEVEL_TYPES = (str, bool, int, float)
_NUMBERS = frozenset({"integer", "floating", "mixed-integer-float", "boolean", "decimal", "empty"})
"""What pandas calls the numbers that a column of Python objects may hold."""
_WAYS_OUT = {
    "text": "Convert it with pd.to_numeric, or fit on X[{name!r}].astype('category') for categories.",
    "dates": "Count the days to the cutoff instead.",
    "lengths of time": "Divide it by pd.Timedelta(days=1).",
    "categories": "Convert it as before fitting, or fit anew on the categories.",
    "values": "Convert it to float, or leave it out.",
}


def learn_table(X: CustomerTable) -> tuple[pd.DataFrame, FloatArray]:
    """Read X for fitting.

    Parameters
    ----------
    X : DataFrame or array_like of shape (n_customers, n_features)
        Numbers and categories; missing values are allowed, infinite ones are not.

    Returns
    -------
    frame : DataFrame of shape (n_customers, n_features)
        X; columns have text for names, those of an array are x0, x1 and so on.
    values : ndarray of shape (n_customers, n_features)
        The same as numbers; a category is its place in `levels_of`. NaN is missing.

    Raises
    ------
    SchemaError
        Where a column is there twice or holds neither numbers nor categories.
    DataError
        Where a value is infinite, or there is no row or column.

    Examples
    --------
    >>> learn_table(np.array([[1.0, np.nan]]))[0].columns.tolist()
    ['x0', 'x1']
    """
    frame = _named(X)
    if not len(frame.columns):
        raise DataError(
            f"0 feature(s) (shape={frame.shape}) while a minimum of 1 is required: X has no columns."
        )
    names = list(frame.columns)
    if not len(frame):
        raise DataError(f"expected at least one customer with {', '.join(names)}; X has no rows.")
    _refuse_twice(frame, names)
    return frame, _values(frame, names, levels_of(frame))


def levels_of(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the categories that occur in each column of categories.

    Parameters
    ----------
    frame : DataFrame of shape (n_customers, n_features)
        As `learn_table` returns it. One that is declared but occurs nowhere cannot be learned from, and is
        left out.

    Raises
    ------
    SchemaError
        Where a category is neither text nor a number.

    Examples
    --------
    >>> levels_of(pd.DataFrame({"T": [9, 8], "plan": pd.Categorical(["gold", None], ["basic", "gold"])}))
    {'plan': ['gold']}
    """
    kinds = {str(name): column for name, column in frame.items()}
    return {name: _levels(one) for name, one in kinds.items() if isinstance(one.dtype, pd.CategoricalDtype)}


def known_frame(X: CustomerTable, names: Sequence[str], *, asked: str) -> pd.DataFrame:
    """Return X with the columns of fitting found, whatever they hold.

    Parameters
    ----------
    X : DataFrame or array_like of shape (n_customers, n_features)
        A frame with at least these columns, in any order; or an array of exactly these, in theirs.
    names : sequence of str
        Columns of fitting.
    asked : str
        The model's name, for messages.

    Returns
    -------
    DataFrame
        X, with all the columns it has.

    Raises
    ------
    SchemaError
        Where a column is missing, or there twice; names it and those there.
    DataError
        Where an array has another number of columns.

    Examples
    --------
    >>> known_frame(np.array([[1.0, 2.0]]), ["a", "b"], asked="Model").columns.tolist()
    ['a', 'b']
    """
    frame = _named(X)
    if not isinstance(X, pd.DataFrame):
        if frame.shape[1] != len(names):
            raise DataError(
                f"X has {frame.shape[1]} features, but {asked} is expecting {len(names)} features as input."
            )
        return frame.set_axis(list(names), axis=1)
    there = set(frame.columns)
    if missing := [name for name in names if name not in there]:
        raise SchemaError(
            f"X must have the columns that {asked} was fitted on; missing: {', '.join(missing)}; there are: "
            f"{', '.join(frame.columns) or 'none'}. Rename or add the missing ones."
        )
    _refuse_twice(frame, names)
    return frame


def known_table(
    X: CustomerTable, names: Sequence[str], *, asked: str, levels: Levels = _NO_LEVELS
) -> tuple[pd.DataFrame, FloatArray]:
    """Read X for predicting: the columns of fitting, by name, in whatever order they come.

    Parameters
    ----------
    X : DataFrame or array_like of shape (n_customers, n_features)
        A frame with at least these columns, or an array of exactly these, in their order. There may be no
        row.
    names : sequence of str
        Columns of fitting.
    asked : str
        The model's name, for messages.
    levels : mapping
        `levels_of` the frame of fitting.

    Returns
    -------
    frame : DataFrame
        X, with all the columns it has.
    values : ndarray of shape (n_customers, n_names)
        In the order of the names; NaN is missing.

    Raises
    ------
    SchemaError
        Where a column is missing, there twice, or holds something else than in fitting.
    DataError
        Where a value is infinite, or an array has another number of columns.

    Warns
    -----
    HabitueWarning
        Once, where categories come that were not there in fitting: they count as missing.

    Notes
    -----
    Whole numbers, decimals and truth values (1 and 0) stand for each other. Categories may come as they were
    or as plain text or numbers, and are told by what they say. Text where numbers were learned is refused
    even if it could be read as numbers, since how it is meant to be read is nobody's guess.

    Examples
    --------
    >>> X = pd.DataFrame({"plan": ["gold", "basic"], "T": [2, 1]})
    >>> known_table(X, ["T", "plan"], asked="Model", levels={"plan": ["basic", "gold"]})[1].tolist()
    [[2.0, 1.0], [1.0, 0.0]]
    """
    frame = known_frame(X, names, asked=asked)
    return frame, _values(frame, names, levels)


def as_array(X: npt.ArrayLike) -> npt.NDArray[np.generic]:
    """Read a table without names.

    Parameters
    ----------
    X : array_like of shape (n_customers, n_features)
        Numbers.

    Returns
    -------
    ndarray of shape (n_customers, n_features)

    Raises
    ------
    DataError
        Where it is no table of numbers, or one of another library, whose names would be lost.

    Examples
    --------
    >>> as_array([[1, 2]])
    array([[1, 2]])
    """
    if hasattr(X, "to_pandas"):
        raise DataError(
            f"X must be a pandas DataFrame or an array, got a {type(X).__name__}: hand in X.to_pandas(), "
            "which keeps the names of its columns."
        )
    try:
        return check_array(
            X,
            dtype="numeric",
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name="X",
        )
    except (TypeError, ValueError) as error:
        raise DataError(f"X must be a table of numbers, one row a customer: {error}") from error


def needed(y: npt.ArrayLike | None, *, asked: str) -> npt.ArrayLike:
    """Return y, or say that it was left out.

    Parameters
    ----------
    y : array_like of shape (n_customers,) or None
        Outcomes.
    asked : str
        The model's name, for the message.

    Raises
    ------
    DataError
        Where there is none.

    Examples
    --------
    >>> needed([1.0, 0.0], asked="Model")
    [1.0, 0.0]
    """
    if y is None:
        raise DataError(
            f"{asked} requires y to be passed, but the target y is None: it learns from outcomes."
        )
    return y


def _named(X: CustomerTable) -> pd.DataFrame:
    """Return X as a frame whose columns have text for names."""
    if isinstance(X, pd.DataFrame):
        if isinstance(X.columns.dtype, pd.StringDtype) and not X.columns.hasnans:
            return X
        return X.set_axis([str(name) for name in X.columns], axis=1)
    array = as_array(X)
    return pd.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])


def _refuse_twice(frame: pd.DataFrame, names: Sequence[str]) -> None:
    if frame.columns.is_unique:
        return
    wanted = set(names)
    if twice := [name for name in frame.columns[frame.columns.duplicated()].unique() if name in wanted]:
        raise SchemaError(f"expected each column once; {', '.join(twice)} is there more than once. Drop one.")


def _values(frame: pd.DataFrame, names: Sequence[str], levels: Levels) -> FloatArray:
    """Return columns as numbers, side by side, and warn of categories that were not there in fitting."""
    # Column by column takes longer than the trees do for one customer: not where nothing is to be read.
    if not levels and (frame.dtypes[list(names)] == np.float64).all():
        values, unseen = np.asfortranarray(frame[list(names)].to_numpy()), {}
    else:
        values, unseen = _column_by_column(frame, names, levels)
    ends = (end.reduce(values, axis=0, initial=0.0) for end in (np.fmax, np.fmin))
    if infinite := np.flatnonzero(np.isinf(list(ends)).any(axis=0)).tolist():
        raise DataError(_no_infinity(values[:, infinite], [names[at] for at in infinite], frame.index))
    _warn_of({name: strange for name, strange in unseen.items() if len(strange)}, len(frame))
    return values


def _column_by_column(
    frame: pd.DataFrame, names: Sequence[str], levels: Levels
) -> tuple[FloatArray, dict[str, pd.Series]]:
    """Return columns of whatever type as numbers, and the categories of each that have no number."""
    values = np.empty((len(frame), len(names)), order="F")  # written and read by columns
    unseen: dict[str, pd.Series] = {}
    for at, name in enumerate(names):
        column = cast("pd.Series", frame[name])
        if name in levels:
            values[:, at] = _codes(column, levels[name])
            unseen[name] = column.loc[np.isnan(values[:, at]) & column.notna().to_numpy()]
        else:
            values[:, at] = _numbers(column)
    return values, unseen


def _numbers(column: pd.Series) -> FloatArray:
    """Return a column of numbers, of whatever type they are."""
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        known = False
    elif kind == np.dtype(object):
        known = pd.api.types.infer_dtype(column, skipna=True) in _NUMBERS
    else:
        real = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)
        known = real or pd.api.types.is_bool_dtype(kind)
    if not known:
        raise SchemaError(_no_numbers(column))
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _no_numbers(column: pd.Series) -> str:
    """Say what a column holds that should hold numbers."""
    held = _held(column)
    example = column.dropna()
    such = f" ({example.iloc[0]!s})" if len(example) else ""
    way_out = _WAYS_OUT[held].format(name=column.name)
    return f"expected numbers in column {column.name}; it holds {held}{such}. {way_out}"


def _held(column: pd.Series) -> str:
    """Return what a column without numbers holds, in words."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "categories"
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("string", "mixed-integer"):
        return "text"
    if kind.startswith(("date", "period")):
        return "dates"
    return "lengths of time" if kind.startswith("timedelta") else "values"


def _levels(column: pd.Series) -> list[Any]:
    levels = cast("list[Any]", column.cat.remove_unused_categories().cat.categories.tolist())
    if odd := [one for one in levels if not isinstance(one, _LEVEL_TYPES)]:
        raise SchemaError(
            f"expected text or numbers for the categories of column {column.name}; there is {odd[0]} "
            f"({type(odd[0]).__name__}). Name them: X[{column.name!r}].astype(str).astype('category')."
        )
    return levels


def _codes(column: pd.Series, levels: Sequence[Any]) -> FloatArray:
    """Return each category's place among the levels; NaN where it is missing, or was not there in fitting."""
    given = column if isinstance(column.dtype, pd.CategoricalDtype) else column.astype("category")
    categories = given.cat.categories.tolist()
    _refuse_other_kind(str(column.name), levels, categories)
    places = pd.Index(levels, dtype=object).get_indexer(pd.Index(categories, dtype=object))
    found = np.append(places, -1)[given.cat.codes.to_numpy()]
    return np.where(found < 0, np.nan, found)


def _refuse_other_kind(name: str, levels: Sequence[Any], categories: Sequence[Any]) -> None:
    """Refuse numbers where categories were text, and text where they were numbers."""
    were, are = (any(isinstance(one, str) for one in some) for some in (levels, categories))
    if levels and categories and were != are:
        raise SchemaError(
            f"expected categories such as {levels[0]!r} in column {name}, as in fitting; there are such as "
            f"{categories[0]!r}. Write them alike."
        )


def _no_infinity(values: FloatArray, names: Sequence[str], labels: pd.Index) -> str:
    """Say who has infinite values in columns, each of which somebody has."""
    rows = np.flatnonzero(np.isinf(values).any(axis=1))
    pairs = zip(names, values[rows[0]].tolist(), strict=True)
    told = ", ".join(f"{name}={value:g}" for name, value in pairs if np.isinf(value))
    return (
        f"expected no infinity (missing is fine); {len(rows)} of {len(values)} customers have it, the first "
        f"is {labels[rows[0]]!r} with {told}. Replace infinite values by missing ones."
    )


def _warn_of(unseen: Mapping[str, pd.Series], n_customers: int) -> None:
    """Count categories that were not there in fitting, one sentence for all columns."""
    if not unseen:
        return
    told = "; ".join(
        f"{name} of {len(strange)} of {n_customers} customers, such as {strange.iloc[0]!r}"
        for name, strange in unseen.items()
    )
    warnings.warn(
        f"Categories that were not there in fitting count as missing: {told}. Fit anew where they have come "
        "to stay.",
        HabitueWarning,
        stacklevel=6,
    )
