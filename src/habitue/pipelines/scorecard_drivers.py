"""What moves loyalty, as plain data: drivers, effects of randomised contacts, themes of texts and tickets.

Aggregates of a bounded size and a few masked examples. What cannot be told is left out, and a note says why.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.experiments import read_out
from habitue.experiments.assignment import CONTROL
from habitue.numerics.many_tests import holm
from habitue.pipelines.scorecard_audit import as_table
from habitue.records import CustomerLog, History
from habitue.scorecard.log_drivers import drivers_of
from habitue.scorecard.themes import count_themes, find_themes
from habitue.snapshots import Trials, take_trials

__all__ = ["movers_of"]

_MOST_TEXTS = 200_000
"""Texts read: the latest ones."""

_MOST_TOPICS = 20

_TEXTS = """
SELECT text, timestamp, CASE WHEN {high} > {low} THEN (score - {low}) / ({high} - {low}) END AS score
FROM ({feedback}) WHERE day > $start AND text IS NOT NULL AND trim(text) <> ''
ORDER BY timestamp DESC LIMIT {most}
"""

_TOPICS = """
SELECT topic, opened_at FROM ({tickets}) WHERE day > $start AND topic IS NOT NULL
"""


def movers_of(log: CustomerLog, start: date, end: date, *, horizon: int, confidence: float) -> dict[str, Any]:
    """Return what goes with loyalty in a log, what offers did to it, and what customers write about.

    Parameters
    ----------
    log : CustomerLog
        The records; none after `end` is read but to see who was lost.
    start, end : datetime.date
        The day before the period of the texts, and its last day.
    horizon : int
        Days in which a customer stays or is lost.
    confidence : float
        Of the intervals, in (0, 1).

    Returns
    -------
    dict
        ``drivers`` (of `Drivers.to_dict`), ``effects`` (a table by offer), ``themes`` (of `Themes.to_dict`),
        ``topics`` (a table of tickets by topic), as far as the records tell; and ``notes``.
    """
    notes = list[str]()
    told: dict[str, Any] = {"notes": notes}
    try:
        found = drivers_of(log, horizon=horizon, cutoff=end - timedelta(days=horizon), confidence=confidence)
        told["drivers"] = found.to_dict()
    except (DataError, SettingsError) as error:
        notes.append(f"drivers are left out: {error}")
    history = log.until(end)
    told |= _effects(log, end, horizon, confidence, notes)
    told |= _themes(history, start, confidence, notes)
    return told | _topics(history, start, confidence)


def _effects(
    log: CustomerLog, end: date, horizon: int, confidence: float, notes: list[str]
) -> dict[str, Any]:
    """Return what each offer did to who stays, where contacts were drawn by chance."""
    if "contacts" not in log.kinds:
        return {}
    try:
        trials = take_trials(log, horizon=horizon, features=[], until=end)
        arms = sorted(set(trials.arm) - {CONTROL})
        found = pd.concat([_effect_of(arm, trials, confidence) for arm in arms], ignore_index=True)
    except (DataError, SchemaError) as error:
        notes.append(f"effects of randomised contacts are left out: {error}")
        return {}
    columns = ["arm", "n", "n_control", "mean", "control_mean", "effect", "lower", "upper", "p_holm"]
    return {"effects": as_table(found.assign(p_holm=holm(found["p_value"])).loc[:, columns])}


def _effect_of(arm: str, trials: Trials, confidence: float) -> pd.DataFrame:
    """Compare an offer with the controls of its own campaigns: those of others were other customers."""
    own = trials.campaign.isin(trials.campaign[trials.arm == arm]) & trials.arm.isin([CONTROL, arm])
    rows = own.to_numpy(dtype=bool)
    campaign = trials.campaign.to_numpy(dtype=object)[rows]
    return read_out(
        pd.DataFrame({"retained": 1.0 - trials.y["churned"].to_numpy(dtype=float)[rows]}),
        trials.arm.to_numpy(dtype=str)[rows],
        propensity=trials.propensity.to_numpy(dtype=float)[rows],
        strata=campaign if len(set(campaign.tolist())) > 1 else None,
        clusters=trials.customer_id.to_numpy()[rows],
        confidence=confidence,
        sequential=False,
    ).effects


def _themes(history: History, start: date, confidence: float, notes: list[str]) -> dict[str, Any]:
    if "feedback" not in history.kinds or "text" not in history.columns("feedback"):
        return {}
    there = history.columns("feedback")
    low, high = (name if name in there else "NULL" for name in ("scale_min", "scale_max"))
    query = _TEXTS.format(feedback=history.relation("feedback"), low=low, high=high, most=_MOST_TEXTS)
    said = history.engine.frame(query, {**history.values, "start": start})
    try:
        found = find_themes(
            pd.Series(said["text"]),
            day=said["timestamp"].to_numpy(),
            score=said["score"].to_numpy(dtype=float, na_value=np.nan),
            confidence=confidence,
        )
    except DataError as error:
        notes.append(f"themes are left out: {error}")
        return {}
    return {"themes": found.to_dict()}


def _topics(history: History, start: date, confidence: float) -> dict[str, Any]:
    if "tickets" not in history.kinds or "topic" not in history.columns("tickets"):
        return {}
    query = _TOPICS.format(tickets=history.relation("tickets"))
    opened = history.engine.frame(query, {**history.values, "start": start})
    if opened.empty:
        return {}
    names = [str(name) for name in opened["topic"].value_counts().index[:_MOST_TOPICS]]
    place = {name: number for number, name in enumerate(names)}
    label = np.array([place.get(str(one), -1) for one in opened["topic"]], dtype=np.intp)
    return {"topics": as_table(count_themes(label, pd.DatetimeIndex(opened["opened_at"]), names, confidence))}
