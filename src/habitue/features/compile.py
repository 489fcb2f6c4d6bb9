"""From features to one SQL statement, and from that to X.

All features that read one relation cost one scan of it; `habitue.features.relations` says what relations
there are. Who is a customer: whoever had bought something by the cutoff; in a log without transactions,
whoever has a contract that had not ended by then. Every customer has one row. Counts of what they have no
record of are 0, everything else is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.features.feature import Feature
from habitue.features.relations import MAIN_KINDS, RELATIONS, Relation, records_sql, with_what_they_read
from habitue.records import History
from habitue.records.dialects import canonical
from habitue.records.engine import quoted

__all__ = ["build", "statement"]

_KEY = "customer_id"
_WHO = {"transactions": "visits", "contracts": "members"}
"""The relation that says who is a customer, by the main kind of record."""


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

    Raises
    ------
    SettingsError
        Where a feature reads records, or columns of them, that the log lacks.
    """
    _refuse_lacking(history, features)
    who = _WHO[_main_kind(history)]
    by_relation = groupby(sorted(features, key=_place), key=lambda chosen: chosen.reads)
    grouped = {who: [], **{relation: list(members) for relation, members in by_relation}}
    tables = [
        f"{relation.name} AS ({_query(history, relation)})" for relation in with_what_they_read(grouped)
    ]
    tables += [_aggregate(relation, members) for relation, members in grouped.items()]
    joins = "".join(
        f"\nLEFT JOIN {relation}_features USING ({_KEY})" for relation in grouped if relation != who
    )
    columns = ",\n    ".join([f"{who}_features.{_KEY}", *map(_column, features)])
    given = ",\n".join(tables)
    return f"WITH {given}\nSELECT {columns}\nFROM {who}_features{joins}\nORDER BY {who}_features.{_KEY}"


@lru_cache(maxsize=4096)
def _canonical(sql: str) -> str:
    """Make a query or an expression explicit, once: parsing may take longer than computing."""
    return canonical(sql).sql("duckdb")


def _query(history: History, relation: Relation) -> str:
    if relation.sql:
        return _canonical(relation.sql.format(key=_KEY))
    kind = relation.name
    return records_sql(kind, history.relation(kind), history.engine.columns(kind))


def _main_kind(history: History) -> str:
    return next(kind for kind in MAIN_KINDS if kind in history.kinds)


def _place(chosen: Feature) -> int:
    return list(RELATIONS).index(chosen.reads)


def _aggregate(relation: str, features: Sequence[Feature]) -> str:
    columns = "".join(f", {_canonical(chosen.sql)} AS {quoted(chosen.name)}" for chosen in features)
    return f"{relation}_features AS (SELECT {_KEY}{columns} FROM {relation} GROUP BY {_KEY})"


def _column(chosen: Feature) -> str:
    value = f"{chosen.reads}_features.{quoted(chosen.name)}"
    if chosen.absent is not None:
        value = f"COALESCE({value}, {chosen.absent})"
    return f"CAST({value} AS DOUBLE) AS {quoted(chosen.name)}"


def build(history: History, features: Sequence[Feature], *, horizon: int) -> pd.DataFrame:
    """Compute features from what was known at the cutoff.

    Parameters
    ----------
    history : History
        What was known.
    features : sequence of Feature
        Columns wanted; those of records that the log lacks are refused.
    horizon : int
        Days; the length of the last period that some features look back on.

    Returns
    -------
    DataFrame of float64, shape (n_customers, n_features)
        Indexed by customer_id, ordered by it.

    Raises
    ------
    SettingsError
        Where a feature reads records, or columns of them, that the log lacks.
    DataError
        Where nobody was a customer by the cutoff.
    """
    sql = statement(history, features)
    values: Mapping[str, Any] = {"cutoff": history.cutoff, "horizon": horizon}
    used = {name: value for name, value in values.items() if f"${name}" in sql}
    frame = history.engine.frame(sql, used).set_index(_KEY)
    if frame.empty:
        told = {"transactions": "had bought anything", "contracts": "had a contract"}[_main_kind(history)]
        raise DataError(f"Nobody {told} by {history.cutoff}; choose another cutoff.")
    return frame


def _refuse_lacking(history: History, features: Sequence[Feature]) -> None:
    """Refuse features of records, or of optional columns, that the log does not have."""
    if not features:
        raise SettingsError("No feature was asked for; name at least one.")
    lacking = sorted({chosen.kind for chosen in features} - set(history.kinds))
    if lacking:
        names = [chosen.name for chosen in features if chosen.kind in lacking]
        raise SettingsError(
            f"Features {', '.join(names)} need {', '.join(lacking)}, which the log lacks; it has "
            f"{', '.join(history.kinds)}."
        )
    for chosen in features:
        absent = sorted(set(chosen.needs) - set(history.engine.columns(chosen.kind)))
        if absent:
            raise SettingsError(
                f"Feature {chosen.name!r} needs {', '.join(absent)} of {chosen.kind}, which the log lacks."
            )
        learned = chosen.relation.learned
        if learned and not history.engine.has(learned):
            raise SettingsError(
                f"Feature {chosen.name!r} needs {learned}, learned from a population: hand in one that "
                "habitue.learn_population returned."
            )
