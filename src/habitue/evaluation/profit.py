"""What a churn ranking is worth in money: the maximum profit of a campaign that contacts the best share.

The formulas are in :mod:`habitue.numerics.churn_profit`; here they meet customers, weights and an offer whose
economics somebody states. Only the order of the predictions counts, not their size, so that no profit says
whether probabilities can be believed. Nothing here chooses whom to contact: an offer that differs between
customers, a budget, or what a contact changes are for ``habitue.decisions``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.errors import SettingsError
from habitue.evaluation.pairs import check_pair, check_weights
from habitue.evaluation.ranking import FloatArray, tied_sums
from habitue.numerics import churn_profit

__all__ = [
    "PUBLISHED_OFFER",
    "Campaign",
    "RetentionOffer",
    "expected_maximum_profit",
    "expected_profits",
    "maximum_profit",
]

_ROUNDING: Final = 1e-9  # of the base: a share reached but for this is reached


@dataclass(frozen=True)
class RetentionOffer:
    """The economics of an offer to customers who might leave, all in one currency.

    Attributes
    ----------
    clv : float, default 200
        What a customer is worth who would have left and stays; above `cost`.
    cost : float, default 10
        What the offer costs once it is accepted, 0 or more. Those who would have stayed always accept.
    contact_cost : float, default 1
        What contacting one customer costs, 0 or more.
    acceptance : tuple of two floats, default (6, 14)
        Alpha and beta of the Beta distribution of the share of leavers who accept and stay; both above 0.
        The larger their sum, the surer the share.

    Raises
    ------
    SettingsError
        If a figure is out of range.

    Notes
    -----
    The defaults are those that published figures are computed with; their mean acceptance is 30 %.

    References
    ----------
    Verbraken, Verbeke and Baesens (2013), A novel profit maximizing metric for measuring classification
    performance of customer churn prediction models, IEEE Transactions on Knowledge and Data Engineering 25.

    Examples
    --------
    >>> RetentionOffer(clv=500.0, cost=20.0).mean_acceptance
    0.3
    """

    clv: float = 200.0
    cost: float = 10.0
    contact_cost: float = 1.0
    acceptance: tuple[float, float] = (6.0, 14.0)

    def __post_init__(self) -> None:
        """Refuse what cannot be an offer."""
        for name in ("cost", "contact_cost"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise SettingsError(f"{name} must be an amount of 0 or more, got {getattr(self, name)!r}")
        if not self.cost < self.clv < math.inf:
            raise SettingsError(
                f"clv must be above the offer's cost, or nobody is worth keeping; got {self.clv!r}"
                f" and {self.cost!r}"
            )
        if len(self.acceptance) != 2 or not all(0.0 < one < math.inf for one in self.acceptance):
            raise SettingsError(
                "acceptance must be alpha and beta of a Beta distribution, both above 0, e.g. (6, 14)"
                f" for 30 %; got {self.acceptance!r}"
            )

    @property
    def mean_acceptance(self) -> float:
        """Share of leavers expected to accept."""
        alpha, beta = self.acceptance
        return alpha / (alpha + beta)


PUBLISHED_OFFER: Final = RetentionOffer()
"""CLV 200, offer 10, contact 1, acceptance Beta(6, 14): what published figures are computed with."""


class Campaign(NamedTuple):
    """The campaign that earns most, by one ranking of the customers.

    Examples
    --------
    >>> Campaign(profit=4.5, share=0.2, threshold=0.61).share
    0.2
    """

    profit: float
    """Money per customer of the base, those not contacted included; 0 where contacting anybody loses."""
    share: float
    """Share of the base to contact, from the top, in [0, 1]."""
    threshold: float
    """Contact those with at least this prediction; infinite where nobody is to be contacted."""


def maximum_profit(
    outcome: npt.ArrayLike,
    prediction: npt.ArrayLike,
    offer: RetentionOffer = PUBLISHED_OFFER,
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> Campaign:
    """Return the best campaign where the share of leavers who accept is taken to be its mean.

    Parameters
    ----------
    outcome : array_like of shape (n,)
        Whether each customer left: 0 or 1.
    prediction : array_like of shape (n,)
        What customers are ordered by, e.g. churn probabilities.
    offer : RetentionOffer
        Its economics.
    sample_weight : array_like of shape (n,), optional
        How many customers each row stands for.

    Returns
    -------
    Campaign

    Raises
    ------
    DataError
        Lengths differ, values are missing, or outcomes are not 0 or 1.

    Notes
    -----
    Found on the customers it is told of: the best threshold of these, known afterwards, which a threshold
    chosen beforehand cannot exceed.

    References
    ----------
    Verbraken, Verbeke and Baesens (2013), IEEE Transactions on Knowledge and Data Engineering 25: MPC.

    Examples
    --------
    One of four leaves, and is ranked first: keeping every third such customer earns 0.3 * 190 - 1 = 56.

    >>> maximum_profit([1, 0, 0, 0], [0.9, 0.4, 0.3, 0.2])
    Campaign(profit=14.0, share=0.25, threshold=0.9)
    """
    ranked = _ranked(outcome, prediction, sample_weight)
    return _campaign(ranked, _most(ranked.hull, offer))


def expected_maximum_profit(
    outcome: npt.ArrayLike,
    prediction: npt.ArrayLike,
    offer: RetentionOffer = PUBLISHED_OFFER,
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> Campaign:
    """Return what the best campaign earns on average over how many leavers may accept.

    Parameters
    ----------
    outcome : array_like of shape (n,)
        Whether each customer left: 0 or 1.
    prediction : array_like of shape (n,)
        What customers are ordered by, e.g. churn probabilities.
    offer : RetentionOffer
        Its economics.
    sample_weight : array_like of shape (n,), optional
        How many customers each row stands for.

    Returns
    -------
    Campaign
        Profit and share are expectations; the threshold is that of the last customer within the share.

    Raises
    ------
    DataError
        Lengths differ, values are missing, or outcomes are not 0 or 1.

    Notes
    -----
    The best threshold follows the acceptance, so that this is at least the ``maximum_profit``.

    References
    ----------
    Verbraken, Verbeke and Baesens (2013), IEEE Transactions on Knowledge and Data Engineering 25: EMPC.

    Examples
    --------
    >>> campaign = expected_maximum_profit([1, 0, 0, 0], [0.9, 0.4, 0.3, 0.2])
    >>> round(campaign.profit, 2), round(campaign.share, 2), campaign.threshold
    (14.0, 0.25, 0.9)
    """
    ranked = _ranked(outcome, prediction, sample_weight)
    return _campaign(ranked, _most_expected(ranked.hull, offer))


def expected_profits(
    outcome: FloatArray,
    prediction: FloatArray,
    weights: FloatArray,
    *,
    offer: RetentionOffer = PUBLISHED_OFFER,
) -> FloatArray:
    """Return the expected maximum profit per customer, for many weightings of the customers.

    Parameters
    ----------
    outcome : array of shape (n,)
        What happened, 1 or 0.
    prediction : array of shape (n,)
        What customers are ordered by.
    weights : array of shape (B, n)
        How many customers each stands for, not negative.
    offer : RetentionOffer
        Its economics.

    Returns
    -------
    array of shape (B,)
        Money, 0 or more; 0 where nobody leaves.

    Examples
    --------
    >>> weights = np.array([[1.0, 1.0], [0.0, 1.0]])
    >>> expected_profits(np.array([1.0, 0.0]), np.array([0.9, 0.1]), weights).round(2)
    array([28.,  0.])
    """
    customers, leavers = tied_sums(prediction, weights, outcome)
    hulls = (churn_profit.roc_hull(*row) for row in zip(leavers[:, ::-1], customers[:, ::-1], strict=True))
    return np.array([_most_expected(hull, offer).profit for hull in hulls])


class _Ranked(NamedTuple):
    """Customers from the likeliest to leave: each prediction there is, the share of the base down to it."""

    predictions: FloatArray
    reached: FloatArray
    hull: churn_profit.Hull


def _ranked(
    outcome: npt.ArrayLike, prediction: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> _Ranked:
    actual, predicted = check_pair(outcome, prediction, target="churned", order_only=True)
    weights = check_weights(sample_weight, actual.size)
    customers, leavers = (runs[0, ::-1] for runs in tied_sums(predicted, weights, actual))
    reached = np.cumsum(customers) / customers.sum()
    return _Ranked(np.unique(predicted)[::-1], reached, churn_profit.roc_hull(leavers, customers))


def _campaign(ranked: _Ranked, best: churn_profit.Targeted) -> Campaign:
    if best.share <= _ROUNDING:
        return Campaign(best.profit, best.share, math.inf)
    last = int(np.searchsorted(ranked.reached, best.share - _ROUNDING))
    return Campaign(best.profit, best.share, float(ranked.predictions[last]))


def _most(hull: churn_profit.Hull, offer: RetentionOffer) -> churn_profit.Targeted:
    return churn_profit.maximum_profit(
        hull,
        clv=offer.clv,
        cost=offer.cost,
        contact_cost=offer.contact_cost,
        acceptance=offer.mean_acceptance,
    )


def _most_expected(hull: churn_profit.Hull, offer: RetentionOffer) -> churn_profit.Targeted:
    alpha, beta = offer.acceptance
    return churn_profit.expected_maximum_profit(
        hull, clv=offer.clv, cost=offer.cost, contact_cost=offer.contact_cost, alpha=alpha, beta=beta
    )
