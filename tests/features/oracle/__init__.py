"""An independent oracle for the features: plain Python, one customer at a time, one file per pillar."""

from __future__ import annotations

import pandas as pd
from known import everybody

from oracle import (
    activity,
    context,
    emotional_connection,
    habit,
    perceived_value,
    relationship,
    satisfaction,
    switching_costs,
)

ORACLES = (
    activity,
    habit,
    perceived_value,
    satisfaction,
    relationship,
    emotional_connection,
    switching_costs,
    context,
)


def expected(frames, cutoff, horizon):
    """Compute all features of every customer, without SQL.

    That is whoever bought by the cutoff; of a log without transactions whoever has a contract that runs.
    """
    people = everybody(frames, cutoff, horizon)
    told = {
        customer: {name: value for oracle in ORACLES for name, value in oracle.features_of(known).items()}
        for customer, known in people.items()
        if (known.visits() if "transactions" in frames else _running(known))
    }
    return pd.DataFrame.from_dict(told, orient="index").sort_index().astype("float64")


def _running(known):
    return [row for row in known.rows("contracts") if row.get("ended_at") is None]
