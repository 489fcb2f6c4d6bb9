"""The problem of who gets which offer, and what its limits leave of a gain once each has its price.

Customers and offers are held together by few limits: one budget, a capacity for some offers and channels,
some shares of groups. With a price on each limit every customer can be looked at alone (Lagrangian
relaxation), and that is what makes a million of them easy: see `habitue.decisions.allocating.pricing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.many_rows import blocks

__all__ = ["Limit", "Looked", "Problem", "look"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

_AT_ONCE = 65_536
"""Customers looked at together: what is worked with stays in the processor's caches."""


@dataclass(frozen=True)
class Limit:
    """One limit: what the offers made use of it is at most its bound.

    Attributes
    ----------
    name : str
        In words, such as ``"budget"`` or ``"capacity of gift"``.
    kind : str
        budget, capacity, channel or share.
    bound : float
        In money for the budget, else in offers made.
    table : ndarray of shape (n_codes, n_offers), optional
        What an offer to a customer of each group uses; its cost where None.
    """

    name: str
    kind: str
    bound: float
    table: FloatArray | None = None


@dataclass(frozen=True)
class Problem:
    """Who may get what, what it brings, and what limits it.

    Attributes
    ----------
    gain : ndarray of shape (n_customers, n_offers)
        Money; -inf where an offer may not be made.
    cost : ndarray of shape (n_customers, n_offers)
        Money, 0 or more; it may be a view that repeats one row.
    code : ndarray of int, shape (n_customers,)
        The group of each customer.
    limits : tuple of Limit
        What holds customers together.
    most : int
        Offers a customer.
    """

    gain: FloatArray
    cost: FloatArray
    code: IntArray
    limits: tuple[Limit, ...]
    most: int

    @property
    def bounds(self) -> FloatArray:
        """Of each limit."""
        return np.array([limit.bound for limit in self.limits], dtype=np.float64)

    def first(self, n: int) -> Problem:
        """Return the problem of the first customers, with their part of each bound.

        Parameters
        ----------
        n : int
            How many.
        """
        share = n / len(self.gain)
        limits = tuple(replace(limit, bound=limit.bound * share) for limit in self.limits)
        return replace(self, gain=self.gain[:n], cost=self.cost[:n], code=self.code[:n], limits=limits)

    def uses(self, rows: IntArray, offers: IntArray) -> FloatArray:
        """Return what some offers to some customers use of each limit.

        Parameters
        ----------
        rows, offers : ndarray of int, shape (k,)
            Customers and offers, pairwise.

        Returns
        -------
        ndarray of shape (n_limits, k)
        """
        used = np.empty((len(self.limits), len(rows)))
        for place, limit in enumerate(self.limits):
            if limit.table is None:
                used[place] = self.cost[rows, offers]
            else:
                used[place] = limit.table[self.code[rows], offers]
        return used

    def used(self, taken: BoolArray) -> FloatArray:
        """Return what a plan uses of each limit.

        Parameters
        ----------
        taken : ndarray of bool, shape (n_customers, n_offers)
            Which offers are made.
        """
        rows, offers = np.nonzero(taken)
        total = np.zeros(len(self.limits))
        for place, limit in enumerate(self.limits):
            if limit.table is None:
                total[place] = self.cost[rows, offers].sum()
            else:
                total[place] = limit.table[self.code[rows], offers].sum()
        return total

    def worth(self, taken: BoolArray) -> float:
        """Return what a plan gains.

        Parameters
        ----------
        taken : ndarray of bool, shape (n_customers, n_offers)
            Which offers are made.
        """
        return float(self.gain[taken].sum())

    def net_of(self, prices: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """Yield gains less the price of what each offer uses, in parts.

        Parameters
        ----------
        prices : ndarray of shape (n_limits,)
            Of one unit of each limit, 0 or more.
        """
        of_cost = sum(price for price, limit in zip(prices, self.limits, strict=True) if limit.table is None)
        tables = [
            price * limit.table
            for price, limit in zip(prices, self.limits, strict=True)
            if limit.table is not None and price
        ]
        toll = np.sum(tables, axis=0) if tables else None
        for rows in blocks(len(self.gain), _AT_ONCE):
            net = self.gain[rows] - of_cost * self.cost[rows] if of_cost else self.gain[rows].copy()
            if toll is not None:
                net -= toll[self.code[rows]]
            yield rows, net


class Looked(NamedTuple):
    """What every customer, looked at alone, would be offered at some prices."""

    taken: BoolArray
    """Shape (n_customers, n_offers)."""
    margin: npt.NDArray[np.float32]
    """By how much an offer's net gain would have to change before it is taken, or no longer."""
    bound: float
    """No plan within the limits gains more."""


def look(problem: Problem, prices: FloatArray) -> Looked:
    r"""Let each customer take the best at given prices.

    Parameters
    ----------
    problem : Problem
        Who may get what.
    prices : ndarray of shape (n_limits,)
        Of one unit of each limit, 0 or more.

    Returns
    -------
    Looked

    Notes
    -----
    The Lagrangian dual: for prices :math:`\lambda \ge 0`,

    .. math:: D(\lambda) = \lambda^\top b + \sum_i \max_{S \subseteq offers, |S| \le k}
              \sum_{j \in S} (g_{ij} - \lambda^\top a_{ij})

    bounds what any plan gains, and its minimum is that of the linear relaxation.
    """
    taken = np.zeros(problem.gain.shape, dtype=np.bool_)
    margin = np.empty(problem.gain.shape, dtype=np.float32)
    total = float(prices @ problem.bounds) if len(prices) else 0.0
    for rows, net in problem.net_of(prices):
        total += _choose(net, problem.most, taken[rows], margin[rows])
    return Looked(taken, margin, total)


def _choose(net: FloatArray, most: int, taken: BoolArray, margin: npt.NDArray[np.float32]) -> float:
    """Fill in what is taken and by what margin; return what it is worth."""
    n, m = net.shape
    if most >= m:
        taken[:] = net > 0.0
        margin[:] = np.abs(net)
        return float(net[taken].sum())
    order = np.argpartition(-net, most, axis=1)
    every = np.arange(n)
    best = order[:, :most]
    values = np.take_along_axis(net, best, axis=1)
    last = np.maximum(values.min(axis=1), 0.0)
    after = np.maximum(net[every, order[:, most]], 0.0)
    margin[:] = last[:, np.newaxis] - net
    np.put_along_axis(margin, best, (values - after[:, np.newaxis]).astype(np.float32), axis=1)
    positive = values > 0.0
    np.put_along_axis(taken, best, positive, axis=1)
    # Among the best and not worth taking: it would have to rise to 0.
    below = np.nonzero(~positive)
    margin[below[0], best[below]] = -values[below]
    return float(values[positive].sum())
