"""What customers of a simulated business buy and send back: order lines, in the rhythm of their habit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray

from habitue.numerics.arrays import FloatArray
from habitue.records.business_customers import Customers, IntArray, labels

__all__ = ["PRODUCTS", "Purchases", "draw_purchases"]

_CATEGORIES = ("books", "food", "garden", "home", "sports", "toys")
_PRODUCTS_A_CATEGORY = 20
PRODUCTS = tuple(
    f"{category}-{n:02d}" for category in _CATEGORIES for n in range(1, _PRODUCTS_A_CATEGORY + 1)
)
"""Names of all products, by number."""

_COLUMNS = (
    "amount", "order_id", "product_id", "category", "quantity", "list_price", "discount", "margin", "channel",
    "currency", "return_reason",
)  # fmt: skip
_DISCOUNTS = np.array([0.05, 0.1, 0.2, 0.3])
_UNIT_COST = 0.6  # of the list price
_RETURNED = 0.10  # share of lines sent back at satisfaction 0.5, if there is time
_REASONS = ("changed my mind", "too small", "damaged", "not as described", "too large")
_REASON_SHARES = (0.3, 0.2, 0.15, 0.1, 0.1)  # of returns; the rest have no reason on record


@dataclass(frozen=True)
class Purchases:
    """Order lines, and the orders behind them in order of customer and time.

    Attributes
    ----------
    transactions : DataFrame
        Order lines and returns.
    customer : ndarray of int
        Place of the customer, one an order.
    time : ndarray
        When, in days since the start of the log.
    amount : ndarray
        Money paid for the order.
    product : ndarray of int
        Number of the order's first product.
    """

    transactions: pd.DataFrame
    customer: IntArray
    time: FloatArray
    amount: FloatArray
    product: IntArray

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
class _Lines:
    """Order lines as arrays: the order each belongs to, and what was bought at which price."""

    order: IntArray
    product: IntArray
    quantity: IntArray
    list_price: FloatArray
    discount: FloatArray

    @property
    def amount(self) -> FloatArray:
        return np.round(self.quantity * self.list_price - self.discount, 2)

    def columns(self, line: IntArray, sign: IntArray) -> dict[str, Any]:
        """Return the columns of some lines; the sign is -1 where a line is sent back."""
        product, quantity, amount = self.product[line], self.quantity[line], self.amount[line]
        list_price = self.list_price[line]
        return {
            "amount": sign * amount,
            "product_id": labels(product, PRODUCTS),
            "category": labels(product // _PRODUCTS_A_CATEGORY, _CATEGORIES),
            "quantity": sign * quantity,
            "list_price": list_price,
            "discount": sign * self.discount[line],
            "margin": sign * np.round(amount - _UNIT_COST * quantity * list_price, 2),
        }


def draw_purchases(draw: np.random.Generator, customers: Customers) -> Purchases:
    """Return what customers buy: a first order on arrival, and more at gaps that habit makes regular.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    customers : Customers
        Who, how long, how often and how regularly.
    """
    customer, time = _orders(draw, customers)
    lines = _lines(draw, customers, customer)
    returned, back_at = _returns(draw, customers, lines, customer, time)
    line = np.concatenate([np.arange(lines.order.size), returned])
    moment = np.concatenate([time[lines.order], back_at])
    sign = np.repeat([1, -1], [lines.order.size, returned.size])
    found = lines.columns(line, sign) | _order_columns(draw, lines.order[line], time)
    found["return_reason"] = _return_reasons(draw, sign)
    columns = {name: found[name] for name in _COLUMNS}
    amount = np.bincount(lines.order, weights=lines.amount).round(2).astype(np.float64)
    first = np.flatnonzero(np.diff(lines.order, prepend=-1))
    transactions = customers.table(customer[lines.order[line]], "timestamp", moment, columns)
    return Purchases(transactions, customer, time, amount, lines.product[first])


def _order_columns(draw: np.random.Generator, order: IntArray, time: FloatArray) -> dict[str, Any]:
    """Return what lines share with their order; orders are numbered as they came."""
    number = np.empty(time.size, dtype=np.int64)
    number[np.argsort(time, kind="stable")] = np.arange(1, time.size + 1)
    order_id = ("O" + pd.Series(number).astype("str").str.zfill(7)).array
    channel = draw.choice(3, time.size, p=[0.5, 0.3, 0.2])
    return {
        "order_id": order_id.take(order),
        "channel": labels(channel[order], ("web", "app", "store")),
        "currency": labels(np.zeros_like(order), ("EUR",)),
    }


def _orders(draw: np.random.Generator, customers: Customers) -> tuple[IntArray, FloatArray]:
    """Draw who orders when, a gap of all customers still there at a time; customers in order, then time."""
    most = customers.params.most_regular
    shape = 1.0 + np.minimum(np.floor(most * customers.habit), most - 1)
    own = np.exp(draw.normal(0.0, 0.35, customers.n) - (customers.habit - 0.5))
    scale = customers.params.days_between_orders * own / shape
    who, time = np.arange(customers.n), customers.arrived.copy()
    people, times = [who], [time]
    while who.size:
        time = time + scale[who] * draw.standard_gamma(shape[who])
        there = time < customers.until[who]
        who, time = who[there], time[there]
        people.append(who)
        times.append(time)
    person, moment = np.concatenate(people), np.concatenate(times)
    in_order = np.argsort(person, kind="stable")
    return person[in_order], moment[in_order]


def _lines(draw: np.random.Generator, customers: Customers, customer: IntArray) -> _Lines:
    """Draw what is in each order: the more it would cost to switch, the more categories a customer uses."""
    n_categories = len(_CATEGORIES)
    used = 1 + draw.binomial(n_categories - 1, customers.switching_cost)
    liked = np.argsort(draw.uniform(size=(customers.n, n_categories)), axis=1)
    basket = 0.45 * np.exp(draw.normal(0.0, 0.4, customers.n))
    order = np.repeat(np.arange(customer.size), 1 + draw.poisson(basket[customer]))
    who = customer[order]
    category = liked[who, (draw.uniform(size=order.size) * used[who]).astype(np.int64)]
    product = category * _PRODUCTS_A_CATEGORY + draw.integers(0, _PRODUCTS_A_CATEGORY, order.size)
    # A product has one line an order: twice the same line would be taken for a duplicate.
    order, product = np.divmod(np.unique(order * len(PRODUCTS) + product), len(PRODUCTS))
    prices: FloatArray = np.exp(draw.normal(3.0, 0.6, len(PRODUCTS))).round(2).astype(np.float64)
    quantity = 1 + draw.poisson(0.2, order.size)
    off = np.where(draw.uniform(size=order.size) < 0.3, draw.choice(_DISCOUNTS, order.size), 0.0)
    discount = (off * quantity * prices[product]).round(2)
    return _Lines(order, product, quantity, prices[product], discount)


def _returns(
    draw: np.random.Generator, customers: Customers, lines: _Lines, customer: IntArray, time: FloatArray
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Draw which lines are sent back and when, while the customer is there; the satisfied keep more."""
    who = customer[lines.order]
    back_at = time[lines.order] + 1.0 + draw.exponential(9.0, who.size)
    share = _RETURNED * np.exp(-2.0 * (customers.satisfaction[who] - 0.5))
    sent_back = (draw.uniform(size=who.size) < share) & (back_at < customers.until[who])
    return np.flatnonzero(sent_back), back_at[sent_back]


def _return_reasons(draw: np.random.Generator, sign: IntArray) -> ExtensionArray:
    """Draw why lines are sent back, which depends on nothing; what is kept has no reason."""
    reason = np.searchsorted(np.cumsum(_REASON_SHARES), draw.uniform(size=sign.size), side="right")
    return labels(np.where((sign < 0) & (reason < len(_REASONS)), reason, -1), _REASONS)
