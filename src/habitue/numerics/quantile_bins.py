"""Few bins that tell a distribution: about equally full, with a bin of its own for what many share.

Behaviour has point masses: most customers bought once, a third never had a discount. Quantiles alone would
put such a value together with its neighbours, or make an edge of it twice.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = ["compressed", "in_bins", "quantile_bins"]

IntArray = npt.NDArray[np.int64]

_MOST, _LEAST = 20, 10  # bins, and how many a full bin's share would make


def quantile_bins(values: FloatArray, counts: IntArray) -> FloatArray:
    """Return the upper edges of at most 20 bins: a value that many share gets its own, the rest equal parts.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Finite, ascending, each once.
    counts : ndarray of int, shape (n_values,)
        How often each occurs, > 0.

    Returns
    -------
    ndarray of shape (n_bins,)
        Ascending; a bin holds what is greater than the edge before and not greater than its own. The last
        edge is the largest value. A full bin holds a twentieth of all, or more where point masses leave many
        small rests between them. Empty where there is no value.

    Examples
    --------
    >>> edges = quantile_bins(np.array([0.0, 1.0, 2.0, 3.0]), np.array([97, 1, 1, 1]))
    >>> edges.tolist(), in_bins(np.array([0.0, 0.5, 9.0]), edges).tolist()
    ([0.0, 3.0], [1, 2])
    """
    # A share of one in ten gives at most 19: a bin that is not full ends at a point mass or at the end.
    for share in range(_MOST, _LEAST, -1):
        edges = _edges(values, counts, counts.sum() / share)
        if len(edges) <= _MOST:
            return edges
    return _edges(values, counts, counts.sum() / _LEAST)


def _edges(values: FloatArray, counts: IntArray, full: float) -> FloatArray:
    """Cut before and after each point mass, and wherever a bin is full."""
    total = np.cumsum(counts)
    masses = np.flatnonzero(counts >= full)
    cuts = np.unique(np.concatenate([masses - 1, masses, [len(values) - 1]]))
    found: list[float] = []
    begin = 0
    for cut in cuts[cuts >= 0].tolist():
        while begin <= cut:
            before = total[begin] - counts[begin]
            end = min(int(np.searchsorted(total, before + full)), cut)
            # Just below a point mass, so that nothing but the mass itself stands in its bin.
            mass_follows = end == cut and end + 1 in masses and end not in masses
            found.append(np.nextafter(values[end + 1], -np.inf) if mass_follows else values[end])
            begin = end + 1
    return np.array(found, dtype=np.float64)


def in_bins(values: FloatArray, edges: FloatArray) -> IntArray:
    """Count values by bin; those beyond the last edge count in the last bin.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Finite.
    edges : ndarray of shape (n_bins,)
        As `quantile_bins` returns them; at least one, unless there is no value.

    Returns
    -------
    ndarray of int, shape (n_bins,)
    """
    if not len(edges):
        return np.zeros(0, dtype=np.int64)
    place = np.searchsorted(edges[:-1], values, side="left")
    return np.bincount(place, minlength=len(edges)).astype(np.int64)


def compressed(values: FloatArray, counts: IntArray, most: int) -> tuple[FloatArray, IntArray]:
    """Return at most `most` of the values, each standing for those between it and the one before.

    A value that many share stands for itself alone. Quantiles move by at most 4 / most of all rows, each time
    that this is done.

    Parameters
    ----------
    values, counts : ndarray of shape (n_values,)
        As in `quantile_bins`.
    most : int
        How many to keep, at least 4.

    Returns
    -------
    values, counts : ndarray of shape (n_kept,)
        Their counts add up to the same number.

    Examples
    --------
    >>> kept, counts = compressed(np.arange(8.0), np.ones(8, dtype=np.int64), 4)
    >>> kept.tolist(), counts.tolist()
    ([7.0], [8])
    """
    if len(values) <= most:
        return values, counts
    total = np.cumsum(counts)
    part = total[-1] * 4.0 / most
    heavy = counts >= part
    # The last value of each part, and the value before each heavy one, stand for what came before.
    ends = np.append(np.diff(np.floor((total - counts) / part)) > 0, True)
    ends |= heavy | np.append(heavy[1:], False)
    kept = np.flatnonzero(ends)
    return values[kept], np.diff(total[kept], prepend=0)
