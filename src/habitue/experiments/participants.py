"""Who took part in an experiment, as handed in: the door of a readout, behind which input is trusted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError
from habitue.vocabulary import one_or_many

__all__ = ["as_arms", "as_flags", "as_households", "as_outcomes", "as_propensity", "refuse_nobody"]


def as_outcomes(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return outcomes as numbers, or say what is wrong with them.

    Parameters
    ----------
    outcomes : DataFrame of shape (n, m)
        A row a customer.

    Raises
    ------
    DataError
        Nothing is there, a customer comes twice, or something is no number.
    """
    if outcomes.empty:
        raise DataError("There are no outcomes to read out; give a row per customer and a column per metric.")
    if not outcomes.index.is_unique:
        twice = outcomes.index[outcomes.index.duplicated()][0]
        raise DataError(f"Every customer may have one row of outcomes; {twice!r} has several.")
    try:
        table = outcomes.astype("float64")
    except (TypeError, ValueError) as error:
        raise DataError(f"Outcomes must be numbers, or True and False: {error}.") from error
    if np.isinf(table.to_numpy()).any():
        raise DataError("Outcomes must be finite, or NaN where they got lost; some are infinite.")
    return table


def as_arms(arm: npt.ArrayLike, n: int, control: str) -> tuple[tuple[str, ...], npt.NDArray[np.intp]]:
    """Return the names of the arms, control first, and the number of each customer's.

    Parameters
    ----------
    arm : array_like of str of shape (n,)
        What each customer was assigned to.
    n : int
        Customers there are.
    control : str
        The arm that gets nothing.

    Raises
    ------
    DataError
        No control, no other arm, or a customer without one.

    Examples
    --------
    >>> as_arms(["call", "control"], 2, "control")
    (('control', 'call'), array([1, 0]))
    """
    given = np.asarray(arm, dtype=object)
    if given.shape != (n,):
        raise DataError(f"arm must have one name per customer; got {given.size} for {n} customers.")
    n_without = int(pd.isna(given).sum())
    if n_without:
        raise DataError(
            f"{one_or_many(n_without, 'customer')} without an arm: leave out who was not assigned."
        )
    labels = given.astype(str)
    found = sorted(set(labels.tolist()))
    if control not in found or len(found) < 2:
        raise DataError(
            f"An effect is told against an arm {control!r}; the arms here are {', '.join(found)}. Without a "
            "control that was drawn at random nothing can be said about what an offer did."
        )
    names = (control, *(name for name in found if name != control))
    numbers = np.array([names.index(name) for name in found], dtype=np.intp)
    return names, numbers[np.searchsorted(found, labels)]


def as_propensity(given: npt.ArrayLike | None, n: int) -> npt.NDArray[np.float64] | None:
    """Return the chance of each customer's arm, or say what is wrong with it.

    Parameters
    ----------
    given : array_like of shape (n,) or None
        Chances.
    n : int
        Customers there are.

    Raises
    ------
    DataError
        One is not above 0, or above 1.
    """
    if given is None:
        return None
    chance = np.asarray(given, dtype=np.float64)
    n_wrong = int((~((chance > 0.0) & (chance <= 1.0))).sum())
    if chance.shape != (n,) or n_wrong:
        raise DataError(
            "propensity must be the chance of the arm that was drawn, above 0 and up to 1, one for each of "
            f"{n} customers; {n_wrong} of {chance.size} are not. Who could not get an arm cannot be compared "
            "in it: leave those customers out."
        )
    return chance


def as_flags(given: npt.ArrayLike | None, n: int, name: str) -> npt.NDArray[np.float64]:
    """Return True and False as 1 and 0; all 1 where nothing is given.

    Parameters
    ----------
    given : array_like of shape (n,) or None
        Flags.
    n : int
        Customers there are.
    name : str
        What they are called in the message.

    Raises
    ------
    DataError
        Where they are none.

    Examples
    --------
    >>> as_flags([True, False], 2, "matured")
    array([1., 0.])
    """
    if given is None:
        return np.ones(n)
    flags = np.asarray(given)
    if flags.shape != (n,) or not np.isin(flags, (0, 1)).all():
        raise DataError(f"{name} must be True or False for each of {n} customers.")
    return flags.astype(np.float64)


def as_households(
    clusters: npt.ArrayLike | None, n: int, rows: npt.NDArray[np.bool_]
) -> npt.NDArray[np.intp] | None:
    """Return the number of the household of each customer who is read out.

    Parameters
    ----------
    clusters : array_like of shape (n,) or None
        Their names.
    n : int
        Customers there are.
    rows : ndarray of bool of shape (n,)
        Who is read out.

    Raises
    ------
    DataError
        Where somebody has none.
    """
    if clusters is None:
        return None
    given = np.asarray(clusters, dtype=object)
    if given.shape != (n,) or pd.isna(given).any():
        raise DataError(f"clusters must name the household of each of {n} customers.")
    return pd.factorize(given[rows])[0].astype(np.intp)


def refuse_nobody(known: npt.NDArray[np.bool_], code: npt.NDArray[np.intp], names: tuple[str, ...]) -> None:
    """Refuse to read out an arm of which no outcome is known.

    Parameters
    ----------
    known : ndarray of bool of shape (n,)
        Whose outcome is known.
    code : ndarray of int of shape (n,)
        Number of each customer's arm.
    names : tuple of str
        Of the arms.

    Raises
    ------
    DataError
        Where fewer than two are known.
    """
    lacking = [name for number, name in enumerate(names) if known[code == number].sum() < 2]
    if lacking:
        raise DataError(
            f"Outcomes are not known yet of two customers or more in {', '.join(lacking)}: wait until their "
            "horizon has passed, or read out with a shorter one."
        )
