"""What binds customers to a simulated business: contracts and points."""

from __future__ import annotations

import numpy as np
import pandas as pd

from habitue.records.business_customers import Customers, labels
from habitue.records.business_purchases import Purchases

__all__ = ["draw_contracts", "draw_rewards"]

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


def draw_rewards(draw: np.random.Generator, customers: Customers, purchases: Purchases) -> pd.DataFrame:
    """Return points earned with orders and redeemed at the next ones.

    Those of habit collect on more of their orders; those whom switching would cost much keep their points.
    Points not redeemed within a year are lost.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    customers : Customers
        Who.
    purchases : Purchases
        What they bought.
    """
    who, time, points = purchases.customer, purchases.time, np.floor(purchases.amount).astype(np.int64)
    earned = (draw.uniform(size=who.size) < 0.2 + 0.75 * customers.habit[who]) & (points > 0)
    next_time = np.append(time[1:], np.inf)
    in_reach = np.append(who[1:] == who[:-1], False) & (next_time < time + _POINTS_LAST)
    spent = earned & in_reach & (draw.uniform(size=who.size) < 0.8 * (1.0 - customers.switching_cost[who]))
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
