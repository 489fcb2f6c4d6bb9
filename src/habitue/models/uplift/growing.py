"""Trees for effects: few leaves, and as many trees as serve customers whom copies of them had not seen.

The number of trees may be none: then the effect is the average for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.errors import SettingsError
from habitue.models.lightgbm_library import load_lightgbm

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["EffectTargets", "GrownEffect", "grow_effect", "regrow"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

_FIXED = {
    "objective": "regression",
    "metric": "l2",
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
}


class EffectTargets(NamedTuple):
    """What effects are learned from.

    Attributes
    ----------
    values : ndarray of shape (n,)
        Pseudo-outcomes by nuisances that had not seen the row's fold.
    without : list of ndarray of shape (n,)
        Of each fold k: by nuisances that had not seen that fold either.
    weights : ndarray of shape (n,)
        How much each row counts; those of 0 are not learned from.
    """

    values: FloatArray
    without: list[FloatArray]
    weights: FloatArray


class GrownEffect(NamedTuple):
    """Trees, and what copies of them said of rows that they had not seen.

    Attributes
    ----------
    booster : lightgbm.Booster, optional
        Trained on all rows; None where no tree serves anybody.
    constant : float
        The effect for all where there is no booster; else 0.
    unseen : ndarray of shape (n,)
        Effects by copies that had not seen the row's fold.
    n_trees, num_leaves : int
        How many, and how large, served unseen rows best.
    """

    booster: Booster | None
    constant: float
    unseen: FloatArray
    n_trees: int
    num_leaves: int


def grow_effect(
    matrix: FloatArray,
    targets: EffectTargets,
    fold: IntArray,
    settings: dict[str, Any],
    *,
    n_estimators: int,
    num_leaves: Sequence[int],
) -> GrownEffect:
    """Train trees on pseudo-outcomes; how many and how large, unseen rows say by squared error.

    Parameters
    ----------
    matrix : ndarray of shape (n, n_features)
        Features; NaN is missing.
    targets : EffectTargets
        What to learn. Squared error against doubly robust scores is the DR-loss; against the R-learner's
        targets with their weights it is the R-loss.
    fold : ndarray of int, shape (n,)
        From 0.
    settings : dict
        LightGBM's parameters but for the leaves.
    n_estimators : int
        Trees, at most.
    num_leaves : sequence of int
        Sizes of trees that are tried, at least 2 each; the smaller one where they serve alike.

    Raises
    ------
    SettingsError
        Where LightGBM refuses a setting.
    """
    tried = {
        leaves: _tried(matrix, targets, fold, settings | {"num_leaves": leaves}, n_estimators)
        for leaves in sorted(set(num_leaves))
    }
    n_folds = len(targets.without)
    best, n_trees = _least(tried, np.ones(n_folds, dtype=np.bool_))
    unseen = np.empty(len(matrix))
    for k in range(n_folds):
        # The other folds say how many and how large: else what is told of fold k was picked to fit it.
        leaves, at = _least(tried, np.arange(n_folds) != k)
        asked, one = fold == k, tried[leaves]
        told = one.copies[k].predict(matrix[asked], num_iteration=at) if at else one.constants[k]
        unseen[asked] = np.asarray(told, dtype=np.float64)
    everyone = np.ones(len(matrix), dtype=np.bool_)
    booster, constant = regrow(matrix, targets, everyone, settings | {"num_leaves": best}, n_trees=n_trees)
    return GrownEffect(booster, constant, unseen, n_trees, best)


def regrow(
    matrix: FloatArray, targets: EffectTargets, chosen: BoolArray, settings: dict[str, Any], *, n_trees: int
) -> tuple[Booster | None, float]:
    """Train a given number of trees on some rows.

    Parameters
    ----------
    matrix : ndarray of shape (n, n_features)
        Features.
    targets : EffectTargets
        What to learn.
    chosen : ndarray of bool, shape (n,)
        Rows to learn from.
    settings : dict
        LightGBM's parameters.
    n_trees : int
        0 or more.

    Returns
    -------
    booster : lightgbm.Booster, optional
        None where there is no tree.
    constant : float
        The effect for all where there is none, else 0.
    """
    rows = chosen & (targets.weights > 0.0)
    if n_trees == 0:
        return None, float(np.average(targets.values[rows], weights=targets.weights[rows]))
    return _train(settings, matrix, targets.values, targets.weights, rows, n_trees), 0.0


class _Tried(NamedTuple):
    """Copies of trees of one size: one without each fold, its constant, and its losses from no tree on."""

    losses: FloatArray
    copies: list[Booster]
    constants: list[float]


def _least(tried: Mapping[int, _Tried], folds: BoolArray) -> tuple[int, int]:
    """Return the size and the number of trees that serve some folds best."""
    losses = {leaves: one.losses[folds].sum(axis=0) for leaves, one in tried.items()}
    best = min(losses, key=lambda leaves: float(losses[leaves].min()))
    return best, int(losses[best].argmin())


def _tried(
    matrix: FloatArray, targets: EffectTargets, fold: IntArray, settings: dict[str, Any], n_estimators: int
) -> _Tried:
    """Train a copy without each fold, and judge it after each tree."""
    losses = np.zeros((len(targets.without), n_estimators + 1))
    copies: list[Booster] = []
    constants: list[float] = []
    counted = targets.weights > 0.0
    for k, values in enumerate(targets.without):
        seen, judged = counted & (fold != k), counted & (fold == k)
        weights = targets.weights[judged]
        constants.append(float(np.average(values[seen], weights=targets.weights[seen])))
        path = np.empty(n_estimators + 1)
        path[0] = np.average((targets.values[judged] - constants[-1]) ** 2, weights=weights)
        copy, path[1:] = _judged(settings, matrix, targets, values, seen, judged, n_estimators)
        losses[k] = weights.sum() * path
        copies.append(copy)
    return _Tried(losses, copies, constants)


def _judged(
    settings: dict[str, Any],
    matrix: FloatArray,
    targets: EffectTargets,
    values: FloatArray,
    seen: BoolArray,
    judged: BoolArray,
    n_estimators: int,
) -> tuple[Booster, list[float]]:
    lightgbm = load_lightgbm()
    record: dict[str, dict[str, list[float]]] = {}
    data = lightgbm.Dataset(
        matrix[seen], values[seen], weight=targets.weights[seen], params=_FIXED | settings
    )
    against = data.create_valid(
        matrix[judged], targets.values[judged], weight=targets.weights[judged], params=_FIXED | settings
    )
    try:
        copy = lightgbm.train(
            _FIXED | settings,
            data,
            num_boost_round=n_estimators,
            valid_sets=[against],
            callbacks=[lightgbm.record_evaluation(record)],
        )
    except (lightgbm.basic.LightGBMError, TypeError, ValueError) as error:
        raise _refused(settings, error) from error
    path = record["valid_0"]["l2"]
    # Where nothing can be split any more, training ends early.
    return copy, path + [path[-1]] * (n_estimators - len(path))


def _train(
    settings: dict[str, Any],
    matrix: FloatArray,
    values: FloatArray,
    weights: FloatArray,
    rows: BoolArray,
    n_trees: int,
) -> Booster:
    lightgbm = load_lightgbm()
    data = lightgbm.Dataset(matrix[rows], values[rows], weight=weights[rows], params=_FIXED | settings)
    try:
        return lightgbm.train(_FIXED | settings, data, num_boost_round=n_trees)
    except (lightgbm.basic.LightGBMError, TypeError, ValueError) as error:
        raise _refused(settings, error) from error


def _refused(settings: dict[str, Any], error: Exception) -> SettingsError:
    told = ", ".join(f"{name}={value}" for name, value in settings.items())
    return SettingsError(f"LightGBM cannot train with {told}: {error}. Change that setting.")
