"""Context: who the customer is, how they came, and what time of year it is.

Attributes of customers have the names that the source gives them; their lines are made with their features.
"""

from __future__ import annotations

from collections.abc import Mapping

from habitue.vocabulary.term import Pillar, Term

__all__ = ["TERMS"]

_P = Pillar.CONTEXT

TERMS: Mapping[str, Term] = {
    "days_since_acquisition": Term(
        "Days since the customer was won, which may be long before the first purchase.", "day", _P,
        phrase="won {value} ago", missing="not known when the customer was won",
        zero="won on the last day",
    ),
    "acquired_month": Term(
        "Month of the year in which the customer was won, 1 to 12.", "", _P,
        phrase="won in month {value} of the year", missing="not known when the customer was won",
    ),
    "cutoff_day_of_year": Term(
        "Day of the year of the cutoff, 1 to 366: the same for everybody at one cutoff.", "", _P,
        phrase="predicted on day {value} of the year",
    ),
}  # fmt: skip
