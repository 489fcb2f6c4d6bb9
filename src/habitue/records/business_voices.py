"""What customers of a simulated business say: surveys, reviews and tickets, in their satisfaction's mood."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.numerics.arrays import FloatArray
from habitue.records.business_customers import Customers, IntArray, labels
from habitue.records.business_purchases import PRODUCTS, Purchases

__all__ = ["draw_feedback", "draw_tickets"]

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


def draw_feedback(draw: np.random.Generator, customers: Customers, purchases: Purchases) -> pd.DataFrame:
    """Return answers to surveys, and reviews of what was bought last.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    customers : Customers
        Who, how satisfied, how long, and how often.
    purchases : Purchases
        What they bought.
    """
    who, time = customers.times(draw, customers.params.surveys_per_day)
    survey = draw.choice(3, who.size, p=[0.4, 0.35, 0.25])
    lowest, highest = _LOWEST[survey], _HIGHEST[survey]
    mood = np.clip(customers.satisfaction[who] + draw.normal(0.0, _MOOD_SWING, who.size), 0.0, 1.0)
    commented = draw.uniform(size=who.size) < _COMMENTED[survey]
    product = np.where(survey == _SURVEYS.index("review"), purchases.last_bought(who, time), -1)
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


def _comment(draw: np.random.Generator, mood: FloatArray) -> IntArray:
    """Draw two sentences, each good with the chance that the mood gives; return the number of the pair."""

    def sentence() -> npt.NDArray[np.int64]:
        is_bad = draw.uniform(size=mood.size) >= mood
        return draw.integers(0, len(_GOOD), mood.size) + np.where(is_bad, len(_GOOD), 0)

    return sentence() * len(_SENTENCES) + sentence()


def draw_tickets(draw: np.random.Generator, customers: Customers) -> pd.DataFrame:
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
    discontent = 0.5 - customers.satisfaction
    who, opened = customers.times(draw, customers.params.tickets_per_day * np.exp(2.0 * discontent))
    n, worse = who.size, discontent[who]
    answered = opened + np.exp(draw.normal(-1.5, 0.8, n) + 1.5 * worse)
    closed = answered + np.exp(draw.normal(0.5, 0.8, n) + 1.5 * worse)
    return customers.table(
        who,
        "opened_at",
        opened,
        {
            "closed_at": customers.seen(who, closed, past_leaving=True),
            "first_response_at": customers.seen(who, answered, past_leaving=True),
            "topic": labels(draw.choice(4, n), ("account", "billing", "delivery", "quality")),
            "severity": labels(draw.choice(3, n, p=[0.5, 0.35, 0.15]), ("low", "normal", "high")),
            "escalated": draw.uniform(size=n) < 0.15 * np.exp(2.0 * worse),
            "reopened": draw.uniform(size=n) < 0.12 * np.exp(2.0 * worse),
        },
    )
