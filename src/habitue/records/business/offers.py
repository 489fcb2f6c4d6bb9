"""Offers of a simulated business, with what they truly do to whom.

Nobody outside a simulation knows such things: they are what uplift models are to find. Not here: an offer as
a business states it, with its assumptions; that is `habitue.decisions.offers`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np
from scipy import special

from habitue.errors import SettingsError
from habitue.numerics.arrays import FloatArray
from habitue.records.business.customers import Customers

__all__ = ["OFFERS", "Leaning", "OfferTruth", "offers_by_name"]


@dataclass(frozen=True)
class Leaning:
    """A number that depends on what a customer is like.

    Attributes
    ----------
    typical : float
        Where all three latent traits are 0.5.
    satisfaction, habit, switching_cost : float
        By how much it rises as the trait goes from 0 to 1.

    Examples
    --------
    >>> Leaning(-0.5, satisfaction=1.0).of(np.array([0.0, 1.0]), 0.5, 0.5).tolist()
    [-1.0, 0.0]
    """

    typical: float = 0.0
    satisfaction: float = 0.0
    habit: float = 0.0
    switching_cost: float = 0.0

    def of(
        self, satisfaction: FloatArray | float, habit: FloatArray | float, switching_cost: FloatArray | float
    ) -> FloatArray:
        """Return the number of each customer.

        Parameters
        ----------
        satisfaction, habit, switching_cost : ndarray or float
            Latent traits in (0, 1).
        """
        return np.asarray(
            self.typical
            + self.satisfaction * (np.asarray(satisfaction) - 0.5)
            + self.habit * (np.asarray(habit) - 0.5)
            + self.switching_cost * (np.asarray(switching_cost) - 0.5)
        )


@dataclass(frozen=True)
class OfferTruth:
    """What an offer costs, who takes it up, and what it changes.

    Attributes
    ----------
    name : str
        As contacts record it; not "control".
    channel : str
        How it is made.
    contact_cost, accepted_cost : float
        Money for each customer contacted, and further money for each who accepts; 0 or more. A discount is
        no cost of this kind: it lowers the margin of orders.
    acceptance : Leaning
        Log-odds of the chance to accept.
    contact_hazard : Leaning
        By how much being contacted raises the logarithm of the hazard to leave by choice, accepted or not:
        above 0 for those whom it puts off.
    hazard, order_rate : Leaning
        By how much acceptance raises the logarithms of the hazard to leave by choice and of the rate of
        orders.
    discount : float
        Share of the list price off all orders of those who accepted, 0 to below 0.5.
    lasts : int
        Days for which all of this works, from the moment of the contact; then it is gone.

    Raises
    ------
    SettingsError
        Where a number is out of range.
    """

    name: str
    channel: str = "email"
    contact_cost: float = 0.0
    accepted_cost: float = 0.0
    acceptance: Leaning = Leaning()
    contact_hazard: Leaning = Leaning()
    hazard: Leaning = Leaning()
    order_rate: Leaning = Leaning()
    discount: float = 0.0
    lasts: int = 60

    def __post_init__(self) -> None:
        if not self.name or self.name == "control":
            raise SettingsError(f"an offer needs a name that is not 'control'; got {self.name!r}")
        for money in (self.contact_cost, self.accepted_cost):
            if not (math.isfinite(money) and money >= 0.0):
                raise SettingsError(f"expected costs of {self.name!r} to be 0 or more; got {money!r}")
        if not 0.0 <= self.discount < 0.5:
            raise SettingsError(f"expected discount of {self.name!r} in [0, 0.5); got {self.discount!r}")
        if self.lasts != int(self.lasts) or self.lasts < 1:
            raise SettingsError(
                f"expected lasts of {self.name!r} in whole days, 1 or more; got {self.lasts!r}"
            )
        leanings = [
            value for field in fields(self) if isinstance(value := getattr(self, field.name), Leaning)
        ]
        told = [getattr(leaning, field.name) for leaning in leanings for field in fields(Leaning)]
        if not all(map(math.isfinite, told)):
            raise SettingsError(f"expected the leanings of {self.name!r} to be finite numbers; got {told!r}")

    def p_accept(self, customers: Customers) -> FloatArray:
        """Return the chance of each customer to accept.

        Parameters
        ----------
        customers : Customers
            What they are like.
        """
        return special.expit(_of(self.acceptance, customers))

    def log_hazard(self, customers: Customers, *, accepted: bool) -> FloatArray:
        """Return by how much the logarithm of each customer's hazard to leave by choice rises.

        Parameters
        ----------
        customers : Customers
            What they are like.
        accepted : bool
            Whether they accept.
        """
        put_off = _of(self.contact_hazard, customers)
        return put_off + _of(self.hazard, customers) if accepted else put_off

    def log_rate(self, customers: Customers) -> FloatArray:
        """Return by how much the logarithm of the rate of orders rises for those who accept.

        Parameters
        ----------
        customers : Customers
            What they are like.
        """
        return _of(self.order_rate, customers)


def _of(leaning: Leaning, customers: Customers) -> FloatArray:
    return leaning.of(customers.satisfaction, customers.habit, customers.switching_cost)


def offers_by_name(offers: Iterable[OfferTruth]) -> Mapping[str, OfferTruth]:
    """Return offers by name.

    Parameters
    ----------
    offers : iterable of OfferTruth
        Each of another name.

    Raises
    ------
    SettingsError
        Where two have the same name.
    """
    listed = list(offers)
    named = {offer.name: offer for offer in listed}
    if len(named) < len(listed):
        raise SettingsError("two offers have the same name; give each a name of its own")
    return MappingProxyType(named)


OFFERS = (
    OfferTruth(
        "proactive support",
        channel="phone",
        contact_cost=1.5,
        accepted_cost=2.0,
        acceptance=Leaning(0.2, satisfaction=-0.5, habit=1.5),
        contact_hazard=Leaning(0.15, switching_cost=-1.2),
        hazard=Leaning(-0.9, satisfaction=1.6),
        order_rate=Leaning(0.2, satisfaction=-0.7, habit=0.6),
    ),
    OfferTruth(
        "loyalty discount",
        channel="email",
        contact_cost=0.1,
        acceptance=Leaning(0.3, satisfaction=0.5, habit=2.5),
        contact_hazard=Leaning(0.05),
        hazard=Leaning(-0.2),
        order_rate=Leaning(0.15, habit=-0.7),
        discount=0.05,
    ),
    OfferTruth(
        "bonus points",
        channel="app",
        contact_cost=0.1,
        accepted_cost=2.5,
        acceptance=Leaning(0.0, satisfaction=0.5),
        contact_hazard=Leaning(0.05, satisfaction=-0.8),
        hazard=Leaning(-0.3),
        order_rate=Leaning(0.12, habit=0.8, switching_cost=-0.5),
    ),
)
"""What a simulated business offers where it is told nothing else.

Proactive support helps the unsatisfied and puts off those who could switch easily; the discount is taken up
by those of habit, who would have bought anyway; points reward habit, and put off the unsatisfied.
"""
