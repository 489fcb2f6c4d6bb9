"""What was known of customers before an experiment, as numbers that a regression can use."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError

__all__ = ["covariates_of"]

_ROWS_EACH: Final = 20
"""Customers in the smallest arm for each covariate: with fewer, a regression fits chance."""


def covariates_of(
    baseline: pd.DataFrame | None,
    strata: npt.ArrayLike | None,
    rows: npt.NDArray[np.bool_],
    code: npt.NDArray[np.intp],
) -> tuple[npt.NDArray[np.float64] | None, list[str]]:
    """Return covariates of the customers who are read out, and what has to be told about them.

    Parameters
    ----------
    baseline : DataFrame or None
        Numbers known before, a row a customer; missing ones are filled with the mean and marked.
    strata : array_like or None
        Segments; each but the largest becomes a covariate.
    rows : ndarray of bool of shape (n,)
        Who is read out.
    code : ndarray of int of shape (n,)
        Numbers of the arms.

    Returns
    -------
    tuple of (ndarray of shape (rows, p) or None, list of str)
        None where nothing is known, or more than the smallest arm can bear.

    Raises
    ------
    DataError
        Where a row is missing or something is no number.
    """
    parts: list[npt.NDArray[np.float64]] = []
    if strata is not None:
        parts.append(_segments(strata, rows))
    if baseline is not None:
        parts.append(_numbers(baseline, rows))
    if not parts:
        return None, []
    found = np.column_stack(parts)
    found = found[:, np.ptp(found, axis=0) > 0.0]
    smallest = int(np.bincount(code[rows]).min())
    if found.shape[1] > smallest // _ROWS_EACH:
        return None, [
            f"What was known before is not made use of: {found.shape[1]} numbers are too many for an arm of "
            f"{smallest} customers."
        ]
    return (found, []) if found.shape[1] else (None, [])


def _segments(strata: npt.ArrayLike, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    labels: Any = pd.Series(np.asarray(strata, dtype=object))
    if len(labels) != rows.size:
        raise DataError(f"strata must have one segment per customer; got {len(labels)} for {rows.size}.")
    texts = labels[rows].astype("string").fillna("")
    largest_first = texts.value_counts().index
    return np.column_stack(
        [np.empty((len(texts), 0)), *(texts.eq(one).to_numpy(dtype=np.float64) for one in largest_first[1:])]
    )


def _numbers(baseline: pd.DataFrame, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    if len(baseline) != rows.size:
        raise DataError(
            f"baseline must have a row per customer, in the order of outcomes; got {len(baseline)} for "
            f"{rows.size}."
        )
    try:
        values = baseline.to_numpy(dtype=np.float64)[rows]
    except (TypeError, ValueError) as error:
        raise DataError(f"baseline must hold numbers known before the assignment: {error}.") from error
    missing = ~np.isfinite(values)
    if not missing.any():
        return values
    values = np.where(missing, np.nan, values)
    n_known = np.maximum((~missing).sum(axis=0), 1)
    filled = np.where(missing, np.nansum(values, axis=0) / n_known, values)
    marked = missing[:, missing.any(axis=0)].astype(np.float64)
    return np.column_stack([filled, marked])
