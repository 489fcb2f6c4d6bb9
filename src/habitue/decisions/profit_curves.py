"""How an offer's profit grows with the share of the base that is contacted, and where to stop.

Customers are taken in an order, the best by expected gain first unless another is given, and profits are
summed on the way. The top of the curve is the best threshold; how flat it is there says how much the exact
threshold matters. What a ranking by churn risk is worth when all customers are alike is told by
`habitue.evaluation`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.decisions.assumptions import Assumptions, cost_of, gross_of
from habitue.decisions.offers import Offer
from habitue.decisions.value_at_stake import Stakes
from habitue.errors import DataError, SettingsError
from habitue.numerics.offer_gain import break_even_acceptance, break_even_churn

__all__ = ["BestShare", "best_shares", "profit_curve"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_FLAT: Final = 0.05  # of the top: shares that earn that much less are as good


@dataclass(frozen=True)
class BestShare:
    """Whom to contact with one offer, were there no other and no limit.

    Attributes
    ----------
    offer : str
        Name.
    share : float
        Of those eligible, to contact for the highest expected profit; in [0, 1].
    n : int
        How many that are.
    profit : float
        Expected, in margin within the horizon net of costs.
    flat_from, flat_to : float
        Shares between which the profit is within 5 % of the highest.
    p_leave : float
        Chance of leaving from which a contact pays for itself, with the median value of those eligible; NaN
        where it pays at none.
    acceptance : float
        Share of leavers who must accept for the best customer to pay for the contact; NaN where even all
        would not do, or where the offer states an uplift.
    reason : str
        Why nobody is to be contacted; "" where somebody is.
    """

    offer: str
    share: float
    n: int
    profit: float
    flat_from: float
    flat_to: float
    p_leave: float
    acceptance: float
    reason: str


def profit_curve(
    stakes: Stakes,
    assumptions: Assumptions,
    offer: str,
    *,
    eligible: npt.ArrayLike | None = None,
    by: npt.ArrayLike | None = None,
    n_points: int = 101,
    interval: float = 0.8,
) -> pd.DataFrame:
    """Return the profit of one offer by the share of those eligible that is contacted.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    offer : str
        Name of one of them.
    eligible : array_like of bool of shape (n_customers,), optional
        Who may have it; all where None.
    by : array_like of shape (n_customers,), optional
        What customers are ordered by, the highest first, such as churn probabilities; the expected gain where
        None.
    n_points : int, default 101
        Shares from 0 to 1, 2 or more.
    interval : float, default 0.8
        Of the band, in (0, 1).

    Returns
    -------
    DataFrame of shape (n_points, 6)
        share, n, threshold (of `by`, the last contacted), profit, lower, upper; money.

    Raises
    ------
    DataError
        Where an array has another length than the customers, or nobody is eligible.
    SettingsError
        Where a number is out of range, or there is no such offer.

    Examples
    --------
    >>> from habitue.decisions.assumptions import draw_assumptions
    >>> from habitue.decisions.beliefs import Share
    >>> from habitue.decisions.value_at_stake import value_at_stake
    >>> scores = pd.DataFrame({"churn_probability": [0.1, 0.5], "clv": [450.0, 250.0]})
    >>> call = Offer("call", cost=10.0, acceptance=Share(0.4), saves=Share(0.5))
    >>> curve = profit_curve(value_at_stake(scores, margin=0.4), draw_assumptions([call]), "call", n_points=3)
    >>> curve[["share", "profit"]].round(2).to_numpy().tolist()
    [[0.0, 0.0], [0.5, 10.0], [1.0, 4.0]]
    """
    if n_points < 2 or not 0.0 < interval < 1.0:
        raise SettingsError(
            f"n_points must be 2 or more and interval in (0, 1); got {n_points} and {interval!r}."
        )
    rows = _rows(stakes, eligible)
    weights = assumptions.net(offer, leaver_share=stakes.leaver_share)
    terms = stakes.terms()[rows]
    ranked = terms @ weights.mean(axis=1) if by is None else _of_customers(by, stakes)[rows]
    order = np.argsort(-ranked, kind="stable")
    n = np.round(np.linspace(0.0, rows.size, n_points)).astype(np.intp)
    # Sums of the terms down to each share: the draws then cost as much as there are points, not customers.
    sums = np.vstack([np.zeros(terms.shape[1]), np.cumsum(terms[order], axis=0)])[n]
    drawn = sums @ weights
    lower, upper = np.quantile(drawn, [0.5 - interval / 2.0, 0.5 + interval / 2.0], axis=1)
    threshold = np.where(n > 0, ranked[order][np.maximum(n - 1, 0)], math.inf)
    told = {"share": n / rows.size, "n": n, "threshold": threshold}
    return pd.DataFrame({**told, "profit": drawn.mean(axis=1), "lower": lower, "upper": upper})


def best_shares(
    stakes: Stakes, assumptions: Assumptions, *, eligible: pd.DataFrame | None = None
) -> list[BestShare]:
    """Return for each offer whom to contact were there no other, and why nobody where that is best.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    eligible : DataFrame of bool of shape (n_customers, n_offers), optional
        Who may have what, indexed by customer in their order; all where None.

    Returns
    -------
    list of BestShare
        In the order of the offers.

    Raises
    ------
    DataError
        Where the table is not of these customers.
    """
    told: list[BestShare] = []
    for offer in assumptions.offers:
        may = None if eligible is None else eligible[offer.name].to_numpy()
        if may is not None and may.shape == (len(stakes),) and not may.any():
            told.append(_nobody(offer, "nobody is eligible"))
        else:
            told.append(_best(stakes, assumptions, offer, _rows(stakes, may)))
    return told


def _best(stakes: Stakes, assumptions: Assumptions, offer: Offer, rows: npt.NDArray[np.intp]) -> BestShare:
    weights = assumptions.net(offer.name, leaver_share=stakes.leaver_share).mean(axis=1)
    gain = np.sort(stakes.terms()[rows] @ weights)[::-1]
    profit = np.concatenate([[0.0], np.cumsum(gain)])
    n = int((gain > 0.0).sum())
    good = np.flatnonzero(profit >= (1.0 - _FLAT) * profit[n]) / rows.size
    middle = float(np.median(stakes.value[rows]))
    return BestShare(
        offer=offer.name,
        share=n / rows.size,
        n=n,
        profit=float(profit[n]),
        flat_from=float(good[0]) if n else 0.0,
        flat_to=float(good[-1]) if n else 0.0,
        p_leave=float(break_even_churn(weights, middle)),
        acceptance=_acceptance_needed(stakes, assumptions, offer, rows),
        reason="" if n else _why_nobody(stakes, assumptions, offer, rows, float(gain[0])),
    )


def _acceptance_needed(
    stakes: Stakes, assumptions: Assumptions, offer: Offer, rows: npt.NDArray[np.intp]
) -> float:
    """Return the least acceptance at which some customer pays for the contact."""
    if offer.uplift is not None:
        return math.nan
    terms = stakes.terms()[rows]
    at_none, at_all = (terms @ _weights_at(stakes, assumptions, offer, share) for share in (0.0, 1.0))
    needed = break_even_acceptance(at_none, at_all)
    return float(np.nanmin(needed)) if np.isfinite(needed).any() else math.nan


def _weights_at(stakes: Stakes, assumptions: Assumptions, offer: Offer, acceptance: float) -> FloatArray:
    """Return the net weights were so many leavers to accept, all else as expected."""
    expected = assumptions.expected[offer.name]
    share = np.array([acceptance])
    saves = float(expected.kept[0] / expected.acceptance[0]) if expected.acceptance[0] else _saves(offer)
    staying = share if offer.staying is None else expected.staying
    told = expected._replace(acceptance=share, kept=share * saves, staying=staying)
    return (gross_of(offer, told, leaver_share=stakes.leaver_share) - cost_of(offer, told))[:, 0]


def _saves(offer: Offer) -> float:
    return 0.0 if offer.saves is None else offer.saves.mean


def _why_nobody(
    stakes: Stakes, assumptions: Assumptions, offer: Offer, rows: npt.NDArray[np.intp], best: float
) -> str:
    """Say why an offer loses money with everybody."""
    expected = assumptions.expected[offer.name]
    if offer.uplift is None and not expected.kept[0] and offer.margin_effect <= 0.0:
        who = "accepts" if not expected.acceptance[0] else "stays because of it"
        return f"nobody {who}, as it is assumed, and it costs money"
    if offer.uplift is not None and expected.uplift[0] <= 0.0:
        return (
            f"it is believed to add {expected.uplift[0]:,.2f} to a customer's margin, costs not yet counted"
        )
    terms = stakes.terms()[rows]
    gross = terms @ gross_of(offer, expected, leaver_share=stakes.leaver_share)[:, 0]
    at = int(np.argmax(gross - terms @ cost_of(offer, expected)[:, 0]))
    return (
        f"even with the best customer a contact gains {gross[at]:,.2f} and costs {gross[at] - best:,.2f} "
        "on average"
    )


def _nobody(offer: Offer, reason: str) -> BestShare:
    return BestShare(offer.name, 0.0, 0, 0.0, 0.0, 0.0, math.nan, math.nan, reason)


def _rows(stakes: Stakes, eligible: npt.ArrayLike | None) -> npt.NDArray[np.intp]:
    if eligible is None:
        return np.arange(len(stakes))
    rows = np.flatnonzero(_of_customers(eligible, stakes))
    if not rows.size:
        raise DataError("Nobody is eligible for the offer; there is no profit to tell.")
    return rows


def _of_customers(given: npt.ArrayLike, stakes: Stakes) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.asarray(given)
    if array.shape != (len(stakes),) or (array.dtype.kind == "f" and np.isnan(array).any()):
        raise DataError(
            f"Expected a value for each of {len(stakes):,} customers; got shape {array.shape}, or "
            "missing ones."
        )
    return array
