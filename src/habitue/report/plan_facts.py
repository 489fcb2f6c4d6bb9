"""What to do this week, as the page shows it: the plan, what else could be done, and the top of the list.

Read from `decision.json` and the action list of `habitue decide`. Money is margin within the horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from habitue.report.assumed_facts import Assumed, read_assumed
from habitue.report.offer_curves import OfferCurve, read_offer_curves
from habitue.report.plain_data import day_of, number, text

__all__ = ["Action", "OfferRow", "PlanFacts", "Policy", "Swing", "read_plan"]

MOST_ACTIONS = 200
MOST_SWINGS = 8
MOST_OFFERS = 50
_ASSUMPTIONS = {
    "acceptance": "acceptance",
    "acceptance_if_staying": "acceptance by those who stay anyway",
    "saves": "share who stay because of it",
    "kept": "acceptance times share who stay",
    "uplift": "margin added by a contact",
    "value": "what customers are worth",
}


@dataclass(frozen=True)
class OfferRow:
    """One offer of the plan; gain and cost are those of the customers who are contacted."""

    offer: str
    eligible: int
    planned: int
    treated: int
    left_alone: int
    gain: float
    cost: float
    reason: str


@dataclass(frozen=True)
class Policy:
    """One way to choose whom to contact, and whether it goes beyond the limits that the plan keeps."""

    policy: str
    n: int
    cost: float | None
    is_beyond: bool
    profit: float
    lower: float
    upper: float
    behind: float
    behind_lower: float
    behind_upper: float


@dataclass(frozen=True)
class Swing:
    """What the plan earns with one assumption low and high."""

    label: str
    low: float
    high: float
    profit_low: float
    profit: float
    profit_high: float


@dataclass(frozen=True)
class Action:
    """One line of the action list."""

    rank: int
    customer_id: str
    offer: str
    channel: str
    gain: float | None
    lower: float | None
    upper: float | None
    reason: str
    say: str
    not_to_say: str
    valid_until: str


@dataclass(frozen=True)
class PlanFacts:
    """Who gets what.

    Attributes
    ----------
    name, day : str and date
        Of the round.
    cutoff : datetime.date
        The day of the scores it was decided on.
    warning : str
        Where it does not belong to the scores shown; empty where it does.
    interval : float
        Level of gains and profits.
    budget : float or None
        Money: the limit.
    cost, gain : float
        Of those who are contacted: what that is expected to cost, and to gain net of it.
    gain_lower, gain_upper, p_loss : float or None
        Of that gain.
    planned_cost, planned_gain : float
        Of all who are planned, as if nobody were left alone.
    n_scored, n_planned, n_treated, n_held_out, n_never, n_eligible : int
        Customers.
    worth_more : tuple of str
        What more of each binding limit would earn; says so where none binds.
    offers, policies, swings, curves, actions : tuple
        As named.
    n_actions : int
        Lines of the whole list.
    assumed : tuple of Assumed
        What the plan goes by.
    sentences, learned, experiments : tuple of str
        What has to be known, what was learned from contacts, and what to try next.
    """

    name: str
    day: date | None
    cutoff: date | None
    horizon: int
    warning: str
    interval: float
    budget: float | None
    cost: float
    gain: float
    planned_cost: float
    planned_gain: float
    gain_lower: float | None
    gain_upper: float | None
    p_loss: float | None
    n_scored: int
    n_planned: int
    n_treated: int
    n_held_out: int
    n_never: int
    n_eligible: int
    holdout: float
    worth_more: tuple[str, ...]
    offers: tuple[OfferRow, ...]
    policies: tuple[Policy, ...]
    swings: tuple[Swing, ...]
    curves: tuple[OfferCurve, ...]
    assumed: tuple[Assumed, ...]
    sentences: tuple[str, ...]
    learned: tuple[str, ...]
    experiments: tuple[str, ...]
    actions: tuple[Action, ...]
    n_actions: int


def read_plan(
    told: Mapping[str, Any],
    *,
    actions: Sequence[Mapping[str, Any]] = (),
    n_actions: int = 0,
    warning: str = "",
) -> PlanFacts:
    """Read a decision.

    Parameters
    ----------
    told : mapping
        What `decision.json` holds.
    actions : sequence of mapping
        The first lines of the action list, in its order.
    n_actions : int
        Lines it has in all.
    warning : str
        Where it does not belong to the scores.

    Returns
    -------
    PlanFacts
    """
    people, asked, settings = told["customers"], told["round"], told["settings"]
    offers, contacted = _offers(told), told.get("contacted") or {}
    budget = number(settings["budget"] if asked["budget"] is None else asked["budget"])
    return PlanFacts(
        name=text(asked["name"]),
        day=day_of(asked["day"]),
        cutoff=day_of(told["cutoff"]),
        horizon=int(told.get("value_days") or told["horizon"]),
        warning=warning,
        interval=float(settings["interval"]),
        budget=budget,
        cost=float(contacted["cost"]) if contacted else sum(one.cost for one in offers),
        gain=float(contacted["gain"]) if contacted else sum(one.gain for one in offers),
        planned_cost=float(told["spent"]),
        planned_gain=float(told["expected_gain"]),
        gain_lower=number(contacted.get("lower")),
        gain_upper=number(contacted.get("upper")),
        p_loss=number(contacted.get("p_loss")),
        n_scored=int(people["scored"]),
        n_planned=int(people["planned"]),
        n_treated=int(people["treated"]),
        n_held_out=int(people["held_out"]),
        n_never=int(people["never_contacted"]),
        n_eligible=int(people["eligible"]),
        holdout=float(settings["holdout"] if asked["holdout"] is None else asked["holdout"]),
        worth_more=_worth_more(told["limits"]),
        offers=offers,
        policies=tuple(_policy(row, budget) for row in told["policies"]),
        swings=_swings(told["sensitivity"]),
        curves=read_offer_curves(told),
        assumed=read_assumed(told),
        sentences=tuple(one for one in map(str, told["sentences"]) if not one.startswith(_PRICED)),
        learned=tuple(str(one) for one in told["uplift"]),
        experiments=_experiments(told),
        actions=tuple(_action(place, row) for place, row in enumerate(actions[:MOST_ACTIONS])),
        n_actions=n_actions,
    )


_PRICED = ("Another 1 of budget", "One place more")
"""Sentences of a plan that are said here in larger steps."""


def _worth_more(limits: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Say what a step more of each limit that binds would earn: 100 of budget, 10 places."""
    said: list[str] = []
    for one in limits:
        if not one["binding"]:
            continue
        price = float(one["price"])
        if one["kind"] == "budget":
            said.append(f"Another 100 of budget would earn about {100.0 * price:,.0f} net of itself.")
        elif one["kind"] == "share":
            said.append(
                f"The limit on the {one['limit']} costs {price:,.2f} for each customer that it moves."
            )
        else:
            said.append(f"Ten places more within the {one['limit']} would earn about {10.0 * price:,.0f}.")
    if limits and not said:
        said.append("No limit binds: more budget or more places would earn nothing more.")
    return tuple(said)


_WITH_NOBODY = "with everybody it is expected to cost more than it brings"


def _offers(told: Mapping[str, Any]) -> tuple[OfferRow, ...]:
    why = {row["offer"]: text(row["reason"]) for row in told["best_shares"]}
    # Best shares know the assumptions alone: not what was learned per customer, as curves do.
    for row in told.get("curves", ()):
        why[row["offer"]] = "" if row["best"]["n"] else why.get(row["offer"]) or _WITH_NOBODY
    return tuple(_offer(row, _contacted(told, row), why) for row in told["by_offer"][:MOST_OFFERS])


def _offer(row: Mapping[str, Any], contacted: Mapping[str, Any], why: Mapping[str, str]) -> OfferRow:
    return OfferRow(
        offer=text(row["offer"]),
        eligible=int(row["eligible"]),
        planned=int(row["planned"]),
        treated=int(row["treated"]),
        left_alone=max(int(row["planned"]) - int(row["treated"]), 0),
        gain=float(contacted["gain"]),
        cost=float(contacted["cost"]),
        reason=why.get(row["offer"], ""),
    )


def _contacted(told: Mapping[str, Any], row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return gain and cost of who is contacted with an offer.

    Decisions of older versions tell those of who is planned: of it a lot leaves as much as of customers.
    """
    there = (told.get("contacted") or {}).get("by_offer", ())
    found = next((one for one in there if one["offer"] == row["offer"]), None)
    if found is not None:
        return found
    part = int(row["treated"]) / int(row["planned"]) if int(row["planned"]) else 0.0
    return {"gain": part * float(row["expected_gain"]), "cost": part * float(row["cost"])}


def _experiments(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what to try next; proposals know assumptions alone, and not what was learned of an offer."""
    learned, planned = (
        set(told.get("learned", ())),
        {row["offer"]: row["planned"] for row in told["by_offer"]},
    )
    return tuple(
        f"{row['offer']}: {_of_learned(int(planned.get(row['offer'], 0)))}"
        if row["offer"] in learned
        else f"{row['offer']}: {row['decision']}"
        for row in told["experiments"][:MOST_OFFERS]
    )


def _of_learned(planned: int) -> str:
    if planned:
        return "Its effect was learned from trials and decides who gets it: go on, and keep a holdout."
    return "Its effect was learned from trials, and by it nobody gets the offer within the limits."


def _policy(row: Mapping[str, Any], budget: float | None) -> Policy:
    names = ("profit", "lower", "upper", "behind", "behind_lower", "behind_upper")
    cost, within = number(row.get("cost")), row.get("within_limits")
    # Decisions of older versions tell the cost alone.
    over = budget is not None and cost is not None and cost > budget * (1.0 + 1e-9)
    return Policy(
        text(row["policy"]),
        int(row["n"]),
        cost,
        over if within is None else not within,
        *(float(row[name]) for name in names),
    )


def _swings(rows: Sequence[Mapping[str, Any]]) -> tuple[Swing, ...]:
    """Return what moves the gain by more than a hundredth of what moves it most."""
    most = max((float(row["swing"]) for row in rows), default=0.0)
    return tuple(_swing(row) for row in rows if float(row["swing"]) > 0.01 * most)[:MOST_SWINGS]


def _swing(row: Mapping[str, Any]) -> Swing:
    what = _ASSUMPTIONS.get(text(row["assumption"]), text(row["assumption"]))
    label = f"{row['offer']}: {what}" if row["offer"] else what
    names = ("low", "high", "profit_low", "profit", "profit_high")
    return Swing(label, *(float(row[name]) for name in names))


def _action(place: int, row: Mapping[str, Any]) -> Action:
    return Action(
        rank=place + 1,
        customer_id=text(row["customer_id"]),
        offer=text(row["offer"]),
        channel=text(row["channel"]),
        gain=number(row["expected_gain"]),
        lower=number(row["gain_lower"]),
        upper=number(row["gain_upper"]),
        reason=text(row["reason"]),
        say=text(row["say"]),
        not_to_say=text(row["what_not_to_say"]),
        valid_until=text(row["valid_until"]),
    )
