"""Churn predictions that cost nothing: what every churn model must beat before anyone should believe it.

They learn one rate, repeat the last period, extrapolate a customer's own rate, or follow the managers' rule
that who has been silent too long is lost: hard to beat (Wuebben & Wangenheim 2008), so no straw men. Of
contracts they learn the rate by tenure, and know the rule that who is free to go soon, goes.

One that needs no outcome to fit says so in its scikit-learn tags (``target_tags.required`` is False).
``feature_names_in_`` names the columns that an estimator looks at. Nothing here is tuned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from habitue.models.baseline_inputs import finite_columns, purchase_rate
from habitue.models.likelier_class import LikelierClass, both_classes
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import FloatArray, read_churned, refuse_other_rows
from habitue.models.persistence import persistent
from habitue.models.purchase_history import read_columns

__all__ = [
    "BaseRateClassifier",
    "ContractEndClassifier",
    "HiatusClassifier",
    "LastPeriodRepeatClassifier",
    "RateClassifier",
    "TenureClassifier",
]

_FEWEST, _MOST_GROUPS = 50, 10
"""Rates by tenure are of groups of at least so many customers, and at most so many groups."""


class _Rule(LikelierClass, ClassifierMixin, BaseEstimator):
    """A rule that looks at few columns; a subclass names them, and says what is learned and predicted."""

    _READS: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        feature_names_in_: npt.NDArray[np.str_]
        n_features_in_: int

        def _learn(self, columns: FloatArray, churned: FloatArray) -> None: ...
        def _churn(self, columns: FloatArray) -> FloatArray: ...

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike) -> Self:
        """Learn from customers whose outcome is known.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With the columns that the rule reads.
        y : array_like of shape (n_customers,)
            True or 1 for those who churned within the horizon.

        Raises
        ------
        SchemaError
            Where a column is missing or not numeric.
        DataError
            Where a value is missing that is needed, y has gaps, another length than X or is not True and
            False (1 and 0), or has other labels.
        """
        columns = self._read(X)
        refuse_other_rows(X, y)
        churned, self.classes_ = read_churned(y, len(X))
        self.feature_names_in_, self.n_features_in_ = np.array(self._READS, np.str_), len(self._READS)
        self._learn(columns, churned)
        return self

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Return the chances of staying and of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With the columns that the rule reads.

        Returns
        -------
        ndarray of shape (n_customers, 2)
            Column 1 is P(churn within the horizon).

        Raises
        ------
        NotFittedError
            Before fit.
        SchemaError
            Where a column is missing or not numeric.
        DataError
            Where a value is missing that is needed, or infinite.
        """
        check_is_fitted(self)
        columns = self._read(X) if len(X) else np.empty((len(self._READS), 0))
        return both_classes(self._churn(columns))

    def _read(self, X: pd.DataFrame) -> FloatArray:
        """Return the columns as rows."""
        return finite_columns(X, *self._READS) if self._READS else np.empty((0, len(X)))


@persistent
class BaseRateClassifier(_Rule):
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

    def _learn(self, columns: FloatArray, churned: FloatArray) -> None:  # noqa: ARG002
        self.churn_rate_ = float(churned.mean())

    def _churn(self, columns: FloatArray) -> FloatArray:
        return np.full(columns.shape[1], self.churn_rate_)


@persistent
class HiatusClassifier(_Rule):
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

    _READS: ClassVar[tuple[str, ...]] = ("inactivity",)

    def _learn(self, columns: FloatArray, churned: FloatArray) -> None:
        self.threshold_ = _fewest_errors(columns[0], churned)
        silent = columns[0] > self.threshold_
        self.churn_rate_silent_, self.churn_rate_active_ = _rates_by_side(silent, churned)

    def _churn(self, columns: FloatArray) -> FloatArray:
        return np.where(columns[0] > self.threshold_, self.churn_rate_silent_, self.churn_rate_active_)


@persistent
class LastPeriodRepeatClassifier(_Rule):
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

    _READS: ClassVar[tuple[str, ...]] = ("n_purchases_last_period",)

    def _learn(self, columns: FloatArray, churned: FloatArray) -> None:
        self.churn_rate_silent_, self.churn_rate_active_ = _rates_by_side(columns[0] <= 0.0, churned)

    def _churn(self, columns: FloatArray) -> FloatArray:
        return np.where(columns[0] <= 0.0, self.churn_rate_silent_, self.churn_rate_active_)


@persistent
class RateClassifier(_Rule):
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

    _READS: ClassVar[tuple[str, ...]] = ("frequency", "T")

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
        return super().fit(X, np.zeros(len(X), dtype=np.bool_) if y is None else y)

    def _learn(self, columns: FloatArray, churned: FloatArray) -> None:  # noqa: ARG002
        check_setting("horizon", self.horizon, above=0)

    def _churn(self, columns: FloatArray) -> FloatArray:
        return np.exp(-self.horizon * purchase_rate(*columns))

    def __sklearn_tags__(self) -> Tags:
        """Tell that no outcome is needed."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


@persistent
class TenureClassifier(_Rule):
    """Give each customer the churn rate of those who had been under contract for about as long.

    Attributes
    ----------
    edges_ : array of shape (n_groups - 1,)
        Days of tenure up to which each group but the last goes.
    churn_rates_ : array of shape (n_groups,)
        Share of churners in each group, at fit; the probabilities that are predicted.
    classes_ : array of shape (2,)
        Stays, churns.

    Notes
    -----
    Of the n customers still there at a tenure, d are lost within the horizon: d / n is a factor of Kaplan and
    Meier's estimate, the chance to be lost given to have stayed so long. Groups of customers of neighbouring
    tenures, ten of about one size or fewer where each would hold less than 50, keep it from following chance.

    References
    ----------
    Kaplan and Meier (1958), Nonparametric estimation from incomplete observations, Journal of the American
    Statistical Association 53, 457-481, eq. 2a.

    Examples
    --------
    >>> X = pd.DataFrame({"contract_tenure": np.repeat([30.0, 400.0], 50)})
    >>> model = TenureClassifier().fit(X, np.arange(100) < 20)
    >>> model.edges_, model.churn_rates_
    (array([30.]), array([0.4, 0. ]))
    """

    _READS: ClassVar[tuple[str, ...]] = ("contract_tenure",)

    def _learn(self, columns: FloatArray, churned: FloatArray) -> None:
        tenure = columns[0]
        n_groups = int(np.clip(len(tenure) // _FEWEST, 1, _MOST_GROUPS))
        edges = np.unique(np.quantile(tenure, np.arange(1, n_groups) / n_groups, method="inverted_cdf"))
        self.edges_ = edges[edges < tenure.max()]
        group = np.searchsorted(self.edges_, tenure)
        self.churn_rates_ = np.bincount(group, weights=churned) / np.bincount(group)

    def _churn(self, columns: FloatArray) -> FloatArray:
        return self.churn_rates_[np.searchsorted(self.edges_, columns[0])]


@persistent
class ContractEndClassifier(_Rule):
    """Count a customer as lost whose contracts may all end within the horizon, none renewing itself.

    Parameters
    ----------
    horizon : float
        Length of the period to predict, in days.

    Attributes
    ----------
    churn_rate_ending_, churn_rate_bound_ : float
        Share of churners among those and among the others, at fit; the probabilities that are predicted.
    classes_ : array of shape (2,)
        Stays, churns.

    Notes
    -----
    Where it is not known when contracts may end (`contract_days_left_max` is missing) they may, and where it
    is not known whether they renew (`auto_renew_share` is missing) they do not: the rule then rests on what
    is known, and predicts the base rate where nothing is.

    Examples
    --------
    >>> X = pd.DataFrame({"contract_days_left_max": [5, 20, 300, 9], "auto_renew_share": [0, 0, 0, 1]})
    >>> model = ContractEndClassifier(horizon=30).fit(X, [True, False, False, False])
    >>> model.predict_proba(X)[:, 1]
    array([0.5, 0.5, 0. , 0. ])
    """

    _READS: ClassVar[tuple[str, ...]] = ("contract_days_left_max", "auto_renew_share")

    def __init__(self, *, horizon: float) -> None:
        self.horizon = horizon

    def _read(self, X: pd.DataFrame) -> FloatArray:
        return read_columns(X, self._READS).values.T

    def _learn(self, columns: FloatArray, churned: FloatArray) -> None:
        check_setting("horizon", self.horizon, above=0)
        self.churn_rate_ending_, self.churn_rate_bound_ = _rates_by_side(self._ending(columns), churned)

    def _churn(self, columns: FloatArray) -> FloatArray:
        return np.where(self._ending(columns), self.churn_rate_ending_, self.churn_rate_bound_)

    def _ending(self, columns: FloatArray) -> npt.NDArray[np.bool_]:
        days_left, renewing = columns
        return ~(days_left > self.horizon) & ~(renewing > 0.0)


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
