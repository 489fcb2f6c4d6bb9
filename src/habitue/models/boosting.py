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
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from habitue.errors import DataError, SettingsError
from habitue.models.btyd_features import BTYDFeatures
from habitue.models.lightgbm_library import load_lightgbm
from habitue.models.maximum_likelihood import check_setting
from habitue.models.purchase_history import CustomerTable, read_columns

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["contributions", "known_matrix", "learn_matrix", "needed", "settings_of", "train", "with_answers"]

FloatArray = npt.NDArray[np.float64]


def learn_matrix(estimator: BaseEstimator, X: CustomerTable) -> FloatArray:
    """Read X for fitting and remember its columns as ``feature_names_in_`` and ``n_features_in_``.

    Where the estimator wants `BTYDFeatures`, they are fitted as ``btyd_`` and stand after the columns of X.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets the attributes.
    X : DataFrame or array_like of shape (n_customers, n_features)
        Numbers; missing values are allowed, infinite ones are not.

    Raises
    ------
    SchemaError
        Where a column is there twice or is not numeric.
    DataError
        Where a value is infinite or there is no row.
    FitError
        Where the probability models cannot be fitted.
    SettingsError
        Where the horizon is not above 0.
    """
    frame = _named(X)
    names = list(frame.columns)
    if not names:
        raise DataError(
            f"0 feature(s) (shape={frame.shape}) while a minimum of 1 is required: X has no columns."
        )
    matrix = _finite(frame, names)
    vars(estimator).update(feature_names_in_=np.array(names, dtype=object), n_features_in_=len(names))
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
        Fitted, with a ``booster_``.
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
        Where a column seen in fitting is missing; names it and those there.
    DataError
        Where a value is infinite, there is no row, or an array has another number of columns.
    """
    check_is_fitted(estimator, "booster_")
    names: list[str] = list(vars(estimator)["feature_names_in_"])
    frame = _named(X)
    if not isinstance(X, pd.DataFrame):
        if frame.shape[1] != len(names):
            raise DataError(
                f"X has {frame.shape[1]} features, but {type(estimator).__name__} is expecting {len(names)} "
                "features as input."
            )
        frame = frame.set_axis(names, axis=1)
    return _with_answers(estimator, frame, _finite(frame, names))


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
    both = with_answers(estimator, frame)
    return np.column_stack([matrix, both.iloc[:, frame.shape[1] :]]) if both is not frame else matrix


def _trained_on(estimator: BaseEstimator) -> list[str]:
    """Names of the booster's columns."""
    state = vars(estimator)
    names = state["feature_names_in_"]
    return list(state["btyd_"].get_feature_names_out(names) if "btyd_" in state else names)


def needed(estimator: BaseEstimator, y: npt.ArrayLike | None) -> npt.ArrayLike:
    """Return y, or say that it was left out.

    Parameters
    ----------
    estimator : BaseEstimator
        Named in the message.
    y : array_like of shape (n_customers,) or None
        Outcomes.

    Raises
    ------
    DataError
        Where there is none.
    """
    if y is None:
        raise DataError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None: it learns from "
            "outcomes."
        )
    return y


def _named(X: CustomerTable) -> pd.DataFrame:
    """Return X as a frame whose columns have text for names; those of an array are x0, x1 and so on."""
    if isinstance(X, pd.DataFrame):
        return X.set_axis([str(name) for name in X.columns], axis=1)
    try:
        array = check_array(
            X,
            dtype="numeric",
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name="X",
        )
    except (TypeError, ValueError) as error:
        raise DataError(f"X must be a table of numbers, one row a customer: {error}") from error
    return pd.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])


def _finite(frame: pd.DataFrame, names: Sequence[str]) -> FloatArray:
    columns = read_columns(frame, names)
    infinite = np.asarray(np.isinf(columns.values).any(axis=1))
    columns.refuse(
        infinite, "no infinity (missing is fine)", advice="Replace infinite values by missing ones."
    )
    return columns.values


def train(
    matrix: FloatArray,
    target: FloatArray,
    weights: FloatArray | None,
    settings: dict[str, Any],
    *,
    n_estimators: int,
) -> Booster:
    """Train a booster that is the same for the same data, settings and seed.

    Parameters
    ----------
    matrix : ndarray of shape (n_customers, n_features)
        Features; NaN is missing.
    target, weights : ndarray of shape (n_customers,)
        What to learn, and how much each row counts.
    settings : dict
        LightGBM's parameters.
    n_estimators : int
        Trees.

    Raises
    ------
    SettingsError
        Where LightGBM refuses a setting; its own words say which.
    """
    lightgbm = load_lightgbm()
    fixed = {"verbosity": -1, "deterministic": True, "force_row_wise": True, "feature_pre_filter": False}
    data = lightgbm.Dataset(matrix, target, weight=weights, params=fixed, free_raw_data=True)
    try:
        return lightgbm.train(fixed | settings, data, num_boost_round=n_estimators)
    except (lightgbm.basic.LightGBMError, TypeError, ValueError) as error:
        told = ", ".join(f"{name}={value}" for name, value in settings.items())
        raise SettingsError(
            f"LightGBM cannot train {n_estimators} trees with {told}: {error}. Change that setting."
        ) from error


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
    state = vars(estimator)
    values = np.asarray(state["booster_"].predict(matrix, pred_contrib=True))
    index = X.index if isinstance(X, pd.DataFrame) else None
    return pd.DataFrame(values[:, :-1], columns=_trained_on(estimator), index=index)


def settings_of(estimator: BaseEstimator) -> dict[str, Any]:
    """Return LightGBM's parameters that the boosted models have in common.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters of `BoostedChurnClassifier`, in scikit-learn's spelling.

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
    }
