"""Whether probabilities mean what they say: slope, intercept, mean gap and the parts of the Brier score.

All take outcome (n,), prediction (n,) and weights (B, n), and return (B,) values; a weight of two is two
customers. Input is trusted here; ``scores`` checks it. The picture behind the numbers is
``curves.reliability``. Nothing here recalibrates a model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from habitue.evaluation.deciles import cumulative_sums
from habitue.evaluation.ranking import FloatArray

__all__ = [
    "PROBABILITY_FLOOR",
    "BrierParts",
    "brier_decomposition",
    "calibration_intercept",
    "calibration_slope",
    "expected_calibration_error",
    "logistic_recalibration",
]

BoolArray: TypeAlias = npt.NDArray[np.bool_]

PROBABILITY_FLOOR: Final = 1e-6
"""Probabilities are moved into [1e-6, 1 - 1e-6] before their logarithm or logit is taken."""

_N_BINS: Final = 10
_NEWTON_STEPS: Final = 1000  # four to six are usual; hundreds where the classes hardly overlap
_NEWTON_PATIENCE: Final = 15  # steps after which it is worth asking whether there is a maximum at all
# Of the last change in log-odds. Convergence is quadratic: about the square of it is left.
_NEWTON_TOLERANCE: Final = 1e-5


class BrierParts(NamedTuple):
    """The Brier score taken apart: reliability - resolution + uncertainty + within-bin variance - covariance.

    All are arrays of shape (B,), in squared probability.
    """

    reliability: FloatArray
    """Mean squared gap between predicted and observed share of the bins; 0 is calibrated."""
    resolution: FloatArray
    """Variance of the observed shares over bins: how far they depart from the base rate. More is better."""
    uncertainty: FloatArray
    """Variance of the outcome, base rate times its complement: no merit and no fault of the prediction."""
    within_variance: FloatArray
    """Mean variance of the predictions within bins."""
    within_covariance: FloatArray
    """Twice the mean covariance of prediction and outcome within bins: resolution that the bins hide."""

    @property
    def brier(self) -> FloatArray:
        """The Brier score that the parts add up to."""
        within = self.within_variance - self.within_covariance
        return self.reliability - self.resolution + self.uncertainty + within


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
    The slope of ``logistic_recalibration``; nan where there is none.

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
    return logistic_recalibration(outcome, prediction, weights)[:, 1]


def logistic_recalibration(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Return intercept and slope of the line in log-odds that fits the predictions to what happened.

    Parameters
    ----------
    outcome, prediction : array of shape (n,)
        0 or 1, and its predicted probability.
    weights : array of shape (B, n)
        How many customers each stands for.

    Returns
    -------
    array of shape (B, 2)
        Intercept and slope; 0 and 1 are right.

    Notes
    -----
    Of maximum likelihood in logit P(outcome) = intercept + slope * logit(prediction), with predictions
    moved into [1e-6, 1 - 1e-6]. nan where there is none: one class only, a constant prediction, or classes
    that a threshold separates without error (the slope would be infinite). This intercept belongs to its
    slope; whether predictions are too high or too low on the whole is said by ``calibration_intercept``.

    References
    ----------
    Cox (1958), Two further applications of a model for binary regression, Biometrika 45.

    Examples
    --------
    >>> p, outcome = np.array([0.1, 0.1, 0.9, 0.9]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> logistic_recalibration(outcome, p, np.array([[4.0, 1.0, 1.0, 4.0]])).round(4) + 0.0
    array([[0.    , 0.6309]])
    """
    log_odds = _log_odds(prediction)
    centre = log_odds.mean()
    log_odds -= centre  # moves the intercept only, and keeps the Hessian well conditioned
    powers = np.column_stack([np.ones_like(log_odds), log_odds, log_odds**2])
    line = _Line(powers, np.zeros_like(log_odds), outcome)
    fitted = _fit(line, weights, lambda rows: _overlap(log_odds, outcome, rows))
    fitted[:, 0] -= centre * fitted[:, 1]
    return fitted


def calibration_intercept(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
    """Return by how much all predicted log-odds must be raised for as many to leave as did; 0 is right.

    Parameters
    ----------
    outcome, prediction : array of shape (n,)
        0 or 1, and its predicted probability.
    weights : array of shape (B, n)
        How many customers each stands for.

    Returns
    -------
    array of shape (B,)
        Log-odds. Above 0 more left than predicted, below 0 fewer. nan where all left or nobody did.

    Notes
    -----
    Calibration-in-the-large: the a of maximum likelihood in logit P(outcome) = a + logit(prediction), the
    slope held at 1, with predictions moved into [1e-6, 1 - 1e-6]. At a, the mean of the probabilities is the
    share that left. For rare leavers it is about the logarithm of actual over predicted leavers.

    References
    ----------
    Cox (1958), Two further applications of a model for binary regression, Biometrika 45.
    Steyerberg (2009), Clinical Prediction Models, chapter 15, Springer.

    Examples
    --------
    Everybody was given a half; one in five left:

    >>> calibration_intercept(np.r_[1.0, np.zeros(4)], np.full(5, 0.5), np.ones((1, 5))).round(4)
    array([-1.3863])
    """
    log_odds = _log_odds(prediction)
    line = _Line(np.ones((len(log_odds), 1)), log_odds, outcome)
    raised = np.full(len(weights), np.nan)
    both = _both(outcome, weights)
    if both.any():
        raised[both] = _fit(line, weights[both], lambda rows: _both(outcome, rows))[:, 0]
    return raised


def _log_odds(prediction: FloatArray) -> FloatArray:
    return logit(np.clip(prediction, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR))


def expected_calibration_error(
    outcome: FloatArray, prediction: FloatArray, weights: FloatArray, *, n_bins: int = _N_BINS
) -> FloatArray:
    """Return how far predicted and observed shares of leavers differ in bins of equal size, on average.

    Parameters
    ----------
    outcome, prediction : array of shape (n,)
        0 or 1, and its predicted probability.
    weights : array of shape (B, n)
        How many customers each stands for.
    n_bins : int
        Bins of as many customers each, from the lowest predictions to the highest.

    Returns
    -------
    array of shape (B,)
        A share, in [0, 1]; 0 is calibrated.

    Notes
    -----
    ECE = mean over bins of |mean prediction - observed share|, in the bins of ``curves.reliability``: of
    equal mass rather than of equal width, since most bins of equal width are empty where leaving is rare. The
    customer at an edge counts in part, ties at an edge by expectation. With few customers in a bin it is
    above 0 by chance alone, by about 0.8 sqrt(p (1 - p) / n) for n in the bin: compare models on the same
    customers, not data sets.

    References
    ----------
    Naeini, Cooper and Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning,
    Proceedings of AAAI 29.
    Nguyen and O'Connor (2015), Posterior calibration and exploratory analysis for natural language processing
    models, Proceedings of EMNLP (bins of equal mass).

    Examples
    --------
    >>> p, outcome = np.array([0.1, 0.3, 0.7, 0.9]), np.array([0.0, 0.0, 1.0, 0.0])
    >>> expected_calibration_error(outcome, p, np.ones((1, 4)), n_bins=2).round(6)
    array([0.25])
    """
    predicted, observed = _bin_sums(prediction, weights, n_bins, prediction, outcome)
    return np.abs(predicted - observed).sum(axis=1)


def brier_decomposition(
    outcome: FloatArray, prediction: FloatArray, weights: FloatArray, *, n_bins: int = _N_BINS
) -> BrierParts:
    """Take the Brier score apart into what calibration costs, what ranking gains, and what nobody can help.

    Parameters
    ----------
    outcome, prediction : array of shape (n,)
        0 or 1, and its predicted probability.
    weights : array of shape (B, n)
        How many customers each stands for.
    n_bins : int
        Bins of as many customers each, from the lowest predictions to the highest.

    Returns
    -------
    BrierParts
        Its ``brier`` is the Brier score, exactly, whatever the bins.

    Notes
    -----
    Murphy's three parts add up to the Brier score where all predictions of a bin are equal; with the variance
    and the covariance within bins they always do. With a bin's share of customers s, its mean prediction f
    and its mean outcome o, and the base rate b:

    reliability = sum s (f - o)^2, resolution = sum s (o - b)^2, uncertainty = b (1 - b),
    within_variance = sum s var(prediction), within_covariance = 2 sum s cov(prediction, outcome).

    References
    ----------
    Murphy (1973), A new vector partition of the probability score, Journal of Applied Meteorology 12.
    Stephenson, Coelho and Jolliffe (2008), Two extra components in the Brier score decomposition, Weather and
    Forecasting 23.

    Examples
    --------
    >>> p, outcome = np.array([0.1, 0.3, 0.7, 0.9]), np.array([0.0, 0.0, 1.0, 0.0])
    >>> parts = brier_decomposition(outcome, p, np.ones((1, 4)), n_bins=2)
    >>> [round(part.item(), 4) for part in parts], parts.brier.round(4)
    ([0.065, 0.0625, 0.1875, 0.01, -0.05], array([0.25]))
    """
    sums = _bin_sums(prediction, weights, n_bins, prediction, outcome, prediction**2, prediction * outcome)
    share = 1.0 / n_bins
    f, o, f2, fo = (part / share for part in sums)  # means of the bins: (B, n_bins)
    base = o.mean(axis=1, keepdims=True)
    return BrierParts(
        reliability=((f - o) ** 2).mean(axis=1),
        resolution=((o - base) ** 2).mean(axis=1),
        uncertainty=(base * (1.0 - base))[:, 0],
        within_variance=(f2 - f**2).mean(axis=1),
        within_covariance=2.0 * (fo - f * o).mean(axis=1),
    )


def _bin_sums(key: FloatArray, weights: FloatArray, n_bins: int, *values: FloatArray) -> list[FloatArray]:
    """Sum values over bins of as many customers each, per customer of the base: (B, n_bins) each."""
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    total = weights.sum(axis=1, keepdims=True)
    return [np.diff(sums, axis=1) / total for sums in cumulative_sums(key, weights, edges, *values)]


def _overlap(x: FloatArray, outcome: FloatArray, weights: FloatArray) -> BoolArray:
    """Tell for every row of weights whether both classes are there and no threshold on x parts them: (B,).

    With one regressor this is exactly when the likelihood has a maximum (Albert and Anderson 1984, On the
    existence of maximum likelihood estimates in logistic regression models, Biometrika 71).
    """
    lowest_0, highest_0 = _range(x, outcome == 0.0, weights)
    lowest_1, highest_1 = _range(x, outcome == 1.0, weights)
    return (highest_0 > lowest_1) & (highest_1 > lowest_0)


def _range(x: FloatArray, members: BoolArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest x of members with a weight, (B,) each; nan where there is none."""
    if not members.any():
        return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    columns = np.flatnonzero(members)
    columns = columns[np.argsort(x[columns])]
    present = weights[:, columns] > 0.0
    lowest, highest = x[columns][present.argmax(axis=1)], x[columns][::-1][present[:, ::-1].argmax(axis=1)]
    somebody = present.any(axis=1)
    return np.where(somebody, lowest, np.nan), np.where(somebody, highest, np.nan)


def _both(outcome: FloatArray, weights: FloatArray) -> BoolArray:
    """Tell for every row of weights whether both classes are there: (B,)."""
    return (weights @ outcome > 0.0) & (weights @ (1.0 - outcome) > 0.0)


class _Line(NamedTuple):
    """A line in log-odds, offset + columns @ beta, to be fitted to what happened."""

    powers: FloatArray
    """1 where the line has no slope; 1, x and x^2 where it has: what the Hessian is made of. (n, 1 or 3)."""
    offset: FloatArray
    outcome: FloatArray

    @property
    def columns(self) -> FloatArray:
        """1, and x where the line has a slope: (n, k)."""
        return self.powers[:, : (self.powers.shape[1] + 1) // 2]

    @property
    def ends(self) -> FloatArray:
        """Columns where x is least and where it is greatest, (k, 2): nothing moves log-odds by more."""
        return np.stack([self.columns.min(axis=0), self.columns.max(axis=0)], axis=1)


def _fit(line: _Line, weights: FloatArray, has_maximum: Callable[[FloatArray], BoolArray]) -> FloatArray:
    """Maximise the logistic likelihood for all rows of weights at once: (B, k), nan without a maximum."""
    together = weights.sum(axis=0, keepdims=True)
    n_terms = line.columns.shape[1]
    if not has_maximum(together)[0]:
        return np.full((len(weights), n_terms), np.nan)
    # The fit to all rows together is close to each: two or three steps each are left.
    pooled = _ascend(line, together, np.zeros(n_terms), has_maximum)[0]
    return _ascend(line, weights, pooled if np.isfinite(pooled).all() else np.zeros(n_terms), has_maximum)


def _ascend(
    line: _Line, weights: FloatArray, start: FloatArray, has_maximum: Callable[[FloatArray], BoolArray]
) -> FloatArray:
    """Take damped Newton steps from one start for every row of weights: (B, k).

    Along a step that moves no log-odds by more than r, the loss lies below t -> -t + (exp(tr) - tr - 1) / r^2
    in units of the Newton decrement (Bach 2010, Self-concordant analysis for logistic regression, lemma 1,
    Electronic Journal of Statistics 4). A full step thus descends for r <= 1, and a step of log(1 + r) / r
    always does.
    """
    target = weights @ (line.outcome[:, np.newaxis] * line.columns)
    beta = np.tile(start, (len(weights), 1))
    active = np.arange(len(weights))
    for n_steps in range(_NEWTON_STEPS):
        if n_steps == _NEWTON_PATIENCE:
            hopeful = has_maximum(weights[active])
            beta[active[~hopeful]] = np.nan
            active = active[hopeful]
        rows = weights if active.size == len(weights) else weights[active]
        step = _newton_step(line, rows, target[active], beta[active])
        reach = np.abs(step @ line.ends).max(axis=1)
        damping = np.where(reach <= 1.0, 1.0, np.log1p(reach) / np.maximum(reach, 1.0))
        beta[active] += damping[:, np.newaxis] * step
        active = active[reach > _NEWTON_TOLERANCE]  # a nan is done, too
        if active.size == 0:
            break
    beta[active] = np.nan
    return beta


def _newton_step(line: _Line, weights: FloatArray, target: FloatArray, beta: FloatArray) -> FloatArray:
    """Solve the Newton equations of every row, one or two; nan where they are singular."""
    p = beta @ line.columns.T
    p += line.offset
    expit(p, out=p)
    mass = weights * p
    gradient = target - mass @ line.columns
    mass *= np.subtract(1.0, p, out=p)
    curvature = mass @ line.powers
    if len(curvature.T) == 1:
        return gradient / curvature
    h00, h01, h11 = curvature.T
    determinant = h00 * h11 - h01**2
    determinant = np.where(determinant > 1e-12 * h00 * h11, determinant, np.nan)
    g0, g1 = gradient.T
    return np.column_stack([h11 * g0 - h01 * g1, h00 * g1 - h01 * g0]) / determinant[:, np.newaxis]
