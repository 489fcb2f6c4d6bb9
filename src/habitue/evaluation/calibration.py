"""Whether probabilities mean what they say: the slope, for many weightings of the customers at once.

Input is trusted here; ``scores`` checks it. The picture behind the number is ``curves.reliability``. Nothing
here recalibrates a model.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from habitue.evaluation.ranking import FloatArray

__all__ = ["PROBABILITY_FLOOR", "calibration_slope"]

PROBABILITY_FLOOR: Final = 1e-6
"""Probabilities are moved into [1e-6, 1 - 1e-6] before their logarithm or logit is taken."""

_NEWTON_STEPS: Final = 1000  # four to six are usual; hundreds where the classes hardly overlap
_NEWTON_PATIENCE: Final = 15  # steps after which it is worth asking whether there is a maximum at all
# Of the last change in log-odds. Convergence is quadratic: about the square of it is left.
_NEWTON_TOLERANCE: Final = 1e-5


def calibration_slope(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Return by how much the predicted log-odds must be stretched to fit what happened; 1 is right.

    Parameters
    ----------
    outcome, prediction : array of shape (n,)
        0 or 1, and its predicted probability.
    weights : array of shape (B, n)
        How many customers each stands for.

    Returns
    -------
    array of shape (B,)
        The slopes. Below 1 the predictions are too extreme, above 1 too timid, below 0 the wrong way round.

    Notes
    -----
    The maximum-likelihood slope in logit P(outcome) = intercept + slope * logit(prediction), with predictions
    moved into [1e-6, 1 - 1e-6]. nan where there is none: one class only, a constant prediction, or classes
    that a threshold separates without error (the slope would be infinite).

    References
    ----------
    Cox (1958), Two further applications of a model for binary regression, Biometrika 45.

    Examples
    --------
    >>> p = np.array([0.1, 0.1, 0.9, 0.9])
    >>> calibration_slope(np.array([0.0, 1.0, 0.0, 1.0]), p, np.ones((1, 4))).round(6) + 0.0
    array([0.])
    >>> calibration_slope(np.array([0.0, 1.0, 0.0, 1.0]), p, np.array([[9.0, 1.0, 1.0, 9.0]])).round(6)
    array([1.])
    """
    log_odds = logit(np.clip(prediction, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR))
    together = weights.sum(axis=0, keepdims=True)
    if not _overlap(log_odds, outcome, together)[0]:
        return np.full(len(weights), np.nan)
    log_odds -= log_odds.mean()  # moves the intercept only, and keeps the Hessian well conditioned
    # The fit to all rows together is close to each: two or three steps each are left.
    pooled = _fit_logistic(log_odds, outcome, together, np.zeros(2))[0]
    start = pooled if np.isfinite(pooled).all() else np.zeros(2)
    return _fit_logistic(log_odds, outcome, weights, start)[:, 1]


def _overlap(x: FloatArray, outcome: FloatArray, weights: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell for every row of weights whether both classes are there and no threshold on x parts them: (B,).

    With one regressor this is exactly when the likelihood has a maximum (Albert and Anderson 1984, On the
    existence of maximum likelihood estimates in logistic regression models, Biometrika 71).
    """
    lowest_0, highest_0 = _range(x, outcome == 0.0, weights)
    lowest_1, highest_1 = _range(x, outcome == 1.0, weights)
    return (highest_0 > lowest_1) & (highest_1 > lowest_0)


def _range(
    x: FloatArray, members: npt.NDArray[np.bool_], weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest x of members with a weight, (B,) each; nan where there is none."""
    if not members.any():
        return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    columns = np.flatnonzero(members)
    columns = columns[np.argsort(x[columns])]
    present = weights[:, columns] > 0.0
    lowest, highest = x[columns][present.argmax(axis=1)], x[columns][::-1][present[:, ::-1].argmax(axis=1)]
    somebody = present.any(axis=1)
    return np.where(somebody, lowest, np.nan), np.where(somebody, highest, np.nan)


def _fit_logistic(x: FloatArray, outcome: FloatArray, weights: FloatArray, start: FloatArray) -> FloatArray:
    """Maximise the logistic likelihood for all rows of weights at once: (B, 2), nan without a maximum.

    Along a step that moves no log-odds by more than r, the loss lies below t -> -t + (exp(tr) - tr - 1) / r^2
    in units of the Newton decrement (Bach 2010, Self-concordant analysis for logistic regression, lemma 1,
    Electronic Journal of Statistics 4). A full step thus descends for r <= 1, and a step of log(1 + r) / r
    always does.
    """
    basis = np.column_stack([np.ones_like(x), x, x * x])
    target = weights @ (outcome[:, np.newaxis] * basis[:, :2])
    beta = np.tile(start, (len(weights), 1))
    active = np.arange(len(weights))
    for n_steps in range(_NEWTON_STEPS):
        if n_steps == _NEWTON_PATIENCE:
            overlap = _overlap(x, outcome, weights[active])
            beta[active[~overlap]] = np.nan
            active = active[overlap]
        rows = weights if active.size == len(weights) else weights[active]
        step = _newton_step(basis, rows, target[active], beta[active])
        reach = np.maximum(np.abs(step @ (1.0, x.min())), np.abs(step @ (1.0, x.max())))
        damping = np.where(reach <= 1.0, 1.0, np.log1p(reach) / np.maximum(reach, 1.0))
        beta[active] += damping[:, np.newaxis] * step
        active = active[reach > _NEWTON_TOLERANCE]  # a nan is done, too
        if active.size == 0:
            break
    beta[active] = np.nan
    return beta


def _newton_step(basis: FloatArray, weights: FloatArray, target: FloatArray, beta: FloatArray) -> FloatArray:
    """Solve the two Newton equations of every row; nan where they are singular."""
    p = beta @ basis[:, :2].T
    expit(p, out=p)
    mass = weights * p
    gradient = target - mass @ basis[:, :2]
    mass *= np.subtract(1.0, p, out=p)
    h00, h01, h11 = (mass @ basis).T
    determinant = h00 * h11 - h01**2
    determinant = np.where(determinant > 1e-12 * h00 * h11, determinant, np.nan)
    g0, g1 = gradient.T
    return np.column_stack([h11 * g0 - h01 * g1, h00 * g1 - h01 * g0]) / determinant[:, np.newaxis]
