"""The words of this project: every column and feature, its meaning, unit and pillar.

The glossary page and the reasons told for a prediction are made from these lines, so a new feature needs one
line here and nothing else in prose. This module knows no data and computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

__all__ = ["VOCABULARY", "WINDOW_DAYS", "Direction", "Pillar", "Term", "describe"]

WINDOW_DAYS = (30, 90, 180, 365)
"""Trailing windows, in days before the cutoff, in which activity is counted."""


class Pillar(StrEnum):
    """What loyalty rests on; every feature belongs to exactly one."""

    ACTIVITY = "activity"
    SATISFACTION = "satisfaction"
    PERCEIVED_VALUE = "perceived_value"
    RELATIONSHIP = "relationship"
    EMOTIONAL_CONNECTION = "emotional_connection"
    HABIT = "habit"
    SWITCHING_COSTS = "switching_costs"
    CONTEXT = "context"


class Direction(StrEnum):
    """Which way a feature is expected to point when it grows."""

    STAYS = "stays"
    LEAVES = "leaves"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Term:
    """One line of the vocabulary.

    Attributes
    ----------
    meaning : str
        One sentence that a marketer understands.
    unit : str
        "day", "money", "count", "share", "ratio", "probability", "" for what has none.
    pillar : Pillar or None
        The pillar of a feature; None for identifiers and answers.
    expected : Direction
        Which way customers with more of it are expected to go.
    phrase : str
        How a reason names the value, with ``{value}``; empty for what is never a reason.
    missing : str
        How a reason names its absence; empty for what is never missing.
    zero : str
        How a reason names the value 0, where the phrase would read oddly.
    """

    meaning: str
    unit: str
    pillar: Pillar | None = None
    expected: Direction = Direction.UNKNOWN
    phrase: str = ""
    missing: str = ""
    zero: str = ""


_A, _H, _V, _R = Pillar.ACTIVITY, Pillar.HABIT, Pillar.PERCEIVED_VALUE, Pillar.RELATIONSHIP
_STAYS, _LEAVES = Direction.STAYS, Direction.LEAVES
_ONE_PURCHASE = "bought only once, so there is no rhythm yet"


def _in_windows() -> dict[str, Term]:
    """One line per trailing window for what is counted in each."""
    terms: dict[str, Term] = {}
    for days in WINDOW_DAYS:
        span = f"in the last {days} days"
        terms[f"n_purchases_{days}d"] = Term(
            f"Days with a purchase {span} before the cutoff.",
            "count", _A, _STAYS, f"{{value}} purchases {span}", zero=f"no purchase {span}",
        )  # fmt: skip
        terms[f"spend_{days}d"] = Term(
            f"Amount purchased {span} before the cutoff.",
            "money",
            _A,
            _STAYS,
            f"spent {{value}} {span}",
            zero=f"spent nothing {span}",
        )
        terms[f"n_events_{days}d"] = Term(
            f"Recorded interactions {span} before the cutoff.",
            "count", _R, _STAYS, f"{{value}} interactions {span}", zero=f"no interaction {span}",
        )  # fmt: skip
    return terms


VOCABULARY: Mapping[str, Term] = MappingProxyType(
    {
        # who and when
        "customer_id": Term("The customer, as the source names them.", ""),
        "timestamp": Term("When it happened.", ""),
        "amount": Term("Money of one transaction; negative for a return.", "money"),
        "cutoff": Term("The day up to which records were known, included.", ""),
        "horizon": Term("Days ahead that an answer covers, starting the day after the cutoff.", "day"),
        "observed_until": Term("The last day on which the log is complete.", ""),
        # activity: the literature's four
        "frequency": Term(
            "Repeat purchases: days with a purchase, less the first.", "count", _A, _STAYS,
            "{value} repeat purchases so far", zero="bought only once so far",
        ),
        "recency": Term(
            "Days from the first to the last purchase.", "day", _A, _STAYS,
            "{value} from first to last purchase", zero="bought only once so far",
        ),
        "T": Term(
            "Days from the first purchase to the cutoff.", "day", _A,
            phrase="customer for {value}", zero="first bought on the last day",
        ),
        "monetary_value": Term(
            "Mean amount of the repeat purchases; 0 where there is none.", "money", _A, _STAYS,
            "{value} per repeat purchase", zero="nothing spent on repeat purchases",
        ),
        # activity: where the customer stands today
        "inactivity": Term(
            "Days since the last purchase.", "day", _A, _LEAVES,
            "last bought {value} ago", zero="bought on the last day",
        ),
        "inactivity_ratio": Term(
            "Days since the last purchase over the customer's own mean gap.", "ratio", _A, _LEAVES,
            "silent for {value} times the usual gap", _ONE_PURCHASE, "bought on the last day",
        ),
        "n_purchases_last_period": Term(
            "Days with a purchase in the period before the cutoff that is as long as the horizon.",
            "count", _A, _STAYS,
            "{value} purchases in the last period", zero="no purchase in the last period",
        ),
        "spend_last_period": Term(
            "Amount purchased in the period before the cutoff that is as long as the horizon.",
            "money", _A, _STAYS, "spent {value} in the last period", zero="spent nothing in the last period",
        ),
        "spend_total": Term("Amount of all purchases so far.", "money", _A, _STAYS, "spent {value} in total"),
        "spend_mean": Term("Mean amount of a purchase.", "money", _A, _STAYS, "{value} per purchase"),
        "spend_max": Term("Largest purchase of one day.", "money", _A, _STAYS, "largest purchase {value}"),
        "spend_first": Term("Amount of the first purchase.", "money", _A, _STAYS, "first purchase {value}"),
        "spend_last": Term("Amount of the last purchase.", "money", _A, _STAYS, "last purchase {value}"),
        **_in_windows(),
        # habit
        "gap_mean": Term(
            "Mean days between purchases.", "day", _H, _LEAVES, "usually buys every {value}", _ONE_PURCHASE
        ),
        "gap_max": Term(
            "Longest wait between two purchases.", "day", _H, _LEAVES,
            "longest gap so far {value}", _ONE_PURCHASE,
        ),
        "gap_last": Term(
            "Days between the last two purchases.", "day", _H, _LEAVES,
            "{value} between the last two purchases", _ONE_PURCHASE,
        ),
        "gap_cv": Term(
            "Standard deviation of the gaps over their mean: 0 is clockwork, 1 is chance.",
            "ratio", _H, _LEAVES,
            "gaps vary by {value} of their mean", "too few purchases to tell a rhythm",
            "always waits equally long between purchases",
        ),
        "gap_geometric_mean": Term(
            "Geometric mean of the days between purchases, which one long wait moves little.",
            "day", _H, _LEAVES, "typically waits {value} between purchases", _ONE_PURCHASE,
        ),
        "weekend_share": Term(
            "Share of purchase days on a Saturday or Sunday.", "share", _H,
            phrase="{value} of purchases at weekends", zero="never buys at weekends",
        ),
        # perceived value
        "returns_share": Term(
            "Amount returned over amount purchased.", "share", _V, _LEAVES,
            "returned {value} of what was bought", "nothing bought that could be returned",
            "never returned anything",
        ),
        # relationship
        "days_since_event": Term(
            "Days since the last recorded interaction.", "day", _R, _LEAVES,
            "last interaction {value} ago", "no interaction on record", "last interaction on the last day",
        ),
        "n_event_kinds": Term(
            "Different kinds of interaction on record.", "count", _R, _STAYS,
            "{value} kinds of interaction", zero="no interaction on record",
        ),
        # outcomes: facts about an interval
        "n_purchases": Term("Days with a purchase within the horizon.", "count"),
        "spend": Term("Money spent within the horizon, returns taken off.", "money"),
        "churned": Term("No purchase within the horizon: a fact, known afterwards.", ""),
        # what models answer
        "p_alive": Term(
            "Belief that the customer has not left for good, by the BG/NBD model.", "probability"
        ),
        "churn_probability": Term("Predicted chance of no purchase within the horizon.", "probability"),
        "expected_purchases": Term("Expected days with a purchase within the horizon.", "count"),
        "expected_spend": Term("Expected mean amount of a purchase.", "money"),
        "clv": Term("Expected spend within the horizon, returns taken off.", "money"),
        "clv_lower": Term("Lower end of the interval for the customer's spend within the horizon.", "money"),
        "clv_upper": Term("Upper end of the interval for the customer's spend within the horizon.", "money"),
        "decile": Term(
            "Tenth of the base by clv, 1 the highest; by churn_probability where there is no clv.", ""
        ),
        "reason_1": Term("What moved the prediction most, in words.", ""),
        "reason_2": Term("What moved the prediction second most, in words.", ""),
        "reason_3": Term("What moved the prediction third most, in words.", ""),
        "model_name": Term("Registered model that answered; of the churn model where two did.", ""),
        "model_version": Term("Its version in the registry.", ""),
        "run_id": Term("The MLflow run that trained it.", ""),
        "clv_model_name": Term("Registered model behind clv, where two models answered.", ""),
        "clv_model_version": Term("Its version in the registry.", ""),
        "clv_run_id": Term("The MLflow run that trained it.", ""),
        "scored_at": Term("When the scores were made (UTC).", ""),
    }
)  # fmt: skip
"""Every column and feature name that this project uses, in the order of the glossary."""


def describe(name: str) -> str:
    """Return what a column means, with its unit.

    Parameters
    ----------
    name : str
        A column or feature name.

    Returns
    -------
    str
        The meaning and the unit in brackets; the name itself where the vocabulary has no line for it.

    Examples
    --------
    >>> describe("inactivity")
    'Days since the last purchase. [day]'
    """
    term = VOCABULARY.get(name)
    if term is None:
        return name
    return f"{term.meaning} [{term.unit}]" if term.unit else term.meaning
