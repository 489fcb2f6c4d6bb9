"""Several churn models as one: a weighted sum of log-odds where examples reach, else the story alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags

from habitue.models.boosted_churn import BoostedChurnClassifier
from habitue.models.btyd_churn import BTYDChurnClassifier
from habitue.models.feature_table import learn_table, needed
from habitue.models.likelier_class import LikelierClass, both_classes
from habitue.models.logistic_churn import LogisticChurnClassifier
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import read_churned, refuse_other_rows
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable, read_weights
from habitue.models.purchase_shapley import HISTORY
from habitue.models.stacked_models import StackedModels
from habitue.models.stacking import chance_weights

__all__ = ["StackedChurnClassifier"]

FloatArray = npt.NDArray[np.float64]

_STORY = "BG/NBD"
_LEAST = 1e-12
"""Chance that a model is taken to give at least, so that it has log-odds."""


@persistent
class StackedChurnClassifier(LikelierClass, ClassifierMixin, StackedModels):
    """Predict who will churn by several models together, each as far as it has earned it.

    Parameters
    ----------
    models : Mapping[str, estimator], optional
        Two or more by name; where None, `LogisticChurnClassifier`, `BoostedChurnClassifier` and, if X tells
        how customers bought, `BTYDChurnClassifier`.
    horizon : int
        Days ahead that y was made with; set in the models that have a parameter of that name.
    n_folds : int
        Groups of customers by which the weights are learned, at least 2.

    Attributes
    ----------
    models_ : dict of estimator
        Fitted on all rows.
    weights_ : ndarray of shape (n_models,)
        Of the log-odds of each, none negative and all together 1.
    structural_ : str or None
        The model that answers alone where the others' examples do not reach: the first that learns from no
        outcomes.
    reach_ : Reach
        How long the histories were that were learned from.
    classes_ : ndarray of shape (2,)
        Stays, churns.
    feature_names_in_ : ndarray of str
        Columns of X in fitting.
    n_features_in_ : int
        Their number.

    Notes
    -----
    log-odds = sum_i w_i log-odds_i, with the weights that minimise log loss of customers of the last cutoff
    whom copies of the models had not seen (Breiman 1996), see `chance_weights`. Where fewer than 60 churned
    or stayed among them, all weigh the same.

    Another horizon than the one learned follows the structural model's story: P(none in h) = P(none in h0)
    q(h) / q(h0) beyond it, with q(h) the story's chance of no purchase, and P(some in h) = P(some in h0)
    (1 - q(h)) / (1 - q(h0)) within it.

    References
    ----------
    .. [1] Breiman, L. (1996). Stacked regressions. Machine Learning 24, 49-64.

    Examples
    --------
    >>> import habitue as hb
    >>> log = hb.datasets.cdnow(sample=True)
    >>> past = hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91))
    >>> models = {"story": BTYDChurnClassifier(), "sum": LogisticChurnClassifier()}
    >>> model = StackedChurnClassifier(models=models).fit(past.X, past.y["churned"])
    >>> later = model.predict_proba(past.X, horizon=182)[:, 1]
    >>> bool((later <= model.predict_proba(past.X)[:, 1]).all())
    True
    """

    DEFAULT: ClassVar[Mapping[str, BaseEstimator]] = MappingProxyType(
        {
            _STORY: BTYDChurnClassifier(),
            "logistic": LogisticChurnClassifier(),
            "LightGBM": BoostedChurnClassifier(),
        }
    )

    if TYPE_CHECKING:
        classes_: npt.NDArray[np.generic]

    def __init__(
        self,
        *,
        models: Mapping[str, BaseEstimator] | None = None,
        horizon: int = 91,
        n_folds: int = 3,
    ) -> None:
        super().__init__(models=models, horizon=horizon, n_folds=n_folds)

    def fit(
        self,
        X: CustomerTable,
        y: npt.ArrayLike | None,
        sample_weight: npt.ArrayLike | None = None,
        *,
        now: pd.DataFrame | None = None,
    ) -> Self:
        """Fit the models on all rows, and learn their weights from customers whom copies had not seen.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            What was known; one snapshot, or several stacked.
        y : array_like of shape (n_rows,)
            True or 1 for those who churned.
        sample_weight : array_like of shape (n_rows,), optional
            How much each row counts, for the models that can be told.
        now : DataFrame of shape (n_customers, n_features), optional
            The customers as they are known today, outcomes still open: models that learn from no outcomes
            learn from them. The last cutoff of X where None.

        Raises
        ------
        SchemaError, DataError, FitError
            Where one of the models cannot be fitted.
        SettingsError
            Where there are fewer than two models, or the horizon is not above 0.
        """
        check_setting("horizon", self.horizon, above=0)
        frame, _ = learn_table(X)
        refuse_other_rows(X, y)
        refuse_other_rows(X, sample_weight, called="sample_weight")
        churned, self.classes_ = read_churned(needed(y, asked=type(self).__name__), len(frame))
        weights = None if sample_weight is None else read_weights(sample_weight, len(frame))
        left = churned > 0.0
        judged = self._learn_members(frame, churned, weights, [left, ~left], _chance, now)
        if len(judged.rows):
            counts = None if weights is None else weights[judged.rows]
            self.weights_ = chance_weights(_log_odds(judged.said), churned[judged.rows], counts)
        else:
            self.weights_ = np.full(len(self.models_), 1.0 / len(self.models_))
        return self

    def predict_proba(self, X: CustomerTable, *, horizon: int | None = None) -> FloatArray:
        """Return the chances of staying and of churning.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.
        horizon : int, optional
            Days ahead; those of fitting where None.

        Returns
        -------
        ndarray of shape (n_customers, 2)
            Column 1 is P(churns within the horizon).

        Raises
        ------
        SchemaError
            Where a column is missing.
        SettingsError
            Where another horizon is asked for that none of the models can answer, or none above 0.
        """
        frame = self._known(X)
        churn = expit(self._together(frame))
        if horizon is None or horizon == self.horizon:
            return both_classes(churn)
        check_setting("horizon", horizon, above=0)
        _, story = self._story(horizon)
        here, there = (story.predict_proba(frame, horizon=days)[:, 1] for days in (self.horizon, horizon))
        if horizon > self.horizon:
            return both_classes(churn * np.minimum(there / np.maximum(here, _LEAST), 1.0))
        share = np.minimum((1.0 - there) / np.maximum(1.0 - here, _LEAST), 1.0)
        return both_classes(1.0 - (1.0 - churn) * share)

    def contributions(self, X: CustomerTable) -> pd.DataFrame:
        """Return what each feature adds to the log-odds of churning within the horizon learned.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.

        Returns
        -------
        DataFrame of shape (n_customers, n_told)
            The weighted sum of what the models tell, exact as theirs; where the structural model answers
            alone, its own.

        Raises
        ------
        DataError
            Where one of the models gives no reasons.
        """
        frame = self._known(X)
        told = self._told(frame)
        columns = list(dict.fromkeys(name for one in told.values() for name in one.columns))
        within = self.reach_.holds(frame)
        total = np.zeros((len(frame), len(columns)))
        for (name, one), weight in zip(told.items(), self.weights_, strict=True):
            alone = 1.0 if name == self.structural_ else 0.0
            counts = np.where(within, weight, alone) if self.structural_ is not None else weight
            total += one.reindex(columns=columns, fill_value=0.0).to_numpy() * np.reshape(counts, (-1, 1))
        return pd.DataFrame(total, columns=columns, index=frame.index)

    def _defaults(self, X: pd.DataFrame) -> Mapping[str, BaseEstimator]:
        """Leave out the probability model where X does not tell how customers bought."""
        bought = set(HISTORY) <= set(X.columns)
        return {name: one for name, one in self.DEFAULT.items() if bought or name != _STORY}

    def _together(self, X: pd.DataFrame) -> FloatArray:
        """Return the log-odds of churning within the horizon learned."""
        said = {name: _log_odds(_chance(one, X)) for name, one in self.models_.items()}
        return self._by_reach(X, said)

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that classes are two."""
        tags = super().__sklearn_tags__()
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_class = False
        return tags


def _chance(model: Any, X: pd.DataFrame) -> FloatArray:
    return model.predict_proba(X)[:, 1]


def _log_odds(chance: FloatArray) -> FloatArray:
    """Return log-odds, held finite."""
    return logit(np.clip(chance, _LEAST, 1.0 - _LEAST))
