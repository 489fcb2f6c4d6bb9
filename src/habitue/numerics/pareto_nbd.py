r"""Pareto/NBD: customers buy at random until they leave unseen, at any time.

While there, a customer buys at random times with rate lambda ~ Gamma(r, rate alpha); he leaves for good
after a lifetime that is exponential with rate mu ~ Gamma(s, rate beta), independent of lambda. What is known
of him is his history: x repeat purchases (``frequency``), the last at t_x (``recency``), seen until ``T``.
Times may be in any one unit; alpha and beta are in the same unit, and multiplying all of them by c changes
no answer but the log-likelihood, by -x log c, because it is a density of x times.

Every field of ``Params`` may be an array that broadcasts against the histories: one number a customer, or a
column of posterior draws against a row of customers. Formulas only. Nothing is checked here; what is handed
in must be a possible history (whole x >= 0, 0 <= t_x <= T, t_x = 0 where x = 0) with positive parameters.

Seen from T on, a customer who is still there is like a new one with r + x, alpha + T, s, beta + T: each
answer about the future is P(alive) times that of this new customer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from habitue.numerics.arrays import FloatArray, floats
from habitue.numerics.many_rows import in_blocks
from habitue.numerics.pareto_nbd_likelihood import (
    ParetoNBDParams,
    gradient,
    hessian,
    log_likelihood,
    value_gradient_hessian,
)
from habitue.numerics.pareto_nbd_presence import (
    alive,
    log_odds_of_gone,
    p_alive,
    p_alive_at,
    p_no_purchase,
    still_there,
)
from habitue.numerics.purchases import Purchases
from habitue.numerics.silent_futures import (
    FALLS,
    Leaving,
    count_probability,
    purchases_until,
    survival_integral,
)

__all__ = [
    "Params",
    "ParetoNBDParams",
    "discounted_purchases",
    "expected_purchases",
    "expected_purchases_new",
    "gradient",
    "hessian",
    "log_likelihood",
    "p_alive",
    "p_alive_at",
    "p_no_purchase",
    "purchase_pmf",
    "purchase_pmf_new",
    "residual_transactions",
    "simulate",
    "value_gradient_hessian",
]

Params = ParetoNBDParams  # within the module the family's name need not be said twice


def expected_purchases(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
) -> FloatArray:
    """Return how many purchases each customer will make during the next t units of time.

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
        Expected numbers of purchases, >= 0, rising in t.

    Notes
    -----
    P(alive) (r + x) (beta + T) / (alpha + T) (1 - ((beta + T) / (beta + T + t))^(s - 1)) / (s - 1), whose
    limit at s = 1 is a logarithm; written with expm1 there is nothing to lose near it.

    References
    ----------
    Schmittlein, D. C., Morrison, D. G. and Colombo, R. (1987), equation (22).
    Fader, P. S. and Hardie, B. G. S. (2005), brucehardie.com/notes/009.

    Examples
    --------
    >>> cdnow = Params(0.553, 10.578, 0.606, 11.669)
    >>> round(float(expected_purchases(cdnow, 2, 30.43, 38.86, 52.0)), 6)
    1.850827
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, t = given
        k, A, s, B = still_there(*history)
        return alive(*history) * k / A * _time_of_life(s, B, t)

    return in_blocks(answer, *floats(*params, frequency, recency, T, t))


def expected_purchases_new(params: Params, t: npt.ArrayLike) -> FloatArray:
    """Return how many repeat purchases a new customer makes in the t units of time after the first.

    Parameters
    ----------
    params : Params
        The customer base.
    t : array_like
        Time since the first purchase, >= 0; broadcast against the parameters.

    Returns
    -------
    ndarray
        Expected numbers of repeat purchases.

    Notes
    -----
    The expectation of a customer with x = 0 and T = 0.

    References
    ----------
    Schmittlein, D. C., Morrison, D. G. and Colombo, R. (1987), equation (17).

    Examples
    --------
    >>> cdnow = Params(0.553, 10.578, 0.606, 11.669)
    >>> round(float(expected_purchases_new(cdnow, 52.0)), 6)
    1.472997
    """
    return expected_purchases(params, 0.0, 0.0, 0.0, t)


def purchase_pmf(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    n: npt.ArrayLike,
) -> FloatArray:
    """Return the probability that each customer makes exactly n purchases during the next t units of time.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, t, n and the parameters.
    t : array_like
        Length of the time ahead, >= 0.
    n : array_like
        Numbers of purchases, whole >= 0.

    Returns
    -------
    ndarray
        Probabilities; their sum over n is one, their mean ``expected_purchases``.

    Notes
    -----
    [n = 0] P(left) + P(alive) times the probability that a new customer with r + x, alpha + T, s, beta + T
    makes n purchases: there all the time, or leaving after u < t, integrated over u. Sums of positive terms;
    the closed form is a difference that loses all digits from some n on.

    References
    ----------
    Fader, P. S. and Hardie, B. G. S. (2014). Deriving the conditional PMF of the Pareto/NBD model.
    brucehardie.com/notes/028.

    Examples
    --------
    >>> cdnow = Params(0.553, 10.578, 0.606, 11.669)
    >>> purchase_pmf(cdnow, 2, 30.43, 38.86, 39.0, [0, 1, 2, 3]).round(4).tolist()
    [0.4081, 0.2193, 0.1518, 0.0957]
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, t, n = given
        k, A, s, B = still_there(*history)
        gone = log_odds_of_gone(*history)
        return expit(gone) * (n == 0.0) + expit(-gone) * count_probability(_leaving(s, B), k, A, t, n)

    return in_blocks(answer, *floats(*params, frequency, recency, T, t, n))


def purchase_pmf_new(params: Params, t: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    """Return the probability that a new customer makes exactly n repeat purchases within t.

    Parameters
    ----------
    params : Params
        The customer base.
    t : array_like
        Time since the first purchase, >= 0; broadcast against n and the parameters.
    n : array_like
        Numbers of repeat purchases, whole >= 0.

    Returns
    -------
    ndarray
        Probabilities.

    Notes
    -----
    ``purchase_pmf`` of a customer with x = 0 and T = 0.

    References
    ----------
    Schmittlein, D. C., Morrison, D. G. and Colombo, R. (1987), appendix.

    Examples
    --------
    >>> cdnow = Params(0.553, 10.578, 0.606, 11.669)
    >>> purchase_pmf_new(cdnow, 39.0, [0, 1, 2]).round(4).tolist()
    [0.5936, 0.1656, 0.0825]
    """
    return purchase_pmf(params, 0.0, 0.0, 0.0, t, n)


def residual_transactions(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    discount_rate: npt.ArrayLike,
) -> FloatArray:
    """Return how many purchases are still to come from each customer, discounted to now (DERT).

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, the rate and the parameters.
    discount_rate : array_like
        Continuous rate per unit of time, >= 0.

    Returns
    -------
    ndarray
        Expected sums of e^(-discount_rate u) over purchases at T + u. At rate 0, the number of purchases
        still to come, which is finite for s > 1 only, and infinite otherwise.

    Notes
    -----
    P(alive) (r + x) / (alpha + T) int_0^inf e^(-rate u) ((beta + T) / (beta + T + u))^s du, which is a
    confluent hypergeometric function of the second kind, here by quadrature; at rate 0 and s > 1 the
    integral is (beta + T) / (s - 1).

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). RFM and CLV: using iso-value curves for customer
    base analysis. Journal of Marketing Research 42, 415-430, equation (2).

    Examples
    --------
    >>> cdnow = Params(0.553, 10.578, 0.606, 11.669)
    >>> round(float(residual_transactions(cdnow, 2, 30.43, 38.86, 0.0027)), 4)
    6.4838
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, rate = given
        k, A, s, B = still_there(*history)
        discounted, forever = rate > 0.0, np.full(rate.shape, np.inf)
        life = survival_integral(_leaving(s, B), np.where(discounted, rate, 1.0), forever)
        finite = discounted | (s > 1.0)
        life = np.where(discounted, life, B / np.where(s > 1.0, s - 1.0, 1.0))
        return np.where(finite, alive(*history) * k / A * life, np.inf)

    return in_blocks(answer, *floats(*params, frequency, recency, T, discount_rate))


def discounted_purchases(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    discount_rate: npt.ArrayLike,
) -> FloatArray:
    """Return how many purchases each customer makes in the next t units of time, discounted to now.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, t, the rate and the parameters.
    t : array_like
        Length of the time ahead, >= 0.
    discount_rate : array_like
        Continuous rate per unit of time, >= 0; at 0 this is ``expected_purchases``.

    Returns
    -------
    ndarray
        Expected sums of e^(-discount_rate u) over purchases at T + u, u <= t.

    Notes
    -----
    ``residual_transactions`` with the integral up to t.

    Examples
    --------
    >>> cdnow = Params(0.553, 10.578, 0.606, 11.669)
    >>> round(float(discounted_purchases(cdnow, 2, 30.43, 38.86, 52.0, 0.0027)), 6)
    1.735372
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, t, rate = given
        k, A, s, B = still_there(*history)
        life = np.where(rate > 0.0, survival_integral(_leaving(s, B), rate, t), _time_of_life(s, B, t))
        return alive(*history) * k / A * life

    return in_blocks(answer, *floats(*params, frequency, recency, T, t, discount_rate))


def simulate(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    random_state: np.random.Generator,
) -> Purchases:
    """Draw one possible future of each customer, given his history.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, t and the parameters; a new customer is 0, 0, 0.
    t : array_like
        Length of the time ahead, >= 0.
    random_state : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Purchases
        Those in (T, T + t], and who is still there at T + t; customers in the order of the flattened
        histories.

    Notes
    -----
    There with ``p_alive``; if so, lambda ~ Gamma(r + x, rate alpha + T), and the time until leaving, whose
    rate is Gamma(s, rate beta + T), is Pareto: (beta + T) (e^(E / s) - 1) with E exponential.

    Examples
    --------
    >>> cdnow = Params(0.553, 10.578, 0.606, 11.669)
    >>> new = np.zeros(1_000)
    >>> drawn = simulate(cdnow, new, new, new, 39.0, random_state=np.random.default_rng(1))
    >>> drawn.is_alive.size
    1000
    """
    *history, t = (array.ravel() for array in floats(*params, frequency, recency, T, t))
    k, A, s, B = still_there(*history)
    is_there = random_state.random(t.size) < in_blocks(alive, *history)
    # Beyond e^600 the customer outlives any t.
    life = B * np.expm1(np.minimum(random_state.standard_exponential(t.size) / s, 600.0))
    end = np.where(is_there, np.minimum(life, t), 0.0)
    rate = random_state.standard_gamma(k) / A
    return purchases_until(end, is_there & (life > t), history[-1], rate, random_state)


def _leaving(s: FloatArray, B: FloatArray) -> Leaving:
    """Return when customers leave whose rates of leaving are Gamma(s, rate B)."""
    log_rate = np.log(s / B)
    # Beyond e^600 there is nothing to look at.
    fallen = B * np.expm1(np.minimum(FALLS / s, 600.0))
    return Leaving(
        log_survival=lambda row, u: -s[row] * np.log1p(u / B[row]),
        log_hazard=lambda row, u: log_rate[row] - np.log1p(u / B[row]),
        steepness=lambda row, u: (s[row] + 1.0) * (u / (B[row] + u)),
        scale=B,
        edges=fallen,
        end=np.full(s.shape, np.inf),
    )


def _time_of_life(s: FloatArray, B: FloatArray, t: FloatArray) -> FloatArray:
    """Return the expected time within t that a customer is there: int_0^t (B / (B + u))^s du."""
    away, log_time = s - 1.0, np.log1p(t / B)
    is_one = away == 0.0
    powers = -np.expm1(-away * log_time) / np.where(is_one, 1.0, away)
    return B * np.where(is_one, log_time, powers)
