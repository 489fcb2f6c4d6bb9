r"""Integrals of positive functions for many customers at once, cut into panels until each is resolved.

What a customer will do depends on when he leaves, and the integrals over that moment may have several peaks,
each as narrow as one wants. Here the interval of every customer is cut in halves where a Gauss-Legendre rule
does not resolve the integrand yet, all customers together. Whoever calls it says where to look first: a peak
much narrower than the distance between the edges given could be overlooked.

The one integral that a fit takes hundreds of times has a faster way: :mod:`habitue.numerics.silent_leaving`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from habitue.numerics.arrays import FloatArray, Rows
from habitue.numerics.many_rows import blocks

__all__ = ["Panels", "on_panels", "resolve"]

Density = Callable[[Rows, FloatArray], FloatArray]

_N_NODES = 24
_PANELS_AT_ONCE = 2_048  # rows x nodes arrays of 400 kB
_MOST_HALVINGS = 60
# The last coefficients of a Legendre series fall like rho^-n, the error of the rule like rho^-2n: 1e-14.
_TAIL = 1e-7
_N_TAIL = 3

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_N_NODES)
_SERIES = (
    np.polynomial.legendre.legvander(_NODES, _N_NODES - 1)[:, -_N_TAIL:].T
    * _WEIGHTS
    * (np.arange(_N_NODES - _N_TAIL, _N_NODES)[:, None] + 0.5)
)


class Panels(NamedTuple):
    """Panels on which an integrand is resolved, and its integrals.

    Attributes
    ----------
    row : ndarray of int of shape (n_panels,)
        Customer of each panel.
    low, high : ndarray of shape (n_panels,)
        Its ends.
    integral : ndarray of shape (n_rows,)
        Sum over the panels of each customer.
    """

    row: Rows
    low: FloatArray
    high: FloatArray
    integral: FloatArray


def resolve(density: Density, edges: FloatArray) -> Panels:
    """Return integrals of density(row, v) over v from the first to the last edge of each row.

    Parameters
    ----------
    density : callable
        Of rows of shape (n_panels,) and points of shape (n_nodes, n_panels); returns numbers >= 0 of the
        shape of the points.
    edges : ndarray of shape (n_edges, n_rows)
        Ascending along the first axis: ends of the integral and, between them, where its peaks are.

    Returns
    -------
    Panels
        The integrals, relative error about 1e-13, and the panels, on which similar integrands are resolved
        too.

    Examples
    --------
    >>> found = resolve(lambda row, v: np.exp(-np.array([1.0, 50.0])[row] * v), np.array([[0.0, 0], [9, 9]]))
    >>> found.integral.round(6).tolist()
    [0.999877, 0.02]
    """
    n_rows = edges.shape[1]
    row = np.tile(np.arange(n_rows), edges.shape[0] - 1)
    low, high = edges[:-1].ravel(), edges[1:].ravel()
    kept = np.zeros(n_rows)
    done: list[tuple[Rows, FloatArray, FloatArray]] = []
    worth = high > low
    for _ in range(_MOST_HALVINGS):
        row, low, high = row[worth], low[worth], high[worth]
        value, tail = _look(density, row, low, high)
        size = kept + np.bincount(row, value, n_rows)
        fine = tail <= _TAIL * size[row]
        kept += np.bincount(row[fine], value[fine], n_rows)
        done.append((row[fine], low[fine], high[fine]))
        row, low, high = row[~fine], low[~fine], high[~fine]
        if not row.size:
            break
        middle = 0.5 * (low + high)
        row, low, high = np.tile(row, 2), np.concatenate([low, middle]), np.concatenate([middle, high])
        worth = high > low
    rows, lows, highs = (np.concatenate(parts) for parts in zip(*done, strict=True))
    return Panels(rows, lows, highs, kept)


def on_panels(density: Density, panels: Panels) -> FloatArray:
    """Return the integral of another density on panels that are known to resolve it.

    Parameters
    ----------
    density : callable
        As in :func:`resolve`, but its result may have further axes in front, and any sign.
    panels : Panels
        Where to integrate.

    Returns
    -------
    ndarray of shape (..., n_rows)
        The integrals.

    Examples
    --------
    >>> panels = resolve(lambda row, v: np.exp(-v), np.array([[0.0], [50.0]]))
    >>> on_panels(lambda row, v: v**2 * np.exp(-v), panels).round(12).tolist()
    [2.0]
    """
    parts: list[FloatArray] = []
    for some in blocks(max(panels.row.size, 1), _PANELS_AT_ONCE):
        low, half = panels.low[some], 0.5 * (panels.high[some] - panels.low[some])
        values = density(panels.row[some], low + half * (_NODES[:, None] + 1.0))
        parts.append(half * (_WEIGHTS @ values))
    by_panel = np.concatenate(parts, axis=-1)
    flat = by_panel.reshape(math.prod(by_panel.shape[:-1]), panels.row.size)
    sums = np.empty((flat.shape[0], panels.integral.size))
    for one, total in zip(flat, sums, strict=True):
        total[:] = np.bincount(panels.row, one, panels.integral.size)
    return sums.reshape(*by_panel.shape[:-1], panels.integral.size)


def _look(density: Density, row: Rows, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the integral over each panel, and how much of the integrand its rule leaves unresolved."""
    value, tail = np.empty(row.size), np.empty(row.size)
    for some in blocks(row.size, _PANELS_AT_ONCE):
        half = 0.5 * (high[some] - low[some])
        values = density(row[some], low[some] + half * (_NODES[:, None] + 1.0))
        value[some] = half * (_WEIGHTS @ values)
        tail[some] = half * np.abs(_SERIES @ values).max(axis=0)
    return value, tail
