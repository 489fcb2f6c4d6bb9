"""From features to one SQL statement, and from that to X.

All features that read one relation cost one scan of it; `habitue.features.relations` says what relations
there are. Who is a customer: whoever had bought something by the cutoff; where contracts are the main kind of
the history, whoever has one that had not ended by then. Every customer has one row. Counts of what they have
no record of are 0, everything else is missing.

Many records are described one part of the customers after the other, in bounded memory; of few records
several cutoffs are described at once, as planning a statement takes longer than running it. Neither changes a
bit of the result.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import lru_cache
from itertools import groupby
from typing import Any

import pandas as pd
import sqlglot
from sqlglot import exp

from habitue.errors import DataError, SettingsError
from habitue.features.feature import Feature
from habitue.features.relations import RELATIONS, Relation, records_sql, with_what_they_read
from habitue.records import History
from habitue.records.dialects import canonical
from habitue.records.engine import quoted
from habitue.records.history import Histories, main_kind

__all__ = ["build", "build_each", "matrix", "statement"]

_KEY = "customer_id"
_WHO = {"transactions": "visits", "contracts": "members"}
"""The relation that says who is a customer, by the main kind of record."""

_BUILT = "built_features"


def statement(history: History | Histories, features: Sequence[Feature]) -> str:
    """Return the SQL that computes features, one row a customer (and cutoff, of several histories).

    Parameters
    ----------
    history : History or Histories
        What was known at the cutoff; says how records are read.
    features : sequence of Feature
        In the order of the columns.

    Returns
    -------
    str
        A query in DuckDB's dialect with ``$horizon`` and the names of ``history.values`` to be bound.

    Raises
    ------
    SettingsError
        Where a feature reads records, or columns of them, that the log lacks.
    """
    _refuse_lacking(history, features)
    who, keys = _WHO[main_kind(history.kinds)], ", ".join(history.keys)
    by_relation = groupby(sorted(features, key=_place), key=lambda chosen: chosen.reads)
    grouped = {who: [], **{relation: list(members) for relation, members in by_relation}}
    tables = [
        f"{relation.name} AS ({_query(history, relation)})" for relation in with_what_they_read(grouped)
    ]
    tables += [_aggregate(history, relation, members) for relation, members in grouped.items()]
    joins = "".join(
        f"\nLEFT JOIN {relation}_features USING ({keys})" for relation in grouped if relation != who
    )
    row = ", ".join(f"{who}_features.{key}" for key in history.keys)
    columns = ",\n    ".join([row, *map(_column, features)])
    given = ",\n".join(tables)
    return f"WITH {given}\nSELECT {columns}\nFROM {who}_features{joins}\nORDER BY {row}"


@lru_cache(maxsize=8192)
def _canonical(sql: str, day: str) -> str:
    """Make a query or an expression explicit, once: parsing may take longer than computing."""
    tree = canonical(sql)
    if day != History.day:
        tree = tree.transform(_at, day)
    return tree.sql("duckdb")


def _at(node: exp.Expr, day: str) -> exp.Expr:
    """Put a column in the place of the cutoff that is bound."""
    is_cutoff = isinstance(node, exp.Placeholder | exp.Parameter) and f"${node.name}" == History.day
    return sqlglot.parse_one(day, dialect="duckdb") if is_cutoff else node


def _query(history: History | Histories, relation: Relation) -> str:
    if relation.sql:
        return _canonical(relation.sql.format(key=", ".join(history.keys)), history.day)
    kind = relation.name
    return records_sql(kind, history.relation(kind), history.columns(kind))


def _place(chosen: Feature) -> int:
    return list(RELATIONS).index(chosen.reads)


def _aggregate(history: History | Histories, relation: str, features: Sequence[Feature]) -> str:
    keys = ", ".join(history.keys)
    columns = "".join(
        f", {_canonical(chosen.sql, history.day)} AS {quoted(chosen.name)}" for chosen in features
    )
    return f"{relation}_features AS (SELECT {keys}{columns} FROM {relation} GROUP BY {keys})"


def _column(chosen: Feature) -> str:
    value = f"{chosen.reads}_features.{quoted(chosen.name)}"
    if chosen.absent is not None:
        value = f"COALESCE({value}, {chosen.absent})"
    return f"CAST({value} AS DOUBLE) AS {quoted(chosen.name)}"


@contextmanager
def matrix(
    history: History, features: Sequence[Feature], *, horizon: int
) -> Generator[tuple[str, dict[str, Any]]]:
    """Hold a query that returns the features of all customers, ordered by id, as long as the block lasts.

    Parameters
    ----------
    history : History
        What was known.
    features : sequence of Feature
        Columns wanted.
    horizon : int
        Days; the length of the last period that some features look back on.

    Yields
    ------
    tuple of str and dict
        The query, and what its names are to be bound to.

    Raises
    ------
    SettingsError
        As `statement`.
    """
    engine = history.engine
    parts = history.parts(engine.rows_at_once) if engine.rows_at_once else [history]
    if len(parts) == 1:
        yield _bound(history, statement(history, features), horizon)
        return
    try:
        for place, part in enumerate(parts):
            sql, values = _bound(part, statement(part, features), horizon)
            made = f"INSERT INTO {_BUILT}" if place else f"CREATE OR REPLACE TEMP TABLE {_BUILT} AS"
            engine.execute(f"{made} {sql}", values)
        # DuckDB returns rows of a table in the order in which they were put there.
        yield f"SELECT * FROM {_BUILT}", {}
    finally:
        engine.execute(f"DROP TABLE IF EXISTS {_BUILT}")


def _bound(history: History | Histories, sql: str, horizon: int) -> tuple[str, dict[str, Any]]:
    """Return a query and those values that it names."""
    values: Mapping[str, Any] = {**history.values, "horizon": horizon}
    return sql, {name: value for name, value in values.items() if f"${name}" in sql}


def build(history: History, features: Sequence[Feature], *, horizon: int) -> pd.DataFrame:
    """Compute features from what was known at the cutoff.

    Parameters
    ----------
    history : History
        What was known.
    features : sequence of Feature
        Columns wanted; those of records that the log lacks are refused. None of them: customers alone.
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
    with matrix(history, features, horizon=horizon) as (sql, values):
        frame = history.engine.frame(sql, values).set_index(_KEY)
    if not len(frame):
        raise _nobody(history, history.cutoff)
    return frame


def build_each(histories: Histories, features: Sequence[Feature], *, horizon: int) -> list[pd.DataFrame]:
    """Compute features from what was known at each of several cutoffs, in one pass.

    Parameters
    ----------
    histories : Histories
        What was known.
    features : sequence of Feature
        Columns wanted.
    horizon : int
        Days; the length of the last period that some features look back on.

    Returns
    -------
    list of DataFrame
        What `build` returns for each cutoff, in their order.

    Raises
    ------
    SettingsError, DataError
        As `build`.
    """
    sql, values = _bound(histories, statement(histories, features), horizon)
    every = histories.engine.frame(sql, values)
    key = every.columns[0]
    frames: list[pd.DataFrame] = []
    for cutoff in histories.cutoffs:
        rows = every.loc[every[key] == pd.Timestamp(cutoff)]
        if not len(rows):
            raise _nobody(histories, cutoff)
        frames.append(rows.drop(columns=key).set_index(_KEY))
    return frames


def _nobody(history: History | Histories, cutoff: date) -> DataError:
    told = {"transactions": "had bought anything", "contracts": "had a contract"}[main_kind(history.kinds)]
    return DataError(f"Nobody {told} by {cutoff}; choose another cutoff.")


def _refuse_lacking(history: History | Histories, features: Sequence[Feature]) -> None:
    """Refuse features of records, or of optional columns, that the log does not have."""
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
