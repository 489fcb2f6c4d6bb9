r"""How well Pareto/NBD explains histories: its log-likelihood, and the derivatives a fit needs.

The family itself is told in :mod:`habitue.numerics.pareto_nbd`, which offers all of this again; only what
looks backward is here. Everything is one integral over the unseen moment of leaving and its moments, see
:mod:`habitue.numerics.silent_leaving`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from habitue.numerics.arrays import FloatArray, floats, growth_over_counts
from habitue.numerics.explained import Explained, explained
from habitue.numerics.many_rows import in_blocks
from habitue.numerics.silent_leaving import silent_integral, silent_moments, silent_probability

__all__ = [
    "ParetoNBDParams",
    "gradient",
    "hessian",
    "log_likelihood",
    "value_gradient_hessian",
]


class ParetoNBDParams(NamedTuple):
    """The four numbers of a Pareto/NBD customer base; each may be an array, one number a customer.

    Attributes
    ----------
    r : float or ndarray
        Shape of the Gamma distribution of purchase rates; small where customers differ a lot.
    alpha : float or ndarray
        Its rate, in the unit of time of the histories; r / alpha is the mean number of purchases per unit.
    s : float or ndarray
        Shape of the Gamma distribution of rates of leaving.
    beta : float or ndarray
        Its rate, in the unit of time; s / beta is the mean rate of leaving.
    """

    r: npt.ArrayLike
    alpha: npt.ArrayLike
    s: npt.ArrayLike
    beta: npt.ArrayLike


def log_likelihood(
    params: ParetoNBDParams, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how well the parameters explain each customer's history.

    Parameters
    ----------
    params : ParetoNBDParams
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray
        Log of the density of each history; one a customer.

    Notes
    -----
    log of Gamma(r + x) / Gamma(r) alpha^r beta^s {(alpha + T)^-(r + x) (beta + T)^-s
    + s int_{t_x}^T (alpha + y)^-(r + x) (beta + y)^-(s + 1) dy}: either still there at T, or left at y.
    Everything is taken relative to t_x, so that nothing underflows. Where a customer without repeat purchase
    most likely stays silent, the probability of the first purchase is integrated instead and the logarithm
    keeps its digits near zero.

    References
    ----------
    Schmittlein, D. C., Morrison, D. G. and Colombo, R. (1987). Counting your customers: who are they and
    what will they do next? Management Science 33, 1-24, appendix.
    Fader, P. S. and Hardie, B. G. S. (2005). A note on deriving the Pareto/NBD model and related
    expressions. brucehardie.com/notes/009.

    Examples
    --------
    >>> cdnow = ParetoNBDParams(0.553, 10.578, 0.606, 11.669)
    >>> round(float(log_likelihood(cdnow, 2, 30.43, 38.86)), 6)
    -9.554283
    """
    x = np.asarray(frequency, dtype=np.float64)
    times = in_blocks(_log_times, *floats(*params, x, recency, T))
    return growth_over_counts(gammaln, params.r, x) + times


def gradient(
    params: ParetoNBDParams, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : ParetoNBDParams
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray of shape (..., 4)
        Derivatives with respect to r, alpha, s, beta, one row a customer.

    Notes
    -----
    See :func:`value_gradient_hessian`, which gives it with the rest at no more cost.

    Examples
    --------
    >>> cdnow = ParetoNBDParams(0.553, 10.578, 0.606, 11.669)
    >>> gradient(cdnow, [0, 2], [0.0, 30.43], [38.86, 38.86]).shape
    (2, 4)
    """
    return value_gradient_hessian(params, frequency, recency, T).gradient


def hessian(
    params: ParetoNBDParams, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how the gradient of each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : ParetoNBDParams
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and the parameters.

    Returns
    -------
    ndarray of shape (..., 4, 4)
        Second derivatives with respect to r, alpha, s, beta, one symmetric matrix a customer.

    Notes
    -----
    See :func:`value_gradient_hessian`, which gives it with the rest at no more cost.

    Examples
    --------
    >>> cdnow = ParetoNBDParams(0.553, 10.578, 0.606, 11.669)
    >>> hessian(cdnow, [0, 2], [0.0, 30.43], [38.86, 38.86]).shape
    (2, 4, 4)
    """
    return value_gradient_hessian(params, frequency, recency, T).hessian


def value_gradient_hessian(
    params: ParetoNBDParams, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> Explained:
    """Return log-likelihood, gradient and Hessian of each history in one pass, for a fit.

    Parameters
    ----------
    params : ParetoNBDParams
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
    leaving; its Hessian is the mean of the elementary Hessians plus the covariance of the gradients. Both
    need only the moments of log(alpha + y), 1 / (alpha + y), log(beta + y), 1 / (beta + y), which are taken
    relative to their values at t_x so that nothing cancels.

    Examples
    --------
    >>> cdnow = ParetoNBDParams(0.553, 10.578, 0.606, 11.669)
    >>> found = value_gradient_hessian(cdnow, [0, 2], [0.0, 30.43], [38.86, 38.86])
    >>> found.value.shape, found.gradient.shape, found.hessian.shape
    ((2,), (2, 4), (2, 4, 4))
    """
    return explained(_derivatives, params, frequency, recency, T)


def _log_times(
    r: FloatArray,
    alpha: FloatArray,
    s: FloatArray,
    beta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
) -> FloatArray:
    """Return the log-likelihood but for gammaln(r + x) - gammaln(r)."""
    k, A, B, t = r + x, alpha + t_x, beta + t_x, T - t_x
    silent = np.log(silent_probability(k, A, s, B, t))
    rows = np.flatnonzero((x == 0.0) & (silent > -0.1))
    if rows.size:
        shape, rate = r[rows], alpha[rows]
        bought = shape / rate * silent_integral(shape + 1.0, rate, s[rows], beta[rows], T[rows])
        silent[rows] = np.log1p(-bought)
    return silent + _until_last(r, alpha, s, beta, x, t_x)


def _until_last(
    r: FloatArray, alpha: FloatArray, s: FloatArray, beta: FloatArray, x: FloatArray, t_x: FloatArray
) -> FloatArray:
    """Return the logarithm of alpha^r / (alpha + t_x)^(r + x) (beta / (beta + t_x))^s."""
    return -r * np.log1p(t_x / alpha) - x * np.log(alpha + t_x) - s * np.log1p(t_x / beta)


def _derivatives(
    r: FloatArray,
    alpha: FloatArray,
    s: FloatArray,
    beta: FloatArray,
    x: FloatArray,
    t_x: FloatArray,
    T: FloatArray,
) -> FloatArray:
    """Return value, gradient and Hessian, side by side, but for the functions of the count alone.

    The five factors are those of silent_moments: 1, a, p, b, q. ``gone`` holds their moments under the
    probability of having left, ``mean`` those under the whole posterior, both given the silence since t_x.
    """
    k, A, B, t = r + x, alpha + t_x, beta + t_x, T - t_x
    gone = silent_moments(k, A, s + 1.0, B, t)
    gone *= s / B
    now = np.stack([np.ones_like(t), np.log1p(t / A), t / (A + t), np.log1p(t / B), t / (B + t)])
    there = np.exp(-k * now[1] - s * now[3])
    silent = there + gone[0, 0]
    gone /= silent
    there /= silent
    mean = gone + there * now[:, None] * now
    answer = np.empty((t.size, 21))
    answer[:, 0] = np.log(silent) + _until_last(r, alpha, s, beta, x, t_x)
    by_one = answer[:, 1:5]
    by_one[:, 0] = -np.log1p(t_x / alpha) - mean[0, 1]
    by_one[:, 1] = (r * t_x - x * alpha) / (alpha * A) + k / A * mean[0, 2]
    by_one[:, 2] = gone[0, 0] / s - np.log1p(t_x / beta) - mean[0, 3]
    by_one[:, 3] = s * t_x / (beta * B) + (s * mean[0, 4] - gone[0, 0] + gone[0, 4]) / B
    answer[:, 5:] = _second(r, alpha, s, beta, k, A, B, t_x, gone, mean).T
    return answer


def _second(
    r: FloatArray,
    alpha: FloatArray,
    s: FloatArray,
    beta: FloatArray,
    k: FloatArray,
    A: FloatArray,
    B: FloatArray,
    t_x: FloatArray,
    gone: FloatArray,
    mean: FloatArray,
) -> FloatArray:
    """Return the sixteen second derivatives: mean of the elementary ones plus covariance of the first.

    The elementary gradient is, but for constants, (-a, k p / A, left / s - b, (s q - left + left q) / B).
    """
    left = gone[0, 0]
    # Covariances of a and p with left / s - b and with e = s q - left + left q, and of these two.
    by_s = (gone[1:3, 0] - mean[1:3, 0] * left) / s - (mean[1:3, 3] - mean[1:3, 0] * mean[3, 0])
    e = s * mean[4, 0] - left + gone[4, 0]
    by_e = s * mean[1:4, 4] - gone[1:4, 0] + gone[1:4, 4] - mean[1:4, 0] * e
    left_e = (s + 1.0) * gone[4, 0] - left * (1.0 + e)
    e_e = s * s * mean[4, 4] + (2.0 * s + 1.0) * gone[4, 4] - 2.0 * (s + 1.0) * gone[4, 0] + left - e * e
    remaining = 1.0 - 2.0 * mean[4, 0] + mean[4, 4]
    remaining_left = left - 2.0 * gone[4, 0] + gone[4, 4]
    matrix = np.empty((4, 4, left.size))
    matrix[0, 0] = mean[1, 1] - mean[1, 0] ** 2
    matrix[0, 1] = 1.0 / alpha - (1.0 - mean[2, 0]) / A - k / A * (mean[1, 2] - mean[1, 0] * mean[2, 0])
    matrix[0, 2] = -by_s[0]
    matrix[0, 3] = -by_e[0] / B
    of_p = k * (1.0 - 2.0 * mean[2, 0] + mean[2, 2]) + k * k * (mean[2, 2] - mean[2, 0] ** 2)
    matrix[1, 1] = of_p / A**2 - r / alpha**2
    matrix[1, 2] = k / A * by_s[1]
    matrix[1, 3] = k / (A * B) * by_e[1]
    # The variance of left / s, less left / s^2 from the elementary Hessian, is -(left / s)^2.
    matrix[2, 2] = mean[3, 3] - mean[3, 0] ** 2 - 2.0 * (gone[3, 0] - left * mean[3, 0]) / s - (left / s) ** 2
    matrix[2, 3] = t_x / (beta * B) + (mean[4, 0] + left_e / s - by_e[2]) / B
    matrix[3, 3] = (s * remaining + remaining_left + e_e) / B**2 - s / beta**2
    for i in range(4):
        for j in range(i):
            matrix[i, j] = matrix[j, i]
    return matrix.reshape(16, -1)
