"""What is done to the customers of a simulated business, and whom it moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SchemaError
from habitue.numerics.arrays import FloatArray
from habitue.records.business.chance import IntArray, KeyedDraw
from habitue.records.business.customers import Customers
from habitue.records.business.effects import Changes
from habitue.records.business.offers import OfferTruth

__all__ = ["Treatments", "read_treatments"]

BoolArray = npt.NDArray[np.bool_]

_ANSWERED_WITHIN = 1.0 / 24.0  # of a day
_REQUIRED = ("customer_id", "timestamp", "offer", "arm")
_OPTIONAL = ("campaign", "channel", "cost", "propensity", "randomised")


@dataclass(frozen=True)
class Treatments:
    """Contacts, controls among them, in order of customer and time.

    Attributes
    ----------
    frame : DataFrame
        The contacts as they came, canonical columns, cost of the contact alone.
    customer : ndarray of int
        Place of the customer, one a contact.
    time : ndarray
        When, in days since the start of the log.
    offer : ndarray of int
        Place among the offers; -1 of controls.
    u_accept, u_answer : ndarray
        In (0, 1): the luck that decides on acceptance, and how long an answer takes.
    """

    frame: pd.DataFrame
    customer: IntArray
    time: FloatArray
    offer: IntArray
    u_accept: FloatArray
    u_answer: FloatArray

    def refuse_outside(self, start: int, days: int, first_day: date) -> None:
        """Refuse contacts that do not lie within the days that are added.

        Parameters
        ----------
        start, days : int
            From which day of the log on, and for how many.
        first_day : datetime.date
            First day of the log.

        Raises
        ------
        DataError
            Where one lies outside.
        """
        # The last second of a day belongs to nobody: nothing rounds into the day after.
        if ((self.time < start) | (self.time >= start + days - 1.0 / 86_400)).any():
            first, last = (first_day + timedelta(days=day) for day in (start, start + days - 1))
            raise DataError(
                f"Treatments have to lie in the days that are added, {first} to {last}; got contacts from "
                f"{self.frame['timestamp'].min()} to {self.frame['timestamp'].max()}."
            )

    def accepted(self, offers: Mapping[str, OfferTruth], customers: Customers) -> BoolArray:
        """Return who would accept, if there.

        Parameters
        ----------
        offers : Mapping[str, OfferTruth]
            By name.
        customers : Customers
            What they are like.
        """
        chance = _chosen([offer.p_accept(customers) for offer in offers.values()], self)
        return self.u_accept < chance

    def changes(self, offers: Mapping[str, OfferTruth], customers: Customers) -> Changes:
        """Return what they change, for those who are there.

        Parameters
        ----------
        offers : Mapping[str, OfferTruth]
            By name.
        customers : Customers
            What they are like.
        """
        told, takes = list(offers.values()), self.accepted(offers, customers)
        put_off = _chosen([offer.log_hazard(customers, accepted=False) for offer in told], self)
        kept = _chosen([offer.log_hazard(customers, accepted=True) for offer in told], self)
        rate = _chosen([offer.log_rate(customers) for offer in told], self)
        lasts = np.array([*(float(offer.lasts) for offer in told), 0.0])[self.offer]
        discount = np.array([*(offer.discount for offer in told), 0.0])[self.offer]
        real = np.flatnonzero(self.offer >= 0)
        return Changes(
            customer=self.customer[real],
            begin=self.time[real],
            end=(self.time + lasts)[real],
            log_hazard=np.where(takes, kept, put_off)[real],
            log_rate=np.where(takes, rate, 0.0)[real],
            discount=np.where(takes, discount, 0.0)[real],
        )

    def table(self, offers: Mapping[str, OfferTruth], customers: Customers) -> pd.DataFrame:
        """Return the contacts with answers and all their costs, in order of time.

        Parameters
        ----------
        offers : Mapping[str, OfferTruth]
            By name.
        customers : Customers
            Who, and how long.
        """
        is_there = np.isnan(customers.left[self.customer]) | (self.time < customers.left[self.customer])
        takes = self.accepted(offers, customers) & is_there & (self.offer >= 0)
        more = np.array([*(offer.accepted_cost for offer in offers.values()), 0.0])[self.offer]
        answered = np.where(takes, self.time + self.u_answer * _ANSWERED_WITHIN, np.nan)
        frame = self.frame.assign(
            cost=self.frame["cost"].to_numpy() + np.where(takes, more, 0.0),
            responded_at=customers.seen(self.customer, answered),
        )
        return frame.sort_values("timestamp", kind="stable", ignore_index=True)


def read_treatments(
    draw: KeyedDraw, treatments: pd.DataFrame, offers: Mapping[str, OfferTruth], customers: Customers
) -> Treatments:
    """Return treatments that can be given in the days that were added last.

    Parameters
    ----------
    draw : KeyedDraw
        Source of chance.
    treatments : DataFrame
        customer_id, timestamp, offer and arm; campaign, channel, cost, propensity and randomised if wanted.
    offers : Mapping[str, OfferTruth]
        By name.
    customers : Customers
        Who can be treated.

    Raises
    ------
    SchemaError
        Where columns are missing or unknown.
    DataError
        Where a customer or an offer is unknown.
    """
    _check_columns(treatments)
    frame = treatments.reset_index(drop=True)
    is_control = (frame["arm"] == "control").to_numpy(dtype=bool)
    named = frame["offer"].astype("str").where(~is_control)
    unknown = sorted(set(named[~is_control].astype(object)) - set(offers), key=str)
    if unknown:
        raise DataError(f"The business offers {', '.join(offers)}; got {', '.join(map(str, unknown))}.")
    who = frame["customer_id"].to_numpy() - 1
    if not np.isin(who, np.arange(customers.n)).all():
        raise DataError(f"Customers have the numbers 1 to {customers.n}; others are to be treated.")
    offer = np.array([list(offers).index(name) if isinstance(name, str) else -1 for name in named])
    instant = pd.to_datetime(frame["timestamp"]).astype("datetime64[ms]")
    time = ((instant - pd.Timestamp(customers.first_day)) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)
    frame = _completed(frame.assign(timestamp=instant, offer=named), offer, offers)
    in_order = np.lexsort((time, who))
    who, time = who[in_order].astype(np.int64), time[in_order]
    lucky = draw.each(who, np.round(time * 86_400_000.0))
    return Treatments(
        frame=frame.iloc[in_order].reset_index(drop=True),
        customer=who,
        time=time,
        offer=offer[in_order].astype(np.int64),
        u_accept=lucky.uniform(),
        u_answer=lucky.uniform(),
    )


def _check_columns(treatments: pd.DataFrame) -> None:
    missing = [name for name in _REQUIRED if name not in treatments]
    unknown = [str(name) for name in treatments if name not in {*_REQUIRED, *_OPTIONAL}]
    if missing or unknown:
        raise SchemaError(
            f"Treatments have the columns {', '.join(_REQUIRED)} and may have {', '.join(_OPTIONAL)}; "
            f"missing: {', '.join(missing) or 'none'}, unknown: {', '.join(unknown) or 'none'}."
        )


def _completed(frame: pd.DataFrame, offer: IntArray, offers: Mapping[str, OfferTruth]) -> pd.DataFrame:
    """Return the canonical columns, what was not told filled in from the offers."""
    is_control = offer < 0
    channels = pd.Series([*(one.channel for one in offers.values()), None], dtype="str")
    costs = np.array([*(one.contact_cost for one in offers.values()), 0.0])[offer]
    own = {
        "campaign": pd.Series("campaign " + frame["timestamp"].dt.strftime("%Y-%m-%d"), dtype="str"),
        "channel": channels.iloc[offer].reset_index(drop=True),
        "cost": pd.Series(costs),
        "propensity": pd.Series(np.nan, index=frame.index),
    }
    chance = frame["propensity"] if "propensity" in frame else own["propensity"]
    own["randomised"] = pd.Series((chance > 0.0) & (chance < 1.0), index=frame.index)
    filled = frame.assign(**{name: frame.get(name, column) for name, column in own.items()})
    filled["channel"] = filled["channel"].astype("str").where(~is_control)
    filled["cost"] = filled["cost"].astype("float64").fillna(own["cost"]).where(~is_control, 0.0)
    filled["arm"] = filled["arm"].astype("str")
    names = ["customer_id", "timestamp", "campaign", "channel", "offer", "cost", "arm", "propensity"]
    return filled.reindex(columns=[*names, "randomised"])


def _chosen(by_offer: list[FloatArray], treatments: Treatments) -> FloatArray:
    """Return of each contact what its offer says of its customer; 0 of controls."""
    if not by_offer:
        return np.zeros(treatments.customer.size)
    told = np.vstack([*by_offer, np.zeros(by_offer[0].size)])
    return told[treatments.offer, treatments.customer]
