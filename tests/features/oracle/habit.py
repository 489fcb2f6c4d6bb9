"""Habit in plain Python: the rhythm of buying, and what has become routine."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import statistics
from fractions import Fraction

import numpy as np
from known import Known
from scipy.stats import entropy, gmean


def features_of(known: Known) -> dict[str, float]:
    told = _gaps(known) | _streaks(known) | _contracts(known) | _points(known)
    return {name: math.nan if value is None else float(value) for name, value in told.items()}


def _gaps(known):
    days = [day for day, _ in known.visits()]
    gaps = [(after - before).days for before, after in itertools.pairwise(days)]
    if not gaps:
        names = ["mean", "median", "p90", "max", "last", "cv", "geometric_mean"]
        missing = [f"gap_{name}" for name in names] + ["clumpiness", "days_to_next_expected_purchase"]
        return dict.fromkeys([*missing, "regularity_ml", "regularity_wheat_morrison"])
    silent = known.age(days[-1])
    return {
        "gap_mean": statistics.mean(gaps),
        "gap_median": statistics.median_low(gaps),
        "gap_p90": next(gap for gap in sorted(gaps) if 10 * sum(other > gap for other in gaps) <= len(gaps)),
        "gap_max": max(gaps),
        "gap_last": gaps[-1],
        "gap_cv": statistics.stdev(gaps) / statistics.mean(gaps) if len(gaps) > 1 else None,
        "gap_geometric_mean": gmean(gaps),
        "regularity_ml": _likeliest(gaps) if len(gaps) > 1 else None,
        "regularity_wheat_morrison": _wheat_morrison(gaps) if len(gaps) > 1 else None,
        "clumpiness": max(1 - entropy([*gaps, silent + 1], base=len(gaps) + 1), 0),
        "days_to_next_expected_purchase": statistics.mean(gaps) - silent,
    }


def _likeliest(gaps):
    """Return the positive root of 6 s k^2 - (3 - s) k - 1, which is the closed form."""
    s = max(math.log(np.mean(gaps) / gmean(gaps)), 0.001)
    return min(max(np.roots([6 * s, s - 3, -1])), 100)


def _wheat_morrison(gaps):
    pairs = zip(gaps[::2], gaps[1::2], strict=False)
    variance = statistics.mean((Fraction(one, one + two) - Fraction(1, 2)) ** 2 for one, two in pairs)
    # A beta distribution with both parameters k has the variance 1 / (4 (2 k + 1)).
    return min((1 / (4 * variance) - 1) / 2, 100) if variance else 100


def _streaks(known):
    days = [day for day, _ in known.visits()]
    if not days:
        return {"streak_now": 0, "streak_longest": 0, "active_period_share": None, "weekend_share": None}
    bought = {known.age(day) // 30 for day in days}
    line = [period in bought for period in range(max(bought) + 1)]
    runs = [(active, len(list(run))) for active, run in itertools.groupby(line)]
    return {
        "streak_now": runs[0][1] if runs[0][0] else 0,
        "streak_longest": max(length for active, length in runs if active),
        "active_period_share": statistics.mean(line),
        "weekend_share": Fraction(sum(day.isoweekday() > 5 for day in days), len(days)),
    }


def _contracts(known):
    rows = known.rows("contracts")
    covered = set()
    for row in rows:
        end = row["ended_at"].date() if row.get("ended_at") else known.cutoff
        covered.update(row["day"] + dt.timedelta(days=step) for step in range((end - row["day"]).days))
    span = max((known.age(row["day"]) for row in rows), default=0)
    renews = [
        row["auto_renew"] for row in rows if not row.get("ended_at") and row.get("auto_renew") is not None
    ]
    return {
        "subscription_share": Fraction(len(covered), span) if span else bool(rows),
        "auto_renew_share": Fraction(sum(renews), len(renews)) if renews else None,
    }


def _points(known):
    earned = [(row["day"], row["points"]) for row in known.rows("rewards") if row["points"] > 0]
    spent = [(row["day"], -row["points"]) for row in known.rows("rewards") if row["points"] < 0]
    lately = [sum(points for day, points in side if known.age(day) in range(90)) for side in (earned, spent)]
    total = sum(points for _, points in earned)
    return {
        "n_points_earned_days": len({day for day, _ in earned}),
        "points_earned_90d": lately[0],
        "points_redeemed_90d": lately[1],
        "redemption_share": Fraction(sum(points for _, points in spent)) / Fraction(total) if total else None,
        "days_since_redemption": min((known.age(day) for day, _ in spent), default=None),
    }
