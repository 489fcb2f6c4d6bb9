"""What a prediction is over all posterior draws: mean, spread and interval a customer, and of the whole base.

A prediction at every draw for every customer is too large to keep. It is taken for some customers at a time,
summarised, and forgotten, so memory does not grow with the customer base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.numerics.arrays import FloatArray
from habitue.numerics.many_rows import blocks

__all__ = ["Predict", "rows_at_once", "summarise", "totals"]

Predict: TypeAlias = Callable[[slice], FloatArray]
"""Some customers in, the prediction at each draw for each of them out, of shape (n_draws, n_rows)."""

_BUDGET = 64 * 2**20
"""Bytes of working memory."""

_TEMPORARIES = 6
"""Arrays of one block that exist at the same time: the formula's, the prediction, its sorted copy."""


def rows_at_once(n_draws: int) -> int:
    """Return how many customers fit into working memory together.

    Parameters
    ----------
    n_draws : int
        Draws of the posterior, >= 1.

    Returns
    -------
    int
        At least 1; some 64 MB of arrays of shape (n_draws, rows).

    Examples
    --------
    >>> rows_at_once(4_000)
    349
    """
    return max(1, _BUDGET // (8 * _TEMPORARIES * n_draws))


def summarise(
    predict: Predict, n_rows: int, *, n_draws: int, confidence: float = 0.8, block: int | None = None
) -> pd.DataFrame:
    """Return mean, standard deviation and interval of a prediction for each customer.

    Parameters
    ----------
    predict : callable
        Takes a slice of customers, returns an array of shape (n_draws, rows of the slice).
    n_rows : int
        Customers, >= 0.
    n_draws : int
        Draws of the posterior, equally weighted, >= 1.
    confidence : float, default 0.8
        Mass between the ends of the interval, in (0, 1); as much lies below as above.
    block : int, optional
        Customers at a time; `rows_at_once` where absent. Changes no result.

    Returns
    -------
    DataFrame of n_rows rows
        Columns ``mean`` (the prediction), ``sd`` (standard deviation over draws), ``lower`` and ``upper``
        (quantiles (1 - confidence) / 2 and (1 + confidence) / 2 over draws), in the unit of the prediction.

    Notes
    -----
    The interval says what is not known about the customer base's parameters, given the model. It does not
    hold what one customer will do by chance.

    Examples
    --------
    >>> rates = np.array([1.0, 2.0, 3.0])  # three draws
    >>> horizons = np.array([10.0, 100.0])  # two customers
    >>> summarise(lambda rows: rates[:, None] * horizons[rows], 2, n_draws=3, confidence=0.5)
        mean         sd  lower  upper
    0   20.0   8.164966   15.0   25.0
    1  200.0  81.649658  150.0  250.0
    """
    told = np.empty((n_rows, 4))
    ends = (0.5 - confidence / 2.0, 0.5 + confidence / 2.0)
    for rows in blocks(n_rows, block or rows_at_once(n_draws)):
        # One customer's draws side by side: their sums are then the same in whichever block the customer is.
        values = np.array(predict(rows).T, order="C")
        told[rows, 0] = values.mean(axis=1)
        told[rows, 2:] = np.quantile(values, ends, axis=1).T
        values -= told[rows, :1]
        told[rows, 1] = np.sqrt(np.square(values, out=values).mean(axis=1))
    return pd.DataFrame(told, columns=["mean", "sd", "lower", "upper"])


def totals(
    predict: Predict,
    n_rows: int,
    *,
    n_draws: int,
    weights: npt.ArrayLike | None = None,
    block: int | None = None,
) -> FloatArray:
    """Return the weighted sum of a prediction over all customers, at each draw.

    Parameters
    ----------
    predict : callable
        Takes a slice of customers, returns an array of shape (n_draws, rows of the slice).
    n_rows : int
        Customers, >= 0.
    n_draws : int
        Draws of the posterior, >= 1.
    weights : array_like of shape (n_rows,), optional
        What each customer counts; 1 where absent. Counts of equal customers, or shares for a mean.
    block : int, optional
        Customers at a time; `rows_at_once` where absent.

    Returns
    -------
    ndarray of shape (n_draws,)
        Its mean is the total, its quantiles the interval of the total.

    Notes
    -----
    Customers share the parameters, so their predictions are too high together or too low together. An
    interval of the total made from intervals of customers as if they were independent is far too narrow;
    here each draw is added up on its own.

    Examples
    --------
    >>> rates = np.array([1.0, 2.0, 3.0])  # three draws
    >>> horizons = np.array([10.0, 100.0])  # two customers
    >>> totals(lambda rows: rates[:, None] * horizons[rows], 2, n_draws=3)
    array([110., 220., 330.])
    """
    counts = np.ones(n_rows) if weights is None else np.asarray(weights, dtype=np.float64)
    sums = np.zeros(n_draws)
    for rows in blocks(n_rows, block or rows_at_once(n_draws)):
        sums += predict(rows) @ counts[rows]
    return sums
