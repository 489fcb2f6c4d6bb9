"""Predicted effects that mean what they say: by scores of customers who were not seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.models.persistence import persistent
from habitue.numerics.uplift import Estimate
from habitue.numerics.uplift_calibration import EffectSteps, best_line, fit_steps, shrunk_slope, steps

__all__ = ["CALIBRATIONS", "Calibrated", "calibrate_unseen", "learn_calibration", "recentred"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

CALIBRATIONS = ("linear", "isotonic", "none")
"""Ways to make effects mean what they say."""

_TWICE = float(np.sqrt(2.0))
"""By what a slope's error is multiplied, as folds teach each other: see `Calibrated.slope_interval`."""


@persistent
class Calibrated(NamedTuple):
    """What a learner's effects of one arm are worth, and what they are turned into.

    Attributes
    ----------
    method : str
        A name of `CALIBRATIONS`.
    average, average_error : float
        The average effect by doubly robust scores, and its standard error.
    slope, slope_error : float
        What the scores move by where the prediction moves by 1, and its standard error, were folds
        independent.
    kept : float
        Share of a difference between predictions that is kept by "linear", 0 or more.
    centre : float
        The prediction that stands for the average effect.
    starts, values : ndarray of shape (n_steps,)
        Steps of "isotonic".
    """

    method: str
    average: float
    average_error: float
    slope: float
    slope_error: float
    kept: float
    centre: float
    starts: FloatArray
    values: FloatArray

    def apply(self, effect: FloatArray) -> FloatArray:
        """Return calibrated effects.

        Parameters
        ----------
        effect : ndarray of shape (n,)
            As the learner tells them.
        """
        if self.method == "none":
            return effect
        if self.method == "isotonic":
            return steps(EffectSteps(self.starts, self.values), effect)
        return self.average + self.kept * (effect - self.centre)

    def carry(self, values: FloatArray) -> FloatArray:
        """Return contributions to a calibrated effect: what it is from its start is shared in proportion.

        Parameters
        ----------
        values : ndarray of shape (n, n_features + 1)
            Contributions to the effect as the learner tells it; where they start from in the last column.

        Returns
        -------
        ndarray of shape (n, n_features + 1)
            Rows add up to `apply`.
        """
        effect, start = values.sum(axis=1), values[:, -1]
        far, near = self.apply(effect), self.apply(start)
        moved = effect - start
        still = np.abs(moved) <= 1e-12 * np.abs(effect)
        told = values * np.divide(far - near, moved, out=np.zeros(len(values)), where=~still)[:, np.newaxis]
        told[:, -1] = np.where(still, far, near)
        return told

    def slope_interval(self, confidence: float) -> tuple[float, float]:
        """Return the interval of the slope.

        Parameters
        ----------
        confidence : float
            In (0, 1).

        Notes
        -----
        Fold k is judged by a learner that saw fold l, and fold l by one that saw fold k: what chance put into
        both folds alike is counted twice, where errors that take the folds for independent count it once.
        Where effects do not differ, and predictions are linear in the scores as those of least squares are,
        the variance of the slope is twice as large as such errors say; where effects differ it is less. Twice
        is taken always.

        References
        ----------
        .. [1] Wager, S. (2024). Sequential validation of treatment heterogeneity. arXiv:2405.05534: on tests
           that put folds together as if they were independent.
        """
        return Estimate(self.slope, _TWICE * self.slope_error).interval(confidence)

    def errors(self, effect: FloatArray) -> FloatArray:
        r"""Return the standard errors of calibrated effects as means of customers who are predicted alike.

        Parameters
        ----------
        effect : ndarray of shape (n,)
            As the learner tells them.

        Returns
        -------
        ndarray of shape (n,)
            In the unit of the outcome. Where no slope was estimated, those of the average effect.

        Notes
        -----
        Three parts, squared and added: the error of the average effect; that of the slope, times how far the
        prediction is from the centre; and what the calibrated effect was drawn away from the line
        :math:`\bar\tau + b \, (\hat\tau - c)`, which is right on average. So customers at the ends are
        less sure than those in the middle, and stay so where all are told the average effect.
        """
        if not np.isfinite(self.slope_error):
            return np.full(len(effect), self.average_error)
        apart = effect - self.centre
        drawn = self.apply(effect) - (self.average + self.slope * apart)
        return np.sqrt(self.average_error**2 + (_TWICE * self.slope_error * apart) ** 2 + drawn**2)


def learn_calibration(
    method: str,
    unseen: FloatArray,
    scores: FloatArray,
    weights: FloatArray,
    clusters: IntArray | None,
    *,
    final: FloatArray | None = None,
) -> Calibrated:
    """Learn what effects are worth from customers that the learner had not seen.

    Parameters
    ----------
    method : str
        A name of `CALIBRATIONS`.
    unseen : ndarray of shape (n,)
        Effects by copies that had not seen the row.
    scores : ndarray of shape (n,)
        Doubly robust scores.
    weights : ndarray of shape (n,)
        How much each row counts.
    clusters : ndarray of int, shape (n,), optional
        Whose row it is.
    final : ndarray of shape (n,), optional
        Effects by the learner of all rows, whose mean is to become the average effect; `unseen` where None.

    Notes
    -----
    "linear": the best linear predictor, its slope shrunk towards 0 by what is uncertain about it. Where it is
    not above its standard error, all have the average effect.
    """
    line = best_line(unseen, scores, weights=weights, clusters=clusters)
    told = unseen if final is None else final
    found = (
        fit_steps(unseen, scores, weights) if method == "isotonic" else EffectSteps(np.zeros(0), np.zeros(0))
    )
    return Calibrated(
        method,
        line.average.value,
        line.average.standard_error,
        line.slope.value,
        line.slope.standard_error,
        shrunk_slope(line.slope),
        float(np.average(told, weights=weights)),
        found.starts,
        found.values,
    )


def calibrate_unseen(
    method: str,
    unseen: FloatArray,
    scores: FloatArray,
    weights: FloatArray,
    fold: IntArray,
) -> FloatArray:
    """Return effects of unseen rows, calibrated by the other folds alone.

    Parameters
    ----------
    method : str
        A name of `CALIBRATIONS`.
    unseen, scores, weights : ndarray of shape (n,)
        As in `learn_calibration`.
    fold : ndarray of int, shape (n,)
        From 0.

    Returns
    -------
    ndarray of shape (n,)
    """
    told = np.empty(len(unseen))
    for k in range(int(fold.max()) + 1):
        others, asked = fold != k, fold == k
        learned = learn_calibration(method, unseen[others], scores[others], weights[others], None)
        told[asked] = learned.apply(unseen[asked])
    return told


def recentred(unseen: FloatArray, fold: IntArray, weights: FloatArray) -> FloatArray:
    """Return effects of unseen rows with the same mean in every fold.

    A copy without a fold knows the average of the others, which is high where that of the fold is low by
    chance: left in, that would be taken for a ranking that stands on its head.

    Parameters
    ----------
    unseen : ndarray of shape (n,)
        Effects by copies that had not seen the row's fold.
    fold : ndarray of int, shape (n,)
        From 0.
    weights : ndarray of shape (n,)
        How much each row counts.

    Examples
    --------
    >>> recentred(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 1]), np.ones(4))
    array([2., 3., 2., 3.])
    """
    mass = np.bincount(fold, weights)
    means = np.bincount(fold, weights * unseen) / np.where(mass > 0.0, mass, 1.0)
    return unseen + (float(np.average(unseen, weights=weights)) - means)[fold]
