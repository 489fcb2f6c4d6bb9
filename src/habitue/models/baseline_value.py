"""Value predictions that cost nothing: what every value model must beat before anyone should believe it.

They expect nothing, learn one number, repeat the last period or extrapolate a customer's own rate and amount.

Those that need no outcome to fit say so in their scikit-learn tags (``target_tags.required`` is False).
``feature_names_in_`` names the columns that an estimator looks at. Nothing here is tuned.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from habitue.models.baseline_inputs import finite_columns, purchase_rate, refuse_gaps
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import FloatArray, read_amounts
from habitue.models.persistence import persistent
from habitue.models.purchase_history import read_columns

__all__ = ["LastPeriodRepeatRegressor", "MeanRegressor", "RateRegressor", "ZeroRegressor"]


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
        """Learn nothing.

        Parameters
        ----------
        X : ignored
            For scikit-learn's sake.
        y : ignored
            For scikit-learn's sake.
        """
        del X, y
        self.feature_names_in_, self.n_features_in_ = np.array([], dtype=np.str_), 0
        return self

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Return zero for each customer.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            Only its length counts.

        Returns
        -------
        ndarray of shape (n_customers,)
            Zeros.

        Raises
        ------
        NotFittedError
            Before fit.
        """
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
        """Learn the mean of y.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            Only its length counts.
        y : array_like of shape (n_customers,)
            Spend or purchases within the horizon.

        Raises
        ------
        DataError
            Where y has gaps, infinite values or another length than X.
        """
        self.feature_names_in_, self.n_features_in_ = np.array([], dtype=np.str_), 0
        self.mean_ = float(read_amounts(y, len(X)).mean())
        return self

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Return the same mean for each customer.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            Only its length counts.

        Returns
        -------
        ndarray of shape (n_customers,)
            In the unit of y.

        Raises
        ------
        NotFittedError
            Before fit.
        """
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
        """Check the column; there is nothing to learn.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With `spend_last_period`.
        y : ignored
            For scikit-learn's sake.

        Raises
        ------
        SchemaError
            Where a column is missing or not numeric.
        DataError
            Where a value is missing or infinite.
        """
        del y
        finite_columns(X, "spend_last_period")
        self.feature_names_in_, self.n_features_in_ = np.array(["spend_last_period"]), 1
        return self

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Return what each customer spent in the last period.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With `spend_last_period`.

        Returns
        -------
        ndarray of shape (n_customers,)
            Money.

        Raises
        ------
        NotFittedError
            Before fit.
        SchemaError
            Where a column is missing or not numeric.
        DataError
            Where a value is missing or infinite.
        """
        check_is_fitted(self)
        return finite_columns(X, "spend_last_period")[0] if len(X) else np.empty(0)

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
        """Check the columns; there is nothing to learn.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With `frequency`, `T` in days, and `monetary_value`, which may be missing where there is no rate.
        y : ignored
            For scikit-learn's sake.

        Raises
        ------
        SchemaError
            Where a column is missing or not numeric.
        DataError
            Where a value that is needed is missing or infinite.
        SettingsError
            Where the horizon is no finite number above 0.
        """
        del y
        check_setting("horizon", self.horizon, above=0)
        _expected_spend(X, self.horizon)
        self.feature_names_in_, self.n_features_in_ = np.array(["frequency", "T", "monetary_value"]), 3
        return self

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Return what each customer will spend within the horizon.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With `frequency`, `T` in days, and `monetary_value`, which may be missing where there is no rate.

        Returns
        -------
        ndarray of shape (n_customers,)
            Money.

        Raises
        ------
        NotFittedError
            Before fit.
        SchemaError
            Where a column is missing or not numeric.
        DataError
            Where a value that is needed is missing or infinite.
        """
        check_is_fitted(self)
        return _expected_spend(X, self.horizon) if len(X) else np.empty(0)

    def __sklearn_tags__(self) -> Tags:
        return _without_target(super().__sklearn_tags__())


def _expected_spend(X: pd.DataFrame, horizon: float) -> FloatArray:
    columns = read_columns(X, ["frequency", "T", "monetary_value"])
    frequency, T, monetary_value = columns.values.T
    refuse_gaps(columns, np.column_stack([frequency, T]))
    rate = purchase_rate(frequency, T)
    amount = np.where(rate > 0.0, monetary_value, 0.0)
    refuse_gaps(columns, amount[:, np.newaxis])
    return rate * horizon * amount


def _without_target(tags: Tags) -> Tags:
    tags.target_tags.required = False
    return tags
