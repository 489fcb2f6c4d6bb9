"""A business of known truth: all eight kinds of record, left by customers whose reasons to stay are known.

Each customer has three latent traits that nobody records, satisfaction, habit and switching cost. They drive
when the customer leaves, and each shows in the records of its pillar. So a feature can be tried on what it is
meant to measure, and a model on what it is meant to find.

Not here: purchases exactly as a family of models says; that is `habitue.records.simulators`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from habitue.errors import SettingsError
from habitue.records.business_bonds import draw_contracts, draw_rewards
from habitue.records.business_customers import BusinessParams, Customers, draw_customers
from habitue.records.business_purchases import draw_purchases
from habitue.records.business_touches import draw_contacts, draw_events
from habitue.records.business_voices import draw_feedback, draw_tickets
from habitue.records.customer_log import CustomerLog
from habitue.records.days import as_day

__all__ = ["BusinessParams", "SimulatedBusiness", "simulate_business"]


class SimulatedBusiness(NamedTuple):
    """A log of all kinds of record, and what no record tells.

    Attributes
    ----------
    log : CustomerLog
        The records, through the door.
    truth : DataFrame
        Indexed by customer_id: satisfaction, habit, switching_cost (latent, in (0, 1)), hazard (chance a day
        to leave by own choice), left_at (NaT where still there at the end of the log) and left_reason
        (voluntary or involuntary).
    frames : Mapping[str, DataFrame]
        The tables just as they were fed to the log, by kind.
    """

    log: CustomerLog
    truth: pd.DataFrame
    frames: Mapping[str, pd.DataFrame]


def simulate_business(
    *,
    n_customers: int,
    start: date | str = "2023-01-01",
    days_observed: int = 730,
    days_of_acquisition: int = 365,
    with_contracts: bool = True,
    params: BusinessParams | None = None,
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
    margin are negative. Contacts change neither orders nor leaving: the true uplift of every offer is 0.
    Traits do not change over time, so nobody cools off before leaving.

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
    params, first_day = params or BusinessParams(), as_day(start, "start")
    people, *draws = np.random.default_rng(random_state).spawn(9)
    customers = draw_customers(people, params, n_customers, first_day, days_observed, days_of_acquisition)
    frames = _frames(draws, customers)
    if not with_contracts:
        del frames["contracts"]
    recorded: dict[str, Any] = {kind: frame for kind, frame in frames.items() if len(frame)}
    log = CustomerLog(**recorded, observed_until=first_day + timedelta(days=days_observed - 1))
    return SimulatedBusiness(log, customers.truth(), MappingProxyType(recorded))


def _frames(draws: list[np.random.Generator], customers: Customers) -> dict[str, pd.DataFrame]:
    """Draw all tables, each from a source of chance of its own: what one draws moves no other."""
    purchases = draw_purchases(draws[0], customers)
    return {
        "transactions": purchases.transactions,
        "contracts": draw_contracts(draws[1], customers),
        "events": draw_events(draws[2], customers),
        "feedback": draw_feedback(draws[3], customers, purchases),
        "tickets": draw_tickets(draws[4], customers),
        "rewards": draw_rewards(draws[5], customers, purchases),
        "contacts": draw_contacts(draws[6], customers),
        "customers": customers.attributes(draws[7]),
    }


def _check(n_customers: int, days_observed: int, days_of_acquisition: int) -> None:
    """Refuse what describes no business."""
    if n_customers < 1:
        raise SettingsError(f"expected n_customers to be 1 or more; got {n_customers!r}")
    if not 1 <= days_of_acquisition <= days_observed:
        raise SettingsError(
            "expected days_of_acquisition to be 1 or more and not above days_observed; got "
            f"{days_of_acquisition!r} and {days_observed!r}"
        )
