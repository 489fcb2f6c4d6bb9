r"""How far a predicted spend is from what was spent: the proper losses that boosters of money minimise.

One number a customer, on arrays. Each is least on average at the truth (a strictly consistent score for the
mean, or for the chance to buy and the mean of buyers), so that it may choose between models.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit

from habitue.numerics.arrays import FloatArray, floats

__all__ = ["balance", "hurdle_loss", "tweedie_deviance"]


def tweedie_deviance(money: npt.ArrayLike, mean: npt.ArrayLike, power: float) -> FloatArray:
    r"""Return the unit deviance of a Tweedie law between Poisson and gamma.

    Parameters
    ----------
    money : array_like
        Spend, not negative.
    mean : array_like
        Expected spend, above 0.
    power : float
        rho in (1, 2): the variance grows with the mean to this power.

    Returns
    -------
    ndarray
        Not negative; 0 where the prediction is right.

    Notes
    -----
    .. math:: 2\Bigl(\frac{y^{2-\rho}}{(1-\rho)(2-\rho)} - \frac{y\,m^{1-\rho}}{1-\rho}
              + \frac{m^{2-\rho}}{2-\rho}\Bigr)

    Times c the money, c^(2 - rho) times the deviance.

    References
    ----------
    .. [1] Jørgensen, B. (1987). Exponential dispersion models. JRSS B 49(2), 127-162.

    Examples
    --------
    >>> tweedie_deviance([0.0, 4.0, 4.0], [4.0, 4.0, 1.0], 1.5).round(6).tolist()
    [8.0, 0.0, 4.0]
    """
    y, m = floats(money, mean)
    one, two = 1.0 - power, 2.0 - power
    return 2.0 * (y**two / (one * two) - y * m**one / one + m**two / two)


def hurdle_loss(money: npt.ArrayLike, log_odds: npt.ArrayLike, log_amount: npt.ArrayLike) -> FloatArray:
    r"""Return the log loss of who buys and, of buyers, that of an exponential law of how much.

    Parameters
    ----------
    money : array_like
        Spend, not negative.
    log_odds : array_like
        Of buying.
    log_amount : array_like
        Logarithm of what is expected of a buyer.

    Returns
    -------
    ndarray
        Nats.

    Notes
    -----
    :math:`-\log(1-p)` for who spends nothing, else :math:`-\log p + \log m + y/m`. The second part is least
    on average at the mean of buyers whatever their law (a gamma law of any one shape has the same minimum).

    Examples
    --------
    >>> hurdle_loss([0.0, 1.0], [0.0, 0.0], [0.0, 0.0]).round(4).tolist()
    [0.6931, 1.6931]
    """
    y, odds, amount = floats(money, log_odds, log_amount)
    buys = y > 0
    return np.where(buys, amount + y * np.exp(-amount), 0.0) - log_expit(np.where(buys, odds, -odds))


def balance(expected: npt.ArrayLike, spend: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Return the factor by which predictions add up to what was spent.

    Parameters
    ----------
    expected : array_like of shape (n,)
        Expected spend, not negative and of somebody above 0.
    spend : array_like of shape (n,)
        What was spent, returns taken off.
    weights : array_like of shape (n,), optional
        How much each customer counts.

    Returns
    -------
    float
        Above 0 where more was spent than sent back.

    Notes
    -----
    Duan's smearing for a law whose mean was computed from logarithms: the mean of spend over the mean of what
    the law expected. It is 1 on its own data for a law whose score contains the mean, and tells how far off
    the assumed retransformation was for one that does not.

    References
    ----------
    .. [1] Duan, N. (1983). Smearing estimate: a nonparametric retransformation method. JASA 78, 605-610.

    Examples
    --------
    >>> balance([1.0, 3.0], [0.0, 8.0])
    2.0
    """
    count = np.ones(1) if weights is None else np.asarray(weights, dtype=np.float64)
    return float((count * np.asarray(spend)).sum() / (count * np.asarray(expected)).sum())
