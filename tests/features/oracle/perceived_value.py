"""Perceived value without SQL: fractions, loops and counters."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from fractions import Fraction
from statistics import fmean
from typing import Any

import numpy as np
from known import Known

REASONS = {"return_reason_is_damaged": "damaged", "return_reason_is_too_small": "too small"}


def _over(part: Any, whole: Any) -> float:
    return float(Fraction(part) / Fraction(whole)) if whole else math.nan


def _total(rows: list[dict[str, Any]], name: str) -> Fraction:
    return sum((Fraction(row[name]) for row in rows if row.get(name) is not None), Fraction(0))


def features_of(known: Known, usual_prices: Mapping[str, Any] | None = None) -> dict[str, float]:
    """Return the features of one customer; those of usual prices where these are given."""
    rows = known.rows("transactions")
    bought = [row for row in rows if row["amount"] >= 0]
    returned = [row for row in rows if row["amount"] < 0]
    listed = [row for row in bought if (row.get("quantity") or 0) > 0 and (row.get("list_price") or 0) > 0]
    with_margin = [row for row in bought if row.get("margin") is not None]
    off, paid = _total(bought, "discount"), _total(bought, "amount")
    at_list = sum((Fraction(row["quantity"]) * Fraction(row["list_price"]) for row in listed), Fraction(0))
    return {
        "discount_share": _over(off, paid + off),
        "full_price_share": _over(sum((row.get("discount") or 0) <= 0 for row in bought), len(bought)),
        "list_price_ratio": _over(_total(listed, "amount"), at_list),
        "margin_total": math.nan
        if all(row.get("margin") is None for row in rows)
        else float(_total(rows, "margin")),
        "margin_share": _over(_total(with_margin, "margin"), _total(with_margin, "amount")),
        "returns_share": _over(-_total(returned, "amount"), paid),
        "n_returns": len(returned),
        "days_since_return": min((known.age(row["day"]) for row in returned), default=math.nan),
        **_reasons(returned),
        **_breadth(bought),
        **_at_usual_prices(known, bought, usual_prices or {}),
    }


def _reasons(returned: list[dict[str, Any]]) -> dict[str, float]:
    given = Counter(row["return_reason"] for row in returned if row.get("return_reason") is not None)
    shares = {name: _over(given[reason], given.total()) for name, reason in REASONS.items()}
    return {"n_return_reasons": len(given), **shares}


def _breadth(bought: list[dict[str, Any]]) -> dict[str, float]:
    days = defaultdict(list)
    for row in bought:
        days[row["day"]].append(row)
    lines, products, categories = [], [], []
    uses: dict[str, int] = defaultdict(int)
    for basket in days.values():
        named = {row["product_id"] for row in basket if row.get("product_id") is not None}
        sorts = {row["category"] for row in basket if row.get("category") is not None}
        lines += [len(basket)] if named else []
        products += [len(named)] if named else []
        categories += [len(sorts)] if sorts else []
        for category in sorts:
            uses[category] += 1
    share = np.array(list(uses.values())) / (sum(uses.values()) or 1)
    return {
        "lines_per_visit": fmean(lines) if lines else math.nan,
        "products_per_visit": fmean(products) if products else math.nan,
        "categories_per_visit": fmean(categories) if categories else math.nan,
        "category_entropy": float(-(share * np.log(share)).sum()) if uses else math.nan,
    }


def _at_usual_prices(
    known: Known, bought: list[dict[str, Any]], usual_prices: Mapping[str, Any]
) -> dict[str, float]:
    paid, usual = [Fraction(0)] * 2, [Fraction(0)] * 2
    for row in bought:
        price = usual_prices.get(row.get("product_id"), 0)
        if row["amount"] > 0 and (row.get("quantity") or 0) > 0 and price:
            is_late = known.age(row["day"]) < 90
            paid[is_late] += Fraction(row["amount"])
            usual[is_late] += Fraction(row["quantity"]) * Fraction(price)
    early, late = (_over(*pair) for pair in zip(paid, usual, strict=True))
    return {"usual_price_ratio": _over(sum(paid), sum(usual)), "usual_price_trend": late / early}
