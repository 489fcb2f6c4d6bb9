"""The scorecard: every measure that a log has records for, with its interval, its count and its definition.

It says where loyalty stands, not why (`habitue.scorecard.drivers`) and not what to do about it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Literal

import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SchemaError
from habitue.records import CustomerLog
from habitue.records.days import as_day
from habitue.scorecard import tallies
from habitue.scorecard.buying import of_channels
from habitue.scorecard.equity import of_scores, read_scores
from habitue.scorecard.estimates import Evidence
from habitue.scorecard.gathering import NEEDS_THE_PERIOD_BEFORE, evidence_of, has_period_before
from habitue.scorecard.measures import Measure
from habitue.scorecard.plan import Plan, check_plan
from habitue.scorecard.rows import by_column, by_month, of_everybody, without
from habitue.scorecard.untold import untold
from habitue.scorecard.windows import Period, months_of, whole_period

__all__ = ["Scorecard", "scorecard"]

_COLUMNS = (
    "measure", "by", "group", "start", "end", "value", "lower", "upper", "n", "unit", "pillar", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Scorecard:
    """Where loyalty stands in the days of (start, end].

    Attributes
    ----------
    frame : DataFrame
        One row a number: measure, by, group, start, end, value, lower, upper, n (customers behind it), unit,
        pillar, note. Value and ends are NaN where a number is held back or cannot be told; the note says why.
    definitions : Mapping[str, str]
        One sentence a measure.
    start, end : datetime.date
        The last day before it, and its last day.
    confidence : float
        Of the intervals.
    notes : tuple of str
        What the records hold, or what was asked for, that no number tells.
    """

    frame: pd.DataFrame
    definitions: Mapping[str, str]
    start: date
    end: date
    confidence: float
    notes: tuple[str, ...] = ()

    def measure(self, name: str, *, by: str = "all", group: str = "all") -> Measure:
        """Return one number.

        Parameters
        ----------
        name : str
            Such as "nps".
        by, group : str
            The cut and the group.

        Raises
        ------
        DataError
            Where the scorecard has no such number.
        """
        frame = self.frame
        found = frame[(frame["measure"] == name) & (frame["by"] == by) & (frame["group"] == group)]
        if found.empty:
            raise DataError(
                f"The scorecard has no {name} by {by} for {group}; its measures are "
                f"{', '.join(dict.fromkeys(frame['measure']))}; its cuts are "
                f"{', '.join(dict.fromkeys(frame['by']))}."
            )
        row = found.iloc[0].to_dict()
        row["name"] = row.pop("measure")
        return Measure(definition=self.definitions[name], **{str(key): one for key, one in row.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data that JSON can hold: days as text, what is missing as None."""
        rows = [{name: _plain(one) for name, one in row.items()} for row in self.frame.to_dict("records")]
        return {
            "start": str(self.start),
            "end": str(self.end),
            "confidence": self.confidence,
            "notes": list(self.notes),
            "definitions": dict(self.definitions),
            "rows": rows,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Scorecard:
        """Return the scorecard that `to_dict` told.

        Parameters
        ----------
        told : Mapping
            From `to_dict`, or from JSON made of it.

        Raises
        ------
        SchemaError
            Where something of it is missing.
        """
        absent = {"start", "end", "confidence", "definitions", "rows"} - set(told)
        rows = list(told.get("rows", ()))
        absent |= {name for row in rows for name in _COLUMNS if name not in row}
        if absent:
            raise SchemaError(f"This is no scorecard: it lacks {', '.join(sorted(absent))}.")
        days = [{**row, **{name: date.fromisoformat(row[name]) for name in ("start", "end")}} for row in rows]
        start, end = (date.fromisoformat(told[name]) for name in ("start", "end"))
        return cls(
            _frame(days),
            dict(told["definitions"]),
            start,
            end,
            float(told["confidence"]),
            tuple(told.get("notes", ())),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    types = {"value": "float64", "lower": "float64", "upper": "float64", "n": "int64"}
    texts = dict.fromkeys(("measure", "by", "group", "unit", "pillar", "note"), "str")
    return frame.astype({**types, **texts, "start": "object", "end": "object"})


def scorecard(
    log: CustomerLog,
    *,
    start: date | str,
    end: date | str,
    by: Sequence[str] = ("month", "segment"),
    confidence: float = 0.95,
    min_count: int = 30,
    cohort: Literal["month", "quarter"] = "quarter",
    scores: pd.DataFrame | None = None,
    scores_level: float = 0.8,
    equity_draws: npt.ArrayLike | None = None,
    equity_bias: tuple[float, float] | None = None,
    point_value: float | None = None,
    asked: Mapping[str, str] | None = None,
    reweight_by: Sequence[str] | None = None,
    off_scale: Literal["refuse", "leave_out"] = "refuse",
) -> Scorecard:
    """Tell where loyalty stands: every measure that the log has records for, over all and by group.

    Parameters
    ----------
    log : CustomerLog
        The records; none after `end` is read.
    start, end : date or str
        The days after start up to end.
    by : sequence of str
        Cuts beside the whole: "month", "cohort", "channel", and attributes of customers such as "segment".
        "segment" is passed over where customers have none.
    confidence : float
        Of the intervals, in (0, 1).
    min_count : int
        Customers that a number needs to be shown. Smaller groups are pooled into "other", months held back.
    cohort : {"month", "quarter"}
        Of the first purchase.
    scores : DataFrame, optional
        Of `habitue score` at `end`: customer_id, clv, and clv_lower and clv_upper for intervals (money).
    scores_level : float
        Probability that clv_lower and clv_upper hold, in (0, 1).
    equity_draws : array_like of shape (n_draws,), optional
        ``hb.clv_distribution(...).total`` of the same customers: customer equity is then as uncertain as the
        parameters of the model.
    equity_bias : tuple of float, optional
        Ends of the interval for how far the model's total was off on held-out days, such as (-0.2, 0.05):
        predicted over actual, less 1. The intervals then hold that, too.
    point_value : float, optional
        Money that a reward point is worth; the liability is told in points where None.
    asked : Mapping[str, str], optional
        Survey ("nps", "csat") to the event that says who was asked, for the response rates. Everybody active
        counts as asked where None.
    reweight_by : sequence of str, optional
        In what respondents are made to look like the customers active in the period: attributes, "cohort" and
        "band" (how often and how lately they buy). Segment and band where None; nothing where empty.
    off_scale : {"refuse", "leave_out"}
        What becomes of answers that their scale does not have.

    Returns
    -------
    Scorecard

    Raises
    ------
    SettingsError
        Where a setting is out of range, or names what the log lacks.
    DataError, SchemaError
        Where the log does not reach `end`, answers are off their scale, or scores do not fit the log.

    Notes
    -----
    Intervals: Tango's for the Net Promoter Score; Wilson's for shares of customers, and with the number of
    independent records that would tell as much where a customer has several; a linearised ratio over
    customers with its skewness taken out for amounts and gaps; Kaplan and Meier's median for waits, as
    tickets still open count. They say how another base of such customers might have come out. Numbers that
    are the whole base, such as active customers, have none: nothing was drawn. n is always customers.

    The period before has as many days, and for a whole calendar month it is the month before. Where the log
    does not reach back that far the number is missing, and the note says so. In a log with purchases the
    measures of contracts begin with ``contract_``.

    By channel there are active customers, average order value and contacts answered: purchases and contacts
    have a channel on record, surveys and tickets have none. ``notes`` says so where it is asked for.

    Examples
    --------
    >>> import habitue as hb
    >>> card = scorecard(hb.datasets.cdnow(sample=True), start="1997-06-30", end="1997-12-28")
    >>> kept = card.measure("retention_rate")
    >>> kept.n, round(kept.value, 3), round(kept.lower, 3), round(kept.upper, 3)
    (2357, 0.261, 0.244, 0.279)
    """
    period = whole_period(as_day(start, "start"), as_day(end, "end"))
    cuts = (by,) if isinstance(by, str) else tuple(by)
    columns = None if reweight_by is None else tuple(reweight_by)
    plan = check_plan(
        log, period.end, by=cuts, confidence=confidence, min_count=min_count, cohort=cohort,
        point_value=point_value, asked=asked, reweight_by=columns, off_scale=off_scale,
    )  # fmt: skip
    people = tallies.labels(plan.history, plan.attributes, cohort)
    found = evidence_of(plan, period, people)
    if scores is not None:
        scored = read_scores(scores, people, plan, level=scores_level)
        found += of_scores(scored, plan, draws=equity_draws, bias=equity_bias)
    return _card(_rows(found, plan, period, people), period, confidence, untold(plan, period))


def _rows(found: list[Evidence], plan: Plan, period: Period, people: pd.DataFrame) -> list[Measure]:
    rows: list[Measure] = []
    before = has_period_before(plan, period)
    for evidence in found:
        if evidence.measure in NEEDS_THE_PERIOD_BEFORE and not before:
            rows.append(without(evidence, _too_early(plan), plan, period))
            continue
        rows.append(of_everybody(evidence, plan, period))
        for name in plan.cuts:
            rows += by_column(evidence, name, plan, period)
    if "channel" in plan.by:
        for evidence in of_channels(plan, period):
            rows += by_column(evidence, "channel", plan, period)
    return rows + _months(plan, period, people) if "month" in plan.by else rows


def _too_early(plan: Plan) -> str:
    return (
        f"the period before is not in the log, which begins on {plan.first_day}: it can be told of a shorter "
        "period (--start)"
    )


def _months(plan: Plan, period: Period, people: pd.DataFrame) -> list[Measure]:
    """Return the numbers of the months, those of a measure together."""
    kept: dict[str, list[tuple[Evidence, Period]]] = {}
    rows: list[Measure] = []
    for month in months_of(period):
        for evidence in evidence_of(plan, month, people):
            if evidence.measure in NEEDS_THE_PERIOD_BEFORE and not has_period_before(plan, month):
                rows.append(without(evidence, _too_early(plan), plan, month))
            else:
                kept.setdefault(evidence.measure, []).append((evidence, month))
    return rows + [row for one in kept.values() for row in by_month(one, plan)]


def _card(rows: list[Measure], period: Period, confidence: float, notes: tuple[str, ...]) -> Scorecard:
    """Put the rows together, those of a measure beside each other."""
    place = {name: at for at, name in enumerate(dict.fromkeys(row.name for row in rows))}
    cut = {name: at for at, name in enumerate(dict.fromkeys(row.by for row in rows))}
    rows = sorted(rows, key=lambda row: (place[row.name], cut[row.by], row.group))
    told = [
        {"measure" if field.name == "name" else field.name: getattr(row, field.name) for field in fields(row)}
        for row in rows
    ]
    definitions = {row.name: row.definition for row in rows}
    return Scorecard(_frame(told), definitions, period.start, period.end, confidence, notes)
