"""`habitue scorecard`: measures, targets and the audit of the base, made from a log and written whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from habitue.errors import SettingsError
from habitue.files import safe_cells
from habitue.pipelines.files import write_beside, write_text
from habitue.pipelines.scorecard_audit import audit_of
from habitue.pipelines.scorecard_drivers import movers_of
from habitue.pipelines.scorecard_scores import DayScores, scores_at
from habitue.pipelines.scorecard_settings import ScorecardSettings
from habitue.records import CustomerLog
from habitue.scorecard import Scorecard, scorecard
from habitue.scorecard.plan import attributes_of
from habitue.scorecard.targets import Assessment, Target, assess_targets, check_target
from habitue.scorecard.windows import months_of, whole_period

if TYPE_CHECKING:
    from habitue.pipelines.scoring.batches import Target as ScoresTarget
    from habitue.tracking import Store

__all__ = ["ScorecardRun", "default_window", "make_scorecard", "write_scorecard"]

Progress = Callable[[str], None]

_SUFFIXES = (".json", ".csv", ".parquet")
_OF_SCORES = ("clv", "customer_equity")
"""Measures that need scores, and that no month has."""
_NO_SCORES = DayScores()


@dataclass(frozen=True)
class ScorecardRun:
    """What `habitue scorecard` found.

    Attributes
    ----------
    card : Scorecard
        The measures.
    targets : tuple of Assessment
        In the order of the settings.
    audit : dict
        Of `habitue.pipelines.scorecard_audit.audit_of`.
    movers : dict
        Of `habitue.pipelines.scorecard_drivers.movers_of`.
    notes : tuple of str
        What could not be told, and why.
    source : str
        The records, as people name them.
    observed_until : datetime.date
        The last day of the log.
    min_count : int
        Customers that a number needed to be shown.
    made_at : datetime
        When.
    """

    card: Scorecard
    targets: tuple[Assessment, ...]
    audit: dict[str, Any]
    movers: dict[str, Any]
    notes: tuple[str, ...]
    source: str
    observed_until: date
    min_count: int
    made_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `Scorecard.from_dict` reads its measures back."""
        return {
            "kind": "habitue scorecard",
            "version": 1,
            "made_at": self.made_at.isoformat(),
            "source": self.source,
            "observed_until": self.observed_until.isoformat(),
            "min_count": self.min_count,
            "targets": [one.to_dict() for one in self.targets],
            **self.card.to_dict(),
            "notes": list(self.notes),
            "audit": self.audit,
            "movers": self.movers,
        }


def make_scorecard(
    log: CustomerLog,
    known: ScorecardSettings,
    targets: Sequence[Target],
    *,
    now: datetime,
    source: str,
    start: date | None = None,
    end: date | None = None,
    horizon: int = 91,
    scores: ScoresTarget | None = None,
    store: Callable[[], Store] | None = None,
    progress: Progress | None = None,
) -> ScorecardRun:
    """Measure where loyalty stands, judge the targets and audit the base.

    Parameters
    ----------
    log : CustomerLog
        The records.
    known : ScorecardSettings
        How the scorecard is made.
    targets : sequence of Target
        What is to be reached.
    now : datetime
        Written into the answer.
    source : str
        The records, as people name them.
    start, end : datetime.date, optional
        The day before the period, and its last day; of `default_window` where None.
    horizon : int
        Days in which a customer stays or is lost, for what moves loyalty.
    scores : scoring target, optional
        Where `habitue score` wrote its batches: the one as of `end` gives CLV and customer equity.
    store : callable, optional
        Opens MLflow's home; asked where there are scores, for how far off the model's totals were.
    progress : callable, optional
        Called with one line before each step.

    Returns
    -------
    ScorecardRun

    Raises
    ------
    SettingsError
        Where a setting or a target says something impossible.
    DataError
        Where the period is no part of the log, or records or scores do not fit.
    """
    for target in targets:
        check_target(target)
    tell = progress or (lambda _: None)
    start, end = default_window(log, start, end)
    found = scores_at(scores, end, store=store)
    by = tuple(dict.fromkeys(["month", *_cuts(log, known, end), *_groups(targets)]))
    tell(f"measuring {start + timedelta(days=1)} to {end}")
    card = _card(log, known, start, end, by, found)
    # Nobody can score money where there are contracts alone, so that nothing is missing.
    notes = (*(found.notes if "transactions" in log.kinds else ()), *card.notes)
    tell("judging the targets")
    frame = pd.concat([card.frame, *_months_of_groups(log, known, targets, start, end)], ignore_index=True)
    judged = assess_targets(frame, targets, confidence=known.confidence)
    tell("auditing the customer base")
    audit = audit_of(log, start, end, confidence=known.confidence, min_count=known.min_count)
    tell("looking for what moves loyalty")
    movers = movers_of(log, start, end, horizon=horizon, confidence=known.confidence)
    return ScorecardRun(
        card,
        judged,
        audit,
        movers,
        notes,
        source,
        log.observed_until,
        known.min_count,
        now,
    )


def default_window(log: CustomerLog, start: date | None = None, end: date | None = None) -> tuple[date, date]:
    """Return the days (start, end] of a scorecard: the last twelve whole months of the log.

    Parameters
    ----------
    log : CustomerLog
        The records.
    start, end : datetime.date, optional
        Where they are given they stay.

    Returns
    -------
    tuple of datetime.date
        Of a log shorter than twelve months its whole months, and of one without a whole month all days.

    Raises
    ------
    SettingsError
        Where the start is not before the end.

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> [str(day) for day in default_window(cdnow(sample=True))]
    ['1997-06-30', '1998-06-30']
    """
    begin = log.first_day - timedelta(days=1)
    if end is None:
        end = _ended_month(log.observed_until)
        if end <= (start or begin):
            end = log.observed_until
    if start is None:
        first = begin if begin == _ended_month(begin) else _ended_month(begin + timedelta(days=31))
        start = max(_year_before(end), first)
        start = start if start < end else begin
    if start >= end:
        raise SettingsError(f"The scorecard must start before it ends; got {start} and {end}.")
    return start, end


def _ended_month(day: date) -> date:
    """Return the last day of a month, at a day or before it."""
    after = day + timedelta(days=1)
    return after.replace(day=1) - timedelta(days=1)


def _year_before(end: date) -> date:
    """Return the same day a year earlier; of the last day of a month the last day of that month."""
    if end == _ended_month(end):
        after = end + timedelta(days=1)
        return after.replace(year=after.year - 1) - timedelta(days=1)
    return end.replace(year=end.year - 1)


def _card(
    log: CustomerLog,
    known: ScorecardSettings,
    start: date,
    end: date,
    by: Sequence[str],
    scores: DayScores = _NO_SCORES,
) -> Scorecard:
    return scorecard(
        log,
        start=start,
        end=end,
        by=by,
        confidence=known.confidence,
        min_count=known.min_count,
        cohort=known.cohort,
        scores=scores.frame,
        scores_level=scores.level,
        equity_bias=scores.bias,
        point_value=known.point_value,
        asked=known.asked or None,
        reweight_by=known.reweight_by,
        off_scale=known.off_scale,
    )


def _cuts(log: CustomerLog, known: ScorecardSettings, end: date) -> list[str]:
    """Return what is cut by beside months; where nobody said, by segment if customers have one."""
    if known.by is not None:
        return known.by
    return [name for name in attributes_of(log.until(end)) if name == "segment"]


def _groups(targets: Sequence[Target]) -> list[str]:
    """Name what targets of a group are cut by."""
    return list(dict.fromkeys(one.group_by for one in targets if one.group_by != "all"))


def _months_of_groups(
    log: CustomerLog, known: ScorecardSettings, targets: Sequence[Target], start: date, end: date
) -> list[pd.DataFrame]:
    """Measure the groups of targets month by month: a scorecard has months of everybody only."""
    cuts = _groups([one for one in targets if one.metric not in _OF_SCORES])
    if not cuts:
        return []
    months = [month for month in months_of(whole_period(start, end)) if not month.note]
    frames = [_card(log, known, month.start, month.end, cuts).frame for month in months]
    return [frame.loc[frame["by"].isin(cuts)] for frame in frames]


def write_scorecard(found: ScorecardRun, path: Path) -> Path:
    """Write all of it as JSON, or the table of measures as CSV or Parquet; beside and renamed.

    Parameters
    ----------
    found : ScorecardRun
        Of `make_scorecard`.
    path : Path
        Ends in .json, .csv or .parquet.

    Raises
    ------
    SettingsError
        Where it has another ending, or cannot be written to.
    """
    frame = found.card.frame
    if path.suffix == ".json":
        text = json.dumps(found.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        return write_text(path, text + "\n")
    if path.suffix == ".csv":
        return write_beside(path, lambda to: safe_cells(frame).to_csv(to, index=False))
    if path.suffix == ".parquet":
        return write_beside(path, lambda to: frame.to_parquet(to, index=False))
    raise SettingsError(
        f"The scorecard is written to a file that ends in {', '.join(_SUFFIXES)}; got {path.name!r}."
    )
