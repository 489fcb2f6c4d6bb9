"""A log density as samplers want it: asked for a few points at a time, and -inf wherever it has no value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from habitue.numerics.arrays import FloatArray
from habitue.numerics.many_rows import cut

__all__ = ["LogDensity", "in_blocks"]

LogDensity: TypeAlias = Callable[[FloatArray], FloatArray]
"""Points of shape (m, k) in, their log densities of shape (m,) out, up to a constant."""

_FARTHEST = 200.0
"""Unconstrained parameters are of order one; e^200 overflows in formulas, and no prior reaches it."""


def in_blocks(log_density: LogDensity, at_once: int) -> LogDensity:
    """Return a log density that may be asked for any number of points.

    Parameters
    ----------
    log_density : callable
        Points of shape (m, k) in, log densities of shape (m,) out.
    at_once : int
        Points handed to it together, at most; bounds its memory.

    Returns
    -------
    callable
        The same, but -inf where it is NaN or infinite, and, without asking, beyond 200 in any direction.

    Examples
    --------
    >>> root = in_blocks(lambda x: np.sqrt(x[:, 0]), at_once=2)
    >>> root(np.array([[1.0], [4.0], [9.0], [1000.0]])).tolist()
    [1.0, 2.0, 3.0, -inf]
    """

    def evaluate(points: FloatArray) -> FloatArray:
        values = np.full(len(points), -np.inf)
        near = np.flatnonzero((np.abs(points) <= _FARTHEST).all(axis=1))
        for rows in cut(near, at_once):
            values[rows] = log_density(points[rows])
        return np.where(np.isfinite(values), values, -np.inf)

    return evaluate
