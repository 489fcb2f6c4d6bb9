"""What a readout takes into account of each customer: columns of the list, or attributes on record.

Attributes count as they were known on the first day of assignment: what an offer may have changed is no
covariate.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.pipelines.contact_rules import asked_of
from habitue.pipelines.measuring.assignments import STRATUM, Assignments
from habitue.records import CustomerLog
from habitue.records.engine import quoted

__all__ = ["Segments", "attribute_of", "segments_of"]


@dataclass(frozen=True)
class Segments:
    """What is taken into account of the customers of an experiment, in the order of its list.

    Attributes
    ----------
    strata : Series or None
        Segment within which arms were drawn.
    clusters : Series or None
        Household of each, where households were drawn.
    covariates : DataFrame or None
        Numbers known before the assignment.
    """

    strata: pd.Series | None = None
    clusters: pd.Series | None = None
    covariates: pd.DataFrame | None = None


def segments_of(
    log: CustomerLog,
    assigned: Assignments,
    *,
    strata: str | None = None,
    clusters: str | None = None,
    covariates: tuple[str, ...] = (),
) -> Segments:
    """Find the columns that a readout takes into account.

    Parameters
    ----------
    log : CustomerLog
        The records.
    assigned : Assignments
        Who was assigned to what.
    strata : str, optional
        Column with the segment; ``stratum`` of the list, which `habitue measure assign` writes, where None.
    clusters : str, optional
        Column with the household; who has none is a household of one.
    covariates : tuple of str, default ()
        Columns with numbers known before.

    Returns
    -------
    Segments

    Raises
    ------
    SettingsError
        Where a column is neither in the list nor on record.
    DataError
        Where a covariate is no number.
    """
    within = strata or (STRATUM if STRATUM in assigned.more else None)
    homes = None
    if clusters is not None:
        alone = "alone: " + assigned.frame["id"].astype("string")
        homes = _column(log, assigned, clusters).astype("string").fillna(alone)
    numbers = {name: _numbers(_column(log, assigned, name), name) for name in covariates}
    return Segments(
        None if within is None else _column(log, assigned, within),
        homes,
        pd.DataFrame(numbers) if numbers else None,
    )


def _column(log: CustomerLog, assigned: Assignments, name: str) -> Any:
    """Return a column of the list or, where it has none of that name, an attribute on record."""
    if name in assigned.more:
        return assigned.more[name]
    first = assigned.frame["day"].min().date()
    return attribute_of(log, assigned.frame["id"], name, day=first, listed=tuple(assigned.more.columns))


def _numbers(values: Any, name: str) -> pd.Series:
    numbers: Any = pd.to_numeric(values, errors="coerce")
    wrong = values[numbers.isna() & values.notna()]
    if len(wrong):
        raise DataError(
            f"A covariate holds numbers; {name!r} has {str(wrong.iloc[0])!r}. Name a column of words with "
            "--strata instead."
        )
    return numbers.astype("float64")


def attribute_of(
    log: CustomerLog, ids: Any, name: str, *, day: date, listed: tuple[str, ...] = ()
) -> pd.Series:
    """Return an attribute of customers as it was known at the end of a day.

    Parameters
    ----------
    log : CustomerLog
        The records.
    ids : Series of str of shape (n,)
        Customers, as text.
    name : str
        Of the attribute.
    day : date
        The day; the last of the log where it is later.
    listed : tuple of str, default ()
        Columns of a list in which it was looked for before, for the message.

    Returns
    -------
    Series of shape (n,)
        Indexed like `ids`; missing where nothing was said.

    Raises
    ------
    SettingsError
        Where customers have no such attribute.
    """
    history = log.until(min(day, log.observed_until))
    there = history.columns("customers") if "customers" in log.kinds else {}
    if name not in there:
        own = ", ".join(one for one in there if one != "customer_id")
        told = f"the list has {', '.join(map(str, listed))}; " if listed else ""
        told += f"customers on record have {own}" if own else "customers on record have no attributes"
        raise SettingsError(
            f"There is no column {name!r}: {told}. Name one of these, or add it to the list or to "
            "[records.customers] of the settings."
        )
    sql = (
        f"SELECT CAST(customer_id AS VARCHAR) AS id, {quoted(name)} AS said "
        f"FROM ({history.relation('customers')}) AS customers"
    )
    said: Any = asked_of(history, sql).set_index("id")["said"].reindex(ids.to_numpy())
    return said.set_axis(ids.index)
