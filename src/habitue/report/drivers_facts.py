"""What goes with staying, and what customers write about, as the page shows it.

Read from "drivers" and "themes" of a scorecard. Drivers are associations: the page says so wherever it shows
them. What customers wrote stays as it was masked by whoever made the themes, and is escaped by the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from habitue.report.plain_data import number, records, text
from habitue.report.words_of_measures import pillar_label

__all__ = [
    "DriverRow",
    "DriversFacts",
    "OnStaying",
    "Theme",
    "ThemesFacts",
    "read_drivers",
    "read_effects",
    "read_themes",
    "read_topics",
]

MOST_SEGMENTS = 12
MOST_THEMES = 12
MOST_EXAMPLES = 3
MOST_TOPICS = 20
_LEVEL = 0.05


@dataclass(frozen=True)
class DriverRow:
    """One pillar, of everybody or of a segment: importance, performance and where that puts it."""

    segment: str
    pillar: str
    importance: float
    importance_lower: float | None
    importance_upper: float | None
    performance: float
    performance_lower: float | None
    performance_upper: float | None
    association: float | None
    association_lower: float | None
    association_upper: float | None
    quadrant: str
    sure: bool
    n: int


@dataclass(frozen=True)
class DriversFacts:
    """Importance against performance.

    Attributes
    ----------
    rows : tuple of DriverRow
        Of everybody.
    segments : tuple of DriverRow
        Of segments, at most twelve.
    explained : float or None
        R squared of all pillars together.
    lines : tuple of two floats
        Importance and performance at which quadrants meet.
    confidence : float
        Of the intervals.
    notes : tuple of str
        What was left out, and why.
    """

    rows: tuple[DriverRow, ...]
    segments: tuple[DriverRow, ...]
    explained: float | None
    lines: tuple[float, float]
    confidence: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Theme:
    """What texts have in common: how many, whether more of late, and some of them."""

    theme: str
    n: int
    share: float
    lower: float | None
    upper: float | None
    before: float | None
    after: float | None
    trend: str
    score: float | None
    examples: tuple[str, ...]


@dataclass(frozen=True)
class ThemesFacts:
    """What customers write about."""

    themes: tuple[Theme, ...]
    n_texts: int
    n_without: int


@dataclass(frozen=True)
class OnStaying:
    """What contacts of one arm changed in who stays, drawn at random: an effect, not an association."""

    arm: str
    n: int
    n_control: int
    control: float | None
    effect: float | None
    lower: float | None
    upper: float | None
    p_value: float | None
    is_effect: bool


def read_drivers(told: Mapping[str, Any]) -> DriversFacts:
    """Read drivers.

    Parameters
    ----------
    told : mapping
        Of `habitue.scorecard.drivers.Drivers.to_dict`.

    Returns
    -------
    DriversFacts
    """
    rows = [_driver(row) for row in told["rows"]]
    kept = set(list(dict.fromkeys(row.segment for row in rows if row.segment))[:MOST_SEGMENTS])
    first, second = told["lines"]
    return DriversFacts(
        rows=tuple(row for row in rows if not row.segment),
        segments=tuple(row for row in rows if row.segment in kept),
        explained=number(told["explained"]),
        lines=(float(first), float(second)),
        confidence=float(told["confidence"]),
        notes=tuple(map(str, told["notes"])),
    )


def _driver(row: Mapping[str, Any]) -> DriverRow:
    ends: dict[str, Any] = {
        f"{name}_{end}": number(row[f"{name}_{end}"])
        for name in ("importance", "performance", "association")
        for end in ("lower", "upper")
    }
    return DriverRow(
        segment=text(row["segment"]),
        pillar=pillar_label(text(row["pillar"])),
        importance=float(row["importance"]),
        performance=float(row["performance"]),
        association=number(row["association"]),
        quadrant=text(row["quadrant"]),
        sure=bool(row["sure"]),
        n=int(row["n"]),
        **ends,
    )


def read_themes(told: Mapping[str, Any]) -> ThemesFacts:
    """Read themes.

    Parameters
    ----------
    told : mapping
        Of `habitue.scorecard.themes.Themes.to_dict`.

    Returns
    -------
    ThemesFacts
    """
    return ThemesFacts(
        themes=tuple(_theme(row) for row in told["rows"][:MOST_THEMES]),
        n_texts=int(told["n_texts"]),
        n_without=int(told["n_without"]),
    )


def read_topics(told: Mapping[str, Any]) -> tuple[Theme, ...]:
    """Read what tickets are about.

    Parameters
    ----------
    told : mapping
        A table of columns and rows, as of `habitue.scorecard.themes.count_themes`.

    Returns
    -------
    tuple of Theme
        Without examples.
    """
    return tuple(_theme(row) for row in records(told)[:MOST_TOPICS])


def read_effects(told: Mapping[str, Any]) -> tuple[OnStaying, ...]:
    """Read what randomised contacts changed in who stays.

    Parameters
    ----------
    told : mapping
        A table of columns and rows.

    Returns
    -------
    tuple of OnStaying
    """
    return tuple(
        OnStaying(
            arm=text(row["arm"]),
            n=int(row["n"]),
            n_control=int(row["n_control"]),
            control=number(row["control_mean"]),
            effect=number(row["effect"]),
            lower=number(row["lower"]),
            upper=number(row["upper"]),
            p_value=number(row["p_holm"]),
            is_effect=_is_effect(number(row["lower"]), number(row["upper"]), number(row["p_holm"])),
        )
        for row in records(told)[:MOST_TOPICS]
    )


def _is_effect(lower: float | None, upper: float | None, p_value: float | None) -> bool:
    """Tell whether an interval leaves out nought, and the p-value of all arms together agrees."""
    if lower is None or upper is None:
        return False
    return (lower > 0.0 or upper < 0.0) and (p_value is None or p_value <= _LEVEL)


def _theme(row: Mapping[str, Any]) -> Theme:
    return Theme(
        theme=text(row["theme"]),
        n=int(row["n"]),
        share=float(row["share"]),
        lower=number(row["lower"]),
        upper=number(row["upper"]),
        before=number(row["before"]),
        after=number(row["after"]),
        trend=text(row["trend"]),
        score=number(row.get("score")),
        examples=tuple(map(str, row.get("examples", ())[:MOST_EXAMPLES])),
    )
