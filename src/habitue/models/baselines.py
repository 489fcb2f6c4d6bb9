"""Predictions that cost nothing: what every model must beat before anyone should believe it.

They learn one number, repeat the last period, extrapolate a customer's own rate, or follow the managers' rule
that who has been silent too long is lost: hard to beat (Wuebben & Wangenheim 2008), so no straw men.

Those that need no outcome to fit say so in their scikit-learn tags (``target_tags.required`` is False).
``feature_names_in_`` names the columns that an estimator looks at. Nothing here is tuned.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from habitue.errors import SettingsError
from habitue.models.outcomes import FloatArray, read_amounts, read_churned
from habitue.models.persistence import persistent
from habitue.models.purchase_history import Columns, read_columns

__all__ = [
    "BaseRateClassifier",
    "HiatusClassifier",
    "LastPeriodRepeatClassifier",
    "LastPeriodRepeatRegressor",
    "MeanRegressor",
    "RateClassifier",
    "RateRegressor",
    "ZeroRegressor",
]


@persistent
class BaseRateClassifier(ClassifierMixin, BaseEstimator):
    """Give everybody the churn rate of the past.

    Attributes
    ----------
    churn_rate_ : float
        Share of churners among those it was fitted to.
    classes_ : array of shape (2,)
        Stays, churns.

    Examples
    --------
    >>> X = pd.DataFrame(index=["a", "b", "c", "d"])
    >>> BaseRateClassifier().fit(X, [True, False, False, False]).predict_proba(X)[0]
    array([0.75, 0.25])
    """

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike) -> Self:
        """Learn the churn rate from y, True or 1 for a churner."""
        self.feature_names_in_, self.n_features_in_ = np.array([], dtype=np.str_), 0
        churned, self.classes_ = read_churned(y, len(X))
        self.churn_rate_ = float(churned.mean())
        return self

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Return P(stays) and P(churns) of each customer: (n, 2)."""
        check_is_fitted(self)
        return _both_classes(np.full(len(X), self.churn_rate_))

    def predict(self, X: pd.DataFrame) -> npt.NDArray[np.generic]:
        """Return the likelier class of each customer: (n,)."""
        return np.where(self.predict_proba(X)[:, 1] > 0.5, *self.classes_[::-1])


@persistent
class HiatusClassifier(ClassifierMixin, BaseEstimator):
    """Count a customer as lost who has been silent for longer than a threshold: the managers' rule.

    Attributes
    ----------
    threshold_ : float
        Days. Lost are those with a longer `inactivity`.
    churn_rate_silent_, churn_rate_active_ : float
        Share of churners beyond the threshold and within it, at fit; the probabilities that are predicted.
    classes_ : array of shape (2,)
        Stays, churns.

    Notes
    -----
    The threshold is the observed inactivity with the fewest errors at fit; of several, the longest, so that
    doubt counts for the customer. It may be the longest inactivity there is (nobody is lost) or one day less
    than the shortest (everybody is): the rule then knows nothing, and predicts the base rate.

    References
    ----------
    Wuebben and von Wangenheim (2008), Instant customer base analysis: managerial heuristics often "get it
    right", Journal of Marketing 72(3), 82-93.

    Examples
    --------
    >>> X = pd.DataFrame({"inactivity": [5.0, 20.0, 30.0, 90.0, 200.0]})
    >>> model = HiatusClassifier().fit(X, [False, True, False, True, True])
    >>> model.threshold_, model.predict_proba(X)[:, 1].round(2)
    (30.0, array([0.33, 0.33, 0.33, 1.  , 1.  ]))
    """

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike) -> Self:
        """Learn the threshold from `inactivity` in days and y, True or 1 for a churner."""
        self.feature_names_in_, self.n_features_in_ = np.array(["inactivity"]), 1
        (inactivity,) = _columns(X, "inactivity")
        churned, self.classes_ = read_churned(y, len(inactivity))
        self.threshold_ = _fewest_errors(inactivity, churned)
        silent = inactivity > self.threshold_
        self.churn_rate_silent_, self.churn_rate_active_ = _rates_by_side(silent, churned)
        return self

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Return P(stays) and P(churns) of each customer: (n, 2)."""
        check_is_fitted(self)
        (inactivity,) = _columns(X, "inactivity")
        silent = inactivity > self.threshold_
        return _both_classes(np.where(silent, self.churn_rate_silent_, self.churn_rate_active_))

    def predict(self, X: pd.DataFrame) -> npt.NDArray[np.generic]:
        """Return the likelier class of each customer: (n,)."""
        return np.where(self.predict_proba(X)[:, 1] > 0.5, *self.classes_[::-1])


@persistent
class LastPeriodRepeatClassifier(ClassifierMixin, BaseEstimator):
    """Expect from everybody what the last period showed: who bought nothing then will buy nothing now.

    Attributes
    ----------
    churn_rate_silent_, churn_rate_active_ : float
        Share of churners among those without and with a purchase in the last period, at fit; the
        probabilities that are predicted.
    classes_ : array of shape (2,)
        Stays, churns.
    feature_names_in_ : array of shape (1,)
        ``n_purchases_last_period``: purchases in the time before the cutoff that is as long as the horizon.

    Examples
    --------
    >>> X = pd.DataFrame({"n_purchases_last_period": [0, 0, 0, 2, 1]})
    >>> model = LastPeriodRepeatClassifier().fit(X, [True, True, False, False, False])
    >>> model.predict_proba(X)[:, 1].round(2)
    array([0.67, 0.67, 0.67, 0.  , 0.  ])
    """

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike) -> Self:
        """Learn the churn rate of those with and without a purchase in the last period."""
        self.feature_names_in_, self.n_features_in_ = np.array(["n_purchases_last_period"]), 1
        (purchases,) = _columns(X, "n_purchases_last_period")
        churned, self.classes_ = read_churned(y, len(purchases))
        self.churn_rate_silent_, self.churn_rate_active_ = _rates_by_side(purchases <= 0.0, churned)
        return self

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Return P(stays) and P(churns) of each customer: (n, 2)."""
        check_is_fitted(self)
        (purchases,) = _columns(X, "n_purchases_last_period")
        return _both_classes(np.where(purchases <= 0.0, self.churn_rate_silent_, self.churn_rate_active_))

    def predict(self, X: pd.DataFrame) -> npt.NDArray[np.generic]:
        """Return the likelier class of each customer: (n,)."""
        return np.where(self.predict_proba(X)[:, 1] > 0.5, *self.classes_[::-1])


@persistent
class RateClassifier(ClassifierMixin, BaseEstimator):
    """Expect purchases to come at random at each customer's own rate so far, and nobody ever to leave.

    Parameters
    ----------
    horizon : float
        Length of the period to predict, in days.

    Attributes
    ----------
    classes_ : array of shape (2,)
        Stays, churns.

    Notes
    -----
    P(no purchase) = exp(-frequency / T * horizon). A customer without a repeat purchase, or with T = 0, has
    rate 0 and is certain to churn: certainty that a log loss punishes. Needs no y.

    Examples
    --------
    >>> X = pd.DataFrame({"frequency": [0, 2], "T": [100.0, 100.0]})
    >>> RateClassifier(horizon=50).fit(X).predict_proba(X)[:, 1].round(3)
    array([1.   , 0.368])
    """

    def __init__(self, *, horizon: float) -> None:
        self.horizon = horizon

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike | None = None) -> Self:
        """Check the columns; there is nothing to learn. y, if given, only tells the type of `classes_`."""
        _check_horizon(self.horizon)
        self.feature_names_in_, self.n_features_in_ = np.array(["frequency", "T"]), 2
        _columns(X, "frequency", "T")
        self.classes_ = np.array([False, True]) if y is None else read_churned(y, len(X))[1]
        return self

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Return P(stays) and P(churns) of each customer: (n, 2)."""
        check_is_fitted(self)
        return _both_classes(np.exp(-self.horizon * _rate(*_columns(X, "frequency", "T"))))

    def predict(self, X: pd.DataFrame) -> npt.NDArray[np.generic]:
        """Return the likelier class of each customer: (n,)."""
        return np.where(self.predict_proba(X)[:, 1] > 0.5, *self.classes_[::-1])

    def __sklearn_tags__(self) -> Tags:
        return _without_target(super().__sklearn_tags__())


@persistent
class ZeroRegressor(RegressorMixin, BaseEstimator):
    """Expect nothing from anybody: hard to beat on the mean absolute error where most customers buy nothing.

    Examples
    --------
    >>> X = pd.DataFrame(index=["a", "b"])
    >>> ZeroRegressor().fit(X).predict(X)
    array([0., 0.])
    """

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike | None = None) -> Self:
        """Learn nothing; neither X nor y is looked at."""
        del X, y
        self.feature_names_in_, self.n_features_in_ = np.array([], dtype=np.str_), 0
        return self

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Return zero for each customer: (n,)."""
        check_is_fitted(self)
        return np.zeros(len(X))

    def __sklearn_tags__(self) -> Tags:
        return _without_target(super().__sklearn_tags__())


@persistent
class MeanRegressor(RegressorMixin, BaseEstimator):
    """Expect from everybody the mean of the past.

    Attributes
    ----------
    mean_ : float
        Mean of y at fit.

    Examples
    --------
    >>> X = pd.DataFrame(index=["a", "b"])
    >>> MeanRegressor().fit(X, [0.0, 30.0]).predict(X)
    array([15., 15.])
    """

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike) -> Self:
        """Learn the mean of y."""
        self.feature_names_in_, self.n_features_in_ = np.array([], dtype=np.str_), 0
        self.mean_ = float(read_amounts(y, len(X)).mean())
        return self

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Return the mean for each customer: (n,)."""
        check_is_fitted(self)
        return np.full(len(X), self.mean_)


@persistent
class LastPeriodRepeatRegressor(RegressorMixin, BaseEstimator):
    """Expect everybody to spend again what they spent in the last period.

    Attributes
    ----------
    feature_names_in_ : array of shape (1,)
        ``spend_last_period``: spend in the time before the cutoff that is as long as the horizon.

    Examples
    --------
    >>> X = pd.DataFrame({"spend_last_period": [0.0, 12.5]})
    >>> LastPeriodRepeatRegressor().fit(X).predict(X)
    array([ 0. , 12.5])
    """

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike | None = None) -> Self:
        """Check the column; there is nothing to learn, and y is not looked at."""
        del y
        _columns(X, "spend_last_period")
        self.feature_names_in_, self.n_features_in_ = np.array(["spend_last_period"]), 1
        return self

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Return the spend of the last period of each customer: (n,)."""
        check_is_fitted(self)
        return _columns(X, "spend_last_period")[0]

    def __sklearn_tags__(self) -> Tags:
        return _without_target(super().__sklearn_tags__())


@persistent
class RateRegressor(RegressorMixin, BaseEstimator):
    """Expect everybody to go on buying at their own rate so far, at their own mean amount so far.

    Parameters
    ----------
    horizon : float
        Length of the period to predict, in days.

    Notes
    -----
    frequency / T * horizon * monetary_value. A customer without a repeat purchase (whose `monetary_value` may
    be missing), or with T = 0, is expected to spend 0. Needs no y.

    Examples
    --------
    >>> X = pd.DataFrame({"frequency": [0, 2], "T": [90.0, 100.0], "monetary_value": [float("nan"), 30.0]})
    >>> RateRegressor(horizon=50).fit(X).predict(X)
    array([ 0., 30.])
    """

    def __init__(self, *, horizon: float) -> None:
        self.horizon = horizon

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike | None = None) -> Self:
        """Check the columns; there is nothing to learn, and y is not looked at."""
        del y
        _check_horizon(self.horizon)
        _expected_spend(X, self.horizon)
        self.feature_names_in_, self.n_features_in_ = np.array(["frequency", "T", "monetary_value"]), 3
        return self

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Return the expected spend within the horizon of each customer: (n,)."""
        check_is_fitted(self)
        return _expected_spend(X, self.horizon)

    def __sklearn_tags__(self) -> Tags:
        return _without_target(super().__sklearn_tags__())


def _rate(frequency: FloatArray, T: FloatArray) -> FloatArray:
    """Return purchases per day; 0 for a customer seen for no time."""
    return np.divide(frequency, T, out=np.zeros_like(T), where=T > 0.0)


def _expected_spend(X: pd.DataFrame, horizon: float) -> FloatArray:
    columns = read_columns(X, ["frequency", "T", "monetary_value"])
    frequency, T, monetary_value = columns.values.T
    rate = _rate(frequency, T)
    amount = np.where(rate > 0.0, monetary_value, 0.0)
    _refuse_gaps(columns, np.column_stack([frequency, T, amount]))
    return rate * horizon * amount


def _fewest_errors(inactivity: FloatArray, churned: FloatArray) -> float:
    """Return the cut for which (inactivity > cut) is wrong least often; the longest of several."""
    silences, at = np.unique(inactivity, return_inverse=True)
    lost = np.bincount(at, weights=churned)
    kept = np.bincount(at, weights=1.0 - churned)
    cuts = np.r_[silences[0] - 1.0, silences]
    # Errors of a cut: churners up to it are missed, and those beyond it who stay are written off.
    errors = np.r_[0.0, np.cumsum(lost)] + kept.sum() - np.r_[0.0, np.cumsum(kept)]
    return float(cuts[errors == errors.min()][-1])


def _rates_by_side(silent: npt.NDArray[np.bool_], churned: FloatArray) -> tuple[float, float]:
    """Return the churn rate of the silent and of the others; where one side is empty, that of all."""
    overall = churned.mean()
    rates = [churned[side].mean() if side.any() else overall for side in (silent, ~silent)]
    return float(rates[0]), float(rates[1])


def _both_classes(p_churn: FloatArray) -> FloatArray:
    return np.column_stack([1.0 - p_churn, p_churn])


def _without_target(tags: Tags) -> Tags:
    tags.target_tags.required = False
    return tags


def _columns(X: pd.DataFrame, *names: str) -> FloatArray:
    """Return the columns as rows of finite numbers, or say what is wrong with them."""
    columns = read_columns(X, names)
    _refuse_gaps(columns, columns.values)
    return columns.values.T


def _refuse_gaps(columns: Columns, needed: FloatArray) -> None:
    gaps = np.array(~np.isfinite(needed).all(axis=1))
    columns.refuse(gaps, "finite numbers", advice="Fill the gaps or leave those customers out.")


def _check_horizon(horizon: float) -> None:
    if not (np.isfinite(horizon) and horizon > 0.0):
        raise SettingsError(f"horizon must be a positive number of days, got {horizon!r}")
