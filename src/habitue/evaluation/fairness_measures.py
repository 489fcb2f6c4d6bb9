"""What is compared between groups of customers, and how customers are put into groups.

Every measure is a function of outcome, prediction, who is flagged, and a matrix of weights, one row per way
of counting the customers: a row of ones gives its value, bootstrap counts its draws. The comparison itself is
``fairness``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from habitue.errors import SchemaError
from habitue.evaluation.calibration import calibration_slope
from habitue.evaluation.losses import absolute_error, brier
from habitue.evaluation.ranking import FloatArray, auc, ratio

__all__ = ["MEASURES", "UNKNOWN", "Counted", "Measure", "groups_of"]

UNKNOWN: Final = "not known"
"""The group of those whose attribute is missing."""

_FEW_EVENTS: Final = 20  # of either outcome; of fewer no slope is told
_FEW_VALUES: Final = 5  # distinct numbers up to which each is a group of its own
_MOST_GROUPS: Final = 50  # more are no groups to compare; names and addresses would speak of persons


class Counted(NamedTuple):
    """Customers of a group, and several ways of counting them.

    Attributes
    ----------
    outcome, prediction, flagged : ndarray of shape (n,)
        What happened, what was predicted, and 1 for who is flagged.
    weights : ndarray of shape (B, n)
        How often each customer counts.
    """

    outcome: FloatArray
    prediction: FloatArray
    flagged: FloatArray
    weights: FloatArray

    def per(self, values: FloatArray, among: FloatArray) -> FloatArray:
        """Sum of values over sum of what they are compared with; nan where that is nothing.

        Parameters
        ----------
        values, among : ndarray of shape (n,)
            One number a customer.

        Returns
        -------
        ndarray of shape (B,)
        """
        return ratio(self.weights @ values, self.weights @ among)

    def mean(self, values: FloatArray) -> FloatArray:
        """Mean of one number a customer.

        Parameters
        ----------
        values : ndarray of shape (n,)
            Any numbers.

        Returns
        -------
        ndarray of shape (B,)
        """
        return self.per(values, np.ones_like(values))


class Measure(NamedTuple):
    """One way in which groups may differ.

    Attributes
    ----------
    name : str
        As in the tables.
    words : str
        What is measured, as sentences name it.
    unit : str
        "share", "money" or "ratio".
    about : str
        "world" where it speaks of what customers did, "model" where of what was predicted or decided.
    has_ratio : bool
        Whether the smaller over the larger means something; not so where values may be negative.
    function : callable
        `Counted` to values (B,).
    """

    name: str
    words: str
    unit: str
    about: str
    has_ratio: bool
    function: Callable[[Counted], FloatArray]


# ---- what is measured ----------------------------------------------------------------------------


def _slope(some: Counted) -> FloatArray:
    n_left = float(some.outcome.sum())
    if not _FEW_EVENTS <= n_left <= some.outcome.size - _FEW_EVENTS:
        return np.full(len(some.weights), np.nan)
    return calibration_slope(some.outcome, some.prediction, some.weights)


def _per_total(some: Counted, values: FloatArray) -> FloatArray:
    # Over |total|: where returns outweigh purchases, more than predicted must still come out positive.
    return ratio(some.weights @ values, np.abs(some.weights @ some.outcome))


def _error(some: Counted) -> FloatArray:
    return absolute_error(some.outcome, some.prediction)


_SELECTED: Final = Measure(
    "selection_rate", "the share flagged", "share", "model", True, lambda some: some.mean(some.flagged)
)
_PREDICTED: Final = ("mean_prediction", "the mean prediction")
_CHURN: Final = (
    Measure(
        "base_rate", "the share that left", "share", "world", True, lambda some: some.mean(some.outcome)
    ),
    Measure(*_PREDICTED, "share", "model", True, lambda some: some.mean(some.prediction)),
    Measure(
        "calibration_gap", "the mean prediction less the share that left", "share", "model", False,
        lambda some: some.mean(some.prediction - some.outcome),
    ),
    Measure("calibration_slope", "the calibration slope", "ratio", "model", False, _slope),
    _SELECTED,
    Measure(
        "true_positive_rate", "the share flagged of those who left", "share", "model", True,
        lambda some: some.per(some.flagged * some.outcome, some.outcome),
    ),
    Measure(
        "false_positive_rate", "the share flagged of those who stayed", "share", "model", True,
        lambda some: some.per(some.flagged * (1.0 - some.outcome), 1.0 - some.outcome),
    ),
    Measure(
        "auc", "the AUC", "ratio", "model", True,
        lambda some: auc(some.outcome, some.prediction, some.weights),
    ),
    Measure(
        "brier", "the Brier score", "ratio", "model", True,
        lambda some: some.mean(brier(some.outcome, some.prediction)),
    ),
)  # fmt: skip
_VALUE: Final = (
    Measure(
        "mean_outcome", "what came, a head,", "money", "world", True, lambda some: some.mean(some.outcome)
    ),
    Measure(*_PREDICTED, "money", "model", True, lambda some: some.mean(some.prediction)),
    Measure(
        "bias", "the predicted total over the actual one, less 1,", "share", "model", False,
        lambda some: _per_total(some, some.prediction - some.outcome),
    ),
    Measure("mae", "the mean absolute error", "money", "model", True, lambda some: some.mean(_error(some))),
    Measure(
        "relative_mae", "the mean absolute error as a share of what came", "share", "model", True,
        lambda some: _per_total(some, _error(some)),
    ),
    _SELECTED,
)  # fmt: skip
MEASURES: Final[Mapping[str, tuple[Measure, ...]]] = MappingProxyType(
    {"churned": _CHURN, "spend": _VALUE, "n_purchases": _VALUE}
)
"""What is compared between groups, by target."""


# ---- who belongs where ---------------------------------------------------------------------------


def groups_of(values: pd.Series) -> pd.Series:
    """Put customers into groups by one attribute.

    Parameters
    ----------
    values : Series of shape (n,)
        Text, statements or numbers.

    Returns
    -------
    Series of category
        Text as it is, statements as "yes" and "no", up to five different numbers each by itself, more of them
        cut at their quartiles; "not known" where the value is missing.

    Raises
    ------
    SchemaError
        Where the attribute is a date, or text of more than 50 kinds.

    Examples
    --------
    >>> list(groups_of(pd.Series([18.0, 25, 33, 41, 59, 70, None], name="age")))
    ['up to 27', 'up to 27', 'over 27 to 37', 'over 37 to 54.5', 'over 54.5', 'over 54.5', 'not known']
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        raise SchemaError(f"{values.name} is a date: cut it into bands, such as of age, before the audit.")
    if pd.api.types.is_bool_dtype(values):
        told, order = values.map({True: "yes", False: "no"}), ["no", "yes"]
    elif pd.api.types.is_numeric_dtype(values):
        told, order = _bands(values)
    else:
        told = values.astype("object").map(str, na_action="ignore")
        order = sorted(told.dropna().unique())
        if len(order) > _MOST_GROUPS:
            raise SchemaError(
                f"{values.name} has {len(order)} different values, which are no groups to compare: put them "
                f"into at most {_MOST_GROUPS} before the audit."
            )
    kinds = pd.Categorical(told.fillna(UNKNOWN), categories=[*dict.fromkeys([*order, UNKNOWN])])
    return pd.Series(kinds, index=values.index, name=values.name).cat.remove_unused_categories()


def _bands(values: pd.Series) -> tuple[pd.Series, list[str]]:
    """Name numbers as they are where they are few, else by their quarter."""
    distinct = np.unique(values.dropna().to_numpy(dtype=np.float64))
    if len(distinct) <= _FEW_VALUES:
        names = [f"{one:g}" for one in distinct]
        return values.map(dict(zip(distinct, names, strict=True))), names
    edges = np.unique(values.quantile([0.25, 0.5, 0.75]).to_numpy(dtype=np.float64))
    edges = edges[edges < distinct[-1]]
    told = [f"{edge:g}" for edge in edges]
    middle = [f"over {low} to {high}" for low, high in pairwise(told)]
    names = [f"up to {told[0]}", *middle, f"over {told[-1]}"]
    place = np.searchsorted(edges, values.to_numpy(dtype=np.float64), side="left")
    named = pd.Series(np.array(names, dtype=object)[np.minimum(place, len(names) - 1)], index=values.index)
    return named.where(values.notna()), names
