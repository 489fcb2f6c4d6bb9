"""What is in the orders of a simulated business, and what of it comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pandas.api.extensions import ExtensionArray

from habitue.numerics.arrays import FloatArray
from habitue.records.business.chance import Draw, each
from habitue.records.business.customers import Customers, IntArray, labels

__all__ = [
    "PRODUCTS",
    "RETURN_DELAY",
    "RETURN_WAIT",
    "Lines",
    "Tastes",
    "draw_back_at",
    "draw_lines",
    "draw_return_reasons",
    "draw_tastes",
    "returned_share",
]

_CATEGORIES = ("books", "food", "garden", "home", "sports", "toys")
_PRODUCTS_A_CATEGORY = 20
PRODUCTS = tuple(
    f"{category}-{n:02d}" for category in _CATEGORIES for n in range(1, _PRODUCTS_A_CATEGORY + 1)
)
"""Names of all products, by number."""

_DISCOUNTS = np.array([0.05, 0.1, 0.2, 0.3])
_DISCOUNTED = 0.3  # share of lines
_MORE_UNITS = 0.2  # mean of what is bought of a product beyond the first unit
_UNIT_COST = 0.6  # of the list price
_RETURNED = 0.10  # share of lines sent back at satisfaction 0.5, if there is time
RETURN_DELAY, RETURN_WAIT = 1.0, 9.0
"""Days that a line stays at least before it is sent back, and the mean of those beyond."""
_REASONS = ("changed my mind", "too small", "damaged", "not as described", "too large")
_REASON_SHARES = (0.3, 0.2, 0.15, 0.1, 0.1)  # of returns; the rest have no reason on record


@dataclass(frozen=True)
class Tastes:
    """What each customer likes, and what it costs.

    Attributes
    ----------
    used : ndarray of int
        How many categories the customer uses.
    liked : ndarray of int, shape (n_customers, n_categories)
        Categories, the best liked first.
    basket : ndarray
        Mean number of lines of an order beyond the first.
    """

    used: IntArray
    liked: npt.NDArray[np.intp]
    basket: FloatArray

    def margins(self, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
        r"""Return what an order is expected to be worth, before anything is sent back.

        Parameters
        ----------
        prices : ndarray
            List price of each product.

        Returns
        -------
        tuple of ndarray of shape (n_customers,)
            Margin in money, and value at list prices: what a share off all of it costs.

        Notes
        -----
        Of 1 + Poisson(b) picks, each of a certain product with chance q, one at least is of it with chance
        :math:`1 - (1 - q) e^{-b q}`.
        """
        q = 1.0 / (self.used * _PRODUCTS_A_CATEGORY)
        chance = 1.0 - (1.0 - q) * np.exp(-self.basket * q)
        by_category = prices.reshape(len(_CATEGORIES), -1).sum(axis=1)
        is_used = np.arange(len(_CATEGORIES)) < self.used[:, None]
        value = chance * (1.0 + _MORE_UNITS) * (by_category[self.liked] * is_used).sum(axis=1)
        return (1.0 - _UNIT_COST - _DISCOUNTED * _DISCOUNTS.mean()) * value, value


@dataclass(frozen=True)
class Lines:
    """Order lines as arrays: the order each belongs to, and what was bought at which price."""

    order: IntArray
    product: IntArray
    quantity: IntArray
    list_price: FloatArray
    discount: FloatArray

    @property
    def amount(self) -> FloatArray:
        """Money paid."""
        return np.round(self.quantity * self.list_price - self.discount, 2)

    @property
    def margin(self) -> FloatArray:
        """Money earned."""
        return np.round(self.amount - _UNIT_COST * self.quantity * self.list_price, 2)

    def columns(self, line: npt.NDArray[np.integer[Any]], sign: IntArray) -> dict[str, Any]:
        """Return the columns of some lines.

        Parameters
        ----------
        line : ndarray of int
            Places of lines.
        sign : ndarray of int
            -1 where a line is sent back, else 1.
        """
        product = self.product[line]
        return {
            "amount": sign * self.amount[line],
            "product_id": labels(product, PRODUCTS),
            "category": labels(product // _PRODUCTS_A_CATEGORY, _CATEGORIES),
            "quantity": sign * self.quantity[line],
            "list_price": self.list_price[line],
            "discount": sign * self.discount[line],
            "margin": sign * self.margin[line],
        }


def draw_tastes(draw: np.random.Generator, customers: Customers) -> Tastes:
    """Draw what customers like: the more it would cost to switch, the more categories they use.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    customers : Customers
        Who.
    """
    n_categories = len(_CATEGORIES)
    used = 1 + draw.binomial(n_categories - 1, customers.switching_cost)
    liked = np.argsort(draw.uniform(size=(customers.n, n_categories)), axis=1)
    return Tastes(used, liked, 0.45 * np.exp(draw.normal(0.0, 0.4, customers.n)))


def draw_lines(
    draw: Draw,
    tastes: Tastes,
    customer: IntArray,
    nth: IntArray | None = None,
    *,
    prices: FloatArray | None = None,
    off_more: FloatArray | None = None,
) -> tuple[Lines, FloatArray]:
    """Draw what is in each order, and what the products cost where nobody knows yet.

    Parameters
    ----------
    draw : numpy.random.Generator or KeyedDraw
        Source of chance.
    tastes : Tastes
        What customers like.
    customer : ndarray of int
        Place of the customer, one an order.
    nth : ndarray of int, optional
        The how manieth order of the customer; the place of the order where None.
    prices : ndarray, optional
        List price of each product; drawn where None.
    off_more : ndarray, optional
        Share of the list price that an offer takes off, one an order.

    Returns
    -------
    tuple of Lines and ndarray
        The lines, and the list price of each product.
    """
    nth = np.arange(customer.size) if nth is None else nth
    order = np.repeat(
        np.arange(customer.size), 1 + each(draw, customer, nth).poisson(tastes.basket[customer])
    )
    who = customer[order]
    pick = np.arange(order.size) - np.searchsorted(order, order)
    picked = each(draw, who, nth[order], pick)
    category = tastes.liked[who, (picked.uniform(size=order.size) * tastes.used[who]).astype(np.int64)]
    product = category * _PRODUCTS_A_CATEGORY + picked.integers(0, _PRODUCTS_A_CATEGORY, order.size)
    # A product has one line an order: twice the same line would be taken for a duplicate.
    order, product = np.divmod(np.unique(order * len(PRODUCTS) + product), len(PRODUCTS))
    if prices is None:
        prices = np.exp(draw.normal(3.0, 0.6, len(PRODUCTS))).round(2).astype(np.float64)
    bought = each(draw, customer[order], nth[order], len(PRODUCTS) + product)
    quantity = 1 + bought.poisson(_MORE_UNITS, order.size)
    is_off = bought.uniform(size=order.size) < _DISCOUNTED
    off = np.where(is_off, _DISCOUNTS[bought.choice(len(_DISCOUNTS), order.size)], 0.0)
    if off_more is not None:
        off = off + off_more[order]
    discount = (off * quantity * prices[product]).round(2)
    return Lines(order, product, quantity, prices[product], discount), prices


def draw_back_at(draw: Draw, customers: Customers, who: IntArray, bought_at: FloatArray) -> FloatArray:
    """Draw when lines are sent back if the customer is still there; infinite where kept.

    The satisfied keep more.

    Parameters
    ----------
    draw : numpy.random.Generator or KeyedDraw
        Source of chance.
    customers : Customers
        Who.
    who : ndarray of int
        Place of the customer, one a line.
    bought_at : ndarray
        When the line was bought.
    """
    back_at = bought_at + RETURN_DELAY + draw.exponential(RETURN_WAIT, who.size)
    sent_back = draw.uniform(size=who.size) < returned_share(customers)[who]
    return np.where(sent_back, back_at, np.inf)


def returned_share(customers: Customers) -> FloatArray:
    """Return the share of lines that each customer sends back, if there is time.

    Parameters
    ----------
    customers : Customers
        How satisfied.
    """
    return _RETURNED * np.exp(-2.0 * (customers.satisfaction - 0.5))


def draw_return_reasons(draw: Draw, sign: IntArray) -> ExtensionArray:
    """Draw why lines are sent back, which depends on nothing; what is kept has no reason.

    Parameters
    ----------
    draw : numpy.random.Generator or KeyedDraw
        Source of chance.
    sign : ndarray of int
        -1 where a line is sent back.
    """
    reason = np.searchsorted(np.cumsum(_REASON_SHARES), draw.uniform(size=sign.size), side="right")
    return labels(np.where((sign < 0) & (reason < len(_REASONS)), reason, -1), _REASONS)
