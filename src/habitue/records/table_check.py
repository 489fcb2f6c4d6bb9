"""What the door found in one source: counts, reasons and remarks, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["TableCheck"]


@dataclass(frozen=True)
class TableCheck:
    """What the door found in one source.

    Attributes
    ----------
    kind : str
        Kind of record.
    source : str
        The source, as messages name it.
    mapping : Mapping[str, str]
        Canonical column to the source's column or expression.
    n_rows, n_admitted : int
        Rows read, rows admitted.
    quarantined : Mapping[str, int]
        Reason to number of rows set aside.
    notes : tuple of str
        What is worth knowing and was not a reason to set a row aside.
    unread : Mapping[str, int]
        Optional column to number of values, in rows admitted, that could not be read and were left empty.
    """

    kind: str
    source: str
    mapping: Mapping[str, str]
    n_rows: int
    n_admitted: int
    quarantined: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[str, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def n_quarantined(self) -> int:
        """Rows set aside, whatever the reason."""
        return sum(self.quarantined.values())
