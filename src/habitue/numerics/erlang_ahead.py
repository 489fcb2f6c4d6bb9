r"""What regular buyers who are still there will buy, as far as their running gap tells.

Such a customer has hidden events at rate lambda ~ Gamma(s + j, rate c), c the time he has been looked at and
j < k his *stage*, the number of the k events of the running gap that are over; every k-th event is a
purchase, and after a purchase he leaves with probability p ~ Beta(a, b). With M events in the time ahead and
N = floor((j + M) / k), he would buy N times if he never left, and with q = 1 - p buys
E[1 + q + ... + q^(N - 1)] times. Time ahead is given in multiples of c.

All functions return one row for each stage. How likely each is, and that he is still there at all, is told
by :mod:`habitue.numerics.erlang_gaps`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincc, gammaln

from habitue.numerics.arrays import FloatArray
from habitue.numerics.beta_ratio import log_beta, log_beta_ratio, stirling_remainder
from habitue.numerics.many_rows import by_nodes
from habitue.numerics.quadrature import legendre_rule, log_odds_window, long_tail

__all__ = ["discounted", "pmf", "purchases", "residual"]

_EVENTS_AT_MOST = 1024  # more events than these are not counted one by one
_NEGLIGIBLE = 28.0  # -log of what may be left out of an integral, relative to it
_NODES_IN_STEPS_OF = 16
_TINY = 1e-300

# Where q is below, sums over purchases are power series of few terms, and roots of unity would cancel.
_HARDLY_STAYS = 1e-3
_N_POWERS = 6

_STRIP = 1.4  # half-width of the strip around the real axis where e^-w e^(i..) is tame; at most pi / 2


def purchases(k: int, s: FloatArray, a: FloatArray, b: FloatArray, ahead: FloatArray) -> FloatArray:
    """Return how many purchases are expected of customers who are still there.

    Parameters
    ----------
    k : int
        Events a purchase.
    s, a, b : ndarray of shape (n,)
        Shape of the Gamma distribution of customers in stage 0, and parameters of the Beta distribution.
    ahead : ndarray of shape (n,)
        Length of the time ahead, in units of the inverse rate of the Gamma distribution.

    Returns
    -------
    ndarray of shape (k, n)
        Expected numbers, one row a stage.

    Notes
    -----
    Up to a thousand events or so are counted one by one; all terms are positive. Beyond, for fixed p,
    q^N is a sum over the k-th roots w of q of c_w w^(j + M), and E[w^M] = (1 + ahead (1 - w))^-(s + j); the
    mean over p is taken by the trapezoidal rule.

    Examples
    --------
    >>> one = np.ones(1)
    >>> purchases(2, 2.243 * one, 0.793 * one, 4.426 * one, 1.2 * one).round(6).tolist()
    [[1.007369], [1.892854]]
    """
    answer = np.empty((k, s.size))
    n_events = _rounded_up(_most_events(s + k, ahead) + k)
    few = n_events <= _EVENTS_AT_MOST
    for n, rows in by_nodes(np.where(few, n_events, 0.0)):
        answer[:, rows] = _one_by_one(k, s[rows], a[rows], b[rows], ahead[rows], n)
    many = np.flatnonzero(~few)
    if many.size:
        answer[:, many] = _by_roots(k, s[many], a[many], b[many], ahead[many])
    return np.where(ahead > 0.0, answer, 0.0)


def discounted(
    k: int, s: FloatArray, a: FloatArray, b: FloatArray, ahead: FloatArray, rate: FloatArray
) -> FloatArray:
    """Return the same purchases, each discounted to now.

    Parameters
    ----------
    k : int
        Events a purchase.
    s, a, b, ahead : ndarray of shape (n,)
        As of :func:`purchases`.
    rate : ndarray of shape (n,)
        Continuous rate of discount per inverse rate of the Gamma distribution, >= 0.

    Returns
    -------
    ndarray of shape (k, n)
        E[sum of e^(-rate u)] over purchases at u in (0, ahead], one row a stage.

    Notes
    -----
    By parts, with M(w) the purchases until w: e^(-rate ahead) M(ahead) + integral of rate e^(-rate w) M(w)
    over (0, ahead), by Gauss-Legendre nodes over log(1 + w (s + rate + 1)). There M is tame within an angle
    of about pi / k: regular buyers come in waves.

    Examples
    --------
    >>> one = np.ones(1)
    >>> bool((discounted(2, one, one, one, one, 0 * one) == purchases(2, one, one, one, one)).all())
    True
    """
    answer = np.exp(-rate * ahead) * purchases(k, s, a, b, ahead)
    scale = s + rate + 1.0
    # beyond 45 / rate nothing counts
    end = np.log1p(scale * np.minimum(ahead, 45.0 / np.maximum(rate, _TINY)))
    half, strip = 0.5 * np.maximum(end, 1e-6), _strip(k)
    n_nodes = _rounded_up(0.5 * _NEGLIGIBLE / np.log((strip + np.hypot(strip, half)) / half))
    for n, rows in by_nodes(np.where(rate > 0.0, n_nodes, 0.0)):
        points, weights = legendre_rule(n)
        d = rate[rows, None]
        w = np.expm1(end[rows, None] * points) / scale[rows, None]
        density = d * (w + 1.0 / scale[rows, None]) * np.exp(-d * w) * (weights * end[rows, None])
        answer[:, rows] += (density * _on_grid(k, s[rows], a[rows], b[rows], w)).sum(axis=2)
    return answer


def residual(k: int, s: FloatArray, a: FloatArray, b: FloatArray, rate: FloatArray) -> FloatArray:
    """Return all purchases to come, each discounted to now.

    Parameters
    ----------
    k : int
        Events a purchase.
    s, a, b : ndarray of shape (n,)
        As of :func:`purchases`.
    rate : ndarray of shape (n,)
        Continuous rate of discount per inverse rate of the Gamma distribution, > 0.

    Returns
    -------
    ndarray of shape (k, n)
        E[f^(k - j) / (1 - (1 - p) f^k)], f = lambda / (lambda + rate), one row a stage.

    Notes
    -----
    The mean over lambda is taken by the trapezoidal rule over log lambda; for each of its points the one over
    p is that of 1 / (1 - f^k + p f^k).

    Examples
    --------
    >>> one = np.ones(1)
    >>> residual(1, 2.243 * one, 0.793 * one, 4.426 * one, 0.117 * one).round(6).tolist()
    [[7.091348]]
    """
    answer = np.empty((k, s.size))
    start, step, n_nodes = _log_rate_window(k, s, rate)
    for n, rows in by_nodes(n_nodes):
        v = start[rows, None] + step[rows, None] * np.arange(float(n))
        answer[:, rows] = _mean_over_rates(k, s[rows], a[rows], b[rows], rate[rows], v)
    return step * answer


def pmf(k: int, s: FloatArray, a: FloatArray, b: FloatArray, ahead: FloatArray, n: FloatArray) -> FloatArray:
    """Return the probability of exactly n purchases of customers who are still there.

    Parameters
    ----------
    k : int
        Events a purchase.
    s, a, b, ahead : ndarray of shape (n_rows,)
        As of :func:`purchases`.
    n : ndarray of shape (n_rows,)
        Whole numbers >= 1.

    Returns
    -------
    ndarray of shape (k, n_rows)
        Probabilities, one row a stage.

    Notes
    -----
    E[q^n] P(N = n) + E[p q^(n - 1)] P(N >= n): he stayed through n and wanted no more, or left after the
    n-th. All terms are positive.

    Examples
    --------
    >>> one = np.ones(1)
    >>> pmf(1, 2.243 * one, 0.793 * one, 4.426 * one, one, one).round(6).tolist()
    [[0.320762]]
    """
    stayed = np.exp(log_beta_ratio(a, b, n))
    left = stayed * (a / (b + n - 1.0))
    answer = np.empty((k, s.size))
    for j in range(k):
        events, shape = n * k - j, s + j
        term = np.exp(_log_negative_binomial(shape, ahead, events))
        exactly = np.zeros_like(term)
        for _ in range(k):
            exactly = exactly + term
            term = term * ((shape + events) / (events + 1.0) * (ahead / (1.0 + ahead)))
            events = events + 1.0
        answer[j] = stayed * exactly + left * _at_least(shape, ahead, n * k - j)
    return answer


def _rounded_up(n: FloatArray) -> FloatArray:
    """Return whole numbers few of which differ, so that rows of nearly as many nodes are done together."""
    unit = np.maximum(2.0 ** np.floor(np.log2(np.maximum(n, 1.0)) - 2.0), _NODES_IN_STEPS_OF)
    return unit * np.ceil(n / unit)


def _strip(k: int) -> float:
    """Return within which angle from the real axis purchases until w are tame."""
    return _STRIP / max(1.0, 0.5 * k)


def _on_grid(k: int, s: FloatArray, a: FloatArray, b: FloatArray, w: FloatArray) -> FloatArray:
    """Return purchases until each of several times a row, (k, rows, times); w is of shape (rows, times)."""
    s, a, b = (np.repeat(column, w.shape[1]) for column in (s, a, b))
    return purchases(k, s, a, b, w.ravel()).reshape(k, *w.shape)


def _most_events(shape: FloatArray, ahead: FloatArray) -> FloatArray:
    """Return a number that the events ahead hardly ever exceed, even times their number."""
    rate = ahead * (shape + 8.0 * np.sqrt(shape) + 35.0)
    return rate + 8.0 * np.sqrt(rate) + 30.0


def _one_by_one(
    k: int, s: FloatArray, a: FloatArray, b: FloatArray, ahead: FloatArray, n_events: int
) -> FloatArray:
    """Return expected purchases as a sum over the number M of events ahead, 0 <= M < n_events.

    In stage j, M is NB(s + j): as likely as under NB(s), times (s + M)_j / ((s)_j (1 + ahead)^j).
    """
    events = np.arange(float(n_events))
    s, a, b, ahead = (column[:, None] for column in (s, a, b, ahead))
    log_ratio = (
        np.log(s + events[:-1]) + np.log(np.maximum(ahead / (1.0 + ahead), _TINY)) - np.log(events[1:])
    )
    log_pmf = np.concatenate([np.zeros_like(s), np.cumsum(log_ratio, axis=1)], axis=1)
    weight = np.exp(log_pmf - s * np.log1p(ahead))
    earlier = np.arange(float((n_events + k) // k))
    staying = np.cumprod(np.concatenate([np.ones_like(b), (b + earlier) / (a + b + earlier)], axis=1), axis=1)
    bought = np.concatenate([np.zeros_like(b), np.cumsum(staying, axis=1)], axis=1)
    answer = np.empty((k, s.shape[0]))
    for j in range(k):
        answer[j] = (weight * bought[:, (j + np.arange(n_events)) // k]).sum(axis=1)
        weight *= (s + j + events) / ((s + j) * (1.0 + ahead))
    return answer


def _by_roots(k: int, s: FloatArray, a: FloatArray, b: FloatArray, ahead: FloatArray) -> FloatArray:
    """Return expected purchases g(p) for fixed p, averaged by the trapezoidal rule over the log-odds of p.

    Where a is small, much of the mean comes from p next to zero, where g is flat, over an endless range of
    log-odds. So g(0) (1 - p)^kappa is taken out, whose mean is a ratio of Beta functions, and g(1) p, which
    does the same for small b. By Jensen's inequality the former is never more than g(p) for kappa as large
    as here, so no digits are lost.
    """
    kappa = (s + k + 1.0) * ahead / k + 1.0
    norm = log_beta(a, b)
    first = np.array([_at_least(s + j, ahead, n * k - j) for j in range(k) for n in range(1, _N_POWERS + 1)])
    series = first.reshape(k, _N_POWERS, s.size)
    at_one, at_zero = series[:, 0], np.empty((k, s.size))
    answer = np.empty((k, s.size))
    start, step, n_nodes = log_odds_window(a + 1.0, b + 1.0, kappa, _NEGLIGIBLE)
    for n, rows in by_nodes(_rounded_up(n_nodes)):
        v = start[rows, None] + step[rows, None] * np.arange(float(n))
        v = np.concatenate([np.full((rows.size, 1), -80.0), v], axis=1)
        log_q = -np.log1p(np.exp(v))
        density = np.exp(a[rows, None] * v + (a + b)[rows, None] * log_q - norm[rows, None])
        density[:, 0] = 0.0
        g = _given_p(k, s[rows, None], ahead[rows, None], log_q, series[:, :, rows])
        at_zero[:, rows] = g[:, :, 0]
        rest = g - at_zero[:, rows, None] * np.exp(kappa[rows, None] * log_q)
        rest -= at_one[:, rows, None] * np.exp(v + log_q)
        answer[:, rows] = step[rows] * (density * rest).sum(axis=2)
    return answer + at_zero * np.exp(log_beta_ratio(a, b, kappa)) + at_one * (a / (a + b))


def _mean_over_rates(
    k: int, s: FloatArray, a: FloatArray, b: FloatArray, rate: FloatArray, v: FloatArray
) -> FloatArray:
    """Return sums over log-rates v of the residual transactions given lambda, times its density."""
    u = np.exp(v)
    log_f = -np.log1p(rate[:, None] / u)
    gap, shrunk = -np.expm1(k * log_f), np.exp(k * log_f)
    a, b = (np.repeat(column, v.shape[1]) for column in (a, b))
    mean = _mean_reciprocal(a, b, gap.ravel(), shrunk.ravel()).reshape(v.shape)
    density = np.exp(s[:, None] * v - u - gammaln(s)[:, None] + k * log_f) * mean
    answer = np.empty((k, s.size))
    for j in range(k):
        answer[j] = density.sum(axis=1)
        density *= np.exp(v - log_f) / (s[:, None] + j)
    return answer


def _mean_reciprocal(a: FloatArray, b: FloatArray, gap: FloatArray, shrunk: FloatArray) -> FloatArray:
    """Return E[1 / (gap + p shrunk)], gap + shrunk = 1, in the way of _by_roots."""
    kappa = shrunk / gap + 1.0
    norm = log_beta(a, b)
    answer = np.exp(log_beta_ratio(a, b, kappa)) / gap + a / (a + b)
    start, step, n_nodes = log_odds_window(a + 1.0, b + 1.0, kappa, _NEGLIGIBLE)
    for n, rows in by_nodes(_rounded_up(n_nodes)):
        v = start[rows, None] + step[rows, None] * np.arange(float(n))
        odds = np.exp(v)
        log_q, p = -np.log1p(odds), odds / (1.0 + odds)
        density = np.exp(a[rows, None] * v + (a + b)[rows, None] * log_q - norm[rows, None])
        rest = 1.0 / (gap[rows, None] + p * shrunk[rows, None]) - p
        rest -= np.exp(kappa[rows, None] * log_q) / gap[rows, None]
        answer[rows] += step[rows] * (density * rest).sum(axis=1)
    return answer


def _given_p(k: int, s: FloatArray, ahead: FloatArray, log_q: FloatArray, series: FloatArray) -> FloatArray:
    """Return expected purchases for given p, (k, rows, nodes).

    (1 - E[q^N]) / p = sum over the k-th roots w of q of w^(j + 1) / (1 - w) / (k q)
    (1 - (1 + ahead (1 - w))^-(s + j)); conjugate roots give conjugate terms. For small q instead
    P(N >= 1) + q P(N >= 2) + ...
    """
    log_large = np.maximum(log_q, np.log(_HARDLY_STAYS))
    answer = np.zeros((k, *log_q.shape))
    for turn in range(k // 2 + 1):
        log_w = log_large / k
        if turn == 0:
            short = -np.expm1(log_w)
        else:
            log_w = log_w + 2j * np.pi * turn / k
            short = 1.0 - np.exp(log_w)
        times = (1.0 if 2 * turn in (0, k) else 2.0) / k
        factor = times * np.exp(log_w - log_large) / short
        base = 1.0 + ahead * short
        happens = -np.expm1(-s * np.log1p(ahead * short))
        for j in range(k):
            answer[j] += (factor * happens).real
            factor = factor * np.exp(log_w)
            happens = happens + (1.0 - happens) * (ahead * short / base)
    small = log_q < np.log(_HARDLY_STAYS)
    powers = np.exp(np.arange(float(_N_POWERS))[:, None, None] * np.minimum(log_q, np.log(_HARDLY_STAYS)))
    return np.where(small, np.einsum("jnr,nrv->jrv", series, powers), answer)


def _at_least(shape: FloatArray, ahead: FloatArray, events: npt.ArrayLike) -> FloatArray:
    """Return the probability of at least so many events; neither tail is one minus the other."""
    n = np.asarray(events, dtype=np.float64)
    early = betainc(n, shape, ahead / (1.0 + ahead))
    return np.where(ahead <= 1.0, early, betaincc(shape, n, 1.0 / (1.0 + ahead)))


def _log_negative_binomial(shape: FloatArray, ahead: FloatArray, n: FloatArray) -> FloatArray:
    """Return the log-probability of n >= 1 events, to all digits however large shape and n.

    Stirling's formula for Gamma(s + n) / (Gamma(s) n!), with what it leaves; the logs that remain are the
    two deviances of n and s from their shares of s + n.
    """
    z = np.maximum(ahead, _TINY)
    total = shape + n
    left = stirling_remainder(total) - stirling_remainder(shape) - stirling_remainder(n)
    left = left + 0.5 * (np.log(shape / n) - np.log(total)) - 0.5 * np.log(2.0 * np.pi)
    return left - _deviance(n, total * (z / (1.0 + z))) - _deviance(shape, total / (1.0 + z))


def _deviance(n: FloatArray, mean: FloatArray) -> FloatArray:
    """Return n log(n / mean) - n + mean, >= 0, by its series where n and mean are close."""
    d = (n - mean) / (n + mean)
    near = np.abs(d) < 0.1
    e = np.where(near, d, 0.0)
    square = e * e
    term, series = 2.0 * n * e * square, np.zeros_like(d)
    for i in range(3, 21, 2):
        series = series + term / i
        term = term * square
    far = np.where(near, 1.0, n / mean)
    return np.where(near, (n - mean) * e + series, n * np.log(far) - n + mean)


def _log_rate_window(k: int, s: FloatArray, rate: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the same for log-rates: a Gamma density, times f^k, which cuts it off below the discount."""
    gamma = np.log(s) - long_tail(s, _NEGLIGIBLE)
    cut = np.log(np.minimum(rate, s + k)) - long_tail(s + k, _NEGLIGIBLE)
    start = np.maximum(gamma, cut)
    end = np.log(s + k + 1.0) + np.log1p(long_tail(s + k + 1.0, _NEGLIGIBLE))
    step = np.minimum(0.35 * (s + k) ** -0.25, 0.85 * (s + k) ** -0.5)
    return start, step, _rounded_up((end - start) / step + 1.0)
