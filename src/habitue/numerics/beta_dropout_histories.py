"""What a history tells where customers may leave after each purchase: formulas on columns of equal length.

The working half of :mod:`habitue.numerics.beta_dropout`, whose words and letters these are: r, alpha, a, b
are numbers or columns, m = 0 or 1 is the number of chances to leave at the very first purchase. Everything
rests on the log-odds of having left, log a / (b + x + m - 1) + (r + x) log((alpha + T) / (alpha + t_x)).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from habitue.numerics.arrays import FloatArray

__all__ = ["gradient", "hessian", "log_likelihood", "p_alive", "p_no_purchase"]

Field: TypeAlias = float | FloatArray

_LARGEST_LOG = 709.0  # e^709 is still a number
_LOG_OF_NOTHING = -700.0  # 1 + e^-700 is 1; the exponential of less is a subnormal number, which is slow


def _log_odds_of_gone(
    m: int, r: Field, alpha: Field, a: Field, b: Field, x: FloatArray, t_x: FloatArray, until: FloatArray
) -> FloatArray:
    """Return log(P(left) / P(alive)); where there was no chance to leave, -700: next to nothing."""
    stayed = x if m else np.maximum(x - 1.0, 0.0)
    odds = np.log(a / (b + stayed)) + (r + x) * np.log1p((until - t_x) / (alpha + t_x))
    if m:
        return odds
    return np.minimum(odds, 1e300 * x + _LOG_OF_NOTHING)  # a cap for x = 0 alone; quicker than np.where


def p_alive(
    m: int, r: Field, alpha: Field, a: Field, b: Field, x: FloatArray, t_x: FloatArray, until: FloatArray
) -> FloatArray:
    """Return P(alive); never exactly 0.

    Parameters
    ----------
    m : {0, 1}
        Chances to leave at the first purchase.
    r, alpha, a, b : float or ndarray of shape (n,)
        Parameters.
    x, t_x, until : ndarray of shape (n,)
        Histories.

    Returns
    -------
    ndarray of shape (n,)
        One a customer.
    """
    gone = _log_odds_of_gone(m, r, alpha, a, b, x, t_x, until)
    return 1.0 / (1.0 + np.exp(np.minimum(gone, _LARGEST_LOG)))


def _p_gone(
    m: int, r: Field, alpha: Field, a: Field, b: Field, x: FloatArray, t_x: FloatArray, until: FloatArray
) -> FloatArray:
    """Return P(left), 0 but for rounding where there was no chance to leave."""
    gone = _log_odds_of_gone(m, r, alpha, a, b, x, t_x, until)
    return 1.0 / (1.0 + np.exp(np.minimum(-gone, _LARGEST_LOG)))


def p_no_purchase(
    m: int,
    r: Field,
    alpha: Field,
    a: Field,
    b: Field,
    x: FloatArray,
    t_x: FloatArray,
    until: FloatArray,
    t: FloatArray,
) -> FloatArray:
    """Return P(left) + P(alive) P(silent although alive).

    Parameters
    ----------
    m : {0, 1}
        Chances to leave at the first purchase.
    r, alpha, a, b : float or ndarray of shape (n,)
        Parameters.
    x, t_x, until : ndarray of shape (n,)
        Histories.
    t : ndarray of shape (n,)
        Length of the time ahead.

    Returns
    -------
    ndarray of shape (n,)
        One a customer.
    """
    odds = np.exp(np.minimum(_log_odds_of_gone(m, r, alpha, a, b, x, t_x, until), _LARGEST_LOG))
    silent = np.exp(-(r + x) * np.log1p(t / (alpha + until)))
    return (odds + silent) / (odds + 1.0)


def log_likelihood(
    m: int,
    r: Field,
    alpha: Field,
    a: Field,
    b: Field,
    of_count: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    until: FloatArray,
) -> FloatArray:
    """Return the log-likelihood, given the log of the factors that depend on counts alone.

    Parameters
    ----------
    m : {0, 1}
        Chances to leave at the first purchase.
    r, alpha, a, b : float or ndarray of shape (n,)
        Parameters.
    of_count : ndarray of shape (n,)
        Log of Gamma(r + x) / Gamma(r) and of E[(1 - p)^(x + m)].
    x, t_x, until : ndarray of shape (n,)
        Histories.

    Returns
    -------
    ndarray of shape (n,)
        One a customer.
    """
    gone = _log_odds_of_gone(m, r, alpha, a, b, x, t_x, until)
    silence = np.log1p(until / alpha)
    either = np.maximum(gone, 0.0) + np.log1p(np.exp(-np.abs(gone)))
    general = of_count - x * np.log(alpha) - (r + x) * silence + either
    if m == 0:
        return general
    # Without repeat purchase the likelihood is a probability; near one, its log must not be a difference.
    less_than_one = np.maximum(b / (a + b) * np.expm1(-r * silence), -0.5)
    return np.where((x == 0.0) & (less_than_one > -0.5), np.log1p(less_than_one), general)


def gradient(
    m: int,
    r: Field,
    alpha: Field,
    a: Field,
    b: Field,
    of_r: FloatArray,
    of_b: FloatArray,
    of_total: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    until: FloatArray,
) -> FloatArray:
    """Return first derivatives; that of log(1 + e^D), D the log-odds of having left, is P(left) D'.

    Parameters
    ----------
    m : {0, 1}
        Chances to leave at the first purchase.
    r, alpha, a, b : float or ndarray of shape (n,)
        Parameters.
    of_r, of_b, of_total : ndarray of shape (n,)
        What the digamma function gains from r to r + x, from b to b + x + m - 1 (nothing for
        x + m = 0), and from a + b to a + b + x + m.
    x, t_x, until : ndarray of shape (n,)
        Histories.

    Returns
    -------
    ndarray of shape (n, 4)
        One a customer.

    Notes
    -----
    By b, the last of the terms 1 / (b + i) is kept out of ``of_b``: less P(left) of it is P(alive) of it.
    """
    gone = _p_gone(m, r, alpha, a, b, x, t_x, until)
    alive = p_alive(m, r, alpha, a, b, x, t_x, until)
    since = (until - t_x) / (alpha + t_x)
    answer = np.empty((x.size, 4))
    answer[:, 0] = of_r - np.log1p(until / alpha) + gone * np.log1p(since)
    answer[:, 1] = (r * (until / alpha) - x - gone * (r + x) * since) / (alpha + until)
    answer[:, 2] = gone / a - of_total
    answer[:, 3] = of_b + np.minimum(x + m, 1.0) * alive / (b + np.maximum(x + (m - 1.0), 0.0)) - of_total
    return answer


def hessian(
    m: int,
    r: Field,
    alpha: Field,
    a: Field,
    b: Field,
    of_r: FloatArray,
    of_b: FloatArray,
    of_total: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    until: FloatArray,
) -> FloatArray:
    """Return second derivatives; those of log(1 + e^D) are P(left) (D_ij + P(alive) D_i D_j).

    Parameters
    ----------
    m : {0, 1}
        Chances to leave at the first purchase.
    r, alpha, a, b : float or ndarray of shape (n,)
        Parameters.
    of_r, of_b, of_total : ndarray of shape (n,)
        What minus the trigamma function gains from r to r + x, from b to b + x + m - 1 (nothing for
        x + m = 0), and from a + b to a + b + x + m.
    x, t_x, until : ndarray of shape (n,)
        Histories.

    Returns
    -------
    ndarray of shape (n, 4, 4)
        One a customer.
    """
    gone = _p_gone(m, r, alpha, a, b, x, t_x, until)
    alive = p_alive(m, r, alpha, a, b, x, t_x, until)
    stayed = b + np.maximum(x + (m - 1.0), 0.0)
    now, then, s = alpha + until, alpha + t_x, r + x
    lost = (until - t_x) / (then * now)  # 1 / then - 1 / now
    by_r, by_alpha, by_b = np.log1p((until - t_x) / then), -s * lost, -1.0 / stayed
    doubt = gone * alive
    answer = np.empty((x.size, 4, 4))
    answer[:, 0, 0] = doubt * by_r**2 - of_r
    answer[:, 0, 1] = until / (alpha * now) - gone * lost + doubt * by_r * by_alpha
    answer[:, 0, 2] = doubt * by_r / a
    answer[:, 0, 3] = doubt * by_r * by_b
    answer[:, 1, 1] = x / now**2 - r * (until / (alpha * now)) * (1.0 / alpha + 1.0 / now)
    answer[:, 1, 1] += gone * s * lost * (1.0 / then + 1.0 / now) + doubt * by_alpha**2
    answer[:, 1, 2] = doubt * by_alpha / a
    answer[:, 1, 3] = doubt * by_alpha * by_b
    answer[:, 2, 2] = of_total - (gone / a) ** 2
    answer[:, 2, 3] = of_total + doubt / a * by_b
    answer[:, 3, 3] = of_total - of_b - np.minimum(x + m, 1.0) * (alive * by_b) ** 2  # see by b above
    for row, column in ((1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2)):
        answer[:, row, column] = answer[:, column, row]
    return answer
