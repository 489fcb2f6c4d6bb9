"""Which learner tells effects for a decision: the one that ranks unseen customers best, or the average."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.evaluation.uplift_choice import UpliftChoice, choose_uplift
from habitue.models.uplift.model import UpliftModel

__all__ = ["FittedLearner", "fit_chosen"]

FloatArray = npt.NDArray[np.float64]

_LEARNERS = ("average", "risk", "DR", "X")
"""R ranks as DR does, and T is seldom ahead of X: they would take time and change nothing."""
_MOST = 60_000
"""Rows, up to which learners are compared; it takes a minute on two cores."""


class FittedLearner(NamedTuple):
    """A fitted model, and how it came to be the one."""

    model: UpliftModel
    """Fitted on all rows."""
    told: str
    """One sentence."""


def fit_chosen(
    X: pd.DataFrame,
    y: FloatArray,
    arm: npt.NDArray[np.str_],
    propensity: FloatArray,
    groups: npt.NDArray[np.object_],
    *,
    random_state: int,
    n_most: int = _MOST,
) -> FittedLearner:
    """Fit the learner of effects that ranks unseen customers best, or the average where none is better.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_features)
        As in `UpliftModel.fit`; so are the others.
    y : ndarray of shape (n_rows,)
        Money.
    arm : ndarray of str, shape (n_rows,)
        What was drawn.
    propensity : ndarray of shape (n_rows,)
        The chance of it.
    groups : ndarray of shape (n_rows,)
        Whose row it is.
    random_state : int
        Seed.
    n_most : int, default 60_000
        Rows, up to which learners are compared; the DR-learner is taken where there are more.

    Returns
    -------
    FittedLearner

    See Also
    --------
    habitue.evaluation.choose_uplift : How they are compared.

    Notes
    -----
    Learners are compared by what treating the first of their ranking brings over a random order, averaged
    over all shares of customers that a budget may reach; by their policies alone they would all be alike
    where an offer pays for everybody.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"inactivity": rng.uniform(0.0, 1.0, 2_000)})
    >>> arm = rng.choice(["control", "call"], 2_000)
    >>> margin = rng.gamma(2.0, 5.0, 2_000) + 2.0 * (arm == "call")
    >>> fit_chosen(X, margin, arm, np.full(2_000, 0.5), np.arange(2_000), random_state=0).model.learner
    'average'
    """
    if len(X) > n_most:
        model = UpliftModel(learner="DR", random_state=random_state)
        model.fit(X, y, arm, propensity, groups=groups)
        told = f"Learners are compared on up to {n_most:,} rows; of more, the DR-learner learns."
        return FittedLearner(model, told)
    choice = choose_uplift(
        X, y, arm, propensity, groups=groups, learners=_LEARNERS, n_repeats=1, random_state=random_state
    )
    return FittedLearner(choice.model, _told(choice))


def _told(choice: UpliftChoice) -> str:
    """Say what was chosen, and by how much it was better than the average effect for all."""
    if choice.model.learner == "average":
        return (
            "No learner told on unseen customers who gains more: all are told the average effect "
            f"({', '.join(choice.table.index[1:])} were tried)."
        )
    one = choice.table.loc[choice.model.learner]
    return (
        f"The {choice.model.learner} learner was chosen among {', '.join(choice.table.index)}: on unseen "
        f"customers its order brought {one['score']:.3g} a customer more than a random one "
        f"({one['lower']:.3g} to {one['upper']:.3g}), on average over budgets."
    )
