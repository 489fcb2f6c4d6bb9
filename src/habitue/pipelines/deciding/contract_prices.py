"""Scores of contracts alone: what customers are worth is told by the prices of the contracts that run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from habitue.decisions.contract_value import value_of_contracts
from habitue.pipelines.contact_rules import asked_of
from habitue.pipelines.deciding.inputs import Scores, as_in
from habitue.pipelines.offers import DecideSettings
from habitue.records import CustomerLog
from habitue.scorecard.audit_records import price_a_day

__all__ = ["worth_of_contracts"]

_PRICES = """
SELECT customer_id, SUM({price}) AS per_day
FROM ({contracts}) AS contracts
WHERE day <= $cutoff AND (ended_at IS NULL OR CAST(ended_at AS DATE) > $cutoff)
GROUP BY customer_id
"""


def worth_of_contracts(
    log: CustomerLog, scores: Scores, settings: DecideSettings
) -> tuple[Scores, DecideSettings]:
    """Put a clv into scores that have none, from the prices of contracts.

    Parameters
    ----------
    log : CustomerLog
        The records.
    scores : Scores
        With churn_probability.
    settings : DecideSettings
        Say how many days count.

    Returns
    -------
    scores : Scores
        With clv and `value_days`; as they came where they have a clv.
    settings : DecideSettings
        With the share that one who leaves still brings.
    """
    if "clv" in scores.frame or "contracts" not in log.kinds:
        return scores, settings
    history = log.until(scores.cutoff)
    price_sql = price_a_day(history.columns("contracts"))
    sql = _PRICES.format(price=price_sql, contracts=history.relation("contracts"))
    per_day = asked_of(history, sql).set_index("customer_id")["per_day"]
    frame = as_in(log, scores)
    price = per_day.reindex(frame.index).to_numpy(dtype=np.float64, na_value=0.0)
    told = value_of_contracts(
        frame["churn_probability"], price, horizon=scores.horizon, value_days=settings.value_days
    )
    valued = frame.assign(clv=pd.Series(told.clv, frame.index))
    return (
        replace(scores, frame=valued, value_days=settings.value_days),
        settings.model_copy(update={"leaver_share": told.leaver_share}),
    )
