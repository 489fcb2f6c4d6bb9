"""What a way of choosing whom to treat would have earned, from customers whose arms were drawn by chance.

A policy says which arm each customer gets (``policies`` makes some, and the rivals that one has to beat). Its
value is the mean outcome per customer of the base had it been followed, less what its arms cost. Policies are
compared on the same customers: the interval of the difference tells which is better, not two intervals side
by side. The formulas are in :mod:`habitue.numerics.policy_value`.

The customers must not be those that the policy was learned from. Whether those of next month are like them is
not known here.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import AssumptionWarning, DataError, SettingsError
from habitue.evaluation.drawn_arms import CONTROL
from habitue.evaluation.policies import Costs, by_effect, for_all, random_like
from habitue.evaluation.policy_door import AskedAbout, Method, Policy, ask, chances_of
from habitue.evaluation.ranking import FloatArray
from habitue.numerics.policy_value import (
    doubly_robust_scores,
    effective_size,
    horvitz_thompson_scores,
    mean_of_scores,
    self_normalised_scores,
)

__all__ = ["PolicyValue", "compare_policies", "policy_value", "value_by_budget"]

_SHARES: Final = tuple(np.arange(1, 21) / 20)


@dataclass(frozen=True)
class PolicyValue:
    """What a policy is worth, and how well that is known.

    Attributes
    ----------
    value : float
        Mean outcome per customer of the base less the cost of the arms, in the unit of the outcome.
    lower, upper : float
        Ends of its interval.
    standard_error : float
        Of the value.
    cost : float
        Mean cost of the arms per customer, which is taken off already.
    share_treated : float
        Share of customers that the policy treats, in [0, 1].
    n : int
        Customers (rows) that it was judged on.
    effective_n : float
        How many customers of equal weight would say as much: few where the experiment seldom did what the
        policy does.
    method : str
        "ipw", "snipw" or "dr".
    scores : ndarray of shape (n,)
        One number per row, whose mean is the value: differences and segments need nothing more.

    Examples
    --------
    >>> policy_value([3.0, 1.0, 2.0, 2.0], ["mail", "control"] * 2, [0.5] * 4, ["mail"] * 4).value
    2.5
    """

    value: float
    lower: float
    upper: float
    standard_error: float
    cost: float
    share_treated: float
    n: int
    effective_n: float
    method: str
    scores: FloatArray


def policy_value(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | pd.DataFrame | None,
    policy: Policy,
    *,
    predictions: pd.DataFrame | None = None,
    costs: Costs = None,
    method: Method | None = None,
    clip: float | None = None,
    groups: npt.ArrayLike | None = None,
    control: str = CONTROL,
    confidence: float = 0.95,
) -> PolicyValue:
    """Tell what a policy would have earned per customer, had it been followed in the experiment.

    Parameters
    ----------
    y : array_like of shape (n,)
        What happened: 0 or 1, or money.
    arm : array_like of str of shape (n,)
        The arm each customer was drawn for.
    propensity : array_like of shape (n,), DataFrame of shape (n, arms), or None
        Chance of the arm that was drawn, or of every arm; None where all had the same chances.
    policy : array_like of str of shape (n,) or DataFrame of shape (n, arms)
        The arm that each would get, or the chance of each arm.
    predictions : DataFrame of shape (n, arms), optional
        Expected outcome under each arm, of models that have not seen the customer (cross-fitted). Costs not
        taken off.
    costs : mapping of str to float, or DataFrame, optional
        What an arm costs, per customer who gets it, in the unit of y; 0 where nothing is said.
    method : {"ipw", "snipw", "dr"}, optional
        Horvitz-Thompson, self-normalised, or doubly robust. Doubly robust if predictions are given, else
        self-normalised.
    clip : float, optional
        Largest weight; those above are cut, which is told by a warning as it biases the value.
    groups : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once.
    control : str
        The arm without treatment.
    confidence : float
        Of the interval, in (0, 1).

    Returns
    -------
    PolicyValue

    Raises
    ------
    DataError
        Lengths differ, values are missing, a chance is 0, nobody was drawn for an arm that the policy gives,
        or a row of a policy does not sum to one.
    SettingsError
        There is no such method, or a number is out of range.

    Warns
    -----
    AssumptionWarning
        If weights were clipped.

    Notes
    -----
    The interval is that of a mean of influence functions, with whole customers as units. It takes chances as
    known; where they are the shares seen, it is a little too wide. Horvitz-Thompson is unbiased, and unsure
    where outcomes are far from 0.

    References
    ----------
    Dudik, Erhan, Langford and Li (2014), Doubly robust policy evaluation and optimization, Statistical
    Science 29.

    Examples
    --------
    Of four customers two were mailed. Mailing the first two only costs 0.5 each:

    >>> told = policy_value([9.0, 1.0, 2.0, 4.0], ["mail", "control", "mail", "control"], [0.5] * 4,
    ...                     ["mail", "mail", "control", "control"], costs={"mail": 0.5}, method="ipw")
    >>> told.value, told.cost, told.effective_n
    (6.25, 0.25, 2.0)
    """
    asked = ask(y, arm, propensity, predictions, costs, method, clip, groups, control, confidence)
    return _value(asked, chances_of(policy, asked, "the policy"))


def compare_policies(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | pd.DataFrame | None,
    policies: Mapping[str, Policy],
    *,
    reference: str | None = None,
    predictions: pd.DataFrame | None = None,
    costs: Costs = None,
    method: Method | None = None,
    clip: float | None = None,
    groups: npt.ArrayLike | None = None,
    control: str = CONTROL,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Tell what policies would have earned on the same customers, and by how much one is ahead of each other.

    Parameters
    ----------
    y : array_like of shape (n,)
        What happened: 0 or 1, or money.
    arm : array_like of str of shape (n,)
        The arm each customer was drawn for.
    propensity : array_like of shape (n,), DataFrame of shape (n, arms), or None
        Chance of the arm that was drawn, or of every arm; None where all had the same chances.
    policies : mapping of str to array_like of str of shape (n,) or DataFrame of shape (n, arms)
        By name; ``rival_policies`` returns those worth beating.
    reference : str, optional
        The policy that is held against the others; the first if left out.
    predictions : DataFrame of shape (n, arms), optional
        Expected outcome under each arm, of models that have not seen the customer.
    costs : mapping of str to float, or DataFrame, optional
        What an arm costs, per customer who gets it.
    method : {"ipw", "snipw", "dr"}, optional
        As in ``policy_value``.
    clip : float, optional
        Largest weight.
    groups : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once.
    control : str
        The arm without treatment.
    confidence : float
        Of the intervals, in (0, 1).

    Returns
    -------
    DataFrame
        One row per policy: policy, value, lower, upper, cost (taken off already), share_treated,
        effective_n, advantage (value of the reference less this one's), advantage_lower and advantage_upper;
        0 for the reference itself.

    Raises
    ------
    DataError, SettingsError
        As in ``policy_value``; and there is no such reference.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, arm = rng.uniform(size=4000), rng.choice(["control", "mail"], 4000)
    >>> y = 2.0 * (x - 0.5) * (arm == "mail") + rng.normal(size=4000)
    >>> policies = {"above the middle": np.where(x > 0.5, "mail", "control"), "everybody": ["mail"] * 4000}
    >>> table = compare_policies(y, arm, [0.5] * 4000, policies)
    >>> table[["policy", "value", "share_treated", "advantage", "advantage_lower"]].round(2)
                 policy  value  share_treated  advantage  advantage_lower
    0  above the middle   0.25           0.49       0.00             0.00
    1         everybody   0.03           1.00       0.22             0.17
    """
    mine = reference if reference is not None else next(iter(policies), "")
    if mine not in policies:
        raise SettingsError(f"reference must be one of {', '.join(policies) or 'the policies'}, got {mine!r}")
    asked = ask(y, arm, propensity, predictions, costs, method, clip, groups, control, confidence)
    told = {name: _value(asked, chances_of(policy, asked, name)) for name, policy in policies.items()}
    rows: list[dict[str, object]] = []
    for name, one in told.items():
        ahead = mean_of_scores(
            told[mine].scores - one.scores, groups=asked.groups, confidence=asked.confidence
        )
        rows.append(
            {"policy": name, "value": one.value, "lower": one.lower, "upper": one.upper, "cost": one.cost,
             "share_treated": one.share_treated, "effective_n": one.effective_n, "advantage": ahead.value,
             "advantage_lower": ahead.lower, "advantage_upper": ahead.upper}
        )  # fmt: skip
    return pd.DataFrame(rows)


def value_by_budget(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | pd.DataFrame | None,
    effects: pd.DataFrame,
    *,
    shares: Iterable[float] = _SHARES,
    predictions: pd.DataFrame | None = None,
    costs: Costs = None,
    method: Method | None = None,
    clip: float | None = None,
    groups: npt.ArrayLike | None = None,
    control: str = CONTROL,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Tell what treating more and more customers earns over treating nobody, each with its best arm.

    Parameters
    ----------
    y : array_like of shape (n,)
        What happened: 0 or 1, or money.
    arm : array_like of str of shape (n,)
        The arm each customer was drawn for.
    propensity : array_like of shape (n,), DataFrame of shape (n, arms), or None
        Chance of the arm that was drawn, or of every arm; None where all had the same chances.
    effects : DataFrame of shape (n, arms)
        Predicted effects, in the unit of y.
    shares : iterable of float
        Shares of customers that are treated, in [0, 1].
    predictions : DataFrame of shape (n, arms), optional
        Expected outcome under each arm, of models that have not seen the customer.
    costs : mapping of str to float, or DataFrame, optional
        What an arm costs, per customer who gets it.
    method : {"ipw", "snipw", "dr"}, optional
        As in ``policy_value``.
    clip : float, optional
        Largest weight.
    groups : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once.
    control : str
        The arm without treatment.
    confidence : float
        Of the intervals, in (0, 1).

    Returns
    -------
    DataFrame
        One row per share: share, n_treated, cost (per customer of the base), gain (over treating nobody,
        costs taken off, per customer of the base), lower, upper, random (gain of the same arms at random),
        advantage (gain less random), advantage_lower, advantage_upper.

    Raises
    ------
    DataError, SettingsError
        As in ``policy_value`` and ``by_effect``.

    Notes
    -----
    Customers are treated even where the predicted effect does not cover the cost, so that the curve shows
    where it turns. Its highest point is a maximum over many and promises more than it keeps: choose the share
    on other customers than those that say what it earns.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, arm = rng.uniform(size=4000), rng.choice(["control", "mail"], 4000)
    >>> y = 2.0 * (x - 0.5) * (arm == "mail") + rng.normal(size=4000)
    >>> curve = value_by_budget(y, arm, [0.5] * 4000, pd.DataFrame({"mail": x}), shares=[0.5, 1.0])
    >>> curve[["share", "n_treated", "gain", "random"]].round(2)
       share  n_treated  gain  random
    0    0.5     2000.0  0.25    0.01
    1    1.0     4000.0  0.02    0.02
    """
    asked = ask(y, arm, propensity, predictions, costs, method, clip, groups, control, confidence)
    arms = asked.rows.arms
    nobody = _value(
        asked,
        chances_of(for_all(control, index=asked.customers, arms=arms, control=control), asked, "nobody"),
    )
    rows: list[dict[str, object]] = []
    for share in shares:
        policy = by_effect(effects, costs=costs, share=share, even_losses=True, control=control)
        mine, chance = (
            _value(asked, chances_of(one, asked, "effects")) for one in (policy, random_like(policy))
        )
        over = mean_of_scores(mine.scores - nobody.scores, groups=asked.groups, confidence=confidence)
        ahead = mean_of_scores(mine.scores - chance.scores, groups=asked.groups, confidence=confidence)
        rows.append(
            {"share": float(share), "n_treated": mine.share_treated * mine.n, "cost": mine.cost,
             "gain": over.value, "lower": over.lower, "upper": over.upper,
             "random": chance.value - nobody.value, "advantage": ahead.value, "advantage_lower": ahead.lower,
             "advantage_upper": ahead.upper}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _value(asked: AskedAbout, policy: FloatArray) -> PolicyValue:
    rows, n = asked.rows, asked.rows.y.size
    weight = _weights(asked, policy)
    if asked.method == "snipw" and not weight.any():
        raise DataError(
            "no customer got what the policy gives, so that its value is not known; predict it: dr"
        )
    if asked.predicted is not None:
        scores = doubly_robust_scores(rows.y, weight, rows.drawn, policy, asked.predicted)
    elif asked.method == "snipw":
        scores = self_normalised_scores(rows.y, weight)
    else:
        scores = horvitz_thompson_scores(rows.y, weight)
    cost = np.einsum("na,na->n", policy, asked.costs)
    told = mean_of_scores(scores - cost, groups=asked.groups, confidence=asked.confidence)
    return PolicyValue(
        value=told.value,
        lower=told.lower,
        upper=told.upper,
        standard_error=told.standard_error,
        cost=float(cost.mean()),
        share_treated=float(1.0 - policy[:, 0].mean()),
        n=n,
        effective_n=effective_size(weight),
        method=asked.method,
        scores=scores - cost,
    )


def _weights(asked: AskedAbout, policy: FloatArray) -> FloatArray:
    rows = asked.rows
    weight = policy[np.arange(rows.y.size), rows.drawn] / rows.propensity
    if asked.clip is None or not (n_above := int((weight > asked.clip).sum())):
        return weight
    warnings.warn(
        f"{n_above} of {weight.size} weights are above {asked.clip:g} (the largest is {weight.max():.4g}) and"
        " were cut: the value leans towards customers whose arm was likely; raise clip or give predictions",
        AssumptionWarning,
        stacklevel=4,
    )
    return np.minimum(weight, asked.clip)
