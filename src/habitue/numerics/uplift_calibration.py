r"""Predicted effects made to mean what they say, against doubly robust scores.

Scores (:func:`habitue.numerics.uplift.effect_scores`) are far noisier than the effects they stand for, but
right on average: wherever predictions of customers whom the learner had not seen are compared with them, a
line or a rising step function through the scores says what a prediction is worth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from habitue.numerics.arrays import FloatArray
from habitue.numerics.uplift import Estimate, clustered_error, mean_of_scores

__all__ = ["EffectLine", "EffectSteps", "best_line", "fit_steps", "shrunk_slope", "steps"]

IntArray = npt.NDArray[np.intp]


class EffectLine(NamedTuple):
    """The best linear predictor of the effect, in the prediction."""

    average: Estimate
    """The average effect."""
    slope: Estimate
    """1 where predictions mean what they say, 0 where they tell nothing of who gains more."""
    centre: float
    """The mean prediction, which stands for the average effect."""


class EffectSteps(NamedTuple):
    """Calibrated effects as steps that rise with the prediction."""

    starts: FloatArray
    """Predictions at which each step begins, ascending; the first holds below as well."""
    values: FloatArray
    """Effects, ascending."""


def best_line(
    effect: FloatArray,
    scores: FloatArray,
    *,
    weights: FloatArray | None = None,
    clusters: IntArray | None = None,
) -> EffectLine:
    r"""Return the line through doubly robust scores that says what predicted effects are worth.

    Parameters
    ----------
    effect : ndarray of shape (n,)
        Predicted by learners that had not seen the row.
    scores : ndarray of shape (n,)
        Doubly robust scores of the same rows.
    weights : ndarray of shape (n,), optional
        How much each row counts.
    clusters : ndarray of int, shape (n,), optional
        Whose row it is, from 0.

    Returns
    -------
    EffectLine
        Where all predictions are the same there is no slope: it is 0, with an infinite standard error.

    Notes
    -----
    Least squares of the score on 1 and the centred prediction; standard errors are robust to unequal
    variances and to clusters. The slope is Cov(tau, prediction) / Var(prediction): an interval that holds 0
    means that no heterogeneity was found.

    References
    ----------
    .. [1] Chernozhukov, V., Demirer, M., Duflo, E. & Fernández-Val, I. (2018). Generic machine learning
       inference on heterogeneous treatment effects in randomized experiments. NBER working paper 24678;
       section 3.1.

    Examples
    --------
    >>> line = best_line(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 1.0, 3.0, 3.0]))
    >>> line.average.value, round(line.slope.value, 2), line.centre
    (2.0, 0.8, 1.5)
    """
    counts = np.ones(len(effect)) if weights is None else weights
    average = mean_of_scores(scores, counts, clusters)
    centre = float(np.average(effect, weights=counts))
    apart = effect - centre
    spread = float(counts @ apart**2)
    if spread <= counts.sum() * (1e-9 * max(abs(centre), 1e-300)) ** 2:
        return EffectLine(average, Estimate(0.0, np.inf), centre)
    slope = float(counts @ (apart * scores)) / spread
    left = scores - average.value - slope * apart
    return EffectLine(
        average, Estimate(slope, clustered_error(counts * apart * left / spread, clusters)), centre
    )


def shrunk_slope(slope: Estimate) -> float:
    r"""Return the slope drawn towards 0, which is the average effect for all, by as much as it is uncertain.

    Parameters
    ----------
    slope : Estimate
        As `best_line` found it.

    Returns
    -------
    float
        0 or more: a ranking that stood on its head is not turned round, but given up.

    Notes
    -----
    The positive-part rule :math:`b \, (1 - s^2 / b^2)_+`, and 0 where b is below 0.

    References
    ----------
    .. [1] Efron, B. & Morris, C. (1973). Stein's estimation rule and its competitors. JASA 68(341), 117-130.

    Examples
    --------
    >>> shrunk_slope(Estimate(1.0, 0.5)), shrunk_slope(Estimate(1.0, 1.5)), shrunk_slope(Estimate(-3.0, 0.1))
    (0.75, 0.0, 0.0)
    """
    value, error = slope
    return value - error**2 / value if value > error else 0.0


def fit_steps(effect: FloatArray, scores: FloatArray, weights: FloatArray | None = None) -> EffectSteps:
    """Fit effects that rise with the prediction, in steps.

    Parameters
    ----------
    effect : ndarray of shape (n,)
        Predicted by learners that had not seen the row.
    scores : ndarray of shape (n,)
        Doubly robust scores of the same rows.
    weights : ndarray of shape (n,), optional
        How much each row counts.

    Returns
    -------
    EffectSteps
        On each step the value is the mean of its scores, so that effects add up on every one.

    References
    ----------
    .. [1] van der Laan, L., Ulloa-Pérez, E., Carone, M. & Luedtke, A. (2023). Causal isotonic calibration for
       heterogeneous treatment effects. ICML, PMLR 202, 34831-34854; algorithm 1.

    Examples
    --------
    >>> fit_steps(np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.0, 3.0]))
    EffectSteps(starts=array([0., 2.]), values=array([0.5, 3. ]))
    """
    counts = np.ones(len(effect)) if weights is None else weights
    there = counts > 0.0
    levels, place = np.unique(effect[there], return_inverse=True)
    mass = np.bincount(place, counts[there])
    means = np.bincount(place, counts[there] * scores[there]) / mass
    fitted = isotonic_regression(means, weights=mass)
    first = fitted.blocks[:-1]
    return EffectSteps(levels[first], fitted.x[first])


def steps(fitted: EffectSteps, effect: FloatArray) -> FloatArray:
    """Return the fitted effect at each prediction.

    Parameters
    ----------
    fitted : EffectSteps
        As `fit_steps` returns them.
    effect : ndarray
        Predictions.

    Examples
    --------
    >>> steps(EffectSteps(np.array([0.0, 2.0]), np.array([0.5, 3.0])), np.array([-1.0, 1.9, 2.0, 9.0]))
    array([0.5, 0.5, 3. , 3. ])
    """
    return fitted.values[np.maximum(np.searchsorted(fitted.starts, effect, side="right") - 1, 0)]
