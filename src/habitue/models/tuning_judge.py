"""How settings are judged: a copy learns from some customers, others judge it, on later days where possible.

It deliberately chooses nothing: what is tried next is up to `habitue.models.tuning_space`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring, log_loss, mean_tweedie_deviance
from sklearn.pipeline import Pipeline

from habitue.errors import DataError, HabitueWarning
from habitue.models.feature_table import as_array
from habitue.models.maximum_likelihood import check_setting
from habitue.models.out_of_time import Fold, out_of_time_folds
from habitue.models.outcomes import read_amounts, read_churned, refuse_other_rows
from habitue.models.purchase_history import CustomerTable, read_weights

__all__ = ["Judge", "churn_loss", "make_judge", "value_loss", "weighted"]

FloatArray = npt.NDArray[np.float64]
Loss = Callable[[Any, Any, FloatArray, FloatArray | None], float]
"""Of a fitted model, X, y and weights: less is better."""

_FLOOR = 1e-6
"""So far are chances kept from 0 and 1, and values, as a share of their mean, from 0: none costs infinity."""

_BEYOND_ALL_CUTOFFS = 36_500
"""Days. Of a model without a horizon no outcome counts as known in time: others of the same day judge it."""


def churn_loss(happened: npt.ArrayLike, chance: npt.ArrayLike, weights: FloatArray | None = None) -> float:
    """Return the mean log loss of chances, in nats.

    Parameters
    ----------
    happened : array_like of shape (n_customers,)
        1 for those who churned, 0 for others.
    chance : array_like of shape (n_customers,)
        Predicted, moved into [1e-6, 1 - 1e-6].
    weights : ndarray of shape (n_customers,), optional
        How much each counts.

    Examples
    --------
    >>> round(churn_loss([1, 0], [0.5, 0.5]), 6)
    0.693147
    """
    certain = np.clip(np.asarray(chance, dtype=np.float64), _FLOOR, 1.0 - _FLOOR)
    outcome = np.asarray(happened, dtype=np.float64)
    return float(log_loss(outcome, certain, sample_weight=weights, labels=[0.0, 1.0]))


def value_loss(spend: npt.ArrayLike, value: npt.ArrayLike, weights: FloatArray | None = None) -> float:
    """Return the mean Tweedie deviance, of power 1.5, of values that are made to add up to what was spent.

    Parameters
    ----------
    spend : array_like of shape (n_customers,)
        Money; net returns count as 0, as in training.
    value : array_like of shape (n_customers,)
        Predicted.
    weights : ndarray of shape (n_customers,), optional
        How much each counts.

    Returns
    -------
    float
        Without a unit, at least 0: 0 where all are right, and where nobody spent anything.

    Notes
    -----
    Both are divided by their mean. A season that moves everybody's spend is no matter of a tree's leaves, and
    would drown what is.

    Examples
    --------
    >>> value_loss([10.0, 30.0], [1.0, 3.0])
    0.0
    """
    money, predicted = (np.maximum(np.asarray(one, dtype=np.float64), 0.0) for one in (spend, value))
    unit, level = (float(np.average(one, weights=weights)) for one in (money, predicted))
    if unit <= 0.0:
        return 0.0
    shares = np.maximum(predicted / level if level > 0.0 else predicted, _FLOOR)
    mean: Any = mean_tweedie_deviance  # scikit-learn's own types know whole powers only
    return float(mean(money / unit, shares, sample_weight=weights, power=1.5))


class Judge(NamedTuple):
    """What settings of a model are tried on.

    Attributes
    ----------
    estimator : estimator
        Whose settings; it is copied, never fitted.
    X, y, weights
        All rows; weights are None where each counts as one.
    folds : list of Fold
        Who learns and who judges.
    loss : callable
        Of a fitted model, X, y and weights.
    """

    estimator: Any
    X: Any
    y: npt.NDArray[Any]
    weights: FloatArray | None
    folds: list[Fold]
    loss: Loss

    def losses(self, params: Mapping[str, Any]) -> Iterator[float]:
        """Yield the mean loss of all customers judged so far, after each fold.

        Parameters
        ----------
        params : mapping
            Settings to judge.

        Yields
        ------
        float
            Less is better.
        """
        total = judged = 0.0
        for fold in self.folds:
            weights = self._weights(fold.judged)
            n = float(len(fold.judged) if weights is None else weights.sum())
            total += n * self._loss_in(fold, params)
            judged += n
            yield total / judged

    def _loss_in(self, fold: Fold, params: Mapping[str, Any]) -> float:
        """Return the loss of a copy that learned from one side of a fold, on the other."""
        model: Any = clone(self.estimator)
        model.set_params(**params)
        with warnings.catch_warnings():
            # What there is to warn of is said once, when the model itself is fitted on all rows.
            warnings.simplefilter("ignore", HabitueWarning)
            told = weighted(model, self._weights(fold.train))
            model.fit(_rows(self.X, fold.train), self.y[fold.train], **told)
            judged = _rows(self.X, fold.judged), self.y[fold.judged], self._weights(fold.judged)
            return self.loss(model, *judged)

    def _weights(self, rows: npt.NDArray[np.int64]) -> FloatArray | None:
        return None if self.weights is None else self.weights[rows]


def make_judge(
    estimator: Any,
    X: CustomerTable,
    y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None,
    *,
    n_folds: int,
    scoring: Any = None,
) -> Judge:
    """Return what settings of a classifier of churn or a regressor of value are tried on.

    Parameters
    ----------
    estimator : classifier or regressor
        Its parameter `horizon` tells which outcomes were known in time.
    X : DataFrame of shape (n_customers, n_features)
        What was known.
    y : array_like of shape (n_customers,)
        What came to be.
    sample_weight : array_like of shape (n_customers,) or None
        How much each row counts.
    n_folds : int
        Groups of customers.
    scoring : str or callable, optional
        A score of scikit-learn, of which more is better; log loss or Tweedie deviance where None.

    Raises
    ------
    DataError
        Where X and y do not match, or customers are too few to be parted into folds.
    SettingsError
        Where the horizon is not above 0.
    """
    classifies = is_classifier(estimator)
    # What is in a frame, the model itself checks.
    table: Any = X if isinstance(X, pd.DataFrame) else as_array(X)
    refuse_other_rows(X, y)
    refuse_other_rows(X, sample_weight, called="sample_weight")
    (read_churned if classifies else read_amounts)(y, len(table))
    outcome = np.asarray(y)
    weights = None if sample_weight is None else read_weights(sample_weight, len(table))
    if scoring is None:
        loss = _loss_of_chances if classifies else _loss_of_values
    else:
        loss = _as_loss(check_scoring(estimator, scoring=scoring))
    counted = np.ones(len(table), dtype=np.bool_) if weights is None else weights > 0.0
    index = table.index if isinstance(table, pd.DataFrame) else pd.RangeIndex(len(table))
    folds = out_of_time_folds(index, horizon=_horizon_of(estimator), n_folds=n_folds)
    folds = [fold for fold in folds if counted[fold.train].any() and counted[fold.judged].any()]
    _refuse_too_few(folds, outcome, counted, classifies=classifies)
    return Judge(estimator, table, outcome, weights, folds, loss)


def _horizon_of(estimator: Any) -> int:
    """Return the days ahead that a model, or one inside it, speaks of."""
    params = estimator.get_params()
    horizons = [value for name, value in params.items() if name.rpartition("__")[2] == "horizon"]
    for horizon in horizons:
        check_setting("horizon", horizon, above=0)
    return max(horizons, default=_BEYOND_ALL_CUTOFFS)


def _refuse_too_few(
    folds: list[Fold], y: npt.NDArray[Any], counted: npt.NDArray[np.bool_], *, classifies: bool
) -> None:
    """Say of a fold what the model would say of all customers; of all of them the model says it better."""

    def teaches(rows: Any) -> bool:
        outcome = y[rows][counted[rows]]
        return len(np.unique(outcome)) > 1 if classifies else bool(outcome.any())

    if not folds:
        raise DataError(
            f"Settings cannot be judged: X has n_samples={len(y)}, which do not part into customers to learn "
            "from and others to judge. Give more customers, or fit the model untuned."
        )
    poor = [fold for fold in folds if not teaches(fold.train)]
    if poor and teaches(slice(None)):
        told = "of one class only" if classifies else "0 for everybody"
        raise DataError(
            f"Settings cannot be judged: in {len(poor)} of {len(folds)} folds the outcome of those to learn "
            f"from is {told}. Give more customers, or fit the model untuned."
        )


def weighted(model: Any, weights: npt.ArrayLike | None) -> dict[str, Any]:
    """Return arguments that name weights only where there are some: not every model takes them.

    Parameters
    ----------
    model : estimator or scorer
        Whom they are for; of a pipeline its last step, unless scikit-learn routes what was requested.
    weights : array_like of shape (n_customers,) or None
        How much each row counts.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> weighted(make_pipeline(Ridge()), [1.0, 2.0])
    {'ridge__sample_weight': [1.0, 2.0]}
    """
    if weights is None:
        return {}
    if isinstance(model, Pipeline) and not get_config()["enable_metadata_routing"]:
        return {f"{model.steps[-1][0]}__sample_weight": weights}
    return {"sample_weight": weights}


def _loss_of_chances(model: Any, X: Any, y: FloatArray, weights: FloatArray | None) -> float:
    return churn_loss(y, model.predict_proba(X)[:, 1], weights)


def _loss_of_values(model: Any, X: Any, y: FloatArray, weights: FloatArray | None) -> float:
    return value_loss(y, model.predict(X), weights)


def _as_loss(scorer: Any) -> Loss:
    return lambda model, X, y, weights: -float(scorer(model, X, y, **weighted(scorer, weights)))


def _rows(X: Any, rows: npt.NDArray[np.int64]) -> Any:
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]
