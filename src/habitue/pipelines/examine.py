"""`habitue check`: what is in the log, what was set aside and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from habitue import records
from habitue.pipelines.files import write_beside
from habitue.pipelines.propose import propose_horizon
from habitue.records import CustomerLog

__all__ = ["examine", "write_quarantine"]

_REPEAT = (
    "SELECT count(*) FILTER (WHERE visits > 1), count(*), avg(visits) FROM "
    "(SELECT count(DISTINCT day) AS visits FROM transactions WHERE amount >= 0 GROUP BY customer_id)"
)


def examine(log: CustomerLog) -> dict[str, Any]:
    """Return what is worth knowing about a log before anything is trained on it, as plain data.

    Parameters
    ----------
    log : CustomerLog
        The records.
    """
    check = log.checks["transactions"]
    repeat, buyers, visits = log.engine.rows(_REPEAT)[0]
    total = log.engine.rows("SELECT CAST(sum(amount) AS DOUBLE) FROM transactions")[0][0]
    horizon, why = propose_horizon(log)
    return {
        "source": check.source,
        "n_rows": check.n_rows,
        "n_admitted": check.n_admitted,
        "n_quarantined": check.n_quarantined,
        "quarantined": dict(check.quarantined),
        "notes": list(check.notes),
        "n_customers": log.n_customers,
        "first_day": str(log.first_day),
        "observed_until": str(log.observed_until),
        "total_amount": total,
        "share_bought_again": repeat / buyers if buyers else 0.0,
        "purchases_per_customer": float(visits or 0.0),
        "proposed_horizon": horizon,
        "why_horizon": why,
        "fingerprint": log.fingerprint(),
    }


def write_quarantine(log: CustomerLog, path: Path) -> Path:
    """Write the rows that were set aside, with kind of record, row number and reason.

    Parameters
    ----------
    log : CustomerLog
        The records.
    path : Path
        A .parquet or .csv file.
    """
    return write_beside(path, lambda to: records.write_quarantine(log, to, suffix=path.suffix))
