"""Answers weighted so that who answered looks like the customers who were meant.

Who answers differs from who does not: in segment, in how often and how lately they buy. Where these also go
with what they would say, the plain score is that of the talkative. Weights mend what such attributes tell,
and nothing else: a customer who is silent because of what he would say stays unheard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t

from habitue.numerics.arrays import FloatArray, Rows
from habitue.numerics.raking import Weighted, rake, weighted_mean
from habitue.numerics.shares import share_difference_interval, wilson_interval
from habitue.scorecard.estimates import Estimate

__all__ = ["Respondents", "reweighted_mean", "reweighted_nps", "reweighted_top", "weigh"]

_FEWEST = 5
"""Answers that a category needs to speak for its silent customers."""


class Respondents(NamedTuple):
    """Who answered, and how much each answer counts.

    Attributes
    ----------
    said : ndarray of shape (n_respondents,)
        Their answers.
    weights : ndarray of shape (n_respondents,)
        Mean 1.
    margins : list of int arrays of shape (n_respondents,)
        Categories that the weights were fitted to.
    note : str
        How they differ from the base.
    """

    said: FloatArray
    weights: FloatArray
    margins: list[Rows]
    note: str


def weigh(base: pd.DataFrame, answer: str, columns: Sequence[str]) -> Respondents:
    """Return the answers with weights that give the base's shares in all columns.

    Parameters
    ----------
    base : DataFrame
        One row a customer of the base.
    answer : str
        Column of answers, missing where there is none; at least one is there.
    columns : sequence of str
        What the weights are to make alike.

    Returns
    -------
    Respondents

    Notes
    -----
    The base is cut by all columns at once (post-stratification) where each cell has at least 5 answers. Else
    the columns are met one by one (raking), with categories of fewer than 5 answers put together. Where even
    these cannot all be met, the first column decides.
    """
    said = base[answer].to_numpy(dtype=np.float64)
    is_there = ~np.isnan(said)
    cells = base.groupby(list(columns), observed=True, sort=True).ngroup().to_numpy()
    if np.bincount(cells[is_there], minlength=int(cells.max()) + 1).min() >= _FEWEST:
        codes = [cells]
    else:
        codes = [_together(base[name].astype("category").cat.codes.to_numpy(), is_there) for name in columns]
    margins = [code[is_there] for code in codes]
    shares = [np.bincount(code) / len(code) for code in codes]
    weights = rake(margins, shares)
    if weights is None:
        margins, shares = margins[:1], shares[:1]
        weights = rake(margins, shares)
    weights = np.ones(int(is_there.sum())) if weights is None else weights
    return Respondents(said[is_there], weights, margins, _difference(base, is_there, columns))


def _together(codes: Rows, is_there: npt.NDArray[np.bool_]) -> Rows:
    """Return new numbers of categories, with those of too few answers put together."""
    _, codes = np.unique(codes, return_inverse=True)
    answered = np.bincount(codes[is_there], minlength=int(codes.max()) + 1)
    rising = np.argsort(answered, kind="stable")
    n_pooled = int((answered < _FEWEST).sum())
    while 0 < n_pooled < len(rising) and answered[rising[:n_pooled]].sum() < _FEWEST:
        n_pooled += 1
    if n_pooled == 0:
        return codes
    place = np.empty(len(rising), dtype=np.intp)
    place[rising[:n_pooled]] = 0
    place[rising[n_pooled:]] = np.arange(1, len(rising) - n_pooled + 1)
    return place[codes]


def _difference(base: pd.DataFrame, is_there: npt.NDArray[np.bool_], columns: Sequence[str]) -> str:
    """Say in which category the share of the answers is farthest from that of the base."""
    widest, told = 0.01, "who answered is like the base"
    for name in columns:
        codes, groups = pd.factorize(base[name].astype(str), sort=True)
        in_base = np.bincount(codes, minlength=len(groups)) / len(codes)
        share = np.bincount(codes[is_there], minlength=len(groups)) / is_there.sum()
        at = int(np.argmax(np.abs(share - in_base)))
        if abs(share[at] - in_base[at]) > widest:
            widest = float(abs(share[at] - in_base[at]))
            shares = f"{share[at]:.0%} of the answers and are {in_base[at]:.0%} of the base"
            told = f"customers with {_said(name, str(groups[at]))} give {shares}"
    return told


def _said(name: str, group: str) -> str:
    """Name a group: that of the scorecard's own band in words, another by its attribute."""
    if name != "band":
        return f"{name} {group}"
    half = {"lately": "the last one late in the period", "earlier": "the last one early in the period"}
    often, _, when = group.partition(", ")
    return f"{often}, {half[when]}," if when in half else group


def reweighted_nps(
    answer: str, columns: Sequence[str], *, confidence: float
) -> Callable[[pd.DataFrame], Estimate]:
    """Return what tells the reweighted Net Promoter Score.

    Parameters
    ----------
    answer : str
        Column of answers from 0 to 10.
    columns : sequence of str
        As for `weigh`.
    confidence : float
        In (0, 1).

    Notes
    -----
    The interval is Tango's for as many answers as the weighted ones are worth (`weighted_mean`).
    """

    def estimate(base: pd.DataFrame) -> Estimate:
        who = weigh(base, answer, columns)
        side = np.where(who.said >= 9, 1.0, np.where(who.said <= 6, -1.0, 0.0))
        told = weighted_mean(side, who.weights, who.margins)
        size = told.n_effective
        plus, minus = (size * float(who.weights @ (side == one)) / who.weights.sum() for one in (1, -1))
        ends = share_difference_interval(plus, minus, size, confidence=confidence)
        lower, upper = (100.0 * float(end) for end in ends)
        return Estimate(100.0 * told.value, lower, upper, len(who.said), _note(told, who))

    return estimate


def reweighted_mean(
    answer: str, columns: Sequence[str], scale: tuple[int, int], *, confidence: float
) -> Callable[[pd.DataFrame], Estimate]:
    """Return what tells the reweighted mean answer, with Student's interval within the scale.

    Parameters
    ----------
    answer : str
        Column of answers.
    columns : sequence of str
        As for `weigh`.
    scale : tuple of int
        Its ends.
    confidence : float
        In (0, 1).
    """

    def estimate(base: pd.DataFrame) -> Estimate:
        who = weigh(base, answer, columns)
        told = weighted_mean(who.said, who.weights, who.margins)
        if not told.variance > 1e-15 or told.n_effective <= 1.0:
            return Estimate(told.value, math.nan, math.nan, len(who.said), _note(told, who))
        half = float(t.ppf(0.5 + confidence / 2.0, max(told.n_effective - 1.0, 1.0))) * told.variance**0.5
        lower, upper = max(told.value - half, scale[0]), min(told.value + half, scale[1])
        return Estimate(told.value, lower, upper, len(who.said), _note(told, who))

    return estimate


def reweighted_top(
    answer: str, columns: Sequence[str], top: int, *, confidence: float
) -> Callable[[pd.DataFrame], Estimate]:
    """Return what tells the reweighted share of the two best answers, with Wilson's interval.

    Parameters
    ----------
    answer : str
        Column of answers.
    columns : sequence of str
        As for `weigh`.
    top : int
        The best answer.
    confidence : float
        In (0, 1).
    """

    def estimate(base: pd.DataFrame) -> Estimate:
        who = weigh(base, answer, columns)
        told = weighted_mean((who.said >= top - 1).astype(np.float64), who.weights, who.margins)
        ends = wilson_interval([told.value], [told.n_effective], confidence=confidence)
        lower, upper = (float(end[0]) for end in ends)
        return Estimate(told.value, lower, upper, len(who.said), _note(told, who))

    return estimate


def _note(told: Weighted, who: Respondents) -> str:
    return f"weighted, they say as much as {told.n_effective:,.0f} answers of equal weight; {who.note}"
