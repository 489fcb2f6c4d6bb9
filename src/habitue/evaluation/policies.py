"""Ways of choosing whom to treat with what, as chances: the model's, and those it has to beat.

A policy is a frame with one row per customer and one column per arm, the control among them: the chance
that the policy gives the customer the arm; a row sums to one. A firm choice is a chance of one. Where a
budget ends among customers who are tied, they share what is left of it, so that no order of rows decides.

Nothing is judged here: ``policy_value`` does that. Several offers under limits are for ``habitue.decisions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.evaluation.drawn_arms import CONTROL
from habitue.evaluation.pairs import check_numbers
from habitue.evaluation.ranking import FloatArray

__all__ = ["arm_costs", "by_effect", "by_score", "for_all", "random_like", "rival_policies"]

Costs = Mapping[str, float] | pd.DataFrame | None


def by_effect(
    effects: pd.DataFrame,
    *,
    costs: Costs = None,
    share: float = 1.0,
    even_losses: bool = False,
    control: str = CONTROL,
) -> pd.DataFrame:
    """Give each customer the arm with the highest predicted effect net of its cost, up to a share of them.

    Parameters
    ----------
    effects : DataFrame of shape (n, arms)
        Predicted effect of each arm against the control, in the unit of the costs.
    costs : mapping of str to float, or DataFrame, optional
        What an arm costs, per customer; 0 where nothing is said.
    share : float
        At most this share of the customers is treated, in [0, 1].
    even_losses : bool
        Whether customers are treated whose predicted effect does not cover the cost.
    control : str
        The arm without treatment.

    Returns
    -------
    DataFrame of shape (n, arms + 1)
        Chances, the control first.

    Raises
    ------
    DataError
        Effects are missing.
    SettingsError
        The share is out of range, or costs name an arm that is not there.

    Examples
    --------
    >>> effects = pd.DataFrame({"mail": [5.0, 1.0, 3.0], "phone": [6.0, 2.0, -1.0]})
    >>> by_effect(effects, costs={"mail": 2.0, "phone": 4.0})
       control  mail  phone
    0      0.0   1.0    0.0
    1      1.0   0.0    0.0
    2      0.0   1.0    0.0
    """
    _check_share(share)
    arms = [str(name) for name in effects.columns if name != control]
    net = effects[arms].to_numpy(dtype=np.float64) - arm_costs(costs, effects.index, [control, *arms])[:, 1:]
    if not np.isfinite(net).all():
        raise DataError(
            f"effects must be finite, {int((~np.isfinite(net)).any(axis=1).sum())} customers' are not"
        )
    best = net.max(axis=1)
    treated = _first(best, share * len(net))
    if not even_losses:
        treated = np.where(best > 0.0, treated, 0.0)
    which = net == best[:, np.newaxis]
    return _policy(
        which / which.sum(axis=1, keepdims=True) * treated[:, np.newaxis], arms, effects.index, control
    )


def by_score(
    score: npt.ArrayLike, arm: str, *, n_treated: float, arms: Sequence[str], control: str = CONTROL
) -> pd.DataFrame:
    """Give one arm to those with the highest score, such as a churn risk, however little it does to them.

    Parameters
    ----------
    score : array_like of shape (n,)
        The highest are treated.
    arm : str
        What they get.
    n_treated : float
        How many, from 0 to n.
    arms : sequence of str
        All arms.
    control : str
        The arm without treatment.

    Returns
    -------
    DataFrame of shape (n, arms)
        Chances, the control first. Customers tied at the end share what is left.

    Raises
    ------
    DataError
        Scores are missing.
    SettingsError
        There is no such arm, or more are to be treated than there are.

    Examples
    --------
    >>> by_score([0.9, 0.2, 0.2], "mail", n_treated=2, arms=["control", "mail"])
       control  mail
    0      0.0   1.0
    1      0.5   0.5
    2      0.5   0.5
    """
    numbers = check_numbers(score, "score")
    _check_share(n_treated / numbers.size)
    index = score.index if isinstance(score, pd.Series) else pd.RangeIndex(numbers.size)
    others = [name for name in arms if name != control]
    _check_arm(arm, others)
    chances = _first(numbers, n_treated)[:, np.newaxis] * (np.array(others) == arm)
    return _policy(chances, others, index, control)


def for_all(arm: str, *, index: pd.Index, arms: Sequence[str], control: str = CONTROL) -> pd.DataFrame:
    """Give everybody the same arm; the control's is the policy of doing nothing.

    Parameters
    ----------
    arm : str
        What they get.
    index : Index of length n
        The customers.
    arms : sequence of str
        All arms.
    control : str
        The arm without treatment.

    Returns
    -------
    DataFrame of shape (n, arms)
        Chances, the control first.

    Raises
    ------
    SettingsError
        There is no such arm.

    Examples
    --------
    >>> for_all("control", index=pd.RangeIndex(2), arms=["control", "mail"])
       control  mail
    0      1.0   0.0
    1      1.0   0.0
    """
    others = [name for name in arms if name != control]
    _check_arm(arm, [control, *others])
    return _policy(np.tile(np.array(others) == arm, (len(index), 1)) * 1.0, others, index, control)


def random_like(policy: pd.DataFrame) -> pd.DataFrame:
    """Give everybody the chances that the policy gives on average: the same budget, at random.

    Parameters
    ----------
    policy : DataFrame of shape (n, arms)
        Chances.

    Returns
    -------
    DataFrame of shape (n, arms)
        The same row for all.

    Examples
    --------
    >>> random_like(pd.DataFrame({"control": [0.0, 1.0], "mail": [1.0, 0.0]}))
       control  mail
    0      0.5   0.5
    1      0.5   0.5
    """
    shares = np.tile(policy.to_numpy(dtype=np.float64).mean(axis=0), (len(policy), 1))
    return pd.DataFrame(shares, index=policy.index, columns=policy.columns)


def rival_policies(
    policy: pd.DataFrame,
    *,
    scores: Mapping[str, npt.ArrayLike] | None = None,
    score_arm: str | None = None,
    control: str = CONTROL,
) -> dict[str, pd.DataFrame]:
    """Return the policies that one has to beat to be worth having.

    Parameters
    ----------
    policy : DataFrame of shape (n, arms)
        Chances of the policy that is judged.
    scores : mapping of str to array_like of shape (n,), optional
        What customers could be chosen by instead, such as ``{"churn risk": churn_probability}``. As many are
        treated as by the policy.
    score_arm : str, optional
        What those chosen by a score get; the arm that the policy gives most if left out.
    control : str
        The arm without treatment.

    Returns
    -------
    dict of str to DataFrame
        "random, same budget", "nobody", "everybody: ARM" of each arm, and "by SCORE" of each score.

    Raises
    ------
    SettingsError
        There is no such arm.
    DataError
        Scores are missing.

    Examples
    --------
    >>> policy = pd.DataFrame({"control": [0.0, 1.0], "mail": [1.0, 0.0]})
    >>> list(rival_policies(policy, scores={"churn risk": [0.2, 0.9]}))
    ['random, same budget', 'nobody', 'everybody: mail', 'by churn risk']
    """
    arms = [str(name) for name in policy.columns]
    others = [name for name in arms if name != control]
    of_each = policy[others].to_numpy(dtype=np.float64).sum(axis=0)
    chosen = score_arm if score_arm is not None else others[int(np.argmax(of_each))]
    rivals = {"random, same budget": random_like(policy)}
    rivals["nobody"] = for_all(control, index=policy.index, arms=arms, control=control)
    for name in others:
        rivals[f"everybody: {name}"] = for_all(name, index=policy.index, arms=arms, control=control)
    for name, score in (scores or {}).items():
        one = by_score(score, chosen, n_treated=float(of_each.sum()), arms=arms, control=control)
        rivals[f"by {name}"] = one.set_axis(policy.index)
    return rivals


def arm_costs(costs: Costs, index: pd.Index, arms: Sequence[str]) -> FloatArray:
    """Return what each arm costs for each customer.

    Parameters
    ----------
    costs : mapping of str to float, DataFrame of shape (n, some arms), or None
        Money per customer who gets the arm; 0 where nothing is said.
    index : Index of length n
        The customers.
    arms : sequence of str
        All arms.

    Returns
    -------
    ndarray of shape (n, arms)

    Raises
    ------
    SettingsError
        An arm is named that is not there, or a cost is no finite number.
    DataError
        A frame of costs has other rows.

    Examples
    --------
    >>> arm_costs({"mail": 0.15}, pd.RangeIndex(2), ["control", "mail"])
    array([[0.  , 0.15],
           [0.  , 0.15]])
    """
    if costs is None:
        return np.zeros((len(index), len(arms)))
    names = list(costs.columns) if isinstance(costs, pd.DataFrame) else list(costs)
    if unknown := [name for name in names if name not in arms]:
        raise SettingsError(f"costs name the arm {unknown[0]!r}; there are {', '.join(map(repr, arms))}")
    if isinstance(costs, pd.DataFrame):
        if len(costs) != len(index):
            raise DataError(f"costs must have a row for each of {len(index)} customers, got {len(costs)}")
        each = costs.reindex(columns=list(arms)).to_numpy(dtype=np.float64)
        each[:, [name not in names for name in arms]] = 0.0
    else:
        each = np.tile([float(costs.get(name, 0.0)) for name in arms], (len(index), 1))
    if not np.isfinite(each).all():
        raise SettingsError("costs must be finite amounts of money, 0 where an arm is free")
    return each


def _first(score: FloatArray, n_treated: float) -> FloatArray:
    """Return the chance of each customer to be among so many, the highest scores first."""
    _, run, size = np.unique(-score, return_inverse=True, return_counts=True)
    before = np.cumsum(size) - size
    return np.clip((n_treated - before) / size, 0.0, 1.0)[run]


def _policy(chances: FloatArray, arms: list[str], index: pd.Index, control: str) -> pd.DataFrame:
    rest = 1.0 - chances.sum(axis=1, keepdims=True)
    return pd.DataFrame(np.hstack([np.maximum(rest, 0.0), chances]), index=index, columns=[control, *arms])


def _check_share(share: float) -> None:
    if not 0.0 <= share <= 1.0:
        raise SettingsError(f"the share that is treated must lie in [0, 1], got {share:.6g}")


def _check_arm(arm: str, arms: list[str]) -> None:
    if arm not in arms:
        raise SettingsError(f"there is no arm {arm!r}; there are {', '.join(map(repr, arms))}")
