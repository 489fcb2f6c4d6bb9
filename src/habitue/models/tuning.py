"""A model that finds its own settings: tried under a stated budget, judged on later days by other customers.

It wraps any estimator and deliberately is no backtest: what it says of its settings was seen in choosing
them. How good the tuned model is, a backtest says, on days after all of these.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier, is_regressor
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from habitue.errors import SettingsError
from habitue.models.feature_table import needed
from habitue.models.maximum_likelihood import check_setting
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable
from habitue.models.tuning_judge import make_judge, weighted
from habitue.models.tuning_space import BOOSTED_SPACE, Space, TuningTrial, search

__all__ = ["TunedModel"]

FloatArray = npt.NDArray[np.float64]


def _has(name: str) -> Callable[[TunedModel], bool]:
    """Tell whether the model inside has a method."""
    return lambda self: hasattr(self.estimator, name)


@persistent
class TunedModel(MetaEstimatorMixin, BaseEstimator):
    """A model that tries settings under a stated budget before it is fitted with the best of them.

    Settings are judged out of time by customers that were not learned from, on the folds by which boosted
    models stop early (see `habitue.models.out_of_time`); trial 0 is the model as it was given, so that on
    these folds tuning is never worse. Then it stands in for that model everywhere.

    Parameters
    ----------
    estimator : classifier or regressor
        Such as `BoostedChurnClassifier` or `BoostedValueRegressor`. Its `horizon`, where it has one, tells
        which outcomes were known in time; without one, other customers of the same day judge.
    space : dict, optional
        What to search over: parameter name to `Between` or a list of choices; parameters of a model inside a
        pipeline as ``step__name``. Those of `BOOSTED_SPACE` that the estimator has, where None.
    n_trials : int
        Settings to try, at most, the given ones included.
    seconds : float, optional
        No trial begins after so many; the last may exceed them, and so does the final fit. How many trials
        that makes depends on the machine: where results have to come out again, leave it at None.
    n_folds : int
        Groups of customers, at least 2.
    scoring : str or callable, optional
        A score of scikit-learn, of which more is better. Where None, log loss of chances, and of values the
        Tweedie deviance of power 1.5, balanced (see
        `habitue.models.tuning_judge.value_loss`); both are proper. Only names can be stored.
    random_state : int
        Seed of the search. The same data, seed and number of trials give the same settings.

    Attributes
    ----------
    best_estimator_ : estimator
        Fitted with the best settings on all rows.
    best_params_ : dict
        These settings.
    history_ : list of TuningTrial
        All that was tried.
    trials_ : DataFrame
        The same as a table: number, state ("complete" or "pruned"), value (mean loss over the folds,
        less is better; missing where pruned), n_folds that judged it, seconds, and a column a parameter.
    n_trials_ : int
        Trials.
    classes_, feature_names_in_, n_features_in_
        Of `best_estimator_`.

    Notes
    -----
    `habitue.models.tuning_space.search` says how trials are chosen and when one is given up. The loss of the
    best trial flatters it, as it was chosen for that.

    Examples
    --------
    >>> import habitue as hb
    >>> log = hb.datasets.cdnow(sample=True)
    >>> past = hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91))
    >>> model = TunedModel(hb.BoostedChurnClassifier(n_estimators=20), n_trials=2)
    >>> model.fit(past.X, past.y["churned"]).predict_proba(past.X).shape
    (2357, 2)
    >>> model.trials_[["number", "state", "n_folds"]]
       number     state  n_folds
    0       0  complete        3
    1       1  complete        3
    """

    if TYPE_CHECKING:
        best_estimator_: Any
        best_params_: dict[str, Any]
        history_: list[TuningTrial]

    def __init__(
        self,
        estimator: Any,
        *,
        space: Space | None = None,
        n_trials: int = 40,
        seconds: float | None = None,
        n_folds: int = 3,
        scoring: Any = None,
        random_state: int = 0,
    ) -> None:
        self.estimator = estimator
        self.space = space
        self.n_trials = n_trials
        self.seconds = seconds
        self.n_folds = n_folds
        self.scoring = scoring
        self.random_state = random_state

    def fit(
        self,
        X: CustomerTable,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        progress: Callable[[str], None] | None = None,
    ) -> Self:
        """Find settings, and fit the model with them on all rows.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            What was known. Where its index has a level cutoff, as that of stacked snapshots, settings are
            judged out of time.
        y : array_like of shape (n_customers,)
            What came to be, as the model takes it.
        sample_weight : array_like of shape (n_customers,), optional
            How much each row counts, in fitting and in judging.
        progress : callable, optional
            Called with one line after each trial.

        Raises
        ------
        SettingsError
            Where Optuna is missing, or the budget or the space is impossible.
        DataError
            Where X and y do not match, or customers are too few to be parted into folds.
        """
        self._check_settings()
        space = self._space()
        outcomes = needed(y, asked=type(self).__name__)
        judge = make_judge(
            self.estimator, X, outcomes, sample_weight, n_folds=self.n_folds, scoring=self.scoring
        )
        given = self.estimator.get_params()
        self.history_ = search(
            judge.losses,
            space,
            {name: given[name] for name in space},
            n_folds=len(judge.folds),
            n_trials=self.n_trials,
            seconds=self.seconds,
            random_state=self.random_state,
            tell=progress or (lambda _: None),
        )
        best = min((one for one in self.history_ if one.state == "complete"), key=lambda one: one.value)
        self.best_params_ = dict(best.params)
        self.best_estimator_ = clone(self.estimator)
        self.best_estimator_.set_params(**best.params)
        self.best_estimator_.fit(X, y, **weighted(self.best_estimator_, sample_weight))
        return self

    def _check_settings(self) -> None:
        check_setting("n_trials", self.n_trials, at_least=1, whole=True)
        check_setting("n_folds", self.n_folds, at_least=2, whole=True)
        if self.seconds is not None:
            check_setting("seconds", self.seconds, above=0)
        if not (is_classifier(self.estimator) or is_regressor(self.estimator)):
            raise SettingsError(
                f"{type(self.estimator).__name__} cannot be tuned: a classifier or a regressor is needed."
            )

    def _space(self) -> dict[str, Any]:
        """Return what to search over, every name of it known."""
        known = self.estimator.get_params()
        if self.space is None:
            space = {name: one for name, one in BOOSTED_SPACE.items() if name in known}
        else:
            space = dict(self.space)
        told = type(self.estimator).__name__
        if not space:
            raise SettingsError(
                f"There is nothing to search over: give {told} a space, with names of {', '.join(known)}."
            )
        if unknown := [name for name in space if name not in known]:
            near = get_close_matches(unknown[0], known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
            raise SettingsError(f"{told} has no parameter {unknown[0]!r} to search over; {hint}")
        return space

    def predict(self, X: CustomerTable) -> npt.NDArray[Any]:
        """Return what the tuned model predicts.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            As for the model inside.
        """
        return self._tuned().predict(X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: CustomerTable) -> FloatArray:
        """Return the tuned model's chances of staying and of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            As for the model inside.
        """
        return self._tuned().predict_proba(X)

    @available_if(_has("contributions"))
    def contributions(self, X: CustomerTable) -> pd.DataFrame:
        """Return what each feature adds to the tuned model's prediction, on its own scale.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            As for the model inside.
        """
        return self._tuned().contributions(X)

    @available_if(_has("reason_values"))
    def reason_values(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the values that contributions speak of.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            As for the model inside.
        """
        return self._tuned().reason_values(X)

    def score(self, X: CustomerTable, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Return the score that the model inside gives itself: accuracy, or R2.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            As for the model inside.
        y : array_like of shape (n_customers,)
            What came to be.
        sample_weight : array_like of shape (n_customers,), optional
            How much each row counts.
        """
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self._tuned().score(X, y, **weights)

    def _tuned(self) -> Any:
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    @property
    def trials_(self) -> pd.DataFrame:
        """All that was tried, as a table."""
        rows = [one._asdict() | one.params for one in self.history_]
        return pd.DataFrame(rows).drop(columns="params")

    @property
    def n_trials_(self) -> int:
        """How many settings were tried."""
        return len(self.history_)

    @property
    def classes_(self) -> npt.NDArray[np.generic]:
        """Stays, churns."""
        return self.best_estimator_.classes_

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        """Columns of X in fitting."""
        return self.best_estimator_.feature_names_in_

    @property
    def n_features_in_(self) -> int:
        """Their number."""
        return self.best_estimator_.n_features_in_

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn what the model inside tells it."""
        return get_tags(self.estimator)
