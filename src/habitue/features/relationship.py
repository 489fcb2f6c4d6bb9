"""Relationship: how much customer and business have to do with each other besides buying.

A contact counts where it was made: whoever was kept as a control was not contacted. Openings and clicks are
events; which names of an event mean them is said here, and names are taken as they are written.
"""

from __future__ import annotations

from habitue.features.feature import Feature, feature
from habitue.records.engine import literal
from habitue.vocabulary import WINDOW_DAYS
from habitue.vocabulary.relationship import LONG_WINDOW_DAYS

__all__ = ["CLICKED", "FEATURES", "OPENED", "named"]

OPENED = ("email_open", "email_opened", "message_open", "message_opened", "push_open", "push_opened")
"""Events that say that a message was opened."""

CLICKED = ("email_click", "email_clicked", "message_click", "message_clicked", "push_click", "push_clicked")
"""Events that say that something in a message was clicked on."""


def named(events: tuple[str, ...]) -> str:
    """Return the condition that an event has one of some names.

    Parameters
    ----------
    events : tuple of str
        The names, as they are written.

    Examples
    --------
    >>> named(("share", "like"))
    "event IN ('share', 'like')"
    """
    return f"event IN ({', '.join(map(literal, events))})"


def _inside(days: int, day: str = "day") -> str:
    """Return the condition that a day is among the last ones up to the cutoff."""
    return f"DATE_DIFF('day', {day}, $cutoff) < {days}"


@feature("events")
def days_since_event() -> str:
    """Days since the last recorded interaction."""
    return "DATE_DIFF('day', MAX(day), $cutoff)"


@feature("events")
def n_event_kinds() -> str:
    """Different kinds of interaction on record."""
    return "COUNT(DISTINCT event)"


@feature("events")
def clicks_per_opening() -> str:
    """Clicks over openings; above 1 where several things in one message were clicked on."""
    return f"COUNT(*) FILTER (WHERE {named(CLICKED)}) / COUNT(*) FILTER (WHERE {named(OPENED)})"


@feature("touches")
def days_since_contact() -> str:
    """Days since the business last made contact."""
    return "DATE_DIFF('day', MAX(day), $cutoff)"


@feature("touches")
def response_share() -> str:
    """Share of contacts that were answered."""
    return "SUM(responded) / COUNT(*)"


@feature("touches")
def days_since_response() -> str:
    """Days since a contact was last answered."""
    return "DATE_DIFF('day', MAX(responded_on), $cutoff)"


@feature("touches")
def offer_response_share() -> str:
    """Share of contacts with an offer that were answered."""
    offered = "FILTER (WHERE offer IS NOT NULL)"
    return f"SUM(responded) {offered} / COUNT(*) {offered}"


@feature("touches")
def n_answered_channels() -> str:
    """Different channels on which contacts were answered."""
    return "COUNT(DISTINCT channel) FILTER (WHERE responded = 1)"


@feature("transactions")
def n_purchase_channels() -> str:
    """Different channels through which something was bought."""
    return "COUNT(DISTINCT channel) FILTER (WHERE amount >= 0)"


@feature("touches", absent=0)
def contact_cost_total() -> str:
    """Money spent on contacting the customer so far."""
    return "COALESCE(SUM(cost), 0)"


@feature("touches", absent=0)
def contact_cost_365d() -> str:
    """Money spent on contacting the customer in the last year."""
    return f"COALESCE(SUM(cost) FILTER (WHERE {_inside(365)}), 0)"


def _in_window(days: int) -> tuple[Feature, Feature]:
    """Interactions and contacts in the last `days` days."""
    return (
        Feature(f"n_events_{days}d", "events", f"COUNT(*) FILTER (WHERE {_inside(days)})"),
        Feature(f"n_contacts_{days}d", "touches", f"COUNT(*) FILTER (WHERE {_inside(days)})"),
    )


def _in_long_window(days: int) -> tuple[Feature, ...]:
    """Return openings, clicks, fatigue and dealings with service in the last `days` days."""
    inside = f"FILTER (WHERE {_inside(days)})"
    dealings = (
        f"COUNT(*) FILTER (WHERE {_inside(days, one)})"
        for one in ("day", "CAST(first_response_at AS DATE)", "CAST(closed_at AS DATE)")
    )
    return (
        Feature(
            f"n_opened_{days}d", "events", f"COUNT(*) FILTER (WHERE {named(OPENED)} AND {_inside(days)})"
        ),
        Feature(
            f"n_clicked_{days}d", "events", f"COUNT(*) FILTER (WHERE {named(CLICKED)} AND {_inside(days)})"
        ),
        # One is added, so that it grows with every contact also where none was answered.
        Feature(
            f"contact_fatigue_{days}d",
            "touches",
            f"COUNT(*) {inside} / (COALESCE(SUM(responded) {inside}, 0) + 1)",
            absent=0,
        ),
        Feature(f"n_service_touches_{days}d", "cases", " + ".join(dealings)),
    )


FEATURES: tuple[Feature, ...] = (
    days_since_event,
    n_event_kinds,
    clicks_per_opening,
    days_since_contact,
    response_share,
    days_since_response,
    offer_response_share,
    n_answered_channels,
    n_purchase_channels,
    contact_cost_total,
    contact_cost_365d,
    *(member for days in WINDOW_DAYS for member in _in_window(days)),
    *(member for days in LONG_WINDOW_DAYS for member in _in_long_window(days)),
)
