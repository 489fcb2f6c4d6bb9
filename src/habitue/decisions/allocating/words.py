"""What a plan used of each limit, and what there is to know of it, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from habitue.decisions.allocating.problem import Problem
from habitue.decisions.allocating.solving import Solved
from habitue.vocabulary import one_or_many

__all__ = ["sentences_of", "usage_of"]


def usage_of(problem: Problem, solved: Solved) -> pd.DataFrame:
    """Tell what a plan uses of each limit, and what one unit more would gain.

    Parameters
    ----------
    problem : Problem
        With the limits.
    solved : Solved
        The plan.

    Returns
    -------
    DataFrame
        Indexed by the limit's name: kind, used, bound, price, binding. Limits that ask for at least so many
        are told as the number there is and the number asked for.
    """
    used, bounds = problem.used(solved.taken), problem.bounds
    least = np.array(
        [limit.kind == "share" and limit.bound < 0.0 for limit in problem.limits], dtype=np.bool_
    )
    sign = np.where(least, -1.0, 1.0)
    scale = float(np.abs(problem.gain[np.isfinite(problem.gain)]).max(initial=0.0))
    return pd.DataFrame(
        {
            "kind": [limit.kind for limit in problem.limits],
            "used": used * sign + 0.0,
            "bound": bounds * sign + 0.0,
            "price": solved.prices + 0.0,
            "binding": solved.prices > 1e-9 * scale,
        },
        index=pd.Index([limit.name for limit in problem.limits], name="limit", dtype="object"),
    )


def sentences_of(problem: Problem, solved: Solved, limits: pd.DataFrame) -> tuple[str, ...]:
    """Say why nobody is treated, what a lot decided, and what more of the limits would be worth.

    Parameters
    ----------
    problem : Problem
        Of what.
    solved : Solved
        The plan.
    limits : DataFrame
        Of `usage_of`.
    """
    if not solved.taken.any():
        return (_why_nobody(problem),)
    said = [
        _worth_more(str(one["limit"]), str(one["kind"]), float(one["price"]))
        for one in limits.reset_index().to_dict("records")
        if one["binding"]
    ]
    at_a_loss = int((solved.taken & (problem.gain < 0.0)).any(axis=1).sum())
    if at_a_loss:
        said.append(
            f"{one_or_many(at_a_loss, 'customer')} would be treated at a loss, to keep the shares of groups."
        )
    if solved.n_tied:
        said.append(
            f"{one_or_many(solved.n_tied, 'customer')} are alike in all that counts and there is not enough "
            "for all of them; a lot decided."
        )
    return tuple(said)


def _worth_more(name: str, kind: str, price: float) -> str:
    if kind == "budget":
        return f"Another 1 of budget would gain {price:,.2f} net of itself."
    if kind == "share":
        return f"The limit on the {name} costs {price:,.2f} for each customer that it moves."
    return f"One place more within the {name} would gain {price:,.2f}."


def _why_nobody(problem: Problem) -> str:
    possible = np.isfinite(problem.gain)
    if not possible.any():
        return "Nobody is treated: there is no customer to whom an offer may be made."
    worth = problem.gain > 0.0
    if not worth.any():
        return "Nobody is treated: every offer would cost more than it brings, for every customer."
    budget = min((limit.bound for limit in problem.limits if limit.kind == "budget"), default=np.inf)
    cheapest = float(problem.cost[worth].min())
    if cheapest > budget:
        return (
            f"Nobody is treated: the budget of {budget:,.2f} does not pay for the cheapest offer worth "
            f"making, {cheapest:,.2f}."
        )
    closed = [
        limit.name for limit in problem.limits if limit.kind in {"capacity", "channel"} and not limit.bound
    ]
    if closed:
        return f"Nobody is treated: there is no place left ({', '.join(closed)})."
    return "Nobody is treated: no offer worth making fits within the limits."
