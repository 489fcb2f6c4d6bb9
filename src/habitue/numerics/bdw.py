r"""Beta-discrete-Weibull (BdW): how long customers with a contract keep renewing it, if tenure matters.

As in :mod:`habitue.numerics.sbg` each customer has a probability theta ~ Beta(gamma, delta) to cancel at the
first renewal, but it changes with tenure: to survive t opportunities has probability (1 - theta)^(t^c). For
c > 1 customers grow restless, for c < 1 loyal, and c = 1 is sBG. Known are the renewals made so far
(``n_renewals``) and whether the next one was refused (``churned``); time counts renewal opportunities.

Formulas only; nothing is checked here. All rests on one fact: what is known of theta after n renewals is
Beta(gamma, delta + n^c).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray, Rows, floats
from habitue.numerics.bdw_survival import (
    HIGHEST,
    added_exposure,
    curvature,
    log_survival_ahead,
    score,
)
from habitue.numerics.long_sums import long_stretches, short_stretches
from habitue.numerics.quadrature import legendre_rule

__all__ = [
    "BDWParams",
    "Params",
    "churn_probability",
    "expected_residual_lifetime",
    "gradient",
    "hessian",
    "lifetime_value",
    "log_likelihood",
    "residual_lifetime_value",
    "retention_rate",
    "simulate",
    "survival",
    "survival_ahead",
]

_ONE_BY_ONE = 64
_SUMMED = 2.0**20  # periods before the sum for ever becomes an integral: its error is their number to -2
_LAST_DISCOUNTED = 45.0  # e^-45 of a payment is not seen beside the first


class BDWParams(NamedTuple):
    """The three numbers of a BdW customer base.

    Attributes
    ----------
    gamma, delta : float or ndarray
        Parameters of the Beta distribution of the probability to cancel at the first renewal.
    c : float or ndarray
        How it changes with tenure: rising for c > 1, falling for c < 1.
    """

    gamma: float | FloatArray
    delta: float | FloatArray
    c: float | FloatArray


Params = BDWParams  # within the module the family's name need not be said twice


def survival(params: Params, t: npt.ArrayLike) -> FloatArray:
    """Return the share of new customers who are still there after t renewal opportunities.

    Parameters
    ----------
    params : Params
        The customer base.
    t : array_like
        Renewal opportunities, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; 1 at t = 0.

    Notes
    -----
    B(gamma, delta + t^c) / B(gamma, delta).

    References
    ----------
    Fader, P. S., Hardie, B. G. S., Liu, Y., Davin, J. and Steenburgh, T. (2018). "How to project customer
    retention" revisited: the role of duration dependence. Journal of Interactive Marketing 43, 1-16,
    equation (5).

    Examples
    --------
    >>> survival(Params(0.259, 1.722, 1.584), [0, 1, 7]).round(4).tolist()
    [1.0, 0.8693, 0.4815]
    """
    return survival_ahead(params, 0.0, t)


def retention_rate(params: Params, t: npt.ArrayLike) -> FloatArray:
    """Return the share of those who came to the t-th renewal opportunity who renew.

    Parameters
    ----------
    params : Params
        The customer base.
    t : array_like
        Number of the opportunity, >= 1.

    Returns
    -------
    ndarray
        Probabilities: S(t) / S(t - 1).

    References
    ----------
    Fader et al. (2018), equation (7).

    Examples
    --------
    >>> retention_rate(Params(0.259, 1.722, 1.584), [1, 2, 8]).round(4).tolist()
    [0.8693, 0.8538, 0.9494]
    """
    (t,) = floats(t)
    return survival_ahead(params, t - 1.0, 1.0)


def log_likelihood(params: Params, n_renewals: npt.ArrayLike, churned: npt.ArrayLike) -> FloatArray:
    """Return how well the parameters explain how long each customer stayed.

    Parameters
    ----------
    params : Params
        The customer base.
    n_renewals : array_like
        Renewals made so far, whole, >= 0.
    churned : array_like of bool
        Whether the next renewal was refused; False where it is still to come.

    Returns
    -------
    ndarray
        Log of the probability of each customer's record.

    Notes
    -----
    With n the renewals, log S(n) where the customer is still there and log(S(n) - S(n + 1)) where not, the
    latter as log S(n) + log(1 - S(n + 1) / S(n)), which keeps its digits.

    References
    ----------
    Fader et al. (2018), equation (6).

    Examples
    --------
    >>> log_likelihood(Params(0.259, 1.722, 1.584), [0, 7], [True, False]).round(4).tolist()
    [-2.0345, -0.7308]
    """
    gamma, delta, c, n, churned = floats(*params, n_renewals, churned)
    stayed, next_one = log_survival_ahead(gamma, delta, c, 0.0 * n, n), _log_next(gamma, delta, c, n)
    return stayed + np.where(churned > 0.0, np.log(-np.expm1(next_one)), 0.0)


def gradient(params: Params, n_renewals: npt.ArrayLike, churned: npt.ArrayLike) -> FloatArray:
    """Return how each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : Params
        The customer base.
    n_renewals : array_like
        Renewals made so far, whole, >= 0.
    churned : array_like of bool
        Whether the next renewal was refused.

    Returns
    -------
    ndarray of shape (..., 3)
        Derivatives with respect to gamma, delta, c.

    Notes
    -----
    With D = log(S(n + 1) / S(n)), that of log(1 - e^D) is -dD / (e^-D - 1).

    Examples
    --------
    >>> gradient(Params(0.259, 1.722, 1.584), [0, 7], [True, False]).shape
    (2, 3)
    """
    gamma, delta, c, n, churned = floats(*params, n_renewals, churned)
    stayed, left = score(gamma, delta, c, 0.0 * n, n), score(gamma, delta, c, n, np.ones(n.shape))
    weight = churned / np.expm1(np.minimum(-_log_next(gamma, delta, c, n), HIGHEST))
    return stayed - weight[..., None] * left


def hessian(params: Params, n_renewals: npt.ArrayLike, churned: npt.ArrayLike) -> FloatArray:
    """Return the second derivatives of each customer's log-likelihood.

    Parameters
    ----------
    params : Params
        The customer base.
    n_renewals : array_like
        Renewals made so far, whole, >= 0.
    churned : array_like of bool
        Whether the next renewal was refused.

    Returns
    -------
    ndarray of shape (..., 3, 3)
        One symmetric matrix a customer, in the order gamma, delta, c.

    Notes
    -----
    With k = 1 / (e^-D - 1), that of log(1 - e^D) is -k ddD - k (1 + k) dD dD'.

    Examples
    --------
    >>> hessian(Params(0.259, 1.722, 1.584), [0, 7], [True, False]).shape
    (2, 3, 3)
    """
    gamma, delta, c, n, churned = floats(*params, n_renewals, churned)
    stayed = curvature(gamma, delta, c, 0.0 * n, n)
    odds = 1.0 / np.expm1(np.minimum(-_log_next(gamma, delta, c, n), HIGHEST))
    moves = score(gamma, delta, c, n, np.ones(n.shape))
    bends = curvature(gamma, delta, c, n, np.ones(n.shape))
    squares = moves[..., :, None] * moves[..., None, :]
    weight, weight_of_squares = churned * odds, churned * odds * (1.0 + odds)
    return stayed - weight[..., None, None] * bends - weight_of_squares[..., None, None] * squares


def survival_ahead(params: Params, n_renewals: npt.ArrayLike, t: npt.ArrayLike) -> FloatArray:
    """Return the probability that each customer renews at the next t opportunities as well.

    Parameters
    ----------
    params : Params
        The customer base.
    n_renewals : array_like
        Renewals made so far, >= 0.
    t : array_like
        Renewal opportunities ahead, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]: S(n + t) / S(n).

    Examples
    --------
    >>> survival_ahead(Params(0.259, 1.722, 1.584), [0, 5], 1).round(4).tolist()
    [0.8693, 0.9338]
    """
    return np.exp(log_survival_ahead(*floats(*params, n_renewals, t)))


def churn_probability(params: Params, n_renewals: npt.ArrayLike, t: npt.ArrayLike) -> FloatArray:
    """Return the probability that each customer cancels at one of the next t opportunities.

    Parameters
    ----------
    params : Params
        The customer base.
    n_renewals : array_like
        Renewals made so far, >= 0.
    t : array_like
        Renewal opportunities ahead, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1], right to all digits also where they are tiny.

    Examples
    --------
    >>> churn_probability(Params(0.259, 1.722, 1.584), [0, 5], 1).round(4).tolist()
    [0.1307, 0.0662]
    """
    return -np.expm1(log_survival_ahead(*floats(*params, n_renewals, t)))


def expected_residual_lifetime(params: Params, n_renewals: npt.ArrayLike) -> FloatArray:
    """Return how many further renewals each customer will make.

    Parameters
    ----------
    params : Params
        The customer base.
    n_renewals : array_like
        Renewals made so far, >= 0.

    Returns
    -------
    ndarray
        Expected numbers; infinite for gamma c <= 1, because S(t) falls like t^(-gamma c).

    Notes
    -----
    The sum of S(n + k) / S(n) over all k > 0. Beyond a million periods it is an integral over log k.

    Examples
    --------
    With c = 1 it is sBG's (delta + n) / (gamma - 1):

    >>> expected_residual_lifetime(Params(3.0, 5.0, 1.0), [0, 3]).round(9).tolist()
    [2.5, 4.0]
    """
    return residual_lifetime_value(params, n_renewals, 0.0)


def lifetime_value(
    params: Params, discount_rate: npt.ArrayLike, n_periods: npt.ArrayLike = np.inf
) -> FloatArray:
    """Return what a new customer is worth who pays one unit of money at the start of each period.

    Parameters
    ----------
    params : Params
        The customer base.
    discount_rate : array_like
        Continuous rate per period, >= 0: log(1 + d) where money a period away is worth 1 / (1 + d).
    n_periods : array_like, default inf
        Payments that count, whole; the first is that of acquisition.

    Returns
    -------
    ndarray
        Present values at acquisition: the sum of S(t) e^(-rate t) over t = 0 ... n_periods - 1. At rate 0
        and for ever infinite for gamma c <= 1.

    Examples
    --------
    >>> lifetime_value(Params(0.259, 1.722, 1.584), np.log(1.1)).round(4).tolist()
    5.9985
    """
    gamma, delta, c, rate, n = floats(*params, discount_rate, n_periods)
    later = residual_lifetime_value(Params(gamma, delta, c), 0.0, rate, np.maximum(n - 1.0, 0.0))
    return np.where(n > 0.0, 1.0 + np.exp(-rate) * later, 0.0)


def residual_lifetime_value(
    params: Params,
    n_renewals: npt.ArrayLike,
    discount_rate: npt.ArrayLike,
    n_periods: npt.ArrayLike = np.inf,
) -> FloatArray:
    """Return what an existing customer is still worth who pays one unit of money at each renewal.

    Parameters
    ----------
    params : Params
        The customer base.
    n_renewals : array_like
        Renewals made so far, >= 0; the next decision is imminent.
    discount_rate : array_like
        Continuous rate per period, >= 0.
    n_periods : array_like, default inf
        Renewals ahead that count, whole.

    Returns
    -------
    ndarray
        Present values just before the next renewal decision: with n the renewals made, the sum of
        S(n + k) / S(n) e^(-rate (k - 1)) over k = 1 ... n_periods. At rate 0 and for ever infinite for
        gamma c <= 1.

    Notes
    -----
    Periods are summed by the Gauss rule of :mod:`habitue.numerics.long_sums` in stretches that shrink as c
    grows, for S may fall as suddenly as e^-(t^c).

    Examples
    --------
    >>> residual_lifetime_value(Params(0.259, 1.722, 1.584), [1, 4], np.log(1.1)).round(4).tolist()
    [5.8579, 7.3218]
    """
    arrays = floats(*params, n_renewals, discount_rate, n_periods)
    gamma, delta, c, n, rate, periods = (array.ravel() for array in arrays)
    with_end = np.isfinite(periods)
    # what lies beyond is either discounted away, or left to the integral
    paid = np.ceil(_LAST_DISCOUNTED / np.maximum(rate, 1e-300)) + 1.0
    for_ever = np.where(rate > 0.0, paid, _SUMMED)
    n_terms = np.where(with_end, periods, for_ever)
    total = _sum_of_survivors(gamma, delta, c, n, rate, n_terms)
    endless = np.flatnonzero(~with_end & (rate == 0.0))
    exists = gamma[endless] * c[endless] > 1.0
    total[endless[~exists]] = np.inf
    rows = endless[exists]
    total[rows] += _integral_of_survival(gamma[rows], delta[rows], c[rows], n[rows])
    return total.reshape(arrays[0].shape)


def simulate(
    params: Params, n_renewals: npt.ArrayLike, t: npt.ArrayLike, *, random_state: np.random.Generator
) -> FloatArray:
    """Draw when customers cancel.

    Parameters
    ----------
    params : Params
        The customer base.
    n_renewals : array_like
        Renewals made so far, >= 0; 0 for new customers.
    t : array_like
        Renewal opportunities ahead, >= 0.
    random_state : Generator
        Where chance comes from.

    Returns
    -------
    ndarray
        Number of the renewal opportunity at which each customer cancels, counted from the start of the
        contract: n_renewals + 1 at the earliest; infinite where all t are renewed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> when = simulate(Params(0.259, 1.722, 1.584), np.zeros(100_000), 7, random_state=rng)
    >>> round(float(np.isinf(when).mean()), 2)  # S(7) = 0.484
    0.48
    """
    gamma, delta, c, n, t = floats(*params, n_renewals, t)
    theta = np.minimum(random_state.beta(gamma, delta + n**c), 1.0 - 2.0**-53)
    hazard = np.maximum(-np.log1p(-theta), np.finfo(np.float64).tiny)
    waiting = random_state.standard_exponential(n.shape)
    renews_all = waiting >= hazard * added_exposure(c, n, t)
    exposure = n**c + waiting / np.where(renews_all, 1.0, hazard)
    # rounding of the root must not move a customer out of (n, n + t]
    when = np.clip(np.floor(exposure ** (1.0 / c)) + 1.0, n + 1.0, np.maximum(n + t, n + 1.0))
    return np.where(renews_all, np.inf, when)


def _log_next(gamma: FloatArray, delta: FloatArray, c: FloatArray, n: FloatArray) -> FloatArray:
    """Return log(S(n + 1) / S(n))."""
    return log_survival_ahead(gamma, delta, c, n, np.ones(n.shape))


def _sum_of_survivors(
    gamma: FloatArray, delta: FloatArray, c: FloatArray, n: FloatArray, rate: FloatArray, n_terms: FloatArray
) -> FloatArray:
    """Return the sum of S(n + k) / S(n) e^(-rate (k - 1)) over k = 1 ... n_terms."""

    def survivors(rows: Rows, k: FloatArray) -> FloatArray:
        """Return S(n + k + 1) / S(n) e^(-rate k)."""
        shape = (array[rows, None] for array in (gamma, delta, c, n))
        return np.exp(log_survival_ahead(*floats(*shape, k + 1.0)) - rate[rows, None] * k)

    total = np.zeros(n.shape)
    for rows, k, counts in short_stretches(n_terms, until=_ONE_BY_ONE):
        total[rows] += np.where(counts, survivors(rows, k), 0.0).sum(axis=1)
    growth = 2.0 ** (1.0 / np.ceil(np.max(c, initial=1.0) / 2.5))
    for rows, k, weights in long_stretches(n_terms, start=_ONE_BY_ONE, growth=growth):
        total[rows] += np.einsum("ij,ij->i", weights, survivors(rows, k))
    return total


def _integral_of_survival(gamma: FloatArray, delta: FloatArray, c: FloatArray, n: FloatArray) -> FloatArray:
    """Return the integral of S(n + k) / S(n) over k from 2^20 + 1/2 on, for gamma c > 1.

    It stands for the sum, from which it differs by k^-2 of itself. With k = (2^20 + 1/2) e^s the integrand
    ends as e^(-(gamma c - 1) s), which may take very long: stretches of s double from 64 on.
    """
    nodes, weights = legendre_rule(24)
    first = _SUMMED + 0.5
    total, low, width = np.zeros(n.shape), 0.0, 2.0
    last = float(np.max(_LAST_DISCOUNTED / (gamma * c - 1.0), initial=0.0)) + 64.0
    while low < last:
        log_k = np.log(first) + low + width * nodes
        density = np.exp(_log_far(gamma[:, None], delta[:, None], c[:, None], n[:, None], log_k))
        total += width * (density @ weights)
        low += width
        width = 2.0 if low < 64.0 else low
    return total


def _log_far(
    gamma: FloatArray, delta: FloatArray, c: FloatArray, n: FloatArray, log_k: FloatArray
) -> FloatArray:
    """Return log(k S(n + k) / S(n)), k given by its logarithm, which may be of any size."""
    near = np.minimum(log_k, HIGHEST / np.maximum(c, 1.0))
    there = near + log_survival_ahead(*floats(gamma, delta, c, n, np.exp(near)))
    return there - (gamma * c - 1.0) * (log_k - near)  # 1 - gamma c may be tiny: subtracted first
