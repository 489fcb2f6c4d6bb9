"""What is learned on the way to effects: the outcome expected under each arm, of rows not learned from.

Effects are learned from pseudo-outcomes that hold these expectations, and are themselves judged on customers
who were not seen. Both at once ask for more than one model without each fold: pseudo-outcomes that a learner
without fold k is trained on must not have seen fold k either. So there is a model without each fold, and
without each two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from habitue.models.boosting import ask
from habitue.models.out_of_time import Fold
from habitue.models.tree_growing import grow
from habitue.models.uplift.inputs import Experiment

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = [
    "OUTCOMES",
    "Nuisances",
    "all_folds",
    "estimated_chances",
    "expectation",
    "kind_of",
    "learn_nuisances",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

OUTCOMES: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary"},
    "spend": {"objective": "tweedie", "tweedie_variance_power": 1.5},
    "continuous": {"objective": "regression"},
}
"""LightGBM's objectives, by kind of outcome."""

_SURE = 1e-3
"""Least chance that is estimated."""


class Nuisances(NamedTuple):
    """Outcomes expected under each arm.

    Attributes
    ----------
    fold : ndarray of int, shape (n,)
        Each row's.
    known : ndarray of shape (n, n_arms)
        By models without the row's fold.
    without : list of ndarray of shape (n, n_arms)
        Of each fold k: by models without fold k and the row's own.
    boosters : list of lightgbm.Booster
        Of each arm, trained on all its rows.
    unit : float
        What a booster's 1 stands for: money's mean, which takes the currency out; else 1.
    """

    fold: IntArray
    known: FloatArray
    without: list[FloatArray]
    boosters: list[Booster]
    unit: float


def kind_of(y: FloatArray) -> str:
    """Return what kind of outcome y is: "binary", "spend" or "continuous".

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes.

    Returns
    -------
    str
        "spend" where none is negative and some are 0: money of those who buy, nothing of the others.

    Examples
    --------
    >>> kind_of(np.array([0.0, 1.0])), kind_of(np.array([0.0, 9.5])), kind_of(np.array([-1.0, 9.5]))
    ('binary', 'spend', 'continuous')
    """
    if np.isin(y, (0.0, 1.0)).all():
        return "binary"
    return "spend" if y.min() == 0.0 else "continuous"


def expectation(kind: str, raw: FloatArray) -> FloatArray:
    """Return the expected outcome for a booster's raw score.

    Parameters
    ----------
    kind : str
        As `kind_of` tells it.
    raw : ndarray
        Raw scores.

    Examples
    --------
    >>> expectation("binary", np.zeros(1)), expectation("spend", np.zeros(1))
    (array([0.5]), array([1.]))
    """
    return {"binary": expit, "spend": np.exp, "continuous": np.asarray}[kind](raw)


def learn_nuisances(
    matrix: FloatArray,
    experiment: Experiment,
    fold: IntArray,
    *,
    kind: str,
    settings: dict[str, Any],
    n_estimators: int,
) -> Nuisances:
    """Learn the outcome expected under each arm, for rows that were not learned from.

    Parameters
    ----------
    matrix : ndarray of shape (n, n_features)
        Features; NaN is missing.
    experiment : Experiment
        Who drew what, and what came of it.
    fold : ndarray of int, shape (n,)
        From 0; at least three.
    kind : str
        A name of `OUTCOMES`.
    settings : dict
        LightGBM's parameters.
    n_estimators : int
        Trees, at most; unseen customers of the arm say how many.
    """
    n, n_arms, n_folds = len(matrix), len(experiment.arms), int(fold.max()) + 1
    known = np.empty((n, n_arms))
    without = [np.empty((n, n_arms)) for _ in range(n_folds)]
    boosters: list[Booster] = []
    unit = float(np.average(experiment.y, weights=experiment.weights)) if kind == "spend" else 1.0
    experiment = experiment._replace(y=experiment.y / unit)
    for arm in range(n_arms):
        rows = (experiment.drawn == arm) & (experiment.weights > 0.0)
        booster, told, pairs = _learn_arm(
            matrix, experiment, rows, fold, settings=settings | OUTCOMES[kind], n_estimators=n_estimators
        )
        boosters.append(booster)
        known[:, arm] = unit * expectation(kind, told)
        for k in range(n_folds):
            without[k][:, arm] = unit * expectation(kind, pairs[k])
    return Nuisances(fold, known, without, boosters, unit)


def _learn_arm(
    matrix: FloatArray,
    experiment: Experiment,
    rows: npt.NDArray[np.bool_],
    fold: IntArray,
    *,
    settings: dict[str, Any],
    n_estimators: int,
) -> tuple[Booster, FloatArray, list[FloatArray]]:
    """Return a booster on an arm's rows, and raw scores of all: without their fold, and without two."""
    n_folds = int(fold.max()) + 1
    y, weights = experiment.y, experiment.weights
    grown = grow(
        matrix,
        y[rows],
        weights,
        settings,
        rows=rows,
        folds=all_folds(fold),
        early_stopping=True,
        n_estimators=n_estimators,
    )
    known = np.empty(len(y))
    known[grown.rows] = grown.judged
    pairs = [known.copy() for _ in range(n_folds)]
    for first in range(n_folds):
        for second in range(first + 1, n_folds):
            chosen = rows & (fold != first) & (fold != second)
            booster = grow(
                matrix, y[chosen], weights, settings, rows=chosen, n_estimators=grown.n_trees
            ).booster
            for k, other in ((first, second), (second, first)):
                asked = fold == other
                pairs[k][asked] = ask(booster, matrix[asked], raw_score=True)
    return grown.booster, known, pairs


def all_folds(fold: IntArray) -> list[Fold]:
    """Return each fold with all the others to learn from.

    Parameters
    ----------
    fold : ndarray of int, shape (n,)
        From 0.

    Examples
    --------
    >>> [(one.train.tolist(), one.judged.tolist()) for one in all_folds(np.array([0, 1, 0]))]
    [([1], [0, 2]), ([0, 2], [1])]
    """
    numbers = range(int(fold.max()) + 1)
    return [Fold(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in numbers]


def estimated_chances(
    matrix: FloatArray,
    experiment: Experiment,
    fold: IntArray,
    *,
    settings: dict[str, Any],
    n_estimators: int,
) -> FloatArray:
    """Return the chance of the drawn arm as others with such features drew it.

    Parameters
    ----------
    matrix : ndarray of shape (n, n_features)
        Features; NaN is missing.
    experiment : Experiment
        Who drew what.
    fold : ndarray of int, shape (n,)
        From 0.
    settings : dict
        LightGBM's parameters.
    n_estimators : int
        Trees, at most.

    Returns
    -------
    ndarray of shape (n,)
        At least 0.001; by models without the row's fold.
    """
    n_arms = len(experiment.arms)
    grown = grow(
        matrix,
        experiment.drawn.astype(np.float64),
        experiment.weights,
        settings | {"objective": "multiclass", "num_class": n_arms},
        folds=all_folds(fold),
        early_stopping=True,
        n_estimators=n_estimators,
    )
    chance = np.empty((len(matrix), n_arms))
    chance[grown.rows] = softmax(grown.judged, axis=1)
    return np.clip(chance[np.arange(len(matrix)), experiment.drawn], _SURE, 1.0 - _SURE)
