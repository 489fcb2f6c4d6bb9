r"""What BG/CNBD-k and MBG/CNBD-k share: regular buyers, who may leave after each purchase.

Hidden events come at random times with rate lambda ~ Gamma(r, rate alpha), and every k-th of them is a
purchase: the gaps between purchases are Erlang(k, lambda), the more regular the larger k. After a purchase
the customer leaves for good with probability p ~ Beta(a, b); the families differ in whether he may do so
right after the very first one, at time 0, too. So a history of x repeat purchases holds x + m chances to
leave, m = 0 in BG/CNBD-k and m = 1 in MBG/CNBD-k.

Two numbers sum up the silence since the last purchase, s = r + k x and y = (T - t_x) / (alpha + T): were he
still there, the number of hidden events in it would be negative binomial, NB(s, y), and below k. Its
probability is A = (1 - y)^s sum over j < k of (s)_j y^j / j!, and the terms of the sum are the weights of
the *stage* j, how many of the k events of the running gap are over.

This module tells what histories say; what comes next is :mod:`habitue.numerics.erlang_ahead`. Each function
is documented in :mod:`habitue.numerics.bgcnbdk` and :mod:`habitue.numerics.mbgcnbdk`. Nothing is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, gammaln

from habitue.numerics.arrays import FloatArray, floats, over_counts
from habitue.numerics.beta_ratio import digamma_difference, log_beta, log_beta_ratio, trigamma_difference
from habitue.numerics.many_rows import in_blocks

__all__ = [
    "Customers",
    "Field",
    "Fields",
    "customers",
    "gradient",
    "hessian",
    "log_likelihood",
    "p_alive",
    "p_no_purchase",
    "stages",
]

Field: TypeAlias = float | FloatArray
Fields: TypeAlias = tuple[int, Field, Field, Field, Field]  # k, r, alpha, a, b

_TINY = 1e-300
_LARGEST_LOG = 709.0  # e^709 is still a number
_HARDLY_ANY = 1e-4  # below it 1 - A is a tail of its own, not a difference


class Customers(NamedTuple):
    """Histories beside the parameters: numbers where a parameter is the same for all, else arrays."""

    r: Field
    alpha: Field
    a: Field
    b: Field
    x: FloatArray
    t_x: FloatArray
    T: FloatArray


class _Silence(NamedTuple):
    """What the time since the last purchase says, row by row."""

    s: FloatArray  # shape of lambda after x repeat purchases
    log_silent: FloatArray  # log P(silent since t_x, were he still there)
    stages: FloatArray  # (k, rows): P(j hidden events since t_x | alive)
    log_odds: FloatArray  # log(P(left) / P(alive)); minus infinity where there was no chance to leave


def customers(params: Fields, *values: npt.ArrayLike) -> tuple[Customers, tuple[FloatArray, ...]]:
    """Return parameters and histories, brought to one shape, and what was handed in beyond T.

    Parameters
    ----------
    params : tuple
        k, r, alpha, a, b.
    *values : array_like
        frequency, recency, T, and others to be broadcast with them.

    Returns
    -------
    known : Customers
        Parameters and histories.
    others : tuple of ndarray
        The other values.
    """
    _, *fields = params
    if all(np.ndim(field) == 0 for field in fields):
        r, alpha, a, b = (float(field) for field in fields)
        x, t_x, until, *others = floats(*values)
        return Customers(r, alpha, a, b, x, t_x, until), tuple(others)
    first, *rest = floats(*fields, *values)
    return Customers(first, *rest[:6]), tuple(rest[6:])


def log_likelihood(
    params: Fields,
    m: int,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    log_gaps: npt.ArrayLike,
) -> FloatArray:
    """Return the log of the density of each history.

    Parameters
    ----------
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.
    log_gaps : array_like
        Sums of the logs of the gaps between purchases.

    Returns
    -------
    ndarray
        One a customer.
    """
    k = int(params[0])
    c, (gaps,) = customers(params, frequency, recency, T, log_gaps)
    of_count = _over_counts(partial(_log_rising, k), c.r, c.x) - gammaln(k) * c.x + (k - 1.0) * gaps
    of_count = of_count + _over_counts(partial(_log_stayed, m), c.a, c.x, c.b)
    return in_blocks(partial(_log_likelihood, k, m), *c, of_count)


def gradient(
    params: Fields, m: int, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return its derivatives with respect to r, alpha, a, b, along a last axis.

    Parameters
    ----------
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.

    Returns
    -------
    ndarray of shape (..., 4)
        One row a customer.
    """
    k = int(params[0])
    c, _ = customers(params, frequency, recency, T)
    by_count = _differences(digamma_difference, k, m, c)
    return in_blocks(partial(_gradient, k, m), *c, *by_count)


def hessian(
    params: Fields, m: int, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return its second derivatives with respect to r, alpha, a, b, along two last axes.

    Parameters
    ----------
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.

    Returns
    -------
    ndarray of shape (..., 4, 4)
        One symmetric matrix a customer.
    """
    k = int(params[0])
    c, _ = customers(params, frequency, recency, T)
    by_count = _differences(trigamma_difference, k, m, c)
    return in_blocks(partial(_hessian, k, m), *c, *by_count)


def p_alive(
    params: Fields, m: int, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return the probability that each customer has not left yet.

    Parameters
    ----------
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.

    Returns
    -------
    ndarray
        One a customer.
    """
    c, _ = customers(params, frequency, recency, T)
    return in_blocks(partial(_p_alive, int(params[0]), m), *c)


def p_no_purchase(
    params: Fields,
    m: int,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
) -> FloatArray:
    """Return the probability that each customer buys nothing in (T, T + t].

    Parameters
    ----------
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.
    t : array_like
        Length of the time ahead, >= 0.

    Returns
    -------
    ndarray
        One a customer.
    """
    c, (ahead,) = customers(params, frequency, recency, T, t)
    return in_blocks(partial(_p_no_purchase, int(params[0]), m), *c, ahead)


def stages(params: Fields, m: int, known: Customers) -> tuple[FloatArray, FloatArray]:
    """Return P(alive) and, along a first axis, the probability of each stage of those alive.

    Parameters
    ----------
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
    m : {0, 1}
        Chances to leave at the first purchase.
    known : Customers
        What :func:`customers` returns.

    Returns
    -------
    alive : ndarray
        P(alive).
    shares : ndarray of shape (k, ...)
        P(stage | alive).
    """
    k = int(params[0])

    def both(*columns: Field) -> FloatArray:
        silence = _silence(k, m, Customers(*columns))  # type: ignore[arg-type]
        return np.concatenate([_expit(-silence.log_odds)[None], silence.stages]).T

    answer = np.ascontiguousarray(np.moveaxis(in_blocks(both, *known), -1, 0))
    return answer[0], answer[1:]


def _over_counts(
    function: Callable[..., FloatArray], field: Field, x: FloatArray, *more: Field
) -> FloatArray:
    """Return function(field, *more, x), from a table over x where the parameters are the same for all."""
    bound = partial(function, field, *more)
    return bound(x) if isinstance(field, np.ndarray) else over_counts(bound, x)


def _differences(
    difference: Callable[..., FloatArray], k: int, m: int, c: Customers
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return |f(z + n) - f(z)|: z = r, n = k x; z = b, n = chances but the last; z = a + b, n = chances."""
    return (
        _over_counts(lambda z, x: difference(z, k * x), c.r, c.x),
        _over_counts(lambda z, x: difference(z, np.maximum(x + (m - 1.0), 0.0)), c.b, c.x),
        _over_counts(lambda z, x: difference(z, x + m), c.a + c.b, c.x),
    )


def _log_rising(k: int, r: Field, x: FloatArray) -> FloatArray:
    """Return log of Gamma(r + k x) / Gamma(r)."""
    count = np.maximum(k * x, 1.0)
    return np.where(x > 0.0, gammaln(count) - log_beta(r, count), 0.0)


def _log_stayed(m: int, a: Field, b: Field, x: FloatArray) -> FloatArray:
    """Return log P(he took none of the chances to leave but, perhaps, the last)."""
    return log_beta_ratio(a, b, np.maximum(x + (m - 1.0), 0.0))


def _expit(log_odds: FloatArray) -> FloatArray:
    """Return 1 / (1 + e^-v); never exactly 0."""
    return 1.0 / (1.0 + np.exp(np.minimum(-log_odds, _LARGEST_LOG)))


def _stage_sum(k: int, s: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log of the sum over j < k of (s)_j y^j / j!, and the share of each term."""
    logs = np.zeros((k, *s.shape))
    log_y = np.log(np.maximum(y, _TINY)) if k > 1 else y
    for j in range(1, k):
        logs[j] = logs[j - 1] + np.log((s + (j - 1.0)) / j) + log_y
    top = logs.max(axis=0)
    terms = np.exp(logs - top)
    total = terms.sum(axis=0)
    return top + np.log1p(total - 1.0), terms / total


def _silence(k: int, m: int, c: Customers) -> _Silence:
    """Return what the time since the last purchase says."""
    s, waited = c.r + k * c.x, c.T - c.t_x
    log_sum, shares = _stage_sum(k, s, waited / (c.alpha + c.T))
    log_silent = np.minimum(log_sum - s * np.log1p(waited / (c.alpha + c.t_x)), 0.0)
    odds = np.log(c.a / (c.b + np.maximum(c.x + (m - 1.0), 0.0))) - log_silent
    return _Silence(s, log_silent, shares, odds if m else np.where(c.x > 0.0, odds, -np.inf))


def _log_likelihood(k: int, m: int, *columns: Field) -> FloatArray:
    """Return the log-likelihood, given the log of the factors that depend on counts (and gaps) alone."""
    *known, of_count = columns
    c = Customers(*known)  # type: ignore[arg-type]
    silence = _silence(k, m, c)
    chance = (c.x > 0.0) | (m > 0)
    log_stay = np.where(chance, -np.log1p(c.a / (c.b + np.maximum(c.x + (m - 1.0), 0.0))), 0.0)
    odds = silence.log_odds
    last = log_stay + silence.log_silent + np.maximum(odds, 0.0) + np.log1p(np.exp(-np.abs(odds)))
    # Without repeat purchase the likelihood is a probability; near one, its log must not be a difference.
    rows = np.flatnonzero((c.x == 0.0) & (silence.log_silent > -_HARDLY_ANY))
    if rows.size:
        y = ((c.T - c.t_x) / (c.alpha + c.T))[rows]
        last[rows] = np.log1p(-np.exp(log_stay[rows]) * betainc(k, silence.s[rows], y))
    rates = -k * c.x * np.log(c.alpha) - silence.s * np.log1p(c.t_x / c.alpha)
    return np.asarray(of_count + rates + last)


def _p_alive(k: int, m: int, *columns: Field) -> FloatArray:
    """Return P(alive); never exactly 0."""
    return _expit(-_silence(k, m, Customers(*columns)).log_odds)  # type: ignore[arg-type]


def _p_no_purchase(k: int, m: int, *columns: Field) -> FloatArray:
    """Return P(left) + P(alive) P(silent although alive), the latter a ratio of two A."""
    *known, t = columns
    c = Customers(*known)  # type: ignore[arg-type]
    silence = _silence(k, m, c)
    now = c.alpha + c.T
    sum_now, _ = _stage_sum(k, silence.s, (c.T - c.t_x) / now)
    sum_then, _ = _stage_sum(k, silence.s, (c.T - c.t_x + t) / (now + t))
    silent = np.exp(np.minimum(sum_then - sum_now - silence.s * np.log1p(t / now), 0.0))
    gone = np.where(np.isinf(silence.log_odds), 0.0, _expit(silence.log_odds))
    return gone + _expit(-silence.log_odds) * silent


def _harmonic(k: int, s: FloatArray, shares: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return means over stages of h_j and of e_j, and h_(k-1) less its mean.

    h_j = sum over i < j of 1 / (s + i) is the derivative of log (s)_j; e_j = (h_j^2 + h_j') / 2, as a sum
    over pairs, without the squares that would cancel for small s.
    """
    h, e = np.zeros_like(s), np.zeros_like(s)
    mean_h, mean_e = np.zeros_like(s), np.zeros_like(s)
    for j in range(1, k):
        step = 1.0 / (s + (j - 1.0))
        e = e + h * step
        h = h + step
        mean_h += shares[j] * h
        mean_e += shares[j] * e
    return mean_h, mean_e, h - mean_h


def _slopes(k: int, c: Customers, silence: _Silence) -> tuple[FloatArray, FloatArray]:
    """Return the derivatives of log A by r and by alpha; the second has only positive factors."""
    waited, then = c.T - c.t_x, c.alpha + c.t_x
    mean_h, _, _ = _harmonic(k, silence.s, silence.stages)
    by_r = mean_h - np.log1p(waited / then)
    by_alpha = (silence.s + (k - 1.0)) * silence.stages[k - 1] * (waited / (c.alpha + c.T)) / then
    return by_r, by_alpha


def _gradient(k: int, m: int, *columns: Field) -> FloatArray:
    """Return first derivatives; chances to leave but the last, and the last with the silence after it."""
    *known, of_r, of_b, of_total = columns
    c = Customers(*known)  # type: ignore[arg-type]
    silence = _silence(k, m, c)
    alive, gone = _expit(-silence.log_odds), _expit(silence.log_odds)
    by_r, by_alpha = _slopes(k, c, silence)
    answer = np.empty((c.x.size, 4))
    answer[:, 0] = of_r - np.log1p(c.t_x / c.alpha) + alive * by_r
    answer[:, 1] = (c.r * (c.t_x / c.alpha) - k * c.x) / (c.alpha + c.t_x) + alive * by_alpha
    answer[:, 2] = gone / c.a - of_total
    stayed = c.b + np.maximum(c.x + (m - 1.0), 0.0)
    answer[:, 3] = of_b - of_total + np.where((c.x > 0.0) | (m > 0), alive / stayed, 0.0)
    return answer


def _hessian(k: int, m: int, *columns: Field) -> FloatArray:
    """Return second derivatives; those of log(S A + L) are P_S (log A)_ij + P_S P_L d_i d_j."""
    *known, of_r, of_b, of_total = columns
    c = Customers(*known)  # type: ignore[arg-type]
    silence = _silence(k, m, c)
    alive, gone = _expit(-silence.log_odds), _expit(silence.log_odds)
    doubt, chance = alive * gone, np.where((c.x > 0.0) | (m > 0), 1.0, 0.0)
    stayed = c.b + np.maximum(c.x + (m - 1.0), 0.0)
    mean_h, mean_e, above = _harmonic(k, silence.s, silence.stages)
    by_r, by_alpha = _slopes(k, c, silence)
    now, then, order = c.alpha + c.T, c.alpha + c.t_x, silence.s + (k - 1.0)
    stage = np.tensordot(np.arange(float(k)), silence.stages, axes=1)
    by_r_alpha = by_alpha * above + by_alpha / order
    answer = np.empty((c.x.size, 4, 4))
    answer[:, 0, 0] = -of_r + alive * (2.0 * mean_e - mean_h**2) + doubt * by_r**2
    answer[:, 0, 1] = (c.t_x / c.alpha) / then + alive * by_r_alpha + doubt * by_r * by_alpha
    answer[:, 1, 1] = silence.s / then**2 - c.r / c.alpha**2
    answer[:, 1, 1] += doubt * by_alpha**2 - alive * by_alpha * ((k - stage) / now + 1.0 / then)
    for row, slope in ((0, by_r), (1, by_alpha)):
        answer[:, row, 2] = -doubt * slope / c.a
        answer[:, row, 3] = doubt * chance * slope / stayed
    answer[:, 2, 2] = of_total - (gone / c.a) ** 2
    answer[:, 2, 3] = of_total - doubt * chance / (c.a * stayed)
    answer[:, 3, 3] = of_total - of_b - chance * (alive / stayed) ** 2
    for row, column in ((1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2)):
        answer[:, row, column] = answer[:, column, row]
    return answer
