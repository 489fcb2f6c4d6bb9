"""Gradient boosting for value: what a customer is expected to spend within the horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags

from habitue.errors import DataError
from habitue.models import boosting
from habitue.models.btyd_features import BTYDFeatures
from habitue.models.feature_table import needed
from habitue.models.out_of_time import Fold, Judged
from habitue.models.outcomes import read_amounts, refuse_other_rows
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable, read_weights
from habitue.models.tree_growing import FEWEST_JUDGED, Grown, grow
from habitue.models.value_law import Task, ValueLaw
from habitue.models.value_laws import value_law
from habitue.numerics.spend_losses import balance
from habitue.vocabulary import Direction

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["BoostedValueRegressor"]

FloatArray = npt.NDArray[np.float64]


@persistent
class BoostedValueRegressor(RegressorMixin, BaseEstimator):
    """Predict what each customer will spend within the horizon, most of them nothing.

    Parameters
    ----------
    law : str
        How spend is distributed, and so what the trees learn: "tweedie", "hurdle" (the chance to buy, times
        what a buyer spends), "zero_inflated_lognormal" or "squared"; see `habitue.models.value_laws`.
    tweedie_variance_power : float
        Between 1 (counts) and 2 (gamma): how variance grows with the mean. Only the Tweedie law asks for it.
    n_estimators : int
        Trees, at most. With early stopping, as many as serve customers best whom the trees have not seen.
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
    early_stopping : bool
        Whether customers of the last cutoff whom the trees have not seen say how many trees there are.
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
    boosters_ : dict of lightgbm.Booster
        The trees, by their name in the law.
    law_ : ValueLaw
        What turns their scores into money.
    scale_ : float
        Money for a prediction of 1: makes totals add up to what was spent, returns taken off.
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
    A Tweedie law has both a mass at zero and a skewed tail, as spend has. Money is divided by its mean before
    training, so a change of currency changes predictions by the same factor and nothing else. Where returns
    outweigh purchases within the horizon, the customer counts as zero in training; `scale_` puts the returns
    back into the total.

    Totals are made to add up where it counts: over customers whom a copy of the trees has not seen, at the
    last cutoff of X, where the copy knew only outcomes that were known by then. So what the business as a
    whole gained or lost since, and what a law's tail got wrong, is in `scale_`. Where too few bought to
    be judged so (fewer than 60), totals add up over the rows of fitting, and there are at most 100 trees.

    References
    ----------
    .. [1] Jørgensen, B. (1987). Exponential dispersion models. JRSS B 49(2), 127-162.

    Examples
    --------
    >>> import habitue as hb
    >>> log = hb.datasets.cdnow(sample=True)
    >>> past = hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91))
    >>> model = BoostedValueRegressor(n_estimators=20).fit(past.X, past.y["spend"])
    >>> round(float(model.predict(past.X).sum() / past.y["spend"].sum()), 1)
    1.0
    """

    if TYPE_CHECKING:
        boosters_: dict[str, Booster]
        law_: ValueLaw
        btyd_: BTYDFeatures
        scale_: float
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int
        levels_: dict[str, list[Any]]

    def __init__(
        self,
        *,
        law: str = "tweedie",
        tweedie_variance_power: float = 1.5,
        n_estimators: int = 500,
        learning_rate: float = 0.05,
        num_leaves: int = 15,
        max_depth: int = 5,
        min_child_samples: int = 50,
        reg_lambda: float = 1.0,
        colsample_bytree: float = 0.8,
        early_stopping: bool = True,
        monotone: bool = False,
        btyd_features: bool = False,
        horizon: int = 91,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.law = law
        self.tweedie_variance_power = tweedie_variance_power
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.min_child_samples = min_child_samples
        self.reg_lambda = reg_lambda
        self.colsample_bytree = colsample_bytree
        self.early_stopping = early_stopping
        self.monotone = monotone
        self.btyd_features = btyd_features
        self.horizon = horizon
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: CustomerTable, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Learn from customers whose spend within the horizon is known.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            What was known: numbers, and categories in columns of pandas' type ``category``; missing values
            are allowed.
        y : array_like of shape (n_customers,)
            Money spent within the horizon, returns taken off.
        sample_weight : array_like of shape (n_customers,), optional
            How much each row counts.

        Raises
        ------
        SchemaError
            Where a column is there twice or holds neither numbers nor categories.
        DataError
            Where nobody spent anything, returns outweigh all purchases, or X and y do not match.
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
            Money; no rows where nobody could be judged.
        """
        matrix = boosting.learn_matrix(self, X)
        refuse_other_rows(X, y)
        refuse_other_rows(X, sample_weight, called="sample_weight")
        spend = read_amounts(needed(y, asked=type(self).__name__), len(matrix))
        weights = None if sample_weight is None else read_weights(sample_weight, len(matrix))
        bought = np.maximum(spend, 0.0)
        unit, net = (float(np.average(money, weights=weights)) for money in (bought, spend))
        _refuse_no_money(unit, net)
        money = bought / unit
        self.law_ = value_law(self.law, money, weights, tweedie_variance_power=self.tweedie_variance_power)
        folds = _buyers_to_be_judged(boosting.folds_of(self, X, weights), bought)
        grown = {
            name: self._grow(task, matrix, weights, folds) for name, task in self.law_.tasks(money).items()
        }
        self.boosters_ = {name: one.booster for name, one in grown.items()}
        self.scale_ = self._balance(grown, matrix, spend, weights)
        rows = next(iter(grown.values())).rows
        raw = {name: one.judged for name, one in grown.items()}
        return Judged(rows, self.law_.expected(raw) * self.scale_ if len(rows) else np.zeros(0))

    def _grow(
        self, task: Task, matrix: FloatArray, weights: FloatArray | None, folds: Sequence[Fold]
    ) -> Grown:
        """Train one of the law's boosters, on those that it learns from."""
        settings = boosting.settings_of(self) | task.settings
        if self.monotone:
            settings["monotone_constraints"] = boosting.expected_directions(self, more_is=Direction.STAYS)
        return grow(
            matrix,
            task.target,
            weights,
            settings,
            rows=task.rows,
            folds=folds,
            early_stopping=self.early_stopping,
            n_estimators=self.n_estimators,
            feval=task.evaluation,
        )

    def _balance(
        self,
        grown: Mapping[str, Grown],
        matrix: FloatArray,
        spend: FloatArray,
        weights: FloatArray | None,
    ) -> float:
        """Return money for a prediction of 1: by those who were judged, else by those learned from."""
        rows = next(iter(grown.values())).rows
        counts = np.ones(len(spend)) if weights is None else weights
        if len(rows) and counts[rows] @ spend[rows] > 0.0:
            raw = {name: one.judged for name, one in grown.items()}
            return balance(self.law_.expected(raw), spend[rows], counts[rows])
        return balance(self._expected(matrix), spend, counts)

    def _expected(self, matrix: FloatArray) -> FloatArray:
        """Return the law's expectation, before it is made to add up."""
        raw = {name: boosting.ask(one, matrix, raw_score=True) for name, one in self.boosters_.items()}
        return self.law_.expected(raw)

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
            Where a column is missing, or holds something else than in fitting.

        Warns
        -----
        HabitueWarning
            Where categories come that were not there in fitting: they count as missing.
        """
        matrix = boosting.known_matrix(self, X)
        return self.scale_ * self._expected(matrix)

    def contributions(self, X: CustomerTable) -> pd.DataFrame:
        """Return what each feature adds to the log of expected spend.

        SHAP values are exact for each booster; where a law has more than one score, each score's are carried
        to the log of the expectation in proportion, so that they add up to it.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.

        Returns
        -------
        DataFrame of shape (n_customers, n_trained)
            One column for each feature of fitting, and each answer of probability models.
        """
        matrix = boosting.known_matrix(self, X)
        parts = {name: boosting.ask(one, matrix, pred_contrib=True) for name, one in self.boosters_.items()}
        return boosting.as_reasons(self, X, self.law_.contributions(parts))

    @property
    def base_value_(self) -> float:
        """Log of the spend that contributions start from."""
        parts = {name: boosting.base_parts(self, one) for name, one in self.boosters_.items()}
        return float(self.law_.contributions(parts)[0, -1] + np.log(self.scale_))

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


def _buyers_to_be_judged(folds: Sequence[Fold], bought: FloatArray) -> Sequence[Fold]:
    """Return the folds, or none where too few bought among those judged or learned from in one."""
    n_judged = sum(int((bought[fold.judged] > 0.0).sum()) for fold in folds)
    everywhere = all((bought[rows] > 0.0).sum() > 1 for fold in folds for rows in fold)
    return folds if everywhere and n_judged >= FEWEST_JUDGED else []


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
