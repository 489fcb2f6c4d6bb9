"""The customers of a simulated business: what they are like, when they come, and when and why they leave.

Nothing here is a record yet; the records that they leave behind are drawn in the modules beside this one,
from the stays told here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray
from scipy import special

from habitue.errors import SettingsError
from habitue.numerics.arrays import FloatArray
from habitue.records.business.chance import IntArray

__all__ = ["BusinessParams", "Customers", "IntArray", "draw_customers", "labels"]

_SECONDS_A_DAY = 86_400
_LAST_SECOND = 1.0 / _SECONDS_A_DAY  # nothing happens in the last second: no rounding reaches the next day


@dataclass(frozen=True)
class BusinessParams:
    """What drives customers to leave a simulated business, and how much they leave on record meanwhile.

    Attributes
    ----------
    base_hazard : float
        Chance a day to leave by own choice, of a customer with all three latent traits at 0.5.
    involuntary_hazard : float
        Chance a day to be lost without a choice (a card that fails, a move), the same for everybody.
    satisfaction_effect, habit_effect, switching_cost_effect : float
        By how much the logarithm of the daily hazard falls as the trait goes from 0 to 1.
    latent_correlation : float
        Correlation of the normal variables behind any two traits, 0 or more and below 1.
    days_between_orders : float
        Mean days between two orders, of a typical customer with habit 0.5.
    most_regular : int
        Shape of the Erlang gaps between orders at the highest habit: their coefficient of variation is one
        over its root. At the lowest habit the shape is 1, pure chance.
    events_per_day : float
        Visits of app and site a day at habit 0.5.
    surveys_per_day : float
        Surveys and reviews answered a day.
    tickets_per_day : float
        Complaints and questions a day at satisfaction 0.5.
    contacts_per_day : float
        Contacts by campaigns a day, controls counted; they go on after the customer left.

    Raises
    ------
    SettingsError
        Where a number is not finite, negative, or outside its range.

    Examples
    --------
    >>> BusinessParams(satisfaction_effect=0.0).habit_effect
    1.5
    """

    base_hazard: float = 0.0008
    involuntary_hazard: float = 0.0001
    satisfaction_effect: float = 2.0
    habit_effect: float = 1.5
    switching_cost_effect: float = 1.0
    latent_correlation: float = 0.3
    days_between_orders: float = 36.0
    most_regular: int = 6
    events_per_day: float = 0.1
    surveys_per_day: float = 0.005
    tickets_per_day: float = 0.0025
    contacts_per_day: float = 0.02

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0.0):
                raise SettingsError(f"expected {field.name} to be a number, 0 or more; got {value!r}")
        if self.latent_correlation >= 1.0:
            raise SettingsError(f"expected latent_correlation below 1; got {self.latent_correlation!r}")
        if self.days_between_orders == 0.0:
            raise SettingsError("expected days_between_orders above 0; got 0")
        if self.most_regular != int(self.most_regular) or self.most_regular < 1:
            raise SettingsError(
                f"expected most_regular to be a whole number, 1 or more; got {self.most_regular!r}"
            )

    def hazard(self, satisfaction: FloatArray, habit: FloatArray, switching_cost: FloatArray) -> FloatArray:
        """Return the chance a day to leave by own choice.

        Parameters
        ----------
        satisfaction, habit, switching_cost : ndarray
            Latent traits in (0, 1).

        Returns
        -------
        ndarray
            One a customer, per day.
        """
        return self.base_hazard * np.exp(
            -self.satisfaction_effect * (satisfaction - 0.5)
            - self.habit_effect * (habit - 0.5)
            - self.switching_cost_effect * (switching_cost - 0.5)
        )


@dataclass(frozen=True)
class Customers:
    """One entry a customer, in order of arrival; times are days since the start of the log.

    Attributes
    ----------
    params : BusinessParams
        What drives them, and how much they leave on record.
    first_day : datetime.date
        First day of the log.
    days_observed : int
        Days that the log is long.
    satisfaction, habit, switching_cost : ndarray
        Latent traits in (0, 1).
    hazard : ndarray
        Chance a day to leave by own choice.
    arrived : ndarray
        When the customer came.
    left : ndarray
        When the customer left; NaN where still there at the end of the log.
    is_voluntary : ndarray of bool
        Whether leaving was the customer's own choice; of no meaning where still there.
    segment : ndarray of int
        0, 1 or 2, how much the customer pays for; independent of the traits.
    leaves_at, lost_at : ndarray
        When the customer would leave by choice and without one, also where that lies beyond the log.
    """

    params: BusinessParams
    first_day: date
    days_observed: int
    satisfaction: FloatArray
    habit: FloatArray
    switching_cost: FloatArray
    hazard: FloatArray
    arrived: FloatArray
    left: FloatArray
    is_voluntary: npt.NDArray[np.bool_]
    segment: IntArray
    leaves_at: FloatArray
    lost_at: FloatArray

    @property
    def n(self) -> int:
        """Number of customers."""
        return self.arrived.size

    @property
    def until(self) -> FloatArray:
        """When each stay ends, by leaving or with the log."""
        return self._end(past_leaving=False)

    def carried_on(self, days: int, leaves_at: FloatArray) -> Customers:
        """Return the same customers as they are some days later.

        Parameters
        ----------
        days : int
            By how many the log is longer.
        leaves_at : ndarray
            When those still there leave by choice.
        """
        there = np.isnan(self.left)
        # Who leaves in the last second, in which nothing happens, leaves right after it.
        leaves_at, lost_at = (np.maximum(time, self.days_observed) for time in (leaves_at, self.lost_at))
        gone, days_observed = np.minimum(leaves_at, lost_at), self.days_observed + days
        left = np.where(gone < days_observed - _LAST_SECOND, gone, np.nan)
        return replace(
            self,
            days_observed=days_observed,
            left=np.where(there, left, self.left),
            is_voluntary=np.where(there, leaves_at <= lost_at, self.is_voluntary),
        )

    def times(
        self, draw: np.random.Generator, rate: FloatArray | float, *, past_leaving: bool = False
    ) -> tuple[IntArray, FloatArray]:
        """Return who and when, for something that happens by pure chance while a customer is there.

        Parameters
        ----------
        draw : numpy.random.Generator
            Source of chance.
        rate : ndarray or float
            Times a day, of each customer or of all.
        past_leaving : bool
            Whether it goes on to the end of the log for those who left.

        Returns
        -------
        tuple of ndarray
            Places of customers, in their order, and times.
        """
        stay = np.maximum(self._end(past_leaving=past_leaving) - self.arrived, 0.0)
        who = np.repeat(np.arange(self.n), draw.poisson(rate * stay))
        return who, self.arrived[who] + stay[who] * draw.uniform(size=who.size)

    def seen(
        self, who: IntArray, time: FloatArray, *, past_leaving: bool = False
    ) -> npt.NDArray[np.datetime64]:
        """Return times as instants, NaT for what would only happen after the end of the stay.

        Parameters
        ----------
        who : ndarray of int
            Places of customers.
        time : ndarray
            When.
        past_leaving : bool
            Whether only the end of the log counts, for what the business does.
        """
        return self.instants(np.where(time < self._end(past_leaving=past_leaving)[who], time, np.nan))

    def instants(self, time: FloatArray) -> npt.NDArray[np.datetime64]:
        """Return times as instants, to the millisecond below; NaT where NaN.

        Parameters
        ----------
        time : ndarray
            Days since the start of the log.
        """
        # Finer than seconds: the same visit twice in one instant would be taken for a duplicate.
        since = np.full(time.shape, np.timedelta64("NaT", "ms"))
        known = np.isfinite(time)
        since[known] = np.floor(time[known] * 1000.0 * _SECONDS_A_DAY).astype("timedelta64[ms]")
        return np.datetime64(self.first_day, "ms") + since

    def table(
        self, who: IntArray, instant: str, time: FloatArray, columns: Mapping[str, Any]
    ) -> pd.DataFrame:
        """Return records in order of time.

        Parameters
        ----------
        who : ndarray of int
            Place of the customer, one a record.
        instant : str
            Name of the column that says when.
        time : ndarray
            When.
        columns : Mapping[str, Any]
            Everything else.
        """
        frame = pd.DataFrame({"customer_id": who + 1, instant: self.instants(time), **columns})
        return frame.sort_values(instant, kind="stable", ignore_index=True)

    def attributes(self, draw: np.random.Generator) -> pd.DataFrame:
        """Return the table of customers: when they came, segment, and attributes that mean nothing.

        Parameters
        ----------
        draw : numpy.random.Generator
            Source of chance.
        """
        region = draw.integers(0, 4, self.n)
        channel = draw.choice(4, self.n, p=[0.4, 0.3, 0.2, 0.1])
        age = np.clip(np.round(draw.normal(44.0, 14.0, self.n)), 18, 90).astype(np.int64)
        return pd.DataFrame(
            {
                "customer_id": np.arange(1, self.n + 1),
                "acquired_at": self.instants(self.arrived),
                "segment": labels(self.segment, ("basic", "plus", "premium")),
                "region": labels(region, ("north", "east", "south", "west")),
                "acquisition_channel": labels(channel, ("search", "social", "store", "friend")),
                "age": age,
            }
        )

    def truth(self) -> pd.DataFrame:
        """Return what no record tells, indexed by customer_id."""
        reason = np.where(np.isnan(self.left), -1, np.where(self.is_voluntary, 0, 1))
        return pd.DataFrame(
            {
                "satisfaction": self.satisfaction,
                "habit": self.habit,
                "switching_cost": self.switching_cost,
                "hazard": self.hazard,
                "left_at": self.instants(self.left),
                "left_reason": labels(reason, ("voluntary", "involuntary")),
            },
            index=pd.RangeIndex(1, self.n + 1, name="customer_id"),
        )

    def _end(self, *, past_leaving: bool) -> FloatArray:
        """Return until when things happen: to the end of the log, or of the stay where that is sooner."""
        end = np.full(self.n, self.days_observed - _LAST_SECOND)
        return end if past_leaving else np.fmin(self.left, end)


def draw_customers(
    draw: np.random.Generator,
    params: BusinessParams,
    n_customers: int,
    first_day: date,
    days_observed: int,
    days_of_acquisition: int,
) -> Customers:
    """Return customers with their traits and stays.

    Parameters
    ----------
    draw : numpy.random.Generator
        Source of chance.
    params : BusinessParams
        What drives them.
    n_customers : int
        How many.
    first_day : datetime.date
        First day of the log.
    days_observed, days_of_acquisition : int
        Days that the log is long, and days from its start on which customers come, evenly.
    """
    shared = draw.standard_normal((1, n_customers))
    own = draw.standard_normal((3, n_customers))
    mixed = math.sqrt(params.latent_correlation) * shared + math.sqrt(1.0 - params.latent_correlation) * own
    traits = special.ndtr(mixed)
    hazard = params.hazard(traits[0], traits[1], traits[2])
    last = min(float(days_of_acquisition), days_observed - _LAST_SECOND)
    arrived = np.sort(draw.uniform(0.0, last, n_customers))
    with np.errstate(divide="ignore"):  # a hazard of 0 is a wait without end
        by_choice = draw.standard_exponential(n_customers) / hazard
        by_fate = draw.standard_exponential(n_customers) / np.float64(params.involuntary_hazard)
    gone = arrived + np.minimum(by_choice, by_fate)
    return Customers(
        params=params,
        first_day=first_day,
        days_observed=days_observed,
        satisfaction=traits[0],
        habit=traits[1],
        switching_cost=traits[2],
        hazard=hazard,
        arrived=arrived,
        left=np.where(gone < days_observed - _LAST_SECOND, gone, np.nan),
        is_voluntary=by_choice <= by_fate,
        segment=draw.choice(3, n_customers, p=[0.5, 0.3, 0.2]),
        leaves_at=arrived + by_choice,
        lost_at=arrived + by_fate,
    )


def labels(codes: npt.NDArray[np.integer[Any]], names: Sequence[str]) -> ExtensionArray:
    """Return names as a column of text; missing where the code is -1.

    An array and not a Series, which would be lined up by its index with whatever table it enters.

    Parameters
    ----------
    codes : ndarray of int
        Places in `names`.
    names : sequence of str
        The names.
    """
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(names, dtype="str"))).astype("str").array
