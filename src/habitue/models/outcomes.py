"""What a model learns from: the column y, read as numbers and checked.

The counterpart of ``purchase_history``, which reads X. It deliberately knows no model and computes no
outcome: what happened after a cutoff comes from a snapshot.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError

__all__ = ["FloatArray", "read_amounts", "read_churned", "refuse_other_rows"]

FloatArray = npt.NDArray[np.float64]

_LABELLED = (pd.Series, pd.DataFrame)
_NUMBERS = frozenset({"integer", "floating", "mixed-integer-float", "boolean", "decimal", "empty"})
"""What pandas calls the numbers that a list of Python objects may hold."""


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
        given = np.asarray(y)
        numbers = given.astype(np.float64) if _are_numbers(given) else None
    except (TypeError, ValueError) as error:
        raise DataError(f"y must hold numbers without gaps; {error}. Leave out unknown outcomes.") from error
    if numbers is None:
        raise DataError(
            f"y must hold numbers, got such as {given.ravel()[0]!r} ({given.dtype}). Hand in y == 'yes' of "
            "answers in words, or pd.to_numeric(y) of numbers written as text."
        )
    if numbers.shape != (n_customers,) or n_customers == 0:
        raise DataError(
            f"y must hold one number for each of {n_customers} rows of X, got shape {numbers.shape}."
        )
    if n_bad := int(n_customers - np.isfinite(numbers).sum()):
        raise DataError(
            f"y must be finite, got {n_bad} missing or infinite values; leave those customers out."
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
        raise DataError(
            "y must say whether each customer churned, True or False (1 or 0), got other numbers."
        )
    kind = np.asarray(y).dtype
    return churned, np.array([0, 1], dtype=kind if kind.kind in "iuf" else np.bool_)


def refuse_other_rows(X: object, given: object, *, called: str = "y") -> None:
    """Refuse what is told of the rows of X under other labels, or in another order.

    Parameters
    ----------
    X : object
        What was known of customers; where it is no pandas object there are no labels, and rows correspond.
    given : object
        What is told of each of them. A default index (0, 1, 2, ...) is no label where it cannot be an order
        of X's.
    called : str
        Its name, for the message.

    Raises
    ------
    DataError
        Where both have labels and these differ.

    Examples
    --------
    >>> X = pd.DataFrame({"T": [1.0, 2.0]}, index=["ann", "bob"])
    >>> refuse_other_rows(X, pd.Series([True, False]))
    >>> refuse_other_rows(X, pd.Series([True, False], index=["bob", "ann"]))
    Traceback (most recent call last):
    ...
    habitue.errors.DataError: y must be told of the rows of X in their order; row 0 is 'ann' in X and 'bob' in
    y. Hand in y.loc[X.index], or y.to_numpy() where they correspond as they are.
    """
    if not (isinstance(X, _LABELLED) and isinstance(given, _LABELLED)) or len(X) != len(given):
        return
    one, other = X.index, given.index
    if one.equals(other) or (_is_default(one) != _is_default(other) and not _are_an_order(one, other)):
        return
    row = next((at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), 0)
    raise DataError(
        f"{called} must be told of the rows of X in their order; row {row} is {one[row]!r} in X and "
        f"{other[row]!r} in {called}. Hand in {called}.loc[X.index], or {called}.to_numpy() where they "
        "correspond as they are."
    )


def _are_numbers(given: npt.NDArray[np.generic]) -> bool:
    if given.dtype.kind == "O":
        return pd.api.types.infer_dtype(given.ravel(), skipna=True) in _NUMBERS
    return given.dtype.kind in "biuf"


def _is_default(index: pd.Index) -> bool:
    return index.equals(pd.RangeIndex(len(index)))


def _are_an_order(one: pd.Index, other: pd.Index) -> bool:
    """Tell whether both have the same labels, in whatever order."""
    return one.nlevels == other.nlevels and bool(one.isin(other).all()) and bool(other.isin(one).all())
