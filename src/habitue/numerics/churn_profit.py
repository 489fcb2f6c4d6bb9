r"""What a campaign to keep customers earns, when the best share of a ranked base is contacted.

A contact costs f. One who would leave accepts the offer with probability gamma and then stays, worth CLV less
the offer's cost d; one who would stay anyway accepts it for certain, and d is given away. Of customers who
leave with probability p, each contact thus earns on average

.. math:: p \, (\gamma \, (CLV - d) - f) - (1 - p) (d + f) .

A ranking is worth what it earns at its best threshold: the maximum profit for a known gamma, the expected
maximum profit where gamma is Beta(alpha, beta) and the threshold follows it. Best thresholds lie on the
convex hull of the ROC curve, and the hull's edges are steps of customers with one rate of leaving each; these
steps are what the functions here take. Who is ranked, and by what, is for the caller to know.

References
----------
Verbraken, T., Verbeke, W. and Baesens, B. (2013). A novel profit maximizing metric for measuring
classification performance of customer churn prediction models. IEEE Transactions on Knowledge and Data
Engineering 25(5), 961-973.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import betaincc

from habitue.numerics.arrays import FloatArray

__all__ = ["Hull", "Targeted", "expected_maximum_profit", "maximum_profit", "roc_hull"]


class Hull(NamedTuple):
    """Customers in steps, those likeliest to leave first: the edges of the ROC curve's convex hull."""

    rate: FloatArray
    """Share of each step that leaves, falling, in [0, 1]."""
    share: FloatArray
    """Share of all customers in each step; sums to 1."""


class Targeted(NamedTuple):
    """What contacting the best share of the base earns."""

    profit: float
    """Money per customer of the base, contacted or not; never negative, since nobody may be contacted."""
    share: float
    """Share of the base to contact, in [0, 1]; for an uncertain gamma its mean."""


def roc_hull(leavers: FloatArray, customers: FloatArray) -> Hull:
    """Return the convex hull of a ROC curve as steps of falling rates.

    Parameters
    ----------
    leavers, customers : ndarray of shape (k,)
        How many leave, and how many there are, in each group of equally ranked customers; the likeliest to
        leave first. A group may be empty, all may not.

    Returns
    -------
    Hull
        At most k steps.

    Notes
    -----
    The isotonic regression of who leaves on the rank: neighbours that stand in the wrong order are pooled.
    Its steps are the edges of the hull (Fawcett and Niculescu-Mizil), found in one pass.

    References
    ----------
    Fawcett, T. and Niculescu-Mizil, A. (2007). PAV and the ROC convex hull. Machine Learning 68, 97-106.

    Examples
    --------
    The second group leaves less often than the third, hence both are one step:

    >>> hull = roc_hull(np.array([2.0, 0.0, 1.0, 0.0]), np.array([2.0, 1.0, 1.0, 4.0]))
    >>> hull.rate, hull.share
    (array([1. , 0.5, 0. ]), array([0.25, 0.25, 0.5 ]))
    """
    there = customers > 0.0
    mass = customers[there]
    steps = isotonic_regression(leavers[there] / mass, weights=mass, increasing=False)
    first = steps.blocks[:-1]
    share = np.add.reduceat(mass, first) / mass.sum()
    return Hull(np.clip(steps.x[first], 0.0, 1.0), share)


def maximum_profit(
    hull: Hull, *, clv: float, cost: float, contact_cost: float, acceptance: float
) -> Targeted:
    r"""Return what the best share of the base earns where the rate of acceptance is known.

    Parameters
    ----------
    hull : Hull
        The ranking.
    clv : float
        Worth of a customer who stays, above `cost`.
    cost : float
        Cost of an accepted offer, d, 0 or more.
    contact_cost : float
        Cost of a contact, f, 0 or more.
    acceptance : float
        Probability that one who would leave accepts, gamma, in [0, 1].

    Returns
    -------
    Targeted

    Notes
    -----
    The maximum over thresholds t of

    .. math:: \pi_0 F_0(t) (\gamma (CLV - d) - f) - \pi_1 F_1(t) (d + f)

    with the shares of the base that leave and stay, and the parts of them contacted. It is linear along
    each step of the hull, so that a step is contacted whole or not at all.

    References
    ----------
    Verbraken, Verbeke and Baesens (2013), as above: MPC.

    Examples
    --------
    >>> hull = Hull(np.array([0.5, 0.1]), np.array([0.2, 0.8]))
    >>> maximum_profit(hull, clv=200.0, cost=10.0, contact_cost=1.0, acceptance=0.3)
    Targeted(profit=4.5, share=0.2)
    """
    per_contact = hull.rate * (acceptance * (clv - cost) - contact_cost)
    per_contact -= (1.0 - hull.rate) * (cost + contact_cost)
    worth_it = per_contact > 0.0
    return Targeted(float(hull.share @ np.maximum(per_contact, 0.0)), float(hull.share @ worth_it))


def expected_maximum_profit(
    hull: Hull, *, clv: float, cost: float, contact_cost: float, alpha: float, beta: float
) -> Targeted:
    r"""Return what the best share of the base earns where the rate of acceptance is uncertain.

    Parameters
    ----------
    hull : Hull
        The ranking.
    clv : float
        Worth of a customer who stays, above `cost`.
    cost : float
        Cost of an accepted offer, d, 0 or more.
    contact_cost : float
        Cost of a contact, f, 0 or more.
    alpha, beta : float
        Of the Beta distribution of the rate of acceptance, above 0.

    Returns
    -------
    Targeted
        Profit and share, both expectations over gamma.

    Notes
    -----
    The integral over gamma of the maximum profit times the Beta density. Taken step by step it is exact: a
    step with rate p is contacted for every gamma above

    .. math:: \gamma_p = \frac{f + (1 - p) \, d}{p \, (CLV - d)}

    and the mean of gamma there is that of the Beta distribution cut off, by the incomplete beta function:
    E[gamma; gamma > g] = alpha / (alpha + beta) P(Beta(alpha + 1, beta) > g).

    References
    ----------
    Verbraken, Verbeke and Baesens (2013), as above: EMPC, and the EMPC fraction.

    Examples
    --------
    >>> hull = Hull(np.array([0.5, 0.1]), np.array([0.2, 0.8]))
    >>> best = expected_maximum_profit(hull, clv=200.0, cost=10.0, contact_cost=1.0, alpha=6.0, beta=14.0)
    >>> round(best.profit, 3), round(best.share, 3)
    (4.512, 0.215)
    """
    spent = contact_cost + (1.0 - hull.rate) * cost  # per contact, were no one who leaves to accept
    gained = hull.rate * (clv - cost)  # per contact, were all of them to accept
    needed = np.divide(spent, gained, out=np.ones_like(spent), where=gained > spent)
    contacted = betaincc(alpha, beta, needed)
    accepting = alpha / (alpha + beta) * betaincc(alpha + 1.0, beta, needed)
    profit = hull.share @ (gained * accepting - spent * contacted)
    return Targeted(max(float(profit), 0.0), float(hull.share @ contacted))
