"""What policies are judged on, checked: the experiment, the costs, the predictions, and the policies.

Behind this door, input is trusted. What a policy is worth is for ``policy_value`` to say.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.evaluation.drawn_arms import DrawnArms, check_drawn, check_groups
from habitue.evaluation.pairs import check_labels
from habitue.evaluation.policies import Costs, arm_costs
from habitue.evaluation.ranking import FloatArray
from habitue.vocabulary import one_or_many

__all__ = ["AskedAbout", "Method", "Policy", "ask", "chances_of"]

Policy = npt.ArrayLike | pd.DataFrame
Method = Literal["ipw", "snipw", "dr"]

_METHODS: Final = ("ipw", "snipw", "dr")
_ROUNDING: Final = 1e-6


class AskedAbout(NamedTuple):
    """An experiment, and how policies are to be judged on it; a column per arm, the control first."""

    rows: DrawnArms
    """Outcome, arm and chance of each customer."""
    chances: FloatArray | None
    """Chance of every arm, shape (n, arms), where it is known."""
    predicted: FloatArray | None
    """Predicted outcome under every arm, shape (n, arms)."""
    costs: FloatArray
    """Cost of every arm, shape (n, arms)."""
    method: Method
    """How the value is estimated."""
    clip: float | None
    """Largest weight."""
    groups: npt.NDArray[np.intp] | None
    """Number of the customer of each row, shape (n,)."""
    confidence: float
    """Of the intervals."""
    customers: pd.Index
    """What the rows are called."""


def ask(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | pd.DataFrame | None,
    predictions: pd.DataFrame | None,
    costs: Costs,
    method: Method | None,
    clip: float | None,
    groups: npt.ArrayLike | None,
    control: str,
    confidence: float,
) -> AskedAbout:
    """Return what policies are judged on, or say what is wrong with it.

    Parameters
    ----------
    y : array_like of shape (n,)
        What happened.
    arm : array_like of str of shape (n,)
        The arm each customer was drawn for.
    propensity : array_like of shape (n,), DataFrame of shape (n, arms), or None
        Chance of that arm, or of every arm.
    predictions : DataFrame of shape (n, arms) or None
        Expected outcome under each arm.
    costs : mapping of str to float, DataFrame, or None
        What an arm costs.
    method : {"ipw", "snipw", "dr"} or None
        As in ``policy_value``.
    clip : float or None
        Largest weight.
    groups : array_like of shape (n,) or None
        The customer of each row.
    control : str
        The arm without treatment.
    confidence : float
        Of the intervals, in (0, 1).

    Returns
    -------
    AskedAbout

    Raises
    ------
    DataError, SettingsError
        As in ``policy_value``.
    """
    chosen = method or ("snipw" if predictions is None else "dr")
    if chosen not in _METHODS:
        raise SettingsError(f"method must be one of {', '.join(_METHODS)}, got {chosen!r}")
    if (chosen == "dr") != (predictions is not None):
        raise SettingsError(
            f"method {chosen!r} and predictions do not go together: the doubly robust method ('dr') needs the"
            " outcomes predicted under each arm, and no other uses them"
        )
    if not 0.0 < confidence < 1.0 or (clip is not None and not clip > 0.0):
        raise SettingsError(f"confidence must lie in (0, 1) and clip be above 0, got {confidence} and {clip}")
    rows, chances = _with_chances(y, arm, propensity, control)
    index = y.index if isinstance(y, pd.Series) else pd.RangeIndex(rows.y.size)
    each = arm_costs(costs, index, rows.arms)
    who = check_groups(groups, rows.y.size)
    predicted = None if predictions is None else _of_arms(predictions, rows, "predictions")
    return AskedAbout(rows, chances, predicted, each, chosen, clip, who, confidence, index)


def _with_chances(
    y: npt.ArrayLike, arm: npt.ArrayLike, propensity: npt.ArrayLike | pd.DataFrame | None, control: str
) -> tuple[DrawnArms, FloatArray | None]:
    if not isinstance(propensity, pd.DataFrame):
        return check_drawn(y, arm, propensity, control=control), None
    rows = check_drawn(y, arm, control=control)
    chances = _of_arms(propensity, rows, "propensity")
    drawn = pd.Series(chances[np.arange(rows.y.size), rows.drawn], index=propensity.index)
    return check_drawn(y, arm, drawn, control=control), chances


def _of_arms(table: pd.DataFrame, rows: DrawnArms, name: str) -> FloatArray:
    """Return a column per arm, the control first."""
    if missing := [one for one in rows.arms if one not in table.columns]:
        there = ", ".join(map(repr, table.columns))
        raise DataError(
            f"{name} must have a column for each arm; {missing[0]!r} is missing, there are {there}"
        )
    numbers = table[list(rows.arms)].to_numpy(dtype=np.float64)
    if len(numbers) != rows.y.size or not np.isfinite(numbers).all():
        raise DataError(
            f"{name} must be finite numbers for each of {rows.y.size} customers, got {len(numbers)} rows,"
            f" {int((~np.isfinite(numbers)).any(axis=1).sum())} of them with gaps"
        )
    return numbers


def chances_of(policy: Policy, asked: AskedAbout, name: str) -> FloatArray:
    """Return the chance that a policy gives each arm, or say why its value cannot be known.

    Parameters
    ----------
    policy : array_like of str of shape (n,) or DataFrame of shape (n, arms)
        The arm that each customer gets, or the chance of each arm.
    asked : AskedAbout
        The experiment.
    name : str
        What the policy is called in messages.

    Returns
    -------
    ndarray of shape (n, arms)

    Raises
    ------
    DataError
        Nobody was drawn for an arm that it gives, its chances do not sum to one, or a customer could not have
        been drawn for what it gives.
    """
    rows = asked.rows
    if isinstance(policy, pd.DataFrame):
        given = policy
    else:
        labels = check_labels(policy, rows.y.size, f"policy ({name})").astype(str)
        given = pd.get_dummies(labels, dtype=float)
    unknown = [str(one) for one in given.columns if one not in rows.arms and given[one].to_numpy().any()]
    if unknown:
        raise DataError(
            f"{name} gives the arm {unknown[0]!r}, which no customer was drawn for, so that nobody knows what"
            f" it does; the arms are {', '.join(map(repr, rows.arms))}"
        )
    chances = given.reindex(columns=list(rows.arms), fill_value=0.0).to_numpy(dtype=np.float64)
    if len(chances) != rows.y.size:
        raise DataError(f"{name} must say what each of {rows.y.size} customers gets, got {len(chances)} rows")
    wrong = ~((chances >= -_ROUNDING).all(axis=1) & (np.abs(chances.sum(axis=1) - 1.0) <= _ROUNDING))
    if wrong.any():
        raise DataError(
            f"{name} must give each customer chances that sum to one; {int(wrong.sum())} of {wrong.size} rows"
            " do not"
        )
    _check_overlap(chances, asked, name)
    return chances


def _check_overlap(policy: FloatArray, asked: AskedAbout, name: str) -> None:
    if asked.chances is None:
        return
    never = (policy > 0.0) & (asked.chances <= 0.0)
    if never.any():
        arms = ", ".join(
            repr(arm) for arm, one in zip(asked.rows.arms, np.any(never, axis=0), strict=True) if one
        )
        first = asked.customers[int(np.flatnonzero(never.any(axis=1))[0])]
        raise DataError(
            f"{name} gives {arms} to {one_or_many(int(never.any(axis=1).sum()), 'customer')} who could not be"
            f" drawn for it (propensity 0; the first is {first}); let the policy leave them out"
        )
