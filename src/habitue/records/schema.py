"""What each kind of record must say, and may say.

Every source is mapped onto these canonical columns at the door (`habitue.records.door`); nothing past it
knows the source's own names. This module is a table of facts: it reads nothing and checks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

__all__ = ["CONSENT", "CONTACTABLE", "RECORDED_AT", "SCHEMAS", "Column", "ColumnKind", "Schema"]

RECORDED_AT = "recorded_at"
"""The column, in every kind, that says when a record became known; its own day where there is none."""

CONSENT = "consent"
"""The column of customers that says who agreed to the use of their records: the others' are never read."""

CONTACTABLE = "contactable"
"""The column of customers that says who may be contacted: the others stand in no list of actions."""

ColumnKind = Literal["id", "instant", "money", "number", "text", "flag", "day"]


@dataclass(frozen=True)
class Column:
    """One canonical column: its name, how it is read, and whether a row without it is of use."""

    name: str
    kind: ColumnKind
    required: bool = False


@dataclass(frozen=True)
class Schema:
    """The canonical columns of one kind of record.

    Attributes
    ----------
    kind : str
        The kind, as `CustomerLog` names it.
    columns : tuple of Column
        In the order of the table.
    instant : str
        The column that says when the record came to be; empty for `customers`, which has none.
    known_later : Mapping[str, str]
        Columns that are filled in after the record came to be, and the instant from which they are known.
        Where a source lacks that instant nobody can tell when they were known, so they are never told.
    not_before : Mapping[str, str]
        Optional instants whose day may not lie before that of another instant of the record.
    derived : Mapping[str, str]
        Columns that the door itself adds, and their SQL type.
    """

    kind: str
    columns: tuple[Column, ...]
    instant: str
    known_later: Mapping[str, str] = field(default_factory=dict[str, str])
    not_before: Mapping[str, str] = field(default_factory=dict[str, str])
    derived: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns without which a source is refused."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def optional(self) -> tuple[str, ...]:
        """Names of the columns that are read where they exist."""
        return tuple(column.name for column in self.columns if not column.required)


def _schema(
    kind: str,
    instant: str,
    required: Mapping[str, ColumnKind],
    optional: str,
    known_later: Mapping[str, str] | None = None,
    *,
    not_before: Mapping[str, str] | None = None,
    derived: Mapping[str, str] | None = None,
) -> Schema:
    """Build a schema; `optional` lists ``name:kind`` pairs, and any record may say when it was recorded."""
    columns = [Column(name, column_kind, True) for name, column_kind in required.items()]
    for pair in [*optional.split(), f"{RECORDED_AT}:instant"]:
        name, _, column_kind = pair.partition(":")
        columns.append(Column(name, column_kind))  # pyright: ignore[reportArgumentType]
    return Schema(
        kind, tuple(columns), instant, dict(known_later or {}), dict(not_before or {}), dict(derived or {})
    )


SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        schema.kind: schema
        for schema in (
            _schema(
                "transactions",
                "timestamp",
                {"customer_id": "id", "timestamp": "instant", "amount": "money"},
                "order_id:text product_id:text category:text quantity:number list_price:money discount:money "
                "margin:money channel:text currency:text return_reason:text",
                derived={"return_of_day": "DATE"},
            ),
            _schema(
                "contracts",
                "started_at",
                {"customer_id": "id", "started_at": "instant", "price": "money"},
                "ended_at:instant plan:text billing_period_days:number auto_renew:flag termination_fee:money "
                "ended_reason:text",
                {"ended_at": "ended_at", "ended_reason": "ended_at"},
                not_before={"ended_at": "started_at"},
            ),
            _schema(
                "events",
                "timestamp",
                {"customer_id": "id", "timestamp": "instant", "event": "text"},
                "value:number channel:text",
            ),
            _schema(
                "feedback",
                "timestamp",
                {"customer_id": "id", "timestamp": "instant", "survey": "text", "score": "number"},
                "scale_min:number scale_max:number text:text product_id:text sentiment:number",
            ),
            _schema(
                "tickets",
                "opened_at",
                {"customer_id": "id", "opened_at": "instant"},
                "closed_at:instant first_response_at:instant topic:text severity:text escalated:flag "
                "reopened:flag",
                {
                    "closed_at": "closed_at",
                    "first_response_at": "first_response_at",
                    "escalated": "closed_at",
                    "reopened": "closed_at",
                },
            ),
            _schema(
                "rewards",
                "timestamp",
                {"customer_id": "id", "timestamp": "instant", "points": "number"},
                "tier:text expires_at:instant",
            ),
            _schema(
                "contacts",
                "timestamp",
                {"customer_id": "id", "timestamp": "instant", "campaign": "text"},
                "channel:text offer:text cost:money arm:text propensity:number randomised:flag "
                "responded_at:instant",
                {"responded_at": "responded_at"},
            ),
            _schema(
                "customers",
                "",
                {"customer_id": "id"},
                "acquired_at:instant segment:text consent:flag contactable:flag",
            ),
        )
    }
)
"""The eight kinds of record, by name."""
