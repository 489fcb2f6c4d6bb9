r"""Pareto/NBD under changing covariates: the integral over when a silent customer may have left.

A customer buys at rate lambda b(u) and leaves at rate mu d(u), where b and d are the factors e^(g'x(u)) of
the covariates; B and D are their integrals from the first purchase on. Everything known of one silent since
t_x hangs on one integral, over the moments u at which he may have left,

    s d(u) (alpha + B(u))^-(r + x) (beta + D(u))^-(s + 1) du,   from t_x to T.

B and D are linear along a piece of the path, so on each piece this is an integral without corners. Here it
is cut into panels and turned into nodes with weights, relative to the customer being alive at T; what is
done with them is :mod:`habitue.numerics.pareto_nbd_paths` and its derivatives.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray
from habitue.numerics.covariate_paths import IntArray, Paths, Pieces, ragged
from habitue.numerics.pareto_nbd_exposures import Exposures, Moments, ParetoNBDPathsParams, moments
from habitue.numerics.quadrature import legendre_rule

__all__ = ["Panels", "log_odds_of_gone", "panels"]

_NEGLIGIBLE = 45.0  # e^-45 = 3e-20: what comes after it is not worth a panel
_FALL = 2.0  # how much of the integrand's logarithm one panel may cover
_NARROW = 1.0
_TINY = np.finfo(np.float64).tiny


_FEW, _MANY = legendre_rule(8), legendre_rule(16)


class Panels(NamedTuple):
    """Nodes of the integral, some panels of one number of nodes.

    Attributes
    ----------
    owner : ndarray of int of shape (n_panels,)
        Customer.
    at : Moments
        Where each panel begins.
    ahead : ndarray of shape (n_panels, n_nodes)
        Time from there to each node.
    log_scale : ndarray of shape (n_panels,)
        Log of what the weights are multiplied by, relative to "alive at T".
    weights : ndarray of shape (n_panels, n_nodes)
        Weights, of order one.
    """

    owner: IntArray
    at: Moments
    ahead: FloatArray
    log_scale: FloatArray
    weights: FloatArray


class _Parts(NamedTuple):
    """Parts of pieces: whose, where each begins, and how long it is."""

    owner: IntArray
    at: Moments
    length: FloatArray


def panels(
    params: ParetoNBDPathsParams,
    paths: Paths,
    along: Exposures,
    frequency: FloatArray,
    seen: Moments,
    pieces: Pieces,
) -> Iterator[Panels]:
    """Cut pieces into panels and place nodes on them.

    Parameters
    ----------
    params : ParetoNBDPathsParams
        The customer base.
    paths : Paths
        Covariates.
    along : Exposures
        Exposures at the start of each piece.
    frequency : ndarray of shape (n_customers,)
        Repeat purchases.
    seen : Moments
        Customers at T, which weights are relative to.
    pieces : Pieces
        When each customer may have left.

    Yields
    ------
    Panels
        Panels over which the integrand hardly changes, with 8 nodes; then the others, with 16.

    Notes
    -----
    Over a stretch of length h both factors are powers, (1 + z y)^-p with y from 0 to 1: z = b h / (alpha +
    B), p = r + x for one, z = d h / (beta + D), p = s + 1 for the other. With w = log(1 + z y) of the
    steeper one, that with the larger z max(p, 1), its power and the Jacobian are e^-((p - 1) w), and the
    singularity of the other one is at least 1 / max(p, 1) away. So panels that are 2 / max(p, 1) wide are
    good for 13 digits with 16 nodes, those of 1 / max(p, 1) with 8. Beyond w = 45 / (p - 1) nothing counts.
    """
    at = moments(params, paths, along, pieces.piece, pieces.start)
    parts, n_parts = _Parts(pieces.owner, at, pieces.length), -1
    while n_parts != parts.owner.size:  # what is steeper may change along a piece: parts are cut again
        n_parts = parts.owner.size
        parts = _cut(params, along, frequency, parts)
    x = frequency[parts.owner]
    growth, power, other = _steeper(params, along, x, parts.at, parts.length)
    wide = np.log1p(growth) * np.maximum(power, 1.0) > _NARROW
    for rows, rule in ((~wide, _FEW), (wide, _MANY)):
        if rows.any():
            owner, at, length = parts.owner[rows], parts.at.at(rows), parts.length[rows]
            scale = _log_scale(params, along, x[rows], at, seen, owner) + np.log(length)
            ahead, weights = _nodes(growth[rows], power[rows], other[rows], rule)
            yield Panels(owner, at, ahead * length[:, None], scale, weights)


def log_odds_of_gone(
    params: ParetoNBDPathsParams,
    paths: Paths,
    along: Exposures,
    frequency: FloatArray,
    seen: Moments,
    pieces: Pieces,
) -> FloatArray:
    """Return log(P(left) / P(alive)).

    Parameters
    ----------
    params : ParetoNBDPathsParams
        The customer base.
    paths : Paths
        Covariates.
    along : Exposures
        Exposures at the start of each piece.
    frequency : ndarray of shape (n_customers,)
        Repeat purchases.
    seen : Moments
        Customers at T.
    pieces : Pieces
        When each may have left.

    Returns
    -------
    ndarray of shape (n_customers,)
        Log-odds, minus infinity for a customer who has not been silent at all.
    """
    owners: list[IntArray] = []
    logs: list[FloatArray] = []
    for some in panels(params, paths, along, frequency, seen, pieces):
        owners.append(some.owner)
        logs.append(some.log_scale + np.log(some.weights.sum(axis=1)))
    if not owners:
        return np.full(frequency.shape, -np.inf)
    owner, log = np.concatenate(owners), np.concatenate(logs)
    top = np.full(frequency.shape, -np.inf)
    np.maximum.at(top, owner, log)
    total = np.bincount(owner, np.exp(log - top[owner]), minlength=frequency.size)
    return top + np.log(np.where(total > 0.0, total, 1.0))


def _cut(params: ParetoNBDPathsParams, along: Exposures, frequency: FloatArray, parts: _Parts) -> _Parts:
    """Cut each part so that its steeper factor falls by e^-2 at most along each; drop the empty.

    Exposures are carried on from part to part: one that grows by e^100 does so in no time at all, and the
    time at which it has would not be told from the time at which it began.
    """
    at = parts.at
    growth, power, _ = _steeper(params, along, frequency[parts.owner], at, parts.length)
    end = np.log1p(growth)
    falls = power > 1.0
    end = np.where(falls, np.minimum(end, _NEGLIGIBLE / np.where(falls, power - 1.0, 1.0)), end)
    # less a little, or rounding would cut again what was just cut
    counts = np.maximum(np.ceil(end * np.maximum(power, 1.0) / _FALL - 1e-6), 1.0)
    part, step = ragged(counts.astype(np.intp))
    length, growth, end = parts.length[part], growth[part], (end / counts)[part]
    left = length * (np.expm1(end * step) / growth)
    length = length * (np.expm1(end * (step + 1.0)) / growth) - left
    kept = length > 0.0
    part, left = part[kept], left[kept]
    piece = at.piece[part]
    a, q = at.a[part] + along.b[piece] * left, at.q[part] + along.d[piece] * left
    return _Parts(parts.owner[part], Moments(piece, at.since[part] + left, a, q), length[kept])


def _steeper(
    params: ParetoNBDPathsParams, along: Exposures, x: FloatArray, at: Moments, length: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return growth and power of the steeper factor over a stretch; and growth and power of the other."""
    growing = np.maximum(along.b[at.piece] * length / at.a, _TINY)
    leaving = np.maximum(along.d[at.piece] * length / at.q, _TINY)
    power, last = params.r + x, params.s + 1.0
    first = growing * np.maximum(power, 1.0) >= leaving * last
    steep = np.where(first, growing, leaving)
    other = np.stack([np.where(first, leaving, growing), np.where(first, last, power)], axis=-1)
    return steep, np.where(first, power, last), other


def _nodes(
    growth: FloatArray, power: FloatArray, other: FloatArray, rule: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return nodes as parts of the panel's length, and their weights."""
    nodes, weights = rule
    width = np.log1p(growth)
    w = width[:, None] * nodes
    part = np.expm1(w) / growth[:, None]
    fall = (power - 1.0)[:, None] * w + other[:, 1:] * np.log1p(other[:, :1] * part)
    return part, np.exp(-fall) * (weights * (width / growth)[:, None])


def _log_scale(
    params: ParetoNBDPathsParams,
    along: Exposures,
    x: FloatArray,
    at: Moments,
    seen: Moments,
    owner: npt.NDArray[np.intp],
) -> FloatArray:
    """Return the log of the integrand where a panel begins, over what it is to be alive at T."""
    waiting = (params.r + x) * np.log(seen.a[owner] / at.a)
    leaving = np.log(params.s * along.d[at.piece] / at.q) + params.s * np.log(seen.q[owner] / at.q)
    return waiting + leaving
