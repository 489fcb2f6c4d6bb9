"""Models side by side on the same draws: how good each is, and by how much one is better than another.

Customers are drawn once, and every model is judged on each draw: so one pass gives both the interval of each
score and the interval of each difference, in which what the models share cancels (see ``bootstrap``). It is
deliberately not the rule that crowns a champion: that compares two models, by one score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.evaluation.bootstrap import percentile_interval, weight_chunks
from habitue.evaluation.pairs import check_pair
from habitue.evaluation.ranking import FloatArray
from habitue.evaluation.scores import SCORES, Score

__all__ = ["Judged", "comparison_table", "judge", "score_table"]

_KEYS: Final = ["cutoff", "customer_id"]
_COMPARED: Final = [
    "target", "score", "model", "rival", "value", "rival_value", "advantage", "lower", "upper", "verdict",
]  # fmt: skip


class Judged(NamedTuple):
    """Every model by every score, on all customers and on each draw of them.

    Attributes
    ----------
    target : str
        What was predicted.
    models : tuple of str
        In the order of the frame.
    scores : tuple of Score
        Those of the target.
    values : ndarray of shape (n_models, n_scores)
        nan where a score is not defined.
    draws : ndarray of shape (n_models, n_scores, n_replicates)
        The same for each draw of the customers.
    """

    target: str
    models: tuple[str, ...]
    scores: tuple[Score, ...]
    values: FloatArray
    draws: FloatArray


def judge(frame: pd.DataFrame, target: str, *, n_replicates: int = 200, random_state: int = 0) -> Judged:
    """Judge all models of one target on the same draws of the customers.

    Parameters
    ----------
    frame : DataFrame
        `Backtest.frame`: cutoff, customer_id, target, model, prediction, outcome.
    target : str
        "churned", "spend" or "n_purchases".
    n_replicates : int
        Draws. Whole customers are drawn, with all their cutoffs.
    random_state : int
        Seed.

    Returns
    -------
    Judged

    Raises
    ------
    SettingsError
        Where the frame has no such target, or there is no draw.
    DataError
        Where models were not asked about the same customers, or said what is no prediction.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(size=500)
    >>> left = (rng.uniform(size=500) < p).astype(float)
    >>> rows = {"cutoff": 1, "customer_id": range(500), "target": "churned", "outcome": left}
    >>> frame = pd.concat([pd.DataFrame(rows | {"model": "knows", "prediction": p}),
    ...                    pd.DataFrame(rows | {"model": "guesses", "prediction": 0.5})])
    >>> judged = judge(frame, "churned", n_replicates=50)
    >>> judged.models, judged.draws.shape[2]
    (('knows', 'guesses'), 50)
    """
    rows = frame.loc[frame["target"] == target]
    if target not in SCORES or rows.empty:
        there = ", ".join(map(str, dict.fromkeys(frame["target"]))) or "none"
        raise SettingsError(f"There is no target {target!r} in these predictions; there are {there}.")
    said = _side_by_side(rows)
    models, scores = tuple(map(str, said.columns)), SCORES[target]
    outcome = rows.loc[rows["model"] == said.columns[0]].set_index(_KEYS)["outcome"]
    asked = [_in_order(outcome.to_numpy(), said[name].to_numpy(), target) for name in said.columns]
    values = np.array([_by_each(scores, one, np.ones((1, len(said))))[:, 0] for one in asked])
    several = said.index.get_level_values("cutoff").nunique() > 1
    who = said.index.get_level_values("customer_id").to_numpy() if several else None
    chunks = weight_chunks(len(said), n_replicates=n_replicates, random_state=random_state, groups=who)
    draws = [np.array([_by_each(scores, one, drawn) for one in asked]) for drawn in chunks]
    return Judged(target, models, scores, values, np.concatenate(draws, axis=2))


class _Asked(NamedTuple):
    """What one model said, in its own order: sorted once, the scores need not sort in every draw."""

    order: npt.NDArray[np.intp]
    outcome: FloatArray
    prediction: FloatArray


def _in_order(outcome: FloatArray, prediction: FloatArray, target: str) -> _Asked:
    actual, predicted = check_pair(outcome, prediction, target=target)
    order = np.lexsort((actual, predicted))
    return _Asked(order, actual[order], predicted[order])


def _by_each(scores: Sequence[Score], asked: _Asked, weights: FloatArray) -> FloatArray:
    """Return (n_scores, n_ways) of one model."""
    own = np.take(weights, asked.order, axis=1)
    return np.array([score.function(asked.outcome, asked.prediction, own) for score in scores])


def _side_by_side(rows: pd.DataFrame) -> pd.DataFrame:
    """Return predictions with a column for each model, in the first one's order of customers."""
    said: dict[str, pd.Series] = {}
    for name, some in rows.groupby("model", sort=False, observed=True):
        said[str(name)] = pd.Series(some.set_index(_KEYS)["prediction"])
    leader, first = next(iter(said.items()))
    for name, one in said.items():
        if not one.index.equals(first.index):
            if len(one) != len(first) or not first.index.is_unique or not first.index.isin(one.index).all():
                raise DataError(
                    f"Models are compared on the same customers: {name} was asked about {len(one)} rows, "
                    f"{leader} about {len(first)}; leave the other rows out."
                )
            said[name] = one.reindex(first.index)
    return pd.DataFrame(said, index=first.index)


def score_table(judged: Judged, *, confidence: float = 0.95) -> pd.DataFrame:
    """Tell each model's scores with their intervals.

    Parameters
    ----------
    judged : Judged
        Of `judge`.
    confidence : float
        Of the percentile intervals, in (0, 1).

    Returns
    -------
    DataFrame
        target, model, score, value, lower, upper: as `Backtest.scores`, but for what chance does to the ends.

    Raises
    ------
    SettingsError
        If `confidence` is out of range.
    """
    _check(confidence)
    rows: list[dict[str, object]] = []
    for model, values, draws in zip(judged.models, judged.values, judged.draws, strict=True):
        for score, value, drawn in zip(judged.scores, values, draws, strict=True):
            lower, upper = (np.nan, np.nan) if np.isnan(value) else percentile_interval(drawn, confidence)
            rows.append(
                {"target": judged.target, "model": model, "score": score.name,
                 "value": float(value), "lower": lower, "upper": upper}
            )  # fmt: skip
    return pd.DataFrame(rows)


def comparison_table(
    judged: Judged, models: Sequence[str], *, confidence: float = 0.95, headline_only: bool = True
) -> pd.DataFrame:
    """Tell by how much models are better than every other one, with intervals of the differences.

    Parameters
    ----------
    judged : Judged
        Of `judge`.
    models : sequence of str
        Those that are compared, each with all others.
    confidence : float
        Of the percentile intervals, in (0, 1).
    headline_only : bool
        Whether only the scores are told that stand in small tables.

    Returns
    -------
    DataFrame
        target, score, model, rival, value, rival_value, advantage, lower, upper, verdict. The advantage is in
        the score's unit and above 0 where the model is the better one: the difference of the two where more
        is better, turned round where less is; where a score has an ideal, how much nearer to it the model is.
        The verdict is "clearly better" or "clearly worse" where the interval leaves out 0, else "better",
        "worse" or "level". A score that is not defined for one of the two has no row.

    Raises
    ------
    SettingsError
        If `confidence` is out of range, or there is no such model.

    Notes
    -----
    Each difference has its own interval; for many of them together it promises less: of twenty where there is
    nothing, one is expected to be called clear.

    Examples
    --------
    >>> outcome = np.tile([0.0, 20.0], 100)
    >>> rows = {"cutoff": 1, "customer_id": range(200), "target": "spend", "outcome": outcome}
    >>> frame = pd.concat([pd.DataFrame(rows | {"model": "near", "prediction": outcome + 1.0}),
    ...                    pd.DataFrame(rows | {"model": "far", "prediction": outcome + 3.0})])
    >>> table = comparison_table(judge(frame, "spend", n_replicates=50), ["near"])
    >>> table.loc[table["score"] == "mae", ["rival", "advantage", "verdict"]].values.tolist()
    [['far', 2.0, 'clearly better']]
    """
    _check(confidence)
    if unknown := [name for name in models if name not in judged.models]:
        raise SettingsError(
            f"There is no model {', '.join(map(repr, unknown))}; there are {', '.join(judged.models)}."
        )
    rows = [
        row
        for place, score in enumerate(judged.scores)
        if score.is_headline or not headline_only
        for model in models
        for row in _against(judged, place, judged.models.index(model), confidence)
    ]
    return pd.DataFrame(rows, columns=_COMPARED)


def _against(judged: Judged, place: int, mine: int, confidence: float) -> list[dict[str, object]]:
    """Compare one model with all others by one score, where it is defined for both."""
    score = judged.scores[place]
    losses, drawn = (score.loss(one[:, place]) for one in (judged.values, judged.draws))
    rows: list[dict[str, object]] = []
    for rival, name in enumerate(judged.models):
        advantage = float(losses[rival] - losses[mine])
        if rival == mine or np.isnan(advantage):
            continue
        lower, upper = percentile_interval(drawn[rival] - drawn[mine], confidence)
        rows.append(
            {"target": judged.target, "score": score.name, "model": judged.models[mine], "rival": name,
             "value": float(judged.values[mine, place]), "rival_value": float(judged.values[rival, place]),
             "advantage": advantage, "lower": lower, "upper": upper,
             "verdict": _verdict(advantage, lower, upper)}
        )  # fmt: skip
    return rows


def _verdict(advantage: float, lower: float, upper: float) -> str:
    if lower > 0.0 or upper < 0.0:
        return "clearly better" if lower > 0.0 else "clearly worse"
    if advantage == 0.0:
        return "level"
    return "better" if advantage > 0.0 else "worse"


def _check(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise SettingsError(f"confidence must lie between 0 and 1, e.g. 0.95, got {confidence}")
