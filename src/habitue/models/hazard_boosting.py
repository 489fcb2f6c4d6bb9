"""Trees for hazards: grown on rows that LightGBM reads in batches, and asked for periods ahead.

LightGBM bins each batch and lets go of it, so memory follows its own one byte a value. What trees say comes
back as hazards by customer, period and cause, in blocks of customers, for the formulas of
:mod:`habitue.numerics.discrete_hazards`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.errors import SettingsError
from habitue.models.lightgbm_library import load_lightgbm
from habitue.models.out_of_time import Fold
from habitue.models.outcomes import FloatArray
from habitue.models.person_periods import PersonPeriods, Seen, labels_of, weights_of
from habitue.models.spells import IntArray

if TYPE_CHECKING:
    from lightgbm import Booster, Dataset

__all__ = ["Material", "Point", "build_dataset", "grow", "over_blocks"]

PATIENCE = 50
"""Trees without improvement after which no more are tried."""

_ROWS = 65_536
"""Person-periods that are predicted at once."""

_FIXED = {"verbosity": -1, "deterministic": True, "force_row_wise": True, "feature_pre_filter": False}


class Material(NamedTuple):
    """What trees learn from.

    Attributes
    ----------
    matrix : ndarray of shape (n_customers, n_features)
        Features, row by row in memory; NaN is missing.
    seen : Seen
        Periods of each customer.
    cause : ndarray of int64, shape (n_customers,)
        What happened in the last of them: 0 for nothing, else the number of the cause.
    weights : ndarray of shape (n_customers,) or None
        How much each customer counts.
    """

    matrix: FloatArray
    seen: Seen
    cause: IntArray
    weights: FloatArray | None = None


class Point(NamedTuple):
    """Where customers stand in their time.

    Attributes
    ----------
    gone_by : ndarray of int64, shape (n_customers,)
        Whole periods that have gone by.
    elapsed : ndarray of shape (n_customers,)
        Share of the present one that has, in [0, 1).
    """

    gone_by: IntArray
    elapsed: FloatArray


def grow(
    material: Material, settings: dict[str, Any], *, n_estimators: int, fold: Fold | None = None
) -> tuple[Booster, int]:
    """Train a booster that is the same for the same data, settings and seed.

    Parameters
    ----------
    material : Material
        Customers and their periods.
    settings : dict
        LightGBM's parameters; the objective is set by the number of causes.
    n_estimators : int
        Trees for each class, at most.
    fold : Fold, optional
        Customers to find the number of trees with: a copy learns from some and is judged by others. All are
        learned from then.

    Returns
    -------
    booster : lightgbm.Booster
        The trees.
    n_trees : int
        Rounds of boosting.

    Raises
    ------
    SettingsError
        Where LightGBM refuses a setting; its own words say which.
    """
    lightgbm = load_lightgbm()
    settings = _FIXED | _objective(int(material.cause.max())) | settings
    try:
        n_trees = n_estimators if fold is None else _best_number(material, settings, n_estimators, fold)
        booster = lightgbm.train(settings, build_dataset(material, settings), num_boost_round=n_trees)
    except (lightgbm.basic.LightGBMError, TypeError, ValueError) as error:
        told = ", ".join(f"{name}={value}" for name, value in settings.items() if name not in _FIXED)
        raise SettingsError(
            f"LightGBM cannot train {n_estimators} trees with {told}: {error}. Change that setting."
        ) from error
    return booster, n_trees


def _objective(n_causes: int) -> dict[str, Any]:
    if n_causes <= 1:
        return {"objective": "binary", "metric": "binary_logloss"}
    return {"objective": "multiclass", "num_class": n_causes + 1, "metric": "multi_logloss"}


def _best_number(material: Material, settings: dict[str, Any], n_estimators: int, fold: Fold) -> int:
    lightgbm = load_lightgbm()
    learned = build_dataset(_part(material, fold.train), settings)
    judged = build_dataset(_part(material, fold.judged), settings, reference=learned)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    copy = lightgbm.train(
        settings, learned, num_boost_round=n_estimators, valid_sets=[judged], callbacks=[stop]
    )
    return int(copy.best_iteration)


def _part(material: Material, customers: npt.NDArray[np.int64]) -> Material:
    chosen = np.zeros(len(material.cause), dtype=np.bool_)
    chosen[customers] = True
    return material._replace(seen=material.seen.only(chosen))


def build_dataset(material: Material, settings: dict[str, Any], reference: Dataset | None = None) -> Dataset:
    """Return LightGBM's data set of person-periods, to be built from rows in batches.

    Parameters
    ----------
    material : Material
        Customers and their periods.
    settings : dict
        LightGBM's parameters.
    reference : lightgbm.Dataset, optional
        Whose bins to take.
    """
    lightgbm = load_lightgbm()
    # What `lightgbm.Sequence` asks for is there; deriving from it would load the library with this module.
    lightgbm.Sequence.register(PersonPeriods)
    return lightgbm.Dataset(
        PersonPeriods(material.matrix, material.seen),
        labels_of(material.seen, material.cause),
        weight=weights_of(material.seen, material.cause, material.weights),
        reference=reference,
        params=settings,
    )


def over_blocks(
    booster: Booster,
    matrix: FloatArray,
    point: Point,
    *,
    n_ahead: int,
    n_known: int,
    formula: Callable[[FloatArray, FloatArray], FloatArray],
) -> FloatArray:
    """Return what a formula makes of customers' hazards, from the present period on.

    Parameters
    ----------
    booster : lightgbm.Booster
        Of `grow`.
    matrix : ndarray of shape (n_customers, n_features)
        As in training.
    point : Point
        Where each customer stands.
    n_ahead : int
        Periods from the present one on, at least 1.
    n_known : int
        Periods that trees have seen, at least 1: hazards after the last are that of the last.
    formula : callable
        Of hazards (n_customers, n_periods, n_causes) and `Point.elapsed`; a period that is not among them is
        as the last.

    Returns
    -------
    ndarray of shape (n_customers, ...)
        Blocks' answers, on top of each other.
    """
    reach = min(n_ahead, n_known)
    size = max(1, _ROWS // reach)
    ahead = np.arange(reach)
    blocks: list[FloatArray] = []
    for start in range(0, len(matrix), size):
        block = slice(start, min(start + size, len(matrix)))
        gone_by = np.minimum(point.gone_by[block, np.newaxis] + ahead, n_known - 1)
        rows = np.column_stack([np.repeat(matrix[block], reach, axis=0), gone_by.ravel()])
        told = np.asarray(booster.predict(rows), dtype=np.float64)
        by_cause = told[:, np.newaxis] if told.ndim == 1 else told[:, 1:]
        blocks.append(formula(by_cause.reshape(len(gone_by), reach, -1), point.elapsed[block]))
    return np.concatenate(blocks)
