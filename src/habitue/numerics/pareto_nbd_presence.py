r"""Whether a Pareto/NBD customer is still there, and what he is like if so.

The family itself is told in :mod:`habitue.numerics.pareto_nbd`, which offers the probabilities again. Seen
from T on, a customer who is still there is like a new one with r + x, alpha + T, s, beta + T.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from habitue.numerics.arrays import FloatArray, floats
from habitue.numerics.many_rows import in_blocks
from habitue.numerics.pareto_nbd_likelihood import ParetoNBDParams
from habitue.numerics.silent_leaving import silent_integral, silent_probability

__all__ = ["alive", "log_odds_of_gone", "p_alive", "p_alive_at", "p_no_purchase", "still_there"]

Params = ParetoNBDParams


def p_alive(params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
    """Return the probability that each customer has not left yet.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; exactly 1 where the last purchase is now.

    Notes
    -----
    1 / (1 + odds), the odds of having left being the integral in the likelihood over its first term.

    References
    ----------
    Schmittlein, D. C., Morrison, D. G. and Colombo, R. (1987), equations (11) to (13).

    Examples
    --------
    >>> cdnow = Params(0.553, 10.578, 0.606, 11.669)
    >>> p_alive(cdnow, [0, 2], [0.0, 30.43], 38.86).round(4).tolist()
    [0.2953, 0.8692]
    """
    return in_blocks(alive, *floats(*params, frequency, recency, T))


def p_alive_at(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
) -> FloatArray:
    """Return the probability that each customer will still be there t units of time from now.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, t and the parameters.
    t : array_like
        Length of the time ahead, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; p_alive at t = 0, falling to 0.

    Notes
    -----
    P(alive at T) ((beta + T) / (beta + T + t))^s. Purchases in (T, T + t] are not known.

    Examples
    --------
    >>> cdnow = Params(0.553, 10.578, 0.606, 11.669)
    >>> round(float(p_alive_at(cdnow, 2, 30.43, 38.86, 39.0)), 4)
    0.6146
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, t = given
        _, _, s, B = still_there(*history)
        return alive(*history) * np.exp(-s * np.log1p(t / B))

    return in_blocks(answer, *floats(*params, frequency, recency, T, t))


def p_no_purchase(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
) -> FloatArray:
    """Return the probability that each customer buys nothing during the next t units of time.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, t and the parameters.
    t : array_like
        Length of the time ahead, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; 1 at t = 0, falling towards 1 - p_alive.

    Notes
    -----
    "Nothing until T + t" is the same history seen at T + t, so the probability is the ratio of likelihoods
    L(x, t_x, T + t) / L(x, t_x, T). Computed as a sum of positive terms: left already, or there and silent
    because still waiting, or because he leaves before he buys.

    Examples
    --------
    >>> cdnow = Params(0.553, 10.578, 0.606, 11.669)
    >>> round(float(p_no_purchase(cdnow, 0, 0.0, 38.86, 39.0)), 6)
    0.930715
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, t = given
        gone = log_odds_of_gone(*history)
        return expit(gone) + expit(-gone) * silent_probability(*still_there(*history), t)

    return in_blocks(answer, *floats(*params, frequency, recency, T, t))


def still_there(
    r: FloatArray,
    alpha: FloatArray,
    s: FloatArray,
    beta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,  # noqa: ARG001 - all of a history is handed on
    T: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the parameters of the new customer that one who is still there at T is like.

    Parameters
    ----------
    r, alpha, s, beta : ndarray of shape (n_rows,)
        Parameters.
    x, t_x, T : ndarray of shape (n_rows,)
        Histories.

    Returns
    -------
    tuple of ndarray of shape (n_rows,)
        r + x, alpha + T, s, beta + T.

    Examples
    --------
    >>> [array.item() for array in still_there(*np.array([[1.0], [2], [3], [4], [2], [5], [7]]))]
    [3.0, 9.0, 3.0, 11.0]
    """
    return r + x, alpha + T, s, beta + T


def alive(*history: FloatArray) -> FloatArray:
    """Return P(alive) of parameters and histories of one shape.

    Parameters
    ----------
    *history : ndarray of shape (n_rows,)
        The four parameters, x, t_x and T.

    Returns
    -------
    ndarray of shape (n_rows,)
        Probabilities.

    Examples
    --------
    >>> alive(*np.array([[1.0], [2], [3], [4], [2], [5], [5]])).tolist()
    [1.0]
    """
    return expit(-log_odds_of_gone(*history))


def log_odds_of_gone(
    r: FloatArray,
    alpha: FloatArray,
    s: FloatArray,
    beta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
) -> FloatArray:
    """Return log(P(left by T) / P(still there)).

    Parameters
    ----------
    r, alpha, s, beta : ndarray of shape (n_rows,)
        Parameters.
    x, t_x, T : ndarray of shape (n_rows,)
        Histories.

    Returns
    -------
    ndarray of shape (n_rows,)
        Log-odds; minus infinity at T = t_x.

    Notes
    -----
    log of s / B int_0^t (1 + u / A)^-k (1 + u / B)^-(s + 1) du (1 + t / A)^k (1 + t / B)^s, with k = r + x,
    A = alpha + t_x, B = beta + t_x, t = T - t_x: all of it relative to the last purchase.

    Examples
    --------
    >>> log_odds_of_gone(*np.array([[1.0], [1], [1], [1], [0], [0], [1]])).round(6).tolist()
    [0.405465]
    """
    k, A, B, t = r + x, alpha + t_x, beta + t_x, T - t_x
    gone = s / B * silent_integral(k, A, s + 1.0, B, t)
    fallen = k * np.log1p(t / A) + s * np.log1p(t / B)
    possible = gone > 0.0
    return np.where(possible, np.log(np.where(possible, gone, 1.0)) + fallen, -np.inf)
