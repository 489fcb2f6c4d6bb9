"""What the measures of the scorecard are: a sentence, a unit and a pillar each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from habitue.errors import SettingsError
from habitue.scorecard.measures import Unit

__all__ = ["DEFINITIONS", "Definition", "definition_of"]


class Definition(NamedTuple):
    """What a measure says, in which unit, and of which pillar of loyalty."""

    sentence: str
    unit: Unit
    pillar: str


_RUNNING = "Customers with a running contract at the start"
_LATEST = "the latest answer of each customer in the period"

DEFINITIONS: Mapping[str, Definition] = MappingProxyType(
    {
        "nps": Definition(
            "Of 100 who said how likely they would recommend us, promoters (9, 10) less detractors (0 to 6); "
            f"{_LATEST} counts.",
            "points",
            "satisfaction",
        ),
        "nps_response_rate": Definition(
            "Share of the customers asked (of those active, where it is not recorded who was asked) who said "
            "in the period how likely they would recommend us.",
            "share",
            "satisfaction",
        ),
        "nps_reweighted": Definition(
            "Net Promoter Score with answers weighted so that who answered looks like the customers "
            "active in the period.",
            "points",
            "satisfaction",
        ),
        "csat_mean": Definition(
            f"Mean satisfaction on the scale; {_LATEST} counts.", "score", "satisfaction"
        ),
        "csat_top_two": Definition(
            f"Share of the two best answers on the scale of satisfaction; {_LATEST} counts.",
            "share",
            "satisfaction",
        ),
        "csat_response_rate": Definition(
            "Share of the customers asked (of those active, where nobody recorded who was asked) who told "
            "their satisfaction in the period.",
            "share",
            "satisfaction",
        ),
        "csat_mean_reweighted": Definition(
            "Mean satisfaction with answers weighted so that who answered looks like the customers "
            "active in the period.",
            "score",
            "satisfaction",
        ),
        "csat_top_two_reweighted": Definition(
            "Share of the two best answers, weighted so that who answered looks like the customers "
            "active in the period.",
            "share",
            "satisfaction",
        ),
        "review_net": Definition(
            "Of 100 reviews, those in the upper two fifths of the scale less those in the lower two fifths.",
            "points",
            "satisfaction",
        ),
        "review_sentiment": Definition(
            "Mean sentiment of the texts of reviews, from -1 (negative) to 1 (positive).",
            "score",
            "satisfaction",
        ),
        "retention_rate": Definition(
            "Share of the customers who bought in the period before who bought in this one.",
            "share",
            "activity",
        ),
        "churn_rate": Definition(
            "Share of the customers who bought in the period before who bought nothing in this one.",
            "share",
            "activity",
        ),
        "revenue_churn": Definition(
            "Share of the spend of the period before that came from who bought nothing in this one.",
            "share",
            "activity",
        ),
        "contract_retention_rate": Definition(
            f"{_RUNNING} of the period who have one at its end, as a share of them.", "share", "activity"
        ),
        "contract_churn_rate": Definition(
            f"{_RUNNING} of the period who have none at its end, as a share of them.", "share", "activity"
        ),
        "contract_revenue_churn": Definition(
            "Share of the price per day of contracts running at the start of the period that is gone at its "
            "end; what a customer pays for a contract that took the place of another is not gone, and growth "
            "of others is not set against it.",
            "share",
            "activity",
        ),
        "repeat_purchase_rate": Definition(
            "Share of the customers who bought in the period who bought on two or more days of it.",
            "share",
            "habit",
        ),
        "active_customers": Definition("Customers who bought in the period.", "count", "activity"),
        "contract_active_customers": Definition(
            "Customers with a running contract at the end of the period.", "count", "activity"
        ),
        "average_order_value": Definition(
            "Amount bought per order, returns not taken off; without order numbers an order is a customer's "
            "day.",
            "money",
            "activity",
        ),
        "purchase_interval": Definition(
            "Mean days from one purchase to the next, of the purchases in the period that were not the "
            "customer's first; who did not come again does not count.",
            "days",
            "habit",
        ),
        "clv": Definition(
            "Mean predicted value of a scored customer within the horizon of the scores.", "money", "activity"
        ),
        "customer_equity": Definition(
            "Predicted value of all scored customers together within the horizon of the scores.",
            "money",
            "activity",
        ),
        "first_response_hours": Definition(
            "Hours after which half of the tickets opened in the period had a first answer; those without "
            "one are counted as long as they waited.",
            "hours",
            "satisfaction",
        ),
        "resolution_hours": Definition(
            "Hours after which half of the tickets opened in the period were closed; those still open are "
            "counted as long as they waited.",
            "hours",
            "satisfaction",
        ),
        "ticket_reopened_share": Definition(
            "Share of the closed tickets of the period that were opened again.", "share", "satisfaction"
        ),
        "ticket_escalated_share": Definition(
            "Share of the closed tickets of the period that were escalated.", "share", "satisfaction"
        ),
        "contacts_answered": Definition(
            "Share of the contacts of the period, controls left out, that were answered so far.",
            "share",
            "relationship",
        ),
        "reward_liability": Definition(
            "Points that customers hold at the end of the period and that have not expired, at the worth of "
            "a point where it is given.",
            "count",
            "switching_costs",
        ),
    }
)
"""All measures by name; those of surveys on another scale than 1 to 5 have it at the end of their names."""


def definition_of(name: str) -> Definition:
    """Return what a measure is; ``csat_mean_1_7`` is `csat_mean` on the scale from 1 to 7.

    Parameters
    ----------
    name : str
        Such as ``"nps"``.

    Raises
    ------
    SettingsError
        Where there is no such measure.

    Examples
    --------
    >>> definition_of("csat_top_two_1_7").sentence
    'Share of the two best answers on the scale from 1 to 7; the latest answer of each customer counts.'
    """
    if name in DEFINITIONS and not name.startswith("csat"):
        return DEFINITIONS[name]
    plain, low, high = _parts(name)
    if plain not in DEFINITIONS:
        raise SettingsError(f"There is no measure {name!r}; there are {', '.join(DEFINITIONS)}.")
    told = DEFINITIONS[plain]
    if plain == "csat_response_rate":
        return told
    kind = "Mean answer" if "mean" in plain else "Share of the two best answers"
    end = (
        "answers are weighted so that who answered looks like the customers active in the period."
        if plain.endswith("reweighted")
        else "the latest answer of each customer counts."
    )
    return told._replace(sentence=f"{kind} on the scale from {low} to {high}; {end}")


def _parts(name: str) -> tuple[str, str, str]:
    """Split the scale off a name; 1 to 5 where there is none."""
    plain, *ends = name.rsplit("_", 2)
    if len(ends) == 2 and all(end.isdigit() for end in ends):
        return plain, ends[0], ends[1]
    return name, "1", "5"
