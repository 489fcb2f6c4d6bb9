"""From what a user hands in to what learners of effects need: checks, folds, chances, expected outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from habitue.errors import DataError, SettingsError
from habitue.models.feature_table import learn_table, levels_of
from habitue.models.maximum_likelihood import check_setting
from habitue.models.purchase_history import CustomerTable
from habitue.models.uplift.calibration import CALIBRATIONS
from habitue.models.uplift.inputs import (
    Experiment,
    check_overlap,
    deal_folds,
    read_experiment,
    read_propensity,
)
from habitue.models.uplift.learners import LEARNERS
from habitue.models.uplift.material import Material
from habitue.models.uplift.nuisance import OUTCOMES, estimated_chances, kind_of, learn_nuisances

__all__ = ["gather"]

FloatArray = npt.NDArray[np.float64]

_LEAST_SHARE, _LEAST_ROWS = 0.01, 50
"""Of rows in a leaf of an effect's tree, where nothing else is said."""
_LEAST_POSITIVE = 50
"""Customers of an arm who spend, that its spend is learned as such."""
_ALLOWED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"learner": tuple(LEARNERS), "outcome": ("auto", *OUTCOMES), "calibration": CALIBRATIONS}
)


def gather(
    estimator: BaseEstimator,
    X: CustomerTable,
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | str | None = None,
    *,
    groups: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
) -> Material:
    """Read an experiment and learn outcomes: what all learners of effects have in common.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters of `UpliftModel`. Gets ``feature_names_in_``, ``n_features_in_``, ``levels_``,
        ``arms_``, ``n_rows_`` and ``kind_``.
    X : DataFrame of shape (n_customers, n_features)
        As in `UpliftModel.fit`; so are the others.
    y, arm : array_like of shape (n_customers,)
        What came of it, and what was drawn.
    propensity : array_like of shape (n_customers,), "estimate" or None
        The chance of the arm that was drawn.
    groups, strata, sample_weight : array_like of shape (n_customers,), optional
        Whose row it is, within which arms were drawn alike, and how much each row counts.

    Returns
    -------
    Material
        What `UpliftModel.learn` takes.
    """
    params = estimator.get_params(deep=False)
    _check_settings(params)
    frame, matrix = learn_table(X)
    experiment = read_experiment(
        X, y, arm, control=params["control"], groups=groups, sample_weight=sample_weight
    )
    levels = levels_of(frame)
    kind = _seen_kind(experiment) if params["outcome"] == "auto" else params["outcome"]
    _refuse_other_outcomes(kind, experiment.y)
    vars(estimator).update(
        feature_names_in_=np.array(list(frame.columns), dtype=object),
        n_features_in_=matrix.shape[1],
        levels_=levels,
        arms_=experiment.arms[1:],
        n_rows_=dict(zip(experiment.arms, np.bincount(experiment.drawn).tolist(), strict=True)),
        kind_=kind,
    )
    places = [at for at, name in enumerate(frame.columns) if name in levels]
    return _learned(params, places, matrix, experiment, kind, propensity, strata)


def _learned(
    params: dict[str, Any],
    places: list[int],
    matrix: FloatArray,
    experiment: Experiment,
    kind: str,
    propensity: npt.ArrayLike | str | None,
    strata: npt.ArrayLike | None,
) -> Material:
    """Learn chances, where asked, and outcomes."""
    fold = deal_folds(experiment, params["n_folds"], params["random_state"])
    of_outcomes = _settings(params, places, params["outcome_child_samples"])
    of_outcomes["num_leaves"] = params["outcome_leaves"]
    n_trees: int = params["n_estimators"]
    if isinstance(propensity, str):
        _refuse_other_word(propensity)
        chance = estimated_chances(matrix, experiment, fold, settings=of_outcomes, n_estimators=n_trees)
        check_overlap(experiment, chance)
    else:
        chance = read_propensity(experiment, propensity, strata)
    nuisances = learn_nuisances(
        matrix, experiment, fold, kind=kind, settings=of_outcomes, n_estimators=n_trees
    )
    least = params["min_child_samples"] or max(_LEAST_ROWS, round(_LEAST_SHARE * len(matrix)))
    of_effects = _settings(params, places, least)
    leaves = tuple(params["num_leaves"])
    return Material(matrix, experiment, chance, nuisances, kind, of_outcomes, of_effects, n_trees, leaves)


def _settings(params: dict[str, Any], places: list[int], least: int) -> dict[str, Any]:
    """Return LightGBM's parameters that trees for outcomes and for effects have in common."""
    return {
        "learning_rate": params["learning_rate"],
        "min_data_in_leaf": least,
        "lambda_l2": params["reg_lambda"],
        "seed": params["random_state"],
        "num_threads": params["n_jobs"] or 0,
        **({"categorical_column": places} if places else {}),
    }


def _check_settings(params: dict[str, Any]) -> None:
    for name, values in _ALLOWED.items():
        if params[name] not in values:
            raise SettingsError(f"expected {name} to be one of {', '.join(values)}; got {params[name]!r}.")
    for name, least in (("n_folds", 3), ("n_estimators", 1), ("n_replicates", 0)):
        check_setting(name, params[name], at_least=least, whole=True)
    leaves = params["num_leaves"]
    if not isinstance(leaves, tuple | list) or not leaves:
        raise SettingsError(f"expected num_leaves to hold sizes of trees, such as (2, 4); got {leaves!r}.")
    for one in leaves:
        check_setting("num_leaves", one, at_least=2, whole=True)


def _seen_kind(experiment: Experiment) -> str:
    """Return what kind of outcome was seen; spend is learned as such where enough spend."""
    kind = kind_of(experiment.y)
    spent = np.bincount(experiment.drawn, (experiment.y > 0.0) & (experiment.weights > 0.0))
    return "continuous" if kind == "spend" and spent.min() < _LEAST_POSITIVE else kind


def _refuse_other_outcomes(kind: str, y: FloatArray) -> None:
    if kind == "binary" and not np.isin(y, (0.0, 1.0)).all():
        raise DataError(
            "a binary outcome must be 1 or 0 for each customer; y holds other numbers. Choose outcome='auto'."
        )
    if kind == "spend" and y.min() < 0.0:
        raise DataError(
            f"an outcome of the kind 'spend' may not be negative; the least of y is {y.min():g}. Choose "
            "outcome='continuous'."
        )


def _refuse_other_word(propensity: str) -> None:
    if propensity != "estimate":
        raise SettingsError(
            f"expected propensity to hold chances, or to be 'estimate' or None; got {propensity!r}."
        )
