"""Chance for a simulated business that is carried on: of each record its own, whoever else there is.

A generator hands out numbers in a row, so that one customer more moves the numbers of all that follow. Here
a number is computed from what it is for: a key, the customer, which record, and which number of that record.
So the same customer meets the same luck whatever is done to others, which makes potential outcomes known.

Not for secrets, nor for the assignment of real experiments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from habitue.numerics.arrays import FloatArray

__all__ = ["Draw", "KeyedDraw", "arrivals", "each"]

IntArray: TypeAlias = npt.NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = (np.uint64(bits) for bits in (30, 27, 31, 11))


class KeyedDraw:
    """A source of chance whose numbers depend on what they are for, and on nothing else.

    Its methods are those of `numpy.random.Generator` that the tables of a business draw with. Each call is
    the next number of every record; `size` has to be the number of records.

    Parameters
    ----------
    key : int
        Of the source: another key, other numbers.
    records : ndarray of uint64, optional
        Hashes of the records that it is for.

    Notes
    -----
    The finisher of SplitMix64, applied to the key and to one part of the name after the other; the upper 53
    bits make a number in (0, 1), and all laws come from it by inversion.

    References
    ----------
    Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA, figure 17.

    Examples
    --------
    >>> draw = KeyedDraw(7)
    >>> few, more = draw.each([3, 4]), draw.each([4, 5, 3])
    >>> few.uniform(size=2).tolist() == more.uniform(size=3)[[2, 0]].tolist()
    True
    """

    def __init__(self, key: int, records: npt.NDArray[np.uint64] | None = None) -> None:
        self._key = key
        self._records = _mixed(np.array([key % 2**64], dtype=np.uint64)) if records is None else records
        self._n_drawn = 0

    def spawn(self, n: int) -> list[KeyedDraw]:
        """Return further sources, each of its own numbers.

        Parameters
        ----------
        n : int
            How many.
        """
        names = np.arange(1, n + 1, dtype=np.uint64)
        return [KeyedDraw(int(key)) for key in _mixed(_mixed(self._records) ^ names * _GOLDEN)]

    def each(self, *parts: npt.ArrayLike) -> KeyedDraw:
        """Return the same source for records of these names.

        Parameters
        ----------
        *parts : array_like of int, 0 or more, each of shape (n_records,)
            The name of each record: the customer, which of the customer's records, and so on.
        """
        records = _mixed(np.array([self._key % 2**64], dtype=np.uint64))
        for part in parts:
            records = _mixed(records + (np.asarray(part, dtype=np.int64).astype(np.uint64) + _31) * _GOLDEN)
        return KeyedDraw(self._key, records)

    def uniform(self, low: float = 0.0, high: float = 1.0, size: int | None = None) -> FloatArray:
        """Return numbers between two bounds.

        Parameters
        ----------
        low, high : float
            The bounds.
        size : int, optional
            The number of records.
        """
        _ = size
        self._n_drawn += 1
        bits = _mixed(self._records ^ _mixed(np.array([self._n_drawn], dtype=np.uint64) * _GOLDEN))
        return low + (high - low) * (((bits >> _11).astype(np.float64) + 0.5) * 2.0**-53)

    def exponential(self, scale: float = 1.0, size: int | None = None) -> FloatArray:
        """Return waits.

        Parameters
        ----------
        scale : float
            Their mean.
        size : int, optional
            The number of records.
        """
        return -scale * np.log1p(-self.uniform(size=size))

    def standard_gamma(self, shape: FloatArray, size: int | None = None) -> FloatArray:
        """Return numbers of a gamma law of scale 1.

        Parameters
        ----------
        shape : ndarray
            Above 0, one a record.
        size : int, optional
            The number of records.
        """
        return special.gammaincinv(shape, self.uniform(size=size))

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: int | None = None) -> FloatArray:
        """Return numbers of a normal law.

        Parameters
        ----------
        loc, scale : float
            Mean and standard deviation.
        size : int, optional
            The number of records.
        """
        return loc + scale * special.ndtri(self.uniform(size=size))

    def lognormal(self, mean: float = 0.0, sigma: float = 1.0, size: int | None = None) -> FloatArray:
        """Return numbers whose logarithms are normal.

        Parameters
        ----------
        mean, sigma : float
            Mean and standard deviation of the logarithm.
        size : int, optional
            The number of records.
        """
        return np.exp(self.normal(mean, sigma, size))

    def poisson(self, lam: FloatArray | float, size: int | None = None) -> IntArray:
        """Return counts.

        Parameters
        ----------
        lam : ndarray or float
            Their mean, of each record or of all.
        size : int, optional
            The number of records.
        """
        return np.asarray(stats.poisson.ppf(self.uniform(size=size), lam)).astype(np.int64)

    def integers(self, low: int, high: int, size: int | None = None) -> IntArray:
        """Return whole numbers, each as likely as the other.

        Parameters
        ----------
        low, high : int
            From the one up to, and without, the other.
        size : int, optional
            The number of records.
        """
        return low + np.floor(self.uniform(size=size) * (high - low)).astype(np.int64)

    def choice(self, a: int, size: int | None = None, p: Sequence[float] | None = None) -> IntArray:
        """Return which of several things happens.

        Parameters
        ----------
        a : int
            How many there are.
        size : int, optional
            The number of records.
        p : sequence of float, optional
            Their chances; all alike where None.
        """
        chances = [1.0 / a] * a if p is None else p
        # The last chance is what is left, so that no rounding of their sum leads beyond it.
        return np.searchsorted(np.cumsum(chances)[:-1], self.uniform(size=size), side="right").astype(
            np.int64
        )


Draw: TypeAlias = np.random.Generator | KeyedDraw
"""What the tables of a business are drawn with."""


def each(draw: Draw, *parts: npt.ArrayLike) -> Draw:
    """Return a source of chance for records of these names; a generator knows no names and is returned.

    Parameters
    ----------
    draw : numpy.random.Generator or KeyedDraw
        Source of chance.
    *parts : array_like of int, each of shape (n_records,)
        The name of each record.
    """
    return draw.each(*parts) if isinstance(draw, KeyedDraw) else draw


def arrivals(
    draw: KeyedDraw, rate: FloatArray, start: FloatArray, end: FloatArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return who, the how manieth of each, and when, for what happens by pure chance between two times.

    Parameters
    ----------
    draw : KeyedDraw
        Source of chance.
    rate : ndarray of shape (n_customers,)
        Times a day.
    start, end : ndarray of shape (n_customers,)
        From when until when, in days; nothing happens where the end is not after the start.

    Returns
    -------
    tuple of ndarray
        Places of customers in their order, numbers from 0, and times in order. A later end only adds to it.

    Examples
    --------
    >>> who, nth, time = arrivals(KeyedDraw(1), np.array([0.0, 2.0]), np.zeros(2), np.full(2, 2.0))
    >>> who.tolist(), nth.tolist(), bool((np.diff(time) > 0).all())
    ([1, 1, 1, 1, 1], [0, 1, 2, 3, 4], True)
    """
    who, n = np.flatnonzero((rate > 0.0) & (end > start)), 0
    time = start[who]
    found: list[tuple[IntArray, IntArray, FloatArray]] = []
    while who.size:
        time = time + draw.each(who, np.full(who.size, n)).exponential() / rate[who]
        there = time < end[who]
        who, time = who[there], time[there]
        found.append((who, np.full(who.size, n), time))
        n += 1
    people, numbers, times = (
        (np.concatenate(column) for column in zip(*found, strict=True))
        if found
        else (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
    )
    in_order = np.argsort(people, kind="stable")
    return people[in_order], numbers[in_order], times[in_order]


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scramble numbers so that neighbours have nothing in common."""
    bits = bits + _GOLDEN
    bits = (bits ^ (bits >> _30)) * _FIRST
    bits = (bits ^ (bits >> _27)) * _SECOND
    return bits ^ (bits >> _31)
