"""A cutoff and the days ahead of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import isfinite
from numbers import Real
from typing import Any

from habitue.errors import SettingsError
from habitue.records.days import as_day

__all__ = ["Window"]


@dataclass(frozen=True, init=False)
class Window:
    """The days in which an outcome lies: after the cutoff, up to and with cutoff + horizon.

    Parameters
    ----------
    cutoff : date or str
        The last day whose records were known.
    horizon : int
        Days ahead.

    Raises
    ------
    SettingsError
        Where the cutoff is no day or the horizon is not a whole number of days above 0.

    Examples
    --------
    >>> Window("1997-09-30", horizon=273).end
    datetime.date(1998, 6, 30)
    """

    cutoff: date
    horizon: int

    def __init__(self, cutoff: date | str, horizon: int) -> None:
        days = _whole(horizon)
        day = as_day(cutoff, "cutoff")
        if days < 1:
            raise SettingsError(f"horizon must be a whole number of days above 0; got {horizon!r}.")
        if days > (date.max - day).days:
            raise SettingsError(
                f"horizon is {days:,} days, which ends after the year 9999; choose fewer days."
            )
        object.__setattr__(self, "cutoff", day)
        object.__setattr__(self, "horizon", days)

    @property
    def end(self) -> date:
        """The last day of the outcome."""
        return self.cutoff + timedelta(days=self.horizon)

    def __str__(self) -> str:
        """Write the interval as (cutoff, end]."""
        return f"({self.cutoff}, {self.end}]"


def _whole(horizon: Any) -> int:
    """Return a whole number, also where it came as 90.0 or from numpy; 0 for all else."""
    if isinstance(horizon, bool) or not isinstance(horizon, Real):
        return 0
    days = float(horizon)
    return int(days) if isfinite(days) and days.is_integer() else 0
