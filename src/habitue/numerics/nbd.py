r"""NBD: customers buy at random and never leave, the yardstick for every family that says they do.

A customer buys at random times with rate lambda ~ Gamma(r, rate alpha), for good. What is known of him is his
history: x repeat purchases (``frequency``), the last at t_x (``recency``), seen until ``T``. Times may be in
any one unit; alpha is in the same unit, and multiplying all of them by c changes no answer but the
log-likelihood, by -x log c.

The log-likelihood is, as in every other family, that of the times of the purchases, so that families can be
compared. That of the counts alone, which the older literature gives, is larger by x log T - log x! a
customer, whatever the parameters. ``recency`` carries no information here and is not looked at; it is an
argument because it is one everywhere. NBD is what Pareto/NBD becomes as s goes to zero.

Every field of ``Params`` may be an array that broadcasts against the histories. Formulas only. Nothing is
checked here; what is handed in must be a possible history (whole x >= 0, 0 <= t_x <= T, t_x = 0 where x = 0)
with positive parameters.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, polygamma, psi

from habitue.numerics.arrays import FloatArray, floats, growth_over_counts
from habitue.numerics.purchases import Purchases
from habitue.numerics.silent_futures import purchases_until

__all__ = [
    "NBDParams",
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


class NBDParams(NamedTuple):
    """The two numbers of an NBD customer base; each may be an array, one number a customer.

    Attributes
    ----------
    r : float or ndarray
        Shape of the Gamma distribution of purchase rates; small where customers differ a lot.
    alpha : float or ndarray
        Its rate, in the unit of time of the histories; r / alpha is the mean number of purchases per unit.
    """

    r: npt.ArrayLike
    alpha: npt.ArrayLike


Params = NBDParams  # within the module the family's name need not be said twice


def log_likelihood(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how well the parameters explain each customer's history.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray
        Log of the density of each history; one a customer.

    Notes
    -----
    log of Gamma(r + x) / Gamma(r) alpha^r (alpha + T)^-(r + x), the density of the times of the purchases.
    That of their count is T^x / x! times as large.

    References
    ----------
    Ehrenberg, A. S. C. (1959). The pattern of consumer purchases. Applied Statistics 8, 26-41.
    Schmittlein, D. C., Morrison, D. G. and Colombo, R. (1987). Counting your customers: who are they and
    what will they do next? Management Science 33, 1-24.

    Examples
    --------
    >>> base = Params(0.384766, 12.072)
    >>> round(float(log_likelihood(base, 2, 30.43, 38.86)), 6)
    -9.044482
    """
    x, _, until = floats(frequency, recency, T)
    r, alpha = (np.asarray(field, dtype=np.float64) for field in params)
    counting = growth_over_counts(gammaln, r, x)
    return counting - r * np.log1p(until / alpha) - x * np.log(alpha + until)


def gradient(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray of shape (..., 2)
        Derivatives with respect to r, alpha, one row a customer.

    Notes
    -----
    The derivatives of ``log_likelihood``; that by alpha is written so that nothing cancels for short T.

    Examples
    --------
    >>> base = Params(0.384766, 12.072)
    >>> gradient(base, [0, 2], [0.0, 30.43], [38.86, 38.86]).shape
    (2, 2)
    """
    x, _, until = floats(frequency, recency, T)
    r, alpha = (np.asarray(field, dtype=np.float64) for field in params)
    by_r = growth_over_counts(psi, r, x) - np.log1p(until / alpha)
    by_alpha = (r * until - x * alpha) / (alpha * (alpha + until))
    return np.stack(np.broadcast_arrays(by_r, by_alpha), axis=-1)


def hessian(params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
    """Return how the gradient of each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray of shape (..., 2, 2)
        Second derivatives with respect to r, alpha, one symmetric matrix a customer.

    Notes
    -----
    The derivatives of ``gradient``.

    Examples
    --------
    >>> base = Params(0.384766, 12.072)
    >>> hessian(base, [0, 2], [0.0, 30.43], [38.86, 38.86]).shape
    (2, 2, 2)
    """
    x, _, until = floats(frequency, recency, T)
    r, alpha = (np.asarray(field, dtype=np.float64) for field in params)
    by_r_twice = growth_over_counts(partial(polygamma, 1), r, x)
    by_both = until / (alpha * (alpha + until))
    by_alpha_twice = (r + x) / (alpha + until) ** 2 - r / alpha**2
    entries = np.broadcast_arrays(by_r_twice, by_both, by_both, by_alpha_twice)
    return np.stack(entries, axis=-1).reshape(*entries[0].shape, 2, 2)


def p_alive(params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
    """Return the probability that each customer has not left yet, which is one.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray
        Ones.

    Notes
    -----
    In this model nobody leaves.

    Examples
    --------
    >>> base = Params(0.384766, 12.072)
    >>> p_alive(base, [0, 2], [0.0, 30.43], 38.86).tolist()
    [1.0, 1.0]
    """
    return np.ones(floats(*params, frequency, recency, T)[0].shape)


def p_no_purchase(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike, t: npt.ArrayLike
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
        Probabilities in [0, 1]; 1 at t = 0, falling to 0.

    Notes
    -----
    ((alpha + T) / (alpha + T + t))^(r + x), the ratio of the likelihoods of the history at T + t and at T.

    Examples
    --------
    >>> base = Params(0.384766, 12.072)
    >>> round(float(p_no_purchase(base, 2, 30.43, 38.86, 39.0)), 6)
    0.257718
    """
    shape, rate, t = _now(params, frequency, recency, T, t)
    return np.exp(-shape * np.log1p(t / rate))


def expected_purchases(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike, t: npt.ArrayLike
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
        Expected numbers of purchases, >= 0, proportional to t.

    Notes
    -----
    (r + x) / (alpha + T) t.

    Examples
    --------
    >>> base = Params(0.384766, 12.072)
    >>> round(float(expected_purchases(base, 2, 30.43, 38.86, 52.0)), 6)
    2.434772
    """
    shape, rate, t = _now(params, frequency, recency, T, t)
    return shape / rate * t


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
    r / alpha t.

    Examples
    --------
    >>> base = Params(0.384766, 12.072)
    >>> round(float(expected_purchases_new(base, 52.0)), 6)
    1.657375
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
    Negative binomial: with k = r + x and A = alpha + T,
    Gamma(k + n) / (Gamma(k) n!) (A / (A + t))^k (t / (A + t))^n.

    Examples
    --------
    >>> base = Params(0.384766, 12.072)
    >>> purchase_pmf(base, 2, 30.43, 38.86, 39.0, [0, 1, 2]).round(4).tolist()
    [0.2577, 0.2665, 0.1956]
    """
    shape, rate, t, n = _now(params, frequency, recency, T, t, n)
    later = np.where(t > 0.0, t, 1.0)
    ways = gammaln(shape + n) - gammaln(shape) - gammaln(n + 1.0)
    probability = np.exp(ways - shape * np.log1p(later / rate) + n * np.log(later / (rate + later)))
    return np.where(t > 0.0, probability, n == 0.0)


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
    >>> base = Params(0.384766, 12.072)
    >>> purchase_pmf_new(base, 39.0, [0, 1, 2]).round(4).tolist()
    [0.5741, 0.1687, 0.0892]
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
        Expected sums of e^(-discount_rate u) over purchases at T + u; infinite at rate 0, for nobody leaves.

    Notes
    -----
    (r + x) / (alpha + T) / discount_rate.

    Examples
    --------
    >>> base = Params(0.384766, 12.072)
    >>> round(float(residual_transactions(base, 2, 30.43, 38.86, 0.0027)), 4)
    17.3417
    """
    shape, rate, discount = _now(params, frequency, recency, T, discount_rate)
    discounted = discount > 0.0
    return np.where(discounted, shape / rate / np.where(discounted, discount, 1.0), np.inf)


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
    (r + x) / (alpha + T) (1 - e^(-discount_rate t)) / discount_rate.

    Examples
    --------
    >>> base = Params(0.384766, 12.072)
    >>> round(float(discounted_purchases(base, 2, 30.43, 38.86, 52.0, 0.0027)), 6)
    2.271577
    """
    shape, rate, t, discount = _now(params, frequency, recency, T, t, discount_rate)
    discounted = discount > 0.0
    time = np.where(discounted, -np.expm1(-discount * t) / np.where(discounted, discount, 1.0), t)
    return shape / rate * time


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
        Those in (T, T + t]; everybody is still there. Customers in the order of the flattened histories.

    Notes
    -----
    lambda ~ Gamma(r + x, rate alpha + T), then purchases at that rate.

    Examples
    --------
    >>> base, new = Params(0.384766, 12.072), np.zeros(1_000)
    >>> drawn = simulate(base, new, new, new, 39.0, random_state=np.random.default_rng(1))
    >>> bool(drawn.is_alive.all())
    True
    """
    shape, rate, until, t = (a.ravel() for a in _now(params, frequency, recency, T, T, t))
    pace = random_state.standard_gamma(shape) / rate
    return purchases_until(t, np.ones(t.shape, dtype=np.bool_), until, pace, random_state)


def _now(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike, *ahead: npt.ArrayLike
) -> tuple[FloatArray, ...]:
    """Return shape and rate of the Gamma distribution of purchase rates now, and what lies ahead."""
    r, alpha, x, _, until, *more = floats(*params, frequency, recency, T, *ahead)
    return r + x, alpha + until, *more
