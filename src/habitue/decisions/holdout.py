"""Who of those to be treated is left alone, so that the next round can learn what treatment did.

A plan carried out to the last customer teaches nothing: nobody knows what would have happened without it. Of
those whom the plan treats, a share drawn by lot gets nothing, and some may get another offer that is expected
to do about as well. The probability of what was done is written down for each customer, exact, since trials
are worthless without it. Lots are those of `habitue.experiments`: nothing but the customer, the round and the
seed decides, so that the same round can be drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.decisions.allocating.allocation import Allocation
from habitue.decisions.lots import lots
from habitue.errors import SettingsError
from habitue.experiments.assignment import CONTROL

__all__ = ["MIN_CONTROLS", "Explore", "draw_round", "holdout_shares"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

MIN_CONTROLS = 50
"""Customers an offer leaves alone, on average: fewer teach nothing. Never more than half of those planned."""
_MOST = 0.5


@dataclass(frozen=True)
class Explore:
    """How often another offer than the planned one is made, so that both are learned about.

    Attributes
    ----------
    epsilon : float
        Probability of another offer, of those treated who have one that is nearly as good; in [0, 1).
    near : float
        What another offer may lack of the planned one's expected gain, as a share of it; in [0, 1].
    """

    epsilon: float = 0.0
    near: float = 0.1

    def check(self) -> None:
        """Refuse what is no probability.

        Raises
        ------
        SettingsError
            Where a figure is out of range.
        """
        if not 0.0 <= self.epsilon < 1.0 or not 0.0 <= self.near <= 1.0:
            raise SettingsError(
                f"Exploration needs epsilon in [0, 1) and near in [0, 1]; got {self.epsilon!r} and "
                f"{self.near!r}."
            )


def holdout_shares(planned: npt.ArrayLike, *, share: float = 0.1, at_least: int = MIN_CONTROLS) -> FloatArray:
    """Return which share of the customers planned for each offer is to be left alone.

    Parameters
    ----------
    planned : array_like of int, shape (n_offers,)
        Customers planned for each offer.
    share : float
        The share wished for, in [0, 1); 0 leaves nobody alone, and nothing can be learned.
    at_least : int
        Customers wished for at least: a small plan gives a larger share, up to a half.

    Returns
    -------
    ndarray of shape (n_offers,)

    Raises
    ------
    SettingsError
        Where the share is none.

    Examples
    --------
    >>> holdout_shares([10_000, 200, 20]).tolist()
    [0.1, 0.25, 0.5]
    """
    if not 0.0 <= share < 1.0:
        raise SettingsError(f"The holdout must be a share in [0, 1), e.g. 0.1; got {share!r}.")
    count = np.maximum(np.asarray(planned, dtype=np.float64), 1.0)
    if share == 0.0:
        return np.zeros(count.shape)
    return np.maximum(share, np.minimum(_MOST, at_least / count))


def draw_round(
    plan: Allocation,
    *,
    name: str,
    share: float = 0.1,
    at_least: int = MIN_CONTROLS,
    explore: Explore | None = None,
    gain: pd.DataFrame | None = None,
    cost: pd.DataFrame | None = None,
    alternatives: pd.DataFrame | None = None,
    random_state: int = 0,
) -> pd.DataFrame:
    r"""Draw what is done with each customer of a plan.

    Parameters
    ----------
    plan : Allocation
        Who is planned for what.
    name : str
        Of the round: another one draws anew.
    share : float
        Of those planned for an offer who get nothing, in [0, 1).
    at_least : int
        Customers left alone per offer at least, see `holdout_shares`.
    explore : Explore, optional
        Whether some get another offer; nobody does where None, or where a customer may have several offers.
    gain, cost : DataFrame of shape (n_customers, n_offers), optional
        Of the plan; needed to explore.
    alternatives : DataFrame, optional
        Indexed by offer: ``capacity`` and ``channel`` and ``channel_capacity``, places that the plan leaves
        free (infinite where not limited); without limits where None.
    random_state : int
        Seed of the lots.

    Returns
    -------
    DataFrame
        One row a planned customer and offer: customer_id, planned (the offer of the plan), or_else (other
        offers that could have been drawn, ``""`` where none), arm (``"control"``, or the offer made) and
        propensity, the probability of that arm.

    Raises
    ------
    SettingsError
        Where a share is out of range, or gains are missing where another offer may be made.

    Notes
    -----
    A lot u, uniform in [0, 1), decides: control where u < h, another of the k offers nearly as good where
    h <= u < h + (1 - h) epsilon, each with probability (1 - h) epsilon / k, else the planned one.

    No limit of the plan can be broken: another offer may not cost more than the planned one, and each
    customer who may get it has a place kept for that. Fairness limits hold for the plan; lots know no groups.

    Examples
    --------
    >>> from habitue.decisions.allocating.allocation import allocate
    >>> plan = allocate(pd.DataFrame({"call": [5.0, 3.0]}, index=["ann", "bob"]), [1.0])
    >>> draw_round(plan, name="spring")[["customer_id", "planned", "arm", "propensity"]]
      customer_id planned      arm  propensity
    0         ann    call  control         0.5
    1         bob    call     call         0.5
    """
    rows, offers = np.nonzero(plan.taken)
    shares = holdout_shares(plan.taken.sum(axis=0), share=share, at_least=at_least)
    per_customer = np.where(plan.taken, shares, 0.0).max(axis=1, initial=0.0)
    drawn = np.zeros(len(plan.taken))
    treated = np.flatnonzero(plan.taken.any(axis=1))
    drawn[treated] = lots(plan.customers[treated], f"decide|{name}|{random_state}")
    others = np.zeros(plan.taken.shape, dtype=np.bool_)
    if explore is not None and explore.epsilon:
        explore.check()
        others = _others(plan, explore, gain, cost, alternatives, name)
    names = np.array([CONTROL, *plan.offers], dtype=object)
    arm, propensity = _arms(
        drawn[rows], per_customer[rows], offers, others[rows], explore.epsilon if explore else 0.0
    )
    return pd.DataFrame(
        {
            "customer_id": plan.customers[rows],
            "planned": names[offers + 1],
            "or_else": [" or ".join(names[1:][may]) for may in others[rows]],
            "arm": names[arm + 1],
            "propensity": propensity,
        }
    )


def _arms(
    drawn: FloatArray, held: FloatArray, planned: IntArray, others: BoolArray, epsilon: float
) -> tuple[IntArray, FloatArray]:
    """Return the arm of each, -1 for control, and its probability."""
    count = others.sum(axis=1)
    each = np.where(count > 0, (1.0 - held) * epsilon / np.maximum(count, 1), 0.0)
    arm = planned.copy()
    propensity = 1.0 - held - each * count
    place = np.floor((drawn - held) / np.where(each > 0.0, each, 1.0))
    another = (drawn >= held) & (each > 0.0) & (place < count)
    if another.any():
        ranked = np.argsort(~others[another], axis=1, kind="stable")  # those that may be made, first
        arm[another] = ranked[np.arange(len(ranked)), place[another].astype(np.intp)]
        propensity[another] = each[another]
    control = drawn < held
    arm[control] = -1
    propensity[control] = held[control]
    return arm, propensity


def _others(
    plan: Allocation,
    explore: Explore,
    gain: pd.DataFrame | None,
    cost: pd.DataFrame | None,
    alternatives: pd.DataFrame | None,
    name: str,
) -> BoolArray:
    """Say which other offers each customer may get: nearly as good, no dearer, and with a place kept."""
    if gain is None or cost is None:
        raise SettingsError("To explore, the gains and costs of the plan must be handed in.")
    if plan.taken.sum(axis=1).max(initial=0) > 1:
        return np.zeros(plan.taken.shape, dtype=np.bool_)
    columns = list(plan.offers)
    gains, costs = gain[columns].to_numpy(np.float64), cost[columns].to_numpy(np.float64)
    rows = np.flatnonzero(plan.chosen >= 0)
    chosen = plan.chosen[rows]
    own_gain, own_cost = gains[rows, chosen], costs[rows, chosen]
    near = (
        np.nan_to_num(gains[rows], nan=-np.inf) >= (own_gain - explore.near * np.abs(own_gain))[:, np.newaxis]
    )
    near &= (costs[rows] <= own_cost[:, np.newaxis]) & (gains[rows] > 0.0)
    near[np.arange(len(rows)), chosen] = False
    others = np.zeros(plan.taken.shape, dtype=np.bool_)
    order = np.argsort(lots(plan.customers[rows], f"explore|{name}"), kind="stable")
    others[rows] = (
        near if alternatives is None else _with_places(near, chosen, order, alternatives.loc[columns])
    )
    return others


def _with_places(near: BoolArray, chosen: IntArray, order: IntArray, free: pd.DataFrame) -> BoolArray:
    """Keep a place for each who may get another offer, in an order by lot; no place, no other offer."""
    kept = np.zeros_like(near)
    places = free["capacity"].to_numpy(np.float64).copy()
    channel = free["channel"].astype(str).tolist()
    through = dict(zip(channel, free["channel_capacity"].tolist(), strict=True))
    for row in order[near[order].any(axis=1)]:
        own = channel[chosen[row]]
        for offer in np.flatnonzero(near[row]):
            by = channel[offer]
            if places[offer] >= 1.0 and (by == own or through[by] >= 1.0):
                kept[row, offer] = True
                places[offer] -= 1.0
                through[by] -= float(by != own)
    return kept
