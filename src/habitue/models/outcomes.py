"""What a model learns from: the column y, read as numbers and checked.

The counterpart of ``purchase_history``, which reads X. It deliberately knows no model and computes no
outcome: what happened after a cutoff comes from a snapshot.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from habitue.errors import DataError

__all__ = ["FloatArray", "read_amounts", "read_churned"]

FloatArray = npt.NDArray[np.float64]


def read_amounts(y: npt.ArrayLike, n_customers: int) -> FloatArray:
    """Return y as one finite number for each customer.

    Parameters
    ----------
    y : array_like of shape (n_customers,)
        Spend or purchases.
    n_customers : int
        Rows of X.

    Returns
    -------
    ndarray of shape (n_customers,)

    Raises
    ------
    DataError
        If there are too few or too many, none at all, or one is missing, infinite or no number.

    Examples
    --------
    >>> read_amounts([3, 0], 2)
    array([3., 0.])
    """
    try:
        numbers = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"y must hold numbers without gaps; {error}. Leave out unknown outcomes") from error
    if numbers.shape != (n_customers,) or n_customers == 0:
        raise DataError(
            f"y must hold one number for each of {n_customers} rows of X, got shape {numbers.shape}"
        )
    if n_bad := int(n_customers - np.isfinite(numbers).sum()):
        raise DataError(
            f"y must be finite, got {n_bad} missing or infinite values; leave those customers out"
        )
    return numbers


def read_churned(y: npt.ArrayLike, n_customers: int) -> tuple[FloatArray, npt.NDArray[np.generic]]:
    """Return who churned, as 1.0 and 0.0, and the two classes in the type of y.

    Parameters
    ----------
    y : array_like of shape (n_customers,)
        True or 1 for a churner, False or 0 for one who stays.
    n_customers : int
        Rows of X.

    Returns
    -------
    churned : ndarray of shape (n_customers,)
        1.0 and 0.0.
    classes : ndarray of shape (2,)
        False and True, or 0 and 1, also where only one of them occurs.

    Raises
    ------
    DataError
        If y is not one of these for each customer.

    Examples
    --------
    >>> read_churned([True, False], 2)
    (array([1., 0.]), array([False,  True]))
    """
    churned = read_amounts(y, n_customers)
    if not np.isin(churned, (0.0, 1.0)).all():
        raise DataError("y must say whether each customer churned, True or False (1 or 0), got other numbers")
    kind = np.asarray(y).dtype
    return churned, np.array([0, 1], dtype=kind if kind.kind in "iuf" else np.bool_)
