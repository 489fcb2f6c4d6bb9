r"""What BG/NBD and MBG/NBD share: customers who may leave after each purchase, and only then.

While alive a customer buys at random times with rate lambda ~ Gamma(r, rate alpha); after a purchase he
leaves for good with probability p ~ Beta(a, b). The two families differ in one thing: whether he may leave
right after the very first purchase, at time 0, too. So a history of x repeat purchases holds x + m chances
to leave, m = 0 in BG/NBD and m = 1 in MBG/NBD, and all formulas are those of x + m chances.

Each function is documented, with references, in :mod:`habitue.numerics.bgnbd` and
:mod:`habitue.numerics.mbgnbd`, which only say what m is. Nothing is checked here either.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincc, gammaln

from habitue.numerics import beta_dropout_histories, purchases_ahead
from habitue.numerics.arrays import FloatArray, floats, over_counts
from habitue.numerics.beta_dropout_histories import Field
from habitue.numerics.beta_ratio import digamma_difference, log_beta, log_beta_ratio, trigamma_difference
from habitue.numerics.many_rows import in_blocks, over_pairs
from habitue.numerics.purchases import Purchases

__all__ = [
    "discounted_purchases",
    "expected_purchases",
    "gradient",
    "hessian",
    "log_likelihood",
    "p_alive",
    "p_no_purchase",
    "purchase_pmf",
    "residual_transactions",
    "simulate",
]

Fields: TypeAlias = tuple[Field, Field, Field, Field]  # r, alpha, a, b


def log_likelihood(
    params: Fields, m: int, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return the log of the density of each history.

    Parameters
    ----------
    params : tuple of float or ndarray
        r, alpha, a, b.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.

    Returns
    -------
    ndarray
        One a customer.
    """
    params, (x, t_x, until) = _aligned(params, frequency, recency, T)
    r, _, a, b = params
    of_count = _over_counts(_log_rising, (r,), 0, x) + _over_counts(log_beta_ratio, (a, b), m, x)
    formula = partial(beta_dropout_histories.log_likelihood, m)
    return in_blocks(formula, *params, of_count, x, t_x, until, elementwise=True)


def gradient(
    params: Fields, m: int, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return its derivatives with respect to r, alpha, a, b, along a last axis.

    Parameters
    ----------
    params : tuple of float or ndarray
        r, alpha, a, b.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.

    Returns
    -------
    ndarray
        Of shape (..., 4).
    """
    params, (x, t_x, until) = _aligned(params, frequency, recency, T)
    of_r, of_b, of_total = _differences(digamma_difference, m, x, params)
    return in_blocks(
        partial(beta_dropout_histories.gradient, m), *params, of_r, of_b, of_total, x, t_x, until
    )


def hessian(
    params: Fields, m: int, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return its second derivatives with respect to r, alpha, a, b, along two last axes.

    Parameters
    ----------
    params : tuple of float or ndarray
        r, alpha, a, b.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.

    Returns
    -------
    ndarray
        Of shape (..., 4, 4).
    """
    params, (x, t_x, until) = _aligned(params, frequency, recency, T)
    of_r, of_b, of_total = _differences(trigamma_difference, m, x, params)
    return in_blocks(partial(beta_dropout_histories.hessian, m), *params, of_r, of_b, of_total, x, t_x, until)


def p_alive(
    params: Fields, m: int, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> FloatArray:
    """Return the probability that each customer has not left yet.

    Parameters
    ----------
    params : tuple of float or ndarray
        r, alpha, a, b.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.

    Returns
    -------
    ndarray
        One a customer.
    """
    params, (x, t_x, until) = _aligned(params, frequency, recency, T)
    return in_blocks(partial(beta_dropout_histories.p_alive, m), *params, x, t_x, until, elementwise=True)


def p_no_purchase(
    params: Fields,
    m: int,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
) -> FloatArray:
    """Return the probability that each customer buys nothing in (T, T + t].

    Parameters
    ----------
    params : tuple of float or ndarray
        r, alpha, a, b.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.
    t : array_like
        Length of the time ahead, >= 0.

    Returns
    -------
    ndarray
        One a customer.
    """
    params, (x, t_x, until, t) = _aligned(params, frequency, recency, T, t)
    return in_blocks(
        partial(beta_dropout_histories.p_no_purchase, m), *params, x, t_x, until, t, elementwise=True
    )


def purchase_pmf(
    params: Fields,
    m: int,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    n: npt.ArrayLike,
) -> FloatArray:
    """Return the probability that each customer buys exactly n times in (T, T + t].

    Parameters
    ----------
    params : tuple of float or ndarray
        r, alpha, a, b.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.
    t : array_like
        Length of the time ahead, >= 0.
    n : array_like
        Number of purchases, whole, >= 0.

    Returns
    -------
    ndarray
        One a customer.
    """
    params, (x, t_x, until, t, n) = _aligned(params, frequency, recency, T, t, n)
    return in_blocks(partial(_purchase_pmf, m), *params, x, t_x, until, t, n)


def expected_purchases(
    params: Fields,
    m: int,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
) -> FloatArray:
    """Return how many purchases each customer is expected to make in (T, T + t].

    Parameters
    ----------
    params : tuple of float or ndarray
        r, alpha, a, b.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.
    t : array_like
        Length of the time ahead, >= 0.

    Returns
    -------
    ndarray
        One a customer.
    """
    return _times_alive(_purchases, params, m, frequency, recency, T, t)


def discounted_purchases(
    params: Fields,
    m: int,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    discount_rate: npt.ArrayLike,
) -> FloatArray:
    """Return the same, each purchase discounted to T.

    Parameters
    ----------
    params : tuple of float or ndarray
        r, alpha, a, b.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.
    t : array_like
        Length of the time ahead, >= 0.
    discount_rate : array_like
        Continuous rate per unit of time, >= 0.

    Returns
    -------
    ndarray
        One a customer.
    """
    return _times_alive(_discounted, params, m, frequency, recency, T, t, discount_rate)


def residual_transactions(
    params: Fields,
    m: int,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    discount_rate: npt.ArrayLike,
) -> FloatArray:
    """Return the same over all time to come.

    Parameters
    ----------
    params : tuple of float or ndarray
        r, alpha, a, b.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.
    discount_rate : array_like
        Continuous rate per unit of time, >= 0.

    Returns
    -------
    ndarray
        One a customer.
    """
    return _times_alive(_residual, params, m, frequency, recency, T, discount_rate)


def simulate(
    params: Fields,
    m: int,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    random_state: np.random.Generator,
) -> Purchases:
    """Draw one possible future in (T, T + t] of each customer.

    Parameters
    ----------
    params : tuple of float or ndarray
        r, alpha, a, b.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.
    t : array_like
        Length of the time ahead, >= 0.
    random_state : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Purchases
        Who buys when, and who is still there at T + t.

    Notes
    -----
    How often he would buy if he never left is drawn first, then after which of these purchases he leaves.
    Given their number, purchases are uniform in time; those made before leaving are the earliest of them:
    the last of these is an order statistic, the others are uniform up to it.
    """
    params, values = _aligned(params, frequency, recency, T, t)
    r, alpha, a, b = params
    x, t_x, until, t = (value.reshape(-1) for value in values)
    draw = random_state
    r, alpha, a, b = (field.reshape(-1) if isinstance(field, np.ndarray) else field for field in params)
    alive = draw.random(x.size) < beta_dropout_histories.p_alive(m, r, alpha, a, b, x, t_x, until)
    wanted = np.where(alive, draw.poisson(draw.gamma(r + x) / (alpha + until) * t), 0)
    # Staying through n chances has probability (1 - p)^n = e^(-n hazard): leave at the first beyond patience.
    hazard = -np.log1p(-np.minimum(draw.beta(a, b + x + m), 1.0 - 2.0**-53))
    patience = draw.exponential(size=x.size)
    leaves = alive & (patience < wanted * hazard)
    made = wanted.copy()
    made[leaves] = np.minimum(np.floor(patience[leaves] / hazard[leaves]) + 1.0, wanted[leaves])
    cut = made < wanted
    last = np.ones(x.size)
    last[cut] = draw.beta(made[cut], wanted[cut] - made[cut] + 1.0)
    customer, time = _times(made, cut, t * last, draw)
    return Purchases(customer, until[customer] + time, alive & ~leaves)


def _times(
    made: npt.NDArray[np.int64], cut: npt.NDArray[np.bool_], end: FloatArray, draw: np.random.Generator
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Return who buys and when, in order: uniform until the end, which is the last one's time where cut."""
    customer = np.repeat(np.arange(made.size), made)
    time = draw.random(customer.size) * end[customer]
    final = np.cumsum(made)[cut] - 1
    time[final] = end[cut]
    return customer, time[np.lexsort((time, customer))]


def _aligned(params: Fields, *values: npt.ArrayLike) -> tuple[Fields, tuple[FloatArray, ...]]:
    """Return parameters as floats, or as arrays of the shape that everything broadcasts to; and the rest."""
    if all(np.ndim(field) == 0 for field in params):
        r, alpha, a, b = (float(field) for field in params)
        return (r, alpha, a, b), floats(*values)
    r, alpha, a, b, *rest = floats(*params, *values)
    return (r, alpha, a, b), tuple(rest)


def _over_counts(
    function: Callable[..., FloatArray], fields: tuple[Field, ...], m: int, x: FloatArray
) -> FloatArray:
    """Return function(*fields, x + m), from a table over counts where customers share the parameters.

    They do where the parameters are numbers, and where they are posterior draws, one a row, against customers
    along the last axis.
    """
    if all(isinstance(field, float) for field in fields):
        return over_counts(lambda count: function(*fields, count + m), x)
    drawn = all(isinstance(field, np.ndarray) and _is_constant_along_last(field) for field in fields)
    if not (drawn and x.ndim > 1 and x.size and not any(x.strides[:-1])):
        return function(*fields, x + m)
    counts, which = np.unique(x[(0,) * (x.ndim - 1)], return_inverse=True)
    first = (field[..., :1] for field in fields if isinstance(field, np.ndarray))
    return function(*first, counts + m)[..., which]


def _is_constant_along_last(field: FloatArray) -> bool:
    """Tell whether an array was broadcast along its last axis."""
    return field.ndim > 0 and field.strides[-1] == 0


def _differences(
    difference: Callable[[Field, FloatArray], FloatArray], m: int, x: FloatArray, params: Fields
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return f(z + n) - f(z) for z = r, n = x; for z = b, n = x + m - 1 or 0; for z = a + b, n = x + m."""
    r, _, a, b = params

    def of_all_but_the_last(shape: Field, chances: FloatArray) -> FloatArray:
        return difference(shape, np.maximum(chances - 1.0, 0.0))

    def of_both(first: Field, second: Field, chances: FloatArray) -> FloatArray:
        return difference(first + second, chances)

    return (
        _over_counts(difference, (r,), 0, x),
        _over_counts(of_all_but_the_last, (b,), m, x),
        _over_counts(of_both, (a, b), m, x),
    )


def _log_rising(r: Field, x: FloatArray) -> FloatArray:
    """Return log of Gamma(r + x) / Gamma(r), x whole."""
    count = np.maximum(x, 1.0)
    return np.where(x > 0.0, gammaln(count) - log_beta(r, count), 0.0)


def _purchase_pmf(
    m: int,
    r: Field,
    alpha: Field,
    a: Field,
    b: Field,
    x: FloatArray,
    t_x: FloatArray,
    until: FloatArray,
    t: FloatArray,
    n: FloatArray,
) -> FloatArray:
    """Return P(n purchases): he stayed through n and wanted no more, or left after the n-th."""
    count = np.maximum(n, 1.0)
    s, chances, ahead = r + x, b + x + m, np.maximum(t / (alpha + until), 1e-300)
    wanted = -count * np.log1p(1.0 / ahead) - s * np.log1p(ahead) - np.log(count) - log_beta(count, s)
    at_least = np.where(
        ahead <= 1.0, betainc(count, s, ahead / (1.0 + ahead)), betaincc(s, count, 1.0 / (1.0 + ahead))
    )
    stayed = log_beta_ratio(a, chances, count)
    left = np.exp(stayed) * (a / (chances + (count - 1.0))) * at_least
    some = beta_dropout_histories.p_alive(m, r, alpha, a, b, x, t_x, until) * (np.exp(stayed + wanted) + left)
    none = beta_dropout_histories.p_no_purchase(m, r, alpha, a, b, x, t_x, until, t)
    return np.where(n > 0.0, np.where(t > 0.0, some, 0.0), none)


def _times_alive(
    mean: Callable[..., FloatArray],
    params: Fields,
    m: int,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    *others: npt.ArrayLike,
) -> FloatArray:
    """Return P(alive) times a mean given alive, which depends on x and T but not on t_x."""
    params, (x, t_x, until, *rest) = _aligned(params, frequency, recency, T, *others)
    alive = in_blocks(partial(beta_dropout_histories.p_alive, m), *params, x, t_x, until, elementwise=True)
    if isinstance(params[0], float) and all(np.ndim(value) == 0 for value in others):
        same = [float(np.asarray(value)) for value in others]
        given = over_pairs(lambda x, until: mean(m, *params, x, until, *same), x, until)
    else:
        given = in_blocks(partial(mean, m), *params, x, until, *rest)
    return np.multiply(alive, given, out=alive)


def _purchases(
    m: int, r: float, alpha: float, a: float, b: float, x: FloatArray, until: FloatArray, t: Field
) -> FloatArray:
    """Return the purchases expected in (T, T + t] of those who are still there."""
    return purchases_ahead.purchases(r + x, a, b + x + m, t / (alpha + until))


def _discounted(
    m: int,
    r: float,
    alpha: float,
    a: float,
    b: float,
    x: FloatArray,
    until: FloatArray,
    t: Field,
    rate: Field,
) -> FloatArray:
    """Return the same, discounted."""
    seen = alpha + until
    return purchases_ahead.discounted(r + x, a, b + x + m, t / seen, rate * seen)


def _residual(
    m: int, r: Field, alpha: Field, a: Field, b: Field, x: FloatArray, until: FloatArray, rate: Field
) -> FloatArray:
    """Return the same without end; without discount E[1 / p], which exists for a > 1 only."""
    answer = np.full(x.shape, np.inf)
    first = np.broadcast_to(a, x.shape)
    b, rate = b + x + m, rate * (alpha + until)
    exists = (rate == 0.0) & (first > 1.0)
    answer[exists] = (first[exists] - 1.0 + b[exists]) / (first[exists] - 1.0)
    rows = rate > 0.0
    a = a[rows] if isinstance(a, np.ndarray) else a
    answer[rows] = purchases_ahead.residual((r + x)[rows], a, b[rows], rate[rows])
    return answer
