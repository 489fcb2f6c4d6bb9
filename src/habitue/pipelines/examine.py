"""`habitue check`: what is in the log, what was set aside and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from habitue import records
from habitue.pipelines.files import write_beside
from habitue.pipelines.propose import propose_horizon
from habitue.records import CustomerLog, TableCheck

__all__ = ["examine", "facts_of", "write_quarantine"]

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

    Returns
    -------
    dict
        Beside the facts of the whole log, ``records`` has source, counts, reasons and notes of each kind.
        Those of the purchases (of the contracts, in a log without purchases) also stand at the top, and what
        only purchases say is None without them.
    """
    records = {kind: facts_of(check) for kind, check in log.checks.items()}
    horizon, why = propose_horizon(log)
    return {
        **records["transactions" if "transactions" in records else "contracts"],
        "n_customers": log.n_customers,
        "first_day": str(log.first_day),
        "observed_until": str(log.observed_until),
        **_purchases(log),
        "proposed_horizon": horizon,
        "why_horizon": why,
        "fingerprint": log.fingerprint(),
        "records": records,
    }


def facts_of(check: TableCheck) -> dict[str, Any]:
    """Return what the door found in one source, as plain data.

    Parameters
    ----------
    check : TableCheck
        What it found.
    """
    return {
        "source": check.source,
        "n_rows": check.n_rows,
        "n_admitted": check.n_admitted,
        "n_quarantined": check.n_quarantined,
        "quarantined": dict(check.quarantined),
        "notes": list(check.notes),
    }


def _purchases(log: CustomerLog) -> dict[str, float | None]:
    """Say how much was bought, and how often again."""
    if "transactions" not in log.kinds:
        return dict.fromkeys(("total_amount", "share_bought_again", "purchases_per_customer"))
    repeat, buyers, visits = log.engine.rows(_REPEAT)[0]
    return {
        "total_amount": log.engine.rows("SELECT CAST(sum(amount) AS DOUBLE) FROM transactions")[0][0],
        "share_bought_again": repeat / buyers if buyers else 0.0,
        "purchases_per_customer": float(visits or 0.0),
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
