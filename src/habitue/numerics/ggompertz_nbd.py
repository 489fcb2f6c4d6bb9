r"""GGompertz/NBD: customers buy at random until they leave unseen, more or less likely the older they are.

While there, a customer buys at random times with rate lambda ~ Gamma(r, rate alpha); he leaves for good at
an age whose hazard is b eta e^(b y), eta ~ Gamma(s, rate beta), independent of lambda. Over customers the
chance to be there at age y is (beta / (beta + e^(b y) - 1))^s: the hazard falls with age for beta < 1, where
those who stay are those who leave rarely, and rises for beta > 1. As b goes to zero with beta / b fixed it
becomes Pareto/NBD with beta / b in beta's place. Times may be in any one unit, that of alpha and 1 / b.

What is known of a customer is his history: x repeat purchases (``frequency``), the last at t_x
(``recency``), seen until ``T``. Every field of ``Params`` may be an array that broadcasts against the
histories. Formulas only. Nothing is checked here; what is handed in must be a possible history (whole x >= 0,
0 <= t_x <= T, t_x = 0 where x = 0) with positive parameters.

Seen from T on, a customer who is still there is like a new one with r + x, alpha + T, b, s and
1 + (beta - 1) e^(-b T): each answer about the future is P(alive) times that of this new customer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from habitue.numerics.arrays import FloatArray, floats
from habitue.numerics.ggompertz_nbd_likelihood import (
    GGompertzNBDParams,
    gradient,
    hessian,
    log_likelihood,
    value_gradient_hessian,
)
from habitue.numerics.ggompertz_nbd_presence import (
    ageing,
    alive,
    log_odds_of_gone,
    p_alive,
    p_alive_at,
    p_no_purchase,
    still_there,
)
from habitue.numerics.gompertz_leaving import time_of
from habitue.numerics.many_rows import in_blocks
from habitue.numerics.purchases import Purchases
from habitue.numerics.silent_futures import (
    count_probability,
    purchases_until,
    survival_integral,
)

__all__ = [
    "GGompertzNBDParams",
    "Params",
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

Params = GGompertzNBDParams  # within the module the family's name need not be said twice


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
    P(alive) (r + x) / (alpha + T) int_0^t (beta_T / (beta_T + e^(b u) - 1))^s du, with beta_T of the module's
    docstring: by quadrature.

    References
    ----------
    Bemmaor, A. C. and Glady, N. (2012). Modeling purchasing behavior with sudden "death": a flexible customer
    lifetime model. Management Science 58, 1012-1021.
    Adler, J. (2022). Comment on "Modeling purchasing behavior with sudden 'death'". Management Science, which
    corrects the conditional expectation of the former.

    Examples
    --------
    >>> cdnow = Params(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> round(float(expected_purchases(cdnow, 2, 30.43, 38.86, 52.0)), 6)
    1.851879
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, t = given
        k, A, leaving = still_there(*history)
        return alive(*history) * k / A * survival_integral(leaving, np.zeros(t.shape), t)

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

    Examples
    --------
    >>> cdnow = Params(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> round(float(expected_purchases_new(cdnow, 52.0)), 6)
    1.478873
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
    [n = 0] P(left) + P(alive) times the probability that a new customer with the parameters of one still
    there makes n purchases: there all the time, or leaving after u < t, integrated over u. All terms are
    positive.

    Examples
    --------
    >>> cdnow = Params(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> purchase_pmf(cdnow, 2, 30.43, 38.86, 39.0, [0, 1, 2, 3]).round(4).tolist()
    [0.4078, 0.2193, 0.1518, 0.0957]
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, t, n = given
        k, A, leaving = still_there(*history)
        gone = log_odds_of_gone(*history)
        return expit(gone) * (n == 0.0) + expit(-gone) * count_probability(leaving, k, A, t, n)

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

    Examples
    --------
    >>> cdnow = Params(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> purchase_pmf_new(cdnow, 39.0, [0, 1, 2]).round(4).tolist()
    [0.5926, 0.1658, 0.0827]
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
        still to come.

    Notes
    -----
    P(alive) (r + x) / (alpha + T) int_0^inf e^(-rate u) (beta_T / (beta_T + e^(b u) - 1))^s du, by
    quadrature. It exists at rate 0 too, for the chance to be there falls like e^(-s b u).

    Examples
    --------
    >>> cdnow = Params(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> round(float(residual_transactions(cdnow, 2, 30.43, 38.86, 0.0027)), 4)
    6.486
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, rate = given
        k, A, leaving = still_there(*history)
        life = survival_integral(leaving, rate, np.full(rate.shape, np.inf))
        return alive(*history) * k / A * life

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
    >>> cdnow = Params(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> round(float(discounted_purchases(cdnow, 2, 30.43, 38.86, 52.0, 0.0027)), 6)
    1.736353
    """

    def answer(*given: FloatArray) -> FloatArray:
        *history, t, rate = given
        k, A, leaving = still_there(*history)
        life = survival_integral(leaving, rate, t)
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
    There with ``p_alive``; if so, lambda ~ Gamma(r + x, rate alpha + T), and the time u until leaving solves
    s log(1 + (e^(b u) - 1) / beta_T) = E with E exponential.

    Examples
    --------
    >>> cdnow = Params(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> new = np.zeros(1_000)
    >>> drawn = simulate(cdnow, new, new, new, 39.0, random_state=np.random.default_rng(1))
    >>> drawn.is_alive.size
    1000
    """
    *history, t = (array.ravel() for array in floats(*params, frequency, recency, T, t))
    k, A, _ = still_there(*history)
    is_there = random_state.random(t.size) < in_blocks(alive, *history)
    life = time_of(*ageing(*history), random_state.standard_exponential(t.size) / history[3])
    end = np.where(is_there, np.minimum(life, t), 0.0)
    rate = random_state.standard_gamma(k) / A
    return purchases_until(end, is_there & (life > t), history[-1], rate, random_state)
