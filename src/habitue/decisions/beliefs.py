"""What is believed of a number: how large it is, and how sure that is.

A share and an amount are assumptions; evidence is what trials measured. Belief and evidence are kept apart,
so that the order in which trials come in makes no difference, and what somebody assumed can still be read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from habitue.errors import SettingsError

__all__ = ["EVERYBODY", "NOTHING_MEASURED", "Amount", "Evidence", "Share"]


@dataclass(frozen=True)
class Share:
    """A share that is not known exactly: its mean, and of how many customers that knowledge is worth.

    Attributes
    ----------
    mean : float
        In [0, 1].
    worth : float, default infinite
        As if so many had been observed, above 0; infinite where it is known exactly.

    Raises
    ------
    SettingsError
        Where either is out of range.

    Notes
    -----
    The Beta distribution with alpha = mean * worth and beta = (1 - mean) * worth; a single value where the
    mean is 0 or 1, or the worth is infinite.

    Examples
    --------
    >>> Share(0.3, worth=20).with_observed(40, 80)
    Share(mean=0.46, worth=100)
    """

    mean: float
    worth: float = math.inf

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        if not 0.0 <= self.mean <= 1.0:
            raise SettingsError(f"A share must lie between 0 and 1, e.g. 0.3 for 30 %; got {self.mean!r}.")
        if not self.worth > 0.0:
            raise SettingsError(f"A share is worth some customers, e.g. 20; got worth = {self.worth!r}.")

    @classmethod
    def beta(cls, alpha: float, beta: float) -> Share:
        """Return the share that a Beta distribution describes.

        Parameters
        ----------
        alpha, beta : float
            Both above 0, e.g. 6 and 14 for 30 % as published.

        Raises
        ------
        SettingsError
            Where either is not.

        Examples
        --------
        >>> Share.beta(6, 14)
        Share(mean=0.3, worth=20)
        """
        if not (0.0 < alpha < math.inf and 0.0 < beta < math.inf):
            raise SettingsError(f"Alpha and beta of a share must be above 0; got {alpha!r} and {beta!r}.")
        return cls(alpha / (alpha + beta), alpha + beta)

    @property
    def is_exact(self) -> bool:
        """Whether it is one value."""
        return math.isinf(self.worth) or self.mean in (0.0, 1.0)

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return 0.0 if self.is_exact else math.sqrt(self.mean * (1.0 - self.mean) / (self.worth + 1.0))

    def with_observed(self, n_yes: float, n: float) -> Share:
        """Return the share after so many said yes of those asked.

        Parameters
        ----------
        n_yes, n : float
            0 <= n_yes <= n.

        Raises
        ------
        SettingsError
            Where the counts are none, or contradict a share said to be known exactly.
        """
        if not 0.0 <= n_yes <= n < math.inf:
            raise SettingsError(
                f"Of those asked 0 or more accept, and not more than all; got {n_yes} of {n}."
            )
        if not n or math.isinf(self.worth):
            return self
        worth = self.worth + n
        return Share((self.mean * self.worth + n_yes) / worth, worth)


@dataclass(frozen=True)
class Amount:
    """Money that is not known exactly: its mean and standard deviation.

    Attributes
    ----------
    mean : float
        Money.
    sd : float, default 0
        How far it may be off, 0 or more.

    Raises
    ------
    SettingsError
        Where either is no amount.
    """

    mean: float
    sd: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no amount."""
        if not math.isfinite(self.mean) or not 0.0 <= self.sd < math.inf:
            raise SettingsError(
                f"An effect has a mean and a standard deviation of 0 or more; got {self.mean!r}, {self.sd!r}."
            )


@dataclass(frozen=True)
class Evidence:
    """What trials measured of one number, all of them together, in whatever order they came.

    Attributes
    ----------
    precision : float
        Sum of 1 / se^2; 0 where nothing was measured.
    weighted : float
        Sum of effect / se^2.

    Examples
    --------
    >>> both = Evidence().and_also(2.0, 1.0).and_also(4.0, 1.0)
    >>> both.effect, round(both.se, 3)
    (3.0, 0.707)
    """

    precision: float = 0.0
    weighted: float = 0.0

    def and_also(self, effect: float, se: float) -> Evidence:
        """Return it with one more estimate.

        Parameters
        ----------
        effect : float
            The estimate.
        se : float
            Its standard error, above 0; infinite where nothing was learned.

        Raises
        ------
        SettingsError
            Where the standard error is not above 0, or the effect is no number.
        """
        if not se > 0.0 or not math.isfinite(effect):
            raise SettingsError(
                f"A measured effect is a number with a standard error above 0; got {effect!r}, se {se!r}."
            )
        more = se**-2
        return Evidence(self.precision + more, self.weighted + effect * more)

    @property
    def effect(self) -> float:
        """The estimate of all of it; NaN where there is none."""
        return self.weighted / self.precision if self.precision else math.nan

    @property
    def se(self) -> float:
        """Its standard error; infinite where there is none."""
        return self.precision**-0.5 if self.precision else math.inf


EVERYBODY = Share(1.0)
"""All of them, for certain."""

NOTHING_MEASURED = Evidence()
"""No trial was made."""
