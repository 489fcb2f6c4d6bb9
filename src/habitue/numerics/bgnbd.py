r"""BG/NBD: how often customers buy, and after which purchase they quietly leave.

While alive a customer buys at random times with rate lambda ~ Gamma(r, rate alpha); after each repeat
purchase he leaves for good with probability p ~ Beta(a, b). What is known of him is his history: x repeat
purchases (``frequency``), the last at t_x (``recency``), seen until ``T``. Times may be in any one unit;
alpha is in the same unit, and multiplying all of them by c changes no answer but the log-likelihood, by
-x log c, because it is a density of x times, and its derivative by alpha, by 1 / c.

Formulas only: fitting is :class:`habitue.models.bgnbd.BGNBD`. Nothing is checked here; what is handed in
must be a possible history (whole x >= 0, 0 <= t_x <= T, t_x = 0 where x = 0) with positive parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, expit, gammaln, psi

from habitue.numerics.quadrature import beta_rule

__all__ = [
    "BGNBDParams",
    "Params",
    "expected_purchases",
    "expected_purchases_new",
    "gradient",
    "log_likelihood",
    "p_alive",
    "p_no_purchase",
]

FloatArray = npt.NDArray[np.float64]

_ROWS_AT_ONCE = 16_384  # bounds the memory of (rows x nodes) work arrays to some tens of megabytes

# Beyond these, Gauss-Jacobi nodes no longer give ten digits: see _is_steep.
_A_KEEPS_AWAY = 12.0
_AHEAD_AT_MOST = 10.0
_FALL_AT_MOST = 1.5

# Log-odds of p for the trapezoidal rule: the integrand falls like e^-|v| on both sides, and the interesting
# p lie above 1 / ((r + x) ahead), which is 1e-14 or more.
_STEP = 0.25
_LOG_ODDS = np.arange(-70.0, 36.0, _STEP)


class BGNBDParams(NamedTuple):
    """The four numbers of a BG/NBD customer base.

    Attributes
    ----------
    r : float
        Shape of the Gamma distribution of purchase rates; small where customers differ a lot.
    alpha : float
        Its rate, in the unit of time of the histories; r / alpha is the mean number of purchases per unit.
    a, b : float
        Parameters of the Beta distribution of the probability to leave after a purchase; its mean is
        a / (a + b).
    """

    r: float
    alpha: float
    a: float
    b: float


Params = BGNBDParams  # within the module the family's name need not be said twice


def log_likelihood(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how well the parameters explain each customer's history.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other.

    Returns
    -------
    ndarray
        Log of the density of each history; one a customer.

    Notes
    -----
    log of B(a, b + x) / B(a, b) * Gamma(r + x) alpha^r / Gamma(r) * {(alpha + T)^-(r + x)
    + [x > 0] a / (b + x - 1) (alpha + t_x)^-(r + x)}.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting Your Customers" the easy way: an
    alternative to the Pareto/NBD model. Marketing Science 24, 275-284, equation (6).

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> round(float(log_likelihood(cdnow, 2, 30.43, 38.86)), 6)
    -9.458606
    """
    x, t_x, until = _arrays(frequency, recency, T)
    r, alpha, a, b = params
    purchasing = _over_counts(gammaln, r, x) - gammaln(r) - x * np.log(alpha)
    leaving = gammaln(a + b) - gammaln(b) + _over_counts(gammaln, b, x) - _over_counts(gammaln, a + b, x)
    silence = -(r + x) * np.log1p(until / alpha)
    return purchasing + leaving + silence + np.logaddexp(0.0, _log_odds_of_gone(params, x, t_x, until))


def gradient(
    params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return how each customer's log-likelihood moves with each parameter.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other.

    Returns
    -------
    ndarray of shape (..., 4)
        Derivatives with respect to r, alpha, a, b, one row a customer.

    Notes
    -----
    The derivatives of equation (6); that of log(1 + e^D), D the log-odds of having left, is
    P(left) dD.

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> gradient(cdnow, [0, 2], [0.0, 30.43], [38.86, 38.86]).shape
    (2, 4)
    """
    x, t_x, until = _arrays(frequency, recency, T)
    r, alpha, a, b = params
    gone = expit(_log_odds_of_gone(params, x, t_x, until))
    by_total = psi(a + b) - _over_counts(psi, a + b, x)
    since = (until - t_x) / (alpha + t_x)
    by_r = _over_counts(psi, r, x) - psi(r) - np.log1p(until / alpha) + gone * np.log1p(since)
    waiting = (r + x) / (alpha + until)
    by_alpha = r / alpha - waiting - gone * waiting * since
    by_a = by_total + gone / a
    by_b = by_total + _over_counts(psi, b, x) - psi(b) - gone / (b + np.maximum(x, 1.0) - 1.0)
    return np.stack([by_r, by_alpha, by_a, by_b], axis=-1)


def p_alive(params: Params, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
    """Return the probability that each customer has not left yet.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other.

    Returns
    -------
    ndarray
        Probabilities in [0, 1].

    Notes
    -----
    1 / (1 + a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x)) for x > 0, and exactly 1 for x = 0: in
    this model customers leave only after a repeat purchase, so one who never made one cannot have left.
    That is a property of the model, not a finding; MBG/NBD and Pareto/NBD lack it.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2008). Computing P(alive) using the BG/NBD model.
    brucehardie.com/notes/021.

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> p_alive(cdnow, [0, 2], [0.0, 30.43], 38.86).round(4).tolist()
    [1.0, 0.7266]
    """
    x, t_x, until = _arrays(frequency, recency, T)
    return expit(-_log_odds_of_gone(params, x, t_x, until))


def p_no_purchase(
    params: Params,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
) -> FloatArray:
    """Return the probability that each customer buys nothing during the next t units of time.

    Parameters
    ----------
    params : Params
        The customer base.
    frequency, recency, T : array_like
        Histories, broadcast against each other and t.
    t : array_like
        Length of the time ahead, >= 0.

    Returns
    -------
    ndarray
        Probabilities in [0, 1]; 1 at t = 0, falling towards 1 - p_alive.

    Notes
    -----
    "Nothing until T + t" is the same history seen at T + t, so the probability is the ratio of
    likelihoods L(x, t_x, T + t) / L(x, t_x, T), which is
    P(left) + P(alive) ((alpha + T) / (alpha + T + t))^(r + x): a sum of positive terms.

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> round(float(p_no_purchase(cdnow, 0, 0.0, 38.86, 39.0)), 6)
    0.855449
    """
    x, t_x, until, t = _arrays(frequency, recency, T, t)
    gone = _log_odds_of_gone(params, x, t_x, until)
    still_silent = np.exp(-(params.r + x) * np.log1p(t / (params.alpha + until)))
    return expit(gone) + expit(-gone) * still_silent


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
        Histories, broadcast against each other and t.
    t : array_like
        Length of the time ahead, >= 0.

    Returns
    -------
    ndarray
        Expected numbers of purchases, >= 0, rising in t.

    Notes
    -----
    P(alive) E[(1 - (1 + p t / (alpha + T))^-(r + x)) / p] with p ~ Beta(a, b + x). This is equation (10) of
    the paper before its integral is written as a 2F1, which returns NaN for large x and at a = 1. Gauss-
    Jacobi nodes do it to 1e-10 unless a < 12 and, with z = t / (alpha + T), either z > 10 or
    z (r + x) / (a + b + x) > 1.5; there the mean is taken by parts and by the trapezoidal rule over the
    log-odds of p, which has no such limit. Checked to 1e-8
    for x to 1e4, T to 1e5, t from 1e-6 to 1e5, a from 1e-6.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005), equation (10).

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> round(float(expected_purchases(cdnow, 2, 30.43, 38.86, 52.0)), 6)
    1.558721
    """
    x, t_x, until, t = _arrays(frequency, recency, T, t)
    alive = expit(-_log_odds_of_gone(params, x, t_x, until))
    ahead = (t / (params.alpha + until)).ravel()
    counts, which = np.unique(x.ravel(), return_inverse=True)
    answer = np.empty(ahead.shape)
    steep = _is_steep(params, counts[which], ahead)
    for rows, mean in ((~steep, _mean_by_gauss), (steep, _mean_by_parts)):
        if rows.any():
            answer[rows] = mean(params, counts, which[rows], ahead[rows])
    return alive * answer.reshape(x.shape)


def expected_purchases_new(params: Params, t: npt.ArrayLike) -> FloatArray:
    """Return how many repeat purchases a new customer makes in the t units of time after the first.

    Parameters
    ----------
    params : Params
        The customer base.
    t : array_like
        Time since the first purchase, >= 0.

    Returns
    -------
    ndarray
        Expected numbers of repeat purchases.

    Notes
    -----
    The expectation of a customer with x = 0 and T = 0.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005), equation (9).

    Examples
    --------
    >>> cdnow = Params(0.243, 4.414, 0.793, 2.426)
    >>> round(float(expected_purchases_new(cdnow, 52.0)), 6)
    1.446051
    """
    return expected_purchases(params, 0.0, 0.0, 0.0, t)


def _arrays(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Broadcast to float arrays of one shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values)))


def _over_counts(function: Callable[[FloatArray], FloatArray], shift: float, x: FloatArray) -> FloatArray:
    """Return function(shift + x), looked up in a table where there are more customers than counts."""
    top = int(x.max()) if x.size else 0
    if top >= x.size:
        return function(shift + x)
    return function(shift + np.arange(top + 1.0))[x.astype(np.intp)]


def _log_odds_of_gone(params: Params, x: FloatArray, t_x: FloatArray, T: FloatArray) -> FloatArray:
    """Return log(P(left) / P(alive)); minus infinity for x = 0."""
    r, alpha, a, b = params
    odds = np.log(a / (b + np.maximum(x, 1.0) - 1.0)) + (r + x) * np.log1p((T - t_x) / (alpha + t_x))
    return np.where(x > 0, odds, -np.inf)


def _is_steep(params: Params, x: FloatArray, ahead: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell where the integrand of expected_purchases bends too sharply for Gauss-Jacobi nodes.

    It has a branch point at p = -1/ahead and falls like exp(-(r + x) ahead p), against a Beta distribution
    that lives on the scale 1 / (a + b + x). From a = 12 on the Beta keeps away from zero, where it bends.
    """
    r, _, a, b = params
    fall = ahead * (r + x) / (a + b + x)
    return (a < _A_KEEPS_AWAY) & ((ahead > _AHEAD_AT_MOST) | (fall > _FALL_AT_MOST))


def _mean_by_gauss(
    params: Params, counts: FloatArray, which: npt.NDArray[np.intp], ahead: FloatArray
) -> FloatArray:
    """Return E[(1 - (1 + p ahead)^-(r + x)) / p], p ~ Beta(a, b + x), by Gauss-Jacobi quadrature."""
    used, which = np.unique(which, return_inverse=True)
    rule = beta_rule(params.a, params.b + counts[used])
    nodes = np.maximum(rule.nodes, np.finfo(np.float64).tiny)
    answer = np.empty(ahead.shape)
    for start in range(0, ahead.size, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        p, shape = nodes[which[rows]], params.r + counts[used][which[rows], None]
        bought = -np.expm1(-shape * np.log1p(p * ahead[rows, None]))
        answer[rows] = np.einsum("ij,ij->i", rule.weights[which[rows]], bought / p)
    return answer


def _mean_by_parts(
    params: Params, counts: FloatArray, which: npt.NDArray[np.intp], ahead: FloatArray
) -> FloatArray:
    """Return the same mean as f(1) - integral of P(Beta <= p) f'(p), with p = 1 / (1 + e^-v).

    The distribution function has no singularity at zero however small a is, and f' is finite there, so
    the integrand over v is analytic, dies off on both sides, and the trapezoidal rule is exact to rounding.
    """
    used, which = np.unique(which, return_inverse=True)
    p = expit(_LOG_ODDS)
    below = betainc(params.a, params.b + counts[used][:, None], p) * (_STEP * expit(-_LOG_ODDS))
    answer = np.empty(ahead.shape)
    size = _ROWS_AT_ONCE // 8
    for start in range(0, ahead.size, size):
        rows = slice(start, start + size)
        shape, z = params.r + counts[used][which[rows], None], p * ahead[rows, None]
        silent = -shape * np.log1p(z)
        fall = -np.expm1(silent) - shape * z / (1.0 + z) * np.exp(silent)
        tail = np.einsum("ij,ij->i", below[which[rows]], fall / p)
        answer[rows] = tail - np.expm1(-shape[:, 0] * np.log1p(ahead[rows]))
    return answer
