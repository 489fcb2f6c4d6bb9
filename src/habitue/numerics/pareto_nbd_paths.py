r"""Pareto/NBD with covariates that change over time: promotions, seasons, contacts, prices.

While alive a customer buys at rate lambda b(u) and leaves for good at rate mu d(u), with lambda ~ Gamma(r,
rate alpha) and mu ~ Gamma(s, rate beta) across customers; b(u) = e^(g'x(u)) and d(u) = e^(h'x(u)) are what
the customer's covariates at time u make of the rates. Known of him is his history: x repeat purchases
(``frequency``), the last at t_x (``recency``), seen until ``T``, the path of his covariates, and their sum
over the purchases. Covariates that never change are paths of one piece; without any, or with all effects 0,
this is Pareto/NBD itself.

Where a plain Pareto/NBD has the time u, this has the exposures B(u) and D(u), the integrals of b and d: that
is the whole difference. Times may be in any one unit, since the first purchase. What lies ahead of T is read
from the same paths, so they must reach as far as the question; the last piece of a path lasts for ever.

One set of parameters at a time; nothing is checked. Fitting, and calendars, are
:mod:`habitue.models.pareto_nbd_paths`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit, exprel

from habitue.numerics.arrays import FloatArray
from habitue.numerics.covariate_paths import Paths, blocks, pieces_between, ragged
from habitue.numerics.pareto_nbd_exposures import (
    Exposures,
    Histories,
    Moments,
    ParetoNBDPathsParams,
    exposures,
    log_alive,
    moments,
    until,
)
from habitue.numerics.pareto_nbd_paths_slopes import gradient, hessian, value_gradient_hessian
from habitue.numerics.pareto_nbd_silence import log_odds_of_gone
from habitue.numerics.quadrature import legendre_rule

__all__ = [
    "Histories",
    "Params",
    "ParetoNBDPathsParams",
    "Paths",
    "discounted_purchases",
    "expected_purchases",
    "expected_purchases_new",
    "gradient",
    "hessian",
    "log_likelihood",
    "p_alive",
    "p_no_purchase",
    "residual_transactions",
    "value_gradient_hessian",
]

Params = ParetoNBDPathsParams  # within the module the family's name need not be said twice

_NEGLIGIBLE = 45.0  # e^-45 = 3e-20
_FALL = 4.0
_NODES, _WEIGHTS = legendre_rule(16)


def log_likelihood(params: Params, histories: Histories, paths: Paths) -> FloatArray:
    """Return how well the parameters explain each customer's history.

    Parameters
    ----------
    params : Params
        The customer base.
    histories : Histories
        Customers.
    paths : Paths
        Their covariates, until T at least.

    Returns
    -------
    ndarray of shape (n_customers,)
        Log of the density of each history.

    Notes
    -----
    log of Gamma(r + x) / Gamma(r) alpha^r beta^s e^A {(alpha + B(T))^-(r + x) (beta + D(T))^-s + integral of
    s d(u) (alpha + B(u))^-(r + x) (beta + D(u))^-(s + 1) from t_x to T}, where A sums g'x(u) over the repeat
    purchases.

    References
    ----------
    Bachmann, P., Meierer, M. and Naef, J. (2021). The role of time-varying contextual factors in latent
    attrition models for customer base analysis. Marketing Science 40, 783-809, equation (10), written with
    cumulative exposures.

    Examples
    --------
    A season of two weeks that triples purchases, for a customer who bought in it:

    >>> season = Paths(
    ...     np.array([0, 3]), np.array([0.0, 7.0, 21.0]), np.array([[0.0], [1.0], [0.0]]), np.zeros((3, 0))
    ... )
    >>> params = Params(0.55, 70.0, 0.6, 80.0, np.array([np.log(3.0)]), np.array([]))
    >>> one = Histories(*(np.array([value]) for value in (2.0, 20.0, 60.0, 0)), np.array([[2.0]]))
    >>> float(log_likelihood(params, one, season)[0].round(6))
    -8.580267
    """
    along = exposures(params, paths)
    seen = until(params, paths, along, histories.path, histories.T)
    gone = _log_odds(params, histories, paths, along, seen)
    return log_alive(params, histories, along, seen) + np.maximum(gone, 0.0) + np.log1p(np.exp(-np.abs(gone)))


def p_alive(params: Params, histories: Histories, paths: Paths) -> FloatArray:
    """Return the probability that each customer has not left yet.

    Parameters
    ----------
    params : Params
        The customer base.
    histories : Histories
        Customers.
    paths : Paths
        Their covariates, until T at least.

    Returns
    -------
    ndarray of shape (n_customers,)
        Probabilities in [0, 1].

    Notes
    -----
    The first term in the braces of the likelihood over the whole of them, as 1 / (1 + e^(log-odds of gone)).

    Examples
    --------
    >>> always = Paths(np.array([0, 1]), np.zeros(1), np.zeros((1, 0)), np.zeros((1, 0)))
    >>> params = Params(0.55, 10.58, 0.61, 11.67, np.array([]), np.array([]))
    >>> one = Histories(*(np.array([value]) for value in (2.0, 30.43, 38.86, 0)), np.empty((1, 0)))
    >>> float(p_alive(params, one, always)[0].round(4))
    0.8684
    """
    along = exposures(params, paths)
    seen = until(params, paths, along, histories.path, histories.T)
    return expit(-_log_odds(params, histories, paths, along, seen))


def p_no_purchase(params: Params, histories: Histories, paths: Paths, t: npt.ArrayLike) -> FloatArray:
    """Return the probability that each customer buys nothing during the next t units of time.

    Parameters
    ----------
    params : Params
        The customer base.
    histories : Histories
        Customers.
    paths : Paths
        Their covariates, until T + t at least.
    t : array_like
        Length of the time ahead, >= 0: one number, or one a customer.

    Returns
    -------
    ndarray of shape (n_customers,)
        Probabilities in [0, 1].

    Notes
    -----
    L at T + t along the path ahead over L at T: P(left) + P(alive) {((alpha + B(T)) / (alpha + B(T + t)))^(r
    + x) ((beta + D(T)) / (beta + D(T + t)))^s + the integral over leaving in between}, positive terms all.

    Examples
    --------
    >>> always = Paths(np.array([0, 1]), np.zeros(1), np.zeros((1, 0)), np.zeros((1, 0)))
    >>> params = Params(0.55, 10.58, 0.61, 11.67, np.array([]), np.array([]))
    >>> one = Histories(*(np.array([value]) for value in (2.0, 30.43, 38.86, 0)), np.empty((1, 0)))
    >>> float(p_no_purchase(params, one, always, 39.0)[0].round(4))
    0.4094
    """
    ahead = np.broadcast_to(np.asarray(t, dtype=np.float64), histories.T.shape)
    along = exposures(params, paths)
    seen = until(params, paths, along, histories.path, histories.T)
    gone = _log_odds(params, histories, paths, along, seen)
    silent = np.empty(gone.shape)
    between = pieces_between(paths, histories.path, histories.T, ahead)
    for rows, pieces in blocks(between, gone.size):
        at_T, x = seen.at(rows), histories.frequency[rows]
        buying = np.bincount(pieces.owner, along.b[pieces.piece] * pieces.length, minlength=x.size) / at_T.a
        leaving = np.bincount(pieces.owner, along.d[pieces.piece] * pieces.length, minlength=x.size) / at_T.q
        still = np.exp(-(params.r + x) * np.log1p(buying) - params.s * np.log1p(leaving))
        leaves = np.exp(np.minimum(log_odds_of_gone(params, paths, along, x, at_T, pieces), 0.0))
        silent[rows] = np.minimum(still + leaves, 1.0)
    return expit(gone) + expit(-gone) * silent


def expected_purchases(params: Params, histories: Histories, paths: Paths, t: npt.ArrayLike) -> FloatArray:
    """Return how many purchases each customer will make during the next t units of time.

    Parameters
    ----------
    params : Params
        The customer base.
    histories : Histories
        Customers.
    paths : Paths
        Their covariates, until T + t at least.
    t : array_like
        Length of the time ahead, >= 0: one number, or one a customer.

    Returns
    -------
    ndarray of shape (n_customers,)
        Expected numbers of purchases, >= 0, rising in t.

    Notes
    -----
    P(alive) (r + x) / (alpha + B(T)) times the integral of b(u) ((beta + D(T)) / (beta + D(u)))^s from T to
    T + t, closed on each piece.

    Examples
    --------
    >>> always = Paths(np.array([0, 1]), np.zeros(1), np.zeros((1, 0)), np.zeros((1, 0)))
    >>> params = Params(0.55, 10.58, 0.61, 11.67, np.array([]), np.array([]))
    >>> one = Histories(*(np.array([value]) for value in (2.0, 30.43, 38.86, 0)), np.empty((1, 0)))
    >>> float(expected_purchases(params, one, always, 52.0)[0].round(4))
    1.8442
    """
    return discounted_purchases(params, histories, paths, t, 0.0)


def expected_purchases_new(params: Params, paths: Paths, t: npt.ArrayLike) -> FloatArray:
    """Return how many repeat purchases a new customer makes in the t units of time after the first.

    Parameters
    ----------
    params : Params
        The customer base.
    paths : Paths
        Possible covariates, until t at least.
    t : array_like
        Time since the first purchase, >= 0: one number, or one a path.

    Returns
    -------
    ndarray of shape (n_paths,)
        Expected numbers of repeat purchases of a customer on each path.

    Examples
    --------
    >>> always = Paths(np.array([0, 1]), np.zeros(1), np.zeros((1, 0)), np.zeros((1, 0)))
    >>> params = Params(0.55, 10.58, 0.61, 11.67, np.array([]), np.array([]))
    >>> expected_purchases_new(params, always, 52.0).round(4).tolist()
    [1.4593]
    """
    n_paths = paths.offsets.size - 1
    nothing = np.zeros(n_paths)
    new = Histories(nothing, nothing, nothing, np.arange(n_paths), np.zeros((n_paths, paths.rate.shape[1])))
    return expected_purchases(params, new, paths, t)


def discounted_purchases(
    params: Params, histories: Histories, paths: Paths, t: npt.ArrayLike, discount_rate: float
) -> FloatArray:
    """Return the expected purchases of the next t units of time, each at its present value.

    Parameters
    ----------
    params : Params
        The customer base.
    histories : Histories
        Customers.
    paths : Paths
        Their covariates, until T + t at least.
    t : array_like
        Length of the time ahead, >= 0: one number, or one a customer.
    discount_rate : float
        Continuous rate per unit of time, >= 0; a purchase u units ahead counts e^(-discount_rate u).

    Returns
    -------
    ndarray of shape (n_customers,)
        Discounted expected numbers; at rate 0 those of `expected_purchases`.

    Examples
    --------
    >>> always = Paths(np.array([0, 1]), np.zeros(1), np.zeros((1, 0)), np.zeros((1, 0)))
    >>> params = Params(0.55, 10.58, 0.61, 11.67, np.array([]), np.array([]))
    >>> one = Histories(*(np.array([value]) for value in (2.0, 30.43, 38.86, 0)), np.empty((1, 0)))
    >>> float(discounted_purchases(params, one, always, 52.0, 0.0027)[0].round(4))
    1.7293
    """
    ahead = np.broadcast_to(np.asarray(t, dtype=np.float64), histories.T.shape)
    along = exposures(params, paths)
    seen = until(params, paths, along, histories.path, histories.T)
    alive = expit(-_log_odds(params, histories, paths, along, seen))
    rate = (params.r + histories.frequency) / seen.a
    bought = np.empty(alive.shape)
    between = pieces_between(paths, histories.path, histories.T, ahead)
    for rows, pieces in blocks(between, alive.size):
        at = moments(params, paths, along, pieces.piece, pieces.start)
        wait = pieces.start - histories.T[rows][pieces.owner]
        stays = params.s * np.log(seen.q[rows][pieces.owner] / at.q) - discount_rate * wait
        leaving = along.d[pieces.piece] / at.q
        time = _discounted_stay(params.s, leaving, pieces.length, discount_rate)
        parts = np.exp(stays) * along.b[pieces.piece] * time
        bought[rows] = np.bincount(pieces.owner, parts, minlength=alive[rows].size)
    return alive * rate * bought


def residual_transactions(
    params: Params, histories: Histories, paths: Paths, discount_rate: float
) -> FloatArray:
    """Return the expected purchases of all time to come, each at its present value.

    Parameters
    ----------
    params : Params
        The customer base.
    histories : Histories
        Customers.
    paths : Paths
        Their covariates; the last piece of each lasts for ever.
    discount_rate : float
        Continuous rate per unit of time, >= 0.

    Returns
    -------
    ndarray of shape (n_customers,)
        Discounted expected numbers. At rate 0 the sum exists for s > 1 only; it is infinite for s <= 1.

    Examples
    --------
    >>> always = Paths(np.array([0, 1]), np.zeros(1), np.zeros((1, 0)), np.zeros((1, 0)))
    >>> params = Params(0.55, 10.58, 0.61, 11.67, np.array([]), np.array([]))
    >>> one = Histories(*(np.array([value]) for value in (2.0, 30.43, 38.86, 0)), np.empty((1, 0)))
    >>> float(residual_transactions(params, one, always, 0.0027)[0].round(4))
    6.4357
    """
    return discounted_purchases(params, histories, paths, np.inf, discount_rate)


def _log_odds(
    params: Params, histories: Histories, paths: Paths, along: Exposures, seen: Moments
) -> FloatArray:
    """Return log(P(left) / P(alive)) at T, block by block."""
    odds = np.empty(histories.T.shape)
    silence = pieces_between(paths, histories.path, histories.recency, histories.T - histories.recency)
    for rows, pieces in blocks(silence, odds.size):
        at_T = seen.at(rows)
        odds[rows] = log_odds_of_gone(params, paths, along, histories.frequency[rows], at_T, pieces)
    return odds


def _discounted_stay(s: float, leaving: FloatArray, length: FloatArray, discount_rate: float) -> FloatArray:
    """Return the integral of e^(-discount_rate v) (1 + leaving v)^-s for v from 0 to each length."""
    if discount_rate > 0.0:
        return _by_panels(s, leaving, np.minimum(length, _NEGLIGIBLE / discount_rate), discount_rate)
    endless = np.isinf(length)
    log = np.log1p(leaving * np.where(endless, 1.0, length))
    forever = 1.0 / (s - 1.0) if s > 1.0 else np.inf
    return np.where(endless, forever, log * exprel((1.0 - s) * log)) / leaving


def _by_panels(s: float, leaving: FloatArray, length: FloatArray, discount_rate: float) -> FloatArray:
    """Return the same by quadrature, over w = log(1 + leaving v).

    Where e^(-discount_rate v) bends like e^(-e^w) a panel may be one wide; elsewhere the integrand's
    logarithm may fall by four along it.
    """
    growth = np.maximum(leaving * length, np.finfo(np.float64).tiny)
    end = np.log1p(growth)
    if s > 1.0:
        end = np.minimum(end, _NEGLIGIBLE / (s - 1.0))
    need = np.maximum(end * max(s / _FALL, 1.0), discount_rate * length / _FALL)
    counts = np.maximum(np.ceil(need), 1.0)
    part, step = ragged(counts.astype(np.intp))
    width = (end / counts)[part]
    w = width[:, None] * (step[:, None] + _NODES)
    fade = discount_rate * (length / growth)[part, None] * np.expm1(w) + (s - 1.0) * w
    sums = (np.exp(-fade) @ _WEIGHTS) * width * (length / growth)[part]
    return np.bincount(part, sums, minlength=length.size).astype(np.float64)
