"""The year's profile of a business: what each window of the year is worth, and how sure that is.

What all customers have in common, such as Christmas, no model sees that reads one customer at a time. A
season is learned from weekly totals (:func:`habitue.evaluation.seasons.season_of`) and used by
:class:`habitue.models.seasonal_purchases.SeasonalPurchases`. It deliberately knows no trend: what will grow
is another question than what will return.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from habitue.errors import DataError
from habitue.models.persistence import persistent
from habitue.numerics.discounting import DAYS_PER_YEAR
from habitue.numerics.seasons import exposure, exposure_slopes, fit_season

__all__ = ["DAY_OF_YEAR", "SeasonFactor", "YearlySeason", "day_on_axis", "reads_day_of_year"]

FloatArray = npt.NDArray[np.float64]

DAY_OF_YEAR = "cutoff_day_of_year"
"""Column of X that places a history in the calendar: the day of the year of the cutoff, 1 to 366."""


class SeasonFactor(NamedTuple):
    """How much more is bought in a window than on average.

    Attributes
    ----------
    value : float
        1 where the window is as good as any.
    log_sd : float
        Standard deviation of its logarithm.
    """

    value: float
    log_sd: float


@persistent
@dataclass(frozen=True)
class YearlySeason:
    """What each part of the year is worth to a business, all customers together.

    Attributes
    ----------
    coefficients : tuple of float
        Cosine and sine of the first harmonic of the year, of the second and so on, in the log of the profile;
        none for a year without seasons.
    covariance : tuple of tuple of float
        Of the coefficients; empty where they are known.
    n_days : int
        Days that it was learned from.
    year_scale : float
        How far a single year goes its own way: standard deviation of the first harmonic's coefficients in
        that year, of the k-th one k-th of it.

    Notes
    -----
    The profile is 1 on average over the year. Day d of a leap year is taken as day d of any other.

    Examples
    --------
    High around New Year:

    >>> season = YearlySeason(coefficients=(0.5, 0.0))
    >>> round(season.factor(334, 62).value, 2), round(season.factor(151, 62).value, 2)
    (1.51, 0.58)
    """

    coefficients: tuple[float, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    n_days: int = 0
    year_scale: float = 0.0

    @classmethod
    def learned(
        cls,
        end: pd.DatetimeIndex,
        n_days: npt.ArrayLike,
        expected: npt.ArrayLike,
        actual: npt.ArrayLike,
        *,
        n_harmonics: int = 6,
    ) -> YearlySeason:
        """Learn the profile from what came in each period and what a model without seasons expected.

        Parameters
        ----------
        end : DatetimeIndex of shape (n_periods,)
            Last day of each period.
        n_days : array_like of shape (n_periods,)
            Its days.
        expected, actual : array_like of shape (n_periods,)
            Purchases; periods in which none were expected are passed over.
        n_harmonics : int
            Harmonics of the year: six tell six weeks from the next six.

        Raises
        ------
        DataError
            Where no purchases were expected at all.

        Notes
        -----
        See :func:`habitue.numerics.seasons.fit_season`.
        """
        days, told, came = (np.asarray(one, dtype=np.float64) for one in (n_days, expected, actual))
        some = told > 0.0
        if not some.any():
            raise DataError(
                "A season is learned from periods in which purchases were expected; there are none. Choose a "
                "later day, when customers have had time to come back."
            )
        middle = day_on_axis(end) - 0.5 * days
        found = fit_season(middle[some], told[some], came[some], n_harmonics=n_harmonics)
        covariance = tuple(tuple(row) for row in found.covariance[2:, 2:].tolist())
        coefficients = tuple(found.mean[2:].tolist())
        return cls(coefficients, covariance, int(days[some].sum()), float(found.year_scale))

    def exposure(self, day_of_year: npt.ArrayLike, days: npt.ArrayLike) -> FloatArray:
        """Return how many average days the days after a day of the year count for.

        Parameters
        ----------
        day_of_year : array_like
            1 to 366, the day itself not included.
        days : array_like
            How many; negative for those up to and with that day.

        Returns
        -------
        ndarray
            365.25 for a year, in the sign of days.
        """
        start, ahead = np.asarray(day_of_year, dtype=np.float64), np.asarray(days, dtype=np.float64)
        return exposure(self.coefficients, start + ahead) - exposure(self.coefficients, start)

    def factor(
        self, day_of_year: float, days: float, *, history: npt.ArrayLike | None = None
    ) -> SeasonFactor:
        """Return what the days after a day of the year are worth, against the year or against those before.

        Parameters
        ----------
        day_of_year : float
            Of the cutoff, 1 to 366.
        days : float
            Of the window after it, above 0.
        history : array_like of shape (n_customers,), optional
            Days before the cutoff to compare with, such as each customer's T; the whole year where None.

        Returns
        -------
        SeasonFactor
            By the delta method. What was never seen of the year is as wide as it was before any data; what
            the year of the window will have of its own is in log_sd too.

        Examples
        --------
        >>> YearlySeason().factor(250, 91)
        SeasonFactor(value=1.0, log_sd=0.0)
        """
        start = np.array([float(day_of_year)])
        log, slope = self._log_mean(start, np.array([float(days)]))
        own = self.year_scale * slope / np.repeat(np.arange(1, slope.size // 2 + 1), 2)
        if history is not None:
            lengths = np.asarray(history, dtype=np.float64)
            base, base_slope = self._log_mean(start - lengths, lengths)
            log, slope = log - base, slope - base_slope
        variance = own @ own + (slope @ np.array(self.covariance) @ slope if self.covariance else 0.0)
        return SeasonFactor(float(np.exp(log)), float(np.sqrt(variance)))

    def _log_mean(self, start: FloatArray, days: FloatArray) -> tuple[float, FloatArray]:
        """Return the log of the mean profile over windows together, and its slope in the coefficients."""
        run = float(self.exposure(start, days).sum())
        slopes = exposure_slopes(self.coefficients, start + days) - exposure_slopes(self.coefficients, start)
        return float(np.log(run / days.sum())), slopes.sum(axis=0) / run


def day_on_axis(days: pd.DatetimeIndex) -> FloatArray:
    """Return days on the axis of :mod:`habitue.numerics.seasons`: January 1 is 1 of every year.

    Parameters
    ----------
    days : DatetimeIndex
        Calendar days.

    Examples
    --------
    >>> day_on_axis(pd.DatetimeIndex(["1900-01-01", "1901-02-01"])).tolist()
    [1.0, 397.25]
    """
    years = days.year.to_numpy(dtype=np.float64) - 1900.0
    return years * DAYS_PER_YEAR + days.day_of_year.to_numpy(dtype=np.float64)


def reads_day_of_year(model: Any) -> bool:
    """Tell whether a model, or one inside it, has to know the day of the year of the cutoff.

    Parameters
    ----------
    model : estimator
        Fitted or not.

    Examples
    --------
    >>> from habitue.models.bgnbd import BGNBD
    >>> reads_day_of_year(BGNBD())
    False
    """
    return any(getattr(one, "READS_DAY_OF_YEAR", False) for one in _parts(model))


def _parts(model: Any) -> Iterator[Any]:
    """Yield a model and those that it was handed, however deep."""
    yield model
    if isinstance(model, Mapping):
        inside: list[Any] = list(model.values())
    elif isinstance(model, list | tuple):
        inside = list(model)
    elif isinstance(model, BaseEstimator):
        inside = list(model.get_params(deep=False).values())
    else:
        return
    for one in inside:
        yield from _parts(one)
