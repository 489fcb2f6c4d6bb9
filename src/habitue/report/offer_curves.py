"""How the gain of each offer grows with the share of customers that is contacted, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from habitue.report.plain_data import text

__all__ = ["CurvePoint", "OfferCurve", "read_offer_curves"]

MOST_CURVES = 6


@dataclass(frozen=True)
class CurvePoint:
    """What an offer earns with so many customers, the best first, and the likeliest to leave first."""

    share: float
    n: int
    profit: float
    lower: float
    upper: float
    by_risk: float


@dataclass(frozen=True)
class OfferCurve:
    """The curve of one offer, and its top.

    Attributes
    ----------
    offer : str
        Name.
    share, n : float and int
        Of those who may have it, whom it is best to contact.
    profit, by_risk : float
        What they earn, and what as many earn who are likeliest to leave.
    points : tuple of CurvePoint
        From nobody to all who may have it.
    """

    offer: str
    share: float
    n: int
    profit: float
    by_risk: float
    points: tuple[CurvePoint, ...]


def read_offer_curves(told: Mapping[str, Any]) -> tuple[OfferCurve, ...]:
    """Read the curves of a decision that are worth a look, those that can earn most first.

    Parameters
    ----------
    told : mapping
        What `decision.json` holds.

    Returns
    -------
    tuple of OfferCurve
        At most six; none of offers that are best made to nobody.
    """
    found = [_curve(row) for row in told.get("curves", ()) if row["best"]["n"]]
    return tuple(sorted(found, key=lambda one: -one.profit)[:MOST_CURVES])


def _curve(row: Mapping[str, Any]) -> OfferCurve:
    best = row["best"]
    return OfferCurve(
        offer=text(row["offer"]),
        share=float(best["share"]),
        n=int(best["n"]),
        profit=float(best["profit"]),
        by_risk=float(best["by_churn_risk"]),
        points=tuple(
            CurvePoint(
                float(one["share"]),
                int(one["n"]),
                *(float(one[name]) for name in ("profit", "lower", "upper", "by_churn_risk")),
            )
            for one in row["points"]
        ),
    )
