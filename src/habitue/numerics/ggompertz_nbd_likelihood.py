r"""How well GGompertz/NBD explains histories: its log-likelihood, and the derivatives a fit needs.

The family itself is told in :mod:`habitue.numerics.ggompertz_nbd`, which offers all of this again; only what
looks backward is here. Everything is one integral over the unseen moment of leaving and its moments, see
:mod:`habitue.numerics.silent_leaving`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from habitue.numerics.arrays import FloatArray, Rows, floats, growth_over_counts
from habitue.numerics.explained import Explained, explained
from habitue.numerics.gompertz_leaving import aged, gompertz_leaving, log_fallen
from habitue.numerics.many_rows import in_blocks
from habitue.numerics.panels import on_panels
from habitue.numerics.silent_futures import left_silently, silent_probability, wakes

__all__ = [
    "GGompertzNBDParams",
    "gradient",
    "hessian",
    "log_likelihood",
    "value_gradient_hessian",
]


# Pairs of parameters (i, j) with i <= j.
_UPPER = np.triu_indices(5)


class GGompertzNBDParams(NamedTuple):
    """The five numbers of a GGompertz/NBD customer base; each may be an array, one number a customer.

    Attributes
    ----------
    r : float or ndarray
        Shape of the Gamma distribution of purchase rates; small where customers differ a lot.
    alpha : float or ndarray
        Its rate, in the unit of time of the histories; r / alpha is the mean number of purchases per unit.
    b : float or ndarray
        Scale of the Gompertz distribution of lifetimes, per unit of time: how fast a customer's hazard grows.
    s, beta : float or ndarray
        Shape and rate of the Gamma distribution of eta, to which the hazard is proportional; numbers.
    """

    r: npt.ArrayLike
    alpha: npt.ArrayLike
    b: npt.ArrayLike
    s: npt.ArrayLike
    beta: npt.ArrayLike


def log_likelihood(
    params: GGompertzNBDParams, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how well the parameters explain each customer's history.

    Parameters
    ----------
    params : GGompertzNBDParams
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray
        Log of the density of each history; one a customer.

    Notes
    -----
    log of Gamma(r + x) / Gamma(r) alpha^r {(alpha + T)^-(r + x) S(T)
    + int_{t_x}^T (alpha + y)^-(r + x) f(y) dy}, S(y) = (beta / (beta + e^(b y) - 1))^s, f = -S': either still
    there at T, or left at y. Everything is taken relative to t_x, so that nothing underflows.

    References
    ----------
    Bemmaor, A. C. and Glady, N. (2012). Modeling purchasing behavior with sudden "death": a flexible
    customer lifetime model. Management Science 58, 1012-1021.

    Examples
    --------
    >>> cdnow = GGompertzNBDParams(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> round(float(log_likelihood(cdnow, 2, 30.43, 38.86)), 6)
    -9.549716
    """
    x = np.asarray(frequency, dtype=np.float64)
    times = in_blocks(_log_times, *floats(*params, x, recency, T))
    return growth_over_counts(gammaln, params.r, x) + times


def gradient(
    params: GGompertzNBDParams, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : GGompertzNBDParams
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray of shape (..., 5)
        Derivatives with respect to r, alpha, b, s, beta, one row a customer.

    Notes
    -----
    See :func:`value_gradient_hessian`, which gives it with the rest at no more cost.

    Examples
    --------
    >>> cdnow = GGompertzNBDParams(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> gradient(cdnow, [0, 2], [0.0, 30.43], [38.86, 38.86]).shape
    (2, 5)
    """
    return value_gradient_hessian(params, frequency, recency, T).gradient


def hessian(
    params: GGompertzNBDParams, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how the gradient of each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : GGompertzNBDParams
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray of shape (..., 5, 5)
        Second derivatives with respect to r, alpha, b, s, beta, one symmetric matrix a customer.

    Notes
    -----
    See :func:`value_gradient_hessian`, which gives it with the rest at no more cost.

    Examples
    --------
    >>> cdnow = GGompertzNBDParams(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> hessian(cdnow, [0, 2], [0.0, 30.43], [38.86, 38.86]).shape
    (2, 5, 5)
    """
    return value_gradient_hessian(params, frequency, recency, T).hessian


def value_gradient_hessian(
    params: GGompertzNBDParams, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> Explained:
    """Return log-likelihood, gradient and Hessian of each history in one pass, for a fit.

    Parameters
    ----------
    params : GGompertzNBDParams
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    Explained
        Value, gradient and Hessian; see :func:`log_likelihood`, :func:`gradient`, :func:`hessian`.

    Notes
    -----
    Given that and when a customer left (or that he did not), the log-likelihood is elementary. Its gradient
    over what is not known is the mean of the elementary gradients under the posterior of the moment of
    leaving; its Hessian is the mean of the elementary Hessians plus the covariance of the gradients. All
    means are taken on the panels that resolve the likelihood.

    Examples
    --------
    >>> cdnow = GGompertzNBDParams(0.55313, 10.5758, 1.1e-06, 0.60682, 1.3e-05)
    >>> found = value_gradient_hessian(cdnow, [0, 2], [0.0, 30.43], [38.86, 38.86])
    >>> found.value.shape, found.gradient.shape, found.hessian.shape
    ((2,), (2, 5), (2, 5, 5))
    """
    return explained(_derivatives, params, frequency, recency, T)


def _log_times(
    r: FloatArray,
    alpha: FloatArray,
    b: FloatArray,
    s: FloatArray,
    beta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
) -> FloatArray:
    """Return the log-likelihood but for gammaln(r + x) - gammaln(r)."""
    leaving = gompertz_leaving(b, s, aged(b, beta, t_x))
    silent = np.log(silent_probability(r + x, alpha + t_x, leaving, T - t_x))
    rows = np.flatnonzero((x == 0.0) & (silent > -0.1))
    if rows.size:
        new = gompertz_leaving(b[rows], s[rows], beta[rows])
        silent[rows] = np.log1p(-wakes(new, r[rows], alpha[rows], T[rows]))
    return silent + _until_last(r, alpha, b, s, beta, x, t_x)


def _until_last(
    r: FloatArray,
    alpha: FloatArray,
    b: FloatArray,
    s: FloatArray,
    beta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
) -> FloatArray:
    """Return the logarithm of alpha^r / (alpha + t_x)^(r + x) P(still there at t_x)."""
    return -r * np.log1p(t_x / alpha) - x * np.log(alpha + t_x) - s * log_fallen(b, beta, t_x)


def _derivatives(
    r: FloatArray,
    alpha: FloatArray,
    b: FloatArray,
    s: FloatArray,
    beta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
) -> FloatArray:
    """Return value, gradient and Hessian, side by side, but for the functions of the count alone."""
    k, A, t = r + x, alpha + t_x, T - t_x
    leaving = gompertz_leaving(b, s, aged(b, beta, t_x))
    c = np.minimum(A, leaving.scale)
    panels = left_silently(leaving, k, A, t)
    given = np.stack([k, A, b, s, beta, t_x])

    def parts(row: Rows, v: FloatArray) -> FloatArray:
        u = c[row] * np.expm1(v)
        log_mass = leaving.log_survival(row, u) + leaving.log_hazard(row, u) - k[row] * np.log1p(u / A[row])
        return np.exp(log_mass) * (c[row] + u) * _elementary(given[:, row], u, 1.0)

    there = np.exp(leaving.log_survival(np.arange(t.size), t) - k * np.log1p(t / A))
    sums = on_panels(parts, panels) + there * _elementary(given, t, 0.0)
    mean = sums[1:] / sums[0]
    answer = np.empty((t.size, 31))
    answer[:, 0] = np.log(sums[0]) + _until_last(r, alpha, b, s, beta, x, t_x)
    answer[:, 1:6] = mean[:5].T
    answer[:, 1] -= np.log1p(t_x / alpha)
    answer[:, 2] += (r * t_x - x * alpha) / (alpha * A)
    matrix = np.empty((5, 5, t.size))
    for i, j, second in zip(*_UPPER, mean[5:], strict=True):
        matrix[i, j] = matrix[j, i] = second - mean[i] * mean[j]
    matrix[0, 1] = matrix[1, 0] = matrix[0, 1] + 1.0 / alpha
    matrix[1, 1] -= r / alpha**2
    answer[:, 6:] = matrix.reshape(25, -1).T
    return answer


def _elementary(given: FloatArray, u: FloatArray, left: float) -> FloatArray:
    """Return 1, the gradient of the log density of leaving at t_x + u (or of staying), and products.

    The gradient is relative to its part that does not depend on u in r and alpha; the products of entries
    (i, j), i <= j, have the entry of the elementary Hessian added, so that 1 / s^2 and 1 / b^2 cancel.
    """
    k, A, b, s, beta, t_x = given
    y, rest = t_x + u, u / (A + u)
    heavy = 1.0 / aged(b, beta, y)  # e^(b y) / (beta + e^(b y) - 1)
    light = np.exp(-b * y) * heavy
    power = s + left
    by_b = left * y - power * y * heavy
    by_s = -log_fallen(b, beta, y)
    by_beta = (s - power * beta * light) / beta
    one = np.ones_like(u)
    first = [-np.log1p(u / A), k / A * rest, left / b + by_b, left / s + by_s, by_beta]
    products = [first[i] * first[j] for i, j in zip(*_UPPER, strict=True)]
    at = {(int(i), int(j)): n for n, (i, j) in enumerate(zip(*_UPPER, strict=True))}
    products[at[0, 1]] = products[at[0, 1]] - (1.0 - rest) / A
    products[at[1, 1]] = products[at[1, 1]] + k * ((1.0 - rest) / A) ** 2
    products[at[2, 2]] = by_b * (2.0 * left / b + by_b) - power * y * y * (beta - 1.0) * light * heavy
    products[at[2, 3]] = products[at[2, 3]] - y * heavy
    products[at[2, 4]] = products[at[2, 4]] + power * y * light * heavy
    products[at[3, 3]] = by_s * (2.0 * left / s + by_s)
    products[at[3, 4]] = products[at[3, 4]] + (1.0 - beta * light) / beta
    products[at[4, 4]] = products[at[4, 4]] + power * light * light - s / beta**2
    return np.stack([one, *first, *products])
