"""Formulas over very many customers: in blocks that stay in the processor's cache, and no row done twice.

A formula of twenty steps on a million rows writes and reads twenty arrays of a million; done on sixteen
thousand rows at a time it works in the cache. And where an answer depends only on how often a customer bought
and since when he is one, a million customers are some ten thousand pairs. This is about speed alone: no
answer depends on which rows are evaluated together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = ["in_blocks", "over_pairs"]

_ROWS_AT_ONCE = 16_384
_ENOUGH_TO_SHARE = 100


def in_blocks(
    formula: Callable[..., FloatArray],
    *columns: float | FloatArray,
    inner: tuple[int, ...] = (),
    elementwise: bool = False,
) -> FloatArray:
    """Evaluate a formula some rows at a time; numbers are handed on, arrays, all of one shape, are cut.

    Parameters
    ----------
    formula : callable
        Of columns of equal length and of numbers, row by row.
    *columns : float or ndarray
        What it is called with.
    inner : tuple of int, default ()
        Shape of the answer for one row.
    elementwise : bool, default False
        Whether the formula takes arrays of any shape; draws against customers then need not be laid out in
        one row.

    Returns
    -------
    ndarray
        Of the shape of the arrays, and the inner shape after it.

    Examples
    --------
    >>> in_blocks(lambda shift, x: shift + x, 1.0, np.array([[1.0], [2.0]])).tolist()
    [[2.0], [3.0]]
    """
    (shape,) = {column.shape for column in columns if isinstance(column, np.ndarray)}
    if elementwise and len(shape) > 1 and 0 < int(np.prod(shape[1:])) <= _ROWS_AT_ONCE:
        return _in_slabs(formula, columns, shape)
    flat = [_flat(column) if isinstance(column, np.ndarray) else column for column in columns]
    size = int(np.prod(shape))
    answer = np.empty((size, *inner))
    for start in range(0, size, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        some = (column if isinstance(column, (float, int)) else column[rows] for column in flat)
        answer[rows] = formula(*some)
    return answer.reshape((*shape, *inner))


def _in_slabs(
    formula: Callable[..., FloatArray], columns: tuple[float | FloatArray, ...], shape: tuple[int, ...]
) -> FloatArray:
    """Evaluate some entries of the first axis at a time; what was broadcast is not copied."""
    answer, at_once = np.empty(shape), max(1, _ROWS_AT_ONCE // int(np.prod(shape[1:])))
    for start in range(0, shape[0], at_once):
        rows = slice(start, start + at_once)
        some = (column if isinstance(column, (float, int)) else column[rows] for column in columns)
        answer[rows] = formula(*some)
    return answer


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
    for start in range(0, x.size, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
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
