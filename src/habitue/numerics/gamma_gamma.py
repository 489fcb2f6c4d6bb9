r"""Gamma-gamma: what a customer's visits are worth, when only a few were seen.

The amount of a visit is Gamma(p, rate nu) with nu ~ Gamma(q, rate v) across customers. Of a customer are
known x repeat visits (``frequency``) and their mean amount (``monetary_value``), positive. Money may be in
any one currency; v is in the same, and multiplying both by c multiplies every expected spend by c.

The model assumes that how much is spent does not depend on how often. Formulas only: fitting, and a
warning where that assumption fails, are :class:`habitue.models.gamma_gamma.GammaGamma`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, psi

__all__ = ["GammaGammaParams", "Params", "expected_spend", "gradient", "log_likelihood"]

FloatArray = npt.NDArray[np.float64]


class GammaGammaParams(NamedTuple):
    """The three numbers of a gamma-gamma customer base.

    Attributes
    ----------
    p : float
        Shape of the Gamma distribution of one customer's amounts; their coefficient of variation is
        1 / sqrt(p).
    q : float
        Shape of the Gamma distribution across customers. The mean amount over customers is
        p v / (q - 1), and infinite for q <= 1.
    v : float
        Rate of that distribution, in the currency of the amounts.
    """

    p: float
    q: float
    v: float


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
    x, m = _arrays(frequency, monetary_value)
    p, q, v = params
    spread = gammaln(p * x + q) - gammaln(p * x) - gammaln(q)
    return spread - q * np.log1p(x * m / v) - p * x * np.log1p(v / (x * m)) - np.log(m)


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
    x, m = _arrays(frequency, monetary_value)
    p, q, v = params
    shape = psi(p * x + q)
    by_p = x * (shape - psi(p * x) - np.log1p(v / (x * m)))
    by_q = shape - psi(q) - np.log1p(x * m / v)
    by_v = q / v - (p * x + q) / (x * m + v)
    return np.stack([by_p, by_q, by_v], axis=-1)


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
    x, m = _arrays(frequency, monetary_value)
    p, q, v = params
    total = np.where(x > 0, x * m, 0.0)
    weight = p * x + (q - 1.0)
    exists = weight > 0.0
    return np.where(exists, p * (v + total) / np.where(exists, weight, 1.0), np.inf)


def _arrays(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Broadcast to float arrays of one shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values)))
