"""What the formulas of every family do first: bring numbers to one shape, look functions of counts up.

Parameters broadcast like histories do. A field of a ``Params`` may be one number for the whole customer base,
one a customer (static covariates), or a column of posterior draws against a row of customers. Nothing else is
shared by all families; what two of them share has a module named after it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray", "Rows", "floats", "growth_over_counts", "over_counts"]

FloatArray = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]  # positions of customers


def floats(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Return the values as arrays of floats of one shape.

    Parameters
    ----------
    *values : array_like
        Numbers, broadcast against each other.

    Returns
    -------
    tuple of ndarray
        Read-only views where a value was broadcast.

    Examples
    --------
    >>> [array.shape for array in floats(1, [2.0, 3.0])]
    [(2,), (2,)]
    """
    return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values)))


def over_counts(function: Callable[[FloatArray], FloatArray], x: FloatArray) -> FloatArray:
    """Return function(x), looked up in a table where there are more customers than counts.

    Parameters
    ----------
    function : callable
        Of an array, element by element, such as ``scipy.special.gammaln``.
    x : ndarray
        Whole numbers >= 0.

    Returns
    -------
    ndarray
        Of the shape of x.

    Examples
    --------
    >>> over_counts(np.sqrt, np.array([1.0, 4.0, 4.0, 0.0, 1.0]))
    array([1., 2., 2., 0., 1.])
    """
    top = int(x.max()) if x.size else 0
    return function(x) if top >= x.size else function(np.arange(top + 1.0))[x.astype(np.intp)]


def growth_over_counts(
    function: Callable[[FloatArray], FloatArray], shift: npt.ArrayLike, x: FloatArray
) -> FloatArray:
    """Return function(shift + x) - function(shift), by :func:`over_counts` where the shift is one number.

    Parameters
    ----------
    function : callable
        ``gammaln`` or a derivative of it.
    shift : array_like
        Where counting starts.
    x : ndarray
        Whole numbers >= 0.

    Returns
    -------
    ndarray
        Of the shape that shift and x broadcast to.

    Examples
    --------
    >>> growth_over_counts(np.square, 1.0, np.array([0.0, 3.0, 3.0, 8.0]))
    array([ 0., 15., 15., 80.])
    """
    start = np.asarray(shift, dtype=np.float64)

    def grown(count: FloatArray) -> FloatArray:
        return function(start + count)

    return (over_counts(grown, x) if start.ndim == 0 else grown(x)) - function(start)
