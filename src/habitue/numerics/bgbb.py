r"""BG/BB: purchases at fixed opportunities (yearly gifts, weekly games), and customers who quietly leave.

At each opportunity a customer first leaves for good with probability theta ~ Beta(gamma, delta); if still
there he buys with probability p ~ Beta(alpha, beta). Times are numbers of opportunities: of a customer are
known the purchases made (``frequency`` x), the number of the opportunity last used (``recency`` t_x, 0 where
there is none) and the opportunities seen (``T``). A new customer has T = 0.

Formulas only: nothing is checked here; what is handed in must be a possible history (whole numbers,
x <= t_x <= T, t_x = 0 where x = 0) with positive parameters. What a customer who is still there has before
him is a contract in all but name, so the sums over future opportunities are those of
:mod:`habitue.numerics.sbg`, those over silent ones are in :mod:`habitue.numerics.bgbb_silence`, and those
over the uses of future ones in :mod:`habitue.numerics.bgbb_future`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from habitue.numerics import sbg
from habitue.numerics.arrays import FloatArray, floats
from habitue.numerics.beta_ratio import digamma_difference, log_beta_ratio, trigamma_difference
from habitue.numerics.bgbb_future import Standing, chance_of_uses, draw_uses
from habitue.numerics.bgbb_silence import LastSeen, chance_of_having_left, chance_of_staying, moments
from habitue.numerics.purchases import Purchases

__all__ = [
    "BGBBParams",
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


class BGBBParams(NamedTuple):
    """The four numbers of a BG/BB customer base.

    Attributes
    ----------
    alpha, beta : float or ndarray
        Parameters of the Beta distribution of the probability to buy at an opportunity; its mean is
        alpha / (alpha + beta).
    gamma, delta : float or ndarray
        Parameters of the Beta distribution of the probability to leave before an opportunity; its mean is
        gamma / (gamma + delta).
    """

    alpha: float | FloatArray
    beta: float | FloatArray
    gamma: float | FloatArray
    delta: float | FloatArray


Params = BGBBParams  # within the module the family's name need not be said twice


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
        Log of the probability of each history, of one order of purchases among all that share x, t_x, T.

    Notes
    -----
    log of B(alpha + x, beta + T - x) / B(alpha, beta) * B(gamma, delta + T) / B(gamma, delta) plus the sum
    over i = 0 ... T - t_x - 1 of B(alpha + x, beta + t_x - x + i) / B(alpha, beta)
    * B(gamma + 1, delta + t_x + i) / B(gamma, delta).

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Shang, J. (2010). Customer-base analysis in a discrete-time
    noncontractual setting. Marketing Science 29, 1086-1108, equation (5).

    Examples
    --------
    >>> donors = Params(1.204, 0.750, 0.657, 2.783)
    >>> log_likelihood(donors, [0, 5], [0, 6], 6).round(6).tolist()
    [-1.167262, -4.295125]
    """
    alpha, beta, gamma, delta, x, t_x, until = floats(*params, frequency, recency, T)
    bought = log_beta_ratio(beta, alpha, x) + log_beta_ratio(alpha + x, beta, t_x - x)
    seen, silent = _last_seen(alpha, beta, gamma, delta, x, t_x, until)
    chance = chance_of_having_left(seen, silent) + np.exp(chance_of_staying(seen, silent, silent))
    return bought + log_beta_ratio(gamma, delta, t_x) + np.log(chance).reshape(x.shape)


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
    ndarray of shape (..., 4)
        Derivatives with respect to alpha, beta, gamma, delta, one row a customer.

    Examples
    --------
    >>> donors = Params(1.204, 0.750, 0.657, 2.783)
    >>> gradient(donors, [0, 5], [0, 6], 6).shape
    (2, 4)
    """
    alpha, beta, gamma, delta, x, t_x, until = floats(*params, frequency, recency, T)
    seen, silent = _last_seen(alpha, beta, gamma, delta, x, t_x, until)
    both, together = digamma_difference(alpha + beta, t_x), digamma_difference(gamma + delta, t_x)
    of_alpha, of_beta = digamma_difference(alpha, x), digamma_difference(beta, t_x - x)
    stayed = digamma_difference(delta, t_x) - together
    until_then = np.stack([of_alpha - both, of_beta - both, -together, stayed], axis=-1)
    return until_then + moments(seen, silent, 1).first.reshape(*x.shape, 4)


def hessian(params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
    """Return the second derivatives of each customer's log-likelihood.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray of shape (..., 4, 4)
        One symmetric matrix a customer, in the order alpha, beta, gamma, delta.

    Examples
    --------
    >>> donors = Params(1.204, 0.750, 0.657, 2.783)
    >>> hessian(donors, [0, 5], [0, 6], 6).shape
    (2, 4, 4)
    """
    alpha, beta, gamma, delta, x, t_x, until = floats(*params, frequency, recency, T)
    seen, silent = _last_seen(alpha, beta, gamma, delta, x, t_x, until)
    answer = moments(seen, silent, 2).second.reshape(*x.shape, 4, 4)
    answer[..., :2, :2] += trigamma_difference(alpha + beta, t_x)[..., None, None]
    answer[..., 2:, 2:] += trigamma_difference(gamma + delta, t_x)[..., None, None]
    answer[..., 0, 0] -= trigamma_difference(alpha, x)
    answer[..., 1, 1] -= trigamma_difference(beta, t_x - x)
    answer[..., 3, 3] -= trigamma_difference(delta, t_x)
    return answer


def p_alive(params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
    """Return the probability that each customer will be there at the next opportunity, T + 1.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; delta / (gamma + delta) for a new customer.

    Notes
    -----
    B(alpha + x, beta + T - x) / B(alpha, beta) * B(gamma, delta + T + 1) / B(gamma, delta) over the
    likelihood: to have survived the decision before opportunity T + 1, as in the paper. Computed from the
    odds of having left at one of the T - t_x + 1 decisions since the last purchase.

    References
    ----------
    Fader, Hardie and Shang (2010), equation (11).

    Examples
    --------
    >>> donors = Params(1.204, 0.750, 0.657, 2.783)
    >>> p_alive(donors, [0, 5], [0, 6], 6).round(6).tolist()
    [0.108017, 0.930403]
    """
    alpha, beta, gamma, delta, x, t_x, until = floats(*params, frequency, recency, T)
    seen, silent = _last_seen(alpha, beta, gamma, delta, x, t_x, until)
    gone = np.log(chance_of_having_left(seen, silent + 1.0))
    return expit(chance_of_staying(seen, silent, silent + 1.0) - gone).reshape(x.shape)


def p_no_purchase(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
) -> FloatArray:
    """Return the probability that each customer uses none of the next t opportunities.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, the parameters and t.
    t : array_like
        Opportunities ahead, whole, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; 1 at t = 0.

    Notes
    -----
    "Nothing until T + t" is the same history seen at T + t: the ratio of likelihoods
    L(x, t_x, T + t) / L(x, t_x, T), both sums of positive terms.

    Examples
    --------
    >>> donors = Params(1.204, 0.750, 0.657, 2.783)
    >>> p_no_purchase(donors, [0, 5], [0, 6], 6, 5).round(4).tolist()
    [0.9522, 0.0913]
    """
    alpha, beta, gamma, delta, x, t_x, until, t = floats(*params, frequency, recency, T, t)
    seen, silent = _last_seen(alpha, beta, gamma, delta, x, t_x, until)
    now, later = (
        chance_of_having_left(seen, n) + np.exp(chance_of_staying(seen, n, n))
        for n in (silent, silent + t.ravel())
    )
    return np.minimum(later / now, 1.0).reshape(x.shape)


def expected_purchases(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
) -> FloatArray:
    """Return how many of the next t opportunities each customer will use.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, the parameters and t.
    t : array_like
        Opportunities ahead, whole, >= 0.

    Returns
    -------
    ndarray
        Expected numbers of purchases, in [0, t], rising in t.

    Notes
    -----
    (alpha + x) / (alpha + beta + T) p_alive times the sum over k = 0 ... t - 1 of
    B(gamma, delta + T + 1 + k) / B(gamma, delta + T + 1): equation (13) of the paper before its sum is
    written as a difference divided by gamma - 1.

    References
    ----------
    Fader, Hardie and Shang (2010), equation (13).

    Examples
    --------
    >>> donors = Params(1.204, 0.750, 0.657, 2.783)
    >>> expected_purchases(donors, [0, 5], [0, 6], 6, 10).round(6).tolist()
    [0.130104, 5.774518]
    """
    return discounted_purchases(params, frequency, recency, T, t, 0.0)


def expected_purchases_new(params: Params, t: npt.ArrayLike) -> FloatArray:
    """Return how many of his first t opportunities a new customer uses.

    Parameters
    ----------
    params : Params
        The customer base.
    t : array_like
        Opportunities since acquisition, whole, >= 0.

    Returns
    -------
    ndarray
        Expected numbers of repeat purchases.

    References
    ----------
    Fader, Hardie and Shang (2010), equation (8).

    Examples
    --------
    >>> expected_purchases_new(Params(1.204, 0.750, 0.657, 2.783), [1, 10]).round(6).tolist()
    [0.49849, 3.178854]
    """
    return expected_purchases(params, 0.0, 0.0, 0.0, t)


def residual_transactions(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    discount_rate: npt.ArrayLike,
) -> FloatArray:
    """Return how many purchases each customer will still make, those of later counting less.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, the parameters and the rate.
    discount_rate : array_like
        Continuous rate per opportunity, >= 0: log(1 + d) where a purchase an opportunity away counts
        1 / (1 + d).

    Returns
    -------
    ndarray
        Discounted expected residual transactions (DERT); a purchase at T + j counts e^(-rate j). At rate 0
        they exist for gamma > 1 only, and are infinite elsewhere.

    References
    ----------
    Fader, Hardie and Shang (2010), equation (14).

    Examples
    --------
    >>> donors = Params(1.204, 0.750, 0.657, 2.783)
    >>> residual_transactions(donors, [0, 5], [0, 6], 6, np.log(1.1)).round(6).tolist()
    [0.114647, 5.088484]
    """
    return discounted_purchases(params, frequency, recency, T, np.inf, discount_rate)


def discounted_purchases(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    discount_rate: npt.ArrayLike,
) -> FloatArray:
    """Return how many of the next t opportunities each customer will use, later ones counting less.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, the parameters, t and the rate.
    t : array_like
        Opportunities ahead, whole, >= 0, or infinite.
    discount_rate : array_like
        Continuous rate per opportunity, >= 0.

    Returns
    -------
    ndarray
        Expected numbers of purchases, one at T + j counting e^(-rate j); expected_purchases at rate 0.

    Examples
    --------
    >>> donors = Params(1.204, 0.750, 0.657, 2.783)
    >>> discounted_purchases(donors, 5, 6, 6, [1, 10], np.log(1.1)).round(4).tolist()
    [0.6597, 3.6828]
    """
    alpha, beta, gamma, delta, x, t_x, until, t, rate = floats(
        *params, frequency, recency, T, t, discount_rate
    )
    alive = p_alive(Params(alpha, beta, gamma, delta), x, t_x, until)
    ahead = sbg.lifetime_value(sbg.Params(gamma, delta + until + 1.0), rate, t)
    return (alpha + x) / (alpha + beta + until) * alive * np.exp(-rate) * ahead


def purchase_pmf(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    n: npt.ArrayLike,
) -> FloatArray:
    """Return the probability that each customer uses exactly n of the next t opportunities.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, the parameters, t and n.
    t : array_like
        Opportunities ahead, whole, >= 0.
    n : array_like
        Numbers of purchases, whole, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; 0 for n > t, and over n = 0 ... t they sum to one.

    Notes
    -----
    For n > 0, P(there at T) times the sum, over the opportunities i >= n that the customer stays for, of
    the chance to stay for so many and the beta-binomial chance to use n of them: t - n + 1 positive terms,
    each added, so that time grows with t.

    References
    ----------
    Fader, Hardie and Shang (2010), equation (12).

    Examples
    --------
    >>> donors = Params(1.204, 0.750, 0.657, 2.783)
    >>> purchase_pmf(donors, 5, 6, 6, 2, [0, 1, 2, 3]).round(4).tolist()
    [0.1414, 0.3115, 0.5471, 0.0]
    """
    alpha, beta, gamma, delta, x, t_x, until, t, n = floats(*params, frequency, recency, T, t, n)
    answer = np.zeros(n.size)
    every = [array.ravel() for array in (alpha, beta, gamma, delta, x, t_x, until, t, n)]
    none, some = every[8] == 0.0, (every[8] > 0.0) & (every[8] <= every[7])
    a, b, g, d, bought, last, seen, ahead, _ = (array[none] for array in every)
    answer[none] = p_no_purchase(Params(a, b, g, d), bought, last, seen, ahead)
    standing = _standing(*(array[some] for array in every[:7]))
    answer[some] = chance_of_uses(standing, every[7][some], every[8][some])
    return answer.reshape(n.shape)


def purchase_pmf_new(params: Params, t: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
    """Return the probability that a new customer uses exactly n of his first t opportunities.

    Parameters
    ----------
    params : Params
        The customer base.
    t : array_like
        Opportunities since acquisition, whole, >= 0.
    n : array_like
        Numbers of repeat purchases, whole, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1].

    References
    ----------
    Fader, Hardie and Shang (2010), equation (7).

    Examples
    --------
    >>> purchase_pmf_new(Params(1.204, 0.750, 0.657, 2.783), 1, [0, 1]).round(4).tolist()
    [0.5015, 0.4985]
    """
    return purchase_pmf(params, 0.0, 0.0, 0.0, t, n)


def simulate(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    random_state: np.random.Generator,
) -> Purchases:
    """Draw which of the next t opportunities each customer uses.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other, the parameters and t; zeros for new customers.
    t : array_like
        Opportunities ahead, whole, >= 0.
    random_state : Generator
        Where chance comes from.

    Returns
    -------
    Purchases
        Of customers in the order of the flattened histories; times are numbers of opportunities.
        ``is_alive`` is whether a customer will be there at opportunity T + t + 1, as in p_alive.

    Notes
    -----
    Given that a customer is there, his two probabilities are Beta(alpha + x, beta + T - x) and
    Beta(gamma, delta + T), independently.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> new = np.zeros(100_000)
    >>> drawn = simulate(Params(1.204, 0.750, 0.657, 2.783), new, new, new, 10, random_state=rng)
    >>> round(drawn.time.size / new.size, 2)  # expected_purchases_new: 3.179
    3.17
    """
    every = [array.ravel() for array in floats(*params, frequency, recency, T, t)]
    alpha, beta, gamma, delta, x, _, until, t = every
    seen, silent = _last_seen(*every[:7])
    stays = chance_of_staying(seen, silent, silent)
    gone = chance_of_having_left(seen, silent)
    is_there = random_state.random(x.size) * (gone + np.exp(stays)) >= gone
    contract = sbg.Params(gamma, delta + until)
    leaves = sbg.simulate(contract, 0.0, t + 1.0, random_state=random_state)
    used = np.where(is_there, np.minimum(leaves - 1.0, t), 0.0).astype(np.int64)
    p = random_state.beta(alpha + x, beta + until - x)
    customer, number = draw_uses(used, p, random_state)
    return Purchases(customer, until[customer] + number, is_there & np.isinf(leaves))


def _last_seen(
    alpha: FloatArray,
    beta: FloatArray,
    gamma: FloatArray,
    delta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
) -> tuple[LastSeen, FloatArray]:
    """Return what is known at the last purchase and the number of silent opportunities since, flat."""
    seen = LastSeen(*(field.ravel() for field in (alpha + x, beta + (t_x - x), gamma, delta + t_x)))
    return seen, (T - t_x).ravel()


def _standing(
    alpha: FloatArray,
    beta: FloatArray,
    gamma: FloatArray,
    delta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
) -> Standing:
    """Return what is known of customers at T, should they be there."""
    seen, silent = _last_seen(alpha, beta, gamma, delta, x, t_x, T)
    stays, gone = chance_of_staying(seen, silent, silent), chance_of_having_left(seen, silent)
    log_is_there = stays - np.log(gone + np.exp(stays))
    return Standing(log_is_there, alpha + x, beta + (T - x), gamma, delta + T)
