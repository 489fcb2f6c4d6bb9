"""What the boosted models share: the feature matrix, LightGBM's settings, and its exact contributions.

LightGBM's own training interface is used, not its scikit-learn wrappers: those swallow misspelt parameters
and cannot be stored without pickle. A booster knows columns by place; their names are kept by the estimator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.models.btyd_features import BTYDFeatures
from habitue.models.feature_table import Levels, known_table, learn_table, levels_of
from habitue.models.maximum_likelihood import check_setting
from habitue.models.out_of_time import Fold, out_of_time_folds
from habitue.models.purchase_history import CustomerTable
from habitue.models.tree_contributions import exact_contributions
from habitue.vocabulary import Direction, term_of

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = [
    "PLENTY_JUDGED",
    "as_reasons",
    "ask",
    "base_parts",
    "contributions",
    "expected_directions",
    "folds_of",
    "known_matrix",
    "learn_matrix",
    "settings_of",
    "with_answers",
]

FloatArray = npt.NDArray[np.float64]

PLENTY_JUDGED = 100_000
"""Customers judged by one copy from which on others tell nothing new, and take as long as it did."""


def learn_matrix(estimator: BaseEstimator, X: CustomerTable) -> FloatArray:
    """Read X for fitting and remember its columns: ``feature_names_in_``, ``n_features_in_``, ``levels_``.

    Where the estimator wants `BTYDFeatures`, they are fitted as ``btyd_`` and stand after the columns of X.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets the attributes.
    X : DataFrame or array_like of shape (n_customers, n_features)
        Numbers and categories; missing values are allowed, infinite ones are not.

    Raises
    ------
    SchemaError
        Where a column is there twice or holds neither numbers nor categories.
    DataError
        Where a value is infinite or there is no row.
    FitError
        Where the probability models cannot be fitted.
    SettingsError
        Where the horizon is not above 0.
    """
    frame, matrix = learn_table(X)
    names = list(frame.columns)
    vars(estimator).update(
        feature_names_in_=np.array(names, dtype=object), n_features_in_=len(names), levels_=levels_of(frame)
    )
    params = estimator.get_params(deep=False)
    check_setting("horizon", params["horizon"], above=0)
    if params["btyd_features"]:
        vars(estimator)["btyd_"] = BTYDFeatures(horizon=params["horizon"]).fit(frame)
    return _with_answers(estimator, frame, matrix)


def known_matrix(estimator: BaseEstimator, X: CustomerTable) -> FloatArray:
    """Read X for predicting: the columns seen in fitting, by name, in whatever order they come.

    Parameters
    ----------
    estimator : BaseEstimator
        Fitted, with a ``booster_`` or ``boosters_``.
    X : DataFrame or array_like of shape (n_customers, n_features)
        A frame with at least the columns of fitting, or an array of exactly these, in their order.

    Returns
    -------
    ndarray of shape (n_customers, n_trained)
        In the order of fitting, answers of probability models last; NaN is missing.

    Raises
    ------
    NotFittedError
        Before fit.
    SchemaError
        Where a column seen in fitting is missing, or holds something else; names it.
    DataError
        Where a value is infinite, or an array has another number of columns.

    Warns
    -----
    HabitueWarning
        Where categories come that were not there in fitting: they count as missing.
    """
    check_is_fitted(estimator, ["booster_", "boosters_"], all_or_any=any)
    state = vars(estimator)
    names: list[str] = list(state["feature_names_in_"])
    # A model stored by an earlier version knows no categories.
    levels = state.get("levels_", {})
    return _with_answers(estimator, *known_table(X, names, asked=type(estimator).__name__, levels=levels))


def with_answers(estimator: BaseEstimator, X: pd.DataFrame) -> pd.DataFrame:
    """Return X with the answers of probability models that the booster reads beside it.

    Parameters
    ----------
    estimator : BaseEstimator
        Fitted.
    X : DataFrame of shape (n_customers, n_features)
        With at least the columns of fitting.
    """
    btyd: BTYDFeatures | None = vars(estimator).get("btyd_")
    return X if btyd is None else btyd.transform(X)


def _with_answers(estimator: BaseEstimator, frame: pd.DataFrame, matrix: FloatArray) -> FloatArray:
    both = with_answers(estimator, frame) if len(frame) else frame
    return np.column_stack([matrix, both.iloc[:, frame.shape[1] :]]) if both is not frame else matrix


def _trained_on(estimator: BaseEstimator) -> list[str]:
    """Names of the booster's columns."""
    state = vars(estimator)
    names = state["feature_names_in_"]
    return list(state["btyd_"].get_feature_names_out(names) if "btyd_" in state else names)


def folds_of(estimator: BaseEstimator, X: CustomerTable, weights: FloatArray | None) -> list[Fold]:
    """Return who is judged by whom, of those that count, where the estimator learns anything from that.

    One fold is enough where it alone has `PLENTY_JUDGED` customers: a copy less is trained for each other.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters `early_stopping` and `horizon`, and perhaps `calibration`.
    X : DataFrame or array_like of shape (n_customers, n_features)
        Its index says who is who, and when; the rows of an array are customers.
    weights : ndarray of shape (n_customers,), optional
        Rows of weight 0 are in no fold.
    """
    params = estimator.get_params(deep=False)
    if not params["early_stopping"] and params.get("calibration", "none") == "none":
        return []
    index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(np.asarray(X)))
    folds = out_of_time_folds(index, horizon=params["horizon"])
    if weights is not None:
        folds = [Fold(*(rows[weights[rows] > 0.0] for rows in fold)) for fold in folds]
    return folds[:1] if folds and len(folds[0].judged) >= PLENTY_JUDGED else folds


def expected_directions(estimator: BaseEstimator, *, more_is: Direction) -> list[int]:
    """Return for each of the booster's columns which way alone it may act, as the vocabulary expects.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose columns are known.
    more_is : Direction
        What a higher prediction says of a customer.

    Returns
    -------
    list of int
        1 where a higher value may only raise the prediction, -1 where it may only lower it, else 0, as of
        categories.
    """
    levels: Levels = vars(estimator)["levels_"]
    names = _trained_on(estimator)
    expected = [Direction.UNKNOWN if name in levels else term_of(name).expected for name in names]
    return [0 if one is Direction.UNKNOWN else 1 if one is more_is else -1 for one in expected]


def contributions(estimator: BaseEstimator, X: CustomerTable) -> pd.DataFrame:
    """Return each feature's exact SHAP value on the booster's own scale.

    Parameters
    ----------
    estimator : BaseEstimator
        Fitted, with a ``booster_``.
    X : DataFrame of shape (n_customers, n_features)
        With at least the columns of fitting, in any order.

    Returns
    -------
    DataFrame of shape (n_customers, n_trained)
        Log-odds for a classifier, log of money for a value model; with the base value they add up to the
        prediction.

    References
    ----------
    .. [1] Lundberg, S. M. et al. (2020). From local explanations to global understanding with explainable
       AI for trees. Nature Machine Intelligence 2, 56-67.
    """
    matrix = known_matrix(estimator, X)
    return as_reasons(estimator, X, ask(vars(estimator)["booster_"], matrix, pred_contrib=True))


def as_reasons(estimator: BaseEstimator, X: CustomerTable, values: FloatArray) -> pd.DataFrame:
    """Name contributions by the columns they belong to, without the base value in the last place.

    Parameters
    ----------
    estimator : BaseEstimator
        Fitted.
    X : DataFrame or array_like of shape (n_customers, n_features)
        Whose customers they are.
    values : ndarray of shape (n_customers, n_trained + 1)
        As LightGBM returns them.
    """
    index = X.index if isinstance(X, pd.DataFrame) else None
    return pd.DataFrame(values[:, :-1], columns=_trained_on(estimator), index=index)


def ask(booster: Booster, matrix: FloatArray, *, raw_score: bool = False, pred_contrib: bool = False) -> Any:
    """Return what a booster says of customers, also where there are none, which LightGBM refuses.

    Parameters
    ----------
    booster : lightgbm.Booster
        Trained.
    matrix : ndarray of shape (n_customers, n_trained)
        Features; NaN is missing.
    raw_score, pred_contrib : bool
        As LightGBM has them: scores before they are made predictions, contributions to these.

    Returns
    -------
    ndarray of shape (n_customers, ...)
    """
    if pred_contrib and len(matrix):
        return exact_contributions(booster, matrix)
    asked = matrix if len(matrix) else np.zeros((1, booster.num_feature()))
    told = booster.predict(asked, raw_score=raw_score, pred_contrib=pred_contrib)
    return np.asarray(told, dtype=np.float64)[: len(matrix)]


def base_parts(estimator: BaseEstimator, booster: Booster) -> FloatArray:
    """Return contributions to one row of a booster; what they start from is in the last column.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose columns the booster has.
    booster : lightgbm.Booster
        Trained.

    Returns
    -------
    ndarray of shape (1, n_outputs * (n_trained + 1))
    """
    nobody = np.zeros((1, len(_trained_on(estimator))))
    return np.asarray(booster.predict(nobody, pred_contrib=True), dtype=np.float64)


def settings_of(estimator: BaseEstimator, trained_on: Sequence[str] | None = None) -> dict[str, Any]:
    """Return LightGBM's parameters that the boosted models have in common.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters of `BoostedChurnClassifier`, in scikit-learn's spelling; its columns are known.
    trained_on : sequence of str, optional
        Names of the booster's columns, where they are not the estimator's and answers of probability models.

    Returns
    -------
    dict
        The same in LightGBM's spelling; an `n_jobs` of None is 0, which is all cores.
    """
    params = estimator.get_params(deep=False)
    return {
        "learning_rate": params["learning_rate"],
        "num_leaves": params["num_leaves"],
        "max_depth": params["max_depth"],
        "min_data_in_leaf": params["min_child_samples"],
        "lambda_l2": params["reg_lambda"],
        "feature_fraction": params["colsample_bytree"],
        "seed": params["random_state"],
        "num_threads": params["n_jobs"] or 0,
        **_categories(vars(estimator)["levels_"], trained_on or _trained_on(estimator)),
    }


def _categories(levels: Levels, names: Sequence[str]) -> dict[str, list[int]]:
    """Say which of the booster's columns are categories, in the spelling that LightGBM takes as a setting."""
    places = [at for at, name in enumerate(names) if name in levels]
    return {"categorical_column": places} if places else {}
