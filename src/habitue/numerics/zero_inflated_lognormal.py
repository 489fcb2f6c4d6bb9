r"""Zero-inflated log-normal: spend that is nothing for most, and log-normal for those who buy.

With probability p a customer spends, and then log(spend) ~ Normal(mu, sigma^2). The three numbers of a
customer are written as *scores* that may take any value, so that trees or a network may predict them:

    p = 1 / (1 + exp(-eta)),   mu,   sigma = a + (b - a) / (1 + exp(-zeta))

with a = 0.1 and b = 2.5. The bounds replace the softplus of the paper: without a lower one the likelihood of
a leaf with one buyer is infinite, without an upper one exp(sigma^2 / 2) makes a single odd customer worth
more than all others. Both are in logarithms, so no unit of money is in them.

Formulas only, on an array of scores whose last axis is (eta, mu, zeta). They deliberately fit nothing.

References
----------
.. [1] Wang, X., Liu, T. & Miao, J. (2019). A deep probabilistic model for customer lifetime value prediction.
   arXiv:1912.07753.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit, logit

from habitue.numerics.arrays import FloatArray

__all__ = ["SIGMA_BOUNDS", "gradient", "information", "log_mean", "loss", "sigma", "sigma_slope", "start"]

SIGMA_BOUNDS = (0.1, 2.5)
"""Between these lies sigma, the standard deviation of the logarithm of a buyer's spend."""

_HALF_LOG_TWO_PI = 0.9189385332046727418


def sigma(zeta: npt.ArrayLike) -> FloatArray:
    """Return the standard deviation of the logarithm of spend that a score stands for.

    Parameters
    ----------
    zeta : array_like
        Any number.

    Returns
    -------
    ndarray
        In `SIGMA_BOUNDS`.

    Examples
    --------
    >>> sigma([-40.0, 0.0, 40.0]).round(6).tolist()
    [0.1, 1.3, 2.5]
    """
    low, high = SIGMA_BOUNDS
    return low + (high - low) * expit(np.asarray(zeta, dtype=np.float64))


def sigma_slope(zeta: npt.ArrayLike) -> FloatArray:
    """Return the derivative of `sigma`.

    Parameters
    ----------
    zeta : array_like
        Any number.

    Returns
    -------
    ndarray
        Positive, or 0 where the logistic is flat to the last digit.

    Examples
    --------
    >>> sigma_slope([0.0]).round(6).tolist()
    [0.6]
    """
    low, high = SIGMA_BOUNDS
    score = np.asarray(zeta, dtype=np.float64)
    return (high - low) * expit(score) * expit(-score)


def loss(scores: npt.ArrayLike, money: npt.ArrayLike) -> FloatArray:
    r"""Return how surprising each customer's spend is: minus the log of its density.

    Parameters
    ----------
    scores : array_like of shape (n, 3)
        eta, mu, zeta of each customer.
    money : array_like of shape (n,)
        Spend, not negative.

    Returns
    -------
    ndarray of shape (n,)
        Nats, against a mass at zero and Lebesgue measure above.

    Notes
    -----
    With z = (log y - mu) / sigma it is -log(1 - p) at zero, and above it
    :math:`-\log p + \log y + \log\sigma + \tfrac12\log 2\pi + z^2/2` (equation 5 of [1]_). A proper score:
    its mean is least at the law that customers follow.

    References
    ----------
    .. [1] Wang, X., Liu, T. & Miao, J. (2019). arXiv:1912.07753.

    Examples
    --------
    >>> loss([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [0.0, 1.0]).round(4).tolist()
    [0.6931, 1.8744]
    """
    score, spent, buys = _read(scores, money)
    surprise = -log_expit(np.where(buys, score[:, 0], -score[:, 0]))
    mu, sd, log_money = score[buys, 1], sigma(score[buys, 2]), np.log(spent[buys])
    z = (log_money - mu) / sd
    surprise[buys] += log_money + np.log(sd) + _HALF_LOG_TWO_PI + 0.5 * z**2
    return surprise


def gradient(scores: npt.ArrayLike, money: npt.ArrayLike) -> FloatArray:
    """Return the derivatives of `loss` by each score.

    Parameters
    ----------
    scores : array_like of shape (n, 3)
        eta, mu, zeta of each customer.
    money : array_like of shape (n,)
        Spend, not negative.

    Returns
    -------
    ndarray of shape (n, 3)
        By eta, mu and zeta; the last two are 0 for who spent nothing.

    Examples
    --------
    >>> gradient([[0.0, 0.0, 0.0]], [np.e]).round(4).tolist()
    [[-0.5, -0.5917, 0.1884]]
    """
    score, spent, buys = _read(scores, money)
    slopes = np.zeros_like(score)
    slopes[:, 0] = expit(score[:, 0]) - buys
    sd, sd_slope = sigma(score[buys, 2]), sigma_slope(score[buys, 2])
    z = (np.log(spent[buys]) - score[buys, 1]) / sd
    slopes[buys, 1] = -z / sd
    slopes[buys, 2] = (1.0 - z**2) * sd_slope / sd
    return slopes


def information(scores: npt.ArrayLike, money: npt.ArrayLike) -> FloatArray:
    r"""Return the expected second derivatives of `loss` by each score, given who buys.

    Parameters
    ----------
    scores : array_like of shape (n, 3)
        eta, mu, zeta of each customer.
    money : array_like of shape (n,)
        Spend, not negative; only whether it is above 0 matters.

    Returns
    -------
    ndarray of shape (n, 3)
        Never negative: p (1 - p), and for buyers 1 / sigma^2 and 2 (sigma' / sigma)^2, else 0.

    Notes
    -----
    The diagonal of Fisher's information of the normal law of log spend, which is diagonal in mu and sigma. By
    eta and mu it is the second derivative itself. By zeta the second derivative,
    :math:`(3z^2-1)(\sigma'/\sigma)^2 + (1-z^2)\sigma''/\sigma`, is negative near the mean and no boosting
    could step by it; with E z^2 = 1 it becomes :math:`2(\sigma'/\sigma)^2`. Taken given who buys, not times
    p: a leaf where many more buy than p says would else step too far by as much.

    Examples
    --------
    >>> information([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [0.0, 9.0]).round(4).tolist()
    [[0.25, 0.0, 0.0], [0.25, 0.5917, 0.426]]
    """
    score, _, buys = _read(scores, money)
    curved = np.zeros_like(score)
    curved[:, 0] = expit(score[:, 0]) * expit(-score[:, 0])
    sd = sigma(score[buys, 2])
    curved[buys, 1] = sd**-2.0
    curved[buys, 2] = 2.0 * (sigma_slope(score[buys, 2]) / sd) ** 2
    return curved


def log_mean(scores: npt.ArrayLike) -> FloatArray:
    r"""Return the logarithm of each customer's expected spend.

    Parameters
    ----------
    scores : array_like of shape (n, 3)
        eta, mu, zeta of each customer.

    Returns
    -------
    ndarray of shape (n,)
        log p + mu + sigma^2 / 2.

    Notes
    -----
    exp(mu) is the median of a buyer. The mean is exp(sigma^2 / 2) times that, the retransformation that [1]_
    warns of; it is right where the logarithms are normal, and totals are off where they are not.

    References
    ----------
    .. [1] Duan, N. (1983). Smearing estimate: a nonparametric retransformation method. JASA 78, 605-610.

    Examples
    --------
    >>> log_mean([[0.0, 1.0, 0.0]]).round(4).tolist()
    [1.1519]
    """
    score = np.asarray(scores, dtype=np.float64)
    return log_expit(score[:, 0]) + score[:, 1] + 0.5 * sigma(score[:, 2]) ** 2


def start(money: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> tuple[float, float, float]:
    """Return the scores that explain a whole base best, where all customers are alike.

    Parameters
    ----------
    money : array_like of shape (n,)
        Spend, not negative, of somebody above 0.
    weights : array_like of shape (n,), optional
        How much each customer counts.

    Returns
    -------
    tuple of float
        eta, mu, zeta; finite also where everybody buys or all buyers spend the same.

    Examples
    --------
    >>> eta, mu, zeta = start([0.0, 0.0, 1.0, np.e**2])
    >>> round(eta, 6), round(mu, 6), round(float(sigma(zeta)), 6)
    (0.0, 1.0, 1.0)
    """
    spent = np.asarray(money, dtype=np.float64)
    count = np.ones(spent.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    buys = spent > 0
    # Half a customer either way keeps the log-odds finite.
    half = 0.5 * float(count.mean())
    odds = np.log((count[buys].sum() + half) / (count[~buys].sum() + half))
    log_money = np.log(spent[buys])
    mu = np.average(log_money, weights=count[buys])
    sd = np.sqrt(np.average((log_money - mu) ** 2, weights=count[buys]))
    low, high = SIGMA_BOUNDS
    place = np.clip((sd - low) / (high - low), 0.02, 0.98)
    return float(odds), float(mu), float(logit(place))


def _read(
    scores: npt.ArrayLike, money: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    spent = np.asarray(money, dtype=np.float64)
    return np.asarray(scores, dtype=np.float64), spent, spent > 0
