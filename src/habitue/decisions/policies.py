"""Ways to choose whom to contact, told of the same assumptions: what the choice itself is worth.

The chosen plan is set against contacting nobody, everybody, as many at random, and as many by churn risk or
by value, the usual mistakes. All are judged on the same draws of the assumptions, so that differences are
surer than the profits themselves. No outcome is looked at: where a trial was made, `habitue.evaluation` tells
what policies earned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.decisions.assumptions import Assumptions
from habitue.decisions.gains import Gains
from habitue.decisions.measured_effects import Measured
from habitue.decisions.plans import as_plan, plan_profits, profit_of
from habitue.decisions.value_at_stake import Stakes
from habitue.errors import SettingsError

__all__ = ["POLICIES", "compare_policies"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

POLICIES: Final[Mapping[str, str]] = {
    "chosen": "The plan as it was chosen, within its limits.",
    "none": "Nobody is contacted.",
    "all": "Everybody who may have an offer gets their best one.",
    "random": "As many as in the plan, chosen at random; the mean over all such choices.",
    "by churn risk": "As many as in the plan, those likeliest to leave.",
    "by value": "As many as in the plan, those with the highest value ahead.",
    "by expected gain": "As many as in the plan, those with the highest expected gain, whatever the limits.",
}
"""Each policy, in one sentence."""


def compare_policies(
    stakes: Stakes,
    assumptions: Assumptions,
    gains: Gains,
    chosen: npt.ArrayLike,
    *,
    measured: dict[str, Measured] | None = None,
    interval: float = 0.8,
) -> pd.DataFrame:
    """Return what each policy earns, and what the chosen plan earns more.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    gains : Gains
        Of these customers and offers; says who may have what, and which offer suits whom best.
    chosen : array_like of int of shape (n_customers,)
        Position of each customer's offer; -1 for none.
    measured : dict of str to Measured, optional
        Effects that take the place of the assumptions, by offer.
    interval : float, default 0.8
        Of profits and differences, in (0, 1).

    Returns
    -------
    DataFrame of shape (7, 10)
        One row for each of `POLICIES`: policy, n (contacted), cost (expected), profit, lower, upper, p_loss,
        behind (what the chosen plan earns more), behind_lower, behind_upper; money is margin within the
        horizon.

    Raises
    ------
    DataError
        Where the plan is not of these customers and offers.
    SettingsError
        Where the plan makes an offer to somebody who may not have it, or the interval is none.

    Notes
    -----
    Every policy but the chosen makes each customer their best offer by expected gain, so that only whom they
    choose differs. Limits such as budgets bind only the chosen plan: one that stays behind
    "by expected gain" pays for its limits.

    References
    ----------
    Ascarza (2018), Retention futility: targeting high-risk customers might be ineffective, Journal of
    Marketing Research 55(1), on choosing by churn risk.
    """
    plan = as_plan(chosen, n_customers=len(stakes), n_offers=len(assumptions.offers))
    _refuse_not_eligible(plan, gains)
    plans = _plans(stakes, gains, plan)
    drawn = {name: plan_profits(stakes, assumptions, one, measured=measured) for name, one in plans.items()}
    n, n_all = int((plan >= 0).sum()), int((plans["all"] >= 0).sum())
    part = n / n_all if n_all else 0.0
    drawn["random"] = part * drawn["all"]
    costs = {name: _cost(one, gains) for name, one in plans.items()}
    costs["random"] = part * costs["all"]
    sizes = {name: int((one >= 0).sum()) for name, one in plans.items()} | {"random": n}
    rows = [_row(name, sizes[name], costs[name], drawn[name], drawn["chosen"], interval) for name in POLICIES]
    return pd.DataFrame(rows)


def _plans(stakes: Stakes, gains: Gains, plan: IntArray) -> dict[str, IntArray]:
    """Return every policy that is one plan."""
    best = gains.best()
    most = np.nan_to_num(gains.expected.to_numpy(), nan=-np.inf).max(axis=1)
    n = int((plan >= 0).sum())
    orders = {"by churn risk": stakes.p_leave, "by value": stakes.clv, "by expected gain": most}
    nobody = np.full_like(best, -1)
    return {
        "chosen": plan,
        "none": nobody,
        "all": best,
        **{name: _first(best, order, n) for name, order in orders.items()},
    }


def _first(best: IntArray, order: FloatArray, n: int) -> IntArray:
    """Return a plan of the first so many by an order, of those who may have something."""
    ranked = np.argsort(np.where(best >= 0, -order, np.inf), kind="stable")[: min(n, int((best >= 0).sum()))]
    plan = np.full_like(best, -1)
    plan[ranked] = best[ranked]
    return plan


def _cost(plan: IntArray, gains: Gains) -> float:
    rows = np.flatnonzero(plan >= 0)
    return float(gains.cost.to_numpy()[rows, plan[rows]].sum())


def _row(
    name: str, n: int, cost: float, profits: FloatArray, chosen: FloatArray, interval: float
) -> dict[str, str | int | float]:
    profit, behind = profit_of(profits, interval=interval), profit_of(chosen - profits, interval=interval)
    return {
        "policy": name,
        "n": n,
        "cost": cost,
        "profit": profit.expected,
        "lower": profit.lower,
        "upper": profit.upper,
        "p_loss": profit.p_loss,
        "behind": behind.expected,
        "behind_lower": behind.lower,
        "behind_upper": behind.upper,
    }


def _refuse_not_eligible(plan: IntArray, gains: Gains) -> None:
    rows = np.flatnonzero(plan >= 0)
    off = np.isnan(gains.expected.to_numpy()[rows, plan[rows]])
    if off.any():
        first = rows[off][0]
        raise SettingsError(
            f"The plan makes {int(off.sum()):,} offers to customers who may not have them, the first "
            f"{gains.expected.columns[plan[first]]!r} to {gains.expected.index[first]!r}."
        )
