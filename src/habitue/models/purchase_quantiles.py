"""Quantiles of numbers of purchases, from a family's probabilities of each number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["quantile"]

FloatArray = npt.NDArray[np.float64]

_ROUNDED = 1.0 - 1e-12  # a sum of probabilities may miss a level it reaches by rounding
_NO_MORE_THAN = 2**20  # purchases up to which a quantile is looked for


def quantile(
    pmf: Callable[..., FloatArray], params: Any, rows: tuple[FloatArray, ...], level: float
) -> FloatArray:
    """Return the smallest n at which the probabilities of 0, 1, ..., n sum to the level.

    Parameters
    ----------
    pmf : callable
        Of parameters, the rows and n.
    params : NamedTuple
        Fields are numbers, or one a row.
    rows : tuple of ndarray
        frequency, recency, T and time ahead, broadcast against each other.
    level : float
        Probability to reach.

    Returns
    -------
    ndarray of shape (n_rows,)
        Numbers of purchases.
    """
    *history, days = np.broadcast_arrays(*rows)
    columns = [np.broadcast_to(field, days.shape) for field in params]
    scalar = all(np.ndim(field) == 0 for field in params)
    reached, total, open_ = np.zeros(days.shape), np.zeros(days.shape), np.arange(days.size)
    for n in range(_NO_MORE_THAN):
        some = params if scalar else type(params)(*(column[open_] for column in columns))
        total[open_] += pmf(some, *(column[open_] for column in history), days[open_], float(n))
        reached[open_] = n
        open_ = open_[total[open_] < level * _ROUNDED]
        if not open_.size:
            break
    return reached
