"""Maps from a predicted probability to one that means what it says, and how they are fitted.

Every map is monotone: it never changes the order of two customers. Every fit keeps away from 0 and 1 by as
much as so few customers demand, so that no single surprise costs an infinite log loss. Input is trusted here.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit

from habitue.numerics.arrays import FloatArray

__all__ = [
    "FLOOR",
    "BetaMap",
    "IsotonicMap",
    "PlattMap",
    "beta",
    "counts_by_score",
    "fit_beta",
    "fit_isotonic",
    "fit_platt",
    "isotonic",
    "log_odds",
    "platt",
]

FLOOR = 1e-6
"""Probabilities are moved into [1e-6, 1 - 1e-6] before their logarithm is taken, and after such a map."""

_STEPS, _SMALLEST_STEP = 50, 1e-4
_TOLERANCE = 1e-6  # of the last change in log-odds; of a Newton step about the square of it is left


class PlattMap(NamedTuple):
    """A line in log-odds: logit(calibrated) = intercept + slope * logit(p), with slope >= 0."""

    slope: float
    intercept: float


class BetaMap(NamedTuple):
    """A bent line in log-odds: logit(calibrated) = a ln p - b ln(1 - p) + c, with a, b >= 0."""

    a: float
    b: float
    c: float


class IsotonicMap(NamedTuple):
    """Knots (p, calibrated), both ascending: straight between them, level outside."""

    knots: FloatArray
    values: FloatArray


def log_odds(probability: FloatArray) -> FloatArray:
    """Return ln(p / (1 - p)), with p moved into [1e-6, 1 - 1e-6].

    Parameters
    ----------
    probability : ndarray
        In [0, 1].

    Examples
    --------
    >>> log_odds(np.array([0.0, 0.5, 0.8])).round(3)
    array([-13.816,   0.   ,   1.386])
    """
    return logit(np.clip(probability, FLOOR, 1.0 - FLOOR))


def platt(fitted: PlattMap, probability: FloatArray) -> FloatArray:
    """Return probabilities whose log-odds are stretched and shifted.

    Parameters
    ----------
    fitted : PlattMap
        Slope and intercept.
    probability : ndarray
        In [0, 1].

    Returns
    -------
    ndarray
        In [1e-6, 1 - 1e-6].

    Examples
    --------
    >>> platt(PlattMap(slope=0.5, intercept=0.0), np.array([0.2, 0.5])).round(3)
    array([0.333, 0.5  ])
    """
    return _inside(expit(fitted.intercept + fitted.slope * log_odds(probability)))


def beta(fitted: BetaMap, probability: FloatArray) -> FloatArray:
    """Return probabilities after a beta map, which may bend the two ends differently.

    Parameters
    ----------
    fitted : BetaMap
        a, b and c.
    probability : ndarray
        In [0, 1].

    Returns
    -------
    ndarray
        In [1e-6, 1 - 1e-6].

    Examples
    --------
    >>> beta(BetaMap(a=1.0, b=1.0, c=0.0), np.array([0.2, 0.5])).round(3)
    array([0.2, 0.5])
    """
    low, high = np.moveaxis(_beta_columns(probability), -1, 0)
    return _inside(expit(fitted.a * low + fitted.b * high + fitted.c))


def fit_platt(probability: FloatArray, outcome: FloatArray, weights: FloatArray) -> PlattMap:
    """Fit the log-odds of what happened as a line in the log-odds predicted.

    Parameters
    ----------
    probability, outcome, weights : ndarray of shape (n,)
        What was predicted, 1 or 0, and how many customers a row stands for.

    Notes
    -----
    Maximum likelihood with Platt's targets, (N1 + 1) / (N1 + 2) for ones and 1 / (N0 + 2) for zeros: a
    maximum exists also where a threshold parts the classes. Slope 0 where it would be below.

    References
    ----------
    .. [1] Platt, J. (1999). Probabilistic outputs for support vector machines and comparisons to regularized
       likelihood methods. Advances in Large Margin Classifiers, 61-74; section 2.2.

    Examples
    --------
    >>> p, y = np.repeat([0.2, 0.8], 1_000), np.repeat([1, 0, 1, 0], [300, 700, 700, 300])
    >>> fitted = fit_platt(p, y, np.ones(2_000))
    >>> platt(fitted, np.array([0.2, 0.8])).round(2)
    array([0.3, 0.7])
    """
    slope, intercept = _fit_increasing(log_odds(probability)[:, np.newaxis], outcome, weights)
    return PlattMap(float(slope), float(intercept))


def fit_beta(probability: FloatArray, outcome: FloatArray, weights: FloatArray) -> BetaMap:
    """Fit the log-odds of what happened in ln p and -ln(1 - p).

    Parameters
    ----------
    probability, outcome, weights : ndarray of shape (n,)
        What was predicted, 1 or 0, and how many customers a row stands for.

    Notes
    -----
    Maximum likelihood under a, b >= 0, with the targets of `fit_platt`. The loss is convex: its minimum is
    the best of those on the faces of the constraints that obey them.

    References
    ----------
    .. [1] Kull, M., Silva Filho, T. & Flach, P. (2017). Beta calibration: a well-founded and easily
       implemented improvement on logistic calibration for binary classifiers. AISTATS, PMLR 54, 623-631;
       equation 3.

    Examples
    --------
    >>> p, y = np.repeat([0.2, 0.8], 1_000), np.repeat([1, 0, 1, 0], [300, 700, 700, 300])
    >>> beta(fit_beta(p, y, np.ones(2_000)), np.array([0.2, 0.8])).round(2)
    array([0.3, 0.7])
    """
    a, b, c = _fit_increasing(_beta_columns(probability), outcome, weights)
    return BetaMap(float(a), float(b), float(c))


def fit_isotonic(probability: FloatArray, outcome: FloatArray, weights: FloatArray) -> IsotonicMap:
    """Fit shares that rise with the prediction, whatever their shape.

    Parameters
    ----------
    probability, outcome, weights : ndarray of shape (n,)
        What was predicted, 1 or 0, and how many customers a row stands for.

    Notes
    -----
    Pool adjacent violators. One more customer of class 1 stands below all, one of class 0 above all: the
    lowest share is 1 / (n + 1) or more where n customers stand at the bottom, the highest likewise, and
    nothing else moves. Within a block the map is level, so that it averages to what happened; in the gap
    between two blocks it is straight, so that no customer of a gap is put with one of its sides.

    References
    ----------
    .. [1] Zadrozny, B. & Elkan, C. (2002). Transforming classifier scores into accurate multiclass
       probability estimates. KDD, 694-699.

    Examples
    --------
    >>> fitted = fit_isotonic(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4))
    >>> isotonic(fitted, np.array([0.0, 0.25, 0.9]))
    array([0.5, 0.5, 0.5])
    """
    knots, mass, ones = counts_by_score(probability, outcome, weights)
    share = np.concatenate([[1.0], ones / mass, [0.0]])
    values = isotonic_regression(share, weights=np.concatenate([[1.0], mass, [1.0]])).x[1:-1]
    ends = np.concatenate([[True], values[1:] != values[:-1], [True]])
    kept = ends[1:] | ends[:-1]
    return IsotonicMap(knots[kept], values[kept])


def isotonic(fitted: IsotonicMap, probability: FloatArray) -> FloatArray:
    """Return the fitted share at each prediction.

    Parameters
    ----------
    fitted : IsotonicMap
        Knots and values.
    probability : ndarray
        In [0, 1].
    """
    return np.interp(probability, fitted.knots, fitted.values)


def counts_by_score(
    score: FloatArray, outcome: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each score once, how many customers have it, and how many of them are ones.

    Parameters
    ----------
    score, outcome, weights : ndarray of shape (n,)
        Any number, 1 or 0, and how many customers a row stands for; rows that stand for none are left out.

    Returns
    -------
    scores, mass, ones : ndarray of shape (k,)
        Scores ascend.

    Examples
    --------
    >>> counts_by_score(np.array([2.0, 1.0, 2.0]), np.array([1.0, 0.0, 0.0]), np.ones(3))
    (array([1., 2.]), array([1., 2.]), array([0., 1.]))
    """
    counted = weights > 0.0
    scores, place = np.unique(score[counted], return_inverse=True)
    mass = np.bincount(place, weights[counted]).astype(np.float64)
    return scores, mass, np.bincount(place, (weights * outcome)[counted]).astype(np.float64)


def _inside(probability: FloatArray) -> FloatArray:
    return np.clip(probability, FLOOR, 1.0 - FLOOR)


def _beta_columns(probability: FloatArray) -> FloatArray:
    inside = _inside(probability)
    return np.stack([np.log(inside), -np.log1p(-inside)], axis=-1)


def _fit_increasing(columns: FloatArray, outcome: FloatArray, weights: FloatArray) -> FloatArray:
    """Fit a logistic regression whose coefficients are not negative; the intercept comes last."""
    n_ones, n_zeros = float(weights @ outcome), float(weights @ (1.0 - outcome))
    target = np.where(outcome > 0.0, (n_ones + 1.0) / (n_ones + 2.0), 1.0 / (n_zeros + 2.0))
    found: list[tuple[float, FloatArray]] = []
    # All coefficients first, none last: where all obey, that is the minimum.
    for free in product([True, False], repeat=columns.shape[1]):
        coefficients, loss = _fit_logistic(columns[:, np.array(free)], target, weights)
        if (coefficients[:-1] >= 0.0).all():
            whole = np.zeros(columns.shape[1] + 1)
            whole[np.append(free, True)] = coefficients
            found.append((loss, whole))
            if all(free):
                break
    return min(found, key=lambda one: one[0])[1]


def _fit_logistic(columns: FloatArray, target: FloatArray, weights: FloatArray) -> tuple[FloatArray, float]:
    """Minimise the weighted log loss by Newton's steps; return coefficients, intercept last, and the loss."""
    middle = np.average(columns, axis=0, weights=weights)
    # Centred, a column that is constant is zero, and gets the coefficient 0.
    basis = np.column_stack([columns - middle, np.ones(len(columns))])
    now = np.zeros(basis.shape[1])
    now[-1] = logit(np.average(target, weights=weights))
    loss = _log_loss(basis @ now, target, weights)
    for _ in range(_STEPS):
        p = expit(basis @ now)
        slope = basis.T @ (weights * (target - p))
        curvature = basis.T @ (basis * (weights * p * (1.0 - p))[:, np.newaxis])
        step = np.linalg.lstsq(curvature, slope)[0]
        raw, moved = basis @ now, basis @ step
        if np.abs(moved).max() < _TOLERANCE:
            now = now + step
            break
        size = _step_size(raw, moved, target, weights, loss)
        now = now + size * step
        loss = _log_loss(raw + size * moved, target, weights)
    return np.append(now[:-1], now[-1] - middle @ now[:-1]), loss


def _step_size(
    raw: FloatArray, moved: FloatArray, target: FloatArray, weights: FloatArray, loss: float
) -> float:
    """Return the first of 1, 1/2, 1/4, ... with which the loss does not rise."""
    size = 1.0
    while size > _SMALLEST_STEP and _log_loss(raw + size * moved, target, weights) > loss:
        size /= 2.0
    return size


def _log_loss(raw: FloatArray, target: FloatArray, weights: FloatArray) -> float:
    return float(weights @ (np.logaddexp(0.0, raw) - target * raw))
