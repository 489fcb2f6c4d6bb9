"""From features to one SQL statement, and from that to X.

All features that read one relation cost one scan of it. The relations:

``transactions``
    the records up to the cutoff;
``visits``
    one row per customer and day with a purchase (an amount of 0 or more): ``day``, ``amount`` (what was
    bought that day), ``nth`` (1 for the first) and ``gap`` (days since the visit before). Returns are no
    visits; ``events`` the records up to the cutoff.

Every customer with a visit has one row; counts of what they have no record of are 0, everything else is
missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.features.feature import READS, Feature
from habitue.records import History
from habitue.records.engine import quoted

__all__ = ["build", "statement"]

_VISITS = """
days AS (
    SELECT customer_id, day, SUM(amount) AS amount FROM transactions WHERE amount >= 0 GROUP BY customer_id,
    day ), visits AS ( SELECT *, ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY day) AS nth,
    DATE_DIFF('day', LAG(day) OVER (PARTITION BY customer_id ORDER BY day), day) AS gap FROM days )"""


def statement(history: History, features: Sequence[Feature]) -> str:
    """Return the SQL that computes features, one row a customer.

    Parameters
    ----------
    history : History
        What was known at the cutoff; says how records are read.
    features : sequence of Feature
        In the order of the columns.

    Returns
    -------
    str
        A query in DuckDB's dialect with ``$cutoff`` and ``$horizon`` to be bound.
    """
    kinds = dict.fromkeys(["transactions", *(chosen.kind for chosen in features)])
    given = ",\n".join(f"{kind} AS ({history.relation(kind)})" for kind in kinds)
    by_relation = groupby(sorted(features, key=_place), key=lambda chosen: chosen.reads)
    grouped = {relation: list(members) for relation, members in by_relation}
    grouped.setdefault("visits", [])
    tables = ",\n".join(_aggregate(relation, members) for relation, members in grouped.items())
    columns = ",\n    ".join(_column(chosen) for chosen in features)
    joins = "\n".join(
        f"LEFT JOIN {relation}_features USING (customer_id)" for relation in grouped if relation != "visits"
    )
    return (
        f"WITH {given},{_VISITS},\n{tables}\nSELECT visits_features.customer_id,\n    {columns}\n"
        f"FROM visits_features\n{joins}\nORDER BY visits_features.customer_id"
    )


def _place(chosen: Feature) -> int:
    return list(READS).index(chosen.reads)


def _aggregate(relation: str, features: Sequence[Feature]) -> str:
    columns = "".join(f", {chosen.sql} AS {quoted(chosen.name)}" for chosen in features)
    return f"{relation}_features AS (SELECT customer_id{columns} FROM {relation} GROUP BY customer_id)"


def _column(chosen: Feature) -> str:
    name = f"{chosen.reads}_features.{quoted(chosen.name)}"
    # No record of an event is a count of none, not an unknown count.
    value = f"COALESCE({name}, 0)" if chosen.unit == "count" else name
    return f"CAST({value} AS DOUBLE) AS {quoted(chosen.name)}"


def build(history: History, features: Sequence[Feature], *, horizon: int) -> pd.DataFrame:
    """Compute features from what was known at the cutoff.

    Parameters
    ----------
    history : History
        What was known.
    features : sequence of Feature
        Columns wanted; those of kinds of record that the log lacks are refused.
    horizon : int
        Days; the length of the last period that some features look back on.

    Returns
    -------
    DataFrame of float64, shape (n_customers, n_features)
        Indexed by customer_id, ordered by it.

    Raises
    ------
    SettingsError
        Where a feature reads records that the log lacks.
    DataError
        Where nobody had bought anything by the cutoff.
    """
    _refuse_lacking(history, features)
    sql = statement(history, features)
    values = {"cutoff": history.cutoff, "horizon": horizon}
    used = {name: value for name, value in values.items() if f"${name}" in sql}
    frame = history.engine.frame(sql, used).set_index("customer_id")
    if frame.empty:
        raise DataError(f"Nobody had bought anything by {history.cutoff}; choose a later cutoff.")
    return frame


def _refuse_lacking(history: History, features: Sequence[Feature]) -> None:
    """Refuse features of records, or of optional columns, that the log does not have."""
    if not features:
        raise SettingsError("No feature was asked for; name at least one.")
    if "transactions" not in history.kinds:
        raise SettingsError(
            f"Features describe customers by what they bought, and the log has no transactions; it has "
            f"{', '.join(history.kinds)}."
        )
    lacking = sorted({chosen.kind for chosen in features} - set(history.kinds))
    if lacking:
        names = [chosen.name for chosen in features if chosen.kind in lacking]
        raise SettingsError(f"Features {', '.join(names)} need {', '.join(lacking)}, which the log lacks.")
    for chosen in features:
        there = set(history.engine.columns(chosen.kind)) | {"nth", "gap"}
        absent = sorted(set(chosen.columns) - there)
        if absent:
            raise SettingsError(
                f"Feature {chosen.name!r} needs {', '.join(absent)} of {chosen.kind}, which the log lacks."
            )
