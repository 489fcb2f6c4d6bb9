"""Which learner of effects to trust: the simplest that none is clearly better than, on customers not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone

from habitue.errors import SettingsError
from habitue.models.maximum_likelihood import check_setting
from habitue.models.purchase_history import CustomerTable
from habitue.models.uplift.gathering import gather
from habitue.models.uplift.learners import LEARNERS
from habitue.models.uplift.material import Material
from habitue.models.uplift.model import UpliftModel
from habitue.numerics.uplift import gain_scores, mean_of_scores

__all__ = ["SCORES", "UpliftChoice", "choose_uplift"]

FloatArray = npt.NDArray[np.float64]
Costs = Mapping[str, float]

SCORES = ("auuc0", "policy_value")
"""What learners are compared by."""

_SIMPLEST_FIRST = ("average", "risk", "DR", "R", "X", "T")
_FREE: Costs = MappingProxyType({})


class UpliftChoice(NamedTuple):
    """A fitted model, and how it was chosen."""

    model: UpliftModel
    """Of the chosen learner, fitted on all rows."""
    table: pd.DataFrame
    """A row a learner, the simplest first: score, lower, upper, behind (the best's score less its own),
    behind_error, chosen."""


def choose_uplift(
    X: CustomerTable,
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | str | None = None,
    *,
    groups: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    learners: Sequence[str] = _SIMPLEST_FIRST,
    score: str = "auuc0",
    costs: Costs = _FREE,
    model: UpliftModel | None = None,
    n_repeats: int = 2,
    confidence: float = 0.95,
    random_state: int = 0,
) -> UpliftChoice:
    """Choose the learner of effects that ranks, or treats, unseen customers best; the simpler one in doubt.

    Parameters
    ----------
    X : DataFrame of shape (n_customers, n_features)
        As in `UpliftModel.fit`; so are the others.
    y, arm : array_like of shape (n_customers,)
        What came of it, and what was drawn.
    propensity : array_like of shape (n_customers,), "estimate" or None
        The chance of the arm that was drawn.
    groups, strata, sample_weight : array_like of shape (n_customers,), optional
        Whose row it is, within which arms were drawn alike, and how much each row counts.
    learners : sequence of str
        Learners to compare; "average" is always among them.
    score : str
        "auuc0": the area between the curve of gain and its random line, averaged over arms.
        "policy_value": the gain per customer when each gets the arm of the highest effect net of cost, or
        nothing.
    costs : mapping of str to float
        What an arm costs per customer treated, in the unit of y; 0 where an arm is not named. For
        "policy_value".
    model : UpliftModel, optional
        Settings of all learners.
    n_repeats : int
        How often customers are dealt into folds anew; scores are averaged.
    confidence : float
        Of the intervals, in (0, 1).
    random_state : int
        Seed; takes the place of the model's.

    Returns
    -------
    UpliftChoice

    Raises
    ------
    SettingsError
        Where a learner, score or arm is not known.
    DataError
        As in `UpliftModel.fit`.

    Notes
    -----
    Effects come from copies that had not seen the customer, and so do the doubly robust scores they are
    judged by: all learners on the same scores, so that differences are paired. The one-standard-error rule:
    the simplest learner is chosen whose distance from the best is within one standard error of that
    distance, and that is not behind the average effect. Intervals are for each score by itself; that of the
    best is a little too high, as it was picked.

    References
    ----------
    .. [1] Hastie, T., Tibshirani, R. & Friedman, J. (2009). The Elements of Statistical Learning, 2nd ed.,
       section 7.10: the one-standard-error rule.
    .. [2] Yadlowsky, S. et al. (2025). Evaluating treatment prioritization rules via rank-weighted average
       treatment effects. JASA 120(549), 38-51.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"inactivity": rng.uniform(0.0, 1.0, 4_000)})
    >>> arm = rng.choice(["control", "call"], 4_000)
    >>> stays = (rng.uniform(size=4_000) < 0.2 + 0.4 * X["inactivity"] * (arm == "call")).astype(float)
    >>> small = UpliftModel(n_estimators=50, n_replicates=0, n_jobs=1)
    >>> choice = choose_uplift(X, stays, arm, learners=["DR"], model=small, n_repeats=1)
    >>> choice.model.learner
    'DR'
    """
    names = _learners(learners, score)
    check_setting("n_repeats", n_repeats, at_least=1, whole=True)
    settings = UpliftModel() if model is None else model
    seeds = np.random.default_rng(random_state).integers(2**31, size=n_repeats).tolist()
    dealt: list[_Dealt] = []
    totals = np.zeros(())
    for seed in seeds:
        one = _dealt_anew(settings, seed)
        material = gather(
            one, X, y, arm, propensity, groups=groups, strata=strata, sample_weight=sample_weight
        )
        totals = totals + _scores(one, material, names, score, costs) / n_repeats
        dealt = dealt or [_Dealt(one, material)]
    final, material = dealt[0]
    table = _table(names, totals, material, confidence)
    final.set_params(learner=str(table["chosen"].idxmax())).learn(material)
    return UpliftChoice(final, table)


class _Dealt(NamedTuple):
    """What was gathered from one way to deal customers into folds."""

    model: UpliftModel
    material: Material


def _dealt_anew(settings: UpliftModel, seed: int) -> UpliftModel:
    return cast("UpliftModel", clone(settings)).set_params(random_state=seed)


def _learners(learners: Sequence[str], score: str) -> list[str]:
    if score not in SCORES:
        raise SettingsError(f"expected score to be one of {', '.join(SCORES)}; got {score!r}.")
    if unknown := [name for name in learners if name not in LEARNERS]:
        raise SettingsError(f"expected learners among {', '.join(LEARNERS)}; got {unknown[0]!r}.")
    asked = {"average", *learners}
    return [name for name in _SIMPLEST_FIRST if name in asked]


def _scores(
    model: UpliftModel, material: Material, names: Sequence[str], score: str, costs: Costs
) -> FloatArray:
    """Return each customer's part in each learner's score, shape (n_learners, n_customers)."""
    paid = _paid(model.arms_, costs)
    n_replicates = model.n_replicates
    model.set_params(n_replicates=0)
    told: list[FloatArray] = []
    for name in names:
        unseen = model.set_params(learner=name).learn(material)
        told.append(_gains(unseen, material) if score == "auuc0" else _value(unseen, material, paid))
    model.set_params(n_replicates=n_replicates)
    return np.array(told)


def _paid(arms: Sequence[str], costs: Costs) -> FloatArray:
    if unknown := [name for name in costs if name not in arms]:
        raise SettingsError(f"expected costs of the arms {', '.join(arms)}; got one of {unknown[0]!r}.")
    return np.array([float(costs.get(name, 0.0)) for name in arms])


def _gains(unseen: FloatArray, material: Material) -> FloatArray:
    """Return parts in the area over the random line, averaged over arms; ranks are those within a fold."""
    fold, weights = material.nuisances.fold, material.experiment.weights
    told = np.zeros(len(fold))
    for place in range(unseen.shape[1]):
        scores = material.effect_scores(place + 1)
        for k in range(int(fold.max()) + 1):
            rows = fold == k
            told[rows] += gain_scores(unseen[rows, place], scores[rows], weights[rows])
    return told / unseen.shape[1]


def _value(unseen: FloatArray, material: Material, paid: FloatArray) -> FloatArray:
    """Return what each customer gains by the arm of the highest effect net of cost, if that is above 0."""
    scores = np.column_stack([material.effect_scores(place + 1) for place in range(unseen.shape[1])]) - paid
    net = unseen - paid
    best = net.argmax(axis=1)
    rows = np.arange(len(best))
    return np.where(net[rows, best] > 0.0, scores[rows, best], 0.0)


def _table(names: Sequence[str], totals: FloatArray, material: Material, confidence: float) -> pd.DataFrame:
    """Return learners with scores; the simplest is chosen that is within a standard error of the best."""
    weights, clusters = material.experiment.weights, material.experiment.clusters
    each = [mean_of_scores(told, weights, clusters) for told in totals]
    best = int(np.argmax([one.value for one in each]))
    behind = [mean_of_scores(totals[best] - told, weights, clusters) for told in totals]
    # The average is the first, and what does worse on unseen customers is never taken in its place.
    chosen = next(
        at
        for at, one in enumerate(behind)
        if one.value <= one.standard_error and each[at].value >= each[0].value
    )
    ends = [one.interval(confidence) for one in each]
    return pd.DataFrame(
        {
            "score": [one.value for one in each],
            "lower": [lower for lower, _ in ends],
            "upper": [upper for _, upper in ends],
            "behind": [one.value for one in behind],
            "behind_error": [one.standard_error for one in behind],
            "chosen": np.arange(len(names)) == chosen,
        },
        index=pd.Index(list(names), name="learner"),
    )
