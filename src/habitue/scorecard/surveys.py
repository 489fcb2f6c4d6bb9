"""What customers answer when they are asked: Net Promoter Score and satisfaction."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import t

from habitue.errors import DataError, SettingsError
from habitue.numerics.arrays import FloatArray
from habitue.numerics.shares import share_difference_interval, wilson_interval
from habitue.scorecard.measures import Measure, check_confidence
from habitue.vocabulary import one_or_many

__all__ = ["csat_mean", "csat_top_two", "nps"]

_PROMOTER, _DETRACTOR = 9, 6
"""From the one on answers count for, up to the other against."""


def nps(scores: npt.ArrayLike, *, confidence: float = 0.95) -> Measure:
    """Return the Net Promoter Score, in points from -100 to 100.

    Parameters
    ----------
    scores : array_like of shape (n_answers,)
        Whole numbers from 0 to 10; NaN for who did not answer.
    confidence : float
        Of the interval, in (0, 1).

    Returns
    -------
    Measure
        The share of promoters (9, 10) minus that of detractors (0 to 6), times 100, with its score interval.

    Raises
    ------
    DataError
        Where an answer is off the scale.
    SettingsError
        Where the confidence is none.

    References
    ----------
    Reichheld (2003), The one number you need to grow, Harvard Business Review 81(12). The interval:
    `habitue.numerics.shares.share_difference_interval`.

    Examples
    --------
    >>> measure = nps([10, 9, 9, 8, 7, 6, 2])
    >>> round(measure.value, 1), round(measure.lower), round(measure.upper), measure.n
    (14.3, -44, 63, 7)
    """
    said = _on_scale(scores, 0, 10, confidence)
    n = len(said)
    definition = (
        "Of 100 who said how likely they would recommend us, promoters (9, 10) less detractors (0 to 6)."
    )
    if not n:
        return Measure("nps", math.nan, math.nan, math.nan, 0, definition)
    n_for, n_against = int((said >= _PROMOTER).sum()), int((said <= _DETRACTOR).sum())
    ends = share_difference_interval(n_for, n_against, n, confidence=confidence)
    lower, upper = (100.0 * float(end) for end in ends)
    return Measure("nps", 100.0 * (n_for - n_against) / n, lower, upper, n, definition)


def csat_top_two(
    scores: npt.ArrayLike, *, scale: tuple[int, int] = (1, 5), confidence: float = 0.95
) -> Measure:
    """Return the share of answers that are one of the two best.

    Parameters
    ----------
    scores : array_like of shape (n_answers,)
        Whole numbers on the scale; NaN for who did not answer.
    scale : tuple of int
        Its ends, at least three answers apart, such as (1, 5) or (1, 7).
    confidence : float
        Of the interval, in (0, 1).

    Returns
    -------
    Measure
        In [0, 1], with Wilson's interval.

    Raises
    ------
    DataError
        Where an answer is off the scale.
    SettingsError
        Where the scale or the confidence is none.

    Examples
    --------
    >>> measure = csat_top_two([5, 4, 4, 3, 1])
    >>> measure.value, round(measure.lower, 2), round(measure.upper, 2)
    (0.6, 0.23, 0.88)
    """
    low, high = scale
    said = _on_scale(scores, low, high, confidence)
    n = len(said)
    definition = f"Share of answers that are {high - 1} or {high} on the scale from {low} to {high}."
    if not n:
        return Measure("csat_top_two", math.nan, math.nan, math.nan, 0, definition)
    share = float((said >= high - 1).mean())
    lower, upper = (float(end[0]) for end in wilson_interval([share], [n], confidence=confidence))
    return Measure("csat_top_two", share, lower, upper, n, definition)


def csat_mean(scores: npt.ArrayLike, *, scale: tuple[int, int] = (1, 5), confidence: float = 0.95) -> Measure:
    """Return the mean answer.

    Parameters
    ----------
    scores : array_like of shape (n_answers,)
        Whole numbers on the scale; NaN for who did not answer.
    scale : tuple of int
        Its ends, at least three answers apart, such as (1, 5) or (1, 7).
    confidence : float
        Of the interval, in (0, 1).

    Returns
    -------
    Measure
        In points of the scale, with Student's interval, cut off at the ends of the scale. One answer has no
        interval, nor have answers that are all the same: how far others would stray is not known from them.

    Raises
    ------
    DataError
        Where an answer is off the scale.
    SettingsError
        Where the scale or the confidence is none.

    Examples
    --------
    >>> measure = csat_mean([5, 4, 4, 3, 1])
    >>> measure.value, round(measure.lower, 2), round(measure.upper, 2)
    (3.4, 1.52, 5.0)
    """
    low, high = scale
    said = _on_scale(scores, low, high, confidence)
    n = len(said)
    definition = f"Mean of the answers on the scale from {low} to {high}."
    value = float(said.mean()) if n else math.nan
    spread = float(said.std(ddof=1)) if n > 1 else 0.0
    if not spread:
        return Measure("csat_mean", value, math.nan, math.nan, n, definition)
    half = float(t.ppf(0.5 + confidence / 2.0, n - 1)) * spread / math.sqrt(n)
    lower, upper = max(value - half, float(low)), min(value + half, float(high))
    return Measure("csat_mean", value, lower, upper, n, definition)


def _on_scale(scores: npt.ArrayLike, low: int, high: int, confidence: float) -> FloatArray:
    """Return the answers that were given, or say which is none."""
    check_confidence(confidence)
    if high - low < 2:
        raise SettingsError(
            f"A scale goes from its worst answer to its best, e.g. (1, 5); got {(low, high)}."
        )
    try:
        given = np.asarray(scores, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise DataError(f"Answers must be numbers from {low} to {high}: {error}.") from error
    said = given[~np.isnan(given)]
    off = said[(said < low) | (said > high) | (said != np.floor(said))]
    if len(off):
        raise DataError(
            f"{one_or_many(len(off), 'answer')} of {len(said):,} {'is' if len(off) == 1 else 'are'} no whole "
            f"number from {low} to {high}, such as {off[0]:g}: name the scale they are on, or leave them out."
        )
    return said
