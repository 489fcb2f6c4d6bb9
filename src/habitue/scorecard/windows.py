"""The periods of a scorecard: the whole of it and its calendar months, each with the period before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from habitue.errors import SettingsError

__all__ = ["Period", "months_of", "whole_period"]

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Days in (start, end], and those of the period before, (before, start].

    Attributes
    ----------
    start, end : datetime.date
        The days after `start`, up to and with `end`.
    before : datetime.date
        Where the period before begins: as many days earlier, or the calendar month before for a whole month.
    by, group : str
        "all" and "all", or "month" and the month.
    note : str
        Which part of a month it is, where it is not a whole one.
    """

    start: date
    end: date
    before: date
    by: str = "all"
    group: str = "all"
    note: str = ""


def whole_period(start: date, end: date) -> Period:
    """Return the days in (start, end], to be compared with as many days before.

    Parameters
    ----------
    start, end : datetime.date
        The first day not in it, and the last day in it.

    Raises
    ------
    SettingsError
        Where it has no day.

    Examples
    --------
    >>> whole_period(date(2024, 3, 31), date(2024, 6, 30)).before
    datetime.date(2023, 12, 31)
    """
    if start >= end:
        raise SettingsError(
            f"The scorecard is of the days after start up to end: start must be before end; got {start} and "
            f"{end}."
        )
    return Period(start, end, start - (end - start))


def months_of(period: Period) -> list[Period]:
    """Return the calendar months in a period; the first and the last may be there in part.

    Parameters
    ----------
    period : Period
        The whole.

    Examples
    --------
    >>> for month in months_of(whole_period(date(2024, 1, 31), date(2024, 3, 10))):
    ...     print(month.group, month.start, month.end, month.before, month.note or "whole")
    2024-02 2024-01-31 2024-02-29 2023-12-31 whole
    2024-03 2024-02-29 2024-03-10 2024-02-19 partial month: 2024-03-01 to 2024-03-10
    """
    months: list[Period] = []
    start = period.start
    while start < period.end:
        first = start + _DAY
        end = min(_last_day(first), period.end)
        is_whole = first.day == 1 and end == _last_day(first)
        before = _first_day(start) - _DAY if is_whole else start - (end - start)
        note = "" if is_whole else f"partial month: {first} to {end}"
        months.append(Period(start, end, before, "month", f"{first:%Y-%m}", note))
        start = end
    return months


def _first_day(day: date) -> date:
    return day.replace(day=1)


def _last_day(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - _DAY
