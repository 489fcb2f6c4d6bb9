"""Satisfaction in plain Python: what customers say, and how they are helped."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import fmean

from known import Known

SURVEYS = {"nps": 10, "csat": 1}


def features_of(known: Known) -> dict[str, float]:
    told = {}
    for survey in ("nps", "csat", "review"):
        told |= _survey(known, survey)
    return told | _tickets(known) | _sentiment(known)


def _share(row):
    """Return how far up its scale a score lies, None where the scale has no length or not that score."""
    low, high = (0, 10) if row["survey"] == "nps" else (1, 5)
    low = low if row.get("scale_min") is None else row["scale_min"]
    high = high if row.get("scale_max") is None else row["scale_max"]
    score, low, high = Fraction(str(row["score"])), Fraction(low), Fraction(high)
    return (score - low) / (high - low) if low != high and min(low, high) <= score <= max(low, high) else None


def _mean(values):
    return float(sum(values) / len(values)) if values else math.nan


def _survey(known, survey):
    rows = [row for row in known.rows("feedback") if row["survey"] == survey]
    # The latest is at the end; of the same instant, the one with the lowest score.
    rows.sort(key=lambda row: (row["timestamp"], -Fraction(str(row["score"]))))
    shares = [_share(row) for row in rows]
    there = [share for share in shares if share is not None]
    last = shares[-1] if shares else None
    last = math.nan if last is None else float(last)
    if survey == "review":
        return {"review_last": last, "review_mean": _mean(there)}
    top = SURVEYS[survey]
    before = [share for share in shares[:-1] if share is not None]
    return {
        f"{survey}_last": top * last,
        f"{survey}_mean": top * _mean(there),
        f"{survey}_worst": top * float(min(there)) if there else math.nan,
        f"{survey}_change": top * (last - _mean(before)),
        f"n_{survey}": len(rows),
        f"days_since_{survey}": known.age(rows[-1]["day"]) if rows else math.nan,
        f"{survey}_never_answered": 0 if rows else 1,
    }


def _hours(rows, until):
    waits = [(row[until] - row["opened_at"]).total_seconds() for row in rows if row.get(until) is not None]
    return [wait / 3600 for wait in waits if wait >= 0]


def _tickets(known):
    rows = known.rows("tickets")
    ages = [known.age(row["day"]) for row in rows]
    responses, resolutions = _hours(rows, "first_response_at"), _hours(rows, "closed_at")
    reopened = [row["reopened"] for row in rows if row.get("reopened") is not None]
    severities = [row["severity"] for row in rows if row.get("severity") is not None]
    severe = [one for one in severities if one.lower() in {"high", "urgent", "critical", "severe"}]
    told = {
        "n_tickets": len(rows),
        "n_tickets_open": sum(row.get("closed_at") is None for row in rows),
        "days_since_ticket": min(ages, default=math.nan),
        "first_response_hours_mean": fmean(responses) if responses else math.nan,
        "first_response_hours_worst": max(responses, default=math.nan),
        "resolution_hours_mean": fmean(resolutions) if resolutions else math.nan,
        "n_escalations": sum(row.get("escalated") is True for row in rows),
        "n_reopenings": sum(reopened),
        "reopened_share": sum(reopened) / len(reopened) if reopened else math.nan,
        "severe_ticket_share": len(severe) / len(severities) if severities else math.nan,
        "n_ticket_topics": len({row.get("topic") for row in rows} - {None}),
    }
    return told | {f"n_tickets_{days}d": sum(age < days for age in ages) for days in (30, 90, 365)}


def _sentiment(known):
    rows = [row for row in known.rows("feedback") if row.get("sentiment") is not None]
    rows.sort(key=lambda row: (row["timestamp"], -row["sentiment"]))
    values = [float(row["sentiment"]) for row in rows]
    return {
        "sentiment_last": values[-1] if values else math.nan,
        "sentiment_mean": math.fsum(values) / len(values) if values else math.nan,
        "sentiment_worst": min(values, default=math.nan),
    }
