"""Relationship without SQL."""

from __future__ import annotations

import math
import re

from known import Known

_OPENED = re.compile("(email|message|push)_open(ed)?")
_CLICKED = re.compile("(email|message|push)_click(ed)?")


def features_of(known: Known) -> dict[str, float]:
    """Return the features of one customer."""
    events = known.rows("events")
    opened = [known.age(row["day"]) for row in events if _OPENED.fullmatch(row["event"])]
    clicked = [known.age(row["day"]) for row in events if _CLICKED.fullmatch(row["event"])]
    bought = [row for row in known.rows("transactions") if row["amount"] >= 0]
    told = {
        "days_since_event": min((known.age(row["day"]) for row in events), default=math.nan),
        "n_event_kinds": len({row["event"] for row in events}),
        "clicks_per_opening": len(clicked) / len(opened) if opened else math.nan,
        "n_purchase_channels": len({row.get("channel") for row in bought} - {None}),
        **_contacts(known),
    }
    for days in (7, 30, 90, 180, 365):
        told[f"n_events_{days}d"] = sum(known.age(row["day"]) < days for row in events)
    for days in (30, 90, 365):
        told[f"n_opened_{days}d"] = sum(age < days for age in opened)
        told[f"n_clicked_{days}d"] = sum(age < days for age in clicked)
        told[f"n_service_touches_{days}d"] = sum(age < days for age in _dealings(known))
    return told


def _dealings(known: Known) -> list[int]:
    """Return how long ago tickets were opened, answered and closed."""
    instants = ("opened_at", "first_response_at", "closed_at")
    moments = [row.get(name) for row in known.rows("tickets") for name in instants]
    return [known.age(moment.date()) for moment in moments if moment is not None]


def _contacts(known: Known) -> dict[str, float]:
    made = [row for row in known.rows("contacts") if row.get("arm") not in {"control", "holdout"}]
    answered = [row for row in made if row.get("responded_at") is not None]
    offers = [row for row in made if row.get("offer") is not None]
    offers_answered = [row for row in answered if row.get("offer") is not None]
    told = {
        "days_since_contact": min((known.age(row["day"]) for row in made), default=math.nan),
        "response_share": len(answered) / len(made) if made else math.nan,
        "days_since_response": min(
            (known.age(row["responded_at"].date()) for row in answered), default=math.nan
        ),
        "offer_response_share": len(offers_answered) / len(offers) if offers else math.nan,
        "n_answered_channels": len({row.get("channel") for row in answered} - {None}),
        "contact_cost_total": float(sum(row.get("cost") or 0 for row in made)),
        "contact_cost_365d": float(sum(row.get("cost") or 0 for row in made if known.age(row["day"]) < 365)),
    }
    for days in (7, 30, 90, 180, 365):
        told[f"n_contacts_{days}d"] = sum(known.age(row["day"]) < days for row in made)
    for days in (30, 90, 365):
        n_answered = sum(known.age(row["day"]) < days for row in answered)
        told[f"contact_fatigue_{days}d"] = told.get(f"n_contacts_{days}d", 0) / (1 + n_answered)
    return told
