"""Gradient boosting for value: what a customer is expected to spend within the horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags

from habitue.errors import DataError
from habitue.models import boosting
from habitue.models.btyd_features import BTYDFeatures
from habitue.models.outcomes import read_amounts
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable, read_weights

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["BoostedValueRegressor"]

FloatArray = npt.NDArray[np.float64]


@persistent
class BoostedValueRegressor(RegressorMixin, BaseEstimator):
    """Predict what each customer will spend within the horizon, most of them nothing.

    Parameters
    ----------
    tweedie_variance_power : float
        Between 1 (counts) and 2 (gamma): how variance grows with the mean.
    n_estimators : int
        Trees.
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
        The trees, on the log of money.
    scale_ : float
        Factor that makes predictions add up to what was spent, returns taken off.
    btyd_ : BTYDFeatures
        Fitted; only where they were wanted.
    feature_names_in_ : ndarray of str
        Columns of X in fitting.
    n_features_in_ : int
        Their number.

    Notes
    -----
    A Tweedie law has both a mass at zero and a skewed tail, as spend has. Money is divided by its mean before
    training, so a change of currency changes predictions by the same factor and nothing else. Where returns
    outweigh purchases within the horizon, the customer counts as zero in training; `scale_` puts the returns
    back into the total.

    References
    ----------
    .. [1] Jørgensen, B. (1987). Exponential dispersion models. JRSS B 49(2), 127-162.

    Examples
    --------
    >>> import habitue as hb
    >>> log = hb.datasets.cdnow(sample=True)
    >>> past = hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91))
    >>> model = BoostedValueRegressor(n_estimators=20).fit(past.X, past.y["spend"])
    >>> bool(abs(model.predict(past.X).sum() / past.y["spend"].sum() - 1) < 1e-9)
    True
    """

    if TYPE_CHECKING:
        booster_: Booster
        btyd_: BTYDFeatures
        scale_: float
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int

    def __init__(
        self,
        *,
        tweedie_variance_power: float = 1.5,
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
        self.tweedie_variance_power = tweedie_variance_power
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
        """Learn from customers whose spend within the horizon is known.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            What was known; missing values are allowed.
        y : array_like of shape (n_customers,)
            Money spent within the horizon, returns taken off.
        sample_weight : array_like of shape (n_customers,), optional
            How much each row counts.

        Raises
        ------
        DataError
            Where nobody spent anything, returns outweigh all purchases, or X and y do not match.
        SettingsError
            Where LightGBM refuses a parameter.
        """
        matrix = boosting.learn_matrix(self, X)
        spend = read_amounts(boosting.needed(self, y), len(matrix))
        weights = None if sample_weight is None else read_weights(sample_weight, len(matrix))
        bought = np.maximum(spend, 0.0)
        unit, net = (float(np.average(money, weights=weights)) for money in (bought, spend))
        _refuse_no_money(unit, net)
        power = self.tweedie_variance_power
        settings = boosting.settings_of(self) | {"objective": "tweedie", "tweedie_variance_power": power}
        self.booster_ = boosting.train(
            matrix, bought / unit, weights, settings, n_estimators=self.n_estimators
        )
        fitted = np.asarray(self.booster_.predict(matrix), dtype=np.float64)
        self.scale_ = net / float(np.average(fitted, weights=weights))
        return self

    def predict(self, X: CustomerTable) -> FloatArray:
        """Return the expected spend of each customer within the horizon.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.

        Returns
        -------
        ndarray of shape (n_customers,)
            Money.

        Raises
        ------
        SchemaError
            Where a column is missing.
        """
        matrix = boosting.known_matrix(self, X)
        return self.scale_ * np.asarray(self.booster_.predict(matrix), dtype=np.float64)

    def contributions(self, X: CustomerTable) -> pd.DataFrame:
        """Return what each feature adds to the log of expected spend (exact SHAP values).

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
        """Tell scikit-learn that missing values are welcome, y is money, and money is hard to predict."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        # One customer may have sent back more than was bought, but not all together.
        tags.target_tags.positive_only = True
        if tags.regressor_tags is not None:
            tags.regressor_tags.poor_score = True
        return tags


def _refuse_no_money(bought: float, net: float) -> None:
    if bought <= 0.0:
        raise DataError(
            "Nobody spent anything in y: there is nothing to learn. Choose another cutoff or horizon."
        )
    if net <= 0.0:
        raise DataError(
            f"Returns outweigh purchases in y (a mean of {net:g} a customer): no positive value can be "
            "learned from that. Choose another cutoff or horizon."
        )
