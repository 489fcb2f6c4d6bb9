r"""BG/NBD: how often customers buy, and after which purchase they quietly leave.

While alive a customer buys at random times with rate lambda ~ Gamma(r, rate alpha); after each repeat
purchase he leaves for good with probability p ~ Beta(a, b). What is known of him is his history: x repeat
purchases (``frequency``), the last at t_x (``recency``), seen until ``T``. Times may be in any one unit;
alpha is in the same unit, and multiplying all of them by c changes no answer but the log-likelihood, by
-x log c, because it is a density of x times, and its derivative by alpha, by 1 / c.

Formulas only; the mathematics shared with MBG/NBD is in :mod:`habitue.numerics.beta_dropout`, fitting is
:class:`habitue.models.bgnbd.BGNBD`. Nothing is checked here; what is handed in must be a possible history
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
    "BGNBDParams",
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

_M = 0  # chances to leave at the first purchase: none


class BGNBDParams(NamedTuple):
    """The four numbers of a BG/NBD customer base.

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


Params = BGNBDParams  # within the module the family's name need not be said twice


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
    log of Gamma(r + x) alpha^r / Gamma(r) * B(a, b + x) / B(a, b) * {(alpha + T)^-(r + x)
    + [x > 0] a / (b + x - 1) (alpha + t_x)^-(r + x)}.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting Your Customers" the easy way: an
    alternative to the Pareto/NBD model. Marketing Science 24, 275-284, equation (6).

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> round(float(log_likelihood(cdnow, 2, 30.43, 38.86)), 6)
    -9.458606
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
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
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
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
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
    1 / (1 + a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x)) for x > 0, and exactly 1 for x = 0: in
    this model customers leave only after a repeat purchase, so one who never made one cannot have left.
    That is a property of the model, not a finding; MBG/NBD and Pareto/NBD lack it.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2008). Computing P(alive) using the BG/NBD model.
    brucehardie.com/notes/021.

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> p_alive(cdnow, [0, 2], [0.0, 30.43], 38.86).round(4).tolist()
    [1.0, 0.7266]
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
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> round(float(p_no_purchase(cdnow, 0, 0.0, 38.86, 39.0)), 6)
    0.855449
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
    P(alive) E[(1 - (1 + p t / (alpha + T))^-(r + x)) / p] with p ~ Beta(a, b + x). This is equation (10) of
    the paper before its integral is written as a 2F1, which returns NaN for large x and at a = 1.
    Checked to 1e-10 for x to 1e4, T to 1e5, t from 1e-6 to 1e5, a and b from 1e-6. It does not depend on t_x
    but through P(alive): among many customers it is evaluated once for each distinct (x, T).

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005), equation (10).

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> round(float(expected_purchases(cdnow, 2, 30.43, 38.86, 52.0)), 6)
    1.558721
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
    The expectation of a customer with x = 0 and T = 0.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005), equation (9).

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> round(float(expected_purchases_new(cdnow, 52.0)), 6)
    1.446051
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
    Beta(a, b + x): for n > 0 it is P(alive) (E[(1 - p)^n] P(N = n) + E[p (1 - p)^(n - 1)] P(N >= n)), and
    for n = 0 it is p_no_purchase. Nothing is subtracted, so tails keep their digits.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005), equation (8).

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> purchase_pmf(cdnow, 2, 30.43, 38.86, 39.0, [0, 1, 2]).round(6).tolist()
    [0.445373, 0.239319, 0.144183]
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
    The probability for a customer with x = 0 and T = 0.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005), equation (8).

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> purchase_pmf_new(cdnow, 39.0, [0, 1, 5]).round(6).tolist()
    [0.573786, 0.199395, 0.017965]
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
    Beta(a, b + x): an immortal customer buys lambda / discount_rate, leaving adds lambda p to that
    rate. Without discount it is P(alive) E[1 / p] = P(alive) (a + b + x - 1) / (a - 1), for a > 1.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). RFM and CLV: using iso-value curves for customer
    base analysis. Journal of Marketing Research 42, 415-430 (the idea, for Pareto/NBD).

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> round(float(residual_transactions(cdnow, 2, 30.43, 38.86, 0.0027)), 6)
    5.15638
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
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> round(float(discounted_purchases(cdnow, 2, 30.43, 38.86, 52.0, 0.0027)), 6)
    1.461497
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
    T) and p ~ Beta(a, b + x). A new customer is x = 0, t_x = 0, T = 0.

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> future = simulate(cdnow, [0, 2], [0.0, 30.43], 38.86, 39.0, random_state=np.random.default_rng(0))
    >>> future.is_alive.shape
    (2,)
    """
    return beta_dropout.simulate(params, _M, frequency, recency, T, t, random_state=random_state)
