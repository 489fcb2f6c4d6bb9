"""Whether a target will be met: a measure, a level and a day, and how probable it is.

A target is judged by the last whole month that has ended by its day. Before that the months so far are
forecast (`habitue.numerics.level_forecast`), and the probability of each target's being met is said. It knows
the past of the measure only: no season, no plan, and no action that is still to come.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from habitue.errors import SettingsError
from habitue.numerics.level_forecast import LEAST_MONTHS, forecast_level
from habitue.scorecard.definitions import DEFINITIONS, definition_of
from habitue.scorecard.estimates import TOO_YOUNG
from habitue.scorecard.target_series import Range, Series, last_month_by, month_number, range_of, series_of

__all__ = [
    "AT_RISK",
    "ON_TRACK",
    "Assessment",
    "Direction",
    "Status",
    "Target",
    "assess_targets",
    "check_target",
]

Direction: TypeAlias = Literal["up", "down"]
Status: TypeAlias = Literal["met", "missed", "on track", "at risk", "off track", "not measured"]

ON_TRACK, AT_RISK = 0.7, 0.3
"""From which probability on a target is on track, and at risk; below it is off track."""

_DOWN = frozenset(
    {
        "churn_rate", "revenue_churn", "contract_churn_rate", "contract_revenue_churn", "purchase_interval",
        "first_response_hours", "resolution_hours", "ticket_reopened_share", "ticket_escalated_share",
        "reward_liability",
    }
)  # fmt: skip
"""Measures of which less is better."""


@dataclass(frozen=True)
class Target:
    """What is to be reached, and by when.

    Attributes
    ----------
    metric : str
        A measure of the scorecard, such as "nps".
    level : float
        In its unit: shares from 0 to 1, points from -100 to 100.
    by : datetime.date
        The day by which it is to be reached; the last whole month that has ended by then is judged.
    direction : {"up", "down"}, optional
        Whether at or above the level is meant, or at or below; what is better for the measure where None.
    group_by, group : str
        Of whom, such as "segment" and "business"; everybody where "all".
    """

    metric: str
    level: float
    by: date
    direction: Direction | None = None
    group_by: str = "all"
    group: str = "all"

    @property
    def wanted(self) -> Direction:
        """Whether up or down is meant."""
        return self.direction or ("down" if self.metric in _DOWN else "up")

    def reached(self, value: float) -> bool:
        """Tell whether a value is at the level or beyond.

        Parameters
        ----------
        value : float
            Measured.
        """
        return value >= self.level if self.wanted == "up" else value <= self.level

    def __str__(self) -> str:
        """Return it as a person says it."""
        whom = "" if self.group_by == "all" else f" of {self.group_by} {self.group}"
        return f"{self.metric}{whom} {'≥' if self.wanted == 'up' else '≤'} {self.level:g} by {self.by}"


@dataclass(frozen=True)
class Assessment:
    """How a target stands.

    Attributes
    ----------
    target : Target
        What is to be reached.
    status : str
        "met" or "missed" once the month is measured; before, "on track" from a probability of 0.7 on, "at
        risk" from 0.3 on, else "off track"; "not measured" where the records do not tell.
    probability : float
        That the measured value is at the level or beyond by the day: 0 or 1 once it is measured, NaN where
        nothing is.
    value, lower, upper : float
        The latest measured value and its interval; of the month that was judged where it has ended.
    n_months : int
        Measured months behind the probability.
    expected, expected_lower, expected_upper : float
        Median and central 80 % of what will be measured; NaN once it is.
    unit : str
        Of all these.
    note : str
        What has to be known to read it; empty where nothing has.
    """

    target: Target
    status: Status
    probability: float
    value: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    n_months: int = 0
    expected: float = math.nan
    expected_lower: float = math.nan
    expected_upper: float = math.nan
    unit: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, days as text and what is no number as None."""
        told = asdict(self)
        target = told.pop("target") | {"direction": self.target.wanted, "by": self.target.by.isoformat()}
        numbers = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in told.items()}
        return {"target": str(self.target), **target, **numbers}


def check_target(target: Target) -> None:
    """Refuse a target that cannot be judged.

    Parameters
    ----------
    target : Target
        What is to be reached.

    Raises
    ------
    SettingsError
        Where there is no such measure (the nearest is named) or the level is out of its range.

    Examples
    --------
    >>> check_target(Target("nps", 140, date(2025, 12, 31)))
    Traceback (most recent call last):
    ...
    habitue.errors.SettingsError: The level of a target for nps must lie from -100 to 100; got 140.
    """
    ends = range_of(target.metric, _unit(target.metric))
    if not (math.isfinite(target.level) and ends.low <= target.level <= ends.high):
        allowed = f"from {ends.low:g} to {ends.high:g}" if math.isfinite(ends.high) else "at 0 or above"
        hint = (
            f": write {target.level / 100.0:g} for {target.level:g} %"
            if ends == Range(0.0, 1.0) and 1.0 < target.level <= 100.0
            else ""
        )
        raise SettingsError(
            f"The level of a target for {target.metric} must lie {allowed}; got {target.level:g}{hint}."
        )


def assess_targets(
    frame: pd.DataFrame, targets: Sequence[Target], *, confidence: float = 0.95
) -> tuple[Assessment, ...]:
    """Say how each target stands, and how probable it is that it will be met by its day.

    Parameters
    ----------
    frame : DataFrame
        Rows of a scorecard: measure, by, group, start, end, value, lower, upper, n, unit, note. Rows of whole
        months are the past of a measure; of a group they are rows by that attribute whose (start, end] is a
        month.
    targets : sequence of Target
        What is to be reached.
    confidence : float
        Of the intervals in the frame, in (0, 1).

    Returns
    -------
    tuple of Assessment
        In the order of the targets.

    Raises
    ------
    SettingsError
        Where there is no such measure, a level is out of range, or a day lies before the first month.

    Notes
    -----
    The probability is that of the value that will be measured, with the error of its measurement, not of a
    truth behind it: that is what will be judged. In simulations of series that stand still, walk, rise or
    fall, jump, or come back to a mean, what was said to be probable in 7 of 10 cases came true in about 7 of
    10 (`tests/numerics/test_level_forecast.py`). With fewer than `LEAST_MONTHS` months the level is taken to
    move by about 10 % a month, and the note says so.

    Examples
    --------
    >>> months = pd.date_range("2024-01-31", periods=9, freq="ME")
    >>> frame = pd.DataFrame({"measure": "nps", "by": "month", "group": "", "end": months.date,
    ...     "start": (months - pd.offsets.MonthEnd()).date, "value": [20.0, 22, 21, 24, 25, 24, 27, 28, 29],
    ...     "n": 400, "unit": "points", "note": ""}).assign(
    ...     lower=lambda rows: rows.value - 7, upper=lambda rows: rows.value + 7)
    >>> wanted = ((20, date(2024, 12, 31)), (60, date(2024, 12, 31)), (23, date(2024, 6, 30)))
    >>> told = assess_targets(frame, [Target("nps", level, by) for level, by in wanted])
    >>> [(one.status, round(one.probability, 1)) for one in told]
    [('on track', 0.9), ('off track', 0.0), ('met', 1.0)]
    """
    return tuple(_assessed(frame, target, confidence) for target in targets)


def _assessed(frame: pd.DataFrame, target: Target, confidence: float) -> Assessment:
    check_target(target)
    series = series_of(frame, target.metric, target.group_by, target.group)
    units = frame.loc[frame["measure"] == target.metric, "unit"]
    unit = str(units.iloc[0]) if len(units) else _unit(target.metric)
    if not len(series.months):
        return Assessment(target, "not measured", math.nan, unit=unit, note=series.note)
    due = last_month_by(target.by)
    if due < series.months[0]:
        raise SettingsError(
            f"The target {target} lies before the first month measured ({_month(int(series.months[0]))}): "
            "begin the scorecard earlier, or take the target out."
        )
    steps = due - int(series.months[-1])
    if steps <= 0:
        return _judged(target, series, len(series.months) - 1 + steps, unit)
    last, latest = int(series.months[-1]), _latest_month(frame)
    if due <= latest:
        note = f"nothing was measured in {_month(due)}, last in {_month(last)}"
        return Assessment(target, "not measured", math.nan, unit=unit, note=note)
    young = frame.loc[frame["measure"] == target.metric, "note"].str.contains(TOO_YOUNG, regex=False).any()
    notes = [f"measured last in {_month(last)}"] if last < latest else []
    return _foretold(target, series, steps, unit, confidence, (*notes, *([TOO_YOUNG] if young else ())))


def _latest_month(frame: pd.DataFrame) -> int:
    """Return the last month in which anything was measured; 0 where nothing was by month."""
    months = frame.loc[(frame["by"] == "month") & frame["value"].notna(), "end"]
    return 0 if months.empty else month_number(months.max())


def _judged(target: Target, series: Series, place: int, unit: str) -> Assessment:
    """Judge by the month that was measured."""
    value = float(series.value[place])
    if math.isnan(value):
        note = f"{_month(int(series.months[place]))} has no value"
        return Assessment(target, "not measured", math.nan, unit=unit, note=note)
    reached = target.reached(value)
    return Assessment(
        target,
        "met" if reached else "missed",
        float(reached),
        value,
        float(series.lower[place]),
        float(series.upper[place]),
        int(np.isfinite(series.value).sum()),
        unit=unit,
        note=f"judged by {_month(int(series.months[place]))}" if series.is_monthly else _ONCE,
    )


def _foretold(
    target: Target, series: Series, steps: int, unit: str, confidence: float, notes: tuple[str, ...]
) -> Assessment:
    """Forecast the month that will be judged."""
    ends = range_of(target.metric, unit)
    values, errors = series.straight(ends, confidence)
    ahead = forecast_level(values, errors, steps=steps)
    below = ahead.chance_below(series.level(ends, target.level))
    chance = 1.0 - below if target.wanted == "up" else below
    if target.reached(ends.low) and target.reached(ends.high):
        chance = 1.0
    status: Status = "on track" if chance >= ON_TRACK else "at risk" if chance >= AT_RISK else "off track"
    middle, low, high = (ends.bent(ahead.quantile(share)) for share in (0.5, 0.1, 0.9))
    return Assessment(
        target,
        status,
        chance,
        float(series.value[-1]),
        float(series.lower[-1]),
        float(series.upper[-1]),
        ahead.n_months,
        middle,
        low,
        high,
        unit,
        "; ".join((*_notes(series, ahead.n_months), *notes)),
    )


_ONCE = "measured once, of the whole period"


def _notes(series: Series, n_months: int) -> list[str]:
    told = [] if series.is_monthly else [_ONCE]
    if n_months < LEAST_MONTHS:
        told.append(
            f"fewer than {LEAST_MONTHS} months measured: the level is taken to drift by about 10 % a month"
        )
    return told


def _month(number: int) -> str:
    return f"{number // 12}-{number % 12 + 1:02d}"


def _unit(metric: str) -> str:
    """Return the unit of a measure; where there is no such measure, name the nearest."""
    try:
        return definition_of(metric).unit
    except SettingsError as error:
        near = get_close_matches(metric, _names(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_names())}."
        raise SettingsError(f"There is no measure {metric!r} for a target; {hint}") from error


def _names() -> Iterable[str]:
    return list(DEFINITIONS)
