"""How uncertain an effect is: by errors of the calibration, and learners of half the customers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.models.uplift.calibration import Calibrated
from habitue.models.uplift.effects import ArmEffect
from habitue.models.uplift.learners import Refit
from habitue.models.uplift.material import Material

__all__ = ["EffectBounds", "learn_halves", "standard_errors"]

FloatArray = npt.NDArray[np.float64]

_ASKED = 10_000
"""Rows, at most, whose mean effect is taken."""


class EffectBounds(NamedTuple):
    """Ends of intervals of effects, one column an arm."""

    lower: pd.DataFrame
    upper: pd.DataFrame


def learn_halves(
    refit: Refit, material: Material, *, n_replicates: int, seed: tuple[int, int]
) -> list[ArmEffect]:
    """Return effects learned from random halves of the customers, each with a mean of 0.

    The average effect has an error of its own, and is taken out.

    Parameters
    ----------
    refit : callable
        What learns an effect from some rows.
    material : Material
        Whose rows they are; rows of one customer stay together.
    n_replicates : int
        How many.
    seed : tuple of int
        Of the model and of the arm: halves for one arm have nothing to do with those for another.
    """
    experiment = material.experiment
    n = len(experiment.y)
    clusters = np.arange(n) if experiment.clusters is None else experiment.clusters
    n_clusters = int(clusters.max()) + 1
    chance = np.random.default_rng(list(seed))
    found: list[ArmEffect] = []
    for _ in range(n_replicates):
        inside = np.zeros(n_clusters, dtype=np.bool_)
        inside[chance.permutation(n_clusters)[: n_clusters // 2]] = True
        effect = refit(inside[clusters] & (experiment.weights > 0.0))
        mean = float(effect.predict(material.matrix[:: n // _ASKED + 1]).mean())
        found.append(effect._replace(constant=effect.constant - mean))
    return found


def standard_errors(
    effect: ArmEffect, calibrated: Calibrated, halves: list[ArmEffect], matrix: FloatArray
) -> FloatArray:
    """Return standard errors of predicted effects, as mean effects of customers who are predicted alike.

    Parameters
    ----------
    effect : ArmEffect
        Learned from all.
    calibrated : Calibrated
        What it is worth.
    halves : list of ArmEffect
        As `learn_halves` returns them.
    matrix : ndarray of shape (n, n_features)
        Features; NaN is missing.

    Returns
    -------
    ndarray of shape (n,)
        In the unit of the outcome.

    Notes
    -----
    The square root of two variances: that of calibration (`Calibrated.errors`), and that of the learner, had
    it seen other customers. The variance between halves of n customers is about that between samples of n:
    half as many customers make it twice as large, and that they are drawn from the same n halves it again.
    It counts in full where differences are kept in part or not at all: who was to gain more is then not
    known, not nobody.

    References
    ----------
    .. [1] Wager, S., Hastie, T. & Efron, B. (2014). Confidence intervals for random forests. JMLR 15,
       1625-1651.
    """
    spread = np.array([half.predict(matrix) for half in halves]).var(axis=0, ddof=1)
    return np.sqrt(calibrated.errors(effect.predict(matrix)) ** 2 + spread)
