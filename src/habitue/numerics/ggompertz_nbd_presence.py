r"""Whether a GGompertz/NBD customer is still there, and what he is like if so.

The family itself is told in :mod:`habitue.numerics.ggompertz_nbd`, which offers the probabilities again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from habitue.numerics.arrays import FloatArray, floats
from habitue.numerics.ggompertz_nbd_likelihood import GGompertzNBDParams
from habitue.numerics.gompertz_leaving import aged, gompertz_leaving, log_fallen
from habitue.numerics.many_rows import in_blocks
from habitue.numerics.silent_futures import Leaving, left_silently, silent_probability

__all__ = ["ageing", "alive", "log_odds_of_gone", "p_alive", "p_alive_at", "p_no_purchase", "still_there"]

Params = GGompertzNBDParams


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
    Bemmaor, A. C. and Glady, N. (2012). Modeling purchasing behavior with sudden "death": a flexible customer
    lifetime model. Management Science 58, 1012-1021.

    Examples
    --------
    >>> cdnow = Params(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> p_alive(cdnow, [0, 2], [0.0, 30.43], 38.86).round(4).tolist()
    [0.2971, 0.8694]
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
    P(alive at T) (beta_T / (beta_T + e^(b t) - 1))^s, beta_T = 1 + (beta - 1) e^(-b T).

    Examples
    --------
    >>> cdnow = Params(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> round(float(p_alive_at(cdnow, 2, 30.43, 38.86, 39.0)), 4)
    0.6149
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, t = given
        return alive(*history) * np.exp(-history[3] * log_fallen(*ageing(*history), t))

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
    >>> cdnow = Params(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> round(float(p_no_purchase(cdnow, 0, 0.0, 38.86, 39.0)), 6)
    0.930256
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, t = given
        gone = log_odds_of_gone(*history)
        return expit(gone) + expit(-gone) * silent_probability(*still_there(*history), t)

    return in_blocks(answer, *floats(*params, frequency, recency, T, t))


def still_there(
    r: FloatArray,
    alpha: FloatArray,
    b: FloatArray,
    s: FloatArray,
    beta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,  # noqa: ARG001 - all of a history is handed on
    T: FloatArray,
) -> tuple[FloatArray, FloatArray, Leaving]:
    """Return what the future of a customer who is still there at T depends on.

    Parameters
    ----------
    r, alpha, b, s, beta : ndarray of shape (n_rows,)
        Parameters.
    x, t_x, T : ndarray of shape (n_rows,)
        Histories.

    Returns
    -------
    tuple
        Shape r + x and rate alpha + T of the Gamma distribution of purchase rates, and when he leaves.

    Examples
    --------
    >>> shape, rate, _ = still_there(*np.array([[1.0], [2], [0.1], [3], [4], [2], [5], [7]]))
    >>> shape.item(), rate.item()
    (3.0, 9.0)
    """
    return r + x, alpha + T, gompertz_leaving(b, s, aged(b, beta, T))


def ageing(*history: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return b and beta of the new customer that one who is still there at T is like.

    Parameters
    ----------
    *history : ndarray of shape (n_rows,)
        The five parameters, x, t_x and T.

    Returns
    -------
    tuple of ndarray of shape (n_rows,)
        The two parameters.

    Examples
    --------
    >>> ageing(*np.array([[1.0], [2], [0.1], [3], [1], [2], [5], [7]]))[1].tolist()
    [1.0]
    """
    _, _, b, _, beta, _, _, T = history
    return b, aged(b, beta, T)


def alive(*history: FloatArray) -> FloatArray:
    """Return P(alive) of parameters and histories of one shape.

    Parameters
    ----------
    *history : ndarray of shape (n_rows,)
        The five parameters, x, t_x and T.

    Returns
    -------
    ndarray of shape (n_rows,)
        Probabilities.

    Examples
    --------
    >>> alive(*np.array([[1.0], [2], [0.1], [3], [4], [2], [5], [5]])).tolist()
    [1.0]
    """
    return expit(-log_odds_of_gone(*history))


def log_odds_of_gone(
    r: FloatArray,
    alpha: FloatArray,
    b: FloatArray,
    s: FloatArray,
    beta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
) -> FloatArray:
    """Return log(P(left by T) / P(still there)).

    Parameters
    ----------
    r, alpha, b, s, beta : ndarray of shape (n_rows,)
        Parameters.
    x, t_x, T : ndarray of shape (n_rows,)
        Histories.

    Returns
    -------
    ndarray of shape (n_rows,)
        Log-odds; minus infinity at T = t_x.

    Examples
    --------
    >>> log_odds_of_gone(*np.array([[1.0], [1], [1e-9], [1], [1e-9], [0], [0], [1]])).round(6).tolist()
    [0.405465]
    """
    k, A, t, leaving = r + x, alpha + t_x, T - t_x, gompertz_leaving(b, s, aged(b, beta, t_x))
    gone = left_silently(leaving, k, A, t).integral
    fallen = k * np.log1p(t / A) - leaving.log_survival(np.arange(t.size), t)
    possible = gone > 0.0
    return np.where(possible, np.log(np.where(possible, gone, 1.0)) + fallen, -np.inf)
