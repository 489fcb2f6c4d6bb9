"""What a customer who is still there will buy, when the probability to leave after each purchase is unknown.

Such a customer buys at rate lambda ~ Gamma(shape, rate c), c the time it has been looked at, and leaves after
each purchase with probability p ~ Beta(a, b). Time ahead is given in multiples of c, which leaves three
numbers: shape, a, b. The means over lambda are closed; those over p, and over time where purchases are
discounted, are integrals, and this module is about taking them to ten digits wherever the numbers lie.

It deliberately does not know how shape, a and b follow from a history: that is
:mod:`habitue.numerics.beta_dropout`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray
from habitue.numerics.beta_ratio import log_beta, log_beta_ratio
from habitue.numerics.many_rows import CELLS_AT_ONCE, by_nodes, cut
from habitue.numerics.quadrature import beta_rule, legendre_rule, log_odds_window

__all__ = ["discounted", "purchases", "residual"]

# Beyond these, Gauss-Jacobi nodes no longer give ten digits: see _is_smooth.
_AHEAD_AT_MOST = 10.0
_FALL_AT_MOST = 1.5

_NEGLIGIBLE = 26.0  # -log of what may be left out of an integral, relative to it
_NODES_IN_STEPS_OF = 16

# Discounting: log-times are _TIME_STEP apart, from e^-26 to e^3.7 times the time scale of the discount.
_TIME_STEP = 0.33
_EARLIEST, _LATEST = -26.0, 3.7
_STRIP = 1.4  # half-width of the strip around the real axis where the integrand is tame; at most pi / 2


def purchases(shape: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike, ahead: npt.ArrayLike) -> FloatArray:
    """Return how many purchases are expected of customers who are still there.

    Parameters
    ----------
    shape : array_like of shape (n,)
        Shape of the Gamma distribution of the rate of purchases.
    a : float or array_like of shape (n,)
        First parameter of the Beta distribution of the probability to leave. Where it is one number for
        all, few distinct b are expected, and the points of a quadrature rule are shared by all who share b.
    b : array_like of shape (n,)
        Its second parameter.
    ahead : array_like of shape (n,)
        Length of the time ahead, in units of the inverse rate of the Gamma distribution.

    Returns
    -------
    ndarray of shape (n,)
        E[(1 - (1 + p ahead)^-shape) / p].

    Notes
    -----
    Where the integrand is smooth on the scale of a Beta distribution shared by many, Gauss-Jacobi nodes;
    elsewhere the trapezoidal rule over the log-odds of p.

    Examples
    --------
    >>> purchases([2.243], 0.793, [4.426], [1.2]).round(6).tolist()
    [2.142884]
    """
    s, b_, z = _columns(shape, b, ahead)
    if np.ndim(a) > 0:
        return _by_trapezoids(s, _columns(a)[0], b_, z)
    smooth = _is_smooth(s, float(np.asarray(a)), b_, z)
    answer = np.empty(z.shape)
    if smooth.any():
        answer[smooth] = _by_gauss(s[smooth], float(np.asarray(a)), b_[smooth], z[smooth])
    if not smooth.all():
        rest = ~smooth
        answer[rest] = _by_trapezoids(s[rest], np.full(int(rest.sum()), a), b_[rest], z[rest])
    return answer


def discounted(
    shape: npt.ArrayLike,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    ahead: npt.ArrayLike,
    rate: npt.ArrayLike,
) -> FloatArray:
    """Return the same purchases, each discounted to now.

    Parameters
    ----------
    shape : array_like of shape (n,)
        Shape of the Gamma distribution of the rate of purchases.
    a : float or array_like of shape (n,)
        First parameter of the Beta distribution of the probability to leave.
    b : array_like of shape (n,)
        Its second parameter.
    ahead : array_like of shape (n,)
        Length of the time ahead, in units of the inverse rate of the Gamma distribution.
    rate : array_like of shape (n,)
        Continuous rate of discount per the same unit, >= 0.

    Returns
    -------
    ndarray of shape (n,)
        E[sum of e^(-rate u)] over purchases at u in (0, ahead].

    Notes
    -----
    By parts, with M(w) the purchases until w: e^(-rate ahead) M(ahead) + integral of rate e^(-rate w) M(w)
    over (0, ahead): nothing is subtracted, and without discount it is M itself. The integral is taken by
    Gauss-Legendre nodes over log(1 + k w), k = shape + rate + 1, where M and the discount are tame within
    half a turn of the real axis; the number of nodes follows the length of that interval.

    Examples
    --------
    >>> discounted([2.243], 0.793, [4.426], [1.2], [0.0]) == purchases([2.243], 0.793, [4.426], [1.2])
    array([ True])
    """
    s, b_, z, d = _columns(shape, b, ahead, rate)
    answer = np.exp(-d * z) * purchases(s, a, b_, z)
    scale = s + d + 1.0
    # beyond 45 / rate nothing counts
    end = np.log1p(scale * np.minimum(z, 45.0 / np.maximum(d, 1e-300)))
    half = 0.5 * np.maximum(end, 1e-6)
    n_nodes = _rounded_up(0.5 * _NEGLIGIBLE / np.log((_STRIP + np.hypot(_STRIP, half)) / half))
    for n, rows in by_nodes(np.where(d > 0.0, n_nodes, 0)):
        points, weights = legendre_rule(n)
        q = end[rows, None] * points
        w = np.expm1(q) / scale[rows, None]
        bought = _purchases_on_grid(s[rows], _at(a, rows), b_[rows], w)
        density = d[rows, None] * (w + 1.0 / scale[rows, None]) * np.exp(-d[rows, None] * w)
        answer[rows] += end[rows] * ((weights * density) * bought).sum(axis=1)
    return answer


def residual(shape: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike, rate: npt.ArrayLike) -> FloatArray:
    """Return all purchases to come, each discounted to now.

    Parameters
    ----------
    shape : array_like of shape (n,)
        Shape of the Gamma distribution of the rate of purchases.
    a : float or array_like of shape (n,)
        First parameter of the Beta distribution of the probability to leave.
    b : array_like of shape (n,)
        Its second parameter.
    rate : array_like of shape (n,)
        Continuous rate of discount per inverse rate of the Gamma distribution, > 0.

    Returns
    -------
    ndarray of shape (n,)
        E[lambda / (lambda p + rate)].

    Notes
    -----
    A discount is a random end: the integral of rate e^(-rate w) M(w) over (0, infinity), M(w) the purchases
    until w. Over log w the integrand is analytic and dies off on both sides, so the trapezoidal rule is
    exact to rounding; its nodes lie on one lattice, so that customers who differ in the rate alone share
    the values of M.

    Examples
    --------
    >>> residual([2.243], 0.793, [4.426], [0.117]).round(6).tolist()
    [7.091348]
    """
    s, b_, d = _columns(shape, b, rate)
    first = np.broadcast_to(np.asarray(a, dtype=np.float64), s.shape)
    answer = np.empty(d.shape)
    for rows in cut(np.lexsort((d, s, b_, first)), CELLS_AT_ONCE // _NODES_IN_STEPS_OF):
        changed = (np.diff(s[rows]) != 0.0) | (np.diff(b_[rows]) != 0.0) | (np.diff(first[rows]) != 0.0)
        which = np.concatenate([[0], np.cumsum(changed)])
        distinct = rows[np.concatenate([[True], changed])]
        log_rate = np.log(d[rows, None])
        lattice = np.arange(
            np.floor((_EARLIEST - log_rate.max()) / _TIME_STEP),
            np.ceil((_LATEST - log_rate.min()) / _TIME_STEP) + 1.0,
        )
        log_w = _TIME_STEP * lattice
        w = np.broadcast_to(np.exp(log_w), (distinct.size, log_w.size))
        bought = _purchases_on_grid(s[distinct], _at(a, distinct), b_[distinct], w)
        waited = log_w + log_rate
        inside = (waited >= _EARLIEST) & (waited <= _LATEST)
        waited = np.clip(waited, _EARLIEST, _LATEST)
        density = np.where(inside, _TIME_STEP * np.exp(waited - np.exp(waited)), 0.0)
        answer[rows] = (density * bought[which]).sum(axis=1)
    return answer


def _columns(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Return the values as one-dimensional arrays of floats."""
    return tuple(np.asarray(value, dtype=np.float64).reshape(-1) for value in values)


def _at(a: npt.ArrayLike, rows: npt.NDArray[np.intp]) -> npt.ArrayLike:
    """Return the rows of a, or a itself where it is one number."""
    return np.asarray(a, dtype=np.float64)[rows] if np.ndim(a) > 0 else a


def _rounded_up(n_nodes: FloatArray) -> npt.NDArray[np.intp]:
    """Return the next multiple of sixteen, so that rows of nearly as many nodes are done together."""
    return (_NODES_IN_STEPS_OF * np.ceil(n_nodes / _NODES_IN_STEPS_OF)).astype(np.intp)


def _purchases_on_grid(s: FloatArray, a: npt.ArrayLike, b: FloatArray, w: FloatArray) -> FloatArray:
    """Return purchases until each of several times a row; w is of shape (rows, times)."""
    n = w.shape[1]
    first = np.repeat(np.asarray(a, dtype=np.float64), n) if np.ndim(a) > 0 else a
    return purchases(np.repeat(s, n), first, np.repeat(b, n), w.ravel()).reshape(w.shape)


def _is_smooth(s: FloatArray, a: float, b: FloatArray, z: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell where the integrand over p bends so little that Gauss-Jacobi nodes do.

    It has a branch point at p = -1 / z and falls like exp(-s z p), against a Beta distribution that lives
    on the scale 1 / (a + b).
    """
    return (z <= _AHEAD_AT_MOST) & (z * s <= _FALL_AT_MOST * (a + b))


def _by_gauss(s: FloatArray, a: float, b: FloatArray, z: FloatArray) -> FloatArray:
    """Return E[(1 - (1 + p z)^-s) / p] by Gauss-Jacobi quadrature, one rule for each distinct b."""
    distinct = np.unique(b)
    rule = beta_rule(a, distinct)
    nodes = np.maximum(rule.nodes, np.finfo(np.float64).tiny)
    weights = rule.weights / nodes
    which = np.searchsorted(distinct, b)
    answer = np.empty(z.shape)
    for rows in cut(np.arange(z.size), CELLS_AT_ONCE // nodes.shape[1]):
        silent = -s[rows, None] * np.log1p(nodes[which[rows]] * z[rows, None])
        answer[rows] = -(weights[which[rows]] * np.expm1(silent)).sum(axis=1)
    return answer


def _by_trapezoids(s: FloatArray, a: FloatArray, b: FloatArray, z: FloatArray) -> FloatArray:
    """Return E[f(p)], f(p) = (1 - (1 + p z)^-s) / p, by the trapezoidal rule over the log-odds v of p.

    Where a is small, much of the mean comes from p next to zero, over an endless range of v. There f is
    flat, f(0) = s z; so f(0) (1 - p)^k is taken out, whose mean is a ratio of Beta functions, and f(1) p,
    which does the same for small b. What is left, times the Beta density, falls like e^((1 + a) v) and
    e^(-(1 + b) v). By Jensen's inequality f(p) >= f(0) (1 - p)^k for k = (1 + s) z / 2, so what is
    taken out is never more than the whole, and no digits are lost. One step is short enough for the strip
    in which the density is tame; it shrinks as the Beta distribution narrows.
    """
    k = np.maximum(0.5 * (1.0 + s) * z, 1.0)
    at_zero, at_one = s * z, -np.expm1(-s * np.log1p(z))
    answer = at_zero * np.exp(log_beta_ratio(a, b, k)) + at_one * (a / (a + b))
    norm = log_beta(a, b)
    start, step, n_nodes = log_odds_window(a + 1.0, b + 1.0, k, _NEGLIGIBLE)
    for n, rows in by_nodes(_rounded_up(n_nodes)):
        v = start[rows, None] + step[rows, None] * np.arange(float(n))
        odds = np.exp(v)
        log_stay = -np.log1p(odds)
        p = odds / (1.0 + odds)
        density = np.exp(a[rows, None] * v + (a + b)[rows, None] * log_stay - norm[rows, None])
        f = -np.expm1(-s[rows, None] * np.log1p(p * z[rows, None])) / p
        rest = f - at_zero[rows, None] * np.exp(k[rows, None] * log_stay) - at_one[rows, None] * p
        answer[rows] += step[rows] * (density * rest).sum(axis=1)
    return answer
