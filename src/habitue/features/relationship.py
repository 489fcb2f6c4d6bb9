"""Relationship: how much customer and business have to do with each other besides buying."""

from __future__ import annotations

from habitue.features.feature import Feature, feature
from habitue.vocabulary import WINDOW_DAYS

__all__ = ["FEATURES"]


@feature("events")
def days_since_event() -> str:
    """Days since the last recorded interaction."""
    return "DATE_DIFF('day', MAX(day), $cutoff)"


@feature("events")
def n_event_kinds() -> str:
    """Different kinds of interaction on record."""
    return "COUNT(DISTINCT event)"


def _in_window(days: int) -> Feature:
    """Interactions in the last `days` days."""
    inside = f"FILTER (WHERE DATE_DIFF('day', day, $cutoff) < {days})"
    return Feature(f"n_events_{days}d", "events", f"COUNT(*) {inside}")


FEATURES: tuple[Feature, ...] = (
    days_since_event,
    n_event_kinds,
    *(_in_window(days) for days in WINDOW_DAYS),
)
