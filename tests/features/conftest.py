"""An independent oracle for the features: plain pandas and Python, one customer at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import pandas as pd
import pytest


def _days(first, last):
    return (last - first).days


def _of_customer(buys, events, cutoff, horizon):
    """Compute the features of one customer from lists of (day, amount) and (day, event)."""
    known = [(day, Fraction(amount)) for day, amount in buys if day <= cutoff]
    bought: dict = {}
    for day, amount in known:
        if amount >= 0:
            bought[day] = bought.get(day, Fraction(0)) + amount
    if not bought:
        return None
    days = sorted(bought)
    sums = [bought[day] for day in days]
    gaps = [_days(a, b) for a, b in itertools.pairwise(days)]
    n, mean = len(days), (sum(gaps) / len(gaps) if gaps else math.nan)
    silent = _days(days[-1], cutoff)
    seen = [(day, event) for day, event in events if day <= cutoff]
    back, plus = -sum(a for _, a in known if a < 0), sum(a for _, a in known if a >= 0)

    def within(width):
        return [place for place, day in enumerate(days) if _days(day, cutoff) < width]

    told = {
        "frequency": n - 1,
        "recency": _days(days[0], days[-1]),
        "T": _days(days[0], cutoff),
        "monetary_value": sum(sums[1:]) / (n - 1) if n > 1 else 0,
        "inactivity": silent,
        "inactivity_ratio": silent / mean if gaps else math.nan,
        "n_purchases_last_period": len(within(horizon)),
        "spend_last_period": sum(sums[place] for place in within(horizon)),
        "spend_total": sum(sums),
        "spend_mean": sum(sums) / n,
        "spend_max": max(sums),
        "spend_first": sums[0],
        "spend_last": sums[-1],
        "gap_mean": mean,
        "gap_max": max(gaps, default=math.nan),
        "gap_last": gaps[-1] if gaps else math.nan,
        "gap_geometric_mean": math.exp(sum(map(math.log, gaps)) / len(gaps)) if len(gaps) else math.nan,
        "gap_cv": pd.Series(gaps).std() / mean if len(gaps) > 1 else math.nan,
        "weekend_share": sum(day.weekday() >= 5 for day in days) / n,
        "returns_share": back / plus if plus else math.nan,
        "days_since_event": min((_days(day, cutoff) for day, _ in seen), default=math.nan),
        "n_event_kinds": len({event for _, event in seen}),
    }
    for width in (30, 90, 180, 365):
        told[f"n_purchases_{width}d"] = len(within(width))
        told[f"spend_{width}d"] = sum(sums[place] for place in within(width))
        told[f"n_events_{width}d"] = sum(_days(day, cutoff) < width for day, _ in seen)
    return {name: float(value) for name, value in told.items()}


def expected_features(transactions, events, cutoff, horizon):
    """Compute all features of all customers; amounts as text, timestamps as pandas writes them."""
    cutoff = pd.Timestamp(cutoff).date()
    rows = {}
    seen = {} if events is None else dict(iter(events.groupby("customer_id")))
    for customer, own in transactions.groupby("customer_id"):
        buys = list(zip(own["timestamp"].dt.date, own["amount"].astype(str), strict=True))
        acts = seen.get(customer)
        acts = [] if acts is None else list(zip(acts["timestamp"].dt.date, acts["event"], strict=True))
        row = _of_customer(buys, acts, cutoff, horizon)
        if row is not None:
            rows[customer] = row
    return pd.DataFrame.from_dict(rows, orient="index").sort_index()


@pytest.fixture(scope="session")
def oracle() -> Callable[..., pd.DataFrame]:
    """Compute features without SQL."""
    return expected_features
