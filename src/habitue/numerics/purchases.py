"""Purchases drawn by chance: what the simulators of every family return, and the histories in it.

A family's ``simulate`` draws from the very story its formulas integrate over, given what is known of a
customer, so it serves twice: with nothing known it makes customer bases of known truth for tests, with a
history it makes possible futures, from which any distribution can be read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from habitue.numerics.arrays import FloatArray

__all__ = ["Purchases", "histories"]


class Purchases(NamedTuple):
    """Purchases of many customers in (T, T + t].

    Attributes
    ----------
    customer : ndarray of int of shape (n_purchases,)
        Position of the customer, ascending.
    time : ndarray of shape (n_purchases,)
        Time since the first purchase, ascending within a customer; in the unit of the parameters.
    is_alive : ndarray of bool of shape (n_customers,)
        Whether each customer is still there at T + t: the truth that p_alive is a belief about.
    """

    customer: npt.NDArray[np.intp]
    time: FloatArray
    is_alive: npt.NDArray[np.bool_]


def histories(purchases: Purchases) -> tuple[FloatArray, FloatArray]:
    """Return frequency and recency of simulated new customers.

    Parameters
    ----------
    purchases : Purchases
        Of customers of whom nothing was known, drawn with T = 0.

    Returns
    -------
    frequency : ndarray of shape (n_customers,)
        Number of repeat purchases.
    recency : ndarray of shape (n_customers,)
        Time of the last of them, 0 where there is none.

    Examples
    --------
    >>> drawn = Purchases(np.array([1, 1]), np.array([2.0, 5.0]), np.array([True, False]))
    >>> [array.tolist() for array in histories(drawn)]
    [[0.0, 2.0], [0.0, 5.0]]
    """
    n_customers = purchases.is_alive.size
    recency = np.zeros(n_customers)
    recency[purchases.customer] = purchases.time  # ascending within a customer: the last one stays
    return np.bincount(purchases.customer, minlength=n_customers).astype(np.float64), recency
