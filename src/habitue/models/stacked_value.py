"""Several value models as one: a weighted mean where examples reach, else the probability model alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags

from habitue.models.boosted_value import BoostedValueRegressor
from habitue.models.btyd_value import BTYDValueRegressor
from habitue.models.feature_table import learn_table, needed
from habitue.models.maximum_likelihood import check_setting
from habitue.models.outcomes import read_amounts, refuse_other_rows
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable, read_weights
from habitue.models.stacked_models import StackedModels
from habitue.models.stacking import money_weights
from habitue.numerics.rescaling import rescale

__all__ = ["StackedValueRegressor"]

FloatArray = npt.NDArray[np.float64]

_LEAST = 1e-12
"""Money that a model is taken to expect at least, so that it has a logarithm."""


@persistent
class StackedValueRegressor(RegressorMixin, StackedModels):
    """Predict spend within the horizon by several models together, each as far as it has earned it.

    Parameters
    ----------
    models : Mapping[str, estimator], optional
        Two or more by name; `BTYDValueRegressor` and `BoostedValueRegressor` where None.
    horizon : int
        Days ahead that y was made with; set in the models that have a parameter of that name.
    n_folds : int
        Groups of customers by which the weights are learned, at least 2.

    Attributes
    ----------
    models_ : dict of estimator
        Fitted on all rows.
    weights_ : ndarray of shape (n_models,)
        Of what each says, in money; none negative and all together 1.
    structural_ : str or None
        The model that answers alone where the others' examples do not reach: the first that learns from no
        outcomes.
    reach_ : Reach
        How long the histories were that were learned from.
    feature_names_in_ : ndarray of str
        Columns of X in fitting.
    n_features_in_ : int
        Their number.

    Notes
    -----
    E[spend] = sum_i w_i E_i[spend], with the weights that minimise the Poisson deviance of customers of the
    last cutoff whom copies of the models had not seen, see `money_weights`. Where fewer than 60 of them
    bought, all weigh the same.

    Another horizon than the one learned follows the structural model's story: what is expected within the
    horizon learned is multiplied by S(h) / S(h0), with S(h) the story's expected spend.

    References
    ----------
    .. [1] Breiman, L. (1996). Stacked regressions. Machine Learning 24, 49-64.

    Examples
    --------
    >>> import habitue as hb
    >>> log = hb.datasets.cdnow(sample=True)
    >>> past = hb.take_snapshot(log, hb.Window("1997-12-30", horizon=91))
    >>> model = StackedValueRegressor(n_folds=2).fit(past.X, past.y["spend"])
    >>> sorted(set(model.answered_by(past.X, horizon=182)))
    ['BG/NBD + gamma-gamma, LightGBM; BG/NBD + gamma-gamma beyond 91 days']
    """

    DEFAULT: ClassVar[Mapping[str, BaseEstimator]] = MappingProxyType(
        {"BG/NBD + gamma-gamma": BTYDValueRegressor(), "LightGBM": BoostedValueRegressor()}
    )

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
            Money spent within the horizon, returns taken off.
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
        spend = read_amounts(needed(y, asked=type(self).__name__), len(frame))
        weights = None if sample_weight is None else read_weights(sample_weight, len(frame))
        judged = self._learn_members(frame, spend, weights, [spend > 0.0], _say, now)
        if len(judged.rows):
            counts = None if weights is None else weights[judged.rows]
            said = np.maximum(judged.said, _LEAST)
            self.weights_ = money_weights(said, np.maximum(spend[judged.rows], 0.0), counts)
        else:
            self.weights_ = np.full(len(self.models_), 1.0 / len(self.models_))
        return self

    def predict(self, X: CustomerTable, *, horizon: int | None = None) -> FloatArray:
        """Return the expected spend of each customer within the horizon.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.
        horizon : int, optional
            Days ahead; those of fitting where None.

        Returns
        -------
        ndarray of shape (n_customers,)
            Money.

        Raises
        ------
        SchemaError
            Where a column is missing.
        SettingsError
            Where another horizon is asked for that none of the models can answer, or none above 0.
        """
        frame = self._known(X)
        expected = self._together(frame)
        if horizon is None or horizon == self.horizon:
            return expected
        check_setting("horizon", horizon, above=0)
        _, story = self._story(horizon)
        here, there = (story.predict(frame, horizon=days) for days in (self.horizon, horizon))
        return expected * np.divide(there, here, out=np.ones_like(here), where=here > 0.0)

    def contributions(self, X: CustomerTable) -> pd.DataFrame:
        """Return what each feature adds to the log of expected spend within the horizon learned.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.

        Returns
        -------
        DataFrame of shape (n_customers, n_told)
            What each model tells of the log of its own amount is carried to money, added up, and carried to
            the log of the sum, each in proportion (`habitue.numerics.rescaling`); where the structural model
            answers alone, its own.

        Raises
        ------
        DataError
            Where one of the models gives no reasons.
        """
        frame = self._known(X)
        told = self._told(frame)
        columns = list(dict.fromkeys(name for one in told.values() for name in one.columns))
        money = np.zeros((len(frame), len(columns) + 1))
        for (name, parts), weight in zip(told.items(), self.weights_, strict=True):
            some = parts.reindex(columns=columns, fill_value=0.0).to_numpy()
            base = np.log(_say(self.models_[name], frame)) - some.sum(axis=1)
            money += weight * rescale(np.column_stack([some, base]), np.exp, np.exp)
        total = rescale(money, np.log, lambda amount: 1.0 / amount)[:, :-1]
        if self.structural_ is not None:
            story = told[self.structural_].reindex(columns=columns, fill_value=0.0).to_numpy()
            total = np.where(self.reach_.holds(frame)[:, np.newaxis], total, story)
        return pd.DataFrame(total, columns=columns, index=frame.index)

    def _together(self, X: pd.DataFrame) -> FloatArray:
        """Return the expected spend within the horizon learned."""
        return self._by_reach(X, {name: _say(one, X) for name, one in self.models_.items()})

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that y is money, and money is hard to predict."""
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        if tags.regressor_tags is not None:
            tags.regressor_tags.poor_score = True
        return tags


def _say(model: Any, X: pd.DataFrame) -> FloatArray:
    """Return what a model expects, held above 0 by a hair."""
    return np.maximum(np.asarray(model.predict(X), dtype=np.float64), _LEAST)
