r"""Shifted beta-geometric (sBG): how long customers with a contract keep renewing it.

At every renewal opportunity a customer cancels with probability theta, which is his own and does not change;
theta ~ Beta(alpha, beta) across customers. Retention rates still rise with tenure, because those who leave
early are those with a high theta. Of a customer are known the renewals made so far (``n_renewals``) and
whether the next one was refused (``churned``). Time is counted in renewal opportunities, from the start.

Formulas only; nothing is checked here. :mod:`habitue.numerics.bdw` lets theta change with tenure, and
:mod:`habitue.numerics.bgbb` adds purchases.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray, floats
from habitue.numerics.beta_ratio import (
    digamma_difference,
    digamma_mixed_difference,
    log_beta_ratio,
    trigamma_difference,
    trigamma_mixed_difference,
)
from habitue.numerics.long_sums import long_stretches, short_stretches
from habitue.numerics.many_rows import cut

__all__ = [
    "Params",
    "SBGParams",
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

_ROWS_AT_ONCE = 2048
_STEP = 0.22  # of the trapezoidal rule in _mean_discounted_lifetime: error e^(-pi^2 / step)


class SBGParams(NamedTuple):
    """The two numbers of an sBG customer base.

    Attributes
    ----------
    alpha, beta : float or ndarray
        Parameters of the Beta distribution of the probability to cancel at a renewal; its mean,
        alpha / (alpha + beta), is the share lost at the first renewal.
    """

    alpha: float | FloatArray
    beta: float | FloatArray


Params = SBGParams  # within the module the family's name need not be said twice


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
    B(alpha, beta + t) / B(alpha, beta), the mean of (1 - theta)^t; also for t that are not whole.

    References
    ----------
    Fader, P. S. and Hardie, B. G. S. (2007). How to project customer retention. Journal of Interactive
    Marketing 21, 76-90, equation (6).

    Examples
    --------
    >>> survival(Params(0.668, 3.806), [0, 1, 7]).round(4).tolist()
    [1.0, 0.8507, 0.4889]
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
        Probabilities, rising in t.

    Notes
    -----
    (beta + t - 1) / (alpha + beta + t - 1).

    References
    ----------
    Fader and Hardie (2007), equation (8).

    Examples
    --------
    >>> retention_rate(Params(0.668, 3.806), [1, 2, 8]).round(4).tolist()
    [0.8507, 0.878, 0.9418]
    """
    alpha, beta, t = floats(*params, t)
    stay = beta + (t - 1.0)
    return stay / (alpha + stay)


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
    With n the renewals, log S(n) where the customer is still there and log(S(n) - S(n + 1))
    = log S(n) + log(alpha / (alpha + beta + n)) where not.

    References
    ----------
    Fader and Hardie (2007), equations (5) to (7).

    Examples
    --------
    >>> log_likelihood(Params(0.668, 3.806), [0, 7], [True, False]).round(6).tolist()
    [-1.90175, -0.715506]
    """
    alpha, beta, n, churned = floats(*params, n_renewals, churned)
    return log_beta_ratio(alpha, beta, n) - churned * np.log1p((beta + n) / alpha)


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
    ndarray of shape (..., 2)
        Derivatives with respect to alpha and beta.

    Examples
    --------
    >>> gradient(Params(0.668, 3.806), [0, 7], [True, False]).round(4).tolist()
    [[1.2735, -0.2235], [-1.0135, 0.1201]]
    """
    alpha, beta, n, churned = floats(*params, n_renewals, churned)
    later = alpha + beta + n
    by_alpha = churned * ((beta + n) / alpha / later) - digamma_difference(alpha + beta, n)
    by_beta = digamma_mixed_difference(beta, alpha, n) - churned / later
    return np.stack([by_alpha, by_beta], axis=-1)


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
    ndarray of shape (..., 2, 2)
        One symmetric matrix a customer, in the order alpha, beta.

    Examples
    --------
    >>> hessian(Params(0.668, 3.806), 7, False).round(4).tolist()
    [[0.1593, 0.1593], [0.1593, -0.044]]
    """
    alpha, beta, n, churned = floats(*params, n_renewals, churned)
    later = alpha + beta + n
    leaving = churned / later**2
    both = trigamma_difference(alpha + beta, n) + leaving
    beta_twice = trigamma_mixed_difference(beta, alpha, n) + leaving
    rows = [[both - churned / alpha**2, both], [both, beta_twice]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


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
        Probabilities in [0, 1].

    Notes
    -----
    S(n + t) / S(n). What is known of a customer after n renewals is theta ~ Beta(alpha, beta + n).

    References
    ----------
    Fader, P. S. and Hardie, B. G. S. (2010). Customer-base valuation in a contractual setting: the perils of
    ignoring heterogeneity. Marketing Science 29, 85-93.

    Examples
    --------
    >>> survival_ahead(Params(0.668, 3.806), [0, 5], 1).round(4).tolist()
    [0.8507, 0.9295]
    """
    alpha, beta, n, t = floats(*params, n_renewals, t)
    return np.exp(log_beta_ratio(alpha, beta + n, t))


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
    >>> churn_probability(Params(0.668, 3.806), [0, 5], 1).round(4).tolist()
    [0.1493, 0.0705]
    """
    alpha, beta, n, t = floats(*params, n_renewals, t)
    return -np.expm1(log_beta_ratio(alpha, beta + n, t))


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
        Expected numbers; infinite for alpha <= 1, where so many customers hardly ever leave that the mean
        does not exist.

    Notes
    -----
    The mean of (1 - theta) / theta, (beta + n) / (alpha - 1).

    Examples
    --------
    >>> expected_residual_lifetime(Params(3.0, 5.0), [0, 3]).tolist()
    [2.5, 4.0]
    """
    alpha, beta, n = floats(*params, n_renewals)
    exists = alpha > 1.0
    return np.where(exists, (beta + n) / np.where(exists, alpha - 1.0, 1.0), np.inf)


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
        Present values at acquisition, the first, certain and undiscounted payment included. At rate 0 and
        for ever the value exists for alpha > 1 only, and is infinite elsewhere.

    Notes
    -----
    The sum over t = 0 ... n_periods - 1 of S(t) e^(-rate t): the discounted expected lifetime (DEL), which
    for ever is 2F1(1, beta; alpha + beta; e^-rate). It is computed as an integral of positive terms, right
    to 1e-11 for rates from 1e-8 to 10 and alpha from 1e-6.

    References
    ----------
    Fader and Hardie (2010), equation (6).

    Examples
    --------
    >>> lifetime_value(Params(0.668, 3.806), np.log(1.1)).round(6).tolist()
    5.922596
    >>> lifetime_value(Params(0.668, 3.806), np.log(1.1), [1, 5]).round(4).tolist()
    [1.0, 3.3105]
    """
    alpha, beta, rate, n = floats(*params, discount_rate, n_periods)
    later = residual_lifetime_value(Params(alpha, beta), 0.0, rate, np.maximum(n - 1.0, 0.0))
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
        Continuous rate per period, >= 0: log(1 + d) where money a period away is worth 1 / (1 + d).
    n_periods : array_like, default inf
        Renewals ahead that count, whole.

    Returns
    -------
    ndarray
        Present values just before the next renewal decision. At rate 0 and for ever the value is
        expected_residual_lifetime, which exists for alpha > 1 only.

    Notes
    -----
    With n the renewals made, the sum over k = 1 ... n_periods of S(n + k) / S(n) e^(-rate (k - 1)): the
    next renewal is not discounted, and not certain. For ever this is the discounted expected residual
    lifetime (DERL) "just before the decision on renewal n + 1" of the paper.

    References
    ----------
    Fader and Hardie (2010), equation (8).

    Examples
    --------
    >>> residual_lifetime_value(Params(0.668, 3.806), [1, 4], np.log(1.1)).round(6).tolist()
    [5.901753, 6.897057]
    """
    alpha, beta, n, rate, periods = floats(*params, n_renewals, discount_rate, n_periods)
    stay = beta + n
    a, b, rates, limit = alpha.ravel(), stay.ravel() + 1.0, rate.ravel(), periods.ravel()
    value = np.empty(a.shape)
    for rows, mean in ((limit < np.inf, _lifetime_within), (limit == np.inf, _lifetime_for_ever)):
        if rows.any():
            value[rows] = mean(a[rows], b[rows], rates[rows], limit[rows])
    return stay / (alpha + stay) * value.reshape(alpha.shape)


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
    >>> when = simulate(Params(0.668, 3.806), np.zeros(100_000), 7, random_state=rng)
    >>> round(float(np.isinf(when).mean()), 2)  # S(7) = 0.489
    0.49
    """
    alpha, beta, n, t = floats(*params, n_renewals, t)
    theta = np.minimum(random_state.beta(alpha, beta + n), 1.0 - 2.0**-53)
    hazard = np.maximum(-np.log1p(-theta), np.finfo(np.float64).tiny)
    waiting = random_state.standard_exponential(n.shape)
    # compared before dividing: the quotient overflows where hardly anybody leaves
    renews_all = waiting >= hazard * t
    return np.where(renews_all, np.inf, n + np.floor(waiting / np.where(renews_all, 1.0, hazard)) + 1.0)


def _lifetime_within(a: FloatArray, b: FloatArray, rate: FloatArray, n_terms: FloatArray) -> FloatArray:
    """Return the sum of E[(1 - theta)^k] e^(-rate k) over k < n_terms, theta ~ Beta(a, b)."""
    total, reached = np.zeros(a.shape), np.ones(a.shape)
    for rows, k, counts in short_stretches(n_terms):
        stay = b[rows, None] + k
        steps = stay / (a[rows, None] + stay) * np.exp(-rate[rows, None])
        survivors = np.cumprod(np.concatenate([reached[rows, None], steps], axis=1), axis=1)
        total[rows] += np.where(counts, survivors[:, :-1], 0.0).sum(axis=1)
        reached[rows] = survivors[:, -1]
    for rows, k, weights in long_stretches(n_terms):
        survivors = np.exp(log_beta_ratio(a[rows, None], b[rows, None], k) - rate[rows, None] * k)
        total[rows] += np.einsum("ij,ij->i", weights, survivors)
    return total


def _lifetime_for_ever(a: FloatArray, b: FloatArray, rate: FloatArray, _: FloatArray) -> FloatArray:
    """Return the same sum over all k, for b > 1, once for each distinct row."""
    distinct, which = np.unique(np.stack([a, b, rate], axis=1), axis=0, return_inverse=True)
    a, b, rate = distinct.T
    answer = np.empty(rate.shape)
    free = rate == 0.0
    answer[free] = np.where(a[free] > 1.0, 1.0 + expected_residual_lifetime(Params(a[free], b[free]), 0.0), 0)
    answer[free & (a <= 1.0)] = np.inf
    discounted = np.flatnonzero(~free)
    for rows in cut(discounted, _ROWS_AT_ONCE):
        answer[rows] = _mean_discounted_lifetime(a[rows], b[rows], rate[rows])
    return answer[which.ravel()]


def _mean_discounted_lifetime(a: FloatArray, b: FloatArray, rate: FloatArray) -> FloatArray:
    """Return E[1 / (1 - (1 - theta) e^-rate)], theta ~ Beta(a, b), for b > 1 and rate > 0.

    It is 2F1(1, b; a + b; q) with q = e^-rate. Euler's transform and his integral turn it into
    m / (1 - q) times the integral over u > 0 of e^(-m u) (1 + q / (1 - q) (1 - e^-u))^-a, m = a + b - 1:
    nothing singular is left, neither for small a nor for small rates. Over log u the integrand is analytic
    and dies off on both sides, so that the trapezoidal rule is exact to rounding.
    """
    m = (a + b - 1.0)[:, None]
    lost = -np.expm1(-rate)[:, None]
    kappa = np.exp(-rate)[:, None] / lost
    low = -np.log(m + a[:, None] * kappa) - 37.0
    high = np.log(45.0 / m)
    n_nodes = int(np.ceil((high - low).max() / _STEP)) + 1
    step = (high - low) / (n_nodes - 1)
    v = low + step * np.arange(n_nodes)
    u = np.exp(v)
    density = np.exp(v - m * u - a[:, None] * np.log1p(-kappa * np.expm1(-u)))
    return (m * step / lost)[:, 0] * density.sum(axis=1)
