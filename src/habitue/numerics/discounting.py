r"""What money later is worth now: one annual rate, and how often it is compounded, said once.

Everywhere in habitue a ``discount_rate`` is continuous and per unit of time of the formula that takes it:
an amount u units away is worth e^(-rate u). People think in percent a year. :class:`Discount` is the only
place where one becomes the other, so that no number is ever read as a rate per week or month by mistake.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from habitue.errors import SettingsError

__all__ = ["DAYS_PER_YEAR", "Compounding", "Discount"]

DAYS_PER_YEAR = 365.25
"""Days of the year that rates are given per: the mean of the Julian calendar, leap years included."""

Compounding = Literal["annual", "monthly", "daily", "continuous"]

_TIMES_A_YEAR = {"annual": 1.0, "monthly": 12.0, "daily": DAYS_PER_YEAR, "continuous": math.inf}


@dataclass(frozen=True)
class Discount:
    """How much less an amount is worth for coming later.

    Attributes
    ----------
    annual_rate : float
        Rate per year, 0.10 for ten percent; above -1. Zero for money that keeps its worth.
    compounding : {"annual", "monthly", "daily", "continuous"}, default "annual"
        How often the rate is applied: a rate r compounded once a year means log(1 + r) a year,
        compounded monthly 12 log(1 + r / 12), daily 365.25 log(1 + r / 365.25), continuously r.

    Raises
    ------
    SettingsError
        If the rate is not a number above -1, or the compounding is none of those named.

    Examples
    --------
    Ten percent a year, and what 100 in a year's time are worth today:

    >>> discount = Discount(0.10)
    >>> round(100 * math.exp(-discount.per(365.25)), 2)
    90.91
    >>> Discount(0.10, "continuous").per_year
    0.1
    """

    annual_rate: float
    compounding: Compounding = "annual"

    def __post_init__(self) -> None:
        """Refuse what cannot be a rate."""
        if not -1.0 < self.annual_rate < math.inf:
            raise SettingsError(
                f"annual_rate must be above -1 (0.10 means ten percent a year), got {self.annual_rate!r}"
            )
        if self.compounding not in _TIMES_A_YEAR:
            raise SettingsError(
                f"compounding must be one of {', '.join(map(repr, _TIMES_A_YEAR))}, got {self.compounding!r}"
            )

    @property
    def per_year(self) -> float:
        """Continuous rate per year of 365.25 days."""
        times = _TIMES_A_YEAR[self.compounding]
        if math.isinf(times):
            return float(self.annual_rate)
        return times * math.log1p(self.annual_rate / times)

    @property
    def per_day(self) -> float:
        """Continuous rate per day."""
        return self.per_year / DAYS_PER_YEAR

    def per(self, days: float) -> float:
        """Return the continuous rate per period.

        Parameters
        ----------
        days : float
            Length of the period: 7 for a week, 365.25 / 12 for a month, 365.25 for a year.

        Returns
        -------
        float
            What the formulas call ``discount_rate`` where time is counted in such periods.

        Examples
        --------
        >>> round(Discount(0.10).per(365.25), 6) == round(math.log(1.10), 6)
        True
        """
        return self.per_year * (days / DAYS_PER_YEAR)
