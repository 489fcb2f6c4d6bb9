"""How many customers an experiment needs, what it can find, and how surely.

Two-sided tests of one arm against another. What a share or spend was before, and how much of it is known
beforehand, is for the caller to know.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

__all__ = ["design_effect", "dunnett_critical", "mean_power", "share_power"]

_GRID: Final = np.linspace(-9.0, 9.0, 3001)
"""Where the integral over what all arms share is evaluated."""


def share_power(
    share: float,
    effect: float,
    n_control: float,
    n_treated: float,
    *,
    critical: float,
    deflation: float = 1.0,
) -> float:
    """Return the chance of finding a change of a share.

    Parameters
    ----------
    share : float
        In the control arm, in (0, 1).
    effect : float
        Share in the treated arm less that; both shares in [0, 1].
    n_control, n_treated : float
        Customers in each arm, above 0.
    critical : float
        Standard errors from which on a difference is believed; 1.96 for 5 %.
    deflation : float
        What the variance is multiplied by: below 1 where customers are known beforehand, above 1 where they
        come in households.

    Returns
    -------
    float
        In [0, 1].

    Notes
    -----
    The score test takes its standard error at the pooled share, and its statistic has that of the two
    shares: Phi((|d| - z s0) / s1) + Phi((-|d| - z s0) / s1).

    References
    ----------
    Fleiss, Levin and Paik (2003), Statistical methods for rates and proportions, chapter 4.

    Examples
    --------
    >>> round(share_power(0.6, 0.05, 1471, 1471, critical=1.959964), 3)
    0.8
    """
    treated = share + effect
    pooled = (share * n_control + treated * n_treated) / (n_control + n_treated)
    null = np.sqrt(deflation * pooled * (1.0 - pooled) * (1.0 / n_control + 1.0 / n_treated))
    own = np.sqrt(deflation * (share * (1.0 - share) / n_control + treated * (1.0 - treated) / n_treated))
    far = np.array([abs(effect), -abs(effect)])
    return float(norm.cdf((far - critical * null) / own).sum())


def mean_power(
    effect: float,
    sd_control: float,
    sd_treated: float,
    n_control: float,
    n_treated: float,
    *,
    critical: float,
    deflation: float = 1.0,
) -> float:
    """Return the chance of finding a change of a mean, such as spend per customer.

    Parameters
    ----------
    effect : float
        Difference of the means.
    sd_control, sd_treated : float
        Standard deviations of one customer, above 0; zeros count as they come.
    n_control, n_treated : float
        Customers in each arm, above 0.
    critical : float
        Standard errors from which on a difference is believed; 1.96 for 5 %.
    deflation : float
        As `share_power`.

    Returns
    -------
    float
        In [0, 1].

    Notes
    -----
    Phi(|d| / s - z) + Phi(-|d| / s - z), with s^2 = deflation (sd0^2 / n0 + sd1^2 / n1). It needs only that
    means are about normal. No logarithm is taken: what counts is money, and logarithms of it answer another
    question.

    Examples
    --------
    >>> round(mean_power(5.0, 80.0, 80.0, 4019, 4019, critical=1.959964), 3)
    0.8
    """
    se = np.sqrt(deflation * (sd_control**2 / n_control + sd_treated**2 / n_treated))
    far = np.array([abs(effect), -abs(effect)]) / se
    return float(norm.cdf(far - critical).sum())


def design_effect(size: float, correlation: float, *, spread: float = 0.0) -> float:
    """Return by how much households, or other clusters that are drawn together, inflate the variance.

    Parameters
    ----------
    size : float
        Mean number of customers in one, 1 or more.
    correlation : float
        Of the outcomes of two customers in one (intracluster), in [0, 1].
    spread : float
        Standard deviation of sizes over their mean.

    Returns
    -------
    float
        1 or more: so many times the customers are needed.

    References
    ----------
    Eldridge, Ashby and Kerry (2006), Sample size for cluster randomized trials: effect of coefficient of
    variation of cluster size and analysis method, International Journal of Epidemiology 35.

    Examples
    --------
    >>> design_effect(2.0, 0.25)
    1.25
    """
    return 1.0 + ((spread**2 + 1.0) * size - 1.0) * correlation


def dunnett_critical(ratios: list[float], *, confidence: float = 0.95) -> float:
    """Return the critical value of several arms that are each compared with one control.

    Parameters
    ----------
    ratios : list of float
        Size of each treated arm over that of the control, above 0.
    confidence : float
        Chance that no arm is believed while none has an effect, in (0, 1).

    Returns
    -------
    float
        In standard errors: 1.96 for one arm at 95 %, more for several, and less than Bonferroni's since all
        share their control.

    Notes
    -----
    P(max |Z_i| <= c) = integral of phi(z) prod_i [Phi((c - l_i z) / m_i) - Phi((-c - l_i z) / m_i)] dz, with
    l_i^2 = r_i / (1 + r_i) and m_i^2 = 1 / (1 + r_i).

    References
    ----------
    Dunnett (1955), A multiple comparison procedure for comparing several treatments with a control, JASA 50.

    Examples
    --------
    >>> round(dunnett_critical([1.0]), 3), round(dunnett_critical([1.0, 1.0, 1.0]), 3)
    (1.96, 2.349)
    """
    r = np.asarray(ratios, dtype=np.float64)
    if r.size == 1:
        return float(norm.isf((1.0 - confidence) / 2.0))
    shared, own = np.sqrt(r / (1.0 + r)), np.sqrt(1.0 / (1.0 + r))

    # The integrand is smooth and falls off: sums over a fine grid are exact to rounding.
    density = norm.pdf(_GRID) * (_GRID[1] - _GRID[0])

    def chance(c: float) -> float:
        from_shared = np.outer(_GRID, shared)
        both = ndtr((c - from_shared) / own) - ndtr((-c - from_shared) / own)
        return float(density @ both.prod(axis=1))

    most = float(norm.isf((1.0 - confidence) / (2.0 * r.size))) + 0.01
    found: Any = brentq(lambda c: chance(c) - confidence, 0.5, most, xtol=1e-8)
    return float(found)
