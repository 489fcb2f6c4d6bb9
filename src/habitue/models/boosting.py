"""What the boosted models share: the feature matrix, LightGBM's settings, and its exact contributions.

LightGBM's own training interface is used, not its scikit-learn wrappers: those swallow misspelt parameters
and cannot be stored without pickle. A booster knows columns by place; their names are kept by the estimator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import SettingsError
from habitue.models.btyd_features import BTYDFeatures
from habitue.models.feature_table import known_table, learn_table
from habitue.models.lightgbm_library import load_lightgbm
from habitue.models.maximum_likelihood import check_setting
from habitue.models.out_of_time import Fold, out_of_time_folds
from habitue.models.purchase_history import CustomerTable
from habitue.vocabulary import Direction, term_of

if TYPE_CHECKING:
    from lightgbm import Booster, CVBooster, Dataset

__all__ = [
    "FEWEST_JUDGED",
    "UNJUDGED_TREES",
    "Grown",
    "as_reasons",
    "base_parts",
    "contributions",
    "expected_directions",
    "folds_of",
    "grow",
    "known_matrix",
    "learn_matrix",
    "settings_of",
    "with_answers",
]

FloatArray = npt.NDArray[np.float64]

PATIENCE = 50
"""Trees without improvement after which no more are tried."""
UNJUDGED_TREES = 100
"""Trees, at most, where there are too few customers to say how many serve best."""
FEWEST_JUDGED = 60
"""Customers of the rarer outcome who must be judged, that anything is learned from it."""


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
    frame, matrix = learn_table(X)
    names = list(frame.columns)
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
        Where a column seen in fitting is missing; names it and those there.
    DataError
        Where a value is infinite, there is no row, or an array has another number of columns.
    """
    check_is_fitted(estimator, ["booster_", "boosters_"], all_or_any=any)
    names: list[str] = list(vars(estimator)["feature_names_in_"])
    return _with_answers(estimator, *known_table(X, names, asked=type(estimator).__name__))


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


class Grown(NamedTuple):
    """A booster, and what copies of it said of customers that they had not seen.

    Attributes
    ----------
    booster : lightgbm.Booster
        Trained on all rows.
    n_trees : int
        Its rounds of boosting.
    rows, folds : ndarray of shape (n_judged,)
        Row numbers of those who were judged, and by which copy.
    judged : ndarray of shape (n_judged,) or (n_judged, n_outputs)
        Raw scores of these rows; none where nobody was judged.
    """

    booster: Booster
    n_trees: int
    rows: npt.NDArray[np.int64]
    folds: npt.NDArray[np.int64]
    judged: FloatArray


def grow(
    matrix: FloatArray,
    target: FloatArray,
    weights: FloatArray | None,
    settings: dict[str, Any],
    *,
    n_estimators: int,
    rows: npt.NDArray[np.bool_] | None = None,
    folds: Sequence[Fold] = (),
    early_stopping: bool = False,
    feval: Any = None,
) -> Grown:
    """Train a booster that is the same for the same data, settings and seed.

    With folds, a copy is trained for each of them. With early stopping all have as many trees as serves the
    judged rows best on average, and so has the booster itself, or at most `UNJUDGED_TREES` where there are no
    folds to say so; else it has `n_estimators`.

    Parameters
    ----------
    matrix : ndarray of shape (n_customers, n_features)
        Features; NaN is missing.
    target : ndarray of shape (n_customers,)
        What to learn; of the chosen rows alone.
    weights : ndarray of shape (n_customers,), optional
        How much each row counts.
    settings : dict
        LightGBM's parameters.
    n_estimators : int
        Trees, at most.
    rows : ndarray of bool, shape (n_customers,), optional
        Who is learned from and decides on the trees; everybody where None. All of the folds are asked.
    folds : sequence of Fold
        Who learns and who is judged.
    early_stopping : bool
        Whether the folds say how many trees there are.
    feval : callable, optional
        LightGBM's own form of a loss of its own, where the objective has no metric.

    Raises
    ------
    SettingsError
        Where LightGBM refuses a setting; its own words say which.
    """
    lightgbm = load_lightgbm()
    settings = {
        "verbosity": -1,
        "deterministic": True,
        "force_row_wise": True,
        "feature_pre_filter": False,
    } | settings
    chosen = np.ones(len(matrix), dtype=np.bool_) if rows is None else rows
    data = lightgbm.Dataset(
        matrix if rows is None else matrix[rows],
        target,
        weight=None if weights is None else weights[chosen],
        params=settings,
        free_raw_data=True,
    )
    if early_stopping and not folds:
        n_estimators = min(n_estimators, UNJUDGED_TREES)
    stop = [lightgbm.early_stopping(PATIENCE, verbose=False)] if early_stopping else []
    try:
        copies = _copies(data, settings, n_estimators, _among(folds, chosen), feval, stop) if folds else None
        n_trees = int(copies.best_iteration) if copies and early_stopping else n_estimators
        booster = lightgbm.train(settings, data, num_boost_round=n_trees)
    except (lightgbm.basic.LightGBMError, TypeError, ValueError) as error:
        told = ", ".join(f"{name}={value}" for name, value in settings.items())
        raise SettingsError(
            f"LightGBM cannot train {n_estimators} trees with {told}: {error}. Change that setting."
        ) from error
    if copies is None:
        nobody = np.zeros(0, dtype=np.int64)
        return Grown(booster, n_trees, nobody, nobody, np.zeros(0))
    raw = [
        np.asarray(one.predict(matrix[fold.judged], raw_score=True, num_iteration=n_trees), dtype=np.float64)
        for one, fold in zip(copies.boosters, folds, strict=True)
    ]
    place = np.repeat(np.arange(len(folds)), [len(fold.judged) for fold in folds])
    return Grown(
        booster, n_trees, np.concatenate([fold.judged for fold in folds]), place, np.concatenate(raw)
    )


def _among(folds: Sequence[Fold], chosen: npt.NDArray[np.bool_]) -> list[Fold]:
    """Return folds of the chosen rows alone, numbered among these."""
    number = np.cumsum(chosen) - 1
    return [Fold(*(number[rows[chosen[rows]]] for rows in fold)) for fold in folds]


def _copies(
    data: Dataset,
    settings: dict[str, Any],
    n_estimators: int,
    folds: Sequence[Fold],
    feval: Any,
    callbacks: list[Any],
) -> CVBooster:
    """Train a copy for each fold; all of them as long."""
    found = load_lightgbm().cv(
        settings,
        data,
        num_boost_round=n_estimators,
        folds=[(fold.train, fold.judged) for fold in folds],
        feval=feval,
        callbacks=callbacks,
        return_cvbooster=True,
    )
    return found["cvbooster"]


def folds_of(estimator: BaseEstimator, X: CustomerTable, weights: FloatArray | None) -> list[Fold]:
    """Return who is judged by whom, of those that count, where the estimator learns anything from that.

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
    return (
        folds if weights is None else [Fold(*(rows[weights[rows] > 0.0] for rows in fold)) for fold in folds]
    )


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
        1 where a higher value may only raise the prediction, -1 where it may only lower it, else 0.
    """
    expected = [term_of(name).expected for name in _trained_on(estimator)]
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
    values = np.asarray(vars(estimator)["booster_"].predict(matrix, pred_contrib=True))
    return as_reasons(estimator, X, values)


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
