"""Venn-Abers prediction: what the calibrated probability would be with one more customer, of either class.

One of the two is the right one, whatever the data; how far they lie apart says how little is known. Input is
trusted here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from habitue.numerics.arrays import FloatArray
from habitue.numerics.calibration_maps import counts_by_score

__all__ = ["Steps", "bounds", "fit", "merged"]


class Steps(NamedTuple):
    """Two step functions of a score.

    Attributes
    ----------
    scores : ndarray of shape (k,)
        Those seen, ascending, each once.
    lower : ndarray of shape (k + 1,)
        p0 of a score with 0, 1, ..., k of them at or below it.
    upper : ndarray of shape (k + 1,)
        p1 of a score with 0, 1, ..., k of them below it.
    """

    scores: FloatArray
    lower: FloatArray
    upper: FloatArray


def fit(score: FloatArray, outcome: FloatArray, weights: FloatArray) -> Steps:
    """Fit, for every score, the isotonic share there if one more customer were a 0, and if it were a 1.

    Parameters
    ----------
    score, outcome, weights : ndarray of shape (n,)
        Any number that rises with the prediction, 1 or 0, and how many customers a row stands for.

    Notes
    -----
    The new customer counts once. Both functions of all scores come from one pass along the cumulative sums:
    time and memory grow with the number of different scores, after sorting.

    References
    ----------
    .. [1] Vovk, V. & Petej, I. (2014). Venn-Abers predictors. UAI, 829-838.
    .. [2] Vovk, V., Petej, I. & Fedorova, V. (2015). Large-scale probabilistic predictors with and without
       guarantees of validity. NeurIPS 28; algorithms 1 to 4.

    Examples
    --------
    >>> fitted = fit(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0]), np.ones(3))
    >>> [p.round(3).tolist() for p in bounds(fitted, np.array([0.0, 1.0, 3.5]))]
    [[0.0, 0.0, 0.5], [0.333, 0.333, 1.0]]
    """
    scores, mass, ones = counts_by_score(score, outcome, weights)
    upper = np.append(_with_one_more(mass, ones), 1.0)
    # A 0 among zeros and ones from below is a 1 among ones and zeros from above.
    lower = np.append(0.0, 1.0 - _with_one_more(mass[::-1], (mass - ones)[::-1])[::-1])
    return Steps(scores, np.maximum.accumulate(lower), np.maximum.accumulate(upper))


def bounds(fitted: Steps, score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return p0 and p1: the calibrated probability if the customer is a 0, and if a 1.

    Parameters
    ----------
    fitted : Steps
        Step functions.
    score : ndarray
        On the scale of fitting.

    Returns
    -------
    p0, p1 : ndarray
        0 <= p0 < p1 <= 1.
    """
    at_or_below = np.searchsorted(fitted.scores, score, side="right")
    below = np.searchsorted(fitted.scores, score, side="left")
    return fitted.lower[at_or_below], fitted.upper[below]


def merged(p0: FloatArray, p1: FloatArray) -> FloatArray:
    """Return the one probability between two whose log loss is least regretted, p1 / (1 - p0 + p1).

    Parameters
    ----------
    p0, p1 : ndarray
        0 <= p0 < p1 <= 1.

    References
    ----------
    .. [1] Vovk, V. & Petej, I. (2014). Venn-Abers predictors. UAI, 829-838; section 5.

    Examples
    --------
    >>> merged(np.array([0.0]), np.array([0.25]))
    array([0.2])
    """
    return p1 / (1.0 - p0 + p1)


def _with_one_more(mass: FloatArray, ones: FloatArray) -> FloatArray:
    """Return the isotonic share at each score in turn after one more customer of class 1 there.

    The sums are a path of steps (mass, ones); the new customer's step is (1, 1), first before all others. The
    share at a step is the slope there of the path's greatest convex minorant. One by one, the others then
    change places with the new step, which moves one corner of the path at a time.
    """
    path = [(-1.0, -1.0), (0.0, 0.0), *zip(np.cumsum(mass).tolist(), np.cumsum(ones).tolist(), strict=True)]
    hull: list[tuple[float, float]] = []
    for point in path:
        _add_corner(hull, point)
    ahead = hull[::-1]  # corners from the new step on, the nearest last
    shares: list[float] = []
    for place in range(1, len(path) - 1):
        (x0, y0), (x1, y1) = ahead[-1], ahead[-2]
        shares.append((y1 - y0) / (x1 - x0))
        before, here, after = path[place - 1 : place + 2]
        corner = (before[0] + after[0] - here[0], before[1] + after[1] - here[1])
        path[place] = corner
        if _turn(ahead[-1], ahead[-2], corner) >= 0.0:
            continue
        ahead.pop()
        while len(ahead) > 1 and _turn(corner, ahead[-1], ahead[-2]) <= 0.0:
            ahead.pop()
        ahead.append(corner)
    return np.array(shares)


def _add_corner(hull: list[tuple[float, float]], point: tuple[float, float]) -> None:
    """Add a point to the right of a convex path, without the corners that it makes needless."""
    while len(hull) > 1 and _turn(hull[-2], hull[-1], point) <= 0.0:
        hull.pop()
    hull.append(point)


def _turn(one: tuple[float, float], two: tuple[float, float], three: tuple[float, float]) -> float:
    """Tell on which side of the line from one to two the third lies: above 0 is left."""
    return (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0])
