"""The list of what to do, for a CRM, and the record of what was drawn, for the next round.

The action list holds those who are treated, one row an offer, with what whoever makes it should know. The
assignments hold those left alone as well, in the columns of records of contacts: handed in with the next log,
they are the trial from which effects are measured.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from habitue.decisions.offers import Offer
from habitue.decisions.wording import reasons_to_act, what_not_to_say
from habitue.errors import DataError
from habitue.experiments.assignment import CONTROL

__all__ = ["ACTION_COLUMNS", "action_list", "assignments"]

ACTION_COLUMNS = (
    "customer_id",
    "offer",
    "channel",
    "expected_gain",
    "gain_lower",
    "gain_upper",
    "reason",
    "say",
    "what_not_to_say",
    "propensity",
    "arm",
    "campaign",
    "valid_until",
)
"""Columns of an action list, in order."""

_REASONS = ("reason_1", "reason_2", "reason_3")


def assignments(
    drawn: pd.DataFrame, offers: Sequence[Offer], cost: pd.DataFrame, *, name: str, day: date
) -> pd.DataFrame:
    """Return what was drawn as records of contacts.

    Parameters
    ----------
    drawn : DataFrame
        Of `habitue.decisions.holdout.draw_round`.
    offers : sequence of Offer
        Those of the plan.
    cost : DataFrame of shape (n_customers, n_offers)
        What each contact is expected to cost, money.
    name : str
        Of the round.
    day : date
        Of the contacts.

    Returns
    -------
    DataFrame
        customer_id, timestamp, campaign, channel, offer, cost, arm, propensity, randomised, responded_at.

    Notes
    -----
    Each planned offer is a campaign of its own, ``<round>: <offer>``: those who were planned for it and left
    alone are the control arm of those who were not, and of nobody else. Where the lot could have drawn other
    offers it is ``<round>: <offer> or <other>``: in one campaign all customers can get the same.
    """
    by_name = {offer.name: offer for offer in offers}
    treated = (drawn["arm"] != CONTROL).to_numpy()
    arm = drawn["arm"].to_numpy(dtype=object)
    money = np.zeros(len(drawn))
    for offer in by_name:
        its = arm == offer
        money[its] = cost[offer].reindex(drawn["customer_id"][its]).to_numpy()
    return pd.DataFrame(
        {
            "customer_id": drawn["customer_id"].to_numpy(),
            "timestamp": pd.Timestamp(day),
            "campaign": [
                f"{name}: {' or '.join(filter(None, possible))}"
                for possible in zip(drawn["planned"], drawn["or_else"], strict=True)
            ],
            "channel": pd.array(
                [by_name[one].channel if one in by_name else None for one in arm], dtype="str"
            ),
            "offer": pd.array(
                [one if its else None for one, its in zip(arm, treated, strict=True)], dtype="str"
            ),
            "cost": money,
            "arm": pd.array(arm, dtype="str"),
            "propensity": drawn["propensity"].to_numpy(),
            "randomised": (drawn["propensity"] < 1.0).to_numpy(),
            "responded_at": pd.Series(pd.NaT, index=drawn.index, dtype="datetime64[us]").to_numpy(),
        }
    )


def action_list(
    assigned: pd.DataFrame,
    offers: Sequence[Offer],
    expected: pd.DataFrame,
    lower: pd.DataFrame,
    upper: pd.DataFrame,
    scores: pd.DataFrame,
    *,
    valid_until: date,
    protected: Collection[str] = (),
    never: Collection[Any] = (),
) -> pd.DataFrame:
    """Return what is to be done with whom, those who gain most first.

    Parameters
    ----------
    assigned : DataFrame
        Of `assignments`.
    offers : sequence of Offer
        Those of the plan.
    expected, lower, upper : DataFrame of shape (n_customers, n_offers)
        Gains with their intervals, money of margin, indexed by customer.
    scores : DataFrame
        Indexed by customer: churn_probability, clv, reason_1 to reason_3 where they are there. Where no
        reason speaks for leaving, what is at stake is told in its place.
    valid_until : date
        Last day on which the list may be used; an offer that ends earlier says so.
    protected : collection of str
        Attributes that law protects: no reason tells them.
    never : collection
        Customers who must not be contacted.

    Returns
    -------
    DataFrame
        The columns `ACTION_COLUMNS`.

    Raises
    ------
    DataError
        Where somebody is on it who must not be contacted: nothing is handed out then.
    """
    treated = assigned.loc[assigned["arm"] != CONTROL].reset_index(drop=True)
    if (wrong := treated["customer_id"].isin(list(never))).any():
        raise DataError(
            f"{int(wrong.sum())} customers on the list must not be contacted, the first is "
            f"{treated['customer_id'][wrong].iloc[0]}; no list is written. Leave them out of those "
            "who may be treated."
        )
    by_name = {offer.name: offer for offer in offers}
    customers = pd.Index(treated["customer_id"])
    names = treated["offer"].to_numpy(dtype=object)
    columns = pd.Index(expected.columns).get_indexer(pd.Index(names))
    rows = expected.index.get_indexer(customers)
    gain, low, high = (table.to_numpy()[rows, columns] for table in (expected, lower, upper))
    reasons = _reasons(scores, customers, protected)
    made = treated.assign(
        expected_gain=gain.round(2),
        gain_lower=low.round(2),
        gain_upper=high.round(2),
        reason=[
            f"{'; '.join(some) or stake}: expected to gain {g:,.2f}"
            for some, stake, g in zip(reasons, _stakes(scores, customers), gain, strict=True)
        ],
        say=[by_name[one].said for one in names],
        what_not_to_say=_not_to_say(names, reasons, by_name, protected),
        valid_until=[_last(by_name[one], valid_until) for one in names],
    )
    order = np.lexsort((customers.astype(str).to_numpy(), -gain))
    return made.loc[order, list(ACTION_COLUMNS)].reset_index(drop=True)


def _reasons(scores: pd.DataFrame, customers: pd.Index, protected: Collection[str]) -> list[tuple[str, ...]]:
    there = [name for name in _REASONS if name in scores]
    if not there:
        return [()] * len(customers)
    table = scores.loc[:, there].reindex(customers).to_numpy(dtype=object)
    return [reasons_to_act(row, protected=protected) for row in table]


def _stakes(scores: pd.DataFrame, customers: pd.Index) -> list[str]:
    """Say what may be lost with each customer, as far as the scores tell."""
    words = {"churn_probability": "{:.0%} likely to leave", "clv": "{:,.2f} expected of them"}
    there = [name for name in words if name in scores]
    if not there:
        return ["worth it"] * len(customers)
    table = scores.loc[:, there].reindex(customers).to_numpy(dtype=np.float64)
    said = [words[name] for name in there]
    return [", ".join(text.format(x) for text, x in zip(said, row, strict=True)) for row in table.tolist()]


def _not_to_say(
    names: Any, reasons: Sequence[tuple[str, ...]], by_name: dict[str, Offer], protected: Collection[str]
) -> list[str]:
    """Few different sentences for many customers: each is written once."""
    told: dict[tuple[str, tuple[str, ...]], str] = {}
    said: list[str] = []
    for name, some in zip(names, reasons, strict=True):
        key = (str(name), some)
        if key not in told:
            told[key] = what_not_to_say(by_name[key[0]], reasons=some, protected=protected)
        said.append(told[key])
    return said


def _last(offer: Offer, valid_until: date) -> date:
    return valid_until if offer.ends is None else min(offer.ends, valid_until)
