"""The part of a problem that is still open, as a linear or integer program for HiGHS.

Most customers' offers are certain once the prices of the limits are nearly known. What is open is small, and
customers who are alike in all that is open are one variable with a count: a million equal customers are no
more work than one, and who of them is treated is a matter of lot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_array, csr_array, hstack, vstack

from habitue.decisions.allocating.problem import Problem
from habitue.decisions.allocating.quiet_solver import off_stdout

__all__ = ["Open", "Relaxed", "Whole", "open_part", "relaxed", "spread", "whole"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Open:
    """What is open, in columns: an offer to one sort of customers.

    Attributes
    ----------
    rows : ndarray of int
        Customers with something open, in order.
    sort : ndarray of int
        The sort of each of them.
    of : ndarray of int, shape (n_columns,)
        The sort of each column.
    offer : ndarray of int, shape (n_columns,)
        The offer of each column.
    gain : ndarray of shape (n_columns,)
        What one offer brings.
    uses : ndarray of shape (n_limits, n_columns)
        What one offer uses of each limit.
    count : ndarray of shape (n_sorts,)
        Customers of each sort.
    room : ndarray of shape (n_sorts,)
        Offers that all customers of a sort may still get together.
    left : ndarray of shape (n_limits,)
        What is left of each bound by the offers that are certain.
    worth : float
        What the certain offers gain.
    """

    rows: IntArray
    sort: IntArray
    of: IntArray
    offer: IntArray
    gain: FloatArray
    uses: FloatArray
    count: FloatArray
    room: FloatArray
    left: FloatArray
    worth: float

    @property
    def counts(self) -> FloatArray:
        """Customers of each column."""
        return self.count[self.of]


class Relaxed(NamedTuple):
    """The optimum where customers may be split."""

    prices: FloatArray
    worth: float
    """Of everything, less the price of what was missing."""
    missing: FloatArray
    """By how much each limit is broken, in its own unit."""


class Whole(NamedTuple):
    """The best plan that was found among whole customers."""

    number: FloatArray | None
    """How many of each column; None where there is no plan within the limits."""
    bound: float
    """No plan that differs only in what is open gains more."""


def open_part(problem: Problem, taken: BoolArray, free: BoolArray) -> Open:
    """Part what is open from what is certain.

    Parameters
    ----------
    problem : Problem
        All of it.
    taken : ndarray of bool, shape (n_customers, n_offers)
        What is offered where it is certain.
    free : ndarray of bool, shape (n_customers, n_offers)
        What is open.
    """
    certain = taken & ~free
    rows = np.flatnonzero(free.any(axis=1))
    sort, first = _sorts(problem, rows, free[rows], certain[rows])
    shown = rows[first]
    of, offer = np.nonzero(free[shown])
    count = np.bincount(sort, minlength=len(first)).astype(np.float64)
    room = (problem.most - certain[shown].sum(axis=1)) * count
    return Open(
        rows,
        sort,
        of,
        offer,
        problem.gain[shown[of], offer],
        problem.uses(shown[of], offer),
        count,
        np.minimum(room, free[shown].sum(axis=1) * count),
        problem.bounds - problem.used(certain),
        problem.worth(certain),
    )


def _sorts(
    problem: Problem, rows: IntArray, free: BoolArray, certain: BoolArray
) -> tuple[IntArray, IntArray]:
    """Return a number for each customer by all that is open of them, and the first customer of each."""
    if not len(rows):
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    by_group = any(limit.table is not None and len(limit.table) > 1 for limit in problem.limits)
    told = np.column_stack(
        [
            np.where(free, problem.gain[rows], np.nan),
            np.where(free, problem.cost[rows], np.nan),
            problem.code[rows] * float(by_group),
            certain.sum(axis=1),
        ]
    )
    bits = np.ascontiguousarray(told + 0.0).view(np.uint64)
    drawn = np.random.default_rng(0).integers(1, 2**63, bits.shape[1], dtype=np.uint64)
    mixed = (bits ^ (bits >> np.uint64(29))) * (drawn | np.uint64(1))
    digest = (mixed ^ (mixed >> np.uint64(32))).sum(axis=1, dtype=np.uint64)
    _, first, sort = np.unique(digest, return_index=True, return_inverse=True)
    if not (bits[first][sort] == bits).all():  # two sorts with one digest: hardly ever
        _, first, sort = np.unique(bits, axis=0, return_index=True, return_inverse=True)
    # In the order of the customers, so that nothing hangs on digests.
    place = np.argsort(np.argsort(first))
    return place[sort.ravel()].astype(np.intp), np.sort(first).astype(np.intp)


def relaxed(part: Open, bounds: FloatArray, *, penalty: float) -> Relaxed:
    """Solve the open part where customers may be split and limits broken at a high price.

    Parameters
    ----------
    part : Open
        What is open.
    bounds : ndarray of shape (n_limits,)
        Of the whole problem; a limit is measured by the largest use of it where its bound is 0.
    penalty : float
        Price of breaking a limit by one customer, in units of the largest gain.

    Returns
    -------
    Relaxed
    """
    scale, most = _scales(part), float(np.abs(part.gain).max(initial=0.0)) or 1.0
    coupled: Any = csr_array(part.uses / scale[:, np.newaxis])
    own: Any = _rooms(part)
    n_limits = len(bounds)
    slack: Any = vstack([-np.eye(n_limits), csr_array((own.shape[0], n_limits))]) if n_limits else None
    left: Any = vstack([coupled, own])
    table: Any = left if slack is None else hstack([left, slack])
    found = cast(
        "Any",
        linprog(
            np.concatenate([-part.gain / most, np.full(n_limits, penalty)]),
            A_ub=csr_array(table) if table.shape[0] else None,
            b_ub=np.concatenate([part.left / scale, part.room[_crowded(part)]]) if table.shape[0] else None,
            bounds=np.column_stack(
                [np.zeros(table.shape[1]), np.concatenate([part.counts, np.full(n_limits, np.inf)])]
            ),
            method="highs",
        ),
    )
    prices = np.maximum(-found.ineqlin.marginals[:n_limits], 0.0) * most / scale if n_limits else np.zeros(0)
    return Relaxed(prices, part.worth - found.fun * most, found.x[len(part.of) :] * scale)


def whole(
    part: Open, left: FloatArray, *, gap: float, near: float, nodes: int, seconds: float | None
) -> Whole:
    """Solve the open part among whole customers.

    Parameters
    ----------
    part : Open
        What is open.
    left : ndarray of shape (n_limits,)
        What is left of each bound.
    gap : float
        Money that a plan may lack of the best one.
    near : float
        About what the best plan gains.
    nodes : int
        Of the search tree, at most.
    seconds : float, optional
        At most.

    Returns
    -------
    Whole
    """
    if not len(part.of):
        fits = bool((left >= -1e-9 * (1.0 + np.abs(left))).all())
        return Whole(np.zeros(0) if fits else None, part.worth)
    scale, most = _scales(part), float(np.abs(part.gain).max(initial=0.0)) or 1.0
    table: Any = csr_array(vstack([csr_array(part.uses / scale[:, np.newaxis]), _rooms(part)]))
    upper = np.concatenate([left / scale, part.room[_crowded(part)]])
    value = max(abs(near - part.worth), 1e-9 * most)  # HiGHS knows nothing of what is certain
    options: dict[str, Any] = {"mip_rel_gap": min(1.0, gap / value), "node_limit": nodes}
    if seconds is not None:
        options["time_limit"] = seconds
    with off_stdout():
        found = cast(
            "Any",
            milp(
                -part.gain / most,
                integrality=np.ones(len(part.of)),
                bounds=cast("Any", Bounds)(0.0, part.counts),
                constraints=[cast("Any", LinearConstraint)(table, -np.inf, upper)]
                if table.shape[0]
                else None,
                options=options,
            ),
        )
    bound = found.mip_dual_bound
    best = np.inf if bound is None or not np.isfinite(bound) else part.worth - bound * most
    return Whole(None if found.x is None else np.round(found.x), float(best))


def _scales(part: Open) -> FloatArray:
    """Return the largest use of each limit, so that all rows are of one size."""
    largest = np.abs(part.uses).max(axis=1, initial=0.0)
    return np.where(largest > 0.0, largest, 1.0)


def _crowded(part: Open) -> BoolArray:
    """Say which sorts could be offered more than they have room for."""
    return np.bincount(part.of, weights=part.counts, minlength=len(part.count)) > part.room


def _rooms(part: Open) -> csr_array:
    """Return the rows that keep each sort within its room."""
    crowded = _crowded(part)
    place = np.cumsum(crowded) - 1
    here = np.flatnonzero(crowded[part.of])
    made = coo_array(
        (np.ones(len(here)), (place[part.of[here]], here)), shape=(int(crowded.sum()), len(part.of))
    )
    return csr_array(made)


def spread(part: Open, number: FloatArray, taken: BoolArray) -> int:
    """Give the offers of each sort to its customers, in their order.

    Parameters
    ----------
    part : Open
        What was open.
    number : ndarray of shape (n_columns,)
        How many of each column.
    taken : ndarray of bool, shape (n_customers, n_offers)
        The plan; offers are added to it.

    Returns
    -------
    int
        Customers who are alike in all that counts and yet are not treated alike.
    """
    order = np.argsort(part.sort, kind="stable")
    start = np.concatenate([[0], np.cumsum(part.count)]).astype(np.intp)
    units = number.astype(np.intp)
    of, offer = np.repeat(part.of, units), np.repeat(part.offer, units)
    # Columns of a sort stand together: the t-th unit of a sort goes to its customer t modulo their number,
    # so that no customer gets one offer twice and none gets more than the room allows.
    made = np.bincount(of, minlength=len(part.count))
    place = np.arange(len(of)) - np.repeat(np.cumsum(made) - made, made)
    member = part.rows[order[start[of] + place % part.count[of].astype(np.intp)]]
    taken[member, offer] = True
    unequal = (number > 0.0) & (number < part.counts)
    return int(part.count[np.unique(part.of[unequal])][part.count[np.unique(part.of[unequal])] > 1.0].sum())
