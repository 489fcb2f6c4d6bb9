"""What measures, pillars and policies are called on the page, and how their numbers are said.

`habitue.report.wording` writes counts, shares and money; here a number of the scorecard finds the writing of
its unit.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from habitue.report.wording import DASH, count, figure, money, percent
from habitue.vocabulary import one_or_many

__all__ = [
    "STATUS",
    "cleaned",
    "difference",
    "label_of",
    "month_in_words",
    "pillar_label",
    "pillar_of",
    "quantity",
    "unit_of",
]

_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "nps": "Net Promoter Score",
        "nps_response_rate": "Answered the NPS survey",
        "nps_reweighted": "Net Promoter Score, weighted to the base",
        "csat_mean": "Satisfaction, mean",
        "csat_top_two": "Satisfaction, two best answers",
        "csat_response_rate": "Answered the satisfaction survey",
        "csat_mean_reweighted": "Satisfaction, mean, weighted to the base",
        "csat_top_two_reweighted": "Satisfaction, two best answers, weighted to the base",
        "review_net": "Reviews, good less bad",
        "review_sentiment": "Reviews, sentiment",
        "retention_rate": "Retention",
        "churn_rate": "Churn of customers",
        "revenue_churn": "Churn of revenue",
        "contract_retention_rate": "Contracts kept",
        "contract_churn_rate": "Contracts lost",
        "contract_revenue_churn": "Contracts lost, of revenue",
        "repeat_purchase_rate": "Repeat purchase",
        "active_customers": "Active customers",
        "contract_active_customers": "Customers with a contract",
        "average_order_value": "Average order value",
        "purchase_interval": "Time between purchases",
        "clv": "Value of a customer",
        "customer_equity": "Customer equity",
        "first_response_hours": "Wait for a first answer",
        "resolution_hours": "Wait for a solution",
        "ticket_reopened_share": "Tickets opened again",
        "ticket_escalated_share": "Tickets escalated",
        "contacts_answered": "Contacts answered",
        "reward_liability": "Reward liability",
        "retained": "Share who stay",
        "margin": "Margin",
        "spend": "Spend",
        "n_purchases": "Purchases",
        "n_returns": "Returns",
        "n_tickets": "Tickets",
        "opted_out": "Share who opt out",
        "has_contract": "Share with a contract",
    }
)
_UNITS: Mapping[str, str] = MappingProxyType({"retained": "share", "margin": "money", "spend": "money"})

STATUS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "met": ("✓", "good"),
        "on track": ("●", "good"),
        "at risk": ("▲", "warn"),
        "off track": ("▼", "bad"),
        "missed": ("✕", "bad"),
        "not measured": ("○", "none"),
        "holds": ("✓", "good"),
        "open": ("○", "none"),
        "broken": ("✕", "bad"),
    }
)
"""A shape and a class for each status, which the page says in words beside it."""

_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"


def cleaned(said: object) -> str:
    r"""Return a text without signs that steer: controls, and those that turn the direction of reading.

    Parameters
    ----------
    said : object
        Whatever came from data.

    Examples
    --------
    >>> cleaned("a\x07b\nc\u202ed")
    'a�b c�d'
    """
    text = "".join(
        " " if sign in "\n\r\t\u2028\u2029" else "\ufffd" if unicodedata.category(sign) == "Cc" else sign
        for sign in str(said)
    )
    return text.translate({ord(sign): "\ufffd" for sign in _BIDI})


def label_of(name: str) -> str:
    """Return what a measure or a metric is called.

    Parameters
    ----------
    name : str
        As the scorecard has it; the scale of a survey may follow.

    Examples
    --------
    >>> label_of("nps"), label_of("csat_mean_1_7"), label_of("shoe_size")
    ('Net Promoter Score', 'Satisfaction, mean (scale 1 to 7)', 'Shoe size')
    """
    if name in _LABELS:
        return _LABELS[name]
    plain, *ends = name.rsplit("_", 2)
    if plain in _LABELS and len(ends) == 2 and all(end.isdigit() for end in ends):
        return f"{_LABELS[plain]} (scale {ends[0]} to {ends[1]})"
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def month_in_words(month: str) -> str:
    """Return a month as people say it; what is none stays as it is.

    Parameters
    ----------
    month : str
        Such as "2026-06".

    Examples
    --------
    >>> month_in_words("2026-06"), month_in_words("spring")
    ('June 2026', 'spring')
    """
    try:
        return f"{date.fromisoformat(f'{month}-01'):%B %Y}"
    except ValueError:
        return month


def pillar_label(pillar: str) -> str:
    """Return what a pillar is called.

    Parameters
    ----------
    pillar : str
        As in `habitue.vocabulary.Pillar`.

    Examples
    --------
    >>> pillar_label("switching_costs"), pillar_label("")
    ('Switching costs', 'Other')
    """
    return label_of(pillar) if pillar else "Other"


def pillar_of(name: str) -> str:
    """Return the pillar of a measure that does not say its own.

    Parameters
    ----------
    name : str
        Of the measure.
    """
    return "satisfaction" if name.startswith(("nps", "csat", "review")) else ""


def unit_of(metric: str, *, is_share: bool) -> str:
    """Return the unit of a metric of experiments.

    Parameters
    ----------
    metric : str
        Such as "margin".
    is_share : bool
        Whether it is yes or no of each customer.
    """
    return "share" if is_share else _UNITS.get(metric, "number")


def quantity(value: float | None, unit: str, currency: str) -> str:
    """Write a number in its unit.

    Parameters
    ----------
    value : float or None
        The number.
    unit : str
        Of the scorecard: points, share, money, days, hours, score, count; others are plain numbers.
    currency : str
        What money is counted in.

    Examples
    --------
    >>> quantity(-40.63, "points", "€"), quantity(54.81, "score", "€"), quantity(None, "share", "€")
    ('−40.6', '54.8', '–')
    """
    if value is None:
        return DASH
    if unit == "share":
        return percent(value, digits=1)
    if unit == "money":
        return money(value, currency)
    if unit in ("days", "hours"):
        told = figure(value)
        return one_or_many(1, unit[:-1]) if told == "1" else f"{told}\N{NO-BREAK SPACE}{unit}"
    if unit == "count":
        return count(value)
    if unit == "points":
        return f"{value:.1f}".replace("-", "−").replace("−0.0", "0.0")
    return figure(value)


def difference(value: float | None, unit: str, currency: str) -> str:
    """Write a difference with its sign; of shares in percentage points.

    Parameters
    ----------
    value : float or None
        The difference.
    unit : str
        Of what it is a difference.
    currency : str
        What money is counted in.

    Examples
    --------
    >>> difference(0.012, "share", "€").split(), difference(-3.0, "money", "€")
    (['+1.2', 'points'], '−€3.00')
    """
    if value is None:
        return DASH
    sign = "+" if value > 0.0 else ""
    if unit == "share":
        told = f"{100.0 * value:.1f}".replace("-", "−").replace("−0.0", "0.0")
        return f"{sign}{told}\N{NO-BREAK SPACE}points"
    return sign + quantity(value, unit, currency)
