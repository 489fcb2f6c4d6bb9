"""What to do this week, as the page shows it: the plan, what else could be done, and the top of the list.

Read from `decision.json` and the action list of `habitue decide`. Money is margin within the horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from habitue.report.plain_data import day_of, number, text
from habitue.vocabulary import one_or_many

__all__ = ["Action", "Assumed", "OfferRow", "PlanFacts", "Policy", "Swing", "read_plan"]

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
    """One offer of the plan."""

    offer: str
    eligible: int
    planned: int
    treated: int
    gain: float
    cost: float
    reason: str


@dataclass(frozen=True)
class Policy:
    """One way to choose whom to contact."""

    policy: str
    n: int
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
class Assumed:
    """What is assumed of an offer now, and what earlier rounds measured of it."""

    offer: str
    acceptance: float | None
    saves: float | None
    uplift: float | None
    measured: str


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
    budget, spent, gain : float or None
        Money: the limit, what is expected to be spent, and to be gained net of it.
    gain_lower, gain_upper, p_loss : float or None
        Of the gain.
    n_scored, n_planned, n_treated, n_held_out, n_never, n_eligible : int
        Customers.
    worth_more : tuple of str
        What more of each binding limit would earn; says so where none binds.
    offers, policies, swings, actions : tuple
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
    spent: float
    gain: float
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
    policies = tuple(_policy(row) for row in told["policies"])
    chosen = next((row for row in told["policies"] if row["policy"] == "chosen"), {})
    return PlanFacts(
        name=text(asked["name"]),
        day=day_of(asked["day"]),
        cutoff=day_of(told["cutoff"]),
        horizon=int(told["horizon"]),
        warning=warning,
        interval=float(settings["interval"]),
        budget=number(settings["budget"] if asked["budget"] is None else asked["budget"]),
        spent=float(told["spent"]),
        gain=float(told["expected_gain"]),
        gain_lower=number(chosen.get("lower")),
        gain_upper=number(chosen.get("upper")),
        p_loss=number(chosen.get("p_loss")),
        n_scored=int(people["scored"]),
        n_planned=int(people["planned"]),
        n_treated=int(people["treated"]),
        n_held_out=int(people["held_out"]),
        n_never=int(people["never_contacted"]),
        n_eligible=int(people["eligible"]),
        holdout=float(settings["holdout"] if asked["holdout"] is None else asked["holdout"]),
        worth_more=_worth_more(told["limits"]),
        offers=_offers(told),
        policies=policies,
        swings=_swings(told["sensitivity"]),
        assumed=tuple(_assumed(row, told.get("measured") or {}) for row in told["offers"][:MOST_OFFERS]),
        sentences=tuple(one for one in map(str, told["sentences"]) if not one.startswith(_PRICED)),
        learned=tuple(map(str, told["uplift"])),
        experiments=tuple(f"{row['offer']}: {row['decision']}" for row in told["experiments"][:MOST_OFFERS]),
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


def _offers(told: Mapping[str, Any]) -> tuple[OfferRow, ...]:
    why = {row["offer"]: text(row["reason"]) for row in told["best_shares"]}
    return tuple(
        OfferRow(
            offer=text(row["offer"]),
            eligible=int(row["eligible"]),
            planned=int(row["planned"]),
            treated=int(row["treated"]),
            gain=float(row["expected_gain"]),
            cost=float(row["cost"]),
            reason=why.get(row["offer"], ""),
        )
        for row in told["by_offer"][:MOST_OFFERS]
    )


def _policy(row: Mapping[str, Any]) -> Policy:
    names = ("profit", "lower", "upper", "behind", "behind_lower", "behind_upper")
    return Policy(text(row["policy"]), int(row["n"]), *(float(row[name]) for name in names))


def _swings(rows: Sequence[Mapping[str, Any]]) -> tuple[Swing, ...]:
    """Return what moves the gain by more than a hundredth of what moves it most."""
    most = max((float(row["swing"]) for row in rows), default=0.0)
    return tuple(_swing(row) for row in rows if float(row["swing"]) > 0.01 * most)[:MOST_SWINGS]


def _swing(row: Mapping[str, Any]) -> Swing:
    what = _ASSUMPTIONS.get(text(row["assumption"]), text(row["assumption"]))
    label = f"{row['offer']}: {what}" if row["offer"] else what
    names = ("low", "high", "profit_low", "profit", "profit_high")
    return Swing(label, *(float(row[name]) for name in names))


def _assumed(offer: Mapping[str, Any], measured: Mapping[str, Any]) -> Assumed:
    def mean(name: str) -> float | None:
        return number((offer.get(name) or {}).get("mean"))

    found = measured.get(offer["name"])
    said = "no trial yet: as the offers' file states it"
    if found is not None:
        rounds = one_or_many(int(found["rounds"]), "round")
        half = 1.96 * float(found["se"])
        effect = float(found["effect"])
        ends = f"{effect - half:+,.3g} to {effect + half:+,.3g}"
        said = f"{rounds} measured {effect:+,.3g} ({ends}) of {found['metric']}"
    return Assumed(text(offer["name"]), mean("acceptance"), mean("saves"), mean("uplift"), said)


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
