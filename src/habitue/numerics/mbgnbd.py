r"""MBG/NBD: how often customers buy, and after which purchase, the first included, they quietly leave.

While alive a customer buys at random times with rate lambda ~ Gamma(r, rate alpha); after each purchase, the
very first at time 0 included, he leaves for good with probability p ~ Beta(a, b). In BG/NBD everybody
survives the first purchase, and whoever never came back counts as alive for ever; here many such are gone.
What is known of him is his history: x repeat purchases (``frequency``), the last at t_x (``recency``), seen
until ``T``. Times may be in any one unit; alpha is in the same unit.

Formulas only; the mathematics shared with BG/NBD is in :mod:`habitue.numerics.beta_dropout`.
Nothing is checked here; what is handed in must be a possible history
(whole x >= 0, 0 <= t_x <= T, t_x = 0 where x = 0) with positive parameters. Each field of the parameters
may be an array that broadcasts against the histories: one value a customer, or a column of posterior draws.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics import beta_dropout
from habitue.numerics.arrays import FloatArray
from habitue.numerics.purchases import Purchases

__all__ = [
    "MBGNBDParams",
    "Params",
    "discounted_purchases",
    "expected_purchases",
    "expected_purchases_new",
    "gradient",
    "hessian",
    "log_likelihood",
    "p_alive",
    "p_no_purchase",
    "purchase_pmf",
    "purchase_pmf_new",
    "residual_transactions",
    "simulate",
]

_M = 1  # chances to leave at the first purchase


class MBGNBDParams(NamedTuple):
    """The four numbers of an MBG/NBD customer base.

    Attributes
    ----------
    r : float or ndarray
        Shape of the Gamma distribution of purchase rates; small where customers differ a lot.
    alpha : float or ndarray
        Its rate, in the unit of time of the histories; r / alpha is the mean number of purchases per unit.
    a, b : float or ndarray
        Parameters of the Beta distribution of the probability to leave after a purchase; its mean is
        a / (a + b).
    """

    r: float | FloatArray
    alpha: float | FloatArray
    a: float | FloatArray
    b: float | FloatArray


Params = MBGNBDParams  # within the module the family's name need not be said twice


def log_likelihood(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how well the parameters explain each customer's history.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other.

    Returns
    -------
    ndarray
        Log of the density of each history; one a customer.

    Notes
    -----
    log of Gamma(r + x) alpha^r / Gamma(r) * B(a, b + x + 1) / B(a, b) * {(alpha + T)^-(r + x)
    + a / (b + x) (alpha + t_x)^-(r + x)}.

    References
    ----------
    Batislam, E. P., Denizel, M. and Filiztekin, A. (2007). Empirical validation and comparison of models for
    customer base analysis. International Journal of Research in Marketing 24, 201-209.

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> round(float(log_likelihood(cdnow, 2, 30.43, 38.86)), 6)
    -9.485551
    """
    return beta_dropout.log_likelihood(params, _M, frequency, recency, T)


def gradient(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other.

    Returns
    -------
    ndarray of shape (..., 4)
        Derivatives with respect to r, alpha, a, b, one row a customer.

    Notes
    -----
    The derivative of log(1 + e^D), D the log-odds of having left, is P(left) D'.

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> gradient(cdnow, [0, 2], [0.0, 30.43], [38.86, 38.86]).shape
    (2, 4)
    """
    return beta_dropout.gradient(params, _M, frequency, recency, T)


def hessian(params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
    """Return how each customer's gradient moves with each parameter.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other.

    Returns
    -------
    ndarray of shape (..., 4, 4)
        Second derivatives with respect to r, alpha, a, b, one symmetric matrix a customer.

    Notes
    -----
    Those of log(1 + e^D), D the log-odds of having left, are P(left) (D_ij + P(alive) D_i D_j). Differences
    of digamma and trigamma functions are taken as sums of positive terms.

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> hessian(cdnow, [0, 2], [0.0, 30.43], [38.86, 38.86]).shape
    (2, 4, 4)
    """
    return beta_dropout.hessian(params, _M, frequency, recency, T)


def p_alive(params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
    """Return the probability that each customer has not left yet.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; at least 1e-308.

    Notes
    -----
    1 / (1 + a / (b + x) ((alpha + T) / (alpha + t_x))^(r + x)), for x = 0 too.

    References
    ----------
    Batislam, E. P., Denizel, M. and Filiztekin, A. (2007).

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> p_alive(cdnow, [0, 2], [0.0, 30.43], 38.86).round(4).tolist()
    [0.3897, 0.7062]
    """
    return beta_dropout.p_alive(params, _M, frequency, recency, T)


def p_no_purchase(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike, t: npt.ArrayLike
) -> FloatArray:
    """Return the probability that each customer buys nothing during the next t units of time.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and t.
    t : array_like
        Length of the time ahead, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; 1 at t = 0, falling towards 1 - p_alive.

    Notes
    -----
    "Nothing until T + t" is the same history seen at T + t, so the probability is the ratio of
    likelihoods L(x, t_x, T + t) / L(x, t_x, T), which is
    P(left) + P(alive) ((alpha + T) / (alpha + T + t))^(r + x): a sum of positive terms.

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> round(float(p_no_purchase(cdnow, 0, 0.0, 38.86, 39.0)), 6)
    0.891171
    """
    return beta_dropout.p_no_purchase(params, _M, frequency, recency, T, t)


def expected_purchases(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike, t: npt.ArrayLike
) -> FloatArray:
    """Return how many purchases each customer will make during the next t units of time.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and t.
    t : array_like
        Length of the time ahead, >= 0.

    Returns
    -------
    ndarray
        Expected numbers of purchases, >= 0, rising in t.

    Notes
    -----
    P(alive) E[(1 - (1 + p t / (alpha + T))^-(r + x)) / p] with p ~ Beta(a, b + x + 1). The paper's
    form has a 2F1, which overflows for large x and is undefined at a = 1; the mean over p has no such edge.
    Checked to 1e-10 for x to 1e4, T to 1e5, t from 1e-6 to 1e5, a and b from 1e-6. It does not depend on t_x
    but through P(alive): among many customers it is evaluated once for each distinct (x, T).

    References
    ----------
    Batislam, E. P., Denizel, M. and Filiztekin, A. (2007).

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> round(float(expected_purchases(cdnow, 2, 30.43, 38.86, 52.0)), 6)
    1.597217
    """
    return beta_dropout.expected_purchases(params, _M, frequency, recency, T, t)


def expected_purchases_new(params: Params, t: npt.ArrayLike) -> FloatArray:
    """Return how many repeat purchases a new customer makes in the t units of time after the first.

    Parameters
    ----------
    params : Params
        The customer base.
    t : array_like
        Time since the first purchase, >= 0.

    Returns
    -------
    ndarray
        Expected numbers of repeat purchases.

    Notes
    -----
    The expectation of a customer with x = 0 and T = 0, who is still there with probability b / (a + b).

    References
    ----------
    Batislam, E. P., Denizel, M. and Filiztekin, A. (2007).

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> round(float(expected_purchases_new(cdnow, 52.0)), 6)
    1.419724
    """
    return beta_dropout.expected_purchases(params, _M, 0.0, 0.0, 0.0, t)


def purchase_pmf(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    n: npt.ArrayLike,
) -> FloatArray:
    """Return the probability that each customer buys exactly n times during the next t units of time.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, t and n.
    t : array_like
        Length of the time ahead, >= 0.
    n : array_like
        Number of purchases, whole, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; over n they sum to 1.

    Notes
    -----
    With N the purchases that he would make if he never left, negative binomial of shape r + x, and p ~
    Beta(a, b + x + 1): for n > 0 it is P(alive) (E[(1 - p)^n] P(N = n) + E[p (1 - p)^(n - 1)] P(N >= n)), and
    for n = 0 it is p_no_purchase. Nothing is subtracted, so tails keep their digits.

    References
    ----------
    Batislam, E. P., Denizel, M. and Filiztekin, A. (2007).

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> purchase_pmf(cdnow, 2, 30.43, 38.86, 39.0, [0, 1, 2]).round(6).tolist()
    [0.440006, 0.234224, 0.145974]
    """
    return beta_dropout.purchase_pmf(params, _M, frequency, recency, T, t, n)


def purchase_pmf_new(params: Params, t: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    """Return the probability that a new customer makes exactly n repeat purchases in t units of time.

    Parameters
    ----------
    params : Params
        The customer base.
    t : array_like
        Time since the first purchase, >= 0.
    n : array_like
        Number of repeat purchases, whole, >= 0; broadcast against t.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; over n they sum to 1.

    Notes
    -----
    The probability for a customer with x = 0 and T = 0, who has left at once with probability a / (a + b).

    References
    ----------
    Batislam, E. P., Denizel, M. and Filiztekin, A. (2007).

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> purchase_pmf_new(cdnow, 39.0, [0, 1, 5]).round(6).tolist()
    [0.582473, 0.182783, 0.019387]
    """
    return beta_dropout.purchase_pmf(params, _M, 0.0, 0.0, 0.0, t, n)


def residual_transactions(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    discount_rate: npt.ArrayLike,
) -> FloatArray:
    """Return how many purchases each customer will still make, ever, each discounted to now.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the rate.
    discount_rate : array_like
        Continuous rate per unit of time, >= 0: money u units ahead counts e^(-discount_rate u).

    Returns
    -------
    ndarray
        Discounted expected residual transactions. At rate 0 infinite unless a > 1.

    Notes
    -----
    P(alive) E[lambda / (lambda p + discount_rate)], lambda ~ Gamma(r + x, rate alpha + T) and p ~
    Beta(a, b + x + 1): an immortal customer buys lambda / discount_rate, leaving adds lambda p to that
    rate. Without discount it is P(alive) E[1 / p] = P(alive) (a + b + x) / (a - 1), for a > 1.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). RFM and CLV: using iso-value curves for customer
    base analysis. Journal of Marketing Research 42, 415-430 (the idea, for Pareto/NBD).

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> round(float(residual_transactions(cdnow, 2, 30.43, 38.86, 0.0027)), 6)
    4.913027
    """
    return beta_dropout.residual_transactions(params, _M, frequency, recency, T, discount_rate)


def discounted_purchases(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    discount_rate: npt.ArrayLike,
) -> FloatArray:
    """Return how many purchases each customer will make in t units of time, each discounted to now.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, t and the rate.
    t : array_like
        Length of the time ahead, >= 0.
    discount_rate : array_like
        Continuous rate per unit of time, >= 0: money u units ahead counts e^(-discount_rate u).

    Returns
    -------
    ndarray
        Discounted expected purchases; at rate 0 they are expected_purchases.

    Notes
    -----
    P(alive) E[lambda (1 - e^-((lambda p + discount_rate) t)) / (lambda p + discount_rate)], computed as
    e^(-discount_rate t) M(t) + integral of discount_rate e^(-discount_rate u) M(u) over (0, t), with M the
    expected purchases.

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> round(float(discounted_purchases(cdnow, 2, 30.43, 38.86, 52.0, 0.0027)), 6)
    1.49847
    """
    return beta_dropout.discounted_purchases(params, _M, frequency, recency, T, t, discount_rate)


def simulate(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    random_state: np.random.Generator,
) -> Purchases:
    """Draw one possible future of each customer during the next t units of time.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and t.
    t : array_like
        Length of the time ahead, >= 0.
    random_state : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Purchases
        Purchases in (T, T + t], and whether each customer is still there at T + t.

    Notes
    -----
    Drawn from what is believed of each customer: alive with P(alive), then lambda ~ Gamma(r + x, rate alpha +
    T) and p ~ Beta(a, b + x + 1). A new customer is x = 0, t_x = 0, T = 0, and may be gone already.

    Examples
    --------
    >>> cdnow = Params(0.525, 6.183, 0.891, 1.614)
    >>> future = simulate(cdnow, [0, 2], [0.0, 30.43], 38.86, 39.0, random_state=np.random.default_rng(0))
    >>> future.is_alive.shape
    (2,)
    """
    return beta_dropout.simulate(params, _M, frequency, recency, T, t, random_state=random_state)
