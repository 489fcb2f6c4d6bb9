"""What offers change in a simulated business, and for how long: speeds at which clocks of customers run.

Leaving by choice and ordering are drawn on clocks of their own. Where nothing is changed they show the time
of the day; an offer makes them run faster or slower while it works. So the same luck meets the same customer
with the offer and without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray
from habitue.records.business.chance import IntArray

__all__ = ["Changes", "Clock", "Effects"]


@dataclass(frozen=True)
class Changes:
    """Something that changes for a customer from one time to another; several add up.

    Attributes
    ----------
    customer : ndarray of int
        Place of the customer, one a change.
    begin, end : ndarray
        From when until when, in days since the start of the log.
    log_hazard, log_rate : ndarray
        By how much the logarithms of the hazard to leave by choice and of the rate of orders rise.
    discount : ndarray
        Share of the list price that is taken off.
    """

    customer: IntArray
    begin: FloatArray
    end: FloatArray
    log_hazard: FloatArray
    log_rate: FloatArray
    discount: FloatArray


@dataclass(frozen=True)
class _Steps:
    """Functions of time that are constant between steps, several a customer, ragged: all 0 at first."""

    first: IntArray
    start: FloatArray
    level: FloatArray

    @property
    def most(self) -> int:
        """Steps of the customer with most of them."""
        return int(np.diff(self.first).max(initial=0))

    def place(self, who: IntArray, value: FloatArray, of: FloatArray) -> IntArray:
        """Return the last step of each customer that begins at or before a value."""
        place, last = self.first[who], self.first[who + 1] - 1
        for _ in range(self.most - 1):
            following = np.minimum(place + 1, last)
            place = np.where(of[following] <= value, following, place)
        return place


@dataclass(frozen=True)
class Clock:
    """A clock of each customer, which runs at a speed of its own from step to step.

    Attributes
    ----------
    steps : _Steps
        When the speed changes.
    speed : ndarray
        Of each step.
    shown : ndarray
        What the clock shows as the step begins.
    """

    steps: _Steps
    speed: FloatArray
    shown: FloatArray

    def when(self, who: IntArray, shown: FloatArray) -> FloatArray:
        """Return the time at which a clock shows something.

        Parameters
        ----------
        who : ndarray of int
            Places of customers.
        shown : ndarray
            What it shows.
        """
        place = self.steps.place(who, shown, self.shown)
        speed = self.speed[place]
        # In this order a clock that nothing changed shows the time itself, to the last bit.
        return shown / speed + (self.steps.start[place] - self.shown[place] / speed)

    def reading(self, who: IntArray, time: FloatArray) -> FloatArray:
        """Return what a clock shows at a time.

        Parameters
        ----------
        who : ndarray of int
            Places of customers.
        time : ndarray
            When.
        """
        place = self.steps.place(who, time, self.steps.start)
        return self.shown[place] + (time - self.steps.start[place]) * self.speed[place]


@dataclass(frozen=True)
class Effects:
    """What changes for the customers of a business.

    Attributes
    ----------
    n_customers : int
        Customers.
    start : float
        From when on anything may change, in days since the start of the log.
    changes : Changes
        What changes.

    Examples
    --------
    >>> one, day = np.ones(1), np.array([10.0])
    >>> changes = Changes(np.array([1]), day, day + 5.0, np.log(2.0) * one, 0.0 * one, 0.0 * one)
    >>> clock = Effects(2, 8.0, changes).leaving_clock
    >>> clock.reading(np.array([0, 1, 1]), np.array([20.0, 12.0, 20.0])).tolist()
    [20.0, 14.0, 25.0]
    """

    n_customers: int
    start: float
    changes: Changes

    @cached_property
    def leaving_clock(self) -> Clock:
        """The clock on which leaving by choice is drawn."""
        return _clock(self._steps, 0)

    @cached_property
    def order_clock(self) -> Clock:
        """The clock on which gaps between orders are drawn."""
        return _clock(self._steps, 1)

    def discount(self, who: IntArray, time: FloatArray) -> FloatArray:
        """Return the share of the list price that offers take off, 0 to 0.9.

        Parameters
        ----------
        who : ndarray of int
            Places of customers.
        time : ndarray
            When.
        """
        level = self._steps.level[self._steps.place(who, time, self._steps.start), 2]
        return np.clip(level.round(9), 0.0, 0.9)

    @cached_property
    def _steps(self) -> _Steps:
        changes = self.changes
        each = np.column_stack([changes.log_hazard, changes.log_rate, changes.discount])
        who = np.concatenate([np.arange(self.n_customers), changes.customer, changes.customer])
        start = np.concatenate([np.full(self.n_customers, self.start), changes.begin, changes.end])
        rise = np.concatenate([np.zeros((self.n_customers, 3)), each, -each])
        in_order = np.lexsort((start, who))
        who, start, rise = who[in_order], start[in_order], rise[in_order]
        first = np.searchsorted(who, np.arange(self.n_customers + 1))
        return _Steps(first, start, _running(first, who, rise))


def _running(first: IntArray, who: IntArray, rise: FloatArray) -> FloatArray:
    """Sum up within each customer, step by step: no rounding of one customer reaches another."""
    rank, total = np.arange(who.size) - first[who], rise.copy()
    for step in range(1, int(rank.max(initial=0)) + 1):
        here = np.flatnonzero(rank == step)
        total[here] = total[here - 1] + rise[here]
    return total


def _clock(steps: _Steps, column: int) -> Clock:
    """Let clocks show the time at the start and run on at the speed of each step."""
    speed: npt.NDArray[np.float64] = np.exp(steps.level[:, column])
    shown = steps.start.copy()
    rank = np.arange(shown.size) - np.repeat(steps.first[:-1], np.diff(steps.first))
    for step in range(1, steps.most):
        here = np.flatnonzero(rank == step)
        shown[here] = shown[here - 1] + (steps.start[here] - steps.start[here - 1]) * speed[here - 1]
    return Clock(steps, speed, shown)
