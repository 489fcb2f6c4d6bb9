"""Context: who the customer is, how they came, and what time of year it is.

Attributes are the columns of `customers` beyond the schema's own, and ``segment``. A number or a statement is
one feature; text becomes one for each of its levels, which have to be learned before
(`habitue.snapshots.Population`). `habitue.vocabulary.learned` says how they are named. Attributes carry no
date: one that was only written down after the cutoff is not told apart, unless the table says when with
``recorded_at``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from habitue.features.feature import Feature, feature
from habitue.records import SCHEMAS, History
from habitue.records.engine import literal, quoted
from habitue.vocabulary import VOCABULARY
from habitue.vocabulary.learned import RETURN_REASON, attribute_term, learned_name

__all__ = ["FEATURES", "attribute_features", "attributes"]

_ANCHOR = "CAST('1900-01-01' AS DATE)"  # the first day of the first year that records may have
_ACQUIRED = "CAST(MIN(acquired_at) AS DATE)"

_OWN_COLUMNS = frozenset(column.name for column in SCHEMAS["customers"].columns) - {"segment"} | {"day"}

AttributeKind = Literal["number", "flag", "text"]
_NUMBERS = ("TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL")
_KINDS: Mapping[str, AttributeKind] = MappingProxyType(
    {**dict.fromkeys(_NUMBERS, "number"), "BOOLEAN": "flag", "VARCHAR": "text", "STRING": "text"}
)
"""What attributes are by the engine's type; days are none that a feature reads."""


@feature("customers")
def days_since_acquisition() -> str:
    """Days since the customer was won, which may be long before the first purchase."""
    return f"DATE_DIFF('day', {_ACQUIRED}, $cutoff)"


@feature("customers")
def acquired_month() -> str:
    """Month of the year in which the customer was won, 1 to 12."""
    return f"DATE_DIFF('month', {_ANCHOR}, {_ACQUIRED}) % 12 + 1"


@feature("visits")
def cutoff_day_of_year() -> str:
    """Return the day of the year of the cutoff, 1 to 366: the same for everybody, another at each cutoff."""
    year = f"(1899 + DATE_DIFF('year', {_ANCHOR}, $cutoff))"  # the last one that is over
    # Every fourth year has a day more, but for three centuries in four; 460 such years end before 1900.
    leap_days = f"{year} // 4 - {year} // 100 + {year} // 400 - 460"
    before = f"365 * ({year} - 1899) + {leap_days}"
    return f"MAX(DATE_DIFF('day', {_ANCHOR}, $cutoff) - ({before}) + 1)"


FEATURES: tuple[Feature, ...] = (days_since_acquisition, acquired_month, cutoff_day_of_year)


def attributes(history: History) -> Mapping[str, AttributeKind]:
    """Return the attributes of customers and what each is; those that are days are left out.

    Parameters
    ----------
    history : History
        Says which columns there are.

    Returns
    -------
    Mapping[str, str]
        Column of `customers` to "number", "flag" or "text", in the order of the table.

    Examples
    --------
    >>> import pandas as pd
    >>> from habitue.records import CustomerLog
    >>> log = CustomerLog(
    ...     transactions=pd.DataFrame({"customer_id": [1], "timestamp": ["2024-01-01"], "amount": [5]}),
    ...     customers=pd.DataFrame({"customer_id": [1], "segment": ["gold"]}))
    >>> dict(attributes(log.until("2024-01-01")))
    {'segment': 'text'}
    """
    if "customers" not in history.kinds:
        return MappingProxyType({})
    found: dict[str, AttributeKind] = {}
    for name, sql_type in history.engine.columns("customers").items():
        kind = _KINDS.get(sql_type.upper().partition("(")[0])
        if kind is not None and name not in _OWN_COLUMNS:
            found[name] = kind
    return MappingProxyType(found)


def attribute_features(
    history: History, levels: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> tuple[Feature, ...]:
    """Return a feature for each attribute that is a number or a statement, and one for each level of text.

    A number has the name of its column, a statement ``<column>_is_true``, a level ``<column>_is_<level>``;
    what is neither letter nor digit becomes ``_``, and the name of a column that has a meaning of its own
    here is followed by ``_attribute``.

    Parameters
    ----------
    history : History
        Says which attributes there are.
    levels : Mapping[str, sequence of str], optional
        Column of text to its levels, as `habitue.snapshots.learn_population` learns them.

    Returns
    -------
    tuple of Feature
        Missing for a customer of whom the attribute is not known. A level that was not learned is 0 in all
        columns of its attribute.

    Examples
    --------
    >>> import pandas as pd
    >>> from habitue.records import CustomerLog
    >>> log = CustomerLog(
    ...     transactions=pd.DataFrame({"customer_id": [1], "timestamp": ["2024-01-01"], "amount": [5]}),
    ...     customers=pd.DataFrame({"customer_id": [1], "segment": ["gold"]}))
    >>> [one.name for one in attribute_features(log.until("2024-01-01"), {"segment": ["gold", "silver"]})]
    ['segment_is_gold', 'segment_is_silver']
    """
    made: dict[str, Feature] = {}
    for column, kind in attributes(history).items():
        value, told = quoted(column), _free_column(column)
        if kind == "text":
            for level in levels.get(column, ()):
                _add(made, told, f"{value} = {literal(level)}", column, level)
        elif kind == "flag":
            _add(made, told, value, column, "true")
        else:
            name = learned_name(told, taken=made)
            made[name] = Feature(name, "customers", f"MAX({value})", own_term=attribute_term(column))
    return tuple(made.values())


def _free_column(column: str) -> str:
    """Return what a column is called in names of features, where its own name means something else."""
    word = learned_name(column)
    return f"{column}_attribute" if word in VOCABULARY or word == RETURN_REASON else column


def _add(made: dict[str, Feature], told: str, condition: str, column: str, level: str) -> None:
    """Add a feature that is 1 where a condition on a column holds."""
    name = learned_name(told, level, taken=made)
    sql = f"MAX(CASE WHEN {quoted(column)} IS NULL THEN NULL WHEN {condition} THEN 1 ELSE 0 END)"
    made[name] = Feature(name, "customers", sql, own_term=attribute_term(column, level))
