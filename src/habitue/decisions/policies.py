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
BoolArray = npt.NDArray[np.bool_]

POLICIES: Final[Mapping[str, str]] = {
    "chosen": "The plan as it was chosen, within its limits.",
    "none": "Nobody is contacted.",
    "all": "Everybody who may have an offer gets their best one.",
    "random": "The same offers, as many of each, chosen at random; the mean over all such choices.",
    "by churn risk": "The same offers, as many of each, to those likeliest to leave.",
    "by value": "The same offers, as many of each, to those with the highest value ahead.",
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
    chosen : array_like
        The plan, as `habitue.decisions.plans.as_plan` takes it.
    measured : dict of str to Measured, optional
        Effects that take the place of the assumptions, by offer.
    interval : float, default 0.8
        Of profits and differences, in (0, 1).

    Returns
    -------
    DataFrame of shape (7, 11)
        One row for each of `POLICIES`: policy, n (contacted), cost (expected), profit, lower, upper, p_loss,
        behind (what the chosen plan earns more), behind_lower, behind_upper, within_limits (whether no offer
        is made more often than in the plan); money is margin within the horizon.

    Raises
    ------
    DataError
        Where the plan is not of these customers and offers.
    SettingsError
        Where the plan makes an offer to somebody who may not have it, or the interval is none.

    Notes
    -----
    Policies at random, by churn risk and by value make every offer as often as the plan does, to whom may
    have it, the offer with the highest cost first, so that only whom they choose differs. Those of "all" and
    "by expected gain" make each customer their best offer by expected gain, whatever the limits; where the
    plan makes several offers to a customer, these make one. A plan that stays behind "by expected gain" pays
    for its limits.

    References
    ----------
    Ascarza (2018), Retention futility: targeting high-risk customers might be ineffective, Journal of
    Marketing Research 55(1), on choosing by churn risk.
    """
    plan = as_plan(chosen, n_customers=len(stakes), n_offers=len(assumptions.offers))
    _refuse_not_eligible(plan, gains)
    plans = _plans(stakes, gains, plan)
    drawn = {name: plan_profits(stakes, assumptions, one, measured=measured) for name, one in plans.items()}
    sizes = {name: int(one.any(axis=1).sum()) for name, one in plans.items()}
    costs = {name: float(gains.cost.to_numpy()[one].sum()) for name, one in plans.items()}
    drawn["random"], costs["random"] = _at_random(stakes, assumptions, gains, plan, measured)
    sizes["random"] = sizes["chosen"]
    rows = [_row(name, sizes[name], costs[name], drawn[name], drawn["chosen"], interval) for name in POLICIES]
    return pd.DataFrame(rows)


def _plans(stakes: Stakes, gains: Gains, plan: BoolArray) -> dict[str, BoolArray]:
    """Return every policy that is one plan."""
    places = np.arange(plan.shape[1])
    best = gains.best()[:, np.newaxis] == places
    may = best.any(axis=1)
    most = np.nan_to_num(gains.expected.to_numpy(), nan=-np.inf).max(axis=1)
    first = np.argsort(np.where(may, -most, np.inf), kind="stable")[: int(plan.any(axis=1).sum())]
    return {
        "chosen": plan,
        "none": np.zeros_like(plan),
        "all": best,
        "by churn risk": _as_often(plan, gains, stakes.p_leave),
        "by value": _as_often(plan, gains, stakes.clv),
        "by expected gain": best & np.isin(np.arange(len(may)), first)[:, np.newaxis],
    }


def _as_often(plan: BoolArray, gains: Gains, order: FloatArray) -> BoolArray:
    """Return a plan that makes every offer as often as another, to the first by an order."""
    may, taken = gains.expected.notna().to_numpy(), np.zeros_like(plan)
    at_most = int(plan.sum(axis=1).max(initial=0))
    ranked = np.argsort(-order, kind="stable")
    for offer in np.argsort(-gains.cost.mean().to_numpy(), kind="stable"):
        free = ranked[may[ranked, offer] & (taken[ranked].sum(axis=1) < at_most)]
        taken[free[: int(plan[:, offer].sum())], offer] = True
    return taken


def _at_random(
    stakes: Stakes,
    assumptions: Assumptions,
    gains: Gains,
    plan: BoolArray,
    measured: dict[str, Measured] | None,
) -> tuple[FloatArray, float]:
    """Return profits, draw by draw, and cost of making offers as often as a plan to anybody who may."""
    may, cost = gains.expected.notna().to_numpy(), gains.cost.to_numpy()
    profits = plan_profits(stakes, assumptions, np.zeros_like(plan), measured=measured)
    spent = 0.0
    for offer in np.flatnonzero(plan.any(axis=0)):
        everybody = np.zeros_like(plan)
        everybody[:, offer] = may[:, offer]
        share = plan[:, offer].sum() / may[:, offer].sum()
        profits = profits + share * plan_profits(stakes, assumptions, everybody, measured=measured)
        spent += share * float(cost[everybody].sum())
    return profits, spent


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
        "within_limits": name not in {"all", "by expected gain"},
    }


def _refuse_not_eligible(plan: BoolArray, gains: Gains) -> None:
    off = plan & np.isnan(gains.expected.to_numpy())
    if off.any():
        row, offer = np.argwhere(off)[0]
        raise SettingsError(
            f"The plan makes {int(off.sum()):,} offers to customers who may not have them, the first "
            f"{gains.expected.columns[offer]!r} to {gains.expected.index[row]!r}."
        )
