"""Gradient boosting for churn: the chance that a customer buys nothing within the horizon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags

from habitue.errors import DataError, SettingsError
from habitue.models import boosting
from habitue.models.btyd_features import BTYDFeatures
from habitue.models.feature_table import needed
from habitue.models.likelier_class import LikelierClass, both_classes
from habitue.models.out_of_time import Fold, Judged
from habitue.models.outcomes import read_churned, refuse_other_rows
from habitue.models.persistence import persistent
from habitue.models.probability_calibration import CALIBRATORS, Calibrator, choose_calibrator
from habitue.models.purchase_history import CustomerTable, read_weights
from habitue.models.tree_growing import FEWEST_JUDGED, grow
from habitue.vocabulary import Direction

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["BoostedChurnClassifier"]

FloatArray = npt.NDArray[np.float64]

_NO_MOVE = 1e-9
"""Log-odds from the base, below which a customer has no reasons to share calibration among."""
_SMALLEST = 1e-12
"""Chance that log-odds are told of, at least."""


@persistent
class BoostedChurnClassifier(LikelierClass, ClassifierMixin, BaseEstimator):
    """Predict who will buy nothing within the horizon, from all that is known about a customer.

    The horizon is the one that y was made with: fit on snapshots of one `Window.horizon`.

    Parameters
    ----------
    n_estimators : int
        Trees, at most. With early stopping, as many as serve customers best whom the trees have not seen.
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
    early_stopping : bool
        Whether customers of the last cutoff whom the trees have not seen say how many trees there are.
    calibration : str
        What makes probabilities mean what they say, learned from the same customers: a name of `CALIBRATORS`,
        or "auto" for the simplest of them that none is clearly better than.
    monotone : bool
        Whether a feature may only ever act in the direction that the vocabulary expects of it.
    btyd_features : bool
        Whether the answers of BG/NBD and gamma-gamma stand beside the columns of X; see `BTYDFeatures`.
    horizon : int
        Days ahead that y was made with; says which cutoffs' outcomes were known by the last one.
    random_state : int
        Seed; the same seed and data give the same trees.
    n_jobs : int, optional
        Threads; all cores where None.

    Attributes
    ----------
    booster_ : lightgbm.Booster
        The trees.
    n_trees_ : int
        Their number.
    calibration_ : str
        The name of what was chosen.
    calibrator_ : estimator
        It, fitted.
    calibration_losses_ : dict of dict
        Of each calibration that was judged, its losses; empty where none was.
    classes_ : ndarray of shape (2,)
        Stays, churns.
    btyd_ : BTYDFeatures
        Fitted; only where they were wanted.
    feature_names_in_ : ndarray of str
        Columns of X in fitting.
    n_features_in_ : int
        Their number.
    levels_ : dict of list
        Of each column of categories, those that there were in fitting.

    Notes
    -----
    Minimises log loss, a proper score, so that probabilities mean what they say; rare churners are not
    resampled, which would break that.

    How many trees, and how far probabilities are off, is learned from customers whom a copy of the trees has
    not seen, at the last cutoff of X, where the copy knew only outcomes that were known by then: as far ahead
    as the model will be asked. That takes about as long again as the trees themselves, or less from 300,000
    customers on, where one copy is enough. Where fewer than 60 customers of the rarer class can be judged so,
    there are at most 100 trees and no calibration.

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
        n_trees_: int
        calibration_: str
        calibrator_: Calibrator
        calibration_losses_: dict[str, dict[str, float]]
        btyd_: BTYDFeatures
        classes_: npt.NDArray[np.generic]
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int
        levels_: dict[str, list[Any]]

    def __init__(
        self,
        *,
        n_estimators: int = 500,
        learning_rate: float = 0.05,
        num_leaves: int = 15,
        max_depth: int = 5,
        min_child_samples: int = 50,
        reg_lambda: float = 1.0,
        colsample_bytree: float = 0.8,
        early_stopping: bool = True,
        calibration: str = "auto",
        monotone: bool = False,
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
        self.early_stopping = early_stopping
        self.calibration = calibration
        self.monotone = monotone
        self.btyd_features = btyd_features
        self.horizon = horizon
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: CustomerTable, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Learn from customers whose outcome is known.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            What was known: numbers, and categories in columns of pandas' type ``category``; missing values
            are allowed.
        y : array_like of shape (n_customers,)
            True or 1 for those who bought nothing within the horizon.
        sample_weight : array_like of shape (n_customers,), optional
            How much each row counts.

        Raises
        ------
        SchemaError
            Where a column is there twice or holds neither numbers nor categories.
        DataError
            Where only one class is there, or X and y do not match.
        SettingsError
            Where LightGBM refuses a parameter.
        """
        self.fit_judged(X, y, sample_weight)
        return self

    def fit_judged(
        self, X: CustomerTable, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Judged:
        """Learn as `fit` does, and return what copies said of customers whom they had not seen.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            As in `fit`.
        y : array_like of shape (n_customers,)
            As in `fit`.
        sample_weight : array_like of shape (n_customers,), optional
            As in `fit`.

        Returns
        -------
        Judged
            Chances of churning, after calibration; no rows where nobody could be judged.
        """
        matrix = boosting.learn_matrix(self, X)
        refuse_other_rows(X, y)
        refuse_other_rows(X, sample_weight, called="sample_weight")
        churned, self.classes_ = read_churned(needed(y, asked=type(self).__name__), len(matrix))
        weights = None if sample_weight is None else read_weights(sample_weight, len(matrix))
        _refuse_one_class(churned if weights is None else churned[weights > 0])
        settings = boosting.settings_of(self) | {"objective": "binary", "metric": "binary_logloss"}
        if self.monotone:
            settings["monotone_constraints"] = boosting.expected_directions(self, more_is=Direction.LEAVES)
        folds = _both_to_be_judged(boosting.folds_of(self, X, weights), churned)
        grown = grow(
            matrix,
            churned,
            weights,
            settings,
            folds=folds,
            early_stopping=self.early_stopping,
            n_estimators=self.n_estimators,
        )
        self.booster_, self.n_trees_ = grown.booster, grown.n_trees
        chosen = choose_calibrator(
            expit(grown.judged), churned[grown.rows], grown.folds, candidates=self._candidates(folds)
        )
        self.calibration_, self.calibrator_ = chosen.name, chosen.calibrator
        self.calibration_losses_ = chosen.losses.to_dict("index")
        return Judged(grown.rows, self.calibrator_.calibrate(expit(grown.judged)))

    def _candidates(self, folds: Sequence[Fold]) -> list[str]:
        """Ways of calibration to choose from: none is left where nobody could be judged."""
        possible = ["auto", *CALIBRATORS]
        if self.calibration not in possible:
            raise SettingsError(
                f"calibration must be one of {', '.join(possible)}; got {self.calibration!r}."
            )
        if not folds:
            return ["none"]
        return list(CALIBRATORS) if self.calibration == "auto" else [self.calibration]

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
            Where a column is missing, or holds something else than in fitting.

        Warns
        -----
        HabitueWarning
            Where categories come that were not there in fitting: they count as missing.
        """
        matrix = boosting.known_matrix(self, X)
        return both_classes(self.calibrator_.calibrate(boosting.ask(self.booster_, matrix)))

    def contributions(self, X: CustomerTable) -> pd.DataFrame:
        """Return what each feature adds to the log-odds of churning (exact SHAP values).

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.

        Returns
        -------
        DataFrame of shape (n_customers, n_trained)
            One column for each feature of fitting, and each answer of probability models. What calibration
            does to the log-odds is shared out in proportion: with `base_value_` they add up to the log-odds
            of the prediction.
        """
        told = boosting.contributions(self, X)
        moved = told.to_numpy().sum(axis=1)
        calibrated = self._log_odds(self._raw_base() + moved) - self.base_value_
        share = np.divide(calibrated, moved, out=np.ones_like(moved), where=np.abs(moved) > _NO_MOVE)
        return told * share[:, np.newaxis]

    @property
    def base_value_(self) -> float:
        """Log-odds of churning that contributions start from."""
        return float(self._log_odds(np.array([self._raw_base()]))[0])

    def _raw_base(self) -> float:
        return float(boosting.base_parts(self, self.booster_)[0, -1])

    def _log_odds(self, raw: FloatArray) -> FloatArray:
        """Log-odds after calibration, of log-odds before."""
        churn = np.clip(self.calibrator_.calibrate(expit(raw)), _SMALLEST, 1.0 - _SMALLEST)
        return logit(churn)

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


def _both_to_be_judged(folds: Sequence[Fold], churned: FloatArray) -> Sequence[Fold]:
    """Return the folds, or none where they hold too few of one class to learn anything from."""
    judged = sum(int(churned[fold.judged].sum()) for fold in folds)
    rarer = min(judged, sum(len(fold.judged) for fold in folds) - judged)
    both = all(len(np.unique(churned[rows])) == 2 for fold in folds for rows in fold)
    return folds if both and rarer >= FEWEST_JUDGED else []


def _refuse_one_class(churned: FloatArray) -> None:
    if churned.min() == churned.max():
        told = "all churned" if churned[0] else "nobody churned"
        raise DataError(
            f"y has only one class ({told}): there is nothing to tell apart. Choose another cutoff or "
            "horizon."
        )
