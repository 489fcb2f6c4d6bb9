"""Context without SQL: Python's own calendar."""

from __future__ import annotations

import math

from known import Known


def features_of(known: Known) -> dict[str, float]:
    """Return the features of one customer, attributes apart."""
    days = [
        row["acquired_at"].date() for row in known.rows("customers") if row.get("acquired_at") is not None
    ]
    won = min((day for day in days if day <= known.cutoff), default=None)
    return {
        "days_since_acquisition": math.nan if won is None else known.age(won),
        "acquired_month": math.nan if won is None else won.month,
        "cutoff_day_of_year": known.cutoff.timetuple().tm_yday,
    }
