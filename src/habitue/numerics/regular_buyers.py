r"""What BG/CNBD-k and MBG/CNBD-k expect of customers with a history: both halves of the model put together.

:mod:`habitue.numerics.erlang_gaps` tells, from a history, whether a customer is still there and how far his
running gap has got; :mod:`habitue.numerics.erlang_ahead` tells what he will buy if so. The means here are
sums over the two. What he will buy depends on x and T but not on t_x, so it is worked out once for each
distinct (x, T). Each function is documented in :mod:`habitue.numerics.bgcnbdk` and
:mod:`habitue.numerics.mbgcnbdk`. Nothing is checked.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from habitue.numerics import erlang_ahead, erlang_gaps
from habitue.numerics.arrays import FloatArray
from habitue.numerics.erlang_gaps import Customers, Fields
from habitue.numerics.purchases import Purchases

__all__ = [
    "discounted_purchases",
    "expected_purchases",
    "purchase_pmf",
    "residual_transactions",
    "simulate",
]

_MOST_EVENTS = 1e18  # numpy draws no larger Poisson numbers


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
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
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
    known, (ahead,) = erlang_gaps.customers(params, frequency, recency, T, t)
    k = int(params[0])

    def mean(s: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray, t: FloatArray) -> FloatArray:
        return erlang_ahead.purchases(k, s, a, b, t / c)

    return _mean_over_stages(mean, params, m, known, ahead)


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
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
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
    known, (ahead, rate) = erlang_gaps.customers(params, frequency, recency, T, t, discount_rate)
    k = int(params[0])

    def mean(
        s: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray, t: FloatArray, rate: FloatArray
    ) -> FloatArray:
        return erlang_ahead.discounted(k, s, a, b, t / c, rate * c)

    return _mean_over_stages(mean, params, m, known, ahead, rate)


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
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
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
    known, (rate,) = erlang_gaps.customers(params, frequency, recency, T, discount_rate)
    k = int(params[0])

    def mean(s: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray, rate: FloatArray) -> FloatArray:
        # Without discount he buys until he leaves, E[1 / p] times; that may be without end.
        ends = a > 1.0
        answer = np.where(ends, (a + b - 1.0) / np.where(ends, a - 1.0, 1.0), np.inf)
        answer = np.repeat(answer[None], k, axis=0)
        rows = np.flatnonzero(rate > 0.0)
        answer[:, rows] = erlang_ahead.residual(k, s[rows], a[rows], b[rows], (rate * c)[rows])
        return answer

    return _mean_over_stages(mean, params, m, known, rate)


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
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
    m : {0, 1}
        Chances to leave at the first purchase.
    frequency, recency, T : array_like
        Histories.
    t : array_like
        Length of the time ahead, >= 0.
    n : array_like
        Whole numbers >= 0.

    Returns
    -------
    ndarray
        One a customer.
    """
    known, (ahead, count) = erlang_gaps.customers(params, frequency, recency, T, t, n)
    k = int(params[0])

    def mean(
        s: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray, t: FloatArray, n: FloatArray
    ) -> FloatArray:
        return np.where(t > 0.0, erlang_ahead.pmf(k, s, a, b, t / c, np.maximum(n, 1.0)), 0.0)

    some = _mean_over_stages(mean, params, m, known, ahead, count)
    none = erlang_gaps.p_no_purchase(params, m, frequency, recency, T, ahead)
    return np.where(count > 0.0, some, none)


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
    params : tuple
        k, a whole number, and r, alpha, a, b, numbers or arrays.
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
        Of customers in the order of the broadcast histories.

    Notes
    -----
    Stage, rate and probability to leave are drawn first, then how many events the time ahead holds and after
    which purchase he leaves.
    """
    draw, k = random_state, int(params[0])
    known, (ahead,) = erlang_gaps.customers(params, frequency, recency, T, t)
    alive, shares = erlang_gaps.stages(params, m, known)
    here = draw.random(known.x.size) < alive.reshape(-1)
    s, a, b, c, until, ahead = _flat(known, m, k, known.T, ahead)
    below = np.cumsum(shares.reshape(k, -1)[:-1], axis=0)
    stage = (draw.random(s.size) > below).sum(axis=0)
    events = draw.poisson(np.minimum(draw.gamma(s + stage) / c * ahead, _MOST_EVENTS))
    wanted = np.where(here, (stage + events) // k, 0)
    # Staying through n chances has probability (1 - p)^n = e^(-n hazard): leave at the first beyond patience.
    hazard = -np.log1p(-np.minimum(draw.beta(a, b), 1.0 - 2.0**-53))
    patience = draw.exponential(size=s.size)
    leaves = here & (patience < wanted * hazard)
    made = wanted.copy()
    made[leaves] = np.minimum(np.floor(patience[leaves] / hazard[leaves]) + 1.0, wanted[leaves])
    customer, time = _times(made, events, stage, k, draw)
    return Purchases(customer, until[customer] + ahead[customer] * time, here & ~leaves)


def _times(
    made: npt.NDArray[np.int64],
    events: npt.NDArray[np.int64],
    stage: npt.NDArray[np.intp],
    k: int,
    draw: np.random.Generator,
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Return who buys and when, as a share of the time ahead.

    Of M events, uniform in (0, 1), the i-th smallest is the sum of i out of M + 1 exponential spacings over
    the sum of all. Only those between purchases are drawn, k at a time, and those after the last at once.
    """
    customer = np.repeat(np.arange(made.size), made)
    begins = np.cumsum(made) - made
    gaps = np.full(customer.size, float(k))
    gaps[begins[made > 0]] -= stage[made > 0]
    spent = draw.gamma(gaps)
    rest = draw.gamma(np.maximum(events - (k * made - stage) + 1.0, 1.0))
    total = np.bincount(customer, weights=spent, minlength=made.size) + rest
    # Each customer adds at most one to the running sum, so that little is lost when it is taken off again.
    running = np.cumsum(spent / total[customer])
    before = np.concatenate([[0.0], running])[begins]
    return customer, np.clip(running - before[customer], 0.0, 1.0)


def _flat(known: Customers, m: int, k: int, *others: FloatArray) -> tuple[FloatArray, ...]:
    """Return what lies ahead in columns: s, a, b after all chances so far, the time looked at, the others."""
    columns = np.broadcast_arrays(
        known.r + k * known.x, known.a, known.b + (known.x + m), known.alpha + known.T, *others
    )
    return tuple(column.reshape(-1) for column in columns)


def _mean_over_stages(
    mean: Callable[..., FloatArray], params: Fields, m: int, known: Customers, *others: FloatArray
) -> FloatArray:
    """Return P(alive) times the mean over stages of what is expected in each, once for distinct rows."""
    alive, shares = erlang_gaps.stages(params, m, known)
    k = int(params[0])
    columns = _flat(known, m, k, *others)
    order = np.lexsort((columns[-1], columns[3], columns[0]))
    changed = np.zeros(order.size, dtype=np.bool_)
    changed[:1] = True
    for column in columns:
        changed[1:] |= np.diff(column[order]) != 0.0
    which = np.empty(order.size, dtype=np.intp)
    which[order] = np.cumsum(changed) - 1
    expected = mean(*(column[order[changed]] for column in columns))[:, which].reshape(shares.shape)
    return alive * (shares * expected).sum(axis=0)
