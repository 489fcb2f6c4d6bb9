"""Formulas over very many customers: in blocks that stay in the processor's cache, and no row done twice.

A formula of twenty steps on a million rows writes and reads twenty arrays of a million; done on sixteen
thousand rows at a time it works in the cache. Rows that need quadrature rules of different lengths are done
with those that need the same. And where an answer depends only on how often a customer bought and since when
he is one, a million customers are some ten thousand pairs. This is about speed alone: no answer depends on
which rows are evaluated together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray, Rows

__all__ = ["CELLS_AT_ONCE", "blocks", "by_nodes", "cut", "in_blocks", "over_pairs"]

CELLS_AT_ONCE = 65_536
"""How many cells of (rows x nodes) work arrays are filled at once: they stay in the processor's cache."""

_ROWS_AT_ONCE = 16_384
_ENOUGH_TO_SHARE = 100


def in_blocks(
    formula: Callable[..., FloatArray],
    *columns: float | FloatArray,
    elementwise: bool = False,
) -> FloatArray:
    """Evaluate a formula some rows at a time; numbers are handed on, arrays, all of one shape, are cut.

    Parameters
    ----------
    formula : callable
        Of columns of equal length, which it must not change, and of numbers; returns an array whose first
        axis is the rows. It must work on no rows, too.
    *columns : float or ndarray
        What it is called with.
    elementwise : bool, default False
        Whether the formula takes arrays of any shape and returns a number for each entry; draws against
        customers then need not be laid out in one row.

    Returns
    -------
    ndarray
        Of the shape of the arrays, followed by what the formula adds to it.

    Examples
    --------
    >>> in_blocks(lambda shift, x: shift + x, 1.0, np.array([[1.0], [2.0]])).tolist()
    [[2.0], [3.0]]
    >>> in_blocks(lambda x: np.stack([x, x**2], axis=1), np.array([3.0, 4.0])).tolist()
    [[3.0, 9.0], [4.0, 16.0]]
    """
    (shape,) = {column.shape for column in columns if isinstance(column, np.ndarray)}
    if elementwise and len(shape) > 1 and 0 < math.prod(shape[1:]) <= _ROWS_AT_ONCE:
        return _in_slabs(formula, columns, shape)
    flat = [_flat(column) if isinstance(column, np.ndarray) else column for column in columns]

    def of(rows: slice) -> FloatArray:
        return formula(*(column if isinstance(column, (float, int)) else column[rows] for column in flat))

    size = math.prod(shape)
    first, *others = blocks(max(size, 1), _ROWS_AT_ONCE)  # where there are no rows: an empty one
    told = of(first)
    answer = np.empty((size, *told.shape[1:]))
    answer[first] = told
    for rows in others:
        answer[rows] = of(rows)
    return answer.reshape((*shape, *told.shape[1:]))


def _in_slabs(
    formula: Callable[..., FloatArray], columns: tuple[float | FloatArray, ...], shape: tuple[int, ...]
) -> FloatArray:
    """Evaluate some entries of the first axis at a time; what was broadcast is not copied."""
    answer = np.empty(shape)
    for rows in blocks(shape[0], max(1, _ROWS_AT_ONCE // math.prod(shape[1:]))):
        some = (column if isinstance(column, (float, int)) else column[rows] for column in columns)
        answer[rows] = formula(*some)
    return answer


def blocks(n_rows: int, at_once: int) -> Iterator[slice]:
    """Yield slices that cover rows in order, some at a time.

    Parameters
    ----------
    n_rows : int
        How many rows there are, >= 0.
    at_once : int
        How many to take together, at most; > 0.

    Yields
    ------
    slice
        The next of them, from its first row to the one after its last.

    Examples
    --------
    >>> [(rows.start, rows.stop) for rows in blocks(5, 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, n_rows, at_once):
        yield slice(start, min(start + at_once, n_rows))


def cut(rows: Rows, at_once: int) -> Iterator[Rows]:
    """Yield positions some at a time.

    Parameters
    ----------
    rows : ndarray of int
        Positions.
    at_once : int
        How many to yield together, at most; > 0.

    Yields
    ------
    ndarray of int
        The next of them.

    Examples
    --------
    >>> [rows.tolist() for rows in cut(np.array([3, 5, 8]), 2)]
    [[3, 5], [8]]
    """
    for some in blocks(rows.size, at_once):
        yield rows[some]


def by_nodes(n_nodes: npt.NDArray[np.intp] | FloatArray) -> Iterator[tuple[int, Rows]]:
    """Yield rows that need as many nodes as each other, so few that the work arrays stay in the cache.

    Parameters
    ----------
    n_nodes : ndarray of shape (n_rows,)
        Whole numbers; few of them differ. Rows that need none are left out.

    Yields
    ------
    n : int
        How many nodes.
    rows : ndarray of int
        Some of the rows that need them.

    Examples
    --------
    >>> [(n, rows.tolist()) for n, rows in by_nodes(np.array([16, 32, 0, 16]))]
    [(16, [0, 3]), (32, [1])]
    """
    for n in np.unique(n_nodes[n_nodes > 0]):
        for rows in cut(np.flatnonzero(n_nodes == n), max(CELLS_AT_ONCE // int(n), 1)):
            yield int(n), rows


def over_pairs(
    function: Callable[[FloatArray, FloatArray], FloatArray], x: FloatArray, until: FloatArray
) -> FloatArray:
    """Return function(x, until), evaluated once for each distinct pair.

    Parameters
    ----------
    function : callable
        Of two columns of equal length, row by row.
    x : ndarray
        Whole numbers >= 0.
    until : ndarray
        Times, of the same shape.

    Returns
    -------
    ndarray
        Of that shape.

    Notes
    -----
    A million customers seen to the day are some ten thousand pairs. Sorting a million pairs takes longer
    than all the rest, so a pair is made one whole number, and those that occur are ticked in a table.

    Examples
    --------
    >>> over_pairs(lambda x, until: x * until, np.array([1.0, 2.0, 1.0]), np.array([3.0, 4.0, 3.0])).tolist()
    [3.0, 8.0, 3.0]
    """
    if x.size < _ENOUGH_TO_SHARE:
        return in_blocks(function, x, until)
    counts, times = x.reshape(-1), until.reshape(-1)
    ruler, code = _ruler(times)
    n_counts = int(counts.max()) + 1
    if n_counts * ruler.size > 4 * x.size:
        return in_blocks(function, x, until)
    key = np.empty(x.size, dtype=np.intp)
    for rows in blocks(x.size, _ROWS_AT_ONCE):
        np.add(counts[rows].astype(np.intp) * ruler.size, code(times[rows]), out=key[rows])
    occurs = np.zeros(n_counts * ruler.size, dtype=np.bool_)
    occurs[key] = True
    pairs = np.flatnonzero(occurs)
    count, position = np.divmod(pairs, ruler.size)
    table = np.zeros(occurs.size)
    table[pairs] = in_blocks(function, count.astype(np.float64), ruler[position])
    return table.take(key).reshape(x.shape)


def _ruler(values: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], npt.NDArray[np.intp]]]:
    """Return the distinct values at whole positions, some of them empty, and what tells a value's position.

    Days, and weeks in steps of a seventh, lie evenly: their position is a multiplication away.
    """
    distinct = np.unique(values)
    first, spread = distinct[0], distinct[-1] - distinct[0]
    gap = np.diff(distinct).min(initial=np.inf)
    if spread >= gap * values.size:
        return distinct, lambda some: np.searchsorted(distinct, some)
    per_step = 1.001 / gap

    def code(some: FloatArray) -> npt.NDArray[np.intp]:
        return ((some - first) * per_step).astype(np.intp)

    positions = code(distinct)
    ruler = np.zeros(int(positions.max()) + 1)
    ruler[positions] = distinct
    return ruler, code


def _flat(column: FloatArray) -> FloatArray | np.flatiter[FloatArray]:
    """Return the column in one dimension, without a copy of what was broadcast."""
    return column.reshape(-1) if column.flags.c_contiguous else column.flat
