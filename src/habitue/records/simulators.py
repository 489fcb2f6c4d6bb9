"""Logs of known truth: customers who arrive, buy, spend and leave just as a model says, to try things on.

What a model cannot find again in its own log it will not find in a real one. Purchases come from the
``simulate`` of the family whose parameters are given, so every family of purchases in continuous time is here
without a line of its own.

Not here: BG/BB, whose purchases happen at numbered opportunities and not on days, and the contractual
families (sBG, BdW), whose customers renew contracts instead of buying. Their own ``simulate`` gives what
their estimators read.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import SettingsError
from habitue.numerics import bgcnbdk, bgnbd, gamma_gamma, ggompertz_nbd, mbgcnbdk, mbgnbd, nbd, pareto_nbd
from habitue.numerics.gamma_gamma import GammaGammaParams
from habitue.records.customer_log import CustomerLog
from habitue.records.days import as_day

__all__ = ["PurchaseParams", "Simulated", "simulate_log"]

PurchaseParams: TypeAlias = (
    bgnbd.Params
    | mbgnbd.Params
    | bgcnbdk.Params
    | mbgcnbdk.Params
    | pareto_nbd.Params
    | ggompertz_nbd.Params
    | nbd.Params
)
"""Parameters that say which family customers buy by; times in days."""

_FORMULAS = MappingProxyType(
    {family.Params: family for family in (bgnbd, mbgnbd, bgcnbdk, mbgcnbdk, pareto_nbd, ggompertz_nbd, nbd)}
)
_SECONDS_A_DAY = 86_400


class Simulated(NamedTuple):
    """A log, and what no log tells.

    Attributes
    ----------
    log : CustomerLog
        Transactions: customer_id, timestamp, amount.
    truth : DataFrame of shape (n_customers, 3)
        Indexed by customer_id: first_purchase (timestamp), n_purchases (the first among them) and is_alive,
        whether the customer is still there at the end of the log.
    """

    log: CustomerLog
    truth: pd.DataFrame


def simulate_log(
    purchases: PurchaseParams,
    spend: GammaGammaParams,
    *,
    n_customers: int,
    start: date | str = "2023-01-01",
    days_of_acquisition: int = 365,
    days_observed: int = 730,
    random_state: int | np.random.Generator = 0,
) -> Simulated:
    """Return the log of customers who buy and spend just as a model says.

    Parameters
    ----------
    purchases : PurchaseParams
        Parameters of the family by which customers buy and leave, with days as the unit of time. Their type
        says which family.
    spend : GammaGammaParams
        Parameters of the gamma-gamma by which they spend.
    n_customers : int
        Customers, each with a first purchase at least.
    start : date or str, default "2023-01-01"
        First day of the log.
    days_of_acquisition : int, default 365
        Days from the start on which new customers come, evenly.
    days_observed : int, default 730
        Days that the log is long.
    random_state : int or numpy.random.Generator, default 0
        Source of chance; the same number gives the same log.

    Returns
    -------
    Simulated
        Log and truth. Customers are numbered from 1 in the order of their first purchase.

    Raises
    ------
    SettingsError
        If the family makes no log, a parameter is not a number above 0, or a number of customers or days is
        impossible.

    Notes
    -----
    First purchases are uniform over the days of acquisition, repeat purchases follow in continuous time. The
    log has their seconds; a snapshot counts days with a purchase, so two purchases on one day become one
    visit, and rates near one a day come back too low. Amounts are rounded to cents, one cent at
    least: a purchase is never turned into a visit without an amount.

    Examples
    --------
    >>> simulated = simulate_log(
    ...     bgnbd.Params(0.8, 40.0, 0.8, 2.4), GammaGammaParams(6.0, 4.0, 15.0), n_customers=500
    ... )
    >>> simulated.log.n_customers, str(simulated.log.observed_until)
    (500, '2024-12-30')
    >>> bool(0.0 < simulated.truth.is_alive.mean() < 1.0)
    True
    """
    formulas = _formulas_of(purchases)
    _check(purchases, spend, n_customers, days_of_acquisition, days_observed)
    first_day, draw = as_day(start, "start"), np.random.default_rng(random_state)
    arrived = np.sort(draw.uniform(0.0, days_of_acquisition, n_customers))
    new = np.zeros(n_customers)
    repeats = formulas.simulate(purchases, new, new, new, days_observed - arrived, random_state=draw)
    customer = np.concatenate([np.arange(n_customers), repeats.customer])
    time = np.concatenate([arrived, arrived[repeats.customer] + repeats.time])
    amount = gamma_gamma.simulate_amounts(spend, new, new, customer, random_state=draw)
    ids = np.arange(1, n_customers + 1)
    timestamp = _timestamps(first_day, time, days_observed)
    transactions = pd.DataFrame(
        {
            "customer_id": ids[customer],
            "timestamp": timestamp,
            "amount": np.maximum(np.round(amount, 2), 0.01),
        }
    ).sort_values(["timestamp", "customer_id"], kind="stable", ignore_index=True)
    truth = pd.DataFrame(
        {
            "first_purchase": timestamp[:n_customers],
            "n_purchases": np.bincount(customer, minlength=n_customers),
            "is_alive": repeats.is_alive,
        },
        index=pd.Index(ids, name="customer_id"),
    )
    last_day = first_day + timedelta(days=days_observed - 1)
    return Simulated(CustomerLog(transactions=transactions, observed_until=last_day), truth)


def _formulas_of(purchases: Any) -> Any:
    """Return the family's module of formulas."""
    formulas = _FORMULAS.get(type(purchases))
    if formulas is None:
        known = ", ".join(params.__name__ for params in _FORMULAS)
        raise SettingsError(
            f"expected the parameters of a family of purchases in continuous time, one of {known}; got "
            f"{type(purchases).__name__}"
        )
    return formulas


def _check(
    purchases: Any, spend: GammaGammaParams, n_customers: int, days_of_acquisition: int, days_observed: int
) -> None:
    """Refuse what describes no customer base."""
    for params in (purchases, spend):
        for name, value in params._asdict().items():
            if not (np.ndim(value) == 0 and math.isfinite(value) and value > 0):
                raise SettingsError(
                    f"expected {name} of {type(params).__name__} to be one number above 0; got {value!r}"
                )
    if n_customers < 1:
        raise SettingsError(f"expected n_customers to be 1 or more; got {n_customers!r}")
    if not 1 <= days_of_acquisition <= days_observed:
        raise SettingsError(
            "expected days_of_acquisition to be 1 or more and not above days_observed; got "
            f"{days_of_acquisition!r} and {days_observed!r}"
        )


def _timestamps(
    first_day: date, time: npt.NDArray[np.float64], days_observed: int
) -> npt.NDArray[np.datetime64]:
    """Return days since the start as timestamps, to the second, all before the end."""
    seconds = np.minimum(np.floor(time * _SECONDS_A_DAY), days_observed * _SECONDS_A_DAY - 1.0)
    return np.datetime64(first_day, "s") + seconds.astype("timedelta64[s]")
