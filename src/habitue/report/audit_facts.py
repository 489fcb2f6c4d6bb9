"""The audit of the customer base as the page shows it: triangle, cohorts, who came and left, deciles.

Read from the "audit" of a scorecard. All tables are bounded by the audit itself (at most 24 periods); cohorts
are pooled for the picture, so that its colours can be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from habitue.report.plain_data import day_of, number, records, text

__all__ = [
    "SMALL_COHORTS",
    "AuditFacts",
    "Bands",
    "Bridge",
    "Step",
    "Transitions",
    "Triangle",
    "TriangleRow",
    "read_audit",
]

SMALL_COHORTS = "small cohorts"
"""Name of the band of cohorts that are too small to be told apart."""

_MOST_BANDS = 6
_MOST_PERIODS = 36


@dataclass(frozen=True)
class TriangleRow:
    """One cohort: who came, and which share bought at each age; None where that age is not over."""

    cohort: str
    n: int
    shares: tuple[float | None, ...]


@dataclass(frozen=True)
class Triangle:
    """Cohorts by age."""

    period: str
    ages: tuple[int, ...]
    rows: tuple[TriangleRow, ...]


@dataclass(frozen=True)
class Bands:
    """Spend of each period, parted by when customers came.

    Attributes
    ----------
    periods : tuple of str
    bands : tuple of str
        Cohorts, pooled where there are many.
    amounts : tuple of tuple of float
        One tuple a band, one number a period.
    """

    periods: tuple[str, ...]
    bands: tuple[str, ...]
    amounts: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Step:
    """A step from one period's money to the next."""

    step: str
    n: int
    amount: float
    is_total: bool


@dataclass(frozen=True)
class Bridge:
    """From one period to the next: who came, left and stayed."""

    money: str
    steps: tuple[Step, ...]
    changes: tuple[tuple[str, int, float, float], ...]


@dataclass(frozen=True)
class Transitions:
    """Which share of each tenth went where."""

    destinations: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[float | None, ...]], ...]


@dataclass(frozen=True)
class AuditFacts:
    """What the audit says; a part is None where the records do not tell it."""

    start: date | None
    end: date | None
    before: date | None
    triangle: Triangle | None
    bands: Bands | None
    bridge: Bridge | None
    transitions: Transitions | None
    notes: tuple[str, ...]


def read_audit(told: Mapping[str, Any]) -> AuditFacts:
    """Read the audit of a scorecard.

    Parameters
    ----------
    told : mapping
        What stands under "audit" in `scorecard.json`.

    Returns
    -------
    AuditFacts
    """
    both: Mapping[str, Any] = told.get("two_periods") or {}
    start, end = told.get("period", (None, None))
    period = str(told.get("cohort_period", "month"))
    return AuditFacts(
        start=day_of(start),
        end=day_of(end),
        before=day_of(told["period_before"][0]) if "period_before" in told else None,
        triangle=_triangle(records(told.get("retention_triangle")), period),
        bands=_bands(records(told.get("whole_base")), period),
        bridge=_bridge(records(both.get("bridge")), records(both.get("changes"))),
        transitions=_transitions(records(both.get("transitions"))),
        notes=tuple(map(str, told.get("notes", ()))),
    )


def period_label(first: str, period: str) -> str:
    """Return what a period is called, by its first day.

    Parameters
    ----------
    first : str
        ISO.
    period : str
        "month", "quarter" or "year".

    Examples
    --------
    >>> period_label("2026-04-01", "month"), period_label("2026-04-01", "quarter")
    ('2026-04', '2026-Q2')
    """
    if period == "year":
        return first[:4]
    return f"{first[:4]}-Q{(int(first[5:7]) + 2) // 3}" if period == "quarter" else first[:7]


def _triangle(rows: Sequence[Mapping[str, Any]], period: str) -> Triangle | None:
    if not rows:
        return None
    ages = sorted({int(row["age"]) for row in rows})
    shares = {(str(row["cohort"]), int(row["age"])): number(row["share_active"]) for row in rows}
    sizes = {str(row["cohort"]): int(row["n_customers"]) for row in rows}
    return Triangle(
        period,
        tuple(ages),
        tuple(
            TriangleRow(
                period_label(cohort, period), sizes[cohort], tuple(shares.get((cohort, age)) for age in ages)
            )
            for cohort in sorted(sizes)
        ),
    )


def _bands(rows: Sequence[Mapping[str, Any]], period: str) -> Bands | None:
    """Pool cohorts into as few bands as a picture bears: by themselves, by quarter, or by year."""
    if not rows:
        return None
    cohorts = sorted({str(row["cohort"]) for row in rows if row["cohort"] is not None})
    name = {one: one for one in cohorts}
    for length in (period, "quarter", "year"):
        name = {one: period_label(one, length) for one in cohorts}
        if len(set(name.values())) <= _MOST_BANDS:
            break
    labels = sorted(set(name.values()))
    early = labels[: max(len(labels) - _MOST_BANDS + 1, 0)] if len(labels) > _MOST_BANDS else []
    told = {one: f"until {early[-1]}" if early and label in early else label for one, label in name.items()}
    bands = list(dict.fromkeys(told[one] for one in cohorts))
    if any(row["cohort"] is None for row in rows):
        bands.append(SMALL_COHORTS)
    periods = sorted({str(row["period"]) for row in rows})[-_MOST_PERIODS:]
    amounts = {band: dict.fromkeys(periods, 0.0) for band in bands}
    for row in rows:
        band = SMALL_COHORTS if row["cohort"] is None else told[str(row["cohort"])]
        if str(row["period"]) in amounts[band]:
            amounts[band][str(row["period"])] += number(row["spend"]) or 0.0
    return Bands(
        tuple(period_label(one, period) for one in periods),
        tuple(bands),
        tuple(tuple(amounts[band][one] for one in periods) for band in bands),
    )


def _bridge(steps: Sequence[Mapping[str, Any]], changes: Sequence[Mapping[str, Any]]) -> Bridge | None:
    if not steps:
        return None
    last = len(steps) - 1
    told = tuple(
        Step(text(row["step"]), int(row["n_customers"]), float(row["amount"]), place in (0, last))
        for place, row in enumerate(steps)
        if place in (0, last) or row["n_customers"] or row["amount"]
    )
    moves = tuple(
        (text(row["state"]), int(row["n_customers"]), float(row["spend_1"]), float(row["spend_2"]))
        for row in changes
    )
    return Bridge(text(steps[0].get("money", "spend")), told, moves)


def _transitions(rows: Sequence[Mapping[str, Any]]) -> Transitions | None:
    if not rows:
        return None
    destinations = list(dict.fromkeys(text(row["destination"]) for row in rows))
    shares = {(text(row["origin"]), text(row["destination"])): number(row["share"]) for row in rows}
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[text(row["origin"])] = sizes.get(text(row["origin"]), 0) + int(row["n"])
    return Transitions(
        tuple(destinations),
        tuple(
            (origin, n, tuple(shares.get((origin, one)) for one in destinations))
            for origin, n in sizes.items()
            if n
        ),
    )
