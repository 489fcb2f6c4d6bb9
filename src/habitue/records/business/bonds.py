"""What binds customers to a simulated business: contracts and points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.records.business.chance import Draw
from habitue.records.business.customers import Customers, labels
from habitue.records.business.purchases import Orders

__all__ = ["Collecting", "draw_collecting", "draw_contracts", "ended_contracts", "rewards"]

BoolArray = npt.NDArray[np.bool_]

_TERMS = np.array([30, 365, 730])
_PLANS = ("monthly", "annual", "two-year")
_MONTHLY_PRICE = np.array([9.99, 14.99, 24.99])  # by segment
_TERM_PRICE = np.array([1.0, 0.9, 0.8]) * _TERMS / 30.0  # longer terms are cheaper a month
_POINTS_LAST = 365.0
_TIERS, _TIERS_FROM = ("bronze", "silver", "gold"), np.array([250, 750])  # by points earned so far


def draw_contracts(draw: np.random.Generator, customers: Customers) -> pd.DataFrame:
    """Return one contract a customer, renewed term by term until the customer leaves.

    Those whom switching would cost much sign for longer terms with higher fees for leaving; those of habit
    let contracts renew by themselves.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    customers : Customers
        Who, and how long.
    """
    term = draw.binomial(2, customers.switching_cost)
    price = np.round(_MONTHLY_PRICE[customers.segment] * _TERM_PRICE[term], 2)
    share = 0.4 * customers.switching_cost * draw.uniform(0.5, 1.5, customers.n)
    reason = np.where(np.isnan(customers.left), -1, np.where(customers.is_voluntary, 0, 1))
    return customers.table(
        np.arange(customers.n),
        "started_at",
        customers.arrived,
        {
            "ended_at": customers.instants(customers.left),
            "price": price,
            "plan": labels(term, _PLANS),
            "billing_period_days": _TERMS[term],
            "auto_renew": draw.uniform(size=customers.n) < 0.15 + 0.7 * customers.habit,
            "termination_fee": np.where(term > 0, np.round(share * price, 2), 0.0),
            "ended_reason": labels(reason, ("voluntary", "involuntary")),
        },
    )


def ended_contracts(contracts: pd.DataFrame, customers: Customers) -> pd.DataFrame:
    """Return contracts as they are at the end of a longer log.

    Parameters
    ----------
    contracts : DataFrame
        As they were.
    customers : Customers
        Who, and how long.
    """
    truth = customers.truth().loc[contracts["customer_id"]]
    ends = {"ended_at": truth["left_at"].to_numpy(), "ended_reason": truth["left_reason"].array}
    return contracts.assign(**ends)


@dataclass(frozen=True)
class Collecting:
    """Of each order, whether points are earned with it, and whether they are to be spent with the next."""

    earns: BoolArray
    spends: BoolArray

    def and_later(self, other: Collecting, before: Orders, after: Orders) -> Collecting:
        """Return that of these orders and of later ones.

        Parameters
        ----------
        other : Collecting
            Of the later orders.
        before, after : Orders
            The orders.
        """
        in_order = np.argsort(np.concatenate([before.customer, after.customer]), kind="stable")
        earns = np.concatenate([self.earns, other.earns])[in_order]
        return Collecting(earns, np.concatenate([self.spends, other.spends])[in_order])


def draw_collecting(draw: Draw, customers: Customers, orders: Orders) -> Collecting:
    """Return with which orders points are earned and spent.

    Those of habit collect on more of their orders; those whom switching would cost much keep their points.

    Parameters
    ----------
    draw : numpy.random.Generator or KeyedDraw
        Source of chance.
    customers : Customers
        Who.
    orders : Orders
        What they bought.
    """
    who = orders.customer
    earns = draw.uniform(size=who.size) < 0.2 + 0.75 * customers.habit[who]
    spends = draw.uniform(size=who.size) < 0.8 * (1.0 - customers.switching_cost[who])
    return Collecting(earns, spends)


def rewards(customers: Customers, orders: Orders, collecting: Collecting) -> pd.DataFrame:
    """Return points earned with orders and redeemed at the next ones; within a year, or they are lost.

    Parameters
    ----------
    customers : Customers
        Who.
    orders : Orders
        What they bought, from the first order on.
    collecting : Collecting
        With which orders points are earned and spent.
    """
    who, time, points = orders.customer, orders.time, np.floor(orders.amount).astype(np.int64)
    earned = collecting.earns & (points > 0)
    next_time = np.append(time[1:], np.inf)
    in_reach = np.append(who[1:] == who[:-1], False) & (next_time < time + _POINTS_LAST)
    spent = earned & in_reach & collecting.spends
    moment = np.concatenate([time[earned], next_time[spent]])
    person = np.concatenate([who[earned], who[spent]])
    in_order = np.lexsort((moment, person))
    person, moment = person[in_order], moment[in_order]
    change = np.concatenate([points[earned], -points[spent]])[in_order]
    so_far = pd.Series(np.maximum(change, 0)).groupby(person).cumsum().to_numpy()
    return customers.table(
        person,
        "timestamp",
        moment,
        {
            "points": change,
            "tier": labels(np.searchsorted(_TIERS_FROM, so_far, side="right"), _TIERS),
            "expires_at": customers.instants(np.where(change > 0, moment + _POINTS_LAST, np.nan)),
        },
    )
