"""How good a prediction with its uncertainty is: intervals that hold what they promise, and are narrow.

The losses come first, one number per customer and never an average, as in ``losses``: input is trusted. The
table of coverage checks its input; it tells where an interval fails, since one that holds for 80 % of all
customers may hold for none of the best tenth. Nothing here makes an interval.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from habitue.errors import DataError, SettingsError
from habitue.evaluation.losses import pinball
from habitue.evaluation.pairs import check_labels, check_numbers, check_pair
from habitue.evaluation.ranking import FloatArray
from habitue.numerics.shares import wilson_interval

__all__ = ["coverage_table", "crps_from_quantiles", "decile_groups", "interval_score", "is_inside"]

_N_DECILES: Final = 10


def is_inside(outcome: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Return 1 for each customer whose outcome lies in the interval, ends included, and 0 for the others.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        What happened.
    lower, upper : ndarray of shape (n,)
        Ends of the intervals.

    Returns
    -------
    ndarray of shape (n,)
        Its mean is the coverage.

    Examples
    --------
    >>> is_inside(np.array([0.0, 5.0, 9.0]), np.zeros(3), np.full(3, 5.0))
    array([1., 1., 0.])
    """
    return ((lower <= outcome) & (outcome <= upper)).astype(np.float64)


def interval_score(
    outcome: FloatArray, lower: FloatArray, upper: FloatArray, *, confidence: float
) -> FloatArray:
    """Return the width of each interval, and what its customer lies outside of it times a penalty.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        What happened.
    lower, upper : ndarray of shape (n,)
        Ends of the intervals, in the unit of the outcome.
    confidence : float
        Share of outcomes that should lie inside, in (0, 1).

    Returns
    -------
    ndarray of shape (n,)
        In the unit of the outcome; less is better, for any width and coverage together.

    Notes
    -----
    With a = 1 - confidence: (upper - lower) + 2/a (lower - outcome)_+ + 2/a (outcome - upper)_+. Its mean is
    least for the quantiles at a/2 and 1 - a/2; it is 2/a times the sum of their ``pinball`` losses.

    References
    ----------
    Winkler (1972), A decision-theoretic approach to interval estimation, JASA 67.
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, JASA 102,
    equation 43.

    Examples
    --------
    >>> interval_score(np.array([5.0, 12.0]), np.zeros(2), np.full(2, 10.0), confidence=0.8).round(6)
    array([10., 30.])
    """
    outside = np.maximum(lower - outcome, 0.0) + np.maximum(outcome - upper, 0.0)
    return (upper - lower) + 2.0 / (1.0 - confidence) * outside


def crps_from_quantiles(outcome: FloatArray, quantiles: FloatArray, levels: npt.ArrayLike) -> FloatArray:
    """Return the continuous ranked probability score of each customer from a grid of predicted quantiles.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        What happened.
    quantiles : ndarray of shape (n, q)
        Predicted quantiles, one column per level, in the unit of the outcome.
    levels : array_like of shape (q,)
        Their levels, rising, in (0, 1).

    Returns
    -------
    ndarray of shape (n,)
        In the unit of the outcome; the absolute error where all quantiles are one number.

    Raises
    ------
    SettingsError
        If levels do not rise within (0, 1), or there is not one per column.

    Notes
    -----
    CRPS = 2 times the integral of the pinball loss over levels. Each level stands for the levels nearer to it
    than to others; at (k - 1/2) / q, k = 1, ..., q, that is twice the mean pinball loss. A coarse grid knows
    the tails as little as its outermost levels do, so compare models on the same grid. Quantiles that cross
    are judged as they are.

    References
    ----------
    Matheson and Winkler (1976), Scoring rules for continuous probability distributions, Management Science
    22.
    Laio and Tamea (2007), Verification tools for probabilistic forecasts of continuous hydrological
    variables, Hydrology and Earth System Sciences 11 (as an integral of pinball losses).

    Examples
    --------
    Four quantiles of a forecast evenly from 0 to 100, and a sure forecast of 50, for a customer who spent 80:

    >>> spread = np.array([[12.5, 37.5, 62.5, 87.5], [50.0, 50.0, 50.0, 50.0]])
    >>> crps_from_quantiles(np.array([80.0, 80.0]), spread, [0.125, 0.375, 0.625, 0.875]).round(4)
    array([18.125, 30.   ])
    """
    at = np.asarray(levels, dtype=np.float64)
    rising = at.ndim == 1 and at.size > 0 and bool((np.diff(at, prepend=0.0, append=1.0) > 0.0).all())
    if not rising or quantiles.shape != (outcome.size, at.size):
        raise SettingsError(
            "levels must rise within (0, 1), one for each column of quantiles and one row per customer; got "
            f"levels {at.tolist()} for quantiles of shape {quantiles.shape} and {outcome.size} outcomes"
        )
    widths = np.diff((at[:-1] + at[1:]) / 2.0, prepend=0.0, append=1.0)
    losses = np.column_stack(
        [pinball(outcome, column, level=level) for column, level in zip(quantiles.T, at, strict=True)]
    )
    return 2.0 * losses @ widths


def coverage_table(
    outcome: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
    *,
    confidence: float,
    groups: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Tell for each group of customers how many of their outcomes the intervals held, and how wide they are.

    Parameters
    ----------
    outcome : array_like of shape (n,)
        What happened.
    lower, upper : array_like of shape (n,)
        Ends of the intervals, finite.
    confidence : float
        Share of outcomes that should lie inside, in (0, 1).
    groups : array_like of shape (n,), optional
        A label for each customer: a segment, or the tenth by prediction (``decile_groups``). All customers
        are one group if not given.

    Returns
    -------
    DataFrame
        One row per group, in order: group, n, share_inside (ends included), its 95 % interval share_lower
        and share_upper (Wilson), share_below and share_above (outcomes outside on either side), mean_width
        and mean_score (``interval_score``), both in the unit of the outcome.

    Raises
    ------
    DataError
        Lengths differ, values are missing or infinite, or an interval ends before it begins.
    SettingsError
        If `confidence` is out of range.

    Notes
    -----
    The interval of the share takes rows as independent: a customer who stands at several cutoffs makes it too
    narrow. In small groups compare it, not the share, with `confidence`.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22.

    Examples
    --------
    >>> spent = [0.0, 0.0, 8.0, 30.0]
    >>> segments = ["new", "new", "heavy", "heavy"]
    >>> table = coverage_table(spent, [0, 0, 5, 5], [5, 5, 20, 20], confidence=0.8, groups=segments)
    >>> table[["group", "n", "share_inside", "share_above", "mean_width", "mean_score"]]
       group  n  share_inside  share_above  mean_width  mean_score
    0  heavy  2           0.5          0.5        15.0        65.0
    1    new  2           1.0          0.0         5.0         5.0
    """
    if not 0.0 < confidence < 1.0:
        raise SettingsError(f"confidence must lie between 0 and 1, e.g. 0.8, got {confidence}")
    actual, below = check_pair(outcome, lower)
    _, above = check_pair(outcome, upper)
    if (below > above).any():
        n_wrong = int((below > above).sum())
        raise DataError(
            f"an interval must not end before it begins, {n_wrong} of {actual.size} do; swap them"
        )
    labels = "all" if groups is None else check_labels(groups, actual.size, "groups")
    rows = pd.DataFrame(
        {
            "share_inside": is_inside(actual, below, above),
            "share_below": actual < below,
            "share_above": actual > above,
            "mean_width": above - below,
            "mean_score": interval_score(actual, below, above, confidence=confidence),
        }
    ).assign(group=labels)
    found = rows.groupby("group", sort=True, observed=True)
    table = pd.DataFrame(found.mean()).assign(n=found.size()).reset_index()
    inside, n = (table[name].to_numpy(dtype=np.float64) for name in ("share_inside", "n"))
    share_lower, share_upper = wilson_interval(inside, n)
    columns = ["group", "n", "share_inside", "share_lower", "share_upper"]
    columns += ["share_below", "share_above", "mean_width", "mean_score"]
    return table.assign(share_lower=share_lower, share_upper=share_upper).reindex(columns=columns)


def decile_groups(prediction: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the tenth that each customer belongs to by its prediction; 1 is the highest predicted.

    Parameters
    ----------
    prediction : array_like of shape (n,)
        What was predicted.

    Returns
    -------
    ndarray of int of shape (n,)
        1 to 10.

    Raises
    ------
    DataError
        No numbers, or missing ones.

    Notes
    -----
    Whole customers: those with one prediction stay together, in the tenth of the middle one of them, so that
    tenths are equal only without ties and may even be empty.

    Examples
    --------
    >>> decile_groups([0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])
    array([9, 9, 9, 9, 6, 5, 4, 3, 2, 1])
    """
    predicted = check_numbers(prediction, "prediction")
    middle = (rankdata(-predicted, method="average") - 0.5) / predicted.size
    return np.minimum(np.floor(_N_DECILES * middle).astype(np.int64), _N_DECILES - 1) + 1
