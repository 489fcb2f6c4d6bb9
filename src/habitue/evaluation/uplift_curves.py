"""How well customers are ranked by what a treatment does to them: curves, scores with intervals, comparisons.

A ranking by predicted effect is judged on customers whose treatment was drawn by chance, and whom the model
has not seen. What the scores mean, and what libraries call by the same names, is in ``uplift_scores``. A
ranking says nothing about whom to treat at which cost, or about several arms at once: see ``policy_value``.

Intervals draw the customers again and again, and all rankings are judged on the same draws. They do not refit
the models. Gaps between learners are mostly smaller than these intervals; a table without them misleads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.evaluation.bootstrap import RandomState, check_confidence, percentile_interval, weight_chunks
from habitue.evaluation.drawn_arms import CONTROL, Effects, check_drawn, effect_of_arm, two_arms
from habitue.evaluation.pairs import check_labels
from habitue.evaluation.ranking import FloatArray
from habitue.evaluation.uplift_scores import HEADLINE, LIBRARY_SCORES, UPLIFT_SCORES, UpliftScore
from habitue.numerics.uplift_curve import DownTheRanking, down_the_ranking, gain, qini, uplift_at

__all__ = ["compare_uplift", "evaluate_uplift", "uplift_curve"]


def uplift_curve(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | None,
    effect: Effects,
    *,
    treatment: str | None = None,
    control: str = CONTROL,
    groups: npt.ArrayLike | None = None,
    n_points: int = 50,
    n_replicates: int = 200,
    confidence: float = 0.95,
    random_state: RandomState = 0,
) -> pd.DataFrame:
    """Tell what treating more and more customers brings, those with the highest predicted effect first.

    Parameters
    ----------
    y : array_like of shape (n,)
        What happened.
    arm : array_like of str of shape (n,)
        The arm each customer was drawn for.
    propensity : array_like of shape (n,) or None
        Chance of that arm, in (0, 1]; None where all had the same chances.
    effect : array_like of shape (n,) or DataFrame
        What customers are ranked by; of a frame, the column of the treatment.
    treatment : str, optional
        The arm that is judged; others but the control are left out. Needed where there are several.
    control : str
        The arm without treatment.
    groups : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once.
    n_points : int
        Number of shares from the first to all.
    n_replicates : int
        Number of bootstrap draws.
    confidence : float
        Of the intervals, in (0, 1).
    random_state : int or numpy.random.Generator
        Seed.

    Returns
    -------
    DataFrame
        One row per share: share (of customers, from the top), n, uplift (among them), gain (uplift times
        share: per customer of the base), lower and upper (of the gain), random (gain of a random order),
        qini. All but share and n in the unit of y.

    Raises
    ------
    DataError
        Lengths differ, values are missing, an arm or the control is not there, a chance is 0.
    SettingsError
        A number is out of range.

    Notes
    -----
    The intervals are pointwise, for the gain at one share; the best share of the curve is a maximum over
    many and promises more than it keeps.

    References
    ----------
    Radcliffe (2007), Using control groups to target on predicted lift, Direct Marketing Analytics Journal 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, arm = rng.uniform(size=4000), rng.choice(["control", "mail"], 4000)
    >>> y = rng.uniform(size=4000) < 0.1 + 0.2 * x * (arm == "mail")
    >>> curve = uplift_curve(y, arm, None, x, n_points=4, n_replicates=50)
    >>> curve[["share", "n", "uplift", "gain", "random"]].round(2)
       share     n  uplift  gain  random
    0   0.25  1000    0.19  0.05    0.03
    1   0.50  2000    0.16  0.08    0.05
    2   0.75  3000    0.13  0.10    0.08
    3   1.00  4000    0.11  0.11    0.11
    """
    _check_numbers_of_draws(n_replicates, confidence)
    if n_points < 1:
        raise SettingsError(f"n_points must be at least 1, got {n_points}")
    judged = _judged(y, arm, propensity, {"effect": effect}, treatment, control, groups)
    shares = np.arange(1, n_points + 1) / n_points
    ranked = next(judged.down(np.ones((1, judged.y.size))))
    table = {"share": shares, "n": np.round(shares * judged.y.size).astype(int)}
    table["uplift"] = np.array([uplift_at(ranked, share)[0] for share in shares.tolist()])
    table |= {"gain": _at(ranked, gain, shares)[0], "qini": _at(ranked, qini, shares)[0]}
    draws = [
        _at(next(judged.down(counts)), gain, shares)
        for counts in judged.draws(n_replicates=n_replicates, random_state=random_state)
    ]
    ends = np.array([percentile_interval(at, confidence) for at in np.concatenate(draws).T])
    table |= {"lower": ends[:, 0], "upper": ends[:, 1], "random": shares * table["gain"][-1]}
    columns = ["share", "n", "uplift", "gain", "lower", "upper", "random", "qini"]
    return pd.DataFrame(table).reindex(columns=columns)


def evaluate_uplift(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | None,
    effects: Mapping[str, Effects],
    *,
    scores: Iterable[str] = HEADLINE,
    treatment: str | None = None,
    control: str = CONTROL,
    groups: npt.ArrayLike | None = None,
    n_replicates: int = 500,
    confidence: float = 0.95,
    random_state: RandomState = 0,
) -> pd.DataFrame:
    """Judge rankings of customers by predicted effect, each score with its interval.

    Parameters
    ----------
    y : array_like of shape (n,)
        What happened.
    arm : array_like of str of shape (n,)
        The arm each customer was drawn for.
    propensity : array_like of shape (n,) or None
        Chance of that arm, in (0, 1]; None where all had the same chances.
    effects : mapping of str to array_like of shape (n,) or DataFrame
        What each model ranks customers by; of a frame, the column of the treatment.
    scores : iterable of str
        Names in ``UPLIFT_SCORES`` or ``LIBRARY_SCORES``.
    treatment : str, optional
        The arm that is judged. Needed where there are several.
    control : str
        The arm without treatment.
    groups : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once.
    n_replicates : int
        Number of bootstrap draws.
    confidence : float
        Of the intervals, in (0, 1).
    random_state : int or numpy.random.Generator
        Seed. The same seed gives the same intervals, in whatever order the customers come.

    Returns
    -------
    DataFrame
        One row per model and score: model, score, value, lower, upper; nan where a score is not defined.

    Raises
    ------
    DataError
        Lengths differ, values are missing, an arm or the control is not there, a chance is 0, or a score asks
        for outcomes of 0 and 1 and they are others.
    SettingsError
        There is no such score, or a number is out of range.

    Notes
    -----
    Percentile intervals. Scores of libraries count every customer once, as the libraries do, unless chances
    are given.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, arm = rng.uniform(size=4000), rng.choice(["control", "mail"], 4000)
    >>> y = rng.uniform(size=4000) < 0.1 + 0.2 * x * (arm == "mail")
    >>> evaluate_uplift(y, arm, None, {"x": x}, scores=["auuc0", "uplift_at_30"], n_replicates=99).round(3)
      model         score  value  lower  upper
    0     x         auuc0  0.019  0.012  0.027
    1     x  uplift_at_30  0.182  0.145  0.228
    """
    _check_numbers_of_draws(n_replicates, confidence)
    chosen = _chosen(scores)
    judged = _judged(y, arm, propensity, effects, treatment, control, groups)
    values, draws = _values_and_draws(judged, chosen, n_replicates, random_state)
    rows: list[dict[str, object]] = []
    for model, own, drawn in zip(judged.effects, values, draws, strict=True):
        for score, value, row in zip(chosen, own, drawn, strict=True):
            lower, upper = (np.nan, np.nan) if np.isnan(value) else percentile_interval(row, confidence)
            rows.append(
                {"model": model, "score": score.name, "value": float(value), "lower": lower, "upper": upper}
            )
    return pd.DataFrame(rows)


def compare_uplift(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | None,
    effects: Mapping[str, Effects],
    *,
    reference: str | None = None,
    scores: Iterable[str] = ("auuc0",),
    treatment: str | None = None,
    control: str = CONTROL,
    groups: npt.ArrayLike | None = None,
    n_replicates: int = 500,
    confidence: float = 0.95,
    random_state: RandomState = 0,
) -> pd.DataFrame:
    """Tell by how much one ranking is better than others on the same customers, with intervals.

    Parameters
    ----------
    y : array_like of shape (n,)
        What happened.
    arm : array_like of str of shape (n,)
        The arm each customer was drawn for.
    propensity : array_like of shape (n,) or None
        Chance of that arm, in (0, 1]; None where all had the same chances.
    effects : mapping of str to array_like of shape (n,) or DataFrame
        What each model ranks customers by; at least two.
    reference : str, optional
        The model that is held against each other one; the first if left out.
    scores : iterable of str
        Names in ``UPLIFT_SCORES`` or ``LIBRARY_SCORES``.
    treatment : str, optional
        The arm that is judged. Needed where there are several.
    control : str
        The arm without treatment.
    groups : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once.
    n_replicates : int
        Number of bootstrap draws.
    confidence : float
        Of the intervals, in (0, 1).
    random_state : int or numpy.random.Generator
        Seed.

    Returns
    -------
    DataFrame
        One row per score and rival: score, model, rival, value, rival_value, advantage (value less the
        rival's), lower, upper. An interval without 0 says that they differ.

    Raises
    ------
    DataError, SettingsError
        As in ``evaluate_uplift``; and there is no such reference, or nothing to hold against it.

    Notes
    -----
    Paired: both are judged on the same draws, so that what they share cancels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, arm = rng.uniform(size=4000), rng.choice(["control", "mail"], 4000)
    >>> y = rng.uniform(size=4000) < 0.1 + 0.2 * x * (arm == "mail")
    >>> table = compare_uplift(y, arm, None, {"x": x, "upside down": -x}, n_replicates=99)
    >>> table[["rival", "advantage", "lower", "upper"]].round(3)
             rival  advantage  lower  upper
    0  upside down      0.038  0.024  0.052
    """
    _check_numbers_of_draws(n_replicates, confidence)
    chosen, names = _chosen(scores), list(effects)
    mine = reference if reference is not None else next(iter(names), None)
    if mine not in names or len(names) < 2:
        raise SettingsError(
            f"reference must be one of at least two rankings, got {mine!r} of {', '.join(names) or 'none'}"
        )
    judged = _judged(y, arm, propensity, effects, treatment, control, groups)
    values, draws = _values_and_draws(judged, chosen, n_replicates, random_state)
    own = names.index(mine)
    rows: list[dict[str, object]] = []
    for place, score in enumerate(chosen):
        for rival, name in enumerate(names):
            if rival == own:
                continue
            ours, theirs = float(values[own, place]), float(values[rival, place])
            lower, upper = percentile_interval(draws[own, place] - draws[rival, place], confidence)
            rows.append(
                {"score": score.name, "model": mine, "rival": name, "value": ours, "rival_value": theirs,
                 "advantage": ours - theirs, "lower": lower, "upper": upper}
            )  # fmt: skip
    return pd.DataFrame(rows)


class _Judged(NamedTuple):
    """Treated and controls, with what each model ranks them by, in an order that depends on nothing else."""

    y: FloatArray
    is_treated: npt.NDArray[np.bool_]
    weight: FloatArray
    effects: dict[str, FloatArray]
    groups: pd.Series | None

    def down(self, counts: FloatArray) -> Iterator[DownTheRanking]:
        """Go down each model's ranking."""
        for effect in self.effects.values():
            yield down_the_ranking(self.y, self.is_treated, effect, weight=self.weight, counts=counts)

    def draws(self, *, n_replicates: int, random_state: RandomState) -> Iterator[FloatArray]:
        """Draw the customers again, a few replicates at a time."""
        return weight_chunks(
            self.y.size, n_replicates=n_replicates, random_state=random_state, groups=self.groups
        )


def _judged(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    propensity: npt.ArrayLike | None,
    effects: Mapping[str, Effects],
    treatment: str | None,
    control: str,
    groups: npt.ArrayLike | None,
) -> _Judged:
    rows = check_drawn(y, arm, propensity, control=control)
    name, kept = two_arms(rows, treatment)
    said = {model: effect_of_arm(effect, name, y)[kept] for model, effect in effects.items()}
    if not said:
        raise SettingsError("effects must name at least one ranking, e.g. {'T-learner': predicted}")
    is_treated = rows.drawn[kept] > 0
    # Without logged chances customers count alike, as they do in the libraries.
    weight = np.ones(int(kept.sum())) if propensity is None else 1.0 / rows.propensity[kept]
    order = np.lexsort((weight, is_treated, rows.y[kept], *reversed(said.values())))
    who = None
    if groups is not None:
        labels = check_labels(groups, rows.y.size, "groups").to_numpy()[kept][order]
        who = pd.Series(pd.factorize(labels)[0])
    return _Judged(
        rows.y[kept][order],
        is_treated[order],
        weight[order],
        {model: effect[order] for model, effect in said.items()},
        who,
    )


def _chosen(scores: Iterable[str]) -> tuple[UpliftScore, ...]:
    there, names = UPLIFT_SCORES | LIBRARY_SCORES, tuple(scores)
    if unknown := [name for name in names if name not in there]:
        raise SettingsError(f"there is no uplift score {unknown[0]!r}; there are {', '.join(there)}")
    return tuple(there[name] for name in names)


def _values_and_draws(
    judged: _Judged, scores: tuple[UpliftScore, ...], n_replicates: int, random_state: RandomState
) -> tuple[FloatArray, FloatArray]:
    """Return (models, scores) and (models, scores, n_replicates)."""
    if any(score.is_binary for score in scores) and not np.isin(judged.y, (0.0, 1.0)).all():
        names = ", ".join(score.name for score in scores if score.is_binary)
        raise DataError(f"{names} is defined for outcomes of 0 and 1 only; leave it out, or ask for qini0")

    def by_each(counts: FloatArray) -> FloatArray:
        return np.array([[score.function(one) for score in scores] for one in judged.down(counts)])

    values = by_each(np.ones((1, judged.y.size)))[:, :, 0]
    chunks = judged.draws(n_replicates=n_replicates, random_state=random_state)
    return values, np.concatenate([by_each(counts) for counts in chunks], axis=2)


def _at(
    ranked: DownTheRanking, curve: Callable[[DownTheRanking], FloatArray], shares: FloatArray
) -> FloatArray:
    """Return the height of a curve at each share, shape (B, shares)."""
    above = ranked.customers / ranked.customers[:, -1:]
    rows = zip(above, curve(ranked), strict=True)
    return np.array([np.interp(shares, x, heights) for x, heights in rows])


def _check_numbers_of_draws(n_replicates: int, confidence: float) -> None:
    if n_replicates < 1:
        raise SettingsError(f"n_replicates must be at least 1, got {n_replicates}")
    check_confidence(confidence)
