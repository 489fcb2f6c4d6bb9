"""What customers of a simulated business say: surveys, reviews and tickets, in their satisfaction's mood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.numerics.arrays import FloatArray
from habitue.records.business.baskets import PRODUCTS
from habitue.records.business.chance import Draw, KeyedDraw, arrivals
from habitue.records.business.customers import Customers, IntArray, labels
from habitue.records.business.purchases import Orders

__all__ = ["Tickets", "draw_feedback", "draw_tickets", "later_feedback", "later_tickets"]

_SURVEYS = ("nps", "csat", "review")
_LOWEST, _HIGHEST = np.array([0, 1, 1]), np.array([10, 5, 5])
_COMMENTED = np.array([0.5, 0.2, 1.0])  # share of answers with words
_MOOD_SWING = 0.18  # standard deviation of one answer around the customer's satisfaction
_GOOD = (
    "Great quality and a fair price.",
    "Fast delivery, I am very happy.",
    "Friendly staff and excellent service.",
    "Easy to use, I love it.",
    "I would gladly recommend it.",
    "Everything works perfectly.",
)
_BAD = (
    "Poor quality for a high price.",
    "Late delivery, I am disappointed.",
    "Rude staff and terrible service.",
    "Confusing to use, I hate it.",
    "I would never buy it again.",
    "It arrived broken and useless.",
)
_SENTENCES = (*_GOOD, *_BAD)
_COMMENTS = tuple(f"{first} {second}" for first in _SENTENCES for second in _SENTENCES)


def draw_feedback(draw: np.random.Generator, customers: Customers, orders: Orders) -> pd.DataFrame:
    """Return answers to surveys, and reviews of what was bought last.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    customers : Customers
        Who, how satisfied, how long, and how often.
    orders : Orders
        What they bought.
    """
    return _feedback(draw, customers, orders, *customers.times(draw, customers.params.surveys_per_day))


def later_feedback(draw: KeyedDraw, customers: Customers, orders: Orders, start: float) -> pd.DataFrame:
    """Return the answers and reviews from a day on.

    Parameters
    ----------
    draw : KeyedDraw
        Source of chance.
    customers : Customers
        Who, how satisfied, how long, and how often.
    orders : Orders
        What they bought, from the first order on.
    start : float
        Days since the start of the log.
    """
    when, what = draw.spawn(2)
    rate, since = np.full(customers.n, customers.params.surveys_per_day), np.maximum(customers.arrived, start)
    who, nth, time = arrivals(when, rate, since, customers.until)
    return _feedback(what.each(who, nth), customers, orders, who, time)


def _feedback(
    draw: Draw, customers: Customers, orders: Orders, who: IntArray, time: FloatArray
) -> pd.DataFrame:
    """Draw what is on record of answers."""
    survey = draw.choice(3, who.size, p=[0.4, 0.35, 0.25])
    lowest, highest = _LOWEST[survey], _HIGHEST[survey]
    mood = np.clip(customers.satisfaction[who] + draw.normal(0.0, _MOOD_SWING, who.size), 0.0, 1.0)
    commented = draw.uniform(size=who.size) < _COMMENTED[survey]
    product = np.where(survey == _SURVEYS.index("review"), orders.last_bought(who, time), -1)
    return customers.table(
        who,
        "timestamp",
        time,
        {
            "survey": labels(survey, _SURVEYS),
            "score": lowest + np.round(mood * (highest - lowest)).astype(np.int64),
            "scale_min": lowest,
            "scale_max": highest,
            "text": labels(np.where(commented, _comment(draw, mood), -1), _COMMENTS),
            "product_id": labels(product, PRODUCTS),
        },
    )


def _comment(draw: Draw, mood: FloatArray) -> IntArray:
    """Draw two sentences, each good with the chance that the mood gives; return the number of the pair."""

    def sentence() -> npt.NDArray[np.int64]:
        is_bad = draw.uniform(size=mood.size) >= mood
        return draw.integers(0, len(_GOOD), mood.size) + np.where(is_bad, len(_GOOD), 0)

    return sentence() * len(_SENTENCES) + sentence()


@dataclass(frozen=True)
class Tickets:
    """Tickets, with times that may lie beyond the log.

    Attributes
    ----------
    who : ndarray of int
        Places of customers.
    opened, answered, closed : ndarray
        When, in days since the start of the log.
    columns : Mapping[str, Any]
        What else is on record.
    """

    who: IntArray
    opened: FloatArray
    answered: FloatArray
    closed: FloatArray
    columns: Mapping[str, Any]

    def table(self, customers: Customers) -> pd.DataFrame:
        """Return the records as the log has them at its end.

        Parameters
        ----------
        customers : Customers
            How long the log is.
        """
        seen = {
            "closed_at": customers.seen(self.who, self.closed, past_leaving=True),
            "first_response_at": customers.seen(self.who, self.answered, past_leaving=True),
        }
        return customers.table(self.who, "opened_at", self.opened, {**seen, **self.columns})


def draw_tickets(draw: np.random.Generator, customers: Customers) -> Tickets:
    """Return tickets: the less satisfied open more, wait longer, and see them escalated and reopened.

    Tickets still open when the customer leaves are closed all the same; those open at the end of the log
    have no end.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    customers : Customers
        Who, how satisfied, how long, and how often.
    """
    return _tickets(draw, customers, *customers.times(draw, _ticket_rate(customers)))


def later_tickets(draw: KeyedDraw, customers: Customers, start: float) -> Tickets:
    """Return the tickets opened from a day on.

    Parameters
    ----------
    draw : KeyedDraw
        Source of chance.
    customers : Customers
        Who, how satisfied, how long, and how often.
    start : float
        Days since the start of the log.
    """
    when, what = draw.spawn(2)
    since = np.maximum(customers.arrived, start)
    who, nth, opened = arrivals(when, _ticket_rate(customers), since, customers.until)
    return _tickets(what.each(who, nth), customers, who, opened)


def _ticket_rate(customers: Customers) -> FloatArray:
    return customers.params.tickets_per_day * np.exp(2.0 * (0.5 - customers.satisfaction))


def _tickets(draw: Draw, customers: Customers, who: IntArray, opened: FloatArray) -> Tickets:
    """Draw what is on record of tickets."""
    n, worse = who.size, (0.5 - customers.satisfaction)[who]
    answered = opened + np.exp(draw.normal(-1.5, 0.8, n) + 1.5 * worse)
    closed = answered + np.exp(draw.normal(0.5, 0.8, n) + 1.5 * worse)
    columns = {
        "topic": labels(draw.choice(4, n), ("account", "billing", "delivery", "quality")),
        "severity": labels(draw.choice(3, n, p=[0.5, 0.35, 0.15]), ("low", "normal", "high")),
        "escalated": draw.uniform(size=n) < 0.15 * np.exp(2.0 * worse),
        "reopened": draw.uniform(size=n) < 0.12 * np.exp(2.0 * worse),
    }
    return Tickets(who, opened, answered, closed, columns)
