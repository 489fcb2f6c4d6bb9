r"""Covariates that change over time, as few constant pieces, and what adds up along them.

A customer's covariates x(u) are constant between the times at which they change. A model in which they
multiply a rate by e^(g'x) needs nothing of them but the exposure, the integral of that factor: it grows
linearly along a piece, so one number at the start of each piece and one slope say it all. Customers with
the same covariates at the same times since their first purchase share a path.

Nothing here knows a model or a calendar: times run from a customer's first purchase, in any one unit;
reading calendars is :mod:`habitue.models.covariate_paths`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = [
    "IntArray",
    "Paths",
    "Pieces",
    "blocks",
    "exposure",
    "factor",
    "pieces_at",
    "pieces_between",
    "ragged",
]

IntArray = npt.NDArray[np.intp]

_PIECES_AT_ONCE = 8_192  # bounds the memory of (pieces x nodes) work arrays to some tens of megabytes
_LARGEST_LOG_FACTOR = 300.0  # e^300 squared is still a number; no effect of covariates is as large


class Paths(NamedTuple):
    """Distinct covariate paths, one after the other, each a run of pieces.

    Attributes
    ----------
    offsets : ndarray of int of shape (n_paths + 1,)
        Pieces ``offsets[i]`` to ``offsets[i + 1] - 1`` are those of path i; every path has one at least.
    starts : ndarray of shape (n_pieces,)
        When each piece begins, ascending along a path, 0 for its first. A piece ends where the next
        begins; the last lasts for ever.
    rate : ndarray of shape (n_pieces, n_rate_covariates)
        Covariates of the purchase rate along each piece.
    dropout : ndarray of shape (n_pieces, n_dropout_covariates)
        Covariates of the rate of leaving.
    """

    offsets: IntArray
    starts: FloatArray
    rate: FloatArray
    dropout: FloatArray


class Pieces(NamedTuple):
    """Stretches of time, each with one customer's covariates constant.

    Attributes
    ----------
    owner : ndarray of int of shape (n,)
        Position of the customer, ascending.
    piece : ndarray of int of shape (n,)
        Position among the pieces of `Paths`.
    start : ndarray of shape (n,)
        When the stretch begins, ascending for each customer.
    length : ndarray of shape (n,)
        How long it is, >= 0; infinite only for the last of a customer, where no end was given.
    """

    owner: IntArray
    piece: IntArray
    start: FloatArray
    length: FloatArray


def factor(covariates: FloatArray, effects: npt.ArrayLike) -> FloatArray:
    """Return e^(effects'covariates), by which covariates multiply a rate.

    Parameters
    ----------
    covariates : ndarray of shape (n_pieces, n_covariates)
        One row a piece.
    effects : array_like of shape (n_covariates,)
        Effects; none where there is no covariate.

    Returns
    -------
    ndarray of shape (n_pieces,)
        Factors, kept between e^-300 and e^300.

    Examples
    --------
    >>> factor(np.array([[0.0], [1.0]]), [np.log(2.0)]).round(12).tolist()
    [1.0, 2.0]
    """
    log_factor = covariates @ np.asarray(effects, dtype=np.float64)
    return np.exp(np.clip(log_factor, -_LARGEST_LOG_FACTOR, _LARGEST_LOG_FACTOR))


def exposure(paths: Paths, slopes: FloatArray) -> FloatArray:
    """Return what has added up along each path when each piece begins.

    Parameters
    ----------
    paths : Paths
        The paths.
    slopes : ndarray of shape (n_pieces, ...)
        How much is added per unit of time along each piece.

    Returns
    -------
    ndarray of the shape of slopes
        Integrals of the slopes from 0 to ``paths.starts``.

    Notes
    -----
    Summed along each path for itself: a difference of sums over all paths would lose digits where there
    are many.

    Examples
    --------
    >>> paths = Paths(np.array([0, 2, 3]), np.array([0.0, 7.0, 0.0]), np.ones((3, 1)), np.ones((3, 1)))
    >>> exposure(paths, np.array([2.0, 9.0, 5.0]))
    array([ 0., 14.,  0.])
    """
    total = np.zeros_like(slopes)
    firsts, sizes = paths.offsets[:-1], np.diff(paths.offsets)
    order = np.argsort(-sizes, kind="stable")
    firsts, sizes = firsts[order], sizes[order]
    for step in range(1, int(sizes[0]) if sizes.size else 0):
        now = firsts[: np.searchsorted(-sizes, -step, side="left")] + step
        length = paths.starts[now] - paths.starts[now - 1]
        total[now] = total[now - 1] + slopes[now - 1] * length.reshape(-1, *(1,) * (slopes.ndim - 1))
    return total


def pieces_at(paths: Paths, path: IntArray, time: FloatArray) -> IntArray:
    """Return along which piece of its path each customer is at a time.

    Parameters
    ----------
    paths : Paths
        The paths.
    path : ndarray of int of shape (n_customers,)
        The path of each customer.
    time : ndarray of shape (n_customers,)
        Times >= 0. At the end of a piece the next one counts.

    Returns
    -------
    ndarray of int of shape (n_customers,)
        Positions among the pieces.

    Examples
    --------
    >>> paths = Paths(np.array([0, 2, 3]), np.array([0.0, 7.0, 0.0]), np.ones((3, 1)), np.ones((3, 1)))
    >>> pieces_at(paths, np.array([0, 0, 1]), np.array([6.9, 7.0, 7.0]))
    array([0, 1, 2])
    """
    return _positions(paths, path, time, side="right")


def pieces_between(paths: Paths, path: IntArray, begin: FloatArray, duration: FloatArray) -> Pieces:
    """Return the pieces of time from begin to begin + duration, customer by customer.

    Parameters
    ----------
    paths : Paths
        The paths.
    path : ndarray of int of shape (n_customers,)
        The path of each customer.
    begin : ndarray of shape (n_customers,)
        Times >= 0.
    duration : ndarray of shape (n_customers,)
        Lengths of time >= 0, which may be infinite.

    Returns
    -------
    Pieces
        None for a customer whose duration is 0. They add up to the duration, to the last digit of it even
        where begin is so late that begin + duration is not.

    Examples
    --------
    >>> paths = Paths(np.array([0, 2]), np.array([0.0, 7.0]), np.ones((2, 1)), np.ones((2, 1)))
    >>> pieces = pieces_between(paths, np.array([0, 0]), np.array([5.0, 8.0]), np.array([5.0, 0.0]))
    >>> pieces.start, pieces.length
    (array([5., 7.]), array([2., 3.]))
    """
    first = _positions(paths, path, begin, side="right")
    last = _positions(paths, path, begin + duration, side="left")
    counts = np.where(duration > 0.0, np.maximum(last - first, 0) + 1, 0)
    owner, step = ragged(counts)
    index = first[owner] + step
    start = np.maximum(begin[owner], paths.starts[index])
    is_last = step + 1 == counts[owner]
    following = paths.starts[np.where(is_last, index, index + 1)]
    length = np.where(is_last, duration[owner] - (start - begin[owner]), following - start)
    return Pieces(owner, index, start, np.maximum(length, 0.0))


def ragged(counts: IntArray) -> tuple[IntArray, IntArray]:
    """Return to which group each item belongs, and which of the group's it is.

    Parameters
    ----------
    counts : ndarray of int of shape (n_groups,)
        Items in each group, >= 0.

    Returns
    -------
    group, step : ndarray of int of shape (counts.sum(),)
        Both count from 0.

    Examples
    --------
    >>> ragged(np.array([2, 0, 1]))
    (array([0, 0, 2]), array([0, 1, 0]))
    """
    group = np.repeat(np.arange(counts.size), counts)
    before = np.cumsum(counts) - counts
    return group, np.arange(group.size) - before[group]


def blocks(pieces: Pieces, n_customers: int) -> Iterator[tuple[slice, Pieces]]:
    """Cut customers and their pieces into blocks that fit into a small memory.

    Parameters
    ----------
    pieces : Pieces
        Pieces of all customers.
    n_customers : int
        How many these are, those without a piece counted too.

    Yields
    ------
    rows : slice
        The customers of the block.
    pieces : Pieces
        Their pieces, with owners counted from the start of the block.

    Examples
    --------
    >>> one = Pieces(np.array([1]), np.array([0]), np.array([0.0]), np.array([7.0]))
    >>> [rows for rows, _ in blocks(one, 3)]
    [slice(0, 3, None)]
    """
    bounds = np.searchsorted(pieces.owner, np.arange(n_customers + 1))
    is_new = np.diff(bounds[:-1] // _PIECES_AT_ONCE, prepend=-1) != 0
    edges = [*np.flatnonzero(is_new).tolist(), n_customers]
    for low, high in pairwise(edges):
        part = slice(bounds[low], bounds[high])
        owner = pieces.owner[part] - low
        yield slice(low, high), Pieces(owner, pieces.piece[part], pieces.start[part], pieces.length[part])


def _positions(paths: Paths, path: IntArray, time: FloatArray, *, side: str) -> IntArray:
    """Return the last piece that has begun by a time ("right"), or before it ("left"); not below the first.

    One search for all paths: a piece's key is its path and the rank of its start among all starts, whole
    numbers both, so that no two paths mix and nothing is rounded.
    """
    times, rank = np.unique(paths.starts, return_inverse=True)
    base = times.size + 1
    keys = np.repeat(np.arange(paths.offsets.size - 1), np.diff(paths.offsets)) * base + rank + 1
    begun = np.searchsorted(times, time, side="right" if side == "right" else "left")
    found = np.searchsorted(keys, path * base + begun, side="right") - 1
    return np.maximum(found, paths.offsets[path])
