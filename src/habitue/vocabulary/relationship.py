"""Relationship: how much customer and business have to do with each other besides buying."""

from __future__ import annotations

from collections.abc import Mapping

from habitue.vocabulary.term import Direction, Pillar, Term, in_windows

__all__ = ["LONG_WINDOW_DAYS", "TERMS"]

LONG_WINDOW_DAYS = (30, 90, 365)
"""Trailing windows, in days before the cutoff, for what happens seldom."""

_P = Pillar.RELATIONSHIP
_STAYS, _LEAVES = Direction.STAYS, Direction.LEAVES
_NO_CONTACT = "never contacted"


def _in_window(days: int, span: str) -> dict[str, Term]:
    return {
        f"n_events_{days}d": Term(
            f"Recorded interactions {span} before the cutoff.",
            "count", _P, _STAYS, f"{{value}} interactions {span}", zero=f"no interaction {span}",
        ),
        f"n_contacts_{days}d": Term(
            f"Contacts made with the customer {span} before the cutoff.",
            "count", _P, phrase=f"contacted {{value}} times {span}", zero=f"not contacted {span}",
        ),
    }  # fmt: skip


def _in_long_window(days: int, span: str) -> dict[str, Term]:
    return {
        f"n_opened_{days}d": Term(
            f"Messages opened {span} before the cutoff.",
            "count", _P, _STAYS, f"{{value}} messages opened {span}", zero=f"no message opened {span}",
        ),
        f"n_clicked_{days}d": Term(
            f"Clicks in messages {span} before the cutoff.",
            "count", _P, _STAYS, f"{{value}} clicks in messages {span}", zero=f"no click in a message {span}",
        ),
        f"contact_fatigue_{days}d": Term(
            f"Contacts {span} over one more than those of them that were answered.",
            "ratio", _P, _LEAVES,
            f"{{value}} contacts for one more than the answers {span}", zero=f"not contacted {span}",
        ),
        f"n_service_touches_{days}d": Term(
            f"Dealings with service {span}: tickets opened, first answered, and closed.",
            "count", _P, _LEAVES, f"{{value}} dealings with service {span}", zero=f"no service needed {span}",
        ),
    }  # fmt: skip


TERMS: Mapping[str, Term] = {
    "days_since_event": Term(
        "Days since the last recorded interaction.", "day", _P, _LEAVES,
        "last interaction {value} ago", "no interaction on record", "last interaction on the last day",
    ),
    "n_event_kinds": Term(
        "Different kinds of interaction on record.", "count", _P, _STAYS,
        "{value} kinds of interaction", zero="no interaction on record",
    ),
    "clicks_per_opening": Term(
        "Clicks in messages over messages opened.", "ratio", _P, _STAYS,
        "{value} clicks per message opened", "never opened a message", "never clicked in a message",
    ),
    "days_since_contact": Term(
        "Days since the business last made contact.", "day", _P, _LEAVES,
        "last contacted {value} ago", _NO_CONTACT, "contacted on the last day",
    ),
    "response_share": Term(
        "Share of contacts that were answered.", "share", _P, _STAYS,
        "answered {value} of contacts", _NO_CONTACT, "never answered a contact",
    ),
    "days_since_response": Term(
        "Days since a contact was last answered.", "day", _P, _LEAVES,
        "last answered a contact {value} ago", "never answered a contact", "answered on the last day",
    ),
    "offer_response_share": Term(
        "Share of contacts with an offer that were answered.", "share", _P, _STAYS,
        "answered {value} of offers", "never had an offer", "never answered an offer",
    ),
    "n_answered_channels": Term(
        "Different channels on which contacts were answered.", "count", _P, _STAYS,
        "answered on {value} channels", zero="never answered on a known channel",
    ),
    "n_purchase_channels": Term(
        "Different channels through which something was bought.", "count", _P, _STAYS,
        "bought through {value} channels", zero="no purchase names its channel",
    ),
    "contact_cost_total": Term(
        "Money spent on contacting the customer so far.", "money", _P, phrase="{value} spent on contacts",
        zero="nothing spent on contacts",
    ),
    "contact_cost_365d": Term(
        "Money spent on contacting the customer in the last 365 days before the cutoff.", "money", _P,
        phrase="{value} spent on contacts in the last 365 days",
        zero="nothing spent on contacts in the last 365 days",
    ),
    **in_windows(_in_window),
    **in_windows(_in_long_window, LONG_WINDOW_DAYS),
}  # fmt: skip
