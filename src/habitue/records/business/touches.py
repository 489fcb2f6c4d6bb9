"""How customers and a simulated business meet besides buying: visits and advocacy, campaigns and answers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from habitue.numerics.arrays import FloatArray
from habitue.records.business.chance import Draw, KeyedDraw, arrivals
from habitue.records.business.customers import Customers, IntArray, labels

__all__ = ["draw_contacts", "draw_events", "later_events"]

# event, share of events_per_day, growth of its logarithm with habit and with satisfaction
_EVENTS = (
    ("app_open", 0.60, 1.2, 0.0),
    ("site_visit", 0.34, 0.8, 0.0),
    ("share", 0.03, 0.0, 2.0),
    ("referral", 0.015, 0.0, 2.5),
    ("community_post", 0.015, 0.5, 1.5),
)
_APP, _WEB = 0, 1
_CHANNELS = ("email", "sms", "push")
_COSTS = np.array([0.02, 0.08, 0.01])
_OFFERS = ("10% off", "free shipping", "double points")


def draw_events(draw: np.random.Generator, customers: Customers) -> pd.DataFrame:
    """Return visits, which habit drives, and referrals, shares and posts, which satisfaction drives.

    The value of a visit is its length in minutes; other events have none.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    customers : Customers
        Who, how long, and how often.
    """
    drawn = [customers.times(draw, rate) for rate in _event_rates(customers)]
    event = np.repeat(np.arange(len(_EVENTS)), [who.size for who, _ in drawn])
    who, time = (np.concatenate(column) for column in zip(*drawn, strict=True))
    return _events(draw, customers, event, who, time)


def later_events(draw: KeyedDraw, customers: Customers, start: float) -> pd.DataFrame:
    """Return the events from a day on.

    Parameters
    ----------
    draw : KeyedDraw
        Source of chance.
    customers : Customers
        Who, how long, and how often.
    start : float
        Days since the start of the log.
    """
    sources, since = draw.spawn(1 + len(_EVENTS)), np.maximum(customers.arrived, start)
    drawn = [
        arrivals(source, rate, since, customers.until)
        for source, rate in zip(sources[1:], _event_rates(customers), strict=True)
    ]
    event = np.repeat(np.arange(len(_EVENTS)), [who.size for who, _, _ in drawn])
    who, nth, time = (np.concatenate(column) for column in zip(*drawn, strict=True))
    return _events(sources[0].each(who, nth, event), customers, event, who, time)


def _event_rates(customers: Customers) -> list[FloatArray]:
    """Return how often each event happens a day, one array an event."""
    rate = customers.params.events_per_day
    habit, satisfaction = customers.habit - 0.5, customers.satisfaction - 0.5
    return [
        rate * share * np.exp(by_habit * habit + by_mood * satisfaction)
        for _, share, by_habit, by_mood in _EVENTS
    ]


def _events(
    draw: Draw, customers: Customers, event: IntArray, who: IntArray, time: FloatArray
) -> pd.DataFrame:
    """Draw what is on record of events."""
    is_visit = event <= 1
    minutes = np.round(draw.lognormal(1.2, 0.7, event.size), 1)
    elsewhere = np.where(draw.uniform(size=event.size) < 0.5, _APP, _WEB)
    return customers.table(
        who,
        "timestamp",
        time,
        {
            "event": labels(event, [name for name, *_ in _EVENTS]),
            "value": np.where(is_visit, minutes, np.nan),
            "channel": labels(np.where(is_visit, event, elsewhere), ("app", "web")),
        },
    )


def draw_contacts(draw: np.random.Generator, customers: Customers) -> pd.DataFrame:
    """Return contacts by monthly campaigns, half of them an experiment, half aimed at the less satisfied.

    ``propensity`` is the chance of the arm on record: a control drawn with chance 0.3 has 0.3. A control is
    on record with no channel, offer or cost, and is not answered. Contacts go on after a customer left;
    answers do not.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    customers : Customers
        Who, how long, and how often.
    """
    who, time = customers.times(draw, customers.params.contacts_per_day, past_leaving=True)
    n, satisfaction = who.size, customers.satisfaction[who]
    randomised = draw.uniform(size=n) < 0.5
    chance = np.where(randomised, 0.5, np.round(0.8 - 0.6 * satisfaction, 4))
    treated = draw.uniform(size=n) < chance
    channel, offer = draw.choice(3, n, p=[0.6, 0.15, 0.25]), draw.integers(0, len(_OFFERS), n)
    answers = treated & (draw.uniform(size=n) < 0.1 + 0.3 * satisfaction)
    answered = np.where(answers, time + draw.exponential(1.0, n), np.nan)
    month = customers.instants(time).astype("datetime64[M]")
    months, code = np.unique(month, return_inverse=True)
    return customers.table(
        who,
        "timestamp",
        time,
        {
            "campaign": labels(code, [f"campaign {name}" for name in months.astype(str)]),
            "channel": labels(np.where(treated, channel, -1), _CHANNELS),
            "offer": labels(np.where(treated, offer, -1), _OFFERS),
            "cost": np.where(treated, _COSTS[channel], 0.0),
            "arm": labels(treated.astype(np.int64), ("control", "treated")),
            "propensity": np.where(treated, chance, np.round(1.0 - chance, 4)),
            "randomised": randomised,
            "responded_at": customers.seen(who, answered),
        },
    )
