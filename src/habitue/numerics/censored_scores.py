"""How good predictions of time are where some customers have not left yet.

Concordance judges the order, the Brier score and log loss at a time judge probabilities. What became of one
who was lost from sight before that time is unknown: he counts for nothing there, and those who resemble him
count for more, by the inverse of their chance of being seen so long. Nothing here learns a model.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray
from habitue.numerics.discrete_hazards import kaplan_meier

__all__ = ["CensoredWeights", "censored_weights", "concordance", "integrated_brier", "weighted_log_loss"]


IntArray = npt.NDArray[np.int64]


class CensoredWeights(NamedTuple):
    """Who left by a time, and how much each customer counts there.

    Attributes
    ----------
    left : ndarray of shape (n_customers, n_times)
        1 for one who had left by then.
    weight : ndarray of shape (n_customers, n_times)
        0 where that is not known, else one over the chance of being under observation so long.
    """

    left: FloatArray
    weight: FloatArray


def concordance(duration: npt.ArrayLike, event: npt.ArrayLike, risk: npt.ArrayLike) -> float:
    """Return how often, of two customers, the one who left first had the higher risk (Harrell's C).

    Parameters
    ----------
    duration : array_like of shape (n_customers,)
        Time under observation.
    event : array_like of bool, shape (n_customers,)
        Whether it ended with leaving.
    risk : array_like of shape (n_customers,)
        Any number that is higher for who leaves sooner.

    Returns
    -------
    float
        In [0, 1]; a tie in risk is half; nan where no two customers can be compared.

    Notes
    -----
    Comparable are two customers where the one with the shorter time left; at equal times, where one left and
    the other stayed. In order of time, each who left is compared with all after him by counting how many of
    them have a lower risk, for all at once: log n passes over whole arrays.

    References
    ----------
    Harrell, F. E., Lee, K. L. and Mark, D. B. (1996). Multivariable prognostic models. Statistics in Medicine
    15, 361-387.

    Examples
    --------
    >>> concordance([1, 2, 3, 4], [True, True, False, True], [4.0, 1.0, 2.0, 1.0])
    0.7
    """
    time, left = np.asarray(duration, dtype=np.float64), np.asarray(event, dtype=np.bool_)
    rank = np.unique(np.asarray(risk, dtype=np.float64), return_inverse=True)[1]
    # At one time those who left come first, as who stayed was there longer, and the lowest risk among them:
    # none of them has another with a lower risk behind him, with whom he could not be compared.
    order = np.lexsort([rank, ~left, time])
    rank, left, time = rank[order], left[order], time[order]
    lower, equal = _later(rank)
    later = np.arange(time.size)[::-1]
    pairs = later[left].sum() - _pairs_alike(time[left])
    ties = equal[left].sum() - _pairs_alike(time[left], rank[left])
    return float((lower[left].sum() + ties / 2.0) / pairs) if pairs else float("nan")


def _later(rank: IntArray) -> tuple[IntArray, IntArray]:
    """Return for each place how many later ones have a lower rank, and how many the same."""
    lower, order = np.zeros_like(rank), np.arange(rank.size)
    # Two ranks differ first in some bit: those alike above it stand together here, in order of time.
    for bit in reversed(range(int(rank.max(initial=0)).bit_length())):
        alike, zero = rank[order] >> (bit + 1), (rank[order] >> bit) & 1 == 0
        passed = np.cumsum(zero)
        last = np.searchsorted(alike, alike, side="right") - 1
        lower[order] += np.where(zero, 0, passed[last] - passed)
        order = order[np.argsort(rank[order] >> bit, kind="stable")]
    equal = np.empty_like(rank)
    equal[order] = np.searchsorted(rank[order], rank[order], side="right") - 1 - np.arange(rank.size)
    return lower, equal


def _pairs_alike(*keys: npt.NDArray[np.float64 | np.int64]) -> int:
    """Return how many pairs share all keys."""
    counts = np.unique(np.column_stack(keys), axis=0, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def censored_weights(duration: npt.ArrayLike, event: npt.ArrayLike, times: npt.ArrayLike) -> CensoredWeights:
    """Return who had left at each time, and how much each counts so that the lost from sight are stood for.

    Parameters
    ----------
    duration : array_like of shape (n_customers,)
        Time under observation.
    event : array_like of bool, shape (n_customers,)
        Whether it ended with leaving.
    times : array_like of shape (n_times,)
        When to look, >= 0; none later than the longest duration.

    Returns
    -------
    CensoredWeights
        One lost from sight at the very time was still there.

    Notes
    -----
    Weights are one over the Kaplan-Meier estimate of being under observation up to the time itself, or up to
    leaving where that came first. They suppose that being lost from sight has nothing to do with leaving.

    References
    ----------
    Graf, E., Schmoor, C., Sauerbrei, W. and Schumacher, M. (1999). Assessment and comparison of prognostic
    classification schemes for survival data. Statistics in Medicine 18, 2529-2545.

    Examples
    --------
    >>> told = censored_weights([1, 2, 3, 3], [False, True, False, True], [1, 3])
    >>> told.left.tolist()
    [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 1.0]]
    >>> told.weight.round(3).tolist()
    [[1.0, 0.0], [1.0, 1.333], [1.0, 1.333], [1.0, 1.333]]
    """
    time, gone = np.asarray(duration, dtype=np.float64)[:, None], np.asarray(event, dtype=np.bool_)[:, None]
    at = np.asarray(times, dtype=np.float64)
    left = gone & (time <= at)
    known = left | (time >= at)
    seen = _chance_of_being_seen(time[:, 0], gone[:, 0], np.minimum(time, at))
    return CensoredWeights(
        left.astype(np.float64), np.divide(1.0, seen, out=np.zeros(seen.shape), where=known)
    )


def _chance_of_being_seen(time: FloatArray, gone: npt.NDArray[np.bool_], until: FloatArray) -> FloatArray:
    """Return the chance of not being lost from sight before `until`."""
    distinct, place = np.unique(time, return_inverse=True)
    n_lost = np.bincount(place, ~gone, distinct.size)
    n_gone = np.bincount(place, gone, distinct.size)
    # Who leaves at a time was in sight then: he isn't among those who may be lost at it.
    n_there = np.cumsum((n_lost + n_gone)[::-1])[::-1] - n_gone
    curve = np.concatenate([[1.0], kaplan_meier(n_lost, n_there).survival])
    return curve[np.searchsorted(distinct, until, side="left")]


def integrated_brier(known: CensoredWeights, p_left: npt.ArrayLike, times: npt.ArrayLike) -> float:
    """Return the mean squared error of the chance of having left, averaged over time.

    Parameters
    ----------
    known : CensoredWeights
        Of `censored_weights`, at the same times.
    p_left : array_like of shape (n_customers, n_times)
        Predicted chance of having left by each time.
    times : array_like of shape (n_times,)
        Ascending, two or more.

    Returns
    -------
    float
        Lower is better.

    Notes
    -----
    At each time the weighted sum of squared errors over the number of customers; in between straight lines.

    References
    ----------
    Graf et al. (1999), section 4.

    Examples
    --------
    >>> known = censored_weights([1, 3, 3], [True, True, False], [1, 2, 3])
    >>> integrated_brier(known, np.full((3, 3), 0.5), [1, 2, 3])
    0.25
    """
    at = np.asarray(times, dtype=np.float64)
    error = np.mean(known.weight * (known.left - np.asarray(p_left, dtype=np.float64)) ** 2, axis=0)
    return float(np.sum((error[1:] + error[:-1]) / 2.0 * np.diff(at)) / (at[-1] - at[0]))


def weighted_log_loss(known: CensoredWeights, p_left: npt.ArrayLike) -> FloatArray:
    """Return the mean log loss of the chance of having left, at each time.

    Parameters
    ----------
    known : CensoredWeights
        Of `censored_weights`.
    p_left : array_like of shape (n_customers, n_times)
        Predicted chance of having left by each time, in (0, 1).

    Returns
    -------
    ndarray of shape (n_times,)
        Lower is better.

    Examples
    --------
    >>> known = censored_weights([1, 3, 3], [True, True, False], [2])
    >>> weighted_log_loss(known, np.full((3, 1), 0.5)).round(4).tolist()
    [0.6931]
    """
    chance = np.asarray(p_left, dtype=np.float64)
    happened = np.where(known.left > 0.0, chance, 1.0 - chance)
    return np.mean(-known.weight * np.log(happened), axis=0)
