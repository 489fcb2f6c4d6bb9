"""Churn predictions that cost nothing: what every churn model must beat before anyone should believe it.

They learn one rate, repeat the last period, extrapolate a customer's own rate, or follow the managers' rule
that who has been silent too long is lost: hard to beat (Wuebben & Wangenheim 2008), so no straw men.

One that needs no outcome to fit says so in its scikit-learn tags (``target_tags.required`` is False).
``feature_names_in_`` names the columns that an estimator looks at. Nothing here is tuned.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from habitue.models.baseline_inputs import finite_columns, purchase_rate
from habitue.models.likelier_class import LikelierClass, both_classes
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import FloatArray, read_churned
from habitue.models.persistence import persistent

__all__ = ["BaseRateClassifier", "HiatusClassifier", "LastPeriodRepeatClassifier", "RateClassifier"]


@persistent
class BaseRateClassifier(LikelierClass, ClassifierMixin, BaseEstimator):
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
        """Learn the churn rate.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            Only its length counts.
        y : array_like of shape (n_customers,)
            True or 1 for those who bought nothing within the horizon.

        Raises
        ------
        DataError
            Where y has gaps, another length than X or is not True and False (1 and 0).
        """
        self.feature_names_in_, self.n_features_in_ = np.array([], dtype=np.str_), 0
        churned, self.classes_ = read_churned(y, len(X))
        self.churn_rate_ = float(churned.mean())
        return self

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Return the chances of staying and of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            Only its length counts.

        Returns
        -------
        ndarray of shape (n_customers, 2)
            Column 1 is P(no purchase within the horizon).

        Raises
        ------
        NotFittedError
            Before fit.
        """
        check_is_fitted(self)
        return both_classes(np.full(len(X), self.churn_rate_))


@persistent
class HiatusClassifier(LikelierClass, ClassifierMixin, BaseEstimator):
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
        """Learn the threshold.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With `inactivity`, in days.
        y : array_like of shape (n_customers,)
            True or 1 for those who bought nothing within the horizon.

        Raises
        ------
        SchemaError
            Where a column is missing or not numeric.
        DataError
            Where a value is missing, y has another length than X or is not True and False (1 and 0).
        """
        self.feature_names_in_, self.n_features_in_ = np.array(["inactivity"]), 1
        (inactivity,) = finite_columns(X, "inactivity")
        churned, self.classes_ = read_churned(y, len(inactivity))
        self.threshold_ = _fewest_errors(inactivity, churned)
        silent = inactivity > self.threshold_
        self.churn_rate_silent_, self.churn_rate_active_ = _rates_by_side(silent, churned)
        return self

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Return the chances of staying and of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With `inactivity`, in days.

        Returns
        -------
        ndarray of shape (n_customers, 2)
            Column 1 is P(no purchase within the horizon).

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
        (inactivity,) = finite_columns(X, "inactivity")
        silent = inactivity > self.threshold_
        return both_classes(np.where(silent, self.churn_rate_silent_, self.churn_rate_active_))


@persistent
class LastPeriodRepeatClassifier(LikelierClass, ClassifierMixin, BaseEstimator):
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
        """Learn the churn rate of those with and without a purchase in the last period.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With `n_purchases_last_period`.
        y : array_like of shape (n_customers,)
            True or 1 for those who bought nothing within the horizon.

        Raises
        ------
        SchemaError
            Where a column is missing or not numeric.
        DataError
            Where a value is missing, y has another length than X or is not True and False (1 and 0).
        """
        self.feature_names_in_, self.n_features_in_ = np.array(["n_purchases_last_period"]), 1
        (purchases,) = finite_columns(X, "n_purchases_last_period")
        churned, self.classes_ = read_churned(y, len(purchases))
        self.churn_rate_silent_, self.churn_rate_active_ = _rates_by_side(purchases <= 0.0, churned)
        return self

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Return the chances of staying and of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With `n_purchases_last_period`.

        Returns
        -------
        ndarray of shape (n_customers, 2)
            Column 1 is P(no purchase within the horizon).

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
        (purchases,) = finite_columns(X, "n_purchases_last_period")
        return both_classes(np.where(purchases <= 0.0, self.churn_rate_silent_, self.churn_rate_active_))


@persistent
class RateClassifier(LikelierClass, ClassifierMixin, BaseEstimator):
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
        """Check the columns; there is nothing to learn.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With `frequency` and `T`, in days.
        y : array_like of shape (n_customers,), optional
            Only tells the type of `classes_`.

        Raises
        ------
        SchemaError
            Where a column is missing or not numeric.
        DataError
            Where a value of X is missing or infinite, or y is no outcome of churn.
        SettingsError
            Where the horizon is no finite number above 0.
        """
        check_setting("horizon", self.horizon, above=0)
        self.feature_names_in_, self.n_features_in_ = np.array(["frequency", "T"]), 2
        finite_columns(X, "frequency", "T")
        self.classes_ = np.array([False, True]) if y is None else read_churned(y, len(X))[1]
        return self

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Return the chances of staying and of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With `frequency` and `T`, in days.

        Returns
        -------
        ndarray of shape (n_customers, 2)
            Column 1 is P(no purchase within the horizon).

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
        return both_classes(np.exp(-self.horizon * purchase_rate(*finite_columns(X, "frequency", "T"))))

    def __sklearn_tags__(self) -> Tags:
        """Tell that no outcome is needed."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


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
