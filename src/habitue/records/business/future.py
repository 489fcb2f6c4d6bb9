"""How a simulated business goes on: more records of the same customers, under what is done to them.

All days after the first log are drawn anew each time, from chances that depend only on the customer and the
record (`habitue.records.business.chance`). So days that were there already stay as they were, whatever is
done later, and who is not treated lives the same days whoever else is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pandas as pd

from habitue.records.business.bonds import Collecting, draw_collecting, ended_contracts, rewards
from habitue.records.business.chance import KeyedDraw
from habitue.records.business.customers import Customers
from habitue.records.business.effects import Changes, Effects
from habitue.records.business.offers import OfferTruth
from habitue.records.business.purchases import Purchases, later_purchases
from habitue.records.business.touches import later_events
from habitue.records.business.treatments import Treatments
from habitue.records.business.voices import Tickets, later_feedback, later_tickets

__all__ = ["Future", "Past"]


@dataclass(frozen=True)
class Past:
    """A simulated business at the end of its first log, with all that no record tells.

    Attributes
    ----------
    key : int
        From which everything later is drawn.
    customers : Customers
        Who.
    purchases : Purchases
        What they bought, and the orders to come.
    collecting : Collecting
        With which orders they earn and spend points.
    tickets : Tickets
        Open ones among them.
    frames : Mapping[str, DataFrame]
        The tables of the log.
    """

    key: int
    customers: Customers
    purchases: Purchases
    collecting: Collecting
    tickets: Tickets
    frames: Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Future:
    """A simulated business some days after the end of its first log.

    Attributes
    ----------
    past : Past
        The business at the end of its first log.
    offers : Mapping[str, OfferTruth]
        What may be offered.
    days : int
        Days since the end of the first log; 0 at first.
    treatments : tuple of Treatments
        What was done since, in the order in which it was told.
    """

    past: Past
    offers: Mapping[str, OfferTruth]
    days: int = 0
    treatments: tuple[Treatments, ...] = ()

    @cached_property
    def customers(self) -> Customers:
        """The customers as they are now."""
        customers = self.past.customers
        start = float(customers.days_observed)
        shown = np.maximum(customers.leaves_at, start)
        finite = np.where(np.isfinite(shown), shown, start)
        when = self.effects.leaving_clock.when(np.arange(customers.n), finite)
        return customers.carried_on(self.days, np.where(np.isfinite(shown), when, np.inf))

    @cached_property
    def effects(self) -> Effects:
        """What offers have changed so far, and change still."""
        customers = self.past.customers
        told = [one.changes(self.offers, customers) for one in self.treatments]
        columns = (
            np.concatenate([np.zeros(0), *(getattr(changes, name) for changes in told)])
            for name in ("customer", "begin", "end", "log_hazard", "log_rate", "discount")
        )
        who, *others = columns
        changes = Changes(who.astype(np.int64), *others)
        return Effects(customers.n, float(customers.days_observed), changes)

    @cached_property
    def purchases(self) -> Purchases:
        """What was bought since the end of the first log."""
        return later_purchases(
            self._sources[0], self.past.purchases, self.customers, self.effects, self._start
        )

    @cached_property
    def frames(self) -> Mapping[str, pd.DataFrame]:
        """The tables of the log as it is now."""
        past, customers, start = self.past, self.customers, self._start
        if not self.days:
            return past.frames
        _, events, feedback, tickets, collecting = self._sources
        before, after = past.purchases.orders, self.purchases.orders
        orders = before.and_later(after)
        nth = np.arange(after.customer.size) - np.searchsorted(after.customer, after.customer)
        more = draw_collecting(collecting.each(after.customer, nth), customers, after)
        points = rewards(customers, orders, past.collecting.and_later(more, before, after))
        told: dict[str, pd.DataFrame | None] = {
            "transactions": self.purchases.transactions,
            "events": later_events(events, customers, start),
            "feedback": later_feedback(feedback, customers, orders, start),
            "tickets": later_tickets(tickets, customers, start).table(customers),
            "rewards": points.loc[points["timestamp"] >= customers.instants(np.array([start]))[0]],
            "contacts": self._contacts(),
        }
        changed = dict(past.frames) | {"tickets": past.tickets.table(customers)}
        if "contracts" in past.frames:
            changed["contracts"] = ended_contracts(past.frames["contracts"], customers)
        frames = {kind: _and_later(changed.get(kind), told.get(kind)) for kind in {**changed, **told}}
        return MappingProxyType({kind: frame for kind, frame in frames.items() if len(frame)})

    @property
    def chance_of_treatments(self) -> KeyedDraw:
        """Chance for what customers make of offers."""
        return KeyedDraw(self.past.key).spawn(6)[5]

    @property
    def _sources(self) -> list[KeyedDraw]:
        return KeyedDraw(self.past.key).spawn(6)[:5]

    @property
    def _start(self) -> float:
        return float(self.past.customers.days_observed)

    def _contacts(self) -> pd.DataFrame | None:
        """Return all contacts since the end of the first log, in order of time."""
        tables = [one.table(self.offers, self.customers) for one in self.treatments]
        if not tables:
            return None
        return pd.concat(tables, ignore_index=True).sort_values("timestamp", kind="stable", ignore_index=True)


def _and_later(before: pd.DataFrame | None, after: pd.DataFrame | None) -> pd.DataFrame:
    """Put later records below earlier ones."""
    told = [frame for frame in (before, after) if frame is not None and len(frame)]
    return pd.concat(told, ignore_index=True) if told else pd.DataFrame()
