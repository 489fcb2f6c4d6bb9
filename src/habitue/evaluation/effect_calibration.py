"""Whether predicted effects mean what they say: predicted and observed, in groups of customers.

A ranking may be perfect and its effects twice too large; whoever holds effects against costs needs both. In
each group of like predictions the observed effect is an average with an interval: what treating all of them
is worth less what treating none is, by the formulas of :mod:`habitue.numerics.policy_value`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from habitue.errors import SettingsError
from habitue.evaluation.drawn_arms import (
    CONTROL,
    Effects,
    effect_of_arm,
    two_arms,
)
from habitue.evaluation.policy_door import AskedAbout, ask
from habitue.evaluation.ranking import FloatArray
from habitue.numerics.policy_value import doubly_robust_scores, mean_of_scores, self_normalised_scores

__all__ = ["effect_calibration"]

_COLUMNS: Final = ["group", "n", "n_treated", "n_controls", "predicted", "observed", "lower", "upper"]


def effect_calibration(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | None,
    effect: Effects,
    *,
    treatment: str | None = None,
    control: str = CONTROL,
    predictions: pd.DataFrame | None = None,
    groups: npt.ArrayLike | None = None,
    n_groups: int = 5,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Hold the predicted effect against the observed one, in groups of customers with like predictions.

    Parameters
    ----------
    y : array_like of shape (n,)
        What happened.
    arm : array_like of str of shape (n,)
        The arm each customer was drawn for.
    propensity : array_like of shape (n,) or None
        Chance of that arm, in (0, 1]; None where all had the same chances.
    effect : array_like of shape (n,) or DataFrame
        Predicted effect of the treatment, in the unit of y; of a frame, the column of the treatment.
    treatment : str, optional
        The arm that is judged. Needed where there are several.
    control : str
        The arm without treatment.
    predictions : DataFrame of shape (n, arms), optional
        Expected outcome under each arm, of models that have not seen the customer: narrower intervals.
    groups : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once.
    n_groups : int
        Number of groups, at least 1. Equal predictions stay together, so that there may be fewer.
    confidence : float
        Of the intervals, in (0, 1).

    Returns
    -------
    DataFrame
        One row per group, the lowest predictions first: group (from 1), n, n_treated, n_controls, predicted
        (mean), observed, lower, upper; nan where an arm has nobody.

    Raises
    ------
    DataError
        Lengths differ, values are missing, an arm or the control is not there, or a chance is 0.
    SettingsError
        A number is out of range.

    Notes
    -----
    Observed is the difference of the two self-normalised means, or the mean of doubly robust scores where
    predictions are given. Of twenty intervals one is expected to miss even if all effects are right.

    References
    ----------
    Chernozhukov, Demirer, Duflo and Fernandez-Val (2018), Generic machine learning inference on heterogeneous
    treatment effects in randomized experiments: sorted group average treatment effects.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, arm = rng.uniform(size=4000), rng.choice(["control", "mail"], 4000)
    >>> y = 2.0 * x * (arm == "mail") + rng.normal(size=4000)
    >>> effect_calibration(y, arm, None, 2.0 * x, n_groups=2)[["n", "predicted", "observed"]].round(1)
          n  predicted  observed
    0  2000        0.5       0.6
    1  2000        1.5       1.5
    """
    if n_groups < 1:
        raise SettingsError(f"n_groups must be at least 1, got {n_groups}")
    asked = ask(y, arm, propensity, predictions, None, None, None, groups, control, confidence)
    rows = asked.rows
    name, _ = two_arms(rows, treatment)
    said = effect_of_arm(effect, name, y)
    place = np.floor(n_groups * (rankdata(said) - 0.5) / said.size)
    table: list[dict[str, object]] = []
    for group, at in enumerate(np.unique(place), start=1):
        here = place == at
        treated, controls = (here & (rows.drawn == one) for one in (rows.arms.index(name), 0))
        scores = _differences(asked, here, rows.arms.index(name))
        whose = None if asked.groups is None else pd.factorize(asked.groups[here])[0]
        told = mean_of_scores(scores, groups=whose, confidence=confidence)
        table.append(
            {"group": group, "n": int(here.sum()), "n_treated": int(treated.sum()),
             "n_controls": int(controls.sum()), "predicted": float(said[here].mean()),
             "observed": told.value, "lower": told.lower, "upper": told.upper}
        )  # fmt: skip
    return pd.DataFrame(table, columns=_COLUMNS)


def _differences(asked: AskedAbout, here: npt.NDArray[np.bool_], treated: int) -> FloatArray:
    """Return one score a customer of a group, whose mean is the effect of an arm there."""
    rows = asked.rows
    y, drawn, chance = rows.y[here], rows.drawn[here], rows.propensity[here]
    scores: list[FloatArray] = []
    for arm in (treated, 0):
        weight = (drawn == arm) / chance
        if asked.predicted is not None:
            everybody = np.zeros((y.size, len(rows.arms)))
            everybody[:, arm] = 1.0
            scores.append(doubly_robust_scores(y, weight, drawn, everybody, asked.predicted[here]))
        elif weight.any():
            scores.append(self_normalised_scores(y, weight))
        else:
            return np.full(y.size, np.nan)
    return scores[0] - scores[1]
