"""From prices to a plan: whole customers, how far it may be from the best, and why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.decisions.allocating.pricing import Priced, nearest, price
from habitue.decisions.allocating.problem import Looked, Problem
from habitue.decisions.allocating.restricted import Open, open_part, spread, whole
from habitue.errors import SettingsError

__all__ = ["Solved", "solve"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_STAGES = ((1_000, 100), (4_000, 200), (16_000, 50))
"""Offers that an integer program decides on, and nodes of its search tree: at first, and where that was not
enough. The first node mostly finds a plan within a customer's gain of the bound; what is left is not worth
a search."""
_SMALL = 20_000
"""Nodes where all offers are decided on at once: small problems are solved to the end."""
_PENALTIES = (1e2, 1e5)
"""Prices of breaking a limit by one customer, in units of the largest gain: the second where one was broken
at the first."""
_ROUNDING = 1e-9


class Effort(NamedTuple):
    """How far a search among whole customers goes."""

    gap: float
    """Money that a plan may lack of the best one."""
    nodes: int
    """Of the search tree, at most."""
    seconds: float | None
    """At most."""


@dataclass(frozen=True)
class Solved:
    """A plan and how good it is.

    Attributes
    ----------
    taken : ndarray of bool, shape (n_customers, n_offers)
        The plan.
    objective, bound : float
        What it gains, and what none exceeds.
    prices : ndarray of shape (n_limits,)
        Of the linear relaxation.
    n_tied : int
        Customers alike who are not treated alike.
    """

    taken: BoolArray
    objective: float
    bound: float
    prices: FloatArray
    n_tied: int


def solve(problem: Problem, *, tolerance: float, seconds: float | None) -> Solved:
    """Find the best plan.

    Parameters
    ----------
    problem : Problem
        Customers in an order by lot.
    tolerance : float
        Share of the bound that the plan may lack.
    seconds : float, optional
        For each search among whole customers.

    Raises
    ------
    SettingsError
        Where limits cannot be met together.
    """
    priced = _priced(problem)
    best: Solved | None = None
    allowed = tolerance * abs(priced.looked.bound)
    stages = list(_STAGES)
    while stages:
        most, nodes = stages.pop(0)
        found, closed = _whole(problem, priced, most, best, Effort(allowed, nodes, seconds))
        best = _better(best, found)
        if best is not None and best.bound - best.objective <= allowed:
            break
        if closed:  # no more offers could matter: they are searched to the end
            stages = [(most, _SMALL)] if nodes < _SMALL else []
    if best is None:
        raise SettingsError(
            "The limits can be met by parts of customers only, not by whole ones; loosen a limit of fairness "
            "by the share of one customer."
        )
    return best


def _better(best: Solved | None, found: Solved | None) -> Solved | None:
    """Return the better plan of two, with the lower bound."""
    if best is None or found is None:
        return best or found
    better = found if found.objective > best.objective else best
    return replace(better, bound=max(min(best.bound, found.bound), better.objective))


def _priced(problem: Problem) -> Priced:
    """Solve the relaxation; where a limit is broken at a high price, find out whether it has to be."""
    priced = price(problem, penalty=_PENALTIES[0])
    if _is_met(problem, priced):
        return priced
    nothing = replace(problem, gain=np.where(np.isfinite(problem.gain), 0.0, -np.inf))
    feasible = price(nothing, penalty=1.0)
    if not _is_met(problem, feasible):
        raise SettingsError(_cannot_be_met(problem, feasible))
    return price(problem, penalty=_PENALTIES[1])


def _is_met(problem: Problem, priced: Priced) -> bool:
    return bool((priced.missing <= 1e-6 * (1.0 + np.abs(problem.bounds))).all())


def _cannot_be_met(problem: Problem, priced: Priced) -> str:
    """Say which limit cannot be met, and the least change that would do."""
    broken = int(np.argmax(priced.missing / (1.0 + np.abs(problem.bounds))))
    shares = ", ".join(limit.name for limit in problem.limits if limit.kind == "share" and limit.bound < 0.0)
    missing, limit = priced.missing[broken], problem.limits[broken]
    said = f"The limits cannot be met together: {shares} cannot be kept within the other limits"
    said += f"; {limit.name} is short by {missing:,.2f}" + ("" if limit.kind == "budget" else " customers")
    least = _least_budget(problem)
    if least is not None:
        return f"{said}. Raise the budget to at least {least:,.2f}, or lower the share."
    if limit.kind == "share" and limit.bound < 0.0:
        reached = (
            f"; at most {-limit.bound - missing:,.0f} of the {-limit.bound:,.0f} customers can be treated"
        )
        return f"{said}{reached}. Lower the share by that, or raise a capacity."
    return f"{said}. Raise it by that, or lower the share."


def _least_budget(problem: Problem) -> float | None:
    """Return the least budget with which the other limits can be met; None where no budget would do."""
    kept = tuple(limit for limit in problem.limits if limit.kind != "budget")
    if len(kept) == len(problem.limits):
        return None
    cheapest = replace(problem, limits=kept, gain=np.where(np.isfinite(problem.gain), -problem.cost, -np.inf))
    priced = price(cheapest, penalty=_PENALTIES[1])
    return max(0.0, -priced.looked.bound) if _is_met(cheapest, priced) else None


def _whole(
    problem: Problem,
    priced: Priced,
    most: int,
    best: Solved | None,
    effort: Effort,
) -> tuple[Solved | None, bool]:
    """Decide on the offers nearest to being chosen otherwise; say whether no other could matter."""
    looked = priced.looked
    free = nearest(problem, looked, most)
    part = open_part(problem, looked.taken, free)
    taken, n_tied, within = _within_limits(problem, looked, free, part, effort)
    if taken is None:
        return None, bool((free == np.isfinite(looked.margin)).all())
    objective = problem.worth(taken)
    gap = looked.bound - max(objective, best.objective if best else -np.inf)
    outside = np.where(free, np.inf, looked.margin).min(initial=np.inf)
    # A plan that differs in an offer outside gains no more than the bound less that offer's margin.
    certain = bool(outside > gap)
    elsewhere = objective if certain else looked.bound - max(0.0, float(outside))
    bound = min(looked.bound, max(within, elsewhere))
    return Solved(taken, objective, bound, priced.prices, n_tied), certain


def _within_limits(
    problem: Problem, looked: Looked, free: BoolArray, part: Open, effort: Effort
) -> tuple[BoolArray | None, int, float]:
    """Solve the open part until the plan keeps every limit to the last cent, whatever the solver forgives."""
    certain, left = looked.taken & ~free, part.left.copy()
    bounds = problem.bounds
    within = np.inf
    for _ in range(5):
        found = whole(part, left, near=looked.bound, **effort._asdict())
        within = min(within, found.bound)
        if found.number is None:
            return None, 0, within
        taken = certain.copy()
        n_tied = spread(part, found.number, taken)
        over = problem.used(taken) - bounds
        broken = over > _ROUNDING * (1.0 + np.abs(bounds))
        if not broken.any():
            return taken, n_tied, within if np.isfinite(within) else problem.worth(taken) + effort.gap
        left = np.where(broken, left - 2.0 * over, left)
    return None, 0, within
