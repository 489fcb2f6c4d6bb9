"""What the scores say about the customer base, as plain numbers and one short list of names.

From one row per customer to headline numbers, distributions, the concentration of spend, the meeting of risk
and value, the reasons, and the customers at the top of the list. Everything is a sum or a count, so a million
customers take as little room as a hundred. Nothing is predicted here and nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from habitue.report.answered import Answered, count_answered
from habitue.report.reasons import Reasons, count_reasons
from habitue.report.scores import AT_RISK_ABOVE, NUMBERS, Scores

__all__ = [
    "Base",
    "Bin",
    "Cell",
    "Concentration",
    "CustomerRow",
    "Headline",
    "describe_base",
]

Floats = NDArray[np.float64]

RISK_EDGES = (0.0, 0.25, 0.5, 0.75, 1.0)
VALUE_GROUPS = (("Top 10 %", 0.1), ("Next 40 %", 0.5), ("Other half", 1.0))


@dataclass(frozen=True)
class Headline:
    """The few numbers at the top; None where the scores do not say.

    Attributes
    ----------
    n_customers : int
        Rows scored.
    n_with_churn, n_with_value : int
        Customers that have a churn probability, an expected spend.
    churn_mean : float or None
        Mean churn probability: the share of customers expected to leave within the horizon.
    n_at_risk : int or None
        Customers whose churn probability is above 50 %.
    expected_spend : float or None
        Sum of the expected spend within the horizon.
    spend_per_customer, spend_median : float or None
        The mean of it over customers, and what half of them stay below.
    value_at_risk : float or None
        Expected spend of the customers whose churn probability is above 50 %.
    value_at_risk_share : float or None
        The same as a share of all expected spend.
    expected_purchases : float or None
        Sum of the expected purchases within the horizon.
    p_alive_mean : float or None
        Mean probability of still being a customer at the cutoff.
    """

    n_customers: int
    n_with_churn: int
    n_with_value: int
    churn_mean: float | None
    n_at_risk: int | None
    expected_spend: float | None
    spend_per_customer: float | None
    spend_median: float | None
    value_at_risk: float | None
    value_at_risk_share: float | None
    expected_purchases: float | None
    p_alive_mean: float | None


@dataclass(frozen=True)
class Bin:
    """One bar of a distribution: its ends (None is open), how many customers, how much expected spend."""

    lower: float | None
    upper: float | None
    n: int
    spend: float | None


@dataclass(frozen=True)
class Cell:
    """Customers of one band of value and one band of risk, and what they are expected to spend."""

    value_group: str
    risk_lower: float
    risk_upper: float
    n: int
    spend: float


@dataclass(frozen=True)
class Concentration:
    """How unevenly expected spend is spread, from the most valuable customer on.

    Attributes
    ----------
    top_tenth_share : float
        Share of expected spend held by the most valuable tenth of customers.
    half_of_spend_at : float
        Smallest share of customers that holds half of the expected spend.
    share_of_customers, share_of_spend : tuple of float
        The Lorenz curve, at every hundredth of the customers.
    """

    top_tenth_share: float
    half_of_spend_at: float
    share_of_customers: tuple[float, ...]
    share_of_spend: tuple[float, ...]


@dataclass(frozen=True)
class CustomerRow:
    """One line of the customer list; None where a score is missing."""

    rank: int
    customer_id: str
    at_risk: bool
    churn_probability: float | None
    p_alive: float | None
    expected_purchases: float | None
    clv: float | None
    clv_lower: float | None
    clv_upper: float | None
    decile: float | None
    expected_residual_lifetime_365d: float | None
    frequency: float | None
    inactivity: float | None
    spend_total: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Base:
    """Everything that the scores alone can tell."""

    headline: Headline
    risk: tuple[Bin, ...]
    value: tuple[Bin, ...]
    concentration: Concentration | None
    cells: tuple[Cell, ...]
    reasons: Reasons
    answered: tuple[Answered, ...]
    customers: tuple[CustomerRow, ...]


def describe_base(scores: Scores, *, n_shown: int = 500) -> Base:
    """Tell what the scores say about the customer base.

    Parameters
    ----------
    scores : Scores
        The scores, checked.
    n_shown : int
        At most so many customers are listed by name.

    Returns
    -------
    Base

    Notes
    -----
    The list holds first the customers more likely to leave than to stay, the highest expected spend first;
    then the others by churn probability times expected spend. Where only one of the two is known, it alone
    decides.

    Examples
    --------
    >>> import pandas as pd
    >>> from habitue.report.scores import read_scores
    >>> frame = pd.DataFrame({"customer_id": ["a", "b"], "churn_probability": [0.9, 0.1], "clv": [10.0, 90]})
    >>> base = describe_base(read_scores(frame))
    >>> base.headline.value_at_risk, base.headline.value_at_risk_share
    (10.0, 0.1)
    >>> [row.customer_id for row in base.customers]
    ['a', 'b']
    """
    clv, churn = scores.get("clv"), scores.get("churn_probability")
    return Base(
        headline=_headline(scores),
        risk=() if churn is None else _risk_bins(churn, clv),
        value=() if clv is None else _value_bins(clv),
        concentration=None if clv is None else _concentration(clv),
        cells=() if clv is None or churn is None else _cells(churn, clv),
        reasons=count_reasons(scores),
        answered=count_answered(scores),
        customers=tuple(_rows(scores, n_shown)),
    )


def _known(values: Floats | None) -> Floats | None:
    return None if values is None else values[np.isfinite(values)]


def _mean(values: Floats | None) -> float | None:
    known = _known(values)
    return None if known is None else float(known.mean())


def _sum(values: Floats | None) -> float | None:
    known = _known(values)
    return None if known is None else float(known.sum())


def _headline(scores: Scores) -> Headline:
    clv, churn, at_risk = scores.get("clv"), scores.get("churn_probability"), scores.at_risk
    total = _sum(clv)
    lost = None if clv is None or at_risk is None else float(np.nansum(clv[at_risk]))
    return Headline(
        n_customers=scores.customer_ids.size,
        n_with_churn=0 if churn is None else int(np.isfinite(churn).sum()),
        n_with_value=0 if clv is None else int(np.isfinite(clv).sum()),
        churn_mean=_mean(churn),
        n_at_risk=None if at_risk is None else int(at_risk.sum()),
        expected_spend=total,
        spend_per_customer=_mean(clv),
        spend_median=None if clv is None else float(np.nanmedian(clv)),
        value_at_risk=lost,
        value_at_risk_share=lost / total if lost is not None and total is not None and total > 0.0 else None,
        expected_purchases=_sum(scores.get("expected_purchases")),
        p_alive_mean=_mean(scores.get("p_alive")),
    )


def _bins(
    values: Floats, inner: Floats, ends: tuple[float | None, float | None], spend: Floats | None
) -> tuple[Bin, ...]:
    """Count values between edges; a value on an edge belongs to the bin below, as "above 50 %" wants it."""
    known = np.isfinite(values)
    where = np.searchsorted(inner, values[known], side="left")
    counts = np.bincount(where, minlength=len(inner) + 1)
    sums = None
    if spend is not None:
        sums = np.bincount(where, weights=np.nan_to_num(spend[known]), minlength=len(inner) + 1)
    edges = [ends[0], *map(float, inner), ends[1]]
    return tuple(
        Bin(edges[i], edges[i + 1], int(n), None if sums is None else float(sums[i]))
        for i, n in enumerate(counts)
    )


def _risk_bins(churn: Floats, clv: Floats | None) -> tuple[Bin, ...]:
    return _bins(churn, np.arange(1, 20) / 20.0, (0.0, 1.0), clv)


def _value_bins(clv: Floats) -> tuple[Bin, ...]:
    """Bin spend between the round numbers 1, 2, 5, 10, ..., because spend runs over several powers of ten."""
    positive = clv[clv > 0.0]
    if positive.size == 0:
        return _bins(clv, np.empty(0), (None, None), clv)
    low, high = np.quantile(positive, [0.05, 0.99])
    low = max(float(low), float(high) / 2_000.0)
    powers = range(int(np.floor(np.log10(low))), int(np.floor(np.log10(high))) + 1)
    edges = [step * 10.0**power for power in powers for step in (1.0, 2.0, 5.0)]
    kept = [edge for edge in edges if low < edge * 2.5 and edge <= high]
    return _bins(clv, np.array(kept or [float(edges[0])]), (None, None), clv)


def _concentration(clv: Floats) -> Concentration | None:
    known = np.sort(clv[np.isfinite(clv)])[::-1]
    total = known.sum()
    if total <= 0.0:
        return None
    held = np.concatenate([[0.0], np.cumsum(known) / total])
    of_customers = np.arange(known.size + 1) / known.size
    grid = np.linspace(0.0, 1.0, 101)
    return Concentration(
        top_tenth_share=float(np.interp(0.1, of_customers, held)),
        half_of_spend_at=float(of_customers[int(np.argmax(held >= 0.5))]),
        share_of_customers=tuple(map(float, grid)),
        share_of_spend=tuple(map(float, np.interp(grid, of_customers, held))),
    )


def _cells(churn: Floats, clv: Floats) -> tuple[Cell, ...]:
    known = np.isfinite(churn) & np.isfinite(clv)
    p, value = churn[known], clv[known]
    rank = np.empty(value.size)
    rank[np.argsort(-value, kind="stable")] = np.arange(1, value.size + 1) / max(value.size, 1)
    group = np.searchsorted([share for _, share in VALUE_GROUPS[:-1]], rank, side="left")
    risk = np.searchsorted(RISK_EDGES[1:-1], p, side="left")
    where, n_risks = group * 4 + risk, len(RISK_EDGES) - 1
    counts = np.bincount(where, minlength=len(VALUE_GROUPS) * n_risks)
    sums = np.bincount(where, weights=value, minlength=len(VALUE_GROUPS) * n_risks)
    return tuple(
        Cell(
            name, RISK_EDGES[j], RISK_EDGES[j + 1], int(counts[i * n_risks + j]), float(sums[i * n_risks + j])
        )
        for i, (name, _) in enumerate(VALUE_GROUPS)
        for j in range(n_risks)
    )


def _order(scores: Scores) -> NDArray[np.intp]:
    clv, churn = scores.get("clv"), scores.get("churn_probability")
    if clv is None or churn is None:
        only = clv if churn is None else churn
        return (
            np.argsort(-np.nan_to_num(only, nan=-np.inf), kind="stable") if only is not None else np.arange(0)
        )
    at_risk = churn > AT_RISK_ABOVE
    worth = np.nan_to_num(np.where(at_risk, clv, churn * clv), nan=-np.inf)
    return np.lexsort((-worth, ~at_risk))


def _rows(scores: Scores, n_shown: int) -> Iterable[CustomerRow]:
    for place, row in enumerate(_order(scores)[:n_shown]):
        number = {name: _or_none(scores.get(name), int(row)) for name in NUMBERS}
        yield CustomerRow(
            rank=place + 1,
            customer_id=str(scores.customer_ids[row]),
            at_risk=(number["churn_probability"] or 0.0) > AT_RISK_ABOVE,
            reasons=tuple(str(said[row]) for said in scores.reasons if said[row]),
            **number,
        )


def _or_none(values: Floats | None, row: int) -> float | None:
    return None if values is None or not np.isfinite(values[row]) else float(values[row])
