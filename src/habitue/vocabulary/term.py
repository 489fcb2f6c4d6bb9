"""What a line of the vocabulary is: meaning, unit, pillar, direction, and the words of a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["WINDOW_DAYS", "Direction", "Pillar", "Term", "in_windows"]

WINDOW_DAYS = (7, 30, 90, 180, 365)
"""Trailing windows, in days before the cutoff, in which activity is counted."""


class Pillar(StrEnum):
    """What loyalty rests on; every feature belongs to exactly one."""

    ACTIVITY = "activity"
    SATISFACTION = "satisfaction"
    PERCEIVED_VALUE = "perceived_value"
    RELATIONSHIP = "relationship"
    EMOTIONAL_CONNECTION = "emotional_connection"
    HABIT = "habit"
    SWITCHING_COSTS = "switching_costs"
    CONTEXT = "context"


class Direction(StrEnum):
    """Which way a feature is expected to point when it grows."""

    STAYS = "stays"
    LEAVES = "leaves"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Term:
    """One line of the vocabulary.

    Attributes
    ----------
    meaning : str
        One sentence that a marketer understands.
    unit : str
        "day", "money", "count", "share", "ratio", "probability", "" for what has none.
    pillar : Pillar or None
        The pillar of a feature; None for identifiers and answers.
    expected : Direction
        Which way customers with more of it are expected to go.
    phrase : str
        How a reason names the value, as a rule with ``{value}``; empty for what is never a reason.
    missing : str
        How a reason names its absence; empty for what is never missing.
    zero : str
        How a reason names the value 0, where the phrase would read oddly.
    negative : str
        How a reason names a value below 0, with ``{value}`` for how far below; the phrase where empty.
    """

    meaning: str
    unit: str
    pillar: Pillar | None = None
    expected: Direction = Direction.UNKNOWN
    phrase: str = ""
    missing: str = ""
    zero: str = ""
    negative: str = ""


def in_windows(
    family: Callable[[int, str], Mapping[str, Term]], windows: Sequence[int] = WINDOW_DAYS
) -> dict[str, Term]:
    """Return the lines of what is told for each of some trailing windows.

    Parameters
    ----------
    family : callable
        Takes the days of a window and the words for it, returns the window's lines.
    windows : sequence of int, default WINDOW_DAYS
        Days before the cutoff.

    Examples
    --------
    >>> told = in_windows(lambda days, span: {f"n_{days}d": Term(f"Visits {span}.", "count")}, (7, 30))
    >>> {name: term.meaning for name, term in told.items()}
    {'n_7d': 'Visits in the last 7 days.', 'n_30d': 'Visits in the last 30 days.'}
    """
    return {name: term for days in windows for name, term in family(days, f"in the last {days} days").items()}
