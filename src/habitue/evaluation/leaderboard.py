"""Who wins, by what, and whether beyond chance: many models on one data set, and ranks over several.

Predictions and outcomes go in, ranked tables come out; ``leaderboard_words`` says what they mean. The model
that is one's own is compared, score by score, with whichever rival is best by that score: chosen after the
fact, so that the comparison leans towards the rival. It deliberately fits nothing and reads nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from habitue.evaluation.bootstrap import compare, evaluate
from habitue.evaluation.ranking import FloatArray
from habitue.evaluation.scores import SCORES, Score

__all__ = ["Standings", "mean_ranks", "oriented", "ranked", "standings"]

_KEYS = ["target", "model", "score"]


@dataclass(frozen=True)
class Standings:
    """How models did on one data set.

    Attributes
    ----------
    scores : DataFrame
        target, model, score, value, lower, upper, rank: 1 is best; a score that is not defined for a model is
        ranked last.
    duels : DataFrame
        Each model of one's own against the rival that is best by a score: target, model, score, rival, gain
        (how much better the former is; below 0 worse), lower, upper.
    """

    scores: pd.DataFrame
    duels: pd.DataFrame


class _Draws(NamedTuple):
    """How the bootstrap is done."""

    n_replicates: int
    confidence: float
    random_state: int


class _Told(NamedTuple):
    """One model's rows of a target."""

    outcome: FloatArray
    prediction: FloatArray
    groups: np.ndarray | None


def oriented(score: Score) -> Score:
    """Return the same score turned so that more is better, whichever way it goes.

    Parameters
    ----------
    score : Score
        One whose ideal is a value in between becomes the distance from it, below 0.

    Examples
    --------
    >>> bias = next(one for one in SCORES["spend"] if one.name == "bias")
    >>> oriented(bias)([10.0, 10.0], [12.0, 12.0])
    -0.2
    """

    def turned(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
        return -score.loss(score.function(outcome, prediction, weights))

    return replace(score, function=turned, greater_is_better=True, ideal=None)


def standings(
    frame: pd.DataFrame,
    ours: Collection[str],
    *,
    n_replicates: int = 200,
    confidence: float = 0.95,
    random_state: int = 0,
) -> Standings:
    """Score all models, and compare one's own with the best rival by each score.

    Parameters
    ----------
    frame : DataFrame
        Tidy: customer_id, target, model, prediction, outcome; of a target all models have the same rows in
        the same order, as in `Backtest.frame`.
    ours : collection of str
        Names of one's own models; all others are rivals.
    n_replicates : int
        Bootstrap draws; twice as many in comparisons. Customers are drawn with all their rows.
    confidence : float
        Of the intervals, in (0, 1).
    random_state : int
        Seed.

    Returns
    -------
    Standings

    Raises
    ------
    DataError
        Where predictions are none of their target.
    SettingsError
        Where `confidence` or `n_replicates` is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> chance, n = rng.uniform(size=400), 400
    >>> rows = {"customer_id": range(n), "target": "churned", "outcome": rng.uniform(size=n) < chance}
    >>> sure = pd.DataFrame(rows | {"model": "boosted", "prediction": chance})
    >>> flat = pd.DataFrame(rows | {"model": "the mean", "prediction": 0.5})
    >>> found = standings(pd.concat([sure, flat]), ["boosted"], n_replicates=50)
    >>> found.scores.loc[found.scores["score"] == "auc", ["model", "rank"]].to_numpy().tolist()
    [['boosted', 1.0], ['the mean', 2.0]]
    """
    draws = _Draws(n_replicates, confidence, random_state)
    scores: list[pd.DataFrame] = []
    duels: list[dict[str, Any]] = []
    for target in SCORES:
        told = _told(frame, target)
        if told:
            table = ranked(_scored(told, target, draws))
            scores.append(table)
            duels += _duels(told, target, table, ours, draws)
    columns = [*_KEYS, "rival", "gain", "lower", "upper"]
    return Standings(pd.concat(scores, ignore_index=True), pd.DataFrame(duels, columns=columns))


def _scored(told: Mapping[str, _Told], target: str, draws: _Draws) -> pd.DataFrame:
    """Return the scores of each model, with intervals."""
    parts = [
        evaluate(
            one.outcome,
            one.prediction,
            SCORES[target],
            groups=one.groups,
            n_replicates=draws.n_replicates,
            confidence=draws.confidence,
            random_state=draws.random_state,
        ).assign(target=target, model=name)
        for name, one in told.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _duels(
    told: Mapping[str, _Told], target: str, table: pd.DataFrame, ours: Collection[str], draws: _Draws
) -> list[dict[str, Any]]:
    """Compare each of one's own models with the best rival, score by score, on the same draws."""
    duels: list[dict[str, Any]] = []
    for name, score in ((name, score) for name in told if name in ours for score in SCORES[target]):
        rival = _best_rival(table, score.name, ours)
        if rival is None:
            continue
        gain = compare(
            told[name].outcome,
            told[name].prediction,
            told[rival].prediction,
            oriented(score),
            groups=told[name].groups,
            n_replicates=2 * draws.n_replicates,
            confidence=draws.confidence,
            random_state=draws.random_state,
        )
        duel = {"target": target, "model": name, "score": score.name, "rival": rival}
        duels.append(duel | {"gain": gain.value, "lower": gain.lower, "upper": gain.upper})
    return duels


def _told(frame: pd.DataFrame, target: str) -> dict[str, _Told]:
    """Return what each model said of a target; customers are drawn whole where they appear more than once."""
    told: dict[str, _Told] = {}
    for name, rows in frame.loc[frame["target"] == target].groupby("model", sort=False, observed=True):
        customers = rows["customer_id"]
        told[str(name)] = _Told(
            rows["outcome"].to_numpy(dtype="float64"),
            rows["prediction"].to_numpy(dtype="float64"),
            customers.to_numpy() if customers.duplicated().any() else None,
        )
    return told


def _best_rival(table: pd.DataFrame, score: str, ours: Collection[str]) -> str | None:
    """Return the rival with the lowest rank by a score; None where no rival has one."""
    rows = table.loc[(table["score"] == score) & ~table["model"].isin(list(ours)) & table["value"].notna()]
    return None if rows.empty else str(rows.loc[rows["rank"].idxmin(), "model"])


def ranked(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores with the rank of each model by target and score.

    Parameters
    ----------
    scores : DataFrame
        target, model, score, value, lower, upper.

    Returns
    -------
    DataFrame
        The same with rank: 1 is best, equals (to five digits) share the mean of their places, what is not
        defined is last.
    """
    known = {(one.target, one.name): one for target in SCORES for one in SCORES[target]}
    better = pd.Series(np.nan, index=scores.index)
    for key, rows in scores.groupby(["target", "score"], sort=False):
        target, name = key if isinstance(key, tuple) else (key, "")
        values = rows["value"].to_numpy(dtype="float64")
        # One model under two names (a family of regular buyers with k = 1) differs in the last digits.
        told = np.array([float(f"{value:.5g}") for value in values])
        better.loc[rows.index] = -known[str(target), str(name)].loss(told)
    places = better.groupby([scores["target"], scores["score"]], sort=False).rank(
        ascending=False, na_option="bottom"
    )
    columns = [*_KEYS, "value", "lower", "upper", "rank"]
    return scores.assign(rank=places).reindex(columns=columns)


def mean_ranks(results: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return each model's mean rank over data sets and scores.

    Parameters
    ----------
    results : iterable of DataFrame
        `Standings.scores` of each data set.

    Returns
    -------
    DataFrame
        target, model, mean_rank, n_first (tables of one score that it leads, or shares the lead of), n_scores
        (in how many it is), n_data; best first within each target.

    Examples
    --------
    >>> rows = [("churned", "a", "auc", 0.8, 0.7, 0.9, 1.0), ("churned", "b", "auc", 0.7, 0.6, 0.8, 2.0)]
    >>> table = pd.DataFrame(rows, columns=["target", "model", "score", "value", "lower", "upper", "rank"])
    >>> mean_ranks([table, table])[["model", "mean_rank", "n_first", "n_data"]].to_numpy().tolist()
    [['a', 1.0, 2, 2], ['b', 2.0, 0, 2]]
    """
    parts = [scores.assign(data=place) for place, scores in enumerate(results)]
    if not parts:
        return pd.DataFrame(columns=["target", "model", "mean_rank", "n_first", "n_scores", "n_data"])
    every = pd.concat(parts, ignore_index=True)
    best = every.groupby(["data", "target", "score"], sort=False)["rank"].transform("min")
    every = every.assign(is_first=(every["rank"] == best) & every["value"].notna())
    table = every.groupby(["target", "model"], sort=False).agg(
        mean_rank=("rank", "mean"),
        n_first=("is_first", "sum"),
        n_scores=("rank", "size"),
        n_data=("data", "nunique"),
    )
    order = {target: place for place, target in enumerate(SCORES)}
    table = table.reset_index()
    return table.sort_values(
        ["target", "mean_rank"],
        key=lambda one: one.map(order) if one.name == "target" else one,
        kind="stable",
    ).reset_index(drop=True)
