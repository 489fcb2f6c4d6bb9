"""Activity in plain Python: how often, how recently, how much, and whether it changes."""

from __future__ import annotations

import itertools
import math
import statistics
from fractions import Fraction

import numpy as np
from known import Known


def features_of(known: Known) -> dict[str, float]:
    visits = [(known.age(day), Fraction(amount)) for day, amount in known.visits()]
    if not visits:
        return {}
    told = _amounts(visits) | _rhythm(visits) | _windows(known, visits) | _trends(visits) | _first(known)
    return {name: math.nan if value is None else float(value) for name, value in told.items()}


def _amounts(visits):
    amounts = [amount for _, amount in visits]
    total, mean = sum(amounts), statistics.mean(amounts)
    spread = statistics.variance(amounts) / mean**2 if len(amounts) > 1 and total else None
    return {
        "monetary_value": statistics.mean(amounts[1:]) if len(amounts) > 1 else 0,
        "spend_total": total,
        "spend_mean": mean,
        "spend_max": max(amounts),
        "spend_first": amounts[0],
        "spend_last": amounts[-1],
        "spend_last_over_mean": amounts[-1] / mean if total else None,
        "spend_cv": None if spread is None else math.sqrt(spread),
    }


def _rhythm(visits):
    ages = [age for age, _ in visits]
    gaps = sorted(before - after for before, after in itertools.pairwise(ages))
    silent = ages[-1]
    return {
        "frequency": len(gaps),
        "recency": ages[0] - silent,
        "T": ages[0],
        "inactivity": silent,
        "inactivity_ratio": silent / statistics.mean(gaps) if gaps else None,
        "inactivity_over_gap_median": silent / statistics.median_low(gaps) if gaps else None,
        # The least gap with no more than a tenth of them above it.
        "inactivity_over_gap_p90": silent
        / next(gap for gap in gaps if 10 * sum(other > gap for other in gaps) <= len(gaps))
        if gaps
        else None,
        "days_to_second_purchase": ages[0] - ages[1] if gaps else None,
    }


def _windows(known, visits):
    told = {}
    for days, name in [(days, f"{days}d") for days in (7, 30, 90, 180, 365)] + [
        (known.horizon, "last_period")
    ]:
        inside = [amount for age, amount in visits if age < days]
        told[f"n_purchases_{name}"], told[f"spend_{name}"] = len(inside), sum(inside)
    return told


def _trends(visits):
    T = visits[0][0]
    days = np.array([T - age for age, _ in visits[1:]])
    return {
        "purchases_trend_ratio": _ratio([(age, Fraction(1)) for age, _ in visits]),
        "spend_trend_ratio": _ratio(visits),
        "spend_trend_slope": _slope(visits) if T >= 180 else None,
        "purchases_trend_score": sum(days - (T + 1) / 2) / (T * math.sqrt(len(days) / 12))
        if len(days)
        else None,
        "season_share": _season(visits) if T >= 365.25 + 45 else None,
    }


def _ratio(visits):
    """Walk through the 180 days one by one, leaving out those up to the first purchase."""
    bought, T = dict(visits), visits[0][0]
    late = [bought.get(age, 0) for age in range(90) if age < T]
    early = [bought.get(age, 0) for age in range(90, 180) if age < T]
    one = statistics.mean(bought.values())
    if not early or not one:
        return None
    return (sum(late) * Fraction(len(early), len(late)) + one) / (sum(early) + one)


def _slope(visits):
    sums = [sum(amount for age, amount in visits if age // 30 == period) for period in range(6)]
    return np.polyfit([0, -1, -2, -3, -4, -5], np.array(sums, dtype=float), 1)[0]


def _season(visits):
    older = [age for age, _ in visits if age > 45]
    anniversaries = [365.25 * year for year in range(1, 9)]
    return Fraction(sum(any(abs(age - one) <= 45 for one in anniversaries) for age in older), len(older))


def _first(known):
    first = known.visits()[0][0]
    lines = [row for row in known.rows("transactions") if row["day"] == first and row["amount"] >= 0]
    taken_off = sum(row.get("discount") or 0 for row in lines)
    whole = sum(row["amount"] for row in lines) + taken_off
    return {
        "n_products_first": len({row.get("product_id") for row in lines} - {None}),
        "discount_share_first": Fraction(taken_off) / Fraction(whole) if whole else None,
    }
