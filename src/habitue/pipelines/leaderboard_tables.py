"""Tables with one row a customer: read as they are, made into numbers, and judged on customers held out.

Whatever has to be learned of a column (which values it has, and which are too rare) is learned from the
customers in training alone. There is no time in such a table: that the future looks like the past is assumed
here, and tested only where there are records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import OneHotEncoder

from habitue.errors import DataError, SchemaError
from habitue.models import BaseRateClassifier
from habitue.models.logistic_churn import LogisticChurnClassifier
from habitue.pipelines.leaderboard_settings import OneTable
from habitue.vocabulary import one_or_many

__all__ = ["RARE", "Columns", "Judged", "as_numbers", "read_table", "run_table"]

RARE = 20
"""Values of a category that fewer customers in training have are taken together."""

_MISSING = "(missing)"
_LOGISTIC = "logistic regression"

FloatArray = npt.NDArray[np.float64]
Say = Callable[[str], None]


class Judged(NamedTuple):
    """What was predicted of a data set, and what came to be.

    Attributes
    ----------
    frame : DataFrame
        Tidy: customer_id, target, model, prediction, outcome.
    notes : tuple of str
        How it was tested.
    left_out : Mapping[str, str]
        Models that could not be fitted, and why.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]
    left_out: Mapping[str, str] = MappingProxyType({})


class Columns:
    """Make a table of anything into numbers, by what was seen in training.

    Numbers, and text that is nothing but numbers, stay; blank is missing. All else is a category: a column of
    0 and 1 for each of its values that `RARE` customers in training have, and one for all rarer ones. A value
    that was not seen in training counts as rare; where nothing was rare, as none of those known.

    Parameters
    ----------
    categories : sequence of str
        Columns of numbers that are names of something.
    """

    def __init__(self, categories: Sequence[str] = ()) -> None:
        self.categories = categories

    def fit(self, table: pd.DataFrame) -> Columns:
        """Learn the values of each category.

        Parameters
        ----------
        table : DataFrame
            Customers in training.
        """
        numbers = {str(name): as_numbers(column) for name, column in table.items()}
        self._numeric = [
            name for name, found in numbers.items() if found is not None and name not in self.categories
        ]
        self._named = [name for name in numbers if name not in self._numeric]
        self._encoder: Any = OneHotEncoder(
            min_frequency=RARE, handle_unknown="infrequent_if_exist", sparse_output=False
        )
        if self._named:
            self._encoder.fit(_texts(table, self._named))
        return self

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return numbers.

        Parameters
        ----------
        table : DataFrame
            Any customers, with the columns of training.
        """
        numbers = {name: _coerced(column) for name, column in table[self._numeric].items()}
        made = pd.DataFrame(numbers, index=table.index)
        if not self._named:
            return made
        flags = pd.DataFrame(
            self._encoder.transform(_texts(table, self._named)),
            columns=list(self._encoder.get_feature_names_out(self._named)),
            index=table.index,
        )
        return pd.concat([made, flags], axis=1)

    def n_unseen(self, table: pd.DataFrame) -> int:
        """Count the values of categories that training did not have.

        Parameters
        ----------
        table : DataFrame
            Any customers, with the columns of training.
        """
        if not self._named:
            return 0
        texts = _texts(table, self._named)
        known = zip(self._named, self._encoder.categories_, strict=True)
        return sum(int((~np.isin(texts[name].to_numpy(), values)).sum()) for name, values in known)


def as_numbers(column: pd.Series) -> FloatArray | None:
    """Return a column as numbers, or None where it holds anything else; blank is missing.

    Parameters
    ----------
    column : Series
        Of any type.

    Examples
    --------
    >>> as_numbers(pd.Series(["1.5", " "])), as_numbers(pd.Series(["DSL", "No"])) is None
    (array([1.5, nan]), True)
    """
    numbers = _coerced(column)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return numbers
    blank = (column.isna() | (column.astype("string").str.strip() == "")).to_numpy(
        dtype=np.bool_, na_value=True
    )
    return numbers if (np.isfinite(numbers) == ~blank).all() and not blank.all() else None


def _coerced(column: pd.Series) -> FloatArray:
    return np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64)


def _texts(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: table[name].astype("string").fillna(_MISSING).astype("object") for name in names}
    )


def read_table(path: Path, settings: OneTable) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Read a table: what models may see, and who churned.

    Parameters
    ----------
    path : Path
        A CSV (plain or packed) or Parquet file.
    settings : OneTable
        Which column is the target, and which are left out.

    Raises
    ------
    SchemaError
        Where a column that the settings name is not there.
    DataError
        Where the file cannot be read, or all customers have one outcome.
    """
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} could not be read as a table: {error}") from error
    named = [settings.target, *settings.leave_out, *settings.categories]
    named += [] if settings.tenure is None else [settings.tenure]
    if missing := [name for name in named if name not in table.columns]:
        raise SchemaError(
            f"{path} has no column {', '.join(missing)}; there are: {', '.join(map(str, table.columns))}."
        )
    churned = (table[settings.target] == settings.positive).to_numpy(dtype=np.bool_, na_value=False)
    if churned.all() or not churned.any():
        values = ", ".join(map(repr, table[settings.target].unique()[:5].tolist()))
        raise DataError(
            f"No customer of {path} can be told from another by {settings.target} == {settings.positive!r}; "
            f"it has {values}. Say in 'positive' which of them means churned."
        )
    return table.drop(columns=[settings.target, *settings.leave_out]), churned


def run_table(path: Path, settings: OneTable, ours: Mapping[str, BaseEstimator], *, progress: Say) -> Judged:
    """Ask one's own models and their rivals about customers held out.

    Parameters
    ----------
    path : Path
        The table.
    settings : OneTable
        How it is read and split.
    ours : Mapping[str, estimator]
        Unfitted classifiers by name.
    progress : callable
        Called with one line before each step.

    Returns
    -------
    Judged

    Raises
    ------
    SchemaError, DataError
        As `read_table`.
    """
    X, churned = read_table(path, settings)
    rivals: dict[str, Any] = {**ours, _LOGISTIC: LogisticChurnClassifier()}
    if settings.tenure is not None:
        rivals[f"{settings.tenure} alone"] = LogisticChurnClassifier()
    rivals["the mean"] = BaseRateClassifier()
    frames: list[pd.DataFrame] = []
    n_unseen = 0
    for place, (learn, test) in enumerate(_splits(settings, churned), start=1):
        columns = Columns(settings.categories).fit(X.iloc[learn])
        known = columns.transform(X.iloc[learn])
        now = columns.transform(X.iloc[test])
        n_unseen += columns.n_unseen(X.iloc[test])
        for name, model in rivals.items():
            progress(f"split {place}: {name}")
            seen = [settings.tenure] if name == f"{settings.tenure} alone" else list(known.columns)
            fresh: Any = clone(model)
            ready = fresh.fit(known[seen], churned[learn])
            frames.append(_tidy(name, test, ready.predict_proba(now[seen])[:, 1], churned[test]))
    return Judged(pd.concat(frames, ignore_index=True), (_told(settings, churned, n_unseen),))


def _splits(
    settings: OneTable, churned: npt.NDArray[np.bool_]
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Return places to learn from and to be tested on."""
    rows = np.arange(len(churned))
    if settings.first is None:
        folds = StratifiedKFold(settings.folds, shuffle=True, random_state=0)
        yield from folds.split(rows, churned)
    elif settings.first >= len(rows):
        raise DataError(
            f"'first' is {settings.first}, but there are only {len(rows)} rows: none is left to test on."
        )
    else:
        yield rows[: settings.first], rows[settings.first :]


def _tidy(
    model: str, rows: npt.NDArray[np.intp], prediction: object, outcome: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    told = {"customer_id": rows, "prediction": prediction, "outcome": outcome.astype("float64")}
    return pd.DataFrame(told).assign(target="churned", model=model)


def _told(settings: OneTable, churned: npt.NDArray[np.bool_], n_unseen: int) -> str:
    """Say how customers were split, and what models did not see."""
    how = (
        f"{settings.folds}-fold, stratified; every customer is predicted by models that did not see them"
        if settings.first is None
        else f"trained on the first {settings.first:,} rows, tested on the rest"
    )
    told = f"{one_or_many(len(churned), 'customer')}, {churned.mean():.1%} churned; {how}."
    if settings.leave_out:
        reasons: dict[str, list[str]] = {}
        for name, why in settings.leave_out.items():
            reasons.setdefault(why, []).append(name)
        listed = "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items())
        told += f" Not shown to any model: {listed}."
    if n_unseen:
        told += (
            f" {one_or_many(n_unseen, 'value')} of categories did not occur in training and counted as rare."
        )
    return told
