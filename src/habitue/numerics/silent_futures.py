r"""What customers who may leave at any time will do, given that they are still there.

Pareto/NBD and GGompertz/NBD differ in one thing, when customers leave; a :class:`Leaving` says it. Seen from
now on, a customer who is still there is like a new one with other parameters: purchases come at a rate
lambda ~ Gamma(k, rate A) until he leaves at a random time u, independent of lambda. Everything here is an
integral over that moment, of positive terms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from habitue.numerics.arrays import FloatArray, Rows
from habitue.numerics.panels import Panels, resolve
from habitue.numerics.purchases import Purchases

__all__ = [
    "FALLS",
    "Leaving",
    "count_probability",
    "left_silently",
    "purchases_until",
    "silent_probability",
    "survival_integral",
    "wakes",
]

# Where a factor of an integrand has fallen to e^-1, e^-6, e^-36 there are edges, lest a fall be overlooked.
FALLS = np.array([[1.0], [6.0], [36.0]])

_HORIZONS = 60.0  # purchases further ahead than 60 / rate are worth e^-60 of the whole
_WIDTHS = (6.0, 9.0)  # of a peak: where it is smooth, and where it ends
_BISECTIONS = 30


class Leaving(NamedTuple):
    """When customers leave: the distribution of the time u until then, one a row.

    Attributes
    ----------
    log_survival : callable
        Of rows and times u of shape (..., n): log P(still there at u).
    log_hazard : callable
        Of the same: log of the rate of leaving at u.
    steepness : callable
        Of the same: minus the derivative of the log density of u by log u.
    scale : ndarray of shape (n_rows,)
        The shortest time at which the hazard changes.
    edges : ndarray of shape (n_edges, n_rows)
        Times at which the chance to be there has fallen by each of ``FALLS``, and near which the density
        has its mode.
    end : ndarray of shape (n_rows,)
        Time at which hardly anybody is left, where there is one; infinite otherwise.
    """

    log_survival: Callable[[Rows, FloatArray], FloatArray]
    log_hazard: Callable[[Rows, FloatArray], FloatArray]
    steepness: Callable[[Rows, FloatArray], FloatArray]
    scale: FloatArray
    edges: FloatArray
    end: FloatArray


def survival_integral(leaving: Leaving, rate: FloatArray, t: FloatArray) -> FloatArray:
    """Return the integral of e^(-rate u) P(still there at u) over u from 0 to t: discounted time of life.

    Parameters
    ----------
    leaving : Leaving
        When customers leave.
    rate : ndarray of shape (n_rows,)
        Discount rate, >= 0.
    t : ndarray of shape (n_rows,)
        End, may be infinite where rate > 0 or ``leaving.end`` is finite.

    Returns
    -------
    ndarray of shape (n_rows,)
        The integrals, in units of time.

    Notes
    -----
    Times purchases per unit of time, this is the discounted expected number of purchases.
    """
    waiting = np.full(rate.shape, np.inf)
    np.divide(1.0, rate, out=waiting, where=rate > 0.0)
    until = np.minimum(np.minimum(t, _HORIZONS * waiting), leaving.end)
    c = np.minimum(leaving.scale, waiting)

    def density(row: Rows, v: FloatArray) -> FloatArray:
        u = c[row] * np.expm1(v)
        return np.exp(leaving.log_survival(row, u) - rate[row] * u) * (c[row] + u)

    edges = _edges(np.vstack([FALLS * waiting, leaving.edges]), until)
    return resolve(density, np.log1p(edges / c)).integral


def left_silently(leaving: Leaving, k: FloatArray, A: FloatArray, t: FloatArray) -> Panels:
    """Return the probability to leave within t, and to have bought nothing before.

    Parameters
    ----------
    leaving : Leaving
        When customers leave.
    k, A : ndarray of shape (n_rows,)
        Shape and rate of the Gamma distribution of purchase rates.
    t : ndarray of shape (n_rows,)
        Length of the silence, finite.

    Returns
    -------
    Panels
        In ``integral`` the probabilities. The panels are in v with u = c (e^v - 1),
        c = min(A, leaving.scale).
    """
    c = np.minimum(A, leaving.scale)

    def density(row: Rows, v: FloatArray) -> FloatArray:
        u = c[row] * np.expm1(v)
        silent = leaving.log_survival(row, u) + leaving.log_hazard(row, u) - k[row] * np.log1p(u / A[row])
        return np.exp(silent) * (c[row] + u)

    return resolve(density, np.log1p(_silent_edges(leaving, k, A, t) / c))


def silent_probability(k: FloatArray, A: FloatArray, leaving: Leaving, t: FloatArray) -> FloatArray:
    """Return the probability to buy nothing within t.

    Parameters
    ----------
    k, A : ndarray of shape (n_rows,)
        Shape and rate of the Gamma distribution of purchase rates.
    leaving : Leaving
        When customers leave.
    t : ndarray of shape (n_rows,)
        Length of the silence, finite.

    Returns
    -------
    ndarray of shape (n_rows,)
        Still there and silent, plus ``left_silently``.
    """
    there = np.exp(leaving.log_survival(np.arange(t.size), t) - k * np.log1p(t / A))
    return there + left_silently(leaving, k, A, t).integral


def wakes(leaving: Leaving, k: FloatArray, A: FloatArray, t: FloatArray) -> FloatArray:
    """Return the probability to buy at least once within t, with all its digits where it is small.

    Parameters
    ----------
    leaving : Leaving
        When customers leave.
    k, A : ndarray of shape (n_rows,)
        Shape and rate of the Gamma distribution of purchase rates.
    t : ndarray of shape (n_rows,)
        Length of the time looked at, finite.

    Returns
    -------
    ndarray of shape (n_rows,)
        int_0^t k / (A + u) (A / (A + u))^k P(still there at u) du: first purchase at u.
    """
    c = np.minimum(A, leaving.scale)

    def density(row: Rows, v: FloatArray) -> FloatArray:
        u = c[row] * np.expm1(v)
        first = np.exp(leaving.log_survival(row, u) - k[row] * np.log1p(u / A[row]))
        return first * (k[row] / (A[row] + u)) * (c[row] + u)

    return resolve(density, np.log1p(_silent_edges(leaving, k, A, t) / c)).integral


def count_probability(
    leaving: Leaving, k: FloatArray, A: FloatArray, t: FloatArray, n: FloatArray
) -> FloatArray:
    """Return the probability of exactly n purchases within t.

    Parameters
    ----------
    leaving : Leaving
        When customers leave.
    k, A : ndarray of shape (n_rows,)
        Shape and rate of the Gamma distribution of purchase rates.
    t : ndarray of shape (n_rows,)
        Length of the time ahead, finite.
    n : ndarray of shape (n_rows,)
        Numbers of purchases, whole >= 0.

    Returns
    -------
    ndarray of shape (n_rows,)
        Probabilities.

    Notes
    -----
    P(N(t) = n) P(still there at t) + int_0^t P(N(u) = n) f(u) du, with f the density of leaving and P(N(u)
    = n) negative binomial: Gamma(k + n) / (Gamma(k) n!) (A / (A + u))^k (u / (A + u))^n.
    """
    c = np.minimum(A, leaving.scale)
    ways = gammaln(k + n) - gammaln(k) - gammaln(n + 1.0)

    def log_count(row: Rows, u: FloatArray) -> FloatArray:
        return ways[row] - k[row] * np.log1p(u / A[row]) + n[row] * np.log(u / (A[row] + u))

    def density(row: Rows, v: FloatArray) -> FloatArray:
        u = c[row] * np.expm1(v)
        left = leaving.log_survival(row, u) + leaving.log_hazard(row, u)
        return np.exp(log_count(row, u) + left) * (c[row] + u)

    edges = _edges(np.vstack([_peaks(leaving, k, A, t, n), leaving.edges]), t)
    left = resolve(density, np.log1p(edges / c)).integral
    everybody, later = np.arange(t.size), np.where(t > 0.0, t, 1.0)
    there = np.exp(log_count(everybody, later) + leaving.log_survival(everybody, later))
    return np.where(t > 0.0, left + there, n == 0.0)


def purchases_until(
    end: FloatArray,
    is_alive: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    T: FloatArray,
    purchase_rate: FloatArray,
    random_state: np.random.Generator,
) -> Purchases:
    """Draw purchases at a constant rate, from T on, until each customer's end.

    Parameters
    ----------
    end : ndarray of shape (n_customers,)
        How long after T each customer is there, >= 0.
    is_alive : ndarray of bool of shape (n_customers,)
        Whether he is there at the end of the time looked at.
    T : ndarray of shape (n_customers,)
        Now.
    purchase_rate : ndarray of shape (n_customers,)
        Purchases per unit of time.
    random_state : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Purchases
        Times ascending within a customer.

    Notes
    -----
    A Poisson process given its count is that many uniform times, in order.

    Examples
    --------
    >>> one = np.ones(1)
    >>> purchases_until(3 * one, one > 0, one, 1e3 * one, np.random.default_rng(0)).customer.size
    3022
    """
    counts = random_state.poisson(purchase_rate * end)
    customer = np.repeat(np.arange(end.size), counts)
    time = T[customer] + end[customer] * random_state.random(customer.size)
    return Purchases(customer, time[np.lexsort((time, customer))], is_alive)


def _edges(inside: FloatArray, end: FloatArray) -> FloatArray:
    """Return 0, the given times as far as they lie before the end, and the end, in order."""
    return np.sort(np.vstack([np.zeros_like(end), np.minimum(inside, end), end]), axis=0)


def _silent_edges(leaving: Leaving, k: FloatArray, A: FloatArray, t: FloatArray) -> FloatArray:
    """Return where the chance to be silent, or that to be there, has fallen."""
    return _edges(np.vstack([A * np.expm1(np.minimum(FALLS / k, 600.0)), leaving.edges]), t)


def _peaks(leaving: Leaving, k: FloatArray, A: FloatArray, t: FloatArray, n: FloatArray) -> FloatArray:
    """Return where P(N(u) = n) f(u) may peak, as a function of log u, and the feet of those peaks."""
    rows = np.arange(t.size)

    def rising(log_u: FloatArray) -> FloatArray:
        u = np.exp(log_u)
        return n + 1.0 - (k + n) * (u / (A + u)) - leaving.steepness(rows, u)

    high = np.log(np.maximum(t, np.finfo(np.float64).tiny))
    low = np.minimum(high, np.log(np.minimum(A, leaving.scale)) - 30.0)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        before = rising(middle) > 0.0
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    bend = (rising(low - 1e-3) - rising(low + 1e-3)) / 2e-3
    counted = np.log(A) + np.log((n + 0.5) / k)
    widths = (1.0 / np.sqrt(np.maximum(bend, 0.02)), np.sqrt(1.0 / k + 1.0 / (n + 1.0)))
    peaks = [
        centre + side * np.minimum(far * width, 40.0)
        for centre, width in zip((low, counted), widths, strict=True)
        for far in (0.0, *_WIDTHS)
        for side in (-1.0, 1.0)
    ]
    return np.exp(np.minimum(peaks, 700.0))
