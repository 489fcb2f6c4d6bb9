"""Gradient boosting for churn: the chance that a customer buys nothing within the horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags

from habitue.errors import DataError
from habitue.models import boosting
from habitue.models.btyd_features import BTYDFeatures
from habitue.models.likelier_class import LikelierClass, both_classes
from habitue.models.outcomes import read_churned
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable, read_weights

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["BoostedChurnClassifier"]

FloatArray = npt.NDArray[np.float64]


@persistent
class BoostedChurnClassifier(LikelierClass, ClassifierMixin, BaseEstimator):
    """Predict who will buy nothing within the horizon, from all that is known about a customer.

    The horizon is the one that y was made with: fit on snapshots of one `Window.horizon`.

    Parameters
    ----------
    n_estimators : int
        Trees.
    learning_rate : float
        Shrinkage of each, in (0, 1].
    num_leaves : int
        Leaves of a tree, at least 2.
    max_depth : int
        Splits from root to leaf, at most; reasons cost its square. No limit where -1.
    min_child_samples : int
        Customers in a leaf, at least.
    reg_lambda : float
        Ridge on leaf values.
    colsample_bytree : float
        Share of features that a tree may use.
    btyd_features : bool
        Whether the answers of BG/NBD and gamma-gamma stand beside the columns of X; see `BTYDFeatures`.
    horizon : int
        Days ahead that y was made with; only those answers need it.
    random_state : int
        Seed; the same seed and data give the same trees.
    n_jobs : int, optional
        Threads; all cores where None.

    Attributes
    ----------
    booster_ : lightgbm.Booster
        The trees.
    classes_ : ndarray of shape (2,)
        Stays, churns.
    btyd_ : BTYDFeatures
        Fitted; only where they were wanted.
    feature_names_in_ : ndarray of str
        Columns of X in fitting.
    n_features_in_ : int
        Their number.

    Notes
    -----
    Minimises log loss, a proper score, so that probabilities mean what they say; rare churners are not
    resampled, which would break that.

    References
    ----------
    .. [1] Ke, G. et al. (2017). LightGBM: A highly efficient gradient boosting decision tree. NeurIPS 30.

    Examples
    --------
    >>> import habitue as hb
    >>> log = hb.datasets.cdnow(sample=True)
    >>> past = hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91))
    >>> model = BoostedChurnClassifier(n_estimators=20).fit(past.X, past.y["churned"])
    >>> model.predict_proba(past.X).shape
    (2357, 2)
    """

    if TYPE_CHECKING:
        booster_: Booster
        btyd_: BTYDFeatures
        classes_: npt.NDArray[np.generic]
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int

    def __init__(
        self,
        *,
        n_estimators: int = 150,
        learning_rate: float = 0.05,
        num_leaves: int = 15,
        max_depth: int = 5,
        min_child_samples: int = 50,
        reg_lambda: float = 1.0,
        colsample_bytree: float = 0.8,
        btyd_features: bool = False,
        horizon: int = 91,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.min_child_samples = min_child_samples
        self.reg_lambda = reg_lambda
        self.colsample_bytree = colsample_bytree
        self.btyd_features = btyd_features
        self.horizon = horizon
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: CustomerTable, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Learn from customers whose outcome is known.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            What was known; missing values are allowed.
        y : array_like of shape (n_customers,)
            True or 1 for those who bought nothing within the horizon.
        sample_weight : array_like of shape (n_customers,), optional
            How much each row counts.

        Raises
        ------
        DataError
            Where only one class is there, or X and y do not match.
        SettingsError
            Where LightGBM refuses a parameter.
        """
        matrix = boosting.learn_matrix(self, X)
        churned, self.classes_ = read_churned(boosting.needed(self, y), len(matrix))
        weights = None if sample_weight is None else read_weights(sample_weight, len(matrix))
        _refuse_one_class(churned if weights is None else churned[weights > 0])
        settings = boosting.settings_of(self) | {"objective": "binary"}
        self.booster_ = boosting.train(matrix, churned, weights, settings, n_estimators=self.n_estimators)
        return self

    def predict_proba(self, X: CustomerTable) -> FloatArray:
        """Return the chances of staying and of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.

        Returns
        -------
        ndarray of shape (n_customers, 2)
            Column 1 is P(no purchase within the horizon).

        Raises
        ------
        SchemaError
            Where a column is missing.
        """
        matrix = boosting.known_matrix(self, X)
        churn = np.asarray(self.booster_.predict(matrix), dtype=np.float64)
        return both_classes(churn)

    def contributions(self, X: CustomerTable) -> pd.DataFrame:
        """Return what each feature adds to the log-odds of churning (exact SHAP values).

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.

        Returns
        -------
        DataFrame of shape (n_customers, n_trained)
            One column for each feature of fitting, and each answer of probability models.
        """
        return boosting.contributions(self, X)

    def reason_values(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the values that contributions speak of: X, and answers of probability models beside it.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting.
        """
        return boosting.with_answers(self, X)

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that missing values are welcome and classes are two."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_class = False
        return tags


def _refuse_one_class(churned: FloatArray) -> None:
    if churned.min() == churned.max():
        told = "all churned" if churned[0] else "nobody churned"
        raise DataError(
            f"y has only one class ({told}): there is nothing to tell apart. Choose another cutoff or "
            "horizon."
        )
