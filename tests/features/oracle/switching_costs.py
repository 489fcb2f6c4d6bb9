"""Switching costs in plain Python: what a customer would lose by leaving."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from known import Known


def features_of(known: Known) -> dict[str, float]:
    return _contracts(known) | _successions(known) | _points(known) | _tiers(known) | _breadth(known)


def _contracts(known):
    rows = known.rows("contracts")
    active = [row for row in rows if row.get("ended_at") is None]
    ended = [row for row in rows if row.get("ended_at") is not None]
    with_term = [row for row in active if row.get("billing_period_days")]
    left = []
    for row in with_term:
        renewal = Decimal(0)
        while renewal <= known.age(row["day"]):
            renewal += row["billing_period_days"]
        left.append(float(renewal - known.age(row["day"])))
    fees = [row["termination_fee"] for row in active if row.get("termination_fee") is not None]
    prices = [Fraction(row["price"]) * 30 / Fraction(row["billing_period_days"]) for row in with_term]
    return {
        "contract_tenure": max((known.age(row["day"]) for row in rows), default=math.nan),
        "contract_days_left_min": min(left, default=math.nan),
        "contract_days_left_max": max(left, default=math.nan),
        "termination_fees": float(sum(fees)) if fees else math.nan,
        "contract_price_per_30_days": float(sum(prices)) if prices else math.nan,
        "n_contracts": len(rows),
        "n_contracts_active": len(active),
        "n_plans_active": len({row.get("plan") for row in active} - {None}),
        "n_plans": len({row.get("plan") for row in rows} - {None}),
        "n_contracts_ended_voluntarily": sum(row.get("ended_reason") == "voluntary" for row in ended),
        "n_contracts_ended_involuntarily": sum(row.get("ended_reason") == "involuntary" for row in ended),
    }


def _successions(known):
    def place(row):
        end, period = row.get("ended_at"), row.get("billing_period_days") or 30
        return row["started_at"], end is None, end or dt.datetime.max, row["price"], period

    rows = sorted(known.rows("contracts"), key=place)
    changes = [
        _daily(after) - _daily(before)
        for before, after in pairwise(rows)
        if before.get("ended_at") is not None and before["ended_at"] <= after["started_at"]
    ]
    return {
        "n_contract_upgrades": sum(change > 0 for change in changes),
        "n_contract_downgrades": sum(change < 0 for change in changes),
    }


def _daily(row):
    return Fraction(row["price"]) / Fraction(row.get("billing_period_days") or 30)


def _points(known):
    """Go through the days: what is redeemed goes, and what has expired by a day's end has gone by then."""
    earned, moves = Decimal(0), []
    for row in known.rows("rewards"):
        points = Decimal(str(row["points"]))
        earned += max(points, Decimal(0))
        moves.append((row["day"], max(-points, Decimal(0)), Decimal(0)))
        if points > 0 and row.get("expires_at") is not None:
            moves.append((max(row["day"], row["expires_at"].date()), Decimal(0), points))
    gone = expired = Decimal(0)
    for day in sorted({day for day, _, _ in moves if day <= known.cutoff}):
        today = [move for move in moves if move[0] == day]
        gone += sum(redeemed for _, redeemed, _ in today)
        expired += sum(expiring for _, _, expiring in today)
        gone = max(gone, expired)
    told = {"points_balance": float(max(earned - gone, 0))}
    for days in (30, 90):
        until = known.cutoff + dt.timedelta(days=days)
        due = sum(expiring for day, _, expiring in moves if day <= until)
        told[f"points_expiring_{days}d"] = float(max(due - gone, 0))
    return told


def _tiers(known):
    rows = [row for row in known.rows("rewards") if row.get("tier") is not None]
    # At the same instant the first by name is the last.
    rows = sorted(sorted(rows, key=lambda row: row["tier"], reverse=True), key=lambda row: row["timestamp"])
    since, n_changes, tier = None, -1, None
    for row in rows:
        if row["tier"] != tier:
            since, n_changes, tier = row["day"], n_changes + 1, row["tier"]
    return {
        "has_tier": int(bool(rows)),
        "days_at_tier": math.nan if since is None else known.age(since),
        "n_tier_changes": max(n_changes, 0),
    }


def _breadth(known):
    bought = [row for row in known.rows("transactions") if row["amount"] >= 0]
    return {
        "n_categories_bought": len({row.get("category") for row in bought} - {None}),
        "n_products_bought": len({row.get("product_id") for row in bought} - {None}),
    }
