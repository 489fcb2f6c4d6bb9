r"""Gamma-gamma: what a customer's visits are worth, when only a few were seen.

The amount of a visit is Gamma(p, rate nu) with nu ~ Gamma(q, rate v) across customers. Of a customer are
known x repeat visits (``frequency``) and their mean amount (``monetary_value``), positive. Money may be in
any one currency; v is in the same, and multiplying both by c multiplies every expected spend by c.

Two likelihoods are here. That of the mean amounts needs no more than is in every summary of customers. That
of the amounts themselves needs the mean of their logarithms as well, and knows more: how much the visits of
one customer differ tells p directly, which from means alone is seen only by comparing customers with
different numbers of visits. With one visit a customer the two are the same, and p is badly known by both.

The model assumes that how much is spent does not depend on how often. Formulas only: fitting, and a
warning where that assumption fails, are :class:`habitue.models.gamma_gamma.GammaGamma`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincc, gammainccinv, zeta

from habitue.numerics.arrays import FloatArray, floats
from habitue.numerics.beta_ratio import (
    digamma_difference,
    log_beta,
    stirling_remainder,
    trigamma_difference,
)

__all__ = [
    "GammaGammaParams",
    "Params",
    "expected_spend",
    "gradient",
    "gradient_of_amounts",
    "hessian",
    "hessian_of_amounts",
    "log_likelihood",
    "log_likelihood_of_amounts",
    "simulate_amounts",
    "spend_cdf",
    "spend_quantile",
]

_HALF_LOG_TWO_PI = 0.9189385332046727418


class GammaGammaParams(NamedTuple):
    """The three numbers of a gamma-gamma customer base.

    Attributes
    ----------
    p : float or ndarray
        Shape of the Gamma distribution of one customer's amounts; their coefficient of variation is
        1 / sqrt(p).
    q : float or ndarray
        Shape of the Gamma distribution across customers. The mean amount over customers is
        p v / (q - 1), and infinite for q <= 1.
    v : float or ndarray
        Rate of that distribution, in the currency of the amounts.
    """

    p: float | FloatArray
    q: float | FloatArray
    v: float | FloatArray


Params = GammaGammaParams  # within the module the family's name need not be said twice


def log_likelihood(params: Params, frequency: npt.ArrayLike, monetary_value: npt.ArrayLike) -> FloatArray:
    """Return how well the parameters explain each customer's mean amount.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency : array_like
        Repeat visits behind each mean, > 0.
    monetary_value : array_like
        Mean amount of those visits, > 0.

    Returns
    -------
    ndarray
        Log of the density of each mean; one a customer.

    Notes
    -----
    log of Gamma(p x + q) / (Gamma(p x) Gamma(q)) * (v / (x m + v))^q * (x m / (x m + v))^(p x) / m, with m
    the mean amount.

    References
    ----------
    Fader, P. S. and Hardie, B. G. S. (2013). The gamma-gamma model of monetary value.
    brucehardie.com/notes/025, equation (1a).

    Examples
    --------
    >>> cdnow = Params(6.25, 3.74, 15.44)
    >>> round(float(log_likelihood(cdnow, 2, 22.35)), 6)
    -3.551317
    """
    p, q, v, x, m = floats(*params, frequency, monetary_value)
    return -log_beta(p * x, q) - q * np.log1p(x * m / v) - p * x * np.log1p(v / (x * m)) - np.log(m)


def gradient(params: Params, frequency: npt.ArrayLike, monetary_value: npt.ArrayLike) -> FloatArray:
    """Return how each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency : array_like
        Repeat visits behind each mean, > 0.
    monetary_value : array_like
        Mean amount of those visits, > 0.

    Returns
    -------
    ndarray of shape (..., 3)
        Derivatives with respect to p, q, v, one row a customer.

    Examples
    --------
    >>> gradient(Params(6.25, 3.74, 15.44), [1, 2], [11.77, 22.35]).shape
    (2, 3)
    """
    p, q, v, x, m = floats(*params, frequency, monetary_value)
    by_p = x * (digamma_difference(p * x, q) - np.log1p(v / (x * m)))
    return np.stack([by_p, *_by_q_and_v(p, q, v, x, m)], axis=-1)


def hessian(params: Params, frequency: npt.ArrayLike, monetary_value: npt.ArrayLike) -> FloatArray:
    """Return the second derivatives of each customer's log-likelihood.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency : array_like
        Repeat visits behind each mean, > 0.
    monetary_value : array_like
        Mean amount of those visits, > 0.

    Returns
    -------
    ndarray of shape (..., 3, 3)
        One symmetric matrix a customer, in the order p, q, v.

    Examples
    --------
    >>> hessian(Params(6.25, 3.74, 15.44), [1, 2], [11.77, 22.35]).shape
    (2, 3, 3)
    """
    p, q, v, x, m = floats(*params, frequency, monetary_value)
    return _curvature(p, q, v, x, m, -(x**2) * trigamma_difference(p * x, q))


def log_likelihood_of_amounts(
    params: Params, frequency: npt.ArrayLike, monetary_value: npt.ArrayLike, mean_log_amount: npt.ArrayLike
) -> FloatArray:
    """Return how well the parameters explain the amounts of each customer's visits, one by one.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency : array_like
        Repeat visits, > 0.
    monetary_value : array_like
        Mean amount of those visits, > 0.
    mean_log_amount : array_like
        Mean logarithm of those amounts: at most the logarithm of their mean.

    Returns
    -------
    ndarray
        Log of the density of each customer's amounts.

    Notes
    -----
    log of Gamma(p x + q) v^q / (Gamma(p)^x Gamma(q)) * (product of amounts)^(p - 1)
    * (v + x m)^-(p x + q): number, sum and product of the amounts say all about p, q and v. It is computed
    as the density of the mean times that of the shares which the visits have in it; in the latter,
    Gamma(p x) / Gamma(p)^x x^(-p x), Stirling's terms are cancelled by hand. The mean alone loses what the
    shares say: that they differ much means a small p, whatever q and v.

    References
    ----------
    Fader and Hardie (2013), section 2, where the amounts are given as z_1 ... z_x.

    Examples
    --------
    Two visits of 20 and 30 are more probable than two of 1 and 49, though their mean is the same:

    >>> cdnow, logs = Params(6.25, 3.74, 15.44), np.log([[20.0, 30.0], [1.0, 49.0]]).mean(axis=1)
    >>> log_likelihood_of_amounts(cdnow, 2, 25.0, logs).round(4).tolist()
    [-7.4367, -20.5886]
    """
    p, _, _, x, m, mean_log = floats(*params, frequency, monetary_value, mean_log_amount)
    shares = 0.5 * (x - 1.0) * np.log(p) - 0.5 * np.log(x) - (x - 1.0) * _HALF_LOG_TWO_PI
    shares += stirling_remainder(p * x) - x * stirling_remainder(p)
    uneven = p * x * (np.log(m) - mean_log) + x * mean_log
    return log_likelihood(params, x, m) + np.log(m) + shares - uneven


def gradient_of_amounts(
    params: Params, frequency: npt.ArrayLike, monetary_value: npt.ArrayLike, mean_log_amount: npt.ArrayLike
) -> FloatArray:
    """Return how the log-likelihood of each customer's amounts moves with each parameter.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency : array_like
        Repeat visits, > 0.
    monetary_value : array_like
        Mean amount of those visits, > 0.
    mean_log_amount : array_like
        Mean logarithm of those amounts.

    Returns
    -------
    ndarray of shape (..., 3)
        Derivatives with respect to p, q, v, one row a customer.

    Examples
    --------
    >>> gradient_of_amounts(Params(6.25, 3.74, 15.44), [1, 2], [11.77, 22.35], [2.4655, 3.0]).shape
    (2, 3)
    """
    p, q, v, x, m, mean_log = floats(*params, frequency, monetary_value, mean_log_amount)
    own = digamma_difference(p, (x - 1.0) * p + q) - np.log(x)
    by_p = x * (own + (mean_log - np.log(m)) - np.log1p(v / (x * m)))
    return np.stack([by_p, *_by_q_and_v(p, q, v, x, m)], axis=-1)


def hessian_of_amounts(
    params: Params, frequency: npt.ArrayLike, monetary_value: npt.ArrayLike, mean_log_amount: npt.ArrayLike
) -> FloatArray:
    """Return the second derivatives of the log-likelihood of each customer's amounts.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency : array_like
        Repeat visits, > 0.
    monetary_value : array_like
        Mean amount of those visits, > 0.
    mean_log_amount : array_like
        Mean logarithm of those amounts; the second derivatives do not depend on it.

    Returns
    -------
    ndarray of shape (..., 3, 3)
        One symmetric matrix a customer, in the order p, q, v.

    Examples
    --------
    >>> hessian_of_amounts(Params(6.25, 3.74, 15.44), [1, 2], [11.77, 22.35], [2.4655, 3.0]).shape
    (2, 3, 3)
    """
    p, q, v, x, m, _ = floats(*params, frequency, monetary_value, mean_log_amount)
    # x^2 psi'(p x + q) - x psi'(p), of which the first part is the smaller
    p_twice = -x * trigamma_difference(p, (x - 1.0) * p + q) + x * (x - 1.0) * zeta(2.0, p * x + q)
    return _curvature(p, q, v, x, m, p_twice)


def expected_spend(params: Params, frequency: npt.ArrayLike, monetary_value: npt.ArrayLike) -> FloatArray:
    """Return the mean amount that each customer spends per visit in the long run.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency : array_like
        Repeat visits behind each mean, >= 0.
    monetary_value : array_like
        Mean amount of those visits; not looked at where frequency is 0.

    Returns
    -------
    ndarray
        Expected amount per visit, in the currency of v. Infinite where p x + q <= 1: for q <= 1 the mean
        over all customers, and so that of a customer never seen again, does not exist.

    Notes
    -----
    p (v + x m) / (p x + q - 1): the mean over customers, p v / (q - 1), and the customer's own mean m,
    weighted by q - 1 and p x.

    References
    ----------
    Fader and Hardie (2013), equation (5).

    Examples
    --------
    >>> expected_spend(Params(6.25, 3.74, 15.44), [0, 7], [float("nan"), 73.74]).round(3).tolist()
    [35.219, 71.47]
    """
    p, q, v, x, m = floats(*params, frequency, monetary_value)
    total = np.where(x > 0, x * m, 0.0)
    weight = p * x + (q - 1.0)
    exists = weight > 0.0
    return np.where(exists, p * (v + total) / np.where(exists, weight, 1.0), np.inf)


def spend_cdf(
    params: Params, frequency: npt.ArrayLike, monetary_value: npt.ArrayLike, spend: npt.ArrayLike
) -> FloatArray:
    """Return the probability that what each customer spends per visit in the long run is at most spend.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency : array_like
        Repeat visits behind each mean, >= 0.
    monetary_value : array_like
        Mean amount of those visits; not looked at where frequency is 0.
    spend : array_like
        Amounts per visit, > 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]. The mean of this distribution is expected_spend.

    Notes
    -----
    The long-run mean is p / nu with nu ~ Gamma(p x + q, rate v + x m): inverse gamma.

    References
    ----------
    Fader and Hardie (2013), equation (4).

    Examples
    --------
    >>> spend_cdf(Params(6.25, 3.74, 15.44), 7, 73.74, [50.0, 70.0, 100.0]).round(4).tolist()
    [0.0062, 0.4821, 0.9885]
    """
    p, q, v, x, m, spend = floats(*params, frequency, monetary_value, spend)
    return gammaincc(p * x + q, p * (v + np.where(x > 0, x * m, 0.0)) / spend)


def spend_quantile(
    params: Params, frequency: npt.ArrayLike, monetary_value: npt.ArrayLike, probability: npt.ArrayLike
) -> FloatArray:
    """Return the amount that each customer's long-run mean stays below with a given probability.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency : array_like
        Repeat visits behind each mean, >= 0.
    monetary_value : array_like
        Mean amount of those visits; not looked at where frequency is 0.
    probability : array_like
        In (0, 1).

    Returns
    -------
    ndarray
        Amounts per visit, in the currency of v. Infinite where they are beyond the largest number, as for
        a customer never seen again under a q near zero.

    Notes
    -----
    The inverse of spend_cdf. It is the uncertainty about a customer, not the spread of his visits, for
    which see simulate_amounts.

    Examples
    --------
    >>> spend_quantile(Params(6.25, 3.74, 15.44), [0, 7], 73.74, [[0.05], [0.95]]).round(2).tolist()
    [[13.07, 55.97], [79.26, 90.41]]
    """
    p, q, v, x, m, probability = floats(*params, frequency, monetary_value, probability)
    scaled = gammainccinv(p * x + q, probability)
    total = p * (v + np.where(x > 0, x * m, 0.0))
    exists = scaled > total / np.finfo(np.float64).max
    return np.where(exists, total / np.where(exists, scaled, 1.0), np.inf)


def simulate_amounts(
    params: Params,
    frequency: npt.ArrayLike,
    monetary_value: npt.ArrayLike,
    customer: npt.ArrayLike,
    *,
    random_state: np.random.Generator,
) -> FloatArray:
    """Draw the amounts of future visits.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, monetary_value : array_like of shape (n_customers,)
        What is known of each customer; the mean is not looked at where frequency is 0.
    customer : array_like of int of shape (n_visits,)
        Position of the customer who makes each visit, as in
        :attr:`habitue.numerics.purchases.Purchases.customer`.
    random_state : Generator
        Where chance comes from.

    Returns
    -------
    ndarray of shape (n_visits,)
        Amounts. All visits of a customer share his one nu, drawn from what is known of him.

    Notes
    -----
    nu ~ Gamma(p x + q, rate v + x m), amounts ~ Gamma(p, rate nu).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> amounts = simulate_amounts(
    ...     Params(6.25, 3.74, 15.44), np.full(40_000, 7), 73.74, np.arange(40_000), random_state=rng
    ... )
    >>> round(float(amounts.mean()))  # expected_spend: 71.47
    71
    """
    p, q, v, x, m = (np.atleast_1d(array) for array in floats(*params, frequency, monetary_value))
    nu = random_state.standard_gamma(p * x + q) / (v + np.where(x > 0, x * m, 0.0))
    which = np.asarray(customer, dtype=np.intp)
    drawn = random_state.standard_gamma(p[which])
    # a q near zero draws customers beyond the largest number
    with np.errstate(over="ignore", divide="ignore"):
        return drawn / nu[which]


def _by_q_and_v(
    p: FloatArray, q: FloatArray, v: FloatArray, x: FloatArray, m: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return derivatives by q and v, which are the same for means and amounts."""
    by_q = digamma_difference(q, p * x) - np.log1p(x * m / v)
    return by_q, (q / v * m - p) * (x / (x * m + v))


def _curvature(
    p: FloatArray, q: FloatArray, v: FloatArray, x: FloatArray, m: FloatArray, p_twice: FloatArray
) -> FloatArray:
    """Return second derivatives; only that by p differs between means and amounts."""
    total = x * m + v
    p_q, p_v = x * zeta(2.0, p * x + q), -x / total  # zeta(2, z) is psi'(z)
    q_twice, q_v = -trigamma_difference(q, p * x), x * m / total / v
    v_twice = (p * x + q) / total**2 - q / v**2
    rows = [[p_twice, p_q, p_v], [p_q, q_twice, q_v], [p_v, q_v, v_twice]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
