"""Whom an experiment can be made with, and their segments: customers of a file, or those on record."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from habitue.errors import SettingsError
from habitue.pipelines.contact_rules import ContactRules
from habitue.pipelines.measuring.design import base_of
from habitue.pipelines.measuring.lists import read_customers
from habitue.pipelines.measuring.segments import attribute_of
from habitue.records import CustomerLog

__all__ = ["listed", "on_record"]


def listed(path: Path, strata: str | None = None) -> tuple[list[Any], list[Any] | None]:
    """Return the customers of a file, and their segments.

    Parameters
    ----------
    path : Path
        CSV or Parquet with customer_id.
    strata : str, optional
        Its column with the segment.

    Raises
    ------
    SettingsError, SchemaError
        Where the file or a column is missing.
    """
    table = read_customers(path)
    if strata is not None and strata not in table.columns:
        raise SettingsError(
            f"{path} has no column {strata!r} to stratify by; it has {', '.join(map(str, table.columns))}. "
            "Add it, or leave --customers out to take it from the customers' records."
        )
    return table["customer_id"].tolist(), None if strata is None else table[strata].tolist()


def on_record(
    log: CustomerLog,
    strata: str | None = None,
    *,
    day: date,
    active_within: int | None = None,
    rules: ContactRules | None = None,
) -> tuple[list[Any], list[Any] | None, tuple[str, ...]]:
    """Return the customers on record who may be contacted, their segments, and what is to be told of them.

    Parameters
    ----------
    log : CustomerLog
        The records.
    strata : str, optional
        Attribute of the customers' records with the segment.
    day : date
        Of the assignment.
    active_within : int, optional
        As `habitue.pipelines.measuring.design.base_of`.
    rules : ContactRules, optional
        Where it stands who must be left alone.

    Raises
    ------
    DataError, SettingsError
        As `base_of`, or where customers have no such attribute.
    """
    base = base_of(log, day=day, active_within=active_within, rules=rules)
    ids: Any = base.customers["customer_id"]
    segments = None if strata is None else attribute_of(log, ids, strata, day=day).tolist()
    return ids.tolist(), segments, base.notes
