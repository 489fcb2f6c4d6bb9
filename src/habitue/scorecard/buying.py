"""Measures of purchases and of contracts: who stays, who comes again, how often and for how much."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.scorecard import tallies
from habitue.scorecard.estimates import Evidence, column, counted, ratio_of, share_of, shares_of, where
from habitue.scorecard.plan import Plan
from habitue.scorecard.windows import Period

__all__ = ["of_channels", "of_contracts", "of_purchases"]


def of_purchases(bought: pd.DataFrame, plan: Plan) -> list[Evidence]:
    """Return the measures of purchases.

    Parameters
    ----------
    bought : DataFrame
        `tallies.purchases`, with the columns to cut by.
    plan : Plan
        What was asked for.
    """
    level = plan.confidence
    came = column(bought, "visits") > 0
    staying = _compared(bought)
    paying = where(staying, column(staying, "spend_before") > 0)
    buyers = where(bought, came)
    buyers = buyers.assign(again=(column(buyers, "visits") > 1).astype(np.float64))
    return [
        Evidence("active_customers", buyers, counted, is_count=True),
        Evidence("retention_rate", staying, share_of("stays", confidence=level)),
        Evidence("churn_rate", staying, share_of("leaves", confidence=level)),
        Evidence(
            "revenue_churn",
            paying,
            shares_of("lost", "spend_before", confidence=level),
        ),
        Evidence("repeat_purchase_rate", buyers, share_of("again", confidence=level)),
        Evidence("average_order_value", buyers, ratio_of("spend", "orders", confidence=level)),
        Evidence("purchase_interval", _gaps(buyers), ratio_of("gap_days", "gaps", confidence=level)),
    ]


def _compared(bought: pd.DataFrame) -> pd.DataFrame:
    """Return who bought in the period before, and who of them did not again."""
    before = where(bought, column(bought, "visits_before") > 0)
    stays = (column(before, "visits") > 0).astype(np.float64)
    lost = column(before, "spend_before") * (1.0 - stays)
    return before.assign(stays=stays, leaves=1.0 - stays, lost=lost)


def _came_before(buyers: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return ~np.isnat(buyers["last_before"].to_numpy(dtype="datetime64[D]"))


def _gaps(buyers: pd.DataFrame) -> pd.DataFrame:
    """Return days from purchase to purchase: between the last of a period and the one before its first.

    The gaps of a customer add up to that, so that no visit in between has to be looked at.
    """
    came_before = _came_before(buyers)
    first, last, long_ago = (
        buyers[name].to_numpy(dtype="datetime64[D]") for name in ("first_day", "last_day", "last_before")
    )
    days = (last - np.where(came_before, long_ago, first)).astype(np.float64)
    gaps = column(buyers, "visits") - np.where(came_before, 0.0, 1.0)
    return where(buyers.assign(gap_days=days, gaps=gaps), gaps > 0)


def of_channels(plan: Plan, period: Period) -> list[Evidence]:
    """Return the measures that purchases and contacts have by channel.

    Parameters
    ----------
    plan : Plan
        What was asked for.
    period : Period
        Of which days.
    """
    found: list[Evidence] = []
    if plan.has("transactions", "channel"):
        bought = tallies.purchases_by_channel(plan.history, period)
        found.append(Evidence("active_customers", bought, counted, is_count=True))
        value = ratio_of("spend", "orders", confidence=plan.confidence)
        found.append(Evidence("average_order_value", bought, value))
    if plan.has("contacts", "channel", "responded_at"):
        told = shares_of("answered", "n", confidence=plan.confidence)
        found.append(Evidence("contacts_answered", tallies.contacts(plan.history, period), told))
    return found


def of_contracts(held: pd.DataFrame, plan: Plan) -> list[Evidence]:
    """Return the measures of contracts; their names begin with contract_ where there are purchases too.

    Parameters
    ----------
    held : DataFrame
        `tallies.contracts`, with the columns to cut by.
    plan : Plan
        What was asked for.
    """
    level = plan.confidence
    running = where(held, column(held, "n_start") > 0)
    stays = (column(running, "n_end") > 0).astype(np.float64)
    price = column(running, "price_start")
    lost = np.maximum(price - column(running, "price_end"), 0.0)
    # Sums of rounded prices may differ by less than a price can.
    lost = np.where(lost > 1e-9 * price, lost, 0.0)
    running = running.assign(stays=stays, leaves=1.0 - stays, lost=lost)
    there = where(held, column(held, "n_end") > 0)
    found = [Evidence("contract_active_customers", there, counted, is_count=True)]
    if plan.has("contracts", "ended_at"):
        paying = where(running, price > 0)
        found += [
            Evidence("contract_retention_rate", running, share_of("stays", confidence=level)),
            Evidence("contract_churn_rate", running, share_of("leaves", confidence=level)),
            Evidence("contract_revenue_churn", paying, shares_of("lost", "price_start", confidence=level)),
        ]
    return found
