"""Rows judged by what other rows say, and parted into those admitted and those set aside.

Past the values of a row itself: `habitue.records.duplicates`, `habitue.records.currencies` and
`habitue.records.returns` in this order, all on ``read_rows``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from habitue.records.currencies import ON_DAY_RATES, Rates, converted, look_up_rates
from habitue.records.duplicates import duplicate_notes, set_aside_duplicates
from habitue.records.engine import DuckDBEngine, quoted
from habitue.records.remarks import remarks
from habitue.records.returns import match_returns, returns_note
from habitue.records.schema import Column, Schema
from habitue.records.staging import KEPT, REASON, ROW, json_of

__all__ = ["Verdict", "judge", "notes_of", "set_apart"]


@dataclass(frozen=True)
class Verdict:
    """What rows say about each other.

    Attributes
    ----------
    alike : int
        Rows that equal an earlier one and stay.
    differing : int, optional
        Order keys whose rows differ; None where there is no key.
    matched, n_returns : int
        Returns that have a purchase, and all.
    rate_notes : tuple of str
        What is worth knowing of rates.
    admitted : str
        A query for the rows admitted, to which conditions may be added with AND.
    """

    alike: int
    differing: int | None
    matched: int
    n_returns: int
    rate_notes: tuple[str, ...]
    admitted: str


def judge(
    engine: DuckDBEngine,
    schema: Schema,
    columns: Sequence[Column],
    rates: Rates | None,
    differing: int | None,
    *,
    counted: str = "true",
) -> Verdict:
    """Set rows of ``read_rows`` aside for what others say, and find the purchases of returns.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``read_rows``.
    schema : Schema
        Of the kind of record.
    columns : sequence of Column
        Those that ``read_rows`` has.
    rates : Rates, optional
        What other currencies are worth.
    differing : int, optional
        Of `habitue.records.duplicates.differing_keys`.
    counted : str
        SQL that tells of a row's number ``row`` whether it counts among those alike.
    """
    alike = set_aside_duplicates(engine, schema, columns, differing, counted=counted)
    selected, joined = [f"read_rows.{quoted(column.name)}" for column in columns], ["read_rows"]
    notes: tuple[str, ...] = ()
    matched, n_returns = 0, 0
    if schema.kind == "transactions":
        if rates is not None:
            notes = look_up_rates(engine, rates, columns)
            selected = [converted(column, rates.target) for column in columns]
            joined.append(f"LEFT JOIN day_rates ON {ON_DAY_RATES}")
        # Before amounts are converted: what was bought for 10 dollars is given back for 10 dollars.
        matched, n_returns = match_returns(engine, columns)
        if matched:
            joined.append(f"LEFT JOIN returned ON returned.row = read_rows.{ROW}")
        selected.append("return_of_day" if matched else "CAST(NULL AS DATE) AS return_of_day")
    if schema.instant:
        selected.insert(0, f"CAST(read_rows.{quoted(schema.instant)} AS DATE) AS day")
    admitted = f"SELECT {', '.join(selected)} FROM {' '.join(joined)} WHERE {KEPT}"
    return Verdict(alike, differing, matched, n_returns, notes, admitted)


def set_apart(engine: DuckDBEngine, kind: str, names: Sequence[str]) -> None:
    """Add the rows of ``read_rows`` that cannot be used to the quarantine, as they came.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds ``read_rows`` and ``raw_rows``.
    kind : str
        Kind of record.
    names : sequence of str
        Columns of ``raw_rows``.
    """
    engine.execute(
        f"INSERT INTO quarantine_{kind} SELECT {ROW}, {REASON}, {json_of(names)} "
        f"FROM read_rows JOIN raw_rows USING ({ROW}) WHERE NOT ({KEPT}) ORDER BY 1"
    )


def notes_of(
    engine: DuckDBEngine, schema: Schema, columns: Sequence[Column], verdict: Verdict
) -> tuple[str, ...]:
    """Tell what is worth knowing about the rows admitted.

    Parameters
    ----------
    engine : DuckDBEngine
        Holds the table of the kind.
    schema : Schema
        Of the kind of record.
    columns : sequence of Column
        Those that the source has.
    verdict : Verdict
        Of `judge`.
    """
    return (
        *remarks(engine, schema),
        *duplicate_notes(schema, columns, verdict.alike, verdict.differing),
        *verdict.rate_notes,
        *returns_note(verdict.matched, verdict.n_returns),
    )
