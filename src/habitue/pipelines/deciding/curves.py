"""How the gain of each offer grows with the share of customers that is contacted, and where it is highest.

Each offer is looked at alone, as if there were no other and no limit. Beside the best order stands that by
churn risk, the usual mistake. Effects that were learned per customer count as they do in the plan.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from habitue.decisions.assumptions import Assumptions
from habitue.decisions.gains import Gains
from habitue.decisions.measured_effects import Measured
from habitue.decisions.plans import offer_profits
from habitue.decisions.value_at_stake import Stakes

__all__ = ["curves_of"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

N_POINTS: Final = 21
"""Shares from 0 to 1 of those who may have an offer, every twentieth; the best share is told beside them."""


def curves_of(
    stakes: Stakes, assumptions: Assumptions, gains: Gains, *, measured: dict[str, Measured]
) -> list[dict[str, Any]]:
    """Return a thin curve for each offer that somebody may have.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    gains : Gains
        Of these customers and offers; says who may have what, and in which order.
    measured : dict of str to Measured
        Effects that take the place of the assumptions, by offer.

    Returns
    -------
    list of dict
        offer; best: share, n, profit, and by_churn_risk, what as many earn by that order; points: share, n,
        profit, lower, upper, by_churn_risk. Money is margin within the horizon net of costs; the ends are
        those of `gains.interval`.
    """
    told: list[dict[str, Any]] = []
    for offer in assumptions.offers:
        expected = gains.expected[offer.name].to_numpy(dtype=np.float64)
        if not np.isnan(expected).all():
            alone = replace(assumptions, offers=(offer,))
            told.append(_curve(stakes, alone, expected, gains.interval, measured.get(offer.name)))
    return told


def _curve(
    stakes: Stakes, alone: Assumptions, expected: FloatArray, interval: float, measured: Measured | None
) -> dict[str, Any]:
    """Return the curve of the one offer; what is expected is NaN of those who may not have it."""
    may = np.flatnonzero(~np.isnan(expected))
    rows = may[np.argsort(-expected[may], kind="stable")]
    risky = may[np.argsort(-stakes.p_leave[may], kind="stable")]
    n = int((expected[may] > 0.0).sum())
    ends = np.unique(np.round([*np.linspace(0.0, may.size, N_POINTS), n]).astype(np.intp))
    drawn = _earned(stakes, alone, rows, ends, measured)
    lower, upper = np.quantile(drawn, [0.5 - interval / 2.0, 0.5 + interval / 2.0], axis=1)
    profit, by_risk = (np.concatenate([[0.0], np.cumsum(expected[order])]) for order in (rows, risky))
    points = [
        {
            "share": end / may.size,
            "n": end,
            "profit": float(profit[end]),
            "lower": float(lower[place]),
            "upper": float(upper[place]),
            "by_churn_risk": float(by_risk[end]),
        }
        for place, end in enumerate(ends.tolist())
    ]
    best = {"share": n / may.size, "n": n, "profit": float(profit[n]), "by_churn_risk": float(by_risk[n])}
    return {"offer": alone.offers[0].name, "best": best, "points": points}


def _earned(
    stakes: Stakes, alone: Assumptions, rows: IntArray, ends: IntArray, measured: Measured | None
) -> FloatArray:
    """Return what the first customers of an order earn in each draw, a row for each end."""
    blocks = [np.zeros(alone.n_draws)]
    for start, end in pairwise(ends.tolist()):
        some = rows[start:end]
        known = {} if measured is None else {alone.offers[0].name: Measured(*(one[some] for one in measured))}
        everybody = np.zeros(some.size, dtype=np.intp)
        blocks.append(offer_profits(_those(stakes, some), alone, everybody, measured=known)[0])
    return np.cumsum(blocks, axis=0)


def _those(stakes: Stakes, rows: IntArray) -> Stakes:
    """Return what is at stake with some of the customers."""
    return replace(
        stakes,
        customers=stakes.customers[rows],
        p_leave=stakes.p_leave[rows],
        clv=stakes.clv[rows],
        value=stakes.value[rows],
        spread=stakes.spread[rows],
        p_gone=None if stakes.p_gone is None else stakes.p_gone[rows],
    )
