"""Records told again because they changed: the new state takes the place of the old.

Notes
-----
A row takes the place of an earlier one that says the same in all columns but those known only later
(`habitue.records.schema.Schema.known_later`), and that left open there what the new row says: it was empty,
or the instant from which it is known was. Each new row takes the place of one earlier row at most.

Customers have one row each: where the source does not say when it was recorded, a later row of a customer
takes the place of the earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from habitue.errors import DataError
from habitue.records.customer_ids import customer_id_sql
from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.schema import Column, Schema
from habitue.records.staging import FIT, RAW_KEY, ROW, drop

__all__ = ["replace_customers", "replace_records"]


def replace_customers(engine: DuckDBEngine, sql_type: str, n_read: int) -> None:
    """Remove from ``raw_rows`` what was told before of customers who are told again.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``raw_rows`` of all batches, with canonical names.
    sql_type : str
        Of customer_id.
    n_read : int
        The last row of the batches before.
    """
    name = customer_id_sql(engine, "customer_id", sql_type)
    engine.execute(
        f"DELETE FROM raw_rows WHERE {ROW} <= {n_read} "
        f"AND {name} IN (SELECT {name} FROM raw_rows WHERE {ROW} > {n_read})"
    )


def replace_records(engine: DuckDBEngine, schema: Schema, columns: Sequence[Column], n_read: int) -> None:
    """Remove from ``read_rows`` the records whose new state is among the new rows.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``read_rows`` of all batches.
    schema : Schema
        Of the kind of record.
    columns : sequence of Column
        Those that ``read_rows`` has.
    n_read : int
        The last row of the batches before.

    Raises
    ------
    DataError
        Where a new row could take the place of several records that differ.
    """
    names = [column.name for column in columns]
    later = [name for name in names if name in schema.known_later]
    first = [quoted(name) for name in names if name not in later]
    if not later:
        return
    key = f"hash({', '.join(first)})"
    rows = f"SELECT *, {key} AS record FROM read_rows WHERE {ROW}"
    same = [f"old.{name} IS NOT DISTINCT FROM new.{name}" for name in first]
    # What could not be read is one record with another only if it was written alike.
    same.append(f"(old.{FIT} OR old.{RAW_KEY} = new.{RAW_KEY})")
    said = ", ".join(f"old.{name}" for name in [*first, *map(quoted, later)])
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE told_again AS SELECT old.record, old.{ROW} AS old_row, "
        f"new.{ROW} AS new_row, hash({said}, CASE WHEN NOT old.{FIT} THEN old.{RAW_KEY} END) AS contents "
        f"FROM ({rows} <= {n_read}) AS old JOIN ({rows} > {n_read}) AS new "
        f"ON old.record = new.record WHERE {' AND '.join([*same, *_fill_in(schema, later)])}"
    )
    unclear = engine.rows(
        "SELECT count(*) FROM (SELECT 1 FROM told_again GROUP BY record HAVING count(DISTINCT contents) > 1)"
    )[0][0]
    if unclear:
        raise DataError(
            f"{unclear:,} new rows of {schema.kind} could be the new state of several records that differ, "
            "and nothing says of which. Read the log anew from all rows."
        )
    engine.execute(
        f"DELETE FROM read_rows WHERE {ROW} IN (SELECT old_row FROM (SELECT old_row, "
        "row_number() OVER (PARTITION BY record ORDER BY old_row DESC) AS nth, n_new FROM "
        "(SELECT DISTINCT record, old_row FROM told_again) JOIN "
        "(SELECT record, count(DISTINCT new_row) AS n_new FROM told_again GROUP BY 1) USING (record)) "
        "WHERE nth <= n_new)"
    )
    drop(engine, "told_again")


def _fill_in(schema: Schema, later: Sequence[str]) -> list[str]:
    """Return conditions: the new row says something else, and only where the old one left it open."""
    conditions: list[str] = []
    for name in later:
        since = schema.known_later[name]
        left_open = f"old.{quoted(name)} IS NULL"
        left_open += f" OR old.{quoted(since)} IS NULL" if since in later else " OR true"
        conditions.append(f"({left_open} OR old.{quoted(name)} = new.{quoted(name)})")
    other = (f"old.{quoted(name)} IS DISTINCT FROM new.{quoted(name)}" for name in later)
    return [*conditions, f"({' OR '.join(other)})"]
