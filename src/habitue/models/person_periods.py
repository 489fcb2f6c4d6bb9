"""One row for each period that each customer was seen in, made when it is asked for and not before.

200,000 customers over three years are seven million rows of months: as a matrix of numbers that is gigabytes,
while LightGBM keeps one byte a value. `PersonPeriods` is what LightGBM reads rows from, some thousands at a
time; the matrix of customers is held once and the rows of periods never.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.models.outcomes import FloatArray
from habitue.models.spells import IntArray, Spells

__all__ = ["DIGITS", "PersonPeriods", "Seen", "labels_of", "periods_seen", "weights_of"]

Float32Array = npt.NDArray[np.float32]

DIGITS = 9
"""Decimals of a period that count: 3 x 30.4375 days are three months, and not a hair more."""


class Seen(NamedTuple):
    """The periods in which each customer was under observation.

    Attributes
    ----------
    first : ndarray of int64, shape (n_customers,)
        Whole periods that had gone by before the first of them.
    n_periods : ndarray of int64, shape (n_customers,)
        How many they are.
    missed_first, missed_last : ndarray of shape (n_customers,)
        Shares of the first and of the last one that were not seen, in [0, 1).
    """

    first: IntArray
    n_periods: IntArray
    missed_first: FloatArray
    missed_last: FloatArray

    def only(self, chosen: npt.NDArray[np.bool_]) -> Seen:
        """Return the same, as if only some customers had been seen.

        Parameters
        ----------
        chosen : ndarray of bool, shape (n_customers,)
            Which.
        """
        return self._replace(n_periods=np.where(chosen, self.n_periods, 0))


def periods_seen(spells: Spells, period: float) -> Seen:
    """Return the periods that lie between entry and end of each customer's observation.

    Parameters
    ----------
    spells : Spells
        Time under observation.
    period : float
        Days of a period, > 0; they are counted from when each customer came.

    Returns
    -------
    Seen
        None for one whose observation ended where it began.

    Examples
    --------
    >>> from habitue.models.spells import Causes
    >>> causes = Causes(np.array([1, 0]), [1])
    >>> seen = periods_seen(Spells(np.array([0.0, 45.0]), np.array([60.0, 75.0]), causes), 30)
    >>> seen.first.tolist(), seen.n_periods.tolist(), seen.missed_last.tolist()
    ([0, 1], [2, 2], [0.0, 0.5])
    """
    begin = np.round(spells.entry / period, DIGITS)
    end = np.round(spells.duration / period, DIGITS)
    first, last = np.floor(begin), np.ceil(end)
    count = np.where(end > begin, last - first, 0.0)
    return Seen(first.astype(np.int64), count.astype(np.int64), begin - first, last - end)


def labels_of(seen: Seen, cause: IntArray) -> Float32Array:
    """Return what happened in each person-period.

    Parameters
    ----------
    seen : Seen
        Their periods.
    cause : ndarray of int64, shape (n_customers,)
        0 for who did not leave, else the number of the cause.

    Returns
    -------
    ndarray of float32, shape (n_person_periods,)
        0, but for the last period of those who left.

    Examples
    --------
    >>> seen = Seen(np.array([0, 3]), np.array([3, 1]), np.zeros(2), np.zeros(2))
    >>> labels_of(seen, np.array([2, 0])).tolist()
    [0.0, 0.0, 2.0, 0.0]
    """
    some = seen.n_periods > 0
    labels = np.zeros(int(seen.n_periods.sum()), dtype=np.float32)
    labels[np.cumsum(seen.n_periods)[some] - 1] = cause[some]
    return labels


def weights_of(seen: Seen, cause: IntArray, weights: FloatArray | None = None) -> Float32Array | None:
    """Return how much each person-period counts.

    Parameters
    ----------
    seen : Seen
        Their periods.
    cause : ndarray of int64, shape (n_customers,)
        0 for who did not leave.
    weights : ndarray of shape (n_customers,), optional
        How much each customer counts.

    Returns
    -------
    ndarray of float32, shape (n_person_periods,), or None
        None where each counts 1.

    Notes
    -----
    Who stays through the part u of a period does so with chance (1 - h)^u where the hazard acts evenly inside
    it: what he says of h is the part u of what a whole period says. Who leaves in a period counts whole,
    however much of it was seen: his chance is u h, to first order in h, and u does not matter for what h is
    likeliest.

    Examples
    --------
    >>> half = Seen(np.array([0]), np.array([2]), np.array([0.0]), np.array([0.5]))
    >>> weights_of(half, np.array([0])).tolist()
    [1.0, 0.5]
    """
    some = seen.n_periods > 0
    after = np.cumsum(seen.n_periods)
    counted = np.ones(int(seen.n_periods.sum()), dtype=np.float32)
    counted[(after - seen.n_periods)[some]] -= seen.missed_first[some]
    counted[after[some] - 1] -= seen.missed_last[some]
    counted[after[some & (cause > 0)] - 1] = 1.0
    if weights is not None:
        counted *= np.repeat(weights, seen.n_periods)
    return None if (counted == 1.0).all() else counted


class PersonPeriods:
    """The rows, to be read by number: what is known of the customer, and whole periods gone by before.

    Parameters
    ----------
    matrix : ndarray of shape (n_customers, n_features)
        Features, row by row in memory.
    seen : Seen
        Periods of each customer.

    Attributes
    ----------
    batch_size : int
        Rows that LightGBM asks for at once.

    Examples
    --------
    >>> seen = Seen(np.array([0, 3]), np.array([2, 1]), np.zeros(2), np.zeros(2))
    >>> PersonPeriods(np.array([[7.5], [8.5]]), seen)[0:3]
    array([[7.5, 0. ],
           [7.5, 1. ],
           [8.5, 3. ]])
    """

    batch_size = 32_768

    def __init__(self, matrix: FloatArray, seen: Seen) -> None:
        self._matrix = matrix
        self._after = np.cumsum(seen.n_periods)
        self._shift = seen.first - (self._after - seen.n_periods)

    def __len__(self) -> int:
        """Return the number of person-periods."""
        return int(self._after[-1])

    def __getitem__(self, rows: int | slice | list[int]) -> FloatArray:
        """Return one row, or several."""
        numbers = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else np.asarray(rows)
        who = np.searchsorted(self._after, numbers, side="right")
        made = np.empty((*numbers.shape, self._matrix.shape[1] + 1))
        made[..., :-1] = self._matrix[who]
        made[..., -1] = self._shift[who] + numbers
        return made
