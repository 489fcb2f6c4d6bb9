"""An interval of spend that knows more than the prediction: quantiles by trees, made to hold."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import DataError, HabitueWarning, SettingsError
from habitue.models import boosting
from habitue.models.feature_table import known_table, learn_table, levels_of
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import read_amounts, refuse_other_rows
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable
from habitue.models.tree_growing import grow
from habitue.numerics.conformal import conformal_quantile, enough_for, level_edges

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["QuantileValueInterval"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_AT_LEAST = 50
"""Customers of a level, at least, that its ends may be trusted."""


@persistent
class QuantileValueInterval(BaseEstimator):
    """Interval for the spend of one customer: quantiles by trees, widened or narrowed until they hold.

    Parameters
    ----------
    confidence : float
        Share of customers whose spend lies inside, in (0, 1).
    n_levels : int
        Levels of predicted spend within which it has to hold, at most; each has at least 50 held-out
        customers, more where confidence is high.
    held_out_share : float
        Share of customers that the trees do not see, in (0, 1), where `fit` is not told which.
    n_estimators : int
        Trees of each end.
    learning_rate : float
        Shrinkage of each, in (0, 1].
    num_leaves : int
        Leaves of a tree, at least 2.
    max_depth : int
        Splits from root to leaf, at most; no limit where -1.
    min_child_samples : int
        Customers in a leaf, at least.
    reg_lambda : float
        Ridge on leaf values.
    colsample_bytree : float
        Share of features that a tree may use.
    random_state : int
        Seed; the same seed and data give the same trees.
    n_jobs : int, optional
        Threads; all cores where None.

    Attributes
    ----------
    lower_booster_ : lightgbm.Booster
        Lower quantile of log(1 + spend / unit).
    upper_booster_ : lightgbm.Booster
        Upper quantile of the same, less that of the prediction.
    unit_ : float
        Mean spend, which takes the currency out.
    edges_ : ndarray of shape (n_levels - 1,)
        Predicted spend at which one level ends and the next begins.
    lower_shift_, upper_shift_ : ndarray of shape (n_levels,)
        By how much the ends move outwards, in that logarithm.
    feature_names_in_ : ndarray of str
        Columns of X in fitting.
    n_features_in_ : int
        Their number.
    levels_ : dict of list
        Of each column of categories, those that there were in fitting.

    Notes
    -----
    Conformalised quantile regression [1]_ within levels of the prediction (Mondrian). Trees learn the
    quantiles (1 - confidence) / 2 and (1 + confidence) / 2 of log(1 + spend / unit) with the pinball loss; a
    quantile of a logarithm is the logarithm of the quantile, so nothing is lost on the way back. The upper
    ones start from the prediction: trees never go beyond what they saw, and would serve the largest customers
    badly. The lower ones do not: they say exactly 0 of customers like whom enough spend nothing. On customers
    held out, how far spend lies below and above is ranked, and each end is moved by the order statistic that
    is missed by at most (1 - confidence) / 2 of further customers from the same law.

    No end is below 0: who sends back more than he buys counts as spending nothing in all this. Ends that
    cross are swapped, and the interval is widened where needed to hold the prediction, which can only raise
    the share.

    References
    ----------
    .. [1] Romano, Y., Patterson, E. & Candès, E. J. (2019). Conformalized quantile regression. NeurIPS 32.
    .. [2] Vovk, V., Gammerman, A. & Shafer, G. (2005). Algorithmic Learning in a Random World, ch. 4.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"usual": rng.gamma(2.0, 10.0, 4_000), "steady": rng.integers(0, 2, 4_000)})
    >>> shape = 1.0 + 20.0 * X["steady"]
    >>> spent = X["usual"] * rng.gamma(shape, 1.0 / shape)
    >>> interval = QuantileValueInterval(n_jobs=1)
    >>> interval = interval.fit(X[:3_000], spent[:3_000], X["usual"][:3_000])
    >>> lower, upper = interval.bounds(X[3_000:], X["usual"][3_000:])
    >>> bool(0.75 < np.mean((lower <= spent[3_000:]) & (spent[3_000:] <= upper)) < 0.9)
    True
    >>> narrower = (upper - lower)[X["steady"][3_000:] == 1].mean() / (upper - lower).mean()
    >>> bool(narrower < 0.6)
    True
    """

    if TYPE_CHECKING:
        lower_booster_: Booster
        upper_booster_: Booster
        unit_: float
        edges_: FloatArray
        lower_shift_: FloatArray
        upper_shift_: FloatArray
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int
        levels_: dict[str, list[Any]]

    def __init__(
        self,
        *,
        confidence: float = 0.8,
        n_levels: int = 20,
        held_out_share: float = 0.5,
        n_estimators: int = 50,
        learning_rate: float = 0.05,
        num_leaves: int = 15,
        max_depth: int = 5,
        min_child_samples: int = 50,
        reg_lambda: float = 1.0,
        colsample_bytree: float = 0.8,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.confidence = confidence
        self.n_levels = n_levels
        self.held_out_share = held_out_share
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.min_child_samples = min_child_samples
        self.reg_lambda = reg_lambda
        self.colsample_bytree = colsample_bytree
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self,
        X: CustomerTable,
        spend: npt.ArrayLike,
        prediction: npt.ArrayLike,
        *,
        held_out: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn quantiles from some customers, and from others by how much to move them.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_customers, n_features)
            What was known: numbers and categories; missing values are allowed.
        spend : array_like of shape (n_customers,)
            Money spent within the horizon, returns taken off.
        prediction : array_like of shape (n_customers,)
            Money, by models that had not seen the customer: of copies trained on others, for example.
        held_out : array_like of bool, shape (n_customers,), optional
            Rows that the trees do not see; best the latest, of customers who are in no other row. Where None,
            a share of customers is drawn, with all their rows.

        Raises
        ------
        SettingsError
            Where a parameter is out of its range.
        DataError
            Where nobody spent anything, nobody is held out or all are, or lengths do not match.
        SchemaError
            Where a column is there twice or holds neither numbers nor categories.

        Warns
        -----
        HabitueWarning
            Where held-out customers are too few for the stated share to hold.
        """
        self._check_settings()
        frame, matrix = learn_table(X)
        refuse_other_rows(X, spend, called="spend")
        refuse_other_rows(X, prediction, called="prediction")
        spent = np.maximum(read_amounts(spend, len(matrix)), 0.0)
        predicted = _read_predictions(prediction, len(matrix))
        held = self._draw(X, len(matrix)) if held_out is None else _flags(held_out, len(matrix))
        self.feature_names_in_ = np.array(list(frame.columns), dtype=object)
        self.n_features_in_, self.levels_ = frame.shape[1], levels_of(frame)
        self.unit_ = _unit(spent[~held])
        heights = np.log1p(spent / self.unit_)
        beyond = heights - np.log1p(predicted / self.unit_)
        miss = (1.0 - self.confidence) / 2.0
        self.lower_booster_, self.upper_booster_ = (
            self._quantile(matrix[~held], learned[~held], at)
            for learned, at in ((heights, miss), (beyond, 1.0 - miss))
        )
        self._conform(*self._ends(matrix[held], predicted[held]), heights[held], predicted[held])
        return self

    def bounds(self, X: CustomerTable, prediction: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return both ends of each customer's interval.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_customers, n_features)
            With at least the columns of fitting, in any order; an array of exactly these.
        prediction : array_like of shape (n_customers,)
            Money; below 0 counts as 0.

        Returns
        -------
        lower, upper : ndarray of shape (n_customers,)
            Money; 0 <= lower <= prediction <= upper.

        Raises
        ------
        SchemaError
            Where a column is missing.
        DataError
            Where a prediction is missing, or the two do not match.
        """
        check_is_fitted(self, "edges_")
        names = list(self.feature_names_in_)
        _, matrix = known_table(X, names, asked=type(self).__name__, levels=self.levels_)
        refuse_other_rows(X, prediction, called="prediction")
        predicted = _read_predictions(prediction, len(matrix))
        level = np.searchsorted(self.edges_, predicted, side="right")
        low, high = self._ends(matrix, predicted)
        low, high = low - self.lower_shift_[level], high + self.upper_shift_[level]
        lower, upper = (self.unit_ * np.expm1(np.maximum(end, 0.0)) for end in (low, high))
        return np.minimum(lower, predicted), np.maximum(upper, predicted)

    def _check_settings(self) -> None:
        for name in ("confidence", "held_out_share"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise SettingsError(f"{name} must lie between 0 and 1; got {getattr(self, name)}.")
        check_setting("n_levels", self.n_levels, at_least=1)

    def _draw(self, X: CustomerTable, n_rows: int) -> BoolArray:
        """Draw who is held out: customers, with their rows of all cutoffs."""
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(n_rows)
        customer, known = pd.factorize(index.get_level_values(-1))
        order = np.random.default_rng(self.random_state).permutation(len(known))
        return (order < self.held_out_share * len(known))[customer]

    def _quantile(self, matrix: FloatArray, learned: FloatArray, at: float) -> Booster:
        own: dict[str, Any] = {"objective": "quantile", "alpha": at, "metric": "None"}
        settings = boosting.settings_of(self) | own
        return grow(matrix, learned, None, settings, n_estimators=self.n_estimators).booster

    def _ends(self, matrix: FloatArray, predicted: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both quantiles as the trees have them, not below 0 and not crossing."""
        low, beyond = (
            boosting.ask(booster, matrix) for booster in (self.lower_booster_, self.upper_booster_)
        )
        low, high = np.maximum(low, 0.0), np.maximum(np.log1p(predicted / self.unit_) + beyond, 0.0)
        return np.minimum(low, high), np.maximum(low, high)

    def _conform(self, low: FloatArray, high: FloatArray, heights: FloatArray, predicted: FloatArray) -> None:
        """Learn by how much the ends have to move in each level of the prediction."""
        share = (1.0 + self.confidence) / 2.0
        _warn_if_too_few(len(heights), self.confidence, enough_for(share))
        self.edges_ = level_edges(predicted, int(self.n_levels), max(_AT_LEAST, enough_for(share)))
        level = np.searchsorted(self.edges_, predicted, side="right")
        self.lower_shift_, self.upper_shift_ = (
            np.array([conformal_quantile(off[level == one], share) for one in range(len(self.edges_) + 1)])
            for off in (low - heights, heights - high)
        )


def _flags(held_out: npt.ArrayLike, n_rows: int) -> BoolArray:
    flags = np.asarray(held_out)
    if flags.shape != (n_rows,) or flags.dtype != np.bool_ or flags.all() or not flags.any():
        raise DataError(
            f"held_out must say True or False of each of {n_rows} rows, of some each; got shape "
            f"{flags.shape} of {flags.dtype} with {np.count_nonzero(flags)} held out."
        )
    return flags


def _read_predictions(prediction: npt.ArrayLike, n_rows: int) -> FloatArray:
    predicted = np.asarray(prediction, dtype=np.float64)
    if predicted.shape != (n_rows,) or not np.isfinite(predicted).all():
        raise DataError(
            f"Predictions must be one finite amount for each of {n_rows} customers; got shape "
            f"{predicted.shape} with {int((~np.isfinite(predicted)).sum())} missing or infinite. Leave those "
            "customers out."
        )
    return np.maximum(predicted, 0.0)


def _unit(spent: FloatArray) -> float:
    unit = float(spent.mean()) if len(spent) else 0.0
    if unit <= 0.0:
        raise DataError(
            "Nobody whom the trees may see spent anything: there is nothing to learn. Choose another cutoff "
            "or horizon, or hold out fewer."
        )
    return unit


def _warn_if_too_few(n_customers: int, confidence: float, enough: int) -> None:
    if n_customers < enough:
        warnings.warn(
            f"An interval that holds for {confidence:.0%} of customers takes {enough} or more held out; "
            f"there are {n_customers}. It now spans all that was seen of them, which holds less often. Use "
            "more customers or a lower confidence.",
            HabitueWarning,
            stacklevel=3,
        )
