"""The scorecard as the page shows it: measures by pillar, how they moved, groups and targets.

Read from what `habitue scorecard` wrote. A move from one month to the next is called a change only where the
intervals of both months say so. Groups and months are bounded, so that the page stays small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from habitue.report.plain_data import day_of, number, text
from habitue.report.words_of_measures import label_of, pillar_of

__all__ = [
    "Change",
    "Cut",
    "CutRow",
    "MeasureFacts",
    "Point",
    "ScorecardFacts",
    "TargetFacts",
    "read_scorecard",
]

MOST_MONTHS = 24
MOST_GROUPS = 12
MOST_TARGETS = 50
_PARTIAL = "partial month"
_ON_TILES = ("nps", "csat_top_two", "retention_rate", "churn_rate", "repeat_purchase_rate", "customer_equity",
             "contract_churn_rate", "average_order_value", "active_customers")  # fmt: skip
_N_TILES = 6
_PILLARS = ("satisfaction", "perceived_value", "relationship", "emotional_connection", "habit",
            "switching_costs", "activity", "context")  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One number: of which group or month, its interval, of how many, and what has to be known of it."""

    group: str
    value: float | None
    lower: float | None
    upper: float | None
    n: int
    note: str
    is_whole: bool = True


@dataclass(frozen=True)
class Change:
    """How the last whole month differs from the one before.

    Attributes
    ----------
    before, after : str
        The months.
    difference : float
        After less before, in the unit of the measure.
    lower, upper : float or None
        Its interval, at the level of the scorecard's.
    is_change : bool or None
        Whether the interval leaves out 0; None where there is none, as of full counts.
    """

    before: str
    after: str
    difference: float
    lower: float | None
    upper: float | None
    is_change: bool | None


@dataclass(frozen=True)
class MeasureFacts:
    """One measure of everybody, and its months."""

    name: str
    label: str
    definition: str
    unit: str
    pillar: str
    whole: Point
    months: tuple[Point, ...]
    change: Change | None


@dataclass(frozen=True)
class CutRow:
    """One measure by group; a cell is None where the measure has no such group."""

    label: str
    unit: str
    cells: tuple[Point | None, ...]


@dataclass(frozen=True)
class Cut:
    """All measures by one attribute, with the reasons why cells are empty."""

    by: str
    groups: tuple[str, ...]
    n_left_out: int
    rows: tuple[CutRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TargetFacts:
    """What is to be reached, and how it stands."""

    label: str
    whom: str
    level: float
    direction: str
    by: date
    status: str
    probability: float | None
    value: float | None
    lower: float | None
    upper: float | None
    expected: float | None
    unit: str
    note: str


@dataclass(frozen=True)
class ScorecardFacts:
    """Where loyalty stands.

    Attributes
    ----------
    start, end : datetime.date
        It is of the days in (start, end].
    confidence : float
        Of every interval.
    min_count : int
        Customers that a number needs to be shown.
    warning : str
        Where it does not belong to the scores; empty where it does.
    tiles : tuple of MeasureFacts
        The few to look at first.
    measures : tuple of MeasureFacts
        All, those of a pillar together.
    cuts : tuple of Cut
        By segment and the like.
    targets : tuple of TargetFacts
    notes : tuple of str
        What could not be told, and why.
    response : tuple of MeasureFacts
        How many answered surveys, and what answers are when they are weighted to look like the base.
    """

    start: date
    end: date
    confidence: float
    min_count: int
    warning: str
    tiles: tuple[MeasureFacts, ...]
    measures: tuple[MeasureFacts, ...]
    cuts: tuple[Cut, ...]
    targets: tuple[TargetFacts, ...]
    notes: tuple[str, ...]
    response: tuple[MeasureFacts, ...]

    @property
    def changed(self) -> tuple[MeasureFacts, ...]:
        """Measures that changed from one month to the next, beyond chance."""
        return tuple(one for one in self.measures if one.change is not None and one.change.is_change)


def read_scorecard(told: Mapping[str, Any], *, warning: str = "") -> ScorecardFacts:
    """Read a scorecard.

    Parameters
    ----------
    told : mapping
        What `scorecard.json` holds.
    warning : str
        Where it does not belong to the scores.

    Returns
    -------
    ScorecardFacts
    """
    rows: list[Mapping[str, Any]] = list(told["rows"])
    definitions: Mapping[str, str] = told["definitions"]
    everybody = [row for row in rows if row["by"] == "all"]
    months = _months(rows)
    measures = sorted(
        (_measure(row, months.get(str(row["measure"]), ()), definitions) for row in everybody),
        key=lambda one: _PILLARS.index(one.pillar) if one.pillar in _PILLARS else len(_PILLARS),
    )
    by_name = {one.name: one for one in measures if one.whole.value is not None}
    first = [by_name[name] for name in _ON_TILES if name in by_name]
    cuts = dict.fromkeys(str(row["by"]) for row in rows if row["by"] not in ("all", "month"))
    start, end = day_of(told["start"]), day_of(told["end"])
    if start is None or end is None:
        raise ValueError("no days")
    return ScorecardFacts(
        start=start,
        end=end,
        confidence=float(told["confidence"]),
        min_count=int(told.get("min_count", 0)),
        warning=warning,
        tiles=tuple(first[:_N_TILES]),
        measures=tuple(measures),
        cuts=tuple(_cut(by, [row for row in rows if row["by"] == by]) for by in cuts),
        targets=tuple(_target(one) for one in told.get("targets", ())[:MOST_TARGETS]),
        notes=tuple(map(str, told.get("notes", ()))),
        response=tuple(one for one in measures if "response_rate" in one.name or "reweighted" in one.name),
    )


def _point(row: Mapping[str, Any]) -> Point:
    note = text(row["note"])
    return Point(
        text(row["group"]), number(row["value"]), number(row["lower"]), number(row["upper"]), int(row["n"]),
        note, not note.startswith(_PARTIAL),
    )  # fmt: skip


def _months(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Point, ...]]:
    """Return the last months of each measure, in their order."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["by"] == "month":
            found.setdefault(str(row["measure"]), []).append(row)
    return {
        name: tuple(_point(row) for row in sorted(some, key=lambda row: str(row["end"]))[-MOST_MONTHS:])
        for name, some in found.items()
    }


def _measure(row: Mapping[str, Any], months: Sequence[Point], definitions: Mapping[str, str]) -> MeasureFacts:
    name = str(row["measure"])
    return MeasureFacts(
        name=name,
        label=label_of(name),
        definition=text(definitions.get(name)),
        unit=text(row["unit"]),
        pillar=text(row["pillar"]) or pillar_of(name),
        whole=_point(row),
        months=tuple(months),
        change=change_of(months),
    )


def change_of(months: Sequence[Point]) -> Change | None:
    """Return how the last whole month differs from the one before; None where one of the two is missing.

    Parameters
    ----------
    months : sequence of Point
        In their order.

    Notes
    -----
    The interval of the difference comes from those of the two months (MOVER): with values a and b and their
    intervals (l, u), its lower end is b - a - sqrt((b - l_b)^2 + (u_a - a)^2). Months are taken as
    independent. Customers who are in both make the truth narrower, so that a change is called too rarely
    rather than too often.

    References
    ----------
    Zou, G. and Donner, A. (2008). Construction of confidence limits about effect measures: a general
    approach. Statistics in Medicine 27(10), 1693-1702, equation 4.

    Examples
    --------
    >>> months = [Point("2026-05", 10.0, 7.0, 13.0, 90, ""), Point("2026-06", 14.0, 10.0, 18.0, 90, "")]
    >>> change_of(months)
    Change(before='2026-05', after='2026-06', difference=4.0, lower=-1.0, upper=9.0, is_change=False)
    """
    whole = [month for month in months if month.is_whole][-2:]
    if len(whole) < 2 or whole[0].value is None or whole[1].value is None:
        return None
    before, after = whole
    a, b = whole[0].value, whole[1].value
    ends = (before.lower, before.upper, after.lower, after.upper)
    lower = upper = is_change = None
    if ends[0] is not None and ends[1] is not None and ends[2] is not None and ends[3] is not None:
        lower = b - a - ((b - ends[2]) ** 2 + (ends[1] - a) ** 2) ** 0.5
        upper = b - a + ((ends[3] - b) ** 2 + (a - ends[0]) ** 2) ** 0.5
        is_change = lower > 0.0 or upper < 0.0
    return Change(before.group, after.group, b - a, lower, upper, is_change)


def _cut(by: str, rows: Sequence[Mapping[str, Any]]) -> Cut:
    """Return all measures by group; of more groups than a table holds, those of the most customers."""
    size: dict[str, int] = {}
    for row in rows:
        size[str(row["group"])] = max(size.get(str(row["group"]), 0), int(row["n"]))
    largest = sorted(size, key=lambda name: (-size[name], name))[:MOST_GROUPS]
    groups = sorted(largest)
    lines: list[CutRow] = []
    for name, some in groupby(
        sorted(rows, key=lambda row: str(row["measure"])), lambda row: str(row["measure"])
    ):
        cells = list(some)
        points = {str(row["group"]): _point(row) for row in cells}
        lines.append(CutRow(label_of(name), text(cells[0]["unit"]), tuple(points.get(one) for one in groups)))
    empty = [cell.note for line in lines for cell in line.cells if cell and cell.value is None and cell.note]
    return Cut(by, tuple(groups), len(size) - len(groups), tuple(lines), tuple(dict.fromkeys(empty)))


def _target(told: Mapping[str, Any]) -> TargetFacts:
    by = day_of(told["by"])
    if by is None:
        raise ValueError("a target without a day")
    everybody = told.get("group_by", "all") == "all"
    return TargetFacts(
        label=label_of(str(told["metric"])),
        whom="" if everybody else f"{told['group_by']} {told['group']}",
        level=float(told["level"]),
        direction=str(told["direction"]),
        by=by,
        status=str(told["status"]),
        probability=number(told["probability"]),
        value=number(told["value"]),
        lower=number(told["lower"]),
        upper=number(told["upper"]),
        expected=number(told["expected"]),
        unit=text(told["unit"]),
        note=text(told["note"]),
    )
