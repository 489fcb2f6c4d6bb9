"""Gradient boosting for time to churn: when customers leave, by what cause, and how long they still stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags

from habitue.errors import SchemaError
from habitue.models import boosting
from habitue.models.btyd_features import BTYDFeatures
from habitue.models.feature_table import needed
from habitue.models.hazard_answers import HazardAnswers
from habitue.models.hazard_boosting import Material, grow
from habitue.models.hazard_material import fold_to_judge, refuse_one_class, told_in_periods
from habitue.models.hazard_reasons import log_odds_contributions
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import FloatArray, refuse_other_rows
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable, read_weights
from habitue.models.spells import read_spells
from habitue.models.tree_growing import UNJUDGED_TREES
from habitue.numerics.censored_scores import concordance

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["BoostedHazardModel"]

CLOCK = "n_periods"
"""The feature that is added to X: whole periods gone by since the customer came."""


@persistent
class BoostedHazardModel(HazardAnswers, ClassifierMixin, BaseEstimator):
    """Predict when customers leave: the chance of leaving in each period for one who came to it.

    One model answers for any time ahead. What y is decides how it learns:

    - y has the columns duration and event, one row a customer: each is taken apart into the periods that he
      was seen in. Who has not left yet tells of the periods he stayed through (right censoring); who was
      first seen later, with an entry, tells nothing of those before (left truncation).
    - y is a single column: each row of X is one period of a customer, with features as known when it began,
      and y says whether he left within the `horizon` days after. That is what snapshots of several cutoffs,
      stacked, are; features may change from period to period.

    Parameters
    ----------
    n_estimators : int
        Trees of each cause, at most.
    learning_rate : float
        Shrinkage of each, in (0, 1].
    num_leaves : int
        Leaves of a tree, at least 2.
    max_depth : int
        Splits from root to leaf, at most; reasons cost its square. No limit where -1.
    min_child_samples : int
        Person-periods in a leaf, at least.
    reg_lambda : float
        Ridge on leaf values.
    colsample_bytree : float
        Share of features that a tree may use.
    early_stopping : bool
        Whether the number of trees is found with a fifth of the customers, whom a copy of the trees has not
        seen.
    period : float
        Days of a period, > 0, where y has durations.
    age : str, optional
        Column of X that holds the days since each customer came. It sets the clock, which runs on in
        predictions; it is no feature itself.
    btyd_features : bool
        Whether the answers of BG/NBD and gamma-gamma stand beside the columns of X; see `BTYDFeatures`.
    horizon : int
        Days ahead that `predict_proba` speaks of; where y is a single column, those that y was made with.
    random_state : int
        Seed; the same seed and data give the same trees.
    n_jobs : int, optional
        Threads; all cores where None.

    Attributes
    ----------
    booster_ : lightgbm.Booster
        The trees.
    n_trees_ : int
        Their rounds.
    causes_ : list of int or str
        Causes of leaving, as in y.
    period_ : float
        Days of a period.
    n_periods_ : int or None
        Periods since coming that somebody was seen in; None where ages are not known.
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
    A person-period is a row of a classification whose log loss is the likelihood of the times ([1]_), with
    several causes the multinomial one ([2]_). The clock is a feature, ``n_periods``, so that risks need not
    be proportional. Rows are made in batches as LightGBM reads them: memory follows its one byte a value.

    Features of predictions are those of now, for all periods ahead: what will become of them nobody knows.
    Only the clock goes on. Inside a period the hazard acts evenly. Beyond the last period that was seen,
    hazards stay at its level; that is a guess, and a warning says for how many customers it was made.

    References
    ----------
    .. [1] Singer, J. D. and Willett, J. B. (1993). It's about time: using discrete-time survival analysis to
       study duration and the timing of events. Journal of Educational Statistics 18, 155-195.
    .. [2] Tutz, G. and Schmid, M. (2016). Modeling Discrete Time-to-Event Data. Springer, chapter 8.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"n_tickets": rng.poisson(1.0, 500)})
    >>> left_after = rng.exponential(300.0 / (1.0 + X["n_tickets"]))
    >>> y = pd.DataFrame({"duration": np.minimum(left_after, 360.0), "event": left_after < 360.0})
    >>> model = BoostedHazardModel(n_estimators=20, early_stopping=False, n_jobs=1).fit(X, y)
    >>> model.survival_function(X, times=[90, 180], entry=0).shape
    (500, 2)
    """

    if TYPE_CHECKING:
        booster_: Booster
        n_trees_: int
        causes_: list[int] | list[str]
        period_: float
        n_periods_: int | None
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
        period: float = 30,
        age: str | None = None,
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
        self.period = period
        self.age = age
        self.btyd_features = btyd_features
        self.horizon = horizon
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self,
        X: CustomerTable,
        y: pd.DataFrame | npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn from customers who left and from those who have not left yet.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            What was known: numbers, and categories in columns of pandas' type ``category``; missing values
            are allowed. One row a customer, as known at his entry, or one row a person-period.
        y : DataFrame or array_like of shape (n_rows,)
            A frame with the columns duration (days since the customer came when observation ended), event
            and, where wanted, entry (days since he came when it began, 0 where left out); or, for
            person-periods, the event alone. An event is True or False, 1 or 0, or the cause: its number from
            1, or words, missing for who did not leave.
        sample_weight : array_like of shape (n_rows,), optional
            How much each row counts.

        Raises
        ------
        SchemaError
            Where a column of X or y is missing, X has a column n_periods, or one that holds neither numbers
            nor categories.
        DataError
            Where nobody left, all left at once, or X and y do not match.
        SettingsError
            Where the period is not above 0, or LightGBM refuses a parameter.
        """
        matrix = boosting.learn_matrix(self, X)
        check_setting("period", self.period, above=0)
        self._refuse_columns()
        told_of = needed(y, asked=type(self).__name__)
        refuse_other_rows(X, y)
        refuse_other_rows(X, sample_weight, called="sample_weight")
        ages = None if self.age is None or isinstance(y, pd.DataFrame) else self._ages(matrix)
        told = told_in_periods(told_of, ages, len(matrix), period=self.period, horizon=self.horizon)
        self.causes_, self.classes_ = told.causes.names, told.classes
        self.period_, self.n_periods_ = told.period, told.n_periods
        weights = None if sample_weight is None else read_weights(sample_weight, len(matrix))
        features = np.ascontiguousarray(self._features(matrix))
        material = Material(features, told.seen, told.causes.number, weights)
        refuse_one_class(material)
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(matrix))
        fold = fold_to_judge(index, material, self.period_) if self.early_stopping else None
        blind = self.early_stopping and fold is None
        n_estimators = min(self.n_estimators, UNJUDGED_TREES) if blind else self.n_estimators
        settings = boosting.settings_of(self, self._trained_on())
        self.booster_, self.n_trees_ = grow(material, settings, n_estimators=n_estimators, fold=fold)
        return self

    def contributions(
        self, X: CustomerTable, *, cause: int | str | None = None, entry: npt.ArrayLike | None = None
    ) -> pd.DataFrame:
        """Return what each feature adds to the log-odds of leaving in the present period (exact SHAP values).

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.
        cause : int or str, optional
            One of `causes_`, against going on. Where there are several and none is named, the mean of their
            log-odds, weighted by each customer's own shares of them.
        entry : array_like of shape (n_customers,) or (), optional
            Days since each customer came; the column `age` of X where left out.

        Returns
        -------
        DataFrame of shape (n_customers, n_trained)
            One column for each feature that trees read, ``n_periods`` the last. With one value for all they
            add up to log(h / (1 - h)), h the chance of leaving by the end of the period for one who came to
            it.

        References
        ----------
        .. [1] Lundberg, S. M. et al. (2020). From local explanations to global understanding with explainable
           AI for trees. Nature Machine Intelligence 2, 56-67.
        """
        rows = self._rows(X, entry)
        index = X.index if isinstance(X, pd.DataFrame) else None
        if not len(rows):
            return pd.DataFrame(columns=self._trained_on(), index=index, dtype=np.float64)
        told = boosting.ask(self.booster_, rows, pred_contrib=True)
        several = len(self.causes_) > 1
        which = None if cause is None else self._cause(cause)
        parts = log_odds_contributions(told, len(self.causes_) + 1 if several else 1, which)
        return pd.DataFrame(parts[:, :-1], columns=self._trained_on(), index=index)

    def reason_values(self, X: pd.DataFrame, *, entry: npt.ArrayLike | None = None) -> pd.DataFrame:
        """Return the values that contributions speak of: X, and beside it what was added to it.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting.
        entry : array_like of shape (n_customers,) or (), optional
            Days since each customer came; the column `age` of X where left out.

        Returns
        -------
        DataFrame
            With ``n_periods``, whole periods gone by since each customer came.
        """
        return boosting.with_answers(self, X).assign(**{CLOCK: self._rows(X, entry)[:, -1]})

    def score(
        self,
        X: CustomerTable,
        y: pd.DataFrame | npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return how well customers are ordered (durations), or classified (a single column).

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            As in fitting.
        y : DataFrame or array_like of shape (n_rows,)
            As in fitting.
        sample_weight : array_like of shape (n_rows,), optional
            How much each row counts in the share classified right; durations are not weighted.

        Returns
        -------
        float
            Of durations Harrell's concordance of the time observed and of how long a new customer like this
            one is expected to stay; of a single column the share whose likelier class is right.
        """
        if not isinstance(y, pd.DataFrame):
            return float(super().score(X, y, sample_weight))
        seen = (self.n_periods_ or 1) * self.period_
        lived = np.asarray(self.expected_residual_lifetime(X, horizon=seen, entry=0.0))
        spells = read_spells(y, len(lived))
        return concordance(spells.duration, spells.causes.number > 0, -lived)

    def _rows(self, X: CustomerTable, entry: npt.ArrayLike | None) -> FloatArray:
        """Return what trees read of each customer's present period."""
        matrix, at = self._now(X, entry)
        return np.column_stack([matrix, np.minimum(at.gone_by, (self.n_periods_ or 1) - 1)])

    def _trained_on(self) -> list[str]:
        """Return the names of the booster's columns."""
        names = list(self.feature_names_in_)
        both = list(self.btyd_.get_feature_names_out(names)) if self.btyd_features else names
        return [*(str(name) for name in both if name != self.age), CLOCK]

    def _refuse_columns(self) -> None:
        names = list(self.feature_names_in_)
        if CLOCK in names:
            raise SchemaError(f"X must not have a column {CLOCK}: the model counts periods there. Rename it")
        if self.age is not None and self.age not in names:
            raise SchemaError(
                f"X must have the column {self.age}, which age names; there are: {', '.join(names)}"
            )
        if self.age in self.levels_:
            raise SchemaError(f"expected days in column {self.age}, which age names; it holds categories")

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that missing values are welcome and classes are two."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_class = False
        return tags
