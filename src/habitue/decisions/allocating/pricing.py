"""What another euro of budget or another place is worth: the prices at which the limits just hold.

The linear relaxation of a million customers and ten offers has ten million variables and a handful of rows
that matter. It is solved on a sample first; at the sample's prices nearly every customer is certain, and only
those in question go into a linear program (column generation). Its prices are tried on everybody; whoever
would choose otherwise joins, until nobody does. Then the relaxation is solved, and its value bounds any plan.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.decisions.allocating.problem import Looked, Problem, look
from habitue.decisions.allocating.restricted import Relaxed, open_part, relaxed

__all__ = ["Priced", "nearest", "price"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_FIRST = 2_000
"""Customers of the first sample."""
_GROWTH = 8
"""How many times larger the next one is."""
_OPEN = 20_000
"""Offers that a linear program begins with."""
_AT_MOST = 200_000
"""Offers that it may grow to; where more would join, the prices were far off and a step is shortened."""
_ROUNDS = 60
_ENOUGH = 1e-4
"""Relative gap that is enough for a sample."""
_DONE = 1e-9


class Priced(NamedTuple):
    """The linear relaxation, solved."""

    prices: FloatArray
    looked: Looked
    """At these prices."""
    worth: float
    """Of the relaxation: what the linear program reached."""
    missing: FloatArray
    """By how much each limit is broken, however customers are split."""

    @property
    def gap(self) -> float:
        """Between the bound and what was reached, relative."""
        return (self.looked.bound - self.worth) / max(1.0, abs(self.looked.bound))


def price(problem: Problem, *, penalty: float) -> Priced:
    """Find the prices of the limits.

    Parameters
    ----------
    problem : Problem
        Customers in an order that has nothing to do with them: the first are a sample of all.
    penalty : float
        Price of breaking a limit by one customer, in units of the largest gain.

    Returns
    -------
    Priced
    """
    n = len(problem.gain)
    prices = np.zeros(len(problem.limits))
    size = _FIRST
    while size * 2 < n:
        prices = _generate(problem.first(size), prices, penalty=penalty, enough=_ENOUGH).prices
        size *= _GROWTH
    return _generate(problem, prices, penalty=penalty, enough=_DONE)


def nearest(problem: Problem, looked: Looked, most: int) -> BoolArray:
    """Pick the offers that are nearest to being chosen otherwise.

    Parameters
    ----------
    problem : Problem
        Of what.
    looked : Looked
        At some prices.
    most : int
        About how many; what is as near as the last of them belongs to them, unless that makes too many sorts
        of customers.

    Returns
    -------
    ndarray of bool, shape (n_customers, n_offers)
    """
    margin = looked.margin
    possible = np.isfinite(margin)
    if margin.size <= most:
        return possible
    limit = np.partition(margin, most, axis=None)[most]
    near = (margin <= limit) & possible
    if _fits(problem, looked.taken, near, 2 * most):
        return near
    near = (margin < limit) & possible
    equal = np.flatnonzero(((margin == limit) & possible).ravel())[: max(0, most - int(near.sum()))]
    near.ravel()[equal] = True
    return near


def _fits(problem: Problem, taken: BoolArray, free: BoolArray, most: int) -> bool:
    """Say whether so many offers can be open: customers who are alike count once."""
    return int(free.sum()) <= most or len(open_part(problem, taken, free).of) <= most


def _generate(problem: Problem, prices: FloatArray, *, penalty: float, enough: float) -> Priced:
    """Solve the linear relaxation by column generation, beginning from some prices."""
    best = look(problem, prices)
    best_prices = prices
    taken, free = best.taken, nearest(problem, best, _OPEN)
    found = Priced(prices, best, -np.inf, np.zeros(len(prices)))
    if not len(prices):
        return found._replace(worth=best.bound)
    for _ in range(_ROUNDS):
        solved = relaxed(open_part(problem, taken, free), problem.bounds, penalty=penalty)
        seen = look(problem, solved.prices)
        if seen.bound < best.bound:
            best, best_prices = seen, solved.prices
        found = Priced(best_prices, best, max(found.worth, solved.worth), solved.missing)
        joining = (seen.taken != taken) & ~free
        if found.gap <= enough or not joining.any():
            break
        if not _fits(problem, taken, free | joining, _AT_MOST):
            best_prices, best = _step(problem, best_prices, best, solved)
            taken, free = best.taken, nearest(problem, best, _OPEN)
            found = found._replace(worth=-np.inf)
        else:
            free = free | joining
    return found


def _step(problem: Problem, prices: FloatArray, best: Looked, solved: Relaxed) -> tuple[FloatArray, Looked]:
    """Go from the best prices part of the way to others, as far as the bound falls."""
    for part in (0.5, 0.25, 0.1, 0.03, 0.01):
        tried = prices + part * (solved.prices - prices)
        seen = look(problem, tried)
        if seen.bound < best.bound:
            return tried, seen
    return prices, best
