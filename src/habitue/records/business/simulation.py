"""The simulated business as a whole: its records, its truth, its future, and what offers do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from habitue.errors import SettingsError
from habitue.records.business.bonds import draw_collecting, draw_contracts, rewards
from habitue.records.business.customers import BusinessParams, Customers, draw_customers
from habitue.records.business.future import Future, Past
from habitue.records.business.offers import OFFERS, Leaning, OfferTruth, offers_by_name
from habitue.records.business.purchases import draw_purchases
from habitue.records.business.touches import draw_contacts, draw_events
from habitue.records.business.treatments import read_treatments
from habitue.records.business.uplift import TrueEffects, true_effects
from habitue.records.business.voices import draw_feedback, draw_tickets
from habitue.records.customer_log import CustomerLog
from habitue.records.days import as_day

__all__ = [
    "OFFERS",
    "BusinessParams",
    "Leaning",
    "OfferTruth",
    "SimulatedBusiness",
    "TrueEffects",
    "simulate_business",
]


@dataclass(frozen=True, eq=False)
class SimulatedBusiness:
    """A log of all kinds of record, and what no record tells.

    Each is made when it is first asked for.
    """

    _future: Future = field(repr=False)

    @cached_property
    def log(self) -> CustomerLog:
        """The records, through the door."""
        return CustomerLog(**dict[str, Any](self.frames), observed_until=self.observed_until)

    @cached_property
    def truth(self) -> pd.DataFrame:
        """What no record tells of each customer, indexed by customer_id.

        Its columns are satisfaction, habit, switching_cost (latent, in (0, 1)), hazard (chance a day to leave
        by own choice), left_at (NaT where still there at the end of the log) and left_reason (voluntary or
        involuntary).
        """
        return self._future.customers.truth()

    @property
    def frames(self) -> Mapping[str, pd.DataFrame]:
        """The tables just as the log reads them, by kind."""
        return self._future.frames

    @property
    def observed_until(self) -> date:
        """The last day of the log."""
        customers = self._future.customers
        return customers.first_day + timedelta(days=customers.days_observed - 1)

    @property
    def offers(self) -> Mapping[str, OfferTruth]:
        """What the business can offer, by name, with what it truly does."""
        return self._future.offers

    def carry_on(self, *, days: int, treatments: pd.DataFrame | None = None) -> SimulatedBusiness:
        """Let the business go on for some days, with its customers treated as told.

        Parameters
        ----------
        days : int
            By how many the log gets longer.
        treatments : DataFrame, optional
            Contacts within those days: customer_id, timestamp, offer (of `offers`; missing for controls) and
            arm ("control" for controls, who are on record and not contacted). If wanted campaign, channel,
            cost (money of the contact itself), propensity (chance of the arm on record) and randomised (by
            itself: whether there is a propensity between 0 and 1). What is not told comes from the offer.

        Returns
        -------
        SimulatedBusiness
            With the longer log. This one stays as it is, so that one past can have several futures.

        Raises
        ------
        SettingsError
            If there is not a day to go on.
        SchemaError
            Where columns of the treatments are missing or unknown.
        DataError
            Where a customer or an offer is unknown, or a time lies outside the days that are added.

        Notes
        -----
        Records up to now stay bit for bit what they were, but for what they only come to say later: when a
        contract ended, a ticket was closed. Every customer meets the same luck whatever is done: who is not
        treated lives the same days whoever else is, and the difference between two futures of a customer is
        what the treatment does. Two steps make the same business as one of both lengths.

        An offer works from the moment of the contact for `OfferTruth.lasts` days and is then gone; those of
        several contacts add up. Who accepts has an answer on record within the hour, and the further cost of
        the offer in the cost of the contact. Nobody new comes, the campaigns of the first log have ended, and
        those of its contacts that were not answered by its end never are.

        Examples
        --------
        >>> business = simulate_business(n_customers=300)
        >>> treated = pd.DataFrame({"customer_id": [1, 2], "timestamp": "2024-12-31",
        ...                         "offer": ["bonus points", None], "arm": ["bonus points", "control"]})
        >>> later = business.carry_on(days=91, treatments=treated)
        >>> str(later.observed_until)
        '2025-03-31'
        >>> len(later.frames["contacts"]) - len(business.frames["contacts"])
        2
        """
        if days < 1:
            raise SettingsError(f"expected days to be 1 or more; got {days!r}")
        future, told = self._future, self._future.treatments
        if treatments is not None and len(treatments):
            more = read_treatments(future.chance_of_treatments, treatments, future.offers, future.customers)
            more.refuse_outside(future.customers.days_observed, days, future.customers.first_day)
            told = (*told, more)
        return SimulatedBusiness(replace(future, days=future.days + days, treatments=told))

    def true_effects(self, *, horizon: int, offers: Sequence[str] | None = None) -> TrueEffects:
        """Return what each offer would change for each customer, were it made as the next day begins.

        Parameters
        ----------
        horizon : int
            Days from the end of the log.
        offers : sequence of str, optional
            Names; all where None.

        Returns
        -------
        TrueEffects
            Expected differences in margin and in the chance to leave, what the offer costs, and who accepts.

        Raises
        ------
        SettingsError
            If the horizon is not a day or an offer is unknown.

        Examples
        --------
        >>> effects = simulate_business(n_customers=500).true_effects(horizon=91)
        >>> list(effects.margin), effects.margin.shape
        (['proactive support', 'loyalty discount', 'bonus points'], (500, 3))
        """
        return true_effects(self._future, horizon, offers)


def simulate_business(
    *,
    n_customers: int,
    start: date | str = "2023-01-01",
    days_observed: int = 730,
    days_of_acquisition: int = 365,
    with_contracts: bool = True,
    params: BusinessParams | None = None,
    offers: Sequence[OfferTruth] = OFFERS,
    random_state: int | np.random.Generator = 0,
) -> SimulatedBusiness:
    r"""Return the records of a business whose customers stay and leave for known reasons.

    Parameters
    ----------
    n_customers : int
        Customers, each with a first order.
    start : date or str, default "2023-01-01"
        First day of the log.
    days_observed : int, default 730
        Days that the log is long.
    days_of_acquisition : int, default 365
        Days from the start on which new customers come, evenly.
    with_contracts : bool, default True
        Whether customers sign contracts; all other records are the same without.
    params : BusinessParams, optional
        What drives customers; the defaults of `BusinessParams` where None.
    offers : sequence of OfferTruth, optional
        What can be offered when the business is carried on; nothing of it is in this log.
    random_state : int or numpy.random.Generator, default 0
        Source of chance; the same number gives the same records.

    Returns
    -------
    SimulatedBusiness
        Log, truth and frames. Customers are numbered from 1 in the order in which they came.

    Raises
    ------
    SettingsError
        If a number of customers or days is impossible.

    Notes
    -----
    A customer of satisfaction s, habit h and switching cost w leaves by own choice at the constant daily
    hazard

    .. math:: \lambda = \lambda_0 e^{-b_s (s - 1/2) - b_h (h - 1/2) - b_w (w - 1/2)}

    and, whatever they are like, at a small involuntary one. Up to then

    - satisfaction shows in survey scores and review texts, in number, waiting time, escalation and reopening
      of tickets, in returns, referrals and shares, and in answers to campaigns;
    - habit in the rate and regularity of orders (Erlang gaps whose shape grows with it), in visits, in the
      share of contracts that renew by themselves, and in points earned;
    - switching cost in the length of contracts, termination fees, points kept and categories used.

    Nothing is done by a customer after leaving; campaigns, and tickets still open, run on without them.
    In an order line ``amount = quantity * list_price - discount``; in a return quantity, discount, amount and
    margin are negative. The contacts of this log change neither orders nor leaving: the true uplift of their
    offers is 0. Traits do not change over time, so nobody cools off before leaving.
    `SimulatedBusiness.carry_on` lets the business go on, with offers that do work.

    A kind of which a handful of customers leaves no record at all is neither in the log nor in the frames.

    Examples
    --------
    >>> business = simulate_business(n_customers=500)
    >>> business.log.n_customers, str(business.log.observed_until)
    (500, '2024-12-30')
    >>> sorted(business.frames)
    ['contacts', 'contracts', 'customers', 'events', 'feedback', 'rewards', 'tickets', 'transactions']
    >>> truth = business.truth
    >>> bool(truth.satisfaction[truth.left_at.isna()].mean() > truth.satisfaction.mean())
    True
    """
    _check(n_customers, days_observed, days_of_acquisition)
    params, first_day, named = params or BusinessParams(), as_day(start, "start"), offers_by_name(offers)
    people, *draws = np.random.default_rng(random_state).spawn(9)
    customers = draw_customers(people, params, n_customers, first_day, days_observed, days_of_acquisition)
    key = int(people.spawn(1)[0].integers(0, 2**63))
    return SimulatedBusiness(Future(_past(key, draws, customers, with_contracts=with_contracts), named))


def _past(key: int, draws: list[np.random.Generator], customers: Customers, *, with_contracts: bool) -> Past:
    """Draw all tables, each from a source of chance of its own: what one draws moves no other."""
    purchases = draw_purchases(draws[0], customers)
    contracts, events = draw_contracts(draws[1], customers), draw_events(draws[2], customers)
    tickets = draw_tickets(draws[4], customers)
    collecting = draw_collecting(draws[5], customers, purchases.orders)
    frames: dict[str, pd.DataFrame] = {
        "transactions": purchases.transactions,
        "contracts": contracts if with_contracts else pd.DataFrame(),
        "events": events,
        "feedback": draw_feedback(draws[3], customers, purchases.orders),
        "tickets": tickets.table(customers),
        "rewards": rewards(customers, purchases.orders, collecting),
        "contacts": draw_contacts(draws[6], customers),
        "customers": customers.attributes(draws[7]),
    }
    recorded = MappingProxyType({kind: frame for kind, frame in frames.items() if len(frame)})
    return Past(key, customers, purchases, collecting, tickets, recorded)


def _check(n_customers: int, days_observed: int, days_of_acquisition: int) -> None:
    """Refuse what describes no business."""
    if n_customers < 1:
        raise SettingsError(f"expected n_customers to be 1 or more; got {n_customers!r}")
    if not 1 <= days_of_acquisition <= days_observed:
        raise SettingsError(
            "expected days_of_acquisition to be 1 or more and not above days_observed; got "
            f"{days_of_acquisition!r} and {days_observed!r}"
        )
