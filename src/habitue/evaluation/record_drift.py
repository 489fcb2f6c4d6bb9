"""Whether records still come as they did: their number, their gaps, what they leave out, and new levels.

Everything is judged from counts a day, made elsewhere (`habitue.pipelines.monitoring.records`): the last four
weeks against the weeks before. Weeks, not rows, are what is counted in the tests: rows of one day come and go
together, so that each by itself would make chance look too small.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from habitue.evaluation.drift import Check
from habitue.evaluation.ranking import FloatArray
from habitue.numerics.drift import chi_squared_test, p_silence, welch_test

__all__ = [
    "RECENT_WEEKS",
    "level_checks",
    "missing_checks",
    "set_aside_check",
    "silence_check",
    "volume_check",
]

RECENT_WEEKS: Final = 4
"""Weeks up to the cutoff that are judged."""

_WEEKS_BEFORE, _LEAST_BEFORE = 12, 8
_WEEKS_A_YEAR: Final = 52
_TWICE, _LONGER, _POINTS, _ASIDE, _NEW = 2.0, 1.5, 0.05, 0.02, 0.05
"""Floors: of records a week, silence over the longest before, share missing, set aside, and of a level."""


def volume_check(kind: str, counts: pd.Series) -> Check | None:
    """Compare records a week with the twelve weeks before.

    Parameters
    ----------
    kind : str
        Of record.
    counts : Series of int
        Records a day, without gaps, up to the cutoff.

    Returns
    -------
    Check or None
        None where the log is too short. The season is an excuse where the same weeks of last year went by a
        factor that is nearly the same.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=140)
    >>> counts = pd.Series(np.where(np.arange(140) < 112, 20, 2), index=days)
    >>> volume_check("events", counts).effect
    10.0
    """
    weeks = _by_week(counts)
    if len(weeks) < RECENT_WEEKS + _LEAST_BEFORE:
        return None
    now, before = weeks[-RECENT_WEEKS:], weeks[-RECENT_WEEKS - _WEEKS_BEFORE : -RECENT_WEEKS]
    p = welch_test(np.log1p(now), np.log1p(before)).p_value
    moved = _factor(now, before)
    told = (
        f"{kind}: {now.mean():,.0f} records a week in the last {RECENT_WEEKS} weeks, against "
        f"{before.mean():,.0f} in the {len(before)} weeks before."
    )
    seasonal = False
    if len(weeks) >= _WEEKS_A_YEAR + RECENT_WEEKS + _LEAST_BEFORE:
        year = weeks[:-_WEEKS_A_YEAR]
        usual = _factor(year[-RECENT_WEEKS:], year[-RECENT_WEEKS - _WEEKS_BEFORE : -RECENT_WEEKS])
        seasonal = bool(abs(np.log(moved / usual)) < np.log(_TWICE) / 2.0) if usual > 0.0 < moved else False
    effect = max(moved, 1.0 / moved) if moved > 0.0 else np.inf
    return Check("data", kind, "Welch, weeks", p, effect, "times", _TWICE, told, seasonal)


def silence_check(kind: str, counts: pd.Series) -> Check | None:
    """Tell whether a source has been silent for longer than chance allows.

    Parameters
    ----------
    kind : str
        Of record.
    counts : Series of int
        Records a day, without gaps, up to the cutoff.

    Returns
    -------
    Check or None
        None where fewer than eight weeks were heard. The effect is the silence over the longest one before.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=140)
    >>> counts = pd.Series(np.where(np.arange(140) < 130, 5, 0), index=days)
    >>> check = silence_check("events", counts)
    >>> check.effect, check.p_value < 1e-9
    (10.0, True)
    """
    heard = np.flatnonzero(counts.to_numpy() > 0)
    if not heard.size or heard[-1] + 1 < _LEAST_BEFORE * 7:
        return None
    known = counts.iloc[heard[0] : heard[-1] + 1]
    known = known.iloc[-_WEEKS_A_YEAR * 7 :]
    silent = counts.iloc[heard[-1] + 1 :]
    weekday = pd.DatetimeIndex(known.index).day_of_week.to_numpy()
    empty = np.bincount(weekday[known.to_numpy() == 0], minlength=7)
    p = p_silence(
        empty,
        np.bincount(weekday, minlength=7),
        np.bincount(pd.DatetimeIndex(silent.index).day_of_week.to_numpy(), minlength=7),
    )
    longest = max(int(np.diff(heard).max(initial=1)) - 1, 1)
    told = (
        f"{kind}: no record for {len(silent)} days, since {counts.index[heard[-1]]:%Y-%m-%d}; the longest "
        f"silence before lasted {longest if (np.diff(heard) > 1).any() else 0} days."
    )
    return Check("data", kind, "silence", p, len(silent) / longest, "times", _LONGER, told)


def missing_checks(kind: str, rows: pd.Series, missing: pd.DataFrame) -> list[Check]:
    """Compare how often each column is missing with the twelve weeks before.

    Parameters
    ----------
    kind : str
        Of record.
    rows : Series of int
        Records a day, without gaps, up to the cutoff.
    missing : DataFrame of int
        Records a day in which each column is missing, same index.

    Returns
    -------
    list of Check
        One a column; none where too few weeks had records.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=140)
    >>> rows = pd.Series(10, index=days)
    >>> missing = pd.DataFrame({"channel": np.where(np.arange(140) < 112, 0, 10)}, index=days)
    >>> missing_checks("events", rows, missing)[0].told
    'events: channel is missing in 100% of the records of the last 4 weeks, against 0% before.'
    """
    weeks = _by_week(rows)
    kept = slice(-RECENT_WEEKS - _WEEKS_BEFORE, None)
    found: list[Check] = []
    for name, counts in missing.items():
        there = weeks[kept] > 0.0
        share = _by_week(counts)[kept][there] / weeks[kept][there]
        recent = (np.arange(there.size) >= there.size - RECENT_WEEKS)[there]
        now, before = share[recent], share[~recent]
        if now.size < 2 or before.size < _LEAST_BEFORE:
            continue
        told = (
            f"{kind}: {name} is missing in {now.mean():.0%} of the records of the last {RECENT_WEEKS} weeks, "
            f"against {before.mean():.0%} before."
        )
        moved = abs(float(now.mean() - before.mean()))
        p = welch_test(now, before).p_value
        found.append(Check("data", f"{kind}.{name}", "Welch, weeks", p, moved, "share", _POINTS, told))
    return found


def level_checks(kind: str, levels: pd.DataFrame) -> list[Check]:
    """Tell which levels of text were never there before the last four weeks.

    Parameters
    ----------
    kind : str
        Of record.
    levels : DataFrame
        A row a column: column, level (the commonest new one; None where there is none), n_level, n_recent
        (records of the last four weeks), n_before (records before).

    Returns
    -------
    list of Check
        One a column with enough records. p is the chance that so frequent a level was never met before.

    Examples
    --------
    >>> row = {"column": "channel", "level": "app", "n_level": 40, "n_recent": 100, "n_before": 900}
    >>> level_checks("events", pd.DataFrame([row]))[0].effect
    0.4
    """
    found: list[Check] = []
    for row in levels.to_dict("records"):
        recent, before = int(row["n_recent"]), int(row["n_before"])
        if not recent or not before:
            continue
        share = int(row["n_level"]) / recent
        told = (
            f"{kind}: {row['column']} has the new level {str(row['level'])!r} in {share:.0%} of the records "
            f"of the last {RECENT_WEEKS} weeks; models have never seen it."
        )
        p = float((1.0 - share) ** before)
        found.append(Check("data", f"{kind}.{row['column']}", "new level", p, share, "share", _NEW, told))
    return found


def set_aside_check(kind: str, now: tuple[int, int], before: tuple[int, int], since: date) -> Check | None:
    """Compare the share of rows set aside at the door with that of the last monitoring.

    Parameters
    ----------
    kind : str
        Of record.
    now, before : tuple of int
        Rows read and rows set aside, in all.
    since : date
        Cutoff of the last monitoring.

    Returns
    -------
    Check or None
        Of the rows that came since; None where none came.

    Examples
    --------
    >>> set_aside_check("events", (1100, 60), (1000, 10), date(2024, 1, 1)).effect
    0.49
    """
    rows, aside = now[0] - before[0], now[1] - before[1]
    if rows <= 0 or not 0 <= aside <= rows or before[0] <= 0:
        return None
    share, usual = aside / rows, before[1] / before[0]
    p = chi_squared_test([aside, rows - aside], [before[1], before[0] - before[1]]).p_value
    told = f"{kind}: {share:.1%} of the rows read since {since} were set aside, against {usual:.1%} before."
    effect = round(max(share - usual, 0.0), 12)
    return Check("data", f"{kind} set aside", "chi-squared", p, effect, "share", _ASIDE, told)


def _by_week(counts: pd.Series) -> FloatArray:
    """Sum whole weeks, counted back from the last day."""
    values = counts.to_numpy(dtype=np.float64)
    whole = len(values) // 7 * 7
    return values[len(values) - whole :].reshape(-1, 7).sum(axis=1)


def _factor(now: FloatArray, before: FloatArray) -> float:
    return float(now.mean() / before.mean()) if before.mean() > 0.0 else np.inf
