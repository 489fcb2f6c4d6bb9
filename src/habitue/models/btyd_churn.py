"""Churn by a probability model: the chance of no purchase ahead, from three columns and no labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from habitue.models.bgnbd import BGNBD
from habitue.models.likelier_class import LikelierClass, both_classes
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import read_churned
from habitue.models.persistence import persistent
from habitue.models.purchase_history import Answer, CustomerTable, read_columns
from habitue.models.purchase_shapley import HISTORY, known_things, shapley, typical_customer
from habitue.models.small_bases import fit_steadily

__all__ = ["BTYDChurnClassifier", "PurchaseModel", "as_frame"]

FloatArray = npt.NDArray[np.float64]
_THINGS = ("frequency", "inactivity", "T")


class PurchaseModel(Protocol):
    """A buy-till-you-die model, which knows when customers buy and when they leave."""

    def fit(self, X: CustomerTable, y: object = None) -> Self:
        """Learn from frequency, recency and T.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_customers, n_features)
            With frequency, recency, T; times in days.
        y : ignored
            For scikit-learn's sake.
        """
        ...

    def p_alive(self, X: CustomerTable) -> Answer:
        """Return the belief that each customer has not left: one probability a customer.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_customers, n_features)
            With frequency, recency, T; times in days.
        """
        ...

    def p_no_purchase(self, X: CustomerTable, *, horizon: float | None = None) -> Answer:
        """Return the chance of no purchase within the horizon: one probability a customer.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_customers, n_features)
            With frequency, recency, T; times in days.
        horizon : float, optional
            Days ahead; the model's own where None.
        """
        ...

    def expected_purchases(self, X: CustomerTable, *, horizon: float | None = None) -> Answer:
        """Return the expected purchases within the horizon: one number >= 0 a customer.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_customers, n_features)
            With frequency, recency, T; times in days.
        horizon : float, optional
            Days ahead; the model's own where None.
        """
        ...


@persistent
class BTYDChurnClassifier(LikelierClass, ClassifierMixin, BaseEstimator):
    """Predict who will buy nothing within the horizon from how often and how recently they bought.

    Parameters
    ----------
    horizon : int
        Days ahead.
    purchases : PurchaseModel, optional
        The probability model, unfitted; `BGNBD` where None.

    Attributes
    ----------
    purchases_ : PurchaseModel
        The fitted model.
    classes_ : ndarray of shape (2,)
        Stays, churns, in the type of y: False, True where there is none.
    typical_ : dict of float
        The median customer, with whom reasons compare.
    feature_names_in_ : ndarray of str
        The columns it reads, whatever others X has: frequency, recency, T.
    n_features_in_ : int
        3.

    Notes
    -----
    P(no purchase in (T, T+t] | x, t_x, T) = L(x, t_x, T+t) / L(x, t_x, T): seeing no purchase is seeing the
    same history at T+t. No outcome is needed to fit, so the latest data can be used.

    Where the customers are too few to determine the model, it is steadied with a small penalty and a warning
    says so (see `habitue.models.small_bases`).

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1998-03-31", horizon=91)).X
    >>> model = BTYDChurnClassifier(horizon=91).fit(X)
    >>> bool((model.predict_proba(X).sum(axis=1) == 1).all())
    True
    """

    if TYPE_CHECKING:
        purchases_: PurchaseModel
        classes_: npt.NDArray[np.generic]
        typical_: dict[str, float]
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int

    def __init__(self, *, horizon: int = 91, purchases: PurchaseModel | None = None) -> None:
        self.horizon = horizon
        self.purchases = purchases

    def fit(self, X: CustomerTable, y: npt.ArrayLike | None = None) -> Self:
        """Learn how customers buy and leave.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With frequency, recency, T; or an array of exactly these.
        y : array_like of shape (n_customers,), optional
            Nothing is learned from it; it only tells the type of `classes_`.

        Raises
        ------
        SchemaError, DataError
            Where a column is missing or a row cannot be a customer's history.
        FitError
            Where nobody bought twice, or no penalty steadies the model.
        SettingsError
            Where the horizon is not above 0.

        Warns
        -----
        HabitueWarning
            Where the model needed a penalty.
        """
        check_setting("horizon", self.horizon, above=0)
        frame = as_frame(X, HISTORY)
        self.purchases_ = fit_steadily(BGNBD() if self.purchases is None else self.purchases, frame)
        self.classes_ = np.array([False, True]) if y is None else read_churned(y, len(frame))[1]
        self.typical_ = typical_customer(known_things(frame, _THINGS))
        read = [*HISTORY, *getattr(self.purchases_, "feature_names_in_", ())]
        self.feature_names_in_ = np.array(list(dict.fromkeys(read)), dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def predict_proba(self, X: CustomerTable, *, horizon: float | None = None) -> FloatArray:
        """Return the chances of staying and of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With frequency, recency, T; or an array of exactly these.
        horizon : float, optional
            Days ahead, any number above 0; the constructor's where None.

        Returns
        -------
        ndarray of shape (n_customers, 2)
            Column 1 is P(no purchase within the horizon).

        Raises
        ------
        SchemaError, DataError
            Where a column is missing or a row cannot be a customer's history.
        SettingsError
            Where the horizon is not above 0.
        """
        check_is_fitted(self, "purchases_")
        days = self.horizon if horizon is None else horizon
        churn = np.asarray(self.purchases_.p_no_purchase(X, horizon=days), dtype=np.float64)
        return both_classes(churn)

    def contributions(self, X: CustomerTable, *, horizon: float | None = None) -> pd.DataFrame:
        """Return what frequency, inactivity and T add to the log-odds of churning, the median being 0.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With frequency, recency, T; or an array of exactly these.
        horizon : float, optional
            Days ahead; the constructor's where None.

        Returns
        -------
        DataFrame of shape (n_customers, 3)
            Exact Shapley values against `typical_`, with probabilities held within [1e-12, 1 - 1e-12].
        """
        check_is_fitted(self, "purchases_")
        frame = as_frame(X, HISTORY)
        known = known_things(frame, _THINGS)
        return shapley(
            partial(self._log_odds, horizon=horizon), known, pd.Series(self.typical_), beside=frame
        )

    def _log_odds(self, X: pd.DataFrame, *, horizon: float | None) -> FloatArray:
        churn = np.clip(self.predict_proba(X, horizon=horizon)[:, 1], 1e-12, 1 - 1e-12)
        return np.log(churn) - np.log1p(-churn)

    def __sklearn_tags__(self) -> Tags:
        """Tell that no outcome is needed."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


def as_frame(X: CustomerTable, names: Sequence[str]) -> pd.DataFrame:
    """Return X as a frame: as it is, or an array of exactly the named columns with their names.

    Parameters
    ----------
    X : DataFrame or array_like of shape (n_customers, len(names))
        A frame is handed back unchecked.
    names : sequence of str
        The columns of an array, in order.

    Raises
    ------
    SchemaError
        Where an array has another shape.

    Examples
    --------
    >>> list(as_frame(np.array([[1, 30, 90]]), ["frequency", "recency", "T"]))
    ['frequency', 'recency', 'T']
    """
    return (
        X if isinstance(X, pd.DataFrame) else pd.DataFrame(read_columns(X, names).values, columns=list(names))
    )
