"""The honest baselines that stand in every table, and how any model is trained without seeing its own test.

A model that needs outcomes learns from earlier snapshots whose label windows end on or before the cutoff; one
that needs none (scikit-learn's tag ``target_tags.required`` is False) learns from what is known at the
cutoff.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from habitue.errors import DataError, SettingsError
from habitue.models import (
    BaseRateClassifier,
    HiatusClassifier,
    LastPeriodRepeatClassifier,
    LastPeriodRepeatRegressor,
    LogisticChurnClassifier,
    MeanRegressor,
    RateClassifier,
    RateRegressor,
    ZeroRegressor,
)
from habitue.models.baseline_churn import ContractEndClassifier, TenureClassifier
from habitue.models.stacked_models import StackedModels
from habitue.snapshots import Snapshot

__all__ = [
    "BASELINES",
    "BASELINES_TOLD_BY",
    "BASELINE_COLUMNS",
    "TARGETS",
    "Baselines",
    "fit_before",
    "named_models",
    "needs_outcomes",
    "predict_target",
    "targets_of",
]

FloatArray = npt.NDArray[np.float64]

TARGETS = ("churned", "spend", "n_purchases")
"""What may be predicted, as columns of y."""

_VALUE: Mapping[str, BaseEstimator] = MappingProxyType(
    {
        "last-period repeat": LastPeriodRepeatRegressor(),
        "x/T*t": RateRegressor(horizon=1),
        "the mean": MeanRegressor(),
        "zero": ZeroRegressor(),
    }
)
BASELINES: Mapping[str, Mapping[str, BaseEstimator]] = MappingProxyType(
    {
        "churned": MappingProxyType(
            {
                "hiatus heuristic": HiatusClassifier(),
                "last-period repeat": LastPeriodRepeatClassifier(),
                "x/T*t": RateClassifier(horizon=1),
                "logistic regression": LogisticChurnClassifier(),
                "the mean": BaseRateClassifier(),
            }
        ),
        "spend": _VALUE,
        "n_purchases": _VALUE,
    }
)
"""What every model has to beat, by target; horizons are set when they are used."""

BASELINE_COLUMNS = ("inactivity", "n_purchases_last_period", "spend_last_period")
"""Columns that baselines read besides the literature's four."""


class Baselines(NamedTuple):
    """What models have to beat where one kind of record tells churn.

    Attributes
    ----------
    by_target : Mapping[str, Mapping[str, estimator]]
        By target, as far as those records tell it, and name.
    columns : tuple of str
        Columns that they read besides the literature's four.
    """

    by_target: Mapping[str, Mapping[str, BaseEstimator]]
    columns: tuple[str, ...]


_OF_CONTRACTS: Mapping[str, BaseEstimator] = MappingProxyType(
    {
        "contract end": ContractEndClassifier(horizon=1),
        "rate by tenure": TenureClassifier(),
        "logistic regression": LogisticChurnClassifier(),
        "the mean": BaseRateClassifier(),
    }
)
BASELINES_TOLD_BY: Mapping[str, Baselines] = MappingProxyType(
    {
        "transactions": Baselines(BASELINES, BASELINE_COLUMNS),
        "contracts": Baselines(
            MappingProxyType({"churned": _OF_CONTRACTS}),
            ("contract_tenure", "contract_days_left_max", "auto_renew_share"),
        ),
    }
)
"""Baselines by the kind of record that tells churn."""


def named_models(
    models: Mapping[str, BaseEstimator] | Sequence[BaseEstimator], *, told_by: str = "transactions"
) -> dict[str, BaseEstimator]:
    """Return models by name; those without one are named after their class.

    Parameters
    ----------
    models : mapping or sequence of estimators
        Those to test.
    told_by : {"transactions", "contracts"}
        The records that tell churn.

    Raises
    ------
    SettingsError
        Where there is none, two of a sequence are of one class (give a mapping then), one is no model, has
        the name of a baseline, or predicts what the records do not tell.

    Examples
    --------
    >>> from habitue.models import BGNBD
    >>> list(named_models([BGNBD()]))
    ['BGNBD']
    """
    named = _as_mapping(models)
    if not named:
        raise SettingsError("There is no model to test: name at least one; baselines are added to it.")
    baselines = BASELINES_TOLD_BY[told_by].by_target
    targets = {name: targets_of(name, model) for name, model in named.items()}
    if strange := [name for name, asked in targets.items() if not baselines.keys() >= set(asked)]:
        raise SettingsError(
            f"{', '.join(strange)} cannot be trained without transactions: what customers spend and how "
            "often they buy is learned from purchases and their amounts, and here only contracts are looked "
            "at. Name a source of transactions, or train models of churn."
        )
    asked = {target for several in targets.values() for target in several}
    if taken := sorted({name for target in asked for name in baselines[target]} & set(named)):
        raise SettingsError(
            f"{', '.join(taken)} is the name of a baseline, which is always tested: choose another name."
        )
    return named


def _as_mapping(
    models: Mapping[str, BaseEstimator] | Sequence[BaseEstimator] | BaseEstimator | str,
) -> dict[str, BaseEstimator]:
    if isinstance(models, Mapping):
        return dict(models)
    if isinstance(models, str | BaseEstimator):
        raise SettingsError(f"Models come as a list, or a mapping from name to model; got {models!r}.")
    named = {type(model).__name__: model for model in models}
    if len(named) < len(models):
        raise SettingsError("Two models are of one class: give them as a mapping from name to model.")
    return named


def targets_of(name: str, model: BaseEstimator) -> tuple[str, ...]:
    """Return the columns of y that a model predicts.

    Parameters
    ----------
    name : str
        How messages call it.
    model : estimator
        Fitted or not.

    Returns
    -------
    tuple of str
        Some of `TARGETS`.

    Raises
    ------
    SettingsError
        Where it is neither a classifier nor a regressor nor a purchase model.
    """
    if isinstance(model, type) or not hasattr(model, "fit"):
        raise SettingsError(f"{name} is {model!r}, not a model: give an estimator, made but not fitted.")
    if is_classifier(model):
        return ("churned",)
    if is_regressor(model):
        return ("spend",)
    if hasattr(model, "expected_purchases") and hasattr(model, "p_no_purchase"):
        return ("n_purchases", "churned")
    raise SettingsError(
        f"{name} ({type(model).__name__}) cannot be tested: it must be a classifier (churn), a regressor "
        "(spend) or a purchase model with expected_purchases and p_no_purchase."
    )


_CAUSES = ("voluntary", "involuntary")
"""Why a contract ends, as its schema knows it."""


def fit_before(
    model: BaseEstimator, target: str, now: Snapshot, past: Snapshot | None, horizon: int
) -> BaseEstimator:
    """Fit a fresh copy of a model with what was known at the cutoff.

    Parameters
    ----------
    model : estimator
        Left as it is.
    target : str
        The column of y that it predicts.
    now : Snapshot
        At the cutoff; only its X is read.
    past : Snapshot, optional
        Earlier snapshots with known outcomes; needed by models that need outcomes.
    horizon : int
        Days; set where the model, or one inside it, has a parameter of that name.

    Raises
    ------
    SettingsError
        Where the model learns from outcomes and there is no past.
    """
    fresh: Any = clone(model)
    horizons = [name for name in fresh.get_params() if name.rpartition("__")[2] == "horizon"]
    fresh.set_params(**dict.fromkeys(horizons, horizon))
    if not needs_outcomes(fresh):
        return fresh.fit(_as_counts(now.X) if _counts(fresh, target) else now.X)
    if past is None:
        raise SettingsError(f"{type(model).__name__} learns from outcomes: earlier snapshots are needed.")
    # A stack has members that learn from no outcomes, and know today's customers.
    today = {"now": now.X} if has_fit_parameter(fresh, "now") else {}
    return fresh.fit(past.X, _learned(past, target, fresh), **today)


def _learned(past: Snapshot, target: str, model: Any) -> npt.NDArray[Any]:
    """Return a column of y; to a model of hazards also why customers left, where contracts say so."""
    y = past.outcomes
    if target != "churned" or "churn_reason" not in y or not hasattr(model, "time_to_churn"):
        return y[target].to_numpy()
    # Reasons may be many, and a cause takes as long to learn as all together: few are told apart.
    told = y["churn_reason"].isin(_CAUSES) | ~y["churned"]
    return y["churn_reason"].where(told, "other").to_numpy()


def needs_outcomes(model: BaseEstimator) -> bool:
    """Tell whether a model learns from known outcomes (scikit-learn's tag), and not from purchases alone.

    Parameters
    ----------
    model : estimator
        Fitted or not; of a pipeline or a search the model inside counts too.

    Examples
    --------
    >>> needs_outcomes(MeanRegressor()), needs_outcomes(ZeroRegressor())
    (True, False)
    """
    if not (is_classifier(model) or is_regressor(model)):
        return False
    inside = _model_inside(model)
    return bool(get_tags(model).target_tags.required) or (inside is not None and needs_outcomes(inside))


def needs_examples(model: BaseEstimator) -> bool:
    """Tell whether a model has to see outcomes of just the horizon that it is asked for.

    Parameters
    ----------
    model : estimator
        Fitted or not.

    Examples
    --------
    >>> from habitue.models import StackedValueRegressor
    >>> needs_examples(MeanRegressor()), needs_examples(StackedValueRegressor())
    (True, False)
    """
    return needs_outcomes(model) and not (isinstance(model, StackedModels) and model.answers_any_horizon())


def _model_inside(model: BaseEstimator) -> BaseEstimator | None:
    """Return what a pipeline ends in or a search wraps: their own tags say that no outcome is needed."""
    inside = model.steps[-1][1] if isinstance(model, Pipeline) else getattr(model, "estimator", None)
    return inside if isinstance(inside, BaseEstimator) else None


def predict_target(model: BaseEstimator, target: str, X: pd.DataFrame, horizon: int) -> FloatArray:
    """Return a fitted model's prediction of one column of y.

    Parameters
    ----------
    model : estimator
        Fitted.
    target : str
        One of `TARGETS`.
    X : DataFrame
        What is known.
    horizon : int
        Days, for models that can be asked for any.

    Returns
    -------
    ndarray of shape (n_customers,)
        P(churned), expected spend or expected purchases.

    Raises
    ------
    DataError
        Where a classifier does not tell two classes apart.
    """
    fitted: Any = model
    learned = model.horizon if isinstance(model, StackedModels) else horizon
    ahead = {} if learned == horizon else {"horizon": horizon}
    if is_classifier(model):
        return _p_churn(fitted, X, ahead)
    if is_regressor(model):
        known = _as_counts(X) if _counts(model, target) else X
        return np.asarray(fitted.predict(known, **ahead), dtype=np.float64)
    answer = fitted.p_no_purchase if target == "churned" else fitted.expected_purchases
    return np.asarray(answer(X, horizon=horizon), dtype=np.float64)


def _p_churn(classifier: Any, X: pd.DataFrame, ahead: Mapping[str, int]) -> FloatArray:
    chances = np.asarray(classifier.predict_proba(X, **ahead), dtype=np.float64)
    if chances.ndim != 2 or chances.shape[1] != 2:
        raise DataError(
            f"{type(classifier).__name__} must give the chances of two classes, stays and churns; it gave "
            f"shape {chances.shape}. Where it learned from one class only, choose another cutoff or horizon."
        )
    return chances[:, 1]


def _counts(model: BaseEstimator, target: str) -> bool:
    return target == "n_purchases" and is_regressor(model)


def _as_counts(X: pd.DataFrame) -> pd.DataFrame:
    """Let value baselines count: each purchase is worth 1."""
    return X.assign(monetary_value=1.0, spend_last_period=X["n_purchases_last_period"])
