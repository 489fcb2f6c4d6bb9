"""A plan, which customer gets which offer, and what it earns over draws of the assumptions.

Assumptions are shared by all customers, so that the profit of a plan is told draw by draw: first the
customers of each offer are summed, then the sums are weighed. Plans told of the same draws can be compared
draw by draw.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.decisions.assumptions import Assumptions
from habitue.decisions.measured_effects import Measured
from habitue.decisions.value_at_stake import Stakes
from habitue.errors import DataError, SettingsError

__all__ = ["Profit", "as_plan", "offer_profits", "plan_profits", "profit_of"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Profit(NamedTuple):
    """What a plan is expected to earn, in margin within the horizon net of costs, against contacting nobody.

    Attributes
    ----------
    expected : float
        Money.
    lower, upper : float
        Ends of its interval, for what is not known of the assumptions.
    p_loss : float
        Probability that the plan loses money, in [0, 1].
    """

    expected: float
    lower: float
    upper: float
    p_loss: float


def as_plan(chosen: npt.ArrayLike, *, n_customers: int, n_offers: int) -> BoolArray:
    """Return a plan as who gets which offers, or say what it cannot be.

    Parameters
    ----------
    chosen : array_like of int of shape (n_customers,), or of bool of shape (n_customers, n_offers)
        Position of each customer's offer, -1 for none; or, where customers may get several, whether each
        offer is made to each.
    n_customers, n_offers : int
        How many there are.

    Returns
    -------
    ndarray of bool of shape (n_customers, n_offers)

    Raises
    ------
    DataError
        Where it has another shape, or a position that is of no offer.

    Examples
    --------
    >>> as_plan([0, -1], n_customers=2, n_offers=1).tolist()
    [[True], [False]]
    """
    given: npt.NDArray[Any] = np.asarray(chosen)
    if given.dtype.kind == "b" and given.shape == (n_customers, n_offers):
        return given
    if given.shape != (n_customers,) or given.dtype.kind not in "iu":
        raise DataError(
            f"A plan is a whole number for each of {n_customers:,} customers, or True and False for each and "
            f"each of {n_offers} offers; got shape {given.shape} of {given.dtype}."
        )
    if n_customers and not (given.min() >= -1 and given.max() < n_offers):
        raise DataError(f"A plan holds positions of offers from 0 to {n_offers - 1}, and -1 for none.")
    return given[:, np.newaxis] == np.arange(n_offers)


def offer_profits(
    stakes: Stakes,
    assumptions: Assumptions,
    chosen: npt.ArrayLike,
    *,
    measured: dict[str, Measured] | None = None,
    random_state: int = 0,
) -> FloatArray:
    """Return what each offer of a plan earns in each draw.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    chosen : array_like
        The plan, as `as_plan` takes it. The gains of several offers to a customer are added up.
    measured : dict of str to Measured, optional
        Effects that take the place of the assumptions, by offer; see `measured_effects`.
    random_state : int, default 0
        Seed of the draws of measured effects.

    Returns
    -------
    ndarray of shape (n_offers, D)
        Money.

    Raises
    ------
    DataError
        As `as_plan`.

    Notes
    -----
    The errors of measured effects are taken to be shared by the customers of an offer, the careful way: an
    uplift model that is off is off for all who are alike.
    """
    plan = as_plan(chosen, n_customers=len(stakes), n_offers=len(assumptions.offers))
    terms, known = stakes.terms(), measured or {}
    told = np.zeros((len(assumptions.offers), assumptions.n_draws))
    for place, offer in enumerate(assumptions.offers):
        rows = np.flatnonzero(plan[:, place])
        gross = assumptions.gross(offer.name, leaver_share=stakes.leaver_share)
        told[place] = -(terms[rows].sum(axis=0) @ assumptions.cost(offer.name))
        if offer.name in known:
            effect, error = (part[rows] for part in known[offer.name])
            there = ~np.isnan(effect)
            z = _standard(assumptions.n_draws, random_state, place)
            told[place] += effect[there].sum() + error[there].sum() * z
            rows = rows[~there]
        told[place] += terms[rows].sum(axis=0) @ gross
    return told


def plan_profits(
    stakes: Stakes,
    assumptions: Assumptions,
    chosen: npt.ArrayLike,
    *,
    measured: dict[str, Measured] | None = None,
    random_state: int = 0,
) -> FloatArray:
    """Return what a plan earns in each draw.

    Parameters
    ----------
    stakes : Stakes
        What is at stake with each customer.
    assumptions : Assumptions
        Offers, with draws of what they do.
    chosen : array_like
        The plan, as `as_plan` takes it. The gains of several offers to a customer are added up.
    measured : dict of str to Measured, optional
        Effects that take the place of the assumptions, by offer.
    random_state : int, default 0
        Seed of the draws of measured effects.

    Returns
    -------
    ndarray of shape (D,)
        Money.

    Raises
    ------
    DataError
        As `as_plan`.
    """
    by_offer = offer_profits(stakes, assumptions, chosen, measured=measured, random_state=random_state)
    return by_offer.sum(axis=0)


def profit_of(profits: FloatArray, *, interval: float = 0.8) -> Profit:
    """Return the summary of a plan's profit over draws.

    Parameters
    ----------
    profits : ndarray of shape (D,)
        One a draw.
    interval : float, default 0.8
        In (0, 1).

    Returns
    -------
    Profit

    Raises
    ------
    SettingsError
        Where the interval is none.

    Examples
    --------
    >>> profit_of(np.array([-1.0, 1.0, 3.0]), interval=0.5)
    Profit(expected=1.0, lower=0.0, upper=2.0, p_loss=0.3333333333333333)
    """
    if not 0.0 < interval < 1.0:
        raise SettingsError(f"interval must lie between 0 and 1, e.g. 0.8; got {interval!r}.")
    lower, upper = np.quantile(profits, [0.5 - interval / 2.0, 0.5 + interval / 2.0])
    # Sums that are nought but for rounding lose nothing.
    lost = profits < -1e-9 * max(float(np.abs(profits).max()), 1.0)
    return Profit(float(profits.mean()), float(lower), float(upper), float(lost.mean()))


def _standard(size: int, random_state: int, place: int) -> FloatArray:
    """Return standard Normal draws whose mean is nought."""
    z = np.random.default_rng([random_state, place]).standard_normal(size)
    return z - z.mean()
