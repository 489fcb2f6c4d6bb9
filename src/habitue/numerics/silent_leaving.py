r"""Leaving unseen: integrals over the moment at which a customer left without a word.

Where customers may leave at any time, not only after a purchase, a silent customer may have left at any
moment since his last purchase. What is known of him is an integral over those moments,

    int_0^t (1 + w / A)^-m (1 + w / B)^-n dw,

with A, B, m and n made of the parameters and the history. Its closed forms are differences of hypergeometric
functions that lose all digits where A = B, where counts are high or where leaving is rare. Here it is taken
on Gauss-Legendre nodes, and what the derivatives of a log-likelihood need are moments on the same nodes.

The families of known hazard of leaving use this: :mod:`habitue.numerics.pareto_nbd`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from habitue.numerics.arrays import FloatArray, Rows
from habitue.numerics.many_rows import cut
from habitue.numerics.quadrature import legendre_rule

__all__ = ["silent_integral", "silent_moments", "silent_probability"]

_ELEMENTS_AT_ONCE = 32_768  # rows x nodes: half a dozen such arrays stay in the L2 cache

_NEGLIGIBLE = 34.0  # e^-34 = 2e-15: the integral is cut where the integrand has fallen by that much
_NEWTON_STEPS = 7

# Nodes that give twelve digits up to a length of the interval (the integrand has singularities at a distance
# of pi from it) and a fall of its logarithm. Found against 4,000 nodes at 40,000 points with m, n to 1e4.
_NODES = (8, 16, 32, 64, 128)
_LENGTHS = (1.0, 2.5, 7.0, 16.0)
_FALLS = (3.0, 22.0)


class _Block(NamedTuple):
    """Rows that share a rule, with the integrand on its nodes; arrays of shape (n_nodes, n_rows)."""

    rows: Rows
    a_is_near: bool  # A <= B
    near: FloatArray  # log(1 + w / min(A, B))
    far: FloatArray  # log(1 + w / max(A, B))
    integrand: FloatArray
    weights: FloatArray  # of the nodes
    lengths: FloatArray  # of the rows: what the weighted sum of the integrand is to be multiplied by


def silent_integral(m: FloatArray, A: FloatArray, n: FloatArray, B: FloatArray, t: FloatArray) -> FloatArray:
    """Return the integral of (1 + w / A)^-m (1 + w / B)^-n over w from 0 to t.

    Parameters
    ----------
    m, n : ndarray of shape (n_rows,)
        Exponents, >= 0 and with a sum > 1 unless t is finite.
    A, B : ndarray of shape (n_rows,)
        Positive.
    t : ndarray of shape (n_rows,)
        End of the integral, >= 0.

    Returns
    -------
    ndarray of shape (n_rows,)
        The integrals, to twelve digits; exactly 0 at t = 0.

    Notes
    -----
    With c the smaller of A and B, w = c (e^v - 1) takes the nearer singularity away and leaves the farther
    one at a distance of pi from the real line, so that Gauss-Legendre nodes in v converge fast. Minus the
    logarithm of the integrand is convex in v: Newton's steps from the right find, without passing it, where
    the integral may be cut. Rows are grouped by the number of nodes they need.

    Examples
    --------
    The integral of (1 + w)^-3 to infinity is a half:

    >>> one = np.ones(1)
    >>> silent_integral(one, one, 2 * one, one, 1e9 * one).round(12).tolist()
    [0.5]
    """
    answer = np.empty(t.shape)
    for block in _blocks(m, A, n, B, t):
        answer[block.rows] = block.lengths * (block.weights @ block.integrand)
    return answer


def silent_moments(m: FloatArray, A: FloatArray, n: FloatArray, B: FloatArray, t: FloatArray) -> FloatArray:
    """Return the same integral with products of what derivatives are made of under it.

    Parameters
    ----------
    m, n : ndarray of shape (n_rows,)
        Exponents, as in :func:`silent_integral`.
    A, B : ndarray of shape (n_rows,)
        Positive.
    t : ndarray of shape (n_rows,)
        End of the integral, >= 0.

    Returns
    -------
    ndarray of shape (5, 5, n_rows)
        Symmetric: entry (i, j) is the integral of f_i f_j (1 + w / A)^-m (1 + w / B)^-n, where f is 1,
        log(1 + w / A), w / (A + w), log(1 + w / B), w / (B + w).

    Examples
    --------
    >>> one = np.ones(1)
    >>> silent_moments(one, one, 2 * one, one, 1e9 * one)[0, :, 0].round(12).tolist()
    [0.5, 0.25, 0.166666666667, 0.25, 0.166666666667]
    """
    answer = np.empty((5, 5, t.size))
    for block in _blocks(m, A, n, B, t):
        mass = block.integrand
        mass *= block.weights[:, None]
        mass *= block.lengths
        near = (block.near, -np.expm1(-block.near))
        far = (block.far, -np.expm1(-block.far))
        factors = (*near, *far) if block.a_is_near else (*far, *near)
        moments = np.empty((5, 5, block.rows.size))
        moments[0, 0] = mass.sum(axis=0)
        for i, factor in enumerate(factors, start=1):
            weighted = mass * factor
            moments[0, i] = moments[i, 0] = weighted.sum(axis=0)
            for j, other in enumerate(factors[:i], start=1):
                moments[i, j] = moments[j, i] = np.einsum("ij,ij->j", weighted, other)
            moments[i, i] = np.einsum("ij,ij->j", weighted, factor)
        answer[:, :, block.rows] = moments
    return answer


def silent_probability(
    k: FloatArray, A: FloatArray, s: FloatArray, B: FloatArray, t: FloatArray
) -> FloatArray:
    """Return the probability to buy nothing within t where rates of leaving are Gamma distributed.

    Parameters
    ----------
    k, A : ndarray of shape (n_rows,)
        Shape and rate of the Gamma distribution of purchase rates.
    s, B : ndarray of shape (n_rows,)
        Shape and rate of that of rates of leaving.
    t : ndarray of shape (n_rows,)
        Length of the silence, >= 0.

    Returns
    -------
    ndarray of shape (n_rows,)
        (1 + t / A)^-k (1 + t / B)^-s, still there, plus s / B int_0^t (1 + u / A)^-k (1 + u / B)^-(s + 1) du,
        left at u.

    Examples
    --------
    >>> one = np.ones(1)
    >>> silent_probability(one, one, one, one, one).tolist()
    [0.625]
    """
    still_there = np.exp(-k * np.log1p(t / A) - s * np.log1p(t / B))
    return still_there + s / B * silent_integral(k, A, s + 1.0, B, t)


def _blocks(m: FloatArray, A: FloatArray, n: FloatArray, B: FloatArray, t: FloatArray) -> Iterator[_Block]:
    """Yield the rows in groups that need the same nodes, with the integrand on them."""
    a_is_near = A <= B
    c = np.minimum(A, B)
    ratio = c / np.maximum(A, B)
    own, other = np.where(a_is_near, m, n), np.where(a_is_near, n, m)
    length = _cut(own, other, ratio, np.log1p(t / c))
    fall = np.abs(own - 1.0 + other * ratio) * length
    rule = np.maximum(np.searchsorted(_LENGTHS, length), np.searchsorted(_FALLS, fall))
    group = 2 * rule + a_is_near
    for code in np.unique(group):
        members = np.flatnonzero(group == code)
        nodes, weights = legendre_rule(_NODES[code // 2])
        for rows in cut(members, _ELEMENTS_AT_ONCE // nodes.size):
            near = nodes[:, None] * length[rows]
            far = np.expm1(near)
            far *= ratio[rows]
            np.log1p(far, out=far)
            integrand = near * (1.0 - own[rows])
            integrand -= other[rows] * far
            np.exp(integrand, out=integrand)
            yield _Block(rows, bool(code % 2), near, far, integrand, weights, c[rows] * length[rows])


def _cut(own: FloatArray, other: FloatArray, ratio: FloatArray, length: FloatArray) -> FloatArray:
    """Return the length of the interval in v beyond which nothing is left to integrate."""
    for _ in range(_NEWTON_STEPS):
        grown = ratio * np.expm1(length)
        fallen = (own - 1.0) * length + other * np.log1p(grown)
        slope = own - 1.0 + other * (grown + ratio) / (1.0 + grown)
        beyond = fallen > _NEGLIGIBLE
        if not beyond.any():
            break
        length = np.where(beyond, length - (fallen - _NEGLIGIBLE) / np.where(beyond, slope, 1.0), length)
    return length
