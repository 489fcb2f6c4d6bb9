"""How boosted models grow their trees: as many as serve customers whom copies of them had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.errors import SettingsError
from habitue.models.lightgbm_library import load_lightgbm
from habitue.models.out_of_time import Fold

if TYPE_CHECKING:
    from lightgbm import Booster, CVBooster, Dataset

__all__ = ["FEWEST_JUDGED", "UNJUDGED_TREES", "Grown", "grow"]

FloatArray = npt.NDArray[np.float64]

PATIENCE = 50
"""Trees without improvement after which no more are tried."""
UNJUDGED_TREES = 100
"""Trees, at most, where there are too few customers to say how many serve best."""
FEWEST_JUDGED = 60
"""Customers of the rarer outcome who must be judged, that anything is learned from it."""
_PARTS = 3
"""Groups of those whom a single copy judges: what is learned from some is compared on others."""


class Grown(NamedTuple):
    """A booster, and what copies of it said of customers that they had not seen.

    Attributes
    ----------
    booster : lightgbm.Booster
        Trained on all rows.
    n_trees : int
        Its rounds of boosting.
    rows, folds : ndarray of shape (n_judged,)
        Row numbers of those who were judged, and groups of them: by which copy, where there are several.
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
    judged = np.concatenate([fold.judged for fold in folds])
    several = np.repeat(np.arange(len(folds)), [len(fold.judged) for fold in folds])
    groups = several if len(folds) > 1 else np.arange(len(judged)) % _PARTS
    return Grown(booster, n_trees, judged, groups, np.concatenate(raw))


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
