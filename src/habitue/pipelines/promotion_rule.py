"""Whether a challenger may take the champion's place: better on the same days, and keeping the floors.

It judges a frame of predictions and outcomes, and deliberately neither asks models nor moves aliases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import pandas as pd

from habitue.evaluation import SCORES, Score
from habitue.evaluation.bootstrap import compare, percentile_interval
from habitue.evaluation.paired import Judged, comparison_table
from habitue.evaluation.ranking import FloatArray
from habitue.pipelines.recipes import ChampionRule, Recipe
from habitue.vocabulary import one_or_many

__all__ = ["Pair", "Verdict", "judge_challenger"]

_MORE_DRAWS: Final = 5
"""Times as many draws for segments: of several, each interval is wider, and its ends are rarer draws."""


@dataclass(frozen=True)
class Pair:
    """Who is compared.

    Attributes
    ----------
    champion, challenger : str
        Their names in the frame.
    is_simpler : bool
        Whether the challenger stands before the champion in the recipe: where the data cannot tell them
        apart, the simpler one is preferred.
    """

    champion: str
    challenger: str
    is_simpler: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the rule says.

    Attributes
    ----------
    why : str
        One sentence: both values, their difference and its interval.
    failed : tuple of str
        Each condition that was not kept, in a sentence; empty where the challenger passes.
    """

    why: str
    failed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the challenger may take the champion's place."""
        return not self.failed


def judge_challenger(
    frame: pd.DataFrame, segments: pd.Series | None, judged: Judged, pair: Pair, recipe: Recipe
) -> Verdict:
    """Apply a recipe's rule to what champion and challenger said.

    Parameters
    ----------
    frame : DataFrame
        cutoff, customer_id, target, model, prediction, outcome; as `Backtest.frame`.
    segments : Series or None
        The kind of each customer, indexed by (cutoff, customer_id); None where there are none.
    judged : Judged
        All models of the frame on the same draws.
    pair : Pair
        Who is compared.
    recipe : Recipe
        Says by what score, how clearly, and which floors.

    Returns
    -------
    Verdict

    Notes
    -----
    The challenger is better where the lower end of the paired bootstrap interval of its advantage lies above
    the margin. A simpler one passes also where the interval does not lie below 0, unless a margin is asked
    for. A calibration floor is broken where the whole interval lies outside of the limits and the champion's
    value is not further from the ideal: if a season puts both of them off, the better one may be champion. A
    segment counts against the challenger where the interval of the champion's advantage lies above what is
    allowed; with s segments that are large enough, each has confidence 1 - (1 - confidence) / s (Bonferroni),
    so that all of them together cry wolf no more often than one would.

    Examples
    --------
    >>> import numpy as np
    >>> from habitue.evaluation.paired import judge
    >>> from habitue.pipelines.recipes import built_in_recipe
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(size=800)
    >>> left = (rng.uniform(size=800) < p).astype(float)
    >>> rows = {"cutoff": 1, "customer_id": range(800), "target": "churned", "outcome": left}
    >>> frame = pd.concat([pd.DataFrame(rows | {"model": "knows", "prediction": p}),
    ...                    pd.DataFrame(rows | {"model": "guesses", "prediction": 0.5})])
    >>> judged, recipe = judge(frame, "churned", n_replicates=50), built_in_recipe("churn")[0]
    >>> judge_challenger(frame, None, judged, Pair("guesses", "knows"), recipe).passed
    True
    >>> print(*judge_challenger(frame, None, judged, Pair("knows", "guesses"), recipe).failed)
    By log_loss guesses is worse than knows (0.6931 against 0.5227; 95% interval ...
    """
    rule = recipe.champion
    why, better = _compared(judged, pair, rule)
    failed = [] if better else [why]
    failed += _off_in_calibration(judged, pair, rule)
    if segments is not None:
        failed += _worse_in_segments(frame, segments, pair, recipe)
    return Verdict(why, tuple(failed))


def _compared(judged: Judged, pair: Pair, rule: ChampionRule) -> tuple[str, bool]:
    """Say how the two compare by the metric, and whether that is enough."""
    one = _advantage(judged, pair, rule.metric, rule.confidence)
    if one is None:
        return f"{rule.metric} is not defined on these days, so nothing can be compared.", False
    enough = one.lower > rule.margin
    simpler = pair.is_simpler and rule.margin == 0.0 and one.upper >= 0.0
    if enough:
        so = f"better than {pair.champion}"
        so += f" by more than the margin of {rule.margin:g}" if rule.margin else ""
    elif simpler:
        so = f"not worse than {pair.champion} beyond chance, and the simpler of the two"
    elif one.advantage == 0 or one.upper < 0:
        so = f"{'level with' if one.advantage == 0 else 'worse than'} {pair.champion}"
    elif rule.margin and one.lower > 0:
        so = f"better than {pair.champion}, but not by the margin of {rule.margin:g} beyond chance"
    else:
        so = f"not better than {pair.champion} beyond chance"
    told = (
        f"{one.value:.4f} against {one.rival:.4f}; {rule.confidence:.0%} interval of the advantage "
        f"{one.lower:+.4f} to {one.upper:+.4f}"
    )
    return f"By {rule.metric} {pair.challenger} is {so} ({told}).", enough or simpler


class _Advantage(NamedTuple):
    """Values of challenger and champion, and by how much the challenger is better."""

    value: float
    rival: float
    advantage: float
    lower: float
    upper: float


def _advantage(judged: Judged, pair: Pair, metric: str, confidence: float) -> _Advantage | None:
    """Set the challenger against the champion; None where the score is not defined for both."""
    table = comparison_table(judged, [pair.challenger], confidence=confidence, headline_only=False)
    rows = table.loc[(table["score"] == metric) & (table["rival"] == pair.champion)]
    columns = ["value", "rival_value", "advantage", "lower", "upper"]
    return None if rows.empty else _Advantage(*rows[columns].to_numpy(dtype="float64")[0].tolist())


def _off_in_calibration(judged: Judged, pair: Pair, rule: ChampionRule) -> list[str]:
    """Say by which scores of calibration the challenger is off, and no less than the champion."""
    floor = rule.calibration
    if floor is None:
        return []
    limits = {
        "calibration_slope": floor.slope,
        "calibration_intercept": (-floor.intercept, floor.intercept),
        "bias": (-floor.bias, floor.bias),
    }
    mine, theirs = (judged.models.index(name) for name in (pair.challenger, pair.champion))
    failed: list[str] = []
    for place, score in enumerate(judged.scores):
        if score.name not in limits:
            continue
        least, most = limits[score.name]
        lower, upper = percentile_interval(judged.draws[mine, place], rule.confidence)
        own, other = (float(judged.values[who, place]) for who in (mine, theirs))
        nearer = float(score.loss(own)) < float(score.loss(other))
        if (upper < least or lower > most) and not nearer:
            failed.append(
                f"{score.name} of {pair.challenger} is {own:.3f} ({lower:.3f} to {upper:.3f}), outside of "
                f"{least:g} to {most:g}, and no nearer to {score.ideal or 0:g} than {pair.champion} "
                f"({other:.3f})."
            )
    return failed


def _worse_in_segments(frame: pd.DataFrame, segments: pd.Series, pair: Pair, recipe: Recipe) -> list[str]:
    """Say for which kinds of customer the challenger is clearly worse."""
    rule, floor = recipe.champion, recipe.champion.segments
    if floor is None:
        return []
    score = next(one for one in SCORES[recipe.target] if one.name == rule.metric)
    said = _beside(frame, pair).join(segments.rename("segment"), on=["cutoff", "customer_id"])
    kinds = {str(name): rows for name, rows in said.groupby("segment", observed=True)}
    large = {name: rows for name, rows in kinds.items() if _n_customers(rows) >= floor.at_least}
    failed: list[str] = []
    for name, rows in large.items():
        outcome, old, new = (rows[one].to_numpy() for one in ("outcome", pair.champion, pair.challenger))
        ahead = compare(
            outcome,
            new,
            old,
            _as_advantage(score),
            groups=rows["customer_id"].to_numpy(),
            n_replicates=_MORE_DRAWS * recipe.evaluation.n_replicates,
            confidence=1.0 - (1.0 - rule.confidence) / len(large),
        )
        if ahead.upper < -floor.worse_by:  # where the score is not defined there is no interval
            failed.append(
                f"For {one_or_many(_n_customers(rows), 'customer')} of the segment {name} "
                f"{pair.challenger} is clearly worse: {rule.metric} {score(outcome, new):.4f} against "
                f"{score(outcome, old):.4f}."
            )
    return failed


def _n_customers(rows: pd.DataFrame) -> int:
    return len(set(rows["customer_id"]))


def _beside(frame: pd.DataFrame, pair: Pair) -> pd.DataFrame:
    """Return what the two said in one row each customer and cutoff."""
    keys = ["cutoff", "customer_id"]
    theirs, mine = (frame.loc[frame["model"] == name] for name in (pair.champion, pair.challenger))
    own = mine.set_index(keys)["prediction"].rename(pair.challenger)
    return theirs.rename(columns={"prediction": pair.champion}).join(own, on=keys)


def _as_advantage(score: Score) -> Score:
    """Turn a score so that more is better, whatever its ideal."""

    def function(outcome: FloatArray, prediction: FloatArray, weights: FloatArray) -> FloatArray:
        return -score.loss(score.function(outcome, prediction, weights))

    return replace(score, function=function, greater_is_better=True)
