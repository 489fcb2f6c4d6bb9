"""Which customer gets which offer, where there is not enough for all.

Expected gains say what each offer to each customer brings; a budget, capacities and limits of fairness say
what may be done. `allocate` finds the plan that gains most, tells how far from the best possible it can be at
most, and what another euro or another place would be worth. It does not say what offers gain: that is
`habitue.decisions.gains`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.decisions.allocating.door import Asked, asked
from habitue.decisions.allocating.solving import Solved, solve
from habitue.decisions.allocating.words import sentences_of, usage_of
from habitue.decisions.fairness_limits import FairnessLimit

__all__ = ["Allocation", "allocate"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Allocation:
    """A plan: who gets which offer, what it gains and what limits it.

    Attributes
    ----------
    taken : ndarray of bool, shape (n_customers, n_offers)
        Whether each offer is made to each customer.
    chosen : ndarray of int, shape (n_customers,)
        Place of the customer's offer, the one of the highest gain where there are several; -1 for none.
    offers : tuple of str
        Names of the offers.
    customers : Index
        Customers, in the order that they were handed in.
    objective : float
        Money that the plan gains.
    bound : float
        No plan within the limits gains more.
    status : str
        ``"optimal"`` where the gap is within the tolerance, else ``"within the gap"``.
    limits : DataFrame
        One row a limit, indexed by its name: used, bound, price (money that one unit more would gain, of the
        linear relaxation) and whether it is binding.
    n_tied : int
        Customers who are alike in all that counts and yet not treated alike: a lot decided.
    sentences : tuple of str
        What there is to know, such as why nobody is treated.
    """

    taken: BoolArray = field(repr=False)
    chosen: IntArray = field(repr=False)
    offers: tuple[str, ...]
    customers: pd.Index = field(repr=False)
    objective: float
    bound: float
    status: str
    limits: pd.DataFrame = field(repr=False)
    n_tied: int
    sentences: tuple[str, ...]

    @property
    def gap(self) -> float:
        """What the plan may lack of the best one, as a share of the bound."""
        return max(0.0, self.bound - self.objective) / abs(self.bound) if self.bound else 0.0

    @property
    def n_treated(self) -> int:
        """Customers who get an offer."""
        return int((self.chosen >= 0).sum())

    @property
    def prices(self) -> pd.Series:
        """What one unit more of each limit would gain, in money."""
        return pd.Series(self.limits["price"])

    @property
    def binding(self) -> list[str]:
        """Names of the limits that cost something."""
        return [str(name) for name in self.limits.index[self.limits["binding"].to_numpy(dtype=np.bool_)]]

    def frame(self) -> pd.DataFrame:
        """Return the plan as a table: one row an offer made, customer_id and offer."""
        rows, offers = np.nonzero(self.taken)
        return pd.DataFrame(
            {"customer_id": self.customers[rows], "offer": np.array(self.offers, dtype=object)[offers]}
        )


def allocate(
    gain: pd.DataFrame | npt.ArrayLike,
    cost: pd.DataFrame | npt.ArrayLike,
    *,
    budget: float | None = None,
    capacity: Mapping[str, float] | npt.ArrayLike | None = None,
    channels: Sequence[str] | None = None,
    channel_capacity: Mapping[str, float] | None = None,
    eligible: pd.DataFrame | npt.ArrayLike | None = None,
    max_per_customer: int = 1,
    groups: Mapping[str, npt.ArrayLike] | pd.DataFrame | None = None,
    fairness: Sequence[FairnessLimit] = (),
    tolerance: float = 1e-5,
    time_limit: float | None = 20.0,
    random_state: int = 0,
) -> Allocation:
    r"""Decide who gets which offer, so that the plan gains most within its limits.

    Parameters
    ----------
    gain : DataFrame or array_like of shape (n_customers, n_offers)
        Expected gain of each offer to each customer in money, its cost taken off already. NaN or -inf where
        the offer may not be made. A DataFrame names customers by its index and offers by its columns.
    cost : DataFrame or array_like of shape (n_customers, n_offers) or (n_offers,)
        What each offer takes out of the budget, in money, 0 or more.
    budget : float, optional
        Money in all; not limited where None.
    capacity : mapping of offer to number, or array_like of shape (n_offers,), optional
        How often each offer can be made; NaN or not named is not limited.
    channels : sequence of str, shape (n_offers,), optional
        The channel of each offer.
    channel_capacity : mapping of channel to number, optional
        How many offers go through each channel.
    eligible : DataFrame or array_like of bool, shape (n_customers, n_offers) or (n_customers,), optional
        Who may get what; everybody where None.
    max_per_customer : int
        Offers a customer, 1 or more.
    groups : mapping of str to array_like of shape (n_customers,), or DataFrame, optional
        Attributes that limits of fairness speak of. They are used for nothing else.
    fairness : sequence of FairnessLimit
        Limits on shares of groups.
    tolerance : float
        Share of the bound that the plan may lack; 0 asks for the best plan of all, and may take long.
    time_limit : float, optional
        Seconds for each of at most three searches among whole customers, beyond which the best plan found
        counts. Where it is reached the same call may give another plan on another machine.
    random_state : int
        Of the lot that decides among customers who are alike.

    Returns
    -------
    Allocation

    Raises
    ------
    DataError
        Where tables are not of the same customers and offers, or costs are negative or missing.
    SettingsError
        Where a limit is impossible, or limits cannot be met together; the sentence tells the least change.

    Notes
    -----
    .. math:: \max \sum_{ij} g_{ij} x_{ij} \quad \text{s.t.} \quad \sum_j x_{ij} \le k, \;
              \sum_{ij} a_{rij} x_{ij} \le b_r, \; x_{ij} \in \{0, 1\}

    a multiple-choice knapsack with a handful of limits r. Its linear relaxation splits at most as many
    customers as there are limits (Sinha and Zoltners, 1979), so the gap of rounding is of the size of a few
    customers and vanishes in a large base. The relaxation is solved by column generation with HiGHS. Then
    whole customers: whoever's choice is certain at the prices by more than the gap cannot be otherwise in any
    better plan (reduced-cost fixing), and HiGHS decides on the rest.

    Customers are put in an order by lot first, by their names where a DataFrame gives them: the order of rows
    changes nothing then, and no customer gains by standing first in a file.

    References
    ----------
    Sinha, P. and Zoltners, A. A. (1979). The multiple-choice knapsack problem. Operations Research 27(3),
    503-515.

    Huangfu, Q. and Hall, J. A. J. (2018). Parallelizing the dual revised simplex method. Mathematical
    Programming Computation 10, 119-142: HiGHS.

    Examples
    --------
    >>> gain = pd.DataFrame({"call": [9.0, 4.0, 6.0], "points": [5.0, 3.0, -1.0]})
    >>> gain.index = ["ann", "bob", "eve"]
    >>> plan = allocate(gain, {"call": 5.0, "points": 1.0}, budget=7.0)
    >>> plan.frame()
      customer_id   offer
    0         ann  points
    1         bob  points
    2         eve    call
    >>> plan.objective, plan.bound, plan.binding
    (14.0, 14.0, ['budget'])
    """
    question = asked(
        gain,
        cost,
        budget=budget,
        capacity=capacity,
        channels=channels,
        channel_capacity=channel_capacity,
        eligible=eligible,
        max_per_customer=max_per_customer,
        groups=groups,
        fairness=fairness,
        random_state=random_state,
    )
    solved = solve(question.problem, tolerance=tolerance, seconds=time_limit)
    return _answer(question, solved, tolerance)


def _answer(question: Asked, solved: Solved, tolerance: float) -> Allocation:
    """Put the plan back into the order of the customers."""
    problem = question.problem
    there = np.where(solved.taken, problem.gain, -np.inf)
    best = np.where(solved.taken.any(axis=1), there.argmax(axis=1), -1)
    chosen = np.empty(len(best), dtype=np.intp)
    chosen[question.order] = best
    taken = np.empty_like(solved.taken)
    taken[question.order] = solved.taken
    limits = usage_of(problem, solved)
    facts: dict[str, Any] = {
        "taken": taken,
        "chosen": chosen,
        "offers": question.offers,
        "customers": question.customers,
        "objective": solved.objective,
        "bound": max(solved.bound, solved.objective),
    }
    done = solved.bound - solved.objective <= tolerance * max(abs(solved.bound), 1e-12)
    return Allocation(
        **facts,
        status="optimal" if done else "within the gap",
        limits=limits,
        n_tied=solved.n_tied,
        sentences=sentences_of(problem, solved, limits),
    )
