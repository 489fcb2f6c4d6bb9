"""What customers of a simulated business buy and send back: order lines, in the rhythm of their habit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray

from habitue.numerics.arrays import FloatArray
from habitue.records.business.baskets import (
    Lines,
    Tastes,
    draw_back_at,
    draw_lines,
    draw_return_reasons,
    draw_tastes,
)
from habitue.records.business.chance import KeyedDraw
from habitue.records.business.customers import Customers, IntArray, labels
from habitue.records.business.effects import Effects

__all__ = ["Orders", "Purchases", "Rhythm", "draw_purchases", "later_purchases", "pending_margin"]

_COLUMNS = (
    "amount", "order_id", "product_id", "category", "quantity", "list_price", "discount", "margin", "channel",
    "currency", "return_reason",
)  # fmt: skip
_CHANNEL_SHARES = (0.5, 0.3, 0.2)


class Rhythm(NamedTuple):
    """The Erlang gaps between a customer's orders: shape, scale in days, and when the next one falls."""

    shape: FloatArray
    scale: FloatArray
    next_at: FloatArray


@dataclass(frozen=True)
class Orders:
    """Orders in order of customer and time.

    Attributes
    ----------
    customer : ndarray of int
        Place of the customer, one an order.
    time : ndarray
        When, in days since the start of the log.
    amount : ndarray
        Money paid for the order.
    product : ndarray of int
        Number of the order's first product.
    """

    customer: IntArray
    time: FloatArray
    amount: FloatArray
    product: IntArray

    def and_later(self, other: Orders) -> Orders:
        """Return these and later ones.

        Parameters
        ----------
        other : Orders
            Later ones of the same customers.
        """
        mine_first = np.argsort(np.concatenate([self.customer, other.customer]), kind="stable")
        return Orders(
            np.concatenate([self.customer, other.customer])[mine_first],
            np.concatenate([self.time, other.time])[mine_first],
            np.concatenate([self.amount, other.amount])[mine_first],
            np.concatenate([self.product, other.product])[mine_first],
        )

    def last_bought(self, who: IntArray, time: FloatArray) -> IntArray:
        """Return the product that a customer bought last, up to a time after the first order.

        Parameters
        ----------
        who : ndarray of int
            Places of customers.
        time : ndarray
            When.
        """
        past_all = self.time.max() + 1.0 + time.max(initial=0.0)
        place = np.searchsorted(self.customer * past_all + self.time, who * past_all + time, side="right")
        return self.product[np.maximum(place - 1, 0)]


@dataclass(frozen=True)
class Purchases:
    """Order lines, the orders behind them, and what is not on record.

    Attributes
    ----------
    transactions : DataFrame
        Order lines and returns.
    orders : Orders
        The orders.
    lines : Lines
        Their lines.
    back_at : ndarray
        When each line is sent back if the customer is still there; infinite where kept.
    order_id : ExtensionArray
        Of each order.
    channel : ndarray of int
        Of each order.
    rhythm : Rhythm
        Of each customer.
    tastes : Tastes
        Of each customer.
    prices : ndarray
        Of each product.
    """

    transactions: pd.DataFrame
    orders: Orders
    lines: Lines
    back_at: FloatArray
    order_id: ExtensionArray
    channel: IntArray
    rhythm: Rhythm
    tastes: Tastes
    prices: FloatArray

    def table(
        self,
        customers: Customers,
        line: npt.NDArray[np.integer[Any]],
        moment: FloatArray,
        sign: IntArray,
        reason: ExtensionArray,
    ) -> pd.DataFrame:
        """Return records of some lines.

        Parameters
        ----------
        customers : Customers
            Who.
        line : ndarray of int
            Places of lines.
        moment : ndarray
            When they were bought or sent back.
        sign : ndarray of int
            -1 where sent back, else 1.
        reason : ExtensionArray
            Why sent back.
        """
        order = self.lines.order[line]
        found = self.lines.columns(line, sign) | {
            "order_id": self.order_id.take(order),
            "channel": labels(self.channel[order], ("web", "app", "store")),
            "currency": labels(np.zeros_like(order), ("EUR",)),
            "return_reason": reason,
        }
        columns = {name: found[name] for name in _COLUMNS}
        return customers.table(self.orders.customer[order], "timestamp", moment, columns)


def draw_purchases(draw: np.random.Generator, customers: Customers) -> Purchases:
    """Return what customers buy: a first order on arrival, and more at gaps that habit makes regular.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    customers : Customers
        Who, how long, how often and how regularly.
    """
    customer, time, rhythm = _orders(draw, customers)
    tastes = draw_tastes(draw, customers)
    lines, prices = draw_lines(draw, tastes, customer)
    who = customer[lines.order]
    back_at = draw_back_at(draw, customers, who, time[lines.order])
    returned = np.flatnonzero(back_at < customers.until[who])
    number = np.empty(time.size, dtype=np.int64)
    number[np.argsort(time, kind="stable")] = np.arange(1, time.size + 1)
    made = Purchases(
        transactions=pd.DataFrame(),
        orders=_as_orders(customer, time, lines),
        lines=lines,
        back_at=back_at,
        order_id=("O" + pd.Series(number).astype("str").str.zfill(7)).array,
        channel=draw.choice(3, time.size, p=list(_CHANNEL_SHARES)),
        rhythm=rhythm,
        tastes=tastes,
        prices=prices,
    )
    line = np.concatenate([np.arange(lines.order.size), returned])
    sign = np.repeat([1, -1], [lines.order.size, returned.size])
    moment = np.concatenate([time[lines.order], back_at[returned]])
    transactions = made.table(customers, line, moment, sign, draw_return_reasons(draw, sign))
    return replace(made, transactions=transactions)


def later_purchases(
    draw: KeyedDraw, past: Purchases, customers: Customers, effects: Effects, start: float
) -> Purchases:
    """Return what customers buy and send back from a day on.

    Parameters
    ----------
    draw : KeyedDraw
        Source of chance.
    past : Purchases
        What they bought up to then.
    customers : Customers
        Who, and how long.
    effects : Effects
        What offers change.
    start : float
        Days since the start of the log.

    Returns
    -------
    Purchases
        Only what is new; among the records are returns of what was bought before.
    """
    rhythms, channels, baskets, returns, reasons, old_reasons = draw.spawn(6)
    customer, nth, time = _later_orders(rhythms, past.rhythm, customers, effects, start)
    lines, _ = draw_lines(
        baskets, past.tastes, customer, nth, prices=past.prices, off_more=effects.discount(customer, time)
    )
    who, product = customer[lines.order], lines.product
    name = (who, nth[lines.order], product)
    back_at = draw_back_at(returns.each(*name), customers, who, time[lines.order])
    numbers = pd.Series(customer + 1).astype("str").str.zfill(7) + "-" + pd.Series(nth + 1).astype("str")
    made = Purchases(
        transactions=pd.DataFrame(),
        orders=_as_orders(customer, time, lines),
        lines=lines,
        back_at=back_at,
        order_id=("O" + numbers).array,
        channel=channels.each(customer, nth).choice(3, time.size, p=list(_CHANNEL_SHARES)).astype(np.int64),
        rhythm=past.rhythm,
        tastes=past.tastes,
        prices=past.prices,
    )
    bought, kept = np.arange(lines.order.size), labels(np.full(lines.order.size, -1), ("",))
    tables = [
        made.table(customers, bought, time[lines.order], np.ones(bought.size, dtype=np.int64), kept),
        _sent_back(made, customers, reasons, start),
        _sent_back(past, customers, old_reasons, start),
    ]
    transactions = pd.concat(tables, ignore_index=True)
    return replace(made, transactions=transactions.sort_values("timestamp", kind="stable", ignore_index=True))


def pending_margin(past: Purchases, start: float) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return lines that are sent back from a day on if the customer is still there.

    Parameters
    ----------
    past : Purchases
        What was bought.
    start : float
        Days since the start of the log.

    Returns
    -------
    tuple of ndarray
        Place of the customer, when, and the margin that is lost.
    """
    line = np.flatnonzero(np.isfinite(past.back_at) & (past.back_at >= start))
    return past.orders.customer[past.lines.order[line]], past.back_at[line], past.lines.margin[line]


def _sent_back(made: Purchases, customers: Customers, draw: KeyedDraw, start: float) -> pd.DataFrame:
    """Return the records of lines sent back from a day on."""
    who = made.orders.customer[made.lines.order]
    line = np.flatnonzero((made.back_at >= start) & (made.back_at < customers.until[who]))
    sign = np.full(line.size, -1)
    reason = draw_return_reasons(draw.each(who[line], made.lines.product[line]), sign)
    return made.table(customers, line, made.back_at[line], sign, reason)


def _as_orders(customer: IntArray, time: FloatArray, lines: Lines) -> Orders:
    amount = np.bincount(lines.order, weights=lines.amount, minlength=time.size).round(2).astype(np.float64)
    first = np.flatnonzero(np.diff(lines.order, prepend=-1))
    return Orders(customer, time, amount, lines.product[first])


def _orders(draw: np.random.Generator, customers: Customers) -> tuple[IntArray, FloatArray, Rhythm]:
    """Draw who orders when, a gap of all customers still there at a time; customers in order, then time."""
    most = customers.params.most_regular
    shape = 1.0 + np.minimum(np.floor(most * customers.habit), most - 1)
    own = np.exp(draw.normal(0.0, 0.35, customers.n) - (customers.habit - 0.5))
    scale = customers.params.days_between_orders * own / shape
    who, time = np.arange(customers.n), customers.arrived.copy()
    next_at = time.copy()
    people, times = [who], [time]
    while who.size:
        time = time + scale[who] * draw.standard_gamma(shape[who])
        next_at[who] = time
        there = time < customers.until[who]
        who, time = who[there], time[there]
        people.append(who)
        times.append(time)
    person, moment = np.concatenate(people), np.concatenate(times)
    in_order = np.argsort(person, kind="stable")
    return person[in_order], moment[in_order], Rhythm(shape, scale, next_at)


def _later_orders(
    draw: KeyedDraw, rhythm: Rhythm, customers: Customers, effects: Effects, start: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Draw who orders when from a day on; customers in order, then the how manieth order, then time.

    Gaps are drawn on a clock that runs faster where offers make customers order more.
    """
    who = np.flatnonzero(customers.until > start)
    shown, nth = np.maximum(rhythm.next_at, start), 0
    found: list[tuple[IntArray, FloatArray]] = [(np.zeros(0, dtype=np.int64), np.zeros(0))]
    shown = shown[who]
    while who.size:
        time = effects.order_clock.when(who, shown)
        there = time < customers.until[who]
        who, shown = who[there], shown[there]
        found.append((who, time[there]))
        more = draw.each(who, np.full(who.size, nth)).standard_gamma(rhythm.shape[who])
        shown, nth = shown + rhythm.scale[who] * more, nth + 1
    number = np.repeat(np.arange(len(found)) - 1, [people.size for people, _ in found])
    person, moment = (np.concatenate(column) for column in zip(*found, strict=True))
    in_order = np.argsort(person, kind="stable")
    return person[in_order], number[in_order], moment[in_order]
