"""What an experiment drew and saw: outcome, arm and chance of each customer, checked at the door.

Everything that judges effects takes its customers from here. A chance is that of the arm the customer was
drawn for, controls too: a control drawn with chance 0.3 has 0.3. Nothing is judged here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError
from habitue.evaluation.pairs import check_labels, check_numbers
from habitue.evaluation.ranking import FloatArray
from habitue.vocabulary import one_or_many

__all__ = ["CONTROL", "DrawnArms", "Effects", "check_drawn", "check_groups", "effect_of_arm", "two_arms"]

Effects = npt.ArrayLike | pd.DataFrame

CONTROL = "control"
"""What the arm without treatment is called where nobody says otherwise."""

_N_NAMED = 3


class DrawnArms(NamedTuple):
    """Customers of an experiment, one a row.

    Examples
    --------
    >>> DrawnArms(np.zeros(2), np.array([0, 1]), np.array([0.5, 0.5]), ("control", "mail")).arms
    ('control', 'mail')
    """

    y: FloatArray
    """What happened, shape (n,)."""
    drawn: npt.NDArray[np.intp]
    """Position of the arm of each customer in `arms`, shape (n,)."""
    propensity: FloatArray
    """Chance with which that arm was drawn, in (0, 1], shape (n,)."""
    arms: tuple[str, ...]
    """The control first, then the others in order of name."""


def check_drawn(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | None = None,
    *,
    control: str = CONTROL,
) -> DrawnArms:
    """Return the customers of an experiment, or say what is wrong with them.

    Parameters
    ----------
    y : array_like of shape (n,)
        What happened to each customer: 0 or 1, a number or money.
    arm : array_like of str of shape (n,)
        The arm that each was drawn for.
    propensity : array_like of shape (n,), optional
        Chance of that arm, in (0, 1]. Left out, all have the share of the arm among the rows: right where
        everybody had the same chances.
    control : str
        The arm without treatment.

    Returns
    -------
    DrawnArms

    Raises
    ------
    DataError
        Lengths differ, values are missing, nobody is a control, all are, or a chance is 0 or above 1.

    Examples
    --------
    >>> check_drawn([1, 0, 0], ["mail", "control", "control"]).propensity.round(3)
    array([0.333, 0.667, 0.667])
    """
    outcome = check_numbers(y, "y")
    labels = check_labels(arm, outcome.size, "arm").astype(str)
    there = sorted(labels.unique())
    if control not in there:
        raise DataError(
            f"effects are told against the control, and no customer's arm is {control!r}; the arms are"
            f" {', '.join(map(repr, there))}; name the one without treatment: control={there[0]!r}"
        )
    if len(there) == 1:
        raise DataError(f"every customer's arm is {control!r}: an effect needs an arm that was treated")
    arms = (control, *(name for name in there if name != control))
    drawn = pd.Index(arms).get_indexer(pd.Index(labels))
    if propensity is None:
        chances = np.bincount(drawn, minlength=len(arms)) / outcome.size
        return DrawnArms(outcome, drawn, chances[drawn], arms)
    index = propensity.index if isinstance(propensity, pd.Series) else pd.RangeIndex(outcome.size)
    return DrawnArms(outcome, drawn, _chances(propensity, labels, index), arms)


def check_groups(groups: npt.ArrayLike | None, n: int) -> npt.NDArray[np.intp] | None:
    """Return the number of the customer of each row, from 0 without gaps; None if each row is one.

    Parameters
    ----------
    groups : array_like of shape (n,), optional
        The customer of each row.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of int of shape (n,) or None

    Raises
    ------
    DataError
        Another number of labels, or missing ones.

    Examples
    --------
    >>> check_groups(["b", "a", "b"], 3)
    array([0, 1, 0])
    """
    return None if groups is None else pd.factorize(check_labels(groups, n, "groups"))[0]


def two_arms(rows: DrawnArms, treatment: str | None) -> tuple[str, npt.NDArray[np.bool_]]:
    """Return which arm is held against the control, and the rows of the two.

    Parameters
    ----------
    rows : DrawnArms
        All rows.
    treatment : str or None
        The arm; may be left out where there is only one.

    Returns
    -------
    str, ndarray of bool of shape (n,)
        Its name, and whether a row is of this arm or a control.

    Raises
    ------
    DataError
        There is no such arm, or there are several and none was named.

    Examples
    --------
    >>> rows = check_drawn([1, 0, 0], ["mail", "control", "phone"])
    >>> two_arms(rows, "mail")[1]
    array([ True,  True, False])
    """
    others = list(rows.arms[1:])
    name = others[0] if treatment is None and len(others) == 1 else treatment
    if name is None or name not in others:
        raise DataError(
            f"treatment must be one of the arms {', '.join(map(repr, others))}, got {treatment!r}; a ranking"
            " is judged for one arm at a time"
        )
    return name, (rows.drawn == 0) | (rows.drawn == rows.arms.index(name))


def effect_of_arm(effect: Effects, treatment: str, y: npt.ArrayLike) -> FloatArray:
    """Return the predicted effect of one arm, one number a customer, or say what is wrong with it.

    Parameters
    ----------
    effect : array_like of shape (n,) or DataFrame of shape (n, arms)
        Of the arm, or of every arm.
    treatment : str
        The arm.
    y : array_like of shape (n,)
        Outcomes of the same customers.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    DataError
        There is no such column, customers differ, or values are missing.

    Examples
    --------
    >>> effect_of_arm(pd.DataFrame({"mail": [0.1, 0.2]}), "mail", [0, 1])
    array([0.1, 0.2])
    """
    if isinstance(effect, pd.DataFrame):
        if treatment not in effect.columns:
            there = ", ".join(map(repr, effect.columns))
            raise DataError(f"effect must have a column for the arm {treatment!r}; there are {there}")
        effect = effect[treatment]
    if isinstance(effect, pd.Series) and isinstance(y, pd.Series) and not effect.index.equals(y.index):
        raise DataError("effect and y must have the same index in the same order; reindex one to the other")
    numbers = check_numbers(effect, "effect")
    if numbers.size != np.shape(y)[0]:
        raise DataError(f"effect must be one number per customer, got {numbers.size} for {np.shape(y)[0]}")
    return numbers


def _chances(propensity: npt.ArrayLike, labels: pd.Series, index: pd.Index) -> FloatArray:
    chances = check_numbers(propensity, "propensity")
    if chances.size != len(labels):
        raise DataError(
            f"propensity must be the chance of each customer's arm, got {chances.size} for {len(labels)}"
        )
    wrong = np.flatnonzero((chances <= 0.0) | (chances > 1.0))
    if wrong.size:
        arms = ", ".join(sorted({repr(labels.iloc[place]) for place in wrong}))
        some = ", ".join(f"{index[place]}: {chances[place]:.6g}" for place in wrong[:_N_NAMED])
        raise DataError(
            "propensity must be above 0 and at most 1: the chance of the arm that was drawn, controls"
            f" included. It is not in {one_or_many(wrong.size, 'row')} of arm {arms} ({some}"
            f"{', ...' * (wrong.size > _N_NAMED)}); leave out customers whose arm was not drawn by chance"
        )
    return chances
