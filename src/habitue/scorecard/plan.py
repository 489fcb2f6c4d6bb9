"""What a scorecard was asked for, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from habitue.errors import SettingsError
from habitue.records import CustomerLog, History
from habitue.records.history import main_kind
from habitue.scorecard.measures import check_confidence

__all__ = ["Plan", "check_plan"]

OWN_CUTS = ("month", "cohort", "channel")
"""Cuts that are no attribute of customers."""


@dataclass(frozen=True)
class Plan:
    """What a scorecard was asked for.

    Attributes
    ----------
    history : History
        What was known at its end.
    first_day : datetime.date
        Of the log.
    by : tuple of str
        Cuts.
    attributes : tuple of str
        Of customers, those to cut or to reweight by.
    confidence : float
        Of the intervals.
    min_count : int
        Customers that a number shown has to have behind it.
    cohort : str
        "month" or "quarter".
    point_value : float or None
        Money per point.
    asked : Mapping[str, str]
        Survey to the event that says who was asked.
    reweight_by : tuple of str or None
        Columns that respondents are made to look like the base in; what there is where None.
    off_scale : str
        "refuse" or "leave_out".
    """

    history: History
    first_day: date
    by: tuple[str, ...]
    attributes: tuple[str, ...]
    confidence: float
    min_count: int
    cohort: Literal["month", "quarter"]
    point_value: float | None
    asked: Mapping[str, str]
    reweight_by: tuple[str, ...] | None
    off_scale: Literal["refuse", "leave_out"]

    @property
    def cuts(self) -> tuple[str, ...]:
        """Cuts of customers: their attributes, and the cohort."""
        return tuple(one for one in self.by if one not in ("month", "channel"))

    @property
    def buys(self) -> bool:
        """Whether purchases, not contracts, say who is a customer."""
        return main_kind(self.history.kinds) == "transactions"

    def has(self, kind: str, *columns: str) -> bool:
        """Tell whether the log has a kind of record, with columns.

        Parameters
        ----------
        kind : str
            Such as "tickets".
        *columns : str
            Optional columns of it.
        """
        return kind in self.history.kinds and set(columns) <= set(self.history.columns(kind))


def check_plan(
    log: CustomerLog,
    end: date,
    *,
    by: tuple[str, ...],
    confidence: float,
    min_count: int,
    cohort: Literal["month", "quarter"],
    point_value: float | None,
    asked: Mapping[str, str] | None,
    reweight_by: tuple[str, ...] | None,
    off_scale: Literal["refuse", "leave_out"],
) -> Plan:
    """Return what was asked for, or say which setting is none.

    Parameters
    ----------
    log : CustomerLog
        The records.
    end : datetime.date
        The last day that may be read.
    by : tuple of str
        Cuts.
    confidence : float
        Of the intervals.
    min_count : int
        Customers that a number needs.
    cohort : {"month", "quarter"}
        How customers are put together by when they came.
    point_value : float, optional
        Money per point.
    asked : Mapping[str, str], optional
        Survey to the event that says who was asked.
    reweight_by : tuple of str, optional
        What respondents are made to look like the base in.
    off_scale : {"refuse", "leave_out"}
        What becomes of answers off their scale.

    Raises
    ------
    SettingsError
        Where a setting is out of range, or names an attribute, event or survey that the log lacks.
    DataError
        Where the log has no such end.
    """
    _refuse_numbers(confidence, min_count, point_value)
    if cohort not in ("month", "quarter"):
        raise SettingsError(f"cohort must be 'month' or 'quarter'; got {cohort!r}.")
    if off_scale not in ("refuse", "leave_out"):
        raise SettingsError(f"off_scale must be 'refuse' or 'leave_out'; got {off_scale!r}.")
    history = log.until(end)
    there = attributes_of(history)
    # Segment is asked for by default, and few logs have it.
    by = tuple(one for one in by if one != "all" and (one != "segment" or one in there))
    wanted = [one for one in by if one not in OWN_CUTS]
    wanted += [one for one in reweight_by or () if one not in (*OWN_CUTS, "band")]
    if reweight_by is None and "segment" in there:
        wanted.append("segment")
    if absent := sorted(set(wanted) - set(there)):
        raise SettingsError(
            f"Customers have no attribute {', '.join(absent)}; to cut or reweight by there are "
            f"{', '.join((*OWN_CUTS, *there))}."
        )
    if asked and "events" not in history.kinds:
        raise SettingsError("asked names events that say who was asked, but the log has no events.")
    if odd := sorted(set(asked or ()) - {"nps", "csat"}):
        raise SettingsError(f"asked is for the surveys nps and csat; got {', '.join(odd)}.")
    return Plan(
        history, log.first_day, tuple(dict.fromkeys(by)), tuple(dict.fromkeys(wanted)), confidence, min_count,
        cohort, point_value, dict(asked or {}), reweight_by, off_scale,
    )  # fmt: skip


def attributes_of(history: History) -> tuple[str, ...]:
    """Return what the log says of customers that they can be cut by.

    Parameters
    ----------
    history : History
        What was known.
    """
    if "customers" not in history.kinds:
        return ()
    own = {"customer_id", "acquired_at", "recorded_at", "day"}
    return tuple(name for name in history.columns("customers") if name not in own)


def _refuse_numbers(confidence: float, min_count: int, point_value: float | None) -> None:
    check_confidence(confidence)
    if min_count < 1 or min_count != int(min_count):
        raise SettingsError(
            f"min_count is how many customers a number needs to be shown, 1 or more; got {min_count}."
        )
    if point_value is not None and not 0.0 <= point_value < float("inf"):
        raise SettingsError(f"point_value is the money that a point is worth, 0 or more; got {point_value}.")
